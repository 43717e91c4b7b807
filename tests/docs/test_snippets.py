"""Every ```python block of the README and of docs/ is run, and proves its point with an assertion.

A block with a `def test_` in it is a test file: pytest runs it, with no setting but `asyncio_mode = auto`.
Any other block is a program, which may use `await` at the top level. Blocks in other fences are for reading.
"""

import ast
import asyncio
import inspect
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

import aiotest_kit
from tests.support.loops import asyncio_only

# pytester forgets the modules that are first imported while it runs; the kit's names must stay what they are.
for public in aiotest_kit.__all__:
    getattr(aiotest_kit, public)

pytestmark = asyncio_only  # some have virtual time

ROOT = Path(__file__).parents[2]
PAGES = [page for page in [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))] if page.is_file()]


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


def asserts_something(code: str) -> bool:
    """Whether there is an `assert`, a `pytest.raises`, or a call of the `assert_…` family."""
    compiled = compile(code, "snippet", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    return any(
        isinstance(node, ast.Assert)
        or (isinstance(node, ast.Attribute) and (node.attr == "raises" or node.attr.startswith("assert_")))
        for node in ast.walk(compiled)
    )


SNIPPETS = [snippet for page in PAGES for snippet in snippets(page)]


@pytest.mark.parametrize("snippet", SNIPPETS, ids=str)
def test_snippet_asserts_its_result(snippet: Snippet) -> None:
    """A reader sees in the block itself what comes out of it."""
    assert asserts_something(snippet.code)


@pytest.mark.parametrize("snippet", [s for s in SNIPPETS if s.is_test_file], ids=str)
def test_test_file_passes(snippet: Snippet, pytester: pytest.Pytester) -> None:
    """Copied into an empty project, the block passes under pytest."""
    pytester.makeini("[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n")
    pytester.makepyfile(test_snippet=snippet.placed_code)

    # hypothesis would be imported anew for each.
    result = pytester.runpytest_inprocess("-W", "error::DeprecationWarning", "-p", "no:hypothesispytest")

    outcomes = result.parseoutcomes()
    assert result.ret == pytest.ExitCode.OK
    assert set(outcomes) == {"passed"}


@pytest.mark.parametrize("snippet", [s for s in SNIPPETS if not s.is_test_file], ids=str)
def test_program_runs(snippet: Snippet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in an empty folder, the block ends without an error."""
    monkeypatch.chdir(tmp_path)
    # Dataclasses look their module up by name.
    module = ModuleType("snippet")
    monkeypatch.setitem(sys.modules, "snippet", module)
    code = compile(
        snippet.placed_code, str(snippet.page), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True
    )

    result = eval(code, vars(module))  # a block with a top-level `await` is a coroutine
    if inspect.iscoroutine(result):
        asyncio.run(result)


def test_snippets_are_found_where_they_stand(tmp_path: Path) -> None:
    """Only python blocks count; a block in a list is dedented, and a longer fence may hold a shorter one."""
    page = tmp_path / "page.md"
    page.write_text(
        "```python\nfirst = 1\n```\n```console\n$ ls\n```\n"
        "- in a list:\n  ```python title='x'\n  if 2:\n      second\n  ```\n"
        "````markdown\n```python\nshown = 3\n```\n````\n"
    )

    found = list(snippets(page))

    assert [(2, "first = 1\n"), (9, "if 2:\n    second\n")] == [(s.line, s.code) for s in found]
    assert "page.md:2" == str(found[0])


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        pytest.param("assert 1 + 1 == 2", True, id="assert"),
        pytest.param("with pytest.raises(OSError):\n    call()", True, id="raises"),
        pytest.param("mock.assert_called_once()", True, id="assert method"),
        pytest.param("async with mock() as router:\n    assert await f()", True, id="await at the top"),
        pytest.param("print('assert')", False, id="print"),
    ],
)
def test_assertions_are_recognised(code: str, expected: bool) -> None:
    """A block that only prints is not accepted."""
    assert expected == asserts_something(code)
