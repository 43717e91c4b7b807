"""The rest of a connection whose last reply was sent: what the client still sends is dropped.

Closed with bytes unread, a connection is reset, and the reply may be lost (RFC 9112, 9.6). Knows the reader
of requests. Knows nothing of answers or routes.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .._http.readers import RequestReader

__all__ = ["Discarding"]

LINGERING_TIME = 10.0
"""Seconds in which a client that has the last reply may go on with its request, as with aiohttp's server."""


class Discarding(asyncio.Protocol):
    """What comes is dropped until the request ends, or the client closes the connection.

    `before` is who had the connection; it still hears of its end.
    """

    def __init__(self, before: asyncio.Protocol, reader: RequestReader, transport: asyncio.Transport) -> None:
        self._before = before
        self._reader = reader
        self._transport = transport

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Send no more, and drop what comes."""
        transport = self._transport
        transport.set_protocol(self)
        if transport.can_write_eof():
            transport.write_eof()
        elif self._reader.error is None:
            # TLS has no half-closed connections: the end comes with that of the request, or after some time.
            loop.call_later(LINGERING_TIME, transport.close)
        else:
            transport.close()

    def data_received(self, data: bytes) -> None:
        """Drop it, and close the connection behind the request."""
        if self._reader.error is None:
            self._reader.feed(data)
            if not self._reader.is_diverted:
                self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell who had it."""
        self._reader.close()
        self._before.connection_lost(exc)
