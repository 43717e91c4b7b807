"""The leak check at each door, beside wider fixtures, threads and plugins, and where warnings are errors."""

import gc
import re
import warnings
from importlib.util import find_spec
from inspect import signature

import aiohttp
import pytest

from tests.support.loops import LOOP

from .conftest import Ran, Suite

PRELUDE = """
import asyncio, contextlib, gc, threading
import aiohttp, pytest, pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from aiotest_kit import Router, Upstream, mock, mock_session
from aiotest_kit.websocket import expect
from aiotest_kit.fixtures import mock_fixture, upstream_fixture

kept = []
BIG = b"x" * 1_000_000

async def ok(request):
    return web.Response(text="ok")

async def big(request):
    return web.Response(body=BIG)

async def for_ever(request=None):
    await asyncio.get_running_loop().create_future()

async def get(session, url):
    async with session.get(url) as response:
        return await response.text()

async def timed_out(session, url):
    with pytest.raises(asyncio.TimeoutError):
        await session.get(url, timeout=aiohttp.ClientTimeout(0.05))
"""
WIDE = """
pytestmark = pytest.mark.asyncio(loop_scope="session")
upstream = upstream_fixture(loop_scope="session")
thread = upstream_fixture(thread=True)
api = mock_fixture()

@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def session():
    async with aiohttp.ClientSession() as session:
        yield session

class Lazy:
    \"\"\"An app that makes what it needs when it is asked first, and ends it at its own end.\"\"\"

    def __init__(self, url=""):
        self.url, self.session, self.tasks = url, None, []

    def app(self, startup=False):
        app = web.Application()
        app.router.add_get("/ok", ok)
        app.router.add_get("/lazy", self.lazy)
        app.router.add_get("/stream", self.stream)
        if startup:
            app.on_startup.append(self.make)
        app.on_cleanup.append(self.end)
        return app

    async def make(self, app):
        self.session = aiohttp.ClientSession()
        self.tasks.append(asyncio.create_task(for_ever()))

    async def end(self, app):
        for task in self.tasks:
            task.cancel()
        if self.session is not None:
            await self.session.close()

    async def lazy(self, request):
        if self.session is None:
            await self.make(request.app)
        return web.Response(text=await get(self.session, self.url + "/ok"))

    async def stream(self, request):
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x")
            await asyncio.sleep(0.001)

@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server():
    lazy = Lazy()
    async with TestServer(lazy.app()) as server:
        lazy.url = str(server.make_url("")).rstrip("/")
        yield lazy.url

@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def worker(server):
    \"\"\"Tasks that are made all the time, with connections of their own.\"\"\"
    async def read(session):
        async with session.get(server + "/stream") as response:
            async for _ in response.content.iter_any():
                turned.set()

    async def work():
        async with aiohttp.ClientSession() as session:
            while True:
                tasks.append(asyncio.ensure_future(read(session)))
                await asyncio.sleep(0.01)
                if len(tasks) > 5:
                    # The first two are the worker itself, and one that ends with it.
                    tasks.pop(2).cancel()

    tasks, turned = [], asyncio.Event()
    tasks.append(asyncio.ensure_future(work()))
    tasks.append(asyncio.ensure_future(for_ever()))
    yield turned
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

@pytest.fixture(scope="session")
def thread_with_sessions():
    async def work():
        while not stop.is_set():
            async with aiohttp.ClientSession():
                made.set()
                await asyncio.sleep(0.001)

    stop, made = threading.Event(), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(work()))
    thread.start()
    yield made
    stop.set()
    thread.join()

@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def router(server):
    async with mock() as router:
        router.mount("http://app.test", Lazy(server).app(startup=True))
        router.mount("http://asgi.test", asgi)
        yield router

async def asgi(scope, receive, send):
    if scope["type"] == "lifespan":
        for _ in range(2):
            message = await receive()
            await send({"type": message["type"] + ".complete"})
    else:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})
"""
# The arguments of a test, and its body. All of it runs twice.
USES = {
    "worker": ("worker", "worker.clear(); await worker.wait()"),
    "lazy app": ("server, session", "assert 'ok' == await get(session, server + '/lazy')"),
    "thread": (
        "thread_with_sessions",
        "made = thread_with_sessions; made.clear(); await asyncio.to_thread(made.wait)",
    ),
    "sync fixture": ("thread", "thread.get('/ok').reply(200)"),
    "upstream": (
        "upstream, session",
        """
upstream.get('/ok').reply(lambda request: "ok")
assert "ok" == await get(session, upstream.url / "ok")
""",
    ),
    "upstream in a thread": (
        "thread, session",
        """
thread.get('/ok').reply(lambda request: "ok")
assert "ok" == await get(session, thread.url / "ok")
""",
    ),
    "upstream whose client goes": (
        "upstream, session",
        """
upstream.get('/ok').reply(for_ever)
await timed_out(session, upstream.url / 'ok')
""",
    ),
    "upstream that holds": (
        "upstream, session",
        "gate = upstream.get('/ok').hold()\nawait timed_out(session, upstream.url / 'ok')",
    ),
    "upstream that relays": (
        "upstream, server, session",
        "upstream.get('/ok').forward(server)\nassert 'ok' == await get(session, upstream.url / 'ok')",
    ),
    "mock": (
        "router, session",
        """
router.get("http://api.test/").stream([b"o", b"k"])
assert "ok" == await get(session, "http://api.test/")
async with session.get("http://api.test/"):
    pass
""",
    ),
    "mock whose client goes": (
        "router, session",
        "router.get('http://api.test/').reply(for_ever)\nawait timed_out(session, 'http://api.test/')",
    ),
    "mock with an app": ("router, session", "assert 'ok' == await get(session, 'http://app.test/ok')"),
    "mock with an ASGI app": ("router, session", "assert 'ok' == await get(session, 'http://asgi.test/')"),
    "mock fixture": (
        "api, session",
        """
api.get("http://api.test/").reply(lambda request: "ok")
api.get("http://api.test/never").reply(for_ever)
assert "ok" == await get(session, "http://api.test/")
await timed_out(session, "http://api.test/never")
""",
    ),
    "mock fixture with an app of the test": (
        "api, server, session",
        """
api.mount("http://api.test", Lazy(server).app(startup=True))
assert "ok" == await get(session, "http://api.test/lazy")
""",
    ),
    "mock fixture with an ASGI app of the test": (
        "api, session",
        "api.mount('http://api.test', asgi)\nassert 'ok' == await get(session, 'http://api.test/')",
    ),
    "upstream with an app of the test": (
        "upstream, server, session",
        """
upstream.mount(str(upstream.url), Lazy(server).app(startup=True))
assert "ok" == await get(session, upstream.url / "lazy")
""",
    ),
    "mock with websockets": (
        "router, session",
        """
ws = router.ws("http://api.test/ws")
async with session.ws_connect("http://api.test/ws") as client:
    connection = await ws.connection(timeout=1)
    await connection.send_str("hello")
    assert "hello" == await client.receive_str()
""",
    ),
}
DOORS = {
    "memory": """
aiohttp_mock.get("http://api.test/").reply(body=BIG)
async with aiohttp.ClientSession() as session:
    kept.append(await session.get("http://api.test/"))  # here
""",
    "memory, dropped": """
aiohttp_mock.get("http://api.test/").reply(body=BIG)
async with aiohttp.ClientSession() as session:
    await session.get("http://api.test/")  # here
    gc.collect()
""",
    "block": """
async with mock() as router, aiohttp.ClientSession() as session:
    router.get("http://api.test/").stream([b"x", 100])
    kept.append(await session.get("http://api.test/"))  # here
""",
    "session": """
router = Router()
router.get("http://api.test/").reply(body=BIG)
async with mock_session(router) as session:
    kept.append(await session.get("http://api.test/"))  # here
""",
    "middleware": """
async def middleware(request, handler):
    return await handler(request)
aiohttp_mock.get("http://api.test/").reply(body=BIG)
async with aiohttp.ClientSession(middlewares=[middleware]) as session:
    kept.append(await session.get("http://api.test/"))  # here
""",
    "loopback": """
aiohttp_upstream.get("/").reply(body=BIG)
async with aiohttp.ClientSession() as session:
    kept.append(await session.get(aiohttp_upstream.url))  # here
""",
    "tls": """
async with Upstream(tls=True) as upstream, aiohttp.ClientSession() as session:
    upstream.get("/").reply(body=BIG)
    kept.append(await session.get(upstream.url, ssl=upstream.ssl_context()))  # here
""",
    "websocket": """
aiohttp_mock.ws("http://api.test/").reply(lambda ws: ws.receive())
async with aiohttp.ClientSession() as session:
    kept.append(await session.ws_connect("http://api.test/"))  # here
""",
}
DUE = {
    "small": """
aiohttp_mock.get("http://api.test/").reply(text="small")
async with aiohttp.ClientSession() as session:
    kept.append(await session.get("http://api.test/"))
""",
    "read": """
aiohttp_mock.get("http://api.test/").reply(body=BIG)
async with aiohttp.ClientSession() as session:
    kept.append(await session.get("http://api.test/"))
    await kept[-1].read()
""",
    "released": """
aiohttp_mock.get("http://api.test/").reply(body=BIG)
async with aiohttp.ClientSession() as session:
    kept.append(await session.get("http://api.test/"))
    kept[-1].release()
""",
    "closed": """
aiohttp_mock.get("http://api.test/").reply(body=BIG)
async with aiohttp.ClientSession() as session:
    kept.append(await session.get("http://api.test/"))
    kept[-1].close()
""",
    "of the app's client, which closes it": """
app = web.Application()
app.router.add_get("/", big)
client = await aiohttp_stub_client(app)
kept.append(await client.get("/"))
""",
    "that fails": """
aiohttp_mock.get("http://api.test/").reply(body=BIG)
aiohttp_mock.get("http://api.test/e").reply(500, body=BIG)
async with aiohttp.ClientSession(raise_for_status=True) as session:
    with pytest.raises(aiohttp.ClientResponseError):
        await session.get("http://api.test/e")
""".replace('aiohttp_mock.get("http://api.test/").reply(body=BIG)\n', ""),
    "websocket": """
aiohttp_mock.ws("http://api.test/").script(expect("x"))
async with aiohttp.ClientSession() as session:
    websocket = await session.ws_connect("http://api.test/")
    await websocket.send_str("x")
    await websocket.close()
""",
}
FIXTURES = ("aiohttp_mock", "aiohttp_upstream", "aiohttp_stub_client")
DROPPED = {
    "ClientSession": "aiohttp.ClientSession()  # here",
    "TCPConnector": """
connector = aiohttp.TCPConnector()  # here
async with aiohttp.ClientSession(connector=connector, connector_owner=False) as session:
    assert "ok" == await get(session, server)
del connector, session
gc.collect()
""",
    "unreleased ClientResponse": """
async with aiohttp.ClientSession() as session:
    await session.get(server + "/stream")  # here
    gc.collect()
""",
    "_SelectorSocketTransport": """
url = server.removeprefix("http://").split(":")
transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, *url)  # here
transport.pause_reading()
del transport, _
gc.collect()
""",
    "task for_ever": "kept.append(asyncio.ensure_future(for_ever()))  # here",
    "a socket that listens": "kept.append(await asyncio.start_server(print, '127.0.0.1', 0))  # here",
}
SERVER = """
@pytest_asyncio.fixture
async def server():
    app = web.Application()
    app.router.add_get("/", ok)
    app.router.add_get("/stream", big)
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/")
"""
ALLOWED = ("-W", "ignore::pytest.PytestUnraisableExceptionWarning", "-W", "ignore::ResourceWarning")
FORGET = """
import sys

def pytest_unconfigure():
    for module in [module for name, module in sys.modules.items() if name.startswith("test_")]:
        vars(module).get("kept", []).clear()
"""

pytestmark = pytest.mark.aiotest(leaks="off")


def body(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.strip("\n").splitlines())


def run(suite: Suite, text: str, *args: str) -> Ran:
    suite.ini("aiotest_kit_leaks = error").pytester.makepyfile(test_it=PRELUDE + text, forget=FORGET)
    suite.pytester.syspathinsert()
    ran = suite.run("-p", "no:logging", "-p", "forget", *args)
    # What the run left open is not to disturb a test that has nothing to do with it.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gc.collect()
    return ran


def line_of(suite: Suite) -> int:
    """The line that has `# here`."""
    lines = (suite.pytester.path / "test_it.py").read_text().splitlines()
    (line,) = (number for number, each in enumerate(lines, 1) if each.endswith("# here"))
    return line


@pytest.mark.parametrize("use", USES)
def test_wide_fixture(suite: Suite, use: str) -> None:
    """What a wider fixture makes while a test runs, for itself or at the test's request, is no leak."""
    arguments, code = USES[use]
    text = f"""
{WIDE}
@pytest.mark.parametrize("number", range(2))
async def test_it({arguments}, number):
{body(code)}
"""
    run(suite, text).outcomes(passed=2)


def test_wide_fixture_and_a_leak(suite: Suite) -> None:
    """Beside wider fixtures that are busy, what the test itself leaves open is found, in threads too."""
    text = f"""
{WIDE}
async def test_task(worker, session, upstream):
    upstream.get("/ok").reply(text="ok")
    await get(session, upstream.url / "ok")
    kept.append(asyncio.ensure_future(for_ever()))

async def test_threads(thread_with_sessions):
    async def make():
        kept.append(aiohttp.ClientSession())
    for run in (threading.Thread(target=lambda: asyncio.run(make())),):
        run.start()
        run.join()
    await asyncio.to_thread(lambda: asyncio.run(make()))
"""
    ran = run(suite, text, *ALLOWED)
    ran.outcomes(passed=2, errors=2)
    assert {
        "ERROR at teardown of test_task": ["task for_ever"],
        "ERROR at teardown of test_threads": ["ClientSession"],
    } == {title: re.findall("^  (.+)  made", report, re.MULTILINE) for title, report in ran.reports.items()}


@pytest.mark.parametrize("door", DOORS)
def test_responses(suite: Suite, door: str) -> None:
    """A response that was neither read to its end nor released is found, at the line that made the call."""
    code = DOORS[door]
    if door == "middleware" and "middlewares" not in signature(aiohttp.ClientSession).parameters:
        pytest.skip("aiohttp has no middlewares before 3.12")
    arguments = ", ".join(name for name in FIXTURES if name in code)
    ran = run(suite, f"async def test_it({arguments}):\n{body(code)}", *ALLOWED)
    ran.outcomes(passed=1, errors=1)
    what = "unclosed websocket" if door == "websocket" else "unreleased ClientResponse"
    told, _, _ = ran.report("ERROR at teardown of test_it").partition("\n--- aiohttp calls ---")
    assert re.fullmatch(
        rf"test_it.py::test_it left open:\n  GET http\S+: {what}  made at test_it.py:{line_of(suite)}", told
    )


@pytest.mark.parametrize("case", DUE)
def test_responses_that_are_due(suite: Suite, case: str) -> None:
    """One that was read, released or closed, or whose body came at once, holds nothing."""
    code = DUE[case]
    arguments = ", ".join(name for name in FIXTURES if name in code)
    run(suite, f"async def test_it({arguments}):\n{body(code)}").outcomes(passed=1)


@pytest.mark.parametrize("what", DROPPED)
@pytest.mark.parametrize("filters", ["error::ResourceWarning", "error"])
def test_warnings_as_errors(suite: Suite, what: str, filters: str) -> None:
    """Where aiohttp's and asyncio's warnings are errors, leaks are found, at their lines, all the same."""
    if LOOP == "uvloop" and "Transport" in what:
        pytest.skip("uvloop closes the transports that are dropped without a word")
    text = f"{SERVER}\nasync def test_it(server):\n{body(DROPPED[what])}\n"
    suite.pytester.makepyfile(test_it=PRELUDE + text)
    suite.ini(f"aiotest_kit_leaks = error\nfilterwarnings = {filters}")
    ran = Ran(suite.pytester.runpytest_subprocess("-p", "aiotest_kit.pytest_plugin", "-p", "no:logging"))
    report = ran.reports["ERROR at teardown of test_it"]
    assert re.search(rf"^  .*{what}.*  made at test_it.py:{line_of(suite)}$", report, re.MULTILINE), ran.text


@pytest.mark.parametrize(
    ("plugin", "args", "errors"),
    [
        ("xdist", ("-p", "xdist", "-n", "2"), 1),
        ("pytest_rerunfailures", ("-p", "rerunfailures", "--reruns", "1"), 1),
        ("pytest_repeat", ("-p", "repeat", "--count", "3"), 3),
    ],
)
def test_beside_plugins(suite: Suite, plugin: str, args: tuple[str, ...], errors: int) -> None:
    """Each run of a test is judged by itself."""
    if not find_spec(plugin):
        pytest.skip(f"{plugin} is not installed")
    text = f"""
{WIDE}
async def test_clean(worker, upstream, session):
    upstream.get("/ok").reply(text="ok")
    assert "ok" == await get(session, upstream.url / "ok")

async def test_leaks(worker):
    kept.append(asyncio.ensure_future(for_ever()))
"""
    suite.pytester.makepyfile(test_it=PRELUDE + text)
    suite.ini("aiotest_kit_leaks = error")
    ran = suite.run_alone("-p", "aiotest_kit.pytest_plugin", *ALLOWED, *args)
    outcomes = ran.result.parseoutcomes()
    assert (2 * errors, errors) == (outcomes.pop("passed"), outcomes.pop("errors")), ran.text
    assert {} == {name: number for name, number in outcomes.items() if name != "rerun"}
    assert errors == ran.text.count("\n  task for_ever  made at test_it.py:")
