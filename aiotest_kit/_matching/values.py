"""What a value is expected to be, and how an actual one differs.

A match *is* "no differences", and the differences are the diagnosis: every pattern yields a `Mismatch`
for each part of a request that is not as expected, and `matches` is defined from that. Owns what a user
may expect of any value (a literal, a regex, a predicate, `Exact`, `Subset`) and what of that is refused at
set-up.

Knows JSON values and text. Knows nothing of where in a request they stand. Catches only what a request's
bad bytes raise: an exception in a user's predicate or `==` is that user's to see.
"""

from __future__ import annotations

import inspect
import re
import types
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time, timedelta
from functools import partial
from math import isnan
from typing import TYPE_CHECKING, Any, Final, TypeGuard, TypeVar
from uuid import UUID

from .._functions import check_arguments
from .._messages.exceptions import UsageError
from .._messages.masking import Around, current
from .._messages.wording import one_line

if TYPE_CHECKING:
    from .._http.request import Request

__all__ = [
    "MISSING",
    "Exact",
    "Matcher",
    "Mismatch",
    "Pattern",
    "Subset",
    "answer_of",
    "check_expected",
    "compare",
    "content_matches",
    "expects_text",
    "is_predicate",
    "left_over",
    "unwrap",
    "value_matches",
]


NAMED_PARTS = ("headers", "query", "cookies", "form", "multipart")
LAST_KEY = r"""(?:\.(\w+)|\[(?:'|")(.*)(?:'|")\])(?:\[[\d*]+\])*$"""


class Missing:
    """The type of `MISSING`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<missing>"


MISSING: Final = Missing()
"""What is not there: the `actual` of a `Mismatch` that lacks it, the `expected` of one that has too much."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One part of a request that is not as expected.

    `part` is `method`, `url`, `query`, `headers`, `cookies`, `json`, `form`, `multipart`, `body` or
    `where`. `path` says where in it: `origin` or `path` of a URL, the name of a parameter, header, cookie
    or field, `$.items[0].email` in JSON; empty for the whole part.
    """

    part: str
    path: str
    expected: object
    actual: object

    def __repr__(self) -> str:
        secrets, name, part = current(), self.name, self.part
        expected, actual = (secrets.masked(each, name, part) for each in (self.expected, self.actual))
        values = f"{part!r}, path={self.path!r}, expected={expected!r}, actual={actual!r}"
        return secrets.mask(f"Mismatch(part={values})")

    @property
    def name(self) -> str:
        """The name of a header, parameter or field, or the last key of a JSON path; empty without one."""
        if self.part in NAMED_PARTS:
            return self.path
        key = re.search(LAST_KEY, self.path)
        return (key[1] or key[2]) if key else ""


class Matcher(Around):
    """A value that equals what it matches, as JSON: `response == Subset({"id": 7})`."""

    __slots__ = ()

    value: object

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.value!r})"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Matcher):
            return type(self) is type(other) and bool(self.value == other.value)
        return next(compare("", "$", self, other, exact=True), None) is None


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Exact(Matcher):
    """`value` and nothing else, from here down to the next `Subset`.

    Of JSON: no other keys, and all items of a list in their order. Of `query`, `cookies` and `form`: no
    other names. Of `headers`: no other header at all, so `Host` and `Accept` are to be named too. Of one
    name: this value alone.

    It is equal to a value that is so: `assert request.json() == Exact({"id": ANY})`.
    """

    value: object

    def around(self, change: Callable[[object], object], /) -> Exact:
        """One around what a function makes of the value; for reports."""
        return Exact(change(self.value))


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Subset(Matcher):
    """At least `value`, from here down to the next `Exact`.

    Of a mapping: other keys may be there. Of a list: each item matches an item of its own, in any order,
    and there may be others. Of text and bytes directly inside: it is contained.

    It is equal to a value that has so much: `assert request.json() == Subset({"id": 7})`.
    """

    value: object

    def around(self, change: Callable[[object], object], /) -> Subset:
        """One around what a function makes of the value; for reports."""
        return Subset(change(self.value))


class Pattern(ABC):
    """What one part of a request must be."""

    __slots__ = ()

    @abstractmethod
    def differences(self, request: Request) -> Iterator[Mismatch]:
        """Each way in which the request is not as expected."""

    def matches(self, request: Request) -> bool:
        """Whether there are no differences."""
        return next(self.differences(request), None) is None


PLAIN_CALLABLES = (
    types.FunctionType,
    types.MethodType,
    types.BuiltinFunctionType,
    types.MethodWrapperType,
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
    partial,
)


def is_predicate(expected: object) -> TypeGuard[Callable[[object], object]]:
    """Whether an expected value is to be called, rather than compared.

    A callable object with an `==` of its own (`mock.call`, dirty-equals) means that `==`.
    """
    if isinstance(expected, PLAIN_CALLABLES):
        return True
    own_equality = type(expected).__eq__ is not object.__eq__
    return callable(expected) and not own_equality and not isinstance(expected, type)


def answer_of(predicate: Callable[[Any], object], value: object) -> object:
    """What a predicate says of a value.

    Raises:
        UsageError: it is async, which was not seen before.
    """
    answer = predicate(value)
    if answer is not True and answer is not False and inspect.isawaitable(answer):
        if inspect.iscoroutine(answer):
            answer.close()
        raise UsageError(is_async(predicate))
    return answer


def is_async(predicate: object) -> str:
    """That a predicate is async, for a message."""
    return f"{one_line(predicate)} is async; a predicate is a plain function"


def value_matches(expected: object, actual: object) -> bool:
    """Whether one value is as expected; lists and mappings are compared as any other object.

    A regex is searched for; anchor it with `^` and `$`. Other objects are compared `expected == actual`,
    in this order. True is not 1, as in JSON; 1 is 1.0.
    """
    if isinstance(expected, re.Pattern):
        kind = type(expected.pattern)
        return isinstance(actual, kind) and expected.search(actual) is not None
    if isinstance(expected, Subset):
        return contains(actual, expected.value)
    if is_predicate(expected):
        return bool(answer_of(expected, actual))
    if isinstance(expected, bool) or isinstance(actual, bool):
        numbers = isinstance(expected, (int, float)) and isinstance(actual, (int, float))
        return expected is actual if numbers else bool(expected == actual)
    return bool(expected == actual)


def contains(actual: object, text: object) -> bool:
    """Whether text is in text, or bytes in bytes."""
    if isinstance(actual, str) and isinstance(text, str):
        return text in actual
    return isinstance(actual, bytes) and isinstance(text, bytes) and text in actual


def content_matches(expected: object, body: bytes, text: Callable[[], str]) -> bool:
    """Whether some content is as expected; it is decoded only if text is."""
    expected, _ = unwrap(expected, exact=True)
    if not expects_text(expected):
        return value_matches(expected, body)
    try:
        actual = text()
    except (LookupError, ValueError):  # a charset that Python does not have; bytes that are not in it
        return False
    return value_matches(expected, actual)


def expects_text(expected: object) -> bool:
    """Whether content is compared as text, and not as bytes."""
    if isinstance(expected, Subset):
        expected = expected.value
    return isinstance(expected.pattern if isinstance(expected, re.Pattern) else expected, str)


def unwrap(expected: object, exact: bool) -> tuple[object, bool]:
    """What stands inside `Exact` and `Subset`, and whether it is meant exactly.

    A `Subset` of text or bytes is a value of its own, and stays.
    """
    while isinstance(expected, (Exact, Subset)):
        if isinstance(expected, Subset) and isinstance(expected.value, (str, bytes)):
            break
        exact = isinstance(expected, Exact)
        expected = expected.value
    return expected, exact


def compare(part: str, path: str, expected: object, actual: object, exact: bool) -> Iterator[Mismatch]:
    """The differences between an expected and an actual JSON value, depth first."""
    expected, exact = unwrap(expected, exact)
    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        yield from compare_objects(part, path, expected, actual, exact)
    elif isinstance(expected, (list, tuple)) and isinstance(actual, (list, tuple)):
        if exact:
            yield from compare_items(part, path, expected, actual)
        else:

            def matches(item: object, got: object) -> bool:
                return not any(compare(part, path, item, got, exact=False))

            for item in left_over(expected, actual, matches):
                yield Mismatch(part, f"{path}[*]", item, actual)
    elif not value_matches(expected, actual):
        yield Mismatch(part, path, expected, actual)


def compare_objects(
    part: str, path: str, expected: Mapping[object, object], actual: Mapping[object, object], exact: bool
) -> Iterator[Mismatch]:
    """The differences of two JSON objects, key by key, in the order expected and then in the order sent."""
    for key, value in expected.items():
        where = step(path, key)
        if key in actual:
            yield from compare(part, where, value, actual[key], exact)
        else:
            yield Mismatch(part, where, value, MISSING)
    if exact:
        for key in actual:
            if key not in expected:
                yield Mismatch(part, step(path, key), MISSING, actual[key])


def compare_items(
    part: str, path: str, expected: Sequence[object], actual: Sequence[object]
) -> Iterator[Mismatch]:
    """The differences of two JSON arrays, item by item."""
    for index, (wanted, got) in enumerate(zip(expected, actual, strict=False)):
        yield from compare(part, f"{path}[{index}]", wanted, got, True)
    for index in range(len(actual), len(expected)):
        yield Mismatch(part, f"{path}[{index}]", expected[index], MISSING)
    for index in range(len(expected), len(actual)):
        yield Mismatch(part, f"{path}[{index}]", MISSING, actual[index])


def step(path: str, key: object) -> str:
    """The path of a key below `path`: `$.name`, or `$['a name']` where it needs the quotes."""
    return f"{path}.{key}" if isinstance(key, str) and key.isidentifier() else f"{path}[{key!r}]"


ExpectedT = TypeVar("ExpectedT")
ActualT = TypeVar("ActualT")


def left_over(
    expected: Sequence[ExpectedT], actual: Sequence[ActualT], matches: Callable[[ExpectedT, ActualT], bool]
) -> list[ExpectedT]:
    """The expected items for which no actual item of their own is left.

    A greedy choice would let `ANY` take the one item that a literal needs, so pairs are rearranged along
    augmenting paths (a maximum bipartite matching).
    """
    owner: dict[int, int] = {}
    fits = [[i for i, got in enumerate(actual) if matches(wanted, got)] for wanted in expected]

    def place(wanted: int, tried: set[int]) -> bool:
        for candidate in fits[wanted]:
            if candidate not in tried:
                tried.add(candidate)
                if candidate not in owner or place(owner[candidate], tried):
                    owner[candidate] = wanted
                    return True
        return False

    return [item for index, item in enumerate(expected) if not place(index, set())]


def check_expected(part: str, expected: object) -> None:
    """Refuse, at set-up, an expected value that can never match.

    Raises:
        UsageError: a class, an async predicate or one that takes no argument, a bytes regex for text, a JSON
            key that is no string, and what no value of a request is equal to.
    """
    if isinstance(expected, (Exact, Subset)):
        check_expected(part, expected.value)
    elif isinstance(expected, Mapping):
        for key, value in expected.items():
            if part in JSON_PARTS and not isinstance(key, str):
                raise UsageError(f"{part}: the key {key!r} is not a string, and JSON has no others")
            check_expected(part, value)
    elif isinstance(expected, (list, tuple)):
        for item in expected:
            check_expected(part, item)
    elif isinstance(expected, type) and type(expected).__eq__ is type.__eq__:
        name = expected.__name__
        raise UsageError(
            f"{part}: {name} is a class; for any {name} write lambda value: isinstance(value, {name})"
        )
    elif inspect.iscoroutinefunction(expected) or inspect.iscoroutinefunction(
        getattr(expected, "__call__", None)  # noqa: B004 - whether it is async, not whether it is there
    ):
        raise UsageError(f"{part}: {is_async(expected)}")
    elif is_predicate(expected):
        check_arguments(expected, f"{part}:", "the request" if part == "where" else "the value")
    elif is_bytes_regex(expected) and part not in ("body", "multipart"):
        raise UsageError(f"{part}: {expected!r} searches bytes; write it as a str")
    elif isinstance(expected, NEVER_IN_JSON) and part in JSON_PARTS:
        kind = type(expected).__name__
        raise UsageError(f"{part}: {one_line(expected, 60)} is never equal to JSON, which has no {kind}")
    elif isinstance(expected, float) and isnan(expected):
        raise UsageError(f"{part}: nan is equal to nothing; write a predicate such as math.isnan")
    elif type(expected).__eq__ is object.__eq__ and not isinstance(expected, (type(None), re.Pattern)):
        raise UsageError(
            f"{part}: {one_line(expected, 60)} is equal to nothing but itself; write a value, "
            "a predicate, or unittest.mock.ANY"
        )


JSON_PARTS = ("json", "expect_json")
NEVER_IN_JSON = (
    *(bytes, bytearray, memoryview, set, frozenset, complex, range),
    *(date, time, timedelta, UUID),
)


def is_bytes_regex(expected: object) -> bool:
    """Whether it is a compiled regex that searches bytes."""
    return isinstance(expected, re.Pattern) and isinstance(expected.pattern, bytes)
