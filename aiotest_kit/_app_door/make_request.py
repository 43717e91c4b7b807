"""`make_request`: a request of an app without a server, for calling one handler directly."""

from __future__ import annotations

import asyncio
import json as jsonlib
import ssl
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import aiohttp
from aiohttp import web
from yarl import URL

from .._aiohttp.app_state import set_match_info
from .._aiohttp.server import request_alone
from .._asyncio.tasks import running_loop
from .._errors import UsageError
from .._http.reply import checked_headers
from .._http.request import Origin
from .._responders.web_response import Collected

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable, Mapping

    Data: TypeAlias = (
        bytes | bytearray | str | Mapping[str, object] | Iterable[tuple[str, object]] | aiohttp.FormData
    )

__all__ = ["make_request"]

NOT_GIVEN: Any = object()
T = TypeVar("T")


def make_request(
    method: str,
    path: str,
    *,
    json: object = NOT_GIVEN,
    data: Data | None = None,
    headers: Mapping[str, str | list[str]] | Iterable[tuple[str, str]] = (),
    cookies: Mapping[str, str] | None = None,
    app: web.Application | None = None,
    match_info: Mapping[str, str] | None = None,
) -> web.Request:
    """A `web.Request` to call one handler with, as it would have come from a client; nothing is mocked.

    `path` may have a query, and an origin, by default `http://app.test`. The body is `json` or `data`, as for
    `ClientSession.request`: bytes, text, the fields of a form, or `aiohttp.FormData` with files. `app` is
    `request.app`, by default an empty one; where it has a route for the request, `match_info` is what that
    captures, unless given. What a handler sends by itself goes nowhere.

    It may be made without a running loop; to read the body, one has to run.

    Raises:
        UsageError: the arguments contradict each other.
    """
    url = URL(path)
    origin = url.origin() if url.is_absolute() else URL("http://app.test")
    body, content_type = encoded(json, data)
    fields = checked_headers(headers)
    fields.setdefault("Host", Origin.of(origin).netloc)
    if content_type is not None:
        fields.setdefault("Content-Type", content_type)
        fields.setdefault("Content-Length", str(len(body)))
    if cookies:
        fields.add("Cookie", "; ".join(f"{name}={value}" for name, value in cookies.items()))
    owner = web.Application() if app is None else app
    request = request_alone(
        owner,
        Nowhere(origin),
        loop_now(),
        method.upper(),
        url.relative() if url.is_absolute() else url,
        fields,
        body,
    )
    note_route(request, owner, match_info)
    return request


def encoded(json: object, data: Data | None) -> tuple[bytes, str | None]:
    """The body of a request and its content type, None where there is no body."""
    if json is not NOT_GIVEN:
        if data is not None:
            raise UsageError("a request has one body; give json= or data=")
        return jsonlib.dumps(json).encode(), "application/json"
    if data is None:
        return b"", None
    if isinstance(data, str):
        return data.encode(), "text/plain; charset=utf-8"
    if isinstance(data, (bytes, bytearray)):
        return bytes(data), "application/octet-stream"
    form = data if isinstance(data, aiohttp.FormData) else aiohttp.FormData(data)
    payload, collected = form(), Collected()
    at_once(payload.write(collected), "a part of the form waits for something; give its content as bytes")
    return bytes(collected.data), payload.content_type


def note_route(request: web.Request, app: web.Application, match_info: Mapping[str, str] | None) -> None:
    """Resolve a request as the app would."""
    resolved = at_once(app.router.resolve(request), "the app's router waits for something; give match_info=")
    captured = dict(resolved) if match_info is None else dict(match_info)
    found = web.UrlMappingMatchInfo(captured, resolved.route)
    for each in reversed((app, *resolved.apps)):
        found.add_app(each)
    found.freeze()
    set_match_info(request, found)


def at_once(awaitable: Awaitable[T], why_not: str) -> T:
    """What an awaitable gives that does not wait.

    Raises:
        UsageError: it does; the text is `why_not`.
    """
    steps = awaitable.__await__()
    try:
        next(steps)
    except StopIteration as done:
        result: T = done.value
        return result
    raise UsageError(why_not)


def loop_now() -> asyncio.AbstractEventLoop:
    """The running loop; without one, a closed loop: for what never waits it is as good."""
    running = running_loop()
    if running is not None:
        return running
    loop = asyncio.new_event_loop()
    loop.close()
    return loop


@lru_cache(maxsize=1)
def tls_context() -> ssl.SSLContext:
    """What a server's transport has that speaks TLS."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)


class Nowhere(asyncio.Transport):
    """The server's end of a connection whose client reads nothing."""

    def __init__(self, origin: URL) -> None:
        extra: dict[str, Any] = {"peername": ("127.0.0.1", 49152), "sockname": ("127.0.0.1", origin.port)}
        if origin.scheme == "https":
            extra["sslcontext"] = tls_context()
        super().__init__(extra)

    def is_closing(self) -> bool:
        """False: it is open for ever."""
        return False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send it to nobody."""
