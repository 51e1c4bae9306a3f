"""The host's own rules for uplinks, shared by all drivers of a machine: who needs them makes them, and the last uplink takes them along."""

import socket
from collections.abc import Collection

from higgins.drivers.networks.local.commands import program, run
from higgins.drivers.networks.local.sheets import HOST, UPLINKS, no_table

_DOCKER = "DOCKER-USER"
"""Where a Docker Engine, which forbids all that it does not know, lets others speak first."""


async def raise_up() -> None:
    """The rules are there. Succeeds if they were; has to be called after the link that needs them was made."""
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
    if any(name.startswith(UPLINKS) for _, name in socket.if_nameindex()):
        return
    await run("nft", "-f", "-", told=no_table("higgins"))
    for direction in ("-i", "-o"):
        while await _in_docker("-D", direction):
            pass
    # Whoever made an uplink since then may have seen the rules that have just gone.
    if any(name.startswith(UPLINKS) for _, name in socket.if_nameindex()):
        await raise_up()


async def _in_docker(verb: str, direction: str) -> bool:
    """Whether that succeeded. It does not where there is no Docker Engine."""
    if program("iptables") is None:
        return False
    command = f"iptables -w {verb} {_DOCKER} {direction} {UPLINKS}+ -j ACCEPT"
    said = await run("sh", "-c", f"{command} >&2 && echo yes", quiet=True)
    return said == "yes\n"
