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
from multidict import CIMultiDict
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
    "Sent",
    "Shown",
    "StubOptions",
    "is_shared",
    "reply_of",
]

Headers: TypeAlias = "Mapping[str, str]"
ResponseClass: TypeAlias = "Callable[..., ClientResponse]"

Sent: TypeAlias = "tuple[int, tuple[tuple[str, str], ...], bytes]"
"""What a reply sends: status, headers and body."""

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
        self.headers = headers
        self.content_type = content_type
        self.response_class = response_class
        self.repeat = repeat
        self.reason = reason
        self.callback = callback
        self.left = None if repeat is True else max(int(repeat), 1)

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

    async def result(self, url: URL, keywords: Mapping[str, Any]) -> Result:
        """What to answer, once it was taken: what the callback returns, if it is there and does, or the stub.

        One whose callback raises is there for the next call.
        """
        if self.callback is None:
            return self
        try:
            result = self.callback(url, **keywords)
            return (await result if inspect.isawaitable(result) else result) or self
        except BaseException:
            if self.left is not None:
                self.left += 1
            raise


class Shown(NamedTuple):
    """What a response shows, which is what the stub says, and more than HTTP could carry.

    A body behind a 204, a `Content-Length` that is not the body's, a status of 999. What is sent is as near
    to it as HTTP allows.
    """

    url: URL
    method: str
    status: int
    reason: str
    headers: CIMultiDict[str]
    body: bytes
    response_class: ResponseClass | None

    @classmethod
    def of(cls, result: Result, url: URL) -> Shown:
        """What `result` says to a request for `url`."""
        body = result.body if result.payload is None else json.dumps(result.payload)
        headers = CIMultiDict({hdrs.CONTENT_TYPE: result.content_type})
        if result.headers:
            headers.update(result.headers)
        return cls(
            url,
            result.method,
            result.status,
            REASONS.get(result.status, "") if result.reason is None else result.reason,
            headers,
            body if isinstance(body, bytes) else str.encode(body),
            result.response_class,
        )

    @property
    def location(self) -> URL | None:
        """Where a client that follows redirects goes from here."""
        if self.status in REDIRECTS and hdrs.LOCATION in self.headers:
            return self.url.join(URL(self.headers[hdrs.LOCATION]))
        return None

    def sent(self) -> Sent:
        """What is sent for it."""
        has_no_body = self.status in NO_BODY and self.body
        status = self.status if self.status in FINAL and not has_no_body else 200
        headers = [(name, value) for name, value in self.headers.items() if name.lower() not in OF_FRAMING]
        return status, tuple(headers), self.body


def is_shared(sent: Sent) -> bool:
    """Whether it is so short that what sends it is kept for the next time."""
    return len(sent[2]) <= LONGEST_SHARED


def reply_of(sent: Sent) -> Reply:
    """The reply that sends it, one and the same for the same: the tests of a suite repeat them."""
    return shared_reply(sent) if is_shared(sent) else new_reply(sent)


def new_reply(sent: Sent) -> Reply:
    """A reply that sends it."""
    status, headers, body = sent
    return Reply(status, headers=headers, body=body)


shared_reply = lru_cache(maxsize=256)(new_reply)

LONGEST_SHARED = 4096
"""The bytes of a body up to which what sends it is kept."""

REDIRECTS = (301, 302, 303, 307, 308)
NO_BODY = (204, 304)
FINAL = range(200, 600)
OF_FRAMING = frozenset({"connection", "content-encoding", "content-length", "transfer-encoding"})
