"""The doors, as a fixture parameter, and what every test has to leave behind: nothing."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver
from aiohttp.client_proto import ResponseHandler

from aiotest_kit import Router, Upstream, mock, mock_session, virtual_time

if TYPE_CHECKING:
    from aiohttp.abc import ResolveResult

CONNECT = aiohttp.BaseConnector.connect.__code__
IN_MEMORY = ["mock", "mock_session"]
OF_HTTPS = (443, 8443)


@dataclass(frozen=True)
class Door:
    """A way from a real session to a router."""

    router: Router
    open_session: Callable[..., aiohttp.ClientSession]
    is_in_memory: bool = True

    def no_waiting(self) -> AbstractAsyncContextManager[object]:
        """Virtual time, where nothing is on its way through the system, which takes its own."""
        return virtual_time() if self.is_in_memory else nullcontext()


class Upstreams(AbstractResolver):
    """A resolver for which every name is an upstream of one router, with TLS where the port is one for it."""

    def __init__(self, router: Router, stack: AsyncExitStack) -> None:
        self._router = router
        self._stack = stack
        self._started: dict[bool, Upstream] = {}

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
        tls = port in OF_HTTPS
        if tls not in self._started:
            upstream = Upstream(router=self._router, tls=tls)
            self._started[tls] = await self._stack.enter_async_context(upstream.started())
        return [
            {
                "hostname": host,
                "host": "127.0.0.1",
                "port": self._started[tls].port,
                "family": socket.AF_INET,
                "proto": 0,
                "flags": socket.AI_NUMERICHOST,
            }
        ]

    async def close(self) -> None: ...


def through(resolver: Upstreams, **options: Any) -> aiohttp.ClientSession:
    """A session for which every name is an upstream."""
    # Without a cache, so that a name may have a port for each scheme.
    connector = aiohttp.TCPConnector(resolver=resolver, use_dns_cache=False, ssl=False)
    return aiohttp.ClientSession(connector=connector, **options)


@asynccontextmanager
async def opened(kind: str) -> AsyncIterator[Door]:
    """A door of a kind: one of those in memory, or `loopback`."""
    if kind == "mock":
        with mock() as router:
            yield Door(router, aiohttp.ClientSession)
        return
    router = Router()
    if kind == "mock_session":
        yield Door(router, partial(mock_session, router))
    else:
        async with AsyncExitStack() as stack:
            yield Door(router, partial(through, Upstreams(router, stack)), False)
    assert not router.handler_errors


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test through every door, or through those in memory if it is marked so."""
    if "door" in metafunc.fixturenames:
        is_limited = metafunc.definition.get_closest_marker("memory_door") is not None
        metafunc.parametrize("door", IN_MEMORY if is_limited else [*IN_MEMORY, "loopback"], indirect=True)


async def endless_ticks(log: list[str]) -> AsyncIterator[str]:
    """The pieces of a stream that ends only with its client, which is noted."""
    try:
        while True:
            yield "tick\n"
            await asyncio.sleep(0)
    finally:
        log.append("client gone")


@pytest.fixture
async def door(request: pytest.FixtureRequest) -> AsyncIterator[Door]:
    async with opened(request.param) as door:
        yield door


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
    assert aiohttp.BaseConnector.connect.__code__ is CONNECT


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


@dataclass
class Way:
    """A session that a router answers, and the origin at which it does; apps are mounted there."""

    router: Router
    session: aiohttp.ClientSession
    origin: str
    end: Callable[[], Any]

    def mount(self, app: Any, prefix: str = "") -> None:
        self.router.mount(self.origin + prefix, app)


@pytest.fixture(params=["mock", "mock_session", "upstream"])
async def way(request: pytest.FixtureRequest) -> AsyncIterator[Way]:
    async with AsyncExitStack() as stack:
        if request.param == "mock":
            opened = mock()
            router = await stack.enter_async_context(opened)
            session = await stack.enter_async_context(aiohttp.ClientSession())
            way = Way(router, session, "https://api.test", lambda: opened.__aexit__(None, None, None))
        elif request.param == "mock_session":
            router = Router()
            session = await stack.enter_async_context(mock_session(router))
            way = Way(router, session, "https://api.test", session.close)
        else:
            upstream = await stack.enter_async_context(Upstream())
            session = await stack.enter_async_context(aiohttp.ClientSession())
            way = Way(upstream, session, str(upstream.url).rstrip("/"), upstream.stop)
        yield way
