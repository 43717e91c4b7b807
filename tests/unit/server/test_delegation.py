"""A connection lent to aiohttp's own server, one request at a time."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web

from aiotest_kit import Origin, Router
from aiotest_kit._responders.exchange import NOTE_FAILURE, Exchange, HeadResponder
from aiotest_kit._server.delegation import DelegatedExchange, DelegateTransport
from aiotest_kit._transport.socket_info import reset
from tests.unit.server.test_protocol import GET, OK, connection, get

Serve = Callable[[web.BaseRequest], Any]
HTTP = Origin("http", "api.test", 80)
HTTPS = Origin("https", "api.test", 443)


class Lent(HeadResponder):
    """An answer that lends the connection to a server."""

    def __init__(self, server: Callable[[], asyncio.Protocol], target: str | None = None) -> None:
        self.server = server
        self.target = target

    async def play(self, exchange: Exchange) -> None:
        await exchange.delegate(self.server, self.target)


def plain(body: str = "") -> web.Response:
    """A response without the fields that vary."""
    return web.Response(body=body.encode(), headers={"Date": "now", "Server": "it", "Content-Type": "text/x"})


def sent(body: str, status: str = "200 OK", *fields: str) -> bytes:
    head = [f"HTTP/1.1 {status}", "Date: now", "Server: it", "Content-Type: text/x", *fields]
    return "\r\n".join([*head, f"Content-Length: {len(body)}", "", body]).encode()


@pytest.fixture
def router() -> Router:
    return Router()


@pytest.fixture
async def lend(router: Router) -> AsyncIterator[Callable[[Serve], web.Server]]:
    """Answer everything by a server with this handler."""
    servers = []

    def lend(handler: Serve) -> web.Server:
        server = web.Server(handler)
        servers.append(server)
        router.any("/{_:.*}").reply(Lent(server))
        return server

    yield lend
    for server in servers:
        await server.shutdown(0.01)


async def test_a_body_for_a_head(router: Router, lend: Callable[[Serve], web.Server]) -> None:
    """What a handler streams in answer to a HEAD is not sent, nor taken for part of the next answer."""

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/2":
            return plain("2")
        response = web.StreamResponse(headers={"Date": "now", "Server": "it", "Content-Type": "text/x"})
        await response.prepare(request)
        for _ in range(3):
            await response.write(b"piece")
            await asyncio.sleep(0)
        return response

    lend(handler)
    async with connection(router) as client:
        client.send(get("/1", method="HEAD"), get("/2"))
        head = b"HTTP/1.1 200 OK\r\nDate: now\r\nServer: it\r\nContent-Type: text/x\r\n\r\n"
        await client.gets(head, sent("2"))

    assert not router.handler_errors


async def test_requests_of_one_connection_go_to_those_who_answer_them(
    router: Router, lend: Callable[[Serve], web.Server]
) -> None:
    """A later request on the same connection is looked up anew; the server keeps one protocol for its own."""
    protocols = []

    async def handler(request: web.BaseRequest) -> web.Response:
        protocols.append(request.protocol)
        return plain(request.path)

    lend(handler)
    own = router.get("/a")
    async with connection(router) as client:
        client.send(get("/1"))
        await client.gets(sent("/1", "200 OK"))
        client.send(GET)
        await client.gets(OK)
        own.remove()
        client.send(GET, get("/2"))
        await client.gets(sent("/a"), sent("/2"))

    assert 1 == len(set(protocols))
    assert ["/1", "/a", "/a", "/2"] == [call.request.path for call in router.calls]
    assert [200] * 4 == [call.reply.status for call in router.calls if call.reply]
    assert [b"/1", b"", b"/a", b"/2"] == [call.reply.body for call in router.calls if call.reply]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param([b"Content-Length: 6\r\n\r\n", b"abc", b"def"], id="content length"),
        pytest.param(
            [b"Transfer-Encoding: chunked\r\n\r\n", b"3\r\nabc\r\n", b"3\r\nd", b"ef\r\n0\r\n\r\n"],
            id="chunked",
        ),
    ],
)
async def test_a_body_is_given_as_it_comes(
    router: Router, lend: Callable[[Serve], web.Server], body: list[bytes]
) -> None:
    """The handler runs as soon as the head has come, and reads piece by piece; the record has it all."""
    pieces: list[bytes] = []
    read = asyncio.Event()

    async def handler(request: web.BaseRequest) -> web.Response:
        read.set()
        async for piece in request.content.iter_any():
            pieces.append(piece)
            read.set()
        return plain("done")

    lend(handler)
    async with connection(router) as client:
        for piece in [b"POST /a HTTP/1.1\r\nHost: api.test\r\n" + body[0], *body[1:]]:
            read.clear()
            client.send(piece)
            await asyncio.wait_for(read.wait(), 5)
        await client.gets(sent("done"))

    assert b"abcdef" == b"".join(pieces)
    assert len(pieces) > 1
    assert b"abcdef" == router.calls.one().request.body


async def test_an_answer_that_does_not_wait_for_the_body(
    router: Router, lend: Callable[[Serve], web.Server]
) -> None:
    """A reply before the end of the body is sent at once; the rest is swallowed, the connection goes on."""

    async def handler(request: web.BaseRequest) -> web.Response:
        return plain("early")

    lend(handler)
    async with connection(router) as client:
        client.send(b"POST /a HTTP/1.1\r\nHost: api.test\r\nContent-Length: 6\r\n\r\nabc")
        await client.gets(sent("early"))
        client.send(b"def", get("/b"))
        await client.gets(sent("early"))

    assert [b"abcdef", b""] == [call.request.body for call in router.calls]


async def test_a_continue_is_the_servers(router: Router, lend: Callable[[Serve], web.Server]) -> None:
    """A client that waits for it is told by the server itself to go on; the record has the last reply."""

    async def handler(request: web.BaseRequest) -> web.Response:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")  # type: ignore[union-attr]
        return plain(await request.text())

    lend(handler)
    async with connection(router) as client:
        client.send(get("/a", "Content-Length: 3", "Expect: 100-continue", method="PUT"))
        await client.gets(b"HTTP/1.1 100 Continue\r\n\r\n")
        client.send(b"abc")
        await client.gets(sent("abc"))

    call = router.calls.one()
    assert call.reply is not None
    assert (200, b"abc", b"abc") == (call.reply.status, call.reply.body, call.request.body)


async def test_a_reply_that_ends_the_connection(router: Router, lend: Callable[[Serve], web.Server]) -> None:
    """The connection ends where the server says so."""

    async def handler(request: web.BaseRequest) -> web.Response:
        response = plain("bye")
        response.force_close()
        return response

    lend(handler)
    async with connection(router) as client:
        client.send(GET)
        received = await client.is_closed()

    assert received.startswith(b"HTTP/1.1 200 OK")
    assert received.endswith(b"bye")


async def test_another_target(router: Router) -> None:
    """A server may be shown another path than the client asked for."""

    async def handler(request: web.BaseRequest) -> web.Response:
        return plain(request.path_qs)

    server = web.Server(handler)
    router.any("/v1/a").reply(Lent(server, "/a?b=c"))
    async with connection(router) as client:
        client.send(get("/v1/a"))
        await client.gets(sent("/a?b=c"))
    await server.shutdown(0.01)


UPGRADE = ("Connection: Upgrade", "Upgrade: shout")
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: shout\r\n\r\n"


class Shout(asyncio.Protocol):
    """A protocol that changes to another one, and then sends back in capitals what it is sent."""

    transport: Any
    paused = lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if b"\r\n\r\n" in data:
            self.transport.write(SWITCH)
        elif data == b"pause":
            self.transport.pause_reading()
        elif data == b"flood":
            self.transport.write(b"x" * 10_000_000)
        elif data == b"end":
            self.transport.writelines([b"the ", b"end"])
            self.transport.close()
        else:
            self.transport.write(data.upper())

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True


async def test_a_change_of_protocol(router: Router) -> None:
    """After 101 all that comes is the protocol's, with flow control both ways, until it ends it."""
    shout = Shout()
    router.get("/a").reply(Lent(lambda: shout))
    async with connection(router) as client:
        client.send(get("/a", *UPGRADE) + b"tail")
        await client.gets(SWITCH, b"TAIL")
        reply = router.calls.one().reply
        assert reply is not None
        assert (101, None) == (reply.status, router.calls.one().elapsed)

        client.send(b"pause")
        await wait_until(lambda: not shout.transport.is_reading())
        client.send(b"more")
        shout.transport.resume_reading()
        await client.gets(b"MORE")

        client.transport.pause_reading()
        client.send(b"flood")
        await wait_until(lambda: shout.paused)
        client.transport.resume_reading()
        await client.gets(b"x" * 10_000_000)
        assert not shout.paused

        client.send(b"end")
        assert b"the end" == await client.is_closed()
        await wait_until(lambda: shout.lost)

    assert router.calls.one().elapsed is not None


async def wait_until(condition: Callable[[], object]) -> None:
    for _ in range(10_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came about")


async def test_an_upgrade_that_is_declined(router: Router, lend: Callable[[Serve], web.Server]) -> None:
    """A server that does not change the protocol answers as ever; the connection ends."""

    async def handler(request: web.BaseRequest) -> web.Response:
        return plain("no")

    lend(handler)
    async with connection(router) as client:
        client.send(get("/a", *UPGRADE))
        assert sent("no") == await client.is_closed()


async def test_what_is_no_reply_is_sent_as_it_is(router: Router) -> None:
    """A protocol may send nonsense; the call has no reply then."""

    class Nonsense(Shout):
        def data_received(self, data: bytes) -> None:
            self.transport.write(b"nonsense")
            self.transport.abort()

    router.get("/a").reply(Lent(Nonsense))
    async with connection(router) as client:
        client.send(GET)
        assert b"nonsense" == await client.is_closed()

    assert router.calls.one().reply is None


async def test_a_client_that_goes_is_gone_for_the_server(
    router: Router, lend: Callable[[Serve], web.Server]
) -> None:
    """A handler whose client goes while it reads the body finds the connection lost."""
    reading, found = asyncio.Event(), asyncio.Event()

    async def handler(request: web.BaseRequest) -> web.Response:
        reading.set()
        try:
            await request.read()
        finally:
            found.set()
        raise AssertionError("there is no whole body")

    lend(handler)
    async with connection(router) as client:
        client.send(b"POST /a HTTP/1.1\r\nHost: api.test\r\nContent-Length: 6\r\n\r\nabc")
        await asyncio.wait_for(reading.wait(), 5)
        reset(client.transport)
        await asyncio.wait_for(found.wait(), 5)

    assert router.calls.one().reply is None


async def test_a_request_behind_another(router: Router, lend: Callable[[Serve], web.Server]) -> None:
    """A request whose head comes while another is answered is looked up then, before its body is there."""
    arrived = asyncio.Event()

    async def handler(request: web.BaseRequest) -> web.Response:
        arrived.set()
        return plain(await request.text())

    lend(handler)
    router.get("/slow").stream([b"s"], headers={"Content-Length": "1"})
    async with connection(router) as client:
        client.send(get("/slow"), get("/b", "Content-Length: 2", method="POST"))
        await client.gets(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\ns")
        await asyncio.wait_for(arrived.wait(), 5)
        client.send(b"ok")
        await client.gets(sent("ok"))


async def test_a_guest_for_a_slow_client(router: Router) -> None:
    """A protocol whose client takes nothing is told to wait, and then to go on."""
    shout = Shout()
    router.get("/a").reply(Lent(lambda: shout))
    async with connection(router) as client:
        client.send(get("/a", *UPGRADE))
        await client.gets(SWITCH)
        client.transport.pause_reading()
        shout.transport.write(b"x" * 330_000)
        assert shout.paused
        client.transport.resume_reading()
        await client.until(lambda: len(client.received) == 330_000)
        assert not shout.paused


async def test_a_handler_may_hand_over(router: Router) -> None:
    """A handler of a route returns what lends the connection; the request is complete by then."""

    async def handler(request: web.BaseRequest) -> web.Response:
        return plain(await request.text())

    server = web.Server(handler)
    router.post("/a").reply(lambda request: Lent(server))
    async with connection(router) as client:
        client.send(get("/a", "Content-Length: 2", method="POST"), b"ok")
        await client.gets(sent("ok"))
    await server.shutdown(0.01)


@pytest.mark.parametrize(
    ("while_connected", "error", "kept"),
    [
        pytest.param(True, OSError("disk"), True, id="of its own"),
        pytest.param(True, AssertionError("no"), True, id="assertion"),
        pytest.param(False, ConnectionResetError("gone"), False, id="because the client went"),
        pytest.param(False, AssertionError("no"), True, id="assertion after the client went"),
    ],
)
async def test_an_error_behind_the_protocol(
    router: Router, while_connected: bool, error: Exception, kept: bool
) -> None:
    """What a server notes is kept for the test, unless it only says that the client has gone."""

    class Failing(Shout):
        def data_received(self, data: bytes) -> None:
            self.note = self.transport.get_extra_info(NOTE_FAILURE)
            if while_connected:
                self.fail()

        def connection_lost(self, exc: Exception | None) -> None:
            self.fail()

        def fail(self) -> None:
            self.note(error)
            self.transport.close()

    failing = Failing()
    router.get("/a").reply(Lent(lambda: failing))
    async with connection(router) as client:
        client.send(GET)
        await wait_until(lambda: hasattr(failing, "note"))

    assert ([error] if kept else []) == [each.exception for each in router.handler_errors][:1]


# ---- the transport that a delegate sees ----


def delegate_on(transport: Any, origin: Origin = HTTP) -> DelegateTransport:
    return DelegateTransport(Shout(), transport, origin)


class Real(asyncio.Transport):
    """A transport that notes what is asked of it."""

    def __init__(self) -> None:
        super().__init__({"peername": ("192.0.2.1", 80)})
        self.asked: list[object] = []

    def is_closing(self) -> bool:
        return False

    def write(self, data: object) -> None:
        self.asked.append(data)

    def write_eof(self) -> None:
        self.asked.append("eof")

    def can_write_eof(self) -> bool:
        return True

    def get_write_buffer_size(self) -> int:
        return 7

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.asked.append((high, low))

    def close(self) -> None:
        self.asked.append("close")

    def abort(self) -> None:
        self.asked.append("abort")


@pytest.mark.parametrize(
    ("origin", "name", "expected"),
    [
        pytest.param(HTTP, "peername", ("192.0.2.1", 80), id="of the real transport"),
        pytest.param(HTTP, "sslcontext", "none", id="plain"),
        pytest.param(HTTPS, "nonsense", "none", id="unknown"),
        pytest.param(HTTP, NOTE_FAILURE, "none", id="nobody to tell"),
    ],
)
async def test_extra_info(origin: Origin, name: str, expected: object) -> None:
    """A delegate is told what the real transport tells, or the default."""
    assert expected == delegate_on(Real(), origin).get_extra_info(name, "none")


async def test_implied_tls() -> None:
    """Behind an https origin there is a TLS context, also where TLS is not spoken."""
    delegate = delegate_on(Real(), HTTPS)

    assert isinstance(delegate.get_extra_info("sslcontext"), ssl.SSLContext)
    assert delegate.get_extra_info("ssl_object") is not None


async def test_a_guest_without_a_turn_touches_nothing() -> None:
    """Between its requests a delegate can neither send nor end the connection; closing ends its own part."""
    real, shout = Real(), Shout()
    delegate = DelegateTransport(shout, real, HTTP)

    delegate.write(b"nobody asked")
    delegate.write_eof()
    delegate.abort()
    delegate.close()
    assert delegate.is_closing()
    assert not shout.lost
    await asyncio.sleep(0)

    assert shout.lost
    assert [] == real.asked


async def test_a_guest_whose_turn_it_is(router: Router) -> None:
    """While it answers, what a delegate asks of its transport reaches the real one."""
    real = Real()
    delegate = delegate_on(real)
    failures: list[BaseException] = []
    loop = asyncio.get_running_loop()
    delegate.begin(DelegatedExchange("GET", lambda reply: None, failures.append, loop.create_future()))

    delegate.get_extra_info(NOTE_FAILURE)(KeyError("x"))
    delegate.set_write_buffer_limits(2, 1)
    delegate.pause_reading()
    assert not delegate.is_reading()
    delegate.resume_reading()
    assert delegate.is_reading()
    delegate.write(b"HTTP/1.1 200 OK\r\n")
    delegate.write_eof()
    delegate.close()
    delegate.abort()

    assert [(2, 1), b"HTTP/1.1 200 OK\r\n", "eof", "close", "abort"] == real.asked
    assert (True, 7) == (delegate.can_write_eof(), delegate.get_write_buffer_size())
    assert ["KeyError('x')"] == [repr(each) for each in failures]


async def test_a_protocol_may_be_replaced() -> None:
    """As for a file that asyncio sends: another protocol is told of the client meanwhile."""
    delegate, other = delegate_on(Real()), Shout()
    delegate.set_protocol(other)
    delegate.pause_writing()

    assert other is delegate.get_protocol()
    assert other.paused


async def test_a_guest_whose_connection_ends_at_once() -> None:
    """A protocol is told of the end in a later turn of the loop than of the beginning, and once."""
    shout = Shout()
    delegate = DelegateTransport(shout, Real(), HTTP)
    delegate.lose(None)
    assert delegate.is_closing()
    assert not shout.lost
    await asyncio.sleep(0)
    assert shout.lost
    shout.lost = False
    delegate.lose(None)
    assert not shout.lost
