"""The seeds from which tests take what is left to chance, such as the moment at which a client leaves.

AIOTEST_KIT_SEED=7 pytest       one
AIOTEST_KIT_SEED=7-31 pytest    each of these, one after the other
"""

from __future__ import annotations

import os

import pytest

__all__ = ["each_seed", "seeds_of"]


def seeds_of(text: str) -> range:
    """The seeds that a text names: one, or the first and the last of several."""
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


each_seed = pytest.mark.parametrize("seed", seeds_of(os.environ.get("AIOTEST_KIT_SEED", "1")))
