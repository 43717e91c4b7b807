import re
from importlib.metadata import version

import pytest

from .conftest import Ran, Suite

# A fixture as those of the kit are made: sync, and what it opens is on the loop of the test.
PRELUDE = """
import asyncio, contextlib, unittest
import aiohttp, pytest, pytest_asyncio
from aiohttp import web
from aiotest_kit._plugin.loops import stack_of

due, closed = [], []

@contextlib.asynccontextmanager
async def opened(name):
    loop = asyncio.get_running_loop()
    due.insert(0, name)
    yield loop
    await asyncio.sleep(0)
    assert asyncio.get_running_loop() is loop
    closed.append(name)

@pytest.fixture
def on_loop(request):
    stack = stack_of(request, "`async with opened()`")
    assert stack.enter_now(opened("early")) is stack.loop
    return stack

@pytest.fixture
def requests_it(on_loop):
    yield on_loop
    assert not closed

@pytest.fixture(autouse=True)
def all_closed():
    due.clear()
    closed.clear()
    yield
    assert due == closed
"""
TESTS = """
{mark}
class TestIt:
    async def test_it(self, on_loop):
        assert on_loop.loop is asyncio.get_running_loop()
        assert await on_loop.enter(opened("late")) is on_loop.loop

    async def test_again(self, requests_it):
        await self.test_it(requests_it)
"""
SCOPES = ["function", "class", "module", "package", "session"]


def write(suite: Suite, **files: str) -> None:
    """Files of tests that have the fixture `on_loop`."""
    suite.pytester.makepyfile(**{f"test_{name}": PRELUDE + text for name, text in files.items()})


# The loop that pytest-asyncio gives a fixture of its own; where that is not the test's, none can be right.
CONTROL = """
import asyncio, pytest, pytest_asyncio

@pytest_asyncio.fixture(loop_scope="{scope}")
async def loop():
    return asyncio.get_running_loop()

{mark}
class TestIt:
    async def test_it(self, loop):
        assert loop is asyncio.get_running_loop()
"""
DOORS = """
    async def test_doors(self, aiohttp_mock, aiohttp_upstream, aiohttp_stub_client, virtual_clock):
        aiohttp_mock.get("http://api.test/").reply(201, delay=3600)
        aiohttp_upstream.get("/").reply(202)
        client = await aiohttp_stub_client(web.Application())
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session:
            for url, status in (("http://api.test/", 201), (aiohttp_upstream.url, 202)):
                async with session.get(url) as response:
                    assert status == response.status
        async with client.get("/") as response:
            assert 404 == response.status
        assert 3600 == pytest.approx(virtual_clock.now, abs=0.01)
"""
PYTEST_ASYNCIO = tuple(int(part) for part in version("pytest-asyncio").split(".")[:2])
# Up to 1.1, pytest-asyncio runs a fixture on the wrong loop where several scopes are in one run.
AT_ONCE = [[*SCOPES, "default"]] if PYTEST_ASYNCIO >= (1, 2) else [[scope] for scope in [*SCOPES, "default"]]


@pytest.mark.filterwarnings("ignore:The configuration option:pytest.PytestDeprecationWarning")
@pytest.mark.parametrize("mode", ["auto", "strict"])
@pytest.mark.parametrize("fixtures", ["", "function", "module", "session"])
@pytest.mark.parametrize("tests", SCOPES)
@pytest.mark.parametrize("marked", AT_ONCE, ids="-".join)
class TestMatrix:
    """Mode, default of fixtures, default of tests, marker; what pytest-asyncio itself cannot is skipped."""

    @pytest.fixture(autouse=True)
    def settings(self, suite: Suite, mode: str, fixtures: str, tests: str) -> None:
        suite.pytester.makeini(f"""
[pytest]
asyncio_mode = {mode}
{f"asyncio_default_fixture_loop_scope = {fixtures}" if fixtures else ""}
{f"asyncio_default_test_loop_scope = {tests}" if tests != "function" else ""}
""")
        suite.pytester.makepyfile(__init__="")

    def test_it(self, suite: Suite, mode: str, tests: str, marked: list[str]) -> None:
        """What is opened is on the test's loop until it is closed, and every door works."""
        marks = {scope: f"@pytest.mark.asyncio(loop_scope='{scope}')" for scope in SCOPES}
        marks["default"] = "" if mode == "auto" else "@pytest.mark.asyncio"
        args = (
            "--import-mode=importlib",
            *("-o", "pythonpath=."),
            *("-W", "ignore:The configuration option:pytest.PytestDeprecationWarning"),
        )
        if len(marked) == 1:
            (name,) = marked
            scope = tests if name == "default" else name
            suite.pytester.makepyfile(test_control=CONTROL.format(scope=scope, mark=marks[name]))
            refusal = refused(suite.run(*args))
            if refusal:
                pytest.skip(f"pytest-asyncio {version('pytest-asyncio')} itself: {refusal}")
            (suite.pytester.path / "test_control.py").unlink()
        files = {name: TESTS.format(mark=marks[name]) + DOORS for name in marked}
        write(suite, **files)
        suite.run(*args).outcomes(passed=3 * len(marked))


def refused(ran: Ran) -> str:
    """Why a run did not pass, in a line; empty if it did."""
    if ran.result.ret == 0:
        return ""
    found = re.findall(r"^(?:E|INTERNALERROR>)?\s+(\S*(?:Error|Warning): .+)$", ran.text, re.MULTILINE)
    return found[-1] if found else ran.text.strip().splitlines()[-1]


REFUSED = {
    "sync": (
        "def test_it(on_loop): pass",
        "test_it.py::test_it is not async; write it as async def",
    ),
    "unmarked": (
        "async def test_it(on_loop): pass",
        "test_it.py::test_it is async and no plugin runs it;"
        " mark it with @pytest.mark.asyncio, or set asyncio_mode = auto",
    ),
    "running": (
        "@pytest.mark.asyncio\nasync def test_it(request): request.getfixturevalue('on_loop')",
        "test_it.py::test_it asks for it while its loop runs, which cannot wait for fixtures;"
        " make it an argument of the test",
    ),
    "unittest": (
        """
@pytest.mark.usefixtures("on_loop")
class TestIt(unittest.IsolatedAsyncioTestCase):
    async def test_it(self): pass
""",
        "test_it.py::TestIt::test_it is a method of a unittest.TestCase; use `async with opened()`",
    ),
    "both": (
        "@pytest.mark.anyio\n@pytest.mark.asyncio\nasync def test_it(on_loop): pass",
        "test_it.py::test_it[asyncio] runs on the loop of pytest-asyncio, and its fixtures on that of anyio;"
        " set asyncio_mode = strict, or drop the anyio marker",
    ),
    "trio": (
        "@pytest.mark.anyio\n@pytest.mark.parametrize('anyio_backend', ['trio'])\n"
        "async def test_it(on_loop): pass",
        "test_it.py::test_it[trio] runs on trio; use `async with opened()`",
    ),
}


class TestRefused:
    """A test that has no loop for the fixture is told so, in one line, and what to do."""

    @pytest.mark.parametrize("name", REFUSED)
    def test_it(self, suite: Suite, name: str) -> None:
        """The whole text."""
        test, says = REFUSED[name]
        write(suite, it=test)
        suite.pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function")
        plugins = ("-p", "anyio") if "anyio" in test else ()
        text = suite.run(*plugins, "-p", "no:cacheprovider").text
        assert f"on_loop needs the asyncio loop of its test: {says}" in text.splitlines()

    def test_auto_mode_takes_over_anyio(self, suite: Suite) -> None:
        """In auto mode pytest-asyncio runs a test marked for anyio, whose fixtures it leaves there."""
        write(suite, it="@pytest.mark.anyio\nasync def test_it(on_loop): pass")
        ran = suite.run("-p", "anyio")
        assert "its fixtures on that of anyio; set asyncio_mode = strict" in ran.text
        assert "passed" not in ran.text


class TestOtherRunners:
    @pytest.mark.parametrize("blocked", [(), ("-p", "no:asyncio", "-p", "no:aiohttp")], ids=["", "alone"])
    def test_anyio(self, suite: Suite, blocked: tuple[str, ...]) -> None:
        """What is opened is on anyio's loop, whether pytest-asyncio is there or not."""
        ini = "" if blocked else "asyncio_default_fixture_loop_scope = function"
        suite.pytester.makeini(f"[pytest]\n{ini}")
        write(
            suite,
            it=f"""
@pytest.fixture
def anyio_backend():
    return "asyncio"

@pytest.fixture
async def before(anyio_backend, on_loop):
    return await on_loop.enter(opened("late"))

class TestIt:
    {TESTS.partition("class TestIt:")[2].strip().replace("async def", "@pytest.mark.anyio{0}    async def")}

@pytest.mark.anyio
async def test_fixture(before, on_loop):
    assert before is on_loop.loop
""".replace("{0}", "\n"),
        )
        suite.run("-p", "anyio", *blocked).outcomes(passed=3)

    def test_nothing_async(self, suite: Suite) -> None:
        """Without any plugin for async tests the rest of the kit works."""
        suite.pytester.makeini("[pytest]")
        suite.tests("def test_it(aiohttp_mock): pass")
        suite.run("-p", "no:asyncio", "-p", "no:aiohttp", "-p", "no:anyio").outcomes(passed=1)


class TestAnotherLoop:
    def test_fixture(self, suite: Suite) -> None:
        """Used from an async fixture on a wider loop: the text names all three, and what to do."""
        write(
            suite,
            it="""
@pytest_asyncio.fixture(loop_scope="session")
async def wide(on_loop):
    await on_loop.enter(opened("late"))

async def test_it(wide): pass
""",
        )
        ran = suite.run()
        assert (
            "aiotest_kit.LoopMismatchError: on_loop is on the loop of its test (loop_scope='function'), "
            "and was used from the fixture 'wide' (loop_scope='session'); give both the same loop_scope"
        ) in ran.text
