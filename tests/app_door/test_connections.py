"""The edges of one connection to an app: flow control, what is no request, and what ends too early."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.base_protocol import BaseProtocol

from aiotest_kit import Mismatch, Origin, StubClient, StubServer, make_request, virtual_time
from aiotest_kit._aiohttp.server import RecordingWriter
from aiotest_kit._app_door.calls import origin_of
from aiotest_kit._app_door.connection import AppProtocol, is_whole
from aiotest_kit._app_door.request import AppRequest
from aiotest_kit._app_door.stubs import Stubs
from aiotest_kit._transport.flow_control import ClientGone
from aiotest_kit._transport.memory import connected

from .conftest import Open


async def size(request: web.Request) -> web.Response:
    """Reads its body as a stream."""
    return web.json_response({"size": sum([len(piece) async for piece in request.content.iter_any()])})


def make_app() -> web.Application:
    app = web.Application()
    app.router.add_post("/size", size)
    app.router.add_get("/host", host)
    app.router.add_get("/other", host)
    return app


async def host(request: web.Request) -> web.Response:
    return web.Response(text=f"at {request.host}")


async def nothing() -> AsyncIterator[bytes]:
    """A body that comes later, and is empty."""
    await asyncio.sleep(0)
    for piece in list[bytes]():
        yield piece


async def later() -> AsyncIterator[bytes]:
    for piece in (b"one", b"two"):
        await asyncio.sleep(0)
        yield piece


# ---- flow control ----


class Behind(asyncio.Protocol):
    """What stands behind a connection; notes what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def pause_writing(self) -> None:
        self.told.append("pause")

    def resume_writing(self) -> None:
        self.told.append("resume")

    def connection_lost(self, exc: Exception | None) -> None:
        self.told.append("lost")


async def never(request: web.Request) -> web.StreamResponse:
    raise NotImplementedError


@pytest.fixture
async def connection() -> AppProtocol:
    made = AppProtocol(StubServer(web.Application()), never, never)
    made.behind = Behind()
    made.connection_made(connected(made.loop, asyncio.Protocol(), asyncio.Protocol(), ("192.0.2.1", 80)))
    return made


async def test_a_client_that_takes_no_more(connection: AppProtocol) -> None:
    """A stub waits until the client takes more; the app's own protocol is told as well."""
    await connection.drained()
    connection.pause_writing()
    waiting = asyncio.ensure_future(connection.drained())
    await asyncio.sleep(0)
    assert not waiting.done()
    connection.resume_writing()
    await waiting

    behind: Any = connection.behind
    assert ["pause", "resume"] == behind.told


async def test_a_stub_that_is_cancelled_while_it_waits(connection: AppProtocol) -> None:
    """Then the client may take more, and nobody waits for it."""
    connection.pause_writing()
    waiting = asyncio.ensure_future(connection.drained())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    connection.resume_writing()

    await connection.drained()


async def test_a_client_that_goes_while_a_stub_waits(connection: AppProtocol) -> None:
    """The stub learns of it, then and whenever it asks."""
    connection.pause_writing()
    waiting = asyncio.ensure_future(connection.drained())
    await asyncio.sleep(0)
    connection.connection_lost(None)
    for asked in (waiting, connection.drained()):
        with pytest.raises(ClientGone):
            await asked

    behind: Any = connection.behind
    assert ["pause", "lost"] == behind.told


async def test_a_client_that_goes_while_a_script_runs(open_client: Open) -> None:
    """The app's own protocol learns of it when the script is done."""
    ends: list[bytes] = []
    over = asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nx")
        ends.append(await reader.read())
        await asyncio.sleep(0)
        over.set()

    client = await open_client(make_app())
    client.stubs.get("/host").raw(script)
    response = await client.get("/host")
    response.close()
    await asyncio.wait_for(over.wait(), 5)
    await client.close()

    assert [b""] == ends


async def test_a_script_has_the_end_of_the_connection(connection: AppProtocol) -> None:
    """The app's own protocol is told when the script gives the connection back, not before."""
    behind: Any = connection.behind
    client = connected(asyncio.get_running_loop(), asyncio.Protocol(), connection, ("192.0.2.1", 80))
    reader, writer = connection.take()
    client.close()
    assert b"" == await reader.read()
    writer.close()
    await writer.wait_closed()
    assert [] == behind.told

    connection.give_back()
    assert ["lost"] == behind.told


@pytest.mark.parametrize("size", [1, 7, 10_000])
async def test_a_script_behind_other_requests(size: int) -> None:
    """A script has the connection from the first byte of its own request, however the bytes were cut."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readuntil(b"!"))

    own = b"GET /host HTTP/1.1\r\nHost: app.test\r\n\r\nGET /other HTTP/1.1\r\n!"
    before = b"POST /size HTTP/1.1\r\nHost: app.test\r\nContent-Length: 4\r\n\r\nbody"
    data = before + b"GET /other HTTP/1.1\r\nHost: app.test\r\n\r\n" + own
    async with StubClient(StubServer(make_app(), door="tcp")) as client:
        client.stubs.get("/host").raw(script)
        reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
        for position in range(0, len(data), size):
            writer.write(data[position : position + size])
            await asyncio.sleep(0)
        received = await asyncio.wait_for(reader.read(), 5)
        writer.close()

    assert received.endswith(b"at app.test" + own)


# ---- bodies ----


async def test_a_body_that_comes_later_and_is_empty(open_client: Open) -> None:
    """A stub may ask for it, and the app may read it all the same."""
    client = await open_client(make_app())
    client.stubs.post("/size", body=b"x").reply(418).optional()

    async with client.post("/size", data=nothing()) as response:
        assert {"size": 0} == await response.json()
    assert b"" == client.calls.one().request.body


async def test_a_body_for_no_route(open_client: Open) -> None:
    """What comes for a path that the app has not is recorded whole."""
    client = await open_client(make_app())

    async with client.post("/nothing", data=later()) as response:
        assert 404 == response.status
    await client.close()
    assert b"onetwo" == client.calls.one().request.body


async def test_a_head_that_a_mock_would_refuse(open_client: Open) -> None:
    """What aiohttp takes is the app's and its stubs', however long it is."""
    client = await open_client(make_app())
    stub = client.stubs.post("/size", body=b"onetwo").reply(202)
    headers = {f"X-{number}": "x" * 7000 for number in range(10)}

    async with client.post("/size", data=later(), headers=headers) as response:
        assert 202 == response.status
    assert b"onetwo" == stub.calls.one().request.body


async def test_before_the_middlewares_of_another_route(open_client: Open) -> None:
    """What has no such stub is the app's, a path that it has not included."""
    client = await open_client(make_app())
    client.stubs.get("/host", before_middlewares=True).reply(418).optional()
    seen: list[int] = []
    for path in ("/other", "/nothing"):
        async with client.get(path) as response:
            seen.append(response.status)

    assert [200, 404] == seen


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", True, id="no body"),
        pytest.param(b"POST / HTTP/1.1\r\nX-Content-Length: 3\r\n\r\n", True, id="another field"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\n", False, id="part of a head"),
        pytest.param(b"PUT / HTTP/1.1\r\ncontent-length: 3\r\n\r\n", False, id="length"),
        pytest.param(b"PUT / HTTP/1.1\r\nTRANSFER-ENCODING: chunked\r\n\r\n", False, id="chunks"),
        pytest.param(b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n", False, id="upgrade"),
        pytest.param(b"CONNECT x:1 HTTP/1.1\r\n\r\n", False, id="tunnel"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n", False, id="two"),
        pytest.param(b"\r\n\r\n", False, id="empty lines"),
        pytest.param(b"\r\nGET / HTTP/1.1\r\n\r\n", False, id="an empty line before"),
        pytest.param(b"GET / HTTP/1.1\nContent-Length: 3\r\n\r\n", False, id="a bare line feed"),
    ],
)
def test_what_is_a_whole_request(data: bytes, expected: bool) -> None:
    """Only what is certain to be one request without a body is not read for one."""
    assert expected is is_whole(data)


async def test_requests_in_pieces_and_several_at_once(open_client: Open) -> None:
    """However requests are cut up on the wire, each is recorded with its own body."""
    client = await open_client(make_app(), door="tcp")
    get, post = (
        b"GET /host HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST /size HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n",
    )
    last = b"GET /other HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    reader, writer = await asyncio.open_connection(client.host, client.port)
    for data in (get[:10], get[10:] + post, b"o", b"ne" + get + post + b"two", get, last):
        writer.write(data)
        await writer.drain()
        # Each piece by itself, as far as a socket can tell.
        for _ in range(20):
            await asyncio.sleep(0)
    replies = await reader.read()
    writer.close()
    await writer.wait_closed()

    assert 6 == replies.count(b"HTTP/1.1 200 OK")
    asked = [(call.request.path, call.request.body) for call in client.calls]
    hosts = ("/host", b"")
    assert [hosts, ("/size", b"one"), hosts, ("/size", b"two"), hosts, ("/other", b"")] == asked


# ---- calls ----


async def test_a_call_that_goes_on(open_client: Open) -> None:
    """The reply of a call is there as far as it was sent; an attribute that no call has is missed."""
    client = await open_client(make_app())
    go_on = asyncio.Event()

    async def pieces() -> AsyncIterator[bytes]:
        yield b"one"
        await go_on.wait()
        yield b"two"

    stub = client.stubs.get("/host")
    stub.serve(streamed(pieces))
    response = await client.get("/host")
    assert b"one" == await response.content.read(3)
    call: Any = client.calls.one()
    assert (200, b"", None) == (call.reply.status, call.reply.body, call.elapsed)
    go_on.set()
    assert b"two" == await response.content.read()
    await client.close()

    assert (200, b"onetwo") == (call.reply.status, call.reply.body)
    assert call.reply is call.reply
    assert call.request is call.request
    with pytest.raises(AttributeError, match="'AppCall' object has no attribute 'answer'"):
        _ = call.answer


def streamed(
    pieces: Callable[[], AsyncIterator[bytes]],
) -> Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]:
    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        async for piece in pieces():
            await response.write(piece)
        return response

    return handler


# ---- what is no request ----


async def sent(client: StubClient, data: bytes) -> bytes:
    """What the app's server says to some bytes, until it closes the connection."""
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(data)
    reply = await reader.read()
    writer.close()
    await writer.wait_closed()
    return reply


async def test_what_is_no_request(open_client: Open) -> None:
    """aiohttp refuses it, and it is in no log."""
    client = await open_client(make_app(), door="tcp")

    assert b" 400 Bad Request\r\n" in (await sent(client, b"no http at all\r\n\r\n"))[:40]
    assert 0 == len(client.calls)


async def test_a_request_without_a_host(open_client: Open) -> None:
    """A request that names no host is recorded without one."""
    client = await open_client(make_app(), door="tcp")
    reply = await sent(client, b"GET /host HTTP/1.1\r\nHost: \r\nConnection: close\r\n\r\n")

    assert b"HTTP/1.1 200 OK\r\n" == reply[:17]
    call = client.calls.one()
    assert ("", "/host") == (call.request.origin.host, call.request.path)


async def test_a_host_that_is_none() -> None:
    """What `Host` says is no host: the origin is without one."""
    assert Origin("http", "", 0) == origin_of(make_request("GET", "/", headers={"Host": "a:b"}))


# ---- requests of an app ----


async def test_another_body() -> None:
    """A request that no route was found for yet stays one with another body."""
    request = AppRequest(make_request("POST", "/size"), Origin("http", "app.test", 80), b"")
    other = request.with_body(b"x")

    assert (b"x", None, "/size") == (other.body, other.route, other.path)


async def test_what_differs_from_a_stub() -> None:
    """A request for another route of the app differs in its path; one for its own does not."""
    app = make_app()
    pattern = Stubs(app).get("/host").pattern.url
    request = AppRequest(make_request("GET", "/other"), Origin("http", "app.test", 80), b"")
    assert [Mismatch("url", "path", "/host", "/other")] == list(pattern.differences(request))

    own = AppRequest(make_request("GET", "/host"), Origin("http", "app.test", 80), b"")
    (route,) = (
        route for route in app.router.routes() if (route.method, str(route.url_for())) == ("GET", "/host")
    )
    own.resolved(route, {})
    assert [] == list(pattern.differences(own))


async def test_an_error_of_the_block_alone() -> None:
    """A block that raises while the app did well raises just that."""
    with pytest.raises(KeyError) as caught:
        async with StubClient(StubServer(make_app())):
            raise KeyError("mine")
    assert [] == getattr(caught.value, "__notes__", [])


async def test_the_app_ended_it(open_client: Open) -> None:
    """A connection that the app has ended while it was pooled is not in the way of the client's end."""

    async def ends_soon(request: web.Request) -> web.Response:
        assert request.transport is not None
        asyncio.get_running_loop().call_later(1, request.transport.close)
        connections.append(request.transport)
        return web.Response()

    connections: list[asyncio.BaseTransport] = []
    app = web.Application()
    app.router.add_get("/", ends_soon)
    client = await open_client(app)
    async with virtual_time() as clock:
        await client.get("/")
        await clock.advance(2)
        assert [True] == [connection.is_closing() for connection in connections]
    await client.close()
    assert client.session.closed


async def test_written_before_it_is_known_what_is_answered() -> None:
    """A writer tells of what is sent once there is something to tell, and sends it in any case."""
    loop = asyncio.get_running_loop()
    sent = bytearray()

    class Far(asyncio.Protocol):
        def data_received(self, data: bytes) -> None:
            sent.extend(data)

    near = BaseProtocol(loop)
    connected(loop, near, Far(), ("127.0.0.1", 80))
    await RecordingWriter(near, loop).write(b"early")
    await asyncio.sleep(0)
    assert b"early" == sent
