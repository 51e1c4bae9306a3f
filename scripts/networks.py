"""Ends all that an agent's networks have on this machine, of which no container is left: networks.py OWNER."""

import asyncio
import sys

from higgins.drivers.networks.local import LocalPlug, missing


async def end(owner: str) -> int:
    """How many ports there were."""
    plug = LocalPlug(owner)
    ports = await plug.list()
    for port_id in ports:
        await plug.unplug(port_id)
    return len(ports)


if __name__ == "__main__":
    print(0 if missing() else asyncio.run(end(sys.argv[1])))
