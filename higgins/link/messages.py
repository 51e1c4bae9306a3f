"""What a host and the control plane say to each other on a session.

The host opens the session with Hello and is answered with Welcome, everything that is assigned to it, and Whole, which says that this was all. After
that come increments. Any message may be lost, delayed or doubled; what makes that harmless stands at each one.
"""

import hashlib
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from higgins.model.capsule import CapsuleSpec, CapsuleStatus
from higgins.model.host import Inventory
from higgins.model.ids import CapsuleId, FileId, HostId, ProjectId, RegistryId, VolumeId
from higgins.model.live import LiveRequest
from higgins.model.network import Port
from higgins.model.registry import Login
from higgins.model.volume import Attachment


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One capsule assigned to a host."""

    capsule_id: CapsuleId
    project_id: ProjectId
    epoch: int
    spec: CapsuleSpec
    status: CapsuleStatus
    """As stored last: where an agent that has just started carries on."""
    ports: tuple[Port, ...] = ()
    """What was allotted to it for the networks that it asks for."""
    attachments: int = 0
    """The spec's counter that the ports answer: while it is behind, there will be others."""
    logins: Mapping[RegistryId, Login] = field(default_factory=dict)
    """The registries that its containers name."""
    volumes: tuple[Attachment, ...] = ()
    files: Mapping[FileId, bytes] = field(default_factory=dict, repr=False)
    """What lies at first in the files that its containers mount."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What the host found out about one capsule."""

    capsule_id: CapsuleId
    epoch: int
    sequence: int
    """Grows within a session; of two findings the one with the higher (session, sequence) is the newer."""
    status: CapsuleStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """The first message of a host."""

    host_id: HostId
    name: str
    availability_zone: str
    inventory: Inventory


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """The host lives. `known` is a digest of the (capsule, epoch, generation) that it works on: where it differs from what is assigned, Whole is sent again."""

    known: str
    inventory: Inventory
    idle: tuple[VolumeId, ...] = ()
    """The volumes that lie here and that nothing assigned uses: of those that exist no more the host is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The newest findings. Repeated until acknowledged."""

    findings: tuple[Finding, ...]


HostMessage = Hello | Heartbeat | Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcome:
    """The control plane's first message."""

    session: int
    heartbeat: float
    """Seconds between two heartbeats."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """All that is assigned to the host, which Changed of the same number has brought just before; what is not in it is torn down, unless a message with
    a higher number has brought it."""

    number: int
    """Grows within a session, in the order in which the rows were read."""
    capsules: tuple[CapsuleId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """Capsules that are new or have changed. Ignored for a capsule of which a message with a higher number has spoken."""

    number: int
    work: tuple[Work, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn:
    """Capsules that are not assigned to the host any more. The same guard as Changed."""

    number: int
    capsules: tuple[CapsuleId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """The findings with these sequences are stored, or superseded."""

    sequences: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """Volumes that have no place on the host any more, and never will have again: it removes what is left of them. So it does no harm when this comes
    late, or twice."""

    volumes: tuple[VolumeId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenCall:
    """Somebody waits for the answer to a live call: open a stream for it. Lost with the session; the caller is told."""

    call_id: str
    request: LiveRequest


ControlMessage = Welcome | Whole | Changed | Withdrawn | Acknowledged | Gone | OpenCall


def roll(work: Iterable[Work]) -> str:
    """A digest of which capsules are worked on, and of which version of each: equal on both sides when both know the same."""
    lines = sorted(f"{one.capsule_id} {one.epoch} {one.spec.generation} {one.attachments}\n" for one in work)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


Out = TypeVar("Out", contravariant=True)
In = TypeVar("In", covariant=True)


class Channel(Protocol[Out, In]):
    """One end of a session. gRPC gives the real one; tests have one that loses, doubles and reorders."""

    async def send(self, message: Out) -> None:
        """Hand a message to the wire. Raises Unavailable when the session is over."""
        ...

    def __aiter__(self) -> AsyncIterator[In]:
        """The messages of the other end, until the session is over; then it ends or raises Unavailable."""
        ...


HostChannel = Channel[HostMessage, ControlMessage]
"""The host's end."""
ControlChannel = Channel[ControlMessage, HostMessage]
"""The control plane's end."""
