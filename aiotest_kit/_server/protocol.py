"""The far end of one connection: bytes in, the router asked, bytes out, the call recorded.

One `asyncio.Protocol`, the same over memory and over sockets. A plain reply is sent from within
`data_received`; what takes time (handlers, streams, delays, scripts) runs in a task of its own, one at a
time, and ends with the connection. Knows the wire and the router. Knows nothing of how the transport was
made.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from .._asyncio.tasks import new_task
from .._http.body import BodyStream
from .._http.call import Call, Tunnel
from .._http.readers import RequestReader, refusal_of_length
from .._http.reply import Reply
from .._http.writers import (
    CONNECT_ESTABLISHED,
    CONTINUE,
    closes,
    expects_continue,
    render,
)
from .._messages.exceptions import UnmatchedRequest, mock_closed
from .._responders.exchange import HeadResponder
from .._responders.responder import Raw
from .._routing.handler_errors import HandlerError
from .._routing.route import Hit, Route
from .._transport.flow_control import ClientGone, FlowControl
from .delegation import DelegateProtocol, DelegateTransport, DelegatingExchange
from .discarding import Discarding
from .exchange import open_streams
from .pipelining import Pipeline

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._http.call import Client
    from .._http.readers import Refusal
    from .._http.request import Origin, Request
    from .._routing.sequence import Step
    from .._routing.table import Finder, Miss
    from .exchange import Redial
    from .retries import Attempt, Retries, Token

__all__ = ["ServerProtocol"]


class ServerProtocol(FlowControl):
    """One connection, from the first byte to the last.

    As most servers, it takes the end of what the client sends for the end of the connection.

    `finder` decides; `origin` is what requests are for that do not say. `connections` has the peer while it
    is connected or still answers. `fail` makes the client's call raise an exception; None where the client
    is out of reach, whose requests are then for the host that they name.
    """

    transport: asyncio.Transport

    # What every connection begins with; a connection is made for nearly every test.
    _client: Client | None = None
    _attempts: Retries | None = None
    _tunnel: Tunnel | None = None
    """What the client asked a proxy for, of which this plays the part."""
    _token: Token = (None, 0)
    _incoming: BodyStream | None = None
    _delegates: dict[object, DelegateTransport] | None = None
    _task: asyncio.Task[None] | None = None
    redial: Redial | None = None
    _exchange: DelegatingExchange | None = None
    _ends_with_connection = True
    _body_is_full = False
    """Whether the reader of a body is behind."""
    _is_held_back = False
    """Whether what comes is left where it is, for now."""
    _has_replied = False
    """Whether the request that was answered last has a reply."""

    def __init__(
        self,
        finder: Finder,
        origin: Origin,
        loop: asyncio.AbstractEventLoop,
        connections: set[ServerProtocol],
        fail: Callable[[BaseException], None] | None = None,
    ) -> None:
        self.loop = loop
        self.fail = fail
        self._finder = finder
        self._connections = connections
        self._pipeline = Pipeline(RequestReader(origin, by_host=fail is None))

    def expect(self, finder: Finder, client: Client, attempts: Retries, token: Token) -> None:
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

        A call that has the connection fails. It must not be taken for one whose connection dropped, which
        aiohttp would send again, to the network this time.
        """
        if self._lost:
            return
        if self.fail is not None and not self.client_has_gone():
            self.fail(mock_closed(self.answered and self.answered.route))
        self.transport.abort()

    # What the transport calls.

    # Any: the transports of uvloop are none of asyncio's.
    def connection_made(self, transport: Any) -> None:
        """Start reading."""
        self.transport = transport
        self._connections.add(self)

    def data_received(self, data: bytes) -> None:
        """Answer the requests that `data` completes."""
        pipeline = self._pipeline
        if self._task is None and self._drained is None:
            request = pipeline.recall(data)
            if request is not None:
                self._serve(request)
                return
        pipeline.feed(data)
        self._notice_broken_body()
        self._go_on()

    def connection_lost(self, exc: Exception | None) -> None:
        """End what is being answered; a script learns of it from its reader."""
        super().connection_lost(exc)
        if self._task is None:
            self._connections.discard(self)
        self._pipeline.clear()
        self._pipeline.reader.close()
        if self._incoming is not None:
            self._incoming.lose()
        for delegate in list((self._delegates or {}).values()):
            delegate.lose(exc)
        if self._task is not None and self._ends_with_connection:
            self._task.cancel()

    def pause_writing(self) -> None:
        """The client takes no more for now."""
        super().pause_writing()
        for delegate in (self._delegates or {}).values():
            delegate.pause_writing()

    def resume_writing(self) -> None:
        """The client takes more again."""
        super().resume_writing()
        for delegate in (self._delegates or {}).values():
            delegate.resume_writing()
        self._go_on()

    # One request after the other.

    def _go_on(self) -> None:
        """Answer what has come, as long as nothing has to be waited for."""
        pipeline = self._pipeline
        while self._task is None and self._drained is None and not self.transport.is_closing():
            request = pipeline.take()
            if request is not None:
                self._serve(request)
                pipeline = self._pipeline
                continue
            request = pipeline.take_head()
            if request is not None:
                self._serve_head(request)
            elif pipeline.reader.error is not None:
                self._give_up(pipeline.reader.error)
                return
            else:
                break
        self._hold_back()

    def _hold_back(self) -> None:
        """Leave what comes where it is, as long as there is enough to do."""
        is_full = self._body_is_full or self._pipeline.is_full
        if is_full is not self._is_held_back and not self.transport.is_closing():
            self._is_held_back = is_full
            if is_full:
                self.transport.pause_reading()
            else:
                self.transport.resume_reading()

    def _serve(self, request: Request) -> None:
        attempts = self._attempts
        if attempts is not None and attempts.kept:
            resumed = attempts.resume(self._token, request)
            if resumed is not None:
                self._resume(request, resumed)
                return
        try:
            outcome = self._finder.find(request)
        except Exception as exc:
            self._finder_failed(request, exc)
            return
        if request.method == "CONNECT":
            self._tunnel = Tunnel(request)
            self._finder.add_tunnel(self._tunnel)
            if self.fail is not None and not answers_connect(outcome):
                self._open_tunnel(request)
                return
        if isinstance(outcome, Hit):
            self._answer_hit(request, outcome)
        else:
            self._refuse(outcome)

    def _resume(self, request: Request, attempt: Attempt) -> None:
        """Answer a request that goes on with an attempt."""
        if attempt.is_pending:
            attempt.call.request = request
            attempt.call.tunnel = self._tunnel
        self._answer(attempt.call, attempt.route, attempt.next_step())

    def _finder_failed(self, request: Request, exc: Exception) -> None:
        """Keep an error of a user's predicate for the test, and tell the client as a server would."""
        self._finder.failed(HandlerError(exc, request, None))
        self._send(Reply(500, text=f"{type(exc).__name__} in a predicate of a route"), request)

    def _send(self, reply: Reply, request: Request) -> None:
        """Send a whole reply, and end the connection if it is the last."""
        self.transport.write(render(reply, request))
        if closes(reply, request):
            self.transport.close()

    def _give_up(self, refusal: Refusal) -> None:
        """Say what is wrong with what came, now that all that came before it has been answered."""
        if not (self._has_replied and self._pipeline.reader.is_diverted):
            self.transport.write(refusal.render())
        self.linger()

    def linger(self) -> None:
        """Send no more, and drop what the client still sends of its request, before the connection ends."""
        Discarding(self, self._stop_reading(), self.transport).begin(self.loop)

    def _serve_head(self, request: Request) -> None:
        """Answer a request whose body is still to come, where its route does so; else ask for the body."""
        attempts = self._attempts
        pending = attempts.pending(self._token, request) if attempts is not None and attempts.kept else None
        if attempts is not None and pending is not None and pending.answers_early:
            attempts.forget(self._token)
            self._resume(request, pending)
            return
        try:
            hit = None if pending is not None else self._finder.find_early(request)
        except Exception:
            # It will be raised again, and kept, when the request is complete.
            hit = None
        if isinstance(hit, Hit):
            self._answer_hit(request, hit)
            return
        refusal = refusal_of_length(request)
        if refusal is not None:
            self._pipeline.reader.error = refusal
        elif expects_continue(request):
            self.transport.write(CONTINUE)

    def _open_tunnel(self, request: Request) -> None:
        """Do as a proxy does that is asked to CONNECT (RFC 9110, 9.3.6)."""
        tunnelled = self._pipeline.reader.upgrade or b""
        self._pipeline = Pipeline(RequestReader(request.origin))
        self.transport.write(CONNECT_ESTABLISHED)
        self._pipeline.feed(tunnelled)

    def _answer_hit(self, request: Request, hit: Hit) -> None:
        route = hit.route
        call: Call[Route] = Call(request, route, self.loop.time(), self._client, self._tunnel)
        step = hit.take()
        route.record(call)
        if hit.via is not None:
            hit.via.record(call)
        self._answer(call, route, step)

    def _answer(self, call: Call[Route], route: Route, step: Step) -> None:
        if step.is_plain and route.gate is None and not route.is_early:
            self._send_now(call, step)
            return
        step = step.resolved()
        exchange = self._exchange = DelegatingExchange(self, call, route)
        answer = step.answer
        self._ends_with_connection = not (isinstance(answer, HeadResponder) and answer.outlives_client)
        if isinstance(answer, Raw):
            rest = self._pipeline.take_rest()
            self._stop_reading().close()
            exchange.streams = open_streams(self, rest)
        elif route.is_early or isinstance(answer, HeadResponder):
            # From now on its body is not the reader's to keep.
            _ = exchange.incoming
            if route.is_early:
                # However the bytes were cut, an answer sees the head alone.
                exchange.request = call.request = call.request.without_body()
        self._task = new_task(self._play(exchange, step, route))
        route.track(self._task)

    def _send_now(self, call: Call[Route], step: Step) -> None:
        request = call.request
        reply = step.answer
        assert isinstance(reply, Reply)
        if request.version == "1.1" and request.keep_alive and request.method not in ("HEAD", "CONNECT"):
            data, last = reply.sent_as or reply.remember(render(reply, request), closes(reply, request))
        else:
            data, last = render(reply, request), closes(reply, request)
        self.transport.write(data)
        call.reply = reply
        call.ended_after(0.0)
        if last:
            self.transport.close()

    def _refuse(self, miss: Miss) -> None:
        text = miss.explain()
        call: Call[Route] = Call(miss.request, None, self.loop.time(), self._client, self._tunnel)
        call.exception = error = UnmatchedRequest(text)
        miss.record(call)
        if self.fail is not None:
            self.fail(error)
        else:
            # What the client sent may be no text, and is shown escaped.
            body = text.encode("utf-8", "backslashreplace")
            call.reply = Reply(501, body=body, content_type="text/plain; charset=utf-8")
            self._send(call.reply, miss.request)
        call.ended_after(self.loop.time() - call.started)

    async def _play(self, exchange: DelegatingExchange, step: Step, route: Route) -> None:
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
            self._has_replied = exchange.call.reply is not None
            self._task = self._exchange = self._incoming = None
            self._body_is_full = False
            if self._lost:
                self._connections.discard(self)
        if self._pipeline.upgrades:
            # What follows is not HTTP, and nobody wanted it.
            self.transport.close()
        self._go_on()

    def divert(self, request: Request) -> BodyStream:
        """The body of a request as it comes, from its first byte."""
        incoming = self._incoming = BodyStream(self._wait_for_reader)
        self._pipeline.divert(request, incoming)
        self._notice_broken_body()
        return incoming

    def _notice_broken_body(self) -> None:
        """Tell who reads a body that the rest of it will never come, where that is not HTTP."""
        reader = self._pipeline.reader
        if reader.error is not None and reader.is_diverted and self._incoming is not None:
            self._incoming.lose()

    def _wait_for_reader(self, is_full: bool) -> None:
        """Take note whether the reader of a body is behind."""
        self._body_is_full = is_full
        self._hold_back()

    def _stop_reading(self) -> RequestReader:
        """The reader of what came so far; somebody else takes what comes from now on."""
        reader = self._pipeline.reader
        self._pipeline = Pipeline(RequestReader(reader.origin))
        self._body_is_full = False
        self._hold_back()
        return reader

    def delegate_for(self, server: Callable[[], asyncio.Protocol], origin: Origin) -> DelegateTransport:
        """The protocol that a server has on this connection, made if it has none yet.

        Raises:
            ClientGone: the connection has ended.
        """
        if self._delegates is None:
            self._delegates = {}
        if self._lost or self.transport.is_closing():
            raise ClientGone
        delegate = self._delegates.get(server)
        if delegate is None or delegate.is_closing():
            delegate = self._delegates[server] = DelegateTransport(server(), self.transport, origin)
        return delegate

    def surrender(self, delegate: DelegateTransport) -> None:
        """Leave the connection to a delegate for good, beginning with what followed the request."""
        reader = self._pipeline.reader
        tunnelled, reader.upgrade = reader.upgrade, b""
        self._hold_back()
        delegate.take_ownership()
        self.transport.set_protocol(DelegateProtocol(delegate, self))
        if tunnelled:
            delegate.receive(tunnelled)


def answers_connect(outcome: Hit | Miss) -> bool:
    """Whether a route answers a CONNECT itself; one for any method is meant for what the tunnel carries."""
    return isinstance(outcome, Hit) and "CONNECT" in outcome.route.pattern.methods
