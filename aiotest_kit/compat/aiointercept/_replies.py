"""What is answered: the kit's replies, from aiointercept's keywords and callback results."""

from __future__ import annotations

import json as jsonlib
from collections.abc import AsyncIterable, Callable, Mapping
from typing import Any, TypeAlias

from aiohttp import hdrs

from ... import Reply

__all__ = ["JSON", "Body", "CallbackResult", "collected", "once", "options_of", "reply_of"]

Body: TypeAlias = "str | bytes | AsyncIterable[bytes]"

JSON = "application/json"
NO_BODY = (204, 304)


class CallbackResult:
    """What a callback returns: a status, a body and headers.

    `payload` is a body as JSON, and goes before `body`. `content_type` gives way to a header. `method` and
    `response_class` are there for aioresponses' sake and mean nothing.
    """

    def __init__(
        self,
        method: str = hdrs.METH_GET,
        status: int = 200,
        body: Body = "",
        content_type: str | None = JSON,
        payload: Any = None,
        headers: Mapping[str, str] | None = None,
        response_class: type[object] | None = None,
        reason: str | None = None,
    ) -> None:
        self.method = method
        self.status = status
        self.body = body
        self.content_type: str | None = None if has_content_type(headers) else content_type
        self.payload = payload
        self.headers = headers
        self.response_class = response_class
        self.reason = reason


def has_content_type(headers: Mapping[str, str] | None) -> bool:
    """Whether headers name a content type."""
    return any(name.lower() == "content-type" for name in headers or ())


def options_of(
    headers: Mapping[str, str] | None, content_type: str | None, reason: str | None
) -> dict[str, Any]:
    """The keywords of a reply; a content type among the headers goes before the other."""
    options: dict[str, Any] = {}
    if headers:
        options["headers"] = headers
    if content_type and not has_content_type(headers):
        options["content_type"] = content_type
    if reason is not None:
        options["reason"] = reason
    return options


def reply_of(status: int, body: Any, payload: Any, options: dict[str, Any]) -> Reply:
    """A reply with a body, or with a payload as JSON; a status that has no body goes without."""
    if status in NO_BODY:
        return Reply(status, **options)
    return Reply(status, **options, body=body if payload is None else jsonlib.dumps(payload))


async def collected(body: Body) -> str | bytes:
    """A body, whole."""
    return b"".join([piece async for piece in body]) if isinstance(body, AsyncIterable) else body


def once(body: AsyncIterable[bytes]) -> Callable[[], AsyncIterable[bytes]]:
    """A generator function that sends what is left of an iterable: all the first time, then nothing."""

    async def pieces() -> AsyncIterable[bytes]:
        async for piece in body:
            yield piece

    return pieces
