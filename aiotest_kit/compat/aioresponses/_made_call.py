"""A call of a session as it is noted: what nobody can tell from the request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from multidict import CIMultiDict

from .compat import merge_params, normalize_url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from yarl import URL

    from aiotest_kit import SessionCall

__all__ = ["SCHEMES", "MadeCall"]

SCHEMES = ("http", "https", "ws", "wss")


class MadeCall(NamedTuple):
    """A call with its URL, whose query is sorted, and its keywords, with the headers of the session."""

    call: SessionCall
    url: URL
    given: Mapping[str, Any]

    @classmethod
    def of(cls, call: SessionCall, **read: bytes) -> MadeCall:
        """The call as it is noted; `read` are keywords that were read before.

        Raises:
            RuntimeError: the session is closed.
        """
        if call.session.closed:
            raise RuntimeError("Session is closed")
        given = {**call.kwargs, **read}
        if call.session.headers:
            given["headers"] = merged_headers(call.session.headers, given.get("headers"))
        return cls(call, normalize_url(merge_params(call.url, given.get("params"))), given)

    @property
    def can_be_sent(self) -> bool:
        """Whether its URL is one of HTTP. Suites stub others too, such as "localhost"."""
        return bool(self.url.host) and self.url.scheme in SCHEMES


def merged_headers(defaults: Mapping[str, str], given: Any) -> CIMultiDict[str]:
    """The headers of a session with those of a call, which replace the session's by name."""
    headers = CIMultiDict(defaults)
    headers.update(given or {})
    return headers
