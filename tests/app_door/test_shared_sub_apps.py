"""Sub-apps that several parents have, one after the other, as where each test makes its app anew."""

from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from aiotest_kit import StubClient, StubServer, mock


async def where(request: web.Request) -> web.Response:
    return web.Response(text=f"{request.match_info.get('id', '')} at {request.path}")


def shared_app(folder: Path) -> web.Application:
    """A sub-app with each kind of resource, and a sub-app of its own."""
    (folder / "page.txt").write_text("static")
    inner = web.Application()
    inner.router.add_get("/deep/{id}", where, name="deep")
    shared = web.Application()
    shared.router.add_get("/plain", where, name="plain")
    shared.router.add_get("/items/{id}", where)
    shared.router.add_static("/files", folder)
    shared.add_subapp("/inner", inner)
    return shared


def parent_of(shared: web.Application, prefix: str) -> web.Application:
    app = web.Application()
    app.add_subapp(prefix, shared)
    return app


async def answers(app: web.Application, prefix: str) -> list[tuple[int, str]]:
    """What each resource of the sub-app answers."""
    paths = ("plain", "items/7", "files/page.txt", "inner/deep/8")
    async with StubClient(StubServer(app)) as client:
        responses = [await client.get(f"{prefix}/{path}") for path in paths]
        return [(response.status, await response.text()) for response in responses]


def expected(prefix: str) -> list[tuple[int, str]]:
    return [
        (200, f" at {prefix}/plain"),
        (200, f"7 at {prefix}/items/7"),
        (200, "static"),
        (200, f"8 at {prefix}/inner/deep/8"),
    ]


@pytest.mark.parametrize("prefixes", [["/a", "/a", "/a"], ["/a", "/b", "/a.b"]], ids=["same", "other"])
async def test_new_parents(tmp_path: Path, prefixes: list[str]) -> None:
    """A sub-app works in each parent that is made for it."""
    shared = shared_app(tmp_path)
    for prefix in prefixes:
        assert expected(prefix) == await answers(parent_of(shared, prefix), prefix)


async def test_parents_in_turn(tmp_path: Path) -> None:
    """A parent that was used before may be used again, whoever had its sub-app meanwhile."""
    shared = shared_app(tmp_path)
    first = parent_of(shared, "/a")
    assert expected("/a") == await answers(first, "/a")
    second = parent_of(shared, "/b")
    for parent, prefix in ((second, "/b"), (first, "/a"), (first, "/a"), (second, "/b")):
        assert expected(prefix) == await answers(parent, prefix)


async def test_paths_are_as_before(tmp_path: Path) -> None:
    """A run leaves the paths of the sub-app's resources as they are."""
    shared = shared_app(tmp_path)
    parent = parent_of(shared, "/a")
    assert URL("/a/plain") == shared.router["plain"].url_for()
    await answers(parent, "/a")
    assert URL("/a/plain") == shared.router["plain"].url_for()


async def test_mounted(tmp_path: Path) -> None:
    """So it is for apps that are mounted in a router."""
    shared = shared_app(tmp_path)
    for prefix in ("/a", "/b"):
        async with mock() as router, aiohttp.ClientSession() as session:
            router.mount("https://api.test", parent_of(shared, prefix))
            async with session.get(f"https://api.test{prefix}/plain") as response:
                assert (200, f" at {prefix}/plain") == (response.status, await response.text())


async def test_routes_that_are_added_between_parents(tmp_path: Path) -> None:
    """A sub-app that grew is left as its new parent made it."""
    shared = shared_app(tmp_path)
    async with StubClient(StubServer(parent_of(shared, "/one"))) as client:
        assert 200 == (await client.get("/one/plain")).status
    shared.router._frozen = False
    shared.router.add_get("/more", where)
    async with StubClient(StubServer(parent_of(shared, "/two"))) as client:
        assert 200 == (await client.get("/two/more")).status
