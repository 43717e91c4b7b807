"""The doors of the memory kind, as a fixture parameter, and what every test has to leave behind: nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial

import aiohttp
import pytest
from aiohttp.client_proto import ResponseHandler

from aiotest_kit import Router, mock, mock_session

CONNECT = aiohttp.BaseConnector.connect


@dataclass(frozen=True)
class Door:
    """A way from a real session to a router."""

    router: Router
    open_session: Callable[..., aiohttp.ClientSession]


@pytest.fixture(params=["mock", "mock_session"])
def door(request: pytest.FixtureRequest) -> Iterator[Door]:
    if request.param == "mock":
        with mock() as router:
            yield Door(router, aiohttp.ClientSession)
    else:
        router = Router()
        yield Door(router, partial(mock_session, router))
        assert not router.handler_errors


@pytest.fixture
async def session(door: Door) -> AsyncIterator[aiohttp.ClientSession]:
    async with door.open_session() as session:
        yield session


@pytest.fixture
def router(door: Door) -> Router:
    return door.router


@pytest.fixture(autouse=True)
def nothing_patched() -> Iterator[None]:
    yield
    assert aiohttp.BaseConnector.connect is CONNECT


@pytest.fixture
def received(monkeypatch: pytest.MonkeyPatch) -> bytearray:
    """Every byte that clients receive, in order."""
    seen = bytearray()
    data_received = ResponseHandler.data_received

    def keep(self: ResponseHandler, data: bytes) -> None:
        seen.extend(data)
        data_received(self, data)

    monkeypatch.setattr(ResponseHandler, "data_received", keep)
    return seen


Settle = Callable[[], Awaitable[None]]


@pytest.fixture
def settle() -> Settle:
    """Let everything run that can run without time passing."""

    async def turn() -> None:
        for _ in range(100):
            await asyncio.sleep(0)

    return turn
