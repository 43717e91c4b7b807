"""Websockets that a route speaks: connections and what went over them, scripts, handlers.

The frames are aiohttp's own, those of `web.WebSocketResponse`. Knows exchanges and what is expected of a
value. Knows nothing of routes, matching or how the connection was made.
"""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypedDict, TypeVar

from aiohttp import WSMessage, WSMsgType, web

from ._answers import Early
from ._errors import UsageError, one_line
from ._expected import MISSING, Exact, Mismatch, Subset, check_expected, compare
from ._explain import explain_mismatches
from ._replies import checked_delay
from ._waiting import Waiters

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

    from ._answers import Exchange
    from ._messages import Request

__all__ = [
    "Conversation",
    "ScriptStep",
    "WebSocketConnection",
    "WebSocketMessage",
    "WebSocketOptions",
    "abort",
    "close",
    "expect",
    "expect_close",
    "expect_json",
    "handled",
    "live",
    "pause",
    "ping",
    "scripted",
    "send",
    "send_bytes",
    "send_json",
]

T = TypeVar("T")
PATIENCE = 1.0
POLICY_VIOLATION = 1008
INTERNAL_ERROR = 1011
"""Close codes (RFC 6455, 7.4.1)."""
LONGEST_REASON = 123
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
        self.progress: Progress | None = None
        self._ws = ws
        self._loop = asyncio.get_running_loop()
        self._came: list[WSMessage] = []
        self._read = 0
        self._waiters = Waiters()
        self._is_read = False

    def __repr__(self) -> str:
        state = f"closed with {self.close_code}" if self.closed else "open"
        return f"<WebSocketConnection {self.request.url} {state}, {len(self.messages)} messages>"

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
        return json.loads(await self.receive_str(timeout))

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
            message = await self._ws.receive()
            self._came.append(message)
            self._waiters.notify()
            if message.type in THE_END:
                return

    async def _there(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """What a coroutine returns on the loop of the connection."""
        if asyncio.get_running_loop() is self._loop:
            return await coroutine
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, self._loop))


# ---- what a route does with a websocket ----

Talk = Callable[[WebSocketConnection], Awaitable[None]]


class Conversation(Early):
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
            await exchange.hand_over(web.Server(serve))
            await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, exchange: Exchange, request: web.BaseRequest) -> web.StreamResponse:
        transport = request.transport
        assert transport is not None
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


# ---- scripts ----


class ScriptFailed(AssertionError):
    """The client did not keep to a script."""


@dataclass(frozen=True, repr=False)
class ScriptStep:
    """One step of a script; made by `expect`, `send`, `pause`, `close` and their like.

    `expects` says that it is the client's turn.
    """

    text: str
    act: Callable[[WebSocketConnection], Awaitable[None]]
    expects: bool = False

    def __repr__(self) -> str:
        return self.text


class Progress:
    """How far a connection has come in its script."""

    def __init__(self, title: str, steps: tuple[ScriptStep, ...]) -> None:
        self.title = title
        self.steps = steps
        self.done = 0
        self.failed = False

    @property
    def position(self) -> str:
        """The step that is being taken."""
        return f"step {self.done + 1} of {len(self.steps)}: {self.steps[self.done]!r}"

    @property
    def report(self) -> str | None:
        """That the client still owes something, if it does."""
        if self.failed or not any(step.expects for step in self.steps[self.done :]):
            return None
        return f"the script of {self.title} was not finished\n  {self.position}"


def scripted(title: Callable[[], str], steps: tuple[ScriptStep, ...]) -> Talk:
    """What is said is a script; after its last step the connection stays open until the client closes it."""

    async def talk(connection: WebSocketConnection) -> None:
        progress = connection.progress = Progress(title(), steps)
        connection.reads()
        reading = asyncio.ensure_future(connection.read_all())
        try:
            for step in steps:
                await step.act(connection)
                progress.done += 1
            await reading
        except Unexpected as exc:
            progress.failed = True
            shown = explain_mismatches(exc.mismatches, "       ")
            raise ScriptFailed(
                f"the client did not keep to the script of {progress.title}\n  {progress.position}\n{shown}"
            ) from None
        finally:
            reading.cancel()

    return talk


class Unexpected(Exception):
    """A step found something else than it expected."""

    def __init__(self, mismatches: list[Mismatch]) -> None:
        super().__init__()
        self.mismatches = mismatches


def expect(expected: object) -> ScriptStep:
    """A step that waits for a message of the client: text, bytes, or what matches it.

    A mapping or list is compared with the message as JSON, path by path; `Exact` and `Subset` too. Others
    may be a compiled regex, a predicate, or any object with an `==` of its own.
    """
    check_expected("expect", expected)
    as_json = isinstance(expected, (dict, list, tuple, Exact, Subset))
    return ScriptStep(f"expect({one_line(expected, 60)})", expectation(expected, as_json), expects=True)


def expect_json(expected: object) -> ScriptStep:
    """A step that waits for a message of the client that is this value as JSON, whatever its type."""
    check_expected("expect_json", expected)
    return ScriptStep(f"expect_json({one_line(expected, 60)})", expectation(expected, True), expects=True)


def expect_close(code: object = None) -> ScriptStep:
    """A step that waits until the client closes the websocket, with this code if one is given."""

    async def act(connection: WebSocketConnection) -> None:
        message = await connection.receive(None)
        if message.type not in THE_END:
            raise Unexpected([Mismatch("message", "", "a close", message.data)])
        if code is not None:
            check_mismatches(compare("close", "code", code, connection.close_code, exact=True))

    shown = "" if code is None else one_line(code, 60)
    return ScriptStep(f"expect_close({shown})", act, expects=True)


def expectation(expected: object, as_json: bool) -> Callable[[WebSocketConnection], Awaitable[None]]:
    """What waits for a message and compares it."""

    async def act(connection: WebSocketConnection) -> None:
        message = await connection.receive(None)
        if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
            if message.type is not WSMsgType.CLOSE:
                # A connection that is lost says nothing; the script is unfinished.
                raise ConnectionResetError
            raise Unexpected([Mismatch("message", "", expected, Said(said(message)))])
        if not as_json:
            check_mismatches(compare("message", "", expected, message.data, exact=True))
            return
        actual = parsed(message.data)
        if actual is MISSING:
            raise Unexpected([Mismatch("json", "$", expected, message.data)])
        check_mismatches(compare("json", "$", expected, actual, exact=True))

    return act


def send(data: str | bytes) -> ScriptStep:
    """A step that sends a message: text as text, bytes as binary."""
    if isinstance(data, (bytes, bytearray, memoryview)):
        return send_bytes(bytes(data))
    if not isinstance(data, str):
        raise UsageError(f"send() takes text or bytes; got {one_line(data)} (send_json encodes objects)")
    return ScriptStep(f"send({one_line(data, 60)})", lambda connection: connection.send_str(data))


def send_bytes(data: bytes) -> ScriptStep:
    """A step that sends a binary message."""
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise UsageError(f"send_bytes() takes bytes; got {one_line(data)}")
    whole = bytes(data)
    return ScriptStep(f"send_bytes({one_line(whole, 60)})", lambda connection: connection.send_bytes(whole))


def send_json(data: object) -> ScriptStep:
    """A step that sends a value as JSON, in a text message.

    Raises:
        UsageError: it cannot be encoded.
    """
    try:
        text = json.dumps(data)
    except (TypeError, ValueError) as exc:
        raise UsageError(f"send_json() cannot encode {one_line(data)}: {exc}") from exc
    return ScriptStep(f"send_json({one_line(data, 60)})", lambda connection: connection.send_str(text))


def ping(data: bytes = b"") -> ScriptStep:
    """A step that sends a ping."""
    return ScriptStep(f"ping({data!r})" if data else "ping()", lambda connection: connection.ping(data))


def pause(seconds: float) -> ScriptStep:
    """A step that lets time pass, in seconds of the loop's clock."""
    delay = checked_delay(seconds)

    async def act(connection: WebSocketConnection) -> None:
        await asyncio.sleep(delay)

    return ScriptStep(f"pause({seconds!r})", act)


def close(code: int = 1000, message: str | bytes = b"") -> ScriptStep:
    """A step that closes the websocket with a code (RFC 6455, 7.4), and waits for the client to do so too.

    Raises:
        UsageError: the code cannot be sent; `route.raw(...)` can send anything.
    """
    if not 1000 <= code <= 4999 or code in (1004, 1005, 1006, 1015):
        raise UsageError(
            f"close({code!r}): a code is one of 1000 to 4999 and not reserved (RFC 6455, 7.4); "
            "route.raw(...) can send anything"
        )
    reason = message.encode() if isinstance(message, str) else message
    if len(reason) > LONGEST_REASON:
        raise UsageError(f"close(): a reason is at most {LONGEST_REASON} bytes; got {one_line(message)}")
    return ScriptStep(f"close({code})", lambda connection: connection.close(code, reason))


def abort() -> ScriptStep:
    """A step that cuts the connection without a close frame, as a network does that fails."""

    async def act(connection: WebSocketConnection) -> None:
        connection.abort()

    return ScriptStep("abort()", act)


class Said(str):
    """Words that a report shows without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def said(message: WSMessage) -> str:
    """What a message is, in words."""
    if message.type is WSMsgType.CLOSE:
        return f"the client closed with code {message.data}"
    if message.type in THE_END:
        return "the connection was lost"
    return f"a {message.type.name} message {one_line(message.data, 60)} came"


def parsed(data: str | bytes) -> object:
    """A message parsed as JSON; `MISSING` if it is none."""
    try:
        value: object = json.loads(data)
    except ValueError:
        return MISSING
    return value


def check_mismatches(mismatches: Iterator[Mismatch]) -> None:
    """Complain if there are any."""
    found = list(mismatches)
    if found:
        raise Unexpected(found)
