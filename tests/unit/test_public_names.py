"""The public surface: what `aiotest_kit` exports, and that each name of it says what it is."""

import ast
import importlib
import inspect
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest

import aiotest_kit
from aiotest_kit import faults, websocket

NOT_IMPORTED = {"__version__"}  # may be in `__all__` without coming from a module of ours


@cache
def tree_of(path: str | None) -> ast.Module:
    assert path
    return ast.parse(Path(path).read_text(encoding="utf-8"))


def reexports() -> dict[str, str]:
    """name -> module for each public name that `__init__` imports from the package, lazily or at once."""
    found = {}
    for node in ast.walk(tree_of(aiotest_kit.__file__)):
        if isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").startswith("aiotest_kit")):
            module = (node.module or "").removeprefix("aiotest_kit").lstrip(".")
            for alias in node.names:
                name = alias.asname or alias.name
                if not name.startswith("_"):
                    found[name] = f"aiotest_kit.{module}" if module else f"aiotest_kit.{alias.name}"
    return found


EXPORTED = sorted(set(aiotest_kit.__all__) - NOT_IMPORTED)


def test_all_is_sorted() -> None:
    """`__all__` is in alphabetical order, each name once."""
    assert sorted(set(aiotest_kit.__all__)) == list(aiotest_kit.__all__)


def test_all_is_what_init_reexports() -> None:
    """`__all__` lists the names that `__init__` imports, and no other."""
    assert sorted(reexports()) == EXPORTED


@pytest.mark.parametrize("name", EXPORTED)
def test_public_name_is_there(name: str) -> None:
    """A listed name can be imported, and `dir()` shows it."""
    assert hasattr(aiotest_kit, name)
    assert name in dir(aiotest_kit)


def test_unknown_name_is_an_attribute_error() -> None:
    """A misspelt import fails as in any module."""
    with pytest.raises(AttributeError, match="no_such_name"):
        getattr(aiotest_kit, "no_such_name")  # noqa: B009 - a plain attribute would not pass the type checkers


@pytest.mark.parametrize("name", EXPORTED)
def test_public_name_is_documented(name: str) -> None:
    """Each public name has a docstring, and each public method and property of a public class."""
    assert [] == list(undocumented(name, getattr(aiotest_kit, name)))


@pytest.mark.parametrize("module", [websocket, faults], ids=lambda module: module.__name__)
def test_public_module(module: ModuleType) -> None:
    """Its names are listed in order, are documented, and say that they are public."""
    assert sorted(module.__all__) == module.__all__
    for name in module.__all__:
        value = getattr(module, name)
        assert [] == list(undocumented(name, value))
        is_at_the_top = name in aiotest_kit.__all__
        assert is_at_the_top is (getattr(aiotest_kit, name, None) is value)
        assert ("aiotest_kit" if is_at_the_top else module.__name__) == value.__module__


def test_every_fault_is_in_faults() -> None:
    """What can be answered with, and is at the top level, is in `aiotest_kit.faults`, too."""
    modules = ("_responders.faults", "_responders.connect_faults")
    at_the_top = [name for module in modules for name in aiotest_kit.HOMES[module].split()]
    assert sorted(at_the_top) == faults.__all__


def undocumented(name: str, value: object) -> Iterator[str]:
    if inspect.isclass(value):
        # A dataclass without a docstring gets its signature for one.
        if not value.__doc__ or value.__doc__.startswith(f"{value.__name__}("):
            yield name
        for member, raw in vars(value).items():
            is_ours = inspect.isroutine(raw) or isinstance(raw, property | staticmethod | classmethod)
            # getdoc also finds the text of the method that this one overrides.
            if is_ours and not member.startswith("_") and not inspect.getdoc(getattr(value, member)):
                yield f"{name}.{member}"
    elif inspect.isroutine(value):
        if not inspect.getdoc(value):
            yield name
    elif name not in documented_variables(importlib.import_module(reexports()[name])):
        yield name


def documented_variables(module: ModuleType) -> set[str]:
    """Module variables, such as type aliases, with a string literal right below them."""
    body = tree_of(module.__file__).body
    found = set()
    for statement, below in pairwise(body):
        is_text = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
        if is_text and isinstance(statement, ast.Assign | ast.AnnAssign):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return found
