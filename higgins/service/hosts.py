"""The verbs of a host: what its agent tells, what it is told, and what an operator says about it."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from higgins import errors
from higgins.link.messages import Finding, Hello, Work
from higgins.model.action import Outcome
from higgins.model.capsule import Capsule, ContainerStatus, Desired, Stage
from higgins.model.host import Host, Inventory
from higgins.model.ids import CapsuleId, FileId, HostId, RegistryId, VolumeId
from higgins.model.registry import Login
from higgins.service import forgetting, retraction
from higgins.service.hints import Hints
from higgins.service.limits import Deadlines
from higgins.service.registries import Registries
from higgins.store import actions, capsules, hosts, volumes
from higgins.store.database import Connection, Database


class Hosts:
    """What agents and operators can say about hosts."""

    def __init__(
        self,
        database: Database,
        hints: Hints,
        deadlines: Deadlines | None = None,
        registries: Registries | None = None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Without `registries` there are none that containers could name."""
        self._database = database
        self._hints = hints
        self._deadlines = deadlines or Deadlines()
        self._registries = registries
        self._clock = clock

    async def open_session(self, hello: Hello, *, local: bool) -> int:
        """An agent is there; the number of its session. A local one, on the control plane's own machine, needs no enrolment.

        Raises Forbidden if the host is not known (any more), Conflict if another host has its name.
        """
        now = self._clock()

        def work(db: Connection) -> int:
            namesake = hosts.named(db, hello.name)
            if namesake is not None and namesake.id != hello.host_id:
                raise errors.Conflict(
                    f"There is another host with the name {hello.name}: give this one another name, or remove the other with "
                    f"`higgins host remove {hello.name}`."
                )
            if hosts.get(db, hello.host_id) is None:
                if not local:
                    raise errors.Forbidden(
                        f"The host {hello.name} has been removed or has never enrolled: make a token with `higgins host token` and join with it."
                    )
                hosts.register(
                    db,
                    Host(
                        id=hello.host_id,
                        name=hello.name,
                        created_at=now,
                        availability_zone=hello.availability_zone,
                        inventory=hello.inventory,
                    ),
                )
            return hosts.connected(
                db,
                hello.host_id,
                name=hello.name,
                availability_zone=hello.availability_zone,
                inventory=hello.inventory,
                now=now,
            )

        session = await self._database.write(work)
        self._hints.host_watch.ring()
        self._hints.placer.ring()
        return session

    async def heard(self, host_id: HostId, session: int, inventory: Inventory) -> bool:
        """The agent lives. False if another session of the same host has taken over."""
        now = self._clock()

        def work(db: Connection) -> tuple[bool, bool]:
            before = hosts.get(db, host_id)
            news = (
                before is None
                or (before.down and not before.forced_down)
                or (before.inventory is not None and before.inventory.trouble != inventory.trouble)
            )
            return hosts.heard(db, host_id, session, inventory, now), news

        current, news = await self._database.write(work)
        if news:
            self._hints.host_watch.ring()
            self._hints.placer.ring()
        return current

    async def work(
        self, host_id: HostId, among: Sequence[CapsuleId] | None = None, *, bare: bool = False
    ) -> Sequence[Work]:
        """What is assigned to a host, or what of these capsules is; `bare`: without what lies in their files, which may be much."""

        def read(db: Connection) -> tuple[Sequence[Capsule], Mapping[FileId, bytes]]:
            found = capsules.on_host(db, host_id, among)
            filled = () if bare else [capsule.id for capsule in found if [*capsule.spec.files()]]
            return found, volumes.contents(db, filled)

        found, contents = await self._database.read(read)
        # Every host gets the credentials that its own containers need, and only those.
        named = {one.registry for capsule in found for one in capsule.spec.all() if one.registry is not None}
        logins = await self._registries.logins(named) if self._registries is not None else {}
        return [_work(capsule, logins, contents) for capsule in found]

    async def gone_volumes(self, host_id: HostId, idle: Sequence[VolumeId]) -> Sequence[VolumeId]:
        """Those of these that have no place on the host any more."""
        return await self._database.read(lambda db: volumes.gone(db, host_id, idle)) if idle else ()

    async def report(self, host_id: HostId, session: int, findings: Sequence[Finding]) -> None:
        """Store what a host found out. What is older than what is stored, or from an assignment that is gone, changes nothing."""
        now = self._clock()

        def work(db: Connection) -> list[Capsule]:
            return [capsule for finding in findings if (capsule := self._stored(db, host_id, session, finding, now))]

        for capsule in await self._database.write(work):
            self._hints.seen(capsule.id)
            # Its host has to hear what it did not ask for: that it is to be removed, forgotten, or as before again.
            if capsule.spec.desired is Desired.DELETED or capsule.spec.refused is not None:
                self._hints.changed(capsule)

    def _stored(self, db: Connection, host_id: HostId, session: int, finding: Finding, now: float) -> Capsule | None:
        status = finding.status
        reported = capsules.write_status(
            db,
            finding.capsule_id,
            status,
            host_id=host_id,
            epoch=finding.epoch,
            session=session,
            sequence=finding.sequence,
            now=now,
        )
        if reported is None:
            return None
        if forgetting.due(reported):
            forgetting.forget(db, reported)
            return reported
        if status.steps:
            actions.tell(db, reported.id, status.acting, status.steps)
        if status.settled:
            outcome = Outcome.ERROR if status.failed else Outcome.SUCCESS
            actions.close(db, reported.id, upto=status.generation, outcome=outcome, message=status.reason, now=now)
        if status.kept and status.generation == reported.spec.generation:
            reason, deadline = status.reason or "", now + self._deadlines.stop
            reported = retraction.take_back(db, reported, reason, deadline=deadline, now=now)
        if _used_up(reported):
            wanted = replace(reported.spec, desired=Desired.DELETED, stop_timeout=0)
            reported = capsules.write_spec(db, reported, wanted, deadline=now + self._deadlines.delete, now=now)
        return reported

    async def invite(self, digest: str, lifetime: float) -> None:
        """One host that shows the secret with this digest may enrol within `lifetime` seconds."""
        await self._database.write(lambda db: hosts.invite(db, digest, self._clock() + lifetime))

    async def consume(self, digest: str, host_id: HostId, name: str) -> bool:
        """Use an invitation up and make the host known. False if the invitation is unknown, used or expired.

        Raises Conflict, and uses nothing up, if another host has the name.
        """
        now = self._clock()

        def work(db: Connection) -> bool:
            if not hosts.consume(db, digest, now):
                return False
            if hosts.named(db, name) is not None:
                raise errors.Conflict(
                    f"there is a host with the name {name} already: join under another name ([agent] name), or remove it first "
                    f"with `higgins host remove {name}`"
                )
            hosts.register(db, Host(id=host_id, name=name, created_at=now, down=True))
            return True

        return await self._database.write(work)

    async def known(self, host_id: HostId) -> bool:
        """Whether the host may open sessions: it has enrolled and was not removed."""
        return await self._database.read(lambda db: hosts.get(db, host_id)) is not None

    async def list(self) -> Sequence[Host]:
        return await self._database.read(hosts.every)

    async def set_enabled(self, name: str, *, enabled: bool, reason: str | None = None) -> Host:
        """Whether a host takes anything new. What it has stays."""

        def work(db: Connection) -> Host:
            host = _named(db, name)
            hosts.write_enabled(db, host.id, enabled=enabled, reason=None if enabled else reason)
            return replace(host, enabled=enabled, disabled_reason=None if enabled else reason)

        host = await self._database.write(work)
        self._hints.placer.ring()
        return host

    async def set_forced_down(self, name: str, *, forced: bool) -> Host:
        """Whether a host counts as down whatever its agent says. Taken back, it is up unless it is silent."""

        def work(db: Connection) -> Host:
            host = _named(db, name)
            hosts.write_forced_down(db, host.id, forced=forced)
            return replace(host, forced_down=forced, down=forced)

        host = await self._database.write(work)
        self._hints.host_watch.ring()
        self._hints.placer.ring()
        return host

    async def remove(self, name: str) -> None:
        """Forget a host; its certificate is worth nothing from then on. Raises Conflict while containers are assigned to it, or
        volumes lie on it."""

        def work(db: Connection) -> None:
            host = _named(db, name)
            count = hosts.occupants(db, host.id)
            if count:
                raise errors.Conflict(f"{count} containers are assigned to the host {name}; delete them first.")
            if lying := volumes.lying(db, host.id):
                raise errors.Conflict(f"{lying} volumes lie on the host {name}, and would be lost; delete them first.")
            hosts.remove(db, host.id)

        await self._database.write(work)


def _work(capsule: Capsule, logins: Mapping[RegistryId, Login], contents: Mapping[FileId, bytes]) -> Work:
    named = {one.registry for one in capsule.spec.all()}
    return Work(
        capsule_id=capsule.id,
        project_id=capsule.project_id,
        epoch=capsule.assignment.epoch,
        spec=capsule.spec,
        status=capsule.status,
        ports=capsule.assignment.ports,
        attachments=capsule.assignment.attachments,
        logins={registry_id: login for registry_id, login in logins.items() if registry_id in named},
        volumes=capsule.assignment.volumes,
        files={file_id: contents[file_id] for file_id in capsule.spec.files() if file_id in contents},
    )


def _used_up(capsule: Capsule) -> bool:
    """Asked to vanish once it has run, and it has."""
    spec, status = capsule.spec, capsule.status
    if not spec.auto_remove or spec.desired not in (Desired.RUNNING, Desired.STOPPED):
        return False
    if not status.settled or status.failed:
        return False
    if status.generation != spec.generation:
        return False
    seen = [status.containers[container.id] for container in spec.containers if container.id in status.containers]
    return bool(seen) and all(_is_over(one) for one in seen)


def _is_over(known: ContainerStatus) -> bool:
    """It has run, and ended for good; perhaps somebody has removed its remains since."""
    seen = known.observed
    if seen is None or known.waiting or known.interrupted:
        return False
    return seen.stage is Stage.EXITED or (seen.stage is Stage.ABSENT and seen.finished_at is not None)


def _named(db: Connection, name: str) -> Host:
    host = hosts.named(db, name)
    if host is None:
        raise errors.NotFound(f"There is no host with the name {name}; `higgins host list` shows them all.")
    return host
