"""What the kit's pytest plugin costs a run that does not use it.

Owns the comparison of ``pytest --collect-only`` with and without the plugin, on one sync test, in an
environment that holds the kit and pytest-aiohttp and nothing else. Knows nothing of the other measures.
"""

from __future__ import annotations

import resource
import subprocess
import tempfile
from pathlib import Path

from .environments import Unavailable, interpreter, last_error

WITHOUT = ("-p", "no:aiotest_kit")


def plugin_milliseconds(runs: int) -> tuple[float, float]:
    """Milliseconds of processor time of a collection: with pytest-aiohttp alone, and with the kit, too.

    The fastest of ``runs``, because every disturbance only adds. Processor time, because start-up waits for
    nothing but the disk, which is warm after the first.

    Raises:
        Unavailable: the environment could not be made, or pytest failed in it.
    """
    python = interpreter("plugin")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "pytest.ini").write_text("[pytest]\n")
        Path(folder, "test_one.py").write_text("def test_one():\n    pass\n")
        if b"test_one" not in collect(python, folder)[1]:  # also writes the .pyc files that later runs read
            raise Unavailable("pytest did not collect the test")
        alone, ours = [], []
        for _ in range(runs):
            alone.append(collect(python, folder, *WITHOUT)[0])
            ours.append(collect(python, folder)[0])
    return min(alone), min(ours)


def collect(python: Path, folder: str, *options: str) -> tuple[float, bytes]:
    """Milliseconds of processor time of one ``pytest --collect-only``, and what it printed."""
    before = processor_seconds()
    done = subprocess.run(
        [str(python), "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *options],
        cwd=folder,
        capture_output=True,
    )
    spent = processor_seconds() - before
    if done.returncode:
        raise Unavailable(last_error((done.stderr or done.stdout).decode()))
    return spent * 1000, done.stdout


def processor_seconds() -> float:
    """Of all ended children so far, in user and system mode."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
