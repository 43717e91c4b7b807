"""Nothing leaves the machine while a mock is open, nor after it, if it began before: whatever the call does
then.

A resolver and a connect that note and refuse stand under all of it.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver
from aiohttp.connector import Connection

from aiotest_kit import Disconnect, RealConnector, Router, UnmatchedRequest, mock

if TYPE_CHECKING:
    from tests.against_aiohttp.conftest import Network
    from tests.doors.conftest import Settle

URL = "https://api.test/"
VERSION = tuple(map(int, aiohttp.__version__.split(".")[:2]))
CLOSED = "the mock was closed before it answered"


@pytest.fixture(autouse=True)
def outside(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail a test that asks for a name, or connects to anywhere but a loopback address."""
    asked: list[object] = []
    connect, getaddrinfo = socket.socket.connect, socket.getaddrinfo

    def refuse_name(host: Any, *args: Any, **options: Any) -> Any:
        if host in ("127.0.0.1", "::1", "localhost"):
            return getaddrinfo(host, *args, **options)
        asked.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "kept on this machine by the test")

    def refuse_address(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and address[0] not in ("127.0.0.1", "::1"):
            asked.append(address)
            raise ConnectionRefusedError
        connect(self, address)

    monkeypatch.setattr(socket, "getaddrinfo", refuse_name)
    monkeypatch.setattr(socket.socket, "connect", refuse_address)
    yield
    assert [] == asked


async def text(session: aiohttp.ClientSession, url: str = URL, **options: Any) -> str:
    async with session.request(options.pop("method", "GET"), url, **options) as response:
        return await response.text()


async def outcomes(*calls: asyncio.Future[Any]) -> list[object]:
    """What became of calls, errors as they are."""
    return list(await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 5))


def all_closed(results: list[object]) -> None:
    """Each call failed because its mock was closed, and not as one whose connection was lost."""
    for result in results:
        assert type(result) is aiohttp.ClientConnectionError
        assert str(result).startswith(CLOSED)


class TestClosing:
    """A mock closes while calls are under way."""

    @pytest.mark.parametrize("limits", [{"limit": 1}, {"limit": 2}, {"limit_per_host": 1}], ids=str)
    @pytest.mark.parametrize("how", ["exit", "aexit"])
    async def test_queued(self, limits: dict[str, Any], how: str, settle: Settle) -> None:
        """Calls that wait for a connection fail with those that have one."""
        connector = aiohttp.TCPConnector(**limits)
        async with aiohttp.ClientSession(connector=connector) as session:
            opened = mock()
            opened.__enter__()
            opened.router.get(URL).hold()
            calls = [asyncio.ensure_future(text(session)) for _ in range(5)]
            await settle()
            if how == "exit":
                opened.__exit__(None, None, None)
            else:
                await opened.__aexit__(None, None, None)
            all_closed(await outcomes(*calls))
            await settle()
            assert "connect" not in vars(connector)
            assert not connector._acquired

    @pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
    @pytest.mark.parametrize("turns", range(1, 12))
    async def test_on_the_way(self, turns: int, method: str) -> None:
        """A call fails, or has its answer, in whatever turn of the loop the mock closes."""
        async with aiohttp.ClientSession() as session:
            with mock() as router:
                router.any(URL).reply(200)
                call = asyncio.ensure_future(session.request(method, URL))
                for _ in range(turns):
                    await asyncio.sleep(0)
            [result] = await outcomes(call)
        if isinstance(result, aiohttp.ClientResponse):
            assert 200 == result.status
        else:
            all_closed([result])

    async def test_websocket(self, settle: Settle) -> None:
        """So does a handshake that waits for its turn."""
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session:
            with mock() as router:
                router.get(URL).hold()
                router.ws("wss://api.test/ws").optional()
                calls = [
                    asyncio.ensure_future(text(session)),
                    asyncio.ensure_future(session.ws_connect("wss://api.test/ws")),
                ]
                await settle()
            all_closed(await outcomes(*calls))

    async def test_body_on_its_way(self, settle: Settle) -> None:
        """A response that is being read ends with the mock."""

        async def endless() -> AsyncIterator[bytes]:
            while True:
                yield b"x" * 50_000

        async with aiohttp.ClientSession() as session:
            with mock() as router:
                router.get(URL).stream(endless)
                call = asyncio.ensure_future(text(session))
                await settle()
            all_closed(await outcomes(call))

    @pytest.mark.parametrize("turns", range(1, 10))
    async def test_redirect(self, turns: int) -> None:
        """The next hop of a redirect fails, if the mock closes before it is answered."""
        async with aiohttp.ClientSession() as session:
            with mock() as router:
                router.get(URL).redirect("https://elsewhere.test/")
                router.get("https://elsewhere.test/").optional().reply(text="there")
                call = asyncio.ensure_future(text(session))
                for _ in range(turns):
                    await asyncio.sleep(0)
            [result] = await outcomes(call)
        if result != "there":
            all_closed([result])

    async def test_between_the_hops_of_a_redirect(self) -> None:
        """Also if the call has no connection when the mock closes."""
        between, go_on = asyncio.Event(), asyncio.Event()

        async def wait(*args: object) -> None:
            between.set()
            await go_on.wait()

        config = aiohttp.TraceConfig()
        config.on_request_redirect.append(wait)
        async with aiohttp.ClientSession(trace_configs=[config]) as session:
            with mock() as router:
                router.get(URL).redirect("https://elsewhere.test/")
                call = asyncio.ensure_future(text(session))
                await between.wait()
            go_on.set()
            all_closed(await outcomes(call))

    @pytest.mark.parametrize("how", ["request", "awaited", "task", "generator"])
    async def test_before_its_first_connection(self, how: str) -> None:
        """A call that has not come to its connector yet fails there, whatever awaits it."""
        began, go_on = asyncio.Event(), asyncio.Event()

        async def wait(*args: object) -> None:
            began.set()
            await go_on.wait()

        async def awaited() -> str:
            response = await session.get(URL)
            return await response.text()

        async def pieces() -> AsyncIterator[str]:
            yield await awaited()

        async def from_generator() -> str:
            return "".join([piece async for piece in pieces()])

        config = aiohttp.TraceConfig()
        config.on_request_start.append(wait)
        async with aiohttp.ClientSession(trace_configs=[config]) as session:
            calls: dict[str, Callable[[], Any]] = {
                "request": lambda: text(session),
                "awaited": awaited,
                "task": lambda: session.get(URL),
                "generator": from_generator,
            }
            with mock():
                call = asyncio.ensure_future(calls[how]())
                await began.wait()
            go_on.set()
            all_closed(await outcomes(call))
            await asyncio.sleep(0)
            assert "connect" not in vars(session.connector)

    async def test_silent_retry(self) -> None:
        """aiohttp's second attempt of a call whose connection was dropped does not go out."""
        second, go_on = asyncio.Event(), asyncio.Event()
        made: list[str] = []

        async def wait(*args: object) -> None:
            # Only what comes on a connection from the pool is tried again, so the first call makes one.
            made.append("connection")
            if len(made) == 2:
                second.set()
                await go_on.wait()

        config = aiohttp.TraceConfig()
        config.on_connection_create_start.append(wait)
        async with aiohttp.ClientSession(trace_configs=[config]) as session:
            with mock() as router:
                router.get(f"{URL}pooled")
                await text(session, f"{URL}pooled")
                router.get(URL).reply(Disconnect(), attempts=1)
                call = asyncio.ensure_future(text(session))
                await second.wait()
            go_on.set()
            all_closed(await outcomes(call))

    @pytest.mark.skipif(VERSION < (3, 12), reason="aiohttp's client has middlewares from 3.12 on")
    async def test_middleware_that_tries_again(self) -> None:
        """An attempt that a client middleware makes after the mock has closed fails."""
        failed, go_on = asyncio.Event(), asyncio.Event()

        async def retry(request: Any, handler: Callable[[Any], Awaitable[Any]]) -> Any:
            response = await handler(request)
            assert 503 == response.status
            response.release()
            failed.set()
            await go_on.wait()
            return await handler(request)

        async with aiohttp.ClientSession(middlewares=(retry,)) as session:
            with mock() as router:
                router.get(URL).reply(503)
                call = asyncio.ensure_future(text(session))
                await failed.wait()
            go_on.set()
            all_closed(await outcomes(call))

    async def test_a_call_that_began_afterwards(self, network: Network) -> None:
        """Calls that begin after the mock go out, while an earlier one is still under way."""

        async def hello(request: web.BaseRequest) -> web.Response:
            return web.Response(text="real")

        await network.serve_web(hello)
        between, go_on = asyncio.Event(), asyncio.Event()

        async def wait(*args: object) -> None:
            between.set()
            await go_on.wait()

        config = aiohttp.TraceConfig()
        config.on_request_redirect.append(wait)
        async with aiohttp.ClientSession(connector=network.connector(), trace_configs=[config]) as session:
            with mock() as router:
                router.get(URL).redirect("https://elsewhere.test/")
                call = asyncio.ensure_future(text(session))
                await between.wait()
            assert session.connector is not None
            assert "connect" in vars(session.connector)
            assert "real" == await text(session, "http://a.test/")
            with mock() as router:
                router.get(URL).reply(text="mocked")
                assert "mocked" == await text(session)
            go_on.set()
            all_closed(await outcomes(call))
            await asyncio.sleep(0)
            assert "connect" not in vars(session.connector)

    async def test_inner_mock(self, settle: Settle) -> None:
        """What an inner mock leaves without an answer, the outer one may give."""
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session:
            with mock() as outer:
                outer.get(URL).reply(text="outer")
                with mock() as inner:
                    inner.get(URL).hold()
                    calls = [asyncio.ensure_future(text(session)) for _ in range(2)]
                    await settle()
                first, second = await outcomes(*calls)
        all_closed([first])
        assert "outer" == second

    def test_another_thread(self) -> None:
        """Calls on the loop of another thread fail too."""
        held = threading.Event()
        results: list[object] = []

        async def client() -> None:
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session:
                calls = [asyncio.ensure_future(text(session)) for _ in range(3)]
                await gate.waiting()
                held.set()
                results.extend(await outcomes(*calls))

        thread = threading.Thread(target=lambda: asyncio.run(client()))
        with mock() as router:
            gate = router.get(URL).hold()
            thread.start()
            assert held.wait(5)
        thread.join(5)
        assert 3 == len(results)
        all_closed(results)


class TestOpening:
    """A mock opens while calls are under way."""

    async def test_queued(self, network: Network, settle: Settle) -> None:
        """A call that waited for a connection over the network meets the mock."""
        go_on = asyncio.Event()

        async def wait(request: web.BaseRequest) -> web.Response:
            await go_on.wait()
            return web.Response(text="real", headers={"Connection": "close"})

        await network.serve_web(wait)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session:
            real = asyncio.ensure_future(text(session, f"http://127.0.0.1:{network.port}/"))
            await settle()
            answered = asyncio.ensure_future(text(session))
            unmatched = asyncio.ensure_future(text(session, "http://b.test/"))
            await settle()
            with mock() as router:
                router.get(URL).reply(text="mocked")
                go_on.set()
                first, second, third = await outcomes(real, answered, unmatched)
        assert ("real", "mocked") == (first, second)
        assert isinstance(third, UnmatchedRequest)
        assert ["http://b.test/"] == [str(miss.request.url) for miss in router.misses]


class OwnConnect(aiohttp.TCPConnector):
    """A connector that makes a connection for each request, without aiohttp's pool."""

    async def connect(self, req: Any, traces: Any, timeout: Any) -> Connection:
        protocol = await self._create_connection(req, traces, timeout)
        self._acquired.add(protocol)
        return Connection(self, req.connection_key, protocol, asyncio.get_running_loop())


class TestConnectors:
    """A connector with a `connect` of its own."""

    async def test_is_answered(self) -> None:
        """The mock answers it, also if its class is younger than the mock."""
        with mock() as router:

            class Younger(OwnConnect):
                async def connect(self, req: Any, traces: Any, timeout: Any) -> Connection:
                    return await OwnConnect.connect(self, req, traces, timeout)

            router.get(URL).reply(text="mocked", times=None)
            for kind in (OwnConnect, Younger):
                async with aiohttp.ClientSession(connector=kind()) as session:
                    assert "mocked" == await text(session)
                    with pytest.raises(UnmatchedRequest):
                        await text(session, "http://b.test/")
        assert (2, 2) == (router.call_count - len(router.misses), len(router.misses))

    async def test_calls_that_the_mock_leaves(self, settle: Settle) -> None:
        """Its calls fail when the mock closes, and it goes to the network afterwards."""
        async with aiohttp.ClientSession(connector=OwnConnect()) as session:
            with mock() as router:
                router.get(URL).hold()
                call = asyncio.ensure_future(text(session))
                await settle()
            all_closed(await outcomes(call))

    async def test_loopback_goes_through(self, network: Network) -> None:
        """What may go out goes out."""

        async def hello(request: web.BaseRequest) -> web.Response:
            return web.Response(text="real")

        await network.serve_web(hello)
        url = f"http://127.0.0.1:{network.port}/"
        with mock():
            for connector in (OwnConnect(), RealConnector(), aiohttp.TCPConnector()):
                async with aiohttp.ClientSession(connector=connector) as session:
                    assert "real" == await text(session, url)

    async def test_that_calls_aiohttps(self) -> None:
        """One that ends in aiohttp's `connect` is answered as before, and what it does itself is done."""
        seen: list[str] = []

        class Logged(aiohttp.TCPConnector):
            async def connect(self, req: Any, traces: Any, timeout: Any) -> Connection:
                seen.append(str(req.url))
                return await super().connect(req, traces, timeout)

        with mock() as router:
            router.get(URL).reply(text="mocked")
            async with aiohttp.ClientSession(connector=Logged()) as session:
                assert ["mocked", "mocked"] == [await text(session), await text(session)]
        assert [URL, URL] == seen


class Elsewhere(AbstractResolver):
    """A resolver for which every name is far away."""

    async def resolve(self, host: str, port: int = 0, family: Any = socket.AF_INET) -> Any:
        address = {"hostname": host, "host": "192.0.2.55", "port": port, "family": family}
        return [{**address, "proto": 0, "flags": 0}]

    async def close(self) -> None: ...


class TestNames:
    """Names that merely look local."""

    @pytest.mark.parametrize(
        "host", ["db.localhost", "a.b.localhost.", "localhost.test", "127.0.0.1.test", "localhost6"]
    )
    @pytest.mark.parametrize("policy", ["error", "allow"])
    async def test_is_not_trusted(self, host: str, policy: Any) -> None:
        """A name that is not `localhost` itself is unmatched, not looked up."""
        with mock(unmatched=policy) as router:
            async with aiohttp.ClientSession() as session:
                with pytest.raises(UnmatchedRequest):
                    await text(session, f"http://{host}:1/")
        assert 1 == len(router.misses)

    @pytest.mark.parametrize("host", ["localhost", "localhost."])
    async def test_own_resolver(self, host: str) -> None:
        """`localhost` is unmatched where somebody's own resolver says what it is."""
        with mock() as router:
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=Elsewhere())) as session:
                with pytest.raises(UnmatchedRequest):
                    await text(session, f"http://{host}/")
                router.get(f"http://{host}/").reply(text="mocked")
                assert "mocked" == await text(session, f"http://{host}/")

    async def test_own_resolver_and_an_address(self, network: Network) -> None:
        """A loopback address goes through with any resolver: nobody looks it up."""

        async def hello(request: web.BaseRequest) -> web.Response:
            return web.Response(text="real")

        await network.serve_web(hello)
        with mock():
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=Elsewhere())) as session:
                assert "real" == await text(session, f"http://127.0.0.1:{network.port}/")


class TestOrder:
    """Which of several open mocks is asked first."""

    async def test_older_worker(self) -> None:
        """A newer mock answers a task that is older than it, before a wider one of that task."""
        asked: asyncio.Queue[str] = asyncio.Queue()
        answers: asyncio.Queue[str] = asyncio.Queue()

        async def work() -> None:
            async with aiohttp.ClientSession() as session:
                while True:
                    await answers.put(await text(session, await asked.get()))

        async def ask(url: str = URL) -> str:
            await asked.put(url)
            return await asyncio.wait_for(answers.get(), 5)

        with mock() as wide:
            wide.get(URL).reply(text="wide")
            wide.get(f"{URL}other").reply(text="other")
            worker = asyncio.ensure_future(work())
            assert "wide" == await ask()
            with mock() as narrow:
                narrow.get(URL).reply(text="narrow")
                assert ("narrow", "other") == (await ask(), await ask(f"{URL}other"))
            assert "wide" == await ask()
            worker.cancel()
            await asyncio.wait([worker])

    async def test_mock_of_a_sync_fixture(self) -> None:
        """So does one that was opened outside of any task, and in another context."""
        done = threading.Event()
        opened = mock()

        def open_it() -> None:
            opened.open()
            opened.router.get(URL).reply(text="newer")
            done.set()

        with mock() as older:
            older.get(URL).reply(text="older")
            threading.Thread(target=open_it).start()
            assert done.wait(5)
            async with aiohttp.ClientSession() as session:
                assert "newer" == await text(session)
                opened.close()
                assert "older" == await text(session)

    async def test_siblings_come_last(self) -> None:
        """A concurrent task's mock is asked after a wider one that both have."""
        is_open, is_over = asyncio.Event(), asyncio.Event()

        async def sibling() -> None:
            async with mock() as router:
                router.get(URL).reply(text="sibling")
                router.get(f"{URL}only").reply(text="only here")
                is_open.set()
                await is_over.wait()

        with mock() as wide:
            wide.get(URL).reply(text="wide")
            task = asyncio.ensure_future(sibling())
            await is_open.wait()
            async with mock() as own, aiohttp.ClientSession() as session:
                own.get(f"{URL}own").reply(text="own")
                assert "wide" == await text(session)
                assert "only here" == await text(session, f"{URL}only")
            is_over.set()
            await task


class TestIsolated:
    """A mock with `isolated=True`."""

    async def test_is_asked_by_nobody_else(self) -> None:
        """Only its own context and the tasks it starts ask it; for others it is not there."""
        is_open, is_over = asyncio.Event(), asyncio.Event()

        async def isolated() -> str:
            async with mock(isolated=True) as router:
                router.get(URL).reply(text="isolated")
                is_open.set()
                await is_over.wait()
                async with aiohttp.ClientSession() as session:
                    return await asyncio.create_task(text(session))

        task = asyncio.ensure_future(isolated())
        await is_open.wait()
        async with aiohttp.ClientSession() as session:
            with mock() as router:
                router.get(f"{URL}own").optional()
                with pytest.raises(UnmatchedRequest, match="own"):
                    await text(session)
        is_over.set()
        assert "isolated" == await task

    async def test_asks_no_siblings(self) -> None:
        """Nor does it ask the mocks of concurrent tasks; wider ones it does."""
        routers: dict[str, Router] = {}
        all_open, is_over = asyncio.Event(), asyncio.Event()

        async def user(name: str, isolated: bool) -> None:
            async with mock(isolated=isolated) as router:
                router.get(f"{URL}{name}").reply(text=name)
                routers[name] = router
                if len(routers) == 2:
                    all_open.set()
                await all_open.wait()
                async with aiohttp.ClientSession() as session:
                    assert name == await text(session, f"{URL}{name}")
                    assert "wide" == await text(session, f"{URL}wide")
                    other = "open" if name == "closed" else "closed"
                    with pytest.raises(UnmatchedRequest):
                        await text(session, f"{URL}{other}")
                is_over.set()

        with mock() as wide:
            wide.get(f"{URL}wide").reply(text="wide")
            await asyncio.gather(user("closed", True), user("open", False))
        assert [1, 1] == [len(router.misses) for router in routers.values()]

    async def test_of_another_context_alone(self, network: Network) -> None:
        """Where only others' isolated mocks are open, nothing is intercepted."""

        async def hello(request: web.BaseRequest) -> web.Response:
            return web.Response(text="real")

        await network.serve_web(hello)
        is_open, is_over = asyncio.Event(), asyncio.Event()

        async def isolated() -> None:
            async with mock(isolated=True, loopback=False):
                is_open.set()
                await is_over.wait()

        task = asyncio.ensure_future(isolated())
        await is_open.wait()
        async with aiohttp.ClientSession(connector=network.connector()) as session:
            assert "real" == await text(session, "http://a.test/")
        is_over.set()
        await task
