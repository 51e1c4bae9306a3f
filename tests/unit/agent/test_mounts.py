"""What is mounted on a host, and what is removed from it."""

from pathlib import Path

import pytest

from higgins import errors
from higgins.agent.contents import Contents
from higgins.agent.mounts import Mounts
from higgins.drivers.volumes.local import LocalVolumes
from higgins.link.messages import Work
from higgins.model.capsule import CapsuleStatus
from higgins.model.ids import CapsuleId, FileId, ProjectId, VolumeId
from higgins.model.volume import Attachment, Mount, MountKind
from higgins.testing import builders
from higgins.testing.volumes import FakeMount

V = VolumeId("v")
FILE = Mount(kind=MountKind.FILE, destination="/f", file=FileId("f"))
VOLUME = Mount(kind=MountKind.VOLUME, destination="/v", volume=V)


def work(*mounts: Mount, attached: bool = True, content: bool = True) -> Work:
    return Work(
        capsule_id=CapsuleId("c"),
        project_id=ProjectId("p"),
        epoch=1,
        spec=builders.spec(builders.container(mounts=mounts)),
        status=CapsuleStatus(),
        volumes=(Attachment(volume_id=V),) if attached else (),
        files={FileId("f"): b"word"} if content else {},
    )


async def ready(mounts: Mounts, wanted: Work) -> list[str]:
    return [one.source for one in await mounts.ready(wanted, wanted.spec.containers[0])]


@pytest.mark.parametrize(
    ("missing", "word"),
    [(work(FILE, content=False), "What is to lie in /f"), (work(VOLUME, attached=False), "The volume at /v")],
)
async def test_what_has_not_come_to_the_host_is_waited_for(tmp_path: Path, missing: Work, word: str) -> None:
    with pytest.raises(errors.Unavailable, match=word):
        await ready(Mounts(FakeMount(), Contents(tmp_path)), missing)


async def test_a_host_without_volumes_announces_none_and_mounts_none() -> None:
    assert await Mounts().capabilities() == ()
    for one in (VOLUME, FILE):
        with pytest.raises(errors.Unavailable):
            await ready(Mounts(), work(one))


async def test_files_lie_where_only_root_comes_with_what_came(tmp_path: Path) -> None:
    (source,) = await ready(Mounts(FakeMount(), Contents(tmp_path / "files")), work(FILE))
    assert Path(source).read_bytes() == b"word"  # noqa: ASYNC240 - a short one
    assert (tmp_path / "files").stat().st_mode & 0o777 == 0o700
    assert Path(source).stat().st_mode & 0o777 == 0o644  # noqa: ASYNC240 - a short one


async def test_the_sweep_unmounts_what_nobody_uses_and_removes_no_volume(tmp_path: Path) -> None:
    mount, contents = FakeMount(), Contents(tmp_path)
    mounts = Mounts(mount, contents)
    await ready(mounts, work(VOLUME, FILE))
    await mounts.sweep(lambda: {CapsuleId("c")}, lambda: {V})
    assert mount.there == {V: True}
    assert contents.list() == ["c"]
    await mounts.sweep(lambda: (), lambda: ())
    assert mount.there == {V: False}
    assert contents.list() == []


async def test_what_is_said_to_be_gone_is_removed_unless_somebody_uses_it(tmp_path: Path) -> None:
    mount = FakeMount()
    mounts = Mounts(mount, Contents(tmp_path))
    await ready(mounts, work(VOLUME))
    await mounts.remove([V], lambda: {V})
    assert V in mount.there
    await mounts.remove([V], lambda: ())
    assert not mount.there


async def test_what_cannot_be_removed_now_is_idle_still(tmp_path: Path) -> None:
    mount = FakeMount()
    mounts = Mounts(mount, Contents(tmp_path))
    await ready(mounts, work(VOLUME))
    mount.fail("remove", errors.Unavailable("busy"))
    await mounts.remove([V], lambda: ())
    assert await mounts.idle(()) == [V]
    assert await mounts.idle({V}) == []


async def test_directories_that_cannot_be_read_end_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An agent that ran as root before may run as somebody else now."""
    for name in ("volumes", "files"):
        (tmp_path / name).write_text("no directory")
    mounts = Mounts(LocalVolumes(tmp_path / "volumes", limits=False), Contents(tmp_path / "files"))
    await mounts.sweep(lambda: (), lambda: ())
    assert await mounts.idle(()) == ()
    assert "The directory of volumes cannot be read" in caplog.text
    assert "The directory of files cannot be read" in caplog.text
