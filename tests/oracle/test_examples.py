# SPDX-License-Identifier: Apache-2.0
"""What the examples are compared with is what their Python twins print."""
import os
import pathlib
import subprocess
import sys

import pytest

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "examples"
TWINS = sorted(EXAMPLES.glob("*.py"))
# As cmake/examples.cmake gives them.
ARGUMENTS = {"train_gpt": ["../docs/jump.md"]}


@pytest.mark.parametrize("twin", TWINS, ids=lambda twin: twin.stem)
def test_twin_prints_what_is_expected(twin):
    printed = subprocess.run([sys.executable, twin, *ARGUMENTS.get(twin.stem, [])],
                             cwd=EXAMPLES, check=True, text=True,
                             env={**os.environ, "OMP_NUM_THREADS": "1"},
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    assert printed == (EXAMPLES / "expected" / f"{twin.stem}.txt").read_text()


def test_every_example_has_its_twin():
    assert {path.stem for path in EXAMPLES.glob("*.c")} == {path.stem for path in TWINS}
