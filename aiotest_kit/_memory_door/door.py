"""The memory door: real client sessions whose connections lead to a router.

`MemoryDoor` opens them, one `Peer` at the far end of each; `mock_session` is a `ClientSession` behind it. TLS
is implied, not spoken: the client is told of it, the bytes are plain.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from .._aiohttp.client import ANSWERS_AT_ONCE, raise_in_client
from .._asyncio.tasks import new_task, on_loop
from .._errors import UsageError, mock_closed
from .._http.call import Call, Client
from .._http.request import Origin, Request
from .._responders.connect_faults import DNSFailure, TLSFailure
from .._responders.exchange import ConnectFault
from .._responders.faults import ProxyError
from .._routing.handler_errors import HandlerError
from .._routing.route import Hit, Kept
from .._routing.router import Router
from .._routing.sequence import NOT_SAID
from .._server.protocol import Peer
from .._server.retries import Attempt, Attempts
from .._transport.memory import connected

if TYPE_CHECKING:
    from collections.abc import Callable
    from weakref import ReferenceType

    import aiohttp
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.client_reqrep import ClientRequest

    from .._aiohttp.connectors import Dial, Redial
    from .._aiohttp.stand_ins import View
    from .._http.reply import Reply
    from .._routing.route import Route
    from .._routing.table import Finder
    from .._server.retries import Token

__all__ = ["MemoryDoor", "RouterDoor"]


class MemoryDoor:
    """Opens connections in memory, with a peer at the far end."""

    def __init__(self) -> None:
        self.connections: set[Peer] = set()
        self.views: list[ReferenceType[View]] = []
        self._attempts = Attempts()
        self._client: Client | None = None

    def open_now(self, dial: Dial, factory: Callable[[], ResponseHandler]) -> ResponseHandler:
        """A new connection's protocol."""
        loop = asyncio.get_running_loop()
        protocol = factory()
        fail = partial(raise_in_client, protocol)
        peer = Peer(self.finder_now(), Origin.of(dial.url), loop, self.connections, fail)
        connected(loop, protocol, peer, dial.address, ANSWERS_AT_ONCE).secure(dial.ssl, dial.server_hostname)
        return protocol

    async def open(
        self, dial: Dial, factory: Callable[[], ResponseHandler]
    ) -> tuple[asyncio.Transport, ResponseHandler]:
        """A new connection."""
        protocol = self.open_now(dial, factory)
        transport = protocol.transport
        assert transport is not None
        return transport, protocol

    def start_tls(self, transport: Any, protocol: ResponseHandler, dial: Dial) -> None:
        """What follows a proxy's tunnel."""
        transport.secure(dial.ssl, dial.server_hostname)
        transport.set_protocol(protocol)
        transport.server.fail = partial(raise_in_client, protocol)

    def acquired(
        self, transport: Any, request: ClientRequest, timeout: aiohttp.ClientTimeout, call: object
    ) -> None:
        """Tell the peer who asks next, and what of it; one `Client` for calls that ask the same."""
        client = self._client
        if (
            client is None
            or client.timeout is not timeout
            or client.ssl is not request.ssl
            or client.proxy is not request.proxy
            or client.server_hostname is not request.server_hostname
        ):
            client = Client(timeout, request.ssl, request.proxy, request.server_hostname)
            self._client = client
        transport.server.expect(self.finder_now(), client, self._attempts, (call, id(request)))

    @property
    def fails_connections(self) -> bool:
        """Whether some route may answer where a client connects."""
        return self.finder_now().fails_connections

    def foresee(
        self, request: ClientRequest, timeout: aiohttp.ClientTimeout, call: object
    ) -> FailedDial | None:
        """The connection that fails, where a route says so; the call is recorded then.

        What is settled here, but is no failure, is kept for the request.
        """
        asked = head_of(request)
        token = call, id(request)
        attempt = self._attempt_at_connect(asked, request, timeout, token)
        if attempt is None:
            return None
        fault = attempt.step.answer
        if isinstance(fault, ProxyError) and request.proxy and asked.origin.scheme == "https":
            return FailedDial(self, ProxyRefusal(fault.reply), attempt, token)
        if not isinstance(fault, ConnectFault):
            self._attempts.dropped(token, attempt)
            return None
        problem = fault.unfit(asked.origin)
        if problem is not None:
            error = UsageError(problem)
            attempt.call.exception = error
            attempt.route.failed(HandlerError(error, asked, attempt.route))
            raise error
        if isinstance(fault, TLSFailure):
            # A client that does not look will not notice, and sends its request.
            self._attempts.dropped(token, replace(attempt, step=NOT_SAID))
        return FailedDial(self, fault, attempt, token)

    def not_sent(self, token: Token) -> None:
        """Drop what is kept for a request."""
        self._attempts.forget(token)

    def _attempt_at_connect(
        self, asked: Request, request: ClientRequest, timeout: aiohttp.ClientTimeout, token: Token
    ) -> Attempt | None:
        """The call that is being made, with its answer, if that may have to be given now."""
        before = self._attempts.resume(token, asked) if self._attempts.kept else None
        if before is not None:
            return Attempt(before.call, before.route, before.next_step().drawn(), is_due=True)
        finder = self.finder_now()
        try:
            outcome = finder.find_at_connect(asked)
        except Exception:
            # A predicate's error is raised again, and kept, when the request is there.
            return None
        if not isinstance(outcome, Hit):
            return None
        route = outcome.route
        client = Client(timeout, request.ssl, request.proxy, request.server_hostname)
        call: Call[Route] = Call(asked, route, asyncio.get_running_loop().time(), client)
        step = outcome.take().drawn()
        route.record(call)
        if outcome.via is not None:
            outcome.via.record(call)
        return Attempt(call, route, step, is_due=True)

    def may_redial(self, transport: Any, fail: Redial) -> None:
        """Have faults that were not foreseen, as the body decided on them, look the same in the client."""

        async def redial(fault: ConnectFault) -> None:
            await fail(FailedDial(self, fault), traces=[])

        transport.server.redial = redial

    def finder_now(self) -> Finder:
        """Who decides on the request that is about to be sent."""
        raise NotImplementedError

    async def left(self) -> None:
        """Leave the rest to the end of the mock: a connector was closed, and others may be open."""

    def hang_up(self) -> None:
        """End all connections, each on its own loop; those of a closed loop are gone."""
        for peer in list(self.connections):
            if not peer.loop.is_closed():
                on_loop(peer.loop, peer.hang_up)


class ProxyRefusal(ConnectFault):
    """A proxy that answers CONNECT with a reply of its own."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply


class FailedDial:
    """The door of one connection that fails; see `_aiohttp.connectors.FailingDoor`."""

    fails_connections = False

    def __init__(
        self,
        door: MemoryDoor,
        fault: ConnectFault,
        attempt: Attempt | None = None,
        token: Token = (None, 0),
    ) -> None:
        self.asks_for_name = isinstance(fault, DNSFailure)
        self.has_certificate = isinstance(fault, TLSFailure) and fault.kind == "fingerprint"
        self.look_up = fault.look_up
        self._door = door
        self._fault = fault
        self._attempt = attempt
        self._token = token

    def open_now(self, dial: Dial, factory: Callable[[], Any]) -> None:
        """None: failing takes its time."""

    async def open(
        self, dial: Dial, factory: Callable[[], ResponseHandler]
    ) -> tuple[asyncio.Transport, ResponseHandler]:
        """Fail to connect, or in the handshake; or give a connection that fails later."""
        attempt = self._attempt
        task = new_task(self._fault.connect(dial.address))
        with nullcontext() if attempt is None else attempt.route.keeping(Kept(attempt.call), task):
            await self._unless_closed(task)
        if dial.ssl is not None:
            self._fault.shake_hands(dial.ssl, dial.server_hostname)
        door: MemoryDoor = self._door
        if isinstance(self._fault, ProxyRefusal):
            proxy = Router()
            proxy.route("CONNECT", re.compile(".*")).reply(self._fault.reply)
            door = RouterDoor(proxy)
        return await door.open(dial, factory)

    async def ready(self) -> None:
        """Wait as the route says before it answers."""
        attempt = self._attempt
        if attempt is not None and (attempt.step.delay or attempt.route.gate is not None):
            waiting = attempt.step.wait(attempt.route.gate)
            await self._unless_closed(new_task(waiting))

    async def _unless_closed(self, task: asyncio.Task[None]) -> None:
        """Wait for a task, which ends with the mock.

        Raises:
            ClientConnectionError: it did.
        """
        attempt = self._attempt
        if attempt is not None:
            attempt.route.track(task)
        try:
            await asyncio.wait([task])
        finally:
            task.cancel()
        if task.cancelled():
            raise mock_closed(attempt and attempt.route)
        task.result()

    def start_tls(self, transport: Any, protocol: ResponseHandler, dial: Dial) -> None:
        """Fail in the handshake behind a proxy's tunnel, or go on."""
        assert dial.ssl is not None
        self._fault.shake_hands(dial.ssl, dial.server_hostname)
        self._door.start_tls(transport, protocol, dial)

    def failed(self, exc: BaseException) -> None:
        """Complete the record; the request is not sent."""
        self._door.not_sent(self._token)
        if self._attempt is not None:
            call = self._attempt.call
            call.exception = exc
            call.elapsed = asyncio.get_running_loop().time() - call.started

    def foresee(self, *args: object) -> None:
        """None: there is no second way to fail."""

    def may_redial(self, *args: object) -> None:
        """It is never the way of a request."""

    def acquired(self, *args: object) -> None:
        """It is never the way of a request."""

    async def left(self) -> None:
        """Nothing is held."""


def head_of(request: ClientRequest) -> Request:
    """The request that a client is about to send, without its body."""
    fields = tuple((name.encode(), value.encode()) for name, value in request.headers.items())
    return Request(request.method, Origin.of(request.url), request.url.raw_path_qs, raw_headers=fields)


class RouterDoor(MemoryDoor):
    """A door to one router."""

    def __init__(self, router: Router) -> None:
        super().__init__()
        self._router = router

    def finder_now(self) -> Finder:
        """The router, always."""
        return self._router
