"""One network's router on this host: a namespace with a bridge for the ports, a way out, and a name server."""

import ipaddress
import random
import socket
from pathlib import Path

from higgins import errors
from higgins.drivers import programs
from higgins.drivers.networks.local import firewall, links, names, processes, sheets
from higgins.drivers.networks.local.commands import inside, run
from higgins.drivers.networks.local.shelf import Shelf
from higgins.drivers.networks.local.wanted import NAMESERVER, PREFIX, Wanted, digest, link_of, mark

NAMESPACES = Path("/run/netns")
"""Where ip keeps those that have a name."""


class Router:
    """The one that has this name. All that is known of it is asked of the kernel."""

    def __init__(self, name: str, *, owner: str, uplinks: ipaddress.IPv4Network, shelf: Shelf) -> None:
        self.name = name
        self.path = NAMESPACES / name
        self.shelf = shelf
        self._owner = owner
        self._uplinks = uplinks

    def uplink(self) -> str | None:
        """The address under which the host reaches it; None: it is not there, or not as a whole."""
        match (self.marked("up0") or "").split(","):
            case ["higgins", owner, _, address] if owner == self._owner:
                return address
        return None

    def links(self) -> dict[str, links.Link]:
        """All that it has, by their names."""
        number = links.number(self.path)
        return {each.name: each for each in links.links(number)} if number is not None else {}

    def others(self, name: str) -> bool:
        """Whether there may be something of another port than the one whose link has this name."""
        linked = {each for each in self.links() if each.startswith(PREFIX)}
        return bool((linked | {link_of(port_id) for port_id, _ in self.shelf.ports()}) - {name})

    def marked(self, name: str) -> str | None:
        """What is written on one of its links; None: there is no such link."""
        number = links.number(self.path)
        found = links.link(number, name) if number is not None else None
        return found.alias if found is not None else None

    async def unlink(self, name: str) -> None:
        """One of its links is gone. Succeeds if it was."""
        await run(*inside(self.path), "ip", "link", "del", name, quiet=True)
        if self.marked(name) is not None:
            raise errors.Unavailable(f"The link {name} of {self.name} does not go.")

    async def unguard(self, name: str) -> None:
        """It has no rules for the port of this link. Succeeds if there is no router."""
        if self.uplink() is not None:
            await run(*inside(self.path), "nft", "-f", "-", told=sheets.no_guard(name))

    async def make(self, wanted: Wanted) -> str:
        """It is there, and its name server runs; the answer is its uplink's address. Succeeds if that is so already."""
        address = self.uplink() if self.marked("br0") is not None else None
        if address is None:
            await self.end()
            address = await self._build(wanted)
        if not names.runs(self.shelf):
            await names.start(self.shelf, self.path)
        return address

    async def end(self) -> None:
        """Nothing is left of it. Succeeds if there is nothing."""
        if not processes.leads(self.path):
            # Somebody took its name away, or it is one that only an agent before this one could follow, who had mounts of its own: it lives on in
            # its name server.
            if (nameless := names.namespace(self.shelf)) is not None:
                await run(*inside(nameless), "ip", "link", "del", "up0", quiet=True)
                await names.end(nameless)
            self.path.unlink(missing_ok=True)
            return
        await names.end(self.path)
        # By hand: the kernel would take its time.
        await self.unlink("up0")
        await run("ip", "netns", "del", self.name)

    async def _build(self, wanted: Wanted) -> str:
        await run("ip", "netns", "add", self.name)
        link = await self._claim()
        here, there = self._addresses(link)
        await firewall.raise_up()
        await run(
            "ip",
            "-batch",
            "-",
            told=f"link set {link} alias {mark(self._owner, wanted.port.network_id)} addrgenmode none\n"
            f"address add {here}/31 dev {link}\n"
            f"link set {link} up\n",
        )
        _allow(link)
        await run(
            *inside(self.path),
            "sh",
            "-c",
            sheets.ROUTER_SWITCHES,
            "sh",
            programs.find("nft") or "nft",
            told=sheets.ROUTER,
        )
        await run(*inside(self.path), "ip", "-batch", "-", told=self._inside(wanted, here, there))
        return there

    async def _claim(self) -> str:
        """The name of an uplink that is now ours alone. No two links have the same name, and it is the name that says the address."""
        pairs = self._uplinks.num_addresses // 2
        start = random.randrange(pairs)
        for number in range(start, start + pairs):
            link = f"{sheets.UPLINKS}{number % pairs}"
            if not _exists(link):
                try:
                    await run("ip", "link", "add", link, "type", "veth", "peer", "name", "up0", "netns", self.name)
                except errors.Unavailable:
                    if not _exists(link):
                        raise
                    continue  # Somebody else's has come since we looked.
                return link
        raise errors.Unavailable(f"This host has no uplink left for another network in {self._uplinks}.")

    def _addresses(self, link: str) -> tuple[str, str]:
        first = self._uplinks.network_address + 2 * int(link.removeprefix(sheets.UPLINKS))
        return str(first), str(first + 1)

    def _inside(self, wanted: Wanted, here: str, there: str) -> str:
        port = wanted.port
        digits = digest(self.name)[:10]
        mac = ":".join(("06", *(digits[at : at + 2] for at in range(0, 10, 2))))
        # The mark comes last: with it the router is whole.
        return f"""link set lo up
link add br0 address {mac} type bridge mcast_snooping 0
link set br0 addrgenmode none
address add {port.gateway}/{wanted.prefix} brd + dev br0
address add {NAMESERVER}/32 dev br0
link set br0 up
link set up0 addrgenmode none
address add {there}/31 dev up0
link set up0 up
route add default via {here} dev up0
link set up0 alias {mark(self._owner, port.network_id, there)}
"""


def _exists(link: str) -> bool:
    try:
        socket.if_nametoindex(link)
    except OSError:
        return False
    return True


def _allow(link: str) -> None:
    """The host passes packets on, and over this link also what was sent to 127.0.0.1, for a published port."""
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1\n")
    Path(f"/proc/sys/net/ipv4/conf/{link}/route_localnet").write_text("1\n")
