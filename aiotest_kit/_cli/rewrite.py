"""What has to change in one Python source so that it uses the kit's stand-ins for other libraries.

`plan` reads the source with `ast` and answers with edits, which are sure, and findings, which are for the
reader. An import of which not all is understood is a finding and stays. Knows Python's grammar and what the
modules of `aiotest_kit.compat` have. Knows nothing of files.
"""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = [
    "DISTRIBUTIONS",
    "FIXTURES",
    "HOME",
    "MODULES",
    "Edit",
    "Finding",
    "Plan",
    "exists",
    "lines_of",
    "plan",
]

HOME = "aiotest_kit.compat"
DISTRIBUTIONS = ("pytest-aioresponses", "aioresponses", "aiointercept", "aresponses")
MODULES = tuple(name.replace("-", "_") for name in DISTRIBUTIONS)


class Fixture(NamedTuple):
    """Where a fixture came from, and the module of the kit that is a pytest plugin with it."""

    distribution: str
    plugin: str


FIXTURES = {
    "aioresponses": Fixture("pytest-aioresponses", "aioresponses"),
    "aresponses": Fixture("aresponses", "aresponses"),
    "aiointercept_mock": Fixture("aiointercept", "aiointercept"),
    "aiointercept_server": Fixture("aiointercept", "aiointercept"),
}
"""The fixtures of the libraries' pytest plugins."""

DOTTED = re.compile(rf"({'|'.join(MODULES)})(\.[A-Za-z_]\w*)+")
REQUIREMENT = re.compile(rf"({'|'.join((*DISTRIBUTIONS, *MODULES))})\s*(\[[^]]*\])?\s*[<>=!~;@].*")
SPACE = r"(?:[ \t\f]|\\\r?\n)+"
LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+$")
LOADERS = ("__import__", "find_spec", "import_module", "importorskip")
ASKERS = ("getfixturevalue", "usefixtures")

Function: TypeAlias = "ast.FunctionDef | ast.AsyncFunctionDef"


@dataclass(frozen=True, slots=True)
class Edit:
    """Other text for the characters from `start` to `end` of a source."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What a reader has to decide, and the line it is about."""

    line: int
    text: str


@dataclass
class Plan:
    """What to do about one source.

    `fixtures` are the fixtures of the libraries' plugins that it uses, with the line of the first use;
    `provided` are those that it defines itself, or whose plugin it loads.
    """

    edits: list[Edit] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    fixtures: dict[str, int] = field(default_factory=dict)
    provided: set[str] = field(default_factory=set)

    def applied(self, source: str) -> str:
        """The source with the edits made."""
        for edit in sorted(self.edits, key=lambda edit: edit.start, reverse=True):
            source = source[: edit.start] + edit.text + source[edit.end :]
        return source


def plan(source: str, own: Iterable[str] = ()) -> Plan:
    """What to do about a source; `own` are libraries' names that mean something of the user's own.

    Raises:
        SyntaxError: it is not Python.
        ValueError: it is not text, but for instance has null bytes.
    """
    return Reading(source, frozenset(MODULES).difference(own)).plan()


def lines_of(source: str) -> list[str]:
    """The lines, with their ends, as Python counts them; `str.splitlines` knows more ends than these."""
    return LINE.findall(source)


def library_of(dotted: str) -> str:
    """The first part of a dotted name."""
    return dotted.partition(".")[0]


@cache
def exists(dotted: str) -> bool:
    """Whether the kit has a stand-in for a module, or for a name in one: `aioresponses.core.RequestCall`."""
    parts = dotted.split(".")
    found: object = None
    for length, name in enumerate(parts, 1):
        if length > 1 and not isinstance(found, ModuleType):
            return True  # what a class or function has is not told by its module
        if hasattr(found, name):
            found = getattr(found, name)
            continue
        try:
            found = import_module(".".join([HOME, *parts[:length]]))
        except ModuleNotFoundError:
            return False
    return True


def dotted_name(node: ast.AST) -> str:
    """`a.b.c` as text; empty for any other expression."""
    if isinstance(node, ast.Attribute):
        start = dotted_name(node.value)
        return f"{start}.{node.attr}" if start else ""
    return node.id if isinstance(node, ast.Name) else ""


class Reading:
    """One source, read once."""

    def __init__(self, source: str, libraries: frozenset[str]) -> None:
        self.source = source
        self.libraries = libraries
        with warnings.catch_warnings():
            # What Python warns of, such as "\s" in a text, is no matter of the migration.
            warnings.simplefilter("ignore")
            self.tree = ast.parse(source)
        self.lines = lines_of(source)
        self.starts = [0]
        for line in self.lines:
            self.starts.append(self.starts[-1] + len(line))
        self.result = Plan()
        self.settled: set[ast.AST] = set()
        """Constants that need no finding of their own."""

    def plan(self) -> Plan:
        """Everything, in the order of the lines."""
        bound = dict(self.bound_modules())
        unknown = self.unknown_uses(bound)
        for node in ast.walk(self.tree):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                self.read_import(node, unknown)
            elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
                self.read_assignment(node)
            elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                self.read_function(node)
            elif isinstance(node, ast.Call):
                self.read_call(node)
        self.read_strings()
        self.result.findings.sort(key=lambda finding: finding.line)
        return self.result

    # Places in the source.

    def offset(self, line: int, column: int) -> int:
        """The character at a line and a column as `ast` counts them: from 1, and in bytes of UTF-8."""
        text = self.lines[line - 1].encode()[:column].decode()
        return self.starts[line - 1] + len(text)

    def span(self, node: ast.stmt | ast.expr | ast.alias) -> tuple[int, int]:
        """Where a node begins and ends."""
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        start = self.offset(node.lineno, node.col_offset)
        return start, self.offset(node.end_lineno, node.end_col_offset)

    def find(self, node: ast.AST, text: str) -> None:
        """Leave something to the reader."""
        self.result.findings.append(Finding(getattr(node, "lineno", 1), text))

    def names_library(self, dotted: str | None) -> bool:
        """Whether a dotted name begins with a library that is not the user's own."""
        return library_of(dotted or "") in self.libraries

    # Imports.

    def bound_modules(self) -> Iterator[tuple[str, str]]:
        """The names that stand for modules of the libraries, and which."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    if self.names_library(alias.name):
                        if alias.asname:
                            yield alias.asname, alias.name
                        else:
                            yield library_of(alias.name), library_of(alias.name)
            elif isinstance(node, ast.ImportFrom) and self.is_from_library(node):
                for alias in node.names:
                    if is_module(f"{node.module}.{alias.name}"):
                        yield alias.asname or alias.name, f"{node.module}.{alias.name}"

    def is_from_library(self, node: ast.ImportFrom) -> bool:
        """Whether it imports from a library; a relative import does not."""
        return not node.level and self.names_library(node.module)

    def unknown_uses(self, bound: dict[str, str]) -> set[str]:
        """The bound names through which something is used that the kit has not; each use is a finding."""
        unknown = set()
        for node, name in attribute_uses(self.tree, frozenset(bound)):
            dotted = bound[name] + dotted_name(node)[len(name) :]
            if not exists(dotted):
                unknown.add(name)
                self.find(node, f"{HOME}.{dotted} does not exist; the import is left as it is")
        return unknown

    def read_import(self, node: ast.Import | ast.ImportFrom, unknown: set[str]) -> None:
        """Point an import to the kit, if all that it imports is there."""
        if isinstance(node, ast.ImportFrom):
            if self.is_from_library(node):
                self.read_import_from(node, unknown)
            return
        for alias in node.names:
            if not self.names_library(alias.name):
                continue
            if not exists(alias.name):
                self.find(node, f"{HOME}.{alias.name} does not exist; the import is left as it is")
            elif (alias.asname or library_of(alias.name)) not in unknown:
                self.edit_alias(node, alias)

    def edit_alias(self, node: ast.Import, alias: ast.alias) -> None:
        """`import library`, alone or among others, with or without `as`."""
        library = library_of(alias.name)
        start, end = self.span(alias)
        if alias.asname:
            self.insert(node, start, alias.name)
        elif self.source[start:end] != alias.name:
            self.find(node, f"import of {alias.name}: its spelling is not understood")
        elif len(node.names) == 1 and self.source[self.span(node)[0] : end] == f"import {alias.name}":
            self.result.edits.append(Edit(self.span(node)[0], end, f"from {HOME} import {library}"))
        else:
            self.result.edits.append(Edit(start, end, f"{HOME}.{library} as {library}"))

    def read_import_from(self, node: ast.ImportFrom, unknown: set[str]) -> None:
        """`from library import names`."""
        assert node.module is not None
        wanted = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names if alias.name != "*")]
        missing = [name for name in wanted if not exists(name)]
        if missing:
            self.find(node, f"{HOME}.{missing[0]} does not exist; the import is left as it is")
            return
        if unknown & {alias.asname or alias.name for alias in node.names}:
            return
        start, end = self.span(node)
        head = re.compile(rf"from{SPACE}(?={re.escape(node.module)}{SPACE}import\b)")
        match = head.match(self.source, start, end)
        if match is None:
            self.find(node, f"import from {node.module}: its spelling is not understood")
        else:
            self.insert(node, match.end(), node.module)

    def insert(self, node: ast.AST, start: int, name: str) -> None:
        """Put the kit's package before a name that begins at `start`."""
        if self.source.startswith(name, start):
            self.result.edits.append(Edit(start, start, f"{HOME}."))
        else:
            self.find(node, f"import of {name}: its spelling is not understood")

    # Plugins and fixtures.

    def read_assignment(self, node: ast.Assign | ast.AnnAssign | ast.AugAssign) -> None:
        """`pytest_plugins = [...]`: a library's plugin becomes the kit's."""
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if "pytest_plugins" not in map(dotted_name, targets) or node.value is None:
            return
        for constant in ast.walk(node.value):
            if isinstance(constant, ast.Constant) and isinstance(constant.value, str):
                self.read_plugin(constant, constant.value)

    def read_plugin(self, node: ast.Constant, name: str) -> None:
        """One plugin's name."""
        in_kit = name.removeprefix(f"{HOME}.")
        if self.names_library(in_kit) and exists(in_kit):
            plugin = library_of(in_kit).removeprefix("pytest_")
            self.result.provided |= {name for name, fixture in FIXTURES.items() if fixture.plugin == plugin}
        start, end = self.span(node)
        literal = self.source[start:end]
        if in_kit == name and self.names_library(name) and exists(name) and literal[1:-1] == name:
            self.settled.add(node)
            self.result.edits.append(Edit(start + 1, start + 1, f"{HOME}."))

    def read_function(self, node: Function) -> None:
        """The fixtures that a function asks for, or is."""
        decorators = {dotted_name(getattr(each, "func", each)): each for each in node.decorator_list}
        is_fixture = False
        for name, decorator in decorators.items():
            if name.rpartition(".")[2] == "fixture":
                is_fixture = True
                self.result.provided.add(keyword_of(decorator, "name") or node.name)
        # What a library's decorator gives is no fixture.
        if (is_fixture or node.name.startswith("test")) and not any(map(self.names_library, decorators)):
            for argument in parameters(node):
                self.use_fixture(argument.arg, argument)

    def use_fixture(self, name: str, node: ast.arg | ast.Constant) -> None:
        """Note the first use of a fixture of a library's plugin."""
        if name in FIXTURES and FIXTURES[name].plugin in self.libraries:
            self.result.fixtures.setdefault(name, node.lineno)

    # Names in text.

    def read_call(self, node: ast.Call) -> None:
        """A module that is loaded by its name, or fixtures that are asked for by theirs."""
        loader = dotted_name(node.func).rpartition(".")[2]
        first = node.args[0] if node.args else None
        if loader in ASKERS:
            for argument in node.args:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    self.use_fixture(argument.value, argument)
        elif loader in LOADERS and isinstance(first, ast.Constant) and first.value in self.libraries:
            self.settled.add(first)
            self.find(first, f"{first.value!r} is loaded by name; write '{HOME}.{first.value}'")

    def read_strings(self) -> None:
        """Text that looks like a name in a library, such as the target of a `mock.patch`."""
        for annotation in annotations_in(self.tree):
            self.settled.update(ast.walk(annotation))
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in self.settled:
                self.read_string(node, node.value)

    def read_string(self, node: ast.Constant, value: str) -> None:
        """One text."""
        if DOTTED.fullmatch(value) and self.names_library(value):
            if exists(value):
                self.find(
                    node, f"{value!r} is a name in a text; to patch or import it, write '{HOME}.{value}'"
                )
            else:
                self.find(node, f"{value!r} is a name in a text, and {HOME}.{value} does not exist")
        elif REQUIREMENT.fullmatch(value) and any(value.startswith(name) for name in self.libraries):
            self.find(node, f"{value!r} is a requirement; aiotest-kit takes its place")


def keyword_of(node: ast.expr, name: str) -> str | None:
    """The text that a call is given as a keyword; None if there is none."""
    keywords = node.keywords if isinstance(node, ast.Call) else []
    for keyword in keywords:
        if keyword.arg == name and isinstance(keyword.value, ast.Constant):
            return str(keyword.value.value)
    return None


def is_module(dotted: str) -> bool:
    """Whether the kit's stand-in for a name is a module."""
    try:
        return bool(import_module(f"{HOME}.{dotted}"))
    except ModuleNotFoundError:
        return False


def parameters(node: Function | ast.Lambda) -> list[ast.arg]:
    """All parameters of a function."""
    rest = [argument for argument in (node.args.vararg, node.args.kwarg) if argument is not None]
    return [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs, *rest]


def attribute_uses(tree: ast.AST, names: frozenset[str]) -> Iterator[tuple[ast.Attribute, str]]:
    """The attributes asked of some names, longest chains only; not where a parameter has the name."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Attribute):
            root = library_of(dotted_name(node))
            if root in names:
                yield node, root
                continue
        inside = names
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            inside = names.difference(argument.arg for argument in parameters(node))
        yield from attribute_uses(node, inside)


def annotations_in(tree: ast.AST) -> Iterator[ast.expr]:
    """The annotations in a source, in which text is code."""
    for node in ast.walk(tree):
        annotation = getattr(node, "annotation", None) or getattr(node, "returns", None)
        if isinstance(annotation, ast.expr):
            yield annotation
