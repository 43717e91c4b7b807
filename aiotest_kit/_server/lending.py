"""An exchange on a connection of one's own, which can be lent to another protocol, such as aiohttp's server.

Knows guests, and what they are given of a request. Knows nothing of how requests are read or found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from .exchange import Line, PlayedExchange
from .delegate import Turn
from .._http.writers import chunk, is_chunked, last_chunk, request_head

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from .retries import Attempts, Token
    from .delegate import Guest
    from .._http.body import Incoming
    from .._http.request import Call, Origin, Request
    from .._http.reply import Reply
    from .._routing.route import Route
    from .._routing.sequence import Step

__all__ = ["OwnExchange", "OwnLine"]

WHEN_CLIENT_GOES = (OSError, EOFError, RuntimeError)
"""What a server's code is told when its client has gone, which is no fault of its own."""


class OwnLine(Line, Protocol):
    """A connection of one's own."""

    @property
    def upgrades(self) -> bool:
        """Whether the client asked for another protocol behind its request."""
        ...

    def divert(self, request: Request) -> Incoming:
        """The body of a request as it comes, from its first byte."""
        ...

    def guest_of(self, server: Callable[[], asyncio.Protocol], origin: Origin) -> Guest:
        """The protocol that a server has on this connection, made if it has none yet."""
        ...

    def give_away(self, guest: Guest) -> None:
        """Leave the connection to a guest for good, beginning with what followed the request."""
        ...


class OwnExchange(PlayedExchange):
    """An exchange on a connection of one's own, which can be lent."""

    def __init__(self, line: OwnLine, call: Call[Route], route: Route) -> None:
        super().__init__(line, call, route)
        self._own_line = line
        self._incoming: Incoming | None = None

    @property
    def incoming(self) -> Incoming:
        """The body of the request."""
        if self._incoming is None:
            self._incoming = self._own_line.divert(self.request)
        return self._incoming

    async def hand_over(self, server: Callable[[], asyncio.Protocol], target: str | None = None) -> None:
        """Have the request answered by a protocol that `server` makes."""
        request = self.request
        guest = self._own_line.guest_of(server, request.origin)
        turn = Turn(
            request.method, self._guest_replies, self._guest_failed, self._own_line.loop.create_future()
        )
        guest.begin(turn)
        try:
            await self._pass_on(guest, request_head(request, target or request.target))
            await turn.over
            if turn.reply.switched:
                await self.incoming.gone()
        finally:
            guest.retire()
            self.call.reply = turn.reply.whole
        if not turn.reply.keep_alive:
            self._own_line.transport.close()

    async def _pass_on(self, guest: Guest, data: bytes) -> None:
        """Give a request to a guest: its head, and its body as it comes."""
        incoming = self.incoming
        frame = chunk if is_chunked(self.request) else bytes
        data += frame(incoming.take())
        while data:
            guest.receive(data)
            await guest.ready()
            data = frame(await incoming.read())
        if frame is chunk:
            guest.receive(last_chunk(None))
        if self._own_line.upgrades:
            self._own_line.give_away(guest)

    def _guest_replies(self, head: Reply) -> None:
        self._head = self.call.reply = head

    def _guest_failed(self, exc: BaseException) -> None:
        if not (self.incoming.broken and isinstance(exc, WHEN_CLIENT_GOES)):
            self.note_failure(exc)

    def ended(self, attempts: Attempts | None, token: Token, step: Step) -> None:
        """Complete the record."""
        super().ended(attempts, token, step)
        if self._incoming is not None:
            self._keep_body(self._incoming)

    def _keep_body(self, incoming: Incoming) -> None:
        """Put what has come of the body into the record, and want no more of it."""
        request = self.call.request
        if incoming.kept and not request.body:
            self.call.request = request.with_body(incoming.kept)
            self.call.request.capture(request.match_info)
        incoming.discard()
