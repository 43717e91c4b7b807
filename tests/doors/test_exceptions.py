"""Exceptions as replies, the silent retry, sequences, and answers that are held."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import web

from aiotest_kit import Disconnect, Reply, Request, Router, TLSFailure, UnmatchedRequest

if TYPE_CHECKING:
    from tests.doors.conftest import Door

pytestmark = pytest.mark.memory_door


class Custom(Exception):
    pass


RAISED: dict[str, tuple[BaseException | type[BaseException], type[BaseException]]] = {
    "instance": (aiohttp.ServerTimeoutError("slow"), aiohttp.ServerTimeoutError),
    "class": (aiohttp.ServerTimeoutError, aiohttp.ServerTimeoutError),
    "client-error": (aiohttp.ClientError("x"), aiohttp.ClientError),
    "payload-error": (aiohttp.ClientPayloadError("x"), aiohttp.ClientPayloadError),
    "disconnected": (aiohttp.ServerDisconnectedError(), aiohttp.ServerDisconnectedError),
    "timeout": (asyncio.TimeoutError(), asyncio.TimeoutError),
    "timeout-class": (asyncio.TimeoutError, asyncio.TimeoutError),
    "os-error": (ConnectionResetError(104, "Connection reset by peer"), aiohttp.ClientOSError),
    "custom": (Custom("mine"), Custom),
    "custom-class": (Custom, Custom),
    "cancelled": (asyncio.CancelledError(), asyncio.CancelledError),
}


@pytest.mark.parametrize(("given", "seen"), RAISED.values(), ids=RAISED)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_raised(
    router: Router,
    session: aiohttp.ClientSession,
    method: str,
    given: BaseException | type[BaseException],
    seen: type[BaseException],
) -> None:
    """An exception is raised from the call, an instance as itself, an `OSError` as aiohttp wraps it."""
    route = router.any("http://a.test/").reply(given)
    with pytest.raises(seen) as raised:
        await session.request(method, "http://a.test/")
    assert seen is type(raised.value)
    call = route.calls.one()
    assert call.exception is not None
    assert type(call.exception) is (given if isinstance(given, type) else type(given))
    if isinstance(given, BaseException) and type(given) is seen:
        assert given is raised.value is call.exception
    assert None is call.reply


async def test_raised_again_and_again(router: Router, session: aiohttp.ClientSession) -> None:
    """One instance may be raised many times, and does not grow."""
    error = Custom()
    router.get("http://a.test/").reply(error)
    depths = []
    for _ in range(3):
        with pytest.raises(Custom) as raised:
            await session.get("http://a.test/")
        depths.append(len(raised.traceback))
    assert depths[0] == depths[2]


async def test_the_connection_ends_with_an_exception(door: Door) -> None:
    """After an exception the session goes on with another connection."""
    route = door.router.get("http://a.test/")
    route.reply(text="1").reply(Custom()).reply(text="2")
    connector = aiohttp.TCPConnector(limit=1)
    async with door.open_session(connector=connector) as session:
        async with session.get("http://a.test/") as response:
            assert "1" == await response.text()
        with pytest.raises(Custom):
            await session.get("http://a.test/")
        async with session.get("http://a.test/") as response:
            assert "2" == await response.text()


IDEMPOTENT = {"GET": 2, "HEAD": 2, "OPTIONS": 2, "PUT": 2, "DELETE": 2, "POST": 1, "PATCH": 1}


@pytest.mark.parametrize(("method", "attempts"), IDEMPOTENT.items(), ids=IDEMPOTENT)
@pytest.mark.parametrize("how", ["exception", "script"])
async def test_retry_is_one_call(
    router: Router, session: aiohttp.ClientSession, method: str, attempts: int, how: str
) -> None:
    """aiohttp's silent retry of an idempotent request meets the same, and is one call with two attempts."""

    async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")

    route = router.any("http://a.test/")
    if how == "script":
        route.raw(close, times=1)
    else:
        route.reply(aiohttp.ServerDisconnectedError(), times=1)
    route.reply(204)
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await session.request(method, "http://a.test/")
    assert [attempts] == [call.attempts for call in route.calls]
    async with session.request(method, "http://a.test/") as response:
        assert 204 == response.status
    assert [attempts, 1] == [call.attempts for call in route.calls]


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_retry_by_a_middleware(door: Door, method: str) -> None:
    """What a middleware of the client sends again is a call of its own, and meets the next answer."""
    pytest.importorskip("aiohttp", minversion="3.12")

    async def insist(request: aiohttp.ClientRequest, handler: Any) -> aiohttp.ClientResponse:
        for _ in range(2):
            with suppress(aiohttp.ClientError):
                response: aiohttp.ClientResponse = await handler(request)
                return response
        again: aiohttp.ClientResponse = await handler(request)
        return again

    route = door.router.any("http://a.test/").reply(Disconnect(), times=1)
    route.reply(aiohttp.ServerTimeoutError("slow"), times=1).reply(text="then")

    async with (
        door.open_session(middlewares=[insist]) as session,
        session.request(method, "http://a.test/") as response,
    ):
        assert "then" == await response.text()
    assert [1, 1, 1] == [call.attempts for call in route.calls]


async def test_retry_of_a_failed_handshake_by_a_middleware(door: Door) -> None:
    """A connection that failed leaves nothing for the next one."""
    pytest.importorskip("aiohttp", minversion="3.12")

    async def insist(request: aiohttp.ClientRequest, handler: Any) -> aiohttp.ClientResponse:
        with suppress(aiohttp.ClientSSLError):
            response: aiohttp.ClientResponse = await handler(request)
            return response
        again: aiohttp.ClientResponse = await handler(request)
        return again

    route = door.router.get("https://a.test/").reply(TLSFailure("expired"), times=1).reply(text="then")

    async with door.open_session(middlewares=[insist]) as session, session.get("https://a.test/") as response:
        assert "then" == await response.text()
    assert 2 == route.call_count


async def test_fault_by_a_handler(router: Router, session: aiohttp.ClientSession) -> None:
    """The fault that a handler returns holds for all attempts of the call; it is asked once."""
    answers = iter([Disconnect(), 204])
    route = router.get("http://a.test/").reply(lambda request: next(answers))

    with pytest.raises(aiohttp.ServerDisconnectedError):
        await session.get("http://a.test/")
    async with session.get("http://a.test/") as response:
        assert 204 == response.status
    assert [2, 1] == [call.attempts for call in route.calls]


async def test_one_attempt_only(router: Router, session: aiohttp.ClientSession) -> None:
    """With `attempts=1` the retry gets the next answer: one call, two attempts, one success."""
    route = router.get("http://a.test/")
    route.reply(aiohttp.ServerDisconnectedError(), attempts=1).reply(text="then")
    async with session.get("http://a.test/") as response:
        assert "then" == await response.text()
    call = route.calls.one()
    assert 2 == call.attempts
    assert call.reply is not None
    assert "then" == call.reply.text()


async def test_one_attempt_only_of_a_post(router: Router, session: aiohttp.ClientSession) -> None:
    """A POST is not retried, so `attempts=1` fails it."""
    route = router.post("http://a.test/")
    route.reply(aiohttp.ServerDisconnectedError(), attempts=1).reply(204)
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await session.post("http://a.test/")
    assert 1 == route.calls.one().attempts


async def test_calls_at_once_are_not_attempts_of_each_other(
    router: Router, session: aiohttp.ClientSession
) -> None:
    """Calls of the same URL at once are each retried as itself."""
    route = router.get("http://a.test/").reply(aiohttp.ServerDisconnectedError())
    results = await asyncio.gather(*(session.get("http://a.test/") for _ in range(5)), return_exceptions=True)
    assert [aiohttp.ServerDisconnectedError] * 5 == [type(result) for result in results]
    assert [2] * 5 == [call.attempts for call in route.calls]


# Sequences.


async def statuses(session: aiohttp.ClientSession, count: int) -> list[int]:
    found = []
    for _ in range(count):
        async with session.get("http://a.test/") as response:
            found.append(response.status)
    return found


async def test_sequence(router: Router, session: aiohttp.ClientSession) -> None:
    """Each answer is given once, or `times` times, and the last one for ever."""
    router.get("http://a.test/").reply(503, times=2).reply(429).reply(200)
    assert [503, 503, 429, 200, 200] == await statuses(session, 5)


async def test_spent_route_gives_way(router: Router, session: aiohttp.ClientSession) -> None:
    """A route whose last answer has `times` is spent, and the older route answers; then none does."""
    router.get("http://a.test/").reply(200, times=1)
    router.get("http://a.test/").reply(201, times=2)
    assert [201, 201, 200] == await statuses(session, 3)
    with pytest.raises(UnmatchedRequest, match=r"no route answered GET http://a.test/"):
        await statuses(session, 1)


async def test_every_kind_of_answer(router: Router, session: aiohttp.ClientSession) -> None:
    """`replies` takes any mix of answers, each given once."""

    async def handler(request: Request) -> web.Response:
        return web.Response(status=202, text=request.path)

    last = lambda request: [request.method]  # noqa: E731
    router.get("http://a.test/").replies(503, Custom(), Reply(201), handler, {"a": 1}, last)
    assert [503] == await statuses(session, 1)
    with pytest.raises(Custom):
        await statuses(session, 1)
    assert [201] == await statuses(session, 1)
    async with session.get("http://a.test/") as response:
        assert (202, "/") == (response.status, await response.text())
    for document in ({"a": 1}, ["GET"], ["GET"]):
        async with session.get("http://a.test/") as response:
            assert document == await response.json()


async def test_handler_error(door: Door) -> None:
    """An error in a handler is a 500 for the client, and is kept for the test."""

    async def handler(request: Request) -> int:
        raise LookupError("in the handler")

    router = door.router
    router.get("http://a.test/").reply(handler)
    async with door.open_session() as session:
        async with session.get("http://a.test/") as response:
            assert 500 == response.status
        (error,) = router.handler_errors
        assert "in the handler" == str(error.exception)
        router.reset()


# Holding.


async def test_hold(router: Router, session: aiohttp.ClientSession) -> None:
    """Held calls are recorded, wait, and go on in their order as they are released."""
    route = router.get("http://a.test/{number}").reply(204)
    gate = route.hold()
    calls = [asyncio.ensure_future(session.get(f"http://a.test/{number}")) for number in range(4)]
    await gate.waiting(4)
    assert (4, 4) == (gate.held, route.call_count)
    assert not any(call.done() for call in calls)
    gate.release(1)
    await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
    assert [True, False, False, False] == [call.done() for call in calls]
    gate.release(2)
    await asyncio.gather(*calls[:3])
    assert (1, False) == (gate.held, calls[3].done())
    gate.release()
    for call in calls:
        (await call).release()
    assert [204] == await statuses_of(session, "http://a.test/5")


async def statuses_of(session: aiohttp.ClientSession, url: str) -> list[int]:
    async with session.get(url) as response:
        return [response.status]


async def test_hold_that_nobody_reaches(router: Router) -> None:
    """Waiting at a gate that nobody reaches fails, saying how many came."""
    gate = router.get("http://a.test/").optional().hold()
    with pytest.raises(AssertionError, match="0 of 1 requests waited"):
        await gate.waiting(1, timeout=0.01)


@pytest.mark.parametrize(
    "answer", [Custom(), lambda request: 204, Reply(204)], ids=["error", "handler", "reply"]
)
async def test_hold_of_any_answer(router: Router, session: aiohttp.ClientSession, answer: object) -> None:
    """Whatever the answer is, it waits."""
    route = router.post("http://a.test/").reply(answer)
    gate = route.hold()
    call = asyncio.ensure_future(session.post("http://a.test/"))
    await gate.waiting(1)
    assert not call.done()
    gate.release()
    if isinstance(answer, Custom):
        with pytest.raises(Custom):
            await call
    else:
        assert 204 == (await call).status


async def test_wait_for_calls(router: Router, session: aiohttp.ClientSession) -> None:
    """`route.wait(n)` returns the calls as soon as there are that many."""
    route = router.post("http://a.test/")
    waiting = asyncio.ensure_future(route.wait(2))
    for number in range(2):
        assert not waiting.done()
        async with session.post("http://a.test/", json=number):
            pass
    assert [0, 1] == [call.request.json() for call in await waiting]
