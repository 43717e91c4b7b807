"""One websocket, seen from the route's end: its connection, and what went over it.

The frames are aiohttp's own, those of `web.WebSocketResponse`. Knows nothing of what is to be said, of
routes, matching or how the connection was made.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypedDict, TypeVar

from aiohttp import WSMessage, WSMsgType, web

from .._asyncio.waiters import Waiters
from .._http.json_text import load_json
from .._messages.exceptions import UsageError
from .._messages.masking import without_secrets
from .._messages.wording import one_line

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from .._http.request import Request

__all__ = [
    "LONGEST_REASON",
    "THE_END",
    "RecordedWebSocket",
    "WebSocketConnection",
    "WebSocketMessage",
    "WebSocketOptions",
    "said",
]

T = TypeVar("T")
PATIENCE = 1.0
LONGEST_REASON = 123
"""Bytes that a close frame has for its reason (RFC 6455, 5.5.1)."""
THE_END = (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR)


class WebSocketOptions(TypedDict):
    """The options of `web.WebSocketResponse` that a route has."""

    protocols: tuple[str, ...]
    heartbeat: float | None
    autoping: bool
    compress: bool
    max_msg_size: int


@dataclass(frozen=True, slots=True)
class WebSocketMessage:
    """One message on a websocket, as the stub saw it.

    `direction` is `sent` for what the stub sent, `received` for what the client did. `data` is text, bytes,
    or the code of a close; `time` is in seconds of the loop's clock. The client's answer to a close is not
    a message of its own.
    """

    direction: Literal["sent", "received"]
    type: WSMsgType
    data: object
    time: float


class RecordedWebSocket(web.WebSocketResponse):
    """aiohttp's websocket; what goes over it is written down, pings, pongs and closes too."""

    def __init__(self, options: WebSocketOptions, transport: asyncio.Transport) -> None:
        # Both are done by `receive` below: inside aiohttp's own nobody could see them.
        super().__init__(
            autoping=False,
            autoclose=False,
            protocols=options["protocols"],
            heartbeat=options["heartbeat"],
            compress=options["compress"],
            max_msg_size=options["max_msg_size"],
        )
        self.messages: list[WebSocketMessage] = []
        self.answers_pings: bool = options["autoping"]
        self.transport = transport

    def note(self, direction: Literal["sent", "received"], type: WSMsgType, data: object) -> None:
        """Write a message down."""
        now = asyncio.get_running_loop().time()
        self.messages.append(WebSocketMessage(direction, type, data, now))

    async def receive(self, timeout: float | None = None) -> WSMessage:
        """The next message, as aiohttp gives it."""
        while True:
            was_closed = self.closed
            message: WSMessage = await super().receive(timeout)
            if was_closed or message.type in (WSMsgType.CLOSING, WSMsgType.CLOSED):
                return message
            self.note("received", message.type, message.data)
            if message.type is WSMsgType.CLOSE:
                await self.close(drain=False)
            elif self.answers_pings and message.type is WSMsgType.PING:
                await self.pong(message.data)
                continue
            elif self.answers_pings and message.type is WSMsgType.PONG:
                continue
            return message

    async def send_str(self, data: str, *args: Any, **options: Any) -> None:
        """Send text."""
        self.note("sent", WSMsgType.TEXT, data)
        await super().send_str(data, *args, **options)

    async def send_bytes(self, data: Any, *args: Any, **options: Any) -> None:
        """Send bytes."""
        self.note("sent", WSMsgType.BINARY, bytes(data))
        await super().send_bytes(data, *args, **options)

    async def ping(self, message: Any = b"") -> None:
        """Send a ping."""
        self.note("sent", WSMsgType.PING, message)
        await super().ping(message)

    async def pong(self, message: Any = b"") -> None:
        """Send a pong."""
        self.note("sent", WSMsgType.PONG, message)
        await super().pong(message)

    async def close(self, *, code: int = 1000, message: bytes = b"", drain: bool = True) -> bool:
        """Close it, once."""
        if not self.closed and not self.transport.is_closing():
            self.note("sent", WSMsgType.CLOSE, code)
        return await super().close(code=code, message=message, drain=drain)


class WebSocketConnection:
    """One websocket that a client opened at a route, seen and driven from the route's end.

    `messages` are those of both directions, in order. All may be used from another loop or thread than that
    which serves the connection. Where a handler has the websocket, only the handler can receive.
    """

    def __init__(self, request: Request, ws: RecordedWebSocket) -> None:
        self.request = request
        self._ws = ws
        self._loop = asyncio.get_running_loop()
        self._came: list[WSMessage] = []
        self._read = 0
        self._waiters = Waiters()
        self._is_read = False

    def __repr__(self) -> str:
        state = f"closed with {self.close_code}" if self.closed else "open"
        asked = without_secrets(str(self.request.url))
        return f"<WebSocketConnection {asked} {state}, {len(self.messages)} messages>"

    @property
    def messages(self) -> list[WebSocketMessage]:
        """What went over it so far, both ways, in order."""
        return list(self._ws.messages)

    @property
    def subprotocol(self) -> str | None:
        """The protocol that was agreed on, if one was."""
        return self._ws.ws_protocol

    @property
    def closed(self) -> bool:
        """Whether it is closed, by either side."""
        return self._ws.closed

    @property
    def close_code(self) -> int | None:
        """The code of the close frame that came first, sent or received; None while it is open.

        1006 where the connection was lost without one.
        """
        for message in self._ws.messages:
            if message.type is WSMsgType.CLOSE and isinstance(message.data, int):
                return message.data
        return self._ws.close_code

    # Sending.

    async def send_str(self, data: str) -> None:
        """Send a text message."""
        await self._there(self._ws.send_str(data))

    async def send_bytes(self, data: bytes) -> None:
        """Send a binary message."""
        await self._there(self._ws.send_bytes(data))

    async def send_json(self, data: object) -> None:
        """Send a value as JSON, in a text message."""
        await self.send_str(json.dumps(data))

    async def ping(self, data: bytes = b"") -> None:
        """Send a ping."""
        await self._there(self._ws.ping(data))

    async def close(self, code: int = 1000, message: bytes = b"") -> None:
        """Close it: send a close frame, and wait for the client's."""
        await self._there(self._ws.close(code=code, message=message))

    def abort(self) -> None:
        """Cut the connection, as a network does that fails: no close frame is sent."""
        self._loop.call_soon_threadsafe(self._ws.transport.abort)

    # Receiving.

    async def receive(self, timeout: float | None = PATIENCE) -> WSMessage:
        """The next message of the client; what ends the connection is one too (`CLOSE`, `CLOSED`).

        `timeout` is in seconds of the running loop's clock; None waits for ever.

        Raises:
            AssertionError: none came in time.
            UsageError: a handler receives them.
        """
        if not self._is_read:
            raise UsageError("a handler has this websocket, and receives its messages")
        position = self._read
        if not await self._waiters.until(lambda: len(self._came) > position, timeout):
            raise AssertionError(f"no message of the client came within {timeout} s")
        message = self._came[position]
        if message.type not in THE_END:
            # The end is there for each who asks.
            self._read += 1
        return message

    async def receive_str(self, timeout: float | None = PATIENCE) -> str:
        """The next message, which is text.

        Raises:
            AssertionError: it is not, or none came in time.
        """
        data = await self._received(WSMsgType.TEXT, timeout)
        return str(data)

    async def receive_bytes(self, timeout: float | None = PATIENCE) -> bytes:
        """The next message, which is binary.

        Raises:
            AssertionError: it is not, or none came in time.
        """
        data = await self._received(WSMsgType.BINARY, timeout)
        return bytes(data)

    async def receive_json(self, timeout: float | None = PATIENCE) -> Any:
        """The next message, which is JSON in text.

        Raises:
            AssertionError: it is not text, or none came in time.
            ValueError: it is not JSON.
        """
        return load_json(await self.receive_str(timeout))

    async def _received(self, expected: WSMsgType, timeout: float | None) -> Any:
        message = await self.receive(timeout)
        if message.type is not expected:
            raise AssertionError(f"expected a {expected.name} message, {said(message)}")
        return message.data

    # For the conversation.

    def reads(self) -> None:
        """Say that messages are read for `receive`."""
        self._is_read = True

    async def read_all(self) -> None:
        """Read what comes until the end, pings and the close answered."""
        while True:
            try:
                message = await self._ws.receive()
            except ConnectionError:
                # The client has gone before the pong that it asked for.
                message = WSMessage(WSMsgType.CLOSED, None, None)
            self._came.append(message)
            self._waiters.notify()
            if message.type in THE_END:
                return

    async def _there(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """What a coroutine returns on the loop of the connection."""
        if asyncio.get_running_loop() is self._loop:
            return await coroutine
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, self._loop))


def said(message: WSMessage) -> str:
    """What a message is, in words."""
    if message.type is WSMsgType.CLOSE:
        return f"the client closed with code {message.data}"
    if message.type in THE_END:
        return "the connection was lost"
    return f"a {message.type.name} message {one_line(message.data, 60)} came"
