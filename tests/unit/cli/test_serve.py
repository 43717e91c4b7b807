"""`python -m aiotest_kit serve`: routes from files, what is printed, and the end."""

import asyncio
import json
import re
import signal
from argparse import Namespace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from aiotest_kit import Router, UsageError
from aiotest_kit.__main__ import main
from aiotest_kit._cli.route_file import routes_in
from aiotest_kit._cli.serve import parser, serve
from tests.support.requests import ask

ROUTES = """{
  "routes": [
    {"url": "/users/{id}", "name": "user", "reply": {"json": {"id": 7}}},
    {"method": ["POST", "PUT"], "url": "/users", "query": {"x": "1"},
     "json": {"a": 1}, "reply": [{"status": 503, "times": 2}, 201]},
    {"url": "/old", "reply": {"redirect": "/users/7", "status": 301}},
    {"url": "/feed", "reply": {"sse": [{"data": 1}]}},
    {"url": "/parts", "reply": {"stream": ["a", "b"], "times": 1}},
    {"url": "/real", "reply": {"forward": "http://real.test"}},
    {"url": "/nothing"}
  ]
}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder: Path, text: str, name: str = "routes.json") -> Path:
    (folder / name).write_text(text)
    return Path(name)


# ---- files ----


def test_json(folder: Path) -> None:
    """JSON has the vocabulary of a route and of a reply, and each route is placed in the file."""
    router = routes_in(write(folder, ROUTES))

    assert [
        ("GET /users/{id}", "user", "routes.json:3"),
        ("POST|PUT /users with query {'x': '1'}, json {'a': 1}", None, "routes.json:4"),
        ("GET /old", None, "routes.json:6"),
        ("GET /feed", None, "routes.json:7"),
        ("GET /parts", None, "routes.json:8"),
        ("GET /real", None, "routes.json:9"),
        ("GET /nothing", None, "routes.json:10"),
    ] == [(route.pattern.describe(), route.name, route.location) for route in router.routes]
    assert [None, None, None, None, 1, None, None] == [route.capacity for route in router.routes]
    steps = [route.take().answer for route in router.routes[1:2] for _ in range(3)]
    assert [503, 503, 201] == [getattr(answer, "status", None) for answer in steps]


def test_json_list(folder: Path) -> None:
    """The routes may be the whole of the file."""
    assert 1 == len(routes_in(write(folder, '[{"url": "/a"}]')).routes)


PLACES = {
    "no JSON": ('[\n {"url": "/a",}\n]', r"2: this is no JSON: .* \(column \d+\)"),
    "too deep": ("[" * 100_000, "1: this is no JSON: nested too deep (column 1)"),
    "no list": ("7", "1: it is a list of routes; got 7"),
    "no routes": ("{}", "1: it has no 'routes'"),
    "other fields": ('{\n"routes": [],\n"x": 1}', "3: x: unknown field of the file; fields are: routes"),
    "no object": ('[\n"/a"\n]', "2: [0]: a route is an object; got '/a'"),
    "no url": ('[{"url": "/a"},\n {"method": "GET"}]', "2: [1]: a route needs a 'url'"),
    "url": (
        '[{"method": "GET",\n "url": "a"}]',
        "2: [0].url: 'a': a URL starts with a scheme, 'https://a', or is a path, '/a'",
    ),
    "method": (
        '[{"url": "/a",\n\n "method": "G T"}]',
        "3: [0].method: 'G T' is not a method; a method is a word such as 'GET' (RFC 9110, 5.6.2)",
    ),
    "field of a route": (
        '[{"url": "/a",\n "queri": {}}]',
        "2: [0].queri: unknown field of a route; fields are: "
        "method, url, name, query, headers, cookies, json, form, body, reply",
    ),
    "field of a reply": (
        '{"routes": [\n {"url": "/a", "reply": [200,\n {"jsn": 1}]}]}',
        "3: routes[0].reply[1].jsn: unknown field of a reply; fields are: status, body, compress, "
        "content_type, cookies, delay, form, headers, html, json, reason, text, trailers, times",
    ),
    "status": (
        '[{"url": "/a", "reply":\n {"status":\n "x"}}]',
        "2: [0].reply.status: status 'x' is not one of 200 to 999; route.raw(...) can send anything",
    ),
    "bare status": (
        '[{"url": "/a",\n "reply": 7}]',
        "2: [0].reply: status 7 is not one of 200 to 999; route.raw(...) can send anything",
    ),
    "times": (
        '[{"url": "/a", "reply": {"text": "a",\n "times": 0}}]',
        "2: [0].reply.times: times= is a whole number, 1 or more; got 0",
    ),
    "value": (
        '[{"url": "/a", "reply": {"text": "a",\n "delay": "1"}}]',
        "2: [0].reply.delay: a delay is in seconds, 0 or more; got '1'",
    ),
    "together": (
        '[{"url": "/a",\n "reply": {"text": "a", "json": 1}}]',
        "2: [0].reply: a reply has one body; got text= and json=",
    ),
    "reply": ('[{"url": "/a",\n "reply": "hi"}]', "2: [0].reply: a reply is an object; got 'hi'"),
    "redirect": (
        '[{"url": "/a", "reply": {"redirect": "/b",\n "status": 200}}]',
        "2: [0].reply.status: 200 is not a redirect that clients follow; those are 301, 302, 303, 307, 308",
    ),
    "field of a redirect": (
        '[{"url": "/a", "reply": {"redirect": "/b",\n "text": ""}}]',
        "2: [0].reply.text: unknown field of a redirect; fields are: redirect, status, headers, times",
    ),
    "stream": (
        '[{"url": "/a", "reply":\n {"stream": "abc"}}]',
        "2: [0].reply.stream: cannot stream 'abc'; pass a list or a generator function",
    ),
}


@pytest.mark.parametrize(("text", "says"), PLACES.values(), ids=PLACES)
def test_json_that_cannot_work(folder: Path, text: str, says: str) -> None:
    """An error names the file, the line, and the field."""
    with pytest.raises(UsageError) as raised:
        routes_in(write(folder, text))
    if says.startswith("2: this is no"):
        assert re.fullmatch("routes.json:" + says, str(raised.value))
    else:
        assert f"routes.json:{says}" == str(raised.value)


MODULE = "from aiotest_kit import Router\n"


@pytest.mark.parametrize(
    "code",
    ["router = Router()\nother = Router()", "api = Router()\nrouter = api", "fake = Router()"],
    ids=["by name", "twice", "only one"],
)
def test_module(folder: Path, code: str) -> None:
    """A module has a router."""
    assert isinstance(routes_in(write(folder, MODULE + code, "routes.py")), Router)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "routes.py",
            "",
            "routes.py: a Router is needed at its top level, as `router = Router()`; it has none",
        ),
        (
            "routes.py",
            "a, b = Router(), Router()",
            "routes.py: a Router is needed at its top level, as `router = Router()`; it has several: a, b",
        ),
        ("routes.txt", "", "routes.txt: routes are in a .py or a .json file"),
    ],
    ids=["none", "several", "kind"],
)
def test_file_that_cannot_work(folder: Path, name: str, text: str, message: str) -> None:
    """A file without a router of its own is refused."""
    with pytest.raises(UsageError) as raised:
        routes_in(write(folder, MODULE + text, name))
    assert message == str(raised.value)


# ---- serving ----


def options(*arguments: str) -> Namespace:
    return parser().parse_args(arguments)


async def test_serve(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It says where it is, has a line for each exchange and the report on a miss, and ends on Ctrl-C."""
    server = asyncio.create_task(serve(options(str(write(folder, ROUTES)))))
    printed = await until_serving(server, capsys)
    url = re.findall(r"http://[\d.:]+", printed)[0]
    async with aiohttp.ClientSession() as session:
        for path in ("/users/7", "/feed", "/no\udc80pe"):
            async with session.get(f"{url}{path}" if path.isascii() else url + "/%80") as response:
                await response.read()
    signal.raise_signal(signal.SIGINT)
    await server

    printed += capsys.readouterr().out
    printed = re.sub(r"\d\d:\d\d:\d\d", "00:00:00", re.sub(r"\d\.\d{3} s", "0.000 s", printed))
    first, *exchanges, last = printed.splitlines()
    assert f"serving 7 routes of routes.json at {url} (Ctrl-C stops)" == first
    assert [
        f"00:00:00 GET {url}/users/7 -> 200 in 0.000 s  user",
        f"00:00:00 GET {url}/feed -> 200 in 0.000 s  GET /feed",
        f"00:00:00 GET {url}/%80 -> 501",
        f"  no route answered GET {url}/%80",
        "    nearest of 7 routes:",
    ] == exchanges[:5]
    assert "stopped after 3 calls" == last


async def until_serving(server: asyncio.Task[None], capsys: pytest.CaptureFixture[str]) -> str:
    printed = ""
    while "serving" not in printed and not server.done():
        await asyncio.sleep(0)
        printed += capsys.readouterr().out
    return printed


async def test_serve_with_tls(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With TLS it says whom to trust, in a file that is there for the time; a unix socket is named, too."""
    pytest.importorskip("trustme")
    path = str(write(folder, ROUTES))
    server = asyncio.create_task(serve(options(path, "--tls", "--unix", "s")))
    printed = await until_serving(server, capsys)
    certificate = Path(printed.split()[-1])

    assert "at https://localhost on s (Ctrl-C stops)\nclients have to trust " in printed
    assert certificate.read_text().startswith("-----BEGIN CERTIFICATE-----")
    signal.raise_signal(signal.SIGTERM)
    await server
    assert "stopped after 0 calls\n" == capsys.readouterr().out
    assert not certificate.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no.json"], "no.json: there is no such file"),
        (["no.py"], "no.py: there is no such file"),
        (["routes.json", "--port", "70000"], "port=70000: a port is 0, for any that is free, to 65535"),
    ],
)
def test_cannot_serve(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    """What cannot be served is said in a line, with the exit status of a usage error."""
    write(folder, json.dumps([]))

    assert 2 == main(["serve", *arguments])
    assert f"{message}\n" == capsys.readouterr().err


def test_command(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The command serves until it is told to stop, with the exit status 0."""

    async def stop_at_once() -> None: ...

    monkeypatch.setattr("aiotest_kit._cli.serve.told_to_stop", stop_at_once)
    write(folder, json.dumps([]))

    assert 0 == main(["serve", "routes.json"])
    assert capsys.readouterr().out.endswith("stopped after 0 calls\n")


def test_router_answers(folder: Path) -> None:
    """What JSON says of a request is what is asked of it."""
    router = routes_in(write(folder, ROUTES))
    request = ask("http://a.test/users?x=1", "POST", body=b'{"a": 1}', content_type="application/json")
    found: Any = router.find(request)
    assert router.routes[1] is found.route
