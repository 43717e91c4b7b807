from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from yarl import URL

from aiotest_kit import Router

if TYPE_CHECKING:
    from tests.doors.conftest import Door

AIOHTTP = tuple(int(part) for part in aiohttp.__version__.split(".")[:2])

FOLLOWED = [
    # status, method, method of the second hop, whether the body goes along
    (301, "GET", "GET", False),
    (301, "HEAD", "HEAD", False),
    (301, "POST", "GET", False),
    (301, "PUT", "PUT", True),
    (302, "GET", "GET", False),
    (302, "POST", "GET", False),
    (302, "PATCH", "PATCH", True),
    (303, "GET", "GET", False),
    (303, "HEAD", "HEAD", False),
    (303, "POST", "GET", False),
    (303, "PUT", "GET", False),
    (307, "GET", "GET", False),
    (307, "POST", "POST", True),
    (307, "PUT", "PUT", True),
    (308, "DELETE", "DELETE", False),
    (308, "POST", "POST", True),
]


@pytest.mark.parametrize(
    ("status", "method", "then", "with_body"), FOLLOWED, ids=[f"{row[0]}-{row[1]}" for row in FOLLOWED]
)
async def test_method_and_body_of_the_second_hop(
    router: Router, session: aiohttp.ClientSession, status: int, method: str, then: str, with_body: bool
) -> None:
    """Each redirect changes the method and drops the body as aiohttp does it."""
    sent = b"payload" if with_body or method in ("POST", "PUT") else None
    router.any("http://a.test/from").redirect("/to?x=1#there", status)
    router.any("http://a.test/to").reply(text="arrived")
    async with session.request(method, "http://a.test/from", data=sent) as response:
        text = await response.text()
    assert (200, "" if then == "HEAD" else "arrived") == (response.status, text)
    assert URL("http://a.test/to?x=1#there") == response.real_url
    assert [(status, URL("http://a.test/from"))] == [(hop.status, hop.url) for hop in response.history]
    first, second = (call.request for call in router.calls)
    assert (method, sent or b"") == (first.method, first.body)
    assert (then, b"payload" if with_body else b"") == (second.method, second.body)
    assert ("7" if with_body else "0") == second.headers.get("Content-Length", "0")


async def test_a_chain(router: Router, session: aiohttp.ClientSession) -> None:
    """Every hop is in the history, in order, and is a call of its own."""
    router.get("http://a.test/1").redirect("http://b.test/2", 301)
    router.get("http://b.test/2").redirect("https://c.test:8443/3", 307)
    router.get("https://c.test:8443/3").redirect("4", 308)
    router.get("https://c.test:8443/4").reply(204)
    async with session.get("http://a.test/1") as response:
        assert 204 == response.status
    hops = ["http://a.test/1", "http://b.test/2", "https://c.test:8443/3", "https://c.test:8443/4"]
    assert hops[:-1] == [str(hop.url) for hop in response.history]
    assert hops == [str(call.request.url) for call in router.calls]


async def test_max_redirects(router: Router, session: aiohttp.ClientSession) -> None:
    """`max_redirects=3` allows two hops; the error has the history and the first request."""
    router.get("http://a.test/loop").redirect("/loop", 302)
    with pytest.raises(aiohttp.TooManyRedirects) as raised:
        await session.get("http://a.test/loop", max_redirects=3)
    assert 0 == raised.value.status
    assert [302, 302, 302] == [hop.status for hop in raised.value.history]
    assert URL("http://a.test/loop") == raised.value.request_info.url
    assert 3 == router.call_count


async def test_not_followed(router: Router, session: aiohttp.ClientSession) -> None:
    """With `allow_redirects=False` the redirect itself is the response."""
    router.get("http://a.test/from").redirect("http://b.test/to", 303)
    async with session.get("http://a.test/from", allow_redirects=False) as response:
        assert (303, ()) == (response.status, response.history)
        assert "http://b.test/to" == response.headers["Location"]
    router.assert_called_once()


async def test_without_location(router: Router, session: aiohttp.ClientSession) -> None:
    """A redirect that names no location is returned."""
    router.get("http://a.test/").reply(302)
    async with session.get("http://a.test/") as response:
        assert 302 == response.status


async def test_to_no_http_url(router: Router, session: aiohttp.ClientSession) -> None:
    """A redirect to another scheme is aiohttp's own error."""
    router.get("http://a.test/").redirect("ftp://a.test/file")
    with pytest.raises(aiohttp.NonHttpUrlRedirectClientError, match=r"ftp://a\.test/file"):
        await session.get("http://a.test/")


SAME = "http://a.test/to"
CROSS = "http://b.test/to"


@pytest.mark.parametrize(
    ("target", "kept"), [(SAME, True), (CROSS, False)], ids=["same-origin", "cross-origin"]
)
async def test_authorization_stays_at_its_origin(
    router: Router, session: aiohttp.ClientSession, target: str, kept: bool
) -> None:
    """`Authorization` goes along to the same origin only; other headers go anywhere."""
    router.get("http://a.test/from").redirect(target)
    arrived = router.get(target)
    headers = {"Authorization": "Bearer t", "X-Trace": "7"}
    async with session.get("http://a.test/from", headers=headers):
        pass
    assert "Bearer t" == router.calls.first.request.headers["Authorization"]
    assert kept == ("Authorization" in arrived.calls.last.request.headers)
    assert "7" == arrived.calls.last.request.headers["X-Trace"]
    assert URL(target).host == arrived.calls.last.request.headers["Host"]


@pytest.mark.skipif(AIOHTTP < (3, 13), reason="before aiohttp 3.13 these headers went along")
@pytest.mark.parametrize("name", ["Cookie", "Proxy-Authorization"])
@pytest.mark.parametrize(
    ("target", "kept"), [(SAME, True), (CROSS, False)], ids=["same-origin", "cross-origin"]
)
async def test_other_secrets_stay_at_their_origin(
    router: Router, session: aiohttp.ClientSession, target: str, kept: bool, name: str
) -> None:
    """`Cookie` and `Proxy-Authorization` among the headers go along to the same origin only."""
    router.get("http://a.test/from").redirect(target)
    arrived = router.get(target)
    async with session.get("http://a.test/from", headers={name: "secret=1"}):
        pass
    assert "secret=1" == router.calls.first.request.headers[name]
    assert kept == (name in arrived.calls.last.request.headers)


async def test_cookies_set_by_a_redirect_are_sent_to_where_they_belong(door: Door) -> None:
    """A cookie of one hop is there at the next hop of its host, and at no other."""
    router = door.router
    router.get("http://a.test/login").redirect("http://b.test/away", cookies={"sid": "s1"})
    away = router.get("http://b.test/away").redirect("http://a.test/home")
    home = router.get("http://a.test/home").reply(204)
    async with door.open_session() as session, session.get("http://a.test/login"):
        pass
    assert {} == away.calls.last.request.cookies
    assert {"sid": "s1"} == home.calls.last.request.cookies


async def test_from_https_to_http(router: Router, session: aiohttp.ClientSession) -> None:
    """A redirect from https to http is another origin: `Authorization` is dropped."""
    router.get("https://a.test/from").redirect("http://a.test/to")
    router.get("http://a.test/to")
    async with session.get("https://a.test/from", headers={"Authorization": "Bearer t"}):
        pass
    seen: list[Any] = [call.request.headers.get("Authorization") for call in router.calls]
    assert ["Bearer t", None] == seen
