"""A body while it comes in, and what the record keeps of one. Knows asyncio only."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from .._messages.exceptions import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MOST_KEPT", "BodyStream", "RecordedBody", "body_cut"]

AHEAD = 64 * 1024
"""Bytes that may wait to be read before the sender has to."""

MOST_KEPT = 1024 * 1024
"""Bytes of a body that are kept for the record."""


def body_cut(whose: str, kept: int, length: int) -> UsageError:
    """The error for a body that is to be read, of which the record has a part."""
    return UsageError(
        f"the body of {whose} is not whole in the record: {kept} of {length} bytes are kept; "
        "Router(keep_body=...) says how many"
    )


class RecordedBody:
    """A body for the record: as much of its beginning as `MOST_KEPT`, and its `length`."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self.length: int = 0

    def add(self, data: bytes) -> None:
        """Take note of a piece."""
        room = MOST_KEPT - self.length
        self.length += len(data)
        if room > 0:
            self._pieces.append(data[:room])

    @property
    def body(self) -> bytes:
        """What is kept of it."""
        return b"".join(self._pieces)


class BodyStream:
    """A body, read piece by piece by one reader; who sends it waits while the reader is behind.

    `wait` is told when that begins (True), and when it ends.
    """

    def __init__(self, wait: Callable[[bool], None]) -> None:
        self._wait = wait
        self._pieces: list[bytes] = []
        self._waiting = 0
        self._kept = RecordedBody()
        self._paused = False
        self._discarding = False
        self._changed = asyncio.Event()
        self.ended: bool = False
        """Whether all of it has come."""
        self.broken: bool = False
        """Whether the client has gone."""

    @property
    def kept(self) -> bytes:
        """What is kept of the body; empty while it is not complete."""
        return self._kept.body if self.ended else b""

    @property
    def length(self) -> int:
        """How many bytes have come."""
        return self._kept.length

    def take(self) -> bytes:
        """What has come and was not read yet, which may be nothing."""
        data = b"".join(self._pieces)
        self._pieces.clear()
        self._waiting = 0
        if self._paused:
            self._paused = False
            self._wait(False)
        return data

    async def read(self) -> bytes:
        """What comes next; nothing at the end.

        Raises:
            ConnectionResetError: the client has gone before the end.
        """
        while not self._pieces and not self.ended:
            if self.broken:
                raise ConnectionResetError("the client closed the connection")
            await self._change()
        return self.take()

    async def gone(self) -> None:
        """Return when the client has gone."""
        while not self.broken:
            await self._change()

    def feed(self, data: bytes) -> None:
        """Take a piece in."""
        self._kept.add(data)
        if self._discarding:
            return
        self._pieces.append(data)
        self._waiting += len(data)
        if self._waiting > AHEAD and not self._paused and not self.ended:
            self._paused = True
            self._wait(True)
        self._changed.set()

    def feed_eof(self) -> None:
        """Take note that it is complete."""
        self.ended = True
        self._changed.set()

    def lose(self) -> None:
        """Take note that the client has gone."""
        self.broken = True
        self._changed.set()

    def discard(self) -> None:
        """Want nothing of the rest."""
        self._discarding = True
        self.take()

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()
