"""Volumes in a directory of the host: plain directories, and file systems in files where a size is to be kept to."""

import asyncio
import os
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path
from weakref import WeakValueDictionary

from higgins import errors
from higgins.drivers.volumes.local import loops
from higgins.model.ids import VolumeId
from higgins.model.volume import Attachment

_IMAGE = "image"
_MOUNTED = "mounted"
_DATA = "data"
"""Below what is mounted: a file system of its own begins with a directory that programs stumble over."""


class LocalVolumes:
    """Every volume is a directory named by its id, below one that only root enters. What is to be kept to a size has a file in it with a file system
    as large as that, which is mounted while somebody uses it.

    Without `limits` sizes are not kept to. A volume stays what it was made as.
    """

    def __init__(self, directory: Path, *, limits: bool) -> None:
        self._directory = directory
        self._limits = limits
        self._locks: WeakValueDictionary[VolumeId, asyncio.Lock] = WeakValueDictionary()

    async def capabilities(self) -> Collection[str]:
        return ("volumes", "volume_limits") if self._limits else ("volumes",)

    async def list(self) -> Collection[VolumeId]:
        try:
            names = await asyncio.to_thread(os.listdir, self._directory)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise errors.Unavailable(f"The directory of volumes cannot be read: {error.strerror}.") from error
        return [VolumeId(name) for name in names if not name.startswith(".")]

    async def mount(self, attachment: Attachment) -> str:
        async with self._locked(attachment.volume_id) as home:
            try:
                return str(await self._mounted(home, attachment.size))
            except OSError as error:
                raise errors.Unavailable(f"The volume cannot be mounted: {error.strerror}.") from error

    async def unmount(self, volume_id: VolumeId) -> None:
        async with self._locked(volume_id) as home:
            await loops.unmount(home / _MOUNTED)

    async def remove(self, volume_id: VolumeId) -> None:
        async with self._locked(volume_id) as home:
            await loops.remove(home, mounted=home / _MOUNTED)

    async def _mounted(self, home: Path, size: int) -> Path:
        image, place = home / _IMAGE, home / _MOUNTED
        if _is_new(home) and size and self._limits:
            await loops.make(image, size)
        if _in_file(image, place):
            await loops.mount(image, place)
        return _data(place)

    @asynccontextmanager
    async def _locked(self, volume_id: VolumeId) -> AsyncIterator[Path]:
        """One thing at a time is done to a volume. Its lock is there for as long as somebody has it or waits for it."""
        async with self._locks.setdefault(volume_id, asyncio.Lock()):
            yield self._directory / volume_id


def _is_new(home: Path) -> bool:
    """Makes sure of its own directory."""
    home.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    home.mkdir(exist_ok=True)
    return not any((home / name).exists() for name in (_IMAGE, _MOUNTED))


def _in_file(image: Path, place: Path) -> bool:
    """Whether there is a file system in a file that has to be mounted."""
    place.mkdir(exist_ok=True)
    return image.exists() and not place.is_mount()


def _data(place: Path) -> Path:
    data = place / _DATA
    if not data.exists():
        data.mkdir()
        # Whoever the image's user is may write; nobody but the volume's own containers comes here.
        data.chmod(0o777)
    return data
