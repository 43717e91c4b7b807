"""Stands in for aiointercept 1.0: import `aiointercept` from here, and nothing else has to change.

It is a pytest plugin, too, for the fixtures: `pytest_plugins = ["aiotest_kit.compat.aiointercept"]`.
`docs/migrate/aiointercept.md` lists what differs.
"""

from . import compat, core, pytest_plugin
from .core import AiointerceptRequest, CallbackResult, MockResponse, aiointercept
from .pytest_plugin import aiointercept_mock, aiointercept_server

__all__ = [
    "AiointerceptRequest",
    "CallbackResult",
    "MockResponse",
    "aiointercept",
    "aiointercept_mock",
    "aiointercept_server",
    "compat",
    "core",
    "pytest_plugin",
]
