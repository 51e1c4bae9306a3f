"""What the Docker driver makes of measurements, refusals and connections of engines that a test cannot have for real."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from higgins import errors
from higgins.drivers.runtimes.docker import DockerRuntime, terms
from higgins.drivers.streams import Frames
from higgins.model.capsule import Condition, Container, Health, Healthcheck, Resources
from higgins.model.ids import CapsuleId, ContainerId, ExecId
from higgins.model.live import Piece
from higgins.protocols.runtime import Origin, Talk
from tests.patience import PATIENCE
from tests.unit.drivers.stub_engine import StubEngine
from tests.unit.drivers.test_docker import NAME, WEB, inspected
from tests.unit.drivers.test_engine import frame

EXEC = ExecId("e" * 64)


def inhabited(tmp_path: Path, end: asyncio.Event | None = None) -> StubEngine:
    """An engine that makes commands in a container, which comes to that end."""
    stub = StubEngine(tmp_path / "s").answer("POST", f"containers/{NAME}/exec", {"Id": "e"}, status=201)
    return stub.promise("POST", f"containers/{NAME}/wait", {"StatusCode": 137}, when=end or asyncio.Event())


def stats(**fields: object) -> dict[str, object]:
    cpu = {"cpu_usage": {"total_usage": 1_500_000_000}, "system_cpu_usage": 80_000_000_000, "online_cpus": 4}
    return {"read": "2026-11-21T12:43:01.769424537Z", "cpu_stats": cpu, **fields}


@pytest.mark.parametrize("inactive", ["total_inactive_file", "inactive_file"])
async def test_memory_that_can_be_dropped_does_not_count(tmp_path: Path, inactive: str) -> None:
    told = stats(
        memory_stats={"usage": 1000, "limit": 5000, "stats": {inactive: 300}},
        networks={"eth0": {"rx_bytes": 1, "tx_bytes": 2}, "eth1": {"rx_bytes": 10, "tx_bytes": 20}},
        blkio_stats={
            "io_service_bytes_recursive": [
                {"op": "Read", "value": 5},
                {"op": "write", "value": 7},
                {"op": "Total", "value": 12},
            ]
        },
        pids_stats={"current": 3},
    )
    stub = StubEngine(tmp_path / "s").answer("GET", f"containers/{NAME}/stats", told)
    async with stub.running(), DockerRuntime(url=stub.url) as runtime:
        usage = await runtime.usage(WEB)
    assert (usage.memory, usage.memory_limit) == (700, 5000)
    assert (usage.cpu, usage.system_cpu, usage.cores) == (1.5, 80.0, 4)
    assert (usage.received, usage.sent, usage.block_read, usage.block_written) == (11, 22, 5, 7)
    assert usage.processes == 3


async def test_without_a_network_or_a_disk_nothing_is_counted(tmp_path: Path) -> None:
    told = stats(blkio_stats={"io_service_bytes_recursive": None})
    stub = StubEngine(tmp_path / "s").answer("GET", f"containers/{NAME}/stats", told)
    async with stub.running(), DockerRuntime(url=stub.url) as runtime:
        usage = await runtime.usage(WEB)
    assert (usage.received, usage.sent, usage.block_read, usage.block_written) == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("health", "seen"),
    [
        ({"Status": "none"}, None),
        ({"Status": "starting", "Log": None}, Health(condition=Condition.STARTING)),
        (
            {"Status": "unhealthy", "FailingStreak": 3, "Log": [{"Output": "old"}, {"Output": "x" * 2000 + "end"}]},
            Health(condition=Condition.UNHEALTHY, failures=3, output="x" * 1021 + "end"),
        ),
    ],
)
async def test_health_is_told_with_the_end_of_the_last_output(
    tmp_path: Path, health: dict[str, object], seen: Health | None
) -> None:
    stub = StubEngine(tmp_path / "s").answer("GET", f"containers/{NAME}/json", inspected("running", Health=health))
    async with stub.running(), DockerRuntime(url=stub.url) as runtime:
        assert (await runtime.list([WEB]))[WEB].health == seen


@pytest.mark.parametrize(
    ("status", "message", "remedy"),
    [
        (500, "container rootfs is marked read-only", errors.Conflict),
        (500, "Error processing tar file(exit status 1): open /x: read-only file system", errors.Conflict),
        (500, "Error processing tar file(exit status 1): unexpected EOF", errors.Invalid),
        (500, "Error processing tar file(exit status 1): write /x: no space left on device", errors.Unavailable),
        (404, "No such container: x", errors.Conflict),
        (500, "something broke at /var/lib/docker/overlay2/c0ffee/merged/etc", errors.Unavailable),
    ],
)
async def test_why_files_cannot_be_put_is_sorted_by_remedy(
    tmp_path: Path, status: int, message: str, remedy: type[errors.Failure]
) -> None:
    async def archive() -> AsyncIterator[bytes]:
        yield bytes(1024)

    stub = StubEngine(tmp_path / "s").answer("GET", "info", {"DockerRootDir": "/data"})
    stub.answer("GET", f"containers/{NAME}/archive", {}).refuse("PUT", f"containers/{NAME}/archive", status, message)
    async with stub.running(), DockerRuntime(url=stub.url) as runtime:
        with pytest.raises(remedy) as failed:
            await runtime.put_archive(WEB, "/etc", archive())
    assert "overlay2" not in failed.value.message


async def test_a_newer_engine_that_refuses_a_missing_command_talks_no_other_than_an_older(tmp_path: Path) -> None:
    message = 'OCI runtime exec failed: exec failed: exec: "nope": executable file not found in $PATH'
    stub = inhabited(tmp_path)
    stub.refuse("POST", "exec/e/start", 400, message)
    async with stub.running(), DockerRuntime(url=stub.url) as runtime:
        async with runtime.enter(WEB, EXEC, ["nope"], terminal=True, stdin=True) as talk:
            await talk.write(b"x")
            await talk.close_input()
            assert b"nope" in b"".join([piece.content async for piece in talk])
            assert await talk.exit_code() == 127


async def test_an_engine_behind_a_proxy_that_keeps_the_connection_is_unavailable(tmp_path: Path) -> None:
    stub = inhabited(tmp_path)
    stub.answer("POST", "exec/e/start", {})
    async with stub.running(), DockerRuntime(url=stub.url) as runtime:
        with pytest.raises(errors.Unavailable, match="proxy"):
            async with runtime.enter(WEB, EXEC, ["sh"], terminal=False, stdin=True):
                pass


async def test_a_command_that_closes_its_output_and_runs_on_has_no_exit_code(tmp_path: Path) -> None:
    stub = inhabited(tmp_path)
    stub.hand_over("POST", "exec/e/start", [frame(1, b"out") + frame(2, b"err")[:9], b"rr"])
    stub.answer("GET", "exec/e/json", {"Running": True, "ExitCode": None})
    async with stub.running(), DockerRuntime(url=stub.url) as runtime:
        async with runtime.enter(WEB, EXEC, ["sh"], terminal=False, stdin=True) as talk:
            assert [piece async for piece in talk] == [Piece(b"out"), Piece(b"e", aside=True), Piece(b"rr", aside=True)]
            assert await talk.exit_code() is None


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("size", [65536, 1])
async def test_a_talk_ends_with_its_container_though_its_connection_does_not(
    tmp_path: Path, size: int, *, terminal: bool
) -> None:
    end = asyncio.Event()
    stub = inhabited(tmp_path, end).hand_over("POST", "exec/e/start", [], keeps=True)
    async with stub.running(), DockerRuntime(url=stub.url) as runtime, asyncio.timeout(PATIENCE):
        async with (
            runtime.enter(WEB, EXEC, ["sh"], terminal=terminal, stdin=True) as talk,
            asyncio.TaskGroup() as group,
        ):
            group.create_task(give_much(talk, size))
            asyncio.get_running_loop().call_later(0.1, end.set)
            assert [piece async for piece in talk] == []


async def test_a_talk_ends_with_its_command_though_nobody_took_its_input(tmp_path: Path) -> None:
    stub = inhabited(tmp_path).hand_over("POST", "exec/e/start", [frame(1, b"out")], keeps=True)
    stub.answer("GET", "exec/e/json", {"Running": False, "ExitCode": 3})
    async with stub.running(), DockerRuntime(url=stub.url) as runtime, asyncio.timeout(PATIENCE):
        async with runtime.enter(WEB, EXEC, ["true"], terminal=False, stdin=True) as talk, asyncio.TaskGroup() as group:
            group.create_task(give_much(talk, 65536))
            assert [piece async for piece in talk] == [Piece(b"out")]
            assert await talk.exit_code() == 3


async def give_much(talk: Talk, size: int) -> None:
    for _ in range(100):
        await talk.write(b"x" * size)


async def test_a_log_that_begins_a_new_file_just_then_is_asked_for_again(tmp_path: Path) -> None:
    complaint = frame(3, b"Error grabbing logs: no such file or directory")
    stub = StubEngine(tmp_path / "s").answer("GET", f"containers/{NAME}/json", inspected("running"))
    stub.in_turn("GET", f"containers/{NAME}/logs", complaint, complaint, frame(1, b"said"), *[complaint] * 3)

    async def read(runtime: DockerRuntime) -> list[bytes]:
        said = runtime.logs(WEB, stdout=True, stderr=True, timestamps=False, tail=None, since=None)
        return [piece async for piece in said]

    async with stub.running(), DockerRuntime(url=stub.url) as runtime:
        assert await read(runtime) == [b"said"]
        with pytest.raises(errors.Unavailable, match="grabbing"):
            await read(runtime)


def test_frames_of_one_stream_that_came_together_are_one_piece() -> None:
    frames = Frames()
    came = frame(1, b"a") + frame(1, b"b") + frame(2, b"c") + frame(1, b"d") + frame(1, b"efg")[:-2]
    assert list(frames.feed(came)) == [Piece(b"ab"), Piece(b"c", aside=True), Piece(b"de")]
    assert list(frames.feed(b"fg" + frame(2, b"h"))) == [Piece(b"fg"), Piece(b"h", aside=True)]


async def test_an_engine_that_dies_during_a_talk_is_unavailable_when_asked_for_the_end(tmp_path: Path) -> None:
    async with DockerRuntime(url=f"unix://{tmp_path}/s") as runtime:
        stub = inhabited(tmp_path)
        stub.hand_over("POST", "exec/e/start", [b"out"])
        async with stub.running():
            entering = runtime.enter(WEB, EXEC, ["sh"], terminal=True, stdin=True)
            talk = await entering.__aenter__()
        assert [piece.content async for piece in talk] == [b"out"]
        with pytest.raises(errors.Unavailable):
            await talk.exit_code()
        await entering.__aexit__(None, None, None)


async def test_nothing_but_what_was_said_is_asked_of_a_health_check() -> None:
    checked = Container(id=WEB, name="web", image="app:1", healthcheck=Healthcheck(test="true", interval=3))
    origin = Origin(capsule_id=CapsuleId(WEB), project_id="p", epoch=1, restarts=0, handler=None)
    body = terms.container(origin, checked, owner="me", confinement={})
    assert isinstance(body, dict)
    assert body["Healthcheck"] == {"Test": ["CMD-SHELL", "true"], "Interval": 3 * 10**9, "Timeout": 0, "Retries": 0}


@pytest.mark.parametrize("limits", [Resources(), Resources(cpu=0.5), Resources(memory=64), Resources(cpu=2, memory=1)])
def test_changed_limits_name_all_of_them(limits: Resources) -> None:
    told = terms.limits(limits)
    assert told.keys() == {"CpuPeriod", "CpuQuota", "Memory", "MemorySwap"}
    assert all(told.values()), "0 would leave it as it is"


async def test_a_limit_below_what_is_in_use_is_refused_where_the_kernel_would_kill(tmp_path: Path) -> None:
    told = stats(memory_stats={"usage": 60 * 1024**2, "stats": {"inactive_file": 10 * 1024**2}})
    stub = StubEngine(tmp_path / "s").answer("GET", f"containers/{NAME}/stats", told)
    stub.answer("POST", f"containers/{NAME}/update", {"Warnings": None})
    async with stub.running(), DockerRuntime(url=stub.url) as runtime:
        with pytest.raises(errors.Invalid, match="uses more memory"):
            await runtime.update(WEB, Resources(memory=49))
        await runtime.update(WEB, Resources(memory=50))
        await runtime.update(WEB, Resources(cpu=1))


async def test_a_resize_waits_a_moment_for_the_command(tmp_path: Path) -> None:
    stub = inhabited(tmp_path)
    stub.hand_over("POST", "exec/e/start", [b"out"]).answer("POST", "exec/e/resize", {})
    stub.answer("GET", "exec/e/json", {"Running": False, "ExitCode": 0})
    async with stub.running(), DockerRuntime(url=stub.url) as runtime, asyncio.TaskGroup() as group:
        resizing = group.create_task(runtime.resize(WEB, EXEC, 80, 24))
        await asyncio.sleep(0.05)
        async with runtime.enter(WEB, EXEC, ["sh"], terminal=True, stdin=True):
            await resizing
    assert "POST /v1.41/exec/e/resize" in stub.asked


async def test_a_container_that_another_is_called_like_is_no_concern(tmp_path: Path) -> None:
    stub = StubEngine(tmp_path / "s")
    async with stub.running(), DockerRuntime(url=stub.url) as runtime:
        with pytest.raises(errors.Conflict):
            async with runtime.attach(ContainerId("none"), stdin=True, logs=False):
                pass


async def test_what_is_typed_once_the_engine_has_come_back_arrives(tmp_path: Path) -> None:
    document = inspected("running")
    document["Config"] = {"OpenStdin": True}
    stub = StubEngine(tmp_path / "s").answer("GET", f"containers/{NAME}/json", document)
    stub.promise("POST", f"containers/{NAME}/wait", {"StatusCode": 0}, when=asyncio.Event())
    stub.hand_over("POST", f"containers/{NAME}/attach", [], keeps=True)
    async with DockerRuntime(url=stub.url) as runtime:
        for _ in range(2):
            stub.asked.clear()
            async with stub.running(), runtime.attach(WEB, stdin=True, logs=False) as talk:
                await talk.write(b"hello\n")
                assert sum("attach" in each for each in stub.asked) == 2, "one for the output, and one for the input"
            (tmp_path / "s").unlink(missing_ok=True)


@pytest.mark.parametrize(
    "arguments",
    [
        *("-eorss=PID -oargs", "axorss=PID,args", "-eo rss=PID", "-o args,rss,pid", "-o args -o pid", "-eopid -O args"),
        *(
            "-eo PID%a",
            "-eZ",
            "axZ",
            "-eM",
            "--format args,pid",
            "-eo pid,rss=PID",
            "-o pid -o",
            "-eo pid\nargs",
            "$(id)",
        ),
    ],
)
async def test_ps_is_given_nothing_that_shows_what_is_not_the_containers(tmp_path: Path, arguments: str) -> None:
    stub = StubEngine(tmp_path / "s").answer("GET", f"containers/{NAME}/top", {"Titles": ["PID"], "Processes": []})
    async with stub.running(), DockerRuntime(url=stub.url) as runtime:
        with pytest.raises(errors.Invalid, match="pid being the first"):
            await runtime.processes(WEB, arguments)
    assert not stub.asked


@pytest.mark.parametrize(
    "arguments", ["aux", "-ef", "auxf ", "-eLf", "-o pid,ppid,args", "axopid,user:20,args", "-e -opid"]
)
async def test_ps_is_given_what_shows_only_the_containers_processes(tmp_path: Path, arguments: str) -> None:
    stub = StubEngine(tmp_path / "s").answer("GET", f"containers/{NAME}/top", {"Titles": ["PID"], "Processes": []})
    async with stub.running(), DockerRuntime(url=stub.url) as runtime:
        assert (await runtime.processes(WEB, arguments)).rows == ()
