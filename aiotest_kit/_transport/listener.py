"""Where a server listens: an address is checked, bound once, and let go.

Knows sockets. Knows nothing of loops or HTTP.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from .._messages.exceptions import UsageError

__all__ = ["TcpAddress", "UnixAddress"]

BACKLOG = 2048
"""Connections that may wait to be accepted; the system may allow fewer."""


def listening_socket(family: int, address: tuple[str, int] | str) -> socket.socket:
    """A socket that listens at an address.

    Raises:
        OSError: it cannot.
    """
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix" and not isinstance(address, str):
            # A fixed port can be had again at once, as with asyncio's own servers.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener


@dataclass(frozen=True)
class TcpAddress:
    """A host and a port of this machine; port 0 is any that is free."""

    host: str
    port: int

    @classmethod
    def checked(cls, host: object, port: object, *, expose: bool) -> TcpAddress:
        """An address that others can reach only if `expose` says so.

        Raises:
            UsageError: they could, or it is no address.
        """
        if not isinstance(port, int) or isinstance(port, bool) or not 0 <= port <= 65535:
            raise UsageError(f"port={port!r}: a port is 0, for any that is free, to 65535")
        if not isinstance(host, str) or not host:
            raise UsageError(f"host={host!r}: a host is an address such as '127.0.0.1' or '::1'")
        if not expose and not is_loopback(host):
            raise UsageError(
                f"host={host!r} could be reached from other machines; "
                "use '127.0.0.1', '::1' or 'localhost', or expose=True"
            )
        return cls(host, port)

    def bind(self) -> socket.socket:
        """A socket that listens here.

        Raises:
            UsageError: it cannot; says why.
        """
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
            # Of the addresses of a name, the one that every client tries.
            family, _, _, _, address = min(found, key=lambda info: info[0] != socket.AF_INET)
            return listening_socket(family, (str(address[0]), self.port))
        except OSError as exc:
            where = f"{self.host} port {self.port}" if self.port else self.host
            raise UsageError(f"cannot listen on {where}: {exc.strerror or exc}") from exc

    def release(self) -> None:
        """Nothing is left of it."""


served_paths: set[str] = set()
"""The unix sockets on which something in this process listens now."""


@dataclass(frozen=True)
class UnixAddress:
    """The path of a unix socket, which is there while it is listened on."""

    path: str

    @classmethod
    def checked(cls, path: object) -> UnixAddress:
        """A path on which nothing is yet.

        Raises:
            UsageError: something is, or there are no unix sockets here.
        """
        if not hasattr(socket, "AF_UNIX"):  # pragma: no cover (Windows)
            raise UsageError("unix=: this system has no unix sockets; use host=")
        if not isinstance(path, (str, os.PathLike)) or not os.fspath(path):
            raise UsageError(f"unix={path!r}: it is the path of a socket that is to be made")
        return cls(os.fsdecode(path))

    def bind(self) -> socket.socket:
        """A socket that listens here.

        Raises:
            UsageError: it cannot; says why.
        """
        if os.path.lexists(self.path):
            # It may belong to a server that runs, so nothing is removed.
            raise UsageError(f"unix={self.path!r} is there already; give a path that is not")
        try:
            listener = listening_socket(socket.AF_UNIX, self.path)
            served_paths.add(self.path)
            return listener
        except OSError as exc:
            # Too long a path has no errno; the limit is about 100 bytes.
            raise UsageError(f"cannot listen on {self.path}: {exc.strerror or exc}") from exc

    def release(self) -> None:
        """Remove the socket's file."""
        served_paths.discard(self.path)
        Path(self.path).unlink(missing_ok=True)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a host (RFC 6761, 6.3; RFC 1122, 3.2.1.3; RFC 4291, 2.5.3)."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
