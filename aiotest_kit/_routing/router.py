"""The table of stubbed routes as users see it: `Router`, and what looking a request up gives, `Hit | Miss`.

`Router.find` decides without acting: no I/O, no loop, nothing patched. What a hit then answers, and when, is
up to `_server.protocol`. Knows nothing of connections, sessions or pytest.
"""

from __future__ import annotations

import contextlib
from functools import partial
from hashlib import sha256
from math import inf
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from .._http.body import MOST_KEPT
from .._matching.request_pattern import MatchOptions, RequestPattern
from .._matching.urls import checked_prefix, depth_of, join_prefix, tail_of, under, url_pattern
from .._messages.exceptions import UsageError
from .._messages.wording import counted, one_line
from .._responders.mount import mounted
from .._transport.socket_info import CERTIFICATE
from .arguments import handshake_headers, merged, of_a_verb, pattern_of, plain_pattern
from .assertions import Asserted
from .calls import Calls
from .route import Hit, Route
from .table import KEEP, Miss, Scope, Table
from .websocket_route import WebSocketRoute, websocket_options

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from aiohttp import web
    from typing_extensions import Unpack
    from yarl import URL

    from .._asyncio.lifespan import Lifespan
    from .._http.call import Call, Tunnel
    from .._http.request import Request
    from .._matching.urls import UrlLike
    from .._responders.asgi_app import AsgiApplication
    from .handler_errors import HandlerError
    from .route import StalledCall

__all__ = ["Router"]


class Router(Asserted["Call[Route]"]):
    """The table of stubbed routes, behind every door.

    Of the routes that match a request, the one added last answers, unless it is exhausted; so a test
    overrides what a fixture set up. Routes may be added, changed and removed at any time, from any thread.

    The log keeps the last `keep` calls, and of a body `keep_body` bytes; None is all. Counts are of all
    calls, and `body_length` tells of a body that was cut, which `text()`, `json()` and their like refuse.
    """

    def __init__(self, *, keep: int | None = KEEP, keep_body: int | None = MOST_KEPT) -> None:
        self._table = Table()
        if keep != KEEP or keep_body != MOST_KEPT:
            self.bound_log(keep, keep_body)
        self.calls: Calls[Call[Route]] = self._table.calls
        self._logs: tuple[Calls[Call[Route]], ...] = (self.calls,)
        self._prefix = ""
        self._headers: Mapping[str, object] | None = None

    def __repr__(self) -> str:
        return f"<{self._owner} with {counted(len(self.routes), 'route')}>"

    if not TYPE_CHECKING:  # pragma: no branch - only a type checker takes the other one

        def __getattr__(self, name: str) -> Any:
            """Nothing; but what a route has is often asked of its router."""
            has = f"; a route has it: router.get(url).{name}" if hasattr(Route, name) else ""
            raise AttributeError(
                f"{type(self).__name__!r} object has no attribute {name!r}{has}", name=name, obj=self
            )

    # Adding routes.

    def route(
        self,
        method: str | Iterable[str],
        url: UrlLike,
        *,
        name: str | None = None,
        **match: Unpack[MatchOptions],
    ) -> Route:
        """Add a route for a method or several.

        `url` is a URL, or a path, which is for any origin. Both may be templates as aiohttp's, with `{name}`
        and `{name:regex}`; the host may have `*` for some of its labels. Or it is a compiled regex, matched
        from the start of the whole URL. What is captured is in `request.match_info`.

        `query`, `headers` and `cookies` must be contained in the request's; `json`, `form`, `multipart` and
        `body` must equal it; `Exact` and `Subset` turn either, at any depth. `where` is a predicate on the
        `Request`. `name` is for reports.

        Raises:
            UsageError: the URL, the template or an option cannot work.
        """
        route = Route(self._table, self._request_pattern(method, url, match), name, self._logs)
        self._table.add(route)
        return route

    def unlisted(self) -> Route:
        """A route that is not among those that are looked at, for a router with a `find` of its own."""
        return Route(self._table, plain_pattern("*", "/"), None, self._logs)

    def ws(
        self,
        url: UrlLike,
        *,
        name: str | None = None,
        protocols: Iterable[str] = (),
        heartbeat: float | None = None,
        autoping: bool = True,
        compress: bool = True,
        max_msg_size: int = 4 * 1024 * 1024,
        **match: Unpack[MatchOptions],
    ) -> WebSocketRoute:
        """Add a route for websockets; `ws://` and `http://` are the same origin, `wss://` and `https://` too.

        `protocols` are the subprotocols to agree on, the client's preference first; `heartbeat`, in seconds,
        `autoping`, `compress` and `max_msg_size`, in bytes, are those of `web.WebSocketResponse`. The rest is
        as for `route`.

        Raises:
            UsageError: the URL, the template or an option cannot work.
        """
        options = websocket_options(protocols, heartbeat, autoping, compress, max_msg_size)
        match["headers"] = handshake_headers(match)
        route = WebSocketRoute(
            self._table, self._request_pattern("GET", url, match), name, self._logs, options
        )
        self._table.add(route)
        return route

    def _request_pattern(
        self, method: str | Iterable[str], url: UrlLike, match: MatchOptions
    ) -> RequestPattern:
        if self._headers is not None:
            match["headers"] = merged(self._headers, match.get("headers"))
        return pattern_of(method, under(self._prefix, url), match)

    def get(self, url: UrlLike, *, name: str | None = None, **match: Unpack[MatchOptions]) -> Route:
        """Add a route for GET; see `route`."""
        return self.route("GET", url, name=name, **of_a_verb(match))

    def post(self, url: UrlLike, *, name: str | None = None, **match: Unpack[MatchOptions]) -> Route:
        """Add a route for POST; see `route`."""
        return self.route("POST", url, name=name, **of_a_verb(match))

    def put(self, url: UrlLike, *, name: str | None = None, **match: Unpack[MatchOptions]) -> Route:
        """Add a route for PUT; see `route`."""
        return self.route("PUT", url, name=name, **of_a_verb(match))

    def patch(self, url: UrlLike, *, name: str | None = None, **match: Unpack[MatchOptions]) -> Route:
        """Add a route for PATCH; see `route`."""
        return self.route("PATCH", url, name=name, **of_a_verb(match))

    def delete(self, url: UrlLike, *, name: str | None = None, **match: Unpack[MatchOptions]) -> Route:
        """Add a route for DELETE; see `route`."""
        return self.route("DELETE", url, name=name, **of_a_verb(match))

    def head(self, url: UrlLike, *, name: str | None = None, **match: Unpack[MatchOptions]) -> Route:
        """Add a route for HEAD; see `route`."""
        return self.route("HEAD", url, name=name, **of_a_verb(match))

    def options(self, url: UrlLike, *, name: str | None = None, **match: Unpack[MatchOptions]) -> Route:
        """Add a route for OPTIONS; see `route`."""
        return self.route("OPTIONS", url, name=name, **of_a_verb(match))

    def any(self, url: UrlLike, *, name: str | None = None, **match: Unpack[MatchOptions]) -> Route:
        """Add a route for every method; see `route`."""
        return self.route("*", url, name=name, **of_a_verb(match))

    def host(self, prefix: str | URL, *, headers: Mapping[str, object] | None = None) -> Router:
        """A router for what is under an origin or a longer prefix, in the same table.

        Its routes are paths under the prefix, and ask for `headers` as well as for their own. Its calls are
        those of its own routes.
        """
        router = Router()
        router._table = self._table
        router.calls = Calls()
        router.calls.clears(partial(self._table.narrower_logs, router.calls))
        router._logs = (router.calls, *self._logs)
        router._prefix = checked_prefix(join_prefix(self._prefix, str(prefix)))
        router._headers = merged(self._headers or {}, headers) if headers or self._headers else None
        url_pattern(router._prefix)
        return router

    def mount(self, origin: str | URL, target: Router | web.Application | AsgiApplication) -> Route:
        """Put a whole router or app behind an origin, or behind a longer prefix.

        The routes of a router see the requests as they are. What it does not answer, older routes may; its
        calls are in its own log as well as in this one.

        An aiohttp `web.Application`, or an ASGI app, answers all that comes, over aiohttp's own server or the
        protocol of ASGI: streaming both ways, websockets too. It is started at its first request, on the loop
        of that, and cleaned up when the mock closes or its loop ends; an error of either, and one that
        escapes from a handler, fails the test. Under a prefix such as `https://api.test/v1` an aiohttp app
        sees the path below it; to an ASGI app the prefix is `root_path`. All else is untouched, `Host` too.

        A route added later overrides either.

        Raises:
            UsageError: the target is no such thing, or a router in which this one is mounted.
        """
        if not isinstance(target, Router):
            answer, life = mounted(target, depth_of(join_prefix(self._prefix, str(origin))))
            app = self.any(tail_of(origin)).optional().reply(answer)
            self._table.lives[app] = life
            return app
        if self._table in target._table.reached():
            raise UsageError("a router cannot be mounted in itself")
        route = self.any(tail_of(origin)).optional()
        self._table.mounts[route] = target._table
        return route

    def passthrough(self, target: str | URL | Callable[[Request], object]) -> None:
        """Let requests out to the network that no route asks for.

        `target` is an origin or a longer prefix, in which the host may have `*`, or a predicate on the
        request, of which only the head is known then. A request that differs from a route in its body alone
        is not let out.
        """
        if callable(target):
            pattern = RequestPattern(None, None, where=target)
        else:
            pattern = RequestPattern(None, under(self._prefix, tail_of(target)))
        self._table.passthrough.append(pattern)

    def bound_log(self, keep: int | None, keep_body: int | None) -> None:
        """Keep so many calls, the last ones, and so many bytes of a body; None is all.

        Raises:
            UsageError: it is no such number.
        """
        for name, number, what in (("keep", keep, "calls"), ("keep_body", keep_body, "bytes")):
            if number is not None and not (type(number) is int and number >= 0):
                raise UsageError(
                    f"{name}= is a number of {what}, or None for all; got {one_line(number, 60)}"
                )
        self._table.calls.keeps(keep, self._table.drop_oldest_call)
        self._table.keep_body = inf if keep_body is None else keep_body

    # Taking them back.

    def reset(self) -> None:
        """Drop the routes and the calls; of a router under a prefix, its own."""
        for route in self.routes:
            route.remove()
        self.calls.clear()
        if self._is_whole:
            table = self._table
            kept: tuple[list[Any], ...] = (table.discarded, table.passthrough)
            for each in (*kept, table.misses, table.tunnels, table.handler_errors):
                each.clear()

    def clear_log(self) -> None:
        """Forget what was asked and what went wrong, of the routers that are mounted here, too."""
        table = self._table
        for each in table.reached():
            each.calls.clear()
            each.handler_errors.clear()
        table.misses.clear()
        table.tunnels.clear()

    @contextlib.contextmanager
    def scope(self) -> Iterator[Router]:
        """Restore, at the end of the block, the table as it was at its start.

        Routes that the block adds go, and those that it removes or changes are as they were: their answers,
        gates and names, and which answer comes next. So are mounts, the routes of mounted routers, and the
        hosts let through. The calls stay in the log, and a route of the block that was never called still
        fails the test.
        """
        scope = self.begin_scope()
        try:
            yield self
        finally:
            scope.restore()

    def begin_scope(self) -> Scope:
        """What restores the table as it is now."""
        return Scope(self._table)

    # Looking up.

    @property
    def routes(self) -> tuple[Route, ...]:
        """The routes, in order of addition; of a router under a prefix, its own."""
        if self._is_whole:
            return tuple(self._table.routes)
        return tuple(route for route in self._table.routes if self.calls in route.logs)

    @property
    def misses(self) -> tuple[Miss, ...]:
        """The requests that no route answered, in order."""
        return tuple(self._table.misses)

    @property
    def tunnels(self) -> tuple[Tunnel, ...]:
        """The tunnels that clients asked proxies for (CONNECT), answered or not, in order."""
        return tuple(self._table.tunnels)

    @property
    def certificate_digest(self) -> bytes:
        """The SHA-256 digest of the certificate that hosts show in memory, for `aiohttp.Fingerprint`.

        It is the same for every host and router, in every version.
        """
        return sha256(CERTIFICATE).digest()

    @property
    def handler_errors(self) -> tuple[HandlerError, ...]:
        """What escaped from handlers, generators and scripts, in order."""
        table = self._table
        if not table.mounts:
            return tuple(table.handler_errors)
        return tuple(error for each in table.reached() for error in each.handler_errors)

    @property
    def never_called(self) -> tuple[Route, ...]:
        """The routes that no request reached though one should have, in order of addition."""
        return tuple([route for route in self.owed if route.is_unmet])

    @property
    def unfinished(self) -> tuple[str, ...]:
        """A report for each script of a websocket of which the client left something out."""
        return tuple([report for route in self.owed for report in route.unfinished()])

    @property
    def owed(self) -> tuple[Route, ...]:
        """The routes that are there, and those that a scope took back."""
        return (*self.routes, *self._table.discarded)

    def find(self, request: Request) -> Hit | Miss:
        """The route that answers `request`, or what is nearest; `request.match_info` has its captures."""
        return self._table.find(request)

    def find_early(self, request: Request) -> Hit | Miss | None:
        """The route that answers a request of which only the head has come.

        None where the body has to be awaited: to tell the routes apart, or because the answer does so.
        """
        return self._table.find_early(request)

    def find_at_connect(self, request: Request) -> Hit | Miss | None:
        """The route that may have to answer where the client connects, by the head of its request."""
        return self._table.find_early(request, attrgetter("acts_at_connect"))

    @property
    def fails_connections(self) -> bool:
        """Whether `find_at_connect` may find something."""
        table = self._table
        return (
            any(each.fails_connections for each in table.reached())
            if table.mounts
            else table.fails_connections
        )

    def add_tunnel(self, tunnel: Tunnel) -> None:
        """Keep a tunnel that a client asked for."""
        self._table.tunnels.append(tunnel)

    def failed(self, error: HandlerError) -> None:
        """Keep an error of the user's code for the test."""
        self._table.handler_errors.append(error)

    def claims(self, request: Request) -> bool:
        """Whether a route is there for the head of a request, whatever it asks of the body."""
        candidates = self._table.candidates(request)
        return any(is_sure or may_match(route, request) for route, is_sure, _ in candidates)

    def names(self, request: Request) -> bool:
        """Whether a route is there for the very origin of a request, not just for any.

        A regex is if it matches the URL, and would not with another host in its place.
        """
        named = self._table.named
        if request.origin.place in named.places:
            return True
        here, elsewhere = str(request.url), str(request.url.with_host("elsewhere.invalid"))
        return any(regex.match(here) and not regex.match(elsewhere) for regex in named.regexes)

    def enter(self) -> None:
        """Note that a door to it was opened."""
        self._table.doors += 1

    def leave(self) -> tuple[Lifespan[Any], ...]:
        """Note that a door was closed; with the last, the mounted apps are to be ended that this returns."""
        table = self._table
        table.doors -= 1
        if table.doors or not (table.lives or table.mounts):
            return ()
        return tuple(life for each in table.reached() for life in each.lives.values())

    @property
    def tasks(self) -> set[asyncio.Task[None]]:
        """The answers that are being given now."""
        table = self._table
        return {task for each in table.reached() for task in each.tasks} if table.mounts else table.tasks

    def release_stalled(self) -> dict[asyncio.Task[None], StalledCall]:
        """Let no fault keep a client waiting any more; the tasks that do so now, to be cancelled."""
        waiting: dict[asyncio.Task[None], StalledCall] = {}
        for table in self._table.reached():
            table.releases_stalled = True
            waiting |= table.waiting
        return waiting

    def let_wait(self) -> None:
        """Let faults keep clients waiting again."""
        for table in self._table.reached():
            table.releases_stalled = False

    def lets_out(self, request: Request) -> bool:
        """Whether a request may go to the network, as `passthrough` says."""
        return any(pattern.matches(request) for pattern in self._table.passthrough)

    @property
    def lets_some_out(self) -> bool:
        """Whether `passthrough` was used at all."""
        return bool(self._table.passthrough)

    @property
    def _is_whole(self) -> bool:
        """Whether all of the table is its own, and not just what is under a prefix."""
        return self.calls is self._table.calls

    @property
    def _owner(self) -> str:
        return f"Router of {self._prefix}" if self._prefix else "Router"


def may_match(route: Route, request: Request) -> bool:
    """Whether a route may match a request of which only the head is known."""
    try:
        return route.pattern.matches_head(request)
    except Exception:
        # A predicate's error is raised again, and kept, when the request is complete.
        return True
