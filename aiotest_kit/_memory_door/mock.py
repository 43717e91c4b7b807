"""Process-wide interception: `mock`, for sessions that somebody else makes.

The one thing patched is `aiohttp.BaseConnector.connect`, from the first mock that opens to the last that
closes. A request of any session then either goes to the routers of the open mocks, over a memory connector
that stands for the session's own, or out to the network, as the policy says.
"""

from __future__ import annotations

import threading
from contextvars import ContextVar
from functools import lru_cache, partial
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import aiohttp

from .._aiohttp.client import connect_detour, connect_through, loop_of
from .._aiohttp.connectors import before_connect
from .._aiohttp.stand_ins import close_view, view_of
from .._asyncio.lifespan import end_lives, end_lives_soon
from .._asyncio.tasks import cancel_tasks, end_tasks, on_loop
from .._errors import UsageError
from .._responders.forward import RealConnector
from .._routing.handler_errors import HandlerError, raise_handler_error
from .._routing.route import Hit
from .._routing.router import Router
from .._routing.table import Miss
from .._transport.listener import served_paths
from .door import MemoryDoor, head_of

if TYPE_CHECKING:
    from types import TracebackType

    from aiohttp.client_reqrep import ClientRequest
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

    from .._asyncio.lifespan import Lifespan
    from .._http.request import Request
    from .._routing.table import Finder

__all__ = ["Mock", "mock"]

Unmatched: TypeAlias = Literal["error", "allow", "passthrough"]
POLICIES = ("error", "allow", "passthrough")


class Mock:
    """What `mock` returns: a context manager, sync and async, that gives the router."""

    def __init__(self, router: Router | None, unmatched: Unmatched, loopback: bool = True) -> None:
        if unmatched not in POLICIES:
            raise UsageError(f"unmatched={unmatched!r}: policies are {', '.join(POLICIES)}")
        self.router: Router = Router() if router is None else router
        self.unmatched = unmatched
        self.loopback = loopback
        self.is_open = False
        self._earlier_errors = 0

    def __enter__(self) -> Router:
        self.open()
        self._earlier_errors = len(self.router.handler_errors)
        return self.router

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
        raise_handler_error(self.router.handler_errors[self._earlier_errors :], exc)

    async def __aenter__(self) -> Router:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        lives = self._close()
        await end_tasks(self.router.tasks)
        await end_lives(lives)
        raise_handler_error(self.router.handler_errors[self._earlier_errors :], exc)

    def open(self) -> None:
        """Begin to answer.

        Raises:
            UsageError: it is open already.
        """
        open_mock(self)
        self.router.enter()

    def close(self) -> None:
        """End: what still answers is ended, and with the last open mock nothing is patched any more."""
        end_lives_soon(self._close())

    def _close(self) -> tuple[Lifespan[Any], ...]:
        """End all but the mounted apps, which this returns."""
        if not self.is_open:
            return ()
        close_mock(self)
        return self.router.leave()

    @property
    def lets_some_out(self) -> bool:
        """Whether a request to somewhere else may go to the network at all."""
        return self.unmatched == "passthrough" or self.router.lets_some_out


def mock(router: Router | None = None, *, unmatched: Unmatched = "error", loopback: bool = True) -> Mock:
    """Answer the requests of every aiohttp session in the process, until the block ends.

    Use it as `with mock() as router:` or `async with mock() as router:`; a `router` of one's own may be
    given. Nothing leaves the machine: a request that no route answers raises `UnmatchedRequest` in the
    client. Loopback addresses go through unless a route names them, and so does what `router.passthrough`
    lets out; with `unmatched="passthrough"` so does all that no route asks for. As that is settled before the
    body is sent, a request that differs from a route in its body alone stays, and is unmatched. With
    `loopback=False`, a loopback address is one as any other.

    Mocks nest, and may be open at once in several tasks, threads and loops: those opened in the same context
    are asked first, the newest of them first, and then the others.

    An error that escapes from a handler is raised when the block ends.
    """
    return Mock(router, unmatched, loopback)


class Asked:
    """Several routers in turn: the first that answers does; a miss is the first one's."""

    def __init__(self, routers: tuple[Router, ...]) -> None:
        self._routers = routers

    def find(self, request: Request) -> Hit | Miss:
        """The first hit, or what was nearest in the first router."""
        first: Miss | None = None
        for router in self._routers:
            outcome = router.find(request)
            if isinstance(outcome, Hit):
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

    def failed(self, error: HandlerError) -> None:
        """Keep an error of the user's code for the test, with the first router."""
        self._routers[0].failed(error)


class InterceptionDoor(MemoryDoor):
    """The memory connections of other people's sessions, while a mock is open."""

    def finder_now(self) -> Finder:
        """The routers that are open now, where the request is made."""
        if len(opened) == 1:
            return opened[0].router
        return Asked(tuple(mock.router for mock in open_mocks()))

    def close(self) -> None:
        """End all connections, each on its own loop."""
        for reference in self.views:
            view = reference()
            if view is not None:
                on_loop(loop_of(view), partial(close_view, view))
        self.hang_up()


# The state of interception: who is open, newest first, and through what they are reached.
lock = threading.Lock()
opened: tuple[Mock, ...] = ()
door: InterceptionDoor | None = None
here: ContextVar[tuple[Mock, ...]] = ContextVar("aiotest_kit_mocks", default=())


def open_mock(mock: Mock) -> None:
    """Put a mock on top; with the first, sessions are intercepted."""
    global opened, door
    with lock:
        if mock.is_open:
            raise UsageError("this mock is open already; mock() makes another one")
        if not opened:
            door = InterceptionDoor()
            connect_detour.install(connect)
        mock.is_open = True
        opened = (mock, *opened)
    here.set((mock, *still_open(here.get())))


def close_mock(mock: Mock) -> None:
    """Take a mock away; with the last, nothing is patched and no connection left."""
    global opened, door
    with lock:
        mock.is_open = False
        opened = still_open(opened)
        if not opened and door is not None:
            connect_detour.restore()
            door.close()
            door = None
    here.set(still_open(here.get()) if opened else ())
    cancel_tasks(mock.router.tasks)


def still_open(mocks: tuple[Mock, ...]) -> tuple[Mock, ...]:
    """Those of some mocks that are open."""
    return tuple([mock for mock in mocks if mock.is_open]) if mocks else mocks


def open_mocks() -> tuple[Mock, ...]:
    """The open mocks, those of this context first, each time the newest first."""
    mine = still_open(here.get())
    return mine if mine == opened else mine + tuple([mock for mock in opened if mock not in mine])


async def connect(
    self: aiohttp.BaseConnector, req: ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
) -> Connection:
    """`BaseConnector.connect` while a mock is open."""
    through = door
    if through is None or isinstance(self, RealConnector) or goes_out(self, req):
        return await connect_through(self, req, traces, timeout)
    view = view_of(self, through)
    if through.fails_connections:
        return await view.connect(req, traces, timeout)
    # What `view.connect` comes to here, without another coroutine for every call.
    before_connect(view, req)
    connection = await connect_through(view, req, traces, timeout)
    through.acquired(connection.transport, req, timeout, traces)
    return connection


def goes_out(connector: aiohttp.BaseConnector, req: ClientRequest) -> bool:
    """Whether a request is let out to the network."""
    url = req.url
    if isinstance(connector, aiohttp.UnixConnector):
        # Others may lead out of the test, whatever host the URL has.
        local = connector.path in served_paths
    else:
        # A proxy elsewhere would be asked for a local address, too.
        hops = (url,) if req.proxy is None else (url, req.proxy)
        local = all(is_loopback((hop.raw_host or "").rstrip(".")) for hop in hops)
    if not local:
        for mock in opened:
            if mock.lets_some_out:
                break
        else:
            return False
    mocks = open_mocks()
    request = head_of(req)
    for mock in mocks:
        if mock.router.names(request) if local and mock.loopback else mock.router.claims(request):
            return False
        if mock.router.lets_out(request):
            return True
    return (local and mocks[0].loopback) or mocks[0].unmatched == "passthrough"


@lru_cache(maxsize=1024)
def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine (RFC 6761, 6.3; RFC 1122, 3.2.1.3; RFC 4291, 2.5.3).

    The unspecified addresses are counted too: connecting to one reaches this machine.
    """
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified
