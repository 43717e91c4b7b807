"""Runs other libraries' own test suites against the stand-ins in `aiotest_kit.compat`.

Each suite comes from the library's source distribution, is fetched when it is run, and is not edited: the
library's name is made to mean the stand-in. Knows pip, environments and which tests cannot apply, each with
its reason. Needs the network, and only the standard library.

    python scripts/compat_suites.py                          # every library, on each aiohttp
    python scripts/compat_suites.py aresponses               # one library
    python scripts/compat_suites.py --aiohttp newest         # on one aiohttp
    python scripts/compat_suites.py aresponses -- -k regex   # with words for pytest

The Python is the one that runs the script; aiointercept's suite needs 3.11. Environments and sources are kept
in `.venvs/`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / ".venvs"
REDIRECT = ROOT / "scripts" / "redirect"
AIOHTTPS = ("3.13.5", "newest")

SETTINGS = ("pyproject.toml", "pytest.ini", "setup.cfg", "tox.ini")

INTERNET = "reaches a server on the internet"
PRIVATE = "is about what is private to the library: "


@dataclass(frozen=True)
class Suite:
    """A library's tests: the release, what they need beside the kit, and those that cannot apply.

    `left_out` are tests as pytest names them below the suite's folder, with or without their parameters, each
    with the reason.
    """

    version: str
    needs: Sequence[str] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    python: tuple[int, int] = (3, 10)


AIOINTERCEPT = "tests/test_aiointercept.py::"
PORTED = "tests/test_aioresponse.py::AIOResponse"
ARESPONSES = "tests/test_server.py::"

AIORESPONSES = "tests/test_aioresponses.py::AIOResponse"

SUITES = {
    "aioresponses": Suite(
        "0.7.9",
        ("ddt",),
        {
            f"{AIORESPONSES}sTestCase::test_address_as_instance_of_url_combined_with_pass_through": INTERNET,
            f"{AIORESPONSES}sTestCase::test_pass_through_with_origin_params": INTERNET,
            f"{AIORESPONSES}RedirectTest::test_pass_through_unmatched_requests": INTERNET,
        },
    ),
    "aiointercept": Suite(
        "1.0.0",
        ("ddt", "httpx", "pytest-asyncio>=1.3", "requests"),
        {
            f"{AIOINTERCEPT}test_passthrough_host_is_allowed[localhost-localhost.]": "resolves 'localhost.'",
            f"{AIOINTERCEPT}test_passthrough_invalid_url_fallback": f"{PRIVATE}_passthrough_hosts",
            f"{AIOINTERCEPT}test_https_request_recorded_under_https_scheme": f"{PRIVATE}the header it sends",
            f"{AIOINTERCEPT}test_clear_resets_https_hosts": f"{PRIVATE}_https_hosts, and the header",
            f"{AIOINTERCEPT}test_add_https_url_populates_https_hosts": f"{PRIVATE}_https_hosts",
            f"{AIOINTERCEPT}test_shared_resolve_host_no_active_instances_uses_real_resolution": (
                f"{PRIVATE}_patch_lock, _active_instances"
            ),
            f"{AIOINTERCEPT}test_pending_tasks_cancelled_on_shutdown": f"{PRIVATE}_server_loop",
            f"{AIOINTERCEPT}test_server_thread_startup_failure_propagates": (
                f"{PRIVATE}that its server is aiohttp's TestServer"
            ),
            f"{AIOINTERCEPT}test_aenter_failure_after_server_start_cleans_up": (
                f"{PRIVATE}_install_patches, _patch_refcount"
            ),
            f"{AIOINTERCEPT}test_passthrough_https_explicit": INTERNET,
            f"{AIOINTERCEPT}test_passthrough_unmatched_https_no_patterns": INTERNET,
            f"{AIOINTERCEPT}test_passthrough_unmatched_https_with_patterns": INTERNET,
            f"{PORTED}sTestCase::test_address_as_instance_of_url_combined_with_pass_through": INTERNET,
            f"{PORTED}sTestCase::test_pass_through_with_origin_params": INTERNET,
            f"{PORTED}RedirectTest::test_pass_through_unmatched_requests": INTERNET,
        },
        python=(3, 11),
    ),
    "aresponses": Suite(
        "3.0.0",
        (),
        {
            f"{ARESPONSES}test_foo": INTERNET,
            f"{ARESPONSES}test_passthrough": INTERNET,
        },
    ),
}


def run(*command: str | Path, cwd: Path = ROOT, **environment: str) -> int:
    """The exit status of a command, whose output is shown; `environment` is beside that of this process."""
    words = [str(part) for part in command]
    return subprocess.run(words, cwd=cwd, env={**os.environ, **environment}).returncode


def check(*command: str | Path) -> None:
    """Run a command that has to succeed."""
    if run(*command):
        sys.exit(f"failed: {' '.join(map(str, command))}")


def environment(aiohttp: str, needs: Sequence[str]) -> Path:
    """The interpreter of an environment with the kit, an aiohttp and what the suites need."""
    folder = WORK / f"compat-py{sys.version_info[0]}.{sys.version_info[1]}-aiohttp{aiohttp}"
    python = folder / "bin" / "python"
    if not python.exists():
        check(sys.executable, "-m", "venv", folder)
    requirement = "aiohttp" if aiohttp == "newest" else f"aiohttp=={aiohttp}"
    pip = (python, "-m", "pip", "--disable-pip-version-check", "install", "-qq")
    check(*pip, "--upgrade", "--editable", ROOT, requirement, *needs)
    return python


def source(name: str, version: str) -> Path:
    """The folder of a library's source distribution."""
    sources = WORK / "suites"
    folder = sources / f"{name}-{version}"
    if not folder.exists():
        fetch = ("-m", "pip", "download", "-qq", "--no-deps", "--no-binary", ":all:", "--dest", sources)
        check(sys.executable, *fetch, f"{name}=={version}")
        with tarfile.open(sources / f"{name}-{version}.tar.gz") as archive:
            archive.extractall(sources, filter="data")
    return folder


def prepared(name: str, suite: Suite) -> Path:
    """A folder with the library's tests and pytest settings, without the library."""
    given = source(name, suite.version)
    folder = WORK / "suites" / f"run-{name}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    shutil.copytree(given / "tests", folder / "tests")
    for settings in SETTINGS:
        if (given / settings).exists():
            shutil.copy(given / settings, folder)
    if not any("pytest" in (folder / name).read_text() for name in SETTINGS if (folder / name).exists()):
        (folder / "pytest.ini").write_text("[pytest]\n")  # or pytest looks for settings further up
    return folder


def attempt(name: str, aiohttp: str, words: Sequence[str]) -> bool:
    """Whether a library's tests pass, but for those left out."""
    suite = SUITES[name]
    if sys.version_info < suite.python:
        print(f"{name}: needs Python {suite.python[0]}.{suite.python[1]}")
        return False
    python = environment(aiohttp, suite.needs)
    folder = prepared(name, suite)
    left_out = [word for test in suite.left_out for word in ("--deselect", test)]
    print(f"\n{name} {suite.version} on aiohttp {aiohttp}", flush=True)
    for test, reason in suite.left_out.items():
        print(f"  left out: {test}  {reason}", flush=True)
    plain = ("-q", "-p", "no:cacheprovider", "-o", "asyncio_default_fixture_loop_scope=function")
    command = ("-m", "pytest", "tests", "-p", "compat_redirect", *plain, *left_out, *words)
    return run(python, *command, cwd=folder, PYTHONPATH=str(REDIRECT), COMPAT_LIBRARY=name) == 0


def main() -> int:
    """The exit status: 0 if every suite passed."""
    parser = argparse.ArgumentParser(description="Run libraries' own suites against aiotest_kit.compat.")
    parser.add_argument("library", nargs="*", help=", ".join(SUITES))
    parser.add_argument("--aiohttp", action="append", help=f"by default: {', '.join(AIOHTTPS)}")
    words = [*sys.argv[1:], "--"]
    end = words.index("--")
    options, theirs = parser.parse_args(words[:end]), words[end + 1 : -1]
    for name in options.library:
        if name not in SUITES:
            parser.error(f"{name!r} is none of {', '.join(SUITES)}")
    outcomes = {
        (name, aiohttp): attempt(name, aiohttp, theirs)
        for aiohttp in options.aiohttp or AIOHTTPS
        for name in options.library or SUITES
    }
    print()
    for (name, aiohttp), passed in outcomes.items():
        print(f"{name:<14}aiohttp {aiohttp:<8}{'passed' if passed else 'FAILED'}")
    return 0 if all(outcomes.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
