"""What an aiohttp application and a request keep to themselves: keys, runs, resolved routes, bodies.

See `_aiohttp.client`. Knows nothing of routes or stubs.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from aiohttp import StreamReader, web

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
    before = [
        (app, {name: getattr(app, name) for name in OF_A_RUN}, dict(app._state), list(exits_of(app)))
        for app in apps
    ]

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
