"""How many live calls each project may have under way, so that none uses up what hosts can do for all."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from higgins import errors
from higgins.model.ids import ProjectId


class Turnstile:
    """Counts those of one control plane: where there are several, each has its own."""

    def __init__(self, most: int = 100) -> None:
        """`most`: for each project, at the same time."""
        self._most = most
        self._inside: Counter[ProjectId] = Counter()

    @contextmanager
    def through(self, project_id: ProjectId) -> Iterator[None]:
        """One more of the project, as long as the block runs. Raises Conflict (code `too-many-live-calls`) when it has as many as it may."""
        if self._inside[project_id] >= self._most:
            raise errors.Conflict(
                f"The project has {self._most} terminals, followed logs and events, commands and archives open, as many as it may have at once: close some.",
                code="too-many-live-calls",
            )
        self._inside[project_id] += 1
        try:
            yield
        finally:
            self._inside[project_id] -= 1
            if not self._inside[project_id]:
                del self._inside[project_id]
