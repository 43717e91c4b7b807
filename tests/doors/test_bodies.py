"""Bodies both ways: encodings, uploads of every kind, and 100 MB without holding them."""

from __future__ import annotations

import asyncio
import gc
import io
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import closing, contextmanager, nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from multidict import CIMultiDict

from aiotest_kit import Part, Router, UnmatchedRequest
from aiotest_kit._transport.memory import MemoryTransport

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.doors.conftest import Door, Settle

MB = 1024 * 1024
SMALL = 5 * MB
PIECE = bytes(64 * 1024)
PIECES = 1600  # of 64 KiB each: 100 MB

AIOHTTP = tuple(int(part) for part in aiohttp.__version__.split(".")[:2])

CODINGS = [
    "gzip",
    "deflate",
    pytest.param(
        "br",
        marks=pytest.mark.skipif(
            find_spec("brotli") is None and find_spec("brotlicffi") is None, reason="Brotli is not installed"
        ),
    ),
    pytest.param(
        "zstd",
        marks=pytest.mark.skipif(
            AIOHTTP < (3, 13) or (find_spec("backports") is None or find_spec("backports.zstd") is None),
            reason="zstd is not installed, or aiohttp does not know it",
        ),
    ),
]


# Down.


@pytest.mark.parametrize("coding", CODINGS)
async def test_compressed_reply(router: Router, session: aiohttp.ClientSession, coding: str) -> None:
    """A compressed reply is compressed on the wire and decoded by the client."""
    text = "all work and no play " * 1000
    router.get("http://a.test/").reply(text=text, compress=coding)
    async with session.get("http://a.test/") as response:
        assert coding == response.headers["Content-Encoding"]
        assert int(response.headers["Content-Length"]) < len(text) / 10
        assert text == await response.text()


async def test_compressed_reply_not_decoded(door: Door) -> None:
    """With `auto_decompress=False` the client sees the bytes on the wire."""
    door.router.get("http://a.test/").reply(body=b"x" * 500, compress="gzip")
    async with (
        door.open_session(auto_decompress=False) as session,
        session.get("http://a.test/") as response,
    ):
        data = await response.read()
    assert b"\x1f\x8b" == data[:2]
    assert b"x" * 500 == zlib.decompress(data, 16 + zlib.MAX_WBITS)


async def test_compressed_reply_piece_by_piece(router: Router, session: aiohttp.ClientSession) -> None:
    """A compressed body may come as a stream, cut anywhere."""
    packed = zlib.compress(b"0123456789" * 100)
    pieces = [packed[at : at + 3] for at in range(0, len(packed), 3)]
    router.get("http://a.test/").stream(pieces, headers={"Content-Encoding": "deflate"})
    async with session.get("http://a.test/") as response:
        assert b"0123456789" * 100 == await response.read()


# Up.


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_compressed_request(router: Router, session: aiohttp.ClientSession, coding: str) -> None:
    """A request that aiohttp compresses is recorded as it was sent."""
    route = router.post("http://a.test/")
    async with session.post("http://a.test/", data=b"x" * 500, compress=coding):
        pass
    request = route.calls.one().request
    assert coding == request.headers["Content-Encoding"]
    assert b"x" * 500 == zlib.decompress(request.body, 32 + zlib.MAX_WBITS)


async def test_form(router: Router, session: aiohttp.ClientSession) -> None:
    """A form is parsed, in order, repeated and empty fields included."""
    route = router.post("http://a.test/", form={"a": ["1", "2"], "b": "ü &=", "c": ""})
    fields = [("a", "1"), ("b", "ü &="), ("a", "2"), ("c", "")]
    async with session.post("http://a.test/", data=aiohttp.FormData(fields)) as response:
        assert 200 == response.status
    request = route.calls.one().request
    assert "application/x-www-form-urlencoded" == request.content_type
    assert fields == list(request.post().items())


async def test_multipart_form(router: Router, session: aiohttp.ClientSession, tmp_path: Path) -> None:
    """A multipart form is parsed: fields as text, files with name, type and content."""
    route = router.post("http://a.test/")
    (tmp_path / "photo.png").write_bytes(b"\x89PNG\r\n\r\n--x\r\n")
    with (tmp_path / "photo.png").open("rb") as photo:
        form = aiohttp.FormData()
        form.add_field("title", "Grüße")
        form.add_field("photo", photo)
        form.add_field("data", io.BytesIO(b"1;2"), filename="numbers.csv", content_type="text/csv")
        async with session.post("http://a.test/", data=form):
            pass
    request = route.calls.one().request
    assert "multipart/form-data" == request.content_type
    fields = request.post()
    assert ["title", "photo", "data"] == list(fields)
    assert "Grüße" == fields["title"]
    photo_part, data_part = fields["photo"], fields["data"]
    assert isinstance(photo_part, Part)
    assert isinstance(data_part, Part)
    assert ("photo.png", "image/png", b"\x89PNG\r\n\r\n--x\r\n") == (
        photo_part.filename,
        photo_part.content_type,
        photo_part.body,
    )
    assert ("numbers.csv", "text/csv", b"1;2") == (data_part.filename, data_part.content_type, data_part.body)


async def test_multipart_mixed(router: Router, session: aiohttp.ClientSession) -> None:
    """Parts of any multipart type are parsed, with their headers and encodings."""
    route = router.post("http://a.test/")
    with aiohttp.MultipartWriter("mixed") as writer:
        writer.append("plain")
        writer.append_json({"a": 1})
        writer.append(b"\x00\xff" * 20, CIMultiDict({"Content-Transfer-Encoding": "base64"}))
    async with session.post("http://a.test/", data=writer):
        pass
    request = route.calls.one().request
    assert "multipart/mixed" == request.content_type
    plain, document, binary = request.multipart()
    assert ("plain", "text/plain") == (plain.text(), plain.content_type)
    assert ('{"a": 1}', "application/json") == (document.text(), document.content_type)
    assert (b"\x00\xff" * 20, "base64") == (binary.body, binary.headers["Content-Transfer-Encoding"])


UPLOADS: dict[str, Callable[[Path], Any]] = {
    "bytes": lambda path: b"abc" * 100,
    "bytearray": lambda path: bytearray(b"abc" * 100),
    "text": lambda path: "abc" * 100,
    "file": lambda path: path.open("rb"),
    "text-file": lambda path: path.open(),
    "bytesio": lambda path: io.BytesIO(b"abc" * 100),
    "stringio": lambda path: io.StringIO("abc" * 100),
    "generator": lambda path: slowly(100),
}


async def slowly(count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        await asyncio.sleep(0)
        yield b"abc"


@pytest.mark.parametrize("make", UPLOADS.values(), ids=UPLOADS)
async def test_upload(
    router: Router, session: aiohttp.ClientSession, tmp_path: Path, make: Callable[[Path], Any]
) -> None:
    """Whatever aiohttp takes as a body arrives whole, with the framing that aiohttp gives it."""
    path = tmp_path / "abc"
    path.write_bytes(b"abc" * 100)
    route = router.put("http://a.test/", body=b"abc" * 100).reply(201)
    data = make(path)
    with closing(data) if hasattr(data, "close") else nullcontext():
        async with session.put("http://a.test/", data=data) as response:
            assert 201 == response.status
    headers = route.calls.one().request.headers
    framing = ("300", None) if not hasattr(data, "__anext__") else (None, "chunked")
    assert framing == (headers.get("Content-Length"), headers.get("Transfer-Encoding"))


@pytest.mark.parametrize("expect100", [False, True], ids=["plain", "expect-continue"])
async def test_json_that_comes_after_its_head(
    router: Router, session: aiohttp.ClientSession, expect100: bool
) -> None:
    """A route that asks for JSON waits for a body that comes apart from its head."""

    async def later() -> AsyncIterator[bytes]:
        for piece in (b'{"a"', b": 1}"):
            for _ in range(5):
                await asyncio.sleep(0)
            yield piece

    wrong = router.post("http://a.test/").optional()
    right = router.post("http://a.test/", json={"a": 1})
    async with session.post("http://a.test/", data=later(), expect100=expect100) as response:
        assert 200 == response.status
    assert (0, 1) == (wrong.call_count, right.call_count)


@pytest.mark.parametrize("depth", [100, 800, 60_000])
async def test_json_that_is_nested_deep(door: Door, depth: int) -> None:
    """A body that is not the JSON asked for is a mismatch, also where it is too deep to be parsed."""
    router = door.router
    router.post("http://a.test/", json={"a": 1}).optional()
    route = router.post("http://a.test/", body=b"[" * depth + b"]" * depth).reply(201, times=1)
    async with door.open_session() as session:
        async with session.post("http://a.test/", data=b"[" * depth + b"]" * depth) as response:
            assert 201 == response.status
        for body in (b"[" * depth + b"]" * depth, b"[" * depth):
            with pytest.raises(UnmatchedRequest, match=r"json \$") if door.is_in_memory else nullcontext():
                async with session.post("http://a.test/", data=body) as response:
                    assert 501 == response.status
    assert (1, 2) == (route.call_count, len(router.misses))
    assert not router.handler_errors


# Much.


def pipes() -> list[MemoryTransport]:
    """Every open end of a connection in memory."""
    # By its type: to ask some libraries' objects for their class is to set them up.
    objects = gc.get_objects()
    return [each for each in objects if type(each) is MemoryTransport and not each.is_closing()]


def held(ends: list[MemoryTransport]) -> int:
    """The bytes that are between the ends now."""
    return sum(end._inbox_size for end in ends)


@contextmanager
def little_memory() -> Iterator[None]:
    """Fail if, at any time, the block holds more than 5 MB that it did not hold before."""
    gc.collect()
    tracemalloc.start(1)
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < SMALL


async def discard_chunks(reader: asyncio.StreamReader) -> int:
    """Read to the end of a chunked body; return how many bytes that were, framing included."""
    size, tail = 0, b""
    while not tail.endswith(b"\r\n0\r\n\r\n"):
        data = await reader.read(len(PIECE))
        assert data, "the body was cut off"
        size += len(data)
        tail = (tail + data)[-7:]
    return size


@pytest.mark.memory_door
async def test_100_mb_up(router: Router, session: aiohttp.ClientSession) -> None:
    """100 MB of upload arrive, and under 5 MB are on their way at any time."""
    route = router.put("http://a.test/")
    most = 0
    ends: list[MemoryTransport] = []

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal most
        ends.extend(pipes())
        for _ in range(PIECES):
            yield PIECE
            most = max(most, held(ends))

    async with session.put("http://a.test/", data=pieces()) as response:
        assert 200 == response.status
    assert PIECES * len(PIECE) == route.calls.one().request.body_length
    assert 0 < most < SMALL


async def test_100_mb_up_from_bytes(router: Router, session: aiohttp.ClientSession) -> None:
    """One object of 100 MB is uploaded whole."""
    data = bytes(100 * MB)
    router.bound_log(keep=None, keep_body=None)
    route = router.put("http://a.test/")
    async with session.put("http://a.test/", data=io.BytesIO(data)) as response:
        assert 200 == response.status
    assert data == route.calls.one().request.body


async def test_100_mb_up_to_a_script_that_discards(router: Router, session: aiohttp.ClientSession) -> None:
    """100 MB of upload that nobody keeps never take 5 MB of memory."""
    size = 0

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal size
        await reader.readuntil(b"\r\n\r\n")
        size = await discard_chunks(reader)
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    async def pieces() -> AsyncIterator[bytes]:
        for number in range(PIECES):
            yield bytes([number % 256]) * len(PIECE)

    router.put("http://a.test/").raw(count)
    with little_memory():
        async with session.put("http://a.test/", data=pieces()) as response:
            assert 204 == response.status
    assert size > PIECES * len(PIECE)


@pytest.mark.memory_door
async def test_100_mb_down_discarded(router: Router, session: aiohttp.ClientSession) -> None:
    """100 MB of download that nobody keeps: the bytes in the pipe stay under 5 MB."""
    most = 0
    ends: list[MemoryTransport] = []

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal most
        ends.extend(pipes())
        for number in range(PIECES):
            yield bytes([number % 256]) * len(PIECE)
            most = max(most, held(ends))

    router.get("http://a.test/").stream(pieces)
    size = 0
    async with session.get("http://a.test/") as response:
        async for data in response.content.iter_any():
            size += len(data)
    assert PIECES * len(PIECE) == size
    assert 0 < most < SMALL


async def test_100_mb_down_from_a_script(router: Router, session: aiohttp.ClientSession) -> None:
    """100 MB of download that nobody keeps never take 5 MB of memory."""

    async def send(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (PIECES * len(PIECE)))
        for number in range(PIECES):
            writer.write(bytes([number % 256]) * len(PIECE))
            await writer.drain()

    router.get("http://a.test/").raw(send)
    size = 0
    with little_memory():
        async with session.get("http://a.test/") as response:
            async for data in response.content.iter_any():
                size += len(data)
    assert PIECES * len(PIECE) == size


@pytest.mark.memory_door
async def test_100_mb_down_of_one_reply(router: Router, session: aiohttp.ClientSession) -> None:
    """One static body of 100 MB goes through the pipe bit by bit."""
    body = bytes(range(256)) * (100 * MB // 256)
    router.get("http://a.test/").reply(body=body)
    most, at = 0, 0
    async with session.get("http://a.test/") as response:
        ends = pipes()
        async for data in response.content.iter_any():
            assert body[at : at + len(data)] == data
            at += len(data)
            most = max(most, held(ends))
    assert len(body) == at
    assert 0 < most < SMALL


@pytest.mark.memory_door
async def test_a_client_that_does_not_read_stops_the_stream(
    router: Router, session: aiohttp.ClientSession, settle: Settle
) -> None:
    """A response that is not read stops its generator after a few hundred KiB; reading it lets it go on."""
    made = 0

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal made
        for _ in range(PIECES):
            made += 1
            yield PIECE

    router.get("http://a.test/").stream(pieces)
    async with session.get("http://a.test/") as response:
        await settle()
        stopped_at = made
        await settle()
        assert stopped_at == made
        assert 0 < stopped_at * len(PIECE) < SMALL
        async for _ in response.content.iter_any():
            pass
    assert PIECES == made


async def test_a_script_that_does_not_read_stops_the_upload(
    router: Router, session: aiohttp.ClientSession, settle: Settle
) -> None:
    """An upload that is not read stops its generator after a few hundred KiB; reading lets it go on."""
    made = 0
    go_on = asyncio.Event()

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal made
        for _ in range(PIECES):
            made += 1
            yield PIECE

    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await go_on.wait()
        await discard_chunks(reader)
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    async def upload() -> int:
        async with session.put("http://a.test/", data=pieces()) as response:
            return response.status

    router.put("http://a.test/").raw(stall)
    task = asyncio.create_task(upload())
    stopped_at = -1
    for _ in range(100):
        # Over a socket it takes a moment until it begins, and until it stops.
        await settle()
        if 0 < made == stopped_at:
            break
        stopped_at = made
    assert 0 < stopped_at * len(PIECE) < SMALL
    assert all(end.get_write_buffer_size() < SMALL for end in pipes())
    go_on.set()
    assert 204 == await task
    assert PIECES == made


@pytest.mark.memory_door
async def test_a_thousand_calls_at_once(door: Door) -> None:
    """1,000 calls are answered while all of them wait, each with its own answer."""
    route = door.router.get("http://a.test/{number}")
    route.reply(lambda request: {"number": int(request.match_info["number"])})
    gate = route.hold()

    async def call(number: int) -> int:
        async with session.get(f"http://a.test/{number}") as response:
            answer: dict[str, int] = await response.json()
            return answer["number"]

    async with door.open_session(connector=aiohttp.TCPConnector(limit=0)) as session:
        calls = asyncio.gather(*(call(number) for number in range(1000)))
        await gate.waiting(1000, timeout=5)
        gate.release()
        assert list(range(1000)) == await calls
    assert 1000 == route.call_count


async def test_a_thousand_calls_through_a_hundred_connections(
    router: Router, session: aiohttp.ClientSession
) -> None:
    """1,000 calls through a pool of the default size are all answered."""
    router.post("http://a.test/").reply(json={"ok": True})

    async def call(number: int) -> bool:
        async with session.post("http://a.test/", json=number) as response:
            answer: dict[str, bool] = await response.json()
            return answer["ok"]

    assert [True] * 1000 == await asyncio.gather(*(call(number) for number in range(1000)))
    assert set(range(1000)) == {call.request.json() for call in router.calls}
