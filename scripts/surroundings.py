"""Runs the tests in other surroundings: other loops, debug mode, aiohttp without C, and beside the usual
plugins.

Owns the environment, on the newest Python found, and says what each surrounding is. Needs only the standard
library. The environments stay in `.venvs/`, used again until pyproject.toml changes.

    python -m scripts.surroundings                     # each by itself
    python -m scripts.surroundings uvloop+debug plugins
"""

from __future__ import annotations

import os
import sys
import time

from .matrix import (
    ENVIRONMENTS,
    ROOT,
    TEST_SECONDS,
    StepFailed,
    closing_line,
    create,
    find_pythons,
    install_kit,
    interpreter_of,
    is_ready,
    run,
)

SURROUNDINGS: dict[str, dict[str, str]] = {
    "uvloop": {"AIOTEST_KIT_LOOP": "uvloop"},
    "eager": {"AIOTEST_KIT_LOOP": "eager"},
    "debug": {"PYTHONASYNCIODEBUG": "1", "PYTHONDEVMODE": "1"},
    "pure": {
        f"{name}_NO_EXTENSIONS": "1" for name in ("AIOHTTP", "YARL", "MULTIDICT", "FROZENLIST", "PROPCACHE")
    },
    "plugins": {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
}
PLUGINS = (
    *("pytest-rerunfailures", "pytest-repeat", "pytest-timeout", "pytest-randomly", "pytest-subtests"),
    *("pytest-cov", "pytest-socket", "httpdbg", "looptime"),
)
OWN_PLUGINS = (
    *("pytest_asyncio.plugin", "pytest_aiohttp.plugin", "anyio.pytest_plugin", "xdist"),
    "aiotest_kit.pytest_plugin",
)
BESIDE_PLUGINS = "tests/plugin/test_beside_plugins.py"


def attempt(words: list[str], python: str) -> str:
    """The closing line of a run in these surroundings at once.

    Raises:
        StepFailed: it failed.
    """
    with_plugins = "plugins" in words
    environment = ENVIRONMENTS / ("beside-plugins" if with_plugins else "surroundings")
    if not is_ready(environment):
        create(environment, python)
        install_kit(environment, *(PLUGINS if with_plugins else ()))
    for word in words:
        os.environ.update(SURROUNDINGS[word])
    options = ["-q", "-n", "auto", "-p", "no:cacheprovider"]
    if with_plugins:
        options += [*(each for name in OWN_PLUGINS for each in ("-p", name)), BESIDE_PLUGINS]
    try:
        printed = run(interpreter_of(environment), "-m", "pytest", *options, seconds=TEST_SECONDS)
    finally:
        for word in words:
            for name in SURROUNDINGS[word]:
                os.environ.pop(name, None)
    return closing_line(printed)


def main(words: list[str]) -> int:
    """The exit status: 0 if all passed."""
    python = list(find_pythons().values())[-1]
    failed = False
    for together in words or list(SURROUNDINGS):
        names = together.split("+")
        unknown = set(names) - SURROUNDINGS.keys()
        if unknown:
            sys.exit(
                f"unknown surrounding {min(unknown)!r}; say some of {', '.join(SURROUNDINGS)}, joined by +"
            )
        began = time.monotonic()
        try:
            result, said = "passed", attempt(names, python)
        except StepFailed as failure:
            failed = True
            print(failure.output, flush=True)
            result, said = "failed", closing_line(failure.output)
        print(f"{together}: {result} ({time.monotonic() - began:.0f} s)  {said}", flush=True)
    return int(failed)


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main(sys.argv[1:]))
