"""`Call`: one exchange as it is recorded. A value; knows nothing of who records it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from .._messages.masking import without_secrets
from .body import MOST_KEPT

if TYPE_CHECKING:
    import ssl

    import aiohttp
    from multidict import CIMultiDictProxy
    from yarl import URL

    from .reply import Reply
    from .request import Request

__all__ = ["Call", "Client", "Tunnel"]


R = TypeVar("R")
"""The type of routes, which are made further up."""


class Client(NamedTuple):
    """What the client asked of the connection, which no server can see (memory door only).

    `timeout` is the call's own, or the session's; `ssl`, `proxy` and `server_hostname` are as aiohttp
    resolved them for this call.
    """

    timeout: aiohttp.ClientTimeout
    ssl: ssl.SSLContext | aiohttp.Fingerprint | bool
    proxy: URL | None
    server_hostname: str | None

    def __repr__(self) -> str:
        # A proxy's URL may have a password.
        asked = (f"{name}={value!r}" for name, value in zip(self._fields, self, strict=True))
        return without_secrets(f"Client({', '.join(asked)})")


class Tunnel:
    """A tunnel that a client asked a proxy for, with a CONNECT (RFC 9110, 9.3.6); `request` is that."""

    __slots__ = ("request",)

    def __init__(self, request: Request) -> None:
        self.request: Request = request

    def __repr__(self) -> str:
        return f"<Tunnel to {self.host}:{self.port}>"

    @property
    def host(self) -> str:
        """The host that it leads to; an IPv6 address without brackets."""
        return self.request.origin.host

    @property
    def port(self) -> int:
        """The port that it leads to."""
        return self.request.origin.port

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        """The header fields of the CONNECT, such as `Proxy-Authorization`."""
        return self.request.headers


class Call(Generic[R]):
    """One logical call: the request, what answered it, and how it went.

    `reply` is what was sent, None until then or if nothing was. `route` is None for an unmatched request.
    `exception` is what the client was made to raise. `attempts` is 2 where aiohttp silently sent an
    idempotent request again after its connection dropped. `tunnel` is the tunnel of a proxy that it came
    through, or that was refused to it; None without one. `started` and `elapsed` are in seconds of the
    loop's clock; `elapsed` is None until the answer has been sent. Then long bodies are cut, and their
    `body_length` tells what they were.
    """

    __slots__ = (
        "attempts",
        "client",
        "elapsed",
        "exception",
        "keep_body",
        "reply",
        "request",
        "route",
        "started",
        "tunnel",
    )

    def __init__(
        self,
        request: Request,
        route: R | None,
        started: float,
        client: Client | None = None,
        tunnel: Tunnel | None = None,
    ) -> None:
        self.request: Request = request
        self.route: R | None = route
        self.started: float = started
        self.client: Client | None = client
        self.tunnel: Tunnel | None = tunnel
        self.reply: Reply | None = None
        self.exception: BaseException | None = None
        self.attempts: int = 1
        self.keep_body: float = MOST_KEPT
        """Bytes of a body that are kept when the answer has been sent."""
        self.elapsed: float | None = None

    def ended_after(self, seconds: float) -> None:
        """Note that the answer has been sent, and cut the bodies that are longer than is kept."""
        self.elapsed = seconds
        self.shorten()

    def shorten(self) -> None:
        """Keep no more of the bodies than is to be kept, now that nobody needs them to answer."""
        most, request, reply = self.keep_body, self.request, self.reply
        if len(request.body) > most:
            self.request = request.shortened(request.body[: int(most)], request.body_length)
        if reply is not None and len(reply.body) > most:
            self.reply = reply.shortened(int(most))

    def __repr__(self) -> str:
        if self.exception is not None:
            outcome = type(self.exception).__name__
        else:
            outcome = "no reply yet" if self.reply is None else str(self.reply.status)
        return without_secrets(f"<Call {self.request.method} {self.request.url} -> {outcome}>")

    @property
    def answered_by(self) -> Any:
        """The stubbed route that answered, for a report; None if none did."""
        return self.route
