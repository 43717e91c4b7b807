import pytest

from .conftest import Suite

APP = """
from aiohttp import web

OUT = web.AppKey("out", aiohttp.ClientSession)

async def weather(request):
    try:
        async with request.app[OUT].get(f"{HOST}/weather", params={"city": "Oslo"}) as response:
            return web.json_response(await response.json())
    except aiohttp.ClientError as error:
        return web.json_response({"error": type(error).__name__}, status=502)

async def client_session(app):
    async with aiohttp.ClientSession() as session:
        app[OUT] = session
        yield

@pytest.fixture
def app():
    app = web.Application()
    app.router.add_get("/", weather)
    app.cleanup_ctx.append(client_session)
    return app
"""


def test_app_beside_the_mock(suite: Suite) -> None:
    """An app served on loopback is reached while what it calls is stubbed, with no configuration."""
    suite.tests(f"""{APP}
async def test_stubbed(aiohttp_client, aiohttp_mock, app):
    aiohttp_mock.get(f"{{HOST}}/weather", query={{"city": "Oslo"}}).reply(json={{"sky": "blue"}})
    client = await aiohttp_client(app)
    response = await client.get("/")
    assert await response.json() == {{"sky": "blue"}}
    assert len(aiohttp_mock.calls) == 1

async def test_mock_first(aiohttp_mock, aiohttp_client, app):
    client = await aiohttp_client(app)
    aiohttp_mock.get("/weather").reply(json={{}})
    assert (await client.get("/")).status == 200

@pytest.mark.xfail(strict=True)
async def test_strict(aiohttp_client, aiohttp_mock, app):
    client = await aiohttp_client(app)
    assert (await client.get("/")).status == 502
""")
    suite.run().outcomes(passed=2, xfailed=1)


@pytest.mark.parametrize(
    "url", ["http://93.184.216.34/", "https://93.184.216.34:8443/a", "http://[2606:2800:220:1::1]/"]
)
@pytest.mark.parametrize("policy", ["error", "allow"])
def test_outside_is_refused(suite: Suite, url: str, policy: str) -> None:
    """A bare address outside gets no connection, whether the test is to fail for it or not."""
    suite.conftest("""
import socket, pytest

@pytest.fixture(autouse=True)
def no_sockets(monkeypatch):
    def connect(*args):
        raise AssertionError("connected")
    monkeypatch.setattr(socket.socket, "connect", connect)
""")
    suite.tests(f"""
@pytest.mark.aiotest(unmatched="{policy}")
async def test_it(aiohttp_mock):
    assert await swallow("{url}") == "UnmatchedRequest"
""")
    ran = suite.run()
    ran.outcomes(**{"failed" if policy == "error" else "passed": 1})
    assert policy == "allow" or ran.report("test_it").startswith(f"no route answered GET {url}")


def test_passthrough(suite: Suite) -> None:
    """With `unmatched="passthrough"` what no route asks for goes out, and a route still comes first."""
    suite.tests("""
from aiohttp import web
from aiohttp.abc import AbstractResolver

class Here(AbstractResolver):
    async def resolve(self, host, port=0, family=0):
        return [dict(hostname=host, host="127.0.0.1", port=port, family=2, proto=0, flags=0)]
    async def close(self): pass

@pytest.mark.aiotest(unmatched="passthrough")
async def test_it(aiohttp_server, aiohttp_mock):
    async def outside(request):
        return web.Response(status=203)
    app = web.Application()
    app.router.add_get("/{any}", outside)
    port = (await aiohttp_server(app)).port
    aiohttp_mock.get(f"{HOST}:{port}/stubbed").reply(202)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=Here())) as session:
        async with session.get(f"{HOST}:{port}/real") as response:
            assert response.status == 203
        async with session.get(f"{HOST}:{port}/stubbed") as response:
            assert response.status == 202
    assert len(aiohttp_mock.calls) == 1
""")
    suite.run().outcomes(passed=1)


WRAPPED = """
import functools, sys
import aiohttp

def wrap(owner, name):
    original = getattr(owner, name)
    async def wrapped(self, *args, **kwargs):
        seen.append(name)
        return await original(self, *args, **kwargs)
    setattr(owner, name, {wraps}(wrapped))

seen = []
assert not [name for name in sys.modules if name.startswith("aiotest_kit._aiohttp")]
wrap(aiohttp.ClientSession, "_request")
wrap(aiohttp.BaseConnector, "connect")
wrap(aiohttp.TCPConnector, "_create_connection")
"""


@pytest.mark.parametrize("wraps", ["functools.wraps(original)", "(lambda function: function)"])
def test_methods_that_another_tool_has_wrapped(suite: Suite, wraps: str) -> None:
    """Tracers and debuggers that wrap aiohttp's methods, before the kit is there, are no obstacle."""
    suite.conftest(WRAPPED.format(wraps=wraps))
    suite.tests("""
from conftest import seen
from aiotest_kit import around_requests

async def test_it(aiohttp_mock):
    aiohttp_mock.get(f"{HOST}/a")
    assert 200 == await get(f"{HOST}/a")
    assert ["_request", "connect"] == seen
    targets = []
    async def around(call):
        targets.append(call.target)
        return await call.send()
    with around_requests(around):
        assert 200 == await get(f"{HOST}/a")
    assert [f"{HOST}/a"] == targets
""")
    suite.run_alone("-p", "aiotest_kit.pytest_plugin").outcomes(passed=1)
