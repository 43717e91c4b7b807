"""Places that name a library and are no imports: requirements, settings, workflows, images and pages.

Which files may have such places, and what to do about each. Reads no Python. Knows nothing of folders.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .rewrite import DISTRIBUTIONS, HOME, Finding

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

__all__ = ["REQUIREMENTS", "VISIBLE", "Kind", "kind_of", "mentions", "normalized"]

VISIBLE = {
    ".buildkite",
    ".circleci",
    ".devcontainer",
    ".forgejo",
    ".gitea",
    ".github",
    ".gitlab",
    ".woodpecker",
}
"""The hidden folders whose files are a project's own work."""

NAME = "|".join(name.replace("-", "[-_.]") for name in DISTRIBUTIONS)
# Between "mypy-" and the end of its line, a section of mypy's settings has the names of modules.
MENTION = re.compile(rf"(?:(?<![\w.-])|(?<=\[mypy-))({NAME})(?![\w(-])", re.IGNORECASE)
SECTION = re.compile(r"\[\[?(?:tool[.:])?(\w+)[^\[\]]*\]\]?\s*(?:#.*)?")


@dataclass(frozen=True, slots=True)
class Kind:
    """What a file, or a part of it, is about; `advice` is what to do about a library that it names.

    `installs` tells whether what it names is installed. `is_page` is a text without comments, of which the
    first place is enough.
    """

    advice: str
    installs: bool = False
    is_page: bool = False


REQUIREMENTS = Kind("{are} named; aiotest-kit takes {their} place", installs=True)
WORKFLOW = Kind("{are} named in a workflow; install aiotest-kit in {their} place", installs=True)
HOOK = Kind("{are} named for a pre-commit hook; install aiotest-kit in {their} place", installs=True)
IMAGE = Kind("{are} named for an image; install aiotest-kit in {their} place", installs=True)
SCRIPT = Kind("{are} named in a script; install aiotest-kit in {their} place", installs=True)
LOCK = Kind("{are} locked; lock again when aiotest-kit has taken {their} place", is_page=True)
TYPES = Kind(f"{{are}} named in the settings of mypy; {HOME} is typed and needs no exception")
TOOL = Kind(f"{{are}} named in the settings of a tool; the imports are from {HOME} now")
PAGE = Kind(f"{{are}} named on this page; its examples should import from {HOME}", is_page=True)

FILES = {
    re.compile(pattern): kind
    for pattern, kind in {
        r"pyproject\.toml|setup\.cfg|tox\.ini|Pipfile|environment.*\.ya?ml|meta\.ya?ml": REQUIREMENTS,
        r".*(requirements|constraints).*\.(txt|in)": REQUIREMENTS,
        r"pytest\.ini|\.pytest\.ini|\.?ruff\.toml|\.isort\.cfg|\.flake8|\.?pylintrc|\.coveragerc": TOOL,
        r"pyrightconfig\.json|\.importlinter": TOOL,
        r"\.?mypy\.ini": TYPES,
        r"\.pre-commit-config\.ya?ml": HOOK,
        r"(\.gitlab-ci|\.travis|\.?appveyor|\.cirrus|\.drone|\.readthedocs|azure-pipelines.*"
        r"|bitbucket-pipelines)\.ya?ml": WORKFLOW,
        r"(.*\.)?(Dockerfile|Containerfile)(\..*)?": IMAGE,
        r"Makefile|makefile|GNUmakefile|[Jj]ustfile|Jenkinsfile|.*\.(sh|bash|mk|bat|ps1)": SCRIPT,
        r"(uv|poetry|pdm|Pipfile|conda|pixi)\.lock|pylock.*\.toml|conda-lock\.ya?ml": LOCK,
        r"(?!(CHANGE|HISTORY|NEWS|RELEASE)).*\.(md|mdx|rst|adoc)": PAGE,
    }.items()
}
"""What a file of a name is about. Pages on the past may name whatever was there."""

FOLDERS_OF_REQUIREMENTS = {"requirements", "constraints"}

TOOLS = {
    "basedpyright",
    "coverage",
    "deptry",
    "flake8",
    "importlinter",
    "isort",
    "pylint",
    "pyright",
    "pytest",
    "ruff",
}
"""Sections of a settings file that are about a tool; `[tool.NAME...]`, or `[NAME...]`."""


def kind_of(path: Path) -> Kind | None:
    """What a file that is not Python is about; None if it has nothing to do with what a project needs."""
    if path.parent.name in FOLDERS_OF_REQUIREMENTS and path.name.endswith((".txt", ".in")):
        return REQUIREMENTS
    for pattern, kind in FILES.items():
        if pattern.fullmatch(path.name):
            return kind
    if path.name.endswith((".yml", ".yaml")) and VISIBLE.intersection(path.parts):
        return WORKFLOW
    return None


def of_section(line: str, kind: Kind) -> Kind | None:
    """What follows the header of a section is about; None if a line is no header."""
    header = SECTION.fullmatch(line.strip())
    if header is None:
        return None
    if header[1] == "mypy":
        return TYPES
    return TOOL if header[1] in TOOLS else kind


def mentions(text: str, kind: Kind, own: Collection[str] = ()) -> Iterator[tuple[Finding, Kind]]:
    """The lines of a text that name a library, and what they are about; `own` are modules of the project."""
    here = kind
    for number, line in enumerate(text.splitlines(), 1):
        if kind is REQUIREMENTS:
            here = of_section(line, kind) or here
        if HOME in line:
            continue
        found = MENTION.findall(line if kind.is_page else line.partition("#")[0])
        names = dict.fromkeys(name for name in map(normalized, found) if name.replace("-", "_") not in own)
        if names:
            yield Finding(number, f"{' and '.join(names)} {advice(here, len(names))}"), here
            if kind.is_page:
                return


def normalized(name: str) -> str:
    """The name of a distribution, of which there are several spellings."""
    return re.sub(r"[-_.]+", "-", name).lower()


def advice(kind: Kind, count: int) -> str:
    """What to do, in words for one library or for several."""
    words = {"are": "is", "their": "its"} if count == 1 else {"are": "are", "their": "their"}
    return kind.advice.format_map(words)
