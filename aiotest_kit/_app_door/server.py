"""The app door: aiohttp's own test client and server around an app, in memory, with stubs and overrides.

`StubServer` serves the app, and has what a test asks of it; `StubClient` is the client. Knows apps and how
they are reached. Knows nothing of pytest.
"""

from __future__ import annotations

import asyncio
import errno
import ssl
from contextlib import suppress
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, overload

from aiohttp import web
from yarl import URL

from .._aiohttp.app_state import apps_of, set_match_info
from .._aiohttp.client import raise_in_client
from .._aiohttp.server import SharedRunner
from .._aiohttp.test_utils import PortlessServer
from .._asyncio.tasks import cancel_tasks
from .._messages.exceptions import UsageError
from .._messages.wording import one_line
from .._routing.calls import Calls
from .._routing.table import KEEP
from .._transport.memory import connected
from .._transport.socket_info import implied_context
from .connection import AppProtocol
from .overrides import Override, checked_key
from .run import AppRun, run_of
from .stubs import Stubs

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp.client_proto import ResponseHandler
    from aiohttp.client_reqrep import ClientRequest

    from .._routing.handler_errors import HandlerError
    from .._routing.route import Route, StalledCall
    from .._routing.table import Miss
    from .calls import AppCall

__all__ = ["Door", "StubServer", "T"]

T = TypeVar("T")
Door: TypeAlias = Literal["memory", "tcp"]

SHUTDOWN_TIMEOUT = 0.2
"""Seconds that handlers have to end by themselves when a server closes; aiohttp waits for a minute."""

ADDRESS = "192.0.2.2"
"""The address of every app in memory, from the block for examples (RFC 5737)."""


class StubServer(PortlessServer):
    """A test server of aiohttp's around an app, whose routes can be stubbed and whose keys overridden.

    With a `StubClient` it is in memory, at `base_url`, an origin with http or https; no port is opened. With
    `door="tcp"`, and with any other client, it is on a port of 127.0.0.1. `options` are those of
    `BaseTestServer`.

    The app is started when the server is, and when that is closed the app is as it was before, ready for
    another server on another loop. Servers that are open at once for one app start it once.

    `stubs` are routes over those of the app; `calls` are the requests that it had. An error that escapes from
    the app is kept for the test, unless `allow_server_errors` is true.

    Raises:
        UsageError: what is served is no app, or an argument cannot work.
    """

    def __init__(
        self,
        app: web.Application,
        *,
        door: Door | None = None,
        base_url: str | URL | None = None,
        allow_server_errors: bool = False,
        **options: Any,
    ) -> None:
        if not isinstance(app, web.Application):
            raise UsageError(f"a StubServer is for a web.Application; got {one_line(app)}")
        if door not in (None, "memory", "tcp"):
            raise UsageError(f"unknown door {door!r}; doors are: memory, tcp")
        if door == "tcp" and base_url is not None:
            raise UsageError(f"base_url={str(base_url)!r}: a server on a port has the URL of that port")
        super().__init__(**options)
        self.app = app
        self.door: Door | None = door
        self.origin: URL = checked_origin("http://app.test" if base_url is None else base_url)
        self.calls: Calls[AppCall] = Calls()
        self.calls.keeps(KEEP)
        self.allow_server_errors = allow_server_errors
        self._stubs: Stubs | None = None
        self._overrides: list[Override[Any]] = []
        self._run: AppRun | None = None

    @property
    def stubs(self) -> Stubs:
        """Routes over those of the app, which answer in their place."""
        if self._stubs is None:
            self._stubs = Stubs(self.app, self.calls, is_out_of_reach=self.door == "tcp")
        return self._stubs

    async def start_server(self, loop: asyncio.AbstractEventLoop | None = None, **options: Any) -> None:
        """Start the app and serve it.

        An error of the app's startup is raised, after what was set up has been cleaned up.
        """
        if self.started:
            return
        self._run = run = run_of(self.app)
        run.join()
        for override in self._overrides:
            override.put(run.overrides)
        options.setdefault("shutdown_timeout", SHUTDOWN_TIMEOUT)
        try:
            if self.door == "memory":
                await self.start_without_port(self.origin, **options)
            else:
                await super().start_server(loop, **options)
        except BaseException:
            await self._abandon(run)
            raise

    async def close(self) -> None:
        """Close the connections, end the app, and leave it as it was.

        Whatever the app's shutdown and cleanup raise, that is done.
        """
        run = self._run
        if run is None:
            return
        self._run = None
        if self._stubs is not None:
            cancel_tasks(self._stubs.tasks)
        for override in self._overrides:
            override.undo()
        run.leave()
        try:
            await super().close()
        finally:
            if run.is_over:
                run.end()

    def runner_of_app(self, **options: Any) -> web.BaseRunner:
        """What starts the app, or joins in where it runs already."""
        assert self._run is not None
        return SharedRunner(self.app, self._run, partial(AppProtocol, self), **options)

    async def _abandon(self, run: AppRun) -> None:
        """Clean up after a start that failed."""
        self._run = None
        run.leave()
        if self.runner is not None:
            # What the startup did not get to make, the cleanup may miss.
            with suppress(Exception):
                await self.runner.cleanup()
            self.runner: web.BaseRunner | None = None
        if run.is_over:
            run.end()

    # What a test asks of it.

    @overload
    def override(
        self, key: web.AppKey[T], value: T, *, app: web.Application | None = None
    ) -> Override[T]: ...
    @overload
    def override(self, key: str, value: T, *, app: web.Application | None = None) -> Override[T]: ...
    def override(
        self, key: web.AppKey[T] | str, value: T, *, app: web.Application | None = None
    ) -> Override[T]:
        """Give a key of the app another value, at once and until the server is closed.

        What it returns may be used as a context manager, which gives the value and ends with its block. `app`
        is the sub-app that has the key, by default the app itself. It holds over what the app's startup sets,
        also where it is given before that; the app's shutdown and cleanup find what the startup has set.

        Raises:
            UsageError: it is no key, or `app` no part of the app.
        """
        checked_key(key)
        owner = self.app if app is None else app
        if not any(owner is each for each in apps_of(self.app)):
            raise UsageError(f"{owner!r} is neither the app of this client nor one of its sub-apps")
        override = Override(owner, key, value)
        self._overrides.append(override)
        if self._run is not None:
            override.put(self._run.overrides)
        return override

    # What the watch over a test asks of it.

    @property
    def misses(self) -> tuple[Miss, ...]:
        """None: what no stub answers, the app does."""
        return ()

    @property
    def never_called(self) -> tuple[Route, ...]:
        """The stubs that no request reached and that are not optional."""
        return () if self._stubs is None else self._stubs.never_called

    @property
    def owed(self) -> tuple[Route, ...]:
        """The stubs, those that a scope took back, too."""
        return () if self._stubs is None else self._stubs.owed

    @property
    def unfinished(self) -> tuple[str, ...]:
        """A report for each script of a stub of which the client left something out."""
        return () if self._stubs is None else self._stubs.unfinished

    @property
    def handler_errors(self) -> tuple[HandlerError, ...]:
        """What escaped from the app and from handlers of stubs, in order."""
        return () if self._stubs is None else self._stubs.handler_errors

    def release_stalled(self) -> dict[asyncio.Task[None], StalledCall]:
        """Let no fault keep a client waiting any more; see `Router.release_stalled`."""
        return {} if self._stubs is None else self._stubs.release_stalled()

    # What a connection asks of it.

    @property
    def stubs_in_use(self) -> Stubs | None:
        """The stubs, if there are any."""
        return self._stubs if self._stubs is not None and self._stubs.in_use else None

    async def resolve(self, request: web.Request) -> web.UrlMappingMatchInfo:
        """What the app's router says of a request, noted in the request."""
        match_info = await self.app.router.resolve(request)
        match_info.add_app(self.app)
        match_info.freeze()
        set_match_info(request, match_info)
        return match_info

    def app_failed(self, error: HandlerError) -> None:
        """Keep an error that escaped from the app."""
        if not self.allow_server_errors:
            self.stubs.failed(error)

    def open_connection(
        self, request: ClientRequest, factory: Callable[[], ResponseHandler]
    ) -> ResponseHandler:
        """The client's protocol on a new connection in memory.

        Raises:
            ConnectionRefusedError: nothing is served.
        """
        if self.runner is None or self.runner.server is None:
            raise ConnectionRefusedError(errno.ECONNREFUSED, f"{self.origin} is not served")
        client = factory()
        connection: Any = self.runner.server()
        connection.fail = partial(raise_in_client, client)
        address = ADDRESS, self.origin.port
        transport = connected(asyncio.get_running_loop(), client, connection, address)
        if self.origin.scheme == "https":
            context = request.ssl if isinstance(request.ssl, ssl.SSLContext) else implied_context()
            transport.secure(context, request.server_hostname or self.origin.raw_host)
            transport.other.secure(context, None)
        return client


@lru_cache(maxsize=128)
def checked_origin(base_url: str | URL) -> URL:
    """The origin of an app in memory.

    Raises:
        UsageError: it is none, or has a path.
    """
    url = URL(base_url)
    if url.scheme not in ("http", "https") or not url.host or url.path not in ("", "/") or url.query_string:
        raise UsageError(f"base_url={str(base_url)!r}: an app is at an origin, such as 'https://app.test'")
    return url.origin()
