"""The loopback door under load, beside a plain `aiohttp.web` app and pytest-httpserver; see README.md.

    python -m benchmarks.upstream            # 1,000 connections, 50,000 requests each
    python -m benchmarks.upstream --quick    # a tenth of it

Each server runs in a process of its own and answers one static route; one client in this process keeps the
connections and asks over all of them at once. pytest-httpserver closes a connection behind each reply, so it
gets a new one each time.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import multiprocessing
import resource
import sys
import time
import tracemalloc
from collections.abc import Callable
from importlib.util import find_spec
from multiprocessing.connection import Connection

REQUEST = b"GET /static HTTP/1.1\r\nHost: a.test\r\n\r\n"
BODY = '{"id": 7, "name": "Ada"}'
Server = Callable[[Connection], None]


def kit(pipe: Connection) -> None:
    """An upstream; afterwards it counts its calls and weighs what is left."""
    from aiotest_kit import Upstream

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        async with Upstream() as up:
            up.get("/static").reply(body=BODY, content_type="application/json")
            pipe.send(up.port)
            await loop.run_in_executor(None, pipe.recv)
            pipe.send(up.call_count)
            up.reset()

    asyncio.run(serve())


def plain_aiohttp(pipe: Connection) -> None:
    """aiohttp's own server; it records nothing."""
    from aiohttp import web

    async def handler(request: web.Request) -> web.Response:
        return web.Response(text=BODY, content_type="application/json")

    async def serve() -> None:
        app = web.Application()
        app.router.add_get("/static", handler)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, backlog=2048)
        await site.start()
        pipe.send(runner.addresses[0][1])
        await asyncio.get_running_loop().run_in_executor(None, pipe.recv)
        pipe.send(0)
        await runner.cleanup()

    asyncio.run(serve())


def pytest_httpserver(pipe: Connection) -> None:
    """pytest-httpserver, which records its calls."""
    from pytest_httpserver import HTTPServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with HTTPServer(host="127.0.0.1") as server:
        server.expect_request("/static").respond_with_data(BODY, content_type="application/json")
        pipe.send(server.port)
        pipe.recv()
        pipe.send(len(server.log))


async def ask(port: int, requests: int, *, keeps: bool) -> int:
    """Ask over one connection, or over one after the other; how many replies were right."""
    right = 0
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for number in range(requests):
        if number and not keeps:
            writer.close()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(REQUEST)
        head = await reader.readuntil(b"\r\n\r\n")
        right += BODY.encode() == await reader.readexactly(len(BODY)) and b" 200 " in head
    writer.close()
    return right


async def load(port: int, connections: int, requests: int, *, keeps: bool) -> tuple[int, float]:
    """How many replies were right, and how many there were in a second."""
    started = time.perf_counter()
    asked = [ask(port, requests // connections, keeps=keeps) for _ in range(connections)]
    right = sum(await asyncio.gather(*asked))
    return right, right / (time.perf_counter() - started)


def measure(server: Server, connections: int, requests: int, *, keeps: bool = True) -> tuple[int, float, int]:
    """Replies, replies in a second, and calls recorded."""
    mine, its = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=server, args=(its,))
    process.start()
    port = mine.recv()
    asyncio.run(load(port, 1, 20, keeps=keeps))
    right, rate = asyncio.run(load(port, connections, requests, keeps=keeps))
    mine.send("stop")
    recorded = mine.recv()
    process.join()
    return right, rate, recorded


def memory(requests: int) -> tuple[int, int]:
    """Bytes kept after `calls.clear()` in two rounds of requests, the second more than the first."""
    from aiotest_kit import Upstream

    async def rounds() -> list[int]:
        kept = []
        async with Upstream() as up:
            route = up.get("/static").reply(body=BODY)
            for _ in range(3):
                await load(up.port, 10, requests, keeps=True)
                up.calls.clear()
                route.calls.clear()
                await asyncio.sleep(0.1)
                kept.append(tracemalloc.get_traced_memory()[0])
        return kept

    tracemalloc.start()
    _, first, second = asyncio.run(rounds())
    return first, second


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.upstream")
    parser.add_argument("--quick", action="store_true", help="a tenth of the load")
    part = 10 if parser.parse_args().quick else 1
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    connections, requests = 1000 // part, 50_000 // part

    right, rate, recorded = measure(kit, connections, requests)
    print(f"{connections} connections, {requests} requests: {right} replies, {recorded - 20} calls recorded")
    for name, server in (("aiohttp.web", plain_aiohttp), ("pytest-httpserver", pytest_httpserver)):
        if find_spec(name.partition(".")[0].replace("-", "_")) is None:
            print(f"{name}: n/a: it is not installed")
        else:
            print(f"throughput of a static route: {ratio(server, part):.2f} x {name}")
    print(f"at once over {connections} connections: {rate:.0f} replies in a second")
    first, second = memory(10_000 // part)
    print(f"kept after calls.clear(): {first} B, and after as many requests again {second} B")
    return 0 if right == requests == recorded - 20 else 1


def ratio(server: Server, part: int) -> float:
    """How many times as many requests the kit answers in the same time: the median of three pairs."""
    keeps = server is not pytest_httpserver
    pairs = [
        (
            measure(kit, 20, 10_000 // part)[1],
            measure(server, 20, (10_000 if keeps else 1000) // part, keeps=keeps)[1],
        )
        for _ in range(3)
    ]
    return sorted(ours / theirs for ours, theirs in pairs)[1]


if __name__ == "__main__":
    sys.exit(main())
