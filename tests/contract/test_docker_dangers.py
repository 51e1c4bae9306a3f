"""What is dangerous in archives, logs and talks stays in its container, on a real engine; and what a crash leaves behind is known."""

import asyncio
import contextlib
import gzip
import io
import json
import os
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from higgins import errors
from higgins.drivers.engine import Engine
from higgins.drivers.runtimes.docker import DockerRuntime
from higgins.model.capsule import Container, Resources, Stage
from higgins.testing.live_contract import an_exec, cut, fetched, heard, packed, unpacked
from higgins.testing.runtime_contract import PATIENCE, a_container, look, origin_of, until
from tests.system.engine import BUSYBOX, docker_url

__all__ = ["docker_url"]

pytestmark = pytest.mark.docker

OUTSIDE = ("/etc", "/tmp", "/root", "/")


@pytest.fixture
async def runtime(docker_url: str) -> AsyncIterator[DockerRuntime]:
    async with DockerRuntime(url=docker_url, owner=f"dangers-{uuid4()}") as runtime:
        yield runtime
        for each in await runtime.list():
            await runtime.remove(each)


async def running(runtime: DockerRuntime, *command: str, **fields: object) -> Container:
    container = a_container(BUSYBOX, *(command or ("sleep", "60")), **fields)
    await runtime.create(origin_of(container), container)
    await runtime.start(container.id)
    return container


async def inside(runtime: DockerRuntime, container: Container, script: str) -> str:
    return (await runtime.execute(container.id, ["sh", "-c", script])).output.decode()


def on_the_host(mark: str) -> list[str]:
    return [each for each in OUTSIDE if (Path(each) / mark).exists()]


def entry(
    name: str, kind: bytes = tarfile.REGTYPE, *, link: str = "", major: int = 0, minor: int = 0
) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.mode, made.devmajor, made.devminor = kind, link, 0o666, major, minor
    return made


def archive(*entries: tarfile.TarInfo) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for each in entries:
            tar.addfile(each)
    return content.getvalue()


# Archives


@pytest.mark.parametrize("name", ["/{}", "../../../{}", "../../../etc/{}", "a/../../../../tmp/{}"])
async def test_no_path_in_an_archive_reaches_the_host(runtime: DockerRuntime, name: str) -> None:
    made, mark = await running(runtime), f"higgins-{uuid4()}"
    try:
        await runtime.put_archive(made.id, "/tmp", cut(packed({name.format(mark): b"out"}), 512))
    except errors.Invalid:
        pass  # Some are refused, others lead to somewhere in the container.
    assert not on_the_host(mark)


@pytest.mark.parametrize(("link", "through"), [("/etc", "l/{}"), ("/", "l/etc/{}"), ("../../../../../etc", "l/{}")])
async def test_a_link_in_an_archive_leads_nowhere_on_the_host(runtime: DockerRuntime, link: str, through: str) -> None:
    made, mark = await running(runtime), f"higgins-{uuid4()}"
    try:
        await runtime.put_archive(
            made.id, "/tmp", cut(archive(entry("l", tarfile.SYMTYPE, link=link), entry(through.format(mark))), 512)
        )
        # Newer engines take the link for one within the directory.
        assert mark in await inside(runtime, made, "ls /etc /tmp/etc /tmp/l")
    except errors.Invalid:
        pass
    assert not on_the_host(mark)


@pytest.mark.parametrize("target", ["/etc/hostname", "../../../../../../etc/hostname", "/proc/1/root/etc/hostname"])
async def test_a_hard_link_in_an_archive_holds_no_file_of_the_host(runtime: DockerRuntime, target: str) -> None:
    made, before = await running(runtime), os.stat("/etc/hostname")
    with pytest.raises(errors.Invalid):
        await runtime.put_archive(made.id, "/tmp", cut(archive(entry("h", tarfile.LNKTYPE, link=target)), 512))
    assert os.stat("/etc/hostname").st_nlink == before.st_nlink
    assert "h" not in (await inside(runtime, made, "ls /tmp")).split()


async def test_devices_in_an_archive_cannot_be_used(runtime: DockerRuntime) -> None:
    made, root = await running(runtime), os.stat("/").st_dev
    devices = archive(
        entry("memory", tarfile.CHRTYPE, major=1, minor=1),
        entry("disk", tarfile.BLKTYPE, major=os.major(root), minor=os.minor(root)),
    )
    await runtime.put_archive(made.id, "/tmp", cut(devices, 512))
    for device in ("memory", "disk"):
        assert "not permitted" in await inside(runtime, made, f"head -c 1 /tmp/{device} 2>&1")


async def test_a_link_in_a_container_is_told_and_not_followed_to_the_host(
    runtime: DockerRuntime, tmp_path: Path
) -> None:
    made, mark = await running(runtime), tmp_path / "of-the-host"
    mark.touch()
    await inside(runtime, made, f"ln -s /../../../..{mark} /tmp/file; ln -s / /tmp/root; echo inside > /etc/x")
    stat, content = await fetched(runtime, made.id, "/tmp/file")
    assert stat.mode & 1 << 27
    assert unpacked(content) == {}
    with pytest.raises(errors.NotFound):
        await fetched(runtime, made.id, f"/tmp/root{mark}")
    assert unpacked((await fetched(runtime, made.id, "/tmp/root/etc/x"))[1]) == {"x": b"inside\n"}


async def test_a_packed_bomb_is_refused_before_it_is_unpacked(runtime: DockerRuntime) -> None:
    made = await running(runtime)
    bomb = gzip.compress(packed({"bomb": bytes(8 * 1024**2)}))
    with pytest.raises(errors.Invalid, match="unpacked first"):
        await runtime.put_archive(made.id, "/tmp", cut(bomb, 512))
    assert await inside(runtime, made, "ls /tmp") == ""


async def test_a_file_that_is_all_holes_is_refused(runtime: DockerRuntime) -> None:
    made, old, new = await running(runtime), tarfile.TarInfo("bomb"), tarfile.TarInfo("bomb")
    old.type = tarfile.GNUTYPE_SPARSE
    new.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(10**15)}
    for bomb in (archive(old), archive(new)):
        with pytest.raises(errors.Invalid, match="holes"):
            await runtime.put_archive(made.id, "/tmp", cut(bomb, 512))
    assert await inside(runtime, made, "ls /tmp") == ""


async def test_an_archive_without_end_is_cut_off(docker_url: str) -> None:
    async with DockerRuntime(url=docker_url, owner=f"dangers-{uuid4()}", archive_limit=1024**2) as runtime:
        made = await running(runtime)
        try:
            forever = tarfile.TarInfo("bomb")
            forever.size = 10**12

            async def bomb() -> AsyncIterator[bytes]:
                yield forever.tobuf()
                while True:
                    yield bytes(65536)

            with pytest.raises(errors.Invalid, match="more than 1048576 bytes"):
                await runtime.put_archive(made.id, "/tmp", bomb())
            await inside(runtime, made, "dd if=/dev/zero of=/root/bomb bs=1024k count=0 seek=100000")
            with pytest.raises(errors.Invalid, match="more than 1048576 bytes"):
                await fetched(runtime, made.id, "/root/bomb")
            assert int((await inside(runtime, made, "du -k /tmp")).split()[0]) <= 1024
        finally:
            await runtime.remove(made.id)


async def test_a_message_tells_nothing_of_where_the_host_keeps_its_containers(runtime: DockerRuntime) -> None:
    made = await running(runtime)
    for path in ("/etc/passwd/x/.", "/etc/passwd/.", "/" + "x" * 300, "/tmp/../etc/passwd/deeper"):
        with pytest.raises((errors.Invalid, errors.NotFound)) as refused:
            await fetched(runtime, made.id, path)
        assert "docker" not in refused.value.message
        assert "overlay" not in refused.value.message


# Logs


async def test_the_log_of_what_never_stops_printing_stays_small(docker_url: str) -> None:
    async with (
        DockerRuntime(url=docker_url, owner=f"dangers-{uuid4()}", log_size=1, log_files=2) as runtime,
        Engine(docker_url) as engine,
    ):
        made = await running(runtime, "yes", "0123456789" * 50)
        try:
            read = 0
            async with asyncio.timeout(PATIENCE):
                while read <= 8 * 1024**2:
                    # Whoever reads more slowly than it prints may find that the file which he reads is gone, and begins again.
                    with contextlib.suppress(errors.Unavailable):
                        async for piece in runtime.logs(
                            made.id, stdout=True, stderr=True, timestamps=False, tail=0, since=None, follow=True
                        ):
                            read += len(piece)
                            if read > 8 * 1024**2:
                                break
            told = json.loads(await engine.call("GET", f"containers/higgins-{made.id}/json"))
            kept = [each.stat().st_size for each in Path(told["LogPath"]).parent.glob("*-json.log*")]
            assert 0 < sum(kept) < 4 * 1024**2
        finally:
            await runtime.remove(made.id)


# Talks


async def test_whoever_leaves_a_terminal_hangs_it_up(runtime: DockerRuntime) -> None:
    made = await running(runtime)
    async with runtime.enter(made.id, an_exec(), ["sh"], terminal=True, stdin=True) as talk:
        await talk.write(b"echo ready; sleep 1000\n")
        heard_so_far = b""
        while b"\r\nready" not in heard_so_far:
            heard_so_far += await heard(talk, 1)
        # The shell has said so, and is just about to start the other.
        async with asyncio.timeout(15):
            while len((await runtime.processes(made.id, None)).rows) != 3:
                await asyncio.sleep(0.01)
    await only_one_process(runtime, made)


async def test_whoever_leaves_a_command_without_a_terminal_ends_its_input(runtime: DockerRuntime) -> None:
    made = await running(runtime)
    async with runtime.enter(made.id, an_exec(), ["cat"], terminal=False, stdin=True) as talk:
        await talk.write(b"x")
        assert await heard(talk, 1) == b"x"
    await only_one_process(runtime, made)


async def test_whoever_leaves_a_command_that_wants_no_input_hangs_it_up_with_all_it_started(
    runtime: DockerRuntime,
) -> None:
    made = await running(runtime)
    async with runtime.enter(
        made.id, an_exec(), ["sh", "-c", "echo go; sleep 1000 | sleep 1001"], terminal=False, stdin=False
    ) as talk:
        assert await heard(talk, 3) == b"go\n"
    await only_one_process(runtime, made)


async def test_a_command_that_nobody_waits_for_any_more_is_hung_up(runtime: DockerRuntime) -> None:
    made = await running(runtime)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await runtime.execute(made.id, ["sleep", "1000"])
    await only_one_process(runtime, made)


async def test_an_engine_learns_of_no_keys_to_leave_by(runtime: DockerRuntime) -> None:
    made = await running(runtime)
    async with runtime.enter(
        made.id, an_exec(), ["sh", "-c", "stty raw -echo; echo go; cat"], terminal=True, stdin=True
    ) as talk:
        assert await heard(talk, 3) == b"go\n"
        await talk.write(b"\x10\x11\x10\x11end")
        assert await heard(talk, 7) == b"\x10\x11\x10\x11end"


async def test_a_terminal_can_be_given_its_size_a_moment_before_it_starts(runtime: DockerRuntime) -> None:
    container = a_container(BUSYBOX, "sh", interactive=True, tty=True)
    await runtime.create(origin_of(container), container)
    async with runtime.attach(container.id, stdin=True, logs=False) as talk, asyncio.TaskGroup() as group:
        group.create_task(runtime.resize(container.id, None, 77, 33))
        await asyncio.sleep(0.05)
        await runtime.start(container.id)
        await asyncio.sleep(0.5)
        await talk.write(b"stty size; exit\n")
        assert b"33 77\r\n" in await heard(talk)


async def test_a_limit_below_what_is_in_use_is_invalid(runtime: DockerRuntime) -> None:
    made = await running(
        runtime, "sh", "-c", "(head -c 30000000 /dev/zero; sleep 60) | tail", limits=Resources(memory=200)
    )
    async with asyncio.timeout(PATIENCE):
        while (await runtime.usage(made.id)).memory < 25 * 1024**2:
            await asyncio.sleep(0.05)
    with pytest.raises(errors.Invalid, match="uses more memory"):
        await runtime.update(made.id, Resources(memory=8))
    seen = await look(runtime, made)
    assert seen.limits == Resources(memory=200)
    assert seen.stage is Stage.RUNNING


async def only_one_process(runtime: DockerRuntime, container: Container) -> None:
    async with asyncio.timeout(PATIENCE):
        while len((await runtime.processes(container.id, None)).rows) > 1:
            await asyncio.sleep(0.05)
    await runtime.stop(container.id, 0)
    await until(runtime, container, Stage.EXITED)
