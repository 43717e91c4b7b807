import pytest

from aiotest_kit import virtual_time

from .conftest import Suite

TESTS = """
@pytest.mark.asyncio(loop_scope="{scope}")
class TestIt:
    async def test_it(self, virtual_clock, aiohttp_mock):
        aiohttp_mock.get(f"{{HOST}}/a").reply(delay=30)
        with pytest.raises(asyncio.TimeoutError):
            await get(f"{{HOST}}/a", timeout=aiohttp.ClientTimeout(total=10))
        assert 10 == pytest.approx(virtual_clock.now, abs=0.01)
        await virtual_clock.advance(3600)
        assert 3610 == pytest.approx(virtual_clock.now, abs=0.01)

    async def test_afterwards(self):
        loop = asyncio.get_running_loop()
        assert "_aiotest_kit_clock" not in vars(loop)
        assert "VirtualSelector" not in repr(loop._selector)

    async def test_again(self, virtual_clock):
        assert 0 == virtual_clock.now
        await asyncio.sleep(1e6)
"""


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing real is waited for."""
    monkeypatch.setattr(virtual_time, "__kwdefaults__", {"patience": 0.01})


@pytest.mark.parametrize("scope", ["function", "class", "module", "package", "session"])
def test_loop_scope(suite: Suite, scope: str) -> None:
    """The clock is that of the test's loop, and only while the test runs."""
    suite.pytester.makepyfile(__init__="")
    suite.tests(TESTS.format(scope=scope))
    suite.run("--import-mode=importlib", "-o", "pythonpath=.").outcomes(passed=3)


@pytest.mark.usefixtures("impatient")
def test_deadlock(suite: Suite) -> None:
    """A test that waits for ever fails where it waits, and the next one is not disturbed."""
    suite.tests("""
pytestmark = pytest.mark.asyncio(loop_scope="module")

async def test_it(virtual_clock):
    await asyncio.get_running_loop().create_future()

async def test_caught(virtual_clock):
    from aiotest_kit import VirtualTimeError
    with pytest.raises(VirtualTimeError, match="deadlock"):
        await asyncio.get_running_loop().create_future()

async def test_next(virtual_clock):
    await asyncio.sleep(1)
""")
    ran = suite.run()
    ran.outcomes(failed=1, passed=2)
    assert ">       await asyncio.get_running_loop().create_future()" in ran.report("test_it")
    assert "VirtualTimeError: deadlock in virtual time" in ran.text


def test_anyio(suite: Suite) -> None:
    """anyio's plugin runs it too."""
    suite.pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function")
    suite.tests("""
@pytest.fixture
def anyio_backend():
    return "asyncio"

@pytest.mark.anyio
async def test_it(virtual_clock):
    await asyncio.sleep(1e6)
    assert 1e6 == pytest.approx(virtual_clock.now)
""")
    suite.run("-p", "anyio").outcomes(passed=1)


UVLOOP = {
    "factory": """
import uvloop

def pytest_asyncio_loop_factories(config, item):
    return {"uvloop": uvloop.new_event_loop}
""",
    "policy": """
import pytest, uvloop

@pytest.fixture(scope="session")
def event_loop_policy():
    return uvloop.EventLoopPolicy()
""",
}


@pytest.mark.parametrize("how", UVLOOP)
def test_uvloop(suite: Suite, how: str) -> None:
    """On uvloop the rest of the kit works, and virtual time is refused, by name and in one line."""
    pytest.importorskip("uvloop")
    suite.conftest(UVLOOP[how]).tests("""
async def test_mock(aiohttp_mock):
    assert "uvloop" == type(asyncio.get_running_loop()).__module__
    aiohttp_mock.get(f"{HOST}/a").reply(201)
    assert 201 == await get(f"{HOST}/a")

async def test_clock(virtual_clock):
    pass
""")
    ran = suite.run("-W", "ignore::DeprecationWarning", "-W", "ignore::pytest.PytestDeprecationWarning")
    if how == "factory" and "unknown hook" in ran.text:
        pytest.skip("pytest-asyncio 1.4 is the first with loop factories")
    ran.outcomes(passed=1, errors=1)
    assert ran.report("ERROR at setup of test_clock").startswith(
        "virtual time needs a selector loop of asyncio, and this is uvloop.Loop;"
    )


def test_sync(suite: Suite) -> None:
    """A sync test has no loop whose time it could be."""
    ran = suite.tests("def test_it(virtual_clock): pass").run()
    ran.outcomes(errors=1)
    assert (
        "virtual_clock needs the asyncio loop of its test: test_it.py::test_it is not async; "
        "write it as async def"
    ) == ran.report("ERROR at setup of test_it")


def test_unittest(suite: Suite) -> None:
    """In a `unittest.TestCase` the block serves, opened by the set-up or inside the test."""
    suite.pytester.makepyfile(
        test_it="""
import asyncio, unittest
from aiotest_kit import virtual_time

class TestIt(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        block = virtual_time()
        self.clock = await block.__aenter__()
        self.addAsyncCleanup(block.__aexit__, None, None, None)

    async def test_it(self):
        await asyncio.sleep(1e6)
        assert 1e6 == self.clock.now

    async def test_inside(self):
        async with virtual_time() as clock:
            await asyncio.sleep(1e6)
            assert 1e6 == clock.now
"""
    )
    suite.run().outcomes(passed=2)
