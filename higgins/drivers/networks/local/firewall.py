"""The host's own rules for uplinks, shared by all drivers of a machine: who needs them makes them, and the last uplink takes them along."""

import asyncio
import fcntl
import os
import socket
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path

from higgins import errors
from higgins.drivers import programs
from higgins.drivers.networks.local.commands import run
from higgins.drivers.networks.local.sheets import HOST, UPLINKS, no_table

_DOCKER = "DOCKER-USER"
"""Where a Docker Engine, which forbids all that it does not know, lets others speak first."""
_LOCK = Path("/run/higgins-uplinks.lock")
"""Where all agents of a machine find it, whatever folders they have. Empty, and it stays."""


async def raise_up() -> None:
    """The rules are there. Succeeds if they were; has to be called after the link that needs them was made, and before it is up."""
    async with _alone():
        await run("nft", "-f", "-", told=HOST)
        for direction in ("-i", "-o"):
            if not await _in_docker("-C", direction):
                await _in_docker("-I", direction)


async def tables() -> Collection[str]:
    """The names of the host's tables of rules; `higgins` is the one of uplinks."""
    lines = (await run("nft", "list", "tables")).splitlines()
    return {line.removeprefix("table inet ") for line in lines if line.startswith("table inet ")}


async def take_down() -> None:
    """They are gone if no uplink is left."""
    async with _alone():
        if any(name.startswith(UPLINKS) for _, name in socket.if_nameindex()):
            return
        await run("nft", "-f", "-", told=no_table("higgins"))
        for direction in ("-i", "-o"):
            while await _in_docker("-D", direction):
                pass


@asynccontextmanager
async def _alone() -> AsyncIterator[None]:
    """Nobody else on this machine makes or removes the rules meanwhile."""
    file = os.open(_LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        async with asyncio.timeout(programs.DEADLINE):
            while not _locked(file):  # noqa: ASYNC110 - others may be other processes
                await asyncio.sleep(0.005)
        yield
    except TimeoutError as error:
        raise errors.Unavailable("Somebody else on its host is at the rules of uplinks.") from error
    finally:
        os.close(file)


def _locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


async def _in_docker(verb: str, direction: str) -> bool:
    """Whether that succeeded. It does not where there is no Docker Engine."""
    if programs.find("iptables") is None:
        return False
    command = f"iptables -w {verb} {_DOCKER} {direction} {UPLINKS}+ -j ACCEPT"
    said = await run("sh", "-c", f"{command} >&2 && echo yes", quiet=True)
    return said == "yes\n"
