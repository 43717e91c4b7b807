"""When to ask again, and after how long. Knows HTTP's `Retry-After`; knows nothing of carriers."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

import aiohttp

#: answers that say "later", not "no"
RETRIABLE = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """How stubborn we are: `attempts` in all, the pause doubling from `base` to `cap` seconds.

    `jitter` is the largest random share added to a pause. A `Retry-After` replaces the pause, unless it asks
    for more than `patience` seconds: then we give up at once. `sleep` is there to be replaced in tests.
    """

    attempts: int = 3
    base: float = 0.2
    cap: float = 5.0
    jitter: float = 0.25
    patience: float = 10.0
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    def pause(self, failures: int, retry_after: str | None = None) -> float | None:
        """Seconds to wait after that many failures in a row, or None to give up."""
        if failures >= self.attempts:
            return None
        asked = _seconds(retry_after)
        if asked is not None:
            return asked if asked <= self.patience else None
        pause = min(self.cap, self.base * 2.0 ** (failures - 1))
        return pause * (1 + random.uniform(0, self.jitter))


async def persist(
    send: Callable[[], Awaitable[aiohttp.ClientResponse]], backoff: Backoff
) -> aiohttp.ClientResponse:
    """The first answer that does not say "later", or the last one that does; the caller releases it.

    `send` is called anew for each attempt, and must be safe to repeat. A timeout is not tried again: our own
    customer is waiting too.

    Raises:
        aiohttp.ClientConnectionError: of the last attempt.
        asyncio.TimeoutError: of any attempt.
    """
    for failures in itertools.count(1):
        try:
            response = await send()
        except asyncio.TimeoutError:  # before the next clause: aiohttp's ServerTimeoutError is both
            raise
        except aiohttp.ClientConnectionError:
            pause = backoff.pause(failures)
            if pause is None:
                raise
        else:
            if response.status not in RETRIABLE:
                return response
            pause = backoff.pause(failures, response.headers.get("Retry-After"))
            if pause is None:
                return response
            response.release()
        await backoff.sleep(pause)
    raise AssertionError("unreachable: count() has no end")


def _seconds(retry_after: str | None) -> float | None:
    """A `Retry-After` in seconds from now, RFC 9110 section 10.2.3; None if none can be read."""
    if retry_after is None:
        return None
    if retry_after.isdecimal():
        return float(retry_after)
    try:
        moment = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    if moment.tzinfo is None:  # "-0000", which HTTP does not allow; UTC is what its senders mean
        moment = moment.replace(tzinfo=timezone.utc)
    return max(0.0, (moment - datetime.now(timezone.utc)).total_seconds())
