"""Faults as values: what can be asked of them, what each sends, and the chance of a flaky one."""

from __future__ import annotations

from typing import Any, NoReturn

import pytest

from aiotest_kit import (
    BadChunk,
    BadHeader,
    Disconnect,
    Drip,
    Flaky,
    Garbage,
    Origin,
    ProxyError,
    Reply,
    Request,
    Reset,
    Router,
    Stall,
    Truncate,
    UsageError,
    WrongEncoding,
)

SHORT = Reply(200, body=b"hello")


class Ended(Exception):
    """What an exchange that ends the connection raises."""


class Noted:
    """An exchange that notes what is done with it."""

    def __init__(self) -> None:
        self.request = Request("GET", Origin("http", "a.test", 80), "/")
        self.pace: float | None = None
        self.notes: list[object] = []

    async def send(self, reply: Reply) -> None:
        self.notes.append(reply)

    async def start(self, reply: Reply, length: int | None = None) -> None:
        self.notes += ["start", length]

    def head(self, reply: Reply, length: int | None = None) -> bytes:
        return f"HEAD {length} {dict(reply.headers)}\r\n\r\n".encode()

    async def write(self, data: bytes) -> None:
        self.notes.append(data)

    def finish(self) -> None:
        self.notes.append("finish")

    def send_bytes(self, data: bytes) -> None:
        self.notes.append(["bytes", data])

    async def stall(self) -> NoReturn:
        self.notes.append("stall")
        raise Ended

    def close(self) -> NoReturn:
        self.notes.append("close")
        raise Ended

    def reset(self) -> NoReturn:
        self.notes.append("reset")
        raise Ended


async def played(fault: Any) -> list[object]:
    exchange = Noted()
    try:
        await fault.play(exchange)
    except Ended:
        exchange.notes.append("ended")
    return exchange.notes


CHUNKED = b"HEAD None {'Transfer-Encoding': 'chunked'}\r\n\r\n"


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Disconnect(), ["close", "ended"]),
        (Reset(), ["reset", "ended"]),
        (Reset(after=0, reply=SHORT), ["start", 5, b"", "reset", "ended"]),
        (Reset(5, reply=SHORT), ["start", 5, b"hello", "reset", "ended"]),
        (Truncate(reply=SHORT), ["start", 5, b"", "close", "ended"]),
        (Truncate(after=4, reply=SHORT), ["start", 5, b"hell", "close", "ended"]),
        (Truncate(after=2000), ["start", 2001, b"x" * 2000, "close", "ended"]),
        (Stall(), ["stall", "ended"]),
        (Stall(after=2, reply=SHORT), ["start", 5, b"he", "stall", "ended"]),
        (Drip(10, reply=SHORT), ["start", 5, b"hello", "finish"]),
        (Garbage(b"abc"), [["bytes", b"abc"], "close", "ended"]),
        (BadChunk(reply=SHORT), [["bytes", CHUNKED + b"not-a-size\r\n"], "close", "ended"]),
        (BadChunk(2, reply=SHORT), [["bytes", CHUNKED + b"2\r\nhe\r\nnot-a-size\r\n"], "close", "ended"]),
        (BadHeader(b"bad", reply=SHORT), [["bytes", b"HEAD 5 {}\r\nbad\r\n\r\nhello"], "close", "ended"]),
        (WrongEncoding("br", reply=SHORT), [Reply(headers={"Content-Encoding": "br"}, body=b"hello")]),
        (ProxyError(502), [Reply(502, headers={"Connection": "close"})]),
        (
            ProxyError(),
            [Reply(407, headers={"Proxy-Authenticate": 'Basic realm="proxy"', "Connection": "close"})],
        ),
        (Flaky(Disconnect(), 1, 1), ["close", "ended"]),
        (Flaky(Disconnect(), 0, 1), [Reply(200)]),
        (Flaky(Disconnect(), 0, 1, reply=Garbage(b"abc")), [["bytes", b"abc"], "close", "ended"]),
    ],
    ids=repr,
)
async def test_played(fault: Any, expected: list[object]) -> None:
    """Each does to an exchange what its name says."""
    assert expected == await played(fault)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Disconnect(), ["close"]),
        (Reset(), ["reset"]),
        (Truncate(), ["close"]),
        (Stall(), ["stall"]),
        (Garbage(b"abc"), [["bytes", b"abc"], "close"]),
        (BadChunk(), [["bytes", b"not-a-size\r\n"], "close"]),
        (BadHeader(b"bad"), [["bytes", b"0\r\nbad\r\n\r\n"], "close"]),
        (Flaky(Reset(), 1, 1), ["reset"]),
    ],
    ids=repr,
)
async def test_struck(fault: Any, expected: list[object]) -> None:
    """Within a body each begins where it stands."""
    exchange: Any = Noted()
    with pytest.raises(Ended):
        await fault.inject(exchange)
    assert expected == exchange.notes


async def test_struck_and_goes_on() -> None:
    """A reply that drips, and one that nothing happens to, go on."""
    exchange: Any = Noted()
    await Drip(7).inject(exchange)
    await Flaky(Reset(), 0, 1).inject(exchange)
    assert (7, []) == (exchange.pace, exchange.notes)


def calls(flaky: Flaky, n: int = 50) -> list[bool]:
    return [flaky.drawn() is flaky.fault for _ in range(n)]


def test_flaky_repeats() -> None:
    """The same seed gives the same calls, another one others, in about the share that was asked for."""
    first = calls(Flaky(Reset(), 0.3, seed=1))
    assert first == calls(Flaky(Disconnect(), 0.3, seed=1))
    assert first != calls(Flaky(Reset(), 0.3, seed=2))
    assert 200 < sum(calls(Flaky(Reset(), 0.3, seed=3), 1000)) < 400


AFTER = "is a number of bytes, 0 or more"
LATE = "comes too late: the body of Reply(200, body=b'hello') has 5 bytes"
PACE = "Drip is in bytes per second, more than 0"
RATE = "rate= of Flaky is a probability from 0 to 1"
REFUSED: dict[str, tuple[Any, tuple[Any, ...], dict[str, Any], str]] = {
    "after-negative": (Reset, (-1,), {}, f"after= of Reset {AFTER}; got -1"),
    "after-half": (Stall, (0.5,), {}, f"after= of Stall {AFTER}; got 0.5"),
    "after-bool": (BadChunk, (True,), {}, f"after= of BadChunk {AFTER}; got True"),
    "after-text": (Reset, ("1",), {}, f"after= of Reset {AFTER}; got '1'"),
    "after-the-body": (Reset, (6,), {"reply": SHORT}, f"Reset(after=6) {LATE}"),
    "truncates-nothing": (Truncate, (5,), {"reply": SHORT}, f"Truncate(after=5) {LATE}"),
    "chunk-after-the-body": (BadChunk, (6,), {"reply": SHORT}, f"BadChunk(after=6) {LATE}"),
    "reply": (Reset, (), {"reply": 200}, "reply= of Reset is a Reply; got 200"),
    "drip-reply": (Drip, (1,), {"reply": 200}, "reply= of Drip is a Reply; got 200"),
    "drip-none": (Drip, (0,), {}, f"{PACE}; got 0"),
    "drip-infinite": (Drip, (float("inf"),), {}, f"{PACE}; got inf"),
    "drip-text": (Drip, ("1",), {}, f"{PACE}; got '1'"),
    "garbage": (Garbage, ("text",), {}, "Garbage is bytes; got 'text'"),
    "header": (BadHeader, ("x",), {}, "BadHeader is a line as bytes; got 'x'"),
    "coding": (WrongEncoding, ("x",), {}, "WrongEncoding('x'): codings are gzip, deflate, br, zstd"),
    "proxy": (ProxyError, (200,), {}, "ProxyError(200): with this status a proxy opens the connection"),
    "flaky-fault": (Flaky, (503, 0.5, 1), {}, "Flaky(fault, rate, seed) begins with a fault; got 503"),
    "flaky-rate": (Flaky, (Reset(), 30, 1), {}, f"{RATE}; got 30"),
    "flaky-reply": (
        Flaky,
        (Reset(), 0.3, 1),
        {"reply": None},
        "cannot reply with None; reply with a status, a Reply, an exception, a fault or a handler",
    ),
}


@pytest.mark.parametrize(("kind", "values", "options", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(kind: Any, values: tuple[Any, ...], options: dict[str, Any], message: str) -> None:
    """A fault that cannot happen is refused when it is made, with what would work."""
    with pytest.raises(UsageError) as caught:
        kind(*values, **options)
    assert message == str(caught.value)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (WrongEncoding(), "WrongEncoding(coding='gzip') cannot happen in a body that is on its way"),
        (ProxyError(), "ProxyError(status=407) cannot happen in a body that is on its way"),
        (Flaky(ProxyError(), 1, 1), "ProxyError(status=407) cannot happen in a body that is on its way"),
        (Reset(after=1), "Reset(after=1) in a stream happens where it stands, and cannot have after="),
        (Flaky(Stall(1), 1, 1), "Stall(after=1) in a stream happens where it stands, and cannot have after="),
    ],
    ids=repr,
)
def test_not_in_a_stream(fault: object, message: str) -> None:
    """What cannot happen within a body, or says where, is refused among the pieces of a stream."""
    with pytest.raises(UsageError) as caught:
        Router().get("/").stream([b"a", fault])
    assert message == str(caught.value)
