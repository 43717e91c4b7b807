"""The same client code against the same far end, in memory and over a socket, ends the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import web

from aiotest_kit import virtual_time

if TYPE_CHECKING:
    from tests.against_aiohttp.conftest import Door, Network

Client = Callable[[aiohttp.ClientSession], Awaitable[object]]

# One script, run by the route and by a real server.


def replying(*pieces: bytes, stay: bool = False) -> Any:
    """A script that reads a head, and writes each piece in a turn of its own."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        if stay:
            await reader.read()

    return script


OK = b"HTTP/1.1 200 OK\r\n"
SCRIPTS: dict[str, Any] = {
    "length": replying(OK + b"Content-Length: 5\r\n\r\nhello", stay=True),
    "until-close": replying(OK + b"\r\nhello"),
    "chunked": replying(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", stay=True),
    "no-reason": replying(b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", stay=True),
    "old": replying(b"HTTP/1.0 200 OK\r\n\r\nhello"),
    "interim": replying(b"HTTP/1.1 103 Early Hints\r\n\r\n" + OK + b"Content-Length: 0\r\n\r\n", stay=True),
    "short-length": replying(OK + b"Content-Length: 50\r\n\r\nhello"),
    "short-chunk": replying(OK + b"Transfer-Encoding: chunked\r\n\r\n50\r\nhello"),
    "no-last-chunk": replying(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"),
    "bad-gzip": replying(OK + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello", stay=True),
    "garbage": replying(b"SSH-2.0-OpenSSH_9.6\r\n\r\n", stay=True),
    "empty": replying(),
    "half-a-head": replying(OK + b"X-A: 1\r\nX-"),
    "long-header": replying(OK + b"X-A: " + b"x" * 20_000 + b"\r\nContent-Length: 0\r\n\r\n", stay=True),
    "silence": replying(stay=True),
    "silence-in-body": replying(OK + b"Content-Length: 50\r\n\r\nhello", stay=True),
}

# In memory no time passes. Over sockets, what is not silent has what it may need on a machine that is busy.
SILENT = ("silence", "silence-in-body")
TIMEOUTS: dict[str, Callable[[float], aiohttp.ClientTimeout]] = {
    "total": lambda seconds: aiohttp.ClientTimeout(total=seconds),
    "sock_read": lambda seconds: aiohttp.ClientTimeout(sock_read=seconds),
}


async def outcome(session: aiohttp.ClientSession, method: str, **options: Any) -> list[object]:
    """What a call shows: of the response, of the body, and the exception that ended it."""
    seen: list[object] = []
    try:
        async with session.request(method, "http://a.test/", **options) as response:
            seen += [response.status, response.reason, response.version, response.raw_headers]
            seen.append(await response.read())
    except (aiohttp.ClientError, asyncio.TimeoutError) as exc:
        seen += [type(exc), str(exc), type(exc.__cause__)]
    return seen


@pytest.mark.parametrize("timeout", TIMEOUTS.values(), ids=TIMEOUTS)
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
@pytest.mark.parametrize("name", SCRIPTS)
async def test_outcome(
    door: Door,
    network: Network,
    name: str,
    method: str,
    timeout: Callable[[float], aiohttp.ClientTimeout],
) -> None:
    """Response, body, and class, text and cause of the exception are the same."""
    script = SCRIPTS[name]
    limit = timeout(0.3 if name in SILENT else 60)
    await network.serve(script)
    door.router.any("http://a.test/").raw(script)
    async with network.open_session(timeout=limit) as session:
        expected = await outcome(session, method)
    async with virtual_time(), door.open_session(timeout=limit) as session:
        assert expected == await outcome(session, method)
    assert network.accepted == door.router.calls.one().attempts


@pytest.mark.parametrize("limit", ["total", "connect", "sock_connect"])
async def test_connection_that_does_not_open(
    door: Door, network: Network, limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that never opens ends each timeout that it is under with the same exception."""

    async def open(*args: object, **kwargs: object) -> None:
        await asyncio.Event().wait()

    # Over the socket it is the TLS handshake that nobody answers.
    await network.serve(replying(stay=True))
    monkeypatch.setattr("aiotest_kit._memory_door.door.MemoryDoor.open", open)
    monkeypatch.setattr("aiotest_kit._memory_door.door.MemoryDoor.open_now", lambda *args: None)
    timeout = aiohttp.ClientTimeout(**{limit: 0.3})
    found = []
    for opened in (network.open_session, door.open_session):
        async with opened() as session:
            with pytest.raises(asyncio.TimeoutError) as raised:
                await session.get("https://a.test/", timeout=timeout)
        found.append((type(raised.value), str(raised.value), type(raised.value.__cause__)))
    assert found[0] == found[1]


# Redirects and cookies: what each server of the chain was sent.

Sent = tuple[str, str, list[tuple[bytes, bytes]], bytes]

HOPS = {
    "/login": (302, {"Location": "http://b.test/away", "Set-Cookie": "sid=1; Path=/"}),
    "/away": (302, {"Location": "http://a.test/home", "Set-Cookie": "other=2; Path=/"}),
    "/home": (200, {}),
    "/301": (301, {"Location": "/home"}),
    "/302": (302, {"Location": "/home"}),
    "/303": (303, {"Location": "/home"}),
    "/307": (307, {"Location": "/home"}),
    "/308": (308, {"Location": "http://b.test/home"}),
    "/relative": (302, {"Location": "home"}),
    "/loop": (302, {"Location": "/loop"}),
    "/nowhere": (302, {}),
    "/ftp": (302, {"Location": "ftp://b.test/"}),
}


def asking(method: str, path: str, **options: Any) -> Client:
    async def client(session: aiohttp.ClientSession) -> object:
        try:
            async with session.request(method, f"http://a.test{path}", **options) as response:
                history = [(hop.status, str(hop.url), hop.method) for hop in response.history]
                return response.status, str(response.url), response.method, history, await response.read()
        except aiohttp.ClientError as exc:
            return type(exc), str(exc)

    return client


SECRETS = {"Authorization": "Bearer t", "Proxy-Authorization": "p", "Cookie": "own=1", "X-Mine": "1"}
JOURNEYS: dict[str, Client] = {
    **{
        f"{method}-{status}": asking(method, f"/{status}", data=b"body" if method != "GET" else None)
        for method in ("GET", "POST", "PUT", "PATCH")
        for status in (301, 302, 303, 307, 308)
    },
    "head": asking("HEAD", "/303"),
    "login": asking("GET", "/login"),
    "secrets-cross-origin": asking("GET", "/308", headers=SECRETS),
    "secrets-same-origin": asking("GET", "/307", headers=SECRETS),
    "secrets-there-and-back": asking("GET", "/login", headers=SECRETS),
    "cookies-cross-origin": asking("GET", "/308", cookies={"own": "1"}),
    "cookies-same-origin": asking("GET", "/301", cookies={"own": "1"}),
    "json": asking("POST", "/307", json={"a": 1}),
    "form": asking("POST", "/308", data={"a": "1"}),
    "params": asking("GET", "/302", params={"q": "1"}),
    "relative": asking("GET", "/relative"),
    "loop": asking("GET", "/loop", max_redirects=4),
    "nowhere": asking("GET", "/nowhere"),
    "ftp": asking("GET", "/ftp"),
    "not-followed": asking("GET", "/301", allow_redirects=False),
}


@pytest.mark.parametrize("client", JOURNEYS.values(), ids=JOURNEYS)
async def test_journey(door: Door, network: Network, client: Client) -> None:
    """Each hop has the method, target, headers and body that a real server gets, and the end is the same."""
    sent: list[Sent] = []

    async def serve(request: web.BaseRequest) -> web.Response:
        sent.append((request.method, request.path_qs, list(request.raw_headers), await request.read()))
        status, headers = HOPS[request.path]
        return web.Response(status=status, headers=headers, body=request.path.encode())

    await network.serve_web(serve)
    async with network.open_session() as session:
        expected = await client(session)
    for path, (status, headers) in HOPS.items():
        door.router.any(path).reply(status, headers=headers, body=path.encode()).optional()
    async with door.open_session() as session:
        assert expected == await client(session)
    requests = [call.request for call in door.router.calls]
    assert sent == [
        (request.method, request.target, list(request.raw_headers), request.body) for request in requests
    ]


# The bytes of a request.


async def generated() -> AsyncIterator[bytes]:
    for piece in (b"one", b"two"):
        await asyncio.sleep(0)
        yield piece


REQUESTS: dict[str, Callable[[], dict[str, Any]]] = {
    "get": lambda: {"method": "GET"},
    "head": lambda: {"method": "HEAD"},
    "own-verb": lambda: {"method": "PURGE"},
    "body": lambda: {"method": "POST", "data": b"body"},
    "no-body": lambda: {"method": "POST"},
    "json": lambda: {"method": "POST", "json": {"a": "ü"}},
    "form": lambda: {"method": "POST", "data": {"a": "ü &"}},
    "generator": lambda: {"method": "PUT", "data": generated()},
    "chunked": lambda: {"method": "POST", "data": b"body", "chunked": True},
    "compressed": lambda: {"method": "POST", "data": b"body" * 100, "compress": "deflate"},
    "headers": lambda: {"method": "GET", "headers": [("x-b", "1"), ("X-A", "2"), ("x-b", "3")]},
    "cookies": lambda: {"method": "GET", "cookies": {"a": "1", "b": "ü"}},
}


@pytest.mark.parametrize("options", REQUESTS.values(), ids=REQUESTS)
async def test_bytes_of_a_request(
    door: Door, network: Network, options: Callable[[], dict[str, Any]]
) -> None:
    """The bytes that a script reads are those that a real server reads."""
    read: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        data = await reader.readuntil(b"\r\n\r\n")
        if b"chunked" in data:
            data += await reader.readuntil(b"0\r\n\r\n")
        elif b"Content-Length: " in data:
            length = data.partition(b"Content-Length: ")[2].partition(b"\r\n")[0]
            data += await reader.readexactly(int(length))
        read.append(data)
        writer.write(OK + b"Content-Length: 0\r\n\r\n")

    await network.serve(script)
    door.router.any("http://a.test/x").raw(script)
    for opened in (network.open_session, door.open_session):
        async with opened() as session:
            asked = options()
            async with session.request(asked.pop("method"), "http://a.test/x", **asked) as response:
                assert 200 == response.status
    assert read[0] == read[1]
