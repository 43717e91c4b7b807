"""What `get_extra_info` tells of a connection in memory: its socket, and the TLS that a client believes in.

Knows asyncio's names for it. Knows nothing of the bytes that go over the connection.
"""

from __future__ import annotations

import socket
import ssl
import struct
import sys
from base64 import b64decode
from functools import lru_cache
from operator import methodcaller
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable


__all__ = [
    "CERTIFICATE",
    "OF_TLS",
    "OTHER_CERTIFICATE",
    "ImpliedTLS",
    "MemorySocket",
    "implied_context",
    "reset",
]

CERTIFICATE = b64decode(
    "MIIBTzCB9aADAgECAgEBMAoGCCqGSM49BAMCMB4xHDAaBgNVBAMME2Fpb3Rlc3Qta2l0LmludmFsaWQwIBcNMjAwMTAxMDAwMDAw"
    "WhgPMjEyMDAxMDEwMDAwMDBaMB4xHDAaBgNVBAMME2Fpb3Rlc3Qta2l0LmludmFsaWQwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC"
    "AARtyE/Q0v5OCI0TWt8UeG/tB4qczOCeerO6zGjCo9pVKd2hM82MNNjPM7MgQBNEGp5LbUg//3mF1TnMBKXMbV3foyIwIDAeBgNV"
    "HREEFzAVghNhaW90ZXN0LWtpdC5pbnZhbGlkMAoGCCqGSM49BAMCA0kAMEYCIQDorRVwDxsBinxxuQBpHzlk0uDYwgOwvTg8BNJQ"
    "eOcf3QIhANllo8jeYbJIDsY5ceVjf/1mWUjoGCs4HsEYR3p1sAlS"
)
"""The certificate (DER) that every host in memory shows; it ends in 2120, and nobody has its key."""

OTHER_CERTIFICATE = b""
"""What is shown where it has to be another one."""

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
        # asyncio sets TCP_NODELAY on each of its sockets, and aiohttp once more.
        self._options: dict[tuple[int, int], int | bytes] = {
            (socket.SOL_SOCKET, socket.SO_TYPE): socket.SOCK_STREAM,
            (socket.IPPROTO_TCP, socket.TCP_NODELAY): not isinstance(peer, str),
        }
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

    def setsockopt(self, level: int, option: int, value: int | bytes) -> None:
        """Keep an option; only SO_LINGER has an effect."""
        self._options[level, option] = value

    def getsockopt(self, level: int, option: int, buflen: int = 0) -> int | bytes:
        """An option as it was set, else 0; as bytes if `buflen`, the most of them, is given."""
        value = self._options.get((level, option), 0)
        data = value if isinstance(value, bytes) else int(value).to_bytes(4, sys.byteorder, signed=True)
        return data[:buflen] if buflen else int.from_bytes(data[:4], sys.byteorder, signed=True)


class ImpliedTLS:
    """What `get_extra_info("ssl_object")` gives where a client believes that it speaks TLS."""

    server_side = False
    session_reused = False

    def __init__(
        self, context: ssl.SSLContext, server_hostname: str | None, certificate: bytes = CERTIFICATE
    ) -> None:
        self.context = context
        self.server_hostname = server_hostname
        self._certificate = certificate

    def getpeercert(self, binary_form: bool = False) -> dict[str, object] | bytes | None:
        """A certificate for the host that was asked for, none at the server's end.

        In binary form (DER) it is the same for every host: the one that an `aiohttp.Fingerprint` is
        compared with.
        """
        if binary_form:
            return None if self.server_hostname is None else self._certificate
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
