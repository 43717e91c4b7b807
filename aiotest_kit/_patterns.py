"""What matches a request.

A match *is* "no differences", and the differences are the diagnosis: every pattern yields a `Mismatch`
for each part of a request that is not as expected, and `matches` is defined from that. Four layers, each
using those above it: expected values (`compare`), URLs (`url_pattern`), named values such as headers
(`fields_pattern`), whole requests (`RequestPattern`).

Knows requests. Knows nothing of routes, replies or the order in which routes are asked. Catches only what
a request's bad bytes raise: an exception in a user's predicate or `==` is that user's to see.
"""

from __future__ import annotations

import difflib
import inspect
import re
import types
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Final, TypeAlias, TypedDict, TypeGuard
from urllib.parse import unquote

from multidict import MultiDict
from yarl import URL

from ._errors import UsageError, join_names, one_line
from ._messages import DEFAULT_PORTS, NO_MATCH_INFO, UNREAD, Part, Request

if TYPE_CHECKING:
    from multidict import MultiMapping
    from typing_extensions import Unpack

    from ._messages import Origin

__all__ = ["MISSING", "Exact", "MatchOptions", "Mismatch", "RequestPattern", "Subset"]


# ---- expected values ----


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


@dataclass(frozen=True, slots=True, repr=False)
class Exact:
    """`value` and nothing else, from here down to the next `Subset`.

    Of JSON: no other keys, and all items of a list in their order. Of `query`, `cookies` and `form`: no
    other names. Of `headers`: no other header at all, so `Host` and `Accept` are to be named too. Of one
    name: this value alone.
    """

    value: object

    def __repr__(self) -> str:
        return f"Exact({self.value!r})"


@dataclass(frozen=True, slots=True, repr=False)
class Subset:
    """At least `value`, from here down to the next `Exact`.

    Of a mapping: other keys may be there. Of a list: each item matches an item of its own, in any order,
    and there may be others. Of text and bytes directly inside: it is contained.
    """

    value: object

    def __repr__(self) -> str:
        return f"Subset({self.value!r})"


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
        return bool(expected(actual))
    if isinstance(expected, bool) or isinstance(actual, bool):
        numbers = isinstance(expected, (int, float)) and isinstance(actual, (int, float))
        return expected is actual if numbers else bool(expected == actual)
    return bool(expected == actual)


def contains(actual: object, text: object) -> bool:
    """Whether text is in text, or bytes in bytes."""
    if isinstance(actual, str) and isinstance(text, str):
        return text in actual
    return isinstance(actual, bytes) and isinstance(text, bytes) and text in actual


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
    if isinstance(expected, Mapping) and isinstance(actual, dict):
        yield from compare_objects(part, path, expected, actual, exact)
    elif isinstance(expected, (list, tuple)) and isinstance(actual, list):
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


def left_over(
    expected: Sequence[object], actual: Sequence[object], matches: Callable[[object, object], bool]
) -> list[object]:
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
        UsageError: a class, an async predicate, a bytes regex for text, a JSON key that is no string.
    """
    if isinstance(expected, (Exact, Subset)):
        check_expected(part, expected.value)
    elif isinstance(expected, Mapping):
        for key, value in expected.items():
            if part == "json" and not isinstance(key, str):
                raise UsageError(f"json: the key {key!r} is not a string, and JSON has no others")
            check_expected(part, value)
    elif isinstance(expected, (list, tuple)):
        for item in expected:
            check_expected(part, item)
    elif isinstance(expected, type) and type(expected).__eq__ is type.__eq__:
        name = expected.__name__
        raise UsageError(
            f"{part}: {name} is a class; for any {name} write lambda value: isinstance(value, {name})"
        )
    elif inspect.iscoroutinefunction(expected):
        raise UsageError(f"{part}: {one_line(expected)} is async; a predicate is a plain function")
    elif is_bytes_regex(expected) and part not in ("body", "multipart"):
        raise UsageError(f"{part}: {expected!r} searches bytes; write it as a str")


def is_bytes_regex(expected: object) -> bool:
    """Whether it is a compiled regex that searches bytes."""
    return isinstance(expected, re.Pattern) and isinstance(expected.pattern, bytes)


def check_options(options: Iterable[str], allowed: Iterable[str], where: str) -> None:
    """Refuse an option that is not allowed; `where` is what has the options, such as `a route`.

    Raises:
        UsageError: with the options there are, and the one that was probably meant.
    """
    names = sorted(allowed)
    for option in options:
        if option not in names:
            close = difflib.get_close_matches(option, names, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise UsageError(f"unknown option {option!r} for {where}; options are: {join_names(names)}{hint}")


# ---- URLs ----


UrlLike: TypeAlias = "str | URL | re.Pattern[str]"

SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}

NO_PORT = -1

ABSOLUTE = re.compile(r"([^:/?#{}]*)://([^/?#]*)(.*)", re.DOTALL)

AUTHORITY = re.compile(r"(?P<host>\[[^\[\]]+\]|[^:\[\]]+)(?::(?P<port>\d+|\*))?")

# As in aiohttp.web_urldispatcher, so a template means here what it means in an application.
PLACEHOLDER = re.compile(r"(\{[_a-zA-Z][^{}]*(?:\{[^{}]*\}[^{}]*)*\})")

NAMED = re.compile(r"\{([_a-zA-Z][_a-zA-Z0-9]*)(?::(.+))?\}", re.DOTALL)

DEFAULT_REGEX = "[^{}/]+"

# A regex that surely matches no slash: it has no `.` and no `\W`, and of character classes only plain ones.
WITHIN_SEGMENT = re.compile(
    r"""(?: [^/.\\\[\]]                                # a literal, a group, a quantifier, an alternative
        | \\[bdsw.+*?-]                               # an escape that stands for no slash
        | \[ (?: \w-\w | [\w.,:;@+*~] | \\[dw.-] )+ -? \]   # a class with ranges of letters or digits
        | \[\^ [^\]\\-]* / [^\]\\-]* \]                   # all but a slash
    )+""",
    re.ASCII | re.VERBOSE,
)


def path_of(request: Request) -> str:
    """The path of a request, decoded except for `%2F` and `%25`: two spellings of a path are one here."""
    path = request.target.partition("?")[0]
    return request.url.path_safe if "%" in path else path


@dataclass(frozen=True, slots=True)
class OriginPattern:
    """Where a request goes: the schemes it may use, each with its port, and the host.

    `ports` has the port of each scheme allowed, None for any port. `wildcard` is the regex of a host with
    a `*`, which stands for one or more characters, dots included.
    """

    text: str
    ports: Mapping[str, int | None]
    host: str
    wildcard: re.Pattern[str] | None

    def matches(self, origin: Origin) -> bool:
        """Whether a connection's origin is this one."""
        port = self.ports.get(origin.scheme, NO_PORT)
        return (port is None or port == origin.port) and self.matches_host(origin.host)

    def matches_host(self, host: str) -> bool:
        """Whether a host is this one, whatever the scheme and the port."""
        return host == self.host if self.wildcard is None else self.wildcard.fullmatch(host) is not None

    @property
    def places(self) -> tuple[tuple[str, int], ...]:
        """Each host and port that it may be, none where that cannot be listed."""
        if self.wildcard is not None:
            return ()
        ports = dict.fromkeys(self.ports.values())
        return () if None in ports else tuple((self.host, port) for port in ports if port is not None)


@dataclass(frozen=True)
class PathPattern:
    """A path: literal, or a template.

    `literal` is the path as `path_of` gives it, None for a template, of which `source` is a regex for the
    same form. `segments` are what stands between the slashes, None for one that varies; `is_open` if
    anything, also further slashes, may follow them.
    """

    text: str
    literal: str | None
    source: str
    segments: tuple[str | None, ...]
    is_open: bool = False

    @cached_property
    def regex(self) -> re.Pattern[str]:
        """The regex of a template, compiled when it is first needed: few of ten thousand routes are."""
        return re.compile(self.source)

    def matches(self, path: str) -> bool:
        """Whether a path, as `path_of` gives it, is this one."""
        return path == self.literal if self.literal is not None else self.regex.fullmatch(path) is not None

    def captures(self, path: str) -> Mapping[str, str]:
        """What the placeholders stand for, unquoted as aiohttp does it."""
        if self.literal is not None:
            return NO_MATCH_INFO
        # All but these two escapes is decoded already.
        return named_groups(
            self.regex.fullmatch(path), lambda text: text.replace("%2F", "/").replace("%25", "%")
        )


@dataclass(frozen=True, slots=True)
class UrlPattern(Pattern):
    """An origin, None for any, and a path, None for any."""

    text: str
    origin: OriginPattern | None
    path: PathPattern | None

    def matches(self, request: Request) -> bool:
        return (self.path is None or self.path.matches(path_of(request))) and (
            self.origin is None or self.origin.matches(request.origin)
        )

    def differences(self, request: Request) -> Iterator[Mismatch]:
        if self.origin and not self.origin.matches(request.origin):
            yield Mismatch("url", "origin", self.origin.text, str(request.origin))
        if self.path and not self.path.matches(path_of(request)):
            yield Mismatch("url", "path", self.path.text, request.raw_path)

    def captures(self, request: Request) -> Mapping[str, str]:
        """What the placeholders of the path stand for in a request that matches."""
        path = self.path
        return path.captures(path_of(request)) if path and path.literal is None else NO_MATCH_INFO


@dataclass(frozen=True, slots=True)
class UrlRegex(Pattern):
    """A regex that matches from the start of the whole URL, as it was on the wire, query included."""

    regex: re.Pattern[str]
    origin: None = None
    path: None = None

    @property
    def text(self) -> str:
        """The regex as one writes it."""
        return repr(self.regex)

    def differences(self, request: Request) -> Iterator[Mismatch]:
        if self.regex.match(str(request.url)) is None:
            yield Mismatch("url", "", self.regex, str(request.url))

    def captures(self, request: Request) -> Mapping[str, str]:
        """The named groups, percent-decoded."""
        match = self.regex.match(str(request.url)) if self.regex.groupindex else None
        return named_groups(match, unquote)


ANY_URL = UrlPattern("*", None, None)


def named_groups(match: re.Match[str] | None, decode: Callable[[str], str]) -> Mapping[str, str]:
    """The named groups that took part in a match, decoded."""
    if match is None:
        return NO_MATCH_INFO
    return {name: decode(value) for name, value in match.groupdict().items() if value is not None}


def url_pattern(url: UrlLike | None) -> tuple[UrlPattern | UrlRegex, list[tuple[str, str]]]:
    """The pattern of a route's URL, and the query parameters that it names.

    Text may be a template, and have `*` for the scheme, for (a part of) the host and for the port. A
    `URL` is literal: a brace in it is a brace. None is any URL.

    Raises:
        UsageError: what no request can have, or what is not a URL.
    """
    if url is None:
        return ANY_URL, []
    if isinstance(url, re.Pattern):
        if isinstance(url.pattern, bytes):
            raise UsageError(f"the URL {url!r} is a bytes pattern; write it as a str")
        return UrlRegex(url), []
    if not isinstance(url, (str, URL)):
        raise UsageError(f"a URL is a str, a yarl.URL or a compiled regex, not {one_line(url)}")
    text = url_text(url)
    origin_text, path_text, query = split_url(text)
    for _, value in query:
        if isinstance(url, str) and (found := NAMED.fullmatch(value)):
            raise UsageError(
                f"{url!r}: a template ends at the '?'; for any value write query={{'{found[1]}': ANY}}"
            )
    origin = parse_origin(text, *origin_text) if origin_text else None
    return UrlPattern(text, origin, parse_template(text, path_text)), query


def url_text(url: str | URL) -> str:
    """A URL as a template; a brace in a `URL` is a brace, and yarl has encoded it unless told not to."""
    return url if isinstance(url, str) else str(url).replace("{", "%7B").replace("}", "%7D")


def join_prefix(prefix: str, url: str | URL) -> str:
    """The URL of a route under a prefix such as `https://api.test/v1`; itself where there is none.

    Raises:
        UsageError: the prefix has a query, or the URL an origin of its own.
    """
    below = url_text(url)
    if not prefix:
        return below
    if "?" in PLACEHOLDER.sub("", prefix):
        raise UsageError(f"the prefix {prefix!r} has a query; give it to the routes, as query=")
    if below and below[0] not in "/?":
        raise UsageError(f"{below!r}: a URL under the prefix {prefix!r} is a path, such as '/users'")
    return (prefix.rstrip("/") if below.startswith("/") else prefix) + below


def split_url(text: str) -> tuple[tuple[str, str] | None, str, list[tuple[str, str]]]:
    """A URL's scheme and authority, None where it has none; its path; its query parameters."""
    absolute = None if text.startswith("/") else ABSOLUTE.fullmatch(text)
    if absolute is None and not text.startswith("/"):
        raise UsageError(
            f"{text!r}: a URL starts with a scheme, {'https://' + text!r}, or is a path, {'/' + text!r}"
        )
    rest = absolute[3] if absolute else text
    # A `?` or `#` inside a placeholder belongs to its regex.
    masked = PLACEHOLDER.sub(lambda found: "x" * len(found[0]), rest)
    if "#" in masked:
        raise UsageError(f"{text!r}: a fragment is never sent; leave out {rest[masked.index('#') :]!r}")
    end = masked.find("?") if "?" in masked else len(rest)
    query = list(parse_query(rest[end + 1 :]))
    return (absolute[1], absolute[2]) if absolute else None, rest[:end] or "/", query


def parse_query(text: str) -> Iterable[tuple[str, str]]:
    """The decoded parameters of a query, as `Request.query` decodes them."""
    return URL.build(path="/", query_string=text, encoded=True).query.items()


def parse_origin(text: str, scheme: str, authority: str) -> OriginPattern:
    """The origin that a scheme and an authority name; `text` is the whole URL, for the complaints."""
    if scheme != "*" and scheme.lower() not in SCHEMES:
        raise UsageError(f"{text!r}: unknown scheme {scheme!r}; schemes are: {join_names([*SCHEMES, '*'])}")
    if "@" in authority:
        raise UsageError(
            f"{text!r}: credentials are sent as a header; write headers={{'Authorization': "
            "aiohttp.BasicAuth(...).encode()} instead"
        )
    if "{" in authority or "}" in authority:
        raise UsageError(f"{text!r}: a template starts at the path; '*' stands for any host")
    found = AUTHORITY.fullmatch(authority)
    if found is None:
        raise UsageError(f"{text!r}: {authority!r} is not a host with an optional port")
    host = canonical_host(text, found["host"])
    wildcard = re.compile(re.escape(host).replace(r"\*", ".+")) if "*" in host else None
    if found["port"] not in (None, "*") and int(found["port"]) > 65535:
        raise UsageError(f"{text!r}: port {found['port']} is out of range; ports are 1 to 65535")
    ports = {
        name: None if found["port"] == "*" else int(found["port"] or DEFAULT_PORTS[name])
        for name in (("http", "https") if scheme == "*" else (SCHEMES[scheme.lower()],))
    }
    return OriginPattern(f"{scheme}://{authority}", ports, host, wildcard)


def canonical_host(text: str, host: str) -> str:
    """A host as `Origin` has it: lower case, ASCII, an IPv6 address without brackets and compressed."""
    if "*" in host:
        labels = (label if "*" in label else canonical_host(text, label) for label in host.split("."))
        canonical = ".".join(labels).lower()
    else:
        try:
            canonical = (URL(f"http://{host}/").raw_host or "").lower()
        except ValueError as error:
            raise UsageError(f"{text!r}: {host!r} is not a host: {error}") from error
    if not re.fullmatch(r"[a-z0-9._~*:%-]+", canonical):
        raise UsageError(f"{text!r}: {host!r} is not a host")
    return canonical


def parse_template(text: str, path: str) -> PathPattern:
    """The pattern of an aiohttp path template, or of the literal path that it is without placeholders.

    The syntax is that of aiohttp's `Resource`: `{name}` for one segment or a part of it, `{name:regex}`.
    `text` is the whole URL, for the complaints.
    """
    pieces = PLACEHOLDER.split(path)
    for literal in pieces[::2]:
        if "{" in literal or "}" in literal:
            raise UsageError(
                f"bad template {text!r}: {literal!r}; write '{{name}}' or '{{name:regex}}', "
                "and %7B and %7D for a literal { and }"
            )
    if len(pieces) == 1:
        path_safe = URL(f"http://host{path}").path_safe
        return PathPattern(path, path_safe, "", tuple(path_safe.split("/")))
    # Made relative, so that yarl keeps a lone `.` that stands between two placeholders.
    pieces[::2] = [URL(f"/-{piece}").path_safe[2:] for piece in pieces[::2]]
    names, regexes = zip(*(read_placeholder(text, piece) for piece in pieces[1::2]), strict=True)
    groups = [f"(?P<{name}>{own})" for name, own in zip(names, regexes, strict=True)]
    source = "".join(
        re.escape(literal) + group for literal, group in zip(pieces[::2], [*groups, ""], strict=True)
    )
    pattern = PathPattern(path, None, source, *segments_of(pieces[::2], regexes))
    if len(set(names)) < len(names) or set(regexes) != {DEFAULT_REGEX}:
        try:
            pattern.regex  # noqa: B018  # what may be wrong is compiled now
        except re.error as error:
            raise UsageError(f"bad template {text!r}: {error.msg}") from error
    return pattern


def segments_of(literals: Sequence[str], regexes: Sequence[str]) -> tuple[tuple[str | None, ...], bool]:
    """The segments of a template, None for one that varies, and whether more of them may follow."""
    segments: list[str | None] = [*literals[0].split("/")]
    for literal, regex in zip(literals[1:], regexes, strict=True):
        if not WITHIN_SEGMENT.fullmatch(regex):
            return tuple(segments[:-1]), True
        segments[-1:] = [None, *literal.split("/")[1:]]
    return tuple(segments), False


def read_placeholder(text: str, piece: str) -> tuple[str, str]:
    """The name and the regex of a placeholder."""
    found = NAMED.fullmatch(piece)
    if found is None:
        raise UsageError(f"bad template {text!r}: {piece!r}; write '{{name}}' or '{{name:regex}}'")
    own = found[2]
    try:
        re.compile(own or "")
    except re.error as error:
        raise UsageError(f"bad template {text!r}: the regex {own!r}: {error.msg}") from error
    return found[1], own or DEFAULT_REGEX


# ---- fields ----


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
            extra = {fold_name(self.part, name): name for name in actual}
            for folded, name in extra.items():
                if folded not in known:
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
        name = spelling.setdefault(fold_name(part, given), given)
        value = comparable(part, name, value)
        values[name] = [*as_list(values[name]), *as_list(value)] if name in values else value
    return values


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
    if value is None or isinstance(value, bool):
        raise UsageError(f"{part} {name!r}: {value!r} has no one spelling; write text, or [] for 'absent'")
    return str(value) if type(value) in (int, float) else value


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


def form_fields(request: Request) -> MultiMapping[object] | None:
    """The fields of a form, none for an empty body; None for a body that is not a form."""
    if request.content_type not in FORM_TYPES:
        return None if request.body else MultiDict()
    try:
        return MultiDict(request.post())
    except (LookupError, ValueError):  # an unknown charset; malformed parts
        return None


def multipart_parts(request: Request) -> MultiMapping[object] | None:
    """The parts by name; None for a body that is not multipart."""
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


def body_as_sent(request: Request) -> object:
    """The body for a report: text where it is text, `MISSING` where it is empty."""
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


# ---- requests ----


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
    names: dict[str, None] = {}
    for name in [method] if isinstance(method, str) else method:
        if not isinstance(name, str) or not TOKEN.fullmatch(name):
            raise UsageError(f"{name!r} is not a method; a method is a word such as 'GET' (RFC 9110, 5.6.2)")
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
    if request._parsed is UNREAD:
        try:
            request._parsed = request.json()
        except ValueError:
            request._parsed = MISSING
    return request._parsed


@dataclass(frozen=True, slots=True)
class BodyPattern(Pattern):
    """The body, as bytes or as text."""

    expected: object

    def differences(self, request: Request) -> Iterator[Mismatch]:
        if not content_matches(self.expected, request.body, request.text):
            as_text = expects_text(unwrap(self.expected, exact=True)[0])
            yield Mismatch("body", "", self.expected, body_as_sent(request) if as_text else request.body)


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
            answer = self.predicate(request)
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


class RequestPattern:
    """All that a route, or a question to the log of calls, asks of a request.

    `method` is one, several, or None for any; `url` is what `url_pattern` takes. The options are those of
    `MatchOptions`; None is the same as leaving one out, except for `json`. The query of a URL is the same
    as the option `query`.

    `parts` are the patterns of its parts, cheapest first: the method, the URL, then whatever was given.
    `methods` are upper case, none for any; `query_pairs` are parameters that each request that matches has.

    Raises:
        UsageError: what can never match, and options that are unknown or exclude each other.
    """

    __slots__ = ("_checks", "_head_checks", "_method", "_options", "methods", "parts", "query_pairs", "url")

    def __init__(
        self,
        method: str | Iterable[str] | None = None,
        url: UrlLike | None = None,
        **options: Unpack[MatchOptions],
    ) -> None:
        check_options(options, MATCH_OPTIONS, "a route")
        given = {name: value for name, value in options.items() if value is not None or name == "json"}
        bodies = [name for name in BODY_MAKERS if name in given]
        if len(bodies) > 1:
            raise UsageError(f"a request has one body; give only one of: {join_names(bodies)}")
        self._method = method_pattern(method)
        self._options = given
        self.url, url_query = url_pattern(url)
        queries = query_patterns(url_query, given.get("query"))
        head = (self._method, self.url, *queries, *made(HEAD_MAKERS, given))
        where = (where_pattern(given["where"], self.url),) if "where" in given else ()
        self.parts: tuple[Pattern, ...] = (*head, *made(BODY_MAKERS, given), *where)
        self.methods = self._method.names
        self.query_pairs = tuple(pair for query in queries for pair in literal_pairs(query.expected))
        self._checks = tuple(part.matches for part in self.parts)
        self._head_checks = self._checks[: len(head)]

    def __str__(self) -> str:
        return (
            "any request" if not self.methods and self.url is ANY_URL else f"{self._method} {self.url.text}"
        )

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
        return all(check(request) for check in self._checks[:2])

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
        options = [f"{name} {one_line(value, 60)}" for name, value in self._options.items()]
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
