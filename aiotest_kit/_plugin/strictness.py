"""What a test owes its mock: every request answered, every route called, no error in a handler.

Decides and words it; fixtures and hooks carry it out. Knows the router and what pytest says of a test. Knows
nothing of connections and sessions.
"""

from __future__ import annotations

import os
import traceback
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import aiohttp
import pytest

from .._asyncio.tasks import cancel_tasks
from .._location import PACKAGE
from .._messages.masking import without_secrets
from .._reports.call_log import timeline, title
from .._reports.unmet import explain_left_out, explain_unanswered, ways_out

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from types import TracebackType

    from .._http.call import Call
    from .._routing.handler_errors import HandlerError
    from .._routing.route import Route, StalledCall
    from .._routing.table import Miss
    from .settings import Policy

__all__ = ["Watch", "Watched", "WatchedWide", "failure", "handler_failure"]


AIOHTTP = os.path.dirname(aiohttp.__file__) + os.sep


class Watched(Protocol):
    """What a test answers for: a router, or a server with stubs."""

    @property
    def calls(self) -> Sequence[Call[Any]]:
        """The calls, in order."""
        ...

    @property
    def misses(self) -> Sequence[Miss]:
        """The requests that no route answered."""
        ...

    @property
    def never_called(self) -> Sequence[Route]:
        """The routes that had to be called, and were not."""
        ...

    @property
    def owed(self) -> Sequence[Route]:
        """All its routes, those that a scope took back, too."""
        ...

    @property
    def unfinished(self) -> Sequence[str]:
        """A report for each script of a websocket of which the client left something out."""
        ...

    @property
    def handler_errors(self) -> Sequence[HandlerError]:
        """What escaped from handlers."""
        ...

    def release_stalled(self) -> Mapping[asyncio.Task[None], StalledCall]:
        """Let no fault keep a client waiting any more; the tasks that do so now, to be cancelled."""
        ...


class WatchedWide(Watched, Protocol):
    """What a test has of a router that outlives it; its settings are its own."""

    @property
    def policy(self) -> Policy:
        """What the test minds of it."""
        ...

    def end_apps(self) -> None:
        """End the apps that the test mounted."""
        ...


class News(NamedTuple):
    """What came to a router in some time."""

    calls: Sequence[Call[Any]]
    misses: Sequence[Miss]
    errors: Sequence[HandlerError]


@dataclass
class Watch:
    """The routers of one test, held to its policy; `wide` are those that outlive it, each with its own.

    `setting` is where the policy is written; see `ways_out`.
    """

    policy: Policy
    routers: list[Watched] = field(default_factory=list)
    passed: bool = False
    """Whether the call phase is over and found nothing wrong."""
    wide: list[WatchedWide] = field(default_factory=list)
    setting: str = "@pytest.mark.aiotest({})"
    ended: list[Watched] = field(default_factory=list)
    """Those whose fixtures are torn down, until the report on that."""
    _told: dict[int, tuple[int, int, int]] = field(default_factory=dict)

    def end(self, *routers: Watched) -> None:
        """Answer no more for some routers; a report on what is torn down still shows them."""
        self.ended += routers
        self.routers = [router for router in self.routers if router not in routers]
        self.wide = [router for router in self.wide if router not in routers]

    def reported(self) -> None:
        """Forget what was, now that the last report is made: a test may be run again."""
        self.ended.clear()
        self._told.clear()

    def verdict(self) -> BaseException | None:
        """What fails a test whose call went well; None if nothing does."""
        return handler_failure(self.all_routers) or failure(
            self.complaints(self.unanswered(), self.left_out())
        )

    def late_verdict(self, *routers: Watched) -> BaseException | None:
        """What fails the teardown of a test that passed: what happened since, by default to any router.

        A test that did not pass has its report, and a route may well be left out at the end.
        """
        if not self.passed:
            return None
        late = routers or self.all_routers
        return handler_failure(late) or failure(self.complaints(self.unanswered(late)))

    def release_stalled(self) -> list[str]:
        """End what a fault still keeps a client waiting for, now that the test is over.

        Of a test that passed, a report for each such call: the code under test may never tell, as it may have
        swallowed the error or still be at it.
        """
        waiting = [pair for router in self.all_routers for pair in router.release_stalled().items()]
        if not waiting:
            return []
        calls = [kept.call for _, kept in waiting if self.passed and not kept.has_gone()]
        cancel_tasks(task for task, _ in waiting)
        return list(map(left_waiting, calls))

    @property
    def all_routers(self) -> tuple[Watched, ...]:
        """The routers of the test, and those that outlive it."""
        return (*self.routers, *self.wide)

    def policy_of(self, router: Watched) -> Policy:
        """What is minded of a router."""
        return next((wide.policy for wide in self.wide if wide is router), self.policy)

    def unanswered(self, routers: Iterable[Watched] | None = None) -> list[str]:
        """A report for each request that no route answered, if the policy minds; equal ones are one."""
        return explain_unanswered(
            miss
            for router in (self.all_routers if routers is None else routers)
            if self.policy_of(router).unmatched == "error"
            for miss in router.misses
        )

    def left_out(self) -> list[str]:
        """A report on the routes never called, and one on each unfinished script, if the policy minds."""
        strict = [router for router in self.all_routers if self.policy_of(router).unused == "error"]
        reports = [explain_left_out(router.never_called, router.calls, ()) for router in strict]
        return [*chain(*reports), *chain(*(router.unfinished for router in strict))]

    def complaints(self, unanswered: list[str], left_out: Sequence[str] = ()) -> list[str]:
        """The reports of what the policy minds, and behind them how to say that it is on purpose."""
        ways = ways_out(self.setting, unmatched=bool(unanswered), unused=bool(left_out))
        return [*unanswered, *left_out, *ways]

    def sections(self, raised: BaseException | None) -> Iterator[tuple[str, str]]:
        """What helps to understand a failure beside the exception that was raised: titles and texts.

        A second failure of a test, that of its teardown, has what came since the first.
        """
        known = list(causes(raised))
        told = "\n".join(map(str, known))
        news = [(router, self._news_of(router)) for router in (*self.all_routers, *self.ended)]
        for _, new in news:
            for error in new.errors:
                if error.exception in known:
                    yield "error in a handler", asked(error)
                elif described(error) not in told:
                    yield "error in a handler", described(error)
        missed = [new.misses for router, new in news if self.policy_of(router).unmatched == "error"]
        unanswered = [report for report in explain_unanswered(chain(*missed)) if report not in told]
        if unanswered:
            yield "unanswered requests", "\n".join(self.complaints(unanswered))
        for _, new in news:
            if new.calls:
                yield "aiohttp calls", timeline(new.calls)

    def _news_of(self, router: Watched) -> News:
        """What came to a router since it was last asked."""
        calls, misses, errors = router.calls, router.misses, router.handler_errors
        before = self._told.get(id(router), (0, 0, 0))
        dropped: int = getattr(calls, "dropped", 0)
        self._told[id(router)] = len(calls) + dropped, len(misses), len(errors)
        new = calls[max(0, before[0] - dropped) :] if before[0] else calls
        return News(new, misses[before[1] :], errors[before[2] :])


def handler_errors(routers: Iterable[Watched]) -> list[HandlerError]:
    """What escaped from handlers, in order."""
    return [error for router in routers for error in router.handler_errors]


def handler_failure(routers: Iterable[Watched]) -> BaseException | None:
    """The first error that escaped from a handler, traced from the handler on."""
    for error in handler_errors(routers):
        trace = own_traceback(error.exception)
        if trace is not None:
            return error.exception.with_traceback(trace)
        return failure([described(error)])
    return None


def failure(texts: list[str]) -> BaseException | None:
    """A failure that consists of texts, if there are any."""
    return pytest.fail.Exception("\n".join(texts), pytrace=False) if texts else None


def left_waiting(call: Call[Any]) -> str:
    """A call that was still waiting when its test was over."""
    asked = title(call)
    return f"a call still waited when its test was over, and was let go: {asked} for {call.route!r}"


def own_traceback(exc: BaseException) -> TracebackType | None:
    """The part of a traceback that begins outside this package and aiohttp; None if there is no such part."""
    trace = exc.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith((PACKAGE, AIOHTTP)):
        trace = trace.tb_next
    return trace


def described(error: HandlerError) -> str:
    """An error of a handler with its traceback, from the handler on, and the request."""
    exc = error.exception
    lines = traceback.format_exception(type(exc), exc, own_traceback(exc))
    return f"{asked(error)}\n{''.join(lines).rstrip()}"


def asked(error: HandlerError) -> str:
    """The request that was being answered."""
    return without_secrets(f"while answering {error.request.method} {error.request.url}")


def causes(exc: BaseException | None) -> Iterator[BaseException]:
    """An exception, those that it consists of, and those that led to them."""
    seen: set[int] = set()
    left = [exc]
    while left:
        exc = left.pop()
        if exc is not None and id(exc) not in seen:
            seen.add(id(exc))
            yield exc
            left += [exc.__cause__ or exc.__context__, *getattr(exc, "exceptions", ())]
