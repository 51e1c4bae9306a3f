"""The Docker drivers keep the contracts, on a real engine and a real registry."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any, cast
from uuid import uuid4

import pytest

from higgins import errors
from higgins.drivers.engine import Engine
from higgins.drivers.images.docker import DockerImages
from higgins.drivers.runtimes.docker import DockerRuntime
from higgins.model.capsule import Container, Resources, Stage
from higgins.model.ids import ContainerId, ExecId
from higgins.protocols.runtime import Talk
from higgins.testing.live_contract import LiveContract, SizeOf, heard
from higgins.testing.runtime_contract import (
    Make,
    RuntimeContract,
    a_container,
    look,
    origin_of,
    read,
    until,
)
from tests.contract.alone import Alone
from tests.system.engine import BUSYBOX, docker_url

__all__ = ["docker_url"]

pytestmark = pytest.mark.docker


class TestDockerRuntime(RuntimeContract, LiveContract):
    @pytest.fixture
    def image(self) -> str:
        return BUSYBOX

    @pytest.fixture
    async def runtime(self, docker_url: str) -> AsyncIterator[DockerRuntime]:
        # An owner of its own: other tests may use the same engine.
        async with DockerRuntime(url=docker_url, owner=f"contract-{uuid4()}") as runtime:
            yield runtime

    @pytest.fixture
    def vanish(self, docker_url: str) -> Callable[[ContainerId], Awaitable[None]]:
        async def vanish(container_id: ContainerId) -> None:
            async with Engine(docker_url) as engine:
                await engine.call("DELETE", f"containers/higgins-{container_id}", {"force": True})

        return vanish

    @pytest.fixture
    def unmake(self, docker_url: str) -> Callable[[str], Awaitable[None]]:
        async def unmake(reference: str) -> None:
            async with Engine(docker_url) as engine:
                await engine.call("DELETE", f"images/{reference}", {"force": True})

        return unmake

    @pytest.fixture
    def size_of(self, runtime: DockerRuntime) -> SizeOf:
        async def size_of(container: Container, command: tuple[ExecId, Talk] | None) -> tuple[int, int]:
            async with AsyncExitStack() as stack:
                attached = runtime.attach(container.id, stdin=True, logs=False)
                talk = command[1] if command else await stack.enter_async_context(attached)
                await talk.write(b"stty size; exit\n")
                found = re.search(rb"(\d+) (\d+)\r\n", await heard(talk))
            assert found is not None
            return int(found[2]), int(found[1])

        return size_of

    # What only a real engine can show

    async def test_containers_in_a_sandbox_share_network_host_name_and_ipc(
        self, runtime: DockerRuntime, make: Make, sandbox: ContainerId
    ) -> None:
        await runtime.start(sandbox)
        shares = []
        script = "for ns in net ipc uts; do readlink /proc/self/ns/$ns; done; hostname; sleep 60"
        for _ in range(2):
            made = await make("sh", "-c", script, hostname="refused-in-a-sandbox", sandbox=sandbox)
            await runtime.start(made.id)
            async with asyncio.timeout(15):
                while (said := await read(runtime, made)).count(b"\n") < 4:
                    await asyncio.sleep(0.02)
            shares.append(said.splitlines())
        (net, ipc, _, host), (other_net, other_ipc, _, other_host) = shares
        assert (net, ipc, host) == (other_net, other_ipc, other_host)
        assert host != b"refused-in-a-sandbox"
        assert net != os.readlink("/proc/self/ns/net").encode()

    async def test_limits_hold_inside(self, runtime: DockerRuntime, make: Make) -> None:
        made = await make("sleep", "60", limits=Resources(cpu=0.5, memory=32))
        await runtime.start(made.id)

        async def inside(script: str) -> str:
            return (await runtime.execute(made.id, ["sh", "-c", f"cd /sys/fs/cgroup; {script}"])).output.decode()

        # The second half of each is for hosts with the first version of control groups.
        quota, period = (
            await inside("cat cpu.max 2>/dev/null || cat cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us")
        ).split()
        memory = await inside("cat memory.max 2>/dev/null || cat memory/memory.limit_in_bytes")
        assert int(quota) * 2 == int(period)
        assert int(memory) == 32 * 1024**2
        assert "NoNewPrivs:\t1" in await inside("cat /proc/1/status")

    async def test_everything_asked_for_reaches_the_command(self, runtime: DockerRuntime, make: Make) -> None:
        made = await make(
            'echo "$A|$0|$(hostname)|$(pwd)"; tty; printf "%s" "$B"',
            "zero",
            entrypoint=("sh", "-c"),
            environment={"A": "1=2", "B": "line\nline"},
            hostname="web",
            workdir="/made/for/it",
            tty=True,
        )
        await runtime.start(made.id)
        seen = await until(runtime, made, Stage.EXITED)
        assert await read(runtime, made) == b"1=2|zero|web|/made/for/it\r\n/dev/pts/0\r\nline\r\nline"
        assert (seen.hostname, seen.entrypoint) == ("web", ("sh", "-c"))

    async def test_an_interactive_command_waits_for_input(self, runtime: DockerRuntime, make: Make) -> None:
        waits, ends = await make("cat", interactive=True), await make("cat")
        await runtime.start(waits.id)
        await runtime.start(ends.id)
        await until(runtime, ends, Stage.EXITED)
        assert (await look(runtime, waits)).stage is Stage.RUNNING

    async def test_an_image_is_not_reached_by_guessing_its_id(self, runtime: DockerRuntime, docker_url: str) -> None:
        async with DockerImages(url=docker_url) as images:
            facts = await images.resolve(BUSYBOX)
        assert facts is not None
        whole = facts.digest
        for guess in (whole.removeprefix("sha256:")[:12], whole[:19], whole):
            container = a_container(guess, "true")
            with pytest.raises((errors.NotFound, errors.Invalid)):
                await runtime.create(origin_of(container), container)

    async def test_a_container_of_somebody_else_is_never_taken_for_ours(
        self, runtime: DockerRuntime, docker_url: str
    ) -> None:
        container = a_container(BUSYBOX, "true")
        async with Engine(docker_url) as engine:
            await engine.call(
                "POST",
                "containers/create",
                {"name": f"higgins-{container.id}"},
                body={"Image": BUSYBOX, "Cmd": ["true"]},
            )
            try:
                assert await runtime.list([container.id]) == {}
                with pytest.raises(errors.Conflict, match=f"higgins-{container.id}"):
                    await runtime.create(origin_of(container), container)
            finally:
                await engine.call("DELETE", f"containers/higgins-{container.id}")

    @pytest.mark.parametrize(
        ("fields", "told"),
        [
            ({"workdir": "/etc/passwd"}, "'/etc/passwd' cannot be entered"),
            ({"workdir": "etc"}, "'etc' is not an absolute path"),
            ({"command": ()}, "no command of its own"),
            ({"command": ("/etc/passwd",)}, "'/etc/passwd' cannot be run: permission denied"),
            ({"command": ("/none",)}, "'/none' was not found"),
            ({"limits": Resources(memory=1)}, "Minimum memory limit"),
            ({"limits": Resources(cpu=0.001)}, "at least 0.01 cores"),
            ({"hostname": "a" * 65}, "at most 64 characters"),
        ],
    )
    async def test_what_can_never_start_is_invalid_in_words_for_its_user(
        self, runtime: DockerRuntime, image: str, fields: dict[str, Any], told: str
    ) -> None:
        container = replace(a_container(image, "true"), **fields)

        async def run() -> None:
            await runtime.create(origin_of(container), container)
            await runtime.start(container.id)

        try:
            with pytest.raises(errors.Invalid, match=told):
                await run()
        finally:
            await runtime.remove(container.id)


SHOWN = {
    "test_a_created_container_is_there_and_does_not_run",
    "test_what_is_seen_carries_for_whom_it_was_made",
    "test_creations_at_once_make_one",
    "test_what_ended_can_be_started_again",
    "test_a_stopped_container_has_ended_and_stopping_again_changes_nothing",
    "test_removing_what_runs_leaves_nothing_and_removing_again_succeeds",
    "test_a_call_cut_short_can_be_repeated",
    "test_a_watch_tells_of_a_removal_from_outside",
    "test_pausing_and_unpausing_can_be_repeated",
    "test_a_kill_ends_the_command",
    "test_a_command_inside_leaves_its_output_and_exit_code",
    "test_what_is_launched_is_waited_for_by_nobody_and_ends_with_its_container",
    "test_logs_tell_the_two_outputs_apart",
    "test_followed_logs_end_when_it_is_stopped",
    "test_input_reaches_the_command_and_its_end_ends_it",
    "test_a_talk_ends_when_its_container_is_removed",
    "test_what_has_ended_is_talked_to_from_its_next_start_on_if_asked_for",
    "test_terminals_have_sizes",
    "test_what_it_uses_only_grows",
    "test_what_runs_in_it_is_listed",
    "test_files_go_in_and_come_out_whatever_they_are_called",
    "test_an_image_is_made_of_a_container_and_it_runs_on",
}


class TestDockerRuntimeInSandboxes(TestDockerRuntime):
    """The same of containers that are each alone in a sandbox; only what that could change, for the fake shows it of everything."""

    # What is no function is no test.
    locals().update({each: None for each in dir(TestDockerRuntime) if each.startswith("test_") and each not in SHOWN})

    @pytest.fixture
    async def runtime(self, docker_url: str) -> AsyncIterator[DockerRuntime]:
        async with DockerRuntime(url=docker_url, owner=f"contract-{uuid4()}", nameserver="169.254.53.53") as runtime:
            yield cast(DockerRuntime, Alone(runtime))
            for each in await runtime.list():
                await runtime.remove(each)
