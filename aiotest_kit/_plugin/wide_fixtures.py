"""Mocks and upstreams for more than a test: `mock_fixture` and `upstream_fixture`.

Knows pytest's fixtures. There is nothing for pytest to rewrite here: PYTEST_DONT_REWRITE.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from .state import has_traceback
from .with_hooks import scope_with_hooks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .._routing.router import Router
    from .settings import Unmatched, Unused
    from .with_hooks import Scope

__all__ = ["mock_fixture", "upstream_fixture"]


def mock_fixture(
    *,
    scope: Scope = "session",
    unmatched: Unmatched = "error",
    unused: Unused = "allow",
    name: str | None = None,
) -> Any:
    """A fixture that gives all tests of a scope one mock: `api = mock_fixture()`.

    It is a `Router` that answers every aiohttp session in the process, as `aiohttp_mock` is, which overrides
    it in a test that has both. Its name is that of the variable, or `name`.

    Routes that wider fixtures add are for all tests; those of a test, and of its own fixtures, go with it,
    and what it took away or used up comes back. `calls` has the test's own. A request that no route answers,
    and an error in a handler, fail the test in which they came, also one that did not ask for the fixture;
    what comes between two tests is told at the next teardown. `unmatched` and `unused` are as for the marker
    `@pytest.mark.aiotest`, which goes over them; the ini file has no say. With `unused="error"` a route that
    a test adds must be called in it, and one that was there before in some test.

    Raises:
        UsageError: a scope or a setting is unknown.
    """
    from .settings import Policy
    from .upstreams import check_scope

    check_scope("scope", scope)
    settings = {"unmatched": unmatched, "unused": unused}
    Policy().updated(settings, "mock_fixture()")

    @pytest.fixture(scope=scope_with_hooks(scope), name=name)
    def wide_mock(request: pytest.FixtureRequest) -> Iterator[Router]:
        from .._memory_door.mock import mock
        from .settings import Policy, log_bounds
        from .wide_routers import WideRouter, told_to_tests

        __tracebackhide__ = has_traceback
        whose = f"the fixture {request.fixturename!r}"
        mocked = mock(unmatched=Policy.of_project(request.config).updated(settings, whose).unmatched)
        mocked.router.bound_log(*log_bounds(request.config))
        wide = WideRouter(whose, mocked.router, mocked, settings, is_per_test=True)
        mocked.open()
        yield from told_to_tests(request.config, wide, mocked.close)

    return wide_mock


def upstream_fixture(
    *,
    scope: Scope = "session",
    loop_scope: Scope | None = None,
    thread: bool | None = None,
    name: str | None = None,
) -> Any:
    """A fixture that gives an `Upstream` to all tests of a scope: `users_api = upstream_fixture()`.

    A thread serves it, so that tests on any loop, and sync ones, may use it. With a `loop_scope`, or with
    `thread=False`, it is served on the loop of that scope, or of its own, for tests on that loop; a use from
    another raises `LoopMismatchError`. Its name is that of the variable, or `name`.

    What a test has of it, and is told of it, is as with `mock_fixture`.

    Raises:
        UsageError: a scope is unknown, or the settings do not go together.
    """
    from .upstreams import in_loop, in_thread, loop_scope_for

    served_on = loop_scope_for(scope, loop_scope, thread)
    return in_thread(scope, name) if served_on is None else in_loop(scope, served_on, name)
