"""The contract of network providers on the one that keeps its networks in the database, and what that promises besides."""

import asyncio
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from higgins import errors
from higgins.control.local_networks import LocalNetworks, mac
from higgins.model.capsule import Assignment, Capsule, Kind
from higgins.model.ids import NetworkId, PortId, ProjectId, SecurityGroupId
from higgins.model.network import Network, NetworkWish, Port, Published, Rule, SecurityGroup
from higgins.store import capsules, networks, security_groups
from higgins.store import identity as _identity_tables  # noqa: F401 - its tables belong to the schema
from higgins.store.database import Connection, Database
from higgins.store.tables import metadata
from higgins.testing import builders
from higgins.testing.network_contract import NetworkContract, wishing

BLUE = "b10e0000-0000-4000-8000-000000000001"
TINY = "71270000-0000-4000-8000-000000000002"


class Registered(LocalNetworks):
    """Ports belong to capsules that are written down: here that is made up for, as a create would have done it."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.database = database

    async def allot(self, capsule: Capsule) -> tuple[Port, ...]:
        await self.write_down(capsule)
        return await super().allot(capsule)

    async def write_down(self, capsule: Capsule) -> None:
        def work(db: Connection) -> None:
            if capsules.get(db, capsule.id) is None:
                capsules.insert(db, capsule, 0.0)

        await self.database.write(work)

    async def rows(self, table: str = "ports") -> int:
        return await self.database.read(lambda db: db.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one())


def network(network_id: str, subnet: str) -> Network:
    gateway = str(IPv4Network(subnet)[1])
    return Network(
        id=NetworkId(network_id), project_id=ProjectId("p1"), name="net", subnet=subnet, gateway=gateway, created_at=0.0
    )


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Registered]:
    database = Database(f"sqlite:///{tmp_path}/higgins.sqlite")
    database.open()
    metadata.create_all(database.engine)
    database.write_now(lambda db: networks.insert(db, network(BLUE, "10.88.0.0/24")))
    database.write_now(lambda db: networks.insert(db, network(TINY, "10.88.1.0/29")))
    yield Registered(database)
    database.close()


class TestLocalNetworks(NetworkContract):
    @pytest.fixture
    def provider(self, provider: Registered) -> Registered:
        return provider

    @pytest.fixture
    def network(self) -> str:
        return BLUE


async def addresses(provider: Registered, count: int, network_id: str = BLUE) -> list[str]:
    return [(await provider.allot(wishing(builders.wish(network_id))))[0].addresses[0] for _ in range(count)]


def asking(capsule: Capsule, *wishes: NetworkWish) -> Capsule:
    return replace(capsule, spec=replace(capsule.spec, networks=wishes))


async def test_a_port_says_all_that_a_host_needs_to_know(provider: Registered) -> None:
    wish = builders.wish(BLUE)
    web, log = builders.container(name="web"), builders.container(name="log")
    capsule = builders.capsule(builders.spec(web, log, networks=(wish,)), name="shop", kind=Kind.CAPSULE)
    (port,) = await provider.allot(capsule)
    assert port == Port(
        id=wish.port,
        network_id=NetworkId(BLUE),
        mac=mac(wish.port),
        addresses=("10.88.0.2",),
        subnet="10.88.0.0/24",
        gateway="10.88.0.1",
        interface="eth0",
        names=("shop", "web", "log"),
    )
    assert mac(wish.port).startswith("02:") and mac(PortId("other")) != mac(wish.port)


async def test_what_no_name_server_can_be_asked_for_is_no_name_of_a_port(provider: Registered) -> None:
    capsule = builders.capsule(builders.spec(builders.container(name="web-"), networks=(builders.wish(BLUE),)), name="")
    (port,) = await provider.allot(capsule)
    assert port.names == ()


async def test_addresses_are_handed_out_in_turn_and_one_just_given_back_comes_last(provider: Registered) -> None:
    assert await addresses(provider, 2, TINY) == ["10.88.1.2", "10.88.1.3"]
    last = wishing(builders.wish(TINY))
    (port,) = await provider.allot(last)
    await provider.release(last.id)
    assert port.addresses == ("10.88.1.4",)
    assert await addresses(provider, 3, TINY) == ["10.88.1.5", "10.88.1.6", "10.88.1.4"]


async def test_a_full_network_may_have_room_later(provider: Registered) -> None:
    assert len(set(await addresses(provider, 5, TINY))) == 5
    late = wishing(builders.wish(TINY))
    with pytest.raises(errors.Unavailable, match="in use"):
        await provider.allot(late)


async def test_an_address_that_was_asked_for_is_given_to_one(provider: Registered) -> None:
    (port,) = await provider.allot(wishing(builders.wish(BLUE, "10.88.0.77")))
    assert port.addresses == ("10.88.0.77",)
    with pytest.raises(errors.Invalid, match=r"10\.88\.0\.77 is in use"):
        await provider.allot(wishing(builders.wish(BLUE, "10.88.0.77")))
    # And it is nobody's turn on account of it.
    assert await addresses(provider, 1) == ["10.88.0.2"]


@pytest.mark.parametrize("address", ["10.88.0.0", "10.88.0.1", "10.88.0.255", "10.88.1.2", "fd00::2", "web"])
async def test_an_address_that_the_network_has_not_to_give_is_refused(provider: Registered, address: str) -> None:
    with pytest.raises(errors.Invalid):
        await provider.allot(wishing(builders.wish(BLUE, address)))


async def test_where_one_wish_cannot_be_met_everything_stays_as_it_was(provider: Registered) -> None:
    leaving, staying = builders.wish(BLUE, "10.88.0.9"), builders.wish(BLUE)
    capsule = wishing(leaving, staying)
    before = await provider.allot(capsule)
    await provider.allot(wishing(builders.wish(TINY, "10.88.1.2")))
    with pytest.raises(errors.Invalid):
        await provider.allot(asking(capsule, staying, builders.wish(TINY, "10.88.1.2")))
    with pytest.raises(errors.Invalid):
        await provider.allot(wishing(builders.wish(BLUE, "10.88.0.9")))
    assert await provider.allot(capsule) == before


async def test_interfaces_are_numbered_in_the_order_of_networks_also_of_those_that_come_later(
    provider: Registered,
) -> None:
    first, second, third, fourth = (builders.wish(BLUE) for _ in range(4))
    capsule = wishing(first, second, third)
    assert [port.interface for port in await provider.allot(capsule)] == ["eth0", "eth1", "eth2"]
    again = await provider.allot(asking(capsule, first, third, fourth))
    assert [port.interface for port in again] == ["eth0", "eth2", "eth3"]


async def test_no_address_is_given_twice_to_many_at_once(provider: Registered) -> None:
    capsules_of_all = [wishing(builders.wish(BLUE), builders.wish(TINY)) for _ in range(5)]
    capsules_of_all += [wishing(builders.wish(BLUE)) for _ in range(60)]
    random.Random(1).shuffle(capsules_of_all)
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(provider.allot(capsule)) for capsule in capsules_of_all for _ in range(2)]
    ports = {port.id: port for each in asked for port in each.result()}
    assert len(ports) == 70
    assert len({(port.network_id, port.addresses) for port in ports.values()}) == 70


async def test_a_port_cannot_outlive_its_capsule(provider: Registered) -> None:
    capsule = wishing(builders.wish(BLUE))
    await provider.allot(capsule)
    assert await provider.database.write(lambda db: capsules.delete(db, capsule))
    assert await provider.rows() == 0


async def test_what_is_allotted_to_a_capsule_that_is_gone_is_nothing(provider: Registered) -> None:
    with pytest.raises(errors.Conflict):
        await LocalNetworks(provider.database).allot(wishing(builders.wish(BLUE)))
    assert await provider.rows() == 0


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_is_asked_and_cut_off_the_same_is_answered_again_and_nothing_is_left_over(
    provider: Registered, seed: int
) -> None:
    """Some change their wishes, some leave, in any order; some calls are cut off and made again."""
    chance = random.Random(seed)
    there: dict[str, tuple[Capsule, Sequence[Port]]] = {}
    for _ in range(120):
        if there and chance.random() < 0.3:
            capsule, ports = there.pop(chance.choice(sorted(there)))
            await cut_off(provider.release(capsule.id), chance)
            await provider.release(capsule.id)
            continue
        if there and chance.random() < 0.5:
            capsule, ports = there[chance.choice(sorted(there))]
        else:
            capsule, ports = wishing(), ()
        kept = [wish for wish in capsule.spec.networks if chance.random() < 0.6]
        fresh = [builders.wish(chance.choice((BLUE, TINY))) for _ in range(chance.randrange(3))]
        wanted = asking(capsule, *chance.sample([*kept, *fresh], len(kept) + len(fresh)))
        await cut_off(provider.allot(wanted), chance)
        try:
            found = await provider.allot(wanted)
        except errors.Unavailable:
            # What it had it still has.
            assert await provider.allot(capsule) == tuple(ports)
            continue
        assert await provider.allot(wanted) == found
        before = {port.id: port for port in ports}
        assert all(before.get(port.id, port) == port for port in found)
        there[capsule.id] = wanted, found
    ports = [port for _, ports in there.values() for port in ports]
    assert len({(port.network_id, port.addresses) for port in ports}) == len(ports) == await provider.rows()
    for capsule, mine in there.values():
        assert len({port.interface for port in mine}) == len(mine)
        await provider.release(capsule.id)
    assert await provider.rows() == 0


async def cut_off(call: object, chance: random.Random) -> None:
    """Begun, and left before it has answered, or just after."""
    try:
        async with asyncio.timeout(0 if chance.random() < 0.5 else 1):
            await call  # type: ignore[misc]
    except (TimeoutError, errors.Failure):
        pass


async def test_what_may_come_in_is_said_at_every_port_and_what_is_published_at_the_first(provider: Registered) -> None:
    web = SecurityGroup(
        id=SecurityGroupId("6e0b"),
        project_id=ProjectId("p1"),
        name="web",
        rules=(Rule(protocol="tcp", first=80, last=80),),
        created_at=0.0,
    )
    await provider.database.write(lambda db: security_groups.insert(db, web))
    closed = asking(
        builders.capsule(builders.spec(security_groups=(web.id,))), builders.wish(BLUE), builders.wish(TINY)
    )
    lead = Published(host_port=30000, port=8080)
    wanted = replace(closed, spec=replace(closed.spec, published=(replace(lead, host_port=0),)))
    first, second = await provider.allot(replace(wanted, assignment=Assignment(published=(lead,))))
    assert first.rules == second.rules == (*web.rules, Rule(protocol="tcp", first=8080, last=8080))
    assert (first.published, second.published) == ((lead,), ())
    opened = replace(wanted, spec=replace(wanted.spec, security_groups=()))
    assert [port.rules for port in await provider.allot(opened)] == [None, None]
