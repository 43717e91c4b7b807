"""The loop that a test runs on, and a stack of what is closed on it when the test is over.

An async fixture is on the loop of the one scope that it was declared with. What a sync fixture of function
scope opens by `stack_of` is on the *test's* own loop, whatever its scope and whoever runs it: the stack comes
from one of six async fixtures, chosen by the test. Knows pytest and its async plugins. Knows nothing of
aiohttp.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, TypeVar
from unittest import TestCase

import pytest

from .._errors import LoopMismatchError
from .registration import has_pytest_asyncio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager

__all__ = [
    "RUNNER",
    "LoopUser",
    "NoLoop",
    "OpenedStack",
    "Stack",
    "has_runner",
    "ini",
    "loop_scope_of",
    "loop_user",
    "opened_stack",
    "stack_of",
]

RUNNER = "_function_scoped_runner"
"""The fixture by which pytest-asyncio, from 1.1, gives a test a loop of its own."""

T = TypeVar("T")
OpenedStack: TypeAlias = "tuple[asyncio.AbstractEventLoop, AsyncExitStack]"


@dataclass(frozen=True)
class NoLoop:
    """Why nothing can be kept on the loop of a test; and what would help, where it is not another fixture."""

    why: str
    remedy: str = ""


@dataclass(frozen=True)
class Stack:
    """What a fixture has open for one test, on the test's own loop; closed there, after the test.

    `scope` is the loop's: `function` to `session`, or `anyio`.
    """

    fixture: str
    scope: str
    session: pytest.Session
    loop: asyncio.AbstractEventLoop
    exits: AsyncExitStack

    def enter_now(self, context: AbstractAsyncContextManager[T]) -> T:
        """Open something from a sync fixture, before the test begins."""
        return self.loop.run_until_complete(self.exits.enter_async_context(context))

    async def enter(self, context: AbstractAsyncContextManager[T]) -> T:
        """Open something from the test, or from an async fixture on its loop.

        Raises:
            LoopMismatchError: another loop runs.
        """
        self.check_loop()
        return await self.exits.enter_async_context(context)

    def check_loop(self) -> None:
        """Let only the test's own loop go on.

        Raises:
            LoopMismatchError: another loop runs.
        """
        if asyncio.get_running_loop() is not self.loop:
            user = loop_user(self.session)
            raise LoopMismatchError(
                f"{self.fixture} is on the loop of its test (loop_scope={self.scope!r}), and was used from "
                f"{user or 'another loop'}; give both the same loop_scope"
            )


@dataclass(frozen=True)
class LoopUser:
    """Who runs on the loop that runs now: a test or an async fixture, and the scope of that loop."""

    kind: str
    name: str
    scope: str

    def __str__(self) -> str:
        return f"the {self.kind} {self.name!r} (loop_scope={self.scope!r})"


@asynccontextmanager
async def opened_stack() -> AsyncIterator[OpenedStack]:
    """The running loop, and what is closed on it at the end; for the async fixtures behind `stack_of`."""
    async with AsyncExitStack() as exits:
        yield asyncio.get_running_loop(), exits


def stack_of(request: pytest.FixtureRequest, instead: str) -> Stack:
    """The stack of the test that `request` is for, from a sync fixture of function scope.

    `instead` says what serves a test that has no loop of asyncio; it ends the sentence "use ...".

    Raises:
        pytest.fail.Exception: the test has none; a text alone, without a traceback.
    """
    scope = loop_scope_of(request)
    if isinstance(scope, NoLoop):
        remedy = scope.remedy or f"use {instead}"
        text = f"{request.fixturename} needs the asyncio loop of its test: {scope.why}; {remedy}"
        raise pytest.fail.Exception(text, pytrace=False)
    loop, exits = request.getfixturevalue(f"_aiotest_stack_{scope}")
    return Stack(str(request.fixturename), scope, request.session, loop, exits)


def loop_scope_of(request: pytest.FixtureRequest) -> str | NoLoop:
    """The scope of the loop that runs the test: `function` to `session`, or `anyio` for that plugin's own."""
    item: pytest.Item = request.node
    name = item.nodeid
    if in_test_case(item):
        return NoLoop(f"{name} is a method of a unittest.TestCase")
    if loop_is_running():
        return NoLoop(
            f"{name} asks for it while its loop runs, which cannot wait for fixtures",
            "make it an argument of the test",
        )
    by_asyncio = is_of_pytest_asyncio(item)
    by_anyio = "anyio_backend" in request.fixturenames
    if by_asyncio and by_anyio:
        return NoLoop(
            f"{name} runs on the loop of pytest-asyncio, and its fixtures on that of anyio",
            "set asyncio_mode = strict, or drop the anyio marker",
        )
    if by_asyncio:
        return marked_loop_scope(item)
    if not inspect.iscoroutinefunction(getattr(item, "obj", None)):
        return NoLoop(f"{name} is not async")
    if not by_anyio:
        return NoLoop(
            f"{name} is async and no plugin runs it",
            "mark it with @pytest.mark.asyncio, or set asyncio_mode = auto",
        )
    backend: str = request.getfixturevalue("anyio_backend_name")
    return "anyio" if backend == "asyncio" else NoLoop(f"{name} runs on {backend}")


def in_test_case(item: pytest.Item) -> bool:
    """Whether a test is a method of a `unittest.TestCase`, whose loop is its own affair."""
    cls = getattr(item, "cls", None)
    return isinstance(cls, type) and issubclass(cls, TestCase)


def loop_is_running() -> bool:
    """Whether this thread runs a loop now."""
    return asyncio._get_running_loop() is not None


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
