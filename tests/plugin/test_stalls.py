"""Calls that a fault still keeps waiting when their test ends: let go at once, and the route is named."""

import re

import pytest

from .conftest import Ran, Suite

# No client here has a timeout: what is not let go hangs the suite.
CLIENT = """
import time
from contextlib import suppress
from aiohttp import web
from aiotest_kit import ConnectTimeout, Drip, Reply, Stall, Truncate

NEVER = aiohttp.ClientTimeout(total=None)
PATIENCE = 10

async def call(url, session=None):
    session = session or aiohttp.ClientSession(timeout=NEVER)
    async with session, session.get(url) as response:
        return await response.read()

async def until(condition):
    async def poll():
        while not condition():
            await asyncio.sleep(0)
    await asyncio.wait_for(poll(), PATIENCE)

async def swallow(url, session=None):
    try:
        await call(url, session)
    except (aiohttp.ClientError, asyncio.CancelledError) as error:
        return str(error)

def app():
    async def handler(request):
        return web.Response()
    app = web.Application()
    app.router.add_get("/slow", handler)
    return app
"""

DOORS = {
    "memory": """
@pytest.fixture
def stalling(aiohttp_mock):
    route = aiohttp_mock.get(f"{HOST}/slow").reply(FAULT)
    return route, f"{HOST}/slow"
""",
    "loopback": """
@pytest_asyncio.fixture
async def stalling(aiohttp_upstream):
    route = aiohttp_upstream.get("/slow").reply(FAULT)
    return route, aiohttp_upstream.url / "slow"
""",
    "thread": """
pytestmark = pytest.mark.aiotest(upstream="thread")

@pytest.fixture
def stalling(aiohttp_upstream):
    route = aiohttp_upstream.get("/slow").reply(FAULT)
    return route, aiohttp_upstream.url / "slow"
""",
    "app": """
@pytest_asyncio.fixture
async def stalling(aiohttp_stub_client):
    client = await aiohttp_stub_client(app(), door="tcp")
    route = client.stubs.get("/slow").reply(FAULT)
    return route, client.make_url("/slow")
""",
}
FAULTS = {
    "stall": "Stall()",
    "within-a-body": "Stall(after=3)",
    "in-a-sequence": "Stall()).reply(200",
    "drip": "Drip(0.001)",
}

LEFT_PENDING = """
tasks = []

async def test_it(stalling):
    route, url = stalling
    tasks.append(asyncio.ensure_future(swallow(url)))
    await until(lambda: route._table.waiting)

def test_next(): pass
"""

WAITED_FOR = """
@pytest.fixture
def noted(pytestconfig):
    return pytestconfig.__dict__.setdefault("noted", [])

@pytest_asyncio.fixture
async def service(stalling):
    route, url = stalling
    task = asyncio.ensure_future(swallow(url))
    await until(lambda: route._table.waiting)
    yield task
    started = time.monotonic()
    print("it ended with:", await task)
    assert time.monotonic() - started < PATIENCE

async def test_it(service): pass
"""


def warned(ran: Ran) -> list[str]:
    """What was warned of, in the summary: each warning without its place."""
    return re.findall(r"RuntimeWarning: (.+)", ran.text)


WORDED = re.compile(
    r"a call still waited when its test was over, and was let go: "
    r"GET http://[\w.]+(:\d+)?/slow for <Route GET (http://api.test)?/slow \(test_it.py:\d+\)>"
)


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
@pytest.mark.parametrize("test", [LEFT_PENDING, WAITED_FOR], ids=["left-pending", "waited-for"])
def test_let_go(test: str, door: str, fault: str, suite: Suite) -> None:
    """Whoever waits is let go when the test is over, and a warning names the route, once."""
    suite.tests(CLIENT + door.replace("FAULT", fault) + test)
    ran = suite.run("-W", "always::RuntimeWarning")
    assert 1 == len(warned(ran)), ran.text
    assert WORDED.fullmatch(warned(ran)[0])
    ran.outcomes(passed=2 if test is LEFT_PENDING else 1, warnings=1)


CONNECTING = DOORS["memory"].replace("FAULT", "ConnectTimeout()")


@pytest.mark.parametrize("test", [LEFT_PENDING, WAITED_FOR], ids=["left-pending", "waited-for"])
def test_let_go_while_it_connects(test: str, suite: Suite) -> None:
    """So is a call that never gets a connection."""
    ran = suite.tests(CLIENT + CONNECTING + test).run("-W", "always::RuntimeWarning")
    assert 1 == len(warned(ran)), ran.text
    assert WORDED.fullmatch(warned(ran)[0])


STALLING = DOORS["memory"].replace("FAULT", "Stall()")


def test_error_in_the_client(suite: Suite) -> None:
    """What waits in memory is told by an error that names the route, too."""
    ran = suite.tests(CLIENT + STALLING + WAITED_FOR).run("-s", "-W", "always::RuntimeWarning")
    assert re.search(
        r"it ended with: the mock was closed before it answered: "
        r"<Route GET http://api.test/slow \(test_it.py:\d+\)>",
        ran.text,
    )


def test_retries(suite: Suite) -> None:
    """A client that tries again is not kept waiting again."""
    ran = suite.tests(
        CLIENT
        + STALLING
        + """
@pytest_asyncio.fixture
async def service(stalling):
    route, url = stalling
    async def serve():
        for _ in range(5):
            await swallow(url)
    task = asyncio.ensure_future(serve())
    await route.wait(timeout=PATIENCE)
    yield
    await task
    assert 5 == len(route.calls)

async def test_it(service): pass
"""
    ).run("-W", "always::RuntimeWarning")
    ran.outcomes(passed=1, warnings=1)


GIVEN_UP = """
@pytest.mark.parametrize("limit", ["total", "sock_read"])
async def test_it(stalling, limit):
    route, url = stalling
    seconds = 0.05
    while not route.calls:
        # A slow machine may take longer than that to send the request.
        session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(**{limit: seconds}))
        with pytest.raises(asyncio.TimeoutError):
            await call(url, session)
        seconds *= 2
    # A server hears later what a client did.
    await until(lambda: not route._table.waiting)

async def test_cancelled(stalling):
    route, url = stalling
    task = asyncio.ensure_future(call(url))
    await route.wait(timeout=PATIENCE)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: not route._table.waiting)
"""


@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
def test_client_that_gave_up(door: str, suite: Suite) -> None:
    """Of a call that ended by itself nothing is said."""
    suite.tests(CLIENT + door.replace("FAULT", "Stall()") + GIVEN_UP).run().outcomes(passed=3)


def test_failed_test(suite: Suite) -> None:
    """A test that failed has its report, in which the call is."""
    failing = LEFT_PENDING.replace("def test_next(): pass", "    assert not tasks")
    ran = suite.tests(CLIENT + STALLING + failing).run()
    ran.outcomes(failed=1)
    assert re.search(r"GET http://api.test/slow -> no answer +test_it.py:\d+", ran.report("test_it"))


def test_warning_as_an_error(suite: Suite) -> None:
    """Where warnings are errors, the teardown fails with it; the fixtures are torn down all the same."""
    ran = suite.tests(CLIENT + STALLING + LEFT_PENDING).run()
    ran.outcomes(passed=2, errors=1)
    assert WORDED.search(ran.report("ERROR at teardown of test_it"))
