"""Bytes to messages: the requests that clients send, and the replies of other servers.

No I/O, no loop, no routes. RFC 9112, with the parser of Node.js (httptools).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import aiohttp
import httptools
from yarl import URL

from .body import RecordedBody
from .reply import reply_as_sent, with_body
from .request import DEFAULT_PORTS, Origin, Request
from .writers import is_chunked

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .body import BodyStream
    from .reply import Reply

__all__ = ["Refusal", "ReplyReader", "RequestReader", "declared_length", "refusal_of_length"]

Field = tuple[bytes, bytes]
MOST_KEPT_FIELDS = 1024
MOST_KEPT_REQUESTS = 256
LONGEST_KEPT_REQUEST = 4096
SWITCHING_PROTOCOLS = 101

BLANKS = b" \t" if tuple(map(int, aiohttp.__version__.split(".")[:2])) >= (3, 14) else b""
"""What aiohttp's server takes from the end of a header's value (RFC 9110, 5.5)."""

# What came whole and alone, and the request that it is. The same bytes are the same request on every
# connection to an origin, and a suite sends the same few in each of its tests: those are parsed once.
kept_requests: dict[tuple[bytes, Origin, bool], Request] = {}

# Beyond these a client is broken or hostile; common servers take a quarter of it. They keep what one
# connection can make us hold within bounds.
LONGEST_HEAD = 64 * 1024
LONGEST_BETWEEN = 4 * LONGEST_HEAD
MOST_FIELDS = 256
LONGEST_BODY = 256 * 1024 * 1024

HOST = re.compile(rb"(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::([0-9]{1,5}))?", re.IGNORECASE)
"""The value of a `Host` field: a literal IPv6 address, or a name or IPv4 address, and a port."""
LONGEST_HOST = 262


@dataclass(frozen=True)
class Refusal:
    """Why a connection is of no more use: a status (RFC 9110, 15.5), and what is wrong."""

    status: str
    text: str

    def render(self) -> bytes:
        """What the client is told."""
        body = self.text.encode("utf-8", "backslashreplace") + b"\n"
        fields = (
            f"Content-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}\r\nConnection: close"
        )
        return f"HTTP/1.1 {self.status}\r\n{fields}\r\n\r\n".encode() + body


VERSIONS = ("1.1", "1.0")
FRAMING_FIELDS = (b"content-length", b"transfer-encoding")
BAD_REQUEST = "400 Bad Request"
HEAD_TOO_LONG = Refusal(
    "431 Request Header Fields Too Large", f"the head of the request is longer than {LONGEST_HEAD} bytes"
)
TOO_MANY_FIELDS = Refusal(
    "431 Request Header Fields Too Large", f"the request has more than {MOST_FIELDS} header fields"
)
BODY_TOO_LONG = Refusal(
    "413 Content Too Large",
    f"the body of the request is longer than {LONGEST_BODY} bytes; route.raw(...) reads any",
)


class Refused(Exception):
    """Ends the parsing of what is refused."""


class RequestReader:
    """The requests in a stream of bytes.

    `origin` is what a request in origin-form is for, unless it goes `by_host` and its `Host` says otherwise
    (RFC 9112, 3.3); one in absolute-form (RFC 9112, 3.2.2) names its own. While the body of a request is on
    its way, `unfinished` is that request with an empty body, else None.
    """

    # Most header fields of a connection are the same in each request. Keeping one object of each makes a
    # recorded call several times smaller.
    _fields: dict[Field, Field]
    _diverted: BodyStream | None = None
    _upgrades = False
    """Whether another protocol follows the request that is being read, which has a body."""
    _body_is_due = False
    """Whether the parser has read the head of such a request, and not yet begun with the body."""

    def __init__(self, origin: Origin, *, by_host: bool = False) -> None:
        self.origin = origin
        self._by_host = by_host
        self.unfinished: Request | None = None
        self.upgrade: bytes | None = None
        """What followed a request that changes the protocol (CONNECT, Upgrade); None before that."""
        self.error: Refusal | None = None
        """What is wrong with what the client sent; the connection is of no more use then."""
        self._parser: httptools.HttpRequestParser | None = None
        self.is_idle = True
        """Whether what comes next begins a request."""

    def _begin(self) -> httptools.HttpRequestParser:
        """The parser, from the first bytes that it is needed for."""
        parser = self._parser = httptools.HttpRequestParser(self)
        self._complete: list[Request] = []
        self._fields = {}
        self._target = b""
        self._headers: list[Field] = []
        self._body: list[bytes] = []
        self._body_length = 0
        # Bytes that nothing has come of so far: part of a head, or what stands between pieces of a body.
        self._held = 0
        self._feeding = 0
        return parser

    @property
    def is_diverted(self) -> bool:
        """Whether the body of the unfinished request goes elsewhere."""
        return self._diverted is not None

    def divert(self, incoming: BodyStream) -> None:
        """Give the body of the unfinished request to `incoming` as it comes; `feed` does not return it."""
        self._diverted = incoming
        for data in self._body:
            incoming.feed(data)
        self._body = []

    def recall(self, data: bytes) -> Request | None:
        """The request that the same bytes were before; None if they are not known."""
        before = kept_requests.get((data, self.origin, self._by_host))
        return before and before.with_body(before.body)

    def remember(self, data: bytes, request: Request) -> None:
        """Keep a request that came whole and alone, unless it is a long one."""
        if len(data) <= LONGEST_KEPT_REQUEST:
            if len(kept_requests) >= MOST_KEPT_REQUESTS:
                kept_requests.clear()
            kept_requests[data, self.origin, self._by_host] = request

    def feed(self, data: bytes) -> list[Request]:
        """The requests that `data` completes, in order; `error` is set where what follows is not HTTP."""
        if self._parser is None:
            self._begin()
        complete = self._complete = []
        start = 0
        while start < len(data) and self.error is None and self.upgrade is None:
            # Up to where a head becomes too long: what is refused must not depend on how it was cut.
            end = start + self._limit + 1 - self._held
            self._feed_piece(data[start:end])
            start = end
        if self.upgrade is not None:
            self.upgrade += data[start:]
        return complete

    def _feed_piece(self, data: bytes) -> None:
        assert self._parser is not None
        self._feeding = len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as exc:
            rest = data[exc.args[0] :]
            if self.unfinished is not None:
                self._read_body(self.unfinished, rest)
            else:
                self.upgrade = rest
        except httptools.HttpParserError as exc:
            self.error = self.error or Refusal(BAD_REQUEST, str(exc))
        if not self.is_idle:
            self._held += self._feeding
            if self._held > self._limit and self.error is None:
                self.error = HEAD_TOO_LONG

    @property
    def _limit(self) -> int:
        """Bytes of which nothing need come: a head, or what stands between the pieces of a body."""
        return LONGEST_HEAD if self.unfinished is None else LONGEST_BETWEEN

    def _read_body(self, request: Request, data: bytes) -> None:
        """Read the body of a request for another protocol, which the parser takes for one without.

        The other protocol begins behind it (RFC 9110, 7.8). Another parser is given what says how long it is.
        """
        self._parser = httptools.HttpRequestParser(self)
        framing = [b": ".join(field) for field in request.raw_headers if field[0].lower() in FRAMING_FIELDS]
        self._feed_piece(b"\r\n".join([f"POST / HTTP/{request.version}".encode(), *framing, b"", b""]))
        self._body_is_due = False
        self._held = self._feeding = 0
        if data and self.error is None:
            self._feed_piece(data)

    def close(self) -> None:
        """Let go of the parser, which holds on to the reader."""
        self._parser = None

    # What follows is called by httptools, from within `feed`.

    def on_message_begin(self) -> None:
        self.is_idle = False

    def on_url(self, url: bytes) -> None:
        if not self._body_is_due:
            self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._body_is_due:
            return
        if self.unfinished is not None:
            self._check_trailer(name, value)
            return
        field = (name, value)
        known = self._fields.get(field)
        if known is None:
            known = (name, value.rstrip(BLANKS))
            if len(self._fields) < MOST_KEPT_FIELDS:
                self._fields[field] = known
        self._headers.append(known)

    def on_headers_complete(self) -> None:
        if self._body_is_due:
            return
        parser = self._parser
        assert parser is not None
        version = parser.get_http_version()
        self._check_head(version)
        target = self._target.decode("ascii", "surrogateescape")
        method = parser.get_method().decode("ascii")
        # What follows a request for another protocol is not read as HTTP; a tunnel is another matter.
        upgrades = method != "CONNECT" and parser.should_upgrade()
        keep_alive = parser.should_keep_alive() and not upgrades
        origin = host_of(self._headers, self.origin) if self._by_host else self.origin
        if not target.startswith("/"):
            try:
                origin, target = read_target(method, target, origin)
            except ValueError:
                # As it came, but for what is no text: the client is to recognize it.
                shown = self._target.decode("ascii", "backslashreplace")
                self.error = Refusal(BAD_REQUEST, f"{method} {shown} has no target that names a host")
                raise Refused from None
        headers = tuple(self._headers)
        request = self.unfinished = Request(method, origin, target, headers, b"", version, keep_alive)
        self._upgrades = self._body_is_due = upgrades and has_body(request)
        self._target = b""
        self._headers = []
        self._held = self._feeding = self._trailers = 0

    def on_body(self, body: bytes) -> None:
        self._held = self._feeding = 0
        if self._diverted is not None:
            self._diverted.feed(body)
            return
        self._body.append(body)
        self._body_length += len(body)
        if self._body_length > LONGEST_BODY:
            self.error = BODY_TOO_LONG
            raise Refused

    def on_message_complete(self) -> None:
        if self._body_is_due:
            return
        request = self.unfinished
        assert request is not None
        if self._upgrades:
            self.upgrade = b""
        if self._diverted is not None:
            self._end_diverted(self._diverted)
            return
        if self._body:
            request = request.with_body(self._body[0] if len(self._body) == 1 else b"".join(self._body))
            self._body = []
            self._body_length = 0
        self.unfinished = None
        self.is_idle = True
        self._held = 0
        self._complete.append(request)

    def _check_head(self, version: str) -> None:
        """Refuse a head with too many fields, or of another version."""
        if version not in VERSIONS:
            self.error = Refusal(BAD_REQUEST, f"this is HTTP/{version}, and not 1.1 or 1.0")
            raise Refused
        if len(self._headers) > MOST_FIELDS:
            self.error = TOO_MANY_FIELDS
            raise Refused

    def _check_trailer(self, name: bytes, value: bytes) -> None:
        """Refuse trailer fields that are too long; they are not kept (RFC 9112, 7.1.2)."""
        self._trailers += len(name) + len(value) + len(": \r\n")
        if self._trailers > LONGEST_HEAD:
            self.error = HEAD_TOO_LONG
            raise Refused

    def _end_diverted(self, incoming: BodyStream) -> None:
        self._diverted = None
        self.unfinished = None
        self.is_idle = True
        self._held = self._body_length = 0
        incoming.feed_eof()


class ReplyReader:
    """The reply in a stream of bytes that answers one request; interim ones (1xx) are skipped.

    `head` is the reply without its body, None before that has come.
    """

    def __init__(self, method: str) -> None:
        self.head: Reply | None = None
        self.complete: bool = False
        self.keep_alive: bool = True
        """Whether the connection can be used again."""
        self.switched: bool = False
        """Whether what follows is another protocol."""
        self._method = method
        self._body = RecordedBody()
        self._reason = b""
        self._fields: list[Field] = []
        self._parser = httptools.HttpResponseParser(self)

    @property
    def whole(self) -> Reply | None:
        """What was sent of the reply; without its body if that is longer than is kept."""
        return with_body(self.head, self._body.body, self._body.length) if self.head is not None else None

    def feed(self, data: bytes) -> None:
        """Read on.

        Raises:
            httptools.HttpParserError: it is no reply.
        """
        if self.complete:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.switched = self.complete = True

    # What follows is called by httptools, from within `feed`.

    def on_status(self, reason: bytes) -> None:
        self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields.append((name, value.rstrip(BLANKS)))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status >= 200 or status == SWITCHING_PROTOCOLS:
            self.head = reply_as_sent(status, self._reason, self._fields)
            # A HEAD is answered without the body that the headers speak of; the parser would wait for it, to
            # the end of the connection if they do not say how long it is.
            self.complete = self._method == "HEAD"
            if self.complete:
                connection = self.head.headers.get("Connection", "").lower()
                is_newer = self._parser.get_http_version() == "1.1"
                self.keep_alive = "close" not in connection if is_newer else "keep-alive" in connection
            else:
                self.keep_alive = self._parser.should_keep_alive()
        self._reason, self._fields = b"", []

    def on_body(self, body: bytes) -> None:
        self._body.add(body)

    def on_message_complete(self) -> None:
        self.complete = self.complete or self.head is not None


def host_of(headers: Iterable[Field], origin: Origin) -> Origin:
    """The origin that the `Host` of a request names; `origin` where it names none."""
    for name, value in headers:
        if name.lower() == b"host":
            return named_origin(value, origin) if len(value) <= LONGEST_HOST else origin
    return origin


@lru_cache(maxsize=1024)
def named_origin(host: bytes, origin: Origin) -> Origin:
    """The origin of the scheme of `origin` that a `Host` names; `origin` where that is not a host."""
    match = HOST.fullmatch(host)
    if match is None:
        return origin
    address, name, port = match.groups()
    number = int(port) if port else DEFAULT_PORTS[origin.scheme]
    return Origin(origin.scheme, (address or name).decode().lower(), number) if number < 65536 else origin


def read_target(method: str, target: str, origin: Origin) -> tuple[Origin, str]:
    """The origin and path of a target in absolute-, authority- or asterisk-form (RFC 9112, 3.2).

    Raises:
        ValueError: it names no host.
    """
    if target == "*":
        return origin, target
    url = URL(f"https://{target}" if method == "CONNECT" else target, encoded=True)
    if not url.raw_host:
        raise ValueError
    return Origin.of(url), target if method == "CONNECT" else url.raw_path_qs


def declared_length(request: Request) -> int:
    """The length of the body of a request of which the head has come; 0 if that does not tell."""
    lengths = [value for name, value in request.raw_headers if name.lower() == b"content-length"]
    return int(lengths[0]) if lengths and not is_chunked(request) else 0


def has_body(request: Request) -> bool:
    """Whether a request has a body, of which nothing has come yet (RFC 9112, 6.3)."""
    return is_chunked(request) or declared_length(request) > 0


def refusal_of_length(request: Request) -> Refusal | None:
    """Why a request of which the head has come is refused for the length of its body, if it is."""
    return BODY_TOO_LONG if declared_length(request) > LONGEST_BODY else None
