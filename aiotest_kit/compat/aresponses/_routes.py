"""What a request has to be, what answered it, and an answer of bytes."""

from __future__ import annotations

from typing import Any, NamedTuple

from aiohttp import web

from .utils import ANY, text_matches

__all__ = ["RawResponse", "Route", "RoutingLog"]


class RawResponse(web.StreamResponse):
    """Bytes that are sent as they are, status line and all; then the connection is closed."""

    def __init__(self, body: bytes) -> None:
        super().__init__()
        self.raw = body


class Route:
    """What a request has to be, and how often it is answered. Patterns are text or regexes.

    For a rule of one's own, override `matches`.
    """

    def __init__(
        self,
        method_pattern: Any = ANY,
        host_pattern: Any = ANY,
        path_pattern: Any = ANY,
        body_pattern: Any = ANY,
        match_querystring: bool = False,
        repeat: float = 1,
    ) -> None:
        self.method_pattern = method_pattern
        self.host_pattern = host_pattern
        self.path_pattern = path_pattern
        self.body_pattern = body_pattern
        self.match_querystring = match_querystring
        self.repeat = repeat

    async def matches(self, request: web.BaseRequest) -> bool:
        """Whether a request is for this route."""
        path = request.path_qs if self.match_querystring else request.path
        return (
            text_matches(self.host_pattern, request.host)
            and text_matches(self.path_pattern, path)
            and text_matches(self.method_pattern, request.method.lower())
            and (self.body_pattern == ANY or text_matches(self.body_pattern, await request.text()))
        )

    def __str__(self) -> str:
        return (
            f"method={self.method_pattern} host_pattern={self.host_pattern} path={self.path_pattern} "
            f"body={self.body_pattern} match_querystring={self.match_querystring}"
        )

    def __repr__(self) -> str:
        return (
            f"Route(method={self.method_pattern!r}, host_pattern={self.host_pattern!r}, "
            f"path={self.path_pattern!r}, body={self.body_pattern!r}, "
            f"match_querystring={self.match_querystring!r})"
        )


class RoutingLog(NamedTuple):
    """One request, the route that answered it and the answer; None twice if no route did."""

    request: web.BaseRequest
    route: Route | None
    response: web.StreamResponse | None
