"""What a stub may answer with, and what an app answers by itself: alike in memory and on a port."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.typedefs import Handler

from aiotest_kit import (
    AppCall,
    BadChunk,
    Disconnect,
    Drip,
    Garbage,
    Reply,
    Request,
    Reset,
    Stub,
    StubClient,
    StubServer,
    Truncate,
    UsageError,
)
from aiotest_kit._app_door.server import Door
from aiotest_kit._responders.exchange import Answer, Exchange
from aiotest_kit._responders.responder import Raise

from .conftest import Open


async def plain(request: web.Request) -> web.Response:
    return web.Response(text="of the app")


async def echo(request: web.Request) -> web.StreamResponse:
    """A websocket that says what it hears."""
    ws = web.WebSocketResponse()
    await ws.prepare(request)
    async for message in ws:
        await ws.send_str(f"echo {message.data}")
    return ws


async def ticks(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    for number in range(3):
        await response.write(b"data: %d\n\n" % number)
    return response


async def upload(request: web.Request) -> web.Response:
    form = await request.post()
    file = form["file"]
    assert isinstance(file, web.FileField)
    return web.json_response({"name": file.filename, "size": len(file.file.read()), "note": form["note"]})


async def size(request: web.Request) -> web.Response:
    return web.Response(text=str(len(await request.read())))


def make_app(folder: Path | None = None) -> web.Application:
    app = web.Application()
    app.router.add_get("/plain", plain)
    app.router.add_post("/plain", plain)
    app.router.add_get("/ws", echo)
    app.router.add_get("/ticks", ticks)
    app.router.add_post("/upload", upload)
    app.router.add_post("/size", size)
    if folder is not None:

        async def download(request: web.Request) -> web.FileResponse:
            return web.FileResponse(folder / "large.bin")

        app.router.add_get("/download", download)
    return app


@pytest.fixture
async def client(open_client: Open, door: Door, tmp_path: Path) -> StubClient:
    (tmp_path / "large.bin").write_bytes(b"x" * 3_000_000)
    return await open_client(make_app(tmp_path), door=door)


def last(client: StubClient) -> AppCall:
    return client.calls.last


async def test_websocket(client: StubClient) -> None:
    """A websocket of the app talks both ways, and is closed with the client."""
    async with client.ws_connect("/ws") as ws:
        await ws.send_str("hello")
        assert "echo hello" == await ws.receive_str()
    open_ws = await client.ws_connect("/ws")
    await open_ws.send_str("again")
    assert "echo again" == await open_ws.receive_str()

    assert [101, 101] == [call.reply and call.reply.status for call in client.calls]


async def test_stream(client: StubClient) -> None:
    """What the app sends piece by piece is recorded whole."""
    async with client.get("/ticks") as response:
        assert b"data: 0\n\ndata: 1\n\ndata: 2\n\n" == await response.read()
    reply = last(client).reply
    assert reply is not None
    assert (b"data: 0\n\ndata: 1\n\ndata: 2\n\n", "text/event-stream") == (
        reply.body,
        reply.headers["Content-Type"],
    )


async def test_upload(client: StubClient) -> None:
    """A file that is sent to the app is in the record of the request."""
    form = aiohttp.FormData({"note": "n"})
    form.add_field("file", io.BytesIO(b"x" * 300_000), filename="a.bin")
    async with client.post("/upload", data=form) as response:
        assert {"name": "a.bin", "size": 300_000, "note": "n"} == await response.json()
    names = [(part.name, len(part.body)) for part in last(client).request.multipart()]
    assert {("note", 1), ("file", 300_000)} == set(names)


async def test_file(client: StubClient) -> None:
    """A file of the app is sent whole."""
    async with client.get("/download") as response:
        assert 3_000_000 == len(await response.read())
    reply = last(client).reply
    assert reply is not None
    assert "3000000" == reply.headers["Content-Length"]


async def test_expect_continue_once(open_client: Open) -> None:
    """A client is told once to go on, also where a stub before the middlewares does not match."""
    told: list[str] = []

    async def tell(request: web.Request) -> None:
        told.append(request.path)
        assert request.transport is not None
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    app = web.Application()
    app.router.add_post("/", plain, expect_handler=tell)
    client = await open_client(app)
    client.stubs.post("/", json={"b": 1}, before_middlewares=True).optional()

    async with client.post("/", json={"a": 1}, expect100=True) as response:
        assert "of the app" == await response.text()
    assert ["/"] == told


async def test_expect_continue(client: StubClient) -> None:
    """A client that waits for a word before it sends the body gets it, and a stub the body."""
    stub = client.stubs.post("/plain", json={"a": 1}).reply(204)
    first = client.stubs.post("/upload", before_middlewares=True).reply(204)

    for path in ("/plain", "/upload"):
        async with client.post(path, json={"a": 1}, expect100=True) as response:
            assert 204 == response.status
    assert {"a": 1} == stub.calls.one().request.json() == first.calls.one().request.json()


@pytest.mark.parametrize("first", [False, True], ids=["within", "before middlewares"])
async def test_early(client: StubClient, first: bool) -> None:
    """A stub may answer at the head: an announced upload is not asked for, one without end is not awaited."""
    sent = 0

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal sent
        sent += 1
        yield b"x"
        await asyncio.Event().wait()

    bodies: list[bytes] = []

    def handler(request: Request) -> int:
        bodies.append(request.body)
        return 413

    stub = client.stubs.post("/upload", before_middlewares=first).early().reply(handler)
    for expect100, number in ((True, 0), (False, 1)):
        sent = 0
        # Some clients would use the connection again, though they have not sent the body.
        async with client.post(
            "/upload", data=pieces(), expect100=expect100, headers={"Connection": "close"}
        ) as response:
            assert (413, number) == (response.status, sent)
    async with client.post("/upload", data=b"hello") as response:
        assert 413 == response.status
    assert [b"", b"", b""] == bodies
    assert 3 == stub.call_count


async def test_early_behind_another_stub(client: StubClient) -> None:
    """A stub that answers early within the middlewares does so, too, where another one is to be first."""
    client.stubs.post("/plain", query={"first": "1"}, before_middlewares=True).optional()
    client.stubs.post("/upload").early().reply(413)
    sent = False

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal sent
        sent = True
        yield b"x"

    async with client.post("/upload", data=pieces(), expect100=True) as response:
        assert (413, False) == (response.status, sent)


async def test_early_that_does_not_match(client: StubClient) -> None:
    """Where a stub that answers early has a predicate that says no, or fails, the app asks for the body."""

    def refuse(request: Request) -> bool:
        if request.query:
            raise LookupError("k")
        return False

    client.stubs.post("/size", where=refuse).early().reply(413).optional()
    async with client.post("/size", data=b"hello", expect100=True) as response:
        assert "5" == await response.text()
    async with client.post("/size?a=1", data=b"hello", expect100=True) as response:
        assert 500 == response.status
    with pytest.raises(LookupError, match="k"):
        await client.close()


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Reply(201, json={"a": 1}, headers={"X-A": ["1", "2"]}, cookies={"c": "d"}), id="reply"),
        pytest.param(Reply(200, text="later", delay=0.001), id="delay"),
        pytest.param(Reply(200, text="x" * 500_000), id="long"),
        pytest.param(Reply(200, text="x", headers={"Content-Length": "1"}), id="own length"),
        pytest.param(Reply(200, text="x", trailers={"X-Sum": "1"}), id="trailers"),
        pytest.param(Reply(200, text="x" * 100, compress="gzip"), id="gzip"),
        pytest.param(Reply(204), id="no body"),
        pytest.param(lambda request: {"path": request.path}, id="handler"),
        pytest.param(lambda request: web.Response(text="x", status=202), id="response"),
        pytest.param(999, id="status of no class"),
        pytest.param(lambda request: web.Response(status=999, reason="Denied"), id="response of no class"),
    ],
)
async def test_replies(answer: object, client: StubClient) -> None:
    """A reply arrives as it would through any door, and the connection can be used again."""
    stub = client.stubs.get("/plain").reply(answer, times=2)
    for _ in range(2):
        async with client.get("/plain") as response:
            body = await response.read()
            reply = stub.calls.last.reply
            assert reply is not None
            assert reply.status == response.status
            for name in reply.headers:
                assert reply.headers.getall(name) == response.headers.getall(name)
            if "Content-Encoding" not in reply.headers:
                assert reply.body == body
    async with client.get("/plain") as response:
        assert "of the app" == await response.text()


async def pieces() -> AsyncIterator[object]:
    yield b"one "
    yield 0.001
    yield "two"


async def test_streams(client: StubClient) -> None:
    """A stub streams, with pauses, and its stream is recorded."""
    stub = client.stubs.get("/plain").stream(pieces)
    async with client.get("/plain") as response:
        assert "one two" == await response.text()
    reply, of_app = stub.calls.one().reply, last(client).reply
    assert reply is not None
    assert b"one two" == reply.body
    assert reply is of_app
    assert 200 == (await client.get("/ticks")).status


async def test_events(client: StubClient) -> None:
    """A stub sends events."""
    client.stubs.get("/ticks").sse([{"event": "tick", "data": {"n": 1}}])
    async with client.get("/ticks") as response:
        assert 'event: tick\ndata: {"n": 1}\n\n' == await response.text()


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        pytest.param(Disconnect(), aiohttp.ServerDisconnectedError, id="disconnect"),
        pytest.param(Reset(), aiohttp.ClientOSError, id="reset"),
        pytest.param(Reset(after=3), aiohttp.ClientError, id="reset later"),
        pytest.param(Truncate(after=3), aiohttp.ClientPayloadError, id="truncate"),
        pytest.param(BadChunk(), aiohttp.ClientError, id="bad chunk"),
        pytest.param(Garbage(b"no http\r\n\r\n"), aiohttp.ClientResponseError, id="garbage"),
    ],
)
async def test_faults(fault: object, error: type[Exception], client: StubClient) -> None:
    """A fault of a stub is what the client would see of a server that goes wrong."""
    stub = client.stubs.get("/plain").reply(fault)

    with pytest.raises(error):
        async with client.get("/plain") as response:
            await response.read()
    stub.remove()
    async with client.get("/plain") as response:
        assert "of the app" == await response.text()


async def test_exception_in_the_client(open_client: Open) -> None:
    """In memory a stub raises an exception in the client's call."""
    client = await open_client(make_app())
    client.stubs.get("/plain").reply(aiohttp.ServerTimeoutError("slow"))

    with pytest.raises(aiohttp.ServerTimeoutError, match="slow"):
        await client.get("/plain")
    assert isinstance(last(client).exception, aiohttp.ServerTimeoutError)


async def test_exception_out_of_reach(open_client: Open) -> None:
    """On a port the client is out of reach, which is said at once; of what a handler decides on, later."""
    client = await open_client(make_app(), door="tcp")
    stub = client.stubs.get("/plain").optional()
    with pytest.raises(UsageError) as caught:
        stub.reply(aiohttp.ServerTimeoutError("slow"))
    assert (
        "ServerTimeoutError('slow') happens in the client, which is out of reach behind a socket; "
        "reply with what it sends, or with a fault on the wire such as Reset()"
    ) == str(caught.value)
    stub.reply(lambda request: Raise(aiohttp.ServerTimeoutError("slow")))

    async with client.get("/plain") as response:
        assert 500 == response.status
    with pytest.raises(UsageError, match="cannot be raised in a client that is out of reach"):
        await client.close()


class ReadsAsItComes:
    """An answer that wants the body of the request as it comes."""

    async def play(self, exchange: Exchange) -> None:
        await exchange.incoming.read()


class HandsOver:
    """An answer that is another server."""

    async def play(self, exchange: Exchange) -> None:
        await exchange.delegate(asyncio.Protocol)


@pytest.mark.parametrize("answer", [ReadsAsItComes(), HandsOver()], ids=["reads", "hands over"])
async def test_an_answer_that_needs_the_connection(open_client: Open, answer: Answer) -> None:
    """The connection is the app's: an answer that would have it for itself is told so."""
    client = await open_client(make_app())
    client.stubs.get("/plain").reply(lambda request: answer)

    async with client.get("/plain") as response:
        assert 500 == response.status
    with pytest.raises(UsageError) as raised:
        await client.close()
    assert (
        "a stub of an app's route cannot hand its connection to another server; mount() is for a Router"
    ) == str(raised.value)


async def test_raw(client: StubClient) -> None:
    """A script has the connection to itself, from the first byte of the request."""
    lines: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines.append(await reader.readline())
        writer.write(b"HTTP/1.1 299 Odd\r\nConnection: close\r\n\r\nok")

    client.stubs.get("/plain").raw(script)
    async with client.get("/plain") as response:
        assert (299, "ok") == (response.status, await response.text())
    assert [b"GET /plain HTTP/1.1\r\n"] == lines
    assert "of the app" == await (await client.post("/plain")).text()


async def test_a_script_whose_client_goes(client: StubClient) -> None:
    """A script learns from its reader that the client has gone, and is not cancelled."""
    ends: list[bytes] = []
    over = asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok")
        ends.append(await reader.read())
        over.set()

    client.stubs.get("/plain").raw(script)
    response = await client.get("/plain")
    response.close()
    await asyncio.wait_for(over.wait(), 5)

    assert [b""] == ends


async def test_hold(client: StubClient) -> None:
    """A stub's answer waits until the test lets it go."""
    stub = client.stubs.get("/plain").reply(202)
    gate = stub.hold()
    asking = asyncio.ensure_future(client.session.get(client.make_url("/plain")))
    await gate.waiting()
    gate.release()

    async with await asking as response:
        assert 202 == response.status


async def test_held_at_the_end(open_client: Open, door: Door) -> None:
    """A client closes at once although a stub still holds its answer."""
    client = await open_client(make_app(), door=door)
    gate = client.stubs.post("/plain").reply(202).hold()
    asking = asyncio.ensure_future(client.session.post(client.make_url("/plain")))
    await gate.waiting()
    loop = asyncio.get_running_loop()
    before = loop.time()
    await client.close()

    assert loop.time() - before < 5
    with pytest.raises(aiohttp.ClientError):
        await asking


async def test_error_of_a_stub(client: StubClient) -> None:
    """An assertion in a stub's handler is kept, and the client sees a 500."""

    def answer(request: object) -> Reply:
        raise AssertionError("of the stub")

    client.stubs.get("/plain").reply(answer)
    async with client.get("/plain") as response:
        assert 500 == response.status
        assert "AssertionError in the answer of route GET /plain" == await response.text()
    with pytest.raises(AssertionError, match="of the stub"):
        await client.close()


async def test_error_of_a_stub_that_had_begun(client: StubClient) -> None:
    """A stream that fails on its way ends the connection."""

    async def answer() -> AsyncIterator[bytes]:
        yield b"one"
        raise LookupError("of the stub")

    client.stubs.get("/plain").stream(answer)
    with pytest.raises(aiohttp.ClientError):
        async with client.get("/plain") as response:
            await response.read()
    with pytest.raises(LookupError, match="of the stub"):
        await client.close()


async def test_graceful_shutdown(open_client: Open, door: Door) -> None:
    """The app's own shutdown closes its websockets before anything is cancelled."""
    sockets: list[web.WebSocketResponse] = []

    async def listen(request: web.Request) -> web.StreamResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        sockets.append(ws)
        async for _ in ws:
            pass
        return ws

    async def say_goodbye(app: web.Application) -> None:
        for ws in sockets:
            await ws.close(code=aiohttp.WSCloseCode.GOING_AWAY, message=b"bye")

    app = web.Application()
    app.router.add_get("/ws", listen)
    app.on_shutdown.append(say_goodbye)
    client = await open_client(app, door=door)
    async with aiohttp.ClientSession(connector=client.session.connector, connector_owner=False) as session:
        ws = await session.ws_connect(client.make_url("/ws"))
        closing = asyncio.ensure_future(client.server.close())
        message = await ws.receive()
        await closing

    assert (aiohttp.WSMsgType.CLOSE, 1001) == (message.type, message.data)


async def test_signals(open_client: Open) -> None:
    """`on_response_prepare` runs for a stub's reply as for a handler's, before the middlewares or not."""
    prepared: list[int] = []

    async def note(request: web.Request, response: web.StreamResponse) -> None:
        prepared.append(response.status)
        assert request.app is app

    app = make_app()
    app.on_response_prepare.append(note)
    client = await open_client(app)
    client.stubs.get("/plain").reply(201)
    client.stubs.post("/plain", before_middlewares=True).reply(202)

    for ask in (client.get, client.post, client.get):
        async with ask("/plain"):
            pass
    assert [201, 202, 201] == prepared


@pytest.mark.parametrize("before_middlewares", [False, True])
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda stub: stub.stream(["one"]), id="stream"),
        pytest.param(lambda stub: stub.reply(Drip(10_000, reply=Reply(200, text="one"))), id="drip"),
        pytest.param(lambda stub: stub.reply(200, text="one", trailers={"X-Sum": "1"}), id="trailers"),
        pytest.param(lambda stub: stub.reply(200, text="one", headers={"Content-Length": "3"}), id="length"),
    ],
)
async def test_signals_of_what_a_stub_sends_itself(
    answer: Callable[[Stub], object], before_middlewares: bool, open_client: Open
) -> None:
    """`on_response_prepare` may change the head of that as well, and the record has what was sent."""

    async def change(request: web.Request, response: web.StreamResponse) -> None:
        response.set_status(299, "Odd")
        response.headers["X-Signed"] = request.path

    app = make_app()
    app.on_response_prepare.append(change)
    client = await open_client(app)
    stub = client.stubs.get("/plain", before_middlewares=before_middlewares)
    answer(stub)

    async with client.get("/plain") as response:
        assert (299, "Odd", "/plain") == (response.status, response.reason, response.headers["X-Signed"])
        assert "one" == await response.text()
    reply = stub.calls.one().reply
    assert reply is not None
    assert (299, "/plain") == (reply.status, reply.headers["X-Signed"])


async def test_a_stream_of_the_app_in_the_record_of_a_spy(client: StubClient) -> None:
    """A stub that passes on what the app streams has all of it in its own record."""
    stub = client.stubs.get("/ticks")
    stub.reply(stub.original)
    async with client.get("/ticks") as response:
        body = await response.read()
    reply = stub.calls.one().reply
    assert reply is not None
    assert body == reply.body


async def test_what_middlewares_see_of_a_stream(open_client: Open) -> None:
    """The head of what a stub has sent by itself, which it is too late to change."""
    seen: list[object] = []

    @web.middleware
    async def looking(request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await handler(request)
        seen.append((response.status, response.content_type, response.prepared))
        return response

    app = web.Application(middlewares=[looking])
    app.router.add_get("/", plain)
    client = await open_client(app)
    client.stubs.get("/").stream([b"a"], status=503, content_type="text/csv")

    async with client.get("/") as response:
        assert (503, b"a") == (response.status, await response.read())
    assert [(503, "text/csv", True)] == seen
    assert last(client).elapsed is not None


@pytest.mark.parametrize("what", ["file", "pieces"])
async def test_a_reply_that_is_sent_later(open_client: Open, tmp_path: Path, what: str) -> None:
    """What aiohttp sends when the stub is done is in the record of the stub, too."""
    (tmp_path / "a.txt").write_text("abc")

    async def pieces() -> AsyncIterator[bytes]:
        yield b"abc"

    client = await open_client(make_app())
    stub = client.stubs.get("/plain")
    stub.reply(
        lambda request: (
            web.FileResponse(tmp_path / "a.txt") if what == "file" else web.Response(body=pieces())
        )
    )

    async with client.get("/plain") as response:
        assert b"abc" == await response.read()
    for call in (stub.calls.one(), last(client)):
        assert call.reply is not None
        assert 200 == call.reply.status
    if what == "pieces":
        reply = stub.calls.one().reply
        assert reply is not None
        assert b"abc" == reply.body


async def test_a_compressed_reply_of_the_app(open_client: Open) -> None:
    """It is in the record as the app gave it."""

    async def compressed(request: web.Request) -> web.Response:
        response = web.Response(text="abc" * 1000)
        response.enable_compression()
        return response

    app = web.Application()
    app.router.add_get("/", compressed)
    client = await open_client(app)

    async with client.get("/") as response:
        assert (
            "gzip" in response.headers["Content-Encoding"]
            or "deflate" in response.headers["Content-Encoding"]
        )
        await response.read()
    reply = last(client).reply
    assert reply is not None
    assert "abc" * 1000 == reply.text()


def at_a_signal(app: web.Application) -> None:
    async def sign(request: web.Request, response: web.StreamResponse) -> None:
        raise ValueError("on its way")

    app.router.add_get("/", plain)
    app.on_response_prepare.append(sign)


def in_a_body(app: web.Application) -> None:
    async def rows() -> AsyncIterator[bytes]:
        yield b"a"
        raise ValueError("on its way")

    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=rows())

    app.router.add_get("/", answer)


@pytest.mark.parametrize("door", ["memory", "tcp"])
@pytest.mark.parametrize("fail", [at_a_signal, in_a_body])
async def test_an_error_behind_the_handler(fail: Callable[[web.Application], None], door: Door) -> None:
    """What goes wrong as a response is sent fails the test, though aiohttp only logs it."""
    app = web.Application()
    fail(app)
    client = StubClient(StubServer(app, door=door))
    await client.start_server()

    with suppress(aiohttp.ClientError):
        async with client.get("/") as response:
            await response.read()
    with pytest.raises(ValueError, match="on its way"):
        await client.close()
    assert isinstance(client.calls.first.exception, ValueError)
