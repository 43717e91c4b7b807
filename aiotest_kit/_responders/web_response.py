"""What handlers of aiohttp's server return, as replies. Knows nothing of exchanges."""

from __future__ import annotations

from aiohttp import payload, web
from aiohttp.abc import AbstractStreamWriter
from multidict import CIMultiDict

from .._http.reply import NO_BODY, Reply, phrase
from .._messages.exceptions import UsageError
from .._messages.wording import describe, one_line

__all__ = ["RETURNS", "Collected", "no_response", "reply_of"]


def no_response(result: object, handler: object = None) -> TypeError | None:
    """What is wrong with a result that a handler of aiohttp's server returned, if anything is.

    aiohttp tells the client that there was an error, and its log what it was.
    """
    if hasattr(result, "prepare"):
        return None
    who = "a handler" if handler is None else f"handler {describe(handler)}"
    return TypeError(f"{who} returned {one_line(result)}; aiohttp's server sends a web.StreamResponse")


RETURNS = "return a Reply, web.Response, dict, list, str, bytes or a status"


async def reply_of(response: web.StreamResponse) -> Reply:
    """The reply that an aiohttp response stands for; its headers are those that aiohttp would send.

    Raises:
        UsageError: it has no body until an app sends it, such as a `FileResponse`.
    """
    if not isinstance(response, web.Response):
        raise UsageError(
            f"a {type(response).__name__} is sent by aiohttp's own server, as that of route.serve(handler); "
            f"or {RETURNS}"
        )
    body = response.body
    if isinstance(body, payload.Payload):
        collected = Collected()
        await body.write(collected)
        body = bytes(collected.data)
    headers = CIMultiDict(response.headers)
    for cookie in response.cookies.values():
        headers.add("Set-Cookie", cookie.OutputString())
    if body:
        headers.setdefault("Content-Type", "application/octet-stream")
    if response.status in NO_BODY:
        body = None
    # A response that had to send nothing has no reason of its own.
    reason = response.reason or phrase(response.status)
    return Reply(response.status, headers=headers, body=bytes(body or b""), reason=reason)


class Collected(AbstractStreamWriter):
    """A stream writer that keeps what is written."""

    def __init__(self) -> None:
        self.data = bytearray()

    async def write(self, chunk: bytes | bytearray | memoryview) -> None:
        self.data += chunk

    async def write_eof(self, chunk: bytes = b"") -> None: ...

    async def drain(self) -> None: ...

    def enable_compression(self, *args: object, **kwargs: object) -> None: ...

    def enable_chunking(self) -> None: ...

    async def write_headers(self, status_line: str, headers: CIMultiDict[str]) -> None: ...
