"""The scopes of fixtures that need the hooks of the plugin, and bring them along.

There is nothing for pytest to rewrite here: PYTEST_DONT_REWRITE.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from .registration import register_once

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

__all__ = ["HOOKS", "Scope", "scope_with_hooks"]

Scope: TypeAlias = Literal["session", "package", "module", "class", "function"]

HOOKS = "aiotest_kit._plugin.hooks"


def scope_with_hooks(scope: Scope) -> Callable[[str, pytest.Config], Scope]:
    """The scope of a fixture that needs the hooks, for pytest, which asks for it when it finds the fixture.

    They come with it also where it is imported into a file of tests, or made there, which is no plugin.
    """

    def registered(fixture_name: str, config: pytest.Config) -> Scope:
        register_once(config.pluginmanager, HOOKS)
        return scope

    return registered
