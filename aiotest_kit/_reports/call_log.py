"""The log of calls in reports: a call in a line, the timeline of a test, the calls nearest to what was asked.

Pure functions to text. Knows nothing of how calls came about.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from .._http.call import Call
from .._messages.masking import without_secrets
from .._messages.wording import counted
from .secrets import learn_pattern, learn_request
from .text import explain_mismatches

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .._matching.request_pattern import RequestPattern

__all__ = ["AnyCall", "explain_no_call", "listing", "timeline", "title"]


SHOWN_CALLS = 25
AnyCall: TypeAlias = Call[Any]


def explain_no_call(pattern: RequestPattern, calls: Iterable[AnyCall]) -> str:
    """That no call is as asked, and how the three nearest differ."""
    learn_pattern(pattern)
    compared = [(list(pattern.differences(call.request)), call) for call in calls]
    nearest = sorted(compared, key=lambda pair: len(pair[0]))[:3]
    lines = [f"no call is {pattern.describe()}"]
    if not compared:
        lines.append("  there are no calls")
    else:
        lines.append(f"  nearest of {counted(len(compared), 'call')}:")
    for number, (differences, call) in enumerate(nearest, 1):
        learn_request(call.request)
        lines.append(f"  {number}. {title(call)}")
        lines.append(explain_mismatches(differences, "       "))
    return "\n".join(lines) + not_in_log(calls)


def not_in_log(calls: object) -> str:
    """That a log has lost its oldest calls, where it has; it may matter for what was asked of it."""
    dropped: int = getattr(calls, "dropped", 0)
    if not dropped:
        return ""
    are = "call is" if dropped == 1 else "calls are"
    return f"\n  {dropped} older {are} not in the log any more, of which Router(keep=...) sets the length"


def listing(calls: Iterable[AnyCall]) -> str:
    """The calls, each on a line of its own."""
    first = 1 + getattr(calls, "dropped", 0)
    lines = [f"\n  {number}. {title(call)}" for number, call in enumerate(calls, first)]
    return "".join([not_in_log(calls), *lines])


def title(call: AnyCall) -> str:
    """A call in a line."""
    return without_secrets(f"{call.request.method} {call.request.url}")


def route_title(route: Any) -> str:
    """What a call went to, in a word: a name, else a route's place, or the handler of an app's route."""
    title: str = route.name or getattr(route, "location", "") or getattr(route.handler, "__qualname__", "")
    return title


def timeline(calls: Sequence[AnyCall]) -> str:
    """When each call was made, counted from the first, how long its answer took, and what it was.

    Of many calls, the first and the last ones.
    """
    lines = [line.strip() for line in not_in_log(calls).splitlines() if line]
    for number, call in enumerate(calls):
        if SHOWN_CALLS <= number < len(calls) - SHOWN_CALLS:
            if number == SHOWN_CALLS:
                lines.append(f"... and {counted(len(calls) - 2 * SHOWN_CALLS, 'more call')} ...")
            continue
        if call.exception is not None:
            outcome = type(call.exception).__name__
        else:
            outcome = "no answer" if call.reply is None else str(call.reply.status)
        took = "" if call.elapsed is None else f" in {call.elapsed:.3f} s"
        tried = "" if call.attempts == 1 else f", {call.attempts} attempts"
        route = "" if call.route is None else f"  {route_title(call.route)}"
        lines.append(
            f"+{call.started - calls[0].started:.3f} s  {title(call)} -> {outcome}{took}{tried}{route}"
        )
    return "\n".join(lines)
