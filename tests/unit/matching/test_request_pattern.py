"""What matches a request, as tables: each row a pattern, a request, and the differences between them.

A row without differences is a match; every table also holds `matches` and `differences` together.
"""

import re
from collections.abc import Mapping
from typing import Any
from unittest import mock
from unittest.mock import ANY

import pytest
from yarl import URL

from aiotest_kit._http.request import NO_MATCH_INFO, Request
from aiotest_kit._matching.request_pattern import MATCH_OPTIONS, RequestPattern
from aiotest_kit._matching.values import MISSING, Exact, Subset
from aiotest_kit._messages.exceptions import UsageError
from tests.support.requests import ask, ask_json, check, check_match, long

# ---- method ----


@pytest.mark.parametrize(
    ("method", "sent", "is_match"),
    [
        ("GET", "GET", True),
        ("get", "GET", True),
        ("GET", "POST", False),
        (["GET", "post"], "POST", True),
        (("GET", "POST"), "PUT", False),
        ({"GET"}, "GET", True),
        ("*", "PROPFIND", True),
        (None, "PROPFIND", True),
        (["GET", "*"], "PUT", True),
        ("M-SEARCH", "M-SEARCH", True),
    ],
)
def test_method(method: Any, sent: str, is_match: bool) -> None:
    """A method is one of some, in any case, or any at all."""
    check_match(RequestPattern(method, "/"), ask(method=sent), is_match)


@pytest.mark.parametrize("method", ["GET", ["GET", "HEAD"]])
def test_method_mismatch(method: Any) -> None:
    """The difference shows all methods that would do."""
    text = method if isinstance(method, str) else "GET|HEAD"
    check(RequestPattern(method, "/"), ask(method="POST"), ("method", "", text, "POST"))


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ("", "'' is not a method; a method is a word such as 'GET'"),
        ("GET POST", "'GET POST' is not a method"),
        ("GET,POST", "'GET,POST' is not a method"),
        (
            "/users",
            "'/users' is not a method; a method is a word such as 'GET' (RFC 9110, 5.6.2); "
            "it comes before the URL",
        ),
        (["GET", 3], "3 is not a method"),
        ([], "no method given; write '*' for any"),
    ],
)
def test_bad_method(method: Any, said: str) -> None:
    """What HTTP cannot send is refused at set-up."""
    with pytest.raises(UsageError, match=re.escape(said)):
        RequestPattern(method, "/")


# ---- json, body ----


@pytest.mark.parametrize(
    ("body", "actual"),
    [
        (b"{", "{"),
        (b"a=1", "a=1"),
        (b"", MISSING),
        (b'"\xff"', b'"\xff"'),
    ],
)
def test_json_of_other_bodies(body: bytes, actual: object) -> None:
    """A body that is not JSON differs as a whole."""
    check(RequestPattern("POST", "/", json=ANY), ask(method="POST", body=body), ("json", "$", ANY, actual))


def test_json_is_parsed_once() -> None:
    """All the routes that look at a body share one parse."""
    request = ask_json({"a": 1})
    patterns = [RequestPattern("POST", "/", json={"a": n}) for n in range(3)]

    with mock.patch.object(Request, "json", autospec=True, side_effect=Request.json) as parse:
        assert [False, True, False] == [pattern.matches(request) for pattern in patterns]

    assert 1 == parse.call_count


@pytest.mark.parametrize(
    ("expected", "sent", "is_match"),
    [
        (b"abc", b"abc", True),
        (b"abc", b"abcd", False),
        (b"", b"", True),
        ("ü", "ü".encode(), True),
        ("ü", "ü".encode("latin-1"), False),
        (Subset(b"b"), b"abc", True),
        (Subset("ü"), "aüb".encode(), True),
        (Subset("ü"), b"\xff", False),
        (Subset(b"x"), b"abc", False),
        (Exact(b"abc"), b"abc", True),
        (Exact(Subset("b")), b"abc", True),
        (re.compile("ü$"), "aü".encode(), True),
        (re.compile(b"^a"), b"ab", True),
        (re.compile(b"^b"), b"ab", False),
        (lambda body: body == b"abc", b"abc", True),
        (lambda body: body == "abc", b"abc", False),
        (bytearray(b"abc"), b"abc", True),
        (ANY, b"", True),
    ],
)
def test_body(expected: object, sent: bytes, is_match: bool) -> None:
    """A body is compared as bytes, or as text if text is expected."""
    check_match(RequestPattern("POST", "/", body=expected), ask(method="POST", body=sent), is_match)


@pytest.mark.parametrize(
    ("content_type", "is_match"),
    [("text/plain; charset=latin-1", True), ("text/plain", False), ("text/plain; charset=x-none", False)],
)
def test_body_in_its_charset(content_type: str, is_match: bool) -> None:
    """Text is decoded as the request says; a charset that nobody knows is a difference."""
    request = ask(method="POST", body="ü".encode("latin-1"), content_type=content_type)

    check_match(RequestPattern("POST", "/", body="ü"), request, is_match)


@pytest.mark.parametrize(
    ("expected", "sent", "actual"),
    [
        (b"x", b"abc", b"abc"),
        (b"x", b"", b""),
        ("x", b"abc", "abc"),
        ("x", b"", MISSING),
        ("x", b"\xff", b"\xff"),
        (Subset("x"), b"abc", "abc"),
        (Subset(b"x"), b"abc", b"abc"),
        (re.compile(b"x"), b"abc", b"abc"),
        (long, b"abc", b"abc"),
    ],
)
def test_body_mismatch(expected: object, sent: bytes, actual: object) -> None:
    """The body is shown as it was compared."""
    check(
        RequestPattern("POST", "/", body=expected),
        ask(method="POST", body=sent),
        ("body", "", expected, actual),
    )


# ---- where, and all of it together ----


def test_where() -> None:
    """A predicate on the request decides by its truth."""
    where = lambda request: request.query.get("page")  # noqa: E731
    pattern = RequestPattern("GET", "/", where=where)

    check(pattern, ask("http://api.test/?page=2"))
    check(pattern, ask("http://api.test/?page="), ("where", "", where, ""))
    check(pattern, ask(), ("where", "", where, None))


def test_where_sees_captures() -> None:
    """`where` has what the URL captured; a request is left as it was, also by an error."""
    request = ask("http://api.test/users/7")
    seen: list[Mapping[str, str]] = []

    def where(request: Request) -> bool:
        seen.append(request.match_info)
        raise LookupError

    with pytest.raises(LookupError):
        RequestPattern("GET", "/users/{id}", where=where).matches(request)

    assert [{"id": "7"}] == seen
    assert request.match_info is NO_MATCH_INFO


def test_where_is_asked_last() -> None:
    """`where` may rely on all the rest, also when the differences are listed."""
    where = mock.Mock(return_value=True)
    pattern = RequestPattern("POST", "/", json={"a": 1}, where=where)

    check(pattern, ask_json({"a": 2}), ("json", "$.a", 1, 2))
    where.assert_not_called()

    check(pattern, ask_json({"a": 1}))
    where.assert_called()


@pytest.mark.parametrize(
    "options",
    [
        {"where": lambda request: 1 / 0},
        {"json": {"a": lambda value: 1 / 0}},
        {"json": lambda value: 1 / 0},
        {"query": {"a": lambda value: 1 / 0}},
        {"headers": {"Content-Type": lambda value: 1 / 0}},
    ],
)
def test_errors_of_predicates_propagate(options: Any) -> None:
    """A bug in a predicate is an error, never a route that silently does not match."""
    request = ask("http://api.test/?a=1", body=b'{"a": 1}', content_type="application/json")
    pattern = RequestPattern("GET", "/", **options)

    with pytest.raises(ZeroDivisionError):
        pattern.matches(request)


def test_differences_of_everything() -> None:
    """All parts are compared, cheapest first."""
    pattern = RequestPattern(
        "PUT", "https://api.test/x?q=1", json=1, cookies={"c": "1"}, headers={"h": "1"}, query={"p": "1"}
    )

    check(
        pattern,
        ask_json(2),
        ("method", "", "PUT", "POST"),
        ("url", "origin", "https://api.test", "http://api.test"),
        ("url", "path", "/x", "/"),
        ("query", "q", "1", MISSING),
        ("query", "p", "1", MISSING),
        ("headers", "h", "1", MISSING),
        ("cookies", "c", "1", MISSING),
        ("json", "$", 1, 2),
    )


@pytest.mark.parametrize(
    ("request_", "line", "head"),
    [
        (ask("http://api.test/x?q=1", "POST", headers={"h": "1"}), True, True),
        (ask("http://api.test/x", "POST", headers={"h": "1"}), True, False),
        (ask("http://api.test/x?q=1", "POST"), True, False),
        (ask("http://api.test/x?q=1", "GET", headers={"h": "1"}), False, False),
        (ask("http://api.test/y?q=1", "POST", headers={"h": "1"}), False, False),
    ],
)
def test_matches_before_the_body(request_: Request, line: bool, head: bool) -> None:
    """The request line and the head can be decided without the body, which is not looked at."""
    where = mock.Mock()
    pattern = RequestPattern("POST", "/x?q=1", headers={"h": "1"}, json={}, where=where)

    assert line is pattern.matches_line(request_)
    assert head is pattern.matches_head(request_)
    where.assert_not_called()
    assert not pattern.matches(ask_json({}))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"heeders": {}},
            "unknown option 'heeders' for a route; options are: body, cookies, form, headers, ",
        ),
        ({"heeders": {}}, "did you mean 'headers'?"),
        (
            {"status": 200, "payload": {}},
            "status=, payload=: what a route answers is said by its reply, as in "
            "router.get(url).reply(200, json={...})",
        ),
        ({"json": 1, "body": b""}, "a request has one body; give only one of: body, json"),
        ({"json": None, "form": {}}, "a request has one body; give only one of: json, form"),
        (
            {"query": {"a": True}},
            "query 'a': True has several spellings; write 'true', 'True' or '1', or [] for 'absent'",
        ),
        ({"query": {"a": None}}, "query 'a': None is no text; write [] for 'absent'"),
        ({"query": {"a": [Exact(None)]}}, "query 'a': None is no text; write [] for 'absent'"),
        ({"query": {"a": {"b": 1}}}, "query 'a': {'b': 1} is a mapping; a value is text"),
        ({"query": {1: "a"}}, "query: the name 1 is not a str"),
        ({"query": 5}, "query: 5 is neither a mapping nor pairs of a name and a value"),
        ({"query": ["a"]}, "query: ['a'] is neither a mapping nor pairs"),
        ({"query": re.compile("a")}, "query: re.compile('a') is neither a mapping nor pairs"),
        ({"headers": "a: b"}, "headers: 'a: b' is neither a mapping nor pairs"),
        ({"headers": object()}, "> is equal to nothing but itself; write a value, a predicate, or"),
        ({"query": Exact(None)}, "query: None is neither a mapping nor pairs"),
        (
            {"query": {"a": int}},
            "query: int is a class; for any int write lambda value: isinstance(value, int)",
        ),
        ({"json": {"a": [int]}}, "json: int is a class"),
        ({"json": Subset({"a": int})}, "json: int is a class"),
        ({"json": {1: 2}}, "json: the key 1 is not a string, and JSON has no others"),
        ({"json": {"a": re.compile(b"x")}}, "json: re.compile(b'x') searches bytes; write it as a str"),
        (
            {"multipart": {"f": ("a",)}},
            "multipart 'f': a file is (filename, content) or (filename, content, ",
        ),
        ({"multipart": {"f": {"name": "x"}}}, "unknown option 'name' for the part 'f'; options are: body, "),
        ({"body": {"a": 1}}, "body={'a': 1}: a body is bytes or str; for JSON write json="),
        ({"body": Exact([1])}, "body=[1]: a body is bytes or str"),
        ({"body": 5}, "body=5: a body is bytes or str"),
        ({"where": 5}, "where=5: a predicate is a function of the request"),
        ({"where": bool}, "where: bool is a class"),
    ],
)
def test_bad_options(options: Any, said: str) -> None:
    """What can never match is refused at set-up, with what would work."""
    with pytest.raises(UsageError, match=re.escape(said)):
        RequestPattern("POST", "/", **options)


def test_a_name_in_url_and_option() -> None:
    """One parameter is given in one place."""
    said = "the URL and query= both name 'page'; give it in one of them"
    with pytest.raises(UsageError, match=re.escape(said)):
        RequestPattern("GET", "/?page=2", query={"page": "3"})


@pytest.mark.parametrize(
    ("url", "query", "sent", "is_match"),
    [
        ("/x?page=2", None, "page=2&sort=up", True),
        ("/x?page=2", None, "page=3", False),
        ("/x?page=2", {"sort": "up"}, "page=2&sort=up", True),
        ("/x?page=2", {"sort": "up"}, "page=2", False),
        ("/x?page=2", Exact({"sort": "up"}), "page=2&sort=up", True),
        ("/x?page=2", Exact({"sort": "up"}), "page=2&sort=up&x=1", False),
        ("/x?page=2", Exact({}), "page=2", True),
        ("/x?page=2", lambda query: len(query) == 2, "page=2&a=1", True),
        ("/x?page=2", lambda query: len(query) == 2, "page=3&a=1", False),
        ("/x?tag=a&tag=b", None, "tag=a&tag=b", True),
        ("/x?tag=a&tag=b", None, "tag=a", False),
        ('/x?filter={"a":1}', None, "filter=%7B%22a%22%3A1%7D", True),
        ("/x?", None, "a=1", True),
    ],
)
def test_query_of_the_url(url: str, query: Any, sent: str, is_match: bool) -> None:
    """A URL's own query is the option `query`, and joins it."""
    check_match(RequestPattern("GET", url, query=query), ask(f"http://api.test/x?{sent}"), is_match)


def test_none_leaves_an_option_out() -> None:
    """None is no expectation, except of JSON, which has it."""
    options: dict[str, Any] = dict.fromkeys(set(MATCH_OPTIONS) - {"json"})

    assert () == RequestPattern("GET", "/", **options).option_names
    assert ("json",) == RequestPattern("GET", "/", json=None).option_names


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (RequestPattern(), "any request"),
        (RequestPattern(json={}), "any request with json {}"),
        (RequestPattern("GET"), "GET *"),
        (RequestPattern(None, "/x"), "* /x"),
        (RequestPattern(["get", "post"], "https://*/x?q=1"), "GET|POST https://*/x?q=1"),
        (RequestPattern("GET", URL("/a b")), "GET /a%20b"),
        (RequestPattern("GET", re.compile(".*/x")), "GET re.compile('.*/x')"),
        (
            RequestPattern("POST", "/x", query={"page": 2}, json=Subset({"a": Exact([1])})),
            "POST /x with query {'page': 2}, json Subset({'a': Exact([1])})",
        ),
    ],
)
def test_describe(pattern: RequestPattern, text: str) -> None:
    """A pattern reads as its user wrote it."""
    assert text == pattern.describe()
    assert f"<RequestPattern {text}>" == repr(pattern)


class LaterCalled:
    """A predicate that is async, as its class says."""

    async def __call__(self, value: object) -> bool:
        return False


class Waiting:
    """What may be awaited, and is no coroutine."""

    def __await__(self) -> Any:
        raise NotImplementedError


@pytest.mark.parametrize("option", ["where", "query", "json", "body"])
def test_predicate_that_is_async(option: str) -> None:
    """It would hold for every request, so it is refused: at set-up where it can be seen, else when asked."""

    async def later(value: object) -> bool:
        raise NotImplementedError

    def hidden(value: object) -> object:
        return later(value)

    options: dict[str, Any] = {option: LaterCalled()}
    with pytest.raises(UsageError, match=f"{option}: .* is async; a predicate is a plain function"):
        RequestPattern("POST", "/", **options)

    for predicate in (hidden, lambda value: Waiting()):
        options[option] = predicate
        pattern = RequestPattern("POST", "/", **options)
        with pytest.raises(UsageError, match=r"is_async.* is async; a predicate is a plain function"):
            pattern.matches(ask_json(1))
