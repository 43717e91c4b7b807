"""Answers that are held: who waits, who is let go, on one loop and on two."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from aiotest_kit import Gate


async def arrived(gate: Gate, number: int) -> "list[asyncio.Task[None]]":
    """Requests that wait at the gate, in order."""
    tasks = [asyncio.create_task(gate.passed()) for _ in range(number)]
    await gate.waiting(number)
    return tasks


def passed(tasks: "list[asyncio.Task[None]]") -> list[bool]:
    return [task.done() for task in tasks]


async def settled(gate: Gate, held: int) -> None:
    """Return when only `held` requests wait; the turns of the loop that this takes are few."""
    for _ in range(10):
        if gate.held == held:
            return
        await asyncio.sleep(0)
    raise AssertionError(f"{gate.held} are held, not {held}")


async def test_release_all() -> None:
    """Without a number, all that wait go on, and whoever comes later."""
    gate = Gate("route")
    tasks = await arrived(gate, 3)
    assert 3 == gate.held

    gate.release()
    await asyncio.gather(*tasks)
    await gate.passed()

    assert 0 == gate.held


async def test_release_some() -> None:
    """Those who have waited longest go first."""
    gate = Gate("route")
    tasks = await arrived(gate, 3)

    gate.release(1)
    await settled(gate, 2)
    await asyncio.sleep(0)
    assert [True, False, False] == passed(tasks)

    gate.release(2)
    await asyncio.gather(*tasks)
    assert 0 == gate.held


async def test_release_in_advance() -> None:
    """Who was let go before coming does not wait; the next one does."""
    gate = Gate("route")
    gate.release(1)

    await gate.passed()
    (task,) = await arrived(gate, 1)

    assert not task.done()
    gate.release()
    await task


async def test_who_gives_up_is_not_counted() -> None:
    """A request whose client left leaves its place to the next."""
    gate = Gate("route")
    first, second = await arrived(gate, 2)
    first.cancel()
    await settled(gate, 1)

    gate.release(1)

    await asyncio.wait_for(second, 1)


async def test_who_gives_up_while_being_let_go() -> None:
    """A turn that was not taken is the next one's."""
    gate = Gate("route")
    first, second = await arrived(gate, 2)

    gate.release(1)
    first.cancel()

    await asyncio.wait([first])
    assert first.cancelled()
    await asyncio.wait_for(second, 1)


async def test_waiting() -> None:
    """Waiting returns when there are enough, at once if there are."""
    gate = Gate("route")
    watcher = asyncio.create_task(gate.waiting(2))
    tasks = [asyncio.create_task(gate.passed())]
    await gate.waiting()
    assert not watcher.done()

    tasks.append(asyncio.create_task(gate.passed()))
    await watcher
    await gate.waiting(2, timeout=0)

    gate.release()
    await asyncio.gather(*tasks)


async def test_waiting_in_vain() -> None:
    """The report says how many came, where, and for how long it waited."""
    gate = Gate("<Route GET /a (test.py:7)>")
    tasks = await arrived(gate, 1)

    with pytest.raises(AssertionError) as caught:
        await gate.waiting(2, timeout=0)

    assert "1 of 2 requests waited at <Gate of '<Route GET /a (test.py:7)>', holding 1> after 0 s" == str(
        caught.value
    )
    gate.release()
    await asyncio.gather(*tasks)


async def test_repr() -> None:
    """A gate shows whether it is open."""
    gate = Gate("route")
    closed = repr(gate)
    gate.release()

    assert ("<Gate of 'route', holding 0>", "<Gate of 'route', open>") == (closed, repr(gate))


def test_two_loops() -> None:
    """Requests on two loops in two threads wait at one gate, watched and released from a third."""
    gate = Gate("route")
    order: list[str] = []
    first_waits = threading.Event()

    async def request(name: str) -> None:
        await gate.passed()
        order.append(name)

    async def two_requests() -> None:
        first = asyncio.create_task(request("first"))
        await gate.waiting(1)
        first_waits.set()
        await first

    async def watch() -> None:
        await gate.waiting(2, timeout=5)
        gate.release(1)

    with ThreadPoolExecutor(3) as pool:
        one = pool.submit(asyncio.run, two_requests())
        first_waits.wait()
        other = pool.submit(asyncio.run, request("second"))
        pool.submit(asyncio.run, watch()).result()
        one.result()
        assert ["first"] == order
        gate.release(1)
        other.result()

    assert ["first", "second"] == order


def test_many_on_two_loops() -> None:
    """Whatever the threads do meanwhile, as many go on as were let go."""
    gate = Gate("route")
    number = 40

    async def requests() -> None:
        await asyncio.gather(*(gate.passed() for _ in range(number)))

    async def release_stalled() -> None:
        await gate.waiting(2 * number, timeout=5)
        for _ in range(2 * number):
            gate.release(1)

    with ThreadPoolExecutor(3) as pool:
        runs = [pool.submit(asyncio.run, each()) for each in (requests, requests, release_stalled)]
        for run in runs:
            run.result(10)

    assert 0 == gate.held
