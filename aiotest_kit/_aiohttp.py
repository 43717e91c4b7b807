"""Everything of aiohttp that is not documented, and nothing else.

One function or class for each seam. Each was checked on aiohttp 3.10.11, 3.11.18, 3.12.15, 3.13.5 and
3.14.5, and `tests/unit/test_aiohttp_seams.py` fails with "aiohttp moved ..." where a later one differs.
Knows aiohttp's connectors and client protocol. Knows nothing of routes or of what is at the other end.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import weakref
from collections import defaultdict, deque
from contextvars import ContextVar
from functools import partial
from time import monotonic
from types import FunctionType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias, cast

import aiohttp
from aiohttp import client_exceptions, helpers
from aiohttp.client_proto import ResponseHandler

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Coroutine, Iterator

    from aiohttp import web
    from aiohttp.abc import AbstractResolver
    from aiohttp.client_reqrep import ClientRequest
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace
    from multidict import CIMultiDict
    from yarl import URL

__all__ = [
    "ANSWERS_AT_ONCE",
    "Connect",
    "Dial",
    "Door",
    "MakeResponse",
    "MemoryConnector",
    "MemoryTCPConnector",
    "RequestFunction",
    "View",
    "before_connect",
    "close_view",
    "connect_detour",
    "connect_through",
    "expect_jumps",
    "follow_loop",
    "full_url",
    "is_idle",
    "loop_of",
    "maker",
    "raise_in_client",
    "request_detour",
    "request_through",
    "show_headers",
    "stream_reader",
    "view_of",
    "watch_handlers",
]

Connect: TypeAlias = "Callable[..., Coroutine[Any, Any, Connection]]"
"""What `BaseConnector.connect` is: a coroutine function of connector, request, traces and timeout."""


class Detour:
    """A coroutine function of aiohttp's that can be made to call another function.

    What changes is the code of the function, not the class: so it works for those too who keep the function,
    as tools that trace calls do. And setting an attribute of a class empties Python's caches of the class and
    of all its subclasses, which twice in a test costs a tenth of what one call does.
    """

    def __init__(self, function: Callable[..., Any], stand_in: Callable[..., Any]) -> None:
        """`stand_in` is the code while something is installed, which is its keyword `through`."""
        self.function = cast("FunctionType", function)
        self.code = self.function.__code__
        self.defaults = self.function.__kwdefaults__
        self.stand_in = cast("FunctionType", stand_in).__code__

    def as_written(self) -> Callable[..., Any]:
        """A function that does as aiohttp wrote it, whatever is installed."""
        copy = FunctionType(self.code, self.function.__globals__)
        copy.__kwdefaults__ = self.defaults
        return copy

    def install(self, through: Callable[..., Any]) -> None:
        """Have the function call `through`."""
        # With these both codes can be called: another thread may do so before the next line.
        self.function.__kwdefaults__ = {**(self.defaults or {}), "through": through}
        self.function.__code__ = self.stand_in

    def restore(self) -> None:
        """Have the function do as aiohttp wrote it."""
        self.function.__code__ = self.code
        self.function.__kwdefaults__ = self.defaults


async def connect_installed(
    self: aiohttp.BaseConnector,
    req: ClientRequest,
    traces: list[Trace],
    timeout: aiohttp.ClientTimeout,
    *,
    through: Connect,
) -> Connection:
    """`BaseConnector.connect` while something is installed."""
    return await through(self, req, traces, timeout)


connect_detour = Detour(aiohttp.BaseConnector.connect, connect_installed)

connect_through: Connect = connect_detour.as_written()
"""`BaseConnector.connect` as aiohttp wrote it, whatever is installed in its place now."""

RequestFunction: TypeAlias = "Callable[..., Coroutine[Any, Any, aiohttp.ClientResponse]]"
"""What every method of a session calls: a coroutine function of session, method, URL and keywords."""


async def request_installed(
    self: aiohttp.ClientSession,
    method: str,
    target: str | URL,
    *args: Any,
    through: Callable[..., Awaitable[aiohttp.ClientResponse]],
    **kwargs: Any,
) -> aiohttp.ClientResponse:
    """`ClientSession._request` while something is installed, which is given arguments and keywords apart."""
    return await through(self, method, target, args, kwargs)


request_detour = Detour(aiohttp.ClientSession._request, request_installed)

request_through: RequestFunction = request_detour.as_written()
"""`ClientSession._request` as aiohttp wrote it, whatever is installed in its place now."""


def full_url(session: aiohttp.ClientSession, target: str | URL) -> URL:
    """A URL as a session asks for it: behind its `base_url`, if it has one."""
    return session._build_url(target)


ANSWERS_AT_ONCE = tuple(map(int, aiohttp.__version__.split(".")[:2])) >= (3, 11)
"""Whether a connection may be answered in the turn of the loop in which the request arrives.

Before 3.11 the task that sends a request is not done by then, and the connection would not be used again.
"""

NAMES_RESOLVE_TO = "192.0.2.1"
"""The address of every stubbed host name, from the block for examples (RFC 5737)."""


class Dial(NamedTuple):
    """What a connector asks for when it needs a new connection.

    `url` is that of the request, or of the proxy. `address` is a `(host, port)` pair, with flow and scope
    behind it for IPv6, or the path of a unix socket. `ssl` is None for a plain connection.
    """

    url: URL
    address: tuple[Any, ...] | str
    ssl: ssl.SSLContext | None
    server_hostname: str | None


class Door(Protocol):
    """What a memory connector needs of the door that it belongs to.

    `views` are those of its connectors that stand for somebody else's.
    """

    views: list[weakref.ReferenceType[View]]

    def open_now(self, dial: Dial, factory: Callable[[], Any]) -> ResponseHandler | None:
        """The protocol of a new connection, told of it; None where opening it takes time or fails."""
        ...

    async def open(
        self, dial: Dial, factory: Callable[[], ResponseHandler]
    ) -> tuple[asyncio.Transport, ResponseHandler]:
        """A new connection, its protocol told of it."""
        ...

    def start_tls(self, transport: Any, protocol: ResponseHandler, dial: Dial) -> None:
        """The tunnel of a proxy was opened: what follows is TLS."""
        ...

    async def left(self) -> None:
        """The connector was closed."""
        ...

    @property
    def fails_connections(self) -> bool:
        """Whether `foresee` may find something."""
        ...

    def foresee(
        self, request: ClientRequest, timeout: aiohttp.ClientTimeout, token: object, /
    ) -> FailingDoor | None:
        """Where to connect for `request` instead, to fail; None where it is to go well."""
        ...

    def may_redial(self, transport: Any, fail: Redial, /) -> None:
        """Tell how the request that is about to be sent could still fail to connect."""
        ...

    def acquired(
        self, transport: Any, request: ClientRequest, timeout: aiohttp.ClientTimeout, token: object, /
    ) -> None:
        """A connection was taken for `request`, new or from the pool.

        `token` is the same object for all that one call of a session sends: redirects, and the silent second
        attempt of an idempotent request.
        """
        ...


class FailingDoor(Door, Protocol):
    """A door of one connection, which fails."""

    asks_for_name: bool
    """Whether the name is looked up in any case, known or not."""
    has_certificate: bool
    """Whether it shows a certificate whose digest can be compared."""

    def look_up(self, host: str) -> None:
        """Raise what looking up the name gives."""
        ...

    def failed(self, exc: BaseException) -> None:
        """Take note of what became of it."""
        ...


class Redial(Protocol):
    """Fails to connect, as `fail_to_connect` does."""

    def __call__(self, failing: FailingDoor, *, traces: list[Trace]) -> Coroutine[Any, Any, None]:
        """Raise what aiohttp makes of it."""
        ...


class NoResolver:
    """A resolver that knows one address and asks nobody."""

    def __init__(self, look_up: Callable[[str], None] | None = None) -> None:
        self.on_lookup = look_up

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[dict[str, object]]:
        if self.on_lookup is not None:
            self.on_lookup(host)
        return [
            {
                "hostname": host,
                "host": NAMES_RESOLVE_TO,
                "port": port,
                "family": family,
                "proto": 0,
                "flags": 0,
            }
        ]

    async def close(self) -> None:
        """Nothing is held."""


NO_RESOLVER = cast("AbstractResolver", NoResolver())


class MemoryConnector(aiohttp.BaseConnector):
    """A connector of which only the last step, opening a socket, is replaced.

    Pool, limits, queue, traces, proxies and the wrapping of errors are aiohttp's own.
    """

    _door: Door
    _ahead = 0.0
    """What the loop's clock was ahead of the real one, in seconds, when the pool was last looked at."""

    async def connect(
        self, req: ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> Connection:
        """A connection for `req`, as `BaseConnector.connect` gives it."""
        before_connect(self, req)
        door = self._door
        fails_some = door.fails_connections
        if fails_some:
            failing = door.foresee(req, timeout, traces)
            if failing is not None:
                await fail_to_connect(self, failing, req, traces, timeout)
        connection = await connect_through(self, req, traces, timeout)
        # aiohttp makes a new list of traces for each call of a session and keeps it over redirects and
        # retries, so its identity tells the attempts of one call from two calls.
        door.acquired(connection.transport, req, timeout, traces)
        if fails_some:
            door.may_redial(connection.transport, partial(fail_to_connect, self, req=req, timeout=timeout))
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

    async def _dial(
        self,
        req: ClientRequest,
        timeout: aiohttp.ClientTimeout,
        dial: Dial,
        client_error: Callable[..., Exception],
    ) -> tuple[asyncio.Transport, ResponseHandler]:
        """A connection, or the exception that aiohttp makes of what went wrong."""
        with wrapping(req, client_error):
            async with helpers.ceil_timeout(timeout.sock_connect, ceil_threshold=timeout.ceil_threshold):
                return await self._door.open(dial, cast("Any", self._factory))


def before_connect(connector: MemoryConnector, req: ClientRequest) -> None:
    """What comes before aiohttp's own `connect`: the response's maker, and connections that have aged."""
    make = maker.get()
    if make is not None:
        # A request makes its response by calling what it has as its class.
        req.response_class = cast("Any", partial(make, req.response_class))
    if clocks_jump:
        age_pool(connector)


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
        url = req.url
        if not traces and req.proxy is None and not helpers.is_ip_address(url.raw_host):
            # Where nothing is traced, nobody can tell whether a name was looked up; and what is there at once
            # needs no timeouts. The whole path costs more than the call.
            context = self._get_ssl_context(req)
            hostname = (req.server_hostname or url.raw_host or "").rstrip(".") if context else None
            address = (NAMES_RESOLVE_TO, req.port)
            protocol = self._door.open_now(Dial(url, address, context, hostname), self._factory)
            if protocol is not None:
                return protocol
        return await super()._create_connection(req, traces, timeout)

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
        dial = Dial(req.url, address, kwargs.get("ssl"), kwargs.get("server_hostname"))
        return await self._dial(req, timeout, dial, client_error)

    async def _start_tls_connection(
        self,
        underlying_transport: asyncio.Transport,
        req: ClientRequest,
        timeout: aiohttp.ClientTimeout,
        client_error: type[Exception] = aiohttp.ClientConnectorError,
    ) -> tuple[asyncio.BaseTransport, ResponseHandler]:
        protocol = self._factory()
        address = underlying_transport.get_extra_info("peername")
        dial = Dial(req.url, address, self._get_ssl_context(req), req.server_hostname or req.host)
        try:
            with wrapping(req, client_error):
                self._door.start_tls(underlying_transport, protocol, dial)
            fingerprint = self._get_fingerprint(req)
            if fingerprint is not None:
                fingerprint.check(underlying_transport)
        except BaseException:
            underlying_transport.close()
            raise
        protocol.connection_made(underlying_transport)
        return underlying_transport, protocol

    def _get_fingerprint(self, req: ClientRequest) -> aiohttp.Fingerprint | None:
        """None where no certificate is there whose digest could be compared."""
        return super()._get_fingerprint(req) if getattr(self._door, "has_certificate", False) else None


class MemoryUnixConnector(MemoryConnector, aiohttp.UnixConnector):
    """A `UnixConnector` whose connections a door opens."""

    async def _create_connection(
        self, req: ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> ResponseHandler:
        def unix_error(key: Any, exc: OSError) -> Exception:
            return client_exceptions.UnixClientConnectorError(self.path, key, exc)

        _, protocol = await self._dial(req, timeout, Dial(req.url, self.path, None, None), unix_error)
        return protocol


VIEW = "_aiotest_kit_view"
"""Under this name a connector has its view, and the view's entry in its pool, while a mock is open."""


class View(MemoryConnector):
    """What `view_of` adds to a memory connector: the life of the connector that it stands for."""

    _stood_for: Callable[[], Any]
    _over = False
    """Whether the mock has closed."""
    _told = False
    """Whether the connector has an entry for what is pooled here."""

    @property
    def _closed(self) -> bool:
        connector = self._stood_for()
        return connector is None or bool(connector._closed)

    @_closed.setter
    def _closed(self, value: bool) -> None:
        self._stood_for()._closed = value

    def _release(self, key: Any, protocol: ResponseHandler, *, should_close: bool = False) -> None:
        # A response may be released after the mock has closed: nobody would look into this pool again.
        super()._release(key, protocol, should_close=should_close or self._over)
        if not self._told and self._conns:
            self._told = True
            self._stood_for()._conns[VIEW] = ((PooledInView(self), math.inf),)


class TCPView(View, MemoryTCPConnector):
    """A `MemoryTCPConnector` that stands for somebody's connector while a mock is open."""


class UnixView(View, MemoryUnixConnector):
    """A `MemoryUnixConnector` that stands for somebody's connector while a mock is open."""


class PooledInView:
    """The entry in a connector's pool that stands for all pooled connections of its view.

    Closing the connector closes its pool, and so the view's; a connector dropped unclosed warns of them.
    """

    transport = None
    closed = None

    def __init__(self, view: View) -> None:
        self._view = view

    def is_connected(self) -> bool:
        """For ever: the view looks after the age of its own pool."""
        return True

    def close(self) -> None:
        """Close what the view has pooled."""
        close_pool(self._view)

    abort = close


def view_of(connector: aiohttp.BaseConnector, door: Door) -> View:
    """A memory connector with the settings, limits and life of `connector`, and a pool of its own.

    What counts connections in use is shared, so that limits hold over both. The pool and the DNS cache
    are not: what was pooled on one side must never answer on the other.
    """
    view: Any = vars(connector).get(VIEW)
    if view is not None and view._door is door:
        return cast("View", view)
    kind = UnixView if isinstance(connector, aiohttp.UnixConnector) else TCPView
    view = kind.__new__(kind)
    state = vars(view)
    if not isinstance(connector, (aiohttp.TCPConnector, aiohttp.UnixConnector)):
        # A connector of somebody's own: what it shares with TCPConnector is taken from it below.
        state["_stood_for"] = weakref.ref(connector)
        MemoryTCPConnector.__init__(view, door)
    state.update(vars(connector))
    state.update(
        _stood_for=weakref.ref(connector),
        _door=door,
        _conns=empty_pool(connector),
        _cleanup_handle=None,
        _cleanup_closed_handle=None,
        _cleanup_closed_transports=[],
    )
    if kind is TCPView:
        state.update(
            _resolver=NO_RESOLVER,
            _resolver_owner=False,
            _cached_hosts=empty_cache(state["_cached_hosts"]),
            _throttle_dns_futures={},
            _resolve_host_tasks=set(),
        )
    vars(connector)[VIEW] = view
    door.views.append(weakref.ref(view))
    return cast("View", view)


def empty_pool(connector: Any) -> dict[Any, Any]:
    """What a connector of this aiohttp pools in: a defaultdict of deques since 3.11, a dict before."""
    return defaultdict(deque) if isinstance(connector._conns, defaultdict) else {}


def empty_cache(names: Any) -> Any:
    """A DNS cache with the settings of another one."""
    return type(names)(ttl=names._ttl)


async def fail_to_connect(
    connector: MemoryConnector,
    failing: FailingDoor,
    req: ClientRequest,
    traces: list[Trace],
    timeout: aiohttp.ClientTimeout,
) -> None:
    """Raise what aiohttp makes of a new connection that fails; return if the client does not notice.

    The settings, limits and traces are those of `connector`; nothing is pooled.
    """
    alone: Any = type(connector).__new__(type(connector))
    vars(alone).update(vars(connector))
    alone._door = failing
    alone._conns = empty_pool(connector)
    if failing.asks_for_name and isinstance(alone, MemoryTCPConnector):
        alone._resolver = cast("AbstractResolver", NoResolver(failing.look_up))
        alone._cached_hosts = empty_cache(alone._cached_hosts)
        alone._throttle_dns_futures = {}
    try:
        connection = await connect_through(alone, req, traces, timeout)
    except BaseException as exc:
        failing.failed(exc)
        raise
    connection.close()


def close_view(view: View) -> None:
    """Close what a view has pooled, and take back what it left with the connector it stands for."""
    view._over = True
    close_pool(view)
    connector = view._stood_for()
    if connector is not None:
        connector._conns.pop(VIEW, None)
        vars(connector).pop(VIEW, None)


def close_pool(view: View) -> None:
    """Close the connections that a view has pooled."""
    for name in ("_cleanup_handle", "_cleanup_closed_handle"):
        handle = vars(view)[name]
        if handle is not None:
            handle.cancel()
            vars(view)[name] = None
    if view._conns and not view._loop.is_closed():
        # With their loop, connections have ended too.
        for pooled in view._conns.values():
            for protocol, _ in pooled:
                protocol.close()
    view._conns.clear()


def loop_of(connector: aiohttp.BaseConnector) -> asyncio.AbstractEventLoop:
    """The loop that a connector belongs to."""
    return connector._loop


def raise_in_client(protocol: ResponseHandler, exc: BaseException) -> None:
    """Make the request that waits on `protocol`, or the reader of its response, raise `exc`.

    As `ResponseHandler` does it for a read timeout.
    """
    # The same instance may be raised many times: without this it would grow by a traceback each time.
    exc.__traceback__ = None
    protocol.set_exception(exc)
    payload = protocol._payload
    if payload is not None:
        helpers.set_exception(payload, exc)


MakeResponse: TypeAlias = "Callable[..., aiohttp.ClientResponse]"
"""Makes a response: called with the session's class for it, and what aiohttp calls that class with."""

maker: ContextVar[MakeResponse | None] = ContextVar("aiotest_kit_maker", default=None)
"""What makes the responses of the calls in this context, if it is not aiohttp."""


def show_headers(response: aiohttp.ClientResponse, headers: CIMultiDict[str]) -> None:
    """Have a response show these headers, whatever was sent."""
    any_response = cast("Any", response)
    any_response._headers = headers
    # Both are read once and kept.
    for name in ("headers", "raw_headers"):
        any_response._cache.pop(name, None)
    any_response._raw_headers = tuple([(name.encode(), value.encode()) for name, value in headers.items()])


def stream_reader(loop: asyncio.AbstractEventLoop | None) -> aiohttp.StreamReader:
    """An empty reader, as a response has for its body."""
    loop = loop or asyncio.get_event_loop()
    return aiohttp.StreamReader(ResponseHandler(loop), limit=2**16, loop=loop)


def is_idle(protocol: object) -> bool:
    """Whether a connection of a client is in no call: pooled, or about to be.

    Its protocol then neither has a response nor anybody who waits for one.
    """
    return isinstance(protocol, ResponseHandler) and not protocol.should_close and protocol._waiter is None


def watch_handlers(server: web.Server, wrap: Callable[[Any], Any]) -> None:
    """Put something around what answers the requests of a server that has no connections yet."""
    server.request_handler = wrap(server.request_handler)


def follow_loop(session: aiohttp.ClientSession) -> None:
    """Have a session that was made on another loop work on the running one, from now on."""
    loop = asyncio.get_running_loop()
    connector = session.connector
    if session._loop is loop or connector is None:
        return
    session._loop = connector._loop = loop
    connector._factory = partial(ResponseHandler, loop=loop)
    view = vars(connector).get(VIEW)
    if view is not None:
        # What it has pooled belongs to the other loop.
        close_view(view)
