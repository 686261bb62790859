# SPDX-License-Identifier: Apache-2.0
"""What own_network.c prints, made with torch."""
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, inputs, hidden, outputs):
        super().__init__()
        self.linear1 = nn.Linear(inputs, hidden)
        self.linear2 = nn.Linear(hidden, outputs)
        self.reset_parameters()

    def reset_parameters(self):
        for layer in self.children():
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, inputs):
        return self.linear2(torch.relu(self.linear1(inputs)))


torch.manual_seed(0)
net = Net(4, 5, 2)
print(net)
print(list(net.parameters()))
print(net(torch.rand(3, 4)))
