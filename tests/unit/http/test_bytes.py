"""Bytes to requests, however they arrive, and replies to bytes, read back by another parser."""

import httptools
import pytest

from aiotest_kit import Origin, Reply, Request
from aiotest_kit._http.body import MOST_KEPT, BodyStream
from aiotest_kit._http.readers import LONGEST_HEAD, ReplyReader, RequestReader
from aiotest_kit._http.reply import with_fields
from aiotest_kit._http.writers import (
    Framing,
    chunk,
    closes,
    expects_continue,
    framing_of,
    head,
    is_chunked,
    last_chunk,
    render,
    request_head,
)
from aiotest_kit._server.pipelining import Pipeline

API = Origin("http", "api.test", 80)

# ---- requests ----

GET = b"GET /a?b=1 HTTP/1.1\r\nHost: api.test\r\nX-Case: Kept\r\nx-case: too\r\n\r\n"
POST = b"POST /a HTTP/1.1\r\nHost: api.test\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (
    b"PUT /a HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3\r\nhel\r\n2;ext=1\r\nlo\r\n0\r\n\r\n"
)
TRAILERS = CHUNKED[:-2] + b"X-Sum: 1\r\n\r\n"
OLD = b"GET / HTTP/1.0\r\n\r\n"
OLD_KEPT = b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
CLOSED = b"GET / HTTP/1.1\r\nHost: api.test\r\nConnection: close\r\n\r\n"
ABSOLUTE = b"GET http://Other.test:81/x?y=z HTTP/1.1\r\nHost: other.test:81\r\n\r\n"
ABSOLUTE_BARE = b"GET http://other.test HTTP/1.1\r\nHost: other.test\r\n\r\n"
ASTERISK = b"OPTIONS * HTTP/1.1\r\nHost: api.test\r\n\r\n"

HOST = (b"Host", b"api.test")

ONE_REQUEST = [
    pytest.param(
        GET,
        ("GET", "http://api.test/a?b=1", (HOST, (b"X-Case", b"Kept"), (b"x-case", b"too")), b"", "1.1", True),
        id="GET",
    ),
    pytest.param(
        POST,
        ("POST", "http://api.test/a", (HOST, (b"Content-Length", b"5")), b"hello", "1.1", True),
        id="content length",
    ),
    pytest.param(
        CHUNKED,
        ("PUT", "http://api.test/a", (HOST, (b"Transfer-Encoding", b"chunked")), b"hello", "1.1", True),
        id="chunked",
    ),
    pytest.param(
        TRAILERS,
        ("PUT", "http://api.test/a", (HOST, (b"Transfer-Encoding", b"chunked")), b"hello", "1.1", True),
        id="trailers",
    ),
    pytest.param(OLD, ("GET", "http://api.test/", (), b"", "1.0", False), id="HTTP/1.0"),
    pytest.param(
        OLD_KEPT,
        ("GET", "http://api.test/", ((b"Connection", b"keep-alive"),), b"", "1.0", True),
        id="HTTP/1.0 kept alive",
    ),
    pytest.param(
        CLOSED,
        ("GET", "http://api.test/", (HOST, (b"Connection", b"close")), b"", "1.1", False),
        id="closed",
    ),
    pytest.param(
        ABSOLUTE,
        ("GET", "http://other.test:81/x?y=z", ((b"Host", b"other.test:81"),), b"", "1.1", True),
        id="absolute-form",
    ),
    pytest.param(
        ABSOLUTE_BARE,
        ("GET", "http://other.test/", ((b"Host", b"other.test"),), b"", "1.1", True),
        id="absolute-form without a path",
    ),
    pytest.param(ASTERISK, ("OPTIONS", "http://api.test", (HOST,), b"", "1.1", True), id="asterisk-form"),
]


def facts(request: Request) -> tuple[object, ...]:
    return (
        request.method,
        str(request.url),
        request.raw_headers,
        request.body,
        request.version,
        request.keep_alive,
    )


def split(data: bytes, size: int) -> list[bytes]:
    return [data[position : position + size] for position in range(0, len(data), size)]


@pytest.mark.parametrize("size", [1, 7, 1000], ids=["byte by byte", "in sevens", "whole"])
@pytest.mark.parametrize(("data", "expected"), ONE_REQUEST)
def test_one_request(data: bytes, expected: tuple[object, ...], size: int) -> None:
    """A request is the same however its bytes arrive, and is there with its last byte."""
    reader = RequestReader(API)
    *before, (request,) = [reader.feed(piece) for piece in split(data, size)]

    assert [] == [early for found in before for early in found]
    assert expected == facts(request)
    assert (None, None) == (reader.unfinished, reader.upgrade)


@pytest.mark.parametrize("size", [1, 1000], ids=["byte by byte", "whole"])
@pytest.mark.parametrize(
    ("data", "expected"), [each for each in ONE_REQUEST if each.values[0] not in (CLOSED, OLD)]
)
def test_trailing_data(data: bytes, expected: tuple[object, ...], size: int) -> None:
    """What follows a request on its connection is the next one, and takes nothing from it."""
    reader = RequestReader(API)
    found = [request for piece in split(data + GET + POST, size) for request in reader.feed(piece)]

    assert [expected, *ONE_REQUEST[0].values[1:], *ONE_REQUEST[1].values[1:]] == [
        facts(each) for each in found
    ]


def test_unfinished() -> None:
    """While the body is on its way, the request is known by its head."""
    reader = RequestReader(API)
    before, rest = POST[:-5], POST[-5:]

    assert [] == reader.feed(before[:20])
    assert reader.unfinished is None
    assert [] == reader.feed(before[20:])
    unfinished = reader.unfinished
    assert unfinished is not None
    assert ("POST", b"") == (unfinished.method, unfinished.body)
    [complete] = reader.feed(rest)
    assert (unfinished.method, unfinished.url) == (complete.method, complete.url)
    assert (b"hello", None) == (complete.body, reader.unfinished)


def test_equal_fields_are_one_object() -> None:
    """Header fields that repeat from request to request are kept once."""
    reader = RequestReader(API)
    first, second = reader.feed(GET + GET)

    assert all(one is other for one, other in zip(first.raw_headers, second.raw_headers, strict=True))


@pytest.mark.parametrize("data", [GET, POST, CHUNKED], ids=["GET", "content length", "chunked"])
def test_the_same_bytes_again(data: bytes) -> None:
    """The same bytes are the same request, but a new object, of which nothing is known yet."""
    reader = RequestReader(API)
    (first,) = reader.feed(data)
    first.capture({"id": "7"})
    (second,) = reader.feed(data)
    (other,) = reader.feed(OLD_KEPT)
    (third,) = reader.feed(data)

    assert facts(first) == facts(second) == facts(third) != facts(other)
    assert 3 == len({id(each) for each in (first, second, third)})
    assert ({"id": "7"}, {}, {}) == (first.match_info, second.match_info, third.match_info)


def test_the_same_bytes_inside_a_body() -> None:
    """Bytes that were a request once are part of a body where one is on its way."""
    reader = RequestReader(API)
    assert 1 == len(reader.feed(GET))
    assert [] == reader.feed(b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(GET))
    (request,) = reader.feed(GET)

    assert GET == request.body
    assert 1 == len(reader.feed(GET))


def test_many_different_requests() -> None:
    """However many different requests came, each is read as it is."""
    reader = RequestReader(API)
    for _ in range(2):
        for number in range(500):
            (request,) = reader.feed(b"GET /%d HTTP/1.1\r\n\r\n" % number)
            assert f"/{number}" == request.path


def test_a_long_request_again() -> None:
    """A long request is read anew each time, to the same effect."""
    reader = RequestReader(API)
    data = b"POST / HTTP/1.1\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000
    (first,), (second,) = reader.feed(data), reader.feed(data)

    assert facts(first) == facts(second)


def test_a_thousand_different_fields() -> None:
    """A connection with ever new header values does not collect them for ever, and loses none."""
    reader = RequestReader(API)
    requests = reader.feed(b"".join(b"GET / HTTP/1.1\r\nX: %d\r\n\r\n" % number for number in range(2000)))

    assert [(b"X", b"%d" % number) for number in range(2000)] == [each.raw_headers[0] for each in requests]
    (again,) = reader.feed(b"GET / HTTP/1.1\r\nX: 1999\r\n\r\n")
    assert again.raw_headers[0] is not requests[-1].raw_headers[0]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"nonsense\r\n\r\n", id="no HTTP"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00", id="TLS"),
        pytest.param(b"GET foo HTTP/1.1\r\n\r\n", id="relative target"),
        pytest.param(b"GET http:///x HTTP/1.1\r\n\r\n", id="absolute-form without a host"),
        pytest.param(b"GET http://a.test:99999/ HTTP/1.1\r\n\r\n", id="port out of range"),
        pytest.param(b"GET / HTTP/1.1\r\nno colon\r\n\r\n", id="header"),
        pytest.param(b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", id="content length"),
        pytest.param(
            b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", id="both framings"
        ),
        pytest.param(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", id="chunk size"),
    ],
)
def test_bad_request(data: bytes) -> None:
    """What is not HTTP/1.1 is no request, and said to be wrong; requests before it are read."""
    for before, count in ((b"", 0), (b"GET / HTTP/1.1\r\n\r\n", 1)):
        reader = RequestReader(API)
        assert reader.error is None

        assert count == len(reader.feed(before + data))
        assert reader.error


@pytest.mark.parametrize(
    ("data", "url", "rest"),
    [
        pytest.param(
            b"CONNECT secure.test:443 HTTP/1.1\r\nHost: secure.test:443\r\n\r\n",
            "https://secure.test",
            b"",
            id="CONNECT",
        ),
        pytest.param(
            b"CONNECT [::1]:8443 HTTP/1.1\r\nHost: [::1]:8443\r\n\r\nTLS",
            "https://[::1]:8443",
            b"TLS",
            id="CONNECT with data behind it",
        ),
        pytest.param(
            b"GET /chat HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x00",
            "http://api.test/chat",
            b"\x81\x00",
            id="websocket",
        ),
    ],
)
def test_upgrade(data: bytes, url: str, rest: bytes) -> None:
    """What follows a request that changes the protocol is not read as HTTP."""
    reader = RequestReader(API)
    (request,) = reader.feed(data)

    assert (url, rest) == (str(request.url), reader.upgrade)


def test_upgrade_with_a_body_in_one_piece() -> None:
    """A request that comes whole is read whole."""
    reader = RequestReader(API)
    (request,) = reader.feed(UPGRADES + b"Content-Length: 5\r\n\r\nhello")

    assert (b"hello", b"", None) == (request.body, reader.upgrade, reader.error)


def test_another_protocol_that_looks_like_a_known_request() -> None:
    """It is not taken for that request, though the same bytes were one before."""
    known = b"GET /known HTTP/1.1\r\nHost: a\r\n\r\n"
    Pipeline(RequestReader(API)).feed(known)
    pipeline = Pipeline(RequestReader(API))
    pipeline.feed(UPGRADES + b"\r\n")
    assert pipeline.take() is not None

    assert pipeline.recall(known) is None
    pipeline.feed(known)
    assert (None, known) == (pipeline.take(), pipeline.reader.upgrade)


UPGRADES = b"POST /a HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"
BODIES_BEFORE = {
    "a length": (b"Content-Length: 5\r\n\r\n", b"hello", b"hello"),
    "chunks": (b"Transfer-Encoding: chunked\r\n\r\n", b"2\r\nhe\r\n3\r\nllo\r\n0\r\nX: 1\r\n\r\n", b"hello"),
    "none": (b"Content-Length: 0\r\n\r\n", b"", b""),
}


@pytest.mark.parametrize(("head", "sent", "body"), BODIES_BEFORE.values(), ids=BODIES_BEFORE)
@pytest.mark.parametrize("step", [1, 2, 3, 1000])
def test_upgrade_with_a_body(head: bytes, sent: bytes, body: bytes, step: int) -> None:
    """The body belongs to the request, and the other protocol begins behind it (RFC 9110, 7.8)."""
    pipeline = Pipeline(RequestReader(API))
    data = UPGRADES + head + sent + b"REST\r\n\r\nx"
    for start in range(0, len(data), step):
        pipeline.feed(data[start : start + step])
    request = pipeline.take()

    assert request is not None
    assert (b"h2c", body) == (dict(request.raw_headers)[b"Upgrade"], request.body)
    assert (None, b"REST\r\n\r\nx") == (pipeline.reader.error, pipeline.reader.upgrade)


@pytest.mark.parametrize("step", [1, 1000])
@pytest.mark.parametrize(
    ("behind", "error"),
    [
        (b"Transfer-Encoding: chunked\r\n\r\nz", "Invalid character in chunk size"),
        (b"Transfer-Encoding: xchunked\r\n\r\n5\r\nhello", "Request has invalid `Transfer-Encoding`"),
    ],
)
def test_upgrade_with_a_body_that_is_none(behind: bytes, error: str, step: int) -> None:
    """It is refused as any other."""
    pipeline = Pipeline(RequestReader(API))
    data = UPGRADES + behind
    for start in range(0, len(data), step):
        pipeline.feed(data[start : start + step])

    assert pipeline.take() is None
    assert pipeline.reader.error is not None
    assert error == pipeline.reader.error.text


@pytest.mark.parametrize("step", [1000, 10_000, 10**6])
def test_the_longest_head(step: int) -> None:
    """A head is too long, or is not HTTP, whichever comes first, however it is cut."""
    start = b"GET / HTTP/1.1\r\nHost: a\r\nX: "
    for length, status in ((LONGEST_HEAD - 100, "400"), (LONGEST_HEAD + 100, "431")):
        reader = RequestReader(API)
        data = start + b"x" * (length - len(start)) + b"\0\r\n\r\n"
        for position in range(0, len(data), step):
            reader.feed(data[position : position + step])
        assert reader.error is not None
        assert status == reader.error.status[:3]


@pytest.mark.parametrize("step", [1000, 10_000, 10**6])
def test_the_longest_trailers(step: int) -> None:
    """Trailer fields that are too long are refused, however they are cut and whatever else is there."""
    start = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2000\r\n"
    for length, status in ((LONGEST_HEAD - 100, None), (LONGEST_HEAD + 100, "431")):
        pipeline = Pipeline(RequestReader(API))
        trailers = b"X: 1\r\n" * 10 + b"Y: " + b"y" * (length - 60) + b"\r\n\r\n"
        data = start + bytes(0x2000) + b"\r\n0\r\n" + trailers
        for position in range(0, len(data), step):
            pipeline.feed(data[position : position + step])
        error = pipeline.reader.error
        assert status == (error and error.status[:3])


@pytest.mark.parametrize(
    ("version", "fields", "expects"),
    [
        pytest.param("1.1", ((b"Expect", b"100-continue"),), True, id="yes"),
        pytest.param("1.1", ((b"A", b"b"), (b"EXPECT", b"100-Continue")), True, id="other case"),
        pytest.param("1.1", ((b"Expect", b"200-ok"),), False, id="something else"),
        pytest.param("1.1", (), False, id="nothing"),
        pytest.param("1.0", ((b"Expect", b"100-continue"),), False, id="HTTP/1.0"),
    ],
)
def test_expects_continue(version: str, fields: tuple[tuple[bytes, bytes], ...], expects: bool) -> None:
    """Only HTTP/1.1 knows of 100 Continue (RFC 9110, 10.1.1)."""
    assert expects is expects_continue(Request("PUT", API, "/", raw_headers=fields, version=version))


# ---- replies ----


class Parsed:
    """A response as another parser reads it: `events` in order, the body joined."""

    def __init__(self, data: bytes, size: int = 10**6) -> None:
        self.reason = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.trailers: list[tuple[bytes, bytes]] = []
        self.body = b""
        self.head_complete = self.complete = self.keep_alive = False
        self.parser = httptools.HttpResponseParser(self)
        for piece in split(data, size):
            self.parser.feed_data(piece)
        self.line = self.parser.get_http_version(), self.parser.get_status_code()

    def on_status(self, reason: bytes) -> None:
        self.reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        (self.trailers if self.head_complete else self.headers).append((name, value))

    def on_headers_complete(self) -> None:
        self.head_complete = True
        self.keep_alive = self.parser.should_keep_alive()

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.complete = True


def request_of(method: str = "GET", version: str = "1.1", keep_alive: bool = True) -> Request:
    return Request(method, API, "/", version=version, keep_alive=keep_alive)


LENGTH_2 = (b"Content-Length", b"2")
TEXT = (b"Content-Type", b"text/plain; charset=utf-8")


@pytest.mark.parametrize("size", [1, 10**6], ids=["byte by byte", "whole"])
@pytest.mark.parametrize(
    ("reply", "line", "reason", "headers", "body", "trailers"),
    [
        pytest.param(Reply(), ("1.1", 200), "OK", [(b"Content-Length", b"0")], b"", [], id="empty"),
        pytest.param(Reply(text="hi"), ("1.1", 200), "OK", [TEXT, LENGTH_2], b"hi", [], id="text"),
        pytest.param(
            Reply(404, headers=[("x-Case", "1"), ("X-case", "2")], body="hi"),
            ("1.1", 404),
            "Not Found",
            [(b"x-Case", b"1"), (b"X-case", b"2"), LENGTH_2],
            b"hi",
            [],
            id="headers in their case and order",
        ),
        pytest.param(Reply(299, body="hi"), ("1.1", 299), "", [LENGTH_2], b"hi", [], id="no reason"),
        pytest.param(
            Reply(reason="Käse", body="hi"), ("1.1", 200), "Käse", [LENGTH_2], b"hi", [], id="reason in UTF-8"
        ),
        pytest.param(
            Reply(body="hi", headers={"X": "\udcff"}),
            ("1.1", 200),
            "OK",
            [(b"X", b"\xff"), LENGTH_2],
            b"hi",
            [],
            id="header that is not UTF-8",
        ),
        pytest.param(
            Reply(body="hi", headers={"Transfer-Encoding": "chunked"}),
            ("1.1", 200),
            "OK",
            [(b"Transfer-Encoding", b"chunked")],
            b"hi",
            [],
            id="chunked",
        ),
        pytest.param(
            Reply(body="hi", trailers={"X-Sum": "1"}),
            ("1.1", 200),
            "OK",
            [(b"Transfer-Encoding", b"chunked")],
            b"hi",
            [(b"X-Sum", b"1")],
            id="trailers",
        ),
        pytest.param(Reply(204), ("1.1", 204), "No Content", [], b"", [], id="204"),
        pytest.param(
            Reply(304, headers={"Content-Length": "99"}),
            ("1.1", 304),
            "Not Modified",
            [(b"Content-Length", b"99")],
            b"",
            [],
            id="304 with the length that 200 would have",
        ),
    ],
)
def test_render(
    reply: Reply,
    line: tuple[str, int],
    reason: str,
    headers: list[tuple[bytes, bytes]],
    body: bytes,
    trailers: list[tuple[bytes, bytes]],
    size: int,
) -> None:
    """Another parser reads what the reply says, and nothing but the framing beside it."""
    parsed = Parsed(render(reply, request_of()), size)

    assert (line, reason, headers) == (parsed.line, parsed.reason.decode(), parsed.headers)
    assert (body, trailers, True, True) == (parsed.body, parsed.trailers, parsed.complete, parsed.keep_alive)


@pytest.mark.parametrize(
    ("reply", "request_", "data"),
    [
        pytest.param(
            Reply(body="hi"), request_of(), b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", id="plain"
        ),
        pytest.param(
            Reply(body="hi"),
            request_of("HEAD"),
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n",
            id="HEAD: the headers of a GET",
        ),
        pytest.param(
            Reply(headers={"Content-Length": "9"}),
            request_of("HEAD"),
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
            id="HEAD: the reply's own length",
        ),
        pytest.param(
            Reply(body="hi", headers={"Transfer-Encoding": "chunked"}),
            request_of("HEAD"),
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            id="HEAD: chunked",
        ),
        pytest.param(
            Reply(204), request_of("HEAD"), b"HTTP/1.1 204 No Content\r\n\r\n", id="HEAD: 204 has no length"
        ),
        pytest.param(
            Reply(body="hi"),
            request_of(version="1.0"),
            b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi",
            id="HTTP/1.0",
        ),
        pytest.param(
            Reply(body="hi", trailers={"X": "1"}),
            request_of(version="1.0"),
            b"HTTP/1.0 200 OK\r\n\r\nhi",
            id="HTTP/1.0 knows no chunks: the end of the connection tells",
        ),
        pytest.param(
            Reply(body="hi", trailers={"X": "é"}),
            request_of(),
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX: é\r\n\r\n".encode(),
            id="trailers",
        ),
        pytest.param(
            Reply(headers={"Transfer-Encoding": "chunked"}),
            request_of(),
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            id="chunked and empty",
        ),
        pytest.param(
            with_fields(Reply(body="hi"), {"Content-Length": "1"}),
            request_of(),
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nhi",
            id="a length that is wrong holds",
        ),
        pytest.param(
            Reply(body="hi", headers={"Transfer-Encoding": "gzip"}),
            request_of(),
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhi",
            id="another transfer coding is the test's own affair",
        ),
    ],
)
def test_rendered_bytes(reply: Reply, request_: Request, data: bytes) -> None:
    """The bytes of a reply depend on the request as RFC 9112, section 6 says."""
    assert data == render(reply, request_)


@pytest.mark.parametrize(
    ("reply", "request_", "framing", "fields"),
    [
        pytest.param(
            Reply(), request_of(), Framing.CHUNKED, (("Transfer-Encoding", "chunked"),), id="chunked"
        ),
        pytest.param(Reply(), request_of(version="1.0"), Framing.CLOSE, (), id="HTTP/1.0"),
        pytest.param(
            Reply(headers={"Content-Length": "9"}), request_of(), Framing.LENGTH, (), id="length given"
        ),
        pytest.param(Reply(), request_of("HEAD"), Framing.NONE, (), id="HEAD"),
        pytest.param(Reply(204), request_of(), Framing.NONE, (), id="204"),
    ],
)
def test_framing_of_a_stream(
    reply: Reply, request_: Request, framing: Framing, fields: tuple[tuple[str, str], ...]
) -> None:
    """A body whose length is not known is chunked where the client knows chunks."""
    assert (framing, fields) == framing_of(reply, request_, None)


@pytest.mark.parametrize(
    ("reply", "request_", "ends"),
    [
        pytest.param(Reply(text="x"), request_of(), False, id="kept alive"),
        pytest.param(Reply(text="x"), request_of(keep_alive=False), True, id="the client says so"),
        pytest.param(Reply(headers={"Connection": "Close"}), request_of(), True, id="the reply says so"),
        pytest.param(
            Reply(headers={"Connection": "keep-alive"}), request_of(), False, id="the reply keeps it"
        ),
        pytest.param(Reply(headers={"Content-Length": "9"}), request_of(), True, id="a body too short"),
        pytest.param(
            Reply(body="x", headers={"Content-Length": "1"}), request_of(), False, id="a body as promised"
        ),
        pytest.param(
            with_fields(Reply(body="xy"), {"Content-Length": "1"}), request_of(), False, id="a body too long"
        ),
        pytest.param(
            with_fields(Reply(), {"Content-Length": "nine"}),
            request_of(),
            False,
            id="a length that is no number",
        ),
        pytest.param(Reply(headers={"Content-Length": "9"}), request_of("HEAD"), False, id="HEAD"),
        pytest.param(Reply(304, headers={"Content-Length": "9"}), request_of(), False, id="304"),
    ],
)
def test_closes(reply: Reply, request_: Request, ends: bool) -> None:
    """A connection goes on unless one side ends it or the client would wait for ever."""
    assert ends is closes(reply, request_)


def test_head() -> None:
    """A head ends with its empty line, the framing last."""
    assert b"HTTP/1.1 200 OK\r\nX-A: 1\r\nB: 2\r\n\r\n" == head(
        Reply(headers={"X-A": "1"}), request_of(), [("B", "2")]
    )


def test_chunks() -> None:
    """Chunks and their end are read back as one body; no data is no chunk."""
    data = b"".join([chunk(b"a" * 20), chunk(b""), chunk(b"b"), last_chunk({"X-Sum": "1"})])
    parsed = Parsed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + data)

    assert (b"a" * 20 + b"b", True) == (parsed.body, parsed.complete)
    assert b"14\r\n" + b"a" * 20 + b"\r\n1\r\nb\r\n0\r\nX-Sum: 1\r\n\r\n" == data
    assert b"0\r\n\r\n" == last_chunk(None)


# ---- requests that are passed on, and the replies of somebody else ----


@pytest.mark.parametrize("whole", [GET, POST, CHUNKED, OLD])
def test_a_request_is_passed_on_as_it_came(whole: bytes) -> None:
    """The head of a request that is passed on is that which the client sent."""
    (request,) = RequestReader(API).feed(whole)

    assert whole.startswith(request_head(request, request.target))
    assert (b"chunked" in whole) is is_chunked(request)


def test_a_request_is_passed_on_for_another_target() -> None:
    """Only the target is another one."""
    (request,) = RequestReader(API).feed(GET)

    assert GET.replace(b"/a?b=1", b"/x") == request_head(request, "/x")


@pytest.mark.parametrize("cut", range(CHUNKED.index(b"\r\n\r\n") + 4, len(CHUNKED)))
def test_a_diverted_body(cut: int) -> None:
    """A body that is diverted is not returned, whatever of it had come; the next request is."""
    reader = RequestReader(API)
    incoming = BodyStream(lambda is_full: None)

    assert [] == reader.feed(CHUNKED[:cut])
    reader.divert(incoming)
    assert reader.is_diverted
    (request,) = reader.feed(CHUNKED[cut:] + GET)

    assert ("/a?b=1", b"") == (request.target, request.body)
    assert (b"hello", True) == (incoming.take(), incoming.ended)
    assert not reader.is_diverted


REPLY = b"HTTP/1.1 200 Fine\r\nX-A: 1\r\nContent-Length: 2\r\n\r\nok"


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_a_reply_is_read(step: int) -> None:
    """Head, body and end of a reply are known however it is cut; interim ones are skipped, and the rest."""
    reader = ReplyReader("GET")
    data = b"HTTP/1.1 100 Continue\r\n\r\n" + REPLY
    for position in range(0, len(data), step):
        assert not reader.complete
        reader.feed(data[position : position + step])
    reader.feed(b"HTTP/1.1 nonsense")

    assert reader.whole is not None
    assert (200, "Fine", {"X-A": "1", "Content-Length": "2"}, b"ok", True, True, False) == (
        reader.whole.status,
        reader.whole.reason,
        dict(reader.whole.headers),
        reader.whole.body,
        reader.complete,
        reader.keep_alive,
        reader.switched,
    )


@pytest.mark.parametrize(
    ("method", "data", "complete", "keep_alive", "switched"),
    [
        pytest.param("HEAD", REPLY[:-2], True, True, False, id="HEAD has no body"),
        pytest.param("HEAD", b"HTTP/1.1 200 OK\r\n\r\n", True, True, False, id="HEAD without a length"),
        pytest.param(
            "HEAD", b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", True, False, False, id="HEAD closes"
        ),
        pytest.param("HEAD", b"HTTP/1.0 200 OK\r\n\r\n", True, False, False, id="HEAD of 1.0"),
        pytest.param("GET", b"HTTP/1.1 204 No\r\n\r\n", True, True, False, id="no content"),
        pytest.param("GET", b"HTTP/1.1 200 OK\r\n\r\nabc", False, False, False, id="to the end"),
        pytest.param(
            "GET",
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
            True,
            False,
            False,
            id="closes",
        ),
        pytest.param(
            "GET",
            b"HTTP/1.1 101 Up\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nabc",
            True,
            True,
            True,
            id="switches",
        ),
    ],
)
def test_the_end_of_a_reply(
    method: str, data: bytes, complete: bool, keep_alive: bool, switched: bool
) -> None:
    """Where a reply ends, and what comes after it."""
    reader = ReplyReader(method)
    reader.feed(data)

    assert (complete, switched) == (reader.complete, reader.switched)
    assert switched or keep_alive is reader.keep_alive


def test_a_long_body_is_cut() -> None:
    """The body of a reply is kept up to a limit, and its length beyond that."""
    reader = ReplyReader("GET")
    assert reader.whole is None
    reader.feed(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (MOST_KEPT + 2))
    reader.feed(b"x" * MOST_KEPT)
    assert MOST_KEPT == len(body_of(reader))
    reader.feed(b"x")
    assert MOST_KEPT == len(body_of(reader))
    reader.feed(b"x")

    assert MOST_KEPT == len(body_of(reader))
    assert reader.whole is not None
    assert MOST_KEPT + 2 == reader.whole.body_length
    assert reader.complete


def body_of(reader: ReplyReader) -> bytes:
    assert reader.whole is not None
    return reader.whole.body
