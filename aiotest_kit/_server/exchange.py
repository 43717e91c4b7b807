"""One request on a connection, and what is sent for it: what an answer is played on.

`Line` is what a connection must have for that, `open_streams` hands one over to a script. Knows how a reply
is written, and what the record keeps of a call. Knows nothing of how requests are read or found.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TypeAlias

from aiohttp import hdrs, payload, web

from .._aiohttp.server import coding_of
from .._http.content_coding import compress
from .._http.reply import NO_BODY, Reply, with_body, with_fields
from .._http.writers import Framing, chunk, closes, framing_of, head, last_chunk, render
from .._messages.exceptions import UsageError
from .._responders.web_response import reply_of
from .._routing.handler_errors import HandlerError
from .._routing.route import StalledCall
from .._transport.flow_control import ClientGone
from .._transport.socket_info import reset
from .retries import Attempt

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from contextlib import AbstractContextManager

    from .._http.body import BodyStream
    from .._http.call import Call
    from .._responders.exchange import Answer, ConnectFault, ServerHandler
    from .._routing.route import Route
    from .._routing.sequence import Step
    from .retries import Retries, Token

__all__ = ["Line", "PlayedExchange", "Redial", "ScriptWriter", "open_streams", "server_error"]

Redial: TypeAlias = "Callable[[ConnectFault], Awaitable[None]]"

PIECE = 64 * 1024
"""Bytes of a long body that are written before the client is waited for."""

DRIPS_PER_SECOND = 10
"""Pieces in which a body is sent that comes slowly."""


class Line(Protocol):
    """A connection that an answer is played on.

    `fail` makes the client's call raise an exception; None where the client is out of reach.
    """

    transport: asyncio.Transport
    loop: asyncio.AbstractEventLoop
    fail: Callable[[BaseException], None] | None
    redial: Redial | None
    """Connects once more, and fails as a fault does; None where no route has such faults."""

    async def drained(self) -> None:
        """Return when the client can take more.

        Raises:
            ClientGone: it never will.
        """
        ...

    async def arrived(self) -> None:
        """Return when all that was sent has arrived.

        Raises:
            ClientGone: it never will.
        """
        ...

    def client_has_gone(self) -> bool:
        """Whether the client has given up, although that may not have been noticed here yet."""
        ...

    async def ended(self) -> NoReturn:
        """Wait for the end of the connection.

        Raises:
            ClientGone: it has come.
        """
        ...

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        ...


class ScriptStreams(asyncio.StreamReaderProtocol):
    """The connection of a script; who had it before still hears of its end."""

    def __init__(self, line: Line, reader: asyncio.StreamReader) -> None:
        super().__init__(reader, loop=line.loop)
        self._line = line

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell both."""
        super().connection_lost(exc)
        self._line.connection_lost(exc)


class ScriptWriter(asyncio.StreamWriter):
    """The writer of a script, which notices whether the head of a reply was sent."""

    _tail = b""
    head_sent = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write, as `StreamWriter` does."""
        if not self.head_sent:
            self._tail = self._tail[-3:] + bytes(data)
            self.head_sent = b"\r\n\r\n" in self._tail
        super().write(data)


def open_streams(line: Line, seen: Iterable[bytes]) -> tuple[asyncio.StreamReader, ScriptWriter]:
    """Hand a connection over to streams, which first read what was seen of the request."""
    reader = asyncio.StreamReader(loop=line.loop)
    protocol = ScriptStreams(line, reader)
    line.transport.set_protocol(protocol)
    protocol.connection_made(line.transport)
    for data in seen:
        reader.feed_data(data)
    return reader, ScriptWriter(line.transport, protocol, reader, line.loop)


def server_error(exc: BaseException, route: Route) -> Reply:
    """What a client is told of an error in the answer of a route."""
    return Reply(500, text=f"{type(exc).__name__} in the answer of route {route.pattern.describe()}")


OF_THE_APP = "a stub of an app's route cannot hand its connection to another server; mount() is for a Router"


class PlayedExchange:
    """The exchange that an answer is played on; see `_responders.responder.Exchange`."""

    def __init__(self, line: Line, call: Call[Route], route: Route) -> None:
        self.request = call.request
        self.pace: float | None = None
        self.streams: tuple[asyncio.StreamReader, ScriptWriter] | None = None
        self.call = call
        self._line = line
        self._route = route
        self._head: Reply | None = None
        self._framing = Framing.NONE
        self._body: list[bytes] = []
        self._settled: Answer | None = None

    async def play(self, step: Step, route: Route) -> None:
        """Wait as the route says, then give the answer."""
        await step.wait(route.gate)
        if isinstance(step.answer, Reply):
            await self.send(step.answer)
        else:
            await step.answer.play(self)

    async def send(self, reply: Reply) -> None:
        """Send a whole reply."""
        if reply.delay:
            await asyncio.sleep(reply.delay)
        line = self._line
        self._head = reply
        data = memoryview(render(reply, self.request))
        for position in range(0, len(data), PIECE):
            await line.drained()
            line.transport.write(data[position : position + PIECE])
        self._done(reply, closes(reply, self.request))

    async def respond(self, response: web.StreamResponse) -> None:
        """Send what an aiohttp response stands for, compressed, chunked and the last one if it says so."""
        reply = await reply_of(response)
        assert isinstance(response, web.Response)
        coding = coding_of(response, self.request.headers.get(hdrs.ACCEPT_ENCODING, ""))
        fields: dict[str, str] = {}
        if coding is not None and reply.body:
            reply = with_body(reply, compress(coding, reply.body))
            fields[hdrs.CONTENT_ENCODING] = coding
        if response.keep_alive is False:
            fields[hdrs.CONNECTION] = "close"
        body = response.body
        in_chunks = response.chunked or (isinstance(body, payload.Payload) and body.size is None)
        if in_chunks and reply.status not in NO_BODY and self.request.version != "1.0":
            fields[hdrs.TRANSFER_ENCODING] = "chunked"
        await self.send(with_fields(reply, fields) if fields else reply)

    async def start(self, reply: Reply, length: int | None = None) -> None:
        """Send the head of a reply."""
        self._head = reply
        self._framing, fields = framing_of(reply, self.request, length)
        self._line.transport.write(head(reply, self.request, fields))

    def head(self, reply: Reply, length: int | None = None) -> bytes:
        """The bytes of the head of a reply."""
        _, fields = framing_of(reply, self.request, length)
        return head(reply, self.request, fields)

    async def write(self, data: bytes) -> None:
        """Send a piece of the body."""
        if not data or self._framing is Framing.NONE:
            return
        pace = self.pace
        size = PIECE if pace is None else max(1, int(pace / DRIPS_PER_SECOND))
        for position in range(0, len(data), size):
            piece = data[position : position + size]
            if pace is not None:
                with self._stalling_client():
                    await asyncio.sleep(len(piece) / pace)
            self._body.append(piece)
            self._line.transport.write(chunk(piece) if self._framing is Framing.CHUNKED else piece)
            await self._line.drained()

    def finish(self) -> None:
        """Send what ends the body."""
        reply = self._sent()
        assert reply is not None
        if self._framing is Framing.CHUNKED:
            self._line.transport.write(last_chunk(reply.trailers))
        self._done(reply, self._framing is Framing.CLOSE or closes(reply, self.request))

    async def fail_to_connect(self, fault: ConnectFault) -> None:
        """Make the client's call end as if it had not connected; send a 200 if it would not notice."""
        redial = self._line.redial
        if redial is None:
            raise UsageError(
                f"{fault!r} happens before a connection: it is for a route, and for the memory door"
            )
        try:
            with self._stalling_client():
                await redial(fault)
        except Exception as exc:
            self.fail(exc)
        else:
            await self.send(Reply(200))

    def settle(self, answer: Answer) -> None:
        """Note what a handler has decided on."""
        self._settled = answer

    def fail(self, exc: BaseException) -> None:
        """Make the client's call raise `exc`."""
        if self._line.fail is None:
            raise UsageError(
                f"{type(exc).__name__} cannot be raised in a client that is out of reach; reply with a fault"
            )
        self.call.exception = exc
        self._line.fail(exc)

    def take_over(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The connection as streams."""
        assert self.streams is not None
        return self.streams

    def send_bytes(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._line.transport.write(data)

    async def stall(self) -> NoReturn:
        """Wait for the end of the connection, or of the mock."""
        with self._stalling_client():
            await self._line.ended()

    def close(self) -> NoReturn:
        """End the connection."""
        self._line.transport.close()
        raise ClientGone

    async def reset(self) -> NoReturn:
        """End the connection with RST."""
        await self._line.arrived()
        reset(self._line.transport)
        raise ClientGone

    @property
    def incoming(self) -> BodyStream:
        """Refuse: the app reads it."""
        raise UsageError(OF_THE_APP)

    def ask_for_body(self) -> None:
        """Do nothing: the app has asked the client for it."""

    async def delegate(self, server: Callable[[], asyncio.Protocol], target: str | None = None) -> None:
        """Refuse: the connection is the app's."""
        raise UsageError(OF_THE_APP)

    async def serve(self, handler: ServerHandler) -> None:
        """Have the request answered by a handler of aiohttp's own server."""
        await self.delegate(web.Server(handler))

    def get_extra_info(self, name: str) -> Any:
        """What the transport tells."""
        return self._line.transport.get_extra_info(name)

    def leave(self, task: asyncio.Task[None]) -> None:
        """Have a task ended with the mock."""
        self._route.track(task)

    def note_failure(self, exc: BaseException) -> None:
        """Keep an error of the user's code for the test."""
        self._route.failed(HandlerError(exc, self.request, self._route))

    def handler_failed(self, exc: BaseException, route: Route) -> None:
        """Keep an error of the user's code for the test, and tell the client as a server would."""
        line = self._line
        if (
            self.streams is not None
            and line.transport.is_closing()
            and isinstance(exc, (ConnectionError, EOFError))
        ):
            # The client closed the connection that the script was reading or writing.
            return
        route.failed(HandlerError(exc, self.request, route))
        if self._head is None and self.streams is None:
            reply = server_error(exc, route)
            line.transport.write(render(reply, self.request))
            self._done(reply, last=closes(reply, self.request))
        else:
            line.transport.abort()

    def ended(self, attempts: Retries | None, token: Token, step: Step) -> None:
        """Complete the record; a call whose client got no reply may be tried again."""
        call = self.call
        if call.reply is None:
            call.reply = self._sent()
        call.ended_after(self._line.loop.time() - call.started)
        replied = self.streams[1].head_sent if self.streams is not None else self._head is not None
        if attempts is not None and not replied:
            met = step if self._settled is None else step.settled_on(self._settled)
            attempts.dropped(token, Attempt(call, self._route, met))

    def _stalling_client(self) -> AbstractContextManager[None]:
        return self._route.stalling(StalledCall(self.call, self._line.client_has_gone))

    def _sent(self) -> Reply | None:
        """The reply as far as it was sent."""
        reply = self._head
        return reply and with_body(reply, b"".join(self._body)) if self._body else reply

    def _done(self, reply: Reply, last: bool) -> None:
        self.call.reply = reply
        if last:
            self._end_connection()

    def _end_connection(self) -> None:
        """End the connection behind the reply."""
        self._line.transport.close()
