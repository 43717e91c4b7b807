"""Tells customers, in the background, that a parcel's status has changed."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import time

import aiohttp

from parcels.model import Parcel, Status
from parcels.retry import Backoff, persist

log = logging.getLogger(__name__)


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """The `X-Parcels-Signature` of a webhook: hex HMAC-SHA256 over timestamp, dot and body.

    The timestamp is signed too, so that a receiver can refuse an old delivery that someone sends again.
    """
    return hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()


class Webhooks:
    """Deliveries under way. Uses the session, does not close it; `close()` must come before the session's."""

    def __init__(
        self, session: aiohttp.ClientSession, *, secret: str, backoff: Backoff, timeout: aiohttp.ClientTimeout
    ) -> None:
        self._session = session
        self._secret = secret
        self._backoff = backoff
        self._timeout = timeout
        self._deliveries: set[asyncio.Task[None]] = set()

    def send(self, parcel: Parcel, *, previous: Status) -> None:
        """Starts to tell the parcel's customer, if there is a callback URL; never raises, never waits."""
        if parcel.booking.callback_url is None:
            return
        delivery = asyncio.create_task(self._deliver(parcel.booking.callback_url, parcel, previous))
        self._deliveries.add(delivery)
        delivery.add_done_callback(self._deliveries.discard)

    async def close(self, grace: float) -> None:
        """Gives the deliveries under way that many seconds to end by themselves, then cancels the rest."""
        if not self._deliveries:
            return
        _, late = await asyncio.wait(set(self._deliveries), timeout=grace)
        for delivery in late:
            log.warning("webhook given up at shutdown: %s", delivery.get_name())
            delivery.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _deliver(self, url: str, parcel: Parcel, previous: Status) -> None:
        message = {
            "event": "parcel.status",
            "parcel": parcel.id,
            "reference": parcel.booking.reference,
            "previous": previous.value,
            "status": parcel.status.value,
        }
        body = json.dumps(message, separators=(",", ":")).encode()

        async def send() -> aiohttp.ClientResponse:
            timestamp = str(int(time.time()))
            return await self._session.post(
                url,
                data=body,
                headers={
                    "Content-Type": "application/json",
                    "X-Parcels-Timestamp": timestamp,
                    "X-Parcels-Signature": sign(self._secret, timestamp, body),
                },
                # a redirect could send what we signed for one host to another
                allow_redirects=False,
                timeout=self._timeout,
            )

        try:
            async with await persist(send, self._backoff) as response:
                if not response.ok or response.status >= 300:
                    log.warning("webhook for parcel %s: customer answered %d", parcel.id, response.status)
        except (aiohttp.ClientError, asyncio.TimeoutError) as error:
            log.warning("webhook for parcel %s: %s", parcel.id, type(error).__name__)
