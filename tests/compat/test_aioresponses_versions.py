"""`aiotest_kit.compat.aioresponses`: it does as 0.7.9, where 0.7.6 to 0.7.8 did otherwise.

The rows of the table in `docs/migrate/aioresponses.md`, in their order.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from multidict import CIMultiDict
from yarl import URL

from aiotest_kit.compat.aioresponses import aioresponses
from aiotest_kit.compat.aioresponses.compat import normalize_url

PLACE = "http://api.test/a"


async def statuses(session: aiohttp.ClientSession, count: int) -> list[int | None]:
    """What some calls get; None if they are refused."""
    found: list[int | None] = []
    for _ in range(count):
        try:
            found.append((await session.get(PLACE)).status)
        except aiohttp.ClientConnectionError:
            found.append(None)
    return found


@pytest.mark.parametrize(
    ("repeat", "times"), [(False, 1), (1, 1), (2, 2), (2.0, 2), (True, 4), (0, 4), (-1, 4)], ids=repr
)
async def test_repeat_counts(
    repeat: Any, times: int, m: aioresponses, session: aiohttp.ClientSession
) -> None:
    """Since 0.7.8 a number is how often; below 1, and before, it was for ever."""
    m.get(PLACE, repeat=repeat)

    assert [200] * times + [None] * (4 - times) == await statuses(session, 4)


async def test_base_url(m: aioresponses) -> None:
    """Since 0.7.8 a stub is for the whole URL, and a relative one matches nothing."""
    m.get("/a", status=201)
    m.get(PLACE, status=202)

    async with aiohttp.ClientSession("http://api.test") as session:
        assert 202 == (await session.get("/a")).status

    assert [("GET", URL(PLACE))] == list(m.requests)


async def test_headers_of_the_session(m: aioresponses) -> None:
    """Since 0.7.8 they are among the keywords that are noted; `args_to_match` leaves them out."""
    m.get(PLACE)
    async with aiohttp.ClientSession(headers={"A": "1"}) as session:
        await session.get(PLACE, json=[1])

    m.assert_called_once_with(PLACE, headers={"A": "1"}, json=[1])
    m.assert_called_once_with(PLACE, args_to_match=["json"], json=[1])
    with pytest.raises(AssertionError):
        m.assert_called_once_with(PLACE, json=[1])


@pytest.mark.parametrize(
    ("stubbed", "asked", "is_match"),
    [
        ("?x=", "", False),
        ("", "?x=", False),
        ("?x=&y=1", "?y=1", False),
        ("?x", "?x=", True),
        ("?q=a%26b", "?q=a%26b", True),
        ("?q=a%26b", "?q=a&b=", False),
        ("?q=%2541", "?q=A", False),
        ("?b=2&a=1&b=1", "?a=1&b=1&b=2", True),
    ],
)
async def test_queries(
    stubbed: str, asked: str, is_match: bool, m: aioresponses, session: aiohttp.ClientSession
) -> None:
    """Since 0.7.9 a parameter without a value counts, and values are compared as they are."""
    m.get(f"{PLACE}{stubbed}")

    if is_match:
        assert 200 == (await session.get(f"{PLACE}{asked}")).status
    else:
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get(f"{PLACE}{asked}")

    m.get(re.compile(re.escape(PLACE)), status=201)
    assert 201 == (await session.get(f"{PLACE}{asked}")).status


@pytest.mark.parametrize(
    ("url", "normalized"),
    [
        ("http://h/?z=&b=1%2B1&a=x%26y", "http://h/?a=x%26y&b=1%2B1&z="),
        ("http://h/?q=п", "http://h/?q=%D0%BF"),
        ("http://h/?q=%25", "http://h/?q=%25"),
    ],
)
def test_normalized_urls(url: str, normalized: str) -> None:
    """Since 0.7.9 the keys of `requests` have each value encoded once, and those that are empty."""
    assert normalized == str(normalize_url(url))


async def test_streamed_data(m: aioresponses, session: aiohttp.ClientSession) -> None:
    """Since 0.7.9 it is read, and noted as bytes, before anything else."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b"ab"
        yield b"cd"

    seen: list[Any] = []
    m.post(PLACE, callback=lambda url, **kwargs: seen.append(kwargs["data"]))
    await session.post(PLACE, data=pieces())

    assert b"abcd" == m.requests["POST", URL(PLACE)][0].kwargs["data"]
    assert [b"abcd"] == seen


async def test_streamed_data_that_is_no_bytes(m: aioresponses, session: aiohttp.ClientSession) -> None:
    """Since 0.7.9 it is refused, as a real request does."""

    async def pieces() -> AsyncIterator[Any]:
        yield "text"

    m.post(PLACE)

    with pytest.raises(TypeError):
        await session.post(PLACE, data=pieces())


async def test_headers_of_a_stub_are_copied(m: aioresponses, session: aiohttp.ClientSession) -> None:
    """Since 0.7.9 a dict may be changed later; a multidict is the stub's own, and may repeat names."""
    given: dict[str, str] = {"A": "1"}
    shared: CIMultiDict[str] = CIMultiDict([("B", "1"), ("B", "2")])
    m.get(PLACE, headers=given)
    m.get(PLACE, headers=shared)
    given["A"] = "2"
    shared.add("B", "3")

    assert "1" == (await session.get(PLACE)).headers["A"]
    assert ["1", "2", "3"] == (await session.get(PLACE)).headers.getall("B")


def test_headers_of_a_stub_without_any(m: aioresponses) -> None:
    """Since 0.7.9 they are an empty multidict, and not None."""
    m.get(PLACE)

    (stub,) = m._matches.values()
    assert CIMultiDict() == stub.headers


@pytest.mark.parametrize(
    "headers", [[("A", "1"), ("A", "2")], CIMultiDict([("A", "1"), ("A", "2")])], ids=["pairs", "multidict"]
)
async def test_headers_of_a_request(headers: Any, m: aioresponses, session: aiohttp.ClientSession) -> None:
    """Since 0.7.9 they may be whatever a session takes."""
    m.get(PLACE)

    async with session.get(PLACE, headers=headers) as response:
        assert ["1", "2"] == response.request_info.headers.getall("A")


async def check(response: aiohttp.ClientResponse) -> None:
    response.headers["X"]


async def test_function_for_a_bad_status(m: aioresponses, session: aiohttp.ClientSession) -> None:
    """Since 0.7.7 `raise_for_status` may be a function, which is called for each response."""
    m.get(PLACE, repeat=True, status=400)

    with pytest.raises(KeyError):
        await session.get(PLACE, raise_for_status=check)
    with pytest.raises(aiohttp.ClientResponseError):
        await session.get(PLACE, raise_for_status=True)


async def test_third_argument_of_an_assertion(m: aioresponses, session: aiohttp.ClientSession) -> None:
    """Since 0.7.9 it is `args_to_match`."""
    m.get(PLACE)
    await session.get(PLACE, json=[1], headers={"A": "1"})

    m.assert_called_with(PLACE, "GET", ["json"], json=[1])


def test_name_that_is_gone() -> None:
    """Since 0.7.9 `RequestInfo` is aiohttp's own."""
    with pytest.raises(ImportError):
        from aiotest_kit.compat.aioresponses.compat import RequestInfo  # type: ignore[attr-defined] # noqa: F401
