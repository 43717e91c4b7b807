"""`aiotest_kit.compat.aioresponses`: what stubs match and answer, as aioresponses 0.7.9 documents it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from multidict import CIMultiDict
from yarl import URL

from aiotest_kit import Refuse, mock
from aiotest_kit.compat.aioresponses import CallbackResult, aioresponses, core
from aiotest_kit.compat.aioresponses.compat import merge_params, normalize_url, stream_reader_factory

PLACE = "http://api.test/a"


class Mine(aiohttp.ClientResponse):
    pass


@pytest.mark.parametrize(
    "stubbed",
    [
        pytest.param("http://api.test/a?x=1&y=2", id="text"),
        pytest.param("http://api.test/a?y=2&x=1", id="query in another order"),
        pytest.param(URL("http://api.test/a?x=1&y=2"), id="URL"),
        pytest.param(re.compile(r"http://api\.test/a\?x=1"), id="regex from the start"),
    ],
)
async def test_urls_match(stubbed: Any, m: aioresponses, session: aiohttp.ClientSession) -> None:
    """The whole URL is compared, query and `params=` in any order; a regex need not reach its end."""
    m.get(stubbed, body="yes")

    async with session.get("http://api.test/a?y=2", params={"x": "1"}) as response:
        assert "yes" == await response.text()


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete", "options", "head"])
async def test_methods(method: str, m: aioresponses, session: aiohttp.ClientSession) -> None:
    """Each verb stubs its own method, and no other."""
    getattr(m, method)(PLACE, status=202)

    other = "GET" if method != "get" else "POST"
    with pytest.raises(aiohttp.ClientConnectionError) as caught:
        await session.request(other, PLACE)
    async with session.request(method.upper(), PLACE) as response:
        assert 202 == response.status

    assert f"Connection refused: {other} {PLACE}" == str(caught.value)


async def test_which_of_several_answers(m: aioresponses, session: aiohttp.ClientSession) -> None:
    """The one added first that matches and is not used up. Suites may change the stubs themselves."""
    m.post(re.compile("http://api"), status=201)
    m.get(re.compile("http://other"), status=202)
    m.get(PLACE, status=203)
    m.get(re.compile("http://api"), status=204, repeat=True)
    m.get(PLACE, status=205)

    assert [203, 204] == [(await session.get(PLACE)).status for _ in range(2)]
    del m._matches["4"]
    m._matches["mine"] = core.RequestMatch(PLACE, status=206)
    assert [205, 206] == [(await session.get(PLACE)).status for _ in range(2)]
    assert ["1", "2"] == list(m._matches)


async def test_many_stubs(m: aioresponses, session: aiohttp.ClientSession) -> None:
    """Each is found among thousands, in whatever order they are asked for."""
    for number in range(3000):
        m.get(f"http://api.test/{number}", body=str(number))

    for number in (*range(2990, 3000), *range(10)):
        async with session.get(f"http://api.test/{number}") as response:
            assert str(number) == await response.text()


@pytest.mark.parametrize(
    ("options", "status", "reason", "body"),
    [
        pytest.param({}, 200, "OK", b"", id="nothing said"),
        pytest.param({"payload": {"a": 1}}, 200, "OK", b'{"a": 1}', id="payload"),
        pytest.param({"payload": [], "body": "unused"}, 200, "OK", b"[]", id="payload before body"),
        pytest.param({"body": "é"}, 200, "OK", "é".encode(), id="text"),
        pytest.param({"body": b"\x95\0"}, 200, "OK", b"\x95\0", id="bytes"),
        pytest.param({"body": "x" * 5000}, 200, "OK", b"x" * 5000, id="a long body"),
        pytest.param({"status": 404}, 404, "Not Found", b"", id="registered reason"),
        pytest.param({"status": 404, "reason": "Gone fishing"}, 404, "Gone fishing", b"", id="own reason"),
        pytest.param({"status": 204, "payload": {}}, 204, "No Content", b"{}", id="204 with a body"),
        pytest.param({"status": 999, "body": "x"}, 999, "", b"x", id="status outside HTTP"),
    ],
)
async def test_replies(
    options: dict[str, Any],
    status: int,
    reason: str,
    body: bytes,
    m: aioresponses,
    session: aiohttp.ClientSession,
) -> None:
    """Status, reason and body are those of the stub, also where HTTP could not carry them."""
    m.get(PLACE, **options)

    async with session.get(PLACE) as response:
        assert (status, reason, body) == (response.status, response.reason, await response.read())


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param({}, [("Content-Type", "application/json")], id="default"),
        pytest.param({"content_type": "text/html"}, [("Content-Type", "text/html")], id="content_type"),
        pytest.param(
            {"headers": {"content-length": "5000"}},
            [("Content-Type", "application/json"), ("content-length", "5000")],
            id="length of another body",
        ),
        pytest.param(
            {"headers": {"Content-Encoding": "gzip", "Transfer-Encoding": "chunked"}},
            [
                ("Content-Type", "application/json"),
                ("Content-Encoding", "gzip"),
                ("Transfer-Encoding", "chunked"),
            ],
            id="copied from a real response",
        ),
        pytest.param(
            {"headers": CIMultiDict([("X", "1"), ("X", "2")])},
            [("Content-Type", "application/json"), ("X", "1"), ("X", "2")],
            id="repeated",
        ),
    ],
)
async def test_headers(
    options: dict[str, Any],
    expected: list[tuple[str, str]],
    m: aioresponses,
    session: aiohttp.ClientSession,
) -> None:
    """A response has the headers of the stub and its content type, and no other; the body is whole."""
    m.get(PLACE, body="plain", **options)

    async with session.get(PLACE) as response:
        assert expected == list(response.headers.items())
        assert tuple((name.encode(), value.encode()) for name, value in expected) == response.raw_headers
        assert "plain" == await response.text()


@pytest.mark.parametrize(("repeat", "answered"), [(False, 1), (1, 1), (3, 3), (True, 6)])
async def test_repeat(
    repeat: bool | int, answered: int, m: aioresponses, session: aiohttp.ClientSession
) -> None:
    """A stub answers as often as it says, then the next one does; the first added is the first used."""
    m.get(PLACE, status=201, repeat=repeat)
    m.get(PLACE, status=202, repeat=True)

    statuses = [(await session.get(PLACE)).status for _ in range(6)]

    assert [201] * answered + [202] * (6 - answered) == statuses


@pytest.mark.parametrize(
    "raised",
    [
        pytest.param(ValueError("mine"), id="instance"),
        pytest.param(ValueError, id="class"),
        pytest.param(OSError(111, "refused"), id="OSError"),
        pytest.param(aiohttp.ServerDisconnectedError(), id="disconnected"),
        pytest.param(asyncio.CancelledError, id="cancelled"),
    ],
)
async def test_exceptions(raised: Any, m: aioresponses, session: aiohttp.ClientSession) -> None:
    """An exception is raised as it is, used once, and the call is noted once."""
    m.get(PLACE, exception=raised)
    m.get(PLACE)

    with pytest.raises(raised if isinstance(raised, type) else type(raised)) as caught:
        await session.get(PLACE)

    assert raised in (caught.value, caught.type)
    assert 200 == (await session.get(PLACE)).status
    assert 2 == len(m.requests["GET", URL(PLACE)])


async def test_timeout(m: aioresponses, session: aiohttp.ClientSession) -> None:
    """`timeout=True` raises asyncio's error at once."""
    m.get(PLACE, timeout=True)

    with pytest.raises(asyncio.TimeoutError, match="Connection timeout test"):
        await session.get(PLACE)


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
async def test_callbacks(is_async: bool, m: aioresponses, session: aiohttp.ClientSession) -> None:
    """A callback gets the URL and the keywords of the call, and says what to answer."""
    seen: list[Any] = []

    def sync(url: URL, **kwargs: Any) -> CallbackResult:
        seen.append((url, kwargs))
        return CallbackResult(status=418, payload={"got": kwargs["json"]}, headers={"X": "1"})

    async def later(url: URL, **kwargs: Any) -> CallbackResult:
        return sync(url, **kwargs)

    m.post(PLACE, callback=later if is_async else sync)

    async with session.post(PLACE, json=[1]) as response:
        assert (418, "1") == (response.status, response.headers["X"])
        assert {"got": [1]} == await response.json()
    assert [(URL(PLACE), {"allow_redirects": True, "data": None, "json": [1]})] == seen


@pytest.mark.parametrize("repeat", [False, True])
async def test_callback_without_a_result(
    repeat: bool, m: aioresponses, session: aiohttp.ClientSession
) -> None:
    """One that returns None leaves it to the stub; one that raises is there for the next call."""
    outcomes: list[Any] = [ValueError("first"), None]

    def callback(url: URL, **kwargs: Any) -> None:
        outcome = outcomes.pop(0)
        if outcome:
            raise outcome

    m.get(PLACE, status=203, callback=callback, repeat=repeat)

    with pytest.raises(ValueError, match="first"):
        await session.get(PLACE)
    assert 203 == (await session.get(PLACE)).status


@pytest.mark.parametrize("source", ["stub", "module", "session"])
async def test_response_classes(source: str, m: aioresponses, monkeypatch: pytest.MonkeyPatch) -> None:
    """The class is the stub's, the one put into `core`, or the session's, in this order."""
    m.get(PLACE, response_class=Mine if source == "stub" else None)
    if source == "module":
        monkeypatch.setattr(core, "ClientResponse", Mine)
    kind = Mine if source == "session" else aiohttp.ClientResponse

    async with aiohttp.ClientSession(response_class=kind) as session, session.get(PLACE) as response:
        assert type(response) is Mine


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", ["https://other.test/b", "../b"])
async def test_redirects(status: int, location: str, m: aioresponses, session: aiohttp.ClientSession) -> None:
    """A redirect is followed to a stub for GET, with its history; only the call itself is noted."""
    target = URL(PLACE).join(URL(location))
    m.post(PLACE, status=status, headers={"Location": location})
    m.get(str(target), body="there")

    async with session.post(PLACE, data=b"x") as response:
        assert (200, "there", "get") == (response.status, await response.text(), response.method)
        assert target == response.url
        assert [(status, URL(PLACE))] == [(each.status, each.url) for each in response.history]
    assert [("POST", URL(PLACE))] == list(m.requests)


async def test_redirects_that_are_not_followed(m: aioresponses, session: aiohttp.ClientSession) -> None:
    """Not asked to, without a location, to nowhere, or too often."""
    m.get(PLACE, status=302, headers={"Location": "/b"})
    m.get(PLACE, status=302)
    m.get(PLACE, status=302, headers={"Location": "/nowhere"})
    m.get("http://api.test/loop", status=302, headers={"Location": "/loop"}, repeat=True)

    assert 302 == (await session.get(PLACE, allow_redirects=False)).status
    assert 302 == (await session.get(PLACE)).status
    with pytest.raises(aiohttp.ClientConnectionError, match=f"Connection refused: GET {PLACE}"):
        await session.get(PLACE)
    with pytest.raises(aiohttp.TooManyRedirects):
        await session.get("http://api.test/loop", max_redirects=3)


async def refuse(response: aiohttp.ClientResponse) -> None:
    raise ValueError(response.status)


@pytest.mark.parametrize(
    ("of_session", "of_call", "expected"),
    [
        pytest.param(False, None, None, id="nobody"),
        pytest.param(True, None, aiohttp.ClientResponseError, id="session"),
        pytest.param(True, False, None, id="call says no"),
        pytest.param(False, True, aiohttp.ClientResponseError, id="call"),
        pytest.param(False, refuse, ValueError, id="function"),
    ],
)
async def test_raise_for_status(
    of_session: bool, of_call: Any, expected: type[Exception] | None, m: aioresponses
) -> None:
    """The call says whether a bad status raises, else its session."""
    m.get(PLACE, status=400, reason="Bad luck", headers={"X": "1"})
    async with aiohttp.ClientSession(raise_for_status=of_session) as session:
        if expected is None:
            assert 400 == (await session.get(PLACE, raise_for_status=of_call)).status
            return
        with pytest.raises(expected) as caught:
            await session.get(PLACE, raise_for_status=of_call)

    if isinstance(caught.value, aiohttp.ClientResponseError):
        assert (400, "Bad luck") == (caught.value.status, caught.value.message)
        assert caught.value.headers is not None
        assert "1" == caught.value.headers["X"]


async def test_session_settings(m: aioresponses) -> None:
    """The session's base URL and headers belong to the call; `request_info` shows what was passed."""
    m.get(PLACE, headers={"Set-Cookie": "c=1"})
    async with aiohttp.ClientSession("http://api.test", headers={"A": "1", "B": "1"}) as session:
        async with session.get("/a", headers={"B": "2"}) as response:
            assert {"A": "1", "B": "2"} == response.request_info.headers
            assert "1" == response.cookies["c"].value
        assert ["c"] == [cookie.key for cookie in session.cookie_jar]

    assert {"A": "1", "B": "2"} == m.requests["GET", URL(PLACE)][0].kwargs["headers"]
    sent = m.calls.one().request
    assert ("1", "2") == (sent.headers["A"], sent.headers["B"])


async def test_a_proxy_is_asked(m: aioresponses, session: aiohttp.ClientSession) -> None:
    """Through a proxy's tunnel the stub answers all the same."""
    m.get("https://api.test/a", body="through")

    async with session.get("https://api.test/a", proxy="http://proxy.test:3128") as response:
        assert "through" == await response.text()


@pytest.mark.parametrize(
    "keywords",
    [
        pytest.param({"data": (line for line in ["a"])}, id="generator"),
        pytest.param({"data": print}, id="object"),
        pytest.param({"json": {1}}, id="no JSON"),
        pytest.param({"data": b"a", "json": 1}, id="both"),
    ],
)
async def test_bodies_that_no_request_can_carry(
    keywords: dict[str, Any], m: aioresponses, session: aiohttp.ClientSession
) -> None:
    """They are noted and answered; other arguments that aiohttp refuses, it refuses here too."""
    m.post(PLACE, repeat=True)

    assert 200 == (await session.post(PLACE, **keywords)).status
    assert keywords.items() <= m.requests["POST", URL(PLACE)][0].kwargs.items()
    with pytest.raises(TypeError, match="no_such_keyword"):
        await session.post(PLACE, no_such_keyword=1)


def test_sessions_of_another_loop(m: aioresponses) -> None:
    """A session answers on whatever loop it is used; suites make one in a fixture of a wider loop."""
    m.get(PLACE, repeat=True)

    async def made() -> aiohttp.ClientSession:
        session = aiohttp.ClientSession()
        await session.get(PLACE)
        return session

    async def used(session: aiohttp.ClientSession) -> int:
        status = (await session.get(PLACE)).status
        await session.close()
        return status

    first, second = asyncio.new_event_loop(), asyncio.new_event_loop()
    session = first.run_until_complete(made())
    status = second.run_until_complete(used(session))
    first.close()
    second.close()

    assert 200 == status


async def test_streamed_data_is_read(m: aioresponses, session: aiohttp.ClientSession) -> None:
    """An async iterator is read before anything else, so that its bytes can be looked at."""
    m.post(PLACE)

    async def chunks() -> AsyncIterator[bytes]:
        yield b"ab"
        yield b"cd"

    await session.post(PLACE, data=chunks())

    assert b"abcd" == m.requests["POST", URL(PLACE)][0].kwargs["data"]
    assert b"abcd" == m.calls.one().request.body


async def test_a_closed_session(m: aioresponses) -> None:
    """It is told so, and the call is not noted."""
    session = aiohttp.ClientSession()
    await session.close()

    with pytest.raises(RuntimeError, match="Session is closed"):
        await session.get(PLACE)
    m.assert_not_called()


async def test_reading_as_it_comes(m: aioresponses, session: aiohttp.ClientSession) -> None:
    """The body can be read in pieces, as of any response."""
    m.get(PLACE, body="abcdef", repeat=True)

    async with session.get(PLACE) as response:
        assert (b"ab", b"cdef") == (await response.content.read(2), await response.content.read())
    async with session.get(PLACE) as response:
        assert [b"abcd", b"ef"] == [chunk async for chunk in response.content.iter_chunked(4)]


@pytest.mark.parametrize("how", ["prefix", "unmatched", "neither"])
async def test_what_is_let_out(how: str, session: aiohttp.ClientSession) -> None:
    """This machine is stubbed like any other; what is let out reaches the real server."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(text="real")

    app = web.Application()
    app.router.add_get("/a", answer)
    async with TestServer(app) as server:
        origin = str(server.make_url("/"))
        passthrough = [origin] if how == "prefix" else []
        with aioresponses(passthrough=passthrough, passthrough_unmatched=how == "unmatched") as m:
            m.get(f"{origin}b", body="stub")
            m.get(PLACE, body="stub")
            if how == "neither":
                with pytest.raises(aiohttp.ClientConnectionError, match="Connection refused"):
                    await session.get(f"{origin}a")
                assert "stub" == await (await session.get(f"{origin}b")).text()
            else:
                assert "real" == await (await session.get(f"{origin}a")).text()
            assert "stub" == await (await session.get(PLACE)).text()


async def test_beside_the_kit(session: aiohttp.ClientSession) -> None:
    """What is let out may be answered by routes that are open around it."""
    with mock() as router, aioresponses(passthrough_unmatched=True) as m:
        router.any("http://api.test/b").reply(200, text="route")
        router.post(PLACE).reply(Refuse()).optional()
        router.get("http://api.test/down").reply(Refuse())
        m.get(PLACE, body="stub")
        m.post(PLACE, body="stub")

        for url, expected in (("http://api.test/b", "route"), (PLACE, "stub")):
            response = await session.post(url, data=b"x" * 10, expect100=True)
            assert expected == await response.text()
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get("http://api.test/down")

        assert "route" == await (await session.get("http://api.test/b")).text()
        assert "stub" == await (await session.get(PLACE)).text()


async def test_urls_without_a_host(m: aioresponses, session: aiohttp.ClientSession) -> None:
    """Whatever is stubbed is answered, also what no session could ask for."""
    m.get("localhost", body="here")

    async with session.get("localhost") as response:
        assert (URL("localhost"), "here") == (response.url, await response.text())


def test_stopping_when_the_loop_is_gone() -> None:
    """A fixture may outlive the loop of its test, and what a session of a wider one left there."""

    async def used() -> aiohttp.ClientSession:
        session = aiohttp.ClientSession()
        await (await session.get(PLACE)).read()
        return session

    loop, wider = asyncio.new_event_loop(), asyncio.new_event_loop()
    with aioresponses() as m:
        m.get(PLACE)
        session = loop.run_until_complete(used())
        loop.close()
    wider.run_until_complete(session.close())
    wider.close()

    m.assert_called_once()


async def test_helpers() -> None:
    """The helpers of `compat` are there."""
    reader = stream_reader_factory(asyncio.get_running_loop())
    reader.feed_eof()

    assert URL("http://h/?a=1&b=2") == normalize_url("http://h/?b=2&a=1")
    assert URL("http://h/?b=2&a=1") == merge_params("http://h/?b=2", {"a": 1})
    assert URL("http://h/") == merge_params(URL("http://h/"))
    assert b"" == await reader.read()
