"""Messages to bytes: the one place that knows how HTTP/1.1 is written.

`render`, `head`, `chunk` and `last_chunk` turn a `Reply` into bytes. No I/O, no loop, no routes. RFC 9112.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from .reply import NO_BODY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .reply import Reply
    from .request import Request

__all__ = [
    "CONNECT_ESTABLISHED",
    "CONTINUE",
    "Framing",
    "chunk",
    "closes",
    "expects_continue",
    "framing_of",
    "head",
    "is_chunked",
    "last_chunk",
    "render",
    "request_head",
]

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
CONNECT_ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"

CONTENT_LENGTH = "Content-Length"


class Framing(enum.Enum):
    """How the end of a reply's body is told (RFC 9112, 6)."""

    NONE = "there is no body"
    LENGTH = "Content-Length"
    CHUNKED = "Transfer-Encoding: chunked"
    CLOSE = "the end of the connection"


def expects_continue(request: Request) -> bool:
    """Whether the client waits for `100 Continue` before it sends the body (RFC 9110, 10.1.1)."""
    return request.version == "1.1" and any(
        name.lower() == b"expect" and value.lower() == b"100-continue" for name, value in request.raw_headers
    )


def request_head(request: Request, target: str) -> bytes:
    """The head of a request as the client sent it, but for its target, which is in origin-form."""
    lines = [f"{request.method} {target} HTTP/{request.version}".encode("ascii", "surrogateescape")]
    lines.extend(name + b": " + value for name, value in request.raw_headers)
    return b"\r\n".join([*lines, b"", b""])


def is_chunked(request: Request) -> bool:
    """Whether the body of a request comes in chunks (RFC 9112, 7.1)."""
    return any(
        name.lower() == b"transfer-encoding" and b"chunked" in value.lower()
        for name, value in request.raw_headers
    )


def framing_of(
    reply: Reply, request: Request, length: int | None
) -> tuple[Framing, tuple[tuple[str, str], ...]]:
    """The framing of a reply to `request`, and the header fields that the reply lacks for it.

    `length` is that of the body, None where it is not known yet. What the reply itself says of its
    framing holds, right or wrong. Where the client asked for the end of the connection, the last reply says
    so too (RFC 9112, 9.6): aiohttp would keep it otherwise.
    """
    framing, fields = body_framing(reply, request, length)
    if not request.keep_alive and request.version == "1.1" and "Connection" not in reply.headers:
        fields = (*fields, ("Connection", "close"))
    return framing, fields


def body_framing(
    reply: Reply, request: Request, length: int | None
) -> tuple[Framing, tuple[tuple[str, str], ...]]:
    """The framing of the body of a reply, and the header fields that the reply lacks for it."""
    headers = reply.headers
    own = "Content-Length" in headers or "Transfer-Encoding" in headers
    if request.method == "HEAD" or reply.status in NO_BODY:
        # A HEAD is answered with the headers that a GET would have had (RFC 9110, 9.3.2).
        tells_length = not own and length is not None and reply.status not in NO_BODY
        return Framing.NONE, ((CONTENT_LENGTH, str(length)),) if tells_length else ()
    if "chunked" in headers.get("Transfer-Encoding", "").lower():
        return Framing.CHUNKED, ()
    if own:
        return Framing.LENGTH, ()
    if length is not None and not reply.trailers:
        return Framing.LENGTH, ((CONTENT_LENGTH, str(length)),)
    if request.version == "1.0":
        return Framing.CLOSE, ()
    return Framing.CHUNKED, (("Transfer-Encoding", "chunked"),)


def head(reply: Reply, request: Request, framing: Iterable[tuple[str, str]]) -> bytes:
    """The status line and headers of a reply, up to and with the empty line."""
    text = f"HTTP/{request.version} {reply.status} {reply.reason}\r\n"
    for name, value in reply.headers.items():
        text += f"{name}: {value}\r\n"
    for name, value in framing:
        text += f"{name}: {value}\r\n"
    return f"{text}\r\n".encode("utf-8", "surrogateescape")


def render(reply: Reply, request: Request) -> bytes:
    """All the bytes of a reply: exactly its headers, and the framing that its body needs."""
    framing, fields = framing_of(reply, request, len(reply.body))
    start = head(reply, request, fields)
    if framing is Framing.NONE:
        return start
    if framing is Framing.CHUNKED:
        return start + chunk(reply.body) + last_chunk(reply.trailers)
    return start + reply.body


def closes(reply: Reply, request: Request) -> bool:
    """Whether the connection ends with this reply.

    It does behind a CONNECT, where the client or the reply says so, and where a reply promises more bytes
    than it has: the client would wait for them.
    """
    if not request.keep_alive or "close" in reply.headers.get("Connection", "").lower():
        return True
    if request.method == "CONNECT":
        # What follows was meant for the other end of a tunnel that there is not.
        return True
    promised = reply.headers.get(CONTENT_LENGTH, "0")
    has_body = request.method != "HEAD" and reply.status not in NO_BODY
    return has_body and promised.isdecimal() and int(promised) > len(reply.body)


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body (RFC 9112, 7.1); nothing for no data, which would end the body."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


def last_chunk(trailers: Mapping[str, str] | None) -> bytes:
    """The end of a chunked body, with its trailer fields (RFC 9112, 7.1.2)."""
    fields = "".join(f"{name}: {value}\r\n" for name, value in (trailers or {}).items())
    return b"0\r\n" + fields.encode("utf-8", "surrogateescape") + b"\r\n"
