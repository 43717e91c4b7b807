"""One connection at the peer: raw bytes in, raw bytes out, and what is recorded of it."""

import asyncio
import inspect
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any
from unittest.mock import Mock

import aiohttp
import pytest
from aiohttp import web

from aiotest_kit import Client, Origin, Reply, Request, Router, UnmatchedRequest, UsageError
from aiotest_kit._server.protocol import ServerProtocol
from aiotest_kit._server.retries import Retries, Token
from aiotest_kit._transport.memory import connected
from aiotest_kit._transport.socket_info import reset

API = Origin("http", "api.test", 80)
PATIENCE = 5.0

GET = b"GET /a HTTP/1.1\r\nHost: api.test\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def get(path: str, *fields: str, method: str = "GET", version: str = "1.1") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/{version}", "Host: api.test", *fields, "", ""]).encode()


def reply(body: str, status: str = "200 OK", *fields: str) -> bytes:
    """What is sent of a text."""
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\n{''.join(fields)}\r\n{body}"
    ).encode()


CLOSE = "Connection: close\r\n"


class RawClient(asyncio.Protocol):
    """The client's end of a connection: all it received, and what it was made to raise."""

    transport: Any

    def __init__(self) -> None:
        self.received = b""
        self.raised: list[BaseException] = []
        self.ended = self.lost = False
        self._told = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data
        self._told.set()

    def eof_received(self) -> None:
        self.ended = True
        self._told.set()

    def connection_lost(self, exc: BaseException | None) -> None:
        self.lost = True
        self._told.set()

    def fail(self, exc: BaseException) -> None:
        self.raised.append(exc)
        self._told.set()

    def send(self, *data: bytes) -> None:
        for each in data:
            self.transport.write(each)

    async def until(self, condition: Callable[[], object]) -> None:
        while not condition():
            self._told.clear()
            await asyncio.wait_for(self._told.wait(), PATIENCE)

    async def gets(self, *data: bytes) -> None:
        """Wait for just these bytes, and forget them."""
        expected = b"".join(data)
        await self.until(lambda: len(self.received) >= len(expected) or self.lost)
        assert expected == self.received
        self.received = b""

    async def is_closed(self) -> bytes:
        """All that was received, once the connection has ended."""
        await self.until(lambda: self.lost)
        return self.received


@asynccontextmanager
async def connection(
    router: Router, *, in_reach: bool = True, attempts: Retries | None = None, token: Token = (None, 1)
) -> AsyncIterator[RawClient]:
    """A client connected to a peer that asks `router`; at the end no answer is left running."""
    loop = asyncio.get_running_loop()
    client, peers = RawClient(), set[ServerProtocol]()
    peer = ServerProtocol(router, API, loop, peers, client.fail if in_reach else None)
    connected(loop, client, peer, ("192.0.2.1", 80))
    if attempts is not None:
        peer.expect(router, CLIENT, attempts, token)
    assert {peer} == peers
    try:
        yield client
    finally:
        reset(client.transport)
        await client.is_closed()
        for _ in range(3):
            # It is told of the end a turn of the loop or two after the client.
            await asyncio.sleep(0)
        while router.tasks or peers:
            for task in router.tasks:
                task.cancel()
            await asyncio.wait_for(asyncio.gather(*router.tasks, return_exceptions=True), PATIENCE)
            await asyncio.sleep(0)


CLIENT = Client(aiohttp.ClientTimeout(total=3), True, None, None)


@pytest.fixture
def router() -> Router:
    return Router()


# ---- one reply after the other ----


async def test_reply(router: Router) -> None:
    """A reply is sent, and the call is recorded with it."""
    route = router.get("/a").reply(201, text="hi")
    async with connection(router) as client:
        client.send(GET)
        await client.gets(reply("hi", "201 Created"))

    call = route.calls.one()
    assert (route, Reply(201, text="hi"), None, 1) == (call.route, call.reply, call.exception, call.attempts)
    assert call.elapsed is not None
    assert 0 <= call.elapsed < PATIENCE
    assert router.calls[0] is call


async def test_what_the_client_asked(router: Router) -> None:
    """A call knows what the client asked of the connection."""
    router.get("/a")
    async with connection(router, attempts=Retries()) as client:
        client.send(GET)
        await client.gets(OK)

    assert CLIENT is router.calls.one().client


async def test_keep_alive(router: Router) -> None:
    """A connection answers one request after the other."""
    router.get("/a").replies("one", "two")
    async with connection(router) as client:
        for text in ("one", "two", "two"):
            client.send(GET)
            await client.gets(reply(text))


@pytest.mark.parametrize("size", [1, 10, 10**6])
async def test_split_and_pipelined(size: int, router: Router) -> None:
    """Requests may arrive in any pieces, and several at once; the answers are in their order."""
    router.get("/a").reply("A")
    router.post("/b").reply(lambda request: request.text())
    data = GET + b"POST /b HTTP/1.1\r\nHost: api.test\r\nContent-Length: 2\r\n\r\nhi" + GET
    async with connection(router) as client:
        for position in range(0, len(data), size):
            client.send(data[position : position + size])
            await asyncio.sleep(0)
        await client.gets(reply("A"), reply("hi"), reply("A"))

    assert ["/a", "/b", "/a"] == [call.request.path for call in router.calls]


async def test_many_pipelined(router: Router) -> None:
    """However many requests come before the first is answered, each gets its answer in turn."""
    held = router.get("/0")
    gate = held.hold()
    router.get("/{n}").reply(lambda request: request.match_info["n"])
    held_again = router.get("/0")
    held_again.gate = gate
    async with connection(router) as client:
        client.send(b"".join(get(f"/{number}") for number in range(100)))
        await gate.waiting()
        client.send(get("/100"))
        await asyncio.sleep(0)
        gate.release()
        await client.gets(OK, *[reply(str(number)) for number in range(1, 101)])

    assert 101 == len(router.calls)


async def test_head_between_gets(router: Router) -> None:
    """The same route answers HEAD without a body, and GET with it."""
    router.any("/a").reply("hi")
    async with connection(router) as client:
        client.send(GET, get("/a", method="HEAD"), GET)
        await client.gets(reply("hi"), reply("hi")[:-2], reply("hi"))


@pytest.mark.parametrize(
    ("data", "options"),
    [
        pytest.param(get("/a", "Connection: close"), {}, id="the client says so"),
        pytest.param(get("/a", version="1.0"), {}, id="HTTP/1.0"),
        pytest.param(GET, {"headers": {"Connection": "close"}}, id="the reply says so"),
        pytest.param(GET, {"headers": {"Content-Length": "9"}}, id="a body too short"),
        pytest.param(
            get("/a", "Connection: Upgrade", "Upgrade: websocket"), {}, id="an upgrade that is not made"
        ),
    ],
)
@pytest.mark.parametrize("is_plain", [True, False], ids=["plain", "by a handler"])
async def test_last_reply(data: bytes, options: dict[str, Any], is_plain: bool, router: Router) -> None:
    """A connection is closed behind the reply that ends it."""
    if is_plain:
        router.get("/a").reply(200, text="hi", **options)
    else:
        router.get("/a").reply(lambda request: Reply(200, text="hi", **options))
    async with connection(router) as client:
        client.send(data)
        assert (await client.is_closed()).endswith(b"\r\n\r\nhi")


@pytest.mark.parametrize("before", [b"", GET], ids=["at first", "behind a request"])
async def test_bad_request(before: bytes, router: Router) -> None:
    """What is not HTTP is answered as a server does, and the connection closed."""
    router.get("/a")
    async with connection(router) as client:
        client.send(before)
        await client.gets(OK if before else b"")
        client.send(b"nonsense\r\n\r\n")
        expected = (
            b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 27\r\n"
            b"Connection: close\r\n\r\nInvalid method encountered\n"
        )
        assert expected == await client.is_closed()


# ---- requests that no route answers ----


async def test_unmatched(router: Router) -> None:
    """A request that no route answers is raised in the client, and recorded."""
    async with connection(router) as client:
        client.send(GET)
        await client.until(lambda: client.raised)

    (error,) = client.raised
    assert isinstance(error, UnmatchedRequest)
    text = "no route answered GET http://api.test/a\n  there are no routes"
    assert (text, [text]) == (str(error), [miss.explain() for miss in router.misses])
    call = router.calls.one()
    assert (None, error, None) == (call.route, call.exception, call.reply)
    assert call.elapsed is not None


async def test_unmatched_out_of_reach(router: Router) -> None:
    """A client that nothing can be raised in is told by a 501, and the connection goes on."""
    text = "no route answered GET http://api.test/a\n  there are no routes"
    async with connection(router, in_reach=False) as client:
        for _ in range(2):
            client.send(GET)
            await client.gets(reply(text, "501 Not Implemented"))

    assert [501, 501] == [call.reply.status for call in router.calls if call.reply]
    assert 2 == len(router.misses)


@pytest.mark.parametrize("has_body", [False, True], ids=["without a body", "with a body"])
async def test_predicate_that_fails(has_body: bool, router: Router) -> None:
    """An error in a predicate is kept once; the client sees a 500 and may go on."""
    seen: list[bytes] = []

    def predicate(value: object) -> bool:
        seen.append(b"asked")
        raise KeyError("mine")

    router.any("/a", headers={"Host": predicate})
    router.get("/fine").reply("fine")
    error = reply("KeyError in a predicate of a route", "500 Internal Server Error")
    async with connection(router) as client:
        if has_body:
            client.send(PUT)
            await client.gets(CONTINUE)
            client.send(b"hi")
        else:
            client.send(GET)
        await client.gets(error)
        client.send(get("/fine"))
        await client.gets(reply("fine"))

    assert [("KeyError('mine')", None)] == [
        (repr(error.exception), error.route) for error in router.handler_errors
    ]
    assert seen


async def test_mount(router: Router) -> None:
    """A call of a mounted router is in the logs of both, and of the mount."""
    service = Router()
    route = service.get("/a").reply("hi")
    mounted = router.mount("http://api.test", service)
    async with connection(router) as client:
        client.send(GET)
        await client.gets(reply("hi"))

    (call,) = route.calls
    assert all([call] == list(owner.calls) for owner in (router, service, mounted))
    assert route is call.route


# ---- the body of a request ----

PUT = get("/a", "Content-Length: 2", "Expect: 100-continue", method="PUT")
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


async def test_continue(router: Router) -> None:
    """A client that asks is told to go on, once."""
    router.put("/a").reply(lambda request: request.text())
    async with connection(router) as client:
        client.send(PUT)
        await client.gets(CONTINUE)
        client.send(b"h")
        await asyncio.sleep(0)
        client.send(b"i")
        await client.gets(reply("hi"))
        client.send(PUT + b"ho")
        await client.gets(reply("ho"))


async def test_body_in_pieces(router: Router) -> None:
    """A client that does not ask just sends; the call is recorded when all is there."""
    router.put("/a").reply(lambda request: request.text())
    async with connection(router) as client:
        client.send(get("/a", "Content-Length: 2", method="PUT"), b"h")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not router.calls
        client.send(b"i")
        await client.gets(reply("hi"))


EARLY = (
    get("/early", "Content-Length: 5", method="PUT") + b"hello",
    get("/early", "Transfer-Encoding: chunked", method="PUT") + b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
)


@pytest.mark.parametrize("upload", EARLY, ids=["length", "chunked"])
async def test_early_however_it_is_cut(upload: bytes, router: Router) -> None:
    """An answer before the body, and the one behind it, are the same wherever the bytes are cut."""
    router.put("/early").early().reply(lambda request: f"{request.body!r}")
    router.get("/a").reply("next")
    data = upload + GET
    for place in range(1, len(data)):
        async with connection(router) as client:
            client.send(data[:place])
            await asyncio.sleep(0)
            client.send(data[place:])
            await client.gets(reply("b''"), reply("next"))


async def test_early_at_the_end_of_a_connection(router: Router, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client may go on with its request when it has the last reply; then the connection is closed."""
    router.put("/early").early().reply(413, headers={"Connection": "close"})
    async with connection(router) as client:
        ended = asyncio.Event()

        def go_on() -> bool:
            """Go on sending, though nothing more comes."""
            ended.set()
            return True

        monkeypatch.setattr(client, "eof_received", go_on)
        client.send(get("/early", "Content-Length: 9", method="PUT"), b"abc")
        await ended.wait()
        assert client.received.startswith(b"HTTP/1.1 413 ")
        server = client.transport.other
        for data, is_closed in ((b"def", False), (b"ghi", True), (GET, True)):
            client.send(data)
            for _ in range(3):
                await asyncio.sleep(0)
            assert is_closed is server.is_closing()

    assert 1 == len(router.calls)


async def test_unmatched_with_a_body(router: Router) -> None:
    """Whether a route answers may depend on the body, so that is asked for first."""
    async with connection(router) as client:
        client.send(PUT)
        await client.gets(CONTINUE)
        assert not client.raised
        client.send(b"hi")
        await client.until(lambda: client.raised)

    assert b"hi" == router.calls.one().request.body


# ---- handlers ----


async def test_async_handler(router: Router) -> None:
    """A handler may take its time; the client waits."""
    released = asyncio.Event()

    async def handler(request: Request) -> dict[str, str]:
        await released.wait()
        return {"path": request.path}

    route = router.get("/a").reply(handler)
    async with connection(router) as client:
        client.send(GET)
        await route.wait()
        assert route.calls.one().elapsed is None
        released.set()
        await client.until(lambda: client.received)

    assert client.received.endswith(b'{"path": "/a"}')
    assert Reply(json={"path": "/a"}) == route.calls.one().reply


class Nonsense:
    def __repr__(self) -> str:
        return "<Nonsense>"


RETURNS = "return a Reply, web.Response, dict, list, str, bytes or a status"


@pytest.mark.parametrize(
    "result",
    [None, True, 0.5, {1}, Nonsense(), Reply],
    ids=["None", "bool", "float", "set", "object", "class"],
)
@pytest.mark.parametrize("is_async", [False, True], ids=["def", "async def"])
async def test_handler_that_returns_nonsense(result: Any, is_async: bool, router: Router) -> None:
    """What cannot be sent is an error of the handler, which names it; the client sees a 500."""

    def handler(request: Request) -> Any:
        return result

    async def async_handler(request: Request) -> Any:
        return result

    function: Callable[[Request], Any] = async_handler if is_async else handler
    router.get("/a").reply(function)
    async with connection(router) as client:
        client.send(GET)
        await client.gets(reply("UsageError in the answer of route GET /a", "500 Internal Server Error"))

    (error,) = router.handler_errors
    place = f"{__file__}:{function.__code__.co_firstlineno}"
    assert isinstance(error.exception, UsageError)
    assert f"handler {function.__qualname__!r} ({place}) returned {result!r}; {RETURNS}" == str(
        error.exception
    )


@pytest.mark.parametrize(
    "raised",
    [
        pytest.param(AssertionError("mine"), id="assertion"),
        pytest.param(KeyError("mine"), id="error"),
        pytest.param(pytest.fail.Exception("mine"), id="outcome of pytest"),
    ],
)
async def test_handler_that_fails(raised: BaseException, router: Router) -> None:
    """An error in a handler is kept with its traceback; the client sees a 500 and may go on."""

    async def handler(request: Request) -> str:
        if request.query:
            raise raised
        return "fine"

    route = router.get("/a").reply(handler)
    async with connection(router) as client:
        client.send(get("/a?fail=1"))
        text = f"{type(raised).__name__} in the answer of route GET /a"
        await client.gets(reply(text, "500 Internal Server Error"))
        client.send(GET)
        await client.gets(reply("fine"))

    (error,) = router.handler_errors
    assert (raised, route, "fail=1") == (error.exception, error.route, error.request.url.query_string)
    trace, functions = raised.__traceback__, []
    while trace is not None:
        functions.append(trace.tb_frame.f_code.co_name)
        trace = trace.tb_next
    assert "handler" == functions[-1]
    assert [500, 200] == [call.reply.status for call in route.calls if call.reply]


async def test_handler_that_fails_on_a_last_request(router: Router) -> None:
    """The 500 ends a connection that the client would have ended."""
    router.get("/a").reply(lambda request: 1 / 0)
    async with connection(router) as client:
        client.send(get("/a", "Connection: close"))
        text = "ZeroDivisionError in the answer of route GET /a"
        assert reply(text, "500 Internal Server Error", CLOSE) == await client.is_closed()


async def test_web_response(router: Router) -> None:
    """A handler may return what an aiohttp handler returns."""
    router.get("/a").reply(lambda request: web.Response(text="hi", status=202))
    async with connection(router) as client:
        client.send(GET)
        await client.gets(reply("hi", "202 Accepted"))


# ---- exceptions ----


async def test_exception(router: Router) -> None:
    """An exception is raised in the client, and nothing is sent."""
    error = aiohttp.ServerTimeoutError("slow")
    router.get("/a").reply(error)
    async with connection(router) as client:
        client.send(GET)
        await client.until(lambda: client.raised)

    call = router.calls.one()
    assert ([error], error, None, b"") == (client.raised, call.exception, call.reply, client.received)
    assert call.elapsed is not None


async def test_exception_out_of_reach(router: Router) -> None:
    """Where nothing can be raised in the client, the route is wrong and the test is told."""
    router.get("/a").reply(aiohttp.ServerTimeoutError("slow"))
    async with connection(router, in_reach=False) as client:
        client.send(GET)
        await client.gets(reply("UsageError in the answer of route GET /a", "500 Internal Server Error"))

    (error,) = router.handler_errors
    assert "ServerTimeoutError cannot be raised in a client that is out of reach; reply with a fault" == str(
        error.exception
    )


# ---- streams and long bodies ----

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


async def test_stream(router: Router) -> None:
    """Each piece is a chunk, and the call has the whole body."""
    route = router.get("/a").stream(["ab", b"", b"c"])
    async with connection(router) as client:
        client.send(GET, GET)
        expected = CHUNKED + b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
        await client.gets(expected, expected)

    assert [b"abc", b"abc"] == [call.reply.body for call in route.calls if call.reply]


@pytest.mark.parametrize(
    ("data", "options", "expected", "is_last"),
    [
        pytest.param(
            get("/a", method="HEAD"),
            {},
            CHUNKED.replace(b"Transfer-Encoding: chunked\r\n", b""),
            False,
            id="HEAD",
        ),
        pytest.param(get("/a", version="1.0"), {}, b"HTTP/1.0 200 OK\r\n\r\nabc", True, id="HTTP/1.0"),
        pytest.param(
            GET,
            {"headers": {"Content-Length": "3"}},
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
            False,
            id="length",
        ),
        pytest.param(
            GET,
            {"headers": {"Content-Length": "4"}},
            b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc",
            True,
            id="length that is not reached",
        ),
        pytest.param(GET, {"status": 204}, b"HTTP/1.1 204 No Content\r\n\r\n", False, id="204"),
    ],
)
async def test_framing_of_a_stream(
    data: bytes, options: dict[str, Any], expected: bytes, is_last: bool, router: Router
) -> None:
    """How the end of a stream is told depends on the request and on its own headers."""
    router.any("/a").stream(["ab", "c"], **options)
    async with connection(router) as client:
        client.send(data)
        if is_last:
            assert expected == await client.is_closed()
        else:
            await client.gets(expected)
            client.send(data)
            await client.gets(expected)


async def test_long_pieces(router: Router) -> None:
    """A long piece goes out as several chunks, so that the client is waited for in between."""
    router.get("/a").stream([b"x" * 150_000])
    async with connection(router) as client:
        client.send(GET)
        await client.until(lambda: client.received.endswith(b"0\r\n\r\n"))

    sizes = re.findall(rb"\r\n([0-9a-f]+)\r\nx", client.received)
    assert [65536, 65536, 150_000 - 2 * 65536] == [int(size, 16) for size in sizes]


async def test_stream_that_fails(router: Router) -> None:
    """An error in a stream cuts it off; the error is kept, and what was sent is recorded."""

    def pieces() -> Iterator[bytes]:
        yield b"ab"
        raise KeyError("mine")

    route = router.get("/a").stream(pieces)
    async with connection(router) as client:
        client.send(GET)
        assert CHUNKED + b"2\r\nab\r\n" == await client.is_closed()

    assert ["KeyError('mine')"] == [repr(error.exception) for error in router.handler_errors]
    sent = route.calls.one().reply
    assert sent is not None
    assert (200, b"ab") == (sent.status, sent.body)


async def test_long_body(router: Router) -> None:
    """A long body arrives whole, though the client takes its time."""
    body = bytes(range(256)) * 8192
    router.get("/a").reply(body)
    async with connection(router) as client:
        client.transport.pause_reading()
        client.send(GET)
        await router.wait()
        for _ in range(10):
            await asyncio.sleep(0)
        assert router.calls[0].elapsed is None
        client.transport.resume_reading()
        await client.gets(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        client.send(GET)
        await client.until(lambda: len(client.received) > len(body))

    assert router.calls[0].elapsed is not None


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda route: route.reply(bytes(4_000_000)), id="long body"),
        pytest.param(lambda route: route.stream([bytes(1_000_000)] * 4), id="stream"),
    ],
)
async def test_client_that_leaves_in_the_middle(answer: Callable[[Any], object], router: Router) -> None:
    """A client that goes away ends its answer, which is nobody's error."""
    answer(router.get("/a"))
    async with connection(router) as client:
        client.transport.pause_reading()
        client.send(GET)
        await router.wait()
        for _ in range(10):
            await asyncio.sleep(0)
        assert router.tasks

    assert () == router.handler_errors
    assert router.calls.one().elapsed is not None


async def test_generator_that_outlives_its_client(router: Router) -> None:
    """A generator that goes on though it was cancelled finds nobody to send to."""
    outlived: list[str] = []

    async def pieces() -> AsyncIterator[bytes]:
        yield b"ab"
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            outlived.append("cancelled")
        yield b"cd"
        outlived.append("never")

    router.get("/a").stream(pieces)
    async with connection(router) as client:
        client.send(GET)
        await client.gets(CHUNKED + b"2\r\nab\r\n")

    assert ["cancelled"] == outlived
    assert () == router.handler_errors


# ---- answers that wait ----


@pytest.mark.parametrize(
    ("answer", "waits"),
    [
        pytest.param(lambda route: route.reply(200, delay=2), [2.0], id="status"),
        pytest.param(lambda route: route.reply("", delay=0.5), [0.5], id="body"),
        pytest.param(lambda route: route.reply(lambda request: Reply(delay=3)), [3.0], id="handler"),
    ],
)
async def test_delay(
    answer: Callable[[Any], object], waits: list[float], router: Router, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first byte is sent when the delay is over."""
    answer(router.get("/a"))
    slept: list[float] = []

    async def sleep(seconds: float, *, turn: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        if seconds:
            slept.append(seconds)
            assert b"" == client.received
        await turn(0)

    async with connection(router) as client:
        with monkeypatch.context() as patch:
            patch.setattr(asyncio, "sleep", sleep)
            client.send(GET)
            await client.until(lambda: client.received)

    assert waits == slept
    assert client.received.startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(
    "leave",
    [lambda transport: transport.abort(), lambda transport: transport.close(), reset],
    ids=["abort", "close", "reset"],
)
async def test_client_that_leaves_while_it_is_held(
    leave: Callable[[asyncio.Transport], None], router: Router
) -> None:
    """A client that goes away waits at the gate no more, and gets no reply."""
    route = router.get("/a")
    gate = route.hold()
    async with connection(router) as client:
        client.send(GET, GET)
        await gate.waiting()
        leave(client.transport)
        await client.is_closed()
        for _ in range(5):
            await asyncio.sleep(0)
        assert 0 == gate.held

    assert (1, None, ()) == (route.call_count, route.calls[0].reply, router.handler_errors)


async def test_answer_that_is_cancelled(router: Router) -> None:
    """When the mock closes, what still answers ends, and its connection with it."""
    gate = router.get("/a").hold()
    async with connection(router) as client:
        client.send(GET)
        await gate.waiting()
        for task in router.tasks:
            task.cancel()
        assert b"" == await client.is_closed()

    assert () == router.handler_errors


@pytest.mark.parametrize("is_asked", [True, False], ids=["while it is answered", "without a request"])
async def test_client_that_ends_its_side(is_asked: bool, router: Router) -> None:
    """A client that sends no more is taken to have left, as aiohttp's own server takes it."""
    gate = router.get("/a").hold()
    async with connection(router) as client:
        if is_asked:
            client.send(GET)
            await gate.waiting()
        client.transport.write_eof()
        assert b"" == await client.is_closed()


def test_loop_that_is_closed_under_an_answer(router: Router) -> None:
    """An answer whose loop was closed ends without a word: there is nobody to send it to."""
    gate = router.get("/a").hold()
    client, peers = RawClient(), set[ServerProtocol]()
    loop = asyncio.new_event_loop()
    connected(loop, client, ServerProtocol(router, API, loop, peers, client.fail), ("192.0.2.1", 80))
    client.send(GET)
    loop.run_until_complete(gate.waiting())
    loop.close()

    (task,) = router.tasks
    coroutine = task.get_coro()
    assert inspect.iscoroutine(coroutine)
    coroutine.close()

    assert (0, ()) == (gate.held, router.handler_errors)
    task._log_destroy_pending = False  # type: ignore[attr-defined]  # it is what this test is about


# ---- scripts ----


async def test_script(router: Router) -> None:
    """A script reads the request from its first byte, sends what it likes, and ends the connection."""
    seen: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        seen.append(await reader.readexactly(2))
        writer.write(b"anything ")
        await writer.drain()
        writer.write(b"at all")

    router.put("/a").raw(script)
    async with connection(router) as client:
        client.send(PUT[:20])
        await asyncio.sleep(0)
        client.send(PUT[20:])
        await router.wait()
        client.send(b"hi")
        assert b"anything at all" == await client.is_closed()

    assert [PUT, b"hi"] == seen
    assert router.calls.one().elapsed is not None


async def test_script_after_other_requests(router: Router) -> None:
    """A script does not see what was asked on its connection before."""
    seen: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))

    router.get("/a")
    router.get("/raw").raw(script)
    async with connection(router) as client:
        client.send(GET)
        await client.gets(OK)
        client.send(get("/raw"))
        assert b"" == await client.is_closed()

    assert [get("/raw")] == seen


@pytest.mark.parametrize("written", [b"", b"HTTP/1.1 200 OK\r\n\r\nab"], ids=["at once", "in the middle"])
async def test_script_that_fails(written: bytes, router: Router) -> None:
    """An error in a script ends the connection, and is kept."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(written)
        raise KeyError("mine")

    router.get("/a").raw(script)
    async with connection(router) as client:
        client.send(GET)
        assert written == await client.is_closed()

    assert ["KeyError('mine')"] == [repr(error.exception) for error in router.handler_errors]


@pytest.mark.parametrize(
    ("leave", "error"),
    [
        pytest.param(lambda transport: transport.abort(), asyncio.IncompleteReadError, id="closes"),
        pytest.param(reset, ConnectionResetError, id="resets"),
    ],
)
async def test_script_whose_client_leaves(
    leave: Callable[[Any], None], error: type[Exception], router: Router
) -> None:
    """A script that reads when its client has gone is at no fault."""
    started, over = asyncio.Event(), asyncio.Event()
    ended: list[type[Exception]] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        started.set()
        try:
            await reader.readexactly(1)
        except Exception as exc:
            ended.append(type(exc))
            over.set()
            raise

    router.get("/a").raw(script)
    async with connection(router) as client:
        client.send(GET)
        await started.wait()
        leave(client.transport)
        await client.is_closed()
        await asyncio.wait_for(over.wait(), PATIENCE)

    assert ([error], ()) == (ended, router.handler_errors)


async def test_script_with_an_error_of_the_system(router: Router) -> None:
    """An `OSError` that is not the connection's is an error of the script."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise FileNotFoundError("mine")

    router.get("/a").raw(script)
    async with connection(router) as client:
        client.send(GET)
        assert b"" == await client.is_closed()

    assert ["FileNotFoundError('mine')"] == [repr(error.exception) for error in router.handler_errors]


async def test_script_that_is_not_async(router: Router) -> None:
    """A script that cannot be awaited is an error of the test's."""
    router.get("/a").raw(Mock(return_value=None))
    async with connection(router) as client:
        client.send(GET)
        assert b"" == await client.is_closed()

    assert [TypeError] == [type(error.exception) for error in router.handler_errors]


# ---- tunnels ----


@pytest.mark.parametrize("together", [True, False], ids=["at once", "one after the other"])
async def test_connect(together: bool, router: Router) -> None:
    """A CONNECT opens a tunnel, in which requests are for the origin that it named."""
    secret = router.get("https://secret.test/a").reply("secret")
    router.get("http://api.test/a").reply("open")
    established = b"HTTP/1.1 200 Connection established\r\n\r\n"
    ask = b"CONNECT secret.test:443 HTTP/1.1\r\nHost: secret.test:443\r\n\r\n"
    async with connection(router) as client:
        if together:
            client.send(ask + GET)
            await client.gets(established, reply("secret"))
        else:
            client.send(ask)
            await client.gets(established)
            client.send(GET)
            await client.gets(reply("secret"))
        client.send(GET)
        await client.gets(reply("secret"))

    assert [secret, secret] == [call.route for call in router.calls]


async def test_connect_that_a_route_answers(router: Router) -> None:
    """A route for CONNECT stands for a proxy that does as the route says."""
    router.route("CONNECT", "https://secret.test").reply(407)
    async with connection(router) as client:
        client.send(b"CONNECT secret.test:443 HTTP/1.1\r\nHost: secret.test:443\r\n\r\n")
        assert (await client.is_closed()).startswith(b"HTTP/1.1 407 Proxy Authentication Required\r\n")

    assert "https://secret.test" == str(router.calls.one().request.url)


# ---- attempts ----


async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None: ...


async def answer_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    for byte in OK + b"and more":
        writer.write(bytes([byte]))


@pytest.mark.parametrize(
    ("answers", "data", "again", "outcome"),
    [
        pytest.param(lambda route: route.raw(leave).reply("hi"), GET, GET, [2], id="all attempts by default"),
        pytest.param(
            lambda route: route.raw(leave).reply("hi"),
            GET,
            get("/a?x"),
            [1, 1],
            id="another request of the call",
        ),
        pytest.param(
            lambda route: route.raw(answer_head).reply("hi"), GET, GET, [1, 1], id="a reply was begun"
        ),
        pytest.param(
            lambda route: route.reply(aiohttp.ServerDisconnectedError(), attempts=1).reply("hi"),
            GET,
            GET,
            [2],
            id="an exception, for one attempt",
        ),
    ],
)
async def test_attempts(
    answers: Callable[[Any], object], data: bytes, again: bytes, outcome: list[int], router: Router
) -> None:
    """A request that a call sends again, because nothing came back, is another attempt of that call."""
    answers(router.get("/a"))
    attempts, call_of_aiohttp = Retries(), object()
    for identity, each in enumerate((data, again)):
        async with connection(router, attempts=attempts, token=(call_of_aiohttp, identity)) as client:
            client.send(each)
            await client.until(lambda: client.lost or client.raised or client.received)

    assert outcome == [call.attempts for call in router.calls]


async def test_attempts_of_two_calls(router: Router) -> None:
    """An equal request of another call is a call of its own, and meets the next answer."""
    router.get("/a").raw(leave, times=1).reply("hi")
    attempts = Retries()
    received = []
    for identity in range(2):
        async with connection(router, attempts=attempts, token=(object(), identity)) as client:
            client.send(GET)
            await client.until(lambda: client.lost or client.received)
        received.append(client.received)

    assert [b"", reply("hi")] == received
    assert [1, 1] == [call.attempts for call in router.calls]


# ---- at the edges ----


async def test_pipelined_behind_the_last(router: Router) -> None:
    """What was sent behind a request whose reply ends the connection is not answered, and no call."""
    router.get("/a").reply(headers={"Connection": "close"})
    async with connection(router) as client:
        client.send(GET + GET)
        assert (
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n" == await client.is_closed()
        )

    assert 1 == router.call_count


async def test_nonsense_behind_the_last(router: Router) -> None:
    """What comes behind the last request is nobody's business, be it HTTP or not."""
    router.get("/a").reply(text="hi")
    async with connection(router) as client:
        client.send(get("/a", "Connection: close") + b"nonsense")
        assert reply("hi", "200 OK", CLOSE) == await client.is_closed()


async def test_nonsense_behind_a_request(router: Router) -> None:
    """What came before it is answered, however long that takes; then the client is told."""
    gate = router.get("/a").reply(text="hi").hold()
    async with connection(router) as client:
        client.send(GET + b"nonsense\r\n\r\n")
        await gate.waiting()
        gate.release()
        received = await client.is_closed()

    assert reply("hi") == received[: len(reply("hi"))]
    assert received[len(reply("hi")) :].startswith(b"HTTP/1.1 400 ")


async def test_predicate_that_fails_on_a_last_request(router: Router) -> None:
    """The connection ends where the client said so, also when a predicate fails."""
    router.get("/a", where=lambda request: 1 / 0)
    async with connection(router) as client:
        client.send(get("/a", "Connection: close"))
        assert (await client.is_closed()).startswith(b"HTTP/1.1 500 ")


async def test_predicate_that_fails_on_a_connect(router: Router) -> None:
    """A predicate that fails on a CONNECT is an error of the test as well."""
    router.route("CONNECT", "https://secure.test/", where=lambda request: 1 / 0)
    async with connection(router) as client:
        client.send(b"CONNECT secure.test:443 HTTP/1.1\r\nHost: secure.test:443\r\n\r\n")
        await client.until(lambda: b"\r\n\r\n" in client.received)

    assert client.received.startswith(b"HTTP/1.1 500 ")
    assert ["division by zero"] == [str(error.exception) for error in router.handler_errors]


async def test_writing_resumed_without_a_writer(router: Router) -> None:
    """A slow client that takes more again may find nobody waiting for it."""
    router.get("/a").reply(body=bytes(500_000))
    async with connection(router) as client:
        client.transport.pause_reading()
        client.send(GET)
        await router.wait()
        # It writes until the client would have to read.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        [task] = router.tasks
        task.cancel()
        client.transport.resume_reading()
        await client.is_closed()
        [raised] = client.raised
        assert f"the mock was closed before it answered: {router.routes[0]!r}" == str(raised)
