# SPDX-License-Identifier: Apache-2.0
"""What the golden makers share: the digest that tests/support/golden.h computes in C, names."""
import torch

DTYPES = {
    "f32": torch.float32, "f64": torch.float64, "f16": torch.float16, "bf16": torch.bfloat16,
    "i64": torch.int64, "i32": torch.int32, "u8": torch.uint8, "bool": torch.bool,
}
FLOATS = ("f32", "f64", "f16", "bf16")
HEADER = "# Written by regenerate.py from PyTorch 2.13.0; do not edit.\n"


def raw(tensor):
    """The tensor's bytes, in row-major order, little-endian."""
    return tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def digest(data):
    """64-bit FNV-1a of bytes, as 16 hexadecimal digits."""
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"
