"""How a difference looks in a report: values on one line, cells in columns. Values to text, nothing else."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .._matching.values import Mismatch, is_predicate
from .._messages.masking import current, without_secrets
from .._messages.wording import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


__all__ = ["cells", "columns", "explain_mismatches"]


WIDEST_VALUE = 60
WIDEST_COLUMN = 40
# Of a shortened value, so much is seen of its beginning, quotes and escapes aside.
SEEN = 30
# Of two long texts that differ further on, so much is shown before the first difference, and in all.
BEFORE_DIFFERENCE = 12
WINDOW = 40


def explain_mismatches(mismatches: Iterable[Mismatch], indent: str = "") -> str:
    """The differences, a line for each, in columns."""
    return "\n".join(indent + line for line in columns([cells(mismatch) for mismatch in mismatches]))


def cells(mismatch: Mismatch) -> tuple[str, ...]:
    """A difference as a row of a table."""
    what = f"{mismatch.part} {mismatch.path}".strip()
    # Before they are shortened: a piece of a secret is not recognized.
    name, part = mismatch.name, mismatch.part
    expected, actual = masked(mismatch.expected, name, part), masked(mismatch.actual, name, part)
    window = windows(expected, actual)
    if window is None:
        return what, f"expected {shown(expected)}", f"actual {shown(actual)}"
    return what, f"expected {window[0]}", f"actual {window[1]} ({window[2]})"


def masked(value: object, name: str, part: str) -> object:
    """A value without what is secret in it."""
    value = current().masked(value, name, part)
    return without_secrets(value) if type(value) is str else value


def windows(expected: object, actual: object) -> tuple[str, str, str] | None:
    """Two texts around their first difference, and where it is; None where that can be seen without.

    Both are text, or bytes, and one is too long to be shown.
    """
    if not isinstance(expected, (str, bytes)) or not isinstance(actual, type(expected)):
        return None
    at = first_difference(expected, actual)
    if at < SEEN or max(len(repr(expected)), len(repr(actual))) <= WIDEST_VALUE:
        return None
    lengths = [len(expected)] if len(expected) == len(actual) else [len(expected), len(actual)]
    return window(expected, at), window(actual, at), f"at {at} of {' and '.join(map(str, lengths))}"


def first_difference(expected: str | bytes, actual: str | bytes) -> int:
    """How many characters two texts have in common at their beginning."""
    low, high = 0, min(len(expected), len(actual))
    # Halved again and again: slices of long texts are compared a hundred times faster than their characters.
    while low < high:
        middle = (low + high + 1) // 2
        if expected[low:middle] == actual[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def window(text: str | bytes, at: int) -> str:
    """What is around a place of a text; `...` stands for what is left out before and behind it."""
    start = at - BEFORE_DIFFERENCE
    piece = text[start : start + WINDOW]
    return f"...{piece!r}{'...' if len(text) > start + WINDOW else ''}"


def columns(rows: Sequence[tuple[str, ...]], gap: str = "   ") -> list[str]:
    """Rows with their cells one below the other; a cell that is too wide pushes only its own row."""
    widths = [min(max(map(len, column)), WIDEST_COLUMN) for column in zip(*rows, strict=True)]
    # A column in which no row has anything is left out.
    padded = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True) if width] for row in rows]
    return [gap.join(row).rstrip() for row in padded]


def shown(value: object) -> str:
    """A value on one line; a predicate by its name and place."""
    if not is_predicate(value):
        return one_line(value, WIDEST_VALUE)
    name = getattr(value, "__qualname__", None) or one_line(value, WIDEST_VALUE)
    code = getattr(value, "__code__", None)
    place = f" ({os.path.basename(code.co_filename)}:{code.co_firstlineno})" if code else ""
    return f"{name.rpartition('.<locals>.')[2]}{place}"
