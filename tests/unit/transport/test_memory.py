"""Two transports in memory, held against a pair of real sockets: the same script, the same callbacks."""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from aiotest_kit import Router
from aiotest_kit._transport.memory import connected
from aiotest_kit._transport.socket_info import reset
from tests.support.loops import asyncio_only

pytestmark = asyncio_only

PATIENCE = 5.0
BIG = 16 * 1024 * 1024


class Recorder(asyncio.Protocol):
    """A protocol that writes down what it is told; pieces of data that follow each other are one."""

    def __init__(self) -> None:
        self.events: list[object] = []
        self.transport: Any = None
        self.keeps_open = False
        self.on_made: Callable[[Recorder], None] = lambda recorder: None
        self.on_data: Callable[[Recorder], None] = lambda recorder: None
        self.on_eof: Callable[[Recorder], None] = lambda recorder: None
        self._told = asyncio.Event()

    def tell(self, event: object) -> None:
        self.events.append(event)
        self._told.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.tell("made")
        self.on_made(self)

    def data_received(self, data: bytes) -> None:
        if isinstance(self.events[-1], bytes):
            data = self.events.pop() + data  # type: ignore[operator]
        self.tell(data)
        self.on_data(self)

    def eof_received(self) -> bool:
        self.tell("eof")
        self.on_eof(self)
        return self.keeps_open

    def connection_lost(self, exc: BaseException | None) -> None:
        self.tell(f"lost {type(exc).__name__}" if exc else "lost")

    def pause_writing(self) -> None:
        self.tell("pause")

    def resume_writing(self) -> None:
        self.tell("resume")

    @property
    def is_lost(self) -> bool:
        return str(self.events[-1]).startswith("lost")

    async def until(self, condition: Callable[[], object]) -> None:
        """Return when `condition` holds, which may come with any event."""
        while not condition():
            self._told.clear()
            await asyncio.wait_for(self._told.wait(), PATIENCE)

    async def told(self, event: object) -> None:
        await self.until(lambda: event in self.events)

    async def lost(self) -> None:
        await self.until(lambda: self.is_lost)


Join = Callable[[Recorder, Recorder], Awaitable[None]]


@pytest.fixture(params=["memory", "socket"])
async def join(request: pytest.FixtureRequest) -> AsyncIterator[Join]:
    """Connects a client and a server protocol, in memory or over loopback."""
    loop = asyncio.get_running_loop()
    ends: list[Recorder] = []
    servers: list[asyncio.Server] = []

    async def in_memory(near: Recorder, far: Recorder) -> None:
        ends.extend([near, far])
        connected(loop, near, far, ("127.0.0.1", 80))

    async def over_sockets(near: Recorder, far: Recorder) -> None:
        ends.extend([near, far])
        server = await loop.create_server(lambda: far, "127.0.0.1", 0)
        servers.append(server)
        await loop.create_connection(lambda: near, *server.sockets[0].getsockname())
        await far.told("made")

    yield in_memory if request.param == "memory" else over_sockets

    for end in ends:
        if not end.is_lost:
            end.transport.abort()
    for end in ends:
        await end.lost()
    for server in servers:
        server.close()
        await server.wait_closed()


@pytest.fixture
async def failures() -> "list[tuple[str, str]]":
    """What is given to the loop's exception handler: messages and exceptions."""
    found: list[tuple[str, str]] = []

    def handler(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        found.append((context["message"], repr(context["exception"])))

    asyncio.get_running_loop().set_exception_handler(handler)
    return found


# ---- scripts ----


async def writes_and_closes(near: Recorder, far: Recorder) -> None:
    near.transport.write(b"a")
    near.transport.write(b"b")
    near.transport.close()


async def writes_what_changes(near: Recorder, far: Recorder) -> None:
    data = bytearray(b"ab")
    near.transport.write(data)
    data[:] = b"xx"
    near.transport.write(memoryview(b"cde")[1:])
    near.transport.close()


async def writes_nothing(near: Recorder, far: Recorder) -> None:
    near.transport.write(b"")
    near.transport.close()


async def writes_lines(near: Recorder, far: Recorder) -> None:
    near.transport.writelines([b"a", bytearray(b"b"), memoryview(b"c")])
    near.transport.close()


async def closes_twice(near: Recorder, far: Recorder) -> None:
    near.transport.close()
    near.transport.close()
    near.transport.abort()
    near.transport.write(b"too late")
    near.transport.write_eof()


async def aborts(near: Recorder, far: Recorder) -> None:
    near.transport.write(b"a")
    near.transport.abort()
    near.transport.abort()
    near.transport.close()


async def half_closes_and_is_closed(near: Recorder, far: Recorder) -> None:
    near.transport.write(b"a")
    near.transport.write_eof()
    near.transport.write_eof()


async def half_closes_and_is_answered(near: Recorder, far: Recorder) -> None:
    far.keeps_open = True
    near.transport.write(b"ask")
    near.transport.write_eof()
    await far.told("eof")
    far.transport.write(b"answer")
    await near.told(b"answer")
    far.transport.close()


async def both_half_close(near: Recorder, far: Recorder) -> None:
    near.keeps_open = far.keeps_open = True
    near.transport.write_eof()
    await far.told("eof")
    far.transport.write_eof()
    await near.told("eof")
    near.transport.close()
    far.transport.close()


async def closes_with_data_unread(near: Recorder, far: Recorder) -> None:
    far.transport.pause_reading()
    near.transport.write(b"a")
    await asyncio.sleep(0)
    far.transport.close()


async def is_written_to_after_its_end(near: Recorder, far: Recorder) -> None:
    near.keeps_open = True
    far.transport.close()
    await near.told("eof")
    await far.lost()
    while not near.is_lost:
        near.transport.write(b"a")
        await asyncio.sleep(0)
    # A socket may find out by its second write instead.
    near.events[-1] = str(near.events[-1]).replace("BrokenPipeError", "ConnectionResetError")


async def reads_what_came_before_the_end(near: Recorder, far: Recorder) -> None:
    near.transport.pause_reading()
    far.transport.write(b"a")
    far.transport.close()
    await far.lost()
    assert ["made"] == near.events
    near.transport.resume_reading()


async def pauses_and_resumes(near: Recorder, far: Recorder) -> None:
    far.transport.pause_reading()
    far.transport.pause_reading()
    near.transport.write(b"a")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert ["made"] == far.events
    far.transport.resume_reading()
    far.transport.resume_reading()
    await far.told(b"a")
    near.transport.close()


async def changes_the_protocol(near: Recorder, far: Recorder) -> None:
    far.on_data = lambda recorder: recorder.transport.set_protocol(Forwarded(far))
    near.transport.write(b"a")
    await far.told(b"a")
    near.transport.write(b"b")
    near.transport.close()


class Forwarded(asyncio.Protocol):
    """A second protocol, which tells the first what it is told."""

    def __init__(self, first: Recorder) -> None:
        self.first = first

    def data_received(self, data: bytes) -> None:
        self.first.tell(f"forwarded {data!r}")

    def connection_lost(self, exc: BaseException | None) -> None:
        self.first.tell("lost")


async def answers_within_data_received(near: Recorder, far: Recorder) -> None:
    def answer(recorder: Recorder) -> None:
        recorder.transport.write(b"answer")
        recorder.transport.close()

    far.on_data = answer
    near.transport.write(b"ask")


async def closes_within_eof_received(near: Recorder, far: Recorder) -> None:
    far.on_eof = lambda recorder: recorder.transport.close()
    far.keeps_open = True
    near.transport.write_eof()


async def pauses_within_data_received(near: Recorder, far: Recorder) -> None:
    far.on_data = lambda recorder: recorder.transport.pause_reading()
    near.transport.write(b"a")
    await far.told(b"a")
    near.transport.write(b"b")
    near.transport.close()
    await near.lost()
    assert ["made", b"a"] == far.events
    far.on_data = lambda recorder: None
    far.transport.resume_reading()


async def closes_with_much_unsent(near: Recorder, far: Recorder) -> None:
    far.transport.pause_reading()
    near.transport.write(bytes(BIG))
    near.transport.close()
    assert ["made", "pause"] == near.events
    far.transport.resume_reading()
    await far.lost()
    far.events[1] = len(far.events[1]) if isinstance(far.events[1], bytes) else 0


async def aborts_with_much_unsent(near: Recorder, far: Recorder) -> None:
    far.transport.pause_reading()
    for _ in range(16):
        near.transport.write(bytes(BIG // 16))
    near.transport.abort()
    await near.lost()
    far.transport.resume_reading()
    await far.lost()
    received = far.events[1]
    assert isinstance(received, bytes)
    far.events[1] = 0 < len(received) < BIG


async def aborts_with_one_big_write_unsent(near: Recorder, far: Recorder) -> None:
    far.transport.pause_reading()
    near.transport.write(bytes(BIG))
    near.transport.abort()
    await near.lost()
    far.transport.resume_reading()
    await far.lost()
    far.events[1] = isinstance(far.events[1], bytes) and 0 < len(far.events[1]) < BIG


async def resets_with_one_big_write_unsent(near: Recorder, far: Recorder) -> None:
    far.transport.pause_reading()
    near.transport.write(bytes(BIG))
    reset(near.transport)
    await near.lost()
    far.transport.resume_reading()
    await far.lost()
    far.events[1] = isinstance(far.events[1], bytes) and 0 < len(far.events[1]) < BIG


async def is_left_while_closing(near: Recorder, far: Recorder) -> None:
    far.transport.pause_reading()
    near.transport.write(bytes(BIG))
    near.transport.close()
    far.transport.abort()


async def aborts_while_closing(near: Recorder, far: Recorder) -> None:
    far.transport.pause_reading()
    for _ in range(256):
        near.transport.write(bytes(BIG // 256))
    near.transport.close()
    await asyncio.sleep(0)
    assert ["made", "pause"] == near.events
    near.transport.abort()
    await near.lost()
    far.transport.resume_reading()
    await far.lost()
    far.events[1] = isinstance(far.events[1], bytes)


async def is_ended_with_much_unsent(near: Recorder, far: Recorder) -> None:
    far.transport.pause_reading()
    near.transport.write(bytes(BIG))
    far.transport.write_eof()
    await near.told("eof")
    far.transport.resume_reading()
    await far.lost()
    far.events[1] = len(far.events[1]) if isinstance(far.events[1], bytes) else 0


async def is_reset(near: Recorder, far: Recorder) -> None:
    near.transport.write(b"a")
    await far.told(b"a")
    reset(near.transport)


async def is_reset_while_paused(near: Recorder, far: Recorder) -> None:
    far.transport.pause_reading()
    reset(near.transport)
    await near.lost()
    assert ["made"] == far.events
    far.transport.resume_reading()


RESET = "lost ConnectionResetError"

SCRIPTS = [
    (writes_and_closes, ["made", "lost"], ["made", b"ab", "eof", "lost"]),
    (writes_what_changes, ["made", "lost"], ["made", b"abde", "eof", "lost"]),
    (writes_nothing, ["made", "lost"], ["made", "eof", "lost"]),
    (writes_lines, ["made", "lost"], ["made", b"abc", "eof", "lost"]),
    (closes_twice, ["made", "lost"], ["made", "eof", "lost"]),
    (aborts, ["made", "lost"], ["made", b"a", "eof", "lost"]),
    (half_closes_and_is_closed, ["made", "eof", "lost"], ["made", b"a", "eof", "lost"]),
    (half_closes_and_is_answered, ["made", b"answer", "eof", "lost"], ["made", b"ask", "eof", "lost"]),
    (both_half_close, ["made", "eof", "lost"], ["made", "eof", "lost"]),
    (closes_with_data_unread, ["made", RESET], ["made", "lost"]),
    (is_written_to_after_its_end, ["made", "eof", RESET], ["made", "lost"]),
    (reads_what_came_before_the_end, ["made", b"a", "eof", "lost"], ["made", "lost"]),
    (pauses_and_resumes, ["made", "lost"], ["made", b"a", "eof", "lost"]),
    (changes_the_protocol, ["made", "lost"], ["made", b"a", "forwarded b'b'", "lost"]),
    (answers_within_data_received, ["made", b"answer", "eof", "lost"], ["made", b"ask", "lost"]),
    (closes_within_eof_received, ["made", "eof", "lost"], ["made", "eof", "lost"]),
    (pauses_within_data_received, ["made", "lost"], ["made", b"ab", "eof", "lost"]),
    (closes_with_much_unsent, ["made", "pause", "resume", "lost"], ["made", BIG, "eof", "lost"]),
    (aborts_with_much_unsent, ["made", "pause", "lost"], ["made", True, "eof", "lost"]),
    (aborts_with_one_big_write_unsent, ["made", "pause", "lost"], ["made", True, "eof", "lost"]),
    (resets_with_one_big_write_unsent, ["made", "pause", "lost"], ["made", True, RESET]),
    (aborts_while_closing, ["made", "pause", "lost"], ["made", True, "eof", "lost"]),
    (is_ended_with_much_unsent, ["made", "pause", "eof", "resume", "lost"], ["made", BIG, "eof", "lost"]),
    (is_left_while_closing, ["made", "pause", RESET], ["made", "lost"]),
    (is_reset, ["made", "lost"], ["made", b"a", RESET]),
    (is_reset_while_paused, ["made", "lost"], ["made", RESET]),
]

Script = Callable[[Recorder, Recorder], Awaitable[None]]


@pytest.mark.parametrize(
    ("script", "near_events", "far_events"), [pytest.param(*each, id=each[0].__name__) for each in SCRIPTS]
)
async def test_callbacks(
    script: Script, near_events: list[object], far_events: list[object], join: Join
) -> None:
    """Both protocols are told the same, in the same order, as over sockets."""
    near, far = Recorder(), Recorder()
    await join(near, far)

    await script(near, far)
    await near.lost()
    await far.lost()

    assert near_events == near.events
    assert far_events == far.events


async def test_writing_in_connection_made(join: Join) -> None:
    """Each side may write, and end its side, as soon as it is told of the connection."""

    def greet(recorder: Recorder) -> None:
        recorder.transport.write(b"hello")
        recorder.transport.close()

    near, far = Recorder(), Recorder()
    far.on_made = greet
    await join(near, far)
    await near.lost()
    await far.lost()

    assert (["made", b"hello", "eof", "lost"], ["made", "lost"]) == (near.events, far.events)


@pytest.mark.parametrize("method", ["data_received", "eof_received"])
async def test_protocol_that_fails(method: str, join: Join, failures: list[tuple[str, str]]) -> None:
    """An error in a protocol ends its connection, and is told to the loop."""

    def fail(recorder: Recorder) -> None:
        raise ValueError("mine")

    near, far = Recorder(), Recorder()
    far.on_data, far.on_eof = (fail, far.on_eof) if method == "data_received" else (far.on_data, fail)
    await join(near, far)
    near.transport.write(b"a")
    near.transport.write_eof()
    await far.lost()
    await near.lost()

    assert [(f"Fatal error: protocol.{method}() call failed.", "ValueError('mine')")] == failures
    assert "lost ValueError" == far.events[-1]
    assert ["made", "eof", "lost"] == near.events


async def test_protocol_that_fails_after_closing(join: Join, failures: list[tuple[str, str]]) -> None:
    """An error in a protocol that has just closed its transport is told, and changes nothing else."""

    def close_and_fail(recorder: Recorder) -> None:
        recorder.transport.close()
        raise ValueError("mine")

    near, far = Recorder(), Recorder()
    far.on_data = close_and_fail
    await join(near, far)
    near.transport.write(b"a")
    await far.lost()
    await near.lost()

    assert 1 == len(failures)
    assert (["made", "eof", "lost"], ["made", b"a"]) == (near.events, far.events[:2])


@pytest.mark.parametrize(
    ("data", "error"),
    [
        pytest.param("text", "data argument must be a bytes-like object, not 'str'", id="text"),
        pytest.param(7, "data argument must be a bytes-like object, not 'int'", id="number"),
    ],
)
async def test_writing_what_is_not_bytes(data: object, error: str, join: Join) -> None:
    """Text is refused where it is written."""
    near, far = Recorder(), Recorder()
    await join(near, far)

    with pytest.raises(TypeError) as caught:
        near.transport.write(data)

    assert error == str(caught.value)


async def test_writing_after_the_end(join: Join) -> None:
    """What has ended its side cannot write, which is a mistake and is told."""
    near, far = Recorder(), Recorder()
    far.keeps_open = True
    await join(near, far)
    near.transport.write_eof()

    with pytest.raises(RuntimeError) as caught:
        near.transport.write(b"a")

    assert "Cannot call write() after write_eof()" == str(caught.value)


async def test_back_pressure(join: Join) -> None:
    """A writer is paused and resumed by turns, and all its bytes arrive in order."""
    near, far = Recorder(), Recorder()
    await join(near, far)
    piece = bytes(range(256)) * 4096

    def is_free() -> bool:
        return [event for event in near.events if event in ("pause", "resume")][-1:] != ["pause"]

    for _ in range(32):
        near.transport.write(piece)
        await near.until(is_free)
    near.transport.close()
    await far.lost()
    await near.lost()

    turns = [event for event in near.events if event in ("pause", "resume")]
    assert turns
    assert ["pause", "resume"] * (len(turns) // 2) == turns
    assert ["made", piece * 32, "eof", "lost"] == far.events


async def test_a_reader_that_pauses_stops_the_writer(join: Join) -> None:
    """While nobody reads, a writer has soon to wait, and what waits is counted."""
    near, far = Recorder(), Recorder()
    await join(near, far)
    far.transport.pause_reading()

    near.transport.write(bytes(BIG))

    assert ["made", "pause"] == near.events
    assert 0 < near.transport.get_write_buffer_size() < BIG
    far.transport.resume_reading()
    await near.told("resume")
    await far.until(lambda: bytes(BIG) in far.events)
    assert 0 == near.transport.get_write_buffer_size()


async def test_states(join: Join) -> None:
    """What a transport says of itself follows what was done to it."""
    near, far = Recorder(), Recorder()
    await join(near, far)
    transport = near.transport
    states = [(transport.is_reading(), transport.is_closing(), transport.can_write_eof())]

    for act in (transport.pause_reading, transport.resume_reading, transport.close):
        act()
        states.append((transport.is_reading(), transport.is_closing(), transport.can_write_eof()))

    assert [(True, False, True), (False, False, True), (True, False, True), (False, True, True)] == states
    assert near is transport.get_protocol()


async def test_addresses(join: Join) -> None:
    """The ends agree on who they are, and each connection is another."""
    near, far = Recorder(), Recorder()
    await join(near, far)
    sock = near.transport.get_extra_info("socket")

    assert near.transport.get_extra_info("sockname") == far.transport.get_extra_info("peername")
    assert near.transport.get_extra_info("peername") == far.transport.get_extra_info("sockname")
    assert (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) == (sock.family, sock.type, sock.proto)
    assert sock.getsockname() == near.transport.get_extra_info("sockname")
    assert sock.getpeername() == near.transport.get_extra_info("peername")
    assert "?" == near.transport.get_extra_info("nothing", "?")
    assert near.transport.get_extra_info("cipher") is None


async def test_socket_options(join: Join) -> None:
    """An option that was set can be asked for."""
    near, far = Recorder(), Recorder()
    await join(near, far)
    sock = near.transport.get_extra_info("socket")
    told = [sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)]
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, True)
    told.append(sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))

    assert [0, 1] == told
    assert socket.SOCK_STREAM == sock.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE)


async def test_options_that_are_bytes(join: Join) -> None:
    """An option that is a structure is set and asked for as bytes."""
    near, far = Recorder(), Recorder()
    await join(near, far)
    sock = near.transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 3))

    assert struct.pack("ii", 1, 3) == sock.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)
    assert 1 == sock.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER)


async def test_nodelay(join: Join) -> None:
    """Small pieces are not held back, on either end: asyncio sets that."""
    near, far = Recorder(), Recorder()
    await join(near, far)
    told = [
        end.transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        for end in (near, far)
    ]

    assert [1, 1] == told


async def test_sendfile(join: Join, tmp_path: Path) -> None:
    """A file can be sent as `loop.sendfile` does it."""
    path = tmp_path / "data"
    path.write_bytes(b"x" * 500_000)
    near, far = Recorder(), Recorder()
    await join(near, far)

    with path.open("rb") as file:
        await asyncio.get_running_loop().sendfile(near.transport, file)
    near.transport.close()
    await far.lost()

    assert ["made", b"x" * 500_000, "eof", "lost"] == far.events


async def test_a_long_exchange(join: Join) -> None:
    """Two protocols that answer each other at once do so for as long as they like."""
    turns = 3000

    def answer(recorder: Recorder) -> None:
        if near.events.count("turn") == turns:
            recorder.transport.close()
        else:
            recorder.events[-1] = "turn"
            recorder.transport.write(b"x")

    near, far = Recorder(), Recorder()
    near.on_data = far.on_data = answer
    await join(near, far)
    near.transport.write(b"x")
    await near.lost()

    assert turns == near.events.count("turn")


# ---- what only the memory has ----


@asynccontextmanager
async def pair(address: Any = ("api.test", 80)) -> AsyncIterator[tuple[Recorder, Recorder]]:
    near, far = Recorder(), Recorder()
    connected(asyncio.get_running_loop(), near, far, address)
    yield near, far
    near.transport.abort()
    await near.lost()
    far.transport.abort()
    await far.lost()


async def test_nothing_arrives_at_once() -> None:
    """What is sent arrives in a later turn of the loop, and all that is sent in one turn as one piece."""
    pieces: list[bytes] = []
    async with pair() as (near, far):
        far.on_data = lambda recorder: pieces.append(recorder.events[-1])  # type: ignore[arg-type]
        near.transport.write(b"a")
        near.transport.write(b"b")
        assert ["made"] == far.events
        await far.told(b"ab")

    assert [b"ab"] == pieces


async def test_an_idle_connection_is_ended_at_once() -> None:
    """Both ends have heard of it when `end` returns, and need not wait for the loop."""
    async with pair() as (near, far):
        near.transport.end()
        assert (["made", "lost"], ["made", "eof", "lost"]) == (near.events, far.events)
        near.transport.end()
        far.transport.end()


@pytest.mark.parametrize("sender", ["near", "far"])
async def test_a_busy_connection_is_ended_as_by_close(sender: str) -> None:
    """What is on its way arrives first."""
    async with pair() as (near, far):
        (near if sender == "near" else far).transport.write(b"data")
        near.transport.end()
        assert (["made"], ["made"]) == (near.events, far.events)
        await near.lost()
        await far.lost()

    assert (b"data" in far.events) is (sender == "near")


async def test_a_reader_that_pauses_hears_of_the_end_later() -> None:
    """A protocol that reads nothing now hears of the end when it does again."""
    async with pair() as (near, far):
        far.transport.pause_reading()
        near.transport.end()
        assert (["made", "lost"], ["made"]) == (near.events, far.events)
        far.transport.resume_reading()
        await far.lost()

    assert ["made", "eof", "lost"] == far.events


async def test_pieces_are_as_large_as_from_a_socket() -> None:
    """A protocol is given at most 256 KiB at once, also from a part of what was written."""
    sizes: list[int] = []
    async with pair() as (near, far):

        def note(recorder: Recorder) -> None:
            sizes.append(len(recorder.events[-1]))  # type: ignore[arg-type]
            recorder.events[-1] = "data"

        far.on_data = note
        near.transport.write(bytes(300 * 1024))
        near.transport.write(bytes(300 * 1024))
        near.transport.write(bytes(10))
        await far.until(lambda: sum(sizes) == 600 * 1024 + 10)

    assert [256 * 1024, 256 * 1024, 88 * 1024 + 10] == sizes


@pytest.mark.parametrize(
    ("address", "family", "local"),
    [
        pytest.param(("192.0.2.1", 80), socket.AF_INET, 2, id="IPv4"),
        pytest.param(("::1", 80, 0, 0), socket.AF_INET6, 4, id="IPv6"),
        pytest.param("/run/app.sock", socket.AF_UNIX, 0, id="unix"),
    ],
)
async def test_families(address: Any, family: int, local: int) -> None:
    """The client's own address is of the kind that it connects to."""
    async with pair(address) as (near, _):
        sock = near.transport.get_extra_info("socket")
        assert (address, family, local, -1) == (
            near.transport.get_extra_info("peername"),
            sock.family,
            len(sock.getsockname()),
            sock.fileno(),
        )


async def test_connections_have_ports_of_their_own() -> None:
    """Two connections can be told apart."""
    async with pair() as (first, _), pair() as (second, _):
        assert first.transport.get_extra_info("sockname") != second.transport.get_extra_info("sockname")


async def test_what_is_told_of_tls() -> None:
    """From when the client believes that it speaks TLS, its end tells of it as asyncio's does."""
    names = ("sslcontext", "cipher", "compression")
    context = ssl.create_default_context()
    async with pair() as (near, far):
        near.transport.secure(None, "api.test")
        assert (None,) * 3 == tuple(near.transport.get_extra_info(name) for name in names)
        assert near.transport.get_extra_info("ssl_object") is None

        near.transport.secure(context, "api.test")

        suite = ("TLS_AES_256_GCM_SHA384", "TLSv1.3", 256)
        assert (context, suite, None) == tuple(near.transport.get_extra_info(name) for name in names)
        assert (None,) * 3 == tuple(far.transport.get_extra_info(name) for name in names)
        certificate = near.transport.get_extra_info("peercert")
        tls = near.transport.get_extra_info("ssl_object")

    assert {
        "subject": ((("commonName", "api.test"),),),
        "subjectAltName": (("DNS", "api.test"),),
    } == certificate
    assert (certificate, Router().certificate_digest) == (
        tls.getpeercert(),
        sha256(tls.getpeercert(binary_form=True)).digest(),
    )
    assert (context, "api.test", False, False) == (
        tls.context,
        tls.server_hostname,
        tls.server_side,
        tls.session_reused,
    )
    assert ("TLSv1.3", "http/1.1", None) == (tls.version(), tls.selected_alpn_protocol(), tls.compression())


async def test_repr() -> None:
    """A transport shows its state and where it leads."""
    async with pair() as (near, _):
        shown = [repr(near.transport)]
        near.transport.close()
        shown.append(repr(near.transport))
        await near.lost()
        shown.append(repr(near.transport))

    assert [
        f"<MemoryTransport {state} to ('api.test', 80)>" for state in ("open", "closing", "closed")
    ] == shown


@pytest.mark.parametrize("method", ["data_received", "eof_received"])
async def test_interrupts_go_through(method: str) -> None:
    """`KeyboardInterrupt` is nobody's to swallow."""

    def interrupt(recorder: Recorder) -> None:
        raise KeyboardInterrupt

    caught: list[str] = []
    loop = asyncio.get_running_loop()
    async with pair() as (near, far):
        far.on_data, far.on_eof = (
            (interrupt, far.on_eof) if method == "data_received" else (far.on_data, interrupt)
        )
        call_soon = loop.call_soon

        def guarded(callback: Callable[..., object], *args: Any, **kwargs: Any) -> asyncio.Handle:
            def run() -> None:
                try:
                    callback(*args)
                except KeyboardInterrupt:
                    caught.append(method)
                    near.tell("interrupted")

            return call_soon(run, **kwargs)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(loop, "call_soon", guarded)
            (near.transport.write(b"a") if method == "data_received" else near.transport.write_eof())
        await near.told("interrupted")

    assert [method] == caught
