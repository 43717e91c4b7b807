"""What a test owes its mocks, as policies, verdicts and texts; what pytest makes of it: tests/plugin."""

import asyncio
import traceback
from typing import Any

import pytest

from aiotest_kit import Call, Miss, Origin, Request, Route, Router, UsageError
from aiotest_kit._plugin.settings import Policy
from aiotest_kit._plugin.strictness import Watch
from aiotest_kit._routing.handler_errors import HandlerError
from aiotest_kit._routing.route import StalledCall

API = Origin("http", "api.test", 80)
STRICT = Policy()
ALLOW = Policy(unmatched="allow", unused="allow")


def routers_of(watched: Watch) -> list[Router]:
    return [router for router in watched.routers if isinstance(router, Router)]


def router_of(watched: Watch) -> Router:
    (router,) = routers_of(watched)
    return router


def missed(router: Router, path: str = "/a") -> None:
    """A request that no route answers, as a peer records it."""
    request = Request("GET", API, path)
    miss = router.find(request)
    assert isinstance(miss, Miss)
    call: Call[Route] = Call(request, None, 0.0)
    call.exception = OSError()
    miss.record(call)


def failed(router: Router, exception: BaseException) -> None:
    """An error in the handler of a route that was called, as a peer records it."""
    route = router.get("/failed").optional()
    route.failed(HandlerError(exception, Request("GET", API, "/failed"), route))


def raised(exception: BaseException) -> BaseException:
    """An exception with a traceback that leads here."""
    try:
        raise exception
    except BaseException as exc:
        return exc


def watch(policy: Policy = STRICT, number: int = 1) -> Watch:
    return Watch(policy, [Router() for _ in range(number)])


# ---- policies ----


@pytest.mark.parametrize(
    ("settings", "policy"),
    [
        pytest.param({}, Policy("error", "error"), id="nothing"),
        pytest.param({"unmatched": "allow"}, Policy("allow", "error"), id="one"),
        pytest.param(
            {"unmatched": "passthrough", "unused": "allow"}, Policy("passthrough", "allow"), id="both"
        ),
    ],
)
def test_updated(settings: dict[str, str], policy: Policy) -> None:
    """Settings replace what they name."""
    assert policy == STRICT.updated(settings, "test")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param(
            {"unmached": "allow"},
            "unknown option 'unmached' of the marker; "
            "options are: unmatched, unused, upstream, allow_server_errors, leaks",
            id="option",
        ),
        pytest.param(
            {"unmatched": "ignore"},
            "unknown unmatched 'ignore' of the marker; it may be: error, allow, passthrough",
            id="unmatched",
        ),
        pytest.param(
            {"unused": "passthrough"},
            "unknown unused 'passthrough' of the marker; it may be: error, allow",
            id="unused",
        ),
    ],
)
def test_bad_settings(settings: dict[str, Any], message: str) -> None:
    """A setting that does not exist is refused, with those that do and the place where it stands."""
    with pytest.raises(UsageError) as caught:
        STRICT.updated(settings, "the marker")

    assert message == str(caught.value)


# ---- verdicts ----


def test_nothing_owed() -> None:
    """A test whose mocks saw nothing wrong passes."""
    assert watch().verdict() is None
    assert [] == list(watch().sections(None))


def test_unanswered_and_never_called() -> None:
    """All that was left undone is one failure, which shows no line of the kit."""
    watched = watch(number=2)
    first, second = routers_of(watched)
    missed(first)
    route = second.get("/b")

    verdict = watched.verdict()

    assert isinstance(verdict, pytest.fail.Exception)
    assert not verdict.pytrace
    assert (
        "no route answered GET http://api.test/a\n"
        "  there are no routes\n"
        "1 route was never called\n"
        f"  1. GET /b  {route.location}\n"
        "  there were no requests\n"
        'on purpose? route.optional() / @pytest.mark.aiotest(unmatched="allow", unused="allow")'
    ) == str(verdict)


@pytest.mark.parametrize(
    ("policy", "has_unanswered", "has_never_called"),
    [
        pytest.param(STRICT, True, True, id="strict"),
        pytest.param(Policy(unmatched="allow"), False, True, id="unmatched allowed"),
        pytest.param(Policy(unmatched="passthrough"), False, True, id="unmatched let through"),
        pytest.param(Policy(unused="allow"), True, False, id="unused allowed"),
    ],
)
def test_policy_holds(policy: Policy, has_unanswered: bool, has_never_called: bool) -> None:
    """Only what the policy minds is a failure."""
    watched = watch(policy)
    missed(router_of(watched))
    router_of(watched).get("/b")
    text = str(watched.verdict())

    assert (has_unanswered, has_never_called) == ("no route answered" in text, "was never called" in text)


def test_all_allowed() -> None:
    """A policy that minds nothing fails nothing."""
    watched = watch(ALLOW)
    missed(router_of(watched))
    router_of(watched).get("/b")

    assert watched.verdict() is None


def test_equal_requests_are_one() -> None:
    """A request that was made again and again is told once, with how often."""
    watched = watch()
    for path in ("/a", "/a", "/b"):
        missed(router_of(watched), path)

    assert (
        "no route answered GET http://api.test/a (2 times)\n"
        "  there are no routes\n"
        "no route answered GET http://api.test/b\n"
        "  there are no routes\n"
        'on purpose? @pytest.mark.aiotest(unmatched="allow")'
    ) == str(watched.verdict())


def test_many_requests() -> None:
    """Of many unanswered requests, the first ten are told."""
    watched = watch()
    for number in range(13):
        missed(router_of(watched), f"/{number}")
    text = str(watched.verdict())

    assert 10 == text.count("there are no routes")
    assert text.endswith(
        "/9\n  there are no routes\nand 3 more that no route answered\n"
        'on purpose? @pytest.mark.aiotest(unmatched="allow")'
    )


def test_handler_error_goes_first() -> None:
    """An error in a handler is raised itself, and its traceback begins with the test's own code."""
    watched = watch()
    error = raised(KeyError("mine"))
    missed(router_of(watched))
    failed(router_of(watched), error)

    verdict = watched.verdict()

    assert error is verdict
    assert ["raised"] == [frame.name for frame in traceback.extract_tb(error.__traceback__)]


def error_of_the_kit() -> BaseException:
    try:
        STRICT.updated({"x": 1}, "a handler")
    except UsageError as exc:
        trace = exc.__traceback__
        assert trace is not None
        return exc.with_traceback(trace.tb_next)
    raise AssertionError


def test_handler_error_of_the_kit_alone() -> None:
    """An error with no line of the test's own is told with the request."""
    watched = watch()
    failed(router_of(watched), error_of_the_kit())

    assert (
        "while answering GET http://api.test/failed\n"
        "aiotest_kit.UsageError: unknown option 'x' of a handler; "
        "options are: unmatched, unused, upstream, allow_server_errors, leaks"
    ) == str(watched.verdict())


@pytest.mark.parametrize("has_passed", [True, False], ids=["passed", "failed"])
@pytest.mark.parametrize("kind", ["miss", "error", "unused"])
def test_late_verdict(kind: str, has_passed: bool) -> None:
    """After a test that passed, requests and errors still count; a route may be left out at the end."""
    watched = watch()
    watched.passed = has_passed
    if kind == "miss":
        missed(router_of(watched))
    elif kind == "error":
        failed(router_of(watched), raised(KeyError("mine")))
    else:
        router_of(watched).get("/unused")

    assert (has_passed and kind != "unused") is (watched.late_verdict() is not None)


# ---- what still waits ----


@pytest.mark.parametrize(
    ("passed", "has_gone", "is_told"),
    [
        pytest.param(True, False, True, id="waits"),
        pytest.param(True, True, False, id="has gone"),
        pytest.param(False, False, False, id="of a test that failed"),
    ],
)
async def test_let_go(passed: bool, has_gone: bool, is_told: bool) -> None:
    """Whoever waits is let go, and told of unless it has given up or there is another report."""
    watched = watch()
    watched.passed = passed
    router = router_of(watched)
    route = router.get("http://api.test/slow")
    call: Call[Route] = Call(Request("GET", API, "/slow"), route, 0.0)

    async def stall() -> None:
        with route.stalling(StalledCall(call, lambda: has_gone)):
            await asyncio.get_running_loop().create_future()

    first = asyncio.ensure_future(stall())
    await asyncio.sleep(0)
    told = watched.release_stalled()
    later = asyncio.ensure_future(stall())
    await asyncio.wait([first, later])

    text = "a call still waited when its test was over, and was let go: GET http://api.test/slow for "
    assert [f"{text}{route!r}"] * is_told == told
    assert first.cancelled()
    assert later.cancelled()
    assert [] == watched.release_stalled()


# ---- sections ----


def test_sections() -> None:
    """A failure is shown beside what its mocks saw."""
    watched = watch()
    router = router_of(watched)
    failed(router, raised(KeyError("mine")))
    missed(router)

    sections = dict(watched.sections(ValueError("of the test")))

    assert ["error in a handler", "unanswered requests", "aiohttp calls"] == list(sections)
    lines = sections["error in a handler"].splitlines()
    assert "while answering GET http://api.test/failed" == lines[0]
    assert ("Traceback (most recent call last):", "KeyError: 'mine'") == (lines[1], lines[-1])
    assert sections["unanswered requests"].startswith("no route answered GET http://api.test/a\n")
    assert "+0.000 s  GET http://api.test/a -> OSError" == sections["aiohttp calls"]


def caused(by: BaseException, *, implicit: bool) -> BaseException:
    exc = ValueError("of the test")
    if implicit:
        exc.__context__ = by
    else:
        exc.__cause__ = by
    return exc


@pytest.mark.parametrize("implicit", [False, True], ids=["from it", "while handling it"])
def test_nothing_is_told_twice(implicit: bool) -> None:
    """What the exception of the test says by itself, or what led to it, is no section; the request is."""
    watched = watch()
    router = router_of(watched)
    error = raised(KeyError("mine"))
    failed(router, error)
    missed(router)
    report = router.misses[0].explain()
    error.__context__ = OSError(report)

    sections = dict(watched.sections(caused(error, implicit=implicit)))

    assert ["error in a handler", "aiohttp calls"] == list(sections)
    assert "while answering GET http://api.test/failed" == sections["error in a handler"]


def test_exceptions_that_led_to_each_other() -> None:
    """A circle of causes has an end."""
    first, second = ValueError("one"), ValueError("two")
    first.__cause__, second.__cause__ = second, first

    assert [] == list(watch().sections(first))
