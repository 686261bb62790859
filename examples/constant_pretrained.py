# SPDX-License-Identifier: Apache-2.0
"""What constant_pretrained.c prints, made with torch."""
import safetensors.torch
import torch
from torch import nn


def show(net):
    for name, parameter in net.named_parameters():
        print(name, parameter)


def new_net():
    return nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 1, bias=False))


torch.manual_seed(0)
net = new_net()
nn.init.ones_(net[0].weight)
nn.init.zeros_(net[0].bias)
nn.init.constant_(net[2].weight, 0.3)
show(net)
safetensors.torch.load_model(net, "pretrained.safetensors")
show(net)
other = new_net()
file = safetensors.torch.load_file("pretrained.safetensors")
other[0].load_state_dict({name[2:]: value for name, value in file.items() if name[:2] == "0."})
other[0].requires_grad_(False)
show(other)
