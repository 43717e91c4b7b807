"""The requests of one connection, in the order in which they came, each with its bytes.

A client may send more before it has an answer (RFC 9112, 9.3.2), cut as the network likes. What comes is cut
again where a message may end, so that the same bytes are the same requests however they came, and a script
that has the connection to itself begins with the first byte of its request. Knows the reader of requests.
Knows nothing of transports, answers or routes.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from .._http.readers import declared_length

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._http.body import BodyStream
    from .._http.readers import RequestReader
    from .._http.request import Request

__all__ = ["Pipeline"]

MOST_REQUESTS = 32
MOST_BYTES = 256 * 1024
"""What is read ahead of the request that is being answered."""

EMPTY_LINE = b"\r\n\r\n"
"""Ends a head (RFC 9112, 2.1), and a body in chunks (7.1)."""


class Pipeline:
    """What a connection has brought, as far as it has not been answered yet."""

    # What every pipeline begins with; one is made for each connection, in nearly every test.
    _pieces: list[bytes] | None = None
    """The bytes of the request that is still on its way."""
    taken: Sequence[bytes] = ()
    """Those of the request that was taken last; none behind the last one that waits."""
    _known: Request | None = None
    """The unfinished request whose length is known."""
    _left = 0
    """Bytes that its body still lacks; 0 where the end has to be looked for."""
    _tail = b""
    _shown: Request | None = None
    """The unfinished request that was given by `take_head`."""

    def __init__(self, reader: RequestReader) -> None:
        self.reader = reader
        self._waiting: deque[tuple[Request, Sequence[bytes]]] = deque()

    def recall(self, data: bytes) -> Request | None:
        """The request that `data` is, taken at once, if nothing waits and the same bytes came before."""
        reader = self.reader
        if self._waiting or not reader.is_idle or reader.error is not None or reader.upgrade is not None:
            return None
        request = reader.recall(data)
        if request is not None:
            self.taken = [data]
        return request

    def feed(self, data: bytes) -> None:
        """Read on."""
        reader = self.reader
        was_idle = reader.is_idle and not self._waiting
        start = 0
        while start < len(data) and reader.error is None and reader.upgrade is None:
            end = self._next_end(data, start)
            self._feed_piece(data[start:end])
            start = end
        if reader.upgrade is not None:
            reader.upgrade += data[start:]
        elif was_idle and reader.is_idle and len(self._waiting) == 1:
            reader.remember(data, self._waiting[0][0])

    def take(self) -> Request | None:
        """The request that has waited longest, None if none waits."""
        if not self._waiting:
            self.taken = ()
            return None
        request, self.taken = self._waiting.popleft()
        return request

    def take_head(self) -> Request | None:
        """The request of which only the head has come; None if it was given before, or is none."""
        unfinished = self.reader.unfinished
        if unfinished is None or unfinished is self._shown or self.reader.is_diverted:
            return None
        self._shown = unfinished
        self.taken = ()
        return unfinished

    def take_rest(self) -> list[bytes]:
        """All bytes from the first of the request that was taken last; the end of what is read here."""
        rest = list(self.taken)
        for _, pieces in self._waiting:
            rest.extend(pieces)
        rest.extend(self._pieces or ())
        rest.append(self.reader.upgrade or b"")
        self.clear()
        return rest

    def divert(self, request: Request, incoming: BodyStream) -> None:
        """Give the body of the request that was taken last to `incoming`, as it comes."""
        if self.reader.unfinished is request:
            self._pieces = None
            self.reader.divert(incoming)
        else:
            incoming.feed(request.body)
            incoming.feed_eof()

    def clear(self) -> None:
        """Let go of all that has come."""
        self._waiting.clear()
        self._pieces = None
        self.taken = ()

    @property
    def upgrades(self) -> bool:
        """Whether what follows the request that was taken last is another protocol."""
        return self.reader.upgrade is not None and not self._waiting

    @property
    def is_full(self) -> bool:
        """Whether enough has been read ahead."""
        waiting = self._waiting
        return (
            len(waiting) >= MOST_REQUESTS
            or sum(len(request.body) for request, _ in waiting) > MOST_BYTES
            or len(self.reader.upgrade or b"") > MOST_BYTES
        )

    def _feed_piece(self, piece: bytes) -> None:
        reader = self.reader
        if self._pieces is None:
            self._pieces = [piece]
        else:
            self._pieces.append(piece)
        for request in reader.feed(piece):
            self._waiting.append((request, self._pieces or ()))
            self._pieces = None
        if reader.is_idle or reader.is_diverted:
            self._pieces = None
        unfinished = reader.unfinished
        if unfinished is not self._known:
            self._known = unfinished
            self._left = 0 if unfinished is None else declared_length(unfinished)
        elif self._left:
            self._left -= len(piece)

    def _next_end(self, data: bytes, start: int) -> int:
        """Where the message that is being read ends, at the earliest; more ends than there are do no harm."""
        if self._left:
            return min(start + self._left, len(data))
        tail = self._tail
        self._tail = data[-3:] if len(data) > 2 else (tail + data)[-3:]
        if start == 0 and tail:
            across = (tail + data[:3]).find(EMPTY_LINE)
            if across >= 0:
                return across + len(EMPTY_LINE) - len(tail)
        end = data.find(EMPTY_LINE, start)
        return len(data) if end < 0 else end + len(EMPTY_LINE)
