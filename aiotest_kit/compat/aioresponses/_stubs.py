"""One stub: what it matches, how often it answers, and what a response of it shows.

Knows no sessions, and nothing of how an answer is sent.
"""

from __future__ import annotations

import inspect
import json
from asyncio import TimeoutError as AsyncTimeoutError
from functools import lru_cache
from http import HTTPStatus
from re import Pattern
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias, TypedDict

from aiohttp import ClientResponse, hdrs
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from aiotest_kit import Reply

from .compat import normalize_url

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

__all__ = [
    "Callback",
    "CallbackResult",
    "RequestMatch",
    "Result",
    "Shown",
    "StubOptions",
]

Headers: TypeAlias = "Mapping[str, str]"
ResponseClass: TypeAlias = "Callable[..., ClientResponse]"

Fields: TypeAlias = "tuple[tuple[str, str], ...]"

REASONS = {status.value: status.phrase for status in HTTPStatus}


class Result(Protocol):
    """What says what to answer: a stub itself, or what its callback returns."""

    method: str
    status: int
    body: str | bytes
    content_type: str
    payload: object
    headers: Headers | None
    response_class: ResponseClass | None
    reason: str | None


Callback: TypeAlias = "Callable[..., Result | Awaitable[Result | None] | None]"


class StubOptions(TypedDict, total=False):
    """The keywords of a stub; see `aioresponses.add`."""

    status: int
    body: str | bytes
    exception: BaseException | type[BaseException] | None
    content_type: str
    payload: object
    headers: Headers | None
    response_class: ResponseClass | None
    repeat: bool | int
    timeout: bool
    reason: str | None
    callback: Callback | None


class CallbackResult:
    """What a callback returns to say what to answer. `payload` is sent as JSON, in place of `body`."""

    def __init__(
        self,
        method: str = hdrs.METH_GET,
        status: int = 200,
        body: str | bytes = "",
        content_type: str = "application/json",
        payload: object = None,
        headers: Headers | None = None,
        response_class: ResponseClass | None = None,
        reason: str | None = None,
    ) -> None:
        self.method = method
        self.status = status
        self.body = body
        self.content_type = content_type
        self.payload = payload
        self.headers = headers
        self.response_class = response_class
        self.reason = reason


class RequestMatch:
    """One stub, as `aioresponses.add` makes it. `left` is how often it still answers; None is for ever."""

    def __init__(
        self,
        url: URL | str | Pattern[str],
        method: str = hdrs.METH_GET,
        status: int = 200,
        body: str | bytes = "",
        payload: object = None,
        exception: BaseException | type[BaseException] | None = None,
        headers: Headers | None = None,
        content_type: str = "application/json",
        response_class: ResponseClass | None = None,
        timeout: bool = False,
        repeat: bool | int = False,
        reason: str | None = None,
        callback: Callback | None = None,
    ) -> None:
        self.url_or_pattern: URL | Pattern[str] = url if isinstance(url, Pattern) else normalize_url(url)
        self.method: str = method.lower()
        self.status = status
        self.body = body
        self.payload = payload
        self.exception: BaseException | type[BaseException] | None = (
            AsyncTimeoutError("Connection timeout test") if timeout else exception
        )
        if headers is None or isinstance(headers, dict):
            # Later changes of the dict are not seen.
            headers = CIMultiDict(headers or ())
        self.headers: Headers | None = headers
        self.content_type = content_type
        self.response_class = response_class
        self.repeat = repeat
        self.reason = reason
        self.callback = callback
        # A count below 1 is for ever, as in aioresponses; only False is once.
        self.left = 1 if repeat is False else None if repeat is True or repeat < 1 else int(repeat)

    def __repr__(self) -> str:
        return f"RequestMatch('{self.url_or_pattern}')"

    def match(self, method: str, url: URL) -> bool:
        """Whether it answers a method, in any case, and a URL whose query is sorted."""
        if self.left == 0 or self.method != method.lower():
            return False
        expected = self.url_or_pattern
        if isinstance(expected, Pattern):
            return expected.match(str(url)) is not None
        return expected == url

    def take(self) -> None:
        """Use it once."""
        if self.left is not None:
            self.left -= 1

    async def ask(self, callback: Callback, url: URL, keywords: Mapping[str, Any]) -> Result:
        """What to answer, once it was taken: what its callback returns, or itself.

        One whose callback raises is there for the next call.
        """
        try:
            result = callback(url, **keywords)
            return (await result if inspect.isawaitable(result) else result) or self
        except BaseException:
            if self.left is not None:
                self.left += 1
            raise


class Content(NamedTuple):
    """What a response shows of itself, and the reply that sends it, as nearly as HTTP allows."""

    headers: CIMultiDictProxy[str]
    raw_headers: tuple[tuple[bytes, bytes], ...]
    reply: Reply


class Shown(NamedTuple):
    """What a response shows, which is what the stub says, and more than HTTP could carry.

    A body behind a 204, a `Content-Length` that is not the body's, a status of 999.
    """

    url: URL
    method: str
    status: int
    reason: str
    content: Content
    response_class: ResponseClass | None

    @classmethod
    def of(cls, result: Result, url: URL) -> Shown:
        """What `result` says to a request for `url`."""
        status = result.status
        body = result.body if result.payload is None else json.dumps(result.payload)
        return cls(
            url,
            result.method,
            status,
            REASONS.get(status, "") if result.reason is None else result.reason,
            content_of(
                status,
                fields_of(result.content_type, result.headers),
                body if isinstance(body, bytes) else str.encode(body),
            ),
            result.response_class,
        )

    @property
    def location(self) -> URL | None:
        """Where a client that follows redirects goes from here."""
        if self.status in REDIRECTS and hdrs.LOCATION in self.content.headers:
            return self.url.join(URL(self.content.headers[hdrs.LOCATION]))
        return None


def fields_of(content_type: str, headers: Headers | None) -> Fields:
    """The header fields of a response, where `headers` may have a content type of their own."""
    if not headers:
        return ((hdrs.CONTENT_TYPE, content_type),)
    fields = CIMultiDict({hdrs.CONTENT_TYPE: content_type})
    fields.update(headers)
    return tuple(fields.items())


def content_of(status: int, fields: Fields, body: bytes) -> Content:
    """What has this status, header fields and body.

    One and the same for the same: the tests of a suite repeat them. But for a long body, which is not kept.
    """
    make = shared_content if len(body) <= LONGEST_SHARED else new_content
    return make(status, fields, body)


def new_content(status: int, fields: Fields, body: bytes) -> Content:
    """What has this status, header fields and body."""
    can_be_sent = status in FINAL and not (status in NO_BODY and body)
    sent = [(name, value) for name, value in fields if name.lower() not in OF_FRAMING]
    reply = Reply(status if can_be_sent else 200, headers=sent, body=body)
    raw_headers = tuple([(name.encode(), value.encode()) for name, value in fields])
    return Content(CIMultiDictProxy(CIMultiDict(fields)), raw_headers, reply)


shared_content = lru_cache(maxsize=256)(new_content)

LONGEST_SHARED = 4096
"""The bytes of a body up to which what sends it is kept."""
REDIRECTS = (301, 302, 303, 307, 308)
NO_BODY = (204, 304)
FINAL = range(200, 1000)
OF_FRAMING = frozenset({"connection", "content-encoding", "content-length", "transfer-encoding"})
