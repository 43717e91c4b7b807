"""What a client forgets is collected, and its connection ends: also where routes could fail connections."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from aiotest_kit import Refuse
from tests.against_aiohttp.conftest import Door, Network

URL = "http://a.test/"
PATIENCE = 5.0


@pytest.fixture(params=["plain", "with-a-connect-fault"])
def faults(request: pytest.FixtureRequest, door: Door) -> None:
    """Whether some route fails connections, not the one that is asked."""
    if request.param == "with-a-connect-fault":
        door.router.get("http://elsewhere.test/").reply(Refuse()).optional()


async def speak_and_forget(session: aiohttp.ClientSession, gone: asyncio.Event) -> None:
    """Say something on a websocket, and leave it to the garbage collector."""
    ws = await session.ws_connect(URL)
    await ws.send_str("x")
    del ws
    # What is on its way is handed on, and what it left behind.
    await asyncio.sleep(0.01)
    gc.collect()
    await asyncio.wait_for(gone.wait(), PATIENCE)


@pytest.mark.usefixtures("faults")
@pytest.mark.aiotest(leaks="off")
async def test_websocket(door: Door, network: Network) -> None:
    """The server of a forgotten websocket learns of its end."""
    for is_real in (True, False):
        gone = asyncio.Event()

        async def listen(ws: web.WebSocketResponse, gone: asyncio.Event = gone) -> None:
            try:
                async for _ in ws:
                    pass
            finally:
                gone.set()

        async def handler(request: web.BaseRequest) -> web.StreamResponse:
            ws = web.WebSocketResponse()
            await ws.prepare(request)
            await listen(ws)
            return ws

        if is_real:
            await network.serve_web(handler)
            async with network.open_session() as session:
                await speak_and_forget(session, gone)
        else:
            door.router.ws("ws://a.test/").reply(listen)
            async with door.open_session() as session:
                await speak_and_forget(session, gone)


@pytest.mark.usefixtures("faults")
async def test_response(door: Door) -> None:
    """The connection of a forgotten response is given back when its body has ended."""
    door.router.get(URL).stream([b"a", 0.01, b"b"])
    connector = aiohttp.TCPConnector(limit=1)
    async with door.open_session(connector=connector) as session:
        response = await session.get(URL)
        del response
        gc.collect()
        response = await asyncio.wait_for(session.get(URL), PATIENCE)
        assert b"ab" == await response.read()


@pytest.mark.usefixtures("faults")
@pytest.mark.aiotest(leaks="off")
@pytest.mark.filterwarnings("ignore:Unclosed:ResourceWarning")
async def test_session(door: Door) -> None:
    """Nothing holds a forgotten session, or the connector whose connections it has pooled."""
    door.router.get(URL).reply(text="a")
    session = door.open_session()
    await (await session.get(URL)).read()
    # aiohttp 3.10 gives a connection back a turn later.
    await asyncio.sleep(0)
    forgotten: list[weakref.ref[Any]] = [weakref.ref(session), weakref.ref(session.connector)]
    del session
    gc.collect()
    assert [None, None] == [each() for each in forgotten]
