"""What is said on a websocket step by step: the steps, and how far a client has followed them.

Knows the connection of a websocket, and what is expected of a value. Knows nothing of routes.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from aiohttp import WSMsgType

from .._http.json_text import load_json
from .._http.reply import checked_delay
from .._matching.values import MISSING, Exact, Mismatch, Subset, check_expected, compare
from .._messages.exceptions import UsageError
from .._messages.masking import without_secrets
from .._messages.wording import one_line
from .._reports.text import explain_mismatches
from .connection import LONGEST_REASON, THE_END, said

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from .connection import WebSocketConnection

__all__ = [
    "Progress",
    "ScriptFailed",
    "ScriptStep",
    "Talk",
    "abort",
    "close",
    "expect",
    "expect_close",
    "expect_json",
    "pause",
    "ping",
    "scripted",
    "send",
    "send_bytes",
    "send_json",
]

Talk: TypeAlias = "Callable[[WebSocketConnection], Awaitable[None]]"
"""What is said on a connection, until it returns."""


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


def scripted(
    title: Callable[[], str], steps: tuple[ScriptStep, ...], begun: Callable[[Progress], None]
) -> Talk:
    """What is said is a script; after its last step the connection stays open until the client closes it.

    `begun` is told of each connection's progress in it.
    """

    async def talk(connection: WebSocketConnection) -> None:
        progress = Progress(without_secrets(title()), steps)
        begun(progress)
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
    as_json = isinstance(expected, (dict, list, tuple, Exact, Subset))
    check_expected("expect_json" if as_json else "expect", expected)
    if expected is None or isinstance(expected, (bool, int, float)):
        raise UsageError(
            f"expect({expected!r}): a message is text or bytes; for one that is this value as JSON write "
            f"expect_json({expected!r})"
        )
    return ScriptStep(f"expect({one_line(expected, 60)})", expectation(expected, as_json), expects=True)


def expect_json(expected: object) -> ScriptStep:
    """A step that waits for a message of the client that is this value as JSON, whatever its type."""
    check_expected("expect_json", expected)
    return ScriptStep(f"expect_json({one_line(expected, 60)})", expectation(expected, True), expects=True)


def expect_close(code: object = None) -> ScriptStep:
    """A step that waits until the client closes the websocket, with this code if one is given.

    Raises:
        UsageError: there is no such code.
    """
    check_expected("expect_close", code)
    if isinstance(code, (str, bytes, float, bool)) or (isinstance(code, int) and not 1000 <= code <= 4999):
        raise UsageError(f"expect_close({code!r}): a code is one of 1000 to 4999 (RFC 6455, 7.4)")

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
    except (TypeError, ValueError, RecursionError) as exc:
        raise UsageError(f"send_json() cannot encode {one_line(data)}: {exc}") from exc
    return ScriptStep(f"send_json({one_line(data, 60)})", lambda connection: connection.send_str(text))


def ping(data: str | bytes = b"") -> ScriptStep:
    """A step that sends a ping."""
    sent = checked_bytes("ping", data)
    return ScriptStep(f"ping({data!r})" if data else "ping()", lambda connection: connection.ping(sent))


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
    given: object = code
    if not (isinstance(given, int) and 1000 <= code <= 4999) or code in (1004, 1005, 1006, 1015):
        raise UsageError(
            f"close({code!r}): a code is one of 1000 to 4999 and not reserved (RFC 6455, 7.4); "
            "route.raw(...) can send anything"
        )
    reason = checked_bytes("close", message)
    if len(reason) > LONGEST_REASON:
        raise UsageError(f"close(): a reason is at most {LONGEST_REASON} bytes; got {one_line(message)}")
    return ScriptStep(f"close({code})", lambda connection: connection.close(code, reason))


def abort() -> ScriptStep:
    """A step that cuts the connection without a close frame, as a network does that fails."""

    async def act(connection: WebSocketConnection) -> None:
        connection.abort()

    return ScriptStep("abort()", act)


def checked_bytes(step: str, data: object) -> bytes:
    """The bytes of a control frame.

    Raises:
        UsageError: they are neither bytes nor text.
    """
    if isinstance(data, str):
        return data.encode()
    if isinstance(data, bytes):
        return data
    raise UsageError(f"{step}() takes bytes or text; got {one_line(data)}")


class Said(str):
    """Words that a report shows without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def parsed(data: str | bytes) -> object:
    """A message parsed as JSON; `MISSING` if it is none."""
    try:
        value: object = load_json(data)
    except ValueError:
        return MISSING
    return value


def check_mismatches(mismatches: Iterator[Mismatch]) -> None:
    """Complain if there are any."""
    found = list(mismatches)
    if found:
        raise Unexpected(found)
