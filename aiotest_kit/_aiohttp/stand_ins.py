"""Connectors that stand for somebody's own while a mock is open: what aiohttp does not document of that.

See `_aiohttp.client`. Knows how a connector pools, and how its life ends. Knows nothing of routes.
"""

from __future__ import annotations

import asyncio
import math
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, cast

import aiohttp
from aiohttp.client_proto import ResponseHandler

from .connectors import (
    Door,
    MemoryConnector,
    MemoryTCPConnector,
    MemoryUnixConnector,
    empty_cache,
    empty_pool,
)
from .resolvers import resolver_in_memory

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["StandInConnector", "close_stand_in", "follow_loop", "stand_in_for"]

STAND_IN = "_aiotest_kit_stand_in"
"""Under this name a connector has its stand-in, and the entry for it in its pool, while a mock is open."""


class StandInConnector(MemoryConnector):
    """What `stand_in_for` adds to a memory connector: the life of the connector that it stands for."""

    _stood_for: Callable[[], Any]
    _over = False
    """Whether the mock has closed."""
    _told = False
    """Whether the connector has an entry for what is pooled here."""

    @property
    def _closed(self) -> bool:
        connector = self._stood_for()
        return connector is None or bool(connector._closed)

    @_closed.setter
    def _closed(self, value: bool) -> None:
        self._stood_for()._closed = value

    def _release(self, key: Any, protocol: ResponseHandler, *, should_close: bool = False) -> None:
        # A response may be released after the mock has closed: nobody would look into this pool again.
        super()._release(key, protocol, should_close=should_close or self._over)
        if not self._told and self._conns:
            self._told = True
            self._stood_for()._conns[STAND_IN] = ((PooledInStandIn(self), math.inf),)


class StandInTCPConnector(StandInConnector, MemoryTCPConnector):
    """A `MemoryTCPConnector` that stands for somebody's connector while a mock is open."""


class StandInUnixConnector(StandInConnector, MemoryUnixConnector):
    """A `MemoryUnixConnector` that stands for somebody's connector while a mock is open."""


class PooledInStandIn:
    """The entry in a connector's pool that stands for all pooled connections of its stand-in.

    Closing the connector closes its pool, and so that of the stand-in; a connector that is dropped unclosed
    warns of them.
    """

    transport = None
    closed = None

    def __init__(self, stand_in: StandInConnector) -> None:
        self._stand_in = stand_in

    def is_connected(self) -> bool:
        """For ever: the stand-in looks after the age of its own pool."""
        return True

    def close(self) -> None:
        """Close what the stand-in has pooled."""
        close_pool(self._stand_in)

    abort = close


class DoorOfStandIns(Door, Protocol):
    """What `stand_in_for` needs of a door."""

    stand_ins: list[weakref.ReferenceType[StandInConnector]]
    """Those of its connectors that stand for somebody else's."""


def stand_in_for(connector: aiohttp.BaseConnector, door: DoorOfStandIns) -> StandInConnector:
    """A memory connector with the settings, limits and life of `connector`, and a pool of its own.

    What counts connections in use is shared, so that limits hold over both. The pool and the DNS cache
    are not: what was pooled on one side must never answer on the other.
    """
    stand_in: Any = vars(connector).get(STAND_IN)
    if stand_in is not None and stand_in._door is door:
        return cast("StandInConnector", stand_in)
    kind = StandInUnixConnector if isinstance(connector, aiohttp.UnixConnector) else StandInTCPConnector
    stand_in = kind.__new__(kind)
    state = vars(stand_in)
    if not isinstance(connector, (aiohttp.TCPConnector, aiohttp.UnixConnector)):
        # A connector of somebody's own: what it shares with TCPConnector is taken from it below.
        state["_stood_for"] = weakref.ref(connector)
        MemoryTCPConnector.__init__(stand_in, door)
    state.update(vars(connector))
    state.update(
        _stood_for=weakref.ref(connector),
        allowed_protocol_schema_set=connector.allowed_protocol_schema_set,
        _door=door,
        _conns=empty_pool(connector),
        _cleanup_handle=None,
        _cleanup_closed_handle=None,
        _cleanup_closed_transports=[],
    )
    if kind is StandInTCPConnector:
        state.update(
            _resolver=resolver_in_memory(vars(connector).get("_resolver"), door),
            _resolver_owner=False,
            _cached_hosts=empty_cache(state["_cached_hosts"]),
            _throttle_dns_futures={},
        )
    # Somebody may have put something before the connector itself.
    state.pop("connect", None)
    vars(connector)[STAND_IN] = stand_in
    door.stand_ins.append(weakref.ref(stand_in))
    return cast("StandInConnector", stand_in)


def close_stand_in(stand_in: StandInConnector) -> None:
    """Close what a stand-in has pooled, and take back what it left with the connector it stands for."""
    stand_in._over = True
    close_pool(stand_in)
    connector = stand_in._stood_for()
    if connector is not None:
        connector._conns.pop(STAND_IN, None)
        vars(connector).pop(STAND_IN, None)


def close_pool(stand_in: StandInConnector) -> None:
    """Close the connections that a stand-in has pooled."""
    for name in ("_cleanup_handle", "_cleanup_closed_handle"):
        handle = vars(stand_in)[name]
        if handle is not None:
            handle.cancel()
            vars(stand_in)[name] = None
    if stand_in._conns and not stand_in._loop.is_closed():
        # With their loop, connections have ended too.
        for pooled in stand_in._conns.values():
            for protocol, _ in pooled:
                protocol.close()
    stand_in._conns.clear()


def follow_loop(session: aiohttp.ClientSession) -> None:
    """Have a session that was made on another loop work on the running one, from now on."""
    loop = asyncio.get_running_loop()
    connector = session.connector
    if session._loop is loop or connector is None:
        return
    session._loop = connector._loop = loop
    connector._factory = partial(ResponseHandler, loop=loop)
    stand_in = vars(connector).get(STAND_IN)
    if stand_in is not None:
        # What it has pooled belongs to the other loop.
        close_stand_in(stand_in)
