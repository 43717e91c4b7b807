"""Why no route answered, and which routes never did: ranked near misses, as text.

Pure functions of requests and routes. Knows what a match asks and how a report looks. Knows nothing of how
routes are found, or of the test that the report will fail.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from .._matching.urls import PLACEHOLDER
from .._messages.masking import without_secrets
from .._messages.wording import counted, one_line
from .hints import hints
from .secrets import learn_pattern, learn_request
from .text import cells, columns, explain_mismatches

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from .._http.request import Request
    from .._matching.request_pattern import RequestPattern
    from .._matching.values import Mismatch

__all__ = ["Came", "Explained", "Near", "explain_miss", "explain_not_called", "explain_unused", "nearest"]

SHOWN_MISMATCHES = 6
SHOWN_SPENT = 3
SHOWN_UNUSED = 20
# Of a long log the end is searched for requests near to a route that was not called.
SEARCHED_REQUESTS = 1000

# How far away a request is in each respect. What it carries never outweighs the method, nor that the URL.
METHOD = 10.0
SAME_HOST = 5.0
OTHER_HOST = 20.0
OTHER_PATH = 20.0  # twice that, if it has no letter in common
OTHER_URL = 30.0
CONTENT_AT_MOST = 9.0
UNKNOWN = 3.0
# A request that is further away does not help to explain why a route was not called.
FAR = 30.0


class Explained(Protocol):
    """What a report says of a route."""

    @property
    def pattern(self) -> RequestPattern:
        """What it answers."""
        ...

    @property
    def name(self) -> str | None:
        """The name that its user gave it."""
        ...

    @property
    def location(self) -> str:
        """Where it was made, `file:line`."""
        ...

    @property
    def replied(self) -> int:
        """How often it has answered."""
        ...

    @property
    def capacity(self) -> int | None:
        """How often it may answer; None is for ever."""
        ...

    @property
    def exhausted(self) -> bool:
        """Whether it has answered as often as it may."""
        ...


class Came(Protocol):
    """What a report says of a call: what was asked, and the route that answered it, if one did."""

    @property
    def request(self) -> Request:
        """What was asked."""
        ...

    @property
    def answered_by(self) -> Explained | None:
        """The route that answered it; None where none did, or an app did by itself."""
        ...


R = TypeVar("R", bound=Explained)


@dataclass(frozen=True, slots=True)
class Near(Generic[R]):
    """A route beside a request: what differs, none if it matches.

    `error` is what a predicate or an `==` raised, which ended the comparison: it was asked of a request
    that other differences had kept from it.
    """

    route: R
    request: Request
    mismatches: tuple[Mismatch, ...]
    error: Exception | None = None

    @property
    def is_match(self) -> bool:
        """Whether nothing differs."""
        return not self.mismatches and self.error is None

    @property
    def distance(self) -> float:
        """How far apart they are, 0 for a match."""
        content = sum(1.0 for mismatch in self.mismatches if mismatch.part not in ("method", "url"))
        content += UNKNOWN if self.error else 0
        line = [mismatch for mismatch in self.mismatches if mismatch.part in ("method", "url")]
        return line_distance(self.request, self.route, line) + min(content, CONTENT_AT_MOST)


def compared(request: Request, route: R) -> Near[R]:
    """A request beside a route; what a user's predicate raises is kept, because a report must come."""
    mismatches: list[Mismatch] = []
    try:
        mismatches.extend(route.pattern.differences(request))
    except Exception as error:
        return Near(route, request, tuple(mismatches), error)
    return Near(route, request, tuple(mismatches))


def line_mismatches(request: Request, route: Explained) -> Iterator[Mismatch]:
    """The differences in the method and the URL."""
    for part in route.pattern.parts[:2]:
        yield from part.differences(request)


def line_distance(request: Request, route: Explained, mismatches: Iterable[Mismatch]) -> float:
    """How far apart a request and a route are by differences in the method and the URL."""
    distance = 0.0
    for mismatch in mismatches:
        origin = route.pattern.url.origin
        if mismatch.part == "method":
            distance += METHOD
        elif mismatch.path == "origin" and origin:
            distance += SAME_HOST if origin.matches_host(request.origin.host) else OTHER_HOST
        elif mismatch.path == "path":
            # quick_ratio() compares the letters and not their order, in a fifth of the time of ratio().
            literal = PLACEHOLDER.sub("", str(mismatch.expected))
            alike = SequenceMatcher(None, literal, str(mismatch.actual)).quick_ratio()
            distance += OTHER_PATH * (2 - alike)
        else:
            distance += OTHER_URL
    return distance


def nearest(request: Request, routes: Iterable[R], limit: int = 3) -> list[Near[R]]:
    """The routes nearest to a request, the nearest first and the newest of equals first.

    `routes` are in order of addition. What counts most is the path, then the host, then the method, then
    how much of the rest differs.
    """
    return ranked([(request, route) for route in routes], limit)


def ranked(pairs: Sequence[tuple[Request, R]], limit: int) -> list[Near[R]]:
    """The pairs whose distance is least, the later of equals first."""
    bounds = sorted(
        (line_distance(request, route, line_mismatches(request, route)), -index)
        for index, (request, route) in enumerate(pairs)
    )
    best: list[tuple[float, int, Near[R]]] = []
    for bound, index in bounds:
        # The rest of a request, which is costly to compare, only makes it more distant.
        if len(best) == limit and bound > best[-1][0]:
            break
        near = compared(*pairs[-index])
        best = sorted([*best, (near.distance, index, near)], key=lambda entry: entry[:2])[:limit]
    return [near for _, _, near in best]


# ---- the reports ----


def explain_miss(request: Request, routes: Iterable[R], limit: int = 3) -> str:
    """Why no route answered a request: the nearest ones with what differs, and those that are spent.

    `routes` are all there are, in order of addition.
    """
    every = list(routes)
    lines = [f"no route answered {asked(request)}"]
    if not every:
        return "\n".join([*lines, "  there are no routes"])
    spent = [route for route in every if route.exhausted and compared(request, route).is_match]
    used_up = {id(route) for route in spent}
    near = nearest(request, [route for route in every if id(route) not in used_up], limit)
    if near:
        lines.append(f"  nearest of {counted(len(every), 'route')}:")
        notes = [
            ["it matches now: it was added or changed since"] if entry.is_match else [] for entry in near
        ]
        lines += listed([entry.route for entry in near], near, notes)
    lines += [f"  spent: {spent_route(route)}" for route in reversed(spent[-SHOWN_SPENT:])]
    if len(spent) > SHOWN_SPENT:
        lines.append(f"  and {len(spent) - SHOWN_SPENT} more that are spent")
    return "\n".join(lines)


def explain_unused(routes: Iterable[R], calls: Sequence[Came] = ()) -> str:
    """Which routes were never called, and for each the nearest of the calls that came."""
    unused, came = list(routes), calls[-SEARCHED_REQUESTS:]
    lines = [f"{counted(len(unused), 'route')} {'was' if len(unused) == 1 else 'were'} never called"]
    named = unused[:SHOWN_UNUSED]
    near = [nearest_request(route, came) for route in named]
    lines += listed(named, near, [came_nearest(entry, came) for entry in near])
    if len(unused) > len(named):
        lines.append(f"  and {len(unused) - len(named)} more")
    if not came:
        lines.append("  there were no requests")
    return "\n".join(lines)


def explain_not_called(route: Explained, calls: Sequence[Came]) -> str:
    """What came nearest to a route that was not called, and how it differs; nothing where all is far away."""
    came = calls[-SEARCHED_REQUESTS:]
    near = nearest_request(route, came)
    if near is None:
        return ""
    learn_pattern(route.pattern)
    learn_request(near.request)
    differences = explain_mismatches(near.mismatches[:SHOWN_MISMATCHES]).splitlines()
    return "".join(
        [
            *(f"\n  {line}" for line in came_nearest(near, came)),
            *(f"\n       {line}" for line in (*differences, *remarks_on(near))),
        ]
    )


def nearest_request(route: R, calls: Iterable[Came]) -> Near[R] | None:
    """The request nearest to a route, the latest of equals; None if all are far away."""
    found = ranked([(call.request, route) for call in calls], 1)
    return found[0] if found and found[0].distance <= FAR else None


def listed(
    routes: Sequence[Explained], near: Sequence[Near[R] | None], notes: Sequence[list[str]]
) -> Iterator[str]:
    """Numbered routes, each with its notes and with what differs; the columns run through all of them."""
    for route in routes:
        learn_pattern(route.pattern)
    for request in {id(entry.request): entry.request for entry in near if entry}.values():
        learn_request(request)
    shown_of = [entry.mismatches[:SHOWN_MISMATCHES] if entry else () for entry in near]
    table = columns([cells(mismatch) for mismatches in shown_of for mismatch in mismatches])
    rows = zip(titles(routes), near, shown_of, notes, strict=True)
    for number, (title, entry, mismatches, own) in enumerate(rows, 1):
        yield f"  {number}. {title}"
        differences, table = table[: len(mismatches)], table[len(mismatches) :]
        remarks = remarks_on(entry) if entry else ()
        yield from (f"       {line}" for line in (*own, *differences, *remarks))


def titles(routes: Sequence[Explained]) -> list[str]:
    """Each route's method and URL, name and location, in columns."""
    width = max(len(method_of(route)) for route in routes) if routes else 0
    return columns(
        [
            (
                f"{method_of(route):<{width}} {without_secrets(route.pattern.url.text)}",
                f'"{route.name}"' if route.name else "",
                route.location,
            )
            for route in routes
        ],
        gap="  ",
    )


def method_of(route: Explained) -> str:
    """A route's method as one writes it."""
    return str(route.pattern.parts[0])


def remarks_on(near: Near[R]) -> Iterator[str]:
    """What is to say beside the table: differences left out, errors, and likely confusions."""
    left_out = len(near.mismatches) - SHOWN_MISMATCHES
    if left_out > 0:
        yield f"and {counted(left_out, 'difference')} more"
    if near.error is not None:
        yield f"asking it raised {one_line(near.error)}"
    for hint in hints(near.request, near.route.pattern.url, near.mismatches):
        yield f"hint: {hint}"


def came_nearest(near: Near[R] | None, calls: Iterable[Came]) -> list[str]:
    """The request that came nearest to a route, and why the route did not answer it, if it matches."""
    if near is None:
        return []
    request = asked(near.request)
    if not near.is_match:
        return [f"nearest: {request}"]
    answered_by = next((call.answered_by for call in calls if call.request is near.request), None)
    if answered_by is None:
        return [f"{request} matches now, but it came before the route was added or changed"]
    if answered_by is near.route:
        return [f"{request} was its call, and has been cleared since"]
    return [f"{request} matches, but was answered by {on_one_line(answered_by)}"]


def spent_route(route: Explained) -> str:
    """A route that has answered as often as it may."""
    limit = "" if route.capacity is None else f" of {route.capacity}"
    return f"{on_one_line(route)} replied {route.replied}{limit} times"


def on_one_line(route: Explained) -> str:
    """A route with its name and its place."""
    name = f' "{route.name}"' if route.name else ""
    return f"{method_of(route)} {without_secrets(route.pattern.url.text)}{name} ({route.location})"


def asked(request: Request) -> str:
    """The method and the URL of a request."""
    return without_secrets(f"{request.method} {request.url}")
