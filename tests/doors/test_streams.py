"""Bodies that come piece by piece, as chunks and as server-sent events, through every door."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import aiohttp
import pytest

from aiotest_kit import Disconnect, Drip, Flaky, Reset, Route, Router, Stall, Truncate, Upstream
from tests.doors.conftest import Door
from tests.doors.test_bodies import CODINGS

URL = "http://a.test/"


async def raised(session: aiohttp.ClientSession) -> tuple[type[BaseException], bytes]:
    """What a client's call raises, and what it had read before."""
    read = b""
    try:
        async with session.get(URL) as response:
            async for data in response.content.iter_any():
                read += data
    except (aiohttp.ClientError, OSError, asyncio.TimeoutError) as exc:
        return type(exc), read
    raise AssertionError("nothing was raised")


BREAKING = [Truncate(), Disconnect(), Reset(), Flaky(Truncate(), 1, 1)]


@pytest.mark.parametrize("given", ["list", "function", "async function"])
@pytest.mark.parametrize("fault", BREAKING, ids=repr)
async def test_events_that_break_off(
    router: Router, session: aiohttp.ClientSession, fault: object, given: str
) -> None:
    """A fault among events happens behind those before it, as it does among chunks."""
    listed = [{"id": 1, "data": "one"}, 0.01, fault, {"data": "never"}]

    def events() -> Iterator[object]:
        yield from listed

    async def async_events() -> AsyncIterator[object]:
        for event in listed:
            yield event

    router.get(URL).sse({"list": listed, "function": events, "async function": async_events}[given])

    for _ in range(2):
        assert (aiohttp.ClientPayloadError, b"id: 1\ndata: one\n\n") == await raised(session)


async def test_events_that_stall(door: Door) -> None:
    """A client may wait for an event in vain."""
    door.router.get(URL).sse(["one", Stall()])
    timeout = aiohttp.ClientTimeout(sock_read=0.05)
    async with door.no_waiting(), door.open_session(timeout=timeout) as session:
        assert (aiohttp.SocketTimeoutError, b"data: one\n\n") == await raised(session)


async def test_events_that_drip(door: Door) -> None:
    """What follows a `Drip` comes slowly, and whole."""
    door.router.get(URL).sse([Drip(1000), "one"])
    async with door.no_waiting(), door.open_session() as session, session.get(URL) as response:
        assert "data: one\n\n" == await response.text()


async def test_resumed_events(router: Router, session: aiohttp.ClientSession) -> None:
    """A function is given the request: a client that comes again is told what it has not had yet."""

    def events(request: Any) -> Iterator[object]:
        last = int(request.headers.get("Last-Event-ID", 0))
        for number in range(last + 1, 5):
            yield {"id": number, "data": {"n": number}}
            if number == 2 and not last:
                yield Truncate()

    router.get(URL).sse(events)
    kind, read = await raised(session)
    assert (aiohttp.ClientPayloadError, b"id: 2") == (kind, read.splitlines()[-3])
    async with session.get(URL, headers={"Last-Event-ID": "2"}) as response:
        assert 'id: 3\ndata: {"n": 3}\n\nid: 4\ndata: {"n": 4}\n\n' == await response.text()


@pytest.mark.parametrize("verb", ["stream", "sse"])
@pytest.mark.parametrize("coding", CODINGS)
async def test_compressed_pieces(door: Door, coding: str, verb: str) -> None:
    """A compressed piece can be read before the next one is made."""
    go_on = asyncio.Event()

    async def pieces() -> AsyncIterator[str]:
        yield "one"
        await go_on.wait()
        yield "two"

    getattr(door.router.get(URL), verb)(pieces, compress=coding)
    first, second = ("one", "two") if verb == "stream" else ("data: one\n\n", "data: two\n\n")
    async with door.open_session() as session, session.get(URL) as response:
        assert coding == response.headers["Content-Encoding"]
        assert first.encode() == await response.content.readexactly(len(first))
        go_on.set()
        assert second.encode() == await response.content.read()


@pytest.mark.parametrize("verb", ["stream", "sse"])
async def test_trailers_of_pieces(
    router: Router, session: aiohttp.ClientSession, received: bytearray, verb: str
) -> None:
    """Trailers follow the last chunk."""
    getattr(router.get(URL), verb)(["a"], trailers={"X-Sum": "1"})
    async with session.get(URL) as response:
        await response.read()
    assert received.endswith(b"\r\n0\r\nX-Sum: 1\r\n\r\n")


VERBS: dict[str, Callable[[Route], Route]] = {
    "reply": lambda route: route.reply(204, times=2),
    "stream": lambda route: route.stream(["a"], 206, times=2),
    "sse": lambda route: route.sse(["a"], times=2),
    "redirect": lambda route: route.redirect("/b", times=2),
}
STATUSES = {"reply": 204, "stream": 206, "sse": 200, "redirect": 302}


@pytest.mark.parametrize("verb", VERBS)
async def test_times_of_a_verb(router: Router, session: aiohttp.ClientSession, verb: str) -> None:
    """Each kind of answer can be given so many times, and then the next one, or an older route."""
    router.get(URL).reply(410)
    VERBS[verb](router.get(URL)).reply(503, times=1)
    statuses = []
    for _ in range(4):
        async with session.get(URL, allow_redirects=False) as response:
            await response.read()
            statuses.append(response.status)
    assert [STATUSES[verb], STATUSES[verb], 503, 410] == statuses


async def test_redirects_and_then_an_answer(router: Router, session: aiohttp.ClientSession) -> None:
    """A client that is sent to the same place is answered there in the end."""
    router.get(URL).redirect("/", times=2).reply(200, text="in")
    async with session.get(URL) as response:
        assert ([302, 302], "in") == ([each.status for each in response.history], await response.text())


async def test_times_of_forward(router: Router, session: aiohttp.ClientSession) -> None:
    """A call may be relayed once, and the next one answered by hand."""
    async with Upstream() as upstream:
        upstream.get("/").reply(201)
        router.get(URL).forward(upstream.url, times=1).reply(503)
        statuses = []
        for _ in range(2):
            async with session.get(URL) as response:
                statuses.append(response.status)
    assert [201, 503] == statuses
