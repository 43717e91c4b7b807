"""Misuse, found where it is written: a `UsageError` at once, whose text says what would work."""

import enum
import functools
import io
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from datetime import date
from typing import Any
from unittest.mock import Mock, sentinel

import aiohttp
import pytest
from aiohttp import web

from aiotest_kit import (
    Exact,
    Refuse,
    Reply,
    Request,
    Reset,
    Router,
    Upstream,
    UsageError,
    around_requests,
)


def generator() -> Iterator[bytes]:
    yield b"a"


async def async_generator() -> AsyncIterator[bytes]:
    yield b"a"


def of_nothing() -> None: ...


async def of_one(request: Any) -> Any: ...


def place_of(function: Any) -> str:
    return f"{function.__name__!r} ({__file__}:{function.__code__.co_firstlineno})"


class NeedsArguments(Exception):
    def __init__(self, code: int, text: str) -> None:
        super().__init__(code, text)


async def coroutine_function() -> list[bytes]:
    return [b"a"]


class Colour(enum.Enum):
    RED = 1


class Once:
    """An iterable whose iterator is the same each time."""

    def __init__(self) -> None:
        self._pieces = generator()

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces

    def __repr__(self) -> str:
        return "<Once>"


class AsyncOnce:
    def __aiter__(self) -> "AsyncOnce":
        return self

    async def __anext__(self) -> bytes:
        return b"a"

    def __repr__(self) -> str:
        return "<AsyncOnce>"


class Shown(io.BytesIO):
    def __repr__(self) -> str:
        return "<file>"


class ShownIterator(Iterator[str]):
    def __next__(self) -> str:
        return "a"

    def __repr__(self) -> str:
        return "<iterator>"


A_LIST = "a list, or a generator function"
ONE_SHOT: dict[str, tuple[Callable[[], Any], str, str]] = {
    "an iterator": (ShownIterator, "<iterator>", A_LIST),
    "an iterable to be read once": (Once, "<Once>", A_LIST),
    "an async iterator": (AsyncOnce, "<AsyncOnce>", "an async generator function"),
    "a file": (lambda: Shown(b"a"), "<file>", "[file.read()], or a generator function that opens it"),
}


def refusal(act: Callable[[], object]) -> str:
    with pytest.raises(UsageError) as caught:
        act()
    return str(caught.value)


def test_stream_of_a_function_that_takes_too_much() -> None:
    """A stream's function is given the request, and nothing else."""

    def pieces(request: object, more: object) -> Any:
        yield b""

    said = refusal(lambda: Router().get("/a").stream(pieces))
    assert said.endswith("takes request, more; a stream's function takes the request or nothing")


def test_replies_are_all_refused_together() -> None:
    """Where one of several answers cannot be given, none is added."""
    route = Upstream().get("/a").reply(201, times=1)
    refusal(lambda: route.replies(200, None))
    refusal(lambda: route.replies(200, Refuse()))
    assert 1 == route.capacity


@pytest.mark.parametrize(
    ("url", "options", "says"),
    [
        pytest.param("/a", {"jsn": 1}, "; did you mean 'json'?", id="keyword misspelt"),
        pytest.param(
            "/a", {"zzz": 1}, "options are: body, cookies, form, headers, json", id="keyword unknown"
        ),
        pytest.param("/a", {"json": 1, "body": b"1"}, "give only one of: body, json", id="two bodies"),
        pytest.param("/a?x=1", {"query": {"x": "2"}}, "give it in one of them", id="query twice"),
        pytest.param("/a", {"query": 7}, "query", id="query of no kind"),
        pytest.param("/a", {"json": int}, "write lambda value: isinstance(value, int)", id="class"),
        pytest.param("/a", {"body": {"a": 1}}, "for JSON write json=", id="body of an object"),
        pytest.param(
            "/a",
            {"form": aiohttp.FormData({"a": "1"})},
            "form= is a mapping of names to values; a FormData cannot be compared",
            id="FormData",
        ),
        pytest.param("/a", {"where": 7}, "a predicate is a function of the request", id="where"),
        pytest.param("", {}, "''", id="URL empty"),
        pytest.param("api.test/a", {}, "or is a path, '/api.test/a'", id="URL without scheme"),
        pytest.param("ftp://api.test/a", {}, "schemes are: http, https", id="scheme"),
        pytest.param("http:///a", {}, "is not a host", id="no host"),
        pytest.param("http://api.test:99999/a", {}, "ports are 1 to 65535", id="port out of range"),
        pytest.param(
            "http://api.test:port/a", {}, "is not a host with an optional port", id="port is no number"
        ),
        pytest.param("/a#b", {}, "leave out '#b'", id="fragment"),
        pytest.param(7, {}, "a URL is a str, a yarl.URL or a compiled regex", id="URL of no kind"),
        pytest.param(re.compile(b"/a"), {}, "write it as a str", id="bytes regex"),
        pytest.param("/{id", {}, "'/{id'", id="template not closed"),
        pytest.param("/{1}", {}, "write '{name}' or '{name:regex}'", id="template name"),
        pytest.param("/{id:(}", {}, "the regex '('", id="template regex"),
        pytest.param("http://{host}/a", {}, "'*' stands for any host", id="template host"),
    ],
)
def test_route(url: Any, options: dict[str, Any], says: str) -> None:
    """A route that can never match is refused when it is added, and is not in the table then."""
    router = Router()

    assert says in refusal(lambda: router.get(url, **options))
    assert () == router.routes


@pytest.mark.parametrize(
    ("method", "says"),
    [
        pytest.param("GET /", "a method is a word such as 'GET'", id="not a word"),
        pytest.param([7], "a method is a word such as 'GET'", id="of no kind"),
        pytest.param(7, "a method is a word such as 'GET', or several; got 7", id="a number"),
        pytest.param([], "write '*' for any", id="none"),
    ],
)
def test_method(method: Any, says: str) -> None:
    """A method that HTTP cannot send is refused."""
    assert says in refusal(lambda: Router().route(method, "/a"))


@pytest.mark.parametrize(
    ("act", "message"),
    [
        pytest.param(
            lambda router: router.host("http://api.test").get("http://other.test/a"),
            "'http://other.test/a': a URL under the prefix 'http://api.test' is a path, such as '/users'",
            id="origin under a prefix",
        ),
        pytest.param(
            lambda router: router.host("http://api.test").get(re.compile("/a")),
            "re.compile('/a'): a URL under the prefix 'http://api.test' is a path, such as '/users'",
            id="regex under a prefix",
        ),
        pytest.param(
            lambda router: router.host("http://api.test?a=1").get("/a"),
            "the prefix 'http://api.test?a=1' has a query; give it to the routes, as query=",
            id="prefix with a query",
        ),
        pytest.param(
            lambda router: router.host("ftp://api.test"),
            "'ftp://api.test': unknown scheme 'ftp'; schemes are: http, https, ws, wss, tcp, unix, npipe, *",
            id="prefix with an unknown scheme",
        ),
        pytest.param(
            lambda router: router.host("http://api.test", headers={"A": "1"}).get("/a", headers=[("B", "2")]),
            "headers= of a route under host(..., headers=...) is a mapping",
            id="headers of host and pairs",
        ),
        pytest.param(
            lambda router: router.mount("http://api.test", "http://real.test"),
            "mount() puts a Router, an aiohttp web.Application or an ASGI app behind an origin; got 'http://real.test'",
            id="mount of a URL",
        ),
        pytest.param(
            lambda router: router.mount("http://api.test", router.host("http://api.test")),
            "a router cannot be mounted in itself",
            id="mount in itself",
        ),
        pytest.param(
            lambda router: router.passthrough("ftp://api.test"),
            "'ftp://api.test': unknown scheme 'ftp'; schemes are: http, https, ws, wss, tcp, unix, npipe, *",
            id="passthrough",
        ),
        *(
            pytest.param(
                act,
                "the prefix 'http://api.test?a=1' has a query; give it to the routes, as query=",
                id=f"{name} with a query",
            )
            for name, act in {
                "host": lambda router: router.host("http://api.test?a=1"),
                "mount": lambda router: router.mount("http://api.test?a=1", Router()),
                "passthrough": lambda router: router.passthrough("http://api.test?a=1"),
            }.items()
        ),
    ],
)
def test_prefix(act: Callable[[Any], object], message: str) -> None:
    """What cannot stand under a prefix, or be put behind one, is refused."""
    assert message == refusal(lambda: act(Router()))


REPLY_OPTIONS = (
    "body, compress, content_type, cookies, delay, form, headers, html, json, reason, text, trailers"
)
RAW = "route.raw(...) can send anything"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"status": 199}, f"status 199 is not one of 200 to 999; {RAW}", id="status too low"),
        pytest.param({"status": 1000}, f"status 1000 is not one of 200 to 999; {RAW}", id="status too high"),
        pytest.param(
            {"header": {}},
            f"unknown option 'header' for a reply; options are: {REPLY_OPTIONS}; did you mean 'headers'?",
            id="keyword misspelt",
        ),
        pytest.param(
            {"zzz": 1},
            f"unknown option 'zzz' for a reply; options are: {REPLY_OPTIONS}",
            id="keyword unknown",
        ),
        pytest.param({"json": 1, "body": b"1"}, "a reply has one body; got json= and body=", id="two bodies"),
        pytest.param(
            {"text": "1", "html": "2", "form": {}},
            "a reply has one body; got text= and html= and form=",
            id="three bodies",
        ),
        pytest.param(
            {"json": date(2024, 1, 1)},
            "json= cannot be encoded: Object of type date is not JSON serializable",
            id="json of an object",
        ),
        pytest.param(
            {"text": {"a": 1}},
            "text= is text; got {'a': 1} (json= encodes objects, body= sends bytes)",
            id="text of an object",
        ),
        pytest.param(
            {"html": b"<p>"},
            "html= is text; got b'<p>' (json= encodes objects, body= sends bytes)",
            id="html of bytes",
        ),
        pytest.param(
            {"body": {"a": 1}},
            "body= is bytes or text; got {'a': 1} (json= encodes objects)",
            id="body of an object",
        ),
        pytest.param(
            {"body": 7}, "body= is bytes or text; got 7 (json= encodes objects)", id="body of a number"
        ),
        pytest.param({"form": 7}, "form= is a mapping or pairs; got 7", id="form of a number"),
        pytest.param({"form": "a=1"}, "form= is a mapping or pairs; got 'a=1'", id="form of text"),
        pytest.param(
            {"status": 204, "text": "x"},
            "a reply with status 204 has no body (RFC 9110, 6.4.1); got b'x'",
            id="body of a 204",
        ),
        pytest.param(
            {"status": 304, "json": 1},
            "a reply with status 304 has no body (RFC 9110, 6.4.1); got b'1'",
            id="body of a 304",
        ),
        pytest.param(
            {"headers": {"X-A": "1\r\nX-B: 2"}},
            f"header X-A '1\\r\\nX-B: 2' has a line end in it; {RAW}",
            id="header with a line end",
        ),
        pytest.param(
            {"headers": {"X-A": "1\n"}}, f"header X-A '1\\n' has a line end in it; {RAW}", id="header with LF"
        ),
        pytest.param(
            {"headers": {"X A": "1"}}, f"'X A' is not a header name; {RAW}", id="header name, space"
        ),
        pytest.param({"headers": {"": "1"}}, f"'' is not a header name; {RAW}", id="header name, empty"),
        pytest.param({"headers": {"X:": "1"}}, f"'X:' is not a header name; {RAW}", id="header name, colon"),
        pytest.param(
            {"headers": {"Content-Length": "2"}, "text": "abc"},
            "Content-Length '2' is less than the 3 bytes of the body, and a client would take the rest for "
            f"another reply; leave it out; {RAW}",
            id="Content-Length too short",
        ),
        pytest.param(
            {"headers": {"content-length": "two"}},
            f"Content-Length 'two' is not a number of bytes; {RAW}",
            id="Content-Length of words",
        ),
        pytest.param(
            {"headers": {"Content-Length": "3"}, "text": "abc", "trailers": {"X-A": "1"}},
            "trailers= follow a chunked body, which has no Content-Length; leave that out",
            id="trailers and a length",
        ),
        pytest.param(
            {"headers": {"X-A": None}},
            "header X-A is text; got None",
            id="header of None",
        ),
        pytest.param(
            {"headers": 7}, "headers are a mapping or pairs of text; got 7", id="headers of no kind"
        ),
        pytest.param(
            {"headers": {7: "1"}},
            "headers are a mapping or pairs of text; got {7: '1'}",
            id="header name, number",
        ),
        pytest.param(
            {"headers": ["X-A"]},
            "headers are a mapping or pairs of text; got ['X-A']",
            id="headers, no pairs",
        ),
        pytest.param({"trailers": {"X A": "1"}}, f"'X A' is not a header name; {RAW}", id="trailer name"),
        pytest.param({"cookies": {"a b": "1"}}, "'a b' is not a cookie name", id="cookie name"),
        pytest.param(
            {"cookies": {"a": 1}},
            "cookie a is text; got 1",
            id="cookie of a number",
        ),
        pytest.param(
            {"cookies": "a=1"}, "cookies= is a mapping of names to values; got 'a=1'", id="cookies of text"
        ),
        pytest.param(
            {"reason": "O\nK"}, f"reason 'O\\nK' has a line end in it; {RAW}", id="reason with a line end"
        ),
        pytest.param(
            {"content_type": "a/b\r\n"},
            f"content_type 'a/b\\r\\n' has a line end in it; {RAW}",
            id="content_type with a line end",
        ),
        pytest.param(
            {"compress": "lzma"},
            "compress='lzma': codings are gzip, deflate, br, zstd",
            id="compress unknown",
        ),
        pytest.param(
            {"compress": True}, "compress=True: codings are gzip, deflate, br, zstd", id="compress of a bool"
        ),
        pytest.param({"delay": -1}, "a delay is in seconds, 0 or more; got -1", id="delay negative"),
        pytest.param({"delay": "1"}, "a delay is in seconds, 0 or more; got '1'", id="delay of text"),
        pytest.param({"delay": True}, "a delay is in seconds, 0 or more; got True", id="delay of a bool"),
        pytest.param(
            {"delay": float("inf")}, "a delay is in seconds, 0 or more; got inf", id="delay for ever"
        ),
    ],
)
def test_reply(options: dict[str, Any], message: str) -> None:
    """A reply that cannot be sent is refused, by `Reply` and by a route's `reply` alike."""
    given: Mapping[str, Any] = {"status": 200, **options}
    status, rest = given["status"], {name: value for name, value in given.items() if name != "status"}

    assert message == refusal(lambda: Reply(status, **rest))
    assert message == refusal(lambda: Router().get("/a").reply(status, **rest))


@pytest.mark.parametrize("status", [True, 200.0, "200", None])
def test_status_of_another_type(status: Any) -> None:
    """A status is a whole number."""
    assert f"status {status!r} is not one of 200 to 999; {RAW}" == refusal(lambda: Reply(status))


ANSWERS = "reply with a status, a Reply, an exception, a fault or a handler"


@pytest.mark.parametrize(
    ("answer", "options", "message"),
    [
        pytest.param(None, {}, f"cannot reply with None; {ANSWERS}", id="None"),
        pytest.param(True, {}, f"cannot reply with True; {ANSWERS}", id="bool"),
        pytest.param(0.5, {}, f"cannot reply with 0.5; {ANSWERS}", id="number"),
        pytest.param(Reply, {}, "cannot reply with the class Reply; make one: Reply(...)", id="reply class"),
        pytest.param(Reset, {}, "cannot reply with the class Reset; make one: Reset(...)", id="fault class"),
        pytest.param(int, {}, f"cannot reply with the class int; {ANSWERS}", id="any class"),
        pytest.param(
            NeedsArguments,
            {},
            "NeedsArguments cannot be made without arguments; reply with an instance of it",
            id="exception class that needs arguments",
        ),
        pytest.param(
            aiohttp.ClientConnectorError,
            {},
            "ClientConnectorError cannot be made without arguments; reply with an instance of it",
            id="aiohttp's exception class that needs arguments",
        ),
        pytest.param(
            Reply(204),
            {"headers": {"A": "1"}},
            "headers= goes with a status, as in reply(200, headers=...); got Reply(204) in its place",
            id="reply with keywords",
        ),
        pytest.param(
            {"a": 1},
            {"text": "x", "headers": {}},
            "headers=, text= go with a status, as in reply(200, headers=...); got {'a': 1} in its place",
            id="body with keywords",
        ),
        pytest.param(
            "404",
            {"json": {}},
            "json= goes with a status, as in reply(200, json=...); got '404' in its place",
            id="status as text",
        ),
        pytest.param(200, {"status": 404}, "status=: the status comes first, as in reply(404)", id="status="),
        pytest.param(200, {"times": 0}, "times= is a whole number, 1 or more; got 0", id="times=0"),
        pytest.param(200, {"times": -1}, "times= is a whole number, 1 or more; got -1", id="times=-1"),
        pytest.param(200, {"times": 1.0}, "times= is a whole number, 1 or more; got 1.0", id="times=1.0"),
        pytest.param(200, {"times": True}, "times= is a whole number, 1 or more; got True", id="times=True"),
        pytest.param(
            OSError(), {"attempts": 0}, "attempts= is a whole number, 1 or more; got 0", id="attempts=0"
        ),
        pytest.param(
            OSError(), {"delay": -1}, "a delay is in seconds, 0 or more; got -1", id="delay of an exception"
        ),
        pytest.param(
            web.HTTPConflict(),
            {},
            "HTTPConflict is raised by a server's handler, and the client gets its status: reply(409)",
            id="exception of a server",
        ),
        pytest.param(
            web.HTTPNotFound,
            {},
            "HTTPNotFound is raised by a server's handler, and the client gets its status: reply(404)",
            id="exception class of a server",
        ),
        pytest.param(
            StopIteration(),
            {},
            "StopIteration cannot be raised from a client's call, a coroutine (PEP 479)",
            id="StopIteration",
        ),
    ],
)
def test_answer(answer: object, options: dict[str, Any], message: str) -> None:
    """An answer that cannot be given is refused, and the route is as it was."""
    route = Router().get("/a").reply(201, times=1)

    assert message == refusal(lambda: route.reply(answer, **options))
    assert 1 == route.capacity


@pytest.mark.parametrize(
    ("body", "shown"), [({"a": 1}, "{'a': 1}"), ("text", "'text'")], ids=["dict", "text"]
)
def test_body_without_its_name(body: Any, shown: str) -> None:
    """A body behind the status is told its name."""
    route: Any = Router().get("/a")

    assert f"reply(200, {shown}): a body needs its name, as in reply(200, json={{...}})" == refusal(
        lambda: route.reply(200, body)
    )


def test_body_of_a_reply_without_its_name() -> None:
    """So is one behind the status of a `Reply`."""
    make: Any = Reply

    assert "Reply(200, {'a': 1}): a body needs its name, as in Reply(200, json={...})" == refusal(
        lambda: make(200, {"a": 1})
    )


def test_a_verb_of_a_route() -> None:
    """A router is told whose what it does not have is."""
    router: Any = Router()
    with pytest.raises(AttributeError) as of_a_route:
        router.reply(200)
    with pytest.raises(AttributeError) as of_nobody:
        router.replly(200)

    assert "'Router' object has no attribute 'reply'; a route has it: router.get(url).reply" == str(
        of_a_route.value
    )
    assert "'Router' object has no attribute 'replly'" == str(of_nobody.value)


def test_called_handler() -> None:
    """A handler that was called gave a coroutine, of which Python does not warn as never awaited."""

    async def handler(request: Request) -> int:
        return 200

    called: Any = handler
    assert "a coroutine can be awaited only once; pass the function 'handler' itself" == refusal(
        lambda: Router().get("/a").reply(called(None))
    )


@pytest.mark.parametrize(
    ("handler", "wrong"),
    [
        pytest.param(lambda: 200, "too many positional arguments", id="takes nothing"),
        pytest.param(lambda request, client: 200, "missing a required argument: 'client'", id="needs two"),
    ],
)
def test_handler_of_something_else(handler: Any, wrong: str) -> None:
    """A handler that cannot be called with a request is refused where it is given."""
    place = f"{__file__}:{handler.__code__.co_firstlineno}"

    assert f"handler '<lambda>' ({place}) is called with the request: {wrong}" == refusal(
        lambda: Router().get("/a").reply(handler)
    )


def test_handler_behind_a_decorator() -> None:
    """What a decorator adds to the arguments is not asked for, nor what cannot be known."""

    def handler(request: Request, client: str) -> str:
        return client

    @functools.wraps(handler)
    def decorated(request: Request) -> str:
        return handler(request, "ann")

    class Unknown:
        __signature__ = 5

        def __call__(self, *args: object) -> int:
            return 200

    route = Router().get("/a").replies(decorated, Mock(), Unknown()).reply(times=1)
    assert 4 == route.capacity


@pytest.mark.parametrize(
    ("act", "message"),
    [
        pytest.param(lambda route: route.replies(), "replies() needs at least one answer", id="replies()"),
        pytest.param(
            lambda route: route.replies(None, 200), f"cannot reply with None; {ANSWERS}", id="replies(None)"
        ),
        pytest.param(
            lambda route: route.redirect("/b", status=304),
            "304 is not a redirect that clients follow; those are 301, 302, 303, 307, 308",
            id="redirect status",
        ),
        pytest.param(
            lambda route: route.redirect(None),
            "redirect() takes a URL or a path; got None",
            id="redirect to None",
        ),
        pytest.param(
            lambda route: route.redirect("/b\r\nX: 1"),
            f"location '/b\\r\\nX: 1' has a line end in it; {RAW}",
            id="redirect location",
        ),
        pytest.param(
            lambda route: route.raw(b"HTTP/1.1 200 OK"),
            "raw() takes an async function of reader and writer; got b'HTTP/1.1 200 OK'",
            id="raw bytes",
        ),
        pytest.param(
            lambda route: route.forward(7),
            "forward() takes an origin such as 'https://real.example'; got 7",
            id="forward to a number",
        ),
        pytest.param(
            lambda route: route.forward("real.example"),
            "'real.example': forward() takes an origin such as 'https://real.example'",
            id="forward without a scheme",
        ),
        pytest.param(
            lambda route: route.forward("https://real.example/?a=1"),
            "'https://real.example/?a=1': forward() takes an origin such as 'https://real.example'",
            id="forward with a query",
        ),
        pytest.param(
            lambda route: route.hold().release(0), "release(n) lets at least one go; got 0", id="release(0)"
        ),
        pytest.param(
            lambda route: route.hold().release("a"),
            "release(n) lets at least one go; got 'a'",
            id="release(a)",
        ),
        pytest.param(
            lambda route: route.stream(generator()),
            "a generator can be read only once; pass the generator function 'generator' itself",
            id="generator object",
        ),
        pytest.param(
            lambda route: route.stream(async_generator()),
            "a generator can be read only once; pass the generator function 'async_generator' itself",
            id="async generator object",
        ),
        pytest.param(
            lambda route: route.stream(b"abc"),
            "cannot stream b'abc'; pass a list or a generator function",
            id="stream of bytes",
        ),
        pytest.param(
            lambda route: route.stream(7),
            "cannot stream 7; pass a list or a generator function",
            id="stream of a number",
        ),
        pytest.param(
            lambda route: route.stream([b"a"], text="x"),
            "text= is not for a stream, whose body is its pieces",
            id="stream with a body",
        ),
        pytest.param(
            lambda route: route.stream([b"a"], compress="lzma"),
            "compress='lzma': codings are gzip, deflate, br, zstd",
            id="stream compressed by no coding",
        ),
        pytest.param(
            lambda route: route.stream([b"a"], compress="gzip", headers={"Content-Length": "1"}),
            "a stream that is compressed has no Content-Length; leave it out",
            id="stream compressed, of a length",
        ),
        pytest.param(
            lambda route: route.stream({"a": 1}),
            "cannot stream {'a': 1}; pass a list or a generator function",
            id="stream of a mapping",
        ),
        pytest.param(
            lambda route: route.stream([b"a", Reset]),
            "cannot stream the class Reset; make one: Reset(...)",
            id="fault class in a stream",
        ),
        pytest.param(
            lambda route: route.stream([b"a", Refuse()]),
            "Refuse() cannot happen in a body that is on its way",
            id="connect fault in a stream",
        ),
        pytest.param(
            lambda route: route.stream([b"a"], times=0),
            "times= is a whole number, 1 or more; got 0",
            id="stream times=0",
        ),
        pytest.param(
            lambda route: route.sse([{"dta": 1}]),
            "unknown field 'dta' in an event; fields are: comment, event, id, retry, data",
            id="event field",
        ),
        pytest.param(
            lambda route: route.sse([{"event": "a\nb"}]),
            "the event 'a\\nb' of an event has a line end in it; only its data may",
            id="event name of two lines",
        ),
        pytest.param(
            lambda route: route.sse([{"event": 0.5}]),
            "the event of an event is text; got 0.5",
            id="event name of a number",
        ),
        pytest.param(
            lambda route: route.sse([{"id": "a\0"}]),
            "the id 'a\\x00' of an event has a NUL in it; clients ignore such an id",
            id="event id with a NUL",
        ),
        *(
            pytest.param(
                lambda route, retry=retry: route.sse([{"retry": retry}]),
                f"the retry of an event is in milliseconds, a whole number; got {retry!r}",
                id=f"retry of {retry!r}",
            )
            for retry in ("soon", 0.5, -1, True)
        ),
        *(
            pytest.param(
                lambda route, event=event: route.sse([event]),
                f"an event has one of the fields comment, event, id, retry, data; got {event}",
                id=f"event {event}",
            )
            for event in ({}, {"id": None})
        ),
        pytest.param(
            lambda route: route.sse([{"data": date(2024, 1, 1)}]),
            "the data datetime.date(2024, 1, 1) of an event cannot be encoded: "
            "Object of type date is not JSON serializable",
            id="event data of an object",
        ),
        pytest.param(
            lambda route: route.sse([b"data: 1\n\n"]),
            "the data b'data: 1\\n\\n' of an event cannot be encoded: "
            "Object of type bytes is not JSON serializable",
            id="event of bytes",
        ),
        pytest.param(
            lambda route: route.sse(["a", Reset]),
            "cannot stream the class Reset; make one: Reset(...)",
            id="fault class among events",
        ),
        pytest.param(
            lambda route: route.sse(7),
            "sse() cannot send 7; pass a list or a generator function",
            id="no events",
        ),
        pytest.param(
            lambda route: route.sse(["a"], text="x"),
            "text= is not for a stream, whose body is its pieces",
            id="events with a body",
        ),
        pytest.param(
            lambda route: route.replies([503, 200]),
            "replies() takes answers one by one: replies(*[503, 200])",
            id="replies of a list",
        ),
        pytest.param(
            lambda route: route.replies((503, 200)),
            "replies() takes answers one by one: replies(*(503, 200))",
            id="replies of a tuple",
        ),
        *(
            pytest.param(
                lambda route, verb=verb, first=first: getattr(route, verb)(first, times=0),
                "times= is a whole number, 1 or more; got 0",
                id=f"{verb} times=0",
            )
            for verb, first in (("redirect", "/b"), ("sse", []), ("forward", "https://real.example"))
        ),
        pytest.param(
            lambda route: route.sse({"data": 1}),
            "sse() takes several events, such as [{'data': 1}]",
            id="one event",
        ),
        pytest.param(
            lambda route: route.sse("data"),
            "sse() takes several events, such as ['data']",
            id="events as text",
        ),
    ],
)
def test_other_verbs(act: Callable[[Any], object], message: str) -> None:
    """Each verb of a route refuses what it cannot do, and the route is as it was."""
    route = Router().get("/a").reply(201, times=1)

    assert message == refusal(lambda: act(route))
    assert 1 == route.capacity


@pytest.mark.parametrize("verb", ["stream", "sse"])
@pytest.mark.parametrize(("made", "shown", "remedy"), ONE_SHOT.values(), ids=ONE_SHOT)
def test_pieces_that_can_be_read_once(verb: str, made: Callable[[], object], shown: str, remedy: str) -> None:
    """What would be empty at the second call is refused at once."""
    route = Router().get("/a")

    assert f"{shown} can be read only once, and a route may be called again; pass {remedy}" == refusal(
        lambda: getattr(route, verb)(made())
    )


@pytest.mark.parametrize(("verb", "says"), [("stream", "cannot stream"), ("sse", "sse() cannot send")])
def test_coroutine_function_of_pieces(verb: str, says: str) -> None:
    """A function that is async and yields nothing is refused."""
    place = f"{__file__}:{coroutine_function.__code__.co_firstlineno}"

    assert (
        f"{says} 'coroutine_function' ({place}): it is async and has no `yield`; "
        "write an async generator function"
    ) == refusal(lambda: getattr(Router().get("/a"), verb)(coroutine_function))


HANDLER = "serve() takes async def handler(request); reply(handler) takes any function"
SCRIPT = "raw() takes async def script(reader, writer)"
TOO_MANY = "too many positional arguments"


@pytest.mark.parametrize(
    ("act", "message"),
    [
        pytest.param(
            lambda route: route.serve(web.Application()),
            "serve() takes a handler; a whole app is mounted: router.mount('https://api.test', app)",
            id="serve an app",
        ),
        pytest.param(
            lambda route: route.serve(of_nothing),
            f"handler {place_of(of_nothing)} is not async; {HANDLER}",
            id="serve a plain function",
        ),
        pytest.param(
            lambda route: route.serve(functools.partial(of_nothing)),
            f"handler {place_of(of_nothing)} is not async; {HANDLER}",
            id="serve a partial of a plain function",
        ),
        pytest.param(
            lambda route: route.serve(async_generator),
            f"handler {place_of(async_generator)} is an async generator function; {HANDLER}",
            id="serve a generator function",
        ),
        pytest.param(
            lambda route: route.serve(coroutine_function),
            f"handler {place_of(coroutine_function)} is called with the request: {TOO_MANY}",
            id="serve a function that takes nothing",
        ),
        pytest.param(
            lambda route: route.raw(of_nothing),
            f"script {place_of(of_nothing)} is not async; {SCRIPT}",
            id="a script that is a plain function",
        ),
        pytest.param(
            lambda route: route.raw(async_generator),
            f"script {place_of(async_generator)} is an async generator function; {SCRIPT}",
            id="a script that is a generator function",
        ),
        pytest.param(
            lambda route: route.raw(of_one),
            f"script {place_of(of_one)} is called with the reader and the writer: {TOO_MANY}",
            id="a script that takes one argument",
        ),
        pytest.param(
            lambda route: route.reply(web.Response(text="a")),
            "<Response OK not prepared> can be sent once; a handler makes one for each call: "
            "reply(lambda request: web.Response(...))",
            id="reply with a response",
        ),
        pytest.param(
            lambda route: route.reply(200, status_code=404),
            "unknown option 'status_code' for a reply; options are: body, compress, content_type, cookies, "
            "delay, form, headers, html, json, reason, text, trailers; the status is the first argument, "
            "as in reply(404)",
            id="status by name",
        ),
    ],
)
def test_functions(act: Callable[[Any], object], message: str) -> None:
    """What cannot be called as it will be, or awaited, is refused where it is given."""
    route = Router().get("/a").reply(201, times=1)

    assert message == refusal(lambda: act(route))
    assert 1 == route.capacity


class Served:
    async def __call__(self, request: web.BaseRequest) -> web.Response:
        return web.Response()

    async def method(self, request: web.BaseRequest) -> web.Response:
        return web.Response()


def decorated(function: Any) -> Any:
    @functools.wraps(function)
    def call(*args: Any) -> Any:
        return function(*args)

    return call


def test_functions_that_may_be_async() -> None:
    """What a decorator, an object or a class gives back is known only when it is called."""
    route = Router().get("/a")
    handlers: list[Any] = [Served(), Served().method, decorated(of_one), functools.partial(of_one)]
    handlers += [web.View, Mock()]
    for handler in handlers:
        route.serve(handler).reply(times=1)

    assert 12 == route.capacity


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param(
            {"where": of_nothing},
            f"where: {place_of(of_nothing)} is called with the request: {TOO_MANY}",
            id="where",
        ),
        pytest.param(
            {"json": {"a": [of_nothing]}},
            f"json: {place_of(of_nothing)} is called with the value: {TOO_MANY}",
            id="predicate in JSON",
        ),
        pytest.param(
            {"headers": of_nothing},
            f"headers: {place_of(of_nothing)} is called with the value: {TOO_MANY}",
            id="predicate on headers",
        ),
        pytest.param(
            {"json": {"a": Colour.RED}},
            "json: <Colour.RED: 1> is equal to nothing but itself; write a value, a predicate, "
            "or unittest.mock.ANY",
            id="member of an enum",
        ),
        pytest.param(
            {"cookies": {"a": sentinel.x}},
            "cookies: sentinel.x is equal to nothing but itself; write a value, a predicate, "
            "or unittest.mock.ANY",
            id="sentinel",
        ),
        pytest.param(
            {"json": [b"a"]}, "json: b'a' is never equal to JSON, which has no bytes", id="bytes in JSON"
        ),
        pytest.param(
            {"json": {"a": date(2024, 1, 1)}},
            "json: datetime.date(2024, 1, 1) is never equal to JSON, which has no date",
            id="date in JSON",
        ),
        pytest.param(
            {"json": float("nan")},
            "json: nan is equal to nothing; write a predicate such as math.isnan",
            id="nan",
        ),
        pytest.param({"json": {1}}, "json: {1} is never equal to JSON, which has no set", id="set in JSON"),
        pytest.param(
            {"headers": {"X A": "1"}},
            "headers: 'X A' is not a header name (RFC 9110, 5.1), and no request has it",
            id="header name",
        ),
        pytest.param(
            {"headers": [("X:", "1")]},
            "headers: 'X:' is not a header name (RFC 9110, 5.1), and no request has it",
            id="header name with a colon",
        ),
        pytest.param(
            {"headers": {"X": "a\nb"}},
            "headers 'X': no header is 'a\\nb', with a line end in it or blanks around it",
            id="header value of two lines",
        ),
        pytest.param(
            {"headers": {"X": ["a", Exact(" b")]}},
            "headers 'X': no header is ' b', with a line end in it or blanks around it",
            id="header value with a blank",
        ),
        pytest.param(
            {"cookies": {"a=b": "c"}},
            "cookies: 'a=b' is not a cookie name (RFC 6265, 4.1.1), and no request has it",
            id="cookie name",
        ),
        pytest.param(
            {"query": {"a": b"b"}},
            "query 'a': b'b' is bytes, and text is sent; write text",
            id="query of bytes",
        ),
        pytest.param(
            {"form": {"a": b"b"}},
            "form 'a': b'b' is bytes, and text is sent; multipart= compares the content of files",
            id="form of bytes",
        ),
    ],
)
def test_expectations(options: dict[str, Any], message: str) -> None:
    """What no request can meet is refused by a route, and by a question to the log."""
    assert message == refusal(lambda: Router().get("/a", **options))
    assert message == refusal(lambda: Router().calls.where(**options))


@pytest.mark.parametrize(
    ("act", "message"),
    [
        *(
            pytest.param(
                lambda router, verb=verb: getattr(router, verb)("/a", method="POST"),
                "method=: the verb is the method; for any other write router.route('POST', url)",
                id=verb,
            )
            for verb in ("get", "post", "put", "patch", "delete", "head", "options", "any")
        ),
        *(
            pytest.param(
                lambda router, url=url: router.get(url),
                f"{url!r} begins as a host without a scheme; write {'https:' + url!r}, "
                f"or {'*://*:*' + url!r} if the path begins with two slashes",
                id=url,
            )
            for url in ("//api.test/x", "//localhost", "//127.0.0.1:8080?a=1", "//*/x")
        ),
        *(
            pytest.param(
                lambda router, act=act: act(router, "api.test"),
                "'api.test': a URL starts with a scheme, 'https://api.test', or is a path, '/api.test'",
                id=name,
            )
            for name, act in {
                "passthrough": lambda router, url: router.passthrough(url),
                "mount": lambda router, url: router.mount(url, Router()),
                "host": lambda router, url: router.host(url),
            }.items()
        ),
        pytest.param(
            lambda router: router.ws("/a", json={}),
            "json=: a handshake has no body; expect(...) in a script looks at messages",
            id="websocket with a body",
        ),
        pytest.param(
            lambda router: router.ws("/a", protocols=7),
            "protocols= are names; got 7",
            id="protocols of no kind",
        ),
        *(
            pytest.param(
                lambda router, value=value: router.ws("/a", heartbeat=value),
                f"heartbeat= is in seconds, more than 0; got {value!r}",
                id=f"heartbeat {value!r}",
            )
            for value in ("x", 0, True)
        ),
        *(
            pytest.param(
                lambda router, value=value: router.ws("/a", max_msg_size=value),
                f"max_msg_size= is in bytes, 0 for no limit; got {value!r}",
                id=f"max_msg_size {value!r}",
            )
            for value in ("x", -1)
        ),
        pytest.param(
            lambda router: router.mount("https://api.test", of_nothing),
            "mount() puts a Router, an aiohttp web.Application or an ASGI app behind an origin; "
            f"got {of_nothing!r} (one handler goes to a route: router.get(url).serve(handler))",
            id="mount a handler",
        ),
    ],
)
def test_urls_and_methods(act: Callable[[Any], object], message: str) -> None:
    """A complaint is about what was written, and says what to write."""
    assert message == refusal(lambda: act(Router()))


def test_a_path_that_begins_with_two_slashes() -> None:
    """What follows two slashes and cannot be a host is a path; what can be is one behind an origin."""
    router = Router()
    for url in ("//a", "//{name}.html", "*://*:*//index.html"):
        router.get(url)

    assert 3 == len(router.routes)


@pytest.mark.parametrize(
    ("ask", "question"),
    [
        (lambda router: router.assert_any_call("/a"), "assert_any_call"),
        (lambda router: router.assert_called_with("/a"), "assert_called_with"),
        (lambda router: router.assert_called_once_with("/a"), "assert_called_once_with"),
        (lambda router: router.calls.where("/a"), "where"),
        (lambda router: router.calls.one("/a"), "one"),
    ],
)
def test_question_without_names(ask: Callable[[Any], object], question: str) -> None:
    """What is asked of a call has a name."""
    assert (
        f"{question}('/a'): what is asked of a call has its name, as in "
        f"{question}(method='GET', url='/users', json={{...}})"
    ) == refusal(lambda: ask(Router()))


@pytest.mark.parametrize(
    ("around", "message"),
    [
        pytest.param(7, "around_requests() takes an async function of a call; got 7", id="number"),
        pytest.param(
            of_nothing,
            f"around_requests(): {place_of(of_nothing)} is not async; it takes async def around(call)",
            id="plain function",
        ),
        pytest.param(
            coroutine_function,
            f"around_requests(): {place_of(coroutine_function)} is called with the call: {TOO_MANY}",
            id="takes nothing",
        ),
    ],
)
def test_around_requests(around: Any, message: str) -> None:
    """What cannot be asked for a call is refused before any is made."""
    assert message == refusal(lambda: around_requests(around))
