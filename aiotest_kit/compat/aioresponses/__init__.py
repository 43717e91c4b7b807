"""Stands in for aioresponses 0.7.9: import `aioresponses` from here, and nothing else has to change.

It is a pytest plugin, too, for the fixture of pytest-aioresponses:
`pytest_plugins = ["aiotest_kit.compat.aioresponses"]`. `docs/migrate/aioresponses.md` lists what differs.
"""

import sys

from .core import CallbackResult, aioresponses

__version__ = "0.7.9"
"""The version of aioresponses whose behaviour this is."""

__all__ = ["CallbackResult", "aioresponses"]

if "pytest" in sys.modules:
    # Suites without pytest do not pay for it.
    from .pytest_plugin import aioresponses_fixture as aioresponses_fixture
