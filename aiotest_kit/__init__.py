"""aiotest_kit: one table of stubbed routes for aiohttp code, behind three doors.

See https://docs.aiohttp.org for aiohttp itself. Names are imported when they are first used, so that a test
run that does not need them does not pay for them.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._app_door.server import StubClient, StubServer
    from ._app_door.calls import AppCall
    from ._app_door.app_routes import named_route
    from ._memory_door.session_calls import SessionCall, around_requests
    from ._virtual_time.clock import VirtualClock, VirtualTime, virtual_time
    from ._responders.connect_faults import ConnectTimeout, DNSFailure, Refuse, TLSFailure
    from ._errors import LeakWarning, LoopMismatchError, UnmatchedRequest, UsageError, VirtualTimeError
    from ._matching.values import Exact, Mismatch, Subset
    from ._reports.near_misses import Near
    from ._responders.faults import (
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
    from ._responders.forward import RealConnector
    from ._asyncio.gate import Gate
    from ._memory_door.mock import Mock, mock
    from ._memory_door.door import mock_session
    from ._http.request import Call, Client, Origin, Part, Request
    from ._http.reply import Reply
    from ._app_door.make_request import make_request
    from ._routing.router import Router
    from ._routing.route import Hit, Route
    from ._app_door.run import Override
    from ._plugin.stub_clients import StubClientFactory
    from ._app_door.stubs import AppRequest, Stub, Stubs, WebSocketStub
    from ._routing.table import Miss
    from ._transport.certificates import Tls
    from ._loopback_door.upstream import Upstream
    from ._routing.calls import Calls
    from ._websocket.connection import WebSocketConnection, WebSocketMessage
    from ._routing.websocket_route import WebSocketRoute
    from ._websocket.script import (
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
    "_memory_door.session_calls": ("SessionCall", "around_requests"),
    "_app_door.server": ("StubClient", "StubServer"),
    "_app_door.calls": ("AppCall",),
    "_app_door.app_routes": ("named_route",),
    "_responders.connect_faults": ("ConnectTimeout", "DNSFailure", "Refuse", "TLSFailure"),
    "_errors": ("LeakWarning", "LoopMismatchError", "UnmatchedRequest", "UsageError", "VirtualTimeError"),
    "_virtual_time.clock": ("VirtualClock", "VirtualTime", "virtual_time"),
    "_matching.values": ("Exact", "Mismatch", "Subset"),
    "_reports.near_misses": ("Near",),
    "_responders.faults": (
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
    "_responders.forward": ("RealConnector",),
    "_asyncio.gate": ("Gate",),
    "_memory_door.mock": ("Mock", "mock"),
    "_memory_door.door": ("mock_session",),
    "_http.request": ("Call", "Client", "Origin", "Part", "Request"),
    "_http.reply": ("Reply",),
    "_app_door.make_request": ("make_request",),
    "_routing.router": ("Router",),
    "_routing.route": ("Hit", "Route"),
    "_routing.table": ("Miss",),
    "_transport.certificates": ("Tls",),
    "_loopback_door.upstream": ("Upstream",),
    "_app_door.run": ("Override",),
    "_plugin.stub_clients": ("StubClientFactory",),
    "_app_door.stubs": ("AppRequest", "Stub", "Stubs", "WebSocketStub"),
    "_routing.calls": ("Calls",),
    "_websocket.connection": ("WebSocketConnection", "WebSocketMessage"),
    "_routing.websocket_route": ("WebSocketRoute",),
    "_websocket.script": (
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
