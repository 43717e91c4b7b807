"""The shape of the package, read from its source: where imports point, what only `_aiohttp*.py` may."""

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

import aiotest_kit

PACKAGE = Path(aiotest_kit.__file__).parent

# From values to doors. A module imports from rows above its own, or from its own row.
LAYOUT = """
    _errors _aiohttp _aiohttp_connectors _aiohttp_views _aiohttp_web _waiting _outside _extra_info _pipe
    _far_end _location _incoming _registration _tls _listen _loop_thread
    _codings
    _replies _lifespan _replaced
    _messages
    _expected _gate
    _urls _fields
    _patterns
    _answers _streams _asgi _mounts _connect_faults _faults _index _forward _hints _explain
    _websocket _websocket_script _conversation
    _verify _steps
    _routes _table _websocket_routes _finder
    _router
    _wire _reading _flow _guest _attempts _cassette _loops
    _exchange _lending _peer
    _memory _strict _leaks _upstream _clock
    _app_routes _stubs _app_calls _stub_exchange _visits _runs _app _request_alone
    _intercept _around _stub_clients
    __init__
    _stacks _wide_upstreams fixtures _leak_plugin pytest_plugin _pytest11
    __main__ _serve _route_file _migrate _rewrite compat
"""
ROWS = {name: row for row, names in enumerate(LAYOUT.split("\n")) for name in names.split()}

# Names that aiohttp has too, where they belong to someone else: (module, name) -> whose they are.
NOT_AIOHTTPS: dict[tuple[str, str], str] = {("_location", "_getframe"): "sys"}

# What touches them, for a client and for a server.
QUARANTINE = {"_aiohttp", "_aiohttp_connectors", "_aiohttp_views", "_aiohttp_web"}
PRIVATE = re.compile(r"\b_[a-z]\w*")


def module_name(path: Path) -> str:
    """The dotted name below the package: `_router`, `__init__`, `compat.aioresponses`."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}
OUTSIDE_QUARANTINE = [name for name in MODULES if name not in QUARANTINE]


@cache
def tree_of(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


def imported_siblings(module: str) -> Iterator[tuple[int, str]]:
    """(line, module) of each import from the package itself, those for the type checker included."""
    path = MODULES[module]
    package = ["aiotest_kit", *path.relative_to(PACKAGE).parent.parts]
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            prefix = ".".join([*base, *filter(None, [node.module])])
            targets = [f"{prefix}.{alias.name}" for alias in node.names]
        else:
            continue
        for target in targets:
            root, *rest = target.split(".")
            if root == "aiotest_kit":
                yield node.lineno, known_part(rest)


def known_part(parts: list[str]) -> str:
    """The longest start of the dotted name that is a module; `__init__` if none is, as for a public name."""
    for length in range(len(parts), 0, -1):
        if ".".join(parts[:length]) in MODULES.keys() | ROWS.keys():
            return ".".join(parts[:length])
    return "__init__"


@pytest.mark.parametrize("module", MODULES)
def test_every_module_has_its_place(module: str) -> None:
    """A new module is put into the layout before it is used."""
    assert module.split(".")[0] in ROWS, f"add {module!r} to LAYOUT"


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_down(module: str) -> None:
    """No module imports from a row below its own, at run time or for its annotations."""
    own = ROWS.get(module.split(".")[0], len(ROWS))  # one without a place fails the test above
    upward = [
        f"{MODULES[module].name}:{line} imports {target}"
        for line, target in imported_siblings(module)
        if ROWS.get(target.split(".")[0], own) > own
    ]

    assert [] == upward


@pytest.mark.parametrize("module", MODULES)
def test_every_module_can_be_imported(module: str) -> None:
    """What a module imports is there, also where only annotations name the module."""
    name = "aiotest_kit" if module == "__init__" else f"aiotest_kit.{module}"

    assert name == importlib.import_module(name).__name__


def test_imports_make_no_cycle() -> None:
    """Within a row a module may import another, as long as there is an order to read them in."""
    wanted = {module: {target for _, target in imported_siblings(module)} - {module} for module in MODULES}
    while ready := [module for module, targets in wanted.items() if not targets & wanted.keys()]:
        for module in ready:
            del wanted[module]

    assert {} == wanted


def test_stand_ins_are_over_the_public_names() -> None:
    """They import nothing else of the kit but what CONTRIBUTING gives the reason for."""
    imported = {
        (module, target)
        for module in MODULES
        if module.startswith("compat.")
        for _, target in imported_siblings(module)
        if target != "__init__" and not target.startswith("compat")
    }

    assert {
        ("compat.aioresponses._answering", "_aiohttp"),
        ("compat.aioresponses._answering", "_aiohttp_views"),
        ("compat.aioresponses.compat", "_aiohttp"),
    } == imported


@cache
def private_names_of_aiohttp() -> frozenset[str]:
    """Every underscore name in aiohttp's own source."""
    folder = Path(aiohttp.__file__).parent
    files = [folder / f"{info.name}.py" for info in pkgutil.iter_modules([str(folder)])]
    texts = [file.read_text(encoding="utf-8") for file in files if file.is_file()]
    return frozenset(name for text in texts for name in PRIVATE.findall(text))


def names_defined_in(module: str) -> Iterator[str]:
    """What the module binds: functions, classes, variables, slots, attributes of `self` and `cls`."""
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            if isinstance(node.value, ast.Name) and node.value.id in {"self", "cls"}:
                yield node.attr
        elif isinstance(node, ast.Assign) and [dotted_name(target) for target in node.targets] == [
            "__slots__"
        ]:
            yield from (str(part.value) for part in ast.walk(node.value) if isinstance(part, ast.Constant))


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


def dotted_name(node: ast.expr) -> str:
    """`a.b.c` as text; empty for any other expression."""
    if isinstance(node, ast.Subscript):
        return dotted_name(node.value)
    if isinstance(node, ast.Attribute):
        start = dotted_name(node.value)
        return f"{start}.{node.attr}" if start else ""
    return node.id if isinstance(node, ast.Name) else ""


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
    """What aiohttp does not document is touched in `_aiohttp*.py` and nowhere else."""
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


@pytest.mark.parametrize("module", OUTSIDE_QUARANTINE)
def test_type_checkers_are_not_silenced(module: str) -> None:
    """Where a type is asserted rather than proved, aiohttp is the reason, so it is in `_aiohttp*.py`."""
    assert [] == [*silenced_lines(module), *casts(module)]
