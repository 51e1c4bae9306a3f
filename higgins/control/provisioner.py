"""Allots what a host cannot give by itself before the host is told, allots anew what has changed, and gives it back when nobody needs it any more."""

import asyncio
import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace

from higgins import errors
from higgins.control.unassign import unassign
from higgins.model.action import Outcome
from higgins.model.capsule import Capsule, Desired, GivenUp, Provision
from higgins.model.network import Port
from higgins.model.volume import Attachment
from higgins.protocols.network import NetworkProvider
from higgins.protocols.volume import VolumeProvider
from higgins.service import retraction
from higgins.service.hints import Hints
from higgins.store import actions, capsules
from higgins.store.database import Connection, Database

log = logging.getLogger(__name__)

_AT_ONCE = 20
_ACCEPTANCE = 120.0
"""Seconds in which a host has to have heard that a change is taken back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provided:
    """What a provider has done for a capsule: the part of the assignment that is its answer."""

    provision: Provision
    ports: tuple[Port, ...] = ()
    attachments: int = 0
    volumes: tuple[Attachment, ...] = ()


class Provisioner:
    """One visit takes a page of capsules that need something allotted or given back.

    What turns out to be impossible for what is there already is not asked for any more: it goes on as it was.

    The provider is asked outside of any transaction, under a lease: whoever dies in between leaves a row that is leased again, and the provider
    answers the second asking as it did the first.
    """

    def __init__(
        self,
        database: Database,
        hints: Hints,
        networks: NetworkProvider,
        volumes: VolumeProvider,
        clock: Callable[[], float],
        *,
        lease: float,
        retry: float,
    ) -> None:
        """`lease` is how many seconds one piece of work may take: then another replica may try. After a failure the provider is asked again in `retry`
        seconds."""
        self._database = database
        self._hints = hints
        self._networks = networks
        self._volumes = volumes
        self._lease = lease
        self._retry = retry
        self._clock = clock
        self._owner = str(uuid.uuid4())

    async def visit(self) -> float | None:
        now = self._clock()
        leased = await self._database.write(
            lambda db: capsules.lease_unprovisioned(
                db, owner=self._owner, now=now, until=now + self._lease, most=_AT_ONCE
            )
        )
        async with asyncio.TaskGroup() as group:
            for capsule in leased:
                group.create_task(self._provide(capsule))
        return 0.0 if len(leased) == _AT_ONCE else self._retry if leased else None

    async def _provide(self, capsule: Capsule) -> None:
        try:
            async with asyncio.timeout(self._lease / 2):
                answer = await self._asked(capsule)
            written = await self._database.write(lambda db: self._write(db, capsule, answer))
        except errors.Conflict:
            # Somebody else has it, or it has moved on: the next visit sees which.
            await self._again(capsule, 0.0)
        except (errors.Failure, TimeoutError) as failure:
            log.warning("%s cannot be provided for yet: %s", capsule.id, failure)
            await self._again(capsule, self._retry)
        except Exception:  # the outermost of one capsule: the others of the visit go on
            log.exception("%s cannot be provided for yet", capsule.id)
            await self._again(capsule, self._retry)
        else:
            self._hints.changed(written)

    async def _again(self, capsule: Capsule, pause: float) -> None:
        until = self._clock() + pause
        await self._database.write(lambda db: capsules.postpone(db, capsule.id, owner=self._owner, until=until))

    async def _asked(self, capsule: Capsule) -> Provided | GivenUp:
        """What the providers did, or why they never will."""
        if capsule.assignment.host_id is None or capsule.spec.desired is Desired.DELETED:
            await self._networks.release(capsule.id)
            await self._volumes.release(capsule.id)
            return Provided(provision=Provision.RELEASED)
        try:
            ports = await self._networks.allot(capsule)
            attached = await self._volumes.attach(capsule)
        except errors.Failure as failure:
            if not failure.permanent:
                raise
            return GivenUp(generation=capsule.spec.generation, reason=failure.message)
        return Provided(provision=Provision.HELD, ports=ports, attachments=capsule.spec.attachments, volumes=attached)

    def _write(self, db: Connection, capsule: Capsule, answer: Provided | GivenUp) -> Capsule:
        # What else was allotted may have changed meanwhile, and is not written over.
        now = (capsules.get(db, capsule.id) or capsule).assignment
        if isinstance(answer, Provided):
            after = replace(
                now,
                provision=answer.provision,
                ports=answer.ports,
                attachments=answer.attachments,
                volumes=answer.volumes,
            )
            return capsules.write_assignment(db, capsule, after, lease=self._owner)
        log.warning("%s cannot have its networks and volumes: %s", capsule.id, answer.reason)
        actions.close(
            db, capsule.id, upto=answer.generation, outcome=Outcome.ERROR, message=answer.reason, now=self._clock()
        )
        if retraction.rewires(capsule.spec):
            return self._fall_back(db, capsule, answer.reason)
        if capsule.assignment.provision is Provision.HELD:
            # What is there goes on with what it has.
            after = replace(now, given_up=answer)
            return capsules.write_assignment(db, capsule, after, close=True, lease=self._owner)
        # Without a host it is over, and what was allotted of it so far is given back on the next visit.
        return unassign(db, capsule, answer, lease=self._owner)

    def _fall_back(self, db: Connection, capsule: Capsule, reason: str) -> Capsule:
        """It goes on as it was. What may have been given back already is allotted anew on the next visit."""
        deadline = self._clock() + _ACCEPTANCE
        back = retraction.take_back(db, capsule, reason, deadline=deadline, now=self._clock())
        capsules.postpone(db, capsule.id, owner=self._owner, until=self._clock())
        return back
