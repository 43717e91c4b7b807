"""The shape of the package, read from its source: where imports point, what only `_aiohttp` may."""

import ast
import importlib
import inspect
import io
import pkgutil
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import aiohttp
import pytest

from scripts.structure import (
    LINES,
    MODULES,
    circles,
    file_graph,
    imports_of,
    named_imports,
    package_graph,
    package_of,
    problems,
    tree_of,
    upward_imports,
)
from tests.support.source import dotted_name, names_defined_in

# Names that aiohttp has too, where they belong to someone else: (module, name) -> whose they are.
NOT_AIOHTTPS: dict[tuple[str, str], str] = {
    ("_location", "_getframe"): "sys",
    ("_plugin.state", "_fixtureinfo"): "pytest",
    ("_leaks.check", "_server"): "asyncio",
    ("_leaks.creation_log", "_getframe"): "sys",
}

# What touches them, for a client and for a server.
QUARANTINE = "_aiohttp"
PRIVATE = re.compile(r"\b_[a-z]\w*")


OUTSIDE_QUARANTINE = [name for name in MODULES if package_of(name) != QUARANTINE]


@pytest.mark.parametrize("module", MODULES)
def test_every_module_has_its_place(module: str) -> None:
    """A new package is put on the map before it is used."""
    assert package_of(module) in LINES, f"add {package_of(module)!r} to MAP"


def test_the_map_is_of_this_place() -> None:
    """The map has no package that is not there."""
    assert set() == LINES.keys() - {package_of(module) for module in MODULES}


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_down(module: str) -> None:
    """No module imports from a line above its own, at run time, for its annotations, or by a string."""
    assert [] == upward_imports(module)


@pytest.mark.parametrize("module", MODULES)
def test_every_module_can_be_imported(module: str) -> None:
    """What a module imports is there, also where only annotations name the module."""
    name = "aiotest_kit" if module == "__init__" else f"aiotest_kit.{module}"

    assert name == importlib.import_module(name).__name__


def test_files_make_no_circle() -> None:
    """Each module can be read before those that import it."""
    assert [] == circles(file_graph())


def test_packages_make_no_circle() -> None:
    """Nor does a package need one that needs it, if only for annotations."""
    assert [] == circles(package_graph())


@pytest.mark.parametrize(
    ("graph", "groups"),
    [
        pytest.param({"a": ["b"], "b": []}, [], id="none"),
        pytest.param({"a": ["b"], "b": ["a"]}, [["a", "b"]], id="two"),
        pytest.param({"a": ["b"], "b": ["c"], "c": ["a"], "d": ["a"]}, [["a", "b", "c"]], id="three"),
    ],
)
def test_circles(graph: dict[str, list[str]], groups: list[list[str]]) -> None:
    """A circle is found, with those on it alone."""
    assert groups == circles(graph)


@pytest.mark.parametrize(
    ("source", "targets"),
    [
        pytest.param('register_once(manager, "aiotest_kit.fixtures")', ["fixtures"], id="string"),
        pytest.param('register_once(manager, f"{KIT}.fixtures")', ["fixtures"], id="f-string"),
        pytest.param('print("aiotest_kit.no_module")', [], id="no module"),
    ],
)
def test_imports_by_name_are_followed(source: str, targets: list[str]) -> None:
    """A module that a string names counts as imported."""
    assert targets == [each.target for each in named_imports(ast.parse(source))]


def test_limits_hold() -> None:
    """Floors, packages, modules and functions stay as small as they are to be; see `scripts.structure`."""
    assert [] == problems()


def test_stand_ins_are_over_the_public_names() -> None:
    """They import nothing else of the kit but what CONTRIBUTING gives the reason for."""
    imported = {
        (module, each.target)
        for module in MODULES
        if module.startswith("compat.")
        for each in imports_of(module)
        if each.target != "__init__" and not each.target.startswith("compat")
    }

    assert {
        ("compat.aioresponses._answering", "_aiohttp.client"),
        ("compat.aioresponses._answering", "_aiohttp.stand_ins"),
        ("compat.aioresponses.compat", "_aiohttp.client"),
    } == imported


@cache
def private_names_of_aiohttp() -> frozenset[str]:
    """Every underscore name in aiohttp's own source."""
    folder = Path(aiohttp.__file__).parent
    files = [folder / f"{info.name}.py" for info in pkgutil.iter_modules([str(folder)])]
    texts = [file.read_text(encoding="utf-8") for file in files if file.is_file()]
    return frozenset(name for text in texts for name in PRIVATE.findall(text))


@cache
def names_defined_outside_quarantine() -> frozenset[str]:
    return frozenset(name for module in OUTSIDE_QUARANTINE for name in names_defined_in(module))


def private_imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            dotted = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            dotted = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in dotted:
            if name.startswith("aiohttp.") and re.search(r"\._[A-Za-z]", name):
                yield node.lineno, name


def private_attributes(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Underscore attributes that aiohttp has and we do not define, by dot or by `getattr` and its like."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            name = node.attr
            if dotted_name(node).split(".")[0] == "aiohttp" and PRIVATE.fullmatch(name):
                yield node.lineno, name
                continue
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in {"getattr", "setattr", "hasattr", "delattr"}
            and isinstance(node.args[1], ast.Constant)
        ):
            name = str(node.args[1].value)
        else:
            continue
        if name in private_names_of_aiohttp() - names_defined_outside_quarantine():
            yield node.lineno, name


def private_overrides(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """What a subclass of an aiohttp class defines or reads of that class's underscore names."""
    aliases = aiohttp_aliases(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.ClassDef):
            continue
        inherited = {name for base in node.bases for name in private_names_of(dotted_name(base), aliases)}
        for part in ast.walk(node):
            if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef):
                name = part.name
            elif isinstance(part, ast.Attribute) and dotted_name(part.value) in {"self", "cls"}:
                name = part.attr
            else:
                continue
            if name in inherited:
                yield part.lineno, name


def aiohttp_aliases(tree: ast.Module) -> dict[str, str]:
    """The module's names for things in aiohttp: name -> dotted name."""
    aliases = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                aliases[alias.asname or alias.name.split(".")[0]] = (
                    alias.name if alias.asname else alias.name.split(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                aliases[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return {name: target for name, target in aliases.items() if target.split(".")[0] == "aiohttp"}


def private_names_of(base: str, aliases: dict[str, str]) -> set[str]:
    """The underscore names in the source of the aiohttp class that `base` stands for, and its ancestors."""
    first, *rest = base.split(".")
    if first not in aliases:
        return set()
    *path, last = [*aliases[first].split("."), *rest]
    cls = getattr(importlib.import_module(".".join(path)), last)
    lineage = [ancestor for ancestor in cls.__mro__ if ancestor.__module__.startswith("aiohttp")]
    return {name for ancestor in lineage for name in PRIVATE.findall(inspect.getsource(ancestor))}


@pytest.mark.parametrize("module", OUTSIDE_QUARANTINE)
def test_private_aiohttp_stays_in_quarantine(module: str) -> None:
    """What aiohttp does not document is touched in `_aiohttp` and nowhere else."""
    tree = tree_of(module)
    touched = [*private_imports(tree), *private_attributes(tree), *private_overrides(tree)]
    found = sorted(
        {
            f"{MODULES[module].name}:{line} {name}"
            for line, name in touched
            if (module, name) not in NOT_AIOHTTPS
        }
    )

    assert [] == found


@pytest.mark.parametrize(
    ("source", "names"),
    [
        pytest.param("from aiohttp._websocket import reader", ["aiohttp._websocket.reader"], id="module"),
        pytest.param("from aiohttp.web_app import _Middlewares", ["aiohttp.web_app._Middlewares"], id="name"),
        pytest.param("import aiohttp\naiohttp.client._anything", ["_anything"], id="attribute"),
        pytest.param("connector._wrap_create_connection()", ["_wrap_create_connection"], id="of an object"),
        pytest.param("getattr(x, '_wrap_create_connection')", ["_wrap_create_connection"], id="by getattr"),
        pytest.param(
            "import aiohttp\nclass C(aiohttp.BaseConnector):\n  def _create_connection(self): pass",
            ["_create_connection"],
            id="override",
        ),
        pytest.param(
            "from aiohttp import TCPConnector as T\nclass C(T):\n  def f(self): self._limit",
            ["_limit"],
            id="inherited",
        ),
        pytest.param("import aiohttp\naiohttp.ClientSession().closed", [], id="public"),
        pytest.param("from aiohttp import __version__", [], id="dunder"),
        pytest.param("from ._router import _anything", [], id="our own"),
        pytest.param("loop._no_such_name_in_aiohttp", [], id="of another library"),
    ],
)
def test_quarantine_sees(source: str, names: list[str]) -> None:
    """Each way to reach a private name is noticed, and no public one."""
    tree = ast.parse(source)

    touched = [*private_imports(tree), *private_attributes(tree), *private_overrides(tree)]

    assert set(names) == {name for _, name in touched}


def silenced_lines(module: str) -> Iterator[str]:
    path = MODULES[module]
    for token in tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline):
        if token.type == tokenize.COMMENT and re.search(r"(type|pyright):\s*ignore", token.string):
            yield f"{path.name}:{token.start[0]} {token.string}"


def casts(module: str) -> Iterator[str]:
    """Imports of `typing.cast`, and uses of it through the module."""
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.ImportFrom):
            is_cast = node.module == "typing" and "cast" in [alias.name for alias in node.names]
        elif isinstance(node, ast.Attribute):
            is_cast = dotted_name(node) == "typing.cast"
        else:
            continue
        if is_cast:
            yield f"{MODULES[module].name}:{node.lineno} cast"


@pytest.mark.parametrize("module", [name for name in OUTSIDE_QUARANTINE if package_of(name) != "_asyncio"])
def test_type_checkers_are_not_silenced(module: str) -> None:
    """Where a type is asserted rather than proved, aiohttp or asyncio is the reason: in their packages."""
    assert [] == [*silenced_lines(module), *casts(module)]
