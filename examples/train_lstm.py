# SPDX-License-Identifier: Apache-2.0
"""What train_lstm.c prints, made with torch."""
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from support.training import accuracy, fit, show

SEQUENCES, TESTS, LENGTH, BATCH, STEPS = 640, 160, 16, 32, 200
SYMBOLS, DELAY, WIDTH, HIDDEN = 6, 3, 16, 32


class Echo(nn.Module):
    """Symbols by an embedding through an LSTM to a score for each symbol."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(SYMBOLS, WIDTH)
        self.lstm = nn.LSTM(WIDTH, HIDDEN, batch_first=True)
        self.head = nn.Linear(HIDDEN, SYMBOLS)

    def forward(self, symbols):
        return self.head(self.lstm(self.embedding(symbols))[0]).transpose(1, 2)


def make_sequences(count):
    symbols = torch.randint(0, SYMBOLS, (count, LENGTH))
    echo = torch.zeros_like(symbols)
    echo[:, DELAY:] = symbols[:, :-DELAY]
    return symbols, echo


def train(dtype=torch.float32, prepare=lambda net: None):
    """The loss of each step, and how much is right at last; `prepare` may change the network."""
    torch.manual_seed(3)
    net = Echo().to(dtype)
    prepare(net)
    data = make_sequences(SEQUENCES)
    tests, echo = make_sequences(TESTS)
    loader = DataLoader(TensorDataset(*data), BATCH, shuffle=True)
    optimizer = torch.optim.Adam(net.parameters(), 0.02)
    losses = fit(net, loader, optimizer, STEPS)
    return losses, accuracy(net(tests), echo)


if __name__ == "__main__":
    show(*train())
