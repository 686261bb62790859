# SPDX-License-Identifier: Apache-2.0
"""Whole networks: those of examples/networks, in C, have the values of their twins in PyTorch."""
import ctypes
import os
import pathlib
import random
import subprocess

import pytest
import torch

from compare import assert_same
from conftest import BUILD, ROOT
from kindling import Context, Module
from layers import SEEDS, compare_values, read_by_ranges
from make_networks import NARROW
from make_text import construct

# The sizes of the papers, where they can be told.
WHOLE = {"alexnet": (64, 4096, 1000), "vgg16_bn": (1, 4096, 1000), "resnet50": (64, 1000),
         "mobilenet_v2": (1, 1000), "densenet121": (32, 1000), "unet": (64,),
         "transformer": (512, 8, 6, 2048), "dcgan_generator": (64,), "vit": (768,)}


@pytest.fixture(scope="module")
def constructors(tmp_path_factory):
    """The C functions, compiled as a user compiles them."""
    library = pathlib.Path(os.environ.get("KINDLING_LIBRARY", str(BUILD / "libkindling.so")))
    output = tmp_path_factory.mktemp("networks") / "libnetworks.so"
    subprocess.run(["cc", "-std=c17", "-O1", "-shared", "-fPIC", f"-I{ROOT / 'include'}",
                    *sorted((ROOT / "examples" / "networks").glob("*.c")), str(library), "-o",
                    output], check=True)
    return ctypes.CDLL(str(output))


@pytest.fixture(scope="module")
def contexts(prototyped_library):
    return Context(prototyped_library), Context(prototyped_library, threads=2, deferred=True)


def make(constructors, context, name, sizes, seed):
    """(ours, theirs); the generators end in the same state."""
    context.default_generator().manual_seed(seed)
    function = getattr(constructors, name)
    function.restype = ctypes.c_void_p
    ours = Module(context, function(ctypes.c_void_p(context.pointer), *map(ctypes.c_int64, sizes)))
    theirs = construct(lambda: NARROW[name][0](*sizes), torch.float32, seed)
    assert context.default_generator().state() == torch.get_rng_state().numpy().tobytes(), name
    return ours, theirs


@pytest.mark.parametrize("name", NARROW)
def test_network(constructors, contexts, name):
    eager, deferred = contexts
    for seed in SEEDS:
        compare_values(name, *make(constructors, eager, name, NARROW[name][1], seed))
        ours, theirs = make(constructors, deferred, name, NARROW[name][1], seed)
        plan = deferred.call("kdl_plan_new", deferred)
        plan.add_module(ours)
        for values, expected in read_by_ranges(plan, theirs, random.Random(seed)):
            assert_same(values, expected, name, "by ranges")


@pytest.mark.parametrize("name", WHOLE)
def test_network_in_its_own_size(constructors, contexts, name):
    compare_values(name, *make(constructors, contexts[1], name, WHOLE[name], 42))
