# SPDX-License-Identifier: Apache-2.0
"""What train_convnet.c prints, made with torch."""
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from support.training import accuracy, fit, show

IMAGES, TESTS, SIZE, BATCH, STEPS = 640, 160, 12, 32, 200
# By class: what a step to the right and a step down add to the phase of the stripes.
RIGHT, DOWN = torch.tensor([1, 0, 1, 1]), torch.tensor([0, 1, 1, 3])


def make_images(count):
    """Noise with stripes in it, and the class of their direction."""
    images, labels = torch.randn(count, 1, SIZE, SIZE), torch.randint(0, 4, (count,))
    phases = torch.randint(0, 4, (count,))
    place = torch.arange(SIZE)
    phase = (phases[:, None, None] + DOWN[labels][:, None, None] * place[:, None]
             + RIGHT[labels][:, None, None] * place) % 4
    images += torch.where(phase < 2, 0.5, -0.5)[:, None]
    return images, labels


def train(dtype=torch.float32, prepare=lambda net: None):
    """The loss of each step, and how much is right at last; `prepare` may change the network."""
    torch.manual_seed(2)
    net = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(16 * 3 * 3, 4)).to(dtype)
    prepare(net)
    images, labels = make_images(IMAGES)
    tests, test_labels = make_images(TESTS)
    loader = DataLoader(TensorDataset(images.to(dtype), labels), BATCH, shuffle=True)
    optimizer = torch.optim.SGD(net.parameters(), 0.02, momentum=0.9)
    losses = fit(net, loader, optimizer, STEPS)
    return losses, accuracy(net(tests.to(dtype)), test_labels)


if __name__ == "__main__":
    show(*train())
