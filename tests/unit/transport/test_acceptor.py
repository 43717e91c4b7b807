"""Connections that are accepted: what happens where the system has no room for one."""

import asyncio
import errno
import socket
from typing import Any

import pytest

from aiotest_kit._transport import acceptor as module
from aiotest_kit._transport.acceptor import Acceptor


class Busy(socket.socket):
    """A listening socket for whose connections there is no descriptor at first."""

    refused = 0

    def accept(self) -> tuple[socket.socket, object]:
        if not self.refused:
            self.refused += 1
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


class Greeting(asyncio.Protocol):
    # uvloop's transports are no asyncio.Transport.
    def connection_made(self, transport: Any) -> None:
        transport.write(b"hello")
        transport.close()


@pytest.fixture
def listener() -> Busy:
    listener = Busy(socket.AF_INET, socket.SOCK_STREAM)
    listener.setblocking(False)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    return listener


async def test_no_descriptor_is_left(listener: Busy, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection waits, and is accepted when there is one again."""
    monkeypatch.setattr(module, "RETRY_DELAY", 0.0)
    acceptor = Acceptor(listener, Greeting, None)
    acceptor.start()
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    assert b"hello" == await asyncio.wait_for(reader.read(), 5)
    writer.close()
    assert 1 == listener.refused
    acceptor.stop()
    await acceptor.end()


async def test_stopped_before_there_is_one_again(listener: Busy) -> None:
    """Then nothing is tried any more, and the connection is refused."""
    acceptor = Acceptor(listener, Greeting, None)
    acceptor.start()
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    for _ in range(1000):
        if listener.refused:
            break
        await asyncio.sleep(0)
    assert acceptor._retry is not None
    acceptor.stop()
    assert acceptor._retry.cancelled()
    await acceptor.end()
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(reader.read(), 5)
    writer.close()
