# SPDX-License-Identifier: Apache-2.0
"""What layer_defaults.c prints, made with torch."""
import math

import torch
from torch import nn


def show(title, layer, bound):
    print(f"{title}: bound {bound:.4f}")
    for name, parameter in layer.named_parameters():
        print(f"  {name:12} {parameter.min().item():7.4f} .. {parameter.max().item():.4f}")


torch.manual_seed(0)
linear = nn.Linear(64, 8)
show("Linear(64, 8)", linear, 1 / math.sqrt(64))
linear.reset_parameters()
show("again", linear, 1 / math.sqrt(64))
show("Conv2d(16, 8, 3)", nn.Conv2d(16, 8, 3), 1 / math.sqrt(16 * 3 * 3))
show("LSTM(4, 25)", nn.LSTM(4, 25), 1 / math.sqrt(25))
print(nn.Embedding(4, 3, padding_idx=0).weight)
