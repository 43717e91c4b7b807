"""What one end of a connection can tell of the other, in memory and over sockets."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from aiotest_kit._transport.flow_control import ClientGone, FlowControl, has_gone, unsent
from aiotest_kit._transport.memory import connected
from aiotest_kit._transport.socket_info import reset

MUCH = bytes(8_000_000)
PATIENCE = 10


class End(FlowControl):
    """One end that may be asked to leave what comes."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.received = 0
        self.ended_by_other: asyncio.Future[None] = self.loop.create_future()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += len(data)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.ended_by_other.set_result(None)


Ends = tuple[End, End]
"""The server's end, and the client's."""


@asynccontextmanager
async def in_memory() -> AsyncIterator[Ends]:
    near, far = End(), End()
    connected(near.loop, near, far, ("192.0.2.1", 80))
    yield far, near


@asynccontextmanager
async def over_tcp() -> AsyncIterator[Ends]:
    loop = asyncio.get_running_loop()
    ends: list[End] = []

    def accepted() -> End:
        ends.append(End())
        return ends[0]

    server = await loop.create_server(accepted, "127.0.0.1", 0)
    _, near = await loop.create_connection(End, *server.sockets[0].getsockname())
    while not ends:  # noqa: ASYNC110  # nothing tells of it
        await asyncio.sleep(0)
    yield ends[0], near
    for end in (near, ends[0]):
        end.transport.abort()
    server.close()
    await asyncio.sleep(0)


@asynccontextmanager
async def over_unix() -> AsyncIterator[Ends]:
    loop = asyncio.get_running_loop()
    here, there = socket.socketpair()
    _, far = await loop.create_connection(End, sock=here)
    _, near = await loop.create_connection(End, sock=there)
    yield far, near
    for end in (near, far):
        end.transport.abort()
    await asyncio.sleep(0)


KINDS = {"memory": in_memory, "tcp": over_tcp, "unix": over_unix}


@pytest.fixture(params=KINDS)
async def ends(request: pytest.FixtureRequest) -> AsyncIterator[Ends]:
    async with KINDS[request.param]() as ends:
        yield ends


async def test_there(ends: Ends) -> None:
    """An end that neither says nor does anything is there, and nothing waits to be sent."""
    far, _ = ends
    assert (False, 0) == (has_gone(far.transport), unsent(far.transport))
    assert not far.client_has_gone()


@pytest.mark.parametrize("act", ["close", "abort"])
async def test_gone(act: str, ends: Ends) -> None:
    """One that has closed has gone, before this end has noticed."""
    far, near = ends
    far.transport.pause_reading()
    getattr(near.transport, act)()
    await asyncio.sleep(0)
    assert has_gone(far.transport)
    assert not far.transport.is_closing()


async def test_gone_from_here(ends: Ends) -> None:
    """One that was closed from here has gone as well."""
    far, _ = ends
    far.transport.close()
    assert has_gone(far.transport)


async def test_reset() -> None:
    """So has one whose connection was reset."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        accepted, _ = listener.accept()
    transport, _ = await asyncio.get_running_loop().create_connection(End, sock=accepted)
    transport.pause_reading()
    near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    near.close()
    assert has_gone(transport)
    transport.abort()
    await asyncio.sleep(0)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
async def test_unsent() -> None:
    """What the other end has no room for is counted, until there is."""
    async with over_tcp() as (far, near):
        near.transport.pause_reading()
        far.transport.write(MUCH)
        assert unsent(far.transport) > 0
        near.transport.resume_reading()
        await far.arrived()
        assert 0 == unsent(far.transport) == far.transport.get_write_buffer_size()


async def test_arrived(ends: Ends) -> None:
    """What was written has arrived once there is no more of it at this end, and a reset cannot drop it."""
    far, near = ends
    far.transport.write(MUCH)
    await far.arrived()
    assert 0 == far.transport.get_write_buffer_size()
    reset(far.transport)
    await asyncio.wait_for(near.ended_by_other, PATIENCE)
    assert len(MUCH) == near.received


async def test_never_arrives(ends: Ends) -> None:
    """It never does where the client goes."""
    far, near = ends
    near.transport.pause_reading()
    far.transport.write(MUCH)
    waiting = asyncio.ensure_future(far.arrived())
    await asyncio.sleep(0)
    near.transport.abort()
    with pytest.raises(ClientGone):
        await waiting


async def test_ended(ends: Ends) -> None:
    """The end of a connection can be waited for, also when it has come; who gave up waiting is not told."""
    far, near = ends
    given_up = asyncio.ensure_future(far.ended())
    await asyncio.sleep(0)
    given_up.cancel()
    waiting = asyncio.ensure_future(far.ended())
    await asyncio.sleep(0)
    near.transport.close()
    for waiter in (waiting, far.ended()):
        with pytest.raises(ClientGone):
            await waiter
    assert far.client_has_gone()
    assert given_up.cancelled()
