"""Runs the test suites of client libraries that use aioresponses, with its stand-in in its place.

Each suite is unedited: the name aioresponses is made to mean the stand-in. It is run with aioresponses itself
first, on the newest aiohttp that this works on; each test that passes there has to pass with the stand-in.
Knows git, pip, environments and where the suites are. Needs the network and git.

    python scripts/compat_clients.py                       # all of them
    python scripts/compat_clients.py ring-doorbell gios    # some of them

The Python is the one that runs the script; several of the suites need 3.13. Environments and sources are kept
in `.venvs/`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / ".venvs" / "clients"

ORIGINAL = "aioresponses 0.7.9, aiohttp 3.13.5"
KIT_ON_THE_SAME = "stand-in, aiohttp 3.13.5"
KIT_ON_NEWEST = "stand-in, newest aiohttp"
INSTALLED = {
    ORIGINAL: ["aiohttp==3.13.5", "aioresponses==0.7.9"],
    KIT_ON_THE_SAME: ["aiohttp==3.13.5", "--editable", str(ROOT)],
    KIT_ON_NEWEST: ["aiohttp", "--editable", str(ROOT)],
}
# pytest 9 refuses marks on fixtures, which some of the suites have.
NEEDED = ["pytest<9", "pytest-asyncio", "pytest-aiohttp", "pytest-cov", "pytest-freezer", "pytest-mock"]

REDIRECT = """import importlib, sys

sys.modules["aioresponses"] = package = importlib.import_module("aiotest_kit.compat.aioresponses")
for name in ("core", "compat"):
    sys.modules[f"aioresponses.{name}"] = importlib.import_module(f"{package.__name__}.{name}")
"""


@dataclass(frozen=True)
class Client:
    """A library whose tests use aioresponses, and what they need beside pytest.

    `version` is that of a source distribution on PyPI which has the tests; with `repository`, a commit there.
    """

    version: str
    repository: str | None = None
    needs: Sequence[str] = ()


CLIENTS = {
    "accuweather": Client("a48342b", "bieniu/accuweather", ["syrupy"]),
    "aiotapioca-wrapper": Client("4.3.0"),
    "aiounifi": Client("4ba00ff", "Kane610/aiounifi", ["trustme"]),
    "bring-api": Client("e3c9aeb", "miaucl/bring-api", ["syrupy", "python-dotenv"]),
    "gios": Client("ace7c23", "bieniu/gios", ["syrupy"]),
    "nextdns": Client("e76aba1", "bieniu/nextdns", ["syrupy", "tenacity"]),
    "pylitterbot": Client("207ddef", "natekspencer/pylitterbot"),
    "python-airgradient": Client("eb909bf", "airgradienthq/python-airgradient", ["syrupy"]),
    "python-supervisor-client": Client("9508b0a", "home-assistant-libs/python-supervisor-client"),
    "ring-doorbell": Client("0.9.14", needs=["pytest-socket", "requests-mock", "mock"]),
}


def check(*command: str | Path) -> None:
    """Run a command that has to succeed."""
    if subprocess.run([str(part) for part in command]).returncode:
        sys.exit(f"failed: {' '.join(map(str, command))}")


def source(name: str, client: Client) -> Path:
    """The folder of a client's sources."""
    folder = WORK / "sources" / f"{name.replace('-', '_')}-{client.version}"
    if client.repository is not None:
        if not folder.exists():
            check("git", "clone", "-q", f"https://github.com/{client.repository}", folder)
        check("git", "-C", folder, "checkout", "-q", client.version)
    elif not folder.exists():
        fetch = ("-m", "pip", "download", "-qq", "--no-deps", "--no-binary", name, "--dest", folder.parent)
        check(sys.executable, *fetch, f"{name}=={client.version}")
        (archive,) = [
            file
            for file in folder.parent.glob(f"*{client.version}.tar.gz")
            if file.name.replace("-", "_").startswith(name.replace("-", "_"))
        ]
        folder.mkdir()
        check("tar", "-xzf", archive, "--strip-components=1", "-C", folder)
    return folder


def interpreter(kind: str, name: str, folder: Path, client: Client) -> Path:
    """The Python of an environment of a client's own, with all that its suite needs."""
    place = WORK / f"{name}-{list(INSTALLED).index(kind)}-py{sys.version_info[0]}.{sys.version_info[1]}"
    python = place / "bin" / "python"
    if not python.exists():
        check(sys.executable, "-m", "venv", place)
    pip = (python, "-m", "pip", "--disable-pip-version-check", "install", "-qq")
    check(*pip, *NEEDED, *client.needs, *INSTALLED[kind], folder)
    return python


def passed(kind: str, name: str, folder: Path, client: Client) -> set[str]:
    """The tests of a client that pass."""
    python = interpreter(kind, name, folder, client)
    (WORK / "redirect").mkdir(exist_ok=True)
    (WORK / "redirect" / "compat_redirect.py").write_text(REDIRECT)
    report = WORK / f"{name}.xml"
    report.unlink(missing_ok=True)
    words = ["tests", "-q", "-p", "no:cacheprovider", "--no-cov", f"--junit-xml={report}"]
    if kind != ORIGINAL:
        words += ["-p", "compat_redirect"]
    sources = folder / "src" if (folder / "src").is_dir() else folder
    path = os.pathsep.join(map(str, (WORK / "redirect", sources)))
    environment = {**os.environ, "PYTHONPATH": path}
    subprocess.run([python, "-m", "pytest", *words], cwd=folder, env=environment, capture_output=True)
    if not report.exists():
        return set()
    return {
        f"{case.get('classname')}::{case.get('name')}"
        for case in ElementTree.parse(report).iter("testcase")
        if not {child.tag for child in case} & {"failure", "error", "skipped"}
    }


def attempt(name: str) -> bool:
    """Whether each test that passes with aioresponses passes with the stand-in."""
    client = CLIENTS[name]
    folder = source(name, client)
    expected = passed(ORIGINAL, name, folder, client)
    print(f"{name} {client.version}: {len(expected)} pass with {ORIGINAL}", flush=True)
    lost = False
    for kind in (KIT_ON_THE_SAME, KIT_ON_NEWEST):
        missing = expected - passed(kind, name, folder, client)
        lost = lost or bool(missing)
        print(f"  {len(expected) - len(missing)} of them with {kind}", flush=True)
        for test in sorted(missing):
            print(f"    not: {test}", flush=True)
    return bool(expected) and not lost


def main() -> int:
    """The exit status: 0 if nothing was lost."""
    parser = argparse.ArgumentParser(description="Run client libraries' suites with the stand-in.")
    parser.add_argument("client", nargs="*", help=", ".join(CLIENTS))
    names: list[str] = parser.parse_args().client or list(CLIENTS)
    for name in names:
        if name not in CLIENTS:
            parser.error(f"{name!r} is none of {', '.join(CLIENTS)}")
    (WORK / "sources").mkdir(parents=True, exist_ok=True)
    outcomes = {name: attempt(name) for name in names}
    return 0 if all(outcomes.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
