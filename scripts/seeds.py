"""Runs the tests at many seeds: of their order, and of the moments at which clients leave.

Warnings are errors and the leak check is on, as in any run of the tests. What is about clients that leave is
run at all seeds; all of the tests, which takes minutes, at the first few, in another order each. Owns the
environment, on the newest Python found: it has pytest-randomly, and stays in `.venvs/` until pyproject.toml
changes. Needs only the standard library.

    python -m scripts.seeds --seeds 1000 --whole 5
    python -m scripts.seeds --seeds 1 --whole 1 --first 412    # one seed again
"""

from __future__ import annotations

import argparse
import os
import sys
import time

from .matrix import (
    ENVIRONMENTS,
    ROOT,
    StepFailed,
    closing_line,
    create,
    find_pythons,
    install_kit,
    interpreter_of,
    is_ready,
    run,
)

LEAVING = "tests/doors/test_clients_that_leave.py"
"""The tests of clients that leave, which take their moments from the seed."""
TOGETHER = 25
"""Seeds that one process runs: to start another costs as much as half a seed."""
SECONDS = 1800
ENVIRONMENT = ENVIRONMENTS / "seeds"


def attempt(seeds: range, *options: str) -> bool:
    """Whether the tests pass at these seeds; the first of them is that of the order."""
    named = str(seeds[0]) if len(seeds) == 1 else f"{seeds[0]}-{seeds[-1]}"
    os.environ["AIOTEST_KIT_SEED"] = named
    began = time.monotonic()
    command = ("-m", "pytest", "-q", "-n", "auto", "-p", "no:cacheprovider", f"--randomly-seed={seeds[0]}")
    try:
        said, passed = (
            closing_line(run(interpreter_of(ENVIRONMENT), *command, *options, seconds=SECONDS)),
            True,
        )
    except StepFailed as failure:
        print(failure.output, flush=True)
        said, passed = closing_line(failure.output), False
    what = options[-1] if options else "all tests"
    result = "passed" if passed else "FAILED"
    print(f"seed {named}, {what}: {result} ({time.monotonic() - began:.0f} s)  {said}", flush=True)
    return passed


def main() -> int:
    """The exit status: 0 if all passed."""
    parser = argparse.ArgumentParser(prog="python -m scripts.seeds")
    parser.add_argument("--seeds", type=int, default=100, help="how many for clients that leave")
    parser.add_argument("--whole", type=int, default=1, help="how many for all of the tests")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    chosen = parser.parse_args()
    if not is_ready(ENVIRONMENT):
        create(ENVIRONMENT, list(find_pythons().values())[-1])
        install_kit(ENVIRONMENT, "pytest-randomly")
    end = chosen.first + chosen.seeds
    ran = [
        attempt(range(seed, min(seed + TOGETHER, end)), LEAVING)
        for seed in range(chosen.first, end, TOGETHER)
    ]
    ran += [attempt(range(seed, seed + 1)) for seed in range(chosen.first, chosen.first + chosen.whole)]
    print(f"{ran.count(True)} of {len(ran)} runs passed: {chosen.seeds} seeds, {chosen.whole} of all tests")
    return int(not all(ran))


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main())
