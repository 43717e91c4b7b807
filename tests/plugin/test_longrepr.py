"""Where reports on a failure are shown: with the failure itself, whatever form that has, and in JUnit XML."""

import re
import xml.etree.ElementTree as ElementTree
from importlib.util import find_spec

import pytest

from .conftest import Suite

BROKEN = """
def shelf(request):
    raise LookupError("-".join(["shelf", "seven"]))

async def answered(aiohttp_mock):
    aiohttp_mock.get(f"{HOST}/a").reply(shelf)
    return await get(f"{HOST}/a")
"""
TEST = f"""{BROKEN}
async def test_it(aiohttp_mock):
    assert await answered(aiohttp_mock) == 200
"""
STYLES = ("long", "short", "line", "native", "auto")
SECTIONS = ("error in a handler", "aiohttp calls")
CAUSE = "LookupError: shelf-seven"


def junit(suite: Suite) -> dict[str, str]:
    """The texts of failures and errors in JUnit XML, by the element's name."""
    root = ElementTree.parse(suite.pytester.path / "report.xml").getroot()
    return {each.tag: each.text or "" for tag in ("failure", "error") for each in root.iter(tag)}


def is_explained(text: str) -> bool:
    """Whether a text has each section once."""
    return CAUSE in text and all(1 == text.count(f" {title} -") for title in SECTIONS)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param((), id="no option"),
        pytest.param(("--show-capture=no",), id="show-capture=no"),
        pytest.param(("-n1",), id="xdist"),
        pytest.param(("-s",), id="no capture"),
        *(
            pytest.param((f"--tb={style}",), id=style)
            for style in ("long", "short", "line", "native", "auto")
        ),
    ],
)
def test_beside_another_failure(suite: Suite, options: tuple[str, ...]) -> None:
    """The cause is on the terminal and in JUnit XML, whatever is shown of tracebacks and of output."""
    ran = suite.tests(TEST).run("--junitxml=report.xml", *options)
    ran.outcomes(failed=1)
    assert is_explained(ran.text)
    (failure,) = junit(suite).values()
    assert is_explained(failure)


@pytest.mark.parametrize("options", [("--tb=no",), ("-p", "no:terminal")], ids=["tb=no", "no:terminal"])
def test_nothing_on_the_terminal(suite: Suite, options: tuple[str, ...]) -> None:
    """Where failures are not shown, the cause is not either; JUnit XML has it in any case."""
    ran = suite.tests(TEST).run("--junitxml=report.xml", *options)
    assert 1 == ran.result.ret
    assert CAUSE not in ran.text
    assert "aiohttp calls" not in ran.text
    (failure,) = junit(suite).values()
    assert is_explained(failure)


FAILURES = {
    "without a traceback": """
async def test_it(aiohttp_mock):
    await answered(aiohttp_mock)
    pytest.fail("as it is", pytrace=False)
""",
    "chained": """
async def test_it(aiohttp_mock):
    try:
        raise ValueError(await answered(aiohttp_mock))
    except ValueError as error:
        raise RuntimeError("wrapped") from error
""",
    "passes though it should fail": """
@pytest.mark.xfail(strict=True)
@pytest.mark.aiotest(unmatched="allow")
async def test_it(aiohttp_mock):
    assert await swallow(f"{HOST}/a") == "UnmatchedRequest"
""",
    "fixture that is not there": """
@pytest.fixture
async def before(aiohttp_mock):
    await answered(aiohttp_mock)

async def test_it(before, no_such_fixture):
    pass
""",
    "set-up": """
@pytest.fixture
async def before(aiohttp_mock):
    assert await answered(aiohttp_mock) == 200

def test_it(before):
    pass
""",
    "teardown": """
@pytest.fixture
async def after(aiohttp_mock):
    yield
    assert await answered(aiohttp_mock) == 200

def test_it(after):
    pass
""",
    "unittest": """
class Base(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def mocked(self, aiohttp_mock):
        self.mock = aiohttp_mock

class TestIt(Base):
    def test_it(self):
        self.assertEqual(200, asyncio.run(answered(self.mock)))
""",
}


@pytest.mark.parametrize("kind", FAILURES)
@pytest.mark.parametrize("options", [(), ("-n1",)], ids=["here", "xdist"])
def test_kinds_of_failures(suite: Suite, kind: str, options: tuple[str, ...]) -> None:
    """So it is for whatever failed, and however pytest shows that."""
    ran = suite.tests(BROKEN + FAILURES[kind]).run(
        "--junitxml=report.xml", "--show-capture=no", "-Wignore", *options
    )
    told = SECTIONS[1:] if "should fail" in kind else SECTIONS
    (text,) = junit(suite).values()
    for place in (ran.text, text):
        assert [1] * len(told) == [place.count(f" {title} -") for title in told], place


@pytest.mark.skipif(find_spec("pytest_html") is None, reason="pytest-html is not installed")
def test_html(suite: Suite) -> None:
    """The page of pytest-html shows it."""
    suite.tests(TEST).run_alone("-p", "aiotest_kit", "--html=report.html", "--show-capture=no").outcomes(
        failed=1
    )
    assert CAUSE in (suite.pytester.path / "report.html").read_text()


def test_teardown_tells_what_came_since(suite: Suite) -> None:
    """Where the test and its teardown both fail, the second report has what came after the first."""
    ran = suite.tests(f"""{BROKEN}
@pytest.fixture
async def after(aiohttp_mock):
    yield
    await swallow(f"{{HOST}}/late")
    raise ValueError("of the fixture")

async def test_it(after, aiohttp_mock):
    await swallow(f"{{HOST}}/first")
    assert await answered(aiohttp_mock) == 200
""").run()
    ran.outcomes(failed=1, errors=1)
    first, second = ran.reports["test_it"], ran.reports["ERROR at teardown of test_it"]
    assert is_explained(re.sub("--- (.+?) ---", r"-- \1 ---", first))
    assert "/late" not in first
    assert second.endswith(
        "--- unanswered requests ---\n"
        "no route answered GET http://api.test/late\n"
        "  nearest of 1 route:\n"
        "  1. GET http://api.test/a  test_it.py:10\n"
        "       url path   expected '/a'   actual '/late'\n"
        'on purpose? @pytest.mark.aiotest(unmatched="allow")\n'
        "--- aiohttp calls ---\n"
        "+0.000 s  GET http://api.test/late -> UnmatchedRequest in 0.000 s"
    )


def test_run_again(suite: Suite) -> None:
    """A test that is run again, as by a plugin for flaky ones, has the calls of that run alone."""
    suite.conftest("""
from _pytest.runner import runtestprotocol

def pytest_runtest_protocol(item):
    for _ in range(2):
        for report in runtestprotocol(item, log=False):
            item.ihook.pytest_runtest_logreport(report=report)
    return True
""")
    ran = suite.tests(TEST).run()
    ran.outcomes(failed=2)
    assert 2 == ran.text.count("GET http://api.test/a -> 500")
