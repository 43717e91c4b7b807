"""Hostile inputs to a connection: no traceback, nothing that stays, the same answers however they are cut.

The suite tries some of each seed's inputs. Many more, of any seed: `make test-hostile INPUTS=100000`.
"""

from __future__ import annotations

import hashlib

import pytest

from tests.support.hostile import Case, Leaving, case
from tests.support.hostile_oracle import oracle
from tests.support.hostile_socket import socket_trial
from tests.support.hostile_trial import Hang, trial
from tests.support.loops import LOOP, asyncio_only

EVERYWHERE = "b398447db8ed124d382845b8674bb18c68a8aa599c6580e4da2e7f29602a1cf0"


def test_the_same_everywhere() -> None:
    """An input follows from its seed and number alone, on every machine and Python."""
    digest = hashlib.sha256()
    for index in range(300):
        digest.update(repr(case(7, index)).encode())
    assert EVERYWHERE == digest.hexdigest()


SEED = 20
SHARES = (0, 100, 200, 300)
IN_A_SHARE = 20 if LOOP == "uvloop" else 100
"""uvloop's loops do not tell when nothing is left to do, and more is waited for."""
AGAIN = f"again: make test-hostile SEED={SEED} INPUT="


@pytest.mark.parametrize("start", SHARES)
async def test_hostile_inputs(start: int) -> None:
    """None makes trouble, and the answers are the same however it is cut."""
    async with trial() as judge:
        for index in range(start, start + IN_A_SHARE):
            try:
                problems = await judge.judge(case(SEED, index))
            except Hang as hang:
                problems = [str(hang)]
            assert not problems, f"{problems[:3]}; {AGAIN}{index}"
        assert not await judge.leaks()


async def test_answers_over_a_socket() -> None:
    """They are those that are given in memory, and nothing stays."""
    async with trial() as memory, socket_trial(memory) as judge:
        for index in range(80):
            problems = await judge.judge(case(SEED, index))
            assert not problems, f"{problems[:3]}; {AGAIN}{index}"


@asyncio_only
async def test_no_request_is_misread() -> None:
    """What both the kit and aiohttp's own server read of some bytes, both read as the same requests."""
    async with oracle() as both:
        for index in range(150):
            data = case(SEED, index).data
            difference = None if len(data) > 1000 else await both.difference(data)
            assert difference is None, f"{difference}; {AGAIN}{index}"


WENT_WRONG = {
    "a handshake that is none, for an ASGI app": (
        b"GET /asgi/ws HTTP/1.1\r\nHost: api.test\r\nUpgrade: websocket\r\n\r\n"
    ),
    "a handshake with a key that is no text, for an ASGI app": (
        b"GET /asgi/ws HTTP/1.1\r\nHost: api.test\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: \xf8\r\n\r\n"
    ),
    "no HTTP in a tunnel": b"CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n\0",
    "a broken chunk for a handler": (
        b"PUT /serve HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhellox"
    ),
    "a broken chunk for an app, behind another request": (
        b"GET /sse HTTP/1.1\r\nHost: api.test\r\n\r\n"
        b"PUT /asgi/echo HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding: chunked\r\n\r\nz"
    ),
    "a handler that streams in answer to HEAD": (
        b"HEAD /app/stream HTTP/1.1\r\nHost: api.test\r\nContent-Length: 5\r\n\r\nhello"
        b"GET /app/stream HTTP/1.1\r\nHost: api.test\r\n\r\n"
    ),
    "big replies, and half a body": (
        b"GET /big HTTP/1.1\r\nHost: api.test\r\n\r\n" * 2
        + b"POST /big HTTP/1.1\r\nHost: api.test\r\nContent-Length: 5\r\n\r\nhell"
    ),
    "another protocol behind a body": (
        b"POST /json HTTP/1.1\r\nHost: api.test\r\nConnection: upgrade\r\nUpgrade: h2c\r\n"
        b"Content-Length: 6\r\n\r\n[1, 2]GET /reply HTTP/1.1\r\nHost: api.test\r\n\r\n"
    ),
    "a websocket and another request": (
        b"GET /sse HTTP/1.1\r\nHost: api.test\r\n\r\n"
        b"GET /ws HTTP/1.1\r\nHost: api.test\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
        b"\x81\x82\0\0\0\0hi\x88\x80\0\0\0\0"
    ),
    "a body that is not in its coding, and is not read": (
        b"POST /serve/stream HTTP/1.1\r\nHost: api.test\r\nContent-Encoding: gzip\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n2\r\n--\r\n4\r\n-b--\r\n0\r\n\r\n"
        b"GET /reply HTTP/1.1\r\nHost: api.test\r\n\r\n"
    ),
    "a ping for a script": (
        b"GET /ws/script HTTP/1.1\r\nHost: api.test\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n\x89\x80\0\0\0\0"
    ),
    "an expectation that is no text": b"PUT /serve HTTP/1.1\r\nHost: api.test\r\nExpect: \xf8\r\n\r\n",
}


@pytest.mark.parametrize("data", WENT_WRONG.values(), ids=WENT_WRONG)
async def test_inputs_that_went_wrong(data: bytes) -> None:
    """Each once made trouble: it is well wherever it is cut, and whenever the client leaves."""
    cuts = (*((position,) for position in range(1, len(data))), tuple(range(1, len(data))))
    async with trial() as judge:
        problems = await judge.judge(Case(0, 0, data, cuts, Leaving(0, 0, aborts=True, reads=True)))
        for turns in range(12):
            for aborts in (False, True):
                leaving = Leaving(len(data), turns, aborts, reads=turns % 2 == 0)
                problems += await judge.left(Case(0, 0, data, (), leaving))
        problems += await judge.leaks()
    assert not problems
