"""Stands in for aresponses 3.0: import `aresponses` from here, and nothing else has to change.

It is a pytest plugin, too, for the fixture: `pytest_plugins = ["aiotest_kit.compat.aresponses"]`.
`docs/migrate/aresponses.md` lists what differs.
"""

from aiohttp.web import Response

from . import errors, main, utils
from .main import ResponsesMockServer, aresponses

__all__ = ["Response", "ResponsesMockServer", "aresponses", "errors", "main", "utils"]
