"""`mock`: a router that answers the requests of every aiohttp session in the process.

Knows what a mock is and how it ends. How requests get to it is in `interception`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from .._asyncio.lifespan import end_lives, end_lives_soon
from .._asyncio.tasks import cancel_tasks, end_tasks
from .._errors import UsageError
from .._routing.handler_errors import raise_handler_error
from .._routing.router import Router
from .interception import close_mock, open_mock
from .open_mocks import mocks_here

if TYPE_CHECKING:
    import asyncio
    from types import TracebackType

    from .._http.request import Request

__all__ = ["Mock", "mock"]

Unmatched: TypeAlias = Literal["error", "allow", "passthrough"]
POLICIES = ("error", "allow", "passthrough")


class Mock:
    """What `mock` returns: a context manager, sync and async, that gives the router.

    `imitates_connecting` says whether a resolver of the user's own is asked for the names of hosts, and an
    `aiohttp.Fingerprint` compared with `router.certificate_digest`. The stand-ins for libraries that do
    neither turn it off.
    """

    imitates_connecting: bool = True

    def __init__(
        self,
        router: Router | None,
        unmatched: Unmatched,
        loopback: bool = True,
        isolated: bool = False,
    ) -> None:
        if unmatched not in POLICIES:
            raise UsageError(f"unmatched={unmatched!r}: policies are {', '.join(POLICIES)}")
        self.router: Router = Router() if router is None else router
        self.unmatched: Unmatched = unmatched
        self.loopback = loopback
        self.isolated = isolated
        self.is_open = False
        self.opened_in: tuple[Mock, ...] = ()
        """The mocks that were open in the same context before, the newest first."""
        self.opened_by: asyncio.Task[Any] | None = None
        self._earlier_errors = 0

    def __enter__(self) -> Router:
        self.open()
        self._earlier_errors = len(self.router.handler_errors)
        return self.router

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
        raise_handler_error(self.router.handler_errors[self._earlier_errors :], exc)

    async def __aenter__(self) -> Router:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.is_open:
            lives = self.router.leave()
            if lives:
                # While the mock still answers: the clean-up of a mounted app may call out, too.
                await end_tasks(self.router.tasks)
                await end_lives(lives)
            close_mock(self)
            await end_tasks(self.router.tasks)
        raise_handler_error(self.router.handler_errors[self._earlier_errors :], exc)

    def open(self) -> None:
        """Begin to answer.

        Raises:
            UsageError: it is open already.
        """
        open_mock(self)
        self.router.enter()

    def close(self) -> None:
        """End: what still answers is ended, and with the last open mock nothing is patched any more.

        Mounted apps are shut down before that, unless their loop runs: then soon after.
        """
        if self.is_open:
            lives = self.router.leave()
            if lives:
                cancel_tasks(self.router.tasks)
                end_lives_soon(lives)
            close_mock(self)

    def errors_told(self) -> None:
        """Note that somebody else tells of the errors of handlers so far, which the end is not to raise."""
        self._earlier_errors = len(self.router.handler_errors)

    @property
    def lets_some_out(self) -> bool:
        """Whether a request to somewhere else may go to the network at all."""
        return self.unmatched == "passthrough" or self.router.lets_some_out

    def lets_out(self, request: Request, local: bool) -> bool:
        """Whether a request that no mock answers goes to the network, where this mock is asked first."""
        return (local and self.loopback) or self.unmatched == "passthrough"

    @staticmethod
    def open_here() -> tuple[Mock, ...]:
        """The open mocks that a request made here asks, in their order."""
        return mocks_here()


def mock(
    router: Router | None = None,
    *,
    unmatched: Unmatched = "error",
    loopback: bool = True,
    isolated: bool = False,
) -> Mock:
    """Answer the requests of every aiohttp session in the process, until the block ends.

    Use it as `with mock() as router:` or `async with mock() as router:`; a `router` of one's own may be
    given. Nothing leaves the machine: a request that no route answers raises `UnmatchedRequest` in the
    client. Loopback addresses go through unless a route names them, and so does what `router.passthrough`
    lets out; with `unmatched="passthrough"` so does all that no route asks for. As that is settled before the
    body is sent, a request that differs from a route in its body alone stays, and is unmatched. With
    `loopback=False`, a loopback address is one as any other.

    Mocks nest, and may be open at once in several tasks, threads and loops. The newest is asked first, but
    those that concurrent tasks have opened for themselves last. With `isolated=True`, only the context that
    opens it and the tasks it starts ask it, and they ask no mock of a concurrent task.

    An error that escapes from a handler is raised when the block ends.
    """
    return Mock(router, unmatched, loopback, isolated)
