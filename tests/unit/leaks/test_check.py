"""The check of what a loop is left with, by itself; what it finds is for tests/plugin/test_leaks.py."""

import asyncio
import gc
import inspect
import weakref
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest

from aiotest_kit._leaks.check import LeakCheck
from aiotest_kit._leaks.creation_log import CreationLog
from aiotest_kit._location import shown_path

pytestmark = pytest.mark.aiotest(leaks="off")


async def nothing() -> None:
    pass


def here(lines: int) -> str:
    """This file and the number of a line above the call."""
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    return f"{shown_path(__file__)}:{frame.f_back.f_lineno + lines}"


@pytest.fixture
def makers() -> Iterator[CreationLog]:
    makers = CreationLog()
    makers.open()
    yield makers
    makers.close()


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def test_kind_of_loop_is_as_before() -> None:
    """A class of loops has what was its own again, and nothing else; what is set on a loop is in use."""

    class Loop(asyncio.SelectorEventLoop):
        def create_task(self, coro: Any, **options: Any) -> Any:
            tasks.append(coro)
            return super().create_task(coro, **options)

    def hear(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        heard.append(context["message"])

    tasks: list[Any] = []
    heard: list[str] = []
    before = dict(vars(Loop))
    loop = Loop()
    makers = CreationLog()
    makers.open()
    check = LeakCheck(makers, loop)
    check.begin()
    assert before != dict(vars(Loop))
    loop.set_exception_handler(hear)
    task = loop.create_task(asyncio.Event().wait())
    loop.call_exception_handler({"message": "of something else"})
    assert [f"task Event.wait  made at {here(-2)}"] == check.end()
    assert (1, ["of something else"]) == (len(tasks), heard)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(task)
    makers.close()
    assert before == dict(vars(Loop))
    loop.close()


def test_other_loops(makers: CreationLog, loop: asyncio.AbstractEventLoop) -> None:
    """Of a loop that a test makes beside its own, nothing is told."""
    check = LeakCheck(makers, loop)
    check.begin()
    other = asyncio.new_event_loop()
    other.set_exception_handler(lambda loop, context: None)
    task = other.create_task(nothing())
    other.call_exception_handler({"message": "Task exception was never retrieved", "future": task})
    server = other.run_until_complete(asyncio.start_server(lambda *_: None, "127.0.0.1", 0))
    assert [] == check.end()
    server.close()
    other.run_until_complete(task)
    other.close()


def test_sessions_that_are_collected(makers: CreationLog, loop: asyncio.AbstractEventLoop) -> None:
    """One that is dropped unclosed is told of, unless a wider fixture made it, or nobody knows who."""
    loop.set_exception_handler(lambda loop, context: None)

    async def new_session() -> aiohttp.ClientSession:
        return aiohttp.ClientSession()

    def drop(session: aiohttp.ClientSession) -> None:
        """As the garbage collector does, but now."""
        with pytest.warns(ResourceWarning):
            session.__del__()
        loop.run_until_complete(session.close())

    earlier = loop.run_until_complete(new_session())
    check = LeakCheck(makers, loop)
    check.begin()
    with check.excusing():
        wider = loop.run_until_complete(new_session())
    own = loop.run_until_complete(new_session())
    drop(earlier)
    drop(wider)
    drop(own)
    line = new_session.__code__.co_firstlineno + 1
    assert [f"ClientSession  made at {shown_path(__file__)}:{line}"] == check.end()


def test_task_of_an_earlier_test(makers: CreationLog, loop: asyncio.AbstractEventLoop) -> None:
    """A task that failed in one test, and is dropped in the next on the same loop, is no leak of that one."""

    async def fail() -> None:
        raise ValueError

    loop.set_exception_handler(lambda loop, context: None)
    check = LeakCheck(makers, loop)
    check.begin()
    kept = [loop.create_task(fail())]
    loop.run_until_complete(nothing())
    assert [] == check.end()

    check = LeakCheck(makers, loop)
    check.begin()
    own = loop.create_task(fail())
    loop.run_until_complete(nothing())
    kept.clear()
    del own
    gc.collect()
    assert ["Task exception was never retrieved: ValueError()"] == [
        line.partition("  made at ")[0] for line in check.end()
    ]


def test_next_test(makers: CreationLog, loop: asyncio.AbstractEventLoop) -> None:
    """What one test was told of, another is not."""
    loop.set_exception_handler(lambda loop, context: None)
    check = LeakCheck(makers, loop)
    check.begin()
    lost = loop.create_future()
    loop.call_exception_handler({"message": "Future exception was never retrieved", "future": lost})
    assert [f"Future exception was never retrieved: {lost!r}"] == check.end()
    check.begin()
    assert [] == check.end()


def test_what_was_open_is_let_go(makers: CreationLog, loop: asyncio.AbstractEventLoop) -> None:
    """A check that is over keeps nothing: a failure's traceback has it for as long as the report lasts."""
    before = loop.create_task(asyncio.Event().wait())
    check = LeakCheck(makers, loop)
    check.begin()
    before.cancel()
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(before)
    left = weakref.ref(before)
    del before
    assert [] == check.end()
    gc.collect()
    assert left() is None
