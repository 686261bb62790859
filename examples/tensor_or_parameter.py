# SPDX-License-Identifier: Apache-2.0
"""What tensor_or_parameter.c prints, made with torch."""
import torch
from torch import nn


class Net(nn.Module):
    """Empty; attributes come from outside."""


torch.manual_seed(0)
plain = Net()
plain.weight = torch.randn(3, 3)
plain.bias = torch.zeros(3)
print(list(plain.parameters()))
print(plain.weight)

net = Net()
net.weight = nn.Parameter(torch.randn(3, 3))
net.bias = nn.Parameter(torch.zeros(3))
print(list(net.parameters()))
try:
    net.bias = torch.ones(3)
except TypeError as error:
    print(f"TypeError: {error}")
