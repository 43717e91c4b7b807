"""A `web.Response` that a handler returns is sent as aiohttp's own server sends it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer

from aiotest_kit import Upstream, mock

TEXT = "seven" * 300


def compressed(coding: web.ContentCoding | None = None, **options: Any) -> web.Response:
    response = web.Response(text=TEXT, **options)
    response.enable_compression(coding)
    return response


def the_last() -> web.Response:
    response = web.Response(text=TEXT)
    response.force_close()
    return response


def in_chunks() -> web.Response:
    response = web.Response(text=TEXT)
    response.enable_chunked_encoding()
    return response


def of_pieces() -> web.Response:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"

    return web.Response(body=pieces())


RESPONSES: dict[str, Callable[[], web.Response]] = {
    "compressed": compressed,
    "gzip": lambda: compressed(web.ContentCoding.gzip),
    "identity": lambda: compressed(web.ContentCoding.identity),
    "compressed before": lambda: compressed(headers={"Content-Encoding": "x-own"}),
    "the last": the_last,
    "in chunks": in_chunks,
    "of pieces": of_pieces,
    "204 with a body": lambda: web.Response(status=204, text="x"),
    "304 with a body": lambda: web.Response(status=304, text="x"),
}
FIELDS = ("Content-Encoding", "Content-Length", "Content-Type", "Transfer-Encoding", "Connection")


async def seen_at(url: str, accepted: str) -> object:
    """What a client sees."""
    timeout = aiohttp.ClientTimeout(total=10)
    async with aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as session:
        async with session.get(url, headers={"Accept-Encoding": accepted}) as response:
            body = await response.read()
            fields = {name: response.headers.get(name) for name in FIELDS}
        return response.status, fields, body


@pytest.mark.parametrize("accepted", ["gzip", "deflate, gzip", "identity"])
@pytest.mark.parametrize("make", RESPONSES.values(), ids=RESPONSES)
async def test_responses(make: Callable[[], web.Response], accepted: str) -> None:
    """Its settings hold, in memory and over a socket; a body that the status forbids is left out."""

    async def answer(request: object) -> web.Response:
        return make()

    async with RawTestServer(answer) as server:
        expected = await seen_at(str(server.make_url("/")), accepted)
    with mock() as router:
        router.get("http://api.test/").reply(answer)
        in_memory = await seen_at("http://api.test/", accepted)
    async with Upstream() as upstream:
        upstream.get("/").reply(answer)
        over_a_socket = await seen_at(str(upstream.url), accepted)

    assert expected == in_memory
    assert expected == over_a_socket
