"""Mocks and upstreams that outlive a test: what each test has of them, and what it is told of them."""

import pytest

from aiotest_kit import UsageError, mock_fixture

from .conftest import Suite

SCOPES = ["function", "class", "module", "package", "session"]
DOORS = {
    "mock": ("from aiotest_kit import mock_fixture\napi = mock_fixture({})", "http://api.test"),
    "upstream": ("from aiotest_kit import upstream_fixture\napi = upstream_fixture({})", "str(api.url)"),
}


def wide(suite: Suite, tests: str, settings: str = "", door: str = "mock") -> Suite:
    """A file of tests under a wide mock or upstream named `api`, found at `at(api)`."""
    declared, _ = DOORS[door]
    at = "HOST" if door == "mock" else 'str(api.url).rstrip("/")'
    return suite.tests(f"{declared.format(settings)}\n\ndef at(api):\n    return {at}\n\n{tests}")


@pytest.fixture(params=list(DOORS))
def door(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


OWN = """
@pytest.fixture(scope="{scope}", autouse=True)
def shared(api):
    api.get("/shared").reply(201).reply(202, times=1)
    api.get("/once").reply(203, times=1)

@pytest.fixture
def users(api):
    return api.get("/users").reply(204)

class TestIt:
    async def test_async(self, api, users):
        assert (await get(f"{{at(api)}}/users"), await get(f"{{at(api)}}/shared")) == (204, 201)
        assert (await get(f"{{at(api)}}/shared"), await get(f"{{at(api)}}/once")) == (202, 203)
        assert (len(api.calls), users.call_count, len(api.routes)) == (4, 1, 3)
        api.routes[1].remove()

    def test_sync(self, api, users):
        assert [0, 0, 0] == [route.call_count for route in api.routes]
        assert not api.called and not api.misses
        assert asyncio.run(get(f"{{at(api)}}/once")) == 203
        assert asyncio.run(get(f"{{at(api)}}/shared")) == 201
        api.get("/shared").reply(404)
        api.reset()

    async def test_without_own_routes(self, api):
        assert (await get(f"{{at(api)}}/once"), await get(f"{{at(api)}}/shared")) == (203, 201)
        assert ["/shared", "/once"] == [route.pattern.url.path.text for route in api.routes]
        assert api.call_count == 2
"""


@pytest.mark.parametrize("scope", SCOPES)
def test_own_scope_and_calls(suite: Suite, door: str, scope: str) -> None:
    """A test has routes, sequences and calls of its own; what a wider fixture adds is for all tests."""
    tests = OWN.format(scope=scope).replace(
        '["/shared", "/once"] == [route.pattern.url.path.text for route in api.routes]',
        "2 == len(api.routes)",
    )
    wide(suite, tests, f"scope={scope!r}", door).run().outcomes(passed=3)


MISSES = """
async def test_swallows(api):
    await swallow(f"{at(api)}/a")

def test_passes(api):
    assert not api.misses and not api.calls

async def test_never_asks_for_it():
    pass

def test_sync(api):
    asyncio.run(swallow(f"{at(api)}/b"))

class TestIt:
    async def test_raises(self, api):
        assert await swallow(f"{at(api)}/c") == "ok"
"""


@pytest.mark.parametrize("scope", SCOPES)
def test_swallowed_miss(suite: Suite, door: str, scope: str) -> None:
    """A request that no route answers fails the test in which it came, and no other."""
    ran = wide(suite, MISSES, f"scope={scope!r}", door).run()
    ran.outcomes(passed=2, failed=3)
    assert {"test_swallows", "test_sync", "TestIt.test_raises"} == set(ran.reports)
    assert "no route answered GET http" in ran.reports["test_swallows"]
    assert "/b\n" in ran.reports["test_sync"]
    assert "/a\n" not in ran.reports["test_sync"]


def test_who_did_not_ask_for_it(suite: Suite) -> None:
    """A test that did not ask for the fixture is told of what it did under it."""
    ran = wide(
        suite,
        """
def test_opens(api):
    pass

async def test_it():
    await swallow(f"{HOST}/a")
""",
    ).run()
    ran.outcomes(passed=1, failed=1)
    assert ran.report("test_it").startswith("no route answered GET http://api.test/a\n  there are no routes")


HANDLER = """
@pytest.fixture(scope="module", autouse=True)
def broken(api):
    def handler(request):
        assert request.path == "/b"
    api.get("/{any}").reply(handler)

async def test_fails(api):
    await get(f"{at(api)}/a")

async def test_passes(api):
    assert await get(f"{at(api)}/b") == 200
"""


def test_handler_error(suite: Suite, door: str) -> None:
    """An error in a handler fails the test in which it came, with the handler's lines, and nothing later."""
    tests = HANDLER.replace('== "/b"', '== "/b"\n        return 200')
    ran = wide(suite, tests, "", door).run()
    ran.outcomes(passed=1, failed=1)
    report = ran.report("test_fails")
    assert '>       assert request.path == "/b"' in report
    assert "while answering GET" in report


@pytest.mark.parametrize(
    ("settings", "ini", "marker", "fails"),
    [
        ("", "", "", True),
        ("unmatched='allow'", "", "", False),
        ("unmatched='allow'", "", "unmatched='error'", True),
        ("unmatched='error'", "aiotest_kit_unmatched = allow", "", True),
        ("", "aiotest_kit_unmatched = allow", "", True),
        ("", "", "unmatched='allow'", False),
    ],
    ids=["default", "fixture", "marker over fixture", "fixture over ini", "default over ini", "marker"],
)
def test_whose_setting(suite: Suite, settings: str, ini: str, marker: str, fails: bool) -> None:
    """What the marker says goes over the fixture's arguments, these over the project's."""
    wide(
        suite.ini(ini),
        f"@pytest.mark.aiotest({marker})\nasync def test_it(api):\n    await swallow(HOST)",
        settings,
    ).run().outcomes(**{"failed" if fails else "passed": 1})


def test_passthrough_for_a_test(suite: Suite) -> None:
    """A marker lets out what the wide mock has no route for, for its test alone."""
    wide(
        suite,
        """
import socket

def refuse(*args, **options):
    raise OSError("the network")

@pytest.fixture
def cut_off(monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", refuse)

@pytest.mark.aiotest(unmatched="passthrough")
async def test_out(api, cut_off):
    assert await swallow("http://elsewhere.invalid/") in ("ClientConnectorDNSError", "ClientConnectorError")
    assert not api.misses

async def test_in(api, cut_off):
    assert await swallow("http://elsewhere.invalid/") == "UnmatchedRequest"
    assert 1 == len(api.misses)
    api.reset()
""",
    ).run().outcomes(passed=2)


def test_unused(suite: Suite) -> None:
    """Where it is an error, a test has to call the routes that it adds; older ones are for some test."""
    ran = wide(
        suite,
        """
@pytest.fixture(scope="module", autouse=True)
def shared(api):
    api.get(f"{HOST}/called")
    api.get(f"{HOST}/never")

async def test_calls(api):
    api.get(f"{HOST}/a")
    assert (await get(f"{HOST}/a"), await get(f"{HOST}/called")) == (200, 200)

async def test_leaves_out(api):
    api.get(f"{HOST}/b")

@pytest.mark.aiotest(unused="allow")
async def test_may(api):
    api.get(f"{HOST}/c")
""",
        "scope='module', unused='error'",
    ).run()
    ran.outcomes(passed=2, failed=1, errors=1)
    assert ran.reports["test_leaves_out"].splitlines()[:2] == [
        "1 route was never called",
        "  1. GET http://api.test/b  test_it.py:23",
    ]
    assert ran.reports["ERROR at teardown of test_may"].splitlines()[:3] == [
        "in all tests, under the fixture 'api':",
        "1 route was never called",
        "  1. GET http://api.test/never  test_it.py:16",
    ]
    assert ran.reports["ERROR at teardown of test_may"].endswith(
        "\non purpose? route.optional() / unused=\"allow\" of the fixture 'api'"
    )


def test_unused_by_a_marker(suite: Suite, door: str) -> None:
    """A marker makes it an error for one test; by default it is none."""
    wide(
        suite,
        """
@pytest.fixture(scope="module", autouse=True)
def shared(api):
    api.get("/never")

@pytest.mark.aiotest(unused="error")
async def test_strict(api):
    api.get("/b")

async def test_lax(api):
    api.get("/c")
""",
        "",
        door,
    ).run().outcomes(passed=1, failed=1)


class TestBetween:
    """What comes while no test runs is told at the next teardown."""

    def test_of_a_fixture(self, suite: Suite, door: str) -> None:
        """In the set-up of a wider fixture it is the test's for which that is; in the teardown, likewise."""
        ran = wide(
            suite,
            """
@pytest.fixture(scope="class")
def early(api):
    asyncio.run(swallow(f"{at(api)}/early"))

@pytest.fixture(scope="class")
def late(api):
    url = at(api)
    yield
    asyncio.run(swallow(f"{url}/late"))

class TestEarly:
    def test_first(self, early): pass
    def test_second(self, early): pass

class TestLate:
    def test_first(self, late): pass
    def test_second(self, late): pass

def test_after(api): pass
""",
            "",
            door,
        ).run()
        ran.outcomes(passed=4, failed=1, errors=1)
        assert "/early\n" in ran.reports["TestEarly.test_first"]
        assert "/late\n" in ran.reports["ERROR at teardown of TestLate.test_second"]

    BETWEEN = """
import asyncio
from client import get, swallow
from aiotest_kit import mock_fixture

api = mock_fixture()

def pytest_runtest_logfinish(nodeid, location):
    if nodeid.endswith("test_first"):
        asyncio.run({call}("http://api.test/between"))
"""

    @pytest.mark.parametrize("body", ["pass", "assert 0"], ids=["passes", "fails"])
    def test_between_tests(self, suite: Suite, body: str) -> None:
        """Between two tests it is told at the next teardown, whatever the test comes to."""
        suite.conftest(self.BETWEEN.format(call="swallow"))
        suite.tests(f"def test_first(api): pass\ndef test_second(): {body}\ndef test_third(): pass")
        ran = suite.run()
        ended = {"passed": 3} if body == "pass" else {"passed": 2, "failed": 1}
        ran.outcomes(**ended, errors=1)
        assert ran.reports["ERROR at teardown of test_second"] == (
            "between two tests, under the fixture 'api':\n"
            "no route answered GET http://api.test/between\n"
            "  there are no routes\n"
            "on purpose? unmatched=\"allow\" of the fixture 'api'"
        )

    def test_handler_between_tests(self, suite: Suite) -> None:
        """So is an error in a handler, with its traceback; and more than one thing at once."""
        suite.conftest(self.BETWEEN.format(call="get"))
        ran = suite.tests("""
@pytest.fixture(scope="module")
def shared(api):
    def handler(request):
        raise KeyError("mine")
    api.get(f"{HOST}/between").reply(handler)
    yield
    asyncio.run(swallow(f"{HOST}/late"))

def test_first(shared): pass
def test_second(shared): pass
""").run()
        ran.outcomes(passed=2, errors=1)
        report = ran.report("ERROR at teardown of test_second")
        assert report.startswith(
            "between two tests, under the fixture 'api':\nTraceback (most recent call last):"
        )
        assert report.endswith(
            "KeyError: 'mine'\nno route answered GET http://api.test/late\n"
            "  nearest of 1 route:\n"
            "  1. GET http://api.test/between  test_it.py:10\n"
            "       url path   expected '/between'   actual '/late'\n"
            "on purpose? unmatched=\"allow\" of the fixture 'api'\n"
            "--- aiohttp calls ---\n"
            "+0.000 s  GET http://api.test/late -> UnmatchedRequest in 0.000 s"
        )

    def test_no_test_comes(self, suite: Suite) -> None:
        """At the end of the run it is told in the teardown of the fixture itself."""
        ran = wide(
            suite,
            """
@pytest.fixture(scope="session", autouse=True)
def late(api):
    yield
    asyncio.run(swallow(f"{HOST}/late"))

def test_it(api): pass
""",
        ).run()
        ran.outcomes(passed=1, errors=1)
        assert "no route answered GET http://api.test/late" in ran.report("ERROR at teardown of test_it")

    def test_after_the_verdict(self, suite: Suite, door: str) -> None:
        """In the teardown of a test's own fixture it fails that, once, also beside `aiohttp_mock`."""
        ran = wide(
            suite,
            """
@pytest.fixture
def late(api, aiohttp_mock):
    url = at(api)
    yield
    asyncio.run(swallow(f"{url}/late"))

@pytest.mark.aiotest(unmatched="error")
def test_it(late): pass

def test_other(api): pass
""",
            "",
            door,
        ).run()
        ran.outcomes(passed=2, errors=1)
        assert 1 == ran.report("ERROR at teardown of test_it").count("no route answered GET")

    @pytest.mark.parametrize(
        ("test", "outcomes"),
        [
            ("assert 0", {"failed": 1, "passed": 1}),
            ("pytest.skip()", {"skipped": 1, "passed": 1}),
            ("pytest.xfail()", {"xfailed": 1, "passed": 1}),
        ],
        ids=["fails", "skips", "xfails"],
    )
    def test_another_outcome(self, suite: Suite, test: str, outcomes: dict[str, int]) -> None:
        """A test that ends otherwise stays what it is, and the next one is told nothing."""
        wide(
            suite, f"async def test_it(api):\n    await swallow(HOST)\n    {test}\n\ndef test_next(): pass"
        ).run().outcomes(**outcomes)

    @pytest.mark.parametrize(
        ("setup", "outcomes"),
        [
            ("asyncio.run(swallow(HOST)); pytest.skip()", {"skipped": 1, "passed": 1}),
            ("asyncio.run(swallow(HOST)); assert 0", {"errors": 1, "passed": 1}),
            ("asyncio.run(get(HOST))", {"errors": 1, "passed": 1}),
        ],
        ids=["skip", "error", "raised"],
    )
    @pytest.mark.parametrize("scope", ["module", "function"])
    def test_in_a_failing_setup(self, suite: Suite, setup: str, outcomes: dict[str, int], scope: str) -> None:
        """A set-up that does not go well has its report, with what no route answered."""
        ran = wide(
            suite,
            f"""
@pytest.fixture(scope="{scope}")
def broken(api):
    {setup}

def test_it(broken): pass
def test_next(): pass
""",
        ).run()
        ran.outcomes(**outcomes)
        assert ("errors" in outcomes) == ("no route answered GET http://api.test/\n" in ran.text)
        if "errors" in outcomes:
            assert ran.report("ERROR at setup of test_it").count("no route answered") <= 2


class TestSeveral:
    """Several mocks at once."""

    def test_who_owns_a_miss(self, suite: Suite) -> None:
        """Of two wide mocks, the one that is asked first tells of a miss, by its own settings."""
        wide(
            suite,
            """
inner = mock_fixture(scope="module", unmatched="allow")

async def test_outer_alone(api):
    await swallow(HOST)

async def test_both(api, inner):
    await swallow(HOST)
    assert (1, 0) == (len(inner.misses), len(api.misses))

async def test_each_answers(api, inner):
    api.get(f"{HOST}/api")
    inner.get(f"{HOST}/inner").reply(201)
    assert (await get(f"{HOST}/api"), await get(f"{HOST}/inner")) == (200, 201)
    assert (1, 1) == (len(inner.calls), len(api.calls))
""",
        ).run().outcomes(passed=2, failed=1)

    @pytest.mark.parametrize("order", ["api, aiohttp_mock", "aiohttp_mock, api"])
    def test_beside_the_tests_own(self, suite: Suite, order: str) -> None:
        """`aiohttp_mock` overrides a wider mock, and tells of what neither answers, in any order."""
        ran = wide(
            suite,
            f"""
@pytest.fixture(scope="module", autouse=True)
def shared(api):
    api.get("/a").reply(201)
    api.get("/b").reply(202)

async def test_overrides({order}):
    aiohttp_mock.get(f"{{HOST}}/a").reply(404)
    assert (await get(f"{{HOST}}/a"), await get(f"{{HOST}}/b")) == (404, 202)

async def test_misses({order}):
    await swallow(f"{{HOST}}/c")
    assert (1, 0) == (len(aiohttp_mock.misses), len(api.misses))

async def test_alone(api):
    assert await get(f"{{HOST}}/a") == 201
""",
        ).run()
        ran.outcomes(passed=2, failed=1)
        assert 1 == ran.report("test_misses").count("no route answered")

    def test_beside_upstreams(self, suite: Suite) -> None:
        """A wide mock, a wide upstream and the test's own each have their calls."""
        wide(
            suite,
            """
from aiotest_kit import upstream_fixture

server = upstream_fixture()

@pytest.mark.parametrize("number", range(2))
async def test_it(api, server, aiohttp_upstream, aiohttp_mock, number):
    for router, url in ((api, HOST), (server, server.url), (aiohttp_upstream, aiohttp_upstream.url)):
        router.get("/a").reply(204)
        assert await get(f"{str(url).rstrip('/')}/a") == 204
    assert (1, 1, 1, 0) == tuple(len(r.calls) for r in (api, server, aiohttp_upstream, aiohttp_mock))
""",
        ).run().outcomes(passed=2)


class TestOrders:
    """Whenever a wide mock, or what is added to it, is set up."""

    DYNAMIC = """
@pytest.fixture(scope="module")
def shared(api):
    api.get("/shared").reply(201)

@pytest.fixture
def own(request, plain):
    api = request.getfixturevalue("api")
    api.get("/own").reply(202)
    request.getfixturevalue("shared")
    return api

@pytest.fixture
def plain(): pass

async def test_within_a_fixture(own):
    assert (await get(f"{at(own)}/own"), await get(f"{at(own)}/shared")) == (202, 201)

async def test_next(own):
    assert (await get(f"{at(own)}/own"), await get(f"{at(own)}/shared")) == (202, 201)
    assert 2 == len(own.routes) == len(own.calls)

async def test_swallows(api):
    assert 1 == len(api.routes)
    await swallow(f"{at(api)}/own")
"""

    def test_amid_a_test(self, suite: Suite, door: str) -> None:
        """What is wide stays, although it was set up amid a test; what is the test's goes."""
        ran = wide(suite, self.DYNAMIC, "", door).run()
        ran.outcomes(passed=2, failed=1)
        assert "/own\n" in ran.report("test_swallows")

    def test_in_the_test_itself(self, suite: Suite, door: str) -> None:
        """So it is in a test's own body."""
        wide(
            suite,
            """
@pytest.fixture(scope="module")
def shared(api):
    api.get("/shared").reply(201)
    yield
    api.get("/late")

def test_first(request):
    api = request.getfixturevalue("api")
    api.get("/own").reply(202)
    request.getfixturevalue("shared")
    assert asyncio.run(get(f"{at(api)}/own")) == 202

def test_second(api):
    assert 1 == len(api.routes)
    assert asyncio.run(get(f"{at(api)}/shared")) == 201
""",
            "",
            door,
        ).run().outcomes(passed=2)

    def test_mounts_and_passthrough_of_a_wider_fixture(self, suite: Suite) -> None:
        """What else a wider fixture adds amid a test stays, too."""
        wide(
            suite,
            """
from aiotest_kit import Router

@pytest.fixture(scope="module")
def shared(api):
    inner = Router()
    inner.get("/a").reply(203)
    api.mount(HOST, inner)
    api.passthrough("http://elsewhere.invalid")

def test_first(request):
    api = request.getfixturevalue("api")
    api.get("http://other.test/")
    request.getfixturevalue("shared")

async def test_second(api):
    assert (1, True) == (len(api.routes), api.lets_some_out)
    assert await get(f"{HOST}/a") == 203
""",
        ).run().outcomes(passed=2)

    def test_scope_of_a_wider_fixture(self, suite: Suite, door: str) -> None:
        """A wider fixture's own `scope()` ends behind the tests that use it."""
        wide(
            suite,
            """
@pytest.fixture(scope="class")
def shared(api):
    with api.scope():
        yield api.get("/shared").reply(201)

class TestIt:
    @pytest.mark.parametrize("number", range(2))
    async def test_it(self, api, shared, number):
        api.get("/own")
        assert (await get(f"{at(api)}/shared"), shared.call_count) == (201, 1)

def test_after(api):
    assert not api.routes
""",
            "",
            door,
        ).run().outcomes(passed=3)

    @pytest.mark.parametrize("mode", ["auto", "strict"])
    def test_async_fixtures(self, suite: Suite, mode: str) -> None:
        """Async fixtures of any scope may use it, on any loop."""
        wide(
            suite,
            """
pytestmark = pytest.mark.asyncio(loop_scope="module")

@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def token(api):
    api.get(f"{HOST}/token").reply(201)
    yield await get(f"{HOST}/token")

@pytest_asyncio.fixture(loop_scope="module")
async def own(api, token):
    api.get(f"{HOST}/own").reply(202)
    yield await get(f"{HOST}/own")

@pytest.mark.parametrize("number", range(2))
async def test_it(api, own, token, number):
    assert (own, token) == (202, 201)
    assert ["/own"] == [call.request.path for call in api.calls]
""",
        ).run("-o", f"asyncio_mode={mode}").outcomes(passed=2)

    def test_anyio(self, suite: Suite) -> None:
        """Tests of anyio's plugin have their part, too."""
        pytest.importorskip("anyio")
        wide(
            suite,
            """
@pytest.fixture
def anyio_backend():
    return "asyncio"

@pytest.mark.anyio
@pytest.mark.parametrize("number", range(2))
async def test_it(api, number):
    api.get(f"{HOST}/a")
    assert (await get(f"{HOST}/a"), len(api.calls), len(api.routes)) == (200, 1, 1)

@pytest.mark.anyio
async def test_swallows(api):
    await swallow(HOST)
""",
        ).run("-p", "anyio", "-o", "asyncio_mode=strict").outcomes(passed=2, failed=1)

    def test_unittest(self, suite: Suite) -> None:
        """So have methods of a `unittest.TestCase`."""
        wide(
            suite,
            """
class TestUnit(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def given(self, api):
        self.api = api

    def test_swallows(self):
        asyncio.run(swallow(HOST))

    def test_passes(self):
        self.api.get(f"{HOST}/a")
        asyncio.run(get(f"{HOST}/a"))
        assert 1 == len(self.api.calls)
""",
        ).run().outcomes(passed=1, failed=1)

    def test_parametrized(self, suite: Suite) -> None:
        """A wider fixture with parameters, set up anew between tests, is for its tests."""
        wide(
            suite,
            """
@pytest.fixture(scope="module", params=[201, 202])
def shared(request, api):
    with api.scope():
        api.get(f"{HOST}/shared").reply(request.param)
        yield request.param

@pytest.mark.parametrize("number", range(2))
async def test_it(api, shared, number):
    assert (await get(f"{HOST}/shared"), len(api.routes)) == (shared, 1)
""",
        ).run().outcomes(passed=4)


def test_held_calls_are_let_go(suite: Suite, door: str) -> None:
    """What waits at a gate of the test's route is let go with the test; a stalled client, too."""
    wide(
        suite,
        """
import threading
from aiotest_kit import Stall

waiting = []

@pytest.fixture(scope="module", autouse=True)
def shared(api):
    api.get("/stalls").reply(Stall())

@pytest.fixture
def worker(api):
    yield
    for task in waiting:
        task.join(5)
        assert not task.is_alive()

@pytest.mark.filterwarnings("ignore:a call still waited")
def test_holds(api, worker):
    gate = api.get("/held").reply(200).hold()
    url = at(api)
    stalled = threading.Thread(target=lambda: asyncio.run(swallow(f"{url}/stalls")))
    held = threading.Thread(target=lambda: asyncio.run(swallow(f"{url}/held")))
    stalled.start(), held.start()
    while len(api.calls) < 2: pass
    waiting.append(stalled)
    held_later.append(held)

held_later = []

def test_next(api):
    held_later[0].join(5)
    assert not held_later[0].is_alive()
    assert not api._table.releases_stalled
""",
        "",
        door,
    ).run("-W", "ignore::RuntimeWarning").outcomes(passed=2)


class TestPlain:
    """A fixture of the user's own that opens a mock or an upstream for more than a test."""

    FIXTURES = """
from aiotest_kit import Upstream, mock

@pytest.fixture(scope="module")
def api():
    with mock() as router:
        yield router

@pytest.fixture(scope="module")
async def api_async():
    async with mock() as router:
        yield router

@pytest.fixture(scope="module", autouse={autouse})
def around():
    with mock() as router:
        router.get("/a")
        yield

@pytest.fixture(scope="module")
def server():
    with Upstream(thread=True) as upstream:
        yield upstream
"""

    @pytest.mark.parametrize("fixture", ["api", "around", "server", "api_async"])
    def test_swallowed_miss(self, suite: Suite, fixture: str) -> None:
        """It tells the test of a swallowed miss; routes and calls are as the user keeps them."""
        suite.tests(
            self.FIXTURES.format(autouse=False)
            + f"""
@pytest.mark.parametrize("number", range(2))
async def test_it({fixture}, number):
    url = str({fixture}.url) if {fixture!r} == "server" else HOST
    await swallow(url)

async def test_next({fixture}):
    assert {fixture} is None or 2 == len({fixture}.calls) == len({fixture}.misses)

@pytest.mark.aiotest(unmatched="allow")
async def test_allowed({fixture}):
    await swallow(str({fixture}.url) if {fixture!r} == "server" else HOST)
"""
        )
        options = (
            "-o",
            "asyncio_default_test_loop_scope=module",
            "-o",
            "asyncio_default_fixture_loop_scope=module",
        )
        ran = suite.run(*options)
        ran.outcomes(passed=2, failed=2)
        assert {"test_it[0]", "test_it[1]"} == set(ran.reports)
        assert all(1 == report.count("no route answered GET http") for report in ran.reports.values())

    def test_handler_error(self, suite: Suite) -> None:
        """An error in a handler is told to the test, and not again at the end of the block."""
        ran = suite.tests(
            self.FIXTURES.format(autouse=False)
            + """
def handler(request):
    raise KeyError("mine")

async def test_it(api, server):
    api.get(f"{HOST}/a").reply(handler)
    server.get("/a").reply(handler)
    await get(f"{HOST}/a")

async def test_server(api, server):
    await get(f"{server.url}a")

async def test_next(api, server): pass
"""
        ).run()
        ran.outcomes(passed=1, failed=2)

    def test_late_handler_error(self, suite: Suite) -> None:
        """One that comes when no test runs any more is raised at the end of the block, once."""
        ran = suite.tests(
            self.FIXTURES.format(autouse=False)
            + """
@pytest.fixture(scope="module")
def late(api):
    def handler(request):
        raise KeyError("mine")
    api.get(f"{HOST}/a").reply(handler)
    yield
    asyncio.run(get(f"{HOST}/a"))

def test_it(late): pass

def test_other(): pass
"""
        ).run()
        ran.outcomes(passed=2, errors=1)

    def test_late_miss(self, suite: Suite) -> None:
        """A miss that comes when no test runs any more fails the teardown."""
        suite.tests(
            self.FIXTURES.format(autouse=False)
            + """
@pytest.fixture(scope="module")
def late(api):
    yield
    asyncio.run(swallow(f"{HOST}/a"))

def test_it(late): pass
"""
        )
        ran = suite.run()
        ran.outcomes(passed=1, errors=1)
        assert ran.report("ERROR at teardown of test_it").startswith(
            "no route answered GET http://api.test/a"
        )

    def test_stand_ins(self, suite: Suite) -> None:
        """A stand-in for another library is as strict as that is."""
        suite.tests("""
from aiotest_kit.compat.aioresponses import aioresponses

@pytest.fixture(scope="module")
def mocked():
    with aioresponses() as mocked:
        yield mocked

async def test_it(mocked):
    await swallow(HOST)
""").run().outcomes(passed=1)


def test_wrong_marker(suite: Suite) -> None:
    """A marker that cannot be meant is an error of its test, told once."""
    ran = wide(
        suite, "def test_first(api): pass\n\n@pytest.mark.aiotest(unused='no')\ndef test_it(api): pass"
    ).run()
    assert (
        "unknown unused 'no' of @pytest.mark.aiotest on test_it.py::test_it; it may be: error, allow"
        in ran.text
    )
    assert 1 == ran.text.count("\nunknown unused 'no'") + ran.text.count("E   unknown unused 'no'")


def test_xdist(suite: Suite, door: str) -> None:
    """Workers do as one process does."""
    pytest.importorskip("xdist")
    tests = """
@pytest.mark.parametrize("number", range(8))
async def test_it(api, number):
    api.get(f"/{number}").reply(204)
    assert await get(f"{at(api)}/{number}") == 204
    assert 1 == len(api.routes) == len(api.calls)

@pytest.mark.parametrize("number", range(4))
async def test_fails(api, number):
    await swallow(f"{at(api)}/{number}")
"""
    wide(suite, tests, "", door).run_alone("-p", "aiotest_kit.pytest_plugin", "-n", "2").outcomes(
        passed=8, failed=4
    )


def test_rerun(suite: Suite) -> None:
    """A test that is run again answers for that run alone."""
    suite.conftest("""
from _pytest.runner import runtestprotocol

def pytest_runtest_protocol(item, nextitem):
    if item.name == "test_other":
        return
    first = runtestprotocol(item, nextitem=nextitem, log=False)
    assert ["passed", "failed", "passed"] == [report.outcome for report in first]
    item._initrequest()
    for report in runtestprotocol(item, nextitem=nextitem, log=False):
        item.ihook.pytest_runtest_logreport(report=report)
    return True
""")
    wide(
        suite,
        """
runs = []

async def test_it(api):
    assert not api.routes and not api.calls
    runs.append(api)
    api.get(f"{HOST}/{len(runs)}")
    await swallow(f"{HOST}/2")

def test_other(api): pass
""",
    ).run().outcomes(passed=2)


def test_without_the_plugin(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing but the function is imported, it brings the hooks along."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    suite.pytester.makeini("[pytest]")
    suite.tests("""
from aiotest_kit import mock_fixture, upstream_fixture

api = mock_fixture(name="mocked")
server = upstream_fixture()

def test_mock(mocked):
    asyncio.run(swallow(HOST))

def test_upstream(server):
    asyncio.run(swallow(str(server.url)))
""")
    suite.run_bare("-p", "pytest_asyncio").outcomes(failed=2)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"scope": "all"}, "scope='all': scopes are function, class, module, package, session"),
        (
            {"unmatched": "alow"},
            "unknown unmatched 'alow' of mock_fixture(); it may be: error, allow, passthrough",
        ),
        (
            {"unused": "passthrough"},
            "unknown unused 'passthrough' of mock_fixture(); it may be: error, allow",
        ),
    ],
    ids=["scope", "unmatched", "unused"],
)
def test_bad_settings(settings: dict[str, str], says: str) -> None:
    """What cannot work is said where the fixture is declared."""
    with pytest.raises(UsageError) as caught:
        mock_fixture(**settings)  # type: ignore[arg-type]
    assert says == str(caught.value)


@pytest.mark.parametrize("scope", ["function", "session"])
@pytest.mark.parametrize("leaks", ["off", "error"])
def test_app_ends_with_its_test(suite: Suite, scope: str, leaks: str) -> None:
    """An app that a test mounts ends with that test, while the test's routes answer; a wider one goes on."""
    suite.ini(f"aiotest_kit_leaks = {leaks}").tests(f"""
from aiohttp import web
from aiotest_kit import mock_fixture

pytestmark = pytest.mark.asyncio(loop_scope="{scope}")
ended = []
api = mock_fixture()

async def hello(request):
    return web.Response(text="hello")

def make(name):
    async def end(app):
        ended.append((name, await swallow(f"{{HOST}}/bye/{{name}}")))
    app = web.Application()
    app.router.add_get("/", hello)
    app.on_cleanup.append(end)
    return app

@pytest.fixture(scope="session")
def wider(api):
    api.get(HOST + "/bye/wide").reply(200).optional()
    api.mount("http://wide.test", make("wide"))

@pytest.mark.parametrize("number", range(3))
async def test_it(api, wider, number):
    assert [(each, 200) for each in range(number)] == [end for end in ended if end[0] != "wide"]
    api.get(f"{{HOST}}/bye/{{number}}").reply(200).optional()
    api.mount("http://app.test", make(number))
    assert 200 == await get("http://app.test/")
    assert 200 == await get("http://wide.test/")
""")
    suite.run().outcomes(passed=3)


@pytest.mark.parametrize("leaks", ["off", "warn", "error"])
@pytest.mark.parametrize("mode", ["auto", "strict"])
@pytest.mark.parametrize("scope", SCOPES[1:])
def test_the_test_s_own_mock_is_asked_first(suite: Suite, scope: str, mode: str, leaks: str) -> None:
    """In every test of a wide mock, the first of them too, and also where leaks are looked for."""
    wide(
        suite,
        """
@pytest.mark.asyncio
@pytest.mark.parametrize("number", range(2))
async def test_it(api, aiohttp_mock, number):
    api.get(HOST).reply(201).optional()
    aiohttp_mock.get(HOST).reply(202)
    assert 202 == await get(HOST)

def test_sync(aiohttp_mock, api):
    api.get(HOST).reply(201).optional()
    aiohttp_mock.get(HOST).reply(202)
    assert 202 == asyncio.run(get(HOST))
""",
        f"scope={scope!r}",
    ).run("-o", f"aiotest_kit_leaks={leaks}", "-o", f"asyncio_mode={mode}").outcomes(passed=3)
