"""Faults before a connection: what the client raises, what is recorded, and what cannot hide them."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from typing import Any

import aiohttp
import pytest

from aiotest_kit import (
    ConnectTimeout,
    Disconnect,
    DNSFailure,
    Flaky,
    ProxyError,
    Refuse,
    Router,
    TLSFailure,
    UnmatchedRequest,
    Upstream,
    UsageError,
    VirtualClock,
    mock,
    mock_session,
)
from aiotest_kit._aiohttp.resolvers import FixedResolver
from tests.doors.conftest import Door

URL = "https://a.test/x"
PROXY = "http://proxy.test:3128"
pytestmark = pytest.mark.memory_door


async def raised(session: aiohttp.ClientSession, url: str = URL, **options: Any) -> Any:
    """What a call raises; its status if it raises nothing."""
    try:
        async with session.request(options.pop("method", "GET"), url, **options) as response:
            return response.status
    except (aiohttp.ClientError, asyncio.TimeoutError) as exc:
        return exc


async def test_refuse(door: Door) -> None:
    """A refused connection has the attributes of one over a network."""
    door.router.get(URL).reply(Refuse())
    async with door.open_session() as session:
        exc = await raised(session)
    assert aiohttp.ClientConnectorError is type(exc)
    assert (errno.ECONNREFUSED, "a.test", 443, True) == (exc.errno, exc.host, exc.port, exc.ssl)
    assert isinstance(exc.os_error, ConnectionRefusedError)
    assert "Cannot connect to host a.test:443 ssl:default [Connect call failed ('192.0.2.1', 443)]" == str(
        exc
    )


async def test_dns_failure(door: Door) -> None:
    """A name that is unknown is so also where it was found before."""
    door.router.get(URL).replies(200, DNSFailure())
    async with door.open_session() as session:
        assert 200 == await raised(session)
        exc = await raised(session)
    assert aiohttp.ClientConnectorDNSError is type(exc)
    assert (socket.EAI_NONAME, "Name or service not known") == (exc.errno, exc.strerror)
    assert isinstance(exc.os_error, socket.gaierror)


@pytest.mark.parametrize("limit", ["sock_connect", "connect"])
async def test_connect_timeout(limit: str, door: Door) -> None:
    """Nobody answers until the client's own timeout."""
    door.router.get(URL).reply(ConnectTimeout())
    async with door.open_session(timeout=aiohttp.ClientTimeout(**{limit: 0.05})) as session:
        exc = await raised(session)
    assert aiohttp.ConnectionTimeoutError is type(exc)
    assert f"Connection timeout to host {URL}" == str(exc)


CERTIFICATE = aiohttp.ClientConnectorCertificateError
TLS_FAILURES: dict[Any, tuple[type[Exception], int | None, str]] = {
    "untrusted": (CERTIFICATE, 20, "unable to get local issuer certificate"),
    "expired": (CERTIFICATE, 10, "certificate has expired"),
    "wrong-host": (CERTIFICATE, 62, "Hostname mismatch, certificate is not valid for 'a.test'."),
    "protocol": (aiohttp.ClientConnectorSSLError, None, ""),
}


@pytest.mark.parametrize("proxy", [None, PROXY], ids=["direct", "tunnelled"])
@pytest.mark.parametrize("kind", TLS_FAILURES)
async def test_tls_failure(kind: Any, proxy: str | None, door: Door) -> None:
    """The handshake fails as OpenSSL words it, behind a proxy too."""
    door.router.get(URL).reply(TLSFailure(kind))
    async with door.open_session() as session:
        exc = await raised(session, proxy=proxy)
    expected, code, message = TLS_FAILURES[kind]
    assert expected is type(exc)
    cause: Any = exc.__cause__
    if code is None:
        assert isinstance(cause, ssl.SSLError)
    else:
        assert (code, message) == (cause.verify_code, cause.verify_message)
        assert cause is getattr(exc, "certificate_error", None)


@pytest.mark.parametrize("proxy", [None, PROXY], ids=["direct", "tunnelled"])
async def test_fingerprint(proxy: str | None, door: Door) -> None:
    """A certificate with another digest is told from the one expected."""
    door.router.get(URL).reply(TLSFailure("fingerprint"))
    expected = aiohttp.Fingerprint(bytes(32))
    async with door.open_session() as session:
        exc = await raised(session, ssl=expected, proxy=proxy)
    assert aiohttp.ServerFingerprintMismatch is type(exc)
    assert bytes(32) == exc.expected


@pytest.mark.parametrize("kind", ["untrusted", "expired", "wrong-host", "fingerprint"])
async def test_tls_failure_nobody_looks_at(kind: Any, door: Door) -> None:
    """A client that does not verify gets its answer."""
    route = door.router.get(URL).reply(TLSFailure(kind))
    async with door.open_session() as session:
        assert 200 == await raised(session, ssl=False)
    assert 1 == len(route.calls)


async def test_proxies(door: Door) -> None:
    """With a proxy, that is what cannot be reached, or what refuses to connect."""
    door.router.get(URL).replies(Refuse(), ProxyError(407), ProxyError(502))
    async with door.open_session() as session:
        exc = await raised(session, proxy=PROXY)
        assert (aiohttp.ClientProxyConnectionError, "proxy.test", 3128) == (type(exc), exc.host, exc.port)
        for status in (407, 502):
            exc = await raised(session, proxy=PROXY)
            assert (aiohttp.ClientHttpProxyError, status) == (type(exc), exc.status)


async def test_pooled_connection_hides_nothing(door: Door) -> None:
    """A fault is met although a connection is there; the next call goes over that."""
    door.router.get(URL).replies(200, Refuse(), 201)
    async with door.open_session() as session:
        seen = [await raised(session) for _ in range(3)]
    assert [int, aiohttp.ClientConnectorError, int] == [type(each) for each in seen]


async def test_record(door: Door) -> None:
    """A call that does not connect is one call, with its exception; a retry meets what is next."""
    route = door.router.get(URL).reply(Disconnect(), attempts=1).reply(Refuse())
    async with door.open_session() as session:
        exc = await raised(session, headers={"X-A": "1"})
    assert isinstance(exc, aiohttp.ClientConnectorError)
    call = route.calls.one()
    assert (2, exc, "1") == (call.attempts, call.exception, call.request.headers["X-A"])
    assert call.elapsed is not None


async def test_narrowed_by_body(door: Door) -> None:
    """Where the body decides, the client sees the same after it was sent."""
    door.router.post(URL).reply(201)
    door.router.post(URL, json={"a": 1}).reply(Refuse())
    async with door.open_session() as session:
        assert 201 == await raised(session, method="POST", json={"a": 2})
        exc = await raised(session, method="POST", json={"a": 1})
    assert aiohttp.ClientConnectorError is type(exc)


async def test_flaky(door: Door) -> None:
    """A flaky connect fault fails the same calls for the same seed, and the others are answered."""
    outcomes = []
    for path in ("/1", "/2"):
        route = door.router.get(f"https://a.test{path}").reply(Flaky(Refuse(), 0.5, 7, reply=202))
        async with door.open_session() as session:
            seen = [await raised(session, f"https://a.test{path}") for _ in range(20)]
        outcomes.append([exc == 202 for exc in seen])
        assert 20 == len(route.calls)
    assert outcomes[0] == outcomes[1]
    assert {True, False} == set(outcomes[0])


async def test_mounted(door: Door) -> None:
    """A mounted router's faults are met too, and the calls are in both logs."""
    inner = Router()
    inner.get("/x").reply(Refuse())
    door.router.mount("https://a.test", inner)
    async with door.open_session() as session:
        assert isinstance(await raised(session), aiohttp.ClientConnectorError)
    assert (1, 1) == (len(inner.calls), len(door.router.calls))


@pytest.mark.parametrize(
    ("url", "fault", "message"),
    [
        (
            "http://a.test/",
            TLSFailure(),
            "TLSFailure(kind='untrusted') cannot happen: http://a.test is without TLS",
        ),
        (
            "http://10.0.0.1/",
            DNSFailure(),
            "DNSFailure() cannot happen: 10.0.0.1 is an address, which nobody looks up",
        ),
    ],
    ids=["tls", "dns"],
)
async def test_cannot_happen(url: str, fault: object, message: str) -> None:
    """What cannot happen on the way there is an error of the test."""
    router = Router()
    router.get(url).reply(fault)
    session = mock_session(router)
    with pytest.raises(UsageError) as caught:
        await session.get(url)
    with pytest.raises(UsageError) as at_the_end:
        await session.close()
    assert message == str(caught.value)
    assert caught.value is at_the_end.value
    assert [caught.value] == [error.exception for error in router.handler_errors]


@pytest.mark.parametrize("fault", [Refuse(), Flaky(Refuse(), 0.5, 1), OSError()], ids=repr)
def test_on_loopback(fault: object) -> None:
    """Behind a socket the client is out of reach: such answers are refused."""
    with pytest.raises(UsageError, match="happens in the client, which is out of reach behind a socket"):
        Upstream().get("/").reply(fault)


def test_unknown_kind() -> None:
    """A kind that there is not is refused."""
    kind: Any = "rotten"
    with pytest.raises(UsageError) as caught:
        TLSFailure(kind)
    assert (
        "TLSFailure('rotten'): kinds are untrusted, expired, wrong-host, protocol, fingerprint, closed, "
        "reset, alert, version, client-certificate" == str(caught.value)
    )
    with pytest.raises(UsageError) as caught:
        DNSFailure(kind)
    assert "DNSFailure('rotten'): kinds are not-found, temporary, no-errno, timeout" == str(caught.value)


def test_delay_that_is_none() -> None:
    """A look-up takes a number of seconds."""
    with pytest.raises(UsageError) as caught:
        DNSFailure(delay=-1)
    assert "a delay is in seconds, 0 or more; got -1" == str(caught.value)


def test_how_faults_are_shown() -> None:
    """A fault is shown as one writes it."""
    shown = [DNSFailure(), DNSFailure("temporary"), DNSFailure(delay=2), DNSFailure("timeout", delay=0.5)]
    assert [
        "DNSFailure()",
        "DNSFailure('temporary')",
        "DNSFailure(delay=2)",
        "DNSFailure('timeout', delay=0.5)",
    ] == [repr(fault) for fault in shown]


async def test_found_by_the_body_and_not_noticed(door: Door) -> None:
    """Also where only the body tells the route, a client that does not look gets an empty 200."""
    route = door.router.post(URL, json={"a": 1}).reply(TLSFailure())
    async with door.open_session() as session:
        assert 200 == await raised(session, method="POST", json={"a": 1}, ssl=False)
    reply = route.calls.one().reply
    assert reply is not None
    assert (200, b"") == (reply.status, reply.body)


async def test_no_route_for_it() -> None:
    """Where none of several routers answers, a fault of another route does not keep the report back."""
    with mock() as inner, mock() as outer:
        inner.get("https://b.test/").reply(Refuse()).optional()
        outer.get("https://c.test/").reply(Refuse()).optional()
        async with aiohttp.ClientSession() as session:
            assert UnmatchedRequest is type(await raised(session))


async def test_predicate_that_fails() -> None:
    """An error of a predicate that is asked before there is a connection fails the call as any other."""

    def fails(value: str) -> bool:
        raise LookupError(value)

    router = Router()
    router.get(URL, headers={"X-Key": fails}).reply(Refuse())
    with pytest.raises(LookupError, match="k"):
        async with mock_session(router) as session:
            assert 500 == await raised(session, headers={"X-Key": "k"})
    assert ["k"] == [error.exception.args[0] for error in router.handler_errors]


async def test_from_a_handler() -> None:
    """A handler has seen the request: it cannot undo the connection."""
    router = Router()
    router.get(URL).reply(lambda request: Refuse())
    with pytest.raises(UsageError) as caught:
        async with mock_session(router) as session:
            assert 500 == await raised(session)
    assert "Refuse() happens before a connection: it is for a route, and for the memory door" == str(
        caught.value
    )


async def test_closed_while_it_connects() -> None:
    """A mock that closes ends a call that waits for its connection, and names the route."""
    async with aiohttp.ClientSession() as session:
        async with mock() as router:
            route = router.get(URL).reply(ConnectTimeout())
            call = asyncio.ensure_future(raised(session))
            await router.wait()
            await asyncio.sleep(0)
        exc = await call
    assert f"the mock was closed before it answered: {route!r}" == str(exc)


@pytest.mark.parametrize("limits", [{"limit": 1}, {"limit_per_host": 1}])
async def test_a_pool_that_is_full(door: Door, limits: dict[str, Any]) -> None:
    """A fault on which the body decides needs no second place in the pool."""
    door.router.post("http://a.test/", json={"a": 1}).reply(Refuse())
    connector = aiohttp.TCPConnector(**limits)
    timeout = aiohttp.ClientTimeout(total=5)
    async with door.open_session(connector=connector, timeout=timeout) as session:
        for _ in range(2):
            with pytest.raises(aiohttp.ClientConnectorError):
                await session.post("http://a.test/", json={"a": 1})


async def test_a_delay_before_a_connection_fails(door: Door) -> None:
    """`delay=` goes with these faults, too; a look-up fails as late."""
    for number, fault in enumerate((Refuse(), DNSFailure(), TLSFailure("expired"))):
        door.router.get(f"https://a.test/{number}").reply(fault, delay=5)
    async with door.no_waiting() as clock, door.open_session() as session:
        assert isinstance(clock, VirtualClock)
        for number in range(3):
            with pytest.raises(aiohttp.ClientConnectorError):
                await session.get(f"https://a.test/{number}")
            assert 5 * (number + 1) == pytest.approx(clock.now, abs=0.1)


@pytest.mark.parametrize("limit", ["connect", "sock_connect"])
@pytest.mark.parametrize(
    "fault", [Refuse(), TLSFailure("expired"), TLSFailure("closed"), DNSFailure()], ids=repr
)
async def test_a_delay_that_is_longer_than_the_timeout(fault: object, limit: str, door: Door) -> None:
    """What takes longer than the client waits is a timeout; a look-up is no part of `sock_connect`."""
    route = door.router.get(URL).reply(fault, delay=60)
    timeout = aiohttp.ClientTimeout(**{limit: 5})
    async with door.no_waiting() as clock, door.open_session(timeout=timeout) as session:
        assert isinstance(clock, VirtualClock)
        exc = await raised(session)
        is_late = isinstance(fault, DNSFailure) and limit == "sock_connect"
        assert (60 if is_late else 5) == pytest.approx(clock.now, abs=0.1)
    expected = aiohttp.ClientConnectorDNSError if is_late else aiohttp.ConnectionTimeoutError
    assert expected is type(exc)
    # aiohttp's session makes its own exception of the one with which connecting ended.
    assert (exc if is_late else exc.__cause__) is route.calls.one().exception


async def test_the_delay_of_a_look_up(door: Door) -> None:
    """A look-up may take its time by itself, beside what the route says."""
    door.router.get(URL).reply(DNSFailure("temporary", delay=5), delay=2)
    async with door.no_waiting() as clock, door.open_session() as session:
        assert isinstance(clock, VirtualClock)
        exc = await raised(session)
        assert 7 == pytest.approx(clock.now, abs=0.1)
    assert socket.EAI_AGAIN == exc.errno


async def test_several_addresses(door: Door) -> None:
    """Each address of a host is tried, after one delay."""

    class Two(FixedResolver):
        async def resolve(self, host: str, port: int = 0, family: Any = 0) -> Any:
            (found,) = await super().resolve(host, port, family)
            return [found, {**found, "host": "192.0.2.2"}]

    door.router.get(URL).reply(Refuse(), delay=5)
    connector = aiohttp.TCPConnector(resolver=Two())
    async with door.no_waiting() as clock, door.open_session(connector=connector) as session:
        assert isinstance(clock, VirtualClock)
        exc = await raised(session)
        assert 5 == pytest.approx(clock.now, abs=0.1)
    assert "Connect call failed ('192.0.2.2', 443)" == exc.strerror


async def test_a_gate_before_a_connection_fails(door: Door) -> None:
    """A call waits at the gate of its route, is seen there, and fails when it is let go."""
    gate = door.router.get("http://a.test/").reply(Refuse()).hold()
    async with door.open_session() as session:
        call = asyncio.ensure_future(session.get("http://a.test/"))
        await gate.waiting()
        assert not call.done()
        gate.release()
        with pytest.raises(aiohttp.ClientConnectorError):
            await call
    assert isinstance(door.router.calls.one().exception, aiohttp.ClientConnectorError)
