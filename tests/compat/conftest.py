"""What the tests of several stand-ins need."""

from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest

from aiotest_kit.compat.aioresponses import aioresponses


@pytest.fixture
def m() -> Iterator[aioresponses]:
    with aioresponses() as m:
        yield m


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session
