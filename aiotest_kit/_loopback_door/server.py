"""A server that is running on its loop: listening, connections, the end of both. Knows peers and sockets.
Knows nothing of routes or threads.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from .._server.protocol import ServerProtocol
from .._transport.acceptor import Acceptor
from .._transport.listener import TcpAddress, UnixAddress

if TYPE_CHECKING:
    import ssl

    from .._http.call import Call
    from .._http.request import Origin
    from .._routing.route import Route
    from .._routing.table import Finder

__all__ = ["GRACE", "Serving", "SocketProtocol"]


GRACE = 0.8
"""Seconds in which what still answers has to end, once it was cancelled."""


class SocketProtocol(ServerProtocol):
    """The far end of a connection over a socket."""

    def connection_lost(self, exc: Exception | None) -> None:
        """Close the transport, too: up to Python 3.10 one of TLS says that it was left open otherwise."""
        super().connection_lost(exc)
        self.transport.close()


class Serving:
    """A server that is running, on the loop that started it."""

    def __init__(self, address: TcpAddress | UnixAddress, make_peer: type[ServerProtocol]) -> None:
        self.loop = asyncio.get_running_loop()
        self.connections: set[ServerProtocol] = set()
        self._address = address
        self._make_peer = make_peer
        self._listener = address.bind()
        self._acceptor: Acceptor | None = None

    @property
    def port(self) -> int | None:
        """The port; None on a unix socket."""
        return None if isinstance(self._address, UnixAddress) else int(self._listener.getsockname()[1])

    def start(self, finder: Finder, origin: Origin, context: ssl.SSLContext | None) -> None:
        """Accept connections; `finder` decides what each request gets."""
        loop = self.loop

        def peer() -> ServerProtocol:
            return self._make_peer(finder, origin, loop, self.connections)

        self._acceptor = Acceptor(self._listener, peer, context)
        self._acceptor.start()

    async def stop(self) -> list[Call[Route]]:
        """End the server, its connections, and what still answers; the calls whose answers did not end."""
        assert self._acceptor is not None
        self._acceptor.stop()
        self._address.release()
        answering = {peer.answering: peer for peer in self.connections if peer.answering is not None}
        for peer in list(self.connections):
            peer.hang_up()
        for task in answering:
            task.cancel()
        if answering:
            await asyncio.wait(answering, timeout=GRACE)
        await self._acceptor.end()
        return [peer.answered for task, peer in answering.items() if not task.done() and peer.answered]

    def cut(self) -> list[Call[Route]]:
        """End the connections from another thread, as the loop does not run on; the calls that it answers."""
        if self._acceptor is not None:
            self._acceptor.shut_down()
        return [peer.answered for peer in list(self.connections) if peer.answered]
