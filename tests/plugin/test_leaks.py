import gc
import re
import warnings

import pytest

from tests.support.loops import LOOP

from .conftest import PLUGIN, Ran, Suite

PRELUDE = """
import asyncio, gc, socket
import aiohttp, pytest, pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

kept = []

async def ok(request):
    return web.Response(text="ok")

def app():
    app = web.Application()
    app.router.add_get("/", ok)
    return app

async def for_ever():
    await asyncio.get_running_loop().create_future()
"""

# aiohttp remembers a thousand handlers, and with `ok` would keep the module, long after its run.
FORGET = """
import sys

def pytest_unconfigure():
    sys.modules["test_it"].kept.clear()
"""

# The body of a test, and what is said of it; `made` stands for the line of the body that has `# here`.
LEAKS = {
    "session": ("kept.append(aiohttp.ClientSession())  # here", ["ClientSession  made"]),
    "session in a cycle": (
        "cycle = [aiohttp.ClientSession()]  # here\ncycle.append(cycle)",
        ["ClientSession  made"],
    ),
    "session that is dropped": ("aiohttp.ClientSession()  # here", ["ClientSession  made"]),
    "session with a connector": (
        "kept.append(aiohttp.ClientSession(connector=aiohttp.TCPConnector()))  # here",
        ["ClientSession  made"],
    ),
    "connector": ("kept.append(aiohttp.TCPConnector())  # here", ["TCPConnector  made"]),
    "connector of a session": (
        "kept.append(aiohttp.TCPConnector())  # here\n"
        "async with aiohttp.ClientSession(connector=kept[-1], connector_owner=False): pass",
        ["TCPConnector  made"],
    ),
    "connector that is dropped": (
        "connector = aiohttp.TCPConnector()  # here\n"
        "async with (\n"
        "    TestServer(app()) as server,\n"
        "    aiohttp.ClientSession(connector=connector, connector_owner=False) as session,\n"
        "    session.get(server.make_url('/')) as response,\n"
        "): await response.read()\n"
        "del connector, session, response\n"
        "gc.collect()",
        ["TCPConnector  made"],
    ),
    "task": ("kept.append(asyncio.ensure_future(for_ever()))  # here", ["task for_ever  made"]),
    "task that nobody called for": (
        "asyncio.get_running_loop().call_soon(asyncio.ensure_future, for_ever())\nawait asyncio.sleep(0)",
        ["task for_ever"],
    ),
    "task in a group of names": (
        "task = asyncio.create_task(for_ever(), name='mine')  # here\nkept.append(task)",
        ["task for_ever  made"],
    ),
    "server": (
        "kept.append(await asyncio.start_server(print, '127.0.0.1', 0))  # here",
        ["a socket that listens on 127.0.0.1:PORT  made"],
    ),
    "connection": (
        """
server = socket.create_server(("127.0.0.1", 0))
kept.append(await asyncio.open_connection(*server.getsockname()))  # here
kept.append(server)
""",
        ["a connection to 127.0.0.1:PORT  made"],
    ),
    "connection that is dropped": (
        """
server = socket.create_server(("127.0.0.1", 0))
make = asyncio.get_running_loop().create_connection
transport, _ = await make(asyncio.Protocol, *server.getsockname())  # here
transport.pause_reading()
server.close()
del transport, _
gc.collect()
""",
        ["_SelectorSocketTransport  made"],
    ),
    "response of a wide session": (
        "kept.append(await wide.get(wide_url + 'held'))  # here",
        ["GET http://127.0.0.1:PORT/held: unreleased ClientResponse  made"],
    ),
    "response that a wide session dropped": (
        "await wide.get(wide_url + 'held?a=1')  # here\ngc.collect()",
        ["GET http://127.0.0.1:PORT/held: unreleased ClientResponse  made"],
    ),
    "response of a call in a task": (
        "kept.extend(await asyncio.gather(wide.get(wide_url + 'held')))  # here",
        ["GET http://127.0.0.1:PORT/held: unreleased ClientResponse  made"],
    ),
    "response of a closed session": (
        """
async with aiohttp.ClientSession() as session:
    kept.append(await session.get(wide_url + 'held'))  # here
""",
        ["GET http://127.0.0.1:PORT/held: unreleased ClientResponse  made"],
    ),
    "response of a session that is open": (
        """
session = aiohttp.ClientSession()  # here
kept.append(await session.get(wide_url + 'held'))
kept.append(session)
""",
        ["ClientSession  made", "GET http://127.0.0.1:PORT/held: unreleased ClientResponse  made below"],
    ),
    "websocket": (
        "kept.append(await wide.ws_connect(wide_url + 'ws'))  # here",
        ["GET http://127.0.0.1:PORT/ws: unclosed websocket  made"],
    ),
    "exception of a task": (
        """
async def fails():
    raise KeyError("lost")
asyncio.ensure_future(fails())  # here
await asyncio.sleep(0)
gc.collect()
""",
        ["Task exception was never retrieved: KeyError('lost')  made"],
    ),
    "exception of a future": (
        "asyncio.get_running_loop().create_future().set_exception(KeyError('lost'))\ngc.collect()",
        ["Future exception was never retrieved: KeyError('lost')"],
    ),
}
WIDE = """
@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def wide_url():
    app_ = app()
    async def held(request):
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"x" * 100)
        await asyncio.sleep(3600)
        return response
    async def talk(request):
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        await ws.receive()
        return ws
    app_.router.add_get("/held", held)
    app_.router.add_get("/ws", talk)
    server = TestServer(app_)
    await server.start_server(shutdown_timeout=0.01)
    yield str(server.make_url("/"))
    await server.close()

@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def wide():
    async with aiohttp.ClientSession() as session:
        yield session
    for response in kept:
        if isinstance(response, aiohttp.ClientResponse):
            response.close()
        elif isinstance(response, aiohttp.ClientWebSocketResponse):
            await response.close()
"""
ALLOWED = ("-W", "ignore::pytest.PytestUnraisableExceptionWarning", "-W", "ignore::ResourceWarning")

# pytestmark = asyncio_only

pytestmark = pytest.mark.aiotest(leaks="off")


def body(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.strip("\n").splitlines())


def check(suite: Suite, text: str, *args: str) -> Ran:
    return run(suite.ini("aiotest_kit_leaks = error"), text, "-p", "no:logging", *args)


def run(suite: Suite, text: str, *args: str) -> Ran:
    suite.pytester.makepyfile(test_it=PRELUDE + text, forget=FORGET)
    suite.pytester.syspathinsert()
    ran = suite.run(*ALLOWED, "-p", "forget", *args)
    collect()
    return ran


def collect() -> None:
    """Let what a run left open go, before it disturbs a test that has nothing to do with it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gc.collect()


@pytest.mark.parametrize("scope", ["function", "session"])
def test_leaks(suite: Suite, scope: str) -> None:
    """Each kind is found once, blamed on the test and on the line; the test after it is clean."""
    leaks = {
        name: (code, says)
        for name, (code, says) in LEAKS.items()
        # uvloop closes the transports that are dropped without a word.
        if (scope == "session" or "wide" not in code) and (LOOP != "uvloop" or "Transport" not in says[0])
    }
    text = f'{WIDE}\npytestmark = pytest.mark.asyncio(loop_scope="{scope}")\n'
    expected = {}
    for number, (code, says) in enumerate(leaks.values()):
        first = len((PRELUDE + text).strip("\n").splitlines()) + 2
        arguments = "wide, wide_url" if "wide" in code else ""
        code = code.strip("\n")
        text += f"\nasync def test_{number}({arguments}):\n{body(code)}\n"
        text += f"\nasync def test_after_{number}(): pass\n"
        line = first + 1 + next((at for at, part in enumerate(code.splitlines()) if "# here" in part), 0)
        lines = [
            part.replace("made below", f"made at test_it.py:{line + 1}")
            if part.endswith("below")
            else part.replace("made", f"made at test_it.py:{line}")
            for part in says
        ]
        expected[f"ERROR at teardown of test_{number}"] = "\n  ".join(
            [f"test_it.py::test_{number} left open:", *lines]
        )
    ran = check(suite, text)
    assert expected == {title: without_ports(report) for title, report in ran.reports.items()}
    ran.outcomes(passed=2 * len(leaks), errors=len(leaks))


def without_ports(text: str) -> str:
    return re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", text)


CLEAN = """
{wide}
pytestmark = pytest.mark.asyncio(loop_scope="{scope}")

@pytest_asyncio.fixture(loop_scope="{scope}")
async def own():
    async with aiohttp.ClientSession() as session:
        yield session

@pytest_asyncio.fixture(loop_scope="{scope}")
async def client():
    async with TestClient(TestServer(app())) as client:
        yield client

async def test_own_session(own): pass

async def test_inside():
    async with aiohttp.ClientSession(): pass

async def test_client(client):
    assert (await client.get("/")).status == 200

async def test_unread_response(client):
    kept.append(await client.get("/"))

async def test_mock(aiohttp_mock, own):
    aiohttp_mock.get("http://api.test/").reply(json=1)
    async with own.get("http://api.test/") as response:
        assert 1 == await response.json()

async def test_clock(virtual_clock):
    await asyncio.sleep(1e6)

async def test_cancelled_task():
    asyncio.ensure_future(for_ever()).cancel()

async def test_ended_task():
    await asyncio.ensure_future(asyncio.sleep(0))

async def test_thread():
    await asyncio.to_thread(sum, [1])

async def test_server():
    async with await asyncio.start_server(print, "127.0.0.1", 0): pass

@pytest.mark.xfail(strict=True)
async def test_fails():
    kept.append(aiohttp.ClientSession())
    assert 0

@pytest.mark.aiotest(leaks="off")
async def test_off():
    kept.append(aiohttp.ClientSession())
    kept.append(asyncio.ensure_future(for_ever()))
"""
CLEAN_WIDE = """
@pytest.mark.parametrize("number", range(3))
async def test_wide(wide, wide_url, number):
    async with wide.get(wide_url) as response:
        assert "ok" == await response.text()

async def test_wide_and_late(request, own, wide, wide_url):
    async with own.get(wide_url) as response, wide.get(wide_url) as other:
        pass
"""


@pytest.mark.parametrize("scope", ["function", "session"])
def test_no_false_alarm(suite: Suite, scope: str) -> None:
    """What a test or a fixture closes, or what outlives the test on purpose, is no leak."""
    text = CLEAN.format(scope=scope, wide=WIDE if scope == "session" else "")
    if scope == "session":
        text += CLEAN_WIDE
    check(suite, text, "-W", "ignore:unclosed").outcomes(passed=11 + 4 * (scope == "session"), xfailed=1)


def test_warn(suite: Suite) -> None:
    """With `warn` it is a warning, which has a category of its own."""
    ran = run(
        suite.ini("aiotest_kit_leaks = warn"),
        "async def test_it(): kept.append(aiohttp.ClientSession())",
        "-W",
        "always::aiotest_kit.LeakWarning",
    )
    ran.outcomes(passed=1, warnings=1)
    assert "LeakWarning: test_it.py::test_it left open:" in ran.text


def test_marker(suite: Suite) -> None:
    """A marker turns it on for a test; the others are not looked at."""
    text = """
async def test_not(): kept.append(aiohttp.ClientSession())

@pytest.mark.aiotest(leaks="error")
async def test_it(): kept.append(aiohttp.ClientSession())
"""
    ran = run(suite, text, "--strict-markers")
    ran.outcomes(passed=2, errors=1)
    assert ran.report("ERROR at teardown of test_it").startswith("test_it.py::test_it left open:")


def test_sync_and_unittest(suite: Suite) -> None:
    """Sessions are looked for in tests of any kind."""
    ran = check(
        suite,
        """
import unittest

async def make():
    kept.append(aiohttp.ClientSession())  # here

def test_sync(): asyncio.run(make())

class TestIt(unittest.IsolatedAsyncioTestCase):
    async def test_method(self): await make()
""",
    )
    ran.outcomes(passed=2, errors=2)
    assert 2 == ran.text.count("ClientSession  made at test_it.py:")


@pytest.mark.parametrize("setting", ["", "aiotest_kit_leaks = off"])
def test_off(suite: Suite, setting: str) -> None:
    """Switched off, nothing is imported, registered or patched for it."""
    suite.ini(setting).pytester.makepyfile(
        test_it="""
import sys
import aiohttp

async def test_it(request):
    assert not request.config.pluginmanager.has_plugin("aiotest_kit._plugin.leak_hooks")
    assert "_aiotest_leaks" not in request.fixturenames
    assert "ClientSession.__init__" == aiohttp.ClientSession.__init__.__qualname__
    assert "aiohttp.client" == aiohttp.ClientSession.__init__.__globals__["__name__"]
"""
    )
    # In this process, these very tests may be checked.
    suite.run_alone("-p", PLUGIN).outcomes(passed=1)


def test_nothing_is_left(suite: Suite) -> None:
    """After the run aiohttp is as before."""
    import aiohttp

    before = aiohttp.ClientSession.__init__, aiohttp.BaseConnector.__init__
    check(suite, "async def test_it(): pass").outcomes(passed=1)
    assert before == (aiohttp.ClientSession.__init__, aiohttp.BaseConnector.__init__)


def test_uvloop(suite: Suite) -> None:
    """On uvloop, which tells less of itself, sessions and tasks are found."""
    pytest.importorskip("uvloop")
    suite.conftest("""
import pytest, uvloop

@pytest.fixture(scope="session")
def event_loop_policy():
    return uvloop.EventLoopPolicy()
""")
    ran = check(
        suite,
        """
async def test_session(): kept.append(aiohttp.ClientSession())
async def test_task(): kept.append(asyncio.ensure_future(for_ever()))
async def test_nothing(): pass
""",
        "-W",
        "ignore::DeprecationWarning",
        "-W",
        "ignore::pytest.PytestDeprecationWarning",
    )
    ran.outcomes(passed=3, errors=2)


def test_anyio(suite: Suite) -> None:
    """anyio's loop is looked at as well."""
    suite.pytester.makeini(
        "[pytest]\nasyncio_default_fixture_loop_scope = function\naiotest_kit_leaks = error"
    )
    suite.pytester.makepyfile(
        test_it=PRELUDE
        + """
@pytest.fixture
def anyio_backend():
    return "asyncio"

@pytest.mark.anyio
async def test_leaks(): kept.append(asyncio.ensure_future(for_ever()))

@pytest.mark.anyio
async def test_nothing(): pass
"""
    )
    ran = suite.run("-p", "anyio", *ALLOWED, "-p", "no:logging")
    collect()
    ran.outcomes(passed=2, errors=1)
    assert "task for_ever  made at test_it.py:" in ran.text
