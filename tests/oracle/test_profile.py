# SPDX-License-Identifier: Apache-2.0
"""The oracle that is installed is the one that the library's profile names."""

import ctypes

import torch


def test_profile_is_the_oracles_version(library):
    library.kdl_profile.restype = ctypes.c_char_p
    major, minor = torch.__version__.split(".")[:2]
    assert library.kdl_profile().decode() == f"torch-{major}.{minor}"
