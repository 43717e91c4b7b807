"""The check of what a loop is left with, by itself; what it finds is for tests/plugin/test_leaks.py."""

import asyncio
import gc
import weakref
from typing import Any

import aiohttp
import pytest

from aiotest_kit._leaks import LeakCheck, Makers
from aiotest_kit._location import shown_path


async def nothing() -> None:
    pass


def test_loop_is_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """What somebody else has set on the loop is there again, and in use meanwhile."""
    loop = asyncio.new_event_loop()
    made: list[Any] = []
    heard: list[Any] = []

    def create_task(coroutine: Any, **options: Any) -> Any:
        made.append(coroutine)
        return asyncio.Task(coroutine, loop=loop, **options)

    def hear(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        heard.append(context["message"])

    monkeypatch.setattr(loop, "create_task", create_task)
    loop.set_exception_handler(hear)
    check = LeakCheck(Makers(), loop)
    check.begin()
    loop.run_until_complete(loop.create_task(nothing()))
    loop.call_exception_handler({"message": "of something else"})
    assert [] == check.end()
    assert (1, ["of something else"]) == (len(made), heard)
    assert (create_task, hear) == (vars(loop)["create_task"], loop.get_exception_handler())
    loop.close()


def test_sessions_that_are_collected() -> None:
    """One that is dropped unclosed is told of, unless a wider fixture made it, or nobody knows who."""
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda loop, context: None)

    async def new_session() -> aiohttp.ClientSession:
        return aiohttp.ClientSession()

    def drop(session: aiohttp.ClientSession) -> None:
        """As its finalizer does, but now."""
        loop.call_exception_handler({"message": "Unclosed client session", "client_session": session})
        loop.run_until_complete(session.close())

    makers = Makers()
    check = LeakCheck(makers, loop)
    check.begin()
    unknown = loop.run_until_complete(new_session())
    makers.open()
    with check.excusing():
        wider = loop.run_until_complete(new_session())
    own = loop.run_until_complete(new_session())
    drop(unknown)
    drop(wider)
    drop(own)
    makers.close()
    line = new_session.__code__.co_firstlineno + 1
    assert [f"ClientSession  made at {shown_path(__file__)}:{line}"] == check.end()
    loop.close()


def test_what_was_open_is_let_go() -> None:
    """A check that is over keeps nothing: a failure's traceback has it for as long as the report lasts."""
    loop = asyncio.new_event_loop()
    before = loop.create_task(asyncio.Event().wait())
    check = LeakCheck(Makers(), loop)
    check.begin()
    before.cancel()
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(before)
    left = weakref.ref(before)
    del before
    assert [] == check.end()
    gc.collect()
    assert left() is None
    loop.close()
