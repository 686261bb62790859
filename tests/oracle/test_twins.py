# SPDX-License-Identifier: Apache-2.0
"""The examples that train: their losses beside their twins' at every step, what they save."""
import pytest
import torch

from conftest import ROOT
from example_runs import EXAMPLES, run_program, run_twin

# By name: the file to learn from.
TRAINED = {"train_classifier": None, "train_convnet": None, "train_lstm": None,
           "train_gpt": str(ROOT / "README.md")}


def test_all_are_here():
    assert {path.stem for path in EXAMPLES.glob("train_*.c")} == set(TRAINED)


@pytest.mark.parametrize("name", TRAINED)
def test_double(name, tmp_path):
    """In f64 the losses are within 1e-9, and so are the parameters that are saved at last."""
    text = TRAINED[name]
    ours = run_program(name, tmp_path, torch.float64, text)
    theirs = run_twin(name, torch.float64, text)
    assert len(ours.losses) == len(theirs.losses) >= 200
    assert (ours.losses - theirs.losses).abs().max() <= 1e-9
    assert ours.right == theirs.right
    assert ours.parameters.keys() == theirs.parameters.keys()
    for key, parameter in theirs.parameters.items():
        assert ours.parameters[key].dtype == torch.float64
        assert (ours.parameters[key] - parameter).abs().max() <= 1e-7, key


@pytest.mark.parametrize("name", TRAINED)
def test_single(name, tmp_path):
    """In f32 within ten times of what one ulp in the first parameters makes of PyTorch."""
    text = TRAINED[name]
    ours = run_program(name, tmp_path, torch.float32, text)
    theirs = run_twin(name, torch.float32, text)
    nudged = run_twin(name, torch.float32, text, nudged=True)
    assert len(ours.losses) == len(theirs.losses) >= 200
    drift = (nudged.losses - theirs.losses).abs().max()
    difference = (ours.losses - theirs.losses).abs().max()
    print(f"{name}: {difference:.3g} beside a drift of {drift:.3g}")
    assert difference <= 10 * drift
    # One answer in 256 may tip whatever the drift: 0.1 % counts as none.
    assert abs(ours.right - theirs.right) <= 10 * max(abs(nudged.right - theirs.right), 1e-3)
