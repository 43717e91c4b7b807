"""URLs whose scheme says that HTTP goes another way than by TCP to a port: unix, tcp, and connectors' own."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import client_exceptions, web
from yarl import URL

from aiotest_kit import DNSFailure, Refuse, Router, TLSFailure, UsageError, mock, mock_session
from tests.doors.conftest import Door

pytestmark = pytest.mark.memory_door


class DockerConnector(aiohttp.UnixConnector):
    """A connector that takes a scheme of its own, as some libraries have one."""

    allowed_protocol_schema_set = frozenset({"http+docker"})


def unix() -> aiohttp.BaseConnector:
    return aiohttp.UnixConnector("/nowhere.sock")


def docker() -> aiohttp.BaseConnector:
    return DockerConnector("/nowhere.sock")


SCHEMES: dict[str, tuple[str, Callable[[], aiohttp.BaseConnector]]] = {
    "unix": ("unix://localhost", unix),
    "tcp": ("tcp://engine.test:2375", aiohttp.TCPConnector),
    "own": ("http+docker://localhost", docker),
}


Origin = tuple[str, Callable[[], aiohttp.BaseConnector]]


@pytest.fixture(params=SCHEMES.values(), ids=list(SCHEMES))
def origin(request: pytest.FixtureRequest) -> Origin:
    """The origin, and what makes a connector that takes it."""
    found: Origin = request.param
    return found


async def ask(door: Door, origin: Origin, path: str = "/version", **options: Any) -> Any:
    """The status and text of a call."""
    async with (
        door.open_session(connector=origin[1]()) as session,
        session.get(origin[0] + path, **options) as response,
    ):
        return response.status, await response.text()


@pytest.mark.parametrize("number", [1, 50], ids=["one-route", "many-routes"])
@pytest.mark.parametrize("written", ["itself", "any-scheme", "http", "path", "regex", "url"])
async def test_routes(written: str, number: int, origin: Origin, door: Door) -> None:
    """A route names it by its own scheme, by any, by http or not at all, among few and many."""
    text = origin[0] + "/version"
    url: Any = {
        "itself": text,
        "any-scheme": re.sub("^[^:]*", "*", text),
        "http": re.sub("^[^:]*", "http", text),
        "path": "/version",
        "regex": re.compile(re.escape(text)),
        "url": URL(text),
    }[written]
    for other in range(number - 1):
        door.router.get(f"http://other{other}.test/version").optional()
    door.router.get(url).reply(text="1.2")
    assert (200, "1.2") == await ask(door, origin)


async def test_calls(origin: Origin, door: Door) -> None:
    """The log has the URL as it was, without a port that it has not, and finds calls by it."""
    door.router.get("/version")
    await ask(door, origin, "/version?a=1")
    url = origin[0] + "/version"
    request = door.router.calls.one(url=url).request
    assert URL(url + "?a=1") == request.url
    assert str(request.origin) == origin[0]
    assert [origin[0].partition("://")[2]] == request.headers.getall("Host")
    door.router.assert_any_call(url=url)


async def test_below_a_host(origin: Origin, door: Door) -> None:
    """It can be the prefix of a router, and an app can be put behind it."""
    door.router.host(origin[0] + "/v1").get("/version").reply(text="below")
    assert (200, "below") == await ask(door, origin, "/v1/version")

    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=f"app at {request.host}")

    app = web.Application()
    app.router.add_get("/version", answer)
    door.router.mount(origin[0], app)
    assert (200, f"app at {origin[0].partition('://')[2]}") == await ask(door, origin)


async def test_no_route(origin: Origin, door: Door) -> None:
    """What no route answers is reported with its URL, and a hint where only the scheme differs."""
    door.router.get(origin[0].replace(origin[0].partition(":")[0], "https") + "/version").optional()
    with pytest.raises(aiohttp.ClientConnectionError) as caught:
        await ask(door, origin)
    assert f"no route answered GET {origin[0]}/version" in str(caught.value)
    assert f"the route is https, the request {origin[0].partition(':')[0]}" in str(caught.value)


async def test_refused(door: Door) -> None:
    """Being refused is seen as of the socket."""
    door.router.get("unix://localhost/").reply(Refuse())
    async with door.open_session(connector=unix()) as session:
        with pytest.raises(client_exceptions.UnixClientConnectorError) as caught:
            await session.get("unix://localhost/")
    assert "/nowhere.sock" == caught.value.path


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (TLSFailure(), "TLSFailure(kind='untrusted') cannot happen: unix://localhost is without TLS"),
        (
            DNSFailure(),
            "DNSFailure() cannot happen: the connector connects to /nowhere.sock, and looks up no name",
        ),
    ],
    ids=["tls", "dns"],
)
async def test_cannot_happen(fault: object, message: str) -> None:
    """What has to do with TLS or names cannot happen there."""
    router = Router()
    router.get("unix://localhost/").reply(fault)
    session = mock_session(router, connector=unix())
    with pytest.raises(UsageError) as caught:
        await session.get("unix://localhost/")
    with pytest.raises(UsageError) as at_the_end:
        await session.close()
    assert message == str(caught.value)
    assert caught.value is at_the_end.value
    assert [caught.value] == [error.exception for error in router.handler_errors]


async def test_cannot_happen_to_a_request_either() -> None:
    """Where only the body tells the route, the client gets the same error."""
    router = Router()
    router.post("http://localhost/", json={"a": 1}).reply(DNSFailure())
    async with mock_session(router, connector=unix()) as session:
        with pytest.raises(UsageError, match="and looks up no name"):
            await session.post("http://localhost/", json={"a": 1})


async def test_passthrough(tmp_path: Any) -> None:
    """It can be let out, by its scheme."""

    async def answer(request: web.BaseRequest) -> web.Response:
        return web.Response(text="real")

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.UnixSite(runner, f"{tmp_path}/s").start()
    router = Router()
    router.passthrough("unix://localhost")
    with mock(router):
        async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(f"{tmp_path}/s")) as session:
            assert "real" == await (await session.get("unix://localhost/")).text()
    await runner.cleanup()
