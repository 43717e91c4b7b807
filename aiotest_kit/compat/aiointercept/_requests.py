"""A recorded request, with the reading side of `aiohttp.web.Request`."""

from __future__ import annotations

import io
import json as jsonlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypedDict

from aiohttp import web
from multidict import MultiDict, MultiDictProxy
from yarl import URL

from .compat import normalize_url

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from multidict import CIMultiDictProxy

    from ... import Request

__all__ = ["AiointerceptRequest", "AiointerceptRequestKwargs", "address_of", "canonical_url"]


class AiointerceptRequestKwargs(TypedDict):
    """What a callback is given beside the URL."""

    headers: Mapping[str, str]
    query: Mapping[str, Sequence[str]]
    json: Any
    data: bytes | None


def address_of(request: Request) -> URL:
    """Where a request was sent to, by its `Host`."""
    host = request.headers.get("Host")
    return address(request.origin.scheme, host, request.target) if host else request.url


@lru_cache(maxsize=1024)
def address(scheme: str, host: str, target: str) -> URL:
    """The URL of its parts, as they are on the wire."""
    return URL(f"{scheme}://{host}{target}", encoded=True)


def canonical_url(request: Request) -> URL:
    """The URL under which a request is recorded."""
    return canonical(address_of(request))


canonical = lru_cache(maxsize=1024)(normalize_url)


class AiointerceptRequest:
    """A recorded request: what one reads of an `aiohttp.web.Request`, at any time, and three names more.

    `captured_body` is the body, None if there was none; `canonical_url` is the URL that `requests` has it
    under; `kwargs` are the keywords that a callback is given.
    """

    def __init__(self, request: Request) -> None:
        self._request = request
        self.canonical_url: URL = canonical_url(request)
        self.captured_body: bytes | None = request.content or None

    def __repr__(self) -> str:
        return f"<AiointerceptRequest {self.method} {self.path} >"

    @property
    def kwargs(self) -> AiointerceptRequestKwargs:
        """`headers`, `query` with a list for each name, `json` (None if the body is none) and `data`."""
        query = self.query
        return {
            "headers": self.headers,
            "query": {name: query.getall(name) for name in dict.fromkeys(query)},
            "json": self._request.json_or(None),
            "data": self.captured_body,
        }

    @property
    def method(self) -> str:
        """The method, upper case."""
        return self._request.method

    @property
    def url(self) -> URL:
        """The URL that was asked for, with its true scheme."""
        return address_of(self._request)

    @property
    def rel_url(self) -> URL:
        """The URL without its origin."""
        return self.url.relative()

    @property
    def scheme(self) -> str:
        """`http` or `https`."""
        return self.url.scheme

    @property
    def secure(self) -> bool:
        """Whether the scheme is `https`."""
        return self.scheme == "https"

    @property
    def host(self) -> str:
        """The `Host` header."""
        return self.headers.get("Host", self._request.origin.netloc)

    @property
    def remote(self) -> str:
        """Where the client was: on this machine."""
        return "127.0.0.1"

    @property
    def path(self) -> str:
        """The decoded path."""
        return self.url.path

    @property
    def path_qs(self) -> str:
        """The path with the query, as sent."""
        return str(self.rel_url)

    @property
    def raw_path(self) -> str:
        """The path with the query, as sent."""
        return self._request.target

    @property
    def query(self) -> MultiDictProxy[str]:
        """The parameters."""
        return self.url.query

    @property
    def query_string(self) -> str:
        """The decoded query."""
        return self.url.query_string

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        """The headers, as they were sent."""
        return self._request.headers

    @property
    def raw_headers(self) -> tuple[tuple[bytes, bytes], ...]:
        """The headers as bytes."""
        return self._request.raw_headers

    @property
    def cookies(self) -> Mapping[str, str]:
        """The cookies by name."""
        return self._request.cookies

    @property
    def content_type(self) -> str:
        """The media type, `application/octet-stream` where the request names none."""
        return self._request.content_type or "application/octet-stream"

    @property
    def content_length(self) -> int | None:
        """The length that the request says it has."""
        length = self.headers.get("Content-Length")
        return None if length is None else int(length)

    @property
    def body_exists(self) -> bool:
        """Whether there was a body."""
        return self.captured_body is not None

    can_read_body = body_exists

    async def read(self) -> bytes:
        """The body."""
        return self._request.content

    async def text(self) -> str:
        """The body as text."""
        return self._request.text()

    async def json(self, *, loads: Callable[[str], Any] = jsonlib.loads) -> Any:
        """The body, parsed."""
        return loads(self._request.text())

    async def post(self) -> MultiDictProxy[str | web.FileField]:
        """The fields of a form, files among them."""
        fields: MultiDict[str | web.FileField] = MultiDict()
        for name, value in self._request.post().items():
            if isinstance(value, str):
                fields.add(name, value)
            else:
                file = io.BufferedReader(io.BytesIO(value.body))
                filename = value.filename or ""
                fields.add(name, web.FileField(name, filename, file, value.content_type, value.headers))
        return MultiDictProxy(fields)
