"""Connections that fail: over real sockets and OpenSSL, and by the faults that stand for it."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver

from aiotest_kit import ConnectTimeout, DNSFailure, Refuse, Router, TLSFailure, mock_session, virtual_time
from tests.fidelity.conftest import Names, Network
from tests.fidelity.ends import Client, facts_of, seen
from tests.fidelity.test_traces import recorded

if TYPE_CHECKING:
    import asyncio

    from aiohttp.abc import ResolveResult

trustme = pytest.importorskip("trustme")

Real = Callable[["Place"], Awaitable[AbstractResolver]]
PROXY = "http://proxy.test:3128"
NO_CERTIFICATE = sha256(b"").digest()


class Place:
    """Where a client fails to connect to: what is there ends with the test."""

    def __init__(self, network: Network, stack: AsyncExitStack) -> None:
        self.network = network
        self.stack = stack
        self.authority = trustme.CA()
        self.digest = NO_CERTIFICATE

    def trusting(self) -> ssl.SSLContext:
        """What a client has that knows the authority."""
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        return context


class Unknown(AbstractResolver):
    """A resolver that finds nothing, as the system's says it."""

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async def close(self) -> None: ...


async def nobody(place: Place) -> AbstractResolver:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return Names(listener.getsockname()[1])


async def unknown(place: Place) -> AbstractResolver:
    """A name that is not known."""
    return Unknown()


async def silent(place: Place) -> AbstractResolver:
    """A port whose queue is full, so that the system answers no more."""
    listener = place.stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
    for _ in range(8):
        waiting = place.stack.enter_context(socket.socket())
        waiting.setblocking(False)
        waiting.connect_ex(listener.getsockname())
    return Names(listener.getsockname()[1])


async def plain_text(place: Place) -> AbstractResolver:
    """A server that does not speak TLS."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await reader.read()

    await place.network.serve(script)
    return Names(place.network.port)


def certified(*names: str, days: int = 30) -> Real:
    """A server with a certificate for some names, for some days from yesterday on."""

    async def real(place: Place) -> AbstractResolver:
        now = datetime.now(timezone.utc)
        begin = now - timedelta(days=90)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        issued = place.authority.issue_cert(*names, not_before=begin, not_after=now + timedelta(days=days))
        issued.configure_cert(context)
        certificate = ssl.PEM_cert_to_DER_cert(issued.cert_chain_pems[0].bytes().decode())
        place.digest = sha256(certificate).digest()

        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()

        await place.network.serve(script, context)
        return Names(place.network.port)

    return real


@dataclass(frozen=True)
class Failure:
    """What keeps a client from connecting, and the fault that stands for it; `trusts` is the client."""

    fault: object
    real: Real
    client: Client
    trusts: bool = True


def ask(url: str, method: str = "GET", **options: Any) -> Client:
    async def client(session: aiohttp.ClientSession) -> object:
        return await seen(session, method, url, **options)

    return client


def opens(url: str) -> Client:
    """A client of a websocket."""

    async def client(session: aiohttp.ClientSession) -> object:
        with pytest.raises(aiohttp.ClientError) as caught:
            await session.ws_connect(url)
        return facts_of(caught.value)

    return client


PLAIN, TLS = "http://a.test/", "https://a.test/"
CLIENTS: dict[str, Client] = {
    "plain": ask(PLAIN),
    "post": ask(PLAIN, "POST", data=b"body"),
    "tls": ask(TLS),
    "unverified": ask(TLS, ssl=False),
    "port": ask("http://a.test:8080/x"),
    "websocket": opens("ws://a.test/"),
    "proxy": ask(PLAIN, proxy=PROXY),
    "tunnel": ask(TLS, proxy=PROXY),
    "redirects-off": ask(PLAIN, allow_redirects=False),
}
LIMITS = {
    "connect": aiohttp.ClientTimeout(connect=0.3),
    "sock_connect": aiohttp.ClientTimeout(sock_connect=0.3),
    "total": aiohttp.ClientTimeout(total=0.3),
}
KINDS: dict[str, tuple[Any, Real, bool]] = {
    "untrusted": (TLSFailure("untrusted"), certified("a.test"), False),
    "wrong-host": (TLSFailure("wrong-host"), certified("b.test"), True),
    "expired": (TLSFailure("expired"), certified("a.test", days=-1), True),
    "protocol": (TLSFailure("protocol"), plain_text, True),
    "fingerprint": (TLSFailure("fingerprint"), certified("a.test"), True),
}
CERTAIN = aiohttp.Fingerprint(bytes(32))
FAILURES: dict[str, Failure] = {
    **{f"refused-{name}": Failure(Refuse(), nobody, client) for name, client in CLIENTS.items()},
    **{f"unknown-{name}": Failure(DNSFailure(), unknown, client) for name, client in CLIENTS.items()},
    **{
        f"silent-{limit}-{name}": Failure(ConnectTimeout(), silent, ask(url, timeout=timeout))
        for limit, timeout in LIMITS.items()
        for name, url in (("plain", PLAIN), ("tls", TLS))
    },
    **{
        f"{kind}-{name}": Failure(fault, real, client, trusts)
        for kind, (fault, real, trusts) in KINDS.items()
        for name, client in (
            ("get", ask(TLS)),
            ("post", ask(TLS, "POST", data=b"body")),
            ("websocket", opens("wss://a.test/")),
            ("other-name", ask(TLS, server_hostname="c.test")),
        )
        # Of two things that are wrong, OpenSSL tells the name first.
        if kind != "fingerprint" and (kind, name) != ("expired", "other-name")
    },
    "protocol-unverified": Failure(TLSFailure("protocol"), plain_text, ask(TLS, ssl=False)),
    "protocol-fingerprint": Failure(TLSFailure("protocol"), plain_text, ask(TLS, ssl=CERTAIN)),
    "fingerprint-get": Failure(TLSFailure("fingerprint"), certified("a.test"), ask(TLS, ssl=CERTAIN)),
    "fingerprint-post": Failure(
        TLSFailure("fingerprint"), certified("a.test"), ask(TLS, "POST", ssl=CERTAIN, data=b"body")
    ),
}

ADDRESS = re.compile(r"(127\.0\.0\.1|192\.0\.2\.1)(', \d+)?")
KEY = re.compile(r"^[\w+/]{22}==$")
"""Of a websocket's handshake, which is at random."""


async def observed(session: aiohttp.ClientSession, client: Client, digest: bytes) -> object:
    """All that can be told of a call; of what must differ only that it is there."""
    events, config = recorded()
    session.trace_configs.append(config)
    config.freeze()
    async with session:
        facts = await client(session)
    return comparable([facts, events], repr(digest))


def comparable(value: Any, digest: str) -> object:
    """A value without what must differ: where the other end was, and which certificate it had."""
    if isinstance(value, str):
        return ADDRESS.sub("<address>", KEY.sub("<key>", value.replace(digest, "<digest>")))
    if isinstance(value, dict):
        place = {"host", "port"} if "got" in value else set()
        return {name: comparable(each, digest) for name, each in value.items() if name not in place}
    if isinstance(value, (list, tuple)):
        return [comparable(each, digest) for each in value]
    return value


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
async def test_failure(failure: Failure, network: Network) -> None:
    """Class, bases, text, attributes, causes and trace events are those of the real thing."""
    async with AsyncExitStack() as stack:
        place = Place(network, stack)
        trust: Any = place.trusting() if failure.trusts else True
        resolver = await failure.real(place)
        connector = aiohttp.TCPConnector(resolver=resolver, ssl=trust)
        real = aiohttp.ClientSession(connector=connector)
        expected = await observed(real, failure.client, place.digest)

    router = Router()
    router.any(re.compile(".*")).reply(failure.fault)
    session = mock_session(router, connector=aiohttp.TCPConnector(ssl=trust))
    async with virtual_time():
        assert expected == await observed(session, failure.client, NO_CERTIFICATE)
    assert 1 == len(router.calls)


def test_table_is_large() -> None:
    """So many ways to fail."""
    assert len(FAILURES) >= 40
