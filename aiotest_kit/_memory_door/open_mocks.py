"""Which mocks are open, and in which order they are asked.

The newest is asked first, so that a test's mock overrides a wider one, also for workers, pooled connections
and apps that are older than the test. Mocks of concurrent tasks are siblings: each task asks its own first,
and those of its siblings last. Knows contexts and tasks. Knows nothing of connections.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, TypeAlias

from .._asyncio.tasks import running_task

if TYPE_CHECKING:
    from .mock import Mock

__all__ = ["all_open", "mocks_here", "pop", "push"]

Mocks: TypeAlias = "tuple[Mock, ...]"

_all: Mocks = ()
_here: ContextVar[Mocks] = ContextVar("aiotest_kit_mocks", default=())


def all_open() -> Mocks:
    """The open mocks of all contexts, the newest first."""
    return _all


def push(mock: Mock) -> None:
    """Open a mock in this context. Whoever calls `push` and `pop` takes turns."""
    global _all
    mock.is_open = True
    mock.opened_in = still_open(_here.get())
    mock.opened_by = running_task()
    _all = (mock, *_all)
    _here.set((mock, *mock.opened_in))


def pop(mock: Mock) -> None:
    """Close a mock, in whatever order, from whatever context."""
    global _all
    mock.is_open = False
    _all = still_open(_all)
    _here.set(still_open(_here.get()) if _all else ())


def mocks_here() -> Mocks:
    """The open mocks that this context asks, in their order."""
    if len(_all) == 1 and not _all[0].isolated:
        return _all
    own = still_open(_here.get())
    if own == _all:
        return own
    is_isolated = any(mock.isolated for mock in own)
    first: list[Mock] = []
    siblings: list[Mock] = []
    for mock in _all:
        if mock in own:
            first.append(mock)
        elif not mock.isolated:
            (siblings if is_of_a_sibling(mock, own) else first).append(mock)
    return (*first, *([] if is_isolated else siblings))


def is_of_a_sibling(mock: Mock, own: Mocks) -> bool:
    """Whether a concurrent task opened a mock for itself, not inside what this context has open."""
    task = mock.opened_by
    if task is None or task.done():
        return False
    outer = still_open(mock.opened_in)
    return outer[max(0, len(outer) - len(own)) :] != own


def still_open(mocks: Mocks) -> Mocks:
    """Those of some mocks that are open."""
    return tuple([mock for mock in mocks if mock.is_open]) if mocks else mocks
