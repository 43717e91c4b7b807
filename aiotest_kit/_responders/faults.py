"""What goes wrong, named after what happens.

Each fault is a value that a route answers with. Most act on the connection, and do so alike through every
door; what happens before there is one is in `_responders.connect_faults`. Knows exchanges and replies. Knows
nothing of routes, sockets or aiohttp's exceptions; `docs/failures.md` has what aiohttp raises.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from .._http.content_coding import CODINGS
from .._http.reply import Reply, with_fields
from .._messages.exceptions import UsageError
from .._messages.wording import join_names, one_line
from .exchange import ClientSide, ConnectFault, StreamFault
from .responder import as_answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from .exchange import Answer, Exchange

__all__ = [
    "BadChunk",
    "BadHeader",
    "Disconnect",
    "Drip",
    "Fault",
    "Flaky",
    "Garbage",
    "ProxyError",
    "Reset",
    "Stall",
    "Truncate",
    "WrongEncoding",
    "acts_at_connect",
    "happens_in_client",
    "keeps_from_connecting",
]

SOMETHING = Reply(200, text="x" * 1024)
"""The reply that a fault is about when none is given: 1 KiB of text."""


@dataclass(frozen=True)
class Disconnect(StreamFault):
    """The connection is closed in order (FIN) before a byte of a reply; in a stream, where it stands."""

    async def play(self, exchange: Exchange) -> None:
        """Close."""
        exchange.close()

    inject = play


@dataclass(frozen=True)
class Partly(StreamFault):
    """What faults have in common that let a part of a reply through.

    `after` is how many bytes of the body, as it is sent, go before the fault; None is not even a head.
    """

    after: int | None = None
    reply: Reply = field(default=SOMETHING, kw_only=True, repr=False)

    needs_less: ClassVar[bool] = False
    """Whether the fault has to come before the end of the body."""

    def __post_init__(self) -> None:
        name = type(self).__name__
        check_reply(name, self.reply)
        if self.after is None:
            return
        check_number(self.after, is_count, f"after= of {name} is a number of bytes, 0 or more")
        if self.reply is SOMETHING and self.after >= len(SOMETHING.body):
            object.__setattr__(self, "reply", Reply(200, text="x" * (self.after + 1)))
        length = len(self.reply.body)
        if self.after > length or (self.needs_less and self.after == length):
            raise UsageError(f"{self!r} comes too late: the body of {self.reply!r} has {length} bytes")

    async def play(self, exchange: Exchange) -> None:
        """Send the part, then go wrong."""
        if self.after is not None:
            await exchange.start(self.reply, len(self.reply.body))
            await exchange.write(self.reply.body[: self.after])
        await self.inject(exchange)

    def check_as_piece(self) -> None:
        """Refuse to be somewhere else."""
        if self.after:
            raise UsageError(f"{self!r} in a stream happens where it stands, and cannot have after=")


@dataclass(frozen=True)
class Reset(Partly):
    """The connection is reset (RST) before a byte of the reply, or after `after` bytes of its body.

    `reply` is that reply, by default some text. In a stream, a `Reset()` happens where it stands.
    """

    async def inject(self, exchange: Exchange) -> None:
        """Reset."""
        await exchange.reset()


@dataclass(frozen=True)
class Truncate(Partly):
    """The connection is closed in order (FIN) after `after` bytes of the body, which was to be longer.

    `reply` is the whole reply, by default some text: short of its `Content-Length`, or of the last chunk if
    it says that it is chunked. In a stream, a `Truncate()` happens where it stands.
    """

    after: int | None = 0
    needs_less = True

    async def inject(self, exchange: Exchange) -> None:
        """Close."""
        exchange.close()


@dataclass(frozen=True)
class Stall(Partly):
    """Silence, before a byte of the reply or after `after` bytes of its body, on an open connection.

    It lasts until the client gives up, or the mock closes. `reply` is the reply that stalls, by default some
    text. In a stream, a `Stall()` happens where it stands.
    """

    async def inject(self, exchange: Exchange) -> None:
        """Do nothing."""
        await exchange.stall()


@dataclass(frozen=True)
class Drip(StreamFault):
    """A reply whose body comes slowly, in up to ten pieces a second.

    `reply` is that reply, by default 1 KiB of text. In a stream, what follows drips.
    """

    bytes_per_second: float
    reply: Reply = field(default=SOMETHING, kw_only=True, repr=False)

    def __post_init__(self) -> None:
        check_reply("Drip", self.reply)
        check_number(self.bytes_per_second, lambda n: 0 < n < inf, "Drip is in bytes per second, more than 0")

    async def play(self, exchange: Exchange) -> None:
        """Send the reply slowly."""
        await exchange.start(self.reply, len(self.reply.body))
        await self.inject(exchange)
        await exchange.write(self.reply.body)
        exchange.finish()

    async def inject(self, exchange: Exchange) -> None:
        """Be slow from now on."""
        exchange.pace = self.bytes_per_second


@dataclass(frozen=True)
class Garbage(StreamFault):
    """Bytes that are no HTTP, in place of a reply; then the connection is closed.

    In a stream they are sent where it stands, outside the chunks.
    """

    data: bytes = b"SSH-2.0-OpenSSH_9.6\r\n"

    def __post_init__(self) -> None:
        if not isinstance(self.data, bytes):
            raise UsageError(f"Garbage is bytes; got {one_line(self.data)}")

    async def play(self, exchange: Exchange) -> None:
        """Send the bytes."""
        exchange.send_bytes(self.data)
        exchange.close()

    inject = play


@dataclass(frozen=True)
class BadChunk(Partly):
    """A chunked reply with a chunk whose size is no number, after `after` bytes of its body.

    `reply` is that reply, by default some text. It is sent in one piece, for aiohttp does not notice a bad
    chunk that arrives after the head of its reply, and waits for its timeout: as in a stream, where a
    `BadChunk()` is the next chunk.
    """

    after: int | None = 0

    async def play(self, exchange: Exchange) -> None:
        """Send the reply, up to the chunk."""
        chunked = with_fields(self.reply, {"Transfer-Encoding": "chunked"})
        good = self.reply.body[: self.after]
        whole = b"%x\r\n%b\r\n" % (len(good), good) if good else b""
        exchange.send_bytes(exchange.head(chunked) + whole + BAD_CHUNK)
        exchange.close()

    async def inject(self, exchange: Exchange) -> None:
        """Send the chunk."""
        exchange.send_bytes(BAD_CHUNK)
        exchange.close()


BAD_CHUNK = b"not-a-size\r\n"


@dataclass(frozen=True)
class BadHeader(StreamFault):
    """A reply with a line in its head that is no header field.

    `reply` is what the reply is otherwise, by default some text. In a stream it is such a line among the
    trailers, where the body ends.
    """

    line: bytes = b"a line without a colon"
    reply: Reply = field(default=SOMETHING, kw_only=True, repr=False)

    def __post_init__(self) -> None:
        check_reply("BadHeader", self.reply)
        if not isinstance(self.line, bytes):
            raise UsageError(f"BadHeader is a line as bytes; got {one_line(self.line)}")

    async def play(self, exchange: Exchange) -> None:
        """Send the reply."""
        head = exchange.head(self.reply, len(self.reply.body))
        exchange.send_bytes(head[:-2] + self.line + b"\r\n\r\n" + self.reply.body)
        exchange.close()

    async def inject(self, exchange: Exchange) -> None:
        """Send the last chunk and the line."""
        exchange.send_bytes(b"0\r\n" + self.line + b"\r\n\r\n")
        exchange.close()


@dataclass(frozen=True)
class WrongEncoding:
    """A reply that claims a content coding (`gzip`, `deflate`, `br` or `zstd`) which its body has not.

    `reply` is what the reply is otherwise, by default bytes that are in none of them.
    """

    coding: str = "gzip"
    reply: Reply = field(default=Reply(200, body=b"\xff" * 64), kw_only=True, repr=False)

    def __post_init__(self) -> None:
        check_reply("WrongEncoding", self.reply)
        if self.coding not in CODINGS:
            raise UsageError(f"WrongEncoding({self.coding!r}): codings are {join_names(CODINGS)}")

    async def play(self, exchange: Exchange) -> None:
        """Send the reply."""
        await exchange.send(with_fields(self.reply, {"Content-Encoding": self.coding}))


@dataclass(frozen=True)
class ProxyError:
    """What a proxy says that refuses to connect, with a status such as 407 or 502."""

    status: int = 407

    def __post_init__(self) -> None:
        if self.reply.status < 300:
            raise UsageError(f"ProxyError({self.status!r}): with this status a proxy opens the connection")

    @property
    def reply(self) -> Reply:
        """The proxy's reply."""
        headers = {"Proxy-Authenticate": 'Basic realm="proxy"'} if self.status == 407 else {}
        return Reply(self.status, headers={**headers, "Connection": "close"})

    async def play(self, exchange: Exchange) -> None:
        """Refuse."""
        await exchange.send(self.reply)


class Flaky(StreamFault):
    """A fault that happens in some calls: in each with the probability `rate`, from 0 to 1.

    Equal seeds give equal calls, one after the other, whatever else is random. Where the fault does not
    happen, `reply` is the answer: anything that `Route.reply` takes, by default 200 with an empty body.
    """

    def __init__(self, fault: Fault, rate: float, seed: int, *, reply: object = 200) -> None:
        if not isinstance(fault, FAULTS):
            raise UsageError(f"Flaky(fault, rate, seed) begins with a fault; got {one_line(fault)}")
        check_number(rate, lambda n: 0 <= n <= 1, "rate= of Flaky is a probability from 0 to 1")
        self.fault = fault
        self.rate = rate
        self.seed = seed
        self.otherwise: Reply | Answer = as_answer(reply, {})
        self._random = random.Random(seed)

    def __repr__(self) -> str:
        return f"Flaky({self.fault!r}, {self.rate!r}, {self.seed!r})"

    def drawn(self) -> Reply | Answer:
        """What the next call meets."""
        return self.fault if self._random.random() < self.rate else self.otherwise

    async def play(self, exchange: Exchange) -> None:
        """Answer with what is drawn."""
        answer = self.drawn()
        if isinstance(answer, Reply):
            await exchange.send(answer)
        else:
            await answer.play(exchange)

    def check_as_piece(self) -> None:
        """Refuse a fault that cannot be there."""
        if not isinstance(self.fault, StreamFault):
            raise UsageError(f"{self.fault!r} cannot happen in a body that is on its way")
        self.fault.check_as_piece()

    async def inject(self, exchange: Exchange) -> None:
        """Go wrong, if that is drawn."""
        if self.drawn() is self.fault and isinstance(self.fault, StreamFault):
            await self.fault.inject(exchange)


Fault: TypeAlias = (
    "Disconnect | Partly | Drip | Garbage | BadHeader | WrongEncoding | ProxyError | ConnectFault"
)
FAULTS = (Disconnect, Partly, Drip, Garbage, BadHeader, WrongEncoding, ProxyError, ConnectFault)


def acts_at_connect(answer: object) -> bool:
    """Whether an answer may have to be given where the client connects."""
    return is_one_of(answer, ConnectFault, ProxyError)


def keeps_from_connecting(answer: object) -> bool:
    """Whether an answer may be that there is no connection."""
    return is_one_of(answer, ConnectFault)


def happens_in_client(answer: object) -> bool:
    """Whether an answer needs a client that is within reach."""
    return is_one_of(answer, ClientSide)


def is_one_of(answer: object, *kinds: type) -> bool:
    """Whether an answer is of some kinds, or may turn out to be."""
    if isinstance(answer, Flaky):
        return is_one_of(answer.fault, *kinds) or is_one_of(answer.otherwise, *kinds)
    return isinstance(answer, kinds)


def check_reply(name: str, reply: object) -> None:
    """Refuse what is no reply."""
    if not isinstance(reply, Reply):
        raise UsageError(f"reply= of {name} is a Reply; got {one_line(reply)}")


def check_number(value: object, fits: Callable[[float], bool], what: str) -> None:
    """Refuse what is not a number that fits; `what` is what it stands for."""
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not fits(value):
        raise UsageError(f"{what}; got {value!r}")


def is_count(value: float) -> bool:
    """Whether a number counts things."""
    return isinstance(value, int) and value >= 0
