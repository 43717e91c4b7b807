"""Which cookies a session keeps and sends again: in memory as over sockets, for names and for addresses."""

from __future__ import annotations

import re
import ssl
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from aiotest_kit import Router, mock_session
from tests.against_aiohttp.conftest import Names, Network
from tests.against_aiohttp.ends import NO_BODY, OK, Received, Script, take

if TYPE_CHECKING:
    import asyncio

    from aiohttp.abc import ResolveResult

COOKIES = {
    "plain": b"a=1",
    "path": b"a=1; Path=/x",
    "own-domain": b"a=1; Domain=%b",
    "other-domain": b"a=1; Domain=other.test",
    "secure": b"a=1; Secure",
    "http-only": b"a=1; HttpOnly; SameSite=Lax",
    "kept": b"a=1; Max-Age=3600",
    "expired": b"a=1; Max-Age=0",
    "past": b"a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
    "two": b"a=1\r\nSet-Cookie: b=2; Path=/x",
}
PATHS = ("/", "/", "/x", "/x/y")


def sets(cookie: bytes, received: Received) -> Script:
    """A peer that sets a cookie with the first reply on each connection."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        field = b"Set-Cookie: " + cookie + b"\r\n"
        while True:
            await take(reader, received)
            writer.write(OK + field + NO_BODY)
            field = b""

    return script


async def visited(session: aiohttp.ClientSession, *urls: str) -> object:
    """What the replies had, and what the session has in the end."""
    found: list[object] = []
    async with session:
        for url in urls:
            async with session.get(url) as response:
                found.append({name: morsel.OutputString() for name, morsel in response.cookies.items()})
        jar = [(morsel.key, morsel.value, morsel["domain"], morsel["path"]) for morsel in session.cookie_jar]
    return found, jar


async def in_memory(cookie: bytes, *urls: str, unsafe: bool) -> object:
    """The visits over the memory door, and what was received."""
    received: Received = []
    router = Router()
    router.get(re.compile(".*")).raw(sets(cookie, received))
    jar = aiohttp.CookieJar(unsafe=unsafe)
    return await visited(mock_session(router, cookie_jar=jar), *urls), received


@pytest.mark.parametrize("unsafe", [False, True], ids=["safe", "unsafe"])
@pytest.mark.parametrize("host", ["a.test", "127.0.0.1"])
@pytest.mark.parametrize("cookie", COOKIES.values(), ids=COOKIES)
async def test_cookies(cookie: bytes, host: str, unsafe: bool, network: Network) -> None:
    """What is kept, and sent to which path, is the same; an address has cookies only in an unsafe jar."""
    received: Received = []
    cookie = cookie.replace(b"%b", host.encode())
    await network.serve(sets(cookie, received))
    urls = [f"http://{host}:{network.port}{path}" for path in PATHS]
    jar = aiohttp.CookieJar(unsafe=unsafe)
    real = aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=Names(network.port)), cookie_jar=jar)
    expected = await visited(real, *urls), received
    assert expected == await in_memory(cookie, *urls, unsafe=unsafe)


class Ports(Names):
    """A resolver for which every name is this machine, with a port of its own for TLS."""

    def __init__(self, plain: int, tls: int) -> None:
        super().__init__(plain)
        self._tls = tls

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
        (found,) = await super().resolve(host, port, family)
        return [{**found, "port": self._tls if port == 443 else self.port}]


@pytest.fixture
async def both(network: Network) -> tuple[Ports, Received]:
    """A server with TLS and one without, each of which sets a secure cookie."""
    trustme = pytest.importorskip("trustme")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("a.test").configure_cert(context)
    received: Received = []
    await network.serve(sets(b"a=1; Secure", received))
    plain = network.port
    await network.serve(sets(b"a=1; Secure", received), context)
    return Ports(plain, network.port), received


JOURNEYS = {
    "tls": ("https://a.test/", "https://a.test/x"),
    "tls-then-plain": ("https://a.test/", "http://a.test/", "https://a.test/"),
    "plain-then-tls": ("http://a.test/", "http://a.test/", "https://a.test/"),
    "other-host": ("https://a.test/", "https://b.test/", "https://sub.a.test/"),
}


@pytest.mark.parametrize("urls", JOURNEYS.values(), ids=JOURNEYS)
async def test_secure_cookies(urls: tuple[str, ...], both: tuple[Ports, Received]) -> None:
    """A secure cookie goes over TLS alone, whether that is real or implied."""
    ports, received = both
    # Without a cache, so that the name may have a port for each scheme.
    connector = aiohttp.TCPConnector(resolver=ports, use_dns_cache=False, ssl=False)
    expected = await visited(aiohttp.ClientSession(connector=connector), *urls), received
    assert expected == await in_memory(b"a=1; Secure", *urls, unsafe=False)
    assert any(b"Cookie: a=1" in request for request in received) is (urls != JOURNEYS["other-host"])
