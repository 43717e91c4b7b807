"""Reports on routes that did not answer, each as its full text, and the order in which routes are near."""

import functools
import json
import re
import sys
from dataclasses import dataclass
from textwrap import dedent, indent
from typing import Any

import pytest
from yarl import URL

from aiotest_kit._http.request import Origin, Request
from aiotest_kit._matching.request_pattern import RequestPattern
from aiotest_kit._matching.values import MISSING, Exact, Mismatch, Subset
from aiotest_kit._reports.near_misses import Near, explain_miss, explain_not_called, explain_unused, nearest
from aiotest_kit._reports.text import explain_mismatches


@dataclass
class Stub:
    """A route, as far as a report is concerned."""

    pattern: RequestPattern
    location: str = "tests/test_users.py:12"
    name: str | None = None
    replied: int = 0
    capacity: int | None = None
    exhausted: bool = False


@dataclass
class Came:
    """A call, as far as a report is concerned."""

    request: Request
    answered_by: Stub | None = None


def route(
    method: Any, url: Any, location: str = "tests/t.py:1", name: str | None = None, **match: Any
) -> Stub:
    return Stub(RequestPattern(method, url, **match), location, name)


def spent(method: str, url: str, location: str, name: str | None = None, times: int | None = 1) -> Stub:
    return Stub(
        RequestPattern(method, url), location, name, replied=times or 7, capacity=times, exhausted=True
    )


def ask(url: str = "http://api.test/", method: str = "GET", body: bytes = b"") -> Request:
    parsed = URL(url, encoded=True)
    return Request(method, Origin.of(parsed), parsed.raw_path_qs, body=body)


def ask_json(body: object, url: str = "http://api.test/v1/users", method: str = "POST") -> Request:
    return ask(url, method, json.dumps(body).encode())


def same(text: str, report: str) -> None:
    """The report is this text, which is indented as the test is."""
    assert dedent(text).strip("\n") == report


# ---- a request that no route answered ----


def test_miss() -> None:
    """What was asked, the nearest routes with only what differs, in columns, and the spent ones."""
    routes = [
        spent("POST", "/v1/users", "tests/test_users.py:10", "first user"),
        route("DELETE", "https://elsewhere.test/x"),
        route("GET", "/v1/users", "tests/conftest.py:8"),
        route("POST", "/v1/users", "tests/test_users.py:12", "create user", json={"email": "a@b.c"}),
    ]

    same(
        """
        no route answered POST http://api.test/v1/users
          nearest of 4 routes:
          1. POST /v1/users  "create user"  tests/test_users.py:12
               json $.email   expected 'a@b.c'   actual 'a@b.d'
          2. GET  /v1/users                 tests/conftest.py:8
               method         expected 'GET'     actual 'POST'
          spent: POST /v1/users "first user" (tests/test_users.py:10) replied 1 of 1 times
        """,
        explain_miss(ask_json({"email": "a@b.d"}), routes, limit=2),
    )


def test_miss_without_routes() -> None:
    """There is nothing to be near to."""
    same(
        """
        no route answered GET http://api.test/x?page=2
          there are no routes
        """,
        explain_miss(ask("http://api.test/x?page=2"), []),
    )


def test_miss_with_spent_routes_alone() -> None:
    """Routes that would match are spent; the newest come first, and not all of many."""
    routes = [spent("GET", "/x", f"tests/t.py:{n}", times=n) for n in range(1, 6)]
    routes.append(spent("GET", "/{name}", "tests/t.py:9", times=None))

    same(
        """
        no route answered GET http://api.test/x
          spent: GET /{name} (tests/t.py:9) replied 7 times
          spent: GET /x (tests/t.py:5) replied 5 of 5 times
          spent: GET /x (tests/t.py:4) replied 4 of 4 times
          and 3 more that are spent
        """,
        explain_miss(ask("http://api.test/x"), routes),
    )


def test_miss_of_a_spent_route_that_differs() -> None:
    """A spent route that would not have matched is one of the near ones."""
    same(
        """
        no route answered GET http://api.test/x
          nearest of 1 route:
          1. POST /x  tests/t.py:1
               method   expected 'POST'   actual 'GET'
        """,
        explain_miss(ask("http://api.test/x"), [spent("POST", "/x", "tests/t.py:1")]),
    )


def test_miss_of_a_route_that_matches_now() -> None:
    """A report may come later than the request; it does not claim a difference that is gone."""
    same(
        """
        no route answered GET http://api.test/x
          nearest of 1 route:
          1. GET /x  tests/t.py:1
               it matches now: it was added or changed since
        """,
        explain_miss(ask("http://api.test/x"), [route("GET", "/x")]),
    )


def test_miss_with_many_differences() -> None:
    """Only so many differences are shown of one route."""
    same(
        """
        no route answered POST http://api.test/v1/users
          nearest of 1 route:
          1. POST /v1/users  tests/t.py:1
               json $.k0   expected 0   actual 1
               json $.k1   expected 0   actual 1
               json $.k2   expected 0   actual 1
               json $.k3   expected 0   actual 1
               json $.k4   expected 0   actual 1
               json $.k5   expected 0   actual 1
               and 1 difference more
        """,
        explain_miss(
            ask_json({f"k{n}": 1 for n in range(7)}),
            [route("POST", "/v1/users", json={f"k{n}": 0 for n in range(7)})],
        ),
    )


def test_miss_with_an_error() -> None:
    """A predicate that is asked only for the report may fail; the report says so, and goes on."""

    def positive(value: Any) -> bool:
        return bool(value > 0)

    routes = [
        route("POST", "/v1/users?a=1", "tests/t.py:1", json={"n": positive}),
        route("POST", "/v1/users", "tests/t.py:2", json={"n": 2}),
    ]

    same(
        """
        no route answered POST http://api.test/v1/users
          nearest of 2 routes:
          1. POST /v1/users      tests/t.py:2
               json $.n   expected 2     actual '1'
          2. POST /v1/users?a=1  tests/t.py:1
               query a    expected '1'   actual <missing>
               asking it raised TypeError("'>' not supported between instances of 'str' and 'int'")
        """,
        explain_miss(ask_json({"n": "1"}), routes),
    )


def test_miss_with_long_values() -> None:
    """Long values are shortened, and one that is too wide leaves the columns of the others alone."""
    routes = [
        route("PUT", "/v1/users", "tests/t.py:1"),
        route("POST", "/v1/users", "tests/t.py:2", json={"a": 1, "b": "x" * 500}),
    ]

    same(
        f"""
        no route answered POST http://api.test/v1/users
          nearest of 2 routes:
          1. POST /v1/users  tests/t.py:2
               json $.a   expected 1                                 actual 2
               json $.b   expected '{"x" * 35} ... {"x" * 18}'   actual 'y'
          2. PUT  /v1/users  tests/t.py:1
               method     expected 'PUT'                             actual 'POST'
        """,
        explain_miss(ask_json({"a": 2, "b": "y"}), routes),
    )


def test_miss_of_a_regex() -> None:
    """A regex is shown beside the URL that it did not match."""
    same(
        """
        no route answered GET http://api.test/x?page=2
          nearest of 1 route:
          1. GET re.compile('https://.*')  tests/t.py:1
               url   expected re.compile('https://.*')   actual 'http://api.test/x?page=2'
        """,
        explain_miss(ask("http://api.test/x?page=2"), [route("GET", re.compile("https://.*"))]),
    )


VARIES = "what varies is written {name}, and {name:.+} where it has slashes"
NO_REGEX = "a str is no regex; write {name:regex} for a part of it, or re.compile() for the whole URL"
JUST_A_WORD = "what is behind the colon is a regex; {id:int} stands for just this word"
AS_TEXT = "json= was given JSON as text; give it the object that this stands for"
NOT_FILLED_IN = "placeholders match no braces; the path may be a template that the client did not fill in"
BEGINS = "a regex begins where the URL does; '.*' in front of it finds it anywhere"
QUERY = "the query is a part of the URL that the regex has to match"
SIGNS = "'?' and others have a meaning in a regex; re.escape() takes it from them"


@pytest.mark.parametrize(
    ("url", "sent", "hints"),
    [
        ("https://api.test/x", "http://api.test/x", ["the route is https, the request http"]),
        ("wss://api.test/x", "http://api.test/x", ["the route is https, the request http"]),
        ("http://*.test/x", "https://api.test/x", ["the route is http, the request https"]),
        ("https://api.test/x", "http://other.test/x", []),
        ("http://api.test:1/x", "http://api.test/x", []),
        ("*://api.test/x", "http://api.test:81/x", []),
        ("/users", "http://api.test/users/", ["a slash at the end makes it another path"]),
        ("/users/", "http://api.test/users", ["a slash at the end makes it another path"]),
        ("/users/{id}", "http://api.test/users/7/", ["a slash at the end makes it another path"]),
        ("/users/{id}", "http://api.test/users/7/x", ["{id} ends at a slash; {id:.+} does not"]),
        ("/{a:x}/{b}", "http://api.test/x/7/8", ["{b} ends at a slash; {b:.+} does not"]),
        ("/users/{id}", "http://api.test/orders/7", []),
        ("/{id:\\d+}", "http://api.test/x", []),
        ("/Users", "http://api.test/users", ["paths are case-sensitive"]),
        ("/users", "http://api.test/orders", []),
        ("/users/:id", "http://api.test/users/7", [VARIES]),
        ("/users/<int:id>/x", "http://api.test/users/7/x", [VARIES]),
        ("/users/*", "http://api.test/users/7", [VARIES]),
        ("/users/:id", "http://api.test/orders/7", []),
        ("/users/\\d+", "http://api.test/users/7", [NO_REGEX]),
        ("/users/.*", "http://api.test/users/7/x", [NO_REGEX]),
        ("/users/(", "http://api.test/users/7", []),
        ("/users/{id:int}", "http://api.test/users/7", [JUST_A_WORD]),
        ("/users/{id:int}", "http://api.test/orders/7", []),
        (re.compile("/users$"), "http://api.test/users", [BEGINS]),
        (re.compile("http://api.test/users$"), "http://api.test/users?a=1", [QUERY]),
        (re.compile("http://api.test/users?a=1"), "http://api.test/users?a=1", [SIGNS]),
        (
            "https://api.test/users",
            "http://api.test/users/",
            ["the route is https, the request http", "a slash at the end makes it another path"],
        ),
        (re.compile("x"), "http://api.test/", []),
        ("/users/{id}", "http://api.test/users/%7Bid%7D", [NOT_FILLED_IN]),
        ("/users/{id}", "http://api.test/users/%7Bid%7D/x", ["{id} ends at a slash; {id:.+} does not"]),
    ],
)
def test_hints(url: Any, sent: str, hints: list[str]) -> None:
    """The commonest confusions are named."""
    report = explain_miss(ask(sent), [route("GET", url)])

    assert [f"       hint: {hint}" for hint in hints] == [
        line for line in report.split("\n") if "hint" in line
    ]


FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("match", "content_type", "body", "hints"),
    [
        ({"json": {"a": 1}}, "", b"a=1", ["the body is not JSON"]),
        ({"json": {"a": 1}}, FORM, b"a=1", [f"the body is {FORM}, not JSON"]),
        ({"json": {"a": 1}}, "", b"", []),
        ({"json": 1}, "", b"2", []),
        ({"json": '{"a": 1}'}, "", b'{"a": 1}', [AS_TEXT]),
        ({"json": '{"a": 1}'}, "", b'{"a": 2}', []),
        ({"json": "text"}, "", b'"other"', []),
        ({"json": {"a": 1}}, "", b'{"a": 2}', []),
        ({"form": {"a": "1"}}, "application/json", b'{"a": 1}', ["the body is application/json, not a form"]),
        ({"form": {"a": "1"}}, FORM, b"a=2", []),
    ],
)
def test_hint_on_the_body(match: Any, content_type: str, body: bytes, hints: list[str]) -> None:
    """A body of another kind is told from one that differs."""
    fields = ((b"Content-Type", content_type.encode()),) if content_type else ()
    request = Request("GET", Origin("http", "api.test", 80), "/", fields, body)
    report = explain_miss(request, [route("GET", "/", **match)])

    assert [f"       hint: {hint}" for hint in hints] == [
        line for line in report.split("\n") if "hint" in line
    ]


# ---- how values are shown ----


class Positive:
    def __call__(self, value: int) -> bool:
        return value > 0

    def __repr__(self) -> str:
        return "Positive()"


def named(value: object) -> bool:
    return bool(value)


LINE = named.__code__.co_firstlineno


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "'a'"),
        (MISSING, "<missing>"),
        (re.compile("a"), "re.compile('a')"),
        (Subset({"a": Exact(1)}), "Subset({'a': Exact(1)})"),
        (named, f"named (test_near_misses.py:{LINE})"),
        (Positive(), "Positive()"),
        (functools.partial(int, base=2), "functools.partial(<class 'int'>, base=2)"),
        ("abc".startswith, "str.startswith"),
        (str.isdigit, "str.isdigit"),
    ],
)
def test_shown_values(value: object, text: str) -> None:
    """A value is shown by its repr, a predicate by its name and place."""
    assert f"body   expected {text}   actual b''" == explain_mismatches([Mismatch("body", "", value, b"")])


def test_shown_lambda() -> None:
    """A lambda has no name of its own, so its line tells."""
    predicate = lambda value: value  # noqa: E731
    line = sys._getframe().f_lineno - 1

    assert f"where   expected <lambda> (test_near_misses.py:{line})   actual 0" == explain_mismatches(
        [Mismatch("where", "", predicate, 0)]
    )


def test_mismatches() -> None:
    """Differences alone, in columns, indented as whatever stands above them wants it."""
    mismatches = [Mismatch("method", "", "GET", "POST"), Mismatch("json", "$.id", 1, MISSING)]

    same(
        """
        method      expected 'GET'   actual 'POST'
        json $.id   expected 1       actual <missing>
        """,
        explain_mismatches(mismatches),
    )
    assert explain_mismatches(mismatches, "  ") == indent(explain_mismatches(mismatches), "  ")
    assert "" == explain_mismatches([])


A = "a" * 300


@pytest.mark.parametrize(
    ("expected", "actual", "text"),
    [
        pytest.param(
            A,
            A[:150] + "B" + A[151:],
            f"expected ...{'a' * 40!r}...   actual ...'{'a' * 12}B{'a' * 27}'... (at 150 of 300)",
            id="in the middle",
        ),
        pytest.param(
            A,
            A[:-1] + "B",
            f"expected ...'{'a' * 13}'   actual ...'{'a' * 12}B' (at 299 of 300)",
            id="at the end",
        ),
        pytest.param(
            A,
            A[:200],
            f"expected ...{'a' * 40!r}...   actual ...'{'a' * 12}' (at 200 of 300 and 200)",
            id="shorter",
        ),
        pytest.param(
            b"\0" * 90,
            b"\0" * 45 + b"!" + b"\0" * 44,
            f"expected ...{bytes(40)!r}...   actual ...{bytes(12) + b'!' + bytes(27)!r}... (at 45 of 90)",
            id="bytes",
        ),
        pytest.param(
            '{"items": [' + "1, " * 50 + "2]}",
            '{"items": [' + "1, " * 50 + "3]}",
            "expected ...'1, 1, 1, 1, 2]}'   actual ...'1, 1, 1, 1, 3]}' (at 161 of 164)",
            id="JSON text",
        ),
        pytest.param(
            "b" + A,
            A,
            f"expected 'b{'a' * 34} ... {'a' * 18}'   actual '{'a' * 35} ... {'a' * 18}'",
            id="at the beginning",
        ),
        pytest.param(A, b"a", f"expected '{'a' * 35} ... {'a' * 18}'   actual b'a'", id="of two kinds"),
        pytest.param(
            "a" * 40 + "b",
            "a" * 40 + "c",
            f"expected '{'a' * 40}b'   actual '{'a' * 40}c'",
            id="short enough",
        ),
        pytest.param(
            Subset(A), "b", f"expected Subset('{'a' * 28} ... {'a' * 17}')   actual 'b'", id="contained"
        ),
    ],
)
def test_long_texts(expected: object, actual: object, text: str) -> None:
    """Two long texts are shown around their first difference, unless it is seen anyway."""
    assert f"json $   {text}" == explain_mismatches([Mismatch("json", "$", expected, actual)])


def test_long_texts_in_columns() -> None:
    """A window keeps the columns of the other differences."""
    same(
        f"""
        json $.id     expected 1                                 actual 2
        json $.text   expected ...{"a" * 40!r}...   actual ...'{"a" * 12}B{"a" * 27}'... (at 150 of 300)
        """,
        explain_mismatches(
            [Mismatch("json", "$.id", 1, 2), Mismatch("json", "$.text", A, A[:150] + "B" + A[151:])]
        ),
    )


# ---- which is nearest ----


@pytest.mark.parametrize(
    ("routes", "order"),
    [
        pytest.param([("POST", "/v1/users/8"), ("GET", "/v1/users/7")], [1, 0], id="path before method"),
        pytest.param(
            [("GET", "http://other.test/v1/users/7"), ("POST", "http://api.test/v1/users/7")],
            [1, 0],
            id="method before host",
        ),
        pytest.param(
            [("POST", "http://api.test/v1/users/7"), ("GET", "https://api.test/v1/users/7")],
            [1, 0],
            id="scheme before method",
        ),
        pytest.param(
            [("GET", "http://api.test/v1/orders"), ("GET", "http://other.test/v1/users/7")],
            [1, 0],
            id="host before path",
        ),
        pytest.param(
            [("GET", "/x"), ("GET", "/v1/user/7"), ("GET", "/v1/users/{id}/x")], [1, 2, 0], id="like paths"
        ),
        pytest.param(
            [("GET", "/x"), ("GET", re.compile("x")), ("GET", "/v1/user/7")], [2, 1, 0], id="regex between"
        ),
        pytest.param([("POST", "/v1/users/7"), ("PUT", "/v1/users/7")], [1, 0], id="newest of equals"),
    ],
)
def test_nearest(routes: list[tuple[str, Any]], order: list[int]) -> None:
    """The URL counts for more than the method, and like paths for more than unlike ones."""
    stubs = [route(method, url) for method, url in routes]

    found = nearest(ask("http://api.test/v1/users/7"), stubs)

    assert [stubs[index] for index in order] == [near.route for near in found]


@pytest.mark.parametrize(
    ("bodies", "order"),
    [
        pytest.param(
            [{"a": 1, "b": 1}, {"a": 0, "b": 1}, {"a": 1, "b": 1}], [1, 2, 0], id="fewer differences"
        ),
        pytest.param([{str(n): n for n in range(50)}, None], [1, 0], id="many differences"),
    ],
)
def test_nearest_by_body(bodies: list[object], order: list[int]) -> None:
    """With the same URL, what differs less is nearer."""
    stubs = [route("POST", "/v1/users", json=body) for body in bodies]

    found = nearest(ask_json({"a": 0, "b": 0}), stubs)

    assert [stubs[index] for index in order] == [near.route for near in found]


def test_content_never_outweighs_the_method() -> None:
    """A route for the method and URL is nearest, whatever else it asks."""
    stubs = [route("POST", "/v1/users", json={str(n): n for n in range(50)}), route("GET", "/v1/users")]

    assert stubs == [near.route for near in nearest(ask_json({}), stubs)]


def test_nearest_of_many() -> None:
    """No more are compared in full than can be among the nearest."""
    stubs = [route("GET", f"/v1/orders/{n}", where=pytest.fail) for n in range(50)]
    stubs += [route("GET", "/v1/users/{id}", headers={"X": str(n)}) for n in range(4)]

    found = nearest(ask("http://api.test/v1/users/7"), stubs, limit=2)

    assert [stubs[-1], stubs[-2]] == [near.route for near in found]
    assert [(Mismatch("headers", "X", "3", MISSING),), (Mismatch("headers", "X", "2", MISSING),)] == [
        near.mismatches for near in found
    ]


def test_distance_of_a_match() -> None:
    """Nothing is nearer than a match."""
    (near,) = nearest(ask(), [route("GET", "/")])

    assert near.is_match
    assert 0 == near.distance
    assert not Near(near.route, near.request, (), ValueError()).is_match


# ---- routes that were not called ----


def test_not_called() -> None:
    """What came nearest, and what differs in it."""
    calls = [Came(ask()), Came(ask("http://api.test/v1/user", "PUT"))]
    same(
        """
        x
          nearest: PUT http://api.test/v1/user
               url path   expected '/v1/users'   actual '/v1/user'
        """,
        "x" + explain_not_called(route("PUT", "/v1/users"), calls),
    )


def test_not_called_behind_another() -> None:
    """A call that another route answered is told apart, and the other is named."""
    other = route("GET", "/v1/{_}", "tests/conftest.py:8", "any")
    same(
        """
        x
          GET http://api.test/v1/users matches, but was answered by GET /v1/{_} "any" (tests/conftest.py:8)
        """,
        "x" + explain_not_called(route("GET", "/v1/users"), [Came(ask("http://api.test/v1/users"), other)]),
    )


def test_not_called_since() -> None:
    """A call that was its own once is told apart."""
    own = route("GET", "/v1/users")
    same(
        """
        x
          GET http://api.test/v1/users was its call, and has been cleared since
        """,
        "x" + explain_not_called(own, [Came(ask("http://api.test/v1/users"), own)]),
    )


def test_nothing_came_near() -> None:
    """What is far away does not help."""
    far = [Came(ask("http://other.test/x", "DELETE"))]
    assert "" == explain_not_called(route("GET", "https://api.test/a/{id}"), far)
    assert "" == explain_not_called(route("GET", "/v1/users"), [])


# ---- routes that were never called ----


def test_unused() -> None:
    """Each route with its place, and the request that came nearest, if one came near."""
    routes = [
        route("PUT", "/v1/orders", "tests/conftest.py:8"),
        route("POST", "/v1/users", "tests/test_users.py:12", "create user", json={"email": "a@b.c"}),
        route("GET", "https://other.test/a/{id}", "tests/test_users.py:15"),
    ]
    calls = [Came(ask_json({"email": "a@b.d"})), Came(ask("http://api.test/v1/order", "PUT"))]

    same(
        """
        3 routes were never called
          1. PUT  /v1/orders                                tests/conftest.py:8
               nearest: PUT http://api.test/v1/order
               url path       expected '/v1/orders'   actual '/v1/order'
          2. POST /v1/users                  "create user"  tests/test_users.py:12
               nearest: POST http://api.test/v1/users
               json $.email   expected 'a@b.c'        actual 'a@b.d'
          3. GET  https://other.test/a/{id}                 tests/test_users.py:15
        """,
        explain_unused(routes, calls),
    )


def test_unused_without_requests() -> None:
    """That nothing came at all is said once."""
    same(
        """
        1 route was never called
          1. GET /v1/users  tests/t.py:1
          there were no requests
        """,
        explain_unused([route("GET", "/v1/users")]),
    )


def test_unused_added_later() -> None:
    """A route that would have answered, had it been there, is told apart."""
    same(
        """
        1 route was never called
          1. GET /v1/users  tests/t.py:1
               GET http://api.test/v1/users matches now, but it came before the route was added or changed
        """,
        explain_unused([route("GET", "/v1/users")], [Came(ask("http://api.test/v1/users"))]),
    )


def test_unused_of_many() -> None:
    """A long list is cut, and of a long log the end is read."""
    routes = [route("GET", f"/r{n}") for n in range(23)]
    calls = [Came(ask("http://api.test/r0")), *[Came(ask("http://api.test/elsewhere"))] * 1000]

    report = explain_unused(routes, calls)

    lines = report.split("\n")
    assert "23 routes were never called" == lines[0]
    assert "  and 3 more" == lines[-1]
    assert 22 == len(lines)
