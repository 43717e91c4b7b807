"""What the fixture `aiohttp_stub_client` gives: a factory of clients that are closed with the test.

Knows the app door, the loop of a test and its watch. Decides nothing of what a test is failed for.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from aiohttp import web

from .._app_door.client import StubClient
from .._app_door.server import StubServer
from .._messages.exceptions import UsageError
from .._messages.wording import one_line
from .settings import log_bounds

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from aiohttp.test_utils import TestClient
    from yarl import URL

    from .._app_door.server import Door
    from .loops import Stack
    from .strictness import Watch

__all__ = ["StubClientFactory", "StubClients"]

AppLike: TypeAlias = (
    web.Application | StubServer | Callable[[], web.Application] | Callable[[], Awaitable[web.Application]]
)


class StubClientFactory(Protocol):
    """What the fixture `aiohttp_stub_client` is."""

    async def __call__(
        self,
        app: AppLike,
        /,
        *,
        door: Door | None = None,
        base_url: str | URL | None = None,
        allow_server_errors: bool | None = None,
        server_kwargs: Mapping[str, Any] | None = None,
        **session_kwargs: Any,
    ) -> StubClient:
        """A client of an app, which is started now and ended after the test.

        The app may be given by a function, sync or async, that makes it, or in a `StubServer`, which was told
        what is said of the server. In memory the app is at `base_url`, by default `http://app.test`; with
        `door="tcp"` on a port. `allow_server_errors` is by default what the marker of the test says.
        `server_kwargs` are those of `StubServer`, `session_kwargs` those of `aiohttp.ClientSession`.

        Raises:
            UsageError: it is no app, or an argument cannot work.
        """
        ...


class StubClients:
    """The clients of one test."""

    def __init__(self, stack: Stack, watch: Watch, client_class: type[TestClient[Any, Any]]) -> None:
        self._stack = stack
        self._watch = watch
        self._class = stub_class(client_class)

    async def open(
        self,
        app: AppLike,
        /,
        *,
        door: Door | None = None,
        base_url: str | URL | None = None,
        allow_server_errors: bool | None = None,
        server_kwargs: Mapping[str, Any] | None = None,
        **session_kwargs: Any,
    ) -> StubClient:
        """A client; see `StubClientFactory`."""
        self._stack.check_loop()
        if allow_server_errors is None:
            allow_server_errors = self._watch.policy.allow_server_errors or None
        if isinstance(app, StubServer):
            server = app
            check_not_given(door=door, base_url=base_url, server_kwargs=server_kwargs)
            if allow_server_errors is not None:
                server.allow_server_errors = allow_server_errors
        else:
            server = StubServer(
                await made_by(app),
                door=door or "memory",
                base_url=base_url,
                allow_server_errors=bool(allow_server_errors),
                **(server_kwargs or {}),
            )
        server.calls.keeps(log_bounds(self._stack.session.config).keep)
        return await self._stack.enter(self._opened(server, session_kwargs))

    @asynccontextmanager
    async def _opened(
        self, server: StubServer, session_kwargs: Mapping[str, Any]
    ) -> AsyncIterator[StubClient]:
        client = self._class(server, **session_kwargs)
        try:
            await client.start_server()
            self._watch.routers.append(server)
            yield client
        finally:
            await client.end()
        try:
            failure = self._watch.late_verdict(server)
            if failure is not None:
                raise failure
        finally:
            self._watch.end(server)


def check_not_given(**options: object) -> None:
    """Refuse what a `StubServer` is told when it is made.

    Raises:
        UsageError: some of it is given.
    """
    given = [f"{name}=" for name, value in options.items() if value is not None]
    if given:
        raise UsageError(f"{' and '.join(given)} goes to the StubServer, as it is made before its client")


async def made_by(app: Any) -> web.Application:
    """The app that is given, or that a function makes.

    Raises:
        UsageError: it is neither.
    """
    if not isinstance(app, web.Application) and callable(app):
        app = app()
    if inspect.isawaitable(app):
        app = await app
    if isinstance(app, web.Application):
        return app
    raise UsageError(f"a client is for a web.Application or a function that makes one; got {one_line(app)}")


def stub_class(client_class: type[TestClient[Any, Any]]) -> type[StubClient]:
    """A `StubClient` that is also of the class that the fixture `aiohttp_client_cls` names."""
    if issubclass(client_class, StubClient):
        return client_class
    if issubclass(StubClient, client_class):
        return StubClient
    made: type[StubClient] = type(client_class.__name__, (StubClient, client_class), {})
    return made
