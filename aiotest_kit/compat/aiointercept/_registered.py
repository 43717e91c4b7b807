"""What is registered: the routes of the kit that stand for it, how often each was used, what was meant."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterable

    from yarl import URL

    from ... import Request, Route, Router

__all__ = ["MockResponse", "Registered", "diagnosis"]


class MockResponse:
    """One registration, as `add` returns it."""

    def __init__(self, route: Route, before: int, times: int | None) -> None:
        self._route = route
        self._before = before
        self._times = times

    @property
    def call_count(self) -> int:
        """How often it has answered."""
        calls = max(0, len(self._route.calls) - self._before)
        return calls if self._times is None else min(calls, self._times)


class Registered:
    """All registrations for one method and one URL or pattern, which answer one after the other."""

    def __init__(
        self,
        router: Router,
        method: str,
        url: URL | re.Pattern[str],
        chosen: Callable[[Request], Registered | None],
    ) -> None:
        self.route = router.route(method, url, where=lambda request: chosen(request) is self).optional()
        self.capacity = 0
        self.forever = False

    def extend(self, times: int | None) -> MockResponse:
        """Note one more; `times` None is for ever."""
        response = MockResponse(self.route, self.capacity, times)
        self.capacity += times or 0
        self.forever = times is None
        return response


def diagnosis(
    asked: tuple[str, str],
    handlers: Iterable[tuple[str, str]],
    patterns: Iterable[tuple[re.Pattern[str], str]],
) -> str:
    """Why nothing answers a URL and method, and what comes nearest of all that is registered."""
    call = f"{asked[1]} {asked[0]}"
    known = sorted(f"{method} {url}" for url, method in handlers)
    if call in known:
        return (
            f"aiointercept: no handler for {call} — all registered handlers for this method+url "
            "have already been consumed (finite repeat exhausted)"
        )
    nearest = difflib.get_close_matches(call, known, n=1, cutoff=0)
    if nearest:
        lines = "\n".join(line.rstrip() for line in difflib.ndiff([call], nearest))
        return f"aiointercept: no matching handler — closest registered (diff):\n{lines}"
    texts = sorted({pattern.pattern for pattern, _ in patterns})
    if texts:
        return f"aiointercept: no handler for {call} — no exact handlers; registered patterns: {texts}"
    return f"aiointercept: no handler for {call} — no handlers registered."
