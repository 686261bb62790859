# SPDX-License-Identifier: Apache-2.0
"""The networks of examples/networks, in sizes that are quick to make: digests."""
import torch

import networks
from golden import HEADER, digest, raw
from make_text import construct

# The name in C, the twin, the sizes that both are told.
NARROW = {
    "lenet5": (networks.LeNet5, ()),
    "alexnet": (networks.AlexNet, (8, 64, 10)),
    "vgg16_bn": (networks.VGG, (8, 32, 10)),
    "resnet50": (networks.ResNet50, (8, 10)),
    "mobilenet_v2": (networks.MobileNetV2, (8, 10)),
    "densenet121": (networks.DenseNet, (4, 10)),
    "unet": (networks.UNet, (4,)),
    "lstm_tagger": (networks.Tagger, ()),
    "gru_seq2seq": (networks.Seq2Seq, ()),
    "transformer": (networks.transformer, (32, 4, 2, 64)),
    "dcgan_generator": (networks.Generator, (8,)),
    "vit": (networks.ViT, (16,)),
}


def files():
    lines = [HEADER, "# NAME SEED DIGEST STATE PRINTED SIZES...: of the state_dict's values one after "
             "the other,\n# of the generator afterwards, of print()\n"]
    for name, (make, sizes) in NARROW.items():
        for seed in (0, 2**32 - 1):
            model = construct(lambda: make(*sizes), torch.float32, seed)
            state = digest(torch.get_rng_state().numpy().tobytes())
            values = digest(b"".join(raw(value) for value in model.state_dict().values()))
            lines.append(f"{name} {seed} {values} {state} {digest(str(model).encode())}"
                         f"{''.join(f' {size}' for size in sizes)}\n")
    return {"networks.txt": "".join(lines)}
