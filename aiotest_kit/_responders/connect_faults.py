"""What goes wrong before there is a connection: the memory door's faults.

Each says what looking up the name, connecting and the TLS handshake come to, and raises what the operating
system or OpenSSL would; aiohttp makes its own exceptions of these. Knows nothing of routes or of aiohttp.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
import socket
import ssl
from dataclasses import dataclass, field
from functools import partial
from ipaddress import ip_address
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from .._http.reply import checked_delay
from .._messages.exceptions import UsageError
from .._messages.wording import join_names
from .exchange import ConnectFault

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from .._http.request import Origin

__all__ = ["ConnectTimeout", "DNSFailure", "Refuse", "TLSFailure"]


@dataclass(frozen=True)
class Refuse(ConnectFault):
    """Nobody listens: the connection is refused (memory door)."""

    async def connect(self, address: object) -> None:
        """Be refused, a turn of the loop later."""
        await asyncio.sleep(0)
        raise ConnectionRefusedError(errno.ECONNREFUSED, f"Connect call failed {address}")


DNSKind: TypeAlias = Literal["not-found", "temporary", "no-errno", "timeout"]
LOOKUP_ERRORS: dict[str, Callable[[], Exception]] = {
    "not-found": partial(socket.gaierror, socket.EAI_NONAME, "Name or service not known"),
    "temporary": partial(socket.gaierror, socket.EAI_AGAIN, "Temporary failure in name resolution"),
    "no-errno": partial(OSError, None, "Domain name not found"),
    "timeout": asyncio.TimeoutError,
}
"""What resolvers raise: `getaddrinfo`, aiohttp's `AsyncResolver` (no errno), and those that give up."""


@dataclass(frozen=True)
class DNSFailure(ConnectFault):
    """The look-up of the host's name fails, or with a proxy that of the proxy's name (memory door).

    `kind` says how: the name is `not-found`; the name server fails for now (`temporary`, EAI_AGAIN); there is
    `no-errno`, as with aiodns; or the resolver gives up (`timeout`). The look-up takes `delay` seconds, which
    count for the client's `connect` and `total` timeouts.

    Raises:
        UsageError: the kind is unknown, or the delay is no number of seconds.
    """

    kind: DNSKind = "not-found"
    delay: float = field(default=0.0, kw_only=True)

    def __post_init__(self) -> None:
        check_kind(self, self.kind, LOOKUP_ERRORS)
        checked_delay(self.delay)

    def __repr__(self) -> str:
        kind = repr(self.kind) if self.kind != "not-found" else ""
        delay = f"delay={self.delay}" if self.delay else ""
        return f"DNSFailure({', '.join(filter(None, [kind, delay]))})"

    def impossible_because(self, origin: Origin) -> str | None:
        """An address is not looked up."""
        if is_address(origin.host):
            return f"{self!r} cannot happen: {origin.host} is an address, which nobody looks up"
        return None

    async def look_up(self, host: str) -> None:
        """Find nothing."""
        if self.delay:
            await asyncio.sleep(self.delay)
        raise LOOKUP_ERRORS[self.kind]()


@dataclass(frozen=True)
class ConnectTimeout(ConnectFault):
    """Nobody answers, and the client waits for its timeout, or until the mock closes (memory door)."""

    async def connect(self, address: object) -> None:
        """Wait for ever."""
        await asyncio.get_running_loop().create_future()


TLSKind: TypeAlias = Literal[
    "untrusted",
    "expired",
    "wrong-host",
    "protocol",
    "fingerprint",
    "closed",
    "reset",
    "alert",
    "version",
    "client-certificate",
]
KINDS: tuple[str, ...] = get_args(TLSKind)
CERTIFICATE_ERRORS = {
    "untrusted": (20, "unable to get local issuer certificate"),
    "expired": (10, "certificate has expired"),
}
HANDSHAKE_FAILURE, PROTOCOL_VERSION, CERTIFICATE_REQUIRED = 40, 70, 116
"""Alerts of TLS (RFC 8446, 6)."""
PLAIN_TEXT = b"HTTP/1.1 400 Bad Request\r\n\r\n"


@dataclass(frozen=True)
class TLSFailure(ConnectFault):
    """The TLS handshake fails (memory door).

    `kind` says why. The certificate is `untrusted`, for the `wrong-host`, `expired`, or not that of an
    `aiohttp.Fingerprint` (`fingerprint`): a client that does not look (`ssl=False`) does not notice, as on a
    network, and gets an empty 200.

    The others are noticed by every client. The server does not speak TLS (`protocol`), closes the connection
    (`closed`) or resets it (`reset`), refuses the handshake (`alert`) or the client's versions of TLS
    (`version`), or wants a `client-certificate`. With TLS 1.3 that comes after the handshake: the request
    fails, as any request whose connection is lost, and an idempotent one is sent once more.

    Raises:
        UsageError: the kind is unknown.
    """

    kind: TLSKind = "untrusted"

    def __post_init__(self) -> None:
        check_kind(self, self.kind, KINDS)

    def impossible_because(self, origin: Origin) -> str | None:
        """Without TLS it cannot fail."""
        return None if origin.scheme == "https" else f"{self!r} cannot happen: {origin} is without TLS"

    @property
    def is_met_by_requests(self) -> bool:
        """Whether a request whose connection was opened can still fail by it, in `first_read`."""
        return self.kind == "client-certificate"

    def shake_hands(self, context: ssl.SSLContext, hostname: str | None) -> None:
        """Raise what OpenSSL or the system would, if the client's settings let it notice."""
        kind = self.kind
        if kind == "closed":
            # Without an errno: asyncio makes this of the end of the stream.
            raise ConnectionResetError
        if kind == "reset":
            raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
        if kind == "protocol":
            raise error_of_openssl(PLAIN_TEXT, context, hostname)
        if kind == "version":
            raise error_of_openssl(alert(PROTOCOL_VERSION), context, hostname)
        if kind == "alert" or (kind == "client-certificate" and not speaks_tls_1_3(context)):
            raise error_of_openssl(alert(HANDSHAKE_FAILURE), context, hostname)
        if kind == "wrong-host" and context.check_hostname:
            what = "IP address" if is_address(hostname or "") else "Hostname"
            code = 64 if what == "IP address" else 62
            raise not_verified(code, f"{what} mismatch, certificate is not valid for '{hostname}'.")
        if kind in CERTIFICATE_ERRORS and context.verify_mode != ssl.CERT_NONE:
            raise not_verified(*CERTIFICATE_ERRORS[kind])

    def first_read(self, context: ssl.SSLContext, hostname: str | None) -> None:
        """Raise what OpenSSL would where the server's complaint comes behind the handshake."""
        if self.kind == "client-certificate" and speaks_tls_1_3(context):
            raise error_of_openssl(alert(CERTIFICATE_REQUIRED), context, hostname, when_reading=True)


def check_kind(fault: object, kind: object, kinds: Collection[str]) -> None:
    """Refuse a kind of fault that there is not.

    Raises:
        UsageError: with the kinds there are.
    """
    if kind not in kinds:
        raise UsageError(f"{type(fault).__name__}({kind!r}): kinds are {join_names(kinds)}")


def is_address(host: str) -> bool:
    """Whether a host is an IP address."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def alert(description: int) -> bytes:
    """The record of a fatal alert (RFC 8446, 5.1 and 6)."""
    return bytes((21, 3, 3, 0, 2, 2, description))


def speaks_tls_1_3(context: ssl.SSLContext) -> bool:
    """Whether a context allows TLS 1.3."""
    older = (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2)
    return context.maximum_version not in older and not context.options & ssl.OP_NO_TLSv1_3


def error_of_openssl(
    answer: bytes, context: ssl.SSLContext, hostname: str | None, *, when_reading: bool = False
) -> ssl.SSLError:
    """OpenSSL's own complaint of a server's answer, in the handshake, or `when_reading` what follows it."""
    incoming = ssl.MemoryBIO()
    incoming.write(answer)
    connection = context.wrap_bio(incoming, ssl.MemoryBIO(), server_hostname=hostname)
    try:
        if when_reading:
            connection.read(1)
        else:
            connection.do_handshake()
    except ssl.SSLError as exc:
        return exc.with_traceback(None)
    raise AssertionError("a handshake went well")  # pragma: no cover - never


def not_verified(code: int, message: str) -> ssl.SSLCertVerificationError:
    """OpenSSL's complaint of a certificate, with the attributes that Python gives it."""
    place = re.search(
        r"\(_ssl\.c:\d+\)", str(error_of_openssl(PLAIN_TEXT, ssl.create_default_context(), "a.test"))
    )
    where = f" {place[0]}" if place else ""
    text = f"[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: {message}{where}"
    exc = ssl.SSLCertVerificationError(1, text)
    exc.library, exc.reason = "SSL", "CERTIFICATE_VERIFY_FAILED"
    exc.verify_code, exc.verify_message = code, message
    return exc
