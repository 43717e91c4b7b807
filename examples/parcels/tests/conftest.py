"""The service under test, its two carriers, and nothing else: no server, no port, no patch to set up.

`aiohttp_mock` answers what the service asks of the carriers. The calls from `api` to the service itself are
to 127.0.0.1 and pass through.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import pytest

# The service is not installed: the example runs in a clone as it stands
sys.path.insert(0, str(Path(__file__).parents[1]))

from parcels import Settings, make_app
from parcels.retry import Backoff

if TYPE_CHECKING:
    from aiohttp import web
    from aiohttp.test_utils import TestClient
    from pytest_aiohttp.plugin import AiohttpClient

    from aiotest_kit import Route, Router


@pytest.fixture
def slept() -> list[float]:
    """The pauses, in seconds, that the service made between its attempts; none of them took any time."""
    return []


@pytest.fixture
def settings(slept: list[float]) -> Settings:
    """Production's settings, with secrets of no value and pauses that are noted instead of slept."""

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    return Settings(
        swiftship_client_id="shop-42",
        swiftship_client_secret="hush",
        postbox_api_key="key-42",
        webhook_secret="between us",
        backoff=Backoff(jitter=0, sleep=sleep),
    )


@pytest.fixture
async def api(
    aiohttp_client: AiohttpClient, aiohttp_mock: Router, settings: Settings
) -> TestClient[web.Request, web.Application]:
    """A customer's client of the running service, who waits five seconds and no longer."""
    return await aiohttp_client(make_app(settings), timeout=aiohttp.ClientTimeout(total=5))


@pytest.fixture
def token(aiohttp_mock: Router) -> Route:
    """SwiftShip's token endpoint; it knows our secret, and gives `token-1`."""
    return (
        aiohttp_mock.post(
            "https://login.swiftship.example/oauth/token",
            form={"grant_type": "client_credentials", "client_id": "shop-42", "client_secret": "hush"},
            name="token",
        )
        .reply(200, json={"access_token": "token-1", "token_type": "Bearer", "expires_in": 3600})
        .optional()
    )


@pytest.fixture
def swiftship(aiohttp_mock: Router, token: Route) -> Router:
    """SwiftShip's API, for those who bring the token; it has no routes yet."""
    return aiohttp_mock.host("https://api.swiftship.example/v2", headers={"Authorization": "Bearer token-1"})


@pytest.fixture
def postbox(aiohttp_mock: Router) -> Router:
    """Postbox's API, for those who bring the key; it has no routes yet."""
    return aiohttp_mock.host("https://postbox.example/api", headers={"X-Api-Key": "key-42"})


@pytest.fixture
def booking() -> dict[str, object]:
    """What a customer sends to book a parcel of 1.2 kg from Amsterdam to Ghent."""
    return {
        "reference": "order-17",
        "weight_grams": 1200,
        "from": {
            "name": "Bike Shop",
            "street": "Prinsengracht 1",
            "city": "Amsterdam",
            "postcode": "1015DK",
            "country": "NL",
        },
        "to": {
            "name": "Ann Peeters",
            "street": "Veldstraat 2",
            "city": "Gent",
            "postcode": "9000",
            "country": "BE",
        },
        "callback_url": "https://shop.example/hooks/parcels",
    }


@pytest.fixture
def book_with_postbox(
    api: TestClient[web.Request, web.Application], aiohttp_mock: Router, swiftship: Router, postbox: Router
) -> Callable[[dict[str, object]], Awaitable[str]]:
    """Books with Postbox and gives the parcel's path; the stubs it takes are gone again afterwards."""

    async def book(booking: dict[str, object]) -> str:
        with aiohttp_mock.scope():
            swiftship.post("/rates").reply(404)
            postbox.get("/quote").reply(200, json={"price_cents": 690})
            postbox.post("/parcels").reply(201, json={"parcel": {"barcode": "PB1"}})
            answer = await api.post("/parcels", json=booking)
            assert answer.status == 201
            return answer.headers["Location"]

    return book


@pytest.fixture
async def parcel(
    book_with_postbox: Callable[[dict[str, object]], Awaitable[str]], booking: dict[str, object]
) -> str:
    """The path of a parcel that Postbox carries as PB1."""
    return await book_with_postbox(booking)
