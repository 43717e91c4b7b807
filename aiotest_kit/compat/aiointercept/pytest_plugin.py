"""The fixtures of aiointercept, for `pytest_plugins = ["aiotest_kit.compat.aiointercept.pytest_plugin"]`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .core import aiointercept

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["aiointercept_mock", "aiointercept_server"]


@pytest.fixture(scope="session")
def aiointercept_server() -> Iterator[aiointercept]:
    """An open `aiointercept()` for all tests; override it in a `conftest.py` for another kind."""
    server = aiointercept()
    server.open()
    yield server
    server.close()


@pytest.fixture
def aiointercept_mock(aiointercept_server: aiointercept) -> Iterator[aiointercept]:
    """The `aiointercept_server`, cleared after the test."""
    yield aiointercept_server
    aiointercept_server.clear()
