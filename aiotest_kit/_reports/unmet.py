"""What strictness complains of: requests that no route answered, routes never called, unfinished scripts.

Pure functions to texts. Knows nothing of tests, nor of who complains.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Protocol

from .near_misses import explain_unused

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .._http.call import Call
    from .near_misses import Explained

__all__ = ["explain_left_out", "explain_unanswered", "ways_out"]

SHOWN_MISSES = 10


class Unanswered(Protocol):
    """A request that no route answered."""

    def explain(self) -> str:
        """What was asked, and which routes are nearest."""
        ...


def explain_unanswered(misses: Iterable[Unanswered]) -> list[str]:
    """A report for each request that no route answered; equal ones are one."""
    counts = Counter(miss.explain() for miss in misses)
    reports = []
    for report, times in list(counts.items())[:SHOWN_MISSES]:
        asked, newline, why = report.partition("\n")
        reports.append(asked + (f" ({times} times)" if times > 1 else "") + newline + why)
    if len(counts) > SHOWN_MISSES:
        reports.append(f"and {len(counts) - SHOWN_MISSES} more that no route answered")
    return reports


def explain_left_out(
    never_called: Sequence[Explained], calls: Sequence[Call[Any]], unfinished: Iterable[str]
) -> list[str]:
    """A report on the routes never called, if there are any, and one on each unfinished script."""
    return [*([explain_unused(never_called, calls)] if never_called else []), *unfinished]


def ways_out(setting: str, *, unmatched: bool = False, unused: bool = False) -> list[str]:
    """How to say that a request without a route, or a route or script left over, is on purpose; in one line.

    `setting` is where the settings are written, with a place for them: `@pytest.mark.aiotest({})`.
    """
    names = [name for name, is_minded in (("unmatched", unmatched), ("unused", unused)) if is_minded]
    if not names:
        return []
    settings = setting.format(", ".join(f'{name}="allow"' for name in names))
    return [f"on purpose? {'route.optional() / ' if unused else ''}{settings}"]
