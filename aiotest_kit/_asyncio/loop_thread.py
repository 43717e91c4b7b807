"""An event loop in a thread of its own. Knows asyncio and threads only."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import TimeoutError as FutureTimeout
from typing import TYPE_CHECKING, Any, TypeVar

from .tasks import abandon

if TYPE_CHECKING:
    from collections.abc import Coroutine

__all__ = ["LoopThread"]

T = TypeVar("T")


class LoopThread:
    """A thread, a daemon, in which a loop runs until `close`.

    `is_stuck` says that something blocks the loop; nothing can be done about a thread then.
    """

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop = asyncio.new_event_loop()
        self.is_stuck: bool = False
        self._thread = threading.Thread(target=self._serve, name="aiotest_kit upstream", daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """What a coroutine returns, run on the loop; the calling thread, another one, waits for it."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result()

    def run_within(self, coroutine: Coroutine[Any, Any, T], seconds: float) -> T | None:
        """What a coroutine returns, or None if it did not in time: the loop is stuck then."""
        future = asyncio.run_coroutine_threadsafe(coroutine, self.loop)
        try:
            return future.result(seconds)
        except FutureTimeout:
            self.is_stuck = True
            # Should it go on one day, it ends behind that coroutine.
            future.add_done_callback(lambda _: self.loop.stop())
            return None

    def close(self) -> None:
        """End the loop and the thread, unless it is stuck."""
        if self.is_stuck or self.loop.is_closed():
            return
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()

    def _serve(self) -> None:
        try:
            self.loop.run_forever()
        finally:
            self._end()

    def _end(self) -> None:
        for task in asyncio.all_tasks(self.loop):
            abandon(task)
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()
