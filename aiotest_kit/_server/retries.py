"""The attempts of one call.

aiohttp sends an idempotent request a second time, without a word, when its connection drops before a reply
(RFC 9110, 9.2.2). Both are one call of the code under test. What is kept here lets the second meet what the
first met. What a middleware of the client sends again is a call of its own. Knows nothing of connections.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from .._responders.exchange import HeadResponder

if TYPE_CHECKING:
    from .._http.call import Call
    from .._http.request import Request
    from .._routing.route import Route
    from .._routing.sequence import Step

__all__ = ["Attempt", "Retries", "Token"]

Token: TypeAlias = "tuple[object, int]"
"""What aiohttp has for a call, the same in all attempts, and the identity of its request, new for each.

A middleware sends the same request again. A new one is made while the one before is there, so that the two
are never taken for each other.
"""

MOST_KEPT = 4096


@dataclass(frozen=True)
class Attempt:
    """An attempt that came to nothing: the call, and what its route answered.

    Or one that is still to come (`is_pending`), whose answer was settled where the client connected.
    """

    call: Call[Route]
    route: Route
    step: Step
    is_pending: bool = False

    @property
    def answers_early(self) -> bool:
        """Whether the next attempt is answered before the body of its request has come."""
        return self.route.is_early or isinstance(self.step.answer, HeadResponder)

    def next_step(self) -> Step:
        """What the next attempt meets: the same, unless that was meant for fewer attempts."""
        if self.is_pending:
            return self.step
        self.call.attempts += 1
        if self.step.attempts is None or self.call.attempts <= self.step.attempts:
            return self.step
        return self.route.take()


class Retries:
    """The last attempts that came to nothing, by the calls of aiohttp's that they belong to."""

    def __init__(self) -> None:
        self.kept: dict[int, tuple[Token, Attempt]] = {}

    def dropped(self, token: Token, attempt: Attempt) -> None:
        """Note an attempt, or one that is due.

        The token is kept, so that no other call has its identity meanwhile.
        """
        if len(self.kept) >= MOST_KEPT:
            del self.kept[next(iter(self.kept))]
        self.kept[id(token[0])] = token, attempt

    def forget(self, token: Token) -> None:
        """The attempt will not be made."""
        self.kept.pop(id(token[0]), None)

    def resume(self, token: Token, request: Request) -> Attempt | None:
        """The attempt that `request` repeats, or that was due for it, if either; it is kept no longer."""
        attempt = self.pending(token, request)
        self.forget(token)
        if attempt is not None and attempt.call.request.is_cut:
            # The second attempt is answered as the first was, whose body the record has cut.
            request.capture(attempt.call.request.match_info)
            attempt.call.request = request
        return attempt

    def pending(self, token: Token, request: Request) -> Attempt | None:
        """The attempt that `request` repeats, or that was due for it, if either."""
        found = self.kept.get(id(token[0]))
        if found is None:
            return None
        (_, identity), attempt = found
        before = attempt.call.request
        is_next = attempt.is_pending == (identity == token[1])
        same = before.method == request.method and before.url == request.url
        return attempt if is_next and same else None
