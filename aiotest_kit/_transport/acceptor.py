"""Accepting connections on an event loop, so that each is known from its first moment and none outlives its
server.

asyncio's own servers tell of a connection only after its TLS handshake, and lose those that are accepted just
as the server closes. Knows sockets, loops and TLS contexts. Knows nothing of HTTP.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from .._asyncio.tasks import new_task

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

__all__ = ["Acceptor"]

ACCEPTED_AT_ONCE = 128
"""Connections that are accepted in one turn of the loop, before others have theirs."""

RETRY_DELAY = 1.0
"""Seconds to wait before accepting again where the system has no descriptor left, as asyncio's servers do."""

CLOSING_TURNS = 50
"""Turns of the loop in which connections have to end that were shut down; it takes about five."""


class Acceptor:
    """Accepts the connections of a listening socket, on the running loop, from `start` to `stop`."""

    def __init__(
        self,
        listener: socket.socket,
        make_protocol: Callable[[], asyncio.Protocol],
        context: ssl.SSLContext | None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._listener = listener
        self._make_protocol = make_protocol
        self._context = context
        self._accepted: WeakSet[socket.socket] = WeakSet()
        self._connecting: set[asyncio.Task[Any]] = set()
        self._retry: asyncio.TimerHandle | None = None
        self._accepting: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to accept."""
        try:
            self._loop.add_reader(self._listener, self._accept)
        except NotImplementedError:  # pragma: no cover (the proactor of Windows)
            self._accepting = new_task(self._accept_in_turn())

    def stop(self) -> None:
        """Accept no more, and end what is still connecting."""
        if self._accepting is not None:  # pragma: no cover (the proactor of Windows)
            self._accepting.cancel()
        else:
            self._loop.remove_reader(self._listener)
        if self._retry is not None:
            self._retry.cancel()
        self._listener.close()
        for task in self._connecting:
            task.cancel()

    async def end(self) -> None:
        """End all connections, and return when they have ended."""
        self.shut_down()
        for _ in range(CLOSING_TURNS):  # pragma: no branch  # as many as can be needed
            await asyncio.sleep(0)
            if not self.still_open:
                break

    @property
    def still_open(self) -> list[socket.socket]:
        """The connections that nobody has closed yet."""
        return [connection for connection in list(self._accepted) if connection.fileno() != -1]

    def shut_down(self) -> None:
        """End the connections themselves, whoever has them; from any thread."""
        for connection in self.still_open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                connection, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:
                self._loop.remove_reader(self._listener)
                self._retry = self._loop.call_later(RETRY_DELAY, self.start)
                return
            self._begin(connection)

    async def _accept_in_turn(self) -> None:  # pragma: no cover (the proactor of Windows)
        while True:
            connection, _ = await self._loop.sock_accept(self._listener)
            self._begin(connection)

    def _begin(self, connection: socket.socket) -> None:
        """Have a protocol serve a connection, after its handshake if there is one."""
        connection.setblocking(False)
        self._accepted.add(connection)
        serving = self._loop.connect_accepted_socket(self._make_protocol, connection, ssl=self._context)
        task = new_task(serving)
        self._connecting.add(task)
        task.add_done_callback(lambda _: self._begun(connection, task))

    def _begun(self, connection: socket.socket, task: asyncio.Task[Any]) -> None:
        self._connecting.discard(task)
        # A handshake that fails is for the client to tell of.
        if task.cancelled() or task.exception() is not None:
            connection.close()
