"""What a parcel is, whoever carries it. Knows nothing of HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum


class Status(str, Enum):
    """How far a parcel has come, in the words our customers see."""

    BOOKED = "booked"
    IN_TRANSIT = "in_transit"
    DELIVERED = "delivered"
    FAILED = "failed"

    @property
    def final(self) -> bool:
        """Whether no carrier will change it any more; a failed delivery is tried again, so it is not."""
        return self is Status.DELIVERED


@dataclass(frozen=True, slots=True)
class Address:
    """Where a parcel comes from or goes to; `country` is ISO 3166 alpha-2, upper case."""

    name: str
    street: str
    city: str
    postcode: str
    country: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """What a customer asked for, already validated."""

    reference: str
    sender: Address
    recipient: Address
    grams: int
    callback_url: str | None


@dataclass(frozen=True, slots=True)
class Quote:
    """What one carrier would do it for, in euro cents. `service` is its own name for the product."""

    carrier: str
    service: str
    cents: int


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a parcel, with its time in UTC."""

    at: datetime
    status: Status
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A booked parcel as we last knew it. `number` is the carrier's, `id` is ours."""

    id: str
    booking: Booking
    quote: Quote
    number: str
    status: Status = Status.BOOKED
    events: tuple[Event, ...] = ()
