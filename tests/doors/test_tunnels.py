"""Tunnels through proxies (CONNECT): what the client said to the proxy is in the log."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from aiotest_kit import ConnectTimeout, Disconnect, ProxyError, Refuse, Router, mock
from tests.doors.conftest import Door

URL = "https://files.test/"
PROXY = "http://proxy.test:3128"
CREDENTIALS = {"Proxy-Authorization": "Basic dTpw"}
pytestmark = pytest.mark.memory_door


async def ask(session: aiohttp.ClientSession, url: str = URL, **options: Any) -> int:
    """The status of a call through the proxy."""
    async with session.get(url, proxy=PROXY, proxy_headers=CREDENTIALS, **options) as response:
        return response.status


async def test_headers(door: Door) -> None:
    """A call has the tunnel that it came through, and so has the router."""
    door.router.get(URL)
    async with door.open_session() as session:
        assert 200 == await ask(session)
    (tunnel,) = door.router.tunnels
    assert ("files.test", 443) == (tunnel.host, tunnel.port)
    assert "Basic dTpw" == tunnel.headers["Proxy-Authorization"]
    assert tunnel is door.router.calls.one().tunnel
    assert "<Tunnel to files.test:443>" == repr(tunnel)


async def test_one_tunnel_for_several_calls(door: Door) -> None:
    """A pooled tunnel is asked for once; another host, port or address has one of its own."""
    for url in (URL, "https://files.test:8443/", "https://[2001:db8::1]/"):
        door.router.get(url)
    async with door.open_session() as session:
        for url in (URL, URL, "https://files.test:8443/", "https://[2001:db8::1]/"):
            await ask(session, url)
            await asyncio.sleep(0)
    expected = [("files.test", 443), ("files.test", 8443), ("2001:db8::1", 443)]
    assert expected == [(tunnel.host, tunnel.port) for tunnel in door.router.tunnels]
    first, second, *_ = door.router.calls
    assert first.tunnel is second.tunnel is not None


async def test_without_a_tunnel(door: Door) -> None:
    """A plain request through a proxy has none, and neither has one without a proxy."""
    for url in (URL, "http://files.test/"):
        door.router.get(url)
    async with door.open_session() as session:
        assert 200 == await ask(session, "http://files.test/")
        await session.get(URL)
    assert [None, None] == [call.tunnel for call in door.router.calls]
    assert () == door.router.tunnels


async def test_refused(door: Door) -> None:
    """A proxy that refuses was asked nevertheless."""
    door.router.get(URL).replies(ProxyError(407), 200)
    async with door.open_session() as session:
        with pytest.raises(aiohttp.ClientHttpProxyError):
            await ask(session)
        assert 200 == await ask(session)
    refused, opened = door.router.calls
    assert (refused.tunnel, opened.tunnel) == door.router.tunnels
    assert "Basic dTpw" == door.router.tunnels[0].headers["Proxy-Authorization"]


async def test_answered_by_a_route(door: Door) -> None:
    """A route may answer the CONNECT itself; then that is a call, too."""
    door.router.route("CONNECT", URL).reply(502)
    async with door.open_session() as session:
        with pytest.raises(aiohttp.ClientHttpProxyError):
            await ask(session)
    (tunnel,) = door.router.tunnels
    call = door.router.calls.one(method="CONNECT")
    assert tunnel.request is call.request
    assert tunnel is call.tunnel


@pytest.mark.parametrize("fault", [Refuse(), Disconnect()], ids=repr)
async def test_faults(fault: object, door: Door) -> None:
    """A proxy that cannot be reached is not asked; one behind which the call fails was, for each attempt."""
    route = door.router.get(URL).reply(fault)
    async with door.open_session() as session:
        with pytest.raises(aiohttp.ClientConnectionError):
            await ask(session)
    call = route.calls.one()
    assert call.attempts == max(1, len(door.router.tunnels))
    assert call.tunnel is (door.router.tunnels[0] if door.router.tunnels else None)


async def test_no_route(door: Door) -> None:
    """A call that nothing answers has come through a tunnel all the same."""
    async with door.open_session() as session:
        with pytest.raises(aiohttp.ClientConnectionError):
            await ask(session)
    (tunnel,) = door.router.tunnels
    assert "files.test" == tunnel.host


async def test_several_mocks() -> None:
    """A tunnel is in the log of the mock that names where it leads, else of the one asked first."""
    with mock() as outer, mock() as inner:
        outer.get(URL)
        inner.get("https://other.test/")
        outer.get("/anywhere")
        async with aiohttp.ClientSession() as session:
            await ask(session)
            await ask(session, "https://other.test/")
            await ask(session, "https://third.test/anywhere")
    assert ["files.test"] == [tunnel.host for tunnel in outer.tunnels]
    assert ["other.test", "third.test"] == [tunnel.host for tunnel in inner.tunnels]


async def test_reset(door: Door) -> None:
    """A reset drops the tunnels with the calls."""
    door.router.get(URL)
    async with door.open_session() as session:
        await ask(session)
    door.router.reset()
    assert () == door.router.tunnels


async def test_closed_while_a_proxy_is_waited_for() -> None:
    """A mock that closes ends a call to a proxy that does not answer."""
    async with aiohttp.ClientSession() as session:
        async with mock(Router()) as router:
            router.get(URL).reply(ConnectTimeout())
            call = asyncio.ensure_future(ask(session))
            await router.wait()
            await asyncio.sleep(0)
        with pytest.raises(aiohttp.ClientConnectionError, match="the mock was closed before it answered"):
            await call
    assert () == router.tunnels
