"""How the memory door ends what it opened, on loops that run and on loops that are gone."""

import asyncio
import gc
import inspect

import pytest
from aiohttp import web

from aiotest_kit import Origin, Router, mock_session
from aiotest_kit._asyncio.tasks import cancel_tasks
from aiotest_kit._memory_door.session import SessionDoor
from aiotest_kit._server.protocol import ServerProtocol
from aiotest_kit._transport.memory import connected


async def for_ever() -> None:
    await asyncio.Event().wait()


def test_task_of_a_closed_loop(caplog: pytest.LogCaptureFixture) -> None:
    """A task that its loop left behind is ended, and nobody is warned of it."""
    loop = asyncio.new_event_loop()
    coroutine = for_ever()
    task = loop.create_task(coroutine)
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()

    cancel_tasks([task])
    assert inspect.CORO_CLOSED == inspect.getcoroutinestate(coroutine)
    del task
    gc.collect()
    assert [] == caplog.records


def test_task_of_another_loop() -> None:
    """A task of a loop that does not run now is cancelled, and ends when that runs again."""
    loop = asyncio.new_event_loop()
    task = loop.create_task(for_ever())
    loop.run_until_complete(asyncio.sleep(0))

    cancel_tasks([task])
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(task)
    loop.close()


def test_connection_of_a_closed_loop() -> None:
    """A connection whose loop is gone needs no ending."""
    loop = asyncio.new_event_loop()
    door = SessionDoor(Router(), None)
    peer = ServerProtocol(Router(), Origin("http", "a.test", 80), loop, door.connections)
    connected(loop, asyncio.Protocol(), peer, ("192.0.2.1", 80))
    assert {peer} == door.connections
    loop.close()

    door.hang_up()
    assert not peer.transport.is_closing()


async def test_connector_closed_twice() -> None:
    """The app behind a session ends once, with its connector."""
    ends: list[web.Application] = []

    async def end(app: web.Application) -> None:
        ends.append(app)

    app = web.Application()
    app.on_cleanup.append(end)
    router = Router()
    router.mount("http://api.test", app)
    session = mock_session(router)
    async with session.get("http://api.test/") as response:
        assert 404 == response.status
    connector = session.connector
    assert connector is not None
    await connector.close()
    await connector.close()
    await session.close()

    assert [app] == ends
