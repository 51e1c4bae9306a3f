"""Several placers over one database: nothing is placed twice, nothing is booked beyond what a host has, everything is decided."""

import asyncio
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from higgins.control.placer import Custom, Placer
from higgins.control.reaper import Reaper
from higgins.logic import placement
from higgins.logic.placement import Ratios
from higgins.logic.statusword import Status, describe
from higgins.model.capsule import Capsule, Desired, Provision, Resources
from higgins.model.ids import ProjectId, UserId, VolumeId
from higgins.model.query import Query
from higgins.model.volume import Mount, MountKind, Volume
from higgins.service.hints import Hints
from higgins.store import capsules, hosts, volumes
from higgins.store.database import Connection, Database
from higgins.store.tables import metadata
from higgins.testing.builders import capsule, container, host, inventory, spec
from tests.patience import PATIENCE

RATIOS = Ratios(cpu=1.0, memory=1.0, disk=1.0)


@pytest.fixture
def replicas(tmp_path: Path) -> Iterator[list[Database]]:
    """Three, each with a writer of its own, over one file."""
    opened = [Database(f"sqlite:///{tmp_path}/some.sqlite") for _ in range(3)]
    metadata.create_all(opened[0].engine)
    for database in opened:
        database.open()
    yield opened
    for database in opened:
        database.close()


def placer(database: Database, patience: float = 0.0) -> Placer:
    return Placer(database, Hints(), Custom(ratios=RATIOS, patience=patience), time.time)


async def everything(database: Database) -> list[Capsule]:
    page = await database.read(
        lambda db: capsules.page(db, None, Query(), kind=capsule().kind)  # All of them, of every project.
    )
    return [one.open() for one in page.items]


async def waiting(database: Database, count: int, limits: Resources) -> None:
    def work(db: Connection) -> None:
        for _ in range(count):
            capsules.insert(db, capsule(spec(container(limits=limits)), project_id=ProjectId("p1")), deadline=1e12)

    await database.write(work)


@pytest.mark.parametrize("seed", range(3))
async def test_placers_side_by_side_never_book_more_than_there_is_nor_leave_room_unused(
    replicas: list[Database], seed: int
) -> None:
    random.seed(seed)
    # Room for four on each of five hosts, by memory or by cores.
    for number in range(5):
        narrow = Resources(cpu=2.0, memory=8192, disk=99) if number % 2 else Resources(cpu=99.0, memory=1024, disk=99)
        here = host(inventory=inventory(capacity=narrow))
        await replicas[0].write(lambda db, here=here: hosts.register(db, here))  # type: ignore[misc]
    await waiting(replicas[0], 30, Resources(cpu=0.5, memory=256, disk=1))
    async with asyncio.TaskGroup() as group:
        for database in replicas:
            group.create_task(placer(database).visit())
    there = await everything(replicas[0])
    placed = [one for one in there if one.assignment.host_id is not None]
    assert len(placed) == 20
    assert {one.assignment.epoch for one in placed} == {1}
    for here in await replicas[0].read(hosts.every):
        mine = [one for one in placed if one.assignment.host_id == here.id]
        assert sum((one.assignment.claim for one in mine), Resources()) == here.allocated
        room = placement.room(here, RATIOS)
        assert here.allocated.cpu <= room.cpu and here.allocated.memory <= room.memory
    refused = [one for one in there if one.assignment.host_id is None]
    assert {describe(one).status for one in refused} == {Status.ERROR}
    assert describe(refused[0]).reason == (
        "There are not enough hosts available: 2 without enough cpu, 3 without enough memory."
    )


async def test_the_room_of_what_is_deleted_is_there_again(replicas: list[Database]) -> None:
    database = replicas[0]
    await database.write(lambda db: hosts.register(db, host()))
    await waiting(database, 2, Resources(memory=8192))
    await placer(database).visit()
    first, second = sorted(await everything(database), key=lambda one: one.assignment.host_id is None)
    assert (first.assignment.epoch, second.assignment.epoch) == (1, 0)

    def delete(db: Connection) -> None:
        gone = spec(*first.spec.containers, desired=Desired.DELETED)
        capsules.write_spec(db, first, gone, deadline=1e12, now=1.0)
        for here in hosts.every(db):
            hosts.write_down(db, here)  # Nobody has to be asked.
        capsules.write_spec(db, second, second.spec, deadline=1e12, now=1.0)

    await database.write(delete)
    await Reaper(database, Hints()).visit()
    (here,) = await database.read(hosts.every)
    assert here.allocated == Resources()


async def test_more_than_a_page_is_placed_in_one_visit(replicas: list[Database]) -> None:
    await replicas[0].write(lambda db: hosts.register(db, host()))
    await waiting(replicas[0], 230, Resources())
    assert await placer(replicas[0]).visit() is None
    assert all(one.assignment.host_id for one in await everything(replicas[0]))


async def test_who_waits_for_a_host_is_looked_at_once_a_visit(replicas: list[Database]) -> None:
    await waiting(replicas[0], 230, Resources())
    async with asyncio.timeout(PATIENCE):
        assert await placer(replicas[0], patience=1e12).visit() == 1.0
    assert {describe(one).status for one in await everything(replicas[0])} == {Status.CREATING}


async def test_containers_that_use_one_volume_first_at_once_end_on_one_host(replicas: list[Database]) -> None:
    places = [host(inventory=inventory(capabilities=("volumes",))) for _ in range(4)]
    shared = VolumeId("shared")
    mounts = (Mount(kind=MountKind.VOLUME, destination="/data", volume=shared),)
    made = Volume(id=shared, project_id=ProjectId("p1"), user_id=UserId("u1"), created_at=1.0)

    def prepare(db: Connection) -> None:
        for place in places:
            hosts.register(db, place)
        volumes.insert(db, made)
        for _ in range(12):
            using = capsule(spec(container(mounts=mounts)), project_id=ProjectId("p1"))
            capsules.insert(db, using, deadline=1e12)
            volumes.use(db, using.id, ProjectId("p1"), [shared])

    await replicas[0].write(prepare)
    async with asyncio.TaskGroup() as group:
        for database in replicas:
            group.create_task(placer(database).visit())
    await placer(replicas[0]).visit()
    (home,) = await replicas[0].read(lambda db: volumes.homes(db, [shared]))
    placed = await everything(replicas[0])
    assert {one.assignment.host_id for one in placed} == {home}
    assert {one.assignment.provision for one in placed} == {Provision.WANTED}
