"""Where in a text secrets are: beside their names, by their shape, and encoded.

Pure functions: a text, and places in it. Overlapping places are one. Knows nothing of how a secret is shown,
nor of secrets that are known from elsewhere.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, unquote_plus

from .names import AUTHORIZATION, COOKIE, SET_COOKIE, is_secret, plain
from .shapes import BASE64_RUN, decoded, find_shapes

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

__all__ = ["PLACEHOLDER", "Span", "compiled", "is_masked", "joined", "spans_of", "spans_of_named"]

PLACEHOLDER = "\u2039secret {}\u203a"
"""What is shown for a secret, with its number, between single angle quotation marks."""
MASKED = PLACEHOLDER.format(r"\d+")
DEEPEST = 2
"""How often a text may be encoded: base64, percent-encoded, in base64 is not looked into."""

compiled = cache(re.compile)
"""A regex, compiled when it is first needed: most test runs make no text."""

NAME = r"(?P<name>[\w.\[\] -]{2,64})"
IN_QUOTES = r"""(?:"(?P<double>(?:\\.|[^"\\])*)"|'(?P<single>(?:\\.|[^'\\])*)')"""
# A name and its value in quotes: of JSON, also JSON in a text, and of the repr of a dict or of headers.
QUOTED = (
    rf"""(?P<q>\\{{0,7}}["']){NAME}(?P=q)\s*:\s*(?:(?:re\.compile|Subset|Exact)\(|[\w.]+\(regex=)?[br]{{0,2}}"""
    rf"""(?:{IN_QUOTES}|(?P<e>\\{{1,7}}["'])(?P<escaped>(?:(?!(?P=e)).)*)(?P=e))"""
)
# A pair of them, as of raw headers.
PAIR = rf"""\(b?(?P<q>["']){NAME}(?P=q),\s*b?{IN_QUOTES}\)"""
VALUES = ("double", "single", "escaped")
PARAMETER = r"""(?m)(?:[?&;]|^|["'])(?P<name>[\w.\[\]%+-]{2,64})=(?P<value>[^&#\s'"<>\\]+)"""
FIELD = (
    r"""(?m)(?:^|[\s"'{(<,])(?P<name>(?:\w{1,32}-){1,6}\w{1,32}|Authorization|Cookie)[ \t]*:[ \t]+"""
    r"""(?P<value>[^\r\n"'\\]+)"""
)
USERINFO = r"""://(?P<user>[^\s/@:'"?#]*)(?::(?P<password>[^\s/@'"?#]*))?@"""
PERCENT_RUN = r"(?:[\w.~+/-]|%[0-9A-Fa-f]{2})+"
SCHEME = r"[\w-]+[ ]+(?=\S)"
# What stands beside the value of a name, or begins what has a shape or is encoded; most texts have none.
TELLTALE = (
    r"""[=@%]|["'(]\s*[:,]|[\w-]:[ \t]|eyJ|AKIA|AIza|gh[pos]_|hub_pat_|sk[-_]|xox|-----BEGIN|asic |"""
    r"""[A-Za-z0-9+/_-]{12}"""
)
COOKIE_PAIR = r"""[^;=\s]+=(?P<value>"[^"]*"|[^;]*)"""


class Span(NamedTuple):
    """A place in a text, and the secret that is there.

    `inner` are the places within the decoded text, where that is more than a secret; `value` is it then.
    """

    start: int
    end: int
    value: str
    inner: tuple[Span, ...] = ()


def spans_of(
    text: str,
    is_named: Callable[[str], bool],
    known: Callable[[str], Iterable[Span]] = lambda text: (),
    depth: int = 0,
) -> list[Span]:
    """Where secrets are in a text, in order.

    `is_named` says whether a project has made a name one of a secret; `known` finds what is known.
    """
    found = list(known(text))
    if compiled(TELLTALE).search(text) is None:
        return joined(text, found)
    found += named_spans(text, is_named)
    found += [Span(start, end, text[start:end]) for start, end in find_shapes(text)]
    if depth < DEEPEST:
        look = lambda inner: spans_of(inner, is_named, known, depth + 1)  # noqa: E731
        found += [*percent_encoded(text, look), *base64_encoded(text, look)]
    return joined(text, found)


def joined(text: str, found: Collection[Span]) -> list[Span]:
    """The places in order, those that overlap as one; what is replaced already stays."""
    if not found:
        return []
    replaced = [match.span() for match in compiled(MASKED).finditer(text)]
    kept: list[Span] = []
    for span in sorted(found, key=lambda span: (span.start, -span.end)):
        if span.start == span.end or any(start <= span.start and span.end <= end for start, end in replaced):
            continue
        if kept and span.start < kept[-1].end:
            before = kept[-1]
            if span.end > before.end:
                kept[-1] = Span(before.start, span.end, text[before.start : span.end])
            continue
        kept.append(span)
    return kept


def is_masked(text: str) -> bool:
    """Whether a text has something in place of a secret."""
    return compiled(MASKED).search(text) is not None


def named_spans(text: str, is_named: Callable[[str], bool]) -> Iterator[Span]:
    """Where the values of secret names are: in quotes, in a query or a form, in a header, in a URL."""
    for pattern in (QUOTED, PAIR):
        for found in compiled(pattern).finditer(text):
            group = next(name for name in VALUES if found.groupdict().get(name) is not None)
            yield from moved(spans_of_named(found["name"], found[group], is_named), found.start(group))
    for found in compiled(PARAMETER).finditer(text):
        name, value = unquote_plus(found["name"]), unquote_plus(found["value"])
        if is_named(name) or is_secret(name, value, "query"):
            yield Span(found.start("value"), found.end("value"), value)
    for found in compiled(FIELD).finditer(text):
        yield from moved(spans_of_named(found["name"], found["value"], is_named), found.start("value"))
    for found in compiled(USERINFO).finditer(text):
        group = "user" if found["password"] is None else "password"
        yield Span(found.start(group), found.end(group), unquote(found[group]))


def spans_of_named(name: str, value: str, is_named: Callable[[str], bool], part: str = "") -> list[Span]:
    """Where the secret is in a name's value: behind a scheme, beside the names of cookies, or all of it."""
    kind = plain(name)
    if kind in AUTHORIZATION:
        scheme = compiled(SCHEME).match(value)
        start = scheme.end() if scheme else 0
        return joined(value, [Span(start, len(value), value[start:])])
    if kind in (COOKIE, SET_COOKIE):
        pairs = [(found.span("value"), found["value"]) for found in compiled(COOKIE_PAIR).finditer(value)]
        spans = [Span(start, end, cookie.strip('"')) for (start, end), cookie in pairs]
        return joined(value, spans if kind == COOKIE else spans[:1])
    if is_named(name) or is_secret(name, value, part):
        return joined(value, [Span(0, len(value), value)])
    return []


def moved(spans: Iterable[Span], by: int) -> Iterator[Span]:
    """The places, in a text that has this one further on."""
    return (Span(start + by, end + by, value, inner) for start, end, value, inner in spans)


def percent_encoded(text: str, look: Callable[[str], list[Span]]) -> Iterator[Span]:
    """Where secrets are percent-encoded."""
    if "%" not in text:
        return
    for run in compiled(PERCENT_RUN).finditer(text):
        if "%" not in run[0]:
            continue
        for plain_text in dict.fromkeys((unquote(run[0]), unquote_plus(run[0]))):
            inner = look(plain_text) if plain_text != run[0] else []
            if inner:
                yield encoded_span(run, plain_text, inner)


def base64_encoded(text: str, look: Callable[[str], list[Span]]) -> Iterator[Span]:
    """Where secrets are in base64: all of that is one."""
    for run in compiled(BASE64_RUN).finditer(text):
        data = decoded(run[0])
        try:
            plain_text = data.decode()
        except UnicodeDecodeError:
            continue
        inner = look(plain_text) if plain_text else []
        if inner:
            whole = (inner[0].start, inner[0].end) == (0, len(plain_text))
            yield Span(run.start(), run.end(), inner[0].value if whole else run[0])


def encoded_span(run: re.Match[str], plain_text: str, inner: list[Span]) -> Span:
    """A place whose decoded text has secrets, or is one."""
    if (inner[0].start, inner[0].end) == (0, len(plain_text)):
        return Span(run.start(), run.end(), inner[0].value)
    return Span(run.start(), run.end(), plain_text, tuple(inner))
