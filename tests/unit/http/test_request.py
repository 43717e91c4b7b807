"""Requests, parts and calls as values: what was on the wire, and how it is read."""

import json
from http.cookies import SimpleCookie

import aiohttp
import pytest
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from aiotest_kit import Call, Origin, Part, Reply, Request, Route, Router
from aiotest_kit._http import request as request_module
from aiotest_kit._http.content_coding import CODINGS, compress
from aiotest_kit._http.request import parse_cookies

API = Origin("http", "api.test", 80)


def asked(target: str = "/", *fields: tuple[str, str], body: bytes = b"", method: str = "GET") -> Request:
    raw = tuple((name.encode(), value.encode("utf-8", "surrogateescape")) for name, value in fields)
    return Request(method, API, target, raw_headers=raw, body=body)


def sent_as(content_type: str, body: bytes) -> Request:
    return asked("/", ("Content-Type", content_type), body=body, method="POST")


def test_read_only() -> None:
    """Nothing of a request can be set."""
    with pytest.raises(AttributeError) as caught:
        asked().body = b"x"
    assert "a Request is read-only; 'body' cannot be set" == str(caught.value)


# ---- origins ----


@pytest.mark.parametrize(
    ("url", "text", "port"),
    [
        pytest.param("http://api.test/a?b", "http://api.test", 80, id="default port of http"),
        pytest.param("https://api.test:443", "https://api.test", 443, id="default port of https"),
        pytest.param("http://api.test:443", "http://api.test:443", 443, id="port of another scheme"),
        pytest.param("https://API.Test:8443", "https://api.test:8443", 8443, id="case"),
        pytest.param("ws://stream.test/x", "http://stream.test", 80, id="ws is http"),
        pytest.param("wss://stream.test/x", "https://stream.test", 443, id="wss is https"),
        pytest.param("http://[::1]:8080", "http://[::1]:8080", 8080, id="IPv6"),
        pytest.param("http://bücher.test", "http://xn--bcher-kva.test", 80, id="IDNA"),
        pytest.param("http://api.test.:81", "http://api.test:81", 81, id="fully qualified"),
    ],
)
def test_origin_of(url: str, text: str, port: int) -> None:
    """Two spellings of a place are one origin, which is written without its default port."""
    origin = Origin.of(URL(url))

    assert (text, port) == (str(origin), origin.port)


def test_origin_without_port() -> None:
    """A scheme that has no port of its own gets none."""
    assert Origin("tcp", "api.test", 0) == Origin.of(URL("tcp://api.test"))


# ---- a request's line ----


@pytest.mark.parametrize(
    ("target", "url", "path", "raw_path", "query"),
    [
        pytest.param("/", "http://api.test/", "/", "/", {}, id="root"),
        pytest.param("/a/b?x=1", "http://api.test/a/b?x=1", "/a/b", "/a/b", {"x": "1"}, id="query"),
        pytest.param("/a%20b", "http://api.test/a%20b", "/a b", "/a%20b", {}, id="quoted"),
        pytest.param("/?q=a+b%26", "http://api.test/?q=a+b%26", "/", "/", {"q": "a b&"}, id="quoted query"),
        pytest.param("//x/y", "http://api.test//x/y", "//x/y", "//x/y", {}, id="two slashes"),
        pytest.param("*", "http://api.test", "/", "*", {}, id="asterisk-form"),
        pytest.param("api.test:80", "http://api.test", "/", "api.test:80", {}, id="authority-form"),
    ],
)
def test_url(target: str, url: str, path: str, raw_path: str, query: dict[str, str]) -> None:
    """The URL is as it was on the wire; path and query are decoded."""
    request = asked(target)

    assert url == str(request.url)
    assert (path, raw_path, query) == (request.path, request.raw_path, dict(request.query))


def test_query_keeps_order_and_repeats() -> None:
    """A parameter may be there more than once."""
    assert [("b", "2"), ("a", "1"), ("b", "")] == list(asked("/?b=2&a=1&b=").query.items())


def test_repr_of_request() -> None:
    """A request shows its method and URL."""
    assert "<Request DELETE http://api.test/a?b=1>" == repr(asked("/a?b=1", method="DELETE"))


# ---- its headers ----


def test_headers_ignore_case_and_keep_repeats() -> None:
    """Headers are looked up in any case; the raw ones stay as sent."""
    request = asked("/", ("x-a", "1"), ("X-A", "2"))

    assert ["1", "2"] == request.headers.getall("X-a")
    assert ((b"x-a", b"1"), (b"X-A", b"2")) == request.raw_headers


def test_headers_keep_other_bytes() -> None:
    """A value that is not UTF-8 is kept as surrogates."""
    request = Request("GET", API, "/", raw_headers=((b"X", b"\xff"),))

    assert b"\xff" == request.headers["X"].encode("utf-8", "surrogateescape")


DATED = {"a": "Wed, 09 Jun 2021 10:18:14 GMT", "b": ""}
# Before 3.12 aiohttp's server reads no cookie beside a name alone.
READS_NAMES_ALONE = tuple(map(int, aiohttp.__version__.split(".")[:2])) >= (3, 12)


@pytest.mark.parametrize(
    ("fields", "cookies"),
    [
        pytest.param([], {}, id="none"),
        pytest.param(["a=1; b=2"], {"a": "1", "b": "2"}, id="several"),
        pytest.param(["a=1", "b=2"], {"a": "1", "b": "2"}, id="fields"),
        pytest.param(["a=1; a=2"], {"a": "2"}, id="the last of a name"),
        pytest.param(['a="1 2"'], {"a": "1 2"}, id="in quotes"),
        pytest.param(["a=b=c"], {"a": "b=c"}, id="equals sign in value"),
        pytest.param(["a[0]=1; b=2"], {"a[0]": "1", "b": "2"}, id="odd name hides nothing"),
        pytest.param(
            ["lonely; ; b="], {"lonely": "", "b": ""} if READS_NAMES_ALONE else {}, id="a name alone"
        ),
        pytest.param(["a=1 b=2"], {"a": "1", "b": "2"}, id="a blank between"),
        pytest.param(['a="1;2"; b=3'], {"a": "1;2", "b": "3"}, id="a semicolon in quotes"),
        pytest.param(["a=\u00e9; b=2"], {"a": "\u00e9", "b": "2"}, id="other letters"),
        pytest.param(["flag", "b=2"], {"flag": "", "b": "2"} if READS_NAMES_ALONE else {"b": "2"}, id="flag"),
        pytest.param(["\u00e9; \u00e9=1; a,b=2; c=3"], {"c": "3"}, id="no names"),
        pytest.param(["a=Wed, 09 Jun 2021 10:18:14 GMT; b"], DATED if READS_NAMES_ALONE else {}, id="a date"),
    ],
)
def test_cookies(fields: list[str], cookies: dict[str, str]) -> None:
    """Each pair is a cookie, whatever stands before it."""
    assert cookies == parse_cookies(fields)
    assert cookies == asked("/", *[("Cookie", field) for field in fields]).cookies


def test_match_info_is_what_was_captured() -> None:
    """Captures are empty until a route matches."""
    request = asked("/users/7")
    assert {} == request.match_info

    request.capture({"id": "7"})

    assert {"id": "7"} == request.match_info


# ---- its body ----


@pytest.mark.parametrize(
    ("content_type", "media_type"),
    [
        pytest.param("Text/HTML; charset=x", "text/html", id="parameters"),
        pytest.param("application/json", "application/json", id="plain"),
    ],
)
def test_content_type(content_type: str, media_type: str) -> None:
    """The media type has no parameters and is lower case."""
    assert media_type == sent_as(content_type, b"").content_type


def test_no_content_type() -> None:
    """A request without a content type has an empty one."""
    assert "" == asked().content_type


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        pytest.param("text/plain", "é".encode(), id="UTF-8 by default"),
        pytest.param("text/plain; charset=latin-1", b"\xe9", id="charset"),
        pytest.param('text/plain; format=flowed; Charset="latin-1"', b"\xe9", id="quoted, other case"),
        pytest.param("text/plain; charset=", "é".encode(), id="empty charset"),
    ],
)
def test_text(content_type: str, body: bytes) -> None:
    """Text is in the charset that the content type names."""
    assert "é" == sent_as(content_type, body).text()


def test_text_of_other_bytes() -> None:
    """A body that is no text says so."""
    with pytest.raises(UnicodeDecodeError):
        asked(body=b"\xff").text()


def test_json_is_parsed_anew() -> None:
    """Whoever changes the object changes nobody else's."""
    request = sent_as("text/plain", b'{"a": [1]}')
    request.json()["a"].append(2)

    assert {"a": [1]} == request.json()


def test_json_of_something_else() -> None:
    """A body that is not JSON says so."""
    with pytest.raises(json.JSONDecodeError) as raised:
        asked(body=b"a=1").json()

    assert "Expecting value in the body b'a=1' of GET http://api.test/: line 1 column 1 (char 0)" == str(
        raised.value
    )


def test_json_that_is_nested_too_deep() -> None:
    """It is no JSON that Python can parse, whichever message it is in."""
    body = b"[" * 100_000
    with pytest.raises(json.JSONDecodeError) as raised:
        asked(body=body).json()
    with pytest.raises(json.JSONDecodeError, match="nested too deep"):
        Reply(body=body).json()

    assert str(raised.value).startswith("nested too deep in the body b'[[[[")
    assert "none" == asked(body=body).json_or("none")


FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("content_type", "body", "fields"),
    [
        pytest.param(FORM, b"b=2&a=1&b=", [("b", "2"), ("a", "1"), ("b", "")], id="order, repeats, blanks"),
        pytest.param(FORM, b"n=a+b%C3%A9", [("n", "a bé")], id="quoted"),
        pytest.param(f"{FORM}; charset=latin-1", b"n=%E9", [("n", "é")], id="charset"),
        pytest.param("text/plain", b"a=1", [], id="not a form"),
    ],
)
def test_post(content_type: str, body: bytes, fields: list[tuple[str, str]]) -> None:
    """The fields of a form are decoded, in order."""
    assert fields == list(sent_as(content_type, body).post().items())


def part(head: str, body: str = "x") -> bytes:
    return f"--cut\r\n{head}\r\n\r\n{body}\r\n".encode()


MULTIPART = 'multipart/form-data; boundary="cut"'


@pytest.mark.parametrize(
    ("head", "name", "filename"),
    [
        pytest.param('Content-Disposition: form-data; name="a"', "a", None, id="field"),
        pytest.param('Content-Disposition: form-data; name="a"; filename="b.txt"', "a", "b.txt", id="file"),
        pytest.param("content-disposition: form-data; name=a", "a", None, id="other case, no quotes"),
        pytest.param(
            'Content-Disposition: form-data; name="ü"; filename="é.txt"', "ü", "é.txt", id="UTF-8 as it is"
        ),
        pytest.param(
            "Content-Disposition: form-data; name*=utf-8''%C3%BC; filename*=utf-8''%C3%A9.txt",
            "ü",
            "é.txt",
            id="RFC 2231",
        ),
        pytest.param("Content-Type: text/plain", None, None, id="no disposition"),
        pytest.param('Content-Disposition: form-data; name="a\\"b"', 'a"b', None, id="escaped quote"),
    ],
)
def test_names_of_a_part(head: str, name: str | None, filename: str | None) -> None:
    """A part's names are read from its disposition, in each spelling that clients use."""
    (read,) = sent_as(MULTIPART, part(head) + b"--cut--").multipart()

    assert (name, filename, b"x") == (read.name, read.filename, read.body)


@pytest.mark.parametrize(
    ("head", "body", "content", "text"),
    [
        pytest.param("X-A: 1", "é", "é".encode(), "é", id="as it is"),
        pytest.param("X-A: 1", "a\r\n\r\nb", b"a\r\n\r\nb", "a\r\n\r\nb", id="blank line inside"),
        pytest.param("X-A: 1", "a\r\n--cutlery", b"a\r\n--cutlery", "a\r\n--cutlery", id="like a delimiter"),
        pytest.param("Content-Transfer-Encoding: base64", "w6k=", "é".encode(), "é", id="base64"),
        pytest.param(
            "Content-Transfer-Encoding: quoted-printable", "=C3=A9", "é".encode(), "é", id="quoted-printable"
        ),
        pytest.param("Content-Transfer-Encoding: binary", "x", b"x", "x", id="binary"),
        pytest.param("X-A: 1", "", b"", "", id="empty"),
    ],
)
def test_content_of_a_part(head: str, body: str, content: bytes, text: str) -> None:
    """A part's transfer encoding is undone; only whole delimiters end it."""
    (read,) = sent_as(MULTIPART, part(head, body) + b"--cut--").multipart()

    assert (content, text) == (read.body, read.text())


def test_part_in_another_charset() -> None:
    """The text of a part is in the charset that the part names."""
    headers = CIMultiDictProxy(CIMultiDict({"Content-Type": "Text/Plain; charset=latin-1"}))
    read = Part("a", None, headers, b"\xe9")

    assert ("é", "text/plain") == (read.text(), read.content_type)


def test_part_is_text_by_default() -> None:
    """A part that names no media type is plain text (RFC 2046, 5.1)."""
    (read,) = sent_as(MULTIPART, part("X-A: 1") + b"--cut--").multipart()

    assert "text/plain" == read.content_type


def test_multipart_without_headers_preamble_or_epilogue() -> None:
    """What stands before the first and behind the last delimiter is no part; a part may have no headers."""
    body = b"preamble\r\n--cut \t\r\n\r\none\r\n--cut\r\n\r\n\r\n--cut--\r\nepilogue\r\n--cut\r\n\r\nno"

    assert [b"one", b""] == [read.body for read in sent_as(MULTIPART, body).multipart()]


def test_post_of_multipart() -> None:
    """Text fields are text, whatever their content type; files are parts."""
    body = (
        part('Content-Disposition: form-data; name="a"', "1")
        + part('Content-Disposition: form-data; name="b"\r\nContent-Type: application/json', "{}")
        + part('Content-Disposition: form-data; name="f"; filename="f.bin"', "data")
        + part("X-A: 1", "nameless")
        + b"--cut--\r\n"
    )
    fields = sent_as(MULTIPART, body).post()

    assert [("a", "1"), ("b", "{}")] == list(fields.items())[:2]
    upload = fields["f"]
    assert isinstance(upload, Part)
    assert ("f.bin", b"data") == (upload.filename, upload.body)
    assert "nameless" == fields[""]


@pytest.mark.parametrize(
    ("content_type", "body", "message"),
    [
        pytest.param(
            "text/plain", b"", "not a multipart body: Content-Type is 'text/plain'", id="other type"
        ),
        pytest.param("", b"", "not a multipart body: Content-Type is None", id="no type"),
        pytest.param(
            "multipart/mixed",
            b"",
            "a multipart body without a boundary: Content-Type is 'multipart/mixed'",
            id="no boundary",
        ),
        pytest.param(
            MULTIPART,
            part("X-A: 1"),
            "a multipart body without its closing delimiter --cut--",
            id="no closing delimiter",
        ),
        pytest.param(
            MULTIPART, b"", "a multipart body without its closing delimiter --cut--", id="nothing at all"
        ),
        pytest.param(
            MULTIPART,
            b"--cut\r\nX-A: 1\r\n--cut--",
            "a part of a multipart body without the empty line behind its headers",
            id="no blank line",
        ),
    ],
)
def test_malformed_multipart(content_type: str, body: bytes, message: str) -> None:
    """A body that is no multipart body says what is wrong with it."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole text is compared
        sent_as(content_type, body).multipart()

    assert message == str(caught.value)


# ---- calls ----


def call_of(request: Request) -> Call[Route]:
    return Call(request, Router().get("/a"), 1.0)


@pytest.mark.parametrize(
    ("reply", "exception", "text"),
    [
        pytest.param(None, None, "no reply yet", id="no answer yet"),
        pytest.param(Reply(204), None, "204", id="reply"),
        pytest.param(None, ValueError("x"), "ValueError", id="exception"),
        pytest.param(Reply(200), ValueError("x"), "ValueError", id="exception behind the head"),
    ],
)
def test_repr_of_call(reply: Reply | None, exception: Exception | None, text: str) -> None:
    """A call shows its request and how it ended."""
    call = call_of(asked("/a"))
    call.reply, call.exception = reply, exception

    assert f"<Call GET http://api.test/a -> {text}>" == repr(call)


def test_new_call() -> None:
    """A call is one attempt, of which nothing is known yet."""
    call = call_of(asked("/a"))

    assert (1.0, 1, None, None, None, None) == (
        call.started,
        call.attempts,
        call.reply,
        call.exception,
        call.elapsed,
        call.client,
    )


# ---- compressed bodies ----


@pytest.mark.parametrize("coding", CODINGS)
def test_compressed_body(coding: str) -> None:
    """What reads the body undoes its content coding; the body itself is as it was sent."""
    body = compress(coding, b'{"a": 1}')
    request = Request("POST", API, "/", ((b"Content-Encoding", coding.upper().encode()),), body)

    assert body == request.body
    assert b'{"a": 1}' == request.content
    assert '{"a": 1}' == request.text()
    assert {"a": 1} == request.json()


def test_body_compressed_twice() -> None:
    """Codings are listed in the order in which they were applied."""
    body = compress("deflate", compress("gzip", b"a=1&b=2"))
    fields = (b"Content-Encoding", b"gzip, deflate"), (b"Content-Type", b"application/x-www-form-urlencoded")

    assert {"a": "1", "b": "2"} == dict(Request("POST", API, "/", fields, body).post())


@pytest.mark.parametrize("coding", ["gzip", "x-unknown"])
def test_body_that_is_not_compressed(coding: str) -> None:
    """A coding that cannot be undone is left."""
    assert b"plain" == Request("POST", API, "/", ((b"Content-Encoding", coding.encode()),), b"plain").content


def test_a_name_alone_with_an_old_aiohttp(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before 3.12 aiohttp's server reads nothing of a field in which a name stands alone."""
    monkeypatch.setattr(request_module, "READS_NAMES_ALONE", False)
    assert {"c": "3"} == parse_cookies(["flag; b=2", "c=3"])


# ---- quoted cookies ----


@pytest.mark.parametrize("value", ["x y,z", 'q"z;\u00e9', "back\\slash", "plain", ""])
def test_cookie_as_aiohttp_sends_it(value: str) -> None:
    """A value that `http.cookies` has quoted is read without quotes and escapes."""
    cookie: SimpleCookie = SimpleCookie({"a": value})
    field = cookie.output(header="", sep="").strip()

    assert {"a": value} == parse_cookies([field])


@pytest.mark.parametrize("value", ['"', '"open', 'shut"'])
def test_cookie_with_half_a_pair_of_quotes(value: str) -> None:
    """One quote is a part of the value."""
    assert {"a": value} == parse_cookies([f"a={value}"])
