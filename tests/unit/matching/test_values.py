"""How an expected value compares with an actual one, as tables: each row both, and the differences.

A row without differences is a match; JSON bodies stand for all values.
"""

import enum
import functools
import operator
import re
from typing import Any
from unittest import mock
from unittest.mock import ANY

import pytest
from dirty_equals import IsInt, IsPartialDict
from multidict import CIMultiDict

from aiotest_kit._matching.request_pattern import RequestPattern
from aiotest_kit._matching.values import MISSING, Exact, Subset
from aiotest_kit._messages.exceptions import UsageError
from aiotest_kit._options import check_options
from aiotest_kit._plugin.hooks import pytest_assertrepr_compare
from aiotest_kit._reports.comparison import explain_comparison
from tests.support.requests import ask_json, check, check_match, long


class Colour(str, enum.Enum):
    RED = "red"


class Caller:
    def __call__(self, value: int) -> bool:
        return value == 7


def is_seven(value: object, seven: int = 7) -> bool:
    return value == seven


@pytest.mark.parametrize(
    ("expected", "sent", "is_match"),
    [
        # literals
        (None, None, True),
        (None, 0, False),
        ({}, {}, True),
        ([], [], True),
        ([], {}, False),
        ("a", "a", True),
        (1, 1.0, True),
        (1.0, 1, True),
        (1, True, False),
        (True, 1, False),
        (0, False, False),
        (True, True, True),
        (True, False, False),
        (True, "x", False),
        ("1", 1, False),
        ({"a": {"b": [1, {"c": None}]}}, {"a": {"b": [1, {"c": None}]}}, True),
        ({"a": {"b": [1, {"c": None}]}}, {"a": {"b": [1, {"c": 0}]}}, False),
        ((1, 2), [1, 2], True),
        ({"c": Colour.RED}, {"c": "red"}, True),
        ({Colour.RED: 1}, {"red": 1}, True),
        # exact by default
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ({"a": 1, "b": 2}, {"a": 1}, False),
        ([1], [1, 2], False),
        ([1, 2], [1], False),
        ([1, 2], [2, 1], False),
        # Subset
        (Subset({"a": 1}), {"a": 1, "b": 2}, True),
        (Subset({"a": 1}), {"b": 2}, False),
        (Subset({"a": {"b": 1}}), {"a": {"b": 1, "c": 2}, "d": 3}, True),
        (Subset([1]), [3, 2, 1], True),
        (Subset([1, 1]), [1, 2], False),
        (Subset([1, 2]), [2, 1], True),
        (Subset([ANY, 1]), [1, 2], True),
        (Subset([ANY, ANY, ANY]), [1, 2], False),
        (Subset([{"a": 1}]), [{"b": 1}, {"a": 1, "c": 2}], True),
        (Subset([]), [1], True),
        (Subset({}), {"a": 1}, True),
        (Subset({}), [], False),
        (Subset("b"), "abc", True),
        (Subset("b"), "xyz", False),
        (Subset("1"), 1, False),
        (Subset({"a": "b"}), {"a": "abc"}, False),  # of text only directly inside
        (Subset(1), 1, True),
        # turned at any depth
        ({"a": Subset({"b": 1})}, {"a": {"b": 1, "c": 2}}, True),
        ({"a": Subset({"b": 1})}, {"a": {"b": 1}, "d": 3}, False),
        (Subset({"a": Exact({"b": 1})}), {"a": {"b": 1}, "d": 3}, True),
        (Subset({"a": Exact({"b": 1})}), {"a": {"b": 1, "c": 2}}, False),
        (Subset({"a": Exact({"b": Subset([1])})}), {"a": {"b": [2, 1]}, "d": 3}, True),
        (Subset([Exact([1, 2])]), [[2, 1], [1, 2]], True),
        (Subset([Exact([1, 2])]), [[2, 1], [1, 2, 3]], False),
        (Exact(Subset({"a": 1})), {"a": 1, "b": 2}, True),
        # values
        ({"a": re.compile("b")}, {"a": "abc"}, True),
        ({"a": re.compile("^b")}, {"a": "abc"}, False),
        ({"a": re.compile("1")}, {"a": 1}, False),
        ({"a": ANY}, {"a": None}, True),
        ({"a": ANY}, {}, False),
        (ANY, {"a": 1}, True),
        ([ANY, {"b": ANY}], [1, {"b": 2}], True),
        ({"a": IsInt(gt=3)}, {"a": 4}, True),
        ({"a": IsInt}, {"a": 4}, True),
        ({"a": IsInt}, {"a": "4"}, False),
        (IsPartialDict(a=1), {"a": 1, "b": 2}, True),
        # predicates
        (lambda body: len(body) == 2, [1, 2], True),
        ({"a": long}, {"a": "abcd"}, True),
        ({"a": long}, {"a": "abc"}, False),
        ({"a": functools.partial(is_seven, seven=8)}, {"a": 8}, True),
        ({"a": "abc".startswith}, {"a": "ab"}, True),
        ({"a": "abc".__eq__}, {"a": "abc"}, True),
        ({"a": operator.itemgetter(0)}, {"a": [1]}, True),
        ({"a": operator.itemgetter(0)}, {"a": [0]}, False),
        ({"a": Caller()}, {"a": 7}, True),
        ({"a": Caller()}, {"a": 8}, False),
        ({"a": mock.Mock(return_value=True)}, {"a": 8}, True),
        ({"a": mock.call(1)}, {"a": 8}, False),  # callable, and with an == of its own
    ],
)
def test_json(expected: object, sent: object, is_match: bool) -> None:
    """A JSON body is just what is expected, and `Exact` and `Subset` turn that from where they stand."""
    check_match(RequestPattern("POST", "/", json=expected), ask_json(sent), is_match)


@pytest.mark.parametrize(
    ("expected", "sent", "differences"),
    [
        (1, 2, [("json", "$", 1, 2)]),
        (
            {"email": "a", "name": "n", "a b": 1},
            {"email": "b", "a b": 2, "x": 3},
            [
                ("json", "$.email", "a", "b"),
                ("json", "$.name", "n", MISSING),
                ("json", "$['a b']", 1, 2),
                ("json", "$.x", MISSING, 3),
            ],
        ),
        (
            {"items": [{"id": 1}, {"id": 2}, 3]},
            {"items": [{"id": 1}, {"id": 5}]},
            [("json", "$.items[1].id", 2, 5), ("json", "$.items[2]", 3, MISSING)],
        ),
        ([1], [1, 2], [("json", "$[1]", MISSING, 2)]),
        ({"a": [1]}, {"a": {"b": 1}}, [("json", "$.a", [1], {"b": 1})]),
        ({"a": {"b": 1}}, {"a": [1]}, [("json", "$.a", {"b": 1}, [1])]),
        (Subset({"a": 1, "b": 2}), {"a": 2, "c": 3}, [("json", "$.a", 1, 2), ("json", "$.b", 2, MISSING)]),
        (
            {"tags": Subset(["a", "b", "c"])},
            {"tags": ["b", "d"]},
            [("json", "$.tags[*]", "a", ["b", "d"]), ("json", "$.tags[*]", "c", ["b", "d"])],
        ),
        ({"a": Exact(1)}, {"a": 2}, [("json", "$.a", 1, 2)]),
        ({"a": Subset("x")}, {"a": "y"}, [("json", "$.a", Subset("x"), "y")]),
        ({"a": long}, {"a": "x"}, [("json", "$.a", long, "x")]),
    ],
)
def test_json_mismatch(expected: object, sent: object, differences: list[Any]) -> None:
    """Only what differs is named, by its path."""
    check(RequestPattern("POST", "/", json=expected), ask_json(sent), *differences)


EQUAL: list[tuple[object, object, bool]] = [
    (Subset({"a": 1}), {"a": 1, "b": 2}, True),
    (Subset({"a": 1}), {"b": 2}, False),
    (Subset({"a": Exact({"b": 1})}), {"a": {"b": 1, "c": 2}}, False),
    (Subset([1]), [2, 1], True),
    (Subset([1]), (2, 1), True),
    (Subset("b"), "abc", True),
    (Subset(b"b"), "abc", False),
    (Subset({"a": ANY, "b": re.compile("x")}), {"a": 1, "b": "axb", "c": 3}, True),
    (Exact({"a": 1}), {"a": 1}, True),
    (Exact({"a": 1}), {"a": 1, "b": 2}, False),
    (Exact({"a": Subset({"b": 1})}), {"a": {"b": 1, "c": 2}}, True),
    (Exact([1, long]), [1, "abcd"], True),
    (Exact([1, long]), [1, "abc"], False),
    (Exact(1), True, False),
    (Exact(None), None, True),
    ([Subset({"a": 1})], [{"a": 1, "b": 2}], True),
    ({"user": Subset({"a": 1})}, {"user": {"a": 1, "b": 2}}, True),
    ({"user": Subset({"a": 1})}, {"user": {"b": 2}}, False),
    (Subset({"a": 1}), Subset({"a": 1}), True),
    (Subset({"a": 1}), Subset({"a": 2}), False),
    (Subset({"a": 1}), Exact({"a": 1}), False),
]


@pytest.mark.parametrize(("expected", "actual", "is_equal"), EQUAL)
def test_equality(expected: object, actual: object, is_equal: bool) -> None:
    """`Exact` and `Subset` are values, equal to what they match, on whichever side they stand."""
    assert is_equal is (expected == actual)
    assert is_equal is (actual == expected)
    assert is_equal is not (expected != actual)


def test_equality_with_a_multidict() -> None:
    """What has an `==` of its own is not asked where it stands on the right."""
    headers = CIMultiDict({"X-Key": "k", "Host": "a.test"})

    assert Subset({"x-key": "k"}) == headers
    assert Subset({"x-key": "j"}) != headers


def test_no_hash() -> None:
    """What equals so many values has no hash."""
    with pytest.raises(TypeError, match="unhashable type: 'Subset'"):
        hash(Subset(1))


@pytest.mark.parametrize(
    ("left", "right", "lines"),
    [
        pytest.param(
            {"a": 1, "b": {"c": [1, 2]}},
            Exact({"a": 2, "b": {"c": [1, 3]}}),
            [
                "{'a': 1, 'b': {'c': [1, 2]}} == Exact({'a': 2, 'b': {'c': [1, 3]}})",
                "$.a        expected 2   actual 1",
                "$.b.c[1]   expected 3   actual 2",
            ],
            id="on the right",
        ),
        pytest.param(
            Subset({"a": 1}),
            {"b": 2},
            ["Subset({'a': 1}) == {'b': 2}", "$.a   expected 1   actual <missing>"],
            id="on the left",
        ),
        pytest.param(
            list(range(25)),
            Exact([]),
            [
                "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 1 ... 20, 21, 22, 23, 24] == Exact([])",
                *(f"$[{n}]{' ' * (n < 10)}   expected <missing>   actual {n}" for n in range(20)),
                "and 5 more differences",
            ],
            id="many",
        ),
        pytest.param(
            CIMultiDict({"a": "1"}),
            Subset({"A": "1"}),
            [
                "<CIMultiDict('a': '1')> == Subset({'A': '1'})",
                "nothing differs, but CIMultiDict has an == of its own; write Subset first",
            ],
            id="another ==",
        ),
        pytest.param({"a": 1}, {"a": 2}, None, id="neither"),
        pytest.param(Subset(1), Subset(2), None, id="both"),
    ],
)
def test_explain_comparison(left: object, right: object, lines: list[str] | None) -> None:
    """An assertion that failed shows where the two differ."""
    assert lines == explain_comparison(left, right)


def test_only_equality_is_explained() -> None:
    """pytest is told nothing of another comparison."""
    assert None is pytest_assertrepr_compare("!=", {"a": 1}, Subset({"a": 1}))
    assert pytest_assertrepr_compare("==", {"a": 1}, Subset({"a": 2})) is not None


@pytest.mark.parametrize("part", ["where", "json", "body"])
def test_async_predicates_are_refused(part: Any) -> None:
    """A coroutine is true whatever it would return, so an async predicate is a mistake."""

    async def predicate(value: object) -> bool:
        raise AssertionError

    options: dict[str, Any] = {part: predicate}
    with pytest.raises(UsageError, match=f"^{part}: <function .*> is async; a predicate is a plain function"):
        RequestPattern("POST", "/", **options)


def test_check_options() -> None:
    """An option that is unknown is named, with all there are, and the nearest if one is near."""
    check_options(["times"], ["times", "delay"], "a reply")

    with pytest.raises(UsageError) as near:
        check_options(["tmes"], ["times", "delay"], "a reply")
    with pytest.raises(UsageError) as far:
        check_options(["xyz"], ["times", "delay"], "a reply")

    assert "unknown option 'tmes' for a reply; options are: delay, times; did you mean 'times'?" == str(
        near.value
    )
    assert "unknown option 'xyz' for a reply; options are: delay, times" == str(far.value)


@pytest.mark.parametrize(
    ("option", "allowed", "hint"),
    [
        ("params", ["query"], "; did you mean 'query'?"),
        ("data", ["form", "body"], "; did you mean 'form' or 'body'?"),
        ("payload", ["json"], "; did you mean 'json'?"),
        ("payload", ["text"], ""),
    ],
)
def test_options_by_other_names(option: str, allowed: list[str], hint: str) -> None:
    """What aiohttp and others call an option is understood, where there is that option."""
    with pytest.raises(UsageError) as raised:
        check_options([option], allowed, "it")

    options = ", ".join(sorted(allowed))
    assert f"unknown option {option!r} for it; options are: {options}{hint}" == str(raised.value)


def test_missing_shows_as_missing() -> None:
    """What is not there is not mistaken for a text."""
    assert "<missing>" == repr(MISSING)
