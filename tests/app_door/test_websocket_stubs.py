"""Websockets of an app, spoken by stubs; what any route does is in `tests/doors/test_websockets.py`."""

import asyncio

import aiohttp
import pytest
from aiohttp import WSMsgType, web
from aiohttp.typedefs import Handler

from aiotest_kit import Stubs, UsageError, named_route
from aiotest_kit._app_door.server import Door
from aiotest_kit.websocket import close, expect, send, send_json
from tests.doors.test_websockets import settled

from .conftest import Open


async def chat(request: web.Request) -> web.StreamResponse:
    """Says what it hears; a plain request is told so."""
    ws = web.WebSocketResponse()
    if not ws.can_prepare(request):
        return web.Response(text="no websocket")
    await ws.prepare(request)
    async for message in ws:
        await ws.send_str(f"app {message.data}")
    return ws


def make_app(seen: list[object] | None = None) -> web.Application:
    log = list[object]() if seen is None else seen

    @web.middleware
    async def watching(request: web.Request, handler: Handler) -> web.StreamResponse:
        log.append("asked")
        response = await handler(request)
        log.append((type(response).__mro__[1].__name__, response.status))
        return response

    async def sign(request: web.Request, response: web.StreamResponse) -> None:
        response.headers["X-Signed"] = "yes" if request.app is app else "no"

    app = web.Application(middlewares=[watching])
    app.on_response_prepare.append(sign)
    app.router.add_get("/rooms/{room}", chat, name="room")
    app.router.add_post("/rooms", chat)
    return app


async def test_a_script_in_the_place_of_a_handler(open_client: Open, door: Door) -> None:
    """The client finds what the script says; the records have what was agreed on."""
    client = await open_client(make_app(), door=door)
    stub = client.stubs.ws("/rooms/{room}", protocols=["v2"]).script(
        expect("hello"), send_json({"room": 7}), close(4000, "done")
    )

    async with client.ws_connect("/rooms/7", protocols=["v2"]) as ws:
        await ws.send_str("hello")
        assert {"room": 7} == await ws.receive_json()
        assert (WSMsgType.CLOSE, 4000, "done") == await ws.receive()
        assert ("v2", "yes") == (ws.protocol, ws._response.headers["X-Signed"])
    await client.close()

    stub.assert_called_once()
    call, of_app = stub.calls.one(), client.calls.one()
    assert (101, 101, stub) == (
        call.reply and call.reply.status,
        of_app.reply and of_app.reply.status,
        of_app.stub,
    )
    assert {"room": "7"} == call.request.match_info


async def test_middlewares_run_around_it(open_client: Open) -> None:
    """They have the response of a conversation that has ended, as of any handler."""
    seen: list[object] = []
    client = await open_client(make_app(seen))
    client.stubs.ws("/rooms/7").reply(lambda ws: ws.send_str("hello"))
    async with client.ws_connect("/rooms/7") as ws:
        assert "hello" == await ws.receive_str()
        assert WSMsgType.CLOSE is (await ws.receive()).type

    assert ["asked", ("WebSocketResponse", 101)] == seen


async def test_before_the_middlewares(open_client: Open) -> None:
    """They do not run around it then."""
    seen: list[object] = []
    client = await open_client(make_app(seen))
    stub = client.stubs.ws(named_route("room"), before_middlewares=True)
    async with client.ws_connect("/rooms/7") as ws:
        connection = await stub.connection()
        await connection.send_str("live")
        assert "live" == await ws.receive_str()
        assert "yes" == ws._response.headers["X-Signed"]

    assert [] == seen


async def test_what_a_stub_leaves_to_the_app(open_client: Open) -> None:
    """Plain requests to its route, and handshakes once it is spent."""
    client = await open_client(make_app())
    client.stubs.ws("/rooms/7").reject(401, times=1)
    async with client.get("/rooms/7") as response:
        assert "no websocket" == await response.text()
    with pytest.raises(aiohttp.WSServerHandshakeError, match="401"):
        await client.ws_connect("/rooms/7")
    async with client.ws_connect("/rooms/7") as ws:
        await ws.send_str("hello")
        assert "app hello" == await ws.receive_str()


async def test_a_handler_of_the_kind_that_an_app_has(open_client: Open) -> None:
    """`serve` takes one, which may ask the original."""
    client = await open_client(make_app())
    stub = client.stubs.ws("/rooms/{room}")

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        assert isinstance(request, web.Request)
        if request.match_info["room"] == "closed":
            raise web.HTTPForbidden
        return await stub.original(request)

    stub.serve(handler)
    async with client.ws_connect("/rooms/7") as ws:
        await ws.send_str("hello")
        assert "app hello" == await ws.receive_str()
    with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
        await client.ws_connect("/rooms/closed")


async def test_an_unfinished_script(open_client: Open) -> None:
    """What the client still owes is reported, as by any route."""
    client = await open_client(make_app())
    assert not client.stub_server.unfinished
    stub = client.stubs.ws("/rooms/7").script(send("ask"), expect("answer"))
    ws = await client.ws_connect("/rooms/7")
    assert "ask" == await ws.receive_str()

    await client.session.close()
    await settled(lambda: not client.stubs.tasks)
    (report,) = client.stub_server.unfinished
    assert (
        f"the script of /rooms/7 ({stub.location}) was not finished\n  step 2 of 2: expect('answer')"
        == report
    )


async def test_a_conversation_that_the_client_leaves(open_client: Open, door: Door) -> None:
    """It notices by itself, and is not cancelled with the handler."""
    client = await open_client(make_app(), door=door)
    stub = client.stubs.ws("/rooms/7")
    await client.ws_connect("/rooms/7")
    connection = await stub.connection()
    await client.session.close()

    assert (await connection.receive(None)).type in (WSMsgType.CLOSED, WSMsgType.ERROR)
    reply = client.calls.one().reply
    assert reply is not None
    assert 101 == reply.status


async def test_a_conversation_at_the_end_of_the_test(open_client: Open, door: Door) -> None:
    """It ends with the server, whatever it waits for."""
    client = await open_client(make_app(), door=door)
    ended = asyncio.Event()

    async def stay(ws: web.WebSocketResponse) -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            ended.set()

    stub = client.stubs.ws("/rooms/7").reply(stay)
    await client.ws_connect("/rooms/7")
    await stub.connection()
    await client.server.close()

    assert ended.is_set()


@pytest.mark.parametrize(
    ("place", "message"),
    [
        pytest.param(
            "/rooms",
            "the app has no route GET /rooms; nearest of 3:\n  POST /rooms",
            id="another method",
        ),
        pytest.param(
            "/ticks",
            'the app has no route GET /ticks; nearest of 3:\n  POST /rooms\n  GET|HEAD /rooms/{room}  "room"',
            id="no route",
        ),
    ],
)
def test_what_the_app_does_not_have(place: str, message: str) -> None:
    """A stub of no GET route of the app is refused at once."""
    with pytest.raises(UsageError) as caught:
        Stubs(make_app()).ws(place)

    assert message == str(caught.value)
