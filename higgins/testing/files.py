"""The files of a container in memory, packed and unpacked as tar archives."""

import io
import posixpath
import stat
import tarfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from higgins import errors
from higgins.drivers.tar import Scrutiny
from higgins.model.live import PathStat

_LIMIT = 64 * 1024**2
_DIRECTORY, _LINK = 1 << 31, 1 << 27
"""How Go says what a file is."""


class Files:
    """A tree of files; links are kept and lead nowhere."""

    def __init__(self) -> None:
        self._entries: dict[str, tuple[tarfile.TarInfo, bytes]] = {}
        for each in ("/", "/bin", "/etc", "/root", "/tmp"):
            self._entries[each] = (_directory(), b"")
        self._entries["/etc/passwd"] = (tarfile.TarInfo(), b"root:x:0:0:root:/root:/bin/sh\n")

    def pack(self, path: str) -> tuple[PathStat, bytes]:
        """What is there, and an archive of it. Raises NotFound."""
        place = self._place(path)
        entry, content = self._entries[place]
        name = posixpath.basename(place) or "/"
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for each in sorted(self._entries):
                if each == place or each.startswith(place.rstrip("/") + "/"):
                    archive.addfile(
                        _named(self._entries[each], name + each.removeprefix(place)), io.BytesIO(self._entries[each][1])
                    )
        kind = _DIRECTORY if entry.isdir() else _LINK if entry.issym() else 0
        found = PathStat(
            name=name,
            size=len(content),
            mode=kind | stat.S_IMODE(entry.mode),
            mtime=datetime.fromtimestamp(entry.mtime, UTC).isoformat(),
            link_target=entry.linkname,
        )
        return found, packed.getvalue()

    async def unpack(self, path: str, pieces: AsyncIterator[bytes]) -> None:
        """Raises NotFound or Invalid, as `Archives` promises."""
        place = self._place(path)
        if not self._entries[place][0].isdir():
            raise errors.Invalid(f"Files cannot be moved at {path}: it is not a directory")
        scrutiny, packed = Scrutiny(_LIMIT), bytearray()
        async for piece in pieces:
            scrutiny.feed(piece)
            packed += piece
        scrutiny.end()
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            for entry in archive:
                target = posixpath.normpath(f"{place.rstrip('/')}/{entry.name}")
                if ".." in posixpath.normpath(entry.name).split("/"):
                    raise errors.Invalid(f"Files cannot be moved at {path}: {entry.name!r} is outside of it")
                if target in self._entries and self._entries[target][0].isdir() and not entry.isdir():
                    raise errors.Invalid(f"Files cannot be moved at {path}: {entry.name!r} is a directory there")
                content = archive.extractfile(entry) if entry.isreg() else None
                self._add_parents(target)
                self._entries[target] = (entry, content.read() if content else b"")

    def _place(self, path: str) -> str:
        if not path or "\0" in path:
            raise errors.Invalid("A path in the container is needed.")
        place = posixpath.normpath("/" + path.lstrip("/"))
        if place not in self._entries:
            raise errors.NotFound(f"There is nothing at {path} in the container.")
        return place

    def _add_parents(self, target: str) -> None:
        while (target := posixpath.dirname(target)) not in self._entries:
            self._entries[target] = (_directory(), b"")


def _directory() -> tarfile.TarInfo:
    made = tarfile.TarInfo()
    made.type, made.mode = tarfile.DIRTYPE, 0o755
    return made


def _named(entry: tuple[tarfile.TarInfo, bytes], name: str) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.mode, made.linkname, made.size = entry[0].type, entry[0].mode, entry[0].linkname, len(entry[1])
    return made
