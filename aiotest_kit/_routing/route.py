"""One stubbed route: what it answers, in which order, and what was asked of it.

Decides without acting: no I/O, nothing patched. Knows patterns, answers and the log. Knows nothing of
connections, sessions or pytest.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from .._asyncio.gate import Gate
from .._functions import check_arguments, check_async
from .._http.body import MOST_KEPT
from .._http.reply import Reply
from .._location import Place, caller_place
from .._matching.request_pattern import BODY_MAKERS
from .._messages.exceptions import UsageError
from .._messages.wording import one_line
from .._reports.near_misses import explain_not_called
from .._responders.aiohttp_app import Served
from .._responders.exchange import HeadResponder
from .._responders.faults import acts_at_connect, happens_in_client
from .._responders.forward import Forward
from .._responders.responder import Raw, as_answer, redirect
from .._responders.stream import event_stream, stream
from .assertions import Asserted
from .calls import Calls
from .sequence import ReplySequence, SequenceState, Step, check_count, delay_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator

    from typing_extensions import Never, Self, Unpack
    from yarl import URL

    from .._http.call import Call
    from .._http.reply import ReplyOptions
    from .._matching.request_pattern import RequestPattern
    from .._responders.exchange import Answer, ServerHandler
    from .handler_errors import HandlerError
    from .table import Table

__all__ = ["Hit", "Route", "StalledCall"]


class Route(Asserted["Call[Route]"]):
    """One stubbed route: which requests it answers, with what, and the calls it had.

    Made by a `Router`'s verbs. A route without a reply answers 200 with an empty body. Replies form a
    sequence: each is given once, or `times` times, and the last one for ever unless it has `times`. A reply
    added after the last one was given is the next one. A route whose sequence is used up is exhausted, and
    older routes take its requests.
    """

    # What every route begins with; a test makes several.
    is_optional: bool = False
    is_early: bool = False
    is_settled: bool = False
    """Whether the test has said that there was no call."""
    gate: Gate | None = None

    def __init__(
        self, table: Table, pattern: RequestPattern, name: str | None, logs: tuple[Calls[Call[Route]], ...]
    ) -> None:
        self.pattern = pattern
        self.name = name
        self.place: Place = caller_place(skipped=2)
        self.calls: Calls[Call[Route]] = Calls()
        self.logs: tuple[Calls[Call[Route]], ...] = (self.calls, *logs)
        self.sequence: ReplySequence = ReplySequence()
        self._table = table

    def __repr__(self) -> str:
        name = f" {self.name!r}" if self.name else ""
        return f"<Route {self.pattern.describe()}{name} ({self.location})>"

    # What it answers.

    def reply(
        self,
        answer: object = 200,
        /,
        *more: Never,
        times: int | None = None,
        attempts: int | None = None,
        **options: Unpack[ReplyOptions],
    ) -> Self:
        """Add an answer to the sequence: a status with the keywords of `Reply`, or one of these.

        A `Reply`; a body (`dict` or `list` as JSON, `str`, `bytes`); an exception instance or class, raised
        from the client's call (memory door); a fault; a handler, `def` or `async def (request)`, which
        returns a `Reply`, a `web.Response`, a body or a status.

        `times` is how often it is given. `delay=`, in seconds, goes with any answer. `attempts` is how many
        of one call's attempts an exception or fault meets: all by default, so that aiohttp's silent retry
        of an idempotent request meets it too; 1 makes it a real one-shot.

        Raises:
            UsageError: the answer cannot be given, or a keyword is unknown or contradicts another.
        """
        if more:
            raise UsageError(
                f"reply({one_line(answer, 60)}, {one_line(more[0], 60)}): a body needs its name, as in "
                "reply(200, json={...})"
            )
        delay = 0.0
        if not isinstance(answer, int) and "delay" in options:
            delay = delay_of(options)
        return self._add(self.answer_of(answer, options), times, attempts, delay)

    def replies(self, *answers: object) -> Self:
        """Add several answers to the sequence, each given once and the last for ever.

        Each is what `reply` takes as its first argument.
        """
        if not answers:
            raise UsageError("replies() needs at least one answer")
        if len(answers) == 1 and isinstance(answers[0], (list, tuple)):
            raise UsageError(f"replies() takes answers one by one: replies(*{one_line(answers[0], 60)})")
        return self._append([self._step(self.answer_of(answer, {})) for answer in answers])

    def redirect(
        self,
        location: str | URL,
        status: int = 302,
        *,
        times: int | None = None,
        **options: Unpack[ReplyOptions],
    ) -> Self:
        """Send the client to `location` (301, 302, 303, 307 or 308; RFC 9110, 15.4)."""
        return self._add(redirect(location, status, options), times)

    def stream(
        self, pieces: object, status: int = 200, *, times: int | None = None, **options: Unpack[ReplyOptions]
    ) -> Self:
        """Send a body piece by piece.

        `pieces` are a list of chunks, or a generator function, sync or async, that is called anew for each
        request, with the request if it takes an argument. Each piece is one chunk on the wire; a number among
        them is a pause in seconds, and a fault such as `Reset()` happens where it stands. With `compress`
        each piece can be decoded as soon as it arrives.

        Raises:
            UsageError: the pieces can be read only once, as those of an iterator or a file; one cannot be
                sent; or a keyword says something of the body.
        """
        delay = delay_of(options)
        return self._add(stream(pieces, status, options), times, delay=delay)

    def sse(self, events: object, *, times: int | None = None, **options: Unpack[ReplyOptions]) -> Self:
        """Send a `text/event-stream` (HTML, 9.2.5).

        `events` are a list or a generator function, as for `stream`, with pauses and faults among them. An
        event is a mapping of `event`, `id`, `retry` (milliseconds), `data` (text, or JSON of anything else)
        and `comment`, or its data alone.

        Raises:
            UsageError: as `stream`.
        """
        delay = delay_of(options)
        return self._add(event_stream(events, options), times, delay=delay)

    def raw(
        self,
        script: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
        *,
        times: int | None = None,
    ) -> Self:
        """Give the connection to a script: `async def script(reader, writer)`.

        It starts as soon as the head of the request has matched, and reads the request from its first
        byte. The connection is closed when it returns.
        """
        if not callable(script):
            raise UsageError(f"raw() takes an async function of reader and writer; got {one_line(script)}")
        check_async(script, "script", "raw() takes async def script(reader, writer)")
        check_arguments(script, "script", "the reader", "the writer")
        return self._add(Raw(script), times)

    def forward(self, origin: str | URL, *, times: int | None = None) -> Self:
        """Relay to a real server, and its answer back: redirects, encodings and cookies untouched."""
        return self._add(Forward.to(origin), times)

    def serve(self, handler: ServerHandler, *, times: int | None = None) -> Self:
        """Have aiohttp's own server answer, with a handler: `async def handler(request)`.

        `request` is an `aiohttp.web.BaseRequest` whose body comes as the client sends it. What is returned
        is any `web.StreamResponse`: files, streams, and a `web.WebSocketResponse`, too. It is called as soon
        as the head of the request has matched, and ends when the client goes.
        """
        return self._add(Served(handler), times)

    def hold(self) -> Gate:
        """Make answers wait until they are released.

        `await gate.waiting(2)` returns when two requests wait; `gate.release()` lets them and all later
        ones go on. Held requests are let go when the mock closes.
        """
        self.gate = Gate(self)
        return self.gate

    def early(self) -> Self:
        """Answer as soon as the head of a request has come, and leave its body unread.

        A client that waits for `100 Continue` is not told to send the body, one that sends it may stop, and
        what still comes is dropped. A handler, and `where=`, get a request without its body; the record has
        the body if all of it came before the answer was given.

        Raises:
            UsageError: the route asks for something of the body, or forwards it.
        """
        asked = [f"{name}=" for name in self.pattern.option_names if name in BODY_MAKERS]
        if asked:
            raise UsageError(f"early() answers before the body has come, which {asked[0]} asks for")
        if any(isinstance(step.answer, Forward) for step in self.sequence.snapshot().steps):
            raise UsageError(EARLY_FORWARD)
        self.is_early = True
        return self

    # What it is.

    @property
    def location(self) -> str:
        """Where it was added, `file:line`."""
        return str(self.place)

    def optional(self) -> Self:
        """Let it be: a test in which it is never called passes."""
        self.is_optional = True
        return self

    @property
    def is_unmet(self) -> bool:
        """Whether no request reached it though one should have."""
        return not (self.calls.ever or self.is_optional or self.is_settled)

    def named(self, name: str) -> Self:
        """Give it a name for reports."""
        self.name = name
        return self

    def remove(self) -> None:
        """Take it out of the table; its calls stay in the log, and it need not have been called."""
        self._table.remove(self)

    @property
    def replied(self) -> int:
        """How many answers of its sequence it has given."""
        return self.sequence.replied

    @property
    def capacity(self) -> int | None:
        """How many calls it can answer in all; None is no limit."""
        return self.sequence.capacity

    @property
    def exhausted(self) -> bool:
        """Whether its sequence is used up."""
        return self.sequence.exhausted

    def _add(
        self, answer: Reply | Answer, times: int | None = None, attempts: int | None = None, delay: float = 0
    ) -> Self:
        return self._append([self._step(answer, times, attempts, delay)])

    def _step(
        self, answer: Reply | Answer, times: int | None = None, attempts: int | None = None, delay: float = 0
    ) -> Step:
        """A step of the sequence, if this route can give the answer."""
        if times is not None:
            check_count("times", times)
        if attempts is not None:
            check_count("attempts", attempts)
        if self.is_early and isinstance(answer, Forward):
            raise UsageError(EARLY_FORWARD)
        if self._table.is_out_of_reach and happens_in_client(answer):
            raise UsageError(
                f"{one_line(answer)} happens in the client, which is out of reach behind a socket; reply "
                "with what it sends, or with a fault on the wire such as Reset()"
            )
        return Step(answer, times, attempts, delay)

    def _append(self, steps: list[Step]) -> Self:
        with self._table.lock:
            was_exhausted = self.exhausted
            for step in steps:
                if not isinstance(step.answer, Reply) and acts_at_connect(step.answer):
                    self._table.fails_connections = True
                self.sequence.append(step)
            if was_exhausted:
                self._table.reinstate(self)
        return self

    def assert_not_called(self) -> None:
        """Fail if there was a call; if there was none, there need not be one any more."""
        super().assert_not_called()
        self.is_settled = True

    def _came_nearest(self) -> str:
        table = self._table
        calls = table.calls if table.asked is None else table.asked
        return explain_not_called(self, calls)

    def unfinished(self) -> Iterable[str]:
        """A report for each script of which the client left something out; only websockets have scripts."""
        return ()

    # For the table and the peer.

    def answer_of(self, answer: object, options: ReplyOptions) -> Reply | Answer:
        """What the first argument of `reply` stands for."""
        return as_answer(answer, options)

    @property
    def answers_early(self) -> bool:
        """Whether the next answer is given before the body of the request has come."""
        return self.is_early or isinstance(self.sequence.current.answer, HeadResponder)

    @property
    def acts_at_connect(self) -> bool:
        """Whether the next answer may have to be given where the client connects."""
        return acts_at_connect(self.sequence.current.answer)

    def record(self, call: Call[Route]) -> None:
        """Write a call into the logs."""
        if self._table.keep_body != MOST_KEPT:
            call.keep_body = self._table.keep_body
        for log in self.logs:
            log.add(call)

    def failed(self, error: HandlerError) -> None:
        """Keep an error of the user's code for the test."""
        self._table.handler_errors.append(error)

    def track(self, task: asyncio.Task[None]) -> None:
        """Have an answer that takes time ended with the mock."""
        tasks = self._table.tasks
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    @contextmanager
    def stalling(self, kept: StalledCall, task: asyncio.Task[None] | None = None) -> Iterator[None]:
        """Note that a fault keeps a client waiting, for the length of the block.

        It does so until `task` is cancelled, by default the task that this is in.
        """
        waiting = self._table.waiting
        task = task or asyncio.current_task()
        assert task is not None
        waiting[task] = kept
        if self._table.releases_stalled:
            task.cancel()
        try:
            yield
        finally:
            del waiting[task]

    def take(self) -> Step:
        """The answer to the next call, used once."""
        sequence = self.sequence
        only = sequence.only
        if only is not None:
            # As for most routes. Threads that meet here may lose a count, which only reports show.
            sequence.replied += 1
            return only
        with self._table.lock:
            step = sequence.take()
            if sequence.exhausted:
                self._table.withdraw(self)
        return step

    def snapshot(self) -> RouteState:
        """What a scope restores of it."""
        return RouteState(self.sequence.snapshot(), self.gate, self.is_optional, self.is_early, self.name)

    def restore(self, state: RouteState) -> None:
        """Be again as it was, and open a gate that was not there."""
        if self.gate is not None and self.gate is not state.gate:
            self.gate.release()
        self.gate, self.is_optional, self.is_early, self.name = state[1:]
        with self._table.lock:
            was_exhausted = self.exhausted
            self.sequence.restore(state.sequence)
            if self.exhausted and not was_exhausted:
                self._table.withdraw(self)
            elif was_exhausted and not self.exhausted:
                self._table.reinstate(self)


class RouteState(NamedTuple):
    """What can be changed of a route that was added."""

    sequence: SequenceState
    gate: Gate | None
    is_optional: bool
    is_early: bool
    name: str | None


EARLY_FORWARD = "early() answers before the body has come, which forward() relays"


def never() -> bool:
    """False."""
    return False


@dataclass(frozen=True, slots=True)
class StalledCall:
    """A call whose client is kept waiting, and whether it waits no more, although nobody has noticed."""

    call: Call[Route]
    has_gone: Callable[[], bool] = never


class Hit(NamedTuple):
    """The route that answers a request; `via` is the mount through which it was found, if any.

    `reply` is the answer, where whoever found the route says so and not its sequence. With `yields`, it is
    given only if none of the mocks that are asked later has an answer.
    """

    route: Route
    via: Route | None = None
    reply: Reply | None = None
    yields: bool = False

    def take(self) -> Step:
        """The answer; of a sequence the next one, used once."""
        return self.route.take() if self.reply is None else Step(self.reply)
