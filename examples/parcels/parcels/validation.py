"""Turns a customer's JSON into a `Booking`, or says everything that is wrong with it at once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from yarl import URL

from parcels.model import Address, Booking

HEAVIEST_GRAMS = 30_000
LONGEST_TEXT = 100


class Malformed(ValueError):
    """The body is no JSON object at all."""


class Invalid(ValueError):
    """The body is a JSON object, but no booking. `errors` are pairs of field and message, in order."""

    def __init__(self, errors: Sequence[tuple[str, str]]) -> None:
        super().__init__(f"{len(errors)} invalid field{'s' if len(errors) > 1 else ''}")
        self.errors = errors


def read_booking(body: object) -> Booking:
    """The booking that a decoded body describes.

    Raises:
        Malformed: the body is not an object.
        Invalid: it lacks something, or something is wrong.
    """
    if not isinstance(body, dict):
        raise Malformed("the body must be a JSON object")
    form = _Form()
    booking = Booking(
        reference=form.text(body, "reference"),
        sender=form.address(body, "from"),
        recipient=form.address(body, "to"),
        grams=form.grams(body, "weight_grams"),
        callback_url=form.callback(body, "callback_url"),
    )
    if form.errors:
        raise Invalid(form.errors)
    return booking


class _Form:
    """Reads fields and notes what is wrong; what a wrong field reads as does not matter."""

    def __init__(self) -> None:
        self.errors: list[tuple[str, str]] = []

    def text(self, data: Mapping[str, object], name: str, prefix: str = "") -> str:
        value = data.get(name)
        if not isinstance(value, str) or not value.strip() or len(value) > LONGEST_TEXT:
            self.errors.append((prefix + name, f"must be a text of 1 to {LONGEST_TEXT} characters"))
            return ""
        return value.strip()

    def address(self, data: Mapping[str, object], name: str) -> Address:
        value = data.get(name)
        if not isinstance(value, dict):
            self.errors.append((name, "must be an address object"))
            return Address(name="", street="", city="", postcode="", country="")
        prefix = f"{name}."
        country = self.text(value, "country", prefix)
        if country and not re.fullmatch("[A-Z]{2}", country):
            self.errors.append((prefix + "country", "must be two capital letters (ISO 3166)"))
        return Address(
            name=self.text(value, "name", prefix),
            street=self.text(value, "street", prefix),
            city=self.text(value, "city", prefix),
            postcode=self.text(value, "postcode", prefix),
            country=country,
        )

    def grams(self, data: Mapping[str, object], name: str) -> int:
        value = data.get(name)
        # bool is an int to Python, and true is no weight
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= HEAVIEST_GRAMS:
            self.errors.append((name, f"must be a whole number from 1 to {HEAVIEST_GRAMS}"))
            return 0
        return value

    def callback(self, data: Mapping[str, object], name: str) -> str | None:
        value = data.get(name)
        if value is None:
            return None
        if isinstance(value, str):
            try:
                url = URL(value)
            except ValueError:
                pass
            else:
                if url.scheme == "https" and url.host:
                    return value
        self.errors.append((name, "must be an absolute https URL"))
        return None
