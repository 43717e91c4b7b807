"""`WebSocketRoute`: a route that answers the handshakes of websockets.

Knows routes, and what can be said on a websocket. Knows nothing of connections below that.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from .._asyncio.waiters import Waiters
from .._functions import check_arguments
from .._http.reply import Reply
from .._messages.exceptions import UsageError
from .._messages.wording import one_line
from .._responders.exchange import is_answer
from .._websocket.conversation import Conversation, handled, live
from .._websocket.script import ScriptStep, scripted
from .route import Route
from .sequence import Step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Self, Unpack

    from .._http.call import Call
    from .._http.reply import ReplyOptions
    from .._matching.request_pattern import RequestPattern
    from .._responders.exchange import Answer
    from .._websocket.connection import WebSocketConnection, WebSocketOptions
    from .._websocket.script import Progress, Talk
    from .calls import Calls
    from .table import Table

__all__ = ["HANDSHAKE", "WebSocketRoute", "websocket_options"]


class Handshake:
    """The value of the header with which a client asks for a websocket (RFC 6455, 4.1)."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and other.strip().lower() == "websocket"

    def __repr__(self) -> str:
        return "'websocket'"


HANDSHAKE = Handshake()


def websocket_options(
    protocols: Iterable[str], heartbeat: float | None, autoping: bool, compress: bool, max_msg_size: int
) -> WebSocketOptions:
    """The options of a websocket.

    Raises:
        UsageError: the subprotocols are one text, or a number is none.
    """
    if isinstance(protocols, str):
        raise UsageError(f"protocols={protocols!r}: several names, such as [{protocols!r}]")
    if not isinstance(protocols, Iterable):
        raise UsageError(f"protocols= are names; got {one_line(protocols)}")
    if not (heartbeat is None or (is_number(heartbeat) and heartbeat > 0)):
        raise UsageError(f"heartbeat= is in seconds, more than 0; got {heartbeat!r}")
    if not (is_number(max_msg_size) and max_msg_size >= 0):
        raise UsageError(f"max_msg_size= is in bytes, 0 for no limit; got {max_msg_size!r}")
    return {
        "protocols": tuple(protocols),
        "heartbeat": heartbeat,
        "autoping": autoping,
        "compress": compress,
        "max_msg_size": max_msg_size,
    }


def is_number(value: object) -> bool:
    """Whether it is a number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


class WebSocketRoute(Route):
    """A route that answers the handshakes of websockets, and speaks them.

    Made by `Router.ws`. Without an answer it accepts every client, and what is said is up to the test:
    `conn = await route.connection()`, `await conn.send_json(...)`, `await conn.receive_json()`. Answers form
    a sequence as those of any route, one for each connection.
    """

    def __init__(
        self,
        table: Table,
        pattern: RequestPattern,
        name: str | None,
        logs: tuple[Calls[Call[Route]], ...],
        options: WebSocketOptions,
    ) -> None:
        super().__init__(table, pattern, name, logs)
        self.options = options
        self.connections: list[WebSocketConnection] = []
        self._progress: list[Progress] = []
        self._given = 0
        self._waiters = Waiters()
        self.sequence.default_step = Step(self._conversation(live))

    def script(self, *steps: ScriptStep, times: int | None = None) -> Self:
        """Add a script to the sequence: `script(expect("hello"), send_json({...}), pause(1), close(4000))`.

        The steps are taken in order, for each connection anew. A client that sends something else, or closes
        where something was expected, fails the test, and sees the close code 1008. After the last step the
        connection stays open until the client closes it. A script that still expects something when the test
        ends, or when the connection is lost, fails it too, unless the route is `optional()`.
        """
        for step in steps:
            if not isinstance(step, ScriptStep):
                raise UsageError(
                    f"script() takes steps such as expect('hello') and send_json(...); got {one_line(step)}"
                )
        talk = scripted(self._title, steps, self._progress.append)
        return self._add(self._conversation(talk), times)

    def reject(self, status: int = 403, *, times: int | None = None, **options: Unpack[ReplyOptions]) -> Self:
        """Refuse the handshake with a status, 300 or more; the keywords are those of `reply`."""
        reply = Reply(status, **options)
        if reply.status < 300:
            raise UsageError(f"reject({status!r}): a handshake is refused with 300 or more, such as 403")
        return self._add(reply, times)

    async def connection(self, timeout: float = 1.0) -> WebSocketConnection:
        """The next connection that a client opens; those opened before and not asked for come first.

        `timeout` is in seconds of the running loop's clock.

        Raises:
            AssertionError: there was none in time.
        """
        position = self._given
        self._given += 1
        if not await self._waiters.until(lambda: len(self.connections) > position, timeout):
            self._given -= 1
            raise AssertionError(
                f"{len(self.connections)} connections to {self!r}, not {position + 1}, within {timeout} s"
            )
        return self.connections[position]

    def unfinished(self) -> Iterator[str]:
        """A report for each script of which the client left something out."""
        for progress in self._progress:
            report = progress.report
            if report is not None and not self.is_optional:
                yield report

    def answer_of(self, answer: object, options: ReplyOptions) -> Reply | Answer:
        """What `answer` stands for: a handler is given the websocket; all else is as for any route."""
        if callable(answer) and not isinstance(answer, type) and not is_answer(answer):
            if options:
                raise UsageError(f"{', '.join(sorted(options))}: not with the handler of a websocket")
            check_arguments(answer, "handler", "the websocket")
            return self._conversation(handled(answer))
        return super().answer_of(answer, options)

    def _conversation(self, talk: Talk) -> Conversation:
        return Conversation(self.options, self._connected, talk)

    def _connected(self, connection: WebSocketConnection) -> None:
        self.connections.append(connection)
        self._waiters.notify()

    def _title(self) -> str:
        name = f" {self.name!r}" if self.name else ""
        return f"{self.pattern.url.text}{name} ({self.location})"
