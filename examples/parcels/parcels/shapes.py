"""Reads typed values out of JSON whose shape is somebody else's promise."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TypeVar

T = TypeVar("T")


class ShapeError(ValueError):
    """JSON was not of the shape that its sender documents."""


def member(data: object, *path: str, of: type[T]) -> T:
    """The value at `path` inside `data`, checked to be of that type; `bool` is no `int` here.

    Raises:
        ShapeError: nothing is there, or something of another type.
    """
    value = data
    for name in path:
        if not isinstance(value, dict) or name not in value:
            raise ShapeError(f"no member {'.'.join(path)!r}")
        value = value[name]
    if not isinstance(value, of) or (isinstance(value, bool) and of is not bool):
        raise ShapeError(f"member {'.'.join(path)!r} is {value!r}, expected {of.__name__}")
    return value


def instant(text: str) -> datetime:
    """An RFC 3339 time with its offset, in UTC.

    Raises:
        ShapeError: it is none, or has no offset.
    """
    try:
        # fromisoformat() reads the "Z" from Python 3.11 on only
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise ShapeError(f"{text!r} is not a time") from None
    if moment.tzinfo is None:
        raise ShapeError(f"{text!r} has no offset from UTC")
    return moment.astimezone(timezone.utc)
