"""The ordered trace events of a call in memory are those of the same call over a socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from multidict import CIMultiDict

if TYPE_CHECKING:
    from tests.against_aiohttp.conftest import Door, Network

EVENTS = [name for name in vars(aiohttp.TraceConfig) if name.startswith("on_")]

REPLY = b"HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 5\r\n\r\nhello"
LAST = REPLY.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
MOVED = b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"


def recorded() -> tuple[list[tuple[str, object]], aiohttp.TraceConfig]:
    """Every event with what can be compared of its parameters, and what notes them."""
    events: list[tuple[str, object]] = []
    config = aiohttp.TraceConfig()
    for name in EVENTS:

        async def note(session: object, context: object, params: Any, name: str = name) -> None:
            events.append((name, facts(params)))

        getattr(config, name).append(note)
    return events, config


def facts(params: Any) -> dict[str, object]:
    """The parameters of an event, as values."""
    values: dict[str, object] = {}
    for name in type(params).__slots__:
        if name == "__weakref__":
            continue
        value = getattr(params, name)
        if isinstance(value, CIMultiDict):
            values[name] = list(value.items())
        elif isinstance(value, aiohttp.ClientResponse):
            values[name] = (value.status, value.reason, value.raw_headers, value.url)
        elif isinstance(value, BaseException):
            values[name] = (type(value), str(value))
        else:
            values[name] = value
    return values


async def read(session: aiohttp.ClientSession, *args: Any, **options: Any) -> None:
    async with session.request(*args, **options) as response:
        await response.read()


async def get(session: aiohttp.ClientSession) -> None:
    await read(session, "GET", "http://a.test/")


async def get_twice(session: aiohttp.ClientSession) -> None:
    await get(session)
    await get(session)


async def hosts(session: aiohttp.ClientSession) -> None:
    for host in ("a.test", "b.test", "a.test"):
        await read(session, "GET", f"http://{host}/")


async def head(session: aiohttp.ClientSession) -> None:
    await read(session, "GET", "http://a.test/", headers={"X-B": "2"}, params={"q": "ü"})


async def post(session: aiohttp.ClientSession) -> None:
    await read(session, "POST", "http://a.test/", data=b"body")


async def post_twice(session: aiohttp.ClientSession) -> None:
    await post(session)
    await post(session)


async def generator_twice(session: aiohttp.ClientSession) -> None:
    await generator(session)
    await generator(session)


async def generator(session: aiohttp.ClientSession) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for number in range(3):
            await asyncio.sleep(0)
            yield b"%d" % number

    await read(session, "POST", "http://a.test/", data=pieces())


async def redirected(session: aiohttp.ClientSession) -> None:
    await read(session, "GET", "http://a.test/moved")


async def disconnected(session: aiohttp.ClientSession) -> None:
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await read(session, "POST", "http://a.test/drop")


async def disconnected_and_retried(session: aiohttp.ClientSession) -> None:
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await read(session, "GET", "http://a.test/drop")


async def streamed(session: aiohttp.ClientSession) -> None:
    async with session.get("http://a.test/") as response:
        async for _ in response.content.iter_any():
            pass


SCENARIOS: dict[str, tuple[Callable[[aiohttp.ClientSession], Awaitable[None]], dict[str, Any]]] = {
    "new": (get, {}),
    "reused": (get_twice, {}),
    "hosts": (hosts, {}),
    "force_close": (get_twice, {"force_close": True}),
    "no-dns-cache": (get_twice, {"force_close": True, "use_dns_cache": False}),
    "headers": (head, {}),
    "body": (post, {}),
    "body-reused": (post_twice, {}),
    "generator-reused": (generator_twice, {}),
    "generator": (generator, {}),
    "redirect": (redirected, {}),
    "disconnect": (disconnected, {}),
    "retry": (disconnected_and_retried, {}),
    "streamed": (streamed, {}),
}


async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The byte-equal far end of the routes below."""
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        if b" /drop " in head:
            return
        if b"chunked" in head:
            await reader.readuntil(b"0\r\n\r\n")
        elif b"Content-Length: 4" in head:
            await reader.readexactly(4)
        if b"Connection: close" in head:
            writer.write(LAST)
            return
        writer.write(MOVED if b" /moved " in head else REPLY)


async def drop(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")


@pytest.mark.parametrize(("client", "settings"), SCENARIOS.values(), ids=SCENARIOS)
async def test_events(
    door: Door,
    network: Network,
    client: Callable[[aiohttp.ClientSession], Awaitable[None]],
    settings: dict[str, Any],
) -> None:
    """Each event, its place in the order and its parameters are as over a socket."""
    expected, config = recorded()
    await network.serve(peer)
    for host in ("a.test", "b.test"):
        door.router.any(f"http://{host}/").reply(headers={"X-A": "1"}, body=b"hello").optional()
    door.router.any("http://a.test/moved").redirect("/").optional()
    door.router.any("http://a.test/drop").raw(drop).optional()
    async with network.open_session(settings, trace_configs=[config]) as session:
        await client(session)
    actual, config = recorded()
    connector = aiohttp.TCPConnector(**settings)
    async with door.open_session(connector=connector, trace_configs=[config]) as session:
        await client(session)
    assert [name for name, _ in expected] == [name for name, _ in actual]
    assert expected == actual
