"""The mock of one `aioresponses`: its stubs, what it lets out, and what it answers to a call.

A stub is found before aiohttp acts on a call. Knows nothing of the order in which mocks are asked.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Protocol

from aiohttp import ClientConnectionError, ClientResponse, hdrs

from aiotest_kit import Hit, Mock

from ._answering import Answering
from ._asking import Answers, Asking, NotFound, current, ending
from ._asserts import RequestCall
from ._stubs import Shown
from ._table import Stubs
from .compat import normalize_url

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from yarl import URL

    from aiotest_kit import Request, Route

    from ._asking import Taken
    from ._made_call import MadeCall
    from ._stubs import RequestMatch, Result

__all__ = ["StandIn", "refused"]


class Owner(Protocol):
    """The `aioresponses` that a stand-in is the mock of, and what suites may change of it."""

    requests: dict[tuple[str, URL], list[RequestCall]]
    passthrough_unmatched: bool


class StandIn(Mock):
    """A mock that answers by stubs. `response_class` gives the class that the suite puts in, if it does."""

    imitates_connecting = False

    def __init__(
        self,
        owner: Owner,
        passthrough: Sequence[str],
        response_class: Callable[[], Callable[..., ClientResponse] | None],
    ) -> None:
        super().__init__(Answers(self), "error", loopback=False)
        self.stubs = Stubs()
        self.responses: list[ClientResponse] = []
        self.route: Route = self.router.unlisted()
        self._owner = owner
        self._passthrough = passthrough
        self._response_class = response_class
        self._lock = threading.RLock()
        self._sending = 0
        self._is_closing = False

    # Its life.

    @property
    def is_started(self) -> bool:
        """Whether it is open, and not about to close."""
        return self.is_open and not self._is_closing

    def open(self) -> None:
        """Begin to answer; if the end was put off, go on."""
        with self._lock:
            was_closing, self._is_closing = self._is_closing, False
        if not was_closing:
            super().open()

    def close(self) -> None:
        """End, once the calls that it answers have been sent: without a mock they would reach the network."""
        with self._lock:
            self._is_closing = bool(self._sending)
        if not self._is_closing:
            super().close()

    def keep_open(self) -> None:
        """Put off the end until `let_close` has been called as often."""
        with self._lock:
            self._sending += 1

    def let_close(self) -> None:
        """Put off the end no more, and end if it is time."""
        with self._lock:
            self._sending -= 1
            is_over = self._is_closing and not self._sending
        if is_over:
            self._is_closing = False
            super().close()

    @staticmethod
    def other_mock() -> Mock | None:
        """The first of the open mocks that is no stand-in for aioresponses."""
        return next((mock for mock in Mock.open_here() if not isinstance(mock, StandIn)), None)

    # What it lets out.

    @property
    def lets_rest_out(self) -> bool:
        """Whether what no stub answers goes to the network."""
        return self._owner.passthrough_unmatched

    @property
    def lets_some_out(self) -> bool:
        """Whether the request in hand may go to the network at all."""
        return not isinstance(current.get(), Answering)

    def lets_out(self, request: Request, local: bool) -> bool:
        """Whether a request that no mock answers goes to the network, where this mock is asked first."""
        state = current.get()
        if isinstance(state, Asking):
            return state.first is self and self.lets_rest_out
        other = self.other_mock()
        return state is None and (other is None or other.lets_out(request, local))

    def lets_begin(self, url: URL) -> bool:
        """Whether `passthrough` has the beginning of a URL."""
        return bool(self._passthrough) and str(url).startswith(tuple(self._passthrough))

    # Its stubs.

    def has(self, method: str, url: URL) -> bool:
        """Whether a stub answers."""
        return not self.lets_begin(url) and self.stubs.has(method, url)

    def take(self, method: str, url: URL) -> Taken | None:
        """The first stub that answers, used once, and its key."""
        return None if self.lets_begin(url) else self.stubs.take(method, url)

    def note(self, made: MadeCall) -> None:
        """Write a call into `requests`."""
        call = made.call
        noted = RequestCall.of(call.method, call.args, made.given)
        self._owner.requests.setdefault((call.method, made.url), []).append(noted)

    async def answer(
        self, made: MadeCall, taken: Taken, beside: Sequence[StandIn], is_one_of_several: bool
    ) -> ClientResponse:
        """The response that a stub says; a redirect may lead to a stub of those `beside`, or to other mocks.

        Raises:
            The exception of the stub, or what its callback raises.
        """
        self.note(made)
        self.keep_open()
        try:
            shown, target_is_left = await self._shown(made, taken, beside)
            if target_is_left and not is_one_of_several:
                raise refused(made)
            answering = Answering(self, made, shown, self._response_class(), target_is_left)
            token = current.set(answering)
            try:
                response = await answering.send()
            finally:
                current.reset(token)
        except NotFound:
            raise refused(made) from None
        finally:
            self.let_close()
        self.responses.append(response)
        asked = made.given.get("raise_for_status")
        check = made.call.session.raise_for_status if asked is None else asked
        if check is not False:
            await raise_for_status(response, check)
        return response

    async def _shown(
        self, made: MadeCall, taken: Taken, beside: Sequence[StandIn]
    ) -> tuple[list[Shown], bool]:
        """What to answer, with the redirects that are followed, and whether the last one leads elsewhere."""
        given = made.given
        keywords = given if "allow_redirects" in given else {"allow_redirects": True, **given}
        # aiohttp stops behind so many; 0 is no limit.
        most = given.get("max_redirects", 10) if keywords["allow_redirects"] else 1
        url = made.url
        found: tuple[StandIn, Taken] | None = self, taken
        chain: list[Shown] = []
        while found is not None:
            stand_in, (key, stub) = found
            chain.append(Shown.of(await stand_in.result(key, stub, url, keywords), url))
            target = chain[-1].location
            if target is None or len(chain) == most:
                return chain, False
            url = target
            found = first_that_takes(beside, url)
        return chain, True

    async def result(self, key: str, stub: RequestMatch, url: URL, keywords: Any) -> Result:
        """What a stub says that was taken, or its callback.

        Raises:
            The exception of the stub, or what its callback raises.
        """
        result = stub if stub.callback is None else await stub.ask(stub.callback, url, keywords)
        if stub.left == 0:
            self.stubs.remove(key)
        if stub.exception is not None:
            raise stub.exception
        return result

    # A redirect of another mock, whose target is asked for by a request.

    def stubs_target(self, request: Request) -> bool:
        """Whether a stub answers the target of a redirect."""
        return self.has(request.method, normalize_url(request.url))

    def answer_to_target(self, request: Request, made: MadeCall, is_first: bool) -> Hit | None:
        """What a stub answers to the target of a redirect.

        If none does, and this mock was the first to be asked, the call is refused unless others answer.
        """
        url = normalize_url(request.url)
        taken = self.take(request.method, url)
        if taken is None:
            return Hit(ending(NotFound()), yields=True) if is_first else None
        key, stub = taken

        async def reply(_: Request) -> object:
            result = await self.result(key, stub, url, made.given)
            return Shown.of(result, url).content.reply

        route = self.router.unlisted()
        return Hit(route.reply(reply if stub.exception is None else stub.exception))


def first_that_takes(stand_ins: Sequence[StandIn], url: URL) -> tuple[StandIn, Taken] | None:
    """The first stand-in with a stub for the target of a redirect, and that stub."""
    for stand_in in stand_ins:
        taken = stand_in.stubs.take(hdrs.METH_GET, url)
        if taken is not None:
            return stand_in, taken
    return None


def refused(made: MadeCall) -> ClientConnectionError:
    """The error of a call that nobody answers."""
    return ClientConnectionError(f"Connection refused: {made.call.method} {made.url}")


async def raise_for_status(response: ClientResponse, check: Any) -> None:
    """Raise for a bad status, or as a function of the user's does."""
    if check is True:
        response.raise_for_status()
    else:
        await check(response)
