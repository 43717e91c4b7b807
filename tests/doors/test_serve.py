"""A handler of aiohttp's own server as the answer of one route, through every door."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from aiotest_kit import Router, StubClient, StubServer, UsageError, mock

ORIGIN = "https://api.test"


async def shout(request: web.BaseRequest) -> web.StreamResponse:
    """A websocket that says what it hears, louder; anything else is answered with what it is."""
    socket = web.WebSocketResponse()
    if not socket.can_prepare(request):
        return web.json_response({"path": request.path_qs, "body": await request.text()})
    await socket.prepare(request)
    async for message in socket:
        await socket.send_str(message.data.upper())
    return socket


async def test_a_handler_answers(router: Router, session: aiohttp.ClientSession) -> None:
    """It has a request of aiohttp's own, and may return responses and websockets; the calls have all."""
    route = router.any(f"{ORIGIN}/a").serve(shout)
    for body in ("one", "two"):
        async with session.post(f"{ORIGIN}/a?b=1", data=body) as response:
            assert {"path": "/a?b=1", "body": body} == await response.json()
    async with session.ws_connect(f"{ORIGIN}/a") as socket:
        await socket.send_str("hello")
        assert "HELLO" == await socket.receive_str()

    assert [(200, b"one"), (200, b"two"), (101, b"")] == [
        (call.reply and call.reply.status, call.request.body) for call in route.calls
    ]


async def test_a_body_streams_both_ways(router: Router, session: aiohttp.ClientSession) -> None:
    """The handler has what has come of a body while the client still sends; so has the client the answer."""
    got = asyncio.Event()

    async def pieces() -> AsyncIterator[bytes]:
        yield b"first"
        await got.wait()
        yield b"last"

    async def repeat(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        async for piece in request.content.iter_any():
            got.set()
            await response.write(piece)
        return response

    router.post(f"{ORIGIN}/a").serve(repeat)
    async with session.post(f"{ORIGIN}/a", data=pieces()) as response:
        assert b"firstlast" == await response.read()


async def test_an_upload_is_asked_for(
    router: Router, session: aiohttp.ClientSession, received: bytearray
) -> None:
    """A client that waits for it is told once to send the body, before the handler is called."""
    route = router.post(f"{ORIGIN}/a").serve(shout)
    async with session.post(f"{ORIGIN}/a", data=b"hello", expect100=True) as response:
        assert {"path": "/a", "body": "hello"} == await response.json()
    assert received.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")
    assert b"hello" == route.calls.one().request.body


async def test_an_expectation_that_nobody_knows(router: Router, session: aiohttp.ClientSession) -> None:
    """It is refused as an app refuses it, and the handler is not called."""
    route = router.post(f"{ORIGIN}/a").serve(shout)
    for _ in range(2):
        async with session.post(f"{ORIGIN}/a", data=b"hello", headers={"Expect": "tea"}) as response:
            assert (417, "Unknown Expect: tea") == (response.status, await response.text())
    assert [417, 417] == [call.reply and call.reply.status for call in route.calls]


async def test_it_is_a_step_of_the_sequence(router: Router, session: aiohttp.ClientSession) -> None:
    """It is given so many times, and other answers may follow."""
    router.get(f"{ORIGIN}/a").serve(shout, times=2).reply(404)
    statuses = []
    for _ in range(4):
        async with session.get(f"{ORIGIN}/a") as response:
            statuses.append(response.status)

    assert [200, 200, 404, 404] == statuses


async def test_a_handler_ends_with_its_client(router: Router, session: aiohttp.ClientSession) -> None:
    """Nobody waits for the answer any more: it is cancelled."""
    began, ended = asyncio.Event(), asyncio.Event()

    async def wait(request: web.BaseRequest) -> web.StreamResponse:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        raise AssertionError("it goes on")

    router.get(f"{ORIGIN}/a").serve(wait)
    call = asyncio.ensure_future(session.get(f"{ORIGIN}/a"))
    await began.wait()
    call.cancel()

    await ended.wait()


async def test_a_handler_that_returns_no_response() -> None:
    """The client sees aiohttp's 500; what was wrong fails the block."""

    async def forgetful(request: web.BaseRequest) -> Any:
        return None

    says = r"a handler returned None; aiohttp's server sends a web\.StreamResponse"
    with pytest.raises(TypeError, match=says):
        async with mock() as router, aiohttp.ClientSession() as session:
            router.get(f"{ORIGIN}/a").serve(forgetful)
            async with session.get(f"{ORIGIN}/a") as response:
                assert 500 == response.status


async def test_an_error_of_a_handler() -> None:
    """The client sees a 500, or an HTTPException; the error fails the block with its own traceback."""

    async def fail(request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/no":
            raise web.HTTPConflict(text="no")
        raise ValueError("it went wrong")

    with pytest.raises(ValueError, match="it went wrong") as caught:
        async with mock() as router, aiohttp.ClientSession(ORIGIN) as session:
            router.any("/{name}").serve(fail)
            async with session.get("/no") as response:
                assert (409, "no") == (response.status, await response.text())
            async with session.get("/yes") as response:
                assert 500 == response.status

    assert "fail" in {entry.name for entry in caught.traceback}


async def test_a_stub_of_an_app() -> None:
    """The handler is given the request that the app's own handlers are given, with the app in it."""

    async def name(request: web.BaseRequest) -> web.StreamResponse:
        assert isinstance(request, web.Request)
        return web.Response(text=request.match_info["name"])

    app = web.Application()
    app.router.add_get("/users/{name}", shout)
    async with StubClient(StubServer(app)) as client:
        client.stubs.get("/users/{name}").serve(name, times=1)
        texts = [await (await client.get("/users/ada")).text() for _ in range(2)]

    assert ["ada", '{"path": "/users/ada", "body": ""}'] == texts


async def test_a_handler_is_a_function() -> None:
    """Anything else is refused where it is given, by a route and by a stub."""
    app = web.Application()
    app.router.add_get("/", shout)
    wrong: Any = web.Response(text="hello")
    async with StubClient(StubServer(app)) as client:
        for route in (Router().get("/"), client.stubs.get("/")):
            with pytest.raises(UsageError) as caught:
                route.serve(wrong)
            assert (
                "serve() takes a handler, async def handler(request) -> web.StreamResponse; "
                "got <Response OK not prepared>" == str(caught.value)
            )
