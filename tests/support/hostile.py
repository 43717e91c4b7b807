"""Hostile input for a server: what a broken or malicious client may send, and how it behaves besides.

`case(seed, index)` is the same on every machine and Python: it draws from `random.Random.random` alone, of
which the documentation promises that. Knows HTTP/1.1, websockets, and the paths in `PATHS`. Knows nothing of
the kit.
"""

from __future__ import annotations

import base64
import random
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from .hostile_words import (
    BODIES,
    CLOSE_CODES,
    CODINGS,
    EXTENSIONS,
    GOOD,
    HELLO,
    HOSTS,
    LENGTHS,
    METHODS,
    ODD_FIELDS,
    ODD_HANDSHAKE_FIELDS,
    ODD_METHODS,
    ODD_TARGETS,
    ODD_VERSIONS,
    PATHS,
    PREFACE,
    RUBBISH,
    SIZES,
    TOKENS,
    TRAILERS,
    TUNNEL_FIELDS,
    TUNNEL_TARGETS,
    VERSIONS,
    WEBSOCKET_EXTENSIONS,
    WEBSOCKET_PATHS,
)

__all__ = ["PATHS", "WEBSOCKET_PATHS", "Case", "Leaving", "case"]

T = TypeVar("T")
MOST_PIECES = 300


@dataclass(frozen=True)
class Leaving:
    """How a client leaves before it has the answers: behind so many bytes, some turns of the loop later."""

    position: int
    turns: int
    aborts: bool
    reads: bool


@dataclass(frozen=True)
class Case:
    """What a client sends on one connection.

    It is sent whole; once more for each of `cuts`, in pieces that end at these positions; and once by a
    client that leaves.
    """

    seed: int
    index: int
    data: bytes
    cuts: tuple[tuple[int, ...], ...]
    leaving: Leaving

    @property
    def name(self) -> str:
        """How to name it in a message."""
        return f"seed {self.seed}, input {self.index}"


class Draw:
    """Choices that follow from a seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed).random

    def below(self, number: int) -> int:
        """A whole number from 0 on."""
        return int(self._random() * number)

    def chance(self, probability: float) -> bool:
        """Whether it happens."""
        return self._random() < probability

    def of(self, options: Sequence[T]) -> T:
        """One of several."""
        return options[self.below(len(options))]

    def bytes(self, most: int) -> bytes:
        """Any bytes."""
        return bytes(self.below(256) for _ in range(self.below(most + 1)))


def case(seed: int, index: int) -> Case:
    """One input."""
    draw = Draw(seed * 1_000_003 + index)
    data = draw.of(CONVERSATIONS)(draw)
    if draw.chance(0.4):
        data = damaged(draw, data)
    return Case(seed, index, data, cuts_of(draw, len(data)), leaving(draw, len(data)))


def cuts_of(draw: Draw, length: int) -> tuple[tuple[int, ...], ...]:
    """Where to cut: in a few places, and in many; byte by byte if that is short."""
    few = sorted({draw.below(length + 1) for _ in range(1 + draw.below(4))})
    if length <= 400 and draw.chance(0.5):
        return tuple(few), tuple(range(length))
    size = max(1 + draw.below(max(2, length // 8)), length // MOST_PIECES)
    return tuple(few), tuple(range(0, length, size))


def leaving(draw: Draw, length: int) -> Leaving:
    """How the client leaves."""
    position = length if draw.chance(0.3) else draw.below(length + 1)
    return Leaving(position, draw.below(8), draw.chance(0.5), draw.chance(0.5))


# ---- requests ----


def request(draw: Draw, path: bytes | None = None, oddity: float = 0.25) -> bytes:
    """A request, of which any part may be odd."""

    def odd(options: Sequence[bytes], usual: bytes) -> bytes:
        return draw.of(options) if draw.chance(oddity / 3) else usual

    target = odd(ODD_TARGETS, path or draw.of(PATHS).encode())
    lines = [b" ".join((odd(ODD_METHODS, draw.of(METHODS)), target, odd(ODD_VERSIONS, draw.of(VERSIONS))))]
    if not draw.chance(oddity / 4):
        lines.append(b"Host: " + odd(HOSTS, b"api.test"))
    framing, body = body_of(draw, oddity)
    lines += framing
    while draw.chance(min(oddity * 2, 0.7)):
        lines.insert(1 + draw.below(len(lines)), draw.of(ODD_FIELDS))
    if draw.chance(oddity / 20):
        lines += [b"X-%d: 1" % number for number in range(draw.of((100, 250, 260, 2000)))]
    end = draw.of((b"\n", b"\r", b"\n\r", b"\r\r\n")) if draw.chance(oddity / 10) else b"\r\n"
    return end.join([*lines, b"", b""]) + body


def body_of(draw: Draw, oddity: float) -> tuple[list[bytes], bytes]:
    """The header fields for a body, and the body."""
    if draw.chance(0.45):
        return [], b""
    body = draw.bytes(300) if draw.chance(0.2) else draw.of(BODIES)
    fields: list[bytes] = []
    if draw.chance(0.3):
        fields.append(b"Expect: 100-continue")
    if draw.chance(0.5):
        fields.append(b"Content-Length: %d" % len(body))
    else:
        fields.append(b"Transfer-Encoding: chunked")
        body = chunked(draw, body, oddity)
    while draw.chance(oddity / 3):
        name, value = draw.of(
            (
                (b"Content-Length", draw.of(LENGTHS)),
                (b"Content-Length", b"%d" % (len(body) + draw.below(5) - 2)),
                (b"Transfer-Encoding", draw.of(CODINGS)),
                (b"Transfer-Encoding ", b"chunked"),
                (b"content-length", b"%d" % len(body)),
            )
        )
        if fields and draw.chance(0.5):
            fields[-1] = name + b": " + value
        else:
            fields.insert(draw.below(len(fields) + 1), name + b": " + value)
    return fields, body


def chunked(draw: Draw, body: bytes, oddity: float) -> bytes:
    """A body in chunks, any part of which may be odd."""
    pieces: list[bytes] = []
    size = 1 + draw.below(max(1, len(body)))
    for start in range(0, len(body), max(size, len(body) // 20)):
        piece = body[start : start + max(size, len(body) // 20)]
        length = draw.of(SIZES) if draw.chance(oddity / 8) else draw.of((b"%x", b"%X", b"0%x")) % len(piece)
        extension = draw.of(EXTENSIONS) if draw.chance(oddity) else b""
        first = draw.of((b"\n", b"\r", b"")) if draw.chance(oddity / 10) else b"\r\n"
        last = draw.of((b"\n", b"\r", b"", b"x\r\n")) if draw.chance(oddity / 10) else b"\r\n"
        pieces.append(length + extension + first + piece + last)
    trailers = draw.of(TRAILERS) if draw.chance(oddity) else b""
    end = (
        draw.of((b"0\r\n", b"0\n\n", b"", b"00\r\n\r\n", b"0;x\r\n\r\n"))
        if draw.chance(oddity / 5)
        else b"0\r\n"
    )
    return b"".join(pieces) + end + trailers + b"\r\n"


# ---- websockets ----


def handshake(draw: Draw) -> bytes:
    """A websocket's handshake, seldom a bad one."""
    key = base64.b64encode(b"0123456789abcdef")
    fields = [b"Host: api.test", b"Connection: Upgrade", b"Upgrade: websocket"]
    fields += [b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Key: " + key]
    if draw.chance(0.4):
        fields.append(b"Sec-WebSocket-Extensions: " + draw.of(WEBSOCKET_EXTENSIONS))
    if draw.chance(0.2):
        fields.append(b"Sec-WebSocket-Protocol: " + draw.of((b"chat", b"a, b", b"", b"\xff")))
    if draw.chance(0.15):
        fields[draw.below(len(fields))] = draw.of(ODD_HANDSHAKE_FIELDS)
    method = b"GET" if draw.chance(0.95) else draw.of(METHODS)
    path = draw.of(WEBSOCKET_PATHS if draw.chance(0.9) else PATHS).encode()
    version = b"HTTP/1.1" if draw.chance(0.97) else b"HTTP/1.0"
    return b"\r\n".join([b" ".join((method, path, version)), *fields, b"", b""])


def frame(draw: Draw) -> bytes:
    """A frame of any kind."""
    opcode = draw.of((1, 1, 1, 2, 2, 0, 8, 9, 10, draw.below(16)))
    first = (
        opcode
        | (0x80 if draw.chance(0.8) else 0)
        | (draw.of((0x40, 0x20, 0x10, 0x70)) if draw.chance(0.15) else 0)
    )
    payload = payload_of(draw, opcode)
    if first & 0x40 and draw.chance(0.7):
        squeeze = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        payload = (squeeze.compress(payload) + squeeze.flush(zlib.Z_SYNC_FLUSH))[:-4]
    masked = not draw.chance(0.05)
    mask = draw.bytes(4).ljust(4, b"\0") if masked else b""
    data = bytes(byte ^ mask[position % 4] for position, byte in enumerate(payload)) if masked else payload
    return bytes([first]) + length_of(draw, len(payload), 0x80 if masked else 0) + mask + data


def payload_of(draw: Draw, opcode: int) -> bytes:
    """What a frame carries."""
    if opcode == 8 and draw.chance(0.8):
        return draw.of(CLOSE_CODES).to_bytes(2, "big") + draw.of(
            (b"", b"", b"bye", b"\xff", b"r" * 123, b"r" * 200)
        )
    most = draw.of((0, 5, 5, 20, 125, 126, 200, 1000, 70_000))
    plain = b"hello, hostile world. " * (most // 20 + 1)
    return draw.bytes(min(most, 200)) if draw.chance(0.2) else plain[:most]


def length_of(draw: Draw, length: int, mask: int) -> bytes:
    """The length of a frame, seldom a wrong one."""
    if draw.chance(0.04):
        huge = draw.of((1 << 63, (1 << 64) - 1, 1 << 40, 1 << 31, length + 7))
        return bytes([mask | 127]) + huge.to_bytes(8, "big")
    if length < 126 and not draw.chance(0.03):
        return bytes([mask | length])
    if length < 65536 and not draw.chance(0.03):
        return bytes([mask | 126]) + length.to_bytes(2, "big")
    return bytes([mask | 127]) + length.to_bytes(8, "big")


# ---- conversations ----


def one(draw: Draw) -> bytes:
    """One request, odd in several ways."""
    return request(draw, oddity=draw.of((0.1, 0.3, 0.6, 0.9)))


def pipeline(draw: Draw) -> bytes:
    """Several requests, most of them fine, with what may stand between them."""
    between = draw.of((b"", b"", b"", b"\r\n", b"\n", b"\r\n" * 50, b"\0", b" "))
    return between.join(
        request(draw, oddity=draw.of((0.0, 0.0, 0.02, 0.2))) for _ in range(2 + draw.below(5))
    )


def long_pipeline(draw: Draw) -> bytes:
    """Many requests, for one or two of the routes."""
    paths = [draw.of(PATHS).encode() for _ in range(2)]
    return b"".join(request(draw, draw.of(paths), oddity=0.0) for _ in range(10 + draw.below(80)))


def websocket(draw: Draw) -> bytes:
    """A handshake and frames, perhaps behind a request, and with something else at the end."""
    before = request(draw, oddity=0.0) if draw.chance(0.2) else b""
    frames = b"".join(frame(draw) for _ in range(draw.below(8)))
    behind = draw.of((GOOD, draw.bytes(40), b"\r\n")) if draw.chance(0.15) else b""
    return before + handshake(draw) + frames + behind


def tunnel(draw: Draw) -> bytes:
    """A CONNECT, and what goes through the tunnel."""
    target = draw.of(TUNNEL_TARGETS)
    answered = draw.of((b"answered.test:443", b"refused.test:443")) if draw.chance(0.3) else target
    head = b"CONNECT " + answered + b" HTTP/1.1\r\nHost: " + answered + b"\r\n"
    if draw.chance(0.2):
        head += draw.of(TUNNEL_FIELDS) + b"\r\n"
    inside = draw.of((one, pipeline, websocket, rubbish, tunnel if draw.chance(0.3) else one))(draw)
    before = request(draw, oddity=0.0) if draw.chance(0.3) else b""
    return before + head + b"\r\n" + inside


def upgrade(draw: Draw) -> bytes:
    """A request for another protocol, which it then speaks, or does not."""
    protocol = draw.of((b"h2c", b"websocket", b"TLS/1.2", b"foo, h2c", b""))
    path, (framing, body) = draw.of(PATHS).encode(), body_of(draw, 0.1)
    fields = [
        b"Host: api.test",
        b"Connection: " + draw.of((b"Upgrade", b"Upgrade, HTTP2-Settings", b"upgrade, close")),
    ]
    fields += [b"Upgrade: " + protocol, *framing]
    head = b"\r\n".join([draw.of(METHODS) + b" " + path + b" HTTP/1.1", *fields, b"", b""])
    before = request(draw, oddity=0.0) if draw.chance(0.3) else b""
    return before + head + body + draw.of((PREFACE, GOOD, HELLO, b"", draw.bytes(50), GOOD * 3))


def rubbish(draw: Draw) -> bytes:
    """What is no HTTP/1.1 at all, or hardly."""
    if draw.chance(0.7):
        return draw.of(RUBBISH)
    return draw.of((draw.bytes(300), b"nonsense " * draw.below(9000), b"\r\n" * (1 + draw.below(3000))))


CONVERSATIONS: tuple[Callable[[Draw], bytes], ...] = (
    *(one, one, one, one, pipeline, pipeline, pipeline, long_pipeline, websocket, websocket, websocket),
    *(tunnel, upgrade, rubbish),
)


# ---- damage ----


def damaged(draw: Draw, data: bytes) -> bytes:
    """Bytes of which some are flipped, dropped, doubled, moved or replaced."""
    changed = bytearray(data)
    for _ in range(1 + draw.below(4)):
        start = draw.below(len(changed) + 1)
        end = start + draw.of((0, 1, 1, 2, 8, 60))
        piece = bytes(changed[start:end])
        flipped = bytes(byte ^ (1 << draw.below(8)) for byte in piece)
        token = draw.of(TOKENS)
        others = (flipped, b"", piece * 2, token, token + piece, piece[::-1], draw.bytes(4), piece.swapcase())
        changed[start:end] = draw.of(others)
    if draw.chance(0.2):
        del changed[draw.below(len(changed) + 1) :]
    return bytes(changed)
