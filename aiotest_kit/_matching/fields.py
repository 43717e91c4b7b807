"""What named values are expected to be: parameters, headers, cookies, form fields, parts.

Owns how a user may write them, and what several values of one name mean. Knows where in a request each kind
is read. Knows nothing of methods, of paths or of bodies without names. Catches only what a request's bad
bytes raise.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from aiohttp import FormData
from multidict import MultiDict

from .._http.multipart import Part
from .._messages.exceptions import UsageError
from .._messages.wording import one_line
from .._options import check_options
from .urls import parse_query
from .values import (
    MISSING,
    Exact,
    Mismatch,
    Pattern,
    Subset,
    check_expected,
    content_matches,
    is_predicate,
    left_over,
    unwrap,
    value_matches,
)

if TYPE_CHECKING:
    from multidict import MultiMapping

    from .._http.request import Request

__all__ = [
    "Fields",
    "FieldsPattern",
    "Pairs",
    "as_list",
    "body_as_sent",
    "fields_pattern",
    "is_whole",
    "pairs_of",
]

FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")
PART_KEYS = ("filename", "body", "content_type")

Pairs: TypeAlias = "Mapping[str, object] | Iterable[tuple[str, object]]"
Fields: TypeAlias = "Pairs | Callable[[MultiMapping[str]], object] | Exact | Subset"


@dataclass(frozen=True, slots=True)
class FieldsPattern(Pattern):
    """Named values: parameters, headers, cookies, form fields or parts.

    `expected` has for each name one value, of which the request must have one, or a list of all its
    values. Where the user gave a predicate or an object with its own `==`, it is that.
    """

    part: str
    expected: object
    exact: bool

    def differences(self, request: Request) -> Iterator[Mismatch]:
        actual = READERS[self.part](request)
        if actual is None:
            yield Mismatch(self.part, "", self.expected, body_as_sent(request))
        elif isinstance(self.expected, dict):
            yield from self.compare_names(self.expected, actual)
        elif not value_matches(self.expected, actual if is_predicate(self.expected) else plain_dict(actual)):
            yield Mismatch(self.part, "", self.expected, plain_dict(actual))

    def compare_names(self, expected: dict[str, object], actual: MultiMapping[object]) -> Iterator[Mismatch]:
        """The differences of the names expected, then what is beside them if that matters."""
        for name, value in expected.items():
            sent = actual.getall(name, [])
            if not self.values_match(value, sent):
                absent = isinstance(value, list) and not value
                yield Mismatch(self.part, name, MISSING if absent else value, as_sent(sent))
        if self.exact:
            known = {fold_name(self.part, name) for name in expected}
            for name in actual:
                if fold_name(self.part, name) not in known:
                    known.add(fold_name(self.part, name))
                    yield Mismatch(self.part, name, MISSING, as_sent(actual.getall(name)))

    def values_match(self, expected: object, sent: Sequence[object]) -> bool:
        """Whether the values sent under one name are those expected."""
        matches = part_matches if self.part == "multipart" else value_matches
        value, alone = unwrap(expected, self.exact)
        if not isinstance(value, list):
            return (len(sent) == 1 or not alone) and any(matches(value, item) for item in sent)
        # A list is all the values, even below a Subset of the names; only a Subset of its own turns it.
        if unwrap(expected, exact=True)[1]:
            return len(sent) == len(value) and all(map(matches, value, sent))
        return not left_over(value, sent, matches)


def fields_pattern(part: str, given: object, *, exact: bool = False) -> FieldsPattern:
    """The pattern of what a user gave for `query`, `headers`, `cookies`, `form` or `multipart`.

    Raises:
        UsageError: what is not a mapping or pairs of names and values, or can never match.
    """
    if isinstance(given, FormData):
        raise UsageError(f"{part}= is a mapping of names to values; a FormData cannot be compared")
    check_expected(part, given)
    value, exact = unwrap(given, exact)
    return FieldsPattern(part, value if is_whole(value) else named_values(part, pairs_of(part, value)), exact)


def is_whole(expected: object) -> bool:
    """Whether a user's value for some fields is compared with all of them at once."""
    if isinstance(expected, (int, float, re.Pattern, Iterable)) or expected is None:
        return False
    return is_predicate(expected) or type(expected).__eq__ is not object.__eq__


def pairs_of(part: str, value: object) -> list[tuple[str, object]]:
    """The names and values of a mapping, of pairs or, for `query`, of text such as `page=2&sort=up`."""
    if isinstance(value, str) and part == "query":
        return list(parse_query(value.removeprefix("?")))
    pairs = list(value.items() if isinstance(value, Mapping) else as_pairs(part, value))
    for name, _ in pairs:
        if not isinstance(name, str):
            raise UsageError(f"{part}: the name {name!r} is not a str")
    return pairs


def as_pairs(part: str, value: object) -> Iterator[tuple[str, object]]:
    """The pairs of an iterable of pairs."""
    items = list(value) if isinstance(value, Iterable) and not isinstance(value, (str, bytes)) else [value]
    for item in items:
        if not isinstance(item, (tuple, list)) or len(item) != 2:
            raise UsageError(
                f"{part}: {one_line(value)} is neither a mapping nor pairs of a name and a value"
            )
        yield item[0], item[1]


def named_values(part: str, pairs: Iterable[tuple[str, object]]) -> dict[str, object]:
    """The expected values by name; several of one name become a list."""
    spelling: dict[str, str] = {}
    values: dict[str, object] = {}
    for given, value in pairs:
        check_name(part, given)
        name = spelling.setdefault(fold_name(part, given), given)
        value = comparable(part, name, value)
        values[name] = [*as_list(values[name]), *as_list(value)] if name in values else value
    return values


HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # a token: RFC 9110, 5.6.2


def check_name(part: str, name: str) -> None:
    """Refuse a name that no request can have."""
    if part == "headers" and not HEADER_NAME.fullmatch(name):
        raise UsageError(f"headers: {name!r} is not a header name (RFC 9110, 5.1), and no request has it")
    if part == "cookies" and (re.search("[=;]", name) or name != name.strip()):
        raise UsageError(f"cookies: {name!r} is not a cookie name (RFC 6265, 4.1.1), and no request has it")


def check_text(part: str, name: str, value: str) -> None:
    """Refuse text that no value can be."""
    if part == "headers" and (re.search("[\r\n\0]", value) or value != value.strip(" \t")):
        raise UsageError(
            f"headers {name!r}: no header is {value!r}, with a line end in it or blanks around it"
        )


def as_list(value: object) -> list[object]:
    """A list as it is, anything else in a list."""
    return value if isinstance(value, list) else [value]


def fold_name(part: str, name: str) -> str:
    """A name as it is compared: headers in any case (RFC 9110, 5.1), others as they are."""
    return name.lower() if part == "headers" else name


def comparable(part: str, name: str, value: object) -> object:
    """An expected value in the form in which it is compared: numbers as text, files as mappings."""
    if isinstance(value, (Exact, Subset)):
        return type(value)(comparable(part, name, value.value))
    if part == "multipart" and isinstance(value, tuple):
        if len(value) not in (2, 3):
            raise UsageError(
                f"multipart {name!r}: a file is (filename, content) or (filename, content, content_type), "
                f"not {one_line(value)}"
            )
        return dict(zip(PART_KEYS, value, strict=False))
    if isinstance(value, (list, tuple)):
        return [comparable(part, name, item) for item in value]
    if isinstance(value, Mapping):
        if part != "multipart":
            raise UsageError(f"{part} {name!r}: {one_line(value)} is a mapping; a value is text")
        check_options(value, PART_KEYS, f"the part {name!r}")
        return dict(value)
    if isinstance(value, str):
        check_text(part, name, value)
    if isinstance(value, bool):
        spellings = f"{str(value).lower()!r}, {str(value)!r} or {str(int(value))!r}"
        raise UsageError(
            f"{part} {name!r}: {value} has several spellings; write {spellings}, or [] for 'absent'"
        )
    if value is None:
        raise UsageError(f"{part} {name!r}: None is no text; write [] for 'absent'")
    if isinstance(value, (bytes, bytearray)) and part != "multipart":
        remedy = "multipart= compares the content of files" if part == "form" else "write text"
        raise UsageError(f"{part} {name!r}: {one_line(value, 60)} is bytes, and text is sent; {remedy}")
    if isinstance(value, (int, float)):
        # Of an enum, too, the number is sent.
        return str(int(value) if isinstance(value, int) else float(value))
    return value


def part_matches(expected: object, actual: object) -> bool:
    """Whether a part of a multipart body is as expected: its content, or what a mapping says of it."""
    expected, _ = unwrap(expected, exact=True)
    assert isinstance(actual, Part)
    if isinstance(expected, dict):
        return all(
            content_matches(value, actual.body, actual.text)
            if key == "body"
            else value_matches(value, getattr(actual, key))
            for key, value in expected.items()
        )
    if isinstance(expected, (bytes, str, re.Pattern, Subset)):
        return content_matches(expected, actual.body, actual.text)
    return value_matches(expected, actual)


def form_fields(request: Request) -> MultiMapping[object] | None:
    """The fields of a form, none for an empty body; None for a body that is not a form."""
    if request.is_cut:
        return None
    if request.content_type not in FORM_TYPES:
        return None if request.body else MultiDict()
    try:
        return MultiDict(request.post())
    except (LookupError, ValueError):  # an unknown charset; malformed parts
        return None


def multipart_parts(request: Request) -> MultiMapping[object] | None:
    """The parts by name; None for a body that is not multipart."""
    if request.is_cut:
        return None
    try:
        return MultiDict((part.name or "", part) for part in request.multipart())
    except (LookupError, ValueError):
        return None


READERS: Final[Mapping[str, Callable[[Request], MultiMapping[object] | None]]] = {
    "query": lambda request: request.query,
    "headers": lambda request: request.headers,
    "cookies": lambda request: MultiDict(request.cookies),
    "form": form_fields,
    "multipart": multipart_parts,
}


class CutBody(NamedTuple):
    """A body of which only the beginning is there, for a report."""

    kept: int
    length: int

    def __repr__(self) -> str:
        return f"<{self.kept} of {self.length} bytes are kept>"


def body_as_sent(request: Request) -> object:
    """The body for a report: text where it is text, `MISSING` where it is empty, and that it was cut."""
    if request.is_cut:
        return CutBody(len(request.body), request.body_length)
    if not request.body:
        return MISSING
    try:
        return request.text()
    except (LookupError, ValueError):
        return request.body


def as_sent(values: Sequence[object]) -> object:
    """The values sent under one name for a report: one alone, several in a list."""
    return MISSING if not values else values[0] if len(values) == 1 else list(values)


def plain_dict(fields: MultiMapping[object]) -> dict[str, object]:
    """Fields as a dict, repeated ones as a list."""
    return {name: as_sent(fields.getall(name)) for name in fields}
