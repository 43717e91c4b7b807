"""Mocks and upstreams that outlive a test: what each test has of them, and is told of them.

A request that no route answers, and an error in a handler, are told to the test in which they came; what
came between two tests is told at the next teardown. Each test has a scope and a log of its own. Knows
routers, and pytest's items. Knows nothing of fixtures and hooks.
"""

from __future__ import annotations

import sys
import traceback
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from .._memory_door.mock import Mock
from .._reports.near_misses import explain_unused
from .._reports.unmet import ways_out
from .settings import Policy, policy_of
from .state import WIDE, being_set_up, has_traceback, watch_of
from .strictness import Watch, failure

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator, Mapping

    from .._http.call import Call
    from .._loopback_door.upstream import Upstream
    from .._memory_door.mock import Unmatched
    from .._routing.calls import Calls
    from .._routing.handler_errors import HandlerError
    from .._routing.route import Route, StalledCall
    from .._routing.router import Router
    from .._routing.table import Miss, Scope

__all__ = ["WideRouter", "WideRouters", "tell_of_opened", "told_to_tests", "wide_routers_of"]


class WideRouter:
    """A router that outlives a test; `door` is what leads to it, `name` says whose it is.

    `settings` go over those of the project, and the markers of a test go over them. With `is_per_test` each
    test has a scope and a log of its own; without it only what goes wrong is told to the test.
    """

    def __init__(
        self, name: str, router: Router, door: Mock | Upstream, settings: Mapping[str, str], is_per_test: bool
    ) -> None:
        self.name = name
        self.router = router
        self.door = door
        self.settings = settings
        self.is_per_test = is_per_test
        self._seen: dict[int, object] = {}
        self.between: list[str] = []
        """What came between two tests, to be told at the next teardown."""

    def policy(self, item: pytest.Item | None, config: pytest.Config) -> Policy:
        """What is minded in a test, or outside of any."""
        if item is not None:
            return policy_of(item, self.settings, self.name)
        return Policy.of_project(config).updated(self.settings, self.name)

    @property
    def setting(self) -> str:
        """Where it is written what is minded of it outside of any test; see `ways_out`."""
        is_own = "unmatched" in self.settings or isinstance(self.door, Mock)
        return f"{{}} of {self.name}" if is_own else "aiotest_kit_{} in the ini file"

    @property
    def misses(self) -> list[Miss]:
        """The requests that no route answered, and of which nobody has been told."""
        return [miss for miss in self.router.misses if id(miss) not in self._seen]

    @property
    def handler_errors(self) -> list[HandlerError]:
        """What escaped from handlers, and of which nobody has been told."""
        return [error for error in self.router.handler_errors if id(error) not in self._seen]

    def see(self) -> None:
        """Take what went wrong so far for told."""
        # The values are kept, so that no other has the identity of one.
        self._seen |= {id(each): each for each in (*self.router.misses, *self.router.handler_errors)}
        self.door.errors_told()

    def clear_log(self) -> None:
        """Begin another log."""
        self.router.clear_log()
        self._seen.clear()
        self.door.errors_told()


class PartOfTest:
    """What one test has of a router that outlives it; see `strictness.Watched`."""

    def __init__(self, wide: WideRouter, policy: Policy) -> None:
        self.wide = wide
        self.policy = policy
        self.scope: Scope | None = None
        self._misses: list[Miss] = []
        self._errors: list[HandlerError] = []
        self._calls_before = 0
        self._older: set[Route] = set()
        self._unmatched: Unmatched | None = None

    def begin(self) -> None:
        """Begin the test's own scope and log; what the set-up came to so far is the test's, too."""
        wide = self.wide
        if wide.is_per_test:
            self._misses, self._errors = wide.misses, wide.handler_errors
            wide.clear_log()
            self.scope = wide.router.begin_scope()
            if isinstance(wide.door, Mock):
                self._unmatched = wide.door.unmatched
                wide.door.unmatched = self.policy.unmatched
        self._calls_before = wide.router.call_count
        self._older = set(wide.router.owed)

    def end_apps(self) -> None:
        """End the apps that the test mounted."""
        if self.scope is not None:
            self.scope.end_apps()

    def end(self) -> None:
        """Take the test's routes back, and what was not told for seen."""
        self.end_apps()
        if self.scope is not None:
            self.scope.restore(with_debts=True)
        if isinstance(self.wide.door, Mock) and self._unmatched is not None:
            self.wide.door.unmatched = self._unmatched
        self.wide.router.let_wait()
        self.wide.see()

    @property
    def calls(self) -> Calls[Call[Route]]:
        """The calls of the test."""
        calls = self.wide.router.calls
        return calls[max(0, self._calls_before - calls.dropped) :]

    @property
    def misses(self) -> list[Miss]:
        """The requests of the test that no route answered."""
        return self._misses + self.wide.misses

    @property
    def handler_errors(self) -> list[HandlerError]:
        """What escaped from handlers in the test."""
        return self._errors + self.wide.handler_errors

    @property
    def never_called(self) -> list[Route]:
        """The routes that the test added and that had to be called, and were not."""
        return [route for route in self._added if route.is_unmet]

    @property
    def owed(self) -> tuple[Route, ...]:
        """The routes that are there for the test."""
        return self.wide.router.owed

    @property
    def unfinished(self) -> list[str]:
        """A report for each unfinished script of the routes that the test added."""
        return [report for route in self._added for report in route.unfinished()]

    @property
    def _added(self) -> list[Route]:
        return [route for route in self.wide.router.owed if route not in self._older]

    def release_stalled(self) -> dict[asyncio.Task[None], StalledCall]:
        """Let no fault keep a client waiting any more, until the next test begins."""
        return self.wide.router.release_stalled()


class WideRouters:
    """The routers that outlive a test, and what the running test has of them."""

    def __init__(self, config: pytest.Config, item: pytest.Item | None = None) -> None:
        self._config = config
        self._routers: list[WideRouter] = []
        self._parts: dict[WideRouter, PartOfTest] = {}
        self._item: pytest.Item | None = None
        self._ends_with_item = True
        if item is not None:
            self.begin(item)

    def knows(self, router: Router) -> bool:
        """Whether a router is among them."""
        return any(wide.router is router for wide in self._routers)

    def add(self, wide: WideRouter) -> None:
        """Begin to tell tests of a router; the running one has its part of it from now on."""
        self._routers.append(wide)
        if self._item is not None:
            self._join(wide, self._item)

    def close(self, wide: WideRouter) -> BaseException | None:
        """Know a router no more; what fails its end, where something of it was not told."""
        self._leave(wide)
        self._routers.remove(wide)
        untold = self._take_untold(wide, None)
        unmet = [route for route in wide.router.owed if route.is_unmet]
        if untold is not None or not unmet or wide.policy(None, self._config).unused != "error":
            return untold
        report = explain_unused(unmet, wide.router.calls)
        return failure(
            [f"in all tests, under {wide.name}:", report, *ways_out(wide.setting, unused=True)],
        )

    def start(self) -> None:
        """Before a test is set up: note what came since the last one."""
        self.end()
        for wide in self._routers:
            untold = self._verdict(wide, None)
            if untold is not None:
                wide.between.append(f"between two tests, under {wide.name}:\n{told(untold)}")

    def begin(self, item: pytest.Item, *, ends_with_item: bool = True) -> None:
        """Give a test its part of the routers; it ends when what is set up from now on is torn down."""
        if self._item is item:
            return
        self.end()
        self._item, self._ends_with_item = item, ends_with_item
        for wide in self._routers:
            self._join(wide, item)

    def end(self) -> None:
        """Take the routes of a test back."""
        self._item = None
        for wide in list(self._parts):
            self._leave(wide)

    def after_teardown(self, item: pytest.Item) -> BaseException | None:
        """What fails a teardown: what came between two tests, and in the teardown of wider fixtures."""
        untold = [self._take_untold(wide, item) for wide in self._routers]
        self.drop_closed()
        return joined(untold)

    def drop_closed(self) -> None:
        """Know those no more that were closed, whose end has told what it had to."""
        self._routers = [wide for wide in self._routers if wide.door.is_open]

    def present(self) -> dict[WideRouter, set[int]]:
        """What the routers have, of which a test has a scope; for `adopt`."""
        scopes = {wide: part.scope for wide, part in self._parts.items()}
        return {wide: scope.present for wide, scope in scopes.items() if scope is not None}

    def adopt(self, present: Mapping[WideRouter, set[int]]) -> None:
        """Have what a wider fixture added stay, although it was set up amid a test."""
        for wide, part in self._parts.items():
            if part.scope is not None:
                part.scope.adopt(present.get(wide, set()))

    def _join(self, wide: WideRouter, item: pytest.Item) -> None:
        watch = watch_of(item)
        part = PartOfTest(wide, wide.policy(item, self._config))
        if self._ends_with_item and not self._parts:
            item.addfinalizer(partial(self._end_of, item))
        part.begin()
        self._parts[wide] = part
        watch.wide.append(part)

    def _leave(self, wide: WideRouter) -> None:
        part = self._parts.pop(wide, None)
        if part is not None:
            part.end()

    def _end_of(self, item: pytest.Item) -> None:
        """Fail the teardown of a test by what came after its verdict, and take its routes back."""
        __tracebackhide__ = has_traceback
        watch = watch_of(item)
        try:
            late = watch.late_verdict(*watch.wide) if watch.wide else None
            if late is not None:
                raise late
        finally:
            watch.end(*watch.wide)
            self.end()

    def _verdict(self, wide: WideRouter, item: pytest.Item | None) -> BaseException | None:
        """What is to be told of a router outside of any test; it is told now."""
        part = PartOfTest(wide, wide.policy(item, self._config))
        watch = Watch(Policy(), passed=True, wide=[part])
        if item is None:
            watch.setting = wide.setting
        verdict = watch.late_verdict()
        wide.see()
        return verdict

    def _take_untold(self, wide: WideRouter, item: pytest.Item | None) -> BaseException | None:
        between, wide.between = failure(wide.between), []
        return joined([between, self._verdict(wide, item)])


def joined(failures: list[BaseException | None]) -> BaseException | None:
    """One failure for several; None if there are none."""
    found = [each for each in failures if each is not None]
    return failure(list(map(told, found))) if len(found) > 1 else next(iter(found), None)


def told(error: BaseException) -> str:
    """A failure as a text: of an error in a handler, with its traceback."""
    if isinstance(error, pytest.fail.Exception):
        return str(error)
    return "".join(traceback.format_exception(error)).rstrip()


def wide_routers_of(config: pytest.Config) -> WideRouters:
    """The routers that outlive tests in a run."""
    wide = config.stash.get(WIDE, None)
    if wide is None:
        item = being_set_up.item
        # A run of pytest may be within a test of another one.
        is_of_run = item is not None and item.config is config
        wide = config.stash[WIDE] = WideRouters(config, item if is_of_run else None)
    return wide


def told_to_tests(config: pytest.Config, wide: WideRouter, end: Callable[[], None]) -> Iterator[Router]:
    """Give a fixture's router to the tests, and fail the end of the fixture by what no test was told."""
    __tracebackhide__ = has_traceback
    routers = wide_routers_of(config)
    routers.add(wide)
    try:
        yield wide.router
    finally:
        end()
        untold = routers.close(wide)
    if untold is not None:
        raise untold


def tell_of_opened(
    config: pytest.Config, name: str, value: Any, mocks_before: tuple[Mock, ...], mocks: tuple[Mock, ...]
) -> None:
    """Have tests be told of what a wider fixture has opened by itself: mocks, and the upstream that it gives.

    A stand-in for another library is no `Mock` but of a class of its own, and as strict as that library.
    """
    doors: list[Mock | Upstream] = [
        mock for mock in mocks if type(mock) is Mock and not any(mock is other for other in mocks_before)
    ]
    module = sys.modules.get("aiotest_kit._loopback_door.upstream")
    if module is not None and type(value) is module.Upstream:
        upstream: Upstream = value
        doors += [upstream] if upstream.is_open else []
    for door in doors:
        routers = wide_routers_of(config)
        router = door.router if isinstance(door, Mock) else door
        if not routers.knows(router):
            unmatched = door.unmatched if isinstance(door, Mock) else "error"
            settings = {"unmatched": unmatched, "unused": "allow"}
            routers.add(WideRouter(f"the fixture {name!r}", router, door, settings, is_per_test=False))
