"""Certificates for a test: `Tls`, a throw-away authority, and what servers and clients need of it.

Knows `ssl` and trustme. Knows nothing of servers and sessions.
"""

from __future__ import annotations

import ssl
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any

from .._messages.exceptions import UsageError
from .._messages.wording import join_names

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Authority", "Tls"]

KINDS = ("valid", "expired", "wrong-host", "self-signed", "client-cert")
WRONG_HOST = "wrong-host.invalid"
CLIENT = "client@aiotest-kit.invalid"


class Tls:
    """What is right or wrong with the certificate of an upstream.

    `kind` is `"valid"`; `"expired"`, yesterday; `"wrong-host"`, for another name; `"self-signed"`, by
    nobody whom the client trusts; or `"client-cert"`, valid, and the client has to have one too. `names` are
    the host names and addresses that it is for: by default those of this machine, and any other that a
    client asks for (SNI; RFC 6066, 3).

    Raises:
        UsageError: the kind is unknown, or there is no name.
    """

    def __init__(self, kind: str = "valid", *, names: Iterable[str] | None = None) -> None:
        if kind not in KINDS:
            raise UsageError(f"unknown kind {kind!r} of TLS; kinds are: {join_names(KINDS)}")
        self.kind = kind
        self.names: tuple[str, ...] | None = None if names is None else tuple(names)
        if isinstance(names, str) or self.names == () or (self.names and kind == "wrong-host"):
            raise UsageError(f"names={names!r}: a list of the names that a {kind} certificate is for")

    def __repr__(self) -> str:
        return f"Tls({self.kind!r})" if self.names is None else f"Tls({self.kind!r}, names={self.names!r})"

    @staticmethod
    def of(value: object) -> Tls | None:
        """What an upstream's `tls=` asks for; None is no TLS."""
        if value is False or value is None:
            return None
        if value is True:
            return Tls()
        if isinstance(value, Tls):
            return value
        raise UsageError(f"tls={value!r}: it is True, or what is wrong: Tls('expired')")


OF_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")


class Authority:
    """A certificate authority that nobody trusts but whom it is given to.

    Raises:
        UsageError: trustme is not installed.
    """

    def __init__(self, tls: Tls) -> None:
        self._tls = tls
        self._ca = certificate_authority()
        self._contexts: dict[str, ssl.SSLContext] = {}

    @property
    def pem(self) -> bytes:
        """The certificate to trust."""
        pem: bytes = self._ca.cert_pem.bytes()
        return pem

    @property
    def client_pem(self) -> bytes:
        """A certificate for the client with its key; empty where it needs none."""
        pem: bytes = self._client.private_key_and_cert_chain_pem.bytes() if self._client else b""
        return pem

    @cached_property
    def _client(self) -> Any:
        return self._ca.issue_cert(CLIENT) if self._tls.kind == "client-cert" else None

    def server_context(self, hosts: Iterable[str]) -> ssl.SSLContext:
        """What the server at `hosts` shows to its clients."""
        tls = self._tls
        if tls.kind == "self-signed":
            return self_signed()
        if tls.kind == "wrong-host":
            return self._context(WRONG_HOST)
        if tls.names is not None:
            return self._context(*tls.names)
        context = self._context(*dict.fromkeys([*OF_THIS_MACHINE, *hosts]))
        context.sni_callback = self._show_asked
        return context

    def client_context(self, *, client_cert: bool) -> ssl.SSLContext:
        """What a client needs, with or without a certificate of its own."""
        context = ssl.create_default_context()
        self._ca.configure_trust(context)
        if client_cert and self._client:
            self._client.configure_cert(context)
        return context

    def _show_asked(self, connection: Any, name: str | None, _: ssl.SSLContext) -> None:
        """Show the certificate for the name that the client asks for."""
        if name is None or name in OF_THIS_MACHINE:
            return
        if name not in self._contexts:
            # What is no host name gets the certificate of this machine, which does not match.
            with suppress(ValueError):
                self._contexts[name] = self._context(name)
        connection.context = self._contexts.get(name, connection.context)

    def _context(self, *names: str) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        now = datetime.now(timezone.utc)
        if self._tls.kind == "expired":
            validity = {"not_before": now - timedelta(days=30), "not_after": now - timedelta(days=1)}
        else:
            validity = {"not_before": now - timedelta(days=1), "not_after": now + timedelta(days=30)}
        self._ca.issue_cert(*names, **validity).configure_cert(context)
        if self._tls.kind == "client-cert":
            context.verify_mode = ssl.CERT_REQUIRED
            self._ca.configure_trust(context)
        return context


def certificate_authority() -> Any:
    """A new authority of trustme's."""
    try:
        trustme = import_module("trustme")
    except ImportError as exc:
        raise UsageError("tls= needs more than is installed: pip install 'aiotest-kit[tls]'") from exc
    return trustme.CA()


def self_signed() -> ssl.SSLContext:
    """A server's context with a certificate that vouches for itself."""
    ca = certificate_authority()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    with ca.private_key_pem.tempfile() as key, ca.cert_pem.tempfile() as certificate:
        context.load_cert_chain(certificate, key)
    return context
