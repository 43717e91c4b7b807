"""What is likely to be behind a difference: the confusions that are common, each in a line.

Pure functions. Knows requests, and how URLs are written, here and elsewhere. Knows nothing of reports.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .._http.json_text import load_json
from .._matching.fields import FORM_TYPES
from .._matching.request_pattern import parsed_json
from .._matching.urls import DEFAULT_REGEX, NAMED, PLACEHOLDER, UrlRegex, path_of
from .._matching.values import MISSING
from .._messages.wording import join_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from yarl import URL

    from .._http.request import Request
    from .._matching.urls import OriginPattern, PathPattern, UrlPattern
    from .._matching.values import Mismatch

__all__ = ["hints"]

# A part of a path that varies, as Flask, Express and shells write it.
VARYING_ELSEWHERE = re.compile(r"<[\w:]+>|(?<=/):\w+|\*+")


def hints(request: Request, url: UrlPattern | UrlRegex, mismatches: Iterable[Mismatch]) -> Iterator[str]:
    """The confusions that are likely behind the differences between a request and a route for `url`."""
    found = list(mismatches)
    parts = {(mismatch.part, mismatch.path) for mismatch in found}
    if url.origin and ("url", "origin") in parts:
        yield from origin_hints(url.origin, request)
    if url.path and ("url", "path") in parts:
        yield from path_hints(url.path, path_of(request))
    if ("headers", "Upgrade") in parts and "Upgrade" not in request.headers:
        yield "the route is for websockets, the request is none"
    if isinstance(url, UrlRegex) and ("url", "") in parts:
        yield from regex_hints(url.regex, request.url)
    if ("json", "$") in parts and request.body and parsed_json(request) is MISSING:
        yield f"the body is {kind_of_body(request)}not JSON"
    if any(is_json_of_actual(mismatch) for mismatch in found):
        yield "json= was given JSON as text; give it the object that this stands for"
    if ("form", "") in parts and request.content_type not in FORM_TYPES:
        yield f"the body is {kind_of_body(request)}not a form"


def is_json_of_actual(mismatch: Mismatch) -> bool:
    """Whether a whole document was expected as text, and is what that text stands for."""
    if (mismatch.part, mismatch.path) != ("json", "$") or not isinstance(mismatch.expected, str):
        return False
    try:
        return bool(load_json(mismatch.expected) == mismatch.actual)
    except ValueError:
        return False


def kind_of_body(request: Request) -> str:
    """What the request calls its body, to go before what it is not."""
    return f"{request.content_type}, " if request.content_type else ""


def origin_hints(expected: OriginPattern, request: Request) -> Iterator[str]:
    """What may be behind another origin: http for https, or the reverse."""
    if expected.matches_host(request.origin.host) and not expected.allows(request.origin.scheme):
        yield f"the route is {join_names(expected.ports)}, the request {request.origin.scheme}"


def path_hints(expected: PathPattern, path: str) -> Iterator[str]:
    """What may be behind another path: its end, its case, a template that is too narrow."""
    if expected.matches(path + "/") or (path.endswith("/") and expected.matches(path[:-1])):
        yield "a slash at the end makes it another path"
    elif expected.literal is not None:
        if expected.literal.lower() == path.lower():
            yield "paths are case-sensitive"
        else:
            yield from literal_hints(expected.literal, path)
    elif wider := wider_template(expected.regex, path):
        yield wider
    elif word := word_for_regex(expected, path):
        yield f"what is behind the colon is a regex; {word} stands for just this word"


def literal_hints(literal: str, path: str) -> Iterator[str]:
    """What may be behind a path that was meant to be more than itself."""
    if re.fullmatch(".+".join(map(re.escape, VARYING_ELSEWHERE.split(literal))), path):
        yield "what varies is written {name}, and {name:.+} where it has slashes"
    elif is_regex_for(literal, path):
        yield "a str is no regex; write {name:regex} for a part of it, or re.compile() for the whole URL"


def is_regex_for(text: str, path: str) -> bool:
    """Whether a text, were it a regex, would match a path."""
    try:
        return re.fullmatch(text, path) is not None
    except re.error:
        return False


def word_for_regex(expected: PathPattern, path: str) -> str | None:
    """The placeholder whose regex is but a word, such as `{id:int}`, and kept the path from matching."""
    for placeholder in PLACEHOLDER.findall(expected.text):
        named = NAMED.fullmatch(placeholder)
        if named and named[2] and named[2].isalpha():
            group = f"(?P<{named[1]}>{named[2]})"
            if re.fullmatch(expected.regex.pattern.replace(group, ".+"), path):
                return str(placeholder)
    return None


def regex_hints(regex: re.Pattern[str], url: URL) -> Iterator[str]:
    """What may be behind a regex that does not match a URL: its begin, its end, signs in it."""
    if regex.search(str(url)):
        yield "a regex begins where the URL does; '.*' in front of it finds it anywhere"
    elif url.query_string and regex.match(str(url.with_query(None))):
        yield "the query is a part of the URL that the regex has to match"
    elif str(url).startswith(regex.pattern):
        yield "'?' and others have a meaning in a regex; re.escape() takes it from them"


def wider_template(regex: re.Pattern[str], path: str) -> str | None:
    """What is behind a path whose slashes or braces alone kept the placeholders from matching."""
    if re.fullmatch(regex.pattern.replace(DEFAULT_REGEX, "[^/]+"), path):
        return "placeholders match no braces; the path may be a template that the client did not fill in"
    if not re.fullmatch(regex.pattern.replace(DEFAULT_REGEX, ".+"), path):
        return None
    name = next(name for name in regex.groupindex if f"(?P<{name}>{DEFAULT_REGEX})" in regex.pattern)
    return f"{{{name}}} ends at a slash; {{{name}:.+}} does not"
