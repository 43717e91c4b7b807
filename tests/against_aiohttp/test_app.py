"""`StubClient` against aiohttp's own `TestClient`: what a test sees of its app is the same through both.

After the tests of aiohttp's own test client and server, as far as they say what users rely on.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from aiotest_kit import StubClient, StubServer

Act: TypeAlias = Callable[[Any], Awaitable[object]]
GREETING = web.AppKey("greeting", str)


@web.middleware
async def errors_as_json(request: web.Request, handler: Any) -> web.StreamResponse:
    try:
        response: web.StreamResponse = await handler(request)
    except web.HTTPException as exc:
        if exc.status < 400:
            raise
        return web.json_response({"error": exc.reason}, status=exc.status)
    return response


def make_app() -> web.Application:
    async def hello(request: web.Request) -> web.Response:
        return web.Response(text=f"hello {request.method} {request.app[GREETING]}")

    async def echo(request: web.Request) -> web.Response:
        kept = ("Accept", "Content-Type", "X-Key", "User-Agent")
        return web.json_response(
            {
                "method": request.method,
                "path": request.raw_path,
                "query": list(request.query.items()),
                "headers": {name: request.headers.get(name) for name in kept},
                "cookies": dict(request.cookies),
                "body": (await request.read()).decode(),
                "keep_alive": request.keep_alive,
                "version": list(request.version),
            }
        )

    async def set_cookie(request: web.Request) -> web.Response:
        response = web.Response()
        response.set_cookie("session", "s", httponly=True)
        return response

    async def redirect(request: web.Request) -> web.Response:
        raise web.HTTPFound("/hello")

    async def websocket(request: web.Request) -> web.StreamResponse:
        ws = web.WebSocketResponse(protocols=("chat",))
        await ws.prepare(request)
        async for message in ws:
            if message.data == "close":
                await ws.close(code=4000, message=b"done")
            elif message.type is aiohttp.WSMsgType.BINARY:
                await ws.send_bytes(message.data[::-1])
            else:
                await ws.send_json({"heard": message.data})
        return ws

    async def chunks(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=202, reason="Chunks")
        response.enable_chunked_encoding()
        await response.prepare(request)
        for piece in (b"one", b"two"):
            await response.write(piece)
        return response

    async def broken(request: web.Request) -> web.Response:
        raise LookupError("of the app")

    async def torn(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "10"})
        await response.prepare(request)
        await response.write(b"one")
        raise LookupError("on the way")

    async def compressed(request: web.Request) -> web.Response:
        response = web.Response(text="x" * 5000)
        response.enable_compression()
        return response

    app = web.Application(middlewares=[errors_as_json], client_max_size=1000)
    app[GREETING] = "you"
    app.router.add_get("/hello", hello)
    app.router.add_route("*", "/echo", echo)
    app.router.add_get("/cookie", set_cookie)
    app.router.add_get("/redirect", redirect)
    app.router.add_get("/ws", websocket)
    app.router.add_get("/chunks", chunks)
    app.router.add_get("/broken", broken)
    app.router.add_get("/torn", torn)
    app.router.add_get("/compressed", compressed)
    return app


async def get(client: Any, method: str, path: str, **options: Any) -> object:
    async with client.request(method, path, **options) as response:
        headers = {
            name: value
            for name, value in response.headers.items()
            if name not in ("Date",) and not name.startswith("X-Time")
        }
        body = await response.text()
        return response.status, response.reason, headers, body, [each.status for each in response.history]


def asking(method: str, path: str, **options: Any) -> Act:
    return lambda client: get(client, method, path, **options)


async def log_in(client: Any) -> object:
    await get(client, "GET", "/cookie")
    return await get(client, "GET", "/echo")


async def talk(client: Any) -> object:
    async with client.ws_connect("/ws", protocols=("chat",)) as ws:
        await ws.send_str("hello")
        heard = await ws.receive_json()
        await ws.send_bytes(b"abc")
        back = await ws.receive_bytes()
        await ws.send_str("close")
        last = await ws.receive()
        return heard, back, last.type, last.data, last.extra, ws.protocol, ws.close_code


async def refused_websocket(client: Any) -> object:
    try:
        await client.ws_connect("/hello")
    except aiohttp.WSServerHandshakeError as exc:
        return exc.status, exc.message
    return None


async def torn(client: Any) -> object:
    async with client.get("/torn") as response:
        try:
            return await response.read()
        except aiohttp.ClientError as exc:
            return type(exc)


async def urls(client: Any) -> object:
    url = client.make_url("/hello?a=1")
    try:
        client.make_url("http://elsewhere.test/")
    except AssertionError:
        return (
            url.path_qs,
            url.scheme == client.server.scheme,
            url.host == client.host,
            url.port == client.port,
        )
    return None


async def ends(client: Any) -> object:
    response = await client.get("/hello")
    ws = await client.ws_connect("/ws")
    await client.close()
    await client.close()
    return response.closed, ws.closed, client.session.closed, client.server.closed


async def states(client: Any) -> object:
    return (
        isinstance(client, TestClient),
        isinstance(client.app, web.Application),
        client.server.started,
        client.server.closed,
        isinstance(client.session, aiohttp.ClientSession),
        isinstance(client.server.handler, web.Server),
        client.app[GREETING],
    )


async def sync_block(client: Any) -> object:
    try:
        with client:
            pass
    except TypeError as exc:
        return str(exc)
    return None


async def many(client: Any) -> object:
    return await asyncio.gather(*(get(client, "GET", f"/echo?n={number}") for number in range(20)))


async def early_body(client: Any) -> object:
    """More than the app takes."""
    return await get(client, "POST", "/echo", data=b"x" * 5000)


@pytest.mark.parametrize("way", ["memory", "tcp"])
@pytest.mark.parametrize(
    "act",
    [
        pytest.param(asking("GET", "/hello"), id="get"),
        pytest.param(asking("HEAD", "/hello"), id="head"),
        pytest.param(asking("POST", "/hello"), id="405"),
        pytest.param(asking("GET", "/nothing"), id="404"),
        pytest.param(asking("PUT", "/echo", data=b"x", headers={"X-Key": "k"}), id="put"),
        pytest.param(asking("PATCH", "/echo", json={"a": 1}), id="patch"),
        pytest.param(asking("DELETE", "/echo"), id="delete"),
        pytest.param(asking("OPTIONS", "/echo?a=1&a=2&b=%2F"), id="options"),
        pytest.param(asking("GET", "/echo", params={"q": "ä b"}), id="query"),
        pytest.param(asking("GET", "/echo/%2Fx"), id="encoded"),
        pytest.param(asking("GET", "/echo", cookies={"c": "d"}), id="cookie of a call"),
        pytest.param(asking("POST", "/echo", data={"a": "1"}), id="form"),
        pytest.param(asking("POST", "/echo", data=b"x", expect100=True), id="expect"),
        pytest.param(asking("POST", "/echo", data=b"x", chunked=True), id="chunked"),
        pytest.param(asking("GET", "/redirect"), id="redirect"),
        pytest.param(asking("GET", "/redirect", allow_redirects=False), id="no redirect"),
        pytest.param(asking("GET", "/chunks"), id="chunks"),
        pytest.param(asking("GET", "/compressed"), id="compressed"),
        pytest.param(asking("GET", "/broken"), id="broken"),
        pytest.param(log_in, id="cookies"),
        pytest.param(talk, id="websocket"),
        pytest.param(refused_websocket, id="refused websocket"),
        pytest.param(torn, id="torn"),
        pytest.param(urls, id="make_url"),
        pytest.param(ends, id="close"),
        pytest.param(states, id="states"),
        pytest.param(sync_block, id="sync block"),
        pytest.param(many, id="many"),
        pytest.param(early_body, id="too large"),
    ],
)
async def test_same_as_aiohttp(act: Act, way: Any) -> None:
    """Through both clients the test sees the same."""
    async with TestClient(TestServer(make_app())) as theirs:
        expected = await act(theirs)
    async with StubClient(StubServer(make_app(), door=way, allow_server_errors=True)) as ours:
        assert expected == await act(ours)


async def test_server_alone() -> None:
    """A `StubServer` by itself is on a port, as a `TestServer`."""
    server = StubServer(make_app())
    async with server as entered, aiohttp.ClientSession() as session:
        assert entered is server
        async with session.get(server.make_url("/hello")) as response:
            assert "hello GET you" == await response.text()
    assert server.closed
