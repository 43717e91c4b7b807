"""Tasks and functions on the loop that they belong to, from any thread. Knows asyncio only."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Iterable
    from contextvars import Context

__all__ = [
    "abandon",
    "cancel_tasks",
    "context_of",
    "end_tasks",
    "may_be_other_tasks",
    "new_task",
    "on_loop",
    "outlives_test",
    "running_loop",
    "running_task",
    "uncancel",
]

T = TypeVar("T")

outlives_test: ContextVar[bool | None] = ContextVar("aiotest_kit_outlives_test", default=None)
"""For the leak check: True in the tasks and servers of a wider fixture; None if nobody said."""


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The loop that runs in this thread, None if none does."""
    return asyncio._get_running_loop()


def running_task() -> asyncio.Task[Any] | None:
    """The task that runs in this thread, None if none does."""
    return None if running_loop() is None else asyncio.current_task()


ALL_TASKS: tuple[Collection[Any], ...] | None = (
    None
    if sys.version_info >= (3, 14)
    else (asyncio.tasks._scheduled_tasks, asyncio.tasks._eager_tasks)  # type: ignore[attr-defined]
    if sys.version_info >= (3, 12)
    else (asyncio.tasks._all_tasks,)  # type: ignore[attr-defined]
)
"""The tasks of all loops; None from Python 3.14 on, which has no such set, and lists them in little time.

Checked on 3.10 to 3.13.
"""


def may_be_other_tasks() -> bool:
    """Whether there may be a task beside the running one; to ask is quicker than to list them."""
    return ALL_TASKS is None or sum(map(len, ALL_TASKS)) > (running_task() is not None)


def on_loop(loop: asyncio.AbstractEventLoop, function: Callable[[], object]) -> None:
    """Call a function in the thread that runs `loop`: at once if that is this one, or if none does."""
    if running_loop() is loop or not loop.is_running():
        function()
    else:
        loop.call_soon_threadsafe(function)


def new_task(coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """A task that begins in the next turn of the running loop, also where the loop's tasks are eager."""
    loop = asyncio.get_running_loop()
    if loop.get_task_factory() is None:
        return loop.create_task(coroutine)
    return asyncio.Task(coroutine, loop=loop)


def context_of(task: asyncio.Task[Any]) -> Context | None:
    """The context of a task, which is told from Python 3.12 on; None before."""
    context: Context | None = getattr(task, "get_context", lambda: None)()
    return context


def cancel_tasks(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel tasks, each on its own loop."""
    for task in list(tasks):
        loop = task.get_loop()
        if loop.is_closed():
            abandon(task)
        else:
            on_loop(loop, task.cancel)


async def end_tasks(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel tasks, and wait for those of the running loop."""
    loop = asyncio.get_running_loop()
    own = [task for task in tasks if task.get_loop() is loop and task is not asyncio.current_task()]
    cancel_tasks(tasks)
    if own:
        await asyncio.gather(*own, return_exceptions=True)


def uncancel() -> None:
    """Have the running task go on after a `CancelledError` that it has caught."""
    # From Python 3.11 on, a task counts the requests to cancel it.
    getattr(asyncio.current_task(), "uncancel", int)()


def abandon(task: asyncio.Task[Any]) -> None:
    """End a task that will not run again, because its loop was closed or is about to be."""
    # asyncio has no public way to silence "Task was destroyed but it is pending".
    setattr(task, "_log_destroy_pending", False)  # noqa: B010
    coroutine = task.get_coro()
    assert coroutine is not None
    # A coroutine that ignores GeneratorExit raises RuntimeError.
    with suppress(RuntimeError):
        coroutine.close()
