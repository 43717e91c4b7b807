"""The table of all routes of a router: which of them answers a request, and what is nearest if none does.

Decides without acting: no I/O, nothing patched. Knows patterns and the routes' index. Knows nothing of what
is answered.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cached_property, partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from .._asyncio.lifespan import end_lives_soon
from .._http.body import MOST_KEPT
from .._matching.urls import UrlRegex
from .._reports.near_misses import Near, explain_miss, nearest
from .calls import Calls
from .index import Index
from .route import Hit

if TYPE_CHECKING:
    import asyncio
    import re
    from collections.abc import Callable, Iterable, Mapping

    from .._asyncio.lifespan import Lifespan
    from .._http.call import Call, Tunnel
    from .._http.request import Origin, Request
    from .._matching.request_pattern import RequestPattern
    from .handler_errors import HandlerError
    from .route import Route, RouteState, StalledCall

__all__ = ["KEEP", "Finder", "Miss", "Scope", "Table"]


class Candidate(NamedTuple):
    """A route whose method and URL match a request, and what it captures of the URL.

    `is_sure` says that nothing else is asked.
    """

    route: Route
    is_sure: bool
    captures: Mapping[str, str]

    @classmethod
    def of(cls, route: Route, request: Request) -> Candidate:
        """A route as a candidate for a request."""
        pattern = route.pattern
        return cls(route, not pattern.option_names and not pattern.query_pairs, pattern.captures(request))


class TableState(NamedTuple):
    """What a scope restores of a table: each route has its number in order of addition."""

    routes: dict[Route, tuple[int, RouteState]]
    mounts: dict[Route, Table]
    passthrough: list[RequestPattern]
    discarded: list[Route]


class Scope:
    """What a table, and those mounted in it, were at one time."""

    def __init__(self, table: Table) -> None:
        self._before = [(each, each.snapshot()) for each in table.reached()]

    @property
    def present(self) -> set[int]:
        """The identities of what is in the tables now."""
        return {id(each) for table, _ in self._before for each in (*table.routes, *table.passthrough)}

    def adopt(self, present: set[int]) -> None:
        """Have what came since stay when the tables are restored."""
        for table, state in self._before:
            with table.lock:
                for route, number in table.routes.items():
                    if id(route) not in present and route not in state.routes:
                        state.routes[route] = number, route.snapshot()
                        if route in table.mounts:
                            state.mounts[route] = table.mounts[route]
                known = present | set(map(id, state.passthrough))
                state.passthrough.extend(each for each in table.passthrough if id(each) not in known)

    def end_apps(self) -> None:
        """End the apps that were mounted since, while the routes are there that they may call."""
        for table, state in self._before:
            added = [route for route in table.lives if route not in state.routes]
            end_lives_soon([table.lives.pop(route) for route in added])

    def restore(self, *, with_debts: bool = False) -> None:
        """Make the tables what they were.

        The calls stay, and so do the debts: a route that was added since is `discarded`. With `with_debts`
        it is not, and whom its gate holds is let go.
        """
        for table, state in reversed(self._before):
            table.restore(state)
            if with_debts:
                for route in table.discarded[len(state.discarded) :]:
                    if route.gate is not None:
                        route.gate.release()
                table.discarded = state.discarded


@dataclass(frozen=True)
class Miss:
    """No route answers a request; `table` is where it was looked for."""

    request: Request
    table: Table

    @property
    def nearest(self) -> list[Near[Route]]:
        """The three routes nearest to the request, each with its mismatches; the nearest first."""
        return nearest(self.request, self.table.compared_with(self.request))

    def explain(self) -> str:
        """What was asked, and the routes nearest to it with what differs in each, as at the first asking."""
        return self._report

    @cached_property
    def _report(self) -> str:
        # Once, for the client and for the test: it takes time, and the routes may have changed since.
        return explain_miss(self.request, self.table.compared_with(self.request))

    def record(self, call: Call[Route]) -> None:
        """Keep it for the test."""
        call.keep_body = self.table.keep_body
        self.table.misses.append(self)
        self.table.calls.add(call)


KEEP = 1000
"""Calls that are kept where nobody says so."""

FEW = 16
MOST_KNOWN = 4096


class Table:
    """What a router and the routers under its prefixes have in common: all routes, all calls.

    `routes` has each route, exhausted ones too, with its number in order of addition. `calls` has every call,
    also those that no route answered. `discarded` are routes that a scope took back, which still ought to
    have been called. Whoever changes a route or the table holds its `lock`.
    """

    # What every table begins with; nearly every test has one of its own.
    is_out_of_reach = False
    """Whether all clients are, as those of an upstream with a table of its own."""
    fails_connections = False
    """Whether there is, or was, an answer that may have to be given where the client connects."""
    releases_stalled = False
    """Whether no fault may keep a client waiting any more."""
    asked: Calls[Any] | None = None
    """What was asked of whom the routes are for, where that is more than they answer: of an app."""
    doors = 0
    keep_body: float = MOST_KEPT
    _added = 0
    _index: Index[Route] | None = None
    _named: Named | None = None

    def __init__(self) -> None:
        self.lock: threading.RLock = threading.RLock()
        self.calls: Calls[Call[Route]] = Calls()
        self.calls.clears(partial(self.narrower_logs, self.calls))
        self.calls.keeps(KEEP, self.drop_oldest_call)
        self.routes: dict[Route, int] = {}
        self.discarded: list[Route] = []
        self.passthrough: list[RequestPattern] = []
        self.mounts: dict[Route, Table] = {}
        self.lives: dict[Route, Lifespan[Any]] = {}
        self.misses: list[Miss] = []
        self.tunnels: list[Tunnel] = []
        self.handler_errors: list[HandlerError] = []
        self.tasks: set[asyncio.Task[None]] = set()
        """The answers that are being given now."""
        self.waiting: dict[asyncio.Task[None], StalledCall] = {}
        """The clients that a fault keeps waiting, by the task that has to be cancelled to end that."""
        self._known: dict[tuple[str, str, Origin], tuple[Candidate, ...]] = {}

    def find(self, request: Request) -> Hit | Miss:
        """The route that answers `request`, or what is nearest; `request.match_info` has its captures."""
        for route, is_sure, captures in self.candidates(request):
            if is_sure or route.pattern.matches(request.without_body() if route.is_early else request):
                if route in self.mounts:
                    outcome = self.mounts[route].find(request)
                    if isinstance(outcome, Hit):
                        return Hit(outcome.route, route)
                    continue
                if captures:
                    request.capture(captures)
                return Hit(route)
        return Miss(request, self)

    def find_early(
        self, request: Request, is_early: Callable[[Route], bool] = attrgetter("answers_early")
    ) -> Hit | Miss | None:
        """The route that answers a request of which only the head has come.

        None where the body has to be awaited: to tell the routes apart, or because the answer does so, which
        `is_early` tells of a route.
        """
        for route, is_sure, captures in self.candidates(request):
            if route.pattern.needs_body and not route.is_early:
                if route.pattern.matches_head(request):
                    return None
            elif is_sure or route.pattern.matches(request):
                if route in self.mounts:
                    outcome = self.mounts[route].find_early(request, is_early)
                    if isinstance(outcome, Miss):
                        continue
                    return outcome and Hit(outcome.route, route)
                if captures:
                    request.capture(captures)
                return Hit(route) if is_early(route) else None
        return Miss(request, self)

    def reached(self) -> list[Table]:
        """This table, and those that are mounted in it."""
        reached: list[Table] = [self]
        for table in self.mounts.values():
            reached += table.reached()
        # One may be mounted in several places.
        return list(dict.fromkeys(reached))

    def compared_with(self, request: Request) -> list[Route]:
        """The routes that a request was compared with; of a mounted router that it is for, that one's."""
        found: list[Route] = []
        for route in tuple(self.routes):
            is_within = route in self.mounts and route.pattern.matches(request)
            found += self.mounts[route].compared_with(request) if is_within else [route]
        return found

    def candidates(self, request: Request) -> tuple[Candidate, ...]:
        """The routes that may answer `request`, newest first.

        Remembered for each method and URL until the routes change: most calls of a test repeat another.
        """
        key = (request.method, request.target, request.origin)
        known = self._known.get(key)
        if known is None:
            with self.lock:
                found = [
                    Candidate.of(route, request)
                    for route in self._filed(request)
                    if route.pattern.matches_line(request)
                ]
                if len(self._known) >= MOST_KNOWN:
                    self._known.clear()
                known = self._known[key] = tuple(found)
        return known

    @property
    def named(self) -> Named:
        """What the routes' URLs name."""
        named = self._named
        if named is None:
            with self.lock:
                urls = [route.pattern.url for route in self.routes]
            named = self._named = Named(
                frozenset(place for url in urls if url.origin is not None for place in url.origin.places),
                tuple({url.regex for url in urls if isinstance(url, UrlRegex)}),
            )
        return named

    def add(self, route: Route) -> None:
        """Put a route on top."""
        with self.lock:
            self._added += 1
            self.routes[route] = self._added
            if self._index is not None:
                self._index.add(route, route.pattern, self._added)
            self._changed()

    def remove(self, route: Route) -> None:
        """Take a route out, if it is there."""
        with self.lock:
            if self.routes.pop(route, None) is not None:
                self.mounts.pop(route, None)
                if self._index is not None and not route.exhausted:
                    self._index.remove(route)
                self._changed()

    def withdraw(self, route: Route) -> None:
        """Stop offering a route that is exhausted."""
        with self.lock:
            if route in self.routes:
                # One that was found before it was exhausted is taken, and comes here, twice.
                if self._index is not None and route in self._index:
                    self._index.remove(route)
                self._changed()

    def reinstate(self, route: Route) -> None:
        """Offer a route that was exhausted again, in its old place."""
        with self.lock:
            if route in self.routes:
                if self._index is not None:
                    self._index.add(route, route.pattern, self.routes[route])
                self._changed()

    def narrower_logs(self, log: Calls[Call[Route]]) -> list[Calls[Call[Route]]]:
        """The logs that have a part of the calls of `log`: of its routes, and of routers under a prefix."""
        routes = {*self.routes, *self.discarded, *(call.route for call in log if call.route is not None)}
        logs = [route.logs for route in routes if log in route.logs]
        return [narrower for each in logs for narrower in each[: each.index(log)]]

    def drop_oldest_call(self) -> None:
        """Keep the oldest call no longer, in no log."""
        for call in self.calls[:1]:
            for route in (call.route, *self.mounts):
                if route is not None and route.logs[-1] is self.calls:
                    for log in route.logs[:-1]:
                        log.drop_oldest(call)
            self.calls.drop_oldest()

    def snapshot(self) -> TableState:
        """What it is now."""
        with self.lock:
            routes = {route: (number, route.snapshot()) for route, number in self.routes.items()}
            return TableState(routes, dict(self.mounts), list(self.passthrough), list(self.discarded))

    def restore(self, state: TableState) -> None:
        """Be again as it was."""
        with self.lock:
            for route in [route for route in self.routes if route not in state.routes]:
                self.remove(route)
                self.discarded.append(route)
            if len(self.routes) != len(state.routes):
                # Routes come back, each to its old place.
                self.routes = {route: number for route, (number, _) in state.routes.items()}
                self._index = None
            for route, (_, route_state) in state.routes.items():
                route.restore(route_state)
            self.mounts = state.mounts
            self.passthrough = state.passthrough
            self._changed()

    def _changed(self) -> None:
        """Forget what was found out of the routes as they were."""
        self._known.clear()
        self._named = None

    def _filed(self, request: Request) -> Iterable[Route]:
        """The routes to look at, newest first. A few are looked at one by one; more are worth an index."""
        if self._index is None:
            if len(self.routes) <= FEW:
                return [route for route in reversed(self.routes) if not route.exhausted]
            self._index = Index()
            for route, order in self.routes.items():
                if not route.exhausted:
                    self._index.add(route, route.pattern, order)
        return self._index.candidates(request)


class Named(NamedTuple):
    """What routes name in their URLs: hosts with their ports, and regexes."""

    places: frozenset[tuple[str, int]]
    regexes: tuple[re.Pattern[str], ...]


class Finder(Protocol):
    """What looks a request up: a router, or several in turn."""

    def find(self, request: Request) -> Hit | Miss:
        """The route that answers `request`, or what is nearest."""
        ...

    def find_early(self, request: Request) -> Hit | Miss | None:
        """The route that answers a request of which only the head has come; None if the body is needed."""
        ...

    def find_at_connect(self, request: Request) -> Hit | Miss | None:
        """The route that may have to answer where the client connects, by the head of its request."""
        ...

    @property
    def fails_connections(self) -> bool:
        """Whether `find_at_connect` may find something."""
        ...

    def add_tunnel(self, tunnel: Tunnel) -> None:
        """Keep a tunnel that a client asked for."""
        ...

    def failed(self, error: HandlerError) -> None:
        """Keep an error of the user's code for the test."""
        ...
