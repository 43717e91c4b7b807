"""Many connections and many requests at once: every one answered, every one recorded, and no memory kept.

`python -m benchmarks.upstream` does it with 1,000 connections and 50,000 requests.
"""

from __future__ import annotations

import asyncio
import gc
import tracemalloc

from aiotest_kit import Upstream

CONNECTIONS = 200
REQUESTS = 5


async def ask(up: Upstream, number: int) -> int:
    """Ask over a connection of its own; how many replies came."""
    reader, writer = await asyncio.open_connection("127.0.0.1", up.port)
    for count in range(REQUESTS):
        writer.write(b"GET /%d?n=%d HTTP/1.1\r\nHost: a\r\n\r\n" % (number, count))
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        assert b"ok" == await reader.readexactly(2)
    writer.close()
    return REQUESTS


async def connections_end(up: Upstream) -> None:
    serving = up._serving
    assert serving is not None
    while serving.connections:  # noqa: ASYNC110  # nothing tells of it
        await asyncio.sleep(0)


async def test_nothing_is_lost() -> None:
    """Hundreds of connections at once: each request is answered and recorded, once."""
    async with Upstream() as up:
        up.get("/{id}").reply(body=b"ok")
        replies = sum(await asyncio.gather(*(ask(up, number) for number in range(CONNECTIONS))))

    asked = {(call.request.path, call.request.query["n"]) for call in up.calls}
    assert CONNECTIONS * REQUESTS == replies == up.call_count == len(asked)


async def test_memory_is_flat() -> None:
    """Once the calls are cleared, as much memory is in use after many requests as after a few."""
    async with Upstream() as up:
        route = up.get("/{id}").reply(body=b"ok")
        used = []
        # The same URLs each time: what was found for the last few thousand of them is remembered.
        tracemalloc.start()
        for connections in (5, 5, 50):
            await asyncio.gather(*(ask(up, number % 5) for number in range(connections)))
            up.calls.clear()
            route.calls.clear()
            await connections_end(up)
            gc.collect()
            used.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
    assert used[2] - used[1] < 100_000
