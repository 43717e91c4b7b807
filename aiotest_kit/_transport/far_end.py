"""What one end of a connection can tell of the other: what has arrived there, and whether it has gone.

Knows transports, those in memory and those over a socket. Knows nothing of HTTP.
"""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING

from .memory import MemoryTransport

if sys.platform == "linux":
    from fcntl import ioctl

if TYPE_CHECKING:
    import asyncio

__all__ = ["has_gone", "unsent"]

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
