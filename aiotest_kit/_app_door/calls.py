"""`AppCall`: what became of one request that an app had.

What goes over the connection is only noted; `request` and `reply` are made of it when they are asked for, as
most never are. Knows aiohttp's requests. Knows nothing of connections, or of how a stub is found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web

from .._http.call import Call
from .._http.content_coding import decompressed
from .._http.reply import reply_as_sent, with_body
from .._http.request import Origin
from .request import AppRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from multidict import CIMultiDict

    from .._http.call import Client
    from .._http.reply import Reply
    from .stubs import Stub

__all__ = ["AppCall", "origin_of"]


class AppCall(Call[web.AbstractRoute]):
    """One request that the app had, and what became of it.

    `route` is the app's own, with its `name` and `handler`; None where the app has none for the request.
    `stub` is what answered in the place of the handler, if anything did. `exception` is what escaped from
    the app. `reply` is what was sent: its body as the app gave it, before compression, and without what
    aiohttp sends from a file by itself.
    """

    __slots__ = (
        "_body",
        "_captures",
        "_head",
        "_is_whole",
        "_now",
        "_pieces",
        "_request",
        "_web_request",
        "followed",
        "stub",
    )

    stub: Stub | None

    def __init__(self, request: web.Request, body: bytes, now: Callable[[], float]) -> None:
        # `request` and `reply` are left out: reading one that is not there comes to `__getattr__`.
        self.route = None
        self.started: float = now()
        self.client: Client | None = None
        self.exception: BaseException | None = None
        self.attempts = 1
        self.elapsed: float | None = None
        self.stub = None
        self.followed: Call[Any] | None = None
        """The record of a stub that answers, which has what the app itself sends for it."""
        self._now = now
        self._web_request = request
        self._body = body
        self._captures: Mapping[str, str] = {}
        self._request: AppRequest | None = None
        self._head: tuple[str, CIMultiDict[str]] | None = None
        self._pieces: list[bytes] = []
        self._is_whole = False

    if not TYPE_CHECKING:  # pragma: no branch - only a type checker takes the other one

        def __getattr__(self, name: str) -> Any:
            if name == "request":
                return self.asked
            if name == "reply":
                reply = self._sent()
                if self._is_whole:
                    self.reply = reply
                return reply
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def handler(self) -> Callable[..., Any] | None:
        """The app's handler for the request, a function or a class-based view."""
        return None if self.route is None else self.route.handler

    @property
    def name(self) -> str | None:
        """The name of the app's route."""
        return None if self.route is None else self.route.name

    @property
    def answered_by(self) -> Stub | None:
        """The stub that answered, for a report; None where the app did."""
        return self.stub

    @property
    def asked(self) -> AppRequest:
        """The request, as far as it has come."""
        asked = self._request
        if asked is None:
            asked = self._request = AppRequest(self._web_request, origin_of(self._web_request), self._body)
            if self.route is not None:
                asked.resolved(self.route, self._captures)
        return asked

    def _sent(self) -> Reply | None:
        if self._head is None:
            return None
        status_line, headers = self._head
        _, status, reason = f"{status_line} ".split(" ", 2)
        fields = [(name.encode(), value.encode()) for name, value in headers.items()]
        reply = reply_as_sent(int(status), reason.strip().encode(), fields)
        if not self._pieces or not self._is_whole:
            return reply
        # A response of known length was compressed before, and any other one is after this.
        return with_body(reply, decompressed(headers.get("Content-Encoding", ""), b"".join(self._pieces)))

    # For what watches the connection.

    def resolved(self, match_info: web.UrlMappingMatchInfo) -> None:
        """Note what the app's router said."""
        self.route = match_info.route
        self._captures = match_info
        if self._request is not None:
            self._request.resolved(self.route, match_info)

    def complete(self, body: bytes) -> None:
        """The body of the request has come."""
        self._body = body
        if self._request is not None:
            self._request = self._request.with_body(body)

    def head_sent(self, status_line: str, headers: CIMultiDict[str]) -> None:
        """The head of the reply."""
        self._head = status_line, headers.copy()
        if self.followed is not None:
            self.followed.reply = self._sent()

    def body_sent(self, data: bytes | bytearray | memoryview) -> None:
        """A piece of its body."""
        if data:
            self._pieces.append(bytes(data))

    def end_sent(self, data: bytes = b"") -> None:
        """The last piece of its body."""
        if data:
            self._pieces.append(bytes(data))
        self._is_whole = True
        self.elapsed = self._now() - self.started
        if self.followed is not None:
            self.followed.reply = self._sent()
            self.followed = None

    def answered(self) -> None:
        """The app is done: if its reply has begun, it is complete."""
        if self._head is not None:
            self.end_sent()


def origin_of(request: web.Request) -> Origin:
    """The origin that a request names in its `Host`; without a host where that is none."""
    try:
        return Origin.of(request.url)
    except ValueError:
        return Origin(request.scheme, "", 0)
