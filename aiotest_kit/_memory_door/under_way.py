"""Calls that are under way while a mock closes: whatever they do next, they must not reach the network.

Such a call may be without a connection just then: behind a redirect, before aiohttp's silent retry, or in a
client middleware that waits before it tries again. Its next connection would be a real one. So the calls that
began under the mock are known by their tasks, and those that go on after it find a guard before their
connector.

Knows sessions and connectors. Knows nothing of routes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import ref

from .._aiohttp.client import may_be_requesting
from .._asyncio.tasks import on_loop, running_task
from .._errors import mock_closed

if TYPE_CHECKING:
    import asyncio
    from typing import Any
    from weakref import ReferenceType

    import aiohttp
    from aiohttp.client_reqrep import ClientRequest
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

__all__ = ["CallsUnderWay"]

FEW = 64


class CallsUnderWay:
    """The last call that each task began: its connector, and the list of traces by which aiohttp tells calls
    apart.

    aiohttp makes that list anew for each call of a session, and keeps it over redirects, retries and
    middlewares. The connector is not held: a session that was forgotten has to be collected.
    """

    def __init__(self) -> None:
        self._calls: dict[asyncio.Task[Any], tuple[ReferenceType[aiohttp.BaseConnector], list[Trace]]] = {}
        self._most = FEW

    def begin(self, connector: aiohttp.BaseConnector, traces: list[Trace]) -> None:
        """Note that the current task has a call."""
        task = running_task()
        if task is not None:
            self._calls[task] = ref(connector), traces
            if len(self._calls) > self._most:
                self._forget_done()

    def _forget_done(self) -> None:
        self._calls = {task: call for task, call in self._calls.items() if not task.done()}
        self._most = max(FEW, 2 * len(self._calls))

    def fail_later(self) -> None:
        """Have each call that goes on fail at its next connection."""
        current = running_task()
        for task, (reference, traces) in list(self._calls.items()):
            connector = reference()
            if connector is None or task is current or task.get_loop().is_closed():
                continue
            if may_be_requesting(task):
                guard(connector, task, traces)
        self._calls.clear()


def guard(connector: aiohttp.BaseConnector, task: asyncio.Task[Any], traces: list[Trace]) -> None:
    """Refuse connections to a call until the task ends that made it."""
    own = vars(connector).setdefault("connect", Guard(connector))
    if isinstance(own, Guard):
        own.refused.append(traces)
        on_loop(task.get_loop(), lambda: task.add_done_callback(lambda _: own.forget(traces)))


class Guard:
    """Stands before the `connect` of one connector, for calls that began under a mock that has closed."""

    def __init__(self, connector: aiohttp.BaseConnector) -> None:
        self.refused: list[list[Trace]] = []
        self._connector = connector

    async def __call__(
        self, req: ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> Connection:
        """A connection for `req`, as the connector gives it."""
        if any(each is traces for each in self.refused):
            raise mock_closed()
        return await type(self._connector).connect(self._connector, req, traces, timeout)

    def forget(self, traces: list[Trace]) -> None:
        """Guard against a call no more; with the last one, the connector is as it was."""
        self.refused = [each for each in self.refused if each is not traces]
        if not self.refused:
            vars(self._connector).pop("connect", None)
