"""What of aiohttp's server is not documented, and nothing else; `_aiohttp.client` has the same for its client.

One function or class for each seam. Each was checked on aiohttp 3.10.11, 3.11.18, 3.12.15, 3.13.5 and
3.14.5, and `tests/unit/test_aiohttp_web_seams.py` fails with "aiohttp moved ..." where a later one differs.
Knows applications, runners and the server's protocol. Knows nothing of stubs or of what is recorded.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast

import aiohttp
from aiohttp import StreamReader, http, web
from aiohttp.log import server_logger
from aiohttp.test_utils import BaseTestServer, TestClient
from multidict import CIMultiDictProxy

from .client import connect_through
from .._transport.memory import MemoryTransport

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator

    from aiohttp.abc import AbstractStreamWriter
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.client_reqrep import ClientRequest
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace
    from multidict import CIMultiDict
    from yarl import URL

    # Generic since 3.11.
    TestClientOfApp: TypeAlias = TestClient[web.Request, web.Application]
    # Generic since Python 3.11.
    LoggerAdapterOfAny: TypeAlias = logging.LoggerAdapter[logging.Logger]
else:
    TestClientOfApp = TestClient
    LoggerAdapterOfAny = logging.LoggerAdapter

__all__ = [
    "AppClient",
    "AppConnector",
    "AppServer",
    "Doorway",
    "Exchanged",
    "PortlessServer",
    "RecordingWriter",
    "Resolve",
    "Run",
    "SharedRunner",
    "apps_of",
    "installed_resolve",
    "leave_as_before",
    "read_again",
    "replace_resolve",
    "runs",
    "set_match_info",
    "state_of",
]

Resolve: TypeAlias = "Callable[[web.Request], Awaitable[web.UrlMappingMatchInfo]]"


class Exchanged(Protocol):
    """What is told of the reply that goes out on a writer."""

    def head_sent(self, status_line: str, headers: CIMultiDict[str]) -> None:
        """The head, `HTTP/1.1 200 OK` and the fields as they are sent; they may change later."""
        ...

    def body_sent(self, data: bytes | bytearray | memoryview) -> None:
        """A piece of the body, before it is compressed or chunked; it may change later."""
        ...

    def end_sent(self, data: bytes) -> None:
        """The last piece of the body."""
        ...


class RecordingWriter(http.StreamWriter):
    """A writer as `RequestHandler.start` makes it for each request, which tells what goes through it.

    `exchanged` is told, once there is one.
    """

    exchanged: Exchanged | None = None

    # They give the coroutines on: one of their own would cost every reply something. Their type is Any, as
    # checkers do not agree on that of a coroutine.

    def write_headers(self, status_line: str, headers: CIMultiDict[str]) -> Any:
        """Send the head."""
        if self.exchanged is not None:
            self.exchanged.head_sent(status_line, headers)
        return super().write_headers(status_line, headers)

    def write(self, chunk: Any, **options: Any) -> Any:
        """Send a piece of the body."""
        if self.exchanged is not None:
            self.exchanged.body_sent(chunk)
        return super().write(chunk, **options)

    def write_eof(self, chunk: bytes = b"") -> Any:
        """Send the last piece of the body."""
        if self.exchanged is not None:
            self.exchanged.end_sent(chunk)
            # It holds the request, which holds this: do not leave a cycle for the garbage collector.
            self.exchanged = None
        return super().write_eof(chunk)


class Doorway(Protocol):
    """What stands between a connection and aiohttp's protocol for it; itself a protocol of asyncio."""

    behind: asyncio.Protocol
    """aiohttp's protocol."""

    async def answer(self, request: Any) -> web.StreamResponse:
        """Answer a request, in the place of the app."""
        ...

    def make_request(
        self, message: Any, payload: Any, protocol: Any, writer: AbstractStreamWriter, task: Any
    ) -> web.BaseRequest:
        """The request that `answer` is given next."""
        ...

    def unhandled(self, exc: BaseException) -> None:
        """Take note of what aiohttp only logs."""
        ...


class Log(LoggerAdapterOfAny):
    """The log of a connection, into which aiohttp writes what goes wrong; `unhandled` hears of exceptions."""

    def __init__(self, logger: Any, unhandled: Callable[[BaseException], None]) -> None:
        super().__init__(logger, {})
        self._unhandled = unhandled

    def exception(self, msg: object, *args: object, exc_info: Any = True, **options: Any) -> None:
        """Write, and tell."""
        if isinstance(exc_info, BaseException):
            self._unhandled(exc_info)
        super().exception(msg, *args, exc_info=exc_info, **options)


OpenDoorway: TypeAlias = "Callable[[Callable[..., Any], Callable[..., Any]], Doorway]"
"""A doorway from how an app answers a request, and how it makes one."""


class AppServer(web.Server):
    """The server of an app, with a doorway before each of its connections."""

    def __init__(self, app_server: web.Server, doorway: OpenDoorway) -> None:
        super().__init__(
            app_server.request_handler,
            request_factory=app_server.request_factory,
            handler_cancellation=app_server.handler_cancellation,
            loop=app_server._loop,
            **app_server._kwargs,
        )
        self._logger = app_server._kwargs.get("logger", server_logger)
        self._app_server = app_server
        self._doorway = doorway

    def __call__(self) -> Any:
        """A doorway for a new connection."""
        doorway = self._doorway(self._app_server.request_handler, self._app_server.request_factory)
        # The protocol takes these from its server when it is made.
        self.request_handler = doorway.answer
        self.request_factory = doorway.make_request
        self._kwargs["logger"] = Log(self._logger, doorway.unhandled)
        doorway.behind = super().__call__()
        return doorway

    def connection_lost(self, handler: Any, exc: BaseException | None = None) -> None:
        """Forget a connection."""
        if handler._waiter is None:
            super().connection_lost(handler, exc)
        else:
            # Nothing is being answered on it, so that nobody has to wait for its end.
            self._connections.pop(handler, None)


class Run(Protocol):
    """One run of an app, from its startup to its cleanup, that several servers share."""

    is_started: bool
    """Whether the app has been started."""
    is_over: bool
    """Whether no server needs the app any more."""

    def started(self) -> None:
        """The app is up."""
        ...


class SharedRunner(web.AppRunner):
    """A runner that starts the app unless it runs already, and cleans up unless it is still needed."""

    def __init__(self, app: web.Application, run: Run, doorway: OpenDoorway, **options: Any) -> None:
        super().__init__(app, **options)
        self._run = run
        self._doorway = doorway

    async def _make_server(self) -> web.Server:
        if self._run.is_started:
            server = self.app._make_handler(loop=asyncio.get_running_loop(), **self._kwargs)
        else:
            server = await super()._make_server()
            self._run.started()
        made = AppServer(server, self._doorway)
        # It may hold who holds this.
        del self._doorway
        return made

    async def shutdown(self) -> None:
        """Run the app's `on_shutdown`."""
        if self._run.is_over:
            await super().shutdown()

    async def _cleanup_server(self) -> None:
        if self._run.is_over:
            await super()._cleanup_server()


def state_of(app: web.Application) -> dict[Any, Any]:
    """What `app[key]` is kept in. Unlike the app it takes values while the app runs."""
    return app._state


OF_A_RUN = ("_loop", "_frozen", "_debug")
"""Attributes of an application that its start sets."""


def apps_of(app: web.Application) -> Iterator[web.Application]:
    """An app, and all its sub-apps."""
    yield app
    for sub_app in app._subapps:
        yield from apps_of(sub_app)


def runs(app: web.Application) -> bool:
    """Whether an app was started on a loop that is still there, and perhaps runs."""
    return app._loop is not None and not app._loop.is_closed()


def leave_as_before(apps: Iterable[web.Application]) -> Callable[[], None]:
    """Make apps ready to start, on another loop than before too; returns what puts them back as they are.

    What cannot be taken back, because aiohttp's lists cannot be thawed, starts a second time as it is.
    """
    before = [
        (app, {name: getattr(app, name) for name in OF_A_RUN}, dict(app._state), list(exits_of(app)))
        for app in apps
    ]

    def put_back() -> None:
        for app, attributes, state, exits in before:
            vars(app).update(attributes)
            app._state.clear()
            app._state.update(state)
            exits_of(app)[:] = exits

    for app, _, _, _ in before:
        vars(app).update(_loop=None, _frozen=False)
        exits_of(app).clear()
    return put_back


def exits_of(app: web.Application) -> list[Any]:
    """What is left to do of the app's cleanup contexts."""
    return app.cleanup_ctx._exits


def installed_resolve(app: web.Application) -> object:
    """What resolves the requests of an app in the place of its router, None if nothing does."""
    return vars(app.router).get("resolve")


def replace_resolve(app: web.Application, function: Resolve | None) -> Resolve:
    """Install what resolves the requests of an app, None for its router's own; returns what did before."""
    before = app.router.resolve
    if function is None:
        vars(app.router).pop("resolve", None)
    else:
        vars(app.router)["resolve"] = function
    return cast("Resolve", before)


def set_match_info(request: web.Request, match_info: web.UrlMappingMatchInfo) -> None:
    """Say how a request was resolved, as `Application._handle` does."""
    request._match_info = match_info


def read_again(request: web.Request, data: bytes) -> None:
    """Let the body of a request, which was read from its `content`, be read once more."""
    # The limit is what may wait before the connection is paused; this does not come from there.
    content = StreamReader(request.protocol, len(data) + 1, loop=asyncio.get_running_loop())
    content.feed_data(data)
    content.feed_eof()
    request._payload = content
    request._cache.pop("content", None)


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


class Unserved(web.RequestHandler):
    """aiohttp's protocol of a connection on which nothing comes in, and what goes out is kept."""

    def __init__(self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport) -> None:
        async def never(request: web.BaseRequest) -> web.StreamResponse:
            raise NotImplementedError

        super().__init__(web.Server(never, loop=loop), loop=loop)
        self.transport = transport


def request_alone(
    app: web.Application,
    transport: asyncio.Transport,
    loop: asyncio.AbstractEventLoop,
    method: str,
    url: URL,
    headers: CIMultiDict[str],
    body: bytes,
) -> web.Request:
    """A request to `app` as `RequestHandler` makes it, that came in alone. `url` is the path and query."""
    raw = tuple((name.encode(), value.encode()) for name, value in headers.items())
    message = http.RawRequestMessage(
        method, str(url), http.HttpVersion11, CIMultiDictProxy(headers), raw, False, None, False, False, url
    )
    protocol = Unserved(loop, transport)
    content = StreamReader(protocol, len(body) + 1, loop=loop)
    if body:
        content.feed_data(body)
    content.feed_eof()
    writer = http.StreamWriter(protocol, loop)
    task: Any = asyncio.current_task() if loop.is_running() else None
    return web.Request(message, content, protocol, writer, task, loop, client_max_size=app._client_max_size)
