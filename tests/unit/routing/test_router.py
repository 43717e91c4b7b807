"""The table of routes as a user sees it: which route wins, prefixes, scopes, what may go out."""

import asyncio
import re
from collections.abc import Callable
from typing import Any

import pytest
from yarl import URL

from aiotest_kit import Call, Hit, Miss, Origin, Reply, Request, Route, Router
from aiotest_kit._routing.handler_errors import HandlerError


@pytest.fixture(params=[0, 100], ids=["few routes", "many routes"])
def router(request: pytest.FixtureRequest) -> Router:
    """A router with nothing else for these tests; many routes are found by another way than a few."""
    router = Router()
    for number in range(request.param):
        router.get(f"http://filler.test/{number}").optional()
    return router


def asked(url: str = "http://api.test/a", method: str = "GET", **headers: str) -> Request:
    parsed = URL(url)
    raw = tuple((name.encode(), value.encode()) for name, value in headers.items())
    return Request(method, Origin.of(parsed), parsed.raw_path_qs, raw_headers=raw)


def found(router: Router, request: Request) -> Route | None:
    outcome = router.find(request)
    return outcome.route if isinstance(outcome, Hit) else None


def called(route: Route) -> None:
    call: Call[Route] = Call(asked(), route, 0.0)
    route.record(call)


def test_nearest() -> None:
    """A miss has the routes nearest to the request, the nearest first, each with what differs."""
    router = Router()
    other = router.get("http://api.test/other/path")
    near = router.post("http://api.test/a")

    miss = router.find(asked())
    assert isinstance(miss, Miss)
    assert [near, other] == [each.route for each in miss.nearest]
    assert [("method", "POST", "GET")] == [
        (mismatch.part, mismatch.expected, mismatch.actual) for mismatch in miss.nearest[0].mismatches
    ]


def test_report_of_a_miss() -> None:
    """What the client was told is what the test is told later, whatever became of the routes."""
    router = Router()
    miss = router.find(asked())
    assert isinstance(miss, Miss)
    told = miss.explain()

    router.get("http://api.test/a/b")
    assert told == miss.explain()
    assert told.endswith("there are no routes")


# ---- adding and finding ----


@pytest.mark.parametrize("verb", ["get", "post", "put", "patch", "delete", "head", "options"])
def test_verbs(verb: str) -> None:
    """Each verb adds a route for its method alone."""
    router = Router()
    route: Route = getattr(router, verb)("/a", name="x", headers={"K": "1"})

    assert route is found(router, asked(method=verb.upper(), K="1"))
    assert None is found(router, asked(method="TRACE", K="1"))
    assert None is found(router, asked(method=verb.upper()))
    assert ("x", (route,)) == (route.name, router.routes)


@pytest.mark.parametrize(
    ("method", "answered"),
    [
        pytest.param("*", ["GET", "PUT", "BREW"], id="any"),
        pytest.param(["GET", "put"], ["GET", "PUT"], id="several"),
        pytest.param("get", ["GET"], id="lower case"),
    ],
)
def test_methods(method: str | list[str], answered: list[str]) -> None:
    """A route is for one method, several or all."""
    router = Router()
    route = router.route(method, "/a")

    assert answered == [name for name in ("GET", "PUT", "BREW") if route is found(router, asked(method=name))]


def test_any(router: Router) -> None:
    """`any` is for every method."""

    assert router.any("/a") is found(router, asked(method="BREW"))


def test_the_newest_wins(router: Router) -> None:
    """Of the routes that match, the one added last answers; one that does not match is no obstacle."""
    general = router.any(re.compile("http://"))
    older = router.get("/a")
    newer = router.get("http://api.test/{name}")
    router.get("/a", headers={"K": "1"})

    assert newer is found(router, asked())
    newer.remove()
    assert older is found(router, asked())
    older.remove()
    assert general is found(router, asked())


def test_match_info() -> None:
    """The captures of the route that answers are in the request."""
    router = Router()
    router.get("/users/{id}/{rest:.+}")
    request = asked("http://api.test/users/7%208/a/b")

    assert isinstance(router.find(request), Hit)
    assert {"id": "7 8", "rest": "a/b"} == request.match_info


def test_found_again_after_a_change(router: Router) -> None:
    """What was found for a request is found anew when routes come, go or are spent."""
    first = router.get("/a")
    assert first is found(router, asked())
    second = router.get("/a").reply(times=1)
    assert second is found(router, asked())
    second.take()
    assert first is found(router, asked())
    second.reply()
    assert second is found(router, asked())
    second.remove()
    assert first is found(router, asked())


def test_a_find_of_its_own() -> None:
    """A router may say what is answered, request by request, with a route that it does not list."""

    class Echoing(Router):
        def __init__(self) -> None:
            super().__init__()
            self.route_of_all = self.unlisted()

        def find(self, request: Request) -> Hit:
            return Hit(self.route_of_all, reply=Reply(text=request.path))

    router = Echoing()

    assert Reply(text="/a") == router.find(asked()).take().answer
    assert Reply(text="/b") == router.find(asked("http://api.test/b")).take().answer
    assert () == router.routes == router.never_called
    called(router.route_of_all)
    assert 1 == len(router.calls)


def test_more_requests_than_are_remembered() -> None:
    """However many different URLs are asked for, each is answered by its route."""
    router = Router()
    route = router.get("/{name}")

    assert all(route is found(router, asked(f"http://api.test/{number}")) for number in range(5000))


def test_miss() -> None:
    """Of no routes, none answers."""
    request = asked()
    outcome = Router().find(request)

    assert isinstance(outcome, Miss)
    assert request is outcome.request
    assert "no route answered GET http://api.test/a\n  there are no routes" == outcome.explain()


def test_repr() -> None:
    """A router shows how many routes it has."""
    router = Router()
    below = router.host("http://api.test/v1")
    below.get("/a")
    router.get("/b")

    assert "<Router with 2 routes>" == repr(router)
    assert "<Router of http://api.test/v1 with 1 route>" == repr(below)


# ---- before the body is there ----


async def script(reader: object, writer: object) -> None: ...


@pytest.mark.parametrize(
    ("add", "outcome"),
    [
        pytest.param(lambda router: router.post("/a"), None, id="reply: the body is read first"),
        pytest.param(lambda router: router.post("/a").raw(script), Hit, id="script"),
        pytest.param(lambda router: router.post("/b").raw(script), Miss, id="none matches"),
        pytest.param(lambda router: router.post("/a", json=1).raw(script), None, id="its body is asked for"),
        pytest.param(
            lambda router: (router.post("/a").raw(script), router.post("/a", json=1)),
            None,
            id="a newer one's body",
        ),
        pytest.param(
            lambda router: (router.post("/a").raw(script), router.put("/a", json=1)),
            Hit,
            id="another method's body",
        ),
        pytest.param(
            lambda router: (router.post("/a").raw(script), router.post("/a", json=1, headers={"K": "1"})),
            Hit,
            id="body, but other headers",
        ),
        pytest.param(
            lambda router: (router.post("/a").raw(script), router.post("/a", where=lambda request: False)),
            None,
            id="a predicate may look at the body",
        ),
        pytest.param(
            lambda router: (router.post("/a").raw(script), router.post("/a", headers={"K": "1"})),
            Hit,
            id="other headers",
        ),
    ],
)
def test_find_early(add: Callable[[Any], object], outcome: type[Hit | Miss] | None, router: Router) -> None:
    """With the head alone, it is known who answers unless that depends on the body."""
    add(router)

    early = router.find_early(asked(method="POST"))

    assert outcome is (None if early is None else type(early))


def test_match_info_early() -> None:
    """A script knows the captures of its route."""
    router = Router()
    router.post("/{name}").raw(script)
    request = asked(method="POST")

    assert isinstance(router.find_early(request), Hit)
    assert {"name": "a"} == request.match_info


# ---- prefixes ----


@pytest.mark.parametrize(
    ("prefix", "path", "url"),
    [
        pytest.param("http://api.test", "/a", "http://api.test/a", id="origin"),
        pytest.param("http://api.test/", "/a", "http://api.test/a", id="slash"),
        pytest.param("http://api.test/v1", "/a", "http://api.test/v1/a", id="path"),
        pytest.param(URL("http://api.test/v1/"), "/a", "http://api.test/v1/a", id="URL"),
        pytest.param("http://*.test", "/a", "http://api.test/a", id="wildcard"),
        pytest.param("/v1", "/a", "http://api.test/v1/a", id="any origin"),
        pytest.param("http://api.test/{tenant}", "/a", "http://api.test/me/a", id="template"),
    ],
)
def test_host(prefix: str | URL, path: str, url: str) -> None:
    """The routes of a router under a prefix are paths under it."""
    router = Router()
    route = router.host(prefix).get(path)

    assert route is found(router, asked(url))
    assert None is found(router, asked("http://elsewhere.example/a"))


def test_host_within_host() -> None:
    """Prefixes and headers add up; each router has the calls of its own routes."""
    router = Router()
    outer = router.host("http://api.test", headers={"K": "1"})
    inner = outer.host("/v1", headers={"L": "2"})
    route = inner.get("/a", headers={"M": "3"})
    outer.get("/b")

    assert route is found(router, asked("http://api.test/v1/a", K="1", L="2", M="3"))
    for headers in ({"L": "2", "M": "3"}, {"K": "1", "M": "3"}, {"K": "1", "L": "2"}):
        assert None is found(router, asked("http://api.test/v1/a", "GET", **headers))
    called(route)
    assert [1, 1, 1] == [len(each.calls) for each in (router, outer, inner)]
    assert [2, 2, 1] == [len(each.routes) for each in (router, outer, inner)]


def test_host_headers_without_more() -> None:
    """A route that asks for no headers of its own is asked for the router's."""
    router = Router()
    route = router.host("http://api.test", headers={"K": "1"}).get("/a")

    assert (route, None) == (found(router, asked(K="1")), found(router, asked()))


def test_headers_of_a_route_go_first() -> None:
    """A route may ask for another value of the same header."""
    router = Router()
    route = router.host("http://api.test", headers={"K": "1"}).get("/a", headers={"K": "2"})

    assert (route, None) == (found(router, asked(K="2")), found(router, asked(K="1")))


# ---- mounts ----


def test_mount() -> None:
    """A mounted router answers what is behind the origin, as it answers it by itself."""
    router, service = Router(), Router()
    route = service.get("http://api.test/v1/{name}")
    other = service.get("/v1/{name}", headers={"K": "1"})
    mounted = router.mount("http://api.test/v1", service)
    request = asked("http://api.test/v1/a")
    outcome = router.find(request)

    assert isinstance(outcome, Hit)
    assert (route, mounted, {"name": "a"}) == (outcome.route, outcome.via, request.match_info)
    assert other is found(router, asked("http://api.test/v1/a", K="1"))
    assert None is found(router, asked("http://other.test/v1/a", K="1"))


def test_miss_in_a_mount() -> None:
    """The report on a request for a mounted router shows the routes of that; on another one, the mount."""
    router, service = Router(), Router()
    service.get("https://m.test/users/{id}")
    router.mount("https://m.test", service)
    own, elsewhere = router.find(asked("https://m.test/user/7")), router.find(asked("https://n.test/user/7"))

    assert isinstance(own, Miss)
    assert isinstance(elsewhere, Miss)
    assert ["https://m.test/users/{id}"] == [near.route.pattern.url.text for near in own.nearest]
    assert ["https://m.test/{_:.*}"] == [near.route.pattern.url.text for near in elsewhere.nearest]
    assert "it matches now" not in own.explain()


def test_order_of_a_mount() -> None:
    """What a mounted router does not answer, older routes may; a newer route overrides it."""
    router, service = Router(), Router()
    older = router.any("/{rest:.*}")
    own = service.get("/a")
    router.mount("http://api.test", service)

    assert (own, older) == (found(router, asked()), found(router, asked("http://api.test/b")))
    newer = router.get("/a")
    assert newer is found(router, asked())


def test_errors_in_a_mount() -> None:
    """What escaped from the handlers of a mounted router, at any depth, is known to the outer one."""
    router, middle, service = Router(), Router(), Router()
    router.mount("http://api.test", middle)
    middle.mount("http://api.test/v1", service)
    error = HandlerError(ValueError("mine"), asked(), service.get("/a"))

    service.failed(error)

    assert ((error,), (error,)) == (router.handler_errors, service.handler_errors)


@pytest.mark.parametrize(
    ("add", "outcome"),
    [
        pytest.param(lambda service: service.post("/a").raw(script), Hit, id="script"),
        pytest.param(lambda service: service.post("/a"), None, id="reply"),
        pytest.param(lambda service: service.post("/a", json=1), None, id="its body is asked for"),
        pytest.param(lambda service: service.post("/b"), Miss, id="none matches"),
    ],
)
def test_find_early_in_a_mount(add: Callable[[Any], object], outcome: type[Hit | Miss] | None) -> None:
    """Whether the body is waited for is up to the mounted router's routes."""
    router, service = Router(), Router()
    add(service)
    router.mount("http://api.test", service)

    early = router.find_early(asked(method="POST"))

    assert outcome is (None if early is None else type(early))


# ---- taking back ----


def test_reset() -> None:
    """Routes, calls, misses, errors and what may go out are dropped."""
    router = Router()
    called(router.get("/a"))
    router.passthrough("http://real.test")
    miss = router.find(asked("http://api.test/b"))
    assert isinstance(miss, Miss)
    miss.record(Call(miss.request, None, 0.0))
    with router.scope():
        router.get("/c")

    router.reset()

    assert ((), (), (), ()) == (router.routes, router.misses, router.handler_errors, router.never_called)
    assert not router.calls
    assert not router.lets_some_out
    assert None is found(router, asked())


def test_reset_below_a_prefix() -> None:
    """A router under a prefix drops its own routes and calls."""
    router = Router()
    kept, below = router.get("/a"), router.host("http://api.test")
    called(below.get("/b"))
    router.passthrough("http://real.test")

    below.reset()

    assert ((kept,), 0, 1) == (router.routes, len(below.calls), len(router.calls))
    assert router.lets_some_out


def test_scope() -> None:
    """A block's routes and answers go with it; its calls stay."""
    router = Router()
    older = router.get("/a").reply(201)
    with router.scope() as same:
        assert router is same
        newer = router.get("/a").reply(202)
        assert newer is found(router, asked())
        called(newer)
        older.reply(203)
        router.passthrough("http://real.test")
        assert router.lets_some_out

    assert (older, (older,)) == (found(router, asked()), router.routes)
    assert [Reply(201)] * 2 == [older.take().answer, older.take().answer]
    assert not router.lets_some_out
    assert 1 == len(router.calls)


def test_scope_that_fails() -> None:
    """What a block added goes also when it raises."""
    router = Router()
    with pytest.raises(ValueError, match="mine"), router.scope():
        router.get("/a")
        raise ValueError("mine")

    assert () == router.routes


@pytest.mark.parametrize(
    ("before", "within", "taken_before", "taken_within", "behind"),
    [
        pytest.param([201, 202, 203], [], 1, 2, [202, 203, 203], id="taken"),
        pytest.param([201, 202, 203], [204], 1, 3, [202, 203, 203], id="added and taken"),
        pytest.param([201], [204], 1, 2, [201, 201], id="added to the last"),
        pytest.param([201], [], 0, 1, [201, 201], id="the only one taken"),
        pytest.param([], [204], 1, 2, [200, 200], id="added to none"),
        pytest.param([(201, 1)], [204], 1, 2, [None], id="added to an exhausted one"),
        pytest.param([(201, 1)], [], 0, 1, [201, None], id="exhausted within"),
        pytest.param([(201, 3)], [], 1, 1, [201, 201, None], id="given in part"),
        pytest.param([(201, 2), 202], [], 1, 2, [201, 202, 202], id="in part, and the next"),
    ],
)
def test_scope_restores_sequences(
    before: list[Any],
    within: list[Any],
    taken_before: int,
    taken_within: int,
    behind: list[int | None],
    router: Router,
) -> None:
    """A sequence stands behind a block where it stood before it, whatever was added and given."""
    route = router.get("/a")

    def add(answers: list[Any]) -> None:
        for answer in answers:
            status, times = answer if isinstance(answer, tuple) else (answer, None)
            route.reply(status, times=times)

    add(before)
    for _ in range(taken_before):
        route.take()
    capacity = route.capacity
    with router.scope():
        add(within)
        for _ in range(taken_within):
            route.take()

    assert capacity == route.capacity
    assert behind == [status_of(found(router, asked())) for _ in behind]


def status_of(route: Route | None) -> int | None:
    """The status that a route, if there is one, answers next."""
    answer = None if route is None else route.take().answer
    return answer.status if isinstance(answer, Reply) else None


def test_scope_restores_an_answer_added_later_than_it() -> None:
    """What was to come next before a block comes next behind it, also if the block gave the last answer."""
    router = Router()
    route = router.get("/a").reply(201)
    with router.scope():
        route.take()
    route.reply(202)

    assert [201, 202, 202] == [status_of(route) for _ in range(3)]


@pytest.mark.parametrize("end", ["remove", "reset"])
def test_scope_restores_removed_routes(end: str, router: Router) -> None:
    """Routes that a block removes come back, each to its place among the others."""
    older, route = router.get("/a").reply(201), router.get("/a").reply(202)
    newer = router.get("/a").reply(203, times=1)
    before = router.routes
    newer.take()
    with router.scope():
        router.get("/a").reply(204)
        if end == "remove":
            route.remove()
            newer.remove()
        else:
            router.reset()
            assert None is found(router, asked())

    assert before == router.routes
    assert route is found(router, asked())
    route.remove()
    assert older is found(router, asked())


def test_scope_restores_what_was_said_of_routes() -> None:
    """A name, and whether a route has to be called, are as they were."""
    router = Router()
    route, other = router.get("/a", name="first"), router.get("/b").optional()
    with router.scope():
        route.named("second").optional()
        other.named("third")

    assert [("first", False), (None, True)] == [(each.name, each.is_optional) for each in (route, other)]
    assert (route,) == router.never_called


def test_scope_restores_mounts_and_what_is_let_out() -> None:
    """Mounts that a block adds go, those that it removes come back; so do the hosts let through."""
    router, users, orders = Router(), Router(), Router()
    users.any("/{_:.*}").reply(201)
    orders.any("/{_:.*}").reply(202)
    mounted = router.mount("http://api.test", users)
    router.passthrough("http://real.test")
    with router.scope():
        mounted.remove()
        router.mount("http://api.test", orders)
        router.passthrough("http://other.test")
        router.reset()
        router.mount("http://api.test", orders)
        assert 202 == status_of(found(router, asked()))

    assert 201 == status_of(found(router, asked()))
    assert (mounted,) == router.routes
    assert router.lets_out(asked("http://real.test/"))
    assert not router.lets_out(asked("http://other.test/"))


def test_scope_restores_mounted_routers() -> None:
    """What a block changes of a router that is mounted, perhaps in two places, is undone as well."""
    router, users = Router(), Router()
    older = users.get("/a").reply(201, times=2)
    router.mount("http://api.test", users)
    router.mount("http://users.test", users)
    with router.scope():
        users.get("/a").reply(202)
        older.remove()
        assert 202 == status_of(found(router, asked()))

    assert [201, 201, None] == [status_of(found(router, asked())) for _ in range(3)]


def test_scopes_nest() -> None:
    """Each block restores what it found."""
    router = Router()
    route = router.get("/a").replies(201, 202, 203, 204)
    with router.scope():
        assert 201 == status_of(route)
        with router.scope():
            assert 202 == status_of(route)
            route.remove()
        assert 202 == status_of(found(router, asked()))

    assert 201 == status_of(found(router, asked()))


async def test_scope_opens_its_gates(router: Router) -> None:
    """A gate that a block puts before an older route is open after it, and an older gate is there again."""
    held, free = router.get("/held"), router.get("/free")
    older = held.hold()
    with router.scope():
        newer, another = held.hold(), free.hold()

    assert held.gate is older
    assert free.gate is None
    for gate in (newer, another):
        await asyncio.wait_for(gate.passed(), 1)
    assert "holding 0" in repr(older)


def test_never_called(router: Router) -> None:
    """Routes that no request reached are owed, also those of a scope, unless they are optional."""
    called(router.get("/called"))
    router.get("/optional").optional()
    router.get("/removed").remove()
    unused = router.get("/unused")
    with router.scope():
        scoped = router.get("/scoped")
        called(router.get("/scoped and called"))

    assert (unused, scoped) == router.never_called


def test_never_called_below_a_prefix() -> None:
    """What a router under a prefix is owed are its own routes."""
    router = Router()
    router.get("/a")
    below = router.host("http://api.test")
    own = below.get("/b")

    assert (own,) == below.never_called


# ---- what is claimed, named and let out ----


@pytest.mark.parametrize(
    ("url", "options", "claims"),
    [
        pytest.param("/a", {}, True, id="any origin"),
        pytest.param("http://api.test/a", {"json": 1}, True, id="whatever the body is to be"),
        pytest.param("http://api.test/a", {"query": {"page": "2"}}, False, id="another query"),
        pytest.param("http://api.test/a", {"headers": {"X-A": "1"}}, False, id="other headers"),
        pytest.param("http://api.test/b", {}, False, id="another path"),
        pytest.param("http://other.test/a", {}, False, id="another origin"),
    ],
)
def test_claims(url: str, options: dict[str, Any], claims: bool) -> None:
    """A request is claimed by a route for its head, whose body may still differ."""
    router = Router()
    router.get(url, **options)

    assert claims is router.claims(asked())
    assert not router.claims(asked(method="PUT"))


def test_claims_by_a_predicate_that_fails() -> None:
    """Its error is told where the request is looked up, and so the request must come there."""
    router = Router()
    router.get("/a", headers={"K": lambda value: 1 / 0})

    assert router.claims(asked(K="1"))


@pytest.mark.parametrize(
    ("url", "names"),
    [
        pytest.param("http://localhost:8080/a", True, id="origin"),
        pytest.param("http://localhost:8080/b", True, id="another path of the origin"),
        pytest.param("http://localhost/a", False, id="another port"),
        pytest.param("/a", False, id="any origin"),
        pytest.param(re.compile("http://localhost.*/a"), True, id="regex for the host"),
        pytest.param(re.compile(".*/a"), False, id="regex for any host"),
        pytest.param(re.compile("http://localhost.*/b"), False, id="regex for another path"),
    ],
)
def test_names(url: "str | re.Pattern[str]", names: bool) -> None:
    """An origin is named by a route for this very one, until the route is gone."""
    router = Router()
    route, again = router.get(url), router.get(url)
    request = asked("http://localhost:8080/a")

    assert names is router.names(request) is router.names(request)
    again.remove()
    assert names is router.names(request)
    route.remove()
    assert not router.names(request)


@pytest.mark.parametrize(
    ("target", "lets_out"),
    [
        pytest.param("http://api.test", True, id="origin"),
        pytest.param(URL("http://api.test/"), True, id="URL"),
        pytest.param("http://*.test", True, id="wildcard"),
        pytest.param("http://api.test/a", False, id="another path"),
        pytest.param("http://api.test/v1", True, id="prefix"),
        pytest.param("https://api.test", False, id="another scheme"),
        pytest.param(lambda request: request.path.startswith("/v1"), True, id="predicate"),
        pytest.param(lambda request: False, False, id="predicate says no"),
    ],
)
def test_passthrough(target: Any, lets_out: bool) -> None:
    """A request goes out if an origin, a prefix or a predicate says so."""
    router = Router()
    assert not router.lets_some_out

    router.passthrough(target)

    assert router.lets_some_out
    assert lets_out is router.lets_out(asked("http://api.test/v1/a"))


def test_dot_at_the_end_of_a_host() -> None:
    """A fully qualified name is the same host with its dot and without."""
    router = Router()
    route = router.get("http://api.test./a")

    assert route is found(router, asked("http://api.test/a"))
    assert route is found(router, asked("http://api.test./a"))


def test_passthrough_below_a_prefix() -> None:
    """Of a router under a prefix, only what is under it goes out."""
    router = Router()
    router.host("http://api.test").passthrough("/v1")

    assert router.lets_out(asked("http://api.test/v1/a"))
    assert not router.lets_out(asked("http://other.test/v1/a"))
