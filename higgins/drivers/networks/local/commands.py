"""Runs the programs that change a host's networks, each with a deadline."""

import asyncio
import os
import shutil
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from higgins import errors

DEADLINE = 20.0
"""Seconds. What takes longer waits for a lock of the kernel that somebody else does not give back."""

_PLACES = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))
"""A service may have been started without the folders that hold an administrator's programs."""


def program(name: str) -> str | None:
    """Where it is; None: it is not installed."""
    return shutil.which(name, path=_PLACES)


async def run(*command: str, told: str = "", quiet: bool = False) -> str:
    """What the command says, having been told this. When the caller is cancelled it is killed, and has ended before the caller goes on.

    Raises Unavailable with its complaint, unless `quiet`.
    """
    where = program(command[0])
    if where is None:
        raise errors.Unavailable(f"This host lacks the program {command[0]}.")
    process = await asyncio.create_subprocess_exec(
        where,
        *command[1:],
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(DEADLINE):
            said, complaint = await process.communicate(told.encode())
    except TimeoutError as error:
        raise errors.Unavailable(f"{command[0]} did not end within {DEADLINE:.0f} seconds on its host.") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode and not quiet:
        raise errors.Unavailable(f"The network of its host cannot be set up: {_words(complaint) or command}")
    return said.decode(errors="replace")


def inside(namespace: Path) -> tuple[str, ...]:
    """What to put before a command so that it acts in this network namespace."""
    return "nsenter", f"--net={namespace}"


async def together(*works: Coroutine[Any, Any, object]) -> None:
    """Do all of it at the same time. The first failure ends the rest, and comes out as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            for work in works:
                group.create_task(work)
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from failures


def _words(complaint: bytes) -> str:
    """The complaint in one line; nft repeats what it was told below each of its lines."""
    lines = complaint.decode(errors="replace").splitlines()
    return " ".join(line.strip() for line in lines if line.strip(" ^~"))[:400]
