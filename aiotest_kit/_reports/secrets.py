"""What is secret in requests, replies and what routes expect: it is known from then on, wherever it is shown.

Asked when a report is made, and never before. Knows messages and patterns. Knows nothing of what is shown.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from .._http.content_coding import decompressed
from .._http.multipart import Part
from .._http.reply import Reply
from .._matching.values import Matcher
from .._messages.exceptions import UsageError
from .._messages.masking import current
from .._messages.wording import one_line

if TYPE_CHECKING:
    from .._http.call import Call
    from .._http.request import Request
    from .._matching.request_pattern import RequestPattern

__all__ = ["learn_answer", "learn_call", "learn_message", "learn_pattern", "learn_request"]

FORM = "application/x-www-form-urlencoded"


def learn_call(call: Call[Any]) -> None:
    """Know what is secret in a call: what was asked and answered, and by way of which proxy."""
    learn_request(call.request)
    if call.reply is not None:
        learn_reply(call.reply)
    tunnel = getattr(call, "tunnel", None)
    if tunnel is not None:
        learn_request(tunnel.request)
    if call.client is not None and call.client.proxy is not None:
        current().learn_text(str(call.client.proxy))


def learn_request(request: Request) -> None:
    """Know what is secret in a request."""
    secrets = current()
    secrets.learn_text(str(request.url))
    for name, value in request.headers.items():
        secrets.learn_named(name, value)
        secrets.learn_text(value)
    for value in request.cookies.values():
        secrets.learn(value)
    if not request.body:
        return
    learn_text(text_of(request))
    # The body may be anything, and only the beginning of it be kept.
    with suppress(LookupError, ValueError, UsageError):
        if request.content_type == FORM or request.content_type.startswith("multipart/"):
            for name, field in request.post().items():
                text = field.text() if isinstance(field, Part) else field
                secrets.learn_named(name, text, "form")


def learn_reply(reply: Reply) -> None:
    """Know what is secret in a reply."""
    secrets = current()
    for name, value in (*reply.headers.items(), *(reply.trailers or {}).items()):
        secrets.learn_named(name, value)
        secrets.learn_text(value)
    if reply.body:
        learn_text(text_of(reply))


def text_of(message: Request | Reply) -> str:
    """A body as text, as far as it is kept."""
    with suppress(LookupError, ValueError, UsageError):
        return message.text()
    codings = message.headers.get("Content-Encoding", "")
    return decompressed(codings, message.body).decode("utf-8", "replace")


def learn_message(data: object) -> None:
    """Know what is secret in a message of a websocket."""
    if isinstance(data, bytes):
        data = data.decode("utf-8", "replace")
    if isinstance(data, str):
        learn_text(data)


def learn_text(text: str) -> None:
    """Know what is secret in a body, which may be JSON."""
    current().learn_text(text)
    with suppress(ValueError, RecursionError):
        current().learn_json(json.loads(text))


def learn_pattern(pattern: RequestPattern) -> None:
    """Know what is secret in what a route, or a question to the log, expects."""
    current().learn_text(pattern.url.text)
    for part, expected in pattern.options.items():
        learn_expected(expected, "", part)


def learn_answer(answer: object) -> None:
    """Know what is secret in what a route answers: a reply, or what is streamed as far as its repr tells."""
    if isinstance(answer, Reply):
        learn_reply(answer)
    else:
        current().learn_text(one_line(answer, 10_000))


def learn_expected(expected: object, name: str, part: str) -> None:
    """Know what is secret in an expected value, by the names in it."""
    if isinstance(expected, Matcher):
        learn_expected(expected.value, name, part)
    elif isinstance(expected, Mapping):
        for key, each in expected.items():
            learn_expected(each, str(key), part)
    elif isinstance(expected, bytes):
        learn_expected(expected.decode("utf-8", "replace"), name, part)
    elif isinstance(expected, str):
        if name:
            current().learn_named(name, expected, part)
        elif part in ("body", "json"):
            learn_text(expected)
    elif isinstance(expected, (list, tuple)):
        for each in expected:
            is_pair = not name and isinstance(each, tuple) and len(each) == 2
            learn_expected(each[1] if is_pair else each, str(each[0]) if is_pair else name, part)
