# SPDX-License-Identifier: Apache-2.0
"""The examples that train, run here and as their Python twins."""
import importlib
import pathlib
import subprocess
import sys

import torch
from safetensors.torch import load_file

from conftest import BUILD, ROOT
from training import default_path

EXAMPLES = ROOT / "examples"
PROGRAMS = pathlib.Path(default_path(BUILD)).parent / "examples"
sys.path.insert(0, str(EXAMPLES))


class Run:
    """What a training gave: the loss of each step, how much was right, the parameters at last."""

    def __init__(self, losses, right, parameters):
        self.losses = torch.tensor(losses, dtype=torch.float64)
        self.right, self.parameters = right, parameters


def run_program(name, folder, dtype, text=None):
    """The example's program, and what it writes in a folder."""
    command = [PROGRAMS / name, "--save", folder / "net.safetensors", "--log", folder / "loss.txt"]
    command += ["--f64"] if dtype == torch.float64 else []
    subprocess.run([*command, *([text] if text else [])], check=True, stdout=subprocess.DEVNULL)
    lines = [line.split() for line in (folder / "loss.txt").read_text().splitlines()]
    values = {name: [float(value) for key, value in lines if key == name]
              for name in ("loss", "right")}
    return Run(values["loss"], values["right"][0], load_file(folder / "net.safetensors"))


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
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # small tensors: more threads only wait for each other
    losses, right = twin.train(dtype, prepare, **({"text": text} if text else {}))
    torch.set_num_threads(threads)
    return Run(losses, right, nets[0].state_dict())
