"""Writing down something new: a container or a capsule, with all that belongs to it, or nothing of it."""

import random
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network

from higgins import errors
from higgins.logic import forecast, openings
from higgins.logic.forecast import Forecast
from higgins.logic.placement import Ratios
from higgins.logic.quota import counted
from higgins.model.action import Action
from higgins.model.capsule import Capsule, CapsuleSpec, Container, Kind, PullPolicy, Resources
from higgins.model.event import Filter
from higgins.model.identity import Caller
from higgins.model.ids import CapsuleId, ContainerId, HostId, ProjectId, RegistryId, RequestId
from higgins.model.network import PortRange
from higgins.model.quota import Allowance, Belongings, Limits
from higgins.model.volume import Storage, Volume
from higgins.service.hints import Hints
from higgins.service.limits import Deadlines
from higgins.service.networks import NetworkNamed, offered, wishes
from higgins.service.registries import Sources
from higgins.service.security_groups import check_rules, resolved
from higgins.store import actions, belongings, capsules, events, hosts, quotas, registries, security_groups, volumes
from higgins.store.database import Connection, Database

_GREEK = (
    *("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu"),
    *("nu", "xi", "omicron", "pi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega"),
)
_NUMBERS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Customs:
    """What the operator has decided about containers."""

    deadlines: Deadlines = field(default_factory=Deadlines)
    pull: PullPolicy = PullPolicy.IF_NOT_PRESENT
    """For containers that do not say when their image is fetched."""
    unique_names: str = ""
    """Within what a name may be used once: `project`, `global`, or nothing."""
    sources: Sources = field(default_factory=Sources)
    """From which registries images may come."""
    ratios: Ratios = field(default_factory=Ratios)
    """How much more than it has a host may be asked for."""
    limits: Limits = field(default_factory=Limits)
    """How much a project may have for which nothing else was said."""
    allowance: Allowance = field(default_factory=Allowance)
    """How much every project may have of what is no container."""
    least: Resources = field(default_factory=Resources)
    """How little can be asked for."""
    host_ports: PortRange = openings.CHOOSABLE
    """Which ports of a host can be asked for."""
    networks: IPv4Network | None = None
    """Where new networks get their subnets from; None: containers are on no networks but those that runtimes have by themselves."""


class Creation:
    """What containers and capsules have in common when they are made."""

    def __init__(self, database: Database, hints: Hints, customs: Customs, clock: Callable[[], float]) -> None:
        self._database = database
        self._hints = hints
        self._customs = customs
        self._clock = clock

    async def write_down(
        self,
        caller: Caller,
        request: RequestId,
        asked: Capsule,
        *,
        within: float,
        again: bool,
        storage: Storage,
        networks: Sequence[NetworkNamed] = (),
        groups: Sequence[str] = (),
    ) -> Capsule:
        """What is asked for is to be there in so many seconds. A container without a name gets one; a capsule need not have any.

        `again` says that the same request, with the same id, may have been here before; then Conflict if what it made is gone since. Raises
        NotFound for an unknown host or volume, Conflict for a name that is taken where names are unique, or volumes that lie apart, Forbidden for
        an image from where none may come,
        and, with the code `over-quota`, if the project may not have so much; for `networks` what `wishes` raises. `groups` are the names or ids of
        security groups: Invalid for an unknown one.
        """
        now, spec = asked.created_at, asked.spec
        capsule = replace(
            asked,
            spec=replace(spec, containers=self._completed(spec.containers), init=self._completed(spec.init)),
            deadline=now + within,
        )

        def work(db: Connection) -> Capsule:
            if again and (made := _made_before(db, capsule, request)):
                return made
            self._check_place_and_name(db, capsule)
            nameless = capsule.kind is Kind.CONTAINER and not capsule.name
            created = replace(capsule, name=self._generated(db, caller.project_id)) if nameless else capsule
            created = replace(created, spec=self._wired(db, created, networks))
            created = replace(created, spec=self._opened(db, created, groups))
            self._check_belongings(db, created, storage)
            capsules.insert(db, created, now + within, within=self._customs.limits)
            security_groups.use(db, created.id, created.spec.security_groups)
            registries.use(db, created.id, _named_by(created.spec))
            self._check_volumes(db, created, storage)
            _store(db, created, storage)
            self.check_sources(db, created.spec)
            actions.insert(db, opened(caller, request, created, "create", now))
            return created

        created = await self._database.write(work)
        self._hints.changed(created)
        return created

    async def foretell(
        self, asked: Capsule, storage: Storage, *, networks: Sequence[NetworkNamed] = (), groups: Sequence[str] = ()
    ) -> Forecast:
        """What would become of it. Writes nothing, and raises what `write_down` would raise now."""

        def work(db: Connection) -> Forecast:
            wired = replace(asked, spec=self._wired(db, asked, networks, dry=True))
            self._check_place_and_name(db, asked)
            self._check_belongings(db, asked, storage)
            quotas.check(db, asked.project_id, counted(asked), self._customs.limits)
            self.check_sources(db, asked.spec)
            homes = self._check_volumes(db, asked, storage)
            spec = self._opened(db, wired, groups)
            there = hosts.every(db, ports=bool(spec.published))
            least, ratios = self._customs.least, self._customs.ratios
            return forecast.of(there, spec, ratios, least=least, homes=homes)

        return await self._database.read(work)

    def check_sources(self, db: Connection, spec: CapsuleSpec) -> None:
        """Raises Forbidden for an image from where none may come."""
        known = {stored.registry.id: stored.registry for stored in registries.every(db, _named_by(spec))}
        for one in spec.all():
            self._customs.sources.check(one.image, known.get(one.registry) if one.registry else None)

    def check_name(self, db: Connection, project: ProjectId, name: str, *, besides: CapsuleId | None) -> None:
        """Raises Conflict for one that is taken, where names are unique."""
        if name and self._is_taken(db, project, name, besides):
            raise errors.Conflict(
                f"A container with name {name.lower()} already exists.", code="container-already-exists"
            )

    def _check_place_and_name(self, db: Connection, asked: Capsule) -> None:
        host = asked.spec.host
        if host is not None and hosts.named(db, host) is None:
            raise errors.NotFound(f"The requested host {host} could not be found.", code="requested-host-not-found")
        self.check_name(db, asked.project_id, asked.name, besides=None)

    def _check_volumes(self, db: Connection, asked: Capsule, storage: Storage) -> frozenset[HostId]:
        """The hosts on which its volumes lie: one at most. Raises NotFound for a volume that its project does not have, Conflict for several that no
        host has together."""
        wanted = set(asked.spec.volumes()) - {one.id for one in storage.volumes}
        found = [one for one in volumes.every(db, wanted) if one.project_id == asked.project_id]
        for volume_id in wanted - {one.id for one in found}:
            raise volumes.missing(volume_id)
        homes = frozenset(one.host_id for one in found if one.host_id is not None)
        if len(homes) > 1:
            raise errors.Conflict("The volumes lie on different hosts; no host can mount all of them.")
        return homes

    def _check_belongings(self, db: Connection, asked: Capsule, storage: Storage) -> None:
        """What comes along with it counts as if it had been asked for by itself. To be asked before any of it is there."""
        more = Belongings(volumes=len(storage.volumes), published_ports=len(asked.spec.published))
        belongings.check(db, asked.project_id, more, self._customs.allowance)

    def _wired(
        self, db: Connection, asked: Capsule, named: Sequence[NetworkNamed], *, dry: bool = False
    ) -> CapsuleSpec:
        """What is asked for, with the networks that it is to be on, and a sandbox that has them."""
        pool = self._customs.networks
        if pool is None and not named:
            return asked.spec
        wished = wishes(db, asked.project_id, named, offered(pool), asked.created_at, dry=dry)
        return replace(asked.spec, networks=wished, sandbox=asked.spec.sandbox or ContainerId(str(uuid.uuid4())))

    def _opened(self, db: Connection, asked: Capsule, groups: Sequence[str]) -> CapsuleSpec:
        """What is asked for, with the security groups of these names. Raises Invalid for an unknown one, for too many rules, and for openings where there
        are no networks, Conflict for a name that several have, Forbidden for a port of a host that nobody may choose."""
        spec = asked.spec
        named = (("security_groups", groups), ("exposed_ports", spec.exposed), ("published_ports", spec.published))
        if unheard := [name for name, asked_for in named if asked_for and not spec.networks]:
            raise errors.Invalid(
                f"Invalid input for field '{unheard[0]}'. This deployment offers no networks whose ports could be opened; leave it out.",
                code="schema-validation-error",
            )
        least, most = self._customs.host_ports.first, self._customs.host_ports.last
        for one in spec.published:
            if one.host_port and one.host_port not in self._customs.host_ports:
                raise errors.Forbidden(
                    f"Port {one.host_port} of a host cannot be chosen here: from {least} to {most} they can, and without a choice a free one is given.",
                    code="host-port-not-allowed",
                )
        ids = resolved(db, asked.project_id, groups)
        check_rules(db, ids)
        return replace(spec, security_groups=ids)

    def _completed(self, containers: tuple[Container, ...]) -> tuple[Container, ...]:
        return tuple(replace(one, pull=one.pull or self._customs.pull) for one in containers)

    def _is_taken(self, db: Connection, project: ProjectId, name: str, besides: CapsuleId | None) -> bool:
        scope = self._customs.unique_names
        return bool(scope) and capsules.taken(db, project if scope == "project" else None, name, besides)

    def _generated(self, db: Connection, project: ProjectId) -> str:
        """A name that nobody chose is never refused: with every try there are more to draw from."""
        most = _NUMBERS
        while True:
            name = f"{drawn(most)}-container"
            if not self._is_taken(db, project, name, None):
                return name
            most *= 2


def drawn(most: int = _NUMBERS) -> str:
    """A letter and one of so many numbers, as Zun names what nobody named."""
    return f"{random.choice(_GREEK)}-{random.randint(1, most)}"


def opened(caller: Caller, request: RequestId, capsule: Capsule, verb: str, now: float) -> Action:
    """The action of what has just been asked for."""
    return Action(
        request_id=request,
        capsule_id=capsule.id,
        project_id=caller.project_id,
        user_id=caller.user_id,
        verb=verb,
        generation=capsule.spec.generation,
        started_at=now,
    )


def _store(db: Connection, capsule: Capsule, storage: Storage) -> None:
    """What its mounts need, made along with it, and that it uses it."""
    for one in storage.volumes:
        volumes.insert(
            db,
            Volume(
                id=one.id,
                project_id=capsule.project_id,
                user_id=capsule.user_id,
                size=one.size,
                auto_remove=one.auto_remove,
                created_at=capsule.created_at,
            ),
        )
    volumes.use(db, capsule.id, capsule.project_id, capsule.spec.volumes())
    volumes.write_files(db, capsule.id, storage.files)


def _named_by(spec: CapsuleSpec) -> Sequence[RegistryId]:
    return [one.registry for one in spec.all() if one.registry is not None]


def _made_before(db: Connection, capsule: Capsule, request: RequestId) -> Capsule | None:
    if actions.known(db, capsule.id, request):
        return capsules.get(db, capsule.id)
    gone = Filter(containers=(capsule.id,), kinds=("gone",))
    if events.after(db, capsule.project_id, 0, gone, most=1):
        raise errors.Conflict(f"The {capsule.kind} {capsule.id}, which this request made, has been deleted since.")
    return None
