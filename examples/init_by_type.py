# SPDX-License-Identifier: Apache-2.0
"""What init_by_type.c prints, made with torch."""
import torch
from torch import nn


class ScaledLinear(nn.Linear):
    """A Linear that init_normal() does not know."""


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 3))
        self.last = ScaledLinear(3, 1)


def init_normal(module):
    if type(module) == nn.Linear:  # noqa: E721: exactly that class
        nn.init.normal_(module.weight, mean=0, std=1)
        nn.init.zeros_(module.bias)


torch.manual_seed(0)
net = Net()
net.apply(init_normal)
print(net)
print(sum(isinstance(module, nn.Linear) for module in net.modules()))
for name, parameter in net.named_parameters():
    print(name, parameter)
