"""The same hostile inputs over a socket, where the answers must be those that are given in memory."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiotest_kit._loopback_door.server import Serving, SocketPeer
from aiotest_kit._transport.listener import TcpAddress

from .hostile import Case
from .hostile_trial import API, IGNORED, Trial

__all__ = ["SocketTrial", "socket_trial"]

PATIENCE = 5.0
MOST_TURNS = 1000
MOST_READ = 60_000
"""Bytes that a server has surely read before it answers the first of them."""


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
        reader, writer = await asyncio.open_connection("127.0.0.1", self._serving.port)
        received = b""
        sending = asyncio.ensure_future(self._send(writer, data))
        letting_go = asyncio.ensure_future(self._let_go())
        try:
            while len(IGNORED.sub(b"", received)) < length:
                piece = await asyncio.wait_for(reader.read(2**16), PATIENCE)
                if not piece:
                    break
                received += piece
            if writer.can_write_eof() and not writer.is_closing():
                with contextlib.suppress(OSError):
                    writer.write_eof()
            while piece := await asyncio.wait_for(reader.read(2**16), PATIENCE):
                received += piece
        except (ConnectionError, asyncio.TimeoutError) as exc:
            received += f" {exc!r}".encode() * isinstance(exc, asyncio.TimeoutError)
        finally:
            letting_go.cancel()
            sending.cancel()
            await asyncio.gather(sending, letting_go, return_exceptions=True)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
        return IGNORED.sub(b"", received)

    async def _send(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        writer.write(data)
        with contextlib.suppress(OSError):
            await writer.drain()

    async def _let_go(self) -> None:
        """Let go what is held, as soon as it is."""
        while True:
            self._memory.routes.go_on()
            await asyncio.sleep(0.001)


@asynccontextmanager
async def socket_trial(memory: Trial) -> AsyncIterator[SocketTrial]:
    """A server on the running loop, with the routes of `memory`."""
    serving = Serving(TcpAddress("127.0.0.1", 0), SocketPeer)
    serving.start(memory.routes.router, API, None)
    try:
        yield SocketTrial(memory, serving)
    finally:
        await serving.stop()
