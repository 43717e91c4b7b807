"""Stubs: routes over the routes of an app, in the vocabulary of `Router`.

A stub answers in the place of a handler: which request is whose, the app's own router has decided before.
Knows routers and the routes of an app. Knows nothing of servers or connections.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias, overload

from yarl import URL

from .._matching.request_pattern import MatchOptions, RequestPattern
from .._matching.urls import UrlPattern, split_url, url_pattern, url_text
from .._matching.values import Mismatch
from .._messages.exceptions import UsageError
from .._messages.wording import one_line
from .._responders.aiohttp_app import checked_handler
from .._responders.faults import keeps_from_connecting
from .._responders.responder import Handler
from .._routing.arguments import handshake_headers, of_a_verb
from .._routing.route import Route
from .._routing.router import Router
from .._routing.websocket_route import WebSocketRoute, websocket_options
from .app_routes import NamedRoute, routes_at
from .request import AppRequest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence

    from aiohttp import web
    from typing_extensions import Self, Unpack

    from .._http.reply import Reply, ReplyOptions
    from .._http.request import Request
    from .._matching.urls import UrlLike
    from .._responders.exchange import Answer
    from .._routing.calls import Calls

    StubUrl: TypeAlias = UrlLike | NamedRoute
    from .calls import AppCall


__all__ = ["RoutePattern", "Stub", "StubbedHandlerCall", "Stubs", "WebSocketStub", "stubbed"]


@dataclass(frozen=True, slots=True)
class RoutePattern(UrlPattern):
    """Some routes of an app, on one of their paths or on all."""

    routes: frozenset[web.AbstractRoute]

    def matches(self, request: Request) -> bool:
        """Whether the app's router has found one of the routes."""
        own = isinstance(request, AppRequest) and request.route in self.routes
        return own and UrlPattern.matches(self, request)

    def differences(self, request: Request) -> Iterator[Mismatch]:
        """The path, if the request is for another route."""
        if not self.matches(request):
            yield Mismatch("url", "path", self.text, request.raw_path)

    def captures(self, request: Request) -> Mapping[str, str]:
        """What the app's router captured."""
        return request.match_info


OriginalHandler: TypeAlias = "Callable[[web.Request], Awaitable[web.StreamResponse]]"


class StubbedHandlerCall:
    """What would have answered, while a stub does, and what it would have been given.

    `raised` is what escaped from code in its place.
    """

    raised: BaseException | None = None

    def __init__(self, original: OriginalHandler, request: web.Request) -> None:
        self.original = original
        self.request = request

    async def answer(
        self, handler: OriginalHandler, request: web.Request | None = None
    ) -> web.StreamResponse:
        """What a handler answers; its errors are for the app, as those of any of its handlers."""
        try:
            return await handler(self.request if request is None else request)
        except BaseException as exc:
            self.raised = exc
            raise


stubbed: ContextVar[StubbedHandlerCall] = ContextVar("aiotest_kit_stubbed")
"""That of the request that is answered."""


class Stub(Route):
    """A route that answers in the place of a handler of the app.

    `before_middlewares` says that the app's middlewares do not run around it.
    """

    before_middlewares: bool = False

    def answer_of(self, answer: object, options: ReplyOptions) -> Reply | Answer:
        """What the first argument of `reply` stands for.

        Raises:
            UsageError: it happens before there is a connection.
        """
        made = super().answer_of(answer, options)
        if keeps_from_connecting(made):
            raise UsageError(
                f"{one_line(made)} happens before a client is connected, and a stub answers one that is; "
                "reply with a fault on the wire such as Reset()"
            )
        return made

    def serve(self, handler: OriginalHandler, *, times: int | None = None) -> Self:
        """Have a handler as those of the app answer: it is given the `web.Request` that they are given.

        What it raises the app's middlewares see, and what escapes from them fails the test.
        """
        checked_handler(handler)

        def answer(request: Any) -> Awaitable[web.StreamResponse]:
            return stubbed.get().answer(handler)

        # Not as `reply` has it: a stub of a websocket takes other functions.
        return self._add(Handler(answer), times)

    async def original(self, request: AppRequest | web.Request) -> web.StreamResponse:
        """What the app itself answers; for a handler of this stub, which may change it, or only look at it.

        `stub.reply(stub.original)` only looks. Of a stub that is before the middlewares they run too. What
        the app's handler raises goes on to the app's middlewares, unless the handler of the stub catches it.

        Raises:
            UsageError: no stub is answering.
        """
        place = stubbed.get(None)
        if place is None:
            raise UsageError(
                "original() is for a handler of the stub, while it answers: "
                "async def handler(request): return await stub.original(request)"
            )
        return await place.answer(place.original, None if isinstance(request, AppRequest) else request)


class WebSocketStub(Stub, WebSocketRoute):
    """A stub that speaks the websockets of a route of the app, in the place of its handler.

    Made by `Stubs.ws`. The app's middlewares run around it.
    """


class StubOptions(MatchOptions, total=False):
    """What a verb of `Stubs` takes: what a request may be asked to be, and when to answer."""

    before_middlewares: bool
    """Answer before the app's middlewares, which else run around the stub."""


class Stubs(Router):
    """The stubs of one client, a router over the routes that its app has.

    A stub's URL is a path as the app registered it, `/users/{id}`; or one of the paths that this serves,
    `/users/7`, and then stands for that one alone; or `named_route("user-detail")`. Paths of sub-apps are
    whole. What no stub answers, the app does; `calls` is where that is in the log too.
    """

    def __init__(
        self,
        app: web.Application,
        calls: Calls[AppCall] | None = None,
        *,
        is_out_of_reach: bool = False,
    ) -> None:
        super().__init__()
        self._app = app
        self._table.is_out_of_reach = is_out_of_reach
        if calls is not None:
            self._table.asked = calls

    @overload
    def route(
        self,
        method: str | Iterable[str],
        url: UrlLike,
        *,
        name: str | None = None,
        **match: Unpack[MatchOptions],
    ) -> Stub: ...
    @overload
    def route(
        self,
        method: str | Iterable[str],
        url: StubUrl,
        *,
        name: str | None = None,
        before_middlewares: bool = False,
        **match: Unpack[MatchOptions],
    ) -> Stub: ...
    def route(
        self,
        method: str | Iterable[str],
        url: StubUrl,
        *,
        name: str | None = None,
        before_middlewares: bool = False,
        **match: Unpack[MatchOptions],
    ) -> Stub:
        """Add a stub for a method or several; a stub of a class-based view may be for any of its methods.

        `before_middlewares` lets it answer before the app's middlewares, which else run around it. The rest
        is as for `Router.route`.

        Raises:
            UsageError: the app has no such route, or an option cannot work.
        """
        stub = Stub(self._table, self._request_pattern(method, url, match), name, self._logs)
        stub.before_middlewares = before_middlewares
        self._table.add(stub)
        return stub

    @overload
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
    ) -> WebSocketStub: ...
    @overload
    def ws(
        self,
        url: StubUrl,
        *,
        name: str | None = None,
        before_middlewares: bool = False,
        protocols: Iterable[str] = (),
        heartbeat: float | None = None,
        autoping: bool = True,
        compress: bool = True,
        max_msg_size: int = 4 * 1024 * 1024,
        **match: Unpack[MatchOptions],
    ) -> WebSocketStub: ...
    def ws(
        self,
        url: StubUrl,
        *,
        name: str | None = None,
        before_middlewares: bool = False,
        protocols: Iterable[str] = (),
        heartbeat: float | None = None,
        autoping: bool = True,
        compress: bool = True,
        max_msg_size: int = 4 * 1024 * 1024,
        **match: Unpack[MatchOptions],
    ) -> WebSocketStub:
        """Add a stub that answers the handshakes of websockets at a GET route of the app, and speaks them.

        `before_middlewares` is as for `route`, the rest as for `Router.ws`.

        Raises:
            UsageError: the app has no such route, or an option cannot work.
        """
        options = websocket_options(protocols, heartbeat, autoping, compress, max_msg_size)
        match["headers"] = handshake_headers(match)
        pattern = self._request_pattern("GET", url, match)
        stub = WebSocketStub(self._table, pattern, name, self._logs, options)
        stub.before_middlewares = before_middlewares
        self._table.add(stub)
        return stub

    def _request_pattern(
        self, method: str | Iterable[str], url: StubUrl, match: MatchOptions
    ) -> RequestPattern:
        methods = RequestPattern(method).methods
        return RequestPattern(methods or None, self._pattern(methods, url, match), **match)

    # The first signature of each is Router's; the second one has what a stub has in addition.

    @overload
    def get(self, url: UrlLike, *, name: str | None = None, **match: Unpack[MatchOptions]) -> Stub: ...
    @overload
    def get(self, url: StubUrl, *, name: str | None = None, **match: Unpack[StubOptions]) -> Stub: ...
    def get(self, url: StubUrl, *, name: str | None = None, **match: Unpack[StubOptions]) -> Stub:
        """Add a stub for GET; see `route`."""
        return self.route("GET", url, name=name, **of_a_verb(match))

    @overload
    def post(self, url: UrlLike, *, name: str | None = None, **match: Unpack[MatchOptions]) -> Stub: ...
    @overload
    def post(self, url: StubUrl, *, name: str | None = None, **match: Unpack[StubOptions]) -> Stub: ...
    def post(self, url: StubUrl, *, name: str | None = None, **match: Unpack[StubOptions]) -> Stub:
        """Add a stub for POST; see `route`."""
        return self.route("POST", url, name=name, **of_a_verb(match))

    @overload
    def put(self, url: UrlLike, *, name: str | None = None, **match: Unpack[MatchOptions]) -> Stub: ...
    @overload
    def put(self, url: StubUrl, *, name: str | None = None, **match: Unpack[StubOptions]) -> Stub: ...
    def put(self, url: StubUrl, *, name: str | None = None, **match: Unpack[StubOptions]) -> Stub:
        """Add a stub for PUT; see `route`."""
        return self.route("PUT", url, name=name, **of_a_verb(match))

    @overload
    def patch(self, url: UrlLike, *, name: str | None = None, **match: Unpack[MatchOptions]) -> Stub: ...
    @overload
    def patch(self, url: StubUrl, *, name: str | None = None, **match: Unpack[StubOptions]) -> Stub: ...
    def patch(self, url: StubUrl, *, name: str | None = None, **match: Unpack[StubOptions]) -> Stub:
        """Add a stub for PATCH; see `route`."""
        return self.route("PATCH", url, name=name, **of_a_verb(match))

    @overload
    def delete(self, url: UrlLike, *, name: str | None = None, **match: Unpack[MatchOptions]) -> Stub: ...
    @overload
    def delete(self, url: StubUrl, *, name: str | None = None, **match: Unpack[StubOptions]) -> Stub: ...
    def delete(self, url: StubUrl, *, name: str | None = None, **match: Unpack[StubOptions]) -> Stub:
        """Add a stub for DELETE; see `route`."""
        return self.route("DELETE", url, name=name, **of_a_verb(match))

    @overload
    def head(self, url: UrlLike, *, name: str | None = None, **match: Unpack[MatchOptions]) -> Stub: ...
    @overload
    def head(self, url: StubUrl, *, name: str | None = None, **match: Unpack[StubOptions]) -> Stub: ...
    def head(self, url: StubUrl, *, name: str | None = None, **match: Unpack[StubOptions]) -> Stub:
        """Add a stub for HEAD; see `route`."""
        return self.route("HEAD", url, name=name, **of_a_verb(match))

    @overload
    def options(self, url: UrlLike, *, name: str | None = None, **match: Unpack[MatchOptions]) -> Stub: ...
    @overload
    def options(self, url: StubUrl, *, name: str | None = None, **match: Unpack[StubOptions]) -> Stub: ...
    def options(self, url: StubUrl, *, name: str | None = None, **match: Unpack[StubOptions]) -> Stub:
        """Add a stub for OPTIONS; see `route`."""
        return self.route("OPTIONS", url, name=name, **of_a_verb(match))

    @overload
    def any(self, url: UrlLike, *, name: str | None = None, **match: Unpack[MatchOptions]) -> Stub: ...
    @overload
    def any(self, url: StubUrl, *, name: str | None = None, **match: Unpack[StubOptions]) -> Stub: ...
    def any(self, url: StubUrl, *, name: str | None = None, **match: Unpack[StubOptions]) -> Stub:
        """Add a stub for every method; see `route`."""
        return self.route("*", url, name=name, **of_a_verb(match))

    @property
    def in_use(self) -> bool:
        """Whether there are any."""
        return bool(self._table.routes)

    @property
    def some_are_first(self) -> bool:
        """Whether a stub is to answer before the middlewares."""
        return any(isinstance(route, Stub) and route.before_middlewares for route in self.routes)

    def stand_for(self, route: web.AbstractRoute) -> bool:
        """Whether some stub may answer in the place of a route of the app."""
        return any(
            isinstance(stub.pattern.url, RoutePattern) and route in stub.pattern.url.routes
            for stub in self.routes
            if not stub.exhausted
        )

    def _pattern(
        self, methods: Sequence[str], url: UrlLike | NamedRoute, match: MatchOptions
    ) -> RoutePattern:
        """The pattern of the app's routes that a stub is for; the query of a URL goes into its options."""
        if isinstance(url, NamedRoute):
            routes, _ = routes_at(self._app, methods, url)
            return RoutePattern(routes[0].path, None, None, frozenset(route.route for route in routes))
        if not isinstance(url, (str, URL)):
            raise UsageError(
                f"a stub is for a path of the app, such as '/users/{{id}}', or a named_route(...); "
                f"got {one_line(url)}"
            )
        text = url_text(url)
        routes, is_concrete = routes_at(self._app, methods, split_url(text)[1])
        plain, query = url_pattern(text)
        if query and match.get("query") is not None:
            raise UsageError(f"{text!r} has a query, and query= is given too; give it in one of them")
        if query:
            match["query"] = query
        path = plain.path if is_concrete else None
        return RoutePattern(text, plain.origin, path, frozenset(route.route for route in routes))

    def host(self, prefix: str | URL, *, headers: Mapping[str, object] | None = None) -> NoReturn:
        """Not for an app, which is one host; its routes are stubbed by their paths."""
        raise UsageError(f"host({str(prefix)!r}): stubs are for one app; give them whole paths")

    def mount(self, origin: str | URL, target: object) -> NoReturn:
        """Not for an app; another one is mounted in the mock of what the app calls."""
        raise UsageError(f"mount({str(origin)!r}): an app is not mounted in another; aiohttp_mock.mount() is")

    def passthrough(self, target: object) -> NoReturn:
        """Not for an app, which answers what no stub does."""
        raise UsageError("passthrough(): what no stub answers, the app does")
