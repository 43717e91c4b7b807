"""What the record keeps of long bodies, and how it says that it is not all, through each door."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from aiotest_kit import Reply, Request, Reset, Router, Upstream, UsageError, mock, mock_session

MOST = 10
LONG = b"0123456789abcdef"


@pytest.fixture(params=["memory", "loopback"])
async def api(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Router, URL]]:
    """A router that keeps ten bytes of a body, and where it is."""
    router = Router(keep_body=MOST)
    if request.param == "memory":
        with mock(router):
            yield router, URL("http://api.test")
    else:
        async with Upstream(router=router) as upstream:
            yield router, upstream.url


async def post(url: URL, body: bytes = LONG, **options: Any) -> bytes:
    async with aiohttp.ClientSession() as session, session.post(url, data=body, **options) as response:
        return await response.read()


def refusal(act: Callable[[], object]) -> str:
    with pytest.raises(UsageError) as caught:
        act()
    return str(caught.value)


async def handler(request: Request) -> Reply:
    """Answers with the body twice, once it has been read whole."""
    assert LONG == request.body
    await asyncio.sleep(0)
    return Reply(body=request.body * 2)


@pytest.mark.parametrize("kind", ["plain", "handler", "stream", "early", "serve"])
async def test_each_answer(api: tuple[Router, URL], kind: str) -> None:
    """The client and handlers have it all, the record its beginning, and what the length was."""
    router, url = api
    route = router.post("/a")
    if kind == "plain":
        route.reply(body=LONG * 2)
    elif kind == "handler":
        route.reply(handler)
    elif kind == "stream":
        route.stream([LONG, LONG])
    elif kind == "early":
        route.early().reply(body=LONG * 2)
    else:

        async def serve(request: web.BaseRequest) -> web.Response:
            return web.Response(body=await request.read() * 2)

        route.serve(serve)
    assert LONG * 2 == await post(url / "a")
    call = route.calls.one()
    assert call.reply is not None
    if kind != "early" or call.request.body:
        # Older aiohttp sends a body behind its head, when an early answer may have been given.
        assert (LONG[:MOST], len(LONG)) == (call.request.body, call.request.body_length)
    assert (LONG[:MOST], 2 * len(LONG)) == (call.reply.body, call.reply.body_length)
    assert {} == call.request.match_info


async def test_reading_it(api: tuple[Router, URL]) -> None:
    """What reads a body refuses one that is not whole, and says so."""
    router, url = api
    route = router.post("/{name}").reply(json=["0123456789"])
    await post(url / "a", headers={"Content-Type": "application/x-www-form-urlencoded"})
    request, reply = route.calls.one().request, route.calls.one().reply
    assert reply is not None
    assert "a" == request.match_info["name"]
    said = (
        f"the body of POST {url / 'a'} is not whole in the record: 10 of 16 bytes are kept; "
        "Router(keep_body=...) says how many"
    )
    for read in (request.text, request.json, request.post, lambda: request.content):
        assert said == refusal(read)
    said = (
        "the body of a reply with status 200 is not whole in the record: 10 of 14 bytes are kept; "
        "Router(keep_body=...) says how many"
    )
    for read in (reply.text, reply.json):
        assert said == refusal(read)


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ({"json": 5}, "json $   expected 5   actual <10 of 16 bytes are kept>"),
        ({"body": LONG}, "body   expected b'0123456789abcdef'   actual <10 of 16 bytes are kept>"),
        ({"body": "0123456789"}, "body   expected '0123456789'   actual <10 of 16 bytes are kept>"),
        ({"form": {"a": "b"}}, "form   expected {'a': 'b'}   actual <10 of 16 bytes are kept>"),
        ({"multipart": {"a": "b"}}, "multipart   expected {'a': 'b'}   actual <10 of 16 bytes are kept>"),
    ],
    ids=["json", "bytes", "text", "form", "multipart"],
)
async def test_comparing_it(api: tuple[Router, URL], asked: dict[str, Any], part: str) -> None:
    """What is asked of it in the log is not answered by the part that is kept."""
    router, url = api
    router.post("/a")
    await post(url / "a")
    assert not router.calls.where(**asked)
    with pytest.raises(AssertionError) as caught:
        router.calls.one(**asked)
    assert part in str(caught.value)
    assert router.calls[0] is router.calls.one(method="POST", url="/a", headers={"Content-Length": "16"})


async def test_what_fits(api: tuple[Router, URL]) -> None:
    """A body that is as long as is kept is whole."""
    router, url = api
    route = router.post("/a").reply(body=b"0123456789")
    await post(url / "a", json.dumps("01234567").encode())
    call = route.calls.one()
    assert "01234567" == call.request.json()
    assert call.reply is not None
    assert "0123456789" == call.reply.text()
    assert 10 == call.reply.body_length == call.request.body_length


async def test_misses(api: tuple[Router, URL]) -> None:
    """So it is with a request that no route answers; its report was made of all of it."""
    router, url = api
    router.post("/a", body="another")
    if url.host == "api.test":
        with pytest.raises(aiohttp.ClientError):
            await post(url / "a")
    else:
        await post(url / "a")
    assert (LONG[:MOST], 16) == (router.calls.one().request.body, router.calls.one().request.body_length)
    assert "actual '0123456789abcdef'" in router.misses[0].explain()
    router.reset()


async def test_one_reply_is_kept_once() -> None:
    """A reply that a route gives often takes the place of one in the record."""
    router = Router(keep_body=MOST)
    route = router.get("http://api.test/").reply(body=LONG)
    async with mock_session(router) as session:
        for _ in range(2):
            async with session.get("http://api.test/") as response:
                assert LONG == await response.read()
    first, second = route.calls
    assert first.reply is second.reply


async def test_second_attempt() -> None:
    """What aiohttp sends again is answered by its whole body."""
    router = Router(keep_body=MOST)
    route = router.put("http://api.test/{name}").reply(Reset(), attempts=1).reply(handler)
    async with mock_session(router) as session, session.put("http://api.test/a", data=LONG) as response:
        assert LONG * 2 == await response.read()
    call = route.calls.one()
    assert (2, LONG[:MOST], 16, "a") == (
        call.attempts,
        call.request.body,
        call.request.body_length,
        call.request.match_info["name"],
    )


@pytest.mark.parametrize(("keep_body", "kept"), [(0, 0), (None, 2 * 2**20), (2**20, 2**20)])
async def test_lengths(keep_body: int | None, kept: int) -> None:
    """None is all of it; a MiB is what is kept by default."""
    router = Router() if keep_body == 2**20 else Router(keep_body=keep_body)
    route = router.post("http://api.test/")
    async with (
        mock_session(router) as session,
        session.post("http://api.test/", data=io.BytesIO(bytes(2 * 2**20))),
    ):
        pass
    call = route.calls.one()
    assert (kept, 2 * 2**20) == (len(call.request.body), call.request.body_length)


@pytest.mark.parametrize("given", [-1, 0.5, "1"])
def test_wrong_lengths(given: Any) -> None:
    """It is a number of bytes."""
    with pytest.raises(UsageError) as caught:
        Router(keep_body=given)
    assert f"keep_body= is a number of bytes, or None for all; got {given!r}" == str(caught.value)
