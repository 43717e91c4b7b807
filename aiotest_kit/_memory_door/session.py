"""`mock_session`: one real `aiohttp.ClientSession` that a router answers in memory, with nothing patched."""

from __future__ import annotations

import sys
from typing import Any

import aiohttp

from .._aiohttp.connectors import MemoryTCPConnector
from .._aiohttp.stand_ins import close_stand_in, stand_in_for
from .._asyncio.lifespan import end_lives
from .._asyncio.tasks import end_tasks
from .._messages.exceptions import UsageError
from .._messages.wording import one_line
from .._routing.handler_errors import raise_handler_error
from .._routing.router import Router
from .door import RouterDoor

__all__ = ["SessionDoor", "mock_session"]


class SessionDoor(RouterDoor):
    """The door of one session: what it leads to ends with it, and so does the connector it stands for."""

    def __init__(self, router: Router, connector: aiohttp.BaseConnector | None) -> None:
        super().__init__(router)
        self._connector = connector
        self._is_open = False
        self._earlier_errors = router.handler_errors

    def enter(self) -> None:
        """Note that the session is there, with which the door ends."""
        self._is_open = True
        self._router.enter()

    async def left(self) -> None:
        """End the session's connections, and what still answers on them.

        Raises:
            BaseException: the first that escaped from a handler since the session was made.
        """
        peers = list(self.connections)
        tasks = [peer.answering for peer in peers if peer.answering is not None]
        for peer in peers:
            peer.transport.abort()
        await end_tasks(tasks)
        if not self._is_open:
            return
        self._is_open = False
        try:
            await end_lives(self._router.leave())
        finally:
            if self._connector is not None:
                await self._connector.close()
        earlier = {id(error) for error in self._earlier_errors}
        errors = [error for error in self._router.handler_errors if id(error) not in earlier]
        # What is being handled is what ends the block, where the session is closed by one.
        raise_handler_error(errors, sys.exc_info()[1])


def mock_session(
    router: Router, *, connector: aiohttp.BaseConnector | None = None, **session_kwargs: Any
) -> aiohttp.ClientSession:
    """A real `aiohttp.ClientSession` that `router` answers, in memory. Nothing is patched.

    `session_kwargs` are those of `ClientSession`. The settings and limits of a `connector` hold. Closing the
    session ends what still answers it, and raises an error that escaped from a handler; a block that fails
    by itself is told of it in a note. As `ClientSession`, it has to be made on the loop that uses it.

    Raises:
        UsageError: the router or the connector is none.
    """
    if not isinstance(router, Router):
        raise UsageError(f"mock_session() takes a Router; got {one_line(router, 60)}")
    if connector is not None and not isinstance(connector, aiohttp.BaseConnector):
        raise UsageError(f"connector= is an aiohttp connector; got {one_line(connector, 60)}")
    door = SessionDoor(router, connector)
    stand_in = None if connector is None else stand_in_for(connector, door)
    try:
        session = aiohttp.ClientSession(connector=stand_in or MemoryTCPConnector(door), **session_kwargs)
    except BaseException:
        if stand_in is not None:
            close_stand_in(stand_in)
        raise
    door.enter()
    return session
