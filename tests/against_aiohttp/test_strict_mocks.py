"""`mock(strict=True)`: what the end of its block raises. And what `mock()` and `mock_session()` refuse."""

import asyncio
from contextlib import nullcontext, suppress
from typing import Any

import aiohttp
import pytest

from aiotest_kit import Router, UnmetExpectations, UsageError, mock, mock_session
from aiotest_kit._memory_door import interception
from aiotest_kit._memory_door.mock import Mock
from aiotest_kit.websocket import expect

URL = "http://a.test/"


async def swallow(url: str = URL) -> None:
    async with aiohttp.ClientSession() as session:
        with suppress(aiohttp.ClientError):
            await session.get(url)


class Opened:
    """A mock opened by `with`, or by `async with`."""

    def __init__(self, mocked: Mock, is_async: bool) -> None:
        self.mocked = mocked
        self.is_async = is_async

    async def __aenter__(self) -> Router:
        return await self.mocked.__aenter__() if self.is_async else self.mocked.__enter__()

    async def __aexit__(self, *exc: Any) -> None:
        if self.is_async:
            await self.mocked.__aexit__(*exc)
        else:
            self.mocked.__exit__(*exc)


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def is_async(request: pytest.FixtureRequest) -> bool:
    given: bool = request.param
    return given


async def test_miss_and_unused(is_async: bool) -> None:
    """Both are told, in one error, which is an assertion's; equal misses are one."""
    router = Router()
    route = router.get("http://a.test/b", name="b")
    with pytest.raises(UnmetExpectations) as caught:
        async with Opened(mock(router, strict=True), is_async):
            await swallow()
            await swallow()
    assert isinstance(caught.value, AssertionError)
    assert (
        "no route answered GET http://a.test/ (2 times)\n"
        "  nearest of 1 route:\n"
        f'  1. GET http://a.test/b  "b"  {route.location}\n'
        "       url path   expected '/b'   actual '/'\n"
        "1 route was never called\n"
        f'  1. GET http://a.test/b  "b"  {route.location}\n'
        "       nearest: GET http://a.test/\n"
        "       url path   expected '/b'   actual '/'\n"
        'on purpose? route.optional() / mock(strict=True, unmatched="allow", unused="allow")'
    ) == str(caught.value)
    assert interception.door is None


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({}, ["no route answered GET http://a.test/", "1 route was never called"]),
        ({"unmatched": "allow"}, ["1 route was never called"]),
        ({"unused": "allow"}, ["no route answered GET http://a.test/"]),
        ({"unmatched": "allow", "unused": "allow"}, []),
        ({"unused": "error"}, ["no route answered GET http://a.test/", "1 route was never called"]),
    ],
    ids=["all", "unmatched", "unused", "neither", "stated"],
)
async def test_settings(settings: dict[str, Any], says: list[str], is_async: bool) -> None:
    """Either can be allowed."""
    with pytest.raises(UnmetExpectations) if says else nullcontext() as caught:
        async with Opened(mock(strict=True, **settings), is_async) as router:
            router.get("http://a.test/b")
            await swallow()
    told = str(caught.value).splitlines() if caught else []
    assert says == [line for line in told if not line.startswith((" ", "on purpose"))]


async def test_all_is_well(is_async: bool) -> None:
    """Nothing is raised where every request was answered and every route called, or need not be."""
    async with Opened(mock(strict=True), is_async) as router:
        router.get(URL)
        router.get("http://a.test/b").optional()
        router.get("http://a.test/c").assert_not_called()
        await swallow()
    async with Opened(mock(), is_async) as router:
        router.get("http://a.test/b")
        await swallow()


async def test_another_exception(is_async: bool) -> None:
    """It never takes the place of another exception."""
    for error in (KeyError("mine"), asyncio.CancelledError(), pytest.fail.Exception("own")):
        with pytest.raises(type(error)) as caught:
            async with Opened(mock(strict=True), is_async) as router:
                router.get("http://a.test/b")
                await swallow()
                raise error
        assert error is caught.value


async def test_handler_error_goes_first(is_async: bool) -> None:
    """An error in a handler is raised instead."""

    def handler(request: object) -> object:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        async with Opened(mock(strict=True), is_async) as router:
            router.get(URL).reply(handler)
            router.get("http://a.test/b")
            await swallow()


async def test_unfinished_script(is_async: bool) -> None:
    """A websocket's script that still expects something is told as a route that is never called."""
    mocked = Opened(mock(strict=True), is_async)
    async with aiohttp.ClientSession() as session:
        router = await mocked.__aenter__()
        router.ws("ws://a.test/").script(expect("hello"), expect("bye"))
        ws = await session.ws_connect("ws://a.test/")
        await ws.send_str("hello")
        with pytest.raises(UnmetExpectations) as caught:
            await mocked.__aexit__(None, None, None)
        assert str(caught.value).startswith("the script of ws://a.test/ (")
        await ws.close()


async def test_what_was_before(is_async: bool) -> None:
    """Of a router that was used before, only what comes in the block is told."""
    router = Router()
    async with Opened(mock(router), is_async):
        await swallow()
    async with Opened(mock(router, strict=True), is_async):
        pass
    with pytest.raises(UnmetExpectations):
        async with Opened(mock(router, strict=True), is_async):
            await swallow()


async def test_nested(is_async: bool) -> None:
    """Each strict mock tells of its own: a miss is the inner one's, a route that of its router."""
    with pytest.raises(UnmetExpectations, match="1 route was never called") as outer:
        async with Opened(mock(strict=True), is_async) as router:
            router.get("http://b.test/")
            with pytest.raises(UnmetExpectations, match="no route answered GET"):
                async with Opened(mock(strict=True), is_async):
                    await swallow()
    assert "no route answered" not in str(outer.value)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"router": "http://a.test"}, "mock() takes a Router, or nothing; got 'http://a.test'"),
        ({"router": Router}, "mock() takes a Router, or nothing; got <class 'aiotest_kit.Router'>"),
        ({"unmatched": "no"}, "unmatched='no': policies are error, allow, passthrough"),
        ({"strict": True, "unused": "passthrough"}, "unused='passthrough': policies are error, allow"),
        ({"unused": "error"}, "unused='error' goes with strict=True: else no route has to be called"),
        ({"loopback": "no"}, "loopback= is True or False; got 'no'"),
        ({"isolated": None}, "isolated= is True or False; got None"),
        ({"strict": 1}, "strict= is True or False; got 1"),
    ],
    ids=["router", "class", "unmatched", "unused", "lax", "loopback", "isolated", "strict"],
)
def test_wrong_arguments(arguments: dict[str, Any], says: str) -> None:
    """What cannot work is told at once, and nothing is patched."""
    connect = aiohttp.BaseConnector.connect
    with pytest.raises(UsageError) as caught:
        mock(**arguments)
    assert says == str(caught.value)
    assert connect is aiohttp.BaseConnector.connect


class TestSessions:
    """What `mock_session` refuses."""

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            ({"router": {"a": 1}}, "mock_session() takes a Router; got {'a': 1}"),
            ({"router": None}, "mock_session() takes a Router; got None"),
            (
                {"router": Router(), "connector": "http://a.test"},
                "connector= is an aiohttp connector; got 'http://a.test'",
            ),
        ],
        ids=["router", "none", "connector"],
    )
    async def test_wrong_arguments(self, arguments: dict[str, Any], says: str) -> None:
        """What cannot work is told at once."""
        with pytest.raises(UsageError) as caught:
            mock_session(**arguments)
        assert says == str(caught.value)

    @pytest.mark.parametrize("has_connector", [False, True], ids=["alone", "with a connector"])
    async def test_what_aiohttp_refuses(self, has_connector: bool) -> None:
        """What `ClientSession` refuses leaves nothing behind: the router is no more in use than before."""
        router = Router()
        connector = aiohttp.TCPConnector() if has_connector else None
        before = None if connector is None else set(vars(connector))
        with pytest.raises(TypeError):
            mock_session(router, connector=connector, no_such_option=1)
        assert 0 == router._table.doors
        if connector is not None:
            assert before == set(vars(connector))
            await connector.close()

    def test_without_a_loop(self) -> None:
        """So does the lack of a running loop."""
        router = Router()
        with pytest.raises(RuntimeError):
            mock_session(router)
        assert 0 == router._table.doors
