"""How a call finds the mock that answers it, where a stand-in is one of several.

While a call is sent, `current` tells the routers of all stand-ins what it is answered with, or that an answer
is looked for: then `Found` or `NotFound` ends the call when it is a stand-in's turn. Knows nothing of stubs.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeAlias

from aiohttp import ClientResponse, hdrs

from aiotest_kit import Hit, Router

from .._open_mocks import others_claim
from .compat import normalize_url

if TYPE_CHECKING:
    from aiotest_kit import Miss, Request, Route

    from ._answering import Answering
    from ._made_call import MadeCall
    from ._stand_in import StandIn
    from ._stubs import RequestMatch

__all__ = ["Answers", "Asking", "Found", "NotFound", "Taken", "current", "ending"]

Taken: TypeAlias = "tuple[str, RequestMatch]"
"""A stub that was used once, behind its key."""


class Found(BaseException):
    """Ends a call that was sent to ask other mocks first: it is for a stand-in to answer."""

    def __init__(self, stand_in: StandIn, taken: Taken) -> None:
        super().__init__()
        self.stand_in = stand_in
        self.taken = taken


class NotFound(BaseException):
    """Ends a call that no mock answers: it is for a stand-in to refuse."""


class Asking:
    """A call that is sent to find out which mock answers it.

    `first` is the stand-in that was asked before all other mocks, and has no stub for it.
    """

    is_early = True

    def __init__(self, made: MadeCall, first: StandIn | None) -> None:
        self.first = first
        self._made = made
        self._responses = 0

    def make_response(self, kind: type[ClientResponse], *args: Any, **options: Any) -> ClientResponse:
        """A response as the session makes it."""
        self._responses += 1
        return kind(*args, **options)

    def claims(self, stand_in: StandIn, request: Request, is_sent: bool) -> bool:
        """Whether a stand-in has a stub for a request of the call."""
        if self._is_redirected(is_sent):
            return stand_in.stubs_target(request)
        return stand_in.has(self._made.call.method, self._made.url)

    def find(self, stand_in: StandIn, request: Request) -> Hit | None:
        """What ends the call, if a stand-in has a stub or has to refuse it; None if other mocks decide."""
        if request.method == hdrs.METH_CONNECT:
            # A proxy's tunnel, through which the request itself is still to come.
            return Hit(stand_in.route) if self.claims(stand_in, request, is_sent=True) else None
        if self._is_redirected(is_sent=True):
            return stand_in.answer_to_target(request, self._made, is_first=stand_in is self.first)
        taken = stand_in.take(self._made.call.method, self._made.url)
        if taken is not None:
            return Hit(ending(Found(stand_in, taken)))
        return Hit(ending(NotFound()), yields=True) if stand_in is self.first else None

    def _is_redirected(self, is_sent: bool) -> bool:
        """Whether another mock answered with a redirect, whose target is asked for now."""
        # A response is made when its request is sent.
        return self._responses > is_sent


current: ContextVar[Answering | Asking | None] = ContextVar("aiotest_kit_aioresponses", default=None)
"""What the stand-ins do about the call that is being sent in this context."""


class Answers(Router):
    """The router of a stand-in: it answers a call as `current` says, whatever is asked."""

    def __init__(self, stand_in: StandIn) -> None:
        super().__init__(keep=None, keep_body=None)
        self._stand_in = stand_in

    def find(self, request: Request) -> Hit | Miss:
        """What was found for the call that is being sent."""
        state = current.get()
        if state is None:
            # The call began before the stand-in was opened: it is for the other mocks alone.
            other = self._stand_in.other_mock()
            return super().find(request) if other is None else other.router.find(request)
        hit = state.find(self._stand_in, request)
        return super().find(request) if hit is None else hit

    def find_early(self, request: Request) -> Hit | Miss | None:
        """The same, where the body need not, or will not, come."""
        state = current.get()
        if state is None or not state.claims(self._stand_in, request, is_sent=True):
            return super().find_early(request)
        return self.find(request) if state.is_early else None

    def find_at_connect(self, request: Request) -> Hit | Miss | None:
        """None for a call that is answered here: it is connected."""
        return None if self.claims(request) else super().find_at_connect(request)

    def claims(self, request: Request) -> bool:
        """Whether the call that is being sent is answered here, before it is."""
        state = current.get()
        return state is not None and state.claims(self._stand_in, request, is_sent=False)

    names = claims
    """This machine's addresses are no exception."""

    def lets_out(self, request: Request) -> bool:
        """Whether a request begins as `passthrough` says, and no mock has a route for it."""
        return self._stand_in.lets_begin(normalize_url(request.url)) and not others_claim(self, request)


def ending(exception: BaseException) -> Route:
    """A route that ends a call, and is in no log."""
    return Router().unlisted().reply(exception)
