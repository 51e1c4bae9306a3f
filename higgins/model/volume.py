"""Volumes, and what is mounted into a container."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from higgins import errors
from higgins.model.ids import FileId, HostId, ProjectId, UserId, VolumeId

SORT_KEYS = ("id", "uuid", "name", "size", "project_id", "user_id", "created_at")
"""What a list of volumes can be sorted by. `id` is the order of creation."""
FILTERS = ("name", "project_id", "user_id")

LONGEST = 4096
"""Bytes of a path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A directory that outlives the containers that it is mounted into."""

    id: VolumeId
    project_id: ProjectId
    user_id: UserId
    name: str = ""
    """Empty for one that was made along with a container."""
    size: int = 0
    """GiB; 0: without limit."""
    host_id: HostId | None = None
    """Where it lies; None until somebody uses it."""
    auto_remove: bool = False
    """It goes with the capsule that it was made for."""
    created_at: float
    users: int = 0
    """How many capsules use it. Filled in on reading."""


class MountKind(StrEnum):
    """What is mounted."""

    VOLUME = "volume"
    FILE = "bind"
    TMPFS = "tmpfs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """One place of a container's file system that is not its image's."""

    kind: MountKind
    destination: str
    """An absolute path, as `destination` gives it."""
    volume: VolumeId | None = None
    file: FileId | None = None
    size: int = 0
    """MiB of a tmpfs; 0: as much as the kernel gives by itself."""
    read_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """All that a host needs to know to mount one volume."""

    volume_id: VolumeId
    size: int = 0
    """GiB, for a host that makes it; 0: without limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVolume:
    """A volume without a name, to be made along with a capsule."""

    id: VolumeId
    size: int
    auto_remove: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """What is made along with a capsule, for its mounts."""

    volumes: tuple[NewVolume, ...] = ()
    files: Mapping[FileId, bytes] = field(default_factory=dict)
    """What lies in its files at first."""


NOTHING = Storage()


def destination(path: str) -> str:
    """The path as it is kept: without what says nothing. Raises Invalid for one that nothing can be mounted at."""
    if not path.startswith("/"):
        raise errors.Invalid("It must be an absolute path, such as /data.")
    if "\0" in path or ":" in path or len(path.encode()) > LONGEST:
        raise errors.Invalid(f"It must have no colon and no NUL in it, and at most {LONGEST} bytes.")
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise errors.Invalid("It must not go back with '..'.")
    if not parts:
        raise errors.Invalid("Nothing can be mounted in the place of the whole file system.")
    if parts[0] in _KERNELS:
        raise errors.Invalid(f"Nothing can be mounted within {', '.join(f'/{each}' for each in _KERNELS)}.")
    return "/" + "/".join(parts)


_KERNELS = ("proc", "sys", "dev")
"""The kernel's own; runtimes refuse them, or let one do harm there."""
