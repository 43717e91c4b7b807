"""What answers where a connector in memory looks up a name: what aiohttp does not document of that.

See `_aiohttp.client`. Knows resolvers. Knows nothing of routes or connections.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp.abc import AbstractResolver

from .._asyncio.lookups import without_lookups

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp.abc import ResolveResult

    from .connectors import Door

__all__ = ["NAMES_RESOLVE_TO", "NO_RESOLVER", "FailingResolver", "is_of_aiohttp", "resolver_in_memory"]

NAMES_RESOLVE_TO = "192.0.2.1"
"""The address of every stubbed host name, from the block for examples (RFC 5737)."""


class FixedResolver(AbstractResolver):
    """A resolver that knows one address and asks nobody."""

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
        """The same address for every name."""
        return [
            {
                "hostname": host,
                "host": NAMES_RESOLVE_TO,
                "port": port,
                "family": family,
                "proto": 0,
                "flags": 0,
            }
        ]

    async def close(self) -> None:
        """Nothing is held."""


NO_RESOLVER = FixedResolver()


class FailingResolver(FixedResolver):
    """A resolver for a look-up that fails."""

    def __init__(self, look_up: Callable[[str], Awaitable[None]]) -> None:
        self._look_up = look_up

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
        """Raise what the look-up gives."""
        await self._look_up(host)
        raise AssertionError(f"the look-up of {host} went well")  # pragma: no cover - never


def is_of_aiohttp(resolver: AbstractResolver) -> bool:
    """Whether a resolver is one of aiohttp's own, which ask the network, and was not changed by anybody."""
    is_own = type(resolver) in (aiohttp.ThreadedResolver, aiohttp.AsyncResolver)
    return is_own and "resolve" not in vars(resolver)


def resolver_in_memory(resolver: AbstractResolver | None, door: Door) -> AbstractResolver:
    """What a connector in memory asks in place of its `resolver`; None if it has none.

    A resolver of the user's own is asked, so that its addresses and its failures are seen. aiohttp's are not,
    and neither is one that is built on aiodns, whose sockets cannot be kept from the network.
    """
    if resolver is None or is_of_aiohttp(resolver):
        return NO_RESOLVER
    parts = getattr(resolver, "__dict__", {}).values()
    if any(isinstance(each, aiohttp.AsyncResolver) for each in (resolver, *parts)):
        return NO_RESOLVER
    return OwnResolver(resolver, door)


class OwnResolver(FixedResolver):
    """A resolver of the user's own, for which the loop looks up no names; not asked if the door says so."""

    def __init__(self, resolver: AbstractResolver, door: Door) -> None:
        self._resolver = resolver
        self._door = door

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
        """What the resolver gives or raises."""
        if not self._door.imitates_connecting:
            return await super().resolve(host, port, family)
        with without_lookups(asyncio.get_running_loop()):
            return await self._resolver.resolve(host, port, family=family)
