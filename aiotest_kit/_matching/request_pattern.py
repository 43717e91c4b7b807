"""What matches a request: `RequestPattern`, all that is asked of one, part by part.

Owns the options that a user gives, the patterns of the method, the body and `where`, and the order in which
parts are asked, cheapest first. Knows requests. Knows nothing of routes, replies or the order in which
routes are asked. Catches only what a request's bad bytes raise: an exception in a user's predicate or `==`
is that user's to see.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, TypedDict

from .._messages.exceptions import UsageError
from .._messages.masking import without_secrets
from .._messages.wording import join_names, one_line
from .._options import check_options
from .fields import Fields, FieldsPattern, Pairs, as_list, body_as_sent, fields_pattern, is_whole, pairs_of
from .urls import ANY_URL, UrlLike, UrlPattern, UrlRegex, url_pattern
from .values import (
    MISSING,
    Exact,
    Mismatch,
    Pattern,
    Subset,
    answer_of,
    check_expected,
    compare,
    content_matches,
    expects_text,
    unwrap,
)

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .._http.request import Request

__all__ = ["BODY_MAKERS", "MatchOptions", "RequestPattern", "method_pattern", "parsed_json"]

TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110, 5.6.2


class MatchOptions(TypedDict, total=False):
    """What a request may be asked to be, beside its method and URL.

    `query`, `headers` and `cookies` may have more than is named here; `json`, `form`, `multipart` and
    `body` may not. `Exact` and `Subset` turn either into the other, at any depth. A name's value stands
    for one of the values sent under it, a list for all of them in order, `[]` for a name that is absent.

    Any value may be a literal, a compiled regex that is searched for, a predicate that is called with the
    actual value, or an object with an `==` of its own such as `unittest.mock.ANY`.
    """

    query: str | Fields
    """Decoded parameters of the URL; numbers are compared as their text."""
    headers: Fields
    """Headers as sent on the wire, names in any case."""
    cookies: Fields
    json: object
    """The body parsed as JSON, whatever its content type. None is JSON's null."""
    form: Fields
    """The fields of a form in either encoding; a file's value is its `Part`."""
    multipart: Pairs | Exact | Subset
    """The parts by name: the content as text or bytes, or `(filename, content)`, or
    `(filename, content, content_type)`, or a mapping with some of `filename`, `body`, `content_type`; a
    predicate is called with the `Part`."""
    body: object
    """The body as bytes, or as text in its charset. A predicate is called with the bytes."""
    where: Callable[[Request], object]
    """A predicate on the whole request. Asked last, and only if all else matches."""


MATCH_OPTIONS = tuple(sorted(MatchOptions.__annotations__))


@dataclass(frozen=True, slots=True)
class MethodPattern(Pattern):
    """One of some methods; any, where none is named."""

    names: tuple[str, ...]

    def __str__(self) -> str:
        return "|".join(self.names) or "*"

    def matches(self, request: Request) -> bool:
        return not self.names or request.method in self.names

    def differences(self, request: Request) -> Iterator[Mismatch]:
        if not self.matches(request):
            yield Mismatch("method", "", str(self), request.method)


def method_pattern(method: str | Iterable[object] | None) -> MethodPattern:
    """The pattern of a method, of several, or of any (`*` or None).

    Raises:
        UsageError: a method that HTTP cannot send.
    """
    if method is None or method == "*":
        return MethodPattern(())
    if not isinstance(method, Iterable):
        raise UsageError(f"a method is a word such as 'GET', or several; got {method!r}")
    names: dict[str, None] = {}
    for name in [method] if isinstance(method, str) else method:
        if not isinstance(name, str) or not TOKEN.fullmatch(name):
            swapped = "; it comes before the URL" if isinstance(name, str) and "/" in name else ""
            raise UsageError(
                f"{name!r} is not a method; a method is a word such as 'GET' (RFC 9110, 5.6.2){swapped}"
            )
        names[name.upper()] = None
    if not names:
        raise UsageError("no method given; write '*' for any")
    return MethodPattern(() if "*" in names else tuple(names))


@dataclass(frozen=True, slots=True)
class JsonPattern(Pattern):
    """The body, parsed as JSON."""

    expected: object

    def differences(self, request: Request) -> Iterator[Mismatch]:
        actual = parsed_json(request)
        if actual is MISSING:
            yield Mismatch("json", "$", self.expected, body_as_sent(request))
        else:
            yield from compare("json", "$", self.expected, actual, exact=True)


def json_pattern(expected: object) -> JsonPattern:
    """The pattern of a JSON body; see `check_expected` for what is refused."""
    check_expected("json", expected)
    return JsonPattern(expected)


def parsed_json(request: Request) -> object:
    """The body parsed as JSON, once for all routes that ask; `MISSING` if it is none."""
    return request.json_or(MISSING)


@dataclass(frozen=True, slots=True)
class BodyPattern(Pattern):
    """The body, as bytes or as text."""

    expected: object

    def differences(self, request: Request) -> Iterator[Mismatch]:
        if request.is_cut or not content_matches(self.expected, request.body, request.text):
            as_text = expects_text(unwrap(self.expected, exact=True)[0])
            shown = body_as_sent(request) if as_text or request.is_cut else request.body
            yield Mismatch("body", "", self.expected, shown)


def body_pattern(expected: object) -> BodyPattern:
    """The pattern of a body.

    Raises:
        UsageError: a body that is neither bytes nor text, such as a dict.
    """
    check_expected("body", expected)
    value, _ = unwrap(expected, exact=True)
    if isinstance(value, (Mapping, list, tuple, int, float)):
        raise UsageError(f"body={one_line(value)}: a body is bytes or str; for JSON write json=")
    return BodyPattern(expected)


@dataclass(frozen=True, slots=True)
class WherePattern(Pattern):
    """A predicate on the request, which sees the captures of the URL in `match_info`."""

    predicate: Callable[[Request], object]
    url: UrlPattern | UrlRegex

    def differences(self, request: Request) -> Iterator[Mismatch]:
        before = request.match_info
        request.capture(self.url.captures(request))
        try:
            answer = answer_of(self.predicate, request)
        finally:
            # Another route may be the one that answers.
            request.capture(before)
        if not answer:
            yield Mismatch("where", "", self.predicate, answer)


def where_pattern(predicate: object, url: UrlPattern | UrlRegex) -> WherePattern:
    """The pattern of a predicate on the whole request.

    Raises:
        UsageError: what cannot be called, or is async.
    """
    check_expected("where", predicate)
    if not callable(predicate):
        raise UsageError(f"where={one_line(predicate)}: a predicate is a function of the request")
    return WherePattern(predicate, url)


HEAD_MAKERS: Final[Mapping[str, Callable[[object], Pattern]]] = {
    "headers": partial(fields_pattern, "headers"),
    "cookies": partial(fields_pattern, "cookies"),
}
BODY_MAKERS: Final[Mapping[str, Callable[[object], Pattern]]] = {
    "body": body_pattern,
    "json": json_pattern,
    "form": partial(fields_pattern, "form", exact=True),
    "multipart": partial(fields_pattern, "multipart", exact=True),
}


def made(makers: Mapping[str, Callable[[object], Pattern]], given: Mapping[str, object]) -> Iterator[Pattern]:
    """The patterns of the options that were given."""
    return (make(given[name]) for name, make in makers.items() if name in given)


OF_A_REPLY = frozenset({"status", "text", "html", "payload", "reason", "delay", "exception", "callback"})
"""Options by which other libraries say at once what a route answers."""


def check_match_options(options: Iterable[str]) -> None:
    """Refuse an option that a route does not have; what it answers is said of it later."""
    given = list(options)
    answers = [name for name in given if name in OF_A_REPLY]
    if answers:
        raise UsageError(
            f"{join_names(f'{name}=' for name in answers)}: what a route answers is said by its reply, "
            "as in router.get(url).reply(200, json={...})"
        )
    check_options(given, MATCH_OPTIONS, "a route")


class RequestPattern:
    """All that a route, or a question to the log of calls, asks of a request.

    `method` is one, several, or None for any; `url` is what `url_pattern` takes. The options are those of
    `MatchOptions`; None is the same as leaving one out, except for `json`. The query of a URL is the same
    as the option `query`.

    `parts` are the patterns of its parts, cheapest first: the method, the URL, then whatever was given.
    `methods` are upper case, none for any; `query_pairs` are parameters that each request that matches has.
    `options` are those that were given, `option_names` their names. `needs_body` says that the head of a
    request does not tell whether it matches: a body is asked for, or `where`, which may look at it.

    Raises:
        UsageError: what can never match, and options that are unknown or exclude each other.
    """

    __slots__ = (
        "_checks",
        "_head_checks",
        "_method",
        "methods",
        "needs_body",
        "option_names",
        "options",
        "parts",
        "query_pairs",
        "url",
    )

    def __init__(
        self,
        method: str | Iterable[str] | None = None,
        url: UrlLike | UrlPattern | None = None,
        **options: Unpack[MatchOptions],
    ) -> None:
        check_match_options(options)
        given = {name: value for name, value in options.items() if value is not None or name == "json"}
        bodies = [name for name in BODY_MAKERS if name in given]
        if len(bodies) > 1:
            raise UsageError(f"a request has one body; give only one of: {join_names(bodies)}")
        self._method = method_pattern(method)
        self.options: dict[str, object] = given
        self.option_names: tuple[str, ...] = tuple(given)
        self.url: UrlPattern | UrlRegex
        self.url, url_query = url_pattern(url)
        queries = query_patterns(url_query, given.get("query"))
        head = (self._method, self.url, *queries, *made(HEAD_MAKERS, given))
        where = (where_pattern(given["where"], self.url),) if "where" in given else ()
        self.needs_body: bool = bool(bodies) or "where" in given
        self.parts: tuple[Pattern, ...] = (*head, *made(BODY_MAKERS, given), *where)
        self.methods: tuple[str, ...] = self._method.names
        self.query_pairs: tuple[tuple[str, str], ...] = tuple(
            pair for query in queries for pair in literal_pairs(query.expected)
        )
        self._checks = tuple(part.matches for part in self.parts)
        self._head_checks = self._checks[: len(head)]

    def __str__(self) -> str:
        if not self.methods and self.url is ANY_URL:
            return "any request"
        return without_secrets(f"{self._method} {self.url.text}")

    def __repr__(self) -> str:
        return f"<RequestPattern {self.describe()}>"

    def matches(self, request: Request) -> bool:
        """Whether there are no differences, stopping at the first."""
        for check in self._checks:  # noqa: SIM110  # half the time of all(), and every call pays it
            if not check(request):
                return False
        return True

    def matches_line(self, request: Request) -> bool:
        """Whether the method and the URL are as expected."""
        return self._method.matches(request) and self.url.matches(request)

    def matches_head(self, request: Request) -> bool:
        """Whether all that comes before the body is as expected; neither the body nor `where` is asked."""
        return all(check(request) for check in self._head_checks)

    def differences(self, request: Request) -> Iterator[Mismatch]:
        """Each way in which the request is not as expected.

        `where` is asked only if all else matches, so that it may rely on the rest.
        """
        differ = False
        for part in self.parts:
            if differ and isinstance(part, WherePattern):
                return
            for mismatch in part.differences(request):
                differ = True
                yield mismatch

    def captures(self, request: Request) -> Mapping[str, str]:
        """What the URL captures of a request that matches, unquoted."""
        return self.url.captures(request)

    def describe(self) -> str:
        """The method and URL, and what else is asked: `GET /users with query {'page': '2'}`."""
        options = [f"{name} {one_line(value, 60, name)}" for name, value in self.options.items()]
        return f"{self} with {join_names(options)}" if options else str(self)


def query_patterns(url_query: list[tuple[str, str]], option: object) -> list[FieldsPattern]:
    """The patterns of a URL's own query and of the option `query`, in one where they can be."""
    if option is None:
        return [fields_pattern("query", url_query)] if url_query else []
    check_expected("query", option)
    value, exact = unwrap(option, exact=False)
    if is_whole(value):
        return [*query_patterns(url_query, None), fields_pattern("query", value)]
    pairs = pairs_of("query", value)
    twice = sorted({name for name, _ in url_query} & {name for name, _ in pairs})
    if twice:
        raise UsageError(f"the URL and query= both name {twice[0]!r}; give it in one of them")
    return [fields_pattern("query", [*url_query, *pairs], exact=exact)]


def literal_pairs(expected: object) -> Iterator[tuple[str, str]]:
    """The names and values that each request matching `expected` has, as far as they are plain text."""
    if isinstance(expected, dict):
        for name, value in expected.items():
            for item in as_list(value):
                if type(item) is str:
                    yield name, item
