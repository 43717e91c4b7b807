"""A suite of its own for each test: files, a run of pytest with warnings as errors, and what it reported."""

import asyncio
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import entry_points, version
from pathlib import Path

import pytest

import aiotest_kit

# A run in this process drops what it is the first to import. Neither may an extension module be imported
# twice, nor what the package remembers: the plugin, and each of its names once it was asked for.
import aiotest_kit._memory_door.mock
import aiotest_kit.pytest_plugin

for name in aiotest_kit.__all__:
    getattr(aiotest_kit, name)

PLUGIN = "aiotest_kit.pytest_plugin"
INI = """
[pytest]
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
"""
CLIENT = """
import aiohttp

async def get(url, **options):
    async with aiohttp.ClientSession() as session, session.get(url, **options) as response:
        return response.status

async def swallow(url):
    try:
        return await get(url)
    except aiohttp.ClientError as error:
        return type(error).__name__
"""
PRELUDE = """
import asyncio, unittest
import aiohttp, pytest, pytest_asyncio
from client import get, swallow

HOST = "http://api.test"
"""
QUIET = ("-W", "error", "-p", "no:randomly", "-p", "no:hypothesispytest", "-p", "no:cacheprovider")

needs_entry_point = pytest.mark.skipif(
    not list(entry_points(group="pytest11", name="aiotest_kit")), reason="aiotest_kit is not installed"
)


@dataclass(frozen=True)
class Ran:
    """What one run of pytest said."""

    result: pytest.RunResult

    @property
    def text(self) -> str:
        return self.result.stdout.str() + self.result.stderr.str()

    def outcomes(self, **expected: int) -> None:
        """Assert how many tests ended how, with none left out."""
        assert expected == self.result.parseoutcomes(), self.text

    def outcome_of(self, test: str) -> set[str]:
        """The words that `-v` has for a test."""
        return set(re.findall(rf"::{re.escape(test)} (\w+)", self.text))

    @property
    def reports(self) -> dict[str, str]:
        """The reports on failures, by title; times are 0, and what marks a column is left out."""
        return dict(self._reports())

    def report(self, title: str) -> str:
        """The only report, whose title it must be."""
        assert [title] == list(self.reports), self.text
        return self.reports[title]

    def _reports(self) -> Iterator[tuple[str, str]]:
        title, lines = "", list[str]()
        for line in [*self.result.outlines, "===="]:
            heading = re.fullmatch(r"_{3,} (.+?) _{3,}", line)
            if heading or line.startswith("===="):
                if title:
                    yield title, "\n".join(lines).strip("\n")
                title, lines = heading[1] if heading else "", []
            elif not re.fullmatch(r"[\s^~]+", line):
                line = re.sub(r"\d+\.\d{3} s\b", "0.000 s", line.rstrip())
                lines.append(re.sub(r"-{3,} (.+?) -{3,}", r"--- \1 ---", line))


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> "Iterator[Suite]":
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    monkeypatch.delenv("PYTEST_PLUGINS", raising=False)
    # With one of these pytest words its summary otherwise.
    for name in ("CI", "BUILD_NUMBER"):
        monkeypatch.delenv(name, raising=False)
    # A process of its own would compile the package each time.
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    # For a process of its own, where the package is not installed.
    monkeypatch.setenv("PYTHONPATH", str(Path(aiotest_kit.__file__).parents[1]), prepend=os.pathsep)
    pytester.makeini(INI)
    pytester.makepyfile(client=CLIENT)
    yield Suite(pytester)
    if version("pytest-asyncio").startswith("0."):
        # It leaves a loop behind that the next `asyncio.run` drops unclosed.
        with suppress(RuntimeError):
            asyncio.get_event_loop_policy().get_event_loop().close()
            asyncio.set_event_loop(None)


@dataclass(frozen=True)
class Suite:
    """A folder with tests."""

    pytester: pytest.Pytester

    def ini(self, text: str) -> "Suite":
        """Add to the settings."""
        self.pytester.makeini(INI + text)
        return self

    def conftest(self, text: str) -> "Suite":
        """Write the `conftest.py`."""
        self.pytester.makeconftest(text)
        return self

    def tests(self, text: str, name: str = "test_it") -> "Suite":
        """Write a file of tests, below the usual imports."""
        self.pytester.makepyfile(**{name: PRELUDE + text.strip("\n")})
        return self

    def run(self, *args: str) -> Ran:
        """Run it in this process, with the plugin."""
        return self.run_bare("-p", PLUGIN, *args)

    def run_bare(self, *args: str) -> Ran:
        """Run it in this process, with no other plugin than those installed."""
        return Ran(self.pytester.runpytest_inprocess(*QUIET, *args))

    def run_alone(self, *args: str, python: tuple[str, ...] = ()) -> Ran:
        """Run it in a process of its own, with no other plugin than those installed."""
        return Ran(self.pytester.run(sys.executable, *python, "-m", "pytest", *QUIET, *args, timeout=60))


@pytest.fixture
def failing(suite: Suite) -> Callable[[str], str]:
    """The report on a test function, `test_it`, whose body is given."""

    def run(body: str) -> str:
        lines = "\n".join(f"    {line}" for line in body.strip("\n").splitlines())
        ran = suite.tests(f"async def test_it(aiohttp_mock):\n{lines}").run()
        ran.outcomes(failed=1)
        return ran.report("test_it")

    return run
