"""A log that keeps the last calls only: counts stay true, and what reads of it says what is missing."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from aiotest_kit import Call, Hit, Miss, Origin, Request, Route, Router, UsageError
from aiotest_kit._reports.call_log import timeline

API = Origin("http", "api.test", 80)
LOST = "  2 older calls are not in the log any more, of which Router(keep=...) sets the length"
LOST_ONE = "  1 older call is not in the log any more, of which Router(keep=...) sets the length"


def call(router: Router, path: str, method: str = "GET") -> Call[Route]:
    """A call as a connection records it."""
    request = Request(method, API, path)
    outcome = router.find(request)
    made: Call[Route] = Call(request, None if isinstance(outcome, Miss) else outcome.route, 0.0)
    if isinstance(outcome, Miss):
        outcome.record(made)
        return made
    outcome.route.record(made)
    if outcome.via is not None:
        outcome.via.record(made)
    return made


class Log:
    """A router that keeps three calls, of five that were made."""

    def __init__(self) -> None:
        self.router = Router(keep=3)
        self.old = self.router.get("/old")
        self.new = self.router.get("/new")
        self.calls = [call(self.router, path) for path in ("/old", "/old", "/new", "/new", "/new")]


@pytest.fixture
def log() -> Log:
    return Log()


def report(act: Callable[[], object]) -> str:
    with pytest.raises(AssertionError) as caught:
        act()
    return str(caught.value)


def test_counts_stay_true(log: Log) -> None:
    """The last calls are kept, in every log; counts are of all."""
    assert log.calls[2:] == list(log.router.calls)
    assert ([], log.calls[2:]) == (list(log.old.calls), list(log.new.calls))
    assert (5, 2, 3) == (log.router.call_count, log.old.call_count, log.new.call_count)
    assert log.old.called
    log.router.assert_called(times=5)
    log.old.assert_called(times=2)
    log.old.assert_called(at_least=1)
    assert () == log.router.never_called
    assert log.calls[-1] is log.router.calls.last


def test_clear(log: Log) -> None:
    """A cleared log begins anew."""
    log.router.calls.clear()
    assert (0, 0, 0) == (log.router.call_count, log.old.call_count, log.new.call_count)
    assert () == log.router.never_called
    assert call(log.router, "/old") is log.router.calls.one()


@pytest.mark.parametrize(("keep", "kept"), [(0, 0), (1, 1), (None, 1001), (1000, 1000)])
def test_lengths(keep: int | None, kept: int) -> None:
    """None is all of them; 1000 is what is kept by default."""
    router = Router() if keep == 1000 else Router(keep=keep)
    route = router.get("/a")
    for _ in range(1001):
        call(router, "/a")
    assert (kept, kept) == (len(router.calls), len(route.calls))
    assert (1001, 1001) == (router.call_count, route.call_count)


@pytest.mark.parametrize("keep", [-1, 1.5, "3", True])
def test_wrong_lengths(keep: Any) -> None:
    """It is a number of calls."""
    with pytest.raises(UsageError) as caught:
        Router(keep=keep)
    assert f"keep= is a number of calls, or None for all; got {keep!r}" == str(caught.value)


def test_misses_and_prefixes() -> None:
    """Calls that no route answered count, too; routers under a prefix lose theirs with the whole."""
    router = Router(keep=2)
    api = router.host("http://api.test/v1")
    api.get("/a")
    call(router, "/v1/a")
    for number in range(2):
        call(router, f"/{number}")
    assert (0, 1) == (len(api.calls), api.call_count)
    assert (2, 3) == (len(router.calls), router.call_count)


def test_mounts() -> None:
    """A mounted router keeps what it says itself."""
    inner = Router()
    route = inner.get("/a")
    outer = Router(keep=1)
    mount = outer.mount("http://api.test", inner)
    for _ in range(3):
        call(outer, "/a")
    assert (1, 1, 3, 3) == tuple(len(each.calls) for each in (outer, mount, inner, route))
    assert (3, 3, 3, 3) == tuple(each.call_count for each in (outer, mount, inner, route))


def test_other_order(log: Log) -> None:
    """Threads may write a log in another order than the whole; nothing stays in it for that."""
    router = Router(keep=2)
    route = router.get("/a")
    calls = [call(router, "/a") for _ in range(2)]
    route.calls._calls.reverse()
    calls += [call(router, "/a") for _ in range(2)]
    assert calls[2:] == list(route.calls) == list(router.calls)


def test_shorter_log(log: Log) -> None:
    """A log that is to be shorter loses its oldest calls at once."""
    log.router.bound_log(1, None)
    assert (1, 1, 5) == (len(log.router.calls), len(log.new.calls), log.router.call_count)


@pytest.mark.parametrize(
    ("act", "says"),
    [
        (lambda log: log.router.calls.first, f"the first call is not there\n{LOST}"),
        (lambda log: log.router.calls.where(url="/new").first, f"the first call is not there\n{LOST}"),
        (lambda log: log.old.calls.last, "there are no calls"),
        (lambda log: log.router.calls.one(), None),
        (
            lambda log: log.router.calls.one(url="/nowhere"),
            "no call is * /nowhere\n"
            "  nearest of 3 calls:\n"
            + "".join(
                f"  {n}. GET http://api.test/new\n       url path   expected '/nowhere'   actual '/new'\n"
                for n in (1, 2, 3)
            )
            + LOST,
        ),
        (
            lambda log: log.router.assert_calls([log.new, log.new, log.new]),
            f"the calls cannot be compared with those expected\n{LOST}",
        ),
        (
            lambda log: log.router.assert_calls([log.old], only=False),
            f"expected 1 call, there were 5\n  1. expected {{old}}, was not made\n"
            "  1. GET http://api.test/new\n  2. GET http://api.test/new\n  3. GET http://api.test/new\n"
            f"{LOST}",
        ),
        (
            lambda log: log.router.assert_called(times=3),
            f"Router was called 5 times, expected 3\n{LOST}\n"
            "  3. GET http://api.test/new\n  4. GET http://api.test/new\n  5. GET http://api.test/new",
        ),
        (lambda log: log.old.assert_not_called(), f"{{old}} was called 2 times\n{LOST}"),
        (lambda log: log.old.assert_called_once(), f"{{old}} was called 2 times, not once\n{LOST}"),
    ],
    ids=["first", "where", "last", "one", "one of", "calls", "among", "times", "not called", "once"],
)
def test_what_is_said(log: Log, act: Callable[[Log], object], says: str | None) -> None:
    """Where the calls that are missing may matter, the report says so."""
    said = report(lambda: act(log))
    if says is None:
        assert said.startswith("3 calls, not one, were made\n  1. GET http://api.test/new\n")
        assert said.endswith(LOST)
    else:
        assert says.replace("{old}", repr(log.old)) == said


def test_one_that_may_not_be_the_only_one() -> None:
    """One call that is as asked may be one of several, of which the others are not kept."""
    router = Router(keep=1)
    router.get("/{any}")
    call(router, "/a")
    call(router, "/b")
    assert f"1 call is * /b\n{LOST_ONE}" == report(lambda: router.calls.one(url="/b"))
    assert f"1 call is in the log\n{LOST_ONE}" == report(router.calls.one)
    router.assert_calls([{"url": "/b"}], only=False)
    router.assert_called_with(url="/b")


def test_timeline(log: Log) -> None:
    """The timeline begins with what is missing."""
    assert LOST.strip() == timeline(log.router.calls).splitlines()[0]


async def test_wait(log: Log) -> None:
    """Waiting counts all calls."""
    assert log.calls[2:] == list(await log.router.wait(5, timeout=0))
    task = asyncio.ensure_future(log.router.wait(6))
    await asyncio.sleep(0)
    call(log.router, "/new")
    assert 3 == len(await task)
    with pytest.raises(AssertionError, match=r"^6 of 7 calls of Router came within 0 s"):
        await log.router.wait(7, timeout=0)


def test_hit_is_found() -> None:
    """The helper of this file finds what a connection finds."""
    router = Router()
    router.get("/a")
    assert isinstance(router.find(Request("GET", API, "/a")), Hit)
