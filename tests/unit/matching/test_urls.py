"""Which URLs a pattern matches and what it captures, as tables: each row one as written, one as sent."""

import re
from typing import Any

import pytest
from yarl import URL

from aiotest_kit._matching.request_pattern import RequestPattern
from aiotest_kit._matching.urls import BASIC_AUTH, WITHIN_SEGMENT, join_prefix
from aiotest_kit._messages.exceptions import UsageError
from tests.support.requests import ask, check, check_match

HERE = "http://api.test/v1/users"


@pytest.mark.parametrize(
    ("url", "sent", "is_match"),
    [
        # absolute
        (HERE, HERE, True),
        (HERE, "http://api.test/v1/users/", False),
        (HERE, "http://api.test/v1", False),
        (HERE, "https://api.test/v1/users", False),
        (HERE, "http://other.test/v1/users", False),
        (HERE, "http://api.test:8080/v1/users", False),
        (HERE, "http://api.test/v1/users?page=2", True),  # the query is ignored
        ("http://api.test", "http://api.test/", True),
        ("http://api.test?a=1", "http://api.test/?a=1", True),
        ("HTTP://API.test/x", "http://api.test/x", True),
        ("http://api.test/X", "http://api.test/x", False),
        # ports
        ("http://api.test:80/x", "http://api.test/x", True),
        ("https://api.test/x", "https://api.test:443/x", True),
        ("https://api.test:8443/x", "https://api.test:8443/x", True),
        ("https://api.test:8443/x", "https://api.test/x", False),
        ("http://api.test:*/x", "http://api.test:8080/x", True),
        ("http://api.test:*/x", "http://api.test/x", True),
        ("http://api.test:*/x", "http://other.test/x", False),
        ("http://api.test:*/x", "https://api.test/x", False),
        # schemes
        ("ws://api.test/x", "http://api.test/x", True),
        ("wss://api.test/x", "https://api.test/x", True),
        ("wss://api.test/x", "http://api.test/x", False),
        ("*://api.test/x", "http://api.test/x", True),
        ("*://api.test/x", "https://api.test/x", True),
        ("*://api.test/x", "https://api.test:80/x", False),
        ("*://api.test:8080/x", "https://api.test:8080/x", True),
        # schemes by which HTTP goes another way
        ("unix://localhost/x", "unix://localhost/x", True),
        ("UNIX://LocalHost/x", "unix://localhost/x", True),
        ("unix://localhost/x", "http://localhost/x", False),
        ("unix://localhost/x", "unix://other/x", False),
        ("unix://localhost/x", "tcp://localhost/x", False),
        ("npipe://localhost/x", "npipe://localhost/x", True),
        ("tcp://api.test:2375/x", "tcp://api.test:2375/x", True),
        ("tcp://api.test:2375/x", "tcp://api.test/x", False),
        ("tcp://api.test/x", "tcp://api.test:2375/x", False),
        ("tcp://api.test:*/x", "tcp://api.test:2375/x", True),
        ("http+docker://localhost/x", "http+docker://localhost/x", True),
        ("http+unix://%2Frun%2Fapp.sock/x", "http+unix://%2Frun%2Fapp.sock/x", True),
        ("http+unix://%2Frun%2Fapp.sock/x", "http+unix://%2Frun%2Fother.sock/x", False),
        ("*://localhost/x", "unix://localhost/x", True),
        ("*://api.test:2375/x", "tcp://api.test:2375/x", True),
        ("*://*:*/x", "tcp://api.test:2375/x", True),
        ("http://localhost/x", "unix://localhost/x", True),  # a server sees no difference
        ("http://localhost:81/x", "unix://localhost/x", False),
        ("http://api.test:2375/x", "tcp://api.test:2375/x", True),
        ("https://localhost/x", "unix://localhost/x", False),
        # hosts
        ("http://127.0.0.1/x", "http://127.0.0.1/x", True),
        ("http://[::1]:8080/x", "http://[::1]:8080/x", True),
        ("http://[::1]/x", "http://[::1]:8080/x", False),
        ("http://[0:0:0:0:0:0:0:1]/x", "http://[::1]/x", True),
        ("http://bücher.test/x", "http://xn--bcher-kva.test/x", True),
        ("http://xn--bcher-kva.test/x", "http://xn--bcher-kva.test/x", True),
        ("http://a_b.test/x", "http://a_b.test/x", True),
        ("http://api.test./x", "http://api.test./x", True),
        ("http://api.test./x", "http://api.test/x", True),
        # wildcards
        ("http://*/x", "http://api.test/x", True),
        ("http://*/x", "http://[::1]/x", True),
        ("http://*/x", "https://api.test/x", False),
        ("http://*/x", "http://api.test/y", False),
        ("http://*.test/x", "http://api.test/x", True),
        ("http://*.test/x", "http://a.b.test/x", True),
        ("http://*.test/x", "http://test/x", False),
        ("http://*.test/x", "http://testing/x", False),
        ("http://*.TEST/x", "http://api.test/x", True),
        ("http://api-*.test/x", "http://api-7.test/x", True),
        ("http://api-*.test/x", "http://apis.test/x", False),
        ("http://*.bücher.test/x", "http://a.xn--bcher-kva.test/x", True),
        ("https://*.internal:8443/x", "https://a.internal:8443/x", True),
        ("https://*.internal:8443/x", "https://a.internal/x", False),
        ("*://*/x", "https://api.test/x", True),
        ("*://*:*/x", "https://api.test:1/x", True),
        # a path alone
        ("/health", "http://api.test/health", True),
        ("/health", "https://other.test:99/health", True),
        ("/health", "http://api.test/healthy", False),
        ("/", "http://api.test/", True),
        # spellings of a path
        ("/a b", "http://api.test/a%20b", True),
        ("/a%20b", "http://api.test/a%20b", True),
        ("/a%2fb", "http://api.test/a%2Fb", True),
        ("/a/b", "http://api.test/a%2Fb", False),
        ("/~x", "http://api.test/%7Ex", True),
        ("/%7ex", "http://api.test/~x", True),
        ("/ü", "http://api.test/%C3%BC", True),
        ("/100%", "http://api.test/100%25", True),
        ("/a|b", "http://api.test/a%7Cb", True),
        ("/a|b", "http://api.test/a|b", True),
        ("/a+b", "http://api.test/a+b", True),
        ("/a+b", "http://api.test/a%20b", False),
        ("/a/../b", "http://api.test/b", True),
        ("//a", "http://api.test//a", True),
        ("/x;v=1", "http://api.test/x;v=1", True),
        ("/x%7By%7D", "http://api.test/x%7By%7D", True),
        # templates
        ("/users/{id}", "http://api.test/users/7", True),
        ("/users/{id}", "http://api.test/users/", False),
        ("/users/{id}", "http://api.test/users/7/", False),
        ("/users/{id}", "http://api.test/users/7/orders", False),
        ("/users/{id}", "http://api.test/users/a%2Fb", True),
        ("http://api.test/users/{id}", "http://other.test/users/7", False),
        ("/users/{id}/orders/{n}", "http://api.test/users/7/orders/8", True),
        ("/users/{id:\\d+}", "http://api.test/users/77", True),
        ("/users/{id:\\d+}", "http://api.test/users/x7", False),
        ("/users/{id:\\d{3}}", "http://api.test/users/777", True),
        ("/users/{id:\\d{3}}", "http://api.test/users/77", False),
        ("/files/{tail:.*}", "http://api.test/files/a/b/c", True),
        ("/files/{tail:.*}", "http://api.test/files/", True),
        ("/files/{tail:.*}", "http://api.test/file", False),
        ("/{name}.{ext}", "http://api.test/x.txt", True),
        ("/{a}-{b}", "http://api.test/1-2", True),
        ("/ü/{id}", "http://api.test/%C3%BC/1", True),
        ("/a b/{id}", "http://api.test/a%20b/1", True),
        ("/{word:[ü-ÿ]}", "http://api.test/%C3%BC", True),  # a regex sees the path decoded, as in aiohttp
        ("/{ask:a?}/{hash:#?}", "http://api.test/a/%23", True),  # ? and # of a regex begin nothing
        ("/{id:\\d+}?page=2", "http://api.test/7?page=2", True),
        ("/{id:\\d+}?page=2", "http://api.test/7?page=3", False),
        # any
        (None, "https://api.test:99/any/thing?at=all", True),
    ],
)
def test_url(url: str | None, sent: str, is_match: bool) -> None:
    """A URL is an origin, or any, and a path in any spelling, or a template."""
    check_match(RequestPattern("GET", url), ask(sent), is_match)


@pytest.mark.parametrize(
    ("url", "sent", "is_match"),
    [
        (URL(HERE), HERE, True),
        (URL("/v1/users"), HERE, True),
        (URL("http://api.test"), "http://api.test/", True),
        (URL("http://api.test/a b?q=ü"), "http://api.test/a%20b?q=%C3%BC", True),
        (URL("http://api.test/a b?q=ü"), "http://api.test/a%20b?q=u", False),
        (URL("http://bücher.test/"), "http://xn--bcher-kva.test/", True),
        (URL("/users/{id}"), "http://api.test/users/7", False),
        (URL("/users/{id}"), "http://api.test/users/%7Bid%7D", True),
        (URL("/users/{id}", encoded=True), "http://api.test/users/{id}", True),
        (URL("/x?q={id}"), "http://api.test/x?q=%7Bid%7D", True),
    ],
)
def test_url_object(url: URL, sent: str, is_match: bool) -> None:
    """A URL object is what it is: a brace in it is a brace."""
    check_match(RequestPattern("GET", url), ask(sent), is_match)


@pytest.mark.parametrize(
    ("regex", "sent", "is_match"),
    [
        (r"http://.*\.test/users", "http://api.test/users", True),
        (r"http://.*\.test/users", "http://api.test/users/7?page=2", True),  # from the start, not to the end
        (r"http://.*\.test/users$", "http://api.test/users/7", False),
        (r".*page=2", "http://api.test/users?page=2", True),
        (r"/users", "http://api.test/users", False),  # not somewhere in it
        (r".*/a%20b", "http://api.test/a%20b", True),  # as on the wire
        (r"http://api\.test/$", "http://api.test:80/", True),
    ],
)
def test_url_regex(regex: str, sent: str, is_match: bool) -> None:
    """A regex matches the whole URL from its start."""
    check_match(RequestPattern("GET", re.compile(regex)), ask(sent), is_match)


@pytest.mark.parametrize(
    ("url", "differences"),
    [
        ("https://api.test/x", [("url", "origin", "https://api.test", "http://api.test:8080")]),
        ("/y", [("url", "path", "/y", "/x")]),
        ("/{id:\\d+}", [("url", "path", "/{id:\\d+}", "/x")]),
        (
            "https://*.test:1/a b",
            [("url", "origin", "https://*.test:1", "http://api.test:8080"), ("url", "path", "/a b", "/x")],
        ),
        (re.compile("https"), [("url", "", re.compile("https"), "http://api.test:8080/x?q=1")]),
    ],
)
def test_url_mismatch(url: Any, differences: list[tuple[str, str, object, object]]) -> None:
    """A difference names the part of the URL, as the route has it and as it was sent."""
    check(RequestPattern("GET", url), ask("http://api.test:8080/x?q=1"), *differences)


@pytest.mark.parametrize(
    ("url", "sent", "captures"),
    [
        ("/users", "/users", {}),
        ("/users/{id}", "/users/7", {"id": "7"}),
        ("/{a}/{b}", "/1/2", {"a": "1", "b": "2"}),
        ("/{name}.{ext}", "/x.tar.gz", {"name": "x.tar", "ext": "gz"}),
        ("/{name}", "/a%20b", {"name": "a b"}),
        ("/{name}", "/%C3%BC", {"name": "ü"}),
        ("/{name}", "/a%2Fb", {"name": "a/b"}),
        ("/{name}", "/100%25", {"name": "100%"}),
        ("/{name}", "/%252F", {"name": "%2F"}),
        ("/{tail:.*}", "/a/b%2Fc", {"tail": "a/b/c"}),
        ("/x{tail:(/y)?}", "/x", {"tail": ""}),
        ("/{id:(?P<year>\\d+)-.*}", "/2024-x", {"id": "2024-x", "year": "2024"}),
        (re.compile(r".*/users/(?P<id>\d+)"), "/users/7", {"id": "7"}),
        (re.compile(r".*/(?P<name>.+)"), "/a%20b%2Fc", {"name": "a b/c"}),
        (re.compile(r".*/(?P<a>\d+)?(?P<b>x)"), "/x", {"b": "x"}),
        (re.compile(r".*"), "/x", {}),
    ],
)
def test_captures(url: Any, sent: str, captures: dict[str, str]) -> None:
    """Captures are unquoted; groups that took no part are left out."""
    pattern = RequestPattern("GET", url)
    request = ask(f"http://api.test{sent}")

    assert pattern.matches(request)
    assert captures == pattern.captures(request)


def test_no_captures_of_a_mismatch() -> None:
    """A request that does not match has no captures."""
    assert {} == RequestPattern("GET", "/{id}").captures(ask("http://api.test/a/b"))
    assert {} == RequestPattern("GET", re.compile("(?P<x>y)")).captures(ask())


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "'': a URL starts with a scheme, 'https://', or is a path, '/'"),
        ("users", "'users': a URL starts with a scheme, 'https://users', or is a path, '/users'"),
        ("api.test/x", "a URL starts with a scheme, 'https://api.test/x'"),
        ("localhost:8080/x", "a URL starts with a scheme, 'https://localhost:8080/x'"),
        (
            "https?://api.test/x",
            "'https?://api.test/x' is no URL; for a regex write re.compile('https?://api.test/x')",
        ),
        (".*/users", "'.*/users' is no URL; for a regex write re.compile('.*/users')"),
        ("?page=2", "or is a path, '/?page=2'"),
        ("http://%2Frun%2Fapp.sock/", "'%2Frun%2Fapp.sock' is not a host"),
        ("+unix://a/", "unknown scheme '+unix'; schemes are: http, https, ws, wss, tcp, unix, npipe, *"),
        ("ftp://api.test/", "unknown scheme 'ftp'; schemes are: http, https, ws, wss, tcp, unix, npipe, *"),
        ("http:///x", "'' is not a host with an optional port"),
        ("http://::1/x", "'::1' is not a host with an optional port"),
        ("http://[::1/x", "'[::1' is not a host with an optional port"),
        ("http://[x::y]/x", "'[x::y]' is not a host"),
        ("http://a b/x", "'a b' is not a host"),
        ("http://bü*.test/x", "'bü*.test' is not a host"),
        ("http://*..x/x", "'*..x' is not a host"),
        ("http://a..x/x", "'a..x' is not a host"),
        ("http://api.test:http/x", "'api.test:http' is not a host with an optional port"),
        ("http://api.test:99999/x", "port 99999 is out of range; ports are 1 to 65535"),
        (
            "http://me:secret%21@api.test/x",
            "credentials are sent as a header; write 'http://api.test/x' and "
            f"headers={{'Authorization': {BASIC_AUTH.format(repr('me'))}}}",
        ),
        ("http://{host}/x", "a template starts at the path; '*' stands for any host"),
        ("/x#top", "'/x#top': a fragment is never sent; leave out '#top'"),
        ("http://api.test#top", "a fragment is never sent; leave out '#top'"),
        ("/users/{id", "bad template '/users/{id': '/users/{id'; write '{name}' or '{name:regex}'"),
        ("/users/id}", "bad template '/users/id}'"),
        ("/users/{1x}", "bad template '/users/{1x}'"),
        ("/users/{}", "bad template '/users/{}'"),
        ("/users/{a-b}", "bad template '/users/{a-b}': '{a-b}'; write '{name}' or '{name:regex}'"),
        ("/{id}/{id}", "bad template '/{id}/{id}': redefinition of group name 'id'"),
        ("/{id:(}", "bad template '/{id:(}': the regex '(': missing ), unterminated subpattern"),
        ("/{id:(?P<id>x)}", "bad template '/{id:(?P<id>x)}': redefinition of group name 'id'"),
        ("/x?page={page}", "a template ends at the '?'; for any value write query={'page': ANY}"),
        (
            URL("http://me@api.test/"),
            f"'http://api.test/' and headers={{'Authorization': {BASIC_AUTH.format(repr('me'))}}}",
        ),
        (URL("/x#top"), "a fragment is never sent"),
        (URL("x"), "a URL starts with a scheme"),
        (re.compile(b"x"), "the URL re.compile(b'x') is a bytes pattern; write it as a str"),
        (7, "a URL is a str, a yarl.URL or a compiled regex, not 7"),
    ],
)
def test_bad_url(url: Any, said: str) -> None:
    """What cannot be requested is refused at set-up, with what would work."""
    with pytest.raises(UsageError, match=re.escape(said)):
        RequestPattern("GET", url)


@pytest.mark.parametrize(
    ("prefix", "url", "joined"),
    [
        ("https://api.test/v1", "/users/{id}", "https://api.test/v1/users/{id}"),
        ("https://api.test/v1/", "/users", "https://api.test/v1/users"),
        ("https://api.test", "/", "https://api.test/"),
        ("https://api.test/v1", "", "https://api.test/v1"),
        ("https://api.test/v1", "?page=2", "https://api.test/v1?page=2"),
        ("https://api.test/{tenant:[a?]}", "/x", "https://api.test/{tenant:[a?]}/x"),
        ("/v1", "/users", "/v1/users"),
        ("https://api.test", URL("/a{b}"), "https://api.test/a%7Bb%7D"),
        ("", "users", "users"),
    ],
)
def test_join_prefix(prefix: str, url: str | URL, joined: str) -> None:
    """A route's path goes below the prefix of its router."""
    assert joined == join_prefix(prefix, url)


@pytest.mark.parametrize(
    ("prefix", "url", "said"),
    [
        ("https://api.test", "https://api.test/x", "'https://api.test/x': a URL under the prefix"),
        ("https://api.test", "users", "'users': a URL under the prefix 'https://api.test' is a path"),
        ("https://api.test?a=1", "/x", "the prefix 'https://api.test?a=1' has a query"),
    ],
)
def test_bad_prefix(prefix: str, url: str, said: str) -> None:
    """An absolute URL has no place below a prefix, nor a path below a query."""
    with pytest.raises(UsageError, match=re.escape(said)):
        join_prefix(prefix, url)


@pytest.mark.parametrize(
    ("regex", "is_within"),
    [
        (r"\d+", True),
        (r"\d{3,4}", True),
        (r"[a-z0-9_-]+", True),
        (r"[\w.-]+", True),
        (r"[0-9a-f]{8}-[0-9a-f]{4}", True),
        (r"(?:a|b)*", True),
        (r"[^/]+", True),
        (r"[^{}/]+", True),
        (r"v\.\d", True),
        (r".*", False),
        (r"[^x]+", False),
        (r"a/b", False),
        (r"\x2f", False),
        (r"\W", False),
        (r"\S+", False),
        (r"[\W]", False),
        (r"[+-9]", False),
        (r"[--a]", False),
        (r"[\d/]", False),
        (r"[^\w]", False),
        (r"[]/]", False),
        (r"[^]/-]", False),
    ],
)
def test_regex_within_a_segment(regex: str, is_within: bool) -> None:
    """A regex that is filed as one segment matches no slash, whatever else it matches."""
    assert is_within is bool(WITHIN_SEGMENT.fullmatch(regex))
    if is_within:
        texts = ["/", "a/", "/a", "a/b", "1/2", "//", "8/", "v.1/", "00000000-0000/"]
        assert not any(re.fullmatch(regex, text) for text in texts)
