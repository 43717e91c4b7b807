"""The far end of one connection: bytes in, the router asked, bytes out, the call recorded.

One `asyncio.Protocol`, the same over memory and over sockets. A plain reply is sent from within
`data_received`; what takes time (handlers, streams, delays, scripts) runs in a task of its own, one at a
time, and ends with the connection. Knows the wire and the router. Knows nothing of how the transport was
made.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TypeAlias

import aiohttp

from ._answers import Early, Raw, reply_of
from ._attempts import Attempt
from ._errors import UnmatchedRequest, UsageError
from ._flow import ClientGone, Flow
from ._guest import Guest, Through, Turn
from ._incoming import Incoming
from ._messages import Call
from ._pipe import reset
from ._replies import Reply, with_body
from ._routes import HandlerError, Hit, Miss, Route
from ._wire import (
    CONNECT_ESTABLISHED,
    CONTINUE,
    Framing,
    RequestReader,
    chunk,
    closes,
    expects_continue,
    framing_of,
    head,
    is_chunked,
    last_chunk,
    refusal_of_length,
    render,
    request_head,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp import web

    from ._answers import ConnectFault
    from ._attempts import Attempts
    from ._messages import Client, Origin, Request
    from ._steps import Step

__all__ = ["Finder", "Line", "Peer", "PlayedExchange", "ScriptStreams", "ScriptWriter"]

Redial: TypeAlias = "Callable[[ConnectFault], Awaitable[None]]"

PIECE = 64 * 1024
"""Bytes of a long body that are written before the client is waited for."""

DRIPS_PER_SECOND = 10
"""Pieces in which a body is sent that comes slowly."""

WHEN_CLIENT_GOES = (OSError, EOFError, RuntimeError)
"""What a server's code is told when its client has gone, which is no fault of its own."""

MOST_QUEUED = 32
"""Pipelined requests that are read ahead of the one being answered."""


class Finder(Protocol):
    """What looks a request up: a router, or several in turn."""

    def find(self, request: Request) -> Hit | Miss:
        """The route that answers `request`, or what is nearest."""
        ...

    def find_early(self, request: Request) -> Hit | Miss | None:
        """The route that answers a request of which only the head has come; None if the body is needed."""
        ...

    def find_at_connect(self, request: Request) -> Hit | Miss | None:
        """The route that may have to answer where the client connects, by the head of its request."""
        ...

    @property
    def fails_connections(self) -> bool:
        """Whether `find_at_connect` may find something."""
        ...

    def failed(self, error: HandlerError) -> None:
        """Keep an error of the user's code for the test."""
        ...


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

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        ...


class Peer(Flow):
    """One connection, from the first byte to the last.

    As most servers, it takes the end of what the client sends for the end of the connection.

    `finder` decides; `origin` is what requests are for that do not say. `connections` has the peer while it
    is connected or still answers. `fail` makes the client's call raise an exception; None where the client
    is out of reach, whose requests are then for the host that they name.
    """

    transport: asyncio.Transport

    # What every connection begins with; a connection is made for nearly every test.
    _client: Client | None = None
    _attempts: Attempts | None = None
    _token: object = None
    _head_of: Request | None = None
    """The unfinished request that was looked up by its head."""
    _incoming: Incoming | None = None
    _guests: dict[object, Guest] | None = None
    _queue: deque[Request] | None = None
    _task: asyncio.Task[None] | None = None
    redial: Redial | None = None
    _exchange: PeerExchange | None = None
    _ends_with_connection = True

    def __init__(
        self,
        finder: Finder,
        origin: Origin,
        loop: asyncio.AbstractEventLoop,
        connections: set[Peer],
        fail: Callable[[BaseException], None] | None = None,
    ) -> None:
        self.loop = loop
        self.fail = fail
        self._finder = finder
        self._connections = connections
        self._reader = RequestReader(origin, by_host=fail is None)
        self._seen: list[bytes] = []

    def expect(self, finder: Finder, client: Client, attempts: Attempts, token: object) -> None:
        """Say who asks the next request: what it asked of the connection, and which call it belongs to."""
        self._finder = finder
        self._client = client
        self._attempts = attempts
        self._token = token

    @property
    def answering(self) -> asyncio.Task[None] | None:
        """The task of the answer that is being given, if that takes time."""
        return self._task

    @property
    def answered(self) -> Call[Route] | None:
        """The call to which that answer is given."""
        return None if self._exchange is None else self._exchange.call

    def hang_up(self) -> None:
        """End the connection, because the mock does.

        A call that waits for its answer fails. It must not be taken for one whose connection dropped, which
        aiohttp would send again, to the network this time.
        """
        if self._task is not None and self.fail is not None and not self.transport.is_closing():
            route = f": {self.answered.route!r}" if self.answered is not None else ""
            self.fail(aiohttp.ClientConnectionError(f"the mock was closed before it answered{route}"))
        self.transport.abort()

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start reading."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._connections.add(self)

    def data_received(self, data: bytes) -> None:
        """Answer the requests that `data` completes."""
        self._seen.append(data)
        requests = self._reader.feed(data)
        for request in requests:
            if self.transport.is_closing():
                # The answer before was the last one on this connection.
                break
            if self._task is None:
                self._serve(request)
            else:
                if self._queue is None:
                    self._queue = deque()
                self._queue.append(request)
                if len(self._queue) >= MOST_QUEUED:
                    self.transport.pause_reading()
        if requests:
            self._seen = []
        if self._reader.error is not None:
            self._give_up()
            return
        if self._reader.unfinished is not None:
            self._look_ahead(self._reader.unfinished)

    def connection_lost(self, exc: Exception | None) -> None:
        """End what is being answered; a script learns of it from its reader."""
        super().connection_lost(exc)
        if self._task is None:
            self._connections.discard(self)
        self._queue = None
        self._reader.close()
        if self._incoming is not None:
            self._incoming.lose()
        for guest in list((self._guests or {}).values()):
            guest.lose(exc)
        if self._task is not None and self._ends_with_connection:
            self._task.cancel()

    def pause_writing(self) -> None:
        """The client takes no more for now."""
        super().pause_writing()
        for guest in (self._guests or {}).values():
            guest.pause_writing()

    def resume_writing(self) -> None:
        """The client takes more again."""
        super().resume_writing()
        for guest in (self._guests or {}).values():
            guest.resume_writing()

    # One request after the other.

    def _serve(self, request: Request) -> None:
        attempts = self._attempts
        if attempts is not None and attempts.kept:
            resumed = attempts.resume(self._token, request)
            if resumed is not None:
                if resumed.is_due:
                    resumed.call.request = request
                self._answer(resumed.call, resumed.route, resumed.next_step())
                return
        try:
            outcome = self._finder.find(request)
        except Exception as exc:
            self._finder_failed(request, exc)
            return
        if request.method == "CONNECT" and not answers_connect(outcome):
            self._open_tunnel(request)
        elif isinstance(outcome, Hit):
            self._answer_hit(request, outcome)
        else:
            self._refuse(outcome)

    def _finder_failed(self, request: Request, exc: Exception) -> None:
        """Keep an error of a user's predicate for the test, and tell the client as a server would."""
        self._finder.failed(HandlerError(exc, request, None))
        self._send(Reply(500, text=f"{type(exc).__name__} in a predicate of a route"), request)

    def _send(self, reply: Reply, request: Request) -> None:
        """Send a whole reply, and end the connection if it is the last."""
        self.transport.write(render(reply, request))
        if closes(reply, request) or self._reader.upgrade is not None:
            self.transport.close()

    def _give_up(self) -> None:
        """Say what is wrong with what came, once all that came before it has been answered."""
        refusal = self._reader.error
        assert refusal is not None
        if self._task is not None:
            self.transport.pause_reading()
        elif not self.transport.is_closing():
            self.transport.write(refusal.render())
            if self.transport.can_write_eof():
                # Closed with bytes unread, a connection is reset, and the reply may be lost (RFC 9112, 9.6).
                self.transport.set_protocol(Discarding(self))
                self.transport.write_eof()
                self.transport.resume_reading()
            else:
                self.transport.close()

    def _look_ahead(self, unfinished: Request) -> None:
        """Look up a request of which only the head has come, once it is its turn."""
        if self._reader.is_diverted:
            # It is being answered, and what was seen of it is not needed again.
            self._seen = []
        elif unfinished is not self._head_of and self._task is None and not self.transport.is_closing():
            self._head_of = unfinished
            self._serve_head(unfinished)

    def _serve_head(self, request: Request) -> None:
        """Answer a request whose body is still to come, where its route does so; else ask for the body."""
        try:
            hit = self._finder.find_early(request)
        except Exception:
            # It will be raised again, and kept, when the request is complete.
            hit = None
        if isinstance(hit, Hit):
            self._answer_hit(request, hit)
            return
        refusal = refusal_of_length(request)
        if refusal is not None:
            self._reader.error = refusal
            self._give_up()
        elif expects_continue(request):
            self.transport.write(CONTINUE)

    def _open_tunnel(self, request: Request) -> None:
        """Do as a proxy does that is asked to CONNECT (RFC 9110, 9.3.6)."""
        tunnelled = self._reader.upgrade or b""
        self._reader = RequestReader(request.origin, by_host=self.fail is None)
        self.transport.write(CONNECT_ESTABLISHED)
        if tunnelled:
            self.data_received(tunnelled)

    def _answer_hit(self, request: Request, hit: Hit) -> None:
        route = hit.route
        call: Call[Route] = Call(request, route, self.loop.time(), self._client)
        step = route.take()
        route.record(call)
        if hit.via is not None:
            hit.via.record(call)
        self._answer(call, route, step)

    def _answer(self, call: Call[Route], route: Route, step: Step) -> None:
        if step.is_plain and route.gate is None:
            self._send_now(call, step)
            return
        step = step.drawn()
        exchange = self._exchange = PeerExchange(self, call, route)
        answer = step.answer
        self._ends_with_connection = not (isinstance(answer, Early) and answer.outlives_client)
        if isinstance(answer, Raw):
            exchange.streams = self._open_streams()
        elif isinstance(answer, Early):
            # From now on its body is not the reader's to keep.
            _ = exchange.incoming
        self._task = self.loop.create_task(self._play(exchange, step, route))
        route.track(self._task)

    def _send_now(self, call: Call[Route], step: Step) -> None:
        request = call.request
        reply = step.answer
        assert isinstance(reply, Reply)
        if request.version == "1.1" and request.keep_alive and request.method != "HEAD":
            data, last = reply.sent_as or reply.remember(render(reply, request), closes(reply, request))
        else:
            data, last = render(reply, request), closes(reply, request)
        self.transport.write(data)
        call.reply = reply
        call.elapsed = 0.0
        if last or self._reader.upgrade is not None:
            self.transport.close()

    def _refuse(self, miss: Miss) -> None:
        text = miss.explain()
        call: Call[Route] = Call(miss.request, None, self.loop.time(), self._client)
        call.exception = error = UnmatchedRequest(text)
        miss.record(call)
        if self.fail is not None:
            self.fail(error)
        else:
            # What the client sent may be no text, and is shown escaped.
            body = text.encode("utf-8", "backslashreplace")
            call.reply = Reply(501, body=body, content_type="text/plain; charset=utf-8")
            self._send(call.reply, miss.request)
        call.elapsed = self.loop.time() - call.started

    async def _play(self, exchange: PeerExchange, step: Step, route: Route) -> None:
        """Give one answer that takes time; then go on with the next request."""
        try:
            await exchange.play(step, route)
        except ClientGone:
            pass
        except GeneratorExit:
            # The loop was closed under the task: nothing can be sent any more.
            raise
        except (KeyboardInterrupt, SystemExit, asyncio.CancelledError):
            self.hang_up()
            raise
        except BaseException as exc:  # pytest's outcomes are no Exceptions
            exchange.handler_failed(exc, route)
        finally:
            exchange.ended(self._attempts, self._token, step)
            self._task = self._exchange = self._incoming = None
            if self._lost:
                self._connections.discard(self)
        if self._lost or self.transport.is_closing():
            return
        if self._reader.upgrade is not None and not self._queue:
            self.transport.close()
        elif self._queue:
            self.transport.resume_reading()
            while self._queue and self._task is None:
                self._serve(self._queue.popleft())
        if self._reader.error is not None:
            self._give_up()
        elif self._reader.unfinished is not None:
            self._look_ahead(self._reader.unfinished)

    def divert(self, request: Request) -> Incoming:
        """The body of a request as it comes, from its first byte."""
        incoming = self._incoming = Incoming(self.transport.pause_reading, self.transport.resume_reading)
        if self._reader.unfinished is request:
            self._reader.divert(incoming)
        else:
            incoming.feed(request.body)
            incoming.feed_eof()
        return incoming

    @property
    def upgrades(self) -> bool:
        """Whether the client asked for another protocol behind its request."""
        return self._reader.upgrade is not None

    def guest_of(self, server: Callable[[], asyncio.Protocol], origin: Origin) -> Guest:
        """The protocol that a server has on this connection, made if it has none yet."""
        if self._guests is None:
            self._guests = {}
        guest = self._guests.get(server)
        if guest is None or guest.is_closing():
            guest = self._guests[server] = Guest(server(), self.transport, origin)
            if self._drained is not None:
                guest.pause_writing()
        return guest

    def give_away(self, guest: Guest) -> None:
        """Leave the connection to a guest for good, beginning with what followed the request."""
        guest.own()
        self.transport.set_protocol(Through(guest, self))
        if self._reader.upgrade:
            guest.receive(self._reader.upgrade)

    def _open_streams(self) -> tuple[asyncio.StreamReader, ScriptWriter]:
        """Hand the connection over to streams, which first read what was seen of the request."""
        reader = asyncio.StreamReader(loop=self.loop)
        protocol = ScriptStreams(self, reader)
        self.transport.set_protocol(protocol)
        protocol.connection_made(self.transport)
        for data in self._seen:
            reader.feed_data(data)
        return reader, ScriptWriter(self.transport, protocol, reader, self.loop)


def answers_connect(outcome: Hit | Miss) -> bool:
    """Whether a route answers a CONNECT itself; one for any method is meant for what the tunnel carries."""
    return isinstance(outcome, Hit) and "CONNECT" in outcome.route.pattern.methods


class Discarding(asyncio.Protocol):
    """The rest of a connection that was refused: what still comes is dropped until the client closes."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the peer."""
        self._peer.connection_lost(exc)


class ScriptStreams(asyncio.StreamReaderProtocol):
    """The connection of a script; the peer still hears of its end."""

    def __init__(self, peer: Line, reader: asyncio.StreamReader) -> None:
        super().__init__(reader, loop=peer.loop)
        self._peer = peer

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell both."""
        super().connection_lost(exc)
        self._peer.connection_lost(exc)


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


OF_THE_APP = "a stub of an app's route cannot hand its connection to another server; mount() is for a Router"


class PlayedExchange:
    """The exchange that an answer is played on; see `_answers.Exchange`."""

    def __init__(self, peer: Line, call: Call[Route], route: Route) -> None:
        self.request = call.request
        self.pace: float | None = None
        self.streams: tuple[asyncio.StreamReader, ScriptWriter] | None = None
        self.call = call
        self._peer = peer
        self._route = route
        self._head: Reply | None = None
        self._framing = Framing.NONE
        self._body: list[bytes] = []
        self._complete = False

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
        peer = self._peer
        self._head = reply
        data = memoryview(render(reply, self.request))
        for position in range(0, len(data), PIECE):
            await peer.drained()
            peer.transport.write(data[position : position + PIECE])
        self._done(reply, closes(reply, self.request))

    async def respond(self, response: web.StreamResponse) -> None:
        """Send what an aiohttp response stands for."""
        await self.send(await reply_of(response))

    def start(self, reply: Reply, length: int | None = None) -> None:
        """Send the head of a reply."""
        self._head = reply
        self._framing, fields = framing_of(reply, self.request, length)
        self._peer.transport.write(head(reply, self.request, fields))

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
                await asyncio.sleep(len(piece) / pace)
            self._body.append(piece)
            self._peer.transport.write(chunk(piece) if self._framing is Framing.CHUNKED else piece)
            await self._peer.drained()

    def finish(self) -> None:
        """Send what ends the body."""
        reply = self._sent()
        assert reply is not None
        if self._framing is Framing.CHUNKED:
            self._peer.transport.write(last_chunk(reply.trailers))
        self._done(reply, self._framing is Framing.CLOSE or closes(reply, self.request))

    async def fail_to_connect(self, fault: ConnectFault) -> None:
        """Make the client's call end as if it had not connected; send a 200 if it would not notice."""
        redial = self._peer.redial
        if redial is None:
            raise UsageError(
                f"{fault!r} happens before a connection: it is for a route, and for the memory door"
            )
        try:
            await redial(fault)
        except Exception as exc:
            self.fail(exc)
        else:
            await self.send(Reply(200))

    def fail(self, exc: BaseException) -> None:
        """Make the client's call raise `exc`."""
        if self._peer.fail is None:
            raise UsageError(
                f"{type(exc).__name__} cannot be raised in a client that is out of reach; reply with a fault"
            )
        self.call.exception = exc
        self._peer.fail(exc)

    def take_over(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The connection as streams."""
        assert self.streams is not None
        return self.streams

    def send_bytes(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._peer.transport.write(data)

    async def stall(self) -> NoReturn:
        """Wait for the end of the connection, or of the mock."""
        while True:
            await self._peer.loop.create_future()

    def close(self) -> NoReturn:
        """End the connection."""
        self._peer.transport.close()
        raise ClientGone

    def reset(self) -> NoReturn:
        """End the connection with RST."""
        reset(self._peer.transport)
        raise ClientGone

    @property
    def incoming(self) -> Incoming:
        """Refuse: the app reads it."""
        raise UsageError(OF_THE_APP)

    async def hand_over(self, server: Callable[[], asyncio.Protocol], target: str | None = None) -> None:
        """Refuse: the connection is the app's."""
        raise UsageError(OF_THE_APP)

    def get_extra_info(self, name: str) -> Any:
        """What the transport tells."""
        return self._peer.transport.get_extra_info(name)

    def note_failure(self, exc: BaseException) -> None:
        """Keep an error of the user's code for the test."""
        self._route.failed(HandlerError(exc, self.request, self._route))

    def handler_failed(self, exc: BaseException, route: Route) -> None:
        """Keep an error of the user's code for the test, and tell the client as a server would."""
        peer = self._peer
        if (
            self.streams is not None
            and peer.transport.is_closing()
            and isinstance(exc, (ConnectionError, EOFError))
        ):
            # The client closed the connection that the script was reading or writing.
            return
        route.failed(HandlerError(exc, self.request, route))
        if self._head is None and self.streams is None:
            reply = Reply(500, text=f"{type(exc).__name__} in the answer of route {route.pattern.describe()}")
            peer.transport.write(render(reply, self.request))
            self._done(reply, last=closes(reply, self.request))
        else:
            peer.transport.abort()

    def ended(self, attempts: Attempts | None, token: object, step: Step) -> None:
        """Complete the record; a call whose client got no reply may be tried again."""
        call = self.call
        call.elapsed = self._peer.loop.time() - call.started
        if call.reply is None:
            call.reply = self._sent()
        replied = self.streams[1].head_sent if self.streams is not None else self._head is not None
        if attempts is not None and not replied:
            attempts.dropped(token, Attempt(call, self._route, step))

    def _sent(self) -> Reply | None:
        """The reply as far as it was sent."""
        reply = self._head
        return reply and with_body(reply, b"".join(self._body)) if self._body else reply

    def _done(self, reply: Reply, last: bool) -> None:
        self.call.reply = reply
        if last:
            self._peer.transport.close()


class PeerExchange(PlayedExchange):
    """An exchange on a connection of one's own, which can be lent."""

    def __init__(self, peer: Peer, call: Call[Route], route: Route) -> None:
        super().__init__(peer, call, route)
        self._own_peer = peer
        self._incoming: Incoming | None = None

    @property
    def incoming(self) -> Incoming:
        """The body of the request."""
        if self._incoming is None:
            self._incoming = self._own_peer.divert(self.request)
        return self._incoming

    async def hand_over(self, server: Callable[[], asyncio.Protocol], target: str | None = None) -> None:
        """Have the request answered by a protocol that `server` makes."""
        request = self.request
        guest = self._own_peer.guest_of(server, request.origin)
        turn = Turn(
            request.method, self._guest_replies, self._guest_failed, self._own_peer.loop.create_future()
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
            self._own_peer.transport.close()

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
        if self._own_peer.upgrades:
            self._own_peer.give_away(guest)

    def _guest_replies(self, head: Reply) -> None:
        self._head = self.call.reply = head

    def _guest_failed(self, exc: BaseException) -> None:
        if not (self.incoming.broken and isinstance(exc, WHEN_CLIENT_GOES)):
            self.note_failure(exc)

    def ended(self, attempts: Attempts | None, token: object, step: Step) -> None:
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
