"""What the tests of several stand-ins need."""

from collections.abc import AsyncIterator, Iterator
from typing import NoReturn

import aiohttp
import pytest

from aiotest_kit.compat.aioresponses import aioresponses


@pytest.fixture
def m() -> Iterator[aioresponses]:
    with aioresponses() as m:
        yield m


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hosts that are looked up, which fails."""
    looked_up: list[str] = []

    async def resolve(self: object, host: str, *_: object, **__: object) -> NoReturn:
        looked_up.append(host)
        raise OSError(f"{host} was looked up")

    for name in ("ThreadedResolver", "AsyncResolver"):
        monkeypatch.setattr(getattr(aiohttp, name), "resolve", resolve)
    return looked_up


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session
