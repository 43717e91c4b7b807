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

from .._text import counted
from .rewrite import FIXTURES, HOME, LIBRARIES, Finding, Plan, lines_of, plan

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["main"]

PYTHON = (".py", ".pyi")
SETTINGS = re.compile(
    r"pyproject\.toml|setup\.cfg|tox\.ini|pytest\.ini|Pipfile|environment.*\.ya?ml"
    r"|.*(requirements|constraints).*\.(txt|in)"
)
FOLDERS_OF_SETTINGS = {"requirements", "constraints"}
SETTINGS_IN_PYTHON = ("noxfile.py", "setup.py")
MENTION = re.compile(rf"(?<![\w.-])({'|'.join(LIBRARIES)})(?![\w-])")
SKIPPED_FOLDERS = {"__pycache__", "node_modules", "site-packages", "build", "dist"}


@dataclass(frozen=True)
class Text:
    """A file's text, and how it is encoded."""

    path: Path
    source: str
    encoding: str

    @classmethod
    def read(cls, path: Path) -> Text:
        """The text of a Python file.

        Raises:
            SyntaxError: its encoding is not known.
            UnicodeDecodeError: it is not in its encoding.
        """
        data = path.read_bytes()
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        return cls(path, data.decode(encoding), encoding)

    def write(self, source: str) -> None:
        """Put another text in its place, in the same encoding."""
        self.path.write_bytes(source.encode(self.encoding))


def main(arguments: Sequence[str] | None = None) -> int:
    """Migrate what the arguments name; the exit status is 0 if nothing is left to do, else 1."""
    parser = argparse.ArgumentParser(
        prog="python -m aiotest_kit migrate",
        description=f"Point imports of {', '.join(LIBRARIES)} to {HOME}; only show how, without --write.",
        epilog="Exit status: 0 if nothing is left to do, 1 if something is, 2 if the arguments are wrong.",
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
    """The files that may have to change, in order; of a folder, without environments and hidden folders."""
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for folder, subfolders, names in os.walk(path):
            subfolders[:] = sorted(name for name in subfolders if is_of_project(Path(folder, name)))
            for name in sorted(names):
                path = Path(folder, name)
                if name.endswith(PYTHON) or is_settings(path):
                    yield path


def is_settings(path: Path) -> bool:
    """Whether a file that is not Python may name what the project needs."""
    in_folder = path.parent.name in FOLDERS_OF_SETTINGS and path.name.endswith((".txt", ".in"))
    return in_folder or SETTINGS.fullmatch(path.name) is not None


def is_of_project(folder: Path) -> bool:
    """Whether a folder is the project's own work."""
    hidden = folder.name.startswith(".") or folder.name in SKIPPED_FOLDERS
    return not hidden and not (folder / "pyvenv.cfg").exists()


class Migration:
    """One run of the command."""

    def __init__(self, files: list[Path], write: bool) -> None:
        self.files = files
        self.write = write
        self.edits = 0
        self.edited_files = 0
        self.reports: list[str] = []

    def run(self) -> int:
        """Go through the files; the exit status."""
        own = [name for name in LIBRARIES if any(is_home_of(path, name) for path in self.files)]
        for name in own:
            self.reports.append(f"{name}: left alone, as a module of that name is in the project")
        needed: dict[str, tuple[Path, int]] = {}
        provided: set[str] = set()
        for path in self.files:
            if path.suffix not in PYTHON:
                self.report(path, mentions(path))
                continue
            if path.name in SETTINGS_IN_PYTHON:
                self.report(path, mentions(path))
            planned = self.migrate(path, own)
            provided |= planned.provided
            for fixture, line in planned.fixtures.items():
                needed.setdefault(fixture, (path, line))
        self.report_fixtures(needed, provided)
        self.print_summary()
        return 1 if self.reports or (self.edits and not self.write) else 0

    def migrate(self, path: Path, own: list[str]) -> Plan:
        """Change one Python file, or show how it would change."""
        try:
            text = Text.read(path)
            planned = plan(text.source, own)
        except OSError as exc:
            self.report(path, [Finding(1, f"cannot be read: {exc.strerror}")])
            return Plan()
        except (SyntaxError, ValueError) as exc:
            line = getattr(exc, "lineno", None) or 1
            self.report(path, [Finding(line, f"not understood, and left as it is: {exc}")])
            return Plan()
        self.report(path, planned.findings)
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
        """Say once for each library how its fixtures are to be had."""
        told = set()
        for fixture, (path, line) in needed.items():
            library = FIXTURES[fixture]
            if fixture not in provided and library not in told:
                told.add(library)
                how = f'write pytest_plugins = ["{HOME}.{library}"] in the top conftest.py'
                self.report(path, [Finding(line, f"the fixture {fixture} came with {library}; {how}")])

    def print_summary(self) -> None:
        """What was found, for the terminal; the diff alone goes to stdout."""
        for line in self.reports:
            print(line, file=sys.stderr)
        done = "rewrote" if self.write else "would rewrite"
        print(
            f"{done} {counted(self.edits, 'import')} in {counted(self.edited_files, 'file')}; "
            f"{counted(len(self.reports), 'place')} to look at",
            file=sys.stderr,
        )


def is_home_of(path: Path, library: str) -> bool:
    """Whether a file is a module, or in a package, of the library's name."""
    return path.stem == library or (path.parent.name == library and path.stem == "__init__")


def mentions(path: Path) -> Iterator[Finding]:
    """The lines of a settings file that name a library."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as exc:
        yield Finding(1, f"cannot be read: {exc.strerror}")
        return
    for number, line in enumerate(text.splitlines(), 1):
        match = MENTION.search(line.partition("#")[0])
        if match:
            yield Finding(number, f"{match[0]} is named; aiotest-kit takes its place")


def diff_of(path: Path, before: str, after: str) -> str:
    """A unified diff that `patch -p1` takes."""
    name = path.as_posix().lstrip("/")
    lines = difflib.unified_diff(lines_of(before), lines_of(after), f"a/{name}", f"b/{name}")
    end = "\n\\ No newline at end of file\n"
    return "".join(line if line.endswith(("\n", "\r")) else line + end for line in lines)
