"""What a host does for one generation of a capsule, step by step, as whoever asked for it can read it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from higgins import errors
from higgins.model.action import Outcome, Step

_MOST = 20


class Story:
    """The steps for one generation, until it has settled: what is repaired later is nobody's request."""

    def __init__(self, clock: Callable[[], float], generation: int, steps: Sequence[Step] = ()) -> None:
        self._clock = clock
        self.generation = generation
        self.steps = tuple(steps)
        self.over = False

    @contextmanager
    def telling(self, name: str) -> Iterator[None]:
        """One step, around its effect. The same that failed before is only tried again: it begins when it began first."""
        if self.over:
            yield
            return
        last = self.steps[-1] if self.steps else None
        failed = last if last is not None and last.name == name and last.outcome is Outcome.ERROR else None
        step = Step(name=name, started_at=failed.started_at if failed else self._clock())
        self.steps = (*(self.steps[:-1] if failed else self.steps), step)[-_MOST:]
        try:
            yield
        except errors.Failure as failure:
            # What is only said once more is no change.
            again = failed if failed and failed.message == failure.message else None
            self._end(step, again or self._ended(step, Outcome.ERROR, failure.message))
            raise
        self._end(step, self._ended(step, Outcome.SUCCESS, None))

    def _ended(self, step: Step, outcome: Outcome, message: str | None) -> Step:
        return replace(step, finished_at=self._clock(), outcome=outcome, message=message)

    def _end(self, step: Step, ended: Step) -> None:
        self.steps = tuple(ended if each is step else each for each in self.steps)
