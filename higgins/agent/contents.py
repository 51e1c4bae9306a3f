"""The files whose content came with a capsule, in a directory of this host."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from higgins import errors
from higgins.model.ids import CapsuleId, FileId


class Contents:
    """A directory for every capsule that mounts files, below one that only root enters. Blocks."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def put(self, capsule_id: CapsuleId, file_id: FileId, content: bytes) -> str:
        """Its path. One that is there stays as its container has left it."""
        home = self._directory / capsule_id
        path = home / file_id
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            home.mkdir(exist_ok=True)
            if not path.exists():
                # Never seen half written, also by whoever comes after a crash.
                unfinished = path.with_suffix(".new")
                unfinished.write_bytes(content)
                unfinished.chmod(0o644)
                unfinished.rename(path)
        except OSError as error:
            raise errors.Unavailable(
                f"The content of a file cannot be written on this host: {error.strerror}."
            ) from error
        return str(path)

    def list(self) -> Sequence[CapsuleId]:
        """Those of which there is something."""
        try:
            return [CapsuleId(name) for name in os.listdir(self._directory)]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise errors.Unavailable(f"The directory of files cannot be read: {error.strerror}.") from error

    def remove(self, capsule_id: CapsuleId) -> None:
        """Nothing is left of it, or the next sweep tries again."""
        shutil.rmtree(self._directory / capsule_id, ignore_errors=True)
