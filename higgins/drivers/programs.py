"""Runs programs of the host, each with a deadline."""

import asyncio
import os
import shutil

from higgins import errors

DEADLINE = 20.0
"""Seconds. What takes longer waits for a lock of the kernel that somebody else does not give back."""

_PLACES = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))
"""A service may have been started without the folders that hold an administrator's programs."""


def find(name: str) -> str | None:
    """Where it is; None: it is not installed."""
    return shutil.which(name, path=_PLACES)


async def run(
    *command: str, told: str = "", quiet: bool = False, trouble: str = "{} failed", deadline: float = DEADLINE
) -> str:
    """What the command says, having been told this. When the caller is cancelled it is killed, and has ended before the caller goes on.

    Raises Unavailable: this `trouble`, with the name of the program in it, and its complaint; unless `quiet`.
    """
    name = command[0]
    where = find(name)
    if where is None:
        raise errors.Unavailable(f"This host lacks the program {name}.")
    try:
        process = await asyncio.create_subprocess_exec(
            where,
            *command[1:],
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as error:
        raise errors.Unavailable(f"{name} cannot be run on its host: {error.strerror}.") from error
    try:
        async with asyncio.timeout(deadline):
            said, complaint = await process.communicate(told.encode())
    except TimeoutError as error:
        raise errors.Unavailable(f"{name} did not end within {deadline:.0f} seconds on its host.") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode and not quiet:
        raise errors.Unavailable(f"{trouble.format(name)}: {_words(complaint) or process.returncode}")
    return said.decode(errors="replace")


def _words(complaint: bytes) -> str:
    """The complaint in one line; nft repeats what it was told below each of its lines."""
    lines = complaint.decode(errors="replace").splitlines()
    return " ".join(line.strip() for line in lines if line.strip(" ^~"))[:400]
