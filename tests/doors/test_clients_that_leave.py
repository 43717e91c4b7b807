"""Clients that leave at every moment of every kind of answer: nothing of it stays, and nobody is blamed."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from aiotest_kit import Origin, Request, Router, Upstream, mock_session
from aiotest_kit._server.protocol import ServerProtocol
from aiotest_kit._transport.memory import connected
from tests.support.seeds import each_seed

PATIENCE = 5.0
MOMENTS = 12
MOST_TURNS = 25
HEAD = "{} {} HTTP/1.1\r\nHost: app.test\r\n{}\r\n"


def get(path: str, *fields: str, method: str = "GET") -> bytes:
    return HEAD.format(method, path, "".join(f"{field}\r\n" for field in fields)).encode()


def handshake(path: str) -> bytes:
    return get(
        path,
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
    )


# ---- what is asked ----


def app() -> web.Application:
    """Handlers that wait, write much, read a body, and speak."""

    async def slow(request: web.Request) -> web.Response:
        for _ in range(5):
            await asyncio.sleep(0)
        return web.Response(text="slow")

    async def big(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(30):
            await response.write(b"x" * 65536)
        return response

    async def echo(request: web.Request) -> web.Response:
        return web.Response(body=await request.read())

    async def speak(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        async for message in ws:
            await ws.send_str(message.data)
        return ws

    app = web.Application()
    app.add_routes(
        [web.get("/slow", slow), web.get("/big", big), web.post("/echo", echo), web.get("/ws", speak)]
    )
    return app


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    """An ASGI app that does the same."""
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
    elif scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            await send({"type": "websocket.send", "text": "yes"})
    else:
        message = await receive()
        while message.get("more_body"):
            message = await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        body = b"x" * (2_000_000 if scope["path"] == "/big" else 3)
        await send({"type": "http.response.body", "body": body})


async def handler(request: Request) -> str:
    for _ in range(5):
        await asyncio.sleep(0)
    return request.text()


async def ticks() -> AsyncIterator[bytes]:
    while True:
        yield b"tick"
        await asyncio.sleep(0)


async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"!")
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    await writer.drain()


async def speak(ws: web.WebSocketResponse) -> None:
    async for message in ws:
        await ws.send_str(message.data)


def set_up(router: Router) -> None:
    """A route for each kind of answer."""
    router.get("/plain").reply(text="x" * 600_000)
    router.get("/handler").reply(handler)
    router.post("/early").early().reply(handler)
    router.get("/stream").stream(ticks)
    router.get("/sse").sse(["a", "b"])
    router.get("/raw").raw(script)
    router.get("/slow").reply(text="slow", delay=60)
    router.get("/held").reply(text="held")
    router.get("/held").hold()
    router.ws("/ws").reply(speak)
    router.ws("/late").reply(speak, delay=60)
    router.mount("http://aiohttp.test", app())
    router.mount("http://asgi.test", asgi)


FRAME = b"\x81\x82\0\0\0\0hi"
HALF = "Content-Length: 10"
OF_APPS = {
    "slow": get("/slow"),
    "big": get("/big"),
    "half a body": get("/echo", HALF, method="POST") + b"half",
    "websocket": handshake("/ws") + FRAME,
    "two in a row": get("/slow") + get("/big"),
}
OF_ROUTES = {
    "plain": get("/plain") * 10,
    "handler": get("/handler"),
    "early": get("/early", HALF, method="POST") + b"half",
    "stream": get("/stream"),
    "sse": get("/sse"),
    "raw": get("/raw") + b"ha",
    "slow": get("/slow"),
    "held": get("/held") + get("/handler"),
    "websocket": handshake("/ws") + FRAME,
    "websocket behind another": get("/handler") + handshake("/ws") + FRAME,
    "unmatched": get("/nowhere"),
}
ASKED = {
    **{f"a route, {name}": data for name, data in OF_ROUTES.items()},
    **{f"aiohttp, {name}": data.replace(b"app.test", b"aiohttp.test") for name, data in OF_APPS.items()},
    **{f"ASGI, {name}": data.replace(b"app.test", b"asgi.test") for name, data in OF_APPS.items()},
}


# ---- who asks ----


class Client(asyncio.Protocol):
    """One that may stop reading."""

    transport: Any

    def __init__(self) -> None:
        self.answered = asyncio.Event()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.answered.set()

    def leave(self, how: str) -> None:
        """Go in one of the ways there are."""
        if how == "half-closes":
            self.transport.write_eof()
        else:
            getattr(self.transport, {"closes": "close", "aborts": "abort"}[how])()


Connect = Callable[[], Awaitable[Client]]


@asynccontextmanager
async def by_socket(router: Router) -> AsyncIterator[tuple[Connect, set[ServerProtocol]]]:
    loop = asyncio.get_running_loop()
    async with Upstream(router=router).started() as up:
        assert up._serving is not None

        async def connect() -> Client:
            _, client = await loop.create_connection(Client, "127.0.0.1", up.port)
            return client

        yield connect, up._serving.connections


@asynccontextmanager
async def in_memory(router: Router) -> AsyncIterator[tuple[Connect, set[ServerProtocol]]]:
    loop = asyncio.get_running_loop()
    peers: set[ServerProtocol] = set()

    async def connect() -> Client:
        client = Client()
        connected(
            loop,
            client,
            ServerProtocol(router, Origin("http", "app.test", 80), loop, peers),
            ("192.0.2.1", 80),
        )
        return client

    # The end of the session is that of the apps.
    async with mock_session(router):
        yield connect, peers


WAYS = {"by socket": by_socket, "in memory": in_memory}


async def left(peers: set[ServerProtocol], before: set[asyncio.Task[Any]] | None = None) -> list[Any]:
    """The connections that are left, and the tasks, as soon as there are none, or after a long time."""
    end = time.monotonic() + PATIENCE
    while True:
        still = [*peers, *(set() if before is None else asyncio.all_tasks() - before)]
        if not still or time.monotonic() > end:
            return still
        await asyncio.sleep(0.001)


@each_seed
@pytest.mark.parametrize("how", ["closes", "half-closes", "aborts"])
@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED)
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
async def test_leaving(way: Any, asked: bytes, how: str, seed: int, caplog: pytest.LogCaptureFixture) -> None:
    """Whenever it leaves: no task stays, no connection, no error, and no line in the log of asyncio."""
    moments = random.Random(f"{seed} {asked!r} {how}")
    told: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(context))
    router = Router()
    set_up(router)
    async with way(router) as (connect, peers):
        for host in (b"aiohttp.test", b"asgi.test"):
            # Each app is started once, by a task that stays.
            client = await connect()
            client.transport.write(get("/slow").replace(b"app.test", host))
            await asyncio.wait_for(client.answered.wait(), PATIENCE)
            client.transport.abort()
        assert [] == await left(peers)
        before = asyncio.all_tasks()
        for moment in (0, 1, 2, *(moments.randrange(MOST_TURNS) for _ in range(MOMENTS))):
            client = await connect()
            if moments.random() < 0.5:
                client.transport.pause_reading()
            client.transport.write(asked)
            for _ in range(moment):
                await asyncio.sleep(0)
            client.leave(how)
            if how == "half-closes":
                client.transport.resume_reading()
        assert [] == await left(peers, before)
    assert [] == told
    assert () == tuple(router.handler_errors)
    assert [] == [record for record in caplog.records if record.name == "asyncio"]
