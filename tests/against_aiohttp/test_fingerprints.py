"""An `aiohttp.Fingerprint`: in memory it is compared with the certificate that is shown, as over TLS."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from hashlib import sha256
from typing import Any

import aiohttp
import pytest

from aiotest_kit import Router, TLSFailure, mock
from aiotest_kit.compat.aiointercept import aiointercept
from aiotest_kit.compat.aioresponses import aioresponses
from aiotest_kit.compat.aresponses import ResponsesMockServer
from tests.against_aiohttp.conftest import Door, Network
from tests.against_aiohttp.ends import EMPTY, Received, answers, seen
from tests.against_aiohttp.test_connecting import comparable

trustme = pytest.importorskip("trustme")

URL = "https://a.test/"
OTHER = bytes(32)


async def real_server(network: Network, replies: int) -> bytes:
    """Start a server with TLS; the digest of its certificate."""
    issued = trustme.CA().issue_cert("a.test")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    issued.configure_cert(context)
    received: Received = []
    await network.serve(answers(*[EMPTY] * replies)(received), context)
    return sha256(ssl.PEM_cert_to_DER_cert(issued.cert_chain_pems[0].bytes().decode())).digest()


async def outcome(session: aiohttp.ClientSession, digest: bytes, pin: bytes | None) -> object:
    """What two calls come to that pin a digest, unless their connector does."""
    options: dict[str, Any] = {} if pin is None else {"ssl": aiohttp.Fingerprint(pin)}
    async with session:
        return comparable([await seen(session, "GET", URL, **options) for _ in range(2)], repr(digest))


@pytest.mark.parametrize("by", ["request", "connector"])
@pytest.mark.parametrize("is_right", [True, False], ids=["right", "wrong"])
async def test_pins(is_right: bool, by: str, door: Door, network: Network) -> None:
    """The right digest is accepted, also from the pool; another is a mismatch that tells both digests."""

    def settings(pin: bytes) -> dict[str, Any]:
        return {"ssl": aiohttp.Fingerprint(pin)} if by == "connector" else {}

    digest = await real_server(network, 2)
    pin = digest if is_right else OTHER
    real = network.open_session(settings(pin))
    expected = await outcome(real, digest, pin if by == "request" else None)

    route = door.router.get(URL).optional()
    digest = door.router.certificate_digest
    pin = digest if is_right else OTHER
    session = door.open_session(connector=aiohttp.TCPConnector(**settings(pin)))
    assert expected == await outcome(session, digest, pin if by == "request" else None)
    assert (2 if is_right else 0) == len(route.calls)


async def test_a_wrong_pin_tells_the_right_one(door: Door) -> None:
    """The digest that is shown is the router's, for every host, and for a router of a host."""
    door.router.get(URL).optional()
    async with door.open_session() as session:
        with pytest.raises(aiohttp.ServerFingerprintMismatch) as caught:
            await session.get(URL, ssl=aiohttp.Fingerprint(OTHER))
    assert (OTHER, door.router.certificate_digest) == (caught.value.expected, caught.value.got)
    assert door.router.certificate_digest == door.router.host(URL).certificate_digest
    assert Router().certificate_digest == door.router.certificate_digest


async def test_behind_a_proxy(door: Door) -> None:
    """Behind a tunnel, too."""
    door.router.get(URL)
    async with door.open_session() as session:
        right = aiohttp.Fingerprint(door.router.certificate_digest)
        assert 200 == (await session.get(URL, ssl=right, proxy="http://proxy.test:3128")).status
        with pytest.raises(aiohttp.ServerFingerprintMismatch):
            await session.get(URL, ssl=aiohttp.Fingerprint(OTHER), proxy="http://proxy.test:3128")


async def test_without_tls(door: Door) -> None:
    """Where there is no TLS there is nothing to compare."""
    door.router.get("http://a.test/")
    async with door.open_session() as session:
        assert 200 == (await session.get("http://a.test/", ssl=aiohttp.Fingerprint(OTHER))).status


async def test_another_certificate(door: Door) -> None:
    """`TLSFailure("fingerprint")` shows another certificate, whatever was pinned."""
    door.router.get(URL).replies(TLSFailure("fingerprint"), 200)
    right = aiohttp.Fingerprint(door.router.certificate_digest)
    async with door.open_session() as session:
        with pytest.raises(aiohttp.ServerFingerprintMismatch) as caught:
            await session.get(URL, ssl=right)
        assert 200 == (await session.get(URL, ssl=right)).status
    assert door.router.certificate_digest != caught.value.got


def with_aioresponses() -> AbstractAsyncContextManager[Any]:
    stubs = aioresponses()
    stubs.get(URL)
    return stubs


def with_aiointercept() -> AbstractAsyncContextManager[Any]:
    return aiointercept(mock_external_urls=True)


def with_aresponses() -> AbstractAsyncContextManager[Any]:
    return ResponsesMockServer()


async def register(stand_in: Any) -> None:
    """Have a stand-in answer."""
    if isinstance(stand_in, aiointercept):
        stand_in.get(URL)
    elif isinstance(stand_in, ResponsesMockServer):
        stand_in.add("a.test", "/", "get", stand_in.Response())


@pytest.mark.parametrize("opened", [with_aioresponses, with_aiointercept, with_aresponses])
async def test_stand_ins_do_not_compare(
    opened: Callable[[], AbstractAsyncContextManager[Any]],
) -> None:
    """The libraries that are stood in for compare nothing, and their stand-ins neither."""
    async with opened() as stand_in, aiohttp.ClientSession() as session:
        await register(stand_in)
        assert 200 == (await session.get(URL, ssl=aiohttp.Fingerprint(OTHER))).status


async def test_a_mock_in_a_stand_in() -> None:
    """The mock that is asked first says whether fingerprints are compared."""
    with aioresponses(passthrough_unmatched=True), mock() as router:
        router.get(URL).optional()
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ServerFingerprintMismatch):
                await session.get(URL, ssl=aiohttp.Fingerprint(OTHER))
