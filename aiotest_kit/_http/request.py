"""What was said on a connection: `Request`, `Call`, and the log of calls.

Values only. Knows HTTP's vocabulary and how bodies are encoded. Knows nothing of routes, sockets,
sessions or pytest.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl

import aiohttp
from multidict import CIMultiDict, CIMultiDictProxy, MultiDict, MultiDictProxy
from yarl import URL

from .._messages.masking import without_secrets
from .._messages.wording import one_line
from .body import body_cut
from .content_coding import decompressed
from .json_text import load_json
from .multipart import Part, boundary_of, charset_of, read_part, split_multipart

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


__all__ = ["Origin", "Request", "parse_cookies"]

DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
NO_MATCH_INFO: Mapping[str, str] = {}
UNREAD: Any = object()


class Origin(NamedTuple):
    """A scheme, host and port (RFC 6454), as one connection has it.

    `host` is lower case, in its ASCII form (punycode), an IPv6 address without brackets; a dot at its end,
    which aiohttp does not send either, is left out. `scheme` is `http` or `https`: a websocket's `ws` and
    `wss` are the same origins. Or it is a scheme of a connector that speaks HTTP by another way, such as
    `unix` or `tcp`; `port` is 0 where a URL of that names none.
    """

    scheme: str
    host: str
    port: int

    @staticmethod
    @lru_cache(maxsize=1024)
    def of(url: URL) -> Origin:
        """The origin of an absolute URL."""
        scheme = {"ws": "http", "wss": "https"}.get(url.scheme, url.scheme)
        return Origin(
            scheme, (url.raw_host or "").lower().rstrip("."), url.port or DEFAULT_PORTS.get(scheme, 0)
        )

    @property
    def netloc(self) -> str:
        """`host:port`, without the port where it is the scheme's own, or none."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port in (0, DEFAULT_PORTS.get(self.scheme)) else f"{host}:{self.port}"

    @property
    def place(self) -> tuple[str, int]:
        """The host and port that its requests name as their `Host`."""
        return self.host, self.port or DEFAULT_PORTS["http"]

    def __str__(self) -> str:
        return f"{self.scheme}://{self.netloc}"


class Request:
    """A request as the peer received it. Read-only.

    Headers are those on the wire: what aiohttp added is there, `raw_headers` in the order and case sent.
    The body is whole, and its transfer encoding undone; in the record of a call it may be cut, and
    `body_length` is what it was. A compressed one stays so: `text()`, `json()`,
    `post()` and `multipart()` read its `content`. `match_info` has the captures of the route that answered,
    unquoted; it is empty before. `keep_alive` says whether the client will use the connection again
    (RFC 9112, 9.3).
    """

    __slots__ = (
        "__weakref__",
        "_headers",
        "_match_info",
        "_parsed",
        "_url",
        "body",
        "body_length",
        "keep_alive",
        "method",
        "origin",
        "raw_headers",
        "target",
        "version",
    )

    method: str
    origin: Origin
    target: str
    raw_headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    body_length: int
    version: str
    keep_alive: bool
    _match_info: Mapping[str, str]
    _url: URL | None
    _headers: CIMultiDictProxy[str] | None
    _parsed: object

    def __init__(
        self,
        method: str,
        origin: Origin,
        target: str,
        raw_headers: tuple[tuple[bytes, bytes], ...] = (),
        body: bytes = b"",
        version: str = "1.1",
        keep_alive: bool = True,
    ) -> None:
        fix = super().__setattr__
        fix("method", method)
        fix("origin", origin)
        fix("target", target)
        fix("raw_headers", raw_headers)
        fix("body", body)
        fix("body_length", len(body))
        fix("version", version)
        fix("keep_alive", keep_alive)
        fix("_match_info", NO_MATCH_INFO)
        fix("_url", None)
        fix("_headers", None)
        fix("_parsed", UNREAD)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a Request is read-only; {name!r} cannot be set")

    def with_body(self, body: bytes) -> Request:
        """Another request that has this body, and of which no route has been found yet."""
        fields = self.method, self.origin, self.target, self.raw_headers, body
        return Request(*fields, self.version, self.keep_alive)

    def shortened(self, body: bytes, length: int) -> Request:
        """The same request with the beginning of a body that has this length."""
        request = self.with_body(body)
        request.capture(self.match_info)
        object.__setattr__(request, "body_length", length)
        return request

    @property
    def is_cut(self) -> bool:
        """Whether only the beginning of its body is there."""
        return self.body_length > len(self.body)

    def without_body(self) -> Request:
        """The request as it is when only its head has come; itself if it has no body."""
        if not self.body:
            return self
        request = self.with_body(b"")
        request.capture(self.match_info)
        return request

    def __repr__(self) -> str:
        return without_secrets(f"<Request {self.method} {self.url}>")

    @property
    def url(self) -> URL:
        """The absolute URL, encoded as it was on the wire."""
        url = self._url
        if url is None:
            # A target in asterisk- or authority-form has no path (RFC 9112, 3.2.3 and 3.2.4).
            path = self.target if self.target.startswith("/") else ""
            url = URL(f"{self.origin}{path}", encoded=True)
            super().__setattr__("_url", url)
        return url

    @property
    def raw_path(self) -> str:
        """The path as it was on the wire, without the query."""
        return self.target.partition("?")[0]

    @property
    def path(self) -> str:
        """The decoded path, without the query."""
        return self.url.path

    @property
    def query(self) -> MultiDictProxy[str]:
        """The decoded query parameters, in order."""
        return self.url.query

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        """The header fields, as text; bytes outside UTF-8 are kept as surrogates (PEP 383)."""
        headers = self._headers
        if headers is None:
            headers = decode_headers(self.raw_headers)
            super().__setattr__("_headers", headers)
        return headers

    @property
    def cookies(self) -> Mapping[str, str]:
        """The cookies sent, by name (RFC 6265, 4.2)."""
        return parse_cookies(self.headers.getall("Cookie", ()))

    @property
    def match_info(self) -> Mapping[str, str]:
        """The captures of the route that answered, unquoted."""
        return self._match_info

    def capture(self, captures: Mapping[str, str]) -> None:
        """Note what the URL of the route that matches captured."""
        super().__setattr__("_match_info", captures)

    @property
    def content_type(self) -> str:
        """The media type without parameters, lower case; empty where there is none."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    @property
    def content(self) -> bytes:
        """The body without its content coding (RFC 9110, 8.4), if it has one that can be undone.

        Raises:
            UsageError: only the beginning of the body is there.
        """
        if self.body_length > len(self.body):
            raise body_cut(f"{self.method} {self.url}", len(self.body), self.body_length)
        codings = self.headers.get("Content-Encoding")
        return decompressed(codings, self.body) if codings and self.body else self.body

    def text(self) -> str:
        """The body as text, in the charset that `Content-Type` names, UTF-8 by default.

        Raises:
            UnicodeDecodeError: the body is not in that charset.
        """
        return self.content.decode(charset_of(self.headers))

    def json(self) -> Any:
        """The body parsed as JSON, whatever its `Content-Type`; a new object at each call.

        Raises:
            ValueError: the body is not JSON, or is nested too deep.
        """
        try:
            return load_json(self.content)
        except json.JSONDecodeError as exc:
            wrong = f"{exc.msg} in the body {one_line(self.content, 60)} of {self.method} {self.url}"
            raise json.JSONDecodeError(without_secrets(wrong), exc.doc, exc.pos) from None

    def json_or(self, missing: object) -> object:
        """The body parsed as JSON, once for all who ask and so not to be changed; `missing` if it is none."""
        parsed = missing if self.is_cut else self._parsed
        if parsed is UNREAD:
            try:
                parsed = self.json()
            except ValueError:
                parsed = missing
            super().__setattr__("_parsed", parsed)
        return parsed

    def post(self) -> MultiDictProxy[str | Part]:
        """The fields of a form, in order: text, or a `Part` for an uploaded file.

        Both encodings of HTML forms are read: `application/x-www-form-urlencoded` and
        `multipart/form-data`. As in aiohttp, other bodies have no fields.

        Raises:
            ValueError: a multipart body that is malformed.
        """
        fields: MultiDict[str | Part] = MultiDict()
        if self.content_type == "application/x-www-form-urlencoded":
            encoding = charset_of(self.headers)
            pairs = parse_qsl(self.content.decode(encoding), keep_blank_values=True, encoding=encoding)
            fields.extend(pairs)
        elif self.content_type == "multipart/form-data":
            for part in self.multipart():
                # A field with a content type of its own but no file name is still a field (RFC 7578, 4.4).
                fields.add(part.name or "", part.text() if part.filename is None else part)
        return MultiDictProxy(fields)

    def multipart(self) -> list[Part]:
        """The parts of a `multipart/*` body, in order; nested ones stay whole.

        Raises:
            ValueError: the body is not multipart, or malformed.
        """
        if not self.content_type.startswith("multipart/"):
            raise ValueError(f"not a multipart body: Content-Type is {self.content_type or None!r}")
        return [read_part(section) for section in split_multipart(boundary_of(self.headers), self.content)]


def decode_headers(raw: tuple[tuple[bytes, bytes], ...]) -> CIMultiDictProxy[str]:
    """Raw header fields as text, as aiohttp's own parser decodes them."""
    return CIMultiDictProxy(
        CIMultiDict(
            (name.decode("utf-8", "surrogateescape"), value.decode("utf-8", "surrogateescape"))
            for name, value in raw
        )
    )


TOKEN = r"[!#-:<>-\[\]-~]"
"""A visible ASCII character that ends no part of a cookie: not one of `"`, `;`, `=` and the backslash."""

QUOTED = r'"(?:[^\\"]|\\.)*"'
HTTP_DATE = r"(?:\w{3}|\w{3,6}day),\s[\w\s-]{9,11}\s[\d:]{8}\s(?:GMT|[+-]\d{4})"
ASCTIME = r"\w{3}\s+\w{3}\s+[\s\d]\d\s+(?:\d\d:){2}\d\d\s+\d{4}"

COOKIE = re.compile(
    rf"""\s*({TOKEN}+)(?:\s*=\s*({QUOTED}|"[^";]*|{HTTP_DATE}|{ASCTIME}|(?:{TOKEN}|=)*))?\s*(?:\s|;|$)""",
    re.ASCII,
)
COOKIE_NAME = re.compile(r"[!#-+\--:<>-\[\]-~]+")

READS_NAMES_ALONE = tuple(map(int, aiohttp.__version__.split(".")[:2])) >= (3, 12)
"""Whether aiohttp's server reads a cookie without a value. Before, it read no cookie beside one."""


def parse_cookies(fields: tuple[str, ...] | list[str]) -> dict[str, str]:
    """Cookies of `Cookie` header fields by name, the last of a name winning.

    Read as aiohttp's newest server does: a name alone has an empty value, a blank ends a cookie too, and what
    is malformed hides nothing behind it. With an aiohttp before 3.12, a name alone hides the whole field.
    """
    cookies: dict[str, str] = {}
    for field in fields:
        pairs = list(cookie_pairs(field))
        if READS_NAMES_ALONE or all(value is not None for _, value in pairs):
            cookies |= {name: unquoted(value or "") for name, value in pairs if COOKIE_NAME.fullmatch(name)}
    return cookies


def cookie_pairs(field: str) -> Iterator[tuple[str, str | None]]:
    """The names and values of a `Cookie` field, quotes included; None is the value of a name alone."""
    position = 0
    while position < len(field):
        found = COOKIE.match(field, position)
        if found is not None:
            yield found[1], found[2]
            position = found.end()
            continue
        end = field.find(";", position)
        end = len(field) if end < 0 else end
        name, separator, value = field[position:end].partition("=")
        if separator:
            yield name.strip(), value.strip()
        position = end + 1


ESCAPED = re.compile(r"\\(?:([0-3][0-7][0-7])|(.))")


def unquoted(value: str) -> str:
    """The value of a cookie without its quotes, and without the escapes that `http.cookies` writes there."""
    if len(value) < 2 or not value.startswith('"') or not value.endswith('"'):
        return value
    return ESCAPED.sub(lambda match: chr(int(match[1], 8)) if match[1] else match[2], value[1:-1])
