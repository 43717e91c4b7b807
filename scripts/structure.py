"""The structure of the package: what imports what, on how many floors, and how long everything is.

    python -m scripts.structure

Prints a row for each package, then what breaks the rules below, and exits with 1 if anything does. Reads the
source and imports nothing of it.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

KIT = "aiotest_kit"
PACKAGE = Path(__file__).parent.parent / KIT

# A package imports from lines below its own; modules of one line, as of one package, may import one another
# as long as there is an order to read them in.
MAP = """
    compat  _cli  __main__  _entry_point
    pytest_plugin
    fixtures
    __init__
    websocket  faults
    _plugin
    _memory_door  _loopback_door  _app_door
    _server
    _routing
    _websocket
    _reports
    _responders  _matching
    _virtual_time  _leaks
    _http  _aiohttp
    _transport
    _asyncio
    _options  _functions
    _messages  _location
"""
LINES = {name: number for number, names in enumerate(MAP.split("\n")) for name in names.split()}

MAX_FLOORS = 12
MAX_PACKAGE_LINES = 2300
MAX_MODULE_LINES = 450
MAX_FUNCTION_LINES = 50

LOADS_BY_NAME = re.compile(r"\bregister_once\(|^pytest_plugins\b", re.MULTILINE)
"""Marks a module whose strings may name modules of the kit that it loads."""


@dataclass(frozen=True)
class Import:
    """One import of a module of the kit; `by_name` if only a string says so, at run time."""

    line: int
    target: str
    only_for_types: bool = False
    by_name: bool = False


def module_name(path: Path) -> str:
    """The dotted name below the kit, such as `_routing.router`; that of a package for its `__init__`."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


def package_of(module: str) -> str:
    """The package that has a module; a module at the top is its own."""
    return module.partition(".")[0]


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


@cache
def tree_of(module: str) -> ast.Module:
    """The parsed source of a module."""
    return ast.parse(source_of(module))


@cache
def source_of(module: str) -> str:
    """The source of a module."""
    return MODULES[module].read_text(encoding="utf-8")


@cache
def imports_of(module: str) -> tuple[Import, ...]:
    """The imports of a module from the kit, those in strings included."""
    tree = tree_of(module)
    found = [*written_imports(module, tree)]
    if LOADS_BY_NAME.search(source_of(module)):
        found += named_imports(tree)
    return tuple(each for each in found if each.target != module)


def written_imports(module: str, tree: ast.Module) -> Iterator[Import]:
    """What the import statements of a module name."""
    for_types = {
        id(each)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for statement in node.body
        for each in ast.walk(statement)
    }
    folders = [KIT, *MODULES[module].relative_to(PACKAGE).parent.parts]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = folders[: len(folders) - node.level + 1] if node.level else []
            prefix = ".".join([*base, *filter(None, [node.module])])
            names = [f"{prefix}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            if name.partition(".")[0] == KIT:
                yield Import(node.lineno, known_part(name), id(node) in for_types)


def named_imports(tree: ast.Module) -> Iterator[Import]:
    """The modules that strings of a module name in full, such as `"aiotest_kit.fixtures"`."""
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(node, ast.JoinedStr):
            parts = [
                ast.unparse(part)[1:-1] if isinstance(part, ast.Constant) else KIT for part in node.values
            ]
            text = "".join(parts)
        if isinstance(text, str) and text.removeprefix(f"{KIT}.") in MODULES:
            yield Import(getattr(node, "lineno", 0), text.removeprefix(f"{KIT}."), by_name=True)


def known_part(dotted: str) -> str:
    """The module that a dotted name is of; `__init__` for a public name."""
    parts = dotted.split(".")[1:]
    for length in range(len(parts), 0, -1):
        if ".".join(parts[:length]) in MODULES:
            return ".".join(parts[:length])
    return "__init__"


def circles(graph: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """The groups of nodes that reach one another."""
    reached = {node: reachable(node, graph) for node in graph}
    groups = {
        tuple(sorted({node, *(other for other in reached[node] if node in reached.get(other, ()))}))
        for node in graph
        if node in reached[node]
    }
    return [list(group) for group in sorted(groups)]


def reachable(start: str, graph: Mapping[str, Iterable[str]]) -> set[str]:
    """All nodes behind the arrows of one."""
    found: set[str] = set()
    waiting = list(graph.get(start, ()))
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting += graph.get(node, ())
    return found


def file_graph() -> dict[str, set[str]]:
    """Which modules each module imports when it runs."""
    return {
        module: {each.target for each in imports_of(module) if not each.only_for_types} for module in MODULES
    }


def package_graph() -> dict[str, set[str]]:
    """Which packages each package imports from, for its annotations too."""
    graph: defaultdict[str, set[str]] = defaultdict(set)
    for module in MODULES:
        own = package_of(module)
        graph[own] |= {package_of(each.target) for each in imports_of(module)} - {own}
    return dict(graph)


def floor_of(package: str, graph: Mapping[str, Iterable[str]], seen: tuple[str, ...] = ()) -> int:
    """1 for a package that imports nothing; else 1 more than the highest that it imports from."""
    below = [each for each in graph.get(package, ()) if each not in seen]
    return 1 + max((floor_of(each, graph, (*seen, package)) for each in below), default=0)


def upward_imports(module: str) -> list[str]:
    """The imports of a module from its own line of the map or above, as `file:line imports target`."""
    own = package_of(module)
    return [
        f"{MODULES[module].relative_to(PACKAGE)}:{each.line} imports {each.target}"
        for each in imports_of(module)
        if package_of(each.target) != own and LINES[package_of(each.target)] <= LINES[own]
    ]


def functions_of(module: str) -> Iterator[tuple[str, int]]:
    """The functions of a module, and how many lines each has without its docstring."""
    for node in ast.walk(tree_of(module)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            has_docstring = ast.get_docstring(node, clean=False) is not None
            first = node.body[0]
            documented = (first.end_lineno or 0) - first.lineno + 1 if has_docstring else 0
            yield f"{module}.{node.name}", (node.end_lineno or 0) - node.lineno + 1 - documented


def lines_of(module: str) -> int:
    """The lines of a module."""
    return source_of(module).count("\n")


def problems() -> list[str]:
    """What breaks the rules, a line each."""
    graph = package_graph()
    found = [line for module in MODULES for line in upward_imports(module)]
    found += [f"a circle of files: {' '.join(group)}" for group in circles(file_graph())]
    found += [f"a circle of packages: {' '.join(group)}" for group in circles(graph)]
    measured = [
        *((f"the floor of {package}", floor_of(package, graph), MAX_FLOORS) for package in graph),
        *(
            (f"lines of {package}", lines_in(package), MAX_PACKAGE_LINES)
            for package in set(graph) - {"compat"}
        ),
        *((f"lines of {module}", lines_of(module), MAX_MODULE_LINES) for module in MODULES),
        *(
            (f"lines of {name}", length, MAX_FUNCTION_LINES)
            for module in MODULES
            for name, length in functions_of(module)
        ),
    ]
    found += [f"{what}: {number}, at most {limit}" for what, number, limit in measured if number > limit]
    return found


def lines_in(package: str) -> int:
    """The lines of all modules of a package."""
    return sum(lines_of(module) for module in MODULES if package_of(module) == package)


def main() -> int:
    """Print the table and what breaks the rules."""
    graph = package_graph()
    print(f"{'floor':>5}  {'lines':>6}  {'files':>5}  package")
    for package in sorted(graph, key=lambda name: (-floor_of(name, graph), LINES[name], name)):
        files = [module for module in MODULES if package_of(module) == package]
        print(f"{floor_of(package, graph):>5}  {lines_in(package):>6}  {len(files):>5}  {package}")

    total = sum(map(lines_of, MODULES))
    arrows = sum(map(len, graph.values()))
    print(f"{total} lines in {len(MODULES)} files, {len(graph)} packages and modules, {arrows} arrows")
    lengths = sorted((length for module in MODULES for _, length in functions_of(module)), reverse=True)
    print(
        f"{len(lengths)} functions, of {lengths[len(lengths) // 2]} lines in the median, "
        f"{lengths[len(lengths) // 10]} or more in a tenth, {lengths[0]} at most (docstrings aside)"
    )
    found = problems()
    for problem in found:
        print(f"  {problem}")
    print("no rule is broken" if not found else f"{len(found)} problems")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
