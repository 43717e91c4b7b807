"""What happens to a request between a client and the app: it is recorded, and perhaps stubbed.

`AppProtocol` stands before aiohttp's own protocol, one for each connection; `RequestResponseCycle` is one
request on it. Knows aiohttp's requests and responses. Knows nothing of how the app was started, or of pytest.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from contextvars import ContextVar
from functools import update_wrapper
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from aiohttp import hdrs, web

from .._aiohttp.app_state import read_again
from .._aiohttp.server import RecordingWriter
from .._http.call import Call
from .._http.readers import RequestReader
from .._http.request import Origin
from .._responders.responder import Raw
from .._responders.web_response import no_response
from .._routing.handler_errors import HandlerError
from .._routing.route import Hit
from .._server.exchange import open_streams
from .._server.pipelining import Pipeline
from .._transport.flow_control import ClientGone, FlowControl
from .calls import AppCall
from .exchange import StubExchange
from .stubs import Stub, StubbedHandlerCall, stubbed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .._routing.calls import Calls
    from .._routing.route import Route
    from .._server.exchange import Redial, ScriptWriter
    from .stubs import OriginalHandler, Stubs

__all__ = ["AppProtocol", "Service", "cycle_of"]

NOWHERE = Origin("http", "", 80)


class Service(Protocol):
    """What a connection serves."""

    calls: Calls[AppCall]

    @property
    def stubs_in_use(self) -> Stubs | None:
        """The stubs, if there are any."""
        ...

    async def resolve(self, request: web.Request) -> web.UrlMappingMatchInfo:
        """What the app's router says, as its `_handle` would note it."""
        ...

    def app_failed(self, error: HandlerError) -> None:
        """Something escaped from the app."""
        ...


class Came(NamedTuple):
    """A request that has come to its end: its body, and all of its bytes."""

    body: bytes
    pieces: Sequence[bytes]


class AppProtocol(FlowControl):
    """One connection to the app: hands on what comes, and keeps what came.

    `answer_of_app` and `request_of_app` are how the app answers a request, and how it makes one. `fail` makes
    the client's call raise an exception; None where the client is out of reach.
    """

    behind: asyncio.Protocol
    transport: asyncio.Transport
    _writer: RecordingWriter
    """That of the request that is answered now, or next."""
    fail: Callable[[BaseException], None] | None = None
    redial: Redial | None = None

    def __init__(
        self, service: Service, answer_of_app: OriginalHandler, request_of_app: Callable[..., Any]
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.service = service
        self._answer_of_app = answer_of_app
        self._request_of_app = request_of_app
        self._pipeline = Pipeline(RequestReader(NOWHERE))
        self._came: deque[Came] = deque()
        self._cycle: RequestResponseCycle | None = None
        self._is_taken = False

    # For the transport.

    # Any: the transports of uvloop are none of asyncio's.
    def connection_made(self, transport: Any) -> None:
        """Start."""
        self.transport = transport
        self.behind.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Note what came, and hand it on."""
        pipeline = self._pipeline
        reader = pipeline.reader
        if reader.upgrade is None and reader.error is None:
            if reader.is_idle and is_whole(data):
                # As nearly all of them are; aiohttp reads them anyway.
                self._complete(Came(b"", [data]))
            else:
                pipeline.feed(data)
                while (request := pipeline.take()) is not None:
                    self._complete(Came(request.body, pipeline.taken))
        self.behind.data_received(data)

    def eof_received(self) -> bool | None:
        """Hand it on."""
        return self.behind.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Hand it on."""
        super().connection_lost(exc)
        self._pipeline.reader.close()
        self._cycle = None
        if not self._is_taken:
            # Otherwise it would cancel the script, which learns of it from its reader.
            self.behind.connection_lost(exc)

    def pause_writing(self) -> None:
        """The client takes no more for now."""
        super().pause_writing()
        self.behind.pause_writing()

    def resume_writing(self) -> None:
        """The client takes more again."""
        super().resume_writing()
        self.behind.resume_writing()

    # For the server.

    def make_request(self, message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.Request:
        """The request of the app, whose reply is recorded."""
        self._writer = recording = RecordingWriter(protocol, self.loop)
        request: web.Request = self._request_of_app(message, payload, protocol, recording, task)
        return request

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer a request: the app does, or a stub."""
        cycle = self._cycle = RequestResponseCycle(
            self, request, self._came.popleft() if self._came else None
        )
        self._writer.observer = cycle.call
        self.service.calls.add(cycle.call)
        current_cycle.set(cycle)
        try:
            stubs = self.service.stubs_in_use
            if stubs is not None and stubs.some_are_first:
                response = await cycle.answer_first(stubs, self._answer_of_app)
            else:
                response = await self._answer_of_app(request)
        except (web.HTTPException, asyncio.CancelledError, KeyboardInterrupt, SystemExit, GeneratorExit):
            raise
        except BaseException as exc:  # pytest's outcomes are no Exceptions
            cycle.failed(exc)
            if isinstance(exc, Exception):
                raise
            raise web.HTTPInternalServerError from exc
        finally:
            # What is left to be sent aiohttp sends.
            cycle.call.answered()
        error = no_response(response, cycle.call.handler)
        if error is not None:
            cycle.failed(error)
        return response

    def unhandled(self, exc: BaseException) -> None:
        """Keep what went wrong behind the app, as its response was sent; aiohttp only logs it."""
        cycle = self._cycle
        if cycle is not None and cycle.call.exception is None:
            cycle.failed(exc)

    def take(self) -> tuple[asyncio.StreamReader, ScriptWriter]:
        """Hand the connection over to streams, which first read what has come from the request on."""
        self._is_taken = True
        cycle = self._cycle
        came = [*([cycle.came] if cycle is not None and cycle.came is not None else []), *self._came]
        pieces = chain.from_iterable(each.pieces for each in came)
        streams = open_streams(self, chain(pieces, self._pipeline.take_rest()))
        # aiohttp may have been behind with reading the body.
        self.transport.resume_reading()
        return streams

    def give_back(self) -> None:
        """The streams are done."""
        self._is_taken = False
        if self._lost:
            self.behind.connection_lost(None)

    def _complete(self, came: Came) -> None:
        """A request has come to its end; its cycle may have begun or not."""
        cycle = self._cycle
        if cycle is not None and cycle.came is None:
            cycle.complete(came)
        else:
            self._came.append(came)


HEAD_ENDS = b"\r\n\r\n"
MORE_FOLLOWS = re.compile(
    rb"\A(?:\s|CONNECT )|\n(?:content-length|transfer-encoding|upgrade)\b", re.IGNORECASE
)


def is_whole(data: bytes) -> bool:
    """Whether bytes that begin a request are the whole of it: one head, behind which nothing is to follow."""
    return data.endswith(HEAD_ENDS) and data.count(HEAD_ENDS) == 1 and MORE_FOLLOWS.search(data) is None


current_cycle: ContextVar[RequestResponseCycle] = ContextVar("aiotest_kit_cycle")


def cycle_of(request: web.Request) -> RequestResponseCycle | None:
    """The cycle that a request is of, where the request is answered; None for a copy that the app made."""
    cycle = current_cycle.get(None)
    return cycle if cycle is not None and cycle.request is request else None


class RequestResponseCycle:
    """One request on a connection to the app, from its head to the end of its reply."""

    def __init__(self, connection: AppProtocol, request: web.Request, came: Came | None) -> None:
        self.request = request
        self.call = AppCall(request, came.body if came else b"", connection.loop.time)
        self.came = came
        """What came of the request; None while its body is still on its way."""
        self._connection = connection
        self._may_be_stubbed = True
        self._is_expected = False

    def complete(self, came: Came) -> None:
        """The body has come."""
        self.came = came
        self.call.complete(came.body)

    # Answering.

    async def answer_first(self, stubs: Stubs, answer_of_app: OriginalHandler) -> web.StreamResponse:
        """What a stub answers before the middlewares, or the app."""
        stub = await self._find_first(stubs)
        if stub is None:
            return await answer_of_app(self.request)
        self._may_be_stubbed = False
        return await self._play(stub, answer_of_app, self.request)

    def resolved(self, match_info: web.UrlMappingMatchInfo) -> web.UrlMappingMatchInfo:
        """Note what the app's router said; returns what the app goes on with."""
        if match_info.http_exception is not None:
            return match_info
        self.call.resolved(match_info)
        stubs = self._connection.service.stubs_in_use
        if stubs is not None and self._may_be_stubbed and stubs.stand_for(match_info.route):
            if self.request.headers.get(hdrs.EXPECT) and self._find_early(stubs) is not None:
                self._is_expected = True
            return StubbedMatchInfo(match_info, self._is_expected)
        return match_info

    async def handle(self, request: web.Request, handler: OriginalHandler) -> web.StreamResponse:
        """What a stub answers where the app would call `handler`; what that does, if no stub matches."""
        stubs = self._connection.service.stubs_in_use
        stub = None if stubs is None else await self._find(stubs, request)
        if stub is None:
            return await handler(request)
        return await self._play(stub, handler, request)

    async def _find_first(self, stubs: Stubs) -> Stub | None:
        """The stub for the request, if it is to answer before the middlewares."""
        match_info = await self._connection.service.resolve(self.request)
        if self.call.route is None or not stubs.stand_for(self.call.route):
            return None
        early = self._find_early(stubs)
        if early is not None and early.before_middlewares:
            return early
        if self.request.headers.get(hdrs.EXPECT):
            if early is None:
                await match_info.expect_handler(self.request)
            self._is_expected = True
        stub = await self._find(stubs, self.request)
        return stub if stub is not None and stub.before_middlewares else None

    def _find_early(self, stubs: Stubs) -> Stub | None:
        """The stub for the request, if it leaves the body unread."""
        try:
            outcome = stubs.find_early(self.call.asked)
        except Exception:
            # It will be raised again, and kept, where the stub is looked for.
            return None
        stub = outcome.route if isinstance(outcome, Hit) else None
        return stub if isinstance(stub, Stub) and stub.is_early else None

    async def _find(self, stubs: Stubs, request: web.Request) -> Stub | None:
        """The stub for the request, whose body is awaited if that is needed, and can be read again.

        `request` is what the handler would be given, perhaps a copy that a middleware made.
        """
        outcome = stubs.find_early(self.call.asked)
        if outcome is None:
            if self.request.can_read_body:
                body = await self.request.content.read()
                read_again(self.request, body)
                if request is not self.request:
                    read_again(request, body)
                if self.came is None:
                    self.complete(Came(body, []))
            outcome = stubs.find(self.call.asked)
        return outcome.route if isinstance(outcome, Hit) and isinstance(outcome.route, Stub) else None

    async def _play(self, stub: Stub, original: OriginalHandler, request: web.Request) -> web.StreamResponse:
        self.call.stub = stub
        place = StubbedHandlerCall(original, request)
        stubbed.set(place)
        self.call.asked.given(request)
        call: Call[Route] = Call(self.call.asked, stub, self._connection.loop.time())
        step = stub.take().resolved()
        stub.record(call)
        self.call.followed = call
        exchange = StubExchange(self._connection, call, stub, request)
        if stub.is_early:
            exchange.request = exchange.request.without_body()
        if isinstance(step.answer, Raw):
            exchange.streams = self._connection.take()
        task = asyncio.current_task()
        assert task is not None
        stub.track(task)
        try:
            await exchange.play(step, stub)
        except ClientGone:
            pass
        except (KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError):
            raise
        except BaseException as exc:  # pytest's outcomes are no Exceptions
            if exc is place.raised:
                # The middlewares may make a response of it.
                call.exception = exc
                raise
            exchange.handler_failed(exc, stub)
        finally:
            exchange.ended(None, (None, 0), step)
            if exchange.streams is not None:
                self._connection.give_back()
            self._note_answer(call, exchange.response, place.raised)
        return exchange.outcome()

    def _note_answer(
        self, call: Call[Route], response: web.StreamResponse | None, raised: BaseException | None
    ) -> None:
        """Put into the app's record what a stub has sent by itself, and into the stub's what the app has."""
        if response is not None and call.reply is None and not response.prepared:
            # It is on its way only later, and followed until then.
            return
        self.call.followed = None
        if response is not None:
            if response.prepared:
                self.call.answered()
                call.reply = self.call.reply
        elif raised is None or call.exception is not raised:
            self.call.reply, self.call.exception = call.reply, call.exception
            self.call.elapsed = call.elapsed

    def failed(self, exc: BaseException) -> None:
        """Keep an error that escaped from the app."""
        transport = self.request.transport
        if isinstance(exc, ConnectionError) and (transport is None or transport.is_closing()):
            # The client has gone, and the app was told when it wrote.
            return
        self.call.exception = exc
        self._connection.service.app_failed(HandlerError(exc, self.call.asked, None))


class StubbedHandler:
    """What stands in the place of a handler that some stub may stand for.

    Equal for the same handler, as aiohttp keeps the last thousand handlers with their middlewares around
    them. It looks like the handler to who asks for its name or for marks that a decorator made.
    """

    def __init__(self, handler: OriginalHandler) -> None:
        self.handler = handler
        update_wrapper(self, handler)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StubbedHandler) and self.handler == other.handler

    def __hash__(self) -> int:
        return hash(self.handler)

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        return await current_cycle.get().handle(request, self.handler)


async def nothing(request: web.Request) -> None:
    """Answer nothing."""


class StubbedMatchInfo(web.UrlMappingMatchInfo):
    """What the app's router said, with another handler for aiohttp, which is the first to ask for it.

    The app's middlewares see its own.
    """

    def __init__(self, match_info: web.UrlMappingMatchInfo, is_expected: bool) -> None:
        super().__init__(dict(match_info), match_info.route)
        self._is_asked = False
        self._is_expected = is_expected
        for app in reversed(match_info.apps):
            self.add_app(app)

    @property
    def expect_handler(self) -> Any:
        """What lets the client send the body, unless it was let before, or is not to be."""
        return nothing if self._is_expected else super().expect_handler

    @property
    def handler(self) -> Any:
        """The handler, in whose place a stub may answer."""
        if self._is_asked:
            return super().handler
        self._is_asked = True
        return StubbedHandler(super().handler)
