"""The documents of the Docker Engine API, as far as they are read. What Go leaves empty may be null or missing."""

from datetime import datetime

import msgspec

from higgins.model.capsule import Condition, Health, Stage

_STAGES = {
    "created": Stage.CREATED,
    "running": Stage.RUNNING,
    "restarting": Stage.RUNNING,
    "paused": Stage.PAUSED,
    "exited": Stage.EXITED,
    # Still there, and only a removal helps; which is also what waits for a removal that is under way.
    "removing": Stage.EXITED,
    "dead": Stage.EXITED,
}


_CONDITIONS = {"starting": Condition.STARTING, "healthy": Condition.HEALTHY, "unhealthy": Condition.UNHEALTHY}


class Checked(msgspec.Struct, frozen=True):
    """One health check."""

    output: str = msgspec.field(name="Output", default="")


class Checks(msgspec.Struct, frozen=True):
    """What the last health checks found."""

    status: str = msgspec.field(name="Status", default="none")
    failures: int = msgspec.field(name="FailingStreak", default=0)
    log: list[Checked] | None = msgspec.field(name="Log", default=None)

    @property
    def told(self) -> Health | None:
        """The same in our words."""
        condition = _CONDITIONS.get(self.status)
        if condition is None:
            return None
        return Health(
            condition=condition, failures=self.failures, output=self.log[-1].output[-1024:] if self.log else None
        )


class State(msgspec.Struct, frozen=True):
    """Where a container stands."""

    status: str = msgspec.field(name="Status")
    exit_code: int = msgspec.field(name="ExitCode", default=0)
    error: str = msgspec.field(name="Error", default="")
    oom_killed: bool = msgspec.field(name="OOMKilled", default=False)
    started_at: str = msgspec.field(name="StartedAt", default="")
    finished_at: str = msgspec.field(name="FinishedAt", default="")
    process: int = msgspec.field(name="Pid", default=0)
    """Its first, on the engine's machine; 0: none."""
    health: Checks | None = msgspec.field(name="Health", default=None)

    @property
    def stage(self) -> Stage:
        """What that is in our words."""
        return _STAGES.get(self.status, Stage.EXITED)

    @property
    def running(self) -> bool:
        """It has processes, if only frozen ones."""
        return self.stage in (Stage.RUNNING, Stage.PAUSED)

    @property
    def leaving(self) -> bool:
        """It was told to remove it, by whomever."""
        return self.status in ("removing", "dead")

    @property
    def started(self) -> float | None:
        """When it was last started; None: never."""
        return _epoch(self.started_at)

    @property
    def finished(self) -> float | None:
        """When it last ended; None: never."""
        return _epoch(self.finished_at)


class Configured(msgspec.Struct, frozen=True):
    """What a container was made from."""

    labels: dict[str, str] | None = msgspec.field(name="Labels", default=None)
    hostname: str = msgspec.field(name="Hostname", default="")
    tty: bool = msgspec.field(name="Tty", default=False)
    interactive: bool = msgspec.field(name="OpenStdin", default=False)
    command: list[str] | None = msgspec.field(name="Cmd", default=None)
    entrypoint: list[str] | None = msgspec.field(name="Entrypoint", default=None)
    ports: dict[str, object] | None = msgspec.field(name="ExposedPorts", default=None)


class Host(msgspec.Struct, frozen=True):
    """What a container may take of its host."""

    quota: int = msgspec.field(name="CpuQuota", default=0)
    memory: int = msgspec.field(name="Memory", default=0)


class Inspected(msgspec.Struct, frozen=True):
    """One container, looked at closely."""

    id: str = msgspec.field(name="Id")
    image: str = msgspec.field(name="Image")
    state: State = msgspec.field(name="State")
    config: Configured = msgspec.field(name="Config")
    name: str = msgspec.field(name="Name", default="")
    """After a slash."""
    host: Host = msgspec.field(name="HostConfig", default_factory=Host)
    commands: tuple[str, ...] | None = msgspec.field(name="ExecIDs", default=None)
    """Of those that run in it besides its own."""
    hosts: str = msgspec.field(name="HostsPath", default="")
    """What it has for its /etc/hosts, on the engine's machine."""


class Listed(msgspec.Struct, frozen=True):
    """One container in a list."""

    labels: dict[str, str] = msgspec.field(name="Labels")
    status: str = msgspec.field(name="State")
    names: list[str] | None = msgspec.field(name="Names", default=None)
    """Its own, after a slash, and such as other containers have for it."""

    @property
    def name(self) -> str:
        """Its own."""
        return next((name[1:] for name in self.names or () if name.count("/") == 1), "")

    @property
    def state(self) -> State:
        """Where it stands, in a word."""
        return State(status=self.status)


class Actor(msgspec.Struct, frozen=True):
    """Whom an event is about."""

    attributes: dict[str, str] = msgspec.field(name="Attributes", default_factory=dict)


class Event(msgspec.Struct, frozen=True):
    """Something that happened."""

    actor: Actor = msgspec.field(name="Actor", default_factory=Actor)


class Image(msgspec.Struct, frozen=True):
    """One image that is there."""

    id: str = msgspec.field(name="Id")
    size: int = msgspec.field(name="Size", default=0)
    tags: list[str] | None = msgspec.field(name="RepoTags", default=None)
    digests: list[str] | None = msgspec.field(name="RepoDigests", default=None)


class Amount(msgspec.Struct, frozen=True):
    """How far something is, in bytes."""

    current: int = 0
    total: int = 0


class Fetching(msgspec.Struct, frozen=True):
    """One line of what a fetch tells of itself."""

    status: str = ""
    layer: str = msgspec.field(name="id", default="")
    amount: Amount = msgspec.field(name="progressDetail", default_factory=Amount)
    error: str | None = None


class Maker(msgspec.Struct, frozen=True):
    """A container, and what it is made of."""

    image: str = msgspec.field(name="ImageID", default="")
    name: str = msgspec.field(name="Image", default="")
    """As its maker wrote it; the id, if that name means something else by now."""


class Match(msgspec.Struct, frozen=True):
    """One image that a search found."""

    name: str
    description: str | None = None
    official: bool = msgspec.field(name="is_official", default=False)
    stars: int = msgspec.field(name="star_count", default=0)


class Trust(msgspec.Struct, frozen=True):
    """Whether a registry must prove who it is."""

    secure: bool = msgspec.field(name="Secure", default=True)


class Trusted(msgspec.Struct, frozen=True):
    """Which registries need not."""

    networks: list[str] | None = msgspec.field(name="InsecureRegistryCIDRs", default=None)
    domains: dict[str, Trust] | None = msgspec.field(name="IndexConfigs", default=None)


class Place(msgspec.Struct, frozen=True):
    """Where an engine keeps its images, and whence it takes them."""

    data_root: str = msgspec.field(name="DockerRootDir", default="")
    trusted: Trusted = msgspec.field(name="RegistryConfig", default_factory=Trusted)


class Made(msgspec.Struct, frozen=True):
    """What was just made."""

    id: str = msgspec.field(name="Id")


class Ran(msgspec.Struct, frozen=True):
    """How a command in a container ended."""

    running: bool = msgspec.field(name="Running", default=False)
    exit_code: int | None = msgspec.field(name="ExitCode", default=None)
    process: int = msgspec.field(name="Pid", default=0)
    """Its number on the engine's machine; 0: it never ran."""
    container: str = msgspec.field(name="ContainerID", default="")
    detach_keys: str | None = msgspec.field(name="DetachKeys", default=None)
    """In base64."""


class Told(msgspec.Struct, frozen=True):
    """What the engine tells of itself and its host."""

    version: str = msgspec.field(name="ServerVersion", default="")
    handlers: dict[str, object] | None = msgspec.field(name="Runtimes", default=None)
    default_handler: str = msgspec.field(name="DefaultRuntime", default="")
    cores: int = msgspec.field(name="NCPU", default=0)
    memory: int = msgspec.field(name="MemTotal", default=0)
    data_root: str = msgspec.field(name="DockerRootDir", default="")
    architecture: str = msgspec.field(name="Architecture", default="")
    os_type: str = msgspec.field(name="OSType", default="")
    os: str = msgspec.field(name="OperatingSystem", default="")
    kernel_version: str = msgspec.field(name="KernelVersion", default="")
    labels: list[str] | None = msgspec.field(name="Labels", default=None)
    containers: int = msgspec.field(name="Containers", default=0)


def _epoch(text: str) -> float | None:
    """Seconds since the epoch; None for the year 1, with which the engine says never."""
    if not text or text.startswith("0001-"):
        return None
    return datetime.fromisoformat(text).timestamp()
