"""What is secret in messages and patterns, wherever in them it is; what cannot be read hides nothing else."""

import gzip
import json
import re
from collections.abc import Iterator

import aiohttp
import pytest
from yarl import URL

from aiotest_kit import Exact, Reply, Subset
from aiotest_kit._http.call import Call, Client, Tunnel
from aiotest_kit._http.request import Origin, Request
from aiotest_kit._matching.request_pattern import RequestPattern
from aiotest_kit._messages.masking import Secrets, use
from aiotest_kit._reports.secrets import learn_answer, learn_call, learn_message, learn_pattern, learn_request

SECRET = "pl4nted-one"


@pytest.fixture(autouse=True)
def secrets() -> Iterator[Secrets]:
    book = Secrets()
    end = use(book)
    yield book
    end()


def request(body: bytes = b"", target: str = "/x", **headers: str) -> Request:
    fields = tuple((name.replace("_", "-").encode(), value.encode()) for name, value in headers.items())
    return Request("POST", Origin.of(URL("http://api.test")), target, fields, body)


JSON = json.dumps({"token": SECRET}).encode()


@pytest.mark.parametrize(
    "message",
    [
        request(target=f"/x?token={SECRET}"),
        request(X_Api_Key=SECRET),
        request(Cookie=f"a={SECRET}"),
        request(JSON),
        request(gzip.compress(JSON), Content_Encoding="gzip"),
        request(JSON, Content_Type="text/plain; charset=no-such"),
        request(f"token={SECRET}&a=b".encode(), Content_Type="application/x-www-form-urlencoded"),
        request(
            f'--b\r\nContent-Disposition: form-data; name="token"\r\n\r\n{SECRET}\r\n--b--\r\n'.encode(),
            Content_Type="multipart/form-data; boundary=b",
        ),
        request(b"--b" + JSON, Content_Type="multipart/form-data; boundary=none"),
        request(b"\xff\xfe " + JSON),
    ],
    ids=range(10),
)
def test_requests(secrets: Secrets, message: Request) -> None:
    """In the URL, in headers and cookies, and in bodies of each kind, be they broken."""
    learn_request(message)
    assert SECRET not in secrets.mask(f"a {SECRET} b")


@pytest.mark.parametrize(
    "answer",
    [
        Reply(200, json={"token": SECRET}),
        Reply(200, headers={"Set-Cookie": f"a={SECRET}; Path=/"}),
        Reply(200, text="a", trailers={"X-Api-Key": SECRET}),
        Reply(200, json={"token": SECRET}, compress="gzip"),
        [{"token": SECRET}],
    ],
    ids=range(5),
)
def test_answers(secrets: Secrets, answer: object) -> None:
    """In the headers, trailers and bodies of replies, and in what else a route answers."""
    learn_answer(answer)
    assert SECRET not in secrets.mask(f"a {SECRET} b")


@pytest.mark.parametrize("data", [JSON, JSON.decode()])
def test_messages(secrets: Secrets, data: object) -> None:
    """In messages of websockets; a close code has none."""
    learn_message(1000)
    learn_message(data)
    assert SECRET not in secrets.mask(f"a {SECRET} b")


@pytest.mark.parametrize(
    "match",
    [
        {"url": f"/x?token={SECRET}"},
        {"query": {"token": [SECRET]}},
        {"query": [("token", SECRET)]},
        {"headers": {"Authorization": f"Bearer {SECRET}"}},
        {"cookies": {"a": SECRET}},
        {"json": Subset({"a": Exact([{"token": SECRET}])})},
        {"form": {"token": SECRET}},
        {"body": JSON},
        {"body": JSON.decode()},
        {"multipart": [("token", SECRET)]},
        {"json": {"a": 7, "token": [None, SECRET]}},
    ],
    ids=range(11),
)
def test_patterns(secrets: Secrets, match: dict[str, object]) -> None:
    """In whatever a route expects."""
    learn_pattern(RequestPattern("POST", match.pop("url", "/x"), **match))  # type: ignore[arg-type]
    assert SECRET not in secrets.mask(f"a {SECRET} b")


def test_calls(secrets: Secrets) -> None:
    """In what a client asked a proxy for, and in the proxy's URL."""
    tunnel = Tunnel(request(Proxy_Authorization=f"Bearer {SECRET}"))
    proxy = URL("http://ada:pl4nted-two@proxy.test/")
    client = Client(aiohttp.ClientTimeout(), True, proxy, None)
    learn_call(Call(request(), None, 0.0, client, tunnel))
    assert "a b c" == re.sub(r"\u2039secret \d\u203a", "b", secrets.mask(f"a {SECRET} c"))
    assert "pl4nted" not in secrets.mask("pl4nted-two")
