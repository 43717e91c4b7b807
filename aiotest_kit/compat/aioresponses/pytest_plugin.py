"""The fixture of pytest-aioresponses, for `pytest_plugins = ["aiotest_kit.compat.aioresponses"]`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .core import aioresponses

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["aioresponses_fixture"]


@pytest.fixture(name="aioresponses")
def aioresponses_fixture() -> Iterator[aioresponses]:
    """An open `aioresponses()` for the test."""
    with aioresponses() as opened:
        yield opened
