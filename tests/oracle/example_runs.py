# SPDX-License-Identifier: Apache-2.0
"""The examples that train, run here and as their Python twins."""
import importlib
import pathlib
import subprocess
import sys

import torch
from safetensors.torch import load_file

from conftest import BUILD
from training import default_path

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "examples"
PROGRAMS = pathlib.Path(default_path(BUILD)).parent / "examples"
sys.path.insert(0, str(EXAMPLES))


class Run:
    """What a training gave: the loss of each step, how much was right, the parameters at last."""

    def __init__(self, losses, right, parameters):
        self.losses = torch.tensor(losses, dtype=torch.float64)
        self.right, self.parameters = right, parameters


def run_program(name, folder, dtype, text=None):
    """The example's program, and what it says and writes in a folder."""
    command = [PROGRAMS / name, "--save", folder / "net.safetensors", "--csv", folder / "loss.csv"]
    command += ["--f64"] if dtype == torch.float64 else []
    printed = subprocess.run([*command, *([text] if text else [])], check=True, text=True,
                             stdout=subprocess.PIPE).stdout
    right = float(printed.splitlines()[-1].removesuffix(" % right"))
    lines = (folder / "loss.csv").read_text().splitlines()[1:]
    return Run([float(line.split(",")[1]) for line in lines], right,
               load_file(folder / "net.safetensors"))


def run_twin(name, dtype, text=None, nudged=False):
    """The same with torch; `nudged`: from parameters that are one ulp larger."""
    nets = []

    def prepare(net):
        nets.append(net)
        if nudged:
            with torch.no_grad():
                for parameter in net.parameters():
                    parameter.copy_(torch.nextafter(parameter, torch.tensor(torch.inf)))
    twin = importlib.import_module(name)
    losses, right = twin.train(dtype, prepare, **({"text": text} if text else {}))
    return Run(losses, round(100 * right, 1), nets[0].state_dict())
