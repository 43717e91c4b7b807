"""What a session does with what it is given: JSON, `raise_for_status`, `base_url`, middlewares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from yarl import URL

from aiotest_kit import Router

if TYPE_CHECKING:
    from tests.doors.conftest import Door

AIOHTTP = tuple(int(part) for part in aiohttp.__version__.split(".")[:2])

DOCUMENTS = {
    "object": {"id": 7, "tags": ["ä", "\u2028"], "none": None, "ratio": 1.5},
    "array": [1, [2, {}]],
    "text": "plain",
    "true": True,
}


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
async def test_json_both_ways(router: Router, session: aiohttp.ClientSession, document: object) -> None:
    """What is sent as JSON is recorded as it was, and what is replied as JSON is read as it was."""
    route = router.post("http://a.test/", json=document).reply(201, json=document)
    async with session.post("http://a.test/", json=document) as response:
        assert (201, "application/json") == (response.status, response.content_type)
        assert document == await response.json()
    request = route.calls.one().request
    assert document == request.json()
    assert "application/json" == request.content_type


async def test_wrong_content_type(router: Router, session: aiohttp.ClientSession) -> None:
    """`json()` of what is not declared as JSON is aiohttp's own error."""
    router.get("http://a.test/").reply(text="{}")
    async with session.get("http://a.test/") as response:
        with pytest.raises(aiohttp.ContentTypeError, match="unexpected mimetype: text/plain"):
            await response.json()
        assert {} == await response.json(content_type=None)


@pytest.mark.parametrize("status", [400, 404, 500, 503])
async def test_raise_for_status_of_the_response(
    router: Router, session: aiohttp.ClientSession, status: int
) -> None:
    """`raise_for_status()` has status, reason, headers and request."""
    router.get("http://a.test/x").reply(status, headers={"X-Why": "because"}, reason="No Luck")
    async with session.get("http://a.test/x") as response:
        with pytest.raises(aiohttp.ClientResponseError) as raised:
            response.raise_for_status()
    error = raised.value
    assert (status, "No Luck") == (error.status, error.message)
    assert error.headers is not None
    assert "because" == error.headers["X-Why"]
    assert ("GET", URL("http://a.test/x")) == (error.request_info.method, error.request_info.url)


@pytest.mark.memory_door
async def test_raise_for_status_of_the_session(door: Door) -> None:
    """A session's `raise_for_status=True` holds unless a request says otherwise; the connection is freed."""
    door.router.get("http://a.test/").reply(500, text="broken")
    connector = aiohttp.TCPConnector(limit=1)
    async with door.open_session(raise_for_status=True, connector=connector) as session:
        for _ in range(2):
            with pytest.raises(aiohttp.ClientResponseError) as raised:
                await session.get("http://a.test/")
            assert 500 == raised.value.status
        async with session.get("http://a.test/", raise_for_status=False) as response:
            assert "broken" == await response.text()


async def test_raise_for_status_function(door: Door) -> None:
    """`raise_for_status` may be a coroutine function, which can read the body."""
    seen: list[str] = []

    async def check(response: aiohttp.ClientResponse) -> None:
        seen.append(await response.text())
        raise LookupError(response.status)

    door.router.get("http://a.test/").reply(404, text="no such thing")
    async with door.open_session(raise_for_status=check) as session:
        with pytest.raises(LookupError, match="404"):
            await session.get("http://a.test/")
    assert ["no such thing"] == seen


BASES: dict[str, tuple[str, str, str]] = {
    "origin": ("http://a.test", "/users", "http://a.test/users"),
    "origin-and-slash": ("http://a.test:8080/", "/users?x=1", "http://a.test:8080/users?x=1"),
    "https": ("https://a.test", "/", "https://a.test/"),
}
if AIOHTTP >= (3, 12):
    BASES["path"] = ("http://a.test/v1/", "users", "http://a.test/v1/users")
    BASES["other-host"] = ("http://a.test/v1/", "http://b.test/x", "http://b.test/x")


@pytest.mark.parametrize(("base", "given", "url"), BASES.values(), ids=BASES)
async def test_base_url(door: Door, base: str, given: str, url: str) -> None:
    """A session's `base_url` is joined before the router sees the request."""
    route = door.router.get(url)
    async with door.open_session(base_url=base) as session, session.get(given) as response:
        assert URL(url) == response.url
    assert URL(url) == route.calls.one().request.url


async def test_defaults_of_the_session(door: Door) -> None:
    """Headers and parameters of session and request come together."""
    route = door.router.get("http://a.test/")
    async with (
        door.open_session(headers={"X-Session": "s", "X-Both": "s"}) as session,
        session.get("http://a.test/?a=1", params={"b": "ü &"}, headers={"X-Both": "r"}),
    ):
        pass
    request = route.calls.one().request
    assert ("s", "r") == (request.headers["X-Session"], request.headers["X-Both"])
    assert {"a": "1", "b": "ü &"} == dict(request.query)


@pytest.mark.skipif(AIOHTTP < (3, 12), reason="client middlewares are new in aiohttp 3.12")
async def test_middlewares(door: Door) -> None:
    """Client middlewares change the request, see the response, and may ask again: each time is a call."""
    seen: list[object] = []

    async def with_token(request: Any, handler: Any) -> aiohttp.ClientResponse:
        request.headers["Authorization"] = "old"
        response: aiohttp.ClientResponse = await handler(request)
        seen.append(response.status)
        if response.status == 401:
            request.headers["Authorization"] = "new"
            response = await handler(request)
            seen.append(response.status)
        return response

    router = door.router
    router.get("http://a.test/").reply(401)
    router.get("http://a.test/", headers={"Authorization": "new"}).reply(text="in")
    async with (
        door.open_session(middlewares=(with_token,)) as session,
        session.get("http://a.test/") as response,
    ):
        assert "in" == await response.text()
    assert [401, 200] == seen
    assert ["old", "new"] == [call.request.headers["Authorization"] for call in router.calls]


async def test_every_verb(router: Router, session: aiohttp.ClientSession) -> None:
    """Each method of a session reaches the route of its method."""
    verbs = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
    for verb in verbs:
        router.route(verb, "http://a.test/").reply(headers={"X-Verb": verb})
    for verb in verbs:
        async with getattr(session, verb.lower())("http://a.test/") as response:
            assert verb == response.headers["X-Verb"]
    assert verbs == [call.request.method for call in router.calls]
