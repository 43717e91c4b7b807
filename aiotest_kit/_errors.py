"""The exceptions that aiotest_kit raises.

    Exception
    ├── UsageError                      the kit was used in a way that cannot work; found at set-up
    │   └── LoopMismatchError           something of one event loop was used from another
    ├── VirtualTimeError                virtual time is impossible here, or something real took too long
    ├── ResourceWarning
    │   └── LeakWarning                 a test left something open, where the settings say to warn
    └── aiohttp.ClientConnectionError
        └── UnmatchedRequest            a request that no route answers, raised in the client

Everything else that a client sees is aiohttp's own.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

import aiohttp

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

__all__ = [
    "LeakWarning",
    "LoopMismatchError",
    "UnmatchedRequest",
    "UsageError",
    "VirtualTimeError",
    "check_options",
    "counted",
    "join_names",
    "one_line",
]


class UsageError(Exception):
    """A call of the kit that cannot work; the text says what would."""

    __module__ = "aiotest_kit"


class LoopMismatchError(UsageError):
    """Something that lives on one event loop was used from another; the text names both and what would work.

    Without it the call would hang, or fail with "attached to a different loop".
    """

    __module__ = "aiotest_kit"


class VirtualTimeError(Exception):
    """Virtual time cannot go on: another kind of loop, something real that takes too long, or a deadlock."""

    __module__ = "aiotest_kit"


class LeakWarning(ResourceWarning):
    """A test left something open, and `leaks` is `warn`."""

    __module__ = "aiotest_kit"


class UnmatchedRequest(aiohttp.ClientConnectionError):
    """A request that no route answers; the text names the nearest routes.

    It is an :class:`aiohttp.ClientConnectionError`, so code under test handles it as it handles a
    network that is down; the fixtures fail the test even if the code swallows it.
    """

    __module__ = "aiotest_kit"


def join_names(names: Iterable[object]) -> str:
    """The names in one phrase, in order: `a, b, c`."""
    return ", ".join(str(name) for name in names)


def counted(number: int, noun: str) -> str:
    """A number of things: `1 route`, `2 routes`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


ALSO_CALLED = {
    "content": ("body",),
    "cookie": ("cookies",),
    "data": ("form", "body"),
    "params": ("query",),
    "payload": ("json",),
}
"""What else options are called, by aiohttp and others."""


def check_options(options: Iterable[str], allowed: Collection[str], where: str) -> None:
    """Refuse an option that is not allowed; `where` is what has the options, such as `a route`.

    Raises:
        UsageError: with the options there are, and the one that was probably meant.
    """
    for option in options:
        if option not in allowed:
            names = sorted(allowed)
            near = get_close_matches(option, names, n=1) or [
                name for name in ALSO_CALLED.get(option, ()) if name in allowed
            ]
            hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
            raise UsageError(f"unknown option {option!r} for {where}; options are: {join_names(names)}{hint}")


def one_line(value: object, limit: int = 200) -> str:
    """The repr of a value, shortened in its middle to at most `limit` characters."""
    text = repr(value)
    if len(text) <= limit:
        return text
    head = (limit - 5) * 2 // 3
    tail = limit - 5 - head
    return f"{text[:head]} ... {text[-tail:]}"
