"""What can be asserted of the calls of a route or router. Failures show what differs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Generic

from .._matching.request_pattern import RequestPattern
from .._messages.exceptions import UsageError
from .._messages.wording import counted, one_line
from .._reports.call_log import explain_no_call, listing, not_in_log, title
from .._reports.expected_calls import Expected, problems_of
from .._reports.text import explain_mismatches
from .calls import C, Calls, check_named

if TYPE_CHECKING:
    import re
    from collections.abc import Callable

    from typing_extensions import Never, Unpack
    from yarl import URL

    from .._matching.request_pattern import MatchOptions

__all__ = ["Asserted"]


class Asserted(Generic[C]):
    """What can be asserted of the calls of a route or router. Failures show what differs."""

    calls: Calls[C]

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
        return self.calls.total > 0

    @property
    def call_count(self) -> int:
        """How many calls there were; a call that aiohttp tried twice is one."""
        return self.calls.total

    async def wait(self, n: int = 1, timeout: float = 1.0) -> Calls[C]:
        """The calls, as soon as there are `n`, those made before counted.

        `timeout` is in seconds of the running loop's clock. A call is there when its request is, before it
        was answered.

        Raises:
            AssertionError: there were fewer in time.
        """
        if not await self.calls.reach(n, timeout):
            raise AssertionError(
                f"{self.call_count} of {n} calls of {self._owner} came within {timeout} s"
                f"{listing(self.calls)}"
            )
        return self.calls

    def assert_called(
        self, *, times: int | None = None, at_least: int | None = None, at_most: int | None = None
    ) -> None:
        """Fail unless there were so many calls: `times`, or `at_least` and `at_most`; by default one or more.

        Raises:
            UsageError: these are no numbers, or contradict each other.
        """
        if times is at_least is at_most is None:
            at_least = 1
        wanted, is_met = calls_wanted(times, at_least, at_most)
        if not is_met(self.call_count):
            had = f"was called {counted(self.call_count, 'time')}" if self.called else "was not called"
            expected = "" if (not self.called and at_least == 1) else f", expected {wanted}"
            shown = listing(self.calls) or self._came_nearest()
            raise AssertionError(f"{self._owner} {had}{expected}{shown}")
        if not self.called:
            self.assert_not_called()

    def assert_called_once(self) -> None:
        """Fail unless there was one call."""
        if self.call_count != 1:
            shown = listing(self.calls) or self._came_nearest()
            times = counted(self.call_count, "time")
            raise AssertionError(f"{self._owner} was called {times}, not once{shown}")

    def assert_not_called(self) -> None:
        """Fail if there was a call."""
        if self.called:
            raise AssertionError(
                f"{self._owner} was called {counted(self.call_count, 'time')}{listing(self.calls)}"
            )

    def assert_any_call(
        self,
        *unnamed: Never,
        method: str | Iterable[str] | None = None,
        url: str | URL | re.Pattern[str] | None = None,
        **match: Unpack[MatchOptions],
    ) -> None:
        """Fail unless some call's request is as asked, in the vocabulary of `Router.route`."""
        check_named("assert_any_call", unnamed)
        pattern = RequestPattern(method, url, **match)
        if not any(pattern.matches(call.request) for call in self.calls):
            raise AssertionError(explain_no_call(pattern, self.calls))

    def assert_called_with(
        self,
        *unnamed: Never,
        method: str | Iterable[str] | None = None,
        url: str | URL | re.Pattern[str] | None = None,
        **match: Unpack[MatchOptions],
    ) -> None:
        """Fail unless the last call's request is as asked, in the vocabulary of `Router.route`."""
        check_named("assert_called_with", unnamed)
        self.assert_called()
        pattern = RequestPattern(method, url, **match)
        differences = list(pattern.differences(self.calls.last.request))
        if differences:
            shown = explain_mismatches(differences)
            raise AssertionError(f"the last call, {title(self.calls.last)}, was not as asked\n{shown}")

    def assert_called_once_with(
        self,
        *unnamed: Never,
        method: str | Iterable[str] | None = None,
        url: str | URL | re.Pattern[str] | None = None,
        **match: Unpack[MatchOptions],
    ) -> None:
        """Fail unless there was one call, and its request is as asked."""
        check_named("assert_called_once_with", unnamed)
        self.assert_called_once()
        self.assert_called_with(method=method, url=url, **match)

    def assert_calls(
        self,
        expected: Iterable[Mapping[str, object] | Asserted[Any]],
        *,
        in_order: bool = True,
        only: bool = True,
    ) -> None:
        """Fail unless there were just these calls, in this order.

        Each is a route that was to be called, or a mapping in the vocabulary of `Router.route`, with
        `method` and `url`. With `in_order=False` they may have come in any order; with `only=False` there may
        have been others, before, between and behind them.
        """
        if isinstance(expected, (str, Mapping)) or not isinstance(expected, Iterable):
            raise UsageError(f"assert_calls() takes a list of calls; got {one_line(expected)}")
        wanted = list(map(expected_call, expected))
        if only and self.calls.dropped:
            raise AssertionError(f"the calls cannot be compared with those expected{not_in_log(self.calls)}")
        problems = list(problems_of(wanted, list(self.calls), in_order=in_order, only=only))
        if problems:
            counts = f"expected {counted(len(wanted), 'call')}, there were {self.call_count}"
            raise AssertionError("\n".join([counts, *problems]) + not_in_log(self.calls))


def expected_call(item: object) -> Expected:
    """What an item of the list that `assert_calls` is given stands for."""
    if isinstance(item, Asserted):
        return Expected(item._owner, item, RequestPattern())
    if isinstance(item, Mapping):
        pattern = RequestPattern(**item)
        return Expected(pattern.describe(), None, pattern)
    raise UsageError(
        f"an expected call is a route or a mapping such as {{'method': 'GET'}}; got {one_line(item)}"
    )


def calls_wanted(
    times: int | None, at_least: int | None, at_most: int | None
) -> tuple[str, Callable[[int], bool]]:
    """How many calls are wanted, in words, and whether a number of calls is.

    Raises:
        UsageError: the numbers are none, or contradict each other.
    """
    for name, number in {"times": times, "at_least": at_least, "at_most": at_most}.items():
        if number is not None and not (type(number) is int and number >= 0):
            raise UsageError(f"{name}= is a number of calls, 0 or more; got {number!r}")
    if times is not None:
        if at_least is not None or at_most is not None:
            raise UsageError("times= says how many calls there were; at_least= and at_most= go without it")
        return str(times), lambda made: made == times
    least, most = at_least or 0, at_most
    if most is not None and most < least:
        raise UsageError(f"at_most={most} is less than at_least={least}")
    words = [f"{least} or more"] if most is None else [f"{least} to {most}"] if least else [f"{most} at most"]
    return words[0], lambda made: least <= made and (most is None or made <= most)
