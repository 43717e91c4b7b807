"""The life of an app: begun at the first use, ended once, whatever becomes of its loop."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from aiotest_kit import UsageError
from aiotest_kit._asyncio.lifespan import Lifespan, end_lives, end_lives_soon


class App:
    """Something that is started and stopped, and says so."""

    def __init__(self) -> None:
        self.log: list[object] = []
        self.noted: list[BaseException] = []
        self.fails_at = ""
        self.may_start = asyncio.Event()
        self.may_start.set()
        self.life = Lifespan(self.enter)

    def enter(self) -> AbstractAsyncContextManager[str]:
        return self.context()

    @asynccontextmanager
    async def context(self) -> AsyncIterator[str]:
        await self.may_start.wait()
        if self.fails_at == "start":
            raise ValueError("start")
        self.log.append("started")
        try:
            yield "value"
        finally:
            self.log.append("stopped")
        if self.fails_at == "stop":
            raise ValueError("stop")

    async def use(self) -> str:
        return await self.life.entered(self.noted.append)


@pytest.fixture
def app() -> App:
    return App()


async def test_it_is_entered_once(app: App) -> None:
    """All who use it have the same value; it is left once, however often it is ended."""
    assert ["value"] * 3 == list(await asyncio.gather(app.use(), app.use(), app.use()))
    await end_lives([app.life])
    await app.life.end()

    assert ["started", "stopped"] == app.log


async def test_what_was_never_used_is_not_ended(app: App) -> None:
    """Without a use there is nothing to end."""
    end_lives_soon([app.life])
    await app.life.end()

    assert [] == app.log


async def test_it_can_be_used_again(app: App) -> None:
    """After its end a use begins it anew."""
    await app.use()
    await app.life.end()
    await app.use()
    await app.life.end()

    assert ["started", "stopped"] * 2 == app.log


async def test_an_error_at_its_beginning_is_raised(app: App) -> None:
    """Each who uses it is told; nothing is noted."""
    app.fails_at = "start"
    for _ in range(2):
        with pytest.raises(ValueError, match="start"):
            await app.use()

    assert [] == app.noted


async def test_an_error_at_its_end_is_noted(app: App) -> None:
    """Nobody waits for the end, so it is kept."""
    app.fails_at = "stop"
    await app.use()
    await app.life.end()

    assert ["stop"] == [str(exc) for exc in app.noted]


async def test_who_gives_up_does_not_stop_it(app: App) -> None:
    """One of those who wait for its beginning may be cancelled."""
    app.may_start.clear()
    first, second = asyncio.ensure_future(app.use()), asyncio.ensure_future(app.use())
    await asyncio.sleep(0)
    first.cancel()
    app.may_start.set()
    assert "value" == await second
    await app.life.end()


def test_its_loop_ends(app: App) -> None:
    """The end of the loop leaves it, also amid its beginning; then another loop may begin it anew."""

    async def use_and_go() -> None:
        await app.use()

    async def begin_and_go() -> None:
        app.may_start.clear()
        asking = asyncio.ensure_future(app.use())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not asking.done()

    asyncio.run(use_and_go())
    assert ["started", "stopped"] == app.log
    app = App()
    asyncio.run(begin_and_go())

    assert [] == app.log


def test_its_loop_rests(app: App) -> None:
    """A loop that does not run is run for the end of it."""
    loop = asyncio.new_event_loop()
    loop.run_until_complete(app.use())
    app.life.end_soon()
    assert ["started", "stopped"] == app.log
    loop.close()


async def test_another_loop_rests(app: App) -> None:
    """While one loop runs here another cannot; it ends when it runs on."""
    loop = asyncio.new_event_loop()

    def elsewhere() -> None:
        loop.run_until_complete(app.use())

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    with pytest.raises(UsageError) as caught:
        await app.use()
    app.life.end_soon()
    assert ["started"] == app.log
    thread = threading.Thread(target=lambda: loop.run_until_complete(asyncio.sleep(0.01)))
    thread.start()
    thread.join()
    loop.close()

    assert "the mounted app was started on another loop, which has not ended" == str(caught.value)
    assert ["started", "stopped"] == app.log


async def test_its_loop_runs_elsewhere(app: App) -> None:
    """From another thread it is told to end, and does so there."""
    ready, ended = threading.Event(), threading.Event()

    async def serve() -> None:
        await app.use()
        ready.set()
        while "stopped" not in app.log:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        ended.set()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    await asyncio.to_thread(ready.wait)
    await app.life.end()
    await asyncio.to_thread(ended.wait)
    thread.join()

    assert ["started", "stopped"] == app.log


def test_its_loop_is_closed(app: App) -> None:
    """A loop that was closed under it leaves nothing to be warned of."""
    loop = asyncio.new_event_loop()
    loop.run_until_complete(app.use())
    loop.close()
    app.life.end_soon()
    assert ["started", "stopped"] == app.log

    async def again() -> None:
        await app.use()
        await app.life.end()

    asyncio.run(again())
    assert ["started", "stopped"] * 2 == app.log


def test_its_loop_is_closed_by_other_means(app: App) -> None:
    """A loop that was closed past its `close` leaves nothing to be warned of."""
    loop = asyncio.new_event_loop()
    loop.run_until_complete(app.use())
    type(loop).close(loop)
    app.life.end_soon()
    assert ["started", "stopped"] == app.log
