# SPDX-License-Identifier: Apache-2.0
"""What embedding_padding.c prints, made with torch."""
import torch
from torch import nn

torch.manual_seed(0)
embedding = nn.Embedding(4, 3, padding_idx=0)
print(embedding.weight)
embedding(torch.tensor([[1, 2, 1], [2, 0, 0]])).sum().backward()
print(embedding.weight.grad)
torch.optim.SGD(embedding.parameters(), 0.1).step()
print(embedding.weight)
