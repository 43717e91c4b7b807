"""Websockets, to a type checker. Nothing here is run."""

from typing import Any, Literal

from aiohttp import WSMessage, WSMsgType, web
from typing_extensions import assert_type

from aiotest_kit import Router, WebSocketConnection, WebSocketMessage, WebSocketRoute
from aiotest_kit.websocket import (
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


def routes(router: Router) -> None:
    async def echo(ws: web.WebSocketResponse) -> None:
        await ws.send_str(await ws.receive_str())

    route = router.ws("wss://stream.test/ticks", protocols=["v1"], heartbeat=30, headers={"X-Key": "k"})
    assert_type(route, WebSocketRoute)
    assert_type(route.script(expect("hello"), send_json({"n": 1}), pause(1), close(4000)), WebSocketRoute)
    assert_type(route.reply(echo).reject(401, text="who are you?").optional(), WebSocketRoute)


def steps() -> list[ScriptStep]:
    return [
        expect_json({"id": 7}),
        expect_close(1000),
        send("text"),
        send(b"bytes"),
        send_bytes(b"bytes"),
        ping(),
        abort(),
    ]


async def driven(route: WebSocketRoute) -> None:
    connection = await route.connection(timeout=1)
    assert_type(connection, WebSocketConnection)
    assert_type(route.connections, list[WebSocketConnection])
    await connection.send_json({"n": 1})
    assert_type(await connection.receive(), WSMessage)
    assert_type(await connection.receive_str(), str)
    assert_type(await connection.receive_bytes(), bytes)
    assert_type(await connection.receive_json(), Any)
    assert_type(connection.close_code, int | None)
    assert_type(connection.subprotocol, str | None)
    assert_type(connection.messages, list[WebSocketMessage])
    assert_type(connection.messages[0].type, WSMsgType)
    assert_type(connection.messages[0].direction, Literal["sent", "received"])
