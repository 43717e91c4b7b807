"""The loopback door: where it listens, how it starts and ends, and what refuses to work."""

import asyncio
import re
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import aiohttp
import pytest

from aiotest_kit import LoopMismatchError, Request, Router, UnmatchedRequest, Upstream, UsageError, mock
from aiotest_kit._asyncio.loop_thread import LoopThread

PATIENCE = 5.0


async def fetch(up: Upstream, path: str = "/", **options: Any) -> tuple[int, str]:
    connector = aiohttp.UnixConnector(up.unix) if up.unix else aiohttp.TCPConnector()
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.get(up.url / path.lstrip("/"), **options) as response,
    ):
        return response.status, await response.text()


# ---- where it is ----


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.0.2"])
async def test_address(host: str) -> None:
    """It listens where it was told to, on a port of its own, and says where."""
    async with Upstream(host) as up, Upstream(host) as other:
        up.get("/a").reply(text="hi")

        assert (200, "hi") == await fetch(up, "/a")
        assert f"http://{host}:{up.port}" == str(up.url.origin())
        assert up.port != other.port
        assert up.unix is None


@pytest.mark.skipif(not socket.has_ipv6, reason="there is no IPv6")
async def test_ipv6() -> None:
    """`::1` is an address like any other."""
    async with Upstream("::1") as up:
        up.get("/a").reply(text="hi")

        assert (200, "hi") == await fetch(up, "/a")
        assert f"http://[::1]:{up.port}/a" == str(up.calls.one().request.url)


async def test_port() -> None:
    """A port that was asked for is the one, and free again at once when the upstream has ended."""
    async with Upstream() as up:
        port = up.port
    for _ in range(2):
        async with Upstream(port=port) as up:
            up.get("/a")
            assert (port, 200) == (up.port, (await fetch(up, "/a"))[0])


async def test_unix(tmp_path: Path) -> None:
    """On a unix socket there is no port; the socket is there as long as the upstream is."""
    path = tmp_path / "s"
    async with Upstream(unix=path) as up:
        up.get("/a").reply(text="hi")

        assert (200, "hi") == await fetch(up, "/a")
        assert (str(path), "http://localhost") == (up.unix, str(up.url.origin()))
        with pytest.raises(UsageError) as raised:
            _ = up.port
    assert f"there is no port: this upstream listens on the unix socket {path}" == str(raised.value)
    assert not path.exists()


async def test_unix_beside_a_mock(tmp_path: Path) -> None:
    """An open mock lets requests through to an upstream of this process, to no other socket."""
    async with Upstream(unix=tmp_path / "s") as up:
        up.get("/a").reply(text="hi")
        with mock():
            assert (200, "hi") == await fetch(up, "/a")
            connector = aiohttp.UnixConnector(str(tmp_path / "other"))
            async with aiohttp.ClientSession(connector=connector) as session:
                with pytest.raises(UnmatchedRequest):
                    await session.get("http://localhost/a")


async def test_exposed() -> None:
    """With `expose=True` it may listen on any address; its own URL is one that clients here can use."""
    async with Upstream("0.0.0.0", expose=True) as up:
        up.get("/a")

        assert (f"http://127.0.0.1:{up.port}", 200) == (str(up.url.origin()), (await fetch(up, "/a"))[0])


async def test_url_of_requests() -> None:
    """A request is for the host that it names, as a server sees it."""
    async with Upstream() as up:
        up.get("https://api.test/a").optional()
        route = up.get("http://api.test/a")

        assert 200 == (await fetch(up, "/a", headers={"Host": "API.test"}))[0]
        assert "http://api.test/a" == str(route.calls.one().request.url)


def busy() -> tuple[socket.socket, int]:
    taken = socket.create_server(("127.0.0.1", 0))
    return taken, taken.getsockname()[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param(
            {"host": "0.0.0.0"},
            "host='0.0.0.0' could be reached from other machines; "
            "use '127.0.0.1', '::1' or 'localhost', or expose=True",
            id="exposed",
        ),
        pytest.param(
            {"host": "db.test"},
            "host='db.test' could be reached from other machines; "
            "use '127.0.0.1', '::1' or 'localhost', or expose=True",
            id="name",
        ),
        pytest.param(
            {"host": ""}, "host='': a host is an address such as '127.0.0.1' or '::1'", id="no host"
        ),
        pytest.param(
            {"host": 7}, "host=7: a host is an address such as '127.0.0.1' or '::1'", id="host of no kind"
        ),
        pytest.param({"port": 65536}, "port=65536: a port is 0, for any that is free, to 65535", id="port"),
        pytest.param(
            {"port": "80"}, "port='80': a port is 0, for any that is free, to 65535", id="port as text"
        ),
        pytest.param({"unix": ""}, "unix='': it is the path of a socket that is to be made", id="no path"),
        pytest.param({"unix": 7}, "unix=7: it is the path of a socket that is to be made", id="no kind"),
        pytest.param({"router": {}}, "router= is a Router; got {}", id="router"),
        pytest.param(
            {"tls": "expired"},
            "tls='expired': it is True, or what is wrong: Tls('expired')",
            id="TLS as text",
        ),
    ],
)
def test_what_is_refused(options: dict[str, Any], message: str) -> None:
    """What cannot work is refused when the upstream is made."""
    with pytest.raises(UsageError) as raised:
        Upstream(**options)
    assert message == str(raised.value)


async def test_port_in_use() -> None:
    """A port that is taken is said to be; the upstream can be started when it is free."""
    taken, port = busy()
    up = Upstream(port=port)
    with taken, pytest.raises(UsageError) as raised:
        await up.start()
    assert f"cannot listen on 127.0.0.1 port {port}: Address already in use" == str(raised.value)
    await up.start()
    await up.stop()


async def test_path_in_use(tmp_path: Path) -> None:
    """What is on the path of a socket is left alone."""
    path = tmp_path / "s"
    path.write_text("precious")
    with pytest.raises(UsageError) as raised:
        await Upstream(unix=path).start()
    assert f"unix={str(path)!r} is there already; give a path that is not" == str(raised.value)
    assert "precious" == path.read_text()


async def test_path_too_long(tmp_path: Path) -> None:
    """A path that is too long for a socket is said to be."""
    path = tmp_path / ("s" * 120)
    with pytest.raises(UsageError) as raised:
        await Upstream(unix=path).start()
    assert f"cannot listen on {path}: AF_UNIX path too long" == str(raised.value)


# ---- its routes ----


async def test_is_a_router() -> None:
    """It is a router with all that one has."""
    async with Upstream() as up:
        assert isinstance(up, Router)
        api = up.host(up.url / "v1")
        route = api.get("/a").reply(text="one", times=1)
        api.get("/b").optional()
        with up.scope():
            up.get("/v1/a").reply(text="two")
            assert (200, "two") == await fetch(up, "/v1/a")
        assert (200, "one") == await fetch(up, "/v1/a")
        route.assert_called_once_with(method="GET", url=up.url / "v1/a")
        up.assert_calls([{"url": "/v1/a"}, route])
        assert f"<Upstream {up.url} with 2 routes>" == repr(up)
        up.reset()
        assert ((), 0) == (up.routes, up.call_count)


async def test_router_of_ones_own() -> None:
    """A router can be given; its routes and its log are the upstream's."""
    router = Router()
    router.get("/a").reply(text="hi")
    async with Upstream(router=router) as up:
        assert (200, "hi") == await fetch(up, "/a")
    assert up.calls is router.calls
    assert "/a" == router.calls.one().request.path


async def test_no_route() -> None:
    """A request that no route answers gets a 501 with the report, and is kept."""
    async with Upstream() as up:
        status, text = await fetch(up, "/ü")
    assert (501, f"no route answered GET {up.url / 'ü'}\n  there are no routes") == (status, text)
    assert [text] == [miss.explain() for miss in up.misses]
    assert 501 == up.calls.one().reply.status  # type: ignore[union-attr]


async def test_handler_error() -> None:
    """What escapes from a handler is a 500 for the client, and is raised when the block ends."""

    def fail(request: Request) -> str:
        raise AssertionError("not that")

    with pytest.raises(AssertionError, match="not that"):
        async with Upstream() as up:
            up.get("/a").reply(fail)
            assert 500 == (await fetch(up, "/a"))[0]


async def test_exception_out_of_reach() -> None:
    """An exception happens in the client; that it is out of reach is said when the reply is added."""
    with pytest.raises(UsageError) as raised:
        Upstream().get("/a").reply(aiohttp.ServerTimeoutError())
    assert (
        "ServerTimeoutError() happens in the client, which is out of reach behind a socket; "
        "reply with what it sends, or with a fault on the wire such as Reset()"
    ) == str(raised.value)


async def test_exception_of_a_shared_router() -> None:
    """A router that has other doors, too, may have one; through this door it is an error of the test."""
    router = Router()
    router.get("/a").reply(aiohttp.ServerTimeoutError())
    with pytest.raises(UsageError, match="cannot be raised in a client that is out of reach"):
        async with Upstream(router=router) as up:
            await fetch(up, "/a")


# ---- its life ----


async def test_not_started() -> None:
    """Before it was started it has no address."""
    up = Upstream()
    assert "<Upstream not started with 0 routes>" == repr(up)
    with pytest.raises(UsageError) as raised:
        _ = up.url
    assert "this upstream was not started; use it within `async with`" == str(raised.value)
    await up.stop()


async def test_started_twice() -> None:
    """It is started once at a time; after its end it may be again."""
    async with Upstream() as up:
        url = up.url
        with pytest.raises(UsageError) as raised:
            await up.start()
        up.get("/a").reply(text="hi")
        assert (200, "hi") == await fetch(up, "/a")
    assert "this upstream was started before; Upstream() makes another one" == str(raised.value)
    assert url == up.url
    async with up:
        assert (200, "hi") == await fetch(up, "/a")


async def test_end_of_connections() -> None:
    """Connections end with it: those kept alive, those amid a request, and those just made."""
    async with Upstream() as up:
        up.get("/a")
        pairs = [await asyncio.open_connection("127.0.0.1", up.port) for _ in range(3)]
        pairs[0][1].write(b"GET /a HTTP/1.1\r\n\r\n")
        await pairs[0][0].readuntil(b"\r\n\r\n")
        pairs[1][1].write(b"GET /a HTTP/1.1\r\n")
    for reader, writer in pairs:
        assert b"" == await asyncio.wait_for(reader.read(), PATIENCE)
        writer.close()


async def test_end_of_answers() -> None:
    """Answers end with it, without a word: handlers, streams, held ones, scripts."""
    ended: list[str] = []

    async def handler(request: Request) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("handler")

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("script")

    async with Upstream() as up, aiohttp.ClientSession() as session:
        up.get("/handler").reply(handler)
        up.get("/script").raw(script)
        up.get("/held").hold()
        up.get("/stream").stream([b"a", 1000])
        calls = [asyncio.ensure_future(session.get(up.url / route.name)) for route in named(up)]
        await up.wait(4)
        await up.stop()
        for answer in await asyncio.gather(*calls, return_exceptions=True):
            if isinstance(answer, aiohttp.ClientResponse):
                answer.close()

    assert {"handler", "script"} == set(ended)
    assert not up.tasks


def named(up: Upstream) -> list[Any]:
    return [route.named(str(route.pattern.describe()).rpartition("/")[2]) for route in up.routes]


async def test_answer_that_does_not_end() -> None:
    """An answer that goes on when it is cancelled is named, and the upstream ends all the same."""
    go_on = asyncio.Event()

    async def stubborn(request: Request) -> str:
        while not go_on.is_set():
            try:
                await go_on.wait()
            except asyncio.CancelledError:
                continue
        return "late"

    up = Upstream()
    await up.start()
    route = up.get("/a").reply(stubborn)
    async with aiohttp.ClientSession() as session:
        call = asyncio.ensure_future(session.get(up.url / "a"))
        await up.wait()
        with pytest.warns(RuntimeWarning) as warned:
            await up.stop()
        with pytest.raises(aiohttp.ClientError):
            await call
    (text,) = (str(warning.message) for warning in warned)
    assert (
        f"the answer to GET {up.url / 'a'} by {route!r} did not end in time; its connection was cut" == text
    )
    go_on.set()
    await asyncio.gather(*up.tasks)


def test_another_loop() -> None:
    """Used from another loop it fails at once, and says what would work."""
    own = asyncio.new_event_loop()
    up = Upstream()
    own.run_until_complete(up.start())
    where = own.run_until_complete(asyncio.sleep(0, str(up)))

    async def use(act: Callable[[], object]) -> object:
        return act()

    for act in (lambda: up.url, lambda: up.port, lambda: up.get("/a"), lambda: up.ws("/a")):
        with pytest.raises(LoopMismatchError) as raised:
            asyncio.run(use(act))
        assert re.fullmatch(
            r"the upstream at http://127\.0\.0\.1:\d+ is served by the loop <[\w.]+ running=False .*>, which "
            r"does not run while <[\w.]+ running=True .*> does; start it on the loop that uses it \(the same "
            r"loop_scope\), or let a thread serve it: Upstream\(thread=True\)",
            str(raised.value),
        )
    with pytest.raises(LoopMismatchError, match="which does not run and neither does another one here"):
        _ = up.url
    with pytest.raises(LoopMismatchError):
        asyncio.run(up.stop())
    assert where == str(up)
    up.get("/b")  # where no loop runs, nobody waits for it in vain
    own.run_until_complete(up.stop())
    own.close()


# ---- in a thread ----


def get(up: Upstream, path: str) -> str:
    with urlopen(str(up.url / path)) as response:
        return str(response.read().decode())


def test_without_a_loop() -> None:
    """In a thread it serves code that knows no loop, which waits by `run`."""
    with Upstream(thread=True) as up:
        route = up.get("/a").reply(text="hi")
        assert "hi" == get(up, "a")
        assert route.calls is up.run(route.wait())
        with pytest.raises(AssertionError, match=r"^1 of 2 calls of Upstream came within"):
            up.run(up.wait(2, timeout=0.01))
        up.reset()
        with pytest.raises(AssertionError) as raised:
            up.assert_called()
    assert "Upstream was not called" == str(raised.value)
    assert "aiotest_kit upstream" not in {thread.name for thread in threading.enumerate()}


async def test_thread_beside_a_loop() -> None:
    """In a thread it serves the code of any loop, which awaits its calls."""
    async with Upstream(thread=True) as up:
        up.get("/a").reply(text="hi")
        assert (200, "hi") == await fetch(up, "/a")
        await up.wait()
        with pytest.raises(UsageError) as raised:
            up.run(up.wait())
    assert "run() is for code that is not async, beside the thread of an upstream; await it" == str(
        raised.value
    )


def test_run_without_a_thread() -> None:
    """Without a thread nothing can be run in it."""
    up = Upstream(thread=True)
    with pytest.raises(UsageError) as raised:
        up.run(up.wait())
    assert (
        "run() is for code that is not async, beside the thread of an upstream; "
        "it takes Upstream(thread=True), started" == str(raised.value)
    )


def test_with_needs_a_thread() -> None:
    """`with` has no loop to serve from."""
    with pytest.raises(UsageError) as raised:
        Upstream().__enter__()
    assert "`with Upstream()` needs a thread: Upstream(thread=True); or use `async with`" == str(raised.value)


def test_thread_that_cannot_listen() -> None:
    """An upstream that cannot start leaves no thread behind."""
    taken, port = busy()
    with taken, pytest.raises(UsageError, match="Address already in use"):
        Upstream(port=port, thread=True).__enter__()
    assert "aiotest_kit upstream" not in {thread.name for thread in threading.enumerate()}


def test_thread_of_somebody_else() -> None:
    """One that cannot start leaves a thread that is not its own, and has nothing to stop."""
    holder, port = busy()
    thread = LoopThread()
    up = Upstream(port=port, thread=True)
    try:
        with holder, pytest.raises(UsageError, match="cannot listen"):
            up.start_thread(thread, owns_thread=False)
        up.stop_thread()
        assert 1 == thread.run(asyncio.sleep(0, 1))
    finally:
        thread.close()


def call_in_vain(up: Upstream) -> threading.Thread:
    """A call of `/a` that is under way."""

    def call() -> None:
        with pytest.raises(OSError, match=r"reset|closed|without response"):
            get(up, "a")

    client = threading.Thread(target=call)
    client.start()
    while not up.called:
        pass
    return client


def test_stubborn_in_a_thread() -> None:
    """An answer that does not end is named, and its thread ends all the same."""

    async def stubborn(request: Request) -> None:
        while True:
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()

    up = Upstream(thread=True)
    up.__enter__()
    up.get("/a").reply(stubborn)
    client = call_in_vain(up)
    with pytest.warns(RuntimeWarning, match="did not end in time; its connection was cut"):
        up.stop_thread()
    client.join()
    assert "aiotest_kit upstream" not in {thread.name for thread in threading.enumerate()}


def test_blocked_thread() -> None:
    """An answer that blocks the thread is named; when it goes on, the thread ends."""
    go_on = threading.Event()
    up = Upstream(thread=True)
    up.__enter__()
    up.get("/a").reply(lambda request: go_on.wait() and "late")
    client = call_in_vain(up)
    with pytest.warns(RuntimeWarning, match="did not end in time; its connection was cut"):
        up.stop_thread()
    client.join()
    go_on.set()
    for thread in threading.enumerate():
        if thread.name == "aiotest_kit upstream":
            thread.join(PATIENCE)
    assert "aiotest_kit upstream" not in {thread.name for thread in threading.enumerate()}
