"""`aiotest_kit.compat.aioresponses`: it does not wait for a body that aioresponses does not read."""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from aiotest_kit.compat.aioresponses import aioresponses

PLACE = "http://api.test/a"
SOON = aiohttp.ClientTimeout(total=5)


async def endless() -> AsyncIterator[bytes]:
    yield b"a"
    await asyncio.Event().wait()


async def nothing() -> AsyncIterator[bytes]:
    return
    yield b""


def in_multipart(part: Any) -> aiohttp.MultipartWriter:
    writer = aiohttp.MultipartWriter()
    writer.append(part)
    return writer


def in_form(value: Any) -> aiohttp.FormData:
    form = aiohttp.FormData()
    form.add_field("file", value, filename="a.txt")
    return form


@pytest.fixture
def pipe() -> Iterator[Any]:
    """A file that never ends, and that nobody writes to."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", 0) as file:
        yield file
    os.close(writing)


class Broken(io.RawIOBase):
    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        raise OSError("broken")


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda pipe: pipe, id="pipe"),
        pytest.param(lambda pipe: {"file": pipe}, id="pipe in a dict"),
        pytest.param(in_form, id="pipe in a form"),
        pytest.param(in_multipart, id="pipe in multipart"),
        pytest.param(lambda pipe: aiohttp.payload.AsyncIterablePayload(endless()), id="endless payload"),
        pytest.param(lambda pipe: in_multipart(endless()), id="endless part"),
    ],
)
async def test_bodies_outside_of_memory(
    make: Callable[[Any], Any], pipe: Any, m: aioresponses, session: aiohttp.ClientSession
) -> None:
    """They are not read: the call is answered, and has what it was given in `requests`."""
    m.post(PLACE, status=201)
    data = make(pipe)

    async with session.post(PLACE, data=data, timeout=SOON) as response:
        assert 201 == response.status

    assert data is m.requests["POST", URL(PLACE)][0].kwargs["data"]
    assert b"" == m.calls.one().request.body


async def test_files_are_left_as_they_are(
    m: aioresponses, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """Neither read nor closed: a test may look at what the code would have sent."""
    m.post(PLACE, repeat=True)
    path = tmp_path / "a.txt"
    path.write_bytes(b"content")

    with path.open("rb") as file:
        await session.post(PLACE, data=file)
        await session.post(PLACE, data={"file": file})
        assert (False, 0) == (file.closed, file.tell())
        assert b"content" == m.requests["POST", URL(PLACE)][0].kwargs["data"].read()


@pytest.mark.parametrize(
    ("data", "sent"),
    [
        pytest.param(b"bytes", b"bytes", id="bytes"),
        pytest.param("text", b"text", id="text"),
        pytest.param({"a": "b", "c": 1}, None, id="form with a number"),
        pytest.param({"a": "b"}, b"a=b", id="form"),
        pytest.param([("a", "b"), ("a", "c")], b"a=b&a=c", id="form as pairs"),
        pytest.param(io.BytesIO(b"in memory"), b"in memory", id="file in memory"),
        pytest.param(aiohttp.FormData({"a": "b"}), b"a=b", id="form data"),
    ],
)
async def test_bodies_in_memory(
    data: Any, sent: bytes | None, m: aioresponses, session: aiohttp.ClientSession
) -> None:
    """They are sent, and are in the log; what is used up by being sent can be sent again."""
    m.post(PLACE, repeat=True)

    for _ in range(2):
        assert 200 == (await session.post(PLACE, data=data, timeout=SOON)).status

    if sent is not None:
        assert [sent, sent] == [call.request.body for call in m.calls]


async def test_file_of_a_form_in_memory(m: aioresponses, session: aiohttp.ClientSession) -> None:
    """It is in the log as it would have been sent, and can be read afterwards."""
    m.post(PLACE)
    file = io.BytesIO(b"content")

    await session.post(PLACE, data=in_form(file))

    part = m.calls.one().request.post()["file"]
    assert not isinstance(part, str)
    assert ("a.txt", b"content") == (part.filename, part.body)
    assert b"content" == file.read()


HEADERS = {
    "nothing, but announced": ({}, {"Content-Length": "10"}, b"", b""),
    "nothing, just so": ({}, {"Content-Length": "0"}, b"", b""),
    "empty stream": ({"data": nothing}, {"Content-Length": "10"}, b"", b""),
    "too little": ({"data": b"ab"}, {"content-length": "10"}, b"ab", b""),
    "too much": ({"data": b"abc"}, {"Content-Length": "2"}, b"abc", b""),
    "no number": ({"data": b"abc"}, {"Content-Length": "all"}, b"abc", None),
    "just so": ({"data": b"ab"}, {"Content-Length": "2"}, b"ab", b"ab"),
    "text, just so": ({"data": "é"}, {"Content-Length": "2"}, "é".encode(), "é".encode()),
    "json": ({"json": [1]}, {"Content-Length": "50"}, b"[1]", b""),
    "chunked": ({}, {"Transfer-Encoding": "chunked"}, b"", None),
    "chunked bytes": ({"data": b"ab"}, {"Transfer-Encoding": "chunked"}, b"ab", None),
    "waits for a 100": ({"data": b"ab", "expect100": True}, {}, b"ab", b"ab"),
    "in chunks": ({"data": b"ab", "chunked": True, "compress": "gzip"}, {}, b"ab", b"ab"),
}


@pytest.mark.parametrize(("keywords", "headers", "recorded", "_"), HEADERS.values(), ids=HEADERS)
async def test_headers_that_announce_a_body(
    keywords: dict[str, Any], headers: dict[str, str], recorded: bytes, _: object, m: aioresponses
) -> None:
    """They are no promise: the call is answered at once, and so is the next of the session."""
    await check_two_calls(m, keywords, recorded, headers=headers)


@pytest.mark.parametrize(
    ("keywords", "headers", "_", "recorded"),
    [case for case in HEADERS.values() if case[3] is not None],
    ids=[name for name, case in HEADERS.items() if case[3] is not None],
)
async def test_headers_of_the_session_that_announce_a_body(
    keywords: dict[str, Any], headers: dict[str, str], _: object, recorded: bytes, m: aioresponses
) -> None:
    """The same; a body of another length than the session says is not sent."""
    await check_two_calls(m, keywords, recorded, of_session=headers)


async def check_two_calls(
    m: aioresponses, keywords: dict[str, Any], recorded: bytes, of_session: Any = None, headers: Any = None
) -> None:
    m.post(PLACE, status=201, body="answer", repeat=True)

    async with aiohttp.ClientSession(headers=of_session, timeout=SOON) as session:
        for _ in range(2):
            given = {name: value() if callable(value) else value for name, value in keywords.items()}
            async with session.post(PLACE, headers=headers, **given) as response:
                assert (201, "answer") == (response.status, await response.text())
                assert ["Content-Type"] == list(response.headers)
                assert (headers or of_session or {}).items() <= dict(response.request_info.headers).items()

    assert [recorded, recorded] == [call.request.content for call in m.calls]


async def test_a_file_that_cannot_be_read(m: aioresponses, session: aiohttp.ClientSession) -> None:
    """Nobody reads it."""
    m.post(PLACE)

    assert 200 == (await session.post(PLACE, data=Broken())).status


async def test_json_that_the_session_cannot_write(m: aioresponses) -> None:
    """It is noted and not sent, whatever the session's own function raises."""

    def refuse(value: object) -> str:
        raise KeyError(value)

    m.post(PLACE)
    async with aiohttp.ClientSession(json_serialize=refuse) as session:
        assert 200 == (await session.post(PLACE, json={"a": 1})).status

    m.assert_called_once_with(PLACE, "POST", json={"a": 1})
