"""Runs the table of loop scopes on several releases of pytest-asyncio and pytest.

The table is `tests/plugin/test_loops.py::TestMatrix`: mode, defaults and marker, with warnings as errors.
Owns the environments, and says what a release itself refuses, in its words. Needs only the standard library.
Each pair keeps an environment of its own in `.venvs/`, used again until pyproject.toml changes.

    python -m scripts.loops                     # all pairs
    python -m scripts.loops 0.24.0:8 newest:9   # pytest-asyncio:pytest
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .matrix import (
    ENVIRONMENTS,
    ROOT,
    TEST_SECONDS,
    StepFailed,
    closing_line,
    create,
    install_kit,
    interpreter_of,
    is_ready,
    last_line,
    run,
)

if TYPE_CHECKING:
    from pathlib import Path

PYTEST_ASYNCIOS = ("0.24.0", "0.26.0", "1.0.0", "1.2.0", "newest")
PYTESTS = ("8", "9")
TABLE = "tests/plugin/test_loops.py::TestMatrix"
SKIPPED = re.compile(r"^SKIPPED \[(\d+)\] \S+: pytest-asyncio \S+ itself: (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Pair:
    """A release of pytest-asyncio, or `newest`, with a major version of pytest."""

    pytest_asyncio: str
    pytest: str

    @property
    def environment(self) -> Path:
        return ENVIRONMENTS / f"pytest-asyncio{self.pytest_asyncio}-pytest{self.pytest}"

    @property
    def interpreter(self) -> Path:
        return interpreter_of(self.environment)

    @property
    def requirements(self) -> tuple[str, str]:
        newest = self.pytest_asyncio == "newest"
        plugin = "pytest-asyncio" if newest else f"pytest-asyncio=={self.pytest_asyncio}"
        return plugin, f"pytest=={self.pytest}.*"


def prepare(pair: Pair) -> None:
    """The environment, unless it is there.

    Raises:
        StepFailed: the two do not go together, or the kit does not install beside them.
    """
    if not is_ready(pair.environment):
        create(pair.environment, sys.executable)
        install_kit(pair.environment, *pair.requirements)


def attempt(pair: Pair) -> tuple[str, str]:
    """A result and what was said of it."""
    try:
        prepare(pair)
    except StepFailed as failure:
        return "refused", last_line(failure.output)
    options = ("-q", "-rs", "-n", "2", "-p", "no:cacheprovider")
    try:
        printed = run(pair.interpreter, "-m", "pytest", *options, ROOT / TABLE, seconds=TEST_SECONDS)
    except StepFailed as failure:
        print(failure.output, flush=True)
        return "failed", closing_line(failure.output)
    said = closing_line(printed)
    refusals = Counter[str]()
    for times, reason in SKIPPED.findall(printed):
        refusals[re.sub(r"0x[0-9a-f]+|\S+TestIt\S*", "...", reason)] += int(times)
    return "passed", "\n".join([said, *(f"    {times} x {reason}" for reason, times in refusals.items())])


def choose(words: list[str]) -> list[Pair]:
    """The pairs that the command line asks for; all for no words."""
    if not words:
        return [Pair(plugin, runner) for plugin in PYTEST_ASYNCIOS for runner in PYTESTS]
    pairs = [Pair(*word.partition(":")[::2]) for word in words]
    unknown = [
        pair for pair in pairs if pair.pytest_asyncio not in PYTEST_ASYNCIOS or pair.pytest not in PYTESTS
    ]
    if unknown:
        sys.exit(f"unknown pair {unknown[0]}; say one of {PYTEST_ASYNCIOS}, a colon, and one of {PYTESTS}")
    return pairs


def main(words: list[str]) -> int:
    """The exit status: 0 if nothing failed that a release itself can do."""
    results = []
    for pair in choose(words):
        result, said = attempt(pair)
        results.append(result)
        print(f"pytest-asyncio {pair.pytest_asyncio}, pytest {pair.pytest}: {result}  {said}", flush=True)
    return int("failed" in results or "passed" not in results)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
