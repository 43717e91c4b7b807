"""What goes wrong before there is a connection: the memory door's faults.

Each says what looking up the name, connecting and the TLS handshake come to, and raises what the operating
system or OpenSSL would; aiohttp makes its own exceptions of these. Knows nothing of routes or of aiohttp.
"""

from __future__ import annotations

import asyncio
import errno
import re
import socket
import ssl
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Literal, TypeAlias

from .._errors import UsageError
from .._text import join_names
from .exchange import ConnectFault

if TYPE_CHECKING:
    from .._http.request import Origin

__all__ = ["ConnectTimeout", "DNSFailure", "Refuse", "TLSFailure"]


@dataclass(frozen=True)
class Refuse(ConnectFault):
    """Nobody listens: the connection is refused (memory door)."""

    async def connect(self, address: object) -> None:
        """Be refused, a turn of the loop later."""
        await asyncio.sleep(0)
        raise ConnectionRefusedError(errno.ECONNREFUSED, f"Connect call failed {address}")


@dataclass(frozen=True)
class DNSFailure(ConnectFault):
    """The host's name is unknown, or with a proxy the proxy's (memory door)."""

    def unfit(self, origin: Origin) -> str | None:
        """An address is not looked up."""
        if is_address(origin.host):
            return f"{self!r} cannot happen: {origin.host} is an address, which nobody looks up"
        return None

    def look_up(self, host: str) -> None:
        """Find nothing."""
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


@dataclass(frozen=True)
class ConnectTimeout(ConnectFault):
    """Nobody answers, and the client waits for its timeout, or until the mock closes (memory door)."""

    async def connect(self, address: object) -> None:
        """Wait for ever."""
        await asyncio.get_running_loop().create_future()


Kind: TypeAlias = Literal["untrusted", "wrong-host", "expired", "protocol", "fingerprint"]
CERTIFICATE_ERRORS = {
    "untrusted": (20, "unable to get local issuer certificate"),
    "expired": (10, "certificate has expired"),
}
KINDS = (*CERTIFICATE_ERRORS, "wrong-host", "protocol", "fingerprint")


@dataclass(frozen=True)
class TLSFailure(ConnectFault):
    """The TLS handshake fails (memory door).

    `kind` says why: the certificate is `untrusted`, for the `wrong-host` or `expired`; `protocol` is a server
    that does not speak TLS; `fingerprint` is another one than that of an `aiohttp.Fingerprint`.

    As on a network, a client that does not look (`ssl=False`) does not notice: it gets an empty 200.
    """

    kind: Kind = "untrusted"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UsageError(f"TLSFailure({self.kind!r}): kinds are {join_names(KINDS)}")

    def unfit(self, origin: Origin) -> str | None:
        """Without TLS it cannot fail."""
        return None if origin.scheme == "https" else f"{self!r} cannot happen: {origin} is without TLS"

    def shake_hands(self, context: ssl.SSLContext, hostname: str | None) -> None:
        """Raise what OpenSSL would, if the client's settings let it notice."""
        if self.kind == "protocol":
            raise meeting_plain_text(context, hostname)
        if self.kind == "wrong-host" and context.check_hostname:
            what = "IP address" if is_address(hostname or "") else "Hostname"
            code = 64 if what == "IP address" else 62
            raise not_verified(code, f"{what} mismatch, certificate is not valid for '{hostname}'.")
        if self.kind in CERTIFICATE_ERRORS and context.verify_mode != ssl.CERT_NONE:
            raise not_verified(*CERTIFICATE_ERRORS[self.kind])


def is_address(host: str) -> bool:
    """Whether a host is an IP address."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def meeting_plain_text(context: ssl.SSLContext, hostname: str | None) -> ssl.SSLError:
    """OpenSSL's own complaint of a server that answers in plain text."""
    answer = ssl.MemoryBIO()
    answer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    try:
        context.wrap_bio(answer, ssl.MemoryBIO(), server_hostname=hostname).do_handshake()
    except ssl.SSLError as exc:
        return exc.with_traceback(None)
    raise AssertionError("a handshake with plain text went well")  # pragma: no cover - never


def not_verified(code: int, message: str) -> ssl.SSLCertVerificationError:
    """OpenSSL's complaint of a certificate, with the attributes that Python gives it."""
    place = re.search(r"\(_ssl\.c:\d+\)", str(meeting_plain_text(ssl.create_default_context(), "a.test")))
    where = f" {place[0]}" if place else ""
    text = f"[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: {message}{where}"
    exc = ssl.SSLCertVerificationError(1, text)
    exc.library, exc.reason = "SSL", "CERTIFICATE_VERIFY_FAILED"
    exc.verify_code, exc.verify_message = code, message
    return exc
