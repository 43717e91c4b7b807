"""The answers of a route in their order: `Step` is one answer, `ReplySequence` says which comes next.

Knows answers and how often each is given. Knows nothing of matching, of the table, or of connections.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from .._http.reply import Reply, checked_delay
from .._messages.exceptions import UsageError
from .._responders.faults import Flaky

if TYPE_CHECKING:
    from .._asyncio.gate import Gate
    from .._http.reply import ReplyOptions
    from .._responders.exchange import Answer

__all__ = ["DEFAULT_STEP", "ReplySequence", "SequenceState", "Step", "check_count", "delay_of"]


class Step:
    """One answer of a sequence.

    `times` is how often it is given: None is once if another answer follows, else for ever. `is_plain` says
    that it can be sent at once, whole.
    """

    __slots__ = ("answer", "attempts", "delay", "is_plain", "times")

    def __init__(
        self,
        answer: Reply | Answer,
        times: int | None = None,
        attempts: int | None = None,
        delay: float = 0,
    ) -> None:
        self.answer: Reply | Answer = answer
        self.times: int | None = times
        self.attempts: int | None = attempts
        self.delay: float = delay
        self.is_plain: bool = isinstance(answer, Reply) and not delay and answer.is_plain

    def resolved(self) -> Step:
        """The step that one call meets, in all its attempts, where that is up to chance."""
        if not isinstance(self.answer, Flaky):
            return self
        return Step(self.answer.drawn(), attempts=self.attempts, delay=self.delay)

    def settled_on(self, answer: Answer) -> Step:
        """The step that further attempts of a call meet, once a handler has decided on `answer`."""
        return Step(answer, attempts=self.attempts)

    async def wait(self, gate: Gate | None) -> None:
        """Wait at the gate of the route, if it has one, and then as the answer says."""
        if gate is not None:
            await gate.passed()
        if self.delay:
            await asyncio.sleep(self.delay)


DEFAULT_STEP = Step(Reply())
"""What a route answers to which nothing was added."""


def delay_of(options: ReplyOptions) -> float:
    """The delay before an answer, in seconds; it is taken out of the options."""
    delay = options.pop("delay", None)
    return 0.0 if delay is None else checked_delay(delay)


def check_count(name: str, count: object) -> None:
    """Refuse what is not a number of times."""
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise UsageError(f"{name}= is a whole number, 1 or more; got {count!r}")


class SequenceState(NamedTuple):
    """Where a sequence stands."""

    steps: tuple[Step, ...]
    position: int
    given: int
    replied: int


class ReplySequence:
    """The answers of a route, and which comes next.

    Each is given once, or `times` times; the last one for ever, unless it has `times`. An answer appended
    after the last one was given is the next one. Whoever takes or appends holds the table's lock, but for
    `only`.
    """

    # What every sequence begins with; a test makes several.
    default_step: Step = DEFAULT_STEP
    """What is answered while there are no steps."""
    only: Step | None = None
    """The step that is always given, where it is the only one; it need not be taken, only counted."""
    replied: int = 0
    """How often a step was given."""
    exhausted: bool = False
    """Whether each step was given as often as it may be."""
    _position = 0
    _given = 0
    """How often the step at the position was given."""

    def __init__(self) -> None:
        self._steps: list[Step] = []

    def append(self, step: Step) -> None:
        """Add a step behind the others."""
        if self.only is not None and self.replied:
            self._position = 1
        self._steps.append(step)
        self._note_change()

    def take(self) -> Step:
        """The next step, used once."""
        steps = self._steps
        if not steps:
            return self.default_step
        self.replied += 1
        if self._position == len(steps):
            # It is for ever. Or two loops found the route at once, and the one too late is answered, too.
            return steps[-1]
        step = steps[self._position]
        self._given += 1
        if self._given >= (step.times or 1):
            self._position += 1
            self._given = 0
            self._note_change()
        return step

    @property
    def current(self) -> Step:
        """The step that the next call is given, or would be."""
        if not self._steps or self.exhausted:
            return self.default_step
        return self._steps[min(self._position, len(self._steps) - 1)]

    @property
    def capacity(self) -> int | None:
        """How many calls can be answered in all; None is no limit."""
        if not self._steps or self._steps[-1].times is None:
            return None
        return self.replied - self._given + sum(step.times or 1 for step in self._steps[self._position :])

    def snapshot(self) -> SequenceState:
        """Where it stands now."""
        return SequenceState(tuple(self._steps), self._position, self._given, self.replied)

    def restore(self, state: SequenceState) -> None:
        """Stand again where it stood."""
        steps, self._position, self._given, self.replied = state
        self._steps[:] = steps
        self._note_change()

    def _note_change(self) -> None:
        steps = self._steps
        lasts = not steps or steps[-1].times is None
        self.exhausted = not lasts and self._position == len(steps)
        self.only = steps[0] if len(steps) == 1 and lasts else None
