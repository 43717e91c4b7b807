"""`aiotest_kit.compat.aioresponses`: the fixture of pytest-aioresponses."""

from __future__ import annotations

import subprocess
import sys

import pytest

SUITE = """
    import aiohttp
    import pytest

    async def ask():
        async with aiohttp.ClientSession() as session, session.get("https://api.test/") as response:
            return await response.json()

    def test_sync(aioresponses):
        aioresponses.get("https://api.test/")

    async def test_async(aioresponses):
        aioresponses.get("https://api.test/", payload=1)
        assert await ask() == 1
        aioresponses.assert_called_once_with("https://api.test/")

    @pytest.mark.asyncio(loop_scope="module")
    async def test_wider_loop(aioresponses):
        aioresponses.assert_not_called()
        aioresponses.get("https://api.test/", payload=2)
        assert await ask() == 2

    async def test_beside_the_mock(aiohttp_mock, aioresponses):
        aiohttp_mock.get("https://api.test/").reply(json="route")
        assert await ask() == "route"
        aioresponses.get("https://api.test/", payload="stub")
        assert await ask() == "stub"
"""


@pytest.mark.parametrize(
    "conftest",
    [
        'pytest_plugins = ["aiotest_kit.compat.aioresponses"]',
        'pytest_plugins = ["aiotest_kit.compat.aioresponses.pytest_plugin"]',
        'pytest_plugins = ["aiotest_kit.compat.pytest_aioresponses"]',
        "from aiotest_kit.compat.pytest_aioresponses import aioresponses",
    ],
)
def test_fixture(pytester: pytest.Pytester, conftest: str) -> None:
    """Anew for each test, on whatever loop that runs, or on none."""
    pytester.makeini("[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n")
    pytester.makeconftest(conftest)
    pytester.makepyfile(SUITE)

    result = pytester.runpytest_inprocess()

    result.assert_outcomes(passed=4)


def test_pytest_is_not_needed() -> None:
    """A suite without pytest does not import it."""
    code = "import sys, aiotest_kit.compat.aioresponses; assert 'pytest' not in sys.modules"

    subprocess.run([sys.executable, "-c", code], check=True)
