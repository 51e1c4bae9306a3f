"""Trouble on real ground: each ends in one sentence that says what is wrong and what to do, loses nothing and leaves nothing behind."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.system.engine import BUSYBOX, forget, import_busybox, missing, push, registry
from tests.system.faults.engine_of_its_own import OwnEngine, Within
from tests.system.faults.stream import CutOff
from tests.system.faults.user import User, user_of
from tests.system.servers import AllInOne

pytestmark = [pytest.mark.docker, pytest.mark.timeout(180)]

CUT_OFF = frozenset({"Restarting", "Running"})
"""What a container is shown as whose engine is gone. The older ones tell its end before they go, the newer ones do not."""


@pytest.fixture(scope="module")
def shared(docker_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[AllInOne, str]]:
    """A service with little patience, in which a name can be used once, and an administrator's token."""
    options: dict[str, dict[str, object]] = {
        "deadlines": {"create": 8},
        "containers": {"unique_container_name_scope": "project"},
    }
    server = AllInOne(tmp_path_factory.mktemp("trouble"), docker_url, options)
    try:
        server.start()
        yield server, server.add("ada", "office", "admin").token()
        server.assert_no_traceback()
    finally:
        server.remove()


@pytest.fixture
async def user(shared: tuple[AllInOne, str]) -> AsyncIterator[User]:
    async with user_of(*shared) as user:
        yield user


# What a container cannot be.


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"command": ["/no/such"]}, ("'/no/such' was not found in the image", "Check the command")),
        ({"command": ["/bin"]}, ("'/bin' cannot be run", "a file that may be executed")),
        ({"workdir": "/bin/busybox"}, ("'/bin/busybox' cannot be entered", "Give one that is a directory")),
        ({"memory": "4"}, ("Minimum memory limit",)),
        ({"runtime": "none-such"}, ("without that runtime",)),
        ({"availability_zone": "none-such"}, ("in other availability zones",)),
        ({"image": "NO/UPPER"}, ("'NO/UPPER' is not the name of an image", "lower-case letters")),
        (
            {"image": "none/such", "image_pull_policy": "never"},
            ("none/such is not on the host", "use another policy, or put it there"),
        ),
    ],
    ids=lambda case: next(iter(case)) if isinstance(case, dict) else "",
)
async def test_what_can_never_run_is_an_error_that_says_why(
    user: User, asked: dict[str, Any], words: tuple[str, ...]
) -> None:
    container = await user.run(**asked)
    shown = await user.until(container, "Error", *words)
    assert shown["task_state"] is None
    await user.forget(container)


async def test_a_name_that_is_taken_is_refused_by_its_name(user: User) -> None:
    container = await user.run(name="taken")
    answer = await user.api.call("POST", "", {"name": "taken", "image": BUSYBOX})
    assert answer.status == 409
    assert answer.body["errors"][0]["detail"] == "A container with name taken already exists."
    await user.forget(container)


async def test_out_of_memory_is_told_apart_from_any_other_end(user: User) -> None:
    # Enough for its start, which takes some MiB itself: what ends of that ends in other ways.
    container = await user.run(command=["tail", "/dev/zero"], memory="32")
    await user.until(container, "Stopped", "Out of memory", "Give it more memory")
    await user.forget(container)


# Images and registries.


async def test_an_unknown_image_is_an_error_that_names_image_and_registry(user: User, registry_address: str) -> None:
    container = await user.run(image=f"{registry_address}/none/such:1")
    await user.until(container, "Error", "none/such:1 could not be found", registry_address, "Check its name")
    await user.forget(container)


async def test_a_registry_that_is_down_is_waited_for_as_long_as_a_create_may_take(user: User, tmp_path: Path) -> None:
    program = shutil.which("docker-registry")
    if program is None:
        missing("There is no docker-registry here; install Debian's package of that name.")
    with registry(program, tmp_path) as address:
        image = await push(BUSYBOX, address, "trouble/box:1")
    why = (f"{image} could not be fetched", f"registry {address} does not serve it now")
    try:
        late = await user.run(image=image)
        await user.until(late, "Creating", *why)
        await user.until(late, "Error", "did not finish in time", *why, "try again, or delete it")
        container = await user.run(image=image)
        await user.until(container, "Creating", *why)
        with registry(program, tmp_path, address):
            await user.until(container, "Running")
            assert (await user.api.call("POST", f"/{late}/start")).status == 202
            await user.until(late, "Running")
        await user.forget(container)
        await user.forget(late)
    finally:
        await forget(image)


# The engine.


async def test_without_an_engine_it_starts_and_waits_until_there_is_one(
    absent_engine: OwnEngine, tmp_path: Path
) -> None:
    server = Within(tmp_path, absent_engine)
    try:
        await asyncio.to_thread(server.start)
        async with user_of(server) as user:
            container = await user.run()
            await asyncio.to_thread(absent_engine.start)
            await import_busybox(BUSYBOX, url=absent_engine.url)
            await user.until(container, "Running")

            # It dies later: what runs is not shown as if nothing had happened, and what is asked meanwhile is done when it is back.
            await asyncio.to_thread(absent_engine.stop)
            await user.until(container, CUT_OFF, "There is no Docker Engine at", "Install or start Docker")
            with pytest.raises(CutOff, match=r"503.*There is no Docker Engine at"):
                await user.api.call("GET", f"/{container}/logs")
            second = await user.run()
            await asyncio.to_thread(absent_engine.start)
            await user.until(container, "Running")
            await user.until(second, "Running")
            await user.forget(container)
            await user.forget(second)
        server.assert_no_traceback()
    finally:
        server.end()


async def test_a_stop_that_is_asked_while_the_engine_is_away_is_kept(own_engine: OwnEngine, tmp_path: Path) -> None:
    server = Within(tmp_path, own_engine)
    try:
        await asyncio.to_thread(server.start)
        async with user_of(server) as user:
            container = await user.run()
            await user.until(container, "Running")
            await asyncio.to_thread(own_engine.stop)
            await user.until(container, CUT_OFF, "There is no Docker Engine at")
            assert (await user.api.call("POST", f"/{container}/stop")).status == 202
            await asyncio.to_thread(own_engine.start)
            await user.until(container, "Stopped")
            await asyncio.sleep(1)
            await user.until(container, "Stopped")
            await user.forget(container)
        server.assert_no_traceback()
    finally:
        server.end()


async def test_a_full_disk_of_the_engine_is_told_and_waited_for(absent_engine: OwnEngine, tmp_path: Path) -> None:
    absent_engine.put_on_a_small_disk(24)
    server = Within(tmp_path, absent_engine)
    full = ("The disk of Docker's data root", "is full", "free some space there")
    try:
        await asyncio.to_thread(absent_engine.start)
        await import_busybox(BUSYBOX, url=absent_engine.url)
        await asyncio.to_thread(server.start)
        async with user_of(server) as user:
            before = await user.run()
            await user.until(before, "Running")
            absent_engine.fill_its_disk()
            container = await user.run()
            await user.until(container, "Creating", *full)
            assert (await user.api.call("POST", f"/{before}/stop")).status == 202
            await user.until(before, "Stopped")
            assert (await user.api.call("POST", f"/{before}/start")).status == 202
            await user.until(before, "Stopped", *full)
            absent_engine.free_its_disk()
            await user.until(container, "Running")
            await user.until(before, "Running")
            await user.forget(container)
            await user.forget(before)
        server.assert_no_traceback()
    finally:
        server.end()


# The database.


async def test_a_full_disk_of_the_database_is_told_and_nothing_that_was_acknowledged_is_lost(
    docker_url: str, tmp_path: Path, small_disk: Path
) -> None:
    server = AllInOne(tmp_path, docker_url, {"database": {"connection": f"sqlite:///{small_disk}/h.sqlite"}})
    server.database = small_disk / "h.sqlite"
    fill = small_disk / "fill"
    full = r"503.*h\.sqlite cannot be used: .*full; free some space"
    try:
        await asyncio.to_thread(server.start)
        async with user_of(server) as user:
            container = await user.run(name="before")
            await user.until(container, "Running")
            await asyncio.to_thread(
                subprocess.run, ["sh", "-c", f"cat /dev/zero >{fill}"], capture_output=True, check=False
            )
            with pytest.raises(CutOff, match=full):
                await user.run(name="during", labels={"long": "x" * 20000})
            with pytest.raises(CutOff, match=full):
                await user.api.call("POST", f"/{container}/stop")
            # What is there can still be read.
            await user.until(container, "Running")
            # Killed now, it carries on from what it had acknowledged.
            server.kill()
            fill.unlink()
            await asyncio.to_thread(server.start)
            await user.until(container, "Running")
            assert (await user.api.call("GET", "/during")).status == 404
            await user.forget(container)
        server.assert_no_traceback()
    finally:
        server.remove()


def test_a_database_on_a_read_only_disk_is_told_before_anything_is_started(
    docker_url: str, tmp_path: Path, small_disk: Path
) -> None:
    server = AllInOne(tmp_path, docker_url, {"database": {"connection": f"sqlite:///{small_disk}/h.sqlite"}})
    server.start()
    server.stop()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    server.log.unlink()
    server.spawn()
    assert server.process is not None and server.process.wait(30) == 1
    said = server.log.read_text()
    assert said.count("\n") == 1, said
    assert said.startswith(f"higgins: the database {small_disk}/h.sqlite cannot be used")
    assert "this user may write" in said
