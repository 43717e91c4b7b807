"""What is registered with pytest, and when: the plugin once, and beside it what needs pytest-asyncio.

Knows pytest's plugin manager. Imports nothing else, for it is loaded where no test uses the kit.
There is nothing for pytest to rewrite here: PYTEST_DONT_REWRITE.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

KIT = "aiotest_kit"

__all__ = ["has_pytest_asyncio", "register_leak_check", "register_plugin", "register_stacks"]


def register_plugin(manager: pytest.PytestPluginManager) -> None:
    """Register the plugin, unless it is; its own name may be blocked, so by that of the fixtures."""
    register_once(manager, f"{KIT}.pytest_plugin", f"{KIT}.fixtures")


def register_stacks(manager: pytest.PytestPluginManager) -> None:
    """Register the async fixtures behind `_plugin.loops.stack_of`, where pytest-asyncio is loaded.

    Before tests are collected: up to 1.1, pytest-asyncio looks for its fixtures only then.
    """
    if has_pytest_asyncio(manager):
        register_once(manager, f"{KIT}._plugin.loop_fixtures", f"{KIT}._plugin.loop_fixtures")


def register_leak_check(manager: pytest.PytestPluginManager) -> None:
    """Register what looks for leaks."""
    name = f"{KIT}._plugin.leak_hooks"
    if not manager.has_plugin(name):
        manager.register(import_module(name).LeakPlugin(), name)


def has_pytest_asyncio(manager: pytest.PytestPluginManager) -> bool:
    """Whether pytest-asyncio is loaded, under whatever name."""
    plugin = sys.modules.get("pytest_asyncio.plugin")
    # Tests ask, and looking through all plugins takes as long as setting up a fixture: so first by its name.
    return plugin is not None and (manager.get_plugin("asyncio") is plugin or manager.is_registered(plugin))


def register_once(manager: pytest.PytestPluginManager, module: str, name: str) -> None:
    """Register a module of this package, unless it is registered under whatever name."""
    plugin = sys.modules.get(module) or import_module(module)
    if not manager.is_registered(plugin):
        manager.register(plugin, name)
