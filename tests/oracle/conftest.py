# SPDX-License-Identifier: Apache-2.0
"""What the comparisons with a live PyTorch share: the program, the library, the record of results.

`./dev test oracle` sets the environment: KINDLING (the program), KINDLING_LIBRARY (the shared
library), KINDLING_RESULTS (a file that gets one line a test: passed, failed or skipped, and its
name).
"""

import ctypes
import os
import pathlib
import re
import sys

import pytest

from kindling import Context, load

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "release"
sys.path.insert(0, str(ROOT / "tests" / "golden"))  # cases are shared with the golden files


@pytest.fixture(scope="session")
def kindling():
    """The path of the program."""
    return os.environ.get("KINDLING", str(BUILD / "kindling"))


@pytest.fixture(scope="session")
def library():
    """The shared library, through ctypes."""
    return ctypes.CDLL(os.environ.get("KINDLING_LIBRARY", str(BUILD / "libkindling.so")))


@pytest.fixture(scope="session")
def prototyped_library():
    """The shared library with its prototypes, for kindling.Context."""
    return load(os.environ.get("KINDLING_LIBRARY", str(BUILD / "libkindling.so")))


@pytest.fixture(scope="module")
def context(prototyped_library):
    """A context; the tests of training, and some others, make one of their own."""
    return Context(prototyped_library)


def case_id(value):
    """A parameter's name: its text, with functions called by their names only.

    The workers of pytest-xdist collect on their own and must agree, which addresses do not.
    """
    return re.sub(r"<function (\S+) at 0x[0-9a-f]+>", r"\1", str(value))


def pytest_collection_modifyitems(items):
    """Says which tests have an address in their names, before pytest-xdist says that they differ."""
    unstable = [item.nodeid for item in items if " at 0x" in item.nodeid]
    if unstable:
        raise pytest.UsageError(f"name these by ids=case_id: {unstable}")


def pytest_runtest_logreport(report):
    """Records a test once: when it ran, or when it failed or was skipped before or after that.

    Workers of pytest-xdist report to the main process, which records for them.
    """
    path = os.environ.get("KINDLING_RESULTS")
    if "PYTEST_XDIST_WORKER" in os.environ:
        return
    if path and (report.when == "call" or report.outcome != "passed"):
        with open(path, "a", encoding="utf-8") as results:
            print(report.outcome, report.nodeid.removeprefix("tests/"), file=results)
