"""Allots what a host cannot give by itself before the host is told, and gives it back when nobody needs it any more."""

import asyncio
import logging
import uuid
from collections.abc import Callable
from dataclasses import replace

from higgins import errors
from higgins.control.unassign import unassign
from higgins.model.action import Outcome
from higgins.model.capsule import Assignment, Capsule, Desired, GivenUp, Provision
from higgins.protocols.network import NetworkProvider
from higgins.protocols.volume import VolumeProvider
from higgins.service.hints import Hints
from higgins.store import actions, capsules
from higgins.store.database import Connection, Database

log = logging.getLogger(__name__)

_AT_ONCE = 20
_LEASE = 60.0
"""Seconds that one piece of work may take; then another replica may try."""


class Provisioner:
    """One visit takes a page of capsules that need something allotted or given back.

    The provider is asked outside of any transaction, under a lease: whoever dies in between leaves a row that is leased again, and the provider
    answers the second asking as it did the first.
    """

    def __init__(
        self,
        database: Database,
        hints: Hints,
        networks: NetworkProvider | None,
        volumes: VolumeProvider,
        retry: float,
        clock: Callable[[], float],
    ) -> None:
        """After a failure the provider is asked again in `retry` seconds. Without `networks` nobody can ask for any."""
        self._database = database
        self._hints = hints
        self._networks = networks
        self._volumes = volumes
        self._retry = retry
        self._clock = clock
        self._owner = str(uuid.uuid4())

    async def visit(self) -> float | None:
        now = self._clock()
        leased = await self._database.write(
            lambda db: capsules.lease_unprovisioned(db, owner=self._owner, now=now, until=now + _LEASE, most=_AT_ONCE)
        )
        async with asyncio.TaskGroup() as group:
            for capsule in leased:
                group.create_task(self._provide(capsule))
        return 0.0 if len(leased) == _AT_ONCE else self._retry if leased else None

    async def _provide(self, capsule: Capsule) -> None:
        try:
            async with asyncio.timeout(_LEASE / 2):
                after = await self._asked(capsule)
            written = await self._database.write(lambda db: self._write(db, capsule, after))
        except errors.Conflict:
            return  # Somebody else has it, or it has moved on: the next visit sees which.
        except (errors.Failure, TimeoutError) as failure:
            log.warning("%s cannot be provided for yet: %s", capsule.id, failure)
            again = self._clock() + self._retry
            await self._database.write(lambda db: capsules.postpone(db, capsule.id, owner=self._owner, until=again))
            return
        self._hints.changed(written)

    async def _asked(self, capsule: Capsule) -> Assignment | GivenUp:
        """The assignment as it is once the provider has done its part, or why it never will."""
        assignment = capsule.assignment
        if assignment.host_id is None or capsule.spec.desired is Desired.DELETED:
            if self._networks is not None:
                await self._networks.release(capsule.id)
            await self._volumes.release(capsule.id)
            return replace(assignment, provision=Provision.RELEASED, ports=(), volumes=())
        try:
            ports = await self._networks.allot(capsule) if self._networks is not None else ()
            attached = await self._volumes.attach(capsule)
        except errors.Failure as failure:
            if not failure.permanent:
                raise
            return GivenUp(generation=capsule.spec.generation, reason=failure.message)
        return replace(assignment, provision=Provision.HELD, ports=ports, volumes=attached)

    def _write(self, db: Connection, capsule: Capsule, after: Assignment | GivenUp) -> Capsule:
        if isinstance(after, Assignment):
            return capsules.write_assignment(db, capsule, after, lease=self._owner)
        actions.close(
            db,
            capsule.id,
            upto=after.generation,
            outcome=Outcome.ERROR,
            message=after.reason,
            now=self._clock(),
        )
        # Without a host it is over, and what was allotted of it so far is given back on the next visit.
        return unassign(db, capsule, after, lease=self._owner)
