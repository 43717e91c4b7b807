"""An app's runs: what is overridden and recorded meanwhile, and that it is afterwards as it was."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from aiotest_kit import LoopMismatchError, StubClient, StubServer, UsageError, mock
from aiotest_kit._app_door.server import Door

from .conftest import Client, Open

NAME = web.AppKey("name", str)
COUNT = web.AppKey("count", int)


async def name(request: web.Request) -> web.Response:
    return web.Response(text=str(request.config_dict.get(NAME)))


async def broken(request: web.Request) -> web.Response:
    raise ZeroDivisionError("of the app")


async def slow(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b"x")
        await asyncio.sleep(0)


def make_app(log: list[str] | None = None) -> web.Application:
    events = [] if log is None else log

    async def resources(app: web.Application) -> AsyncIterator[None]:
        events.append("up")
        app[NAME] = "real"
        yield
        events.append(f"down {app[NAME]}")

    sub_app = web.Application()
    sub_app.router.add_get("/name", name, name="name of the sub-app".replace(" ", "-"))
    app = web.Application()
    app.router.add_get("/name", name)
    app.router.add_get("/broken", broken, name="broken")
    app.router.add_get("/slow", slow)
    app.add_subapp("/sub", sub_app)
    app.cleanup_ctx.append(resources)
    app["sub"] = sub_app
    return app


pytestmark = pytest.mark.filterwarnings("ignore::aiohttp.web.NotAppKeyWarning")


async def text_of(client: Client, path: str) -> str:
    async with client.get(path) as response:
        return await response.text()


# ---- overrides ----


async def test_override(open_client: Open, door: Door) -> None:
    """A key has another value at once, until its block ends; of two the later holds, whichever ends first."""
    client = await open_client(make_app(), door=door)
    outer = client.override(NAME, "outer")
    with client.override(NAME, "inner") as value:
        assert ("inner", "inner") == (value, await text_of(client, "/name"))
        outer.undo()
        assert "inner" == await text_of(client, "/name")
    assert "real" == await text_of(client, "/name")
    outer.undo()
    assert "real" == await text_of(client, "/name")


async def test_override_of_what_startup_sets() -> None:
    """An override given before the start is there for the startup, and holds over what that sets."""
    log: list[str] = []
    app = make_app(log)
    client = StubClient(StubServer(app))
    client.override(NAME, "early")
    async with client:
        assert "early" == await text_of(client, "/name")

    assert ["up", "down real"] == log
    assert NAME not in app


async def test_override_in_a_sub_app(open_client: Open) -> None:
    """A sub-app's key is its own."""
    app = make_app()
    client = await open_client(app)
    client.override(NAME, "sub", app=app["sub"])

    assert ("real", "sub") == (await text_of(client, "/name"), await text_of(client, "/sub/name"))


async def test_override_of_what_is_not_there(open_client: Open) -> None:
    """A key that the app has not set is there while it is overridden; keys may be text."""
    app = make_app()
    client = await open_client(app)
    with client.override("count", 3), client.override(COUNT, 4):
        assert (3, 4) == (app["count"], app[COUNT])
    assert ("count" in app, COUNT in app) == (False, False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"key": 7}, "a key of an app is a web.AppKey or a str; got 7"),
        (
            {"app": web.Application()},
            "<Application .*> is neither the app of this client nor one of its sub-apps",
        ),
    ],
)
async def test_bad_override(arguments: dict[str, Any], message: str) -> None:
    """What cannot be a key, or has none, is refused."""
    server = StubServer(make_app())
    with pytest.raises(UsageError, match=message):
        server.override(**{"key": NAME, "value": "x", **arguments})


# ---- runs ----


def test_an_app_on_many_loops() -> None:
    """An app serves test after test, each on a loop of its own, and is as it was in between."""
    log: list[str] = []
    app = make_app(log)
    before = list(app.items()), app.frozen

    async def use() -> None:
        async with StubClient(StubServer(app)) as client:
            assert app.frozen
            client.stubs.get("/name").reply(418)
            client.override(NAME, "x")
            async with client.get("/name") as response:
                assert 418 == response.status

    for _ in range(3):
        asyncio.run(use())
        assert before == (list(app.items()), app.frozen)

    assert ["up", "down real"] * 3 == log


async def test_two_servers_of_one_app(open_client: Open) -> None:
    """Servers that are open at once share a run: the first starts it, the last ends it."""
    log: list[str] = []
    app = make_app(log)
    one, two = await open_client(app), await open_client(app, door="tcp")
    await one.close()
    assert (["up"], "real") == (log, await text_of(two, "/name"))
    await two.close()

    assert ["up", "down real"] == log


async def test_one_app_on_two_loops() -> None:
    """An app that runs is refused on another loop, at once."""
    app = make_app()

    def elsewhere() -> None:
        asyncio.run(StubServer(app).start_server())

    async with StubClient(StubServer(app)):
        with pytest.raises(LoopMismatchError, match="is served on another event loop already"):
            await asyncio.get_running_loop().run_in_executor(None, elsewhere)


def test_an_app_whose_loop_is_gone() -> None:
    """A run that was left behind with its loop does not keep the app from another."""
    app = make_app()
    loop = asyncio.new_event_loop()
    server = StubServer(app, door="memory")
    loop.run_until_complete(server.start_server())
    loop.close()

    async def use() -> None:
        async with StubClient(StubServer(app)) as client:
            assert "real" == await text_of(client, "/name")

    asyncio.run(use())


async def test_startup_fails() -> None:
    """The error is raised, what was set up is cleaned up, and the app may try again."""
    log: list[str] = []
    app = make_app(log)
    failures = [LookupError("of the startup")]

    async def fail(app: web.Application) -> None:
        if failures:
            raise failures.pop()

    app.on_startup.append(fail)
    client = StubClient(StubServer(app))
    with pytest.raises(LookupError, match="of the startup"):
        await client.start_server()
    assert ["up", "down real"] == log
    await client.close()
    async with StubClient(StubServer(app)) as client:
        assert "real" == await text_of(client, "/name")


async def test_cleanup_fails() -> None:
    """The error is raised by what closes the client, and the app is as it was."""
    app = make_app()

    async def fail(app: web.Application) -> None:
        raise LookupError("of the cleanup")

    app.on_cleanup.append(fail)
    with pytest.raises(LookupError, match="of the cleanup"):
        async with StubClient(StubServer(app)):
            pass
    assert (NAME in app, app.frozen) == (False, False)


async def test_a_handler_that_does_not_end(open_client: Open, door: Door) -> None:
    """A server does not wait for a handler whose client has gone."""
    client = await open_client(make_app(), door=door)
    response = await client.get("/slow")
    assert b"x" == await response.content.read(1)
    await client.close()

    assert client.calls.one().elapsed is not None


# ---- what the app had ----


async def test_calls(open_client: Open, door: Door) -> None:
    """Every request is in the log, with the app's route for it, and what was sent."""
    client = await open_client(make_app(), door=door)
    for path in ("/name", "/sub/name", "/nothing"):
        await text_of(client, path)
    calls = list(client.calls)

    assert [None, "name-of-the-sub-app", None] == [call.name for call in calls]
    assert [name, name, None] == [call.handler for call in calls]
    assert ["/name", "/sub/name", "/nothing"] == [call.request.path for call in calls]
    replies = [call.reply for call in calls]
    assert [(200, b"real"), (200, b"real"), (404, b"404: Not Found")] == [
        (reply.status, reply.body) for reply in replies if reply is not None
    ]
    assert all("Server" in reply.headers for reply in replies if reply is not None)
    assert "GET" == client.calls.one(url="/nothing").request.method


async def test_error_of_the_app(open_client: Open, door: Door) -> None:
    """The client sees a 500, the log has the error, and closing raises it once."""
    client = await open_client(make_app(), door=door)
    async with client.get("/broken") as response:
        assert 500 == response.status
    call = client.calls.one()
    assert isinstance(call.exception, ZeroDivisionError)
    assert (call.reply and call.reply.status) == 500
    with pytest.raises(ZeroDivisionError, match="of the app"):
        await client.close()
    await client.close()


@pytest.mark.parametrize("result", [None, {"a": 1}])
async def test_a_handler_that_returns_no_response(result: Any) -> None:
    """The client sees aiohttp's 500, and the test is told which handler it was."""

    async def forgetful(request: web.Request) -> Any:
        return result

    app = web.Application()
    app.router.add_get("/", forgetful)
    client = StubClient(StubServer(app))
    await client.start_server()

    async with client.get("/") as response:
        assert 500 == response.status
    with pytest.raises(TypeError) as caught:
        await client.close()
    assert re.fullmatch(
        rf"handler '.*forgetful' \(.*test_apps\.py:\d+\) returned {re.escape(repr(result))}; "
        r"aiohttp's server sends a web\.StreamResponse",
        str(caught.value),
    )
    assert caught.value is client.calls.one().exception


async def test_errors_are_allowed(open_client: Open) -> None:
    """A client for which they are no failure keeps them in the log alone."""
    client = await open_client(make_app(), allow_server_errors=True)
    await text_of(client, "/broken")
    await client.close()

    assert isinstance(client.calls.one().exception, ZeroDivisionError)


async def test_an_error_beside_the_error_of_a_block() -> None:
    """The block's own error is raised, and tells of the app's, where Python has notes."""
    with pytest.raises(KeyError, match="mine") as caught:
        async with StubClient(StubServer(make_app())) as client:
            await text_of(client, "/broken")
            raise KeyError("mine")

    notes = getattr(caught.value, "__notes__", None)
    assert notes in (
        None,
        [
            "ZeroDivisionError('of the app') escaped before, "
            "while <Request GET http://app.test/broken> was answered"
        ],
    )


async def test_an_error_that_is_no_exception(open_client: Open) -> None:
    """A failure of pytest inside of a handler is kept, and the client sees a 500."""

    async def fail(request: web.Request) -> web.Response:
        pytest.fail("in the handler")

    app = web.Application()
    app.router.add_get("/", fail)
    client = await open_client(app)
    async with client.get("/") as response:
        assert 500 == response.status
    with pytest.raises(pytest.fail.Exception, match="in the handler"):
        await client.close()


# ---- where the app is ----

NO_APP: Any = "app"
NO_DOOR: Any = "udp"
no_server: Any = TestServer


async def test_https(open_client: Open) -> None:
    """Over https the app is asked securely, and the client keeps secure cookies."""

    async def log_in(request: web.Request) -> web.Response:
        response = web.json_response([request.scheme, request.secure, str(request.url), request.remote])
        response.set_cookie("session", "s", secure=True)
        return response

    async def log_out(request: web.Request) -> web.Response:
        assert request.transport is not None
        return web.json_response([dict(request.cookies), request.get_extra_info("peercert")])

    app = web.Application()
    app.router.add_get("/in", log_in)
    app.router.add_get("/out", log_out)
    client = await open_client(app, base_url="https://app.test:8443")
    async with client.get("/in") as response:
        assert ["https", True, "https://app.test:8443/in", "127.0.0.1"] == await response.json()
    async with client.get("/out") as response:
        assert [{"session": "s"}, {}] == await response.json()
    assert ("https", "app.test", 8443) == (client.server.scheme, client.host, client.port)


async def test_beside_a_mock() -> None:
    """While a mock is open the client reaches its app, and whatever else it asks for is mocked."""
    with mock() as router:
        router.get("https://other.test/").reply(204)
        async with StubClient(StubServer(make_app())) as client:
            assert "real" == await text_of(client, "/name")
            async with client.session.get("https://other.test/") as response:
                assert 204 == response.status


async def test_elsewhere(open_client: Open) -> None:
    """To other origins the client goes as any other, here to a server on a port."""
    client = await open_client(make_app())
    other = await open_client(make_app(), door="tcp")

    async with client.session.get(other.make_url("/name")) as response:
        assert "real" == await response.text()


async def test_a_server_that_is_closed(open_client: Open) -> None:
    """Its client is refused, as at a closed port."""
    client = await open_client(make_app())
    url = client.make_url("/name")
    await client.server.close()

    with pytest.raises(aiohttp.ClientConnectorError):
        await client.session.get(url)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        pytest.param(
            lambda app: StubServer(NO_APP), "a StubServer is for a web.Application; got 'app'", id="no app"
        ),
        pytest.param(
            lambda app: StubServer(app, door=NO_DOOR), "unknown door 'udp'; doors are: memory, tcp", id="door"
        ),
        pytest.param(
            lambda app: StubServer(app, base_url="https://app.test/v1"),
            "base_url='https://app.test/v1': an app is at an origin, such as 'https://app.test'",
            id="path",
        ),
        pytest.param(
            lambda app: StubServer(app, door="tcp", base_url="https://app.test"),
            "base_url='https://app.test': a server on a port has the URL of that port",
            id="origin of a port",
        ),
        pytest.param(
            lambda app: StubClient(no_server(app)),
            "a StubClient is for a StubServer(app); got <aiohttp.test_utils.TestServer object at ...>",
            id="another server",
        ),
        pytest.param(
            lambda app: StubClient(StubServer(app), connector=object()),
            "connector=: the one of a client in memory is its own; use door='tcp'",
            id="connector",
        ),
    ],
)
async def test_misuse(make: Any, message: str) -> None:
    """What cannot work is refused when it is made."""
    with pytest.raises(UsageError) as caught:
        make(web.Application())

    assert message.partition(" at ...")[0] == str(caught.value)[: len(message.partition(" at ...")[0])]


async def test_an_override_that_has_ended_before_the_start() -> None:
    """It does not come back when the app starts."""
    app = make_app()
    client = StubClient(StubServer(app))
    with client.override(NAME, "early") as value:
        assert "early" == value
    async with client:
        assert "real" == await text_of(client, "/name")


async def test_overrides_of_what_startup_leaves_alone() -> None:
    """They hold over the start, and the app has its own value, or none, when they end."""
    app = make_app()
    app["count"] = 1
    client = StubClient(StubServer(app))
    overrides = [client.override("count", 3), client.override(COUNT, 4)]
    assert "<Override of 'count': 3>" == repr(overrides[0])
    async with client:
        assert (3, 4) == (app["count"], app[COUNT])
        for override in overrides:
            override.undo()
        assert (1, False) == (app["count"], COUNT in app)


@pytest.mark.parametrize("is_served", [False, True])
async def test_a_start_that_cannot_begin(is_served: bool, open_client: Open) -> None:
    """It leaves the app as it was, or to the server that has it already."""
    log: list[str] = []
    app = make_app(log)
    server = StubServer(app, door="memory")
    other = await open_client(app) if is_served else None
    with pytest.raises(TypeError, match="handler_cancellation"):
        await server.start_server(handler_cancellation=False)
    assert is_served is app.frozen
    if other is not None:
        assert "real" == await text_of(other, "/name")
        await other.close()
    assert ["up", "down real"] * is_served == log


async def test_started_twice(open_client: Open) -> None:
    """A server that runs is left alone."""
    log: list[str] = []
    client = await open_client(make_app(log))
    await client.stub_server.start_server()

    assert ["up"] == log


@pytest.mark.parametrize("base_url", ["http://192.0.2.7:8080", "https://[2001:db8::7]"])
async def test_at_an_address(base_url: str, open_client: Open) -> None:
    """An app may be at an address in the place of a name."""
    client = await open_client(make_app(), base_url=base_url)
    async with client.get("/name") as response:
        assert f"{base_url}/name" == str(response.url)
        assert "real" == await response.text()
