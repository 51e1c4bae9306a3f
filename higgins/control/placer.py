"""Gives every capsule that waits for one a host, or the reason why there is none."""

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from higgins import errors
from higgins.logic import openings, placement
from higgins.logic.placement import Ratios, Refused
from higgins.model.action import Outcome, Step
from higgins.model.capsule import Assignment, Capsule, GivenUp, Provision
from higgins.model.host import Host
from higgins.model.ids import HostId
from higgins.model.network import HostPort
from higgins.service.hints import Hints
from higgins.store import actions, capsules, host_ports, hosts, volumes
from higgins.store.database import Connection, Database

log = logging.getLogger(__name__)

_AT_ONCE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Custom:
    """How the operator wants it."""

    ratios: Ratios = field(default_factory=Ratios)
    patience: float = 30.0
    """Seconds to wait for a host to connect, where all that would do are away: they may be starting just now."""


class Placer:
    """One visit places what waits."""

    def __init__(self, database: Database, hints: Hints, custom: Custom, clock: Callable[[], float]) -> None:
        self._database = database
        self._hints = hints
        self._custom = custom
        self._clock = clock

    async def visit(self) -> float | None:
        """Returns when to look again, if something has to wait for a host to connect."""
        # Not asked first whether anybody waits: a write that finds nothing flushes nothing, and whoever does wait has to wait for the asking too.
        patient, more = 0, True
        while more:
            skip = patient
            placed, kept, more = await self._database.write(lambda db: self._place(db, skip))  # noqa: B023 - awaited here
            for capsule in placed:
                self._hints.changed(capsule)
            # Those who go on waiting are the oldest of the next page, and must not keep the others from being looked at.
            patient += kept
        return 1.0 if patient else None

    def _place(self, db: Connection, skip: int) -> tuple[list[Capsule], int, bool]:
        """One page: what was decided, how many go on waiting, and whether there is another page."""
        now = self._clock()
        waiting = capsules.unplaced(db, _AT_ONCE, skip=skip)
        asks_for_ports = any(capsule.spec.published for capsule in waiting)
        by_id = {host.id: host for host in hosts.every(db, ports=asks_for_ports)}
        done: list[Capsule] = []
        for capsule in waiting:
            homes = volumes.homes(db, capsule.spec.volumes())
            there = tuple(by_id.values())
            match placement.choose(there, capsule.spec, self._custom.ratios, draw=random.random(), homes=homes):
                case Refused(temporary=True) if (
                    now < (capsule.updated_at or capsule.created_at) + self._custom.patience
                ):
                    continue
                case Refused() as refused:
                    done += self._refuse(db, capsule, refused.sentence(), now)
                case chosen:
                    placed = self._claim(db, capsule, by_id[chosen], now)
                    if placed is not None:
                        done.append(placed)
                        by_id[chosen] = _with(by_id[chosen], placed.assignment)
        return done, len(waiting) - len(done), len(waiting) == _AT_ONCE

    def _claim(self, db: Connection, capsule: Capsule, host: Host, now: float) -> Capsule | None:
        """None if somebody was quicker: with the host's last room, with one of its ports, or with the capsule."""
        claim = capsule.spec.claim()
        published = openings.assigned(capsule.spec.published, host.busy, self._custom.ratios.ports)
        if published is None or not hosts.book(db, host.id, claim, placement.room(host, self._custom.ratios)):
            return None
        bound = volumes.bind(db, capsule.spec.volumes(), host.id)
        if bound is None:
            hosts.release(db, host.id, claim)
            return None
        wanted = capsule.spec.networks or capsule.spec.attachments or [*capsule.spec.volumes()]
        needs = Provision.WANTED if wanted else Provision.NONE
        epoch = capsule.assignment.epoch + 1
        assignment = Assignment(host_id=HostId(host.id), epoch=epoch, claim=claim, provision=needs, published=published)
        if not host_ports.claim(db, host.id, capsule.id, published):
            volumes.unbind(db, bound)
            hosts.release(db, host.id, claim)
            return None
        try:
            placed = capsules.write_assignment(db, capsule, assignment)
        except errors.Conflict:
            volumes.unbind(db, bound)
            host_ports.give_back(db, host.id, published)
            hosts.release(db, host.id, claim)
            return None
        actions.tell(db, capsule.id, capsule.spec.generation, [_scheduled(capsule, now, None)])
        log.info("%s placed on %s, epoch %d", capsule.id, host.name, assignment.epoch)
        return placed

    def _refuse(self, db: Connection, capsule: Capsule, sentence: str, now: float) -> list[Capsule]:
        given_up = GivenUp(generation=capsule.spec.generation, reason=sentence)
        try:
            refused = capsules.write_assignment(db, capsule, replace(capsule.assignment, given_up=given_up), close=True)
        except errors.Conflict:
            return []
        actions.tell(db, capsule.id, capsule.spec.generation, [_scheduled(capsule, now, sentence)])
        actions.close(db, capsule.id, upto=capsule.spec.generation, outcome=Outcome.ERROR, message=sentence, now=now)
        log.info("%s not placed: %s", capsule.id, sentence)
        return [refused]


def _with(host: Host, assignment: Assignment) -> Host:
    """The host once it has that too."""
    return replace(
        host,
        allocated=host.allocated + assignment.claim,
        published=host.published | {HostPort(one.protocol, one.host_port) for one in assignment.published},
    )


def _scheduled(capsule: Capsule, now: float, refusal: str | None) -> Step:
    """Which host it is, is for operators only; they read it at the container."""
    return Step(
        name="schedule",
        started_at=capsule.updated_at or capsule.created_at,
        finished_at=now,
        outcome=Outcome.SUCCESS if refusal is None else Outcome.ERROR,
        message=refusal,
    )
