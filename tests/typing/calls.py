"""The log of calls, to a type checker. Nothing here is run."""

import ssl
from collections.abc import Mapping
from typing import Any

import aiohttp
from multidict import CIMultiDictProxy, MultiDictProxy
from typing_extensions import assert_type
from yarl import URL

from aiotest_kit import (
    Call,
    Calls,
    Client,
    DNSFailure,
    Part,
    Reply,
    Request,
    Route,
    Router,
    TLSFailure,
    Tunnel,
)


async def log(router: Router, route: Route) -> None:
    assert_type(router.calls, Calls[Call[Route]])
    assert_type(route.calls.last, Call[Route])
    assert_type(route.calls.first, Call[Route])
    assert_type(route.calls.one(json={"id": 7}), Call[Route])
    assert_type(route.calls.where(method="POST", query={"page": "2"}), Calls[Call[Route]])
    assert_type(route.calls[0], Call[Route])
    assert_type(route.calls[1:], Calls[Call[Route]])
    assert_type([call.request.method for call in router.calls], list[str])
    assert_type(await route.wait(2, timeout=1), Calls[Call[Route]])
    assert_type(route.called, bool)
    assert_type(route.call_count, int)


def assertions(router: Router, route: Route) -> None:
    route.assert_called_once_with(json={"id": 7}, headers={"X-Key": "k"})
    route.assert_any_call(url="/users", method="POST")
    router.assert_calls([route, {"method": "GET", "url": "/users"}], in_order=False)


def one_call(call: Call[Route]) -> None:
    assert_type(call.request, Request)
    assert_type(call.reply, Reply | None)
    assert_type(call.route, Route | None)
    assert_type(call.exception, BaseException | None)
    assert_type(call.attempts, int)
    assert_type(call.started, float)
    assert_type(call.elapsed, float | None)
    assert_type(call.tunnel, Tunnel | None)
    if call.tunnel is not None:
        assert_type(call.tunnel.host, str)
        assert_type(call.tunnel.headers, CIMultiDictProxy[str])
    assert_type(call.client, Client | None)
    if call.client is not None:
        assert_type(call.client.timeout, aiohttp.ClientTimeout)
        assert_type(call.client.ssl, ssl.SSLContext | aiohttp.Fingerprint | bool)
        assert_type(call.client.proxy, URL | None)


def one_router(router: Router) -> None:
    assert_type(router.tunnels, tuple[Tunnel, ...])
    assert_type(router.certificate_digest, bytes)
    aiohttp.Fingerprint(router.certificate_digest)
    DNSFailure("temporary", delay=2)
    TLSFailure("client-certificate")


def one_request(request: Request) -> None:
    assert_type(request.method, str)
    assert_type(request.url, URL)
    assert_type(request.path, str)
    assert_type(request.query, MultiDictProxy[str])
    assert_type(request.headers, CIMultiDictProxy[str])
    assert_type(request.raw_headers, tuple[tuple[bytes, bytes], ...])
    assert_type(request.cookies, Mapping[str, str])
    assert_type(request.match_info, Mapping[str, str])
    assert_type(request.body, bytes)
    assert_type(request.version, str)
    assert_type(request.text(), str)
    assert_type(request.json(), Any)
    assert_type(request.post(), MultiDictProxy[str | Part])
    assert_type(request.multipart(), list[Part])
