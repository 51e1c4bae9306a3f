"""The quota: how much a project may have in all, and how much counts towards that."""

from dataclasses import dataclass, field

UNLIMITED = -1
"""As a limit: none."""
DEFAULT_CLASS = "default"
"""The quota class whose limits hold for every project that has none of its own. Others are kept, and hold for nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The most that a project may have: containers, MiB of memory, GiB of disk, cores."""

    containers: int = UNLIMITED
    memory: int = UNLIMITED
    disk: int = UNLIMITED
    cpu: int = UNLIMITED


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """The most that a project may have of what is no container. It is configured, and every project's: no quota and no class of the API has it."""

    networks: int = UNLIMITED
    """Of its own: those that every project may use count for none."""
    security_groups: int = UNLIMITED
    volumes: int = UNLIMITED
    published_ports: int = UNLIMITED
    """Of all its containers and capsules together, wherever they are, and whether they have a host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Belongings:
    """How many of these a project has, or asks for."""

    networks: int = 0
    security_groups: int = 0
    volumes: int = 0
    published_ports: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """Limits of a project's own, or of a class; None: as for everybody."""

    containers: int | None = None
    memory: int | None = None
    disk: int | None = None
    cpu: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What counts towards the limits. What is unlimited in a container counts as nothing."""

    containers: int = 0
    memory: int = 0
    disk: int = 0
    microcores: int = 0
    """Millionths of a core: ten times a tenth is one, also after a thousand additions and subtractions."""

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            containers=self.containers + other.containers,
            memory=self.memory + other.memory,
            disk=self.disk + other.disk,
            microcores=self.microcores + other.microcores,
        )

    def __sub__(self, other: "Usage") -> "Usage":
        return Usage(
            containers=self.containers - other.containers,
            memory=self.memory - other.memory,
            disk=self.disk - other.disk,
            microcores=self.microcores - other.microcores,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """How a project stands."""

    limits: Limits
    """Those in force: its own, else those of the default class, else those of the configuration."""
    used: Usage = field(default_factory=Usage)
