"""Booking: who is asked what, who gets the parcel, and which bookings are none."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from unittest.mock import ANY

import pytest

from aiotest_kit import Exact, Reply, Request, Subset

if TYPE_CHECKING:
    from aiohttp import web
    from aiohttp.test_utils import TestClient

    from aiotest_kit import Route, Router

    Api = TestClient[web.Request, web.Application]


def rates(*services: tuple[str, str, str]) -> dict[str, object]:
    """SwiftShip's answer: services with amount and currency."""
    return {
        "rates": [{"service": name, "amount": amount, "currency": unit} for name, amount, unit in services]
    }


@pytest.mark.parametrize(
    ("amount", "cents", "carrier", "price"),
    [
        pytest.param("7.90", 690, "postbox", "6.90", id="postbox is cheaper"),
        pytest.param("7.90", 1290, "swiftship", "7.90", id="swiftship is cheaper"),
    ],
)
async def test_the_cheaper_carrier_gets_the_parcel(
    api: Api,
    swiftship: Router,
    postbox: Router,
    booking: dict[str, object],
    amount: str,
    cents: int,
    carrier: str,
    price: str,
) -> None:
    """Both are asked for a price; only the cheaper one is asked to carry."""
    swiftship.post("/rates").reply(200, json=rates(("standard", amount, "EUR")))
    postbox.get("/quote").reply(200, json={"price_cents": cents})
    bookings = {
        "swiftship": swiftship.post("/shipments").reply(201, json={"shipmentId": "N1"}).optional(),
        "postbox": postbox.post("/parcels").reply(201, json={"parcel": {"barcode": "N1"}}).optional(),
    }

    answer = await api.post("/parcels", json=booking)

    assert answer.status == 201
    body = await answer.json()
    assert body == {
        "id": ANY,
        "reference": "order-17",
        "carrier": carrier,
        "number": "N1",
        "price": {"amount": price, "currency": "EUR"},
        "status": "booked",
        "label": f"/parcels/{body['id']}/label",
    }
    assert answer.headers["Location"] == f"/parcels/{body['id']}"
    assert [name for name, route in bookings.items() if route.called] == [carrier]


async def test_swiftship_is_asked_in_its_own_words(
    api: Api, swiftship: Router, postbox: Router, booking: dict[str, object]
) -> None:
    """The quoted service is booked, in kilograms and camelCase, once whatever happens to the answer."""
    postbox.get("/quote").reply(404)
    quoted = swiftship.post("/rates").reply(200, json=rates(("economy", "5.00", "EUR")))
    booked = swiftship.post("/shipments").reply(201, json={"shipmentId": "SW1"})

    answer = await api.post("/parcels", json=booking)

    quoted.assert_called_once_with(
        json={
            "origin": {"postcode": "1015DK", "country": "NL"},
            "destination": {"postcode": "9000", "country": "BE"},
            "weightKg": 1.2,
        }
    )
    booked.assert_called_once_with(
        headers={"Idempotency-Key": (await answer.json())["id"]},
        json=Subset(
            {
                "service": "economy",
                "sender": {"fullName": "Bike Shop"},
                # in a subset everything may have more than is named; what Exact holds may not
                "recipient": Exact(
                    {
                        "fullName": "Ann Peeters",
                        "street": "Veldstraat 2",
                        "city": "Gent",
                        "postcode": "9000",
                        "country": "BE",
                    }
                ),
            }
        ),
    )


async def test_postbox_is_asked_in_its_own_words(
    api: Api, swiftship: Router, postbox: Router, booking: dict[str, object]
) -> None:
    """A quote is a query, a booking an object of address lines; every call brings the key."""
    swiftship.post("/rates").reply(404)
    query = {"from": "NL:1015DK", "to": "BE:9000", "grams": "1200"}
    postbox.get("/quote", query=query).reply(200, json={"price_cents": 690})
    booked = postbox.post("/parcels").reply(201, json={"parcel": {"barcode": "PB1"}})

    answer = await api.post("/parcels", json=booking)

    assert booked.calls.last.request.json() == {
        "parcel": {
            "ref": (await answer.json())["id"],
            "note": "order-17",
            "grams": 1200,
            "from": ["Bike Shop", "Prinsengracht 1", "1015DK Amsterdam", "NL"],
            "to": ["Ann Peeters", "Veldstraat 2", "9000 Gent", "BE"],
        }
    }
    assert booked.calls.last.request.headers["X-Api-Key"] == "key-42"


async def test_the_cheapest_service_in_euro_is_swiftships_price(
    api: Api, swiftship: Router, postbox: Router, booking: dict[str, object]
) -> None:
    """A lower number in another currency is no lower price."""
    postbox.get("/quote").reply(404)
    services = [("express", "15.00", "EUR"), ("economy", "6.10", "EUR"), ("island", "5.00", "GBP")]
    swiftship.post("/rates").reply(200, json=rates(*services))
    swiftship.post("/shipments", json=Subset({"service": "economy"})).reply(201, json={"shipmentId": "SW1"})

    answer = await api.post("/parcels", json=booking)

    assert (await answer.json())["price"] == {"amount": "6.10", "currency": "EUR"}


@pytest.mark.parametrize(("grams", "carrier"), [(500, "postbox"), (5000, "swiftship")])
async def test_the_choice_depends_on_the_weight(
    api: Api, swiftship: Router, postbox: Router, booking: dict[str, object], grams: int, carrier: str
) -> None:
    """Postbox takes 1 cent a gram, SwiftShip 9 euro flat."""

    async def by_weight(request: Request) -> dict[str, object]:
        return {"price_cents": int(request.query["grams"])}

    postbox.get("/quote").reply(by_weight)
    swiftship.post("/rates").reply(200, json=rates(("standard", "9.00", "EUR")))
    swiftship.post("/shipments").reply(201, json={"shipmentId": "SW1"}).optional()
    postbox.post("/parcels").reply(201, json={"parcel": {"barcode": "PB1"}}).optional()

    answer = await api.post("/parcels", json={**booking, "weight_grams": grams})

    assert (await answer.json())["carrier"] == carrier


async def test_both_carriers_are_asked_at_the_same_time(
    api: Api, aiohttp_mock: Router, swiftship: Router, postbox: Router, booking: dict[str, object]
) -> None:
    """Neither quote waits for the other: both are asked before either has answered."""
    quotes = [
        swiftship.post("/rates").reply(200, json=rates(("standard", "7.90", "EUR"))),
        postbox.get("/quote").reply(200, json={"price_cents": 690}),
    ]
    postbox.post("/parcels").reply(201, json={"parcel": {"barcode": "PB1"}})
    gates = [quote.hold() for quote in quotes]

    booking_under_way = asyncio.create_task(api.post("/parcels", json=booking))
    for gate in gates:
        await gate.waiting(1)
    for gate in gates:
        gate.release()

    assert (await booking_under_way).status == 201
    aiohttp_mock.assert_any_call(method="POST", url="https://postbox.example/api/parcels")


@pytest.mark.parametrize("answer_of_the_cheaper", [404, 422, 429, 503])
async def test_a_carrier_that_will_not_loses_the_parcel_to_the_other(
    api: Api, swiftship: Router, postbox: Router, booking: dict[str, object], answer_of_the_cheaper: int
) -> None:
    """A plain no, or "later" to every attempt, means that nothing was booked there."""
    postbox.get("/quote").reply(200, json={"price_cents": 690})
    postbox.post("/parcels").reply(answer_of_the_cheaper)
    swiftship.post("/rates").reply(200, json=rates(("standard", "7.90", "EUR")))
    swiftship.post("/shipments").reply(201, json={"shipmentId": "SW1"})

    answer = await api.post("/parcels", json=booking)

    assert (await answer.json())["carrier"] == "swiftship"


async def test_one_token_serves_bookings_that_come_together(
    api: Api, token: Route, swiftship: Router, postbox: Router, booking: dict[str, object]
) -> None:
    """Five customers wait for one and the same token."""
    postbox.get("/quote").reply(404)
    swiftship.post("/rates").reply(200, json=rates(("standard", "7.90", "EUR")))
    booked = swiftship.post("/shipments").reply(201, json={"shipmentId": "SW1"})
    gate = token.hold()

    bookings = [asyncio.create_task(api.post("/parcels", json=booking)) for _ in range(5)]
    await gate.waiting(1)
    gate.release()

    assert [answer.status for answer in await asyncio.gather(*bookings)] == [201] * 5
    token.assert_called_once()
    assert booked.call_count == 5


async def test_a_token_that_is_refused_is_replaced(
    api: Api,
    aiohttp_mock: Router,
    token: Route,
    swiftship: Router,
    postbox: Router,
    booking: dict[str, object],
) -> None:
    """A 401 costs one new token and one more attempt, and the customer never hears of it."""
    postbox.get("/quote").reply(404)
    token.reply(200, json={"access_token": "token-2", "token_type": "bearer", "expires_in": 3600})
    swiftship.post("/rates").reply(401)
    renewed = aiohttp_mock.host(
        "https://api.swiftship.example/v2", headers={"Authorization": "Bearer token-2"}
    )
    renewed.post("/rates").reply(200, json=rates(("standard", "7.90", "EUR")))
    renewed.post("/shipments").reply(201, json={"shipmentId": "SW1"})

    answer = await api.post("/parcels", json=booking)

    assert answer.status == 201
    assert token.call_count == 2


async def test_a_token_is_not_used_close_to_its_end(
    api: Api, aiohttp_mock: Router, swiftship: Router, postbox: Router, booking: dict[str, object]
) -> None:
    """One that expires in ten seconds is good for the call that fetched it, and for no other."""
    postbox.get("/quote").reply(404)
    swiftship.post("/rates").reply(200, json=rates(("standard", "7.90", "EUR")))
    short = {"access_token": "token-1", "token_type": "Bearer", "expires_in": 10}
    long = {"access_token": "token-2", "token_type": "Bearer", "expires_in": 3600}
    # the newest route that matches wins: this one, not the fixture's
    token = aiohttp_mock.post("https://login.swiftship.example/oauth/token")
    token.replies(Reply(200, json=short), Reply(200, json=long))
    shipments = aiohttp_mock.post("https://api.swiftship.example/v2/shipments")
    shipments.reply(201, json={"shipmentId": "SW1"})

    answer = await api.post("/parcels", json=booking)

    assert answer.status == 201
    shipments.assert_called_once_with(headers={"Authorization": "Bearer token-2"})


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[]", b'"order-17"'])
async def test_a_body_that_is_no_json_object_is_a_400(api: Api, aiohttp_mock: Router, body: bytes) -> None:
    """Nobody is asked anything for it."""
    answer = await api.post("/parcels", data=body)

    assert answer.status == 400
    assert answer.content_type == "application/problem+json"
    aiohttp_mock.assert_not_called()


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        pytest.param({"reference": " "}, ["reference"], id="empty reference"),
        pytest.param({"reference": "x" * 101}, ["reference"], id="long reference"),
        pytest.param({"weight_grams": 0}, ["weight_grams"], id="no weight"),
        pytest.param({"weight_grams": 30_001}, ["weight_grams"], id="too heavy"),
        pytest.param({"weight_grams": True}, ["weight_grams"], id="true is no weight"),
        pytest.param({"callback_url": "http://shop.example"}, ["callback_url"], id="callback without TLS"),
        pytest.param({"callback_url": "https://["}, ["callback_url"], id="half a callback"),
        pytest.param({"callback_url": "/hooks"}, ["callback_url"], id="relative callback"),
        pytest.param(
            {"from": None, "to": {"country": "nl"}},
            ["from", "to.country", "to.name", "to.street", "to.city", "to.postcode"],
            id="everything at once",
        ),
    ],
)
async def test_a_booking_that_is_none_is_a_422_naming_every_field(
    api: Api, aiohttp_mock: Router, booking: dict[str, object], change: dict[str, object], fields: list[str]
) -> None:
    """The customer can mend them all in one go, and no carrier is asked."""
    answer = await api.post("/parcels", json={**booking, **change})

    assert answer.status == 422
    problem = await answer.json(content_type="application/problem+json")
    assert [error["field"] for error in problem["errors"]] == fields
    aiohttp_mock.assert_not_called()
