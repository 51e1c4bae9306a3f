"""Whether what a server has made on its machine of networks, volumes and files is what the containers there need: no less, and nothing else."""

import asyncio
import json
import os
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from higgins.drivers.networks.local.sheets import UPLINKS
from higgins.drivers.networks.local.wanted import PREFIX, link_of, router_of
from higgins.logic import documents
from higgins.model.capsule import Assignment, CapsuleSpec
from higgins.model.ids import ContainerId
from higgins.model.network import Port
from tests.system.faults.found import on_engine
from tests.system.servers import AllInOne

PATIENCE = 90.0
"""Seconds in which all has to come to be as it should."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """What has to be there, by what the database says and what the engine runs."""

    ports: Mapping[int, Sequence[Port]]
    """By the process of the sandbox, which runs."""
    volumes: Mapping[str, int]
    """Those that lie on the host, each with its size."""
    mounted: set[str]
    """Those that something here uses."""
    files: set[str]
    """The capsules that have some."""
    astray: Sequence[str] = field(default_factory=tuple)
    """Rows of the database that contradict each other."""


async def assert_nothing_leaks(server: AllInOne) -> None:
    """All comes to be as it has to, or an AssertionError with what is left of what."""
    deadline = time.monotonic() + PATIENCE
    wrong, strange = await leaks(server)
    while wrong or strange:
        assert time.monotonic() < deadline, "\n".join([*wrong, *sorted(strange)])
        await asyncio.sleep(0.5)
        wrong, others = await leaks(server)
        # Other services of this machine may be in the middle of something: what is nobody's has to stay.
        strange &= others


async def leaks(server: AllInOne) -> tuple[list[str], set[str]]:
    """What of this server is there now and should not be, or is not there and should be; and what of the machine's, be it whose it may."""
    sandboxes = {
        each.marks.container_id: int(each.whole["State"]["Pid"])
        for each in await on_engine(server.docker_url, server.owner)
        if each.marks is not None and each.is_sandbox and each.whole["State"]["Running"]
    }
    needed = _needed(server.database, sandboxes)
    return await asyncio.to_thread(
        lambda: ([*needed.astray, *_of_networks(server, needed), *_of_volumes(server, needed)], set(_of_nobody(server)))
    )


def _needed(database: Path, sandboxes: Mapping[ContainerId, int]) -> Needed:
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        # One look, so that all is of the same moment.
        connection.execute("BEGIN")
        rows = connection.execute("SELECT id, spec, assignment FROM capsules WHERE host_id IS NOT NULL").fetchall()
        capsules = [
            (capsule_id, documents.decode(spec, CapsuleSpec), documents.decode(assignment, Assignment))
            for capsule_id, spec, assignment in rows
        ]
        allotted = {row[0] for row in connection.execute("SELECT id FROM ports")}
        volumes = dict(connection.execute("SELECT id, size FROM volumes WHERE host_id IS NOT NULL").fetchall())
        files = {row[0] for row in connection.execute("SELECT DISTINCT capsule_id FROM files")}
    connection.close()
    told = {port.id for _, _, assignment in capsules for port in assignment.ports}
    return Needed(
        ports={
            sandboxes[spec.sandbox]: assignment.ports
            for _, spec, assignment in capsules
            if spec.sandbox is not None and spec.sandbox in sandboxes
        },
        volumes=volumes,
        mounted={each.volume_id for _, _, assignment in capsules for each in assignment.volumes},
        files=files & {capsule_id for capsule_id, _, _ in capsules},
        astray=[f"the table has port {each}, which no capsule was given" for each in allotted - told]
        + [f"a capsule was given port {each}, of which the table knows nothing" for each in told - allotted],
    )


# Networks.


def _of_networks(server: AllInOne, needed: Needed) -> Iterator[str]:
    machine = Machine(server)
    ports = [port for each in needed.ports.values() for port in each]
    wanted = {router_of(server.owner, port.network_id): port.network_id for port in ports}
    shelves = machine.folder / server.owner
    uplinks = machine.uplinks()
    there = machine.routers(server.owner)
    yield from _differ("router", there, wanted)
    yield from _differ("folder of a network", _names(shelves), wanted)
    yield from _differ("uplink of the network", uplinks.get(server.owner, ()), wanted.values())
    yield from _differ("name server of", machine.name_servers(shelves), wanted)
    if shelves.is_dir() and not wanted:
        yield f"{shelves} is left"
    for router in sorted(there & wanted.keys()):
        yield from _of_router(machine, shelves, router, [port for port in ports if port.network_id == wanted[router]])
    for process, plugged in needed.ports.items():
        yield from _of_sandbox(machine, process, plugged)
    missed = {link_of(port.id) for port in ports if port.published} - machine.rules()[0]
    yield from (f"on the host table {each} is missing" for each in sorted(missed))


def _of_router(machine: "Machine", shelves: Path, router: str, ports: Sequence[Port]) -> Iterator[str]:
    links = {link_of(port.id) for port in ports}
    found = machine.links(router)
    yield from _differ(f"in {router} link", found - {"lo"}, links | {"br0", "up0"})
    tables, chains = machine.rules("ip", "netns", "exec", router)
    yield from _differ(f"in {router} guard of", {each for each in chains if each.startswith(PREFIX)}, links)
    published = {link_of(port.id) for port in ports if port.published}
    yield from _differ(f"in {router} table", tables, published | {"higgins"})
    yield from _differ(f"in {router} file of port", _names(shelves / router / "hosts"), {port.id for port in ports})
    yield from _differ(f"in the folder of {router}", _names(shelves / router), {"hosts", "dnsmasq.pid"})


def _of_sandbox(machine: "Machine", process: int, ports: Sequence[Port]) -> Iterator[str]:
    me = f"in the sandbox with process {process}"
    yield from _differ(
        f"{me} address",
        machine.addresses(process),
        {f"{port.interface} {each}" for port in ports for each in port.addresses},
    )
    tables, _ = machine.rules(*machine.inside(process))
    yield from _differ(f"{me} table", tables, {link_of(port.id) for port in ports if port.rules is not None})


def _of_nobody(server: AllInOne) -> Iterator[str]:
    """Of all services of the machine together."""
    machine = Machine(server)
    uplinks = machine.uplinks()
    yield from (f"router {each} is nobody's" for each in machine.routers(""))
    yield from (f"uplink {each} is nobody's" for each in uplinks.get("", ()))
    tables, _ = machine.rules()
    orphans = {each for each in tables if each.startswith(PREFIX)} - machine.all_ports()
    yield from (f"on the host table {each} is left" for each in orphans)
    yield from _differ("on the host table", tables & {"higgins"}, {"higgins"} if uplinks else set())
    told = [f"-A DOCKER-USER -{way} {UPLINKS}+ -j ACCEPT" for way in "io"] if uplinks else []
    yield from _differ("rule for Docker", machine.docker_rules(), told)


class Machine:
    """That of a server, which may have networks, mounts and processes of its own."""

    def __init__(self, server: AllInOne) -> None:
        self._enter = server.enter
        self._root = server.machine / "root"
        self.mounts = server.machine / "mounts"
        self.folder = self._root / "run" / "higgins"

    def says(self, *command: str) -> str:
        """Nothing where the command fails: what it asks about has just gone."""
        ran = subprocess.run([*self._enter, *command], capture_output=True, text=True, check=False)
        return ran.stdout if ran.returncode == 0 else ""

    def inside(self, process: int) -> tuple[str, ...]:
        """Before a command, so that it sees the networks of that process."""
        return "nsenter", f"--net=/proc/{process}/ns/net"

    def routers(self, owner: str) -> set[str]:
        """Those with this owner's mark; with none, where that is empty."""
        found = set()
        for name in _names(self._root / "run" / "netns"):
            if name.startswith("hgn-"):
                marked = [link.get("ifalias", "") for link in self._json("ip", "-n", name, "-j", "link", "show", "up0")]
                if ((marked and marked[0]) or ",").split(",")[1] == owner:
                    found.add(name)
        return found

    def uplinks(self) -> dict[str, list[str]]:
        """Of which networks, by owner; what bears no mark is of nobody."""
        found: dict[str, list[str]] = {}
        for link in self._json("ip", "-j", "link"):
            if link["ifname"].startswith(UPLINKS):
                _, owner, network = (*link.get("ifalias", "").split(","), "", "")[:3]
                found.setdefault(owner, []).append(network or link["ifname"])
        return found

    def links(self, router: str) -> set[str]:
        return {link["ifname"] for link in self._json("ip", "-n", router, "-j", "link")}

    def all_ports(self) -> set[str]:
        """The links of all ports on this machine, whoever has them."""
        return {
            link
            for name in _names(self._root / "run" / "netns")
            if name.startswith("hgn-")
            for link in self.links(name)
        }

    def addresses(self, process: int) -> list[str]:
        return [
            f"{link['ifname']} {each['local']}"
            for link in self._json(*self.inside(process), "ip", "-j", "address")
            for each in link["addr_info"] or [{"local": None}]
            if link["ifname"] != "lo"
        ]

    def rules(self, *where: str) -> tuple[set[str], set[str]]:
        """The names of the tables `inet`, and of the chains for frames."""
        told = [
            each
            for one in json.loads(self.says(*where, "nft", "-j", "list", "ruleset") or '{"nftables": []}')["nftables"]
            for each in one.items()
        ]
        tables = {one["name"] for kind, one in told if kind == "table" and one["family"] == "inet"}
        return tables, {one["name"] for kind, one in told if kind == "chain" and one["family"] == "bridge"}

    def docker_rules(self) -> list[str]:
        said = self.says("iptables", "-w", "-S", "DOCKER-USER").splitlines()
        return [each for each in said if UPLINKS in each]

    def name_servers(self, shelves: Path) -> list[str]:
        """The routers for which one runs, each as often as it does."""
        place = f"--pid-file=/run/higgins/{shelves.name}/"
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                said = (process / "cmdline").read_text().split("\0")
            except OSError:
                continue
            found += [each.removeprefix(place).partition("/")[0] for each in said if each.startswith(place)]
        return found

    def _json(self, *command: str) -> Any:
        return json.loads(self.says(*command) or "[]")


# Volumes.


def _of_volumes(server: AllInOne, needed: Needed) -> Iterator[str]:
    apart = server.directory / "agent"
    state = (apart if apart.exists() else server.directory) / "state" / "agent"
    home = state / "volumes"
    # Whoever was to mount one first may have gone before it came to that.
    unmade = needed.volumes.keys() - needed.mounted - _names(home)
    yield from _differ("volume on the host", _names(home), needed.volumes.keys() - unmade)
    yield from _differ("folder with files of capsule", _names(state / "files"), needed.files)
    in_files = {each for each in _names(home) if (home / each / "image").exists()}
    yield from (f"volume {each} has no size, and lies in a file" for each in in_files if not needed.volumes.get(each))
    places = [line.split()[1] for line in Machine(server).mounts.read_text().splitlines()]
    mounted = [place for place in places if place.startswith(f"{state}/")]
    yield from _differ("mount", mounted, {f"{home}/{each}/mounted" for each in in_files & needed.mounted})
    needed_loops = {f"{home}/{each}/image" for each in in_files & needed.mounted}
    loops = [(_backing(loop), loop.name) for loop in Path("/sys/block").glob("loop*")]
    backing = [
        file
        for file, loop in loops
        if file.startswith(f"{state}/") and (file in needed_loops or not _is_mounted_somewhere(loop))
    ]
    yield from _differ("loop device of", backing, needed_loops)


def _backing(loop: Path) -> str:
    try:
        return (loop / "loop" / "backing_file").read_text().strip()
    except OSError:
        return ""


def _is_mounted_somewhere(loop: str) -> bool:
    """By any process of the machine: whoever was started in mounts of its own while it was mounted here keeps it until it ends."""
    for mounts in Path("/proc").glob("[0-9]*/mounts"):
        try:
            if f"/dev/{loop} " in mounts.read_text():
                return True
        except OSError:
            continue  # It has just ended.
    return False


def _names(folder: Path) -> set[str]:
    try:
        return set(os.listdir(folder))
    except OSError:
        return set()


def _differ(what: str, there: Iterable[str], wanted: Iterable[str]) -> Iterator[str]:
    """In words. What is there may be there several times, which is too often."""
    counted = Counter(there)
    yield from (f"{what} {each} is missing" for each in sorted(set(wanted) - counted.keys()))
    yield from (f"{what} {each} is left" for each in sorted(counted.keys() - set(wanted)))
    yield from (f"{what} {each} is there {times} times" for each, times in counted.items() if times > 1)
