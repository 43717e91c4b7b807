"""Query, headers, cookies, form and multipart, as tables: each row what is expected, and what is sent."""

import re
from enum import IntEnum
from typing import Any
from unittest.mock import ANY

import pytest
from dirty_equals import IsPartialDict, IsStr
from multidict import MultiDict

from aiotest_kit._http.multipart import Part
from aiotest_kit._http.request import Request
from aiotest_kit._matching.fields import fields_pattern
from aiotest_kit._matching.request_pattern import RequestPattern
from aiotest_kit._matching.values import MISSING, Exact, Subset
from tests.support.requests import ask, ask_json, check, check_match, long

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=cut"


def ask_form(body: bytes, content_type: str = FORM) -> Request:
    return ask(method="POST", body=body, content_type=content_type)


def ask_parts(*parts: str) -> Request:
    """A multipart request of parts, each `head\\n\\ncontent`."""
    sections = "".join(f"--cut\r\n{part}\r\n".replace("\n\n", "\r\n\r\n") for part in parts)
    return ask(method="POST", body=f"{sections}--cut--\r\n".encode(), content_type=MULTIPART)


def field(name: str, content: str) -> str:
    return f'Content-Disposition: form-data; name="{name}"\n\n{content}'


def file(name: str, filename: str, content: str, content_type: str = "text/plain") -> str:
    return (
        f'Content-Disposition: form-data; name="{name}"; filename="{filename}"\r\n'
        f"Content-Type: {content_type}\n\n{content}"
    )


# ---- query, headers, cookies ----


@pytest.mark.parametrize(
    ("query", "sent", "is_match"),
    [
        ({"page": "2"}, "page=2", True),
        ({"page": "2"}, "page=3", False),
        ({"page": "2"}, "", False),
        ({"page": "2"}, "sort=up&page=2", True),
        ({"page": "2", "sort": "up"}, "sort=up&page=2", True),
        ({"page": "2", "sort": "up"}, "page=2", False),
        ({}, "page=2", True),
        ({"Page": "2"}, "page=2", False),
        ({"flag": ""}, "flag", True),
        ({"flag": ""}, "flag=", True),
        ({"q": "a b"}, "q=a+b", True),
        ({"q": "a+b"}, "q=a%2Bb", True),
        ({"q": "ü&="}, "q=%C3%BC%26%3D", True),
        # numbers
        ({"page": 2}, "page=2", True),
        ({"page": 2}, "page=2.0", False),
        ({"x": 1.5}, "x=1.5", True),
        # repeated names
        ({"tag": "a"}, "tag=a&tag=b", True),
        ({"tag": "c"}, "tag=a&tag=b", False),
        ({"tag": ["a", "b"]}, "tag=a&x=1&tag=b", True),
        ({"tag": ("a", "b")}, "tag=a&tag=b", True),
        ({"tag": ["a", "b"]}, "tag=b&tag=a", False),
        ({"tag": ["a"]}, "tag=a&tag=b", False),
        ({"tag": [1, 2]}, "tag=1&tag=2", True),
        ({"tag": [re.compile("^a"), ANY]}, "tag=ab&tag=b", True),
        ({"tag": []}, "x=1", True),
        ({"tag": []}, "tag=a", False),
        ({"tag": Subset(["b", "a"])}, "tag=a&tag=c&tag=b", True),
        ({"tag": Subset(["a", "a"])}, "tag=a&tag=b", False),
        ({"tag": Subset([ANY, "a"])}, "tag=a&tag=b", True),
        ({"tag": Exact(Subset(["a"]))}, "tag=a&tag=b", True),
        ({"tag": Subset(Exact(["a"]))}, "tag=a&tag=b", False),
        ({"tag": Exact("a")}, "tag=a", True),
        ({"tag": Exact("a")}, "tag=a&tag=b", False),
        ({"tag": Exact(1)}, "tag=1", True),
        # Exact and Subset of all
        (Exact({"page": "2"}), "page=2", True),
        (Exact({"page": "2"}), "page=2&sort=up", False),
        (Exact({"page": "2"}), "page=2&page=3", False),
        (Exact({"page": Subset("2")}), "page=12&page=3", False),
        (Exact({}), "", True),
        (Exact({}), "a=1", False),
        (Subset({"page": "2"}), "page=2&sort=up", True),
        (Exact(Subset({"page": "2"})), "page=2&sort=up", True),
        # other forms
        ("page=2&sort=up", "sort=up&page=2&x=1", True),
        ("?page=2", "page=2", True),
        ("q=a+b", "q=a%20b", True),
        ("tag=a&tag=b", "tag=b&tag=a", False),
        (Exact("page=2"), "page=2&x=1", False),
        ([("tag", "a"), ("tag", "b")], "tag=a&tag=b", True),
        ([("tag", "a"), ("tag", ["b", "c"])], "tag=a&tag=b&tag=c", True),
        (MultiDict([("tag", "a"), ("tag", "b")]), "tag=b&tag=a", False),
        # values
        ({"q": re.compile("b")}, "q=abc", True),
        ({"q": re.compile("^b")}, "q=abc", False),
        ({"q": ANY}, "q=", True),
        ({"q": ANY}, "", False),
        ({"q": str.isdigit}, "q=12", True),
        ({"q": str.isdigit}, "q=x", False),
        ({"q": IsStr(regex="a.*")}, "q=abc", True),
        ({"q": Subset("b")}, "q=abc", True),
        # all of it at once
        (ANY, "a=1", True),
        (lambda query: len(query) == 2, "a=1&a=2", True),
        (lambda query: "a" in query, "b=1", False),
        (IsPartialDict(a="1"), "a=1&b=2", True),
        (IsPartialDict(a=["1", "2"]), "a=1&a=2", True),
        (IsPartialDict(a="1"), "b=2", False),
        (IsPartialDict, "b=2", True),
    ],
)
def test_query(query: Any, sent: str, is_match: bool) -> None:
    """A query has at least what is expected, in any order of names; lists are all values of a name."""
    check_match(RequestPattern("GET", "/", query=query), ask(f"http://api.test/?{sent}"), is_match)


@pytest.mark.parametrize(
    ("query", "sent", "differences"),
    [
        ({"page": "2"}, "page=3", [("query", "page", "2", "3")]),
        ({"page": 2}, "", [("query", "page", "2", MISSING)]),
        ({"page": "2"}, "page=3&page=4", [("query", "page", "2", ["3", "4"])]),
        ({"tag": ["a", "b"]}, "tag=b", [("query", "tag", ["a", "b"], "b")]),
        ({"tag": []}, "tag=b", [("query", "tag", MISSING, "b")]),
        ({"tag": Exact("a")}, "tag=a&tag=b", [("query", "tag", Exact("a"), ["a", "b"])]),
        (
            Exact({"page": "2"}),
            "page=1&sort=up&x=1&x=2",
            [
                ("query", "page", "2", "1"),
                ("query", "sort", MISSING, "up"),
                ("query", "x", MISSING, ["1", "2"]),
            ],
        ),
        (long, "a=1&b=1&b=2", [("query", "", long, {"a": "1", "b": ["1", "2"]})]),
    ],
)
def test_query_mismatch(query: Any, sent: str, differences: list[tuple[str, str, object, object]]) -> None:
    """Each parameter that differs is named, those expected first."""
    pattern = RequestPattern("GET", "/", query=query)

    check(pattern, ask(f"http://api.test/?{sent}"), *differences)


COMMON = {"Host": "api.test", "Accept": "*/*"}


@pytest.mark.parametrize(
    ("headers", "sent", "is_match"),
    [
        ({"X-Key": "k"}, {**COMMON, "x-key": "k"}, True),
        ({"x-key": "k"}, {"X-KEY": "k"}, True),
        ({"X-Key": "k"}, {"X-Key": "K"}, False),
        ({"X-Key": "k"}, COMMON, False),
        ({"X-Key": []}, COMMON, True),
        ({"X-Key": "a"}, [("X-Key", "a"), ("x-key", "b")], True),
        ({"X-Key": ["a", "b"]}, [("X-Key", "a"), ("x-key", "b")], True),
        ([("X-Key", "a"), ("x-key", "b")], [("X-Key", "a"), ("X-Key", "b")], True),
        ([("X-Key", "a"), ("x-key", "b")], [("X-Key", "a")], False),
        ({"Content-Length": 5}, {"Content-Length": "5"}, True),
        ({"Authorization": re.compile("^Bearer ")}, {"Authorization": "Bearer x"}, True),
        ({"Accept": Subset("json")}, {"Accept": "application/json, text/plain"}, True),
        (Exact({"Accept": "*/*"}), COMMON, False),
        (Exact({"accept": "*/*", "host": ANY}), COMMON, True),
    ],
)
def test_headers(headers: Any, sent: Any, is_match: bool) -> None:
    """Headers have at least those expected, names in any case."""
    check_match(RequestPattern("GET", "/", headers=headers), ask(headers=sent), is_match)


def test_headers_mismatch() -> None:
    """A header is named as the route names it, one that is too much as it was sent."""
    request = ask(headers=[("HOST", "api.test"), ("X-Tag", "a"), ("x-tag", "b")])

    check(
        RequestPattern("GET", "/", headers=Exact({"host": "x", "X-Key": "k"})),
        request,
        ("headers", "host", "x", "api.test"),
        ("headers", "X-Key", "k", MISSING),
        ("headers", "X-Tag", MISSING, ["a", "b"]),
    )


@pytest.mark.parametrize(
    ("cookies", "sent", "is_match"),
    [
        ({"session": "s"}, "a=1; session=s", True),
        ({"session": "s"}, "session=t", False),
        ({"session": "s"}, "", False),
        ({"Session": "s"}, "session=s", False),
        ({"session": []}, "a=1", True),
        ({"n": 1}, "n=1", True),
        (Exact({"session": "s"}), "session=s", True),
        (Exact({"session": "s"}), "session=s; a=1", False),
    ],
)
def test_cookies(cookies: Any, sent: str, is_match: bool) -> None:
    """Cookies have at least those expected."""
    check_match(RequestPattern("GET", "/", cookies=cookies), ask(headers={"Cookie": sent}), is_match)


# ---- form, multipart ----


@pytest.mark.parametrize(
    ("form", "request_", "is_match"),
    [
        ({"a": "1"}, ask_form(b"a=1"), True),
        ({"a": 1}, ask_form(b"a=1"), True),
        ({"a": "1"}, ask_form(b"a=1&b=2"), False),
        ({"a": "1"}, ask_form(b"a=1&a=2"), False),
        ({"a": ["1", "2"]}, ask_form(b"a=1&b=3&a=2"), False),
        ({"a": ["1", "2"], "b": "3"}, ask_form(b"a=1&b=3&a=2"), True),
        ({"a": ["1", "2"]}, ask_form(b"a=2&a=1"), False),
        (Subset({"a": "1"}), ask_form(b"a=1&a=2&b=2"), True),
        (Subset({"a": "1"}), ask_form(b"b=2"), False),
        ({"a": "ü b"}, ask_form(b"a=%C3%BC+b"), True),
        ({"a": ""}, ask_form(b"a="), True),
        ({"a": "1"}, ask_parts(field("a", "1")), True),
        ({"a": "1"}, ask_parts(field("a", "1"), file("f", "x", "1")), False),
        ({"f": "1"}, ask_parts(file("f", "x", "1")), False),  # a file is not text
        ({"f": lambda part: part.filename == "x"}, ask_parts(file("f", "x", "1")), True),
        (lambda form: form["a"] == "1", ask_form(b"a=1"), True),
        ({}, ask(method="POST"), True),
        ({}, ask(method="POST", body=b"{}"), False),
        ({"a": "1"}, ask(method="POST", body=b"a=1"), False),
        ({"a": "1"}, ask_form(b"a=1", f"{FORM}; charset=x-none"), False),
        ({"a": "1"}, ask_form(b"--cut", MULTIPART), False),
    ],
)
def test_form(form: Any, request_: Request, is_match: bool) -> None:
    """A form has just the fields expected, in either encoding and any order of names."""
    check_match(RequestPattern("POST", "/", form=form), request_, is_match)


def test_form_mismatch() -> None:
    """A field is named; a body that is no form differs as a whole."""
    pattern = RequestPattern("POST", "/", form={"a": "1"})

    check(pattern, ask_form(b"a=2&b=3"), ("form", "a", "1", "2"), ("form", "b", MISSING, "3"))
    check(pattern, ask_json({"a": 1}), ("form", "", {"a": "1"}, '{"a": 1}'))


FILE = file("f", "a.txt", "hello", "text/x-note; charset=utf-8")


@pytest.mark.parametrize(
    ("multipart", "parts", "is_match"),
    [
        ({"a": "1"}, [field("a", "1")], True),
        ({"a": b"1"}, [field("a", "1")], True),
        ({"a": 1}, [field("a", "1")], True),
        ({"a": "2"}, [field("a", "1")], False),
        ({"a": "1"}, [field("a", "1"), field("b", "2")], False),
        (Subset({"a": "1"}), [field("a", "1"), field("b", "2")], True),
        ({"a": ["1", "2"]}, [field("a", "1"), field("a", "2")], True),
        ({"a": ["1", "2"]}, [field("a", "2"), field("a", "1")], False),
        ([("a", "1"), ("a", "2")], [field("a", "1"), field("a", "2")], True),
        ({"f": "hello"}, [FILE], True),
        ({"f": ("a.txt", "hello")}, [FILE], True),
        ({"f": ("a.txt", b"hello")}, [FILE], True),
        ({"f": ("b.txt", "hello")}, [FILE], False),
        ({"f": ("a.txt", "other")}, [FILE], False),
        ({"f": (None, "1")}, [field("f", "1")], True),
        ({"f": ("a.txt", "hello", "text/x-note")}, [FILE], True),
        ({"f": ("a.txt", "hello", "text/plain")}, [FILE], False),
        ({"f": (ANY, re.compile("^h"), str.islower)}, [FILE], True),
        ({"f": (ANY, re.compile(b"^h"))}, [FILE], True),
        ({"f": (ANY, lambda body: body == b"hello")}, [FILE], True),
        ({"f": (re.compile(r"\.txt$"), Subset("ell"))}, [FILE], True),
        ({"f": {"filename": "a.txt"}}, [FILE], True),
        ({"f": {"content_type": "text/x-note", "body": "hello"}}, [FILE], True),
        ({"f": {"filename": "b.txt"}}, [FILE], False),
        ({"f": [("a.txt", "hello"), ("b.txt", "bye")]}, [FILE, file("f", "b.txt", "bye")], True),
        ({"f": Subset([("b.txt", "bye")])}, [FILE, file("f", "b.txt", "bye")], True),
        ({"f": re.compile("l+")}, [FILE], True),
        ({"f": re.compile(b"l+")}, [FILE], True),
        ({"f": Subset(b"ell")}, [FILE], True),
        ({"f": Exact("hello")}, [FILE], True),
        ({"f": ANY}, [FILE], True),
        ({"f": lambda part: part.content_type == "text/x-note"}, [FILE], True),
        ({"f": lambda part: part.body == b""}, [FILE], False),
        ({"": "x"}, ["X-Nameless: y\n\nx"], True),
        (lambda parts: list(parts) == ["a", "f"], [field("a", "1"), FILE], True),
    ],
)
def test_multipart(multipart: Any, parts: list[str], is_match: bool) -> None:
    """A multipart body has just the parts expected: their content, or their file name and type too."""
    check_match(RequestPattern("POST", "/", multipart=multipart), ask_parts(*parts), is_match)


def test_multipart_compared_with_a_part() -> None:
    """A `Part` is equal to a part with the same headers and content."""
    request = ask_parts(FILE)
    (part,) = request.multipart()

    check_match(RequestPattern("POST", "/", multipart={"f": part}), request, True)
    other = Part(part.name, part.filename, part.headers, b"other")
    check_match(RequestPattern("POST", "/", multipart={"f": other}), request, False)


def test_multipart_mismatch() -> None:
    """A part that differs is shown; a body that is not multipart, or malformed, differs as a whole."""
    pattern = RequestPattern("POST", "/", multipart={"f": "bye"})
    request = ask_parts(FILE)

    check(pattern, request, ("multipart", "f", "bye", request.multipart()[0]))
    check(pattern, ask_form(b"f=bye"), ("multipart", "", {"f": "bye"}, "f=bye"))
    check(pattern, ask_form(b"--cut", MULTIPART), ("multipart", "", {"f": "bye"}, "--cut"))


class Level(IntEnum):
    """Names for numbers."""

    LOW = 2


class Size(float):
    """A number with a unit."""


@pytest.mark.parametrize("part", ["query", "headers", "cookies", "form"])
def test_number_of_an_enum(part: str) -> None:
    """A number is compared as it is sent, of an enum too."""
    pattern = fields_pattern(part, {"level": Level.LOW, "size": Size(1.5)})

    assert {"level": "2", "size": "1.5"} == pattern.expected
