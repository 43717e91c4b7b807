"""What the responses of one call show, and how that reaches the session: as replies over the memory door.

Knows what the stubs say to a call. Knows nothing of how they were found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import ClientResponse, RequestInfo, hdrs
from multidict import CIMultiDict, CIMultiDictProxy

from aiotest_kit import Hit, Reply

from ..._aiohttp.client import show_headers
from ..._aiohttp.stand_ins import follow_loop
from ._bodies import announces_more, sendable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from yarl import URL

    from aiotest_kit import Request

    from ._made_call import MadeCall
    from ._stand_in import StandIn
    from ._stubs import Shown

__all__ = ["Answering"]


class Answering:
    """A call that is being answered: what its responses show, in order, each redirect before its target.

    With `is_open_ended` the last of them is a redirect whose target other mocks may answer.
    """

    def __init__(
        self,
        stand_in: StandIn,
        made: MadeCall,
        shown: Sequence[Shown],
        response_class: Callable[..., ClientResponse] | None,
        is_open_ended: bool,
    ) -> None:
        self._stand_in = stand_in
        self._made = made
        self._shown = shown
        self._request_headers = CIMultiDictProxy(CIMultiDict(made.given.get("headers") or {}))
        self._response_class = response_class
        self._is_open_ended = is_open_ended
        self._asked = 0
        self._responses = 0
        self._changes = {"data": sendable(made.given.get("data")), "json": made.given.get("json")}
        self.is_early = False
        """Whether to answer as soon as the head has come, as the body that it announces never will."""
        if announces_more(self._request_headers, **self._changes):
            self._send_no_false_promise()

    def claims(self, stand_in: StandIn, request: Request, is_sent: bool) -> bool:
        """Whether a stand-in answers a request of the call."""
        return stand_in.stubs_target(request) if self._is_over else stand_in is self._stand_in

    def find(self, stand_in: StandIn, request: Request) -> Hit | None:
        """What a stand-in answers to a request of the call; None if it is not for it to answer."""
        if self._is_over:
            return stand_in.answer_to_target(request, self._made, is_first=stand_in is self._stand_in)
        if stand_in is not self._stand_in:
            return None
        if request.method == hdrs.METH_CONNECT:
            # A proxy's tunnel, through which the request itself is still to come.
            return Hit(stand_in.route)
        return Hit(stand_in.route, reply=self._next_reply())

    @property
    def _is_over(self) -> bool:
        """Whether the next request is for other mocks to answer."""
        return self._is_open_ended and self._asked == len(self._shown)

    def _next_reply(self) -> Reply:
        """What the next request is answered with; the last again for what a middleware adds."""
        self._asked += 1
        reply = self._shown[min(self._asked, len(self._shown)) - 1].content.reply
        if not self.is_early:
            return reply
        # On this connection, the next request would be taken for the missing body.
        fields = [*reply.headers.items(), ("Connection", "close")]
        return Reply(reply.status, headers=fields, body=reply.body)

    async def send(self) -> ClientResponse:
        """The session's own response."""
        follow_loop(self._made.call.session)
        try:
            response = await self._send()
        except Exception:
            if self._asked or self._changes.items() >= NO_BODY.items():
                raise
            # Suites give what no request can carry, such as a set as JSON, and look for it in `requests`.
            self._changes |= NO_BODY
            response = await self._send()
        for each, shown in zip((*response.history, response), self._shown, strict=False):
            each.method = shown.method
            each.status = shown.status
            each.reason = shown.reason
            show_headers(each, CIMultiDict(shown.content.headers), shown.content.raw_headers)
        return response

    def _send(self) -> Awaitable[ClientResponse]:
        return self._made.call.send(
            target=None if self._made.can_be_sent else "http://nowhere.invalid/",
            ask_others=False,
            make_response=self._make_response,
            raise_for_status=False,
            **self._changes,
        )

    def _send_no_false_promise(self) -> None:
        """Let aiohttp announce the body; where the headers of the session do, which stay, answer early."""
        call = self._made.call
        headers = CIMultiDict(call.kwargs.get("headers") or {})
        for name in (hdrs.CONTENT_LENGTH, hdrs.TRANSFER_ENCODING):
            headers.popall(name, None)
        self.is_early = announces_more(call.session.headers, **self._changes)
        if self.is_early:
            self._changes |= NO_BODY
        self._changes["headers"] = headers

    def _make_response(
        self, kind: type[ClientResponse], method: str, url: URL, **options: Any
    ) -> ClientResponse:
        """The next response, of the class that the stub, the suite or the session names."""
        self._responses += 1
        if self._is_open_ended and self._responses > len(self._shown):
            return kind(method, url, **options)
        shown = self._shown[min(self._responses, len(self._shown)) - 1]
        info = RequestInfo(shown.url, shown.method, self._request_headers, shown.url)
        make = shown.response_class or self._response_class or kind
        return make(method, shown.url, **{**options, "request_info": info})


NO_BODY: dict[str, Any] = {"data": None, "json": None}
