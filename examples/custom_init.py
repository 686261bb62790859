# SPDX-License-Identifier: Apache-2.0
"""What custom_init.c prints, made with torch."""
import torch
from torch import nn


def init_custom(module):
    if type(module) == nn.Linear:  # noqa: E721: exactly that class
        nn.init.uniform_(module.weight, -10, 10)
        mask = module.weight.data.abs() >= 5
        module.weight.data *= mask


torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 3), nn.ReLU())
net.apply(init_custom)
print(net[0].weight)
print(0, *(f"{value:.4f}" for value in net[0].weight[1].tolist()))
