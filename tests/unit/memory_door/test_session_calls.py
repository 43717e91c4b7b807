"""`around_requests`: what each call of a session passes through."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from yarl import URL

from aiotest_kit import Router, SessionCall, around_requests, mock, mock_session

URL_OF_USERS = "http://api.test/users"


@pytest.fixture
async def router() -> AsyncIterator[Router]:
    with mock() as router:
        router.any("http://api.test/users").reply(200, text="users").optional()
        yield router


async def passed_on(call: SessionCall) -> aiohttp.ClientResponse:
    return await call.send()


def installed() -> tuple[Any, Any]:
    """What a session's requests do, and the defaults of their keywords."""
    return aiohttp.ClientSession._request.__code__, aiohttp.ClientSession._request.__kwdefaults__


async def test_a_call_is_seen_as_it_was_made(router: Router) -> None:
    """Session, method, URL and keywords are those of the code under test; the response is the session's."""
    seen: list[SessionCall] = []

    async def noted(call: SessionCall) -> aiohttp.ClientResponse:
        seen.append(call)
        return await call.send()

    timeout = aiohttp.ClientTimeout(3)
    with around_requests(noted):
        async with (
            aiohttp.ClientSession("http://api.test", headers={"X-Own": "1"}) as session,
            session.post("/users", json={"id": 7}, timeout=timeout) as response,
        ):
            assert "users" == await response.text()

    (call,) = seen
    assert (session, "POST", "/users", URL(URL_OF_USERS)) == (
        call.session,
        call.method,
        call.target,
        call.url,
    )
    assert {"json": {"id": 7}, "timeout": timeout, "data": None} == call.kwargs
    assert () == call.args


async def test_keywords_can_be_changed(router: Router) -> None:
    """What is given to `send` replaces what the code under test gave."""

    async def signed(call: SessionCall) -> aiohttp.ClientResponse:
        return await call.send(headers={"X-Signed": call.kwargs["headers"]["X-Key"]})

    with around_requests(signed):
        async with aiohttp.ClientSession() as session, session.get(URL_OF_USERS, headers={"X-Key": "k"}):
            pass

    headers = router.calls.one().request.headers
    assert "k" == headers["X-Signed"]
    assert "X-Key" not in headers


async def test_a_call_can_be_sent_elsewhere(router: Router) -> None:
    """`target` takes the place of the URL that the code under test gave."""

    async def moved(call: SessionCall) -> aiohttp.ClientResponse:
        return await call.send(target=URL_OF_USERS)

    with around_requests(moved):
        async with aiohttp.ClientSession() as session, session.get("http://old.test/x") as response:
            assert "users" == await response.text()


async def test_what_it_raises_reaches_the_caller() -> None:
    """The caller sees the exception itself, and nothing is sent."""
    error = OSError("mine")

    async def refused(call: SessionCall) -> aiohttp.ClientResponse:
        raise error

    with mock() as router, around_requests(refused):
        async with aiohttp.ClientSession() as session:
            with pytest.raises(OSError, match="mine") as caught:
                await session.get(URL_OF_USERS)

    assert error is caught.value
    router.assert_not_called()


@pytest.mark.parametrize(
    ("ask_others", "expected"), [(True, ["new", "old"]), (False, ["new"])], ids=["others too", "alone"]
)
async def test_the_newest_is_asked_first(router: Router, ask_others: bool, expected: list[str]) -> None:
    """Blocks nest; what is sent goes on to the older ones, unless they are not to be asked."""
    seen: list[str] = []

    async def old(call: SessionCall) -> aiohttp.ClientResponse:
        seen.append("old")
        return await call.send()

    async def new(call: SessionCall) -> aiohttp.ClientResponse:
        seen.append("new")
        return await call.send(ask_others=ask_others)

    with around_requests(old), around_requests(new):
        async with aiohttp.ClientSession() as session, session.get(URL_OF_USERS):
            pass

    assert expected == seen


async def test_the_last_that_closes_restores_the_session() -> None:
    """Blocks may end in any order, also two of one function; what is patched is what it was."""
    before = installed()
    first, second = around_requests(passed_on), around_requests(passed_on)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)

    assert before != installed()
    # Another thread may begin a call of aiohttp's own code while that is being observer.
    assert before[1].items() <= installed()[1].items()

    second.__exit__(None, None, None)
    assert before == installed()


@pytest.mark.parametrize("door", ["mock", "mock_session"])
async def test_responses_can_be_made(door: str) -> None:
    """`make_response` is asked for each response of a call, redirects too, in the memory door."""

    class Answer(aiohttp.ClientResponse):
        pass

    def make(kind: type[aiohttp.ClientResponse], method: str, url: URL, **options: Any) -> Answer:
        assert aiohttp.ClientResponse is kind
        return Answer(method, url, **options)

    async def made(call: SessionCall) -> aiohttp.ClientResponse:
        return await call.send(make_response=make)

    router = Router()
    router.get("http://api.test/old").redirect("/users")
    router.get("http://api.test/users").reply(200)
    with around_requests(made), mock(router if door == "mock" else None):
        async with (
            aiohttp.ClientSession() if door == "mock" else mock_session(router) as session,
            session.get("http://api.test/old") as response,
        ):
            assert [Answer, Answer] == [type(each) for each in (*response.history, response)]


async def test_redirects_are_part_of_the_call() -> None:
    """One call that is redirected passes once."""
    seen: list[str] = []

    async def noted(call: SessionCall) -> aiohttp.ClientResponse:
        seen.append(call.url.path)
        return await call.send()

    with mock() as router, around_requests(noted):
        router.get("http://api.test/old").redirect("/users")
        router.get("http://api.test/users")
        async with aiohttp.ClientSession() as session, session.get("http://api.test/old"):
            pass

    assert ["/old"] == seen
    assert 2 == router.call_count
