# SPDX-License-Identifier: Apache-2.0
"""Networks from the literature, as people write them in PyTorch; examples/networks has them in C.

They are narrow unless told otherwise, so that they are quick to make.
"""
import torch
from torch import nn


class LeNet5(nn.Module):
    """LeCun et al., 1998."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 6, 5), nn.Tanh(), nn.AvgPool2d(2, 2),
                                      nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2, 2))
        self.classifier = nn.Sequential(nn.Flatten(), nn.Linear(400, 120), nn.Tanh(),
                                        nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10))


class AlexNet(nn.Module):
    """Krizhevsky, 2014; 64, 4096, 1000 are its own sizes."""

    def __init__(self, width=8, hidden=64, classes=10):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, width, kernel_size=11, stride=4, padding=2), nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2),
            nn.Conv2d(width, 3 * width, kernel_size=5, padding=2), nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2),
            nn.Conv2d(3 * width, 6 * width, kernel_size=3, padding=1), nn.ReLU(inplace=True),
            nn.Conv2d(6 * width, 4 * width, kernel_size=3, padding=1), nn.ReLU(inplace=True),
            nn.Conv2d(4 * width, 4 * width, kernel_size=3, padding=1), nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2))
        self.avgpool = nn.AdaptiveAvgPool2d((6, 6))
        self.classifier = nn.Sequential(
            nn.Dropout(p=0.5), nn.Linear(4 * width * 36, hidden), nn.ReLU(inplace=True),
            nn.Dropout(p=0.5), nn.Linear(hidden, hidden), nn.ReLU(inplace=True),
            nn.Linear(hidden, classes))


class VGG(nn.Module):
    """Simonyan and Zisserman, 2014: VGG-16 with BatchNorm, with torchvision's initialisation."""

    def __init__(self, scale=8, hidden=32, classes=10):
        super().__init__()
        layers, channels = [], 3
        for size in (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0):
            if size == 0:
                layers += [nn.MaxPool2d(kernel_size=2, stride=2)]
                continue
            layers += [nn.Conv2d(channels, size // scale, kernel_size=3, padding=1),
                       nn.BatchNorm2d(size // scale), nn.ReLU(inplace=True)]
            channels = size // scale
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Linear(channels * 49, hidden), nn.ReLU(True), nn.Dropout(),
            nn.Linear(hidden, hidden), nn.ReLU(True), nn.Dropout(), nn.Linear(hidden, classes))
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
                nn.init.constant_(m.bias, 0)
            elif isinstance(m, nn.BatchNorm2d):
                nn.init.constant_(m.weight, 1)
                nn.init.constant_(m.bias, 0)
            elif isinstance(m, nn.Linear):
                nn.init.normal_(m.weight, 0, 0.01)
                nn.init.constant_(m.bias, 0)


class Bottleneck(nn.Module):
    def __init__(self, inplanes, planes, stride=1, downsample=None):
        super().__init__()
        self.conv1 = nn.Conv2d(inplanes, planes, kernel_size=1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, kernel_size=3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, planes * 4, kernel_size=1, bias=False)
        self.bn3 = nn.BatchNorm2d(planes * 4)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = downsample


class ResNet50(nn.Module):
    """He et al., 2015, narrower; `downsample` is constructed before the block that it goes to.

    The text does not show that, but what is drawn in another order is drawn again at last.
    """

    def __init__(self, width=8, classes=10):
        super().__init__()
        self.inplanes = width
        self.conv1 = nn.Conv2d(3, width, kernel_size=7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        for i, count in enumerate((3, 4, 6, 3)):
            setattr(self, f"layer{i + 1}", self.layer(width << i, count, 1 + (i > 0)))
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(width << 5, classes)
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")

    def layer(self, planes, count, stride):
        downsample = nn.Sequential(
            nn.Conv2d(self.inplanes, planes * 4, kernel_size=1, stride=stride, bias=False),
            nn.BatchNorm2d(planes * 4))
        blocks = [Bottleneck(self.inplanes, planes, stride, downsample)]
        self.inplanes = planes * 4
        return nn.Sequential(*blocks, *(Bottleneck(planes * 4, planes) for _ in range(1, count)))


class InvertedResidual(nn.Module):
    def __init__(self, inputs, outputs, stride, ratio):
        super().__init__()
        hidden = inputs * ratio
        self.conv = nn.Sequential(
            nn.Conv2d(inputs, hidden, 1, bias=False), nn.BatchNorm2d(hidden), nn.ReLU6(True),
            nn.Conv2d(hidden, hidden, 3, stride, 1, groups=hidden, bias=False),
            nn.BatchNorm2d(hidden), nn.ReLU6(True),
            nn.Conv2d(hidden, outputs, 1, bias=False), nn.BatchNorm2d(outputs))


class MobileNetV2(nn.Module):
    """Sandler et al., 2018, without an initialisation of its own; all channels over `scale`."""

    def __init__(self, scale=8, classes=10):
        super().__init__()
        inputs, last = 32 // scale, 1280 // scale
        blocks = [nn.Conv2d(3, inputs, 3, 2, 1, bias=False), nn.BatchNorm2d(inputs),
                  nn.ReLU6(True)]
        for ratio, outputs, count, stride in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2),
                                              (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
                                              (6, 320, 1, 1)):
            for i in range(count):
                blocks.append(InvertedResidual(inputs, outputs // scale, stride if i == 0 else 1,
                                               ratio))
                inputs = outputs // scale
        blocks += [nn.Conv2d(inputs, last, 1, bias=False), nn.BatchNorm2d(last), nn.ReLU6(True)]
        self.features = nn.Sequential(*blocks)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(last, classes))


class DenseLayer(nn.Sequential):
    def __init__(self, inputs, growth):
        super().__init__()
        self.add_module("norm1", nn.BatchNorm2d(inputs))
        self.add_module("relu1", nn.ReLU(inplace=True))
        self.add_module("conv1", nn.Conv2d(inputs, 4 * growth, kernel_size=1, bias=False))
        self.add_module("norm2", nn.BatchNorm2d(4 * growth))
        self.add_module("relu2", nn.ReLU(inplace=True))
        self.add_module("conv2", nn.Conv2d(4 * growth, growth, kernel_size=3, padding=1,
                                           bias=False))


class DenseNet(nn.Module):
    """Huang et al., 2016: kaiming_normal_ for convolutions, zeros for Linear's bias.

    DenseNet-121 grows by 32.
    """

    def __init__(self, growth=4, classes=10):
        super().__init__()
        self.features = nn.Sequential()
        channels = 2 * growth
        self.features.add_module("conv0", nn.Conv2d(3, channels, 7, 2, 3, bias=False))
        self.features.add_module("norm0", nn.BatchNorm2d(channels))
        self.features.add_module("relu0", nn.ReLU(inplace=True))
        self.features.add_module("pool0", nn.MaxPool2d(3, 2, 1))
        for i, count in enumerate((6, 12, 24, 16)):
            block = nn.ModuleDict()
            for j in range(count):
                block[f"denselayer{j + 1}"] = DenseLayer(channels + j * growth, growth)
            self.features.add_module(f"denseblock{i + 1}", block)
            channels += count * growth
            if i == 3:
                break
            self.features.add_module(f"transition{i + 1}", nn.Sequential(
                nn.BatchNorm2d(channels), nn.ReLU(inplace=True),
                nn.Conv2d(channels, channels // 2, 1, bias=False), nn.AvgPool2d(2, 2)))
            channels //= 2
        self.features.add_module("norm5", nn.BatchNorm2d(channels))
        self.classifier = nn.Linear(channels, classes)
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight)
            elif isinstance(m, nn.Linear):
                nn.init.constant_(m.bias, 0)


def double_conv(inputs, outputs):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs),
                         nn.ReLU(), nn.Conv2d(outputs, outputs, 3, padding=1), nn.ReLU())


class UNet(nn.Module):
    """Ronneberger et al., 2015."""

    def __init__(self, width=4):
        super().__init__()
        sizes = [width << i for i in range(4)]
        self.downs = nn.ModuleList(double_conv(a, b) for a, b in zip([1] + sizes, sizes))
        self.pool = nn.MaxPool2d(2)
        self.ups = nn.ModuleList(nn.ConvTranspose2d(b, a, 2, 2) for a, b in zip(sizes, sizes[1:]))
        self.merges = nn.ModuleList(double_conv(b, a) for a, b in zip(sizes, sizes[1:]))
        self.upsample = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
        self.out = nn.Conv2d(width, 2, kernel_size=1)


class Tagger(nn.Module):
    """A bidirectional LSTM tagger (Huang et al., 2015)."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(100, 16, padding_idx=0)
        self.lstm = nn.LSTM(16, 24, num_layers=2, batch_first=True, dropout=0.3,
                            bidirectional=True)
        self.dropout = nn.Dropout(0.3)
        self.out = nn.Linear(48, 9)


class Seq2Seq(nn.Module):
    """A GRU encoder and decoder (Cho et al., 2014) whose output is tied to the embedding."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(60, 20)
        self.encoder = nn.GRU(20, 20, batch_first=True)
        self.decoder = nn.GRU(20, 20, batch_first=True)
        self.out = nn.Linear(20, 60, bias=False)
        self.out.weight = self.embedding.weight


class Generator(nn.Module):
    """The generator of a DCGAN (Radford et al., 2015)."""

    def __init__(self, width=8):
        super().__init__()
        layers = [nn.ConvTranspose2d(10, width * 4, 4, 1, 0, bias=False),
                  nn.BatchNorm2d(width * 4), nn.ReLU(True)]
        for a in (4, 2):
            layers += [nn.ConvTranspose2d(width * a, width * a // 2, 4, 2, 1, bias=False),
                       nn.BatchNorm2d(width * a // 2), nn.ReLU(True)]
        self.main = nn.Sequential(*layers, nn.ConvTranspose2d(width, 3, 4, 2, 1, bias=False),
                                  nn.Tanh())
        self.apply(self.weights_init)

    @staticmethod
    def weights_init(m):
        name = m.__class__.__name__
        if name.find("Conv") != -1:
            nn.init.normal_(m.weight.data, 0.0, 0.02)
        elif name.find("BatchNorm") != -1:
            nn.init.normal_(m.weight.data, 1.0, 0.02)
            nn.init.constant_(m.bias.data, 0)


class ViTBlock(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.ln_1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = nn.MultiheadAttention(width, 2, batch_first=True)
        self.ln_2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(),
                                 nn.Linear(4 * width, width))


class ViT(nn.Module):
    """Dosovitskiy et al., 2020: parameters of its own, which print(model) does not show."""

    def __init__(self, width=16):
        super().__init__()
        self.conv_proj = nn.Conv2d(3, width, kernel_size=4, stride=4)
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embedding = nn.Parameter(torch.empty(1, 65, width).normal_(std=0.02))
        self.blocks = nn.Sequential(*(ViTBlock(width) for _ in range(3)))
        self.head = nn.Linear(width, 10)


def transformer(d_model=32, nhead=4, layers=2, dim_feedforward=64):
    """Vaswani et al., 2017; the base model is 512, 8, 6, 2048."""
    return nn.Transformer(d_model, nhead, layers, layers, dim_feedforward)


# Those that the text determines, with the rules that stand for what their constructors do at last.
FROM_TEXT = {
    "LeNet5": (LeNet5, ()),
    "AlexNet": (AlexNet, ()),
    "VGG": (VGG, ("Conv2d.weight=kaiming_normal(mode=fan_out, nonlinearity=relu)",
                  "*.bias=zeros", "BatchNorm2d.weight=ones", "Linear.weight=normal(0, 0.01)")),
    "ResNet50": (ResNet50, ("Conv2d.weight=kaiming_normal(mode=fan_out, nonlinearity=relu)",)),
    "MobileNetV2": (MobileNetV2, ()),
    "DenseNet": (DenseNet, ("Conv2d.weight=kaiming_normal", "Linear.bias=zeros")),
    "UNet": (UNet, ()),
    "Tagger": (Tagger, ()),
    "transformer": (transformer, ()),
    "Generator": (Generator, ("ConvTranspose2d.weight=normal(std=0.02)",
                              "BatchNorm2d.weight=normal(1.0, 0.02)", "BatchNorm2d.bias=zeros")),
    "ViTBlock": (lambda: ViTBlock(16), ()),
}
