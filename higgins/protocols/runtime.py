"""What Higgins asks of a container runtime on a host.

`Runtime` is what every driver has. The others are capabilities: a driver that has one is an instance of the protocol, and the
host tells the control plane so before anything is placed there.

Every method may be cancelled and repeated. Failures are those of `higgins.errors`: Invalid and NotFound for what can never work as it was
asked, Unavailable for what may work later.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from higgins.model.capsule import Container, Observation, Resources
from higgins.model.host import Inventory
from higgins.model.ids import CapsuleId, ContainerId, ExecId
from higgins.model.live import ExecResult, ImageFacts, PathStat, Piece, Processes, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """On whose behalf a container is made; kept by the runtime with the container."""

    capsule_id: CapsuleId
    project_id: str
    epoch: int
    restarts: int
    handler: str | None
    """The runtime inside the runtime; None: its default."""
    rebuilds: int = 0
    sandbox: ContainerId | None = None
    """Whose network and host name the container shares; None: it has its own."""

    @property
    def alone(self) -> bool:
        """The sandbox is there for one container only, which keeps everything but the network to itself."""
        return self.sandbox is not None and CapsuleId(self.sandbox) != self.capsule_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A directory or a file of the host that is to be seen inside a container. The only ones that ever are."""

    source: str
    destination: str
    read_only: bool = False


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

    async def create(self, origin: Origin, container: Container, bound: Sequence[Bound] = ()) -> None:
        """Make it, not started, with what is bound into it besides the container's own tmpfs. Succeeds if it is there already. Raises NotFound with code
        `image-not-found` without its image."""
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
class Sandboxes(Protocol):
    """Can keep what containers share for as long as there are any, and a network for those that come and go."""

    async def create_sandbox(
        self, origin: Origin, sandbox: ContainerId, *, hostname: str | None = None, bare: bool = False
    ) -> None:
        """Make one, which may run at once. Succeeds if it is there already. It is listed, started, stopped and removed like a container.

        A container is created in one that is there, and started in one that runs; otherwise Unavailable is raised. A `bare` one has no network but
        what is plugged into it, others what the runtime gives.
        """
        ...

    async def introduce(self, sandbox: ContainerId, address: str) -> None:
        """Its host name leads those inside to this address. Does nothing where the runtime has no such thing, or the sandbox is gone."""
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

    async def launch(self, container_id: ContainerId, command: Sequence[str], *, terminal: bool = False) -> None:
        """Begin it, and leave it to itself, until it ends or its container does; it has no input, and nobody hears it. Raises Conflict if the container
        does not run, Invalid for a command that cannot be executed."""
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
        follow: bool = False,
    ) -> AsyncIterator[bytes]:
        """What was printed so far, in pieces, as it is read; with `follow` also what comes, until it ends. Raises NotFound if the runtime has no such
        container."""
        ...


class Talk(Protocol):
    """The input and output of something that runs."""

    def __aiter__(self) -> AsyncIterator[Piece]:
        """Its output, until it closes it. Read on only as the pieces are taken."""
        ...

    async def write(self, content: bytes) -> None:
        """Give it input. Returns when it has taken enough for more to fit; does nothing once it has ended."""
        ...

    async def close_input(self) -> None:
        """It reads the end of its input. Does nothing if that has happened."""
        ...

    async def exit_code(self) -> int | None:
        """How it ended, once its output is over; None if it runs on."""
        ...


@runtime_checkable
class Talks(Protocol):
    """Can connect somebody to what runs. Every byte passes: there are no keys to detach with."""

    def attach(
        self, container_id: ContainerId, *, stdin: bool, logs: bool, again: bool = False
    ) -> AbstractAsyncContextManager[Talk]:
        """To the container's own first process, also before it is started. Leaving the block lets it run on.

        With `logs` what it has printed before comes first; with `again` one that has ended waits for its next start. Raises Conflict if it does not
        run otherwise, and was not just made.
        """
        ...

    def enter(
        self, container_id: ContainerId, exec_id: ExecId, command: Sequence[str], *, terminal: bool, stdin: bool
    ) -> AbstractAsyncContextManager[Talk]:
        """To another command, which is started by this. Leaving the block ends its input, and hangs it up.

        Raises Conflict if the container does not run.
        """
        ...

    async def resize(self, container_id: ContainerId, exec_id: ExecId | None, width: int, height: int) -> None:
        """The terminal of the container, or of a command that was entered. Raises Invalid for a command that there is not, Conflict if it has no
        terminal or does not run."""
        ...


@runtime_checkable
class Measures(Protocol):
    """Can tell what a container does and uses."""

    async def processes(self, container_id: ContainerId, arguments: str | None) -> Processes:
        """Raises Conflict if it does not run, Invalid for arguments that `ps` refuses."""
        ...

    async def usage(self, container_id: ContainerId) -> Usage:
        """Raises Conflict if it does not run."""
        ...


@runtime_checkable
class Archives(Protocol):
    """Can move files in and out of a container, whether it runs or not. Never follows a link out of it."""

    def get_archive(
        self, container_id: ContainerId, path: str
    ) -> AbstractAsyncContextManager[tuple[PathStat, AsyncIterator[bytes]]]:
        """What is there, and a tar archive of it in pieces. Raises NotFound if there is nothing."""
        ...

    async def put_archive(self, container_id: ContainerId, path: str, pieces: AsyncIterator[bytes]) -> None:
        """Unpack a tar archive into a directory. Raises NotFound if there is no such directory, Invalid if it is none, or what came is no archive."""
        ...


@runtime_checkable
class Updates(Protocol):
    """Can change the limits of what is there."""

    async def update(self, container_id: ContainerId, limits: Resources) -> None:
        """CPU and memory; 0 takes a limit away. Raises Invalid for a limit below what is in use."""
        ...


@runtime_checkable
class Commits(Protocol):
    """Can make an image of a container."""

    async def commit(self, container_id: ContainerId, repository: str, tag: str) -> ImageFacts:
        """It stands still meanwhile, and goes on whatever happens. Raises Conflict if it is gone."""
        ...


CAPABILITIES: Mapping[str, type] = {
    "sandboxes": Sandboxes,
    "pauses": Pauses,
    "signals": Signals,
    "executes": Executes,
    "logs": Logs,
    "talks": Talks,
    "measures": Measures,
    "archives": Archives,
    "updates": Updates,
    "commits": Commits,
}
"""The names under which hosts announce what they can do."""
