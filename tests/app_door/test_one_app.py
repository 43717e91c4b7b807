"""One app object in several tests: all that a visit over https needs, and nothing of it left for the next.

The tests say of the app what it is before and after them, so they may be run in any order.
"""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.typedefs import Handler

from aiotest_kit import Router, StubClient, StubClientFactory

PRICES = web.AppKey("prices", dict[str, int])
RUNS: list[str] = []
RATE = "https://rates.internal/eur"


@web.middleware
async def signed_in(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Nobody gets past it without a session."""
    if request.path != "/login" and request.cookies.get("session") != "s3cret":
        raise web.HTTPUnauthorized
    response = await handler(request)
    response.headers["X-Signed-In"] = "yes"
    return response


async def login(request: web.Request) -> web.Response:
    response = web.Response(status=204)
    response.set_cookie("session", "s3cret", secure=True, httponly=True)
    return response


async def price(request: web.Request) -> web.Response:
    """A price of this app, at a rate of another one."""
    async with aiohttp.ClientSession() as session, session.get(RATE) as response:
        rate = (await response.json())["rate"]
    return web.json_response({"price": request.config_dict[PRICES][request.match_info["item"]] * rate})


async def stock(request: web.Request) -> web.Response:
    return web.json_response({"left": 7})


async def resources(app: web.Application) -> AsyncIterator[None]:
    RUNS.append("up")
    app[PRICES] = {"pear": 10}
    yield
    assert {"pear": 10} == app[PRICES]
    RUNS.append("down")


def make_app() -> web.Application:
    shop = web.Application()
    shop.router.add_get("/prices/{item}", price, name="price")
    shop.router.add_get("/stock/{item}", stock, name="stock")
    app = web.Application(middlewares=[signed_in])
    app.router.add_post("/login", login)
    app.add_subapp("/shop", shop)
    app.cleanup_ctx.append(resources)
    return app


APP = make_app()


@pytest.fixture(autouse=True)
def is_as_it_was() -> None:
    """The app is as it was made, and each of its runs was cleaned up."""
    assert (False, []) == (APP.frozen, list(APP.items()))
    assert ["up", "down"] * (len(RUNS) // 2) == RUNS


async def visit(client: StubClient) -> list[object]:
    """What a visitor sees: before the login, then the price, then the stock."""
    seen: list[object] = []
    async with client.get("/shop/prices/pear") as response:
        seen.append(response.status)
    async with client.post("/login") as response:
        assert 204 == response.status
    async with client.get("/shop/prices/pear") as response:
        seen.append(await response.json())
    async with client.get("/shop/stock/pear") as response:
        assert "yes" == response.headers["X-Signed-In"]
        seen.append((response.status, await response.text()))
    return seen


async def test_everything_at_once(aiohttp_stub_client: StubClientFactory, aiohttp_mock: Router) -> None:
    """A secure cookie, a call of the app stubbed, a route of it stubbed, a key overridden."""
    rate = aiohttp_mock.get(RATE).reply(json={"rate": 2})
    client = await aiohttp_stub_client(APP, base_url="https://shop.test")
    stub = client.stubs.get("/shop/stock/{item}").reply(503, text="closed")
    client.override(PRICES, {"pear": 30})

    assert [401, {"price": 60}, (503, "closed")] == await visit(client)
    stub.assert_called_once()
    rate.assert_called_once()
    assert [401, 204, 200, 503] == [call.reply and call.reply.status for call in client.calls]


async def test_all_of_it_is_undone(aiohttp_stub_client: StubClientFactory, aiohttp_mock: Router) -> None:
    """The same app, and nothing is left: no cookie, no stub, no answer of another service, no value."""
    assert ((), 0) == (aiohttp_mock.routes, len(aiohttp_mock.calls))
    aiohttp_mock.get(RATE).reply(json={"rate": 3})
    client = await aiohttp_stub_client(APP, base_url="https://shop.test")

    assert ((), 0) == (client.stubs.routes, len(client.calls))
    assert [401, {"price": 30}, (200, '{"left": 7}')] == await visit(client)
