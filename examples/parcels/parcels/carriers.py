"""The two carriers' dialects: our words in, their JSON out, and back.

Knows nothing of retries and status codes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal, InvalidOperation
from typing import Protocol

import aiohttp

from parcels.line import Ask, Line, blaming
from parcels.model import Address, Booking, Event, Quote, Status
from parcels.shapes import ShapeError, instant, member


@dataclass(frozen=True, slots=True)
class Label:
    """A label on its way. `length` in bytes is None when the carrier does not say."""

    content_type: str
    length: int | None
    chunks: AsyncIterator[bytes]


class Carrier(Protocol):
    """What we need of a carrier. Every method raises `CarrierError`."""

    @property
    def name(self) -> str:
        """Unique among the carriers; customers see it."""

    async def quote(self, booking: Booking) -> Quote:
        """What it would cost; nothing is booked."""

    async def book(self, booking: Booking, quote: Quote, *, key: str) -> str:
        """Books, and gives the carrier's number; the same `key` again books nothing new."""

    async def track(self, number: str) -> tuple[Event, ...]:
        """Everything that has happened so far, oldest first."""

    def label(self, number: str) -> AbstractAsyncContextManager[Label]:
        """The label, not yet read; whoever opens it holds a connection until the end of the block."""


@dataclass(frozen=True, slots=True)
class SwiftShip:
    """SwiftShip v2: camelCase, prices as decimal strings, times in RFC 3339, an `Idempotency-Key` header."""

    line: Line
    label_timeout: aiohttp.ClientTimeout

    @property
    def name(self) -> str:
        """`swiftship`."""
        return self.line.carrier

    async def quote(self, booking: Booking) -> Quote:
        """Its cheapest service in euro."""
        ask = {
            "origin": {"postcode": booking.sender.postcode, "country": booking.sender.country},
            "destination": {"postcode": booking.recipient.postcode, "country": booking.recipient.country},
            "weightKg": booking.grams / 1000,
        }
        answer = await self.line.json(Ask(method="POST", path="rates", json=ask))
        with blaming(self.name):
            rates = [
                Quote(self.name, member(rate, "service", of=str), _cents(member(rate, "amount", of=str)))
                for rate in member(answer, "rates", of=list)
                if member(rate, "currency", of=str) == "EUR"
            ]
            if not rates:
                raise ShapeError("no rate in EUR")
            return min(rates, key=lambda rate: rate.cents)

    async def book(self, booking: Booking, quote: Quote, *, key: str) -> str:
        """Books the quoted service."""
        ask = {
            "service": quote.service,
            "reference": booking.reference,
            "weightKg": booking.grams / 1000,
            "sender": self._address(booking.sender),
            "recipient": self._address(booking.recipient),
        }
        headers = {"Idempotency-Key": key}
        answer = await self.line.json(Ask(method="POST", path="shipments", json=ask, headers=headers))
        with blaming(self.name):
            return member(answer, "shipmentId", of=str)

    async def track(self, number: str) -> tuple[Event, ...]:
        """The shipment's history, which SwiftShip sends newest first."""
        answer = await self.line.json(Ask(method="GET", path=f"shipments/{number}"))
        with blaming(self.name):
            return tuple(self._event(entry) for entry in reversed(member(answer, "history", of=list)))

    def label(self, number: str) -> AbstractAsyncContextManager[Label]:
        """The shipment's PDF."""
        return _label(self.line, f"shipments/{number}/label", self.label_timeout)

    @staticmethod
    def _address(address: Address) -> dict[str, str]:
        return {
            "fullName": address.name,
            "street": address.street,
            "city": address.city,
            "postcode": address.postcode,
            "country": address.country,
        }

    @staticmethod
    def _event(entry: object) -> Event:
        statuses = {
            "CREATED": Status.BOOKED,
            "IN_TRANSIT": Status.IN_TRANSIT,
            "DELIVERED": Status.DELIVERED,
            "DELIVERY_FAILED": Status.FAILED,
        }
        return Event(
            instant(member(entry, "at", of=str)),
            _translate(statuses, member(entry, "status", of=str)),
            member(entry, "place", of=str),
        )


@dataclass(frozen=True, slots=True)
class Postbox:
    """Postbox: one-letter codes, prices in cents, times in Unix seconds, idempotent by our `ref`."""

    line: Line
    label_timeout: aiohttp.ClientTimeout

    @property
    def name(self) -> str:
        """`postbox`."""
        return self.line.carrier

    async def quote(self, booking: Booking) -> Quote:
        """Its one price for that weight and route."""
        query = {
            "from": f"{booking.sender.country}:{booking.sender.postcode}",
            "to": f"{booking.recipient.country}:{booking.recipient.postcode}",
            "grams": str(booking.grams),
        }
        answer = await self.line.json(Ask(method="GET", path="quote", query=query))
        with blaming(self.name):
            return Quote(self.name, "parcel", member(answer, "price_cents", of=int))

    async def book(self, booking: Booking, quote: Quote, *, key: str) -> str:
        """Books; the key goes into `ref`, the customer's own reference into `note`."""
        parcel = {
            "ref": key,
            "note": booking.reference,
            "grams": booking.grams,
            "from": self._lines(booking.sender),
            "to": self._lines(booking.recipient),
        }
        answer = await self.line.json(Ask(method="POST", path="parcels", json={"parcel": parcel}))
        with blaming(self.name):
            return member(answer, "parcel", "barcode", of=str)

    async def track(self, number: str) -> tuple[Event, ...]:
        """The parcel's scans."""
        answer = await self.line.json(Ask(method="GET", path=f"parcels/{number}/scans"))
        with blaming(self.name):
            return tuple(self._event(scan) for scan in member(answer, "scans", of=list))

    def label(self, number: str) -> AbstractAsyncContextManager[Label]:
        """The barcode's PDF."""
        return _label(self.line, f"labels/{number}.pdf", self.label_timeout)

    @staticmethod
    def _lines(address: Address) -> list[str]:
        return [address.name, address.street, f"{address.postcode} {address.city}", address.country]

    @staticmethod
    def _event(scan: object) -> Event:
        codes = {"A": Status.BOOKED, "T": Status.IN_TRANSIT, "D": Status.DELIVERED, "X": Status.FAILED}
        return Event(
            datetime.fromtimestamp(member(scan, "time", of=int), timezone.utc),
            _translate(codes, member(scan, "code", of=str)),
            member(scan, "depot", of=str),
        )


def _translate(words: dict[str, Status], word: str) -> Status:
    if word not in words:
        raise ShapeError(f"unknown status {word!r}")
    return words[word]


def _cents(amount: str) -> int:
    try:
        return int(Decimal(amount) * 100)
    except InvalidOperation:
        raise ShapeError(f"{amount!r} is not an amount") from None


@asynccontextmanager
async def _label(line: Line, path: str, timeout: aiohttp.ClientTimeout) -> AsyncIterator[Label]:
    # identity: a Content-Length must count the bytes that we pass on, and aiohttp would decompress them
    ask = Ask(method="GET", path=path, headers={"Accept-Encoding": "identity"}, timeout=timeout)
    async with line.open(ask) as response:
        yield Label(response.content_type, response.content_length, _chunks(line.carrier, response))


async def _chunks(carrier: str, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    with blaming(carrier):
        async for chunk in response.content.iter_any():
            yield chunk
