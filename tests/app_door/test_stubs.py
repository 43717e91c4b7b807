"""Single routes of an app, answered by stubs in the place of their handlers."""

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.typedefs import Handler

from aiotest_kit import (
    AppRequest,
    ConnectTimeout,
    DNSFailure,
    Flaky,
    ProxyError,
    Refuse,
    Reply,
    Reset,
    Stub,
    Stubs,
    TLSFailure,
    UsageError,
    make_request,
    named_route,
)
from aiotest_kit._app_door.app_routes import NamedRoute
from aiotest_kit._app_door.server import Door

from .conftest import Client, Open

NO_NAME: Any = 7


async def user(request: web.Request) -> web.Response:
    return web.json_response({"id": request.match_info["id"]})


async def me(request: web.Request) -> web.Response:
    return web.json_response({"id": "me"})


async def created(request: web.Request) -> web.Response:
    return web.json_response(await request.json(), status=201)


async def upload(request: web.Request) -> web.Response:
    """Reads its body as a stream."""
    size = 0
    async for piece in request.content.iter_any():
        size += len(piece)
    return web.json_response({"size": size})


class Item(web.View):
    async def get(self) -> web.Response:
        return web.Response(text=f"item {self.request.match_info['number']}")

    async def put(self) -> web.Response:
        return web.Response(status=204)


@web.middleware
async def signed(request: web.Request, handler: Handler) -> web.StreamResponse:
    response = await handler(request)
    response.headers["X-Signed"] = "yes"
    return response


def make_app(static: Path | None = None) -> web.Application:
    admin = web.Application()
    admin.router.add_get("/stats/{day}", user_stats, name="stats")
    app = web.Application(middlewares=[signed])
    app.router.add_get("/users/me", me)
    app.router.add_get(r"/users/{id:\w+}", user, name="user-detail")
    app.router.add_post("/users", created)
    app.router.add_post("/upload", upload)
    app.router.add_view(r"/items/{number:\d+}", Item)
    app.add_subapp("/admin", admin)
    if static is not None:
        app.router.add_static("/static", static, name="files")
    return app


async def user_stats(request: web.Request) -> web.Response:
    return web.Response(text=f"stats of {request.match_info['day']}")


async def status_of(client: Client, method: str, path: str) -> int:
    async with client.request(method, path) as response:
        return response.status


@pytest.mark.parametrize(
    ("place", "path"),
    [
        pytest.param("/users/{id}", "/users/7", id="template"),
        pytest.param(r"/users/{id:\w+}", "/users/7", id="template with its regex"),
        pytest.param("/users/7", "/users/7", id="concrete"),
        pytest.param("/users/me", "/users/me", id="plain"),
        pytest.param(named_route("user-detail"), "/users/7", id="name"),
        pytest.param("/items/{number}", "/items/3", id="view"),
        pytest.param("/admin/stats/{day}", "/admin/stats/monday", id="sub-app"),
        pytest.param("/admin/stats/monday", "/admin/stats/monday", id="concrete in a sub-app"),
        pytest.param(named_route("stats"), "/admin/stats/monday", id="name in a sub-app"),
        pytest.param("/static", "/static/a.txt", id="static"),
        pytest.param("/static/a.txt", "/static/a.txt", id="a static file"),
        pytest.param(named_route("files"), "/static/a.txt", id="name of static files"),
    ],
)
async def test_a_stub_answers_in_the_place_of(
    place: str | NamedRoute, path: str, open_client: Open, door: Door, tmp_path: Path
) -> None:
    """A stub is found by the path that is registered, by one that it serves, and by name."""
    (tmp_path / "a.txt").write_text("a")
    client = await open_client(make_app(tmp_path), door=door)
    assert 200 == await status_of(client, "GET", path)

    stub = client.stubs.get(place).reply(418)

    assert 418 == await status_of(client, "GET", path)
    stub.assert_called_once_with(method="GET")
    stub.remove()
    assert 200 == await status_of(client, "GET", path)


async def test_a_concrete_path_is_stubbed_alone(open_client: Open) -> None:
    """The other paths of its route are the app's."""
    client = await open_client(make_app())
    client.stubs.get("/users/7").reply(418)

    assert [418, 200] == [await status_of(client, "GET", path) for path in ("/users/7", "/users/8")]


async def test_a_template_is_for_what_the_app_resolves_to_it(open_client: Open) -> None:
    """A path that would match, but which the app has under a route of its own, is not stubbed."""
    client = await open_client(make_app())
    client.stubs.get("/users/{id}").reply(418)

    assert [200, 418] == [await status_of(client, "GET", path) for path in ("/users/me", "/users/7")]


async def test_the_newest_stub_wins(open_client: Open) -> None:
    """A spent stub leaves its requests to an older one, and then to the app."""
    client = await open_client(make_app())
    client.stubs.get("/users/{id}").reply(503, times=1)
    client.stubs.get("/users/7").reply(502, times=1)

    assert [502, 503, 200] == [await status_of(client, "GET", "/users/7") for _ in range(3)]


async def test_stubs_of_two_clients(open_client: Open) -> None:
    """Two clients of one app have stubs of their own, at the same time."""
    app = make_app()
    one, two = await open_client(app), await open_client(app, base_url="https://two.test")
    one.stubs.get("/users/7").reply(501)
    two.stubs.get("/users/7").reply(502)

    assert [501, 502] == [await status_of(client, "GET", "/users/7") for client in (one, two)]
    await one.close()
    assert 502 == await status_of(two, "GET", "/users/7")


@pytest.mark.parametrize(
    ("options", "body", "is_stubbed"),
    [
        ({"json": {"name": "Ann"}}, {"name": "Ann"}, True),
        ({"json": {"name": "Ann"}}, {"name": "Bob"}, False),
        ({"where": lambda request: request.json()["name"] == "Ann"}, {"name": "Ann"}, True),
        ({"headers": {"X-Key": "k"}}, {}, False),
    ],
)
async def test_what_a_stub_asks(
    options: dict[str, Any], body: object, is_stubbed: bool, open_client: Open, door: Door
) -> None:
    """A stub may ask for more than its route; what it does not answer the app does, body included."""
    client = await open_client(make_app(), door=door)
    stub = client.stubs.post("/users", **options).reply(418)

    async with client.post("/users", json=body) as response:
        assert (418 if is_stubbed else 201) == response.status
        if not is_stubbed:
            assert body == await response.json()
    assert is_stubbed is stub.called
    assert body == client.calls.one().request.json()


async def test_a_streamed_body_that_no_stub_answers(open_client: Open, door: Door) -> None:
    """A handler may read as a stream what a stub had to look at, however long it is."""
    client = await open_client(make_app(), door=door)
    client.stubs.post("/upload", body=b"nothing").reply(418)
    body = b"x" * 5_000_000

    async with client.post("/upload", data=io.BytesIO(body)) as response:
        assert {"size": len(body)} == await response.json()
    assert body == client.calls.one().request.body


async def test_a_stub_has_the_request(open_client: Open, door: Door) -> None:
    """A stub's handler and its log have the whole request, as the server received it."""
    client = await open_client(make_app(), door=door)
    seen: list[AppRequest] = []

    def answer(request: AppRequest) -> Reply:
        seen.append(request)
        return Reply(200, json={"id": request.match_info["id"], "name": request.json()["name"]})

    stub = client.stubs.route("GET", "/users/{id}").reply(answer)
    async with client.get("/users/7?page=2", json={"name": "Ann"}) as response:
        assert {"id": "7", "name": "Ann"} == await response.json()

    assert [call.request for call in stub.calls] == seen
    stub.assert_called_once_with(query={"page": "2"}, json={"name": "Ann"})
    assert seen[0].web_request.app is client.app
    assert client.make_url("/users/7?page=2") == seen[0].url
    assert seen[0].route in set(client.app.router["user-detail"])


async def test_middlewares_run_around_a_stub(open_client: Open) -> None:
    """They see its reply as they would see the handler's, unless it is to answer before them."""
    client = await open_client(make_app())
    client.stubs.get("/users/7").reply(418)
    client.stubs.get("/users/8", before_middlewares=True).reply(418)

    async with client.get("/users/7") as response:
        assert (418, "yes") == (response.status, response.headers["X-Signed"])
    async with client.get("/users/8") as response:
        assert (418, None) == (response.status, response.headers.get("X-Signed"))
    async with client.get("/users/9") as response:
        assert (200, "yes") == (response.status, response.headers["X-Signed"])


@pytest.mark.parametrize("before_middlewares", [False, True])
async def test_original(before_middlewares: bool, open_client: Open) -> None:
    """A stub's handler may ask the app, and change or pass on what it answers."""
    client = await open_client(make_app())
    stub = client.stubs.get("/users/{id}", before_middlewares=before_middlewares)

    async def wrapped(request: AppRequest) -> web.StreamResponse:
        response = await stub.original(request)
        assert before_middlewares is ("X-Signed" in response.headers)
        response.headers["X-Wrapped"] = "yes"
        return response

    stub.reply(wrapped)
    async with client.get("/users/7") as response:
        assert {"id": "7"} == await response.json()
        assert ("yes", "yes") == (response.headers["X-Wrapped"], response.headers["X-Signed"])
    reply = stub.calls.one().reply
    assert reply is not None
    assert {"id": "7"} == reply.json()


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/items/3"), ("GET", "/static/a.txt"), ("GET", "/admin/stats/monday")]
)
async def test_spies(method: str, path: str, open_client: Open, door: Door, tmp_path: Path) -> None:
    """`stub.reply(stub.original)` only looks, whatever the handler is."""
    (tmp_path / "a.txt").write_text("a")
    client = await open_client(make_app(tmp_path), door=door)
    async with client.request(method, path) as response:
        expected = response.status, await response.read()
    stub = client.stubs.route(method, path)
    stub.reply(stub.original)

    async with client.request(method, path) as response:
        assert expected == (response.status, await response.read())
    stub.assert_called_once()


async def test_original_raises(open_client: Open) -> None:
    """What the handler raises for HTTP, a middleware still sees raised."""
    seen: list[str] = []

    @web.middleware
    async def watching(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPException as exc:
            seen.append(exc.reason)
            raise

    async def missing(request: web.Request) -> web.Response:
        raise web.HTTPNotFound(reason="no such thing")

    app = web.Application(middlewares=[watching])
    app.router.add_get("/thing", missing)
    client = await open_client(app)
    stub = client.stubs.get("/thing")
    stub.reply(stub.original)

    assert 404 == await status_of(client, "GET", "/thing")
    assert ["no such thing"] == seen


@pytest.mark.parametrize("how", ["original", "serve"])
async def test_errors_for_the_middlewares(open_client: Open, how: str) -> None:
    """What the app's handler raises, or one in its place, a middleware makes a response of as ever."""

    @web.middleware
    async def no_key(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except KeyError as exc:
            return web.Response(status=404, text=f"no {exc}")

    async def missing(request: web.Request) -> web.Response:
        raise KeyError("thing")

    app = web.Application(middlewares=[no_key])
    app.router.add_get("/thing", missing)
    client = await open_client(app)
    stub = client.stubs.get("/thing")
    if how == "original":
        stub.reply(stub.original)
    else:
        stub.serve(missing)

    async with client.get("/thing") as response:
        assert (404, "no 'thing'") == (response.status, await response.text())
    call = client.calls.one()
    assert call.exception is None
    assert call.reply is not None
    assert 404 == call.reply.status
    assert isinstance(stub.calls.one().exception, KeyError)


async def test_errors_that_escape(open_client: Open) -> None:
    """What no middleware catches fails the test as an error of the app, once."""

    async def missing(request: web.Request) -> web.Response:
        raise KeyError("thing")

    app = web.Application()
    app.router.add_get("/thing", missing)
    client = await open_client(app)
    stub = client.stubs.get("/thing")
    stub.reply(stub.original)

    assert 500 == await status_of(client, "GET", "/thing")
    with pytest.raises(KeyError, match="thing"):
        await client.close()
    assert 1 == len(client.stub_server.handler_errors)


@web.middleware
async def with_user(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Hands a copy of the request on, as one does that knows who is behind a proxy."""
    copy = request.clone(remote="198.51.100.7", headers={**request.headers, "X-User": "ann"})
    return await handler(copy)


async def who(request: web.Request) -> web.Response:
    return web.Response(text=f"{request.headers['X-User']} at {request.remote} says {await request.text()}")


@pytest.mark.parametrize("before_middlewares", [False, True])
async def test_a_copy_of_the_request_has_its_body(open_client: Open, before_middlewares: bool) -> None:
    """Where a stub has looked at the body and does not match, the app reads it, from a copy too."""
    app = web.Application(middlewares=[with_user])
    app.router.add_post("/", who)
    client = await open_client(app)
    client.stubs.post("/", json=[1], before_middlewares=before_middlewares).optional()

    async with client.post("/", json=[2]) as response:
        assert "ann at 198.51.100.7 says [2]" == await response.text()


@pytest.mark.parametrize("how", ["original", "serve"])
async def test_a_copy_of_the_request_is_what_handlers_get(open_client: Open, how: str) -> None:
    """What a middleware made of the request, the app's handler is given, and one in its place."""
    app = web.Application(middlewares=[with_user])
    app.router.add_post("/", who)
    client = await open_client(app)
    stub = client.stubs.post("/", body="hi")
    if how == "original":
        stub.reply(stub.original)
    else:
        stub.serve(who)

    async with client.post("/", data="hi") as response:
        assert "ann at 198.51.100.7 says hi" == await response.text()
    asked = stub.calls.one().request
    assert isinstance(asked, AppRequest)
    assert ("ann", None) == (asked.web_request.headers["X-User"], asked.headers.get("X-User"))


async def test_middlewares_see_the_handler(open_client: Open) -> None:
    """The app's own is the one that its middlewares ask about, stubbed or not."""
    seen: list[object] = []

    @web.middleware
    async def asking(request: web.Request, handler: Handler) -> web.StreamResponse:
        seen.append(request.match_info.handler)
        return await handler(request)

    app = web.Application(middlewares=[asking])
    app.router.add_get("/", who)
    client = await open_client(app)
    client.stubs.get("/").reply(204)

    assert 204 == await status_of(client, "GET", "/")
    assert [who] == seen


async def test_original_elsewhere() -> None:
    """Outside of a handler of a stub there is nothing that it could ask."""
    stub = Stubs(make_app()).get("/users/me")

    with pytest.raises(UsageError) as caught:
        await stub.original(make_request("GET", "/users/me"))

    assert (
        "original() is for a handler of the stub, while it answers: "
        "async def handler(request): return await stub.original(request)"
    ) == str(caught.value)


@pytest.mark.parametrize(
    ("method", "place", "message"),
    [
        pytest.param(
            "GET",
            "/user/{id}",
            "the app has no route GET /user/{id}; nearest of 9:\n"
            '  GET|HEAD /users/{id}  "user-detail"\n'
            "  GET|HEAD /users/me\n"
            "  POST /users",
            id="path",
        ),
        pytest.param(
            "DELETE",
            "/users/{id}",
            'the app has no route DELETE /users/{id}; nearest of 9:\n  GET|HEAD /users/{id}  "user-detail"',
            id="method",
        ),
        pytest.param(
            "DELETE",
            "/items/3",
            "the app has no route DELETE /items/3; nearest of 9:\n  GET|PUT /items/{number}",
            id="method of a view",
        ),
        pytest.param(
            "GET",
            named_route("user"),
            "the app has no route GET named_route('user'); nearest of 9:\n"
            '  GET|HEAD /users/{id}  "user-detail"\n'
            '  GET|HEAD /admin/stats/{day}  "stats"\n'
            "  GET|HEAD /users/me",
            id="name",
        ),
        pytest.param(
            "GET",
            re.compile("/users"),
            "a stub is for a path of the app, such as '/users/{id}', or a named_route(...); "
            "got re.compile('/users')",
            id="regex",
        ),
    ],
)
def test_what_the_app_does_not_have(method: str, place: Any, message: str) -> None:
    """A stub of no route of the app is refused at once, with the nearest there are."""
    with pytest.raises(UsageError) as caught:
        Stubs(make_app()).route(method, place)

    assert message == str(caught.value)


def test_the_method_of_a_route_for_any() -> None:
    """A route for every method can be stubbed for one of them."""
    app = web.Application()
    app.router.add_route("*", "/any", me)

    assert "PUT" == Stubs(app).put("/any").pattern.methods[0]
    # Several may come from what can be read once.
    assert ("PUT", "PATCH") == Stubs(app).route(iter(["put", "PATCH"]), "/any").pattern.methods


async def test_every_verb(open_client: Open) -> None:
    """Each verb is a stub for its own method."""
    app = web.Application()
    app.router.add_route("*", "/any", me)
    client = await open_client(app)
    stubs = client.stubs
    verbs = [stubs.get, stubs.post, stubs.put, stubs.patch, stubs.delete, stubs.head, stubs.options]
    for verb in verbs:
        stub = verb("/any", name=verb.__name__).reply(202)
        assert 202 == await status_of(client, verb.__name__.upper(), "/any")
        stub.assert_called_once()
        stub.remove()
    stubs.any("/any").reply(204)
    assert [204, 204] == [await status_of(client, method, "/any") for method in ("GET", "PATCH")]


async def test_stub_of_another_path(open_client: Open) -> None:
    """A stub that was not called shows the nearest of the app's calls, and what differs in it."""
    client = await open_client(make_app())
    stub = client.stubs.get("/users/7").reply(418)
    for path in ("/items/3", "/users/8"):
        await status_of(client, "GET", path)

    with pytest.raises(AssertionError) as caught:
        stub.assert_called_once()

    assert (
        f"<Route GET /users/7 ({stub.location})> was called 0 times, not once\n"
        f"  nearest: GET {client.make_url('/users/8')}\n"
        "       url path   expected '/users/7'   actual '/users/8'"
    ) == str(caught.value)


def why_not_called(stub: Stub) -> str:
    with pytest.raises(AssertionError) as caught:
        stub.assert_called()
    return str(caught.value)


async def test_stub_that_came_too_late(open_client: Open) -> None:
    """A stub that would have answered is told what did: the app, before it was there, or another stub."""
    client = await open_client(make_app())
    await status_of(client, "GET", "/users/8")
    late = client.stubs.get("/users/8").optional().reply(418)
    url = client.make_url("/users/8")

    assert why_not_called(late) == (
        f"<Route GET /users/8 ({late.location})> was not called\n"
        f"  GET {url} matches now, but it came before the route was added or changed"
    )

    newer = client.stubs.get("/users/8", name="newer").reply(418)
    await status_of(client, "GET", "/users/8")
    assert why_not_called(late) == (
        f"<Route GET /users/8 ({late.location})> was not called\n"
        f'  GET {url} matches, but was answered by GET /users/8 "newer" ({newer.location})'
    )


async def test_the_query_of_a_stub(open_client: Open) -> None:
    """A query may be in the URL of a stub, or beside it."""
    client = await open_client(make_app())
    client.stubs.get("/users/7?page=2").reply(418)
    client.stubs.get("/users/7", query={"page": 3}).reply(419)
    asked = [await status_of(client, "GET", f"/users/7?page={page}") for page in (1, 2, 3)]

    assert [200, 418, 419] == asked


def two_of_a_name() -> web.Application:
    sub_app = web.Application()
    sub_app.router.add_get("/one", me, name="same")
    app = web.Application()
    app.router.add_get("/two", me, name="same")
    app.add_subapp("/sub", sub_app)
    return app


@pytest.mark.parametrize(
    ("act", "message"),
    [
        pytest.param(
            lambda: Stubs(make_app()).get("/users/7?page=2", query={"page": 2}),
            "'/users/7?page=2' has a query, and query= is given too; give it in one of them",
            id="two queries",
        ),
        pytest.param(
            lambda: Stubs(two_of_a_name()).get(named_route("same")),
            "named_route('same') is the name of several routes; stub one by its path: /two, /sub/one",
            id="two routes",
        ),
        pytest.param(
            lambda: Stubs(web.Application()).get("/x"),
            "the app has no route GET /x; it has no routes at all",
            id="no routes",
        ),
        pytest.param(
            lambda: named_route(NO_NAME), "a route is named by a str; got 7", id="a name that is no text"
        ),
        pytest.param(
            lambda: Stubs(web.Application()).host("https://api.test"),
            "host('https://api.test'): stubs are for one app; give them whole paths",
            id="host",
        ),
        pytest.param(
            lambda: Stubs(web.Application()).mount("https://api.test", web.Application()),
            "mount('https://api.test'): an app is not mounted in another; aiohttp_mock.mount() is",
            id="mount",
        ),
        pytest.param(
            lambda: Stubs(web.Application()).passthrough("https://api.test"),
            "passthrough(): what no stub answers, the app does",
            id="passthrough",
        ),
    ],
)
def test_what_is_not_for_an_app(act: Callable[[], object], message: str) -> None:
    """What a stub cannot be is refused at once."""
    with pytest.raises(UsageError) as caught:
        act()

    assert message == str(caught.value)


@pytest.mark.parametrize(
    "fault",
    [
        Refuse(),
        DNSFailure(),
        ConnectTimeout(),
        TLSFailure(),
        Flaky(Refuse(), 0.5, seed=1),
        Flaky(Reset(), 0.5, seed=1, reply=Refuse()),
    ],
    ids=repr,
)
def test_what_happens_before_a_connection(fault: object) -> None:
    """A stub answers a request that has come, so nothing can keep its client from connecting."""
    with pytest.raises(UsageError) as caught:
        Stubs(make_app()).get("/users/me").reply(fault)

    assert (
        f"{fault!r} happens before a client is connected, and a stub answers one that is; reply with a fault "
        "on the wire such as Reset()"
    ) == str(caught.value)


async def test_flaky_proxy(open_client: Open) -> None:
    """A stub may say what a proxy does, now and then, and raise in the client otherwise."""
    client = await open_client(make_app(), door="memory")
    client.stubs.get("/users/me").reply(Flaky(ProxyError(502), 0.5, seed=1, reply=KeyError("at home")))
    met: list[object] = []
    for _ in range(8):
        try:
            met.append(await status_of(client, "GET", "/users/me"))
        except KeyError as error:
            met.append(error.args)
    assert {502, ("at home",)} == set(met)
