"""The exceptions that aiotest_kit raises.

    Exception
    ├── UsageError                      the kit was used in a way that cannot work; found at set-up
    └── aiohttp.ClientConnectionError
        └── UnmatchedRequest            a request that no route answers, raised in the client

Everything else that a client sees is aiohttp's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["UnmatchedRequest", "UsageError", "join_names", "one_line"]


class UsageError(Exception):
    """A call of the kit that cannot work; the text says what would."""

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


def one_line(value: object, limit: int = 200) -> str:
    """The repr of a value, shortened in its middle to at most `limit` characters."""
    text = repr(value)
    if len(text) <= limit:
        return text
    head = (limit - 5) * 2 // 3
    tail = limit - 5 - head
    return f"{text[:head]} ... {text[-tail:]}"
