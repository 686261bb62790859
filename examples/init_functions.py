# SPDX-License-Identifier: Apache-2.0
"""What init_functions.c prints, made with torch."""
import sys

import torch
from torch.nn import init


def run(name, shape, **arguments):
    """The function on torch.empty(shape)."""
    tensor = torch.empty(shape)
    print(tensor, file=sys.stderr)
    print(name)
    print(getattr(init, name)(tensor, **arguments))


torch.manual_seed(42)
run("uniform_", (3, 5), a=-1, b=1)
run("normal_", (3, 5), std=0.02)
run("trunc_normal_", (3, 5), a=-1, b=1)
run("constant_", (3, 5), val=0.3)
run("xavier_uniform_", (3, 5), gain=2)
run("xavier_normal_", (3, 5), gain=2)
run("kaiming_uniform_", (3, 5), nonlinearity="relu")
run("kaiming_normal_", (3, 5), mode="fan_out")
run("orthogonal_", (3, 5), gain=1)
run("sparse_", (3, 5), sparsity=0.4, std=1)
run("dirac_", (4, 2, 3), groups=2)
for name in ("ones_", "zeros_", "eye_"):
    run(name, (3, 5))

for name in ("linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d",
             "conv_transpose3d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"):
    print(f"{name:16} {init.calculate_gain(name):.6f}")
weight = torch.empty(3, 48, 11, 11)
print("fan_in {}, fan_out {}".format(*init._calculate_fan_in_and_fan_out(weight)))
print("kaiming_normal_")
print(init.kaiming_normal_(weight)[0, 0, 0])
