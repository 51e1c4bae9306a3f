"""Archives from strangers and for strangers: unpacked so that nothing outside is touched, packed as they come.

What is kept of an entry is its kind, its name, its content and who may read and execute it: no owner, no set-uid, no devices.
"""

import os
import shutil
import stat
import sys
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import IO, cast

from higgins import errors
from higgins.cli import plain

_PIECE = 256 * 1024
_ROOT_ONLY = 0o700


class Readable:
    """Pieces as a file that is read from its beginning to its end."""

    def __init__(self, pieces: Iterator[bytes], counted: Callable[[int], None] = lambda _: None) -> None:
        self._pieces = pieces
        self._left = b""
        self._counted = counted

    def read(self, most: int = -1) -> bytes:
        """So many bytes, fewer only at the end."""
        parts, missing = [self._left], most - len(self._left)
        while missing > 0 or most < 0:
            piece = next(self._pieces, b"")
            if not piece:
                break
            self._counted(len(piece))
            parts.append(piece)
            missing -= len(piece)
        whole = b"".join(parts)
        if most < 0:
            self._left = b""
            return whole
        self._left = whole[most:]
        return whole[:most]


class Counted:
    """A file that is written to its end, and tells how much goes through."""

    def __init__(self, sink: IO[bytes], counted: Callable[[int], None]) -> None:
        self._sink = sink
        self._counted = counted

    def write(self, content: bytes) -> int:
        """All of it."""
        self._counted(len(content))
        return self._sink.write(content)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpacking:
    """Where an archive goes. All of its entries begin with one name, whatever it is; `target` takes its place, and is no link to a directory."""

    target: Path
    left_out: list[str] = field(default_factory=list)
    """What could not be had safely, and why."""

    def all_of(self, archive: Readable) -> None:
        """Unpack it. Raises Invalid for an archive that cannot be read, Unavailable for a disk that does not take it."""
        try:
            with tarfile.open(fileobj=cast(IO[bytes], archive), mode="r|", errorlevel=2) as tar:
                for entry in tar:
                    self._one(tar, entry)
        except (tarfile.TarError, ValueError, OverflowError, RecursionError) as error:
            # What is wrong with a number or a nesting comes out of the library as it is.
            raise errors.Invalid(f"the archive cannot be read: {error}") from error
        except OSError as error:
            where = error.filename or self.target
            raise errors.Unavailable(f"{where}: {(error.strerror or str(error)).lower()}") from error

    def _one(self, tar: tarfile.TarFile, entry: tarfile.TarInfo) -> None:
        below = _below(entry.name)
        if below is None or (path := self._place(below)) is None:
            self._leave_out(entry, "it would lie outside")
            return
        if entry.isdir():
            self._directory(path, entry)
        elif entry.isreg():
            self._file(tar, path, entry)
        elif entry.issym():
            self._symbolic(path, below, entry)
        elif entry.islnk():
            self._hard(path, entry)
        else:
            self._leave_out(entry, "it is a device or a pipe")

    def _place(self, below: PurePosixPath) -> Path | None:
        """Where it goes; None if the way there leads over a symbolic link, which may point anywhere."""
        path = self.target
        for part in below.parts:
            if path.is_symlink():
                return None
            path = path / part
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _directory(self, path: Path, entry: tarfile.TarInfo) -> None:
        if path.is_symlink():
            path.unlink()
        if path.is_dir():
            return  # It stays as open to others as its owner has made it.
        path.mkdir()
        # Who unpacks has to be able to go on inside.
        path.chmod((entry.mode & 0o777) | _ROOT_ONLY)

    def _file(self, tar: tarfile.TarFile, path: Path, entry: tarfile.TarInfo) -> None:
        _clear(path)
        content = tar.extractfile(entry)
        assert content is not None
        made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(made, "wb") as file:
            shutil.copyfileobj(content, file, _PIECE)
        path.chmod((entry.mode & 0o777) | stat.S_IRUSR | stat.S_IWUSR)
        os.utime(path, (entry.mtime, entry.mtime))

    def _symbolic(self, path: Path, below: PurePosixPath, entry: tarfile.TarInfo) -> None:
        points = _resolved(below.parent, entry.linkname)
        if points is None:
            self._leave_out(entry, f"it points outside, to {entry.linkname}")
            return
        _clear(path)
        path.symlink_to(entry.linkname)

    def _hard(self, path: Path, entry: tarfile.TarInfo) -> None:
        """A second name for what came before it."""
        below = _below(entry.linkname)
        source = self._place(below) if below is not None else None
        if source is None or source.is_symlink() or not source.is_file():
            self._leave_out(entry, f"it is another name of {entry.linkname}, which is not here")
            return
        if source != path:
            _clear(path)
            os.link(source, path)

    def _leave_out(self, entry: tarfile.TarInfo, why: str) -> None:
        self.left_out.append(plain.line(f"{entry.name}: {why}"))


def packed(source: Path, name: str, sink: IO[bytes] | Counted) -> None:
    """Write an archive of a file or directory, which is called so in it. It belongs to root there, as docker has it.

    Raises Unavailable for what cannot be read.
    """

    def owned(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = ""
        return entry

    try:
        with tarfile.open(fileobj=cast(IO[bytes], sink), mode="w|", format=tarfile.PAX_FORMAT, bufsize=_PIECE) as tar:
            tar.add(source, arcname=name, filter=owned)
    except OSError as error:
        raise errors.Unavailable(f"{error.filename or source}: {(error.strerror or str(error)).lower()}") from error


def size(source: Path) -> int:
    """Bytes of all files in it, as far as they can be seen."""
    if not source.is_dir():
        return source.lstat().st_size
    return sum((Path(folder) / name).lstat().st_size for folder, _, names in os.walk(source) for name in names)


def _below(name: str) -> PurePosixPath | None:
    """The path below the archive's first name; None for one that would lead out."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\0" in name:
        return None
    return PurePosixPath(*path.parts[1:])


def _resolved(directory: PurePosixPath, link: str) -> PurePosixPath | None:
    """Where a link in that directory points, below the target; None if outside, and if only the links on its way could tell."""
    if link.startswith("/") or "\0" in link:
        return None
    down = PurePosixPath(link).parts
    up = sum(1 for _ in takewhile(lambda part: part == "..", down))
    if up > len(directory.parts) or ".." in down[up:]:
        return None
    return PurePosixPath(*directory.parts[: len(directory.parts) - up], *down[up:])


def _clear(path: Path) -> None:
    """What lay there before is replaced, and never written through."""
    if path.is_symlink() or path.exists():
        path.unlink()


def tell(left_out: list[str]) -> None:
    """What is missing, on standard error."""
    for each in left_out[:20]:
        sys.stderr.write(f"left out: {each}\n")
    if len(left_out) > 20:
        sys.stderr.write(f"left out: {len(left_out) - 20} more\n")
