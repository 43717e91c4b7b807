"""What event loops have and wait for that they do not tell in public: one function for each private name.

Knows the loops of the standard library. Knows nothing of aiohttp.
"""

from __future__ import annotations

import asyncio
import gc
import socket
from asyncio import selector_events, sslproto
from contextlib import contextmanager
from dataclasses import dataclass
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "LISTENING",
    "NOTHING",
    "TRANSPORTS",
    "Ends",
    "LoopSnapshot",
    "address_text",
    "application_protocol",
    "before_close",
    "connections_of",
    "coroutines_of",
    "ends_of",
    "innermost_wait",
    "is_dropped_open",
    "protocol_of",
]


Ends: TypeAlias = "tuple[object, object]"
LISTENING = "listening"


def connections_of(loop: Any) -> dict[int, Ends]:
    """The two addresses of each connection in the loop, by descriptor; one that is not read counts too."""
    found = {}
    for fd in {*loop._transports, *loop._selector.get_map()}:
        ends = ends_of(fd)
        if ends is not None:
            found[fd] = ends
    return found


def protocol_of(loop: Any, fd: int) -> object:
    """What is told of the data of a descriptor: under TLS, what is behind it."""
    transport = loop._transports.get(fd)
    return None if transport is None else application_protocol(transport)


def application_protocol(transport: Any) -> object:
    """What is told of the data of a transport: under TLS, what is behind it."""
    protocol = transport.get_protocol()
    return getattr(protocol, "_app_protocol", protocol)


TRANSPORTS: tuple[type, ...] = (
    vars(selector_events)["_SelectorTransport"],
    vars(sslproto)["_SSLProtocolTransport"],
)
"""The transports of asyncio's own loops, each with a finalizer that closes it."""


def is_dropped_open(transport: Any) -> bool:
    """Whether a transport is still open when its finalizer is called."""
    # Python 3.10 does not tell a transport over TLS that its connection was lost.
    over_tls = hasattr(transport, "_ssl_protocol")
    is_lost = over_tls and getattr(transport._ssl_protocol, "_transport", None) is None
    return not is_lost and not transport.is_closing()


def ends_of(fd: int) -> Ends | None:
    """The addresses of this end and of the other, or `LISTENING`; None for what is no connection."""
    try:
        sock = socket.socket(fileno=fd)
    except OSError:
        return None
    try:
        if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            return sock.getsockname(), LISTENING
        return plain(sock.getsockname()), plain(sock.getpeername())
    except OSError:
        return None
    finally:
        sock.detach()


def plain(address: Any) -> object:
    """An address without what only one end knows of it: the flow and scope of IPv6."""
    return address[:2] if isinstance(address, tuple) else address


def address_text(address: Any) -> str:
    """An address for a message."""
    return (
        f"{address[0]}:{address[1]}" if isinstance(address, tuple) else str(address or "nothing with a name")
    )


@dataclass(frozen=True)
class LoopSnapshot:
    """What a loop has at one time."""

    tasks: frozenset[asyncio.Task[Any]]
    transports: frozenset[Any]
    listening: frozenset[int]

    @classmethod
    def by(cls, loop: Any) -> LoopSnapshot:
        """What a loop has now; loops of others than asyncio tell only of their tasks."""
        # uvloop has no selector, and the proactor of Windows is none.
        descriptors: Any = getattr(getattr(loop, "_selector", None), "get_map", dict)()
        transports: Any = getattr(loop, "_transports", None) or {}
        own = loop._ssock.fileno() if descriptors else None
        return cls(
            frozenset(asyncio.all_tasks(loop)),
            frozenset(transports.values()),
            frozenset(fd for fd in descriptors if fd != own and fd not in transports and is_listening(fd)),
        )

    def beyond(self, other: LoopSnapshot) -> LoopSnapshot:
        """What is here and not in another."""
        return LoopSnapshot(
            self.tasks - other.tasks, self.transports - other.transports, self.listening - other.listening
        )

    def and_also(self, other: LoopSnapshot) -> LoopSnapshot:
        """What is in either."""
        return LoopSnapshot(
            self.tasks | other.tasks, self.transports | other.transports, self.listening | other.listening
        )


NOTHING = LoopSnapshot(frozenset(), frozenset(), frozenset())


def is_listening(fd: int) -> bool:
    """Whether a descriptor is a socket that accepts connections."""
    ends = ends_of(fd)
    return ends is not None and ends[1] == LISTENING


def innermost_wait(task: Any) -> asyncio.Future[Any] | None:
    """The future that a task waits for, by way of the tasks that it waits for; None if it does not wait."""
    waits_for: asyncio.Future[Any] | None = None
    # Not every task is an `asyncio.Task`: Python 3.10 runs under the backport of `asyncio.Runner`.
    while (task := getattr(task, "_fut_waiter", None)) is not None:
        waits_for = task
    return waits_for


def coroutines_of(task: asyncio.Task[Any]) -> Iterator[CoroutineType[Any, Any, Any]]:
    """The coroutines that a suspended task is in, the outermost first.

    Also those behind generators, and behind awaitables that do not tell what they wait for.
    """
    waiting: list[Any] = [task.get_coro()]
    while waiting:
        awaited = waiting.pop()
        if isinstance(awaited, CoroutineType):
            yield awaited
            waiting.append(awaited.cr_await)
        elif isinstance(awaited, GeneratorType):
            waiting.append(awaited.gi_yieldfrom)
        elif isinstance(awaited, AsyncGeneratorType):
            waiting.append(awaited.ag_await)
        elif awaited is not None:
            waiting += [each for each in gc.get_referents(awaited) if isinstance(each, SUSPENDED)]


SUSPENDED = (CoroutineType, GeneratorType, AsyncGeneratorType)


@contextmanager
def before_close(loop: asyncio.AbstractEventLoop, function: Callable[[], object]) -> Iterator[None]:
    """Call a function before a loop is closed within the block."""
    own = vars(loop).setdefault("close", ClosingLoop(loop))
    if not isinstance(own, ClosingLoop):
        yield
        return
    own.functions.append(function)
    try:
        yield
    finally:
        own.functions.remove(function)
        if not own.functions:
            vars(loop).pop("close", None)


class ClosingLoop:
    """Stands before the `close` of a loop, while something is to be done before."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.functions: list[Callable[[], object]] = []
        self._loop = loop

    def __call__(self) -> None:
        """Close the loop, after what is to be done before; a loop that runs refuses to close."""
        if not self._loop.is_running():
            for function in list(self.functions):
                function()
        type(self._loop).close(self._loop)
