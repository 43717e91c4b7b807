"""A connection lent to somebody else's protocol, such as aiohttp's own server, one request at a time.

The server protocol stays in front: it tells where a request ends and who answers it. `DelegateTransport` has
the other protocol, and is the transport that this one sees. What is written to it goes out as it is, and is
read on the way, so that the end of each reply is known. Knows the wire. Knows nothing of routes, or of what
the other protocol does.
"""

from __future__ import annotations

import asyncio
from asyncio import constants, transports
from typing import TYPE_CHECKING, Any, Protocol

import httptools

from .._http.readers import ReplyReader
from .._http.writers import CONTINUE, chunk, expects_continue, is_chunked, last_chunk, request_head
from .._responders.exchange import NOTE_FAILURE, WHEN_CLIENT_GOES
from .._transport.flow_control import ClientGone
from .._transport.socket_info import implied_context
from .exchange import Line, PlayedExchange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .._http.body import BodyStream
    from .._http.call import Call
    from .._http.reply import Reply
    from .._http.request import Origin, Request
    from .._routing.route import Route
    from .._routing.sequence import Step
    from .retries import Retries, Token

__all__ = [
    "DelegateProtocol",
    "DelegateTransport",
    "DelegatedExchange",
    "DelegatingConnection",
    "DelegatingExchange",
]

OF_TLS = ("sslcontext", "ssl_object")
EMPTY_LINE = b"\r\n\r\n"


class DelegatedExchange:
    """One request that a delegate answers.

    `replied` is called with the reply as soon as its head is known; `note_failure` keeps an error. `over`
    is done when the reply is complete.
    """

    def __init__(
        self,
        method: str,
        replied: Callable[[Reply], None],
        note_failure: Callable[[BaseException], None],
        over: asyncio.Future[None],
    ) -> None:
        self.reply: ReplyReader = ReplyReader(method)
        self.has_body: bool = method != "HEAD"
        """Whether the reply has a body; what else is sent of one gets lost (RFC 9110, 9.3.2)."""
        self.note_failure = note_failure
        self.over = over
        self._replied = replied

    def read(self, data: bytes) -> None:
        """Learn from what the delegate writes."""
        reply = self.reply
        was_known = reply.head is not None
        try:
            reply.feed(data)
        except httptools.HttpParserError:
            # What is no reply has no end but that of the connection.
            return
        if reply.head is not None and not was_known:
            self._replied(reply.head)
        if reply.complete and not self.over.done():
            self.over.set_result(None)

    def read_head(self, data: bytes) -> bytes:
        """Learn from what the delegate writes of a reply without a body, up to its end, which is returned."""
        start = 0
        while start < len(data) and not self.reply.complete:
            end = data.find(EMPTY_LINE, start)
            stop = len(data) if end < 0 else end + len(EMPTY_LINE)
            self.read(data[start:stop])
            start = stop
        return data[:start]

    @property
    def is_over(self) -> bool:
        """Whether the reply is complete, and no other protocol follows it."""
        return self.reply.complete and not self.reply.switched

    def lose(self) -> None:
        """Take note that the rest of the reply will not come."""
        if not self.over.done():
            self.over.set_exception(ClientGone())
            # The answer may have ended before: then nobody waits for it.
            self.over.exception()


# The mixin is what `loop.sendfile` asks of a transport before it falls back to reading and writing.
class DelegateTransport(transports._FlowControlMixin, asyncio.Transport):
    """A protocol on a connection that is not its own, and the transport that it sees.

    `transport` is the real one, `origin` what the client believes to speak to.
    """

    _sendfile_compatible = constants._SendfileMode.FALLBACK
    _protocol_paused = False
    _drops_body = False
    """Whether a handler may still send the body of a reply that has none."""

    def __init__(self, protocol: Any, transport: asyncio.Transport, origin: Origin) -> None:
        # Not the mixin's constructor: flow control is that of the real transport.
        self._protocol: Any = protocol
        self._transport = transport
        self._origin = origin
        self._turn: DelegatedExchange | None = None
        self._closing = False
        self._lost = False
        self._reading = asyncio.Event()
        self._reading.set()
        self._owns = False
        self._is_new = True
        protocol.connection_made(self)
        asyncio.get_running_loop().call_soon(self._settle)

    # For the server protocol.

    def begin(self, turn: DelegatedExchange) -> None:
        """Let it answer a request: until `retire`, what it writes is sent, and it may end the connection."""
        self._turn = turn

    def retire(self) -> None:
        """Take the connection back: somebody else may answer the next request."""
        self._turn = None

    def take_ownership(self) -> None:
        """Have the connection for good: what comes is not kept back any more."""
        self._owns = True

    def receive(self, data: bytes) -> None:
        """Give bytes to the protocol."""
        self._protocol.data_received(data)

    async def settled(self) -> None:
        """Return when the protocol has begun, and waits for what comes.

        Raises:
            ClientGone: the connection has ended meanwhile.
        """
        if self._is_new:
            await asyncio.sleep(0)
            if self.is_closing():
                raise ClientGone

    async def ready(self) -> None:
        """Return when the protocol takes more."""
        await self._reading.wait()

    def pause_writing(self) -> None:
        """Tell the protocol that the client takes no more for now."""
        self._protocol_paused = True
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        """Tell the protocol that the client takes more again."""
        self._protocol_paused = False
        self._protocol.resume_writing()

    def lose(self, exc: Exception | None) -> None:
        """Tell the protocol that the connection is over, once."""
        if self._lost:
            return
        self._lost = self._closing = True
        self._reading.set()
        if self._turn is not None:
            self._turn.lose()
        if not self._is_new:
            self._protocol.connection_lost(exc)

    def _settle(self) -> None:
        """Tell the protocol of an end that came in the turn of the loop of the beginning.

        What aiohttp's server does first, in a task, takes the connection for one that is there.
        """
        self._is_new = False
        if self._lost:
            self._protocol.connection_lost(None)

    # For the protocol: a transport.

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What the real transport tells, and of TLS what is implied."""
        if name == NOTE_FAILURE:
            return default if self._turn is None else self._turn.note_failure
        value = self._transport.get_extra_info(name)
        if value is None and name in OF_TLS and self._origin.scheme == "https":
            return implied_context()
        return default if value is None else value

    def is_closing(self) -> bool:
        """Whether the end has begun."""
        return self._closing or self._transport.is_closing()

    def close(self) -> None:
        """End the connection, or leave it, if the protocol has no part in it any more."""
        self._end(self._transport.close)

    def abort(self) -> None:
        """End the connection at once."""
        self._end(self._transport.abort)

    def _end(self, end: Callable[[], None]) -> None:
        if self._turn is not None and not self._turn.is_over:
            end()
        elif not self._closing:
            self._closing = True
            asyncio.get_running_loop().call_soon(self.lose, None)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes of the reply."""
        turn = self._turn
        if turn is None or self.is_closing():
            return
        data = bytes(data)
        if self._drops_body and not data.startswith(b"HTTP/1."):
            return
        self._drops_body = not turn.has_body
        if turn.has_body:
            self._transport.write(data)
            turn.read(data)
        else:
            self._transport.write(turn.read_head(data))

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        """Send several pieces as one."""
        self.write(b"".join(list_of_data))

    def write_eof(self) -> None:
        """Send no more, and go on reading."""
        if self._turn is not None:
            self._transport.write_eof()

    def can_write_eof(self) -> bool:
        """As the real transport."""
        return self._transport.can_write_eof()

    def get_write_buffer_size(self) -> int:
        """The bytes that wait for the client."""
        return self._transport.get_write_buffer_size()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set when the protocol is told to wait."""
        self._transport.set_write_buffer_limits(high, low)

    def is_reading(self) -> bool:
        """Whether data is handed to the protocol as it comes."""
        return self._reading.is_set() and not self.is_closing()

    def pause_reading(self) -> None:
        """Leave what comes where it is."""
        self._reading.clear()
        if self._owns:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Hand on what has come."""
        self._reading.set()
        if self._owns:
            self._transport.resume_reading()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Hand what comes from now on to another protocol."""
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """The protocol that is handed what comes."""
        protocol: asyncio.BaseProtocol = self._protocol
        return protocol


class DelegateProtocol(asyncio.Protocol):
    """A connection that is a delegate's for good; who had it still hears of its end, and of a slow client."""

    def __init__(self, delegate: DelegateTransport, peer: asyncio.Protocol) -> None:
        self._delegate = delegate
        self._peer = peer

    def data_received(self, data: bytes) -> None:
        """Hand it on."""
        self._delegate.receive(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the server protocol, which tells the delegate."""
        self._peer.connection_lost(exc)

    def pause_writing(self) -> None:
        """Tell the server protocol, which tells the delegate."""
        self._peer.pause_writing()

    def resume_writing(self) -> None:
        """Tell the server protocol, which tells the delegate."""
        self._peer.resume_writing()


class DelegatingConnection(Line, Protocol):
    """A connection of one's own."""

    def divert(self, request: Request) -> BodyStream:
        """The body of a request as it comes, from its first byte."""
        ...

    def delegate_for(self, server: Callable[[], asyncio.Protocol], origin: Origin) -> DelegateTransport:
        """The protocol that a server has on this connection, made if it has none yet."""
        ...

    def surrender(self, delegate: DelegateTransport) -> None:
        """Leave the connection to a delegate for good, beginning with what followed the request."""
        ...

    def linger(self) -> None:
        """Send no more, and drop what the client still sends, until it closes the connection."""
        ...


class DelegatingExchange(PlayedExchange):
    """An exchange on a connection of one's own, which can be lent."""

    def __init__(self, line: DelegatingConnection, call: Call[Route], route: Route) -> None:
        super().__init__(line, call, route)
        self._own_line = line
        self._incoming: BodyStream | None = None

    @property
    def incoming(self) -> BodyStream:
        """The body of the request."""
        if self._incoming is None:
            self._incoming = self._own_line.divert(self.request)
        return self._incoming

    async def delegate(self, server: Callable[[], asyncio.Protocol], target: str | None = None) -> None:
        """Have the request answered by a protocol that `server` makes.

        Raises:
            ClientGone: the connection has ended, or what comes of the body is not HTTP.
        """
        request = self.request
        if self.incoming.broken:
            raise ClientGone
        delegate = self._own_line.delegate_for(server, request.origin)
        turn = DelegatedExchange(
            request.method, self._delegate_replies, self._delegate_failed, self._own_line.loop.create_future()
        )
        delegate.begin(turn)
        try:
            await delegate.settled()
            await self._pass_on(delegate, request_head(request, target or request.target))
            await turn.over
            if turn.reply.switched:
                self._own_line.surrender(delegate)
                await self.incoming.gone()
        except ConnectionResetError:
            # Not before it has no part in the connection, which it would close; nor in the turn of the loop
            # in which it was given something.
            delegate.retire()
            await asyncio.sleep(0)
            delegate.lose(None)
            raise ClientGone from None
        finally:
            delegate.retire()
            self.call.reply = turn.reply.whole
        if not turn.reply.keep_alive:
            self._end_connection()

    def ask_for_body(self) -> None:
        """Send `100 Continue` to a client that waits for it, unless the route leaves the body unread."""
        if expects_continue(self.request) and not self._route.is_early:
            self.send_bytes(CONTINUE)

    def _end_connection(self) -> None:
        incoming = self._incoming
        if incoming is None or incoming.ended or incoming.broken:
            super()._end_connection()
        else:
            self._own_line.linger()

    async def _pass_on(self, delegate: DelegateTransport, data: bytes) -> None:
        """Give a request to a delegate: its head, and its body as it comes."""
        incoming = self.incoming
        frame = chunk if is_chunked(self.request) else bytes
        data += frame(incoming.take())
        while data:
            delegate.receive(data)
            await delegate.ready()
            data = frame(await incoming.read())
        if frame is chunk:
            delegate.receive(last_chunk(None))
            await delegate.ready()

    def _delegate_replies(self, head: Reply) -> None:
        self._head = self.call.reply = head

    def _delegate_failed(self, exc: BaseException) -> None:
        has_gone = self.incoming.broken or self._own_line.transport.is_closing()
        if not (has_gone and isinstance(exc, WHEN_CLIENT_GOES)):
            self.note_failure(exc)

    def ended(self, attempts: Retries | None, token: Token, step: Step) -> None:
        """Complete the record."""
        super().ended(attempts, token, step)
        if self._incoming is not None:
            self._keep_body(self._incoming)

    def _keep_body(self, incoming: BodyStream) -> None:
        """Put what has come of the body into the record, and want no more of it."""
        request = self.call.request
        if incoming.kept and not request.body:
            self.call.request = request.shortened(incoming.kept, incoming.length)
            self.call.shorten()
        incoming.discard()
