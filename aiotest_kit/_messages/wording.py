"""Wording that reports and messages share: values in one line, without secrets. Knows nothing of the rest."""

from __future__ import annotations

from types import CodeType
from typing import TYPE_CHECKING

from .masking import current

if TYPE_CHECKING:
    from collections.abc import Iterable


__all__ = ["counted", "describe", "join_names", "one_line"]

HUGE = 30_000
"""Of the repr of a large value, only so much at both ends is looked at."""


def join_names(names: Iterable[object]) -> str:
    """The names in one phrase, in order: `a, b, c`."""
    return ", ".join(str(name) for name in names)


def counted(number: int, noun: str) -> str:
    """A number of things: `1 route`, `2 routes`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def one_line(value: object, limit: int = 200, part: str = "") -> str:
    """The repr of a value without secrets, shortened in its middle to at most `limit` characters.

    `part` is the part of a message that it is, such as `cookies`, if it is one.
    """
    secrets = current()
    try:
        text = repr(secrets.masked(value, part=part))
    except Exception as exc:
        # A message has to come, whatever it is about: JSON may be nested too deep, an object half made.
        text = f"<{type(value).__name__}, whose repr raised {type(exc).__name__}>"
    # Before it is shortened: a piece of a secret is not recognized.
    if len(text) > 2 * HUGE:
        text = f"{secrets.mask(text[:HUGE])} ... {secrets.mask(text[-HUGE:])}"
    else:
        text = secrets.mask(text)
    if len(text) <= limit:
        return text
    head = (limit - 5) * 2 // 3
    tail = limit - 5 - head
    return f"{text[:head]} ... {text[-tail:]}"


def describe(function: object) -> str:
    """A function's name and place, for a message."""
    name = getattr(function, "__qualname__", None) or repr(function)
    code = getattr(function, "__code__", None)
    # An AsyncMock has one that only looks like it.
    if type(code) is not CodeType:
        return repr(name)
    return f"{name!r} ({code.co_filename}:{code.co_firstlineno})"
