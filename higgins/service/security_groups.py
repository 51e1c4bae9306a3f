"""The verbs of a security group: rules under a name, which say what may come in to those that have it."""

import time
from collections.abc import Callable, Sequence

from higgins import errors
from higgins.model.identity import Caller
from higgins.model.ids import ProjectId, SecurityGroupId
from higgins.model.network import Rule, SecurityGroup
from higgins.model.query import Part, Query
from higgins.model.quota import Allowance, Belongings
from higgins.service.policy import Policy
from higgins.store import belongings, security_groups
from higgins.store.database import Connection, Database

SORT_KEYS = ("id", "uuid", "name", "project_id", "created_at")
"""What a list of security groups can be sorted by. `id` is the order of creation."""
MOST_RULES = 256
"""Of all groups of a container. Each of its ports has them all, in the database and on its host."""


class SecurityGroups:
    """What a caller can do with security groups.

    Every verb checks the policy rule of its name (`security_group:create`, ...), and sees only what the caller may see (Forbidden or NotFound, code
    `security-group-not-found`, otherwise). `ref` is an id or a name; a name that several have is a Conflict. Admins find those of every project.
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

    async def create(
        self, caller: Caller, group_id: SecurityGroupId, *, name: str, rules: Sequence[Rule]
    ) -> SecurityGroup:
        """`group_id` is a new one; the same request, sent again, gives what it made the first time. Its rules never change. Raises Forbidden, code
        `over-quota`, if the project has as many as it may."""
        self._allow(caller, "security_group:create")
        group = SecurityGroup(
            id=group_id,
            project_id=caller.project_id,
            name=name,
            rules=tuple(dict.fromkeys(rules)),
            created_at=self._clock(),
        )

        def work(db: Connection) -> SecurityGroup:
            made = security_groups.find(db, caller.project_id, group_id)
            if not made:
                belongings.check(db, caller.project_id, Belongings(security_groups=1), self._allowance)
                security_groups.insert(db, group)
            return made[0] if made else group

        return await self._database.write(work)

    async def list(self, caller: Caller, query: Query) -> Part[SecurityGroup]:
        """The caller's; NotFound for an unknown marker."""
        self._allow(caller, "security_group:get_all")
        if query.all_projects:
            self._allow(caller, "security_group:get_all_all_projects")
        project = None if query.all_projects else caller.project_id
        return await self._database.read(lambda db: security_groups.page(db, project, query))

    async def show(self, caller: Caller, ref: str) -> SecurityGroup:
        return await self._database.read(lambda db: self._found(db, caller, ref, "security_group:get_one"))

    async def delete(self, caller: Caller, ref: str) -> None:
        """Raises Conflict while a container has it."""

        def work(db: Connection) -> None:
            security_groups.delete(db, self._found(db, caller, ref, "security_group:delete").id)

        await self._database.write(work)

    def _found(self, db: Connection, caller: Caller, ref: str, rule: str) -> SecurityGroup:
        found = security_groups.find(db, caller.project_id, ref)
        if not found and self._sees_all(caller):
            found = security_groups.find(db, None, ref)
        if not found:
            self._allow(caller, rule)
            raise errors.NotFound(f"Security group {ref} could not be found.", code="security-group-not-found")
        if len(found) > 1:
            raise _several(ref)
        self._policy.check(caller, rule, project_id=found[0].project_id, user_id=caller.user_id)
        return found[0]

    def _allow(self, caller: Caller, rule: str) -> None:
        self._policy.check(caller, rule, project_id=caller.project_id, user_id=caller.user_id)

    def _sees_all(self, caller: Caller) -> bool:
        rule = "security_group:get_all_all_projects"
        return self._policy.allows(caller, rule, project_id=caller.project_id, user_id=caller.user_id)


def resolved(db: Connection, project: ProjectId, named: Sequence[str]) -> tuple[SecurityGroupId, ...]:
    """The ids of the groups that these ids or names mean in a project, each once. Raises Invalid for one that means none, Conflict for one that means
    several."""
    return tuple(dict.fromkeys(_meant(db, project, one) for one in named))


def check_rules(db: Connection, ids: Sequence[SecurityGroupId]) -> None:
    """Raises Invalid for groups that are too much for one container."""
    count = len({rule for group in security_groups.among(db, ids).values() for rule in group.rules})
    if count > MOST_RULES:
        raise errors.Invalid(
            f"The security groups of a container can have {MOST_RULES} rules together, and these have {count}: leave some of them out."
        )


def _meant(db: Connection, project: ProjectId, ref: str) -> SecurityGroupId:
    found = security_groups.find(db, project, ref)
    if not found:
        raise errors.Invalid(f"Security group {ref} not found.", code="security-group-not-found")
    if len(found) > 1:
        raise _several(ref)
    return found[0].id


def _several(ref: str) -> errors.Conflict:
    return errors.Conflict(
        f"Multiple security groups exist with same name, {ref}. Please use the security group uuid instead."
    )
