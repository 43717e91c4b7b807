"""`aiotest_kit.compat.aresponses`: what the documentation of aresponses 3.0 says."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import AsyncIterator
from typing import Any
from unittest.mock import Mock

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from aiotest_kit.compat.aresponses import Response, ResponsesMockServer
from aiotest_kit.compat.aresponses.errors import (
    AresponsesAssertionError,
    NoRouteFoundError,
    UnorderedRouteCallError,
    UnusedRouteError,
)
from aiotest_kit.compat.aresponses.main import RawResponse, Route, RoutingLog, send_raw
from aiotest_kit.compat.aresponses.utils import ANY, text_matches
from tests.support.aiohttps import HAS_C_PARSER

URL = "http://api.test/a"


@pytest.fixture
async def server() -> AsyncIterator[ResponsesMockServer]:
    async with ResponsesMockServer() as server:
        yield server


@pytest.fixture
async def real() -> AsyncIterator[str]:
    """The origin of a real server on 127.0.0.1."""

    async def answer(request: web.Request) -> web.Response:
        text = f"real {request.method} {await request.text()}"
        return web.Response(text=text, status=203, headers={"X-A": "b"}, content_type="text/css")

    app = web.Application()
    app.router.add_route("*", "/{_:.*}", answer)
    async with TestServer(app) as server:
        yield f"http://127.0.0.1:{server.port}"


async def answered(session: aiohttp.ClientSession, url: str = URL, **options: Any) -> tuple[int, str]:
    async with session.get(url, **options) as response:
        return response.status, await response.text()


# What is answered.


async def async_handler(request: web.BaseRequest) -> web.Response:
    await asyncio.sleep(0)
    return web.Response(text=await request.text(), status=201)


@pytest.mark.parametrize(
    ("response", "status", "text", "content_type"),
    [
        pytest.param("text", 200, "text", "text/plain", id="text"),
        pytest.param({"a": 1}, 200, '{"a": 1}', "application/json", id="dict"),
        pytest.param([1, 2], 200, "[1, 2]", "application/json", id="list"),
        pytest.param(Response(text="no", status=404), 404, "no", "text/plain", id="response"),
        pytest.param(
            lambda request: web.Response(text=request.host), 200, "api.test", "text/plain", id="function"
        ),
        pytest.param(async_handler, 201, "sent", "text/plain", id="async function"),
    ],
)
async def test_response(
    server: ResponsesMockServer,
    session: aiohttp.ClientSession,
    response: object,
    status: int,
    text: str,
    content_type: str,
) -> None:
    """A response may be text, JSON, aiohttp's own, or a function of the request."""
    server.add("api.test", "/a", "get", response)

    async with session.get(URL, data="sent") as answer:
        assert (status, text) == (answer.status, await answer.text())
        assert content_type == answer.content_type
    server.assert_plan_strictly_followed()


async def test_function_is_given_a_request_of_aiohttp(
    server: ResponsesMockServer, session: aiohttp.ClientSession
) -> None:
    """With its true URL, also of a call by https, and a body to await."""
    seen: list[object] = []

    async def handler(request: web.BaseRequest) -> web.Response:
        seen.extend((type(request), str(request.url), request.secure, await request.json()))
        return web.json_response({})

    server.add(response=handler)
    async with session.post("https://api.test:8443/a?b=c", json={"d": 1}) as answer:
        assert {} == await answer.json()

    assert [web.BaseRequest, "https://api.test:8443/a?b=c", True, {"d": 1}] == seen


async def test_stream(server: ResponsesMockServer, session: aiohttp.ClientSession) -> None:
    """A function may stream its answer, and the client gets each piece as it is sent."""
    read = asyncio.Event()

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        stream = web.StreamResponse()
        await stream.prepare(request)
        await stream.write(b"first")
        await read.wait()
        await stream.write(b"second")
        return stream

    server.add(response=handler)
    async with session.get(URL) as answer:
        assert b"first" == await answer.content.readany()
        read.set()
        assert b"second" == await answer.content.read()


async def test_websocket(server: ResponsesMockServer, session: aiohttp.ClientSession) -> None:
    """A function may speak websocket."""

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(f"got {message.data}")
            await socket.close()
        return socket

    server.add("api.test", "/a", response=handler)
    async with session.ws_connect("wss://api.test/a") as socket:
        await socket.send_str("hi")
        assert "got hi" == await socket.receive_str()


async def test_raw_response(server: ResponsesMockServer, session: aiohttp.ClientSession) -> None:
    """Bytes are sent as they are, and the connection is closed."""
    server.add(response=server.RawResponse(b"HTTP/1.1 299 Odd\r\nX-a: b\r\n\r\nto the end"), repeat=2)

    for _ in range(2):
        async with session.get(URL) as answer:
            assert (299, "Odd", "b") == (answer.status, answer.reason, answer.headers["x-A"])
            assert "to the end" == await answer.text()
    assert isinstance(server.history[0].response, RawResponse)


@pytest.mark.skipif(not HAS_C_PARSER, reason="aiohttp's other parser waits for more, and the call is retried")
async def test_raw_response_that_is_none(server: ResponsesMockServer, session: aiohttp.ClientSession) -> None:
    """Bytes that are no response are an error in the client."""
    server.add(response=server.RawResponse(b"nonsense"))
    with pytest.raises(aiohttp.ClientResponseError):
        await session.get(URL)


def test_raw_response_to_a_client_that_is_gone() -> None:
    """There is nobody to send to, and nothing happens."""
    request = Mock(spec=web.BaseRequest, transport=None)

    assert isinstance(send_raw(request, RawResponse(b"late")), web.Response)


async def test_error_in_a_function(server: ResponsesMockServer, session: aiohttp.ClientSession) -> None:
    """As in the library, the client sees a 500, and it is not in the history."""

    def handler(request: web.BaseRequest) -> web.Response:
        raise ValueError("boom")

    server.add(response=handler)

    assert 500 == (await answered(session))[0]
    assert [] == server.history


async def test_http_exception_of_a_function(
    server: ResponsesMockServer, session: aiohttp.ClientSession
) -> None:
    """Raised, it is the answer."""

    def handler(request: web.BaseRequest) -> web.Response:
        raise web.HTTPNotFound(text="nothing here")

    server.add(response=handler)

    assert (404, "nothing here") == await answered(session)


# Which route answers.


@pytest.mark.parametrize(
    ("patterns", "is_match"),
    [
        pytest.param({}, True, id="nothing asked"),
        pytest.param({"host_pattern": "API.test"}, True, id="host in any case"),
        pytest.param({"host_pattern": "pi.test"}, False, id="a part of the host"),
        pytest.param({"host_pattern": re.compile("pi.t")}, True, id="regex of the host"),
        pytest.param({"path_pattern": "/a"}, True, id="path without the query"),
        pytest.param({"path_pattern": "/a", "match_querystring": True}, False, id="path with the query"),
        pytest.param({"path_pattern": "/a?b=c", "match_querystring": True}, True, id="path and query"),
        pytest.param({"method_pattern": "POST"}, True, id="method in any case"),
        pytest.param({"method_pattern": re.compile("get|post")}, True, id="regex of the method"),
        pytest.param({"method_pattern": "get"}, False, id="another method"),
        pytest.param({"body_pattern": "fruit=pineapple"}, True, id="body"),
        pytest.param({"body_pattern": re.compile("apple$")}, True, id="regex of the body"),
        pytest.param({"body_pattern": "apple"}, False, id="a part of the body"),
        pytest.param({"route": Route("put", repeat=1), "host_pattern": "api.test"}, False, id="a route"),
    ],
)
async def test_matching(
    server: ResponsesMockServer, session: aiohttp.ClientSession, patterns: dict[str, Any], is_match: bool
) -> None:
    """Text is compared whole, a regex is searched for; a `route` goes before the rest."""
    server.add(response="ok", **patterns)

    async with session.post(f"{URL}?b=c", data={"fruit": "pineapple"}) as answer:
        assert is_match is (answer.status == 200)
        if not is_match:
            assert "No match found for request: POST api.test /a" == await answer.text()


async def test_route_with_a_rule_of_its_own(
    server: ResponsesMockServer, session: aiohttp.ClientSession
) -> None:
    """A subclass decides by what it likes, and may await the body."""

    class WithKey(Route):
        async def matches(self, request: web.BaseRequest) -> bool:
            return "X-Key" in request.headers and await request.text() == "sent"

    server.add(route=WithKey(), response="with key")
    server.add(response="without", repeat=math.inf)

    assert (200, "without") == await answered(session)
    assert (200, "with key") == await answered(session, headers={"X-Key": "k"}, data="sent")


async def test_upload_in_pieces(server: ResponsesMockServer, session: aiohttp.ClientSession) -> None:
    """A function is called before the body has come."""
    begun = asyncio.Event()

    async def handler(request: web.BaseRequest) -> web.Response:
        begun.set()
        return web.Response(text=await request.text())

    async def pieces() -> AsyncIterator[bytes]:
        yield b"a"
        await begun.wait()
        yield b"b"

    server.add(response=handler)
    async with session.post(URL, data=pieces()) as answer:
        assert "ab" == await answer.text()


async def test_route_used_up_meanwhile(server: ResponsesMockServer, session: aiohttp.ClientSession) -> None:
    """A rule that takes time may find its route used by another request."""
    asked: list[web.BaseRequest] = []
    both = asyncio.Event()

    class Slow(Route):
        async def matches(self, request: web.BaseRequest) -> bool:
            asked.append(request)
            if len(asked) == 2:
                both.set()
            await both.wait()
            return True

    server.add(route=Slow(), response="once")

    answers = await asyncio.gather(answered(session), answered(session))

    assert [200, 500] == sorted(status for status, _ in answers)


async def test_many_routes(server: ResponsesMockServer, session: aiohttp.ClientSession) -> None:
    """Each is found among thousands, with and without a query, in order with those for any path."""
    for number in range(3000):
        server.add("api.test", f"/{number}", response=str(number))
    server.add("api.test", "/0?a=1", response="with a query", match_querystring=True)
    server.add(re.compile("api"), response="any", repeat=2)

    urls = ["/2999", "/0", "/0?a=1", "/0", "/other"]
    assert ["2999", "0", "with a query", "any", "any"] == [
        (await answered(session, f"http://api.test{url}"))[1] for url in urls
    ]


async def test_order_and_repeat(server: ResponsesMockServer, session: aiohttp.ClientSession) -> None:
    """The first route that matches answers, as often as it repeats; then the next."""
    server.add(response=Response(text="first"), repeat=2)
    server.add(response="second", repeat=server.INFINITY)

    assert ["first", "first", "second", "second"] == [(await answered(session))[1] for _ in range(4)]


async def test_all_addresses_are_answered(
    server: ResponsesMockServer, session: aiohttp.ClientSession, real: str
) -> None:
    """Also this machine's, by name and by address; and none that is not routed."""
    server.add(response="stub", repeat=4)

    for url in ("http://localhost:1/", real, "http://192.0.2.1/", "https://[::1]/"):
        assert (200, "stub") == await answered(session, url)
    assert (500, f"No match found for request: GET {real[7:]} /") == await answered(session, real)


async def test_passthrough(server: ResponsesMockServer, session: aiohttp.ClientSession, real: str) -> None:
    """A route lets a request through, with its body; of the answer the content type stays."""
    server.add(real[7:], "/x", "post", server.passthrough)

    async with session.post(f"{real}/x", data="sent") as answer:
        assert (203, "real POST sent") == (answer.status, await answer.text())
        assert ("text/css", None) == (answer.content_type, answer.headers.get("X-A"))
    server.assert_plan_strictly_followed()


async def test_local_passthrough(
    server: ResponsesMockServer, session: aiohttp.ClientSession, real: str
) -> None:
    """All of 127.0.0.1 at once, for ever or a number of times."""
    server.add_local_passthrough(repeat=1)
    server.add_local_passthrough()

    for _ in range(3):
        assert 203 == (await answered(session, real))[0]
    server.assert_no_unused_routes(ignore_infinite_repeats=True)
    with pytest.raises(UnusedRouteError):
        server.assert_no_unused_routes()


# What was asked.


async def test_history(server: ResponsesMockServer, session: aiohttp.ClientSession) -> None:
    """Requests, routes and responses, in order; a body can be read when all is over."""
    server.add("api.test", response={"ok": True})
    async with session.post(URL, data=b"\xff\x00") as answer:
        assert {"ok": True} == await answer.json()
    await answered(session, "http://other.test/")

    first, second = server.history

    assert isinstance(first, RoutingLog)
    assert ("POST", "api.test", b"\xff\x00") == (
        first.request.method,
        first.request.host,
        await first.request.read(),
    )
    assert isinstance(first.response, web.Response)
    assert (
        "Route(method=re.compile('.*'), host_pattern='api.test', path=re.compile('.*'), "
        "body=re.compile('.*'), match_querystring=False)"
    ) == repr(first.route)
    assert ("other.test", None, None) == (second.request.host, second.route, second.response)


async def test_assertions(server: ResponsesMockServer, session: aiohttp.ClientSession) -> None:
    """Each names the first route or request that was not as planned; together they are checked in turn."""
    server.assert_plan_strictly_followed()
    server.add("api.test", "/a", "get", repeat=2)
    server.add("api.test", "/b", "get")

    await answered(session, "http://api.test/b")
    route = "method=get host_pattern=api.test path={} body=re.compile('.*') match_querystring=False".format
    for check in (server.assert_no_unused_routes, server.assert_plan_strictly_followed):
        with pytest.raises(UnusedRouteError) as unused:
            check()
        assert f"Unused Route: {route('/a')}" == str(unused.value)

    await answered(session)
    await answered(session)
    server.assert_no_unused_routes()
    for check in (server.assert_called_in_order, server.assert_plan_strictly_followed):
        with pytest.raises(UnorderedRouteCallError) as unordered:
            check()
        assert f"Route used out of order: {route('/b')}" == str(unordered.value)

    server.assert_all_requests_matched()
    await answered(session, "http://other.test/c?d=e")
    with pytest.raises(NoRouteFoundError) as unmatched:
        server.assert_all_requests_matched()
    assert "No match found for request: GET other.test /c" == str(unmatched.value)
    assert isinstance(unmatched.value, AresponsesAssertionError)


@pytest.mark.parametrize(
    ("pattern", "is_match"),
    [("abc", True), ("b", False), (re.compile("b"), True), (re.compile("x"), False), (ANY, True), (7, False)],
)
def test_text_matches(pattern: object, is_match: bool) -> None:
    """Anything but text and regexes matches nothing."""
    assert is_match is text_matches(pattern, "abc")


# Ways to use it.


def test_fixture(pytester: pytest.Pytester) -> None:
    """On whatever loop the test runs, beside pytest-aiohttp's client, and in a test without a loop."""
    pytester.makeini("[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n")
    pytester.makeconftest('pytest_plugins = ["aiotest_kit.compat.aresponses"]')
    pytester.makepyfile(
        """
        import aiohttp
        import pytest
        from aiohttp import web

        async def ask(request=None):
            async with aiohttp.ClientSession() as session:
                async with session.get("https://api.test/") as response:
                    return web.Response(text=await response.text())

        def test_sync(aresponses):
            aresponses.add(response="never")

        @pytest.mark.asyncio(loop_scope="module")
        async def test_wider_loop(aresponses):
            aresponses.add(response="wide")
            assert (await ask()).text == "wide"

        async def test_app(aiohttp_client, aresponses):
            aresponses.add_local_passthrough(repeat=1)
            aresponses.add("api.test", response="upstream")
            app = web.Application()
            app.router.add_get("/", ask)
            client = await aiohttp_client(app)
            response = await client.get("/")
            assert await response.text() == "upstream"
            aresponses.assert_plan_strictly_followed()
        """
    )

    result = pytester.runpytest_inprocess()

    result.assert_outcomes(passed=3)


async def test_loop_and_other_settings_are_taken() -> None:
    """What `BaseTestServer` takes is taken, and the stubs end with the block."""
    connect = aiohttp.BaseConnector.connect.__code__
    async with ResponsesMockServer(loop=asyncio.get_running_loop(), host="127.0.0.1") as server:
        assert [] == server.history
    assert connect is aiohttp.BaseConnector.connect.__code__
