"""The same hostile inputs over a socket, where the answers must be those that are given in memory."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiotest_kit._loopback_door.server import Serving, SocketProtocol
from aiotest_kit._transport.listener import TcpAddress

from .hostile import Case
from .hostile_trial import API, IGNORED, Client, Trial

__all__ = ["SocketTrial", "socket_trial"]

PATIENCE = 5.0
MOST_TURNS = 1000
MOST_READ = 60_000
"""Bytes that a server has surely read before it answers the first of them."""


class SocketClient(Client):
    """The client's end, of which one can wait for what comes."""

    def __init__(self) -> None:
        super().__init__()
        self.lost = False
        self._changed = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._changed.set()

    def eof_received(self) -> bool:
        self._changed.set()
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.lost = True
        self._changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return when a condition holds, which may be with anything that comes, or patience is at its end."""
        with contextlib.suppress(asyncio.TimeoutError):
            while not condition():
                self._changed.clear()
                await asyncio.wait_for(self._changed.wait(), PATIENCE)


class SocketTrial:
    """Connections to a server with the routes of a trial in memory, one after the other."""

    def __init__(self, memory: Trial, serving: Serving) -> None:
        self._memory = memory
        self._serving = serving

    async def judge(self, case: Case) -> list[str]:
        """In what the answers differ from those in memory, and what is wrong besides."""
        memory = self._memory
        expected, problems = await memory.tried([case.data], "in memory")
        actual = await self._answers(case.data, len(expected.sent))
        memory.forget()
        for _ in range(MOST_TURNS):
            if not self._serving.connections:
                break
            await asyncio.sleep(0)
        else:
            problems.append(f"{len(self._serving.connections)} connections stay")
        # Closed with bytes unread, a socket is reset, and the end of a reply may be lost (RFC 9112, 9.6).
        is_cut = expected.ended and len(case.data) > MOST_READ and expected.sent.startswith(actual)
        if expected.sent != actual and not is_cut:
            problems.append(f"in memory {expected.sent!r}, over a socket {actual!r}")
        problems += memory.complaints.take()
        return problems

    async def _answers(self, data: bytes, length: int) -> bytes:
        """What a client is sent, which leaves when that is as long as expected, or nothing more comes."""
        loop = asyncio.get_running_loop()
        port = self._serving.port
        assert port is not None
        _, client = await loop.create_connection(SocketClient, "127.0.0.1", port)
        letting_go = asyncio.ensure_future(self._let_go())
        try:
            client.transport.write(data)
            await client.until(lambda: client.ended or len(IGNORED.sub(b"", client.received)) >= length)
            if not client.transport.is_closing():
                # It may have been reset.
                with contextlib.suppress(OSError):
                    client.transport.write_eof()
            await client.until(lambda: client.ended)
        finally:
            letting_go.cancel()
            client.transport.abort()
            await client.until(lambda: client.lost)
        return IGNORED.sub(b"", bytes(client.received))

    async def _let_go(self) -> None:
        """Let go what is held, as soon as it is."""
        while True:
            self._memory.routes.go_on()
            await asyncio.sleep(0.001)


@asynccontextmanager
async def socket_trial(memory: Trial) -> AsyncIterator[SocketTrial]:
    """A server on the running loop, with the routes of `memory`."""
    serving = Serving(TcpAddress("127.0.0.1", 0), SocketProtocol)
    serving.start(memory.routes.router, API, None)
    try:
        yield SocketTrial(memory, serving)
    finally:
        await serving.stop()
