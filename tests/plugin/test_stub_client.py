"""The fixture `aiohttp_stub_client`: its loop, its verdicts, and an app that many tests share."""

import pytest

from .conftest import INI, Suite

APP = """
from aiohttp import web

GREETING = web.AppKey("greeting", str)
LOG = []

async def hello(request):
    return web.json_response({"greeting": request.app[GREETING], "scheme": request.scheme})

async def broken(request):
    raise ZeroDivisionError("of the app")

async def resources(app):
    app[GREETING] = "hello"
    LOG.append("up")
    yield
    assert app[GREETING] == "hello"
    LOG.append("down")

def make_app():
    app = web.Application()
    app.router.add_get("/hello", hello, name="hello")
    app.router.add_get("/broken", broken)
    app.cleanup_ctx.append(resources)
    return app

APP = make_app()
"""


@pytest.fixture
def app_suite(suite: Suite) -> Suite:
    suite.pytester.makepyfile(service=APP)
    suite.conftest("import service")
    return suite


@pytest.mark.parametrize("scope", ["function", "class", "module", "session"])
@pytest.mark.parametrize("fixture_scope", ["function", "session"])
def test_it_is_on_the_loop_of_the_test(app_suite: Suite, scope: str, fixture_scope: str) -> None:
    """Whatever the loop scopes of tests and fixtures are, one app object serves each test in turn."""
    app_suite.pytester.makeini(
        INI.replace("fixture_loop_scope = function", f"fixture_loop_scope = {fixture_scope}")
    )
    app_suite.tests(
        f"""
        from service import APP, GREETING, LOG

        pytestmark = pytest.mark.asyncio(loop_scope="{scope}")

        class TestIt:
            @pytest.mark.parametrize("greeting", ["one", "two"])
            async def test_overridden(self, aiohttp_stub_client, greeting):
                client = await aiohttp_stub_client(APP, base_url="https://app.test")
                with client.override(GREETING, greeting) as value:
                    assert value == greeting
                    async with client.get("/hello") as response:
                        assert await response.json() == {{"greeting": greeting, "scheme": "https"}}
                client.override(GREETING, "until the end")
                client.stubs.get("/hello").reply(418)
                async with client.get("/hello") as response:
                    assert response.status == 418

            async def test_as_it_was(self, aiohttp_stub_client):
                assert LOG == ["up", "down"] * 2
                assert dict(APP) == {{}}
                client = await aiohttp_stub_client(APP)
                async with client.get("/hello") as response:
                    assert await response.json() == {{"greeting": "hello", "scheme": "http"}}
        """.replace("\n        ", "\n")
    )
    app_suite.run().outcomes(passed=3)


def test_what_it_takes(app_suite: Suite) -> None:
    """An app, a function that makes it, sync or async, or a server."""
    app_suite.tests("""
from aiotest_kit import StubServer
from service import make_app

async def make_async():
    return make_app()

@pytest.mark.parametrize("what", [make_app, make_async, make_app(), StubServer(make_app())], ids=str)
async def test_it(aiohttp_stub_client, what):
    client = await aiohttp_stub_client(what, headers={"X-Key": "k"})
    async with client.get("/hello") as response:
        assert response.status == 200
    assert client.calls.last.request.headers["X-Key"] == "k"

async def test_something_else(aiohttp_stub_client):
    with pytest.raises(Exception, match="a function that makes one; got 7"):
        await aiohttp_stub_client(7)
""")
    app_suite.run().outcomes(passed=5)


def test_class_of_the_project(app_suite: Suite) -> None:
    """The client is of the class that `aiohttp_client_cls` names, and has our own methods too."""
    app_suite.tests("""
from aiohttp.test_utils import TestClient
from aiotest_kit import StubClient
from service import make_app

class MyClient(TestClient):
    async def greet(self):
        async with self.get("/hello") as response:
            return (await response.json())["greeting"]

class OurClient(StubClient):
    pass

@pytest.fixture(params=[MyClient, OurClient, TestClient])
def aiohttp_client_cls(request):
    return request.param

async def test_it(aiohttp_stub_client, aiohttp_client_cls):
    client = await aiohttp_stub_client(make_app())
    assert isinstance(client, aiohttp_client_cls) and isinstance(client, StubClient)
    if aiohttp_client_cls is MyClient:
        assert await client.greet() == "hello"
""")
    app_suite.run().outcomes(passed=3)


def test_without_pytest_aiohttp(app_suite: Suite) -> None:
    """The client is aiohttp's own where nobody names a class for it."""
    app_suite.tests("""
from aiotest_kit import StubClient
from service import make_app

async def test_it(aiohttp_stub_client):
    assert type(await aiohttp_stub_client(make_app())) is StubClient
""")
    app_suite.run("-p", "no:aiohttp").outcomes(passed=1)


def test_server_with_another_client(app_suite: Suite) -> None:
    """pytest-aiohttp's own fixture takes a `StubServer`, which then is on a port."""
    app_suite.tests("""
from aiotest_kit import StubServer
from service import make_app

async def test_it(aiohttp_client):
    server = StubServer(make_app())
    server.stubs.get("/broken").reply(204)
    client = await aiohttp_client(server)
    async with client.get("/hello") as response:
        assert response.status == 200
    async with client.get("/broken") as response:
        assert response.status == 204
    assert response.url.host == "127.0.0.1"
    assert len(server.calls) == 2
""")
    app_suite.run().outcomes(passed=1)


def test_error_of_the_app(app_suite: Suite) -> None:
    """What escapes from the app fails the test, from the app's own line on, and names the request."""
    app_suite.tests("""
from service import APP

async def test_it(aiohttp_stub_client):
    client = await aiohttp_stub_client(APP)
    async with client.get("/broken") as response:
        assert response.status == 500

@pytest.mark.aiotest(allow_server_errors=True)
async def test_marked(aiohttp_stub_client):
    client = await aiohttp_stub_client(APP)
    async with client.get("/broken") as response:
        assert response.status == 500
    assert isinstance(client.calls.last.exception, ZeroDivisionError)

async def test_asked_for(aiohttp_stub_client):
    client = await aiohttp_stub_client(APP, allow_server_errors=True)
    async with client.get("/broken") as response:
        assert response.status == 500
""")
    ran = app_suite.run("-p", "no:logging")
    ran.outcomes(failed=1, passed=2)
    report = ran.report("test_it")
    assert 'async def broken(request):\n>       raise ZeroDivisionError("of the app")' in report
    assert "E       ZeroDivisionError: of the app" in report
    assert "aiohttp/web" not in report
    assert "--- error in a handler ---\nwhile answering GET http://app.test/broken" in report
    assert "GET http://app.test/broken -> ZeroDivisionError in 0.000 s  broken" in report


def test_error_after_the_test(app_suite: Suite) -> None:
    """What escapes from the app while fixtures are torn down fails the teardown."""
    app_suite.tests("""
from service import APP

@pytest.fixture
async def client(aiohttp_stub_client):
    client = await aiohttp_stub_client(APP)
    yield client
    async with client.get("/broken") as response:
        assert response.status == 500

async def test_it(client):
    assert client.app is APP
""")
    ran = app_suite.run()
    ran.outcomes(passed=1, errors=1)
    assert "E       ZeroDivisionError: of the app" in ran.text


def test_stub_never_called(app_suite: Suite) -> None:
    """A stub that no request reached fails the test, and the report has the request that came nearest."""
    app_suite.tests("""
from service import APP

async def test_it(aiohttp_stub_client):
    client = await aiohttp_stub_client(APP)
    client.stubs.get("/hello", query={"name": "you"}).reply(204)
    client.stubs.get("/broken").optional()
    async with client.get("/hello?name=me") as response:
        assert response.status == 200
""")
    ran = app_suite.run()
    ran.outcomes(failed=1)
    assert (
        "1 route was never called\n"
        "  1. GET /hello  test_it.py:10\n"
        "       nearest: GET http://app.test/hello?name=me\n"
        "       query name   expected 'you'   actual 'me'"
    ) in ran.report("test_it")


@pytest.mark.parametrize(
    ("phase", "outcomes"),
    [("startup", {"failed": 1}), ("cleanup", {"passed": 1, "errors": 1})],
)
def test_error_of_startup_or_cleanup(app_suite: Suite, phase: str, outcomes: dict[str, int]) -> None:
    """It fails the test with its own traceback."""
    app_suite.tests(f"""
from aiohttp import web

async def resources(app):
    if "{phase}" == "startup":
        raise LookupError("of the {phase}")
    yield
    raise LookupError("of the {phase}")

async def test_it(aiohttp_stub_client):
    app = web.Application()
    app.cleanup_ctx.append(resources)
    await aiohttp_stub_client(app)
""")
    ran = app_suite.run()
    ran.outcomes(**outcomes)
    assert f"LookupError: of the {phase}\n" in ran.text


def test_together_with_a_mock(app_suite: Suite) -> None:
    """The client reaches the app, the app's own calls are mocked, and nothing has to be configured."""
    app_suite.tests("""
from aiohttp import web

async def relay(request):
    async with aiohttp.ClientSession() as session, session.get("https://users.test/7") as response:
        return web.json_response(await response.json())

async def test_it(aiohttp_stub_client, aiohttp_mock):
    app, other = web.Application(), web.Application()
    app.router.add_get("/relay", relay)
    other.router.add_get("/relay", relay)
    aiohttp_mock.get("https://users.test/7").reply(json={"id": 7})
    client = await aiohttp_stub_client(app)
    second = await aiohttp_stub_client(other, base_url="https://other.test:8443")
    for each in (client, second):
        async with each.get("/relay") as response:
            assert await response.json() == {"id": 7}
    assert len(aiohttp_mock.calls) == 2
    with pytest.raises(aiohttp.ClientConnectionError):
        await client.session.get("https://elsewhere.test/")
    aiohttp_mock.get("https://elsewhere.test/").reply(204)
    async with client.session.get("https://elsewhere.test/") as response:
        assert response.status == 204
""")
    app_suite.pytester.makeini(INI + "aiotest_kit_unmatched = allow\n")
    app_suite.run().outcomes(passed=1)


@pytest.mark.parametrize(
    ("test", "message"),
    [
        pytest.param(
            "def test_it(aiohttp_stub_client): pass",
            "aiohttp_stub_client needs the asyncio loop of its test: test_it.py::test_it is not async; "
            "write it as async def",
            id="sync",
        ),
    ],
)
def test_tests_without_a_loop(app_suite: Suite, test: str, message: str) -> None:
    """A test that has no loop is told what serves it."""
    app_suite.tests(test)
    ran = app_suite.run()
    ran.outcomes(errors=1)
    assert message in ran.text
