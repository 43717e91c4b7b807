"""Scenarios of one reply: every point at which it can stop, what it can lie about, how its body comes."""

from __future__ import annotations

import gzip
import zlib

from tests.against_aiohttp.ends import (
    CHUNKED,
    EMPTY,
    LENGTH,
    OK,
    PATIENT,
    SOON,
    Scenario,
    as_it_comes,
    asks,
    chunk_by_chunk,
    fin,
    half_close,
    iterated,
    reads,
    rst,
    says,
    says_bit_by_bit,
    stay,
)

# Every point at which a peer can stop, and every way to.

STOPS = {
    "nothing": b"",
    "one-byte": b"H",
    "version": b"HTTP/1.1",
    "status-line": OK,
    "header-name": OK + b"X-A",
    "header-value": OK + b"X-A: 1\r\nX-B: ",
    "head": LENGTH,
    "body": LENGTH + b"hello",
    "chunked-head": CHUNKED,
    "chunk-size": CHUNKED + b"5\r\n",
    "chunk-data": CHUNKED + b"5\r\nhel",
    "chunk-end": CHUNKED + b"5\r\nhello\r\n",
    "last-chunk": CHUNKED + b"5\r\nhello\r\n0\r\n",
    "trailer": CHUNKED + b"5\r\nhello\r\n0\r\nX-T: 1\r\n",
    "until-close": OK + b"\r\nhello",
}
ENDS = {"fin": fin, "half-close": half_close, "rst": rst, "silence": stay}
SCENARIOS: dict[str, Scenario] = {
    f"stop-{stop}-{end}-{method}": Scenario(says(data, act), asks(method), SOON if act is stay else PATIENT)
    for stop, data in STOPS.items()
    for end, act in ENDS.items()
    for method in ("GET", "POST")
}

# What a peer can lie about, or say in an unusual way.

SAYS = {
    "garbage": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "version-2": b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "version-nonsense": b"HTTP/x.y 200 OK\r\n\r\n",
    "status-text": b"HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n",
    "status-long": b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
    "status-unknown": b"HTTP/1.1 599 Odd\r\nContent-Length: 0\r\n\r\n",
    "no-reason": b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
    "no-colon": OK + b"no colon\r\nContent-Length: 0\r\n\r\n",
    "space-in-name": OK + b"X A: 1\r\nContent-Length: 0\r\n\r\n",
    "empty-name": OK + b": 1\r\nContent-Length: 0\r\n\r\n",
    "folded": OK + b"X-A: 1\r\n 2\r\nContent-Length: 0\r\n\r\n",
    "latin-1": OK + b"X-A: \xe9\r\nContent-Length: 0\r\n\r\n",
    "utf-8": OK + "X-A: é\r\nContent-Length: 0\r\n\r\n".encode(),
    "case": OK + b"etag: 1\r\nx-MiXeD: 2\r\nContent-Length: 0\r\n\r\n",
    "repeated": OK + b"X-A: 1\r\nX-B: 2\r\nX-A: 3\r\nContent-Length: 0\r\n\r\n",
    "long-header": OK + b"X-A: " + b"x" * 20_000 + b"\r\nContent-Length: 0\r\n\r\n",
    "length-text": OK + b"Content-Length: ten\r\n\r\n",
    "length-negative": OK + b"Content-Length: -1\r\n\r\n",
    "length-twice": OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "length-and-chunked": OK
    + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "length-short": OK + b"Content-Length: 3\r\n\r\nhello",
    "chunk-size-text": CHUNKED + b"zz\r\n",
    "chunk-size-huge": CHUNKED + b"fffffffffffffffff\r\n",
    "chunk-extension": CHUNKED + b"5;a=b\r\nhello\r\n0\r\n\r\n",
    "chunk-too-long": CHUNKED + b"3\r\nhello\r\n0\r\n\r\n",
    "chunks": CHUNKED + b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n",
    "trailers": CHUNKED + b"1\r\na\r\n0\r\nX-T: 1\r\n\r\n",
    "trailer-bad": CHUNKED + b"1\r\na\r\n0\r\nno colon\r\n\r\n",
    "204-with-body": b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello",
    "304": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
    "second-response": EMPTY + OK + b"Content-Length: 4\r\n\r\nevil",
    "100": b"HTTP/1.1 100 Continue\r\n\r\n" + EMPTY,
    "103-twice": b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" * 2 + EMPTY,
    "101": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
    "cookies": OK
    + b"Set-Cookie: a=1; Path=/x; Secure\r\nSet-Cookie: b=2; Domain=b.test\r\nContent-Length: 0\r\n\r\n",
}
SCENARIOS |= {f"says-{name}": Scenario(says(data), asks(), SOON) for name, data in SAYS.items()}
SCENARIOS |= {
    f"old-{name}": Scenario(says(data, fin), asks())
    for name, data in {
        "until-close": b"HTTP/1.0 200 OK\r\n\r\nhello",
        "length": b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "short": b"HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\nhello",
        "keep-alive": b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello",
    }.items()
}
SCENARIOS["head"] = Scenario(says(OK + b"Content-Length: 5\r\n\r\n"), asks("HEAD"), SOON)
SCENARIOS["head-with-body"] = Scenario(says(OK + b"Content-Length: 5\r\n\r\nhello"), asks("HEAD"), SOON)

# Content codings.

GOOD = {"gzip": gzip.compress(b"hello" * 50, mtime=0), "deflate": zlib.compress(b"hello" * 50)}
BODIES = {
    **{f"{coding}-good": (coding, body) for coding, body in GOOD.items()},
    **{f"{coding}-truncated": (coding, body[:-9]) for coding, body in GOOD.items()},
    **{f"{coding}-junk": (coding, body + b"junk") for coding, body in GOOD.items()},
    **{f"{coding}-false": (coding, b"hello" * 9) for coding in ("gzip", "deflate", "br", "zstd", "rot13")},
    **{f"{coding}-empty": (coding, b"") for coding in ("gzip", "deflate", "br", "zstd")},
}
SCENARIOS |= {
    f"coding-{name}": Scenario(
        says(
            OK + b"Content-Encoding: %b\r\nContent-Length: %d\r\n\r\n" % (coding.encode(), len(body)) + body
        ),
        asks(),
        SOON,
    )
    for name, (coding, body) in BODIES.items()
}

# Chunks, as far as aiohttp keeps them apart.

CHUNKS = {
    "together": [CHUNKED + b"1\r\na\r\n3\r\nbcd\r\n0\r\n\r\n"],
    "apart": [CHUNKED, b"1\r\na\r\n", b"3\r\nbcd\r\n", b"0\r\n\r\n"],
    "two-and-one": [CHUNKED + b"1\r\na\r\n3\r\nbcd\r\n", b"2\r\nef\r\n0\r\n\r\n"],
    "cut-within": [CHUNKED + b"4\r\nab", b"cd\r\n0\r\n\r\n"],
    "cut-before-its-end": [CHUNKED + b"4\r\nabcd", b"\r\n0\r\n\r\n"],
    "cut-in-its-size": [CHUNKED + b"1", b"0\r\n0123456789abcdef\r\n0\r\n\r\n"],
    "with-extensions": [CHUNKED + b"1;a=b\r\na\r\n2;c\r\nbc\r\n0\r\n\r\n"],
    "with-trailers": [CHUNKED + b"1\r\na\r\n", b"0\r\nX-T: 1\r\n\r\n"],
    "none": [CHUNKED + b"0\r\n\r\n"],
    "of-a-length": [LENGTH + b"hello", b"world"],
    "until-close": [OK + b"Connection: close\r\nContent-Length: 5\r\n\r\nhel", b"lo"],
}
WAYS = {"iterated": iterated, "by-readchunk": chunk_by_chunk, "as-it-comes": as_it_comes}
SCENARIOS |= {
    f"chunks-{name}-{way}": Scenario(says_bit_by_bit(*pieces), reads(read))
    for name, pieces in CHUNKS.items()
    for way, read in WAYS.items()
}
