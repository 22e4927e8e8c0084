"""Time and chance: a heap of what happens when, a seeded die, and tasks that can be killed between any two steps."""

import heapq
import itertools
import random
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

START: Final = datetime(2026, 11, 24, 12, tzinfo=UTC)

Steps = Generator["Wait | Call", Any, None]
"""What a process does: it yields where it waits, and where it speaks to somebody."""


@dataclass(frozen=True, kw_only=True)
class Wait:
    """Nothing for a moment: others get their turn, and this may be where the process dies."""

    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Call:
    """A question to somebody else, whose answer is what the step yields; None where it got lost."""

    ask: Callable[[], Any]
    patience: float
    """Seconds until the caller gives up."""


@dataclass(kw_only=True)
class Faults:
    """How likely things go wrong; all of it ends when the storm does."""

    lost: float = 0.0
    """A question that never arrives."""
    unheard: float = 0.0
    """An answer that never comes back."""
    crash: float = 0.0
    """A death of Kassa at a step."""


@dataclass(kw_only=True)
class Scheduler:
    """The only source of time and chance."""

    seed: int
    faults: Faults
    reborn: Callable[[], None] = lambda: None
    """What starts Kassa again."""
    now: datetime = START
    deaths: int = 0
    events: int = 0
    _heap: list[tuple[datetime, int, Callable[[], None]]] = field(default_factory=list)
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)
    _generation: int = 0
    """Tasks of an earlier one are dead."""

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)  # noqa: S311

    def chance(self, probability: float) -> bool:
        """Throw the dice."""
        return self.dice.random() < probability

    def after(self, seconds: float, then: Callable[[], None]) -> None:
        """Let something happen later, whoever is alive."""
        at = self.now + timedelta(seconds=seconds)
        heapq.heappush(self._heap, (at, next(self._numbers), then))

    def start(self, steps: Steps) -> None:
        """Let Kassa do something, step by step, until it is done or Kassa dies."""
        self._step(steps, self._generation, None)

    def die(self) -> None:
        """End every task of Kassa's at once; what is on the line arrives all the same."""
        self._generation += 1
        self.deaths += 1
        self.after(self.dice.uniform(1, 120), self.reborn)

    def run(self, until: datetime) -> None:
        """Let everything happen that is due before a moment, in its order."""
        while self._heap and self._heap[0][0] <= until:
            self.now, _, then = heapq.heappop(self._heap)
            self.events += 1
            then()
        self.now = max(self.now, until)

    def _step(self, steps: Steps, generation: int, sent: Any) -> None:
        if generation != self._generation:
            return
        if self.chance(self.faults.crash):
            self.die()
            return
        try:
            step = steps.send(sent)
        except StopIteration:
            return
        match step:
            case Wait(seconds=seconds):
                self.after(seconds, lambda: self._step(steps, generation, None))
            case Call():
                self._carry(step, steps, generation)

    def _carry(self, call: Call, steps: Steps, generation: int) -> None:
        there, back = self.dice.uniform(0, call.patience * 0.9), self.dice.uniform(0, call.patience * 0.3)
        answered = False

        def resume(answer: Any) -> None:
            nonlocal answered
            if not answered:
                answered = True
                self._step(steps, generation, answer)

        def arrive() -> None:
            answer = call.ask()
            if not self.chance(self.faults.unheard):
                self.after(back, lambda: resume(answer))

        if not self.chance(self.faults.lost):
            self.after(there, arrive)
        self.after(call.patience, lambda: resume(None))
