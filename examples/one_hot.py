# SPDX-License-Identifier: Apache-2.0
"""What one_hot.c prints, made with torch."""
import torch
from torch import nn
from torch.nn import functional


def run(rows, labels):
    torch.manual_seed(7)
    layer = nn.Linear(4, 3)
    optimizer = torch.optim.SGD(layer.parameters(), 0.5)
    for _ in range(20):
        optimizer.zero_grad()
        functional.cross_entropy(layer(rows), labels).backward()
        optimizer.step()
    return layer.weight


torch.use_deterministic_algorithms(True)
labels = torch.tensor([2, 0, 1])
ones = functional.one_hot(labels, 4)
print(ones)
torch.manual_seed(0)
layer = nn.Linear(4, 2)
print(layer(ones.float()))
print(functional.linear(ones.float(), layer.weight, layer.bias))
print(functional.embedding(labels, layer.weight.t()))
same = torch.equal(run(ones.float(), labels), run(ones.float(), labels))
print("the same bits again" if same else "other bits")
