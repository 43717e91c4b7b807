"""The doors, and what is opened beside them, to a type checker. Nothing here is run."""

import aiohttp
from aiohttp import web
from typing_extensions import assert_type
from yarl import URL

from aiotest_kit import (
    AppCall,
    Call,
    Calls,
    Mock,
    Override,
    Route,
    Router,
    SessionCall,
    Stub,
    StubClient,
    Stubs,
    StubServer,
    Tls,
    UnmetExpectations,
    Upstream,
    VirtualClock,
    around_requests,
    make_request,
    mock,
    mock_session,
    named_route,
    virtual_time,
)


async def memory(router: Router) -> None:
    with mock() as made:
        assert_type(made, Router)
    async with mock(router, unmatched="passthrough", loopback=False) as same:
        assert_type(same, Router)
    assert_type(mock(), Mock)
    assert_type(mock_session(router, base_url="https://api.test"), aiohttp.ClientSession)
    async with mock_session(router) as session, session.get("/") as response:
        assert_type(response, aiohttp.ClientResponse)


@mock(strict=True, unused="allow")
async def decorated(router: Router, number: int) -> int:
    return number


@mock()
def decorated_sync() -> str:
    return ""


async def of_decorated() -> None:
    assert_type(await decorated(5), int)
    assert_type(decorated_sync(), str)
    with mock(strict=True, unmatched="allow", unused="error") as router:
        assert_type(router, Router)
    assert_type(issubclass(UnmetExpectations, AssertionError), bool)


async def loopback() -> None:
    async with Upstream(host="::1", tls=Tls("client-cert")) as upstream:
        assert_type(upstream, Upstream)
        assert_type(upstream.get("/users").reply(200), Route)
        assert_type(upstream.url, URL)
        assert_type(upstream.port, int)
        assert_type(upstream.calls, Calls[Call[Route]])
    with Upstream(thread=True) as in_thread:
        assert_type(in_thread, Upstream)


NUMBER = web.AppKey("NUMBER", int)


async def app(application: web.Application) -> None:
    async with StubClient(StubServer(application)) as client:
        # aiohttp's own `__aenter__` says what it gives; it is this client.
        assert isinstance(client, StubClient)
        assert_type(client.stubs, Stubs)
        assert_type(client.calls, Calls[AppCall])
        assert_type(client.override(NUMBER, 2), Override[int])
        assert_type(client.override("name", "value"), Override[str])
        with client.override(NUMBER, 2) as number:
            assert_type(number, int)
        stubs(client.stubs)
        call = client.calls.last
        assert_type(call, AppCall)
        assert_type(call.stub, Stub | None)
        assert_type(call.name, str | None)
        assert_type(client.calls.where(method="GET")[1:].one(), AppCall)


def stubs(table: Stubs) -> None:
    assert_type(table.get("/users/{id}"), Stub)
    assert_type(table.get(named_route("user-detail"), before_middlewares=True), Stub)
    assert_type(table.route("GET", "/users").reply(200, json=[]).optional(), Stub)

    async def changed(request: web.Request) -> web.StreamResponse:
        response = await stub.original(request)
        response.headers["X-Seen"] = "1"
        return response

    stub = table.get("/users")
    assert_type(stub.reply(changed), Stub)


async def beside(router: Router) -> None:
    async with virtual_time(patience=1) as clock:
        assert_type(clock, VirtualClock)
        assert_type(clock.now, float)
        await clock.advance(5)

    async def timed(call: SessionCall) -> aiohttp.ClientResponse:
        assert_type(call.url, URL)
        return await call.send()

    with around_requests(timed):
        pass
    assert_type(make_request("GET", "/users?page=2", json={"id": 7}), web.Request)
