# SPDX-License-Identifier: Apache-2.0
"""What parameter_data.c prints, made with torch."""
import torch
from torch import nn

param = nn.Parameter(torch.tensor([1., 2., 3.]))
print(param)
print(param.data)
param.data.mul_(10)
print(param)
param.requires_grad_(False)
print(param)
