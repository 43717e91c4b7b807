"""`Stream`: a reply whose body is sent piece by piece, and server-sent events.

Knows exchanges, and faults that stand among the pieces. Knows nothing of routes or of the wire.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import re
from collections.abc import AsyncIterable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from .._errors import UsageError
from .._http.reply import Reply, checked_delay, checked_headers
from .._text import describe, one_line
from .exchange import Strike

if TYPE_CHECKING:
    from .exchange import Exchange

__all__ = ["Stream", "check_piece", "send_piece", "sse"]


class Stream:
    """A reply whose body is sent piece by piece.

    `pieces` are an iterable that can be read again, or a generator function, sync or async, which is
    called anew for each request (with the request, if it takes an argument). Bytes and text are sent as
    one chunk each; a number is a pause in seconds; a fault happens where it stands. `head` gives the status
    and headers; with a `Content-Length` of its own the body is not chunked.
    """

    def __init__(self, pieces: object, head: Reply) -> None:
        if inspect.isgenerator(pieces) or inspect.isasyncgen(pieces):
            raise UsageError(
                f"a generator can be read only once; pass the generator function {pieces.__name__!r} itself"
            )
        if isinstance(pieces, (str, bytes)) or not (
            callable(pieces) or isinstance(pieces, (Iterable, AsyncIterable))
        ):
            raise UsageError(
                f"cannot stream {one_line(pieces)}; pass a list of chunks or a generator function"
            )
        if isinstance(pieces, (list, tuple)):
            for piece in pieces:
                check_piece(piece)
        self.pieces = pieces
        self.head = head
        self.takes_request = callable(pieces) and takes_request(pieces)

    def __repr__(self) -> str:
        return f"Stream({one_line(self.pieces, 60)})"

    async def play(self, exchange: Exchange) -> None:
        """Send the head, then each piece as it comes."""
        pieces: Any = self.pieces
        if callable(pieces):
            pieces = pieces(exchange.request) if self.takes_request else pieces()
        await exchange.start(self.head)
        try:
            if isinstance(pieces, AsyncIterable):
                async for piece in pieces:
                    await send_piece(exchange, piece)
            else:
                for piece in pieces:
                    await send_piece(exchange, piece)
        finally:
            # A generator that the client did not wait for must not linger until it is collected.
            if inspect.isasyncgen(pieces):
                await pieces.aclose()
            elif inspect.isgenerator(pieces):
                pieces.close()
        exchange.finish()


def takes_request(function: Callable[..., object]) -> bool:
    """Whether a generator function has to be given the request.

    Raises:
        UsageError: it has to be given more than that.
    """
    required = [
        parameter.name
        for parameter in inspect.signature(function).parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]
    if len(required) > 1:
        raise UsageError(
            f"{describe(function)} takes {', '.join(required)}; "
            "a stream's function takes the request or nothing"
        )
    return bool(required)


def check_piece(piece: object) -> None:
    """Refuse what is no piece of a stream."""
    if isinstance(piece, Strike):
        piece.check_as_piece()
    elif isinstance(piece, (int, float)) and not isinstance(piece, bool):
        checked_delay(piece)
    elif not isinstance(piece, (bytes, bytearray, memoryview, str)):
        raise UsageError(
            f"cannot stream {one_line(piece)}; a piece is bytes, text, a pause in seconds or a fault"
        )


async def send_piece(exchange: Exchange, piece: object) -> None:
    """Send one piece of a stream, or do what stands in its place."""
    if isinstance(piece, (bytes, bytearray, memoryview)):
        await exchange.write(bytes(piece))
        return
    check_piece(piece)
    if isinstance(piece, str):
        await exchange.write(piece.encode())
    elif isinstance(piece, (int, float)):
        await asyncio.sleep(piece)
    else:
        assert isinstance(piece, Strike)
        await piece.strike(exchange)


def sse(events: Iterable[object], options: dict[str, Any]) -> Stream:
    """A `text/event-stream` of events (HTML, 9.2); numbers between them are pauses in seconds.

    Raises:
        UsageError: these are no events, or one cannot be sent.
    """
    if isinstance(events, (Mapping, str, bytes)):
        raise UsageError(f"sse() takes several events, such as [{one_line(events)}]")
    headers = checked_headers(options.pop("headers", ()))
    headers.setdefault("Content-Type", "text/event-stream")
    headers.setdefault("Cache-Control", "no-cache")
    pieces = [event if isinstance(event, (int, float)) else encode_event(event) for event in events]
    keywords: dict[str, Any] = {"status": 200, **options, "headers": headers}
    return Stream(pieces, Reply(**keywords))


LINE_END = re.compile(r"\r\n|\r|\n")
EVENT_FIELDS = ("comment", "event", "id", "retry", "data")


def encode_event(event: object) -> bytes:
    """One event of an event stream: a mapping of its fields, or its data."""
    if not isinstance(event, Mapping):
        event = {"data": event}
    unknown = [name for name in event if name not in EVENT_FIELDS]
    if unknown:
        raise UsageError(f"unknown field {unknown[0]!r} in an event; fields are: {', '.join(EVENT_FIELDS)}")
    lines: list[str] = []
    for name in EVENT_FIELDS:
        if name in event:
            value = event[name]
            text = value if isinstance(value, str) else json.dumps(value)
            prefix = "" if name == "comment" else name
            parts = LINE_END.split(text)
            if len(parts) > 1 and name not in ("comment", "data"):
                raise UsageError(f"the {name} {text!r} of an event has a line end in it; only its data may")
            lines.extend(f"{prefix}: {part}" for part in parts)
    return ("\n".join(lines) + "\n\n").encode()
