"""Runs the test suites of client libraries against the stand-ins in `aiotest_kit.compat`.

Each suite is unedited and whole: the name of aioresponses, aiointercept or aresponses is made to mean the
stand-in. It passes if pytest says so. For comparison it is run with the library itself first, on the newest
aiohttp that aioresponses works on. Knows git, pip, environments and what each suite needs. Needs the network
and git.

    python scripts/compat_clients.py                       # all of them
    python scripts/compat_clients.py ring-doorbell gios    # some of them

The Python is the one that runs the script; several of the suites need 3.13. Environments and sources are kept
in `.venvs/`, with what pytest said in a `.log` beside them.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / ".venvs" / "clients"

LIBRARIES = {"aioresponses": "0.7.9", "aiointercept": "1.0.0", "aresponses": "3.0.0"}
SUMMARY = re.compile(r"(\d+) (passed|failed|errors?|skipped|xfailed|xpassed)")


@dataclass(frozen=True)
class Client:
    """A library whose tests use one of `LIBRARIES`, and what they need beside it, as the client pins it.

    `version` is that of a source distribution on PyPI which has the tests; with `repository`, a commit there.
    """

    version: str
    needs: Sequence[str]
    repository: str | None = None
    library: str = "aioresponses"
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Kind:
    """One of the runs of each suite: an aiohttp, with the library itself or with its stand-in."""

    name: str
    aiohttp: str
    stand_in: bool = True

    def __str__(self) -> str:
        return f"{'stand-in' if self.stand_in else 'itself'}, {self.name}"


KINDS = (
    Kind("aiohttp 3.13.5", "aiohttp==3.13.5", stand_in=False),
    Kind("aiohttp 3.13.5", "aiohttp==3.13.5"),
    Kind("newest aiohttp", "aiohttp"),
)

PYTEST = ("pytest==9.1.0", "pytest-asyncio==1.4.0", "pytest-cov==7.1.0", "pytest-timeout==2.4.0")
ASYNC_AUTO = ("pytest==9.0.3", "pytest-asyncio==1.3.0", "pytest-cov==7.1.0")

CLIENTS = {
    "accuweather": Client("a48342b", (*PYTEST, "syrupy==5.3.2"), "bieniu/accuweather"),
    "aioautomower": Client(
        "ae544fb",
        (*PYTEST, "pytest-codspeed==5.0.3", "syrupy==5.5.3", "time-machine==3.2.0"),
        "Thomas55555/aioautomower",
        environment={"TZ": "Europe/Berlin"},
    ),
    "aioelectricitymaps": Client("75a5a72", (*ASYNC_AUTO, "syrupy==5.5.3"), "jpbede/aioelectricitymaps"),
    "aionotion": Client(
        "5ab1283",
        ("pytest==8.3.4", "pytest-asyncio==0.25.2", "pytest-aiohttp", "pytest-cov==6.0.0", "PyJWT<2.11"),
        "bachya/aionotion",
        library="aresponses",
    ),
    "aiotapioca-wrapper": Client("4.3.0", PYTEST),
    "aiounifi": Client(
        "4ba00ff", (*PYTEST, "pytest-aiohttp==1.1.1", "pyotp==2.10.0", "trustme==1.2.1"), "Kane610/aiounifi"
    ),
    "bring-api": Client(
        "e3c9aeb", (*PYTEST, "syrupy==2026.4.6.124150327040", "python-dotenv"), "miaucl/bring-api"
    ),
    "gios": Client("ace7c23", (*PYTEST, "syrupy==5.3.2"), "bieniu/gios"),
    "nextdns": Client("e76aba1", (*PYTEST, "syrupy==5.3.2"), "bieniu/nextdns"),
    "pylitterbot": Client("207ddef", (*PYTEST, "pytest-freezer==0.4.9"), "natekspencer/pylitterbot"),
    "python-airgradient": Client(
        "eb909bf", (*ASYNC_AUTO, "syrupy==5.1.0"), "airgradienthq/python-airgradient"
    ),
    "python-elgato": Client(
        "7ccbf4b", (*ASYNC_AUTO, "syrupy==5.1.0", "typer==0.24.1", "rich", "zeroconf"), "frenck/python-elgato"
    ),
    "python-tailscale": Client(
        "dc3b857", (*ASYNC_AUTO, "syrupy==5.1.0", "typer==0.24.1", "rich"), "frenck/python-tailscale"
    ),
    "python-wled": Client(
        "d8c56e2", (*ASYNC_AUTO, "syrupy==5.1.0", "typer==0.24.1", "zeroconf"), "frenck/python-wled"
    ),
    "renault-api": Client(
        "1edab20",
        (*PYTEST, "syrupy==5.3.2", "typeguard==4.5.2", "click", "tabulate", "dateparser"),
        "hacf-fr/renault-api",
    ),
    "ring-doorbell": Client(
        "0.9.14",
        (
            "pytest",
            "pytest-asyncio",
            "pytest-mock",
            "pytest-socket",
            "pytest-freezer",
            "pytest-cov",
            "requests-mock",
            "mock",
        ),
    ),
    "simplisafe-python": Client(
        "d9a974e",
        ("pytest<9", "pytest-asyncio", "pytest-aiohttp<2", "pytest-cov<8"),
        "bachya/simplisafe-python",
        library="aresponses",
    ),
    "whirlpool-sixth-sense": Client(
        "b23bd33", (*PYTEST, "pytest-mock"), "abmantis/whirlpool-sixth-sense", library="aiointercept"
    ),
    "aiortm": Client(
        "2481bb6",
        ("pytest==9.1.1", "pytest-aiohttp==1.1.1", "pytest-cov==7.1.0", "sybil[pytest]==10.1.0", "typer"),
        "MartinHjelmare/aiortm",
        library="aiointercept",
    ),
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


def interpreter(kind: Kind, name: str, folder: Path, client: Client) -> Path:
    """The Python of a client's environment, with what a run of its suite needs and nothing beside.

    uv makes it where there is one, which takes seconds; pip does so everywhere.
    """
    place = WORK / f"{name}-py{sys.version_info[0]}.{sys.version_info[1]}"
    python = place / "bin" / "python"
    if not python.exists():
        check(sys.executable, "-m", "venv", "--without-pip", place)
    uv = shutil.which("uv")
    if uv is not None:
        pip, at, unasked = [uv, "pip"], ["--python", str(python)], []
    else:
        pip, at, unasked = [sys.executable, "-m", "pip", "--python", str(python)], [], ["--yes"]
    itself, kit = f"{client.library}=={LIBRARIES[client.library]}", ["--editable", str(ROOT)]
    check(*pip, "uninstall", "-q", *at, *unasked, client.library if kind.stand_in else "aiotest-kit")
    provided = kit if kind.stand_in else [itself]
    check(*pip, "install", "-q", *at, "--upgrade", *client.needs, kind.aiohttp, *provided, folder)
    return python


def counts(kind: Kind, name: str, folder: Path, client: Client) -> tuple[bool, Mapping[str, int]]:
    """Whether pytest is content with a suite, and how many tests passed, failed and so on."""
    python = interpreter(kind, name, folder, client)
    paths = [ROOT / "scripts" / "redirect", folder / "src" if (folder / "src").is_dir() else folder]
    environment = {
        **os.environ,
        **client.environment,
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "COMPAT_LIBRARY": client.library,
    }
    words = ["tests", "-p", "no:cacheprovider", "--no-cov"]
    if kind.stand_in:
        words += ["-p", "compat_redirect"]
    done = subprocess.run(
        [python, "-m", "pytest", *words], cwd=folder, env=environment, capture_output=True, text=True
    )
    (WORK / f"{name}-{KINDS.index(kind)}.log").write_text(done.stdout + done.stderr)
    last = done.stdout.rstrip().rpartition("\n")[2]
    return done.returncode == 0, {word: int(number) for number, word in SUMMARY.findall(last)}


def attempt(name: str) -> bool:
    """Whether a client's suite passes with the stand-in, on each aiohttp."""
    client = CLIENTS[name]
    folder = source(name, client)
    print(f"{name} {client.version}, tested with {client.library}", flush=True)
    content = []
    for kind in KINDS:
        passes, figures = counts(kind, name, folder, client)
        told = ", ".join(f"{number} {word}" for word, number in figures.items()) or "no tests ran"
        print(f"  {kind!s:<26}{'passes' if passes else 'FAILS':<8}{told}", flush=True)
        if kind.stand_in:
            content.append(passes)
    return all(content)


def main() -> int:
    """The exit status: 0 if every suite passes with the stand-in."""
    parser = argparse.ArgumentParser(description="Run client libraries' suites with the stand-ins.")
    parser.add_argument("client", nargs="*", help=", ".join(CLIENTS))
    names: list[str] = parser.parse_args().client or list(CLIENTS)
    for name in names:
        if name not in CLIENTS:
            parser.error(f"{name!r} is none of {', '.join(CLIENTS)}")
    (WORK / "sources").mkdir(parents=True, exist_ok=True)
    (WORK / "pytest.ini").write_text("[pytest]\n")  # or pytest takes the kit's settings for those of a client
    outcomes = {name: attempt(name) for name in names}
    print(f"{sum(outcomes.values())} of {len(outcomes)} pass with the stand-in on each aiohttp")
    return 0 if all(outcomes.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
