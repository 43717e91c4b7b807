"""Scenarios of connections: kept, cut off, taken, given up; uploads that are answered early; proxies."""

from __future__ import annotations

import aiohttp

from tests.against_aiohttp.ends import (
    EMPTY,
    NO_BODY,
    OK,
    PART,
    PATIENT,
    TOTAL,
    Scenario,
    answers,
    asks,
    asks_at_once,
    asks_in_turn,
    by_path,
    cancels,
    continues,
    fin,
    half_close,
    half_closes,
    queues,
    rst,
    says,
    says_early,
    stay,
    uploads,
    uploads_part,
)
from tests.against_aiohttp.replies import STOPS

SCENARIOS: dict[str, Scenario] = {}

# Connections that are kept, or end between two requests.

SCENARIOS |= {
    f"kept-{end}-{method}": Scenario(answers(EMPTY, end=act), asks_in_turn("GET", method))
    for end, act in {"fin": fin, "rst": rst}.items()
    for method in ("GET", "POST", "PUT")
}
SCENARIOS["kept"] = Scenario(answers(EMPTY, EMPTY, EMPTY), asks_in_turn("GET", "POST", "HEAD", data=b"body"))
SCENARIOS["not-kept"] = Scenario(
    answers(EMPTY, EMPTY), asks_in_turn("GET", "GET"), connector={"force_close": True}
)
SCENARIOS["said-to-close"] = Scenario(
    says(OK + b"Connection: close\r\nContent-Length: 0\r\n\r\n"), asks_in_turn("GET", "GET")
)

# Timeouts, cancellation, the pool.

SCENARIOS |= {
    f"{act}-{stop}": Scenario(says(STOPS[stop]), client, options)
    for stop in ("nothing", "header-name", "head", "body", "chunk-data")
    for act, client, options in (
        ("total", asks(), TOTAL),
        ("cancel", cancels(), PATIENT),
        ("cancel-post", cancels("POST"), PATIENT),
    )
}
SCENARIOS["pool-limit"] = Scenario(by_path({}), asks_at_once(8), connector={"limit": 2})
SCENARIOS["upload"] = Scenario(says(EMPTY), uploads())
SCENARIOS["upload-refused"] = Scenario(
    says(b"HTTP/1.1 413 Large\r\nConnection: close\r\n" + NO_BODY), uploads()
)
SCENARIOS["half-close"] = Scenario(half_closes, asks())
SCENARIOS["body-long"] = Scenario(says(OK + b"Content-Length: 3000000\r\n\r\n" + bytes(3_000_000)), asks())
SCENARIOS["proxy-http"] = Scenario(says(EMPTY), asks(proxy="http://proxy.test:3128"))
SCENARIOS |= {
    f"proxy-{name}": Scenario(says(data, end), asks(url="https://a.test/", proxy="http://proxy.test:3128"))
    for name, data, end in (
        ("407", b"HTTP/1.1 407 Auth\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n", fin),
        ("502", b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", fin),
        ("gone", b"", fin),
        ("reset", b"", rst),
        ("garbage", b"garbage\r\n\r\n", fin),
    )
}

# An upload that is answered before it has ended.

TOO_LARGE = b"HTTP/1.1 413 Large\r\n" + NO_BODY
TOO_LARGE_CLOSES = b"HTTP/1.1 413 Large\r\nConnection: close\r\n" + NO_BODY
EARLY = {"413": TOO_LARGE, "413-closes": TOO_LARGE_CLOSES, "200": EMPTY, "nothing": b""}
HEAD_ENDS = b"\r\n\r\n"
UPLOADS = {
    "waits": (uploads_part(), PART + b"\r\n"),
    "goes-on": (uploads_part(goes_on=True), PART + b"\r\n"),
    "large": (uploads(20_000_000, at_once=100_000), HEAD_ENDS),
}
SCENARIOS |= {
    f"early-{reply}-{end}-{upload}": Scenario(
        says_early(data, act, until), client, is_up_to_kernel=upload == "large"
    )
    for reply, data in EARLY.items()
    for end, act in {"fin": fin, "half-close": half_close, "rst": rst, "stays": stay}.items()
    for upload, (client, until) in UPLOADS.items()
    # Of an upload that just ends, the kernel decides which end notices first.
    if data or (act is not stay and upload != "large")
}
EXPECTS = asks("POST", data=b"body", expect100=True)
SCENARIOS["continue-granted"] = Scenario(continues, EXPECTS)
SCENARIOS |= {
    f"continue-{name}": Scenario(says_early(data, end), EXPECTS, TOTAL if name == "silence" else PATIENT)
    for name, data, end in (
        ("refused", b"HTTP/1.1 417 No\r\n" + NO_BODY, stay),
        ("refused-and-closed", b"HTTP/1.1 417 No\r\nConnection: close\r\n" + NO_BODY, fin),
        ("refused-as-too-large", TOO_LARGE_CLOSES, fin),
        ("answered-at-once", EMPTY, stay),
        ("granted-and-answered-at-once", b"HTTP/1.1 100 Continue\r\n\r\n" + EMPTY, stay),
        ("closed", b"", fin),
        ("granted-and-closed", b"HTTP/1.1 100 Continue\r\n\r\n", fin),
        ("reset", b"", rst),
        ("silence", b"", stay),
    )
}

# Many at once, and too many.

LIMITS = {
    "no-limit": {"limit": 0},
    "limit": {"limit": 10},
    "limit-per-host": {"limit_per_host": 7},
    "not-kept": {"limit": 20, "force_close": True},
}
SCENARIOS |= {
    f"hundred-at-once-{name}": Scenario(by_path({}), asks_at_once(100), connector=limits)
    for name, limits in LIMITS.items()
}
ONE = {"limit": 1}
SCENARIOS["queue-connect"] = Scenario(says(b""), queues(aiohttp.ClientTimeout(connect=0.1)), connector=ONE)
SCENARIOS["queue-total"] = Scenario(says(b""), queues(aiohttp.ClientTimeout(total=0.1)), connector=ONE)
