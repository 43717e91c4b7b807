"""Wire faults as a client meets them: alone, in sequences, within streams, and around aiohttp's retry."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import http_exceptions

from aiotest_kit import (
    BadChunk,
    BadHeader,
    Call,
    Disconnect,
    Drip,
    Flaky,
    Garbage,
    ProxyError,
    Reply,
    Request,
    Reset,
    Route,
    Router,
    Stall,
    Truncate,
    WrongEncoding,
)
from tests.doors.conftest import Door
from tests.support.aiohttps import HAS_C_PARSER

URL = "http://a.test/x"
HELLO = Reply(200, body=b"hello")
CHUNKED = Reply(200, headers={"Transfer-Encoding": "chunked"}, body=b"hello")
PATIENT = aiohttp.ClientTimeout(total=1, sock_read=0.4)
BAD_CHUNK = http_exceptions.TransferEncodingError
SOON = aiohttp.ClientTimeout(sock_read=0.4)


async def ask(session: aiohttp.ClientSession, method: str = "GET", **options: Any) -> list[object]:
    """What a call shows: the status, each piece of the body, and the class of the exception that ended it."""
    seen: list[object] = []
    try:
        async with session.request(method, URL, **options) as response:
            seen.append(response.status)
            async for piece in response.content.iter_any():
                seen += [piece]
    except (aiohttp.ClientError, asyncio.TimeoutError, BAD_CHUNK) as exc:
        seen.append(type(exc))
    return seen


PAYLOAD = aiohttp.ClientPayloadError
DISCONNECTED = aiohttp.ServerDisconnectedError
RESPONSE = aiohttp.ClientResponseError
SILENCE = aiohttp.SocketTimeoutError


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Disconnect(), [DISCONNECTED]),
        (Reset(), [aiohttp.ClientOSError]),
        (Reset(after=0, reply=HELLO), [200, PAYLOAD]),
        (Truncate(reply=HELLO), [200, PAYLOAD]),
        (Truncate(after=3, reply=HELLO), [200, b"hel", PAYLOAD]),
        (Truncate(after=3, reply=CHUNKED), [200, b"hel", PAYLOAD]),
        (Truncate(after=100), [200, b"x" * 100, PAYLOAD]),
        (Stall(), [SILENCE]),
        (Stall(after=3, reply=HELLO), [200, b"hel", SILENCE]),
        (Drip(1e4, reply=HELLO), [200, b"hello"]),
        (Garbage(), [RESPONSE if HAS_C_PARSER else DISCONNECTED]),
        (Garbage(b"HTTP/1.1 2"), [DISCONNECTED]),
        (BadChunk(), [RESPONSE]),
        (BadChunk(after=3), [RESPONSE]),
        (BadHeader(), [RESPONSE]),
        (WrongEncoding("gzip"), [200, PAYLOAD]),
        (WrongEncoding("deflate"), [200, PAYLOAD]),
        (ProxyError(), [407]),
    ],
    ids=repr,
)
async def test_fault(fault: object, expected: list[object], door: Door) -> None:
    """Each gives the exception of what its name says, whether the route is new or has answered before."""
    route = door.router.post(URL).replies(fault, 200, fault)
    async with door.no_waiting(), door.open_session(timeout=SOON) as session:
        assert expected == await ask(session, "POST")
        assert [200] == await ask(session, "POST")
        assert expected == await ask(session, "POST")
    assert [1, 1, 1] == [call.attempts for call in route.calls]


# Up to Python 3.10 the client's end of a TLS connection warns when its loop ends before it is closed.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("after", [3, 60_000, 2_000_000])
async def test_reset_within_a_body(after: int, scheme: str, door: Door) -> None:
    """What was sent before a reset is read before it, however much that is."""
    reply = Reply(200, body=bytes(after + 10))
    url = URL.replace("http", scheme)
    door.router.post(url).reply(Reset(after=after, reply=reply))
    async with door.open_session() as session, session.post(url) as response:
        size = 0
        with pytest.raises(PAYLOAD):
            async for piece in response.content.iter_any():
                size += len(piece)
    assert after == size


@pytest.mark.parametrize("fault", [WrongEncoding("br"), WrongEncoding("zstd")], ids=repr)
async def test_codings_of_extras(fault: object, session: aiohttp.ClientSession, router: Router) -> None:
    """A coding that this aiohttp does not know is left alone; one that it knows fails."""
    router.get(URL).reply(fault)
    assert await ask(session) in ([200, PAYLOAD], [200, b"\xff" * 64])


async def test_drip(door: Door) -> None:
    """A dripping body goes on past a timeout for reading, and ends at the one for all."""
    door.router.get(URL).reply(Drip(100, reply=Reply(200, body=bytes(1000))))
    timeout = aiohttp.ClientTimeout(total=0.35, sock_read=0.25)
    async with door.no_waiting(), door.open_session(timeout=timeout) as session:
        status, *pieces, end = await ask(session)
    assert (200, asyncio.TimeoutError) == (status, end)
    assert pieces
    assert {10} == {len(piece) for piece in pieces if isinstance(piece, bytes)}


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Disconnect(), [200, b"hello", PAYLOAD]),
        (Reset(), [200, b"hello", PAYLOAD]),
        (Truncate(), [200, b"hello", PAYLOAD]),
        (Stall(), [200, b"hello", SILENCE]),
        (Drip(1e6), [200, b"hello", b"world"]),
        # aiohttp's parser loses the reader of the body before it complains: only the timeout for all is left.
        (Garbage(), [200, b"hello", asyncio.TimeoutError if HAS_C_PARSER else BAD_CHUNK]),
        (BadChunk(), [200, b"hello", asyncio.TimeoutError if HAS_C_PARSER else BAD_CHUNK]),
        (BadHeader(), [200, b"hello", asyncio.TimeoutError if HAS_C_PARSER else PAYLOAD]),
        (Flaky(Reset(), 1, 1), [200, b"hello", PAYLOAD]),
        (Flaky(Reset(), 0, 1), [200, b"hello", b"world"]),
    ],
    ids=repr,
)
@pytest.mark.parametrize("generated", [False, True], ids=["list", "generator"])
async def test_within_a_stream(generated: bool, fault: object, expected: list[object], door: Door) -> None:
    """A fault among the pieces of a stream happens behind those that were sent."""
    read = asyncio.Event()

    async def pieces(request: Request) -> AsyncIterator[object]:
        yield b"hello"
        await read.wait()
        yield fault
        yield b"world"

    route = door.router.get(URL).stream(pieces if generated else [b"hello", 0.01, fault, b"world"])
    async with door.no_waiting(), door.open_session(timeout=PATIENT) as session:
        seen: list[object] = []
        try:
            async with session.get(URL) as response:
                seen.append(response.status)
                async for piece in response.content.iter_any():
                    seen.append(piece)
                    read.set()
        except (aiohttp.ClientError, asyncio.TimeoutError, BAD_CHUNK) as exc:
            seen.append(type(exc))
    assert expected == seen
    assert 1 == route.calls.one().attempts


SEQUENCES: dict[str, tuple[Callable[[Route], Route], list[list[object]], list[int]]] = {
    "alone": (lambda route: route.reply(Disconnect()), [[DISCONNECTED], [DISCONNECTED]], [2, 2]),
    "then": (lambda route: route.replies(503, Reset(), HELLO), [[503], [aiohttp.ClientOSError]], [1, 2]),
    "times": (
        lambda route: route.reply(Disconnect(), times=1).reply(HELLO),
        [[DISCONNECTED], [200, b"hello"]],
        [2, 1],
    ),
    "one-attempt": (
        lambda route: route.reply(Reset(), attempts=1).reply(HELLO),
        [[200, b"hello"], [200, b"hello"]],
        [2, 1],
    ),
    "one-attempt-each": (
        lambda route: route.reply(Reset(), attempts=1).reply(Disconnect(), attempts=1),
        [[DISCONNECTED], [DISCONNECTED]],
        [2, 2],
    ),
    "flaky": (
        lambda route: route.reply(Flaky(Reset(), 0.5, 2, reply=HELLO)),
        [[200, b"hello"], [200, b"hello"], [aiohttp.ClientOSError], [aiohttp.ClientOSError]],
        [1, 1, 2, 2],
    ),
    "handler": (lambda route: route.reply(lambda request: Disconnect()), [[DISCONNECTED]], [2]),
}


@pytest.mark.memory_door
@pytest.mark.parametrize(("add", "expected", "attempts"), SEQUENCES.values(), ids=SEQUENCES)
async def test_sequence(
    add: Callable[[Route], Route], expected: list[list[object]], attempts: list[int], door: Door
) -> None:
    """A fault belongs to the call, aiohttp's own second attempt counted in, unless `attempts` says less."""
    route = add(door.router.get(URL))
    async with door.open_session() as session:
        assert expected == [await ask(session) for _ in expected]
    assert attempts == [call.attempts for call in route.calls]


@pytest.mark.memory_door
async def test_record(session: aiohttp.ClientSession, router: Router) -> None:
    """The record has of the reply what was sent."""
    router.get(URL).replies(Truncate(after=3, reply=HELLO), Stall(after=1), Disconnect())
    async with session.get(URL) as response:
        with pytest.raises(PAYLOAD):
            await response.read()
    async with session.get(URL) as response:
        assert b"x" == await response.content.readany()
    with pytest.raises(DISCONNECTED):
        await session.get(URL)

    def body(call: Call[Route]) -> bytes | None:
        return call.reply.body if call.reply is not None else None

    assert [b"hel", b"x", None] == [body(call) for call in router.calls]


async def test_head_request(session: aiohttp.ClientSession, router: Router) -> None:
    """A reply to HEAD has no body that could be truncated."""
    router.head(URL).reply(Truncate(reply=HELLO))
    async with session.head(URL) as response:
        assert (200, "5", b"") == (response.status, response.headers["Content-Length"], await response.read())
