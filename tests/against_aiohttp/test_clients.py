"""Clients of every kind and language against one upstream: plain, over TLS, over a unix socket."""

from __future__ import annotations

import asyncio
import gc
import json
import shutil
import socket
import ssl
import subprocess
import sys
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from importlib.util import find_spec
from pathlib import Path

import aiohttp
import pytest

from aiotest_kit import Tls, Upstream

# Up to Python 3.10 the client's end of a TLS connection warns when its loop ends before it is closed.
pytestmark = (
    [pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]
    if sys.version_info < (3, 11)
    else []
)

BODY = {"id": 7, "name": "Ada"}
PATIENCE = 30

NODE = """
fetch(process.argv[1], {method: "POST", body: '{"a": 1}', headers: {"content-type": "application/json"}})
    .then(response => response.text()).then(text => process.stdout.write(text));
"""
PYTHON = """
import sys, urllib.request
request = urllib.request.Request(sys.argv[1], b'{"a": 1}', {"Content-Type": "application/json"})
sys.stdout.write(urllib.request.urlopen(request).read().decode())
"""


@pytest.fixture(params=["plain", "tls"])
def up(request: pytest.FixtureRequest) -> Iterator[Upstream]:
    if request.param == "tls":
        pytest.importorskip("trustme")
    with Upstream(thread=True, tls=request.param == "tls") as up:
        up.post("/users", json={"a": 1}).reply(201, json=BODY)
        yield up


def context(up: Upstream) -> ssl.SSLContext | None:
    return up.ssl_context() if up.url.scheme == "https" else None


def with_aiohttp(up: Upstream, url: str, authority: Path) -> str:
    async def call() -> str:
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, json={"a": 1}, ssl=context(up) or True) as response,
        ):
            return await response.text()

    try:
        return asyncio.run(call())
    finally:
        # With aiohttp before 3.12 it does so on a later Python, too, and would in another test.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            gc.collect()


def with_httpx(up: Upstream, url: str, authority: Path) -> str:
    httpx = pytest.importorskip("httpx")
    with httpx.Client(verify=context(up) or True, trust_env=False) as client:
        return str(client.post(url, json={"a": 1}).text)


def with_requests(up: Upstream, url: str, authority: Path) -> str:
    requests = pytest.importorskip("requests")
    with requests.Session() as session:
        session.trust_env = False
        return str(session.post(url, json={"a": 1}, verify=str(authority)).text)


def with_urllib(up: Upstream, url: str, authority: Path) -> str:
    request = urllib.request.Request(url, b'{"a": 1}', {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, context=context(up)) as response:
        return str(response.read().decode())


def with_subprocess(up: Upstream, url: str, authority: Path) -> str:
    return run([sys.executable, "-c", PYTHON, url], SSL_CERT_FILE=str(authority))


def with_curl(up: Upstream, url: str, authority: Path) -> str:
    json_data = ["-H", "Content-Type: application/json", "-d", '{"a": 1}']
    return run([found("curl"), "-sS", "--noproxy", "*", "--cacert", str(authority), *json_data, url])


def with_node(up: Upstream, url: str, authority: Path) -> str:
    node = found("node")
    if int(run([node, "--version"]).lstrip("v").split(".")[0]) < 18:
        pytest.skip("node has no fetch")
    return run([node, "-e", NODE, url], NODE_EXTRA_CA_CERTS=str(authority))


def found(program: str) -> str:
    path = shutil.which(program)
    return path or pytest.skip(f"there is no {program}")


def run(command: list[str], **environment: str) -> str:
    """What a program prints."""
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


CLIENTS: list[Callable[[Upstream, str, Path], str]] = [
    with_aiohttp,
    with_httpx,
    with_requests,
    with_urllib,
    with_subprocess,
    with_curl,
    with_node,
]


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.__name__[5:])
def test_client(client: Callable[[Upstream, str, Path], str], up: Upstream, tmp_path: Path) -> None:
    """Each gets the reply, and is recorded with what it sent."""
    authority = tmp_path / "ca.pem"
    authority.write_bytes(up.ca_pem if up.url.scheme == "https" else b"")

    assert BODY == json.loads(client(up, str(up.url / "users"), authority))
    call = up.calls.one()
    assert {"a": 1} == call.request.json()
    assert up.url / "users" == call.request.url


class UnixConnection(HTTPConnection):
    """A connection of the standard library over a unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self._path)


@pytest.fixture
def unix(tmp_path: Path) -> Iterator[Upstream]:
    with Upstream(thread=True, unix=tmp_path / "s") as up:
        up.get("/a").reply(text="hi")
        yield up
        assert "http://localhost/a" == str(up.calls.one().request.url)


def test_unix_with_the_standard_library(unix: Upstream) -> None:
    """A unix socket is for any client that can use one."""
    connection = UnixConnection(unix.unix or "")
    connection.request("GET", "/a")
    assert b"hi" == connection.getresponse().read()
    connection.close()


def test_unix_with_aiohttp(unix: Upstream) -> None:
    """aiohttp has a connector for it."""

    async def call() -> str:
        async with (
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(unix.unix or "")) as session,
            session.get(unix.url / "a") as response,
        ):
            return await response.text()

    assert "hi" == asyncio.run(call())


@pytest.mark.skipif(find_spec("httpx") is None, reason="there is no httpx")
def test_unix_with_httpx(unix: Upstream) -> None:
    """So has httpx."""
    import httpx

    with httpx.Client(transport=httpx.HTTPTransport(uds=unix.unix)) as client:
        assert "hi" == client.get(str(unix.url / "a")).text


def test_unix_with_curl(unix: Upstream) -> None:
    """So has curl."""
    path = unix.unix or ""
    assert "hi" == run([found("curl"), "-sS", "--unix-socket", path, str(unix.url / "a")])


# ---- certificates ----

KINDS = {
    "expired": "certificate has expired",
    "wrong-host": "not valid for 'localhost'",
    "self-signed": "self.signed certificate",
}


@pytest.mark.parametrize(("kind", "says"), KINDS.items(), ids=KINDS)
async def test_wrong_certificate(kind: str, says: str) -> None:
    """What is wrong with a certificate is aiohttp's error for it."""
    pytest.importorskip("trustme")
    async with Upstream("localhost", tls=Tls(kind)) as up, aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorCertificateError, match=says):
            await session.get(up.url, ssl=up.ssl_context())
        assert not up.called


async def test_client_certificate(tmp_path: Path) -> None:
    """Where a client needs a certificate, it gets in with one, and not without."""
    pytest.importorskip("trustme")
    async with Upstream(tls=Tls("client-cert")) as up, aiohttp.ClientSession() as session:
        up.get("/a")
        async with session.get(up.url / "a", ssl=up.ssl_context()) as response:
            assert 200 == response.status
        own = up.ssl_context(client_cert=False)
        (tmp_path / "client.pem").write_bytes(up.client_pem)
        own.load_cert_chain(tmp_path / "client.pem")
        async with session.get(up.url / "a", ssl=own) as response:
            assert 200 == response.status
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.post(up.url / "a", ssl=up.ssl_context(client_cert=False))
    assert 2 == up.call_count


@pytest.mark.parametrize("name", ["api.test", "a.b.test", "localhost"])
async def test_names(name: str) -> None:
    """Whatever name a client asks for, the certificate is for it."""
    pytest.importorskip("trustme")
    async with Upstream(tls=True) as up, aiohttp.ClientSession() as session:
        up.get("/a")
        for _ in range(2):
            async with session.get(up.url / "a", ssl=up.ssl_context(), server_hostname=name) as response:
                assert 200 == response.status


async def test_names_given() -> None:
    """With names of its own, a certificate is for these alone."""
    pytest.importorskip("trustme")
    # Before 3.14, aiohttp used a connection again for another name.
    connector = aiohttp.TCPConnector(force_close=True)
    async with (
        Upstream(tls=Tls(names=["api.test"])) as up,
        aiohttp.ClientSession(connector=connector) as session,
    ):
        up.get("/a")
        trusting = up.ssl_context()
        async with session.get(up.url / "a", ssl=trusting, server_hostname="api.test") as response:
            assert 200 == response.status
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await session.post(up.url / "a", ssl=trusting, server_hostname="other.test")


async def test_name_that_is_none() -> None:
    """A name that nothing can be certified for gets a certificate that is not for it."""
    pytest.importorskip("trustme")
    async with Upstream(tls=True) as up, aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await session.get(up.url, ssl=up.ssl_context(), server_hostname="a_b.test")


async def test_end_amid_a_handshake() -> None:
    """A client that never shakes hands ends with the upstream."""
    pytest.importorskip("trustme")
    async with Upstream(tls=True) as up:
        reader, writer = await asyncio.open_connection("127.0.0.1", up.port)
        await asyncio.sleep(0)
    assert b"" == await asyncio.wait_for(reader.read(), PATIENCE)
    writer.close()
