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

__all__ = ["View", "close_view", "follow_loop", "view_of"]

VIEW = "_aiotest_kit_view"
"""Under this name a connector has its view, and the view's entry in its pool, while a mock is open."""


class View(MemoryConnector):
    """What `view_of` adds to a memory connector: the life of the connector that it stands for."""

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
            self._stood_for()._conns[VIEW] = ((PooledInView(self), math.inf),)


class TCPView(View, MemoryTCPConnector):
    """A `MemoryTCPConnector` that stands for somebody's connector while a mock is open."""


class UnixView(View, MemoryUnixConnector):
    """A `MemoryUnixConnector` that stands for somebody's connector while a mock is open."""


class PooledInView:
    """The entry in a connector's pool that stands for all pooled connections of its view.

    Closing the connector closes its pool, and so the view's; a connector dropped unclosed warns of them.
    """

    transport = None
    closed = None

    def __init__(self, view: View) -> None:
        self._view = view

    def is_connected(self) -> bool:
        """For ever: the view looks after the age of its own pool."""
        return True

    def close(self) -> None:
        """Close what the view has pooled."""
        close_pool(self._view)

    abort = close


class DoorOfViews(Door, Protocol):
    """What `view_of` needs of a door."""

    views: list[weakref.ReferenceType[View]]
    """Those of its connectors that stand for somebody else's."""


def view_of(connector: aiohttp.BaseConnector, door: DoorOfViews) -> View:
    """A memory connector with the settings, limits and life of `connector`, and a pool of its own.

    What counts connections in use is shared, so that limits hold over both. The pool and the DNS cache
    are not: what was pooled on one side must never answer on the other.
    """
    view: Any = vars(connector).get(VIEW)
    if view is not None and view._door is door:
        return cast("View", view)
    kind = UnixView if isinstance(connector, aiohttp.UnixConnector) else TCPView
    view = kind.__new__(kind)
    state = vars(view)
    if not isinstance(connector, (aiohttp.TCPConnector, aiohttp.UnixConnector)):
        # A connector of somebody's own: what it shares with TCPConnector is taken from it below.
        state["_stood_for"] = weakref.ref(connector)
        MemoryTCPConnector.__init__(view, door)
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
    if kind is TCPView:
        state.update(
            _resolver=resolver_in_memory(vars(connector).get("_resolver"), door),
            _resolver_owner=False,
            _cached_hosts=empty_cache(state["_cached_hosts"]),
            _throttle_dns_futures={},
        )
    # Somebody may have put something before the connector itself.
    state.pop("connect", None)
    vars(connector)[VIEW] = view
    door.views.append(weakref.ref(view))
    return cast("View", view)


def close_view(view: View) -> None:
    """Close what a view has pooled, and take back what it left with the connector it stands for."""
    view._over = True
    close_pool(view)
    connector = view._stood_for()
    if connector is not None:
        connector._conns.pop(VIEW, None)
        vars(connector).pop(VIEW, None)


def close_pool(view: View) -> None:
    """Close the connections that a view has pooled."""
    for name in ("_cleanup_handle", "_cleanup_closed_handle"):
        handle = vars(view)[name]
        if handle is not None:
            handle.cancel()
            vars(view)[name] = None
    if view._conns and not view._loop.is_closed():
        # With their loop, connections have ended too.
        for pooled in view._conns.values():
            for protocol, _ in pooled:
                protocol.close()
    view._conns.clear()


def follow_loop(session: aiohttp.ClientSession) -> None:
    """Have a session that was made on another loop work on the running one, from now on."""
    loop = asyncio.get_running_loop()
    connector = session.connector
    if session._loop is loop or connector is None:
        return
    session._loop = connector._loop = loop
    connector._factory = partial(ResponseHandler, loop=loop)
    view = vars(connector).get(VIEW)
    if view is not None:
        # What it has pooled belongs to the other loop.
        close_view(view)
