"""Tests that `@mock()` decorates, as pytest collects and runs them, and how a strict one fails."""

import pytest

from .conftest import Suite

TESTS = """
from aiotest_kit import mock

@pytest.fixture
def users():
    return ["ada"]

@mock()
def test_sync(router, users, tmp_path):
    router.get(HOST).reply(json=users)
    assert asyncio.run(get(HOST)) == 200

@mock()
async def test_async(users, router):
    router.get(HOST).reply(201)
    assert (await get(HOST), users) == (201, ["ada"])

@pytest.mark.parametrize("status", [200, 404])
@mock()
async def test_parameters(status, router):
    router.get(HOST).reply(status)
    assert await get(HOST) == status

@mock()
@pytest.mark.parametrize("status", [200, 404])
def test_parameters_below(router, status):
    router.get(HOST).reply(status)
    assert asyncio.run(get(HOST)) == status

@mock()
async def test_without_it():
    assert await swallow(HOST) == "UnmatchedRequest"

class TestIt:
    @mock()
    def test_sync(self, users, router):
        router.get(HOST)
        assert asyncio.run(get(HOST)) == 200

    @mock()
    async def test_async(self, router, users):
        router.get(HOST)
        assert await get(HOST) == 200

    @classmethod
    @mock()
    def test_of_class(cls, router, users):
        router.get(HOST)

    @mock()
    @staticmethod
    def test_static(router, users):
        router.get(HOST)

class TestUnit(unittest.TestCase):
    @mock()
    def test_unit(self, router):
        router.get(HOST)
        self.assertEqual(200, asyncio.run(get(HOST)))

class TestUnitAsync(unittest.IsolatedAsyncioTestCase):
    @mock()
    async def test_unit_async(self, router):
        router.get(HOST)
        self.assertEqual(200, await get(HOST))

@pytest.fixture
@mock()
def token(router, users):
    router.get(HOST).reply(201)
    return asyncio.run(get(HOST))

def test_fixture(token):
    assert token == 201

@mock()
async def test_beside_the_fixture(router, aiohttp_mock):
    aiohttp_mock.get(f"{HOST}/a").reply(201)
    router.get(f"{HOST}/b").reply(202)
    assert (await get(f"{HOST}/a"), await get(f"{HOST}/b")) == (201, 202)
"""


def test_collected_and_run(suite: Suite) -> None:
    """Functions and methods, sync and async, with fixtures and parameters, of which `router` is none."""
    suite.tests(TESTS).run().outcomes(passed=15)


@pytest.mark.parametrize("mode", ["auto", "strict"])
def test_pytest_asyncio_modes(suite: Suite, mode: str) -> None:
    """An async one is run in each mode of pytest-asyncio."""
    suite.tests("""
from aiotest_kit import mock

@pytest.mark.asyncio
@mock()
async def test_marked_above(router):
    router.get(HOST)
    assert await get(HOST) == 200

@mock()
@pytest.mark.asyncio
async def test_marked_below(router):
    router.get(HOST)
    assert await get(HOST) == 200
""").run("-o", f"asyncio_mode={mode}").outcomes(passed=2)


def test_anyio(suite: Suite) -> None:
    """And by anyio's plugin."""
    pytest.importorskip("anyio")
    suite.tests("""
from aiotest_kit import mock

@pytest.fixture
def anyio_backend():
    return "asyncio"

@pytest.mark.anyio
@mock()
async def test_it(router):
    router.get(HOST)
    assert await get(HOST) == 200
""").run("-p", "anyio", "-o", "asyncio_mode=strict").outcomes(passed=1)


def test_strict(suite: Suite) -> None:
    """What a strict one minds is the report; a failure of the test's own stays what it is."""
    ran = suite.tests("""
from aiotest_kit import mock

@mock(strict=True)
async def test_miss(router):
    await swallow(HOST)

@mock(strict=True)
def test_unused(router):
    router.get(HOST)

@mock(strict=True)
def test_own(router):
    router.get(HOST)
    assert not "own"

@pytest.mark.xfail(strict=True)
@mock(strict=True)
def test_xfails(router):
    router.get(HOST)

@mock(strict=True)
async def test_skips(router):
    router.get(HOST)
    pytest.skip()

async def test_block():
    async with mock(strict=True) as router:
        router.get(HOST)
""").run()
    ran.outcomes(failed=4, skipped=1, xfailed=1)
    assert ran.reports["test_miss"] == (
        "no route answered GET http://api.test/\n  there are no routes\n"
        'on purpose? mock(strict=True, unmatched="allow")'
    )
    assert ran.reports["test_unused"] == (
        "1 route was never called\n  1. GET http://api.test  test_it.py:14\n  there were no requests\n"
        'on purpose? route.optional() / mock(strict=True, unused="allow")'
    )
    assert "never called" not in ran.reports["test_own"]
    assert ">       async with mock(strict=True) as router:" in ran.reports["test_block"]
    assert "aiotest_kit/" not in "".join(ran.reports.values())


def test_without_a_call(suite: Suite) -> None:
    """`@mock` without parentheses is an error where the file is collected, at that line."""
    ran = suite.tests("from aiotest_kit import mock\n\n@mock\ndef test_it(router): pass").run()
    ran.outcomes(errors=1)
    assert (
        "UsageError: @mock goes with parentheses, which may have settings: @mock() above test_it" in ran.text
    )


def test_strict_and_wider(suite: Suite) -> None:
    """A strict mock of a wider fixture tells the tests of misses, and at its end only of what is left."""
    ran = suite.tests("""
from aiotest_kit import mock

@pytest.fixture(scope="module")
def api():
    with mock(strict=True) as router:
        router.get(f"{HOST}/never")
        yield router

async def test_swallows(api):
    await swallow(HOST)

def test_last(api): pass
""").run()
    ran.outcomes(passed=1, failed=1, errors=1)
    assert "no route answered" in ran.reports["test_swallows"]
    assert "no route answered" not in ran.reports["ERROR at teardown of test_last"]
    assert "1 route was never called" in ran.reports["ERROR at teardown of test_last"]
