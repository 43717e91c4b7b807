"""`aioresponses`: stubs in the order in which they were added, for every session in the process.

A call is noted, and its stub found, before aiohttp acts on it. Then the session asks as it would ask the
network, and is answered with what the stub says: cookies, redirects, hooks and the body are its own doing.
"""

from __future__ import annotations

import inspect
from functools import partial, wraps
from re import Pattern
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp import ClientConnectionError, ClientResponse, ClientSession, hdrs
from yarl import URL

from aiotest_kit import UsageError

from ._asserts import CallAsserts, RequestCall
from ._order import calls
from ._stand_in import StandIn
from ._stubs import CallbackResult, RequestMatch
from .compat import AIOHTTP_VERSION, merge_params, normalize_url, stream_reader_factory

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

    from typing_extensions import Unpack

    from aiotest_kit import Call, Calls, Route

    from ._stubs import Callback, StubOptions

# `ClientResponse` is among them because suites replace it here.
__all__ = [
    "AIOHTTP_VERSION",
    "URL",
    "CallbackResult",
    "ClientConnectionError",
    "ClientResponse",
    "ClientSession",
    "Pattern",
    "RequestCall",
    "RequestMatch",
    "aioresponses",
    "merge_params",
    "normalize_url",
    "stream_reader_factory",
]


class aioresponses(CallAsserts):
    """Stubs for the requests of every aiohttp session, while it is open.

    Use it as a context manager, sync or async, by `start` and `stop`, or as a decorator; the function that
    it decorates, sync or async, gets it as its last positional argument, or as the keyword `param`.

    Of the stubs that match, the one added first answers, once, or as often as its `repeat` says. A call
    that none answers raises `ClientConnectionError`, unless `passthrough_unmatched`. `passthrough` are the
    beginnings of URLs that are let out. This machine's own addresses are stubbed like any other.

    `requests` has each call, by method and URL with the query sorted: the keywords that the session was
    given. `calls` has what was sent for them.
    """

    def __init__(
        self,
        *,
        param: str | None = None,
        passthrough: Sequence[str] = (),
        passthrough_unmatched: bool = False,
    ) -> None:
        self.passthrough_unmatched = passthrough_unmatched
        self.requests: dict[tuple[str, URL], list[RequestCall]] = {}
        self._param = param
        self._stand_in = StandIn(self, passthrough, own_response_class)

    @property
    def calls(self) -> Calls[Call[Route]]:
        """Every request that was answered, as it was sent, and what was sent back; also redirects."""
        return self._stand_in.router.calls

    @property
    def _matches(self) -> dict[str, RequestMatch]:
        """The stubs that are left, which suites look at."""
        return self._stand_in.stubs.matches

    @property
    def _responses(self) -> list[ClientResponse]:
        """The responses that were given, which suites look at."""
        return self._stand_in.responses

    # Its life.

    def __enter__(self) -> aioresponses:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> aioresponses:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Begin to answer, with no calls yet.

        Raises:
            UsageError: it has begun already.
        """
        if self._stand_in.is_started:
            raise UsageError("this aioresponses is started already; aioresponses() makes another one")
        self.requests = {}
        self.calls.clear()
        self._stand_in.open()
        calls.open()

    def stop(self) -> None:
        """End: close the responses and forget the stubs. The calls stay."""
        for response in self._responses:
            response.close()
        if self._stand_in.is_started:
            calls.close()
            self._stand_in.close()
        self.clear()

    def clear(self) -> None:
        """Forget the stubs and the responses. The calls stay."""
        self._responses.clear()
        self._stand_in.stubs.clear()

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function` with this open while it runs, and given to it; pytest gives it the rest."""
        name = self._param or last_parameter(function)
        call = partial(self._call, function, name)
        if inspect.iscoroutinefunction(function):

            @wraps(function)
            async def wrapped(*args: Any, **kwargs: Any) -> Any:
                with self:
                    return await call(args, kwargs)

        else:

            @wraps(function)
            def wrapped_sync(*args: Any, **kwargs: Any) -> Any:
                with self:
                    return call(args, kwargs)

            wrapped = wrapped_sync
        vars(wrapped)["__signature__"] = without_parameter(function, name)
        return wrapped

    def _call(
        self, function: Callable[..., Any], name: str | None, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        if name and (self._param or kwargs):
            return function(*args, **{**kwargs, name: self})
        return function(*args, self, **kwargs)

    # Its stubs.

    def get(self, url: URL | str | Pattern[str], **options: Unpack[StubOptions]) -> None:
        """Add a stub for GET; see `add`."""
        self.add(url, method=hdrs.METH_GET, **options)

    def post(self, url: URL | str | Pattern[str], **options: Unpack[StubOptions]) -> None:
        """Add a stub for POST; see `add`."""
        self.add(url, method=hdrs.METH_POST, **options)

    def put(self, url: URL | str | Pattern[str], **options: Unpack[StubOptions]) -> None:
        """Add a stub for PUT; see `add`."""
        self.add(url, method=hdrs.METH_PUT, **options)

    def patch(self, url: URL | str | Pattern[str], **options: Unpack[StubOptions]) -> None:
        """Add a stub for PATCH; see `add`."""
        self.add(url, method=hdrs.METH_PATCH, **options)

    def delete(self, url: URL | str | Pattern[str], **options: Unpack[StubOptions]) -> None:
        """Add a stub for DELETE; see `add`."""
        self.add(url, method=hdrs.METH_DELETE, **options)

    def head(self, url: URL | str | Pattern[str], **options: Unpack[StubOptions]) -> None:
        """Add a stub for HEAD; see `add`."""
        self.add(url, method=hdrs.METH_HEAD, **options)

    def options(self, url: URL | str | Pattern[str], **options: Unpack[StubOptions]) -> None:
        """Add a stub for OPTIONS; see `add`."""
        self.add(url, method=hdrs.METH_OPTIONS, **options)

    def add(
        self,
        url: URL | str | Pattern[str],
        method: str = hdrs.METH_GET,
        status: int = 200,
        body: str | bytes = "",
        exception: BaseException | type[BaseException] | None = None,
        content_type: str = "application/json",
        payload: object = None,
        headers: Mapping[str, str] | None = None,
        response_class: Callable[..., ClientResponse] | None = None,
        repeat: bool | int = False,
        timeout: bool = False,
        reason: str | None = None,
        callback: Callback | None = None,
    ) -> None:
        """Add a stub, behind those that are there.

        `url` is compared whole but for the order of its query, or is a regex, matched from the start of the
        URL. `payload` is sent as JSON, in place of `body`. `exception` is raised as it is; `timeout` raises
        `asyncio.TimeoutError`. `callback(url, **kwargs)`, sync or async, gets the keywords of the call and
        returns a `CallbackResult`, or None for what the stub says. `repeat` is how often it answers; True
        is for ever.
        """
        stub = RequestMatch(
            url,
            method=method,
            status=status,
            body=body,
            payload=payload,
            exception=exception,
            headers=headers,
            content_type=content_type,
            response_class=response_class,
            timeout=timeout,
            repeat=repeat,
            reason=reason,
            callback=callback,
        )
        self._stand_in.stubs.add(stub)


def own_response_class() -> Callable[..., ClientResponse] | None:
    """The class that a suite has put in the place of `ClientResponse` in this module; None if it has not."""
    return None if ClientResponse is aiohttp.ClientResponse else ClientResponse


def last_parameter(function: Callable[..., Any]) -> str | None:
    """The name of the last positional parameter that has to be given."""
    names = [
        parameter.name
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD and parameter.default is parameter.empty
    ]
    return names[-1] if names else None


def without_parameter(function: Callable[..., Any], name: str | None) -> inspect.Signature:
    """What a caller has to give, who is pytest as a rule, and looks for a fixture of each name."""
    signature = inspect.signature(function)
    return signature.replace(
        parameters=[parameter for parameter in signature.parameters.values() if parameter.name != name]
    )
