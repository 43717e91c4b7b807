"""What is shown in place of secrets: a number, the same for the same secret.

There is one `Secrets` in use in a process, because texts are made where nobody passes one on: in a `repr`, in
an exception, on any thread. The pytest plugin begins to number anew with each test; elsewhere numbers go on.
"""

from __future__ import annotations

import json
import re
import threading
from base64 import b64encode, urlsafe_b64encode
from typing import TYPE_CHECKING
from urllib.parse import quote

from .names import AUTHORIZATION, plain
from .shapes import decoded
from .spans import PLACEHOLDER, Span, compiled, is_masked, spans_of, spans_of_named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["Around", "Secrets", "current", "use", "without_secrets"]

SHORTEST = 4
"""Shorter values are not looked for in texts: they would be found everywhere."""
SHORT = 8
"""Shorter values are words of their own where they are found."""
NO_SECRETS = frozenset({"true", "false", "none", "null", "undefined", "bearer", "basic"})
MOST_KNOWN = 20_000
CUT = r"\.\.\.|…"
"""Where pytest has shortened a text, and may have cut a secret."""
SKIPPED = r"(?m)^(?:E +)?[-+ ] |$"
"""Where a diff begins and ends a line, from which it may have skipped what two texts have in common."""
SHORTEST_PIECE = 4
BOTH_QUOTES = "\"'"


class Around:
    """A value around another, such as a matcher."""

    __slots__ = ()

    def around(self, change: Callable[[object], object], /) -> object:
        """Another of its kind, around what a function makes of its value."""


class Shown(str):
    """What has this text as its repr."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


class Secrets:
    """The secrets of one test, or of a process: those that are known, and the numbers of those shown.

    `names` have secret values, beside those that `names.is_secret` knows. With `shown` nothing is masked.
    """

    def __init__(self, names: Iterable[str] = (), *, shown: bool = False) -> None:
        self.shown: bool = shown
        self._names = frozenset(map(plain, names))
        self._numbers: dict[str, int] = {}
        self._spellings: dict[str, str] = {}
        self._lock = threading.RLock()

    def renew(self) -> None:
        """Forget all secrets, and number anew."""
        if self._numbers or self._spellings:
            with self._lock:
                self._numbers.clear()
                self._spellings.clear()

    # Learning what is secret.

    def learn(self, value: str) -> None:
        """Take a value for a secret, wherever it is found."""
        if len(value) < SHORTEST or value.lower() in NO_SECRETS or value in self._spellings:
            return
        if is_masked(value):
            return
        with self._lock:
            if len(self._spellings) > MOST_KNOWN:
                # Of a process that runs for days; what was learned first is forgotten first.
                for spelling in list(self._spellings)[: MOST_KNOWN // 10]:
                    del self._spellings[spelling]
            for spelling in spellings_of(value):
                self._spellings.setdefault(spelling, value)

    def learn_named(self, name: str, value: str, part: str = "") -> None:
        """Take what is secret in the value of a name for a secret."""
        for span in spans_of_named(name, value, self._is_named, part):
            self.learn(span.value)
            if plain(name) in AUTHORIZATION:
                self.learn(decoded(span.value).decode("utf-8", "replace").partition(":")[2])

    def learn_text(self, text: str) -> None:
        """Take what is secret in a text for a secret."""
        for span in spans_of(text, self._is_named):
            for inner in span.inner or (span,):
                self.learn(inner.value)

    def learn_json(self, value: object) -> None:
        """Take what is secret in a JSON value for a secret."""
        left: list[tuple[str, object]] = [("", value)]
        while left:
            name, each = left.pop()
            if isinstance(each, dict):
                left += each.items()
            elif isinstance(each, list):
                left += [(name, item) for item in each]
            elif isinstance(each, str) and name:
                self.learn_named(name, each)

    def _is_named(self, name: str) -> bool:
        return bool(self._names) and plain(name) in self._names

    # Masking.

    def mask(self, text: str) -> str:
        """A text without secrets; the same text where there are none."""
        if self.shown or len(text) < SHORTEST:
            return text
        with self._lock:
            return self._replaced(text, self._spans(text))

    def mask_named(self, name: str, value: str, part: str = "") -> str:
        """The value of a name, as text, without what is secret by the name; that is a secret from now on."""
        if self.shown:
            return value
        named = spans_of_named(name, value, self._is_named, part)
        if not named:
            return value
        self.learn_named(name, value, part)
        with self._lock:
            return self._replaced(value, named)

    def masked(self, value: object, name: str = "", part: str = "") -> object:
        """A value whose repr is without what is secret by its name, the given one or the key of a dict.

        `part` is the part of a message that it is, or is in: `query`, `form`, `cookies` and others. What is
        secret for other reasons is left to `mask`, which is for the repr, before it is shortened.
        """
        if self.shown:
            return value
        try:
            return self._masked(value, name, part)
        except RecursionError:
            # Its repr is too deep as well, and says so.
            return value

    def _masked(self, value: object, name: str, part: str) -> object:
        kind = type(value)
        if isinstance(value, str):
            return self.mask_named(name, value, part) if name and kind is str else value
        if isinstance(value, dict) and kind is dict:
            return {key: self._masked(each, str(key), part) for key, each in value.items()}
        if isinstance(value, (list, tuple)) and kind in (list, tuple):
            return kind([self._masked(each, name, part) for each in value])
        if isinstance(value, Around):
            return value.around(lambda each: self._masked(each, name, part))
        return self._masked_otherwise(value, name, part) if name else value

    def _masked_otherwise(self, value: object, name: str, part: str) -> object:
        """The value of a name that is no text."""
        if isinstance(value, bytes):
            text, form = value.decode("utf-8", "backslashreplace"), "b{!r}"
        elif isinstance(value, re.Pattern) and isinstance(value.pattern, str):
            text, form = value.pattern, "re.compile({!r})"
        elif isinstance(value, (int, float)) and self._is_named(name):
            text, form = str(value), "{}"
        else:
            return value
        masked = self.mask_named(name, text, part)
        return value if masked == text else Shown(form.format(masked))

    def _spans(self, text: str) -> list[Span]:
        return spans_of(text, self._is_named, self._known)

    def _known(self, text: str) -> Iterator[Span]:
        """Where known secrets are in a text, and pieces of them where it was cut."""
        found = [spelling for spelling in self._spellings if spelling in text]
        for spelling in found:
            pattern = re.escape(spelling)
            if len(spelling) < SHORT:
                pattern = rf"(?<![A-Za-z0-9_]){pattern}(?![A-Za-z0-9_])"
            for match in re.finditer(pattern, text):
                yield Span(match.start(), match.end(), self._spellings[spelling])
        cuts = [match.span() for match in compiled(CUT).finditer(text)]
        if "identical" in text:
            cuts += [match.span() for match in compiled(SKIPPED).finditer(text)]
        for start, end in cuts:
            yield from self._pieces(text, start, end)

    def _pieces(self, text: str, start: int, end: int) -> Iterator[Span]:
        """What is left of secrets before and behind a cut in a text."""
        before, behind = text[max(0, start - SHORTEST_PIECE) : start], text[end : end + SHORTEST_PIECE]
        for spelling, value in self._spellings.items():
            if len(spelling) < SHORT:
                continue
            sizes = range(len(spelling) - 1, SHORTEST_PIECE - 1, -1)
            if before in spelling:
                size = next((size for size in sizes if text.endswith(spelling[:size], 0, start)), 0)
                yield Span(start - size, start, value)
            if behind in spelling:
                size = next((size for size in sizes if text.startswith(spelling[-size:], end)), 0)
                yield Span(end, end + size, value)

    def _replaced(self, text: str, spans: Iterable[Span]) -> str:
        pieces, end = [], 0
        for span in spans:
            pieces += [text[end : span.start], self._shown_for(span)]
            end = span.end
        return "".join([*pieces, text[end:]]) if pieces else text

    def _shown_for(self, span: Span) -> str:
        if not span.inner:
            return self._placeholder(span.value)
        pieces, end = [], 0
        for inner in span.inner:
            pieces += [quote(span.value[end : inner.start]), self._shown_for(inner)]
            end = inner.end
        return "".join([*pieces, quote(span.value[end:])])

    def _placeholder(self, value: str) -> str:
        value = self._spellings.get(value, value)
        return PLACEHOLDER.format(self._numbers.setdefault(value, len(self._numbers) + 1))


def spellings_of(value: str) -> set[str]:
    """How a value is written in texts: as it is, in JSON, and in reprs; each of its lines, if it has several.

    Other encodings are decoded where they are found.
    """
    in_json = {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    plain_ones = {value, *in_json}
    data = value.encode("utf-8", "surrogateescape")
    in_reprs = {repr(each)[1:-1] for each in plain_ones} | {repr(data)[2:-1]}
    # Beside both kinds of quotes, that which a repr begins with is escaped.
    in_reprs |= {repr(each + BOTH_QUOTES)[1:-4] for each in plain_ones}
    # In longer texts it is decoded.
    in_base64 = {encode(data).decode().rstrip("=") for encode in (b64encode, urlsafe_b64encode)}
    lines = {line.strip() for line in value.splitlines()} if "\n" in value else set()
    return plain_ones | in_reprs | in_base64 | {line for line in lines if len(line) >= SHORT}


IN_USE = [Secrets()]


def current() -> Secrets:
    """The secrets that texts are masked by now."""
    return IN_USE[-1]


def use(secrets: Secrets) -> Callable[[], None]:
    """Mask texts by these secrets; what is returned ends that."""
    IN_USE.append(secrets)
    return lambda: IN_USE.remove(secrets)


def without_secrets(text: str) -> str:
    """A text without secrets; see `Secrets.mask`."""
    return current().mask(text)
