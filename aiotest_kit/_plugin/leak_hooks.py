"""What the pytest plugin adds where a setting or a marker asks for a leak check; nothing elsewhere.

It decides nothing of what a leak is. There is nothing for pytest to rewrite here: PYTEST_DONT_REWRITE.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from .._leaks.check import LeakCheck
from .._leaks.creation_log import CreationLog
from .._messages.exceptions import LeakWarning
from .loops import NoLoop, loop_scope_of, stack_of
from .pytest_asyncio import RUNNER, has_runner
from .settings import policy_of
from .state import WATCH, being_set_up, definitions_of

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

__all__ = ["LeakPlugin"]

FIXTURE = "_aiotest_leaks"


class LeakPlugin:
    """Hooks that check each test, and a fixture.

    A check goes from before the test's other fixtures to behind them, but not beyond the end of its loop. So
    what is set up first begins and ends it: the runner of pytest-asyncio, where that is the test's own; for
    any other test the fixture, which takes longer.
    """

    def __init__(self) -> None:
        self._makers = CreationLog()
        self._check: LeakCheck | None = None
        self._mode = "off"
        self._has_runner = False
        self._passed = False
        self._makers.open()

    def pytest_unconfigure(self) -> None:
        """Leave nothing behind."""
        self._makers.close()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: Any) -> None:
        """Have the check set up before the test's other fixtures, and so torn down behind them.

        Not before wider ones: pytest sets those up first, and a test's mock opens with the first of its own.
        """
        self._passed = False
        self._mode = policy_of(item).leaks
        is_checked = self._mode != "off" and hasattr(item, "fixturenames")
        self._has_runner = is_checked and has_runner(item)
        if is_checked:
            own = RUNNER if self._has_runner else FIXTURE
            wider = [name for name in item.fixturenames if is_wider(item, name)]
            others = [name for name in item.fixturenames if name not in wider]
            # Not in place: the list is that of all tests that one function makes.
            item.fixturenames = [*wider, own, *others]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Remember whether the test passed: one that did not has something to say already."""
        report = yield
        if call.when == "call":
            self._passed = report.passed or (call.excinfo is not None and is_warning(call.excinfo.value))
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, Any, object]:
        """Begin with the runner, and excuse what a wider fixture opens: it closes it later."""
        if self._has_runner and fixturedef.argname == RUNNER:
            runner = yield
            self._begin(runner.get_loop(), is_new=True)
            fixturedef.addfinalizer(partial(self._end, request.node))
            return runner
        if fixturedef.scope == "function":
            return (yield)
        with self._makers.wide() if self._check is None else self._check.excusing():
            return (yield)

    @pytest.fixture(name=FIXTURE)
    def check(self) -> Iterator[None]:
        """Check one test."""
        request = being_set_up.request
        self._begin(loop_of(request))
        yield
        self._end(request.node)

    def _begin(self, loop: object, *, is_new: bool = False) -> None:
        self._check = LeakCheck(self._makers, loop)
        self._check.begin(is_new=is_new)

    def _end(self, item: pytest.Item) -> None:
        """Say what was left open."""
        check, self._check = self._check, None
        assert check is not None
        # They would end with the test, but its loop ends before.
        watch = item.stash.get(WATCH, None)
        for part in watch.wide if watch is not None else ():
            part.end_apps()
        found = check.end()
        if not found or not self._passed:
            return
        text = "\n  ".join([f"{item.nodeid} left open:", *found])
        if self._mode == "error":
            raise pytest.fail.Exception(text, pytrace=False)
        item.warn(LeakWarning(text))


def is_warning(failure: BaseException) -> bool:
    """Whether a test failed by nothing else than warnings of what was dropped unclosed, which are errors."""
    inner: tuple[BaseException, ...] = getattr(failure, "exceptions", ())
    return (
        all(map(is_warning, inner)) if inner else isinstance(failure, pytest.PytestUnraisableExceptionWarning)
    )


def is_wider(item: Any, name: str) -> bool:
    """Whether a name stands for a fixture that outlives the test."""
    definitions = definitions_of(item, name)
    return bool(definitions) and definitions[-1].scope != "function"


def loop_of(request: pytest.FixtureRequest) -> object:
    """The loop of the test; None if it has none of asyncio."""
    scope = loop_scope_of(request)
    if isinstance(scope, NoLoop):
        return None
    # Not public, but without the price of an async fixture; where it is missing, that is paid.
    with suppress(pytest.FixtureLookupError):
        return request.getfixturevalue(f"_{scope}_scoped_runner").get_loop()
    return stack_of(request, "no leak check").loop
