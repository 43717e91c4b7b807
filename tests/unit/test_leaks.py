"""The check of what a loop is left with, by itself; what it finds is for tests/plugin/test_leaks.py."""

import asyncio
from typing import Any

import pytest

from aiotest_kit._leaks import LeakCheck, Makers


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
