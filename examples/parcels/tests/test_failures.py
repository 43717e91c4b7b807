"""Failures: what is tried again, after how long, and what the customer is told in the end."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import TYPE_CHECKING

import aiohttp
import pytest

from aiotest_kit import Reply, Request

if TYPE_CHECKING:
    from aiohttp import web
    from aiohttp.test_utils import TestClient
    from parcels import Settings

    from aiotest_kit import Route, Router

    Api = TestClient[web.Request, web.Application]

NO_SCANS: dict[str, object] = {"scans": []}


@pytest.fixture
def scans(postbox: Router, parcel: str) -> Route:
    """Postbox's tracking of the parcel, still without an answer: one plain call to try failures on."""
    return postbox.get("/parcels/PB1/scans", name="scans")


async def told(answer: aiohttp.ClientResponse) -> tuple[int, str, str]:
    """What the customer is told: status, title and detail of a problem."""
    problem = await answer.json(content_type="application/problem+json")
    assert problem["status"] == answer.status
    return answer.status, problem["title"], problem["detail"]


async def test_pauses_between_attempts_double(
    api: Api, scans: Route, parcel: str, slept: list[float]
) -> None:
    """Two bad answers cost 0.2 and 0.4 seconds, and the customer sees none of them."""
    scans.reply(503, times=2).reply(200, json=NO_SCANS)

    answer = await api.get(f"{parcel}/tracking")

    assert answer.status == 200
    assert scans.call_count == 3
    assert slept == [0.2, 0.4]


@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_in_seconds_is_honoured(
    api: Api, scans: Route, parcel: str, slept: list[float], status: int
) -> None:
    """The carrier's own wish replaces our pause."""
    scans.reply(status, headers={"Retry-After": "7"}).reply(200, json=NO_SCANS)

    assert (await api.get(f"{parcel}/tracking")).status == 200
    assert slept == [7.0]


async def test_retry_after_as_a_date_is_honoured(
    api: Api, scans: Route, parcel: str, slept: list[float]
) -> None:
    """An HTTP date is as good as a number of seconds."""

    async def later(request: Request) -> Reply:
        moment = datetime.now(timezone.utc) + timedelta(seconds=8)
        return Reply(503, headers={"Retry-After": format_datetime(moment, usegmt=True)})

    scans.reply(later).reply(200, json=NO_SCANS)

    assert (await api.get(f"{parcel}/tracking")).status == 200
    assert slept == [pytest.approx(7.5, abs=0.6)]  # a date has whole seconds


@pytest.mark.parametrize("wish", ["soon", "-1", "Wed, 99 Foo 2024"])
async def test_a_retry_after_that_nobody_can_read_is_ignored(
    api: Api, scans: Route, parcel: str, slept: list[float], wish: str
) -> None:
    """What is neither a number of seconds nor a date leaves us our own pause."""
    scans.reply(503, headers={"Retry-After": wish}).reply(200, json=NO_SCANS)

    assert (await api.get(f"{parcel}/tracking")).status == 200
    assert slept == [0.2]


async def test_a_retry_after_beyond_our_patience_ends_it_at_once(
    api: Api, scans: Route, parcel: str, slept: list[float]
) -> None:
    """No customer waits for an hour."""
    scans.reply(503, headers={"Retry-After": "3600"})

    assert await told(await api.get(f"{parcel}/tracking")) == (
        502,
        "Carrier unavailable",
        "postbox is busy (answered 503)",
    )
    scans.assert_called_once()
    assert slept == []


@pytest.mark.parametrize(
    "lost",
    [
        aiohttp.ServerDisconnectedError(),
        aiohttp.ClientOSError(104, "Connection reset by peer"),
        aiohttp.ClientConnectionError("down"),
    ],
    ids=lambda lost: type(lost).__name__,
)
async def test_a_lost_connection_is_tried_again(
    api: Api, scans: Route, parcel: str, slept: list[float], lost: Exception
) -> None:
    """However it was lost, one loss costs one pause."""
    scans.reply(lost).reply(200, json=NO_SCANS)

    assert (await api.get(f"{parcel}/tracking")).status == 200
    assert slept == [0.2]
    assert [type(call.exception) for call in scans.calls] == [type(lost), type(None)]


async def test_a_connection_that_is_always_lost_is_a_502(api: Api, scans: Route, parcel: str) -> None:
    """Three attempts are all a customer waits for."""
    scans.reply(aiohttp.ServerDisconnectedError())

    assert await told(await api.get(f"{parcel}/tracking")) == (
        502,
        "Carrier unavailable",
        "postbox could not be asked (ServerDisconnectedError)",
    )
    assert scans.call_count == 3


async def test_a_timeout_is_a_504_and_not_tried_again(api: Api, scans: Route, parcel: str) -> None:
    """Who has waited once for nothing does not wait again."""
    scans.reply(aiohttp.ServerTimeoutError("slow"))

    assert await told(await api.get(f"{parcel}/tracking")) == (
        504,
        "Carrier timed out",
        "postbox did not answer in time",
    )
    scans.assert_called_once()


class TestInAHurry:
    """A deployment that gives a carrier 50 milliseconds."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        """Production's, with a short timeout."""
        return replace(settings, timeout=0.05)

    async def test_the_timeout_is_the_settings(self, api: Api, scans: Route, parcel: str) -> None:
        """An answer that takes half a minute comes too late; the client's own timeout ends the wait."""
        scans.reply(200, json=NO_SCANS, delay=30)

        answer = await api.get(f"{parcel}/tracking")

        assert answer.status == 504
        client = scans.calls.one().client
        assert client is not None
        assert client.timeout.total == 0.05


@pytest.mark.parametrize(
    "nonsense",
    [
        pytest.param(Reply(200, html="<h1>Welcome</h1>"), id="a web page"),
        pytest.param(Reply(200, body=b"{", content_type="application/json"), id="half an object"),
        pytest.param(Reply(200, json=[]), id="a list"),
        pytest.param(Reply(200, json={"scans": {}}), id="a member of another type"),
        pytest.param(Reply(200, json={"scans": [{"code": "T"}]}), id="a missing member"),
        pytest.param(
            Reply(200, json={"scans": [{"code": "?", "time": 0, "depot": ""}]}), id="an unknown code"
        ),
        pytest.param(Reply(500, json=NO_SCANS), id="a 500"),
        pytest.param(Reply(403), id="a refused key"),
    ],
)
async def test_an_answer_that_nobody_can_use_is_a_502(
    api: Api, scans: Route, parcel: str, nonsense: Reply, slept: list[float]
) -> None:
    """It is the carrier's fault, and asking again would not mend it."""
    scans.reply(nonsense)

    status, title, _ = await told(await api.get(f"{parcel}/tracking"))

    assert (status, title) == (502, "Carrier unavailable")
    scans.assert_called_once()
    assert slept == []


@pytest.mark.parametrize(
    "rates",
    [
        pytest.param([], id="none"),
        pytest.param([{"service": "island", "amount": "5.00", "currency": "GBP"}], id="none in euro"),
        pytest.param([{"service": "standard", "amount": "cheap", "currency": "EUR"}], id="no amount"),
    ],
)
async def test_a_price_that_nobody_can_use_is_a_502(
    api: Api, swiftship: Router, postbox: Router, booking: dict[str, object], rates: list[dict[str, str]]
) -> None:
    """Nothing is booked at a price that we would have to guess."""
    postbox.get("/quote").reply(404)
    swiftship.post("/rates").reply(200, json={"rates": rates})

    status, _, detail = await told(await api.post("/parcels", json=booking))

    assert status == 502
    assert detail.startswith("swiftship answered what we cannot read")


async def test_one_carrier_down_leaves_the_other(
    api: Api, swiftship: Router, postbox: Router, booking: dict[str, object]
) -> None:
    """A quote that cannot be had is no reason not to book elsewhere."""
    swiftship.post("/rates").reply(aiohttp.ServerDisconnectedError())
    postbox.get("/quote").reply(200, json={"price_cents": 690})
    postbox.post("/parcels").reply(201, json={"parcel": {"barcode": "PB1"}})

    answer = await api.post("/parcels", json=booking)

    assert answer.status == 201
    assert (await answer.json())["carrier"] == "postbox"


@pytest.mark.parametrize(
    ("swiftships", "postboxs", "expected"),
    [
        pytest.param(Reply(404), Reply(422), (422, "Carrier refused"), id="both refuse"),
        pytest.param(Reply(404), Reply(503), (502, "Carrier unavailable"), id="one refuses, one is busy"),
        pytest.param(Reply(500), Reply(404), (502, "Carrier unavailable"), id="one fails, one refuses"),
        pytest.param(
            aiohttp.ServerTimeoutError,
            aiohttp.ServerTimeoutError,
            (504, "Carrier timed out"),
            id="both are slow",
        ),
    ],
)
async def test_without_any_quote_the_customer_learns_why(
    api: Api,
    swiftship: Router,
    postbox: Router,
    booking: dict[str, object],
    swiftships: Reply | type[Exception],
    postboxs: Reply | type[Exception],
    expected: tuple[int, str],
) -> None:
    """A refusal is final, so it is told only when nobody was merely down."""
    swiftship.post("/rates").reply(swiftships)
    postbox.get("/quote").reply(postboxs)

    status, title, _ = await told(await api.post("/parcels", json=booking))

    assert (status, title) == expected


@pytest.mark.parametrize(
    ("lost", "status"), [(aiohttp.ServerDisconnectedError, 502), (aiohttp.ServerTimeoutError, 504)]
)
async def test_a_booking_of_unknown_outcome_is_not_made_twice(
    api: Api,
    swiftship: Router,
    postbox: Router,
    booking: dict[str, object],
    lost: type[Exception],
    status: int,
) -> None:
    """The cheaper carrier may have booked before it was lost, so the other one is not asked to."""
    postbox.get("/quote").reply(200, json={"price_cents": 690})
    postbox.post("/parcels").reply(lost)
    rate = {"service": "standard", "amount": "7.90", "currency": "EUR"}
    swiftship.post("/rates").reply(200, json={"rates": [rate]})
    shipments = swiftship.post("/shipments").reply(201, json={"shipmentId": "SW1"}).optional()

    answer = await api.post("/parcels", json=booking)

    assert answer.status == status
    shipments.assert_not_called()


async def test_a_booking_that_is_repeated_keeps_its_key(
    api: Api, swiftship: Router, postbox: Router, booking: dict[str, object]
) -> None:
    """The carrier can tell our second attempt from a second parcel."""
    postbox.get("/quote").reply(404)
    rate = {"service": "standard", "amount": "7.90", "currency": "EUR"}
    swiftship.post("/rates").reply(200, json={"rates": [rate]})
    shipments = swiftship.post("/shipments")
    shipments.reply(aiohttp.ServerDisconnectedError()).reply(201, json={"shipmentId": "SW1"})

    key = (await (await api.post("/parcels", json=booking)).json())["id"]

    shipments.assert_calls([{"headers": {"Idempotency-Key": key}}] * 2, in_order=True)


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        pytest.param(Reply(401), "swiftship could not be asked (ClientResponseError)", id="a wrong secret"),
        pytest.param(
            Reply(200, json={"access_token": "t", "token_type": "mac", "expires_in": 60}),
            "swiftship answered what we cannot read (token_type is 'mac', expected 'Bearer')",
            id="a token of another kind",
        ),
    ],
)
async def test_without_a_token_the_carrier_is_unavailable(
    api: Api, aiohttp_mock: Router, postbox: Router, booking: dict[str, object], answer: Reply, detail: str
) -> None:
    """What the customer is told names the carrier, and none of our secrets."""
    postbox.get("/quote").reply(404)
    aiohttp_mock.post("https://login.swiftship.example/oauth/token").reply(answer)

    assert await told(await api.post("/parcels", json=booking)) == (502, "Carrier unavailable", detail)


async def test_a_token_that_is_always_refused_is_replaced_once(
    api: Api, token: Route, swiftship: Router, postbox: Router, booking: dict[str, object]
) -> None:
    """Two tokens refused are our own trouble: no third is fetched."""
    postbox.get("/quote").reply(404)
    refused = swiftship.post("/rates").reply(401)

    status, _, detail = await told(await api.post("/parcels", json=booking))

    assert (status, detail) == (502, "swiftship does not accept our credentials (answered 401)")
    assert (token.call_count, refused.call_count) == (2, 2)


async def test_a_wrong_method_is_a_problem_too(api: Api) -> None:
    """aiohttp's own errors come in the same dress, with the header that belongs to them."""
    answer = await api.delete("/parcels")

    assert await told(answer) == (405, "Method Not Allowed", "405: Method Not Allowed")
    assert answer.headers["Allow"] == "POST"
