"""A loop that looks up no names for those who ask in one context."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from aiotest_kit._asyncio.lookups import without_lookups
from tests.support.loops import asyncio_only

uvloop = pytest.importorskip("uvloop")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The hosts for which the system is asked."""
    hosts: list[object] = []

    def getaddrinfo(host: object, port: object, *args: object, **options: object) -> list[object]:
        hosts.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return hosts


@pytest.mark.parametrize(
    ("host", "family", "expected"),
    [
        pytest.param("api.test", 0, (socket.AF_INET, ("192.31.196.1", 80)), id="name"),
        pytest.param("api.test", socket.AF_INET, (socket.AF_INET, ("192.31.196.1", 80)), id="IPv4"),
        pytest.param(
            "api.test", socket.AF_INET6, (socket.AF_INET6, ("2620:4f:8000::1", 80, 0, 0)), id="IPv6"
        ),
        pytest.param("10.0.0.7", 0, (socket.AF_INET, ("10.0.0.7", 80)), id="address"),
        pytest.param(b"::1", 0, (socket.AF_INET6, ("::1", 80, 0, 0)), id="address in bytes"),
    ],
)
async def test_answers(host: Any, family: int, expected: object, asked: list[object]) -> None:
    """A name has a public address that is nobody's; an address stays what it is."""
    loop = asyncio.get_running_loop()
    with without_lookups(loop):
        ((family, kind, _, _, address),) = await loop.getaddrinfo(host, 80, family=family)
    assert expected == (family, address)
    assert socket.SOCK_STREAM == kind
    assert [] == asked


@asyncio_only
async def test_others_are_not_kept_from_asking(asked: list[object]) -> None:
    """Other tasks may look up names meanwhile, and so may everybody when the last block has ended."""
    loop = asyncio.get_running_loop()
    outside: list[asyncio.Task[object]] = []

    async def ask(host: str) -> object:
        return await loop.getaddrinfo(host, 80)

    async def kept(host: str) -> None:
        with without_lookups(loop):
            await asyncio.sleep(0)
            await ask(host)

    tasks = [loop.create_task(kept(f"{number}.test")) for number in range(2)]
    outside.append(loop.create_task(ask("outside.test")))
    await asyncio.gather(*tasks, *outside)
    assert "getaddrinfo" not in vars(loop)
    await ask("later.test")
    assert ["outside.test", "later.test"] == asked


def test_on_uvloop() -> None:
    """A loop of another implementation is silenced too."""

    async def ask() -> object:
        loop = asyncio.get_running_loop()
        with without_lookups(loop):
            return await loop.getaddrinfo("api.test", 80)

    loop = uvloop.new_event_loop()
    try:
        ((_, _, _, _, address),) = loop.run_until_complete(ask())
    finally:
        loop.close()
    assert ("192.31.196.1", 80) == address
