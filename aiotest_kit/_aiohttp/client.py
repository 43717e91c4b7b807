"""What of aiohttp's sessions, requests and responses is not documented, and nothing else.

`_aiohttp.connectors` and `_aiohttp.stand_ins` have the same for its connectors, `_aiohttp.server` for its
server. One function or class for each seam. Each was checked on aiohttp 3.10.11, 3.11.18, 3.12.15, 3.13.5 and
3.14.5, and `tests/unit/aiohttp` fails with "aiohttp moved ..." where a later one differs. Knows nothing of
routes or of what is at the other end.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import aiohttp
from aiohttp import helpers
from aiohttp.client_proto import ResponseHandler

from .._asyncio.loops import coroutines_of
from .._asyncio.patching import Detour

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterator
    from types import CodeType, CoroutineType, FunctionType

    from aiohttp.client_reqrep import ClientRequest
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace
    from multidict import CIMultiDict
    from yarl import URL

__all__ = [
    "ANSWERS_AT_ONCE",
    "REQUEST_CODE",
    "Connect",
    "MakeResponse",
    "RequestFunction",
    "calls_of",
    "connect_detour",
    "connect_through",
    "full_url",
    "is_held",
    "is_idle",
    "loop_of",
    "maker",
    "raise_in_client",
    "request_detour",
    "request_through",
    "show_headers",
    "stream_reader",
]

Connect: TypeAlias = "Callable[..., Coroutine[Any, Any, Connection]]"
"""What `BaseConnector.connect` is: a coroutine function of connector, request, traces and timeout."""


async def connect_installed(
    self: aiohttp.BaseConnector,
    req: ClientRequest,
    traces: list[Trace],
    timeout: aiohttp.ClientTimeout,
    *,
    through: Connect,
) -> Connection:
    """`BaseConnector.connect` while something is installed."""
    return await through(self, req, traces, timeout)


connect_detour = Detour(aiohttp.BaseConnector, "connect", connect_installed)

connect_through: Connect = connect_detour.as_written
"""`BaseConnector.connect` as aiohttp wrote it, whatever is installed in its place now."""

RequestFunction: TypeAlias = "Callable[..., Coroutine[Any, Any, aiohttp.ClientResponse]]"
"""What every method of a session calls: a coroutine function of session, method, URL and keywords."""


async def request_installed(
    self: aiohttp.ClientSession,
    method: str,
    target: str | URL,
    *args: Any,
    through: Callable[..., Awaitable[aiohttp.ClientResponse]],
    **kwargs: Any,
) -> aiohttp.ClientResponse:
    """`ClientSession._request` while something is installed, which is given arguments and keywords apart."""
    return await through(self, method, target, args, kwargs)


request_detour = Detour(aiohttp.ClientSession, "_request", request_installed)

request_through: RequestFunction = request_detour.as_written
"""`ClientSession._request` as aiohttp wrote it, whatever is installed in its place now."""

REQUEST_CODE: CodeType = cast("FunctionType", request_through).__code__
"""The code of every call of a session: what called a frame of it made the call."""


def calls_of(
    task: asyncio.Task[Any],
) -> Iterator[tuple[aiohttp.ClientSession, CoroutineType[Any, Any, Any]]]:
    """The calls of sessions that a suspended task is in, the outermost first: session and coroutine."""
    codes = (request_detour.code, request_detour.stand_in.__code__)
    for coroutine in coroutines_of(task):
        if coroutine.cr_code in codes and coroutine.cr_frame is not None:
            yield coroutine.cr_frame.f_locals["self"], coroutine


def full_url(session: aiohttp.ClientSession, target: str | URL) -> URL:
    """A URL as a session asks for it: behind its `base_url`, if it has one."""
    return session._build_url(target)


ANSWERS_AT_ONCE = tuple(map(int, aiohttp.__version__.split(".")[:2])) >= (3, 11)
"""Whether a connection may be answered in the turn of the loop in which the request arrives.

Before 3.11 the task that sends a request is not done by then, and the connection would not be used again.
"""


def loop_of(connector: aiohttp.BaseConnector) -> asyncio.AbstractEventLoop:
    """The loop that a connector belongs to."""
    return connector._loop


def raise_in_client(protocol: ResponseHandler, exc: BaseException) -> None:
    """Make the request that waits on `protocol`, or the reader of its response, raise `exc`.

    As `ResponseHandler` does it for a read timeout.
    """
    # The same instance may be raised many times: without this it would grow by a traceback each time.
    exc.__traceback__ = None
    protocol.set_exception(exc)
    payload = protocol._payload
    if payload is not None:
        helpers.set_exception(payload, exc)


MakeResponse: TypeAlias = "Callable[..., aiohttp.ClientResponse]"
"""Makes a response: called with the session's class for it, and what aiohttp calls that class with."""

maker: ContextVar[MakeResponse | None] = ContextVar("aiotest_kit_maker", default=None)
"""What makes the responses of the calls in this context, if it is not aiohttp."""


def show_headers(
    response: aiohttp.ClientResponse, headers: CIMultiDict[str], raw_headers: tuple[tuple[bytes, bytes], ...]
) -> None:
    """Have a response show these headers, whatever was sent."""
    any_response = cast("Any", response)
    any_response._headers = headers
    # Both are read once and kept.
    for name in ("headers", "raw_headers"):
        any_response._cache.pop(name, None)
    any_response._raw_headers = raw_headers


def stream_reader(loop: asyncio.AbstractEventLoop | None) -> aiohttp.StreamReader:
    """An empty reader, as a response has for its body."""
    loop = loop or asyncio.get_event_loop()
    return aiohttp.StreamReader(ResponseHandler(loop), limit=2**16, loop=loop)


def is_idle(protocol: object) -> bool:
    """Whether a connection of a client is in no call: pooled, or about to be.

    Its protocol then neither has a response nor anybody who waits for one.
    """
    return isinstance(protocol, ResponseHandler) and not protocol.should_close and protocol._waiter is None


def is_held(response: aiohttp.ClientResponse) -> bool:
    """Whether a response keeps its connection, since it was neither read to its end nor released.

    That of a websocket does until the websocket is closed.
    """
    return not response.closed and response.connection is not None
