"""What answers as a server does: aiohttp's `web.Application`, ASGI apps, a handler of aiohttp's server.

An app is started when its first request comes. Knows exchanges and aiohttp's public server. Knows nothing of
routes, and of ASGI only that there is a module for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from aiohttp import hdrs, web

from .._aiohttp.app_state import apps_of, leave_as_before, runs
from .._aiohttp.server import watch_handlers
from .._functions import check_arguments, check_async
from .._http.reply import Reply
from .._messages.exceptions import UsageError
from .._messages.wording import one_line
from .exchange import NOTE_FAILURE, HeadResponder
from .web_response import no_response

if TYPE_CHECKING:
    from .._asyncio.lifespan import Lifespan
    from .exchange import Exchange, ServerHandler

__all__ = ["Served", "WebApp", "checked_handler", "served"]

GRACE = 1.0
"""Seconds in which aiohttp's server has to end, after its handlers were cancelled."""

H = TypeVar("H")
Handle = Callable[[Any], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class WebApp(HeadResponder):
    """An aiohttp application, served by aiohttp's own server; `depth` segments of the path lead to it."""

    life: Lifespan[web.Server]
    depth: int

    async def play(self, exchange: Exchange) -> None:
        """Have the request answered by the app."""
        server = await self.life.entered(exchange.note_failure)
        await exchange.delegate(server, below(exchange.request.target, self.depth))


def below(target: str, depth: int) -> str:
    """The target of a request as an app sees it that is mounted `depth` segments deep."""
    path, mark, query = target.partition("?")
    return "/" + "/".join(path.split("/")[depth + 1 :]) + mark + query


@asynccontextmanager
async def served(app: web.Application) -> AsyncIterator[web.Server]:
    """aiohttp's server for an app that is started, until the block ends.

    The app is then as it was before, ready for another loop, unless it runs in some other way, too.
    """
    put_back = None if runs(app) else leave_as_before(apps_of(app))
    runner = web.AppRunner(app, shutdown_timeout=GRACE)
    running: set[asyncio.Task[Any]] = set()
    try:
        await runner.setup()
        server = runner.server
        assert server is not None
        watch_handlers(server, lambda handle: counted(noted(handle), running))
        yield server
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        try:
            await runner.cleanup()
        finally:
            if put_back is not None:
                put_back()


def unheard(exc: BaseException) -> None:
    """Keep nothing: the client had gone before the handler began."""


def noted(handle: Handle) -> Handle:
    """What answers a request, its errors kept for the test."""

    async def note(request: Any) -> web.StreamResponse:
        keep = request.get_extra_info(NOTE_FAILURE, unheard)
        try:
            response = await handle(request)
        except (web.HTTPException, asyncio.TimeoutError):
            # aiohttp makes a response of them.
            raise
        except Exception as exc:
            keep(exc)
            raise
        error = no_response(response)
        if error is not None:
            keep(error)
        return response

    return note


def counted(handle: Handle, running: set[asyncio.Task[Any]]) -> Handle:
    """What answers a request, its task among those that run while it does."""

    async def count(request: Any) -> web.StreamResponse:
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        try:
            return await handle(request)
        finally:
            running.discard(task)

    return count


def checked_handler(handler: H) -> H:
    """The handler, if it is one.

    Raises:
        UsageError: it cannot be called with a request, or is not async.
    """
    if isinstance(handler, web.Application):
        raise UsageError(
            "serve() takes a handler; a whole app is mounted: router.mount('https://api.test', app)"
        )
    if not callable(handler):
        raise UsageError(
            "serve() takes a handler, async def handler(request) -> web.StreamResponse; "
            f"got {one_line(handler)}"
        )
    check_async(
        handler, "handler", "serve() takes async def handler(request); reply(handler) takes any function"
    )
    check_arguments(handler, "handler", "the request")
    return handler


class Served(HeadResponder):
    """A handler of aiohttp's own server; there is no app, and nothing to start.

    Each loop has a server, which all of its requests find.
    """

    def __init__(self, handler: ServerHandler) -> None:
        self._handler = checked_handler(handler)
        self._servers: dict[asyncio.AbstractEventLoop, web.Server] = {}

    async def play(self, exchange: Exchange) -> None:
        """Have the request answered by the handler, which ends with the connection.

        The client is told to send the body, or that nothing else can be expected, as an `Application` would.
        """
        expected = exchange.request.headers.get(hdrs.EXPECT, "")
        if exchange.request.version == "1.1" and expected and expected.lower() != "100-continue":
            # What the client sent may be no text, and is shown escaped.
            text = f"Unknown Expect: {expected}".encode("utf-8", "backslashreplace")
            await exchange.send(Reply(417, body=text, content_type="text/plain; charset=utf-8"))
            return
        exchange.ask_for_body()
        loop = asyncio.get_running_loop()
        server = self._servers.get(loop)
        if server is None:
            server = self._servers[loop] = web.Server(noted(self._handler), handler_cancellation=True)
        await exchange.delegate(server)
