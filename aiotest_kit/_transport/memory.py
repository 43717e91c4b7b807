"""A connection without a socket: two transports that hand bytes to each other, as TCP would.

`connected` makes the pair. Nothing arrives within the call that sends it; what is sent in one turn of the
loop arrives as one piece; a reader that pauses stops the writer; closing, half-closing and resetting look, at
the other end, as they do on a socket (RFC 9293, 3.6). Knows asyncio. Knows nothing of HTTP.
"""

from __future__ import annotations

import asyncio
from asyncio import constants, transports
from itertools import cycle
from typing import TYPE_CHECKING, Any

from .socket_info import CERTIFICATE, OF_TLS, ImpliedTLS, MemorySocket

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable

__all__ = ["MemoryTransport", "connected"]

WIRE = 256 * 1024
"""Bytes that are on their way without the sender having to wait, as in a socket's buffers."""

PIECE = 256 * 1024
"""The most that a protocol is given at once, as from a socket."""


# The mixin is what `loop.sendfile` asks of a transport before it falls back to reading and writing.
class MemoryTransport(transports._FlowControlMixin, asyncio.Transport):
    """One end of a connection in memory."""

    # What `loop.sendfile` and `loop.start_tls` ask.
    _sendfile_compatible = constants._SendfileMode.FALLBACK
    _start_tls_compatible = True

    # Slots, not defaults that the class gives, which are slow to read: a connection is made for nearly every
    # test. The mixin and the base have the rest; their constructors take longer than all this.
    __slots__ = (
        "__weakref__",
        "_closing",
        "_eof_written",
        "_fin",
        "_gone",
        "_inbox",
        "_inbox_size",
        "_lost",
        "_protocol",
        "_reading_paused",
        "_receiving",
        "_reset",
        "_scheduled",
        "_taken",
        "_tls",
        "is_prompt",
        "other",
        "server",
    )

    other: MemoryTransport
    server: asyncio.BaseProtocol
    """At the client's end: the protocol that it was connected to."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, protocol: asyncio.BaseProtocol, extra: dict[str, Any]
    ) -> None:
        self._loop = loop
        self._extra = extra
        self._protocol: Any = protocol
        self._protocol_paused = False
        self._high_water = 64 * 1024
        self._low_water = 16 * 1024
        self._inbox: list[bytes] = []
        self._inbox_size = 0
        self._taken = 0
        """How much of the first piece in the inbox was handed on."""
        self._tls: tuple[ssl.SSLContext, str | None, bytes] | None = None
        self._fin = False
        self._reset: OSError | None = None
        self._scheduled = False
        self._reading_paused = False
        self._closing = False
        self._eof_written = False
        self.is_prompt = False
        """Whether what this end sends in answer arrives in the same turn of the loop, behind its sending."""
        self._receiving = False
        """Whether it is about to answer in this way."""
        self._lost = False
        """`connection_lost` was called, or is being called."""
        self._gone = False
        """The other end has been told."""

    def __repr__(self) -> str:
        state = "closed" if self._lost else "closing" if self._closing else "open"
        return f"<MemoryTransport {state} to {self.get_extra_info('peername')}>"

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What asyncio's transports tell: `peername`, `sockname`, `socket`, and of TLS what is implied."""
        if name == "socket" and "socket" not in self._extra:
            self._extra["socket"] = MemorySocket(self._extra["sockname"], self._extra["peername"])
        if name in OF_TLS and self._tls is not None:
            return OF_TLS[name](ImpliedTLS(*self._tls))
        return self._extra.get(name, default)

    def secure(self, context: ssl.SSLContext | None, server_hostname: str | None) -> None:
        """Tell of TLS from now on, unless there is no context for it."""
        if context is not None:
            self._tls = context, server_hostname, CERTIFICATE
            self._extra["sslcontext"] = context

    def show_certificate(self, certificate: bytes) -> None:
        """Tell of another certificate (DER) from now on."""
        assert self._tls is not None
        self._tls = *self._tls[:2], certificate

    # Flow control, as the mixin has it.

    def _maybe_pause_protocol(self) -> None:
        if not self._protocol_paused and self.get_write_buffer_size() > self._high_water:
            self._protocol_paused = True
            self._protocol.pause_writing()

    def _maybe_resume_protocol(self) -> None:
        if self._protocol_paused and self.get_write_buffer_size() <= self._low_water:
            self._protocol_paused = False
            self._protocol.resume_writing()

    # Reading.

    def is_reading(self) -> bool:
        """Whether data is handed to the protocol as it comes."""
        return not self._reading_paused and not self._closing

    def pause_reading(self) -> None:
        """Leave what comes where it is; a writer at the other end has to wait before long."""
        self._reading_paused = True

    def resume_reading(self) -> None:
        """Hand on what has come."""
        if self._reading_paused and not self._closing:
            self._reading_paused = False
            self._schedule()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Hand what comes from now on to another protocol."""
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """The protocol that is handed what comes."""
        protocol: asyncio.BaseProtocol = self._protocol
        return protocol

    # Writing.

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes; they arrive in a later turn of the loop."""
        if type(data) is not bytes:
            if not isinstance(data, (bytes, bytearray, memoryview)):
                raise TypeError(f"data argument must be a bytes-like object, not {type(data).__name__!r}")
            data = bytes(data)
        if self._eof_written:
            raise RuntimeError("Cannot call write() after write_eof()")
        if not data or self._closing:
            return
        other = self.other
        if other._gone:
            # As a socket: the other end answers with RST, and the next read or write finds it.
            self._be_reset()
            return
        other._inbox.append(data)
        other._inbox_size += len(data)
        if not other._scheduled:
            other._schedule()
        if other._inbox_size > WIRE:
            self._maybe_pause_protocol()

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        """Send several pieces as one."""
        self.write(b"".join(list_of_data))

    def write_eof(self) -> None:
        """Send no more, and go on reading."""
        if not self._eof_written and not self._closing:
            self._eof_written = True
            self.other._fin = True
            self.other._schedule()

    def can_write_eof(self) -> bool:
        """True, as for TCP."""
        return True

    def get_write_buffer_size(self) -> int:
        """The bytes sent that are still waiting for room on the wire."""
        return 0 if self._lost else max(0, self.other._inbox_size - WIRE)

    # Ending.

    def is_closing(self) -> bool:
        """Whether the end has begun."""
        return self._closing

    def close(self) -> None:
        """Send what was written, then end."""
        if not self._closing:
            self._closing = True
            if not self.get_write_buffer_size():
                self._loop.call_soon(self._lose, None)

    def end(self) -> None:
        """Close an idle connection at once: both protocols have been told when this returns.

        Not for use by a protocol, which is never called from within the other. Where something is on its way,
        this is as `close`.
        """
        if self._closing or self._scheduled or self.other._closing or self.other._scheduled:
            self.close()
            return
        other = self.other
        self._closing = self._receiving = True
        self._lose(None)
        if other._scheduled:
            other._arrive()
        self._receiving = False

    def abort(self) -> None:
        """End now; what still waited for room on the wire is lost."""
        self._force_close(None)

    def _force_close(self, exc: BaseException | None) -> None:
        if self._lost or (self._closing and exc is None and not self.get_write_buffer_size()):
            return
        # Otherwise `close` has arranged for it, with nothing left to wait for.
        is_pending = not self._closing or self.get_write_buffer_size() > 0
        if self.other._inbox_size > WIRE:
            self._drop_unsent()
        self._closing = True
        if is_pending:
            self._loop.call_soon(self._lose, exc)

    def _drop_unsent(self) -> None:
        """Take back what still waits for room on the wire."""
        other = self.other
        surplus = other._inbox_size - WIRE
        other._inbox_size = WIRE
        while surplus > 0:
            last = other._inbox.pop()
            if surplus < len(last):
                other._inbox.append(last[:-surplus])
            surplus -= len(last)

    def _be_reset(self) -> None:
        if self._reset is None:
            self._reset = ConnectionResetError(104, "Connection reset by peer")
            if self._closing:
                # What it still waits to send will never be taken.
                self._loop.call_soon(self._lose, self._reset)
            else:
                self._schedule()

    def _lose(self, exc: BaseException | None) -> None:
        if self._lost:
            return
        self._lost = True
        own = self._extra.get("socket")
        # A socket closed with bytes unread sends RST, not FIN.
        in_order = not self._inbox and (own is None or own.lingers)
        self._inbox.clear()
        self._inbox_size = 0
        try:
            self._protocol.connection_lost(exc)
        finally:
            # Only now does the other end learn of it.
            self._gone = True
            other = self.other
            if not in_order:
                other._be_reset()
            elif not self._eof_written:
                other._fin = True
                other._schedule()
            if other._gone:
                # Nothing happens any more: do not leave a cycle for the garbage collector.
                del self.other, other.other
            self._protocol = None

    # Arriving.

    def _schedule(self) -> None:
        if not self._scheduled and not self._reading_paused and not self._closing:
            self._scheduled = True
            if not self.other._receiving:
                self._loop.call_soon(self._arrive)

    def _arrive(self) -> None:
        """Hand the protocol one piece, or what ends the connection."""
        self._scheduled = False
        if self._reading_paused or self._closing:
            return
        if self._inbox:
            piece = self._take()
            other = self.other
            is_under_way = other._scheduled
            self._receiving = self.is_prompt
            try:
                self._protocol.data_received(piece)
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as exc:
                self._fatal_error(exc, "Fatal error: protocol.data_received() call failed.")
            finally:
                self._receiving = False
            if other._protocol_paused or other._closing:
                other._taken_from()
            if self._inbox or self._fin or self._reset:
                self._schedule()
            if self.is_prompt and other._scheduled and not is_under_way:
                other._arrive()
        elif self._reset is not None:
            self._force_close(self._reset)
        elif self._fin:
            self._fin = False
            self._end_of_file()

    def _take(self) -> bytes:
        """The next piece: what has arrived, up to the most that fits."""
        inbox = self._inbox
        if self._inbox_size <= PIECE and not self._taken:
            piece = inbox[0] if len(inbox) == 1 else b"".join(inbox)
            inbox.clear()
            self._inbox_size = 0
            return piece
        parts: list[bytes] = []
        room = PIECE
        used_up = 0
        while used_up < len(inbox) and room:
            part = inbox[used_up][self._taken : self._taken + room]
            parts.append(part)
            room -= len(part)
            self._taken += len(part)
            if self._taken == len(inbox[used_up]):
                used_up += 1
                self._taken = 0
        del inbox[:used_up]
        self._inbox_size -= PIECE - room
        return b"".join(parts)

    def _taken_from(self) -> None:
        """The other end took something: there may be room on the wire again."""
        if self._lost:
            return
        if self._protocol_paused:
            self._maybe_resume_protocol()
        if self._closing and not self.get_write_buffer_size():
            self._loop.call_soon(self._lose, None)

    def _end_of_file(self) -> None:
        keep_open = False
        try:
            keep_open = bool(self._protocol.eof_received())
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as exc:
            self._fatal_error(exc, "Fatal error: protocol.eof_received() call failed.")
        if not keep_open and not self._closing:
            self._closing = True
            if self.other._receiving:
                # It ends the connection at once, and has nothing on its way.
                self._lose(None)
            elif not self.get_write_buffer_size():
                self._loop.call_soon(self._lose, None)

    def _fatal_error(self, exc: BaseException, message: str) -> None:
        context = {"message": message, "exception": exc, "transport": self, "protocol": self._protocol}
        self._loop.call_exception_handler(context)
        self._force_close(exc)


def connected(
    loop: asyncio.AbstractEventLoop,
    client: asyncio.BaseProtocol,
    server: asyncio.BaseProtocol,
    address: Any,
    is_prompt: bool = False,
) -> MemoryTransport:
    """A new connection between two protocols, both told of it; returns the client's end.

    `address` is the server's, as the client connected to it: `(host, port)`, or the path of a unix socket.
    What a prompt server sends from within `data_received` arrives in the same turn of the loop, behind that.
    """
    if isinstance(address, tuple):
        local: Any = ("::1", next(ports), 0, 0) if len(address) == 4 else ("127.0.0.1", next(ports))
    else:
        local = ""
    near = MemoryTransport(loop, client, {"peername": address, "sockname": local, "socket": None})
    far = MemoryTransport(loop, server, {"peername": local, "sockname": address})
    near.other, far.other = far, near
    near.server = server
    far.is_prompt = is_prompt
    server.connection_made(far)
    client.connection_made(near)
    # Not before: aiohttp would set TCP_NODELAY, which `MemorySocket` has from the start, on every connection.
    del near._extra["socket"]
    return near


# Ephemeral ports (RFC 6335, 6), so that connections can be told apart.
ports = cycle(range(49152, 65536))
