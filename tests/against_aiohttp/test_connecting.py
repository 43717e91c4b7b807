"""Connections that fail: over real sockets and OpenSSL, and by the faults that stand for it."""

from __future__ import annotations

import asyncio
import gc
import re
import socket
import ssl
import sys
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
from tests.against_aiohttp.conftest import Names, Network, Script
from tests.against_aiohttp.ends import EMPTY, Client, Received, answers, facts_of, reset, seen
from tests.against_aiohttp.test_traces import recorded

if TYPE_CHECKING:
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


class Failing(AbstractResolver):
    """A resolver that fails, after a while if it is slow."""

    def __init__(self, error: Exception, seconds: float = 0) -> None:
        self.error = error
        self.seconds = seconds

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
        await asyncio.sleep(self.seconds)
        raise self.error

    async def close(self) -> None: ...


async def nobody(place: Place) -> AbstractResolver:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return Names(listener.getsockname()[1])


def not_found(error: Exception, seconds: float = 0) -> Real:
    """A look-up that fails."""

    async def real(place: Place) -> AbstractResolver:
        return Failing(error, seconds)

    return real


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


def handshake(script: Script) -> Real:
    """A server that acts when a handshake has begun; with a proxy, behind its tunnel."""

    async def whole(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.readexactly(1)
        if first == b"C":
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            first = await reader.readexactly(1)
        head = first + await reader.readexactly(4)
        hello = head + await reader.readexactly(int.from_bytes(head[3:], "big"))
        reader.feed_data(hello)
        await script(reader, writer)

    async def real(place: Place) -> AbstractResolver:
        await place.network.serve(whole)
        return Names(place.network.port)

    return real


async def closes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(65536)
    writer.close()


async def resets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(65536)
    reset(writer)


async def refuses(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send the alert handshake_failure (RFC 8446, 6.2)."""
    await reader.read(65536)
    writer.write(b"\x15\x03\x03\x00\x02\x02\x28")
    await reader.read()


def openssl(configure: Callable[[Place, ssl.SSLContext], None]) -> Real:
    """A server of OpenSSL, which tells the client what is wrong before it ends: asyncio's does not."""

    async def real(place: Place) -> AbstractResolver:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        place.authority.issue_cert("a.test").configure_cert(context)
        configure(place, context)

        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            connection = context.wrap_bio(incoming, outgoing, server_side=True)
            while True:
                incoming.write(await reader.read(65536))
                try:
                    connection.do_handshake()
                except ssl.SSLWantReadError:
                    writer.write(outgoing.read())
                except ssl.SSLError:
                    break
            writer.write(outgoing.read())
            await reader.read()

        return await handshake(script)(place)

    return real


def old_versions(place: Place, context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_3


def wants_certificate(place: Place, context: ssl.SSLContext) -> None:
    context.verify_mode = ssl.CERT_REQUIRED
    place.authority.configure_trust(context)


@dataclass(frozen=True)
class Failure:
    """What keeps a client from connecting, and the fault that stands for it.

    `trusts` says whether the client trusts the server, `newest` which TLS the client speaks at most.
    """

    fault: object
    real: Real
    client: Client
    trusts: bool = True
    newest: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED


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
HANDSHAKES: dict[str, tuple[Any, Real]] = {
    "closed": (TLSFailure("closed"), handshake(closes)),
    "reset": (TLSFailure("reset"), handshake(resets)),
    "alert": (TLSFailure("alert"), handshake(refuses)),
    "client-certificate": (TLSFailure("client-certificate"), openssl(wants_certificate)),
}
UNKNOWN = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
LOOKUPS: dict[str, tuple[DNSFailure, Exception]] = {
    "unknown": (DNSFailure(), UNKNOWN),
    "not-found": (DNSFailure("not-found"), UNKNOWN),
    "temporary": (
        DNSFailure("temporary"),
        socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"),
    ),
    "no-errno": (DNSFailure("no-errno"), OSError(None, "Domain name not found")),
    "gives-up": (DNSFailure("timeout"), asyncio.TimeoutError()),
}
FAILURES: dict[str, Failure] = {
    **{f"refused-{name}": Failure(Refuse(), nobody, client) for name, client in CLIENTS.items()},
    **{
        f"{kind}-{name}": Failure(fault, not_found(error), client)
        for kind, (fault, error) in LOOKUPS.items()
        for name, client in CLIENTS.items()
    },
    **{
        f"slow-lookup-{limit}": Failure(
            DNSFailure("temporary", delay=60), not_found(UNKNOWN, 60), ask(PLAIN, timeout=timeout)
        )
        for limit, timeout in LIMITS.items()
        if limit != "sock_connect"
    },
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
    **{
        f"{kind}-{name}": Failure(fault, real, client, newest=newest)
        for kind, (fault, real) in HANDSHAKES.items()
        for name, client, newest in (
            ("get", ask(TLS), ssl.TLSVersion.MAXIMUM_SUPPORTED),
            ("post", ask(TLS, "POST", data=b"body"), ssl.TLSVersion.MAXIMUM_SUPPORTED),
            ("websocket", opens("wss://a.test/"), ssl.TLSVersion.MAXIMUM_SUPPORTED),
            ("unverified", ask(TLS, ssl=False), ssl.TLSVersion.MAXIMUM_SUPPORTED),
            ("tunnel", ask(TLS, proxy=PROXY), ssl.TLSVersion.MAXIMUM_SUPPORTED),
            ("tls-1.2", ask(TLS), ssl.TLSVersion.TLSv1_2),
        )
    },
    **{
        f"version-{name}": Failure(
            TLSFailure("version"), openssl(old_versions), client, newest=ssl.TLSVersion.TLSv1_2
        )
        for name, client in (
            ("get", ask(TLS)),
            ("post", ask(TLS, "POST", data=b"body")),
            ("websocket", opens("wss://a.test/")),
            ("tunnel", ask(TLS, proxy=PROXY)),
        )
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


# Python 3.10 leaves a transport open that an alert of TLS has ended.
@pytest.mark.filterwarnings("ignore:unclosed transport <asyncio.sslproto:ResourceWarning")
@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
async def test_failure(failure: Failure, network: Network) -> None:
    """Class, bases, text, attributes, causes and trace events are those of the real thing."""
    async with AsyncExitStack() as stack:
        place = Place(network, stack)
        trust: Any = place.trusting() if failure.trusts else True
        if failure.trusts:
            trust.maximum_version = failure.newest
        resolver = await failure.real(place)
        connector = aiohttp.TCPConnector(resolver=resolver, ssl=trust)
        real = aiohttp.ClientSession(connector=connector)
        expected = await observed(real, failure.client, place.digest)
        if sys.version_info < (3, 11):
            gc.collect()

    router = Router()
    router.any(re.compile(".*")).reply(failure.fault)
    session = mock_session(router, connector=aiohttp.TCPConnector(ssl=trust))
    async with virtual_time():
        assert expected == await observed(session, failure.client, NO_CERTIFICATE)
    assert 1 == len(router.calls)


UNNOTICED = ("untrusted", "wrong-host", "expired", "fingerprint")


@pytest.mark.parametrize("kind", UNNOTICED)
async def test_not_noticed(kind: Any, network: Network) -> None:
    """A client that does not look connects once, and gets its answer, with the events of any call."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("b.test").configure_cert(context)
    received: Received = []
    await network.serve(answers(EMPTY, EMPTY)(received), context)
    client = ask(TLS, ssl=False)
    connector = aiohttp.TCPConnector(resolver=Names(network.port))
    expected = await observed(aiohttp.ClientSession(connector=connector), client, NO_CERTIFICATE)

    router = Router()
    router.get(TLS).reply(TLSFailure(kind))
    assert expected == await observed(mock_session(router), client, NO_CERTIFICATE)
    assert 1 == len(router.calls)


def test_table_is_large() -> None:
    """So many ways to fail."""
    assert len(FAILURES) >= 40
