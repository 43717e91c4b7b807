"""Connectors whose connections a door opens: what aiohttp's connectors do not document, and nothing else.

See `_aiohttp.client`. Knows what a connector asks for, and what a door gives. Knows nothing of routes.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import weakref
from collections import defaultdict, deque
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias, cast

import aiohttp
from aiohttp import client_exceptions, helpers

from .._asyncio.patching import Detour
from .client import connect_through, maker
from .resolvers import NAMES_RESOLVE_TO, NO_RESOLVER, FailingResolver, is_of_aiohttp

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Coroutine, Iterator

    from aiohttp.client_proto import ResponseHandler
    from aiohttp.client_reqrep import ClientRequest
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace
    from yarl import URL

__all__ = [
    "ConnectRequest",
    "Door",
    "FailingDoor",
    "LateFailure",
    "MemoryConnector",
    "MemoryTCPConnector",
    "MemoryUnixConnector",
    "SSLOption",
    "before_connect",
    "create_connection",
    "creation_detours",
    "empty_cache",
    "empty_pool",
    "expect_jumps",
    "has_own_resolver",
    "has_pooled",
    "path_of_socket",
]

SSLOption: TypeAlias = "ssl.SSLContext | aiohttp.Fingerprint | bool"
"""What aiohttp takes as `ssl=`."""


class ConnectRequest(NamedTuple):
    """What a connector asks for when it needs a new connection.

    `url` is that of the request, or of the proxy. `address` is a `(host, port)` pair, with flow and scope
    behind it for IPv6, or the path of a unix socket. `ssl` is None for a plain connection.
    """

    url: URL
    address: tuple[Any, ...] | str
    ssl: ssl.SSLContext | None
    server_hostname: str | None


class Door(Protocol):
    """What a memory connector needs of the door that it belongs to."""

    def open_now(self, asked: ConnectRequest, factory: Callable[[], Any]) -> ResponseHandler | None:
        """The protocol of a new connection, told of it; None where opening it takes time or fails."""
        ...

    async def open(
        self, asked: ConnectRequest, factory: Callable[[], ResponseHandler]
    ) -> tuple[asyncio.Transport, ResponseHandler]:
        """A new connection, its protocol told of it."""
        ...

    def start_tls(self, transport: Any, protocol: ResponseHandler, asked: ConnectRequest) -> None:
        """The tunnel of a proxy was opened: what follows is TLS."""
        ...

    async def left(self) -> None:
        """The connector was closed."""
        ...

    @property
    def fails_connections(self) -> bool:
        """Whether `planned_failure` may find something."""
        ...

    @property
    def imitates_connecting(self) -> bool:
        """Whether a resolver of the user's own is asked, and an `aiohttp.Fingerprint` compared."""
        ...

    def planned_failure(
        self, request: ClientRequest, timeout: aiohttp.ClientTimeout, call: object, ssl: SSLOption, /
    ) -> FailingDoor | None:
        """The door through which to connect for `request` instead, and fail; None if no route says so."""
        ...

    def allow_late_failure(self, transport: Any, fail: LateFailure, /) -> None:
        """Note how the request that is about to be sent can still fail to connect."""
        ...

    def next_request(
        self,
        transport: Any,
        request: ClientRequest,
        timeout: aiohttp.ClientTimeout,
        call: object,
        ssl: SSLOption,
        /,
    ) -> None:
        """Note that a connection was taken for `request`, new or from the pool.

        `call` is the same object for all that one call of a session sends: redirects, and the silent second
        attempt of an idempotent request. `ssl` is the request's own option, or else the connector's.
        """
        ...


class FailingDoor(Door, Protocol):
    """The door of one connection that fails."""

    asks_for_name: bool
    """Whether the name is looked up, even if it is known."""

    async def look_up(self, host: str) -> None:
        """Raise what looking up the name gives."""
        ...

    def failed(self, exc: BaseException) -> None:
        """Take note of how the connection failed."""
        ...


LateFailure: TypeAlias = "Callable[[FailingDoor], Awaitable[None]]"
"""Raises what aiohttp makes of a connection that fails, for a request that was sent already."""


class MemoryConnector(aiohttp.BaseConnector):
    """A connector of which only the last step, opening a socket, is replaced.

    Pool, limits, queue, traces, proxies and the wrapping of errors are aiohttp's own.
    """

    _door: Door
    _ssl: SSLOption = True
    _ahead = 0.0
    """What the loop's clock was ahead of the real one, in seconds, when the pool was last looked at."""

    async def connect(
        self, req: ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> Connection:
        """A connection for `req`, as `BaseConnector.connect` gives it."""
        ssl = before_connect(self, req)
        door = self._door
        fails_some = door.fails_connections
        failing = door.planned_failure(req, timeout, traces, ssl) if fails_some else None
        if failing is None:
            connection = await connect_through(self, req, traces, timeout)
        else:
            connection = await connect_and_fail(self, failing, req, traces, timeout)
        # aiohttp makes a new list of traces for each call of a session and keeps it over redirects and
        # retries, so its identity tells the attempts of one call from two calls.
        door.next_request(connection.transport, req, timeout, traces, ssl)
        if fails_some:
            door.allow_late_failure(connection.transport, late_failure(self, req, timeout))
        return connection

    async def close(self, *args: Any, **options: Any) -> None:
        """Close the connections; with a session's own door, what answers on them ends too."""
        await super().close(*args, **options)
        await self._door.left()

    def _release(self, key: Any, protocol: ResponseHandler, *, should_close: bool = False) -> None:
        if clocks_jump:
            age_pool(self)
        super()._release(key, protocol, should_close=should_close)

    def _cleanup(self) -> None:
        age_pool(self)
        super()._cleanup()

    async def _connect_now(
        self,
        req: ClientRequest,
        timeout: aiohttp.ClientTimeout,
        asked: ConnectRequest,
        client_error: Callable[..., Exception],
    ) -> tuple[asyncio.Transport, ResponseHandler]:
        """A connection, or the exception that aiohttp makes of what went wrong."""
        with wrapping(req, client_error):
            async with helpers.ceil_timeout(timeout.sock_connect, ceil_threshold=timeout.ceil_threshold):
                return await self._door.open(asked, cast("Any", self._factory))


async def creation_installed(
    self: aiohttp.BaseConnector,
    req: ClientRequest,
    traces: list[Trace],
    timeout: aiohttp.ClientTimeout,
    *,
    through: Callable[..., Coroutine[Any, Any, ResponseHandler]],
) -> ResponseHandler:
    """`_create_connection` of a connector while something is installed."""
    return await through(self, req, traces, timeout)


# Only Windows has named pipes.
OF_WINDOWS = (aiohttp.NamedPipeConnector,) if sys.platform == "win32" else ()

tcp_detour, *_ = creation_detours = [
    Detour(kind, "_create_connection", creation_installed)
    for kind in (aiohttp.TCPConnector, aiohttp.UnixConnector, *OF_WINDOWS)
]
"""What creates the connections of aiohttp's connectors, the last step before a socket."""

create_tcp_connection: Callable[..., Coroutine[Any, Any, ResponseHandler]] = tcp_detour.as_written


async def create_connection(
    connector: MemoryConnector, req: ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
) -> ResponseHandler:
    """The protocol of a new connection of a memory connector, which nothing has counted or pooled."""
    return await connector._create_connection(req, traces, timeout)


def path_of_socket(connector: aiohttp.BaseConnector) -> str | None:
    """The path of the socket or pipe that a connector connects to; None where the URL says it."""
    if isinstance(connector, (aiohttp.UnixConnector, aiohttp.NamedPipeConnector)):
        return connector.path
    return None


def has_own_resolver(connector: aiohttp.BaseConnector) -> bool:
    """Whether names are resolved by something else than aiohttp's own resolvers."""
    resolver = getattr(connector, "_resolver", None)
    return resolver is not None and not is_of_aiohttp(resolver)


def before_connect(connector: MemoryConnector, req: ClientRequest) -> SSLOption:
    """What comes before aiohttp's own `connect`: the response's maker, and connections that have aged.

    Returns what holds as `ssl=`: the request's own, or else that of the connector.
    """
    make = maker.get()
    if make is not None:
        # A request makes its response by calling what it has as its class.
        req.response_class = cast("Any", partial(make, req.response_class))
    if clocks_jump:
        age_pool(connector)
    option = req.ssl
    return connector._ssl if option is True else option


clocks_jump = False
"""Whether the clock of some loop is, or was, not the real one."""


def expect_jumps() -> None:
    """Say that the clock of a loop is going to jump, as in virtual time."""
    global clocks_jump
    clocks_jump = True


def age_pool(connector: MemoryConnector) -> None:
    """Have pooled connections be as old as the loop's clock says: aiohttp goes by the real one."""
    ahead = connector._loop.time() - monotonic()
    jumped = ahead - connector._ahead
    connector._ahead = ahead
    for pooled in connector._conns.values():
        for index, (protocol, since) in enumerate(pooled):
            pooled[index] = protocol, since - jumped


@contextlib.contextmanager
def wrapping(req: ClientRequest, client_error: Callable[..., Exception]) -> Iterator[None]:
    """Make of what goes wrong in the block the exception that aiohttp does.

    The clauses and their order are those of `TCPConnector._wrap_create_connection`.
    """
    try:
        yield
    except client_exceptions.cert_errors as exc:
        raise aiohttp.ClientConnectorCertificateError(req.connection_key, exc) from exc
    except client_exceptions.ssl_errors as exc:
        raise aiohttp.ClientConnectorSSLError(req.connection_key, exc) from exc
    except OSError as exc:
        if exc.errno is None and isinstance(exc, asyncio.TimeoutError):
            raise
        raise client_error(req.connection_key, exc) from exc


class MemoryTCPConnector(MemoryConnector, aiohttp.TCPConnector):
    """A `TCPConnector` whose connections a door opens. `settings` are those of `TCPConnector`."""

    def __init__(self, door: Door, **settings: Any) -> None:
        super().__init__(**{**settings, "resolver": NO_RESOLVER})
        self._door = door

    async def _create_connection(
        self, req: ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> ResponseHandler:
        host = req.url.raw_host
        if (
            not traces
            and req.proxy is None
            and self._resolver is NO_RESOLVER
            and not helpers.is_ip_address(host)
        ):
            # Where nothing is traced, nobody can tell whether a name was looked up; and what is there at once
            # needs no timeouts. The whole path costs more than the call.
            context = self._get_ssl_context(req)
            if context is None or self._get_fingerprint(req) is None:
                hostname = (req.server_hostname or host or "").rstrip(".") if context else None
                asked = ConnectRequest(req.url, (NAMES_RESOLVE_TO, req.port), context, hostname)
                protocol = self._door.open_now(asked, self._factory)
                if protocol is not None:
                    return protocol
        return await create_tcp_connection(self, req, traces, timeout)

    async def _wrap_create_connection(
        self,
        *args: Any,
        addr_infos: list[Any],
        req: ClientRequest,
        timeout: aiohttp.ClientTimeout,
        client_error: type[Exception] = aiohttp.ClientConnectorError,
        **kwargs: Any,
    ) -> tuple[asyncio.Transport, ResponseHandler]:
        address = addr_infos[0][4]
        asked = ConnectRequest(req.url, address, kwargs.get("ssl"), kwargs.get("server_hostname"))
        return await self._connect_now(req, timeout, asked, client_error)

    async def _start_tls_connection(
        self,
        underlying_transport: asyncio.Transport,
        req: ClientRequest,
        timeout: aiohttp.ClientTimeout,
        client_error: type[Exception] = aiohttp.ClientConnectorError,
    ) -> tuple[asyncio.BaseTransport, ResponseHandler]:
        protocol = self._factory()
        address = underlying_transport.get_extra_info("peername")
        asked = ConnectRequest(req.url, address, self._get_ssl_context(req), req.server_hostname or req.host)
        try:
            with wrapping(req, client_error):
                self._door.start_tls(underlying_transport, protocol, asked)
            fingerprint = self._get_fingerprint(req)
            if fingerprint is not None:
                fingerprint.check(underlying_transport)
        except BaseException:
            underlying_transport.close()
            raise
        protocol.connection_made(underlying_transport)
        return underlying_transport, protocol

    def _get_fingerprint(self, req: ClientRequest) -> aiohttp.Fingerprint | None:
        """None where no certificate is shown whose digest is to be compared."""
        fingerprint = super()._get_fingerprint(req)
        return fingerprint if fingerprint is not None and self._door.imitates_connecting else None


class MemoryUnixConnector(MemoryConnector, aiohttp.UnixConnector):
    """A `UnixConnector` whose connections a door opens."""

    async def _create_connection(
        self, req: ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> ResponseHandler:
        def unix_error(key: Any, exc: OSError) -> Exception:
            return client_exceptions.UnixClientConnectorError(self.path, key, exc)

        asked = ConnectRequest(req.url, self.path, None, None)
        _, protocol = await self._connect_now(req, timeout, asked, unix_error)
        return protocol


def empty_pool(connector: Any) -> dict[Any, Any]:
    """What a connector of this aiohttp pools in: a defaultdict of deques since 3.11, a dict before."""
    return defaultdict(deque) if isinstance(connector._conns, defaultdict) else {}


def has_pooled(connector: Any) -> bool:
    """Whether a connector has pooled connections; aiohttp says nothing of the end of one without."""
    return bool(connector._conns)


def empty_cache(names: Any) -> Any:
    """A DNS cache with the settings of another one."""
    return type(names)(ttl=names._ttl)


async def connect_and_fail(
    connector: MemoryConnector,
    failing: FailingDoor,
    req: ClientRequest,
    traces: list[Trace],
    timeout: aiohttp.ClientTimeout,
    *,
    is_limited: bool = True,
) -> Connection:
    """Raise what aiohttp makes of a new connection that fails; return it if the client does not notice.

    The settings, limits and traces are those of `connector`. A request that has its connection already,
    which may be the last, is not to be limited.
    """
    alone: Any = type(connector).__new__(type(connector))
    vars(alone).update(vars(connector))
    alone._door = failing
    alone._conns = empty_pool(connector)
    if not is_limited:
        alone._limit = alone._limit_per_host = 0
    if failing.asks_for_name and isinstance(alone, MemoryTCPConnector):
        alone._resolver = FailingResolver(failing.look_up)
        alone._cached_hosts = empty_cache(alone._cached_hosts)
        alone._throttle_dns_futures = {}
    try:
        connection = await connect_through(alone, req, traces, timeout)
    except BaseException as exc:
        failing.failed(exc)
        raise
    # What is released goes to the pool of the connector that goes on.
    connection._connector = connector
    return connection


def late_failure(
    connector: MemoryConnector, req: ClientRequest, timeout: aiohttp.ClientTimeout
) -> LateFailure:
    """How a request that has its connection fails to connect nevertheless.

    Holds nothing: what the client forgets has to be collected, its connection too.
    """
    connector_ref, request_ref = weakref.ref(connector), weakref.ref(req)

    async def fail(failing: FailingDoor) -> None:
        own, request = connector_ref(), request_ref()
        if own is not None and request is not None:
            connection = await connect_and_fail(own, failing, request, [], timeout, is_limited=False)
            connection.close()

    return fail
