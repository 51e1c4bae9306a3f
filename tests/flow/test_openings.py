"""Ports of hosts lead to one container each, however many want them at once; security groups say what may come in."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from higgins import errors
from higgins.control.local_networks import LocalNetworks
from higgins.control.placer import Custom, Placer
from higgins.control.provisioner import Provisioner
from higgins.control.reaper import Reaper
from higgins.control.unassign import unassign
from higgins.control.volumes import LocalVolumes
from higgins.logic.placement import Ratios, Rule
from higgins.logic.statusword import Status, describe
from higgins.model.capsule import Capsule, ContainerPort, GivenUp
from higgins.model.host import NETWORKS
from higgins.model.ids import SecurityGroupId
from higgins.model.network import HostPort, PortRange, Published, SecurityGroup
from higgins.model.network import Rule as Opening
from higgins.model.query import Query
from higgins.service import retraction
from higgins.service.containers import Containers
from higgins.service.creation import Customs
from higgins.service.hints import Hints
from higgins.service.policy import Policy
from higgins.service.security_groups import MOST_RULES, SecurityGroups
from higgins.store import capsules, hosts
from higgins.store import identity as _identity_tables  # noqa: F401 - its tables belong to the schema
from higgins.store.database import Connection, Database
from higgins.store.tables import metadata
from higgins.testing import builders
from tests.flow.harness import admin, alone, caller, container, request
from tests.system.faults.claims import assert_no_claim_leaks

ME = caller()
RATIOS = Ratios(ports=PortRange(30000, 30001))
WEB = Opening(protocol="tcp", first=80, last=80)
PING = Opening(protocol="icmp")


@dataclass
class Plane:
    """A control plane whose loops run when they are told to, with several writers over one database."""

    replicas: list[Database]
    file: Path

    def __post_init__(self) -> None:
        self.database = self.replicas[0]
        customs = Customs(networks=IPv4Network("10.88.0.0/13"), ratios=RATIOS)
        self.containers = Containers(self.database, Policy(), Hints(), customs)
        self.groups = SecurityGroups(self.database, Policy())

    async def joins(self, *names: str, busy: tuple[HostPort, ...] = ()) -> None:
        inventory = builders.inventory(capabilities=("sandboxes", NETWORKS), ports=busy)
        for name in names:
            here = builders.host(name=name, inventory=inventory)
            await self.database.write(lambda db, here=here: hosts.register(db, here))  # type: ignore[misc]

    async def wants(self, *published: Published, **rest: Any) -> Capsule:
        return await self.containers.create(ME, request(), alone(container(), published=published, **rest))

    async def visit(self) -> None:
        """Every replica places and provides at the same time."""
        async with asyncio.TaskGroup() as group:
            for database in self.replicas:
                group.create_task(Placer(database, Hints(), Custom(ratios=RATIOS, patience=0.0), time.time).visit())
        networks, volumes = LocalNetworks(self.database), LocalVolumes(self.database)
        await Provisioner(self.database, Hints(), networks, volumes, time.time, lease=60.0, retry=0.1).visit()
        assert_no_claim_leaks(self.file)

    async def now(self, capsule: Capsule) -> Capsule:
        found = await self.database.read(lambda db: capsules.get(db, capsule.id))
        assert found is not None
        return found

    async def group(self, name: str, *rules: Opening) -> SecurityGroup:
        return await self.groups.create(ME, SecurityGroupId(container().id), name=name, rules=rules)


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[Plane]:
    file = tmp_path / "higgins.sqlite"
    replicas = [Database(f"sqlite:///{file}") for _ in range(3)]
    metadata.create_all(replicas[0].engine)
    for database in replicas:
        database.open()
    yield Plane(replicas, file)
    for database in replicas:
        database.close()


def lead(host_port: int = 0, port: int = 80, protocol: str = "tcp") -> Published:
    return Published(host_port=host_port, port=port, protocol=protocol)


# Published ports.


async def test_of_many_who_want_one_port_one_gets_it_on_each_host(plane: Plane) -> None:
    await plane.joins("one", "two")
    async with asyncio.TaskGroup() as group:
        made = [group.create_task(plane.wants(lead(8080))) for _ in range(6)]
    await plane.visit()
    there = [await plane.now(one.result()) for one in made]
    placed = [one for one in there if one.assignment.host_id is not None]
    assert len(placed) == 2 and len({one.assignment.host_id for one in placed}) == 2
    assert {one.assignment.published for one in placed} == {(lead(8080),)}
    for one in there:
        if one not in placed:
            word = describe(one)
            assert word.status is Status.ERROR
            assert word.reason == (
                "There are not enough hosts available: 2 on which a port that was asked for is taken."
            )


async def test_the_same_number_of_another_protocol_is_another_port(plane: Plane) -> None:
    await plane.joins("one")
    made = [await plane.wants(lead(5353, 53, protocol)) for protocol in ("tcp", "udp")]
    await plane.visit()
    assert all([(await plane.now(one)).assignment.host_id for one in made])


async def test_who_names_no_port_of_the_host_gets_one_that_is_free_as_long_as_there_are_some(plane: Plane) -> None:
    await plane.joins("one")
    made = [await plane.wants(lead()) for _ in range(3)]
    await plane.visit()
    got = [(await plane.now(one)).assignment.published for one in made]
    assert got == [(lead(30000),), (lead(30001),), ()]
    assert describe(await plane.now(made[2])).status is Status.ERROR


async def test_a_port_that_a_program_of_the_host_has_is_given_to_nobody(plane: Plane) -> None:
    await plane.joins("one", busy=(HostPort("tcp", 30000), HostPort("tcp", 8080)))
    chosen, given = await plane.wants(lead(8080)), await plane.wants(lead())
    await plane.visit()
    assert describe(await plane.now(chosen)).status is Status.ERROR
    assert (await plane.now(given)).assignment.published == (lead(30001),)
    await plane.joins("two")
    await plane.containers.start(ME, request(), chosen.id)
    await plane.visit()
    assert (await plane.now(chosen)).assignment.published == (lead(8080),)


async def test_the_host_is_told_of_the_port_that_it_got(plane: Plane) -> None:
    await plane.joins("one")
    made = await plane.wants(lead(), lead(5353, 53, "udp"))
    await plane.visit()
    (port,) = (await plane.now(made)).assignment.ports
    assert port.published == (lead(30000), lead(5353, 53, "udp"))


async def test_a_port_is_free_again_when_its_container_is_gone(plane: Plane) -> None:
    await plane.joins("one")
    first = await plane.wants(lead(8080))
    await plane.visit()
    await plane.containers.delete(ME, request(), first.id, stop=True)

    def lost(db: Connection) -> None:
        for here in hosts.every(db):
            hosts.write_down(db, here)

    await plane.database.write(lost)
    await plane.visit()
    await Reaper(plane.database, Hints()).visit()
    await plane.joins("two")
    second = await plane.wants(lead(8080))
    await plane.visit()
    assert (await plane.now(second)).assignment.published == (lead(8080),)


async def test_who_is_taken_off_its_host_gives_its_ports_back_and_asks_for_them_again(plane: Plane) -> None:
    await plane.joins("one")
    made = await plane.wants(lead(8080), lead())
    await plane.visit()
    placed = await plane.now(made)
    given_up = GivenUp(generation=placed.spec.generation, reason="too late")
    await plane.database.write(lambda db: unassign(db, placed, given_up))
    await plane.visit()
    freed = await plane.now(made)
    assert (freed.assignment.host_id, freed.assignment.published) == (None, ())
    other = await plane.wants(lead(8080))
    await plane.visit()
    assert (await plane.now(other)).assignment.published == (lead(8080),)
    await plane.joins("two")
    await plane.containers.start(ME, request(), made.id)
    await plane.visit()
    again = (await plane.now(made)).assignment
    assert again.host_id not in (None, (await plane.now(other)).assignment.host_id)
    assert again.published == (lead(8080), lead(30000))


async def test_a_dry_run_says_that_a_port_is_taken(plane: Plane) -> None:
    await plane.joins("one")
    await plane.wants(lead(8080))
    await plane.visit()
    foretold = await plane.containers.foretell(ME, alone(container(), published=(lead(8080),)))
    assert foretold.refused == {Rule.PORTS: 1}
    assert (await plane.containers.foretell(ME, alone(container(), published=(lead(8081),)))).fitting == 1


@pytest.mark.parametrize("number", [22, 1023])
async def test_a_port_that_belongs_to_the_host_itself_cannot_be_chosen(plane: Plane, number: int) -> None:
    with pytest.raises(errors.Forbidden, match=f"Port {number} of a host cannot be chosen") as refusal:
        await plane.wants(lead(number))
    assert refusal.value.name == "host-port-not-allowed"


@pytest.mark.parametrize(
    ("asked", "field"),
    [({"published": (lead(),)}, "published_ports"), ({"exposed": (ContainerPort(number=80),)}, "exposed_ports")],
)
async def test_where_there_are_no_networks_nothing_can_be_opened(
    plane: Plane, asked: dict[str, Any], field: str
) -> None:
    bare = Containers(plane.database, Policy(), Hints(), Customs())
    with pytest.raises(errors.Invalid, match=f"'{field}'.*no networks"):
        await bare.create(ME, request(), alone(container(), **asked))


# Security groups.


async def test_a_container_has_the_groups_that_were_named_by_id_or_name(plane: Plane) -> None:
    web, ping = await plane.group("web", WEB), await plane.group("ping", PING)
    await plane.joins("one")
    made = await plane.containers.create(ME, request(), alone(container()), groups=["web", ping.id, "web"])
    assert made.spec.security_groups == (web.id, ping.id)
    await plane.visit()
    (port,) = (await plane.now(made)).assignment.ports
    assert port.rules == (WEB, PING)


async def test_an_unknown_group_an_ambiguous_one_and_a_strangers_are_refused(plane: Plane) -> None:
    await plane.group("twice")
    await plane.group("twice")
    strange = await plane.groups.create(caller("p2"), SecurityGroupId(container().id), name="strange", rules=())

    async def create(named: str) -> None:
        await plane.containers.create(ME, request(), alone(container()), groups=[named])

    for named in ("nobody", "strange", strange.id):
        with pytest.raises(errors.Invalid, match=f"Security group {named} not found"):
            await create(named)
    with pytest.raises(errors.Conflict, match="Multiple security groups"):
        await create("twice")
    assert await plane.database.read(lambda db: capsules.count(db, ME.project_id)) == 0


async def test_the_groups_of_a_container_have_no_more_rules_than_its_host_can_be_told_for_each_port(
    plane: Plane,
) -> None:
    """Each counts once, whichever groups it is in."""
    every = [Opening(protocol="tcp", first=number, last=number) for number in range(1, MOST_RULES + 2)]
    await plane.joins("one")
    await plane.group("all", *every[:MOST_RULES])
    await plane.group("same", *every[:MOST_RULES])
    await plane.group("last", every[-1])
    made = await running(plane, groups=["all", "same"])
    with pytest.raises(errors.Invalid, match=f"{MOST_RULES} rules together, and these have {MOST_RULES + 1}"):
        await plane.containers.create(ME, request(), alone(container()), groups=["all", "last"])
    with pytest.raises(errors.Invalid, match="rules together"):
        await plane.containers.add_security_group(ME, request(), made.id, "last")
    await plane.containers.remove_security_group(ME, request(), made.id, "same")


async def test_a_group_that_somebody_has_stays_until_nobody_has_it(plane: Plane) -> None:
    web = await plane.group("web", WEB)
    await plane.joins("one")
    made = await running(plane, groups=["web"])
    with pytest.raises(errors.Conflict, match="Containers have this security group"):
        await plane.groups.delete(ME, web.id)
    await plane.containers.remove_security_group(ME, request(), made.id, "web")
    await plane.groups.delete(ME, "web")
    with pytest.raises(errors.NotFound):
        await plane.groups.show(ME, web.id)


async def test_nobody_sees_the_groups_of_others_but_admins(plane: Plane) -> None:
    web = await plane.group("web", WEB)
    stranger = caller("p2")
    assert (await plane.groups.list(stranger, Query())).items == ()
    for act in (plane.groups.show, plane.groups.delete):
        with pytest.raises(errors.NotFound, match=f"Security group {web.id} could not be found"):
            await act(stranger, web.id)
    with pytest.raises(errors.Forbidden):
        await plane.groups.list(stranger, Query(all_projects=True))
    assert (await plane.groups.list(admin(), Query(all_projects=True))).items == (web,)
    assert await plane.groups.show(admin(), web.id) == web
    reader = caller("p1", "reader")
    assert (await plane.groups.list(reader, Query())).items == (web,)
    with pytest.raises(errors.Forbidden):
        await plane.groups.delete(reader, web.id)


async def test_the_same_request_makes_a_group_once(plane: Plane) -> None:
    group_id = SecurityGroupId(container().id)
    first = await plane.groups.create(ME, group_id, name="web", rules=[WEB, WEB])
    assert first.rules == (WEB,)
    assert await plane.groups.create(ME, group_id, name="web", rules=[WEB]) == first


async def running(plane: Plane, **named: Any) -> Capsule:
    """One that its host has running, with its ports as they are allotted."""
    made = await plane.containers.create(ME, request(), alone(container(), run=True), **named)
    await plane.visit()
    return await settled(plane, made)


async def settled(plane: Plane, capsule: Capsule) -> Capsule:
    """Once its host has said that all is as it is asked for."""
    now = await plane.now(capsule)
    host_id = now.assignment.host_id
    assert host_id is not None

    def report(db: Connection) -> Capsule | None:
        word = builders.status(now.spec)
        return capsules.write_status(
            db,
            now.id,
            word,
            host_id=host_id,
            epoch=now.assignment.epoch,
            session=1,
            sequence=now.spec.generation,
            now=time.time(),
        )

    said = await plane.database.write(report)
    assert said is not None
    return said


async def test_a_group_that_is_added_or_taken_away_is_allotted_anew_and_recorded(plane: Plane) -> None:
    web, ping = await plane.group("web", WEB), await plane.group("ping", PING)
    await plane.joins("one")
    made = await running(plane, groups=[web.id])
    first = request()
    await plane.containers.add_security_group(ME, first, made.id, "ping")
    await plane.containers.add_security_group(ME, first, made.id, "ping")  # The same request, sent again.
    asked = await plane.now(made)
    assert (asked.spec.attachments, asked.spec.generation) == (1, made.spec.generation + 1)
    assert describe(asked).status is Status.RUNNING
    await plane.visit()
    added = await plane.now(made)
    assert added.assignment.attachments == 1
    assert [port.rules for port in added.assignment.ports] == [(*web.rules, *ping.rules)]
    with pytest.raises(errors.Invalid, match="added to the container already"):
        await plane.containers.add_security_group(ME, request(), made.id, ping.id)
    for group in (web, ping):
        await plane.containers.remove_security_group(ME, request(), made.id, group.id)
    await plane.visit()
    assert [port.rules for port in (await plane.now(made)).assignment.ports] == [None]
    with pytest.raises(errors.Invalid, match="was not added"):
        await plane.containers.remove_security_group(ME, request(), made.id, "web")
    verbs = [action.verb for action in await plane.containers.actions(ME, made.id)]
    assert verbs == ["remove_security_group", "remove_security_group", "add_security_group", "create"]


async def test_a_change_of_groups_that_comes_too_late_is_taken_back(plane: Plane) -> None:
    web, ping = await plane.group("web", WEB), await plane.group("ping", PING)
    await plane.joins("one")
    made = await running(plane, groups=[web.id])
    await plane.containers.add_security_group(ME, request(), made.id, ping.id)
    pending = await plane.now(made)

    def back(db: Connection) -> Capsule:
        return retraction.take_back(db, pending, "too late", deadline=1e12, now=1.0)

    again = await plane.database.write(back)
    assert again.spec.security_groups == (web.id,)
    assert again.spec.attachments > pending.spec.attachments
    await plane.groups.delete(ME, ping.id)


async def test_a_container_without_a_network_of_its_own_takes_no_groups(plane: Plane) -> None:
    await plane.group("web", WEB)
    bare = Containers(plane.database, Policy(), Hints(), Customs())
    await plane.joins("one")
    made = await bare.create(ME, request(), alone(container(), run=True))
    await plane.visit()
    await settled(plane, made)
    with pytest.raises(errors.Conflict, match="on no network"):
        await bare.add_security_group(ME, request(), made.id, "web")
