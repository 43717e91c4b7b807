"""The fixtures, as a suite names their types, to a type checker. Nothing here is run."""

from aiohttp import web
from typing_extensions import assert_type

from aiotest_kit import Route, Router, StubClient, StubClientFactory, Upstream, VirtualClock
from aiotest_kit.fixtures import upstream_fixture

users_api = upstream_fixture()
on_a_loop = upstream_fixture(scope="module", loop_scope="session", name="orders_api")


async def all_of_them(
    aiohttp_mock: Router,
    aiohttp_upstream: Upstream,
    aiohttp_stub_client: StubClientFactory,
    virtual_clock: VirtualClock,
) -> None:
    assert_type(aiohttp_mock.get("https://api.test/users"), Route)
    assert_type(aiohttp_upstream.get("/users"), Route)
    assert_type(await aiohttp_stub_client(web.Application()), StubClient)
    assert_type(await aiohttp_stub_client(make_app, door="tcp", allow_server_errors=True), StubClient)
    assert_type(virtual_clock.now, float)


async def make_app() -> web.Application:
    return web.Application()
