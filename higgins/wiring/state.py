"""The directory for what must survive, and who may work in it."""

import fcntl
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from higgins import errors
from higgins.model.ids import HostId


@contextmanager
def held(directory: Path, name: str) -> Iterator[Path]:
    """Make the directory if need be, and keep other processes of the same `name` out of it while the block runs.

    The kernel lets go of it when the process dies, however that happens. Raises Unavailable if another process is there or the directory cannot
    be written.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(directory / f"{name}.lock", os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as error:
        raise errors.Unavailable(
            f"the directory {directory} cannot be used: {error.strerror}; let this user write it, or set state_dir to another"
        ) from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise errors.Unavailable(
                f"another `higgins {name}` works with {directory} already: stop it, or set state_dir to another directory"
            ) from error
        yield directory
    finally:
        os.close(lock)


def host_id(directory: Path) -> HostId:
    """The id of this machine as a host, made once."""
    kept = directory / "host-id"
    try:
        return HostId(str(uuid.UUID(kept.read_text().strip())))
    except FileNotFoundError:
        pass
    except ValueError as error:
        raise errors.Broken(
            f"{kept} does not hold a UUID: restore it, or remove it to make this machine a new host"
        ) from error
    made = str(uuid.uuid4())
    fresh = kept.with_suffix(".new")
    fresh.write_text(made + "\n")
    fresh.replace(kept)  # Whole or not at all: half an id would make this machine somebody else.
    return HostId(made)
