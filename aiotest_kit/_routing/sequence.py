"""One step of a route's sequence: an answer, and how often it is still to be given.

Knows answers. Knows nothing of matching, or of the order of steps.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from .._http.reply import Reply
from .._responders.faults import Flaky

if TYPE_CHECKING:
    from .._asyncio.gate import Gate
    from .._responders.exchange import Answer

__all__ = ["NOT_SAID", "Step"]


class Step:
    """One answer in a route's sequence, and how often it is still to be given.

    `is_plain` says that the answer can be sent at once, whole. `left` is None for an answer given once if
    another follows it, else for ever.
    """

    __slots__ = ("answer", "attempts", "delay", "is_plain", "left")

    def __init__(self, answer: Reply | Answer, times: int | None, attempts: int | None, delay: float) -> None:
        self.answer: Reply | Answer = answer
        self.attempts: int | None = attempts
        self.delay: float = delay
        self.left: int | None = times
        self.is_plain: bool = isinstance(answer, Reply) and not delay and answer.is_plain

    def drawn(self) -> Step:
        """The step that one call meets, in all its attempts, where that is up to chance."""
        if not isinstance(self.answer, Flaky):
            return self
        return Step(self.answer.drawn(), None, self.attempts, self.delay)

    def come_to(self, answer: Answer) -> Step:
        """What further attempts of a call meet whose answer has come to this one."""
        return Step(answer, None, self.attempts, 0)

    async def wait(self, gate: Gate | None) -> None:
        """Wait at the gate of the route, if it has one, and then as the answer says."""
        if gate is not None:
            await gate.passed()
        if self.delay:
            await asyncio.sleep(self.delay)


NOT_SAID = Step(Reply(), None, None, 0)
