"""Live calls: requests that a host answers at once and that are stored nowhere.

Every request has one kind of reply, given when it is over. Some give pieces of output on the way, some take pieces of input; each says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from higgins.model.ids import ContainerId, ExecId, ProjectId
from higgins.model.registry import Login

Content = bytes | bytearray | memoryview
"""Bytes on their way, which nobody changes."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Some bytes of output, cut anywhere."""

    content: bytes
    aside: bool = False
    """It was printed to standard error; only where the two can be told apart."""


# What is asked.


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadLogs:
    """What a container has printed, in pieces. Reply: Done."""

    container_id: ContainerId
    stdout: bool = True
    stderr: bool = True
    timestamps: bool = False
    tail: int | None = None
    """So many lines from the end; None: all."""
    since: float | None = None
    """Seconds since the epoch; None: from the beginning."""
    follow: bool = False
    """Go on with what it prints from now on, until it ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Execute:
    """A command run inside a container to its end; gives its output in pieces. Reply: Ended."""

    container_id: ContainerId
    command: tuple[str, ...]
    interactive: bool = False
    """With a terminal and an (empty) standard input."""
    timeout: float
    """Seconds after which the caller stops waiting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """A command begun inside a container that nobody waits for. Reply: Done, when it has begun."""

    container_id: ContainerId
    exec_id: ExecId
    """Chosen by the control plane."""
    command: tuple[str, ...]
    terminal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Enter:
    """A command run inside a container with somebody at it: takes its input and gives its output. Reply: Ended."""

    container_id: ContainerId
    exec_id: ExecId
    """Chosen by the control plane; under this id its terminal is resized while it runs."""
    command: tuple[str, ...]
    terminal: bool = True
    stdin: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Attach:
    """A container's own input and output, from now on. Reply: Ended, without an exit code if it still runs."""

    container_id: ContainerId
    stdin: bool = True
    """Taken only by containers that are interactive."""
    logs: bool = False
    """Give what it has printed before, first."""
    again: bool = False
    """One that has ended is waited for, until it is started again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resize:
    """The size of a terminal: of the container's own, or of a command's in it. Reply: Done."""

    container_id: ContainerId
    exec_id: ExecId | None = None
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """A signal to a container's first process. Reply: Done."""

    container_id: ContainerId
    signal: str
    """A name such as SIGHUP."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListProcesses:
    """What runs in a container. Reply: Processes."""

    container_id: ContainerId
    arguments: str | None = None
    """Of the `ps` command; None: the runtime's usual ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadUsage:
    """What a container has used. Reply: Usage."""

    container_id: ContainerId


@dataclass(frozen=True, slots=True, kw_only=True)
class GetArchive:
    """A file or directory of a container, in pieces of a tar archive; what it is comes before the first piece, as a PathStat. Reply: Done."""

    container_id: ContainerId
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PutArchive:
    """Unpack a tar archive, taken as input, into a directory of a container. Reply: Done."""

    container_id: ContainerId
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """An image made of what a container is now; it stands still meanwhile. Reply: ImageFacts."""

    container_id: ContainerId
    project_id: ProjectId
    """Whose image it becomes: no other project makes containers from it."""
    repository: str
    tag: str = "latest"


@dataclass(frozen=True, slots=True, kw_only=True)
class PullImage:
    """Fetch an image to the host. Gives pieces that are each one Progress as a JSON document. Reply: ImageFacts."""

    reference: str
    project_id: ProjectId
    """Who may make containers from it, where the registry gives it only to those who log in."""
    login: Login | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveImage:
    """Take a name of an image away from the host, and with the last one the image; Conflict while a container was made by that name, or needs the
    image. Reply: Done, also if there is none."""

    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchImages:
    """What a registry has. Reply: Hits."""

    term: str
    exact: bool = False
    """Only the image of that very name."""
    login: Login | None = None
    """None: the registry that the runtime asks by itself."""


LiveRequest = (
    ReadLogs
    | Execute
    | Launch
    | Enter
    | Attach
    | Resize
    | Kill
    | ListProcesses
    | ReadUsage
    | GetArchive
    | PutArchive
    | Commit
    | PullImage
    | RemoveImage
    | SearchImages
)


# What is answered.


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """There is nothing to say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a command or a container ended."""

    exit_code: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Processes:
    """A table of processes, as `ps` prints it."""

    titles: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a container has used since it started; two readings give a rate."""

    read_at: float
    cpu: float
    """Seconds of one core."""
    system_cpu: float
    """Seconds of all cores of the host, idle ones too, since it started."""
    cores: int
    memory: int
    """Bytes, without what the kernel only caches and can drop."""
    memory_limit: int
    block_read: int
    block_written: int
    received: int
    """Bytes over all interfaces; so is `sent`."""
    sent: int
    processes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PathStat:
    """What is at a path inside a container."""

    name: str
    size: int
    mode: int
    """The bits that Go's os.FileMode has: the runtime's own, as clients of Zun expect them."""
    mtime: str
    link_target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFacts:
    """An image that is on a host now."""

    digest: str
    """The id by which the runtime knows it: sha256:..."""
    size: int
    """Bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One image that a registry has."""

    name: str
    description: str = ""
    official: bool = False
    stars: int = 0
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hits:
    """What a registry has that was searched for."""

    hits: Sequence[Hit] = field(default=())


Reply = Done | Ended | Processes | Usage | ImageFacts | Hits


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecResult:
    """What a command left behind."""

    output: bytes
    """Standard output and standard error as they came."""
    exit_code: int
