import re
import textwrap
from collections.abc import Callable

import pytest

from .conftest import Suite

Failing = Callable[[str], str]


def dedent(text: str) -> str:
    return textwrap.dedent(text).strip("\n")


def times_told(report: str) -> int:
    """How often a report says that no route answered, but for what a frame of asyncio shows."""
    lines = [line for line in report.splitlines() if not line.startswith("future = ")]
    return "\n".join(lines).count("no route answered")


class TestReports:
    """Each report as a whole."""

    def test_unmatched(self, failing: Failing) -> None:
        """A request that no route answers fails the test though the code swallows it; equal ones are one."""
        report = failing("""
aiohttp_mock.get(f"{HOST}/users/{{id}}", name="a user").reply(json={}).optional()
for _ in range(3):
    assert await swallow(f"{HOST}/user/7") == "UnmatchedRequest"
await swallow("http://93.184.216.34/")
""")
        assert report == dedent("""
            no route answered GET http://api.test/user/7 (3 times)
              nearest of 1 route:
              1. GET http://api.test/users/{id}  "a user"  test_it.py:7
                   url path   expected '/users/{id}'   actual '/user/7'
            no route answered GET http://93.184.216.34/
              nearest of 1 route:
              1. GET http://api.test/users/{id}  "a user"  test_it.py:7
                   url origin   expected 'http://api.test'   actual 'http://93.184.216.34'
                   url path     expected '/users/{id}'       actual '/'
            on purpose? @pytest.mark.aiotest(unmatched="allow")
            --- aiohttp calls ---
            +0.000 s  GET http://api.test/user/7 -> UnmatchedRequest in 0.000 s
            +0.000 s  GET http://api.test/user/7 -> UnmatchedRequest in 0.000 s
            +0.000 s  GET http://api.test/user/7 -> UnmatchedRequest in 0.000 s
            +0.000 s  GET http://93.184.216.34/ -> UnmatchedRequest in 0.000 s
        """)

    def test_many_unmatched(self, failing: Failing) -> None:
        """Of many different requests ten are explained."""
        report = failing("""
for number in range(12):
    await swallow(f"{HOST}/{number}")
""")
        assert 10 == report.count("no route answered GET")
        assert "and 2 more that no route answered" in report

    def test_never_called(self, failing: Failing) -> None:
        """A route that is never called fails the test, with the request that came nearest."""
        report = failing("""
aiohttp_mock.get(f"{HOST}/a").reply(text="a")
aiohttp_mock.post(f"{HOST}/a", name="unused")
assert await get(f"{HOST}/a") == 200
""")
        assert report == dedent("""
            1 route was never called
              1. POST http://api.test/a  "unused"  test_it.py:8
                   nearest: GET http://api.test/a
                   method   expected 'POST'   actual 'GET'
            on purpose? route.optional() / @pytest.mark.aiotest(unused="allow")
            --- aiohttp calls ---
            +0.000 s  GET http://api.test/a -> 200 in 0.000 s  test_it.py:7
        """)

    def test_both(self, failing: Failing) -> None:
        """An unmatched request and the route that should have answered it are one failure."""
        report = failing("""
aiohttp_mock.get(f"{HOST}/a", query={"page": "1"})
await swallow(f"{HOST}/a?page=2")
""")
        assert report == dedent("""
            no route answered GET http://api.test/a?page=2
              nearest of 1 route:
              1. GET http://api.test/a  test_it.py:7
                   query page   expected '1'   actual '2'
            1 route was never called
              1. GET http://api.test/a  test_it.py:7
                   nearest: GET http://api.test/a?page=2
                   query page   expected '1'   actual '2'
            on purpose? route.optional() / @pytest.mark.aiotest(unmatched="allow", unused="allow")
            --- aiohttp calls ---
            +0.000 s  GET http://api.test/a?page=2 -> UnmatchedRequest in 0.000 s
        """)

    def test_unmatched_beside_another_failure(self, failing: Failing) -> None:
        """A test that failed by itself is told of the requests that nobody answered."""
        report = failing("""
assert await swallow(f"{HOST}/a") == 200
""")
        assert report == dedent("""
            aiohttp_mock = <Router with 0 routes>

                async def test_it(aiohttp_mock):
            >       assert await swallow(f"{HOST}/a") == 200
            E       AssertionError: assert 'UnmatchedRequest' == 200

            test_it.py:7: AssertionError
            --- unanswered requests ---
            no route answered GET http://api.test/a
              there are no routes
            on purpose? @pytest.mark.aiotest(unmatched="allow")
            --- aiohttp calls ---
            +0.000 s  GET http://api.test/a -> UnmatchedRequest in 0.000 s
        """)

    def test_comparison_with_a_subset(self, failing: Failing) -> None:
        """What a value lacks of a `Subset` is shown where the test compares them."""
        report = failing("""
from aiotest_kit import Subset
aiohttp_mock.get(f"{HOST}/a").reply(json={"id": 7, "name": "Ada"}).optional()
assert {"id": 7, "name": "Ada"} == Subset({"id": 8, "name": "Ada"})
""")
        assert report == dedent("""
            aiohttp_mock = <Router with 1 route>

                async def test_it(aiohttp_mock):
                    from aiotest_kit import Subset
                    aiohttp_mock.get(f"{HOST}/a").reply(json={"id": 7, "name": "Ada"}).optional()
            >       assert {"id": 7, "name": "Ada"} == Subset({"id": 8, "name": "Ada"})
            E       AssertionError: assert {'id': 7, 'name': 'Ada'} == Subset({'id': 8, 'name': 'Ada'})
            E         $.id   expected 8   actual 7

            test_it.py:9: AssertionError
        """)

    def test_misuse_with_a_cause(self, failing: Failing) -> None:
        """Misuse is shown at the line of the test, without lines of the kit, whatever it was raised from."""
        report = failing("""
class Own(Exception):
    def __init__(self, code):
        pass
aiohttp_mock.get(f"{HOST}/a").reply(Own)
""")
        assert report == dedent("""
            aiohttp_mock = <Router with 1 route>

                async def test_it(aiohttp_mock):
                    class Own(Exception):
                        def __init__(self, code):
                            pass
            >       aiohttp_mock.get(f"{HOST}/a").reply(Own)
            E       aiotest_kit.UsageError: Own cannot be made without arguments; reply with an instance of it

            test_it.py:10: UsageError
        """)

    def test_failed_assertion(self, failing: Failing) -> None:
        """An assertion is shown with what differs, at the line of the test that makes it."""
        report = failing("""
route = aiohttp_mock.get(f"{HOST}/a")
await get(f"{HOST}/a?page=2")
route.assert_called_once_with(query={"page": "3"})
""")
        assert report == dedent("""
            aiohttp_mock = <Router with 1 route>

                async def test_it(aiohttp_mock):
                    route = aiohttp_mock.get(f"{HOST}/a")
                    await get(f"{HOST}/a?page=2")
            >       route.assert_called_once_with(query={"page": "3"})
            E       AssertionError: the last call, GET http://api.test/a?page=2, was not as asked
            E       query page   expected '3'   actual '2'

            test_it.py:9: AssertionError
            --- aiohttp calls ---
            +0.000 s  GET http://api.test/a?page=2 -> 200 in 0.000 s  test_it.py:7
        """)

    @pytest.mark.parametrize(
        "asserting",
        [
            "aiohttp_mock.calls.first",
            "aiohttp_mock.calls.one(method='GET')",
            "aiohttp_mock.assert_calls([{'method': 'GET'}])",
            "await aiohttp_mock.wait(timeout=0)",
            "await aiohttp_mock.get('/a').optional().hold().waiting(timeout=0)",
            "await aiohttp_mock.ws('/a').optional().connection(timeout=0)",
            "aiohttp_mock.get('/a').reply(200, jsn={})",
            "aiohttp_mock.get('http://api.test:port')",
            "from aiotest_kit import virtual_time; virtual_time().advance(1)",
            "from aiotest_kit.compat.aioresponses import aioresponses; aioresponses().assert_called()",
            "from aiotest_kit.compat.aiointercept import aiointercept; aiointercept().assert_called()",
            "from aiotest_kit.compat.aresponses import ResponsesMockServer as Server\n"
            "server = Server(); server.add('h'); server.assert_plan_strictly_followed()",
        ],
    )
    def test_line_of_the_test(self, failing: Failing, asserting: str) -> None:
        """No line but the test's is shown, whatever asserts or refuses."""
        report = failing(asserting)
        assert [f">       {asserting.splitlines()[-1]}"] == re.findall(r"^>.*", report, re.MULTILINE)
        assert re.search(r"\n\ntest_it.py:\d+: \w+", report)

    def test_line_of_a_test_case(self, suite: Suite) -> None:
        """So it is for unittest; a full trace has all lines."""
        suite.tests("""
class TestIt(unittest.TestCase):
    def test_it(self):
        import aiotest_kit
        aiotest_kit.Router().assert_called()
""")
        report = suite.run().report("TestIt.test_it")
        assert [">       aiotest_kit.Router().assert_called()"] == re.findall(r"^>.*", report, re.MULTILINE)
        assert "_routing/assertions.py" not in report
        assert "_routing/assertions.py" in suite.run("--full-trace").report("TestIt.test_it")

    def test_unmatched_that_escapes(self, failing: Failing) -> None:
        """What the exception says is not said again beside it, whatever it was turned into."""
        report = failing("""
aiohttp_mock.get(f"{HOST}/b")
try:
    await get(f"{HOST}/a")
except aiohttp.ClientError as error:
    raise RuntimeError("wrapped") from error
""")
        assert 1 == times_told(report)
        assert "unanswered requests" not in report
        assert "never called" not in report


class TestHandlers:
    def test_assertion(self, failing: Failing) -> None:
        """An assertion in a handler fails the test, with the handler's own lines and no others."""
        report = failing("""
def handler(request):
    assert request.path == "/b"

aiohttp_mock.get(f"{HOST}/a").reply(handler)
assert await get(f"{HOST}/a") == 500
""")
        assert report == dedent("""
            request = <Request GET http://api.test/a>

                def handler(request):
            >       assert request.path == "/b"
            E       AssertionError: assert '/a' == '/b'
            E
            E         - /b
            E         + /a

            test_it.py:8: AssertionError
            --- error in a handler ---
            while answering GET http://api.test/a
            --- aiohttp calls ---
            +0.000 s  GET http://api.test/a -> 500 in 0.000 s  test_it.py:10
        """)

    @pytest.mark.parametrize("style", ["long", "short", "native"])
    def test_error_in_another_file(self, suite: Suite, style: str) -> None:
        """The lines shown begin in the handler, in whatever file it stands."""
        suite.pytester.makepyfile(far="async def handler(request):\n    return {}[request.path]\n")
        suite.tests("""
from far import handler

async def test_it(aiohttp_mock):
    aiohttp_mock.get(f"{HOST}/a").reply(handler)
    assert await get(f"{HOST}/a") == 500
""")
        ran = suite.run(f"--tb={style}")
        ran.outcomes(failed=1)
        assert "KeyError: '/a'" in ran.text
        assert "return {}[request.path]" in ran.text
        if style != "native":
            assert "aiotest_kit" not in ran.report("test_it")

    def test_error_beside_another_failure(self, suite: Suite) -> None:
        """A test that failed because of the 500 is told of the handler's error."""
        suite.pytester.makepyfile(far="def handler(request):\n    return {}[request.path]\n")
        suite.tests("""
import far

async def test_it(aiohttp_mock):
    aiohttp_mock.get(f"{HOST}/a").reply(far.handler)
    assert await get(f"{HOST}/a") == 200
""")
        ran = suite.run()
        ran.outcomes(failed=1)
        assert ran.report("test_it").replace(str(suite.pytester.path), "") == dedent("""
            aiohttp_mock = <Router with 1 route>

                async def test_it(aiohttp_mock):
                    aiohttp_mock.get(f"{HOST}/a").reply(far.handler)
            >       assert await get(f"{HOST}/a") == 200
            E       assert 500 == 200

            test_it.py:10: AssertionError
            --- error in a handler ---
            while answering GET http://api.test/a
            Traceback (most recent call last):
              File "/far.py", line 2, in handler
                return {}[request.path]
            KeyError: '/a'
            --- aiohttp calls ---
            +0.000 s  GET http://api.test/a -> 500 in 0.000 s  test_it.py:9
        """)

    def test_several_errors(self, failing: Failing) -> None:
        """The first error fails the test; the others stand beside it."""
        report = failing("""
def handler(request):
    raise ValueError(request.path)

aiohttp_mock.get("/{any}").reply(handler)
await get(f"{HOST}/a")
await get(f"{HOST}/b")
""")
        assert "E       ValueError: /a" in report
        head, _, section = report.partition("--- error in a handler ---")
        assert "/b" not in head
        assert 1 == section.count("ValueError: /b")
        assert "ValueError: /a" not in section

    def test_nonsense(self, failing: Failing) -> None:
        """An error of the kit's own has no lines of the handler; its text is all there is."""
        report = failing("""
aiohttp_mock.get(f"{HOST}/a").reply(lambda request: None)
assert await get(f"{HOST}/a") == 500
""")
        first, second, *rest = report.splitlines()
        assert first == "while answering GET http://api.test/a"
        assert "UsageError: handler" in second
        assert rest[0] == "--- aiohttp calls ---"

    def test_fail(self, failing: Failing) -> None:
        """`pytest.fail` in a handler fails the test there."""
        report = failing("""
def handler(request):
    pytest.fail("not this one")

aiohttp_mock.get(f"{HOST}/a").reply(handler)
await get(f"{HOST}/a")
""")
        assert '>       pytest.fail("not this one")\nE       Failed: not this one' in report

    def test_fail_without_traceback(self, failing: Failing) -> None:
        """And says no more than it was asked to."""
        report = failing("""
aiohttp_mock.get(f"{HOST}/a").reply(lambda request: pytest.fail("not this one", pytrace=False))
await get(f"{HOST}/a")
""")
        assert report.startswith("not this one\n--- error in a handler ---\nwhile answering GET ")

    @pytest.mark.parametrize(("call", "outcome"), [("skip", "skipped"), ("xfail", "xfailed")])
    def test_skip(self, suite: Suite, call: str, outcome: str) -> None:
        """`pytest.skip` and `pytest.xfail` in a handler are for the test that goes on to pass."""
        suite.tests(f"""
async def test_it(aiohttp_mock):
    aiohttp_mock.get(f"{{HOST}}/a").reply(lambda request: pytest.{call}("not today"))
    assert await get(f"{{HOST}}/a") == 500
""")
        ran = suite.run("-rsx")
        ran.outcomes(**{outcome: 1})
        assert "not today" in ran.text


OUTCOMES = """
@pytest.fixture
def unused(aiohttp_mock):
    aiohttp_mock.get(f"{HOST}/unused")

@pytest.fixture
def broken(aiohttp_mock):
    aiohttp_mock.get(f"{HOST}/unused")
    raise RuntimeError("broken set-up")

@pytest.mark.usefixtures("unused")
class TestPlain:
    def test_passes(self): pass
    async def test_passes_async(self): pass
    def test_fails(self): assert not "own failure"
    def test_skips(self): pytest.skip("own skip")
    def test_xfails_by_call(self): pytest.xfail("own xfail")
    @pytest.mark.xfail
    def test_xfails(self): assert not "own failure"
    @pytest.mark.xfail
    def test_xfails_by_us(self): pass
    @pytest.mark.xfail(strict=True)
    def test_xfails_strictly(self): assert not "own failure"
    @pytest.mark.xfail(strict=True)
    def test_xfails_strictly_by_us(self): pass
    @pytest.mark.xfail(raises=KeyError)
    def test_xfails_for_something_else(self): pass
    @pytest.mark.skip
    def test_is_skipped(self): pass
    def test_does_not_start(self, broken): pass

class TestUnit(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def mock(self, aiohttp_mock, unused):
        self.mock = aiohttp_mock

    def test_unit_passes(self): pass
    def test_unit_fails(self): self.fail("own failure")
    def test_unit_skips(self): self.skipTest("own skip")
    def test_unit_fails_in_subtest(self):
        with self.subTest("one"):
            self.fail("own failure")
    @unittest.expectedFailure
    def test_unit_xfails(self): self.fail("own failure")

class TestUnitAsync(unittest.IsolatedAsyncioTestCase):
    @pytest.fixture(autouse=True)
    def mock(self, aiohttp_mock):
        self.mock = aiohttp_mock

    async def test_unit_async_passes(self):
        self.mock.get(f"{HOST}/a")
        assert await get(f"{HOST}/a") == 200

    async def test_unit_async_fails(self):
        await swallow(f"{HOST}/a")
"""
UNUSED = "1 route was never called"
OWN = "own failure"


@pytest.mark.parametrize(
    ("test", "outcome", "says"),
    [
        ("test_passes", "FAILED", UNUSED),
        ("test_passes_async", "FAILED", UNUSED),
        ("test_fails", "FAILED", OWN),
        ("test_skips", "SKIPPED", None),
        ("test_xfails_by_call", "XFAIL", None),
        ("test_xfails", "XFAIL", None),
        ("test_xfails_by_us", "XFAIL", None),
        ("test_xfails_strictly", "XFAIL", None),
        ("test_xfails_strictly_by_us", "XFAIL", None),
        ("test_xfails_for_something_else", "FAILED", UNUSED),
        ("test_is_skipped", "SKIPPED", None),
        ("test_does_not_start", "ERROR", "broken set-up"),
        ("test_unit_passes", "FAILED", UNUSED),
        ("test_unit_fails", "FAILED", OWN),
        ("test_unit_skips", "SKIPPED", None),
        ("test_unit_xfails", "XFAIL", None),
        ("test_unit_async_passes", "PASSED", None),
        ("test_unit_async_fails", "FAILED", "no route answered GET http://api.test/a"),
    ],
)
def test_outcome(suite: Suite, test: str, outcome: str, says: str | None) -> None:
    """A test whose route is never called has one outcome and one report: its own, or else ours."""
    ran = suite.tests(OUTCOMES).run("-v", "-k", f"{test} and not {test}_")
    assert {outcome} == ran.outcome_of(test), ran.text
    reports = list(ran.reports.values())
    assert len(reports) == (0 if says is None else 1)
    assert all(says and says in report for report in reports)
    assert (says == UNUSED) == (UNUSED in "".join(reports))


def test_optional(suite: Suite) -> None:
    """An optional route need not be called."""
    suite.tests('def test_it(aiohttp_mock):\n    aiohttp_mock.get(f"{HOST}/a").optional()')
    suite.run().outcomes(passed=1)


def test_success_shows_nothing(suite: Suite) -> None:
    """A test that passes has no sections, not even where pytest shows all it has."""
    suite.tests("""
async def test_it(aiohttp_mock):
    aiohttp_mock.get(f"{HOST}/a")
    assert await get(f"{HOST}/a") == 200
""")
    ran = suite.run("-rA")
    ran.outcomes(passed=1)
    assert "aiohttp calls" not in ran.text


def test_failing_setup_shows_calls(suite: Suite) -> None:
    """What a fixture asked for before another one failed is shown beside that failure."""
    suite.tests("""
@pytest.fixture
async def logged_in(aiohttp_mock):
    aiohttp_mock.post(f"{HOST}/login")
    await get(f"{HOST}/login")

def test_it(logged_in):
    pass
""")
    ran = suite.run()
    ran.outcomes(errors=1)
    report = ran.report("ERROR at setup of test_it")
    assert report.endswith("+0.000 s  GET http://api.test/login -> UnmatchedRequest in 0.000 s")
    assert 1 == times_told(report)


class TestTeardown:
    """After the call phase only what goes wrong then is left to report."""

    SUITE = """
@pytest.fixture
def unmatched(aiohttp_mock):
    yield
    asyncio.run(swallow(f"{HOST}/late"))

@pytest.fixture
def broken(aiohttp_mock):
    def handler(request):
        assert not "own failure"
    aiohttp_mock.get(f"{HOST}/late").reply(handler).optional()
    yield
    asyncio.run(get(f"{HOST}/late"))
"""

    def test_unmatched(self, suite: Suite) -> None:
        """A request in a fixture's teardown that no route answers is an error there."""
        ran = suite.tests(f"{self.SUITE}\ndef test_it(unmatched): pass").run()
        ran.outcomes(passed=1, errors=1)
        assert ran.report("ERROR at teardown of test_it") == dedent("""
            no route answered GET http://api.test/late
              there are no routes
            on purpose? @pytest.mark.aiotest(unmatched="allow")
            --- aiohttp calls ---
            +0.000 s  GET http://api.test/late -> UnmatchedRequest in 0.000 s
        """)

    def test_handler(self, suite: Suite) -> None:
        """So is an error in a handler."""
        ran = suite.tests(f"{self.SUITE}\ndef test_it(broken): pass").run()
        ran.outcomes(passed=1, errors=1)
        assert '>       assert not "own failure"' in ran.report("ERROR at teardown of test_it")
        assert "aiotest_kit" not in ran.report("ERROR at teardown of test_it")

    @pytest.mark.parametrize(
        ("test", "outcome"),
        [
            ("def test_it(unmatched, broken): assert 0", "failed"),
            ("def test_it(unmatched, broken): pytest.skip()", "skipped"),
            ("@pytest.mark.xfail\ndef test_it(unmatched, broken): assert 0", "xfailed"),
            ("@pytest.mark.aiotest(unmatched='allow')\ndef test_it(unmatched): pass", "passed"),
        ],
        ids=["failed", "skipped", "xfailed", "allowed"],
    )
    def test_only_after_success(self, suite: Suite, test: str, outcome: str) -> None:
        """A test that did not pass gets no second report."""
        suite.tests(f"{self.SUITE}\n{test}").run().outcomes(**{outcome: 1})


def test_exit(suite: Suite) -> None:
    """`pytest.exit` in a handler ends the run."""
    suite.tests("""
async def test_it(aiohttp_mock):
    aiohttp_mock.get(f"{HOST}/a").reply(lambda request: pytest.exit("that is all"))
    await get(f"{HOST}/a")

def test_other(): pass
""")
    ran = suite.run()
    assert "Exit: that is all" in ran.text
    ran.outcomes()


def test_rerun(suite: Suite) -> None:
    """A test that is run again answers for that run alone."""
    suite.conftest("""
from _pytest.runner import runtestprotocol

def pytest_runtest_protocol(item, nextitem):
    first = runtestprotocol(item, nextitem=nextitem, log=False)
    assert ["passed", "failed", "passed"] == [report.outcome for report in first]
    item._initrequest()
    for report in runtestprotocol(item, nextitem=nextitem, log=False):
        item.ihook.pytest_runtest_logreport(report=report)
    return True
""")
    suite.tests("""
runs = []

async def test_it(aiohttp_mock):
    runs.append(aiohttp_mock)
    aiohttp_mock.get(f"{HOST}/{len(runs)}")
    await swallow(f"{HOST}/2")
""")
    suite.run().outcomes(passed=1)


@pytest.mark.aiotest(leaks="off")
def test_a_script_that_is_not_finished(pytester: pytest.Pytester) -> None:
    """A websocket's script that still expects something fails the test, unless the policy allows it."""
    pytester.makepyfile(
        """
        import aiohttp, pytest
        from aiotest_kit.websocket import expect

        @pytest.fixture
        async def session():
            async with aiohttp.ClientSession() as session:
                yield session

        @pytest.fixture
        def talk(aiohttp_mock, session):
            aiohttp_mock.ws("wss://stream.test/ticks").script(expect("hello"), expect("bye"))
            return session.ws_connect("wss://stream.test/ticks")

        async def test_strict(talk):
            await (await talk).send_str("hello")

        @pytest.mark.aiotest(unused="allow")
        async def test_allowed(talk):
            await (await talk).send_str("hello")
        """
    )

    options = ("-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function")
    result = pytester.runpytest_inprocess(*options, "-p", "no:cacheprovider")

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        ["the script of wss://stream.test/ticks (*) was not finished", "  step * of 2: *"]
    )


def test_asserted_not_to_be_called(suite: Suite) -> None:
    """A route of which the test has said that it was not called need not be called; any other must."""
    ran = suite.tests("""
async def test_settled(aiohttp_mock):
    aiohttp_mock.post(f"{HOST}/a").reply(201).assert_not_called()


async def test_settled_within_a_scope(aiohttp_mock):
    with aiohttp_mock.scope():
        aiohttp_mock.post(f"{HOST}/a").assert_not_called()


async def test_another(aiohttp_mock):
    aiohttp_mock.post(f"{HOST}/a").assert_not_called()
    aiohttp_mock.post(f"{HOST}/b")


""").run()
    ran.outcomes(passed=2, failed=1)
    assert "POST http://api.test/b" in ran.report("test_another")
    assert "http://api.test/a" not in ran.report("test_another")
