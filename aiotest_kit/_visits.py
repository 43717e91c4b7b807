"""What happens to a request between a client and the app: it is recorded, and perhaps stubbed.

`Connection` stands before aiohttp's own protocol, one for each connection; `Visit` is one request on it.
Knows aiohttp's requests and responses. Knows nothing of how the app was started, or of pytest.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextvars import ContextVar
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, Protocol

from aiohttp import hdrs, web

from ._aiohttp_web import RecordingWriter, read_again
from ._answers import Raw
from ._exchange import open_streams
from ._flow import ClientGone, Flow
from ._messages import Call, Origin
from ._replies import reply_as_sent, with_body
from ._routes import HandlerError, Hit
from ._stub_exchange import StubExchange
from ._stubs import AppRequest, Stub, Stubs, original_handler
from ._wire import RequestReader

if TYPE_CHECKING:
    from collections.abc import Callable

    from multidict import CIMultiDict

    from ._exchange import Redial, ScriptWriter
    from ._routes import Route
    from ._stubs import OriginalHandler
    from ._verify import Calls

__all__ = ["AppCall", "Connection", "Service", "visit_of"]

NOWHERE = Origin("http", "", 80)


class AppCall(Call[web.AbstractRoute]):
    """One request that the app had, and what became of it.

    `route` is the app's own, with its `name` and `handler`; None where the app has none for the request.
    `stub` is what answered in the place of the handler, if anything did. `exception` is what escaped from
    the app. `reply` is what was sent: its body as the app gave it, before compression, and without what
    aiohttp sends from a file by itself.
    """

    __slots__ = ("stub",)

    def __init__(self, request: AppRequest, started: float) -> None:
        super().__init__(request, None, started)
        self.stub: Stub | None = None

    @property
    def handler(self) -> Callable[..., Any] | None:
        """The app's handler for the request, a function or a class-based view."""
        return None if self.route is None else self.route.handler

    @property
    def name(self) -> str | None:
        """The name of the app's route."""
        return None if self.route is None else self.route.name


class Service(Protocol):
    """What a connection serves."""

    stubs: Stubs
    calls: Calls[web.AbstractRoute]

    async def resolve(self, request: web.Request) -> web.UrlMappingMatchInfo:
        """What the app's router says, as its `_handle` would note it."""
        ...

    def app_failed(self, error: HandlerError) -> None:
        """Something escaped from the app."""
        ...


class Connection(Flow):
    """One connection to the app: hands on what comes, and keeps what came.

    `answer_of_app` and `request_of_app` are how the app answers a request, and how it makes one. `fail` makes
    the client's call raise an exception; None where the client is out of reach.
    """

    behind: asyncio.Protocol
    transport: asyncio.Transport
    fail: Callable[[BaseException], None] | None = None
    redial: Redial | None = None

    def __init__(
        self, service: Service, answer_of_app: OriginalHandler, request_of_app: Callable[..., Any]
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.service = service
        self._answer_of_app = answer_of_app
        self._request_of_app = request_of_app
        self._reader = RequestReader(NOWHERE)
        self._came: deque[bytes] = deque()
        self._visit: Visit | None = None
        self._seen: list[bytes] = []
        self._is_taken = False

    # For the transport.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.behind.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Note what came, and hand it on."""
        if self._reader.upgrade is None and self._reader.error is None:
            if self._is_between:
                self._seen.clear()
            self._seen.append(data)
            for request in self._reader.feed(data):
                self._complete(request.body)
        self.behind.data_received(data)

    def eof_received(self) -> bool | None:
        """Hand it on."""
        return self.behind.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Hand it on."""
        super().connection_lost(exc)
        self._reader.close()
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
        visit = self._visit = Visit(self)
        recording = RecordingWriter(protocol, visit)
        request: web.Request = self._request_of_app(message, payload, protocol, recording, task)
        return request

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer a request: the app does, or a stub."""
        visit = self._visit
        assert visit is not None
        visit.begin(request, self._came.popleft() if self._came else None)
        visiting.set(visit)
        try:
            return await visit.answer(self._answer_of_app)
        finally:
            visit.answered()

    def take(self) -> tuple[asyncio.StreamReader, ScriptWriter]:
        """Hand the connection over to streams, which first read what was seen of the request."""
        self._is_taken = True
        streams = open_streams(self, self._seen)
        # aiohttp may have been behind with reading the body.
        self.transport.resume_reading()
        return streams

    def give_back(self) -> None:
        """The streams are done."""
        self._is_taken = False
        if self._lost:
            self.behind.connection_lost(None)

    @property
    def _is_between(self) -> bool:
        """Whether what comes next begins a request."""
        return self._reader.unfinished is None and not self._came

    def _complete(self, body: bytes) -> None:
        """A request has come to its end; its visit may have begun or not."""
        visit = self._visit
        if visit is not None and visit.is_incomplete:
            visit.complete(body)
        else:
            self._came.append(body)


visiting: ContextVar[Visit] = ContextVar("aiotest_kit_visit")


def visit_of(request: web.Request) -> Visit | None:
    """The visit that a request is of, where the request is answered; None for a copy that the app made."""
    visit = visiting.get(None)
    return visit if visit is not None and visit.request is request else None


class Visit:
    """One request on a connection to the app, from its head to the end of its reply."""

    request: web.Request
    call: AppCall
    is_incomplete = False
    """Whether the body of the request is still on its way."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._service = connection.service
        self._began = False
        self._may_be_stubbed = True
        self._body: list[bytes] = []

    def begin(self, request: web.Request, body: bytes | None) -> None:
        """The head has come, and the body if it is not None."""
        self.request = request
        self.is_incomplete = body is None
        self.call = AppCall(AppRequest(request, origin_of(request), body or b""), self._now())
        self._began = True
        self._service.calls.add(self.call)

    def complete(self, body: bytes) -> None:
        """The body has come."""
        self.is_incomplete = False
        self.call.request = self.asked.with_body(body)

    @property
    def asked(self) -> AppRequest:
        """The request, as far as it has come."""
        request = self.call.request
        assert isinstance(request, AppRequest)
        return request

    # Answering.

    async def answer(self, answer_of_app: OriginalHandler) -> web.StreamResponse:
        """What the app answers, or a stub in its place; an error of the app is kept for the test."""
        try:
            stub = await self._find_first() if self._service.stubs.some_are_first else None
            if stub is None:
                return await answer_of_app(self.request)
            self._may_be_stubbed = False
            return await self._play(stub, answer_of_app)
        except (web.HTTPException, asyncio.CancelledError, KeyboardInterrupt, SystemExit, GeneratorExit):
            raise
        except BaseException as exc:  # pytest's outcomes are no Exceptions
            self._failed(exc)
            if isinstance(exc, Exception):
                raise
            raise web.HTTPInternalServerError from exc

    def resolved(self, match_info: web.UrlMappingMatchInfo) -> web.UrlMappingMatchInfo:
        """Note what the app's router said; returns what the app goes on with."""
        if match_info.http_exception is not None:
            return match_info
        route = match_info.route
        self.call.route = route
        self.asked.resolved(route, dict(match_info))
        if self._may_be_stubbed and self._service.stubs.stand_for(route):
            return StubbedMatchInfo(match_info)
        return match_info

    async def handle(self, request: web.Request, handler: OriginalHandler) -> web.StreamResponse:
        """What a stub answers where the app would call `handler`; what that does, if no stub matches."""
        stub = await self._find()
        if stub is None:
            return await handler(request)
        return await self._play(stub, handler, request)

    async def _find_first(self) -> Stub | None:
        """The stub for the request, if it is to answer before the middlewares."""
        match_info = await self._service.resolve(self.request)
        if self.call.route is None or not self._service.stubs.stand_for(self.call.route):
            return None
        if self.request.headers.get(hdrs.EXPECT):
            await match_info.expect_handler(self.request)
        stub = await self._find()
        return stub if stub is not None and stub.before_middlewares else None

    async def _find(self) -> Stub | None:
        """The stub for the request, whose body is awaited if that is needed, and can be read again."""
        stubs = self._service.stubs
        outcome = stubs.find_early(self.asked)
        if outcome is None:
            if self.request.can_read_body:
                body = await self.request.content.read()
                read_again(self.request, body)
                if self.is_incomplete:
                    self.complete(body)
            outcome = stubs.find(self.asked)
        return outcome.route if isinstance(outcome, Hit) and isinstance(outcome.route, Stub) else None

    async def _play(
        self, stub: Stub, original: OriginalHandler, request: web.Request | None = None
    ) -> web.StreamResponse:
        self.call.stub = stub
        original_handler.set(original)
        call: Call[Route] = Call(self.call.request, stub, self._now())
        step = stub.take().drawn()
        stub.record(call)
        exchange = StubExchange(self._connection, call, stub)
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
            exchange.handler_failed(exc, stub)
        finally:
            exchange.ended(None, None, step)
            if exchange.streams is not None:
                self._connection.give_back()
            if exchange.response is None:
                self.call.reply, self.call.exception = call.reply, call.exception
        return exchange.outcome()

    def _failed(self, exc: BaseException) -> None:
        transport = self.request.transport
        if isinstance(exc, ConnectionError) and (transport is None or transport.is_closing()):
            # The client has gone, and the app was told when it wrote.
            return
        self.call.exception = exc
        self._service.app_failed(HandlerError(exc, self.call.request, None))

    # What the writer tells.

    def head_sent(self, status_line: str, headers: CIMultiDict[str]) -> None:
        """The head of the reply."""
        if self._began:
            _, status, reason = f"{status_line} ".split(" ", 2)
            fields = [(name.encode(), value.encode()) for name, value in headers.items()]
            self.call.reply = reply_as_sent(int(status), reason.strip().encode(), fields)
            self.call.elapsed = self._now() - self.call.started

    def body_sent(self, data: bytes) -> None:
        """A piece of its body."""
        if self._began and self.call.reply is not None and data:
            self._body.append(data)

    def sent(self) -> None:
        """The end of the reply."""
        if self._began and self.call.reply is not None:
            self.call.elapsed = self._now() - self.call.started
            if self._body:
                self.call.reply = with_body(self.call.reply, b"".join(self._body))

    def answered(self) -> None:
        """The app is done; what it leaves to be sent is sent by aiohttp."""
        if self.call.reply is not None:
            self.sent()

    def _now(self) -> float:
        return self._connection.loop.time()


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
        return await visiting.get().handle(request, self.handler)


class StubbedMatchInfo(web.UrlMappingMatchInfo):
    """What the app's router said, with another handler."""

    def __init__(self, match_info: web.UrlMappingMatchInfo) -> None:
        super().__init__(dict(match_info), match_info.route)
        for app in reversed(match_info.apps):
            self.add_app(app)

    @property
    def handler(self) -> Any:
        """The handler, in whose place a stub may answer."""
        return StubbedHandler(super().handler)


def origin_of(request: web.Request) -> Origin:
    """The origin that a request names in its `Host`; without a host where that is none."""
    try:
        return Origin.of(request.url)
    except ValueError:
        return Origin(request.scheme, "", 0)
