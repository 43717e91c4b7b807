"""Answers at the head of a request, before its body was read, through every door."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from aiotest_kit import Disconnect, Flaky, Refuse, Reply, Request, Reset, Route, Router, UsageError
from tests.doors.conftest import Door, Settle

URL = "http://a.test/files"

ANSWERS: dict[str, Callable[[Route], Route]] = {
    "reply": lambda route: route.reply(413, text="no"),
    "later reply": lambda route: route.reply(413, text="no", delay=0.01),
    "handler": lambda route: route.reply(lambda request: Reply(413, text="no")),
    "response": lambda route: route.reply(lambda request: web.Response(status=413, text="no")),
    "stream": lambda route: route.stream(["n", 0.01, "o"], 413),
    "served": lambda route: route.serve(served),
    "script": lambda route: route.raw(script),
    "closing": lambda route: route.reply(413, text="no", headers={"Connection": "close"}),
}


async def served(request: web.BaseRequest) -> web.Response:
    return web.Response(status=413, text="no")


async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno")


class Upload:
    """The pieces of a body, as a client sends them; without `go_on` it never ends."""

    def __init__(self, go_on: asyncio.Event | None = None) -> None:
        self.sent = 0
        self._go_on = go_on or asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self.sent += 1
        yield b"first"
        await self._go_on.wait()
        self.sent += 1
        yield b"last"


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
async def test_an_upload_without_end(
    router: Router, session: aiohttp.ClientSession, answer: Callable[[Route], Route]
) -> None:
    """A client that is still sending has its answer, and stops; the next call has an answer, too."""
    route = answer(router.post(URL).early())
    for _ in range(2):
        upload = Upload()
        async with session.post(URL, data=upload) as response:
            assert (413, "no") == (response.status, await response.text())
        assert upload.sent == 1
    assert [b"", b""] == [call.request.body for call in route.calls]
    # What a script writes is its own.
    told = [call.reply and call.reply.status for call in route.calls]
    assert told == [None if answer is ANSWERS["script"] else 413] * 2


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
async def test_an_upload_that_was_announced(
    router: Router,
    session: aiohttp.ClientSession,
    received: bytearray,
    answer: Callable[[Route], Route],
) -> None:
    """A client that waits for `100 Continue` is not told to go on, and sends no body."""
    route = answer(router.put(URL)).early()
    upload = Upload()
    async with session.put(URL, data=upload, expect100=True) as response:
        assert (413, "no") == (response.status, await response.text())
    assert (0, b"") == (upload.sent, route.calls.one().request.body)
    assert received.startswith(b"HTTP/1.1 413 ")


async def test_a_redirect_of_an_upload(router: Router, session: aiohttp.ClientSession) -> None:
    """The body goes to the second host alone."""
    first = router.put(URL).early().redirect("http://b.test/files", status=307)
    second = router.put("http://b.test/files").reply(201)
    async with session.put(URL, data=b"hello", expect100=True) as response:
        assert 201 == response.status
    assert (b"", b"hello") == (first.calls.one().request.body, second.calls.one().request.body)


async def test_a_body_that_comes_whole(
    router: Router, session: aiohttp.ClientSession, settle: Settle
) -> None:
    """The record has it; the answer, and what is asked of the request, see the head alone."""
    seen: list[bytes] = []

    def see(request: Request) -> Any:
        seen.append(request.body)
        return {"tag": request.match_info["tag"]}

    route = router.post("http://a.test/{tag}", where=see).early().reply(see)
    for tag in ("a", "b"):
        async with session.post(f"http://a.test/{tag}", data=b"hello") as response:
            assert {"tag": tag} == await response.json()
        await settle()
    assert {b""} == set(seen)
    assert [{"tag": "a"}, {"tag": "b"}] == [dict(call.request.match_info) for call in route.calls]


async def test_the_rest_of_a_body_is_dropped(door: Door) -> None:
    """A client that goes on sending may use the connection again."""
    go_on = asyncio.Event()
    route = door.router.post(URL).early().stream(pieces_until(go_on))
    created = 0

    async def count(*args: object) -> None:
        nonlocal created
        created += 1

    traces = aiohttp.TraceConfig()
    traces.on_connection_create_end.append(count)
    async with door.open_session(trace_configs=[traces]) as session:
        for _ in range(2):
            go_on.clear()
            upload = Upload(go_on)
            async with session.post(URL, data=upload) as response:
                assert b"a" == await response.content.readany()
                go_on.set()
                assert b"b" == await response.content.read()
            assert upload.sent == 2
    assert 2 == route.call_count
    assert 1 == created


def pieces_until(event: asyncio.Event) -> Callable[[], AsyncIterator[bytes]]:
    """A stream whose last piece waits until the event is set, and for a while."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b"a"
        await event.wait()
        for _ in range(100):
            await asyncio.sleep(0.0001)
        yield b"b"

    return pieces


async def test_a_newer_route_that_asks_for_the_body(router: Router, session: aiohttp.ClientSession) -> None:
    """Which route a request is for is settled first; only then is it known who answers early."""
    early = router.post(URL).early().reply(413)
    whole = router.post(URL, body=b"hello").reply(201)
    for data, status in ((b"hello", 201), (b"others", 413)):
        async with session.post(URL, data=data, expect100=True) as response:
            assert status == response.status
    assert (1, 1) == (early.call_count, whole.call_count)


async def test_held(router: Router, session: aiohttp.ClientSession) -> None:
    """An answer that is held holds the upload, too: no more comes than there is room for."""
    gate = router.post(URL).early().reply(413).hold()
    sent = 0

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield bytes(100_000)

    call = asyncio.ensure_future(session.post(URL, data=pieces()))
    await gate.waiting()
    gate.release()
    async with await call as response:
        assert 413 == response.status
    assert sent < 1000


async def test_a_sequence(router: Router, session: aiohttp.ClientSession) -> None:
    """An early route has a sequence as any other, and an older route its turn."""
    older = router.post(URL).reply(200)
    router.post(URL).early().reply(503, times=1).reply(413, times=1)
    statuses = []
    for _ in range(3):
        async with session.post(URL, data=b"x") as response:
            statuses.append(response.status)
    assert [503, 413, 200] == statuses
    assert b"x" == older.calls.one().request.body


@pytest.mark.memory_door
@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        pytest.param(Disconnect(), aiohttp.ServerDisconnectedError, id="disconnected"),
        pytest.param(Reset(), aiohttp.ClientOSError, id="reset"),
        pytest.param(Flaky(Reset(), 1, 1), aiohttp.ClientOSError, id="perhaps"),
    ],
)
async def test_a_fault_and_aiohttps_retry(
    router: Router, session: aiohttp.ClientSession, fault: object, expected: type[Exception]
) -> None:
    """A fault meets both attempts of one call at their heads; as a one-shot it meets the first alone."""
    route = router.put(URL).early().reply(fault, times=1).reply(fault, times=1, attempts=1).reply(413)
    with pytest.raises(expected):
        await session.put(URL, data=b"hello", expect100=True)
    async with session.put(URL, data=b"hello", expect100=True) as response:
        assert 413 == response.status
    assert [2, 2] == [call.attempts for call in route.calls]


@pytest.mark.memory_door
@pytest.mark.parametrize("rate", [0, 1])
async def test_what_is_settled_where_the_client_connects(
    router: Router, session: aiohttp.ClientSession, rate: int
) -> None:
    """Chance is asked once for a call: what it says before the connection holds at the head."""
    route = router.post(URL).early().reply(Flaky(Refuse(), rate, 1, reply=413))
    if rate:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.post(URL, data=b"hello", expect100=True)
    else:
        async with session.post(URL, data=b"hello", expect100=True) as response:
            assert 413 == response.status
    assert 1 == route.call_count


@pytest.mark.parametrize(
    "options", [{"json": 1}, {"body": b""}, {"form": {}}, {"multipart": {"a": b""}}], ids=str
)
def test_a_route_that_asks_for_the_body(options: dict[str, Any]) -> None:
    """What asks for the body cannot answer before it has come."""
    route = Router().post(URL, **options)
    with pytest.raises(UsageError) as caught:
        route.early()
    assert f"early() answers before the body has come, which {next(iter(options))}= asks for" == str(
        caught.value
    )
    assert not route.is_early


@pytest.mark.parametrize(
    "add",
    [
        lambda route: route.early().forward("http://real.example"),
        lambda route: route.reply(200).forward("http://real.example").early(),
    ],
    ids=["before", "after"],
)
def test_a_route_that_forwards(add: Callable[[Route], Route]) -> None:
    """What relays the body cannot answer before it has come."""
    with pytest.raises(UsageError) as caught:
        add(Router().post(URL))
    assert "early() answers before the body has come, which forward() relays" == str(caught.value)


async def test_within_a_scope(door: Door) -> None:
    """A route that a block makes early waits for the body behind it."""
    route = door.router.post(URL).reply(200)
    with door.router.scope():
        route.early()
        async with door.open_session() as session, session.post(URL, data=b"x", expect100=True):
            pass
    async with door.open_session() as session, session.post(URL, data=b"y", expect100=True):
        pass
    assert [b"", b"y"] == [call.request.body for call in route.calls]
