"""Hostile inputs to a connection: no traceback, nothing that stays, the same answers however they are cut.

The suite tries some of each seed's inputs. Many more, of any seed: `make test-hostile INPUTS=100000`.
"""

from __future__ import annotations

import hashlib

import pytest

from tests.support.hostile import Case, Leaving, case
from tests.support.hostile_trial import trial
from tests.support.loops import asyncio_only

pytestmark = asyncio_only

EVERYWHERE = "b398447db8ed124d382845b8674bb18c68a8aa599c6580e4da2e7f29602a1cf0"


def test_the_same_everywhere() -> None:
    """An input follows from its seed and number alone, on every machine and Python."""
    digest = hashlib.sha256()
    for index in range(300):
        digest.update(repr(case(7, index)).encode())
    assert EVERYWHERE == digest.hexdigest()


WENT_WRONG = {
    "a handshake that is none, for an ASGI app": (
        b"GET /asgi/ws HTTP/1.1\r\nHost: api.test\r\nUpgrade: websocket\r\n\r\n"
    ),
    "a handshake with a key that is no text, for an ASGI app": (
        b"GET /asgi/ws HTTP/1.1\r\nHost: api.test\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: \xf8\r\n\r\n"
    ),
    "an expectation that is no text": b"PUT /serve HTTP/1.1\r\nHost: api.test\r\nExpect: \xf8\r\n\r\n",
}


@pytest.mark.parametrize("data", WENT_WRONG.values(), ids=WENT_WRONG)
async def test_inputs_that_went_wrong(data: bytes) -> None:
    """Each once made trouble: it is well wherever it is cut."""
    cuts = (*((position,) for position in range(1, len(data))), tuple(range(1, len(data))))
    async with trial() as judge:
        problems = await judge.judge(Case(0, 0, data, cuts, Leaving(0, 0, aborts=True, reads=True)))
        problems += await judge.leaks()
    assert not problems
