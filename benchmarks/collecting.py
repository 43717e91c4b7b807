"""How long pytest takes to collect one sync test, with and without the kit's plugin.

A script by itself: it runs in an environment with the kit installed, and as a file, so that the copy next to
it is not imported instead. Each collection happens in a fork of a process in which pytest has run before with
pytest-aiohttp alone: what both would import is there already, and only the difference is left.

    python collecting.py FOLDER RUNS
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from statistics import median

import pytest

WITHOUT = ("-p", "no:aiotest_kit")


def collect(*options: str) -> None:
    code = pytest.main(["--collect-only", "-qq", "-p", "no:cacheprovider", *options])
    if code:
        raise SystemExit(f"pytest ended with {code!r}")


def forked_milliseconds(*options: str) -> float:
    """How long one collection takes, in a process of its own."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        started = time.perf_counter()
        collect(*options)
        os.write(writing, str((time.perf_counter() - started) * 1000).encode())
        os._exit(0)
    os.close(writing)
    with open(reading, "rb") as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return float(text)


def main(folder: str, runs: str) -> None:
    os.chdir(folder)
    output = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    collect(*WITHOUT)
    gc.collect()
    gc.freeze()
    sys.dont_write_bytecode = False
    forked_milliseconds()  # writes the .pyc files that the others read
    pairs = [(forked_milliseconds(*WITHOUT), forked_milliseconds()) for _ in range(int(runs))]
    difference = median(together - alone for alone, together in pairs)
    os.write(output, json.dumps({"more": difference}).encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
