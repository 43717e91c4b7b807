"""`StubExchange`: what the answer of a stub is played on, so that the app sends it.

Knows exchanges and aiohttp's responses. Knows nothing of how a stub was found, or of what the app did.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import hdrs, web

from .._http.reply import with_head
from .._responders.web_response import reply_of
from .._routing.handler_errors import HandlerError
from .._server.exchange import PlayedExchange, server_error

if TYPE_CHECKING:
    from .._http.call import Call
    from .._http.reply import Reply
    from .._responders.exchange import ServerHandler
    from .._routing.route import Route
    from .._server.exchange import Line

__all__ = ["StubExchange"]


class StubExchange(PlayedExchange):
    """An exchange of a stub: what an app can send, the app does, so that its middlewares see it."""

    response: web.StreamResponse | None = None

    def __init__(self, line: Line, call: Call[Route], route: Route, request: web.Request) -> None:
        super().__init__(line, call, route)
        self._web_request = request

    async def send(self, reply: Reply) -> None:
        """Leave a whole reply to the app, unless it is none that aiohttp would send."""
        if reply.trailers or hdrs.CONTENT_LENGTH in reply.headers or hdrs.TRANSFER_ENCODING in reply.headers:
            await super().send(await self._prepared(reply))
            return
        if reply.delay:
            await asyncio.sleep(reply.delay)
        self.call.reply = reply
        self.response = web.Response(
            status=reply.status, reason=reply.reason, headers=reply.headers, body=reply.body
        )

    async def start(self, reply: Reply, length: int | None = None) -> None:
        """Send the head of a reply that the app cannot send."""
        await super().start(await self._prepared(reply), length)

    async def _prepared(self, reply: Reply) -> Reply:
        """The reply, after the app's `on_response_prepare` has seen its head, as it sees every other."""
        response = web.StreamResponse(status=reply.status, reason=reply.reason, headers=reply.headers)
        for app in self._web_request.match_info.apps:
            await app.on_response_prepare.send(self._web_request, response)
        return with_head(reply, response.status, response.reason, response.headers)

    async def serve(self, handler: ServerHandler) -> None:
        """Have a handler answer as one of the app does; it notices by itself when the client has gone."""

        async def answer() -> None:
            try:
                self.response = await handler(self._web_request)
            except web.HTTPException as exc:
                self.response = exc

        serving = asyncio.ensure_future(answer())
        self._route.track(serving)
        try:
            await asyncio.wait([serving])
        except asyncio.CancelledError:
            # At the end of the test it is cancelled, too.
            await asyncio.wait([serving])
            raise
        serving.result()

    async def respond(self, response: web.StreamResponse) -> None:
        """Leave a response to the app as it is."""
        self.response = response
        if isinstance(response, web.Response) and isinstance(response.body, (bytes, bytearray, type(None))):
            self.call.reply = await reply_of(response)

    def handler_failed(self, exc: BaseException, route: Route) -> None:
        """Keep an error of the user's code for the test, and tell the client as a server would."""
        if self._head is not None or self.streams is not None:
            super().handler_failed(exc, route)
            return
        route.failed(HandlerError(exc, self.request, route))
        self.call.reply = reply = server_error(exc, route)
        self.response = web.Response(status=reply.status, text=reply.text())

    def outcome(self) -> web.StreamResponse:
        """What the app goes on with.

        Raises:
            web.HTTPException: what a handler replied with, which aiohttp would have raised.
        """
        response = self.response
        if isinstance(response, web.HTTPException):
            raise response
        if response is not None:
            return response
        return AlreadySent(not self._line.transport.is_closing(), self._head)


class AlreadySent(web.StreamResponse):
    """The response that stands for what a stub has sent by itself: its head, if it came so far."""

    def __init__(self, keep_alive: bool, head: Reply | None) -> None:
        if head is None:
            super().__init__()
        else:
            super().__init__(status=head.status, reason=head.reason, headers=head.headers)
        self._is_kept = keep_alive

    @property
    def prepared(self) -> bool:
        """Whether it is too late to change anything."""
        return True

    @property
    def keep_alive(self) -> bool | None:
        """Whether the connection goes on."""
        return self._is_kept

    async def prepare(self, request: web.BaseRequest) -> None:
        """It is sent."""

    async def write_eof(self, data: bytes = b"") -> None:
        """It is sent."""
