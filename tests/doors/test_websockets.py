"""Websockets that a route speaks to a real client: driven live, by scripts, by handlers."""

import asyncio
import re
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import ANY, AsyncMock

import aiohttp
import pytest
from aiohttp import WSMsgType, web

from aiotest_kit import (
    StubClient,
    StubServer,
    Subset,
    UnmatchedRequest,
    Upstream,
    WebSocketConnection,
    WebSocketRoute,
    mock,
    mock_session,
)
from aiotest_kit._routing.router import Router
from aiotest_kit.websocket import (
    ScriptStep,
    abort,
    close,
    expect,
    expect_close,
    expect_json,
    pause,
    ping,
    send,
    send_bytes,
    send_json,
)


@dataclass
class Way:
    """A session whose websockets a router answers; errors of handlers are taken from it by the test."""

    router: Router
    session: Any
    url: str
    expected_errors: list[str] = field(default_factory=list)

    def ws(self, path: str = "/ticks", **options: Any) -> WebSocketRoute:
        return self.router.ws(path, **options)

    async def lose(self) -> None:
        """Have the client go without a word."""
        await getattr(self.session, "session", self.session).close()

    def connect(self, path: str = "/ticks", **options: Any) -> Any:
        return self.session.ws_connect(self.url + path, **options)


def app_with_websockets() -> web.Application:
    """An app whose handlers are never called: stubs stand for them."""

    async def handler(request: web.Request) -> web.StreamResponse:
        raise NotImplementedError

    app = web.Application()
    app.router.add_get("/ticks", handler)
    app.router.add_get("/{room}", handler)
    return app


of_a_router = pytest.mark.parametrize("way", ["mock", "mock_session", "upstream"], indirect=True)


@pytest.fixture(params=["mock", "mock_session", "upstream", "app"])
async def way(request: pytest.FixtureRequest) -> AsyncIterator[Way]:
    if request.param == "mock":
        opened = mock()
        opened.open()
        async with aiohttp.ClientSession() as session:
            way = Way(opened.router, session, "wss://stream.test")
            yield way
        opened.close()
    elif request.param == "mock_session":
        router = Router()
        session = mock_session(router)
        way = Way(router, session, "ws://stream.test")
        yield way
        with pytest.raises((AssertionError, ValueError)) if way.expected_errors else nullcontext():
            await session.close()
    elif request.param == "app":
        client = StubClient(StubServer(app_with_websockets()))
        await client.start_server()
        way = Way(client.stubs, client, "")
        yield way
        await client.end()
    else:
        upstream = Upstream()
        await upstream.start()
        async with aiohttp.ClientSession() as session:
            way = Way(upstream, session, str(upstream.url.with_scheme("ws")).rstrip("/"))
            yield way
        await upstream.stop()
    errors = [str(error.exception).partition("\n")[0] for error in way.router.handler_errors]
    assert way.expected_errors == [re.sub(r" \(.*", "", error) for error in errors]


def heard(connection: WebSocketConnection) -> list[tuple[str, str, object]]:
    return [(message.direction, message.type.name, message.data) for message in connection.messages]


async def settled(condition: Callable[[], object]) -> None:
    """Wait until something is so that the other end brings about."""
    for _ in range(5000):
        if condition():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it never came about")


# ---- driven live ----


async def test_a_route_without_an_answer_is_driven_by_the_test(way: Way) -> None:
    """The test sends and receives at the route's end; all messages are kept, in order, with their times."""
    route = way.ws()
    async with way.connect() as ws:
        connection = await route.connection()
        await connection.send_json({"a": 1})
        assert {"a": 1} == await ws.receive_json()
        await connection.send_str("text")
        assert "text" == await ws.receive_str()
        await connection.send_bytes(b"bytes")
        assert b"bytes" == await ws.receive_bytes()
        await ws.send_json([1])
        assert [1] == await connection.receive_json()
        await ws.send_str("back")
        assert "back" == await connection.receive_str()
        await ws.send_bytes(b"more")
        assert b"more" == await connection.receive_bytes()
        assert (False, None) == (connection.closed, connection.close_code)
    assert WSMsgType.CLOSE == (await connection.receive()).type
    await settled(lambda: connection.closed)

    assert [
        ("sent", "TEXT", '{"a": 1}'),
        ("sent", "TEXT", "text"),
        ("sent", "BINARY", b"bytes"),
        ("received", "TEXT", "[1]"),
        ("received", "TEXT", "back"),
        ("received", "BINARY", b"more"),
        ("received", "CLOSE", 1000),
        ("sent", "CLOSE", 1000),
    ] == heard(connection)
    times = [message.time for message in connection.messages]
    assert sorted(times) == times
    assert 1000 == connection.close_code
    assert [connection] == route.connections
    call = route.calls.one()
    assert call.reply is not None
    assert (101, "websocket") == (call.reply.status, call.request.headers["Upgrade"].lower())


async def test_connections_come_one_after_the_other(way: Way) -> None:
    """Each is given once, those opened before the question first; one that does not come is an error."""
    route = way.ws()
    async with way.connect() as first, way.connect() as second:
        await first.send_str("1")
        await second.send_str("2")
        assert ["1", "2"] == [await (await route.connection()).receive_str() for _ in range(2)]
        with pytest.raises(AssertionError, match=r"2 connections to <Route .*, not 3, within 0.01 s"):
            await route.connection(timeout=0.01)
        waiting = asyncio.ensure_future(route.connection())
        async with way.connect():
            assert route.connections[2] is await waiting


async def test_what_does_not_come_or_is_another_kind(way: Way) -> None:
    """A message that does not come, or is of another type, is an assertion that fails."""
    route = way.ws()
    async with way.connect() as ws:
        connection = await route.connection()
        with pytest.raises(AssertionError, match=r"no message of the client came within 0.01 s"):
            await connection.receive(timeout=0.01)
        await ws.send_str("text")
        with pytest.raises(AssertionError, match=r"expected a BINARY message, a TEXT message 'text' came"):
            await connection.receive_bytes()
        await ws.close(code=4001)
        with pytest.raises(
            AssertionError, match=r"expected a TEXT message, the client closed with code 4001"
        ):
            await connection.receive_str()

    assert 4001 == connection.close_code


@pytest.mark.parametrize("code", [1000, 1001, 3000, 4999])
async def test_the_route_closes(way: Way, code: int) -> None:
    """The client sees the code and the reason; the connection has the code of the one who closed."""
    route = way.ws()
    async with way.connect() as ws:
        connection = await route.connection()
        closing = asyncio.ensure_future(connection.close(code, b"why"))
        assert (WSMsgType.CLOSE, code, "why") == await ws.receive()
        await closing

    assert (code, code, True) == (ws.close_code, connection.close_code, connection.closed)
    assert repr(connection).endswith(f"/ticks closed with {code}, 1 messages>")


async def test_a_connection_that_is_cut(way: Way) -> None:
    """The client sees what it sees of a network that fails: CLOSED, 1006."""
    route = way.ws()
    async with way.connect() as ws:
        connection = await route.connection()
        connection.abort()
        assert WSMsgType.CLOSED == (await ws.receive()).type
        assert (1006, "ClientConnectionResetError") == (ws.close_code, type(ws.exception()).__name__)
        assert WSMsgType.CLOSE != (await connection.receive()).type
        with pytest.raises(AssertionError, match="expected a TEXT message, the connection was lost"):
            await connection.receive_str()
    await settled(lambda: connection.closed)

    assert 1006 == connection.close_code


async def test_pings_are_answered_and_kept(way: Way) -> None:
    """Pings of either side are answered, without the test seeing them among the messages it receives."""
    route = way.ws()
    async with way.connect(autoping=False) as ws:
        connection = await route.connection()
        await ws.ping(b"1")
        assert (WSMsgType.PONG, b"1") == tuple(await ws.receive())[:2]
        await connection.ping(b"2")
        assert (WSMsgType.PING, b"2") == tuple(await ws.receive())[:2]
        await ws.pong(b"2")
        await ws.send_str("end")
        assert "end" == await connection.receive_str()

    assert [
        ("received", "PING", b"1"),
        ("sent", "PONG", b"1"),
        ("sent", "PING", b"2"),
        ("received", "PONG", b"2"),
    ] == heard(connection)[:4]


async def test_pings_are_left_to_the_test(way: Way) -> None:
    """With `autoping=False` they are messages like others, and nobody answers."""
    route = way.ws(autoping=False)
    async with way.connect() as ws:
        await ws.ping(b"1")
        connection = await route.connection()
        assert WSMsgType.PING == (await connection.receive()).type

    assert ("sent", "PONG", b"1") not in heard(connection)


async def test_subprotocols(way: Way) -> None:
    """The client's first choice that the route has is agreed on."""
    route = way.ws(protocols=["v1", "v2"])
    async with way.connect(protocols=["v3", "v2", "v1"]) as ws:
        assert "v2" == ws.protocol
    async with way.connect() as ws:
        assert ws.protocol is None

    assert ["v2", None] == [connection.subprotocol for connection in route.connections]


@pytest.mark.parametrize("compress", [True, False])
async def test_big_messages_and_compression(way: Way, compress: bool) -> None:
    """Messages of megabytes go through both ways; compression is agreed on unless it is off."""
    route = way.ws(compress=compress, max_msg_size=8 * 1024 * 1024)
    big = bytes(range(256)) * 16 * 1024
    async with way.connect(compress=15, max_msg_size=8 * 1024 * 1024) as ws:
        connection = await route.connection()
        assert compress is bool(ws.compress)
        sending = asyncio.ensure_future(ws.send_bytes(big))
        assert big == await connection.receive_bytes(timeout=10)
        await sending
        sending = asyncio.ensure_future(connection.send_bytes(big))
        assert big == await ws.receive_bytes()
        await sending


async def test_a_message_that_is_too_big(way: Way) -> None:
    """Beyond `max_msg_size` the connection is closed with 1009, as aiohttp's server does."""
    way.ws(max_msg_size=10)
    async with way.connect() as ws:
        await ws.send_bytes(b"x" * 100)
        assert WSMsgType.CLOSE == (await ws.receive()).type

    assert 1009 == ws.close_code


async def test_from_another_loop(way: Way) -> None:
    """A connection can be driven from a thread, as with an upstream that is served in one."""
    route = way.ws()
    async with way.connect() as ws:
        connection = await route.connection()

        async def drive() -> str:
            await connection.send_str("from a thread")
            return await connection.receive_str(timeout=5)

        answers: list[str] = []
        thread = threading.Thread(target=lambda: answers.append(asyncio.run(drive())))
        thread.start()
        assert "from a thread" == await ws.receive_str()
        await ws.send_str("to a thread")
        await settled(lambda: answers)
        thread.join()

    assert ["to a thread"] == answers


# ---- scripts ----


async def test_a_script(way: Way) -> None:
    """The steps are taken in order, for each connection anew."""
    route = way.ws().script(
        expect("hello"),
        send_json({"tick": 1}),
        send("text"),
        send(b"1"),
        send_bytes(b"2"),
        ping(b"3"),
        pause(0.001),
        expect(b"bytes"),
        close(4000, "done"),
    )
    for _ in range(2):
        async with way.connect() as ws:
            await ws.send_str("hello")
            assert {"tick": 1} == await ws.receive_json()
            assert "text" == await ws.receive_str()
            assert [b"1", b"2"] == [await ws.receive_bytes(), await ws.receive_bytes()]
            await ws.send_bytes(b"bytes")
            assert (WSMsgType.CLOSE, 4000, "done") == await ws.receive()
    await settled(lambda: all(connection.closed for connection in route.connections))

    assert [4000, 4000] == [connection.close_code for connection in route.connections]
    assert () == way.router.unfinished


MATCHING: dict[str, tuple[ScriptStep, str | bytes]] = {
    "text": (expect("a"), "a"),
    "regex": (expect(re.compile("^a+$")), "aaa"),
    "anything": (expect(ANY), b"x"),
    "predicate": (expect(lambda data: len(data) == 2), "ab"),
    "mapping": (expect({"a": [1, {"b": ANY}]}), '{"a": [1, {"b": 2}]}'),
    "subset": (expect(Subset({"a": 1})), '{"a": 1, "b": 2}'),
    "list": (expect([1, 2]), b"[1, 2]"),
    "json-text": (expect_json("a"), '"a"'),
    "json-null": (expect_json(None), "null"),
}


@pytest.mark.parametrize(("step", "message"), MATCHING.values(), ids=MATCHING)
async def test_what_is_expected_comes(way: Way, step: ScriptStep, message: str | bytes) -> None:
    """What is expected may be text, bytes, JSON, a pattern, a predicate."""
    way.ws().script(step, send("ok"))
    async with way.connect() as ws:
        await (ws.send_str if isinstance(message, str) else ws.send_bytes)(message)
        assert "ok" == await ws.receive_str()


NOT_MATCHING: list[tuple[ScriptStep, str | bytes, str]] = [
    (expect("a"), "b", "message   expected 'a'   actual 'b'"),
    (expect("a"), b"a", "message   expected 'a'   actual b'a'"),
    (expect({"a": {"b": 1}}), '{"a": {"b": 2}}', "json $.a.b   expected 1   actual 2"),
    (expect({"a": 1}), "{", "json $   expected {'a': 1}   actual '{'"),
    (expect_close(), "more", "message   expected 'a close'   actual 'more'"),
]


@pytest.mark.parametrize(("step", "message", "told"), NOT_MATCHING, ids=[case[2] for case in NOT_MATCHING])
async def test_a_client_that_says_something_else(
    way: Way, step: ScriptStep, message: str | bytes, told: str
) -> None:
    """The test is told which step found what; the client sees the close code 1008."""
    way.expected_errors.append("the client did not keep to the script of /ticks 'ticker'")
    route = way.ws(name="ticker").script(ping(), step, close())
    async with way.connect() as ws:
        await (ws.send_str if isinstance(message, str) else ws.send_bytes)(message)
        assert WSMsgType.CLOSE == (await ws.receive()).type
        assert 1008 == ws.close_code

    (error,) = way.router.handler_errors
    assert (
        f"the client did not keep to the script of /ticks 'ticker' ({route.location})\n"
        f"  step 2 of 3: {step}\n       {told}" == str(error.exception)
    )
    assert route is error.route


async def test_a_client_that_leaves_too_early(way: Way) -> None:
    """A client that closes where a message was expected fails the test."""
    way.expected_errors.append("the client did not keep to the script of /ticks")
    way.ws().script(expect("a"), close())
    async with way.connect() as ws:
        await ws.close()
    await settled(lambda: way.router.handler_errors)

    assert "expected 'a'   actual the client closed with code 1000" in str(
        way.router.handler_errors[0].exception
    )


@pytest.mark.parametrize("step", [expect_close(4002), expect_close()], ids=str)
async def test_a_client_that_closes_as_expected(way: Way, step: ScriptStep) -> None:
    """That the client closes can be a step, with its code."""
    route = way.ws().script(send("bye"), step)
    async with way.connect() as ws:
        assert "bye" == await ws.receive_str()
        await ws.close(code=4002)
    await settled(lambda: route.connections[0].closed)


async def test_a_client_that_closes_with_another_code(way: Way) -> None:
    """Another code than the one expected fails the test."""
    way.expected_errors.append("the client did not keep to the script of /ticks")
    way.ws().script(expect_close(4002))
    async with way.connect() as ws:
        await ws.close(code=4003)
    await settled(lambda: way.router.handler_errors)

    assert "close code   expected 4002   actual 4003" in str(way.router.handler_errors[0].exception)


async def test_a_client_that_leaves_while_the_script_sends(way: Way) -> None:
    """A client need not hear a script out that expects nothing more."""
    route = way.ws().script(send("1"), pause(0.01), send("2"), send("3"))
    async with way.connect() as ws:
        assert "1" == await ws.receive_str()
    await settled(lambda: not way.router.tasks)

    assert () == way.router.unfinished
    assert route.connections[0].closed


async def test_a_script_that_still_expects_something(way: Way) -> None:
    """A script that is not finished is reported, unless its route is optional."""
    route = way.ws().script(expect("a"), expect_json({"b": 1}), send("c"))
    async with way.connect() as ws:
        await ws.send_str("a")
        await settled(lambda: route.connections and route.connections[0].messages)
        await settled(lambda: "step 2" in "".join(way.router.unfinished))
        assert (
            f"the script of /ticks ({route.location}) was not finished\n"
            "  step 2 of 3: expect_json({'b': 1})",
        ) == way.router.unfinished
        route.optional()
        assert not way.router.unfinished
        await ws.send_str('{"b": 1}')
        assert "c" == await ws.receive_str()


async def test_a_connection_that_is_lost_amid_a_script(way: Way) -> None:
    """A client that goes without a word leaves the script unfinished."""
    route = way.ws().script(expect("a"), expect("b"))
    ws = await way.connect()
    await ws.send_str("a")
    await settled(lambda: route.connections and route.connections[0].messages)
    await way.lose()
    await settled(lambda: not way.router.tasks)
    await ws.close()

    assert "step 2 of 2: expect('b')" in "".join(way.router.unfinished)


async def test_a_script_may_cut_the_connection(way: Way) -> None:
    """`abort()` is a step too."""
    way.ws().script(send("a"), abort())
    async with way.connect() as ws:
        assert "a" == await ws.receive_str()
        assert WSMsgType.CLOSED == (await ws.receive()).type
        assert 1006 == ws.close_code


async def test_a_sequence_of_answers(way: Way) -> None:
    """Each connection gets the next answer: a refusal, a script, a handler."""

    async def handler(ws: web.WebSocketResponse) -> None:
        await ws.send_str("from the handler")

    way.ws().reject(503, times=1).script(send("from the script"), close(), times=1).reply(handler)
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await way.connect()
    assert 503 == caught.value.status
    for expected in ("script", "handler", "handler"):
        async with way.connect() as ws:
            assert f"from the {expected}" == await ws.receive_str()


# ---- handlers, and handshakes ----


async def test_mock_as_handler(way: Way) -> None:
    """A mock is called as any handler is."""
    handler = AsyncMock(side_effect=lambda ws: None)
    way.ws().reply(handler)

    async with way.connect() as ws:
        assert WSMsgType.CLOSE is (await ws.receive()).type
    handler.assert_awaited_once()


async def test_a_handler(way: Way) -> None:
    """A handler has aiohttp's own websocket; what it says is kept, and it is closed when it returns."""

    async def shout(ws: web.WebSocketResponse) -> None:
        async for message in ws:
            await ws.send_str(message.data.upper())
            if message.data == "bye":
                break

    route = way.ws().reply(shout)
    async with way.connect() as ws:
        for said in ("hello", "bye"):
            await ws.send_str(said)
            assert said.upper() == await ws.receive_str()
        assert WSMsgType.CLOSE == (await ws.receive()).type
    (connection,) = route.connections
    with pytest.raises(Exception, match="a handler has this websocket, and receives its messages"):
        await connection.receive()

    assert [
        ("received", "TEXT", "hello"),
        ("sent", "TEXT", "HELLO"),
        ("received", "TEXT", "bye"),
        ("sent", "TEXT", "BYE"),
        ("sent", "CLOSE", 1000),
    ] == heard(connection)


async def test_a_handler_that_is_no_coroutine_function(way: Way) -> None:
    """A plain function may look at the websocket, and is done with it."""
    seen: list[str | None] = []
    way.ws(protocols=["a"]).reply(lambda ws: seen.append(ws.ws_protocol))
    async with way.connect(protocols=["a"]) as ws:
        assert WSMsgType.CLOSE == (await ws.receive()).type

    assert ["a"] == seen


async def test_a_handler_that_fails(way: Way) -> None:
    """Its error fails the test; the client sees the close code 1011 with the error's name."""
    way.expected_errors.append("what went wrong")

    async def fail(ws: web.WebSocketResponse) -> None:
        raise ValueError("what went wrong")

    way.ws().reply(fail)
    async with way.connect() as ws:
        assert (WSMsgType.CLOSE, 1011, "ValueError") == await ws.receive()


async def test_a_handler_whose_client_goes(way: Way) -> None:
    """What a handler is told when the client has gone is no failure of the test."""
    gone, ended = asyncio.Event(), asyncio.Event()

    async def send_to_nobody(ws: web.WebSocketResponse) -> None:
        await ws.send_str("first")
        try:
            await gone.wait()
            for _ in range(100):
                await ws.send_str("more")
                await asyncio.sleep(0)
        finally:
            ended.set()

    way.ws().reply(send_to_nobody)
    ws = await way.connect()
    assert "first" == await ws.receive_str()
    await way.lose()
    gone.set()
    await asyncio.wait_for(ended.wait(), 5)
    await ws.close()


async def test_a_handshake_that_is_refused(way: Way) -> None:
    """`reject` has the keywords of a reply; the client raises aiohttp's error of it."""
    way.ws().reject(401, headers={"WWW-Authenticate": "Bearer"})
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await way.connect()
    error = caught.value
    assert error.headers is not None

    assert (401, "Bearer", "Invalid response status") == (
        error.status,
        error.headers["WWW-Authenticate"],
        error.message,
    )


@of_a_router
async def test_a_route_asks_of_the_handshake_what_any_route_asks(way: Way) -> None:
    """Query, headers and captures are those of other routes; nearest routes too."""
    way.ws("/{room}", query={"v": "2"}, headers={"X-Key": "k"}).reject(410)
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await way.connect("/lobby?v=2", headers={"X-Key": "k"})
    assert 410 == caught.value.status
    assert {"room": "lobby"} == way.router.calls.last.request.match_info
    with pytest.raises((UnmatchedRequest, aiohttp.WSServerHandshakeError)):
        await way.connect("/lobby?v=1", headers={"X-Key": "k"})

    assert "query v   expected '2'   actual '1'" in way.router.misses[0].explain()


@of_a_router
async def test_a_plain_request_is_none_for_a_websocket(way: Way) -> None:
    """The report says what is missing; a route for plain requests answers it."""
    way.ws()
    url = way.url.replace("ws", "http", 1) + "/ticks"
    try:
        async with way.session.get(url) as response:
            assert 501 == response.status
    except UnmatchedRequest:
        pass
    report = way.router.misses[0].explain()
    assert "headers Upgrade   expected 'websocket'   actual <missing>" in report
    assert "hint: the route is for websockets, the request is none" in report

    way.router.get("/ticks").reply(text="plain")
    way.ws().script(send("websocket"), close())
    async with way.session.get(url) as response:
        assert "plain" == await response.text()
    async with way.connect() as ws:
        assert "websocket" == await ws.receive_str()


async def test_a_handshake_that_is_wrong(way: Way) -> None:
    """aiohttp's server refuses a handshake that is none, such as one of an unknown version."""
    way.ws().optional()
    headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "99"}
    async with way.session.get(way.url.replace("ws", "http", 1) + "/ticks", headers=headers) as response:
        assert 400 == response.status
        assert "Unsupported version: 99" in await response.text()


async def test_by_hand(way: Way) -> None:
    """What aiohttp's server would not send is sent by `raw`: frames with reserved codes, masked ones."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        key = re.findall(r"(?i)sec-websocket-key: (\S+)", head)[0]
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept_of(key) + b"\r\n\r\n"
        )
        writer.write(b"\x81\x82\0\0\0\0hi")  # masked, which a server must not do
        writer.write(b"\x88\x02" + (1015).to_bytes(2, "big"))  # a code that is never sent
        await reader.read(100)

    way.router.get("/ticks").raw(script)
    async with way.connect() as ws:
        assert "hi" == await ws.receive_str()
        assert WSMsgType.ERROR == (await ws.receive()).type

    assert 1002 == ws.close_code


def accept_of(key: str) -> bytes:
    import base64
    import hashlib

    digest = hashlib.sha1(key.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    return base64.b64encode(digest)


@pytest.mark.parametrize("kind", ["live", "script", "handler"])
async def test_nothing_is_left_of_an_open_websocket(way: Way, kind: str) -> None:
    """Whatever is going on when the mock ends, ends with it."""

    async def stay(ws: web.WebSocketResponse) -> None:
        await asyncio.sleep(1000)

    route = way.ws().optional()
    if kind == "script":
        route.script(pause(1000))
    elif kind == "handler":
        route.reply(stay)
    ws = await way.connect()
    await route.connection()
    assert way.router.tasks
    for task in way.router.tasks:
        task.cancel()
    await settled(lambda: not way.router.tasks)
    await ws.close()
    await settled(lambda: len(asyncio.all_tasks()) == 1)
