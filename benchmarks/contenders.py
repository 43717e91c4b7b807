"""Every way of stubbing that is compared, in one shape: open it, get a session and an origin, close it.

Owns how each tool is used, in the way that its own documentation shows. Knows nothing of clocks, rounds or
tables. The tools are imported where they are used, because each environment has only its own.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import cache, partial
from importlib import import_module
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from .floor import CannedConnector, JoinedConnector

imported = cache(import_module)
"""A module, which a test imports once, at its top."""

ORIGIN = "http://api.test"
BODY = {"id": 7, "name": "Ada", "email": "ada@example.test", "admin": False}


@dataclass(frozen=True)
class Door:
    """An open stub: a session whose calls to ``origin`` it answers, and how to make it forget past calls."""

    session: aiohttp.ClientSession | TestClient[Any, Any]
    origin: str
    forget: Callable[[], object] = lambda: None


Paths = Sequence[str]
Open = Callable[[Paths], AbstractAsyncContextManager[Door]]


@dataclass(frozen=True)
class Contender:
    """One row of a table. ``keep`` is for what can stay from test to test: a server, routes, or an app.

    ``of_app`` says that it is a client of an app, to be compared with ``aiohttp_client`` and not the floor.
    """

    name: str
    environment: str
    open: Open
    ours: bool = False
    records: bool = True
    keep: Callable[[], AbstractAsyncContextManager[Open]] | None = None
    of_app: bool = False


@asynccontextmanager
async def open_floor(paths: Paths) -> AsyncIterator[Door]:
    body = json.dumps(BODY).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    async with aiohttp.ClientSession(connector=CannedConnector(head.encode() + body)) as session:
        yield Door(session, ORIGIN)


@asynccontextmanager
async def open_app_floor(app: web.Application) -> AsyncIterator[Door]:
    runner = web.AppRunner(app)
    await runner.setup()
    assert runner.server is not None
    try:
        async with aiohttp.ClientSession(connector=JoinedConnector(runner.server)) as session:
            yield Door(session, ORIGIN)
    finally:
        await runner.cleanup()


def add_routes(router: Any, paths: Paths) -> None:
    for path in paths:
        router.get(ORIGIN + path).reply(200, json=BODY)


@asynccontextmanager
async def open_mock(paths: Paths) -> AsyncIterator[Door]:
    with imported("aiotest_kit").mock() as router:
        add_routes(router, paths)
        async with aiohttp.ClientSession() as session:
            yield Door(session, ORIGIN, router.calls.clear)


@asynccontextmanager
async def keep_mock() -> AsyncIterator[Open]:
    kit = imported("aiotest_kit")
    kept = kit.Router()

    @asynccontextmanager
    async def reopen(paths: Paths) -> AsyncIterator[Door]:
        if not kept.routes:
            add_routes(kept, paths)
        with kit.mock(kept) as router:
            async with aiohttp.ClientSession() as session:
                yield Door(session, ORIGIN, router.calls.clear)
        kept.calls.clear()

    yield reopen


@asynccontextmanager
async def open_mock_session(paths: Paths) -> AsyncIterator[Door]:
    kit = imported("aiotest_kit")
    router = kit.Router()
    add_routes(router, paths)
    async with kit.mock_session(router) as session:
        yield Door(session, ORIGIN, router.calls.clear)


@asynccontextmanager
async def keep_mock_session() -> AsyncIterator[Open]:
    kit = imported("aiotest_kit")
    router = kit.Router()

    @asynccontextmanager
    async def reopen(paths: Paths) -> AsyncIterator[Door]:
        if not router.routes:
            add_routes(router, paths)
        async with kit.mock_session(router) as session:
            yield Door(session, ORIGIN, router.calls.clear)
        router.calls.clear()

    yield reopen


@asynccontextmanager
async def open_test_server(paths: Paths) -> AsyncIterator[Door]:
    async with TestServer(app_of(paths)) as server, aiohttp.ClientSession() as session:
        yield Door(session, str(server.make_url("")).rstrip("/"))


def app_of(paths: Paths) -> web.Application:
    async def answer(request: web.Request) -> web.Response:
        return web.json_response(BODY)

    app = web.Application()
    for path in paths:
        app.router.add_get(path, answer)
    return app


OTHER_PATHS = ("/users", "/users/{id}/orders", "/items/{id}", "/health")


def handful_of(paths: Paths) -> web.Application:
    """An app as a small service is."""
    return app_of([*OTHER_PATHS, *paths])


Serve = Callable[[web.Application], TestClient[Any, Any]]


def on_tcp(app: web.Application) -> TestClient[Any, Any]:
    """The client that the fixture ``aiohttp_client`` of pytest-aiohttp makes."""
    return TestClient(TestServer(app))


def in_memory(app: web.Application) -> TestClient[Any, Any]:
    """The client that the fixture ``aiohttp_stub_client`` makes."""
    kit = import_module("aiotest_kit")
    client: TestClient[Any, Any] = kit.StubClient(kit.StubServer(app))
    return client


@asynccontextmanager
async def open_client(serve: Serve, app: web.Application) -> AsyncIterator[Door]:
    client = serve(app)
    await client.start_server()
    try:
        yield Door(client, "")
    finally:
        await client.close()


OpenApp = Callable[[web.Application], AbstractAsyncContextManager[Door]]


def of_app(name: str, open_app: OpenApp, *, ours: bool = False) -> Contender:
    """A client of an app, which is made each time, or kept."""

    @asynccontextmanager
    async def keep() -> AsyncIterator[Open]:
        apps: list[web.Application] = []

        def reopen(paths: Paths) -> AbstractAsyncContextManager[Door]:
            if not apps:
                apps.append(handful_of(paths))
            return open_app(apps[0])

        yield reopen

    return Contender(
        name,
        "own",
        lambda paths: open_app(handful_of(paths)),
        ours=ours,
        records=False,
        keep=keep,
        of_app=True,
    )


@asynccontextmanager
async def open_aioresponses(paths: Paths, module: str = "aioresponses") -> AsyncIterator[Door]:
    with imported(module).aioresponses() as stub:
        for path in paths:
            stub.get(ORIGIN + path, payload=BODY, repeat=True)

        def forget() -> None:
            stub.requests.clear()
            stub._responses.clear()  # kept beside the requests, and it has no name for clearing only these
            if module == AIORESPONSES:
                stub.calls.clear()

        async with aiohttp.ClientSession() as session:
            yield Door(session, ORIGIN, forget)


@asynccontextmanager
async def keep_aiointercept(module: str = "aiointercept") -> AsyncIterator[Open]:
    async with imported(module).aiointercept(mock_external_urls=True) as stub:

        def forget() -> None:
            stub.requests.clear()
            stub.ordered_requests.clear()

        @asynccontextmanager
        async def reopen(paths: Paths) -> AsyncIterator[Door]:
            for path in paths:
                stub.get(ORIGIN + path, payload=BODY, repeat=True)
            async with aiohttp.ClientSession() as session:
                yield Door(session, ORIGIN, forget)
            stub.clear()

        yield reopen


@asynccontextmanager
async def open_aiointercept(paths: Paths, module: str = "aiointercept") -> AsyncIterator[Door]:
    async with keep_aiointercept(module) as reopen, reopen(paths) as door:
        yield door


@asynccontextmanager
async def open_aresponses(paths: Paths, module: str = "aresponses") -> AsyncIterator[Door]:
    async with imported(module).ResponsesMockServer() as server:
        for path in paths:
            server.add("api.test", path, "GET", response=BODY, repeat=server.INFINITY)
        async with aiohttp.ClientSession() as session:
            yield Door(session, ORIGIN, server.history.clear)


@asynccontextmanager
async def keep_pytest_httpserver() -> AsyncIterator[Open]:
    # A line to stderr for each request is not the tool's price: under pytest nobody sees it.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with imported("pytest_httpserver").HTTPServer(host="127.0.0.1") as server:

        @asynccontextmanager
        async def reopen(paths: Paths) -> AsyncIterator[Door]:
            server.clear()
            for path in paths:
                server.expect_request(path, method="GET").respond_with_json(BODY)
            async with aiohttp.ClientSession() as session:
                yield Door(session, server.url_for("").rstrip("/"), server.clear_log)

        yield reopen


@asynccontextmanager
async def open_pytest_httpserver(paths: Paths) -> AsyncIterator[Door]:
    async with keep_pytest_httpserver() as reopen, reopen(paths) as door:
        yield door


AIORESPONSES = "aiotest_kit.compat.aioresponses"
AIOINTERCEPT = "aiotest_kit.compat.aiointercept"
ARESPONSES = "aiotest_kit.compat.aresponses"

FLOOR = "floor"
MOCK = "mock"
MOCK_SESSION = "mock_session"
AIOHTTP_CLIENT = "aiohttp_client"
STUB_CLIENT = "aiohttp_stub_client"
APP_FLOOR = "app floor"

CONTENDERS = {
    contender.name: contender
    for contender in (
        Contender(FLOOR, "own", open_floor, records=False),
        Contender(MOCK, "own", open_mock, ours=True, keep=keep_mock),
        Contender(MOCK_SESSION, "own", open_mock_session, ours=True, keep=keep_mock_session),
        Contender("TestServer", "own", open_test_server, records=False),
        Contender("compat.aioresponses", "own", partial(open_aioresponses, module=AIORESPONSES), ours=True),
        Contender(
            "compat.aiointercept",
            "own",
            partial(open_aiointercept, module=AIOINTERCEPT),
            ours=True,
            keep=partial(keep_aiointercept, AIOINTERCEPT),
        ),
        Contender("compat.aresponses", "own", partial(open_aresponses, module=ARESPONSES), ours=True),
        Contender("aioresponses", "aioresponses", open_aioresponses),
        Contender("aiointercept", "aiointercept", open_aiointercept, keep=keep_aiointercept),
        Contender("aresponses", "servers", open_aresponses),
        Contender("pytest-httpserver", "servers", open_pytest_httpserver, keep=keep_pytest_httpserver),
        of_app(AIOHTTP_CLIENT, partial(open_client, on_tcp)),
        of_app(STUB_CLIENT, partial(open_client, in_memory), ours=True),
        of_app(APP_FLOOR, open_app_floor),
    )
}
