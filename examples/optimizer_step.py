# SPDX-License-Identifier: Apache-2.0
"""What optimizer_step.c prints, made with torch."""
import torch
from torch import nn


def init_weights(module):
    if type(module) is nn.Linear:
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


torch.manual_seed(0)
shared = nn.Linear(3, 3)
net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), shared, nn.ReLU(), shared, nn.Linear(3, 1))
net.apply(init_weights)
net[0].requires_grad_(False)
inputs = torch.rand(8, 2)
target = inputs.sum(1, True)
print(list(net.parameters()))
optimizer = torch.optim.SGD(net.parameters(), 0.1)
for step in range(3):
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(net(inputs), target)
    loss.backward()
    optimizer.step()
    print(f"step {step}: loss {loss.item():.4f}")
print(list(net.parameters()))
