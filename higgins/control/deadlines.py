"""Ends what takes too long, with a reason."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from higgins.control.unassign import unassign
from higgins.model.action import Outcome
from higgins.model.capsule import Capsule, Desired, GivenUp, Provision
from higgins.service import retraction
from higgins.service.hints import Hints
from higgins.store import actions, capsules
from higgins.store.database import Connection, Database

log = logging.getLogger(__name__)

_AT_ONCE = 200
_ACCEPTANCE = 120.0
"""Seconds in which a host has to have heard that a change is taken back."""


class DeadlineWatch:
    """One visit ends what is overdue."""

    def __init__(self, database: Database, hints: Hints, clock: Callable[[], float]) -> None:
        self._database = database
        self._hints = hints
        self._clock = clock

    async def visit(self) -> float | None:
        """Returns when the next one is due."""
        now = self._clock()
        first = await self._database.read(capsules.next_deadline)
        if first is not None and first <= now:
            for before, after in await self._database.write(lambda db: _end(db, now)):
                self._hints.changed(before)
                self._hints.changed(after)
            return 0.0
        return max(0.05, first - now) if first is not None else None


def _end(db: Connection, now: float) -> Sequence[tuple[Capsule, Capsule]]:
    # Read where it is written: what has settled just now is late no more.
    return [(capsule, _give_up(db, capsule, now)) for capsule in capsules.overdue(db, now, _AT_ONCE)]


def _give_up(db: Connection, capsule: Capsule, now: float) -> Capsule:
    spec, assignment = capsule.spec, capsule.assignment
    if spec.desired is Desired.DELETED and spec.force and assignment.host_id is not None:
        # Taken off its host, whose sweep removes what is left there as soon as it can; the reaper then forgets it.
        log.warning("%s is forgotten without its host %s, as force asked", capsule.id, capsule.host)
        return unassign(db, capsule, None)
    reason = _reason(capsule)
    if retraction.reversible(capsule):
        log.warning("%s stays as it was: %s", capsule.id, reason)
        actions.close(db, capsule.id, upto=spec.generation, outcome=Outcome.ERROR, message=reason, now=now)
        return retraction.take_back(db, capsule, reason, deadline=now + _ACCEPTANCE, now=now)
    given_up = GivenUp(generation=spec.generation, reason=reason)
    log.warning("%s gave up waiting: %s", capsule.id, reason)
    actions.close(db, capsule.id, upto=spec.generation, outcome=Outcome.ERROR, message=reason, now=now)
    if assignment.host_id is not None and spec.desired is not Desired.DELETED and _never_stood(capsule):
        # The host is told to drop what there is, now or when it is heard again, and its room is free.
        return unassign(db, capsule, given_up)
    return capsules.write_assignment(db, capsule, replace(assignment, given_up=given_up), close=True)


def _never_stood(capsule: Capsule) -> bool:
    return not any(known.observed for known in capsule.status.containers.values())


def _reason(capsule: Capsule) -> str:
    """What the user can act on: what did not happen, and what is known of why."""
    spec = capsule.spec
    if retraction.reversible(capsule) and spec.former is not None:
        if spec.former.rebuilds < spec.rebuilds:
            doing = "Rebuilding"
        else:
            doing = "Changing the networks" if retraction.rewires(spec) else "Updating"
        return f"{doing} did not finish in time: {_why(capsule)}; try again."
    doing = {
        Desired.CREATED: "Creating",
        Desired.RUNNING: "Starting",
        Desired.STOPPED: "Stopping",
        Desired.PAUSED: "Pausing",
        Desired.DELETED: "Deleting",
    }[spec.desired]
    remedy = (
        "try again, or ask an operator to delete it by force"
        if spec.desired is Desired.DELETED
        else "try again, or delete it"
    )
    return f"{doing} did not finish in time: {_why(capsule)}; {remedy}."


def _why(capsule: Capsule) -> str:
    if capsule.assignment.host_id is None:
        return "no host took it"
    if capsule.assignment.provision is Provision.WANTED:
        return "its networks could not be had"
    if capsule.assignment.host_lost:
        return "its host is not connected"
    return (capsule.status.reason or capsule.status.activity or "its host has not answered").rstrip(".")
