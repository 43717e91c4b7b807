"""`StubClient`: aiohttp's own test client of an app that a `StubServer` serves. Knows nothing of pytest."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any, overload

from .._aiohttp.test_utils import AppClient, AppConnector
from .._http.request import Origin
from .._messages.exceptions import UsageError
from .._messages.wording import one_line
from .server import StubServer, T

if TYPE_CHECKING:
    from types import TracebackType

    from aiohttp import web
    from yarl import URL

    from .._routing.calls import Calls
    from .._routing.handler_errors import HandlerError
    from .calls import AppCall
    from .overrides import Override
    from .stubs import Stubs


__all__ = ["StubClient"]


class StubClient(AppClient):
    """aiohttp's test client for a `StubServer`, in memory unless the server says otherwise.

    `session_kwargs` are those of `aiohttp.ClientSession`. It has to be made on the loop that uses it. Its
    `stubs`, `calls` and `override` are those of the server. An error that escaped from the app or from a
    stub's handler is raised when the client is closed.

    Raises:
        UsageError: the server is no `StubServer`, or a keyword cannot work.
    """

    def __init__(self, server: StubServer, **session_kwargs: Any) -> None:
        if not isinstance(server, StubServer):
            raise UsageError(f"a StubClient is for a StubServer(app); got {one_line(server)}")
        if server.door is None and not server.started:
            server.door = "memory"
        if server.door == "memory":
            if session_kwargs.get("connector") is not None:
                raise UsageError("connector=: the one of a client in memory is its own; use door='tcp'")
            is_app = partial(is_at, Origin.of(server.origin))
            session_kwargs["connector"] = AppConnector(server.open_connection, is_app)
        super().__init__(server, **session_kwargs)
        self.stub_server = server
        self._raised = 0

    @property
    def stubs(self) -> Stubs:
        """Routes over those of the app, which answer in their place."""
        return self.stub_server.stubs

    @property
    def calls(self) -> Calls[AppCall]:
        """Every request that the app had, stubbed or not, in order; each an `AppCall`."""
        return self.stub_server.calls

    @overload
    def override(
        self, key: web.AppKey[T], value: T, *, app: web.Application | None = None
    ) -> Override[T]: ...
    @overload
    def override(self, key: str, value: T, *, app: web.Application | None = None) -> Override[T]: ...
    def override(
        self, key: web.AppKey[T] | str, value: T, *, app: web.Application | None = None
    ) -> Override[T]:
        """Give a key of the app another value; see `StubServer.override`."""
        return self.stub_server.override(key, value, app=app)

    async def close(self) -> None:
        """Close the session and the server; an error that escaped from the app is raised then, once."""
        await self.end()
        error = self._error()
        if error is not None:
            raise error.exception

    async def end(self) -> None:
        """Close the session and the server, and leave the errors of the app to somebody else."""
        await super().close()

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if exc is None:
            await self.close()
            return
        await self.end()
        error = self._error()
        if error is not None and sys.version_info >= (3, 11):
            exc.add_note(f"{error.exception!r} escaped before, while {error.request!r} was answered")

    def _error(self) -> HandlerError | None:
        """The first error that was not raised yet."""
        errors = self.stub_server.handler_errors[self._raised :]
        self._raised += len(errors)
        if errors and sys.version_info >= (3, 11):
            errors[0].exception.add_note(f"while {errors[0].request!r} was answered")
        return errors[0] if errors else None


def is_at(origin: Origin, url: URL) -> bool:
    """Whether a URL is of an origin."""
    return Origin.of(url) == origin
