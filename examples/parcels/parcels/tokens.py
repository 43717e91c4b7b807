"""OAuth 2 client credentials (RFC 6749 section 4.4): one token, shared by all calls, fetched when needed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

import aiohttp
from yarl import URL

from parcels.retry import Backoff, persist
from parcels.shapes import ShapeError, member

#: seconds before its expiry from which on a token is no longer used: it must outlive the call that carries it
LEEWAY = 30.0


class Tokens:
    """The `Authorization` header for a carrier, with a fresh token. Uses the session, does not close it."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: URL,
        *,
        client_id: str,
        client_secret: str,
        backoff: Backoff,
        timeout: aiohttp.ClientTimeout,
    ) -> None:
        self._session = session
        self._url = url
        self._form = {
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": client_secret,
        }
        self._backoff = backoff
        self._timeout = timeout
        self._header: str | None = None
        self._best_before = 0.0
        self._fetching = asyncio.Lock()

    async def headers(self) -> Mapping[str, str]:
        """The header of the current token; callers that find none wait for one fetch between them.

        Raises:
            aiohttp.ClientError: the token endpoint could not be reached or said no.
            ShapeError: it answered something else than a token.
        """
        async with self._fetching:
            if self._header is None or time.monotonic() >= self._best_before:
                self._header, self._best_before = await self._fetch()
            return {"Authorization": self._header}

    def renew(self, refused: Mapping[str, str]) -> bool:
        """Drops the refused token, unless another call has replaced it already. Always worth a try."""
        if refused.get("Authorization") == self._header:
            self._header = None
        return True

    async def _fetch(self) -> tuple[str, float]:
        asked = time.monotonic()
        async with await persist(self._post, self._backoff) as response:
            response.raise_for_status()
            answer: object = await response.json()
        kind, token = member(answer, "token_type", of=str), member(answer, "access_token", of=str)
        if kind.lower() != "bearer":
            raise ShapeError(f"token_type is {kind!r}, expected 'Bearer'")
        return f"Bearer {token}", asked + member(answer, "expires_in", of=int) - LEEWAY

    async def _post(self) -> aiohttp.ClientResponse:
        return await self._session.post(self._url, data=self._form, timeout=self._timeout)
