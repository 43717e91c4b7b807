"""What the kit's pytest plugin costs a run that does not use it.

Owns the environment and the test for the comparison that ``collecting.py`` makes. Knows nothing of the other
measures.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

from .environments import Unavailable, interpreter, last_error

COLLECTING = Path(__file__).with_name("collecting.py")


def plugin_milliseconds(runs: int) -> float:
    """How much longer pytest takes to collect one sync test with the kit beside pytest-aiohttp than without.

    The median of ``runs`` differences, each of two neighbours in time.

    Raises:
        Unavailable: the environment could not be made, or pytest failed in it.
    """
    python = interpreter("plugin")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "pytest.ini").write_text("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
        Path(folder, "test_one.py").write_text("def test_one():\n    pass\n")
        command = [str(python), str(COLLECTING), folder, str(runs)]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise Unavailable(last_error(done.stderr))
    return float(json.loads(done.stdout)["more"])
