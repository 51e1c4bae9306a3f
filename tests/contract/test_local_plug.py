"""The plug of hosts whose networks end at them, on the kernel's real namespaces: it keeps the contract, and what it promises of networks."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from higgins import errors
from higgins.drivers.networks.local import LocalPlug, missing
from higgins.drivers.networks.local.router import NAMESPACES
from higgins.drivers.networks.local.wanted import router_of
from higgins.model.ids import NetworkId
from higgins.model.network import Port, Published, Rule
from higgins.testing.plug_contract import Addresses, End, PlugContract, Start, a_port, together, until
from tests.contract.frames import ARP, BROADCAST, IP, SHOUT, claim, frames, listening, listening_at, send, shout
from tests.contract.spaces import Space, Spaces, World, a_world, ask, elsewhere, look_up, spaces

pytestmark = pytest.mark.skipif(missing() is not None, reason=f"networks: {missing()}")


@pytest.fixture
async def room() -> AsyncIterator[Spaces]:
    async with spaces() as made:
        yield made


@pytest.fixture
async def state() -> AsyncIterator[Path]:
    """A folder for drivers. When they are done with it nothing is left: there, in the kernel, or among the processes."""
    folder = Path(tempfile.mkdtemp(prefix="higgins-test-", dir="/run"))
    yield folder
    left = os.listdir(folder)
    for owner in left:
        plug = LocalPlug(owner, state=folder)
        for port_id in await plug.list():
            await plug.unplug(port_id)
    shutil.rmtree(folder)
    assert not left
    assert folder.name not in said("ip", "-d", "link", "show", "type", "veth")
    assert folder.name not in said("ps", "-wweo", "args")
    for name in re.findall(r"^hgn-\w+", said("ip", "netns"), re.MULTILINE):
        assert folder.name not in said("sh", "-c", f"ip -n {name} link 2>&1 || true")
    await until(clean)


async def clean() -> bool:
    """Whether there are no rules on the host for which there is no uplink. Other drivers of this machine may be at work."""
    if any(name.startswith("hgu") for _, name in socket.if_nameindex()):
        return True
    docker = said("sh", "-c", "iptables -S DOCKER-USER 2>&1 || true")
    return "hgu" not in docker and not re.search("higgins|hgp", said("nft", "list", "tables"))


def said(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def plug(state: Path) -> LocalPlug:
    # The name of the folder as the owner, by which what is left is found.
    return LocalPlug(state.name, state=state)


@pytest.fixture
async def put(plug: LocalPlug, room: Spaces) -> AsyncIterator["Put"]:
    """Plugs a port into a namespace, a new one if none is named. All come out in the end."""
    ports = []

    async def put(port: Port, space: Space | None = None) -> Space:
        space = space or await room.start()
        ports.append(port)
        await plug.plug(port, space.pid)
        return space

    yield put
    await together(*(plug.unplug(port.id) for port in ports))


Put = Callable[..., Awaitable[Space]]
VAIN = 0.4
"""Seconds after which nobody is waited for whom nothing should reach."""


@pytest.fixture
async def world(room: Spaces) -> AsyncIterator[World]:
    async with a_world(room) as made:
        yield made


class TestLocalPlug(PlugContract):
    @pytest.fixture
    def plug(self, state: Path) -> LocalPlug:
        return LocalPlug(state.name, state=state)

    @pytest.fixture
    def stranger(self, state: Path) -> LocalPlug:
        return LocalPlug(f"{state.name}-stranger", state=state)

    @pytest.fixture
    def start(self, room: Spaces) -> Start:
        async def start() -> int:
            return (await room.start()).pid

        return start

    @pytest.fixture
    def end(self, room: Spaces) -> End:
        return room.end

    @pytest.fixture
    def addresses(self, room: Spaces) -> Addresses:
        async def addresses(pid: int) -> dict[str, tuple[str, ...]]:
            return await room.open[pid][0].addresses()

        return addresses


def on(network: str | None = None, **said: Any) -> Callable[[str], Port]:
    """Ports of one network, by their addresses."""
    network_id = NetworkId(network or str(uuid.uuid4()))
    return lambda address: a_port(address, network_id=network_id, **said)


async def test_two_on_one_network_reach_each_other_by_address_and_by_name(put: Put, room: Spaces) -> None:
    blue = on()
    one = await put(replace(blue("10.88.0.2"), names=("web", "web-1.example")))
    other = await put(replace(blue("10.88.0.3"), names=("client", "web")))
    await room.listen(one, 80)
    assert await ask(other, "10.88.0.2", 80) == "10.88.0.3"
    await until(lambda: finds(other, "web", ["10.88.0.2", "10.88.0.3"]))
    assert await look_up(one, "client") == ["10.88.0.3"]
    assert await look_up(other, "web-1.example") == ["10.88.0.2"]
    assert await look_up(other, "nobody") == []


async def finds(space: Space, name: str, addresses: list[str]) -> bool:
    return await look_up(space, name) == addresses


async def test_names_come_and_go_with_their_ports(put: Put, plug: LocalPlug) -> None:
    blue = on()
    stays = await put(blue("10.88.0.2"))
    port = replace(blue("10.88.0.3"), names=("old",))
    space = await put(port)
    await until(lambda: finds(stays, "old", ["10.88.0.3"]))
    await plug.plug(replace(port, names=("new",)), space.pid)
    await until(lambda: finds(stays, "new", ["10.88.0.3"]))
    await until(lambda: finds(stays, "old", []))
    await plug.unplug(port.id)
    await until(lambda: finds(stays, "new", []))


async def test_networks_have_names_of_their_own(put: Put) -> None:
    one = await put(replace(on()("10.88.0.2"), names=("web",)))
    other = await put(replace(on()("10.88.0.3"), names=("web",)))
    await until(lambda: finds(one, "web", ["10.88.0.2"]))
    await until(lambda: finds(other, "web", ["10.88.0.3"]))


async def test_the_world_is_reached_and_sees_the_host(put: Put, room: Spaces, world: World) -> None:
    space = await put(on()("10.88.0.2"))
    await room.listen(world.space, 80)
    await room.listen(world.space, 53, udp=True)
    assert await ask(space, world.address, 80) == world.here
    assert await ask(space, world.address, 53, udp=True) == world.here


async def test_the_host_itself_is_not_reached(put: Put, room: Spaces, world: World) -> None:
    space = await put(on()("10.88.0.2"))
    port = await room.listen(None, 0)
    uplink = (await space.show("route", "get", world.address))[0]["gateway"]
    own = [each["local"] for link in json.loads(said("ip", "-j", "-4", "address")) for each in link["addr_info"]]
    assert await ask(None, world.here, port) == world.here
    assert len(own) > 3
    found: list[str | None] = []
    await together(
        *(_note(found, ask(space, address, port, within=VAIN)) for address in (*own, uplink, "169.254.53.53"))
    )
    assert set(found) == {None}


async def _note(found: list[str | None], asking: Awaitable[str | None]) -> None:
    found.append(await asking)


async def test_the_route_leads_through_the_first_interface(put: Put) -> None:
    space = await put(on()("10.88.0.2"))
    other = replace(on(subnet="10.89.0.0/24", gateway="10.89.0.1")("10.89.0.2"), interface="eth1")
    await put(other, space)
    ways = [each for each in await space.show("route") if each["dst"] == "default"]
    assert [(each["gateway"], each["dev"], each["metric"]) for each in ways] == [
        ("10.88.0.1", "eth0", 100),
        ("10.89.0.1", "eth1", 101),
    ]
    assert {link["address"] for link in await space.show("link") if link["ifname"] != "lo"} == {other.mac} | {
        a_port("10.88.0.2").mac
    }


async def test_no_frame_gets_from_one_network_to_another(put: Put, room: Spaces) -> None:
    """Neither to one with the same subnet nor to another, whatever is sent, also to whom it does not concern."""
    blue, green, red = on(), on(), on(subnet="10.99.0.0/24", gateway="10.99.0.1")
    sender, friend = await put(blue("10.88.0.2")), await put(blue("10.88.0.4"))
    ears = [await put(green("10.88.0.2")), await put(green("10.88.0.3")), await put(red("10.99.0.2"))]
    heard = [await listening(each) for each in (friend, *ears)]
    # Not even as far as their routers.
    heard += [listening_at(way_in(network("10.88.0.9").network_id)) for network in (green, red)]
    for each in (friend, *ears):
        await room.listen(each, 80)
    await shout(sender, mac_of("10.88.0.2"), "10.88.0.2")
    away = [each["local"] for link in json.loads(said("ip", "-j", "-4", "address")) for each in link["addr_info"]]
    uplinks = [each for each in away if each.startswith("100.127.")]
    assert len(uplinks) >= 3
    guesses = ("10.88.0.3", "10.99.0.2", "10.99.0.1", *uplinks, *(_other(each) for each in uplinks))
    found: list[str | None] = []
    await together(*(_note(found, ask(sender, address, 80, within=VAIN)) for address in guesses))
    assert set(found) == {None}
    assert await ask(sender, "10.88.0.4", 80) == "10.88.0.2"
    friendly, *others = [frames(each) for each in heard]
    assert any(SHOUT in each for each in friendly)
    assert not [each for other in others for each in other]


def way_in(network: NetworkId) -> str:
    """The host's end of a network's uplink."""
    found = [link for link in json.loads(said("ip", "-j", "link")) if network in link.get("ifalias", "")]
    name: str = found[0]["ifname"]
    return name


def _other(address: str) -> str:
    """Of an uplink's two addresses."""
    start, _, last = address.rpartition(".")
    return f"{start}.{int(last) ^ 1}"


async def test_nobody_sends_under_a_false_name(put: Put) -> None:
    blue = on()
    sender, other = await put(blue("10.88.0.2")), await put(blue("10.88.0.3"))
    heard = await listening(other)
    own, false = mac_of("10.88.0.2"), mac_of("10.88.0.9")
    await shout(sender, own, "10.88.0.2")
    assert {each[12:14] for each in frames(heard) if SHOUT in each} == {ARP, IP}
    for mac, address in ((false, "10.88.0.2"), (own, "10.88.0.9"), (own, "10.88.0.1"), (own, "0.0.0.0")):
        await shout(sender, mac, address)
    # The sender's own name outside, a false one inside.
    await send(sender, BROADCAST + own + ARP + claim(false, "10.88.0.2"))
    await send(sender, BROADCAST + own + b"\x86\xdd" + SHOUT * 4)
    assert not [each for each in frames(heard) if SHOUT in each]


async def test_rules_let_in_what_they_allow_and_answers_to_what_went_out(
    put: Put, room: Spaces, plug: LocalPlug
) -> None:
    blue = on()
    rules = (
        Rule(protocol="tcp", first=80, last=81),
        Rule(protocol="udp", first=53, last=53, source="10.88.0.3/32"),
        Rule(protocol="tcp", first=443, last=443, source="192.0.2.0/24"),
    )
    port = replace(blue("10.88.0.2"), rules=rules)
    ruled = await put(port)
    near, far = await put(blue("10.88.0.3")), await put(blue("10.88.0.4"))
    for number in (80, 81, 82, 443):
        await room.listen(ruled, number)
    await room.listen(ruled, 53, udp=True)
    await room.listen(near, 1000)
    await room.listen(near, 1000, udp=True)
    assert await ask(near, "10.88.0.2", 80) == await ask(near, "10.88.0.2", 81) == "10.88.0.3"
    assert await ask(near, "10.88.0.2", 53, udp=True) == "10.88.0.3"
    assert await ask(ruled, "10.88.0.3", 1000) == await ask(ruled, "10.88.0.3", 1000, udp=True) == "10.88.0.2"
    assert await ask(ruled, "127.0.0.1", 82) == "127.0.0.1"
    refused: list[str | None] = []
    await together(
        *(_note(refused, ask(near, "10.88.0.2", number, within=VAIN)) for number in (82, 443)),
        _note(refused, ask(far, "10.88.0.2", 53, udp=True, within=VAIN)),
    )
    assert refused == [None] * 3
    await plug.plug(replace(port, rules=(Rule(),)), ruled.pid)
    assert await ask(near, "10.88.0.2", 82) == "10.88.0.3"
    await plug.plug(replace(port, rules=()), ruled.pid)
    assert await ask(near, "10.88.0.2", 80, within=VAIN) is None
    await plug.plug(port, ruled.pid)
    await plug.unplug(port.id)
    assert "hgp" not in await ruled.says("nft", "list", "tables")


async def test_what_is_published_is_reached_from_everywhere(
    put: Put, room: Spaces, world: World, plug: LocalPlug
) -> None:
    blue = on()
    tcp, udp = free_port(), free_port(socket.SOCK_DGRAM)
    published = (Published(host_port=tcp, port=80), Published(host_port=udp, port=53, protocol="udp"))
    port = replace(blue("10.88.0.2"), published=published)
    space, neighbour, stranger = await put(port), await put(blue("10.88.0.3")), await put(on()("10.88.0.2"))
    await room.listen(space, 80)
    await room.listen(space, 53, udp=True)
    assert await ask(world.space, world.here, tcp) == await ask(world.space, world.here, udp, udp=True) == world.address
    for address in ("127.0.0.1", world.here):
        assert await ask(None, address, tcp) is not None
        assert await ask(None, address, udp, udp=True) is not None
    for each in (space, neighbour, stranger):
        assert await ask(each, world.here, tcp) is not None
    await plug.plug(replace(port, published=()), space.pid)
    assert await ask(world.space, world.here, tcp, within=VAIN) is None
    assert await ask(None, "127.0.0.1", tcp, within=VAIN) is None


async def test_a_port_that_a_program_of_the_host_has_is_not_published(put: Put, room: Spaces, plug: LocalPlug) -> None:
    taken = await room.listen(None, 0)
    port = replace(a_port(), published=(Published(host_port=taken, port=80),))
    with pytest.raises(errors.Invalid, match=str(taken)):
        await plug.plug(port, (await room.start()).pid)
    assert await plug.list() == {}


async def test_networks_that_come_at_the_same_time_have_uplinks_of_their_own(state: Path, room: Spaces) -> None:
    plug = LocalPlug(state.name, state=state, uplink="100.126.255.224/28")
    ports = [a_port() for _ in range(6)]
    spaces = [await room.start() for _ in ports]
    await together(*(plug.plug(port, space.pid) for port, space in zip(ports, spaces, strict=True)))
    found = [each["local"] for link in json.loads(said("ip", "-j", "address")) for each in link["addr_info"]]
    uplinks = [each for each in found if each.startswith("100.126.255.")]
    assert len(uplinks) == len(set(uplinks)) == len(ports)
    await together(*(plug.unplug(port.id) for port in ports))


@pytest.mark.parametrize("_", range(2))
async def test_a_network_in_which_ports_come_and_go_all_at_once_serves_those_that_stay(
    _: int, plug: LocalPlug, room: Spaces
) -> None:
    blue = on()
    ports = [replace(blue(f"10.88.0.{number}"), names=(f"n{number}",)) for number in range(2, 12)]
    spaces = [await room.start() for _ in ports]
    pairs = list(zip(ports, spaces, strict=True))
    await together(*(plug.plug(port, space.pid) for port, space in pairs[:4]))
    await together(
        *(plug.plug(port, space.pid) for port, space in pairs[4:]), *(plug.unplug(port.id) for port, _ in pairs[:4])
    )
    assert await plug.list() == {port.id: plug.namespace(space.pid) for port, space in pairs[4:]}
    await room.listen(spaces[4], 80)
    assert await ask(spaces[9], "10.88.0.6", 80) == "10.88.0.11"
    await until(lambda: finds(spaces[9], "n6", ["10.88.0.6"]))
    await together(*(plug.unplug(port.id) for port in ports))
    assert await plug.list() == {}


async def test_a_driver_that_starts_anew_finds_all_and_the_name_server(put: Put, state: Path, plug: LocalPlug) -> None:
    port = replace(a_port(), names=("web",))
    space = await put(port)
    (server,) = servers(state)
    again = LocalPlug(state.name, state=state)
    assert await again.list() == {port.id: again.namespace(space.pid)}
    await again.plug(replace(port, names=("other",)), space.pid)
    assert servers(state) == [server]
    await until(lambda: finds(space, "other", ["10.88.0.2"]))


async def test_a_name_server_that_died_is_missed_and_started_again(put: Put, state: Path, plug: LocalPlug) -> None:
    port = replace(a_port(), names=("web",))
    space = await put(port)
    (server,) = servers(state)
    os.kill(server, signal.SIGKILL)
    await until(lambda: is_half(plug, port))
    await plug.plug(port, space.pid)
    assert await plug.list() == {port.id: plug.namespace(space.pid)}
    assert await look_up(space, "web") == ["10.88.0.2"]


@pytest.fixture
def machine() -> Iterator[None]:
    """Another one, as far as networks go: without a Docker Engine, and with nobody else at work."""
    with elsewhere():
        said("ip", "link", "set", "lo", "up")
        yield


async def test_rules_that_somebody_flushed_are_missed_and_made_again(
    machine: None, put: Put, room: Spaces, world: World, plug: LocalPlug
) -> None:
    port = replace(a_port(), published=(Published(host_port=8080, port=80),))
    space = await put(port)
    await room.listen(space, 80)
    await room.listen(world.space, 80)
    number = await room.listen(None, 0)
    said("nft", "flush", "ruleset")
    assert await ask(None, "127.0.0.1", 8080, within=VAIN) is None
    assert await plug.list() == {port.id: ""}
    await plug.plug(port, space.pid)
    assert await plug.list() == {port.id: plug.namespace(space.pid)}
    assert await ask(None, "127.0.0.1", 8080) is not None
    assert await ask(space, world.address, 80) == world.here
    assert await ask(space, world.here, number, within=VAIN) is None


async def test_neither_containers_of_dockers_own_nor_what_clouds_tell_their_machines_is_reached(
    machine: None, put: Put, room: Spaces, world: World
) -> None:
    space, neighbour = await put(a_port()), await room.start()
    said("ip", "link", "add", "docker0", "type", "bridge")
    said("ip", "address", "add", "172.17.0.1/16", "dev", "docker0")
    said("ip", "link", "set", "docker0", "up")
    said(
        "ip", "link", "add", "other0", "master", "docker0", "type", "veth", "peer", "eth0", "netns", str(neighbour.pid)
    )
    said("ip", "link", "set", "other0", "up")
    await neighbour.says("ip", "address", "add", "172.17.0.2/16", "dev", "eth0")
    await neighbour.says("ip", "link", "set", "eth0", "up")
    await neighbour.says("ip", "route", "add", "default", "via", "172.17.0.1")
    said("ip", "route", "add", "169.254.169.254", "via", world.address)
    await world.space.says("ip", "address", "add", "169.254.169.254/32", "dev", "eth0")
    await room.listen(neighbour, 80)
    await room.listen(world.space, 80)
    for address in ("172.17.0.2", "169.254.169.254"):
        assert await ask(None, address, 80) is not None
        assert await ask(space, address, 80, within=VAIN) is None
    assert await ask(space, world.address, 80) == world.here


async def test_an_interface_that_somebody_removed_is_missed_and_made_again(put: Put, plug: LocalPlug) -> None:
    port = a_port()
    space = await put(port)
    await space.says("ip", "link", "del", "eth0")
    await until(lambda: is_half(plug, port))
    await plug.plug(port, space.pid)
    assert await space.addresses() == {"eth0": port.addresses}


async def test_of_a_namespace_that_outlives_its_process_a_port_is_missed(
    put: Put, room: Spaces, plug: LocalPlug
) -> None:
    """As a killed engine leaves it, with the interface in it: the process that was started in its stead has another."""
    port = a_port()
    space = await put(port)
    with open(space.path):  # noqa: ASYNC230 - nothing is read
        await room.end(space.pid)
        assert await is_half(plug, port)
        again = await put(port)
        assert await plug.list() == {port.id: plug.namespace(again.pid)}
        assert await again.addresses() == {"eth0": port.addresses}


async def test_a_bridge_that_somebody_removed_is_missed_and_made_again(
    put: Put, room: Spaces, state: Path, plug: LocalPlug
) -> None:
    blue = on()
    ports = [blue("10.88.0.2"), blue("10.88.0.3")]
    spaces = [await put(port) for port in ports]
    await room.listen(spaces[1], 80)
    said("ip", "-n", router_of(state.name, ports[0].network_id), "link", "del", "br0")
    assert await ask(spaces[0], "10.88.0.3", 80, within=VAIN) is None
    assert await plug.list() == {port.id: "" for port in ports}
    for port, space in zip(ports, spaces, strict=True):
        await plug.plug(port, space.pid)
    assert await ask(spaces[0], "10.88.0.3", 80) == "10.88.0.2"


@pytest.mark.parametrize("losing", ["ip netns del {}", "umount --lazy /run/netns/{}"])
async def test_a_router_whose_name_leads_nowhere_is_made_again_and_nothing_is_left_of_the_first(
    put: Put, state: Path, plug: LocalPlug, losing: str
) -> None:
    """The name can have been removed, or be there and lead nowhere: an agent with mounts of its own, as services have, has taken them with it."""
    port = a_port()
    space = await put(port)
    (server,) = servers(state)
    said(*losing.format(router_of(state.name, port.network_id)).split())
    assert await plug.list() == {port.id: ""}
    await until(lambda: succeeds(plug.plug(port, space.pid)))
    assert await plug.list() == {port.id: plug.namespace(space.pid)}
    assert server not in servers(state) and len(servers(state)) == 1
    assert await look_up(space, "web") == []
    said(*losing.format(router_of(state.name, port.network_id)).split())
    await plug.unplug(port.id)
    assert servers(state) == []
    assert not (NAMESPACES / router_of(state.name, port.network_id)).exists()


async def succeeds(doing: Coroutine[Any, Any, None]) -> bool:
    """What it needs may take the kernel a moment."""
    try:
        await doing
    except errors.Unavailable:
        return False
    return True


async def is_half(plug: LocalPlug, port: Port) -> bool:
    return await plug.list() == {port.id: ""}


def test_a_host_that_may_not_change_networks_says_so():
    asked = "from higgins.drivers.networks.local import missing; print(missing())"
    assert "root" in said("setpriv", "--bounding-set", "-net_admin", sys.executable, "-c", asked)


@pytest.mark.parametrize(
    "wrong",
    [
        {"interface": "eth0; reboot"},
        {"mac": "no"},
        {"addresses": ("fd00::2",)},
        {"addresses": ("10.89.0.2",)},
        {"addresses": ()},
        {"published": (Published(host_port=70000, port=2),)},
        {"rules": (Rule(protocol="tcp", first=20, last=10),)},
        {"names": ("a b",)},
        {"id": "no-uuid"},
        {"published": (Published(host_port=1, port=2, protocol="sctp"),)},
        {"rules": (Rule(source="nowhere"),)},
    ],
    ids=str,
)
async def test_what_no_host_can_make_is_invalid(wrong: dict[str, Any], room: Spaces, plug: LocalPlug) -> None:
    with pytest.raises(errors.Invalid):
        await plug.plug(replace(a_port(), **wrong), (await room.start()).pid)
    assert await plug.list() == {}


def mac_of(address: str) -> bytes:
    return bytes.fromhex(a_port(address).mac.replace(":", ""))


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as attempt:
        attempt.bind(("", 0))
        number: int = attempt.getsockname()[1]
        return number


def servers(state: Path) -> list[int]:
    """The name servers that serve from this folder."""
    lines = [line.split() for line in said("ps", "-wweo", "pid,args").splitlines()]
    return [int(line[0]) for line in lines if line[1] == "dnsmasq" and str(state) in " ".join(line)]
