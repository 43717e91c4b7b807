"""Every ```python block of the README and of docs/ is run, and proves its point with an assertion.

A block with a `def test_` in it is a test file: pytest runs it, with no setting but `asyncio_mode = auto`.
Any other block is a program, which may use `await` at the top level. Blocks in other fences are for reading.
"""

import ast
import asyncio
import inspect
import sys
from pathlib import Path
from types import ModuleType

import pytest

import aiotest_kit
from scripts.snippets import SNIPPETS, Snippet, annotated, snippets
from tests.support.loops import asyncio_only

# pytester forgets the modules that are first imported while it runs; the kit's names must stay what they are.
for public in aiotest_kit.__all__:
    getattr(aiotest_kit, public)

pytestmark = asyncio_only  # some have virtual time


def asserts_something(code: str) -> bool:
    """Whether there is an `assert`, a `pytest.raises`, or a call of the `assert_…` family."""
    compiled = compile(code, "snippet", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    return any(
        isinstance(node, ast.Assert)
        or (isinstance(node, ast.Attribute) and (node.attr == "raises" or node.attr.startswith("assert_")))
        for node in ast.walk(compiled)
    )


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


def test_annotated() -> None:
    """For type checkers, fixtures have their public types; lines stay what they are."""
    code = """
api = upstream_fixture()

@pytest.fixture
def user(api, tmp_path: Path):
    yield api

async def test_it(
    aiohttp_mock, user=(1, [2]), *rest
):
    async def told(request):
        return lambda: 1
"""

    assert """
api = upstream_fixture()

@pytest.fixture
def user(api: aiotest_kit.Upstream, tmp_path: Path) -> typing.Iterator[typing.Any]:
    yield api

async def test_it(
    aiohttp_mock: aiotest_kit.Router, user: typing.Any=(1, [2]), *rest: typing.Any
) -> None:
    async def told(request: typing.Any) -> typing.Any:
        return lambda: 1
""" == annotated(code)


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
