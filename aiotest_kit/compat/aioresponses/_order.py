"""Which of the open mocks answers a call: the stand-ins take their place among the others."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from aiohttp import ClientConnectionError

from aiotest_kit import Mock, RealConnector, around_requests

from ._asking import Asking, Found, NotFound, current
from ._bodies import copied
from ._made_call import MadeCall
from ._stand_in import StandIn, refused

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from aiohttp import ClientResponse

    from aiotest_kit import SessionCall

__all__ = ["calls"]


async def answer(call: SessionCall) -> ClientResponse:
    """The response of the first mock that has one.

    Raises:
        ClientConnectionError: none has, and a stand-in was asked first.
        UnmatchedRequest: none has, and another mock was asked first.
    """
    if isinstance(call.session.connector, RealConnector):
        return await call.send()
    data: Any = call.kwargs.get("data")
    if hasattr(data, "__aiter__"):
        # Its pieces come once, and are to be seen in `requests` too.
        made = MadeCall.of(call, data=b"".join([piece async for piece in data]))
    else:
        made = MadeCall.of(call)
    mocks = Mock.open_here()
    if not mocks:
        # While the data was read.
        raise ClientConnectionError("the mock was closed before it answered")
    stand_ins = [mock for mock in mocks if isinstance(mock, StandIn)]
    others = len(stand_ins) < len(mocks) and made.can_be_sent
    in_front = stand_ins[: index_of_others(mocks)] if others else stand_ins
    for stand_in in in_front:
        taken = stand_in.take(call.method, made.url)
        if taken is not None:
            return await stand_in.answer(made, taken, in_front, others)
    lets_out = any(stand_in.lets_begin(made.url) for stand_in in stand_ins)
    first = in_front[0] if in_front and not lets_out else None
    if first is not None and first.lets_rest_out:
        first.note(made)
        lets_out = True
    elif first is not None and not others:
        first.note(made)
        raise refused(made)
    return await ask(made, first, () if lets_out else stand_ins)


async def ask(made: MadeCall, first: StandIn | None, kept_open: Sequence[StandIn]) -> ClientResponse:
    """The response of the mock that answers when the call is sent.

    `first` is the stand-in that was asked before all other mocks, and has no stub. Those in `kept_open` are
    not closed before the call is over, as it must not reach the network.
    """
    asking = Asking(made, first)
    changes = {"data": copied(made.given["data"])} if made.given.get("data") is not None else {}
    found: Found | None = None
    with ExitStack() as stack:
        for stand_in in kept_open:
            stand_in.keep_open()
            stack.callback(stand_in.let_close)
        token = current.set(asking)
        try:
            return await made.call.send(make_response=asking.make_response, **changes)
        except Found as exc:
            found = exc
        except NotFound:
            pass
        finally:
            current.reset(token)
        if found is not None:
            return await found.stand_in.answer(made, found.taken, (), is_one_of_several=True)
    assert first is not None
    if not first.lets_rest_out:
        first.note(made)
    raise refused(made)


def index_of_others(mocks: Sequence[Mock]) -> int:
    """How many stand-ins come before the first other mock."""
    return next((place for place, mock in enumerate(mocks) if not isinstance(mock, StandIn)), len(mocks))


class Calls:
    """The one `around_requests` of all stand-ins, from the first that opens to the last that closes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open = 0
        self._around: AbstractContextManager[None] = around_requests(answer)

    def open(self) -> None:
        """Have calls come here for one more stand-in."""
        with self._lock:
            if not self._open:
                self._around.__enter__()
            self._open += 1

    def close(self) -> None:
        """Have calls come here for one stand-in less."""
        with self._lock:
            self._open -= 1
            if not self._open:
                self._around.__exit__(None, None, None)


calls = Calls()
"""Which is one, as a call goes through all stand-ins at once."""
