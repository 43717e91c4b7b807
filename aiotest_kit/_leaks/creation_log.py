"""Where sessions, responses, tasks and connections are made, and whether a test or a wider fixture made them.

`CreationLog` notes it, and what was dropped unclosed. aiohttp and asyncio are changed only while it is open.
Knows aiohttp's sessions and asyncio's loops. Knows nothing of pytest.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any
from weakref import ref

import aiohappyeyeballs
import aiohttp

from .._aiohttp.client import REQUEST_CODE, is_held
from .._aiohttp.connectors import has_pooled
from .._aiohttp.stand_ins import StandInConnector
from .._asyncio.loops import TRANSPORTS, is_dropped_open
from .._asyncio.patching import replace_own
from .._asyncio.tasks import context_of, outlives_test, running_task
from .._location import NOWHERE, PACKAGE, Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

__all__ = ["Created", "CreationLog", "Open"]

NOT_USERS = (
    PACKAGE,
    *(
        os.path.dirname(file) + os.sep
        for file in (aiohttp.__file__, asyncio.__file__, aiohappyeyeballs.__file__)
    ),
)
RUNNERS = {"pytest_asyncio", "anyio", "backports", "_pytest"}
"""Packages that run a loop, and with it what nobody called just then, such as an answer to what came in."""
OPENING = ("create_connection", "create_unix_connection", "create_server", "create_unix_server")
"""The methods of a loop that open a connection, or sockets that listen."""


@dataclass
class Created:
    """Where something was made, and whether it is that of a wider fixture, which closes it."""

    reference: Callable[[], Any]
    place: Place
    is_excused: bool


@dataclass(frozen=True)
class Open:
    """Something that a test left open: its name in a report, and where it was made."""

    name: str
    place: Place = NOWHERE

    def __str__(self) -> str:
        return f"{self.name}  made at {self.place}" if self.place.path else self.name


class CreationLog:
    """Notes what is made, from `open` to `close`, and what was dropped unclosed.

    Sessions, connectors and responses of any loop; tasks, connections and servers of a test's own, from
    `begin` to `end`.
    """

    def __init__(self) -> None:
        # All by identity: weak references are cleared before finalizers are called, by the garbage collector
        # always, and of an eager task from Python 3.13 on.
        self._made: dict[int, Created] = {}
        self._tasks: dict[int, Created] = {}
        self._opened: dict[int, Created] = {}
        self._lost: list[tuple[type, Open]] = []
        self._loop: Any = None
        self._kinds: set[type] = set()
        self._is_wide = False
        self._older_threads: set[int | None] = set()
        self._undo = ExitStack()

    def open(self) -> None:
        """Begin to note sessions, connectors and responses."""
        kinds: tuple[type, ...] = (aiohttp.BaseConnector, aiohttp.ClientSession, aiohttp.ClientResponse)
        for kind in kinds:
            noting = {"__init__": self._noting_made(kind), "__del__": self._noting_lost(kind)}
            replace_own(kind, noting, self._undo)
        for kind in TRANSPORTS:
            replace_own(kind, {"__del__": self._noting_lost(kind)}, self._undo)

    def close(self) -> None:
        """End, and forget."""
        self._undo.close()
        self._kinds.clear()
        self.begin(None)

    def begin(self, loop: Any) -> None:
        """Begin anew, for another test and its loop, if it has one."""
        for notes in (self._made, self._tasks, self._opened):
            notes.clear()
        self._lost = []
        self._loop = loop
        outlives_test.set(False)
        self._note_threads()
        if loop is not None and type(loop) not in self._kinds:
            self._note_loops(type(loop))

    def end(self) -> None:
        """Note nothing more of the loop."""
        self._loop = None

    @contextmanager
    def wide(self) -> Iterator[None]:
        """What is made within the block, and later by what was begun in it, is of a wider fixture."""
        before, self._is_wide = self._is_wide, True
        token = outlives_test.set(True)
        try:
            yield
        finally:
            outlives_test.reset(token)
            self._is_wide = before
            self._note_threads()

    def _note_threads(self) -> None:
        self._older_threads = {thread.ident for thread in threading.enumerate()}

    def _is_excused(self) -> bool:
        """Whether what is made now belongs to a fixture that outlives the test."""
        if is_of_runner(running_task()):
            # It is older than the test, and runs tests and fixtures in one context.
            outlives_test.set(self._is_wide)
        said = outlives_test.get()
        if said is not None:
            return said
        thread = threading.current_thread()
        is_older = self._is_wide or thread.ident in self._older_threads
        return is_older and thread is not threading.main_thread()

    def _note_loops(self, kind: Any) -> None:
        """Note what is made on loops of a kind. For all of a run: a test's own loop is cheaper left alone."""
        self._kinds.add(kind)
        noting = {
            "create_task": self._noting_task(kind.create_task),
            "call_exception_handler": self._hearing(kind.call_exception_handler),
            **{name: self._noting_opened(getattr(kind, name)) for name in OPENING},
        }
        replace_own(kind, noting, self._undo)

    def _noting_made(self, kind: Any) -> Callable[..., None]:
        init = kind.__init__

        @wraps(init)
        def noted(made: Any, *args: Any, **options: Any) -> None:
            is_call = kind is aiohttp.ClientResponse
            place = place_of_call() if is_call else place_now()
            if place is NOWHERE:
                place = self.place_of(running_task())
            self._made[id(made)] = Created(ref(made), place, self._is_excused())
            init(made, *args, **options)

        return noted

    def _noting_lost(self, kind: Any) -> Callable[..., None]:
        """A finalizer that notes what was open: where warnings are errors, aiohttp tells its loop nothing."""
        delete = kind.__del__

        @wraps(delete)
        def noted(thing: Any, *args: Any, **options: Any) -> None:
            made = self._made.pop(id(thing), None) or self._opened.pop(id(thing), None)
            if made is not None and not made.is_excused and was_open(thing):
                self._lost.append((type(thing), Open(name_of(thing), made.place)))
            delete(thing, *args, **options)

        return noted

    def _noting_task(self, create: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(create)
        def noted(loop: Any, *args: Any, **options: Any) -> Any:
            if loop is not self._loop:
                return create(loop, *args, **options)
            is_excused = self._is_excused()
            task = create(loop, *args, **options)
            self._tasks[id(task)] = Created(ref(task), place_now(), is_excused)
            return task

        return noted

    def _noting_opened(self, open_it: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(open_it)
        async def noted(loop: Any, *args: Any, **options: Any) -> Any:
            if loop is not self._loop:
                return await open_it(loop, *args, **options)
            place, is_excused = place_now(), self._is_excused()
            if place is NOWHERE:
                place = self.place_of(running_task())
            opened = await open_it(loop, *args, **options)
            thing = opened[0] if isinstance(opened, tuple) else opened
            self._opened[id(thing)] = Created(reference_to(thing), place, is_excused)
            return opened

        return noted

    def _hearing(self, tell: Callable[..., object]) -> Callable[..., None]:
        """A loop's `call_exception_handler` that keeps what tells of a leak."""

        @wraps(tell)
        def heard(loop: Any, context: dict[str, Any]) -> None:
            if loop is self._loop:
                self._hear(context)
            tell(loop, context)

        return heard

    def _hear(self, context: dict[str, Any]) -> None:
        message = str(context["message"])
        if "was never retrieved" not in message and not message.startswith("Task was destroyed"):
            return
        future = context.get("task", context.get("future"))
        if isinstance(future, asyncio.Task) and (id(future) not in self._tasks or self.excuses_task(future)):
            # One of an earlier test, which has ended, or of a wider fixture.
            return
        why = repr(context.get("exception", future))
        self._lost.append((type(future), Open(f"{message.rstrip('!')}: {why}", self.place_of(future))))

    def place_of(self, task: object) -> Place:
        """Where a task was made; nowhere if that was not seen."""
        made = self._tasks.get(id(task))
        # The reference is cleared in a finalizer.
        return made.place if made is not None and made.reference() in (task, None) else NOWHERE

    def excuses_task(self, task: asyncio.Task[Any]) -> bool:
        """Whether a task is of a wider fixture."""
        context = context_of(task)
        if context is not None:
            return context.get(outlives_test) is True
        made = self._tasks.get(id(task))
        return made is not None and made.is_excused

    def connections(self) -> Iterator[tuple[Any, Created]]:
        """The connections that were opened since and not closed."""
        return self._opened_as(lambda thing: not hasattr(thing, "sockets") and not thing.is_closing())

    def servers(self) -> Iterator[tuple[Any, Created]]:
        """The servers that were opened since; of a closed one there are no sockets."""
        return self._opened_as(lambda thing: hasattr(thing, "sockets"))

    def _opened_as(self, is_one: Callable[[Any], bool]) -> Iterator[tuple[Any, Created]]:
        for made in list(self._opened.values()):
            thing = made.reference()
            if thing is not None and is_one(thing):
                yield thing, made

    def protocols_of_responses(self) -> set[object]:
        """The protocols of the connections that responses hold, whoever made them."""
        responses = (made.reference() for made in list(self._made.values()))
        return {
            each.connection.protocol
            for each in responses
            if isinstance(each, aiohttp.ClientResponse) and each.connection is not None
        }

    def lost(self) -> list[Open]:
        """What was dropped unclosed; of a session's own connector nothing."""
        sessions = {each.place for kind, each in self._lost if issubclass(kind, aiohttp.ClientSession)}
        return [
            each
            for kind, each in self._lost
            if not issubclass(kind, aiohttp.BaseConnector) or each.place not in sessions
        ]

    def left_open(self) -> Iterator[Open]:
        """What is open and should not be; of a session's own connector nothing."""
        left = []
        for made in list(self._made.values()):
            thing = None if made.is_excused else made.reference()
            if thing is not None and is_open(thing):
                left.append((thing, made))
        owned = {thing.connector for thing, _ in left if isinstance(thing, aiohttp.ClientSession)}
        for thing, made in left:
            if thing not in owned:
                yield Open(name_of(thing), made.place)


def reference_to(thing: Any) -> Callable[[], Any]:
    """A weak reference; a strong one to the TLS transports of uvloop, which know no other."""
    try:
        return ref(thing)
    except TypeError:
        return lambda: thing


def is_open(thing: Any) -> bool:
    """Whether a session, connector or response is open and has to be closed by whoever made it."""
    if isinstance(thing, aiohttp.ClientResponse):
        return is_held(thing)
    return not isinstance(thing, StandInConnector) and not thing.closed


def was_open(thing: Any) -> bool:
    """Whether something that is dropped is open; a connector without connections has nothing to close."""
    if isinstance(thing, TRANSPORTS):
        return is_dropped_open(thing)
    return is_open(thing) and (not isinstance(thing, aiohttp.BaseConnector) or has_pooled(thing))


def name_of(thing: Any) -> str:
    """What a report calls a thing."""
    kind = type(thing).__name__
    if not isinstance(thing, aiohttp.ClientResponse):
        return kind
    call = f"{thing.method} {thing.url.with_query(None)}"
    return f"{call}: unclosed websocket" if thing.status == 101 else f"{call}: unreleased {kind}"


def is_of_runner(task: asyncio.Task[Any] | None) -> bool:
    """Whether a running task is that of a plugin which runs tests and fixtures."""
    coroutine: Any = task.get_coro() if task is not None else None
    frame = getattr(coroutine, "cr_frame", None)
    return frame is not None and package_of(frame) in RUNNERS


def package_of(frame: FrameType) -> str:
    """The package whose code is run."""
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


def place_now() -> Place:
    """The user's code that is being run; nowhere if it is only what runs the loop."""
    return place_from(sys._getframe(1))


def place_of_call() -> Place:
    """The user's code that made the call of a session which is being run: not a middleware of the session."""
    # Not this function's own: a frame that has itself as a variable would keep all callers' until collected.
    frame = sys._getframe(1)
    outer: FrameType | None = frame
    while outer is not None and outer.f_code is not REQUEST_CODE:
        outer = outer.f_back
    return place_from(outer or frame)


def place_from(frame: FrameType | None) -> Place:
    """The innermost of the user's code among a frame and its callers."""
    while frame is not None and frame.f_code.co_filename.startswith(NOT_USERS):
        frame = frame.f_back
    if frame is None or package_of(frame) in RUNNERS:
        return NOWHERE
    return Place(frame.f_code.co_filename, frame.f_lineno)
