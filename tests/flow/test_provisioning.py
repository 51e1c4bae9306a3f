"""What a host cannot give by itself is allotted before the host is told, once, and given back in the end, whoever dies in between."""

import asyncio
import time
from pathlib import Path

import pytest

from higgins import errors
from higgins.logic import statusword
from higgins.logic.statusword import Status
from higgins.model.capsule import Capsule, CapsuleSpec, Desired, Kind, Provision
from higgins.model.ids import CapsuleId, NetworkId
from higgins.service.limits import Deadlines
from higgins.store import capsules
from higgins.testing import builders
from higgins.testing.networks import FakeNetworks
from higgins.testing.runtime import FakeRuntime
from tests.flow.harness import Cloud, admin, alone, caller, cloud, container, eventually, request


class Clock:
    """Runs as the real one does, but ahead of it."""

    def __init__(self, *, ahead: float) -> None:
        self._ahead = ahead

    def __call__(self) -> float:
        return time.time() + self._ahead


async def wish(service: Cloud, *networks: str, within: float = 60.0) -> Capsule:
    """A running container on these networks; no front door offers that yet."""
    wanted = container()
    now = time.time()
    capsule = Capsule(
        id=CapsuleId(wanted.id),
        project_id=caller().project_id,
        user_id=caller().user_id,
        name=f"on-{'-'.join(networks)}",
        kind=Kind.CONTAINER,
        created_at=now,
        spec=CapsuleSpec(
            containers=(wanted,),
            desired=Desired.RUNNING,
            networks=tuple(builders.wish(name) for name in networks),
        ),
    )
    await service.database.write(lambda db: capsules.insert(db, capsule, now + within))
    service.hints.changed(capsule)
    return capsule


async def test_ports_are_there_before_the_host_is_told_and_gone_after_the_delete(tmp_path: Path) -> None:
    networks = FakeNetworks([NetworkId("blue"), NetworkId("red")])
    networks.slow("allot", 0.2)
    async with cloud(tmp_path, networks=networks) as service:
        capsule = await wish(service, "red", "blue")
        await eventually(lambda: networks.count("allot") == 1)
        assert service.runtime.count("create") == 0
        running = await service.until(capsule, Status.RUNNING)
        assert running is not None
        assert [port.network_id for port in running.assignment.ports] == ["red", "blue"]
        assert running.assignment.provision is Provision.HELD
        await service.containers.delete(caller(), request(), capsule.id, stop=True)
        await service.until(capsule, None)
        assert networks.allotted == {}


async def test_what_needs_no_provider_never_waits_for_one(tmp_path: Path) -> None:
    networks = FakeNetworks([NetworkId("blue")])
    networks.go_away()
    async with cloud(tmp_path, networks=networks) as service:
        capsule = await service.containers.create(caller(), request(), alone(container(), run=True))
        await service.until(capsule, Status.RUNNING)
        await service.containers.delete(caller(), request(), capsule.id, stop=True)
        await service.until(capsule, None)
    assert networks.seen == []


async def test_a_network_that_does_not_exist_is_an_error_that_holds_nothing(tmp_path: Path) -> None:
    networks = FakeNetworks([NetworkId("blue")])
    async with cloud(tmp_path, networks=networks) as service:
        capsule = await wish(service, "blue", "green")
        refused = await service.until(capsule, Status.ERROR)
        assert refused is not None
        assert statusword.describe(refused).reason == "Network green could not be found."
        await eventually(lambda: networks.allotted == {})
        networks.networks.add(NetworkId("green"))
        await service.containers.start(caller(), request(), capsule.id)
        await service.until(capsule, Status.RUNNING)
        assert [port.network_id for port in networks.allotted[capsule.id].values()] == ["blue", "green"]


async def test_an_answer_that_was_lost_leads_to_the_same_ports(tmp_path: Path) -> None:
    networks = FakeNetworks([NetworkId("blue")])
    networks.fail("allot", errors.Unavailable("the answer was lost"), after=True)
    runtime = FakeRuntime(clock=time.time)
    async with cloud(tmp_path, runtime=runtime, networks=networks) as service:
        capsule = await wish(service, "blue")
        await eventually(lambda: networks.count("allot") == 1)
        first = list(networks.allotted[capsule.id].values())
        running = await service.until(capsule, Status.RUNNING, within=15)
        assert running is not None
        assert list(running.assignment.ports) == first


@pytest.mark.parametrize("trouble", [KeyError("what nobody foresaw"), errors.Conflict("It has moved on.")])
async def test_what_goes_wrong_with_one_is_tried_again_and_holds_up_no_other(
    tmp_path: Path, trouble: Exception
) -> None:
    """Nobody waits until a lease is over."""
    networks = FakeNetworks([NetworkId("blue"), NetworkId("red")])
    networks.fail("allot", trouble)
    networks.slow("allot", 0.2)
    async with cloud(tmp_path, networks=networks, allotting=3600.0) as service:
        one, other = await wish(service, "blue"), await wish(service, "red")
        await service.until(one, Status.RUNNING)
        await service.until(other, Status.RUNNING)
        assert networks.count("allot") == 3


async def test_a_control_plane_that_dies_while_it_asks_is_carried_on_by_the_next(tmp_path: Path) -> None:
    networks = FakeNetworks([NetworkId("blue")])
    networks.slow("allot", 3600)
    runtime = FakeRuntime(clock=time.time)
    async with cloud(tmp_path, runtime=runtime, networks=networks) as service:
        capsule = await wish(service, "blue", within=600)
        await eventually(lambda: networks.count("allot") == 1)
    networks.slow("allot", 0)
    async with cloud(tmp_path, runtime=runtime, networks=networks) as service:
        # The lease of the dead one still stands: what it may have under way must not be done beside it.
        await asyncio.sleep(0.2)
        assert networks.count("allot") == 1
    later = Clock(ahead=120.0)
    async with cloud(tmp_path, runtime=runtime, networks=networks, clock=later) as service:
        await service.until(capsule, Status.RUNNING)


async def test_a_deadline_gives_back_what_was_allotted(tmp_path: Path) -> None:
    networks = FakeNetworks([NetworkId("blue")])
    runtime = FakeRuntime(clock=time.time)
    runtime.slow("create", 3600)
    async with cloud(tmp_path, runtime=runtime, networks=networks, deadlines=Deadlines(delete=5)) as service:
        capsule = await wish(service, "blue", within=0.5)
        await eventually(lambda: capsule.id in networks.allotted)
        await service.until(capsule, Status.ERROR)
        await eventually(lambda: networks.allotted == {})
        await service.containers.delete(caller(), request(), capsule.id)
        await service.until(capsule, None)


async def test_what_is_deleted_before_its_host_was_told_gives_everything_back(tmp_path: Path) -> None:
    networks = FakeNetworks([NetworkId("blue")])
    networks.fail("allot", errors.Unavailable("in a moment"), times=1000, after=True)
    async with cloud(tmp_path, networks=networks) as service:
        capsule = await wish(service, "blue")
        await eventually(lambda: capsule.id in networks.allotted)
        await service.containers.delete(admin(), request(), capsule.id)
        await service.until(capsule, None, within=15)
        assert networks.allotted == {}
        assert service.runtime.count("create") == 0
