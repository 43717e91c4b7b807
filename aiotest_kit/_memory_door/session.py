"""`mock_session`: one real `aiohttp.ClientSession` that a router answers in memory, with nothing patched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp

from .._aiohttp.connectors import MemoryTCPConnector
from .._aiohttp.stand_ins import view_of
from .._asyncio.lifespan import end_lives
from .._asyncio.tasks import end_tasks
from .door import RouterDoor

if TYPE_CHECKING:
    from .._routing.router import Router

__all__ = ["SessionDoor", "mock_session"]


class SessionDoor(RouterDoor):
    """The door of one session: what it leads to ends with it, and so does the connector it stands for."""

    def __init__(self, router: Router, connector: aiohttp.BaseConnector | None) -> None:
        super().__init__(router)
        self._connector = connector
        self._is_open = True
        router.enter()

    async def left(self) -> None:
        """End the session's connections, and what still answers on them."""
        peers = list(self.connections)
        tasks = [peer.answering for peer in peers if peer.answering is not None]
        for peer in peers:
            peer.transport.abort()
        await end_tasks(tasks)
        if self._is_open:
            self._is_open = False
            await end_lives(self._router.leave())
        if self._connector is not None:
            await self._connector.close()


def mock_session(
    router: Router, *, connector: aiohttp.BaseConnector | None = None, **session_kwargs: Any
) -> aiohttp.ClientSession:
    """A real `aiohttp.ClientSession` that `router` answers, in memory. Nothing is patched.

    `session_kwargs` are those of `ClientSession`. The settings and limits of a `connector` hold. Closing the
    session ends what still answers it. As `ClientSession`, it has to be made on the loop that uses it.
    """
    door = SessionDoor(router, connector)
    memory = MemoryTCPConnector(door) if connector is None else view_of(connector, door)
    return aiohttp.ClientSession(connector=memory, **session_kwargs)
