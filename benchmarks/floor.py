"""The floors: a real ``ClientSession`` whose connector hands it a canned response, or joins it to an app.

Owns the least that any in-memory stub, or client of an app, has to do, so that everything above it is the
price of a tool. Knows aiohttp's connector and its protocols. Does not parse a request, match it, record it or
build a response.

``BaseConnector._create_connection`` is not documented; it is what every connector of aiohttp's own overrides.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp


class BareTransport(asyncio.Transport):
    """One end of a connection, with no more than aiohttp needs to go on and to end it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self._loop = loop
        self._protocol = protocol
        self._closing = False

    def pause_reading(self) -> None:
        """Nothing: without this aiohttp would pay for an exception here in each call."""

    def resume_reading(self) -> None:
        """Nothing, as above."""

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._loop.call_soon(self._protocol.connection_lost, None)

    def abort(self) -> None:
        self.close()


class CannedTransport(BareTransport):
    """A connection that answers each write with the same bytes, on the next turn of the loop.

    One write is one request: a request without a body leaves aiohttp as a single write. The turn of the loop
    is no extra: a protocol is never called from inside its own ``transport.write()``, by any transport.
    """

    answer: bytes

    def write(self, data: object) -> None:
        self._loop.call_soon(self._protocol.data_received, self.answer)


class CannedConnector(aiohttp.BaseConnector):
    """Connections that all answer with ``answer``; pooled and kept alive by aiohttp as any other."""

    def __init__(self, answer: bytes) -> None:
        super().__init__()
        self._answer = answer

    async def _create_connection(self, req: object, traces: object, timeout: object) -> Any:
        protocol = self._factory()
        transport = CannedTransport(self._loop, protocol)
        transport.answer = self._answer
        protocol.connection_made(transport)
        return protocol


class JoinedTransport(BareTransport):
    """One end of a connection that hands each write to the other, on the next turn of the loop."""

    other: JoinedTransport

    def write(self, data: Any) -> None:
        self._loop.call_soon(self.other._protocol.data_received, data)

    def close(self) -> None:
        if not self._closing:
            super().close()
            self.other.close()


class JoinedConnector(aiohttp.BaseConnector):
    """Connections to protocols that ``server`` makes, such as aiohttp's own ``web.Server``."""

    def __init__(self, server: Callable[[], asyncio.Protocol]) -> None:
        super().__init__()
        self._server = server

    async def _create_connection(self, req: object, traces: object, timeout: object) -> Any:
        server, client = self._server(), self._factory()
        far, near = JoinedTransport(self._loop, server), JoinedTransport(self._loop, client)
        far.other, near.other = near, far
        server.connection_made(far)
        client.connection_made(near)
        return client
