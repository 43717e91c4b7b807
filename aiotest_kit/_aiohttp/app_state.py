"""What an aiohttp application and a request keep to themselves: keys, runs, resolved routes, bodies.

See `_aiohttp.client`. Knows nothing of routes or stubs.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, cast
from weakref import WeakKeyDictionary

from aiohttp import StreamReader, web, web_urldispatcher

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator


__all__ = [
    "Resolve",
    "apps_of",
    "installed_resolve",
    "leave_as_before",
    "read_again",
    "replace_resolve",
    "runs",
    "set_match_info",
    "state_of",
]


Resolve: TypeAlias = "Callable[[web.Request], Awaitable[web.UrlMappingMatchInfo]]"


def state_of(app: web.Application) -> dict[Any, Any]:
    """What `app[key]` is kept in. Unlike the app it takes values while the app runs."""
    return app._state


OF_A_RUN = ("_loop", "_frozen", "_debug")
"""Attributes of an application that its start sets."""


def apps_of(app: web.Application) -> Iterator[web.Application]:
    """An app, and all its sub-apps."""
    yield app
    for sub_app in app._subapps:
        yield from apps_of(sub_app)


def runs(app: web.Application) -> bool:
    """Whether an app was started on a loop that is still there, and perhaps runs."""
    return app._loop is not None and not app._loop.is_closed()


def leave_as_before(apps: Iterable[web.Application]) -> Callable[[], None]:
    """Make apps ready to start, on another loop than before too; returns what puts them back as they are.

    What cannot be taken back, because aiohttp's lists cannot be thawed, starts a second time as it is.
    """
    root, *_ = every = list(apps)
    before = [
        (app, {name: getattr(app, name) for name in OF_A_RUN}, dict(app._state), list(exits_of(app)))
        for app in every
    ]
    mend_prefixes(root)

    def put_back() -> None:
        for app, attributes, state, exits in before:
            vars(app).update(attributes)
            app._state.clear()
            app._state.update(state)
            exits_of(app)[:] = exits

    for app, _, _, _ in before:
        vars(app).update(_loop=None, _frozen=False)
        exits_of(app).clear()
    return put_back


class Prefixed(NamedTuple):
    """A sub-app as a parent has left it: the prefix of that parent, and the paths with it."""

    prefix: str
    paths: list[str]


last_parents: WeakKeyDictionary[web.Application, Prefixed] = WeakKeyDictionary()


def mend_prefixes(app: web.Application) -> None:
    """Have the resources of sub-apps be below the prefix of this app, if another parent had them before.

    `add_subapp` puts its prefix before what is there: for a sub-app that was added to an earlier parent,
    which is over, that is the prefix of that parent.
    """
    for resource in prefixed_sub_apps(app):
        sub_app, prefix = resource._app, resource._prefix
        before = last_parents.get(sub_app)
        if before is not None:
            paths = paths_of(sub_app)
            if paths == [prefix + path for path in before.paths]:
                change_prefix(sub_app, prefix + before.prefix, prefix)
            elif paths == before.paths:
                change_prefix(sub_app, before.prefix, prefix)
        last_parents[sub_app] = Prefixed(prefix, paths_of(sub_app))


def prefixed_sub_apps(app: web.Application) -> Iterator[web_urldispatcher.PrefixedSubAppResource]:
    """The resources of an app that lead to its sub-apps by a prefix of the path."""
    for resource in app.router.resources():
        if type(resource) is web_urldispatcher.PrefixedSubAppResource:
            yield resource


def paths_of(app: web.Application) -> list[str]:
    """The paths of an app's resources."""
    return [resource.canonical for resource in app.router.resources()]


def change_prefix(app: web.Application, old: str, new: str) -> None:
    """Replace the prefix of the paths of an app, and of those of its own sub-apps."""
    if old != new:
        for resource in app.router.resources():
            change_path(app, resource, lambda resource: remove_prefix(resource, old))
            change_path(app, resource, lambda resource: resource.add_prefix(new))


def change_path(app: web.Application, resource: Any, change: Callable[[Any], None]) -> None:
    """Change the path of a resource, by which the app's router finds it."""
    app.router.unindex_resource(resource)
    change(resource)
    app.router.index_resource(resource)


def remove_prefix(resource: Any, prefix: str) -> None:
    """Undo `resource.add_prefix(prefix)`."""
    if isinstance(resource, web.PlainResource):
        resource._path = resource._path.removeprefix(prefix)
    elif isinstance(resource, web.DynamicResource):
        resource._pattern = re.compile(resource._pattern.pattern.removeprefix(re.escape(prefix)))
        resource._formatter = resource._formatter.removeprefix(prefix)
    elif isinstance(resource, web_urldispatcher.PrefixResource):
        resource._prefix = resource._prefix.removeprefix(prefix)
        if isinstance(resource, web_urldispatcher.PrefixedSubAppResource):
            for below in resource._app.router.resources():
                change_path(resource._app, below, lambda below: remove_prefix(below, prefix))


def exits_of(app: web.Application) -> list[Any]:
    """What is left to do of the app's cleanup contexts."""
    return app.cleanup_ctx._exits


def installed_resolve(app: web.Application) -> object:
    """What resolves the requests of an app in the place of its router, None if nothing does."""
    return vars(app.router).get("resolve")


def replace_resolve(app: web.Application, function: Resolve | None) -> Resolve:
    """Install what resolves the requests of an app, None for its router's own; returns what did before."""
    before = app.router.resolve
    if function is None:
        vars(app.router).pop("resolve", None)
    else:
        vars(app.router)["resolve"] = function
    return cast("Resolve", before)


def set_match_info(request: web.Request, match_info: web.UrlMappingMatchInfo) -> None:
    """Say how a request was resolved, as `Application._handle` does."""
    request._match_info = match_info


def read_again(request: web.Request, data: bytes) -> None:
    """Let the body of a request, which was read from its `content`, be read once more."""
    # The limit is what may wait before the connection is paused; this does not come from there.
    content = StreamReader(request.protocol, len(data) + 1, loop=asyncio.get_running_loop())
    content.feed_data(data)
    content.feed_eof()
    request._payload = content
    request._cache.pop("content", None)
