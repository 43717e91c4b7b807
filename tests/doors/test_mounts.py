"""Whole apps behind an origin: aiohttp's and ASGI's, through every door."""

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import WSMsgType, web
from aiohttp.test_utils import TestServer

from aiotest_kit import Router, UnmatchedRequest, UsageError, mock
from aiotest_kit._http.body import MOST_KEPT
from aiotest_kit._responders.asgi_app import BAD_HANDSHAKE
from tests.doors.test_websockets import settled

from .conftest import Way, endless_ticks

MANY = 100 * 65536


# ---- one app, twice: for aiohttp, and as plain ASGI ----


class Told:
    """What an app did, in order."""

    def __init__(self) -> None:
        self.log: list[str] = []


def aiohttp_app(told: Told) -> web.Application:
    async def about(request: web.Request) -> web.Response:
        headers = {"Host": request.host, "X-Own": request.headers.get("X-Own", "")}
        return web.json_response({"path": request.path_qs, "scheme": request.scheme, "headers": headers})

    async def count(request: web.Request) -> web.Response:
        length = 0
        async for piece in request.content.iter_any():
            length += len(piece)
        return web.json_response(length)

    async def many(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(MANY // 65536):
            await response.write(b"x" * 65536)
        return response

    async def fail(request: web.Request) -> web.Response:
        raise ValueError("it went wrong")

    async def refuse(request: web.Request) -> web.Response:
        raise web.HTTPConflict(text="no")

    async def early(request: web.Request) -> web.Response:
        return web.Response(status=413)

    async def shout(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse(protocols=["loud"])
        await ws.prepare(request)
        async for message in ws:
            if message.type is WSMsgType.TEXT:
                await ws.send_str(message.data.upper())
            else:
                await ws.send_bytes(message.data)
        told.log.append("left")
        return ws

    async def life(app: web.Application) -> AsyncIterator[None]:
        told.log.append("started")
        yield
        told.log.append("stopped")

    app = web.Application()
    app.cleanup_ctx.append(life)
    app.router.add_route("*", "/about", about)
    app.router.add_post("/count", count)
    app.router.add_get("/many", many)
    app.router.add_get("/fail", fail)
    app.router.add_get("/refuse", refuse)
    app.router.add_post("/early", early)
    app.router.add_get("/ws", shout)
    return app


def asgi_app(told: Told) -> Any:
    async def life(receive: Any, send: Any, state: Any) -> None:
        assert {"type": "lifespan.startup"} == await receive()
        told.log.append("started")
        state["shared"] = True
        await send({"type": "lifespan.startup.complete"})
        assert {"type": "lifespan.shutdown"} == await receive()
        told.log.append("stopped")
        await send({"type": "lifespan.shutdown.complete"})

    async def shout(receive: Any, send: Any) -> None:
        assert {"type": "websocket.connect"} == await receive()
        await send({"type": "websocket.accept", "subprotocol": "loud", "headers": [(b"x-own", b"1")]})
        while (message := await receive())["type"] == "websocket.receive":
            if message.get("text") is not None:
                await send({"type": "websocket.send", "text": message["text"].upper()})
            else:
                await send({"type": "websocket.send", "bytes": message["bytes"]})
        assert {"type": "websocket.disconnect", "code": 1000} == message
        told.log.append("left")

    async def body_of(receive: Any) -> int:
        length = 0
        while True:
            message = await receive()
            assert "http.request" == message["type"]
            length += len(message["body"])
            if not message["more_body"]:
                return length

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return await life(receive, send, scope["state"])
        assert scope["state"] == {"shared": True}
        path = scope["path"].removeprefix(scope["root_path"])
        if scope["type"] == "websocket":
            return await shout(receive, send)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        query = scope["query_string"].decode()
        status, body = 200, b""
        if path == "/about":
            shown = {"Host": headers["host"], "X-Own": headers.get("x-own", "")}
            where = path + (f"?{query}" if query else "")
            body = json_bytes({"path": where, "scheme": scope["scheme"], "headers": shown})
        elif path == "/count":
            body = json_bytes(await body_of(receive))
        elif path == "/fail":
            raise ValueError("it went wrong")
        elif path == "/refuse":
            status, body = 409, b"no"
        elif path == "/early":
            status = 413
        await send({"type": "http.response.start", "status": status, "headers": [(b"x-a", b"1")]})
        for _ in range(MANY // 65536 if path == "/many" else 0):
            await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
        await send({"type": "http.response.body", "body": body})

    return app


def json_bytes(value: object) -> bytes:
    import json

    return json.dumps(value).encode()


APPS = [pytest.param(aiohttp_app, id="aiohttp"), pytest.param(asgi_app, id="asgi")]
every_kind = pytest.mark.parametrize("make", APPS)


@pytest.fixture
def told() -> Told:
    return Told()


@every_kind
@pytest.mark.parametrize("prefix", ["", "/v1", "/a/b%20c"])
async def test_an_app_sees_the_request(
    way: Way, told: Told, make: Callable[[Told], Any], prefix: str
) -> None:
    """Path and query below the prefix, the scheme, and all headers as they were sent; the calls have all."""
    way.mount(make(told), prefix)
    told_of: Any = None
    for method in ("GET", "HEAD"):
        url = f"{way.origin}{prefix}/about?a=1"
        async with way.session.request(method, url, headers={"X-Own": "x"}) as response:
            assert 200 == response.status
            if method == "GET":
                told_of = await response.json(content_type=None)
    host = way.origin.partition("://")[2]

    assert {
        "path": "/about?a=1",
        "scheme": way.origin.partition(":")[0],
        "headers": {"Host": host, "X-Own": "x"},
    } == told_of
    assert ["GET", "HEAD"] == [call.request.method for call in way.router.calls]
    first = way.router.calls.first
    assert first.reply is not None
    assert (200, told_of) == (first.reply.status, first.reply.json())


@every_kind
async def test_bodies_stream_both_ways(way: Way, told: Told, make: Callable[[Told], Any]) -> None:
    """An upload reaches the app as it comes, a download the client; both are too long to be kept whole."""
    way.mount(make(told))

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(MANY // 65536):
            yield b"x" * 65536

    async with way.session.post(f"{way.origin}/count", data=pieces()) as response:
        assert MANY == await response.json(content_type=None)
    async with way.session.post(f"{way.origin}/count", data=io.BytesIO(b"x" * MANY)) as response:
        assert MANY == await response.json(content_type=None)
    async with way.session.post(f"{way.origin}/count", data=b"abc") as response:
        assert 3 == await response.json(content_type=None)
    async with way.session.get(f"{way.origin}/many") as response:
        assert MANY == len(await response.read())

    assert [MANY, MANY, 3, 0] == [call.request.body_length for call in way.router.calls]
    assert [MOST_KEPT, MOST_KEPT, 3, 0] == [len(call.request.body) for call in way.router.calls]


@every_kind
async def test_an_upload_waits_for_its_continue(way: Way, told: Told, make: Callable[[Told], Any]) -> None:
    """A client that asks whether to send its body is told so when the app reads it."""
    way.mount(make(told))
    async with way.session.post(f"{way.origin}/count", data=b"abc", expect100=True) as response:
        assert 3 == await response.json(content_type=None)


@every_kind
async def test_an_answer_before_the_body(way: Way, told: Told, make: Callable[[Told], Any]) -> None:
    """An app need not read a body to answer; the connection goes on."""
    way.mount(make(told))
    for _ in range(2):
        async with way.session.post(f"{way.origin}/early", data=b"x" * 100) as response:
            assert 413 == response.status
    async with way.session.get(f"{way.origin}/refuse") as response:
        assert (409, "no") == (response.status, await response.text())


@every_kind
async def test_websockets(way: Way, told: Told, make: Callable[[Told], Any]) -> None:
    """An app speaks its websockets."""
    way.mount(make(told))
    async with way.session.ws_connect(f"{way.origin}/ws", protocols=["loud"]) as ws:
        assert "loud" == ws.protocol
        await ws.send_str("hello")
        assert "HELLO" == await ws.receive_str()
        await ws.send_bytes(b"bytes")
        assert b"bytes" == await ws.receive_bytes()
    await settled(lambda: "left" in told.log)

    reply = way.router.calls.one().reply
    assert reply is not None
    assert 101 == reply.status


@every_kind
async def test_an_app_lives_once(way: Way, told: Told, make: Callable[[Told], Any]) -> None:
    """It is started at its first request, and not again; it is stopped when the door closes."""
    way.mount(make(told))
    assert [] == told.log
    for _ in range(3):
        async with way.session.get(f"{way.origin}/about"):
            assert ["started"] == told.log
    await way.end()

    assert ["started", "stopped"] == told.log


@every_kind
async def test_later_routes_override_an_app(way: Way, told: Told, make: Callable[[Told], Any]) -> None:
    """On one connection each request goes to who answers it: a route added later, the app, another app."""
    way.mount(make(told))
    async with way.session.get(f"{way.origin}/about") as response:
        assert "path" in await response.json(content_type=None)
    route = way.router.get("/about", headers={"X-Own": "x"}).reply(json="a route")
    async with way.session.get(f"{way.origin}/about", headers={"X-Own": "x"}) as response:
        assert "a route" == await response.json()
    async with way.session.get(f"{way.origin}/about") as response:
        assert "path" in await response.json(content_type=None)
    way.router.post("/count", json={"a": 1}).reply(json="a body")
    async with way.session.post(f"{way.origin}/count", json={"a": 1}) as response:
        assert "a body" == await response.json()
    async with way.session.post(f"{way.origin}/count", json={"a": 2}) as response:
        assert 8 == await response.json(content_type=None)

    assert 1 == route.call_count


@every_kind
async def test_an_error_of_an_app(told: Told, make: Callable[[Told], Any]) -> None:
    """The client sees a 500; the error fails the block with its own traceback."""
    with pytest.raises(ValueError, match="it went wrong") as caught:
        async with mock() as router, aiohttp.ClientSession() as session:
            router.mount("https://api.test", make(told))
            async with session.get("https://api.test/fail") as response:
                assert 500 == response.status

    assert "fail" in {entry.name for entry in caught.traceback} or "app" in {
        entry.name for entry in caught.traceback
    }
    assert "stopped" == told.log[-1]


async def test_an_app_that_runs_already() -> None:
    """What a server serves beside the mock is left to it: its state, and its end."""
    name = web.AppKey("name", str)

    async def told(request: web.Request) -> web.Response:
        return web.Response(text=request.app[name])

    app = web.Application()
    app.router.add_get("/name", told)
    app[name] = "own"
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        async with mock() as router:
            router.mount("http://a.test", app)
            async with session.get("http://a.test/name") as response:
                assert "own" == await response.text()
        assert app.frozen
        async with session.get(server.make_url("/name")) as response:
            assert "own" == await response.text()


def test_one_app_for_many_tests() -> None:
    """An app that a module made may be mounted on one loop after the other; each time it starts anew."""
    told: list[str] = []
    runs = web.AppKey("runs", int)

    async def life(app: web.Application) -> AsyncIterator[None]:
        app[runs] = app.get(runs, 0) + 1
        told.append("started")
        yield
        told.append("stopped")

    async def count(request: web.Request) -> web.Response:
        return web.json_response(request.app[runs])

    app, outer = web.Application(), web.Application()
    app.cleanup_ctx.append(life)
    app.router.add_get("/runs", count)
    outer.add_subapp("/v1", app)

    async def use() -> object:
        async with mock() as router, aiohttp.ClientSession() as session:
            router.mount("http://a.test", outer)
            async with session.get("http://a.test/v1/runs") as response:
                return await response.json()

    assert [1, 1] == [asyncio.run(use()) for _ in range(2)]
    assert ["started", "stopped"] * 2 == told


@every_kind
async def test_two_apps_that_call_each_other(told: Told, make: Callable[[Told], Any]) -> None:
    """In memory, without a port: the handler of one app calls the other."""
    async with mock() as router, aiohttp.ClientSession() as session:
        front = web.Application()

        async def relay(request: web.Request) -> web.Response:
            async with aiohttp.ClientSession() as inner, inner.get("https://back.test/about") as response:
                return web.json_response(await response.json(content_type=None))

        front.router.add_get("/", relay)
        router.mount("https://front.test", front)
        router.mount("https://back.test", make(told))
        async with session.get("https://front.test/") as response:
            assert "/about" == (await response.json())["path"]

    assert ["https://front.test/", "https://back.test/about"] == [
        str(call.request.url) for call in router.calls
    ]


async def test_outside_of_the_prefix(way: Way, told: Told) -> None:
    """What is not under the prefix is not the app's."""
    way.mount(aiohttp_app(told), "/v1")
    with contextlib.suppress(UnmatchedRequest):
        async with way.session.get(f"{way.origin}/v2/about") as response:
            assert 501 == response.status

    assert 1 == len(way.router.misses)
    assert [] == told.log


async def test_a_client_that_goes(way: Way) -> None:
    """An ASGI app is told that its client has gone, and may end by itself; what it sends goes nowhere."""
    log: list[object] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            raise ValueError("no lifespan here")
        await receive()
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        log.append((await receive())["type"])
        await send({"type": "http.response.body", "body": b"more", "more_body": True})
        log.append((await receive())["type"])
        raise RuntimeError("my client has gone")

    way.mount(app)
    response = await way.session.get(f"{way.origin}/")
    assert b"first" == await response.content.readany()
    response.close()
    await settled(lambda: len(log) == 2)

    assert ["http.disconnect", "http.disconnect"] == log
    assert () == way.router.handler_errors


async def test_a_client_that_goes_while_it_is_sent_much(way: Way) -> None:
    """An ASGI app that waits for a slow client is let go when that closes the connection."""
    ended = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200})
            for _ in range(200):
                await send({"type": "http.response.body", "body": b"x" * 200_000, "more_body": True})
            ended.set()

    way.mount(app)
    response = await way.session.get(f"{way.origin}/")
    assert await response.content.readany()
    response.close()
    await asyncio.wait_for(ended.wait(), 5)


async def test_an_upload_that_breaks_off(way: Way) -> None:
    """An ASGI app whose client goes amid the body is told so."""
    log: list[object] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            log.append((await receive())["body"])
            log.append((await receive())["type"])

    way.mount(app)
    arrived = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield b"first"
        await arrived.wait()

    asking = asyncio.ensure_future(way.session.post(f"{way.origin}/", data=body()))
    await settled(lambda: log)
    asking.cancel()
    await settled(lambda: len(log) == 2)

    assert [b"first", "http.disconnect"] == log


async def test_an_asgi_app_that_asks_after_its_answer(way: Way) -> None:
    """After a whole response the client counts as gone, at once, as the specification has it."""
    heard: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            heard.append((await receive())["type"])
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"all"})
            heard.append((await receive())["type"])

    way.mount(app)
    async with way.session.get(f"{way.origin}/") as response:
        assert b"all" == await response.read()
    await settled(lambda: len(heard) == 2)

    assert ["http.request", "http.disconnect"] == heard


WRONG_ASGI = [
    pytest.param([], "the mounted ASGI app returned without a whole response", id="nothing"),
    pytest.param(
        [{"type": "http.response.body", "body": b"x"}],
        "the mounted ASGI app sent a body before http.response.start",
        id="no start",
    ),
]


@pytest.mark.parametrize(("messages", "told_test"), WRONG_ASGI)
async def test_an_asgi_app_that_is_wrong(messages: list[dict[str, Any]], told_test: str) -> None:
    """An app that does not answer as the specification says fails the test, and its client sees a 500."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in messages if scope["type"] == "http" else []:
            await send(message)

    with pytest.raises(RuntimeError, match=told_test):
        async with mock() as router, aiohttp.ClientSession() as session:
            router.mount("https://api.test", app)
            async with session.get("https://api.test/") as response:
                assert 500 == response.status


@pytest.mark.parametrize("accepts", [False, True])
async def test_an_asgi_websocket_that_fails(accepts: bool) -> None:
    """Before it accepts, the handshake is refused; after that the close code is 1011."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await receive()
            if accepts:
                await send({"type": "websocket.accept"})
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        async with mock() as router, aiohttp.ClientSession() as session:
            router.mount("https://api.test", app)
            if accepts:
                async with session.ws_connect("https://api.test/") as ws:
                    assert (WSMsgType.CLOSE, 1011) == tuple(await ws.receive())[:2]
            else:
                with pytest.raises(aiohttp.WSServerHandshakeError, match="500"):
                    await session.ws_connect("https://api.test/")


async def test_an_asgi_websocket_that_is_refused_or_closed(way: Way) -> None:
    """An app that closes before it accepts refuses with 403; later, its code and reason are seen."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await receive()
            if scope["path"] == "/closed":
                await send({"type": "websocket.accept"})
            await send({"type": "websocket.close", "code": 4000, "reason": "why"})
            assert "websocket.disconnect" == (await receive())["type"]

    way.mount(app)
    with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
        await way.session.ws_connect(f"{way.origin}/refused")
    async with way.session.ws_connect(f"{way.origin}/closed") as ws:
        assert (WSMsgType.CLOSE, 4000, "why") == await ws.receive()


BAD_HANDSHAKES = {
    "no key": {},
    "bad key": {"Sec-WebSocket-Key": "\xe9"},
    "version": {"Sec-WebSocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg==", "Sec-WebSocket-Version": "12"},
    "connection": {"Sec-WebSocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg==", "Connection": "keep-alive"},
}


@pytest.mark.parametrize("fields", BAD_HANDSHAKES.values(), ids=BAD_HANDSHAKES)
async def test_a_bad_handshake_at_an_asgi_app(way: Way, fields: dict[str, str]) -> None:
    """It is refused without the app, as by any server, and is no error of the app."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert "lifespan" == scope["type"]

    way.mount(app)
    headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"} | fields
    async with way.session.get(f"{way.origin}/", headers=headers) as response:
        assert (400, BAD_HANDSHAKE) == (response.status, await response.text())


# ---- the life of an app ----


def failing_aiohttp(at: str) -> web.Application:
    async def life(app: web.Application) -> AsyncIterator[None]:
        if at == "startup":
            raise ValueError("bad startup")
        yield
        raise ValueError("bad shutdown")

    async def ok(request: web.Request) -> web.Response:
        return web.Response()

    app = web.Application()
    app.cleanup_ctx.append(life)
    app.router.add_get("/", ok)
    return app


def failing_asgi(at: str) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            await send({"type": "http.response.start", "status": 200})
            await send({"type": "http.response.body"})
            return
        await receive()
        if at == "startup":
            await send({"type": "lifespan.startup.failed", "message": "bad startup"})
            raise ValueError("its cause")
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.failed", "message": "bad shutdown"})

    return app


@pytest.mark.parametrize("make", [failing_aiohttp, failing_asgi])
async def test_an_app_that_does_not_start(make: Callable[[str], Any]) -> None:
    """Its clients see a 500, and the block fails with the error."""
    with pytest.raises((ValueError, RuntimeError), match="bad startup"):
        async with mock() as router, aiohttp.ClientSession() as session:
            router.mount("https://api.test", make("startup"))
            async with session.get("https://api.test/") as response:
                assert 500 == response.status


@pytest.mark.parametrize("make", [failing_aiohttp, failing_asgi])
async def test_an_app_that_does_not_stop(make: Callable[[str], Any]) -> None:
    """The block fails with the error."""
    with pytest.raises((ValueError, RuntimeError), match="bad shutdown"):
        async with mock() as router, aiohttp.ClientSession() as session:
            router.mount("https://api.test", make("shutdown"))
            async with session.get("https://api.test/") as response:
                assert 200 == response.status


@every_kind
async def test_nothing_is_left_when_the_block_raises(told: Told, make: Callable[[Told], Any]) -> None:
    """The app is stopped, and a handler that still runs is ended, also when the body raised."""
    arrived, asking = asyncio.Event(), list[asyncio.Future[aiohttp.ClientResponse]]()
    app = make(told)
    slow = web.Application()

    async def wait(request: web.Request) -> web.Response:
        arrived.set()
        await asyncio.sleep(1000)
        return web.Response()

    slow.router.add_get("/", wait)
    with pytest.raises(KeyError, match="body"):
        async with mock() as router, aiohttp.ClientSession() as session:
            router.mount("https://api.test", app)
            router.mount("https://slow.test", slow)
            async with session.get("https://api.test/about"):
                pass
            asking.append(asyncio.ensure_future(session.get("https://slow.test/")))
            await arrived.wait()
            raise KeyError("body")
    await asyncio.gather(*asking, return_exceptions=True)

    assert "stopped" == told.log[-1]
    assert 1 == len(asyncio.all_tasks())


@every_kind
def test_an_app_ends_with_its_loop(told: Told, make: Callable[[Told], Any]) -> None:
    """A mock that outlives the loop: the app is stopped by the end of the loop; a new loop starts it anew."""

    async def call() -> None:
        async with aiohttp.ClientSession() as session, session.get("https://api.test/about") as response:
            assert 200 == response.status

    with mock() as router:
        router.mount("https://api.test", make(told))
        asyncio.run(call())
        assert ["started", "stopped"] == told.log or ["started"] == told.log

    assert told.log.count("started") == 1


@every_kind
def test_an_app_ends_with_a_sync_mock(told: Told, make: Callable[[Told], Any]) -> None:
    """A mock that is closed while its loop rests runs the loop to stop the app; as a fixture does."""
    loop = asyncio.new_event_loop()

    async def call() -> None:
        async with aiohttp.ClientSession() as session, session.get("https://api.test/about") as response:
            assert 200 == response.status

    with mock() as router:
        router.mount("https://api.test", make(told))
        loop.run_until_complete(call())

    assert ["started", "stopped"] == told.log
    loop.close()


@every_kind
async def test_a_sync_mock_in_async_code(told: Told, make: Callable[[Told], Any]) -> None:
    """The app is stopped soon after the block."""
    with mock() as router:
        router.mount("https://api.test", make(told))
        async with aiohttp.ClientSession() as session, session.get("https://api.test/about"):
            pass
    await settled(lambda: told.log[-1] == "stopped")


@pytest.mark.parametrize(
    "target",
    [object(), "https://other.test", int, lambda scope: None],
    ids=["object", "text", "class", "call"],
)
def test_what_cannot_be_mounted(target: Any) -> None:
    """What is no router and no app is refused at once, and nothing is mounted."""
    router = Router()
    with pytest.raises(UsageError) as caught:
        router.mount("https://api.test", target)

    assert str(caught.value).startswith(
        "mount() puts a Router, an aiohttp web.Application or an ASGI app behind an origin; got "
    )
    assert () == router.routes


async def test_starlette() -> None:
    """A real framework: its lifespan, its streams, its own prefix."""
    pytest.importorskip("starlette")
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse, StreamingResponse
    from starlette.routing import Route

    log: list[str] = []

    @contextlib.asynccontextmanager
    async def life(app: Starlette) -> AsyncIterator[dict[str, Any]]:
        log.append("started")
        yield {"name": "shared"}
        log.append("stopped")

    async def ticks(request: Any) -> StreamingResponse:
        return StreamingResponse(endless_ticks(log))

    async def about(request: Any) -> PlainTextResponse:
        return PlainTextResponse(f"{request.url} {request.state.name} {await request.body()!r}")

    app = Starlette(routes=[Route("/ticks", ticks), Route("/about", about, methods=["POST"])], lifespan=life)
    async with mock() as router, aiohttp.ClientSession() as session:
        router.mount("https://api.test/v1", app)
        async with session.post("https://api.test/v1/about", data=b"abc") as response:
            assert "https://api.test/v1/about shared b'abc'" == await response.text()
        async with session.get("https://api.test/v1/ticks") as response:
            assert b"tick\n" == await response.content.readline()
        await settled(lambda: log[-1] == "client gone")

    assert ["started", "client gone", "stopped"] == log
