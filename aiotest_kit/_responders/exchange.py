"""What an answer acts on, `Exchange`, and what every answer is: `Answer`, with its kinds.

Knows nothing of routes, matching, sockets or sessions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Protocol, TypeAlias, runtime_checkable

if TYPE_CHECKING:
    import asyncio
    import ssl
    from collections.abc import Awaitable, Callable

    from aiohttp import web
    from typing_extensions import TypeIs

    from .._http.body import BodyStream
    from .._http.reply import Reply
    from .._http.request import Origin, Request

__all__ = [
    "NOTE_FAILURE",
    "WHEN_CLIENT_GOES",
    "Answer",
    "ClientSide",
    "ConnectFault",
    "Exchange",
    "HeadResponder",
    "ServerHandler",
    "StreamFault",
    "is_answer",
]


NOTE_FAILURE = "aiotest_kit.note_failure"
"""Under this name a connection that was handed over tells what keeps an error of the code behind it."""

WHEN_CLIENT_GOES = (OSError, EOFError, RuntimeError)
"""What a server's code is told when its client has gone, which is no fault of its own."""


class Exchange(Protocol):
    """One request on a connection, and what an answer may do about it.

    `pace` is in bytes of the body per second; None is as fast as the client takes them.
    """

    request: Request
    pace: float | None

    async def send(self, reply: Reply) -> None:
        """Send a whole reply; returns when the transport has taken it."""
        ...

    async def respond(self, response: web.StreamResponse) -> None:
        """Send what an aiohttp response stands for.

        Raises:
            UsageError: only an app can send it.
        """
        ...

    async def start(self, reply: Reply, length: int | None = None) -> None:
        """Send the head of a reply; its body follows by `write`, and ends with `finish`.

        `length` is that of the body, where it is known.
        """
        ...

    async def write(self, data: bytes) -> None:
        """Send a piece of the body, as one chunk where it is chunked; waits while the client is slow."""
        ...

    def finish(self) -> None:
        """Send what ends the body."""
        ...

    def fail(self, exc: BaseException) -> None:
        """Make the client's call raise `exc` (memory door)."""
        ...

    def settle(self, answer: Answer) -> None:
        """Note what a handler has decided on, which holds for all attempts of the call."""
        ...

    def take_over(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The connection as streams; what was read of the request comes first."""
        ...

    def send_bytes(self, data: bytes) -> None:
        """Send bytes as they are, whatever has been sent before."""
        ...

    def head(self, reply: Reply, length: int | None = None) -> bytes:
        """The bytes of the head that `start` would send."""
        ...

    async def stall(self) -> NoReturn:
        """Send nothing more, and leave the connection open, until the client or the mock closes it."""
        ...

    def close(self) -> NoReturn:
        """End the connection, and the answer with it, wherever that was."""
        ...

    async def reset(self) -> NoReturn:
        """End the connection with RST, behind what was sent, and the answer with it, wherever that was."""
        ...

    async def fail_to_connect(self, fault: ConnectFault) -> None:
        """Make the client's call end as if `fault` had kept it from connecting (memory door)."""
        ...

    @property
    def incoming(self) -> BodyStream:
        """The body of the request, as it comes for a `HeadResponder` answer."""
        ...

    def ask_for_body(self) -> None:
        """Send `100 Continue` to a client that waits for it before it sends the body."""
        ...

    async def delegate(self, server: Callable[[], asyncio.Protocol], target: str | None = None) -> None:
        """Have the request answered by a protocol that `server` makes, such as aiohttp's `web.Server`.

        It is given the request as it came, the body as it comes, and sees the connection as its own; a later
        request for the same server finds the same protocol. `target` replaces the path and query. Returns
        when the reply is complete; after a change of protocol (101), when the connection has ended.
        """
        ...

    async def serve(self, handler: ServerHandler) -> None:
        """Have the request answered by a handler of aiohttp's own server."""
        ...

    def get_extra_info(self, name: str) -> Any:
        """What the transport of the connection tells, such as `peername`."""
        ...

    def leave(self, task: asyncio.Task[None]) -> None:
        """Let a task go on when the reply has been sent; it is ended with the mock."""
        ...

    def note_failure(self, exc: BaseException) -> None:
        """Keep an error of the user's code for the test; the client is not told."""
        ...


@runtime_checkable
class Answer(Protocol):
    """What a route may answer with, beside a `Reply`."""

    async def play(self, exchange: Exchange) -> None:
        """Answer the request of `exchange`."""
        ...


def is_answer(value: object) -> TypeIs[Answer]:
    """Whether a value is an answer. A `unittest.mock` is a function, though it has every attribute."""
    return hasattr(type(value), "play")


class ClientSide:
    """An answer that happens in the client, which only the doors in memory have within reach."""


class ConnectFault(ClientSide):
    """A fault that happens where a client connects."""

    def impossible_because(self, origin: Origin) -> str | None:
        """Why it cannot happen on the way to an origin; None if it can."""
        return None

    async def look_up(self, host: str) -> None:
        """Raise what looking up the name gives."""

    async def connect(self, address: object) -> None:
        """Raise what connecting to the address gives."""

    def shake_hands(self, context: ssl.SSLContext, hostname: str | None) -> None:
        """Raise what the TLS handshake gives."""

    def first_read(self, context: ssl.SSLContext, hostname: str | None) -> None:
        """Raise what reading the reply gives, the handshake over."""

    async def play(self, exchange: Exchange) -> None:
        """Fail a call whose request has come already, as if it had not."""
        await exchange.fail_to_connect(self)


class StreamFault:
    """A fault that may stand among the pieces of a stream."""

    def check_as_piece(self) -> None:
        """Refuse what makes no sense there.

        Raises:
            UsageError: it says when to happen, which its place does.
        """

    async def inject(self, exchange: Exchange) -> None:
        """Go wrong, on an exchange whose reply is on its way."""
        raise NotImplementedError


class HeadResponder:
    """An answer that begins as soon as the head of a request has come, and reads the body itself."""

    outlives_client: ClassVar[bool] = False
    """Whether it goes on when the client has gone, and notices that by itself."""


ServerHandler: TypeAlias = "Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]"
"""What aiohttp's low-level server answers with."""
