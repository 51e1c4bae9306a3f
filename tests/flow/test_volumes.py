"""Volumes from the request to the host and back: where they lie, who mounts them, and when they go."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from higgins import errors
from higgins.link.messages import Changed, Hello, Whole
from higgins.logic.statusword import Status
from higgins.model.capsule import Capsule, CapsuleSpec
from higgins.model.host import Inventory
from higgins.model.ids import FileId, HostId, VolumeId
from higgins.model.volume import Mount, MountKind, NewVolume, Storage, Volume
from higgins.protocols.runtime import Bound
from higgins.service.policy import Policy
from higgins.service.volumes import Volumes
from higgins.store import volumes as stored
from higgins.testing.runtime import FakeRuntime
from higgins.testing.volumes import FakeMount
from tests.flow.harness import HOST, Cloud, alone, caller, cloud, container, eventually, request


@pytest.fixture
async def there(tmp_path: Path) -> AsyncIterator[Cloud]:
    async with cloud(tmp_path) as there:
        yield there


def verbs(there: Cloud) -> Volumes:
    return Volumes(there.database, Policy())


def fresh() -> VolumeId:
    return VolumeId(str(uuid.uuid4()))


async def volume(there: Cloud, name: str = "data", *, size: int = 0) -> Volume:
    return await verbs(there).create(caller(), fresh(), name=name, size=size)


def mounting(*mounts: Mount) -> CapsuleSpec:
    return alone(container(mounts=mounts), run=True)


def at(volume_id: VolumeId, destination: str = "/data", *, read_only: bool = False) -> Mount:
    return Mount(kind=MountKind.VOLUME, destination=destination, volume=volume_id, read_only=read_only)


async def run(there: Cloud, *mounts: Mount, storage: Storage | None = None) -> Capsule:
    made = await there.containers.create(caller(), request(), mounting(*mounts), storage=storage or Storage())
    return await there.until(made, Status.RUNNING)


async def remove(there: Cloud, capsule: Capsule) -> None:
    await there.containers.delete(caller(), request(), capsule.id, stop=True)
    await there.until(capsule, None)


async def test_a_container_sees_its_volume_where_it_asked_for_it(there: Cloud) -> None:
    made = await volume(there, size=2)
    running = await run(there, at(made.id, read_only=True))
    bound = there.runtime.bound[running.spec.containers[0].id]
    assert bound == [Bound(source=f"/volumes/{made.id}", destination="/data", read_only=True)]
    assert there.mount.sizes[made.id] == 2


async def test_a_volume_lies_where_it_was_used_first_and_is_kept_when_its_user_goes(there: Cloud) -> None:
    made = await volume(there)
    assert made.host_id is None
    first = await run(there, at(made.id))
    shown = await verbs(there).show(caller(), "data")
    assert (shown.host_id, shown.users) == (HOST, 1)
    await remove(there, first)
    await eventually(lambda: there.mount.there == {made.id: False})
    await run(there, at(made.id))
    assert there.mount.there == {made.id: True}


async def test_what_is_in_use_cannot_be_deleted_and_what_was_deleted_leaves_the_host(there: Cloud) -> None:
    made = await volume(there)
    running = await run(there, at(made.id))
    with pytest.raises(errors.Conflict, match="delete them first"):
        await verbs(there).delete(caller(), "data")
    await remove(there, running)
    await verbs(there).delete(caller(), "data")
    await eventually(lambda: not there.mount.there)


async def test_a_volume_that_was_made_with_a_container_goes_with_it(there: Cloud) -> None:
    along, stays = fresh(), fresh()
    storage = Storage(
        volumes=(
            NewVolume(id=along, size=1, auto_remove=True),
            NewVolume(id=stays, size=1, auto_remove=False),
        )
    )
    running = await run(there, at(along), at(stays, "/other"), storage=storage)
    assert set(there.mount.there) == {along, stays}
    await remove(there, running)
    await eventually(lambda: set(there.mount.there) == {stays})


async def test_a_volume_that_goes_with_its_container_stays_while_another_uses_it(there: Cloud) -> None:
    along = fresh()
    storage = Storage(volumes=(NewVolume(id=along, size=1, auto_remove=True),))
    first = await run(there, at(along), storage=storage)
    second = await run(there, at(along))
    await remove(there, first)
    assert (await verbs(there).show(caller(), along)).users == 1
    await remove(there, second)
    await eventually(lambda: not there.mount.there)


async def test_one_that_was_never_placed_takes_its_new_volumes_along_too(tmp_path: Path) -> None:
    async with cloud(tmp_path, hosted=False, patience=0.0) as there:
        along = fresh()
        storage = Storage(volumes=(NewVolume(id=along, size=1, auto_remove=True),))
        made = await there.containers.create(caller(), request(), mounting(at(along)), storage=storage)
        await there.until(made, Status.ERROR)
        await there.containers.delete(caller(), request(), made.id)
        await there.until(made, None)
        with pytest.raises(errors.NotFound):
            await verbs(there).show(caller(), along)


async def test_what_is_to_lie_in_a_file_lies_there_and_goes_with_the_container(there: Cloud, tmp_path: Path) -> None:
    file = FileId(str(uuid.uuid4()))
    mount = Mount(kind=MountKind.FILE, destination="/etc/motd", file=file)
    running = await run(there, mount, storage=Storage(files={file: b"\0hello"}))
    (bound,) = there.runtime.bound[running.spec.containers[0].id]
    assert Path(bound.source).read_bytes() == b"\0hello"  # noqa: ASYNC240 - a short one
    await remove(there, running)
    await eventually(lambda: not [*(tmp_path / "files").iterdir()])


async def test_a_file_stays_as_its_container_has_left_it_when_that_is_started_again(there: Cloud) -> None:
    file = FileId(str(uuid.uuid4()))
    mount = Mount(kind=MountKind.FILE, destination="/etc/motd", file=file)
    running = await run(there, mount, storage=Storage(files={file: b"hello"}))
    source = Path(there.runtime.bound[running.spec.containers[0].id][0].source)
    source.write_bytes(b"changed")  # noqa: ASYNC240 - a short one
    asked = request()
    await there.containers.reboot(caller(), asked, running.id)
    await there.until_done(running, asked)
    assert source.read_bytes() == b"changed"  # noqa: ASYNC240 - a short one


async def test_a_volume_of_another_project_is_not_found(there: Cloud) -> None:
    made = await volume(there)
    with pytest.raises(errors.NotFound, match=made.id):
        await there.containers.create(caller("p2"), request(), mounting(at(made.id)))
    with pytest.raises(errors.NotFound, match=made.id):
        await verbs(there).find(caller("p2"), made.id)


async def test_a_volume_is_mounted_again_before_every_start(there: Cloud) -> None:
    made = await volume(there)
    running = await run(there, at(made.id))
    asked = request()
    await there.containers.stop(caller(), asked, running.id)
    await there.until_done(running, asked)
    there.mount.there[made.id] = False  # As a reboot of the host would.
    await there.containers.start(caller(), request(), running.id)
    await there.until(running, Status.RUNNING)
    assert there.mount.there[made.id]


async def test_a_volume_that_cannot_be_mounted_yet_is_mounted_later(there: Cloud) -> None:
    made = await volume(there)
    there.mount.fail("mount", errors.Unavailable("The disk is full."), times=1)
    await run(there, at(made.id))


async def test_an_agent_that_is_killed_wherever_it_stands_leaves_nothing(tmp_path: Path) -> None:
    mount, runtime = FakeMount(), FakeRuntime()
    async with cloud(tmp_path, mount=mount, runtime=runtime) as there:
        for pause in (0.0, 0.01, 0.03, 0.06):
            along = fresh()
            storage = Storage(volumes=(NewVolume(id=along, size=1, auto_remove=True),))
            made = await there.containers.create(caller(), request(), mounting(at(along)), storage=storage)
            await asyncio.sleep(pause)
            await there.agent.restart()
            await there.until(made, Status.RUNNING)
            assert mount.there[along]
            await there.containers.delete(caller(), request(), made.id, stop=True)
            await asyncio.sleep(pause)
            await there.agent.restart()
            await there.until(made, None)
        await eventually(lambda: not mount.there)


async def test_volumes_wait_for_no_message_that_was_lost(there: Cloud) -> None:
    made = await volume(there)
    running = await run(there, at(made.id))
    await remove(there, running)
    there.link.cut()
    await verbs(there).delete(caller(), made.id)
    await eventually(lambda: not there.mount.there)


async def test_however_many_mount_files_a_host_is_told_in_messages_that_it_can_take(there: Cloud) -> None:
    content, made = b"x" * 1000, []
    for _ in range(101):
        file = FileId(str(uuid.uuid4()))
        mount = Mount(kind=MountKind.FILE, destination="/etc/motd", file=file)
        storage = Storage(files={file: content})
        made.append(await there.containers.create(caller(), request(), mounting(mount), storage=storage))
    await there.until(made[-1], Status.RUNNING)
    await there.agent.kill()
    parts: list[Changed] = []
    async with there.link.connect() as channel:
        await channel.send(Hello(host_id=HOST, name="here", availability_zone="nova", inventory=Inventory(runtime="")))
        async for message in channel:
            match message:
                case Changed():
                    parts.append(message)
                case Whole(capsules=assigned):
                    break
    assert [len(part.work) for part in parts] == [100, 1]
    assert {one.capsule_id for part in parts for one in part.work} == set(assigned) == {each.id for each in made}
    assert all([*one.files.values()] == [content] for part in parts for one in part.work)


async def test_a_host_on_which_volumes_lie_is_not_forgotten(there: Cloud) -> None:
    made = await volume(there)
    await remove(there, await run(there, at(made.id)))
    with pytest.raises(errors.Conflict, match="1 volumes lie on the host here"):
        await there.hosts.remove("here")
    await verbs(there).delete(caller(), made.id)
    await there.hosts.remove("here")


async def test_volumes_that_lie_apart_are_refused_at_once(there: Cloud) -> None:
    one, other = await volume(there, "one"), await volume(there, "other")
    await there.database.write(lambda db: stored.bind(db, [one.id], HOST))
    await there.database.write(lambda db: stored.bind(db, [other.id], HostId("elsewhere")))
    with pytest.raises(errors.Conflict, match="lie on different hosts"):
        await there.containers.create(caller(), request(), mounting(at(one.id), at(other.id, "/other")))
