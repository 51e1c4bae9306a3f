"""Network namespaces and the processes in them."""

import os
from collections.abc import Iterator, Set
from contextlib import contextmanager
from pathlib import Path

from higgins import errors


def namespace(pid: int) -> str:
    """Of this process. Raises Unavailable for one that is gone."""
    try:
        return os.readlink(f"/proc/{pid}/ns/net")
    except OSError as error:
        raise errors.Unavailable(f"The process {pid} is gone, and its network with it.") from error


def leads(path: Path) -> bool:
    """Whether this path is one of a namespace: its name may be there, and lead nowhere."""
    try:
        return path.stat().st_dev == os.stat("/proc/self/ns/net").st_dev
    except FileNotFoundError:
        return False


@contextmanager
def held(pid: int) -> Iterator[tuple[Path, str]]:
    """The namespace of a process, as a path and as what tells it from others. It stays while it is held, whatever becomes of the process."""
    try:
        file = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise errors.Unavailable(f"The process {pid} is gone, and its network with it.") from error
    try:
        yield Path(f"/proc/{os.getpid()}/fd/{file}"), f"net:[{os.fstat(file).st_ino}]"
    finally:
        os.close(file)


def within(path: Path) -> list[int]:
    """The processes in the namespace of this path."""
    try:
        wanted = f"net:[{path.stat().st_ino}]"
    except OSError:
        return []
    return list(members(wanted))


def members(wanted: str) -> Iterator[int]:
    """The processes in a namespace."""
    return (pid for pid, space in _all() if space == wanted)


def inhabited() -> Set[str]:
    """The namespaces in which there are processes. An engine that was killed leaves others, which stay until it is told to remove them."""
    return {space for _, space in _all()}


def _all() -> Iterator[tuple[int, str]]:
    """Every process and its namespace."""
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                space = os.readlink(f"/proc/{name}/ns/net")
            except OSError:
                continue  # It has just ended.
            yield int(name), space
