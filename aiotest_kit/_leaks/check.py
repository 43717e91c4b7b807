"""What a test leaves open: sessions, connectors, responses, tasks, connections and listening sockets.

`LeakCheck` compares what a loop has before a test and after; `CreationLog` says who made it. Knows nothing of
pytest.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .._aiohttp.client import is_idle
from .._asyncio.loops import NOTHING, LoopSnapshot, address_text, application_protocol, ends_of
from .._location import NOWHERE
from .creation_log import CreationLog, Open

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["LeakCheck"]

OF_CONNECTIONS = "RequestHandler."
"""So begin the names of tasks that belong to a connection of aiohttp's server, and with it to that server."""
SETTLING_TURNS = 10
"""Turns of the loop in which what was closed is gone."""


@dataclass
class LeakCheck:
    """One test on its loop, or on none: `begin`, then the test and the ends of its fixtures, then `end`."""

    makers: CreationLog
    loop: Any = None
    _before: LoopSnapshot = NOTHING

    def begin(self, *, is_new: bool = False) -> None:
        """Take stock, unless the loop is new, and note from now on."""
        self.makers.begin(self.loop)
        if self.loop is not None and not is_new:
            self._before = LoopSnapshot.by(self.loop)

    @contextmanager
    def excusing(self) -> Iterator[None]:
        """What appears within the block belongs to a fixture that lives on."""
        held = self._held()
        try:
            with self.makers.wide():
                yield
        finally:
            self._before = self._before.and_also(self._held().beyond(held))

    def end(self) -> list[str]:
        """What was left open, a line each."""
        try:
            found = self._found()
            if found and self.loop is not None and not self.loop.is_closed():
                self._settle(SETTLING_TURNS)
                self.loop.run_forever()
                found = self._found()
        finally:
            self.makers.end()
            # The failure's traceback has this, and whoever keeps the report keeps what the loop had.
            self._before = NOTHING
        return [str(each) for each in dict.fromkeys(found)]

    def _held(self) -> LoopSnapshot:
        return NOTHING if self.loop is None or self.loop.is_closed() else LoopSnapshot.by(self.loop)

    def _found(self) -> list[Open]:
        """What is open now, or was dropped unclosed."""
        found = [*self.makers.left_open(), *self.makers.lost()]
        if self.loop is not None and not self.loop.is_closed():
            new = LoopSnapshot.by(self.loop).beyond(self._before)
            found += [*self._tasks(new), *self._listening(new), *self._connections(new)]
        return found

    def _settle(self, turns: int) -> None:
        """Stop the loop after some turns."""
        if turns:
            self.loop.call_soon(self._settle, turns - 1)
        else:
            self.loop.stop()

    def _tasks(self, new: LoopSnapshot) -> Iterator[Open]:
        for task in new.tasks:
            coroutine: Any = task.get_coro()
            name = getattr(coroutine, "__qualname__", repr(coroutine))
            if not name.startswith(OF_CONNECTIONS) and not self.makers.excuses_task(task):
                yield Open(f"task {name}", self.makers.place_of(task))

    def _listening(self, new: LoopSnapshot) -> Iterator[Open]:
        """Sockets that listen: those that the loop has, and those noted, since not every loop tells."""
        places = dict.fromkeys(new.listening, NOWHERE)
        for server, made in self.makers.servers():
            for sock in server.sockets:
                places[sock.fileno()] = made.place
                if made.is_excused:
                    del places[sock.fileno()]
        for fd, place in places.items():
            ends = ends_of(fd)
            yield Open(f"a socket that listens on {address_text(ends and ends[0])}", place)

    def _connections(self, new: LoopSnapshot) -> Iterator[Open]:
        """Connections: those that the loop has, and those noted, since not every loop tells."""
        found = {descriptor_of(transport): (transport, NOWHERE) for transport in new.transports}
        for transport, made in self.makers.connections():
            fd = descriptor_of(transport)
            # Under TLS the loop has another transport than its user.
            found[fd] = (transport, made.place)
            if made.is_excused:
                del found[fd]
        answering = self.makers.protocols_of_responses()
        for transport, place in found.values():
            if not is_pending(transport, answering):
                address = transport.get_extra_info("peername") or transport.get_extra_info("sockname")
                yield Open(f"a connection to {address_text(address)}", place)


def descriptor_of(transport: Any) -> int:
    """The descriptor of a connection; -1 of one that is closed."""
    sock = transport.get_extra_info("socket")
    return -1 if sock is None else int(sock.fileno())


def is_pending(transport: Any, answering: set[object]) -> bool:
    """Whether a connection may be open: pooled, at its end, or of what answers for it.

    That is a server, an upstream, or a response that holds it.
    """
    server = getattr(transport, "_server", None)
    protocol = application_protocol(transport)
    is_served = server is not None and server.is_serving()
    # An upstream answers for its own.
    is_ours = type(protocol).__module__.startswith("aiotest_kit.")
    return transport.is_closing() or is_served or is_ours or protocol in answering or is_idle(protocol)
