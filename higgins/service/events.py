"""What changed: pages of it, and following it as it comes."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from higgins.model.event import Filter, Stretch
from higgins.model.identity import Caller
from higgins.model.ids import ProjectId
from higgins.service.hints import Hints
from higgins.service.policy import Policy
from higgins.service.turnstile import Turnstile
from higgins.store import events
from higgins.store.database import Connection, Database

_AT_ONCE = 200
"""Events that are held in memory for one who follows: the next are read when these are taken."""
_SHORTEST_PAUSE = 0.1
"""Seconds between two looks: where much changes and many follow, each change would otherwise be a look for each of them."""


class Events:
    """What a caller can learn of changes. The rule is `event:get_all`, and for every project's `event:get_all_all_projects`.

    Numbers are places in the story of all projects: whoever has seen everything up to one asks for what follows it.
    """

    def __init__(
        self,
        database: Database,
        policy: Policy,
        hints: Hints,
        *,
        turnstile: Turnstile | None = None,
        patrol: float = 5.0,
    ) -> None:
        """`patrol` is how many seconds pass between two looks when nobody hints."""
        self._database = database
        self._policy = policy
        self._hints = hints
        self._turnstile = turnstile or Turnstile()
        self._patrol = patrol

    async def page(
        self, caller: Caller, wanted: Filter, *, since: int = 0, most: int, all_projects: bool = False
    ) -> Stretch:
        """At most so many of those after `since`, the oldest first."""
        project = self._project(caller, all_projects=all_projects)
        return await self._look(project, wanted, since, most)

    def follow(
        self, caller: Caller, wanted: Filter, *, since: int | None = None, all_projects: bool = False
    ) -> AsyncGenerator[Stretch, None]:
        """What comes after `since`, None standing for now, without end. Raises Forbidden at once, and Conflict where the project follows enough.

        The first stretch comes at once, and one without events at least every few seconds. Whoever takes slowly makes nothing grow.
        """
        return self._counted(caller, self._follow(self._project(caller, all_projects=all_projects), wanted, since))

    async def _counted(self, caller: Caller, story: AsyncGenerator[Stretch, None]) -> AsyncGenerator[Stretch, None]:
        """Everybody who follows looks whenever something changes."""
        async with aclosing(story):
            with self._turnstile.through(caller.project_id):
                async for stretch in story:
                    yield stretch

    async def _follow(
        self, project: ProjectId | None, wanted: Filter, since: int | None
    ) -> AsyncGenerator[Stretch, None]:
        if since is None:
            since = (await self._database.read(events.bounds)).last
        found = await self._look(project, wanted, since)
        while True:
            yield found
            if not found.more:
                await asyncio.sleep(_SHORTEST_PAUSE)
            found = await self._next(project, wanted, found.upto)

    async def _next(self, project: ProjectId | None, wanted: Filter, since: int) -> Stretch:
        """What follows as soon as there is something; nothing, after a while without."""
        clock = asyncio.get_running_loop().time
        end = clock() + self._patrol
        # Listened before the look, so that what changes during it causes another; not while the caller thinks, so that nothing piles up.
        with self._hints.watchers.listen(None) as listener:
            while True:
                found = await self._look(project, wanted, since)
                if found.events or found.lost or clock() >= end:
                    return found
                since = found.upto
                await asyncio.sleep(_SHORTEST_PAUSE)
                await listener.bell.wait(max(0.0, end - clock()))

    async def _look(self, project: ProjectId | None, wanted: Filter, since: int, most: int = _AT_ONCE) -> Stretch:
        return await self._database.read(lambda db: _stretch(db, project, since, wanted, most))

    def _project(self, caller: Caller, *, all_projects: bool) -> ProjectId | None:
        for rule in ["event:get_all", *(["event:get_all_all_projects"] if all_projects else [])]:
            self._policy.check(caller, rule, project_id=caller.project_id, user_id=caller.user_id)
        return None if all_projects else caller.project_id


def _stretch(db: Connection, project: ProjectId | None, since: int, wanted: Filter, most: int) -> Stretch:
    kept = events.bounds(db)
    # A number that is still to come is from another database, or from one that was restored: everything may have been missed.
    ahead = since > kept.last
    start = 0 if ahead else since
    found = events.after(db, project, start, wanted, most + 1)
    more = len(found) > most
    return Stretch(
        events=found[:most],
        upto=found[most - 1].number if more else kept.last,
        more=more,
        lost=ahead or 0 < since < kept.first - 1,
    )
