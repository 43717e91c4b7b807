"""What a route answers with when a plain `Reply` is not all: exceptions, handlers, scripts.

Each has `play(exchange)`, which acts on the exchange that it is given and on nothing else. Knows nothing of
routes, matching, sockets or sessions.
"""

from __future__ import annotations

import inspect
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from aiohttp import web
from yarl import URL

from .._functions import check_arguments
from .._http.reply import Reply, as_reply, checked_headers, checked_text, given_options, reply_of_status
from .._messages.exceptions import UsageError
from .._messages.wording import describe, one_line
from .exchange import (
    Answer,
    ClientSide,
    Exchange,
    HeadResponder,
    is_answer,
)
from .web_response import RETURNS

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from .._http.reply import ReplyOptions
    from .._http.request import Request

__all__ = ["Handler", "Raise", "Raw", "as_answer", "redirect"]


REDIRECTS = (301, 302, 303, 307, 308)


@dataclass(frozen=True)
class Raise(ClientSide):
    """An exception, raised from the client's call (memory door).

    aiohttp treats it as one that came from the network: an `OSError` of no aiohttp class reaches the
    caller as `ClientOSError`, and after a `ServerDisconnectedError` an idempotent request is sent again.
    """

    exception: BaseException | type[BaseException]

    def __repr__(self) -> str:
        return one_line(self.exception, 60)

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
        except (AttributeError, TypeError) as exc:
            explain_confusion(exc, exchange.request)
            raise
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


FOR_SERVE = "one written for aiohttp's server, which gets aiohttp's own request, goes to serve(handler)"


def explain_confusion(exc: AttributeError | TypeError, request: Request) -> None:
    """Add to an error of a handler that it takes the request for one of aiohttp's, if it does."""
    if isinstance(exc, AttributeError) and exc.obj is request:
        hint = f"a handler of reply() gets a Request of aiotest_kit; {FOR_SERVE}"
    elif isinstance(exc, TypeError) and "await" in str(exc):
        hint = f"a handler of reply() gets a Request that is read: request.json(), without await; {FOR_SERVE}"
    else:
        return
    if sys.version_info >= (3, 11):
        exc.add_note(hint)
    else:  # pragma: no cover - Python 3.10 has no notes
        exc.args = (f"{exc}; {hint}",)


@dataclass(frozen=True)
class Raw(HeadResponder):
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


def redirect(location: object, status: int, options: Mapping[str, Any]) -> Reply:
    """A reply that sends the client to `location`."""
    if not isinstance(location, (str, URL)):
        raise UsageError(f"redirect() takes a URL or a path; got {one_line(location)}")
    if status not in REDIRECTS:
        raise UsageError(
            f"{status!r} is not a redirect that clients follow; those are 301, 302, 303, 307, 308"
        )
    headers = checked_headers(options.get("headers") or ())
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
    given = given_options(options) if options else options
    if given:
        raise UsageError(not_with(given, value))
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
    if isinstance(value, web.StreamResponse):
        raise UsageError(
            f"{one_line(value)} can be sent once; a handler makes one for each call: "
            f"reply(lambda request: web.{type(value).__name__}(...))"
        )
    if callable(value):
        check_arguments(value, "handler", "the request")
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
