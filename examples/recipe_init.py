# SPDX-License-Identifier: Apache-2.0
"""What recipe_init.c prints, made with torch."""

import torch

torch.manual_seed(42)
bound = 1 / 28
tensors = {
    "0.weight": torch.empty(128, 784).uniform_(-bound, bound),
    "0.bias": torch.empty(128).uniform_(-bound, bound),
    "2.weight": torch.empty(10, 128).normal_(0, 0.02),
    "2.bias": torch.zeros(10),
}
for name, tensor in sorted(tensors.items()):
    wide, begin = tensor.double(), tensor.flatten()[:3].tolist()
    print(f"{name:12} mean {wide.mean():9.6f}  std {wide.std():8.6f}"
          f"  begins {begin[0]:8.5f} {begin[1]:8.5f} {begin[2]:8.5f}")
