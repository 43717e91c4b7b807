"""How a difference looks in a report: values on one line, cells in columns. Values to text, nothing else."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .._matching.values import Mismatch, is_predicate
from .._text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


__all__ = ["cells", "columns", "explain_mismatches"]


WIDEST_VALUE = 60
WIDEST_COLUMN = 40


def explain_mismatches(mismatches: Iterable[Mismatch], indent: str = "") -> str:
    """The differences, a line for each, in columns."""
    return "\n".join(indent + line for line in columns([cells(mismatch) for mismatch in mismatches]))


def cells(mismatch: Mismatch) -> tuple[str, ...]:
    """A difference as a row of a table."""
    what = f"{mismatch.part} {mismatch.path}".strip()
    return what, f"expected {shown(mismatch.expected)}", f"actual {shown(mismatch.actual)}"


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
