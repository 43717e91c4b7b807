from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp
import pytest

from aiotest_kit import Router

if TYPE_CHECKING:
    from tests.doors.conftest import Door


async def test_set_and_sent_back(router: Router, session: aiohttp.ClientSession) -> None:
    """What a reply sets, in one field per cookie, is in the response, in the jar, and in the next request."""
    router.get("http://a.test/login").reply(cookies={"sid": "s1", "lang": "en"})
    home = router.get("http://a.test/home")
    async with session.get("http://a.test/login") as response:
        assert {"sid": "s1", "lang": "en"} == {
            name: morsel.value for name, morsel in response.cookies.items()
        }
        assert ["sid=s1; Path=/", "lang=en; Path=/"] == response.headers.getall("Set-Cookie")
    assert {"sid": "s1", "lang": "en"} == {cookie.key: cookie.value for cookie in session.cookie_jar}
    async with session.get("http://a.test/home"):
        pass
    assert {"sid": "s1", "lang": "en"} == home.calls.last.request.cookies


SCOPES = {
    # Set-Cookie of http://www.a.test/app/login -> the URLs it is sent back to
    "host": ("c=1; Path=/", {"http://www.a.test/", "https://www.a.test/"}),
    "domain": ("c=1; Path=/; Domain=a.test", {"http://www.a.test/", "https://www.a.test/", "http://a.test/"}),
    "default-path": ("c=1", {"http://www.a.test/app/x"}),
    "path": ("c=1; Path=/app", {"http://www.a.test/app/x"}),
    "secure": ("c=1; Path=/; Secure", {"https://www.a.test/"}),
    "expired": ("c=1; Path=/; Max-Age=0", set()),
    "other-domain": ("c=1; Path=/; Domain=b.test", set()),
}
PLACES = [
    "http://www.a.test/",
    "https://www.a.test/",
    "http://a.test/",
    "http://www.a.test/app/x",
    "http://b.test/",
]


@pytest.mark.parametrize(("field", "sent_to"), SCOPES.values(), ids=SCOPES)
async def test_scope(router: Router, session: aiohttp.ClientSession, field: str, sent_to: set[str]) -> None:
    """The jar sends a cookie to the hosts, paths and schemes that it was set for."""
    router.get("http://www.a.test/app/login").reply(headers={"Set-Cookie": field})
    for place in PLACES:
        router.get(place)
    async with session.get("http://www.a.test/app/login"):
        pass
    for place in PLACES:
        async with session.get(place):
            pass
    sent = {str(call.request.url) for call in router.calls if call.request.cookies}
    if "Path=/;" in field or field.endswith("Path=/"):
        sent_to = sent_to | ({"http://www.a.test/app/x"} if "http://www.a.test/" in sent_to else set())
    assert sent_to == sent


async def test_of_the_session_and_of_the_request(door: Door) -> None:
    """`cookies=` of the session and of the request are sent together."""
    route = door.router.get("http://a.test/")
    async with (
        door.open_session(cookies={"a": "1", "b": "2"}) as session,
        session.get("http://a.test/", cookies={"b": "3", "c": "4"}),
    ):
        pass
    assert {"a": "1", "b": "3", "c": "4"} == route.calls.last.request.cookies


@pytest.mark.memory_door
@pytest.mark.parametrize(("unsafe", "sent"), [(True, {"sid": "1"}), (False, {})], ids=["unsafe", "safe"])
async def test_jar_of_the_session(door: Door, unsafe: bool, sent: dict[str, str]) -> None:
    """The session's own jar decides: cookies of a bare IP address need an unsafe one."""
    route = door.router.get("http://203.0.113.7/").reply(cookies={"sid": "1"})
    async with door.open_session(cookie_jar=aiohttp.CookieJar(unsafe=unsafe)) as session:
        for _ in range(2):
            async with session.get("http://203.0.113.7/"):
                pass
    assert [{}, sent] == [call.request.cookies for call in route.calls]


async def test_deleted(router: Router, session: aiohttp.ClientSession) -> None:
    """A cookie that a later reply takes back is not sent any more."""
    route = router.get("http://a.test/")
    route.reply(cookies={"sid": "1"}).reply(headers={"Set-Cookie": "sid=; Path=/; Max-Age=0"}).reply()
    for _ in range(3):
        async with session.get("http://a.test/"):
            pass
    assert [{}, {"sid": "1"}, {}] == [call.request.cookies for call in route.calls]
