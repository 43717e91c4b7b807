"""Which requests a server reads from some bytes: the kit's, and aiohttp's own.

Where the two differ, one of them may be led to take a part of one request for another (request smuggling),
and RFC 9112 says which. Both are asked in memory, and answer everything.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from aiotest_kit import Origin, Router
from aiotest_kit._server.protocol import ServerProtocol
from aiotest_kit._transport.memory import connected

from .hostile_trial import IS_OLDER, Client, rest

__all__ = ["Oracle", "Read", "oracle"]

API = Origin("http", "api.test", 80)


@dataclass(frozen=True)
class Read:
    """A request as a server has read it."""

    method: str
    target: str
    body: bytes


def read_of(method: str, target: str, headers: Mapping[str, str], body: bytes) -> Read:
    """A request, without what the two tell in different ways: an origin in its target, an encoded body."""
    path = re.sub(r"^[A-Za-z]+://[^/?]*", "", target) or "/"
    return Read(method, path, b"" if "Content-Encoding" in headers else body)


class Oracle:
    """Two servers that answer everything, on the running loop."""

    def __init__(self) -> None:
        self._loop: Any = asyncio.get_running_loop()
        self._router = Router()
        self._route = self._router.route("*", re.compile(".*")).reply(200, text="ok")
        self._reads: list[Read] = []
        self._server = web.Server(self._read)

    async def difference(self, data: bytes) -> str | None:
        """In what the two differ on a request that both have read; one may refuse what the other reads.

        Tunnels are left out, which aiohttp's server does not know; and other protocols behind a body, which
        older ones do not read.
        """
        if b"CONNECT" in data or (IS_OLDER and b"pgrade" in data):
            return None
        both = zip(await self.of_aiohttp(data), await self.of_the_kit(data), strict=False)
        for number, (expected, actual) in enumerate(both):
            if expected != actual:
                return f"request {number}: aiohttp has read {expected}, the kit {actual}"
        return None

    async def of_the_kit(self, data: bytes) -> list[Read]:
        """What the kit reads."""
        await self._send(data, ServerProtocol(self._router, API, self._loop, set()))
        requests = [call.request for call in self._router.calls]
        self._router.calls.clear()
        self._route.calls.clear()
        return [read_of(each.method, each.target, each.headers, each.body) for each in requests]

    async def of_aiohttp(self, data: bytes) -> list[Read]:
        """What aiohttp's own server reads."""
        await self._send(data, self._server())
        reads, self._reads = self._reads, []
        return reads

    async def _read(self, request: web.BaseRequest) -> web.Response:
        body = await request.read()
        self._reads.append(read_of(request.method, request._message.path, request.headers, body))
        return web.Response(text="ok")

    async def _send(self, data: bytes, server: asyncio.BaseProtocol) -> None:
        """Send it byte by byte: aiohttp's server forgets what it has read before a mistake in a piece."""
        client = Client()
        connected(self._loop, client, server, ("127.0.0.1", 80))
        for position in range(len(data)):
            if client.transport.is_closing():
                break
            client.transport.write(data[position : position + 1])
            await rest()
        client.transport.abort()
        await rest()


@asynccontextmanager
async def oracle() -> AsyncIterator[Oracle]:
    """The two, on the running loop; what aiohttp's server logs is dropped."""
    logging.disable()
    try:
        yield Oracle()
    finally:
        logging.disable(logging.NOTSET)
