"""`Stream`: a reply whose body is sent piece by piece, as chunks or as server-sent events.

Knows exchanges, and faults that stand among the pieces. Knows nothing of routes or of the wire.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import re
from collections.abc import AsyncIterable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from .._http.content_coding import PieceCompressor
from .._http.reply import BODY_OPTIONS, Reply, checked_delay, given_options, with_fields
from .._messages.exceptions import UsageError
from .._messages.wording import describe, one_line
from .exchange import StreamFault, is_answer

if TYPE_CHECKING:
    from .exchange import Exchange

__all__ = ["Stream", "event_stream", "stream"]

Encode: TypeAlias = "Callable[[object], bytes]"
"""Gives the bytes of a piece that is neither a pause nor a fault."""


class Stream:
    """A reply whose body is sent piece by piece.

    `pieces` are an iterable that can be read again, or a generator function, sync or async, which is
    called anew for each request (with the request, if it takes an argument). `encode` gives the bytes of a
    piece, each sent as one chunk; a number is a pause in seconds; a fault happens where it stands. `head` has
    the status and headers; with a `Content-Length` of its own the body is not chunked. `coding` is that in
    which the body is compressed, each piece so that it can be read as soon as it arrives.
    """

    def __init__(self, pieces: object, head: Reply, encode: Encode, coding: str | None = None) -> None:
        self.pieces = pieces
        self.head = head
        self.coding = coding
        self.takes_request = callable(pieces) and takes_request(pieces)
        self._encode = encode

    def __repr__(self) -> str:
        return f"Stream({one_line(self.pieces, 60)})"

    async def play(self, exchange: Exchange) -> None:
        """Send the head, then each piece as it comes."""
        pieces: Any = self.pieces
        if callable(pieces):
            pieces = pieces(exchange.request) if self.takes_request else pieces()
            check_iterable(pieces, f"{describe(self.pieces)} returned {one_line(pieces, 60)}")
        compressor = None if self.coding is None else PieceCompressor(self.coding)
        await exchange.start(self.head)
        try:
            if isinstance(pieces, AsyncIterable):
                async for piece in pieces:
                    await self._send(exchange, piece, compressor)
            else:
                for piece in pieces:
                    await self._send(exchange, piece, compressor)
        finally:
            # A generator that the client did not wait for must not linger until it is collected.
            if inspect.isasyncgen(pieces):
                await pieces.aclose()
            elif inspect.isgenerator(pieces):
                pieces.close()
        if compressor is not None:
            await exchange.write(compressor.end())
        exchange.finish()

    async def _send(self, exchange: Exchange, piece: object, compressor: PieceCompressor | None) -> None:
        """Send one piece, or do what stands in its place."""
        if type(piece) is not bytes:
            piece = encoded(piece, self._encode)
        if isinstance(piece, bytes):
            await exchange.write(piece if compressor is None else compressor.piece(piece))
        elif isinstance(piece, StreamFault):
            await piece.inject(exchange)
        else:
            assert isinstance(piece, (int, float))
            await asyncio.sleep(piece)


def stream(pieces: object, status: int, options: Mapping[str, Any]) -> Stream:
    """A stream of chunks; `options` are those of a reply that say nothing of its body.

    Raises:
        UsageError: these are no pieces, one cannot be sent, or an option cannot work.
    """
    check_repeatable(pieces)
    check_iterable(pieces, f"cannot stream {shown(pieces)}")
    if isinstance(pieces, (list, tuple)):
        for piece in pieces:
            encoded(piece, chunk_of)
    head, coding = head_of(status, options)
    return Stream(pieces, head, chunk_of, coding)


def event_stream(events: object, options: Mapping[str, Any]) -> Stream:
    """A `text/event-stream` of events (HTML, 9.2).

    Raises:
        UsageError: these are no events, one cannot be sent, or an option cannot work.
    """
    if isinstance(events, (Mapping, str, bytes)):
        raise UsageError(f"sse() takes several events, such as [{one_line(events)}]")
    check_repeatable(events)
    check_iterable(events, f"sse() cannot send {shown(events)}")
    head, coding = head_of(200, options)
    head = with_missing(head, {"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
    if isinstance(events, (list, tuple)):
        return Stream([encoded(event, event_of) for event in events], head, chunk_of, coding)
    return Stream(events, head, event_of, coding)


def head_of(status: int, options: Mapping[str, Any]) -> tuple[Reply, str | None]:
    """The head of a stream, and the coding of its body."""
    given = given_options(options)
    for name in given:
        if name in BODY_OPTIONS:
            raise UsageError(f"{name}= is not for a stream, whose body is its pieces")
    coding = given.pop("compress", None)
    head = Reply(status, **given)
    if coding is None:
        return head, None
    PieceCompressor(coding)
    if "Content-Length" in head.headers:
        raise UsageError("a stream that is compressed has no Content-Length; leave it out")
    return with_missing(head, {"Content-Encoding": coding}), coding


def with_missing(head: Reply, fields: Mapping[str, str]) -> Reply:
    """A head that has these fields, too, unless it says something else of them."""
    return with_fields(head, {name: value for name, value in fields.items() if name not in head.headers})


def check_repeatable(pieces: object) -> None:
    """Refuse pieces that are gone once they were read.

    Raises:
        UsageError: they are a generator, another iterator or a file.
    """
    if inspect.isgenerator(pieces) or inspect.isasyncgen(pieces):
        raise UsageError(
            f"a generator can be read only once; pass the generator function {pieces.__name__!r} itself"
        )
    once = f"{one_line(pieces, 60)} can be read only once, and a route may be called again; pass"
    if hasattr(pieces, "read"):
        raise UsageError(f"{once} [file.read()], or a generator function that opens it")
    if hasattr(pieces, "__anext__"):
        raise UsageError(f"{once} an async generator function")
    # What gives the same iterator each time is one itself, or has no more than one.
    if isinstance(pieces, Iterable) and iter(pieces) is iter(pieces):
        raise UsageError(f"{once} a list, or a generator function")


def check_iterable(pieces: object, complaint: str) -> None:
    """Refuse what cannot be taken piece by piece; before it is called, a function can."""
    if inspect.iscoroutine(pieces):
        pieces.close()
    is_whole = isinstance(pieces, (str, bytes, bytearray, memoryview, Mapping))
    if inspect.iscoroutinefunction(pieces) or inspect.iscoroutine(pieces):
        raise UsageError(f"{complaint}: it is async and has no `yield`; write an async generator function")
    if is_whole or not (callable(pieces) or isinstance(pieces, (Iterable, AsyncIterable))):
        raise UsageError(f"{complaint}; pass a list or a generator function")


def shown(pieces: object) -> str:
    """Pieces for a message: a function by its name and place."""
    return describe(pieces) if callable(pieces) else one_line(pieces)


def takes_request(function: Callable[..., object]) -> bool:
    """Whether a generator function has to be given the request.

    Raises:
        UsageError: it has to be given more than that.
    """
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        # Some that are written in C do not say what they take.
        return False
    required = [
        parameter.name
        for parameter in parameters
        if parameter.default is parameter.empty
        and parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]
    if len(required) > 1:
        raise UsageError(
            f"{describe(function)} takes {', '.join(required)}; "
            "a stream's function takes the request or nothing"
        )
    return bool(required)


def encoded(piece: object, encode: Encode) -> bytes | float | StreamFault:
    """A piece as it is sent: its bytes, a pause in seconds, or a fault.

    Raises:
        UsageError: it is no piece, or cannot be sent.
    """
    if isinstance(piece, StreamFault):
        piece.check_as_piece()
        return piece
    if isinstance(piece, (int, float)) and not isinstance(piece, bool):
        return checked_delay(piece)
    if is_answer(piece):
        raise UsageError(f"{one_line(piece)} cannot happen in a body that is on its way")
    if isinstance(piece, type) and hasattr(piece, "play"):
        raise UsageError(f"cannot stream the class {piece.__name__}; make one: {piece.__name__}(...)")
    return encode(piece)


def chunk_of(piece: object) -> bytes:
    """The bytes of a chunk."""
    if isinstance(piece, (bytes, bytearray, memoryview)):
        return bytes(piece)
    if isinstance(piece, str):
        return piece.encode()
    raise UsageError(
        f"cannot stream {one_line(piece)}; a piece is bytes, text, a pause in seconds or a fault"
    )


LINE_END = re.compile(r"\r\n|\r|\n")
EVENT_FIELDS = ("comment", "event", "id", "retry", "data")


def event_of(event: object) -> bytes:
    """The bytes of an event: a mapping of its fields, or its data. But for data, None is "not given"."""
    if not isinstance(event, Mapping):
        event = {"data": event}
    unknown = [name for name in event if name not in EVENT_FIELDS]
    if unknown:
        raise UsageError(f"unknown field {unknown[0]!r} in an event; fields are: {', '.join(EVENT_FIELDS)}")
    lines: list[str] = []
    for name in EVENT_FIELDS:
        if name in event and (event[name] is not None or name == "data"):
            prefix = "" if name == "comment" else name
            lines.extend(f"{prefix}: {part}" for part in LINE_END.split(field_text(name, event[name])))
    if not lines:
        raise UsageError(f"an event has one of the fields {', '.join(EVENT_FIELDS)}; got {one_line(event)}")
    return ("\n".join(lines) + "\n\n").encode()


def field_text(name: str, value: object) -> str:
    """The text of a field of an event.

    Raises:
        UsageError: a client would ignore it, or take it for something else.
    """
    if name == "data":
        return value if isinstance(value, str) else json_text(value)
    text = str(value) if type(value) is int else value
    if name == "retry" and not (isinstance(text, str) and re.fullmatch("[0-9]+", text)):
        raise UsageError(f"the retry of an event is in milliseconds, a whole number; got {value!r}")
    if not isinstance(text, str):
        raise UsageError(f"the {name} of an event is text; got {one_line(value)}")
    if name != "comment" and LINE_END.search(text):
        raise UsageError(f"the {name} {text!r} of an event has a line end in it; only its data may")
    if name == "id" and "\0" in text:
        raise UsageError(f"the id {text!r} of an event has a NUL in it; clients ignore such an id")
    return text


def json_text(value: object) -> str:
    """Data of an event that is no text, as JSON."""
    try:
        return json.dumps(value)
    except (TypeError, ValueError, RecursionError) as exc:
        raise UsageError(f"the data {one_line(value, 60)} of an event cannot be encoded: {exc}") from exc
