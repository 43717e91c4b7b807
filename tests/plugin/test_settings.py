import pytest

from .conftest import Suite

UNMATCHED = """
async def test_it(aiohttp_mock):
    assert await swallow(f"{HOST}/a") == "UnmatchedRequest"
"""
UNUSED = """
def test_it(aiohttp_mock):
    aiohttp_mock.get(f"{HOST}/a")
"""
BOTH = """
async def test_it(aiohttp_mock):
    aiohttp_mock.get(f"{HOST}/b")
    assert await swallow(f"{HOST}/a") == "UnmatchedRequest"
"""


def marked(test: str, on_test: str = "", on_class: str = "", on_module: str = "") -> str:
    """A test with the marker in up to three places; each is the marker's arguments."""
    mark = "@pytest.mark.aiotest"
    lines = [f"{mark}({on_test})" if on_test else "", *test.strip("\n").splitlines()]
    return "\n".join(
        [
            f"pytestmark = pytest.mark.aiotest({on_module})" if on_module else "",
            f"{mark}({on_class})" if on_class else "",
            "class TestIt:",
            *(f"    {line}" for line in lines),
        ]
    ).replace("def test_it(", "def test_it(self, ")


@pytest.mark.parametrize(
    ("test", "places", "ini", "outcome"),
    [
        (UNMATCHED, {"on_test": "unmatched='allow'"}, "", "passed"),
        (UNMATCHED, {"on_class": "unmatched='allow'"}, "", "passed"),
        (UNMATCHED, {"on_module": "unmatched='allow'"}, "", "passed"),
        (UNMATCHED, {}, "aiotest_kit_unmatched = allow", "passed"),
        (UNMATCHED, {}, "aiotest_kit_unmatched = error", "failed"),
        (UNMATCHED, {"on_test": "unmatched='error'"}, "aiotest_kit_unmatched = allow", "failed"),
        (UNMATCHED, {"on_test": "unmatched='error'", "on_class": "unmatched='allow'"}, "", "failed"),
        (UNMATCHED, {"on_class": "unmatched='error'", "on_module": "unmatched='allow'"}, "", "failed"),
        (UNMATCHED, {"on_test": "unused='allow'"}, "", "failed"),
        (UNUSED, {"on_test": "unused='allow'"}, "", "passed"),
        (UNUSED, {}, "aiotest_kit_unused = allow", "passed"),
        (UNUSED, {"on_test": "unused='error'"}, "aiotest_kit_unused = allow", "failed"),
        (UNUSED, {"on_test": "unmatched='allow'"}, "", "failed"),
        (BOTH, {"on_test": "unused='allow'", "on_module": "unmatched='allow'"}, "", "passed"),
        (BOTH, {"on_test": "unused='allow'"}, "aiotest_kit_unmatched = allow", "passed"),
        (BOTH, {"on_test": "unused='allow', unmatched='allow'"}, "", "passed"),
        (BOTH, {"on_test": "unused='allow'", "on_class": "unused='error', unmatched='allow'"}, "", "passed"),
    ],
)
def test_nearest_wins(suite: Suite, test: str, places: dict[str, str], ini: str, outcome: str) -> None:
    """Each setting is that of the nearest marker that has it, and else the project's."""
    ran = suite.ini(ini).tests(marked(test, **places)).run("--strict-markers", "--strict-config")
    ran.outcomes(**{outcome: 1})


def test_marker_of_a_parameter(suite: Suite) -> None:
    """The marker may stand at one parameter of a test."""
    suite.tests("""
@pytest.mark.parametrize("path", ["a", pytest.param("b", marks=pytest.mark.aiotest(unused="allow"))])
def test_it(aiohttp_mock, path):
    aiohttp_mock.get(f"{HOST}/{path}")
""")
    suite.run().outcomes(passed=1, failed=1)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            "unmatchd='allow'",
            "unknown option 'unmatchd' of @pytest.mark.aiotest on test_it.py::TestIt::test_it;"
            " options are: unmatched, unused, upstream, allow_server_errors, leaks",
        ),
        (
            "unmatched='alow'",
            "unknown unmatched 'alow' of @pytest.mark.aiotest on test_it.py::TestIt::test_it;"
            " it may be: error, allow, passthrough",
        ),
        (
            "unused=['allow']",
            "unknown unused ['allow'] of @pytest.mark.aiotest on test_it.py::TestIt::test_it;"
            " it may be: error, allow",
        ),
        (
            "'allow'",
            "'allow' of @pytest.mark.aiotest on test_it.py::TestIt::test_it has no name;"
            " options are: unmatched, unused, upstream, allow_server_errors, leaks",
        ),
    ],
    ids=["option", "value", "type", "position"],
)
def test_wrong_marker(suite: Suite, arguments: str, says: str) -> None:
    """A marker that cannot be meant is an error of its test, in one line."""
    ran = suite.tests(marked(UNUSED, arguments)).run("--strict-markers")
    ran.outcomes(errors=1)
    assert says == ran.report("ERROR at setup of TestIt.test_it")


def test_wrong_marker_far_away(suite: Suite) -> None:
    """The error says where the marker stands, also when a nearer one has another value."""
    ran = suite.tests(marked(UNUSED, on_test="unused='allow'", on_module="unused='never'")).run()
    assert ran.report("ERROR at setup of TestIt.test_it") == (
        "unknown unused 'never' of @pytest.mark.aiotest on test_it.py; it may be: error, allow"
    )


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("unmatched = alow", "unknown unmatched 'alow' of {}unmatched; it may be: error, allow, passthrough"),
        ("unused = passthrough", "unknown unused 'passthrough' of {}unused; it may be: error, allow"),
    ],
)
def test_wrong_ini(suite: Suite, setting: str, says: str) -> None:
    """A wrong setting of the project is an error of each test that it is for, in one line."""
    suite.ini(f"aiotest_kit_{setting}").tests(f"{UNUSED}\ndef test_other(): pass")
    ran = suite.run("--strict-config")
    ran.outcomes(passed=1, errors=1)
    assert says.format("the ini option aiotest_kit_") == ran.report("ERROR at setup of test_it")


@pytest.mark.parametrize("option", ["--markers", "--help", "--fixtures"])
def test_listed(suite: Suite, option: str) -> None:
    """pytest's own listings explain the marker, the settings and the fixture."""
    shown = suite.run(option).text
    assert {
        "--markers": "@pytest.mark.aiotest(*, unmatched='error' | 'allow' | 'passthrough'",
        "--help": "aiotest_kit_unmatched",
        "--fixtures": "aiohttp_mock -- ",
    }[option] in shown


def test_marker_without_fixture(suite: Suite) -> None:
    """A test without a mock is none of the marker's business."""
    suite.tests("@pytest.mark.aiotest(unused='allow')\ndef test_it(): pass")
    suite.run("--strict-markers").outcomes(passed=1)


def test_strict_without_settings(suite: Suite) -> None:
    """The plugin alone adds nothing that pytest's strict options mind."""
    suite.tests("def test_it(): pass").run("--strict-markers", "--strict-config").outcomes(passed=1)


KEEPS = """
from aiohttp import web
from aiotest_kit import mock_fixture, upstream_fixture

api = mock_fixture()
server = upstream_fixture()

async def test_mocks(aiohttp_mock, api):
    for router in (aiohttp_mock, api):
        router.get(f"{HOST}/{id(router)}")
        for _ in range(3):
            await get(f"{HOST}/{id(router)}")
        assert (2, 3) == (len(router.calls), router.call_count)

async def test_upstreams(aiohttp_upstream, server):
    for upstream in (aiohttp_upstream, server):
        upstream.get("/a")
        for _ in range(3):
            await get(str(upstream.url / "a"))
        assert (2, 3) == (len(upstream.calls), upstream.call_count)

async def test_app(aiohttp_stub_client):
    async def hello(request):
        return web.Response()
    app = web.Application()
    app.router.add_get("/", hello)
    client = await aiohttp_stub_client(app)
    for _ in range(3):
        await client.get("/")
    assert 2 == len(client.calls)
"""


def test_kept_calls(suite: Suite) -> None:
    """The project says how many calls the logs of the fixtures keep."""
    suite.ini("aiotest_kit_keep = 2").tests(KEEPS).run().outcomes(passed=3)


def test_wrong_number_of_calls(suite: Suite) -> None:
    """What is no number fails the tests that have a log, in one line."""
    ran = suite.ini("aiotest_kit_keep = many").tests("def test_it(aiohttp_mock): pass").run()
    ran.outcomes(errors=1)
    assert "the ini option aiotest_kit_keep is a number; got 'many'" in ran.text


def test_kept_bodies(suite: Suite) -> None:
    """And how much of a body they keep."""
    suite.ini("aiotest_kit_keep_body = 2").tests("""
async def test_it(aiohttp_mock):
    route = aiohttp_mock.get(HOST).reply(text="long")
    await get(HOST)
    assert (b"lo", 4) == (route.calls.one().reply.body, route.calls.one().reply.body_length)
""").run().outcomes(passed=1)
