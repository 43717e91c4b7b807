"""Every door, on every kind of loop, in every mode, beside the usual plugins: nothing breaks, nothing goes
out.

Plugins that are not installed are skipped; `make test-surroundings SURROUNDINGS=plugins` installs them all.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import tests.support
from tests.support.loops import LOOP

from .conftest import INI, PLUGIN, QUIET, Ran, Suite
from .test_fixture_order import CONFTEST

DOORS = """
from conftest import *
from urllib.request import urlopen

from aiotest_kit import Router, Upstream, mock, mock_session


async def test_memory(aiohttp_mock):
    aiohttp_mock.get("https://api.test/a").reply(json=[1])
    async with aiohttp.ClientSession() as session, session.get("https://api.test/a") as response:
        assert [1] == await response.json()


async def test_two_on_a_connection(aiohttp_mock):
    route = aiohttp_mock.get("https://api.test/a").reply(lambda request: "x")
    async with aiohttp.ClientSession() as session:
        for _ in range(2):
            async with session.get("https://api.test/a") as response:
                assert "x" == await response.text()
    assert 2 == route.call_count


async def test_session():
    router = Router()
    router.post("https://api.test/a").reply(201)
    async with mock_session(router) as session:
        async with session.post("https://api.test/a", data=b"x" * 100_000) as response:
            assert 201 == response.status


async def test_block():
    async with mock() as router, aiohttp.ClientSession() as session:
        router.get("https://api.test/a").stream([b"a", b"b"])
        async with session.get("https://api.test/a") as response:
            assert b"ab" == await response.read()


async def test_loopback(aiohttp_upstream):
    aiohttp_upstream.get("/a").reply(json=[1])
    async with aiohttp.ClientSession() as session:
        for _ in range(2):
            async with session.get(aiohttp_upstream.url / "a") as response:
                assert [1] == await response.json()


async def test_tls():
    async with Upstream(tls=True) as up, aiohttp.ClientSession() as session:
        up.get("/a").reply(text="x")
        async with session.get(up.url / "a", ssl=up.ssl_context()) as response:
            assert "x" == await response.text()


async def test_websocket(aiohttp_mock):
    aiohttp_mock.ws("wss://api.test/ws").reply(echo)
    async with aiohttp.ClientSession() as session, session.ws_connect("wss://api.test/ws") as ws:
        await ws.send_str("hello")
        assert "hello" == await ws.receive_str()


async def echo(ws):
    async for message in ws:
        await ws.send_str(message.data)


@pytest.mark.parametrize("door", ["memory", "tcp"])
async def test_app(aiohttp_stub_client, aiohttp_mock, door):
    aiohttp_mock.post(URL).reply(204).optional()
    client = await aiohttp_stub_client(app(), door=door)
    client.stubs.get("/").reply(text="stub")
    async with client.get("/") as response:
        assert "stub" == await response.text()


async def test_mounted(aiohttp_mock):
    aiohttp_mock.post(URL).reply(204).optional()
    aiohttp_mock.mount("https://svc.test", asgi)
    async with aiohttp.ClientSession() as session, session.get("https://svc.test/x") as response:
        assert "x" == await response.text()


def test_sync(aiohttp_mock, aiohttp_upstream):
    aiohttp_mock.get("https://api.test/a").reply(text="x")
    aiohttp_upstream.get("/a").reply(text="y")

    async def call():
        async with aiohttp.ClientSession() as session, session.get("https://api.test/a") as response:
            return await response.text()

    assert "x" == asyncio.run(call())
    with urlopen(str(aiohttp_upstream.url / "a")) as response:
        assert b"y" == response.read()


async def test_virtual_time(virtual_clock, aiohttp_mock):
    aiohttp_mock.get("https://api.test/a").reply(200, delay=100)
    async with aiohttp.ClientSession() as session, session.get("https://api.test/a") as response:
        assert 200 == response.status
    assert 100 <= virtual_clock.now < 101


@pytest.mark.xfail(strict=True)
async def test_unmatched(aiohttp_mock):
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientError):
            await session.get("https://api.test/")


@pytest.mark.xfail(strict=True)
def test_unused(aiohttp_mock):
    aiohttp_mock.get("https://api.test/a")
"""
MARKERS = {"auto": "", "strict": "@pytest.mark.asyncio\n", "anyio": "@pytest.mark.anyio\n"}
PLUGINS: dict[str, tuple[str, ...]] = {
    "none": (),
    "xdist": ("-p", "xdist", "-n", "2"),
    "pytest_rerunfailures": ("-p", "rerunfailures", "--reruns", "1"),
    "pytest_repeat": ("-p", "repeat", "--count", "2"),
    "pytest_timeout": ("-p", "timeout", "--timeout", "60"),
    "pytest_randomly": ("-p", "randomly"),
    "pytest_subtests": ("-p", "subtests"),
    "pytest_cov": ("-p", "pytest_cov", "--cov", "."),
    "pytest_socket": (
        *("-p", "socket", "--disable-socket"),
        *("--allow-hosts=127.0.0.1,::1", "--allow-unix-socket"),
    ),
    "httpdbg": (),
    "looptime": (),
}
LAST = """
from conftest import asked

def test_nothing_went_out():
    assert [] == asked
"""


@pytest.mark.parametrize("plugin", PLUGINS)
@pytest.mark.parametrize("mode", MARKERS)
def test_every_door(suite: Suite, monkeypatch: pytest.MonkeyPatch, mode: str, plugin: str) -> None:
    """A suite of all doors passes, fails where it has to, and asks for no name."""
    if plugin != "none" and find_spec(plugin) is None:
        pytest.skip(f"{plugin} is not installed")
    if plugin == "looptime" and mode == "anyio":
        pytest.skip("looptime asks for the current loop of tests that are not pytest-asyncio's")
    if plugin == "httpdbg" and LOOP:
        pytest.skip("one loop is enough for a wrapper of aiohttp's methods")
    backend = "@pytest.fixture\ndef anyio_backend(): return 'asyncio'\n" if mode == "anyio" else ""
    suite.pytester.makeini(INI.replace("auto", "auto" if mode == "auto" else "strict"))
    suite.conftest(CONFTEST + backend)
    suite.tests(DOORS.replace("async def test", f"{MARKERS[mode]}async def test"))
    suite.tests(LAST, name="test_zz")

    ran = run_beside(suite, monkeypatch, plugin)

    times = 2 if plugin == "pytest_repeat" else 1
    if LOOP == "uvloop":
        ran.outcomes(passed=times * 12, skipped=times, xfailed=times * 2)
    else:
        ran.outcomes(passed=times * 13, xfailed=times * 2)


def run_beside(suite: Suite, monkeypatch: pytest.MonkeyPatch, plugin: str) -> Ran:
    """Run a suite with this plugin, those that run async tests, and no other."""
    names = ["pytest_asyncio.plugin", "pytest_aiohttp.plugin", "anyio.pytest_plugin", PLUGIN]
    if plugin == "looptime":
        # It looks for pytest-asyncio under the name that its entry point has.
        monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", raising=False)
        names = ["no:randomly", "no:socket", "no:repeat"]
    else:
        monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    if LOOP:
        monkeypatch.setenv("PYTHONPATH", str(Path(tests.support.__file__).parents[2]), prepend=":")
        names.append("tests.support.loops")
    args = [*QUIET, *PLUGINS[plugin], *(arg for name in names for arg in ("-p", name))]
    command = ["-m", "httpdbg", "--no-banner", "--force-quit", "--module"] if plugin == "httpdbg" else ["-m"]
    return Ran(suite.pytester.run(sys.executable, *command, "pytest", *args, timeout=120))
