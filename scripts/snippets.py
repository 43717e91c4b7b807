"""The ```python blocks of the README and of docs/, and the same as files for type checkers.

    python -m scripts.snippets FOLDER

writes each block into the folder, on the lines where its page has it, and annotates functions that are not:
the kit's fixtures with their public types, all else with `Any`. Needs only the standard library.
"""

from __future__ import annotations

import ast
import re
import shutil
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

__all__ = ["SNIPPETS", "Snippet", "annotated", "snippets", "write_annotated"]

ROOT = Path(__file__).parent.parent
PAGES = [page for page in [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))] if page.is_file()]
FIXTURES = {
    "aiohttp_mock": "aiotest_kit.Router",
    "aiohttp_upstream": "aiotest_kit.Upstream",
    "aiohttp_stub_client": "aiotest_kit.StubClientFactory",
    "virtual_clock": "aiotest_kit.VirtualClock",
}
"""The fixtures of the kit, and what a suite annotates each with."""
DECLARED = {"upstream_fixture": "aiotest_kit.Upstream", "mock_fixture": "aiotest_kit.Router"}
"""What declares a fixture, and what that is annotated with."""
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
HEADER = "import aiotest_kit, typing; "
"""Stands on the first line, where no page has code."""


@dataclass(frozen=True)
class Snippet:
    """One block; `line` is that of its first line of code."""

    page: Path
    line: int
    code: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"

    @property
    def is_test_file(self) -> bool:
        return "def test_" in self.code

    @property
    def placed_code(self) -> str:
        """The code on the lines where the page has it, so that a traceback points there."""
        return "\n" * (self.line - 1) + self.code


def snippets(page: Path) -> Iterator[Snippet]:
    """The page's python blocks; those inside a list are moved to the margin."""
    fence, language, lines, first = "", "", list[str](), 0
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
        text = line.strip()
        if not fence and text.startswith("```"):
            info = text.lstrip("`")
            fence, language = text[: len(text) - len(info)], (info.split() or [""])[0]
            lines, first = [], number + 1
        elif fence and text == fence:
            if language == "python":
                yield Snippet(page, first, textwrap.dedent("\n".join(lines)) + "\n")
            fence = ""
        elif fence:
            lines.append(line)
    assert not fence, f"{page.name}:{first - 1} opens a block that nothing closes"


SNIPPETS = [snippet for page in PAGES for snippet in snippets(page)]


def annotated(code: str) -> str:
    """Code whose functions are annotated, and whose lines are those of `code`."""
    fixtures = dict(FIXTURES)
    for name, declared in re.findall(r"^(\w+) = (\w+)\(", code, re.MULTILINE):
        if declared in DECLARED:
            fixtures[name] = DECLARED[declared]
    tree = compile(code, "snippet", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    added: list[tuple[int, int, str]] = []
    for node in ast.walk(tree):
        if isinstance(node, FUNCTIONS):
            added += missing(node, fixtures, code)
    lines = code.splitlines(keepends=True)
    for line, column, text in sorted(added, reverse=True):
        before, after = lines[line - 1][:column], lines[line - 1][column:]
        lines[line - 1] = before + text + after
    return "".join(lines)


def missing(function: Function, fixtures: dict[str, str], code: str) -> Iterator[tuple[int, int, str]]:
    """The annotations that a function does not have: line, column and text."""
    arguments = function.args
    for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
        if argument.annotation is None and argument.arg not in ("self", "cls"):
            kind = fixtures.get(argument.arg, "typing.Any")
            yield argument.lineno, (argument.end_col_offset or 0), f": {kind}"
    for rest in (arguments.vararg, arguments.kwarg):
        if rest is not None and rest.annotation is None:
            yield rest.lineno, (rest.end_col_offset or 0), ": typing.Any"
    if function.returns is None:
        line, column = end_of_signature(function, code)
        yield line, column, f" -> {result_of(function)}"


def end_of_signature(function: Function, code: str) -> tuple[int, int]:
    """Line and column behind the closing bracket of a function's arguments."""
    lines = code.splitlines()
    depth = 0
    for line in range(function.lineno, function.body[0].lineno + 1):
        start = function.col_offset if line == function.lineno else 0
        for column, character in enumerate(lines[line - 1][start:], start=start):
            depth += (character in "([{") - (character in ")]}")
            if character == ")" and not depth:
                return line, column + 1
    raise AssertionError(f"{function.name} has no end")


def result_of(function: Function) -> str:
    """The type of what a function gives."""
    nodes = list(own_nodes(function))
    if any(isinstance(node, (ast.Yield, ast.YieldFrom)) for node in nodes):
        kind = "AsyncIterator" if isinstance(function, ast.AsyncFunctionDef) else "Iterator"
        return f"typing.{kind}[typing.Any]"
    returns = any(isinstance(node, ast.Return) and node.value is not None for node in nodes)
    return "typing.Any" if returns else "None"


def own_nodes(function: Function) -> Iterator[ast.AST]:
    """The nodes of a function, without those of functions within it."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, (*FUNCTIONS, ast.Lambda)):
            waiting += ast.iter_child_nodes(node)


def has_await(code: str) -> bool:
    """Whether a program awaits at its top level."""
    try:
        compile(code, "snippet", "exec", dont_inherit=True)
    except SyntaxError:
        return True
    return False


def write_annotated(folder: Path) -> None:
    """Write each block as a file of its own; what was there is removed."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for snippet in SNIPPETS:
        code = annotated(snippet.code)
        lines = [""] * (snippet.line - 1)
        lines[0] = HEADER
        if has_await(snippet.code):
            lines[0] += "async def program() -> None:" if snippet.line == 2 else ""
            if snippet.line > 2:
                lines[-1] = "async def program() -> None:"
            code = textwrap.indent(code, "    ")
        name = snippet.page.relative_to(ROOT).with_suffix("").as_posix().replace("/", "_").replace("-", "_")
        (folder / f"{name}_{snippet.line}.py").write_text("\n".join(lines) + "\n" + code, encoding="utf-8")


if __name__ == "__main__":
    write_annotated(Path(sys.argv[1]))
