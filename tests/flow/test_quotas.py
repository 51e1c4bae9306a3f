"""Quotas as tenants and administrators meet them: over HTTP, through the real service, with containers that come and go."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from higgins import errors
from higgins.api.server import serving
from higgins.api.zun.door import application
from higgins.api.zun.routes import ROUTES
from higgins.model.capsule import Resources
from higgins.model.query import Query
from higgins.model.quota import Limits
from higgins.service.containers import Wish
from higgins.service.policy import Policy
from higgins.testing.images import FakeImages
from tests.flow.harness import Cloud, admin, alone, caller, cloud, container, request, services
from tests.flow.town import Api, Reply, Tokens, Town
from tests.patience import PATIENCE
from tests.system.faults.claims import used_and_counted

CONFIGURED = {"containers": 40, "memory": 51200, "disk": 100, "cpu": 20}
ME = caller()
OVER = (403, "container.over-quota")


@pytest.fixture
async def configured(tmp_path: Path) -> AsyncIterator[Town]:
    """A service with the limits of Zun, in which a container that asks for nothing gets something."""
    async with cloud(tmp_path, limits=Limits(**CONFIGURED)) as running:
        app = application(services(running), Tokens(), Policy(), defaults=Resources(cpu=0.1, memory=100))
        async with serving(app, host="127.0.0.1", port=0, grace=0.1) as at, aiohttp.ClientSession() as session:
            yield Town(running, *(Api(session, at.url, token) for token in ("p1", "p2", "admin")))


async def limit(town: Town, **limits: object) -> None:
    """What p1 may have from now on."""
    answer = await town.admin("PUT", "/quotas/p1", limits)
    assert answer.status == 200, answer


async def create(api: Api, image: str = "busybox", **asked: object) -> Reply:
    return await api("POST", "/containers", {"image": image, **asked})


async def in_use(town: Town) -> dict[str, Any]:
    told = await town.one("GET", "/quotas/p1?usages=true")
    return {name: each["in_use"] for name, each in told.body.items()}


async def used(town: Town, memory: int) -> None:
    """Wait until the project has so much."""
    async with asyncio.timeout(PATIENCE):
        while (await in_use(town))["memory"] != memory:
            await asyncio.sleep(0.01)


# What is asked and said.


async def test_limits_are_those_of_the_configuration_until_an_administrator_says_otherwise(configured: Town) -> None:
    town = configured
    for path in ("/quotas/p1", "/quotas/p1/defaults", "/quotas/defaults", "/quotas/p1?usages="):
        assert (await town.one("GET", path)).body == CONFIGURED, path
    set_to = await town.admin("PUT", "/quotas/p1", {"memory": "1024", "containers": 3, "disk": None})
    assert set_to.body == (await town.one("GET", "/quotas/p1")).body == {**CONFIGURED, "memory": 1024, "containers": 3}
    # A second word about one limit replaces the first, and leaves the others.
    again = await town.admin("PUT", "/quotas/p1?containers=-1")
    assert again.body == {**CONFIGURED, "memory": 1024, "containers": -1}
    assert (await town.admin("PUT", "/quotas/p1", {})).body == again.body
    assert (await town.one("GET", "/quotas/p1/defaults")).body == CONFIGURED
    assert (await town.two("GET", "/quotas/p2")).body == CONFIGURED


async def test_limits_of_its_own_are_taken_from_a_project_as_often_as_one_likes(configured: Town) -> None:
    await limit(configured, cpu=1)
    for _ in range(2):
        gone = await configured.admin("DELETE", "/quotas/p1")
        assert (gone.status, gone.body) == (200, None)
    assert (await configured.one("GET", "/quotas/p1")).body == CONFIGURED


async def test_the_class_default_holds_for_every_project_without_limits_of_its_own(configured: Town) -> None:
    town = configured
    await limit(town, disk=7)
    for name in ("default", "gold"):
        assert (await town.admin("GET", f"/quota_classes/{name}")).body == CONFIGURED
    assert (await town.admin("PUT", "/quota_classes/gold", {"cpu": 0})).body == {**CONFIGURED, "cpu": 0}
    changed = await town.admin("PUT", "/quota_classes/default", {"containers": 2, "disk": "5"})
    assert changed.body == (await town.admin("GET", "/quota_classes/default")).body
    assert changed.body == {**CONFIGURED, "containers": 2, "disk": 5}
    assert (await town.one("GET", "/quotas/p1/defaults")).body == changed.body
    assert (await town.one("GET", "/quotas/p1")).body == {**changed.body, "disk": 7}
    assert (await town.two("GET", "/quotas/p2")).body == changed.body
    assert [(await create(town.two)).status for _ in range(3)] == [202, 202, 403]


@pytest.mark.parametrize("version", ["container 1.1", "container 1.26", "container 1.41"])
async def test_quotas_are_there_in_every_version(configured: Town, version: str) -> None:
    assert (await configured.one("GET", "/quotas/p1", version=version)).body == CONFIGURED


async def test_what_is_in_use_is_told_beside_the_limits(configured: Town) -> None:
    town = configured
    assert await in_use(town) == {"containers": 0, "memory": 0, "disk": 0, "cpu": 0.0}
    await create(town.one, cpu=1.5, memory=256, disk=3)
    await create(town.one, cpu=0.3, memory=64)
    told = (await town.one("GET", "/quotas/p1?usages=True")).body
    assert told == {
        "containers": {"limit": 40, "in_use": 2},
        "memory": {"limit": 51200, "in_use": 320},
        "disk": {"limit": 100, "in_use": 3},
        "cpu": {"limit": 20, "in_use": 1.8},
    }
    # Zun takes every word for a yes.
    assert (await town.one("GET", "/quotas/p1?usages=False")).body == told


@pytest.mark.parametrize("path", ["/quotas/p1", "/quota_classes/default"])
@pytest.mark.parametrize(
    "wrong",
    [-2, "-2", 1.5, "1.5", True, "many", "", [1], {"limit": 1}, 2**31, "9" * 400, "\u0663"],
)
async def test_a_limit_that_is_none_is_a_400_that_names_it(town: Town, path: str, wrong: object) -> None:
    refused = await town.admin("PUT", path, {"memory": wrong})
    assert refused.error == (400, "container.schema-validation-error"), refused
    words = refused["errors"][0]["detail"]
    assert "'memory'" in words and "-1 for no limit" in words
    unknown = await town.admin("PUT", path, {"ram": 1})
    assert unknown.error == (400, "container.schema-validation-error") and "'ram'" in str(unknown.body)


async def test_a_name_that_is_too_long_for_a_project_or_a_class_is_a_400(town: Town) -> None:
    for path in (f"/quotas/{'p' * 65}", f"/quota_classes/{'c' * 256}"):
        for method in ("GET", "PUT"):
            refused = await town.admin(method, path, {"cpu": 1} if method == "PUT" else None)
            assert refused.error == (400, "container.schema-validation-error"), refused


OTHERS: Mapping[tuple[str, str], int] = {
    # What a member is told who asks for it: about another project, and about their own.
    ("GET", "/quotas/{project}"): 200,
    ("GET", "/quotas/{project}/defaults"): 200,
    ("PUT", "/quotas/{project}"): 403,
    ("DELETE", "/quotas/{project}"): 403,
    ("GET", "/quota_classes/{quota_class}"): 403,
    ("PUT", "/quota_classes/{quota_class}"): 403,
    ("GET", "/quotas/defaults"): 200,
}


def test_the_table_of_others_names_every_route_of_quotas() -> None:
    assert set(OTHERS) == {(one.method, one.path) for one in ROUTES if one.path.startswith("/quota")}


async def test_a_member_reads_the_quota_of_their_own_project_and_an_administrator_those_of_all(town: Town) -> None:
    for (method, path), own in OTHERS.items():
        for project, status in (("p1", own), ("p2", 403)):
            here = path.replace("{project}", project).replace("{quota_class}", "default")
            expected = own if here == path else status
            answer = await town.one(method, here, {} if method == "PUT" else None)
            assert answer.status == expected, (method, here, answer)
            if expected == 403:
                assert answer.error == (403, "container.policy-not-authorized")
            assert (await town.admin(method, here, {} if method == "PUT" else None)).status == 200


async def test_there_is_no_list_of_quotas_and_nothing_else_to_do_with_one(town: Town) -> None:
    for method, path in (("GET", "/quotas"), ("GET", "/quota_classes"), ("PUT", "/quotas/p1/defaults")):
        assert (await town.admin(method, path)).status == 404
    for method, path in (("POST", "/quotas/p1"), ("PUT", "/quotas/defaults"), ("DELETE", "/quota_classes/gold")):
        assert (await town.admin(method, path)).status == 405


# What they are good for.


async def test_what_a_project_may_not_have_is_refused_with_what_there_is_and_leaves_no_trace(town: Town) -> None:
    await limit(town, memory=100, containers=2)
    assert (await create(town.one, memory=64)).status == 202
    refused = await create(town.one, name="second", memory=37)
    assert refused.error == OVER
    words = refused["errors"][0]["detail"]
    assert words.startswith("Quota exceeded for resources: ['memory']. memory: 37 more were asked for, 64 of 100")
    assert [one["name"] for one in (await town.one("GET", "/containers")).body["containers"]] != ["second"]
    assert (await create(town.one, memory=36)).status == 202
    assert "['containers', 'memory']" in str((await create(town.one, memory=4)).body)
    # Another project is none of its business.
    assert (await create(town.two, memory=512)).status == 202


async def test_what_was_not_asked_for_counts_as_what_is_given(configured: Town) -> None:
    await limit(configured, memory=250, cpu=1)
    assert [(await create(configured.one)).status for _ in range(3)] == [202, 202, 403]
    assert await in_use(configured) == {"containers": 2, "memory": 200, "disk": 0, "cpu": 0.2}


async def test_of_many_creates_at_once_exactly_as_many_succeed_as_there_is_room_for(town: Town) -> None:
    for left in ({"containers": 7}, {"containers": -1, "memory": 7 * 64 + 63}, {"memory": -1, "cpu": 3}):
        await limit(town, **left)
        async with asyncio.TaskGroup() as group:
            asking = [group.create_task(create(town.one, memory=64, cpu=0.4)) for _ in range(30)]
        answers = [each.result() for each in asking]
        made = [one["uuid"] for one in answers if one.status == 202]
        assert {one.error for one in answers if one.status != 202} == {OVER}
        assert len(made) == 7, left
        for ref in made:
            await town.admin("DELETE", f"/containers/{ref}?force=true")
        for ref in made:
            await town.one.until(ref, None)
        assert await in_use(town) == {"containers": 0, "memory": 0, "disk": 0, "cpu": 0.0}


@pytest.mark.parametrize(("method", "verb"), [("PATCH", ""), ("POST", "/resize_container")])
async def test_only_what_grows_is_refused_by_whatever_name_it_is_asked_for(town: Town, method: str, verb: str) -> None:
    ref = await town.one.run("web", "sleep", "inf", memory=128, cpu=1)
    await limit(town, memory=100, cpu=2, containers=0)

    async def ask(**limits: float) -> int:
        answer = await town.one(method, f"/containers/{ref}{verb}", limits)
        return 0 if answer.status < 300 else answer.status

    # It has more than it may already: that stays, may become less, and nothing else of it is in the way.
    assert await ask(memory=128) == 0
    assert await ask(memory=129) == 403
    assert await ask(cpu=2) == 0
    assert await ask(cpu=2.5) == 403
    assert await ask(memory=64) == 0
    await used(town, 64)
    assert await ask(memory=100) == 0
    assert await ask(memory=101) == 403
    shown = await town.one("GET", f"/containers/{ref}")
    assert (shown["memory"], shown["cpu"]) == ("100", 2.0)


async def test_it_is_the_quota_of_the_container_that_counts_and_not_that_of_whoever_asks(town: Town) -> None:
    ref = await town.one.run("web", "sleep", "inf", memory=64)
    await limit(town, memory=100)
    await town.admin("PUT", "/quotas/p0", {"memory": 0})
    assert (await town.admin("PATCH", f"/containers/{ref}", {"memory": 100})).status == 200
    await town.admin("PUT", "/quotas/p0", {"memory": -1})
    assert (await town.admin("PATCH", f"/containers/{ref}", {"memory": 101})).error == OVER


async def test_what_is_to_become_less_makes_room_only_when_it_has(town: Town) -> None:
    """Or whoever asks for what is impossible could have the same memory twice."""
    ref = await town.one.run("web", "sleep", "inf", memory=100)
    await limit(town, memory=100)
    town.cloud.runtime.slow("update", 0.3)
    town.cloud.runtime.fail("update", errors.Invalid("It uses more than that."))
    assert (await town.one("PATCH", f"/containers/{ref}", {"memory": 10})).status == 200
    assert (await create(town.one, memory=50)).error == OVER
    async with asyncio.timeout(PATIENCE):
        while (await town.one("GET", f"/containers/{ref}"))["memory"] != "100":
            assert (await in_use(town))["memory"] == 100
            await asyncio.sleep(0.01)
    assert (await in_use(town))["memory"] == 100
    town.cloud.runtime.slow("update", 0)
    assert (await town.one("PATCH", f"/containers/{ref}", {"memory": 10})).status == 200
    await used(town, 10)
    assert (await create(town.one, memory=50)).status == 202


async def test_a_create_that_is_repeated_counts_once(town: Town) -> None:
    body, key = {"image": "busybox", "memory": 64}, {"Idempotency-Key": "once"}
    headers = {"X-Auth-Token": "p1", "OpenStack-API-Version": "container 1.41", **key}
    for _ in range(3):
        async with town.one.session.post(f"{town.one.url}/v1/containers", json=body, headers=headers) as answer:
            assert answer.status == 202
    assert (await in_use(town))["containers"] == 1


async def test_what_failed_counts_until_it_is_deleted(town: Town) -> None:
    await limit(town, containers=1)
    made = await create(town.one, name="web", image="nothing-like-it")
    await town.one.until(made["uuid"], "Error")
    assert (await create(town.one)).error == OVER
    assert (await town.one("DELETE", f"/containers/{made['uuid']}")).status == 204
    await town.one.until(made["uuid"], None)
    assert (await create(town.one)).status == 202


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_becomes_of_containers_their_quota_is_released_exactly_once(tmp_path: Path, seed: int) -> None:
    """Some never start, some change, some vanish with their host or behind its back; agents and control planes die in between."""
    dice = random.Random(seed)
    limits = Limits(containers=8, memory=1000, cpu=4)
    async with cloud(tmp_path, images=FakeImages(present=("busybox",)), limits=limits) as here:

        async def live() -> None:
            for _ in range(4):
                try:
                    await a_life(here, dice)
                except (errors.Forbidden, errors.Conflict, errors.NotFound):
                    await asyncio.sleep(0.05)

        async def spoil() -> None:
            while True:
                await asyncio.sleep(dice.random() * 0.3)
                part = dice.choice([here.agent, here.control])
                await part.kill()
                await asyncio.sleep(dice.random() * 0.1)
                part.start()
                for container_id in list(await here.runtime.list())[:1]:
                    here.runtime.forget(container_id)

        async with asyncio.TaskGroup() as group:
            spoiling = group.create_task(spoil())
            async with asyncio.TaskGroup() as living:
                for _ in range(6):
                    living.create_task(live())
            spoiling.cancel()
        await here.control.restart()
        await here.agent.restart()
        path = tmp_path / "higgins.sqlite"
        assert all(used == counted for used, counted in used_and_counted(path).values()), used_and_counted(path)
        for one in (await here.containers.list(ME, Query())).items:
            with contextlib.suppress(errors.NotFound):  # It was on its way out.
                await here.containers.delete(admin(), request(), one.id, force=True)
        async with asyncio.timeout(PATIENCE):
            while any(used.containers or used.memory or used.microcores for used, _ in used_and_counted(path).values()):
                await asyncio.sleep(0.05)
        assert all(used == counted for used, counted in used_and_counted(path).values())


async def a_life(here: Cloud, dice: random.Random) -> None:
    wanted = container(
        image=dice.choice(["busybox", "busybox", "nothing-like-it"]),
        limits=Resources(cpu=dice.choice([0.1, 0.7]), memory=dice.randrange(50, 300)),
    )
    made = await here.containers.create(ME, request(), alone(wanted, run=dice.random() < 0.7))
    for _ in range(dice.randrange(3)):
        await asyncio.sleep(dice.random() * 0.1)
        if dice.random() < 0.3:
            here.runtime.fail("update", errors.Invalid("not so little"))
        wish = Wish(memory=dice.randrange(50, 300))
        try:
            await here.containers.update(ME, request(), made.id, wish)
        except (errors.Forbidden, errors.Conflict):
            continue
    if dice.random() < 0.7:
        await here.containers.delete(admin(), request(), made.id, force=True)
