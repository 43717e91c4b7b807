"""The exceptions that aiotest_kit raises.

    Exception
    ├── UsageError                      the kit was used in a way that cannot work; found at set-up
    │   └── LoopMismatchError           something of one event loop was used from another
    ├── AssertionError
    │   └── UnmetExpectations           what a strict mock saw, raised at the end of its block
    ├── VirtualTimeError                virtual time is impossible here, or something real took too long
    ├── ResourceWarning
    │   └── LeakWarning                 a test left something open, where the settings say to warn
    └── aiohttp.ClientConnectionError
        └── UnmatchedRequest            a request that no route answers, raised in the client

Everything else that a client sees is aiohttp's own.
"""

from __future__ import annotations

import aiohttp

from .masking import without_secrets

__all__ = [
    "LeakWarning",
    "LoopMismatchError",
    "UnmatchedRequest",
    "UnmetExpectations",
    "UsageError",
    "VirtualTimeError",
]


class UsageError(Exception):
    """A call of the kit that cannot work; the text says what would."""

    __module__ = "aiotest_kit"

    def __init__(self, text: str = "") -> None:
        super().__init__(without_secrets(text))


class LoopMismatchError(UsageError):
    """Something that lives on one event loop was used from another; the text names both and what would work.

    Without it the call would hang, or fail with "attached to a different loop".
    """

    __module__ = "aiotest_kit"


class UnmetExpectations(AssertionError):
    """Requests that no route of a strict mock answered, and routes of it that were never called.

    Raised at the end of the block of `mock(strict=True)`; the text has a report on each.
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


def mock_closed(route: object = None) -> aiohttp.ClientConnectionError:
    """The error of a call that a closing mock leaves without an answer; aiohttp does not retry it."""
    where = "" if route is None else f": {route!r}"
    return aiohttp.ClientConnectionError(f"the mock was closed before it answered{where}")
