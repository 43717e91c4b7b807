"""What a route answers with when a plain `Reply` is not all: exceptions, handlers, scripts.

Each has `play(exchange)`, which acts on the exchange that it is given and on nothing else. Knows nothing of
routes, matching, sockets or sessions.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from types import CodeType
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Protocol, TypeAlias, runtime_checkable

from aiohttp import payload, web
from aiohttp.abc import AbstractStreamWriter
from multidict import CIMultiDict

from .._errors import UsageError, one_line
from .._http.reply import NO_BODY, Reply, as_reply, checked_headers, checked_text, phrase, reply_of_status

if TYPE_CHECKING:
    import asyncio
    import ssl
    from collections.abc import Awaitable, Callable, Iterable

    from typing_extensions import TypeIs

    from .._http.body import Incoming
    from .._http.request import Origin, Request
    from .._http.reply import ReplyOptions

__all__ = [
    "NOTE_FAILURE",
    "Answer",
    "Collected",
    "ConnectFault",
    "Early",
    "Exchange",
    "Handler",
    "InClient",
    "Raise",
    "Raw",
    "ServerHandler",
    "Strike",
    "as_answer",
    "describe",
    "is_answer",
    "no_response",
    "redirect",
    "reply_of",
]

NOTE_FAILURE = "aiotest_kit.note_failure"
"""Under this name a connection that was handed over tells what keeps an error of the code behind it."""

REDIRECTS = (301, 302, 303, 307, 308)


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
    def incoming(self) -> Incoming:
        """The body of the request, as it comes for an `Early` answer."""
        ...

    async def hand_over(self, server: Callable[[], asyncio.Protocol], target: str | None = None) -> None:
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


class InClient:
    """An answer that happens in the client, which only the doors in memory have within reach."""


class ConnectFault(InClient):
    """A fault that happens where a client connects."""

    def unfit(self, origin: Origin) -> str | None:
        """Why it cannot happen on the way to an origin; None if it can."""
        return None

    def look_up(self, host: str) -> None:
        """Raise what looking up the name gives."""

    async def connect(self, address: object) -> None:
        """Raise what connecting to the address gives."""

    def shake_hands(self, context: ssl.SSLContext, hostname: str | None) -> None:
        """Raise what the TLS handshake gives."""

    async def play(self, exchange: Exchange) -> None:
        """Fail a call whose request has come already, as if it had not."""
        await exchange.fail_to_connect(self)


class Strike:
    """A fault that may stand among the pieces of a stream."""

    def check_as_piece(self) -> None:
        """Refuse what makes no sense there.

        Raises:
            UsageError: it says when to happen, which its place does.
        """

    async def strike(self, exchange: Exchange) -> None:
        """Go wrong, on an exchange whose reply is on its way."""
        raise NotImplementedError


class Early:
    """An answer that begins as soon as the head of a request has come, and reads the body itself."""

    outlives_client: ClassVar[bool] = False
    """Whether it goes on when the client has gone, and notices that by itself."""


@dataclass(frozen=True)
class Raise(InClient):
    """An exception, raised from the client's call (memory door).

    aiohttp treats it as one that came from the network: an `OSError` of no aiohttp class reaches the
    caller as `ClientOSError`, and after a `ServerDisconnectedError` an idempotent request is sent again.
    """

    exception: BaseException | type[BaseException]

    def __post_init__(self) -> None:
        kind = kind_of(self.exception)
        if issubclass(kind, StopIteration):
            raise UsageError(f"{kind.__name__} cannot be raised from a client's call, a coroutine (PEP 479)")
        if isinstance(self.exception, type):
            try:
                self.exception()
            except TypeError as exc:
                name = self.exception.__name__
                raise UsageError(
                    f"{name} cannot be made without arguments; reply with an instance of it"
                ) from exc

    async def play(self, exchange: Exchange) -> None:
        """Raise the exception in the client."""
        exception = self.exception
        exchange.fail(exception() if isinstance(exception, type) else exception)


ServerHandler: TypeAlias = "Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]"
"""What aiohttp's low-level server answers with."""

HandlerFunction: TypeAlias = "Callable[[Request], object]"
"""What it returns, or the awaitable of it gives, is checked when it is called."""


@dataclass(frozen=True)
class Handler:
    """A function, sync or async, that is given the request and returns what to reply."""

    function: HandlerFunction

    async def play(self, exchange: Exchange) -> None:
        """Call the function and send what it returns, or an aiohttp `HTTPException` that it raises."""
        try:
            result: object = self.function(exchange.request)
            if inspect.isawaitable(result):
                result = await result
        except web.HTTPException as exc:
            result = exc
        if result is None or isinstance(result, bool):
            raise UsageError(f"handler {describe(self.function)} returned {result!r}; {RETURNS}")
        if isinstance(result, web.StreamResponse):
            await exchange.respond(result)
        elif isinstance(result, (Reply, dict, list, str, bytes, int)):
            await exchange.send(as_reply(result))
        elif is_answer(result):
            exchange.settle(result)
            await result.play(exchange)
        else:
            raise UsageError(f"handler {describe(self.function)} returned {one_line(result)}; {RETURNS}")


def no_response(result: object, handler: object = None) -> TypeError | None:
    """What is wrong with a result that a handler of aiohttp's server returned, if anything is.

    aiohttp tells the client that there was an error, and its log what it was.
    """
    if hasattr(result, "prepare"):
        return None
    who = "a handler" if handler is None else f"handler {describe(handler)}"
    return TypeError(f"{who} returned {one_line(result)}; aiohttp's server sends a web.StreamResponse")


RETURNS = "return a Reply, web.Response, dict, list, str, bytes or a status"


@dataclass(frozen=True)
class Raw(Early):
    """A script that has the connection to itself, as streams, from the first byte of the request."""

    outlives_client = True

    script: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

    async def play(self, exchange: Exchange) -> None:
        """Run the script; the connection is closed when it returns."""
        reader, writer = exchange.take_over()
        try:
            await self.script(reader, writer)
        finally:
            writer.close()


def redirect(location: object, status: int, options: dict[str, Any]) -> Reply:
    """A reply that sends the client to `location`."""
    if status not in REDIRECTS:
        raise UsageError(
            f"{status!r} is not a redirect that clients follow; those are 301, 302, 303, 307, 308"
        )
    headers = checked_headers(options.pop("headers", ()))
    headers["Location"] = checked_text("location", str(location))
    keywords: dict[str, Any] = {**options, "headers": headers}
    return Reply(status, **keywords)


def as_answer(value: object, options: ReplyOptions) -> Reply | Answer:
    """What a route answers with for the first argument of `reply`.

    A status, a body (`dict` and `list` as JSON, `str` as text, `bytes`), a `Reply`, an exception, a fault
    or a handler. Only a status goes with `options`.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return reply_of_status(value, options)
    if options:
        raise UsageError(not_with(options, value))
    if isinstance(value, (dict, list, str, bytes)):
        return as_reply(value)
    if isinstance(value, Reply):
        return value
    check_raised_by_client(value)
    if isinstance(value, BaseException) or (isinstance(value, type) and issubclass(value, BaseException)):
        return Raise(value)
    if isinstance(value, type):
        name = value.__name__
        remedy = f"make one: {name}(...)" if issubclass(value, Reply) or hasattr(value, "play") else ANSWERS
        raise UsageError(f"cannot reply with the class {name}; {remedy}")
    if inspect.iscoroutine(value):
        # Nobody else will, and Python would warn of it.
        value.close()
        raise UsageError(f"a coroutine can be awaited only once; pass the function {value.__name__!r} itself")
    if is_answer(value):
        return value
    if callable(value):
        check_handler(value)
        return Handler(value)
    raise UsageError(f"cannot reply with {one_line(value)}; {ANSWERS}")


def kind_of(value: object) -> type:
    """The class of a value; of a class, itself."""
    return value if isinstance(value, type) else type(value)


def check_raised_by_client(value: object) -> None:
    """Refuse what a server's handler raises: no client ever does.

    Raises:
        UsageError: it is an exception of `aiohttp.web` for a status.
    """
    kind = kind_of(value)
    if issubclass(kind, web.HTTPException):
        raise UsageError(
            f"{kind.__name__} is raised by a server's handler, and the client gets its status: "
            f"reply({kind.status_code})"
        )


ANSWERS = "reply with a status, a Reply, an exception, a fault or a handler"


def not_with(options: Iterable[str], value: object) -> str:
    """That options go with a status, and with nothing else."""
    names = sorted(options)
    go = "goes" if len(names) == 1 else "go"
    return (
        f"{', '.join(f'{name}=' for name in names)} {go} with a status, as in reply(200, {names[0]}=...); "
        f"got {one_line(value)} in its place"
    )


def check_handler(function: Callable[..., object]) -> None:
    """Refuse a handler that cannot be called with a request alone.

    Raises:
        UsageError: it takes no argument, or needs several.
    """
    try:
        # What a decorator hides is its own affair.
        signature = inspect.signature(function, follow_wrapped=False)
    except (TypeError, ValueError):
        # Some that are written in C do not say what they take.
        return
    try:
        signature.bind(None)
    except TypeError as exc:
        raise UsageError(f"handler {describe(function)} is called with the request: {exc}") from exc


async def reply_of(response: web.StreamResponse) -> Reply:
    """The reply that an aiohttp response stands for; its headers are those that aiohttp would send.

    Raises:
        UsageError: it has no body until an app sends it, such as a `FileResponse`.
    """
    if not isinstance(response, web.Response):
        raise UsageError(
            f"a {type(response).__name__} is sent by aiohttp's own server, as that of route.serve(handler); "
            f"or {RETURNS}"
        )
    body = response.body
    if isinstance(body, payload.Payload):
        collected = Collected()
        await body.write(collected)
        body = bytes(collected.data)
    headers = CIMultiDict(response.headers)
    for cookie in response.cookies.values():
        headers.add("Set-Cookie", cookie.OutputString())
    if body:
        headers.setdefault("Content-Type", "application/octet-stream")
    if response.status in NO_BODY:
        body = None
    # A response that had to send nothing has no reason of its own.
    reason = response.reason or phrase(response.status)
    return Reply(response.status, headers=headers, body=bytes(body or b""), reason=reason)


class Collected(AbstractStreamWriter):
    """A stream writer that keeps what is written."""

    def __init__(self) -> None:
        self.data = bytearray()

    async def write(self, chunk: bytes | bytearray | memoryview) -> None:
        self.data += chunk

    async def write_eof(self, chunk: bytes = b"") -> None: ...

    async def drain(self) -> None: ...

    def enable_compression(self, *args: object, **kwargs: object) -> None: ...

    def enable_chunking(self) -> None: ...

    async def write_headers(self, status_line: str, headers: CIMultiDict[str]) -> None: ...


def describe(function: object) -> str:
    """A function's name and place, for a message."""
    name = getattr(function, "__qualname__", None) or repr(function)
    code = getattr(function, "__code__", None)
    # An AsyncMock has one that only looks like it.
    if type(code) is not CodeType:
        return repr(name)
    return f"{name!r} ({code.co_filename}:{code.co_firstlineno})"
