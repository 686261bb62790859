# SPDX-License-Identifier: Apache-2.0
"""What train_gpt.c prints, made with torch."""
import pathlib
import sys

import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from support.training import accuracy, fit, show

CONTEXT, WIDTH, HEADS, LAYERS, BATCH, STEPS = 32, 64, 4, 2, 16, 200
WRITTEN = 72


class Block(nn.Module):
    """What a layer adds to each character: what it sees before it, then what it makes of that."""

    def __init__(self):
        super().__init__()
        self.ln_1 = nn.LayerNorm(WIDTH)
        self.attn = nn.Linear(WIDTH, 3 * WIDTH)
        self.proj = nn.Linear(WIDTH, WIDTH)
        self.ln_2 = nn.LayerNorm(WIDTH)
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH))

    def attend(self, x):
        n, t, _ = x.shape
        query, key, value = (part.view(n, t, HEADS, WIDTH // HEADS).transpose(1, 2)
                             for part in self.attn(x).chunk(3, 2))
        seen = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        return self.proj(seen.transpose(1, 2).reshape(n, t, WIDTH))

    def forward(self, x):
        x = x + self.attend(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class GPT(nn.Module):
    """Characters (N, T) to scores for the next one (N, V, T); the embedding is the head, too."""

    def __init__(self, characters):
        super().__init__()
        self.wte = nn.Embedding(characters, WIDTH)
        self.wpe = nn.Embedding(CONTEXT, WIDTH)
        self.blocks = nn.Sequential(*(Block() for _ in range(LAYERS)))
        self.ln_f = nn.LayerNorm(WIDTH)
        self.apply(self.init_weights)

    @staticmethod
    def init_weights(module):
        if isinstance(module, (nn.Linear, nn.Embedding)):
            nn.init.normal_(module.weight, 0.0, 0.1)
        if isinstance(module, nn.Linear):
            nn.init.zeros_(module.bias)

    def forward(self, ids):
        x = self.wte(ids) + self.wpe.weight
        x = self.ln_f(self.blocks(x))
        return functional.linear(x, self.wte.weight).transpose(1, 2)


def read_text(path):
    """Its characters (bytes) as numbers in the order of those that occur, and these."""
    data = pathlib.Path(path).read_bytes()
    characters = sorted(set(data))
    return torch.tensor([characters.index(byte) for byte in data]), characters


def train(dtype=torch.float32, prepare=lambda net: None, text="README.md"):
    """The loss of each step, and how much is right at last; `prepare` may change the network."""
    ids, characters = read_text(text)
    torch.manual_seed(4)
    net = GPT(len(characters)).to(dtype)
    prepare(net)
    windows = (len(ids) - 1) // CONTEXT
    inputs, labels = (ids[first:first + windows * CONTEXT].view(windows, CONTEXT)
                      for first in (0, 1))
    loader = DataLoader(TensorDataset(inputs, labels), BATCH, shuffle=True)
    optimizer = torch.optim.AdamW(net.parameters(), 3e-3)
    losses = fit(net, loader, optimizer, STEPS)
    return losses, accuracy(net(inputs), labels)


def write_on(net, ids, characters):
    """What the network writes behind the text's beginning: always the likeliest character."""
    written = ids[:CONTEXT]
    for _ in range(WRITTEN):
        written = torch.cat((written, net(written[None, -CONTEXT:]).argmax(1)[0, -1:]))
    return bytes(characters[i] for i in written[CONTEXT:]).decode()


def main(text="README.md"):
    nets = []
    show(*train(prepare=nets.append, text=text))
    print(write_on(nets[0], *read_text(text)))


if __name__ == "__main__":
    main(*sys.argv[1:])
