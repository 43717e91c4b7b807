"""Where a request goes: hosts and ports of every kind, unix sockets, proxies, TLS; and what is told of it."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from yarl import URL

from aiotest_kit import Router, UnmatchedRequest

if TYPE_CHECKING:
    from tests.doors.conftest import Door

pytestmark = pytest.mark.memory_door

HOSTS = {
    # the URL asked for, the Host on the wire, the URL recorded
    "name": ("http://api.test/x", "api.test", "http://api.test/x"),
    "upper-case": ("http://API.Test/x", "api.test", "http://api.test/x"),
    "trailing-dot": ("http://api.test./x", "api.test", "http://api.test/x"),
    "port": ("http://api.test:8080/x", "api.test:8080", "http://api.test:8080/x"),
    "default-port": ("http://api.test:80/x", "api.test", "http://api.test/x"),
    "https": ("https://api.test/x", "api.test", "https://api.test/x"),
    "https-port": ("https://api.test:8443/x", "api.test:8443", "https://api.test:8443/x"),
    "https-on-80": ("https://api.test:80/x", "api.test:80", "https://api.test:80/x"),
    "ipv4": ("http://203.0.113.7/x", "203.0.113.7", "http://203.0.113.7/x"),
    "ipv4-port": ("http://203.0.113.7:81/x", "203.0.113.7:81", "http://203.0.113.7:81/x"),
    "ipv4-loopback": ("http://127.0.0.1:9/x", "127.0.0.1:9", "http://127.0.0.1:9/x"),
    "ipv6": ("http://[2001:db8::1]/x", "[2001:db8::1]", "http://[2001:db8::1]/x"),
    "ipv6-port": ("http://[2001:db8::1]:81/x", "[2001:db8::1]:81", "http://[2001:db8::1]:81/x"),
    "ipv6-loopback": ("http://[::1]:9/x", "[::1]:9", "http://[::1]:9/x"),
    "idna": ("http://bücher.test/x", "xn--bcher-kva.test", "http://bücher.test/x"),
    "localhost": ("http://localhost:9/x", "localhost:9", "http://localhost:9/x"),
    "single-label": ("http://db/x", "db", "http://db/x"),
    "underscore": ("http://my_service:5000/x", "my_service:5000", "http://my_service:5000/x"),
}


@pytest.mark.parametrize(("asked", "host", "recorded"), HOSTS.values(), ids=HOSTS)
async def test_hosts(
    router: Router, session: aiohttp.ClientSession, asked: str, host: str, recorded: str
) -> None:
    """A route for the URL answers, `Host` is as aiohttp writes it, the recorded URL is the one asked for."""
    route = router.get(asked).reply(text="here")
    async with session.get(asked) as response:
        assert "here" == await response.text()
        assert URL(asked) == response.url
    request = route.calls.one().request
    assert host == request.headers["Host"]
    assert URL(recorded) == request.url


OTHERS = {
    "port": ("http://api.test:8080/", "http://api.test/"),
    "scheme": ("https://api.test/", "http://api.test/"),
    "host": ("http://api.test/", "http://www.api.test/"),
    "ipv6": ("http://[2001:db8::1]/", "http://[2001:db8::2]/"),
}


@pytest.mark.parametrize(("there", "asked"), OTHERS.values(), ids=OTHERS)
async def test_other_origins(router: Router, session: aiohttp.ClientSession, there: str, asked: str) -> None:
    """A route does not answer for another origin."""
    router.get(there).optional()
    with pytest.raises(UnmatchedRequest):
        await session.get(asked)
    router.assert_called_once()


TARGETS = {
    "plain": ("/a/b", "/a/b"),
    "query": ("/a?x=1&x=2&y", "/a?x=1&x=2&y"),
    "quoted": ("/a%2Fb/%C3%BC?q=%26", "/a%2Fb/%C3%BC?q=%26"),
    "unquoted": ("/ü ?q=ü", "/%C3%BC%20?q=%C3%BC"),
    "fragment": ("/a#there", "/a"),
    "empty": ("", "/"),
}


@pytest.mark.parametrize(("given", "target"), TARGETS.values(), ids=TARGETS)
async def test_targets(router: Router, session: aiohttp.ClientSession, given: str, target: str) -> None:
    """The request target is the one that aiohttp puts on the wire."""
    route = router.get("http://a.test/{path:.*}")
    url = URL(f"http://a.test{given}")
    async with session.get(url):
        pass
    assert target == route.calls.one().request.target


async def test_encoded_url_is_kept(router: Router, session: aiohttp.ClientSession) -> None:
    """A URL that is said to be encoded is sent as it is."""
    route = router.get("http://a.test/{path:.*}")
    async with session.get(URL("http://a.test/%7ea?b=%2c", encoded=True)):
        pass
    assert "/%7ea?b=%2c" == route.calls.one().request.target


async def test_unix_socket(door: Door) -> None:
    """A session on a unix socket is answered as any other; its transport names the path."""
    route = door.router.get("http://docker/containers").reply(body=bytes(1_000_000))
    connector = aiohttp.UnixConnector(path="/nowhere/docker.sock")
    async with (
        door.open_session(connector=connector) as session,
        session.get("http://docker/containers") as response,
    ):
        assert 200 == response.status
        assert response.connection is not None
        transport = response.connection.transport
        assert transport is not None
        assert "/nowhere/docker.sock" == transport.get_extra_info("peername")
        await response.read()
    assert URL("http://docker/containers") == route.calls.one().request.url


async def test_unix_socket_with_a_loopback_name(door: Door) -> None:
    """A name that would be loopback over TCP is answered on a unix socket: nothing of it leaves."""
    route = door.router.get("/x")
    connector = aiohttp.UnixConnector(path="/nowhere/docker.sock")
    async with door.open_session(connector=connector) as session, session.get("http://localhost/x"):
        pass
    assert route.called


PROXY = "http://proxy.test:3128"


async def test_proxy_for_http(router: Router, session: aiohttp.ClientSession) -> None:
    """Through a proxy an http request is in absolute-form; the route of its target answers."""
    route = router.get("http://a.test/x").reply(text="through")
    async with session.get("http://a.test/x?q=1", proxy=PROXY, proxy_headers={"X-Hop": "1"}) as response:
        assert "through" == await response.text()
    call = route.calls.one()
    assert URL("http://a.test/x?q=1") == call.request.url
    assert "a.test" == call.request.headers["Host"]
    assert call.client is not None
    assert URL(PROXY) == call.client.proxy


async def test_absolute_form_on_the_wire(router: Router, session: aiohttp.ClientSession) -> None:
    """A script behind a proxy reads the target in absolute-form."""
    lines: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines.append(await reader.readline())
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    router.get("http://a.test/x").raw(script)
    async with session.get("http://a.test/x", proxy=PROXY) as response:
        assert 204 == response.status
    assert [b"GET http://a.test/x HTTP/1.1\r\n"] == lines


async def test_proxy_for_https(router: Router, session: aiohttp.ClientSession) -> None:
    """Through a proxy an https request goes by a tunnel; the route of its target answers, and again."""
    route = router.get("https://a.test/x").reply(text="through")
    for _ in range(2):
        async with session.get("https://a.test/x", proxy=PROXY) as response:
            assert "through" == await response.text()
            assert URL("https://a.test/x") == response.url
    assert ["/x", "/x"] == [call.request.target for call in route.calls]
    assert {"a.test"} == {call.request.headers["Host"] for call in route.calls}
    clients = [call.client for call in route.calls]
    assert [URL(PROXY)] * 2 == [client.proxy for client in clients if client is not None]
    assert 2 == router.call_count


async def test_proxy_of_the_session(door: Door) -> None:
    """A proxy from the environment is no proxy unless `trust_env` says so; one of the request is."""
    route = door.router.get("http://a.test/")
    async with door.open_session() as session:
        async with session.get("http://a.test/"):
            pass
        async with session.get("http://a.test/", proxy=PROXY):
            pass
    clients = [call.client for call in route.calls]
    assert [None, URL(PROXY)] == [client.proxy for client in clients if client is not None]


async def test_trust_env(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `trust_env=True` the proxy is that of the environment."""
    monkeypatch.setenv("http_proxy", PROXY)
    route = door.router.get("http://a.test/")
    async with door.open_session(trust_env=True) as session, session.get("http://a.test/"):
        pass
    client = route.calls.one().client
    assert client is not None
    assert URL(PROXY) == client.proxy


async def test_what_the_client_asked_of_tls(router: Router, session: aiohttp.ClientSession) -> None:
    """`ssl=`, `server_hostname=` and `timeout=` of each call are recorded."""
    context = ssl.create_default_context()
    print_ = aiohttp.Fingerprint(router.certificate_digest)
    timeout = aiohttp.ClientTimeout(total=7)
    asked: list[dict[str, Any]] = [
        {},
        {"ssl": False},
        {"ssl": context},
        {"ssl": print_},
        {"server_hostname": "b.test"},
        {"timeout": timeout},
    ]
    route = router.get("https://a.test/")
    for options in asked:
        async with session.get("https://a.test/", **options) as response:
            assert 200 == response.status
    clients = [call.client for call in route.calls]
    assert [True, False, context, print_, True, True] == [client.ssl for client in clients if client]
    assert [None, None, None, None, "b.test", None] == [
        client.server_hostname for client in clients if client
    ]
    assert [300, 300, 300, 300, 300, 7] == [client.timeout.total for client in clients if client]


async def extra(session: aiohttp.ClientSession, url: str, *names: str, **options: Any) -> list[Any]:
    """What the transport of a call's response tells."""
    async with session.get(url, **options) as response:
        assert response.connection is not None
        transport = response.connection.transport
        assert transport is not None
        told = [transport.get_extra_info(name) for name in names]
        assert "default" == transport.get_extra_info("no such thing", "default")
        await response.read()
    return told


LONG = bytes(1_000_000)
ADDRESSES = {
    "name": ("http://a.test/", ("192.0.2.1", 80), "127.0.0.1"),
    "port": ("http://a.test:8080/", ("192.0.2.1", 8080), "127.0.0.1"),
    "https": ("https://a.test/", ("192.0.2.1", 443), "127.0.0.1"),
    "ipv4": ("http://203.0.113.7:81/", ("203.0.113.7", 81), "127.0.0.1"),
    "ipv6": ("http://[2001:db8::1]:81/", ("2001:db8::1", 81, 0, 0), "::1"),
}


@pytest.mark.parametrize(("url", "peer", "local"), ADDRESSES.values(), ids=ADDRESSES)
async def test_addresses_of_the_transport(
    router: Router, session: aiohttp.ClientSession, url: str, peer: tuple[Any, ...], local: str
) -> None:
    """The transport tells both addresses, and its socket tells the same."""
    router.get(url).reply(body=LONG)
    peername, sockname, socket = await extra(session, url, "peername", "sockname", "socket")
    assert peer == peername == socket.getpeername()
    assert sockname == socket.getsockname()
    assert (local, len(peer)) == (sockname[0], len(sockname))
    assert 1024 <= sockname[1] < 65536


async def test_no_tls(router: Router, session: aiohttp.ClientSession) -> None:
    """A plain connection tells nothing of TLS."""
    router.get("http://a.test/").reply(body=LONG)
    told = await extra(session, "http://a.test/", "sslcontext", "ssl_object", "peercert", "cipher")
    assert [None] * 4 == told


@pytest.mark.parametrize("proxy", [None, PROXY], ids=["direct", "proxy"])
async def test_tls(router: Router, session: aiohttp.ClientSession, proxy: str | None) -> None:
    """An https connection tells of the context asked for and of a TLS session, though there is none."""
    context = ssl.create_default_context()
    router.get("https://a.test/").reply(body=LONG)
    told = await extra(
        session, "https://a.test/", "sslcontext", "ssl_object", "cipher", "peercert", ssl=context, proxy=proxy
    )
    assert context is told[0]
    assert "TLSv1.3" == told[1].version()
    assert told[2] == told[1].cipher()
    assert (("DNS", "a.test"),) == told[3]["subjectAltName"]


async def test_loopback_behind_a_proxy(door: Door) -> None:
    """A proxy elsewhere that is to ask for a local address is not asked: nothing leaves."""
    async with door.open_session() as session:
        with pytest.raises(UnmatchedRequest):
            await session.get("http://127.0.0.1:9/", proxy="http://192.0.2.77:3128")
