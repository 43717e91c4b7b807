"""How what a stub says reaches the session: over the memory door, by a router that knows the call.

Knows what is to be shown. Knows nothing of stubs, or of how they were found.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from aiohttp import ClientResponse, RequestInfo
from multidict import CIMultiDict, CIMultiDictProxy

from aiotest_kit import Hit, Mock, Router

from ..._aiohttp.client import show_headers
from ..._aiohttp.stand_ins import follow_loop

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from yarl import URL

    from aiotest_kit import Miss, Request, SessionCall

    from ._stubs import Shown

__all__ = ["Answering", "Answers", "Passing"]

current: ContextVar[Answering | None] = ContextVar("aiotest_kit_aioresponses", default=None)
"""What answers the call that is being made in this context."""


class Answering:
    """One call: what its responses show, in order, each redirect before what it leads to."""

    def __init__(
        self,
        shown: Sequence[Shown],
        request_headers: Mapping[str, str] | None,
        response_class: Callable[..., ClientResponse] | None,
    ) -> None:
        self._shown = shown
        self._request_headers = CIMultiDictProxy(CIMultiDict(request_headers or {}))
        self._response_class = response_class
        self._asked = 0
        self._made = 0

    @property
    def was_asked(self) -> bool:
        """Whether a request has come."""
        return self._asked > 0

    def ask(self, call: SessionCall, keywords: dict[str, Any]) -> Awaitable[ClientResponse]:
        """The session's own response to `call`."""
        # Suites stub what is no URL of HTTP, such as "localhost"; the response still shows it.
        target = None if self._shown[0].url.host else "http://nowhere.invalid/"
        return call.send(target=target, ask_others=False, make_response=self.make_response, **keywords)

    def next_shown(self) -> Shown:
        """What the next request is answered with; the last again for what a middleware adds."""
        self._asked += 1
        return self._shown[min(self._asked, len(self._shown)) - 1]

    def make_response(
        self, kind: type[ClientResponse], method: str, url: URL, **options: Any
    ) -> ClientResponse:
        """The next response, of the class that the stub, the suite or the session names."""
        self._made += 1
        shown = self._shown[min(self._made, len(self._shown)) - 1]
        info = RequestInfo(shown.url, shown.method, self._request_headers, shown.url)
        make = shown.response_class or self._response_class or kind
        return make(method, shown.url, **{**options, "request_info": info})

    def show(self, response: ClientResponse) -> None:
        """Have a response, and the redirects before it, show what the stubs say."""
        for each, shown in zip((*response.history, response), self._shown, strict=False):
            each.method = shown.method
            each.status = shown.status
            each.reason = shown.reason
            show_headers(each, CIMultiDict(shown.content.headers), shown.content.raw_headers)


class Passing(Mock):
    """A mock that lets out, or to others, what no stub answers, and says so of a call that one does not."""

    imitates_connecting = False

    @property
    def lets_some_out(self) -> bool:
        """Whether the request in hand may go to the network at all."""
        return current.get() is None


class Answers(Router):
    """A router that answers a call with what was found for it, whatever is asked."""

    def __init__(self) -> None:
        super().__init__()
        self._route = self.unlisted()

    async def send(
        self, call: SessionCall, answering: Answering, changes: Mapping[str, Any]
    ) -> ClientResponse:
        """The session's own response to `call`, with `changes` in its keywords, answered as found."""
        keywords: dict[str, Any] = {**changes, "raise_for_status": False}
        follow_loop(call.session)
        token = current.set(answering)
        try:
            try:
                response = await answering.ask(call, keywords)
            except (TypeError, ValueError):
                if answering.was_asked or not has_body(call.kwargs):
                    raise
                # Suites give what no request can carry, such as a generator, and look for it in `requests`.
                response = await answering.ask(call, {**keywords, "data": None, "json": None})
        finally:
            current.reset(token)
        answering.show(response)
        return response

    def find(self, request: Request) -> Hit | Miss:
        """What was found for the call that is being made."""
        answering = current.get()
        if answering is None:
            return super().find(request)
        if request.method == "CONNECT":
            # A proxy's tunnel, through which the request itself is still to come.
            return Hit(self._route)
        return Hit(self._route, reply=answering.next_shown().content.reply)

    def find_early(self, request: Request) -> Hit | Miss | None:
        """None while a call is answered here: it is when it is complete."""
        return super().find_early(request) if current.get() is None else None

    def find_at_connect(self, request: Request) -> Hit | Miss | None:
        """None while a call is answered here: it is connected."""
        return super().find_at_connect(request) if current.get() is None else None

    def claims(self, request: Request) -> bool:
        """Whether a call that is being made is answered here."""
        return current.get() is not None

    def names(self, request: Request) -> bool:
        """The same: this machine's addresses are no exception."""
        return current.get() is not None


def has_body(keywords: Mapping[str, Any]) -> bool:
    """Whether a call is given something to send."""
    return keywords.get("data") is not None or keywords.get("json") is not None
