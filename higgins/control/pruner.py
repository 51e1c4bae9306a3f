"""Forgets what is kept only for a while: old events."""

from collections.abc import Callable
from dataclasses import dataclass

from higgins.store import events
from higgins.store.database import Connection, Database

_AT_ONCE = 5_000
"""Rows that one transaction removes: others wait for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """How long what is kept. Times are seconds."""

    events: float = 7 * 86_400.0
    most_events: int = 1_000_000


class Pruner:
    """One visit forgets what is too old."""

    def __init__(self, database: Database, keeping: Keeping, clock: Callable[[], float]) -> None:
        self._database = database
        self._keeping = keeping
        self._clock = clock

    async def visit(self) -> float | None:
        now = self._clock()
        removed = await self._database.write(lambda db: self._prune(db, now))
        return 0.0 if removed >= _AT_ONCE else None

    def _prune(self, db: Connection, now: float) -> int:
        keeping = self._keeping
        return events.prune(db, since=now - keeping.events, most=keeping.most_events, at_once=_AT_ONCE)
