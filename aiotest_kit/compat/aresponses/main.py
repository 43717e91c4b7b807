"""`ResponsesMockServer`: routes by host, path, method and body, tried in order and used up.

Everything that an aiohttp session sends is handed to one handler of aiohttp's own server, in memory. So
handlers get a true `web.Request`, and may return whatever aiohttp can send. Which route answers is decided
here.
"""

from __future__ import annotations

import inspect
import math
import re
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import web
from multidict import CIMultiDict

from ... import RealConnector, mock
from ._plan import Place, Plan, PlannedRouter
from ._routes import RawResponse, Route, RoutingLog
from .errors import NoRouteFoundError, UnorderedRouteCallError, UnusedRouteError
from .utils import ANY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from typing_extensions import Self

OF_THE_CONNECTION = ("Connection", "Host", "Keep-Alive", "Transfer-Encoding", "Upgrade")

__all__ = ["RawResponse", "ResponsesMockServer", "Route", "RoutingLog", "aresponses"]


class ResponsesMockServer:
    """Stubs for every aiohttp session in the process, those for this machine too."""

    ANY = ANY
    Response = web.Response
    RawResponse = RawResponse
    INFINITY = math.inf
    LOCALHOST: re.Pattern[str] = re.compile(r"127\.0\.0\.1:?\d{0,5}")

    def __init__(self, **settings: Any) -> None:
        """Nothing happens yet; `settings` are those of `BaseTestServer`, and none is needed."""
        self._plan = Plan()
        self._mock = mock(PlannedRouter(self._plan, self._answer), loopback=False)
        self._mock.imitates_connecting = False
        self._history: list[RoutingLog] = []
        self._unmatched: list[web.BaseRequest] = []
        self._unordered: Route | None = None

    def __enter__(self) -> Self:
        self._mock.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._mock.close()

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._mock.close()

    def add(
        self,
        host_pattern: Any = ANY,
        path_pattern: Any = ANY,
        method_pattern: Any = ANY,
        response: Any = "",
        *,
        route: Route | None = None,
        body_pattern: Any = ANY,
        match_querystring: bool = False,
        repeat: float = 1,
    ) -> None:
        """Answer requests: of several routes that match one, the first that is not used up does.

        `response` is text, a dict or list (as JSON), a response, or a function of the request, sync or async.
        `repeat` is how often, `INFINITY` for ever. A `route` goes before all the rest but `response`.
        """
        if route is None:
            route = Route(
                method_pattern=method_pattern.lower() if isinstance(method_pattern, str) else method_pattern,
                host_pattern=host_pattern.lower() if isinstance(host_pattern, str) else host_pattern,
                path_pattern=path_pattern,
                body_pattern=body_pattern,
                match_querystring=match_querystring,
                repeat=repeat,
            )
        self._plan.add(route, response)

    def add_local_passthrough(self, repeat: float = INFINITY) -> None:
        """Let requests to 127.0.0.1 go where they would."""
        self.add(host_pattern=self.LOCALHOST, repeat=repeat, response=self.passthrough)

    async def passthrough(self, request: web.BaseRequest) -> web.StreamResponse:
        """What the real server answers; give it as the `response` of a route."""
        headers = CIMultiDict(request.headers)
        for name in OF_THE_CONNECTION:
            headers.popall(name, None)
        async with (
            aiohttp.ClientSession(connector=RealConnector()) as session,
            session.request(
                request.method, request.url, headers=headers, data=await request.read() or None
            ) as answer,
        ):
            kind = {name: value for name, value in answer.headers.items() if name.lower() == "content-type"}
            return web.Response(status=answer.status, headers=kind, body=await answer.read())

    # What was asked.

    @property
    def history(self) -> list[RoutingLog]:
        """Each request with its route and answer, in order; bodies can be read again."""
        return self._history

    def assert_no_unused_routes(self, ignore_infinite_repeats: bool = False) -> None:
        """Fail if a route is left that was not used as often as it can be.

        Raises:
            UnusedRouteError: the first such route.
        """
        for route in self._plan:
            if not (ignore_infinite_repeats and route.repeat == self.INFINITY):
                raise UnusedRouteError(f"Unused Route: {route}")

    def assert_called_in_order(self) -> None:
        """Fail if a route was used before an older one was used up.

        Raises:
            UnorderedRouteCallError: the first such route.
        """
        if self._unordered is not None:
            raise UnorderedRouteCallError(f"Route used out of order: {self._unordered}")

    def assert_all_requests_matched(self) -> None:
        """Fail if no route answered a request.

        Raises:
            NoRouteFoundError: the first such request.
        """
        for request in self._unmatched:
            raise NoRouteFoundError(no_match(request))

    def assert_plan_strictly_followed(self) -> None:
        """Fail unless each route was used up, in order, and answered all there was."""
        self.assert_no_unused_routes()
        self.assert_called_in_order()
        self.assert_all_requests_matched()

    # Answering.

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """The answer to a request, which is kept."""
        route, response = await self._find(request)
        # Read even if nobody has, for the history.
        await request.read()
        self._history.append(RoutingLog(request, route, response))
        if response is None:
            return web.Response(status=500, text=no_match(request))
        if isinstance(response, RawResponse):
            return send_raw(request, response)
        return response

    async def _find(self, request: web.BaseRequest) -> tuple[Route | None, web.StreamResponse | None]:
        """The first route that matches, used once, and what it answers."""
        for number in self._plan.numbers(Place(request.host, request.path, request.path_qs)):
            route = self._plan.route(number)
            # A rule may have waited, and another request used the route up.
            if route is not None and await route.matches(request) and self._plan.route(number) is route:
                if self._unordered is None and not self._plan.is_first(number):
                    self._unordered = route
                return route, await response_of(self._plan.use(number), request)
        self._unmatched.append(request)
        return None, None


async def response_of(given: Any, request: web.BaseRequest) -> Any:
    """The response that a user's value stands for."""
    if callable(given):
        answer = given(request)
        return await answer if inspect.isawaitable(answer) else answer
    if isinstance(given, str):
        return web.Response(body=given)
    return web.json_response(given) if isinstance(given, (dict, list)) else given


def send_raw(request: web.BaseRequest, response: RawResponse) -> web.StreamResponse:
    """Send bytes past aiohttp, and close; what is returned for aiohttp to send comes too late."""
    if request.transport is not None:
        request.transport.write(response.raw)
        request.transport.close()
    return web.Response()


def no_match(request: web.BaseRequest) -> str:
    """That no route answers a request."""
    return f"No match found for request: {request.method} {request.host} {request.path}"


@pytest.fixture
def aresponses() -> Iterator[ResponsesMockServer]:
    """A `ResponsesMockServer` for the test, on whatever loop that runs."""
    with ResponsesMockServer() as server:
        yield server
