# SPDX-License-Identifier: Apache-2.0
"""What train_classifier.c prints, made with torch."""
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from support.training import accuracy, show

POINTS, BATCH, EPOCHS = 256, 32, 25


def train(dtype=torch.float32, prepare=lambda net: None):
    """The loss of each step, and how much is right at last; `prepare` may change the network."""
    torch.manual_seed(1)
    net = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 2)).to(dtype)
    prepare(net)
    points = torch.randn(POINTS, 2)
    labels = (points[:, 0] * points[:, 1] > 0).long()
    points = points.to(dtype)
    loader = DataLoader(TensorDataset(points, labels), BATCH, shuffle=True)
    optimizer = torch.optim.Adam(net.parameters(), 0.02)
    losses = []
    for _ in range(EPOCHS):
        for inputs, targets in loader:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(net(inputs), targets)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return losses, accuracy(net(points), labels)


if __name__ == "__main__":
    show(*train())
