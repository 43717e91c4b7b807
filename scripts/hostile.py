"""Tries hostile inputs on the server of the kit, and reduces what goes wrong to a few bytes.

    make test-hostile INPUTS=100000 SEED=7   # on all processors; of each kind of trouble the shortest input
    make test-hostile SEED=7 INPUT=1234      # that one again, and all that is wrong

The inputs and the verdict are of `tests/support/hostile*.py`. Exits with 1 if anything is wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import faulthandler
import os
import re
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import pairwise

from tests.support.hostile import Case, Leaving, case
from tests.support.hostile_trial import Trial, trial

BETWEEN_LOOKS = 500
"""Inputs after which what is still in memory is looked at."""

MOST_SECONDS = 60
"""For one input; then the tracebacks are shown, and nothing else is tried."""

MOST_GROWTH = 40 * 1024
"""KiB that a process may grow after a tenth of its inputs."""

SHARES = 20
REDUCING_SECONDS = 30.0
BY_THE_BYTE = 600
"""Bytes up to which an input that is being reduced is cut everywhere."""

Problems = Callable[[Case], Awaitable[list[str]]]


@dataclass(frozen=True)
class Finding:
    """Something that is wrong with an input."""

    kind: str
    case: Case
    text: str


def kind_of(problem: str) -> str:
    """What several inputs have in common that go wrong in the same way."""
    text = re.sub(r"\d+", "N", problem)
    text = re.sub(r"^cut at (\([N, ]*\)|N places)(, resting)?", "cut", text)
    return re.sub(r"^left by Leaving\([^)]*\)", "left", text)[:75]


async def tried(seed: int, start: int, end: int) -> list[Finding]:
    """What is wrong with some of the inputs of a seed."""
    findings: list[Finding] = []
    async with trial() as judge:
        size = 0
        for index in range(start, end):
            faulthandler.dump_traceback_later(MOST_SECONDS, exit=True)
            each = case(seed, index)
            findings += [Finding(kind_of(text), each, text) for text in await judge.judge(each)]
            if index % BETWEEN_LOOKS == 0 or index == end - 1:
                findings += [Finding("in memory", each, text) for text in await judge.leaks()]
            if index - start == (end - start) // 10:
                size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        faulthandler.cancel_dump_traceback_later()
        growth = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - size
        if growth > MOST_GROWTH:
            findings.append(Finding("growth", case(seed, start), f"the process has grown by {growth} KiB"))
    return findings


def share(seed: int, start: int, end: int) -> list[Finding]:
    """The same, in a process of its own."""
    return asyncio.run(tried(seed, start, end))


def run(seed: int, inputs: int) -> int:
    """Try the first inputs of a seed, and print what is wrong; the exit status."""
    begun = time.monotonic()
    edges = [inputs * number // SHARES for number in range(SHARES + 1)]
    findings: list[Finding] = []
    with ProcessPoolExecutor() as pool:
        shares = [pool.submit(share, seed, *edge) for edge in pairwise(edges)]
        for number, each in enumerate(shares, 1):
            findings += each.result()
            seconds = time.monotonic() - begun
            print(
                f"{inputs * number // SHARES} inputs, {seconds:.0f} s, {len(findings)} findings", flush=True
            )
    rate = inputs / (time.monotonic() - begun)
    by_kind: dict[str, list[Finding]] = {}
    for finding in findings:
        by_kind.setdefault(finding.kind, []).append(finding)
    for kind, alike in sorted(by_kind.items(), key=lambda item: -len(item[1])):
        shortest = min(alike, key=lambda finding: len(finding.case.data))
        print(f"\n{len(alike)} × {kind}\n  {shortest.case.name}: {shortest.text}")
        if kind not in ("in memory", "growth"):
            print(f"  {asyncio.run(reduced(shortest))}")
    print(f"\nseed {seed}: {inputs} inputs, {len(by_kind)} kinds of findings ({rate:.0f} inputs a second)")
    return 1 if findings else 0


async def show(seed: int, index: int) -> int:
    """Try one input, and print all that is wrong; the exit status."""
    each = case(seed, index)
    async with trial() as judge:
        problems = await judge.judge(each)
    print(each, *problems, sep="\n")
    return 1 if problems else 0


# ---- reducing ----


async def reduced(finding: Finding) -> str:
    """The shortest input found on which the same goes wrong, and how."""
    async with trial() as judge:

        async def fails(data: bytes) -> bool:
            problems = await judge.judge(variant(finding, data))
            return any(kind_of(problem) == finding.kind for problem in problems)

        data = finding.case.data
        if finding.kind.startswith("left"):
            data = data[: finding.case.leaving.position]
        if not await fails(data):
            return "cannot be reduced"
        data = await shortened(data, fails)
        cut = await single_cut(judge, finding, data)
    if finding.kind.startswith("left"):
        return f"{data!r}, {replace(finding.case.leaving, position=len(data))}"
    return f"{data!r}" if cut is None else f"{data[:cut]!r} | {data[cut:]!r}"


def variant(finding: Finding, data: bytes, cuts: tuple[tuple[int, ...], ...] | None = None) -> Case:
    """The input of a finding with other bytes, and only what the finding is about."""
    whole = finding.case
    if finding.kind.startswith("left"):
        return replace(whole, data=data, cuts=(), leaving=replace(whole.leaving, position=len(data)))
    if cuts is None and not finding.kind.startswith("cut"):
        cuts = ()
    elif cuts is None:
        within = tuple(tuple(at for at in positions if at < len(data)) for positions in whole.cuts)
        cuts = within if len(data) > BY_THE_BYTE else (*within, tuple(range(1, len(data))))
    return replace(whole, data=data, cuts=cuts, leaving=Leaving(0, 0, aborts=True, reads=True))


async def shortened(data: bytes, fails: Callable[[bytes], Awaitable[bool]]) -> bytes:
    """Bytes with as much left out as can be, so that it still fails."""
    until = time.monotonic() + REDUCING_SECONDS
    size = max(1, len(data) // 2)
    while True:
        before, start = len(data), 0
        while start < len(data) and time.monotonic() < until:
            without = data[:start] + data[start + size :]
            if await fails(without):
                data = without
            else:
                start += size
        if time.monotonic() > until or (size == 1 and len(data) == before):
            return data
        size = max(1, size // 2)


async def single_cut(judge: Trial, finding: Finding, data: bytes) -> int | None:
    """Where one cut is enough; None if there is no such place, or it is not about cuts."""
    if not finding.kind.startswith("cut") or len(data) > 5000:
        return None
    for position in range(1, len(data)):
        problems = await judge.judge(variant(finding, data, ((position,),)))
        if any(kind_of(problem) == finding.kind for problem in problems):
            return position
    return None


def main(words: list[str]) -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="hostile")
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    parser.add_argument("--input", type=int)
    given = parser.parse_args(words)
    if given.input is not None:
        return asyncio.run(show(given.seed, given.input))
    return run(given.seed, given.inputs)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
