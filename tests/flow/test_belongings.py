"""What a project may have of networks, security groups, volumes and published ports, as its members meet it: over HTTP, through the real service."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import pytest

from higgins import errors
from higgins.api.server import serving
from higgins.api.zun.door import application
from higgins.model.ids import VolumeId
from higgins.model.quota import Allowance
from higgins.service.policy import Policy
from higgins.service.volumes import Volumes
from higgins.store.database import Database
from tests.flow.harness import caller, cloud, services
from tests.flow.town import Api, Reply, Tokens, Town
from tests.patience import PATIENCE

OVER = (403, "container.over-quota")
MOST = 3
ALLOWANCE = Allowance(networks=MOST, security_groups=MOST, volumes=MOST, published_ports=MOST)

Answer = TypeVar("Answer")


@asynccontextmanager
async def allowing(directory: Path, allowance: Allowance) -> AsyncIterator[Town]:
    """A town with networks, in which every project may have so much."""
    async with cloud(directory, pool="10.88.0.0/16", allowance=allowance) as running:
        app = application(services(running), Tokens(), Policy())
        async with serving(app, host="127.0.0.1", port=0, grace=0.1) as at, aiohttp.ClientSession() as session:
            yield Town(running, *(Api(session, at.url, token) for token in ("p1", "p2", "admin")))


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    async with allowing(tmp_path, ALLOWANCE) as opened:
        yield opened


async def network(api: Api, **said: object) -> Reply:
    return await api("POST", "/networks", {"name": "back", **said})


async def group(api: Api) -> Reply:
    return await api("POST", "/security_groups", {"name": "web"})


async def volume(api: Api) -> Reply:
    return await api("POST", "/volumes", {"name": f"data-{uuid.uuid4()}"})


async def container(api: Api, *, dry: bool = False, **asked: object) -> Reply:
    return await api("POST", f"/containers?dry_run={dry}", {"image": "busybox", **asked})


async def publishing(api: Api, count: int = 1, *, dry: bool = False) -> Reply:
    return await container(api, dry=dry, published_ports=[{"port": 80 + each} for each in range(count)])


async def mounting(api: Api, count: int = 1, *, dry: bool = False) -> Reply:
    mounts = [{"source": "", "size": "1", "destination": f"/d{each}"} for each in range(count)]
    return await container(api, dry=dry, mounts=mounts)


async def capsule(api: Api, *, dry: bool = False, **spec: object) -> Reply:
    one: dict[str, Any] = {"image": "busybox"}
    if "volumes" in spec:
        one["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    else:
        one["ports"] = [{"containerPort": 80, "hostPort": port, "protocol": "TCP"} for port in (8080, 8081)]
    template = {"kind": "capsule", "metadata": {"name": "web"}, "spec": {"containers": [one], **spec}}
    return await api("POST", f"/capsules?dry_run={dry}", {"template": template})


async def gone(api: Api, made: Reply) -> None:
    """Delete what was made, and wait until it is gone."""
    path = made.headers["location"].partition("/v1")[2]
    query = "?stop=true" if path.startswith("/containers") else ""
    assert (await api("DELETE", path + query)).status == 204
    async with asyncio.timeout(PATIENCE):
        while (await api("GET", path)).status != 404:
            await asyncio.sleep(0.01)


async def together(*asked: Coroutine[Any, Any, Answer]) -> Sequence[Answer]:
    """All at once."""
    async with asyncio.TaskGroup() as tasks:
        asking = [tasks.create_task(each) for each in asked]
    return [each.result() for each in asking]


ALL: dict[str, Callable[[Api], Coroutine[Any, Any, Reply]]] = {
    "networks": network,
    "security_groups": group,
    "volumes": volume,
    "published_ports": publishing,
}


@pytest.mark.parametrize("name", ALL)
async def test_the_last_that_fits_is_made_and_the_first_that_does_not_is_refused(town: Town, name: str) -> None:
    make = ALL[name]
    made = [await make(town.one) for _ in range(MOST)]
    assert all(one.status in (200, 201, 202) for one in made), made
    refused = await make(town.one)
    assert refused.error == OVER
    assert refused["errors"][0]["detail"] == (
        f"Quota exceeded for resources: ['{name}']. {name}: 1 more were asked for, {MOST} of {MOST} are in use. "
        "Ask for less, delete something, or have the operator raise the limit."
    )
    # What one project has is none of another's business.
    assert (await make(town.two)).status in (200, 201, 202)
    await gone(town.one, made[0])
    assert (await make(town.one)).status in (200, 201, 202)
    assert (await make(town.one)).error == OVER


@pytest.mark.parametrize("name", ALL)
async def test_of_many_at_once_exactly_as_many_succeed_as_there_is_room_for(town: Town, name: str) -> None:
    answers = await together(*(ALL[name](town.one) for _ in range(12)))
    refused = [one.error for one in answers if one.status >= 400]
    assert refused == [OVER] * (12 - MOST)


@pytest.mark.parametrize("name", ALL)
async def test_a_limit_of_minus_one_is_none_and_of_nothing_allows_none(tmp_path: Path, name: str) -> None:
    async with allowing(tmp_path, Allowance()) as town:
        answers = [await ALL[name](town.one) for _ in range(MOST + 2)]
        assert all(one.status in (200, 201, 202) for one in answers), answers
    async with allowing(tmp_path, Allowance(**{name: 0})) as town:
        assert (await ALL[name](town.two)).error == OVER


async def test_two_control_planes_at_one_database_give_the_last_one_to_one_of_them(tmp_path: Path) -> None:
    async with cloud(tmp_path, hosted=False) as running:
        second = Database(f"sqlite:///{tmp_path}/higgins.sqlite")
        second.open()
        try:
            replicas = [Volumes(each, Policy(), ALLOWANCE) for each in (running.database, second)]

            async def make(number: int) -> bool:
                try:
                    await replicas[number % 2].create(caller(), VolumeId(str(uuid.uuid4())), name=f"data-{number}")
                except errors.Forbidden:
                    return False
                return True

            assert sum(await together(*(make(number) for number in range(20)))) == MOST
        finally:
            second.close()


async def test_a_project_always_gets_its_first_network_and_it_counts(tmp_path: Path) -> None:
    async with allowing(tmp_path, Allowance(networks=0)) as town:
        await town.one.run("web", "sleep", "inf")
        (made,) = (await town.one("GET", "/networks"))["networks"]
        assert made["name"] == "default"
        words = (await network(town.one))["errors"][0]["detail"]
        assert "networks: 1 more were asked for, 1 of 0 are in use" in words
        # The next one is on it, too.
        await town.one.run("db", "sleep", "inf")
    async with allowing(tmp_path, Allowance(networks=2)) as town:
        assert (await network(town.one)).status == 200
        assert (await network(town.one)).error == OVER


async def test_what_every_project_may_use_counts_for_none(tmp_path: Path) -> None:
    async with allowing(tmp_path, Allowance(networks=0)) as town:
        assert [(await network(town.admin, shared=True)).status for _ in range(2)] == [200, 200]
        words = (await network(town.admin))["errors"][0]["detail"]
        assert "networks: 1 more were asked for, 0 of 0 are in use" in words


async def test_a_request_that_is_sent_again_needs_no_room_for_what_it_made(town: Town) -> None:
    made = VolumeId(str(uuid.uuid4()))
    there = Volumes(town.cloud.database, Policy(), Allowance(volumes=1))
    first = await there.create(caller(), made, name="data")
    assert await there.create(caller(), made, name="data") == first


async def test_volumes_that_are_made_with_a_container_count_until_they_go_with_it(town: Town) -> None:
    made = await mounting(town.one, MOST - 1)
    assert made.status == 202, made
    refused = await mounting(town.one, 2)
    assert refused.error == OVER
    assert f"volumes: 2 more were asked for, {MOST - 1} of {MOST} are in use" in refused["errors"][0]["detail"]
    assert (await volume(town.one)).status == 201
    assert (await volume(town.one)).error == OVER
    refused = await capsule(town.one, volumes=[{"name": "data", "cinder": {"size": 1, "autoRemove": True}}])
    assert refused.error == OVER
    # Nothing is left of what was refused, and to mount what there is takes no room.
    assert len((await town.one("GET", "/containers"))["containers"]) == 1
    (named,) = [one["name"] for one in (await town.one("GET", "/volumes"))["volumes"] if one["name"]]
    assert (await container(town.one, mounts=[{"source": named, "destination": "/d"}])).status == 202
    await gone(town.one, made)
    assert (await mounting(town.one, MOST - 1)).status == 202


async def test_published_ports_are_those_of_all_containers_and_capsules_together(town: Town) -> None:
    first = await capsule(town.one)
    assert first.status == 202, first
    refused = await publishing(town.one, 2)
    assert refused.error == OVER
    assert f"published_ports: 2 more were asked for, 2 of {MOST} are in use" in refused["errors"][0]["detail"]
    last = await publishing(town.one)
    assert last.status == 202
    # Who publishes nothing is in nobody's way.
    assert (await container(town.one)).status == 202
    assert (await capsule(town.one)).error == OVER
    await town.one.until(last["uuid"], "Created")
    await gone(town.one, last)
    assert (await publishing(town.one)).status == 202


async def test_ports_count_also_while_there_is_no_host_for_them(town: Town) -> None:
    await town.cloud.agent.kill()
    assert [(await publishing(town.one)).status for _ in range(MOST + 1)] == [202] * MOST + [403]


async def test_a_dry_run_refuses_in_the_same_words_what_a_create_would(town: Town) -> None:
    await volume(town.one)
    await capsule(town.one)
    template = [{"name": "data", "cinder": {"size": 1, "autoRemove": True}}]
    assert (await publishing(town.one, dry=True)).status == 200
    assert (await mounting(town.one, 2, dry=True)).status == 200
    for make, count in ((publishing, 2), (mounting, 3)):
        told, refused = await make(town.one, count, dry=True), await make(town.one, count)
        assert told.error == refused.error == OVER
        assert told["errors"][0]["detail"] == refused["errors"][0]["detail"]
    await volume(town.one)
    await volume(town.one)
    assert (await capsule(town.one, dry=True, volumes=template)).error == OVER
    assert (await capsule(town.one, dry=True)).error == OVER
