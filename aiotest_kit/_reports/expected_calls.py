"""Calls compared with those that were expected: what differs, as texts.

Pure functions. Knows patterns. Knows nothing of how calls came about, or of who asserts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from .._matching.values import left_over
from .call_log import AnyCall, listing, title
from .text import explain_mismatches

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .._matching.request_pattern import RequestPattern

__all__ = ["Expected", "problems_of"]


class Owner(Protocol):
    """What has calls."""

    @property
    def calls(self) -> Sequence[AnyCall]:
        """Its calls."""
        ...


@dataclass(frozen=True)
class Expected:
    """One of the calls that `assert_calls` is given: one of a certain route, or one of a certain kind."""

    text: str
    owner: Owner | None
    pattern: RequestPattern

    def differences(self, call: AnyCall) -> str | None:
        """What differs in a call, as text; None if it is as expected."""
        if self.owner is not None and not any(call is own for own in self.owner.calls):
            return "       it is a call of another route"
        differences = list(self.pattern.differences(call.request))
        return explain_mismatches(differences, "       ") if differences else None

    def is_of(self, call: AnyCall) -> bool:
        """Whether a call is as expected."""
        return self.differences(call) is None


def problems_of(
    wanted: list[Expected], actual: list[AnyCall], *, in_order: bool, only: bool
) -> Iterable[str]:
    """What is wrong with some calls."""
    if in_order:
        return in_turn(wanted, actual) if only else among_others(wanted, actual)
    return in_any_order(wanted, actual, only)


def among_others(wanted: list[Expected], actual: list[AnyCall]) -> Iterable[str]:
    """The first of the expected calls that did not come behind those before it."""
    left = iter(enumerate(actual, 1))
    behind = ""
    for number, expected in enumerate(wanted, 1):
        found = next((place for place, call in left if expected.is_of(call)), None)
        if found is None:
            yield f"  {number}. expected {expected.text}, was not made{behind}{listing(actual)}"
            return
        behind = f" behind call {found}"


def in_turn(wanted: list[Expected], actual: list[AnyCall]) -> Iterable[str]:
    """Where two lists differ, place by place."""
    for number, (expected, call) in enumerate(zip(wanted, actual, strict=False), 1):
        differences = expected.differences(call)
        if differences is not None:
            yield f"  {number}. expected {expected.text}, was {title(call)}\n{differences}"
    for number, expected in enumerate(wanted[len(actual) :], len(actual) + 1):
        yield f"  {number}. expected {expected.text}, was not made"
    for number, call in enumerate(actual[len(wanted) :], len(wanted) + 1):
        yield f"  {number}. not expected: {title(call)}"


def in_any_order(wanted: list[Expected], actual: list[AnyCall], only: bool) -> Iterable[str]:
    """What is left when as many expected calls as can be have a call of their own."""
    missing = left_over(wanted, actual, Expected.is_of)
    for expected in missing:
        yield f"  expected {expected.text}, was not made"
    if not only:
        return
    made = [expected for expected in wanted if not any(expected is other for other in missing)]
    for call in left_over(actual, made, lambda call, expected: expected.is_of(call)):
        yield f"  not expected: {title(call)}"
