"""Runs the tests on every Python found, times every aiohttp that the kit supports.

Knows environments, pip and exit codes; knows nothing of what the tests do. Needs only the standard library.
Each combination keeps an environment of its own in `.venvs/`, used again until pyproject.toml changes.

    python scripts/matrix.py                            # all of it
    python scripts/matrix.py oldest newest              # the two corners
    python scripts/matrix.py 3.10:3.10.11 3.13:newest   # by name
    python scripts/matrix.py --newest-python            # none: says which interpreter is the newest found

A combination that aiohttp cannot be installed on is skipped, and the table says so; but where the Python is
one that the kit promises, a combination asked for by name has to run.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

PYTHONS = ("3.10", "3.11", "3.12", "3.13")
AIOHTTPS = ("3.10.11", "3.11.18", "3.12.15", "3.13.5", "newest")

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENTS = ROOT / ".venvs"
CLOSING_LINE = re.compile(r"(?:\d+ [a-z]+(?:, )?)+ in [\d.]+s")
STAMP = ".installed"
INSTALL_SECONDS = 600
TEST_SECONDS = 900


@dataclass(frozen=True)
class Combination:
    """One Python with one aiohttp; `python` is a minor version, `aiohttp` a release or `newest`."""

    python: str
    aiohttp: str

    @property
    def environment(self) -> Path:
        return ENVIRONMENTS / f"py{self.python}-aiohttp{self.aiohttp}"

    @property
    def interpreter(self) -> Path:
        return interpreter_of(self.environment)

    @property
    def requirement(self) -> str:
        return "aiohttp" if self.aiohttp == "newest" else f"aiohttp=={self.aiohttp}"


@dataclass(frozen=True)
class Outcome:
    """What became of a combination; `said` is pytest's closing line, or why there is none."""

    combination: Combination
    result: str
    said: str
    versions: str = "-"


class StepFailed(Exception):
    """A command ended with an error or ran out of time; `output` is all it printed."""

    def __init__(self, output: str) -> None:
        super().__init__(output)
        self.output = output


def run(*command: str | Path, seconds: int) -> str:
    """What the command printed.

    Raises:
        StepFailed: it exited with an error, or took longer than `seconds`.
    """
    # A stray `aiotest_kit` from the caller's environment must not be the one under test.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    try:
        done = subprocess.run(
            [str(part) for part in command],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds,
            encoding="utf-8",
            errors="replace",
        )
    except subprocess.TimeoutExpired as timeout:
        printed: object = timeout.stdout  # bytes, whatever the encoding asked for
        text = printed.decode("utf-8", "replace") if isinstance(printed, bytes) else ""
        raise StepFailed(f"{text}\nno end after {seconds} s") from None
    except OSError as error:
        raise StepFailed(str(error)) from None
    if done.returncode:
        raise StepFailed(done.stdout)
    return done.stdout


def find_pythons() -> dict[str, str]:
    """The interpreter for each minor version: of the promised ones that are here, and this very one."""
    candidates = [sys.executable]
    for version in PYTHONS:
        candidates += [str(path) for path in Path.home().glob(f".pyenv/versions/{version}*/bin/python")]
        candidates += filter(None, [shutil.which(f"python{version}")])
    found: dict[str, str] = {}
    for candidate in candidates:
        try:
            version = run(candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])", seconds=60)
        except StepFailed:  # pyenv has shims for versions that are not switched on
            continue
        found.setdefault(version.strip(), candidate)
    return dict(sorted(found.items(), key=lambda item: as_number(item[0])))


def as_number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def choose(words: list[str], pythons: list[str]) -> list[Combination]:
    """The combinations that the command line asks for, in its order and each once; all for no words."""
    if not words:
        return [Combination(python, aiohttp) for python in pythons for aiohttp in AIOHTTPS]
    corners = {
        "oldest": Combination(pythons[0], AIOHTTPS[0]),
        "newest": Combination(pythons[-1], AIOHTTPS[-1]),
    }
    chosen: dict[Combination, None] = {}
    for word in words:
        python, _, aiohttp = word.partition(":")
        if word not in corners and (not aiohttp or python not in pythons):
            sys.exit(
                f"unknown combination {word!r}; say oldest, newest, or PYTHON:AIOHTTP"
                f" with a Python of {', '.join(pythons)} and an aiohttp like {', '.join(AIOHTTPS)}"
            )
        chosen[corners.get(word) or Combination(python, aiohttp)] = None
    return list(chosen)


def is_ready(environment: Path) -> bool:
    stamp = environment / STAMP
    return stamp.is_file() and stamp.read_text() == fingerprint()


def fingerprint() -> str:
    return hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()


def create(folder: Path, python: str) -> None:
    """An environment with a pip new enough for dependency groups."""
    try:
        run(python, "-m", "venv", "--clear", folder, seconds=INSTALL_SECONDS)
    except (
        StepFailed
    ):  # Debian's Python comes without ensurepip; there, the pip outside fills the environment
        run(python, "-m", "venv", "--clear", "--without-pip", folder, seconds=INSTALL_SECONDS)
        outside = ("-m", "pip", "--python", interpreter_of(folder), "install", "-qq", "pip")
        run(python, *outside, seconds=INSTALL_SECONDS)
    install(folder, "pip>=25.1")


def install(environment: Path, *what: str) -> None:
    pip = ("-m", "pip", "--disable-pip-version-check", "install", "-qq")
    run(interpreter_of(environment), *pip, *what, seconds=INSTALL_SECONDS)


def install_kit(environment: Path, *requirements: str) -> None:
    """The kit with what its tests need, beside `requirements`; the environment is ready then."""
    install(environment, "--editable", ".[all]", "--group", "test", *requirements)
    (environment / STAMP).write_text(fingerprint())


def interpreter_of(environment: Path) -> Path:
    return environment / "bin" / "python"


def attempt(combination: Combination, python: str) -> Outcome:
    """Installs what is missing and runs the tests."""
    if not is_ready(combination.environment):
        try:
            create(combination.environment, python)
            install(combination.environment, "--prefer-binary", combination.requirement)
        except StepFailed as failure:
            return Outcome(combination, "skipped", f"does not install: {last_line(failure.output)}")
        try:
            install_kit(combination.environment, combination.requirement)
        except StepFailed as failure:
            print(failure.output, flush=True)
            return Outcome(combination, "failed", f"the kit does not install: {last_line(failure.output)}")
    versions = installed_versions(combination)
    try:
        printed = run(
            combination.interpreter,
            *("-m", "pytest", "-q", "-n", "auto", "-p", "no:cacheprovider"),
            seconds=TEST_SECONDS,
        )
    except StepFailed as failure:
        print(failure.output, flush=True)
        return Outcome(combination, "failed", closing_line(failure.output), versions)
    return Outcome(combination, "passed", closing_line(printed), versions)


def installed_versions(combination: Combination) -> str:
    question = "import aiohttp, platform; print(platform.python_version(), aiohttp.__version__)"
    return run(combination.interpreter, "-c", question, seconds=60).strip()


def closing_line(printed: str) -> str:
    lines = CLOSING_LINE.findall(printed)
    return lines[-1] if lines else last_line(printed)


def last_line(printed: str) -> str:
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    return lines[-1] if lines else "no output"


def table(outcomes: list[Outcome]) -> str:
    """The outcomes as aligned lines, one for each combination."""
    rows = [("python", "aiohttp", "ran on", "result", "")]
    rows += [
        (
            outcome.combination.python,
            outcome.combination.aiohttp,
            outcome.versions,
            outcome.result,
            outcome.said,
        )
        for outcome in outcomes
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[4]]).rstrip()
        for row in rows
    )


def is_excused(outcome: Outcome, *, named: bool) -> bool:
    return outcome.result == "skipped" and not (named and outcome.combination.python in PYTHONS)


def main(words: list[str]) -> int:
    """The exit status: 0 if something ran, and nothing that had to pass did not."""
    pythons = find_pythons()
    if words == ["--newest-python"]:
        print(list(pythons.values())[-1])
        return 0
    outcomes = []
    for combination in choose(words, list(pythons)):
        began = time.monotonic()
        outcome = attempt(combination, pythons[combination.python])
        outcomes.append(outcome)
        took = time.monotonic() - began
        name = f"Python {combination.python}, aiohttp {combination.aiohttp}"
        print(f"{name}: {outcome.result} ({took:.0f} s)  {outcome.said}", flush=True)
    print(f"\n{table(outcomes)}")
    settled = all(o.result == "passed" or is_excused(o, named=bool(words)) for o in outcomes)
    return 0 if settled and any(o.result == "passed" for o in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
