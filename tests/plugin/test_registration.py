import sys

import pytest

from .conftest import INI, PLUGIN, PRELUDE, Ran, Suite, needs_entry_point

# One test that passes, and one that only the hooks make fail.
TESTS = """
async def test_called(aiohttp_mock):
    aiohttp_mock.get(f"{HOST}/a")
    assert await get(f"{HOST}/a") == 200

def test_unused(aiohttp_mock):
    aiohttp_mock.get(f"{HOST}/a")

def test_once(request):
    hooks = request.config.hook.pytest_runtest_call.get_hookimpls()
    assert 1 == len([hook for hook in hooks if hook.function.__module__ == "aiotest_kit._plugin.hooks"])
"""
STAR = "from aiotest_kit.fixtures import *"
NAMED = f'pytest_plugins = ["{PLUGIN}"]'


def works(ran: Ran) -> None:
    """The fixture is there, its hooks are, and both are there once."""
    ran.outcomes(passed=2, failed=1)
    assert ran.report("test_unused").startswith("1 route was never called")


@needs_entry_point
@pytest.mark.parametrize("conftest", ["", STAR, NAMED, f"{STAR}\n{NAMED}"], ids=["", "star", "named", "both"])
@pytest.mark.parametrize(
    "args",
    [(), ("-p", "aiotest_kit"), ("-p", PLUGIN), ("-p", "aiotest_kit", "-p", PLUGIN)],
    ids=["", "entry", "module", "entry-module"],
)
def test_any_two_are_one(suite: Suite, conftest: str, args: tuple[str, ...]) -> None:
    """However the plugin is asked for, and however often, it is loaded once."""
    works(suite.conftest(conftest).tests(TESTS).run_alone("--strict-markers", "--strict-config", *args))


@pytest.mark.parametrize(
    ("conftest", "args"),
    [
        (NAMED, ()),
        ("", ("-p", PLUGIN)),
        (STAR, ()),
        (STAR, ("-p", PLUGIN)),
        pytest.param("", ("-p", "aiotest_kit"), marks=needs_entry_point),
        pytest.param(NAMED, ("-p", "aiotest_kit"), marks=needs_entry_point),
    ],
    ids=["named", "module", "star", "star-module", "entry", "named-entry"],
)
def test_without_autoload(
    suite: Suite, monkeypatch: pytest.MonkeyPatch, conftest: str, args: tuple[str, ...]
) -> None:
    """Where pytest loads no plugin by itself, each way of asking for it works alone."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    plugins = ("-p", "pytest_asyncio.plugin", "-p", "pytest_aiohttp.plugin")
    works(suite.conftest(conftest).tests(TESTS).run_alone(*plugins, *args))


@pytest.mark.parametrize(
    "blocked", [("aiotest_kit",), ("aiotest_kit", PLUGIN)], ids=["entry", "entry-module"]
)
@pytest.mark.parametrize("place", ["conftest", "test_it"])
def test_star_import_with_the_plugin_off(suite: Suite, blocked: tuple[str, ...], place: str) -> None:
    """The imported fixture brings its hooks with it, also into a single file of tests."""
    if place == "conftest":
        suite.conftest(STAR).tests(TESTS)
    else:
        suite.tests(f"{STAR}\n{TESTS}")
    off = [arg for name in blocked for arg in ("-p", f"no:{name}")]
    works(suite.run_bare(*off))
    works(suite.run_alone(*off))


@needs_entry_point
def test_off(suite: Suite) -> None:
    """Switched off, it leaves nothing behind: no fixture, marker, setting, hook or import."""
    suite.tests("""
import sys

def test_it(request):
    assert not [name for name in sys.modules if name.startswith("aiotest_kit")]
    assert not request.config.pluginmanager.has_plugin("aiotest_kit.pytest_plugin")
    assert not [line for line in request.config.getini("markers") if line.startswith("aiotest")]
    with pytest.raises(ValueError):
        request.config.getini("aiotest_kit_unused")

def test_fixture(aiohttp_mock):
    pass
""")
    ran = suite.run_alone("-p", "no:aiotest_kit")
    ran.outcomes(passed=1, errors=1)
    assert "fixture 'aiohttp_mock' not found" in ran.text


@pytest.mark.parametrize("conftest", ["", STAR])
def test_own_fixture_wins(suite: Suite, conftest: str) -> None:
    """A fixture of the same name in the user's suite takes the place of the kit's."""
    suite.conftest(conftest)
    suite.tests("""
@pytest.fixture
def aiohttp_mock():
    return "own"

def test_it(aiohttp_mock):
    assert "own" == aiohttp_mock
""")
    suite.run().outcomes(passed=1)


def test_own_fixture_extends(suite: Suite) -> None:
    """It may build on the kit's, whose rules still hold."""
    suite.conftest("""
import pytest

@pytest.fixture
def aiohttp_mock(aiohttp_mock):
    aiohttp_mock.get("http://api.test/a").reply(202)
    return aiohttp_mock
""")
    suite.tests("""
async def test_it(aiohttp_mock):
    assert await get(f"{HOST}/a") == 202

@pytest.mark.xfail(strict=True)
def test_strict(aiohttp_mock):
    pass
""")
    suite.run().outcomes(passed=1, xfailed=1)


class TestImports:
    def test_package(self, suite: Suite) -> None:
        """Importing the package imports neither pytest nor aiohttp."""
        code = "import sys, aiotest_kit; print({'pytest', 'aiohttp', 'yarl'} & set(sys.modules))"
        assert ["set()"] == suite.pytester.run(sys.executable, "-c", code).outlines

    def test_plugin(self, suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
        """The plugin, loaded where no test uses it, imports nothing of aiohttp, nor more of the kit."""
        monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        suite.pytester.makeini("[pytest]")
        suite.pytester.makepyfile(
            test_it="""
import sys

HEAVY = ("aiohttp", "httptools", "multidict", "yarl", "asyncio")

def test_it(request):
    assert request.config.pluginmanager.has_plugin("aiotest_kit.pytest_plugin")
    assert [] == [name for name in HEAVY if name in sys.modules]
    own = "hooks pytest_asyncio registration secrets state wide_fixtures with_hooks".split()
    assert {"", ".fixtures", ".pytest_plugin", "._plugin", *(f"._plugin.{name}" for name in own)} == {
        name[len("aiotest_kit"):] for name in sys.modules if name.startswith("aiotest_kit")
    }
"""
        )
        (suite.pytester.path / "client.py").unlink()
        suite.run_alone("-p", PLUGIN).outcomes(passed=1)

    def test_beside_pytest_asyncio(self, suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where async tests can run, what they need is registered, and still nothing of aiohttp imported."""
        monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        suite.pytester.makepyfile(
            test_it="""
import sys

def test_it():
    assert "aiotest_kit._plugin.loop_fixtures" in sys.modules
    assert [] == [name for name in ("aiohttp", "yarl", "aiotest_kit._loops") if name in sys.modules]
"""
        )
        (suite.pytester.path / "client.py").unlink()
        suite.run_alone("-p", PLUGIN, "-p", "pytest_asyncio.plugin").outcomes(passed=1)


def test_settings_of_the_suite(suite: Suite) -> None:
    """The settings are read also where the hooks come late, by an imported fixture."""
    suite.pytester.makeini(f"{INI}\naiotest_kit_unused = allow\n")
    suite.conftest(STAR).tests("""
@pytest.mark.aiotest(unmatched="allow")
def test_it(aiohttp_mock):
    aiohttp_mock.get(f"{HOST}/a")
""")
    suite.run_alone("-p", "no:aiotest_kit", "--strict-config", "--strict-markers").outcomes(passed=1)


def test_nested_conftest(suite: Suite) -> None:
    """The import may stand in a `conftest.py` that pytest finds late."""
    (suite.pytester.mkdir("deep") / "conftest.py").write_text(STAR)
    (suite.pytester.path / "deep" / "test_it.py").write_text(f"""{PRELUDE}
@pytest.mark.aiotest(unused="allow")
def test_it(aiohttp_mock):
    aiohttp_mock.get(f"{{HOST}}/a")
""")
    ran = suite.run_alone("-p", "no:aiotest_kit", "--strict-config", "--strict-markers")
    ran.outcomes(passed=1)


@pytest.mark.parametrize(
    "missing",
    [
        "terminal",
        "logging",
        "capture",
        "warnings",
        "skipping",
        "unittest",
        "cacheprovider",
        "tmpdir",
        "doctest",
    ],
)
def test_without_plugins_of_pytests_own(suite: Suite, missing: str) -> None:
    """A failure is a failure, and a pass a pass, whichever of its own plugins pytest runs without."""
    suite.tests(
        """
async def test_passes(aiohttp_mock):
    aiohttp_mock.get(f"{HOST}/a")
    assert 200 == await get(f"{HOST}/a")

def test_unused(aiohttp_mock):
    aiohttp_mock.get(f"{HOST}/a")

async def test_upstream(aiohttp_upstream):
    aiohttp_upstream.get("/a")
    assert 200 == await get(aiohttp_upstream.url / "a")
"""
    )
    ran = suite.run_alone("-p", PLUGIN, "-p", f"no:{missing}", f"--junitxml={suite.pytester.path}/out.xml")
    text = (suite.pytester.path / "out.xml").read_text()

    assert 'errors="0" failures="1" skipped="0" tests="3"' in text, ran.text
    assert "1 route was never called" in text
