"""What of aiohttp's server is not documented, and nothing else.

One function or class for each seam. Each was checked on aiohttp 3.10.11, 3.11.18, 3.12.15, 3.13.5 and
3.14.5, and `tests/unit/aiohttp` fails with "aiohttp moved ..." where a later one differs. Knows applications,
runners and the server's protocol. Knows nothing of stubs or of what is recorded.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from aiohttp import StreamReader, http, web
from aiohttp.log import server_logger
from multidict import CIMultiDictProxy

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp.abc import AbstractStreamWriter
    from multidict import CIMultiDict
    from yarl import URL

    # Generic since Python 3.11.
    LoggerAdapterOfAny: TypeAlias = logging.LoggerAdapter[logging.Logger]
else:
    LoggerAdapterOfAny = logging.LoggerAdapter

__all__ = [
    "AppServer",
    "ConnectionFront",
    "RecordingWriter",
    "ReplyObserver",
    "Run",
    "SharedRunner",
    "coding_of",
    "watch_handlers",
]


class ReplyObserver(Protocol):
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

    `observer` is told, once there is one.
    """

    observer: ReplyObserver | None = None

    # They give the coroutines on: one of their own would cost every reply something. Their type is Any, as
    # checkers do not agree on that of a coroutine.

    def write_headers(self, status_line: str, headers: CIMultiDict[str]) -> Any:
        """Send the head."""
        if self.observer is not None:
            self.observer.head_sent(status_line, headers)
        return super().write_headers(status_line, headers)

    def write(self, chunk: Any, **options: Any) -> Any:
        """Send a piece of the body."""
        if self.observer is not None:
            self.observer.body_sent(chunk)
        return super().write(chunk, **options)

    def write_eof(self, chunk: bytes = b"") -> Any:
        """Send the last piece of the body."""
        if self.observer is not None:
            self.observer.end_sent(chunk)
            # It holds the request, which holds this: do not leave a cycle for the garbage collector.
            self.observer = None
        return super().write_eof(chunk)


class ConnectionFront(Protocol):
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


OpenConnectionFront: TypeAlias = "Callable[[Callable[..., Any], Callable[..., Any]], ConnectionFront]"
"""A front from how an app answers a request, and how it makes one."""


class AppServer(web.Server):
    """The server of an app, with a front before each of its connections."""

    def __init__(self, app_server: web.Server, front: OpenConnectionFront) -> None:
        super().__init__(
            app_server.request_handler,
            request_factory=app_server.request_factory,
            handler_cancellation=app_server.handler_cancellation,
            loop=app_server._loop,
            **app_server._kwargs,
        )
        self._logger = app_server._kwargs.get("logger", server_logger)
        self._app_server = app_server
        self._doorway = front

    def __call__(self) -> Any:
        """A front for a new connection."""
        front = self._doorway(self._app_server.request_handler, self._app_server.request_factory)
        # The protocol takes these from its server when it is made.
        self.request_handler = front.answer
        self.request_factory = front.make_request
        self._kwargs["logger"] = Log(self._logger, front.unhandled)
        front.behind = super().__call__()
        return front

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

    def __init__(self, app: web.Application, run: Run, front: OpenConnectionFront, **options: Any) -> None:
        super().__init__(app, **options)
        self._run = run
        self._doorway = front

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
    upgrades = "upgrade" in headers.get("Connection", "").lower()
    message = http.RawRequestMessage(
        method,
        str(url),
        http.HttpVersion11,
        CIMultiDictProxy(headers),
        raw,
        False,
        None,
        upgrades,
        False,
        url,
    )
    protocol = Unserved(loop, transport)
    content = StreamReader(protocol, len(body) + 1, loop=loop)
    if body:
        content.feed_data(body)
    content.feed_eof()
    writer = http.StreamWriter(protocol, loop)
    task: Any = asyncio.current_task() if loop.is_running() else None
    return web.Request(message, content, protocol, writer, task, loop, client_max_size=app._client_max_size)


def watch_handlers(server: web.Server, wrap: Callable[[Any], Any]) -> None:
    """Put something around what answers the requests of a server that has no connections yet."""
    server.request_handler = wrap(server.request_handler)


def coding_of(response: web.Response, accepted: str) -> str | None:
    """The content coding that aiohttp would send a response in, None for as it is.

    `accepted` is the client's `Accept-Encoding`.
    """
    if not response.compression:
        return None
    forced = response._compression_force
    offered = [coding for coding in web.ContentCoding if coding.value in accepted.lower()]
    coding = forced or (offered[0] if offered else web.ContentCoding.identity)
    return None if coding is web.ContentCoding.identity else coding.value
