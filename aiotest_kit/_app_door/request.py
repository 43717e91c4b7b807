"""`AppRequest`: a request to the app under test, as a stub's handler sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._http.request import Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

    from .._http.request import Origin

__all__ = ["AppRequest"]


class AppRequest(Request):
    """A request as the app's server received it.

    `web_request` is what the app's handlers are given. `route` is the app's route that it is for, None where
    it has none; `match_info` has what that route captured.
    """

    __slots__ = ("route", "web_request")

    web_request: web.Request
    route: web.AbstractRoute | None

    def __init__(self, request: web.Request, origin: Origin, body: bytes = b"") -> None:
        super().__init__(
            request.method,
            origin,
            request.raw_path,
            tuple(request.raw_headers),
            body,
            f"{request.version.major}.{request.version.minor}",
            bool(request.keep_alive),
        )
        object.__setattr__(self, "web_request", request)
        object.__setattr__(self, "route", None)

    def with_body(self, body: bytes) -> AppRequest:
        """The same request, with this body."""
        request = AppRequest(self.web_request, self.origin, body)
        if self.route is not None:
            request.resolved(self.route, self.match_info)
        return request

    def given(self, request: web.Request) -> None:
        """Note what the handler is given, of which a middleware may have made another."""
        object.__setattr__(self, "web_request", request)

    def resolved(self, route: web.AbstractRoute, match_info: Mapping[str, str]) -> None:
        """Note what the app's router said."""
        object.__setattr__(self, "route", route)
        # A copy: what aiohttp has belongs to the app, and is more than a mapping.
        self.capture(dict(match_info))
