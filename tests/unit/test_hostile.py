"""What comes from a hostile or broken client: a 4xx or the end of the connection, and the next request works.

The suite tries a few thousand inputs. All 100,000:

    AIOTEST_KIT_HOSTILE=100000 python -m pytest tests/unit/test_hostile.py
"""

from __future__ import annotations

import asyncio
import gc
import os
import re
import socket
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from aiotest_kit import Origin, Router, Upstream
from aiotest_kit._http.readers import HEAD_TOO_LONG, LONGEST_BODY, LONGEST_HEAD, MOST_FIELDS, RequestReader
from aiotest_kit._server.protocol import ServerProtocol

INPUTS = int(os.environ.get("AIOTEST_KIT_HOSTILE", "1000"))
PROFILE = settings(
    max_examples=INPUTS,
    deadline=None,
    database=None,
    # The suite tries the same ones each time; more of them are new ones.
    derandomize=INPUTS < 10_000,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
PATIENCE = 10.0
API = Origin("http", "api.test", 80)
GOOD = b"GET /good HTTP/1.1\r\nHost: api.test\r\n\r\n"
POST = b"POST /form HTTP/1.1\r\nHost: api.test\r\nContent-Length: 7\r\n\r\na=1&b=2"
CHUNKED = (
    b"POST /json HTTP/1.1\r\nHost: api.test\r\nContent-Type: application/json\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n5\r\n[1, 2\r\n1;x=y\r\n]\r\n0\r\nX-Sum: 1\r\n\r\n"
)
STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) [^\r\n]*\r\n")


def routes() -> Router:
    """Routes that look at all of a request."""
    router = Router()
    router.get("/good").reply(text="good")
    router.post("/form", form={"a": "1", "b": "2"}).reply(201)
    router.post("/json", json=[1, 2]).reply(202)
    router.any("/{id:\\d+}", query={"q": "1"}, headers={"X-A": "1"}, cookies={"c": "1"}).reply(203)
    router.post("/parts", multipart={"a": "1"}).reply(204)
    return router


class Wire(asyncio.Transport):
    """A transport that keeps what is written; nothing waits."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = bytearray()
        self.closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.closing
        self.sent += data

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    abort = write_eof = close

    def can_write_eof(self) -> bool:
        return True

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None: ...

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


def mutated(base: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    """Bytes of which some are replaced by others."""
    data = bytearray(base)
    for position, length, new in edits:
        start = position % (len(data) + 1)
        data[start : start + length] = new
    return bytes(data)


TOKENS = st.sampled_from(
    [
        *(
            b"GET ",
            b"POST ",
            b"PUT ",
            b"CONNECT ",
            b"OPTIONS ",
            b"PRI ",
            b"/",
            b"*",
            b"http://",
            b"//",
            b"?q=1",
        ),
        *(b"https://[::1", b"a.test:99999", b"#", b"%zz", b"%00", b"\x80", b"\xff", b":", b" ", b"\t", b"\0"),
        *(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", b" HTTP/2.0\r\n", b" HTTP/9.9\r\n", b"\r\n", b"\n", b"\r"),
        *(b"Host: api.test", b"Host: [", b"Host: \xff", b"Content-Length: ", b"Content-Length: 5\r\n"),
        *(b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip\r\n", b"-1", b"+5", b"0x10"),
        *(b"99999999999999999999", b"18446744073709551615", b"0\r\n\r\n", b"5\r\nhello\r\n"),
        *(b"ffffffffffffffff\r\n", b"fffffffffffffffff\r\n", b"Expect: 100-continue\r\n"),
        *(b"Connection: close\r\n", b"Connection: upgrade\r\nUpgrade: websocket\r\n", b"X-A: 1\r\n"),
        *(b"Cookie: =;;a;c=1\r\n", b"Content-Type: application/json\r\n", b'{"a": [', b"--b\r\n"),
        *(b"Content-Type: multipart/form-data; boundary=\r\n", b"Content-Type: a/b; charset=nope\r\n"),
    ]
)
EDIT = st.tuples(st.integers(0, 300), st.integers(0, 20), TOKENS | st.binary(max_size=8))
EDITS = st.lists(EDIT, max_size=4)
INPUT = st.one_of(
    st.builds(mutated, st.sampled_from([GOOD, POST, CHUNKED, GOOD + POST]), EDITS),
    st.lists(TOKENS, max_size=25).map(b"".join),
    st.binary(max_size=200),
)


class Connection:
    """A peer on a wire."""

    def __init__(self, router: Router, loop: asyncio.AbstractEventLoop) -> None:
        self.wire = Wire()
        self.peer = ServerProtocol(router, API, loop, set())
        self.peer.connection_made(self.wire)

    def feed(self, data: bytes) -> None:
        if not self.wire.closing:
            self.peer.data_received(data)

    def check(self) -> None:
        """All that was sent is replies, and after one that tells of nonsense comes nothing."""
        statuses = [int(status) for status in STATUS.findall(self.wire.sent)]
        assert bool(statuses) is bool(self.wire.sent)
        assert all(status < 500 or status == 501 for status in statuses), bytes(self.wire.sent)
        if self.wire.closing and statuses and statuses[-1] in (400, 413, 431):
            assert b"Connection: close" in self.wire.sent
        self.peer.connection_lost(None)


@given(st.lists(INPUT, min_size=1, max_size=3), st.integers(1, 400))
@PROFILE
def test_any_bytes(inputs: list[bytes], size: int) -> None:
    """Whatever comes, in whatever pieces, the answer is HTTP and no error; the next connection works."""
    connection = Connection(ROUTER, LOOP)
    data = b"".join(inputs)
    for position in range(0, len(data), size):
        connection.feed(data[position : position + size])
    connection.check()
    assert not ROUTER.handler_errors
    after = Connection(ROUTER, LOOP)
    after.feed(GOOD)
    assert after.wire.sent.endswith(b"\r\n\r\ngood")
    after.check()
    ROUTER.calls.clear()
    ROUTER._table.misses.clear()
    for route in ROUTER.routes:
        route.calls.clear()


ROUTER = routes()
LOOP = asyncio.new_event_loop()


@pytest.fixture(scope="module", autouse=True)
def loop_is_closed() -> object:
    yield
    LOOP.close()


# ---- over a socket ----


async def talk(port: int, *data: bytes, then: bytes = b"") -> bytes:
    """All that is received for some data, sent piece by piece; `then` ends the input."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in data:
            writer.write(piece)
            await writer.drain()
        writer.write(then)
        return await asyncio.wait_for(reader.read(), PATIENCE)
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def works(up: Upstream) -> bool:
    """Whether the next request is answered."""
    return (await talk(up.port, GOOD[:-2] + b"Connection: close\r\n\r\n")).endswith(b"good")


HUGE = b"x" * 1024
HOSTILE: dict[str, tuple[list[bytes], bytes]] = {
    "huge field": ([b"GET / HTTP/1.1\r\nX: ", *[HUGE] * 400], b"431 "),
    "huge field that ends": ([b"GET / HTTP/1.1\r\nX: ", *[HUGE] * 100, b"\r\n\r\n"], b"431 "),
    "huge name": ([b"GET / HTTP/1.1\r\n", *[HUGE] * 400], b"431 "),
    "huge target": ([b"GET /", *[HUGE] * 400], b"431 "),
    "many fields": ([b"GET / HTTP/1.1\r\n", b"X: 1\r\n" * (MOST_FIELDS + 1), b"\r\n"], b"431 "),
    "endless trailers": ([CHUNKED[:-2], *[b"X: 1\r\n" * 200] * 400], b"431 "),
    "long head that is none": ([b"nonsense " * 100_000], b"400 "),
    "length beyond all": ([b"POST /form HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % 10**30], b"400 "),
    "length too long": ([b"POST /form HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (LONGEST_BODY + 1)], b"413 "),
    "length is negative": ([b"POST /form HTTP/1.1\r\nContent-Length: -1\r\n\r\n"], b"400 "),
    "two lengths": ([b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"], b"400 "),
    "chunk size is no number": ([b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"], b"400 "),
    "chunk size beyond all": (
        [b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n"],
        b"400 ",
    ),
    "endless chunk extension": (
        [b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;", *[HUGE] * 400],
        b"431 ",
    ),
    "both framings": (
        [b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"],
        b"400 ",
    ),
    "TLS": ([bytes.fromhex("16030100a5010000a10303") + bytes(150)], b"400 "),
    "HTTP/2": ([b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"], b"400 "),
}


@pytest.mark.parametrize(("data", "status"), HOSTILE.values(), ids=HOSTILE)
async def test_hostile(data: list[bytes], status: bytes) -> None:
    """Each is told what is wrong, and is no harm to the next client."""
    async with Upstream(router=routes()) as up:
        received = await talk(up.port, *data)
        assert received == b"" or received.startswith(b"HTTP/1.1 " + status), received[:200]
        assert await works(up)
        assert not up.handler_errors


def test_long_head_in_one_piece() -> None:
    """A head that is too long is refused also when it comes whole."""
    reader = RequestReader(API)
    assert [] == reader.feed(b"GET / HTTP/1.1\r\nX: " + b"x" * LONGEST_HEAD + b"\r\n\r\n")
    assert HEAD_TOO_LONG == reader.error


async def test_endless_body(monkeypatch: pytest.MonkeyPatch) -> None:
    """A body that does not say how long it is is refused when it is too long."""
    monkeypatch.setattr("aiotest_kit._http.readers.LONGEST_BODY", 10_000)
    async with Upstream(router=routes()) as up:
        start = b"POST /form HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        received = await talk(up.port, start, *[b"400\r\n" + HUGE + b"\r\n"] * 20)
        assert received == b"" or received.startswith(b"HTTP/1.1 413 ")
        assert await works(up)


async def test_limits() -> None:
    """A head just within the limits is read."""
    field = b"X: " + b"x" * (LONGEST_HEAD - 200) + b"\r\n"
    many = b"".join(b"X-%d: 1\r\n" % number for number in range(MOST_FIELDS - 2))
    async with Upstream(router=routes()) as up:
        for fields in (field, many):
            data = GOOD[:-2] + fields + b"Connection: close\r\n\r\n"
            assert (await talk(up.port, data)).endswith(b"good")


@pytest.mark.parametrize("data", [GOOD, POST, CHUNKED], ids=["get", "post", "chunked"])
async def test_early_close(data: bytes) -> None:
    """A client that goes away at any byte leaves nothing behind."""
    async with Upstream(router=routes()) as up:
        for end in range(len(data)):
            _, writer = await asyncio.open_connection("127.0.0.1", up.port)
            writer.write(data[:end])
            if end % 2:
                writer.transport.abort()
            else:
                writer.close()
        assert await works(up)
        serving = up._serving
        assert serving is not None
        await asyncio.wait_for(until(lambda: not serving.connections), PATIENCE)
        assert not up.handler_errors


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110  # nothing tells of it
        await asyncio.sleep(0)


async def test_slow_clients() -> None:
    """Clients that send a byte now and then keep nobody from being answered, and end with the upstream."""
    async with Upstream(router=routes()) as up:
        slow = [await asyncio.open_connection("127.0.0.1", up.port) for _ in range(100)]
        for position in range(10):
            for _, writer in slow:
                writer.write(GOOD[position : position + 1])
            assert await works(up)
    for reader, writer in slow:
        assert await asyncio.wait_for(reader.read(), PATIENCE) == b""
        writer.close()


async def test_nothing_grows() -> None:
    """Thousands of bad requests leave no memory behind."""
    router = routes()
    loop = asyncio.get_running_loop()

    def bad(number: int) -> None:
        connection = Connection(router, loop)
        connection.feed(b"GET /%d HTTP/1.1\r\nX-%d: \0\r\n\r\n" % (number, number))
        connection.peer.connection_lost(None)

    for number in range(200):
        bad(number)
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for number in range(2000):
        bad(number)
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before < 50_000


@given(st.lists(INPUT, min_size=1, max_size=2))
@settings(PROFILE, max_examples=max(40, INPUTS // 100))
def test_any_bytes_on_a_socket(inputs: list[bytes]) -> None:
    """The same over a socket, where the client closes its end behind the input."""
    up = UPSTREAM[0]
    with socket.create_connection(("127.0.0.1", up.port), timeout=PATIENCE) as client:
        try:
            client.sendall(b"".join(inputs))
            client.shutdown(socket.SHUT_WR)
            while client.recv(65536):
                pass
        except ConnectionError:
            pass
    with socket.create_connection(("127.0.0.1", up.port), timeout=PATIENCE) as client:
        client.sendall(GOOD[:-2] + b"Connection: close\r\n\r\n")
        received = b""
        while data := client.recv(65536):
            received += data
    assert received.endswith(b"good")
    assert not up.handler_errors


UPSTREAM: list[Upstream] = []


@pytest.fixture(scope="module", autouse=True)
def upstream() -> object:
    with Upstream(thread=True, router=routes()) as up:
        UPSTREAM.append(up)
        yield
    UPSTREAM.clear()
