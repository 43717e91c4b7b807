"""`aioresponses`: stubs in the order in which they were added, for every session in the process.

A call is noted, and its stub found, before aiohttp acts on it. Then the session asks as it would ask the
network, and is answered with what the stub says: cookies, redirects, hooks and the body are its own doing.
"""

from __future__ import annotations

import inspect
import threading
from functools import partial, wraps
from itertools import count
from re import Pattern
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp import ClientConnectionError, ClientResponse, ClientSession, hdrs
from multidict import CIMultiDict
from yarl import URL

from aiotest_kit import UsageError, around_requests

from ._answering import Answering, Answers, Passing
from ._asserts import CallAsserts, RequestCall
from ._stubs import CallbackResult, RequestMatch, Shown
from .compat import AIOHTTP_VERSION, merge_params, normalize_url, stream_reader_factory

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from types import TracebackType

    from typing_extensions import Unpack

    from aiotest_kit import Calls, Route, SessionCall

    from ._stubs import Callback, Result, StubOptions

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
        self._passthrough = passthrough
        self._matches: dict[str, RequestMatch] = {}
        # Sessions of several threads may ask at once.
        self._lock = threading.Lock()
        self._responses: list[ClientResponse] = []
        self._numbers = count(1)
        self._answers = Answers()
        # What no stub answers has to be let out, or be answered by what else is open.
        self._mock = Passing(self._answers, "passthrough")
        self._around: AbstractContextManager[None] | None = None

    @property
    def calls(self) -> Calls[Route]:
        """Every request that was answered, as it was sent, and what was sent back; also redirects."""
        return self._answers.calls

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
        if self._around is not None:
            raise UsageError("this aioresponses is started already; aioresponses() makes another one")
        self.requests = {}
        self.calls.clear()
        self._mock.open()
        self._around = around_requests(self._answer)
        self._around.__enter__()

    def stop(self) -> None:
        """End: close the responses and forget the stubs. The calls stay."""
        for response in self._responses:
            response.close()
        if self._around is not None:
            self._around.__exit__(None, None, None)
            self._around = None
            self._mock.close()
        self.clear()

    def clear(self) -> None:
        """Forget the stubs and the responses. The calls stay."""
        self._responses.clear()
        with self._lock:
            self._matches.clear()

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
        with self._lock:
            self._matches[str(next(self._numbers))] = stub

    # Answering a call.

    async def _answer(self, call: SessionCall) -> ClientResponse:
        """The response to a call of a session, which sees what this raises."""
        changes: dict[str, Any] = {}
        given = {**call.kwargs}
        if hasattr(given.get("data"), "__aiter__"):
            # Its pieces come once, and are to be seen in `requests` too.
            changes["data"] = given["data"] = b"".join([piece async for piece in given["data"]])
        if call.session.closed:
            raise RuntimeError("Session is closed")
        if call.session.headers:
            given["headers"] = merged_headers(call.session.headers, given.get("headers"))
        url = normalize_url(merge_params(call.url, given.get("params")))
        if self._passthrough and str(url).startswith(tuple(self._passthrough)):
            return await call.send(**changes)
        self.requests.setdefault((call.method, url), []).append(RequestCall.of(call.method, call.args, given))
        shown = await self._shown(call.method, url, given)
        if shown is None:
            if self.passthrough_unmatched:
                return await call.send(**changes)
            raise ClientConnectionError(f"Connection refused: {call.method} {url}")
        kind = None if ClientResponse is aiohttp.ClientResponse else ClientResponse
        answering = Answering(shown, given.get("headers"), kind)
        response = await self._answers.send(call, answering, changes)
        self._responses.append(response)
        asked = given.get("raise_for_status")
        check = call.session.raise_for_status if asked is None else asked
        if check is not False:
            await raise_for_status(response, check)
        return response

    async def _shown(self, method: str, url: URL, given: Mapping[str, Any]) -> list[Shown] | None:
        """What to answer: with all redirects on the way, if they are followed; None if a stub is missing."""
        keywords = given if "allow_redirects" in given else {"allow_redirects": True, **given}
        # aiohttp stops behind so many; 0 is no limit.
        most = given.get("max_redirects", 10) if keywords["allow_redirects"] else 1
        chain: list[Shown] = []
        while not most or len(chain) < most:
            result = await self._result(method, url, keywords)
            if result is None:
                return None
            chain.append(Shown.of(result, url))
            target = chain[-1].location
            if target is None:
                break
            method, url = hdrs.METH_GET, target
        return chain

    async def _result(self, method: str, url: URL, keywords: Mapping[str, Any]) -> Result | None:
        """What the first stub says that matches and is not used up; None if there is none.

        Raises:
            The exception of the stub, or what its callback raises.
        """
        taken = self._take(method, url)
        if taken is None:
            return None
        key, stub = taken
        result = stub if stub.callback is None else await stub.ask(stub.callback, url, keywords)
        if stub.left == 0:
            with self._lock:
                self._matches.pop(key, None)
        if stub.exception is not None:
            raise stub.exception
        return result

    def _take(self, method: str, url: URL) -> tuple[str, RequestMatch] | None:
        """The first stub that matches and is not used up, used once, and its key."""
        with self._lock:
            for taken in self._matches.items():
                if taken[1].match(method, url):
                    taken[1].take()
                    return taken
        return None


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


def merged_headers(defaults: Mapping[str, str], given: Any) -> CIMultiDict[str]:
    """The headers of a session with those of a call, which replace the session's by name."""
    headers = CIMultiDict(defaults)
    headers.update(given or {})
    return headers


async def raise_for_status(response: ClientResponse, check: Any) -> None:
    """Raise for a bad status, or as a function of the user's does."""
    if check is True:
        response.raise_for_status()
    else:
        await check(response)
