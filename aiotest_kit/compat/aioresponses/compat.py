"""What aioresponses has in a module of this name: URLs as it compares them.

Two URLs are the same when they differ only in the order of their query.
"""

from __future__ import annotations

from re import Pattern
from typing import TYPE_CHECKING, TypeAlias

import aiohttp
from aiohttp import StreamReader
from multidict import MultiDict
from packaging.version import Version
from yarl import URL

from ..._aiohttp.client import stream_reader

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping, Sequence

__all__ = ["AIOHTTP_VERSION", "URL", "Pattern", "merge_params", "normalize_url", "stream_reader_factory"]

AIOHTTP_VERSION = Version(aiohttp.__version__)

QueryVariable: TypeAlias = "str | int | float"
Params: TypeAlias = (
    "Mapping[str, QueryVariable | Sequence[QueryVariable]] | Sequence[tuple[str, QueryVariable]] | str"
)
"""What a session takes as `params=`."""


def merge_params(url: URL | str, params: Params | None = None) -> URL:
    """The URL with `params` behind the query that it has."""
    url = url if isinstance(url, URL) else URL(url)
    if not params:
        return url
    query = MultiDict(url.query)
    query.extend(url.with_query(params).query)
    return url.with_query(query)


def normalize_url(url: URL | str) -> URL:
    """The URL with its query sorted by name and value."""
    url = url if isinstance(url, URL) else URL(url)
    return url.with_query(sorted(url.query.items())) if url.raw_query_string else url


def stream_reader_factory(loop: asyncio.AbstractEventLoop | None = None) -> StreamReader:
    """An empty reader, as a response has for its body."""
    return stream_reader(loop)
