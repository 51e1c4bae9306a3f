"""Networks from the outside: each project has one, containers come and go on them, and nothing of what is allotted is ever left over."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from higgins import errors
from higgins.logic import statusword, subnets
from higgins.logic.statusword import Status
from higgins.model.action import Outcome
from higgins.model.capsule import Capsule, CapsuleSpec, Desired, Provision, Resources
from higgins.model.ids import CapsuleId, ContainerId, NetworkId
from higgins.model.network import Network, Port
from higgins.model.query import Query
from higgins.service.containers import Containers, Wish
from higgins.service.creation import Customs
from higgins.service.limits import Deadlines
from higgins.service.networks import MOST, NetworkNamed
from higgins.service.policy import Policy
from higgins.testing.networks import FakeNetworks, FakePlug
from tests.flow.harness import Cloud, admin, alone, caller, cloud, container, eventually, request
from tests.patience import PATIENCE

POOL = "10.88.0.0/13"


@asynccontextmanager
async def town(directory: Path, **how: Any) -> AsyncIterator[Cloud]:
    """A service whose one host can plug in whatever is allotted."""
    async with cloud(directory, **({"pool": POOL} | how)) as running:
        yield running


async def made(service: Cloud, *networks: NetworkNamed, project: str = "p1") -> Capsule:
    """A container, running on these."""
    asked = alone(container(), run=True)
    created = await service.containers.create(caller(project), request(), asked, networks=networks)
    found = await service.until(created, Status.RUNNING)
    assert found is not None
    return found


def on(network: Network | str, address: str | None = None) -> NetworkNamed:
    return NetworkNamed(network=network if isinstance(network, str) else network.id, address=address)


async def all_networks(service: Cloud) -> tuple[Network, ...]:
    return (await service.networks.page(admin(), Query(all_projects=True))).items


async def ports_there(service: Cloud) -> int:
    count: int = await service.database.read(lambda db: db.exec_driver_sql("SELECT count(*) FROM ports").scalar_one())
    return count


async def until_ports(service: Cloud, capsule: Capsule, *networks: str) -> tuple[Port, ...]:
    """Wait until its host has settled with a port on each of these."""
    async with asyncio.timeout(PATIENCE):
        while True:
            found = await service.until_at_rest(capsule)
            if [port.network_id for port in found.assignment.ports] == [*networks]:
                return found.assignment.ports
            await asyncio.sleep(0.01)


async def until_none_is_left(service: Cloud, but: int = 0) -> None:
    async with asyncio.timeout(PATIENCE):
        while await ports_there(service) != but:
            await asyncio.sleep(0.01)


async def test_the_first_containers_of_a_project_made_at_once_share_a_new_network(tmp_path: Path) -> None:
    async with town(tmp_path) as service:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(made(service, project=project)) for project in ("p1", "p2") for _ in range(6)]
        containers = [task.result() for task in tasks]
        networks = {network.project_id: network for network in await all_networks(service)}
        assert {*networks} == {"p1", "p2"} and len(networks) == len(await all_networks(service))
        assert {network.name for network in networks.values()} == {"default"}
        assert {network.subnet for network in networks.values()} == {"10.88.0.0/24", "10.88.1.0/24"}
        for capsule in containers:
            (port,) = capsule.assignment.ports
            assert port.network_id == networks[capsule.project_id].id
        assert len({port.addresses for one in containers for port in one.assignment.ports}) == 12


async def test_a_container_that_names_no_network_is_on_the_oldest_of_its_project(tmp_path: Path) -> None:
    async with town(tmp_path) as service:
        everybodys = await service.networks.create(admin(), name="all", shared=True)
        assert (await made(service)).assignment.ports[0].network_id == everybodys.id
        own = await service.networks.create(caller(), name="own")
        await service.networks.create(caller(), name="younger")
        assert (await made(service)).assignment.ports[0].network_id == own.id
        assert (await made(service, project="p2")).assignment.ports[0].network_id == everybodys.id
        assert len(await all_networks(service)) == 3


async def test_a_container_can_be_on_several_networks_with_an_address_of_its_choice(tmp_path: Path) -> None:
    async with town(tmp_path) as service:
        one = await service.networks.create(caller(), name="one", subnet="192.168.7.0/24")
        two = await service.networks.create(caller(), name="two")
        running = await made(service, on("two"), on(one, "192.168.7.77"), on("two"))
        first, second = running.assignment.ports
        assert (first.network_id, first.interface) == (two.id, "eth0")
        assert (second.network_id, second.interface, second.addresses) == (one.id, "eth1", ("192.168.7.77",))
        assert (second.gateway, second.subnet) == ("192.168.7.1", "192.168.7.0/24")
        assert running.name in first.names
        assert await service.containers.networks_of(caller(), running.name) == (first, second)


async def test_of_two_addresses_on_one_network_none_is_dropped_unheard(tmp_path: Path) -> None:
    async with town(tmp_path) as service:
        one = await service.networks.create(caller(), name="one", subnet="192.168.7.0/24")
        for first, second in (("192.168.7.7", "192.168.7.8"), (None, "192.168.7.8")):
            with pytest.raises(errors.Invalid, match=r"nets.*named twice"):
                await made(service, on("one", first), on(one, second))
        running = await made(service, on(one, "192.168.7.7"), on("one", "192.168.7.7"), on("one"))
        assert [port.addresses for port in running.assignment.ports] == [("192.168.7.7",)]


async def test_a_container_is_on_no_more_networks_than_it_could_have_been_made_with(tmp_path: Path) -> None:
    async with town(tmp_path) as service:
        for number in range(MOST + 1):
            await service.networks.create(caller(), name=f"n{number}")
        asked = alone(container())
        full = await service.containers.create(
            caller(), request(), asked, networks=[on(f"n{number}") for number in range(MOST)]
        )
        with pytest.raises(errors.Conflict, match="as many as it can be"):
            await service.containers.attach_network(caller(), request(), full.id, on(f"n{MOST}"))
        await service.containers.detach_network(caller(), request(), full.id, "n0")
        await service.containers.attach_network(caller(), request(), full.id, on(f"n{MOST}"))


@pytest.mark.parametrize("verb", ["update", "rename"])
async def test_what_is_renamed_gives_its_old_name_up(tmp_path: Path, verb: str) -> None:
    plug = FakePlug()
    async with town(tmp_path, plug=plug) as service:
        created = await service.containers.create(caller(), request(), alone(container(name="db"), run=True))
        running = await service.until(created, Status.RUNNING)
        (before,) = running.assignment.ports
        if verb == "update":
            await service.containers.update(caller(), request(), created.id, Wish(name="old-db"))
        else:
            await service.containers.rename(caller(), created.id, "old-db")
        await eventually(lambda: [port.names for port, _ in plug.plugged.values()] == [("old-db",)])
        found = await service.until_at_rest(created)
        assert found.assignment.ports == (replace(before, names=("old-db",)),)
        assert (found.spec.generation, found.status) == (running.spec.generation, running.status)


async def test_what_cannot_be_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    async with town(tmp_path) as service:
        one = await service.networks.create(caller(), name="one", subnet="192.168.7.0/30")
        theirs = await service.networks.create(caller("p2"), name="theirs")
        await made(service, on(one, "192.168.7.2"))
        for _ in range(2):
            await service.networks.create(caller(), name="twice")
        for named, refusal in (
            (on(one, "192.168.7.2"), errors.Conflict),
            (on(one), errors.Conflict),
            (on(one, "192.168.7.1"), errors.Invalid),
            (on(one, "10.0.0.1"), errors.Invalid),
            (on("twice"), errors.Conflict),
            (on("nowhere"), errors.NotFound),
            (on(theirs), errors.NotFound),
            (on("theirs"), errors.NotFound),
            (NetworkNamed(port="p"), errors.NotFound),
        ):
            with pytest.raises(refusal):
                await made(service, named)
            with pytest.raises(refusal):
                await service.containers.foretell(caller(), alone(container()), networks=[named])
        assert (await service.containers.list(caller(), Query())).more is False
        assert len((await service.containers.list(caller(), Query())).items) == 1


async def test_a_dry_run_makes_no_network(tmp_path: Path) -> None:
    async with town(tmp_path, pool="10.88.0.0/24") as service:
        async with asyncio.timeout(PATIENCE):
            while not await service.hosts.list():
                await asyncio.sleep(0.01)
        forecast = await service.containers.foretell(caller(), alone(container()))
        assert forecast.fitting == 1
        assert await all_networks(service) == ()


async def test_a_request_that_is_repeated_makes_nothing_twice(tmp_path: Path) -> None:
    async with town(tmp_path) as service:
        asked, spec = request(), alone(container(), run=True)
        first = await service.containers.create(caller(), asked, spec, again=True)
        second = await service.containers.create(caller(), asked, spec, again=True)
        assert first.spec.networks == second.spec.networks
        assert first.spec.sandbox == second.spec.sandbox
        assert first.spec.sandbox is not None and first.spec.sandbox != ContainerId(first.id)
        network = await service.networks.create(caller(), name="n", network_id=NetworkId("n-1"))
        assert await service.networks.create(caller(), name="n", network_id=NetworkId("n-1")) == network
        attached = request()
        for _ in range(2):
            await service.containers.attach_network(caller(), attached, first.id, on(network))
        assert (await service.until_at_rest(first)).spec.attachments == 1


async def test_networks_come_and_go_while_a_container_runs(tmp_path: Path) -> None:
    plug = FakePlug()
    async with town(tmp_path, plug=plug) as service:
        running = await made(service)
        (first,) = running.assignment.ports
        two = await service.networks.create(caller(), name="two")
        asked = request()
        await service.containers.attach_network(caller(), asked, running.name, on("two", "10.88.1.9"))
        _, second = await until_ports(service, running, first.network_id, two.id)
        assert (second.interface, second.addresses) == ("eth1", ("10.88.1.9",))
        assert await service.until_done(running, asked) is Outcome.SUCCESS
        await eventually(lambda: {*plug.plugged} == {first.id, second.id})
        asked = request()
        await service.containers.detach_network(caller(), asked, running.name, first.id)
        assert await until_ports(service, running, two.id) == (second,)
        assert await service.until_done(running, asked) is Outcome.SUCCESS
        await eventually(lambda: {*plug.plugged} == {second.id})
        await service.containers.detach_network(caller(), request(), running.name, "two")
        assert await until_ports(service, running) == ()
        await until_none_is_left(service)
        await service.containers.attach_network(caller(), request(), running.name)
        (back,) = await until_ports(service, running, first.network_id)
        assert back.interface == "eth0"
        shown = await service.show(running)
        # It has run on all the time.
        assert shown is not None and service.runtime.count("start", running.id) == 1


async def test_what_cannot_be_attached_or_detached_is_refused(tmp_path: Path) -> None:
    async with town(tmp_path) as service:
        running = await made(service)
        theirs = await service.networks.create(caller("p2"), name="theirs")
        (default, _) = await all_networks(service)
        await service.networks.create(caller(), name="empty", subnet="192.168.7.0/24")

        async def attach(named: NetworkNamed | None = None, ref: str = running.id, project: str = "p1") -> None:
            await service.containers.attach_network(caller(project), request(), ref, named)

        async def detach(ref: str) -> None:
            await service.containers.detach_network(caller(), request(), running.id, ref)

        with pytest.raises(errors.Invalid, match="already attached"):
            await attach()
        with pytest.raises(errors.Invalid, match="already attached"):
            await attach(on("default"))
        with pytest.raises(errors.NotFound):
            await attach(on(theirs))
        with pytest.raises(errors.Invalid):
            await attach(on("empty", "192.168.8.1"))
        with pytest.raises(errors.NotFound):
            await attach(on("empty"), project="p2")
        with pytest.raises(errors.NotFound):
            await detach(theirs.id)
        with pytest.raises(errors.Invalid, match="not attached"):
            await detach("empty")
        with pytest.raises(errors.Conflict, match="is on the network"):
            await service.networks.delete(caller(), default.id)
        service.runtime.slow("stop", 3600)
        await service.containers.delete(caller(), request(), running.id, stop=True)
        with pytest.raises(errors.Conflict, match="Deleting"):
            await attach(on("empty"))
        service.runtime.slow("stop", 0)


async def test_what_a_provider_never_gives_to_a_running_container_is_not_asked_for_any_more(tmp_path: Path) -> None:
    """The network looked good when it was asked for; then it turned out otherwise."""
    networks = FakeNetworks()
    async with town(tmp_path, networks=networks) as service:
        default = await service.networks.create(caller(), name="first")
        networks.networks = {default.id}
        running = await made(service)
        before = running.assignment.ports
        gone = await service.networks.create(caller(), name="gone")
        asked = request()
        await service.containers.attach_network(caller(), asked, running.id, on(gone))
        assert await service.until_done(running, asked) is Outcome.ERROR
        assert (await service.action(running, asked)).message == f"Network {gone.id} could not be found."
        assert await until_ports(service, running, default.id) == before
        after = await service.until(running, Status.RUNNING, reason=f"Network {gone.id} could not be found.")
        assert after.spec.networks == running.spec.networks
        assert service.runtime.count("start", running.id) == 1
        networks.networks.add(gone.id)
        await service.containers.attach_network(caller(), request(), running.id, on(gone))
        await until_ports(service, running, default.id, gone.id)
        assert statusword.describe(await service.until_at_rest(running)).reason is None


async def test_what_a_provider_does_not_give_in_time_is_not_asked_for_any_more(tmp_path: Path) -> None:
    networks = FakeNetworks()
    async with town(tmp_path, networks=networks, deadlines=Deadlines(start=0.5)) as service:
        default = await service.networks.create(caller(), name="first")
        late = await service.networks.create(caller(), name="late")
        networks.networks = {default.id, late.id}
        running = await made(service)
        networks.fail("allot", errors.Unavailable("not now"), times=8)
        asked = request()
        await service.containers.attach_network(caller(), asked, running.id, on(late))
        waiting = await service.until(running, Status.RUNNING, task="network_attaching")
        assert waiting is not None
        assert await service.until_done(running, asked) is Outcome.ERROR
        assert "Changing the networks did not finish in time" in ((await service.action(running, asked)).message or "")
        assert await until_ports(service, running, default.id) == running.assignment.ports


@pytest.mark.parametrize("lost", ["network", "address"])
async def test_a_detachment_that_is_taken_back_does_not_ask_for_what_is_not_to_be_had_any_more(
    tmp_path: Path, lost: str
) -> None:
    """Its host was away until it was too late, and what it was taken off went to others meanwhile."""
    async with town(tmp_path, deadlines=Deadlines(start=0.7)) as service:
        first = await service.networks.create(caller(), name="first")
        left = await service.networks.create(caller(), name="left", subnet="192.168.7.0/24")
        running = await made(service, on(first), on(left, "192.168.7.50"))
        await service.agent.kill()
        asked = request()
        await service.containers.detach_network(caller(), asked, running.id, left.id)
        await until_none_is_left(service, but=1)
        if lost == "network":
            await service.networks.delete(caller(), left.id)
        else:
            other = alone(container())
            await service.containers.create(caller(), request(), other, networks=[on(left, "192.168.7.50")])
            await until_none_is_left(service, but=2)
        assert await service.until_done(running, asked) is Outcome.ERROR
        service.agent.start()
        assert await until_ports(service, running, first.id) == running.assignment.ports[:1]
        found = await service.until(running, Status.RUNNING, reason="did not finish in time")
        assert found.assignment.given_up is None
        another = request()
        await service.networks.create(caller(), name="another")
        await service.containers.attach_network(caller(), another, running.id, on("another"))
        assert await service.until_done(running, another) is Outcome.SUCCESS


async def test_an_attachment_of_what_has_failed_is_another_try(tmp_path: Path) -> None:
    networks = FakeNetworks()
    async with town(tmp_path, networks=networks) as service:
        default = await service.networks.create(caller(), name="first")
        other = await service.networks.create(caller(), name="other")
        networks.networks = {other.id}
        created = await service.containers.create(caller(), request(), alone(container(), run=True))
        failed = await service.until(created, Status.ERROR)
        assert statusword.describe(failed).reason == f"Network {default.id} could not be found."
        await service.containers.detach_network(caller(), request(), created.id, default.id)
        await service.containers.attach_network(caller(), request(), created.id, on(other))
        await service.until(created, Status.RUNNING)
        await until_ports(service, created, other.id)


async def test_what_never_was_there_does_not_fall_back_but_fails(tmp_path: Path) -> None:
    async with town(tmp_path, deadlines=Deadlines(create=0.7, start=0.7)) as service:
        service.runtime.slow("create", 3600)
        other = await service.networks.create(caller(), name="other")
        await service.networks.create(caller(), name="another")
        created = await service.containers.create(caller(), request(), alone(container()), networks=[on(other)])
        asked = request()
        await service.containers.attach_network(caller(), asked, created.id, on("another"))
        assert await service.until_done(created, asked) is Outcome.ERROR
        await service.until(created, Status.ERROR)
        await until_none_is_left(service)


async def test_what_else_changes_while_a_provider_is_asked_is_not_undone_by_its_answer(tmp_path: Path) -> None:
    networks = FakeNetworks()
    async with town(tmp_path, networks=networks) as service:
        default = await service.networks.create(caller(), name="first")
        late = await service.networks.create(caller(), name="late")
        networks.networks = {default.id, late.id}
        running = await made(service)
        networks.slow("allot", 0.5)
        await service.containers.attach_network(caller(), request(), running.id, on(late))
        await eventually(lambda: networks.count("allot", running.id) == 2)
        await service.containers.update(caller(), request(), running.id, Wish(memory=128))
        await until_ports(service, running, default.id, late.id)
        found = await service.until_at_rest(running)
        assert found.assignment.claim == found.spec.claim() == Resources(memory=128)
        assert (await service.host()).allocated == found.assignment.claim


async def test_what_its_host_still_has_keeps_its_address(tmp_path: Path) -> None:
    async with town(tmp_path) as service:
        leaving = await made(service)
        service.runtime.slow("remove", 0.5)
        await service.containers.delete(caller(), request(), leaving.id, stop=True)
        await eventually(lambda: service.runtime.count("remove") == 1)
        await asyncio.sleep(0.2)
        assert await ports_there(service) == 1
        await service.until(leaving, None)
        assert await ports_there(service) == 0


async def test_what_has_failed_and_cannot_have_another_network_either_is_left_alone(tmp_path: Path) -> None:
    networks = FakeNetworks()
    async with town(tmp_path, networks=networks) as service:
        default = await service.networks.create(caller(), name="first")
        gone = await service.networks.create(caller(), name="gone")
        networks.networks = {default.id}
        created = await service.containers.create(caller(), request(), alone(container("no-such-command"), run=True))
        failed = await service.until(created, Status.ERROR, reason="no-such-command")
        asked = request()
        await service.containers.attach_network(caller(), asked, created.id, on(gone))
        assert await service.until_done(created, asked) is Outcome.ERROR
        await eventually(lambda: networks.count("allot", created.id) == 2)
        await asyncio.sleep(0.7)
        assert networks.count("allot", created.id) == 2
        found = await service.until(created, Status.ERROR)
        assert found.assignment.ports == failed.assignment.ports
        await service.containers.detach_network(caller(), request(), created.id, "gone")
        await service.until(created, Status.ERROR, reason="no-such-command")


async def test_a_deleted_container_gives_its_address_back(tmp_path: Path) -> None:
    plug = FakePlug()
    async with town(tmp_path, plug=plug) as service:
        gone, stays = await made(service), await made(service)
        await service.containers.delete(caller(), request(), gone.id, stop=True)
        await service.until(gone, None)
        assert await ports_there(service) == 1
        await eventually(lambda: {*plug.plugged} == {port.id for port in stays.assignment.ports})
        await service.containers.delete(caller(), request(), stays.id, stop=True)
        await service.until(stays, None)
        assert await ports_there(service) == 0
        (network,) = await all_networks(service)
        await service.networks.delete(caller(), network.name)
        assert await all_networks(service) == ()


async def test_what_no_host_made_in_time_gives_its_address_back_until_it_is_tried_again(tmp_path: Path) -> None:
    async with town(tmp_path, deadlines=Deadlines(create=0.5)) as service:
        service.runtime.slow("create", 3600)
        created = await service.containers.create(caller(), request(), alone(container(), run=True))
        await service.until(created, Status.ERROR)
        await until_none_is_left(service)
        service.runtime.slow("create", 0)
        await service.containers.start(caller(), request(), created.id)
        await service.until(created, Status.RUNNING)
        assert await ports_there(service) == 1


async def test_what_no_host_takes_has_no_address(tmp_path: Path) -> None:
    async with town(tmp_path, hosted=False, patience=0.0) as service:
        created = await service.containers.create(caller(), request(), alone(container(), run=True))
        await service.until(created, Status.ERROR)
        assert await ports_there(service) == 0
        await service.containers.delete(caller(), request(), created.id)
        await service.until(created, None)


async def test_what_is_deleted_while_its_host_is_down_gives_its_address_back(tmp_path: Path) -> None:
    plug = FakePlug()
    async with town(tmp_path, plug=plug, lease=0.6) as service:
        lost = await made(service)
        await service.agent.kill()
        await service.until(lost, Status.UNKNOWN)
        assert await ports_there(service) == 1
        await service.containers.delete(caller(), request(), lost.id, stop=True)
        await service.until(lost, None)
        assert await ports_there(service) == 0
        service.agent.start()
        await service.until_empty()
        await eventually(lambda: plug.plugged == {})


async def test_what_is_forgotten_by_force_gives_its_address_back(tmp_path: Path) -> None:
    async with town(tmp_path, deadlines=Deadlines(force_delete=0.5)) as service:
        stuck = await made(service)
        service.runtime.slow("remove", 3600)
        await service.containers.delete(admin(), request(), stuck.id, force=True)
        await service.until(stuck, None)
        assert await ports_there(service) == 0


async def test_a_host_is_told_when_only_the_ports_have_changed(tmp_path: Path) -> None:
    """The wish and its answer are two changes, and the first may long be known when the second comes."""
    networks, plug = FakeNetworks(), FakePlug()
    async with town(tmp_path, networks=networks, plug=plug, heartbeat=60.0) as service:
        default = await service.networks.create(caller(), name="first")
        late = await service.networks.create(caller(), name="late")
        networks.networks = {default.id, late.id}
        running = await made(service)
        networks.slow("allot", 0.5)
        await service.containers.attach_network(caller(), request(), running.id, on(late))
        async with asyncio.timeout(PATIENCE):
            while (found := await service.show(running)) is None or found.status.acting < found.spec.generation:
                await asyncio.sleep(0.01)
        assert not found.settled
        await until_ports(service, running, default.id, late.id)
        await eventually(lambda: len(plug.plugged) == 2)


async def test_capsules_are_on_the_network_of_their_project(tmp_path: Path) -> None:
    async with town(tmp_path) as service:
        spec = CapsuleSpec(containers=(container(name="web"), container(name="log")), desired=Desired.RUNNING)
        capsule_id = CapsuleId("ca951e00-0000-4000-8000-000000000001")
        await service.capsules.create(caller(), request(), capsule_id, spec, name="shop")
        async with asyncio.timeout(PATIENCE):
            while statusword.describe(await service.capsules.show(caller(), "shop")).status is not Status.RUNNING:
                await asyncio.sleep(0.01)
        shop = await service.capsules.show(caller(), "shop")
        (port,) = shop.assignment.ports
        assert port.names == ("shop", "capsule-shop-web", "capsule-shop-log")
        assert shop.spec.sandbox == ContainerId(capsule_id)
        await service.capsules.delete(caller(), request(), "shop")
        await until_none_is_left(service)


async def test_without_networks_of_its_own_everything_is_as_runtimes_give_it(tmp_path: Path) -> None:
    async with cloud(tmp_path) as service:
        running = await made(service)
        assert (running.spec.networks, running.spec.sandbox) == ((), None)
        assert running.assignment.provision is Provision.NONE
        for refused in (
            service.containers.attach_network(caller(), request(), running.id),
            service.networks.create(caller(), name="n"),
            service.containers.create(caller(), request(), alone(container()), networks=[on("n")]),
        ):
            with pytest.raises(errors.Invalid, match="offers no networks"):
                await refused


async def test_what_was_made_without_networks_cannot_be_attached_to_one_later(tmp_path: Path) -> None:
    async with cloud(tmp_path) as service:
        running = await made(service)
        customs = Customs(networks=subnets.pool(POOL))
        later = Containers(service.database, Policy(), service.hints, customs)
        with pytest.raises(errors.Conflict, match="make another one"):
            await later.attach_network(caller(), request(), running.id)


async def test_networks_of_others_are_as_if_they_were_not_there(tmp_path: Path) -> None:
    async with town(tmp_path) as service:
        mine = await service.networks.create(caller(), name="mine", subnet="10.1.0.0/16")
        same = await service.networks.create(caller("p2"), name="mine", subnet="10.1.0.0/16")
        everybodys = await service.networks.create(admin(), name="all", shared=True)
        assert await service.networks.find(caller(), "mine") == mine
        assert await service.networks.find(caller("p2"), "mine") == same
        assert await service.networks.find(caller("p2"), "all") == everybodys
        assert await service.networks.find(admin(), mine.id) == mine
        with pytest.raises(errors.Conflict):
            await service.networks.find(admin(), "mine")
        with pytest.raises(errors.NotFound):
            await service.networks.find(caller("p2"), mine.id)
        with pytest.raises(errors.NotFound):
            await service.networks.delete(caller("p2"), mine.id)
        assert {one.id for one in (await service.networks.page(caller(), Query())).items} == {mine.id, everybodys.id}
        for forbidden in (
            service.networks.page(caller(), Query(all_projects=True)),
            service.networks.create(caller(), name="all", shared=True),
            service.networks.delete(caller(), "all"),
            service.networks.create(caller("p1", "reader"), name="n"),
            service.networks.delete(caller("p1", "reader"), "mine"),
        ):
            with pytest.raises(errors.Forbidden):
                await forbidden
        with pytest.raises(errors.Conflict, match="overlaps"):
            await service.networks.create(caller(), name="again", subnet="10.1.2.0/24")
        await service.networks.delete(caller(), "mine")
        await service.networks.delete(admin(), "all")


async def test_on_a_network_of_everybody_names_say_whose_they_are(tmp_path: Path) -> None:
    """Else whoever is on it could answer for the data base of another project, or for a name of the world."""
    async with town(tmp_path) as service:
        everybodys = await service.networks.create(admin(), name="all", shared=True)
        own = await service.networks.create(caller(), name="own")
        named = alone(replace(container(), name="example.com"), run=True)
        created = await service.containers.create(caller(), request(), named, networks=[on(everybodys), on(own)])
        found = await service.until(created, Status.RUNNING)
        assert found is not None
        shared, apart = found.assignment.ports
        assert f"example.com.{caller().project_id}" in shared.names
        assert all(name.endswith(f".{caller().project_id}") for name in shared.names)
        assert "example.com" in apart.names


async def test_a_network_is_not_deleted_from_under_who_waits_for_an_address(tmp_path: Path) -> None:
    networks = FakeNetworks()
    async with town(tmp_path, networks=networks) as service:
        wanted, other = [await service.networks.create(caller(), name=name) for name in ("wanted", "other")]
        networks.networks = {wanted.id, other.id}
        networks.fail("allot", errors.Unavailable("not now"), times=10_000)
        waits = await service.containers.create(caller(), request(), alone(container()), networks=[on(wanted)])
        with pytest.raises(errors.Conflict, match="1 port is on the network, or about to be"):
            await service.networks.delete(caller(), wanted.id)
        await service.networks.delete(caller(), other.id)
        await service.containers.delete(caller(), request(), waits.id)
        await service.networks.delete(caller(), wanted.id)


async def test_the_last_subnet_is_the_last_network(tmp_path: Path) -> None:
    async with town(tmp_path, pool="10.88.0.0/23") as service:
        one = await service.networks.create(caller(), name="one")
        await service.networks.create(caller(), name="two")
        with pytest.raises(errors.Conflict, match=r"No subnet of 10\.88\.0\.0/23 is left"):
            await service.networks.create(caller(), name="three")
        await service.networks.create(caller(), name="three", subnet="192.168.0.0/16")
        await service.networks.delete(caller(), "one")
        assert (await service.networks.create(caller("p2"), name="four")).subnet == one.subnet


async def test_who_takes_all_subnets_takes_them_from_no_other_project(tmp_path: Path) -> None:
    async with town(tmp_path) as service:
        for number in range(88, 96):
            await service.networks.create(caller("p2"), name="greedy", subnet=f"10.{number}.0.0/16")
        (port,) = (await made(service)).assignment.ports
        assert port.subnet == "10.88.0.0/24"
        one, two = [await service.networks.create(caller(), name=name) for name in ("one", "two")]
        assert [one.subnet, two.subnet] == ["10.88.1.0/24", "10.88.2.0/24"]


async def test_no_network_of_a_project_leaves_no_room_for_one_of_everybody(tmp_path: Path) -> None:
    async with town(tmp_path, pool="10.88.0.0/16") as service:
        for subnet in ("10.88.0.0/16", "10.88.128.0/17", "10.88.0.0/15", "192.168.0.0/15"):
            with pytest.raises(errors.Invalid, match="is too large"):
                await service.networks.create(caller(), name="greedy", subnet=subnet)
        await service.networks.create(caller(), name="large", subnet="10.88.0.0/18")
        await service.networks.create(caller(), name="outside", subnet="192.168.0.0/16")
        everybodys = await service.networks.create(admin(), name="all", shared=True)
        assert everybodys.subnet == "10.88.64.0/24"
        await service.networks.create(admin(), name="more", shared=True, subnet="10.88.128.0/17")
