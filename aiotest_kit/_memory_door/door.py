"""The memory door: real client sessions whose connections lead to a router.

`MemoryDoor` opens them, with a `ServerProtocol` at the other end of each; `mock_session` is a `ClientSession`
behind it. TLS is implied, not spoken: the client is told of it, the bytes are plain.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import aiohttp

from .._aiohttp.client import ANSWERS_AT_ONCE, raise_in_client
from .._asyncio.tasks import new_task, on_loop
from .._http.call import Call, Client
from .._http.request import Origin, Request
from .._messages.exceptions import UsageError, mock_closed
from .._responders.connect_faults import DNSFailure, TLSFailure
from .._responders.exchange import ConnectFault
from .._responders.faults import ProxyError
from .._routing.handler_errors import HandlerError
from .._routing.route import Hit, StalledCall
from .._routing.router import Router
from .._routing.sequence import DEFAULT_STEP
from .._server.protocol import ServerProtocol
from .._server.retries import Attempt, Retries
from .._transport.memory import connected
from .._transport.socket_info import OTHER_CERTIFICATE

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from weakref import ReferenceType

    from aiohttp.client_proto import ResponseHandler
    from aiohttp.client_reqrep import ClientRequest

    from .._aiohttp.connectors import ConnectRequest, LateFailure, SSLOption
    from .._aiohttp.stand_ins import StandInConnector
    from .._http.call import Tunnel
    from .._http.reply import Reply
    from .._routing.route import Route
    from .._routing.table import Finder
    from .._server.retries import Token

__all__ = ["MemoryDoor", "RouterDoor"]


class MemoryDoor:
    """Opens connections in memory, with a peer at the far end."""

    def __init__(self) -> None:
        self.connections: set[ServerProtocol] = set()
        self.stand_ins: list[ReferenceType[StandInConnector]] = []
        self._attempts = Retries()
        self._client: Client | None = None

    def open_now(self, asked: ConnectRequest, factory: Callable[[], ResponseHandler]) -> ResponseHandler:
        """A new connection's protocol."""
        loop = asyncio.get_running_loop()
        protocol = factory()
        fail = partial(raise_in_client, protocol)
        peer = ServerProtocol(self.finder_now(), Origin.of(asked.url), loop, self.connections, fail)
        connected(loop, protocol, peer, asked.address, ANSWERS_AT_ONCE).secure(
            asked.ssl, asked.server_hostname
        )
        return protocol

    async def open(
        self, asked: ConnectRequest, factory: Callable[[], ResponseHandler]
    ) -> tuple[asyncio.Transport, ResponseHandler]:
        """A new connection, a turn of the loop later: calls that connect at the same time take turns."""
        await asyncio.sleep(0)
        protocol = self.open_now(asked, factory)
        transport = protocol.transport
        assert transport is not None
        return transport, protocol

    def start_tls(self, transport: Any, protocol: ResponseHandler, asked: ConnectRequest) -> None:
        """What follows a proxy's tunnel."""
        transport.secure(asked.ssl, asked.server_hostname)
        transport.set_protocol(protocol)
        transport.server.fail = partial(raise_in_client, protocol)

    def next_request(
        self,
        transport: Any,
        request: ClientRequest,
        timeout: aiohttp.ClientTimeout,
        call: object,
        ssl: SSLOption,
    ) -> None:
        """Tell the peer who asks next, and what of it; one `Client` for calls that ask the same."""
        client = self._client
        if (
            client is None
            or client.timeout is not timeout
            or client.ssl is not ssl
            or client.proxy is not request.proxy
            or client.server_hostname is not request.server_hostname
        ):
            client = Client(timeout, ssl, request.proxy, request.server_hostname)
            self._client = client
        transport.server.expect(self.finder_now(), client, self._attempts, (call, id(request)))

    @property
    def fails_connections(self) -> bool:
        """Whether some route may answer where a client connects."""
        return self.finder_now().fails_connections

    @property
    def imitates_connecting(self) -> bool:
        """Whether resolvers of users are asked, and fingerprints compared."""
        return True

    def planned_failure(
        self, request: ClientRequest, timeout: aiohttp.ClientTimeout, call: object, ssl: SSLOption
    ) -> FailedConnect | None:
        """The door that fails the connection, if a route says so; the call is recorded then.

        An answer that is settled here but is no failure is kept for the request.
        """
        asked = head_of(request)
        token = call, id(request)
        client = Client(timeout, ssl, request.proxy, request.server_hostname)
        attempt = self._attempt_at_connect(asked, client, token)
        if attempt is None:
            return None
        fault = attempt.step.answer
        if isinstance(fault, ProxyError) and request.proxy and asked.origin.scheme == "https":
            return FailedConnect(self, ProxyRefusal(fault.reply), attempt, token)
        if not isinstance(fault, ConnectFault):
            self._attempts.dropped(token, attempt)
            return None
        problem = fault.impossible_because(asked.origin)
        if problem is not None:
            raise impossible(problem, attempt)
        if isinstance(fault, TLSFailure):
            # A client that notices nothing in its handshake sends its request.
            met = attempt if fault.is_met_by_requests else replace(attempt, step=DEFAULT_STEP)
            self._attempts.dropped(token, met)
        return FailedConnect(self, fault, attempt, token)

    def cancel_planned(self, token: Token) -> None:
        """Drop what is kept for a request, which is not sent."""
        self._attempts.forget(token)

    def _attempt_at_connect(self, asked: Request, client: Client, token: Token) -> Attempt | None:
        """The call that is being made, with its answer, if that may have to be given now."""
        before = self._attempts.resume(token, asked) if self._attempts.kept else None
        if before is not None:
            return Attempt(before.call, before.route, before.next_step().resolved(), is_pending=True)
        finder = self.finder_now()
        try:
            outcome = finder.find_at_connect(asked)
        except Exception:
            # A predicate's error is raised again, and kept, when the request is there.
            return None
        if not isinstance(outcome, Hit):
            return None
        route = outcome.route
        call: Call[Route] = Call(asked, route, asyncio.get_running_loop().time(), client)
        step = outcome.take().resolved()
        route.record(call)
        if outcome.via is not None:
            outcome.via.record(call)
        return Attempt(call, route, step, is_pending=True)

    def allow_late_failure(self, transport: Any, fail: LateFailure) -> None:
        """Have faults that the client meets with its request sent look the same in it."""

        async def redial(fault: ConnectFault) -> None:
            tls = transport.get_extra_info("ssl_object")
            if tls is not None:
                try:
                    fault.first_read(tls.context, tls.server_hostname)
                except OSError as exc:
                    # As aiohttp's protocol tells of a connection that was lost by an error.
                    raise aiohttp.ClientOSError(*exc.args) from exc
            await fail(FailedConnect(self, fault))

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


class RefusingProxy(Router):
    """What answers at a proxy that refuses; the CONNECT is in the log of the call's own router."""

    def __init__(self, refusal: ProxyRefusal, call: Call[Route], finder: Finder) -> None:
        super().__init__()
        self.route("CONNECT", re.compile(".*")).reply(refusal.reply)
        self._call = call
        self._finder = finder

    def add_tunnel(self, tunnel: Tunnel) -> None:
        """Pass it on."""
        self._call.tunnel = tunnel
        self._finder.add_tunnel(tunnel)


class FailedConnect:
    """The door of one connection that fails; see `_aiohttp.connectors.FailingDoor`."""

    fails_connections = False
    imitates_connecting = True

    def __init__(
        self,
        door: MemoryDoor,
        fault: ConnectFault,
        attempt: Attempt | None = None,
        token: Token = (None, 0),
    ) -> None:
        self.asks_for_name = isinstance(fault, DNSFailure)
        self._door = door
        self._fault = fault
        self._attempt = attempt
        self._token = token
        self._has_waited = False

    def open_now(self, asked: ConnectRequest, factory: Callable[[], Any]) -> None:
        """None: failing takes its time."""

    async def look_up(self, host: str) -> None:
        """Fail to look up the name, when it is time."""
        await self._go_wrong(partial(self._fault.look_up, host))

    async def open(
        self, asked: ConnectRequest, factory: Callable[[], ResponseHandler]
    ) -> tuple[asyncio.Transport, ResponseHandler]:
        """Fail to connect, or in the handshake; or give a connection that fails later."""
        if self.asks_for_name and isinstance(asked.address, str):
            where = f"the connector connects to {asked.address}, and looks up no name"
            raise impossible(f"{self._fault!r} cannot happen: {where}", self._attempt)
        await self._go_wrong(partial(self._fault.connect, asked.address))
        if asked.ssl is not None:
            self._fault.shake_hands(asked.ssl, asked.server_hostname)
        transport, protocol = await self._door_behind().open(asked, factory)
        if asked.ssl is not None:
            self._show_certificate(transport)
        return transport, protocol

    def _door_behind(self) -> MemoryDoor:
        """The door through which a connection is opened that fails later, or not at all."""
        if isinstance(self._fault, ProxyRefusal) and self._attempt is not None:
            call = self._attempt.call
            return RouterDoor(RefusingProxy(self._fault, call, self._door.finder_now()))
        return self._door

    def _show_certificate(self, transport: Any) -> None:
        if isinstance(self._fault, TLSFailure) and self._fault.kind == "fingerprint":
            transport.show_certificate(OTHER_CERTIFICATE)

    async def _go_wrong(self, fail: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Wait once, as the route says, then do what the fault does.

        Raises:
            ClientConnectionError: the mock was closed meanwhile.
        """
        attempt = self._attempt
        if attempt is None:
            await fail()
            return
        has_waited, self._has_waited = self._has_waited, True
        if not has_waited and (attempt.step.delay or attempt.route.gate is not None):
            await until_closed(attempt, attempt.step.wait(attempt.route.gate))
        await until_closed(attempt, fail(), StalledCall(attempt.call))

    def start_tls(self, transport: Any, protocol: ResponseHandler, asked: ConnectRequest) -> None:
        """Fail in the handshake behind a proxy's tunnel, or go on."""
        assert asked.ssl is not None
        self._fault.shake_hands(asked.ssl, asked.server_hostname)
        self._door.start_tls(transport, protocol, asked)
        self._show_certificate(transport)

    def failed(self, exc: BaseException) -> None:
        """Complete the record; the request is not sent."""
        self._door.cancel_planned(self._token)
        if self._attempt is not None:
            call = self._attempt.call
            call.exception = exc
            call.ended_after(asyncio.get_running_loop().time() - call.started)

    def planned_failure(self, *args: object) -> None:
        """None: there is no second way to fail."""

    def allow_late_failure(self, *args: object) -> None:
        """It is never the way of a request."""

    def next_request(self, *args: object) -> None:
        """It is never the way of a request."""

    async def left(self) -> None:
        """Nothing is held."""


def impossible(problem: str, attempt: Attempt | None) -> UsageError:
    """The error for a call whose fault cannot happen where it goes; it fails the test, too."""
    error = UsageError(problem)
    if attempt is not None:
        attempt.call.exception = error
        attempt.route.failed(HandlerError(error, attempt.call.request, attempt.route))
    return error


async def until_closed(
    attempt: Attempt, coroutine: Coroutine[Any, Any, None], kept: StalledCall | None = None
) -> None:
    """Run a coroutine, which ends with the mock; `kept` is the call that a fault keeps waiting by it.

    Raises:
        ClientConnectionError: the mock was closed.
    """
    route = attempt.route
    task = new_task(coroutine)
    route.track(task)
    with nullcontext() if kept is None else route.stalling(kept, task):
        try:
            await asyncio.wait([task])
        finally:
            task.cancel()
    if task.cancelled():
        raise mock_closed(route)
    task.result()


def head_of(request: ClientRequest) -> Request:
    """The request that a client is about to send, without its body."""
    fields = tuple((written(name), written(value)) for name, value in request.headers.items())
    return Request(request.method, Origin.of(request.url), request.url.raw_path_qs, raw_headers=fields)


def written(value: object) -> bytes:
    """A name or value of a header as aiohttp writes it: without surrogates.

    It may be anything. aiohttp refuses what is no text when it sends the request.
    """
    return str(value).encode("utf-8", "ignore")


class RouterDoor(MemoryDoor):
    """A door to one router."""

    def __init__(self, router: Router) -> None:
        super().__init__()
        self._router = router

    def finder_now(self) -> Finder:
        """The router, always."""
        return self._router
