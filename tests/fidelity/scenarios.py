"""The table of scenarios: what a peer does, byte by byte, and what the client does meanwhile.

A scenario is defined once. `test_scenarios.py` runs it over real sockets and again in memory, by `route.raw`.
"""

from __future__ import annotations

import asyncio
import gzip
import socket
import struct
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Received = list[bytes]
Client = Callable[[aiohttp.ClientSession], Awaitable[object]]
URL = "http://a.test/"


@dataclass(frozen=True)
class Scenario:
    """What happens at both ends; `options` are the session's, `connector` its connector's."""

    server: Callable[[Received], Script]
    client: Client
    options: dict[str, Any] = field(default_factory=dict)
    connector: dict[str, Any] = field(default_factory=dict)


# The peer's end.


async def take(reader: asyncio.StreamReader, received: Received) -> bytes:
    """The next request, whole."""
    data = await reader.readuntil(b"\r\n\r\n")
    if b"chunked" in data:
        while not data.endswith(b"0\r\n\r\n"):
            data += await reader.read(2**16)
    elif b"Content-Length: " in data:
        data += await reader.readexactly(int(data.partition(b"Content-Length: ")[2].partition(b"\r\n")[0]))
    received.append(data)
    return data


def reset(writer: asyncio.StreamWriter) -> None:
    """End with RST."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def fin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Close in order."""
    writer.close()


async def half_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send no more, and read on."""
    writer.write_eof()
    await reader.read()


async def rst(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Reset."""
    reset(writer)


async def stay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Do nothing until the client goes."""
    await reader.read()


def says(data: bytes, end: Script = stay) -> Callable[[Received], Script]:
    """A peer that answers every connection's first request with these bytes, then ends."""

    def server(received: Received) -> Script:
        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await take(reader, received)
            if data:
                writer.write(data)
            await end(reader, writer)

        return script

    return server


def answers(*replies: bytes, end: Script = stay) -> Callable[[Received], Script]:
    """A peer whose connections answer so many requests in turn, then end."""

    def server(received: Received) -> Script:
        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for reply in replies:
                await take(reader, received)
                writer.write(reply)
            await end(reader, writer)

        return script

    return server


def half_closes(received: Received) -> Script:
    """A peer that answers, sends no more, and can still read until the client closes."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await take(reader, received)
        writer.write(EMPTY)
        writer.write_eof()
        received.append(b"closing" if writer.transport.is_closing() else b"half closed")
        received.append(await reader.read())

    return script


def by_path(replies: dict[bytes, bytes]) -> Callable[[Received], Script]:
    """A peer that answers each path with its own bytes, on connections that stay open."""

    def server(received: Received) -> Script:
        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                data = await take(reader, received)
                writer.write(replies.get(data.split(b" ")[1], OK + b"Content-Length: 4\r\n\r\ndone"))

        return script

    return server


# The client's end.


async def seen(session: aiohttp.ClientSession, method: str, url: str = URL, **options: Any) -> list[object]:
    """What a call shows: the response, its body, and the exception that ended it."""
    facts: list[object] = []
    try:
        async with session.request(method, url, **options) as response:
            facts += [response.status, response.reason, response.version, response.raw_headers]
            facts += [response.method, str(response.url), dict(response.cookies.items())]
            facts += [[(hop.status, str(hop.url), hop.raw_headers) for hop in response.history]]
            facts += [await response.read(), response.content.total_bytes]
    except (aiohttp.ClientError, asyncio.TimeoutError, OSError, ValueError) as exc:
        facts += [facts_of(exc)]
    return facts


ATTRIBUTES = (
    "errno", "strerror", "status", "message", "headers", "host", "port", "ssl", "url", "expected", "got",
)  # fmt: skip


def facts_of(exc: BaseException | None) -> object:
    """An exception, its causes, and their public attributes, as values."""
    if exc is None:
        return None
    facts = {name: repr(getattr(exc, name)) for name in ATTRIBUTES if hasattr(exc, name)}
    history = [(hop.status, str(hop.url)) for hop in getattr(exc, "history", ())]
    info = getattr(exc, "request_info", None)
    asked = info and (str(info.url), info.method, list(info.headers.items()), str(info.real_url))
    under = repr(getattr(exc, "os_error", None))
    return type(exc).__mro__, str(exc), facts, history, asked, under, facts_of(exc.__cause__)


def asks(method: str = "GET", url: str = URL, **options: Any) -> Client:
    """A client that makes one call."""

    async def client(session: aiohttp.ClientSession) -> object:
        return await seen(session, method, url, **options)

    return client


def asks_in_turn(*methods: str, **options: Any) -> Client:
    """A client that makes a call after the other, and lets the peer's end of each connection arrive."""

    async def client(session: aiohttp.ClientSession) -> object:
        found = []
        for method in methods:
            found.append(await seen(session, method, **options))
            await asyncio.sleep(0.005)
        return found

    return client


def asks_at_once(n: int) -> Client:
    """A client that makes many calls at once."""

    async def client(session: aiohttp.ClientSession) -> object:
        return await asyncio.gather(*(seen(session, "GET", f"{URL}?{number}") for number in range(n)))

    return client


def cancels(method: str = "GET") -> Client:
    """A client that gives up, whatever the call is waiting for, and calls again."""

    async def client(session: aiohttp.ClientSession) -> object:
        call = asyncio.ensure_future(seen(session, method))
        await asyncio.sleep(0.1)
        call.cancel()
        return list(map(repr, await asyncio.gather(call, return_exceptions=True)))

    return client


def uploads(size: int = 200_000) -> Client:
    """A client that sends a long body piece by piece."""

    async def client(session: aiohttp.ClientSession) -> object:
        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(size // 10_000):
                yield b"x" * 10_000
                await asyncio.sleep(0)

        return await seen(session, "POST", data=pieces())

    return client


OK = b"HTTP/1.1 200 OK\r\n"
NO_BODY = b"Content-Length: 0\r\n\r\n"
EMPTY = OK + b"Content-Length: 0\r\n\r\n"
LENGTH = OK + b"X-A: 1\r\nContent-Length: 10\r\n\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
SOON: dict[str, Any] = {"timeout": aiohttp.ClientTimeout(sock_read=0.1)}
TOTAL: dict[str, Any] = {"timeout": aiohttp.ClientTimeout(total=0.05)}

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
    f"stop-{stop}-{end}-{method}": Scenario(says(data, act), asks(method), SOON)
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

# Connections that are kept, or end between two requests.

SCENARIOS |= {
    f"kept-{end}-{method}": Scenario(answers(EMPTY, end=act), asks_in_turn("GET", method))
    for end, act in {"fin": fin, "rst": rst}.items()
    for method in ("GET", "POST", "PUT")
}
SCENARIOS["kept"] = Scenario(answers(EMPTY, EMPTY, EMPTY), asks_in_turn("GET", "POST", "HEAD", data=b"body"))
SCENARIOS["not-kept"] = Scenario(
    answers(EMPTY, EMPTY), asks_in_turn("GET", "GET"), connector={"force_close": True}
)
SCENARIOS["said-to-close"] = Scenario(
    says(OK + b"Connection: close\r\nContent-Length: 0\r\n\r\n"), asks_in_turn("GET", "GET")
)

# Redirects.

TO = {
    "same": b"/home",
    "other-host": b"http://b.test/home",
    "relative": b"home",
    "fragment": b"/home#part",
    "loop": b"/",
    "ftp": b"ftp://b.test/",
    "no-host": b"http:///x",
    "mailto": b"mailto:a@b.test",
}
SCENARIOS |= {
    f"redirect-{name}": Scenario(
        by_path({b"/": b"HTTP/1.1 302 Found\r\nLocation: %b\r\nContent-Length: 0\r\n\r\n" % to}),
        asks(max_redirects=3, headers={"Authorization": "x", "Cookie": "c=1"}),
    )
    for name, to in TO.items()
}
SCENARIOS |= {
    f"redirect-{status}-{method}": Scenario(
        by_path({b"/": b"HTTP/1.1 %d X\r\nLocation: /home\r\nContent-Length: 0\r\n\r\n" % status}),
        asks(method, data=b"body"),
    )
    for status in (301, 302, 303, 307, 308)
    for method in ("POST", "PUT")
}
SCENARIOS["redirect-nowhere"] = Scenario(says(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"), asks())
SCENARIOS["redirect-cookies"] = Scenario(
    by_path({b"/": b"HTTP/1.1 302 Found\r\nLocation: /home\r\nSet-Cookie: sid=1\r\n" + NO_BODY}),
    asks(),
)

# Timeouts, cancellation, the pool.

GIVING_UP: tuple[tuple[str, Client, dict[str, Any]], ...] = (
    ("total", asks(), TOTAL),
    ("cancel", cancels(), {}),
    ("cancel-post", cancels("POST"), {}),
)

SCENARIOS |= {
    f"{act}-{stop}": Scenario(says(STOPS[stop]), client, options)
    for stop in ("nothing", "header-name", "head", "body", "chunk-data")
    for act, client, options in (
        ("total", asks(), TOTAL),
        ("cancel", cancels(), {}),
        ("cancel-post", cancels("POST"), {}),
    )
}
SCENARIOS["pool-limit"] = Scenario(by_path({}), asks_at_once(8), connector={"limit": 2})
SCENARIOS["upload"] = Scenario(says(EMPTY), uploads())
SCENARIOS["upload-refused"] = Scenario(
    says(b"HTTP/1.1 413 Large\r\nConnection: close\r\n" + NO_BODY), uploads()
)
SCENARIOS["half-close"] = Scenario(half_closes, asks())
SCENARIOS["body-long"] = Scenario(says(OK + b"Content-Length: 3000000\r\n\r\n" + bytes(3_000_000)), asks())
TUNNEL = asks(url="https://a.test/", proxy="http://proxy.test:3128")
SCENARIOS["proxy-http"] = Scenario(says(EMPTY), asks(proxy="http://proxy.test:3128"))
SCENARIOS |= {
    f"proxy-{name}": Scenario(
        says(data, end), asks(url="https://a.test/", proxy="http://proxy.test:3128"), SOON
    )
    for name, data, end in (
        ("407", b"HTTP/1.1 407 Auth\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n", fin),
        ("502", b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", fin),
        ("gone", b"", fin),
        ("reset", b"", rst),
        ("garbage", b"garbage\r\n\r\n", fin),
    )
}
