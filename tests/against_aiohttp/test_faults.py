"""The kit's faults beside the same thing written by hand, byte by byte, over a real socket.

Each fault is met in memory, and again over the loopback door; the client sees the same in all three.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest

from aiotest_kit import (
    BadChunk,
    BadHeader,
    Disconnect,
    Drip,
    Flaky,
    Garbage,
    ProxyError,
    Reply,
    Reset,
    Router,
    Stall,
    Truncate,
    Upstream,
    WrongEncoding,
    mock_session,
    virtual_time,
)
from tests.against_aiohttp.conftest import Network
from tests.against_aiohttp.ends import (
    CHUNKED,
    OK,
    PATIENT,
    SOON,
    TOTAL,
    URL,
    Client,
    Received,
    Script,
    asks,
    fin,
    rst,
    says,
    says_bit_by_bit,
)
from tests.against_aiohttp.test_scenarios import Observed, observed_by

HELLO = Reply(200, body=b"hello")
IN_CHUNKS = Reply(200, headers={"Transfer-Encoding": "chunked"}, body=b"hello")
HEAD = OK + b"Content-Length: 5\r\n\r\n"
CODED = OK + b"Content-Encoding: %b\r\nContent-Length: 64\r\n\r\n" + b"\xff" * 64
NO_HTTP = b"SSH-2.0-OpenSSH_9.6\r\n"
NO_SIZE = b"not-a-size\r\n"
NO_FIELD = b"a line without a colon\r\n"
ONE = CHUNKED + b"5\r\nhello\r\n"
PROXY_AUTH = b'Proxy-Authenticate: Basic realm="proxy"\r\n'
CLOSES = b"Connection: close\r\nContent-Length: 0\r\n\r\n"


@dataclass(frozen=True)
class ByHand:
    """What answers a route, and the peer that does the same; `piece` says that it is one of a stream."""

    fault: Any
    peer: Callable[[Received], Script]
    options: dict[str, Any] = field(default_factory=lambda: PATIENT)
    piece: bool = False


FAULTS: dict[str, ByHand] = {
    "disconnect": ByHand(Disconnect(), says(b"", fin)),
    "reset": ByHand(Reset(), says(b"", rst)),
    "reset-behind-the-head": ByHand(Reset(after=0, reply=HELLO), says(HEAD, rst)),
    "reset-within": ByHand(Reset(after=3, reply=HELLO), says(HEAD + b"hel", rst)),
    "reset-behind-all": ByHand(Reset(after=5, reply=HELLO), says(HEAD + b"hello", rst)),
    "reset-chunked": ByHand(Reset(after=3, reply=IN_CHUNKS), says(CHUNKED + b"3\r\nhel\r\n", rst)),
    "truncate": ByHand(Truncate(reply=HELLO), says(HEAD, fin)),
    "truncate-within": ByHand(Truncate(after=3, reply=HELLO), says(HEAD + b"hel", fin)),
    "truncate-chunked": ByHand(Truncate(after=3, reply=IN_CHUNKS), says(CHUNKED + b"3\r\nhel\r\n", fin)),
    "stall": ByHand(Stall(), says(b""), SOON),
    "stall-until-total": ByHand(Stall(), says(b""), TOTAL),
    "stall-behind-the-head": ByHand(Stall(after=0, reply=HELLO), says(HEAD), SOON),
    "stall-within": ByHand(Stall(after=3, reply=HELLO), says(HEAD + b"hel"), SOON),
    "drip": ByHand(Drip(50, reply=HELLO), says_bit_by_bit(HEAD, b"hello")),
    "drip-until-total": ByHand(Drip(0.1, reply=HELLO), says(HEAD), TOTAL),
    "garbage": ByHand(Garbage(), says(NO_HTTP, fin)),
    "garbage-that-begins-well": ByHand(Garbage(b"HTTP/1.1 2"), says(b"HTTP/1.1 2", fin)),
    "bad-chunk": ByHand(BadChunk(reply=HELLO), says(CHUNKED + NO_SIZE, fin)),
    "bad-chunk-behind-a-good-one": ByHand(
        BadChunk(after=3, reply=HELLO), says(CHUNKED + b"3\r\nhel\r\n" + NO_SIZE, fin)
    ),
    "bad-header": ByHand(BadHeader(reply=HELLO), says(HEAD[:-2] + NO_FIELD + b"\r\nhello", fin)),
    **{
        f"wrong-{coding}": ByHand(WrongEncoding(coding), says(CODED % coding.encode()))
        for coding in ("gzip", "deflate", "br", "zstd")
    },
    "proxy-407": ByHand(
        ProxyError(), says(b"HTTP/1.1 407 Proxy Authentication Required\r\n" + PROXY_AUTH + CLOSES, fin)
    ),
    "proxy-502": ByHand(ProxyError(502), says(b"HTTP/1.1 502 Bad Gateway\r\n" + CLOSES, fin)),
    "flaky-bad-luck": ByHand(Flaky(Disconnect(), 1, 1), says(b"", fin)),
    "flaky-good-luck": ByHand(Flaky(Disconnect(), 0, 1, reply=HELLO), says(HEAD + b"hello")),
    "in-a-stream-disconnect": ByHand(Disconnect(), says(ONE, fin), piece=True),
    "in-a-stream-reset": ByHand(Reset(), says(ONE, rst), piece=True),
    "in-a-stream-truncate": ByHand(Truncate(), says(ONE, fin), piece=True),
    "in-a-stream-stall": ByHand(Stall(), says(ONE), SOON, piece=True),
    "in-a-stream-garbage": ByHand(Garbage(), says(ONE + NO_HTTP, fin), TOTAL, piece=True),
    "in-a-stream-bad-chunk": ByHand(BadChunk(), says(ONE + NO_SIZE, fin), TOTAL, piece=True),
    "in-a-stream-bad-header": ByHand(
        BadHeader(), says(ONE + b"0\r\n" + NO_FIELD + b"\r\n", fin), TOTAL, piece=True
    ),
}
# Not HEAD: a reply to it has no body that could go wrong, and the kit sends none.
CLIENTS: dict[str, Client] = {"GET": asks(), "POST": asks("POST", data=b"body")}


def answering(router: Router, by_hand: ByHand) -> None:
    """Have a router answer with the fault."""
    route = router.any(URL)
    if by_hand.piece:
        route.stream([b"hello", by_hand.fault])
    else:
        route.reply(by_hand.fault)


async def over_sockets(by_hand: ByHand, client: Client, network: Network) -> Observed:
    await network.serve(by_hand.peer([]))
    return await observed_by(client, network.open_session(**by_hand.options))


async def in_memory(by_hand: ByHand, client: Client) -> Observed:
    router = Router()
    answering(router, by_hand)
    session = mock_session(router, connector=aiohttp.TCPConnector(), **by_hand.options)
    async with virtual_time():
        return await observed_by(client, session)


async def over_loopback(by_hand: ByHand, client: Client, network: Network) -> Observed:
    async with Upstream() as up:
        answering(up, by_hand)
        network.port = up.port
        return await observed_by(client, network.open_session(**by_hand.options))


@pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)
@pytest.mark.parametrize("by_hand", FAULTS.values(), ids=FAULTS)
async def test_by_hand(by_hand: ByHand, client: Client, network: Network) -> None:
    """Response, body, exception and trace events are those of the peer that is written by hand."""
    expected = await over_sockets(by_hand, client, network)
    assert expected == await in_memory(by_hand, client)
    assert expected == await over_loopback(by_hand, client, network)
