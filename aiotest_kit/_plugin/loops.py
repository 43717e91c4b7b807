"""The loop that a test runs on, and a stack of what is closed on it when the test is over.

An async fixture is on the loop of the one scope that it was declared with. What a sync fixture of function
scope opens by `stack_of` is on the *test's* own loop, whatever its scope and whoever runs it: the stack comes
from one of six async fixtures, chosen by the test. Knows pytest and its async plugins. Knows nothing of
aiohttp.
"""

from __future__ import annotations

import asyncio
import inspect
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, TypeVar
from unittest import TestCase

import pytest

from .._asyncio.tasks import running_loop
from .._messages.exceptions import LoopMismatchError
from .pytest_asyncio import (
    is_of_pytest_asyncio,
    loop_user,
    marked_loop_scope,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager

__all__ = ["NoLoop", "OpenedStack", "Stack", "loop_scope_of", "opened_stack", "stack_of"]


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
    if running_loop() is not None:
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
        return NoLoop(f"{name} is not async", "write it as async def")
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
