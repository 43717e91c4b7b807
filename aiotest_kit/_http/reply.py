"""What is sent back: `Reply`, a status with headers and a body, and how each is encoded and checked.

A value. Knows HTTP's vocabulary. Knows nothing of connections, of routes, or of answers that take time.
"""

from __future__ import annotations

import json as jsonlib
import math
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from http import HTTPStatus
from http.cookies import CookieError, Morsel, SimpleCookie
from typing import TYPE_CHECKING, Any, TypedDict
from urllib.parse import urlencode

from multidict import CIMultiDict, CIMultiDictProxy

from .._messages.exceptions import UsageError
from .._messages.wording import one_line
from .._options import check_options
from .body import body_cut
from .content_coding import compress
from .json_text import load_json

if TYPE_CHECKING:
    from typing_extensions import Never, Unpack

__all__ = [
    "BODY_OPTIONS",
    "NO_BODY",
    "Reply",
    "ReplyOptions",
    "as_reply",
    "checked_delay",
    "checked_headers",
    "checked_text",
    "encode_form",
    "encode_json",
    "given_options",
    "phrase",
    "reply_as_sent",
    "reply_of_status",
    "with_body",
    "with_fields",
    "with_head",
]


JSON = "application/json"
LONGEST_SHARED = 4096
"""Bytes of a JSON body up to which equal replies are one."""

NO_BODY = frozenset({204, 304})
"""Statuses of replies that have no body (RFC 9110, 6.4.1)."""

AT_ONCE = 256 * 1024
"""Bytes of a body up to which a reply is written at once; a longer one goes out as the client takes it."""


class ReplyOptions(TypedDict, total=False):
    """The keywords of a reply; see `Reply`."""

    json: object
    text: str | None
    html: str | None
    body: bytes | str | None
    form: Mapping[str, object] | Iterable[tuple[str, object]] | None
    headers: Mapping[str, str | list[str]] | Iterable[tuple[str, str]] | None
    cookies: Mapping[str, str | Morsel[str]] | None
    reason: str | None
    content_type: str | None
    compress: str | None
    delay: float | None
    trailers: Mapping[str, str] | None


class Reply:
    """A status, headers and a body, as they will be sent. Read-only.

    Give the body as at most one of `json`, `text`, `html`, `body` or `form`; each but `body` sets
    `Content-Type`, which `content_type` or a header overrides. `headers` may repeat a name by a list of
    values. `cookies` become `Set-Cookie` fields with `Path=/`. `reason` is by default the registered
    phrase. `compress` is `gzip`, `deflate`, `br` or `zstd`. `delay` is in seconds, before the first byte.
    `trailers` make the body chunked and follow it (RFC 9110, 6.5). None for any of these is "not given", but
    for `json`, of which it is null.

    Beside these, only the framing that the body needs is sent: no `Date`, no `Server`.

    Raises:
        UsageError: a keyword is unknown, two contradict each other, or a value cannot be sent.
    """

    __slots__ = (
        "body",
        "body_length",
        "delay",
        "headers",
        "kept",
        "reason",
        "sent_as",
        "status",
        "trailers",
    )

    status: int
    reason: str
    headers: CIMultiDictProxy[str]
    body: bytes
    body_length: int
    """What the body had; more than it has where it was cut in the record of a call."""
    delay: float
    trailers: CIMultiDictProxy[str] | None
    sent_as: tuple[bytes, bool] | None
    """Its bytes for a plain request, and whether the connection ends with them, once it was sent."""
    kept: Reply | None
    """What the record keeps of it, once that was asked for."""

    def __init__(self, status: int = 200, *more: Never, **options: Unpack[ReplyOptions]) -> None:
        if more:
            raise UsageError(
                f"Reply({status!r}, {one_line(more[0], 60)}): a body needs its name, as in "
                "Reply(200, json={...})"
            )
        given = given_options(options)
        check_reply_options(given)
        fix = super().__setattr__
        fix("status", checked_status(status))
        fix("reason", checked_text("reason", given["reason"]) if "reason" in given else phrase(status))
        body, content_type = encode_body(given)
        if body and status in NO_BODY:
            raise UsageError(
                f"a reply with status {status} has no body (RFC 9110, 6.4.1); got {one_line(body)}"
            )
        headers = checked_headers(given["headers"]) if "headers" in given else CIMultiDict()
        if "content_type" in given:
            headers["Content-Type"] = checked_text("content_type", given["content_type"])
        elif content_type is not None:
            headers.setdefault("Content-Type", content_type)
        if "cookies" in given:
            headers.extend(cookie_fields(given["cookies"]))
        if "compress" in given:
            body = compress(given["compress"], body)
            headers.setdefault("Content-Encoding", given["compress"])
        trailers = given.get("trailers")
        if "Content-Length" in headers:
            check_length(headers["Content-Length"], body, bool(trailers))
        fix("headers", CIMultiDictProxy(headers))
        fix("body", body)
        fix("delay", checked_delay(given["delay"]) if "delay" in given else 0.0)
        fix("trailers", CIMultiDictProxy(checked_headers(trailers)) if trailers else None)
        fix("sent_as", None)
        fix("kept", None)
        fix("body_length", len(body))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a Reply is read-only; make another one instead of setting {name!r}")

    def __repr__(self) -> str:
        body = f", body={one_line(self.body, 60)}" if self.body else ""
        return f"Reply({self.status}{body})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Reply):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in STATED)

    def __hash__(self) -> int:
        return hash((self.status, self.reason, self.body))

    @property
    def is_plain(self) -> bool:
        """Whether it is sent at once, in one piece."""
        return not self.delay and len(self.body) <= AT_ONCE

    def remember(self, data: bytes, last: bool) -> tuple[bytes, bool]:
        """Note what it was sent as; returns that."""
        super().__setattr__("sent_as", (data, last))
        return data, last

    def shortened(self, most: int) -> Reply:
        """The same reply with so many bytes of its body; one and the same for one that is sent often."""
        kept = self.kept
        if kept is None or len(kept.body) != most:
            kept = with_body(self, self.body[:most], self.body_length)
            object.__setattr__(self, "kept", kept)
        return kept

    def text(self) -> str:
        """The body as UTF-8 text.

        Raises:
            UsageError: only the beginning of the body is there.
        """
        self._check_whole()
        return self.body.decode()

    def json(self) -> Any:
        """The body parsed as JSON.

        Raises:
            UsageError: only the beginning of the body is there.
            ValueError: it is not JSON.
        """
        self._check_whole()
        return load_json(self.body)

    def _check_whole(self) -> None:
        if self.body_length > len(self.body):
            raise body_cut(f"a reply with status {self.status}", len(self.body), self.body_length)


to_json = jsonlib.JSONEncoder().encode

STATED = tuple(name for name in Reply.__slots__ if name not in ("sent_as", "kept", "body_length"))


def reply_of_status(status: int, options: ReplyOptions) -> Reply:
    """`Reply(status, **options)`; for a small JSON body alone, one and the same whenever it is asked for.

    Replies are values, and a suite makes the same ones for each of its tests.
    """
    if "status" in options:
        raise UsageError("status=: the status comes first, as in reply(404)")
    if len(options) == 1 and "json" in options:
        body = encode_json(options["json"])
        if len(body) <= LONGEST_SHARED:
            return json_reply(int(status), body)
    return Reply(status, **options)


@lru_cache(maxsize=256)
def json_reply(status: int, body: bytes) -> Reply:
    """A reply with a body that is JSON."""
    return Reply(status, body=body, content_type=JSON)


def as_reply(value: Reply | dict[str, Any] | list[Any] | str | bytes | int) -> Reply:
    """The reply that a plain value stands for."""
    if isinstance(value, Reply):
        return value
    if isinstance(value, int):
        return Reply(value)
    if isinstance(value, str):
        return Reply(text=value)
    if isinstance(value, bytes):
        return Reply(body=value)
    return Reply(json=value)


PHRASES = {status.value: status.phrase for status in HTTPStatus}


def phrase(status: int) -> str:
    """The registered reason phrase of a status, empty for one that has none."""
    return PHRASES.get(status, "")


def with_body(reply: Reply, body: bytes, length: int | None = None) -> Reply:
    """A reply that is another one but for its body, which is the beginning of one of `length`, if given."""
    made = altered(reply, body=body)
    if length is not None:
        object.__setattr__(made, "body_length", length)
    return made


def with_fields(reply: Reply, fields: Mapping[str, str]) -> Reply:
    """A reply that is another one but for some header fields."""
    headers = CIMultiDict(reply.headers)
    headers.update(fields)
    return altered(reply, headers=CIMultiDictProxy(headers))


def with_head(reply: Reply, status: int, reason: str, headers: Mapping[str, str]) -> Reply:
    """A reply that is another one but for its head."""
    return altered(reply, status=status, reason=reason, headers=CIMultiDictProxy(CIMultiDict(headers)))


def altered(reply: Reply, **values: object) -> Reply:
    """A reply that is another one but for some values; they are not checked."""
    return unchecked({**{name: getattr(reply, name) for name in STATED}, **values})


def unchecked(values: Mapping[str, Any]) -> Reply:
    """A reply that has these values, one for each of `STATED`."""
    reply = Reply.__new__(Reply)
    for name, value in values.items():
        object.__setattr__(reply, name, value)
    object.__setattr__(reply, "sent_as", None)
    object.__setattr__(reply, "kept", None)
    object.__setattr__(reply, "body_length", len(values["body"]))
    return reply


def reply_as_sent(status: int, reason: bytes | None, fields: Iterable[tuple[bytes, bytes]]) -> Reply:
    """The reply, without a body, that somebody else sent; nothing of it is checked."""
    text = [
        (name.decode("utf-8", "surrogateescape"), value.decode("utf-8", "surrogateescape"))
        for name, value in fields
    ]
    values: dict[str, object] = {
        "status": status,
        "reason": phrase(status) if reason is None else reason.decode("utf-8", "surrogateescape"),
        "headers": CIMultiDictProxy(CIMultiDict(text)),
        "body": b"",
        "delay": 0.0,
        "trailers": None,
    }
    return unchecked(values)


ALL_OPTIONS = ReplyOptions.__optional_keys__
BODY_OPTIONS = frozenset({"json", "text", "html", "body", "form"})


def given_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords of a reply that say something: None is "not given", but of `json` it is null."""
    return {name: value for name, value in options.items() if value is not None or name == "json"}


def check_reply_options(options: Mapping[str, object]) -> None:
    """Refuse unknown and contradicting keywords of a reply."""
    check_options(options, ALL_OPTIONS, "a reply")
    if len(options.keys() & BODY_OPTIONS) > 1:
        bodies = [name for name in options if name in BODY_OPTIONS]
        raise UsageError(f"a reply has one body; got {' and '.join(f'{name}=' for name in bodies)}")


def check_length(promised: str, body: bytes, has_trailers: bool) -> None:
    """Refuse a `Content-Length` that no client can make sense of; it may be longer than the body."""
    if not (promised.isascii() and promised.isdecimal()):
        raise UsageError(f"Content-Length {promised!r} is not a number of bytes; {RAW}")
    if int(promised) < len(body):
        raise UsageError(
            f"Content-Length {promised!r} is less than the {len(body)} bytes of the body, and a client would "
            f"take the rest for another reply; leave it out; {RAW}"
        )
    if has_trailers:
        raise UsageError("trailers= follow a chunked body, which has no Content-Length; leave that out")


def encode_body(options: Mapping[str, Any]) -> tuple[bytes, str | None]:
    """The bytes of a body and the content type that goes with it."""
    if "json" in options:
        return encode_json(options["json"]), JSON
    if "text" in options:
        return checked_str("text", options["text"]).encode(), "text/plain; charset=utf-8"
    if "html" in options:
        return checked_str("html", options["html"]).encode(), "text/html; charset=utf-8"
    if "form" in options:
        return encode_form(options["form"]), "application/x-www-form-urlencoded"
    body = options.get("body", b"")
    if isinstance(body, str):
        return body.encode(), None
    if isinstance(body, (bytes, bytearray, memoryview)):
        return bytes(body), None
    raise UsageError(f"body= is bytes or text; got {one_line(body)} (json= encodes objects)")


def encode_json(value: object) -> bytes:
    """A value as JSON."""
    try:
        return to_json(value).encode()
    except (TypeError, ValueError, RecursionError) as exc:
        raise UsageError(f"json= cannot be encoded: {exc}") from exc


def encode_form(form: Any) -> bytes:
    """The fields of a form, URL-encoded."""
    try:
        return urlencode(list(form.items() if isinstance(form, Mapping) else form), doseq=True).encode()
    except (TypeError, ValueError) as exc:
        raise UsageError(f"form= is a mapping or pairs; got {one_line(form)}") from exc


def checked_str(name: str, value: object) -> str:
    """The text of a body."""
    if isinstance(value, str):
        return value
    raise UsageError(f"{name}= is text; got {one_line(value)} (json= encodes objects, body= sends bytes)")


RAW = "route.raw(...) can send anything"


def checked_status(status: object) -> int:
    """`status` if a final response can have it (RFC 9110, 15)."""
    if isinstance(status, int) and not isinstance(status, bool) and 200 <= status <= 999:
        return int(status)
    raise UsageError(f"status {status!r} is not one of 200 to 999; {RAW}")


def checked_text(name: str, value: object) -> str:
    """`value` if it can stand in a line of a response's head."""
    if not isinstance(value, str):
        raise UsageError(f"{name} is text; got {one_line(value)}")
    if "\r" in value or "\n" in value or "\0" in value:
        raise UsageError(f"{name} {value!r} has a line end in it; {RAW}")
    return value


def checked_headers(given: object) -> CIMultiDict[str]:
    """Header fields from a mapping or pairs; a list of values repeats the name."""
    headers: CIMultiDict[str] = CIMultiDict()
    if not isinstance(given, Iterable):
        raise UsageError(f"headers are a mapping or pairs of text; got {one_line(given)}")
    try:
        for name, values in given.items() if isinstance(given, Mapping) else given:
            if not name or any(char in name for char in " :\r\n\0"):
                raise UsageError(f"{name!r} is not a header name; {RAW}")
            for value in values if isinstance(values, (list, tuple)) else [values]:
                headers.add(name, checked_text(f"header {name}", str(value) if type(value) is int else value))
    except (TypeError, ValueError) as exc:
        raise UsageError(f"headers are a mapping or pairs of text; got {one_line(given)}") from exc
    return headers


def checked_delay(delay: object) -> float:
    """`delay` if it is a time in seconds."""
    if isinstance(delay, (int, float)) and not isinstance(delay, bool) and 0 <= delay < math.inf:
        return float(delay)
    raise UsageError(f"a delay is in seconds, 0 or more; got {delay!r}")


def cookie_fields(cookies: object) -> Iterator[tuple[str, str]]:
    """The `Set-Cookie` fields of cookies by name."""
    if not isinstance(cookies, Mapping):
        raise UsageError(f"cookies= is a mapping of names to values; got {one_line(cookies)}")
    for name, value in cookies.items():
        yield "Set-Cookie", cookie_field(name, value)


def cookie_field(name: str, value: object) -> str:
    """The value of a `Set-Cookie` field (RFC 6265, 4.1)."""
    if isinstance(value, Morsel):
        return value.OutputString()
    jar: SimpleCookie = SimpleCookie()
    try:
        jar[name] = checked_text(f"cookie {name}", value)
    except CookieError as exc:
        raise UsageError(f"{name!r} is not a cookie name") from exc
    jar[name]["path"] = "/"
    return jar[name].OutputString()
