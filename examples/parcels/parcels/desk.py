"""Cheapest carrier first, and the parcels we know. Knows nothing of HTTP."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

from parcels.carriers import Carrier, Label
from parcels.line import CarrierBusy, CarrierError, CarrierRefused
from parcels.model import Booking, Event, Parcel, Quote
from parcels.webhooks import Webhooks


class UnknownParcel(LookupError):
    """No parcel has that id."""


class Desk:
    """Books, tracks and fetches labels.

    Parcels are kept in memory: a database is not what this service is about.
    """

    def __init__(self, carriers: Sequence[Carrier], webhooks: Webhooks) -> None:
        self._carriers = {carrier.name: carrier for carrier in carriers}
        self._webhooks = webhooks
        self._parcels: dict[str, Parcel] = {}

    async def book(self, booking: Booking) -> Parcel:
        """The parcel, booked with the cheapest carrier that takes it.

        A carrier that says no, or "later", loses it to the next one. One that fails in any other way may have
        booked, so the customer gets the error and not, perhaps, two parcels.

        Raises:
            CarrierError: no carrier took it.
        """
        parcel_id = uuid.uuid4().hex
        quotes, errors = await self._quotes(booking)
        for quote in quotes:
            number = await self._offer(booking, quote, key=parcel_id)
            if isinstance(number, CarrierError):
                errors.append(number)
                continue
            parcel = Parcel(id=parcel_id, booking=booking, quote=quote, number=number)
            self._parcels[parcel_id] = parcel
            return parcel
        # "refused" is told only if all of them refused: while one of them is merely down, later may do
        raise min(errors, key=lambda error: isinstance(error, CarrierRefused))

    def find(self, parcel_id: str) -> Parcel:
        """The parcel as we last knew it.

        Raises:
            UnknownParcel: there is none.
        """
        try:
            return self._parcels[parcel_id]
        except KeyError:
            raise UnknownParcel(f"no parcel {parcel_id!r}") from None

    async def track(self, parcel_id: str) -> Parcel:
        """The parcel as its carrier knows it now; its customer is told if that is news.

        Raises:
            UnknownParcel: there is none.
            CarrierError: the carrier could not tell.
        """
        parcel = self.find(parcel_id)
        if parcel.status.final:
            return parcel
        return self._update(parcel_id, await self._carriers[parcel.quote.carrier].track(parcel.number))

    def label(self, parcel_id: str) -> AbstractAsyncContextManager[Label]:
        """The parcel's label, not yet read. Raises as `track` does."""
        parcel = self.find(parcel_id)
        return self._carriers[parcel.quote.carrier].label(parcel.number)

    async def _offer(self, booking: Booking, quote: Quote, *, key: str) -> str | CarrierError:
        """The carrier's number, or why it has surely booked nothing."""
        try:
            return await self._carriers[quote.carrier].book(booking, quote, key=key)
        except (CarrierRefused, CarrierBusy) as error:
            return error

    def _update(self, parcel_id: str, events: tuple[Event, ...]) -> Parcel:
        # synchronous, so that of two requests that hear the same news only one tells the customer
        before = self._parcels[parcel_id]
        if len(events) <= len(before.events):  # nothing new, or an answer that was overtaken by a later one
            return before
        after = replace(before, events=events, status=events[-1].status)
        self._parcels[parcel_id] = after
        if after.status is not before.status:
            self._webhooks.send(after, previous=before.status)
        return after

    async def _quotes(self, booking: Booking) -> tuple[list[Quote], list[CarrierError]]:
        """What the carriers, all asked at once, would do it for, cheapest first; and why others would not."""

        async def ask(carrier: Carrier) -> Quote | CarrierError:
            try:
                return await carrier.quote(booking)
            except CarrierError as error:
                return error

        answers = await asyncio.gather(*map(ask, self._carriers.values()))
        quotes = [answer for answer in answers if isinstance(answer, Quote)]
        errors = [answer for answer in answers if isinstance(answer, CarrierError)]
        return sorted(quotes, key=lambda quote: quote.cents), errors
