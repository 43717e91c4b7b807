"""`python -m aiotest_kit migrate`: point a project's imports of other libraries to `aiotest_kit.compat`.

Finds the files, shows or writes what `_cli.rewrite` plans for each, and lists what is left to the reader.
Knows folders, encodings and exit statuses. Knows nothing of Python's grammar.
"""

from __future__ import annotations

import argparse
import difflib
import io
import os
import re
import sys
import tokenize
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .._messages.wording import counted
from .minimums import NOTE, outdated
from .places import REQUIREMENTS, VISIBLE, kind_of, mentions
from .rewrite import DISTRIBUTIONS, FIXTURES, HOME, MODULES, Finding, Plan, lines_of, plan

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["main"]

PYTHON = (".py", ".pyi")
SETTINGS_IN_PYTHON = ("noxfile.py", "setup.py")
NAMES_ONE = re.compile("|".join(MODULES).encode())
SKIPPED_FOLDERS = {"__pycache__", "node_modules", "site-packages", "build", "dist"}


@dataclass(frozen=True)
class Text:
    """A file's text, and how it is encoded."""

    path: Path
    source: str
    encoding: str

    @classmethod
    def of(cls, path: Path, data: bytes) -> Text:
        """The text of a Python file.

        Raises:
            SyntaxError: its encoding is not known.
            UnicodeDecodeError: it is not in its encoding.
        """
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        return cls(path, data.decode(encoding), encoding)

    def write(self, source: str) -> None:
        """Put another text in its place, in the same encoding."""
        self.path.write_bytes(source.encode(self.encoding))


def main(arguments: Sequence[str] | None = None) -> int:
    """Migrate what the arguments name; the exit status is 0 if nothing is left to do, else 1."""
    parser = argparse.ArgumentParser(
        prog="python -m aiotest_kit migrate",
        description=(
            f"Point imports of {', '.join(DISTRIBUTIONS)} to {HOME}, and list what is left to you; without "
            "--write, only show how."
        ),
        epilog=f"Exit status: 0 if nothing is left to do, 1 if something is, 2 on wrong arguments. {NOTE}.",
    )
    parser.add_argument("path", nargs="+", type=Path, help="a file, or a folder with all that is in it")
    parser.add_argument("--write", action="store_true", help="change the files")
    options = parser.parse_args(arguments)
    for path in options.path:
        if not path.exists():
            parser.error(f"{path} does not exist")
    migration = Migration(list(dict.fromkeys(files_in(options.path))), options.write)
    return migration.run()


def files_in(paths: Iterable[Path]) -> Iterator[Path]:
    """The files that may have to change, in order; of a folder, only what is the project's own work."""
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for folder, subfolders, names in os.walk(path):
            subfolders[:] = sorted(name for name in subfolders if is_of_project(Path(folder, name)))
            for name in sorted(names):
                path = Path(folder, name)
                if name.endswith(PYTHON) or kind_of(path) is not None:
                    yield path


def is_of_project(folder: Path) -> bool:
    """Whether a folder is the project's own work."""
    hidden = folder.name.startswith(".") and folder.name not in VISIBLE
    return not hidden and folder.name not in SKIPPED_FOLDERS and not (folder / "pyvenv.cfg").exists()


class Migration:
    """One run of the command."""

    def __init__(self, files: list[Path], write: bool) -> None:
        self.files = files
        self.write = write
        self.edits = 0
        self.edited_files = 0
        self.reports: list[str] = []
        self.installs = False
        self.too_old: list[tuple[Path, Finding]] = []

    def run(self) -> int:
        """Go through the files; the exit status."""
        own = [name for name in MODULES if any(is_home_of(path, name) for path in self.files)]
        for name in own:
            self.reports.append(f"{name}: left alone, as a module of that name is in the project")
        needed: dict[str, tuple[Path, int]] = {}
        provided: set[str] = set()
        for path in self.files:
            planned = self.read(path, own)
            provided |= planned.provided
            for fixture, line in planned.fixtures.items():
                needed.setdefault(fixture, (path, line))
        self.report_fixtures(needed, provided)
        self.report_minimums()
        self.print_summary()
        return 1 if self.reports or (self.edits and not self.write) else 0

    def read(self, path: Path, own: list[str]) -> Plan:
        """Do what there is to do about one file."""
        try:
            data = path.read_bytes()
        except OSError as exc:
            self.report(path, [Finding(1, f"cannot be read: {exc.strerror}")])
            return Plan()
        planned = Plan()
        if path.suffix in PYTHON and NAMES_ONE.search(data):
            planned = self.migrate(path, data, own)
        if path.suffix not in PYTHON or path.name in SETTINGS_IN_PYTHON:
            self.read_settings(path, data.decode(errors="replace"), own, planned)
        self.report(path, sorted(planned.findings, key=lambda finding: finding.line))
        return planned

    def read_settings(self, path: Path, text: str, own: list[str], planned: Plan) -> None:
        """Add to the plan what a file says that is not imported: what is installed, or told to a tool."""
        kind = kind_of(path) or REQUIREMENTS
        told = {finding.line for finding in planned.findings}
        for finding, about in mentions(text, kind, own):
            self.installs = self.installs or about.installs
            if finding.line not in told:
                planned.findings.append(finding)
        if kind.installs:
            self.too_old += [(path, finding) for finding in outdated(text)]

    def migrate(self, path: Path, data: bytes, own: list[str]) -> Plan:
        """Change one Python file, or show how it would change."""
        try:
            text = Text.of(path, data)
            planned = plan(text.source, own)
        except (SyntaxError, ValueError) as exc:
            line = getattr(exc, "lineno", None) or 1
            return Plan(findings=[Finding(line, f"not understood, and left as it is: {exc}")])
        if planned.edits:
            self.edits += len(planned.edits)
            self.edited_files += 1
            after = planned.applied(text.source)
            if self.write:
                text.write(after)
            else:
                sys.stdout.write(diff_of(path, text.source, after))
        return planned

    def report(self, path: Path, findings: Iterable[Finding]) -> None:
        """Keep what is left to the reader."""
        self.reports.extend(f"{path}:{finding.line}: {finding.text}" for finding in findings)

    def report_fixtures(self, needed: dict[str, tuple[Path, int]], provided: set[str]) -> None:
        """Say once for each plugin how its fixtures are to be had."""
        told = set()
        for name, (path, line) in needed.items():
            fixture = FIXTURES[name]
            if name not in provided and fixture not in told:
                told.add(fixture)
                how = f'write pytest_plugins = ["{HOME}.{fixture.plugin}"] in the top conftest.py'
                came = f"the fixture {name} came with {fixture.distribution}"
                self.report(path, [Finding(line, f"{came}; {how}")])

    def report_minimums(self) -> None:
        """Say which requirements have to rise, if aiotest-kit is to be one."""
        if self.installs or self.edits:
            for path, finding in self.too_old:
                self.report(path, [finding])

    def print_summary(self) -> None:
        """What was found, for the terminal; the diff alone goes to stdout."""
        for line in self.reports:
            print(line, file=sys.stderr)
        if self.installs:
            print(NOTE, file=sys.stderr)
        done = "rewrote" if self.write else "would rewrite"
        print(
            f"{done} {counted(self.edits, 'import')} in {counted(self.edited_files, 'file')}; "
            f"{counted(len(self.reports), 'place')} to look at",
            file=sys.stderr,
        )


def is_home_of(path: Path, library: str) -> bool:
    """Whether a file is a module, or in a package, of the library's name."""
    return path.stem == library or (path.parent.name == library and path.stem == "__init__")


def diff_of(path: Path, before: str, after: str) -> str:
    """A unified diff that `patch -p1` takes."""
    name = path.as_posix().lstrip("/")
    lines = difflib.unified_diff(lines_of(before), lines_of(after), f"a/{name}", f"b/{name}")
    end = "\n\\ No newline at end of file\n"
    return "".join(line if line.endswith(("\n", "\r")) else line + end for line in lines)
