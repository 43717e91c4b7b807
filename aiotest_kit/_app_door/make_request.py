"""`make_request`: a request of an app without a server, for calling one handler directly."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar
from urllib.parse import parse_qsl

import aiohttp
from aiohttp import web
from yarl import URL

from .._aiohttp.app_state import set_match_info
from .._aiohttp.server import request_alone
from .._asyncio.tasks import running_loop
from .._http.reply import checked_headers, encode_form, encode_json
from .._http.request import Origin
from .._matching.request_pattern import method_pattern
from .._messages.exceptions import UsageError
from .._messages.wording import one_line
from .._responders.web_response import Collected

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable

    Fields: TypeAlias = Mapping[str, object] | Iterable[tuple[str, object]]
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
    form: Fields | None = None,
    files: Mapping[str, object] | None = None,
    body: bytes | bytearray | str | None = None,
    data: Data | None = None,
    headers: Mapping[str, str | list[str]] | Iterable[tuple[str, str]] | None = None,
    cookies: Mapping[str, str] | None = None,
    app: web.Application | None = None,
    match_info: Mapping[str, str] | None = None,
) -> web.Request:
    """A `web.Request` to call one handler with, as it would have come from a client; nothing is mocked.

    `path` may have a query, and an origin, by default `http://app.test`. The body is one of: `json`; `form`,
    the fields of a form, and `files`, each the content, `(filename, content)` or `(filename, content,
    content_type)`; `body`, bytes or text; `data`, which is any of these or `aiohttp.FormData`, as for
    `ClientSession.request`. With the headers for it, it is the handshake of a websocket.

    `app` is `request.app`, by default an empty one; where it has a route for the request, `match_info` is
    what that captures, unless given. What a handler sends by itself goes nowhere.

    It may be made without a running loop; to read the body, one has to run.

    Raises:
        UsageError: an argument cannot be sent, or two contradict each other.
    """
    url = checked_url(path)
    check_rest(cookies, app, match_info)
    origin = url.origin() if url.is_absolute() else URL("http://app.test")
    content, content_type = encoded(json, form, files, body, data)
    fields = checked_headers(headers or ())
    fields.setdefault("Host", Origin.of(origin).netloc)
    if content_type is not None:
        fields.setdefault("Content-Type", content_type)
        fields.setdefault("Content-Length", str(len(content)))
    if cookies:
        fields.add("Cookie", "; ".join(f"{name}={value}" for name, value in cookies.items()))
    owner = web.Application() if app is None else app
    request = request_alone(
        owner,
        Nowhere(origin),
        loop_now(),
        checked_method(method),
        url.relative() if url.is_absolute() else url,
        fields,
        content,
    )
    note_route(request, owner, match_info)
    return request


def checked_url(path: object) -> URL:
    """The URL of a request: a path, perhaps with an origin.

    Raises:
        UsageError: it is neither.
    """
    url = URL(path) if isinstance(path, (str, URL)) else None
    if url is None or not (url.is_absolute() or url.raw_path.startswith("/")):
        raise UsageError(f"a request is for a path, such as '/users', or a URL; got {one_line(path)}")
    return url


def checked_method(method: object) -> str:
    """The method of a request.

    Raises:
        UsageError: it is none.
    """
    names = method_pattern(method).names if isinstance(method, str) else ()
    if not names:
        raise UsageError(f"a request has one method, such as 'GET'; got {one_line(method)}")
    return names[0]


def check_rest(cookies: object, app: object, match_info: object) -> None:
    """Refuse what is of another type than it has to be."""
    if app is not None and not isinstance(app, web.Application):
        raise UsageError(f"app= is a web.Application; got {one_line(app)}")
    for name, value in {"cookies": cookies, "match_info": match_info}.items():
        if value is not None and not isinstance(value, Mapping):
            raise UsageError(f"{name}= is a mapping of names to values; got {one_line(value)}")


def encoded(
    json: object,
    form: Fields | None,
    files: Mapping[str, object] | None,
    body: bytes | bytearray | str | None,
    data: Data | None,
) -> tuple[bytes, str | None]:
    """The body of a request and its content type, None where there is no body."""
    given = {"json": json is not NOT_GIVEN, "body": body is not None, "data": data is not None}
    given["form"] = form is not None or files is not None
    bodies = [name for name, is_given in given.items() if is_given]
    if len(bodies) > 1:
        raise UsageError(f"a request has one body; got {' and '.join(f'{name}=' for name in bodies)}")
    if given["json"]:
        return encode_json(json), "application/json"
    if form is not None and files is None:
        return encode_form(form), "application/x-www-form-urlencoded"
    if files is not None:
        data = form_with_files(form or (), files)
    if body is not None:
        data = checked_body(body)
    if data is None:
        return b"", None
    if isinstance(data, str):
        return data.encode(), "text/plain; charset=utf-8"
    if isinstance(data, (bytes, bytearray)):
        return bytes(data), "application/octet-stream"
    filled = data if isinstance(data, aiohttp.FormData) else filled_form(data)
    payload, collected = filled(), Collected()
    at_once(payload.write(collected), "a part of the form waits for something; give its content as bytes")
    return bytes(collected.data), payload.content_type


def filled_form(data: object) -> aiohttp.FormData:
    """A form with the fields that are given as `data=`.

    Raises:
        UsageError: these are no fields.
    """
    fields: Any = data
    try:
        return aiohttp.FormData(fields)
    except TypeError as exc:
        raise UsageError(
            f"data= is bytes, text, the fields of a form or an aiohttp.FormData; got {one_line(data)}"
        ) from exc


def checked_body(body: object) -> bytes | str:
    """A body that is given as it is.

    Raises:
        UsageError: it is neither bytes nor text.
    """
    if isinstance(body, str):
        return body
    if isinstance(body, (bytes, bytearray)):
        return bytes(body)
    raise UsageError(f"body= is bytes or text; got {one_line(body)} (json= encodes objects, form= fields)")


def form_with_files(form: Fields, files: Mapping[str, object]) -> aiohttp.FormData:
    """A multipart form: its fields, and then its files."""
    filled = aiohttp.FormData()
    for name, value in parse_qsl(encode_form(form).decode(), keep_blank_values=True):
        filled.add_field(name, value)
    if not isinstance(files, Mapping):
        raise UsageError(f"files= is a mapping of names to files; got {one_line(files)}")
    for name, file in files.items():
        filename, content, content_type = file_of(name, file)
        filled.add_field(name, content, filename=filename, content_type=content_type)
    return filled


def file_of(name: str, file: object) -> tuple[str, Any, str | None]:
    """The name, content and type of a file, which is its content or a tuple of these."""
    parts: tuple[Any, ...] = file if isinstance(file, tuple) else (name, file)
    if len(parts) not in (2, 3) or not isinstance(parts[0], str):
        raise UsageError(
            f"files= {name!r}: a file is its content, (filename, content) or "
            f"(filename, content, content_type); got {one_line(file)}"
        )
    # An open file is read now: up to 3.11, aiohttp reads one in a thread.
    content = parts[1].read() if hasattr(parts[1], "read") else parts[1]
    if isinstance(content, str):
        content = content.encode()
    if not isinstance(content, (bytes, bytearray)):
        raise UsageError(
            f"files= {name!r}: the content is bytes, text or an open file; got {one_line(content)}"
        )
    return parts[0], content, parts[2] if len(parts) == 3 else None


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
    with suppress(asyncio.CancelledError, StopIteration, AttributeError):
        # Not closed: up to Python 3.12 that leaves what waits in an async generator as it is.
        steps.throw(asyncio.CancelledError)
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
