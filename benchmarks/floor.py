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


class CannedTransport(asyncio.Transport):
    """A connection that answers each write with the same bytes, on the next turn of the loop.

    One write is one request: a request without a body leaves aiohttp as a single write. The turn of the loop
    is no extra: a protocol is never called from inside its own ``transport.write()``, by any transport.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, protocol: asyncio.Protocol, answer: bytes) -> None:
        super().__init__()
        self._loop = loop
        self._protocol = protocol
        self._answer = answer
        self._closing = False

    def write(self, data: object) -> None:
        self._loop.call_soon(self._protocol.data_received, self._answer)

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


class CannedConnector(aiohttp.BaseConnector):
    """Connections that all answer with ``answer``; pooled and kept alive by aiohttp as any other."""

    def __init__(self, answer: bytes) -> None:
        super().__init__()
        self._answer = answer

    async def _create_connection(self, req: object, traces: object, timeout: object) -> Any:
        protocol = self._factory()
        protocol.connection_made(CannedTransport(self._loop, protocol, self._answer))
        return protocol


class JoinedTransport(asyncio.Transport):
    """One end of a connection that hands each write to the other, on the next turn of the loop."""

    other: JoinedTransport

    def __init__(self, loop: asyncio.AbstractEventLoop, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self._loop = loop
        self._protocol = protocol
        self._closing = False
        protocol.connection_made(self)

    def write(self, data: Any) -> None:
        self._loop.call_soon(self.other._protocol.data_received, data)

    def pause_reading(self) -> None:
        """Nothing, as for a canned one."""

    def resume_reading(self) -> None:
        """Nothing, as above."""

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        if not self._closing:
            self._closing = self.other._closing = True
            for end in (self, self.other):
                self._loop.call_soon(end._protocol.connection_lost, None)

    def abort(self) -> None:
        self.close()


class JoinedConnector(aiohttp.BaseConnector):
    """Connections to protocols that ``server`` makes, such as aiohttp's own ``web.Server``."""

    def __init__(self, server: Callable[[], asyncio.Protocol]) -> None:
        super().__init__()
        self._server = server

    async def _create_connection(self, req: object, traces: object, timeout: object) -> Any:
        protocol = self._factory()
        far = JoinedTransport(self._loop, self._server())
        far.other = JoinedTransport(self._loop, protocol)
        far.other.other = far
        return protocol
