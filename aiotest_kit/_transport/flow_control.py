"""Whether a client takes what it is sent: `FlowControl` waits for that, and asks its transport.

Knows asyncio, transports in memory and over sockets. Knows nothing of what is sent.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from typing import NoReturn

from .memory import MemoryTransport

if sys.platform == "linux":
    from fcntl import ioctl

__all__ = ["ClientGone", "FlowControl", "has_gone", "unsent"]


BETWEEN_LOOKS = 0.001
"""Seconds between two looks whether all was sent, which no event tells."""


class ClientGone(Exception):
    """The connection ended while a request was being answered: the client closed it, or a fault did."""


class FlowControl(asyncio.Protocol):
    """A protocol whose answers can wait until the client takes more."""

    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport
    _drained: asyncio.Future[None] | None = None
    """Until when to wait; None while the client takes what comes."""
    _ended: asyncio.Future[None] | None = None
    """Who waits for the end of the connection."""
    _lost = False

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell who waits that the client has gone."""
        self._lost = True
        for waiter in (self._drained, self._ended):
            if waiter is not None and not waiter.done():
                waiter.set_exception(ClientGone())
                # Nobody may wait for it: then there is nothing to tell.
                waiter.exception()

    def pause_writing(self) -> None:
        """The client takes no more for now."""
        self._drained = self.loop.create_future()

    def resume_writing(self) -> None:
        """The client takes more again."""
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        self._drained = None

    async def drained(self) -> None:
        """Return when the client can take more.

        Raises:
            ClientGone: it never will.
        """
        if self._lost or self.transport.is_closing():
            # The protocol is told a turn of the loop later.
            raise ClientGone
        if self._drained is not None:
            await self._drained

    async def arrived(self) -> None:
        """Return when all that was written has arrived, as far as this end can tell: a reset drops the rest.

        That takes a client that reads what is more than there is room for on the way.

        Raises:
            ClientGone: it never will.
        """
        # Not a limit of 0: a transport of TLS is at it with nothing left to send, and waits for ever.
        self.transport.set_write_buffer_limits(high=1, low=0)
        await self.drained()
        while unsent(self.transport):  # noqa: ASYNC110  # nothing tells of it
            await asyncio.sleep(BETWEEN_LOOKS)

    def client_has_gone(self) -> bool:
        """Whether the client has given up, although that may not have been noticed here yet."""
        return self._lost or has_gone(self.transport)

    async def ended(self) -> NoReturn:
        """Wait for the end of the connection.

        Raises:
            ClientGone: it has come.
        """
        if self._lost:
            raise ClientGone
        self._ended = self.loop.create_future()
        await self._ended
        raise ClientGone  # pragma: no cover - it has no result


SIOCOUTQNSD = 0x894B
"""Asks a TCP socket of Linux for the bytes that it holds back (linux/sockios.h)."""


def unsent(transport: asyncio.Transport) -> int:
    """The bytes that the system holds back, for want of room at the other end; 0 where it does not tell."""
    descriptor = descriptor_of(transport)
    if sys.platform != "linux" or descriptor < 0:
        return 0
    try:
        return int.from_bytes(ioctl(descriptor, SIOCOUTQNSD, bytes(4)), sys.byteorder)
    except OSError:
        # No TCP, but a unix socket.
        return 0


def has_gone(transport: asyncio.Transport) -> bool:
    """Whether the other end has closed the connection, or sent something, that was not read here yet."""
    if transport.is_closing():
        return True
    if isinstance(transport, MemoryTransport):
        return transport.other.is_closing()
    connection = socket.socket(fileno=descriptor_of(transport))
    try:
        connection.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        connection.detach()
    return True


def descriptor_of(transport: asyncio.Transport) -> int:
    """The descriptor of the socket; -1 where there is none."""
    descriptor: int = transport.get_extra_info("socket").fileno()
    return descriptor
