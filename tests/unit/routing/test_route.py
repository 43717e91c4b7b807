"""Routes: the sequence of their answers, when they are exhausted, and what they say of themselves."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from aiotest_kit import Call, Gate, Hit, Miss, Origin, Reply, Request, Route, Router
from aiotest_kit._location import shown_path
from aiotest_kit._responders.forward import Forward
from aiotest_kit._routing.handler_errors import HandlerError

API = Origin("http", "api.test", 80)


@pytest.fixture(params=[0, 100], ids=["few routes", "many routes"])
def router(request: pytest.FixtureRequest) -> Router:
    """A router with nothing else for these tests; many routes are found by another way than a few."""
    router = Router()
    for number in range(request.param):
        router.get(f"http://filler.test/{number}")
    return router


def asked(target: str = "/a", method: str = "GET") -> Request:
    return Request(method, API, target)


def answers(router: Router, number: int) -> list[object]:
    """The statuses that `number` requests get, None where no route answers."""
    found: list[object] = []
    for _ in range(number):
        outcome = router.find(asked())
        answer = outcome.take().answer if isinstance(outcome, Hit) else None
        found.append(answer.status if isinstance(answer, Reply) else answer)
    return found


# ---- sequences ----


@pytest.mark.parametrize(
    ("script", "given", "capacity"),
    [
        pytest.param(lambda route: route, [200, 200], None, id="no reply"),
        pytest.param(lambda route: route.reply(), [200, 200], None, id="200 by default"),
        pytest.param(lambda route: route.reply(201), [201, 201], None, id="one reply, for ever"),
        pytest.param(lambda route: route.reply(201, times=2), [201, 201, None], 2, id="one reply, twice"),
        pytest.param(
            lambda route: route.reply(201).reply(202),
            [201, 202, 202],
            None,
            id="each once, the last for ever",
        ),
        pytest.param(
            lambda route: route.reply(503, times=2).reply(200), [503, 503, 200, 200], None, id="times, then"
        ),
        pytest.param(
            lambda route: route.reply(201).reply(202, times=2),
            [201, 202, 202, None],
            3,
            id="the last has times",
        ),
        pytest.param(
            lambda route: route.reply(201, times=1).reply(202, times=1),
            [201, 202, None, None],
            2,
            id="all have times",
        ),
        pytest.param(
            lambda route: route.replies(503, Reply(504), 200), [503, 504, 200, 200], None, id="replies"
        ),
        pytest.param(lambda route: route.redirect("/b"), [302, 302], None, id="redirect"),
        pytest.param(lambda route: route.redirect("/b", 307), [307], None, id="redirect with status"),
    ],
)
def test_sequence(
    script: Callable[[Route], Route], given: list[object], capacity: int | None, router: Router
) -> None:
    """Each answer is given once or so many times, the last for ever unless it has a number."""
    route = script(router.get("/a"))

    assert capacity == route.capacity
    assert given == answers(router, len(given))
    assert (None in given) is route.exhausted
    assert capacity == route.capacity


@pytest.mark.parametrize(
    ("first", "given", "then", "behind"),
    [
        pytest.param(lambda route: route, 3, lambda route: route.reply(503), [503, 503], id="to none"),
        pytest.param(
            lambda route: route.reply(200), 0, lambda route: route.reply(503), [200, 503], id="not given yet"
        ),
        pytest.param(
            lambda route: route.reply(200), 1, lambda route: route.reply(503), [503, 503], id="given once"
        ),
        pytest.param(
            lambda route: route.reply(200), 3, lambda route: route.reply(503), [503, 503], id="given often"
        ),
        pytest.param(
            lambda route: route.replies(200, 201),
            2,
            lambda route: route.reply(503),
            [503, 503],
            id="the last of several",
        ),
        pytest.param(
            lambda route: route.replies(200, 201),
            1,
            lambda route: route.reply(503),
            [201, 503, 503],
            id="the last of several to come",
        ),
        pytest.param(
            lambda route: route.reply(200),
            2,
            lambda route: route.reply(503, times=2).reply(201),
            [503, 503, 201, 201],
            id="an outage",
        ),
        pytest.param(
            lambda route: route.reply(200), 2, lambda route: route.reply(503, times=1), [503, None], id="once"
        ),
        pytest.param(
            lambda route: route.reply(200, times=2),
            1,
            lambda route: route.reply(503),
            [200, 503, 503],
            id="behind one that is to come",
        ),
        pytest.param(
            lambda route: route.reply(200).redirect("/b"),
            2,
            lambda route: route.replies(503, 200),
            [503, 200, 200],
            id="several",
        ),
    ],
)
def test_answer_added_later(
    first: Callable[[Route], Route],
    given: int,
    then: Callable[[Route], Route],
    behind: list[object],
    router: Router,
) -> None:
    """An answer that is added after the last one was given is the next one."""
    route = first(router.get("/a"))
    answers(router, given)

    then(route)

    assert behind == answers(router, len(behind))
    assert (None in behind) is route.exhausted


def test_replied_counts_every_answer(router: Router) -> None:
    """How often a route has replied is known, also where it had one answer for ever before."""
    route = router.get("/a").reply(200)
    answers(router, 3)
    route.reply(503, times=2)

    assert (3, 5) == (route.replied, route.capacity)
    answers(router, 2)
    assert (5, 5, True) == (route.replied, route.capacity, route.exhausted)


def test_too_late_for_an_exhausted_route(router: Router) -> None:
    """Taking from a route that is exhausted already changes nothing of what is found."""
    route = router.get("/a").reply(201, times=1)

    assert [201] == answers(router, 1)
    assert route.take() is route.take()
    assert [None] == answers(router, 1)
    route.reply(202)
    assert [202, 202] == answers(router, 2)


def test_exhausted_route_leaves_its_place(router: Router) -> None:
    """The requests of a exhausted route go to the older one."""
    router.get("/a").reply(200)
    router.get("/a").reply(201, times=1)

    assert [201, 200, 200] == answers(router, 3)


def test_exhausted_before_anything_was_looked_up(router: Router) -> None:
    """A route that is used up by then is not found."""
    router.get("/a").reply(200)
    router.get("/a").reply(201, times=1).take()

    assert [200] == answers(router, 1)


def test_exhausted_route_comes_back(router: Router) -> None:
    """A exhausted route that is given another answer has its old place again, neither above nor below."""
    router.get("/a").reply(200)
    middle = router.get("/a").reply(201, times=1)
    newest = router.get("/a").reply(202, times=1)
    assert [202, 201, 200] == answers(router, 3)

    middle.reply(203, times=1)
    newest.reply(204, times=1)

    assert [204, 203, 200] == answers(router, 3)
    assert 2 == middle.capacity


def test_too_late_for_the_last_answer(router: Router) -> None:
    """Who found the route before it was exhausted is still answered."""
    first, second = router.get("/a").reply(201, times=1), asked()
    outcome = router.find(second)
    assert isinstance(outcome, Hit)

    assert first.take() is outcome.route.take()


def test_many_threads(router: Router) -> None:
    """However many threads take answers at once, each is given as often as it should be."""
    route = router.get("/a").reply(201, times=500).reply(202, times=500)
    start = threading.Barrier(4)

    def take(_: int) -> list[object]:
        start.wait()
        return answers(router, 250)

    with ThreadPoolExecutor(4) as pool:
        given = [status for each in pool.map(take, range(4)) for status in each]

    assert (500, 500, True) == (given.count(201), given.count(202), route.exhausted)


@pytest.mark.parametrize(
    ("script", "delay"),
    [
        pytest.param(lambda route: route.reply("x", delay=2), 2.0, id="body"),
        pytest.param(lambda route: route.reply(OSError(), delay=0.5), 0.5, id="exception"),
        pytest.param(lambda route: route.stream([b"x"], delay=1), 1.0, id="stream"),
        pytest.param(lambda route: route.sse(["x"], delay=1), 1.0, id="events"),
        pytest.param(lambda route: route.reply(200), 0, id="none"),
    ],
)
async def test_delay(script: Callable[[Route], Route], delay: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any answer may wait before it is given."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    route = script(Router().get("/a"))
    step = route.take()
    monkeypatch.setattr(asyncio, "sleep", sleep)
    await step.wait(route.gate)

    assert [delay] * bool(delay) == slept
    assert not (step.is_plain and delay)


def test_delay_of_a_status() -> None:
    """The delay of a status is its reply's."""
    answer = Router().get("/a").reply(200, delay=2).take().answer

    assert isinstance(answer, Reply)
    assert 2.0 == answer.delay


async def test_hold() -> None:
    """Answers of a route that is held wait at its gate."""
    route = Router().get("/a")
    gate = route.hold()
    waiting = asyncio.create_task(route.take().wait(route.gate))
    await gate.waiting()
    assert not waiting.done()

    gate.release()

    await waiting
    assert isinstance(gate, Gate)


def test_forward() -> None:
    """A route may relay to a server, by text or URL."""
    route = Router().get("/a").forward("https://real.example/v1")

    assert Forward.to("https://real.example/v1") == route.take().answer


async def script(reader: object, writer: object) -> None: ...


@pytest.mark.parametrize(
    ("add", "is_early"),
    [
        pytest.param(lambda route: route, False, id="no reply"),
        pytest.param(lambda route: route.reply(200), False, id="reply"),
        pytest.param(lambda route: route.raw(script), True, id="script"),
        pytest.param(lambda route: route.reply(200).raw(script), False, id="script later"),
        pytest.param(lambda route: route.raw(script, times=1), True, id="script once"),
    ],
)
def test_answers_early(add: Callable[[Any], Route], is_early: bool) -> None:
    """A script is given the connection before the body of the request has come."""
    assert is_early is add(Router().get("/a")).answers_early


def test_answers_early_when_exhausted() -> None:
    """A script that was used up answers nothing any more."""
    route = Router().get("/a").raw(script, times=1)
    route.take()

    assert not route.answers_early


# ---- what a route is ----


def test_chained_verbs_return_the_route() -> None:
    """Everything that is said of a route can be said in one sentence."""
    route = Router().get("/a")

    same = [
        route.reply(),
        route.replies(200),
        route.redirect("/b"),
        route.stream([]),
        route.sse([]),
        route.raw(script),
        route.forward("http://real.example"),
        route.optional(),
        route.named("x"),
    ]

    assert all(route is each for each in same)
    assert (True, "x") == (route.is_optional, route.name)


@pytest.mark.parametrize(
    ("name", "options", "text"),
    [
        pytest.param(None, {}, "GET /a", id="plain"),
        pytest.param("first", {}, "GET /a 'first'", id="named"),
        pytest.param(None, {"query": {"x": "1"}}, "GET /a with query {'x': '1'}", id="with options"),
    ],
)
def test_repr(name: str | None, options: dict[str, Any], text: str) -> None:
    """A route shows what it answers, its name, and the line that it was made on."""
    route = Router().get("/a", name=name, **options)

    assert f"<Route {text} ({route.location})>" == repr(route)


def test_location() -> None:
    """A route knows the line of the test that made it, whichever verb it used."""
    router = Router()
    routes = [router.get("/a"), router.route("GET", "/b"), router.host("http://a.test").any("/c")]
    line = test_location.__code__.co_firstlineno + 3

    own = shown_path(__file__)
    assert [f"{own}:{line}"] * 3 == [route.location for route in routes]
    assert own in ("tests/unit/routing/test_route.py", __file__)


def test_location_below_the_working_directory() -> None:
    """A path is shown as one would type it."""
    here = Path.cwd()

    assert "tests/x.py" == shown_path(str(here / "tests" / "x.py"))
    assert str(here.parent / "x.py") == shown_path(str(here.parent / "x.py"))


# ---- leaving the table ----


def test_remove(router: Router) -> None:
    """A route that is removed answers no more; its calls stay."""
    route = router.get("/a")
    call: Call[Route] = Call(asked(), route, 0.0)
    route.record(call)

    route.remove()
    route.remove()

    assert [None] == answers(router, 1)
    assert route not in router.routes
    assert [call] == list(router.calls)


def test_remove_when_exhausted(router: Router) -> None:
    """A route that is exhausted can be removed, and does not come back with another answer."""
    route = router.get("/a").reply(201, times=1)
    assert [201] == answers(router, 1)

    route.remove()
    route.reply(202)

    assert [None] == answers(router, 1)


def test_exhausted_after_removal(router: Router) -> None:
    """A route that was removed while it was being asked may still be used up."""
    route = router.get("/a").reply(201, times=1)
    route.remove()

    route.take()

    assert route.exhausted
    assert isinstance(router.find(asked()), Miss)


# ---- for the peer ----


def test_handler_errors_are_kept() -> None:
    """An error in a handler is kept with its request."""
    router = Router()
    route = router.get("/a")
    error = HandlerError(ValueError("mine"), asked(), route)

    route.failed(error)

    assert (error,) == router.handler_errors


async def test_tasks_are_kept_while_they_run() -> None:
    """An answer that takes time is known to the router until it is given."""
    router = Router()
    route = router.get("/a")
    gate = route.hold()
    task = asyncio.create_task(route.take().wait(route.gate))

    route.track(task)

    assert {task} == router.tasks
    await gate.waiting()
    gate.release()
    await task
    await asyncio.sleep(0)
    assert set() == router.tasks


def test_miss() -> None:
    """A miss explains itself, and is kept with its call."""
    router = Router()
    route = router.get("/b", name="other")
    miss = router.find(asked())
    assert isinstance(miss, Miss)
    call: Call[Route] = Call(miss.request, None, 0.0)

    miss.record(call)

    assert ((miss,), [call], []) == (router.misses, list(router.calls), list(route.calls))
    assert (
        "no route answered GET http://api.test/a\n"
        "  nearest of 1 route:\n"
        f'  1. GET /b  "other"  {route.location}\n'
        "       url path   expected '/b'   actual '/a'"
    ) == miss.explain()
