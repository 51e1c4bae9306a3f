"""What the Docker drivers make of engines that a test cannot have for real."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from higgins import errors
from higgins.drivers.images.docker import DockerImages
from higgins.drivers.runtimes.docker import DockerRuntime, terms
from higgins.model.capsule import Container, Stage
from higgins.model.ids import CapsuleId, ContainerId
from higgins.model.live import ImageFacts
from higgins.protocols.runtime import Origin
from tests.unit.drivers.stub_engine import StubEngine

WEB = ContainerId("5b4f6a10-0000-4000-8000-000000000001")
NAME = f"higgins-{WEB}"
ORIGIN = Origin(capsule_id=CapsuleId(WEB), project_id="p", epoch=1, restarts=0, handler=None)
CONTAINER = Container(id=WEB, name="web", image="app:1")


def inspected(status: str, *, owner: str = "higgins", **state: Any) -> dict[str, object]:
    labels = {
        "org.higgins.owner": owner,
        "org.higgins.capsule": WEB,
        "org.higgins.container": WEB,
        "org.higgins.epoch": "1",
        "org.higgins.restarts": "0",
    }
    return {
        "Id": "c0ffee" * 10,
        "Image": "sha256:1",
        "State": {"Status": status, **state},
        "Config": {"Labels": labels, "Cmd": None, "Entrypoint": None, "ExposedPorts": {"80/tcp": {}, "53/udp": {}}},
    }


@pytest.mark.parametrize(
    ("status", "stage"),
    [
        ("created", Stage.CREATED),
        ("running", Stage.RUNNING),
        ("restarting", Stage.RUNNING),
        ("paused", Stage.PAUSED),
        ("exited", Stage.EXITED),
        ("removing", Stage.EXITED),
        ("dead", Stage.EXITED),
    ],
)
async def test_every_state_of_the_engine_has_a_stage(tmp_path: Path, status: str, stage: Stage) -> None:
    stub = StubEngine(tmp_path / "s").answer("GET", f"containers/{NAME}/json", inspected(status))
    async with stub.running(), DockerRuntime(url=stub.url) as runtime:
        seen = (await runtime.list([WEB]))[WEB]
    assert seen.stage is stage
    assert seen.ports == (53, 80)


async def test_one_look_costs_one_call(tmp_path: Path) -> None:
    stub = StubEngine(tmp_path / "s").answer("GET", f"containers/{NAME}/json", inspected("running"))
    async with stub.running(), DockerRuntime(url=stub.url) as runtime:
        await runtime.list([WEB])
        stub.asked.clear()
        await runtime.list([WEB])
    assert stub.asked == [f"GET /v1.41/containers/{NAME}/json"]


async def test_the_containers_of_another_owner_are_not_there(tmp_path: Path) -> None:
    stub = StubEngine(tmp_path / "s").answer("GET", f"containers/{NAME}/json", inspected("running", owner="another"))
    stub.refuse("POST", "containers/create", 409, f'Conflict. The container name "/{NAME}" is already in use')
    async with stub.running(), DockerRuntime(url=stub.url) as runtime:
        assert await runtime.list([WEB]) == {}
        with pytest.raises(errors.Conflict, match=f"{NAME}.*c0ffee"):
            await runtime.create(ORIGIN, CONTAINER)


@pytest.mark.parametrize(
    ("status", "message", "remedy", "told"),
    [
        (500, "mkdir /var/lib/docker/x: no space left on device", errors.Unavailable, "/var/lib/docker is full"),
        (400, "Minimum memory limit allowed is 6MB", errors.Invalid, "Minimum memory limit"),
        (404, "No such image: app:1", errors.NotFound, "Image app:1 could not be found"),
        (400, "No command specified", errors.Invalid, "no command of its own"),
        (500, "something broke", errors.Unavailable, "something broke"),
    ],
)
async def test_why_a_container_cannot_be_made_is_told(
    tmp_path: Path, status: int, message: str, remedy: type[errors.Failure], told: str
) -> None:
    stub = StubEngine(tmp_path / "s").answer("GET", "info", {"DockerRootDir": "/var/lib/docker"})
    stub.refuse("POST", "containers/create", status, message)
    async with stub.running(), DockerRuntime(url=stub.url) as runtime:
        with pytest.raises(remedy, match=told):
            await runtime.create(ORIGIN, CONTAINER)


async def test_a_full_disk_at_the_start_can_be_tried_again(tmp_path: Path) -> None:
    stub = StubEngine(tmp_path / "s").answer("GET", "info", {"DockerRootDir": "/data"})
    stub.refuse(
        "POST", f"containers/{NAME}/start", 500, "OCI runtime create failed: write state.json: no space left on device"
    )
    async with stub.running(), DockerRuntime(url=stub.url) as runtime:
        with pytest.raises(errors.Unavailable, match="/data is full"):
            await runtime.start(WEB)


async def test_a_start_of_what_is_half_removed_removes_it_so_that_it_can_be_made_again(tmp_path: Path) -> None:
    stub = StubEngine(tmp_path / "s").answer("DELETE", f"containers/{NAME}", {})
    stub.refuse("POST", f"containers/{NAME}/start", 409, "container is marked for removal and cannot be started")
    async with stub.running(), DockerRuntime(url=stub.url) as runtime:
        with pytest.raises(errors.Unavailable):
            await runtime.start(WEB)
    assert stub.asked[-1] == f"DELETE /v1.41/containers/{NAME}"


async def test_a_removal_under_way_is_waited_for(tmp_path: Path) -> None:
    stub = StubEngine(tmp_path / "s").answer("POST", f"containers/{NAME}/wait", {"StatusCode": 0})
    stub.refuse("DELETE", f"containers/{NAME}", 409, f"removal of container {NAME} is already in progress")
    async with stub.running(), DockerRuntime(url=stub.url) as runtime:
        await runtime.remove(WEB)
    assert stub.asked[-1] == f"POST /v1.41/containers/{NAME}/wait"


async def test_a_watch_ends_with_the_engine(tmp_path: Path) -> None:
    event = (
        b'{"Type":"container","Action":"die","Actor":{"Attributes":{"org.higgins.container":"%s"}}}\n' % WEB.encode()
    )
    stub = StubEngine(tmp_path / "s").stream("GET", "events", [event])
    async with stub.running(), DockerRuntime(url=stub.url) as runtime:
        changes = runtime.watch()
        assert await anext(changes) == WEB
        with pytest.raises(errors.Unavailable):
            await anext(changes)


async def test_an_absent_engine_is_unavailable_until_it_comes(tmp_path: Path) -> None:
    async with DockerRuntime(url=f"unix://{tmp_path}/s") as runtime:
        for call in (
            runtime.list([WEB]),
            runtime.list(),
            runtime.list([WEB, ContainerId("x")]),
            runtime.start(WEB),
            runtime.inventory(),
        ):
            with pytest.raises(errors.Unavailable):
                await call
        stub = StubEngine(tmp_path / "s").answer("GET", f"containers/{NAME}/json", inspected("running"))
        async with stub.running():
            assert (await runtime.list([WEB])).keys() == {WEB}


async def test_much_output_of_a_command_is_cut_with_a_note(tmp_path: Path) -> None:
    stub = StubEngine(tmp_path / "s").answer("POST", f"containers/{NAME}/exec", {"Id": "e"}, status=201)
    stub.stream("POST", "exec/e/start", [b"x" * 60, b"y" * 60]).answer("GET", "exec/e/json", {"ExitCode": 0})
    async with stub.running(), DockerRuntime(url=stub.url, output_limit=100) as runtime:
        result = await runtime.execute(WEB, ["yes"], terminal=True)
    assert result.output == b"x" * 60 + b"y" * 40 + b"\n[20 more bytes of output are not shown]\n"


async def test_a_newer_engine_that_refuses_a_missing_command_gives_the_same_result(tmp_path: Path) -> None:
    stub = StubEngine(tmp_path / "s").answer("POST", f"containers/{NAME}/exec", {"Id": "e"}, status=201)
    stub.refuse(
        "POST",
        "exec/e/start",
        400,
        'OCI runtime exec failed: exec failed: exec: "nope": executable file not found in $PATH',
    )
    async with stub.running(), DockerRuntime(url=stub.url) as runtime:
        result = await runtime.execute(WEB, ["nope"])
    assert result.exit_code == 127
    assert b"nope" in result.output


async def test_no_more_starts_than_allowed_are_under_way(tmp_path: Path) -> None:
    stub = StubEngine(tmp_path / "s")
    ids = [ContainerId(str(number)) for number in range(6)]
    for each in ids:
        stub.stream("POST", f"containers/higgins-{each}/start", [b"x"] * 10)
    async with stub.running(), DockerRuntime(url=stub.url, starts_at_once=2) as runtime:
        async with asyncio.TaskGroup() as group:
            for each in ids:
                group.create_task(runtime.start(each))
            await asyncio.sleep(0.03)
            assert sum("start" in asked for asked in stub.asked) <= 2
    assert sum("start" in asked for asked in stub.asked) == 6


@pytest.mark.parametrize(
    ("message", "remedy", "told"),
    [
        (
            "pull access denied for app, repository does not exist or may require 'docker login'",
            errors.NotFound,
            "private",
        ),
        (
            "manifest for app:1 not found: manifest unknown: manifest unknown",
            errors.NotFound,
            "Check its name and its tag",
        ),
        (
            'Get "https://h.example/v2/app/manifests/1": unauthorized: authentication required',
            errors.NotFound,
            "private",
        ),
        ("no matching manifest for linux/arm64 in the manifest list entries", errors.NotFound, "processor"),
        (
            'Get "https://h.example/v2/": dial tcp: lookup h.example: no such host',
            errors.Unavailable,
            "registry h.example",
        ),
        (
            'Get "https://h.example/v2/": dial tcp 1.2.3.4:443: connect: connection refused',
            errors.Unavailable,
            "registry h.example",
        ),
        ('Get "https://h.example/v2/": x509: certificate signed by unknown authority', errors.Unavailable, "x509"),
        ("toomanyrequests: You have reached your pull rate limit.", errors.Unavailable, "allows no more for now"),
        ("failed to register layer: write /x: no space left on device", errors.Unavailable, "/data is full"),
    ],
)
@pytest.mark.parametrize("late", [False, True])
async def test_why_an_image_cannot_be_fetched_is_told(
    tmp_path: Path, message: str, remedy: type[errors.Failure], told: str, late: bool
) -> None:
    stub = StubEngine(tmp_path / "s").answer("GET", "info", {"DockerRootDir": "/data"})
    if late:
        progress = b'{"status":"Pulling from app"}\n{"errorDetail":{"message":"%s"},"error":"%s"}\n'
        text = message.replace('"', '\\"').encode()
        stub.stream("POST", "images/create", [progress % (text, text)])
    else:
        stub.refuse("POST", "images/create", 500, message)
    async with stub.running(), DockerImages(url=stub.url) as images:
        with pytest.raises(remedy, match=told) as failed:
            await images.fetch("h.example/app:1")
    assert failed.value.message.startswith("Image h.example/app:1 could not be ")
    assert (failed.value.name == "image-not-found") == (remedy is errors.NotFound)


async def test_a_digest_is_honoured_and_a_tag_beside_it_ignored(tmp_path: Path) -> None:
    digest = "sha256:" + "ab" * 32
    stub = StubEngine(tmp_path / "s").answer("GET", f"images/app@{digest}/json", {"Id": "sha256:1", "Size": 7})
    async with stub.running(), DockerImages(url=stub.url) as images:
        assert await images.resolve(f"app:1@{digest}") == ImageFacts(digest="sha256:1", size=7)


async def test_a_look_at_everything_is_one_call_whatever_the_engine_has_lost_its_way_with(tmp_path: Path) -> None:
    labels = {
        terms.OWNER: "higgins",
        terms.CONTAINER: "web",
        terms.CAPSULE: "web",
        terms.EPOCH: "3",
        terms.RESTARTS: "1",
    }
    stub = StubEngine(tmp_path / "s").answer("GET", "containers/json", [{"Labels": labels, "State": "paused"}])
    async with stub.running(), DockerRuntime(url=stub.url) as runtime:
        (seen,) = (await runtime.list()).values()
    assert (seen.container_id, seen.epoch, seen.restarts, seen.stage) == ("web", 3, 1, Stage.PAUSED)
    assert [asked for asked in stub.asked if "containers" in asked] == ["GET /v1.41/containers/json"]
