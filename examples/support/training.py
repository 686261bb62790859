# SPDX-License-Identifier: Apache-2.0
"""What the examples that train share: the curve of the loss, how much is right."""
import torch


def show(losses, right):
    """Ten rows, each the mean of as many steps; then how much was right at last."""
    length, top = -(-len(losses) // 10), max(losses)
    for first in range(0, len(losses), length):
        row = losses[first:first + length]
        mean = sum(row) / len(row)
        print(f"{first:4} {mean:6.2f} {'#' * int(mean / top * 60 + 0.5)}")
    print(f"{100 * right:.0f} % right")


def accuracy(scores, labels):
    """Of scores (N, C, ...), the part whose highest one is the label's."""
    return (scores.argmax(1) == labels).double().mean().item()


def fit(net, loader, optimizer, steps):
    """Trains `net`, which gives scores, on batches of inputs and labels; the loss of each step."""
    losses = []
    while len(losses) < steps:
        for inputs, labels in loader:
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(net(inputs), labels)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            if len(losses) == steps:
                break
    return losses
