"""A router with an answer of every kind, at the paths of `hostile.PATHS`. None of them waits for a clock."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import WSMsgType, web

from aiotest_kit import (
    BadChunk,
    BadHeader,
    Disconnect,
    Garbage,
    Reply,
    Request,
    Reset,
    Router,
    Stall,
    Truncate,
)
from aiotest_kit._websocket.script import expect, send

__all__ = ["ERROR", "HostileRoutes"]

ERROR = "on purpose"
BIG = 100_000
TURNS = 3
LONGEST_ECHO = 4096


async def turns() -> None:
    """Take some turns of the loop."""
    for _ in range(TURNS):
        await asyncio.sleep(0)


class HostileRoutes:
    """The router, and what has to be done for its answers to come."""

    def __init__(self) -> None:
        self.router = router = Router()
        router.any("/reply").reply(text="good")
        router.any("/reply/{id}", query={"q": "1"}).reply(203, json={"id": 7})
        router.any("/big").reply(text="b" * BIG)
        router.any("/empty").reply(204)
        router.any("/last").reply(200, text="last", headers={"Connection": "close"})
        router.any("/trailers").reply(200, text="body", trailers={"X-Sum": "1"})
        self.held = router.any("/held").reply(text="held").hold()
        router.any("/handler").reply(handler)
        router.any("/response").reply(response)
        router.any("/stream").stream(pieces)
        router.any("/sse").sse([{"data": "1"}, {"data": "2"}])
        router.any("/slow").reply(slow)
        router.any("/raw").raw(script)
        router.any("/early").early().reply(413, text="too long")
        router.any("/early/handler").early().reply(handler)
        early = router.any("/early/held").early().reply(text="held")
        self.held_early = early.hold()
        router.any("/form", form={"a": "1", "b": "2"}).reply(201)
        router.any("/json", json=[1, 2]).reply(202)
        router.any("/parts", multipart={"a": "1"}).reply(204)
        router.any("/error", where=failing).reply(200)
        router.route("CONNECT", re.compile(r"https://answered\.test.*")).reply(200)
        router.route("CONNECT", re.compile(r"https://refused\.test.*")).reply(403, text="no")
        add_faults(router)
        add_websockets(router)
        add_servers(router)

    def go_on(self) -> bool:
        """Let go what is held; whether anything was."""
        waiting = [gate for gate in (self.held, self.held_early) if gate.held]
        for gate in waiting:
            gate.release(gate.held)
        return bool(waiting)


def add_faults(router: Router) -> None:
    """Answers that go wrong."""
    router.any("/fault/disconnect").reply(Disconnect())
    router.any("/fault/reset").reply(Reset(after=10))
    router.any("/fault/truncate").reply(Truncate(after=10))
    router.any("/fault/garbage").reply(Garbage(b"\0\xff" * 50))
    router.any("/fault/chunk").reply(BadChunk())
    router.any("/fault/header").reply(BadHeader())
    router.any("/fault/stall").reply(Stall(after=3))
    router.any("/fault/stream").stream([b"a", Truncate()])


def add_websockets(router: Router) -> None:
    """Answers that are conversations."""
    router.ws("/ws").reply(echo_messages)
    router.ws("/ws/script").script(send("hi"), expect("hello"))
    router.ws("/ws/reject").reject(401)


def add_servers(router: Router) -> None:
    """Answers of servers: aiohttp's, an app of it, and an ASGI app."""
    router.any("/serve").serve(echo)
    router.any("/serve/stream").serve(streamed)
    router.any("/serve/ws").serve(echo_served)
    app = web.Application()
    app.router.add_route("*", "/echo", echo)
    app.router.add_route("*", "/stream", streamed)
    app.router.add_route("*", "/skip", skip)
    app.router.add_route("*", "/raise", raising)
    app.router.add_route("*", "/ws", echo_served)
    # A host of its own would be one that few inputs name.
    router.mount("http://api.test/app", app)
    router.mount("http://api.test/asgi", asgi)


def failing(request: Request) -> bool:
    """A predicate with a fault."""
    raise LookupError(ERROR)


async def handler(request: Request) -> Reply:
    """What came, after a while."""
    await turns()
    return Reply(200, text=f"{request.method} {len(request.body)}")


async def slow(request: Request) -> str:
    """Some text, after a long while."""
    for _ in range(5):
        await turns()
    return "slow"


def response(request: Request) -> web.Response:
    """A response of aiohttp's."""
    answer = web.Response(text="response " * 20)
    answer.enable_compression()
    return answer


async def pieces(request: Request) -> AsyncIterator[bytes]:
    """A body in pieces."""
    for number in range(3):
        yield b"%d" % number
        await turns()


async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A reply of one's own, as soon as the first byte of the request was read."""
    await reader.readexactly(1)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nraw")
    await writer.drain()


async def echo(request: web.BaseRequest) -> web.Response:
    """The body that came."""
    body = await request.read()
    await turns()
    return web.Response(body=request.method.encode() + b" " + body[:200])


async def skip(request: web.BaseRequest) -> web.Response:
    """An answer that leaves the body unread."""
    return web.Response(text="skipped")


async def raising(request: web.BaseRequest) -> web.Response:
    """A handler with a fault."""
    await turns()
    raise LookupError(ERROR)


async def streamed(request: web.BaseRequest) -> web.StreamResponse:
    """A response in pieces."""
    answer = web.StreamResponse()
    await answer.prepare(request)
    for _ in range(3):
        await answer.write(b"piece")
        await turns()
    return answer


async def echo_served(request: web.BaseRequest) -> web.StreamResponse:
    """A websocket that answers each message with itself."""
    ws = web.WebSocketResponse(max_msg_size=50_000)
    await ws.prepare(request)
    await echo_messages(ws)
    return ws


async def echo_messages(ws: web.WebSocketResponse) -> None:
    """Answer each message with itself, cut where a thread would have to compress it."""
    async for message in ws:
        if message.type is WSMsgType.TEXT:
            await ws.send_str(message.data[:LONGEST_ECHO])
        elif message.type is WSMsgType.BINARY:
            await ws.send_bytes(message.data[:LONGEST_ECHO])


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    """An ASGI app: a lifespan, an echo, one that reads nothing, one with a fault, and a websocket."""
    if scope["type"] == "lifespan":
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": f"{message['type']}.complete"})
        await send({"type": "lifespan.shutdown.complete"})
    elif scope["type"] == "websocket":
        await asgi_websocket(receive, send)
    else:
        await asgi_reply(scope["path"], receive, send)


async def asgi_websocket(receive: Any, send: Any) -> None:
    """Answer each message with itself."""
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] != "websocket.disconnect":
        content = {key: value[:LONGEST_ECHO] for key, value in message.items() if key != "type"}
        await send({"type": "websocket.send", **content})


async def asgi_reply(path: str, receive: Any, send: Any) -> None:
    """Answer with the length of the body."""
    length, more = 0, not path.endswith("/skip")
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        length += len(message["body"])
        more = message["more_body"]
    if path.endswith("/raise"):
        raise LookupError(ERROR)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await turns()
    await send({"type": "http.response.body", "body": b"%d" % length})
