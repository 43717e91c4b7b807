"""How the requests of every aiohttp session in the process get to the open mocks.

From the first mock that opens to the last that closes, `aiohttp.BaseConnector.connect` is patched. A request
then either goes to the routers of the open mocks, over a memory connector that stands for the session's own,
or out to the network, as the policy says. A connector with a `connect` of its own is met one step later,
where aiohttp creates a connection, and so are calls that waited for one when the first mock opened.
"""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Any

from .._aiohttp.client import connect_detour, connect_through, loop_of
from .._aiohttp.connectors import MemoryConnector, before_connect, create_connection, creation_detours
from .._aiohttp.stand_ins import close_stand_in, stand_in_for
from .._asyncio.tasks import cancel_tasks, may_be_other_tasks, on_loop, running_loop
from .._messages.exceptions import UsageError, mock_closed
from .._responders.forward import RealConnector
from .._routing.route import Hit
from .._routing.table import Miss
from .door import MemoryDoor
from .in_flight import fail_calls_of
from .network_policy import goes_out
from .open_mocks import all_open, mocks_here, pop, push

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    import aiohttp
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.client_reqrep import ClientRequest
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

    from .._aiohttp.connectors import ConnectRequest
    from .._asyncio.patching import Detour
    from .._http.call import Tunnel
    from .._http.request import Request
    from .._routing.handler_errors import HandlerError
    from .._routing.router import Router
    from .._routing.table import Finder
    from .mock import Mock

__all__ = ["close_mock", "open_mock"]


class RouterChain:
    """Several routers in turn: the first that answers does; if none does, the first one's outcome counts."""

    def __init__(self, routers: tuple[Router, ...]) -> None:
        self._routers = routers

    def find(self, request: Request) -> Hit | Miss:
        """The first hit that does not yield, or what the first router found."""
        first: Hit | Miss | None = None
        for router in self._routers:
            outcome = router.find(request)
            if isinstance(outcome, Hit) and not outcome.yields:
                return outcome
            first = first or outcome
        assert first is not None
        return first

    def find_early(self, request: Request) -> Hit | Miss | None:
        """The first hit, unless a router before has to see the body."""
        outcome: Hit | Miss | None = None
        for router in self._routers:
            outcome = router.find_early(request)
            if not isinstance(outcome, Miss):
                return outcome
        return outcome

    def find_at_connect(self, request: Request) -> Hit | Miss | None:
        """The first hit, unless a router before is to answer."""
        outcome: Hit | Miss | None = None
        for router in self._routers:
            outcome = router.find_at_connect(request)
            if not isinstance(outcome, Miss):
                return outcome
        return outcome

    @property
    def fails_connections(self) -> bool:
        """Whether `find_at_connect` may find something."""
        return any(router.fails_connections for router in self._routers)

    def add_tunnel(self, tunnel: Tunnel) -> None:
        """Keep a tunnel with the first router that names where it leads, else with the first."""
        routers = self._routers
        next((router for router in routers if router.names(tunnel.request)), routers[0]).add_tunnel(tunnel)

    def failed(self, error: HandlerError) -> None:
        """Keep an error of the user's code for the test, with the first router."""
        self._routers[0].failed(error)


class InterceptionDoor(MemoryDoor):
    """The memory connections of other people's sessions, while a mock is open."""

    is_closed = False

    def finder_now(self) -> Finder:
        """The routers that are asked where the request is made."""
        mocks = all_open()
        if len(mocks) == 1:
            return mocks[0].router
        return RouterChain(tuple([mock.router for mock in mocks_here()]))

    @property
    def imitates_connecting(self) -> bool:
        """Whether the mock that is asked first does so."""
        mocks = mocks_here()
        return not mocks or mocks[0].imitates_connecting

    def open_now(self, asked: ConnectRequest, factory: Callable[[], ResponseHandler]) -> ResponseHandler:
        """A new connection's protocol.

        Raises:
            ClientConnectionError: the mock was closed while the call waited for a connection.
        """
        if self.is_closed:
            raise mock_closed()
        return super().open_now(asked, factory)

    def close(self) -> None:
        """End all connections, each on its own loop, and the calls that have one or will want one."""
        self.is_closed = True
        stand_ins = [stand_in for reference in self.stand_ins if (stand_in := reference()) is not None]
        if may_be_other_tasks():
            loops = {peer.loop for peer in self.connections} | set(map(loop_of, stand_ins))
            running = running_loop()
            fail_calls_of(loops if running is None else {running, *loops})
        for stand_in in stand_ins:
            on_loop(loop_of(stand_in), partial(close_stand_in, stand_in))
        # What is not pooled is in use.
        self.hang_up()


lock = threading.Lock()
door: InterceptionDoor | None = None
"""The door of all open mocks; None while none is open."""


def open_mock(mock: Mock) -> None:
    """Put a mock on top; with the first, sessions are intercepted.

    Raises:
        UsageError: it is open already.
    """
    global door
    with lock:
        if mock.is_open:
            raise UsageError("this mock is open already; mock() makes another one")
        if door is None:
            door = InterceptionDoor()
            for detour, through in detours:
                detour.install(through)
        push(mock)


def close_mock(mock: Mock) -> None:
    """Take a mock away; with the last, nothing is patched and no connection left."""
    global door
    with lock:
        pop(mock)
        if not all_open() and door is not None:
            for detour, _ in detours:
                detour.restore()
            door.close()
            door = None
    tasks = mock.router.tasks
    if tasks:
        cancel_tasks(tasks)


async def connect(
    self: aiohttp.BaseConnector, req: ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
) -> Connection:
    """`BaseConnector.connect` while a mock is open."""
    through = door
    if through is None or isinstance(self, RealConnector) or goes_out(self, req):
        return await connect_through(self, req, traces, timeout)
    stand_in = stand_in_for(self, through)
    if through.fails_connections:
        return await stand_in.connect(req, traces, timeout)
    # What `stand_in.connect` comes to here, without another coroutine for every call.
    ssl = before_connect(stand_in, req)
    connection = await connect_through(stand_in, req, traces, timeout)
    through.next_request(connection.transport, req, timeout, traces, ssl)
    return connection


async def create(
    as_written: Callable[..., Coroutine[Any, Any, ResponseHandler]],
    self: aiohttp.BaseConnector,
    req: ClientRequest,
    traces: list[Trace],
    timeout: aiohttp.ClientTimeout,
) -> ResponseHandler:
    """`_create_connection` of a connector while a mock is open."""
    through = door
    if through is None or isinstance(self, (MemoryConnector, RealConnector)) or goes_out(self, req):
        return await as_written(self, req, traces, timeout)
    return await create_connection(stand_in_for(self, through), req, traces, timeout)


detours: list[tuple[Detour, Callable[..., Any]]] = [
    (connect_detour, connect),
    *((detour, partial(create, detour.as_written)) for detour in creation_detours),
]
"""What is patched while a mock is open, and what is called in its place."""
