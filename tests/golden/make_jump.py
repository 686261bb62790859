# SPDX-License-Identifier: Apache-2.0
"""Known answers for skipping: PyTorch's generator after many draws, where it was stepped to."""
import struct

import torch

from golden import HEADER, digest

POSITIONS = (1, 623, 624, 625, 1248, 1249, 1_000_003, 2**28 + 17, 2**31 + 12345)
CHUNK = torch.empty(2**24)
STATE_BYTES = 5056


def state_after(seed, draws):
    """(next, the block's 624 words as bytes) of the default generator's state."""
    torch.manual_seed(seed)
    while draws > 0:
        count = min(draws, CHUNK.numel())
        CHUNK[:count].uniform_()  # one draw a value
        draws -= count
    state = torch.get_rng_state().numpy().tobytes()
    assert len(state) == STATE_BYTES
    following = struct.unpack_from("<Q", state, 16)[0]
    words = struct.unpack_from("<624Q", state, 24)
    return following, struct.pack("<624I", *words)


def skips():
    lines = [HEADER, "# seed draws next digest of the 624 words\n"]
    for seed in (42, 2**32 - 1):
        for draws in POSITIONS:
            following, words = state_after(seed, draws)
            lines.append(f"{seed} {draws} {following} {digest(words)}\n")
    return "".join(lines)


def files():
    return {"skips.txt": skips()}
