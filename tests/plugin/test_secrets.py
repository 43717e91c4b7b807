"""Secrets planted in requests, replies and routes, through each door; no output of pytest shows them."""

import re
import xml.etree.ElementTree as ElementTree
from urllib.parse import quote, quote_plus

import pytest

from .conftest import Ran, Suite

PLANTED = {
    "bearer": "pl4nted-bearer-0001",
    "basic": "pl4nted-basic-0002",
    "cookie": "pl4nted-cookie-0003",
    "set_cookie": "pl4nted-setcookie-0004",
    "query": "pl4nted-query-0005",
    "code": "pl4nted-code-0006",
    "json": "pl4nted/json+0007",
    "form": "pl4nted form&0008",
    "reply": 'pl4nted"reply-0009',
    "header": "pl4nted-header-0010",
    "route": "pl4nted-route-0011",
    "shape": "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "text": "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
    "own": "pl4nted-own-0012",
}
CONFTEST = f"""
import json, logging, sys
import aiohttp, pytest
from aiohttp import web
from aiotest_kit import Subset

P = {PLANTED!r}

class Calls:
    def __init__(self, session, url):
        self.session, self.url = session, url

    async def all(self):
        answers, key = [], {{"X-Api-Key": P["header"]}}
        auth = {{"Authorization": "Bearer " + P["bearer"], "Cookie": "sid=" + P["cookie"] + "; theme=dark"}}
        requests = [
            ("GET", {{"headers": auth, "params": {{"access_token": P["query"], "page": "2"}}}}),
            ("POST", {{"auth": aiohttp.BasicAuth("ada", P["basic"]), "json": {{"password": P["json"]}}}}),
            ("PUT", {{"data": {{"secret": P["form"], "code": P["code"]}}, "headers": key}}),
            ("PATCH", {{"data": f"see {{P['shape']}} and {{P['text']}}", "headers": {{"X-Own": P["own"]}}}}),
        ]
        for method, options in requests:
            try:
                async with self.session.request(method, self.url, **options) as response:
                    answers.append((response.status, dict(response.headers), await response.text()))
            except aiohttp.ClientError as error:
                answers.append(repr(error))
        return answers

def add_routes(router, url):
    router.get(url, headers={{"Authorization": "Bearer " + P["route"]}}).reply(200).optional()
    router.post(url).reply(
        201, json={{"token": P["reply"]}}, cookies={{"session": P["set_cookie"]}}
    ).optional()

def tell():
    print("stdout", P)
    print("stderr", json.dumps(P), file=sys.stderr)
    logging.getLogger("app").warning("logged %s", P)

@pytest.fixture
async def client(aiohttp_mock):
    add_routes(aiohttp_mock, "http://api.test/x")
    async with aiohttp.ClientSession() as session:
        yield Calls(session, "http://api.test/x"), aiohttp_mock

@pytest.fixture
async def upstream(aiohttp_upstream):
    add_routes(aiohttp_upstream, "/x")
    async with aiohttp.ClientSession() as session:
        yield Calls(session, aiohttp_upstream.url / "x"), aiohttp_upstream

@pytest.fixture
async def app(aiohttp_stub_client):
    async def handler(request):
        return web.json_response({{"token": P["reply"]}})
    made = web.Application()
    made.router.add_route("*", "/x", handler)
    client = await aiohttp_stub_client(made)
    add_routes(client.stubs, "/x")
    yield Calls(client, "/x"), client.stubs
"""
FAILURES = {
    "swallowed": "await calls.all()",
    "asserted": "assert [] == await calls.all()",
    "locals": """
found = await calls.all()
headers = [call.request.headers for call in router.calls]
assert 0
""",
    "handler": """
def handler(request):
    raise LookupError(request.headers, request.url, request.body)
router.route("*", PATH).reply(handler)
await calls.all()
""",
    "assert_called_with": """
await calls.all()
router.assert_called_with(method="GET", headers={"X-Api-Key": P["route"]}, body=P["text"])
""",
    "assert_any_call": """
await calls.all()
router.assert_any_call(json={"password": P["route"]}, cookies={"sid": P["route"]})
""",
    "assert_calls": """
await calls.all()
router.assert_calls([{"query": {"access_token": P["route"]}}, {"form": {"secret": P["route"]}}])
""",
    "one": "await calls.all()\nrouter.calls.one(headers={'Authorization': P['route']})",
    "subset": """
await calls.all()
assert {"password": P["json"], "a": [P["shape"]] * 9} == Subset({"password": P["route"], "a": ["x" * 200]})
""",
    "printed": """
await calls.all()
tell()
print(router.calls, router.routes, router.calls.last.request)
assert 0
""",
    "never called": """
router.delete(PATH, headers={"Authorization": "Bearer " + P["route"]}, json={"token": P["reply"]})
await calls.all()
""",
    "not text": "await calls.all()\npytest.fail(str(P), pytrace=False)",
    "chained": """
try:
    raise ValueError(await calls.all(), P)
except ValueError as error:
    raise RuntimeError(str(error)) from error
""",
    "diff": """
await calls.all()
token = P["bearer"] + "-" * 300
assert {"a": token} == {"a": token[:5] + "x"} or token == "-" * 300
""",
}


def file_of(body: str, door: str, path: str) -> str:
    """A test whose body is given, in a file of its own."""
    lines = ["calls, router = " + door, *body.strip("\n").splitlines()]
    function = "\n    ".join([f"async def test_it({door}):", *lines])
    return f"from conftest import *\nPATH = {path!r}\n\n{function}"


def leaks(text: str) -> list[str]:
    """What is planted and found in a text, and pieces of it."""
    found = []
    for name, value in PLANTED.items():
        pieces = {
            value,
            quote(value, safe=""),
            quote_plus(value),
            value[-9:],
            value[:9] if "pl4" not in value else value,
        }
        found += [f"{name}: {piece}" for piece in pieces if piece in text]
    return found


def check(suite: Suite, ran: Ran) -> None:
    """Assert that nothing planted is in what pytest wrote, and that something stands in its place."""
    assert [] == leaks(ran.text), ran.text
    report = (suite.pytester.path / "report.xml").read_text()
    assert [] == leaks(report)
    assert "‹secret 1›" in ran.text  # noqa: RUF001 - what is shown
    assert "‹secret 1›" in report  # noqa: RUF001
    ElementTree.fromstring(report)


DOORS = {"client": "http://api.test/x", "upstream": "/x", "app": "/x"}


@pytest.mark.parametrize(
    ("door", "failure"),
    # What no stub answers, the app does.
    [(door, failure) for door in DOORS for failure in FAILURES if (door, failure) != ("app", "swallowed")],
)
def test_planted(suite: Suite, door: str, failure: str) -> None:
    """Whatever fails, by whatever door: neither the failure, nor captured output, nor JUnit XML shows one."""
    suite.ini("aiotest_kit_secrets = X-Own\njunit_logging = all\n").conftest(CONFTEST)
    suite.tests(file_of(FAILURES[failure], door, DOORS[door]))
    ran = suite.run("--junitxml=report.xml", "-rA", "--showlocals", "-Wignore")
    assert 1 == ran.result.parseoutcomes().get("failed"), ran.text
    check(suite, ran)


@pytest.mark.parametrize(
    "options",
    [
        ("-n1",),
        ("-vv",),
        ("--full-trace",),
        *((f"--tb={style}",) for style in ("long", "short", "line", "native")),
    ],
    ids=lambda options: options[0],
)
@pytest.mark.parametrize("failure", ["asserted", "locals", "handler", "subset", "printed"])
def test_planted_with_options(suite: Suite, options: tuple[str, ...], failure: str) -> None:
    """However much is shown, and from whatever process."""
    suite.ini("aiotest_kit_secrets = X-Own\n").conftest(CONFTEST)
    suite.tests(file_of(FAILURES[failure], "client", "http://api.test/x"))
    ran = suite.run("--junitxml=report.xml", "-rA", "--showlocals", "-Wignore", *options)
    assert 1 == ran.result.parseoutcomes().get("failed"), ran.text
    assert [] == leaks(ran.text), ran.text
    assert [] == leaks((suite.pytester.path / "report.xml").read_text())


OTHERS = {
    "set-up": """
@pytest.fixture
async def before(client):
    await client[0].all()
    raise ValueError(P)

def test_it(before):
    pass
""",
    "teardown": """
@pytest.fixture
async def after(client):
    yield
    await client[0].all()
    tell()
    raise ValueError(P)

def test_it(after):
    pass
""",
    "teardown behind the mock": """
@pytest.fixture
def after():
    yield
    raise ValueError(P)

async def test_it(after, client):
    await client[0].all()
    tell()
    assert 0
""",
    "passes": """
@pytest.mark.aiotest(unmatched="allow")
async def test_it(client):
    await client[0].all()
    tell()
""",
    "expected to fail": """
@pytest.mark.xfail
async def test_it(client):
    await client[0].all()
    tell()
    raise ValueError(P)
""",
    "unittest": """
import asyncio, unittest

class TestIt(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def mocked(self, aiohttp_mock):
        self.mock = aiohttp_mock

    def test_it(self):
        async def run():
            async with aiohttp.ClientSession() as session:
                return await Calls(session, "http://api.test/x").all()
        add_routes(self.mock, "http://api.test/x")
        self.assertEqual(P, asyncio.run(run()))
""",
    "websocket": """
from aiotest_kit.websocket import expect_json, send_json

async def test_it(aiohttp_mock):
    ws = aiohttp_mock.ws("ws://api.test/ws")
    ws.script(expect_json({"token": P["route"]}), send_json({"token": P["reply"]}))
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect("ws://api.test/ws?token=" + P["query"]) as ws:
            await ws.send_json({"token": P["bearer"], "text": "see " + P["shape"]})
            print(await ws.receive(), P["route"], P["reply"], P["query"], P["bearer"], P["shape"])
""",
    "wide mock": """
from aiotest_kit import mock_fixture
api = mock_fixture(scope="module")

async def test_it(api):
    add_routes(api, "http://api.test/x")
    async with aiohttp.ClientSession() as session:
        await Calls(session, "http://api.test/x").all()
    raise ValueError(P)
""",
    "proxy": """
async def test_it(client):
    await client[0].all()
    client[1].get("http://h.test/")
    proxy = "http://ada:" + P["own"] + "@proxy.test:8080"
    async with client[0].session.get("http://h.test/", proxy=proxy) as response:
        raise ValueError(response, proxy)
""",
}


@pytest.mark.parametrize("kind", OTHERS)
def test_planted_elsewhere(suite: Suite, kind: str) -> None:
    """In every phase, for every kind of test, and in what a test that passes has written."""
    suite.ini("aiotest_kit_secrets = X-Own\njunit_logging = all\n").conftest(CONFTEST)
    suite.tests(f"from conftest import *\n{OTHERS[kind]}")
    ran = suite.run("--junitxml=report.xml", "-rA", "--xfail-tb", "-Wignore")
    check(suite, ran)


def test_shown(suite: Suite) -> None:
    """`aiotest_kit_show_secrets = true` shows them all."""
    suite.ini("aiotest_kit_show_secrets = true\n").conftest(CONFTEST)
    ran = suite.tests(file_of(FAILURES["printed"], "client", "http://api.test/x")).run("-Wignore")
    assert "‹secret" not in ran.text  # noqa: RUF001
    assert all(value in ran.text for name, value in PLANTED.items() if name not in ("form", "reply", "json"))


def test_numbers_of_each_test(suite: Suite) -> None:
    """Each test has numbers of its own: the same secret is the first of each."""
    suite.conftest(CONFTEST).tests("""
from conftest import *

@pytest.mark.parametrize("number", [1, 2])
async def test_it(aiohttp_mock, number):
    aiohttp_mock.get(f"{HOST}/a", headers={"X-Api-Key": "expected-one"}).reply(200)
    await swallow(f"{HOST}/a?token=actual-{number}")
""")
    ran = suite.run()
    ran.outcomes(failed=2)
    for report in ran.reports.values():
        assert {"1"} == set(re.findall(r"token=‹secret (\d+)›", report))  # noqa: RUF001


def test_without_the_fixtures(suite: Suite) -> None:
    """A test that none of the fixtures serves is shown as it is."""
    ran = suite.tests("def test_it():\n    password = {'token': 'mine'}\n    assert not password").run()
    assert "'token': 'mine'" in ran.report("test_it")


def test_report(suite: Suite) -> None:
    """A report on a header that differs keeps the scheme and says that the two are not the same."""
    ran = suite.tests("""
async def test_it(aiohttp_mock):
    aiohttp_mock.get(f"{HOST}/a", headers={"Authorization": "Bearer right-one"}).reply(200)
    await get(f"{HOST}/a?api_key=in-the-url", headers={"Authorization": "Bearer wrong-one"})
""").run()
    lines = ran.report("test_it").splitlines()
    first = next(index for index, line in enumerate(lines) if "UnmatchedRequest: no route" in line)
    shown = [f"\u2039secret {number}\u203a" for number in range(4)]
    assert f"UnmatchedRequest: no route answered GET http://api.test/a?api_key={shown[1]}" in lines[first]
    assert lines[first + 3].endswith(
        f"headers Authorization   expected 'Bearer {shown[2]}'   actual 'Bearer {shown[3]}'"
    )
