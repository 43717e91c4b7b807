"""The same client code over sockets: names that lead to a real server on this machine."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver
from aiohttp.test_utils import RawTestServer

from aiotest_kit._responders.forward import RealConnector
from tests.doors.conftest import IN_MEMORY, Door, door, nothing_patched, settle

if TYPE_CHECKING:
    import ssl

    from aiohttp.abc import ResolveResult

__all__ = ["Door", "Network", "door", "nothing_patched", "settle"]

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """What is compared with real servers is what there is in memory."""
    if "door" in metafunc.fixturenames:
        metafunc.parametrize("door", IN_MEMORY, indirect=True)


class Names(AbstractResolver):
    """A resolver for which every name is one port of this machine."""

    def __init__(self, port: int) -> None:
        self.port = port

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
        return [
            {
                "hostname": host,
                "host": "127.0.0.1",
                "port": self.port,
                "family": socket.AF_INET,
                "proto": 0,
                "flags": socket.AI_NUMERICHOST,
            }
        ]

    async def close(self) -> None: ...


class Network:
    """Real servers on this machine, and sessions for which every name leads to the last one started."""

    def __init__(self) -> None:
        self.port = 0
        self.accepted = 0
        self._undo: list[Callable[[], Awaitable[None]]] = []

    async def serve(self, script: Script, context: ssl.SSLContext | None = None) -> None:
        """Start a server that runs a script for each connection; with a context, over TLS."""
        running: set[asyncio.Task[None]] = set()

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.accepted += 1
            task = asyncio.current_task()
            assert task is not None
            running.add(task)
            try:
                await script(reader, writer)
            except (OSError, EOFError, asyncio.CancelledError):
                pass
            finally:
                writer.close()
                running.discard(task)

        server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context)
        self.port = server.sockets[0].getsockname()[1]

        async def stop() -> None:
            server.close()
            for task in list(running):
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

        self._undo.append(stop)

    async def serve_web(self, handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]) -> None:
        """Start an aiohttp server."""

        async def accept(request: web.BaseRequest) -> web.StreamResponse:
            return await handler(request)

        server = RawTestServer(accept)
        await server.start_server()
        assert server.port is not None
        self.port = server.port
        self._undo.append(server.close)

    def open_session(self, connector: dict[str, Any] | None = None, **options: Any) -> aiohttp.ClientSession:
        """A session for which every name leads to the server, also while a mock is open.

        `connector` has settings for its connector.
        """
        real = RealConnector(resolver=Names(self.port), **(connector or {}))
        return aiohttp.ClientSession(connector=real, **options)

    def connector(self, **settings: Any) -> aiohttp.TCPConnector:
        """A connector like any user's, for which every name leads to the server."""
        return aiohttp.TCPConnector(resolver=Names(self.port), **settings)

    async def close(self) -> None:
        for undo in reversed(self._undo):
            await undo()


@pytest.fixture
async def network() -> AsyncIterator[Network]:
    network = Network()
    yield network
    await network.close()
