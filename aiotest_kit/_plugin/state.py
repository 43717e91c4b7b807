"""What fixtures and hooks share for one test: its watch, the fixture being set up, the thread that serves.

Knows pytest's stash. Decides nothing. There is nothing for pytest to rewrite here: PYTEST_DONT_REWRITE.
"""

from __future__ import annotations

from functools import partial
from threading import local
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .._asyncio.loop_thread import LoopThread
    from .._memory_door.mock import Mock
    from .._routing.router import Router
    from .strictness import Watch
    from .wide_routers import WideRouters

__all__ = [
    "WATCH",
    "being_set_up",
    "definitions_of",
    "has_traceback",
    "mock_of",
    "thread_of",
    "watch_of",
    "watched",
]

WATCH: pytest.StashKey[Watch] = pytest.StashKey()
MOCK: pytest.StashKey[Mock] = pytest.StashKey()
WIDE: pytest.StashKey[WideRouters] = pytest.StashKey()
R = TypeVar("R", bound="Router")
THREAD: pytest.StashKey[LoopThread] = pytest.StashKey()


class BeingSetUp(local):
    """The fixture that pytest sets up in this thread, as the plugin's hook says; and the test, once something
    of its own is set up.

    For the fixture that small tests use by the thousand: pytest takes longer to pass `request` as an argument
    than to set up a fixture without.
    """

    request: pytest.FixtureRequest
    item: pytest.Item | None = None


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


def mock_of(item: pytest.Item) -> Router:
    """The router of the mock that a test has; opened at the first use.

    It is open until the fixtures are torn down that were set up after it.
    """
    mocked = item.stash.get(MOCK, None)
    if mocked is None:
        from .._memory_door.mock import mock
        from .settings import log_bounds

        watch = watch_of(item)
        mocked = mock(unmatched=watch.policy.unmatched)
        mocked.router.bound_log(*log_bounds(item.config))
        mocked.open()
        item.stash[MOCK] = mocked
        watch.routers.append(mocked.router)
        item.addfinalizer(partial(end_mock_of, item, watch))
    return mocked.router


def end_mock_of(item: pytest.Item, watch: Watch) -> None:
    """Close the mock of a test, and fail the teardown by what came after the test's verdict."""
    __tracebackhide__ = has_traceback
    mocked = item.stash[MOCK]
    try:
        mocked.close()
        failure = watch.late_verdict(mocked.router)
        if failure is not None:
            raise failure
    finally:
        # A test may be run again, and then has another.
        del item.stash[MOCK]
        watch.end(mocked.router)


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
        failure = watch.late_verdict(router)
        if failure is not None:
            raise failure
    finally:
        watch.end(router)


def definitions_of(item: Any, name: str) -> Sequence[pytest.FixtureDef[Any]]:
    """The fixtures that a name stands for in a test, the innermost last; none for what is no fixture."""
    # pytest has no public way to tell before they are set up.
    definitions: Sequence[pytest.FixtureDef[Any]] = item._fixtureinfo.name2fixturedefs.get(name, ())
    return definitions


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
