"""Whether a client takes what it is sent: `Flow`, the waiting half of a connection.

Knows asyncio only. Knows nothing of what is sent.
"""

from __future__ import annotations

import asyncio

__all__ = ["ClientGone", "Flow"]


class ClientGone(Exception):
    """The connection ended while a request was being answered: the client closed it, or a fault did."""


class Flow(asyncio.Protocol):
    """A protocol whose answers can wait until the client takes more."""

    loop: asyncio.AbstractEventLoop
    _drained: asyncio.Future[None] | None = None
    """Until when to wait; None while the client takes what comes."""
    _lost = False

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell who waits that the client has gone."""
        self._lost = True
        if self._drained is not None and not self._drained.done():
            self._drained.set_exception(ClientGone())

    def pause_writing(self) -> None:
        """The client takes no more for now."""
        self._drained = self.loop.create_future()

    def resume_writing(self) -> None:
        """The client takes more again."""
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        self._drained = None

    async def drained(self) -> None:
        """Return when the client can take more.

        Raises:
            ClientGone: it never will.
        """
        if self._lost:
            raise ClientGone
        if self._drained is not None:
            await self._drained
