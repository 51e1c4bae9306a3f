"""The verbs of a volume: a directory that outlives the containers that it is mounted into."""

import time
from collections.abc import Callable, Sequence

from higgins import errors
from higgins.model.identity import Caller
from higgins.model.ids import VolumeId
from higgins.model.query import Part, Query
from higgins.model.quota import Allowance, Belongings
from higgins.model.volume import Volume
from higgins.service.policy import Policy
from higgins.store import belongings, volumes
from higgins.store.database import Connection, Database


class Volumes:
    """What a caller can do with volumes.

    Every verb checks the policy rule of its name (`volume:create`, ...), and sees only what the caller may see (Forbidden or NotFound, code
    `volume-not-found`, otherwise). `ref` is an id or a name. Admins find those of every project.
    """

    def __init__(
        self,
        database: Database,
        policy: Policy,
        allowance: Allowance | None = None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._policy = policy
        self._allowance = allowance or Allowance()
        self._clock = clock

    async def create(self, caller: Caller, volume_id: VolumeId, *, name: str, size: int = 0) -> Volume:
        """One of so many GiB, 0 for no limit; it lies nowhere until a container uses it. `volume_id` is a new one; the same request, sent again, gives
        what it made the first time. Raises Conflict for a name that the project has already, Forbidden, code `over-quota`, if it has as many as it may."""
        self._allow(caller, "volume:create")
        volume = Volume(
            id=volume_id,
            project_id=caller.project_id,
            user_id=caller.user_id,
            name=name,
            size=size,
            created_at=self._clock(),
        )

        def work(db: Connection) -> Volume:
            made = volumes.find(db, caller.project_id, volume_id)
            if not made:
                belongings.check(db, caller.project_id, Belongings(volumes=1), self._allowance)
                volumes.insert(db, volume)
            return made[0] if made else volume

        return await self._database.write(work)

    async def list(self, caller: Caller, query: Query) -> Part[Volume]:
        """The caller's; NotFound for an unknown marker."""
        self._allow(caller, "volume:get_all")
        if query.all_projects:
            self._allow(caller, "volume:get_all_all_projects")
        project = None if query.all_projects else caller.project_id
        return await self._database.read(lambda db: volumes.page(db, project, query))

    async def show(self, caller: Caller, ref: str) -> Volume:
        return await self._database.read(lambda db: self._found(db, caller, ref, "volume:get_one"))

    async def find(self, caller: Caller, ref: str) -> Volume:
        """One for the caller's own container: never another project's, whoever asks."""

        def work(db: Connection) -> Volume:
            return self._one(volumes.find(db, caller.project_id, ref), caller, ref, "volume:get_one")

        return await self._database.read(work)

    async def delete(self, caller: Caller, ref: str) -> None:
        """With what lies in it. Raises Conflict while a container uses it."""

        def work(db: Connection) -> None:
            volumes.delete(db, self._found(db, caller, ref, "volume:delete").id)

        await self._database.write(work)

    def _found(self, db: Connection, caller: Caller, ref: str, rule: str) -> Volume:
        found = volumes.find(db, caller.project_id, ref)
        if not found and self._sees_all(caller):
            found = volumes.find(db, None, ref)
        return self._one(found, caller, ref, rule)

    def _one(self, found: Sequence[Volume], caller: Caller, ref: str, rule: str) -> Volume:
        if not found:
            self._allow(caller, rule)
            raise volumes.missing(ref)
        if len(found) > 1:
            raise errors.Conflict("Multiple volumes exist with same name. Please use the volume uuid instead.")
        self._policy.check(caller, rule, project_id=found[0].project_id, user_id=found[0].user_id)
        return found[0]

    def _allow(self, caller: Caller, rule: str) -> None:
        self._policy.check(caller, rule, project_id=caller.project_id, user_id=caller.user_id)

    def _sees_all(self, caller: Caller) -> bool:
        rule = "volume:get_all_all_projects"
        return self._policy.allows(caller, rule, project_id=caller.project_id, user_id=caller.user_id)
