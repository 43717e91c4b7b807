"""Answers played on an exchange that writes down what it is asked. What is refused: test_bad_input."""

import asyncio
import functools
import re
import zlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any
from unittest.mock import AsyncMock, MagicMock, Mock

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from aiotest_kit import Origin, Reply, Request, UsageError
from aiotest_kit._http.body import BodyStream
from aiotest_kit._responders.exchange import Answer
from aiotest_kit._responders.responder import Handler, Raise, Raw, as_answer, redirect
from aiotest_kit._responders.stream import event_stream, stream
from aiotest_kit._responders.web_response import reply_of

REQUEST = Request("GET", Origin("http", "api.test", 80), "/users/7?q=x")


class Recorded:
    """An exchange that keeps what happens on it, in order."""

    def __init__(self) -> None:
        self.request = REQUEST
        self.events: list[object] = []
        self.settled: object = None

    def settle(self, answer: object) -> None:
        self.settled = answer

    async def send(self, reply: Reply) -> None:
        self.events.append(reply)

    async def respond(self, response: web.StreamResponse) -> None:
        await self.send(await reply_of(response))

    async def start(self, reply: Reply) -> None:
        self.events.append(("start", reply))

    async def write(self, data: bytes) -> None:
        self.events.append(data)

    def finish(self) -> None:
        self.events.append("finish")

    def fail(self, exc: BaseException) -> None:
        self.events.append(exc)

    def take_over(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        raise NotImplementedError

    @property
    def incoming(self) -> BodyStream:
        raise NotImplementedError

    async def delegate(self, server: Callable[[], asyncio.Protocol], target: str | None = None) -> None:
        raise NotImplementedError

    def get_extra_info(self, name: str) -> object:
        raise NotImplementedError

    def note_failure(self, exc: BaseException) -> None:
        raise NotImplementedError


async def played(answer: object) -> list[object]:
    assert isinstance(answer, Answer)
    exchange: Any = Recorded()
    await answer.play(exchange)
    events: list[object] = exchange.events
    return events


# ---- what a first argument stands for ----


@pytest.mark.parametrize(
    ("value", "reply"),
    [
        pytest.param(404, Reply(404), id="status"),
        pytest.param("hi", Reply(text="hi"), id="text"),
        pytest.param(b"hi", Reply(body=b"hi"), id="bytes"),
        pytest.param([1], Reply(json=[1]), id="list"),
        pytest.param({"a": 1}, Reply(json={"a": 1}), id="dict"),
        pytest.param(Reply(204), Reply(204), id="reply"),
    ],
)
def test_static_answers(value: object, reply: Reply) -> None:
    """A value is a reply at once."""
    assert reply == as_answer(value, {})


def test_status_with_options() -> None:
    """The keywords of a reply go with a status."""
    assert Reply(201, json=1) == as_answer(201, {"json": 1})


def test_answer_of_its_own() -> None:
    """What has a `play` of its own, as a fault does, is an answer as it is."""

    class Fault:
        async def play(self, exchange: object) -> None: ...

    fault = Fault()

    assert fault is as_answer(fault, {})


# ---- exceptions ----


async def test_exception_instance() -> None:
    """An instance is raised as it is."""
    error = aiohttp.ServerTimeoutError("slow")

    assert [error] == await played(as_answer(error, {}))


async def test_exception_class() -> None:
    """Of a class, each call gets an instance of its own."""
    answer = as_answer(aiohttp.ServerDisconnectedError, {})
    (first,), (second,) = await played(answer), await played(answer)

    assert (aiohttp.ServerDisconnectedError,) * 2 == (type(first), type(second))
    assert first is not second


# ---- handlers ----


def sync_handler(request: Request) -> dict[str, str]:
    return dict(request.query)


async def async_handler(request: Request) -> str:
    return request.path


class Counter:
    def __call__(self, request: Request) -> int:
        return 201

    def method(self, request: Request) -> bytes:
        return b"method"


def returns_answer(request: Request) -> Raise:
    return Raise(ERROR)


async def raises_http_exception(request: Request) -> str:
    raise web.HTTPNotFound(text="short", headers={"X-A": "1"})


ERROR = OSError("down")


@pytest.mark.parametrize(
    ("handler", "events"),
    [
        pytest.param(sync_handler, [Reply(json={"q": "x"})], id="def"),
        pytest.param(async_handler, [Reply(text="/users/7")], id="async def"),
        pytest.param(Counter(), [Reply(201)], id="callable object"),
        pytest.param(Counter().method, [Reply(body=b"method")], id="method"),
        pytest.param(functools.partial(async_handler), [Reply(text="/users/7")], id="partial"),
        pytest.param(lambda request: Reply(204), [Reply(204)], id="reply"),
        pytest.param(lambda request: [1], [Reply(json=[1])], id="list"),
        pytest.param(returns_answer, [ERROR], id="another answer"),
        pytest.param(
            raises_http_exception,
            [
                Reply(
                    404,
                    body=b"short",
                    headers={"X-A": "1", "Content-Type": "text/plain; charset=utf-8"},
                )
            ],
            id="HTTPException raised",
        ),
    ],
)
async def test_handler(handler: object, events: list[object]) -> None:
    """What a handler returns is sent, whether it is sync or async."""
    assert events == await played(as_answer(handler, {}))


@pytest.mark.parametrize("kind", [Mock, MagicMock, AsyncMock])
async def test_mock_as_handler(kind: Callable[..., Any]) -> None:
    """A mock is a function, whatever attributes it has."""
    handler = kind(return_value={"x": 1})

    assert [Reply(json={"x": 1})] == await played(as_answer(handler, {}))
    handler.assert_called_once_with(REQUEST)


async def test_mock_that_returns_nothing() -> None:
    """A mock has no place in a file, and its error only its name."""
    with pytest.raises(UsageError) as caught:
        await played(as_answer(AsyncMock(return_value=None, name="users"), {}))

    assert re.match(
        r"handler \"<AsyncMock name='users' id='\d+'>\" returned None; return a Reply", str(caught.value)
    )


async def test_handler_is_given_the_request() -> None:
    """The request is the one being answered."""
    seen: list[Request] = []

    def handler(request: Request) -> int:
        seen.append(request)
        return 200

    await played(as_answer(handler, {}))

    assert [REQUEST] == seen


async def test_handler_of_a_server() -> None:
    """A response that is sent piece by piece needs a server, and the message names it."""
    with pytest.raises(UsageError) as raised:
        await played(as_answer(lambda request: web.StreamResponse(), {}))

    assert (
        "a StreamResponse is sent by aiohttp's own server, as that of route.serve(handler); "
        "or return a Reply, web.Response, dict, list, str, bytes or a status"
    ) == str(raised.value)


async def test_error_in_handler() -> None:
    """An error in a handler comes out as it is."""

    def handler(request: Request) -> int:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await played(as_answer(handler, {}))


async def awaits(request: Any) -> object:
    return await request.json()


async def prepares(request: Any) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    return response


FOR_SERVE = "one written for aiohttp's server, which gets aiohttp's own request, goes to serve(handler)"


@pytest.mark.parametrize(
    ("handler", "hint"),
    [
        pytest.param(
            awaits,
            f"a handler of reply() gets a Request that is read: request.json(), without await; {FOR_SERVE}",
            id="awaits what is read",
        ),
        pytest.param(
            prepares,
            f"a handler of reply() gets a Request of aiotest_kit; {FOR_SERVE}",
            id="prepares a response",
        ),
        pytest.param(
            lambda request: request.app,
            f"a handler of reply() gets a Request of aiotest_kit; {FOR_SERVE}",
            id="asks for the app",
        ),
        pytest.param(lambda request: int(request), "", id="another TypeError"),
        pytest.param(lambda request: request.url.app, "", id="another AttributeError"),
    ],
)
async def test_handler_for_another_server(handler: Any, hint: str) -> None:
    """An error of a handler that takes the request for one of aiohttp's says where it belongs."""
    exchange: Any = Recorded()
    exchange.request = Request("POST", REQUEST.origin, "/", body=b"{}")
    with pytest.raises((TypeError, AttributeError)) as caught:
        await Handler(handler).play(exchange)

    told = "\n".join(getattr(caught.value, "__notes__", [])) or str(caught.value)
    assert told.endswith(hint)
    assert bool(hint) is ("serve(handler)" in told)


# ---- web.Response ----


async def chunks() -> AsyncIterator[bytes]:
    yield b"one "
    yield b"two"


def with_cookie() -> web.Response:
    response = web.Response(status=201, text="é")
    response.set_cookie("sid", "1", path="/a")
    return response


TEXT = {"Content-Type": "text/plain; charset=utf-8"}


@pytest.mark.parametrize(
    ("make", "reply"),
    [
        pytest.param(web.Response, Reply(200), id="empty"),
        pytest.param(
            with_cookie,
            Reply(201, body="é", headers={**TEXT, "Set-Cookie": "sid=1; Path=/a"}),
            id="text and cookie",
        ),
        pytest.param(
            lambda: web.json_response({"a": 1}, headers={"X-A": "1"}),
            Reply(body=b'{"a": 1}', headers={"X-A": "1", "Content-Type": "application/json; charset=utf-8"}),
            id="json",
        ),
        pytest.param(
            lambda: web.Response(status=404, reason="Gone fishing", text=""),
            Reply(404, reason="Gone fishing", headers=TEXT),
            id="reason",
        ),
        pytest.param(
            lambda: web.Response(body=chunks(), content_type="text/csv"),
            Reply(body=b"one two", headers={"Content-Type": "text/csv"}),
            id="payload",
        ),
        pytest.param(lambda: web.Response(status=204), Reply(204), id="204"),
    ],
)
async def test_web_response(make: Callable[[], web.Response], reply: Reply) -> None:
    """An aiohttp response is sent with its own headers, cookies and body."""
    (sent,) = await played(as_answer(lambda request: make(), {}))

    assert isinstance(sent, Reply)
    assert (reply.status, reply.reason, reply.body) == (sent.status, sent.reason, sent.body)
    assert dict(reply.headers) == dict(sent.headers)


async def test_form_data_as_web_response() -> None:
    """A payload that writes itself in pieces is collected whole."""

    def handler(request: Request) -> web.Response:
        with aiohttp.MultipartWriter("mixed", boundary="cut") as writer:
            writer.append("one")
        return web.Response(body=writer)

    (sent,) = await played(as_answer(handler, {}))

    assert isinstance(sent, Reply)
    assert 'multipart/mixed; boundary="cut"' == sent.headers["Content-Type"].replace("=cut", '="cut"')
    assert sent.body.startswith(b"--cut\r\n")
    assert sent.body.endswith(b"one\r\n--cut--\r\n")


# ---- streams ----


def generator() -> Iterator[bytes]:
    yield b"a"
    yield b"b"


async def async_generator() -> AsyncIterator[str]:
    yield "a"
    yield "b"


def of_request(request: Request) -> Iterator[str]:
    yield request.path


class Again:
    async def _read(self) -> AsyncIterator[bytes]:
        yield b"a"

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._read()


@pytest.mark.parametrize(
    ("pieces", "written"),
    [
        pytest.param(
            [b"a", "é", bytearray(b"c"), memoryview(b"d")], [b"a", "é".encode(), b"c", b"d"], id="list"
        ),
        pytest.param([], [], id="nothing"),
        pytest.param([b"a", 0, 0.0, b"b"], [b"a", b"b"], id="pauses"),
        pytest.param(generator, [b"a", b"b"], id="generator function"),
        pytest.param(async_generator, [b"a", b"b"], id="async generator function"),
        pytest.param(of_request, [b"/users/7"], id="of the request"),
        pytest.param(lambda: [b"a"], [b"a"], id="function that returns a list"),
        pytest.param(Again(), [b"a"], id="async iterable"),
    ],
)
async def test_stream(pieces: object, written: list[bytes]) -> None:
    """The head comes first, then each piece; the same again for the next call."""
    answer = stream(pieces, 203, {})
    expected = [("start", Reply(203)), *written, "finish"]

    assert expected == await played(answer)
    assert expected == await played(answer)


async def test_pauses_of_a_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """A number is a pause in seconds, in its place."""
    exchange: Any = Recorded()

    async def sleep(seconds: float) -> None:
        exchange.events.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    await stream([b"a", 0.5, b"b", 2], 200, {}).play(exchange)

    assert [b"a", 0.5, b"b", 2.0, "finish"] == exchange.events[1:]


PIECE = "a piece is bytes, text, a pause in seconds or a fault"


@pytest.mark.parametrize(
    ("piece", "message"),
    [
        pytest.param(None, f"cannot stream None; {PIECE}", id="None"),
        pytest.param(True, f"cannot stream True; {PIECE}", id="bool"),
        pytest.param([b"a"], f"cannot stream [b'a']; {PIECE}", id="list"),
        pytest.param(-1, "a delay is in seconds, 0 or more; got -1", id="negative pause"),
    ],
)
async def test_bad_piece(piece: object, message: str) -> None:
    """A piece that cannot be sent is an error at that piece."""

    def pieces() -> Iterator[object]:
        yield b"a"
        yield piece

    exchange: Any = Recorded()
    with pytest.raises(UsageError) as caught:
        await stream(pieces, 200, {}).play(exchange)

    assert message == str(caught.value)
    assert [b"a"] == exchange.events[1:]


def test_repr_of_stream() -> None:
    """A stream shows its pieces."""
    assert "Stream([b'a', 0.5])" == repr(stream([b"a", 0.5], 200, {}))


# ---- redirects and events ----


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", ["/elsewhere?a=1", URL("/elsewhere?a=1")], ids=["text", "URL"])
def test_redirect(status: int, location: str | URL) -> None:
    """A redirect is a reply with a `Location`, and the keywords of any other."""
    reply = redirect(location, status, {"headers": {"X-A": "1", "Location": "/x"}, "text": "moved"})

    expected = Reply(status, text="moved", headers={"X-A": "1", "Location": "/elsewhere?a=1"})
    assert expected == reply


@pytest.mark.parametrize(
    ("event", "data"),
    [
        pytest.param({"data": "hi"}, b"data: hi\n\n", id="text"),
        pytest.param({"data": "a\nb"}, b"data: a\ndata: b\n\n", id="lines"),
        pytest.param({"data": {"a": 1}}, b'data: {"a": 1}\n\n', id="JSON"),
        pytest.param({"data": None}, b"data: null\n\n", id="null"),
        pytest.param({"comment": "ping"}, b": ping\n\n", id="comment"),
        pytest.param({"retry": 500}, b"retry: 500\n\n", id="retry"),
        pytest.param({"retry": "0"}, b"retry: 0\n\n", id="retry of text"),
        pytest.param({"id": 7, "event": 8}, b"event: 8\nid: 7\n\n", id="numbers"),
        pytest.param(
            {"id": None, "event": None, "retry": None, "comment": None, "data": "x"},
            b"data: x\n\n",
            id="not given",
        ),
        pytest.param("hi", b"data: hi\n\n", id="data alone"),
        pytest.param([1], b"data: [1]\n\n", id="JSON alone"),
        pytest.param(
            {"data": "x", "id": "1", "event": "tick", "comment": "c"},
            b": c\nevent: tick\nid: 1\ndata: x\n\n",
            id="all, in order",
        ),
    ],
)
async def test_sse(event: object, data: bytes) -> None:
    """An event is written field by field, a line of data for each line."""
    start, *rest = await played(event_stream([event], {}))

    head = Reply(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
    assert ("start", head) == start
    assert [data, "finish"] == rest


async def test_sse_with_pauses_and_headers() -> None:
    """Numbers between events are pauses; headers of the test's own come first."""
    events: Sequence[object] = [0, "a", 0.0]
    start, *rest = await played(event_stream(events, {"headers": {"Cache-Control": "private"}}))

    head = Reply(headers={"Cache-Control": "private", "Content-Type": "text/event-stream"})
    assert ("start", head) == start
    assert [b"data: a\n\n", "finish"] == rest


def events() -> Iterator[object]:
    yield {"id": 1, "data": "a"}
    yield 0
    yield ["b"]


async def async_events() -> AsyncIterator[object]:
    for event in events():
        yield event


def events_of(request: Request) -> list[object]:
    return [{"id": 1, "data": "a"}, 0.0, ["b"]]


class Events:
    def __iter__(self) -> Iterator[object]:
        return events()


@pytest.mark.parametrize(
    "made",
    [events, async_events, events_of, Events()],
    ids=["function", "async function", "of the request", "iterable"],
)
async def test_sse_of_a_function(made: object) -> None:
    """Events may come from a function, which is called for each request, or from what can be read again."""
    answer = event_stream(made, {})

    for _ in range(2):
        _, *rest = await played(answer)
        assert [b"id: 1\ndata: a\n\n", b'data: ["b"]\n\n', "finish"] == rest


async def test_events_are_settled_when_they_are_given() -> None:
    """A list of events is encoded at once: what is changed of it later is not sent."""
    event = {"data": "a"}
    given: list[object] = [event]
    answer = event_stream(given, {})
    event["data"] = "b"
    given.append("c")

    assert [b"data: a\n\n", "finish"] == (await played(answer))[1:]


async def test_bad_event_of_a_function() -> None:
    """An event that cannot be sent is an error at that event."""
    exchange: Any = Recorded()
    with pytest.raises(UsageError) as caught:
        await event_stream(lambda: ["a", {"retry": "soon"}], {}).play(exchange)

    assert "the retry of an event is in milliseconds, a whole number; got 'soon'" == str(caught.value)
    assert [b"data: a\n\n"] == exchange.events[1:]


async def coroutine_function() -> list[bytes]:
    return [b"a"]


@pytest.mark.parametrize(
    ("result", "told"),
    [
        pytest.param(lambda: None, "returned None; pass a list or a generator function", id="None"),
        pytest.param(lambda: "ab", "returned 'ab'; pass a list or a generator function", id="text"),
        pytest.param(
            lambda: coroutine_function(),
            "it is async and has no `yield`; write an async generator function",
            id="coroutine",
        ),
    ],
)
@pytest.mark.parametrize(
    "make", [lambda f: stream(f, 200, {}), lambda f: event_stream(f, {})], ids=["stream", "sse"]
)
async def test_function_that_returns_no_pieces(
    make: Callable[[object], Answer], result: Any, told: str
) -> None:
    """What a stream's function returns has to be pieces, and nothing was sent before."""
    exchange: Any = Recorded()
    with pytest.raises(UsageError) as caught:
        await make(result).play(exchange)

    assert str(caught.value).startswith(f"'<lambda>' ({__file__}:")
    assert str(caught.value).endswith(told)
    assert [] == exchange.events


async def test_stream_of_what_does_not_say_what_it_takes() -> None:
    """A function that hides its arguments is called without any."""

    class Unknown:
        __signature__ = 5

        def __call__(self, *args: object) -> list[bytes]:
            return [b"a"] * (1 + len(args))

    assert [b"a", "finish"] == (await played(stream(Unknown(), 200, {})))[1:]


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_compressed_stream(coding: str) -> None:
    """Each piece of a compressed stream can be decoded as soon as it is there."""
    options = {"compress": coding, "headers": {"X-A": "1"}, "trailers": {"X-B": "2"}}
    start, *pieces, end = await played(stream([b"one", 0, "two"], 200, options))

    head = Reply(200, headers={"X-A": "1", "Content-Encoding": coding}, trailers={"X-B": "2"})
    assert (("start", head), "finish") == (start, end)
    decoder = zlib.decompressobj(32 + zlib.MAX_WBITS)
    decoded = [decoder.decompress(piece) for piece in pieces if isinstance(piece, bytes)]
    assert [b"one", b"two", b""] == decoded
    assert decoder.eof


# ---- scripts ----


@pytest.mark.parametrize("error", [None, ValueError("mine")], ids=["returns", "raises"])
async def test_raw(error: Exception | None) -> None:
    """A script has the streams of the connection, which is closed when it ends."""
    events: list[object] = []

    class Writer:
        def close(self) -> None:
            events.append("closed")

    streams: tuple[object, object] = (object(), Writer())

    class Exchange(Recorded):
        def take_over(self) -> Any:
            return streams

    exchange: Any = Exchange()

    async def script(*given: object) -> None:
        events.append(given)
        if error is not None:
            raise error

    raw = Raw(script)
    if error is None:
        await raw.play(exchange)
    else:
        with pytest.raises(ValueError, match="mine"):
            await raw.play(exchange)

    assert [streams, "closed"] == events
