"""Headers as servers see them, and headers that cannot be sent: in memory as over sockets."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from aiohttp import web
from multidict import CIMultiDict

from aiotest_kit import RealConnector, Refuse, Upstream, mock
from tests.against_aiohttp.conftest import Door, Names, Network
from tests.against_aiohttp.ends import facts_of

URL = "http://a.test/"
# Before, aiohttp has other parsers for cookies, which give up on some of what is odd.
IS_TOLERANT = tuple(map(int, aiohttp.__version__.split(".")[:2])) >= (3, 13)

NOT_TEXT: dict[str, Any] = {
    "number": {"X-A": 1},
    "bytes": {"X-A": b"caf\xe9"},
    "none": {"X-A": None},
    "list": {"X-A": ["a"]},
    "line-break": {"X-A": "a\r\nX-B: b"},
}


async def refused(session: aiohttp.ClientSession, url: Any, headers: Any) -> object:
    """What a call raises whose headers cannot be sent."""
    async with session:
        with pytest.raises(Exception) as caught:  # noqa: PT011  # which one is compared
            await session.get(url, headers=headers)
    return facts_of(caught.value)


@pytest.mark.parametrize("fault", [False, True], ids=["plain", "with-a-connect-fault"])
@pytest.mark.parametrize("headers", NOT_TEXT.values(), ids=NOT_TEXT)
async def test_no_text(headers: Any, fault: bool, door: Door, network: Network) -> None:
    """A value that is no text is aiohttp's own error, whatever routes there are."""

    async def answer(request: web.BaseRequest) -> web.Response:
        raise AssertionError(request)

    await network.serve_web(answer)
    expected = await refused(network.open_session(), URL, headers)
    door.router.get(URL, headers={"X-A": "1"}).optional()
    if fault:
        door.router.get("http://elsewhere.test/").reply(Refuse()).optional()
    assert expected == await refused(door.open_session(), URL, headers)
    assert not door.router.calls


@pytest.mark.parametrize("headers", NOT_TEXT.values(), ids=NOT_TEXT)
async def test_no_text_for_a_real_server(headers: Any, network: Network) -> None:
    """The same for a server of this machine beside a mock, and through a mock that lets it out."""

    async def answer(request: web.BaseRequest) -> web.Response:
        raise AssertionError(request)

    await network.serve_web(answer)
    url = f"http://127.0.0.1:{network.port}/"
    expected = await refused(aiohttp.ClientSession(), url, headers)
    with mock() as router:
        router.get(URL).optional()
        assert expected == await refused(aiohttp.ClientSession(), url, headers)
        router.passthrough("http://a.test")
        connector = aiohttp.TCPConnector(resolver=Names(network.port))
        assert expected == await refused(aiohttp.ClientSession(connector=connector), URL, headers)


@pytest.mark.parametrize("value", ["a\udc80b", "\ud800"], ids=["surrogate-escape", "surrogate"])
async def test_surrogates(value: str, door: Door, network: Network) -> None:
    """aiohttp leaves surrogates out, or refuses them; a route that fails connections changes nothing."""
    seen: list[object] = []

    async def answer(request: web.BaseRequest) -> web.Response:
        seen.append(request.headers["X-A"])
        return web.Response()

    async def ask(session: aiohttp.ClientSession) -> object:
        async with session:
            try:
                return (await session.get(URL, headers={"X-A": value})).status
            except ValueError as exc:
                return str(exc)

    await network.serve_web(answer)
    expected = await ask(network.open_session())
    door.router.get("http://elsewhere.test/").reply(Refuse()).optional()
    route = door.router.get(URL).optional()
    assert expected == await ask(door.open_session())
    assert seen == [call.request.headers["X-A"] for call in route.calls]


async def test_surrogates_and_a_failing_connection(door: Door) -> None:
    """Where the connection fails, headers are matched as they would have been sent."""
    door.router.get(URL, headers={"X-A": "ab"}).reply(Refuse())
    async with door.open_session() as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(URL, headers={"X-A": "a\udc80b"})


BLANKS = [" padded ", "\tpadded\t", "a b", "a \t ", "", " ", "=?utf-8?q? "]
COOKIES = ["flag; b=2", "flag", "a=1; flag; b=2", "a=1 b=2", 'a="1 2"; b=3', "a=b=c"]
ODD_COOKIES = [
    "a=hello world; b=1",
    'a="1;2"; b="x\\"y"; c="\\303"',
    'a="open; b=2',
    "a=; =b; c=3",
    "a,b=1; c=2",
    "a[0]=1; $Path=/; path=x",
    "a=Wed, 09 Jun 2021 10:18:14 GMT; b=1",
    "a=\u00e9; b=2",
    "a = 1 ; b =2",
    ";;a=1;;",
]


async def sent(session: aiohttp.ClientSession, url: Any, headers: Any) -> None:
    async with session, session.get(url, headers=headers) as response:
        assert 200 == response.status


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("X-A", value) for value in BLANKS),
        *(("Cookie", value) for value in [*COOKIES, *(ODD_COOKIES if IS_TOLERANT else [])]),
    ],
)
async def test_as_aiohttps_server_reads_it(name: str, value: str, door: Door, network: Network) -> None:
    """Blanks around values, and cookies of every form, are read as aiohttp's server does."""
    seen: list[tuple[object, object]] = []

    def fields(raw: Any) -> list[object]:
        return [field for field in raw if field[0] == name.encode()]

    async def answer(request: web.BaseRequest) -> web.Response:
        seen.append((fields(request.raw_headers), dict(request.cookies)))
        return web.Response()

    await network.serve_web(answer)
    headers = CIMultiDict({name: value})
    await sent(network.open_session(), URL, headers)
    route = door.router.get(URL)
    await sent(door.open_session(), URL, headers)
    async with Upstream() as up:
        up.get("/")
        await sent(aiohttp.ClientSession(connector=RealConnector()), up.url, headers)
    for request in (route.calls.one().request, up.calls.one().request):
        assert seen == [(fields(request.raw_headers), dict(request.cookies))]


async def test_blanks_are_no_difference(door: Door) -> None:
    """A route asks for a value without the blanks around it."""
    route = door.router.get(URL, headers={"X-A": "padded"}, cookies={"a": "1"})
    headers = {"X-A": " padded", "Cookie": "a=1 "}
    await sent(door.open_session(), URL, headers)
    assert "padded" == route.calls.one().request.headers["X-A"]
