import pytest

from .conftest import Suite

AFTERWARDS = """
import aiohttp, asyncio, gc, pytest

CONNECT = aiohttp.BaseConnector.connect.__code__

@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item):
    yield
    assert aiohttp.BaseConnector.connect.__code__ is CONNECT

def pytest_unconfigure():
    gc.collect()
"""

RESTORED = """
class Left(BaseException):
    pass

@pytest.fixture
def broken(aiohttp_mock):
    raise RuntimeError

@pytest.fixture
def broken_after(aiohttp_mock):
    yield
    raise RuntimeError

def test_passes(aiohttp_mock): pass
def test_fails(aiohttp_mock): assert 0
def test_skips(aiohttp_mock): pytest.skip()
def test_does_not_start(aiohttp_mock, broken): pass
def test_does_not_end(aiohttp_mock, broken_after): pass
def test_unused(aiohttp_mock): aiohttp_mock.get("/")
async def test_unmatched(aiohttp_mock): await get(f"{HOST}/a")
@pytest.mark.aiotest(wrong=1)
def test_wrong(aiohttp_mock): pass
def test_raises(aiohttp_mock): raise Left
"""


def test_connect_is_restored(suite: Suite) -> None:
    """However a test ends, `BaseConnector.connect` is aiohttp's own again."""
    ran = suite.conftest(AFTERWARDS).tests(RESTORED).run()
    ran.outcomes(passed=2, failed=4, skipped=1, errors=3)


LEFT = """
@pytest.mark.asyncio(loop_scope="{scope}")
class TestIt:
    async def test_held(self, aiohttp_mock):
        gate = aiohttp_mock.get(f"{{HOST}}/a").hold()
        with pytest.raises(asyncio.TimeoutError):
            await get(f"{{HOST}}/a", timeout=aiohttp.ClientTimeout(total=0.001))

    async def test_held_still(self, aiohttp_mock):
        gate = aiohttp_mock.get(f"{{HOST}}/a").hold()
        self.__class__.task = asyncio.ensure_future(swallow(f"{{HOST}}/a"))
        await gate.waiting()

    async def test_slow(self, aiohttp_mock):
        started = asyncio.Event()
        async def handler(request):
            started.set()
            await asyncio.sleep(3600)
        aiohttp_mock.get(f"{{HOST}}/a").reply(handler)
        self.__class__.other = asyncio.ensure_future(swallow(f"{{HOST}}/a"))
        await started.wait()

    async def test_slow_stream(self, aiohttp_mock):
        aiohttp_mock.get(f"{{HOST}}/a").stream([b"a", 3600.0, b"b"])
        session = aiohttp.ClientSession()
        response = await session.get(f"{{HOST}}/a")
        assert await response.content.read(1) == b"a"
        response.close()
        await session.close()

    async def test_fails_beside(self, aiohttp_mock):
        gate = aiohttp_mock.get(f"{{HOST}}/a").hold()
        self.__class__.third = asyncio.ensure_future(swallow(f"{{HOST}}/a"))
        await gate.waiting()
        assert 0

def test_sync(aiohttp_mock):
    gate = aiohttp_mock.get(f"{{HOST}}/a").hold()
    async def leave():
        task = asyncio.ensure_future(swallow(f"{{HOST}}/a"))
        await gate.waiting()
    asyncio.run(leave())
"""


@pytest.mark.parametrize("scope", ["function", "class", "session"])
def test_answers_that_wait(suite: Suite, scope: str) -> None:
    """What still answers when a test ends neither hangs the suite nor is heard of again."""
    suite.conftest(AFTERWARDS).tests(LEFT.format(scope=scope))
    # Nothing captured: what asyncio logs of lost tasks reaches stderr, by the handler of last resort.
    alone = ("-s", "-p", "no:logging", "-W", "ignore:unclosed:ResourceWarning")
    ran = suite.run_alone("-p", "aiotest_kit.pytest_plugin", *alone, python=("-X", "dev"))
    ran.outcomes(passed=5, failed=1)
    for word in ("destroyed", "never retrieved", "never awaited", "Unclosed", "Traceback"):
        assert word not in ran.text


def test_nothing_is_kept(suite: Suite) -> None:
    """A router is let go with its test."""
    suite.tests("""
import gc, weakref

routers = []

@pytest.mark.parametrize("number", range(3))
async def test_it(aiohttp_mock, number):
    aiohttp_mock.get(f"{HOST}/a")
    assert await get(f"{HOST}/a") == 200
    routers.append(weakref.ref(aiohttp_mock))

def test_gone():
    gc.collect()
    assert [None, None] == [router() for router in routers[:2]]
""")
    suite.run().outcomes(passed=4)
