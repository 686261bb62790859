#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the golden files from a live PyTorch 2.13.0 (CPU). The C tests only read them.

Every make_*.py beside this file has a function files() that gives {name: text}.
Usage: regenerate.py [--check]; with --check nothing is written and a difference is an error.
"""
import importlib
import pathlib
import sys

import torch

FOLDER = pathlib.Path(__file__).resolve().parent
EXPECTED_TORCH = "2.13.0"


def main():
    if torch.__version__.split("+")[0] != EXPECTED_TORCH:
        sys.exit(f"golden files come from torch {EXPECTED_TORCH}, this is {torch.__version__}")
    if torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"):
        sys.exit("golden files come from a processor with AVX2: the profile means those kernels")
    check = "--check" in sys.argv[1:]
    differing = []
    sys.path.insert(0, str(FOLDER))
    for module in sorted(FOLDER.glob("make_*.py")):
        for name, text in importlib.import_module(module.stem).files().items():
            path = FOLDER / name
            if path.exists() and path.read_text() == text:
                continue
            differing.append(name)
            if not check:
                path.write_text(text)
    print("differs:" if check else "written:", ", ".join(differing) or "nothing")
    return 1 if check and differing else 0


if __name__ == "__main__":
    sys.exit(main())
