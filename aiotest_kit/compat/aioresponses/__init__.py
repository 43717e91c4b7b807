"""The interface of aioresponses 0.7.9: `from aiotest_kit.compat.aioresponses import aioresponses`.

What it does, and where it differs, is in `docs/migrate/aioresponses.md`.
"""

from .core import CallbackResult, aioresponses

__version__ = "0.7.9"
"""The version of aioresponses whose behaviour this is."""

__all__ = ["CallbackResult", "aioresponses"]
