"""One contender in one process, timing itself a batch at a time when told to.

Owns the clock and the loop. Speaks JSON lines: it says ``{"ready": ...}`` once, then answers each line on
stdin, a number of seconds, with the microseconds that one operation took in a batch of about that length.
Knows nothing of the other contenders, and decides nothing about rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import sys
import time
import tracemalloc
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import aiohttp

from .contenders import BODY, CONTENDERS, Contender, Door

WARM_UP = 20
URLS = 10  # few enough for yarl's caches, so that many routes do not also measure the parsing of many URLs


async def fetch(door: Door, url: str) -> object:
    async with door.session.get(url) as response:
        return await response.json()


def spread(door: Door, paths: list[str]) -> list[str]:
    """Up to ``URLS`` of the routed URLs, from the first to the last, evenly."""
    count = min(URLS, len(paths))
    return [door.origin + paths[i * (len(paths) - 1) // max(1, count - 1)] for i in range(count)]


async def fetch_each(door: Door, urls: list[str], count: int) -> None:
    for i in range(count):
        await fetch(door, urls[i % len(urls)])


def say(**message: object) -> None:
    print(json.dumps(message), flush=True)


async def answer_batches(run: Callable[[int], Awaitable[None]], forget: Callable[[], object]) -> None:
    """Time ``run(n)`` once per line on stdin, n being what fits in the seconds asked for, at least one."""
    await run(1)
    started = time.perf_counter()
    await run(3)
    each = (time.perf_counter() - started) / 3
    say(ready=True, aiohttp=aiohttp.__version__)
    # Reading blocks the loop on purpose: an idle worker has nothing to do, and a thread would share the GIL.
    for line in iter(sys.stdin.readline, ""):
        count = max(1, int(float(line) / each))
        await run(max(1, min(WARM_UP, count // 5)))
        forget()
        gc.collect()
        started = time.perf_counter()
        await run(count)
        each = (time.perf_counter() - started) / count
        say(microseconds=each * 1e6, count=count)


async def time_calls(contender: Contender, routes: int, recorded: int) -> None:
    """Calls through one open door with ``recorded`` calls behind it (none: forgotten before each batch)."""
    paths = [f"/users/{number}" for number in range(routes)]
    async with contender.open(paths) as door:
        urls = spread(door, paths)
        for url in urls:
            body = await fetch(door, url)
            if body != BODY:
                raise RuntimeError(f"{url} was answered with {body!r}")
        await fetch_each(door, urls, recorded)
        forget = (lambda: None) if recorded else door.forget
        await answer_batches(lambda count: fetch_each(door, urls, count), forget)


async def time_cycles(contender: Contender, keep: bool) -> None:
    """Open, session, one call, close; with ``keep``, what can stay from test to test is made only once."""
    async with AsyncExitStack() as stack:
        reopen = contender.open
        if keep:
            if contender.keep is None:
                raise SystemExit(f"{contender.name} keeps nothing from test to test")
            reopen = await stack.enter_async_context(contender.keep())

        async def run(count: int) -> None:
            for _ in range(count):
                async with reopen(["/users/0"]) as door:
                    await fetch(door, door.origin + "/users/0")

        await answer_batches(run, lambda: None)


async def weigh_calls(contender: Contender, calls: int) -> None:
    """Say how many bytes stay allocated for each of ``calls`` calls."""
    tracemalloc.start()
    async with contender.open(["/users/0"]) as door:
        url = [door.origin + "/users/0"]
        await fetch_each(door, url, 200)
        door.forget()
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        await fetch_each(door, url, calls)
        gc.collect()
        after = tracemalloc.get_traced_memory()[0]
    say(bytes=(after - before) / calls)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.worker")
    parser.add_argument("contender", choices=CONTENDERS)
    parser.add_argument("measure", choices=("call", "cycle", "kept", "memory"))
    parser.add_argument("--routes", type=int, default=1)
    parser.add_argument("--recorded", type=int, default=0)
    options = parser.parse_args()
    contender = CONTENDERS[options.contender]
    if options.measure == "call":
        asyncio.run(time_calls(contender, options.routes, options.recorded))
    elif options.measure == "memory":
        asyncio.run(weigh_calls(contender, options.recorded))
    else:
        asyncio.run(time_cycles(contender, keep=options.measure == "kept"))


if __name__ == "__main__":
    main()
