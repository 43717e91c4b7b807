"""Virtual time: a loop whose clock jumps to the next timer when nothing else is left to do.

`virtual_time` changes a running loop of the standard library for the length of a block: what it takes for its
clock and its selector. Nothing else has to take part, so it serves every runner of async tests. Where the
loop waits for something outside of it, the clock stands still. Knows asyncio. Knows nothing of pytest.

A jump happens where asyncio would sleep: in `select`, with the time to the next timer as its timeout.
"""

from __future__ import annotations

import asyncio
import math
import os
import selectors
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .._aiohttp.connectors import expect_jumps
from .._asyncio.loops import innermost_wait
from .._asyncio.patching import replace_own
from .._messages.exceptions import UsageError, VirtualTimeError
from .._messages.wording import join_names
from .external_waits import ExternalWaits

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

__all__ = ["VirtualClock", "VirtualTime", "virtual_time"]

SHORTEST_RESOLUTION = 1e-6
"""Seconds within which a timer counts as due: asyncio's 1e-9 is less than a step of a large float."""


class VirtualClock:
    """The clock of a block: what `async with virtual_time()` and the fixture `virtual_clock` give."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._began = driver.now

    def __repr__(self) -> str:
        return f"<VirtualClock at {self.now:.6g} s>"

    @property
    def now(self) -> float:
        """Seconds since the block began, in virtual time; `loop.time()` advances with it."""
        return self._driver.now - self._began

    async def advance(self, seconds: float) -> None:
        """Let `seconds` pass: all that falls due on the way happens, in its order, before this returns.

        With 0, what can run now does.

        Raises:
            UsageError: `seconds` are negative or no number.
        """
        if not is_time(seconds) or not 0 <= seconds < math.inf:
            raise UsageError(f"advance({seconds!r}): time goes forward, by a number of seconds")
        await asyncio.sleep(seconds)
        await self._driver.settled()


def is_time(value: object) -> bool:
    """Whether a value is a number."""
    return isinstance(value, (int, float))


class VirtualTime:
    """What `virtual_time` returns: an async context manager that gives the clock."""

    def __init__(self, patience: float) -> None:
        if not 0 <= patience < math.inf:
            raise UsageError(f"patience={patience!r}: it is a number of seconds of real time")
        self.patience = patience
        self.task: asyncio.Task[Any] | None = None
        self._driver: Driver | None = None

    async def __aenter__(self) -> VirtualClock:
        if self._driver is not None:
            raise UsageError("this block of virtual time is open already; virtual_time() makes another one")
        loop = asyncio.get_running_loop()
        self._driver = driver = driver_of(loop) or Driver(loop)
        driver.open(self)
        return VirtualClock(driver)

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        driver, self._driver = self._driver, None
        assert driver is not None
        driver.close(self)


def virtual_time(*, patience: float = 5.0) -> VirtualTime:
    """A clock that jumps, on the running loop, until the block ends: `async with virtual_time() as clock:`.

    While all that can run waits, the clock jumps to the next timer: timeouts, delays, heartbeats and back-off
    keep their order and their lengths, and take no time. `clock.now` is in seconds since the block began, and
    `await clock.advance(5)` lets 5 s pass. `loop.time()` never goes back, also afterwards.

    Threads, processes and connections to elsewhere take their real time, in which the clock stands still; a
    wait for them of more than `patience` seconds raises `VirtualTimeError`. So does a wait that nothing will
    end, and a loop that is not of the standard library. In memory, and over sockets whose both ends are in
    this loop, there is nothing to wait for. Blocks nest; each loop has a clock of its own.
    """
    return VirtualTime(patience)


DRIVER = "_aiotest_kit_clock"
"""Under this name a loop has its driver while it is in virtual time."""


def driver_of(loop: asyncio.AbstractEventLoop) -> Driver | None:
    """What drives the clock of a loop that is in virtual time; None for another."""
    driver: Driver | None = vars(loop).get(DRIVER) if hasattr(loop, "__dict__") else None
    return driver


class Driver:
    """What drives the clock of one loop, from the first block that opens on it to the last that closes."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        check_loop(loop)
        self._loop: Any = loop
        self._blocks: list[VirtualTime] = []
        self._external = ExternalWaits(loop)
        self._settling: list[asyncio.Future[None]] = []
        self._undo = ExitStack()
        self.now: float = 0.0

    # Opening and closing.

    def open(self, block: VirtualTime) -> None:
        """One more block; with the first, the loop is in virtual time."""
        if not self._blocks:
            self._install()
        block.task = asyncio.current_task()
        self._blocks.append(block)

    def close(self, block: VirtualTime) -> None:
        """One block less; with the last, the loop's clock runs by itself again, from where it is."""
        self._blocks.remove(block)
        if not self._blocks:
            self._undo.close()

    def _install(self) -> None:
        loop = self._loop
        expect_jumps()
        # aiohttp rounds timeouts up to whole seconds of the loop's clock: from one on they are exact.
        self.now = float(math.ceil(loop.time()))
        self._undo.callback(self._run_on, loop.time, loop._clock_resolution)
        replaced = {
            DRIVER: self,
            "time": lambda: self.now,
            "run_until_complete": self._noticing_main(loop.run_until_complete),
            **self._external.patched_methods(),
        }
        replace_own(loop, replaced, self._undo)
        selector = loop._selector
        loop._selector = VirtualSelector(selector, self)
        self._undo.callback(setattr, loop, "_selector", selector)
        self._keep_resolution()

    def _run_on(self, before: Callable[[], float], resolution: float) -> None:
        """Let the clock go on from here: what is scheduled keeps its distance, and time does not go back."""
        self._loop._clock_resolution = max(resolution, 2 * math.ulp(self.now))
        real_time = before.real_time if isinstance(before, OffsetClock) else before
        self._loop.time = OffsetClock(real_time, self.now - real_time())

    def _keep_resolution(self) -> None:
        """Keep a timer due at the time that it is due, however large that is."""
        loop = self._loop
        loop._clock_resolution = max(loop._clock_resolution, SHORTEST_RESOLUTION, 2 * math.ulp(self.now))

    def _noticing_main(self, run: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """`run_until_complete`, which runs the test if the block was opened before it, by a fixture."""

        def noticed(future: Any) -> Any:
            task = asyncio.ensure_future(future, loop=self._loop)
            for block in self._blocks:
                block.task = task
            return run(task)

        return noticed

    # What the selector asks.

    def idle(self, timeout: float | None, select: Callable[[float | None], list[Any]]) -> list[Any]:
        """What happens when nothing can run: time jumps by `timeout`, or what is outside is waited for."""
        if self._settling:
            for future in self._settling:
                if not future.done():
                    future.set_result(None)
            self._settling.clear()
            return []
        outside, transit = self._external.what()
        if timeout is not None and not outside:
            arrived = select(transit) if transit else []
            if not arrived:
                self.jump(timeout)
            return arrived
        patience = min(block.patience for block in self._blocks)
        events = select(patience)
        if not events:
            self._fail(stands_still(outside, patience) if outside else deadlock(self._loop, patience))
        return events

    def jump(self, seconds: float) -> None:
        """Let time pass at once."""
        self.now += seconds
        whole = round(self.now)
        if abs(self.now - whole) < SHORTEST_RESOLUTION / 2:
            # Else what floats leave over would grow, with aiohttp's rounding, to a whole second.
            self.now = float(whole)
        self._keep_resolution()

    async def settled(self) -> None:
        """Return when nothing else can run at this time."""
        future = self._loop.create_future()
        self._settling.append(future)
        await future

    def _fail(self, text: str) -> None:
        """Raise an error where the innermost block waits; out of the loop if none does."""
        error = VirtualTimeError(text)
        for block in reversed(self._blocks):
            waits_for = innermost_wait(block.task)
            if waits_for is not None:
                waits_for.set_exception(error)
                return
        raise error

    def can_run(self) -> bool:
        """Whether there is something to run that is not a timer."""
        return bool(self._loop._ready)


class VirtualSelector:
    """A loop's selector, which lets time jump instead of sleeping."""

    def __init__(self, selector: Any, driver: Driver) -> None:
        self._selector = selector
        self._driver = driver
        self._stuck = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._selector, name)

    def select(self, timeout: float | None = None) -> list[Any]:
        """The events there are; if there are none, what `Driver.idle` makes of it."""
        events: list[Any] = self._selector.select(0)
        if timeout is not None and timeout <= 0:
            self._notice_stuck()
        elif not events:
            self._stuck = 0
            return self._driver.idle(timeout, self._selector.select)
        return events

    def _notice_stuck(self) -> None:
        """Help a timer that is set again for the very time at which it fires.

        As the server's keep-alive does up to aiohttp 3.11.10, for a clock that is exactly on time
        (https://github.com/aio-libs/aiohttp/issues/10149).
        """
        self._stuck = 0 if self._driver.can_run() else self._stuck + 1
        if self._stuck > 1:
            self._driver.now += SHORTEST_RESOLUTION


@dataclass(frozen=True)
class OffsetClock:
    """The clock of a loop that was in virtual time: the real one, and what it is ahead of it."""

    real_time: Callable[[], float]
    ahead: float

    def __call__(self) -> float:
        return self.real_time() + self.ahead


def check_loop(loop: Any) -> None:
    """Refuse a loop whose clock cannot be driven.

    Raises:
        VirtualTimeError: it is not one of asyncio's, or has a virtual clock of its own.
    """
    kind = f"{type(loop).__module__}.{type(loop).__qualname__}"
    packages = {cls.__module__.partition(".")[0] for cls in type(loop).__mro__}
    for name in ("looptime", "async_solipsism"):
        # looptime's loops run in real time for all tests that it was not asked for.
        if name in packages and getattr(loop, "looptime_on", True):
            raise VirtualTimeError(f"{kind} has virtual time of its own, by {name}; use either")
    if not isinstance(loop, asyncio.BaseEventLoop) or not isinstance(
        getattr(loop, "_selector", None), selectors.BaseSelector
    ):
        raise VirtualTimeError(
            f"virtual time needs a selector loop of asyncio, and this is {kind};"
            " run this test on asyncio.SelectorEventLoop"
        )


def stands_still(outside: list[str], patience: float) -> str:
    """Why the clock does not jump, for a message."""
    return (
        f"virtual time stood still for {patience:g} s of real time, waiting for {join_names(outside)};"
        " what happens outside this loop takes its real time: shorten it, or serve it in memory"
    )


def deadlock(loop: asyncio.AbstractEventLoop, patience: float) -> str:
    """Who waits where, for ever; for a message."""
    lines = [
        f"deadlock in virtual time: no timer is set, and nothing happened in {patience:g} s of real time"
    ]
    for task in sorted(asyncio.all_tasks(loop), key=lambda task: task.get_name()):
        for frame in task.get_stack(limit=1):
            place = f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"
            lines.append(f"  {task.get_name()} waits at {place} in {frame.f_code.co_name}")
    return "\n".join(lines)
