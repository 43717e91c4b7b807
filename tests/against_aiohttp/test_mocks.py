"""What `mock()` itself decides: who is asked, what is let out, and how it ends."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import aiohttp
import pytest

from aiotest_kit import Request, Router, UnmatchedRequest, UsageError, mock, mock_session
from tests.doors.conftest import Settle

URL = "http://a.test/"


async def text(session: aiohttp.ClientSession, url: str = URL, **options: Any) -> str:
    async with session.request(options.pop("method", "GET"), url, **options) as response:
        return await response.text()


def test_unknown_policy() -> None:
    """A policy that does not exist is refused at once."""
    policy: Any = "ignore"
    with pytest.raises(UsageError) as caught:
        mock(unmatched=policy)
    assert "unmatched='ignore': policies are error, allow, passthrough" == str(caught.value)


async def test_miss_is_the_inner_mocks() -> None:
    """What no open mock answers is a miss of the one that is asked first."""
    with mock() as outer, mock() as inner:
        outer.get("http://b.test/").reply(text="outer")
        async with aiohttp.ClientSession() as session:
            assert "outer" == await text(session, "http://b.test/")
            with pytest.raises(UnmatchedRequest):
                await text(session)

    assert (0, 1) == (len(outer.misses), len(inner.misses))
    assert ["outer"] == [call.reply.text() for call in outer.calls if call.reply]


async def test_scripts_of_nested_mocks() -> None:
    """An outer script starts with the head, unless an inner route has to see the body first."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")

    sent = asyncio.Event()

    async def body() -> Any:
        yield b"first"
        await sent.wait()
        yield b"second"

    with mock() as outer, mock() as inner:
        outer.post(URL).raw(script)
        async with aiohttp.ClientSession() as session:
            async with session.post(URL, data=body()) as response:
                assert 413 == response.status

            sent.set()
            inner.post(URL, body=b"firstsecond").reply(204)
            async with session.post(URL, data=body()) as response:
                assert 204 == response.status


async def test_long_miss_of_nested_mocks() -> None:
    """A request whose body comes late is as unmatched as any other."""

    async def body() -> Any:
        yield b"first"
        await asyncio.sleep(0)
        yield b"second"

    with mock(), mock() as inner:
        async with aiohttp.ClientSession() as session:
            with pytest.raises(UnmatchedRequest):
                await text(session, method="POST", data=body())
    assert [b"firstsecond"] == [miss.request.body for miss in inner.misses]


async def test_error_in_a_predicate_of_nested_mocks() -> None:
    """An error in any predicate is kept by the mock that is asked first, and the client sees a 500."""
    with pytest.raises(ZeroDivisionError), mock() as outer, mock():
        outer.get(URL, where=lambda request: 1 / 0)
        async with aiohttp.ClientSession() as session, session.get(URL) as response:
            assert 500 == response.status


@pytest.mark.skipif(sys.version_info < (3, 11), reason="exceptions have notes from Python 3.11 on")
async def test_handler_error_beside_another() -> None:
    """An error of the block itself stays, and tells of the handler's."""

    def handler(request: Request) -> int:
        raise LookupError("in the handler")

    with pytest.raises(ValueError, match="of the block") as caught:
        async with mock() as router, aiohttp.ClientSession() as session:
            router.get(URL).reply(handler)
            await text(session)
            raise ValueError("of the block")
    assert [
        "a handler failed before: LookupError('in the handler') while answering <Request GET http://a.test/>"
    ] == getattr(caught.value, "__notes__", [])


def failing(request: Request) -> int:
    raise LookupError("in the handler")


@pytest.mark.parametrize("close", ["block", "close", "own connector"])
async def test_handler_error_of_a_session(close: str) -> None:
    """An error in a handler is raised when a `mock_session` closes, once, and its connector is closed."""
    router = Router()
    router.get(URL).reply(failing)
    connector = aiohttp.TCPConnector() if close == "own connector" else None
    session = mock_session(router, connector=connector)
    await text(session)

    with pytest.raises(LookupError, match="in the handler") as caught:
        if close == "close":
            await session.close()
        else:
            async with session:
                pass

    assert "failing" in {entry.name for entry in caught.traceback}
    assert session.closed
    assert connector is None or connector.closed
    await session.close()
    async with mock_session(router):
        pass


async def test_handler_error_of_a_session_alone() -> None:
    """What had failed before a session was made is not its affair, in a mounted router either."""
    router, mounted = Router(), Router()
    router.mount("http://b.test", mounted)
    mounted.get("http://b.test/").reply(failing)
    router.get(URL).reply(lambda request: 1 / 0)
    with pytest.raises(LookupError):
        async with mock_session(router) as session:
            await text(session, "http://b.test/")
    with pytest.raises(ZeroDivisionError):
        async with mock_session(router) as session:
            await text(session)
    async with mock_session(router):
        pass


@pytest.mark.skipif(sys.version_info < (3, 11), reason="exceptions have notes from Python 3.11 on")
async def test_handler_error_of_a_session_beside_another() -> None:
    """An error of the block itself stays, and tells of the handler's; also through two sessions."""
    router = Router()
    router.get(URL).reply(failing)
    with pytest.raises(ValueError, match="of the block") as caught:
        async with mock_session(router) as session:
            await text(session)
            raise ValueError("of the block")
    assert [
        "a handler failed before: LookupError('in the handler') while answering <Request GET http://a.test/>"
    ] == getattr(caught.value, "__notes__", [])

    with pytest.raises(LookupError) as told:
        async with mock_session(router), mock_session(router) as session:
            await text(session)
    assert not hasattr(told.value, "__notes__")


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_closed_while_a_call_waits(method: str) -> None:
    """A call that is held when the mock closes fails, and is not sent again to the network."""
    async with aiohttp.ClientSession() as session:
        async with mock() as router:
            route = router.any(URL)
            gate = route.hold()
            call = asyncio.ensure_future(text(session, method=method))
            await gate.waiting()

        with pytest.raises(aiohttp.ClientConnectionError) as caught:
            await call
    assert f"the mock was closed before it answered: {route!r}" == str(caught.value)


async def test_inner_mock_closed_while_a_call_waits() -> None:
    """So does a call that an inner mock holds, although an outer one goes on."""
    async with mock() as outer, aiohttp.ClientSession() as session:
        outer.get(URL).reply(text="outer")
        async with mock() as inner:
            gate = inner.get(URL).hold()
            call = asyncio.ensure_future(text(session))
            await gate.waiting()

        with pytest.raises(aiohttp.ClientConnectionError, match="the mock was closed before it answered"):
            await call
        assert "outer" == await text(session)


async def test_connector_of_ones_own() -> None:
    """A connector that is no TCPConnector is stood for as well."""

    class Own(aiohttp.BaseConnector):
        """Never connects."""

    with mock() as router:
        router.get("https://a.test/").reply(text="mocked")
        connector = Own(limit=3)
        async with aiohttp.ClientSession(connector=connector) as session:
            assert "mocked" == await text(session, "https://a.test/")
    assert connector.closed


async def test_pool_of_a_stubbed_connector_ages(monkeypatch: pytest.MonkeyPatch, settle: Settle) -> None:
    """The connector's own clean-up leaves alone what is pooled for a mock."""
    with mock() as router:
        router.get(URL).reply(text="mocked")
        router.passthrough(lambda request: False)
        async with aiohttp.ClientSession() as session:
            await text(session)
            assert session.connector is not None
            session.connector._cleanup()
            await settle()
            assert "mocked" == await text(session)


async def test_router_that_is_used_again() -> None:
    """An error of a handler fails the block in which it happened, and no other."""

    def handler(request: Request) -> int:
        raise LookupError

    router = Router()
    router.get(URL).reply(handler, times=1)
    with pytest.raises(LookupError):
        async with mock(router), aiohttp.ClientSession() as session:
            await text(session)
    router.get(URL).reply(text="fine")
    async with mock(router), aiohttp.ClientSession() as session:
        assert "fine" == await text(session)


async def test_sessions_of_one_router() -> None:
    """Closing one session leaves alone what another one of the same router waits for."""
    router = Router()
    gate = router.get(URL).reply(text="answered").hold()
    async with mock_session(router) as session:
        async with mock_session(router) as other:
            theirs = asyncio.ensure_future(text(other))
            call = asyncio.ensure_future(text(session))
            await gate.waiting(2)
        with pytest.raises(aiohttp.ClientError):
            await theirs
        gate.release()
        assert "answered" == await call
