"""Gives hostile input to a connection in memory, and judges what comes of it.

An input is sent whole, in pieces, and by a client that leaves. Wanted: the same answers and the same record
however it was cut; and never an error that is reported nowhere but on stderr, a wait without end, or a task,
timer or connection that stays. Knows the server of the kit. Looks into asyncio's own loops, and is more
patient with others.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import re
import sys
import warnings
import weakref
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from aiotest_kit import Origin, WebSocketRoute
from aiotest_kit._asyncio.lifespan import end_lives
from aiotest_kit._server.protocol import ServerProtocol
from aiotest_kit._transport.memory import MemoryTransport, connected

from .hostile import Case
from .hostile_routes import ERROR, HostileRoutes

__all__ = ["API", "IGNORED", "IS_OLDER", "Client", "Observation", "Trial", "rest", "trial"]

EXPECTED = re.compile(
    f"{ERROR}|^ScriptFailed|^UnicodeEncodeError|^RequestPayloadError|^ValueError.*only ASCII"
)
"""Errors that handlers may raise: on purpose, and for what is no text, or not in its coding."""
API = Origin("http", "api.test", 80)
GONE = "Connection closed."
"""What aiohttp's own server logs that reads on when the client has gone."""
IS_OLDER = tuple(map(int, aiohttp.__version__.split(".")[:2])) < (3, 14)
OF_THE_CLIENT: tuple[type[Exception], ...] = (
    *(HttpProcessingError, ConnectionError, ValueError, web.RequestPayloadError),
    # Where a client has gone just before a websocket is prepared.
    *((AssertionError,) if IS_OLDER else ()),
)
"""Of these aiohttp's own server writes to its log, too."""
NOT_OURS = ("aiohttp.websocket",)
"""Loggers of which aiohttp's own server has the same warnings."""
LINGERING = "coro=<RequestHandler.start()"
"""What aiohttp's own server leaves for ten seconds, where a client goes with a body unread."""
MOST_TURNS = 100_000
ENOUGH_TURNS = 60
"""In which a loop comes to rest that does not tell."""
TURNS_BETWEEN = 1
IGNORED = re.compile(rb"Date: [^\r]*\r\n|HTTP/1\.1 100 Continue\r\n\r\n")
"""The date; and the interim reply, which may be left out where the body has come (RFC 9110, 10.1.1)."""
BODY_MAY_BE_MISSING = ("/early", "/raw", "/ws", "/serve", "/app", "/asgi")
"""Routes whose record has as much of the body as had come."""
CLOSED_EARLY = re.compile(rb"HTTP/1.[01] 101 .*\x88(\x02\x03(\xea|\xef|\xf1)|.\x03\xf0.*)$", re.DOTALL)
"""A websocket that was closed for a frame that is none, or for a message that its script did not expect.

What came with that is unread, and with aiohttp's reader what came just before, too.
"""
REFUSED = re.compile(rb"HTTP/1.1 4.. [^\r]*\r\n[^\r]*\r\n[^\r]*\r\nConnection: close\r\n\r\n[^\n]*\n$")
HANDED_OVER = ("/serve", "/app", "/asgi")


class Hang(Exception):
    """The loop does not come to rest."""


@dataclass(frozen=True)
class Observation:
    """What a client was sent, whether the server ended the connection, and what the router recorded."""

    sent: bytes
    ended: bool
    calls: tuple[tuple[str, str, bytes | None, bool, int | None], ...]
    errors: tuple[str, ...]


class Client(asyncio.Protocol):
    """The client's end; it stays open when the server has ended its own."""

    transport: MemoryTransport

    def __init__(self) -> None:
        self.received = bytearray()
        self.ended = False

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data

    def eof_received(self) -> bool:
        self.ended = True
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended = True

    def fail(self, exc: BaseException) -> None:
        """End the connection, as aiohttp's does when its call fails."""
        self.transport.abort()


@dataclass
class Complaints(logging.Handler):
    """What was reported besides the answers: by the loop, the logs, the garbage collector, as warnings."""

    texts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(logging.WARNING)

    __hash__ = logging.Handler.__hash__

    def emit(self, record: logging.LogRecord) -> None:
        """Note a record, unless it is of an error that the routes make on purpose."""
        exc = record.exc_info[1] if record.exc_info else None
        if not (record.name in NOT_OURS or isinstance(exc, OF_THE_CLIENT) or str(exc) in (ERROR, GONE)):
            self.texts.append(f"logged by {record.name}: {record.getMessage()} {exc!r}")

    def take(self) -> list[str]:
        """What was reported since."""
        texts, self.texts = self.texts, []
        return texts

    @contextmanager
    def collected(self, loop: asyncio.AbstractEventLoop) -> Iterator[None]:
        """Have all that is reported in the block."""
        before = sys.unraisablehook
        sys.unraisablehook = lambda args: self.texts.append(f"unraisable: {args.exc_value!r} {args.object!r}")
        loop.set_exception_handler(
            lambda _, context: self.texts.append(f"loop: {context['message']} {context.get('exception')!r}")
        )
        # Alone: pytest's keeps what it is told, and with that the frames of each error.
        root = logging.getLogger()
        others = root.handlers
        own: list[logging.Handler] = [self]
        root.handlers = own
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("always")
                warnings.showwarning = lambda message, *_, **__: self.texts.append(f"warning: {message!r}")
                yield
        finally:
            root.handlers = others
            loop.set_exception_handler(None)
            sys.unraisablehook = before


async def rest() -> None:
    """Return when nothing happens any more on the running loop.

    Raises:
        Hang: something always does.
    """
    ready = getattr(asyncio.get_running_loop(), "_ready", None)
    for _ in range(MOST_TURNS if ready is not None else ENOUGH_TURNS):
        if ready is not None and not ready:
            return
        await asyncio.sleep(0)
    if ready is not None:
        raise Hang(f"the loop does not come to rest: {list(ready)[:5]}")


class Trial:
    """Connections to one router, one after the other, on the running loop."""

    def __init__(self) -> None:
        self.loop: Any = asyncio.get_running_loop()
        self.routes = HostileRoutes()
        self.complaints = Complaints()
        self.peers: weakref.WeakSet[ServerProtocol] = weakref.WeakSet()
        self._connections: set[ServerProtocol] = set()
        self._own_tasks: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """Have the apps started, whose tasks stay."""
        for path in (b"/app/skip", b"/asgi/skip"):
            await self.observe([b"GET %b HTTP/1.1\r\nHost: api.test\r\n\r\n" % path])
        self._own_tasks = set(asyncio.all_tasks())
        # As long as an app lives, it knows who had it started.
        self.peers.clear()

    async def judge(self, case: Case) -> list[str]:
        """What is wrong, a line for each finding."""
        data = case.data
        whole, problems = await self.tried([data], "whole")
        for positions in case.cuts:
            pieces = [data[start:end] for start, end in pairwise((0, *positions, len(data))) if start < end]
            where = str(positions) if len(positions) < 8 else f"{len(positions)} places"
            for rests in (True, False):
                how = f"cut at {where}" + rests * ", resting"
                observed, found = await self.tried(pieces, how, rests)
                problems += found
                problems += [f"{how}: {line}" for line in differences(whole, observed)]
        problems += await self.left(case)
        return problems

    async def tried(self, pieces: list[bytes], how: str, rests: bool = True) -> tuple[Observation, list[str]]:
        """What a client observes, and what is wrong."""
        observation = await self.observe(pieces, rests)
        return observation, [f"{how}: {problem}" for problem in self.problems(observation)]

    async def observe(self, pieces: list[bytes], rests: bool = True) -> Observation:
        """Send some pieces, wait for all answers, and end the connection."""
        client = self.connect()
        for piece in pieces:
            if client.transport.is_closing():
                break
            client.transport.write(piece)
            if rests:
                await self.rest()
            else:
                await asyncio.sleep(0)
                await asyncio.sleep(0)
        await self.rest()
        ended = client.ended
        if not client.transport.is_closing():
            client.transport.write_eof()
        await self.end_held_back()
        return self.observation(client, ended)

    async def left(self, case: Case) -> list[str]:
        """What is wrong behind a client that leaves."""
        leaving = case.leaving
        client = self.connect(in_reach=case.index % 2 == 1)
        if not leaving.reads:
            client.transport.pause_reading()
        client.transport.write(case.data[: leaving.position])
        for _ in range(leaving.turns):
            await asyncio.sleep(0)
        if not leaving.aborts and not client.transport.is_closing():
            client.transport.write_eof()
            await self.end_held_back()
        if leaving.aborts or not leaving.reads:
            client.transport.abort()
        await self.end_held_back()
        how = f"left by {leaving}"
        return [f"{how}: {problem}" for problem in self.problems(self.observation(client, ended=True))]

    def connect(self, in_reach: bool = False) -> Client:
        """A new connection; of a client in reach the call is failed, as through the memory door."""
        client = Client()
        fail = client.fail if in_reach else None
        peer = ServerProtocol(self.routes.router, API, self.loop, self._connections, fail)
        self.peers.add(peer)
        connected(self.loop, client, peer, ("127.0.0.1", 80))
        return client

    async def rest(self) -> None:
        """Return when nothing happens any more, all that was held let go.

        Raises:
            Hang: something always does.
        """
        await rest()
        while self.routes.go_on():
            await rest()

    async def end_held_back(self) -> None:
        """Return when nothing happens any more; end connections of which no more is read for now.

        As on a socket, the end of one whose requests queue up is seen only behind those.
        """
        await self.rest()
        for peer in list(self._connections):
            if peer._is_held_back:
                peer.hang_up()
        await self.rest()

    def observation(self, client: Client, ended: bool) -> Observation:
        """What came of a connection, taken from the router, which forgets it."""
        if not client.transport.is_closing():
            client.transport.close()
        router = self.routes.router
        calls = tuple(recorded(call) for call in router.calls)
        errors = tuple(f"{error.exception!r} {error.request!r}" for error in router.handler_errors)
        self.forget()
        return Observation(IGNORED.sub(b"", bytes(client.received)), ended, calls, errors)

    def forget(self) -> None:
        """Empty the logs of the router."""
        router = self.routes.router
        for route in router.routes:
            route.calls.clear()
            if isinstance(route, WebSocketRoute):
                route.connections.clear()
                route._progress.clear()
        table = router._table
        for kept in (router.calls, table.misses, table.tunnels, table.handler_errors):
            kept.clear()

    def problems(self, observation: Observation) -> list[str]:
        """What is wrong when a connection is over, and the loop at rest."""
        problems = self.complaints.take()
        problems += [f"handler error {error}" for error in observation.errors if not EXPECTED.search(error)]
        if self._connections:
            problems.append(f"{len(self._connections)} connections stay")
            for peer in list(self._connections):
                peer.hang_up()
            self._connections.clear()
        tells = hasattr(self.loop, "_scheduled")
        timers = [handle for handle in getattr(self.loop, "_scheduled", ()) if not handle.cancelled()]
        # Not this task, which judges: it was there at the start.
        for task in asyncio.all_tasks() - self._own_tasks:
            if LINGERING in repr(task) and (timers or not tells):
                del timers[-1:]
            else:
                problems.append(f"a task stays: {task}")
            task.cancel()
        problems += [f"a timer stays: {handle}" for handle in timers]
        return problems

    async def leaks(self) -> list[str]:
        """What is still in memory of the connections that are over."""
        await self.rest()
        gc.collect()
        return [*self.complaints.take(), *(f"{peer} is not freed" for peer in self.peers)]


def recorded(call: Any) -> tuple[str, str, bytes | None, bool, int | None]:
    """What of a call must not depend on how its bytes came."""
    request = call.request
    partly = request.url.raw_path.startswith(BODY_MAY_BE_MISSING)
    status = None if call.reply is None else call.reply.status
    return request.method, str(request.url), None if partly else request.body, call.route is None, status


def differences(expected: Observation, actual: Observation) -> list[str]:
    """In what two observations differ."""
    if any(CLOSED_EARLY.search(each.sent) for each in (expected, actual)):
        return []
    if is_race(expected, actual):
        return []
    lines: list[str] = []
    for name in ("sent", "ended", "calls", "errors"):
        before, after = getattr(expected, name), getattr(actual, name)
        if before != after:
            lines.append(f"{name} is not as of the whole: {short(before)} and then {short(after)}")
    return lines


def is_race(*both: Observation) -> bool:
    """Whether a body was broken of which a server had the head: its answer or the refusal may be sooner."""
    urls = [call[1] for each in both for call in each.calls[-1:]]
    return (
        any(REFUSED.search(each.sent) for each in both)
        and len(urls) == 2
        and all(urlsplit(url).path.startswith(HANDED_OVER) for url in urls)
    )


def short(value: object) -> str:
    """A value in a line."""
    text = repr(value)
    return text if len(text) < 1200 else f"{text[:600]} … {text[-500:]} ({len(text)})"


@asynccontextmanager
async def trial() -> AsyncIterator[Trial]:
    """A trial on the running loop, its apps ended with the block."""
    new = Trial()
    with new.complaints.collected(new.loop):
        await new.start()
        new.routes.router.enter()
        try:
            yield new
        finally:
            with suppress(asyncio.CancelledError):
                await end_lives(new.routes.router.leave())
