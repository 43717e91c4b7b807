"""Waiting for a condition: on one loop, from other threads, in vain."""

import asyncio
import threading
from collections.abc import Callable

import pytest

from aiotest_kit._asyncio.waiters import Waiters


def condition(*answers: bool) -> Callable[[], bool]:
    """A condition that answers so, the last for ever."""
    left = list(answers)
    return lambda: left.pop(0) if len(left) > 1 else left[0]


@pytest.mark.parametrize(
    ("answers", "timeout", "holds"),
    [
        pytest.param([True], 0, True, id="holds already"),
        pytest.param([False], 0, False, id="never holds"),
        pytest.param([False, True], None, True, id="comes to hold while the waiter lines up"),
        pytest.param([False, False, True], 0, True, id="comes to hold with nobody notified"),
    ],
)
async def test_without_notification(answers: list[bool], timeout: float | None, holds: bool) -> None:
    """The answer is whether the condition holds when the waiting ends."""
    waiters = Waiters()

    assert holds is await waiters.until(condition(*answers), timeout)
    assert not waiters


async def waiting(waiters: Waiters, test: Callable[[], bool]) -> "asyncio.Task[bool]":
    """A task that waits already."""
    task = asyncio.create_task(waiters.until(test, 5))
    await asyncio.sleep(0)
    return task


async def test_notify() -> None:
    """Only those whose condition holds are woken."""
    waiters, state = Waiters(), {1: False, 2: False}
    first = await waiting(waiters, lambda: state[1])
    second = await waiting(waiters, lambda: state[2])

    state[1] = True
    waiters.notify()

    assert await first
    assert not second.done()
    assert waiters
    state[2] = True
    waiters.notify()
    waiters.notify()
    assert await second
    assert not waiters


async def test_cancelled_while_being_woken() -> None:
    """Who gives up is not waited for any more, also when it was woken in the same turn."""
    waiters, state = Waiters(), [False]
    task = await waiting(waiters, lambda: state[0])
    task.cancel()
    state[0] = True
    waiters.notify()

    await asyncio.wait([task])

    assert not waiters


def test_from_another_thread() -> None:
    """Whoever changes the thing may be in another thread, with no loop at all."""
    waiters, state, started = Waiters(), [False], threading.Event()
    results: list[bool] = []

    def asked() -> bool:
        started.set()
        return state[0]

    thread = threading.Thread(target=lambda: results.append(asyncio.run(waiters.until(asked, 5))))
    thread.start()
    started.wait()
    state[0] = True
    waiters.notify()
    thread.join()

    assert [True] == results


def test_closed_loop() -> None:
    """A waiter whose loop was closed under it keeps nobody else from being woken."""
    waiters, state = Waiters(), [False]
    loop = asyncio.new_event_loop()
    task = loop.create_task(waiters.until(lambda: state[0]))
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    state[0] = True

    waiters.notify()

    assert not task.done()
    task._log_destroy_pending = False  # type: ignore[attr-defined]  # it is what this test is about
