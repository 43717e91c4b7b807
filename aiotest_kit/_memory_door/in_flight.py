"""Calls that are under way while a mock closes: whatever they do next, they must not reach the network.

Such a call may be without a connection just then: before its first, behind a redirect, before aiohttp's
silent retry, or in a client middleware that waits before it tries again. Its next connection would be a real
one. So the calls that are under way are looked for in the tasks of the loops, and find a guard before their
connector.

Knows sessions, connectors and tasks. Knows nothing of routes.
"""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any

from .._aiohttp.client import calls_of
from .._asyncio.tasks import on_loop, running_task
from .._messages.exceptions import mock_closed

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import CoroutineType

    import aiohttp
    from aiohttp.client_reqrep import ClientRequest
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

__all__ = ["fail_calls_of"]


def fail_calls_of(loops: Iterable[asyncio.AbstractEventLoop]) -> None:
    """Have each call of a session that is under way on these loops fail at its next connection."""
    current = running_task()
    for loop in loops:
        for task in () if loop.is_closed() else asyncio.all_tasks(loop):
            if task is not current:
                for session, call in calls_of(task):
                    if session.connector is not None:
                        guard(session.connector, task, call)


def guard(
    connector: aiohttp.BaseConnector, task: asyncio.Task[Any], call: CoroutineType[Any, Any, Any]
) -> None:
    """Refuse connections to a call until it ends."""
    own = vars(connector).setdefault("connect", Guard(connector))
    if isinstance(own, Guard):
        own.refused[task] = call
        on_loop(task.get_loop(), lambda: task.add_done_callback(own.forget))


class Guard:
    """Stands before the `connect` of one connector, for calls that began under a mock that has closed."""

    def __init__(self, connector: aiohttp.BaseConnector) -> None:
        self.refused: dict[asyncio.Task[Any], CoroutineType[Any, Any, Any]] = {}
        self._connector = connector

    async def __call__(
        self, req: ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> Connection:
        """A connection for `req`, as the connector gives it."""
        task = asyncio.current_task()
        call = self.refused.get(task) if task is not None else None
        if call is not None and inspect.getcoroutinestate(call) != inspect.CORO_CLOSED:
            raise mock_closed()
        return await type(self._connector).connect(self._connector, req, traces, timeout)

    def forget(self, task: asyncio.Task[Any]) -> None:
        """Guard against a task no more; with the last one, the connector is as it was."""
        self.refused.pop(task, None)
        if not self.refused:
            vars(self._connector).pop("connect", None)
