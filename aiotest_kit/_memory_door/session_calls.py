"""What every call of every session passes through before aiohttp acts on it: `around_requests`.

Sees what the code under test gave to `session.get` and the like, which no connection can see. Knows who is
open, in which order. Knows nothing of connections, routes or replies.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from .._aiohttp.client import full_url, maker, request_detour, request_through
from .._functions import check_arguments, check_async
from .._messages.exceptions import UsageError
from .._messages.wording import one_line

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from contextlib import AbstractContextManager

    import aiohttp
    from yarl import URL

    from .._aiohttp.client import MakeResponse

__all__ = ["SessionCall", "around_requests"]


@dataclass(frozen=True, slots=True)
class SessionCall:
    """What somebody asked of a session: `session.get("/x", json=…)`, before aiohttp has looked at it.

    `target` is the URL as it was given. `kwargs` are the keywords as they were given, and those that
    `session.get` and its like add: `allow_redirects`, `data`.
    """

    session: aiohttp.ClientSession
    method: str
    target: str | URL
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    _outer: tuple[Entry, ...]

    @property
    def url(self) -> URL:
        """The target as a URL, behind the session's `base_url`."""
        return full_url(self.session, self.target)

    async def send(
        self,
        *,
        target: str | URL | None = None,
        ask_others: bool = True,
        make_response: MakeResponse | None = None,
        **changes: Any,
    ) -> aiohttp.ClientResponse:
        """The response of the session itself, to this call with `changes` in its keywords.

        `target` is where to send it, if not to where it was meant for. With `ask_others`, what was opened
        before is passed first. In the memory door, `make_response` makes the response: it is called with the
        class that the session would have used, and then with what aiohttp calls that with, `(method, url,
        **options)`; once for each redirect too.

        Raises:
            Whatever the session raises.
        """
        place = self.target if target is None else target
        arguments = (self.session, self.method, place, self.args, {**self.kwargs, **changes})
        token = maker.set(make_response)
        try:
            return await pass_on(self._outer if ask_others else (), *arguments)
        finally:
            maker.reset(token)


Around: TypeAlias = "Callable[[SessionCall], Awaitable[aiohttp.ClientResponse]]"
"""What is given to `around_requests`."""


def around_requests(around: Around) -> AbstractContextManager[None]:
    """Have each call of every aiohttp session in the process go through `around`, until the block ends.

    `around` is an async function of a `SessionCall`, and returns a response, as a rule the one that
    `await call.send()` gives. It runs in the task of the caller, who sees what it raises. The newest is
    asked first. Redirects, and what aiohttp sends again by itself, are part of the call.

    Raises:
        UsageError: it is no async function of one argument.
    """
    if not callable(around):
        raise UsageError(f"around_requests() takes an async function of a call; got {one_line(around)}")
    check_async(around, "around_requests():", "it takes async def around(call)")
    check_arguments(around, "around_requests():", "the call")
    return Entry(around)


class Entry:
    """One use of `around_requests`; the same function may be in use twice."""

    __slots__ = ("around",)

    def __init__(self, around: Around) -> None:
        self.around = around

    def __enter__(self) -> None:
        open_entry(self)

    def __exit__(self, *exc: object) -> None:
        close_entry(self)


# The one state of the module: who is open, newest first.
lock = threading.Lock()
opened: tuple[Entry, ...] = ()


def open_entry(entry: Entry) -> None:
    """Put one on top; with the first, the calls of sessions come here."""
    global opened
    with lock:
        if not opened:
            request_detour.install(request)
        opened = (entry, *opened)


def close_entry(entry: Entry) -> None:
    """Take one away; with the last, sessions are as they were."""
    global opened
    with lock:
        opened = tuple([other for other in opened if other is not entry])
        if not opened:
            request_detour.restore()


# Neither is a coroutine function: each one that a call passes costs something with each turn of the loop.
def request(*call: Any) -> Awaitable[aiohttp.ClientResponse]:
    """The session's request while anything is open."""
    return pass_on(opened, *call)


def pass_on(
    entries: tuple[Entry, ...],
    session: aiohttp.ClientSession,
    method: str,
    target: str | URL,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> Awaitable[aiohttp.ClientResponse]:
    """What the first of `entries` answers; the session itself where there is none."""
    if not entries:
        return request_through(session, method, target, *args, **kwargs)
    return entries[0].around(SessionCall(session, method, target, args, kwargs, entries[1:]))
