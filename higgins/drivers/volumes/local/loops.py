"""File systems in files, through loop devices: with the programs that every Linux host has."""

import os
from functools import partial
from pathlib import Path

from higgins import errors
from higgins.drivers import programs

_OPTIONS = "loop,nodev,nosuid"
_TRIAL = ".trial"
_LEAST = 2**20
_GIB = 2**30
# What a volume holds is large, and disks are slow.
_run = partial(programs.run, deadline=60.0)


async def possible(directory: Path) -> bool:
    """Whether file systems in files can be had below this directory: found out by having one. What somebody left who was killed at it goes."""
    if os.geteuid() != 0:
        return False
    place = _trial(directory)
    try:
        await remove(place, mounted=place)
        place.mkdir()
        try:
            await _made(place / "image", _LEAST)
            await mount(place / "image", place)
        finally:
            await remove(place, mounted=place)
    except errors.Unavailable:
        return False
    return True


async def make(image: Path, size: int) -> None:
    """An empty file system of so many GiB; there is none, or all of it. Takes up only what is written to it."""
    await _made(image, size * _GIB)


async def mount(image: Path, place: Path) -> None:
    """What it holds is there. Never makes anything anew: what cannot be mounted may hold what somebody needs."""
    await _run("mount", "-t", "ext4", "-o", _OPTIONS, str(image), str(place))


async def unmount(place: Path) -> None:
    """Succeeds if nothing is mounted there."""
    while os.path.ismount(place):  # noqa: ASYNC240 - the kernel knows
        await _run("umount", str(place))


async def remove(home: Path, *, mounted: Path) -> None:
    """Nothing is mounted there, and the directory that it is in is gone. Succeeds if that is so."""
    await unmount(mounted)
    # Containers may have nested directories deeper than Python's own can follow.
    await _run("rm", "-rf", "--one-file-system", str(home))


def _trial(directory: Path) -> Path:
    """Only root enters the directory that it is in."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return directory / _TRIAL


async def _made(image: Path, size: int) -> None:
    unfinished = image.with_suffix(".new")
    try:
        with unfinished.open("wb") as file:
            file.truncate(size)
    except OSError as error:
        raise errors.Unavailable(f"The volume cannot be made: {error.strerror}.") from error
    await _run("mkfs.ext4", "-q", "-F", "-m", "0", "-E", "nodiscard", str(unfinished))
    unfinished.rename(image)
