"""Notices hosts that have fallen silent, and those that are back."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from higgins import errors
from higgins.aio.jumps import Jumps
from higgins.model.capsule import Capsule
from higgins.model.host import Host
from higgins.service.hints import Hints
from higgins.store import capsules, hosts
from higgins.store.database import Connection, Database

log = logging.getLogger(__name__)

_AT_ONCE = 500


class HostWatch:
    """One visit takes silent hosts for down and marks what is on them."""

    def __init__(self, database: Database, hints: Hints, lease: float, clock: Callable[[], float]) -> None:
        """A host is down when it has not been heard of for `lease` seconds."""
        self._database = database
        self._hints = hints
        self._lease = lease
        self._clock = clock
        self._jumps = Jumps(clock)
        # While the control plane was away nobody could be heard: hosts get a whole lease from now on to call.
        self._began = clock()

    async def visit(self) -> float | None:
        now = self._clock()
        if self._jumps.since():
            # When they called last was told by another clock, so to speak.
            self._began = now
        if now >= self._began + self._lease:
            for host in await self._database.write(lambda db: self._lose(db, now - self._lease)):
                log.warning("host %s is down: nothing heard for %d s", host.name, self._lease)
        marked = await self._database.write(_mark)
        for capsule in marked:
            self._hints.changed(capsule)
        return 0.0 if len(marked) == _AT_ONCE else None

    def _lose(self, db: Connection, since: float) -> Sequence[Host]:
        return [host for host in hosts.silent(db, since) if hosts.write_down(db, host)]


def _mark(db: Connection) -> Sequence[Capsule]:
    marked = []
    for capsule in capsules.misjudged(db, _AT_ONCE):
        assignment = replace(capsule.assignment, host_lost=not capsule.assignment.host_lost)
        try:
            marked.append(capsules.write_assignment(db, capsule, assignment))
        except errors.Conflict:
            continue  # Moved meanwhile: the next visit sees where to.
    return marked
