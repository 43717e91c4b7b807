"""What is registered: the kit's routes that stand for it, and what happens to requests that none answers."""

from __future__ import annotations

import difflib
from ipaddress import ip_address
from typing import TYPE_CHECKING

from ... import Hit, Router
from .._open_mocks import others_claim
from .compat import normalize_host

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Collection, Iterable

    from yarl import URL

    from ... import Miss, Origin, Request, Route

__all__ = ["MockResponse", "Registered", "Registrations", "diagnosis"]


class Registrations(Router):
    """The routes of one `aiointercept`. Requests that they do not answer are dropped, unless other mocks do.

    `drop` answers such a request. `let_out` has the hosts whose requests go to the network instead; with
    `lets_rest_out` all requests do. `relayed` has a route for each origin whose unmatched requests are
    relayed to the real server, so that they are recorded.
    """

    def __init__(
        self, drop: Callable[[Request], object], let_out: Collection[str], lets_rest_out: bool
    ) -> None:
        super().__init__(keep=None, keep_body=None)
        self.relayed: dict[Origin, Route] = {}
        self._dropped = self.unlisted().reply(drop)
        self._let_out = let_out
        self._lets_rest_out = lets_rest_out

    def find(self, request: Request) -> Hit | Miss:
        """The route that answers, or the one for what is left over, which gives way to other mocks."""
        outcome = super().find(request)
        if isinstance(outcome, Hit):
            return outcome
        return Hit(self.relayed.get(request.origin, self._dropped), yields=True)

    def claims(self, request: Request) -> bool:
        """Whether something is registered for a request, or it has to be relayed."""
        return super().claims(request) or request.origin in self.relayed

    def names(self, request: Request) -> bool:
        """Whether a request to this machine is answered here.

        As in aiointercept, names such as localhost are intercepted whatever is registered, and addresses are
        not: an app under test is reached by its address.
        """
        if is_address(request.origin.host) or self._lets_rest_out:
            return super().names(request)
        return not self._names_let_out(request)

    def lets_out(self, request: Request) -> bool:
        """Whether a request goes to the network: its host is to be let out, and no mock stubs it."""
        return self._names_let_out(request) and not others_claim(self, request)

    @property
    def lets_some_out(self) -> bool:
        """Whether some host is to be let out."""
        return bool(self._let_out)

    def _names_let_out(self, request: Request) -> bool:
        return normalize_host(request.origin.host) in self._let_out


def is_address(host: str) -> bool:
    """Whether a host is an IP address."""
    try:
        return bool(ip_address(host))
    except ValueError:
        return False


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
