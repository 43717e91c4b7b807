"""Registering modules of the kit with pytest, once. Knows pytest's plugin manager.

There is nothing for pytest to rewrite here: PYTEST_DONT_REWRITE.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

__all__ = ["register_once"]


def register_once(manager: pytest.PytestPluginManager, module: str) -> None:
    """Register a module of this package, unless it is registered under whatever name."""
    plugin = sys.modules.get(module) or import_module(module)
    if not manager.is_registered(plugin):
        manager.register(plugin, module)
