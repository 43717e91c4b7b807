"""The session's own pool: limits, queueing, keep-alive and closing, as on the network."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp
import pytest

from aiotest_kit import Router

if TYPE_CHECKING:
    from tests.doors.conftest import Door, Settle

pytestmark = pytest.mark.memory_door


@pytest.fixture
def traced() -> tuple[list[str], aiohttp.TraceConfig]:
    """The names of the connection's events, as they come, and what notes them."""
    events: list[str] = []
    config = aiohttp.TraceConfig()
    for name in ("queued_start", "queued_end", "create_start", "create_end", "reuseconn"):

        async def note(*args: object, name: str = name) -> None:
            events.append(name)

        getattr(config, f"on_connection_{name}").append(note)
    return events, config


Traced = tuple[list[str], aiohttp.TraceConfig]

NEW = ["create_start", "create_end"]
REUSED = ["reuseconn"]


async def local_port(session: aiohttp.ClientSession, url: str) -> int:
    """Make a call whose body is longer than what comes at once; return the client's port."""
    async with session.get(url) as response:
        assert response.connection is not None
        assert response.connection.transport is not None
        name: tuple[str, int] = response.connection.transport.get_extra_info("sockname")
        await response.read()
    return name[1]


ENDINGS = {
    # headers of the request, headers of the reply, whether the connection is used again
    "keep-alive": ({}, {}, True),
    "said-so": ({"Connection": "keep-alive"}, {"Connection": "keep-alive"}, True),
    "reply-closes": ({}, {"Connection": "close"}, False),
}


@pytest.mark.parametrize(("asked", "replied", "reused"), ENDINGS.values(), ids=ENDINGS)
async def test_keep_alive(
    door: Door, traced: Traced, asked: dict[str, str], replied: dict[str, str], reused: bool
) -> None:
    """A connection is used again unless the reply says `close`."""
    events, config = traced
    door.router.get("http://a.test/").reply(text="x", headers=replied)
    async with door.open_session(trace_configs=[config]) as session:
        for _ in range(3):
            async with session.get("http://a.test/", headers=asked) as response:
                assert "x" == await response.text()
    assert (NEW + REUSED * 2 if reused else NEW * 3) == events


async def test_request_that_closes(door: Door, traced: Traced, settle: Settle) -> None:
    """A request that says `close` is the last on its connection: the far end closes it."""
    events, config = traced
    door.router.get("http://a.test/").reply(text="x")
    async with door.open_session(trace_configs=[config]) as session:
        for _ in range(2):
            async with session.get("http://a.test/", headers={"Connection": "close"}) as response:
                assert "x" == await response.text()
            await settle()
    assert NEW * 2 == events


async def test_force_close(door: Door, traced: Traced) -> None:
    """With `force_close` every call has a connection of its own."""
    events, config = traced
    door.router.get("http://a.test/").reply(text="x")
    connector = aiohttp.TCPConnector(force_close=True)
    async with door.open_session(connector=connector, trace_configs=[config]) as session:
        for _ in range(3):
            async with session.get("http://a.test/") as response:
                assert "x" == await response.text()
    assert NEW * 3 == events


async def test_keep_alive_timeout(door: Door, traced: Traced) -> None:
    """A connection that was idle for longer than the connector's `keepalive_timeout` is not used again."""
    events, config = traced
    door.router.get("http://a.test/").reply(text="x")
    connector = aiohttp.TCPConnector(keepalive_timeout=0.001)
    async with door.open_session(connector=connector, trace_configs=[config]) as session:
        async with session.get("http://a.test/"):
            pass
        loop = asyncio.get_running_loop()
        idle = loop.create_future()
        loop.call_later(0.01, idle.set_result, None)
        await idle
        async with session.get("http://a.test/"):
            pass
    assert NEW * 2 == events


KEYS = {
    "port": ("http://a.test/", "http://a.test:8080/"),
    "scheme": ("http://a.test:8443/", "https://a.test:8443/"),
    "host": ("http://a.test/", "http://b.test/"),
}


@pytest.mark.parametrize(("first", "second"), KEYS.values(), ids=KEYS)
async def test_origins_do_not_share(door: Door, traced: Traced, first: str, second: str) -> None:
    """Each origin has connections of its own, which are kept while others are used."""
    events, config = traced
    door.router.get(first).reply(text="1")
    door.router.get(second).reply(text="2")
    async with door.open_session(trace_configs=[config]) as session:
        for url, text in ((first, "1"), (second, "2"), (first, "1"), (second, "2")):
            async with session.get(url) as response:
                assert text == await response.text()
    assert NEW * 2 + REUSED * 2 == events


LIMITS = {
    "limit": ({"limit": 2}, ["a", "b", "a", "b", "a"], 2),
    "limit_per_host": ({"limit_per_host": 2}, ["a", "a", "a", "b", "b", "b"], 4),
    "both": ({"limit": 3, "limit_per_host": 2}, ["a", "a", "a", "b", "b", "b"], 3),
    "none": ({"limit": 0}, ["a"] * 150, 150),
    "default": ({}, ["a"] * 150, 100),
}


@pytest.mark.parametrize(("settings", "hosts", "most"), LIMITS.values(), ids=LIMITS)
async def test_limits(
    door: Door, settle: Settle, settings: dict[str, int], hosts: list[str], most: int
) -> None:
    """As many calls run at once as the connector allows; the others queue, and all are answered."""
    route = door.router.get("/")
    gate = route.hold()
    connector = aiohttp.TCPConnector(**settings)  # type: ignore[arg-type]
    async with door.open_session(connector=connector) as session:
        calls = [asyncio.ensure_future(session.get(f"http://{host}.test/")) for host in hosts]
        await gate.waiting(most)
        await settle()
        assert most == gate.held == route.call_count
        gate.release()
        for call in calls:
            (await call).release()
    assert len(hosts) == route.call_count


async def test_queue_events(door: Door, traced: Traced, settle: Settle) -> None:
    """A call that waits for a connection says so when it begins to wait and when it stops."""
    events, config = traced
    gate = door.router.get("http://a.test/").reply(text="x").hold()
    connector = aiohttp.TCPConnector(limit=1)
    async with door.open_session(connector=connector, trace_configs=[config]) as session:
        calls = [asyncio.ensure_future(session.get("http://a.test/"))]
        await gate.waiting(1)
        calls.append(asyncio.ensure_future(session.get("http://a.test/")))
        await settle()
        assert [*NEW, "queued_start"] == events
        gate.release()
        for call in calls:
            async with await call as response:
                assert "x" == await response.text()
    assert [*NEW, "queued_start", "queued_end", *REUSED] == events


async def test_queue_is_served_in_order(door: Door) -> None:
    """Calls that wait for the one connection get it in their order."""
    route = door.router.get("http://a.test/{number}")
    gate = route.hold()
    connector = aiohttp.TCPConnector(limit=1)
    async with door.open_session(connector=connector) as session:
        calls = [asyncio.ensure_future(session.get(f"http://a.test/{number}")) for number in range(5)]
        await gate.waiting(1)
        gate.release()
        for call in calls:
            (await call).release()
    assert [f"/{number}" for number in range(5)] == [call.request.path for call in route.calls]


async def test_connections_can_be_told_apart(door: Door) -> None:
    """A reused connection has the client port that it had; a new one has another."""
    door.router.get("http://a.test/").reply(body=bytes(1_000_000))
    async with door.open_session() as session:
        first = await local_port(session, "http://a.test/")
        again = await local_port(session, "http://a.test/")
    async with door.open_session() as session:
        other = await local_port(session, "http://a.test/")
    assert first == again != other


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_idle_connection_that_the_peer_closed(
    door: Door, traced: Traced, method: str, settle: Settle
) -> None:
    """A pooled connection that the far end has closed is not used again."""
    events, config = traced
    router: Router = door.router
    router.any("http://a.test/").raw(answer_and_close)
    async with door.open_session(trace_configs=[config]) as session:
        for _ in range(2):
            async with session.request(method, "http://a.test/") as response:
                assert "ok" == await response.text()
            await settle()
    assert NEW * 2 == events
    assert [1, 1] == [call.attempts for call in router.calls]


async def answer_and_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


async def test_session_closed_while_a_call_waits(door: Door, settle: Settle) -> None:
    """Closing the session ends a call that waits, and the answer that it waits for."""
    route = door.router.post("http://a.test/")
    gate = route.hold()
    session = door.open_session()
    call = asyncio.ensure_future(session.post("http://a.test/"))
    await gate.waiting(1)
    await session.close()
    with pytest.raises(aiohttp.ClientConnectionError):
        await asyncio.wait_for(call, 1)
    await settle()
    assert not door.router.tasks
    assert {asyncio.current_task()} == asyncio.all_tasks()


@pytest.mark.parametrize("fields", [{"Connection": "close"}, {"Connection": "Upgrade", "Upgrade": "h2c"}])
async def test_a_client_that_ends_its_connection(door: Door, fields: dict[str, str]) -> None:
    """The reply says so too, and the next request goes over another connection."""
    door.router.post("http://a.test/").reply(text="hi")
    async with door.open_session() as session:
        for _ in range(3):
            async with session.post("http://a.test/", headers=fields) as response:
                assert "close" == response.headers["Connection"]
                assert "hi" == await response.text()
