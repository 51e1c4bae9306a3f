"""What every volume provider, and everybody who mounts, has to keep, as tests: derive from the classes and give them the fixtures."""

import uuid
from collections.abc import Sequence

import pytest

from higgins import errors
from higgins.model.capsule import Capsule
from higgins.model.ids import VolumeId
from higgins.model.volume import Attachment, Mount, MountKind
from higgins.protocols.volume import VolumeMount, VolumeProvider
from higgins.testing import builders


class VolumeContract:
    """`provider` is the one to be tested; `volumes` the ids of two volumes that it has, in the project of the builders' capsules."""

    @pytest.fixture
    def provider(self) -> VolumeProvider:
        raise NotImplementedError

    @pytest.fixture
    def volumes(self) -> Sequence[VolumeId]:
        raise NotImplementedError

    async def test_asking_again_gives_the_same_attachments(
        self, provider: VolumeProvider, volumes: Sequence[VolumeId]
    ) -> None:
        capsule = mounting(*volumes)
        first = await provider.attach(capsule)
        assert [one.volume_id for one in first] == [*volumes]
        assert await provider.attach(capsule) == first

    async def test_a_volume_that_is_mounted_twice_is_attached_once(
        self, provider: VolumeProvider, volumes: Sequence[VolumeId]
    ) -> None:
        (one,) = await provider.attach(mounting(volumes[0], volumes[0]))
        assert one.volume_id == volumes[0]

    async def test_a_volume_that_does_not_exist_is_not_found(self, provider: VolumeProvider) -> None:
        unknown = VolumeId(str(uuid.uuid4()))
        with pytest.raises(errors.NotFound, match=unknown):
            await provider.attach(mounting(unknown))

    async def test_what_was_attached_in_part_can_be_released(
        self, provider: VolumeProvider, volumes: Sequence[VolumeId]
    ) -> None:
        capsule = mounting(volumes[0], VolumeId(str(uuid.uuid4())))
        with pytest.raises(errors.NotFound):
            await provider.attach(capsule)
        await provider.release(capsule.id)

    async def test_what_was_released_is_there_still(
        self, provider: VolumeProvider, volumes: Sequence[VolumeId]
    ) -> None:
        first, second = mounting(volumes[0]), mounting(volumes[0])
        attached = await provider.attach(first)
        await provider.release(first.id)
        await provider.release(first.id)
        assert await provider.attach(second) == attached


class MountContract:
    """`mounter` is the one to be tested."""

    @pytest.fixture
    def mounter(self) -> VolumeMount:
        raise NotImplementedError

    async def test_a_host_that_mounts_says_so(self, mounter: VolumeMount) -> None:
        assert "volumes" in await mounter.capabilities()

    @pytest.mark.parametrize("size", [0, 1])
    async def test_what_is_mounted_is_listed_until_it_is_removed(self, mounter: VolumeMount, size: int) -> None:
        one = attachment(size)
        assert one.volume_id not in await mounter.list()
        await mounter.mount(one)
        assert one.volume_id in await mounter.list()
        await mounter.unmount(one.volume_id)
        assert one.volume_id in await mounter.list()
        await mounter.remove(one.volume_id)
        assert one.volume_id not in await mounter.list()

    @pytest.mark.parametrize("size", [0, 1])
    async def test_mounting_again_gives_the_same_directory(self, mounter: VolumeMount, size: int) -> None:
        one = attachment(size)
        first = await mounter.mount(one)
        assert await mounter.mount(one) == first
        await mounter.unmount(one.volume_id)
        assert await mounter.mount(one) == first
        await mounter.remove(one.volume_id)

    async def test_two_volumes_have_nothing_in_common(self, mounter: VolumeMount) -> None:
        one, other = attachment(0), attachment(0)
        assert await mounter.mount(one) != await mounter.mount(other)
        await mounter.remove(one.volume_id)
        assert [*await mounter.list()] == [other.volume_id]
        await mounter.remove(other.volume_id)

    async def test_removing_what_is_mounted_twice_or_never_was_succeeds(self, mounter: VolumeMount) -> None:
        one = attachment(1)
        await mounter.unmount(one.volume_id)
        await mounter.remove(one.volume_id)
        await mounter.mount(one)
        await mounter.remove(one.volume_id)
        await mounter.remove(one.volume_id)
        assert one.volume_id not in await mounter.list()


def mounting(*volumes: VolumeId) -> Capsule:
    """A capsule with these volumes, each at a place of its own."""
    mounts = tuple(
        Mount(kind=MountKind.VOLUME, destination=f"/v{number}", volume=volume_id)
        for number, volume_id in enumerate(volumes)
    )
    return builders.capsule(builders.spec(builders.container(mounts=mounts)))


def attachment(size: int) -> Attachment:
    """Of a volume that nobody has seen yet."""
    return Attachment(volume_id=VolumeId(str(uuid.uuid4())), size=size)
