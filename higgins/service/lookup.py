"""Finding the container, or the capsule, that a caller means."""

from higgins import errors
from higgins.logic.sealed import Sealed
from higgins.model.capsule import Capsule, Kind
from higgins.model.identity import Caller
from higgins.service.policy import Policy
from higgins.store import capsules
from higgins.store.database import Connection, Database


class Lookup:
    """Finds containers, or capsules, by id or name, and checks what the caller wants with them.

    A name that several have is a Conflict. Whoever may see those of every project finds them too. The one kind does not see the other.
    """

    def __init__(self, database: Database, policy: Policy, kind: Kind = Kind.CONTAINER) -> None:
        self._database = database
        self._policy = policy
        self._kind = kind

    async def read(self, caller: Caller, ref: str, rule: str) -> Capsule:
        """As `find`, in a transaction of its own."""
        return (await self.see(caller, ref, rule)).open()

    async def see(self, caller: Caller, ref: str, rule: str) -> Sealed:
        """The same, not opened. What is named by its id is read at a glance, and almost all is."""
        project = caller.project_id
        seen = await self._database.glance(lambda eye: capsules.see(eye, project, ref, self._kind))
        if seen is None and self._sees_all(caller):
            seen = await self._database.glance(lambda eye: capsules.see_elsewhere(eye, project, ref, self._kind))
        if seen is None:
            return await self._database.read(lambda db: self._find(db, caller, ref, rule))
        self._policy.check(caller, rule, project_id=seen.project_id, user_id=seen.user_id)
        return seen

    def find(self, db: Connection, caller: Caller, ref: str, rule: str) -> Capsule:
        """Raises NotFound for what the caller cannot see, Forbidden where policy keeps the rule from the caller."""
        return self._find(db, caller, ref, rule).open()

    def _find(self, db: Connection, caller: Caller, ref: str, rule: str) -> Sealed:
        found = capsules.find(db, caller.project_id, ref, self._kind)
        if not found and self._sees_all(caller):
            found = capsules.find(db, None, ref, self._kind)
        if not found:
            # A container of another project is answered in the same words as one that does not exist.
            self.allow(caller, rule)
            raise errors.NotFound(
                f"{self._kind.capitalize()} {ref} could not be found.", code=f"{self._kind}-not-found"
            )
        if len(found) > 1:
            raise errors.Conflict(
                f"Multiple {self._kind}s exist with same name. Please use the {self._kind} uuid instead."
            )
        self._policy.check(caller, rule, project_id=found[0].project_id, user_id=found[0].user_id)
        return found[0]

    def allow(self, caller: Caller, rule: str) -> None:
        """Rules about no container in particular are about the caller's own project. Raises Forbidden."""
        self._policy.check(caller, rule, project_id=caller.project_id, user_id=caller.user_id)

    def _sees_all(self, caller: Caller) -> bool:
        return self._policy.allows(
            caller, f"{self._kind}:get_one_all_projects", project_id=caller.project_id, user_id=caller.user_id
        )
