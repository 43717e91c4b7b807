"""What the pytest plugin adds where a setting or a marker asks for a leak check; nothing elsewhere.

It decides nothing of what a leak is. There is nothing for pytest to rewrite here: PYTEST_DONT_REWRITE.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from ._errors import LeakWarning
from ._leaks import LeakCheck, Makers
from ._loops import NoLoop, loop_scope_of, stack_of
from ._strict import policy_of

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

__all__ = ["LeakPlugin"]

FIXTURE = "_aiotest_leaks"


class LeakPlugin:
    """Hooks and a fixture that check each test."""

    def __init__(self) -> None:
        self._makers = Makers()
        self._check: LeakCheck | None = None
        self._passed = False
        self._request: pytest.FixtureRequest | None = None
        self._makers.open()

    def pytest_unconfigure(self) -> None:
        """Leave nothing behind."""
        self._makers.close()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Set the check up before all other fixtures, so that it is torn down behind them."""
        self._passed = False
        names: list[str] | None = getattr(item, "fixturenames", None)
        if names is not None and FIXTURE not in names:
            names.insert(0, FIXTURE)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Remember whether the test passed: one that did not has something to say already."""
        report = yield
        if call.when == "call":
            self._passed = report.passed
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, object, object]:
        """Excuse what a wider fixture opens: it closes it later."""
        if fixturedef.argname == FIXTURE:
            # As an argument of the fixture it would take pytest longer than setting up an empty one.
            self._request = request
        if self._check is None or fixturedef.scope == "function":
            return (yield)
        with self._check.excusing():
            return (yield)

    @pytest.fixture(name=FIXTURE)
    def check(self) -> Iterator[None]:
        """Check one test."""
        request, self._request = self._request, None
        assert request is not None
        mode = policy_of(request.node).leaks
        if mode == "off":
            yield
            return
        self._check = check = LeakCheck(self._makers, loop_of(request))
        check.begin()
        yield
        self._check = None
        found = check.end()
        if not found or not self._passed:
            return
        text = "\n  ".join([f"{request.node.nodeid} left open:", *found])
        if mode == "error":
            raise pytest.fail.Exception(text, pytrace=False)
        request.node.warn(LeakWarning(text))


def loop_of(request: pytest.FixtureRequest) -> object:
    """The loop of the test; None if it has none of asyncio."""
    scope = loop_scope_of(request)
    if isinstance(scope, NoLoop):
        return None
    # Not public, but without the price of an async fixture; where it is missing, that is paid.
    with suppress(pytest.FixtureLookupError):
        return request.getfixturevalue(f"_{scope}_scoped_runner").get_loop()
    return stack_of(request, "no leak check").loop
