"""What the fixtures and the leak check add to a test, and whether two thousand tests disturb each other.

    python -m benchmarks.per_test

Owns the tests that it runs. Tests of two kinds take turns in one run, block by block: tests with the fixture
and empty async ones; or, for the leak check, empty ones with it and without. A figure is the median of what a
test takes more in one block than in its neighbour. It is the processor's time, so that other work on the
machine adds little; the first of a block warm up.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Generator, Iterable, Iterator
from itertools import chain
from pathlib import Path
from statistics import median
from typing import Any

import pytest

INI = "[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n"
EMPTY = "test_empty"
LEAK_PLUGIN = "aiotest_kit leak check"
BLOCK = 20
BLOCKS = 50
WARM_UP_TESTS = 3
WARM_UP_BLOCKS = 2
TESTS = f"""
import aiohttp, pytest

NUMBERS = pytest.mark.parametrize("number", range({BLOCK * BLOCKS}))

@NUMBERS
async def test_empty(number): pass

@pytest.fixture
def nothing(): yield

@NUMBERS
async def test_empty_fixture(number, nothing): pass

@pytest.fixture
def nothing_for(request): yield

@NUMBERS
async def test_request(number, nothing_for): pass

@NUMBERS
async def test_mock(number, aiohttp_mock): pass

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
KINDS = re.findall(r"async def (test_\w+)", TESTS)
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
    """A plugin that lets two kinds of tests take turns, and notes how long each test takes."""

    def __init__(self) -> None:
        self.seconds: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))

    def place_of(self, item: pytest.Function) -> tuple[int, str]:
        """The block of a test, and its kind."""
        return number_of(item) // BLOCK, item.originalname

    def pytest_collection_modifyitems(self, items: list[pytest.Function]) -> None:
        items.sort(key=self.place_of)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Function) -> Generator[None, Any, Any]:
        block, kind = self.place_of(item)
        started = time.process_time()
        result = yield
        self.seconds[kind][block].append(time.process_time() - started)
        return result

    def blocks(self, kind: str) -> list[float]:
        """What a test of a kind takes, in microseconds, block by block."""
        medians = [median(seconds[WARM_UP_TESTS:]) * 1e6 for seconds in self.seconds[kind].values()]
        return medians[WARM_UP_BLOCKS:]

    def more(self, kind: str, other: str) -> float:
        """By how much a test of one kind takes longer than one of another."""
        return median(
            one - another for one, another in zip(self.blocks(kind), self.blocks(other), strict=True)
        )


class LeakTiming(Timing):
    """One for a single kind of test, with the leak check and without."""

    def place_of(self, item: pytest.Function) -> tuple[int, str]:
        """The block of a test, and whether the leak check is on."""
        block, place = divmod(number_of(item), 2 * BLOCK)
        return block, "on" if place < BLOCK else "off"

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Function) -> Generator[None, Any, Any]:
        manager = item.config.pluginmanager
        _, kind = self.place_of(item)
        if manager.has_plugin(LEAK_PLUGIN) and kind == "off":
            self.taken_away = manager.unregister(name=LEAK_PLUGIN)
        elif not manager.has_plugin(LEAK_PLUGIN) and kind == "on":
            manager.register(self.taken_away, LEAK_PLUGIN)
        return (yield from super().pytest_runtest_protocol(item))


def suite(folder: str, **files: str) -> str:
    Path(folder, "pytest.ini").write_text(INI)
    for name, text in files.items():
        Path(folder, f"{name}.py").write_text(text)
    return folder


def timed(timing: Timing, folder: str, kinds: Iterable[str], *options: str) -> Timing:
    """Run the tests of some kinds."""
    tests = [f"{folder}/test_per_test.py::{kind}" for kind in kinds]
    code = pytest.main([*tests, "-qq", "-p", "no:cacheprovider", f"--rootdir={folder}", *options], [timing])
    if code:
        raise SystemExit(f"pytest ended with {code!r}")
    return timing


def lines() -> Iterator[str]:
    """What each kind of test takes beyond an empty one, and what that takes meanwhile."""
    with tempfile.TemporaryDirectory() as folder:
        suite(folder, test_per_test=TESTS)
        for kind in KINDS[1:]:
            timing = timed(Timing(), folder, (EMPTY, kind))
            yield line(kind[5:], timing, kind, EMPTY)
        timing = timed(LeakTiming(), folder, (EMPTY,), "-o", "aiotest_kit_leaks=error")
        yield line("leak check", timing, "on", "off")


def line(name: str, timing: Timing, kind: str, other: str) -> str:
    more, empty = timing.more(kind, other), median(timing.blocks(other))
    return f"{name:15} {more:6.0f} us beyond an empty async test of {empty:.0f} us"


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
    for text in chain(lines(), (f"-n 4, order {seed}: {many(seed)}" for seed in range(2))):
        os.write(output, f"{text}\n".encode())


if __name__ == "__main__":
    main()
