"""What the kit relies on of aiohttp's client that is not documented: each seam, so that a move is noticed."""

import ast
import asyncio
import gc
import importlib
import inspect
import ssl
import weakref
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import client_exceptions, web
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ClientRequest
from aiohttp.test_utils import RawTestServer
from multidict import CIMultiDict
from yarl import URL

from aiotest_kit import Refuse, Router, TLSFailure, mock, mock_session
from aiotest_kit._aiohttp import client, connectors as connectors_module, resolvers, stand_ins
from aiotest_kit._aiohttp.client import (
    connect_through,
    full_url,
    is_idle,
    maker,
    raise_in_client,
    request_through,
    show_headers,
    stream_reader,
)
from aiotest_kit._aiohttp.connectors import ConnectRequest, LateFailure, MemoryTCPConnector
from aiotest_kit._aiohttp.server import watch_handlers
from aiotest_kit._aiohttp.stand_ins import StandInConnector, follow_loop, stand_in_for
from aiotest_kit._memory_door.door import FailedConnect, RouterDoor

VERSION = tuple(int(part) for part in aiohttp.__version__.split(".")[:2])


def stays(condition: object, what: str) -> None:
    """Fail, in words that tell where to look, unless a seam is where it was."""
    if not condition:
        pytest.fail(f"aiohttp moved {what}; see _aiohttp", pytrace=False)


def find(path: str) -> Any:
    """What stands at a dotted path, `aiohttp.module:Class.attribute`."""
    module, _, names = path.partition(":")
    found: Any = importlib.import_module(module)
    for name in names.split("."):
        stays(hasattr(found, name), path)
        found = getattr(found, name)
    return found


def shape(function: Callable[..., object]) -> str:
    """The parameters of a function, without annotations and the values of defaults."""
    parts, is_keyword_only = [], False
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.VAR_POSITIONAL:
            is_keyword_only = True
        elif parameter.kind is parameter.KEYWORD_ONLY and not is_keyword_only:
            is_keyword_only = True
            parts.append("*")
        prefix = "*" * (parameter.kind is parameter.VAR_POSITIONAL)
        prefix += "**" * (parameter.kind is parameter.VAR_KEYWORD)
        default = "" if parameter.default is parameter.empty else "="
        parts.append(f"{prefix}{parameter.name}{default}")
    return ", ".join(parts)


CONNECT = "self, req, traces, timeout"
FUNCTIONS = {
    "aiohttp.client:ClientSession._build_url": "self, str_or_url",
    "aiohttp.connector:BaseConnector.connect": CONNECT,
    "aiohttp.connector:BaseConnector._cleanup": "self",
    "aiohttp.connector:BaseConnector._release": "self, key, protocol, *, should_close=",
    "aiohttp.connector:TCPConnector._create_connection": CONNECT,
    "aiohttp.connector:UnixConnector._create_connection": CONNECT,
    "aiohttp.connector:NamedPipeConnector._create_connection": CONNECT,
    "aiohttp.connector:TCPConnector._wrap_create_connection": (
        "self, *args, addr_infos, req, timeout, client_error=, **kwargs"
    ),
    "aiohttp.connector:TCPConnector._start_tls_connection": (
        "self, underlying_transport, req, timeout, client_error="
    ),
    "aiohttp.connector:TCPConnector._get_fingerprint": "self, req",
    "aiohttp.connector:TCPConnector._get_ssl_context": "self, req",
    "aiohttp.client_proto:ResponseHandler.set_exception": "self, exc, exc_cause=",
    "aiohttp.helpers:ceil_timeout": "delay, ceil_threshold=",
    "aiohttp.helpers:is_ip_address": "host",
    "aiohttp.helpers:set_exception": "fut, exc, exc_cause=",
    "aiohttp.client_exceptions:ClientConnectorError.__init__": "self, connection_key, os_error",
    "aiohttp.client_exceptions:UnixClientConnectorError.__init__": "self, path, connection_key, os_error",
    "aiohttp.client_exceptions:ClientConnectorCertificateError.__init__": (
        "self, connection_key, certificate_error"
    ),
}

ASYNC = ("connect", "_create_connection", "_wrap_create_connection", "_start_tls_connection")

# Those that are only set are here too: a stand_in must not share them.
OF_EVERY_CONNECTOR = (
    "_closed",
    "_conns",
    "_factory",
    "_loop",
    "_cleanup_handle",
    "_cleanup_closed_handle",
    "_cleanup_closed_transports",
)
OF_TCP_CONNECTORS = ("_cached_hosts", "_resolver", "_ssl", "_throttle_dns_futures")
SINCE = {"_resolver_owner": (3, 12)}
OF_RESPONSES = ("_cache", "_headers", "_raw_headers")
OF_OTHERS = ("_compression_force", "_connector", "_limit", "_limit_per_host", "_payload", "_ttl", "_waiter")


@pytest.mark.parametrize(("path", "parameters"), FUNCTIONS.items())
def test_functions(path: str, parameters: str) -> None:
    """Each function that is called or overridden is there, with the parameters that it had."""
    function = find(path)
    actual = shape(function)

    stays(parameters == actual, f"{path}: its parameters were ({parameters}), are ({actual})")
    if path.rpartition(".")[2] in ASYNC:
        stays(inspect.iscoroutinefunction(function), f"{path}: it was a coroutine function")


def test_every_private_name_is_listed() -> None:
    """Whatever is touched by a private name has its seam above."""
    own = {"_ahead", "_door", "_connect_now", "_look_up", "_over", "_stood_for", "_told", "_stand_in"}
    names = set()
    for module in (client, connectors_module, resolvers, stand_ins):
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            if isinstance(node, ast.Attribute):
                names.add(node.attr)
            elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                names.add(node.name)
    private = {name for name in names if name.startswith("_") and not name.endswith("__")}
    listed = {path.rpartition(".")[2] for path in FUNCTIONS}
    listed |= {*OF_EVERY_CONNECTOR, *OF_TCP_CONNECTORS, *OF_OTHERS, *OF_RESPONSES, *SINCE}
    listed |= {"_request"}  # its parameters are many, and passed on as they come

    assert set() == private - own - listed


@pytest.mark.parametrize("name", ["cert_errors", "ssl_errors"])
def test_error_classes(name: str) -> None:
    """aiohttp's own tuples of TLS errors say which class a caller sees."""
    found = find(f"aiohttp.client_exceptions:{name}")

    stays(
        isinstance(found, tuple) and all(issubclass(each, Exception) for each in found),
        f"client_exceptions.{name}: it was a tuple of exception classes",
    )


@asynccontextmanager
async def connectors() -> AsyncIterator[tuple[aiohttp.TCPConnector, aiohttp.UnixConnector]]:
    tcp, unix = aiohttp.TCPConnector(), aiohttp.UnixConnector("/run/app.sock")
    yield tcp, unix
    await tcp.close()
    await unix.close()


async def test_attributes_of_connectors() -> None:
    """What a stand_in takes over or replaces is where it was."""
    async with connectors() as (tcp, unix):
        for name in OF_EVERY_CONNECTOR:
            stays(hasattr(tcp, name), f"TCPConnector.{name}")
            stays(hasattr(unix, name), f"UnixConnector.{name}")
        for name in OF_TCP_CONNECTORS:
            stays(hasattr(tcp, name), f"TCPConnector.{name}")
        for name, version in SINCE.items():
            stays(hasattr(tcp, name) or VERSION < version, f"TCPConnector.{name}")
        stays("/run/app.sock" == unix.path, "UnixConnector.path")
        stays(not tcp.closed, "BaseConnector.closed")


async def test_dns_cache() -> None:
    """A stand_in's DNS cache is made like the one of the connector, empty."""
    connector = aiohttp.TCPConnector(ttl_dns_cache=7)
    cache = find("aiohttp.connector:TCPConnector") and connector._cached_hosts
    stays(7 == getattr(cache, "_ttl", None), "TCPConnector._cached_hosts._ttl")
    stays("ttl" in inspect.signature(type(cache)).parameters, "TCPConnector._cached_hosts: its parameter ttl")
    await connector.close()


async def test_response_handler() -> None:
    """A client protocol without a response has no payload, and keeps what it is made to raise."""
    protocol = ResponseHandler(asyncio.get_running_loop())
    stays(hasattr(protocol, "_payload"), "ResponseHandler._payload")
    stays(protocol._payload is None, "ResponseHandler._payload: it was None before a response")
    error = aiohttp.ServerTimeoutError("slow")

    raise_in_client(protocol, error)

    stays(
        error is protocol.exception(), "ResponseHandler.set_exception: it kept the exception for the reader"
    )
    stays(protocol.should_close, "ResponseHandler.set_exception: the connection was not used again")


@pytest.mark.parametrize(
    ("host", "is_ip"), [("192.0.2.1", True), ("::1", True), ("api.test", False)], ids=["IPv4", "IPv6", "name"]
)
def test_is_ip_address(host: str, is_ip: bool) -> None:
    """An address is told from a name."""
    stays(is_ip == find("aiohttp.helpers:is_ip_address")(host), "helpers.is_ip_address")


# ---- what is relied on in use ----


class Recorded:
    """A door that opens nothing: it writes down what it is asked, and fails."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.stand_ins: list[weakref.ReferenceType[StandInConnector]] = []
        self.dials: list[ConnectRequest] = []
        self.left_count = 0

    def open_now(self, asked: ConnectRequest, factory: Callable[[], Any]) -> ResponseHandler | None:
        return None

    async def open(
        self, asked: ConnectRequest, factory: Callable[[], ResponseHandler]
    ) -> tuple[asyncio.Transport, ResponseHandler]:
        self.dials.append(asked)
        raise self.error

    def start_tls(self, transport: Any, protocol: ResponseHandler, asked: ConnectRequest) -> None:
        raise NotImplementedError

    async def left(self) -> None:
        self.left_count += 1

    fails_connections = False

    imitates_connecting = True

    def planned_failure(self, *args: object) -> None:
        raise NotImplementedError

    def allow_late_failure(self, *args: object) -> None:
        raise NotImplementedError

    def next_request(self, *args: object) -> None:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("raised", "seen"),
    [
        pytest.param(OSError(111, "refused"), aiohttp.ClientConnectorError, id="refused"),
        pytest.param(ssl.SSLError(1, "handshake"), aiohttp.ClientConnectorSSLError, id="TLS"),
        pytest.param(
            ssl.SSLCertVerificationError(1, "expired"),
            aiohttp.ClientConnectorCertificateError,
            id="certificate",
        ),
        pytest.param(
            ssl.CertificateError("mismatch"), aiohttp.ClientConnectorCertificateError, id="host name"
        ),
        pytest.param(asyncio.TimeoutError(), aiohttp.ConnectionTimeoutError, id="timeout"),
        pytest.param(KeyError("mine"), KeyError, id="anything else"),
    ],
)
@pytest.mark.parametrize("is_unix", [False, True], ids=["tcp", "unix"])
async def test_errors_of_connecting(raised: Exception, seen: type[Exception], is_unix: bool) -> None:
    """What goes wrong while a connection is opened has the class that aiohttp gives it."""
    door = Recorded(raised)
    own = aiohttp.UnixConnector("/run/app.sock") if is_unix else aiohttp.TCPConnector()
    if is_unix and seen is aiohttp.ClientConnectorError:
        seen = client_exceptions.UnixClientConnectorError
    async with aiohttp.ClientSession(connector=stand_in_for(own, door)) as session:
        with pytest.raises(seen) as caught:
            await session.get("http://api.test/")

    stays(seen is caught.type, f"the class of {raised!r} while connecting: {caught.type}")


@pytest.mark.parametrize(
    ("url", "address", "has_tls", "hostname"),
    [
        pytest.param("http://api.test/", ("192.0.2.1", 80), False, None, id="name"),
        pytest.param("http://192.0.2.7:81/", ("192.0.2.7", 81), False, None, id="IPv4"),
        pytest.param("http://[2001:db8::1]/", ("2001:db8::1", 80, 0, 0), False, None, id="IPv6"),
        pytest.param("https://api.test:8443/", ("192.0.2.1", 8443), True, "api.test", id="TLS"),
    ],
)
@pytest.mark.parametrize("is_traced", [False, True], ids=["plain", "traced"])
async def test_dials(
    url: str, address: tuple[object, ...], has_tls: bool, hostname: str | None, is_traced: bool
) -> None:
    """A connector asks its door for what it would ask the network for."""
    door = Recorded(OSError(111, "refused"))
    traces = [aiohttp.TraceConfig()] if is_traced else []
    async with aiohttp.ClientSession(connector=MemoryTCPConnector(door), trace_configs=traces) as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(url)

    (asked,) = door.dials
    stays(
        address == tuple(asked.address),
        f"the address in TCPConnector._wrap_create_connection: {asked.address}",
    )
    stays(has_tls is (asked.ssl is not None), "ssl= of TCPConnector._wrap_create_connection")
    stays(hostname == asked.server_hostname, "server_hostname= of TCPConnector._wrap_create_connection")
    assert URL(url) == asked.url
    assert door.left_count


async def test_what_a_stand_in_shares() -> None:
    """A stand-in shares with its connector what counts connections and look-ups, but none of them."""
    shared_by_design = {"_acquired", "_acquired_per_host", "_waiters", "_resolve_host_tasks"}
    async with connectors() as (tcp, unix):
        for connector in (tcp, unix):
            stand_in = stand_in_for(connector, Recorded(OSError()))
            before, after = vars(connector), vars(stand_in)
            containers = {
                name
                for name, value in before.items()
                if isinstance(value, (dict, list, set, deque)) and value is after.get(name)
            }
            stays(
                containers <= shared_by_design,
                f"a container of {type(connector).__name__}: {containers - shared_by_design}",
            )
            for name in ("_acquired", "_waiters"):
                stays(before.get(name) is after.get(name), f"{type(connector).__name__}.{name}")


async def test_pooled_connections() -> None:
    """A pool has, for each key, pairs of a protocol and a time."""
    router = Router()
    router.get("http://api.test/")
    async with mock_session(router) as session:
        async with session.get("http://api.test/"):
            pass
        # aiohttp 3.10 gives a connection back a turn later.
        await asyncio.sleep(0)
        ((_, pooled),) = vars(session.connector)["_conns"].items()
        ((protocol, since),) = pooled

        stays(isinstance(protocol, ResponseHandler), "BaseConnector._conns: protocols in its pairs")
        stays(isinstance(since, float), "BaseConnector._conns: times in its pairs")
        stays(protocol.is_connected(), "ResponseHandler.is_connected")


async def test_connector_of_a_connection() -> None:
    """A connection is given back to its connector, which may be another than the one that opened it."""
    router = Router()
    router.get("https://api.test/").reply(TLSFailure())
    async with mock_session(router) as session:
        for _ in range(2):
            async with session.get("https://api.test/", ssl=False) as response:
                await response.read()
            await asyncio.sleep(0)
        pooled = vars(session.connector)["_conns"]

        stays(2 == sum(map(len, pooled.values())), "Connection._connector: what is released to it is pooled")


async def test_a_request_that_was_forgotten() -> None:
    """A request and its connector can be collected, and then there is nothing left to fail."""
    router = Router()
    route = router.get("http://api.test/")
    failures: list[LateFailure] = []
    door = RouterDoor(router)
    door.allow_late_failure = lambda transport, fail: failures.append(fail)  # type: ignore[method-assign]
    router.get("http://elsewhere.test/").reply(Refuse()).optional()
    async with aiohttp.ClientSession(connector=MemoryTCPConnector(door)) as session:
        await (await session.get("http://api.test/")).read()
    gc.collect()
    (fail,) = failures

    await fail(FailedConnect(door, Refuse()))

    stays(1 == len(route.calls), "ClientRequest: it could be collected")


@pytest.mark.parametrize(
    ("of_connector", "of_request"),
    [(True, True), (False, True), (True, False), (True, ssl.create_default_context())],
    ids=["default", "connector", "request", "context"],
)
async def test_ssl_options(of_connector: Any, of_request: Any) -> None:
    """A request without `ssl=` of its own has True, and its connector's holds."""
    connector = aiohttp.TCPConnector(ssl=of_connector)
    router = Router()
    route = router.get("https://api.test/")
    async with mock_session(router, connector=connector) as session:
        await session.get("https://api.test/", ssl=of_request)
    (client,) = [call.client for call in route.calls]
    expected = of_connector if of_request is True else of_request
    stays(client is not None and expected is client.ssl, "ClientRequest.ssl, TCPConnector._ssl")


@pytest.mark.parametrize("is_traced", [False, True], ids=["plain", "traced"])
async def test_traces_tell_calls_apart(is_traced: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """One list of traces goes through all that one call of a session sends, and another call has another."""
    router = Router()
    router.get("http://api.test/old").redirect("/new")
    router.get("http://api.test/new").reply(aiohttp.ServerDisconnectedError(), times=1, attempts=1).reply(200)
    seen: list[tuple[str, object]] = []
    configs = [aiohttp.TraceConfig()] if is_traced else []
    async with mock_session(router, trace_configs=configs) as session:
        connector = session.connector
        assert connector is not None
        connect = connector.connect

        async def recorded(req: ClientRequest, traces: Any, timeout: aiohttp.ClientTimeout) -> Any:
            seen.append((req.url.path, traces))
            return await connect(req, traces, timeout)

        monkeypatch.setattr(connector, "connect", recorded)
        for _ in range(2):
            async with session.get("http://api.test/old") as response:
                assert 200 == response.status

    assert ["/old", "/new", "/new", "/old", "/new"] == [path for path, _ in seen]
    first, redirected, again, second, _ = [traces for _, traces in seen]
    stays(first is redirected, "the list of traces: it was one over redirects")
    stays(redirected is again, "the list of traces: it was one over silent retries")
    stays(first is not second, "the list of traces: it was another for each call")


async def test_attributes_of_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked of a client request is there, also behind a proxy."""
    door = Recorded(OSError(111, "refused"))
    connector = MemoryTCPConnector(door)
    connect = connector.connect
    requests: list[ClientRequest] = []

    async def recorded(req: ClientRequest, traces: Any, timeout: aiohttp.ClientTimeout) -> Any:
        requests.append(req)
        return await connect(req, traces, timeout)

    monkeypatch.setattr(connector, "connect", recorded)
    async with aiohttp.ClientSession(connector=connector) as session:
        with pytest.raises(aiohttp.ClientProxyConnectionError):
            await session.get("http://api.test/a", proxy="http://proxy.test:3128")

    (request,) = requests
    for name in (
        "connection_key",
        "headers",
        "host",
        "method",
        "port",
        "proxy",
        "server_hostname",
        "ssl",
        "url",
    ):
        stays(hasattr(request, name), f"ClientRequest.{name}")
    stays(URL("http://proxy.test:3128") == request.proxy, "ClientRequest.proxy: it was the proxy's URL")
    (asked,) = door.dials
    stays(("192.0.2.1", 3128) == tuple(asked.address), "the address of a proxy")


def test_connect_is_aiohttps_own() -> None:
    """What is remembered as aiohttp's own `connect` is aiohttp's own, and takes another function's code."""
    connect = aiohttp.BaseConnector.connect
    stays(connect_through.__module__ == "aiohttp.connector", "BaseConnector.connect")
    stays(inspect.isfunction(connect) and not connect.__code__.co_freevars, "BaseConnector.connect")
    stays(connect.__defaults__ is None, "BaseConnector.connect: it had no defaults")
    assert connect_through is not connect
    assert connect_through.__code__ is connect.__code__


async def test_connect_is_intercepted_wherever_it_is_kept() -> None:
    """A subclass or a tracer that kept the function of `connect` is intercepted too."""
    kept = aiohttp.BaseConnector.connect

    class Traced(aiohttp.TCPConnector):
        connect = kept

    with mock() as router:
        router.get("http://api.test/").reply(text="stubbed")
        async with aiohttp.ClientSession(connector=Traced()) as session:
            assert "stubbed" == await (await session.get("http://api.test/")).text()


async def test_session_request() -> None:
    """Every method of a session goes through one coroutine function, with method and URL in front."""
    request = aiohttp.ClientSession._request
    stays(inspect.iscoroutinefunction(request) and not request.__code__.co_freevars, "ClientSession._request")
    stays(shape(request_through).startswith("self, method, str_or_url, *, params="), "ClientSession._request")
    async with aiohttp.ClientSession("http://api.test") as session:
        stays(URL("http://api.test/users") == full_url(session, "/users"), "ClientSession._build_url")


async def test_shown_headers() -> None:
    """A response that was made to show other headers shows them everywhere, read before or not."""
    router = Router()
    router.get("http://api.test/").reply(200, text="hello")
    async with mock_session(router) as session, session.get("http://api.test/") as response:
        assert "text/plain; charset=utf-8" == response.headers["Content-Type"]
        assert 2 == len(response.raw_headers)
        for name in OF_RESPONSES:
            stays(hasattr(response, name), f"ClientResponse.{name}")

        raw_headers = ((b"Content-Type", b"a/b"), (b"X-One", b"1"))
        show_headers(response, CIMultiDict({"Content-Type": "a/b", "X-One": "1"}), raw_headers)

        stays({"Content-Type": "a/b", "X-One": "1"} == response.headers, "ClientResponse.headers")
        stays(raw_headers == response.raw_headers, "ClientResponse.raw_headers")
        stays("a/b" == response.content_type, "ClientResponse.content_type")


async def test_made_responses() -> None:
    """What makes a response is given the class of the session, and what that would have been given."""
    router = Router()
    router.get("http://api.test/").reply(200)
    seen: list[object] = []

    def make(kind: type[aiohttp.ClientResponse], method: str, url: URL, **options: Any) -> Any:
        seen.extend([kind, method, url])
        stays("request_info" in options, "ClientRequest.response_class: what it is called with")
        return kind(method, url, **options)

    async with mock_session(router) as session:
        token = maker.set(make)
        async with session.get("http://api.test/") as response:
            assert type(response) is aiohttp.ClientResponse
        maker.reset(token)
        async with session.get("http://api.test/"):
            pass

    stays([aiohttp.ClientResponse, "GET", URL("http://api.test/")] == seen, "ClientRequest.response_class")


async def test_stream_reader() -> None:
    """A reader of its own reads what it is fed."""
    reader = stream_reader(None)
    reader.feed_data(b"hello")
    reader.feed_eof()

    assert b"hello" == await reader.read()


async def test_idle_connection() -> None:
    """A pooled connection of a client is known from one in a call, before its reply and while it is read."""
    router = Router()
    gate = router.get("/held").reply(body=b"ok").hold()
    router.get("/stream").stream([b"a", 3600, b"b"])

    async with mock_session(router) as session:
        protocols = [ResponseHandler(asyncio.get_running_loop())]
        make = session.connector._factory  # type: ignore[union-attr]

        def remembered() -> ResponseHandler:
            protocols.append(make())
            return protocols[-1]

        session.connector._factory = remembered  # type: ignore[union-attr]
        call = asyncio.ensure_future(session.get("http://api.test/held"))
        await gate.waiting()
        await asyncio.sleep(0)
        stays([True, False] == [is_idle(protocol) for protocol in protocols], "ResponseHandler._waiter")
        gate.release()
        await (await call).read()
        stays(is_idle(protocols[1]), "ResponseHandler.should_close")
        async with session.get("http://api.test/stream"):
            stays(not is_idle(protocols[1]), "ResponseHandler.should_close")


async def test_handlers_of_a_server() -> None:
    """What answers the requests of a server is put where its connections find it."""

    async def answer(request: web.BaseRequest) -> web.Response:
        return web.Response(text="own")

    def wrap(handler: Any) -> Any:
        async def wrapped(request: web.BaseRequest) -> web.Response:
            response = await handler(request)
            return web.Response(text=f"around {response.text}")

        return wrapped

    server = RawTestServer(answer)
    await server.start_server()
    assert isinstance(server.handler, web.Server)
    watch_handlers(server.handler, wrap)
    async with aiohttp.ClientSession() as session, session.get(server.make_url("/")) as response:
        stays("around own" == await response.text(), "Server.request_handler")
    await server.close()


async def test_loops_of_sessions() -> None:
    """A session that was made on another loop works on the one that uses it, with its pool there."""
    other = asyncio.new_event_loop()
    router = Router()
    router.get("http://api.test/")

    async def made() -> aiohttp.ClientSession:
        return aiohttp.ClientSession(headers={"X-Own": "1"})

    session = await asyncio.get_running_loop().run_in_executor(None, other.run_until_complete, made())
    with mock(router):
        for _ in range(2):
            follow_loop(session)
            async with session.get("http://api.test/") as response:
                stays(200 == response.status, "ClientSession._loop, BaseConnector._loop and _factory")
        session._loop = other
        follow_loop(session)
        async with session.get("http://api.test/") as response:
            assert 200 == response.status
    await session.close()
    follow_loop(session)
    other.close()

    assert 3 == router.call_count
