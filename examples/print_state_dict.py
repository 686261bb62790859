# SPDX-License-Identifier: Apache-2.0
"""What print_state_dict.c prints, made with torch."""
import torch
from torch import nn


def show(module):
    print(module.state_dict())
    print(module.state_dict().keys())


torch.manual_seed(0)
linear = nn.Linear(2, 2)
show(linear)
print(linear.weight)
print(linear.bias)
net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
show(net)
try:
    linear.load_state_dict(net.state_dict())
except RuntimeError as error:
    print(f"RuntimeError: {error}")
