"""The verbs of a container."""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from higgins import errors
from higgins.logic import access, allowed, placement, statusword
from higgins.logic.forecast import Forecast
from higgins.logic.sealed import Sealed
from higgins.logic.statusword import Status
from higgins.model.action import Action, Outcome
from higgins.model.capsule import (
    Assignment,
    Capsule,
    CapsuleSpec,
    Desired,
    Former,
    Kind,
    Resources,
)
from higgins.model.host import Host
from higgins.model.identity import Caller
from higgins.model.ids import CapsuleId, RequestId, SecurityGroupId
from higgins.model.network import NetworkWish, Port
from higgins.model.query import Part, Query
from higgins.model.volume import NOTHING, Storage
from higgins.service import waiting
from higgins.service.creation import Creation, Customs, opened
from higgins.service.hints import Hints
from higgins.service.lookup import Lookup
from higgins.service.networks import MOST, NetworkNamed, known, offered, wish
from higgins.service.policy import Policy
from higgins.service.security_groups import check_rules, resolved
from higgins.store import actions, capsules, hosts, security_groups
from higgins.store.database import Connection, Database

_UP = (Desired.RUNNING, Desired.PAUSED)
_STOP_TIMEOUT = 10
_LONGEST_STOP_TIMEOUT = 86400

Known = TypeVar("Known")
Change = Callable[[Capsule], CapsuleSpec]
"""What is asked for instead of what was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be different about a container that is there; None: as it is."""

    name: str | None = None
    cpu: float | None = None
    memory: int | None = None
    auto_heal: bool | None = None


class Containers:
    """What a caller can do with containers.

    Every verb checks the policy rule of its name (`container:start`, ...) against the container, sees only what the caller may see
    (Forbidden or NotFound otherwise) and refuses with Conflict, code `invalid-state-exception`, what the present state does not allow.
    `ref` is an id or a name; a name that several containers have is a Conflict. Admins find containers of every project.
    The verbs that change something record an action under `request`.
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
        self._database = database
        self._policy = policy
        self._lookup = Lookup(database, policy)
        self._hints = hints
        self._customs = customs or Customs()
        self._creation = Creation(database, hints, self._customs, clock)
        self._deadlines = self._customs.deadlines
        self._clock = clock

    async def create(
        self,
        caller: Caller,
        request: RequestId,
        spec: CapsuleSpec,
        *,
        networks: Sequence[NetworkNamed] = (),
        groups: Sequence[str] = (),
        again: bool = False,
        storage: Storage = NOTHING,
    ) -> Capsule:
        """Write down that one container is wanted, created or running; Forbidden, code `over-quota`, if its project may not have so much.

        Its id is the caller's choice of a new UUID, an empty name becomes a generated one. `networks` are those it is to be on, the first being its way
        to the world; none of them: the one of its project, which is made if there is none. Of two that are the same the first counts. `again` says that
        the same request, with the same id, may have been here before; then Conflict if what it made is gone since. `groups` are the names or
        ids of its security groups. Raises Forbidden for what policy keeps from the caller, NotFound for an unknown host or volume, Invalid for an unknown
        group, Conflict for a name that is taken where names are unique or volumes that no host has together, and what `networks.wishes` raises.
        """
        wanted = self._wanted(caller, spec)
        return await self._creation.write_down(
            caller,
            request,
            wanted,
            networks=networks,
            groups=groups,
            within=self._deadlines.create,
            again=again,
            storage=storage,
        )

    async def foretell(
        self,
        caller: Caller,
        spec: CapsuleSpec,
        *,
        networks: Sequence[NetworkNamed] = (),
        groups: Sequence[str] = (),
        storage: Storage = NOTHING,
    ) -> Forecast:
        """What would become of it if it were created now: raises what that would raise, and changes nothing."""
        return await self._creation.foretell(self._wanted(caller, spec), storage, networks=networks, groups=groups)

    async def list(
        self, caller: Caller, query: Query, recall: capsules.Recall[Known] = lambda *_: None
    ) -> Part[Known | Sealed]:
        """The caller's containers, not opened; NotFound for an unknown marker. What `recall` knows need not be read.

        `query.all_projects` needs a rule of its own, filtering and sorting by a field the right to see that field.
        """
        self._lookup.allow(caller, "container:get_all")
        if query.all_projects:
            self._lookup.allow(caller, "container:get_all_all_projects")
        # Whoever may not see a field must not find out its value by asking which containers have it, or in which order they come.
        for name in (*query.filters, query.sort_key):
            self._lookup.allow(caller, f"{access.FIELD_RULE}{name}")
        project = None if query.all_projects else caller.project_id
        if query.filters or query.sort_key != "id":
            return await self._database.read(lambda db: capsules.page(db, project, query, Kind.CONTAINER))
        return await self._database.glance(lambda eye: capsules.see_page(eye, project, query, Kind.CONTAINER, recall))

    async def show(self, caller: Caller, ref: str, *, all_projects: bool = False) -> Capsule:
        return (await self.show_sealed(caller, ref, all_projects=all_projects)).open()

    async def show_sealed(self, caller: Caller, ref: str, *, all_projects: bool = False) -> Sealed:
        """The same, not opened."""
        if all_projects:
            self._lookup.allow(caller, "container:get_one_all_projects")
        return await self._lookup.see(caller, ref, "container:get_one")

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
        """The container as soon as it has come to rest in one of these statuses, or in Error; as it is when `timeout` seconds are over, or soon after
        its caller is `gone`.

        NotFound as soon as it is gone.
        """
        capsule = await self.show(caller, ref, all_projects=all_projects)
        return await waiting.until(
            capsule,
            statuses,
            timeout,
            hints=self._hints,
            lookup=self._lookup,
            caller=caller,
            rule="container:get_one",
            gone=gone,
        )

    async def delete(
        self,
        caller: Caller,
        request: RequestId,
        ref: str,
        *,
        force: bool = False,
        stop: bool = False,
        all_projects: bool = False,
    ) -> None:
        """Plainly, only what does not run; with `stop` after stopping it, with `force` at once."""
        if all_projects:
            self._lookup.allow(caller, "container:delete_all_projects")
        verb = "delete_force" if force else "delete_after_stop" if stop else "delete"
        # Force with stop needs both rights: one flag is no way around the rule of the other.
        rules = [
            "container:delete",
            *(["container:delete_force"] if force else []),
            *(["container:stop"] if stop else []),
        ]

        def change(capsule: Capsule) -> CapsuleSpec:
            timeout = _STOP_TIMEOUT if stop and not force else 0
            forced = force or capsule.spec.force
            return replace(capsule.spec, desired=Desired.DELETED, stop_timeout=timeout, force=forced, former=None)

        allowance = self._deadlines.force_delete if force else self._deadlines.delete
        await self._change(caller, request, ref, verb, change, allowance, rules=rules, record="delete")

    async def start(self, caller: Caller, request: RequestId, ref: str) -> None:
        await self._change(caller, request, ref, "start", _fresh_start, self._deadlines.start)

    async def stop(self, caller: Caller, request: RequestId, ref: str, *, timeout: int | None = None) -> None:
        """None: ten seconds."""
        patience = _patience(timeout)

        def change(capsule: Capsule) -> CapsuleSpec:
            return replace(capsule.spec, desired=Desired.STOPPED, stop_timeout=patience)

        await self._change(caller, request, ref, "stop", change, self._deadlines.stop + patience)

    async def reboot(self, caller: Caller, request: RequestId, ref: str, *, timeout: int | None = None) -> None:
        patience = _patience(timeout)

        def change(capsule: Capsule) -> CapsuleSpec:
            return replace(_fresh_start(capsule), stop_timeout=patience)

        await self._change(caller, request, ref, "reboot", change, self._deadlines.reboot + patience)

    async def pause(self, caller: Caller, request: RequestId, ref: str) -> None:
        """Conflict also while it is being stopped."""
        await self._change(
            caller, request, ref, "pause", lambda capsule: _going_on(capsule, Desired.PAUSED), self._deadlines.pause
        )

    async def unpause(self, caller: Caller, request: RequestId, ref: str) -> None:
        """Conflict also while it is being stopped."""
        await self._change(
            caller, request, ref, "unpause", lambda capsule: _going_on(capsule, Desired.RUNNING), self._deadlines.pause
        )

    async def rebuild(self, caller: Caller, request: RequestId, ref: str, *, image: str | None = None) -> None:
        """Make it anew from its image, or from another one; then it runs if it did before.

        What is there goes only once the new image is at hand. If that cannot be had, everything stays, and is shown, as it was.
        """

        def change(capsule: Capsule) -> CapsuleSpec:
            spec = capsule.spec
            (one,) = spec.containers
            runs = spec.desired in _UP and statusword.describe(capsule).status is Status.RUNNING
            return replace(
                spec,
                containers=(replace(one, image=image or one.image),),
                rebuilds=spec.rebuilds + 1,
                restarts=spec.restarts + 1 if runs else spec.restarts,
                desired=Desired.RUNNING if runs else Desired.CREATED,
                stop_timeout=_STOP_TIMEOUT,
                former=_former(spec),
            )

        await self._change(caller, request, ref, "rebuild", change, self._deadlines.create)

    async def update(self, caller: Caller, request: RequestId, ref: str, wish: Wish) -> Capsule:
        """Succeeds, and is recorded, if it is so already. Conflict if its host has not enough room for more, Forbidden, code `over-quota`, if its project
        may not have more.

        New limits hold as soon as the host has set them. If its runtime refuses them, the container goes on, and is shown, with those that it had.
        """
        return await self._update(caller, request, ref, "update", wish)

    async def resize_container(self, caller: Caller, request: RequestId, ref: str, wish: Wish) -> Capsule:
        """As update, under another name and rule."""
        return await self._update(caller, request, ref, "resize_container", wish)

    async def rename(self, caller: Caller, ref: str, name: str) -> Capsule:
        """Conflict if it has the name already."""
        now = self._clock()

        def work(db: Connection) -> Capsule:
            capsule = self._lookup.find(db, caller, ref, "container:rename")
            if name == capsule.name:
                raise errors.Conflict(f"The container {capsule.id} has the name {name} already.")
            return self._renamed(db, capsule, name, now)

        capsule = await self._database.write(work)
        self._hints.changed(capsule)
        return capsule

    async def kill(self, caller: Caller, request: RequestId, ref: str) -> None:
        """End it at once, whatever its restart policy says."""
        await self._change(
            caller,
            request,
            ref,
            "kill",
            lambda capsule: replace(capsule.spec, desired=Desired.STOPPED, stop_timeout=0),
            self._deadlines.stop,
        )

    async def attach_network(
        self, caller: Caller, request: RequestId, ref: str, named: NetworkNamed | None = None
    ) -> None:
        """Have it on one more network, whatever it does; None: on the one that it would have got by itself.

        Raises Invalid if it is on that already, or cannot have the address; Conflict for an address that is taken, if it is on as many as it can be,
        and while it is being deleted;
        NotFound for an unknown network. If it turns out later that it cannot be, the action ends in Error and everything is as it was.
        """
        now = self._clock()

        def change(db: Connection, capsule: Capsule) -> tuple[NetworkWish, ...]:
            pool = offered(self._customs.networks)
            one = wish(db, capsule.project_id, named or NetworkNamed(), pool, now)
            if any(each.network == one.network for each in capsule.spec.networks):
                raise errors.Invalid(f"Network '{one.network}' is already attached to container '{capsule.id}'.")
            if len(capsule.spec.networks) >= MOST:
                raise errors.Conflict(
                    f"Container {capsule.id} is on {MOST} networks, as many as it can be: detach it from one first."
                )
            return (*capsule.spec.networks, one)

        await self._rewire(caller, request, ref, "network_attach", change, now)

    async def detach_network(self, caller: Caller, request: RequestId, ref: str, network_or_port: str) -> None:
        """Take it off one. Raises Invalid if it is not on that, NotFound for an unknown network, Conflict while it is being deleted."""

        def change(db: Connection, capsule: Capsule) -> tuple[NetworkWish, ...]:
            has = capsule.spec.networks
            leaving = [each for each in has if network_or_port in (each.port, each.network)]
            if not leaving:
                network = known(db, capsule.project_id, network_or_port)
                leaving = [each for each in has if each.network == network.id]
            if not leaving:
                raise errors.Invalid(f"Network '{network_or_port}' is not attached to container '{capsule.id}'.")
            return tuple(each for each in has if each not in leaving)

        await self._rewire(caller, request, ref, "network_detach", change, self._clock())

    async def networks_of(self, caller: Caller, ref: str) -> tuple[Port, ...]:
        """Its ports as they are allotted now."""
        return (await self._lookup.read(caller, ref, "container:get_one")).assignment.ports

    async def add_security_group(self, caller: Caller, request: RequestId, ref: str, group: str) -> None:
        """Let in what this group allows, too. Raises Invalid for an unknown group, and for one that it has already."""

        def change(has: tuple[SecurityGroupId, ...], one: SecurityGroupId) -> tuple[SecurityGroupId, ...]:
            if one in has:
                raise errors.Invalid(f"Security group {one} has been added to the container already.")
            return (*has, one)

        await self._regroup(caller, request, ref, "add_security_group", group, change)

    async def remove_security_group(self, caller: Caller, request: RequestId, ref: str, group: str) -> None:
        """Do not let in any more what only this group allows; without the last, all that comes from its networks. Raises Invalid for a group that it
        has not."""

        def change(has: tuple[SecurityGroupId, ...], one: SecurityGroupId) -> tuple[SecurityGroupId, ...]:
            if one not in has:
                raise errors.Invalid(f"Security group {one} was not added to the container.")
            return tuple(each for each in has if each != one)

        await self._regroup(caller, request, ref, "remove_security_group", group, change)

    async def actions(self, caller: Caller, ref: str) -> Sequence[Action]:
        """Newest first, without their steps."""

        def work(db: Connection) -> Sequence[Action]:
            return actions.of(db, self._lookup.find(db, caller, ref, "container:actions").id)

        return await self._database.read(work)

    async def action(self, caller: Caller, ref: str, request: RequestId) -> Action:
        """With its steps, newest first. NotFound (code `resource-not-found`) for an unknown one."""

        def work(db: Connection) -> Action | None:
            return actions.get(db, self._lookup.find(db, caller, ref, "container:actions").id, request)

        found = await self._database.read(work)
        if found is None:
            raise errors.NotFound(f"The Action resource {request} could not be found.", code="resource-not-found")
        return found

    async def _change(
        self,
        caller: Caller,
        request: RequestId,
        ref: str,
        verb: str,
        change: Change,
        allowance: float,
        *,
        rules: Sequence[str] | None = None,
        record: str | None = None,
    ) -> None:
        """The path of every verb that asks for another state: find, check, write down, wake whoever acts on it."""
        now = self._clock()

        def work(db: Connection) -> Capsule:
            first, *more = rules or [f"container:{verb}"]
            capsule = self._lookup.find(db, caller, ref, first)
            for rule in more:
                self._policy.check(caller, rule, project_id=capsule.project_id, user_id=capsule.user_id)
            if actions.known(db, capsule.id, request):
                return capsule
            allowed.check(verb, statusword.describe(capsule).status, capsule.id)
            asked, spec = record or verb, _changed(capsule, change)
            if spec.containers != capsule.spec.containers:
                self._creation.check_sources(db, spec)
            wanted = capsules.write_spec(db, capsule, spec, deadline=now + allowance, now=now, verb=asked)
            actions.insert(db, opened(caller, request, wanted, asked, now))
            return wanted

        self._hints.changed(await self._database.write(work))

    async def _rewire(
        self,
        caller: Caller,
        request: RequestId,
        ref: str,
        verb: str,
        change: Callable[[Connection, Capsule], tuple[NetworkWish, ...]],
        now: float,
    ) -> None:
        def work(db: Connection) -> Capsule:
            capsule = self._lookup.find(db, caller, ref, f"container:{verb}")
            if actions.known(db, capsule.id, request):
                return capsule
            leaving = capsule.spec.desired is Desired.DELETED
            status = Status.DELETING if leaving else statusword.describe(capsule).status
            allowed.check(verb, status, capsule.id)
            networks = change(db, capsule)
            if capsule.spec.sandbox is None:
                raise errors.Conflict(
                    f"Container {capsule.id} was made with the network that its host's runtime has by itself; make another one to have it on others."
                )
            # What never was there cannot be as it was: for that it is one more try.
            fresh = status in (Status.CREATING, Status.ERROR)
            spec = _changed(capsule, lambda capsule: _rewired(capsule.spec, networks, reversible=not fresh))
            allowance = self._deadlines.create if fresh else self._deadlines.start
            deadline = max(now + allowance, capsule.deadline or 0.0)
            wanted = capsules.write_spec(db, capsule, spec, deadline=deadline, now=now, verb=verb)
            actions.insert(db, opened(caller, request, wanted, verb, now))
            return wanted

        self._hints.changed(await self._database.write(work))

    async def _regroup(
        self,
        caller: Caller,
        request: RequestId,
        ref: str,
        verb: str,
        group: str,
        change: Callable[[tuple[SecurityGroupId, ...], SecurityGroupId], tuple[SecurityGroupId, ...]],
    ) -> None:
        now = self._clock()

        def work(db: Connection) -> Capsule:
            capsule = self._lookup.find(db, caller, ref, f"container:{verb}")
            if actions.known(db, capsule.id, request):
                return capsule
            allowed.check(verb, statusword.describe(capsule).status, capsule.id)
            if not capsule.spec.networks:
                raise errors.Conflict(f"Container {capsule.id} is on no network whose ports could be opened.")
            (one,) = resolved(db, capsule.project_id, [group])
            groups = change(capsule.spec.security_groups, one)
            if one in groups:
                check_rules(db, groups)
            spec = _changed(
                capsule,
                lambda capsule: replace(
                    capsule.spec,
                    security_groups=groups,
                    attachments=capsule.spec.attachments + 1,
                    former=_former(capsule.spec),
                ),
            )
            wanted = capsules.write_spec(db, capsule, spec, deadline=now + self._deadlines.start, now=now, verb=verb)
            security_groups.use(db, capsule.id, groups)
            actions.insert(db, opened(caller, request, wanted, verb, now))
            return wanted

        self._hints.changed(await self._database.write(work))

    async def _update(self, caller: Caller, request: RequestId, ref: str, verb: str, wish: Wish) -> Capsule:
        now = self._clock()

        def work(db: Connection) -> Capsule:
            capsule = self._lookup.find(db, caller, ref, f"container:{verb}")
            allowed.check(verb, statusword.describe(capsule).status, capsule.id)
            wanted = _changed(capsule, lambda capsule: _granted(capsule.spec, wish))
            if _granted(capsule.spec, wish) != capsule.spec:
                assignment = self._rebooked(db, capsule, wanted.claim())
                capsule = capsules.write_spec(
                    db,
                    capsule,
                    wanted,
                    deadline=now + self._deadlines.start,
                    now=now,
                    verb=verb,
                    within=self._customs.limits,
                )
                if assignment != capsule.assignment:
                    capsule = capsules.write_assignment(db, capsule, assignment)
            # A name takes no action: nobody waits for a host.
            if replace(wish, name=None) != Wish() and not actions.known(db, capsule.id, request):
                actions.insert(db, _recorded(caller, request, capsule, verb, now))
            if wish.name is not None and wish.name != capsule.name:
                capsule = self._renamed(db, capsule, wish.name, now)
            return capsule

        capsule = await self._database.write(work)
        self._hints.changed(capsule)
        return capsule

    def _rebooked(self, db: Connection, capsule: Capsule, claim: Resources) -> Assignment:
        """The assignment with another claim on its host. Raises Conflict if the host has not enough room."""
        before = capsule.assignment
        host = hosts.get(db, before.host_id) if before.host_id is not None else None
        if host is None or claim == before.claim:
            return before
        more, room = claim.beyond(before.claim), placement.room(host, self._customs.ratios)
        if more != Resources() and not hosts.book(db, host.id, more, room):
            raise errors.Conflict(_no_room(host, more, room))
        hosts.release(db, host.id, before.claim.beyond(claim))
        return replace(before, claim=claim)

    def _renamed(self, db: Connection, capsule: Capsule, name: str, now: float) -> Capsule:
        self._creation.check_name(db, capsule.project_id, name, besides=capsule.id)
        return capsules.write_name(db, capsule, name, now)

    def _wanted(self, caller: Caller, spec: CapsuleSpec) -> Capsule:
        """What the caller may ask for."""
        self._check_create(caller, spec)
        (asked,) = spec.containers
        return Capsule(
            id=CapsuleId(asked.id),
            project_id=caller.project_id,
            user_id=caller.user_id,
            name=asked.name,
            kind=Kind.CONTAINER,
            created_at=self._clock(),
            spec=spec,
        )

    def _check_create(self, caller: Caller, spec: CapsuleSpec) -> None:
        (container,) = spec.containers
        self._lookup.allow(caller, "container:create")
        for rule, asked in (
            ("container:create:runtime", spec.runtime is not None),
            ("container:create:privileged", container.privileged),
            ("container:create:image_pull_policy", container.pull is not None),
            ("container:create:requested_destination", spec.host is not None),
        ):
            if asked:
                self._lookup.allow(caller, rule)


def _changed(capsule: Capsule, change: Change) -> CapsuleSpec:
    """What is asked for now. What an earlier change falls back to is forgotten once that change is through, and follows what is asked until then."""
    spec = capsule.spec
    before = None if capsule.acted_on else spec.former
    wanted = change(replace(capsule, spec=replace(spec, refused=None, former=before)))
    if before is None or wanted.former != before:
        return wanted
    return replace(wanted, former=replace(before, desired=wanted.desired, restarts=wanted.restarts))


def _former(spec: CapsuleSpec) -> Former:
    """What stands for sure while something else is tried."""
    (one,) = spec.containers
    return Former(
        desired=spec.desired,
        restarts=spec.restarts,
        rebuilds=spec.rebuilds,
        image=one.image,
        limits=spec.former.limits if spec.former else one.limits,
        networks=spec.former.networks if spec.former else spec.networks,
        security_groups=spec.former.security_groups if spec.former else spec.security_groups,
    )


def _rewired(spec: CapsuleSpec, networks: tuple[NetworkWish, ...], *, reversible: bool) -> CapsuleSpec:
    former = _former(spec) if reversible else spec.former
    return replace(spec, networks=networks, attachments=spec.attachments + 1, former=former)


def _granted(spec: CapsuleSpec, wish: Wish) -> CapsuleSpec:
    (one,) = spec.containers
    limits = replace(
        one.limits,
        cpu=one.limits.cpu if wish.cpu is None else wish.cpu,
        memory=one.limits.memory if wish.memory is None else wish.memory,
    )
    heal = spec.auto_heal if wish.auto_heal is None else wish.auto_heal
    if (limits, heal) == (one.limits, spec.auto_heal):
        return spec
    return replace(spec, containers=(replace(one, limits=limits),), auto_heal=heal, former=_former(spec))


def _no_room(host: Host, more: Resources, room: Resources) -> str:
    if not host.enabled:
        return "The container's host takes nothing more just now; an operator has disabled it."
    free = room.beyond(host.allocated)
    short = [
        f"{asked:g} {unit} more were asked for, {there:g} are free"
        for asked, there, unit in (
            (more.cpu, free.cpu, "cores"),
            (more.memory, free.memory, "MiB of memory"),
            (more.disk, free.disk, "GiB of disk"),
        )
        if asked > there
    ]
    return f"The container's host has not enough room: {'; '.join(short) or 'it is not connected'}."


def _fresh_start(capsule: Capsule) -> CapsuleSpec:
    return replace(capsule.spec, desired=Desired.RUNNING, restarts=capsule.spec.restarts + 1)


def _going_on(capsule: Capsule, desired: Desired) -> CapsuleSpec:
    """Another state of the same run. While a stop is on its way the run is shown as going on, but nothing of it may be left."""
    if capsule.spec.desired is Desired.STOPPED:
        raise errors.Conflict(f"Container {capsule.id} is being stopped.", code="invalid-state-exception")
    return replace(capsule.spec, desired=desired)


def _patience(timeout: int | None) -> int:
    if timeout is None:
        return _STOP_TIMEOUT
    if not 0 <= timeout <= _LONGEST_STOP_TIMEOUT:
        raise errors.Invalid(
            f"Invalid input for field 'timeout': {timeout} is not between 0 and {_LONGEST_STOP_TIMEOUT} seconds."
        )
    return timeout


def _recorded(caller: Caller, request: RequestId, capsule: Capsule, verb: str, now: float) -> Action:
    """The action of a request that may have asked for what is so already: it is over at once if nothing is to be done."""
    begun = opened(caller, request, capsule, verb, now)
    if capsule.settled:
        return replace(begun, finished_at=now, outcome=Outcome.SUCCESS)
    return begun
