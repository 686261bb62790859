# SPDX-License-Identifier: Apache-2.0
"""What train_classifier.c prints, made with torch."""
import torch
from torch import nn

POINTS, STEPS = 256, 200

torch.manual_seed(1)
net = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 2))
points = torch.randn(POINTS, 2)
labels = (points[:, 0] * points[:, 1] > 0).long()
optimizer = torch.optim.Adam(net.parameters(), 0.02)
for step in range(STEPS + 1):
    optimizer.zero_grad()
    scores = net(points)
    loss = nn.functional.cross_entropy(scores, labels)
    loss.backward()
    optimizer.step()
    if step % 20 == 0:
        print(f"{step:3} {loss.item():.3f} {'#' * int(loss.item() * 60 + 0.5)}")
    if step == STEPS:
        print(f"{int((scores.argmax(1) == labels).sum())} of {POINTS} right")
