"""What pytest-asyncio does not tell in public of a test: who runs it, on the loop of which scope.

Checked on 0.24 to 1.3. Knows pytest's items. Knows nothing of the kit.
"""

from __future__ import annotations

import inspect
import os
import sys
from dataclasses import dataclass

import pytest

__all__ = [
    "RUNNER",
    "LoopUser",
    "has_pytest_asyncio",
    "has_runner",
    "ini",
    "is_of_pytest_asyncio",
    "loop_user",
    "marked_loop_scope",
]


RUNNER = "_function_scoped_runner"
"""The fixture by which pytest-asyncio, from 1.1, gives a test a loop of its own."""


@dataclass(frozen=True)
class LoopUser:
    """Who runs on the loop that runs now: a test or an async fixture, and the scope of that loop."""

    kind: str
    name: str
    scope: str

    def __str__(self) -> str:
        return f"the {self.kind} {self.name!r} (loop_scope={self.scope!r})"


def is_of_pytest_asyncio(item: pytest.Item) -> bool:
    """Whether pytest-asyncio runs the test."""
    if not has_pytest_asyncio(item.config.pluginmanager):
        return False
    import pytest_asyncio

    return isinstance(item, pytest.Function) and pytest_asyncio.is_async_test(item)


def has_runner(item: pytest.Item) -> bool:
    """Whether the fixture `RUNNER` gives the test its loop."""
    return (
        is_of_pytest_asyncio(item)
        and marked_loop_scope(item) == "function"
        and "anyio_backend" not in getattr(item, "fixturenames", ())
        and RUNNER in vars(sys.modules["pytest_asyncio.plugin"])
    )


def marked_loop_scope(item: pytest.Item) -> str:
    """The loop scope of a test of pytest-asyncio: its marker's, or else the project's."""
    marker = item.get_closest_marker("asyncio")
    settings = marker.kwargs if marker is not None else {}
    scope: str | None = settings.get("loop_scope") or settings.get("scope")
    return scope or ini(item.config, "asyncio_default_test_loop_scope") or "function"


def ini(config: pytest.Config, name: str) -> str | None:
    """A setting of a plugin, None where that plugin does not know it."""
    try:
        value: str | None = config.getini(name)
    except (KeyError, ValueError):  # pragma: no cover - of pytest-asyncio before 0.26
        return None
    return value


def loop_user(session: pytest.Session) -> LoopUser | None:
    """Who runs on the loop that runs in this thread; None if that cannot be told.

    For a message, so it may take its time.
    """
    fixture = fixture_being_set_up()
    if fixture is not None:
        # pytest-asyncio does not say it in public; without it the name alone is still right.
        scope = getattr(fixture.func, "_loop_scope", None)
        scope = scope or ini(session.config, "asyncio_default_fixture_loop_scope") or fixture.scope
        return LoopUser("fixture", fixture.argname, scope)
    nodeid = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0]
    for item in session.items:
        if item.nodeid == nodeid and is_of_pytest_asyncio(item):
            return LoopUser("test", item.nodeid, marked_loop_scope(item))
    return None


def fixture_being_set_up() -> pytest.FixtureDef[object] | None:
    """The fixture whose set-up led here, found on the stack of calls."""
    frame = inspect.currentframe()
    while frame is not None:
        found = frame.f_locals.get("fixturedef")
        if isinstance(found, pytest.FixtureDef):
            return found
        frame = frame.f_back
    return None


def has_pytest_asyncio(manager: pytest.PytestPluginManager) -> bool:
    """Whether pytest-asyncio is loaded, under whatever name."""
    plugin = sys.modules.get("pytest_asyncio.plugin")
    # Tests ask, and looking through all plugins takes as long as setting up a fixture: so first by its name.
    return plugin is not None and (manager.get_plugin("asyncio") is plugin or manager.is_registered(plugin))
