"""How aiointercept compares URLs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from multidict import MultiDict
from yarl import URL

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["merge_params", "normalize_host", "normalize_url"]


def normalize_host(host: str) -> str:
    """The host without the dot of a fully qualified name, which aiohttp does not send either."""
    return host.rstrip(".")


def normalize_url(url: URL | str) -> URL:
    """The URL as it is compared: no fragment, the parameters sorted, an empty path as `/`."""
    address = URL(url).with_fragment(None)
    query = sorted(address.query.items())
    host = address.raw_host
    if host:
        if host.endswith("."):
            address = address.with_host(normalize_host(host))
        address = address.with_path(address.path or "/")
    return address.with_query(query)


def merge_params(url: URL | str, params: Mapping[str, str] | None = None) -> URL:
    """The URL with further parameters behind its own."""
    address = URL(url)
    if not params:
        return address
    query = MultiDict(address.query)
    query.extend(address.with_query(params).query)
    return address.with_query(query)
