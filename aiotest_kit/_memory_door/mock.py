"""`mock`: a router that answers the requests of every aiohttp session in the process.

Knows what a mock is and how it ends. How requests get to it is in `interception`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

from .._asyncio.lifespan import end_lives, end_lives_soon
from .._asyncio.tasks import cancel_tasks, end_tasks
from .._messages.exceptions import UnmetExpectations, UsageError
from .._messages.wording import one_line
from .._reports.unmet import explain_left_out, explain_unanswered, ways_out
from .._routing.handler_errors import raise_handler_error
from .._routing.router import Router
from .decorator import decorated
from .interception import close_mock, open_mock
from .open_mocks import mocks_here

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from types import TracebackType

    from .._http.request import Request

__all__ = ["Mock", "mock"]

Unmatched: TypeAlias = Literal["error", "allow", "passthrough"]
Unused: TypeAlias = Literal["error", "allow"]
POLICIES = ("error", "allow", "passthrough")
T = TypeVar("T")


class Mock:
    """What `mock` returns: a context manager, sync and async, that gives the router; and a decorator.

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
        strict: bool = False,
        unused: Unused | None = None,
    ) -> None:
        check_router(router)
        if unmatched not in POLICIES:
            raise UsageError(f"unmatched={unmatched!r}: policies are {', '.join(POLICIES)}")
        if unused not in (None, "error", "allow"):
            raise UsageError(f"unused={unused!r}: policies are error, allow")
        if {type(loopback), type(isolated), type(strict)} != {bool}:
            check_switches(loopback=loopback, isolated=isolated, strict=strict)
        if unused is not None and not strict:
            raise UsageError(f"unused={unused!r} goes with strict=True: else no route has to be called")
        self._given = router, unmatched, loopback, isolated, strict, unused
        self.router: Router = Router() if router is None else router
        self.unmatched: Unmatched = unmatched
        self.loopback = loopback
        self.isolated = isolated
        self.is_open = False
        self.opened_in: tuple[Mock, ...] = ()
        """The mocks that were open in the same context before, the newest first."""
        self.opened_by: asyncio.Task[Any] | None = None
        self.strict = strict
        self.unused: Unused = unused or "error"
        self._earlier_errors = 0
        self._earlier_misses = 0

    def __call__(self, function: Callable[..., T]) -> Callable[..., T]:
        """Decorate a function, sync or async: each call of it has a mock of its own.

        It gets the router if it has a parameter of that name, which whoever calls it does not pass: pytest
        looks for no fixture `router`.

        Raises:
            UsageError: it is no function, or a generator.
        """
        return decorated(function, partial(Mock, *self._given))

    def __enter__(self) -> Router:
        self.open()
        self.errors_told()
        return self.router

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        __tracebackhide__ = True
        self.close()
        self._raise_unmet(exc)

    async def __aenter__(self) -> Router:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        __tracebackhide__ = True
        if self.is_open:
            lives = self.router.leave()
            if lives:
                # While the mock still answers: the clean-up of a mounted app may call out, too.
                await end_tasks(self.router.tasks)
                await end_lives(lives)
            close_mock(self)
            await end_tasks(self.router.tasks)
        self._raise_unmet(exc)

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
        """Note that the end is not to raise what went wrong so far."""
        self._earlier_errors = len(self.router.handler_errors)
        self._earlier_misses = len(self.router.misses)

    def _raise_unmet(self, exc: BaseException | None) -> None:
        """Let the block fail by an error of a handler, or by what a strict mock minds; `exc` goes first."""
        __tracebackhide__ = True
        router = self.router
        errors = router.handler_errors
        if len(errors) > self._earlier_errors:
            raise_handler_error(errors[self._earlier_errors :], exc)
        if not self.strict or exc is not None:
            return
        missed = router.misses[self._earlier_misses :] if self.unmatched == "error" else ()
        unanswered, left_out = explain_unanswered(missed), list[str]()
        if self.unused == "error":
            left_out = explain_left_out(router.never_called, router.calls, router.unfinished)
        if unanswered or left_out:
            ways = ways_out("mock(strict=True, {})", unmatched=bool(unanswered), unused=bool(left_out))
            raise UnmetExpectations("\n".join([*unanswered, *left_out, *ways]))

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


def check_switches(**switches: object) -> None:
    """Refuse what is neither True nor False.

    Raises:
        UsageError: something is.
    """
    for name, value in switches.items():
        if not isinstance(value, bool):
            raise UsageError(f"{name}= is True or False; got {one_line(value, 60)}")


def check_router(router: object) -> None:
    """Refuse what is no router, nor None.

    Raises:
        UsageError: it is such.
    """
    if router is None or isinstance(router, Router):
        return
    if callable(router) and not isinstance(router, type):
        name = getattr(router, "__qualname__", one_line(router, 60))
        raise UsageError(f"@mock goes with parentheses, which may have settings: @mock() above {name}")
    raise UsageError(f"mock() takes a Router, or nothing; got {one_line(router, 60)}")


def mock(
    router: Router | None = None,
    *,
    unmatched: Unmatched = "error",
    loopback: bool = True,
    isolated: bool = False,
    strict: bool = False,
    unused: Unused | None = None,
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

    An error that escapes from a handler is raised when the block ends. With `strict=True`, so is
    `UnmetExpectations` where a request met no route, unless `unmatched` says otherwise, or a route was never
    called, unless `unused="allow"`; but never in place of another exception.

    `@mock()` decorates a test or another function, sync or async; see `Mock.__call__`.

    Raises:
        UsageError: an argument cannot work; nothing is patched then.
    """
    return Mock(router, unmatched, loopback, isolated, strict, unused)
