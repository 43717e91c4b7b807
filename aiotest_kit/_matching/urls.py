"""What a URL is expected to be: an origin and a path template, or a regex on the whole of it.

The one place where a route's URL is read, in the syntax of aiohttp's path templates, and where a request's
path gets the one spelling that all comparisons use. Knows where a request goes. Knows nothing of its
method, its headers or its body; a URL's query is read here and matched elsewhere.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import unquote

import aiohttp
from yarl import URL

from .._http.request import DEFAULT_PORTS, NO_MATCH_INFO
from .._messages.exceptions import UsageError
from .._messages.wording import join_names, one_line
from .values import Mismatch, Pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from .._http.request import Origin, Request

__all__ = [
    "ANY_URL",
    "DEFAULT_REGEX",
    "NAMED",
    "PLACEHOLDER",
    "OriginPattern",
    "PathPattern",
    "UrlLike",
    "UrlPattern",
    "UrlRegex",
    "checked_prefix",
    "depth_of",
    "join_prefix",
    "parse_query",
    "path_of",
    "split_url",
    "tail_of",
    "under",
    "url_pattern",
]

UrlLike: TypeAlias = "str | URL | re.Pattern[str]"

SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
OTHER_SCHEMES = ("tcp", "unix", "npipe")
"""Those that aiohttp's connectors take besides; connectors of users may take more, such as `http+docker`."""
COMPOUND_SCHEME = re.compile(r"[a-z][a-z0-9.-]*\+[a-z0-9.+-]+")
HTTP_PORT = DEFAULT_PORTS["http"]
NO_PORT = -1
ABSOLUTE = re.compile(r"([^:/?#{}]*)://([^/?#]*)(.*)", re.DOTALL)
AUTHORITY = re.compile(r"(?P<host>\[[^\[\]]+\]|[^:\[\]]+)(?::(?P<port>\d+|\*))?")
HOST_WITHOUT_SCHEME = re.compile(r"//([^/?#{}]*[.:*][^/?#{}]*|localhost)(?![^/?#])")
# As in aiohttp.web_urldispatcher, so a template means here what it means in an application.
PLACEHOLDER = re.compile(r"(\{[_a-zA-Z][^{}]*(?:\{[^{}]*\}[^{}]*)*\})")
NAMED = re.compile(r"\{([_a-zA-Z][_a-zA-Z0-9]*)(?::(.+))?\}", re.DOTALL)
DEFAULT_REGEX = "[^{}/]+"
# A regex that surely matches no slash: it has no `.` and no `\W`, and of character classes only plain ones.
WITHIN_SEGMENT = re.compile(
    r"""( [^/.\\\[\]]                                      # a literal, a group, a quantifier
        | \\[bdsw.+*?-]                                    # an escape that stands for no slash
        | \[ ( \w-\w | [\w.,:;@+*~] | \\[dw.-] )+ -? \]    # a class, with ranges of letters or digits
        | \[\^ [^\]\\-]* / [^\]\\-]* \]                    # all but a slash
    )+""",
    re.ASCII | re.VERBOSE,
)


def path_of(request: Request) -> str:
    """The path of a request, decoded except for `%2F` and `%25`: two spellings of a path are one here."""
    if request.method == "CONNECT":
        # Its target is a host and a port, and all that a route can name of it is the origin.
        return "/"
    path = request.target.partition("?")[0]
    return request.url.path_safe if "%" in path else path


@dataclass(frozen=True, slots=True)
class OriginPattern:
    """Where a request goes: the schemes it may use, each with its port, and the host.

    `ports` has the port of each scheme allowed, None for any port, 0 for a scheme that needs none. `http` is
    also for requests by a scheme that is not listed, such as `unix`: a server sees no difference. `wildcard`
    is the regex of a host with a `*`, which stands for one or more characters, dots included.
    """

    text: str
    ports: Mapping[str, int | None]
    host: str
    wildcard: re.Pattern[str] | None

    def matches(self, origin: Origin) -> bool:
        """Whether a connection's origin is this one."""
        port = self.ports.get(origin.scheme, NO_PORT)
        if port == NO_PORT and self.allows(origin.scheme):
            port, own = self.ports["http"], origin.place[1]
        else:
            own = origin.port
        return (port is None or port == own) and self.matches_host(origin.host)

    def allows(self, scheme: str) -> bool:
        """Whether requests by a scheme may be meant."""
        return scheme in self.ports or (scheme not in DEFAULT_PORTS and "http" in self.ports)

    def matches_host(self, host: str) -> bool:
        """Whether a host is this one, whatever the scheme and the port."""
        return host == self.host if self.wildcard is None else self.wildcard.fullmatch(host) is not None

    @property
    def places(self) -> tuple[tuple[str, int], ...]:
        """Each host and port that it may be, none where that cannot be listed."""
        if self.wildcard is not None:
            return ()
        ports = dict.fromkeys(self.ports.values())
        return () if None in ports else tuple((self.host, port or HTTP_PORT) for port in ports)


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
        """What the placeholders of a template stand for, unquoted as aiohttp does it."""
        # All but these two escapes is decoded already.
        match = self.regex.fullmatch(path)
        return named_groups(match, lambda text: text.replace("%2F", "/").replace("%25", "%"))


@dataclass(frozen=True, slots=True)
class UrlPattern(Pattern):
    """An origin, None for any, and a path, None for any."""

    text: str
    origin: OriginPattern | None
    path: PathPattern | None

    def matches(self, request: Request) -> bool:
        """Whether the path and the origin are these."""
        return (self.path is None or self.path.matches(path_of(request))) and (
            self.origin is None or self.origin.matches(request.origin)
        )

    def differences(self, request: Request) -> Iterator[Mismatch]:
        """The origin first, then the path, each only if it is another one."""
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
        """The whole URL, if the regex does not match it."""
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


def url_pattern(url: UrlLike | UrlPattern | None) -> tuple[UrlPattern | UrlRegex, list[tuple[str, str]]]:
    """The pattern of a route's URL, and the query parameters that it names.

    Text may be a template, and have `*` for the scheme, for (a part of) the host and for the port. A
    `URL` is literal: a brace in it is a brace. None is any URL. What is a pattern already stays as it is.

    Raises:
        UsageError: what no request can have, or what is not a URL.
    """
    if url is None:
        return ANY_URL, []
    if isinstance(url, UrlPattern):
        return url, []
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


def checked_prefix(prefix: str) -> str:
    """The prefix, if it is one.

    Raises:
        UsageError: it has a query.
    """
    if "?" in PLACEHOLDER.sub("", prefix):
        raise UsageError(f"the prefix {prefix!r} has a query; give it to the routes, as query=")
    return prefix


def join_prefix(prefix: str, url: str | URL) -> str:
    """The URL of a route under a prefix such as `https://api.test/v1`; itself where there is none.

    Raises:
        UsageError: the prefix has a query, or the URL an origin of its own.
    """
    below = url_text(url)
    if not prefix:
        return below
    checked_prefix(prefix)
    if below and below[0] not in "/?":
        raise UsageError(f"{below!r}: a URL under the prefix {prefix!r} is a path, such as '/users'")
    return (prefix.rstrip("/") if below.startswith("/") else prefix) + below


def under(prefix: str, url: UrlLike) -> UrlLike:
    """The URL of a route under a prefix, if there is one."""
    if isinstance(url, (str, URL)):
        return join_prefix(prefix, url)
    if prefix:
        raise UsageError(f"{url!r}: a URL under the prefix {prefix!r} is a path, such as '/users'")
    return url


def tail_of(prefix: str | URL) -> str:
    """The template of a prefix and of everything under it.

    Raises:
        UsageError: it is no URL.
    """
    text = checked_prefix(str(prefix))
    # Complaints are about what was given, not about what is made of it.
    url_pattern(text)
    text = text.rstrip("/")
    _, has_path, _ = text.partition("://")[2].partition("/")
    return f"{text}{{_:(/.*)?}}" if has_path else f"{text}/{{_:.*}}"


def depth_of(prefix: str) -> int:
    """How many segments the path of a prefix has."""
    return prefix.rstrip("/").partition("://")[2].count("/")


def split_url(text: str) -> tuple[tuple[str, str] | None, str, list[tuple[str, str]]]:
    """A URL's scheme and authority, None where it has none; its path; its query parameters."""
    if HOST_WITHOUT_SCHEME.match(text):
        raise UsageError(
            f"{text!r} begins as a host without a scheme; write {'https:' + text!r}, or {'*://*:*' + text!r} "
            "if the path begins with two slashes"
        )
    absolute = None if text.startswith("/") else ABSOLUTE.fullmatch(text)
    if absolute is None and not text.startswith("/"):
        if "://" in text or text[:1] in ("^", ".", "("):
            raise UsageError(f"{text!r} is no URL; for a regex write re.compile({text!r})")
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


BASIC_AUTH = (
    "aiohttp.encode_basic_auth({}, ...)"
    if hasattr(aiohttp, "encode_basic_auth")
    else "aiohttp.BasicAuth({}, ...).encode()"
)
"""How one writes credentials for the installed aiohttp: from 3.14 on, `BasicAuth` is deprecated."""


def parse_origin(text: str, scheme: str, authority: str) -> OriginPattern:
    """The origin that a scheme and an authority name; `text` is the whole URL, for the complaints."""
    scheme_name = scheme.lower()
    known = (*SCHEMES, *OTHER_SCHEMES, "*")
    if scheme_name not in known and not COMPOUND_SCHEME.fullmatch(scheme_name):
        raise UsageError(f"{text!r}: unknown scheme {scheme!r}; schemes are: {join_names(known)}")
    if "@" in authority:
        userinfo, _, host = authority.rpartition("@")
        login = unquote(userinfo.partition(":")[0])
        raise UsageError(
            f"{text!r}: credentials are sent as a header; write {text.replace(authority, host, 1)!r} and "
            f"headers={{'Authorization': {BASIC_AUTH.format(repr(login))}}}"
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
        name: None if found["port"] == "*" else int(found["port"] or DEFAULT_PORTS.get(name, 0))
        for name in (("http", "https") if scheme == "*" else (SCHEMES.get(scheme_name, scheme_name),))
    }
    return OriginPattern(f"{scheme}://{authority}", ports, host, wildcard)


def canonical_host(text: str, host: str) -> str:
    """A host as `Origin` has it: lower case, ASCII, an IPv6 address without brackets and compressed."""
    try:
        if host.startswith("["):
            return str(ipaddress.IPv6Address(host[1:-1]))
        # yarl would refuse a `*`, or encode it along with its label.
        labels = host.split(".") if "*" in host else [host]
        names = [label if "*" in label else URL(f"http://{label}/").raw_host for label in labels]
    except ValueError as error:
        raise UsageError(f"{text!r}: {host!r} is not a host: {error}") from error
    canonical = ".".join(name or "" for name in names).lower()
    # With an escape it is the path of a socket, as in http+unix://%2Frun%2Fapp.sock/.
    letters = "[a-z0-9*_~%-]" if COMPOUND_SCHEME.match(text.lower()) else "[a-z0-9*_~-]"
    if not re.fullmatch(rf"{letters}+(\.{letters}+)*\.?", canonical):
        raise UsageError(f"{text!r}: {host!r} is not a host")
    return canonical.rstrip(".")


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
