"""The log of calls and what is asserted of it: each report is compared whole."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from aiotest_kit import Call, Calls, Hit, Origin, Reply, Request, Route, Router, UsageError
from aiotest_kit._reports.call_log import timeline

API = Origin("http", "api.test", 80)


class Log:
    """A router with two routes, and the calls that are made of it."""

    def __init__(self) -> None:
        self.router = Router()
        self.users = self.router.any("http://api.test/users", name="users").reply(201)
        self.rest = self.router.host("http://api.test/rest")
        self.items = self.rest.any("/items")

    def call(self, method: str, target: str, body: bytes = b"") -> Call[Route]:
        request = Request(method, API, target, body=body)
        outcome = self.router.find(request)
        assert isinstance(outcome, Hit)
        call: Call[Route] = Call(request, outcome.route, float(len(self.router.calls)))
        outcome.route.record(call)
        return call


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def three(log: Log) -> Log:
    """A log of three calls, the second of another route."""
    log.call("POST", "/users", b'{"name": "Ann"}')
    log.call("GET", "/rest/items?page=2")
    log.call("POST", "/users", b'{"name": "Bob"}')
    return log


def report(act: Callable[[], object]) -> str:
    with pytest.raises(AssertionError) as caught:
        act()
    return str(caught.value)


# ---- the log ----


def test_calls_are_a_sequence(three: Log) -> None:
    """A log has a length, is indexed, sliced and iterated, in the order in which calls were made."""
    calls = three.router.calls
    first, second, third = calls

    assert 3 == len(calls)
    assert (first, third) == (calls[0], calls[-1])
    assert [second, third] == list(calls[1:])
    assert isinstance(calls[1:], Calls)
    assert (first, third) == (calls.first, calls.last)
    assert second in calls


def test_each_owner_has_its_calls(three: Log) -> None:
    """A call is in the log of its route, of the router that the route was made by, and of the whole table."""
    assert [2, 1, 1, 3] == [
        len(owner.calls) for owner in (three.users, three.items, three.rest, three.router)
    ]
    assert three.items.calls[0] is three.router.calls[1]


def test_where(three: Log) -> None:
    """Calls are selected in the vocabulary of a route."""
    calls = three.router.calls

    assert [calls[0], calls[2]] == list(calls.where(method="POST"))
    assert [calls[1]] == list(calls.where(query={"page": "2"}))
    assert [calls[2]] == list(calls.where(method="POST").where(json={"name": "Bob"}))
    assert [] == list(calls.where(url="http://other.test/users"))
    assert 3 == len(calls.where())


def test_one(three: Log) -> None:
    """The only call that is as asked."""
    calls = three.router.calls

    assert calls[2] is calls.one(json={"name": "Bob"})
    assert calls[1] is three.items.calls.one()


def test_clear(three: Log) -> None:
    """A router's log takes those of its routes along, and a route's only itself; the route had its call."""
    three.items.calls.clear()
    assert (3, 2, 0) == (len(three.router.calls), len(three.users.calls), len(three.items.calls))
    assert () == three.router.never_called

    three.router.calls.clear()
    assert (0, 0) == (len(three.router.calls), len(three.users.calls))
    assert not three.router.called
    assert () == three.router.never_called


def test_clear_under_a_prefix(three: Log) -> None:
    """A router under a prefix clears what is its own; what was removed is cleared with the whole."""
    three.rest.calls.clear()
    assert (0, 0, 2, 3) == tuple(
        len(each.calls) for each in (three.rest, three.items, three.users, three.router)
    )

    three.users.remove()
    three.router.calls.clear()
    assert (0, 0) == (len(three.users.calls), len(three.router.calls))


def test_repr(three: Log) -> None:
    """A log shows its calls."""
    assert "<Calls [<Call GET http://api.test/rest/items?page=2 -> no reply yet>]>" == repr(three.items.calls)


@pytest.mark.parametrize("end", ["first", "last"])
def test_no_calls(log: Log, end: str) -> None:
    """Of no calls there is neither the first nor the last."""
    assert "there are no calls" == report(lambda: getattr(log.router.calls, end))


# ---- reports ----


def users_text(log: Log) -> str:
    return f"<Route * http://api.test/users 'users' ({log.users.location})>"


REPORTS: list[tuple[str, Callable[[Log], object], str]] = [
    ("one of several", lambda log: log.router.calls.one(method="POST"), """
2 calls, not one, are POST *
  1. POST http://api.test/users
  2. POST http://api.test/users
"""),
    ("one of all", lambda log: log.users.calls.one(), """
2 calls, not one, were made
  1. POST http://api.test/users
  2. POST http://api.test/users
"""),
    ("one of none as asked", lambda log: log.router.calls.one(method="PUT", url="/users"), """
no call is PUT /users
  nearest of 3 calls:
  1. POST http://api.test/users
       method   expected 'PUT'   actual 'POST'
  2. POST http://api.test/users
       method   expected 'PUT'   actual 'POST'
  3. GET http://api.test/rest/items?page=2
       method     expected 'PUT'      actual 'GET'
       url path   expected '/users'   actual '/rest/items'
"""),
    ("assert_called_once", lambda log: log.users.assert_called_once(), """
{users} was called 2 times, not once
  1. POST http://api.test/users
  2. POST http://api.test/users
"""),
    ("assert_called_once of a router", lambda log: log.router.assert_called_once(), """
Router was called 3 times, not once
  1. POST http://api.test/users
  2. GET http://api.test/rest/items?page=2
  3. POST http://api.test/users
"""),
    ("assert_called: too often", lambda log: log.users.assert_called(at_most=1), """
{users} was called 2 times, expected 1 at most
  1. POST http://api.test/users
  2. POST http://api.test/users
"""),
    ("assert_called: not often enough", lambda log: log.items.assert_called(at_least=2), """
{items} was called 1 time, expected 2 or more
  1. GET http://api.test/rest/items?page=2
"""),
    ("assert_called: between", lambda log: log.items.assert_called(at_least=2, at_most=3), """
{items} was called 1 time, expected 2 to 3
  1. GET http://api.test/rest/items?page=2
"""),
    ("assert_called: another number", lambda log: log.items.assert_called(times=0), """
{items} was called 1 time, expected 0
  1. GET http://api.test/rest/items?page=2
"""),
    ("assert_calls among others", lambda log: log.router.assert_calls(
        [{"method": "POST"}, log.users, {"method": "GET"}], only=False
    ), """
expected 3 calls, there were 3
  3. expected GET *, was not made behind call 3
  1. POST http://api.test/users
  2. GET http://api.test/rest/items?page=2
  3. POST http://api.test/users
"""),
    ("assert_calls among others, none of them", lambda log: log.items.assert_calls(
        [{"method": "PUT"}], only=False
    ), """
expected 1 call, there were 1
  1. expected PUT *, was not made
  1. GET http://api.test/rest/items?page=2
"""),
    ("assert_calls among others in any order", lambda log: log.router.assert_calls(
        [{"method": "GET"}, {"method": "PUT"}], in_order=False, only=False
    ), """
expected 2 calls, there were 3
  expected PUT *, was not made
"""),
    ("assert_not_called", lambda log: log.items.assert_not_called(), """
{items} was called 1 time
  1. GET http://api.test/rest/items?page=2
"""),
    ("assert_not_called under a prefix", lambda log: log.rest.assert_not_called(), """
Router of http://api.test/rest was called 1 time
  1. GET http://api.test/rest/items?page=2
"""),
    ("assert_any_call", lambda log: log.users.assert_any_call(json={"name": "Cid"}), """
no call is any request with json {{'name': 'Cid'}}
  nearest of 2 calls:
  1. POST http://api.test/users
       json $.name   expected 'Cid'   actual 'Ann'
  2. POST http://api.test/users
       json $.name   expected 'Cid'   actual 'Bob'
"""),
    ("assert_called_with", lambda log: log.users.assert_called_with(method="PUT", json={"name": "Ann"}), """
the last call, POST http://api.test/users, was not as asked
method        expected 'PUT'   actual 'POST'
json $.name   expected 'Ann'   actual 'Bob'
"""),
    ("assert_called_once_with: often", lambda log: log.users.assert_called_once_with(method="POST"), """
{users} was called 2 times, not once
  1. POST http://api.test/users
  2. POST http://api.test/users
"""),
    ("assert_called_once_with: other", lambda log: log.items.assert_called_once_with(query={"page": "3"}), """
the last call, GET http://api.test/rest/items?page=2, was not as asked
query page   expected '3'   actual '2'
"""),
    ("assert_calls: another kind", lambda log: log.router.assert_calls(
        [{"method": "POST"}, {"method": "POST"}, {"method": "POST", "json": {"name": "Cid"}}]
    ), """
expected 3 calls, there were 3
  2. expected POST *, was GET http://api.test/rest/items?page=2
       method   expected 'POST'   actual 'GET'
  3. expected POST * with json {{'name': 'Cid'}}, was POST http://api.test/users
       json $.name   expected 'Cid'   actual 'Bob'
"""),
    ("assert_calls: another route", lambda log: log.router.assert_calls([log.users] * 3), """
expected 3 calls, there were 3
  2. expected {users}, was GET http://api.test/rest/items?page=2
       it is a call of another route
"""),
    ("assert_calls: too many", lambda log: log.router.assert_calls([log.users]), """
expected 1 call, there were 3
  2. not expected: GET http://api.test/rest/items?page=2
  3. not expected: POST http://api.test/users
"""),
    ("assert_calls: too few", lambda log: log.rest.assert_calls(
        [log.items, {"url": "http://api.test/rest/items"}, log.items]
    ), """
expected 3 calls, there were 1
  2. expected * http://api.test/rest/items, was not made
  3. expected {items}, was not made
"""),
    ("assert_calls: none expected", lambda log: log.items.assert_calls([]), """
expected 0 calls, there were 1
  1. not expected: GET http://api.test/rest/items?page=2
"""),
    ("assert_calls in any order", lambda log: log.router.assert_calls(
        [log.users, {"method": "GET"}, {"method": "DELETE"}], in_order=False
    ), """
expected 3 calls, there were 3
  expected DELETE *, was not made
  not expected: POST http://api.test/users
"""),
]  # fmt: skip


@pytest.mark.parametrize(("act", "text"), [pytest.param(act, text, id=name) for name, act, text in REPORTS])
def test_report(act: Callable[[Log], object], text: str, three: Log) -> None:
    """A failure shows what was asked, what there is, and only what differs."""
    items = f"<Route * http://api.test/rest/items ({three.items.location})>"

    assert text.strip("\n").format(users=users_text(three), items=items) == report(lambda: act(three))


NO_CALLS: list[tuple[str, Callable[[Log], object], str]] = [
    ("assert_called", lambda log: log.users.assert_called(), "{users} was not called"),
    ("assert_called of a router", lambda log: log.router.assert_called(), "Router was not called"),
    (
        "assert_called_once",
        lambda log: log.users.assert_called_once(),
        "{users} was called 0 times, not once",
    ),
    ("assert_called_with", lambda log: log.users.assert_called_with(), "{users} was not called"),
    (
        "assert_called_once_with",
        lambda log: log.users.assert_called_once_with(),
        "{users} was called 0 times, not once",
    ),
    (
        "assert_any_call",
        lambda log: log.users.assert_any_call(method="GET"),
        "no call is GET *\n  there are no calls",
    ),
    ("one", lambda log: log.router.calls.one(), "there are no calls"),
    ("one as asked", lambda log: log.router.calls.one(method="GET"), "there are no calls"),
    (
        "assert_calls",
        lambda log: log.router.assert_calls([log.users]),
        "expected 1 call, there were 0\n  1. expected {users}, was not made",
    ),
]


@pytest.mark.parametrize(
    ("act", "said"),
    [
        pytest.param(lambda route: route.assert_called(), "was not called", id="assert_called"),
        pytest.param(
            lambda route: route.assert_called_once(), "was called 0 times, not once", id="assert_called_once"
        ),
        pytest.param(
            lambda route: route.assert_called_once_with(method="GET"),
            "was called 0 times, not once",
            id="assert_called_once_with",
        ),
    ],
)
def test_report_beside_other_calls(act: Callable[[Any], object], said: str, three: Log) -> None:
    """A route that was not called while others were is shown beside the nearest call, with what differs."""
    route = three.router.get("http://api.test/rest/item")

    assert (
        f"""
<Route GET http://api.test/rest/item ({route.location})> {said}
  nearest: GET http://api.test/rest/items?page=2
       url path   expected '/rest/item'   actual '/rest/items'
""".strip("\n")
        == report(lambda: act(route))
    )


def test_report_on_a_call_of_another_route(log: Log) -> None:
    """A route that would have answered, too, is shown which one did."""
    log.call("GET", "/users")
    place = log.users.location
    late = log.router.get("http://api.test/users")

    assert (
        f"""
<Route GET http://api.test/users ({late.location})> was not called
  GET http://api.test/users matches, but was answered by * http://api.test/users "users" ({place})
""".strip("\n")
        == report(late.assert_called)
    )


@pytest.mark.parametrize(("act", "text"), [pytest.param(act, text, id=name) for name, act, text in NO_CALLS])
def test_report_without_calls(act: Callable[[Log], object], text: str, log: Log) -> None:
    """A failure for want of calls says so."""
    assert text.format(users=users_text(log)) == report(lambda: act(log))


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(lambda log: log.users.assert_called(), id="assert_called"),
        pytest.param(lambda log: log.users.assert_called(times=2), id="assert_called so often"),
        pytest.param(lambda log: log.users.assert_called(at_least=1, at_most=2), id="assert_called between"),
        pytest.param(lambda log: log.users.assert_called(at_most=2), id="assert_called at most"),
        pytest.param(
            lambda log: log.router.assert_calls([log.users, log.users], only=False), id="among others"
        ),
        pytest.param(
            lambda log: log.router.assert_calls([log.items, log.users], in_order=False, only=False),
            id="among others in any order",
        ),
        pytest.param(lambda log: log.items.assert_called_once(), id="assert_called_once"),
        pytest.param(lambda log: Router().assert_not_called(), id="assert_not_called"),
        pytest.param(lambda log: log.users.assert_any_call(json={"name": "Ann"}), id="assert_any_call"),
        pytest.param(lambda log: log.users.assert_called_with(json={"name": "Bob"}), id="assert_called_with"),
        pytest.param(
            lambda log: log.items.assert_called_once_with(method="GET", url="/rest/items"),
            id="assert_called_once_with",
        ),
        pytest.param(
            lambda log: log.router.assert_calls([{"json": {"name": "Ann"}}, log.items, log.users]),
            id="assert_calls",
        ),
        pytest.param(
            lambda log: log.router.assert_calls(
                [{"json": {"name": "Bob"}}, log.users, log.rest], in_order=False
            ),
            id="assert_calls in any order",
        ),
        pytest.param(
            lambda log: log.router.assert_calls(
                [{}, {"method": "POST"}, {"json": {"name": "Ann"}}], in_order=False
            ),
            id="assert_calls in any order, the vague ones first",
        ),
        pytest.param(lambda log: Router().assert_calls([]), id="assert_calls of none"),
    ],
)
def test_what_holds(act: Callable[[Log], object], three: Log) -> None:
    """What is so does not fail."""
    act(three)


def test_called_and_counted(three: Log) -> None:
    """Whether there was a call, and how many."""
    other = three.router.get("/other")

    assert (True, 2, False, 0) == (
        three.users.called,
        three.users.call_count,
        other.called,
        other.call_count,
    )


@pytest.mark.parametrize("how", [{"times": 0}, {"at_most": 2}, {"at_least": 0}])
def test_not_called_as_often_as_it_may(how: dict[str, int], log: Log) -> None:
    """A route that need not be called, as the test has said, is none that was left out."""
    log.users.assert_called(**how)
    log.items.assert_not_called()

    assert () == log.router.never_called


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"times": "2"}, "times= is a number of calls, 0 or more; got '2'"),
        ({"at_least": -1}, "at_least= is a number of calls, 0 or more; got -1"),
        ({"at_most": True}, "at_most= is a number of calls, 0 or more; got True"),
        (
            {"times": 2, "at_least": 1},
            "times= says how many calls there were; at_least= and at_most= go without it",
        ),
        ({"at_least": 2, "at_most": 1}, "at_most=1 is less than at_least=2"),
    ],
    ids=str,
)
def test_numbers_of_calls(options: dict[str, Any], message: str) -> None:
    """A number of calls that cannot be is refused."""
    with pytest.raises(UsageError) as caught:
        Router().assert_called(**options)

    assert message == str(caught.value)


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        pytest.param("GET", "assert_calls() takes a list of calls; got 'GET'", id="one text"),
        pytest.param({"a": 1}, "assert_calls() takes a list of calls; got {'a': 1}", id="one call"),
        pytest.param(7, "assert_calls() takes a list of calls; got 7", id="number"),
        pytest.param(
            ["GET"],
            "an expected call is a route or a mapping such as {'method': 'GET'}; got 'GET'",
            id="text",
        ),
        pytest.param(
            [None], "an expected call is a route or a mapping such as {'method': 'GET'}; got None", id="None"
        ),
    ],
)
def test_expected_calls_of_no_kind(expected: Any, message: str) -> None:
    """What is no expected call is refused, also where there are no calls."""
    with pytest.raises(UsageError) as caught:
        Router().assert_calls(expected)

    assert message == str(caught.value)


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(lambda calls: calls.where(jsn=1), id="where"),
        pytest.param(lambda calls: calls.one(jsn=1), id="one"),
        pytest.param(lambda calls: Router().assert_any_call(jsn=1), id="assert_any_call"),  # type: ignore[call-arg]
        pytest.param(lambda calls: Router().assert_calls([{"jsn": 1}]), id="assert_calls"),
    ],
)
def test_unknown_options(act: Callable[[Any], object]) -> None:
    """A keyword that does not exist is refused, also where there are no calls."""
    with pytest.raises(UsageError, match="unknown option 'jsn'"):
        act(Calls())


# ---- waiting ----


async def test_wait_for_what_was(three: Log) -> None:
    """Calls that were made before are counted."""
    assert three.users.calls is await three.users.wait(2, timeout=0)
    assert three.router.calls is await three.router.wait(timeout=0)
    assert three.users.calls is await three.users.wait(1, timeout=0)


async def test_wait_for_what_comes(log: Log) -> None:
    """Waiting returns with the call that makes it enough."""
    waiting = asyncio.create_task(log.users.wait(2))
    log.call("GET", "/users")
    await asyncio.sleep(0)
    assert not waiting.done()

    last = log.call("POST", "/users")

    assert last is (await waiting)[-1]


async def test_wait_for_another_thread(log: Log) -> None:
    """A call that is made in another thread is waited for too."""
    thread = threading.Thread(target=log.call, args=("GET", "/users"))
    waiting = asyncio.create_task(log.router.wait())
    await asyncio.sleep(0)
    thread.start()

    assert 1 == len(await waiting)
    thread.join()


async def test_wait_in_vain(three: Log) -> None:
    """The report says how many came, and which."""
    with pytest.raises(AssertionError) as caught:
        await three.items.wait(2, timeout=0)

    location = three.items.location
    assert (
        f"1 of 2 calls of <Route * http://api.test/rest/items ({location})> came within 0 s\n"
        "  1. GET http://api.test/rest/items?page=2"
    ) == str(caught.value)


async def test_wait_in_vain_for_any() -> None:
    """Where nothing came there is nothing to list."""
    with pytest.raises(AssertionError) as caught:
        await Router().wait(timeout=0)

    assert "0 of 1 calls of Router came within 0 s" == str(caught.value)


# ---- the timeline ----


def test_timeline(log: Log) -> None:
    """Each call is a line: when, what, how it ended, and by which route."""
    first = log.call("POST", "/users")
    first.reply, first.elapsed = Reply(201), 0.0105
    second = log.call("GET", "/rest/items")
    second.exception, second.elapsed, second.attempts = OSError("down"), 0.25, 2
    log.call("GET", "/rest/items")
    unmatched: Call[Route] = Call(Request("GET", API, "/x"), None, 3.5)
    log.router.calls.add(unmatched)

    assert (
        "+0.000 s  POST http://api.test/users -> 201 in 0.011 s  users\n"
        f"+1.000 s  GET http://api.test/rest/items -> OSError in 0.250 s, 2 attempts  {log.items.location}\n"
        f"+2.000 s  GET http://api.test/rest/items -> no answer  {log.items.location}\n"
        "+3.500 s  GET http://api.test/x -> no answer"
    ) == timeline(log.router.calls)


def test_timeline_of_many(log: Log) -> None:
    """Of many calls the first and the last are shown, and how many were between them."""
    for _ in range(1000):
        log.call("GET", "/users")
    lines = timeline(log.router.calls).splitlines()
    (gap,) = [number for number, line in enumerate(lines) if line.startswith("...")]

    assert 1 <= gap < len(lines) - 1 < 200
    assert f"... and {1000 - len(lines) + 1} more calls ..." == lines[gap]
    assert lines[0].startswith("+0.000 s  GET")
    assert lines[-1].startswith("+999.000 s  GET")


def test_timeline_of_nothing() -> None:
    """No calls are no lines."""
    assert "" == timeline(Calls())
