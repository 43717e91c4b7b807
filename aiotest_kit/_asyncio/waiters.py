"""Waiting for something to become true, from any loop and any thread. Knows asyncio only."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Waiters"]


@dataclass(frozen=True, eq=False)
class Waiter:
    """One coroutine that waits, on its own loop."""

    condition: Callable[[], bool]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[None]


class Waiters:
    """The coroutines that wait for conditions on one thing; whoever changes it calls `notify`."""

    __slots__ = ("_waiters",)

    def __init__(self) -> None:
        self._waiters: list[Waiter] = []

    def __bool__(self) -> bool:
        return bool(self._waiters)

    async def until(self, condition: Callable[[], bool], timeout: float | None = None) -> bool:
        """Whether `condition` came to hold, within `timeout` seconds of the loop's clock if given."""
        if condition():
            return True
        loop = asyncio.get_running_loop()
        waiter = Waiter(condition, loop, loop.create_future())
        self._waiters.append(waiter)
        try:
            # The condition may have come to hold, in another thread, before the waiter stood in the list.
            if not condition():
                await asyncio.wait_for(waiter.future, timeout)
        except asyncio.TimeoutError:
            return condition()
        finally:
            self._waiters.remove(waiter)
        return True

    def notify(self) -> None:
        """Wake those whose condition holds now."""
        for waiter in list(self._waiters):
            if waiter.condition():
                # A loop that was closed meanwhile has nobody left to wake.
                with suppress(RuntimeError):
                    waiter.loop.call_soon_threadsafe(resolve, waiter.future)


def resolve(future: asyncio.Future[None]) -> None:
    """Set the result, unless the waiting was given up."""
    if not future.done():
        future.set_result(None)
