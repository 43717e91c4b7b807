"""The steps of a websocket's script, `router.ws(url).script(...)`, and the types around it.

    from aiotest_kit.websocket import close, expect, send_json

    aiohttp_mock.ws("wss://stream.test/ticks").script(expect("hello"), send_json({"price": 3}), close())

See docs/websockets.md.
"""

from ._routing.websocket_route import WebSocketRoute
from ._websocket.connection import WebSocketConnection, WebSocketMessage
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
    "ScriptStep",
    "WebSocketConnection",
    "WebSocketMessage",
    "WebSocketRoute",
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
]

for _step in (
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
):
    # A user reads `aiotest_kit.websocket.expect`, in tracebacks and in documentation.
    _step.__module__ = __name__
