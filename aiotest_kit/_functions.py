"""Functions that users give are checked at once: what they are called with, and whether they are async.

Knows functions only; who calls one says what with.
"""

from __future__ import annotations

import inspect
from functools import partial
from typing import TYPE_CHECKING

from ._messages.exceptions import UsageError
from ._messages.wording import describe

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["check_arguments", "check_async"]


def check_arguments(function: Callable[..., object], who: str, *given: str) -> None:
    """Refuse a function that cannot be called with just these arguments.

    `who` is what the function is, as `handler`; `given` are what it is called with, as `the request`.

    Raises:
        UsageError: it takes no so many arguments, or needs more.
    """
    try:
        # What a decorator hides is its own affair.
        signature = inspect.signature(function, follow_wrapped=False)
    except (TypeError, ValueError):
        # Some that are written in C do not say what they take.
        return
    try:
        signature.bind(*given)
    except TypeError as exc:
        raise UsageError(f"{who} {describe(function)} is called with {' and '.join(given)}: {exc}") from exc


def check_async(function: Callable[..., object], who: str, remedy: str) -> None:
    """Refuse a function that is surely no coroutine function.

    Raises:
        UsageError: it is a plain function, or a generator function; `remedy` ends the text.
    """
    plain: object = function
    while isinstance(plain, partial):
        plain = plain.func
    if inspect.isasyncgenfunction(plain):
        raise UsageError(f"{who} {describe(plain)} is an async generator function; {remedy}")
    is_decorated = hasattr(plain, "__wrapped__")
    if not (inspect.isfunction(plain) or inspect.ismethod(plain)) or is_decorated:
        # What an object with a `__call__`, or a decorator, gives back is known only when it is called.
        return
    if not inspect.iscoroutinefunction(plain):
        raise UsageError(f"{who} {describe(plain)} is not async; {remedy}")
