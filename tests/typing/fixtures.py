"""The fixtures, as a suite names their types, to a type checker. Nothing here is run."""

from typing import Any

from aiohttp import web
from typing_extensions import assert_type

from aiotest_kit import (
    Call,
    Calls,
    Route,
    Router,
    StubClient,
    StubClientFactory,
    Upstream,
    VirtualClock,
    mock_fixture,
    upstream_fixture,
)
from aiotest_kit.fixtures import mock_fixture as same_mock_fixture, upstream_fixture as same_upstream_fixture

users_api = upstream_fixture()
on_a_loop = upstream_fixture(scope="module", loop_scope="session", name="orders_api")
api = mock_fixture()
lax_api = mock_fixture(scope="module", unmatched="allow", unused="error", name="lax")
assert_type((api, users_api), tuple[Any, Any])
assert_type((same_mock_fixture(), same_upstream_fixture()), tuple[Any, Any])


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


def wide_ones(users_api: Upstream, api: Router) -> None:
    assert_type(users_api.get("/users"), Route)
    assert_type(api.calls, Calls[Call[Route]])


async def make_app() -> web.Application:
    return web.Application()
