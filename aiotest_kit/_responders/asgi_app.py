"""ASGI apps (version 3 of the specification) as answers: requests, websockets, the lifespan.

Knows exchanges, and for websockets aiohttp's. Knows nothing of routes.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import unquote

from aiohttp import WSMsgType, web

from .._asyncio.tasks import uncancel
from .._http.reply import reply_as_sent
from .exchange import WHEN_CLIENT_GOES, HeadResponder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from .._asyncio.lifespan import Lifespan
    from .._http.request import Request
    from .exchange import Exchange

__all__ = ["AsgiApp", "AsgiApplication", "asgi_life"]

Message: TypeAlias = "dict[str, Any]"
AsgiApplication: TypeAlias = "Callable[[Any, Any, Any], Awaitable[None]]"
"""A coroutine function of scope, receive and send."""

VERSIONS = {"version": "3.0", "spec_version": "2.3"}
BAD_HANDSHAKE = "this is not a websocket's handshake (RFC 6455, 4.2.1)"
ABNORMAL_CLOSURE = 1006
"""The close code where none was received (RFC 6455, 7.1.5)."""


@asynccontextmanager
async def asgi_life(app: AsgiApplication) -> AsyncIterator[Message]:
    """The lifespan of an app, if it has one; gives the state that its requests share.

    Raises:
        RuntimeError: the app says that its startup or its shutdown failed.
    """
    state: Message = {}
    asked: asyncio.Queue[Message] = asyncio.Queue()
    told: asyncio.Queue[Message] = asyncio.Queue()
    scope = {"type": "lifespan", "asgi": VERSIONS, "state": state}
    is_up = False

    async def receive() -> Message:
        nonlocal is_up
        try:
            return await asked.get()
        except asyncio.CancelledError:
            if not is_up:
                raise
            # The loop ends, and with it all its tasks: the app is to be shut down, as a server would.
            is_up = False
            uncancel()
            return await asked.get()

    running = asyncio.ensure_future(app(scope, receive, told.put))
    try:
        await lifespan_event("startup", asked, told, running)
        is_up = True
        try:
            yield state
        finally:
            await lifespan_event("shutdown", asked, told, running)
            is_up = False
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def lifespan_event(
    name: str, asked: asyncio.Queue[Message], told: asyncio.Queue[Message], running: asyncio.Future[None]
) -> None:
    """Ask the app to start or to shut down, and wait until it has."""
    if running.done():
        return
    await asked.put({"type": f"lifespan.{name}"})
    answer: asyncio.Future[Message] = asyncio.ensure_future(told.get())
    either: list[asyncio.Future[Any]] = [answer, running]
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    finally:
        answer.cancel()
    # An app that raises without a word has no lifespan, as the specification has it.
    message = answer.result() if settled(answer) else None if told.empty() else told.get_nowait()
    if message is not None and message["type"] == f"lifespan.{name}.failed":
        failure = RuntimeError(f"the {name} of the mounted app failed: {message.get('message', '')}")
        await asyncio.wait([running], timeout=0)
        raise failure from (running.exception() if settled(running) else None)


def settled(future: asyncio.Future[Any]) -> bool:
    """Whether a future is done and was not cancelled."""
    return future.done() and not future.cancelled()


@dataclass(frozen=True)
class AsgiApp(HeadResponder):
    """An ASGI app; `depth` segments of the path lead to it, which are its `root_path`."""

    app: AsgiApplication
    life: Lifespan[Message]
    depth: int

    outlives_client = True

    async def play(self, exchange: Exchange) -> None:
        """Have the request answered by the app."""
        state = await self.life.entered(exchange.note_failure)
        scope = scope_of(exchange, self.depth, dict(state))
        if is_handshake(exchange.request):
            await exchange.serve(AsgiSocket(self.app, scope, exchange).serve)
        else:
            await answered(AsgiExchange(self.app, scope, exchange), exchange)


async def answered(asgi: AsgiExchange, exchange: Exchange) -> None:
    """Return when the app has answered; what it does after that goes on, as its background tasks do."""
    running = asyncio.ensure_future(asgi.run())
    either: list[asyncio.Future[None]] = [running, asgi.over]
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        raise
    if running.done():
        running.result()
    else:
        exchange.leave(running)


def scope_of(exchange: Exchange, depth: int, state: Message) -> Message:
    """The scope of a request."""
    request = exchange.request
    raw_path, _, query = request.target.partition("?")
    peer = exchange.get_extra_info("peername")
    secure = request.origin.scheme == "https"
    return {
        "type": "http",
        "asgi": VERSIONS,
        "http_version": request.version,
        "method": request.method,
        "scheme": "https" if secure else "http",
        "path": unquote(raw_path),
        "raw_path": raw_path.encode("ascii", "surrogateescape"),
        "query_string": query.encode("ascii", "surrogateescape"),
        "root_path": unquote("/".join(raw_path.split("/")[: depth + 1]) if depth else ""),
        "headers": [(name.lower(), value) for name, value in request.raw_headers],
        "server": (request.origin.host, request.origin.port),
        "client": tuple(peer[:2]) if isinstance(peer, tuple) else None,
        "state": state,
    }


def is_handshake(request: Request) -> bool:
    """Whether a client asks for a websocket."""
    return request.method == "GET" and request.headers.get("Upgrade", "").strip().lower() == "websocket"


def is_complete(handshake: web.BaseRequest) -> bool:
    """Whether a handshake has all that RFC 6455, 4.2.1 asks of it."""
    try:
        return web.WebSocketResponse().can_prepare(handshake).ok
    except ValueError:
        # Something in it is no text.
        return False


class AsgiExchange:
    """One request that an app answers; `over` is done when the client has been sent all of the reply."""

    def __init__(self, app: AsgiApplication, scope: Message, exchange: Exchange) -> None:
        self._app = app
        self._scope = scope
        self._exchange = exchange
        self._head: Message | None = None
        self._started = False
        self._complete = False
        self._read_to_end = False
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._has_asked = False
        self._is_lost = False
        """Whether something could not be sent, since the client has gone."""

    async def run(self) -> None:
        """Call the app; it has to answer.

        Raises:
            RuntimeError: it did not.
        """
        incoming = self._exchange.incoming
        try:
            await self._app(self._scope, self.receive, self.send)
        except (KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError):
            raise
        except BaseException as exc:  # pytest's outcomes are no Exceptions
            if self._complete:
                self._exchange.note_failure(exc)
            elif not ((incoming.broken or self._is_lost) and isinstance(exc, Exception)):
                raise
            return
        if not (self._complete or incoming.broken or self._is_lost):
            raise RuntimeError("the mounted ASGI app returned without a whole response")

    async def receive(self) -> Message:
        """What comes from the client."""
        incoming = self._exchange.incoming
        if self._complete:
            return {"type": "http.disconnect"}
        if self._read_to_end or incoming.broken:
            await self._disconnected()
            return {"type": "http.disconnect"}
        if not self._has_asked and not self._started:
            self._has_asked = True
            self._exchange.ask_for_body()
        try:
            body = await incoming.read()
        except ConnectionResetError:
            return {"type": "http.disconnect"}
        self._read_to_end = incoming.ended
        return {"type": "http.request", "body": body, "more_body": not incoming.ended}

    async def _disconnected(self) -> None:
        """Wait until the client has gone, or has its whole response."""
        gone = asyncio.ensure_future(self._exchange.incoming.gone())
        try:
            await asyncio.wait([gone, self.over], return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()

    async def send(self, message: Message) -> None:
        """What the app sends; after the client has gone, nothing."""
        if message["type"] == "http.response.start":
            self._head = message
        else:
            await self._send_body(message.get("body", b""), message.get("more_body", False))

    async def _send_body(self, body: bytes, more: bool) -> None:
        exchange, head = self._exchange, self._head
        if exchange.incoming.broken or self._complete:
            return
        if head is None:
            raise RuntimeError("the mounted ASGI app sent a body before http.response.start")
        if not self._started:
            self._started = True
            reply = reply_as_sent(head["status"], None, head.get("headers", ()))
            await exchange.start(reply)
        data = bytes(body)
        try:
            await exchange.write(data)
        except Exception:
            # The app is told when it receives.
            self._is_lost = True
            return
        if not more:
            self._complete = True
            exchange.finish()
            self.over.set_result(None)


def has_gone(request: web.BaseRequest) -> bool:
    """Whether the connection of a request has ended."""
    return request.transport is None or request.transport.is_closing()


class AsgiSocket:
    """One websocket that an app speaks, over aiohttp's."""

    def __init__(self, app: AsgiApplication, scope: Message, exchange: Exchange) -> None:
        scheme = "wss" if scope["scheme"] == "https" else "ws"
        offered = exchange.request.headers.get("Sec-WebSocket-Protocol", "")
        self._app = app
        self._scope = {
            **{name: value for name, value in scope.items() if name != "method"},
            "type": "websocket",
            "scheme": scheme,
            "subprotocols": [name.strip() for name in offered.split(",") if name.strip()],
        }
        self._exchange = exchange
        self._ws: web.WebSocketResponse | None = None
        self._response: web.StreamResponse = web.Response(status=403)
        self._connected = False
        self._request: web.BaseRequest | None = None

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Call the app, unless it is no handshake that came: then a server does not ask it."""
        if not is_complete(request):
            return web.Response(status=400, text=BAD_HANDSHAKE)
        self._request = request
        try:
            await self._app(self._scope, self.receive, self.send)
        except Exception as exc:
            if not (isinstance(exc, WHEN_CLIENT_GOES) and has_gone(request)):
                self._exchange.note_failure(exc)
            if self._ws is None:
                return web.Response(status=500)
            await self._ws.close(code=1011)
        return self._response if self._ws is None else self._ws

    async def receive(self) -> Message:
        """What comes from the client."""
        if not self._connected:
            self._connected = True
            return {"type": "websocket.connect"}
        if self._ws is not None:
            message = await self._ws.receive()
            if message.type is WSMsgType.TEXT:
                return {"type": "websocket.receive", "text": message.data}
            if message.type is WSMsgType.BINARY:
                return {"type": "websocket.receive", "bytes": message.data}
            if message.type is WSMsgType.CLOSE:
                return {"type": "websocket.disconnect", "code": message.data}
        return {"type": "websocket.disconnect", "code": ABNORMAL_CLOSURE}

    async def send(self, message: Message) -> None:
        """What the app sends."""
        kind = message["type"].removeprefix("websocket.")
        if kind == "accept":
            assert self._request is not None
            if has_gone(self._request):
                # The app is told when it receives.
                return
            chosen = message.get("subprotocol")
            ws = web.WebSocketResponse(protocols=[chosen] if chosen else [])
            for name, value in message.get("headers", ()):
                ws.headers.add(name.decode("latin-1"), value.decode("latin-1"))
            await ws.prepare(self._request)
            self._ws = ws
        elif kind == "send" and self._ws is not None:
            if message.get("text") is not None:
                await self._ws.send_str(message["text"])
            else:
                await self._ws.send_bytes(message["bytes"])
        elif kind == "close" and self._ws is not None:
            reason = (message.get("reason") or "").encode()
            await self._ws.close(code=message.get("code", 1000), message=reason)
