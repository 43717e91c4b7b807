"""The life of an app: started when it is first needed, ended once, on one loop and in one task.

Knows asyncio only.
"""

from __future__ import annotations

import asyncio
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .._messages.exceptions import UsageError
from .loops import before_close
from .tasks import abandon, new_task, outlives_test, running_loop, uncancel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractAsyncContextManager

__all__ = ["Lifespan", "end_lives", "end_lives_soon"]

T = TypeVar("T")


class Lifespan(Generic[T]):
    """A context that is entered at the first use, and left when the mock closes or its loop ends.

    It lives in a task of its own: what is entered in a task, such as a cancel scope, has to be left in it.
    """

    def __init__(self, enter: Callable[[], AbstractAsyncContextManager[T]]) -> None:
        self._enter = enter
        self._task: asyncio.Task[None] | None = None
        self._ready: asyncio.Future[T] | None = None
        self._stop = asyncio.Event()
        self._outlives_test = outlives_test.get()

    async def entered(self, note: Callable[[BaseException], None]) -> T:
        """What the context gives; `note` keeps an error of its end, if this is the first use.

        Raises:
            UsageError: it lives on another loop.
        """
        loop = asyncio.get_running_loop()
        task = self._task
        if task is not None and task.get_loop() is not loop and not task.done() and not gone(task):
            raise UsageError("the mounted app was started on another loop, which has not ended")
        if task is None or task.done() or gone(task):
            self._stop = asyncio.Event()
            self._ready = loop.create_future()
            context = copy_context()
            if self._outlives_test:
                # It is as old as its mock, not as its first use.
                context.run(outlives_test.set, True)
            self._task = context.run(new_task, self._live(self._ready, note))
        assert self._ready is not None
        return await asyncio.shield(self._ready)

    async def _live(self, ready: asyncio.Future[T], note: Callable[[BaseException], None]) -> None:
        try:
            async with self._enter() as value:
                ready.set_result(value)
                await self._stopped()
        except (KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError):
            raise
        except BaseException as exc:  # pytest's outcomes are no Exceptions
            if ready.done():
                note(exc)
            else:
                ready.set_exception(exc)
                # Who waited may have gone.
                ready.exception()
        finally:
            if not ready.done():
                ready.cancel()

    async def _stopped(self) -> None:
        """Return when it is to end; also when the task is cancelled, as it is where the loop ends first."""
        loop = asyncio.get_running_loop()
        try:
            with before_close(loop, self.end_soon):
                await self._stop.wait()
        except asyncio.CancelledError:
            uncancel()

    def end_soon(self) -> None:
        """End it, from any thread; at once if its loop can be run here."""
        task = self._task
        if task is None or task.done():
            return
        loop = task.get_loop()
        if loop.is_closed():
            abandon(task)
        elif loop.is_running():
            loop.call_soon_threadsafe(self._stop.set)
        else:
            self._stop.set()
            if running_loop() is None:
                loop.run_until_complete(asyncio.wait([task]))

    async def end(self) -> None:
        """End it, and wait for that if it lives on the running loop."""
        self.end_soon()
        task = self._task
        if task is not None and task.get_loop() is running_loop():
            await asyncio.wait([task])


def gone(task: asyncio.Task[None]) -> bool:
    """Whether the loop of a task was closed."""
    return task.get_loop().is_closed()


def end_lives_soon(lives: Iterable[Lifespan[Any]]) -> None:
    """End them, from any thread."""
    for life in lives:
        life.end_soon()


async def end_lives(lives: Iterable[Lifespan[Any]]) -> None:
    """End them, and wait for those of the running loop."""
    for life in lives:
        await life.end()
