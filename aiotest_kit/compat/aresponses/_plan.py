"""The routes of a server in order, found by host and path, and the kit's router that has them answer.

Knows whether a route will answer a request, so that other mocks can be asked if none will. Knows nothing of
what is answered.
"""

from __future__ import annotations

from collections import OrderedDict
from copy import copy
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

from ... import Hit, Router, make_request
from .._open_mocks import is_one_of_several
from ._routes import Route
from .utils import ANY, text_matches

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterator

    from aiohttp import web

    from ... import Miss, Request

__all__ = ["Plan", "PlannedRouter"]


class Place(NamedTuple):
    """Where a request goes: its `Host`, and its path without and with the query."""

    host: str
    path: str
    path_qs: str


class Plan:
    """Routes with their responses, in order of addition.

    Thousands of routes cost what one costs, if they name their host and path.
    """

    def __init__(self) -> None:
        self._numbers = count()
        self._entries: OrderedDict[int, tuple[Route, Any]] = OrderedDict()
        self._named: dict[tuple[str, str], OrderedDict[int, None]] = {}
        self._others: OrderedDict[int, None] = OrderedDict()

    def __iter__(self) -> Iterator[Route]:
        return (route for route, _ in self._entries.values())

    def add(self, route: Route, response: Any) -> None:
        """Put a route behind the others."""
        number = next(self._numbers)
        self._entries[number] = route, response
        self._filed(route)[number] = None

    def numbers(self, place: Place) -> list[int]:
        """The routes that a request has to be compared with, in order."""
        named = (self._named.get((place.host, path), ()) for path in {place.path, place.path_qs})
        return sorted([*self._others, *[number for numbers in named for number in numbers]])

    def route(self, number: int) -> Route | None:
        """A route; None if it was used up meanwhile."""
        entry = self._entries.get(number)
        return None if entry is None else entry[0]

    def is_first(self, number: int) -> bool:
        """Whether a route is the first of those that are left."""
        first: int = next(iter(self._entries))
        return first == number

    def use(self, number: int) -> Any:
        """The response of a route, which is used once, and removed if that was the last time."""
        route, response = self._entries[number]
        route.repeat -= 1
        if route.repeat <= 0:
            del self._entries[number]
            del self._filed(route)[number]
        else:
            # A response can be sent once.
            self._entries[number] = route, copy(response)
        return response

    def answers(self, request: Request, is_whole: bool) -> bool | None:
        """Whether a route answers a request; None if that is not known until the body `is_whole`.

        A route whose own rule takes time, or raises, counts as one that answers.
        """
        place = place_of(request)
        for number in self.numbers(place):
            route, _ = self._entries[number]
            matched = matches_now(route, request, place, is_whole)
            if matched is not False:
                return matched
        return False

    def _filed(self, route: Route) -> OrderedDict[int, None]:
        """The numbers among which a route's own is kept."""
        host, path = route.host_pattern, route.path_pattern
        # A route with a rule of its own may ignore the patterns.
        if type(route) is Route and isinstance(host, str) and isinstance(path, str):
            return self._named.setdefault((host, path), OrderedDict())
        return self._others


WITHOUT_ROUTES = Router()


class PlannedRouter(Router):
    """A router that has one handler answer everything, unless the plan has nothing and another mock does."""

    def __init__(
        self, plan: Plan, handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
    ) -> None:
        super().__init__(keep=None, keep_body=None)
        self._plan = plan
        self.any("*://*:*/{_:.*}").optional().serve(handler)

    def find(self, request: Request) -> Hit | Miss:
        """The handler, which gives way to other mocks where no route answers."""
        outcome = super().find(request)
        if isinstance(outcome, Hit) and is_one_of_several():
            return Hit(outcome.route, yields=not self._plan.answers(request, is_whole=True))
        return outcome

    def find_early(self, request: Request) -> Hit | Miss | None:
        """The handler, before the body has come, where it is known that a route answers."""
        outcome = super().find_early(request)
        if not is_one_of_several():
            return outcome
        answers = self._plan.answers(request, is_whole=False)
        if answers is None:
            return None
        return outcome if answers else WITHOUT_ROUTES.find_early(request)

    def claims(self, request: Request) -> bool:
        """Whether a route may answer the head of a request."""
        return not is_one_of_several() or self._plan.answers(request, is_whole=False) is not False


def place_of(request: Request) -> Place:
    """Where a request goes, as aiohttp's server says it."""
    url = request.url
    return Place(request.headers.get("Host", request.origin.netloc), url.path, str(url.relative()))


def matches_now(route: Route, request: Request, place: Place, is_whole: bool) -> bool | None:
    """Whether a route matches, without waiting; None if the body is needed and not whole."""
    if type(route) is not Route:
        return runs_to_true(route.matches(stand_alone(request))) if is_whole else None
    path = place.path_qs if route.match_querystring else place.path
    if not (
        text_matches(route.host_pattern, place.host)
        and text_matches(route.path_pattern, path)
        and text_matches(route.method_pattern, request.method.lower())
    ):
        return False
    if route.body_pattern == ANY:
        return True
    return runs_to_true(body_matches(route, request)) if is_whole else None


async def body_matches(route: Route, request: Request) -> bool:
    """Whether the body of a request is what a route wants."""
    return text_matches(route.body_pattern, request.text())


def stand_alone(request: Request) -> web.Request:
    """The request as one of aiohttp's server."""
    headers = list(request.headers.items())
    return make_request(request.method, str(request.url), data=request.content or None, headers=headers)


def runs_to_true(coroutine: Coroutine[Any, Any, bool]) -> bool:
    """Whether a coroutine returns a true value at once; True too if it raises, or has to wait."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return bool(stop.value)
    except Exception:
        return True
    coroutine.close()
    return True
