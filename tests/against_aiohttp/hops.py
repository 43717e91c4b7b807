"""Scenarios of redirects: where they lead, and what goes along."""

from __future__ import annotations

from tests.against_aiohttp.ends import NO_BODY, Scenario, asks, by_path, says

SCENARIOS: dict[str, Scenario] = {}

# Redirects.

TO = {
    "same": b"/home",
    "other-host": b"http://b.test/home",
    "relative": b"home",
    "fragment": b"/home#part",
    "loop": b"/",
    "ftp": b"ftp://b.test/",
    "no-host": b"http:///x",
    "mailto": b"mailto:a@b.test",
}
SCENARIOS |= {
    f"redirect-{name}": Scenario(
        by_path({b"/": b"HTTP/1.1 302 Found\r\nLocation: %b\r\nContent-Length: 0\r\n\r\n" % to}),
        asks(max_redirects=3, headers={"Authorization": "x", "Cookie": "c=1"}),
    )
    for name, to in TO.items()
}
SCENARIOS |= {
    f"redirect-{status}-{method}": Scenario(
        by_path({b"/": b"HTTP/1.1 %d X\r\nLocation: /home\r\nContent-Length: 0\r\n\r\n" % status}),
        asks(method, data=b"body"),
    )
    for status in (301, 302, 303, 307, 308)
    for method in ("POST", "PUT")
}
SCENARIOS["redirect-nowhere"] = Scenario(says(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"), asks())
SCENARIOS["redirect-cookies"] = Scenario(
    by_path({b"/": b"HTTP/1.1 302 Found\r\nLocation: /home\r\nSet-Cookie: sid=1\r\n" + NO_BODY}),
    asks(),
)
