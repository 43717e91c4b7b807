"""Calls at the same time: their trace events come in the order of those over sockets, at any limit."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from tests.against_aiohttp.conftest import Door, Network
from tests.against_aiohttp.test_traces import EVENTS
from tests.support.loops import asyncio_only

# When a reply comes is up to the network.
OF_CONNECTING = [name for name in EVENTS if name.startswith(("on_connection", "on_dns", "on_request_start"))]
REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
LIMITS: dict[str, dict[str, Any]] = {
    "unlimited": {},
    "limit": {"limit": 1},
    "two": {"limit": 2},
    "per-host": {"limit_per_host": 1},
    "uncached": {"use_dns_cache": False},
}
CALLS = {
    "a-name": ("http://a.test/",) * 2,
    "names": ("http://a.test/", "http://b.test/"),
    "an-address": ("http://192.0.2.7/",) * 2,
}


async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(REPLY)


async def events_of(
    session: aiohttp.ClientSession, urls: tuple[str, ...], warm_up: str | None
) -> list[tuple[object, str]]:
    """The events of connecting of calls that begin in one turn of the loop, each with the call's number."""
    events: list[tuple[object, str]] = []
    config = aiohttp.TraceConfig()
    for name in OF_CONNECTING:

        async def note(session: object, context: Any, params: object, name: str = name) -> None:
            events.append((context.trace_request_ctx, name))

        getattr(config, name).append(note)
    session.trace_configs.append(config)
    config.freeze()

    async def call(number: int, url: str) -> None:
        async with session.get(url, trace_request_ctx=number) as response:
            await response.read()

    async with session:
        if warm_up is not None:
            await call(-1, warm_up)
        await asyncio.gather(*(call(number, url) for number, url in enumerate(urls)))
    return events


@asyncio_only  # uvloop connects in other turns of the loop
@pytest.mark.parametrize("warm_up", [None, "http://a.test/"], ids=["new", "pooled"])
@pytest.mark.parametrize("urls", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("settings", LIMITS.values(), ids=LIMITS)
async def test_order_of_events(
    settings: dict[str, Any], urls: tuple[str, ...], warm_up: str | None, door: Door, network: Network
) -> None:
    """Connecting takes a turn of the loop, in which the other calls go on."""
    await network.serve(peer)
    # An address is not resolved, so over sockets it is that of the server.
    real_urls = tuple(url.replace("192.0.2.7", f"127.0.0.1:{network.port}") for url in urls)
    expected = await events_of(network.open_session(settings), real_urls, warm_up)

    for host in ("a.test", "b.test", "192.0.2.7"):
        door.router.get(f"http://{host}/").reply(body=b"hello").optional()
    connector = aiohttp.TCPConnector(**settings)
    assert expected == await events_of(door.open_session(connector=connector), urls, warm_up)
