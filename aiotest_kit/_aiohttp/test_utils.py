"""What aiohttp's test utilities do not document: a test server without a port, and the way to it.

See `_aiohttp.client`. Knows nothing of routes or stubs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias, cast

import aiohttp
from aiohttp import web
from aiohttp.test_utils import BaseTestServer, TestClient

from .._transport.memory import MemoryTransport
from .client import connect_through

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp.client_proto import ResponseHandler
    from aiohttp.client_reqrep import ClientRequest
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace
    from yarl import URL

    # Generic since 3.11.
    TestClientOfApp: TypeAlias = TestClient[web.Request, web.Application]
else:
    TestClientOfApp = TestClient

__all__ = ["AppClient", "AppConnector", "PortlessServer"]


OpenConnection: TypeAlias = "Callable[[ClientRequest, Callable[[], ResponseHandler]], ResponseHandler]"
"""Connects the protocol that its second argument makes, for a request."""


class AppConnector(aiohttp.BaseConnector):
    """A connector whose connections to an app `open_connection` makes; elsewhere it goes as any other does.

    `is_app` says of a URL whether it is the app's.
    """

    def __init__(self, open_connection: OpenConnection, is_app: Callable[[URL], bool]) -> None:
        super().__init__()
        self._open_connection = open_connection
        self._is_app = is_app
        self._elsewhere: aiohttp.TCPConnector | None = None

    async def connect(
        self, req: ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> Connection:
        """A connection for `req`."""
        if req.proxy is None and self._is_app(req.url):
            # Whatever is installed in its place now: the app is in reach of no mock.
            return await connect_through(self, req, traces, timeout)
        if self._elsewhere is None:
            self._elsewhere = aiohttp.TCPConnector()
        return await self._elsewhere.connect(req, traces, timeout)

    async def _create_connection(
        self, req: ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> ResponseHandler:
        try:
            return self._open_connection(req, self._factory)
        except OSError as exc:
            raise aiohttp.ClientConnectorError(req.connection_key, exc) from exc

    async def close(self, *args: Any, **options: Any) -> None:
        """Close the connections to everywhere."""
        for pooled in self._conns.values():
            for protocol, _ in pooled:
                transport = protocol.transport
                if isinstance(transport, MemoryTransport):
                    # Otherwise the session would wait for it, and then the server.
                    transport.end()
        await super().close(*args, **options)
        if self._elsewhere is not None:
            await self._elsewhere.close(*args, **options)


class PortlessServer(BaseTestServer):
    """A test server that may be started without a port."""

    app: web.Application
    runner: web.BaseRunner | None

    def runner_of_app(self, **options: Any) -> web.BaseRunner:
        """What runs the app. `options` are those of `AppRunner`."""
        raise NotImplementedError

    async def _make_runner(self, **options: Any) -> web.BaseRunner:
        return self.runner_of_app(**options)

    async def start_without_port(self, origin: URL, **options: Any) -> None:
        """Start to serve `origin`; what `BaseTestServer.start_server` does, but for the socket."""
        self.runner = await self._make_runner(handler_cancellation=True, **options)
        await self.runner.setup()
        self.scheme: str = origin.scheme
        self.host: str = origin.host or ""
        self.port: int | None = origin.port
        self._root = origin


class AppClient(TestClientOfApp):
    """A test client; that its server has an app, the type checker is told here."""

    def __init__(self, server: PortlessServer, **options: Any) -> None:
        super().__init__(cast("Any", server), **options)
