"""One table of routes through every door: the same bytes received, the same calls recorded."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from aiotest_kit import (
    BadChunk,
    BadHeader,
    Call,
    Disconnect,
    Garbage,
    Reply,
    Request,
    Reset,
    Route,
    Router,
    Subset,
    Truncate,
    WrongEncoding,
)
from tests.doors.conftest import IN_MEMORY, opened

Add = Callable[[Router], Route]
ORIGIN = "http://api.test"
LONG = bytes(range(256)) * 2000


async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 Sure\r\nx-LINES: %d\r\n\r\n" % head.count(b"\r\n"))


async def pieces(request: Request) -> Any:
    yield request.path
    yield b"\0\xff"


async def handler(request: Request) -> web.Response:
    return web.json_response({"got": request.json()}, status=202, headers={"X-A": "1"})


def fails(request: Request) -> None:
    raise web.HTTPForbidden(text="no")


CASES: dict[str, tuple[Add, str, str, dict[str, Any]]] = {
    "nothing": (lambda r: r.get("/a"), "GET", "/a", {}),
    "status": (lambda r: r.get("/a").reply(404), "GET", "/a", {}),
    "reason": (lambda r: r.get("/a").reply(299, reason="So So"), "GET", "/a", {}),
    "json": (lambda r: r.get("/a").reply(json={"ü": [1, None]}), "GET", "/a", {}),
    "text": (lambda r: r.get("/a").reply(text="ü"), "GET", "/a", {}),
    "html": (lambda r: r.get("/a").reply(html="<p>"), "GET", "/a", {}),
    "form": (lambda r: r.get("/a").reply(form={"a": ["1", "2"]}), "GET", "/a", {}),
    "bytes": (lambda r: r.get("/a").reply(body=b"\0\xff"), "GET", "/a", {}),
    "dict": (lambda r: r.get("/a").reply({"a": 1}), "GET", "/a", {}),
    "long": (lambda r: r.get("/a").reply(body=LONG), "GET", "/a", {}),
    "headers": (
        lambda r: r.get("/a").reply(headers=[("x-B", "1"), ("X-a", "2"), ("x-b", "3")]),
        "GET",
        "/a",
        {},
    ),
    "cookies": (lambda r: r.get("/a").reply(cookies={"c": "1", "d": "2"}), "GET", "/a", {}),
    "gzip": (lambda r: r.get("/a").reply(text="a" * 99, compress="gzip"), "GET", "/a", {}),
    "deflate": (lambda r: r.get("/a").reply(text="a" * 99, compress="deflate"), "GET", "/a", {}),
    "trailers": (lambda r: r.get("/a").reply(text="a", trailers={"X-Sum": "1"}), "GET", "/a", {}),
    "chunked": (
        lambda r: r.get("/a").reply(body=b"abc", headers={"Transfer-Encoding": "chunked"}),
        "GET",
        "/a",
        {},
    ),
    "no content": (lambda r: r.get("/a").reply(204), "GET", "/a", {}),
    "not modified": (lambda r: r.get("/a").reply(304, headers={"ETag": "x"}), "GET", "/a", {}),
    "HEAD": (lambda r: r.head("/a").reply(text="abc"), "HEAD", "/a", {}),
    "HEAD of a stream": (lambda r: r.any("/a").stream([b"abc"]), "HEAD", "/a", {}),
    "closed": (lambda r: r.get("/a").reply(headers={"Connection": "close"}), "GET", "/a", {}),
    "sequence": (lambda r: r.get("/a").reply(503, times=2).reply(200), "GET", "/a", {}),
    "delay": (lambda r: r.get("/a").reply(Reply(200, text="late", delay=0.001)), "GET", "/a", {}),
    "handler": (lambda r: r.post("/a").reply(handler), "POST", "/a", {"json": {"b": 1}}),
    "handler of a status": (lambda r: r.post("/a").reply(lambda request: 418), "POST", "/a", {}),
    "HTTPException": (lambda r: r.get("/a").reply(fails), "GET", "/a", {}),
    "stream": (lambda r: r.get("/a").stream([b"a", "ü", 0.001, b"c"]), "GET", "/a", {}),
    "generator": (lambda r: r.get("/a").stream(pieces), "GET", "/a", {}),
    "stream with a length": (
        lambda r: r.get("/a").stream([b"ab", b"c"], headers={"Content-Length": "3"}),
        "GET",
        "/a",
        {},
    ),
    "SSE": (
        lambda r: r.get("/a").sse([{"event": "e", "id": "1", "data": {"a": 1}}, "text"]),
        "GET",
        "/a",
        {},
    ),
    "redirect": (lambda r: r.get("/a").redirect("/b", 308), "GET", "/a", {"allow_redirects": False}),
    "script": (lambda r: r.get("/a").raw(script), "GET", "/a", {}),
    "template": (lambda r: r.get("/{a}/{b:\\d+}").reply(200), "GET", "/x%20y/7?z=1", {}),
    "query": (lambda r: r.get("/a", query={"q": ["1", "2"]}), "GET", "/a?q=1&x=3&q=2", {}),
    "asked headers": (
        lambda r: r.get("/a", headers={"X-A": "1"}, cookies={"c": "1"}),
        "GET",
        "/a",
        {"headers": {"x-a": "1", "Cookie": "c=1"}},
    ),
    "asked JSON": (lambda r: r.put("/a", json=Subset({"a": 1})), "PUT", "/a", {"json": {"a": 1, "b": 2}}),
    "asked form": (lambda r: r.post("/a", form={"a": "1"}), "POST", "/a", {"data": {"a": "1"}}),
    "asked body": (lambda r: r.patch("/a", body=LONG), "PATCH", "/a", {"data": LONG}),
    "regex": (lambda r: r.get(re.compile(r"http://api\.test/(?P<a>\w+)$")), "GET", "/abc", {}),
    "host": (lambda r: r.host("http://*.test").delete("/a").reply(200), "DELETE", "/a", {}),
    "disconnect": (lambda r: r.post("/a").reply(Disconnect()), "POST", "/a", {}),
    "reset": (lambda r: r.post("/a").reply(Reset()), "POST", "/a", {}),
    "truncated": (lambda r: r.get("/a").reply(Truncate(after=10)), "GET", "/a", {}),
    "garbage": (lambda r: r.post("/a").reply(Garbage()), "POST", "/a", {}),
    "bad chunk": (lambda r: r.post("/a").reply(BadChunk()), "POST", "/a", {}),
    "bad header": (lambda r: r.post("/a").reply(BadHeader()), "POST", "/a", {}),
    "wrong encoding": (lambda r: r.get("/a").reply(WrongEncoding("gzip")), "GET", "/a", {}),
}


def facts(call: Call[Route]) -> tuple[object, ...]:
    """A call, without times and what is the door's own."""
    request, reply = call.request, call.reply
    assert call.route is not None
    return (
        (request.method, str(request.url), request.version, request.keep_alive),
        (request.raw_headers, request.body, dict(request.match_info)),
        None if reply is None else (reply.status, reply.reason, tuple(reply.headers.items()), reply.body),
        (call.route.pattern.describe(), call.attempts, call.exception, call.elapsed is None),
    )


@pytest.mark.parametrize(("add", "method", "path", "options"), CASES.values(), ids=CASES)
async def test_same(add: Add, method: str, path: str, options: dict[str, Any], received: bytearray) -> None:
    """Three requests in a row, through each door: byte for byte the same, and recorded alike."""
    outcomes = []
    for kind in (*IN_MEMORY, "loopback"):
        received.clear()
        async with opened(kind) as door:
            add(door.router)
            async with door.open_session() as session:
                for _ in range(3):
                    await ask(session, method, path, options)
            calls = [facts(call) for call in door.router.calls]
        outcomes.append((bytes(received), calls))

    first, *others = outcomes
    assert 3 == len(first[1])
    assert [first] * len(others) == others


async def ask(session: aiohttp.ClientSession, method: str, path: str, options: dict[str, Any]) -> None:
    """Make a call and read what comes; what goes wrong is compared as bytes."""
    try:
        async with session.request(method, ORIGIN + path, **options) as response:
            await response.read()
    except aiohttp.ClientError:
        pass
