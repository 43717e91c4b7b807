"""The attempts of one call.

aiohttp sends an idempotent request a second time, without a word, when its connection drops before a reply
(RFC 9110, 9.2.2). Both are one call of the code under test. What is kept here lets the second meet what the
first met. Knows nothing of connections.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._messages import Call, Request
    from ._routes import Route
    from ._steps import Step

__all__ = ["Attempt", "Attempts"]

MOST_KEPT = 256


@dataclass(frozen=True)
class Attempt:
    """An attempt that came to nothing: the call, and what its route answered.

    Or one that is still to come (`is_due`), whose answer was settled where the client connected.
    """

    call: Call[Route]
    route: Route
    step: Step
    is_due: bool = False

    def next_step(self) -> Step:
        """What the next attempt meets: the same, unless that was meant for fewer attempts."""
        if self.is_due:
            return self.step
        self.call.attempts += 1
        if self.step.attempts is None or self.call.attempts <= self.step.attempts:
            return self.step
        return self.route.take()


class Attempts:
    """The last attempts that came to nothing, by a token for the call that they belong to."""

    def __init__(self) -> None:
        self.kept: dict[int, tuple[object, Attempt]] = {}

    def dropped(self, token: object, attempt: Attempt) -> None:
        """Note an attempt, or one that is due.

        The token is kept, so that no other object has its identity meanwhile.
        """
        if len(self.kept) >= MOST_KEPT:
            del self.kept[next(iter(self.kept))]
        self.kept[id(token)] = token, attempt

    def resume(self, token: object, request: Request) -> Attempt | None:
        """The attempt that `request` repeats, if it does."""
        _, attempt = self.kept.pop(id(token), (None, None))
        if attempt is None:
            return None
        before = attempt.call.request
        same = before.method == request.method and before.url == request.url
        return attempt if same else None
