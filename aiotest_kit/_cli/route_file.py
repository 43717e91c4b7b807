"""Routes from a file: a Python module that has a router, or JSON, validated to the field and line.

Knows routers and files. Knows nothing of servers.
"""

from __future__ import annotations

import itertools
import json
import runpy
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from .._http.json_text import load_json
from .._http.reply import Reply, ReplyOptions
from .._location import Place
from .._messages.exceptions import UsageError
from .._messages.wording import join_names, one_line
from .._routing.router import Router

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from .._routing.route import Route

__all__ = ["routes_in"]

ROUTE_FIELDS = ("method", "url", "name", "query", "headers", "cookies", "json", "form", "body", "reply")
REPLY_FIELDS = ("status", *sorted(ReplyOptions.__optional_keys__), "times")
STREAM_FIELDS = ("headers", "compress", "trailers", "delay", "times")
KINDS = {
    "redirect": ("redirect", "status", "headers", "times"),
    "forward": ("forward", "times"),
    "stream": ("stream", "status", *STREAM_FIELDS),
    "sse": ("sse", *STREAM_FIELDS),
}
"""Replies that are not a `Reply`: by the field that says so, the fields that they may have."""


def routes_in(path: Path) -> Router:
    """The routes that a file has: a `.py` with a `Router` at its top level, or a `.json`.

    JSON is a list of routes, or an object whose `routes` are one. A route has a `url`, and the keywords of
    `Router.route`; its `reply` is one or a list, each a status or the keywords of `Route.reply`, or with
    `redirect`, `forward`, `stream` or `sse`.

    Raises:
        UsageError: there is nothing to be had; says where in the file and why.
    """
    if not path.is_file():
        raise UsageError(f"{path}: there is no such file")
    if path.suffix == ".py":
        return router_in(path)
    if path.suffix == ".json":
        return router_of(path)
    raise UsageError(f"{path}: routes are in a .py or a .json file")


def router_in(path: Path) -> Router:
    """The only router at the top level of a module, or the one that is named `router`."""
    names = runpy.run_path(str(path), run_name="aiotest_kit_routes")
    named = {name: value for name, value in names.items() if isinstance(value, Router)}
    found = list({id(router): router for router in named.values()}.values())
    if "router" in named:
        return named["router"]
    if len(found) != 1:
        what = f"several: {join_names(named)}" if found else "none"
        raise UsageError(
            f"{path}: a Router is needed at its top level, as `router = Router()`; it has {what}"
        )
    return found[0]


def router_of(path: Path) -> Router:
    """A router with the routes that JSON describes."""
    text = path.read_text(encoding="utf-8")
    try:
        place = Located(str(path), text, (), load_json(text))
    except json.JSONDecodeError as exc:
        raise UsageError(f"{path}:{exc.lineno}: this is no JSON: {exc.msg} (column {exc.colno})") from exc
    if isinstance(place.value, dict):
        place.check_fields(("routes",), "the file")
        place = place.child("routes") if "routes" in place.value else place.refuse("it has no 'routes'")
    router = Router()
    for route in place.children("a list of routes"):
        add_route(router, route)
    return router


@dataclass(frozen=True)
class Located:
    """A value in a JSON file, and where it stands: `path` has the keys and indexes that lead to it."""

    file: str
    text: str
    path: tuple[str | int, ...]
    value: Any

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of an object; of anything else there are none."""
        return self.value if isinstance(self.value, dict) else {}

    def child(self, key: str | int) -> Located:
        """A value within this one."""
        return Located(self.file, self.text, (*self.path, key), self.value[key])

    def children(self, what: str) -> Iterable[Located]:
        """The items of this list."""
        if not isinstance(self.value, list):
            self.refuse(f"it is {what}; got {one_line(self.value, 60)}")
        return [self.child(index) for index in range(len(self.value))]

    def check_fields(self, allowed: Iterable[str], what: str) -> None:
        """Refuse what is no object, and a field that is not allowed."""
        if not isinstance(self.value, dict):
            self.refuse(f"{what} is an object; got {one_line(self.value, 60)}")
        for name in self.value:
            if name not in allowed:
                self.child(name).refuse(f"unknown field of {what}; fields are: {join_names(allowed)}")

    def refuse(self, why: object) -> NoReturn:
        """Say what is wrong here.

        Raises:
            UsageError: always.
        """
        shown = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in self.path).lstrip(".")
        raise UsageError(f"{self.place}: {shown + ': ' if shown else ''}{why}")

    @property
    def place(self) -> Place:
        """The file and the line."""
        return Place(self.file, self.text.count("\n", 0, position_of(self.text, self.path)) + 1)


SPACE = " \t\n\r"


def position_of(text: str, path: tuple[str | int, ...]) -> int:
    """Where in JSON a value stands; that of a field begins with its name."""
    decode = json.JSONDecoder().raw_decode

    def skip(position: int, characters: str = SPACE) -> int:
        while text[position] in characters:
            position += 1
        return position

    start = at = skip(0)
    for wanted in path:
        at = skip(at + 1)
        for index in itertools.count():  # pragma: no branch  # it is there
            start, name = at, index
            if isinstance(wanted, str):
                name, at = decode(text, at)
                at = skip(at, SPACE + ":")
            # Of a name that is there twice the last one counts, as in JSON itself; it is shown at the first.
            if name == wanted:
                break
            _, at = decode(text, at)
            at = skip(at, SPACE + ",")
    return start


def add_route(router: Router, place: Located) -> None:
    """Add the route that stands at a place."""
    place.check_fields(ROUTE_FIELDS, "a route")
    fields = dict(place.value)
    if "url" not in fields:
        place.refuse("a route needs a 'url'")
    url, replies = fields.pop("url"), fields.pop("reply", None)

    def make(method: Any = "GET", **options: Any) -> Route:
        return router.route(method, url, **options)

    route = attempt(place, "url", make, fields)
    route.place = place.place
    if isinstance(replies, list):
        for reply in place.child("reply").children("a list of replies"):
            add_reply(route, reply)
    elif replies is not None:
        add_reply(route, place.child("reply"))


def add_reply(route: Route, place: Located) -> None:
    """Add the reply that stands at a place: a status, or an object."""
    fields = {"status": place.value} if isinstance(place.value, int) else place.value
    kind = next((kind for kind in KINDS if isinstance(fields, dict) and kind in fields), None)
    if fields is place.value:
        place.check_fields(KINDS[kind] if kind else REPLY_FIELDS, f"a {kind}" if kind else "a reply")
    if kind is None:
        attempt(place, "status", partial(reply, route), fields)
    else:
        options = {name: value for name, value in fields.items() if name != kind}
        attempt(place, kind, partial(getattr(route, kind), fields[kind]), options)


def reply(route: Route, status: Any = 200, times: Any = None, **options: Any) -> Route:
    """Add a plain reply."""
    return route.reply(Reply(status, **options), times=times)


def attempt(place: Located, subject: str, make: Callable[..., Route], options: dict[str, Any]) -> Route:
    """What `make` makes with some options; what it refuses is told of the field that is to blame.

    Each option is tried by itself; without any, it is `subject`.
    """
    try:
        return make(**options)
    except UsageError as refused:
        for field, tried in ((subject, {}), *((name, {name: value}) for name, value in options.items())):
            try:
                make(**tried)
            except UsageError as exc:
                (place.child(field) if field in place.fields else place).refuse(exc)
        place.refuse(refused)
