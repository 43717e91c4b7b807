"""What is open, patched or pooled before, while and after a mock is open, beside real servers."""

from __future__ import annotations

import asyncio
import gc
import threading
import warnings
from collections.abc import AsyncIterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import web

from aiotest_kit import RealConnector, Request, Router, UnmatchedRequest, UsageError, mock, mock_session

if TYPE_CHECKING:
    from tests.against_aiohttp.conftest import Network
    from tests.doors.conftest import Door, Settle

CONNECT = aiohttp.BaseConnector.connect.__code__


async def hello(request: web.BaseRequest) -> web.Response:
    return web.Response(text=f"real {request.path}")


@pytest.fixture
async def real(network: Network) -> str:
    """The URL of a real server."""
    await network.serve_web(hello)
    return f"http://127.0.0.1:{network.port}"


async def text(session: aiohttp.ClientSession, url: str, **options: Any) -> str:
    async with session.get(url, **options) as response:
        return await response.text()


class Counted:
    """Notes what a session's connector does."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.config = aiohttp.TraceConfig()
        self.config.on_connection_create_end.append(self._new)
        self.config.on_connection_reuseconn.append(self._reused)

    async def _new(self, *args: object) -> None:
        self.events.append("new")

    async def _reused(self, *args: object) -> None:
        self.events.append("reused")


async def test_pooled_before_is_not_used_and_is_used_again_afterwards(real: str) -> None:
    """A connection pooled before the mock opened waits until it has closed."""
    counted = Counted()
    async with aiohttp.ClientSession(trace_configs=[counted.config]) as session:
        assert "real /x" == await text(session, f"{real}/x")
        async with mock() as router:
            router.get(f"{real}/x").reply(text="mocked")
            assert "mocked" == await text(session, f"{real}/x")
            assert "mocked" == await text(session, f"{real}/x")
        assert "real /x" == await text(session, f"{real}/x")
    assert ["new", "new", "reused", "reused"] == counted.events


async def test_pooled_while_open_does_not_answer_afterwards(real: str) -> None:
    """What a mock answered is answered by the network after it has closed."""
    async with aiohttp.ClientSession() as session:
        async with mock() as router:
            router.get(f"{real}/x").reply(text="mocked")
            assert "mocked" == await text(session, f"{real}/x")
        assert "real /x" == await text(session, f"{real}/x")
        assert 1 == router.call_count


async def test_pooled_in_one_mock_does_not_answer_in_the_next() -> None:
    """A session that outlives a mock is answered by the next one."""
    async with aiohttp.ClientSession() as session:
        for name in ("first", "second"):
            async with mock() as router:
                router.get("http://a.test/").reply(text=name)
                assert name == await text(session, "http://a.test/")
            assert 1 == router.call_count


async def test_names_too(network: Network, real: str) -> None:
    """The same for a host name: the real server before, the mock, the real server on the same connection."""
    counted = Counted()
    async with aiohttp.ClientSession(
        connector=network.connector(), trace_configs=[counted.config]
    ) as session:
        assert "real /" == await text(session, "http://a.test/")
        with mock() as router:
            router.get("http://a.test/").reply(text="mocked")
            assert "mocked" == await text(session, "http://a.test/")
        assert "real /" == await text(session, "http://a.test/")
    assert ["new", "new", "reused"] == counted.events


async def test_limits_hold_over_both(real: str, settle: Settle) -> None:
    """A slot that a stubbed call takes is not there for one over the network."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session, mock() as router:
        gate = router.get("http://a.test/").reply(text="mocked").hold()
        stubbed = asyncio.ensure_future(text(session, "http://a.test/"))
        await gate.waiting()
        over_the_network = asyncio.ensure_future(text(session, f"{real}/x"))
        await settle()
        assert not over_the_network.done()

        gate.release()
        assert ["mocked", "real /x"] == [await stubbed, await over_the_network]


async def test_session_closed_while_the_mock_is_open(real: str) -> None:
    """A session that ends first takes its connections with it, on both sides."""
    async with mock() as router:
        router.get("http://a.test/").reply(text="mocked")
        async with aiohttp.ClientSession() as session:
            await text(session, "http://a.test/")
            await text(session, real)
        assert session.closed
        with pytest.raises(RuntimeError, match="Session is closed"):
            await text(session, "http://a.test/")


# Going out.


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_loopback_goes_through(network: Network, real: str, host: str) -> None:
    """Loopback addresses that no route names go through untouched."""
    async with mock() as router, aiohttp.ClientSession() as session:
        router.get("/x").optional()
        assert "real /x" == await text(session, f"http://{host}:{network.port}/x")
    router.assert_not_called()


async def test_loopback_with_a_route_of_its_own(network: Network, real: str) -> None:
    """A route that names a loopback origin answers for it; other ports still go through."""
    async with mock() as router, aiohttp.ClientSession() as session:
        router.get("http://localhost:1/x").reply(text="mocked")
        assert "mocked" == await text(session, "http://localhost:1/x")
        assert "real /x" == await text(session, f"http://localhost:{network.port}/x")


async def test_loopback_as_any_other_address(network: Network, real: str) -> None:
    """With `loopback=False` it is refused, stubbed and let through like the rest."""
    url = f"http://127.0.0.1:{network.port}/"
    async with mock(loopback=False) as router, aiohttp.ClientSession() as session:
        router.get("/stubbed").reply(text="mocked")
        assert "mocked" == await text(session, f"{url}stubbed")
        with pytest.raises(UnmatchedRequest, match="no route answered GET http://127"):
            await text(session, f"{url}x")
        router.passthrough(url)
        assert "real /x" == await text(session, f"{url}x")


async def test_real_connector(network: Network, real: str) -> None:
    """A session with a `RealConnector` reaches the network past any stub."""
    url = f"http://127.0.0.1:{network.port}/x"
    async with mock() as router, aiohttp.ClientSession(connector=RealConnector()) as session:
        router.get(url).optional()
        assert "real /x" == await text(session, url)
    router.assert_not_called()


async def test_everything_else_is_refused(network: Network, real: str) -> None:
    """Other hosts are refused, in the client, though a connection to them would open."""
    async with (
        mock() as router,
        aiohttp.ClientSession(connector=network.connector()) as session,
    ):
        with pytest.raises(UnmatchedRequest, match=r"no route answered GET http://a.test/x"):
            await text(session, "http://a.test/x")
    assert 1 == len(router.misses)


@pytest.mark.parametrize(
    "allowed",
    ["http://a.test", "http://a.test/x", "http://*.test", lambda request: request.path == "/x"],
    ids=["origin", "prefix", "wildcard", "predicate"],
)
async def test_passthrough(network: Network, real: str, allowed: Any) -> None:
    """What `passthrough` names goes out, unless a route asks for it; nothing else does."""
    async with mock() as router, aiohttp.ClientSession(connector=network.connector()) as session:
        router.passthrough(allowed)
        assert "real /x" == await text(session, "http://a.test/x")
        with pytest.raises(UnmatchedRequest):
            await text(session, "http://a.example/y")
        router.get("http://a.test/x").reply(text="mocked")
        assert "mocked" == await text(session, "http://a.test/x")
    assert ["http://a.example/y", "http://a.test/x"] == [str(call.request.url) for call in router.calls]


async def test_passthrough_of_all_that_is_unmatched(network: Network, real: str) -> None:
    """With `unmatched="passthrough"` all goes out that no route asks for."""
    async with (
        mock(unmatched="passthrough") as router,
        aiohttp.ClientSession(connector=network.connector()) as session,
    ):
        router.get("http://a.test/x").reply(text="mocked")
        assert "mocked" == await text(session, "http://a.test/x")
        assert "real /y" == await text(session, "http://a.test/y")
        assert "real /x" == await text(session, "http://b.test/x")


async def test_forward(door: Door, network: Network) -> None:
    """A forwarded request arrives as it was sent, and the answer comes back untouched."""
    seen: list[tuple[object, ...]] = []

    async def remote(request: web.BaseRequest) -> web.Response:
        seen.append((request.method, request.path_qs, await request.read(), request.headers.get("X-Mine")))
        response = web.Response(status=302, headers={"Location": "/next", "X-Theirs": "1"}, body=b"x" * 2000)
        response.set_cookie("sid", "1")
        response.enable_compression(web.ContentCoding.gzip)
        return response

    await network.serve_web(remote)
    route = door.router.any("http://api.test/v1/{rest:.*}").forward(f"http://127.0.0.1:{network.port}/base")
    async with (
        door.open_session(auto_decompress=False) as session,
        session.post(
            "http://api.test/v1/a%2Fb?q=%26", data=b"body", headers={"X-Mine": "2"}, allow_redirects=False
        ) as response,
    ):
        assert (302, "/next", "1") == (
            response.status,
            response.headers["Location"],
            response.headers["X-Theirs"],
        )
        assert "gzip" == response.headers["Content-Encoding"]
        assert b"\x1f\x8b" == (await response.read())[:2]
        assert "1" == response.cookies["sid"].value
    assert [("POST", "/base/v1/a%2Fb?q=%26", b"body", "2")] == seen
    call = route.calls.one()
    assert call.reply is not None
    assert 302 == call.reply.status


async def test_forward_to_nobody(door: Door, network: Network) -> None:
    """A server that cannot be reached is an error in the client."""
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    door.router.get("http://api.test/").forward(f"http://127.0.0.1:{port}")
    async with door.open_session() as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get("http://api.test/")


# Nested and concurrent.


async def test_nested() -> None:
    """The inner mock is asked first, then the outer; what is patched is restored by the last."""
    async with aiohttp.ClientSession() as session:
        async with mock() as outer:
            outer.get("http://a.test/").reply(text="outer a")
            outer.get("http://b.test/").reply(text="outer b")
            async with mock() as inner:
                inner.get("http://a.test/").reply(text="inner a")
                assert "inner a" == await text(session, "http://a.test/")
                assert "outer b" == await text(session, "http://b.test/")
            assert aiohttp.BaseConnector.connect.__code__ is not CONNECT
            assert "outer a" == await text(session, "http://a.test/")
        assert aiohttp.BaseConnector.connect.__code__ is CONNECT
    assert (2, 1) == (outer.call_count, inner.call_count)


async def test_closed_out_of_order() -> None:
    """Mocks may close in any order."""
    first, second = mock(), mock()
    with ExitStack() as undo:
        for opened, name in ((first, "first"), (second, "second")):
            opened.open()
            undo.callback(opened.close)
            opened.router.get("http://a.test/").reply(text=name)
        async with aiohttp.ClientSession() as session:
            assert "second" == await text(session, "http://a.test/")
            first.close()
            assert "second" == await text(session, "http://a.test/")
            second.close()
        assert aiohttp.BaseConnector.connect.__code__ is CONNECT


def test_opened_twice() -> None:
    """A mock that is open cannot be opened again, and may be closed twice."""
    opened = mock()
    with opened, pytest.raises(UsageError, match="open already"):
        opened.open()
    opened.close()
    with opened:
        assert aiohttp.BaseConnector.connect.__code__ is not CONNECT


async def test_concurrent_tasks() -> None:
    """Tasks at once, each with a mock of its own, are each answered by theirs, also over one session."""
    inside = 0
    all_inside = asyncio.Event()

    async def user(name: str) -> list[str]:
        nonlocal inside
        async with mock() as router:
            router.get("http://a.test/").reply(text=name)
            inside += 1
            if inside == 5:
                all_inside.set()
            await all_inside.wait()
            return [await text(session, "http://a.test/") for _ in range(3)]

    async with aiohttp.ClientSession() as session:
        answers = await asyncio.gather(*(user(f"user {number}") for number in range(5)))
    assert [[f"user {number}"] * 3 for number in range(5)] == answers


@pytest.mark.parametrize("whose", ["own", "shared"])
def test_threads(whose: str) -> None:
    """Threads, each with its own loop, are answered at once: by mocks of their own, or by one for all."""
    barrier = threading.Barrier(4, timeout=5)
    results: dict[int, list[str]] = {}

    async def client(number: int) -> None:
        barrier.wait()
        async with aiohttp.ClientSession() as session:
            results[number] = [await text(session, "http://a.test/") for _ in range(20)]
        barrier.wait()

    async def with_own(number: int) -> None:
        async with mock() as router:
            router.get("http://a.test/").reply(text=f"{number}")
            await client(number)

    def run(number: int) -> None:
        asyncio.run(client(number) if whose == "shared" else with_own(number))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    outer = mock()
    if whose == "shared":
        outer.open()
        outer.router.get("http://a.test/").reply(text="all")
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
    finally:
        outer.close()
    expected = {number: [str(number) if whose == "own" else "all"] * 20 for number in range(4)}
    assert expected == results


def test_closed_by_another_thread() -> None:
    """A mock closed while another thread's loop runs ends that loop's connections, there."""
    pooled, closed = threading.Event(), threading.Event()
    events: list[str] = []

    async def client() -> None:
        async with aiohttp.ClientSession() as session:
            async with session.get("http://a.test/") as response:
                events.append(await response.text())
            pooled.set()
            await asyncio.get_running_loop().run_in_executor(None, closed.wait, 5)
        events.append(f"{len(asyncio.all_tasks())} task")

    thread = threading.Thread(target=lambda: asyncio.run(client()))
    with mock() as router:
        router.get("http://a.test/").reply(text="mocked")
        thread.start()
        assert pooled.wait(5)
    closed.set()
    thread.join(5)
    assert ["mocked", "1 task"] == events


# Nothing left.


class Boom(Exception):
    pass


@pytest.mark.parametrize("how", ["left", "raised"])
async def test_nothing_is_left(how: str, settle: Settle) -> None:
    """After the block nothing is patched, no task runs, no connection is open: also when the block raised."""
    connector = aiohttp.TCPConnector()
    untouched = set(vars(connector))

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 100_000

    async def never(request: Request) -> int:
        await asyncio.Event().wait()
        return 200

    opened = mock()
    waiting: list[asyncio.Task[aiohttp.ClientResponse]] = []
    streaming: list[aiohttp.ClientResponse] = []
    async with aiohttp.ClientSession(connector=connector) as session:
        try:
            async with opened as router:
                router.get("http://a.test/").reply(text="pooled")
                router.get("http://a.test/endless").stream(endless)
                router.post("http://a.test/never").reply(never)
                router.post("http://a.test/held").hold()
                assert "pooled" == await text(session, "http://a.test/")
                streaming.append(await session.get("http://a.test/endless"))
                waiting += [
                    asyncio.ensure_future(session.post(f"http://a.test/{path}")) for path in ("never", "held")
                ]
                await settle()
                assert 4 == router.call_count
                if how == "raised":
                    raise Boom
        except Boom:
            assert how == "raised"
        assert aiohttp.BaseConnector.connect.__code__ is CONNECT
        assert not opened.router.tasks
        outcomes = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 1)
        assert all(isinstance(outcome, aiohttp.ClientConnectionError) for outcome in outcomes)
        with pytest.raises((aiohttp.ClientPayloadError, aiohttp.ClientConnectionError)):
            await asyncio.wait_for(streaming[0].read(), 1)
        streaming[0].close()
        assert {asyncio.current_task()} == asyncio.all_tasks()
        assert untouched == set(vars(connector))
        assert not connector._conns
        assert not connector._acquired
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gc.collect()


async def test_nothing_is_left_of_a_session(settle: Settle) -> None:
    """Closing a `mock_session` ends all that answers it."""

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 100_000

    router = Router()
    router.get("http://a.test/endless").stream(endless)
    router.post("http://a.test/held").hold()
    async with mock_session(router) as session:
        response = await session.get("http://a.test/endless")
        held = asyncio.ensure_future(session.post("http://a.test/held"))
        await settle()
    with pytest.raises(aiohttp.ClientConnectionError):
        await asyncio.wait_for(held, 1)
    response.close()
    await settle()
    assert not router.tasks
    assert {asyncio.current_task()} == asyncio.all_tasks()


async def test_sync_mock_ends_what_still_answers(settle: Settle) -> None:
    """A sync `with mock()` ends what still answers too, a turn of the loop later."""
    async with aiohttp.ClientSession() as session:
        with mock() as router:
            router.post("http://a.test/").hold()
            waiting = asyncio.ensure_future(session.post("http://a.test/"))
            await settle()
        assert aiohttp.BaseConnector.connect.__code__ is CONNECT
        with pytest.raises(aiohttp.ClientConnectionError):
            await asyncio.wait_for(waiting, 1)
        await settle()
        assert not router.tasks
        assert {asyncio.current_task()} == asyncio.all_tasks()


@pytest.mark.aiotest(leaks="off")
async def test_unclosed_session_still_warns() -> None:
    """A session that nobody closes warns as ever: the mock hides nothing, and does not keep it alive."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with mock() as router:
            router.get("http://a.test/").reply(text="x")
            session: aiohttp.ClientSession | None = aiohttp.ClientSession()
            assert session is not None
            assert "x" == await text(session, "http://a.test/")
            session = None
            gc.collect()
            texts = [str(warning.message) for warning in caught if warning.category is ResourceWarning]
            assert any(text.startswith("Unclosed client session") for text in texts)
        gc.collect()


def test_loop_that_ended_before_the_mock() -> None:
    """A mock may outlive the loops that used it."""

    async def client() -> str:
        async with aiohttp.ClientSession() as session:
            return await text(session, "http://a.test/")

    with mock() as router:
        router.get("http://a.test/").reply(text="x")
        assert ["x", "x"] == [asyncio.run(client()), asyncio.run(client())]


async def test_handler_error_fails_the_block() -> None:
    """An error of a handler is raised when the block ends, and nothing is left patched."""

    def handler(request: Request) -> int:
        raise Boom

    with pytest.raises(Boom):
        async with mock() as router, aiohttp.ClientSession() as session:
            router.get("http://a.test/").reply(handler)
            async with session.get("http://a.test/") as response:
                assert 500 == response.status
    assert aiohttp.BaseConnector.connect.__code__ is CONNECT
