"""Requests as they come off the wire, and how a pattern of one is checked."""

import json
from collections.abc import Mapping

from yarl import URL

from aiotest_kit._http.request import Origin, Request
from aiotest_kit._matching.request_pattern import RequestPattern
from aiotest_kit._matching.values import Mismatch


def ask(
    url: str = "http://api.test/",
    method: str = "GET",
    *,
    headers: Mapping[str, str] | list[tuple[str, str]] | None = None,
    body: bytes = b"",
    content_type: str | None = None,
) -> Request:
    """A request as it comes off the wire."""
    parsed = URL(url, encoded=True)
    fields = list(headers.items() if isinstance(headers, Mapping) else headers or [])
    if content_type is not None:
        fields.append(("Content-Type", content_type))
    raw = tuple((name.encode(), value.encode()) for name, value in fields)
    return Request(method, Origin.of(parsed), parsed.raw_path_qs, raw_headers=raw, body=body)


def ask_json(body: object) -> Request:
    return ask(method="POST", body=json.dumps(body).encode(), content_type="application/json")


def check(pattern: RequestPattern, request: Request, *expected: tuple[str, str, object, object]) -> None:
    """The differences are those expected, and `matches` agrees."""
    differences = list(pattern.differences(request))
    assert [Mismatch(*row) for row in expected] == differences
    assert pattern.matches(request) is (not expected)


def check_match(pattern: RequestPattern, request: Request, is_match: bool) -> None:
    """Whether there are differences, and `matches` agrees."""
    differences = list(pattern.differences(request))
    assert is_match is not bool(differences)
    assert is_match is pattern.matches(request)


def long(value: str) -> bool:
    return len(value) > 3
