"""A test may ask for its fixtures in any order: the mock answers until all of them are torn down."""

import pytest

from .conftest import INI, Suite

# Whatever asks for a name is noted, and refused.
CONFTEST = """
import asyncio, socket
import aiohttp, pytest, pytest_asyncio
from aiohttp import web

URL = "http://registry.test/bye"
asked, answered, events = [], [], []

@pytest.fixture(autouse=True, scope="session")
def outside():
    getaddrinfo = socket.getaddrinfo
    def refuse(host, *args, **options):
        if host in ("127.0.0.1", "localhost", "::1"):
            return getaddrinfo(host, *args, **options)
        asked.append(host)
        raise socket.gaierror(-2, "kept")
    socket.getaddrinfo = refuse
    yield
    socket.getaddrinfo = getaddrinfo
    assert [] == asked

async def bye(*args):
    async with aiohttp.ClientSession() as session, session.post(URL) as response:
        answered.append(response.status)

async def home(request):
    return web.Response()

def app():
    made = web.Application()
    made.router.add_get("/", home)
    made.on_cleanup.append(bye)
    return made

async def asgi(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        events.append((await receive())["type"])
        await bye()
        await send({"type": "lifespan.shutdown.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"x"})

@pytest.fixture
def registry(aiohttp_mock):
    return aiohttp_mock.post(URL).reply(204).optional()

@pytest.fixture
def blocking():
    yield
    asyncio.run(bye())
"""
ASYNC_FIXTURES = """
@{decorator}
async def worker():
    yield
    await bye()

@{decorator}
async def background():
    async def work():
        try:
            await asyncio.Event().wait()
        finally:
            await bye()
    task = asyncio.ensure_future(work())
    await asyncio.sleep(0)
    yield task
"""


def suite_of(marker: str, *fixtures: str) -> str:
    """A test for each order of the mock, a route and a fixture that calls out when it is torn down."""
    texts = []
    for fixture in fixtures:
        for number, order in enumerate(
            [
                ("registry", fixture),
                (fixture, "registry"),
                ("aiohttp_mock", fixture, "registry"),
                (fixture, "aiohttp_mock", "registry"),
                ("registry", fixture, "aiohttp_mock"),
            ]
        ):
            use = {
                "aiohttp_stub_client": "await (await aiohttp_stub_client(app())).get('/')",
                "aiohttp_client": "await (await aiohttp_client(app())).get('/')",
            }.get(fixture, "pass")
            keyword = "def" if fixture == "blocking" else f"{marker}\nasync def"
            texts.append(f"{keyword} test_{fixture}_{number}({', '.join(order)}):\n    {use}\n")
    return "from conftest import *\n\n" + "\n".join(texts)


LAST = """
def test_zz_all_were_answered():
    assert ([], [204] * {number}) == (asked, answered)
"""


@pytest.mark.parametrize(
    ("mode", "decorator", "marker"),
    [
        ("auto", "pytest.fixture", ""),
        ("strict", "pytest_asyncio.fixture", "@pytest.mark.asyncio"),
        (
            "strict",
            "pytest_asyncio.fixture(loop_scope='module')",
            "@pytest.mark.asyncio(loop_scope='module')",
        ),
    ],
    ids=["auto", "strict", "module-loop"],
)
def test_pytest_asyncio(suite: Suite, mode: str, decorator: str, marker: str) -> None:
    """Apps, async fixtures, background tasks and sync fixtures are answered to the end, in every order."""
    suite.pytester.makeini(INI.replace("auto", mode))
    suite.conftest(CONFTEST + ASYNC_FIXTURES.format(decorator=decorator))
    fixtures = ["worker", "blocking", "aiohttp_stub_client"]
    if "loop_scope" not in marker:
        # aiohttp_client is on the function's loop; so is what that loop cancels at its end.
        fixtures += ["background"]
        if mode == "auto":
            fixtures += ["aiohttp_client"]
    suite.tests(suite_of(marker, *fixtures) + LAST.format(number=5 * len(fixtures)))

    suite.run_alone("-p", "aiotest_kit.pytest_plugin").outcomes(passed=5 * len(fixtures) + 1)


def test_anyio(suite: Suite) -> None:
    """So are they under anyio's plugin."""
    suite.pytester.makeini(INI.replace("auto", "strict"))
    backend = "@pytest.fixture\ndef anyio_backend(): return 'asyncio'\n"
    suite.conftest(CONFTEST + backend + ASYNC_FIXTURES.format(decorator="pytest.fixture"))
    fixtures = ("worker", "background", "blocking", "aiohttp_stub_client")
    suite.tests(suite_of("@pytest.mark.anyio", *fixtures) + LAST.format(number=5 * len(fixtures)))

    suite.run_alone("-p", "aiotest_kit.pytest_plugin").outcomes(passed=5 * len(fixtures) + 1)


@pytest.mark.parametrize("how", ["async", "sync", "module-loop"])
def test_mounted_apps_are_shut_down(suite: Suite, how: str) -> None:
    """What a mock has mounted is shut down, on its loop, before that is closed; and may call out itself."""
    loop_scope = "@pytest.mark.asyncio(loop_scope='module')\n" if how == "module-loop" else ""
    call = "async with aiohttp.ClientSession() as session, session.get('https://svc.test/x') as response:"
    test = {
        "sync": f"""
def test_mounted(registry, aiohttp_mock):
    aiohttp_mock.mount("https://svc.test", asgi)
    async def call():
        {call}
            assert "x" == await response.text()
    asyncio.run(call())
    assert (["lifespan.shutdown"], [204]) == (events, answered)
"""
    }.get(
        how,
        f"""
{loop_scope}async def test_mounted(aiohttp_mock, registry):
    aiohttp_mock.mount("https://svc.test", asgi)
    {call}
        assert "x" == await response.text()
""",
    )
    suite.conftest(CONFTEST)
    suite.tests(
        f"from conftest import *\n{test}\n"
        "def test_was_shut_down():\n"
        "    assert ([], [204], ['lifespan.shutdown']) == (asked, answered, events)\n"
    )

    suite.run_alone("-p", "aiotest_kit.pytest_plugin").outcomes(passed=2)


def test_late_request(suite: Suite) -> None:
    """What comes while fixtures are torn down is held to the rules: a miss fails the teardown."""
    suite.conftest(CONFTEST)
    suite.tests("""
from conftest import *

async def test_it(aiohttp_stub_client, aiohttp_mock):
    await (await aiohttp_stub_client(app())).get("/")
""")

    ran = suite.run_alone("-p", "aiotest_kit.pytest_plugin")

    ran.outcomes(passed=1, errors=1)
    assert "no route answered POST http://registry.test/bye" in ran.text


def test_own_fixture_of_the_name(suite: Suite) -> None:
    """A fixture that takes the name of the kit's opens nothing; one that is built on it does, in time."""
    suite.conftest(
        CONFTEST
        + """
@pytest.fixture
def settings():
    return {"url": URL}

@pytest.fixture
def aiohttp_mock(settings, aiohttp_mock):
    aiohttp_mock.post(settings["url"]).reply(204).optional()
    return aiohttp_mock
"""
    )
    suite.tests(
        """
from conftest import *

async def test_built_on_it(aiohttp_stub_client, aiohttp_mock):
    await (await aiohttp_stub_client(app())).get("/")

class TestOwn:
    @pytest.fixture
    def aiohttp_mock(self):
        return "own"

    def test_it(self, aiohttp_mock):
        from aiotest_kit._memory_door.open_mocks import all_open
        assert ("own", ()) == (aiohttp_mock, all_open())
"""
        + LAST.format(number=1)
    )

    suite.run_alone("-p", "aiotest_kit.pytest_plugin").outcomes(passed=3)


def test_asked_for_late(suite: Suite) -> None:
    """A test that asks for it by `getfixturevalue` has it from then on, until it is torn down in its turn."""
    suite.tests("""
def test_it(request):
    mock = request.getfixturevalue("aiohttp_mock")
    mock.get(f"{HOST}/a").reply(202)
    assert 202 == asyncio.run(get(f"{HOST}/a"))
    assert mock is request.getfixturevalue("aiohttp_mock")
""")
    suite.run().outcomes(passed=1)
