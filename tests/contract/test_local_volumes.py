"""Volumes in a directory of this machine, with real file systems in files."""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from higgins import errors
from higgins.api.zun import mounts
from higgins.drivers.volumes.local import LocalVolumes, loops
from higgins.model.ids import VolumeId
from higgins.model.volume import Attachment
from higgins.testing.volume_contract import MountContract, attachment

HERE = os.geteuid() == 0 and os.path.exists("/dev/loop-control")
needs_loops = pytest.mark.skipif(not HERE, reason="file systems in files need root and loop devices")


def write(directory: str, text: str, name: str = "kept") -> None:
    Path(directory, name).write_text(text)


def read(directory: str, name: str = "kept") -> str:
    return Path(directory, name).read_text()


def fill(directory: str, size: int) -> None:
    with Path(directory, "large").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, size)


@pytest.fixture
async def plain(tmp_path: Path) -> LocalVolumes:
    return LocalVolumes(tmp_path / "volumes", limits=False)


@pytest.fixture
async def limited(tmp_path: Path) -> AsyncIterator[LocalVolumes]:
    volumes = LocalVolumes(tmp_path / "volumes", limits=True)
    yield volumes
    for each in await volumes.list():
        await volumes.remove(each)


class TestPlainDirectories(MountContract):
    @pytest.fixture
    def mounter(self, plain: LocalVolumes) -> LocalVolumes:
        return plain


@needs_loops
class TestFileSystemsInFiles(MountContract):
    @pytest.fixture
    def mounter(self, limited: LocalVolumes) -> LocalVolumes:
        return limited


@needs_loops
async def test_a_host_finds_out_that_it_can_keep_to_sizes(tmp_path: Path) -> None:
    assert await loops.possible(tmp_path / "volumes")
    assert not [*(tmp_path / "volumes").iterdir()]


@needs_loops
async def test_what_is_left_of_finding_that_out_goes_the_next_time(tmp_path: Path) -> None:
    trial = tmp_path / "volumes" / ".trial"
    trial.mkdir(parents=True)
    await loops.make(trial / "image", 1)
    await loops.mount(trial / "image", trial)
    assert await loops.possible(tmp_path / "volumes")
    assert str(tmp_path) not in read("/proc/self", "mounts")
    assert not [*(tmp_path / "volumes").iterdir()]


async def test_only_root_comes_to_the_directory_of_volumes(plain: LocalVolumes, tmp_path: Path) -> None:
    await loops.possible(tmp_path / "volumes")
    await plain.mount(attachment(0))
    assert (tmp_path / "volumes").stat().st_mode & 0o777 == 0o700


async def test_what_is_written_stays_when_nobody_uses_it(plain: LocalVolumes) -> None:
    one = attachment(0)
    write(await plain.mount(one), "word")
    await plain.unmount(one.volume_id)
    assert read(await plain.mount(one)) == "word"


@needs_loops
async def test_a_file_system_is_as_large_as_was_asked_and_not_larger(limited: LocalVolumes) -> None:
    there = await limited.mount(attachment(1))
    assert 0.9 * 2**30 < os.statvfs(there).f_blocks * os.statvfs(there).f_frsize <= 2**30
    with pytest.raises(OSError, match="No space left"):
        fill(there, 2**30)


@needs_loops
async def test_a_file_system_that_a_reboot_has_unmounted_is_mounted_again_with_what_it_held(
    limited: LocalVolumes, tmp_path: Path
) -> None:
    one = attachment(1)
    write(await limited.mount(one), "word")
    await loops.unmount(tmp_path / "volumes" / one.volume_id / "mounted")
    again = LocalVolumes(tmp_path / "volumes", limits=True)
    assert read(await again.mount(one)) == "word"


@needs_loops
async def test_a_volume_stays_what_it_was_made_as(limited: LocalVolumes, plain: LocalVolumes, tmp_path: Path) -> None:
    sized, unsized = attachment(1), attachment(0)
    write(await limited.mount(sized), "on a file system")
    write(await plain.mount(unsized), "in a directory")
    await limited.unmount(sized.volume_id)
    assert read(await plain.mount(sized)) == "on a file system"
    larger = Attachment(volume_id=unsized.volume_id, size=1)
    assert read(await limited.mount(larger)) == "in a directory"


@needs_loops
async def test_what_cannot_be_mounted_is_never_made_anew(limited: LocalVolumes, tmp_path: Path) -> None:
    one = attachment(1)
    await limited.mount(one)
    await limited.unmount(one.volume_id)
    image = tmp_path / "volumes" / one.volume_id / "image"
    with image.open("r+b") as file:
        file.write(b"\1" * 8192)
    with pytest.raises(errors.Unavailable, match="mount failed"):
        await limited.mount(one)
    assert image.read_bytes()[:8192] == b"\1" * 8192


@needs_loops
async def test_wherever_mounting_is_left_it_can_be_done_again(limited: LocalVolumes, tmp_path: Path) -> None:
    one = attachment(1)
    for hurry in (0.0, 0.002, 0.01, 0.03, 0.05):
        try:
            async with asyncio.timeout(hurry):
                await limited.mount(one)
        except TimeoutError:
            continue
    write(await limited.mount(one), "word")
    await limited.remove(one.volume_id)
    assert str(tmp_path) not in read("/proc/self", "mounts")
    assert not [*(tmp_path / "volumes").iterdir()]


async def test_what_was_left_half_made_goes_with_its_volume(plain: LocalVolumes, tmp_path: Path) -> None:
    half = tmp_path / "volumes" / str(uuid.uuid4())
    half.mkdir(parents=True)
    (half / "image.new").write_bytes(b"")
    assert [*await plain.list()] == [half.name]
    await plain.remove(VolumeId(half.name))
    assert not half.exists()


def test_the_largest_that_can_be_asked_for_fits_into_a_file(tmp_path: Path) -> None:
    with (tmp_path / "image").open("wb") as file:
        file.truncate(mounts.LARGEST * 2**30)


async def test_a_volume_goes_however_deep_the_directories_in_it_are(plain: LocalVolumes) -> None:
    one = attachment(0)
    place = os.open(await plain.mount(one), os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=place)
        deeper = os.open("d", os.O_RDONLY, dir_fd=place)
        os.close(place)
        place = deeper
    os.close(place)
    await plain.remove(one.volume_id)
    assert not [*await plain.list()]
