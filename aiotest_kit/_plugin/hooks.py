"""The hooks and options of the pytest plugin. What they decide is decided elsewhere.

Registered once: with the plugin, or by the first fixture that is imported from `aiotest_kit.fixtures`.
Nothing of aiohttp is imported before a fixture is used. There is nothing for pytest to rewrite here:
PYTEST_DONT_REWRITE.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from .pytest_asyncio import has_pytest_asyncio
from .registration import register_once
from .secrets import add_options, begin_run, begin_test, hide_secrets
from .state import WATCH, WIDE, being_set_up, definitions_of, has_traceback, mock_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator

    from .loops import OpenedStack

MOCK_FIXTURE = "aiohttp_mock"
LOOP_FIXTURES = "aiotest_kit._plugin.loop_fixtures"
MARKER = (
    "aiotest(*, unmatched='error' | 'allow' | 'passthrough', unused='error' | 'allow', "
    "upstream='auto' | 'thread', allow_server_errors=False | True, leaks='off' | 'warn' | 'error'): what the "
    "fixtures of aiotest_kit make of a request that no route answers, of a route never called, of an error "
    "that escapes from an app, and of what a test leaves open; and what serves aiohttp_upstream"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """The ini options."""
    parser.addini(
        "aiotest_kit_unmatched",
        "a request that no route answers: error (default), allow, or passthrough",
        default="error",
    )
    parser.addini(
        "aiotest_kit_unused", "a route that is never called: error (default) or allow", default="error"
    )
    parser.addini(
        "aiotest_kit_upstream",
        "what serves aiohttp_upstream: auto, which is the loop of an async test (default), or thread",
        default="auto",
    )
    parser.addini("aiotest_kit_keep", "how many calls the logs of the fixtures keep", default="1000")
    parser.addini("aiotest_kit_keep_body", "how many bytes of each body these logs keep", default=str(2**20))
    parser.addini(
        "aiotest_kit_leaks", "what a test leaves open: off (default), warn, or error", default="off"
    )
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """The marker, and the fixtures that need pytest-asyncio."""
    config.addinivalue_line("markers", MARKER)
    begin_run(config)
    if has_pytest_asyncio(config.pluginmanager):
        # Before tests are collected: up to 1.1, pytest-asyncio looks for its fixtures only then.
        register_once(config.pluginmanager, LOOP_FIXTURES)
    if config.getini("aiotest_kit_leaks") != "off":
        register_leak_check(config.pluginmanager)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Look for leaks where a marker asks for it; where none does, nothing is done for any test."""
    if any("leaks" in marker.kwargs for item in session.items for marker in item.iter_markers("aiotest")):
        register_leak_check(session.config.pluginmanager)


def uses_mock(item: Any) -> bool:
    """Whether a test has `aiohttp_mock` from the beginning, and it is the kit's, or built on the kit's."""
    if MOCK_FIXTURE not in getattr(item, "fixturenames", ()):
        return False
    for definition in reversed(definitions_of(item, MOCK_FIXTURE)):
        if definition.func.__module__.partition(".")[0] == "aiotest_kit":
            return True
        if MOCK_FIXTURE not in definition.argnames:
            break
    return False


def register_leak_check(manager: pytest.PytestPluginManager) -> None:
    """Register what looks for leaks, unless it is registered."""
    name = "aiotest_kit leak check"
    if not manager.has_plugin(name):
        from .leak_hooks import LeakPlugin

        manager.register(LeakPlugin(), name)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Note what came to wider mocks since the last test, and number its secrets anew."""
    begin_test()
    if WIDE in item.config.stash:
        item.config.stash[WIDE].start()


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    """Say which fixture is set up, to one that has no `request`; and open the test's mock before the first of
    them.

    So the mock outlives them all, and their clean-up does not reach the network. The test's part of wider
    mocks begins then, too.
    """
    being_set_up.request = request
    if fixturedef.scope != "function":
        return (yield from wider_fixture_setup(request))
    item = being_set_up.item = request.node
    if WIDE in item.config.stash:
        item.config.stash[WIDE].begin(item)
    if uses_mock(item):
        # Settings that are wrong are told by the fixture itself.
        with suppress(pytest.fail.Exception):
            mock_of(item)
    return (yield)


def wider_fixture_setup(request: pytest.FixtureRequest) -> Generator[None, object, object]:
    """Have tests be told of what a wider fixture opens; what it adds to wider mocks is no test's own."""
    stash = request.config.stash
    mocks = open_mocks()
    present = stash[WIDE].present() if WIDE in stash else {}
    value = yield
    if "aiotest_kit._routing.router" in sys.modules:
        from .wide_routers import tell_of_opened

        tell_of_opened(request.config, str(request.fixturename), value, mocks, open_mocks())
    if WIDE in stash:
        stash[WIDE].adopt(present)
    return value


def open_mocks() -> tuple[Any, ...]:
    """The mocks that are open, the newest first."""
    module = sys.modules.get("aiotest_kit._memory_door.open_mocks")
    return () if module is None else module.all_open()


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test that passed but for what its mocks saw.

    In the call phase, so that the test fails, once, and an expected failure stays one. A test that raised
    stays what it is.
    """
    __tracebackhide__ = has_traceback
    being_set_up.item = item
    if WIDE in item.config.stash:
        item.config.stash[WIDE].begin(item)
    result = yield
    failure = item.stash[WATCH].verdict() if WATCH in item.stash else None
    if failure is not None:
        raise failure
    return result


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    """End what a fault still keeps waiting before a fixture waits for that in turn, and name its route.

    By a warning: code that runs beside a test may well be amid a call when the test ends. What came to wider
    mocks outside of any test is told here.
    """
    __tracebackhide__ = has_traceback
    waited = item.stash[WATCH].release_stalled() if WATCH in item.stash else []
    being_set_up.item = None
    try:
        result = yield
    except BaseException:
        if WIDE in item.config.stash:
            item.config.stash[WIDE].drop_closed()
        raise
    for text in waited:
        item.warn(RuntimeWarning(text))
    untold = item.config.stash[WIDE].after_teardown(item) if WIDE in item.config.stash else None
    if untold is not None:
        raise untold
    return result


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show beside a failure what its mocks saw; outermost, when it is settled whether it is one."""
    report = yield
    if call.excinfo is not None and is_of_decorator(call.excinfo, item):
        report.longrepr = str(call.excinfo.value)
    if WIDE in item.config.stash and report.when == "setup" and not report.passed:
        # Its report has what came so far, and the teardown is not to tell it again.
        with suppress(pytest.fail.Exception):
            item.config.stash[WIDE].begin(item, ends_with_item=False)
    if WATCH in item.stash:
        watch = item.stash[WATCH]
        watch.passed = report.when == "call" and report.passed
        if report.failed:
            from .longrepr import add_sections

            add_sections(report, watch.sections(call.excinfo.value if call.excinfo else None))
        hide_secrets(report, watch)
        if report.when == "teardown":
            watch.reported()
    return report


def is_of_decorator(excinfo: pytest.ExceptionInfo[BaseException], item: pytest.Item) -> bool:
    """Whether a test failed by what `@mock(strict=True)` above it minds: no line of the test shows that."""
    if (excinfo.type.__module__, excinfo.type.__name__) != ("aiotest_kit", "UnmetExpectations"):
        return False
    return not any(entry.path == item.path for entry in excinfo.traceback)


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """Show how a value differs from an `Exact` or a `Subset`."""
    if op != "==" or "aiotest_kit._matching.values" not in sys.modules:
        return None
    from .._reports.comparison import explain_comparison

    return explain_comparison(left, right)


@pytest.hookimpl(specname="pytest_runtest_makereport")
def pytest_end_at_caller(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """Show misuse of the kit, and failed assertions on it, at the line of the test.

    Before pytest makes its report, and behind its unittest plugin, which only then says what went wrong.
    """
    if call.excinfo is not None and not item.config.getoption("fulltrace", default=False):
        from .._location import end_at_caller

        end_at_caller(call.excinfo.value)


@pytest.fixture(name="_aiotest_stack_anyio")
async def stack_on_anyio(anyio_backend_name: str) -> AsyncIterator[OpenedStack]:
    """What anyio's plugin closes on its loop after a test; for `_plugin.loops.stack_of`.

    A fixture of pytest and not of pytest-asyncio, which must leave it alone.
    """
    from .loops import opened_stack

    async with opened_stack() as opened:
        yield opened
