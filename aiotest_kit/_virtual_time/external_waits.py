"""What an event loop waits for that happens outside of it, in real time: threads, processes, sockets.

Knows the selector loops of the standard library, and a few of their private names, each read in one function
below. Knows of aiohttp only which of its connections are idle.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from .._aiohttp.client import is_idle
from .._asyncio.loops import LISTENING, Ends, address_text, connections_of, ends_of, protocol_of

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator

__all__ = ["ExternalWaits"]


class ExternalWaits:
    """What a loop waits for outside of it, while what `patched_methods` gives is in its place."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop: Any = loop
        self._calls: dict[asyncio.Future[Any], object] = {}
        self._processes: list[asyncio.SubprocessTransport] = []

    def patched_methods(self) -> dict[str, Callable[..., Any]]:
        """Methods of the loop, by name, as they notice executor calls and subprocesses."""
        run_in_executor = self._loop.run_in_executor

        def run(executor: Any, func: Any, *args: Any) -> asyncio.Future[Any]:
            future: asyncio.Future[Any] = run_in_executor(executor, func, *args)
            self._calls[future] = func
            future.add_done_callback(self._ended)
            return future

        starting = ("subprocess_exec", "subprocess_shell")
        return {
            "run_in_executor": run,
            **{name: self._noticing(getattr(self._loop, name)) for name in starting},
        }

    def _ended(self, future: asyncio.Future[Any]) -> None:
        self._calls.pop(future, None)

    def _noticing(self, start: Callable[..., Any]) -> Callable[..., Any]:
        async def noticed(*args: Any, **options: Any) -> Any:
            transport, protocol = await start(*args, **options)
            self._processes.append(transport)
            return transport, protocol

        return noticed

    def what(self) -> tuple[list[str], float]:
        """What is waited for, each as a phrase; and the transit, if nothing is.

        That is how long, in seconds of real time, bytes may be on their way between two sockets of the loop.
        """
        if not self._calls and not self._processes and len(self._loop._selector.get_map()) == 1:
            # The wake-up pipe alone: all that there is in memory.
            return [], 0.0
        connections = connections_of(self._loop)
        inside = Counter(connections.values())
        self._processes = [process for process in self._processes if process.get_returncode() is None]
        waits_for = [
            *(f"{called(function)} in an executor" for function in self._calls.values()),
            *(f"process {process.get_pid()}" for process in self._processes),
            *self._sockets(connections, inside),
        ]
        return waits_for, 0.0 if waits_for else self._transit(connections, inside)

    def _transit(self, connections: dict[int, Ends], inside: Counter[Ends]) -> float:
        idle = {ends for fd, ends in connections.items() if is_idle(protocol_of(self._loop, fd))}
        in_use = (
            ends
            for ends in connections.values()
            if ends[1] != LISTENING and is_inside(ends, inside) and idle.isdisjoint((ends, ends[::-1]))
        )
        return LONGEST_TRANSIT if any(in_use) else 0.0

    def _sockets(self, connections: dict[int, Ends], inside: Counter[Ends]) -> Iterator[str]:
        """The descriptors whose other end is not in this loop, but for idle connections."""
        for fd in self._loop._selector.get_map():
            if fd == self._loop._ssock.fileno():
                continue
            ends = connections.get(fd) or ends_of(fd)
            if ends is None:
                yield f"descriptor {fd}"
            elif not (
                ends[1] == LISTENING or is_inside(ends, inside) or is_idle(protocol_of(self._loop, fd))
            ):
                yield f"the connection to {address_text(ends[1] or ends[0])}"


LONGEST_TRANSIT = 0.005
"""Bytes are there as soon as they were sent, unless the machine is so busy that the system puts it off."""


def is_inside(ends: Ends, counted: Counter[Ends]) -> bool:
    """Whether both ends of a connection are in the loop; the far end of a unix socket has no name."""
    here, there = ends
    return any(ends) and counted[here, there] == counted[there, here]


def called(function: object) -> str:
    """The name of a function that runs elsewhere."""
    while (inner := getattr(function, "func", None)) is not None:
        # `asyncio.to_thread` calls through two partials.
        arguments = getattr(function, "args", ())
        function = arguments[0] if getattr(inner, "__name__", "") == "run" and arguments else inner
    return str(getattr(function, "__qualname__", function))
