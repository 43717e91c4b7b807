"""A router with a `find` of its own, behind each door."""

from __future__ import annotations

import aiohttp
import pytest

from aiotest_kit import Hit, Miss, Mock, Reply, Request, Router, Upstream, mock, mock_session

URL = "http://api.test/a"


class Echoing(Router):
    """Answers whatever it is asked; with `yields`, only what no older mock answers."""

    def __init__(self, yields: bool = False) -> None:
        super().__init__()
        self._route = self.unlisted()
        self._yields = yields

    def find(self, request: Request) -> Hit | Miss:
        return Hit(self._route, reply=Reply(text=f"echo {request.path}"), yields=self._yields)


async def text_of(session: aiohttp.ClientSession, url: str = URL) -> str:
    async with session.get(url) as response:
        return await response.text()


@pytest.mark.parametrize("behind", ["mock", "mock_session", "upstream"])
async def test_own_find(
    behind: str,
) -> None:
    """It is asked by every door, and the calls are in its log."""
    router = Echoing()
    if behind == "mock":
        with mock(router):
            async with aiohttp.ClientSession() as session:
                answer = await text_of(session)
    elif behind == "mock_session":
        async with mock_session(router) as session:
            answer = await text_of(session)
    else:
        async with Upstream(router=router) as up, aiohttp.ClientSession() as session:
            answer = await text_of(session, str(up.url / "a"))

    assert "echo /a" == answer
    assert 1 == len(router.calls)


async def test_hit_that_yields() -> None:
    """It gives way to older mocks, and is given if they have no answer, or there are none."""
    with mock() as older, mock(Echoing(yields=True)) as router:
        older.get(URL).reply(text="older")
        async with aiohttp.ClientSession() as session:
            assert "older" == await text_of(session)
            assert "echo /b" == await text_of(session, "http://api.test/b")
        assert (1, 1) == (len(older.calls), len(router.calls))

    with mock(Echoing(yields=True)):
        async with aiohttp.ClientSession() as session:
            assert "echo /a" == await text_of(session)


async def test_miss_of_a_newer_mock_comes_before_a_hit_that_yields() -> None:
    """Who was asked first says how a call fails that nobody has an answer for."""
    with mock(Echoing(yields=True)) as older, mock() as newer:
        async with aiohttp.ClientSession() as session:
            with pytest.raises(
                aiohttp.ClientConnectionError, match=r"no route answered GET http://api\.test/a"
            ):
                await text_of(session)
        assert (0, 1) == (len(older.calls), len(newer.misses))


def test_mocks_that_are_asked() -> None:
    """`Mock.open_here` has the open ones in their order."""
    first, second = mock(), mock()

    assert () == Mock.open_here()
    with first, second:
        assert (second, first) == Mock.open_here()
    assert () == Mock.open_here()
