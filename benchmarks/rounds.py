"""Worker processes, asked in turn, and what their answers come to.

Owns the order of measuring: every batch of a contender follows a batch of its base, and all of a contender's
measures take turns, so that whatever else the machine does hits all of them alike. The base is the floor of
the same aiohttp; for a client of an app it is that of pytest-aiohttp. Knows nothing of tables and budgets.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from types import TracebackType

from .contenders import AIOHTTP_CLIENT, FLOOR, Contender
from .environments import ROOT, Unavailable, interpreter, last_error

MANY_ROUTES = (100, 10_000)
MANY_CALLS = 10_000
CYCLES = ("cycle", "kept")
"""The measures that open and close a stub for each call."""
SLOWING = {"PYTHONASYNCIODEBUG", "PYTHONDEVMODE", "PYTHONTRACEMALLOC", "PYTHONWARNINGS"}


@dataclass(frozen=True)
class Plan:
    """How much is measured: rounds per contender, in how many sets of processes, and seconds per batch.

    More than one set, because one process can be a tenth slower than its twin for as long as it lives: where
    its memory lies and how its strings hash is a matter of luck.
    """

    sets: int
    rounds: int  # of each set
    cycle_sets: int  # sets of our cycles alone, beside those: the budget's limit is nearest there
    batch: float
    histories: bool  # the 10,000th call and the memory of the other tools too, which take most of the time

    def has_history(self, contender: Contender) -> bool:
        return contender.records and (self.histories or contender.ours)


@dataclass(frozen=True)
class Figure:
    """The median of one measure: in microseconds, and as a multiple of the same round's base."""

    microseconds: float
    ratio: float


@dataclass
class Row:
    """All that was found out about one contender. Keyed by measure; ``floor`` is its base's microseconds."""

    name: str
    aiohttp: str = ""
    floor: dict[str, float] = field(default_factory=dict)
    figures: dict[str, Figure] = field(default_factory=dict)
    kept_bytes: float | None = None
    unavailable: str | None = None


Samples = dict[str, list[tuple[float, float]]]
"""(base, contender) microseconds by measure; the two of a pair were taken one after the other."""


class Worker:
    """A running ``benchmarks.worker``; a context manager, ended with the block."""

    def __init__(self, python: Path, *arguments: str) -> None:
        # A file, not a pipe: nobody reads it before the end, and a pipe would fill up.
        self._stderr = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self._process = subprocess.Popen(
            [str(python), "-m", "benchmarks.worker", *arguments],
            cwd=ROOT,
            env={name: value for name, value in os.environ.items() if name not in SLOWING},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            text=True,
        )

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()
        self._stderr.close()

    def read(self) -> dict[str, object]:
        """The worker's next message.

        Raises:
            Unavailable: it ended instead; says the last line of its traceback.
        """
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            self._stderr.seek(0)
            raise Unavailable(last_error(self._stderr.read()))
        message: dict[str, object] = json.loads(line)
        return message

    def time(self, seconds: float) -> float:
        """Microseconds per operation, in a batch of about ``seconds``."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{seconds}\n")
        self._process.stdin.flush()
        return float(str(self.read()["microseconds"]))


def measures_of(contender: Contender, plan: Plan) -> dict[str, list[str]]:
    """The worker's arguments for each measure of ``contender`` that is a time."""
    measures = {"call": ["call"], "cycle": ["cycle"]}
    if contender.name == FLOOR:
        return measures
    if contender.of_app:
        return {name: [name] for name in CYCLES}
    if contender.keep is not None:
        measures["kept"] = ["kept"]
    for routes in MANY_ROUTES:
        measures[f"{routes} routes"] = ["call", f"--routes={routes}"]
    if plan.has_history(contender):
        measures[f"call {MANY_CALLS}"] = ["call", f"--recorded={MANY_CALLS}"]
    return measures


def measure(contender: Contender, plan: Plan) -> Row:
    """Time ``contender`` against its floor. A contender that cannot run here says so in the row."""
    row = Row(contender.name)
    samples: Samples = {name: [] for name in measures_of(contender, plan)}
    try:
        for _ in range(plan.sets):
            row.aiohttp = sample(contender, plan, samples)
        if contender.ours:
            cycles = {name: pairs for name, pairs in samples.items() if name in CYCLES}
            for _ in range(plan.cycle_sets):
                sample(contender, plan, cycles)
    except Unavailable as error:
        row.unavailable = str(error)
    else:
        row.figures = {name: figure(pairs) for name, pairs in samples.items()}
        row.floor = {name: median(floor for floor, _ in pairs) for name, pairs in samples.items()}
    return row


def sample(contender: Contender, plan: Plan, samples: Samples) -> str:
    """Add the (base, contender) times of one set of processes to ``samples``. Returns its aiohttp."""
    python = interpreter(contender.environment)
    base = AIOHTTP_CLIENT if contender.of_app else FLOOR
    base_of = {name: base_measure(contender, name) for name in samples}
    with ExitStack() as stack:
        floors = {
            name: stack.enter_context(Worker(python, base, name)) for name in sorted(set(base_of.values()))
        }
        workers = {
            name: stack.enter_context(Worker(python, contender.name, *arguments))
            for name, arguments in measures_of(contender, plan).items()
            if name in samples
        }
        versions = [str(worker.read()["aiohttp"]) for worker in (*floors.values(), *workers.values())]
        for _ in range(plan.rounds):
            for name, worker in workers.items():
                floor = floors[base_of[name]]
                samples[name].append((floor.time(plan.batch), worker.time(plan.batch)))
    return versions[0]


def base_measure(contender: Contender, name: str) -> str:
    """The measure of the base with which one of ``contender`` is compared."""
    if contender.of_app:
        return name
    return "cycle" if name in CYCLES else "call"


def figure(pairs: Sequence[tuple[float, float]]) -> Figure:
    """Medians of (base, contender) pairs; a ratio is that of one pair, whose two were neighbours in time."""
    return Figure(median(own for _, own in pairs), median(own / floor for floor, own in pairs))


def weigh(rows: Sequence[tuple[Row, Contender]]) -> None:
    """Fill in the bytes that each keeps per recorded call. No clock is involved, so two run at a time."""
    waiting = list(rows)
    while waiting:
        pair, waiting = waiting[:2], waiting[2:]
        with ExitStack() as stack:
            workers = [stack.enter_context(memory_worker(contender)) for _, contender in pair]
            for (row, _), worker in zip(pair, workers, strict=True):
                with suppress(Unavailable):  # it ran before, so this is unlikely: the table then says n/a
                    row.kept_bytes = float(str(worker.read()["bytes"]))


def memory_worker(contender: Contender) -> Worker:
    return Worker(interpreter(contender.environment), contender.name, "memory", f"--recorded={MANY_CALLS}")
