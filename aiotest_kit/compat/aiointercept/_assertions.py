"""What can be asserted of the recorded requests, and how a failure is worded."""

from __future__ import annotations

import difflib
import json as jsonlib
import pprint
import sys
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from unittest.mock import ANY
from urllib.parse import parse_qs, urlencode

from .compat import merge_params, normalize_url

if TYPE_CHECKING:
    from yarl import URL

    from ._requests import AiointerceptRequest

__all__ = ["Asserted"]

Key = tuple[str, "URL"]
FORM = "application/x-www-form-urlencoded"
LONGEST_SUMMARY = 120
LONGEST_LINE = 200
MOST_LINES = 60


class Asserted:
    """The assertions of `aiointercept`."""

    @property
    def requests(self) -> dict[Key, list[AiointerceptRequest]]:
        """The requests by method and normalized URL, in order of arrival."""
        raise NotImplementedError

    @property
    def ordered_requests(self) -> list[tuple[Key, AiointerceptRequest]]:
        """All requests with their keys, in order of arrival."""
        raise NotImplementedError

    @property
    def call_count(self) -> int:
        """How many requests came."""
        return len(self.ordered_requests)

    @property
    def last_request(self) -> AiointerceptRequest | None:
        """The latest request, None if there is none."""
        return self.ordered_requests[-1][1] if self.ordered_requests else None

    def assert_called(self) -> None:
        """Fail if no request came."""
        if not self.requests:
            raise AssertionError("Expected at least one call, got none.")

    def assert_not_called(self) -> None:
        """Fail if a request came."""
        if self.requests:
            raise AssertionError(f"Expected no calls, got {self.call_count}")

    def assert_called_once(self) -> None:
        """Fail unless one request came."""
        if self.call_count != 1:
            raise AssertionError(f"Expected exactly 1 call, got {self.call_count}.")

    def assert_any_call(
        self, url: URL | str, method: str = "GET", params: Mapping[str, str] | None = None
    ) -> None:
        """Fail unless the URL was called with the method; `params` are added to the URL."""
        self._latest(url, method, params)

    def assert_called_with(
        self,
        url: URL | str,
        method: str = "GET",
        params: Mapping[str, str] | None = None,
        data: str | bytes | Mapping[str, Any] | None = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        strict_headers: bool = False,
        **kwargs: Any,
    ) -> None:
        """Fail unless the latest call of the URL was as said.

        `data` is the body, or the fields of a form; `json` goes before it. `headers` are some of those sent,
        all of them with `strict_headers`. Other keywords are ignored, with a warning.
        """
        if kwargs:
            warnings.warn(
                "Passing extra parameters to assert_called_with via kwargs is deprecated and will be removed "
                f"in a future release: {', '.join(kwargs)}",
                DeprecationWarning,
                stacklevel=2,
            )
        request = self._latest(url, method, params)
        body = request.captured_body or b""
        if json is not None and json is not ANY:
            check_json(json, body)
        elif isinstance(data, Mapping):
            check_form(data, body, request.headers.get("Content-Type", ""))
        elif data is not None and data is not ANY:
            check_equal("Body mismatch", data.encode() if isinstance(data, str) else data, body)
        check_headers(headers, dict(request.headers), strict_headers)

    def assert_called_once_with(self, url: URL | str, *args: Any, **kwargs: Any) -> None:
        """Fail unless one request came, as said; see `assert_called_with`."""
        self.assert_called_once()
        self.assert_called_with(url, *args, **kwargs)

    def _latest(self, url: URL | str, method: str, params: Mapping[str, str] | None) -> AiointerceptRequest:
        """The latest call of a URL."""
        wanted = normalize_url(merge_params(url, params))
        made = self.requests.get((method.upper(), wanted))
        if not made:
            raise AssertionError(no_calls(f"{method.upper()} {wanted}", self.requests))
        return made[-1]


def no_calls(wanted: str, requests: Mapping[Key, object]) -> str:
    """That there was no such call, and those most like it."""
    made = [f"{method} {url}" for method, url in requests]
    if not made:
        return f"No calls to {wanted}\nNo requests were recorded."
    similar = difflib.get_close_matches(wanted, made, n=3, cutoff=0)
    return "\n".join([f"No calls to {wanted}", "Did you mean one of:", *(f"  - {call}" for call in similar)])


def check_json(expected: object, body: bytes) -> None:
    """Fail unless a body is this, as JSON."""
    try:
        actual = jsonlib.loads(body)
    except ValueError as exc:
        raise mismatch("Expected JSON body, got non-JSON body", expected, body) from exc
    check_equal("JSON body mismatch", expected, actual)


def check_form(expected: Mapping[str, Any], body: bytes, content_type: str) -> None:
    """Fail unless a body has just these fields."""
    if content_type and FORM not in content_type:
        raise AssertionError(
            f"data=dict assertion requires Content-Type: {FORM}, got {content_type!r}. "
            "Use json= for JSON bodies."
        )
    fields = parse_qs(urlencode(sorted(expected.items())))
    check_equal("Form-encoded body mismatch", fields, parse_qs(body.decode(errors="replace")))


def check_headers(expected: Mapping[str, str] | None, actual: dict[str, str], strict: bool) -> None:
    """Fail unless the headers have these, or are these."""
    if strict:
        check_equal("Headers mismatch", dict(expected or {}), actual)
    elif expected and expected is not ANY:
        sent = {name.lower(): value for name, value in actual.items()}
        for name, value in expected.items():
            if sent.get(name.lower()) != value:
                raise AssertionError(f"Header {name!r}: expected {value!r}, got {sent.get(name.lower())!r}")


def check_equal(what: str, expected: object, actual: object) -> None:
    """Fail unless two values are equal."""
    if expected != actual:
        raise mismatch(what, expected, actual)


def mismatch(what: str, expected: object, actual: object) -> AssertionError:
    """How two values differ: a line that says so, and a note with their diff."""
    summary = f"{what}: expected {shortened(expected)}, got {shortened(actual)}"
    detail = diff(printed(expected), printed(actual))
    if sys.version_info < (3, 11):  # pragma: no cover  # there are no notes; aiointercept itself needs 3.11
        return AssertionError(f"{summary}\n{detail}")
    error = AssertionError(summary)
    error.add_note(detail)
    return error


def diff(expected: list[str], actual: list[str]) -> str:
    """The lines that differ; of long values the beginnings, as a diff takes time by the square."""
    lines = difflib.ndiff(expected[:MOST_LINES], actual[:MOST_LINES])
    text = "\n".join(line.rstrip("\n") for line in lines) or "(values render identically; check types)"
    if len(expected) > MOST_LINES or len(actual) > MOST_LINES:
        text += "\n... (diff truncated; values too large to show in full)"
    return text


def printed(value: object) -> list[str]:
    """A value as lines, none of them long."""
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    text = value if isinstance(value, str) else pprint.pformat(value, width=88)
    cut = " …(line truncated)"
    return [
        line if len(line) <= LONGEST_LINE else line[:LONGEST_LINE] + cut for line in text.splitlines()
    ] or [""]


def shortened(value: object) -> str:
    """A value in one short line."""
    text = " ".join(" ".join(printed(value)).split())
    return text if len(text) <= LONGEST_SUMMARY else text[: LONGEST_SUMMARY - 3] + "..."
