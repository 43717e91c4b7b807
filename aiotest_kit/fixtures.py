"""The fixtures, for `from aiotest_kit.fixtures import *` in a `conftest.py`.

The plugin has them too; both at once are one. Nothing of aiohttp is imported before a fixture is used.
There is nothing for pytest to rewrite here: PYTEST_DONT_REWRITE.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ._router import Router
    from ._strict import Watch

__all__ = ["aiohttp_mock"]

WATCH: pytest.StashKey[Watch] = pytest.StashKey()


@pytest.fixture
def aiohttp_mock(request: pytest.FixtureRequest) -> Iterator[Router]:
    """The router that answers every aiohttp session in the test; nothing leaves the machine.

    A request that no route answers raises `UnmatchedRequest` in the client, and fails the test even if the
    code swallows it; so does an error in a handler, and a route that is not called by the end of the test
    function, unless it is `optional()`. Loopback addresses go through unless a route names them. It needs
    no event loop: use it in sync and async tests and fixtures.

    Settings: `@pytest.mark.aiotest(unmatched=..., unused=...)`, or the ini options `aiotest_kit_unmatched`
    and `aiotest_kit_unused`.
    """
    from ._intercept import mock

    __tracebackhide__ = has_traceback
    watch = watch_of(request.node)
    mocked = mock(unmatched=watch.policy.unmatched)
    mocked.open()
    watch.routers.append(mocked.router)
    try:
        yield mocked.router
        failure = watch.late_verdict()
        if failure is not None:
            raise failure
    finally:
        # A test may be run again, and then answers for that run alone.
        watch.routers.remove(mocked.router)
        mocked.close()


def watch_of(item: pytest.Item) -> Watch:
    """The watch over a test, one for all its fixtures."""
    from ._errors import UsageError
    from ._strict import Policy, Watch

    ensure_plugin(item.config)
    if WATCH not in item.stash:
        try:
            item.stash[WATCH] = Watch(Policy.of(item))
        except UsageError as error:
            raise pytest.fail.Exception(str(error), pytrace=False) from None
    return item.stash[WATCH]


def has_traceback(excinfo: pytest.ExceptionInfo[BaseException]) -> bool:
    """Whether pytest shows how an exception came about; a frame is hidden then.

    For a failure that is only text it would say, below the text, that all frames are hidden.
    """
    return getattr(excinfo.value, "pytrace", True)


def ensure_plugin(config: pytest.Config) -> None:
    """Register the hooks, for fixtures that came by an import and not by the plugin.

    Under the name of this module: that of the plugin may be blocked.
    """
    pytest_plugin = import_module(".pytest_plugin", __package__)
    if not config.pluginmanager.is_registered(pytest_plugin):
        config.pluginmanager.register(pytest_plugin, __name__)
