"""The interpreters that the contenders run in: the current one, or a virtual environment made here once.

Owns ``.venvs``. Knows what each environment needs. Does not know what is measured in it.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENVS = Path(__file__).resolve().parent / ".venvs"
SLOWEST_INSTALL = 300.0  # seconds


class Unavailable(Exception):
    """A contender cannot be measured here; the message says why, in one line."""


def requirements(environment: str) -> list[str]:
    """What pip installs into ``environment``; the versions are those that the figures in the README name."""
    ours = f"aiohttp=={version('aiohttp')}"
    return {
        # aiohttp 3.13.5 is the newest that aioresponses 0.7.9 works on, hence a floor of its own there.
        "aioresponses": ["aioresponses==0.7.9", "aiohttp==3.13.5"],
        "aiointercept": ["aiointercept==1.0.0", ours],
        "servers": ["aresponses==3.0.0", "pytest-httpserver==1.2.0", ours],
        # The kit as users install it: pytest rewrites no modules of an editable install, which is cheaper.
        "plugin": [str(ROOT), ours, *(f"{name}=={version(name)}" for name in ("pytest", "pytest-aiohttp"))],
    }[environment]


def interpreter(environment: str) -> Path:
    """The Python of ``environment``, made or renewed first where needed.

    Raises:
        Unavailable: it could not be made: no network, no release for this Python, no ``venv`` module...
    """
    if environment == "own":
        return Path(sys.executable)
    try:
        wanted = requirements(environment)
    except PackageNotFoundError as error:
        raise Unavailable(f"{error.name} is not installed") from error
    folder = VENVS / environment
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    stamp = folder / "installed.txt"
    content = "\n".join([sys.version, *wanted, source_digest() if environment == "plugin" else ""])
    if not (stamp.is_file() and stamp.read_text() == content):
        print(f"preparing the environment {environment!r} ...", file=sys.stderr)
        VENVS.mkdir(exist_ok=True)
        (VENVS / ".gitignore").write_text("*\n")
        # The pip of this interpreter fills it: Debian's Python has no ensurepip to put one in there.
        run_quietly(sys.executable, "-m", "venv", "--clear", "--without-pip", str(folder))
        run_quietly(sys.executable, "-m", "pip", "--python", str(python), "install", "-q", *wanted)
        stamp.write_text(content)
    return python


def source_digest() -> str:
    """Changes whenever the kit does, so that its installed copy is never an old one."""
    files = [ROOT / "pyproject.toml", *sorted((ROOT / "aiotest_kit").rglob("*.py"))]
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes() if file.is_file() else b"missing")
    return digest.hexdigest()


def run_quietly(*command: str) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=SLOWEST_INSTALL)
    except subprocess.CalledProcessError as error:
        raise Unavailable(last_error(error.stderr or error.stdout)) from error
    except (subprocess.TimeoutExpired, OSError) as error:
        raise Unavailable(str(error)) from error


def last_error(output: str) -> str:
    """The line of a tool's output that says what went wrong."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith("error:")]
    return (errors or lines or ["it said nothing"])[-1]
