"""The pytest plugin: fixtures, hooks, options. What they decide is decided elsewhere.

Loaded by the entry point `aiotest_kit`, by `pytest_plugins = ["aiotest_kit.pytest_plugin"]`, or by the first
use of a fixture that was imported from `aiotest_kit.fixtures`; once in any case. Nothing of aiohttp is imported
before a fixture is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .fixtures import WATCHED, aiohttp_mock

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["aiohttp_mock"]

MARKER = (
    "aiotest(*, unmatched='error' | 'allow' | 'passthrough', unused='error' | 'allow'): "
    "what aiotest_kit's fixtures make of a request that no route answers, and of a route never called"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """The ini options."""
    parser.addini(
        "aiotest_kit_unmatched",
        "a request that no route answers: error (default), allow, or passthrough",
        default="error",
    )
    parser.addini("aiotest_kit_unused", "a route that is never called: error (default) or allow", default="error")


def pytest_configure(config: pytest.Config) -> None:
    """The marker."""
    config.addinivalue_line("markers", MARKER)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test that passed but for what its mocks saw; show what they saw where it failed by itself.

    In the call phase, so that the test fails, once, and an expected failure stays one. An outcome that the
    test has already is never replaced.
    """
    try:
        result = yield
    except BaseException:
        for watched in item.stash.get(WATCHED, ()):
            for title, text in watched.sections():
                item.add_report_section("call", title, text)
        raise
    for watched in item.stash.get(WATCHED, ()):
        error = watched.handler_error()
        if error is not None:
            raise error
    complaints = [text for watched in item.stash.get(WATCHED, ()) if (text := watched.complaint())]
    if complaints:
        pytest.fail("\n".join(complaints), pytrace=False)
    return result
