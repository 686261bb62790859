# SPDX-License-Identifier: Apache-2.0
"""What init_errors.c prints, made with torch."""
import torch
from torch.nn import init


def raises(name, shape, **arguments):
    """What the function raises for torch.empty(shape)."""
    print(name)
    try:
        getattr(init, name)(torch.empty(shape), **arguments)
    except Exception as error:
        print(f"{type(error).__name__}: {error}")


raises("uniform_", (3, 5), a=2, b=1)
raises("normal_", (3, 5), std=-1)
raises("trunc_normal_", (3, 5), std=0)
raises("xavier_uniform_", 3)
raises("kaiming_normal_", 3)
raises("orthogonal_", 3)
raises("sparse_", 3, sparsity=0.4)
raises("eye_", 3)
raises("dirac_", (3, 5))
raises("dirac_", (3, 2, 3), groups=2)
raises("xavier_normal_", (0, 0))
