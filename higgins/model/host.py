"""The host: a place with a runtime and an agent."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from higgins.model.capsule import Resources
from higgins.model.ids import HostId
from higgins.model.network import HostPort

NETWORKS = "networks"
"""The capability of hosts that can attach containers to networks, whatever their runtime is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What an agent tells of its host."""

    runtime: str
    """The driver: docker."""
    runtime_version: str = ""
    handlers: tuple[str, ...] = ()
    """The runtimes inside it: runc, crun, runsc."""
    default_handler: str = ""
    capabilities: tuple[str, ...] = ()
    """Names of the capability protocols that the driver offers, and NETWORKS."""
    capacity: Resources = field(default_factory=Resources)
    architecture: str = ""
    os_type: str = ""
    os: str = ""
    kernel_version: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    containers: int = 0
    """All that the runtime knows, ours or not."""
    ports: tuple[HostPort, ...] = ()
    """Those that programs of the host have: nothing can be published there."""
    trouble: str | None = None
    """Why the runtime does not answer, while it does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """One host with its three sides."""

    id: HostId
    name: str
    created_at: float
    # Operator.
    enabled: bool = True
    disabled_reason: str | None = None
    forced_down: bool = False
    """Taken for down whatever its agent says."""
    availability_zone: str = "nova"
    # Control plane.
    allocated: Resources = field(default_factory=Resources)
    published: frozenset[HostPort] = frozenset()
    """Its ports that lead to capsules; filled in only where somebody asks for some."""
    down: bool = False
    # Agent.
    inventory: Inventory | None = None
    session: int = 0
    """Counts the times that its agent connected."""
    seen_at: float | None = None
    beats: int = 0
    """How often it has been heard of."""
    busy: frozenset[HostPort] = field(init=False, repr=False, compare=False)
    """Its ports that cannot lead to another capsule; put together once, because every capsule that is placed asks for them."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "busy", self.published.union(self.inventory.ports if self.inventory else ()))
