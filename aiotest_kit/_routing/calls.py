"""The log of calls, and what can be asserted of it.

One vocabulary: what a route may ask of a request, the log may be asked too. Knows patterns and reports.
Knows nothing of how calls came about.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar, overload

from .._errors import UsageError, counted, one_line
from .._matching.values import left_over
from .._reports.near_misses import explain_mismatches
from .._http.request import Call
from .._matching.request_pattern import RequestPattern
from .._asyncio.waiters import Waiters

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable

    from typing_extensions import Unpack
    from yarl import URL

    from .._matching.request_pattern import MatchOptions

__all__ = ["Asserted", "Calls", "timeline"]

SHOWN_CALLS = 25
R = TypeVar("R")
AnyCall: TypeAlias = Call[Any]


class Calls(Sequence[Call[R]], Generic[R]):
    """Calls in the order in which they were made. The log of a route or router grows as calls are made."""

    _waiters: Waiters | None = None

    def __init__(self, calls: Iterable[Call[R]] = ()) -> None:
        self._calls = list(calls)

    def __repr__(self) -> str:
        return f"<Calls {self._calls!r}>"

    def __len__(self) -> int:
        return len(self._calls)

    @overload
    def __getitem__(self, index: int) -> Call[R]: ...
    @overload
    def __getitem__(self, index: slice) -> Calls[R]: ...
    def __getitem__(self, index: int | slice) -> Call[R] | Calls[R]:
        return Calls(self._calls[index]) if isinstance(index, slice) else self._calls[index]

    @property
    def first(self) -> Call[R]:
        """The first call.

        Raises:
            AssertionError: there is none.
        """
        return self._at(0)

    @property
    def last(self) -> Call[R]:
        """The last call.

        Raises:
            AssertionError: there is none.
        """
        return self._at(-1)

    def where(
        self,
        *,
        method: str | Iterable[str] | None = None,
        url: str | URL | re.Pattern[str] | None = None,
        **match: Unpack[MatchOptions],
    ) -> Calls[R]:
        """The calls whose request is as asked, in the vocabulary of `Router.route`."""
        pattern = RequestPattern(method, url, **match)
        return Calls(call for call in self._calls if pattern.matches(call.request))

    def one(
        self,
        *,
        method: str | Iterable[str] | None = None,
        url: str | URL | re.Pattern[str] | None = None,
        **match: Unpack[MatchOptions],
    ) -> Call[R]:
        """The only call whose request is as asked; with nothing asked, the only call.

        Raises:
            AssertionError: there is none, or more than one; the report shows those there are.
        """
        pattern = RequestPattern(method, url, **match)
        found = [call for call in self._calls if pattern.matches(call.request)]
        if len(found) == 1:
            return found[0]
        if not self._calls:
            raise AssertionError("there are no calls")
        if not found:
            raise AssertionError(explain_no_call(pattern, self))
        are = f"are {pattern.describe()}" if method or url or match else "were made"
        raise AssertionError(f"{len(found)} calls, not one, {are}{listing(found)}")

    def clear(self) -> None:
        """Forget the calls."""
        self._calls.clear()

    def add(self, call: Call[R]) -> None:
        """Write a call into the log, and wake who waits for it."""
        self._calls.append(call)
        if self._waiters:
            self._waiters.notify()

    async def reach(self, n: int, timeout: float) -> bool:
        """Whether there are `n` calls within `timeout` seconds of the running loop's clock."""
        if self._waiters is None:
            self._waiters = Waiters()
        return await self._waiters.until(lambda: len(self._calls) >= n, timeout)

    def _at(self, index: int) -> Call[R]:
        if not self._calls:
            raise AssertionError("there are no calls")
        return self._calls[index]


class Asserted(Generic[R]):
    """What can be asserted of the calls of a route or router. Failures show what differs."""

    calls: Calls[R]

    @property
    def _owner(self) -> str:
        """What had the calls, in a report."""
        return repr(self)

    def _came_nearest(self) -> str:
        """What came nearest to a call, where there was none, in a report."""
        return ""

    @property
    def called(self) -> bool:
        """Whether there was a call."""
        return len(self.calls) > 0

    @property
    def call_count(self) -> int:
        """How many calls there were; a call that aiohttp tried twice is one."""
        return len(self.calls)

    async def wait(self, n: int = 1, timeout: float = 1.0) -> Calls[R]:
        """The calls, as soon as there are `n`, those made before counted.

        `timeout` is in seconds of the running loop's clock. A call is there when its request is, before it
        was answered.

        Raises:
            AssertionError: there were fewer in time.
        """
        if not await self.calls.reach(n, timeout):
            raise AssertionError(
                f"{len(self.calls)} of {n} calls of {self._owner} came within {timeout} s"
                f"{listing(self.calls)}"
            )
        return self.calls

    def assert_called(self) -> None:
        """Fail if there was no call."""
        if not self.calls:
            raise AssertionError(f"{self._owner} was not called{self._came_nearest()}")

    def assert_called_once(self) -> None:
        """Fail unless there was one call."""
        if len(self.calls) != 1:
            shown = listing(self.calls) or self._came_nearest()
            raise AssertionError(
                f"{self._owner} was called {counted(self.call_count, 'time')}, not once{shown}"
            )

    def assert_not_called(self) -> None:
        """Fail if there was a call."""
        if self.calls:
            raise AssertionError(
                f"{self._owner} was called {counted(self.call_count, 'time')}{listing(self.calls)}"
            )

    def assert_any_call(
        self,
        *,
        method: str | Iterable[str] | None = None,
        url: str | URL | re.Pattern[str] | None = None,
        **match: Unpack[MatchOptions],
    ) -> None:
        """Fail unless some call's request is as asked, in the vocabulary of `Router.route`."""
        pattern = RequestPattern(method, url, **match)
        if not any(pattern.matches(call.request) for call in self.calls):
            raise AssertionError(explain_no_call(pattern, self.calls))

    def assert_called_with(
        self,
        *,
        method: str | Iterable[str] | None = None,
        url: str | URL | re.Pattern[str] | None = None,
        **match: Unpack[MatchOptions],
    ) -> None:
        """Fail unless the last call's request is as asked, in the vocabulary of `Router.route`."""
        self.assert_called()
        pattern = RequestPattern(method, url, **match)
        differences = list(pattern.differences(self.calls.last.request))
        if differences:
            shown = explain_mismatches(differences)
            raise AssertionError(f"the last call, {title(self.calls.last)}, was not as asked\n{shown}")

    def assert_called_once_with(
        self,
        *,
        method: str | Iterable[str] | None = None,
        url: str | URL | re.Pattern[str] | None = None,
        **match: Unpack[MatchOptions],
    ) -> None:
        """Fail unless there was one call, and its request is as asked."""
        self.assert_called_once()
        self.assert_called_with(method=method, url=url, **match)

    def assert_calls(
        self, expected: Iterable[Mapping[str, object] | Asserted[Any]], *, in_order: bool = True
    ) -> None:
        """Fail unless there were just these calls, in this order.

        Each is a route that was to be called, or a mapping in the vocabulary of `Router.route`, with
        `method` and `url`. With `in_order=False` they may have come in any order.
        """
        wanted = [Expected.of(item) for item in expected]
        problems = list((in_turn if in_order else in_any_order)(wanted, list(self.calls)))
        if problems:
            counts = f"expected {counted(len(wanted), 'call')}, there were {len(self.calls)}"
            raise AssertionError("\n".join([counts, *problems]))


@dataclass(frozen=True)
class Expected:
    """One of the calls that `assert_calls` is given: one of a certain route, or one of a certain kind."""

    text: str
    owner: Asserted[Any] | None
    pattern: RequestPattern

    @classmethod
    def of(cls, item: object) -> Expected:
        """What an item of the list stands for."""
        if isinstance(item, Asserted):
            return cls(item._owner, item, RequestPattern())
        if isinstance(item, Mapping):
            pattern = RequestPattern(**item)
            return cls(pattern.describe(), None, pattern)
        raise UsageError(
            f"an expected call is a route or a mapping such as {{'method': 'GET'}}; got {one_line(item)}"
        )

    def differences(self, call: AnyCall) -> str | None:
        """What differs in a call, as text; None if it is as expected."""
        if self.owner is not None and not any(call is own for own in self.owner.calls):
            return "       it is a call of another route"
        differences = list(self.pattern.differences(call.request))
        return explain_mismatches(differences, "       ") if differences else None

    def is_of(self, call: AnyCall) -> bool:
        """Whether a call is as expected."""
        return self.differences(call) is None


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


def in_any_order(wanted: list[Expected], actual: list[AnyCall]) -> Iterable[str]:
    """What is left when as many expected calls as can be have a call of their own."""
    missing = left_over(wanted, actual, Expected.is_of)
    for expected in missing:
        yield f"  expected {expected.text}, was not made"
    made = [expected for expected in wanted if not any(expected is other for other in missing)]
    for call in left_over(actual, made, lambda call, expected: expected.is_of(call)):
        yield f"  not expected: {title(call)}"


def explain_no_call(pattern: RequestPattern, calls: Iterable[AnyCall]) -> str:
    """That no call is as asked, and how the three nearest differ."""
    compared = [(list(pattern.differences(call.request)), call) for call in calls]
    nearest = sorted(compared, key=lambda pair: len(pair[0]))[:3]
    lines = [f"no call is {pattern.describe()}"]
    if not compared:
        lines.append("  there are no calls")
    else:
        lines.append(f"  nearest of {counted(len(compared), 'call')}:")
    for number, (differences, call) in enumerate(nearest, 1):
        lines.append(f"  {number}. {title(call)}")
        lines.append(explain_mismatches(differences, "       "))
    return "\n".join(lines)


def listing(calls: Iterable[AnyCall]) -> str:
    """The calls, each on a line of its own."""
    return "".join(f"\n  {number}. {title(call)}" for number, call in enumerate(calls, 1))


def title(call: AnyCall) -> str:
    """A call in a line."""
    return f"{call.request.method} {call.request.url}"


def route_title(route: Any) -> str:
    """What a call went to, in a word: a name, else a route's place, or the handler of an app's route."""
    title: str = route.name or getattr(route, "location", "") or getattr(route.handler, "__qualname__", "")
    return title


def timeline(calls: Sequence[AnyCall]) -> str:
    """When each call was made, counted from the first, how long its answer took, and what it was.

    Of many calls, the first and the last ones.
    """
    lines = []
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
