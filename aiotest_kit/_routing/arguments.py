"""What the arguments of a router's methods come to: patterns and headers.

Knows patterns and URLs. Knows nothing of routes or of the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

from .._matching.request_pattern import BODY_MAKERS, MatchOptions, RequestPattern
from .._messages.exceptions import UsageError
from .websocket_route import HANDSHAKE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .._matching.urls import UrlLike

__all__ = ["handshake_headers", "merged", "of_a_verb", "pattern_of", "plain_pattern"]

M = TypeVar("M", bound=MatchOptions)


def of_a_verb(match: M) -> M:
    """The options of a verb, which is the method.

    Raises:
        UsageError: they name a method, too.
    """
    if "method" in match:
        raise UsageError("method=: the verb is the method; for any other write router.route('POST', url)")
    return match


def pattern_of(method: str | Iterable[str], url: UrlLike, match: MatchOptions) -> RequestPattern:
    """What a route asks of a request."""
    if isinstance(method, str) and isinstance(url, str) and not match:
        return plain_pattern(method, url)
    return RequestPattern(method, url, **match)


@lru_cache(maxsize=4096)
def plain_pattern(method: str, url: str) -> RequestPattern:
    """A method and a URL. Patterns are values, and a suite makes the same routes for each of its tests."""
    return RequestPattern(method, url)


def handshake_headers(match: MatchOptions) -> dict[str, object]:
    """The headers that a route for websockets asks for, with those of a handshake.

    Raises:
        UsageError: the route asks for a body, too.
    """
    for name in BODY_MAKERS:
        # None is not given, but for JSON, where it is null.
        if match.get(name) is not None or (name == "json" and "json" in match):
            raise UsageError(f"{name}=: a handshake has no body; expect(...) in a script looks at messages")
    return merged({"Upgrade": HANDSHAKE}, match.get("headers"))


def merged(first: Mapping[str, object], second: object) -> dict[str, object]:
    """Headers that a router asks for, and those that one of its routes asks for too."""
    if second is None:
        return dict(first)
    if not isinstance(second, Mapping):
        raise UsageError("headers= of a route under host(..., headers=...) is a mapping")
    return {**first, **second}
