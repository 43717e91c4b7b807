"""aiotest_kit: one table of stubbed routes for aiohttp code, behind three doors.

See https://docs.aiohttp.org for aiohttp itself. Names are imported when they are first used, so that a test
run that does not need them does not pay for them.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._app import StubClient, StubServer
    from ._app_calls import AppCall
    from ._app_routes import named_route
    from ._around import SessionCall, around_requests
    from ._clock import VirtualClock, VirtualTime, virtual_time
    from ._connect_faults import ConnectTimeout, DNSFailure, Refuse, TLSFailure
    from ._errors import LeakWarning, LoopMismatchError, UnmatchedRequest, UsageError, VirtualTimeError
    from ._expected import Exact, Mismatch, Subset
    from ._explain import Near
    from ._faults import (
        BadChunk,
        BadHeader,
        Disconnect,
        Drip,
        Flaky,
        Garbage,
        ProxyError,
        Reset,
        Stall,
        Truncate,
        WrongEncoding,
    )
    from ._forward import RealConnector
    from ._gate import Gate
    from ._intercept import Mock, mock
    from ._memory import mock_session
    from ._messages import Call, Client, Origin, Part, Request
    from ._replies import Reply
    from ._request_alone import make_request
    from ._router import Router
    from ._routes import Hit, Route
    from ._runs import Override
    from ._stub_clients import StubClientFactory
    from ._stubs import AppRequest, Stub, Stubs, WebSocketStub
    from ._table import Miss
    from ._tls import Tls
    from ._upstream import Upstream
    from ._verify import Calls
    from ._websocket import WebSocketConnection, WebSocketMessage
    from ._websocket_routes import WebSocketRoute
    from ._websocket_script import (
        ScriptStep,
        abort,
        close,
        expect,
        expect_close,
        expect_json,
        pause,
        ping,
        send,
        send_bytes,
        send_json,
    )

__all__ = [
    "AppCall",
    "AppRequest",
    "BadChunk",
    "BadHeader",
    "Call",
    "Calls",
    "Client",
    "ConnectTimeout",
    "DNSFailure",
    "Disconnect",
    "Drip",
    "Exact",
    "Flaky",
    "Garbage",
    "Gate",
    "Hit",
    "LeakWarning",
    "LoopMismatchError",
    "Mismatch",
    "Miss",
    "Mock",
    "Near",
    "Origin",
    "Override",
    "Part",
    "ProxyError",
    "RealConnector",
    "Refuse",
    "Reply",
    "Request",
    "Reset",
    "Route",
    "Router",
    "ScriptStep",
    "SessionCall",
    "Stall",
    "Stub",
    "StubClient",
    "StubClientFactory",
    "StubServer",
    "Stubs",
    "Subset",
    "TLSFailure",
    "Tls",
    "Truncate",
    "UnmatchedRequest",
    "Upstream",
    "UsageError",
    "VirtualClock",
    "VirtualTime",
    "VirtualTimeError",
    "WebSocketConnection",
    "WebSocketMessage",
    "WebSocketRoute",
    "WebSocketStub",
    "WrongEncoding",
    "abort",
    "around_requests",
    "close",
    "expect",
    "expect_close",
    "expect_json",
    "make_request",
    "mock",
    "mock_session",
    "named_route",
    "pause",
    "ping",
    "send",
    "send_bytes",
    "send_json",
    "virtual_time",
]

HOMES: dict[str, tuple[str, ...]] = {
    "_around": ("SessionCall", "around_requests"),
    "_app": ("StubClient", "StubServer"),
    "_app_calls": ("AppCall",),
    "_app_routes": ("named_route",),
    "_connect_faults": ("ConnectTimeout", "DNSFailure", "Refuse", "TLSFailure"),
    "_errors": ("LeakWarning", "LoopMismatchError", "UnmatchedRequest", "UsageError", "VirtualTimeError"),
    "_clock": ("VirtualClock", "VirtualTime", "virtual_time"),
    "_expected": ("Exact", "Mismatch", "Subset"),
    "_explain": ("Near",),
    "_faults": (
        "BadChunk",
        "BadHeader",
        "Disconnect",
        "Drip",
        "Flaky",
        "Garbage",
        "ProxyError",
        "Reset",
        "Stall",
        "Truncate",
        "WrongEncoding",
    ),
    "_forward": ("RealConnector",),
    "_gate": ("Gate",),
    "_intercept": ("Mock", "mock"),
    "_memory": ("mock_session",),
    "_messages": ("Call", "Client", "Origin", "Part", "Request"),
    "_replies": ("Reply",),
    "_request_alone": ("make_request",),
    "_router": ("Router",),
    "_routes": ("Hit", "Route"),
    "_table": ("Miss",),
    "_tls": ("Tls",),
    "_upstream": ("Upstream",),
    "_runs": ("Override",),
    "_stub_clients": ("StubClientFactory",),
    "_stubs": ("AppRequest", "Stub", "Stubs", "WebSocketStub"),
    "_verify": ("Calls",),
    "_websocket": ("WebSocketConnection", "WebSocketMessage"),
    "_websocket_routes": ("WebSocketRoute",),
    "_websocket_script": (
        "ScriptStep",
        "abort",
        "close",
        "expect",
        "expect_close",
        "expect_json",
        "pause",
        "ping",
        "send",
        "send_bytes",
        "send_json",
    ),
}


def __getattr__(name: str) -> object:
    for module, names in HOMES.items():
        if name in names:
            value = getattr(import_module(f".{module}", __name__), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
