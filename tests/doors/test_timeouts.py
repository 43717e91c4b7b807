"""Timeouts and cancellation: aiohttp's own exceptions, and nothing left at the far end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import aiohttp
import pytest

from aiotest_kit import Request, Router
from aiotest_kit._memory_door.door import MemoryDoor

if TYPE_CHECKING:
    from tests.doors.conftest import Door, Settle

pytestmark = [pytest.mark.memory_door, pytest.mark.usefixtures("virtual_clock")]

SHORT = 0.02
"""Seconds of a timeout that is meant to fire, when nothing else is left to do."""


async def never(request: Request) -> int:
    await asyncio.Event().wait()
    return 200


async def a_bit_and_never() -> AsyncIterator[bytes]:
    yield b"a bit"
    await asyncio.Event().wait()


async def test_total_while_waiting_for_the_answer(router: Router, session: aiohttp.ClientSession) -> None:
    """`total` is a bare `TimeoutError`."""
    route = router.get("http://a.test/")
    route.hold()
    with pytest.raises(asyncio.TimeoutError) as raised:
        await session.get("http://a.test/", timeout=aiohttp.ClientTimeout(total=SHORT))
    assert asyncio.TimeoutError is type(raised.value)
    assert 1 == route.call_count


async def test_total_while_reading(router: Router, session: aiohttp.ClientSession) -> None:
    """`total` runs on while the body is read."""
    router.get("http://a.test/").stream(a_bit_and_never)
    async with session.get("http://a.test/", timeout=aiohttp.ClientTimeout(total=SHORT)) as response:
        assert b"a bit" == await response.content.read(5)
        with pytest.raises(asyncio.TimeoutError) as raised:
            await response.read()
    assert asyncio.TimeoutError is type(raised.value)


async def test_sock_read_while_waiting_for_the_answer(router: Router, session: aiohttp.ClientSession) -> None:
    """`sock_read` is a `SocketTimeoutError`, which is a `ServerTimeoutError`."""
    router.get("http://a.test/").hold()
    with pytest.raises(aiohttp.ServerTimeoutError, match="Timeout on reading data from socket") as raised:
        await session.get("http://a.test/", timeout=aiohttp.ClientTimeout(sock_read=SHORT))
    assert aiohttp.SocketTimeoutError is type(raised.value)


async def test_sock_read_while_reading(router: Router, session: aiohttp.ClientSession) -> None:
    """`sock_read` fires in the body too, between two pieces."""
    router.get("http://a.test/").stream(a_bit_and_never)
    async with session.get("http://a.test/", timeout=aiohttp.ClientTimeout(sock_read=SHORT)) as response:
        assert b"a bit" == await response.content.read(5)
        with pytest.raises(aiohttp.SocketTimeoutError):
            await response.read()


async def test_connect_while_queued(door: Door) -> None:
    """Waiting for a place in the pool counts as `connect`: a `ConnectionTimeoutError`."""
    route = door.router.get("http://a.test/")
    gate = route.hold()
    connector = aiohttp.TCPConnector(limit=1)
    async with door.open_session(connector=connector) as session:
        first = asyncio.ensure_future(session.get("http://a.test/"))
        await gate.waiting(1)
        with pytest.raises(aiohttp.ConnectionTimeoutError):
            await session.get("http://a.test/", timeout=aiohttp.ClientTimeout(connect=SHORT))
        gate.release()
        async with await first as response:
            assert 200 == response.status
    assert 1 == route.call_count


@pytest.fixture
def unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    """No connection ever opens."""

    async def open(*args: object, **kwargs: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(MemoryDoor, "open", open)
    monkeypatch.setattr(MemoryDoor, "open_now", lambda *args: None)


@pytest.mark.usefixtures("unreachable")
@pytest.mark.parametrize("limit", ["sock_connect", "connect"])
async def test_connection_that_never_opens(
    router: Router, session: aiohttp.ClientSession, limit: str
) -> None:
    """`sock_connect` and `connect` are a `ConnectionTimeoutError` that names the host."""
    router.get("http://a.test:8080/").optional()
    with pytest.raises(
        aiohttp.ServerTimeoutError, match=r"Connection timeout to host http://a.test:8080/"
    ) as raised:
        await session.get("http://a.test:8080/", timeout=aiohttp.ClientTimeout(**{limit: SHORT}))
    assert aiohttp.ConnectionTimeoutError is type(raised.value)
    router.assert_not_called()


async def test_delay_longer_than_the_timeout(router: Router, session: aiohttp.ClientSession) -> None:
    """`delay=` holds the answer back, in seconds; a timeout that is shorter fires."""
    router.get("http://a.test/").reply(200, delay=60)
    with pytest.raises(aiohttp.SocketTimeoutError):
        await session.get("http://a.test/", timeout=aiohttp.ClientTimeout(sock_read=SHORT))


async def test_delay_shorter_than_the_timeout(router: Router, session: aiohttp.ClientSession) -> None:
    """`delay=` goes with every kind of answer, and is in the call's `elapsed`."""
    route = router.get("http://a.test/")
    route.reply(200, delay=SHORT).reply(lambda request: 201, delay=SHORT).stream([b""], 202, delay=SHORT)
    for status in (200, 201, 202):
        async with session.get("http://a.test/", timeout=aiohttp.ClientTimeout(sock_read=5)) as response:
            assert status == response.status
    assert all(call.elapsed is not None and call.elapsed >= SHORT * 0.9 for call in route.calls)


async def test_a_timeout_frees_the_pool(door: Door) -> None:
    """A call that timed out gives its place in the pool back, and its connection is not used again."""
    route = door.router.get("http://a.test/").reply(never).reply(text="in time")
    connector = aiohttp.TCPConnector(limit=1)
    async with door.open_session(connector=connector) as session:
        with pytest.raises(asyncio.TimeoutError):
            await session.get("http://a.test/", timeout=aiohttp.ClientTimeout(total=SHORT))
        async with session.get("http://a.test/") as response:
            assert "in time" == await response.text()
    assert 2 == route.call_count


async def test_cancelled_while_waiting_for_the_answer(door: Door, settle: Settle) -> None:
    """Cancelling a call ends the handler that was answering it, and frees its place in the pool."""
    started, ended = asyncio.Event(), asyncio.Event()

    async def handler(request: Request) -> int:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return 200

    router = door.router
    router.get("http://a.test/slow").reply(handler)
    router.get("http://a.test/quick").reply(204)
    connector = aiohttp.TCPConnector(limit=1)
    async with door.open_session(connector=connector) as session:
        call = asyncio.ensure_future(session.get("http://a.test/slow"))
        await asyncio.wait_for(started.wait(), 1)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await settle()
        assert ended.is_set()
        assert not router.tasks
        async with session.get("http://a.test/quick") as response:
            assert 204 == response.status
    assert None is router.calls.first.reply


@pytest.fixture(params=["sync", "async"])
def stream_that_ends(request: pytest.FixtureRequest) -> tuple[object, asyncio.Event]:
    """An endless generator function, and the event that it ended."""
    ended = asyncio.Event()

    async def pieces() -> AsyncIterator[bytes]:
        try:
            while True:
                yield bytes(64 * 1024)
        finally:
            ended.set()

    def sync_pieces() -> Iterator[bytes]:
        try:
            while True:
                yield bytes(64 * 1024)
        finally:
            ended.set()

    return pieces if request.param == "async" else sync_pieces, ended


@pytest.mark.parametrize("how", ["cancelled", "closed", "left"])
async def test_given_up_while_reading_the_body(
    door: Door, stream_that_ends: tuple[object, asyncio.Event], how: str, settle: Settle
) -> None:
    """Giving a body up ends the generator that makes it, closes the connection, and frees the pool."""
    pieces, ended = stream_that_ends
    router = door.router
    router.get("http://a.test/endless").stream(pieces)
    router.get("http://a.test/quick").reply(204)
    connector = aiohttp.TCPConnector(limit=1)
    reading = asyncio.Event()

    async def read() -> None:
        async with session.get("http://a.test/endless") as response:
            await response.content.readany()
            reading.set()
            if how == "closed":
                response.close()
            elif how == "cancelled":
                await asyncio.Event().wait()

    async with door.open_session(connector=connector) as session:
        task = asyncio.create_task(read())
        await asyncio.wait_for(reading.wait(), 1)
        if how == "cancelled":
            task.cancel()
        await asyncio.wait([task])
        assert (how == "cancelled") == task.cancelled()
        await settle()
        assert ended.is_set()
        assert not router.tasks
        async with session.get("http://a.test/quick") as response:
            assert 204 == response.status


async def test_cancelled_while_uploading(door: Door, settle: Settle) -> None:
    """Cancelling an upload ends it: nothing is recorded of a request that never was complete."""
    started = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 1000
            started.set()
            await asyncio.sleep(0)

    route = door.router.put("http://a.test/").optional()
    async with door.open_session() as session:
        call = asyncio.ensure_future(session.put("http://a.test/", data=endless()))
        await asyncio.wait_for(started.wait(), 1)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await settle()
    route.assert_not_called()
    assert {asyncio.current_task()} == asyncio.all_tasks()


async def test_cancelled_while_queued(door: Door) -> None:
    """Cancelling a call that waits for a connection leaves the others their turn."""
    route = door.router.get("http://a.test/{number}")
    gate = route.hold()
    connector = aiohttp.TCPConnector(limit=1)
    async with door.open_session(connector=connector) as session:
        calls = [asyncio.ensure_future(session.get(f"http://a.test/{number}")) for number in range(3)]
        await gate.waiting(1)
        calls[1].cancel()
        gate.release()
        for number in (0, 2):
            async with await calls[number] as response:
                assert f"/{number}" == response.url.path
    assert ["/0", "/2"] == [call.request.path for call in route.calls]
