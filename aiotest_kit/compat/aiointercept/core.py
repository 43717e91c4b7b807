"""`aiointercept`: stubs by method and URL, behind the memory door or the loopback door.

A registration is a route of the kit. Which of several answers is aiointercept's own rule, not the kit's: the
one registered first that is not used up, and one for a URL before one for a pattern. `where=` asks for it.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import re
import warnings
from collections.abc import AsyncIterable, Awaitable, Callable, Mapping, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from aiohttp import hdrs
from yarl import URL

from ... import Disconnect, Origin, Reply, Upstream, mock
from ._assertions import Asserted
from ._registered import MockResponse, Registered, Registrations, diagnosis
from ._replies import JSON, Body, CallbackResult, collected, once, options_of, reply_of
from ._requests import AiointerceptRequest, AiointerceptRequestKwargs, address_of, canonical_url
from .compat import merge_params, normalize_host, normalize_url

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from ... import Mock, Request

__all__ = [
    "AiointerceptRequest",
    "AiointerceptRequestKwargs",
    "CallbackResult",
    "MockResponse",
    "aiointercept",
    "merge_params",
    "normalize_host",
    "normalize_url",
]

logger: logging.Logger = logging.getLogger("aiointercept.core")

Callback: TypeAlias = "Callable[..., CallbackResult | Awaitable[CallbackResult]]"
UrlLike: TypeAlias = "URL | str | re.Pattern[str]"


class aiointercept(Asserted):  # the library's own spelling
    """Stubs for aiohttp, or for any client that is pointed to `server_url`.

    With `mock_external_urls` all aiohttp sessions are answered, in memory; `passthrough` are hosts, or URLs
    at hosts, that are let out, `passthrough_unmatched` lets out all that is not stubbed. Without, a server on
    127.0.0.1 answers. As a decorator it passes itself on, as the last argument or by the name `param`.
    """

    def __init__(
        self,
        mock_external_urls: bool = False,
        passthrough: Sequence[str] | None = None,
        passthrough_unmatched: bool = False,
        param: str | None = None,
        **kwargs: Any,
    ) -> None:
        if kwargs:
            warnings.warn(
                "Passing extra parameters to aiointercept via kwargs is deprecated "
                f"and will be removed in a future release: {', '.join(kwargs)}",
                DeprecationWarning,
                stacklevel=2,
            )
        if passthrough_unmatched and not mock_external_urls:
            raise ValueError("passthrough_unmatched=True requires mock_external_urls=True")
        self.param = param
        self.passthrough_unmatched = passthrough_unmatched
        self.handlers: dict[tuple[str, str], Registered] = {}
        self.patterns_handler: dict[tuple[re.Pattern[str], str], Registered] = {}
        self._mock_external_urls = mock_external_urls
        let_out = frozenset(normalize_host(URL(url).raw_host or url) for url in passthrough or ())
        self._router = Registrations(self._drop, let_out, passthrough_unmatched)
        self._mock: Mock | None = None
        self._upstream: Upstream | None = None
        self._started = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._read = 0
        self._requests: dict[tuple[str, URL], list[AiointerceptRequest]] = {}
        self._ordered: list[tuple[tuple[str, URL], AiointerceptRequest]] = []

    # Its life.

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Begin to answer. What was recorded before is forgotten."""
        self.open()

    def open(self) -> None:
        """Begin to answer; it needs no loop."""
        self._start_over()
        self._loop = running_loop()
        if self._mock_external_urls:
            unmatched: Literal["passthrough", "error"] = (
                "passthrough" if self.passthrough_unmatched else "error"
            )
            self._mock = mock(self._router, unmatched=unmatched)
            self._mock.imitates_connecting = False
            self._mock.open()
        else:
            self._serve()
        self._started = True

    async def stop(self) -> None:
        """End. What was recorded stays, the registrations do not."""
        self.close()

    def close(self) -> None:
        """End; it needs no loop."""
        self._catch_up()
        if self._mock is not None:
            self._mock.close()
        if self._upstream is not None:
            self._upstream.stop_thread()
        self._mock = self._upstream = None
        self._started = False
        self.handlers.clear()
        self.patterns_handler.clear()

    def __call__(self, function: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        """The function, given this mock, open, at each call."""

        @wraps(function)
        async def with_mock(*args: Any, **kwargs: Any) -> Any:
            async with self:
                if self.param:
                    return await function(*args, **{**kwargs, self.param: self})
                if args and hasattr(args[0], function.__name__):
                    return await function(args[0], self, *args[1:], **kwargs)
                return await function(*args, self, **kwargs)

        return with_mock

    # The server, for clients of any kind. Where sessions are answered in memory it is made when asked for.

    @property
    def server(self) -> Upstream | None:
        """The server, None before the start and after the end."""
        return self._serve() if self._started else None

    @property
    def server_url(self) -> str:
        """The origin of the server, such as `http://127.0.0.1:54321`."""
        return f"http://{self.server_host}:{self.server_port}"

    @property
    def server_host(self) -> str:
        """The address of the server."""
        return self._serve().url.host or ""

    @property
    def server_port(self) -> int:
        """The port of the server."""
        return self._serve().port

    def _serve(self) -> Upstream:
        """The server, started if it was not."""
        if self._upstream is None:
            self._upstream = Upstream(router=self._router, thread=True)
            self._upstream.__enter__()
        return self._upstream

    # Registering.

    def add(
        self,
        url: UrlLike,
        method: str = hdrs.METH_GET,
        status: int = 200,
        body: Body = b"",
        json: Any = None,
        payload: Any = None,
        headers: Mapping[str, str] | None = None,
        repeat: bool | int = False,
        content_type: str | None = None,
        callback: Callback | None = None,
        reason: str | None = None,
        exception: BaseException | bool | None = None,
    ) -> MockResponse:
        """Answer the next request for a method and URL, or for the URLs that a regex matches.

        `json`, or `payload`, is a body as JSON. An async iterable as `body` is sent chunk by chunk, and is
        used up by that. `repeat` is how often, True for ever. `callback(url, *, headers, query, json, data)`
        returns a `CallbackResult`. `exception`, whatever it is, closes the connection.

        Raises:
            RuntimeError: it was not started.
            ValueError: the URL has no host; `repeat` is negative, or follows a registration for ever.
        """
        if exception and exception is not True:
            logger.warning(
                "exception=%r closes the connection, whatever it is; write exception=True", exception
            )
        if not self._started:
            raise RuntimeError("Server not started — use `async with aiointercept() as m:` first.")
        times = None if repeat is True else int(repeat) or 1
        registered = self._registered(URL(url) if isinstance(url, str) else url, method.upper(), times)
        response = registered.extend(times)
        route = registered.route
        if exception:
            route.reply(Disconnect(), times=times)
        elif callback is not None:
            route.reply(self._answering(callback), times=times)
        else:
            data = payload if json is None else json
            options = options_of(headers, JSON if content_type is None else content_type, reason)
            if isinstance(body, AsyncIterable) and data is None:
                route.stream(once(body), status, times=times, **options)
            else:
                route.reply(reply_of(status, body, data, options), times=times)
        return response

    def get(self, url: UrlLike, **kwargs: Any) -> MockResponse:
        """Answer a GET; see `add`."""
        return self.add(url, method=hdrs.METH_GET, **kwargs)

    def post(self, url: UrlLike, **kwargs: Any) -> MockResponse:
        """Answer a POST; see `add`."""
        return self.add(url, method=hdrs.METH_POST, **kwargs)

    def put(self, url: UrlLike, **kwargs: Any) -> MockResponse:
        """Answer a PUT; see `add`."""
        return self.add(url, method=hdrs.METH_PUT, **kwargs)

    def patch(self, url: UrlLike, **kwargs: Any) -> MockResponse:
        """Answer a PATCH; see `add`."""
        return self.add(url, method=hdrs.METH_PATCH, **kwargs)

    def delete(self, url: UrlLike, **kwargs: Any) -> MockResponse:
        """Answer a DELETE; see `add`."""
        return self.add(url, method=hdrs.METH_DELETE, **kwargs)

    def head(self, url: UrlLike, **kwargs: Any) -> MockResponse:
        """Answer a HEAD; see `add`."""
        return self.add(url, method=hdrs.METH_HEAD, **kwargs)

    def options(self, url: UrlLike, **kwargs: Any) -> MockResponse:
        """Answer an OPTIONS; see `add`."""
        return self.add(url, method=hdrs.METH_OPTIONS, **kwargs)

    def clear(self) -> None:
        """Forget the registrations and what was recorded."""
        self._start_over()

    def _registered(self, url: URL | re.Pattern[str], method: str, times: int | None) -> Registered:
        """Where to add a registration: one for ever takes the place of those before it."""
        if times is not None and times < 1:
            raise ValueError("repeat must be at least 1")
        if isinstance(url, re.Pattern):
            known = self.patterns_handler.get((url, method))
        else:
            if not url.raw_host:
                raise ValueError(f"Cannot extract host from {url!r}")
            known = self.handlers.get((str(normalize_url(url)), method))
        if known is not None and times is not None:
            if known.forever:
                raise ValueError(
                    f"Existing handler for {url} {method} has repeat=True, cannot add more handlers to it."
                )
            return known
        if known is not None:
            known.route.remove()
        if isinstance(url, re.Pattern):
            return self._register_pattern(url, method)
        return self._register_url(normalize_url(url), method)

    def _register_url(self, url: URL, method: str) -> Registered:
        """A route for one URL."""
        if self.passthrough_unmatched:
            # Relayed, as its other requests are recorded too.
            origin = Origin.of(url)
            if origin not in self._router.relayed:
                self._router.relayed[origin] = self._router.unlisted().forward(url.origin())
        # The query is for `_chosen` to compare; a server has one host, whatever its clients call it.
        target = url.with_query(None) if self._mock_external_urls else URL(url.raw_path, encoded=True)
        registered = Registered(self._router, method, target, self._chosen)
        self.handlers[str(url), method] = registered
        return registered

    def _register_pattern(self, pattern: re.Pattern[str], method: str) -> Registered:
        """A route for the URLs that a regex matches."""
        registered = Registered(self._router, method, pattern, self._chosen)
        self.patterns_handler[pattern, method] = registered
        return registered

    # Answering.

    def _chosen(self, request: Request) -> Registered | None:
        """What answers a request: what was registered for its URL, or else the first pattern that matches."""
        exact = self.handlers.get((str(canonical_url(request)), request.method))
        if exact is not None and not exact.route.exhausted:
            return exact
        address = str(address_of(request))
        for (pattern, method), registered in self.patterns_handler.items():
            if method == request.method and not registered.route.exhausted and pattern.match(address):
                return registered
        return None

    def _drop(self, request: Request) -> Disconnect:
        """Close the connection of a request that nothing answers; the log says what came nearest."""
        key = (str(canonical_url(request)), request.method)
        logger.warning("%s", diagnosis(key, self.handlers, self.patterns_handler))
        return Disconnect()

    def _answering(self, callback: Callback) -> Callable[[Request], Awaitable[Reply]]:
        """A handler that asks a callback; an async one runs on the loop on which it was registered."""
        home = running_loop() or self._loop

        async def answer(request: Request) -> Reply:
            recorded = AiointerceptRequest(request)
            result = callback(recorded.canonical_url, **recorded.kwargs)
            if inspect.iscoroutine(result) and home not in (None, asyncio.get_running_loop()):
                assert home is not None
                result = asyncio.wrap_future(asyncio.run_coroutine_threadsafe(result, home))
            given = await result if inspect.isawaitable(result) else result
            options = options_of(given.headers, given.content_type, given.reason)
            return reply_of(given.status, await collected(given.body), given.payload, options)

        return answer

    # What was recorded.

    @property
    def requests(self) -> dict[tuple[str, URL], list[AiointerceptRequest]]:
        """The requests by method and normalized URL, in order of arrival."""
        self._catch_up()
        return self._requests

    @property
    def ordered_requests(self) -> list[tuple[tuple[str, URL], AiointerceptRequest]]:
        """All requests with their keys, in order of arrival."""
        self._catch_up()
        return self._ordered

    def _catch_up(self) -> None:
        """Read what the log has got since it was last read."""
        for call in self._router.calls[self._read :]:
            self._read += 1
            recorded = AiointerceptRequest(call.request)
            key = (recorded.method, recorded.canonical_url)
            self._requests.setdefault(key, []).append(recorded)
            self._ordered.append((key, recorded))

    def _start_over(self) -> None:
        """Forget the registrations and what was recorded."""
        self._router.reset()
        self.handlers.clear()
        self.patterns_handler.clear()
        self._router.relayed.clear()
        self._requests.clear()
        self._ordered.clear()
        self._read = 0


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The loop that runs here, if one does."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
