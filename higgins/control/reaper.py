"""Forgets what was asked to be deleted and is gone."""

import logging
from collections.abc import Sequence

from higgins.model.capsule import Capsule
from higgins.service import forgetting
from higgins.service.hints import Hints
from higgins.store import capsules
from higgins.store.database import Connection, Database

log = logging.getLogger(__name__)

_AT_ONCE = 200


class Reaper:
    """One visit forgets what no host holds any more: what was never told to one, or lies on one that is down. What a host has removed is
    forgotten where it says so; only what was allotted besides may keep that waiting for a while.

    What is assigned to a host that is down goes as well: when that host returns, the capsule is in no assignment of its, and it removes the remains.
    """

    def __init__(self, database: Database, hints: Hints) -> None:
        self._database = database
        self._hints = hints

    async def visit(self) -> float | None:
        # Not asked first whether there is anything: a write that finds nothing flushes nothing.
        gone = await self._database.write(_reap)
        for capsule in gone:
            log.info("%s is gone", capsule.id)
            # Its host need not keep it in mind any longer.
            self._hints.changed(capsule)
        return 0.0 if len(gone) == _AT_ONCE else None


def _reap(db: Connection) -> Sequence[Capsule]:
    leaving = capsules.leaving(db, _AT_ONCE)
    for capsule in leaving:
        forgetting.forget(db, capsule)
    return leaving
