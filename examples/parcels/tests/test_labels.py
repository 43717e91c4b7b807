"""Labels: the carrier's bytes, passed on as they come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import aiohttp
import pytest

if TYPE_CHECKING:
    from aiohttp import web
    from aiohttp.test_utils import TestClient

    from aiotest_kit import Router

    Api = TestClient[web.Request, web.Application]

PDF = {"Content-Type": "application/pdf"}


async def test_a_label_is_passed_on_unchanged(api: Api, postbox: Router, parcel: str) -> None:
    """Type, length and bytes are the carrier's; the name to save it by is ours."""
    label = postbox.get("/labels/{number}.pdf").reply(200, body=b"%PDF-1.7 \x00\xff %%EOF", headers=PDF)

    answer = await api.get(f"{parcel}/label")

    assert await answer.read() == b"%PDF-1.7 \x00\xff %%EOF"
    assert answer.content_type == "application/pdf"
    assert answer.content_length == 17
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{parcel.split("/")[2]}.pdf"'
    # a compressed label would have a length that is not that of the bytes we pass on
    label.assert_called_once_with(headers={"Accept-Encoding": "identity"})


async def test_a_label_of_unknown_length_is_chunked(api: Api, postbox: Router, parcel: str) -> None:
    """Chunks with a pause between them are still one label."""
    postbox.get("/labels/PB1.pdf").stream([b"%PDF", 0.001, b"-1.7", b"%%EOF"], headers=PDF)

    answer = await api.get(f"{parcel}/label")

    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert await answer.read() == b"%PDF-1.7%%EOF"


async def test_a_label_is_not_kept_until_it_is_whole(api: Api, postbox: Router, parcel: str) -> None:
    """The customer has the beginning before the carrier has made the end."""
    beginning_read = asyncio.Event()

    async def slow_printer() -> AsyncIterator[bytes]:
        yield b"%PDF-1.7"
        await beginning_read.wait()
        yield b"%%EOF"

    postbox.get("/labels/PB1.pdf").stream(slow_printer, headers=PDF)

    answer = await api.get(f"{parcel}/label")
    assert await answer.content.readexactly(8) == b"%PDF-1.7"
    beginning_read.set()
    assert await answer.read() == b"%%EOF"


async def test_a_customer_who_hangs_up_frees_the_carrier(api: Api, postbox: Router, parcel: str) -> None:
    """A label without end stops being made when nobody reads it any more."""
    stopped = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x" * 65536
        finally:
            stopped.set()

    postbox.get("/labels/PB1.pdf").stream(endless, headers=PDF)

    answer = await api.get(f"{parcel}/label")
    await answer.content.readexactly(1_000_000)
    answer.close()

    await asyncio.wait_for(stopped.wait(), timeout=5)


async def test_half_a_label_does_not_look_whole(
    api: Api, postbox: Router, parcel: str, caplog: pytest.LogCaptureFixture
) -> None:
    """When the carrier breaks off, so do we: after the status, only a broken connection can tell."""

    async def breaks_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/pdf\r\nContent-Length: 100\r\n\r\n")
        writer.write(b"%PDF-1.7")
        await writer.drain()
        writer.close()

    postbox.get("/labels/PB1.pdf").raw(breaks_off)

    answer = await api.get(f"{parcel}/label")
    assert answer.status == 200
    with pytest.raises(aiohttp.ClientPayloadError):
        await answer.read()
    assert "broke off: postbox could not be asked (ClientPayloadError)" in caplog.text


async def test_a_label_is_asked_for_again_while_nothing_has_been_sent(
    api: Api, postbox: Router, parcel: str, slept: list[float]
) -> None:
    """Before the first byte a 503 is a reason to wait, as with any other call."""
    label = postbox.get("/labels/PB1.pdf").reply(503).reply(200, body=b"%PDF", headers=PDF)

    answer = await api.get(f"{parcel}/label")

    assert await answer.read() == b"%PDF"
    assert label.call_count == 2
    assert slept == [0.2]


async def test_a_label_that_is_not_ready_is_a_problem_not_a_pdf(
    api: Api, postbox: Router, parcel: str
) -> None:
    """The carrier's 404 page never reaches the customer."""
    postbox.get("/labels/PB1.pdf").reply(404, html="<h1>Nothing here</h1>")

    answer = await api.get(f"{parcel}/label")

    assert answer.status == 422
    problem = await answer.json(content_type="application/problem+json")
    assert problem["detail"] == "postbox refused (answered 404)"
