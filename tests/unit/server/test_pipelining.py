"""Requests behind each other on one connection: whatever the cut, and however slow the client."""

import asyncio
from typing import Any

import pytest
from aiohttp import web

from aiotest_kit import Request, Router
from aiotest_kit._server.pipelining import MOST_REQUESTS
from tests.unit.server.test_protocol import GET, OK, connection, get, reply

HANDSHAKE = get(
    "/ws",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
)
H2C = get("/plain", "Upgrade: h2c", "Connection: Upgrade")
POST = get("/a", "Content-Length: 5", method="POST") + b"\r\n\r\nx"
CHUNKED = get("/a", "Transfer-Encoding: chunked", method="POST") + b"6\r\nx\r\n\r\ny\r\n0\r\nA: b\r\n\r\n"
BEFORE = {"a GET": GET, "a body": POST, "a body in chunks": CHUNKED}
ONLY_MESSAGE = b"\x81\x82\0\0\0\0hi"


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send back what has come, up to an exclamation mark."""
    writer.write(await reader.readuntil(b"!"))


async def hello(ws: web.WebSocketResponse) -> None:
    """Say what was said."""
    await ws.send_str(await ws.receive_str())


@pytest.fixture
def router() -> Router:
    router = Router()
    router.any("/a").reply()
    router.get("/plain").reply(text="no")
    router.get("/raw").raw(echo)
    router.ws("/ws").reply(hello)
    return router


def pieces_of(data: bytes, size: int) -> list[bytes]:
    return [data[position : position + size] for position in range(0, len(data), size)]


async def begins(router: Router) -> None:
    """Return when an answer has begun that takes time."""
    for _ in range(1000):
        if router.tasks:
            return
        await asyncio.sleep(0)
    raise AssertionError("no answer has begun")


SIZES = pytest.mark.parametrize("size", [1, 2, 3, 7, 10_000], ids=lambda size: f"by {size}")


# ---- what follows another request is what it would be alone ----


@SIZES
@pytest.mark.parametrize("before", BEFORE.values(), ids=BEFORE)
async def test_script(before: bytes, size: int, router: Router) -> None:
    """A script has the connection from the first byte of its own request."""
    own = get("/raw") + b"more!"
    async with connection(router) as client:
        for piece in pieces_of(before + own, size):
            client.send(piece)
            await asyncio.sleep(0)
        assert OK + own == await client.is_closed()


@SIZES
async def test_script_while_others_wait(size: int, router: Router) -> None:
    """It has what waited behind its request, too."""
    own = get("/raw") + POST + GET[:20] + b"!"
    gate = router.get("/held").hold()
    async with connection(router) as client:
        for piece in pieces_of(get("/held") + own, size):
            client.send(piece)
            await asyncio.sleep(0)
        assert b"" == client.received
        gate.release()
        assert OK + own == await client.is_closed()


@SIZES
@pytest.mark.parametrize("before", BEFORE.values(), ids=BEFORE)
async def test_upgrade_that_is_not_made(before: bytes, size: int, router: Router) -> None:
    """A request for another protocol is answered plainly, and the connection closed behind it."""
    async with connection(router) as client:
        for piece in pieces_of(before + H2C + b"PRI * HTTP/2.0\r\n\r\n", size):
            client.send(piece)
            await asyncio.sleep(0)
        assert OK + reply("no", "200 OK", "Connection: close\r\n") == await client.is_closed()


@SIZES
@pytest.mark.parametrize("before", BEFORE.values(), ids=BEFORE)
async def test_websocket(before: bytes, size: int, router: Router) -> None:
    """A websocket is accepted, and what was sent with the handshake is its first message."""
    async with connection(router) as client:
        for piece in pieces_of(before + HANDSHAKE + ONLY_MESSAGE, size):
            client.send(piece)
            await asyncio.sleep(0)
        await client.until(lambda: b"\x81\x02hi" in client.received)
        assert client.received.startswith(OK + b"HTTP/1.1 101 Switching Protocols\r\n")


@SIZES
@pytest.mark.parametrize("before", BEFORE.values(), ids=BEFORE)
async def test_tunnel(before: bytes, size: int, router: Router) -> None:
    """What comes behind a CONNECT is for the other end of the tunnel."""
    connect = b"CONNECT other.test:443 HTTP/1.1\r\nHost: other.test:443\r\n\r\n"
    inside = router.get("https://other.test/in").reply(text="in")
    async with connection(router) as client:
        for piece in pieces_of(before + connect + get("/in"), size):
            client.send(piece)
            await asyncio.sleep(0)
        await client.gets(OK, b"HTTP/1.1 200 Connection established\r\n\r\n", reply("in"))
    assert 1 == inside.call_count


# ---- CONNECT, where there is no tunnel ----


@pytest.mark.parametrize(
    "behind", [b"", b"\x16\x03\x01\x02\x00\x01\x00", GET], ids=["nothing", "TLS", "HTTP"]
)
async def test_connect_out_of_reach(behind: bytes, router: Router) -> None:
    """A CONNECT that no route answers is a miss and a 501 over a socket, and ends the connection."""
    text = "no route answered CONNECT https://other.test\n  nearest of 4 routes:\n"
    async with connection(router, in_reach=False) as client:
        client.send(b"CONNECT other.test:443 HTTP/1.1\r\nHost: other.test:443\r\n\r\n" + behind)
        received = await client.is_closed()
    head, _, body = received.decode().partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 501 Not Implemented\r\n")
    assert body.startswith(text)
    (miss,) = router.misses
    assert "CONNECT" == miss.request.method
    assert ["other.test"] == [tunnel.host for tunnel in router.tunnels]


@pytest.mark.parametrize(
    ("start", "text"),
    [
        (b"CONNECT :443", "CONNECT :443 has no target that names a host\n"),
        (b"CONNECT a.test:99999", "CONNECT a.test:99999 has no target that names a host\n"),
        (b"GET http://", "GET http:// has no target that names a host\n"),
    ],
)
async def test_target_that_names_no_host(start: bytes, text: str, router: Router) -> None:
    """It is refused in words, once."""
    async with connection(router) as client:
        client.send(start + b" HTTP/1.1\r\nHost: a.test\r\n\r\n")
        received = await client.is_closed()
    assert received.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert received.decode().endswith(f"\r\n\r\n{text}")


# ---- what is no HTTP ----


async def test_bad_body_of_an_answer_that_reads_it(router: Router) -> None:
    """An app that waits for a body learns that the rest cannot be read, and so does the client."""
    seen: list[str] = []

    async def read(request: web.BaseRequest) -> web.StreamResponse:
        try:
            await request.read()
        except Exception as exc:
            seen.append(type(exc).__name__)
            raise
        raise AssertionError

    router.post("/app").serve(read)
    async with connection(router) as client:
        client.send(get("/app", "Transfer-Encoding: chunked", method="POST"))
        await begins(router)
        await asyncio.sleep(0)
        client.send(b"zz\r\n")
        await client.until(lambda: client.ended)
    assert client.received.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert not router.handler_errors


async def test_bad_body_behind_an_early_answer(router: Router) -> None:
    """A request that has its answer is not answered a second time."""
    router.post("/early").early().reply(text="early")
    async with connection(router) as client:
        client.send(get("/early", "Transfer-Encoding: chunked", method="POST") + b"zz\r\n")
        await client.until(lambda: client.ended)
        assert reply("early") == client.received


async def test_nothing_but_line_ends(router: Router) -> None:
    """A client that sends no more than empty lines costs nothing, and may still ask."""
    async with connection(router) as client:
        for _ in range(100):
            client.send(b"\r\n" * 1000)
            await asyncio.sleep(0)
        client.send(GET)
        await client.gets(OK)


# ---- clients that ask for more than they take ----


@pytest.mark.parametrize("is_plain", [True, False], ids=["plain", "by a handler"])
async def test_client_that_takes_nothing(is_plain: bool, router: Router) -> None:
    """It gets no more answers than there is room for on the way; then all of them, in order."""
    bodies = iter(range(2000))
    size = 10_000

    def answer(request: Request) -> bytes:
        return b"%d" % next(bodies) + b"x" * size

    route = router.get("/big").reply(body=b"x" * size) if is_plain else router.get("/big").reply(answer)
    async with connection(router) as client:
        client.transport.pause_reading()
        for _ in range(20):
            client.send(get("/big") * 100)
            for _ in range(20):
                await asyncio.sleep(0)
        waiting = client.transport.other.get_write_buffer_size()
        assert waiting < 100_000
        assert route.call_count < 100
        client.transport.resume_reading()
        await client.until(lambda: client.received.count(b"HTTP/1.1") == 2000)
    assert 2000 == route.call_count


async def test_client_that_leaves_with_answers_on_their_way(router: Router) -> None:
    """What it does not take is dropped, without a word."""
    seen: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: seen.append(context))
    router.get("/big").reply(body=b"x" * 600_000)
    async with connection(router) as client:
        client.transport.pause_reading()
        client.send(get("/big") * 5)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        client.transport.abort()
    assert [] == seen


async def test_requests_that_wait_are_held_back(router: Router) -> None:
    """Behind an answer that takes long, only so many requests are read."""
    gate = router.get("/held").hold()
    async with connection(router) as client:
        client.send(get("/held"), POST * MOST_REQUESTS)
        await begins(router)
        assert not client.transport.other.is_reading()
        gate.release()
        await client.gets(OK * (1 + MOST_REQUESTS))
        assert client.transport.other.is_reading()


async def test_another_protocol_is_held_back(router: Router) -> None:
    """What follows a request for another protocol waits for its answer, and is not read without bound."""
    route = router.ws("/late")
    route.reply(hello)
    gate = route.hold()
    async with connection(router) as client:
        client.send(HANDSHAKE.replace(b"/ws", b"/late") + ONLY_MESSAGE)
        await begins(router)
        for _ in range(3):
            client.send(b"\x8a\x80\0\0\0\0" * 30_000)
            await asyncio.sleep(0)
        assert not client.transport.other.is_reading()
        gate.release()
        await client.until(lambda: b"\x81\x02hi" in client.received)
