"""aiotest_kit: one table of stubbed routes for aiohttp code, behind three doors.

A request comes in from the top. Each package imports only from the lines below its own:

    compat  _cli  fixtures  pytest_plugin    other libraries' names; commands; what pytest sees
    websocket  faults                        the steps of scripts; all faults under one name
    _plugin                                  settings, strictness, the loop of a test, leak check
    _memory_door  _loopback_door  _app_door  three ways in: patched client, real port, app under test
    _server                                  one connection: bytes in, router asked, reply sent, call recorded
    _routing                                 routes, their table and index, the log of calls, assertions
    _websocket                               a websocket connection, scripts, conversations
    _reports                                 why nothing matched: near misses, hints, tables, timelines (text)
    _responders  _matching                   what answers (handlers, faults, streams, apps); what matches
    _virtual_time  _leaks                    a clock that jumps to the next timer; what a test leaves open
    _http  _aiohttp                          messages and their bytes (no I/O); undocumented parts of aiohttp
    _transport                               in-memory and socket plumbing
    _asyncio                                 tasks, waiting, lifespans; undocumented parts of asyncio
    _options  _functions                     checks of options, and of functions that users give
    _messages  _location                     exceptions, and wording without secrets; places in user code

Names are imported when they are first used, so that a test run that does not need them does not pay for them.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    __all__: list[str]

    from ._app_door.app_routes import named_route as named_route
    from ._app_door.calls import AppCall as AppCall
    from ._app_door.client import StubClient as StubClient
    from ._app_door.make_request import make_request as make_request
    from ._app_door.overrides import Override as Override
    from ._app_door.request import AppRequest as AppRequest
    from ._app_door.server import StubServer as StubServer
    from ._app_door.stubs import Stub as Stub, Stubs as Stubs, WebSocketStub as WebSocketStub
    from ._asyncio.gate import Gate as Gate
    from ._http.call import Call as Call, Client as Client, Tunnel as Tunnel
    from ._http.multipart import Part as Part
    from ._http.reply import Reply as Reply
    from ._http.request import Origin as Origin, Request as Request
    from ._loopback_door.upstream import Upstream as Upstream
    from ._matching.values import Exact as Exact, Mismatch as Mismatch, Subset as Subset
    from ._memory_door.mock import Mock as Mock, mock as mock
    from ._memory_door.session import mock_session as mock_session
    from ._memory_door.session_calls import SessionCall as SessionCall, around_requests as around_requests
    from ._messages.exceptions import (
        LeakWarning as LeakWarning,
        LoopMismatchError as LoopMismatchError,
        UnmatchedRequest as UnmatchedRequest,
        UnmetExpectations as UnmetExpectations,
        UsageError as UsageError,
        VirtualTimeError as VirtualTimeError,
    )
    from ._plugin.stub_clients import StubClientFactory as StubClientFactory
    from ._plugin.wide_fixtures import mock_fixture as mock_fixture, upstream_fixture as upstream_fixture
    from ._reports.near_misses import Near as Near
    from ._responders.connect_faults import (
        ConnectTimeout as ConnectTimeout,
        DNSFailure as DNSFailure,
        Refuse as Refuse,
        TLSFailure as TLSFailure,
    )
    from ._responders.faults import (
        BadChunk as BadChunk,
        BadHeader as BadHeader,
        Disconnect as Disconnect,
        Drip as Drip,
        Flaky as Flaky,
        Garbage as Garbage,
        ProxyError as ProxyError,
        Reset as Reset,
        Stall as Stall,
        Truncate as Truncate,
        WrongEncoding as WrongEncoding,
    )
    from ._responders.forward import RealConnector as RealConnector
    from ._routing.calls import Calls as Calls
    from ._routing.route import Hit as Hit, Route as Route
    from ._routing.router import Router as Router
    from ._routing.table import Miss as Miss
    from ._routing.websocket_route import WebSocketRoute as WebSocketRoute
    from ._transport.certificates import Tls as Tls
    from ._virtual_time.clock import (
        VirtualClock as VirtualClock,
        VirtualTime as VirtualTime,
        virtual_time as virtual_time,
    )
    from ._websocket.connection import (
        WebSocketConnection as WebSocketConnection,
        WebSocketMessage as WebSocketMessage,
    )

HOMES = {
    "_app_door.app_routes": "named_route",
    "_app_door.calls": "AppCall",
    "_app_door.client": "StubClient",
    "_app_door.make_request": "make_request",
    "_app_door.overrides": "Override",
    "_app_door.request": "AppRequest",
    "_app_door.server": "StubServer",
    "_app_door.stubs": "Stub Stubs WebSocketStub",
    "_asyncio.gate": "Gate",
    "_messages.exceptions": (
        "LeakWarning LoopMismatchError UnmatchedRequest UnmetExpectations UsageError VirtualTimeError"
    ),
    "_http.call": "Call Client Tunnel",
    "_http.multipart": "Part",
    "_http.reply": "Reply",
    "_http.request": "Origin Request",
    "_loopback_door.upstream": "Upstream",
    "_matching.values": "Exact Mismatch Subset",
    "_memory_door.mock": "Mock mock",
    "_memory_door.session": "mock_session",
    "_memory_door.session_calls": "SessionCall around_requests",
    "_plugin.stub_clients": "StubClientFactory",
    "_plugin.wide_fixtures": "mock_fixture upstream_fixture",
    "_reports.near_misses": "Near",
    "_responders.connect_faults": "ConnectTimeout DNSFailure Refuse TLSFailure",
    "_responders.faults": (
        "BadChunk BadHeader Disconnect Drip Flaky Garbage ProxyError Reset Stall Truncate WrongEncoding"
    ),
    "_responders.forward": "RealConnector",
    "_routing.calls": "Calls",
    "_routing.route": "Hit Route",
    "_routing.router": "Router",
    "_routing.table": "Miss",
    "_routing.websocket_route": "WebSocketRoute",
    "_transport.certificates": "Tls",
    "_virtual_time.clock": "VirtualClock VirtualTime virtual_time",
    "_websocket.connection": "WebSocketConnection WebSocketMessage",
}
"""The public names, by the module that has them."""

# Type checkers read the imports above: a name that is not among them is an error.
if not TYPE_CHECKING:  # pragma: no branch
    __all__ = sorted(["__version__", *" ".join(HOMES.values()).split()])

    def __getattr__(name):
        for module, names in HOMES.items():
            if name in names.split():
                value = getattr(import_module(f".{module}", __name__), name)
                # A user reads `aiotest_kit.Router`, in tracebacks and in documentation.
                value.__module__ = __name__
                globals()[name] = value
                return value
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__():
        return sorted({*globals(), *__all__})
