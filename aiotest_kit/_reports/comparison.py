"""Why a value is not equal to an `Exact` or a `Subset`, for an assertion that failed. Values to text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._matching.values import Matcher, compare
from .._messages.wording import counted, one_line
from .text import cells, columns

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["explain_comparison"]

SHOWN = 20
WIDEST = 60


def explain_comparison(left: object, right: object) -> list[str] | None:
    """The two in one line, and then each difference; None where neither is such a value."""
    if isinstance(left, Matcher) is isinstance(right, Matcher):
        return None
    matcher, actual = (left, right) if isinstance(left, Matcher) else (right, left)
    differences = list(compare("", "$", matcher, actual, exact=True))
    lines: Sequence[str] = columns([cells(difference) for difference in differences[:SHOWN]])
    summary = f"{one_line(left, WIDEST)} == {one_line(right, WIDEST)}"
    if not differences:
        # As a MultiDict, which is equal to mappings alone.
        kind = type(actual).__name__
        return [
            summary,
            f"nothing differs, but {kind} has an == of its own; write {type(matcher).__name__} first",
        ]
    left_out = len(differences) - SHOWN
    more = [f"and {counted(left_out, 'more difference')}"] if left_out > 0 else []
    return [summary, *lines, *more]
