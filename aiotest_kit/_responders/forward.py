"""`Forward`: relay a request to a real server, and the answer back as it comes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from .._http.reply import Reply
from .._messages.exceptions import UsageError
from .._messages.wording import one_line

if TYPE_CHECKING:
    from .._http.request import Request
    from .exchange import Exchange

__all__ = ["Forward", "RealConnector"]

OF_THE_CONNECTION = (
    "Connection",
    "Host",
    "Keep-Alive",
    "Proxy-Connection",
    "TE",
    "Transfer-Encoding",
    "Upgrade",
)
"""Fields that are for one connection only, and are not relayed (RFC 9110, 7.6.1)."""

ADDED_BY_AIOHTTP = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


class RealConnector(aiohttp.TCPConnector):
    """A `TCPConnector` that always leads to the network, also while a mock is open.

    For the one session of a test that has to reach a real server past its stubs.
    """

    __module__ = "aiotest_kit"


@dataclass(frozen=True)
class Forward:
    """An answer that is got from the server at `origin`, an origin or a longer prefix."""

    origin: URL

    @classmethod
    def to(cls, origin: object) -> Forward:
        """Forward to what a user names.

        Raises:
            UsageError: it is not an http or https URL.
        """
        if not isinstance(origin, (str, URL)):
            raise UsageError(
                f"forward() takes an origin such as 'https://real.example'; got {one_line(origin)}"
            )
        url = URL(origin)
        if (
            url.scheme not in ("http", "https")
            or not url.raw_host
            or url.raw_query_string
            or url.raw_fragment
        ):
            raise UsageError(f"{str(origin)!r}: forward() takes an origin such as 'https://real.example'")
        return cls(url)

    async def play(self, exchange: Exchange) -> None:
        """Send the request on, and what comes back to the client; a failure to do so is raised in it."""
        request = exchange.request
        try:
            async with (
                aiohttp.ClientSession(
                    connector=RealConnector(force_close=True),
                    cookie_jar=aiohttp.DummyCookieJar(),
                    auto_decompress=False,
                    timeout=aiohttp.ClientTimeout(total=None),
                    skip_auto_headers=ADDED_BY_AIOHTTP,
                ) as session,
                session.request(
                    request.method,
                    self._target(request),
                    headers=relayed(request.headers),
                    data=request.body or None,
                    allow_redirects=False,
                ) as response,
            ):
                headers = relayed(response.headers)
                await exchange.start(Reply(response.status, reason=response.reason or "", headers=headers))
                async for data in response.content.iter_any():
                    await exchange.write(data)
                exchange.finish()
        except aiohttp.ClientError as exc:
            exchange.fail(exc)

    def _target(self, request: Request) -> URL:
        """The URL at the real server."""
        return URL(str(self.origin).rstrip("/") + request.target, encoded=True)


def relayed(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    """The headers that go on to the other side."""
    fields = CIMultiDict(headers)
    for name in OF_THE_CONNECTION:
        fields.popall(name, None)
    return fields
