"""A request for one handler, without a server."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from aiotest_kit import UsageError, make_request

GREETING = web.AppKey("greeting", str)


async def greet(request: web.Request) -> web.Response:
    data = await request.json()
    return web.json_response(
        {
            "greeting": request.app[GREETING],
            "id": request.match_info["id"],
            "name": data["name"],
            "page": request.query["page"],
            "session": request.cookies["session"],
        }
    )


def make_app() -> web.Application:
    sub_app = web.Application()
    sub_app[GREETING] = "hi"
    sub_app.router.add_post("/users/{id}", greet, name="greet")
    app = web.Application()
    app[GREETING] = "hello"
    app.router.add_post("/users/{id}", greet, name="greet")
    app.add_subapp("/sub", sub_app)
    return app


@pytest.mark.parametrize(
    ("path", "greeting"), [("/users/7?page=2", "hello"), ("https://app.test/sub/users/7?page=2", "hi")]
)
async def test_a_handler_is_called(path: str, greeting: str) -> None:
    """The request has what a served one would have: body, captures, query, cookies, and its own app."""
    request = make_request("post", path, json={"name": "Ann"}, cookies={"session": "s"}, app=make_app())
    response = await greet(request)

    assert response.text is not None
    assert {"greeting": greeting, "id": "7", "name": "Ann", "page": "2", "session": "s"} == json.loads(
        response.text
    )
    assert "greet" == request.match_info.route.name
    assert ("https" if "https" in path else "http") == request.scheme
    assert request.config_dict[GREETING] == greeting


async def test_what_is_given_holds() -> None:
    """Captures and headers are those that are given, for a handler that no app has."""
    headers: Mapping[str, str | list[str]] = {"Host": "other.test", "X-Key": ["a", "b"]}
    request = make_request("GET", "/anything", match_info={"id": "7"}, headers=headers)

    assert {"id": "7"} == dict(request.match_info)
    assert (["a", "b"], "other.test") == (request.headers.getall("X-Key"), request.host)
    assert isinstance(request.app, web.Application)
    assert (b"", False) == (await request.read(), request.can_read_body)


def form() -> aiohttp.FormData:
    data = aiohttp.FormData({"note": "n"})
    data.add_field("file", b"content", filename="a.txt")
    return data


@pytest.mark.parametrize(
    ("data", "fields"),
    [
        pytest.param({"a": "1", "b": "2"}, {"a": "1", "b": "2"}, id="mapping"),
        pytest.param([("a", "1")], {"a": "1"}, id="pairs"),
        pytest.param(form(), {"note": "n", "file": b"content"}, id="file"),
    ],
)
async def test_forms(data: Any, fields: dict[str, object]) -> None:
    """The fields of a form, files too, are read as from a client."""
    posted = await make_request("POST", "/", data=data).post()

    actual: dict[str, object] = {}
    for name, value in posted.items():
        if isinstance(value, web.FileField):
            with value.file as file:
                actual[name] = file.read()
        else:
            actual[name] = value
    assert fields == actual


@pytest.mark.parametrize(
    ("data", "content_type"), [("text", "text/plain"), (b"x", "application/octet-stream")]
)
async def test_other_bodies(data: str | bytes, content_type: str) -> None:
    """Text and bytes are sent as they are."""
    request = make_request("PUT", "/", data=data)

    assert (data if isinstance(data, bytes) else data.encode()) == await request.read()
    assert content_type == request.content_type


async def test_a_handler_that_streams() -> None:
    """What a handler sends by itself goes nowhere, and does not fail."""
    request = make_request("GET", "/")
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"x")
    await response.write_eof()

    assert response.prepared
    assert request.transport is not None
    assert not request.transport.is_closing()


def test_without_a_loop() -> None:
    """A sync test can make one too."""
    request = make_request("GET", "https://app.test/users?page=1", app=make_app())

    assert ("1", True) == (request.query["page"], request.secure)


async def test_two_bodies() -> None:
    """A request has one body."""
    with pytest.raises(UsageError) as caught:
        make_request("POST", "/", json={}, data="x")

    assert "a request has one body; got json= and data=" == str(caught.value)
    with pytest.raises(UsageError, match="a request has one body; got body= and form="):
        make_request("POST", "/", body="x", files={"a": b""})


class Shown(io.BytesIO):
    name = "shown.bin"


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        pytest.param({"form": {"id": "123"}}, [("id", "123")], id="form"),
        pytest.param({"form": [("a", 1), ("b", [2, ""])]}, [("a", "1"), ("b", "2"), ("b", "")], id="pairs"),
        pytest.param({"form": {}}, [], id="no fields"),
        pytest.param(
            {"form": {"note": "é"}, "files": {"file": b"content"}},
            [("note", "é"), ("file", ("file", b"content", "application/octet-stream"))],
            id="field and file",
        ),
        pytest.param(
            {"files": {"a": ("a.txt", "é", "text/csv"), "b": ("b.txt", b"b"), "c": Shown(b"c")}},
            [
                ("a", ("a.txt", "é".encode(), "text/csv")),
                ("b", ("b.txt", b"b", "application/octet-stream")),
                ("c", ("c", b"c", "application/octet-stream")),
            ],
            id="files",
        ),
    ],
)
async def test_fields_and_files(options: Any, fields: list[tuple[str, object]]) -> None:
    """The fields of a form and its files are named as they are for routes and replies."""
    posted = await make_request("POST", "/", **options).post()

    actual: list[tuple[str, object]] = []
    for name, value in posted.items():
        if isinstance(value, web.FileField):
            with value.file as file:
                actual.append((name, (value.filename, file.read(), value.content_type)))
        else:
            actual.append((name, value))
    assert fields == actual


@pytest.mark.parametrize(
    ("body", "content_type"), [("text", "text/plain"), (b"x", "application/octet-stream")]
)
async def test_body(body: str | bytes, content_type: str) -> None:
    """A body is sent as it is; None for any argument is "not given", but for JSON."""
    request = make_request(
        "PUT", "/", body=body, form=None, files=None, data=None, headers=None, cookies=None
    )

    assert (body if isinstance(body, bytes) else body.encode()) == await request.read()
    assert content_type == request.content_type
    assert None is await make_request("PUT", "/", json=None).json()
    assert b"" == await make_request("PUT", "/", body=None).read()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"body": {"a": 1}}, "body= is bytes or text; got {'a': 1} (json= encodes objects, form= fields)"),
        ({"form": 7}, "form= is a mapping or pairs; got 7"),
        ({"json": {1}}, "json= cannot be encoded: Object of type set is not JSON serializable"),
        ({"files": [b"a"]}, "files= is a mapping of names to files; got [b'a']"),
        (
            {"files": {"a": 7}},
            "files= 'a': the content is bytes, text or an open file; got 7",
        ),
        (
            {"files": {"a": (b"x",)}},
            "files= 'a': a file is its content, (filename, content) or (filename, content, content_type); "
            "got (b'x',)",
        ),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_bodies_that_cannot_be(options: Any, message: str) -> None:
    """A body that cannot be sent is refused."""
    with pytest.raises(UsageError) as caught:
        make_request("POST", "/", **options)

    assert message == str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": 7}, "a request has one method, such as 'GET'; got 7"),
        ({"method": "*"}, "a request has one method, such as 'GET'; got '*'"),
        ({"method": "G T"}, "'G T' is not a method; a method is a word such as 'GET' (RFC 9110, 5.6.2)"),
        ({"path": 7}, "a request is for a path, such as '/users', or a URL; got 7"),
        ({"path": "users"}, "a request is for a path, such as '/users', or a URL; got 'users'"),
        ({"cookies": "a=b"}, "cookies= is a mapping of names to values; got 'a=b'"),
        ({"match_info": 7}, "match_info= is a mapping of names to values; got 7"),
        ({"app": 7}, "app= is a web.Application; got 7"),
        ({"data": 7}, "data= is bytes, text, the fields of a form or an aiohttp.FormData; got 7"),
        ({"headers": 7}, "headers are a mapping or pairs of text; got 7"),
    ],
    ids=str,
)
def test_arguments_that_cannot_be(arguments: Any, message: str) -> None:
    """What no request can have is refused."""
    with pytest.raises(UsageError) as caught:
        make_request(**{"method": "GET", "path": "/", **arguments})

    assert message == str(caught.value)


async def test_a_handshake() -> None:
    """With the headers for it, a websocket is prepared and may send."""
    headers = {
        "Upgrade": "websocket",
        "Connection": "keep-alive, Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    request = make_request("GET", "/ws", headers=headers)
    ws = web.WebSocketResponse()

    assert ws.can_prepare(request)
    await ws.prepare(request)
    await ws.send_str("hello")
    assert (101, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") == (ws.status, ws.headers["Sec-WebSocket-Accept"])


async def later() -> AsyncIterator[bytes]:
    await asyncio.sleep(0)
    yield b"x"


async def test_a_form_that_has_to_be_waited_for() -> None:
    """A part whose content comes from elsewhere is refused."""
    data = aiohttp.FormData()
    data.add_field("file", later(), filename="a.bin")

    with pytest.raises(UsageError, match="a part of the form waits for something; give its content as bytes"):
        make_request("POST", "/", data=data)
