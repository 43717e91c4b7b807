"""A server that is running on its loop: listening, connections, the end of both. Knows peers and sockets.
Knows nothing of routes or threads.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from .._server.protocol import Peer
from .._transport.listener import TcpAddress, UnixAddress

if TYPE_CHECKING:
    import ssl

    from .._http.call import Call
    from .._http.request import Origin
    from .._routing.route import Route
    from .._routing.table import Finder
    from .._transport.listener import Listener

__all__ = ["GRACE", "Serving", "SocketPeer"]


GRACE = 0.8
"""Seconds in which what still answers has to end, once it was cancelled."""
TURNS = 50
"""Turns of the loop in which connections have to end that were cut; it takes about five."""


class SocketPeer(Peer):
    """The far end of a connection over a socket."""

    def connection_lost(self, exc: Exception | None) -> None:
        """Close the transport, too: up to Python 3.10 one of TLS says that it was left open otherwise."""
        super().connection_lost(exc)
        self.transport.close()


class Serving:
    """A server that is running, on the loop that started it."""

    def __init__(self, address: TcpAddress | UnixAddress, make_peer: type[Peer]) -> None:
        self.loop = asyncio.get_running_loop()
        self.connections: set[Peer] = set()
        self._address = address
        self._make_peer = make_peer
        self._listener: Listener = address.bind()
        self._server: asyncio.AbstractServer | None = None

    @property
    def port(self) -> int | None:
        """The port; None on a unix socket."""
        return None if isinstance(self._address, UnixAddress) else int(self._listener.getsockname()[1])

    async def start(self, finder: Finder, origin: Origin, context: ssl.SSLContext | None) -> None:
        """Accept connections; `finder` decides what each request gets."""
        loop = self.loop

        def peer() -> Peer:
            return self._make_peer(finder, origin, loop, self.connections)

        self._server = await loop.create_server(peer, sock=self._listener, ssl=context)

    async def stop(self) -> list[Call[Route]]:
        """End the server, its connections, and what still answers; the calls whose answers did not end."""
        assert self._server is not None
        self._server.close()
        self._address.release()
        answering = {peer.answering: peer for peer in self.connections if peer.answering is not None}
        for peer in list(self.connections):
            peer.hang_up()
        for task in answering:
            task.cancel()
        if answering:
            await asyncio.wait(answering, timeout=GRACE)
        await self._connections_end()
        return [peer.answered for task, peer in answering.items() if not task.done() and peer.answered]

    def cut(self) -> list[Call[Route]]:
        """End the connections from another thread, as the loop does not run on; the calls that it answers."""
        self._shut_down()
        return [peer.answered for peer in list(self.connections) if peer.answered]

    async def _connections_end(self) -> None:
        """Let the transports notice, those too that are amid their TLS handshake and have no peer yet."""
        self._shut_down()
        for _ in range(TURNS):  # pragma: no branch  # as many as can be needed
            await asyncio.sleep(0)
            if not self._listener.still_open:
                break

    def _shut_down(self) -> None:
        """End the connections themselves, whoever has them."""
        for connection in self._listener.still_open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
