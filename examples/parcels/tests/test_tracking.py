"""Tracking: two carriers' histories, told in one way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp import web
    from aiohttp.test_utils import TestClient

    from aiotest_kit import Router

    Api = TestClient[web.Request, web.Application]


def scan(code: str, time: int = 1714564800) -> dict[str, object]:
    """A scan of Postbox's; the time is noon of 1 May 2024."""
    return {"code": code, "time": time, "depot": "Breda"}


@pytest.fixture
def silent(booking: dict[str, object]) -> dict[str, object]:
    """The booking of a customer who wants no webhook."""
    return {**booking, "callback_url": None}


@pytest.fixture
async def parcel(
    book_with_postbox: Callable[[dict[str, object]], Awaitable[str]], silent: dict[str, object]
) -> str:
    """The path of a parcel that Postbox carries as PB1, whose customer wants no webhook."""
    return await book_with_postbox(silent)


async def test_swiftships_history_is_told_oldest_first(
    api: Api, swiftship: Router, postbox: Router, silent: dict[str, object]
) -> None:
    """SwiftShip sends the newest first, with its own words and offsets."""
    postbox.get("/quote").reply(404)
    rate = {"service": "standard", "amount": "7.90", "currency": "EUR"}
    swiftship.post("/rates").reply(200, json={"rates": [rate]})
    swiftship.post("/shipments").reply(201, json={"shipmentId": "SW1"})
    shipment = swiftship.get("/shipments/{number}").reply(
        200,
        json={
            "history": [
                {"at": "2024-05-01T14:00:00+02:00", "status": "DELIVERY_FAILED", "place": "Gent"},
                {"at": "2024-05-01T08:00:00Z", "status": "IN_TRANSIT", "place": "Breda"},
            ]
        },
    )
    parcel = (await api.post("/parcels", json=silent)).headers["Location"]

    body = await (await api.get(f"{parcel}/tracking")).json()

    assert body["status"] == "failed"
    assert body["events"] == [
        {"at": "2024-05-01T08:00:00+00:00", "status": "in_transit", "place": "Breda"},
        {"at": "2024-05-01T12:00:00+00:00", "status": "failed", "place": "Gent"},
    ]
    assert shipment.calls.one().request.match_info["number"] == "SW1"


@pytest.mark.parametrize(
    ("code", "status"), [("A", "booked"), ("T", "in_transit"), ("D", "delivered"), ("X", "failed")]
)
async def test_postboxs_codes_are_told_in_words(
    api: Api, postbox: Router, parcel: str, code: str, status: str
) -> None:
    """One letter and Unix seconds become a word and a time."""
    postbox.get("/parcels/PB1/scans").reply(200, json={"scans": [scan(code)]})

    body = await (await api.get(f"{parcel}/tracking")).json()

    assert body["status"] == status
    assert body["events"] == [{"at": "2024-05-01T12:00:00+00:00", "status": status, "place": "Breda"}]


async def test_what_was_tracked_is_remembered(api: Api, postbox: Router, parcel: str) -> None:
    """Showing the parcel asks no carrier, and tells what tracking it has learned."""
    scans = postbox.get("/parcels/PB1/scans").reply(200, json={"scans": [scan("T")]})

    before = await (await api.get(parcel)).json()
    await api.get(f"{parcel}/tracking")
    after = await (await api.get(parcel)).json()

    assert (before["status"], after["status"]) == ("booked", "in_transit")
    scans.assert_called_once()


async def test_a_delivered_parcel_is_not_asked_after_again(api: Api, postbox: Router, parcel: str) -> None:
    """Delivered is final: the second answer is from memory, and the same."""
    scans = postbox.get("/parcels/PB1/scans").reply(200, json={"scans": [scan("T"), scan("D")]})

    first = await (await api.get(f"{parcel}/tracking")).json()
    second = await (await api.get(f"{parcel}/tracking")).json()

    assert first == second
    scans.assert_called_once()


async def test_a_late_answer_does_not_undo_a_newer_one(api: Api, postbox: Router, parcel: str) -> None:
    """A carrier's stale replica, which has seen less, changes nothing."""
    scans = postbox.get("/parcels/PB1/scans")
    scans.reply(200, json={"scans": [scan("A"), scan("T")]}).reply(200, json={"scans": [scan("A")]})

    await api.get(f"{parcel}/tracking")
    body = await (await api.get(f"{parcel}/tracking")).json()

    assert body["status"] == "in_transit"
    assert len(body["events"]) == 2


@pytest.mark.parametrize("path", ["/parcels/none", "/parcels/none/tracking", "/parcels/none/label"])
async def test_an_unknown_parcel_is_a_404(api: Api, aiohttp_mock: Router, path: str) -> None:
    """No carrier is asked for what we have not booked."""
    answer = await api.get(path)

    assert answer.status == 404
    assert (await answer.json(content_type="application/problem+json"))["title"] == "Unknown parcel"
    aiohttp_mock.assert_not_called()
