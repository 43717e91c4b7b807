"""What fixtures and hooks share for one test: its watch, the fixture being set up, the thread that serves.

Knows pytest's stash. Decides nothing. There is nothing for pytest to rewrite here: PYTEST_DONT_REWRITE.
"""

from __future__ import annotations

from threading import local
from typing import TYPE_CHECKING, TypeVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .._asyncio.loop_thread import LoopThread
    from .._routing.router import Router
    from .strictness import Watch

__all__ = ["being_set_up", "has_traceback", "thread_of", "watch_of", "watched"]

WATCH: pytest.StashKey[Watch] = pytest.StashKey()
R = TypeVar("R", bound="Router")
THREAD: pytest.StashKey[LoopThread] = pytest.StashKey()


class BeingSetUp(local):
    """The fixture that pytest sets up in this thread, as the plugin's hook says.

    For the fixture that small tests use by the thousand: pytest takes longer to pass `request` as an argument
    than to set up a fixture without.
    """

    request: pytest.FixtureRequest


being_set_up: BeingSetUp = BeingSetUp()


def thread_of(config: pytest.Config) -> LoopThread:
    """The thread that serves the upstreams of tests without a loop, one for all of a run."""
    from .._asyncio.loop_thread import LoopThread

    thread = config.stash.get(THREAD, None)
    if thread is None or thread.is_stuck:
        # A thread that a test has blocked must not fail those after it.
        thread = config.stash[THREAD] = LoopThread()
        config.add_cleanup(thread.close)
    return thread


def watched(watch: Watch, router: R, end: Callable[[], None] | None = None) -> Iterator[R]:
    """Give a fixture's router to the test, and fail the teardown by what comes after the test's verdict.

    That may come of the end, too.
    """
    __tracebackhide__ = has_traceback
    watch.routers.append(router)
    try:
        try:
            yield router
        finally:
            if end is not None:
                end()
        failure = watch.late_verdict()
        if failure is not None:
            raise failure
    finally:
        # A test may be run again, and then answers for that run alone.
        watch.routers.remove(router)


def watch_of(item: pytest.Item) -> Watch:
    """The watch over a test, one for all its fixtures."""
    if WATCH in item.stash:
        return item.stash[WATCH]
    from .settings import policy_of
    from .strictness import Watch

    watch = item.stash[WATCH] = Watch(policy_of(item))
    return watch


def has_traceback(excinfo: pytest.ExceptionInfo[BaseException]) -> bool:
    """Whether pytest shows how an exception came about; a frame is hidden then.

    For a failure that is only text it would say, below the text, that all frames are hidden.
    """
    return getattr(excinfo.value, "pytrace", True)
