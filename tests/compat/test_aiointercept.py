"""`aiotest_kit.compat.aiointercept`: what the documentation of aiointercept 1.0 says, through both doors."""

from __future__ import annotations

import asyncio
import http.client
import logging
import re
import threading
import urllib.request
from collections.abc import AsyncIterator, Callable
from typing import Any
from unittest.mock import ANY

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from yarl import URL

from aiotest_kit.compat.aiointercept import AiointerceptRequest, CallbackResult, MockResponse, aiointercept
from aiotest_kit.compat.aiointercept.compat import merge_params, normalize_host, normalize_url

HOST = "https://api.test"


class Opened:
    """An open mock, the origin that it answers, and a session."""

    def __init__(self, mock: aiointercept, origin: str, session: aiohttp.ClientSession) -> None:
        self.mock = mock
        self.origin = origin
        self.session = session

    async def get(self, path: str = "/x", **options: Any) -> aiohttp.ClientResponse:
        return await self.session.get(f"{self.origin}{path}", **options)

    async def post(self, path: str = "/x", **options: Any) -> aiohttp.ClientResponse:
        return await self.session.post(f"{self.origin}{path}", **options)


@pytest.fixture(params=["memory", "loopback"])
async def opened(request: pytest.FixtureRequest) -> AsyncIterator[Opened]:
    external = request.param == "memory"
    async with aiointercept(mock_external_urls=external) as mock, aiohttp.ClientSession() as session:
        yield Opened(mock, HOST if external else mock.server_url, session)


@pytest.fixture
async def memory() -> AsyncIterator[Opened]:
    async with aiointercept(True) as mock, aiohttp.ClientSession() as session:
        yield Opened(mock, HOST, session)


@pytest.fixture
async def real() -> AsyncIterator[str]:
    """The origin of a real server, by a name that is looked up."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=f"real {request.path_qs}")

    app = web.Application()
    app.router.add_route("*", "/{_:.*}", answer)
    async with TestServer(app) as server:
        yield f"http://localhost:{server.port}"


# What is answered.


@pytest.mark.parametrize(
    ("options", "status", "body", "content_type"),
    [
        pytest.param({}, 200, b"", "application/json", id="nothing"),
        pytest.param({"body": "é"}, 200, "é".encode(), "application/json", id="text"),
        pytest.param({"body": b"\x95"}, 200, b"\x95", "application/json", id="bytes"),
        pytest.param({"json": {"a": 1}, "body": "b"}, 200, b'{"a": 1}', "application/json", id="json"),
        pytest.param({"payload": [1]}, 200, b"[1]", "application/json", id="payload"),
        pytest.param({"json": {}, "payload": [1]}, 200, b"{}", "application/json", id="json before payload"),
        pytest.param({"status": 404, "content_type": "text/html"}, 404, b"", "text/html", id="content type"),
        pytest.param(
            {"headers": {"content-type": "text/css"}, "body": "a"}, 200, b"a", "text/css", id="as header"
        ),
        pytest.param({"status": 204, "payload": {}}, 204, b"", "application/json", id="no content"),
    ],
)
async def test_add(
    opened: Opened, options: dict[str, object], status: int, body: bytes, content_type: str
) -> None:
    """A registration says status, body and content type, as the library documents its defaults."""
    opened.mock.get(f"{opened.origin}/x", **options)

    response = await opened.get()

    assert (status, body) == (response.status, await response.read())
    assert content_type == response.headers["Content-Type"]


async def test_reason_and_headers(opened: Opened) -> None:
    """The reason and further headers arrive as given."""
    opened.mock.post(f"{opened.origin}/x", reason="All good", headers={"X-A": "b", "Set-Cookie": "c=d"})

    response = await opened.post()

    assert ("All good", "b") == (response.reason, response.headers["X-A"])
    assert "d" == response.cookies["c"].value


@pytest.mark.parametrize("verb", ["get", "post", "put", "patch", "delete", "head", "options"])
async def test_verbs(opened: Opened, verb: str) -> None:
    """Each verb answers its method, and returns what counts its calls."""
    registered = getattr(opened.mock, verb)(f"{opened.origin}/x", status=201)

    response = await opened.session.request(verb, f"{opened.origin}/x")

    assert 201 == response.status
    assert isinstance(registered, MockResponse)
    assert 1 == registered.call_count


@pytest.mark.parametrize(
    ("repeat", "times"),
    [(False, 1), (0, 1), (1, 1), (3, 3)],
    ids=["false", "zero", "one", "three"],
)
async def test_repeat(opened: Opened, repeat: bool | int, times: int) -> None:
    """It answers as often as said; after that the connection is closed."""
    registered = opened.mock.post(f"{opened.origin}/x", repeat=repeat)

    for _ in range(times):
        assert 200 == (await opened.post()).status
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await opened.post()

    assert (times, times + 1) == (registered.call_count, opened.mock.call_count)


async def test_queue(opened: Opened) -> None:
    """Registrations of one URL answer in turn, each counting its own; one for ever takes their place."""
    url = f"{opened.origin}/x"
    first = opened.mock.get(url, status=201, repeat=2)
    second = opened.mock.get(url, status=202)

    assert [201, 201, 202] == [(await opened.get()).status for _ in range(3)]
    assert (2, 1) == (first.call_count, second.call_count)

    third = opened.mock.get(url, status=203)
    assert 203 == (await opened.get()).status
    opened.mock.get(url, status=204)
    forever = opened.mock.get(url, status=205, repeat=True)
    assert [205, 205] == [(await opened.get()).status for _ in range(2)]
    assert (1, 2) == (third.call_count, forever.call_count)


async def test_which_answers(opened: Opened) -> None:
    """What is registered for a URL goes before a pattern, an older pattern before a newer."""
    origin = re.escape(opened.origin)
    opened.mock.get(re.compile(rf"{origin}/\w+"), status=201, repeat=2)
    opened.mock.get(re.compile(rf"{origin}/x$"), status=202, repeat=True)
    opened.mock.get(f"{opened.origin}/x", status=203)

    assert [203, 201, 201, 202] == [(await opened.get()).status for _ in range(4)]
    with pytest.raises(aiohttp.ClientConnectionError):
        await opened.get("/other")


@pytest.mark.parametrize(
    ("registered", "asked", "is_match"),
    [
        ("/x?a=1&b=2", "/x?b=2&a=1", True),
        ("/x?a=1", "/x?a=2", False),
        ("/x", "/x?a=1", False),
        ("/x?a=1", "/x", False),
        ("/x#top", "/x", True),
        ("", "/", True),
        ("/{id}", "/{id}", True),
        ("/{id}", "/7", False),
    ],
)
async def test_matching(opened: Opened, registered: str, asked: str, is_match: bool) -> None:
    """A URL is compared whole, its parameters in any order, without its fragment."""
    opened.mock.post(f"{opened.origin}{registered}")

    if is_match:
        assert 200 == (await opened.post(asked)).status
    else:
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await opened.post(asked)


async def test_url_objects_and_hosts_with_a_dot(memory: Opened) -> None:
    """A `yarl.URL` is as good as text, and a fully qualified host is the same host."""
    memory.mock.get(URL("https://api.test./x"), repeat=True)

    assert 200 == (await memory.session.get("https://api.test./x")).status
    assert 200 == (await memory.session.get("https://api.test/x")).status


async def test_bare_addresses_are_answered(memory: Opened) -> None:
    """Which aiointercept cannot; and other ports of this machine are left to what is there."""
    memory.mock.get("http://192.0.2.7/x", status=201)
    memory.mock.get("http://127.0.0.1:9/x", status=202)

    assert 201 == (await memory.session.get("http://192.0.2.7/x")).status
    assert 202 == (await memory.session.get("http://127.0.0.1:9/x")).status
    with pytest.raises(aiohttp.ClientConnectorError):
        await memory.session.get("http://127.0.0.1:10/x")


async def test_exception(opened: Opened, caplog: pytest.LogCaptureFixture) -> None:
    """Any exception closes the connection, once for each call; only True is not warned of."""
    plain = opened.mock.get(f"{opened.origin}/x", exception=True, repeat=2)
    assert [] == caplog.messages
    opened.mock.get(f"{opened.origin}/y", exception=ValueError("boom"))
    assert ["exception=ValueError('boom') closes the connection, whatever it is; write exception=True"] == (
        caplog.messages
    )

    for path in ("/x", "/x", "/y"):
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await opened.get(path, data=b"sent")
    assert 2 <= plain.call_count <= 4  # aiohttp sends a GET again, which only the memory door can tell
    last = opened.mock.last_request
    assert last is not None
    assert b"sent" == last.captured_body


async def test_exception_is_one_call_in_memory(memory: Opened) -> None:
    """A GET that aiohttp silently sends again is one call, and meets the same answer."""
    lost = memory.mock.get(f"{HOST}/x", exception=True)
    after = memory.mock.get(f"{HOST}/x", status=201)

    with pytest.raises(aiohttp.ServerDisconnectedError):
        await memory.get()

    assert (1, 0, 1) == (lost.call_count, after.call_count, memory.mock.call_count)


async def test_stream(opened: Opened) -> None:
    """An async iterable is sent chunk by chunk; it is used up by that."""

    async def pieces() -> AsyncIterator[bytes]:
        for piece in (b"first", b"second"):
            yield piece

    opened.mock.get(f"{opened.origin}/x", body=pieces(), content_type="text/event-stream", repeat=2)

    response = await opened.get()
    assert "chunked" == response.headers["Transfer-Encoding"]
    assert "text/event-stream" == response.content_type
    assert b"firstsecond" == await response.read()
    assert b"" == await (await opened.get()).read()


async def test_redirect(memory: Opened) -> None:
    """A redirect is followed by the client, to another stub."""
    memory.mock.get(f"{HOST}/x", status=307, headers={"Location": "../y"})
    memory.mock.get(f"{HOST}/y", body="there")

    response = await memory.get()

    assert "there" == await response.text()
    assert [307] == [hop.status for hop in response.history]


# Callbacks.


async def test_callback_is_given_the_request(opened: Opened) -> None:
    """The URL is normalized, with its true scheme; a parameter has all its values."""
    seen: dict[str, object] = {}

    def callback(url: URL, **kwargs: object) -> CallbackResult:
        seen.update(kwargs, url=url)
        return CallbackResult(status=202, payload={"ok": True}, headers={"X-A": "b"}, reason="Fine")

    opened.mock.post(re.compile(re.escape(f"{opened.origin}/x")), callback=callback)
    response = await opened.post("/x?b=2&a=1&a=0#top", json={"c": 3})

    assert URL(f"{opened.origin}/x?a=0&a=1&b=2") == seen["url"]
    assert {"a": ["1", "0"], "b": ["2"]} == seen["query"]
    assert ({"c": 3}, b'{"c": 3}') == (seen["json"], seen["data"])
    assert "application/json" == seen["headers"]["Content-Type"]  # type: ignore[index]
    assert (202, "Fine", "b", {"ok": True}) == (
        response.status,
        response.reason,
        response.headers["X-A"],
        await response.json(),
    )


@pytest.mark.parametrize(
    ("result", "body", "content_type"),
    [
        pytest.param(CallbackResult(body="a"), b"a", "application/json", id="text"),
        pytest.param(CallbackResult(body=b"\x80", content_type="x/y"), b"\x80", "x/y", id="bytes"),
        pytest.param(CallbackResult(body="a", headers={"Content-type": "x/y"}), b"a", "x/y", id="header"),
        pytest.param(CallbackResult(body="a", content_type=None), b"a", None, id="no content type"),
        pytest.param(CallbackResult(status=304, payload=1), b"", "application/json", id="no body"),
    ],
)
async def test_callback_result(
    opened: Opened, result: CallbackResult, body: bytes, content_type: str | None
) -> None:
    """What a callback returns is sent as it says."""
    opened.mock.get(f"{opened.origin}/x", callback=lambda url, **kwargs: result)

    response = await opened.get()

    assert (result.status, body) == (response.status, await response.read())
    assert content_type == response.headers.get("Content-Type")


async def test_callback_with_a_stream(opened: Opened) -> None:
    """The pieces of an async iterable are sent as one body."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b"a"
        yield b"b"

    opened.mock.get(f"{opened.origin}/x", callback=lambda url, **kwargs: CallbackResult(body=pieces()))

    assert b"ab" == await (await opened.get()).read()


async def test_async_callback_runs_where_it_was_registered(opened: Opened) -> None:
    """It may wait for what the test does, also when a client on another loop asks."""
    loops: list[object] = []
    entered, release = asyncio.Semaphore(0), asyncio.Event()

    async def callback(url: URL, **kwargs: object) -> CallbackResult:
        loops.append(asyncio.get_running_loop())
        entered.release()
        await release.wait()
        return CallbackResult(body="released")

    opened.mock.get(f"{opened.origin}/x", callback=callback, repeat=True)

    async def elsewhere() -> str:
        async with aiohttp.ClientSession() as session:
            return await (await session.get(f"{opened.origin}/x")).text()

    here = asyncio.create_task(opened.get())
    there = asyncio.create_task(asyncio.to_thread(asyncio.run, elsewhere()))
    for _ in range(2):
        await entered.acquire()
    release.set()

    assert ("released", "released") == (await (await here).text(), await there)
    assert [asyncio.get_running_loop()] * 2 == loops


# What is recorded.


async def test_requests(opened: Opened) -> None:
    """Requests are there by method and normalized URL, and in order; those that nothing answered, too."""
    mock = opened.mock
    mock.get(f"{opened.origin}/x?b=2&a=1")
    await opened.get("/x?b=2&a=1")
    with pytest.raises(aiohttp.ClientConnectionError):
        await opened.post("/y", data="sent")

    keys = [("GET", URL(f"{opened.origin}/x?a=1&b=2")), ("POST", URL(f"{opened.origin}/y"))]
    assert keys == list(mock.requests) == [key for key, _ in mock.ordered_requests]
    assert 2 == mock.call_count
    assert mock.last_request is mock.ordered_requests[-1][1] is mock.requests[keys[1]][0]


async def test_what_stays(opened: Opened) -> None:
    """`clear` forgets all; the end forgets what is registered, a new start what is recorded."""
    mock = opened.mock
    mock.get(f"{opened.origin}/x")
    await opened.get()
    mock.clear()
    assert (0, {}, {}, None) == (mock.call_count, mock.requests, mock.handlers, mock.last_request)

    mock.get(f"{opened.origin}/x")
    await opened.get()
    await mock.stop()
    assert (1, {}) == (mock.call_count, mock.handlers)

    await mock.start()
    assert (0, []) == (mock.call_count, mock.ordered_requests)


async def test_request(opened: Opened) -> None:
    """A recorded request is read as an `aiohttp.web.Request`, at any time."""
    url = URL(f"{opened.origin}/a%20b?c=d&c=e")
    opened.mock.post(url)
    form = aiohttp.FormData({"name": "Ada"})
    form.add_field("file", b"content", filename="a.txt", content_type="text/plain")
    await opened.session.post(url, data=form, cookies={"k": "v"}, headers={"X-A": "b"})

    request = opened.mock.last_request

    assert isinstance(request, AiointerceptRequest)
    assert f"<AiointerceptRequest POST {url} >".replace(str(url), "/a b") == repr(request)
    assert ("POST", url, url.relative(), url) == (
        request.method,
        request.url,
        request.rel_url,
        request.canonical_url.with_query(url.query),
    )
    assert (url.scheme, url.scheme == "https", url.authority.removesuffix(":443")) == (
        request.scheme,
        request.secure,
        request.host,
    )
    assert ("/a b", "/a%20b?c=d&c=e", "/a%20b?c=d&c=e") == (request.path, request.path_qs, request.raw_path)
    assert (["d", "e"], "c=d&c=e") == (request.query.getall("c"), request.query_string)
    assert ("b", {"k": "v"}) == (request.headers["x-a"], request.cookies)
    assert (b"X-A", b"b") in request.raw_headers
    assert "127.0.0.1" == request.remote
    assert ("multipart/form-data", len(await request.read())) == (
        request.content_type,
        request.content_length,
    )
    assert (True, True) == (request.body_exists, request.can_read_body)
    fields = await request.post()
    file = fields["file"]
    assert "Ada" == fields["name"]
    assert isinstance(file, web.FileField)
    assert ("a.txt", "text/plain", b"content") == (file.filename, file.content_type, file.file.read())


@pytest.mark.parametrize(
    ("sent", "body", "json"),
    [
        pytest.param({}, None, None, id="none"),
        pytest.param({"json": {"a": 1}}, b'{"a": 1}', {"a": 1}, id="json"),
        pytest.param({"json": {"a": 1}, "compress": True}, b'{"a": 1}', {"a": 1}, id="compressed"),
        pytest.param({"data": b"{not json"}, b"{not json", None, id="not json"),
        pytest.param({"data": {"a": "b"}}, b"a=b", None, id="form"),
    ],
)
async def test_body_of_a_request(
    opened: Opened, sent: dict[str, Any], body: bytes | None, json: object
) -> None:
    """The body is there as bytes, None for none; `kwargs` has it as JSON, if it is that."""
    opened.mock.post(f"{opened.origin}/x")
    await opened.post(**sent)

    request = opened.mock.last_request

    assert request is not None
    assert (body, body) == (request.captured_body, request.kwargs["data"])
    assert json == request.kwargs["json"]
    assert (body or b"") == await request.read()
    assert (body or b"").decode() == await request.text()
    if json is not None:
        assert json == await request.json()


def test_request_without_what_it_may_lack() -> None:
    """No `Host`, no content type and no length are what aiohttp makes of them."""
    from aiotest_kit import Origin, Request

    request = AiointerceptRequest(Request("GET", Origin("http", "api.test", 81), "/x"))

    assert (URL("http://api.test:81/x"), "api.test:81") == (request.url, request.host)
    assert ("application/octet-stream", None) == (request.content_type, request.content_length)


# Assertions.


async def test_assertions_that_hold(opened: Opened) -> None:
    """Each assertion passes where it should; headers are some of those sent, unless `strict_headers`."""
    mock, url = opened.mock, f"{opened.origin}/x"
    mock.assert_not_called()
    mock.post(f"{url}?a=1", repeat=True)
    await opened.post("/x", params={"a": 1}, data={"f": "g"}, headers={"X-A": "b"})

    mock.assert_called()
    mock.assert_called_once()
    mock.assert_any_call(url, "post", params={"a": "1"})
    mock.assert_called_once_with(f"{url}?a=1", method="POST", data={"f": "g"}, headers={"x-a": "b"})
    mock.assert_called_with(f"{url}?a=1", "POST", data="f=g", headers=ANY)
    mock.assert_called_with(f"{url}?a=1", "POST", data=b"f=g", json=ANY)
    mock.assert_called_with(f"{url}?a=1", "POST", data=ANY)
    sent = dict(mock.requests["POST", URL(f"{url}?a=1")][-1].headers)
    mock.assert_called_with(f"{url}?a=1", "POST", headers=sent, strict_headers=True)

    await opened.post("/x?a=1", json={"a": [1]})
    mock.assert_called_with(f"{url}?a=1", "POST", json={"a": [1]})


FAILURES: dict[str, tuple[Callable[[aiointercept], None], str, str]] = {
    "json": (
        lambda mock: mock.assert_called_with(f"{HOST}/json", "POST", json={"x": 2}),
        "JSON body mismatch: expected {'x': 2}, got {'x': 1}",
        "- {'x': 2}\n?       ^\n+ {'x': 1}\n?       ^",
    ),
    "no json": (
        lambda mock: mock.assert_called_with(f"{HOST}/data", "POST", json={"x": 2}),
        "Expected JSON body, got non-JSON body: expected {'x': 2}, got a=b",
        "- {'x': 2}\n+ a=b",
    ),
    "body": (
        lambda mock: mock.assert_called_with(f"{HOST}/data", "POST", data=b"a=c"),
        "Body mismatch: expected a=c, got a=b",
        "- a=c\n+ a=b",
    ),
    "no body": (
        lambda mock: mock.assert_called_with(f"{HOST}/", data="a"),
        "Body mismatch: expected a, got",
        "- a\n+",
    ),
    "form": (
        lambda mock: mock.assert_called_with(f"{HOST}/data", "POST", data={"a": "c"}),
        "Form-encoded body mismatch: expected {'a': ['c']}, got {'a': ['b']}",
        "- {'a': ['c']}\n?         ^\n+ {'a': ['b']}\n?         ^",
    ),
    "form of json": (
        lambda mock: mock.assert_called_with(f"{HOST}/json", "POST", data={"a": "c"}),
        "data=dict assertion requires Content-Type: application/x-www-form-urlencoded, "
        "got 'application/json'. Use json= for JSON bodies.",
        "",
    ),
    "header": (
        lambda mock: mock.assert_called_with(f"{HOST}/", headers={"X-A": "c"}),
        "Header 'X-A': expected 'c', got 'b'",
        "",
    ),
    "all headers": (
        lambda mock: mock.assert_called_with(f"{HOST}/", headers={"X-A": "b"}, strict_headers=True),
        "Headers mismatch: expected {'X-A': 'b'}, got {'Host': 'api.test', 'X-A': 'b'}",
        "- {'X-A': 'b'}\n+ {'Host': 'api.test', 'X-A': 'b'}",
    ),
    "another url": (
        lambda mock: mock.assert_called_with(f"{HOST}/jsn", "post"),
        "No calls to POST https://api.test/jsn\nDid you mean one of:\n"
        "  - POST https://api.test/json\n  - POST https://api.test/data\n  - GET https://api.test/",
        "",
    ),
    "any call": (
        lambda mock: mock.assert_any_call(HOST, "PUT", params={"a": "b"}),
        "No calls to PUT https://api.test/?a=b\nDid you mean one of:\n"
        "  - GET https://api.test/\n  - POST https://api.test/data\n  - POST https://api.test/json",
        "",
    ),
    "once": (aiointercept.assert_called_once, "Expected exactly 1 call, got 3.", ""),
    "once with": (
        lambda mock: mock.assert_called_once_with(HOST),
        "Expected exactly 1 call, got 3.",
        "",
    ),
    "not called": (aiointercept.assert_not_called, "Expected no calls, got 3", ""),
}


@pytest.mark.parametrize(("check", "message", "note"), FAILURES.values(), ids=FAILURES)
async def test_assertions_that_fail(
    memory: Opened, check: Callable[[aiointercept], None], message: str, note: str
) -> None:
    """A failure says in a line what was expected, and has the diff beside it."""
    memory.mock.add(re.compile(HOST), repeat=True)
    memory.mock.add(re.compile(HOST), "POST", repeat=True)
    await memory.get("/", headers={"X-A": "b"}, skip_auto_headers=["Accept", "Accept-Encoding", "User-Agent"])
    await memory.post("/data", data={"a": "b"})
    await memory.post("/json", json={"x": 1})

    with pytest.raises(AssertionError) as caught:
        check(memory.mock)

    said = "\n".join([str(caught.value), *getattr(caught.value, "__notes__", [])])
    assert "\n".join(filter(None, [message, note])) == "\n".join(map(str.rstrip, said.split("\n")))


async def test_assertions_without_calls(memory: Opened) -> None:
    """Nothing recorded is said as such."""
    with pytest.raises(AssertionError, match=r"Expected at least one call, got none\."):
        memory.mock.assert_called()
    with pytest.raises(AssertionError) as caught:
        memory.mock.assert_any_call(f"{HOST}/x")
    assert "No calls to GET https://api.test/x\nNo requests were recorded." == str(caught.value)


async def test_long_values_are_shortened(memory: Opened) -> None:
    """Neither a long line nor many lines make a long report."""
    memory.mock.post(HOST, repeat=True)
    await memory.post("", data=b"a" * 5000)
    with pytest.raises(AssertionError, match=r"Body mismatch: expected b+") as caught:
        memory.mock.assert_called_with(HOST, "POST", data=b"b" * 5000)
    said = "\n".join([str(caught.value), *getattr(caught.value, "__notes__", [])])
    assert 1 == said.count("a" * 200 + " …(line truncated)")
    assert len(said) < 2000

    await memory.post("", data="a\n" * 100)
    with pytest.raises(AssertionError) as caught:
        memory.mock.assert_called_with(HOST, "POST", data="b\n" * 100)
    said = "\n".join([str(caught.value), *getattr(caught.value, "__notes__", [])])
    assert said.endswith("... (diff truncated; values too large to show in full)")


def test_values_that_look_alike() -> None:
    """Where the texts are the same, the report says to look at the types."""
    from aiotest_kit.compat.aiointercept._assertions import mismatch

    error = mismatch("Body mismatch", "a", b"a")

    said = "\n".join([str(error), *getattr(error, "__notes__", [])])
    assert "Body mismatch: expected a, got a\n  a" == said


async def test_unknown_keywords_are_warned_of(memory: Opened) -> None:
    """They mean nothing, as in the library."""
    memory.mock.get(HOST)
    await memory.get("")
    with pytest.warns(DeprecationWarning, match="Passing extra parameters to assert_called_with"):
        memory.mock.assert_called_with(HOST, timeout=1)
    with pytest.warns(DeprecationWarning, match="Passing extra parameters to aiointercept"):
        aiointercept(loop=None)


# What nothing answers.


UNMATCHED = {
    "used up": (
        lambda mock: mock.post(f"{HOST}/x"),
        "aiointercept: no handler for POST https://api.test/x — all registered handlers for this method+url "
        "have already been consumed (finite repeat exhausted)",
    ),
    "another method": (
        lambda mock: mock.get(f"{HOST}/x"),
        "aiointercept: no matching handler — closest registered (diff):\n"
        "- POST https://api.test/x\n? ^^^\n+ GET https://api.test/x\n? ^^",
    ),
    "only patterns": (
        lambda mock: [mock.get(f"{HOST}/y"), mock.handlers.clear(), mock.get(re.compile("http://b"))],
        "aiointercept: no handler for POST https://api.test/x — no exact handlers; "
        "registered patterns: ['http://b']",
    ),
    "nothing": (
        lambda mock: [mock.get(f"{HOST}/y"), mock.handlers.clear()],
        "aiointercept: no handler for POST https://api.test/x — no handlers registered.",
    ),
}


@pytest.mark.parametrize(("register", "message"), UNMATCHED.values(), ids=UNMATCHED)
async def test_log_says_what_came_nearest(
    memory: Opened,
    caplog: pytest.LogCaptureFixture,
    register: Callable[[aiointercept], object],
    message: str,
) -> None:
    """Under the library's own logger, as suites read it."""
    register(memory.mock)
    with caplog.at_level(logging.WARNING, logger="aiointercept.core"):
        while not caplog.messages:
            try:
                await memory.post()
            except aiohttp.ServerDisconnectedError:
                break

    assert [message] == caplog.messages


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "url", ["http://api.test/", "https://api.test/", "http://192.0.2.1/", "http://localhost:9/"]
)
@pytest.mark.parametrize(
    "registered",
    [
        pytest.param(None, id="nothing"),
        pytest.param("http://api.test/x", id="the host"),
        pytest.param("http://other.test/", id="another host"),
        pytest.param(re.compile(r"http://api\.test/x$"), id="a pattern"),
    ],
)
async def test_unmatched(
    memory: Opened,
    registered: Any,
    url: str,
    method: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The connection is dropped, whatever is registered; the log says what came nearest."""
    if registered is not None:
        memory.mock.get(registered)

    with pytest.raises(aiohttp.ServerDisconnectedError, match="Server disconnected"):
        await memory.session.request(method, url, data=b"sent")

    assert [(method, URL(url))] == [key for key, _ in memory.mock.ordered_requests]
    assert 1 == len(caplog.messages)
    assert caplog.messages[0].startswith("aiointercept: no ")


async def test_unmatched_by_another_client(memory: Opened) -> None:
    """The server drops the connection, too."""
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        urllib.request.urlopen(memory.mock.server_url)  # noqa: ASYNC210  # that it blocks is the point


@pytest.mark.parametrize(
    ("url", "options", "error", "message"),
    [
        pytest.param("/x", {}, ValueError, "Cannot extract host from URL('/x')", id="no host"),
        pytest.param(f"{HOST}/y", {"repeat": -1}, ValueError, "repeat must be at least 1", id="negative"),
        pytest.param(
            f"{HOST}/x",
            {},
            ValueError,
            "Existing handler for https://api.test/x GET has repeat=True, cannot add more handlers to it.",
            id="after one for ever",
        ),
        pytest.param(
            re.compile("a"),
            {},
            ValueError,
            "Existing handler for re.compile('a') GET has repeat=True, cannot add more handlers to it.",
            id="after a pattern for ever",
        ),
    ],
)
async def test_refused_registrations(
    memory: Opened, url: str, options: dict[str, object], error: type[Exception], message: str
) -> None:
    """What cannot work is refused when it is registered."""
    memory.mock.get(f"{HOST}/x", repeat=True)
    memory.mock.get(re.compile("a"), repeat=True)

    with pytest.raises(error) as caught:
        memory.mock.get(url, **options)

    assert message == str(caught.value)


async def test_not_started() -> None:
    """Before the start nothing can be registered; without mocked sessions nothing can be let out."""
    mock = aiointercept(True)
    assert mock.server is None
    with pytest.raises(RuntimeError, match="Server not started"):
        mock.get(HOST)
    with pytest.raises(ValueError, match="passthrough_unmatched=True requires mock_external_urls=True"):
        aiointercept(passthrough_unmatched=True)


# What goes out.


async def test_passthrough_hosts(real: str) -> None:
    """A host that is let out is real, but for what is registered there."""
    async with aiointercept(True, passthrough=[f"{real}/any"]) as mock, aiohttp.ClientSession() as session:
        mock.get(f"{HOST}/x", body="stub")
        assert "real /a" == await (await session.get(f"{real}/a")).text()
        assert "stub" == await (await session.get(f"{HOST}/x")).text()
        mock.clear()
        assert "real /b" == await (await session.get(f"{real}/b")).text()
    assert 0 == mock.call_count


async def test_passthrough_of_what_is_unmatched(real: str) -> None:
    """All that is not registered is real: other hosts, other paths, and what is used up."""
    async with (
        aiointercept(True, passthrough_unmatched=True) as mock,
        aiohttp.ClientSession() as session,
    ):
        mock.get(f"{real}/a?b=c", body="stub")
        mock.get(f"{real}/other")
        mock.get(re.compile(f"{real}/d"), body="stub")
        answers = [
            await (await session.get(f"{real}{path}")).text()
            for path in ("/a?b=c", "/a?b=c", "/a", "/d", "/d", "/e")
        ]

    assert ["stub", "real /a?b=c", "real /a", "stub", "real /d", "real /e"] == answers


async def test_bare_address_goes_out(real: str) -> None:
    """A pattern that does not match does not keep a call from this machine's own servers."""
    address = real.replace("localhost", "127.0.0.1")
    async with aiointercept(True) as mock, aiohttp.ClientSession() as session:
        mock.get(re.compile(r"^http://api\.test/"))
        assert "real /" == await (await session.get(address)).text()


# Ways to use it.


async def test_decorator() -> None:
    """The mock is the last argument, the first after `self`, or has the name that was asked for."""

    class Case:
        @aiointercept(True)
        async def method(self, mock: aiointercept, extra: int) -> tuple[object, ...]:
            return self, mock.call_count, extra

    @aiointercept(True)
    async def function(value: int, mock: aiointercept) -> tuple[object, ...]:
        return value, mock.call_count

    @aiointercept(True, param="server")
    async def named(*, server: aiointercept) -> int:
        return server.call_count

    case = Case()
    assert (case, 0, 5) == await case.method(5)
    assert (4, 0) == await function(4)
    assert (4, 0) == await function(4)
    assert 0 == await named()


async def test_nested() -> None:
    """Each answers what is registered with it."""
    async with (
        aiointercept(True) as outer,
        aiointercept(True) as inner,
        aiohttp.ClientSession() as session,
    ):
        outer.get("http://outer.test/", body="outer")
        inner.get("http://inner.test/", body="inner")

        assert "outer" == await (await session.get("http://outer.test/")).text()
        assert "inner" == await (await session.get("http://inner.test/")).text()
        assert (1, 1) == (outer.call_count, inner.call_count)


async def test_any_client(opened: Opened) -> None:
    """`server_url` is a real server, for blocking clients as well; in memory it is made when asked for."""
    server = opened.mock
    url = f"{server.server_url}/x"
    assert server.server is not None
    assert f"http://{server.server_host}:{server.server_port}/x" == url
    server.get(url, payload={"ok": True}, repeat=True)

    with urllib.request.urlopen(url) as response:  # noqa: ASYNC210  # that it blocks is the point
        assert b'{"ok": true}' == response.read()
    assert {"ok": True} == await (await opened.session.get(url)).json()
    server.assert_any_call(url)
    assert 2 == server.call_count


async def test_caller_may_block(memory: Opened) -> None:
    """A client on a loop of its own is answered while the test blocks this one."""
    memory.mock.get(f"{HOST}/x", body="served")
    answers: list[str] = []

    async def ask() -> None:
        async with aiohttp.ClientSession() as session:
            answers.append(await (await session.get(f"{HOST}/x")).text())

    thread = threading.Thread(target=asyncio.run, args=(ask(),))
    thread.start()
    thread.join()  # that it blocks is the point

    assert ["served"] == answers


FIXTURES = """
    import aiohttp
    import pytest

    async def ask(url):
        async with aiohttp.ClientSession() as session:
            async with session.get(url) as response:
                return await response.text()

    def test_sync(aiointercept_mock):
        assert aiointercept_mock.handlers == {}
        aiointercept_mock.get(f"{aiointercept_mock.server_url}/a", body="a")

    async def test_async(aiointercept_mock, aiointercept_server):
        assert aiointercept_mock is aiointercept_server
        assert aiointercept_mock.handlers == {}
        aiointercept_mock.get(f"{aiointercept_mock.server_url}/a", body="a")
        assert await ask(f"{aiointercept_mock.server_url}/a") == "a"

    @pytest.mark.asyncio(loop_scope="module")
    async def test_wider_loop(aiointercept_mock):
        async def callback(url, **kwargs):
            return aiointercept.CallbackResult(body="b")

        import aiotest_kit.compat.aiointercept as aiointercept
        assert aiointercept_mock.call_count == 0
        aiointercept_mock.get(f"{aiointercept_mock.server_url}/b", callback=callback)
        assert await ask(f"{aiointercept_mock.server_url}/b") == "b"
"""


def test_fixtures(pytester: pytest.Pytester) -> None:
    """One server for the session, cleared after each test, whatever loop that runs on."""
    pytester.makeini("[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n")
    pytester.makeconftest('pytest_plugins = ["aiotest_kit.compat.aiointercept"]')
    pytester.makepyfile(FIXTURES)

    result = pytester.runpytest_inprocess()

    result.assert_outcomes(passed=3)


# URLs.


@pytest.mark.parametrize(
    ("url", "normalized"),
    [
        ("http://a.test", "http://a.test/"),
        ("http://a.test./x#y", "http://a.test/x"),
        ("http://a.test/?b=2&a=1&b=1", "http://a.test/?a=1&b=1&b=2"),
        ("http://a.test/?v=путь&w=a%2Fb", "http://a.test/?v=%D0%BF%D1%83%D1%82%D1%8C&w=a/b"),
        ("/x?b=1&a=2", "/x?a=2&b=1"),
    ],
)
def test_normalize_url(url: str, normalized: str) -> None:
    """Two spellings of a URL are one."""
    assert URL(normalized) == normalize_url(url) == normalize_url(URL(url))


def test_merge_params() -> None:
    """Parameters are added behind those that are there; none change nothing."""
    assert URL("http://a.test/?a=1&b=2") == merge_params("http://a.test/?a=1", {"b": "2"})
    assert URL("http://a.test/?a=1") == merge_params(URL("http://a.test/?a=1"), {})
    assert "a.test" == normalize_host("a.test.")
