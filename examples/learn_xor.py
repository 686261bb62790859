# SPDX-License-Identifier: Apache-2.0
"""What learn_xor.c prints, made with torch."""
import torch
from torch import nn

torch.manual_seed(42)
net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2))
corners = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
answers = torch.tensor([0, 1, 1, 0])
optimizer = torch.optim.Adam(net.parameters(), 0.1)
for step in range(61):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(net(corners), answers)
    loss.backward()
    optimizer.step()
    if step % 20 == 0:
        print(f"step {step:2d}  loss {loss.item():.4f}")
