"""Virtual time: what takes hours takes none, what is outside takes its time, and nothing is left of it."""

import asyncio
import math
import os
import selectors
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import aiohttp
import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from aiotest_kit import Router, UsageError, VirtualTimeError, mock, mock_session, virtual_time
from aiotest_kit._virtual_time.clock import check_loop
from tests.support.loops import asyncio_only

HOUR = 3600
Door: TypeAlias = tuple[str, aiohttp.ClientSession]

pytestmark = asyncio_only


async def ok(request: web.Request) -> web.Response:
    return web.Response(text="ok")


async def slow(request: web.Request) -> web.Response:
    await asyncio.sleep(30)
    return web.Response(text="slow")


async def chunks(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(5):
        await asyncio.sleep(8)
        await response.write(b"x")
    return response


async def large(request: web.Request) -> web.Response:
    return web.Response(body=b"x" * 10_000_000)


async def silent(request: web.Request) -> web.StreamResponse:
    """A websocket that answers no ping."""
    ws = web.WebSocketResponse(autoping=False)
    await ws.prepare(request)
    await asyncio.sleep(HOUR)
    return ws


@asynccontextmanager
async def served(
    host: str = "127.0.0.1", tmp_path: Path | None = None
) -> AsyncIterator[tuple[str, aiohttp.ClientSession]]:
    """An application on a socket, and a session to it; both in this loop."""
    app = web.Application()
    app.router.add_get("/slow", slow)
    app.router.add_get("/chunks", chunks)
    app.router.add_get("/silent", silent)
    app.router.add_get("/large", large)
    app.router.add_get("/ok", ok)
    runner = web.AppRunner(app, keepalive_timeout=75.0, shutdown_timeout=0.1)
    await runner.setup()
    path = str(tmp_path / "socket") if tmp_path else ""
    site: web.BaseSite = web.UnixSite(runner, path) if path else web.TCPSite(runner, host, 0)
    await site.start()
    connector = aiohttp.UnixConnector(path) if path else aiohttp.TCPConnector()
    url = (
        "http://unix"
        if path
        else f"http://{host if ':' not in host else f'[{host}]'}:{runner.addresses[0][1]}"
    )
    try:
        async with aiohttp.ClientSession(connector=connector) as session:
            yield url, session
    finally:
        await runner.cleanup()


@asynccontextmanager
async def in_memory() -> AsyncIterator[tuple[str, aiohttp.ClientSession]]:
    """The same, of routes in memory."""
    router = Router()
    router.get("/slow").reply(200, text="slow", delay=30)
    router.get("/chunks").stream([8.0, b"x"] * 5)
    router.get("/ok").reply(200, text="ok")
    async with mock_session(router) as session:
        yield "http://api.test", session


@pytest.fixture(params=["memory", "ipv4", "ipv6", "unix"])
async def door(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[tuple[str, aiohttp.ClientSession]]:
    """Where /slow answers after 30 s, /chunks with 5 pieces 8 s apart, and /ok at once."""
    contexts: dict[str, Callable[[], AbstractAsyncContextManager[Door]]] = {
        "memory": in_memory,
        "ipv4": served,
        "ipv6": lambda: served("::1"),
        "unix": lambda: served("", tmp_path),
    }
    async with contexts[request.param]() as (url, session):
        yield url, session


class TestTimeouts:
    @pytest.mark.parametrize("kind", ["total", "sock_read"])
    @pytest.mark.parametrize("seconds", [0.25, 4.5, 10, 29])
    async def test_too_slow(self, door: Door, kind: str, seconds: float) -> None:
        """A reply after 30 s misses a timeout, which takes as long as it says."""
        url, session = door
        limits: dict[str, Any] = {"total": None, kind: seconds}
        timeout = aiohttp.ClientTimeout(**limits)
        async with virtual_time() as clock:
            with pytest.raises(asyncio.TimeoutError):
                await session.get(f"{url}/slow", timeout=timeout)
            assert seconds == pytest.approx(clock.now, abs=0.01)

    async def test_in_time(self, door: Door) -> None:
        """One that is long enough is not missed."""
        url, session = door
        async with virtual_time() as clock:
            async with session.get(f"{url}/slow", timeout=aiohttp.ClientTimeout(total=60)) as response:
                assert "slow" == await response.text()
            assert 30 == pytest.approx(clock.now, abs=0.01)

    async def test_pauses(self, door: Door) -> None:
        """Pieces 8 s apart do not miss a read timeout of 10 s."""
        url, session = door
        async with virtual_time() as clock:
            async with session.get(f"{url}/chunks", timeout=aiohttp.ClientTimeout(sock_read=10)) as response:
                assert b"xxxxx" == await response.read()
            assert 40 == pytest.approx(clock.now, abs=0.01)

    async def test_one_after_another(self, door: Door) -> None:
        """aiohttp's rounding to whole seconds does not add up."""
        url, session = door
        async with virtual_time() as clock:
            for _ in range(20):
                with pytest.raises(asyncio.TimeoutError):
                    await session.get(f"{url}/slow", timeout=aiohttp.ClientTimeout(total=10))
            assert 200 == pytest.approx(clock.now, abs=0.01)

    async def test_connecting(self) -> None:
        """A connection that is not made misses `sock_connect`, and a full pool `connect`."""
        router = Router()
        router.get("/").reply(delay=HOUR)
        async with (
            virtual_time() as clock,
            mock_session(
                router,
                connector=aiohttp.TCPConnector(limit=1),
                timeout=aiohttp.ClientTimeout(total=None, connect=7),
            ) as session,
        ):
            first = asyncio.ensure_future(session.get("http://a.test/"))
            await clock.advance(0)
            with pytest.raises(asyncio.TimeoutError):
                await session.get("http://a.test/")
            assert 7 == pytest.approx(clock.now, abs=0.01)
            first.cancel()

    async def test_of_asyncio(self) -> None:
        """`wait_for`, `wait`, `call_later` and `asyncio.timeout` go by it, in their order."""
        async with virtual_time() as clock:
            loop = asyncio.get_running_loop()
            order: list[tuple[str, float]] = []

            def note(name: str) -> None:
                order.append((name, round(clock.now, 3)))

            for name, delay in [("c", 3.0), ("a", 1.0), ("b", 2.0)]:
                loop.call_later(delay, note, name)
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(loop.create_future(), 10)
            assert [("a", 1.0), ("b", 2.0), ("c", 3.0)] == order
            await asyncio.wait([loop.create_future()], timeout=10)
            if sys.version_info >= (3, 11):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(10):
                        await asyncio.sleep(20)
            else:
                await asyncio.sleep(10)
            assert 30 == pytest.approx(clock.now, abs=0.01)


@asynccontextmanager
async def mocked_session(
    router: Router, trace_configs: list[aiohttp.TraceConfig]
) -> AsyncIterator[ClientSession]:
    """A session of somebody else's, whose calls a mock answers."""
    async with mock(router), ClientSession(trace_configs=trace_configs) as session:
        yield session


class TestLongWaits:
    async def test_back_off(self) -> None:
        """Ten tries with an hour between them take nine hours."""
        router = Router()
        router.get("/").reply(503, times=9).reply(200)
        async with mock_session(router) as session, virtual_time() as clock:
            for status in [*[503] * 9, 200]:
                assert status == (await session.get("http://api.test/")).status
                if status == 503:
                    await asyncio.sleep(HOUR)
            assert 9 * HOUR == pytest.approx(clock.now, abs=0.01)

    @pytest.mark.parametrize("days", [1, 400])
    async def test_days(self, days: int) -> None:
        """asyncio sleeps a day at most; a longer time is made of several."""
        async with virtual_time() as clock:
            await asyncio.sleep(days * 24 * HOUR)
            assert days * 24 * HOUR == pytest.approx(clock.now, abs=0.01)

    async def test_idle_keep_alive(self, door: Door) -> None:
        """An idle connection is not in the way, and the server may close it meanwhile."""
        url, session = door
        async with virtual_time() as clock:
            for _ in range(2):
                async with session.get(f"{url}/ok") as response:
                    assert "ok" == await response.text()
                await asyncio.sleep(4000)
            assert 8000 == pytest.approx(clock.now, abs=0.01)

    @pytest.mark.parametrize("opened_by", [mock_session, mocked_session])
    async def test_pool(self, opened_by: Callable[..., AbstractAsyncContextManager[ClientSession]]) -> None:
        """A pooled connection is as old as the clock says: 15 s after its last call, it is not used again."""
        connections = []
        traces = aiohttp.TraceConfig()

        async def note(session: ClientSession, context: object, details: object) -> None:
            connections.append(type(details).__name__)

        traces.on_connection_create_start.append(note)
        traces.on_connection_reuseconn.append(note)
        new, reused = "TraceConnectionCreateStartParams", "TraceConnectionReuseconnParams"
        router = Router()
        router.get("/").reply(body=bytes(1_000_000))
        async with opened_by(router, trace_configs=[traces]) as session, virtual_time():
            for idle in (10, 14, 16, 1, 4000, 0):
                async with session.get("http://api.test/") as response:
                    await asyncio.sleep(20)
                    await response.read()
                await asyncio.sleep(idle)
        assert [new, reused, reused, new, reused, new] == connections

    async def test_heartbeat(self) -> None:
        """A websocket whose server answers no ping is given up after half a heartbeat more."""
        async with served() as (url, session), virtual_time() as clock:
            async with session.ws_connect(f"{url}/silent", heartbeat=60) as ws:
                message = await ws.receive()
                assert message.type in (aiohttp.WSMsgType.ERROR, aiohttp.WSMsgType.CLOSED)
            assert 90 == pytest.approx(clock.now, abs=0.01)


class TestClock:
    async def test_starts_at_zero(self) -> None:
        """The clock of each block begins with it; the loop's goes on."""
        loop = asyncio.get_running_loop()
        async with virtual_time() as clock:
            assert 0 == clock.now
            before = loop.time()
            await asyncio.sleep(5)
            assert (5, "<VirtualClock at 5 s>") == (clock.now, repr(clock))
            assert 5 == loop.time() - before
            async with virtual_time() as inner:
                await asyncio.sleep(1)
                assert (1, 6) == (inner.now, clock.now)

    async def test_advance(self) -> None:
        """All that falls due has happened, also what was set on the way."""
        happened = []

        async def two_steps() -> None:
            await asyncio.sleep(2)
            happened.append(clock.now)
            await asyncio.sleep(3)
            await asyncio.sleep(0)
            happened.append(clock.now)
            await asyncio.sleep(1)
            happened.append(clock.now)

        async with virtual_time() as clock:
            task = asyncio.ensure_future(two_steps())
            await clock.advance(5)
            assert [2, 5] == happened
            assert 5 == clock.now
            await clock.advance(1)
            assert task.done()

    async def test_advance_by_nothing(self) -> None:
        """What can run does."""
        async with virtual_time() as clock:
            task = asyncio.ensure_future(asyncio.sleep(0))
            await clock.advance(0)
            assert task.done()

    @pytest.mark.parametrize("seconds", [-1, math.inf, math.nan])
    async def test_wrong_advance(self, seconds: float) -> None:
        """Time goes forward."""
        async with virtual_time() as clock:
            with pytest.raises(UsageError) as caught:
                await clock.advance(seconds)
        assert f"advance({seconds!r}): time goes forward, by a number of seconds" == str(caught.value)

    def test_wrong_patience(self) -> None:
        """Patience is a time."""
        with pytest.raises(UsageError) as caught:
            virtual_time(patience=-1)
        assert "patience=-1: it is a number of seconds of real time" == str(caught.value)

    async def test_open_twice(self) -> None:
        """One object is one block."""
        block = virtual_time()
        async with block:
            with pytest.raises(UsageError) as caught:
                await block.__aenter__()
        assert "this block of virtual time is open already; virtual_time() makes another one" == str(
            caught.value
        )

    async def test_advance_is_given_up(self) -> None:
        """A wait for the clock may be cancelled, as any."""
        async with virtual_time() as clock:
            task = asyncio.ensure_future(clock.advance(0))
            for _ in range(3):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.sleep(1)
            assert task.cancelled()

    async def test_timer_that_waits_for_a_late_clock(self) -> None:
        """A timer that is set again as long as it is not late fires after all; aiohttp had one."""
        loop = asyncio.get_running_loop()
        late = loop.create_future()
        due = loop.time() + 100

        def check() -> None:
            if loop.time() <= due:
                loop.call_at(due, check)
            else:
                late.set_result(None)

        async with virtual_time():
            loop.call_at(due, check)
            await late


class TestAfterwards:
    async def test_nothing_is_left(self) -> None:
        """The loop is as before, but for its time, which does not go back."""
        loop = asyncio.get_running_loop()
        before = dict(vars(loop))
        last = loop.time()
        with pytest.raises(ZeroDivisionError):
            async with virtual_time():
                await asyncio.sleep(HOUR)
                last = loop.time()
                raise ZeroDivisionError
        after = dict(vars(loop))
        assert last <= loop.time() < last + 60
        del after["time"]
        for name in ("_ready", "_scheduled", "_timer_cancelled_count", "_asyncgens"):
            for state in (before, after):
                state.pop(name, None)
        assert before == after

    async def test_many_blocks(self) -> None:
        """On a loop that lives on, a thousand blocks are no slower than one."""
        loop = asyncio.get_running_loop()
        for _ in range(1000):
            async with virtual_time():
                await asyncio.sleep(1)
        first = loop.time()
        assert first <= loop.time()

    async def test_set_before_and_after(self) -> None:
        """A timer keeps its distance, into the block and out of it."""
        loop = asyncio.get_running_loop()
        fired = loop.create_future()
        loop.call_later(HOUR, fired.set_result, None)
        async with virtual_time() as clock:
            await asyncio.sleep(HOUR - 100)
            assert not fired.done()
            await asyncio.sleep(100)
            assert fired.done()
            late = loop.call_later(50, print)
            set_at = loop.time()
        assert 50 == pytest.approx(late.when() - set_at)
        late.cancel()
        assert HOUR == pytest.approx(clock.now, abs=1)

    async def test_blocks_that_overlap(self) -> None:
        """Time is virtual from the first block that opens to the last that closes."""
        first, second = virtual_time(), virtual_time()
        await first.__aenter__()
        clock = await second.__aenter__()
        await first.__aexit__(None, None, None)
        await asyncio.sleep(HOUR)
        assert HOUR == clock.now
        await second.__aexit__(None, None, None)

    def test_several_loops(self) -> None:
        """Each loop has its own."""

        async def run(seconds: int) -> float:
            async with virtual_time() as clock:
                await asyncio.sleep(seconds)
                return clock.now

        results: list[float] = []
        threads = [
            threading.Thread(target=lambda n=n: results.append(asyncio.run(run(n)))) for n in (10, 20, 30)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [10, 20, 30] == sorted(results)


class TestLargeTimes:
    @pytest.mark.parametrize("start", [1234.62, 1.8e7, 1.7e9, 1e12])
    def test_start(self, start: float) -> None:
        """However large the loop's time is, timers fire, and on time."""

        async def run() -> float:
            async with virtual_time() as clock:
                for _ in range(10):
                    await asyncio.sleep(0.5)
                await asyncio.sleep(10)
                return clock.now

        loop = asyncio.SelectorEventLoop(selectors.SelectSelector())
        loop.time = lambda: start  # type: ignore[method-assign]
        assert 15 == pytest.approx(loop.run_until_complete(run()), abs=0.01)
        loop.close()


class TestOutside:
    """`patience` is real time, so where it has to run out it is short, and else it is never needed."""

    async def test_thread(self) -> None:
        """The clock stands still while a call in an executor runs."""
        async with virtual_time() as clock:
            release = threading.Event()
            call = asyncio.ensure_future(asyncio.wait_for(asyncio.to_thread(release.wait), 5))
            await asyncio.sleep(0)
            asyncio.get_running_loop().call_soon(release.set)
            assert await call
            assert clock.now < 1
            await asyncio.sleep(HOUR)

    async def test_process(self) -> None:
        """And while a process does."""
        async with virtual_time() as clock:
            process = await asyncio.create_subprocess_exec(sys.executable, "-c", "print(1)", stdout=-1)
            output, _ = await asyncio.wait_for(process.communicate(), 5)
            assert (b"1", 0) == (output.strip(), await asyncio.wait_for(process.wait(), 5))
            assert clock.now < 1
            await asyncio.sleep(HOUR)

    async def test_shell(self) -> None:
        """Also one without pipes."""
        async with virtual_time() as clock:
            process = await asyncio.create_subprocess_shell("exit 3")
            assert 3 == await asyncio.wait_for(process.wait(), 5)
            assert clock.now < 1

    async def test_bytes_on_their_way(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What a busy system delivers late from one socket of the loop to another is no timeout."""
        selector = vars(asyncio.get_running_loop())["_selector"]
        select = selector.select

        def late(timeout: float | None = None) -> Any:
            return [] if timeout is not None and timeout <= 0 else select(timeout)

        async with served() as (url, session):
            monkeypatch.setattr(selector, "select", late)
            async with virtual_time() as clock:
                async with session.get(f"{url}/ok", timeout=aiohttp.ClientTimeout(10)) as response:
                    assert "ok" == await response.text()
                assert clock.now < 1
            monkeypatch.undo()

    async def test_server_in_a_thread(self, threaded: str) -> None:
        """A thousand requests to a server on another loop meet no timeout; idle connections do no harm."""
        async with virtual_time() as clock, aiohttp.ClientSession() as session:
            for number in range(1000):
                async with session.get(threaded, timeout=aiohttp.ClientTimeout(sock_read=1)) as response:
                    assert "ok" == await response.text()
                if number % 10 == 0:
                    await asyncio.sleep(0.1)
            assert 10 == pytest.approx(clock.now, abs=0.1)

    async def test_server_that_does_not_answer(self) -> None:
        """A wait for what is outside ends with an error where it is waited for, not with a false timeout."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            async with virtual_time(patience=0.05) as clock, aiohttp.ClientSession() as session:
                with pytest.raises(VirtualTimeError) as caught:
                    await session.get(f"http://127.0.0.1:{port}/")
                assert clock.now < 1
        assert (
            "virtual time stood still for 0.05 s of real time, waiting for the connection to "
            f"127.0.0.1:{port}; what happens outside this loop takes its real time: shorten it, "
            "or serve it in memory"
        ) == str(caught.value)

    async def test_call_that_does_not_end(self) -> None:
        """Calls are named."""
        release = threading.Event()
        async with virtual_time(patience=0.05):
            waiting = asyncio.ensure_future(asyncio.to_thread(release.wait))
            sleeping = asyncio.ensure_future(asyncio.sleep(5))
            with pytest.raises(VirtualTimeError) as caught:
                await asyncio.gather(waiting, sleeping)
            release.set()
            sleeping.cancel()
            assert await waiting
        assert "waiting for Event.wait in an executor;" in str(caught.value)

    async def test_pipe(self) -> None:
        """A descriptor that is no connection is outside."""
        loop = asyncio.get_running_loop()
        ours, theirs = os.pipe()
        loop.add_reader(ours, print)
        async with virtual_time(patience=0.01):
            with pytest.raises(VirtualTimeError, match=f"waiting for descriptor {ours};"):
                await asyncio.sleep(1)
        loop.remove_reader(ours)
        os.close(ours)
        os.close(theirs)

    async def test_socket_pair(self) -> None:
        """So is a socket without a name."""
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        with ours, theirs:
            loop.add_reader(ours, print)
            async with virtual_time(patience=0.01):
                with pytest.raises(
                    VirtualTimeError, match="waiting for the connection to nothing with a name;"
                ):
                    await asyncio.sleep(1)
            loop.remove_reader(ours)

    async def test_unconnected_socket(self) -> None:
        """And one that is not connected."""
        loop = asyncio.get_running_loop()
        with socket.socket(type=socket.SOCK_DGRAM) as sock:
            loop.add_reader(sock, print)
            async with virtual_time(patience=0.01):
                with pytest.raises(VirtualTimeError, match=f"waiting for descriptor {sock.fileno()};"):
                    await asyncio.sleep(1)
            loop.remove_reader(sock)

    async def test_connection_that_is_not_read(self) -> None:
        """A connection is inside also while its other end has paused, and is in no selector."""
        async with served() as (url, session), virtual_time() as clock:
            async with session.get(f"{url}/large") as response:
                await asyncio.sleep(100)
                assert 10_000_000 == len(await response.read())
            assert 100 == pytest.approx(clock.now, abs=0.01)


@pytest.fixture
def threaded() -> Iterator[str]:
    """The URL of a server that runs on another loop, in another thread."""
    loop = asyncio.new_event_loop()
    app = web.Application()
    app.router.add_get("/", ok)
    server = TestServer(app)

    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(server.start_server(), loop).result()
    try:
        yield str(server.make_url("/"))
    finally:
        asyncio.run_coroutine_threadsafe(server.close(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class TestDeadlock:
    async def test_it(self) -> None:
        """A wait that nothing will end is an error that says who waits where."""

        async def waits_for_ever() -> None:
            await asyncio.get_running_loop().create_future()

        async with virtual_time(patience=0.01):
            task = asyncio.create_task(waits_for_ever(), name="forever")
            with pytest.raises(VirtualTimeError) as caught:
                await task
        first, *others = str(caught.value).splitlines()
        assert (
            "deadlock in virtual time: no timer is set, and nothing happened in 0.01 s of real time" == first
        )
        assert any(
            "  forever waits at test_clock.py:" in line and line.endswith(" in waits_for_ever")
            for line in others
        )

    def test_nobody_waits(self) -> None:
        """With no task to raise it in, it ends the loop's run."""

        async def leave_open() -> None:
            await virtual_time(patience=0.01).__aenter__()

        loop = asyncio.SelectorEventLoop()
        loop.run_until_complete(leave_open())
        with pytest.raises(VirtualTimeError, match="deadlock"):
            loop.run_forever()
        loop.close()


class TestRefused:
    def test_another_loop(self) -> None:
        """A loop that is not asyncio's is refused by its name."""

        class Loop:
            __module__ = "uvloop"

        with pytest.raises(VirtualTimeError) as caught:
            check_loop(Loop())
        assert (
            "virtual time needs a selector loop of asyncio, and this is uvloop."
            "TestRefused.test_another_loop.<locals>.Loop; run this test on asyncio.SelectorEventLoop"
        ) == str(caught.value)

    def test_uvloop(self) -> None:
        """uvloop is one."""
        uvloop = pytest.importorskip("uvloop")

        async def enter() -> None:
            async with virtual_time():
                pass

        loop = uvloop.new_event_loop()
        with pytest.raises(VirtualTimeError, match=r"this is uvloop\.Loop; run"):
            loop.run_until_complete(enter())
        loop.close()

    def test_loop_with_a_clock_of_its_own(self) -> None:
        """Two virtual clocks would be in each other's way."""

        class Loop(asyncio.SelectorEventLoop):
            __module__ = "looptime.loops"

        loop = Loop()
        with pytest.raises(VirtualTimeError) as caught:
            check_loop(loop)
        loop.close()
        assert str(caught.value).endswith(".Loop has virtual time of its own, by looptime; use either")
