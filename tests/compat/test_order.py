"""Several mocks at once, stand-ins among them: which is asked first, and what if none has an answer."""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from aiotest_kit import RealConnector, Refuse, Router, UnmatchedRequest, mock
from aiotest_kit.compat.aiointercept import aiointercept
from aiotest_kit.compat.aioresponses import CallbackResult, aioresponses
from aiotest_kit.compat.aresponses import ResponsesMockServer
from aiotest_kit.compat.aresponses.main import Route
from aiotest_kit.websocket import send

ORIGIN = "http://api.test"
PLACE = f"{ORIGIN}/a"
METHODS = ("GET", "POST")


@dataclass
class Opened:
    """An open mock of some kind: `stub(path)` has it answer with its name, `count()` is of calls it noted."""

    stub: Callable[[str], object]
    count: Callable[[], int]


@asynccontextmanager
async def open_mock(name: str) -> AsyncIterator[Opened]:
    async with mock() as m:
        yield Opened(lambda path: m.any(f"{ORIGIN}{path}").reply(text=name), lambda: len(m.calls))


@asynccontextmanager
async def open_aioresponses(name: str) -> AsyncIterator[Opened]:
    with aioresponses() as m:

        def stub(path: str) -> None:
            for method in METHODS:
                m.add(f"{ORIGIN}{path}", method, body=name, repeat=True)

        yield Opened(stub, lambda: sum(map(len, m.requests.values())))


@asynccontextmanager
async def open_aiointercept(name: str) -> AsyncIterator[Opened]:
    async with aiointercept(True) as m:

        def stub(path: str) -> None:
            for method in METHODS:
                m.add(f"{ORIGIN}{path}", method, body=name, repeat=True)

        yield Opened(stub, lambda: m.call_count)


@asynccontextmanager
async def open_aresponses(name: str) -> AsyncIterator[Opened]:
    async with ResponsesMockServer() as m:
        yield Opened(
            lambda path: m.add("api.test", path, response=name, repeat=m.INFINITY), lambda: len(m.history)
        )


KINDS = {
    "mock": open_mock,
    "aioresponses": open_aioresponses,
    "aiointercept": open_aiointercept,
    "aresponses": open_aresponses,
}

REFUSED = {
    "mock": "UnmatchedRequest no route answered {} http://api.test/c",
    "aioresponses": "ClientConnectionError Connection refused: {} http://api.test/c",
    "aiointercept": "ServerDisconnectedError Server disconnected",
    "aresponses": "500 No match found for request: {} api.test /c",
}
"""What a call gets that nobody answers, by who was asked first."""


async def ask(session: aiohttp.ClientSession, path: str, method: str = "GET", **options: Any) -> str:
    """The status and text of the answer, or how the call failed."""
    try:
        async with session.request(method, f"{ORIGIN}{path}", **options) as response:
            return f"{response.status} {await response.text()}"
    except aiohttp.ClientError as exc:
        return f"{type(exc).__name__} {exc}".partition("\n")[0]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("inner", KINDS)
@pytest.mark.parametrize("outer", KINDS)
async def test_the_newer_is_asked_first(
    outer: str, inner: str, method: str, session: aiohttp.ClientSession
) -> None:
    """Then the older. Who answers records the call; if nobody does, it fails as with the newer alone."""
    body: dict[str, Any] = {} if method == "GET" else {"json": {"a": 1}}
    async with KINDS[outer]("older") as older, KINDS[inner]("newer") as newer:
        older.stub("/a")
        older.stub("/both")
        newer.stub("/b")
        newer.stub("/both")

        answers = {path: await ask(session, path, method, **body) for path in ("/a", "/b", "/both", "/c")}

        assert answers == {
            "/a": "200 older",
            "/b": "200 newer",
            "/both": "200 newer",
            "/c": REFUSED[inner].format(method),
        }
        assert (1, 3) == (older.count(), newer.count())


@pytest.mark.parametrize("middle", KINDS)
@pytest.mark.parametrize("outer", ["mock", "aioresponses"])
@pytest.mark.parametrize("inner", ["mock", "aioresponses"])
async def test_three(outer: str, middle: str, inner: str, session: aiohttp.ClientSession) -> None:
    """The order holds for as many as are open, whatever comes between."""
    async with KINDS[outer]("1") as first, KINDS[middle]("2") as second, KINDS[inner]("3") as third:
        mocks: dict[str, Opened] = {"1": first, "2": second, "3": third}
        paths = ("/1", "/12", "/123", "/13", "/2", "/23")
        for path in paths:
            for name in path[1:]:
                mocks[name].stub(path)

        assert [f"200 {path[-1]}" for path in paths] == [await ask(session, path) for path in paths]
        assert REFUSED[inner].format("GET") == await ask(session, "/c")


async def test_concurrent_tasks_each_ask_their_own() -> None:
    """A stand-in of another task is asked last, as any mock of another task."""

    async def ask_own(kind: str, name: str) -> set[str]:
        async with KINDS[kind](name) as opened, aiohttp.ClientSession() as session:
            opened.stub("/a")
            answers = set()
            for _ in range(5):
                await asyncio.sleep(0)
                answers.add(await ask(session, "/a"))
            return answers

    kinds = [*KINDS, *KINDS]
    answers = await asyncio.gather(*(ask_own(kind, str(number)) for number, kind in enumerate(kinds)))

    assert [{f"200 {number}"} for number in range(len(kinds))] == answers


# A stand-in for aioresponses and a mock, in both orders.


@dataclass
class Both:
    stubs: aioresponses
    routes: Router
    mock_is_newer: bool


@pytest.fixture(params=["mock is newer", "mock is older"])
def both(request: pytest.FixtureRequest) -> Iterator[Both]:
    stubs = aioresponses()
    mocked = mock()
    mock_is_newer = request.param == "mock is newer"
    with ExitStack() as stack:
        for each in (stubs, mocked) if mock_is_newer else (mocked, stubs):
            stack.enter_context(each)
        yield Both(stubs, mocked.router, mock_is_newer)


async def test_bodies_decide(both: Both, session: aiohttp.ClientSession) -> None:
    """A route that asks for another body leaves the call to the stub, which has the body in its log."""
    both.routes.post(PLACE, json={"x": 1}).reply(text="route").optional()
    both.stubs.post(PLACE, body="stub", repeat=True)

    answers = [
        await ask(session, "/a", "POST", json={"x": 1}),
        await ask(session, "/a", "POST", json={"x": 2}),
        await ask(session, "/a", "POST", data=io.BytesIO(b"abc")),
        await ask(session, "/a", "POST", data=aiohttp.FormData({"f": "g"})),
    ]

    assert ["200 route" if both.mock_is_newer else "200 stub", *["200 stub"] * 3] == answers
    assert [b'{"x": 2}', b"abc", b"f=g"] == [call.request.body for call in both.stubs.calls][-3:]


@pytest.mark.parametrize(
    "raised",
    [
        ValueError("mine"),
        OSError(111, "refused"),
        aiohttp.ServerDisconnectedError(),
        asyncio.CancelledError(),
        asyncio.TimeoutError(),
    ],
    ids=lambda raised: type(raised).__name__,
)
async def test_exceptions_of_stubs(both: Both, session: aiohttp.ClientSession, raised: BaseException) -> None:
    """They are raised as they are, and the call is noted once."""
    both.stubs.get(PLACE, exception=raised)

    with pytest.raises(type(raised)) as caught:
        await session.get(PLACE)

    assert raised is caught.value
    both.stubs.assert_called_once_with(PLACE)


async def test_callbacks_of_stubs(both: Both, session: aiohttp.ClientSession) -> None:
    """A callback is called once, with the keywords of the call."""
    seen: list[dict[str, Any]] = []

    def callback(url: object, **kwargs: Any) -> CallbackResult:
        seen.append(kwargs)
        return CallbackResult(status=201, body="called")

    both.stubs.post(PLACE, callback=callback)

    assert "201 called" == await ask(session, "/a", "POST", json=[1])
    assert [{"allow_redirects": True, "json": [1]}] == seen


async def test_redirects_from_one_to_the_other(both: Both, session: aiohttp.ClientSession) -> None:
    """A stub may lead to a route, and a route to a stub, of whatever kind."""
    both.stubs.get(PLACE, status=302, headers={"Location": "/route", "X": "1"})
    both.routes.get(f"{ORIGIN}/route").reply(text="route")
    for name in ("stub", "raises", "called", "nowhere"):
        both.routes.get(f"{ORIGIN}/to-{name}").redirect(f"/{name}")
    both.stubs.get(f"{ORIGIN}/stub", body="stub")
    both.stubs.get(f"{ORIGIN}/raises", exception=ValueError("mine"))
    both.stubs.get(f"{ORIGIN}/called", callback=lambda url, **kwargs: CallbackResult(body="called"))

    async with session.get(PLACE) as response:
        assert ("1", f"{ORIGIN}/route") == (response.history[0].headers["X"], str(response.url))
        assert "route" == await response.text()
    assert ["200 stub", "200 called"] == [await ask(session, "/to-stub"), await ask(session, "/to-called")]
    with pytest.raises(ValueError, match="mine"):
        await session.get(f"{ORIGIN}/to-raises")
    with pytest.raises(UnmatchedRequest if both.mock_is_newer else aiohttp.ClientConnectionError) as caught:
        await session.get(f"{ORIGIN}/to-nowhere")
    assert both.mock_is_newer is isinstance(caught.value, UnmatchedRequest)
    assert [("GET", PLACE)] == [(method, str(url)) for method, url in both.stubs.requests if url.path == "/a"]


async def test_redirect_of_a_stub_to_nowhere(both: Both, session: aiohttp.ClientSession) -> None:
    """The call fails, as the first that was asked says it."""
    both.stubs.get(PLACE, status=302, headers={"Location": "/nowhere"})

    expected = "no route answered GET http://api.test/nowhere" if both.mock_is_newer else "Connection refused"
    with pytest.raises(aiohttp.ClientConnectionError, match=expected):
        await session.get(PLACE)


async def test_redirect_while_some_requests_may_go_out(session: aiohttp.ClientSession) -> None:
    """The target of a redirect is a stub's, and stays."""
    with aioresponses() as m, mock() as router:
        router.passthrough("http://elsewhere.test")
        router.get(PLACE).redirect("/stub")
        m.get(f"{ORIGIN}/stub", body="stub")

        assert "200 stub" == await ask(session, "/a")


async def test_faults_and_websockets_of_routes(both: Both, session: aiohttp.ClientSession) -> None:
    """What the mock can do, it can do beside a stand-in; what a stub answers, is connected."""
    both.routes.get(PLACE).reply(Refuse())
    both.routes.get(f"{ORIGIN}/both").reply(Refuse()).optional()
    both.routes.ws(f"{ORIGIN}/ws").script(send("hi"))
    both.stubs.get(f"{ORIGIN}/both", body="stub", repeat=True)

    async with session.ws_connect(f"{ORIGIN}/ws") as socket:
        assert "hi" == await socket.receive_str()
    refused = await ask(session, "/a")
    assert refused.startswith("ClientConnectorError")
    assert (refused if both.mock_is_newer else "200 stub") == await ask(session, "/both")


async def test_a_proxy_between(both: Both, session: aiohttp.ClientSession) -> None:
    """Each answers through a proxy's tunnel."""
    both.routes.get("https://api.test/route").reply(text="route")
    both.stubs.get("https://api.test/stub", body="stub")

    for name in ("route", "stub"):
        async with session.get(f"https://api.test/{name}", proxy="http://proxy.test:3128") as response:
            assert name == await response.text()


async def test_what_is_no_url_of_http(both: Both, session: aiohttp.ClientSession) -> None:
    """Only a stub can answer it."""
    both.stubs.get("localhost", body="stub")

    async with session.get("localhost") as response:
        assert "stub" == await response.text()
    with pytest.raises(aiohttp.ClientConnectionError, match="Connection refused: GET nowhere"):
        await session.get("nowhere")


async def test_what_a_route_answers_is_checked_by_the_session(both: Both) -> None:
    """`raise_for_status` of the session holds for routes and stubs alike."""
    both.routes.get(f"{ORIGIN}/route").reply(400)
    both.stubs.get(f"{ORIGIN}/stub", status=400)

    async with aiohttp.ClientSession(raise_for_status=True) as session:
        for name in ("route", "stub"):
            with pytest.raises(aiohttp.ClientResponseError, match="400"):
                await session.get(f"{ORIGIN}/{name}")


# What goes out.


@pytest.fixture
async def real() -> AsyncIterator[str]:
    """The origin of a real server, by address."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=f"real {request.path}")

    app = web.Application()
    app.router.add_route("*", "/{_:.*}", answer)
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/")


@pytest.mark.parametrize("how", ["prefix", "unmatched"])
async def test_what_a_newer_stand_in_lets_out(how: str, real: str, session: aiohttp.ClientSession) -> None:
    """The older is asked before anything goes out; its stubs answer, whatever its own policy."""
    passthrough = [real] if how == "prefix" else []
    with (
        aioresponses() as older,
        aioresponses(passthrough=passthrough, passthrough_unmatched=how == "unmatched"),
    ):
        older.get(f"{real}/a", body="stub")

        assert "stub" == await (await session.get(f"{real}/a")).text()
        assert "real /b" == await (await session.get(f"{real}/b")).text()
    older.assert_called_once()


async def test_what_is_let_out_but_for_its_body(session: aiohttp.ClientSession) -> None:
    """A request that differs from a route in its body alone stays, and is noted once."""
    with mock() as router, aioresponses(passthrough_unmatched=True) as m:
        router.post(PLACE, json={"a": 1}).optional()

        assert "ClientConnectionError Connection refused: POST http://api.test/a" == await ask(
            session, "/a", "POST", json={"a": 2}
        )
    m.assert_called_once()


async def test_a_session_with_a_real_connector(real: str) -> None:
    """It goes past every stub."""
    with aioresponses() as m:
        m.get(f"{real}/a", body="stub")
        async with aiohttp.ClientSession(connector=RealConnector()) as session:
            assert "real /a" == await (await session.get(f"{real}/a")).text()
    m.assert_not_called()


async def test_a_call_that_began_before(real: str) -> None:
    """It goes where it was going."""
    opened = aioresponses()

    async def open_it(*_: object) -> None:
        opened.start()

    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(open_it)
    async with aiohttp.ClientSession(trace_configs=[trace]) as session:
        answer = await (await session.get(f"{real}/a")).text()
    opened.stop()

    assert "real /a" == answer
    opened.assert_not_called()


async def test_what_an_older_stand_in_lets_out(real: str, session: aiohttp.ClientSession) -> None:
    """What it names is let out; all that is unmatched is not, as the newer is asked first."""
    with aioresponses(passthrough=[f"{real}/out"], passthrough_unmatched=True), aioresponses() as newer:
        assert "real /out" == await (await session.get(f"{real}/out")).text()
        with pytest.raises(aiohttp.ClientConnectionError, match="Connection refused"):
            await session.get(f"{real}/a")
    newer.assert_called_once_with(f"{real}/a")


@pytest.mark.parametrize("how", ["host", "unmatched"])
async def test_what_a_newer_aiointercept_lets_out(how: str, session: aiohttp.ClientSession) -> None:
    """What is registered with an older one is answered there, as in aiointercept."""
    options: dict[str, Any] = {"passthrough": [ORIGIN]} if how == "host" else {"passthrough_unmatched": True}
    async with aiointercept(True) as older, aiointercept(True, **options) as newer:
        older.get(PLACE, body="older")
        newer.get(f"{ORIGIN}/b", body="newer")

        assert ["200 older", "200 newer"] == [await ask(session, "/a"), await ask(session, "/b")]


async def test_passthrough_of_a_mock_around_aresponses(real: str, session: aiohttp.ClientSession) -> None:
    """Where no route answers, the older mock may let a request out."""
    async with mock() as router, ResponsesMockServer() as server:
        router.passthrough(real)
        server.add(path_pattern="/stub", response="stub")

        assert "stub" == await (await session.get(f"{real}/stub")).text()
        assert "real /a" == await (await session.get(f"{real}/a")).text()


# Which route of aresponses would answer.


async def pieces() -> AsyncIterator[bytes]:
    yield b"o"
    for _ in range(20):
        # Time for the head to be looked at.
        await asyncio.sleep(0)
    yield b"uter"


@pytest.mark.parametrize(
    "data", ["inner", "outer", pieces, "neither"], ids=["inner", "outer", "outer in pieces", "neither"]
)
async def test_bodies_decide_in_aresponses(data: Any, session: aiohttp.ClientSession) -> None:
    """A route that asks for another body leaves the call to the next, streamed or not."""
    async with ResponsesMockServer() as outer, ResponsesMockServer() as inner:
        outer.add(body_pattern="outer", response="outer")
        inner.add(body_pattern=re.compile("^inner"), response="inner")

        answer = await ask(session, "/a", "POST", data=data() if callable(data) else data)

    refused = "500 No match found for request: POST api.test /a"
    assert answer == {"inner": "200 inner", "neither": refused}.get(str(data), "200 outer")


async def test_uploads_in_aresponses_are_answered_by_their_heads(session: aiohttp.ClientSession) -> None:
    """Where the body does not matter, a route is found before it has come."""
    async with ResponsesMockServer() as outer, ResponsesMockServer() as inner:
        outer.add("api.test", "/outer", response="outer")
        inner.add("api.test", "/inner", "post", response="inner")
        inner.add("api.test", "/outer", "get", response="neither")

        assert "200 outer" == await ask(session, "/outer", "POST", data=pieces())
        assert "200 inner" == await ask(session, "/inner", "POST", data=pieces())


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        pytest.param("yes", "200 inner", id="matches"),
        pytest.param("no", "200 outer", id="does not"),
        pytest.param("body", "200 inner", id="reads the body"),
        pytest.param("later", "200 inner", id="takes time"),
        pytest.param("error", "500", id="raises"),
    ],
)
@pytest.mark.parametrize("data", [b"sent", pieces], ids=["whole", "in pieces"])
async def test_rules_of_ones_own_in_aresponses(
    answers: str, expected: str, data: Any, session: aiohttp.ClientSession
) -> None:
    """A route with a rule of its own is asked; one that takes time, or raises, is not passed over."""

    class Odd(Route):
        async def matches(self, request: web.BaseRequest) -> bool:
            if answers == "later":
                await asyncio.sleep(0)
            if answers == "error":
                raise ValueError(answers)
            return answers != "no" and (answers != "body" or bool(await request.read()))

    async with ResponsesMockServer() as outer, ResponsesMockServer() as inner:
        outer.add(response="outer")
        inner.add(route=Odd(), response="inner")

        answer = await ask(session, "/a", "POST", data=data() if callable(data) else data)

    assert answer.startswith(expected)
