"""`aiotest_kit.compat.aioresponses`: the calls it notes, its assertions, and the ways to open it."""

from __future__ import annotations

import asyncio
import sys
import unittest
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import aiohttp
import pytest
from yarl import URL

from aiotest_kit import UnmatchedRequest, UsageError, mock
from aiotest_kit.compat.aioresponses import aioresponses

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

PLACE = "http://api.test/a"


async def test_requests(m: aioresponses, session: aiohttp.ClientSession) -> None:
    """Calls are found by method and URL, with the keywords as they were when the call was made."""
    m.get("http://api.test/a?x=1&y=2", repeat=True)
    timeout, body = aiohttp.ClientTimeout(3), [1]
    for _ in range(2):
        await session.get(PLACE, params={"y": 2, "x": 1}, timeout=timeout, ssl=False, json=body)
        body.append(2)

    first, second = m.requests["GET", URL("http://api.test/a?x=1&y=2")]
    assert () == first.args
    assert {
        "allow_redirects": True,
        "json": [1],
        "params": {"y": 2, "x": 1},
        "ssl": False,
        "timeout": timeout,
    } == first.kwargs
    assert [1, 2] == second.kwargs["json"]


async def test_keywords_that_cannot_be_copied(m: aioresponses, session: aiohttp.ClientSession) -> None:
    """They are kept as they are."""

    class Once:
        def __deepcopy__(self, memo: object) -> Once:
            raise TypeError("cannot be copied")

    m.get(PLACE)
    once = Once()
    await session.get(PLACE, trace_request_ctx=once)

    assert once is m.requests["GET", URL(PLACE)][0].kwargs["trace_request_ctx"]


@pytest.mark.parametrize(
    ("calls", "assertion", "arguments", "message"),
    [
        pytest.param(0, "assert_not_called", {}, None, id="not called"),
        pytest.param(
            1, "assert_not_called", {}, "Expected 'aioresponses' to not have been called. Called 1 times."
        ),
        pytest.param(0, "assert_called", {}, "Expected 'aioresponses' to have been called."),
        pytest.param(1, "assert_called", {}, None, id="called"),
        pytest.param(1, "assert_called_once", {}, None, id="called once"),
        pytest.param(
            2, "assert_called_once", {}, "Expected 'aioresponses' to have been called once. Called 2 times."
        ),
        pytest.param(2, "assert_called_with", {"url": PLACE, "json": [1]}, None, id="last keywords"),
        pytest.param(
            1,
            "assert_called_with",
            {"url": PLACE, "json": [1]},
            "aioresponses(RequestCall(args=(), kwargs={'allow_redirects': True, 'json': [0]})) != "
            "aioresponses(RequestCall(args=(), kwargs={'json': [1], 'allow_redirects': True}))",
        ),
        pytest.param(1, "assert_called_with", {"url": PLACE, "args_to_match": []}, None, id="none of them"),
        pytest.param(
            1, "assert_called_with", {"url": PLACE, "args_to_match": ["json"], "json": [0]}, None, id="named"
        ),
        pytest.param(
            1,
            "assert_called_with",
            {"url": "http://api.test/b", "method": "put"},
            "aioresponses('http://api.test/b', method='put') call not found",
        ),
        pytest.param(1, "assert_any_call", {"url": PLACE, "json": "whatever"}, None, id="any call"),
        pytest.param(
            1,
            "assert_any_call",
            {"url": PLACE, "params": {"x": 1}},
            "aioresponses('http://api.test/a', method='GET', params={'x': 1}) call not found",
        ),
        pytest.param(1, "assert_called_once_with", {"url": PLACE, "json": [0]}, None, id="once with"),
    ],
)
async def test_assertions(
    calls: int,
    assertion: str,
    arguments: dict[str, Any],
    message: str | None,
    m: aioresponses,
    session: aiohttp.ClientSession,
) -> None:
    """Each assertion passes, or fails with what it expected."""
    m.get(PLACE, repeat=True)
    for number in range(calls):
        await session.get(PLACE, json=[number])

    if message is None:
        getattr(m, assertion)(**arguments)
    else:
        with pytest.raises(AssertionError) as caught:
            getattr(m, assertion)(**arguments)
        assert message == str(caught.value)


async def test_what_is_peeked_at(m: aioresponses, session: aiohttp.ClientSession) -> None:
    """Stubs that are left and responses that were given; `clear` forgets both and keeps the calls."""
    m.get(PLACE)
    m.get(PLACE, repeat=True)
    response = await session.get(PLACE)

    assert [response] == m._responses
    assert ["RequestMatch('http://api.test/a')"] == [repr(stub) for stub in m._matches.values()]
    m.clear()
    with pytest.raises(aiohttp.ClientConnectionError):
        await session.get(PLACE)
    assert 2 == len(m.requests["GET", URL(PLACE)])


def test_add_can_be_replaced(m: aioresponses) -> None:
    """Every verb goes through `add`."""
    m.add = Mock()  # type: ignore[method-assign]
    m.put(PLACE, status=3)

    m.add.assert_called_once_with(PLACE, method="PUT", status=3)


async def test_start_and_stop(session: aiohttp.ClientSession) -> None:
    """It can be opened again, with no calls; not while it is open. Stopping twice is harmless."""
    before = aiohttp.ClientSession._request.__code__
    m = aioresponses()
    m.get(PLACE)
    m.start()
    with pytest.raises(UsageError) as caught:
        m.start()
    await session.get(PLACE)
    m.stop()
    m.stop()

    assert "this aioresponses is started already; aioresponses() makes another one" == str(caught.value)
    assert before is aiohttp.ClientSession._request.__code__
    m.assert_called_once()
    async with m:
        m.assert_not_called()


async def test_the_inner_one_answers(session: aiohttp.ClientSession) -> None:
    """Of two that are open, the newer is asked, and the older only for what that lets out."""
    with aioresponses() as outer, aioresponses(passthrough=["http://api.test/out"]) as inner:
        inner.get(PLACE, status=201)
        outer.get("http://api.test/out", status=202)

        assert 201 == (await session.get(PLACE)).status
        assert 202 == (await session.get("http://api.test/out")).status

    outer.assert_called_once_with("http://api.test/out")


class Waiting:
    """Something that a call waits for, in one way or another."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.over = asyncio.Event()

    async def wait(self, *_: object, **__: object) -> None:
        self.begun.set()
        await self.over.wait()

    async def pieces(self) -> AsyncIterator[bytes]:
        await self.wait()
        yield b"a"


@pytest.mark.parametrize("beside", [False, True], ids=["alone", "behind a mock"])
@pytest.mark.parametrize("where", ["callback", "trace"])
async def test_calls_under_way(where: str, beside: bool, no_network: list[str]) -> None:
    """A call for which a stub was found gets its answer, another fails. A new start need not wait."""
    before = aiohttp.BaseConnector.connect.__code__
    waiting, trace = Waiting(), aiohttp.TraceConfig()
    m = aioresponses()
    m.get(PLACE, status=201, callback=waiting.wait if where == "callback" else None)
    if where == "trace":
        trace.on_request_start.append(waiting.wait)

    async with aiohttp.ClientSession(trace_configs=[trace]) as session:
        m.start()
        with mock() if beside else nullcontext():
            call = asyncio.create_task(session.get(PLACE))
            await waiting.begun.wait()
            m.stop()
        assert not m._matches
        m.start()
        m.get(PLACE, status=203)
        async with aiohttp.ClientSession() as other:
            assert 203 == (await other.get(PLACE)).status
        m.stop()
        waiting.over.set()
        if where == "trace" and beside:
            with pytest.raises(UnmatchedRequest):
                await call
        else:
            assert 201 == (await call).status

    assert before is aiohttp.BaseConnector.connect.__code__
    assert [] == no_network


async def test_end_while_data_is_read(no_network: list[str]) -> None:
    """No stub has been looked for yet: the call fails."""
    waiting = Waiting()
    async with aiohttp.ClientSession() as session:
        with aioresponses() as m:
            m.post(PLACE)
            call = asyncio.create_task(session.post(PLACE, data=waiting.pieces()))
            await waiting.begun.wait()
        waiting.over.set()
        with pytest.raises(aiohttp.ClientConnectionError, match="the mock was closed before it answered"):
            await call

    assert [] == no_network


async def test_a_call_that_began_before_is_for_the_mock_alone(no_network: list[str]) -> None:
    """A stand-in that is opened later neither answers it, nor lets it out, nor takes its miss."""
    m = aioresponses()

    async def open_it(*_: object) -> None:
        m.start()

    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(open_it)
    with mock() as router:
        router.get(PLACE).reply(201)
        for expected in (201, None):
            async with aiohttp.ClientSession(trace_configs=[trace]) as session:
                if expected is None:
                    with pytest.raises(UnmatchedRequest):
                        await session.post(PLACE)
                else:
                    assert expected == (await session.get(PLACE)).status
            m.stop()
        assert 1 == len(router.misses)
    assert [] == no_network


@pytest.fixture
def number() -> int:
    return 7


@aioresponses()
@pytest.mark.parametrize("status", [201, 202])
async def test_decorated(status: int, number: int, session: aiohttp.ClientSession, mocked: Any) -> None:
    """A decorated test has its fixtures and parameters, and no calls of the one before."""
    mocked.get(PLACE, status=status)

    assert (status, 7) == ((await session.get(PLACE)).status, number)
    mocked.assert_called_once_with(PLACE)


@aioresponses(param="mocked")
async def test_decorated_by_name(session: aiohttp.ClientSession, mocked: Any) -> None:
    """`param` names the argument."""
    mocked.get(PLACE)

    assert 200 == (await session.get(PLACE)).status


@aioresponses()
def test_decorated_sync(mocked: Any) -> None:
    """A sync function is decorated all the same."""
    mocked.get(PLACE)

    assert 1 == len(mocked._matches)


def test_decorated_function_called_by_hand() -> None:
    """Called with positional arguments, it gets the stubs behind them, whatever their name."""

    @aioresponses()
    def both(first: int, *rest: Any) -> tuple[int, str]:
        return first, type(rest[0]).__name__

    @aioresponses()
    def nothing_named(*arguments: Any) -> int:
        return len(arguments)

    assert (1, "aioresponses") == both(1)
    assert 1 == nothing_named()


class OfUnittest(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self) -> None:
        self.session = aiohttp.ClientSession()

    async def asyncTearDown(self) -> None:
        await self.session.close()

    @aioresponses()
    async def test_method(self, m: aioresponses) -> None:
        """A method of an async test case."""
        m.get(PLACE, payload={"a": 1})
        async with self.session.get(PLACE) as response:
            self.assertEqual({"a": 1}, await response.json())  # noqa: PT009


@pytest.fixture
def switching() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("switching")
def test_calls_of_several_loops_at_once() -> None:
    """Each call has its own answer, and `calls` has all of them."""

    async def ask(thread: int) -> list[str]:
        async with aiohttp.ClientSession() as session:
            places = [f"http://api.test/{thread}/{number}" for number in range(20)]
            responses = await asyncio.gather(*map(session.get, places))
            return [await response.text() for response in responses]

    with aioresponses() as m, ThreadPoolExecutor() as pool:
        for thread in range(3):
            for number in range(20):
                m.get(f"http://api.test/{thread}/{number}", body=f"{thread} {number}")
        answers = list(pool.map(lambda thread: asyncio.run(ask(thread)), range(3)))

    assert [[f"{thread} {number}" for number in range(20)] for thread in range(3)] == answers
    assert 60 == len(m.calls)
