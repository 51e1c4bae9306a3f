"""The plug of a host whose networks end at it."""

import asyncio
import ipaddress
import re
import socket
from collections.abc import Collection, Coroutine, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from higgins import errors
from higgins.drivers import programs
from higgins.drivers.networks.local import firewall, listeners, names, processes, sheets
from higgins.drivers.networks.local.commands import inside, run, together
from higgins.drivers.networks.local.router import NAMESPACES, Router
from higgins.drivers.networks.local.shelf import Record, Shelf
from higgins.drivers.networks.local.wanted import PREFIX, Wanted, digest, link_of, mark, router_of
from higgins.model.ids import PortId
from higgins.model.network import HostPort, Port, Published

PROGRAMS = {"ip": "iproute2", "nft": "nftables", "dnsmasq": "dnsmasq-base", "nsenter": "util-linux"}
"""What is needed of the machine, each with the package of Debian that has it."""

_PLAIN = re.compile(r"\w[\w.:@-]{0,99}", re.ASCII)
"""What can be written on a link, and be the name of a folder, as it is."""
_NET_ADMIN, _SYS_ADMIN = 12, 21


def missing() -> str | None:
    """Why this host cannot plug ports in; None: it can."""
    if not _may():
        return "networks need root on their host"
    lacking = [name for name in PROGRAMS if programs.find(name) is None]
    if lacking:
        packages = " ".join(sorted({PROGRAMS[name] for name in lacking}))
        return f"the host lacks {' and '.join(lacking)}: apt-get install {packages}"
    return None


class LocalPlug:
    """Makes a router of its own for each network that has a port here, in a namespace of its own, and links ports to it.

    `owner` tells what this one made from what others on the machine did. `uplink` holds two addresses for each network, and should mean nothing else
    to the host; `state` is a folder that is empty after the machine was started.
    """

    def __init__(self, owner: str, *, uplink: str = "100.127.0.0/16", state: Path = Path("/run/higgins")) -> None:
        self._owner = owner if _PLAIN.fullmatch(owner) else digest(owner)
        try:
            self._uplinks = ipaddress.IPv4Network(uplink)
        except ValueError as error:
            raise errors.Invalid(f"Uplinks cannot have addresses of {uplink}: {error}.") from error
        self._state = state / self._owner
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def namespace(self, pid: int) -> str:
        """As the protocol says."""
        return processes.namespace(pid)

    async def list(self) -> Mapping[PortId, str]:
        """As the protocol says."""
        routers = self._routers()
        if not routers:
            return {}
        tables = await firewall.tables()

        def look() -> dict[PortId, str]:
            inhabited = processes.inhabited()
            return {port_id: space for made in routers for port_id, space in _plugged(made, tables, inhabited)}

        return await asyncio.to_thread(look)

    async def busy(self) -> Sequence[HostPort]:
        """As the protocol says."""
        return await asyncio.to_thread(listeners.found)

    async def plug(self, port: Port, pid: int) -> None:
        """As the protocol says."""
        wanted = Wanted.of(port)
        made = self._router(router_of(self._owner, port.network_id))
        with processes.held(pid) as (path, namespace):
            async with self._lock(wanted.link):
                before = made.shelf.read(port.id)
                if before is not None and await self._stands(made, wanted, before, namespace):
                    return
                await self._put_in(made, wanted, before, path, namespace)

    async def unplug(self, port_id: PortId) -> None:
        """As the protocol says."""
        name = link_of(port_id)
        routers = self._routers()
        for made in [made for made in routers if made.shelf.read(port_id)] or [
            made for made in routers if name in made.links()
        ]:
            async with self._lock(name):
                await self._take_out(made, port_id, name)

    async def _stands(self, made: Router, wanted: Wanted, before: Record, namespace: str) -> bool:
        """Whether nothing has to be done. The host's own rules are put right on the way: they are not of one network."""
        tables = await firewall.tables()
        if "higgins" not in tables:
            await firewall.raise_up()
            tables = {*tables, "higgins"}
        found = dict(_plugged(made, tables, {namespace})).get(wanted.port.id)
        return found == namespace and before.form == wanted.form

    async def _put_in(self, made: Router, wanted: Wanted, before: Record | None, path: Path, namespace: str) -> None:
        port = wanted.port
        if port.published and (before is None or not before.published):
            _free(port.published)
        async with self._lock(made.name):
            made.shelf.begin(wanted, namespace)
            uplink = await made.make(wanted)
        present = made.marked(wanted.link) if before is not None else None
        alias = mark(self._owner, port.id, namespace)
        stays = before is not None and before.wiring == wanted.wiring and present == alias
        if present is not None and not stays:
            await made.unlink(wanted.link)
        steps: list[Coroutine[Any, Any, object]] = [
            run(*inside(made.path), "nft", "-f", "-", told=sheets.guard(wanted, uplink, anew=before is not None))
        ]
        if port.published or (before is not None and before.published):
            steps.append(run("nft", "-f", "-", told=sheets.published(wanted, uplink)))
        if before is not None and before.ruled and before.namespace != namespace:
            steps.append(_unrule(wanted.link, before.namespace))
        ruled = port.rules is not None or (before is not None and before.ruled)
        rules = sheets.rules(wanted) if ruled else ""
        steps.append(_rule(path, rules) if stays else _wire(made, wanted, path, alias, rules))
        await together(*steps)
        made.shelf.finish(wanted, namespace)

    async def _take_out(self, made: Router, port_id: PortId, name: str) -> None:
        present = made.links()
        record = made.shelf.read(port_id)
        if record is None:
            if name not in present:
                return
            record = Record(namespace=present[name].alias.rpartition(",")[2])
        made.shelf.undo(port_id, record)
        steps: list[Coroutine[Any, Any, object]] = []
        if name in present:
            steps.append(made.unlink(name))
        if record.published:
            steps.append(run("nft", "-f", "-", told=sheets.no_table(name)))
        if record.ruled:
            steps.append(_unrule(name, record.namespace))
        if others := made.others(name):
            steps.append(made.unguard(name))
        await together(*steps)
        async with self._lock(made.name):
            # Whoever comes to the network has a file there before it counts on the router.
            if not made.others(name):
                await made.end()
                await firewall.take_down()
                made.shelf.clear()
            elif not others:
                await made.unguard(name)
            made.shelf.forget(port_id)

    def _routers(self) -> Sequence[Router]:
        """Of all networks of which there may be something here: they have a folder, or a namespace with our mark."""
        folders = {folder.name for folder in self._state.iterdir()} if self._state.is_dir() else set()
        others = {path.name for path in NAMESPACES.glob("hgn-*")} - folders
        marked = {name for name in others if self._router(name).uplink() is not None}
        return [self._router(name) for name in sorted(folders | marked)]

    def _router(self, name: str) -> Router:
        return Router(name, owner=self._owner, uplinks=self._uplinks, shelf=Shelf(self._state / name))

    def _lock(self, name: str) -> asyncio.Lock:
        """Of a port, or within that of a router, while it is looked whether that is needed. Whoever holds or awaits it keeps it."""
        return self._locks.setdefault(name, asyncio.Lock())


def _plugged(made: Router, tables: Collection[str], inhabited: Set[str]) -> Iterator[tuple[PortId, str]]:
    """The router's ports, as `list` tells of them."""
    present = made.links()
    serves = "higgins" in tables and "br0" in present and made.uplink() is not None and names.runs(made.shelf)
    for port_id, record in made.shelf.ports():
        name = link_of(port_id)
        linked = name in present and present[name].alias.endswith(f",{record.namespace}")
        used = record.namespace in inhabited
        whole = serves and linked and used and record.whole and (name in tables or not record.published)
        yield port_id, record.namespace if whole else ""
        present.pop(name, None)
    for each in present.values():
        match each.alias.split(","):
            case ["higgins", _, said, _] if each.name.startswith(PREFIX):
                yield PortId(said), ""


async def _wire(made: Router, wanted: Wanted, path: Path, alias: str, rules: str) -> None:
    # The rules are there before the interface is up, and nothing passes before the router has a guard for it.
    batch = sheets.plug(wanted, str(path), alias)
    await together(run(*inside(made.path), "ip", "-batch", "-", told=batch), _rule(path, rules))
    await run(*inside(path), "ip", "-batch", "-", told=sheets.interface(wanted))


async def _rule(path: Path, rules: str) -> None:
    if rules:
        await run(*inside(path), "nft", "-f", "-", told=rules)


async def _unrule(name: str, namespace: str) -> None:
    """No rules of a port are left in a namespace, if there still is one."""
    for pid in processes.members(namespace):
        with suppress(errors.Unavailable), processes.held(pid) as (path, _):
            await run(*inside(path), "nft", "-f", "-", told=sheets.no_table(name))
            return


def _free(wanted: Iterable[Published]) -> None:
    """Raises Invalid for a port that a program of the host has: what comes for it would never reach that any more."""
    for each in wanted:
        kind = socket.SOCK_STREAM if each.protocol == "tcp" else socket.SOCK_DGRAM
        with socket.socket(socket.AF_INET, kind) as attempt:
            if kind == socket.SOCK_STREAM:
                attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                attempt.bind(("", each.host_port))
            except OSError as error:
                raise errors.Invalid(
                    f"Port {each.host_port}/{each.protocol} of the host is in use; publish another."
                ) from error


def _may() -> bool:
    """Whether we have the rights of an administrator over networks and namespaces."""
    lines = Path("/proc/self/status").read_text().splitlines()
    rights = next((int(line.split()[1], 16) for line in lines if line.startswith("CapEff:")), 0)
    return all(rights >> bit & 1 for bit in (_NET_ADMIN, _SYS_ADMIN))
