"""Resolvers of the user's own: what they raise and give is seen in memory as over sockets."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver

from aiotest_kit import RealConnector, Refuse, Router, mock, mock_session
from aiotest_kit.compat.aiointercept import aiointercept
from aiotest_kit.compat.aioresponses import aioresponses
from aiotest_kit.compat.aresponses import ResponsesMockServer
from tests.against_aiohttp.conftest import Door, Names, Network
from tests.against_aiohttp.ends import facts_of
from tests.against_aiohttp.test_traces import recorded

if TYPE_CHECKING:
    from aiohttp.abc import ResolveResult

URL = "http://api.test/"


class Raising(AbstractResolver):
    """A resolver that fails."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
        raise self.error

    async def close(self) -> None: ...


class Knows(AbstractResolver):
    """A resolver that gives some addresses."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
        return [
            {"hostname": host, "host": address, "port": port, "family": family, "proto": 0, "flags": 0}
            for address in self.addresses
        ]

    async def close(self) -> None: ...


class Threaded(aiohttp.ThreadedResolver):
    """aiohttp's own, but that some names are refused."""

    async def resolve(self, host: str, port: int = 0, family: Any = socket.AF_INET) -> list[ResolveResult]:
        if host == "refused.test":
            raise OSError(None, "this host is refused")
        return await super().resolve(host, port, family)


class Guarding(AbstractResolver):
    """A resolver before another one, which refuses addresses that are not public."""

    def __init__(self) -> None:
        self.inner = aiohttp.ThreadedResolver()

    async def resolve(self, host: str, port: int = 0, family: Any = socket.AF_INET) -> list[ResolveResult]:
        found = await self.inner.resolve(host, port, family)
        if any(each["host"].startswith(("10.", "127.", "192.0.2.", "192.168.")) for each in found):
            raise OSError(None, "not a public address")
        return found

    async def close(self) -> None:
        await self.inner.close()


class AsksTheLoop(AbstractResolver):
    """A resolver that asks the running loop."""

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, family=family)
        return [
            {"hostname": host, "host": str(address[0]), "port": port, "family": kind, "proto": 0, "flags": 0}
            for kind, _, _, _, address in found
        ]

    async def close(self) -> None: ...


def changed() -> AbstractResolver:
    """aiohttp's own resolver, whose method somebody has replaced."""
    resolver = aiohttp.ThreadedResolver()
    vars(resolver)["resolve"] = Raising(OSError(7, "replaced")).resolve
    return resolver


FAILURES: dict[str, Callable[[], AbstractResolver]] = {
    "not-found": lambda: Raising(socket.gaierror(socket.EAI_NONAME, "Name or service not known")),
    "no-errno": lambda: Raising(OSError(None, "DNS server returned answer with no data")),
    "no-arguments": lambda: Raising(OSError()),
    "timeout": lambda: Raising(asyncio.TimeoutError()),
    "a-client-error": lambda: Raising(aiohttp.ClientConnectionError("no way")),
    "a-bug": lambda: Raising(KeyError("host")),
    "no-addresses": lambda: Knows(),
    "an-instance-that-was-changed": changed,
}


async def seen(session: aiohttp.ClientSession) -> object:
    """What a call comes to, and its events."""
    events, config = recorded()
    session.trace_configs.append(config)
    config.freeze()
    async with session:
        with pytest.raises(Exception) as caught:  # noqa: PT011  # which one is compared
            await session.get(URL)
    return facts_of(caught.value), events


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The hosts for which the system is asked: none is to be."""
    hosts: list[object] = []

    def getaddrinfo(host: object, *args: object, **options: object) -> list[object]:
        hosts.append(host)
        raise socket.gaierror(socket.EAI_AGAIN, "kept on this machine by the test")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return hosts


@pytest.mark.parametrize("cache", [True, False], ids=["cached", "uncached"])
@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
async def test_failure(failure: Callable[[], AbstractResolver], door: Door, cache: bool) -> None:
    """What a resolver raises has the class, the attributes, the causes and the events of a real call."""
    options: dict[str, Any] = {"use_dns_cache": cache}
    expected = await seen(aiohttp.ClientSession(connector=RealConnector(resolver=failure(), **options)))

    door.router.get(URL).optional()
    connector = aiohttp.TCPConnector(resolver=failure(), **options)
    assert expected == await seen(door.open_session(connector=connector))
    assert not door.router.calls


async def test_addresses(network: Network) -> None:
    """The connection leads to the first address that a resolver gives, as over a network."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
        await reader.read()

    async def peer(session: aiohttp.ClientSession) -> object:
        async with session, session.get(URL) as response:
            assert response.connection is not None
            assert response.connection.transport is not None
            return response.connection.transport.get_extra_info("peername")

    await network.serve(script)
    real = aiohttp.TCPConnector(resolver=Names(network.port))
    expected = await peer(aiohttp.ClientSession(connector=real))
    router = Router()
    router.get(URL).raw(script)
    connector = aiohttp.TCPConnector(resolver=Names(network.port))
    assert expected == await peer(mock_session(router, connector=connector))


@pytest.mark.parametrize("resolver", [Threaded, Guarding, AsksTheLoop, aiohttp.ThreadedResolver])
async def test_nobody_is_asked(resolver: Callable[[], AbstractResolver], asked: list[object]) -> None:
    """What a resolver asks of aiohttp's or of the loop is answered in memory, with a public address."""
    with mock() as router:
        router.get(URL)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=resolver())) as session:
            assert 200 == (await session.get(URL)).status
    assert [] == asked


async def test_a_resolver_that_refuses_some_hosts() -> None:
    """Hosts that it refuses are seen to be refused, others are stubbed."""
    with mock() as router:
        router.get(re.compile(".*"))
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=Threaded())) as session:
            assert 200 == (await session.get(URL)).status
            with pytest.raises(aiohttp.ClientConnectorDNSError, match="this host is refused"):
                await session.get("http://refused.test/")


async def test_a_resolver_on_aiodns(asked: list[object]) -> None:
    """One that is built on aiohttp's `AsyncResolver` is not asked, as its sockets cannot be kept back."""

    class OnAiodns(aiohttp.AsyncResolver):
        def __init__(self) -> None:
            """Without aiodns."""

        async def resolve(
            self, host: str, port: int = 0, family: Any = socket.AF_INET
        ) -> list[ResolveResult]:
            raise AssertionError(host)

        async def close(self) -> None: ...

    before = Guarding()
    vars(before)["inner"] = OnAiodns()
    with mock() as router:
        router.get(URL)
        for resolver in (OnAiodns(), before):
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=resolver)) as session:
                assert 200 == (await session.get(URL)).status
    assert [] == asked


async def test_a_fault_instead() -> None:
    """A route that fails the connection does so before or after the user's resolver, as it says."""
    with mock() as router:
        router.get(URL).reply(Refuse()).optional()
        for resolver, kind in (
            (Knows("10.0.0.1"), aiohttp.ClientConnectorError),
            (Raising(OSError(7, "no")), aiohttp.ClientConnectorDNSError),
        ):
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=resolver)) as session:
                with pytest.raises(kind) as caught:
                    await session.get(URL)
            assert kind is caught.type


async def test_stand_ins_do_not_ask() -> None:
    """The libraries that are stood in for ask no resolver, and their stand-ins neither."""

    async def ask() -> int:
        resolver = Raising(OSError(7, "asked"))
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=resolver)) as session:
            return (await session.get(URL)).status

    with aioresponses() as stubs:
        stubs.get(URL)
        assert 200 == await ask()
    async with aiointercept(mock_external_urls=True) as intercept:
        intercept.get(URL)
        assert 200 == await ask()
    async with ResponsesMockServer() as server:
        server.add("api.test", "/", "get", server.Response())
        assert 200 == await ask()
