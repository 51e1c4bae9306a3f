"""Runs the programs that make, mount and remove volumes, each with a deadline."""

import asyncio

from higgins import errors

_PATIENCE = 60.0
"""Seconds that a program may take."""


async def run(*command: str) -> None:
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
