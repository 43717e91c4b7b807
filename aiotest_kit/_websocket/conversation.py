"""What a route does with a websocket: `Conversation`, and what may be said in one.

Knows exchanges, and the connection of a websocket. Knows nothing of routes, matching or how the connection
was made.
"""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any

from aiohttp import web

from .._responders.exchange import HeadResponder
from .connection import LONGEST_REASON, RecordedWebSocket, WebSocketConnection
from .script import ScriptFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._responders.exchange import Exchange
    from .connection import WebSocketOptions
    from .script import Talk

__all__ = ["Conversation", "handled", "live"]

POLICY_VIOLATION = 1008
INTERNAL_ERROR = 1011
"""Close codes (RFC 6455, 7.4.1)."""


class Conversation(HeadResponder):
    """An answer that accepts a websocket and speaks it.

    `connected` is told of the connection; `talk` is what is said, and the websocket is closed when it
    returns.
    """

    outlives_client = True

    def __init__(
        self, options: WebSocketOptions, connected: Callable[[WebSocketConnection], None], talk: Talk
    ) -> None:
        self._options = options
        self._connected = connected
        self._talk = talk

    async def play(self, exchange: Exchange) -> None:
        """Let aiohttp's server do the handshake, and talk until the connection has ended."""
        tasks: list[asyncio.Task[Any]] = []

        async def serve(request: web.BaseRequest) -> web.StreamResponse:
            task = asyncio.current_task()
            assert task is not None
            tasks.append(task)
            return await self._serve(exchange, request)

        try:
            await exchange.serve(serve)
            await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, exchange: Exchange, request: web.BaseRequest) -> web.StreamResponse:
        transport = request.transport
        if transport is None or transport.is_closing():
            # There is nobody to talk to; nothing of what is returned is sent.
            return web.Response()
        ws = RecordedWebSocket(self._options, transport)
        await ws.prepare(request)
        connection = WebSocketConnection(exchange.request, ws)
        try:
            self._connected(connection)
            await self._talk(connection)
        except (KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError):
            raise
        except BaseException as exc:  # pytest's outcomes are no Exceptions
            if not (isinstance(exc, ConnectionError) and (ws.closed or transport.is_closing())):
                exchange.note_failure(exc)
                await ws.close(code=close_code_for(exc), message=reason_of(exc))
        return ws


def close_code_for(exc: BaseException) -> int:
    """The code with which a conversation ends that failed."""
    return POLICY_VIOLATION if isinstance(exc, ScriptFailed) else INTERNAL_ERROR


def reason_of(exc: BaseException) -> bytes:
    """What the client is told, in a line."""
    text = str(exc).partition("\n")[0] if isinstance(exc, ScriptFailed) else type(exc).__name__
    return text.encode()[:LONGEST_REASON].decode(errors="ignore").encode()


async def live(connection: WebSocketConnection) -> None:
    """What is said is up to the test."""
    connection.reads()
    await connection.read_all()


def handled(handler: Callable[[web.WebSocketResponse], object]) -> Talk:
    """What is said is up to a function of the websocket."""

    async def talk(connection: WebSocketConnection) -> None:
        result = handler(connection._ws)
        if inspect.isawaitable(result):
            await result

    return talk
