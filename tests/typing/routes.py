"""Routes, and what they answer, to a type checker. Nothing here is run."""

import re
from collections.abc import AsyncIterator, Iterator
from typing import Any
from unittest.mock import ANY

import aiohttp
from aiohttp import web
from typing_extensions import assert_type
from yarl import URL

from aiotest_kit import (
    Disconnect,
    Exact,
    Flaky,
    Gate,
    Hit,
    Miss,
    Near,
    Reply,
    Request,
    Reset,
    Route,
    Router,
    Subset,
)


def verbs(router: Router) -> None:
    assert_type(router.get("/users/{id}"), Route)
    assert_type(router.post(URL("https://api.test/users")), Route)
    assert_type(router.put(re.compile(r"https://api\.test/users/\d+")), Route)
    assert_type(router.patch("/users", name="change"), Route)
    assert_type(router.delete("/users"), Route)
    assert_type(router.head("/users"), Route)
    assert_type(router.options("/users"), Route)
    assert_type(router.any("/users"), Route)
    assert_type(router.route("GET", "/users"), Route)
    assert_type(router.route(["GET", "HEAD"], "/users"), Route)


def asked_of_a_request(router: Router) -> None:
    def is_ours(request: Request) -> bool:
        return "X-Ours" in request.headers

    router.post(
        "/users",
        query={"page": 2, "tag": ["a", "b"], "sort": re.compile("^name")},
        headers={"Authorization": ANY},
        cookies={"session": lambda value: len(value) == 32},
        json={"id": 7, "tags": Subset(["a"])},
        where=is_ours,
    )
    router.post("/form", form=Subset({"a": "1"}), query=Exact({}))
    router.post("/files", multipart={"file": ("a.txt", b"...", "text/plain")})
    router.post("/bytes", body=b"...", query="page=2")


def replies(router: Router) -> None:
    route = router.get("/users")
    assert_type(route.reply(), Route)
    assert_type(route.reply(200, json={"id": 7}, headers={"X-A": ["1", "2"]}, delay=0.5), Route)
    assert_type(route.reply(503, times=2).reply(200, text="ok").optional().named("users"), Route)
    assert_type(route.reply(Reply(204)), Route)
    assert_type(route.reply(aiohttp.ServerTimeoutError), Route)
    assert_type(route.reply(Reset(after=100), attempts=1), Route)
    assert_type(route.replies(503, Disconnect(), Flaky(Reset(), rate=0.5, seed=1), {"id": 7}), Route)
    assert_type(route.redirect(URL("/elsewhere"), status=307), Route)
    assert_type(route.sse([{"event": "tick", "data": {"n": 1}}, 0.5, "text"]), Route)
    assert_type(route.forward("https://real.example"), Route)
    assert_type(route.hold(), Gate)


def functions(router: Router) -> None:
    """What a route calls is given what it says it takes."""

    def now(request: Request) -> dict[str, Any]:
        return {"id": request.match_info["id"]}

    async def later(request: Request) -> web.Response:
        return web.json_response({"id": 7})

    def pieces() -> Iterator[bytes | float]:
        yield b"a"
        yield 0.5

    async def echo(request: Request) -> AsyncIterator[bytes]:
        yield request.body

    async def served(request: web.BaseRequest) -> web.StreamResponse:
        return web.StreamResponse()

    async def script(reader: Any, writer: Any) -> None:
        writer.write(await reader.readline())

    route = router.get("/users/{id}")
    assert_type(route.reply(now).reply(later), Route)
    assert_type(route.stream(pieces).stream(echo).stream([b"a", "b", 1]), Route)
    assert_type(route.raw(script), Route)
    assert_type(route.serve(served), Route)


def routers(router: Router, app: web.Application) -> None:
    assert_type(router.host("https://api.test/v1", headers={"X-Key": "k"}), Router)
    assert_type(router.mount("https://api.test", app), Route)
    assert_type(router.mount("https://api.test", Router()), Route)
    router.passthrough("https://*.real.example")
    router.passthrough(lambda request: request.method == "GET")
    with router.scope() as inner:
        assert_type(inner, Router)
    assert_type(router.routes, tuple[Route, ...])


def outcome(router: Router, request: Request) -> None:
    """What is found is one of two, and each says why."""
    found = router.find(request)
    assert_type(found, Hit | Miss)
    if isinstance(found, Hit):
        assert_type(found.route, Route)
    else:
        assert_type(found.nearest, list[Near[Route]])
        assert_type(found.explain(), str)


def a_reply_as_a_value() -> None:
    reply = Reply(200, json={"id": 7}, cookies={"a": "1"}, compress="gzip", trailers={"X-Sum": "1"})
    assert_type(reply.status, int)
    assert_type(reply.body, bytes)
    assert_type(reply.text(), str)
    assert_type(reply.json(), Any)
