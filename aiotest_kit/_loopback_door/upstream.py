"""The loopback door: `Upstream`, a router behind a real server on this machine.

`Serving` is the server: it listens, has a `ServerProtocol` for each connection, and ends within a second
whatever is going on. `Upstream` is what users hold, and runs it on their loop or in a thread.
"""

from __future__ import annotations

import asyncio
import warnings
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from yarl import URL

from .._asyncio.lifespan import end_lives
from .._asyncio.loop_thread import LoopThread
from .._asyncio.tasks import running_loop
from .._http.request import Origin
from .._messages.exceptions import LoopMismatchError, UsageError
from .._messages.masking import without_secrets
from .._messages.wording import counted, one_line
from .._routing.handler_errors import raise_handler_error
from .._routing.router import Router
from .._transport.certificates import Authority, Tls
from .._transport.listener import TcpAddress, UnixAddress
from .server import GRACE, Serving, SocketProtocol

if TYPE_CHECKING:
    import os
    import ssl
    from collections.abc import AsyncIterator, Coroutine, Iterable
    from types import TracebackType

    from .._http.call import Call
    from .._matching.request_pattern import MatchOptions, RequestPattern
    from .._matching.urls import UrlLike
    from .._routing.route import Route
    from .._server.protocol import ServerProtocol

__all__ = ["Upstream"]

T = TypeVar("T")
THREAD_GRACE = GRACE + 0.1


class Upstream(Router):
    """A fake of a service: a real HTTP server on this machine, with the routes and the log of a `Router`.

    Use it as `async with Upstream() as up:`; any client of any language can call `up.url`. It answers on the
    running loop, or with `thread=True` on a loop in a thread of its own: then tests on any loop may use it,
    and blocking code, and `with Upstream(thread=True) as up:` works without any loop.

    `port` 0 is one that is free. With `unix`, the path of a socket that is made for the time, there is no
    port. `tls` is True, or a `Tls` for a certificate that is wrong in some way; see `ssl_context`. The routes
    and the log are those of `router`, if one is given. Only this machine can reach it, unless
    `expose=True` allows another `host`.

    What no route answers gets a 501 that names the nearest ones. An error that escapes from a handler is
    raised when the block ends. Connections and answers are ended then within a second; a `RuntimeWarning`
    names the answer that did not end.

    Raises:
        UsageError: the address, or another option, cannot work.
    """

    make_peer: type[ServerProtocol] = SocketProtocol

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        tls: bool | Tls = False,
        unix: str | os.PathLike[str] | None = None,
        thread: bool = False,
        router: Router | None = None,
        expose: bool = False,
    ) -> None:
        super().__init__()
        self._table.is_out_of_reach = router is None
        if router is not None:
            if not isinstance(router, Router):
                raise UsageError(f"router= is a Router; got {one_line(router)}")
            # The same table, log and prefix, whatever a router consists of.
            vars(self).update(vars(router))
        # A router may have a `find` of its own.
        self._finder: Router = self if router is None else router
        self.unix: str | None = None
        self._address: TcpAddress | UnixAddress
        if unix is None:
            self._address = TcpAddress.checked(host, port, expose=expose)
        else:
            self._address = UnixAddress.checked(unix)
            self.unix = self._address.path
        asked = Tls.of(tls)
        self._authority = Authority(asked) if asked else None
        self._in_thread = thread
        self._thread: LoopThread | None = None
        self._owns_thread = True
        self._serving: Serving | None = None
        self._url: URL | None = None
        self._earlier_errors = 0

    def __repr__(self) -> str:
        where = self._url or "not started"
        return f"<Upstream {where} with {counted(len(self.routes), 'route')}>"

    # Where it is.

    @property
    def url(self) -> URL:
        """Where clients find it, such as `http://127.0.0.1:40000`; `up.url / "users"` is a path of it.

        On a unix socket it is `http://localhost`, for the requests that go through `unix`.

        Raises:
            LoopMismatchError: the loop that serves it does not run.
            UsageError: it was not started.
        """
        if self._url is None:
            raise UsageError("this upstream was not started; use it within `async with`")
        if self._stands_still:
            raise LoopMismatchError(self.other_loop())
        return self._url

    @property
    def port(self) -> int:
        """The port it listens on.

        Raises:
            LoopMismatchError: the loop that serves it does not run.
            UsageError: it was not started, or listens on a unix socket.
        """
        port = self.url.port
        if self.unix is not None or port is None:
            raise UsageError(f"there is no port: this upstream listens on the unix socket {self.unix}")
        return port

    def _request_pattern(
        self, method: str | Iterable[str], url: UrlLike, match: MatchOptions
    ) -> RequestPattern:
        """What a route asks; a test on another loop would wait for its calls in vain."""
        if self._stands_still and running_loop() is not None:
            raise LoopMismatchError(self.other_loop())
        return super()._request_pattern(method, url, match)

    def ssl_context(self, *, client_cert: bool = True) -> ssl.SSLContext:
        """What a client needs to trust it: `session.get(up.url, ssl=up.ssl_context())`.

        With the client certificate that a `Tls("client-cert")` asks for, unless `client_cert` is false.

        Raises:
            UsageError: it does not speak TLS.
        """
        return self._trusted().client_context(client_cert=client_cert)

    @property
    def ca_pem(self) -> bytes:
        """The certificate that clients have to trust, for those that read it from a file (PEM).

        Raises:
            UsageError: it does not speak TLS.
        """
        return self._trusted().pem

    @property
    def client_pem(self) -> bytes:
        """The client's certificate and its key, for clients that read them from a file (PEM); may be empty.

        Raises:
            UsageError: it does not speak TLS.
        """
        return self._trusted().client_pem

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """What a coroutine returns that is run in the upstream's thread; for tests that are not async.

        `up.run(route.wait(timeout=5))` waits until the route was called, `up.run(gate.waiting(2))` at a gate.

        Raises:
            UsageError: the upstream has no thread, or the code is async, which can await.
        """
        if self._thread is None or running_loop() is not None:
            coroutine.close()
            reason = "await it" if running_loop() else "it takes Upstream(thread=True), started"
            raise UsageError(
                f"run() is for code that is not async, beside the thread of an upstream; {reason}"
            )
        return self._thread.run(coroutine)

    # Its life.

    async def __aenter__(self) -> Upstream:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()
        raise_handler_error(self.handler_errors[self._earlier_errors :], exc)

    def __enter__(self) -> Upstream:
        if not self._in_thread:
            raise UsageError("`with Upstream()` needs a thread: Upstream(thread=True); or use `async with`")
        self.start_thread(LoopThread())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop_thread()
        raise_handler_error(self.handler_errors[self._earlier_errors :], exc)

    async def start(self) -> None:
        """Begin to answer, as `async with` does.

        Raises:
            UsageError: it was started before, or cannot listen.
        """
        if self._in_thread:
            self.start_thread(LoopThread())
        else:
            await self._start()

    async def stop(self) -> None:
        """End it, if it was started; `url` still tells where it was."""
        if self._in_thread:
            self.stop_thread()
        else:
            warn_of(await self._stop())

    @asynccontextmanager
    async def started(self) -> AsyncIterator[Upstream]:
        """Answer for the length of a block; what escaped from handlers is for others to look at."""
        await self.start()
        try:
            yield self
        finally:
            await self.stop()

    def start_thread(self, thread: LoopThread, *, owns_thread: bool = True) -> None:
        """Begin to answer in a thread, which ends with it unless it belongs to somebody else.

        Raises:
            UsageError: it was started before, or cannot listen.
        """
        try:
            thread.run(self._start())
        except BaseException:
            if owns_thread:
                thread.close()
            raise
        self._thread = thread
        self._owns_thread = owns_thread

    def stop_thread(self) -> None:
        """End it, if it was started."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        serving = self._serving
        try:
            cut = thread.run_within(self._stop(), THREAD_GRACE)
            if cut is None and serving is not None:
                # Something blocks the thread. What it answers is all that can be told; the rest ends should
                # it ever go on.
                cut = serving.cut()
        finally:
            if self._owns_thread:
                thread.close()
        warn_of(cut or [])

    def errors_told(self) -> None:
        """Note that somebody else tells of the errors of handlers so far, which the end is not to raise."""
        self._earlier_errors = len(self.handler_errors)

    @property
    def is_open(self) -> bool:
        """Whether it was started, and has not been stopped."""
        return self._serving is not None

    async def _start(self) -> None:
        if self._serving is not None:
            raise UsageError("this upstream was started before; Upstream() makes another one")
        serving = Serving(self._address, self.make_peer)
        url = self._url_at(serving.port)
        authority = self._authority
        context = None if authority is None else authority.server_context([url.host or ""])
        serving.start(self._finder, Origin.of(url), context)
        self._url, self._serving = url, serving
        self.enter()
        self._earlier_errors = len(self.handler_errors)

    async def _stop(self) -> list[Call[Route]]:
        serving = self._serving
        if serving is None:
            return []
        if serving.loop is not asyncio.get_running_loop():
            raise LoopMismatchError(self.other_loop())
        self._serving = None
        cut = await serving.stop()
        await end_lives(self.leave())
        return cut

    @property
    def _stands_still(self) -> bool:
        """Whether it was started, and the loop that serves it does not run."""
        return self._serving is not None and not self._serving.loop.is_running()

    def other_loop(self) -> str:
        """That it is of no use while its loop does not run, for a message."""
        current = running_loop()
        beside = f"while {current!r} does" if current else "and neither does another one here"
        serving = self._serving.loop if self._serving is not None else None
        return (
            f"the upstream at {self._url} is served by the loop {serving!r}, which does not run {beside}; "
            "start it on the loop that uses it (the same loop_scope), or let a thread serve it: "
            "Upstream(thread=True)"
        )

    def _url_at(self, port: int | None) -> URL:
        scheme = "https" if self._authority else "http"
        if not isinstance(self._address, TcpAddress):
            return URL.build(scheme=scheme, host="localhost")
        # The unspecified addresses are all of this machine's; a client needs one.
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._address.host, self._address.host)
        return URL.build(scheme=scheme, host=host, port=port)

    def _trusted(self) -> Authority:
        if self._authority is None:
            raise UsageError("this upstream does not speak TLS; Upstream(tls=True) does")
        return self._authority

    @property
    def _owner(self) -> str:
        return "Upstream"


def warn_of(calls: list[Call[Route]]) -> None:
    """Name the answers that did not end when they had to."""
    for call in calls:
        asked = without_secrets(f"{call.request.method} {call.request.url}")
        text = f"the answer to {asked} by {call.route!r} did not end in time"
        warnings.warn(f"{text}; its connection was cut", RuntimeWarning, stacklevel=4)
