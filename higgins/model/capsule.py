"""The capsule, the unit that is placed and reconciled, and its three sides: spec, assignment, status.

Times are seconds since the epoch, memory is in MiB, disk in GiB, CPU in cores.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from higgins.model.action import Step
from higgins.model.ids import (
    CapsuleId,
    ContainerId,
    FileId,
    HostId,
    ProjectId,
    RegistryId,
    SecurityGroupId,
    UserId,
    VolumeId,
)
from higgins.model.network import NetworkWish, Port, Published
from higgins.model.volume import Attachment, Mount


class Kind(StrEnum):
    """What the user asked for; a container alone is a capsule of one."""

    CONTAINER = "container"
    CAPSULE = "capsule"


class Desired(StrEnum):
    """The state that was asked for."""

    CREATED = "created"
    RUNNING = "running"
    STOPPED = "stopped"
    PAUSED = "paused"
    DELETED = "deleted"


class Stage(StrEnum):
    """Where a container stands in its runtime."""

    ABSENT = "absent"
    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    EXITED = "exited"


class PullPolicy(StrEnum):
    """When an image is fetched."""

    ALWAYS = "always"
    IF_NOT_PRESENT = "ifnotpresent"
    NEVER = "never"


class RestartName(StrEnum):
    """When a container whose command ended is started again."""

    NO = "no"
    ALWAYS = "always"
    ON_FAILURE = "on-failure"
    UNLESS_STOPPED = "unless-stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartPolicy:
    """When, and how often at most, a container is started again by itself."""

    name: RestartName = RestartName.NO
    maximum: int = 0
    """For `on-failure`: so many tries; 0 means without end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Healthcheck:
    """How a runtime finds out whether a container does its work. Times are whole seconds; None: the runtime's own default."""

    test: str
    """A command line for the container's shell; an exit code of 0 says that all is well."""
    interval: int | None = None
    timeout: int | None = None
    retries: int | None = None
    """So many failures in a row make it unhealthy."""


class Condition(StrEnum):
    """What the health check of a container says."""

    STARTING = "starting"
    """It has not been checked yet, or has only failed while it was still starting."""
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The result of the last health checks."""

    condition: Condition
    failures: int = 0
    """So many in a row until now."""
    output: str | None = None
    """What the last one printed, at most its last 1,024 characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """An amount of what a host has and a container takes; 0 means none, or no limit."""

    cpu: float = 0.0
    memory: int = 0
    disk: int = 0

    def __add__(self, other: "Resources") -> "Resources":
        return Resources(cpu=self.cpu + other.cpu, memory=self.memory + other.memory, disk=self.disk + other.disk)

    def __sub__(self, other: "Resources") -> "Resources":
        return Resources(cpu=self.cpu - other.cpu, memory=self.memory - other.memory, disk=self.disk - other.disk)

    def beyond(self, other: "Resources") -> "Resources":
        """What this has more of than the other."""
        more = self - other
        return Resources(cpu=max(0.0, more.cpu), memory=max(0, more.memory), disk=max(0, more.disk))


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerPort:
    """A port that a container says it listens on. Opens nothing by itself."""

    number: int
    protocol: str = "tcp"
    """In small letters: tcp or udp."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """One container as it was asked for. Once created only its limits change and, by a rebuild, its image."""

    id: ContainerId
    name: str
    image: str
    pull: PullPolicy | None = None
    """None: as the service is configured."""
    image_driver: str | None = None
    registry: RegistryId | None = None
    """Whose address and credentials are used for the image; None: what the image's name says, without any."""
    command: tuple[str, ...] | None = None
    """None: what the image says. The same for the entrypoint."""
    entrypoint: tuple[str, ...] | None = None
    environment: Mapping[str, str] | None = None
    labels: Mapping[str, str] | None = None
    workdir: str | None = None
    hostname: str | None = None
    tty: bool = False
    interactive: bool = False
    privileged: bool = False
    limits: Resources = field(default_factory=Resources)
    cpu_policy: str = "shared"
    restart: RestartPolicy | None = None
    """None: never, and nothing was said about it."""
    healthcheck: Healthcheck | None = None
    """None: what the image says."""
    ports: tuple[ContainerPort, ...] = ()
    """On top of those that the image says."""
    mounts: tuple[Mount, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Former:
    """How a container alone stood before a change that its host may find impossible; then that is asked for again."""

    desired: Desired
    restarts: int
    rebuilds: int
    """Fewer than asked for now: the change is a rebuild."""
    image: str
    limits: Resources
    networks: tuple[NetworkWish, ...] = ()
    security_groups: tuple[SecurityGroupId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CapsuleSpec:
    """What was asked for. Written only by the service, on behalf of a caller."""

    containers: tuple[Container, ...]
    init: tuple[Container, ...] = ()
    """Run one after another to completion before the others start."""
    sandbox: ContainerId | None = None
    """What holds the network, the IPC namespace and the host name that they share; None: the only one has its own."""
    desired: Desired
    restarts: int = 0
    """How many fresh starts have been asked for; a start and a reboot add one."""
    rebuilds: int = 0
    """How often it was asked to be made anew from its image."""
    stop_timeout: int = 10
    """Seconds between asking a container to stop and killing it; 0 kills at once."""
    force: bool = False
    """Of a delete: forget it at the deadline even if its host cannot be asked; what is left there is removed when it answers."""
    auto_remove: bool = False
    auto_heal: bool = False
    runtime: str | None = None
    """The handler inside the runtime driver (runc, crun, runsc); None: the host's default."""
    availability_zone: str | None = None
    host: str | None = None
    """The name of the only host that will do, where one was named."""
    hints: Mapping[str, str] | None = None
    labels: Mapping[str, str] | None = None
    """Of the capsule; its containers have their own. The same for the annotations."""
    annotations: Mapping[str, str] | None = None
    networks: tuple[NetworkWish, ...] = ()
    """Empty: whatever network the host's runtime gives by itself."""
    security_groups: tuple[SecurityGroupId, ...] = ()
    """What they allow may come in. With none of them, and nothing exposed, all that comes from its networks."""
    exposed: tuple[ContainerPort, ...] = ()
    """What may come in besides, from wherever it is reached: a group of its own that goes with it."""
    published: tuple[Published, ...] = ()
    """The ports of its host that are to lead to it. What comes through them is let in whatever its groups say."""
    attachments: int = 0
    """How often other networks have been asked for since it was made."""
    waived: int = 0
    """The rebuild that has been taken back: what was made for an earlier one will do."""
    former: Former | None = None
    """What the last change falls back to, while nobody knows whether it is possible."""
    refused: str | None = None
    """Why the last change was impossible, and has been taken back."""
    generation: int = 1
    """Grows by one with every change."""

    def all(self) -> Iterator[Container]:
        """Every container, those that run first coming first."""
        yield from self.init
        yield from self.containers

    def volumes(self) -> Iterator[VolumeId]:
        """Those that are mounted somewhere in it, each once."""
        mounts = (mount for container in self.all() for mount in container.mounts)
        yield from dict.fromkeys(mount.volume for mount in mounts if mount.volume is not None)

    def files(self) -> Iterator[FileId]:
        """Those whose content is mounted somewhere in it."""
        mounts = (mount for container in self.all() for mount in container.mounts)
        yield from (mount.file for mount in mounts if mount.file is not None)

    def ids(self) -> Iterator[ContainerId]:
        """All that a runtime may have of it; the sandbox comes last."""
        yield from (container.id for container in self.all())
        if self.sandbox is not None:
            yield self.sandbox

    def outdates(self, found: "Observation") -> bool:
        """Whether a rebuild has been asked for since this one was made."""
        return found.rebuilds < self.rebuilds != self.waived

    def claim(self) -> Resources:
        """What a host must have free: the init containers run alone, the others side by side."""
        together = sum((container.limits for container in self.containers), Resources())
        alone = [container.limits for container in self.init]
        return Resources(
            cpu=max([together.cpu, *(limits.cpu for limits in alone)]),
            memory=max([together.memory, *(limits.memory for limits in alone)]),
            disk=together.disk + sum(limits.disk for limits in alone),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenUp:
    """The control plane stopped waiting for a generation of the spec, and why."""

    generation: int
    reason: str


class Provision(StrEnum):
    """How far what a host cannot give by itself has been allotted."""

    NONE = "none"
    """Nothing is needed."""
    WANTED = "wanted"
    """It has to be allotted before the host is told; some of it may be."""
    HELD = "held"
    """All is allotted."""
    RELEASED = "released"
    """All has been given back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """What the control plane allotted. Written only by the control plane."""

    host_id: HostId | None = None
    epoch: int = 0
    """Grows with every assignment to a host; a newer one fences the older."""
    claim: Resources = field(default_factory=Resources)
    """What is booked on that host."""
    provision: Provision = Provision.NONE
    ports: tuple[Port, ...] = ()
    volumes: tuple[Attachment, ...] = ()
    attachments: int = 0
    """The spec's counter that the ports answer."""
    published: tuple[Published, ...] = ()
    """The ports of the host that are claimed for it, one for each that is asked for, in their order."""
    given_up: GivenUp | None = None
    host_lost: bool = False
    """The host has fallen silent; what its containers do is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One container as its runtime shows it."""

    container_id: ContainerId
    capsule_id: CapsuleId
    epoch: int
    """Of the assignment that it was made for."""
    restarts: int = 0
    """The restart counter that it was created for."""
    rebuilds: int = 0
    """The rebuild counter that it was created for."""
    stage: Stage
    exit_code: int | None = None
    error: str | None = None
    """What the runtime says went wrong, in its words."""
    leaving: bool = False
    """The runtime is removing it, or failed to: it can never start again."""
    oom_killed: bool = False
    pid: int | None = None
    """Of its first process, on its host; None where it does not run, or the runtime is elsewhere."""
    started_at: float | None = None
    finished_at: float | None = None
    image: str | None = None
    """The digest of the image that it was made from."""
    hostname: str | None = None
    ports: tuple[int, ...] = ()
    command: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    limits: Resources | None = None
    """What the runtime holds it to; None where the runtime does not tell. Without the disk, which never changes."""
    health: Health | None = None
    """None: nothing checks it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far the fetching of an image is."""

    layers: int = 0
    layers_done: int = 0
    size: int = 0
    """Bytes in all, as far as it is known yet."""
    done: int = 0
    """Bytes of them that are here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerStatus:
    """What a host knows of one container: what it saw last, and how far it got with what was asked."""

    observed: Observation | None = None
    """As last seen; kept, with the stage absent, when the runtime lost it."""
    restarts: int = 0
    """The restart counter that the present run answers."""
    attempts: int = 0
    """Starts in a row that the restart policy caused."""
    waiting: bool = False
    """It ended, and the restart policy will start it again in a while."""
    interrupted: bool = False
    """Its run did not end by itself: the runtime went away and took it along."""
    healing: bool = False
    """It stayed unhealthy and is being made again, because its owner asked for that."""
    heals: int = 0
    """How often in a row that did not help for long."""
    prepared: int = 0
    """The rebuild for which everything is at hand, so that what is there may be removed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CapsuleStatus:
    """What the host found. Written only when an agent reports."""

    generation: int = 0
    """The generation of the spec that was acted on."""
    settled: bool = False
    """Nothing is left to do for that generation, or nothing can be done."""
    containers: Mapping[ContainerId, ContainerStatus] = field(default_factory=dict)
    reason: str | None = None
    """Why the last step failed, while it has not succeeded."""
    failed: bool = False
    """The failure is permanent: the host waits for another generation."""
    kept: bool = False
    """What failed was only to change what is there, which the host keeps going as it is."""
    activity: str | None = None
    """What the host is doing just now."""
    progress: Progress | None = None
    """Of the image that is being fetched just now."""
    acting: int = 0
    """The generation that it works on, or has acted on last."""
    steps: tuple[Step, ...] = ()
    """What the host did for that one until it had settled, the oldest first; the newest few when there were many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capsule:
    """One capsule with its three sides."""

    id: CapsuleId
    project_id: ProjectId
    user_id: UserId
    name: str
    kind: Kind
    created_at: float
    updated_at: float | None = None
    spec: CapsuleSpec
    assignment: Assignment = field(default_factory=Assignment)
    status: CapsuleStatus = field(default_factory=CapsuleStatus)
    host: str | None = None
    """The name of the assigned host, filled in on reading."""
    deadline: float | None = None
    """When what is pending counts as failed; None while nothing is. Filled in on reading."""

    @property
    def owed(self) -> bool:
        """Whether something has to be allotted to it, or will have to be given back once its host has let go of it."""
        match self.assignment.provision:
            case Provision.WANTED:
                return True
            case Provision.HELD if self.assignment.host_id is None or self.spec.desired is Desired.DELETED:
                return True
            case Provision.HELD:
                return self.assignment.attachments != self.spec.attachments and not self._given_up
            case _:
                return False

    @property
    def _given_up(self) -> bool:
        given_up = self.assignment.given_up
        return given_up is not None and given_up.generation == self.spec.generation

    @property
    def settled(self) -> bool:
        """Whether its host has done what is asked for now, or failed at it."""
        return self.status.settled and self.acted_on

    @property
    def acted_on(self) -> bool:
        """Whether its host has settled on what is asked for now once, whatever has happened since."""
        return self.status.generation == self.spec.generation
