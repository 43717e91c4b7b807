import pytest

from .conftest import INI, PLUGIN, Suite

STRICT_MODE = INI.replace("asyncio_mode = auto", "asyncio_mode = strict")

SYNC = """
@pytest.fixture
def users(aiohttp_mock):
    return aiohttp_mock.get(f"{HOST}/users").reply(json=[])

def test_sync(users):
    assert asyncio.run(get(f"{HOST}/users")) == 200
    assert users.called

def test_sync_twice(users):
    assert asyncio.run(get(f"{HOST}/users")) == 200
    assert asyncio.run(get(f"{HOST}/users")) == 200
    assert users.call_count == 2

@pytest.mark.parametrize("status", [200, 404, 503])
def test_parametrized(aiohttp_mock, status):
    aiohttp_mock.get(f"{HOST}/a").reply(status)
    assert asyncio.run(get(f"{HOST}/a")) == status
    assert len(aiohttp_mock.calls) == 1
"""

ASYNC = """
pytestmark = pytest.mark.asyncio(loop_scope="{scope}")

@pytest.fixture
def routes(aiohttp_mock):
    aiohttp_mock.get(f"{{HOST}}/early").reply(201)
    return aiohttp_mock

@pytest_asyncio.fixture(loop_scope="{scope}")
async def session():
    async with aiohttp.ClientSession() as session:
        yield session

@pytest_asyncio.fixture(loop_scope="{scope}")
async def logged_in(aiohttp_mock):
    aiohttp_mock.post(f"{{HOST}}/login").reply(204)
    async with aiohttp.ClientSession() as session, session.post(f"{{HOST}}/login") as response:
        return response.status

@pytest_asyncio.fixture(loop_scope="{scope}", scope="{fixture_scope}")
async def shared():
    async with aiohttp.ClientSession() as session:
        yield session

class TestIt:
    async def test_early_routes(self, routes):
        assert await get(f"{{HOST}}/early") == 201

    async def test_fixture_before(self, session, aiohttp_mock):
        aiohttp_mock.get(f"{{HOST}}/a").reply(202)
        async with session.get(f"{{HOST}}/a") as response:
            assert response.status == 202

    async def test_fixture_calls(self, logged_in):
        assert logged_in == 204

    @pytest.mark.parametrize("status", [200, 404])
    async def test_shared_session(self, shared, aiohttp_mock, status):
        aiohttp_mock.get(f"{{HOST}}/a").reply(status)
        async with shared.get(f"{{HOST}}/a") as response:
            assert response.status == status

    async def test_handler_waits(self, aiohttp_mock):
        async def handler(request):
            await asyncio.sleep(0)
            return 203
        gate = aiohttp_mock.get(f"{{HOST}}/a").reply(handler).hold()
        task = asyncio.ensure_future(get(f"{{HOST}}/a"))
        await gate.waiting()
        gate.release()
        assert await task == 203

    @pytest.mark.xfail(strict=True)
    async def test_still_strict(self, routes):
        pass
"""
SCOPES = ["function", "class", "module", "package", "session"]


def test_sync(suite: Suite) -> None:
    """A sync test runs its own loops; routes are there before any of them."""
    suite.tests(SYNC).run().outcomes(passed=5)


@pytest.mark.parametrize("ini", [INI, STRICT_MODE], ids=["auto", "strict"])
@pytest.mark.parametrize("scope", SCOPES)
def test_loop_scope(suite: Suite, scope: str, ini: str) -> None:
    """The function-scoped fixture is right for a test on any loop, and for async fixtures on it."""
    suite.pytester.makeini(ini)
    suite.pytester.makepyfile(__init__="")
    text = ASYNC.format(scope=scope, fixture_scope=scope)
    if scope == "class":
        # Fixtures of a class's loop need a class.
        text = text.replace('pytestmark = pytest.mark.asyncio(loop_scope="class")', "")
        text = text.replace("class TestIt:", '@pytest.mark.asyncio(loop_scope="class")\nclass TestIt:')
    suite.tests(text.replace("from client", "from .client"))
    suite.run("--import-mode=importlib", "-o", "pythonpath=.").outcomes(passed=6, xfailed=1)


def test_anyio(suite: Suite) -> None:
    """anyio's plugin with the asyncio backend runs it too."""
    pytest.importorskip("anyio")
    suite.pytester.makeini(STRICT_MODE)
    suite.tests("""
@pytest.fixture
def anyio_backend():
    return "asyncio"

@pytest.fixture
async def logged_in(anyio_backend, aiohttp_mock):
    aiohttp_mock.get(f"{HOST}/login").reply(204)
    yield await get(f"{HOST}/login")

@pytest.mark.anyio
async def test_it(logged_in, aiohttp_mock):
    aiohttp_mock.get(f"{HOST}/a").reply(202)
    assert (logged_in, await get(f"{HOST}/a")) == (204, 202)

@pytest.mark.anyio
@pytest.mark.xfail(strict=True)
async def test_strict(aiohttp_mock):
    aiohttp_mock.get(f"{HOST}/a")
""")
    suite.run("-p", "anyio").outcomes(passed=1, xfailed=1)


MANY = """
@pytest.mark.parametrize("number", range(20))
async def test_it(aiohttp_mock, number):
    aiohttp_mock.get(f"{HOST}/{number}").reply(json=number)
    assert await get(f"{HOST}/{number}") == 200
    assert len(aiohttp_mock.calls) == 1

@pytest.mark.parametrize("number", range(5))
async def test_fails(aiohttp_mock, number):
    await swallow(f"{HOST}/{number}")

@pytest.mark.parametrize("number", range(5))
def test_sync(aiohttp_mock, number):
    aiohttp_mock.get(f"{HOST}/{number}").reply(404)
    assert asyncio.run(get(f"{HOST}/{number}")) == 404
"""
# pytest-asyncio 0.24 leaves a loop behind that the next `asyncio.run` drops unclosed.
IGNORED = ("-W", "ignore:unclosed:ResourceWarning")


@pytest.mark.parametrize("seed", range(3))
def test_random_order(suite: Suite, seed: int) -> None:
    """No test depends on one before it."""
    suite.conftest(f"""
import random

def pytest_collection_modifyitems(items):
    random.Random({seed}).shuffle(items)
""")
    suite.tests(MANY).run_alone("-p", PLUGIN, *IGNORED).outcomes(passed=25, failed=5)


def test_xdist(suite: Suite) -> None:
    """Workers do as one process does, and their reports arrive whole."""
    pytest.importorskip("xdist")
    ran = suite.tests(MANY).run_alone("-p", PLUGIN, "-n", "2", *IGNORED)
    ran.outcomes(passed=25, failed=5)
    assert ran.reports["test_fails[3]"].endswith("GET http://api.test/3 -> UnmatchedRequest in 0.000 s")
