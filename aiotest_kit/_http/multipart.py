"""The parts of multipart bodies (RFC 2046, 5.1; RFC 7578). Bytes to values; knows nothing of requests."""

from __future__ import annotations

import email
import email.message
import email.utils
from dataclasses import dataclass
from typing import TYPE_CHECKING

from multidict import CIMultiDict, CIMultiDictProxy

if TYPE_CHECKING:
    from collections.abc import Mapping


__all__ = ["Part", "boundary_of", "charset_of", "read_part", "split_multipart"]


@dataclass(frozen=True)
class Part:
    """One part of a `multipart/*` body (RFC 2046, RFC 7578).

    `body` is the part's content after its own transfer encoding was undone. `name` and `filename` come
    from `Content-Disposition`, None where it has none.
    """

    name: str | None
    filename: str | None
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def content_type(self) -> str:
        """The media type without parameters, `text/plain` where the part names none (RFC 2046, 5.1)."""
        return self.headers.get("Content-Type", "text/plain").partition(";")[0].strip().lower()

    def text(self) -> str:
        """The content decoded with the part's charset, UTF-8 by default."""
        return self.body.decode(charset_of(self.headers))


def charset_of(headers: Mapping[str, str]) -> str:
    """The charset that `Content-Type` names, `utf-8` by default."""
    for parameter in headers.get("Content-Type", "").split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip("\"'") or "utf-8"
    return "utf-8"


def split_multipart(boundary: bytes, body: bytes) -> list[bytes]:
    """What stands between the delimiters, preamble and epilogue left out (RFC 2046, 5.1.1).

    Raises:
        ValueError: there is no closing delimiter.
    """
    sections: list[bytes] = []
    for section in (b"\r\n" + body).split(b"\r\n--" + boundary):
        if section.startswith(b"--") and sections:
            return sections[1:]
        padding, line_end, rest = section.partition(b"\r\n")
        if sections and padding.strip(b" \t"):
            # A longer boundary that begins with this one is content, not a delimiter.
            sections[-1] += b"\r\n--" + boundary + section
        else:
            sections.append(rest if line_end else section)
    raise ValueError(f"a multipart body without its closing delimiter --{boundary.decode()}--")


def read_part(section: bytes) -> Part:
    """One part, from the bytes between two delimiters."""
    head, blank, content = section.partition(b"\r\n\r\n")
    if section.startswith(b"\r\n"):
        head, blank, content = b"", b"\r\n", section[2:]
    if not blank:
        raise ValueError("a part of a multipart body without the empty line behind its headers")
    # Names of fields and files may be plain UTF-8 (RFC 7578, 5.1), which the parser for bytes would lose.
    message = email.message_from_string(head.decode("utf-8", "surrogateescape") + "\r\n\r\n")
    if "Content-Transfer-Encoding" in message:
        message.set_payload(content.decode("ascii", "surrogateescape"))
        content = bytes(message.get_payload(decode=True))
    name = message.get_param("name", header="Content-Disposition")
    return Part(
        name=email.utils.collapse_rfc2231_value(name) if name is not None else None,
        filename=message.get_filename(),
        headers=CIMultiDictProxy(CIMultiDict((key, str(value)) for key, value in message.items())),
        body=content,
    )


def boundary_of(headers: Mapping[str, str]) -> bytes:
    """The boundary that a `multipart/*` content type names."""
    message = email.message.Message()
    message["Content-Type"] = headers.get("Content-Type", "")
    boundary = message.get_boundary()
    if not boundary:
        raise ValueError(f"a multipart body without a boundary: Content-Type is {message['Content-Type']!r}")
    return boundary.encode()
