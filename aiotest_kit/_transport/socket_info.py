"""What `get_extra_info` tells of a connection in memory: its socket, and the TLS that a client believes in.

Knows asyncio's names for it. Knows nothing of the bytes that go over the connection.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from functools import lru_cache
from operator import methodcaller
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable


__all__ = ["OF_TLS", "ImpliedTLS", "MemorySocket", "implied_context", "reset"]

NO_LINGERING = struct.pack("ii", 1, 0)
"""The value of SO_LINGER with which closing a socket resets its connection (socket(7))."""


def reset(transport: asyncio.Transport) -> None:
    """End a connection with RST, in memory or on a socket: what was sent arrives before it."""
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGERING)
    transport.abort()


class MemorySocket:
    """What `get_extra_info("socket")` gives: the addresses and options of a connection, and no more."""

    type = socket.SOCK_STREAM

    def __init__(self, name: Any, peer: Any) -> None:
        self._name = name
        self._peer = peer
        self._options: dict[tuple[int, int], object] = {}
        # The family of the address connected to. An attribute: aiohttp asks three times for each connection.
        self.family: socket.AddressFamily = (
            socket.AF_UNIX if isinstance(peer, str) else socket.AF_INET if len(peer) == 2 else socket.AF_INET6
        )

    @property
    def proto(self) -> int:
        """TCP, except for a unix socket."""
        return 0 if self.family == socket.AF_UNIX else socket.IPPROTO_TCP

    def getsockname(self) -> Any:
        """This end's address."""
        return self._name

    def getpeername(self) -> Any:
        """The other end's address."""
        return self._peer

    def fileno(self) -> int:
        """-1: there is no descriptor."""
        return -1

    @property
    def lingers(self) -> bool:
        """Whether closing ends the connection in order; else it is reset."""
        return self._options.get((socket.SOL_SOCKET, socket.SO_LINGER)) != NO_LINGERING

    def setsockopt(self, level: int, option: int, value: object) -> None:
        """Keep an option; but for SO_LINGER, none has an effect."""
        self._options[level, option] = value

    def getsockopt(self, level: int, option: int) -> object:
        """An option that was set, else 0."""
        return self._options.get((level, option), 0)


class ImpliedTLS:
    """What `get_extra_info("ssl_object")` gives where a client believes that it speaks TLS."""

    server_side = False
    session_reused = False

    def __init__(self, context: ssl.SSLContext, server_hostname: str | None) -> None:
        self.context = context
        self.server_hostname = server_hostname

    def getpeercert(self, binary_form: bool = False) -> dict[str, object] | bytes:
        """A certificate for the host that was asked for, none at the server's end; it has no binary form."""
        if binary_form:
            return b""
        name = self.server_hostname
        if name is None:
            return {}
        return {"subject": ((("commonName", name),),), "subjectAltName": (("DNS", name),)}

    def cipher(self) -> tuple[str, str, int]:
        """A cipher suite of TLS 1.3."""
        return "TLS_AES_256_GCM_SHA384", "TLSv1.3", 256

    def version(self) -> str:
        """`TLSv1.3`."""
        return "TLSv1.3"

    def selected_alpn_protocol(self) -> str:
        """`http/1.1`."""
        return "http/1.1"

    def compression(self) -> None:
        """None, as ever in TLS 1.3."""


OF_TLS: dict[str, Callable[[Any], object]] = {
    "ssl_object": lambda tls: tls,
    "peercert": methodcaller("getpeercert"),
    "cipher": methodcaller("cipher"),
    "compression": methodcaller("compression"),
}


@lru_cache(maxsize=1)
def implied_context() -> ssl.SSLContext:
    """What stands for TLS where it is implied and not spoken; protocols ask only whether there is one."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
