"""What Higgins asks of a container runtime on a host.

`Runtime` is what every driver has. The others are capabilities: a driver that has one is an instance of the protocol, and the
host tells the control plane so before anything is placed there.

Every method may be cancelled and repeated. Failures are those of `higgins.errors`: Invalid and NotFound for what can never work as it was
asked, Unavailable for what may work later.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from higgins.model.capsule import Container, Observation
from higgins.model.host import Inventory
from higgins.model.ids import CapsuleId, ContainerId
from higgins.model.live import ExecResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """On whose behalf a container is made; kept by the runtime with the container."""

    capsule_id: CapsuleId
    project_id: str
    epoch: int
    restarts: int
    handler: str | None
    """The runtime inside the runtime; None: its default."""


@runtime_checkable
class Runtime(Protocol):
    """A place where containers run."""

    async def list(self, containers: Sequence[ContainerId] | None = None) -> Mapping[ContainerId, Observation]:
        """The containers named that are there, or, with None, all that carry our mark, whose stage and origin alone need be told then."""
        ...

    def watch(self) -> AsyncIterator[ContainerId]:
        """The containers of ours that may have changed, as it happens. A hint: some may be missing, some needless.

        Ends or raises when the runtime goes away.
        """
        ...

    async def create(self, origin: Origin, container: Container) -> None:
        """Make it, not started. Succeeds if it is there already. Raises NotFound with code `image-not-found` without its image."""
        ...

    async def start(self, container_id: ContainerId) -> None:
        """Succeeds if it already runs."""
        ...

    async def stop(self, container_id: ContainerId, timeout: int) -> None:
        """Ask it to end, kill it after `timeout` seconds. Succeeds if it does not run or does not exist."""
        ...

    async def remove(self, container_id: ContainerId) -> None:
        """Remove it and what it wrote, killing it if it runs. Succeeds if there is none."""
        ...

    async def inventory(self) -> Inventory:
        """What the host has and what this runtime can do. Raises Unavailable while the runtime does not answer."""
        ...


@runtime_checkable
class Pauses(Protocol):
    """Can freeze a container."""

    async def pause(self, container_id: ContainerId) -> None:
        """Succeeds if it is paused already."""
        ...

    async def unpause(self, container_id: ContainerId) -> None:
        """Succeeds if it runs."""
        ...


@runtime_checkable
class Signals(Protocol):
    """Can signal a container's first process."""

    async def kill(self, container_id: ContainerId, signal: str) -> None:
        """Raises Conflict if it does not run."""
        ...


@runtime_checkable
class Executes(Protocol):
    """Can run another command inside a container."""

    async def execute(self, container_id: ContainerId, command: Sequence[str], *, terminal: bool = False) -> ExecResult:
        """Run to the end. Cancelling stops the waiting, not the command. Raises Conflict if the container does not run."""
        ...


@runtime_checkable
class Logs(Protocol):
    """Keeps what a container prints."""

    def logs(
        self,
        container_id: ContainerId,
        *,
        stdout: bool,
        stderr: bool,
        timestamps: bool,
        tail: int | None,
        since: float | None,
    ) -> AsyncIterator[bytes]:
        """What was printed so far, in pieces, as it is read. Raises NotFound if the runtime has no such container."""
        ...


CAPABILITIES: Mapping[str, type] = {
    "pauses": Pauses,
    "signals": Signals,
    "executes": Executes,
    "logs": Logs,
}
"""The names under which hosts announce what they can do."""
