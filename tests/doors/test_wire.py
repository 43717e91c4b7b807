"""The bytes: exactly what the stub says, and the framing that the body needs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import web
from multidict import CIMultiDict

from aiotest_kit import Reply, Router

if TYPE_CHECKING:
    from tests.doors.conftest import Door

EXACTLY: dict[str, tuple[Reply, bytes]] = {
    "nothing": (Reply(), b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    "text": (
        Reply(text="ü"),
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 2\r\n\r\n\xc3\xbc",
    ),
    "json": (
        Reply(201, json={"a": 1}),
        b'HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\n{"a": 1}',
    ),
    "form": (
        Reply(form={"a": "1 2"}),
        b"HTTP/1.1 200 OK\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        b"Content-Length: 5\r\n\r\na=1+2",
    ),
    "html": (
        Reply(html="<p>", content_type="text/html"),
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 3\r\n\r\n<p>",
    ),
    "reason": (
        Reply(404, reason="Gone Fishing", body=b"x"),
        b"HTTP/1.1 404 Gone Fishing\r\nContent-Length: 1\r\n\r\nx",
    ),
    "unknown-status": (Reply(299), b"HTTP/1.1 299 \r\nContent-Length: 0\r\n\r\n"),
    "header-case-and-order": (
        Reply(headers=[("x-lower", "1"), ("X-UPPER", "2"), ("eTag", "3"), ("x-Lower", "4")]),
        b"HTTP/1.1 200 OK\r\nx-lower: 1\r\nX-UPPER: 2\r\neTag: 3\r\nx-Lower: 4\r\nContent-Length: 0\r\n\r\n",
    ),
    "repeated": (
        Reply(headers={"Via": ["a", "b"]}, cookies={"c": "1", "d": "2"}),
        b"HTTP/1.1 200 OK\r\nVia: a\r\nVia: b\r\nSet-Cookie: c=1; Path=/\r\nSet-Cookie: d=2; Path=/\r\n"
        b"Content-Length: 0\r\n\r\n",
    ),
    "no-content": (Reply(204), b"HTTP/1.1 204 No Content\r\n\r\n"),
    "not-modified": (Reply(304, headers={"ETag": '"1"'}), b'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\n\r\n'),
    "chunked": (
        Reply(body=b"hello", headers={"Transfer-Encoding": "chunked"}),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    ),
    "trailers": (
        Reply(body=b"hello", trailers={"X-Sum": "5d41"}),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 5d41\r\n\r\n",
    ),
}


@pytest.mark.parametrize(("reply", "wire"), EXACTLY.values(), ids=EXACTLY)
async def test_reply_on_the_wire(
    router: Router, session: aiohttp.ClientSession, received: bytearray, reply: Reply, wire: bytes
) -> None:
    """The client receives these bytes and no others: no `Date`, no `Server`."""
    router.get("http://a.test/").reply(reply)
    async with session.get("http://a.test/") as response:
        assert reply.status == response.status
        assert reply.body == await response.read()
    assert wire == bytes(received)


async def test_headers_as_the_client_has_them(router: Router, session: aiohttp.ClientSession) -> None:
    """Names come in their order and case, repeated ones apart."""
    router.get("http://a.test/").reply(
        headers=[("x-b", "1"), ("X-A", "ü"), ("x-b", "2")], cookies={"c": "1", "d": "2"}
    )
    async with session.get("http://a.test/") as response:
        fields = [(name, value) for name, value in response.raw_headers if name != b"Content-Length"]
    assert [
        (b"x-b", b"1"),
        (b"X-A", "ü".encode()),
        (b"x-b", b"2"),
        (b"Set-Cookie", b"c=1; Path=/"),
        (b"Set-Cookie", b"d=2; Path=/"),
    ] == fields
    assert ["1", "2"] == response.headers.getall("X-B")


async def test_headers_as_the_router_has_them(door: Door) -> None:
    """A request's names come in their order and case, repeated ones apart."""
    route = door.router.get("http://a.test/")
    headers = [("x-b", "1"), ("X-A", "ü"), ("x-b", "2")]
    skip = ("Accept", "Accept-Encoding", "User-Agent")
    async with (
        door.open_session(skip_auto_headers=skip) as session,
        session.get("http://a.test/", headers=CIMultiDict(headers)),
    ):
        pass
    request = route.calls.one().request
    assert [
        (b"Host", b"a.test"),
        (b"x-b", b"1"),
        (b"X-A", "ü".encode()),
        (b"x-b", b"2"),
    ] == list(request.raw_headers)
    assert ["1", "2"] == request.headers.getall("X-B")


STATUSES: dict[str, tuple[object, tuple[int, str]]] = {
    "of a link checker": (999, (999, "")),
    "the last that is registered": (511, (511, "Network Authentication Required")),
    "the first of no class": (600, (600, "")),
    "with a reason": (Reply(999, reason="Denied"), (999, "Denied")),
    "a response's": (lambda request: web.Response(status=999, reason="Denied"), (999, "Denied")),
    "a handler's": (lambda request: 777, (777, "")),
    "a served response's": (None, (999, "Denied")),
}


@pytest.mark.parametrize(("answer", "told"), STATUSES.values(), ids=STATUSES)
async def test_every_final_status(
    router: Router, session: aiohttp.ClientSession, answer: object, told: tuple[int, str]
) -> None:
    """A final status is one of 200 to 999, from whatever it comes, and its connection is used again."""

    async def denied(request: web.BaseRequest) -> web.Response:
        return web.Response(status=999, reason="Denied", text="no")

    route = router.get("http://a.test/")
    route.serve(denied) if answer is None else route.reply(answer)
    for _ in range(2):
        async with session.get("http://a.test/") as response:
            await response.read()
            assert told == (response.status, response.reason)
    assert [told[0]] * 2 == [call.reply and call.reply.status for call in route.calls]


BODILESS = {
    "HEAD": ("HEAD", Reply(text="hello"), b"Content-Length: 5\r\n"),
    "HEAD-own-length": ("HEAD", Reply(headers={"Content-Length": "77"}), b"Content-Length: 77\r\n"),
    "204": ("GET", Reply(204), b"204"),
    "304": ("GET", Reply(304), b"304"),
    "HEAD-204": ("HEAD", Reply(204), b"204"),
}


@pytest.mark.parametrize(("method", "reply", "told"), BODILESS.values(), ids=BODILESS)
async def test_replies_without_body(
    router: Router,
    session: aiohttp.ClientSession,
    received: bytearray,
    method: str,
    reply: Reply,
    told: bytes,
) -> None:
    """Replies that may not have a body have none, and their connection is used again."""
    router.any("http://a.test/").reply(reply)
    for _ in range(2):
        async with session.request(method, "http://a.test/") as response:
            assert b"" == await response.read()
            assert reply.status == response.status
    assert told in received
    assert received.endswith(b"\r\n\r\n")
    assert 2 == received.count(b"\r\n\r\n")


async def test_head_of_a_stream(router: Router, session: aiohttp.ClientSession, received: bytearray) -> None:
    """A HEAD of a stream gets its headers and nothing of its body."""
    router.any("http://a.test/").stream([b"a", b"b"], headers={"X-A": "1"})
    async with session.head("http://a.test/") as response:
        assert "1" == response.headers["X-A"]
        assert b"" == await response.read()
    assert received.endswith(b"\r\n\r\n")
    assert 1 == received.count(b"\r\n\r\n")


async def test_chunks_of_a_stream(
    router: Router, session: aiohttp.ClientSession, received: bytearray
) -> None:
    """Each piece of a stream is one chunk, and the client sees where each ends."""
    router.get("http://a.test/").stream([b"one", "zwölf", b"", b"three"])
    chunks: list[bytes] = []
    async with session.get("http://a.test/") as response:
        assert "chunked" == response.headers["Transfer-Encoding"]
        pending = b""
        async for data, ended in response.content.iter_chunks():
            pending += data
            if ended and pending:
                chunks.append(pending)
                pending = b""
    assert [b"one", "zwölf".encode(), b"three"] == chunks
    assert received.endswith(b"3\r\none\r\n6\r\nzw\xc3\xb6lf\r\n5\r\nthree\r\n0\r\n\r\n")


async def test_stream_with_a_length(
    router: Router, session: aiohttp.ClientSession, received: bytearray
) -> None:
    """A stream that says its length is not chunked."""
    router.get("http://a.test/").stream([b"abc", b"de"], headers={"Content-Length": "5"})
    async with session.get("http://a.test/") as response:
        assert b"abcde" == await response.read()
    assert received.endswith(b"\r\n\r\nabcde")


async def test_stream_arrives_piece_by_piece(router: Router, session: aiohttp.ClientSession) -> None:
    """A piece is there before the next one is made."""
    go_on = asyncio.Event()

    async def pieces() -> Any:
        yield b"first"
        await go_on.wait()
        yield b"second"

    router.get("http://a.test/").stream(pieces)
    async with session.get("http://a.test/") as response:
        assert b"first" == await response.content.readany()
        go_on.set()
        assert b"second" == await response.content.readany()
        assert b"" == await response.content.readany()


async def test_trailers_are_no_headers(router: Router, session: aiohttp.ClientSession) -> None:
    """A body with trailers is read whole, and the connection is used again."""
    router.get("http://a.test/").reply(text="hello", trailers={"X-Sum": "1"})
    for _ in range(2):
        async with session.get("http://a.test/") as response:
            assert "hello" == await response.text()
            assert "X-Sum" not in response.headers
    assert 2 == router.call_count


@pytest.mark.parametrize("replied", ["static", "stream", "long"])
async def test_http_1_0(door: Door, received: bytearray, replied: str) -> None:
    """An HTTP/1.0 client is answered in HTTP/1.0, unchunked, and its connection ends."""
    body = bytes(1_000_000) if replied == "long" else b"hello"
    route = door.router.get("http://a.test/")
    if replied == "stream":
        route.stream([b"he", b"llo"])
    else:
        route.reply(body=body)
    async with door.open_session(version=aiohttp.HttpVersion10) as session:
        for _ in range(2):
            async with session.get("http://a.test/") as response:
                assert aiohttp.HttpVersion10 == response.version
                assert "Transfer-Encoding" not in response.headers
                assert body == await response.read()
    assert 2 == received.count(b"HTTP/1.0 200 OK\r\n")
    assert ["1.0", "1.0"] == [call.request.version for call in route.calls]


@pytest.mark.parametrize("data", [b"hello", b""], ids=["body", "empty"])
async def test_expect_continue(
    router: Router, session: aiohttp.ClientSession, received: bytearray, data: bytes
) -> None:
    """With `expect100` the body is asked for by `100 Continue`, once, before the reply."""
    route = router.post("http://a.test/").reply(201)
    async with session.post("http://a.test/", data=data, expect100=True) as response:
        assert 201 == response.status
    request = route.calls.one().request
    assert (data, "100-continue") == (request.body, request.headers["Expect"])
    if data:
        assert b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n" == received


async def test_expect_continue_refused(router: Router, session: aiohttp.ClientSession) -> None:
    """A script may refuse the body of a request that expects `100 Continue`."""
    sent = False

    async def pieces() -> Any:
        nonlocal sent
        sent = True
        yield b"body"

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"Expect: 100-continue" in head
        writer.write(b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n")

    router.post("http://a.test/").raw(refuse)
    async with session.post("http://a.test/", data=pieces(), expect100=True) as response:
        assert 417 == response.status
    assert not sent


async def test_script_that_answers_an_upload_early(router: Router, session: aiohttp.ClientSession) -> None:
    """A script starts with the head, and may answer before the body has come."""
    body_may_go = asyncio.Event()

    async def pieces() -> Any:
        yield b"a bit"
        await body_may_go.wait()

    async def early(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Much\r\nContent-Length: 0\r\n\r\n")

    router.put("http://a.test/").raw(early)
    async with session.put("http://a.test/", data=pieces()) as response:
        assert (413, "Too Much") == (response.status, response.reason)
    assert not body_may_go.is_set()


async def test_script_has_the_whole_request(router: Router, session: aiohttp.ClientSession) -> None:
    """A script reads the request from its first byte, and what it writes is what the client gets."""
    read = b""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal read
        read = await reader.readuntil(b"\r\n\r\n") + await reader.readexactly(4)
        writer.write(b"HTTP/1.1 200 Fine\r\nX-a: 1\r\n\r\nuntil the end")

    router.post("http://a.test/x").raw(script)
    async with session.post("http://a.test/x?y=1", data=b"body", headers={"X-Req": "1"}) as response:
        assert ("Fine", b"until the end") == (response.reason, await response.read())
    assert read.startswith(b"POST /x?y=1 HTTP/1.1\r\nHost: a.test\r\n")
    assert b"\r\nX-Req: 1\r\n" in read
    assert read.endswith(b"\r\n\r\nbody")


BROKEN = {
    "garbage": (b"nonsense\r\n\r\n", aiohttp.ClientResponseError),
    "cut-off-head": (b"HTTP/1.1 200 OK\r\nX-A", aiohttp.ServerDisconnectedError),
    "nothing": (b"", aiohttp.ServerDisconnectedError),
}


@pytest.mark.parametrize(("data", "expected"), BROKEN.values(), ids=BROKEN)
async def test_broken_replies(
    router: Router, session: aiohttp.ClientSession, data: bytes, expected: type[Exception]
) -> None:
    """Malformed bytes from a script are aiohttp's own errors."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(data)

    router.post("http://a.test/").raw(script)
    with pytest.raises(aiohttp.ClientError) as raised:
        await session.post("http://a.test/")
    assert expected is type(raised.value)


async def test_short_body(router: Router, session: aiohttp.ClientSession) -> None:
    """A reply that promises more than it has is `ClientPayloadError`, after what there is."""
    router.get("http://a.test/").reply(body=b"abc", headers={"Content-Length": "10"})
    async with session.get("http://a.test/") as response:
        assert b"abc" == await response.content.read(3)
        with pytest.raises(aiohttp.ClientPayloadError, match="not completed"):
            await response.read()


async def test_many_requests_on_one_connection(
    router: Router, session: aiohttp.ClientSession, received: bytearray
) -> None:
    """Replies of every framing follow each other on one connection."""
    route = router.any("http://a.test/")
    route.reply(text="one").stream([b"t", b"wo"]).reply(204).reply(lambda request: "four").reply(
        body=bytes(300_000)
    )
    bodies = []
    for _ in range(5):
        async with session.get("http://a.test/") as response:
            bodies.append(await response.read())
    assert [b"one", b"two", b"", b"four", bytes(300_000)] == bodies
    assert 5 == received.count(b"HTTP/1.1 ")
