"""Both ends of a scenario: what a peer does, byte by byte, and what a client does meanwhile and sees."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Received = list[bytes]
Client = Callable[[aiohttp.ClientSession], Awaitable[object]]
Read = Callable[[aiohttp.ClientResponse, "list[object]"], Awaitable[None]]
URL = "http://a.test/"

# Over sockets these are in real time. What is not silent has what it may need on a machine that is busy.
PATIENT: dict[str, Any] = {"timeout": aiohttp.ClientTimeout(total=60, sock_read=60)}
SOON: dict[str, Any] = {"timeout": aiohttp.ClientTimeout(sock_read=0.3)}
TOTAL: dict[str, Any] = {"timeout": aiohttp.ClientTimeout(total=0.3)}
A_WHILE = 0.1
PART = b"x" * 10


@dataclass(frozen=True)
class Scenario:
    """What happens at both ends; `options` are the session's, `connector` its connector's."""

    server: Callable[[Received], Script]
    client: Client
    options: dict[str, Any] = field(default_factory=lambda: PATIENT)
    connector: dict[str, Any] = field(default_factory=dict)
    is_up_to_kernel: bool = False
    """Whether it depends on the kernel's buffers how much is sent before the end."""


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


def says_early(data: bytes, end: Script = stay, until: bytes = b"\r\n\r\n") -> Callable[[Received], Script]:
    """A peer that answers when a request has come so far, by default its head, then ends."""

    def server(received: Received) -> Script:
        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            received.append(await reader.readuntil(until))
            if data:
                writer.write(data)
            await end(reader, writer)

        return script

    return server


def continues(received: Received) -> Script:
    """A peer that asks for the body of a request, and then answers."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        received.append(await reader.readexactly(4))
        writer.write(EMPTY)
        await reader.read()

    return script


def says_bit_by_bit(*pieces: bytes) -> Callable[[Received], Script]:
    """A peer that answers in pieces, each of which the client has read when the next one comes."""

    def server(received: Received) -> Script:
        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await take(reader, received)
            for piece in pieces:
                writer.write(piece)
                await asyncio.sleep(A_WHILE)
            await reader.read()

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
    return await seen_in(session, method, url, whole_body, **options)


async def seen_in(
    session: aiohttp.ClientSession, method: str, url: str, read: Read, **options: Any
) -> list[object]:
    """What a call shows, with its body read in a certain way."""
    facts: list[object] = []
    try:
        async with session.request(method, url, **options) as response:
            facts += [response.status, response.reason, response.version, response.raw_headers]
            facts += [response.method, str(response.url), dict(response.cookies.items())]
            facts += [[(hop.status, str(hop.url), hop.raw_headers) for hop in response.history]]
            await read(response, facts)
            facts += [response.content.total_bytes]
    except (aiohttp.ClientError, asyncio.TimeoutError, OSError, ValueError) as exc:
        facts += [facts_of(exc)]
    return facts


async def whole_body(response: aiohttp.ClientResponse, facts: list[object]) -> None:
    """All at once."""
    facts += [await response.read()]


async def iterated(response: aiohttp.ClientResponse, facts: list[object]) -> None:
    """In the chunks that were sent."""
    async for chunk in response.content.iter_chunks():
        facts += [chunk]


async def chunk_by_chunk(response: aiohttp.ClientResponse, facts: list[object]) -> None:
    """A chunk at a time, until the end."""
    while not response.content.at_eof():
        facts += [await response.content.readchunk()]


async def as_it_comes(response: aiohttp.ClientResponse, facts: list[object]) -> None:
    """In whatever has come."""
    async for piece in response.content.iter_any():
        facts += [piece]


ATTRIBUTES = (
    "errno", "strerror", "status", "message", "headers", "host", "port", "ssl", "url", "expected", "got",
    "library", "reason", "verify_code", "verify_message",
)  # fmt: skip


def facts_of(exc: BaseException | None) -> object:
    """An exception, its causes, and their public attributes, as values."""
    if exc is None:
        return None
    facts = {name: repr(getattr(exc, name)) for name in ATTRIBUTES if hasattr(exc, name)}
    history = [(hop.status, str(hop.url)) for hop in getattr(exc, "history", ())]
    info = getattr(exc, "request_info", None)
    asked = info and (str(info.url), info.method, list(info.headers.items()), str(info.real_url))
    under = [type_and_text(getattr(exc, name, None)) for name in ("os_error", "certificate_error")]
    return type(exc).__mro__, str(exc), facts, history, asked, under, facts_of(exc.__cause__)


def type_and_text(exc: BaseException | None) -> object:
    """An exception that is an attribute of another."""
    return exc and (type(exc).__mro__, repr(exc))


def asks(method: str = "GET", url: str = URL, **options: Any) -> Client:
    """A client that makes one call."""

    async def client(session: aiohttp.ClientSession) -> object:
        return await seen(session, method, url, **options)

    return client


def reads(read: Read) -> Client:
    """A client that reads the body of its one call in a certain way."""

    async def client(session: aiohttp.ClientSession) -> object:
        return await seen_in(session, "GET", URL, read)

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
        await asyncio.sleep(A_WHILE)
        call.cancel()
        return list(map(repr, await asyncio.gather(call, return_exceptions=True)))

    return client


def uploads(size: int = 200_000, at_once: int = 10_000) -> Client:
    """A client that sends a long body piece by piece."""

    async def client(session: aiohttp.ClientSession) -> object:
        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(size // at_once):
                yield bytes(at_once)
                await asyncio.sleep(0)

        return await seen(session, "POST", data=pieces())

    return client


def uploads_part(*, goes_on: bool = False) -> Client:
    """A client that sends a piece of a body, and then waits, for ever or for a while."""

    async def client(session: aiohttp.ClientSession) -> object:
        async def pieces() -> AsyncIterator[bytes]:
            yield PART
            await asyncio.sleep(A_WHILE if goes_on else 3600)
            yield PART

        return await seen(session, "POST", data=pieces())

    return client


def queues(limit: aiohttp.ClientTimeout) -> Client:
    """A client whose second call finds the only connection taken, and gives up before the first one does."""

    async def client(session: aiohttp.ClientSession) -> object:
        first = asyncio.ensure_future(seen(session, "GET"))
        await asyncio.sleep(A_WHILE)
        second = await seen(session, "GET", timeout=limit)
        first.cancel()
        return second, list(map(repr, await asyncio.gather(first, return_exceptions=True)))

    return client


OK = b"HTTP/1.1 200 OK\r\n"
NO_BODY = b"Content-Length: 0\r\n\r\n"
EMPTY = OK + b"Content-Length: 0\r\n\r\n"
LENGTH = OK + b"X-A: 1\r\nContent-Length: 10\r\n\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
