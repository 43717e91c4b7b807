"""The fixtures, for `from aiotest_kit.fixtures import *` in a `conftest.py`.

The plugin has them too; both at once are one. Nothing of aiohttp is imported before a fixture is used.
There is nothing for pytest to rewrite here: PYTEST_DONT_REWRITE.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ._plugin.registration import register_once
from ._plugin.state import being_set_up, has_traceback, mock_of, thread_of, watch_of, watched
from ._plugin.wide_fixtures import mock_fixture, upstream_fixture
from ._plugin.with_hooks import HOOKS, Scope, scope_with_hooks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aiohttp.test_utils import TestClient

    from ._loopback_door.upstream import Upstream
    from ._plugin.stub_clients import StubClientFactory
    from ._plugin.with_hooks import Scope
    from ._routing.router import Router
    from ._virtual_time.clock import VirtualClock

__all__ = [
    "aiohttp_mock",
    "aiohttp_stub_client",
    "aiohttp_upstream",
    "mock_fixture",
    "pytest_plugin_registered",
    "upstream_fixture",
    "virtual_clock",
]

registered: Callable[[str, pytest.Config], Scope] = scope_with_hooks("function")


@pytest.fixture(scope=registered)
def aiohttp_mock() -> Router:
    """The router that answers every aiohttp session in the test; nothing leaves the machine.

    It answers until all function-scoped fixtures of the test are torn down, in whatever order they are asked
    for.

    A request that no route answers raises `UnmatchedRequest` in the client, and fails the test even if the
    code swallows it; so does an error in a handler, and a route that is not called by the end of the test
    function, unless it is `optional()`. Loopback addresses go through unless a route names them. It needs
    no event loop: use it in sync and async tests and fixtures.

    Settings: `@pytest.mark.aiotest(unmatched=..., unused=...)`, or the ini options `aiotest_kit_unmatched`
    and `aiotest_kit_unused`.
    """
    return mock_of(being_set_up.request.node)


@pytest.fixture(scope=registered)
def aiohttp_upstream(request: pytest.FixtureRequest) -> Iterator[Upstream]:
    """An upstream for the test: a real server on this machine, for clients of any kind; see `Upstream`.

    Strict as `aiohttp_mock` is: a request that no route answers gets a 501 and fails the test, and so do a
    route that is not called and an error in a handler. It answers on the loop of an async test. For any
    other test, such as a sync one or one on trio, a thread serves it, which all tests share; also where
    `@pytest.mark.aiotest(upstream="thread")` or the ini option `aiotest_kit_upstream` says so, for blocking
    clients in async tests.
    """
    from ._loopback_door.upstream import Upstream
    from ._plugin.loops import NoLoop, loop_scope_of, stack_of
    from ._plugin.settings import log_bounds
    from ._plugin.upstreams import UpstreamInLoop

    __tracebackhide__ = has_traceback
    watch = watch_of(request.node)
    scope = "thread" if watch.policy.upstream == "thread" else loop_scope_of(request)
    is_threaded = scope == "thread" or isinstance(scope, NoLoop)
    upstream = (
        Upstream(thread=True)
        if is_threaded
        else UpstreamInLoop(request, str(scope), '@pytest.mark.aiotest(upstream="thread")')
    )
    upstream.bound_log(*log_bounds(request.config))
    try:
        if is_threaded:
            upstream.start_thread(thread_of(request.config), owns_thread=False)
        else:
            stack_of(request, "Upstream(thread=True)").enter_now(upstream.started())
        yield from watched(watch, upstream)
    finally:
        if is_threaded:
            upstream.stop_thread()


@pytest.fixture(scope=registered)
def aiohttp_stub_client(request: pytest.FixtureRequest) -> StubClientFactory:
    """A factory of clients of an app, in memory: `client = await aiohttp_stub_client(app)`.

    The client is aiohttp's own `TestClient`, of the class that the fixture `aiohttp_client_cls` names;
    `client.stubs` answers single routes of the app, `client.override` changes its keys, `client.calls` has
    every request. An error that escapes from the app fails the test, unless it was called with
    `allow_server_errors=True` or so marked; so does a stub that is not called. After the test the app is as
    it was before. For async tests, on any loop scope.

    Settings: `@pytest.mark.aiotest(unused=..., allow_server_errors=...)`.
    """
    from ._plugin.loops import stack_of
    from ._plugin.stub_clients import StubClients

    watch = watch_of(request.node)
    stack = stack_of(request, "`async with StubClient(StubServer(app))` inside the test")
    return StubClients(stack, watch, client_class(request)).open


def client_class(request: pytest.FixtureRequest) -> type[TestClient[Any, Any]]:
    """The class that the fixture `aiohttp_client_cls` names, where there is one; else aiohttp's own."""
    from aiohttp.test_utils import TestClient

    try:
        given: type[TestClient[Any, Any]] = request.getfixturevalue("aiohttp_client_cls")
    except pytest.FixtureLookupError:
        return TestClient
    return given


@pytest.fixture(scope=registered)
def virtual_clock(request: pytest.FixtureRequest) -> VirtualClock:
    """Virtual time on the loop of the test, from before it begins; see `aiotest_kit.virtual_time`.

    While all that can run waits, the clock jumps to the next timer, so that no test waits for a timeout, a
    delay, a heartbeat or a back-off. `virtual_clock.now` is in seconds since the set-up of the test, and
    `await virtual_clock.advance(5)` lets 5 s pass. For async tests, on asyncio's own loops.
    """
    from ._messages.exceptions import VirtualTimeError
    from ._plugin.loops import stack_of
    from ._virtual_time.clock import virtual_time

    stack = stack_of(request, "`async with virtual_time()` inside the test")
    try:
        return stack.enter_now(virtual_time())
    except VirtualTimeError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None


def pytest_plugin_registered(manager: pytest.PytestPluginManager) -> None:
    """Register the hooks, where they are not there by themselves, with the `conftest.py` that imports the
    fixtures.

    pytest takes an imported hook for one of the `conftest.py` itself.
    """
    register_once(manager, HOOKS)
