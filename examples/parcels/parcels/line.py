"""One carrier's HTTP: credentials added, attempts repeated, what went wrong as a `CarrierError`.

Knows nothing of what the carrier says in its JSON.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Protocol

import aiohttp
from yarl import URL

from parcels.retry import Backoff, persist


class CarrierError(Exception):
    """A carrier did not do what we asked. Its four kinds::

    CarrierError
    ├── CarrierRefused           it said no to this parcel; asking again is no use
    └── CarrierUnavailable       it did not work, and it is not the customer's fault
        ├── CarrierBusy          it said "later" to the last attempt: surely nothing was booked
        └── CarrierTimeout       it took too long: whether it did anything is not known
    """

    def __init__(self, carrier: str, reason: str) -> None:
        super().__init__(f"{carrier} {reason}")
        self.carrier = carrier


class CarrierRefused(CarrierError):
    """It understood, and said no."""


class CarrierUnavailable(CarrierError):
    """It could not be reached, failed, or answered what nobody can read."""


class CarrierBusy(CarrierUnavailable):
    """It answered 429 or 503 to the last attempt."""


class CarrierTimeout(CarrierUnavailable):
    """It took longer than the settings allow."""


class Credentials(Protocol):
    """What opens a carrier's door."""

    async def headers(self) -> Mapping[str, str]:
        """The headers to send now."""

    def renew(self, refused: Mapping[str, str]) -> bool:
        """Told that these headers got a 401: whether `headers()` will now give other ones."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key that never changes, sent as `X-Api-Key`."""

    key: str = field(repr=False)

    async def headers(self) -> Mapping[str, str]:
        """The one header, always the same."""
        return {"X-Api-Key": self.key}

    def renew(self, refused: Mapping[str, str]) -> bool:
        """No: there is no other key."""
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One thing to ask of a carrier; `path` is relative to its base URL. `timeout` None is the line's own."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    json: object = None
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout: aiohttp.ClientTimeout | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One carrier's end of the shared session, which it does not close."""

    carrier: str
    session: aiohttp.ClientSession
    base: URL
    credentials: Credentials
    backoff: Backoff
    timeout: aiohttp.ClientTimeout

    async def json(self, ask: Ask) -> object:
        """The decoded body of a good answer.

        Raises:
            CarrierError: there was none.
        """
        async with self.open(ask) as response:
            with blaming(self.carrier):
                answer: object = await response.json()
                return answer

    @asynccontextmanager
    async def open(self, ask: Ask) -> AsyncIterator[aiohttp.ClientResponse]:
        """A good answer with its body still to be read, released at the end of the block.

        Raises:
            CarrierError: there was none.
        """
        with blaming(self.carrier):
            response = await self._answer(ask)
        async with response:
            self._judge(response)
            yield response

    async def _answer(self, ask: Ask) -> aiohttp.ClientResponse:
        """Whatever the carrier says in the end; a 401 gets one more chance if there are other credentials."""
        credentials = await self.credentials.headers()
        response = await self._persist(ask, credentials)
        if response.status == 401 and self.credentials.renew(credentials):
            response.release()
            response = await self._persist(ask, await self.credentials.headers())
        return response

    async def _persist(self, ask: Ask, credentials: Mapping[str, str]) -> aiohttp.ClientResponse:
        async def send() -> aiohttp.ClientResponse:
            return await self.session.request(
                ask.method,
                self.base / ask.path,
                params=ask.query,
                json=ask.json,
                headers={**ask.headers, **credentials},
                timeout=ask.timeout or self.timeout,
            )

        return await persist(send, self.backoff)

    def _judge(self, response: aiohttp.ClientResponse) -> None:
        """Raises for every answer but a 2xx."""
        status = response.status
        if status in {429, 503}:
            raise CarrierBusy(self.carrier, f"is busy (answered {status})")
        if status in {401, 403}:
            raise CarrierUnavailable(self.carrier, f"does not accept our credentials (answered {status})")
        if 400 <= status < 500:
            raise CarrierRefused(self.carrier, f"refused (answered {status})")
        if not 200 <= status < 300:
            raise CarrierUnavailable(self.carrier, f"failed (answered {status})")


@contextmanager
def blaming(carrier: str) -> Iterator[None]:
    """Turns what aiohttp and our readers of JSON raise in the block into that carrier's `CarrierError`."""
    try:
        yield
    except asyncio.TimeoutError as error:
        raise CarrierTimeout(carrier, "did not answer in time") from error
    except aiohttp.ClientError as error:
        raise CarrierUnavailable(carrier, f"could not be asked ({type(error).__name__})") from error
    except ValueError as error:  # json.JSONDecodeError, UnicodeDecodeError, ShapeError
        raise CarrierUnavailable(carrier, f"answered what we cannot read ({error})") from error
