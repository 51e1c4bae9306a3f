"""Networks are apart: whatever the root of a container tries, no packet of it comes to another network; on a real all-in-one, with real containers."""

import asyncio
import itertools
import json
import shlex
import socket
import subprocess
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
import requests
from zunclient import client

from higgins.api.zun.microversion import MAX
from tests.contract.frames import ARP, BROADCAST, IP, IPV6, SHOUT, VLAN, claim, datagram, frames, listening, send
from tests.contract.spaces import Space, Spaces, World, a_world, ask, spaces
from tests.system import clients
from tests.system.clients import PATIENCE, settled, until
from tests.system.engine import BUSYBOX as IMAGE
from tests.system.servers import AllInOne, Login

TELLS = "echo {} > /tmp/index.html; trap exit TERM; busybox httpd -f -p 80 -h /tmp & wait"
"""What is asked at port 80 who it is."""
KNOCK = b"w" * 16
"""What every ping has in it."""
KNOCKS = f"ping -p {KNOCK[:1].hex()} -c 1 -W 1 $a > /tmp/$a && echo $a"
ICMP, UNREACHABLE = 1, 3
ALL_BY_IPV6 = b"\x33\x33\x00\x00\x00\x01"
CLOUD = "169.254.169.254"
"""Where clouds tell their machines secrets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A container on one network, at whose port 80 it says what it is called."""

    called: str
    uuid: str
    network: str
    address: str
    mac: bytes
    gateway: str
    router: bytes
    """Its MAC."""
    library: client.Client
    space: Space
    published: int | None
    """The port of the host that leads to it."""

    def does(self, script: str) -> str:
        """What its shell prints, as its root."""
        words = shlex.join(["sh", "-c", script])
        return str(self.library.containers.execute(self.uuid, command=words, interactive=False)["output"])

    def tries(self, addresses: Sequence[str], port: int = 80) -> set[str]:
        """What it hears from there, whatever a container has to ask with."""
        asking = (
            f"busybox timeout 1 wget -q -O - http://$a:{port}/",
            "ping -c 1 -W 1 $a > /tmp/$a && echo $a answers",
            "busybox arping -q -c 1 -w 1 $a && echo $a is near",
        )
        asked = " & ".join(f"({each})" for each in asking)
        every = f"(for a in {' '.join(addresses)}; do {asked} & done; wait) 2> /tmp/complaints"
        return set(self.does(every).splitlines())

    def heard(self, ear: socket.socket) -> list[bytes]:
        """Every shout and knock that came to it, but what comes back of its own because nobody is there."""
        heard = [frame for frame in frames(ear) if SHOUT in frame or KNOCK in frame]
        return [frame for frame in heard if (frame[23], frame[34]) != (ICMP, UNREACHABLE)]


class Project:
    """A project, as its member asks."""

    def __init__(self, server: AllInOne, login: Login) -> None:
        self.library = clients.library(login)
        self._url = f"{server.url}/v1"
        self._headers = {"X-Auth-Token": login.token(), "OpenStack-API-Version": f"container {MAX}"}

    def make(self, noun: str, **asked: Any) -> Any:
        return self._told("POST", noun, json=asked)

    def member(self, called: str, ident: str) -> Member:
        """A container that was made, once it runs."""
        until(lambda: settled(self.library.containers.get(ident), "Running"), "Running")
        shown = self._told("GET", f"containers/{ident}")
        ((network, (port,)),) = shown["addresses"].items()
        gateway = self._told("GET", f"networks/{network}")["gateway"]
        process = said("docker", "inspect", "-f", "{{.State.Pid}}", f"higgins-{ident}")
        seen = f"ping -q -c 1 {gateway} > /tmp/ping; cat /sys/class/net/eth0/address; ip neigh show {gateway}"
        words = shlex.join(["sh", "-c", seen])
        mac, _, neighbour = self.library.containers.execute(ident, command=words, interactive=False)[
            "output"
        ].partition("\n")
        return Member(
            called=called,
            uuid=ident,
            network=network,
            address=port["addr"],
            mac=octets(mac),
            gateway=gateway,
            router=octets(neighbour.partition("lladdr ")[2].split()[0]),
            library=self.library,
            space=Space(int(process)),
            published=next((each["host_port"] for each in shown["published_ports"]), None),
        )

    def _told(self, method: str, path: str, **more: Any) -> Any:
        answer = requests.request(method, f"{self._url}/{path}", headers=self._headers, timeout=PATIENCE, **more)
        assert answer.ok, answer.text
        return answer.json()


@dataclass(frozen=True, slots=True, kw_only=True)
class Town:
    """Two projects on one host: one with several networks, one of them at the addresses of a network of the other project."""

    sender: Member
    friend: Member
    """On the sender's network. All others are on other ones."""
    back: Member
    twin: Member
    stranger: Member
    """Of the other project. To its container leads a port of the host."""
    strangers_twin: Member

    @property
    def all(self) -> Sequence[Member]:
        return (self.sender, self.friend, *self.others)

    @property
    def others(self) -> Sequence[Member]:
        return (self.back, self.twin, self.stranger, self.strangers_twin)


@pytest.fixture(scope="module")
def town(networked: AllInOne) -> Iterator[Town]:
    blue, red = (
        Project(networked, networked.add(user, project, "member"))
        for user, project in (("mia", "meadow"), ("rob", "marsh"))
    )
    for project in (blue, red):
        project.make("networks", name="near")
        project.make("networks", name="twins", subnet="10.66.0.0/24")
    blue.make("networks", name="back")

    def made(
        project: Project, called: str, network: str, address: str | None = None, **more: Any
    ) -> tuple[Project, str, str]:
        nets = [{"network": network} | ({"v4-fixed-ip": address} if address else {})]
        command = ["sh", "-c", TELLS.format(called)]
        asked = {"name": called, "image": IMAGE, "command": command, "nets": nets, **more}
        return project, called, project.make("containers?run=true", **asked)["uuid"]

    asked = (
        made(blue, "sender", "near"),
        made(blue, "friend", "near"),
        made(blue, "back", "back"),
        made(blue, "twin", "twins", "10.66.0.10"),
        made(red, "stranger", "near", published_ports=[{"port": 80}]),
        made(red, "strangers_twin", "twins", "10.66.0.11"),
    )
    members = {called: project.member(called, ident) for project, called, ident in asked}
    yield Town(**members)
    for each in members.values():
        each.space.close()
        each.library.containers.delete(each.uuid, stop=True)


@pytest.fixture
async def room() -> AsyncIterator[Spaces]:
    async with spaces() as made:
        yield made


@pytest.fixture
async def world(room: Spaces) -> AsyncIterator[World]:
    async with a_world(room) as made:
        yield made


def said(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def octets(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))


def own(besides: str = "nobody's") -> list[str]:
    """The addresses of this host, those of the uplinks of all networks but one among them."""
    links = json.loads(said("ip", "-j", "-d", "-4", "address"))
    return [each["local"] for link in links if besides not in link.get("ifalias", "") for each in link["addr_info"]]


def uplinks(besides: str = "nobody's") -> list[str]:
    """Both ends of all but that of one network."""
    near = [each for each in own(besides) if each.startswith("100.127.")]
    assert near
    far = [f"{start}.{int(last) ^ 1}" for start, _, last in (each.rpartition(".") for each in near)]
    return [*near, *far]


def test_of_all_addresses_that_are_known_only_those_of_the_own_network_are_reached(town: Town) -> None:
    with ThreadPoolExecutor() as pool:
        heard = list(
            pool.map(
                lambda one: one.tries([each.address for each in town.all if each.address != one.address]), town.all
            )
        )
    near = (town.friend, town.sender, *[None] * len(town.others))
    there = [{each.called, f"{each.address} answers", f"{each.address} is near"} if each else set() for each in near]
    assert heard == there


async def test_no_address_that_is_guessed_leads_to_another_network(town: Town) -> None:
    """Of the stranger's subnet all, and all that lead to routers of others."""
    ears = [(each, await listening(each.space)) for each in town.others]
    start = town.stranger.address.rpartition(".")[0]
    guesses = [*(f"{start}.{number}" for number in range(1, 255)), *uplinks(besides=town.sender.network)]
    near = await listening(town.friend.space)
    knocks = f"(for a in {town.friend.address} {' '.join(guesses)}; do {KNOCKS} & done; wait) 2> /tmp/complaints"
    assert await asyncio.to_thread(town.sender.does, knocks) == f"{town.friend.address}\n"
    assert town.friend.heard(near)
    assert not [frame for each, ear in ears for frame in each.heard(ear)]


async def test_no_frame_comes_to_another_network_and_none_under_a_false_name_to_ones_own(town: Town) -> None:
    ears = [(each, await listening(each.space)) for each in town.others]
    near = await listening(town.friend.space)
    for sender in (town.sender, town.twin, town.stranger):
        await send(sender.space, *truths_and_lies(sender, town))
        assert not [frame for each, ear in ears if each is not sender for frame in each.heard(ear)]
    heard = {(frame[6:12], source(frame)) for frame in frames(near) if SHOUT in frame}
    true = socket.inet_aton(town.sender.address)
    assert heard == {(town.sender.mac, true), (town.sender.router, true)}


def truths_and_lies(sender: Member, town: Town) -> Iterator[bytes]:
    """Each with whom it is said to be from, by both kinds of addresses, and whom it is for, by both."""
    for other in town.all:
        everybody = f"{other.address.rpartition('.')[0]}.255"
        macs = {sender.mac, other.mac, sender.router}
        for mac, address in itertools.product(macs, {sender.address, other.address, other.gateway, "0.0.0.0"}):
            for to, target in itertools.product({BROADCAST, other.mac, sender.router}, (other.address, everybody)):
                yield to + mac + IP + datagram(address, target)
                yield to + mac + VLAN + b"\x00\x07" + IP + datagram(address, target)
            yield BROADCAST + mac + IP + datagram(address)
            yield BROADCAST + mac + ARP + claim(mac, address, other.address)
            yield BROADCAST + sender.mac + ARP + claim(mac, address, other.address)
    yield ALL_BY_IPV6 + sender.mac + IPV6 + by_ipv6()


def by_ipv6() -> bytes:
    """A datagram from a link's own address to all on the link."""
    near, everybody = (socket.inet_pton(socket.AF_INET6, each) for each in ("fe80::7", "ff02::1"))
    return b"\x60\0\0\0" + (8 + len(SHOUT)).to_bytes(2, "big") + b"\x11\x01" + near + everybody + bytes(8) + SHOUT


def source(frame: bytes) -> bytes:
    """The address that a frame says it is from."""
    return frame[28:32] if frame[12:14] == ARP else frame[26:30]


async def test_an_address_that_somebody_else_claims_stays_its_owners(town: Town, world: World, room: Spaces) -> None:
    await room.listen(world.space, 80)
    sender, friend = town.sender, town.friend
    claims = [
        to + mac + ARP + claim(sender.mac, address, friend.address)
        for mac in (sender.mac, sender.router)
        for to in (BROADCAST, friend.mac, sender.router)
        for address in (sender.gateway, "169.254.53.53", friend.address)
    ]
    await send(sender.space, *claims)
    known = await friend.space.show("neigh")
    assert [each["dst"] for each in known if each.get("lladdr") == sender.mac.hex(":")] in ([], [sender.address])
    assert await ask(friend.space, world.address, 80) == world.here
    assert await asyncio.to_thread(sender.does, "busybox timeout 5 wget -q -O - http://friend/") == "friend\n"


def test_the_root_of_a_container_changes_nothing_of_its_network(town: Town) -> None:
    changes = (
        f"ip addr add {town.friend.address}/24 dev eth0",
        "ip link set eth0 address 02:00:00:00:00:07",
        "ip link set eth0 down",
        "ip link add link eth0 name eth0.7 type vlan id 7",
        f"ip route add {town.stranger.address} dev eth0",
        "ip link set eth0 netns 1",
        "echo 0 > /proc/sys/net/ipv6/conf/eth0/disable_ipv6",
        "echo 1 > /proc/sys/net/ipv4/ip_forward",
        "busybox unshare -n true",
    )
    script = "\n".join(f"({each}) 2> /tmp/complaints && echo {shlex.quote(each)}" for each in changes)
    assert town.sender.does(f"{script}\n:") == ""


async def test_of_the_host_only_what_is_published_is_reached(
    town: Town, networked: AllInOne, world: World, room: Spaces
) -> None:
    addresses, gates = [each for each in own() if each != "127.0.0.1"], ["169.254.53.53", town.sender.gateway]
    assert world.here in addresses
    # Whoever is elsewhere does reach the API.
    with await world.space.socket() as made:
        await asyncio.get_running_loop().sock_connect(made, (world.here, networked.port))
    heard = await asyncio.to_thread(town.sender.tries, [*addresses, *gates], networked.port)
    # Its router says that it is there.
    assert heard == {f"{each} {what}" for each in gates for what in ("answers", "is near")}
    found = await asyncio.to_thread(
        town.sender.does, f"busybox timeout 5 wget -q -O - http://{world.here}:{town.stranger.published}/"
    )
    assert found == "stranger\n"


async def test_no_datagram_comes_to_the_host_by_its_own_address_of_itself(town: Town, world: World) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear, await world.space.socket(socket.SOCK_DGRAM) as other:
        ear.setblocking(False)
        ear.bind(("", 0))
        port = ear.getsockname()[1]
        other.sendto(b"hello", (world.here, port))
        assert (await asyncio.get_running_loop().sock_recv(ear, 100)) == b"hello"
        sender = town.sender
        told = [
            sender.router + sender.mac + IP + datagram(address, target, port=port)
            for address in (sender.address, "127.0.0.1")
            for target in (*own(), "127.0.0.53", "255.255.255.255")
        ]
        await send(sender.space, *told)
        with pytest.raises(BlockingIOError):
            ear.recv(100)


@pytest.fixture
def neighbour() -> Iterator[Mapping[str, str]]:
    """A container of the engine's own, on its bridge: its name, and its address."""
    name = f"higgins-test-{uuid.uuid4()}"
    said("docker", "run", "-d", "--rm", "--name", name, IMAGE, "sh", "-c", TELLS.format("neighbour"))
    yield {"name": name, "address": said("docker", "inspect", "-f", "{{.NetworkSettings.IPAddress}}", name)}
    said("docker", "rm", "-f", name)


async def test_containers_of_the_engines_own_are_not_reached_and_do_not_reach_those_of_networks(
    town: Town, neighbour: Mapping[str, str]
) -> None:
    assert await answers(neighbour["address"])
    assert town.sender.tries([neighbour["address"]]) == set()
    ears = [(each, await listening(each.space)) for each in town.all]
    asked = " ".join([*(each.address for each in town.all), *uplinks()[len(uplinks()) // 2 :]])
    script = f"(for a in {asked}; do {KNOCKS} & done; wait) 2> /tmp/complaints"
    assert said("docker", "exec", neighbour["name"], "sh", "-c", script) == ""
    assert not [frame for each, ear in ears for frame in each.heard(ear)]


async def answers(address: str) -> bool:
    """Whether somebody at port 80 does, of this host."""
    for _ in range(50):
        with socket.socket() as made:
            if made.connect_ex((address, 80)) == 0:
                return True
        await asyncio.sleep(0.1)
    return False


async def test_what_clouds_tell_their_machines_is_not_asked_for(town: Town, world: World) -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as ear:
        ear.setblocking(False)
        asks = f"for a in {CLOUD} {world.address}; do busybox timeout 1 wget -q -O - http://$a/ 2> /tmp/complaints & done; wait"
        assert await asyncio.to_thread(town.sender.does, asks) == ""
        passed = {frame[30:34] for frame in frames(ear) if frame[12:14] == IP}
    assert socket.inet_aton(world.address) in passed
    assert socket.inet_aton(CLOUD) not in passed


async def test_the_world_is_reached_and_reaches_only_what_is_published(town: Town, world: World, room: Spaces) -> None:
    await room.listen(world.space, 80)
    for each in (town.sender, town.stranger, town.twin, town.strangers_twin):
        assert await ask(each.space, world.address, 80) == world.here
    telling = asyncio.to_thread(town.sender.does, f"busybox nc -w 2 {world.address} 80")
    assert await telling == world.here
    await world.space.says("ip", "route", "add", "default", "via", world.here)
    ears = [(each, await listening(each.space)) for each in town.all]
    with await world.space.socket(socket.SOCK_DGRAM) as made:
        for address in (*(each.address for each in town.all), *uplinks()):
            made.sendto(SHOUT, (address, 80))
    await asyncio.sleep(0.1)
    assert not [frame for each, ear in ears for frame in each.heard(ear)]
    with await world.space.socket() as made:
        await asyncio.get_running_loop().sock_connect(made, (world.here, town.stranger.published))


def test_names_are_those_of_the_own_network(town: Town) -> None:
    asks = "for a in sender friend back twin stranger strangers_twin; do busybox timeout 1 wget -q -O - http://$a/ 2> /tmp/complaints; done"
    assert town.sender.does(asks).split() == ["sender", "friend"]
    assert town.stranger.does(asks).split() == ["stranger"]
    assert town.twin.does(asks).split() == ["twin"]
