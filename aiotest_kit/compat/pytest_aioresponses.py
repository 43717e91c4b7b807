"""Stands in for pytest-aioresponses 0.3: the fixture `aioresponses`; see `docs/migrate/aioresponses.md`."""

from .aioresponses.pytest_plugin import aioresponses_fixture as aioresponses

__all__ = ["aioresponses"]
