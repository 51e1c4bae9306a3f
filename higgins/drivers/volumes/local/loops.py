"""File systems in files, through loop devices: with the programs that every Linux host has."""

import asyncio
import os
from pathlib import Path

from higgins import errors

_OPTIONS = "loop,nodev,nosuid"
_PATIENCE = 60.0
"""Seconds that a program may take."""
_TRIAL = ".trial"
_LEAST = 2**20
_GIB = 2**30


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


async def _run(*command: str) -> None:
    """Raises Unavailable, with what the program says, if it fails or is not there. Left in the middle, it is ended first."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as error:
        raise errors.Unavailable(f"{command[0]} cannot be run: {error.strerror}.") from error
    try:
        async with asyncio.timeout(_PATIENCE):
            _, said = await process.communicate()
    except TimeoutError as error:
        raise errors.Unavailable(f"{command[0]} takes too long.") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        words = " ".join(said.decode(errors="replace").split())
        raise errors.Unavailable(f"{command[0]} failed: {words[:300] or process.returncode}.")
