"""The routes of an aiohttp app, those of its sub-apps included, and how a stub names one.

Knows what `web.UrlDispatcher` documents. Knows nothing of stubs, requests or servers.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from aiohttp import hdrs, web
from aiohttp.abc import AbstractView
from yarl import URL

from .._matching.urls import NAMED, PLACEHOLDER
from .._messages.exceptions import UsageError
from .._messages.wording import join_names, one_line

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["AppRoute", "NamedRoute", "named_route", "routes_at", "routes_of"]

SHOWN_ROUTES = 3


@dataclass(frozen=True, slots=True)
class NamedRoute:
    """A route of an app by its name; see `named_route`."""

    name: str

    def __str__(self) -> str:
        return f"named_route({self.name!r})"


def named_route(name: str) -> NamedRoute:
    """A route of the app under test, by the name that its resource has, to be stubbed.

    `client.stubs.get(named_route("user-detail"))`; routes of sub-apps are named by their own name.
    """
    if not isinstance(name, str):
        raise UsageError(f"a route is named by a str; got {one_line(name)}")
    return NamedRoute(name)


@dataclass(frozen=True, slots=True)
class AppRoute:
    """One route of an app: a method, or `*`, of a resource.

    `path` is the whole path, prefixes of sub-apps included, as `canonical` has it: `/users/{id}`.
    """

    route: web.AbstractRoute
    resource: web.AbstractResource

    @property
    def path(self) -> str:
        return self.resource.canonical or "/"

    @property
    def name(self) -> str | None:
        return self.resource.name

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that it answers; none for any."""
        if self.route.method != hdrs.METH_ANY:
            return (self.route.method,)
        handler = self.route.handler
        if isinstance(handler, type) and issubclass(handler, AbstractView):
            return tuple(sorted(method for method in hdrs.METH_ALL if hasattr(handler, method.lower())))
        return ()

    def answers(self, methods: Sequence[str]) -> bool:
        """Whether it answers one of `methods`; none are any."""
        own = self.methods
        return not methods or not own or not set(methods).isdisjoint(own)

    def is_at(self, path: str) -> bool:
        """Whether a path is the one that it is registered under; a regex of a placeholder may be left out."""
        if path == self.path:
            return True
        return PLACEHOLDER.sub(without_regex, path) == self.path

    def serves(self, path: str) -> bool:
        """Whether a concrete path may be one of its own."""
        info = self.resource.get_info()
        # aiohttp compared the path as it is on the wire before 3.11, and as decoded as is safe since.
        url = URL.build(scheme="http", host="app", path=path, encoded="%" in path)
        spellings = {url.raw_path, url.path_safe}
        if "pattern" in info:
            return any(info["pattern"].fullmatch(each) is not None for each in spellings)
        if "directory" in info:
            return any(each == self.path or each.startswith(f"{self.path}/") for each in spellings)
        return self.path in spellings


def without_regex(placeholder: re.Match[str]) -> str:
    """`{name}` for `{name:regex}`."""
    found = NAMED.fullmatch(placeholder[0])
    return f"{{{found[1]}}}" if found else placeholder[0]


def routes_of(app: web.Application) -> Iterator[AppRoute]:
    """The routes of an app and of all its sub-apps, in order of addition."""
    for resource in app.router.resources():
        sub_app = resource.get_info().get("app")
        if sub_app is not None:
            yield from routes_of(sub_app)
        else:
            yield from (AppRoute(route, resource) for route in resource)


def routes_at(
    app: web.Application, methods: Sequence[str], place: str | NamedRoute
) -> tuple[list[AppRoute], bool]:
    """The routes that a stub of `place` is for, and whether that is one of many paths that they serve.

    `place` is a path as registered, a concrete one, or a name. `methods` are upper case, none for any.

    Raises:
        UsageError: the app has none; the text has the nearest.
    """
    routes = list(routes_of(app))
    if isinstance(place, NamedRoute):
        here, is_concrete = [route for route in routes if route.name == place.name], False
        if len({route.path for route in here}) > 1:
            paths = join_names(dict.fromkeys(route.path for route in here))
            raise UsageError(f"{place} is the name of several routes; stub one by its path: {paths}")
    else:
        here, is_concrete = [route for route in routes if route.is_at(place)], False
        if not here:
            here, is_concrete = [route for route in routes if route.serves(place)], True
    found = [route for route in here if route.answers(methods)]
    if not found:
        raise UsageError(explain_absent(methods, place, here or routes, routes))
    return found, is_concrete


def explain_absent(
    methods: Sequence[str], place: str | NamedRoute, candidates: Iterable[AppRoute], every: Sequence[AppRoute]
) -> str:
    """That the app has no such route, and the nearest of those it has."""
    asked = f"{'|'.join(methods) or '*'} {place}"
    if not every:
        return f"the app has no route {asked}; it has no routes at all"
    wanted = place.name if isinstance(place, NamedRoute) else place
    by_path: dict[tuple[str, str | None], list[str]] = {}
    for route in candidates:
        by_path.setdefault((route.path, route.name), []).extend(route.methods or ("*",))

    def likeness(key: tuple[str, str | None]) -> float:
        other = (key[1] or "") if isinstance(place, NamedRoute) else key[0]
        return SequenceMatcher(None, wanted, other).ratio()

    nearest = sorted(by_path, key=likeness, reverse=True)[:SHOWN_ROUTES]
    lines = [
        f"  {'|'.join(sorted(set(by_path[path, name])))} {path}" + (f'  "{name}"' if name else "")
        for path, name in nearest
    ]
    return "\n".join([f"the app has no route {asked}; nearest of {len(every)}:", *lines])
