"""What a test leaves open: sessions, connectors, tasks, connections and listening sockets, and who made them.

`Makers` notes the line that makes a session, a task or a connection; `LeakCheck` compares what a loop has
before a test and after. aiohttp and asyncio are changed only while checks are on. Knows aiohttp's sessions
and asyncio's loops. Knows nothing of pytest.
"""

from __future__ import annotations

import asyncio
import inspect
import os
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any
from weakref import ReferenceType, WeakKeyDictionary, ref

import aiohappyeyeballs
import aiohttp

from .._aiohttp.client import is_idle
from .._aiohttp.stand_ins import View
from .._asyncio.loops import NOTHING, Held, address_text, ends_of, protocol_of
from .._asyncio.patching import replace_own
from .._location import PACKAGE, shown_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["LeakCheck", "Makers"]

NOT_USERS = (
    PACKAGE,
    *(
        os.path.dirname(file) + os.sep
        for file in (aiohttp.__file__, asyncio.__file__, aiohappyeyeballs.__file__)
    ),
)
RUNNERS = {"pytest_asyncio", "anyio", "backports", "_pytest"}
"""Packages that run a loop, and with it what nobody called just then, such as an answer to what came in."""
OF_CONNECTIONS = "RequestHandler."
"""So begin the names of tasks that belong to a connection of aiohttp's server, and with it to that server."""
OPENING = ("create_connection", "create_unix_connection", "create_server", "create_unix_server")
"""The methods of a loop that open a connection, or sockets that listen."""
LOST = {"Unclosed client session": "client_session", "Unclosed connector": "connector"}
"""What aiohttp says of what was dropped, and under which name it says what that is."""
SETTLING_TURNS = 3
"""Turns of the loop in which what was closed is gone."""


def place() -> str:
    """`file:line` of the user's code that is being run; nothing where it is only what runs the loop."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_code.co_filename.startswith(NOT_USERS):
        frame = frame.f_back
    if frame is None or frame.f_globals.get("__name__", "").partition(".")[0] in RUNNERS:
        return ""
    return f"{shown_path(frame.f_code.co_filename)}:{frame.f_lineno}"


@dataclass
class Made:
    """A session or connector: where it was made, and whether a test has to close it."""

    reference: ReferenceType[Any]
    place: str
    is_excused: bool = False

    def left(self) -> Any:
        """The session or connector, if it is open and should not be; else None."""
        thing = self.reference()
        is_view = isinstance(thing, View)
        return None if self.is_excused or thing is None or is_view or thing.closed else thing


class Makers:
    """Notes where things are made, from `open` to `close`, and what a loop is told of those that were lost.

    Of a test's loop from `begin` to `end`; of loops that a test makes, and of others' threads, nothing.
    """

    def __init__(self) -> None:
        # By identity, since the garbage collector clears weak references before it calls finalizers.
        self._made: dict[int, Made] = {}
        self._loop: Any = None
        self._kinds: set[type] = set()
        self._places: WeakKeyDictionary[Any, str] = WeakKeyDictionary()
        self._ports: dict[int, str] = {}
        self._tasks: set[int] = set()
        self._heard: list[tuple[str, str]] = []
        self._undo = ExitStack()

    def open(self) -> None:
        """Begin to note sessions and connectors."""
        for kind in (aiohttp.BaseConnector, aiohttp.ClientSession):
            replace_own(kind, {"__init__": self._noting_made(kind.__init__)}, self._undo)

    def close(self) -> None:
        """End, and forget."""
        self._undo.close()
        self._kinds.clear()
        self.begin(None)

    def begin(self, loop: Any) -> None:
        """Begin anew, for another test and its loop, if it has one."""
        self._made.clear()
        self._ports.clear()
        self._tasks.clear()
        if self._places:
            self._places = WeakKeyDictionary()
        self._heard = []
        self._loop = loop
        if loop is not None and type(loop) not in self._kinds:
            self._note_loops(type(loop))

    def end(self) -> None:
        """Note nothing more of the loop."""
        self._loop = None

    def _note_loops(self, kind: Any) -> None:
        """Note what is made on loops of a kind. For all of a run: a test's own loop is cheaper left alone."""
        self._kinds.add(kind)
        noting = {
            "create_task": self._noting_task(kind.create_task),
            "call_exception_handler": self._hearing(kind.call_exception_handler),
            **{name: self._noting_opened(getattr(kind, name)) for name in OPENING},
        }
        replace_own(kind, noting, self._undo)

    def _noting_made(self, init: Callable[..., None]) -> Callable[..., None]:
        @wraps(init)
        def noted(made: Any, *args: Any, **options: Any) -> None:
            self._made[id(made)] = Made(ref(made), place())
            init(made, *args, **options)

        return noted

    def _noting_task(self, create: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(create)
        def noted(loop: Any, *args: Any, **options: Any) -> Any:
            task = create(loop, *args, **options)
            if loop is self._loop:
                self._places[task] = place()
                self._tasks.add(id(task))
            return task

        return noted

    def _noting_opened(self, open_it: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(open_it)
        async def noted(loop: Any, *args: Any, **options: Any) -> Any:
            where = place()
            opened = await open_it(loop, *args, **options)
            if loop is not self._loop:
                pass
            elif isinstance(opened, tuple):
                self._places[opened[0]] = where
            else:
                self._ports.update((sock.fileno(), where) for sock in opened.sockets)
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
        if message in LOST:
            # It may be about to be collected.
            thing = context[LOST[message]]
            made = self._made.get(id(thing))
            if made is not None and not made.is_excused:
                self._heard.append((type(thing).__name__, made.place))
        elif "was never retrieved" in message or message.startswith("Task was destroyed"):
            future = context.get("task", context.get("future"))
            if isinstance(future, asyncio.Task) and id(future) not in self._tasks:
                # One of an earlier test, which has ended.
                return
            why = repr(context.get("exception", future))
            self._heard.append((f"{message.rstrip('!')}: {why}", self.place_of(future)))

    def all(self) -> list[Made]:
        """All sessions and connectors that were made since."""
        return list(self._made.values())

    def place_of(self, thing: Any) -> str:
        """Where a task or a connection was made; nothing if that was not seen."""
        return self._places.get(thing, "")

    def place_of_port(self, fd: int) -> str:
        """Where a socket that listens was made."""
        return self._ports.get(fd, "")

    def lost(self) -> list[tuple[str, str]]:
        """What the loop was told of, and where it was made; of a session's own connector nothing."""
        sessions = {where for what, where in self._heard if what == aiohttp.ClientSession.__name__}
        return [
            (what, where)
            for what, where in self._heard
            if where not in sessions or not what.endswith("Connector")
        ]

    def left_open(self) -> Iterator[tuple[str, str]]:
        """What is open and should not be, and where it was made; of a session's own connector nothing."""
        if not self._made:
            return
        left = [(thing, made) for made in self.all() if (thing := made.left()) is not None]
        owned = {thing.connector for thing, _ in left if isinstance(thing, aiohttp.ClientSession)}
        for thing, made in left:
            if thing not in owned:
                yield type(thing).__name__, made.place


@dataclass
class LeakCheck:
    """One test on its loop, or on none: `begin`, then the test and the ends of its fixtures, then `end`."""

    makers: Makers
    loop: Any = None
    _before: Held = NOTHING

    def begin(self, *, is_new: bool = False) -> None:
        """Take stock, unless the loop is new, and note from now on."""
        self.makers.begin(self.loop)
        if self.loop is not None and not is_new:
            self._before = Held.by(self.loop)

    @contextmanager
    def excusing(self) -> Iterator[None]:
        """What appears within the block belongs to a fixture that lives on."""
        made = self.makers.all()
        held = Held.by(self.loop) if self.loop is not None else NOTHING
        try:
            yield
        finally:
            for one in self.makers.all():
                one.is_excused = one.is_excused or one not in made
            if self.loop is not None:
                self._before = self._before.and_also(Held.by(self.loop).beyond(held))

    def end(self) -> list[str]:
        """What was left open, a line each."""
        try:
            found = self._found()
            if found and self.loop is not None and not self.loop.is_closed():
                self._settle(SETTLING_TURNS)
                self.loop.run_forever()
                found = self._found()
        finally:
            self.makers.end()
            # The failure's traceback has this, and whoever keeps the report keeps what the loop had.
            self._before = NOTHING
        return [f"{what}  made at {where}" if where else what for what, where in dict.fromkeys(found)]

    def _found(self) -> list[tuple[str, str]]:
        """What is open now, or was told of, and where it was made."""
        return [*self.makers.left_open(), *self.makers.lost(), *self._on_loop()]

    def _settle(self, turns: int) -> None:
        """Stop the loop after some turns."""
        if turns:
            self.loop.call_soon(self._settle, turns - 1)
        else:
            self.loop.stop()

    def _on_loop(self) -> Iterator[tuple[str, str]]:
        """The tasks, sockets and connections that are there and were not before."""
        if self.loop is None or self.loop.is_closed():
            return
        new = Held.by(self.loop).beyond(self._before)
        for task in new.tasks:
            coroutine: Any = task.get_coro()
            name = getattr(coroutine, "__qualname__", repr(coroutine))
            if not name.startswith(OF_CONNECTIONS):
                yield f"task {name}", self.makers.place_of(task)
        for fd in new.listening:
            ends = ends_of(fd)
            yield f"a socket that listens on {address_text(ends and ends[0])}", self.makers.place_of_port(fd)
        for transport in new.transports:
            if not self._is_due(transport):
                address = transport.get_extra_info("peername") or transport.get_extra_info("sockname")
                yield f"a connection to {address_text(address)}", self.makers.place_of(transport)

    def _is_due(self, transport: Any) -> bool:
        """Whether a connection may be open: pooled, at its end, or of a server, which answers for it."""
        server = getattr(transport, "_server", None)
        protocol = protocol_of(self.loop, transport.get_extra_info("socket").fileno())
        is_served = server is not None and server.is_serving()
        # An upstream answers for its own.
        is_ours = type(protocol).__module__.startswith("aiotest_kit.")
        return transport.is_closing() or is_served or is_ours or is_idle(protocol)
