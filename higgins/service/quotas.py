"""The verbs of a quota: how much a project may have, and how much it has."""

from higgins.model.identity import Caller
from higgins.model.ids import ProjectId
from higgins.model.quota import DEFAULT_CLASS, Limits, Overrides, Quota
from higgins.service.policy import Policy
from higgins.store import quotas
from higgins.store.database import Connection, Database


class Quotas:
    """What a caller can ask and say about limits. Every verb raises Forbidden where policy keeps its rule from the caller.

    A limit below what is there takes nothing away: it only keeps more from coming.
    """

    def __init__(self, database: Database, policy: Policy, configured: Limits) -> None:
        """`configured` are the limits of those for whom nothing else was said."""
        self._database = database
        self._policy = policy
        self._configured = configured

    async def show(self, caller: Caller, project: ProjectId) -> Quota:
        self._check(caller, "quota:get", project)
        return await self._database.read(lambda db: quotas.of(db, project, self._configured))

    async def defaults(self, caller: Caller, project: ProjectId) -> Limits:
        """What holds for the project as long as it has no limits of its own."""
        self._check(caller, "quota:get_default", project)
        return await self._database.read(lambda db: quotas.of_class(db, DEFAULT_CLASS, self._configured))

    async def update(self, caller: Caller, project: ProjectId, overrides: Overrides) -> Limits:
        """The limits in force afterwards."""
        self._check(caller, "quota:update", project)

        def work(db: Connection) -> Limits:
            quotas.write(db, project, overrides)
            return quotas.of(db, project, self._configured).limits

        return await self._database.write(work)

    async def delete(self, caller: Caller, project: ProjectId) -> None:
        """It has the limits of everybody again. Succeeds if it has no others."""
        self._check(caller, "quota:delete", project)
        await self._database.write(lambda db: quotas.forget(db, project))

    async def show_class(self, caller: Caller, name: str) -> Limits:
        """The configured limits for a class that nobody has changed."""
        self._check(caller, "quota_class:get", caller.project_id)
        return await self._database.read(lambda db: quotas.of_class(db, name, self._configured))

    async def update_class(self, caller: Caller, name: str, overrides: Overrides) -> Limits:
        """Those of the class `default` hold at once for every project that has none of its own."""
        self._check(caller, "quota_class:update", caller.project_id)

        def work(db: Connection) -> Limits:
            quotas.write_class(db, name, overrides)
            return quotas.of_class(db, name, self._configured)

        return await self._database.write(work)

    def _check(self, caller: Caller, rule: str, project: ProjectId) -> None:
        self._policy.check(caller, rule, project_id=project, user_id=caller.user_id)
