"""Forgets what is kept only for a while: old events, old answers to requests that can be repeated."""

from collections.abc import Callable
from dataclasses import dataclass

from higgins.store import events, repeats
from higgins.store.database import Connection, Database

_AT_ONCE = 5_000
"""Rows that one transaction removes: others wait for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """How long what is kept. Times are seconds."""

    events: float = 7 * 86_400.0
    most_events: int = 1_000_000
    repeats: float = 86_400.0
    most_repeats: int = 10_000
    """Of each project: whoever asks as fast as possible must not fill the disk."""


class Pruner:
    """One visit forgets what is too old."""

    def __init__(self, database: Database, keeping: Keeping, clock: Callable[[], float]) -> None:
        self._database = database
        self._keeping = keeping
        self._clock = clock

    async def visit(self) -> float | None:
        now, keeping = self._clock(), self._keeping

        def work(db: Connection) -> int:
            told = events.prune(db, since=now - keeping.events, most=keeping.most_events, at_once=_AT_ONCE)
            answered = repeats.prune(db, before=now - keeping.repeats, most=keeping.most_repeats, at_once=_AT_ONCE)
            return max(told, answered)

        return 0.0 if await self._database.write(work) == _AT_ONCE else None
