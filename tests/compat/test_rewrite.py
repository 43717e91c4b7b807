"""What `plan` makes of one source: the edits that are sure, and what it leaves to the reader."""

import ast

import pytest

from aiotest_kit._cli.rewrite import plan

KIT = "aiotest_kit.compat"

SURE = {
    "names": (
        "from aiointercept import aiointercept, CallbackResult\n",
        "from aiotest_kit.compat.aiointercept import aiointercept, CallbackResult\n",
    ),
    "of aioresponses": (
        "from aioresponses import CallbackResult, aioresponses as mocked\n"
        "from aioresponses.compat import merge_params, normalize_url\n"
        "from aioresponses.core import RequestCall, RequestMatch\n",
        f"from {KIT}.aioresponses import CallbackResult, aioresponses as mocked\n"
        f"from {KIT}.aioresponses.compat import merge_params, normalize_url\n"
        f"from {KIT}.aioresponses.core import RequestCall, RequestMatch\n",
    ),
    "a name by another": (
        "from aresponses import ResponsesMockServer as Server  # ours\n",
        "from aiotest_kit.compat.aresponses import ResponsesMockServer as Server  # ours\n",
    ),
    "all names": (
        "from aiointercept import *\n",
        "from aiotest_kit.compat.aiointercept import *\n",
    ),
    "a submodule's names": (
        "from aresponses.errors import (\n    NoRouteFoundError,  # 1\n    UnusedRouteError)\n",
        f"from {KIT}.aresponses.errors import (\n    NoRouteFoundError,  # 1\n    UnusedRouteError)\n",
    ),
    "a submodule": (
        "from aiointercept import core\ncore.CallbackResult()\n",
        "from aiotest_kit.compat.aiointercept import core\ncore.CallbackResult()\n",
    ),
    "the module": (
        "import aiointercept\n\nm = aiointercept.aiointercept.anything()\n",
        "from aiotest_kit.compat import aiointercept\n\nm = aiointercept.aiointercept.anything()\n",
    ),
    "the module by another name": (
        "import aresponses as ar\nar.errors.UnusedRouteError\n",
        "import aiotest_kit.compat.aresponses as ar\nar.errors.UnusedRouteError\n",
    ),
    "the module among others": (
        "import os, aiointercept, sys\n",
        "import os, aiotest_kit.compat.aiointercept as aiointercept, sys\n",
    ),
    "a dotted module": (
        "import aresponses.main\nx = aresponses.main.Route\n",
        "from aiotest_kit.compat import aresponses\nx = aresponses.main.Route\n",
    ),
    "a dotted module by another name": (
        "import aiointercept.core as core\n",
        "import aiotest_kit.compat.aiointercept.core as core\n",
    ),
    "deep inside": (
        "def f():\n\tif x:\n\t\tfrom aiointercept import aiointercept; aiointercept()\n",
        "def f():\n\tif x:\n\t\tfrom aiotest_kit.compat.aiointercept import aiointercept; aiointercept()\n",
    ),
    "behind other characters": (
        "é = '日本'; from aiointercept import aiointercept\n",
        "é = '日本'; from aiotest_kit.compat.aiointercept import aiointercept\n",
    ),
    "over two lines": (
        "from aiointercept \\\n    import aiointercept\n",
        "from aiotest_kit.compat.aiointercept \\\n    import aiointercept\n",
    ),
    "line ends of Windows": (
        "import os\r\nfrom aiointercept import aiointercept\r\n",
        "import os\r\nfrom aiotest_kit.compat.aiointercept import aiointercept\r\n",
    ),
    "no line end": (
        "import aiointercept",
        "from aiotest_kit.compat import aiointercept",
    ),
    "a form feed before": (
        "x = 1\n\x0c\nimport aiointercept\n",
        "x = 1\n\x0c\nfrom aiotest_kit.compat import aiointercept\n",
    ),
    "twice": (
        "try:\n    import aiointercept\nexcept ImportError:\n    import aiointercept\n",
        "try:\n    from aiotest_kit.compat import aiointercept\n"
        "except ImportError:\n    from aiotest_kit.compat import aiointercept\n",
    ),
    "plugins in a list": (
        'pytest_plugins = ["aiointercept.pytest_plugin", "other"]\n',
        'pytest_plugins = ["aiotest_kit.compat.aiointercept.pytest_plugin", "other"]\n',
    ),
    "one plugin, annotated": (
        "pytest_plugins: str = 'aresponses.main'\n",
        "pytest_plugins: str = 'aiotest_kit.compat.aresponses.main'\n",
    ),
    "the plugin of pytest-aioresponses": (
        'pytest_plugins = "pytest_aioresponses"\nimport pytest_aioresponses\n',
        'pytest_plugins = "aiotest_kit.compat.pytest_aioresponses"\n'
        "from aiotest_kit.compat import pytest_aioresponses\n",
    ),
    "a fixture that shadows the module": (
        "import aresponses\n\ndef test(aresponses):\n    aresponses.add('a')\n",
        "from aiotest_kit.compat import aresponses\n\ndef test(aresponses):\n    aresponses.add('a')\n",
    ),
}


@pytest.mark.parametrize(("before", "after"), SURE.values(), ids=SURE)
def test_sure(before: str, after: str) -> None:
    """An import that is understood is pointed to the kit; every other character stays."""
    planned = plan(before)

    assert after == planned.applied(before)
    assert [] == planned.findings
    ast.parse(after)


UNTOUCHED = {
    "a relative import": "from .aiointercept import aiointercept\n",
    "a longer name": "import aioresponses_extra\nfrom aiointerceptor import x\n",
    "a fixture's name in a text": "import pytest\n\n@pytest.mark.usefixtures('aresponses')\ndef f(): ...\n",
    "prose": '"""About aiointercept.core and aresponses."""\n',
    "an annotation in quotes": (
        "def f(m: 'aiointercept.aiointercept') -> 'aresponses.main.Route': ...\nx: 'aresponses.Response'\n"
    ),
    "another module's attribute": "import other\nother.aresponses.errors\n",
    "what is there already": "from aiotest_kit.compat.aiointercept import aiointercept\n",
}


@pytest.mark.parametrize("source", UNTOUCHED.values(), ids=UNTOUCHED)
def test_untouched(source: str) -> None:
    """What is no import of a library is neither changed nor reported."""
    planned = plan(source)

    assert [] == planned.edits
    assert [] == planned.findings


LEFT = {
    "a private name": (
        "from aiointercept.core import _install_patches\n",
        (
            1,
            f"{KIT}.aiointercept.core._install_patches does not exist; the import is left as it is",
        ),
    ),
    "an unknown submodule": (
        "import os\nimport aresponses.nothing\n",
        (2, "aiotest_kit.compat.aresponses.nothing does not exist; the import is left as it is"),
    ),
    "a private attribute": (
        "import aiointercept\n\naiointercept.core._patch_lock\n",
        (3, "aiotest_kit.compat.aiointercept.core._patch_lock does not exist; the import is left as it is"),
    ),
    "a private attribute of a submodule": (
        "from aiointercept import core\ncore._patch_lock\n",
        (2, "aiotest_kit.compat.aiointercept.core._patch_lock does not exist; the import is left as it is"),
    ),
    "spaces in a dotted name": (
        "from aresponses . errors import UnusedRouteError\n",
        (1, "import from aresponses.errors: its spelling is not understood"),
    ),
    "spaces in a dotted module": (
        "import aresponses . errors\n",
        (1, "import of aresponses.errors: its spelling is not understood"),
    ),
    "spaces in a dotted module by another name": (
        "import aresponses . errors as e\n",
        (1, "import of aresponses.errors: its spelling is not understood"),
    ),
    "the target of a patch": (
        "from unittest import mock\nmock.patch('aiointercept.core.CallbackResult')\n",
        (
            2,
            "'aiointercept.core.CallbackResult' is a name in a text; to patch or import it, "
            "write 'aiotest_kit.compat.aiointercept.core.CallbackResult'",
        ),
    ),
    "the target of a patch in aioresponses": (
        "@patch('aioresponses.core.ClientResponse')\ndef test(_): ...\n",
        (
            1,
            "'aioresponses.core.ClientResponse' is a name in a text; to patch or import it, "
            "write 'aiotest_kit.compat.aioresponses.core.ClientResponse'",
        ),
    ),
    "the target of a patch that has none": (
        "patch('aiointercept.core._real_get')\n",
        (
            1,
            "'aiointercept.core._real_get' is a name in a text, "
            "and aiotest_kit.compat.aiointercept.core._real_get does not exist",
        ),
    ),
    "a module loaded by name": (
        "import pytest\npytest.importorskip('aresponses')\n",
        (2, "'aresponses' is loaded by name; write 'aiotest_kit.compat.aresponses'"),
    ),
    "a requirement": (
        "setup(tests_require=['aiointercept[pytest-asyncio]>=1'])\n",
        (1, "'aiointercept[pytest-asyncio]>=1' is a requirement; aiotest-kit takes its place"),
    ),
    "a plugin in two pieces": (
        "pytest_plugins = ['aiointercept.'\n    'pytest_plugin']\n",
        (
            1,
            "'aiointercept.pytest_plugin' is a name in a text; to patch or import it, "
            "write 'aiotest_kit.compat.aiointercept.pytest_plugin'",
        ),
    ),
}


@pytest.mark.parametrize(("source", "expected"), LEFT.values(), ids=LEFT)
def test_left_to_the_reader(source: str, expected: tuple[int, str]) -> None:
    """What cannot be decided is reported with its line, and not touched."""
    planned = plan(source)

    assert [expected] == [(finding.line, finding.text) for finding in planned.findings]
    assert source == planned.applied(source)


def test_only_what_is_unknown_stays() -> None:
    """An import beside one that cannot be moved still is."""
    source = "from aiointercept import aiointercept\nfrom aiointercept.core import _patch_lock\n"

    planned = plan(source)

    assert planned.applied(source) == (
        f"from {KIT}.aiointercept import aiointercept\nfrom aiointercept.core import _patch_lock\n"
    )


def test_own_module_of_that_name_is_left_alone() -> None:
    """Where the project has a module of the library's name, the import may mean that one."""
    source = "import aresponses\nimport aiointercept\n"

    planned = plan(source, own=["aresponses"])

    assert "import aresponses\nfrom aiotest_kit.compat import aiointercept\n" == planned.applied(source)


@pytest.mark.parametrize(
    ("source", "used", "provided"),
    [
        pytest.param(
            "async def test_a(request, aresponses): ...", {"aresponses": 1}, set[str](), id="a test"
        ),
        pytest.param("\ndef helper(aresponses): ...", {}, set[str](), id="a helper"),
        pytest.param(
            "@pytest.fixture\ndef client(*, aiointercept_mock): ...",
            {"aiointercept_mock": 2},
            {"client"},
            id="a fixture",
        ),
        pytest.param(
            "@pytest_asyncio.fixture(scope='module')\nasync def aresponses(): ...",
            {},
            {"aresponses"},
            id="a fixture of its own",
        ),
        pytest.param(
            "class TestA:\n    def test_a(self, aioresponses): ...",
            {"aioresponses": 2},
            set[str](),
            id="a method",
        ),
        pytest.param(
            "@aioresponses()\ndef test_a(aioresponses): ...", {}, set[str](), id="the argument of a decorator"
        ),
        pytest.param(
            "@pytest.mark.usefixtures('other', 'aresponses')\ndef test_a(): ...",
            {"aresponses": 1},
            set[str](),
            id="a marker",
        ),
        pytest.param(
            "def helper(request):\n    request.getfixturevalue(name)\n"
            "    return request.getfixturevalue('aioresponses')",
            {"aioresponses": 3},
            set[str](),
            id="asked for by name",
        ),
        pytest.param(
            "@pytest.fixture(scope='module', name='aioresponses')\ndef stubs(): ...",
            {},
            {"aioresponses"},
            id="a fixture by another name",
        ),
        pytest.param("pytest_plugins = ('aresponses',)", {}, {"aresponses"}, id="the old plugin"),
        pytest.param(
            "pytest_plugins = ['pytest_aioresponses']",
            {},
            {"aioresponses"},
            id="the plugin of pytest-aioresponses",
        ),
        pytest.param(
            "pytest_plugins = ['aiotest_kit.compat.aioresponses']", {}, {"aioresponses"}, id="in its place"
        ),
        pytest.param(
            "pytest_plugins = ['aiotest_kit.compat.aiointercept.pytest_plugin']",
            {},
            {"aiointercept_mock", "aiointercept_server"},
            id="the new plugin",
        ),
    ],
)
def test_fixtures(source: str, used: dict[str, int], provided: set[str]) -> None:
    """A plan knows which fixtures of the libraries' plugins a file asks for, and which it has itself."""
    planned = plan(source)

    assert used == planned.fixtures
    assert provided == planned.provided


@pytest.mark.parametrize("source", ["import aiointercept\ndef (:\n", "x = 1\0"], ids=["syntax", "null byte"])
def test_not_python(source: str) -> None:
    """What Python does not read is an error, and nothing is planned."""
    with pytest.raises((SyntaxError, ValueError)):
        plan(source)
