import pytest

from .conftest import Suite

SCOPES = ["function", "class", "module", "package", "session"]

ASYNC = """
pytestmark = pytest.mark.asyncio(loop_scope="{scope}")

class TestIt:
    async def test_it(self, aiohttp_upstream):
        aiohttp_upstream.get("/a").reply(lambda request: str(id(asyncio.get_running_loop())))
        async with aiohttp.ClientSession() as session, session.get(aiohttp_upstream.url / "a") as response:
            assert str(id(asyncio.get_running_loop())) == await response.text()

    @pytest.mark.parametrize("status", [200, 404])
    async def test_kept_alive(self, aiohttp_upstream, status):
        aiohttp_upstream.get("/a").reply(status)
        assert await get(aiohttp_upstream.url / "a") == status
        assert aiohttp_upstream.calls.one().reply.status == status
"""

SYNC = """
import threading
from urllib.request import urlopen

@pytest.fixture
def hook(aiohttp_upstream):
    return aiohttp_upstream.get("/hook").reply(lambda request: threading.current_thread().name)

threads = set()

@pytest.mark.parametrize("number", [1, 2])
def test_it(aiohttp_upstream, hook, number):
    with urlopen(str(aiohttp_upstream.url / "hook")) as response:
        threads.add(response.read())
    assert {b"aiotest_kit upstream"} == threads
    assert hook.calls is aiohttp_upstream.run(hook.wait(1))
    assert 1 == [thread.name for thread in threading.enumerate()].count("aiotest_kit upstream")

class TestCase(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def upstream(self, aiohttp_upstream):
        self.upstream = aiohttp_upstream

    def test_it(self):
        self.upstream.get("/a").reply(text="hi")
        with urlopen(str(self.upstream.url / "a")) as response:
            assert b"hi" == response.read()
"""

BLOCKING = """
from urllib.request import urlopen

def fetch(url):
    with urlopen(str(url)) as response:
        return response.read()

{mark}
async def test_it(aiohttp_upstream):
    aiohttp_upstream.get("/a").reply(text="hi")
    assert b"hi" == fetch(aiohttp_upstream.url / "a")
    await aiohttp_upstream.wait(1)
"""

STRICT = """
async def test_unmatched(aiohttp_upstream):
    assert 501 == await get(aiohttp_upstream.url / "b")

async def test_unused(aiohttp_upstream):
    aiohttp_upstream.get("/a")

async def test_handler(aiohttp_upstream):
    def fail(request):
        assert 1 == 2
    aiohttp_upstream.get("/a").reply(fail)
    assert 500 == await get(aiohttp_upstream.url / "a")

@pytest.mark.aiotest(unmatched="allow", unused="allow")
async def test_allowed(aiohttp_upstream):
    aiohttp_upstream.get("/a")
    assert 501 == await get(aiohttp_upstream.url / "b")
"""


@pytest.mark.parametrize("scope", SCOPES)
def test_async(suite: Suite, scope: str) -> None:
    """It answers on the loop of the test, whatever its scope."""
    suite.pytester.makepyfile(__init__="")
    suite.tests(ASYNC.format(scope=scope)).run("--import-mode=importlib", "-o", "pythonpath=.").outcomes(
        passed=3
    )


def test_sync(suite: Suite) -> None:
    """Tests that are not async share one thread."""
    suite.tests(SYNC).run().outcomes(passed=3)


@pytest.mark.parametrize(
    ("ini", "mark"),
    [("", "@pytest.mark.aiotest(upstream='thread')"), ("aiotest_kit_upstream = thread", "")],
    ids=["marker", "ini"],
)
def test_thread_for_async(suite: Suite, ini: str, mark: str) -> None:
    """By marker or setting a thread serves async tests too, for their blocking clients."""
    suite.ini(ini).tests(BLOCKING.format(mark=mark)).run().outcomes(passed=1)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_anyio(suite: Suite, backend: str) -> None:
    """A test of anyio's plugin is served on its loop, one on trio by the thread."""
    pytest.importorskip(backend)
    suite.pytester.makeini("[pytest]\nasyncio_mode = strict\nasyncio_default_fixture_loop_scope = function\n")
    suite.tests(f"""
import anyio

@pytest.fixture
def anyio_backend():
    return "{backend}"

@pytest.mark.anyio
async def test_it(aiohttp_upstream):
    aiohttp_upstream.get("/a").reply(text="hi")
    async with await anyio.connect_tcp("127.0.0.1", aiohttp_upstream.port) as stream:
        await stream.send(b"GET /a HTTP/1.1\\r\\nConnection: close\\r\\n\\r\\n")
        assert (await stream.receive()).endswith(b"hi")
    assert 1 == aiohttp_upstream.call_count
""")
    suite.run().outcomes(passed=1)


@pytest.mark.parametrize("upstream", ["auto", "thread"])
def test_strict(suite: Suite, upstream: str) -> None:
    """It is as strict as the mock is, and can be told not to be."""
    ran = suite.ini(f"aiotest_kit_upstream = {upstream}").tests(STRICT).run()
    ran.outcomes(passed=1, failed=3)
    assert "no route answered GET http://127.0.0.1:" in ran.reports["test_unmatched"]
    assert "never called" in ran.reports["test_unused"]
    assert "assert 1 == 2" in ran.reports["test_handler"]


def test_late(suite: Suite) -> None:
    """What fails once the test is over fails its teardown."""
    ran = suite.tests("""
from urllib.request import urlopen, HTTPError

@pytest.fixture
def late(aiohttp_upstream):
    yield
    with pytest.raises(HTTPError), urlopen(str(aiohttp_upstream.url / "late")):
        pass

def test_it(late):
    pass
""").run()
    ran.outcomes(passed=1, errors=1)
    assert "no route answered GET" in ran.report("ERROR at teardown of test_it")


def test_beside_the_mock(suite: Suite) -> None:
    """The mock lets it through, or sends a host to it; each has its own log."""
    suite.tests("""
async def test_it(aiohttp_mock, aiohttp_upstream):
    aiohttp_upstream.get("/a").reply(202)
    aiohttp_mock.mount("https://api.test", aiohttp_upstream)
    assert 202 == await get(aiohttp_upstream.url / "a")
    assert 202 == await get("https://api.test/a")
    assert [2, 1] == [aiohttp_upstream.call_count, aiohttp_mock.call_count]
""").run().outcomes(passed=1)


def test_blocked_thread(suite: Suite) -> None:
    """A handler that blocks the thread is named, and the next test has another thread."""
    ran = suite.tests("""
import threading
from urllib.request import urlopen
go_on = threading.Event()

def fetch(url):
    with pytest.raises(OSError), urlopen(str(url)) as response:
        response.read()

def test_blocked(aiohttp_upstream):
    route = aiohttp_upstream.get("/a").reply(lambda request: go_on.wait() and "late")
    client = threading.Thread(target=fetch, args=[aiohttp_upstream.url / "a"])
    client.start()
    while not route.called:
        pass

def test_next(aiohttp_upstream):
    aiohttp_upstream.get("/a").reply(text="hi")
    with urlopen(str(aiohttp_upstream.url / "a")) as response:
        assert b"hi" == response.read()
    go_on.set()
""").run()
    ran.outcomes(passed=2, errors=1)
    assert "did not end in time; its connection was cut" in ran.report("ERROR at teardown of test_blocked")


def test_wrong_setting(suite: Suite) -> None:
    """A setting that cannot be meant is an error of its test, in one line."""
    ran = suite.ini("aiotest_kit_upstream = trhead").tests("def test_it(aiohttp_upstream): pass").run()
    ran.outcomes(errors=1)
    assert (
        "unknown upstream 'trhead' of the ini option aiotest_kit_upstream; it may be: auto, thread"
        == ran.report("ERROR at setup of test_it")
    )
