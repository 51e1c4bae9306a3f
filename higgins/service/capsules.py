"""The verbs of a capsule: several containers that are placed, kept and deleted as one."""

import time
import uuid
from collections.abc import Callable, Collection
from dataclasses import replace

from higgins.logic import statusword
from higgins.logic.forecast import Forecast
from higgins.logic.statusword import Status
from higgins.model.capsule import Capsule, CapsuleSpec, Container, Desired, Kind
from higgins.model.identity import Caller
from higgins.model.ids import CapsuleId, ContainerId, RequestId
from higgins.model.query import Part, Query
from higgins.model.volume import NOTHING, Storage
from higgins.service import waiting
from higgins.service.creation import Creation, Customs, drawn, opened
from higgins.service.hints import Hints
from higgins.service.lookup import Lookup
from higgins.service.policy import Policy
from higgins.store import actions, capsules
from higgins.store.database import Connection, Database

_STOP_TIMEOUT = 10
"""Seconds that each container has to end by itself when its capsule is deleted."""

SORT_KEYS = (
    *("id", "uuid", "name", "project_id", "user_id", "status", "memory", "cpu", "host", "created_at", "updated_at"),
)
"""What a list of capsules can be sorted by. `id` is the order of creation."""


class Capsules:
    """What a caller can do with capsules.

    Every verb checks the policy rule of its name (`capsule:create`, ...) and sees only what the caller may see (Forbidden or NotFound, code
    `capsule-not-found`, otherwise). `ref` is an id or a name; a name that several capsules have is a Conflict. Admins find those of every project.
    """

    def __init__(
        self,
        database: Database,
        policy: Policy,
        hints: Hints,
        customs: Customs | None = None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        customs = customs or Customs()
        self._database = database
        self._lookup = Lookup(database, policy, Kind.CAPSULE)
        self._hints = hints
        self._creation = Creation(database, hints, customs, clock)
        self._deadlines = customs.deadlines
        self._clock = clock

    async def create(
        self,
        caller: Caller,
        request: RequestId,
        capsule_id: CapsuleId,
        spec: CapsuleSpec,
        *,
        name: str = "",
        again: bool = False,
        storage: Storage = NOTHING,
    ) -> Capsule:
        """Write down that these containers are wanted, running. They get their ids and full names here; the names that they have are kept in those.

        Raises Forbidden for what policy keeps from the caller or, code `over-quota`, the quota from its project, and for an image from where none
        may come; Conflict for a name that is taken where names are unique. `again`: the same request, with the same id, may have been here before.
        """
        wanted = self._wanted(caller, capsule_id, spec, name)
        within = self._deadlines.create + self._deadlines.init * len(spec.init)
        return await self._creation.write_down(caller, request, wanted, within=within, again=again, storage=storage)

    async def foretell(
        self, caller: Caller, capsule_id: CapsuleId, spec: CapsuleSpec, *, name: str = "", storage: Storage = NOTHING
    ) -> Forecast:
        """What would become of it if it were created now: raises what that would raise, and changes nothing."""
        return await self._creation.foretell(self._wanted(caller, capsule_id, spec, name), storage)

    async def list(self, caller: Caller, query: Query) -> Part[Capsule]:
        """The caller's capsules; NotFound for an unknown marker. Those of all projects, and sorting by host, need a rule of their own."""
        self._lookup.allow(caller, "capsule:get_all")
        if query.all_projects:
            self._lookup.allow(caller, "capsule:get_all_all_projects")
        if query.sort_key == "host":
            # Whoever may not see a field must not find out in which order its values come.
            self._lookup.allow(caller, "capsule:get:host")
        project = None if query.all_projects else caller.project_id

        def work(db: Connection) -> Part[Capsule]:
            page = capsules.page(db, project, query, Kind.CAPSULE)
            return Part(items=tuple(one.open() for one in page.items), more=page.more)

        return await self._database.read(work)

    async def show(self, caller: Caller, ref: str, *, all_projects: bool = False) -> Capsule:
        if all_projects:
            self._lookup.allow(caller, "capsule:get_one_all_projects")
        return await self._lookup.read(caller, ref, "capsule:get")

    async def wait(
        self,
        caller: Caller,
        ref: str,
        statuses: Collection[Status],
        timeout: float,
        *,
        all_projects: bool = False,
        gone: Callable[[], bool] = lambda: False,
    ) -> Capsule:
        """The capsule as soon as it has come to rest in one of these statuses, or in Error; as it is when `timeout` seconds are over, or soon after
        its caller is `gone`.

        NotFound as soon as it is gone.
        """
        return await waiting.until(
            await self.show(caller, ref, all_projects=all_projects),
            statuses,
            timeout,
            hints=self._hints,
            lookup=self._lookup,
            caller=caller,
            rule="capsule:get",
            gone=gone,
        )

    async def delete(self, caller: Caller, request: RequestId, ref: str, *, all_projects: bool = False) -> None:
        """In whatever state it is: each container gets ten seconds to end. Succeeds if it is being deleted already."""
        if all_projects:
            self._lookup.allow(caller, "capsule:delete_all_projects")
        now = self._clock()

        def work(db: Connection) -> Capsule:
            capsule = self._lookup.find(db, caller, ref, "capsule:delete")
            if statusword.describe(capsule).status is Status.DELETING:
                return capsule
            spec = replace(capsule.spec, desired=Desired.DELETED, stop_timeout=_STOP_TIMEOUT)
            patience = _STOP_TIMEOUT * len([*spec.all()])
            deadline = now + self._deadlines.delete + patience
            wanted = capsules.write_spec(db, capsule, spec, deadline=deadline, now=now, verb="delete")
            actions.insert(db, opened(caller, request, wanted, "delete", now))
            return wanted

        self._hints.changed(await self._database.write(work))

    def _wanted(self, caller: Caller, capsule_id: CapsuleId, spec: CapsuleSpec, name: str) -> Capsule:
        """What the caller may ask for."""
        self._lookup.allow(caller, "capsule:create")
        if any(one.pull is not None for one in spec.all()):
            self._lookup.allow(caller, "container:create:image_pull_policy")
        return Capsule(
            id=capsule_id,
            project_id=caller.project_id,
            user_id=caller.user_id,
            name=name,
            kind=Kind.CAPSULE,
            created_at=self._clock(),
            spec=replace(_named(spec, name or capsule_id), sandbox=ContainerId(capsule_id)),
        )


def _named(spec: CapsuleSpec, name: str) -> CapsuleSpec:
    """With an id and a name for each container, all of them different."""
    taken: set[str] = set()
    init = tuple(_identified(one, name, taken) for one in spec.init)
    containers = tuple(_identified(one, name, taken) for one in spec.containers)
    return replace(spec, init=init, containers=containers)


def _identified(one: Container, capsule: str, taken: set[str]) -> Container:
    own = one.name
    most = 24
    # Zun overlooks the names that are given, so that a template may well give one twice.
    while not own or own in taken:
        own = drawn(most)
        most *= 2
    taken.add(own)
    return replace(one, id=ContainerId(str(uuid.uuid4())), name=f"capsule-{capsule}-{own}")
