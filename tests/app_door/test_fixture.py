"""What the fixture `aiohttp_stub_client` takes, and which class of client it makes."""

from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient

from aiotest_kit import StubClient, StubClientFactory, StubServer, UsageError
from aiotest_kit._plugin.stub_clients import stub_class


def make_app() -> web.Application:
    async def hello(request: web.Request) -> web.Response:
        return web.Response(text="hello")

    app = web.Application()
    app.router.add_get("/", hello)
    return app


async def make_later() -> web.Application:
    return make_app()


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: make_app(), id="app"),
        pytest.param(lambda: make_app, id="function"),
        pytest.param(lambda: make_later, id="async function"),
        pytest.param(lambda: StubServer(make_app()), id="server"),
    ],
)
async def test_what_it_takes(make: Callable[[], Any], aiohttp_stub_client: StubClientFactory) -> None:
    """An app, a function that makes one, sync or async, and a server."""
    client = await aiohttp_stub_client(make(), allow_server_errors=False)
    for _ in range(2):
        async with client.get("/") as response:
            assert "hello" == await response.text()


async def test_what_it_does_not_take(aiohttp_stub_client: StubClientFactory) -> None:
    """Anything else is refused by name."""
    no_app: Any = 7
    with pytest.raises(UsageError) as caught:
        await aiohttp_stub_client(no_app)

    assert "a client is for a web.Application or a function that makes one; got 7" == str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"door": "tcp"}, "door= goes to the StubServer, as it is made before its client"),
        (
            {"base_url": "http://a.test", "server_kwargs": {"port": 1}},
            "base_url= and server_kwargs= goes to the StubServer, as it is made before its client",
        ),
    ],
)
async def test_what_a_server_was_told(
    options: dict[str, Any], message: str, aiohttp_stub_client: StubClientFactory
) -> None:
    """A setting of a server that is there already is refused."""
    with pytest.raises(UsageError) as caught:
        await aiohttp_stub_client(StubServer(make_app()), **options)

    assert message == str(caught.value)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, marks=pytest.mark.aiotest(allow_server_errors=True), id="marker"),
        pytest.param({"allow_server_errors": True}, id="keyword"),
    ],
)
async def test_errors_of_a_server_that_is_given(
    options: dict[str, Any], aiohttp_stub_client: StubClientFactory
) -> None:
    """They are allowed by the marker or by the keyword, as those of an app are."""

    async def fail(request: web.Request) -> web.Response:
        raise ValueError

    app = make_app()
    app.router.add_get("/fail", fail)
    client = await aiohttp_stub_client(StubServer(app), **options)

    async with client.get("/fail") as response:
        assert 500 == response.status
    assert () == client.stub_server.handler_errors


class Own(TestClient[Any, Any] if hasattr(TestClient, "__class_getitem__") else TestClient):  # type: ignore[misc]
    """A project's own client."""

    async def hello(self) -> str:
        async with self.get("/") as response:
            text: str = await response.text()
            return text


class OwnStub(StubClient):
    """A project's own client, made for the kit."""


def test_classes() -> None:
    """A client of a project's class is one of the kit's as well."""
    assert (StubClient, OwnStub) == (stub_class(TestClient), stub_class(OwnStub))
    made: Any = stub_class(Own)
    assert ("Own", True, True) == (made.__name__, issubclass(made, Own), issubclass(made, StubClient))


async def test_two_ways_elsewhere(aiohttp_stub_client: StubClientFactory) -> None:
    """A client that has been elsewhere once goes there again, and both connections end with it."""
    client = await aiohttp_stub_client(make_app)
    other = await aiohttp_stub_client(make_app, door="tcp")
    for _ in range(2):
        async with client.session.get(other.make_url("/")) as response:
            assert "hello" == await response.text()


async def test_a_call_before_its_reply(aiohttp_stub_client: StubClientFactory) -> None:
    """While the app has sent nothing, a call has no reply."""
    seen: list[object] = []

    async def look(request: web.Request) -> web.StreamResponse:
        seen.append(client.calls.last.reply)
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"")
        return response

    app = web.Application()
    app.router.add_get("/", look)
    client = await aiohttp_stub_client(app)
    async with client.get("/") as response:
        assert b"" == await response.read()

    assert [None] == seen
