"""`Gate`: answers that wait until the test lets them go. Knows asyncio only."""

from __future__ import annotations

from .._messages.exceptions import UsageError
from .waiters import Waiters

__all__ = ["Gate"]


class Gate:
    """What `Route.hold` returns: a gate in front of the route's answers.

    Closed until `release`; after that it is open for good.
    """

    def __init__(self, owner: object) -> None:
        self._owner = owner
        self._arrived = 0
        self._let_through = 0
        self._open = False
        self._passing = Waiters()
        self._watching = Waiters()
        self._held: set[int] = set()

    def __repr__(self) -> str:
        state = "open" if self._open else f"holding {self.held}"
        return f"<Gate of {self._owner!r}, {state}>"

    @property
    def held(self) -> int:
        """How many requests wait now."""
        return len(self._held)

    async def waiting(self, n: int = 1, timeout: float = 1.0) -> None:
        """Return when `n` requests wait at the gate.

        `timeout` is in seconds of the running loop's clock.

        Raises:
            AssertionError: fewer came in time.
        """
        if not await self._watching.until(lambda: len(self._held) >= n, timeout):
            raise AssertionError(f"{self.held} of {n} requests waited at {self!r} after {timeout} s")

    def release(self, n: int | None = None) -> None:
        """Let the next `n` requests go on, those that have waited longest first; by default all, for good."""
        if n is None:
            self._open = True
        elif not is_count(n):
            raise UsageError(f"release(n) lets at least one go; got {n!r}")
        else:
            self._let_through += n
        self._passing.notify()

    async def passed(self) -> None:
        """Return when the gate lets this request through."""
        self._arrived += 1
        ticket = self._arrived
        self._held.add(ticket)
        self._watching.notify()
        try:
            await self._passing.until(lambda: self._open or self._is_next(ticket))
            if not self._open:
                self._let_through -= 1
        finally:
            self._held.discard(ticket)
            if self._let_through and not self._open:
                # One that gave up while it was let go leaves its turn to the next.
                self._passing.notify()

    def _is_next(self, ticket: int) -> bool:
        # A copy: another thread's request may arrive meanwhile.
        ahead = sum(1 for other in list(self._held) if other < ticket)
        return ahead < self._let_through


def is_count(n: object) -> bool:
    """Whether it is a number of requests."""
    return isinstance(n, int) and n > 0
