"""The fixtures, for `from aiotest_kit.fixtures import *` in a `conftest.py`.

The plugin has them too; both at once are one. Nothing of aiohttp is imported before a fixture is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ._router import Router
    from ._strict import Policy, Watched

__all__ = ["aiohttp_mock"]

WATCHED: pytest.StashKey[list[Watched]] = pytest.StashKey()


@pytest.fixture
def aiohttp_mock(request: pytest.FixtureRequest) -> Iterator[Router]:
    """The router that answers every aiohttp session in the test; nothing leaves the machine.

    A request that no route answers raises `UnmatchedRequest` in the client, and fails the test even if the
    code swallows it; so does a route that is never called, unless it is `optional()`, and an error in a
    handler. Loopback addresses go through unless a route names them. It needs no event loop: use it in sync
    and async tests and fixtures.

    Settings: `@pytest.mark.aiotest(unmatched=..., unused=...)`, or the ini options `aiotest_kit_unmatched` and
    `aiotest_kit_unused`.
    """
    from ._intercept import mock
    from ._strict import Watched

    ensure_plugin(request.config)
    policy = policy_of(request)
    mocked = mock(unmatched=policy.unmatched)
    mocked.open()
    try:
        watched = request.node.stash.setdefault(WATCHED, [])
        watched.append(Watched(mocked.router, policy))
        yield mocked.router
    finally:
        mocked.close()


def policy_of(request: pytest.FixtureRequest) -> Policy:
    """What the markers of a test, the nearest first, and the ini options say."""
    from ._strict import Policy

    settings = {name: request.config.getini(f"aiotest_kit_{name}") for name in ("unmatched", "unused")}
    policy = Policy().updated(settings, "the ini options aiotest_kit_*")
    for marker in reversed(list(request.node.iter_markers("aiotest"))):
        policy = policy.updated(marker.kwargs, "@pytest.mark.aiotest")
    return policy


def ensure_plugin(config: pytest.Config) -> None:
    """Register the hooks, for fixtures that came by an import and not by the plugin."""
    from . import pytest_plugin

    if not config.pluginmanager.is_registered(pytest_plugin):
        config.pluginmanager.register(pytest_plugin, pytest_plugin.__name__)
