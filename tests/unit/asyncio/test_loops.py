"""What is asked of an event loop beyond its own methods: what a task is in, and what comes before its end."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from aiotest_kit._asyncio.loops import before_close, coroutines_of


async def test_what_a_task_is_in() -> None:
    """The coroutines of a task are found behind an asynchronous generator, too, the outermost first."""
    told = asyncio.Event()

    async def deep() -> None:
        await told.wait()

    async def pieces() -> AsyncIterator[int]:
        await deep()
        yield 1

    async def outer() -> list[int]:
        seen = []
        async for piece in pieces():
            seen.append(piece)  # noqa: PERF401  # Python up to 3.11 has a coroutine for a comprehension
        return seen

    task = asyncio.ensure_future(outer())
    await asyncio.sleep(0)
    names = [coroutine.__name__ for coroutine in coroutines_of(task)]
    told.set()

    assert ["outer", "deep", "wait"] == names
    assert [1] == await task


def test_before_a_loop_is_closed() -> None:
    """Functions are called before it is; the loop is then as it was."""
    loop = asyncio.new_event_loop()
    log: list[str] = []
    with before_close(loop, lambda: log.append(f"first, closed: {loop.is_closed()}")):
        with before_close(loop, lambda: log.append("not any more")):
            pass
        with before_close(loop, lambda: log.append("second")):
            loop.close()
    assert ["first, closed: False", "second"] == log
    assert loop.is_closed()
    assert "close" not in vars(loop)


def test_a_loop_that_runs_is_not_closed() -> None:
    """As without: it says so, and nothing has come to its end."""
    loop = asyncio.new_event_loop()
    log: list[str] = []

    async def close() -> None:
        with before_close(loop, lambda: log.append("called")):
            loop.close()

    with pytest.raises(RuntimeError, match="Cannot close a running event loop"):
        loop.run_until_complete(close())
    loop.close()
    assert [] == log


def test_a_loop_whose_close_somebody_else_replaced() -> None:
    """It is left to them."""
    loop = asyncio.new_event_loop()
    log: list[str] = []

    def close() -> None:
        log.append("theirs")
        type(loop).close(loop)

    vars(loop)["close"] = close
    with before_close(loop, lambda: log.append("ours")):
        loop.close()
    assert ["theirs"] == log
