"""What is registered: the routes of the kit that stand for it, and how often each was used."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import re
    from collections.abc import Callable

    from yarl import URL

    from ... import Request, Route, Router

__all__ = ["MockResponse", "Registered"]


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
