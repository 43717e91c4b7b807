"""Webhooks: signed, sent in the background, tried again, and never in the way."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from dataclasses import replace
from typing import TYPE_CHECKING

import aiohttp
import pytest

from aiotest_kit import Subset

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp import web
    from aiohttp.test_utils import TestClient
    from parcels import Settings

    from aiotest_kit import Route, Router

    Api = TestClient[web.Request, web.Application]


@pytest.fixture
def shop(aiohttp_mock: Router) -> Route:
    """The customer's callback URL, still without an answer."""
    return aiohttp_mock.post("https://shop.example/hooks/parcels", name="the shop's webhook")


@pytest.fixture
def scans(postbox: Router, parcel: str) -> Route:
    """Postbox's tracking of the parcel: it is on its way."""
    scan = {"code": "T", "time": 1714564800, "depot": "Breda"}
    return postbox.get("/parcels/PB1/scans").reply(200, json={"scans": [scan]})


async def test_a_new_status_is_told_to_the_customer_signed(
    api: Api, scans: Route, shop: Route, parcel: str
) -> None:
    """The signature is over the very bytes that were sent, and their time."""
    shop.reply(204)

    await api.get(f"{parcel}/tracking")
    [call] = await shop.wait(n=1, timeout=1)

    assert call.request.json() == {
        "event": "parcel.status",
        "parcel": parcel.split("/")[2],
        "reference": "order-17",
        "previous": "booked",
        "status": "in_transit",
    }
    signed = call.request.headers["X-Parcels-Timestamp"].encode() + b"." + call.request.body
    expected = hmac.new(b"between us", signed, hashlib.sha256).hexdigest()
    assert call.request.headers["X-Parcels-Signature"] == expected


async def test_the_customer_who_tracks_does_not_wait_for_the_webhook(
    api: Api, scans: Route, shop: Route, parcel: str
) -> None:
    """Tracking answers while the customer's endpoint still thinks."""
    shop.reply(204)
    gate = shop.hold()

    answer = await api.get(f"{parcel}/tracking")
    await gate.waiting(1)

    assert (await answer.json())["status"] == "in_transit"
    gate.release()


async def test_each_status_is_told_once(
    api: Api, postbox: Router, scans: Route, shop: Route, parcel: str
) -> None:
    """Two that track at the same time hear the same news; the customer hears it once."""
    shop.reply(204)
    gate = scans.hold()

    tracking = [asyncio.create_task(api.get(f"{parcel}/tracking")) for _ in range(2)]
    await gate.waiting(2)
    gate.release()

    assert [(await (await answer).json())["status"] for answer in tracking] == ["in_transit"] * 2
    await api.close()  # ends when all webhooks have
    shop.assert_called_once_with(json=Subset({"status": "in_transit"}))


async def test_every_further_status_is_told_too(
    api: Api, postbox: Router, scans: Route, shop: Route, parcel: str
) -> None:
    """Two changes, two webhooks, each saying from where to where; more of the same is no news."""
    shop.reply(204)
    way = [{"code": code, "time": 1714564800, "depot": "Gent"} for code in "TTD"]

    await api.get(f"{parcel}/tracking")
    postbox.get("/parcels/PB1/scans").reply(200, json={"scans": way[:2]}).reply(200, json={"scans": way})
    await api.get(f"{parcel}/tracking")
    await api.get(f"{parcel}/tracking")
    await api.close()

    told = [(call.request.json()["previous"], call.request.json()["status"]) for call in shop.calls]
    assert sorted(told) == [("booked", "in_transit"), ("in_transit", "delivered")]


async def test_without_a_callback_url_nobody_is_told(
    api: Api,
    aiohttp_mock: Router,
    postbox: Router,
    book_with_postbox: Callable[[dict[str, object]], Awaitable[str]],
    booking: dict[str, object],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A webhook to anywhere would fail this test: nothing answers it."""
    parcel = await book_with_postbox({**booking, "callback_url": None})
    scan = {"code": "D", "time": 1714564800, "depot": "Gent"}
    postbox.get("/parcels/PB1/scans").reply(200, json={"scans": [scan]})

    answer = await api.get(f"{parcel}/tracking")
    await api.close()

    assert answer.status == 200
    assert aiohttp_mock.calls.last.request.url.path == "/api/parcels/PB1/scans"
    assert "webhook" not in caplog.text


async def test_a_webhook_is_tried_again(
    api: Api, scans: Route, shop: Route, parcel: str, slept: list[float]
) -> None:
    """A customer's bad minute, of two kinds, costs a second attempt and a third, of the same message."""
    shop.reply(aiohttp.ServerDisconnectedError()).reply(503).reply(204)

    await api.get(f"{parcel}/tracking")
    calls = await shop.wait(n=3, timeout=1)

    assert slept == [0.2, 0.4]
    assert len({call.request.body for call in calls}) == 1


async def test_a_webhook_that_is_refused_is_not_tried_again(
    api: Api, scans: Route, shop: Route, parcel: str, caplog: pytest.LogCaptureFixture
) -> None:
    """410 is an answer: it goes to the log, and nowhere else."""
    shop.reply(410)

    assert (await api.get(f"{parcel}/tracking")).status == 200
    await api.close()

    shop.assert_called_once()
    assert "customer answered 410" in caplog.text


async def test_a_webhook_follows_no_redirect(
    api: Api, scans: Route, shop: Route, parcel: str, caplog: pytest.LogCaptureFixture
) -> None:
    """What is signed for the shop goes to the shop; a call to the other host would fail this test."""
    shop.redirect("https://elsewhere.example/", status=307)

    await api.get(f"{parcel}/tracking")
    await api.close()

    shop.assert_called_once()
    assert "customer answered 307" in caplog.text


async def test_shutting_down_lets_webhooks_under_way_end(
    api: Api, scans: Route, shop: Route, parcel: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The customer takes a moment to answer; the app stops, but not in the middle of it."""
    shop.reply(204, delay=0.02)

    await api.get(f"{parcel}/tracking")
    await shop.wait(n=1, timeout=1)
    await api.close()

    assert shop.calls.one().reply is not None
    assert "webhook" not in caplog.text


class TestWithoutGrace:
    """A deployment that must be gone at once."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        """No time at all for webhooks at shutdown."""
        return replace(settings, webhook_grace=0)

    async def test_shutting_down_gives_up_a_webhook_that_hangs(
        self, api: Api, scans: Route, shop: Route, parcel: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A customer who never answers does not keep the app from stopping."""
        shop.reply(204)
        gate = shop.hold()

        await api.get(f"{parcel}/tracking")
        await gate.waiting(1)
        await asyncio.wait_for(api.close(), timeout=5)

        assert "webhook given up at shutdown" in caplog.text
