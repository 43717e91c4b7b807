"""The async fixtures behind `_plugin.loops.stack_of`, one for each loop scope of pytest-asyncio.

Registered beside the plugin where pytest-asyncio is loaded, and only there: importing it would cost what it
costs. There is nothing for pytest to rewrite here: PYTEST_DONT_REWRITE.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import pytest_asyncio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from .loops import OpenedStack

    Scope: TypeAlias = Literal["session", "package", "module", "class", "function"]

__all__ = ["on_class", "on_function", "on_module", "on_package", "on_session"]


def stack_on(scope: Scope) -> Callable[[], AsyncIterator[OpenedStack]]:
    """The fixture for tests on the loop of a scope."""

    @pytest_asyncio.fixture(name=f"_aiotest_stack_{scope}", loop_scope=scope)
    async def stack() -> AsyncIterator[OpenedStack]:
        # Not before a test needs it: it brings aiohttp with it.
        from .loops import opened_stack

        async with opened_stack() as opened:
            yield opened

    return stack


on_class = stack_on("class")
on_function = stack_on("function")
on_module = stack_on("module")
on_package = stack_on("package")
on_session = stack_on("session")
