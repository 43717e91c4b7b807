"""Single routes of an app, answered by stubs in the place of their handlers."""

from pathlib import Path
from typing import Literal

import pytest
from aiohttp import web
from aiohttp.typedefs import Handler

from aiotest_kit import named_route
from aiotest_kit._app_routes import NamedRoute

from .conftest import Client, Open


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
    place: str | NamedRoute, path: str, open_client: Open, door: Literal["memory", "tcp"], tmp_path: Path
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
