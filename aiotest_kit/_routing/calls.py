"""The log of calls, and what can be asserted of it.

One vocabulary: what a route may ask of a request, the log may be asked too. Knows patterns and reports.
Knows nothing of how calls came about.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from .._asyncio.waiters import Waiters
from .._http.call import Call
from .._matching.request_pattern import RequestPattern
from .._messages.exceptions import UsageError
from .._messages.wording import one_line
from .._reports.call_log import explain_no_call, listing, not_in_log

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterable

    from typing_extensions import Never, Unpack
    from yarl import URL

    from .._matching.request_pattern import MatchOptions

__all__ = ["C", "Calls", "check_named"]

C = TypeVar("C", bound=Call[Any])


class Calls(Sequence[C], Generic[C]):
    """Calls in the order in which they were made. The log of a route or router grows as calls are made."""

    _waiters: Waiters | None = None
    _narrower: Callable[[], Iterable[Calls[C]]] | None = None
    """The logs that have nothing but calls of this one, as those of a router's routes."""
    _was_cleared = False
    _most: float = inf
    _drop: Callable[[], None] | None = None
    dropped: int = 0
    """How many of the oldest calls are not kept any more."""

    def __init__(self, calls: Iterable[C] = ()) -> None:
        self._calls = list(calls)

    def __repr__(self) -> str:
        return f"<Calls {self._calls!r}>"

    def __len__(self) -> int:
        return len(self._calls)

    @overload
    def __getitem__(self, index: int) -> C: ...
    @overload
    def __getitem__(self, index: slice) -> Calls[C]: ...
    def __getitem__(self, index: int | slice) -> C | Calls[C]:
        return Calls(self._calls[index]) if isinstance(index, slice) else self._calls[index]

    @property
    def total(self) -> int:
        """How many calls there were, also those that are not kept any more."""
        return len(self._calls) + self.dropped

    @property
    def first(self) -> C:
        """The first call.

        Raises:
            AssertionError: there is none, or it is not kept any more.
        """
        if self.dropped:
            raise AssertionError(f"the first call is not there{not_in_log(self)}")
        return self._at(0)

    @property
    def last(self) -> C:
        """The last call.

        Raises:
            AssertionError: there is none.
        """
        return self._at(-1)

    def where(
        self,
        *unnamed: Never,
        method: str | Iterable[str] | None = None,
        url: str | URL | re.Pattern[str] | None = None,
        **match: Unpack[MatchOptions],
    ) -> Calls[C]:
        """The calls whose request is as asked, in the vocabulary of `Router.route`."""
        check_named("where", unnamed)
        pattern = RequestPattern(method, url, **match)
        found = Calls(call for call in self._calls if pattern.matches(call.request))
        if self.dropped:
            found.dropped = self.dropped
        return found

    def one(
        self,
        *unnamed: Never,
        method: str | Iterable[str] | None = None,
        url: str | URL | re.Pattern[str] | None = None,
        **match: Unpack[MatchOptions],
    ) -> C:
        """The only call whose request is as asked; with nothing asked, the only call.

        Raises:
            AssertionError: there is none, or more than one; the report shows those there are.
        """
        check_named("one", unnamed)
        pattern = RequestPattern(method, url, **match)
        found = [call for call in self._calls if pattern.matches(call.request)]
        if len(found) == 1 and not self.dropped:
            return found[0]
        if not self.total:
            raise AssertionError("there are no calls")
        if not found:
            raise AssertionError(explain_no_call(pattern, self))
        are = pattern.describe() if method or url or match else ""
        if len(found) == 1:
            raise AssertionError(f"{f'1 call is {are}' if are else '1 call is in the log'}{not_in_log(self)}")
        said = f"are {are}" if are else "were made"
        raise AssertionError(f"{len(found)} calls, not one, {said}{listing(found)}{not_in_log(self)}")

    @property
    def ever(self) -> bool:
        """Whether there was a call at all, forgotten or not."""
        return self._was_cleared or self.total > 0

    def clear(self) -> None:
        """Forget the calls: of a route, its own; of a router, those of all its routes, too."""
        for log in (*(self._narrower() if self._narrower else ()), self):
            log._was_cleared = log.ever
            log.dropped = 0
            log._calls.clear()

    def clears(self, narrower: Callable[[], Iterable[Calls[C]]]) -> None:
        """Say which logs are cleared with this one."""
        self._narrower = narrower

    def add(self, call: C) -> None:
        """Write a call into the log, and wake who waits for it."""
        self._calls.append(call)
        if len(self._calls) > self._most:
            (self._drop or self.drop_oldest)()
        if self._waiters:
            self._waiters.notify()

    def keeps(self, most: int | None, drop: Callable[[], None] | None = None) -> None:
        """Keep so many calls, None is all, and have `drop` take the oldest out of this log and others."""
        self._most = inf if most is None else most
        self._drop = drop
        while len(self._calls) > self._most:
            (drop or self.drop_oldest)()

    def drop_oldest(self, call: C | None = None) -> None:
        """Keep the oldest call no longer; or a certain one, if it is among the oldest."""
        # Threads may have written theirs in another order here and there.
        for place, each in enumerate(self._calls[:8]):
            if call is None or each is call:
                del self._calls[place : place + 1]
                self.dropped += 1
                return

    async def reach(self, n: int, timeout: float) -> bool:
        """Whether there are `n` calls within `timeout` seconds of the running loop's clock."""
        if self._waiters is None:
            self._waiters = Waiters()
        return await self._waiters.until(lambda: self.total >= n, timeout)

    def _at(self, index: int) -> C:
        if not self._calls:
            raise AssertionError("there are no calls")
        return self._calls[index]


def check_named(question: str, unnamed: tuple[object, ...]) -> None:
    """Refuse what is asked of a call without saying what it is about."""
    if unnamed:
        raise UsageError(
            f"{question}({one_line(unnamed[0], 60)}): what is asked of a call has its name, as in "
            f"{question}(method='GET', url='/users', json={{...}})"
        )
