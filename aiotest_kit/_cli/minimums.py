"""The oldest releases that aiotest-kit works with, and requirements that keep a project on older ones.

Reads requirements in the spellings of pip, Poetry, Pipenv and conda. Knows nothing of files.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .rewrite import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MINIMUMS", "NOTE", "outdated"]

MINIMUMS = {"aiohttp": "3.10.11", "pytest": "8.2", "pytest-aiohttp": "1.0.5", "pytest-asyncio": "0.24"}
"""As in the requirements of aiotest-kit itself."""

NOTE = "aiotest-kit requires " + ", ".join(f"{name}>={version}" for name, version in MINIMUMS.items())

NAMES = "|".join(name.replace("-", "[-_.]") for name in sorted(MINIMUMS, key=len, reverse=True))
PIN = re.compile(
    rf"""
    (?<![\w.-]) (?P<name>{NAMES}) (?![\w.-])
    (?:\[[^\]]*\])?                                 # extras
    ["'\s={{]*? (?:version\s*=\s*["'])?             # pytest = "^8", pytest = {{version = "^8"}}
    (?P<specifiers>(?:(?:[<>!~]=|={{1,3}}|[<>^~])\s*\d[\w.*]*\s*,?\s*)+)
    """,
    re.VERBOSE | re.IGNORECASE,
)
SPECIFIER = re.compile(r"([<>!~=^]+)\s*(\d+(?:\.\d+)*)(\.\*)?")


def outdated(text: str) -> Iterator[Finding]:
    """The requirements in a text that admit no release that aiotest-kit works with."""
    for number, line in enumerate(text.splitlines(), 1):
        for pin in PIN.finditer(line.partition("#")[0]):
            name = re.sub(r"[-_.]+", "-", pin["name"]).lower()
            least = MINIMUMS[name]
            specifiers = SPECIFIER.findall(pin["specifiers"])
            if any(is_too_low(operator, version, wild, least) for operator, version, wild in specifiers):
                asked = pin["specifiers"].strip(" ,")
                yield Finding(number, f"{name}{asked} is too old; aiotest-kit requires {name}>={least}")


def is_too_low(operator: str, version: str, wildcard: str, minimum: str) -> bool:
    """Whether a specifier admits no release from `minimum` on."""
    release, least = release_of(version), release_of(minimum)
    if operator.startswith((">", "!")):
        return False
    if operator == "<":
        return without_zeros(release) <= least
    if operator in ("^", "~", "~=") or wildcard:
        fixed = fixed_part(operator, release)
        return fixed < least[: len(fixed)]
    return without_zeros(release) < least


def fixed_part(operator: str, release: tuple[int, ...]) -> tuple[int, ...]:
    """The numbers of a release that a specifier leaves no choice about."""
    if operator == "^":
        zeros = next((place for place, number in enumerate(release) if number), 0)
        return release[: zeros + 1]
    if operator == "~=":
        return release[:-1]
    return release[:2]


def release_of(version: str) -> tuple[int, ...]:
    """The numbers of a version."""
    return tuple(map(int, version.split(".")))


def without_zeros(release: tuple[int, ...]) -> tuple[int, ...]:
    """The numbers without zeros at the end, which mean nothing."""
    while release and release[-1] == 0:
        release = release[:-1]
    return release
