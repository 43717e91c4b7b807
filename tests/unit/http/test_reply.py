"""Replies as values: what each keyword puts into status, headers and body. For bad input: test_bad_input."""

import gzip
import zlib
from collections.abc import Callable
from http.cookies import Morsel
from types import ModuleType
from typing import Any

import pytest
from multidict import CIMultiDict

from aiotest_kit import Reply, Route, Router, UsageError
from aiotest_kit._http.reply import LONGEST_SHARED, ReplyOptions, as_reply, phrase, reply_of_status, with_body
from aiotest_kit._responders.stream import Stream


@pytest.mark.parametrize(
    ("options", "content_type", "body"),
    [
        pytest.param({}, None, b"", id="none"),
        pytest.param({"json": {"id": 7}}, "application/json", b'{"id": 7}', id="json"),
        pytest.param({"json": None}, "application/json", b"null", id="json null"),
        pytest.param({"text": "é"}, "text/plain; charset=utf-8", "é".encode(), id="text"),
        pytest.param({"html": "<p>"}, "text/html; charset=utf-8", b"<p>", id="html"),
        pytest.param({"body": b"\xff"}, None, b"\xff", id="bytes"),
        pytest.param({"body": bytearray(b"ab")}, None, b"ab", id="bytearray"),
        pytest.param({"body": memoryview(b"ab")}, None, b"ab", id="memoryview"),
        pytest.param({"body": "é"}, None, "é".encode(), id="body as text"),
        pytest.param(
            {"form": {"a": "1", "b": [2, 3]}},
            "application/x-www-form-urlencoded",
            b"a=1&b=2&b=3",
            id="form",
        ),
        pytest.param(
            {"form": [("b", "x y"), ("a", "&")]},
            "application/x-www-form-urlencoded",
            b"b=x+y&a=%26",
            id="form as pairs",
        ),
        pytest.param({"text": "x", "content_type": "text/csv"}, "text/csv", b"x", id="content_type"),
        pytest.param({"content_type": "text/csv"}, "text/csv", b"", id="content_type alone"),
        pytest.param(
            {"text": "x", "headers": {"content-type": "text/csv"}}, "text/csv", b"x", id="content type header"
        ),
        pytest.param(
            {"body": b"x", "headers": {"Content-Type": "a/b"}, "content_type": "text/csv"},
            "text/csv",
            b"x",
            id="content_type beats the header",
        ),
    ],
)
def test_body(options: ReplyOptions, content_type: str | None, body: bytes) -> None:
    """A body is encoded at once, and says what it is."""
    reply = Reply(**options)

    assert (content_type, body) == (reply.headers.get("Content-Type"), reply.body)
    assert len(reply.headers) == (content_type is not None)


@pytest.mark.parametrize(
    ("headers", "fields"),
    [
        pytest.param({"X-A": "1", "x-b": "2"}, [("X-A", "1"), ("x-b", "2")], id="mapping"),
        pytest.param([("X-A", "1"), ("x-a", "2")], [("X-A", "1"), ("x-a", "2")], id="pairs"),
        pytest.param({"X-A": ["1", "2"]}, [("X-A", "1"), ("X-A", "2")], id="list"),
        pytest.param({"X-A": ("1", "2")}, [("X-A", "1"), ("X-A", "2")], id="tuple"),
        pytest.param({"X-A": 7}, [("X-A", "7")], id="number"),
        pytest.param({"X-A": []}, [], id="no values"),
        pytest.param(CIMultiDict([("A", "1"), ("a", "2")]), [("A", "1"), ("a", "2")], id="multidict"),
    ],
)
def test_headers(headers: CIMultiDict[str], fields: list[tuple[str, str]]) -> None:
    """Headers keep their order, their case and their repeats."""
    assert fields == list(Reply(headers=headers).headers.items())


def morsel() -> "Morsel[str]":
    cookie: Morsel[str] = Morsel()
    cookie.set("sid", "1", "1")
    cookie["httponly"] = True
    return cookie


@pytest.mark.parametrize(
    ("value", "field"),
    [
        pytest.param("1", "sid=1; Path=/", id="text"),
        pytest.param("a b", 'sid="a b"; Path=/', id="quoted"),
        pytest.param(morsel(), "sid=1; HttpOnly", id="morsel"),
    ],
)
def test_cookies(value: "str | Morsel[str]", field: str) -> None:
    """A cookie is for the whole site, unless a morsel says more."""
    reply = Reply(cookies={"sid": value}, headers={"Set-Cookie": "own=1"})

    assert ["own=1", field] == reply.headers.getall("Set-Cookie")


@pytest.mark.parametrize(
    ("coding", "decode"),
    [
        pytest.param("gzip", gzip.decompress, id="gzip"),
        pytest.param("deflate", zlib.decompress, id="deflate"),
    ],
)
def test_compress(coding: str, decode: Callable[[bytes], bytes]) -> None:
    """A compressed body says how."""
    reply = Reply(text="x" * 999, compress=coding)

    assert b"x" * 999 == decode(reply.body)
    assert (coding, "text/plain; charset=utf-8") == (
        reply.headers["Content-Encoding"],
        reply.headers["Content-Type"],
    )


def test_compress_under_another_name() -> None:
    """A header of the test's own is not replaced."""
    assert (
        "x-gzip"
        == Reply(text="x", compress="gzip", headers={"Content-Encoding": "x-gzip"}).headers[
            "Content-Encoding"
        ]
    )


@pytest.mark.parametrize(
    ("coding", "modules"),
    [
        pytest.param("br", ["brotli", "brotlicffi"], id="br"),
        pytest.param("zstd", ["compression.zstd", "backports.zstd"], id="zstd"),
    ],
)
@pytest.mark.parametrize("installed", [0, 1, None])
def test_optional_codings(
    coding: str, modules: list[str], installed: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A coding is done by the first module that is installed; without one, the extra is named."""
    fake = ModuleType("fake")
    fake.compress = lambda body: b"squeezed " + body  # type: ignore[attr-defined]
    found = {modules[installed]: fake} if installed is not None else {}

    def import_module(name: str) -> ModuleType:
        try:
            return found[name]
        except KeyError:
            raise ImportError(name) from None

    monkeypatch.setattr("aiotest_kit._http.content_coding.import_module", import_module)
    if installed is None:
        with pytest.raises(UsageError) as caught:
            Reply(text="x", compress=coding)
        assert (
            f"compress={coding!r} needs more than is installed: pip install 'aiotest-kit[{coding}]'"
            == str(caught.value)
        )
    else:
        assert b"squeezed x" == Reply(text="x", compress=coding).body


@pytest.mark.parametrize(
    ("status", "options", "reason"),
    [
        pytest.param(404, {}, "Not Found", id="registered"),
        pytest.param(418, {"reason": "Teapot"}, "Teapot", id="own"),
        pytest.param(299, {}, "", id="unknown"),
        pytest.param(200, {"reason": ""}, "", id="empty"),
    ],
)
def test_reason(status: int, options: ReplyOptions, reason: str) -> None:
    """The reason is the registered phrase, or the test's own."""
    assert reason == Reply(status, **options).reason


def test_phrase_of_unknown_status() -> None:
    """A status that nobody registered has no phrase."""
    assert ("OK", "") == (phrase(200), phrase(599))


@pytest.mark.parametrize(
    ("options", "is_plain"),
    [
        pytest.param({"text": "x"}, True, id="small"),
        pytest.param({"delay": 0}, True, id="no delay"),
        pytest.param({"delay": 0.5}, False, id="delay"),
        pytest.param({"body": bytes(256 * 1024)}, True, id="just fits"),
        pytest.param({"body": bytes(256 * 1024 + 1)}, False, id="long"),
    ],
)
def test_is_plain(options: ReplyOptions, is_plain: bool) -> None:
    """A reply is sent at once if there is nothing to wait for."""
    assert is_plain is Reply(**options).is_plain


NOTHING: dict[str, Any] = {
    "text": None,
    "html": None,
    "body": None,
    "form": None,
    "headers": None,
    "cookies": None,
    "reason": None,
    "content_type": None,
    "compress": None,
    "delay": None,
    "trailers": None,
}


def test_nothing_names_every_option() -> None:
    """Every option may be None; of JSON that is a body."""
    assert ReplyOptions.__optional_keys__ - {"json"} == NOTHING.keys()


def test_none_is_not_given() -> None:
    """None says nothing, of a reply and of whatever answers with one; of JSON it is null."""
    assert Reply(201) == Reply(201, **NOTHING)
    assert Reply(json={"a": 1}) == Reply(json={"a": 1}, **NOTHING)
    assert Reply(json=None) == Reply(json=None, **NOTHING)
    options: dict[str, Any] = {**NOTHING, "headers": {"X-A": "1"}}
    assert Reply(201, headers={"X-A": "1"}) == Reply(201, **options)


def answer_of(route: Route) -> object:
    answer = route.take().answer
    return answer.head if isinstance(answer, Stream) else answer


@pytest.mark.parametrize(
    ("bare", "told"),
    [
        pytest.param(lambda route: route.reply(), lambda route: route.reply(200, **NOTHING), id="status"),
        pytest.param(
            lambda route: route.reply(200, json=None),
            lambda route: route.reply(200, json=None, **NOTHING),
            id="json",
        ),
        pytest.param(lambda route: route.reply("x"), lambda route: route.reply("x", **NOTHING), id="body"),
        pytest.param(
            lambda route: route.reply(Reply(204)),
            lambda route: route.reply(Reply(204), times=None, attempts=None, **NOTHING),
            id="reply",
        ),
        pytest.param(
            lambda route: route.redirect("/b"),
            lambda route: route.redirect("/b", times=None, **NOTHING),
            id="redirect",
        ),
        pytest.param(
            lambda route: route.stream(["a"]),
            lambda route: route.stream(["a"], times=None, **NOTHING),
            id="stream",
        ),
        pytest.param(
            lambda route: route.sse(["a"]), lambda route: route.sse(["a"], times=None, **NOTHING), id="events"
        ),
    ],
)
def test_none_is_not_given_by_any_verb(
    bare: Callable[[Route], object], told: Callable[[Route], object]
) -> None:
    """Whoever hands options on may hand on None, whichever verb takes them."""
    router = Router()
    first, second = router.get("/a"), router.get("/b")
    bare(first)
    told(second)

    assert answer_of(first) == answer_of(second)
    assert first.capacity == second.capacity


def test_none_is_not_given_of_a_refused_handshake() -> None:
    """A handshake is refused with the same options."""
    route = Router().ws("/a").reject(401, times=None, **NOTHING)

    assert Reply(401) == route.take().answer


def test_trailers() -> None:
    """Trailers are kept apart from the headers."""
    reply = Reply(trailers={"X-Sum": "1"})

    assert ([("X-Sum", "1")], []) == (list((reply.trailers or {}).items()), list(reply.headers.items()))
    assert Reply().trailers is None


def test_reading_a_reply() -> None:
    """What was sent can be read back."""
    assert "é" == Reply(text="é").text()
    assert {"id": 7} == Reply(json={"id": 7}).json()


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        pytest.param(Reply(204), "Reply(204)", id="no body"),
        pytest.param(Reply(text="hi"), "Reply(200, body=b'hi')", id="body"),
    ],
)
def test_repr(reply: Reply, text: str) -> None:
    """A reply shows its status and body."""
    assert text == repr(reply)


def test_read_only() -> None:
    """A reply that was given to a route cannot change under it."""
    reply = Reply()

    with pytest.raises(AttributeError) as caught:
        reply.status = 404

    assert "a Reply is read-only; make another one instead of setting 'status'" == str(caught.value)
    assert 200 == reply.status


@pytest.mark.parametrize(
    ("other", "is_equal"),
    [
        pytest.param(Reply(201, json=1, headers={"A": "1"}), True, id="same"),
        pytest.param(Reply(200, json=1, headers={"A": "1"}), False, id="status"),
        pytest.param(Reply(201, json=2, headers={"A": "1"}), False, id="body"),
        pytest.param(Reply(201, json=1, headers={"A": "2"}), False, id="headers"),
        pytest.param(Reply(201, json=1, headers={"A": "1"}, delay=1), False, id="delay"),
        pytest.param(201, False, id="something else"),
    ],
)
def test_equality(other: object, is_equal: bool) -> None:
    """Replies are equal if all that is sent, and when, is equal."""
    reply = Reply(201, json=1, headers={"A": "1"})

    assert is_equal is (reply == other)
    assert not is_equal or hash(reply) == hash(other)


@pytest.mark.parametrize(
    ("value", "reply"),
    [
        pytest.param(Reply(404), Reply(404), id="reply"),
        pytest.param(404, Reply(404), id="status"),
        pytest.param("hi", Reply(text="hi"), id="text"),
        pytest.param(b"hi", Reply(body=b"hi"), id="bytes"),
        pytest.param([1], Reply(json=[1]), id="list"),
        pytest.param({"a": 1}, Reply(json={"a": 1}), id="dict"),
    ],
)
def test_as_reply(value: Reply | int | str | bytes | list[int] | dict[str, int], reply: Reply) -> None:
    """A plain value stands for a reply."""
    assert reply == as_reply(value)


@pytest.mark.parametrize(("length", "is_shared"), [(2, True), (LONGEST_SHARED, False)], ids=["short", "long"])
def test_reply_of_json(length: int, is_shared: bool) -> None:
    """Short JSON alone is one reply whenever it is asked for; long JSON is not kept."""
    text = "x" * length
    first, second = (reply_of_status(200, {"json": text}) for _ in range(2))

    assert Reply(200, json=text) == first == second
    assert is_shared is (first is second)


def test_with_body() -> None:
    """A copy differs in the body alone."""
    reply = Reply(201, json=1, delay=2, trailers={"A": "1"})

    assert (b"x", 201, 2.0, reply.headers, reply.trailers) == (
        (copy := with_body(reply, b"x")).body,
        copy.status,
        copy.delay,
        copy.headers,
        copy.trailers,
    )
    assert b"1" == reply.body
