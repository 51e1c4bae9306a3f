"""File systems in files, through loop devices: with the programs that every Linux host has."""

import os
import tempfile
from pathlib import Path

from higgins import errors
from higgins.drivers.volumes.local.programs import run

_OPTIONS = "loop,nodev,nosuid"
_LEAST = 2**20
_GIB = 2**30


async def possible(directory: Path) -> bool:
    """Whether file systems in files can be had below this directory: found out by having one."""
    if os.geteuid() != 0:
        return False
    with _trial(directory) as trial:
        image, place = Path(trial, "image"), Path(trial)
        try:
            await _made(image, _LEAST)
            await mount(image, place)
        except errors.Unavailable:
            return False
        await unmount(place)
        return True


async def make(image: Path, size: int) -> None:
    """An empty file system of so many GiB; there is none, or all of it. Takes up only what is written to it."""
    await _made(image, size * _GIB)


async def mount(image: Path, place: Path) -> None:
    """What it holds is there. Never makes anything anew: what cannot be mounted may hold what somebody needs."""
    await run("mount", "-t", "ext4", "-o", _OPTIONS, str(image), str(place))


async def unmount(place: Path) -> None:
    """Succeeds if nothing is mounted there."""
    while os.path.ismount(place):  # noqa: ASYNC240 - the kernel knows
        await run("umount", str(place))


def _trial(directory: Path) -> "tempfile.TemporaryDirectory[str]":
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(prefix=".try-", dir=directory)


async def _made(image: Path, size: int) -> None:
    unfinished = image.with_suffix(".new")
    try:
        with unfinished.open("wb") as file:
            file.truncate(size)
    except OSError as error:
        raise errors.Unavailable(f"The volume cannot be made: {error.strerror}.") from error
    await run("mkfs.ext4", "-q", "-F", "-m", "0", "-E", "nodiscard", str(unfinished))
    unfinished.rename(image)
