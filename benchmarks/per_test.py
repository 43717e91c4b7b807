"""What the fixtures and the leak check add to a test, and whether two thousand tests disturb each other.

    python -m benchmarks.per_test

Owns the tests that it runs. A figure is the median of the differences between neighbours in time: a test with
the fixture and an empty async one; or, for the leak check, an empty test in a run with it and in one without.
It is the processor's time, so that other work on the machine adds little.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from pathlib import Path
from statistics import median
from typing import Any

import pytest

INI = "[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n"
EMPTY = "test_empty"
TESTS = """
import aiohttp, pytest

NUMBERS = pytest.mark.parametrize("number", range({number}))

@NUMBERS
async def test_empty(number): pass

@pytest.fixture
def empty_fixture(request): yield

@NUMBERS
async def test_empty_fixture(number, empty_fixture): pass

@NUMBERS
@pytest.mark.aiotest(unused="allow")
async def test_mock(number, aiohttp_mock):
    aiohttp_mock.get("http://api.test/")

@NUMBERS
async def test_mock_and_call(number, aiohttp_mock):
    aiohttp_mock.get("http://api.test/").reply(json=number)
    async with aiohttp.ClientSession() as session, session.get("http://api.test/") as response:
        assert number == await response.json()

@NUMBERS
async def test_clock(number, virtual_clock): pass

@NUMBERS
@pytest.mark.aiotest(unused="allow")
async def test_upstream(number, aiohttp_upstream):
    aiohttp_upstream.get("/")
"""
MANY = """
import random
import aiohttp, pytest

@pytest.mark.parametrize("number", range(2000))
async def test_it(aiohttp_mock, number):
    assert [] == list(aiohttp_mock.calls) and not aiohttp_mock.routes
    aiohttp_mock.get("http://api.test/").reply(json=number)
    async with aiohttp.ClientSession() as session, session.get("http://api.test/") as response:
        assert number == await response.json()
    assert 1 == len(aiohttp_mock.calls)
"""
SHUFFLED = """
import random

def pytest_collection_modifyitems(items):
    random.Random({seed}).shuffle(items)
"""


def number_of(item: pytest.Function) -> int:
    return int(str(item.callspec.params["number"]))


class Timing:
    """A plugin that takes turns with the kinds of tests, and notes how long each test takes."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Function]) -> None:
        items.sort(key=number_of)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Function) -> Generator[None, Any, Any]:
        started = time.process_time()
        result = yield
        self.seconds.setdefault(item.originalname, []).append(time.process_time() - started)
        return result


def timed(folder: str, *options: str) -> dict[str, list[float]]:
    """The seconds that the tests of a folder take, by name and in their order."""
    timing = Timing()
    code = pytest.main([folder, "-qq", "-p", "no:cacheprovider", *options], plugins=[timing])
    if code:
        raise SystemExit(f"pytest ended with {code!r}")
    return timing.seconds


def more(these: list[float], those: list[float]) -> float:
    """By how many microseconds one is more than the other, pair by pair; the first pairs warm up."""
    return median(one - other for one, other in list(zip(these, those, strict=True))[20:]) * 1e6


def suite(folder: str, **files: str) -> str:
    Path(folder, "pytest.ini").write_text(INI)
    for name, text in files.items():
        Path(folder, f"{name}.py").write_text(text)
    return folder


def fixtures() -> dict[str, float]:
    """Microseconds that each kind of test takes beyond an empty one."""
    with tempfile.TemporaryDirectory() as folder:
        seconds = timed(suite(folder, test_per_test=TESTS.format(number=500)))
    empty = seconds.pop(EMPTY)
    return {EMPTY: median(empty) * 1e6, **{name: more(these, empty) for name, these in seconds.items()}}


def leak_check() -> float:
    """Microseconds that the leak check adds to an empty test."""
    differences = []
    with tempfile.TemporaryDirectory() as folder:
        suite(folder, test_leak_check=TESTS.format(number=200))
        for _ in range(10):
            without = timed(folder, "-k", EMPTY)[EMPTY]
            within = timed(folder, "-k", EMPTY, "-o", "aiotest_kit_leaks=error")[EMPTY]
            differences.append((median(within) - median(without)) * 1e6)
    return median(differences)


def many(seed: int) -> str:
    """What pytest says of two thousand tests in random order, in four processes."""
    with tempfile.TemporaryDirectory() as folder:
        suite(folder, test_many=MANY, conftest=SHUFFLED.format(seed=seed))
        command = [sys.executable, "-m", "pytest", "-q", "-n", "4", "-W", "error", "-p", "no:cacheprovider"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    return re.sub(r"=+", "", done.stdout.strip().splitlines()[-1]).strip()


def main() -> None:
    output = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    lines = [f"{name[5:]:15} {us:6.0f} us beyond an empty async test" for name, us in fixtures().items()]
    lines.append(f"{'leak check':15} {leak_check():6.0f} us more than the same test without")
    lines += [f"-n 4, order {seed}: {many(seed)}" for seed in range(2)]
    os.write(output, ("\n".join(lines) + "\n").encode())


if __name__ == "__main__":
    main()
