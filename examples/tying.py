# SPDX-License-Identifier: Apache-2.0
"""What tying.c prints, made with torch."""
import torch
from torch import nn

torch.manual_seed(0)
shared = nn.Linear(8, 8)
net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), shared, nn.ReLU(), shared, nn.ReLU(),
                    nn.Linear(8, 1))
print(net)
print(*(name for name, _ in net.named_parameters()), "")
print(sum(parameter.numel() for parameter in net.parameters()))
print(net.state_dict().keys())
nn.init.constant_(net[2].weight, 0.25)
print(net[4].weight[0, 0].item())
net(torch.rand(2, 4)).sum().backward()
print(shared.weight.grad[0])
