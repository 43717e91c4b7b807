import pytest

from aiotest_kit import UsageError, upstream_fixture

from .conftest import Suite

SCOPES = ["function", "class", "module", "package", "session"]
TESTS = """
from aiotest_kit.fixtures import upstream_fixture

api = upstream_fixture({settings})

@pytest.fixture(autouse=True)
def routes(api):
    with api.scope():
        api.get("/a").reply(202)
        yield

{mark}
class TestIt:
    async def test_it(self, api):
        assert 202 == await get(str(api.url / "a"))
        assert [1] == [route.call_count for route in api.routes]

    async def test_again(self, api):
        await self.test_it(api)
"""


def mark(scope: str) -> str:
    return f"@pytest.mark.asyncio(loop_scope={scope!r})"


@pytest.mark.parametrize("scope", SCOPES)
def test_thread(suite: Suite, scope: str) -> None:
    """One that a thread serves is for tests on every loop, and for those without."""
    files = {
        f"test_{loop}": TESTS.format(settings=f"scope={scope!r}", mark=mark(loop))
        for loop in ("function", "module", "session")
    }
    for name, text in files.items():
        suite.tests(text, name)
    suite.tests(
        """
import urllib.request
from aiotest_kit.fixtures import upstream_fixture

upstream = upstream_fixture(name="api")

@pytest.mark.parametrize("number", range(2))
def test_it(api, number):
    route = api.get(f"/{number}").reply(text="hello")
    assert b"hello" == urllib.request.urlopen(str(api.url / str(number))).read()
    assert 1 == len(api.routes) == len(api.calls)
""",
        "test_sync",
    )
    suite.run().outcomes(passed=8)


@pytest.mark.parametrize("mode", ["auto", "strict"])
@pytest.mark.parametrize(
    ("settings", "loop"),
    [
        ("scope='function', thread=False", "function"),
        ("scope='function', loop_scope='session'", "session"),
        ("scope='class', thread=False", "class"),
        ("scope='module', loop_scope='module'", "module"),
        ("scope='module', loop_scope='session'", "session"),
        ("loop_scope='session'", "session"),
    ],
)
def test_in_loop(suite: Suite, settings: str, loop: str, mode: str) -> None:
    """One on a loop is for tests on that loop."""
    suite.tests(TESTS.format(settings=settings, mark=mark(loop)))
    suite.run("-o", f"asyncio_mode={mode}").outcomes(passed=2)


def test_another_loop(suite: Suite) -> None:
    """Used from another loop, or from none, it says so at once, with both scopes and what to do."""
    suite.tests("""
from aiotest_kit.fixtures import upstream_fixture

api = upstream_fixture(loop_scope="session")

async def test_other(api):
    api.url

async def test_route(api):
    api.get("/a")

def test_sync(api):
    api.url

@pytest_asyncio.fixture(loop_scope="module")
async def token(api):
    return await get(str(api.url))

@pytest.mark.asyncio(loop_scope="module")
async def test_fixture(token):
    pass
""")
    ran = suite.run()
    ran.outcomes(failed=3, errors=1)
    start = (
        "LoopMismatchError: the fixture 'api' serves on the loop of loop_scope='session', and was used from "
    )
    end = "; give both the same loop_scope, or let a thread serve every loop: upstream_fixture(thread=True)"
    for user in (
        "the test 'test_it.py::test_other' (loop_scope='function')",
        "the test 'test_it.py::test_route' (loop_scope='function')",
        "code that runs on another loop, or on none",
        "the fixture 'token' (loop_scope='module')",
    ):
        assert f"{start}{user}{end}" in ran.text


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"scope": "all"}, "scope='all': scopes are function, class, module, package, session"),
        ({"loop_scope": "all"}, "loop_scope='all': scopes are function, class, module, package, session"),
        (
            {"loop_scope": "session", "thread": True},
            "a thread has a loop of its own: thread=True or loop_scope='session'",
        ),
        (
            {"scope": "session", "loop_scope": "function"},
            "the loop of loop_scope='function' ends before an upstream of scope='session' does;"
            " give it loop_scope='session', or thread=True",
        ),
    ],
    ids=["scope", "loop scope", "both", "narrow"],
)
def test_bad_settings(settings: dict[str, object], says: str) -> None:
    """What cannot work is said where the fixture is declared."""
    with pytest.raises(UsageError) as caught:
        upstream_fixture(**settings)  # type: ignore[arg-type]
    assert says == str(caught.value)
