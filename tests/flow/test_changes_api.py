"""What can be changed of a container over HTTP, waiting for it, and what versions show of it."""

import asyncio
from time import monotonic

import pytest

from higgins.model.capsule import Condition, Resources
from higgins.model.ids import ContainerId
from tests.patience import PATIENCE

CHECK = {"cmd": "true", "interval": 30, "timeout": 5, "retries": 3}


async def test_a_container_gets_other_limits_and_another_name_at_once(town):
    ref = await town.one.run("web", "sleep", "inf", cpu=0.5, memory=64)
    changed = await town.one(
        "PATCH", f"/containers/{ref}", {"cpu": "1.5", "memory": "128", "name": "shop", "auto_heal": True}
    )
    assert changed.status == 200
    shown = await town.one.until("shop", "Running")
    assert (shown["cpu"], shown["memory"], shown["auto_heal"]) == (1.5, "128", True)
    async with asyncio.timeout(PATIENCE):
        while (await town.cloud.runtime.list())[ContainerId(ref)].limits != Resources(cpu=1.5, memory=128):
            await asyncio.sleep(0.01)
    assert (await town.admin("GET", "/hosts/here"))["mem_used"] == 128
    actions = (await town.one("GET", f"/containers/{ref}/container_actions"))["containerActions"]
    assert [one["action"] for one in actions] == ["update", "create"]


async def test_null_in_an_update_leaves_a_thing_as_it_is(town):
    ref = await town.one.run("web", "sleep", "inf", memory=64)
    same = await town.one("PATCH", f"/containers/{ref}", {"name": None, "memory": None, "cpu": None, "auto_heal": None})
    assert (same.status, same["name"], same["memory"]) == (200, "web", "64")


async def test_more_than_the_host_has_is_refused_with_what_is_free(town):
    ref = await town.one.run("web", "sleep", "inf", memory=64)
    for _ in range(3):
        await town.one.run("big", "sleep", "inf", memory=4000)
    refused = await town.one("PATCH", f"/containers/{ref}", {"memory": 8000})
    assert refused.status == 409
    assert "room" in refused["errors"][0]["detail"]
    assert (await town.one("GET", f"/containers/{ref}"))["memory"] == "64"


async def test_resize_container_is_a_patch_that_is_accepted_and_done_later(town):
    ref = await town.one.run("web", "sleep", "inf")
    asked = await town.one(
        "POST", f"/containers/{ref}/resize_container", {"cpu": 2, "memory": "64"}, version="container 1.19"
    )
    assert (asked.status, asked["uuid"]) == (202, ref)
    shown = await town.one.until(ref, "Running")
    assert (shown["cpu"], shown["memory"]) == (2.0, "64")
    older = await town.one("POST", f"/containers/{ref}/resize_container", {"cpu": 2}, version="container 1.18")
    assert older.status == 406


async def test_a_container_is_rebuilt_from_another_image_and_runs_again(town):
    ref = await town.one.run("web", "sleep", "inf")
    before = (await town.cloud.runtime.list())[ContainerId(ref)]
    asked = await town.one("POST", f"/containers/{ref}/rebuild")
    assert (asked.status, asked.body) == (202, None)
    shown = await town.one.until(ref, "Running")
    after = (await town.cloud.runtime.list())[ContainerId(ref)]
    assert after.rebuilds == before.rebuilds + 1
    assert shown["image"] == "busybox"
    actions = (await town.one("GET", f"/containers/{ref}/container_actions"))["containerActions"]
    assert [one["action"] for one in actions] == ["rebuild", "create"]


async def test_a_container_is_not_rebuilt_from_what_is_no_image(town):
    ref = await town.one.run("web", "sleep", "inf")
    refused = await town.one("POST", f"/containers/{ref}/rebuild?image=x")
    assert (refused.status, "'image'" in refused["errors"][0]["detail"]) == (400, True)
    glance = await town.one("POST", f"/containers/{ref}/rebuild", {"image_driver": "glance"})
    assert (glance.status, "'image_driver'" in glance["errors"][0]["detail"]) == (400, True)


async def test_a_kill_stops_for_good_and_other_signals_are_delivered(town):
    ref = await town.one.run("web", "sleep", "inf", restart_policy={"Name": "always"})
    assert (await town.one("POST", f"/containers/{ref}/kill", {"signal": "HUP"})).status == 202
    assert (await town.one("POST", f"/containers/{ref}/kill")).status == 202
    shown = await town.one.until(ref, "Stopped")
    assert (shown["desired_state"], shown["exit_code"]) == ("stopped", 137)


async def test_whoever_waits_is_answered_as_soon_as_it_is_so(town):
    made = await town.one(
        "POST", "/containers?run=true", {"image": "busybox", "name": "web", "command": ["sleep", "inf"]}
    )
    running = await town.one("GET", f"/containers/{made['uuid']}?wait=Running&timeout=5")
    assert (running.status, running["status"], "links" in running.body) == (200, "Running", True)
    async with asyncio.TaskGroup() as group:
        ended = group.create_task(town.one("GET", "/containers/web?wait=stopped,error&timeout=5"))
        await asyncio.sleep(0.05)
        assert not ended.done()
        await town.one("POST", "/containers/web/stop?timeout=0")
    assert ended.result()["status"] == "Stopped"
    async with asyncio.TaskGroup() as group:
        gone = group.create_task(town.one("GET", "/containers/web?wait=Deleted&timeout=5"))
        await asyncio.sleep(0.05)
        await town.one("DELETE", "/containers/web")
    assert gone.result().error == (404, "container.container-not-found")


async def test_whoever_waits_in_vain_is_told_how_it_is_when_the_time_is_over(town):
    await town.one.run("web", "sleep", "inf")
    begun = monotonic()
    async with asyncio.timeout(PATIENCE):
        answer = await town.one("GET", "/containers/web?wait=Paused&timeout=1")
    assert (answer.status, answer["status"]) == (200, "Running")
    assert monotonic() - begun > 0.9
    at_once = await town.one("GET", "/containers/web?wait=Paused&timeout=0")
    assert at_once["status"] == "Running"


async def test_whoever_waits_for_what_fails_is_not_kept(town):
    made = await town.one("POST", "/containers?run=true", {"image": "nowhere", "name": "web"})
    answer = await town.one("GET", f"/containers/{made['uuid']}?wait=Running&timeout=5")
    assert (answer["status"], bool(answer["status_reason"])) == ("Error", True)


@pytest.mark.parametrize("query", ["wait=Ready", "wait=Running&timeout=3601", "wait=Running&timeout=x", "wait="])
async def test_a_wait_that_makes_no_sense_is_refused_and_before_1_41_ignored(town, query):
    await town.one.run("web", "sleep", "inf")
    assert (await town.one("GET", f"/containers/web?{query}")).status == 400
    assert (await town.one("GET", f"/containers/web?{query}", version="container 1.40")).status == 200


async def test_a_strangers_container_cannot_be_waited_for(town):
    ref = await town.one.run("web", "sleep", "inf")
    answer = await town.two("GET", f"/containers/{ref}?wait=Deleted&timeout=5")
    assert answer.error == (404, "container.container-not-found")


async def test_a_health_check_is_kept_run_and_shown(town):
    ref = await town.one.run("web", "sleep", "inf", healthcheck=CHECK)
    town.cloud.runtime.check(ContainerId(ref), Condition.UNHEALTHY, failures=3, output="refused")
    async with asyncio.timeout(PATIENCE):
        while (shown := await town.one("GET", f"/containers/{ref}"))["health"]["status"] != "unhealthy":
            await asyncio.sleep(0.02)
    assert shown["healthcheck"] == {"test": "true", "interval": 30, "retries": 3, "timeout": 5}
    assert shown["health"] == {"status": "unhealthy", "failing_streak": 3, "output": "refused"}
    assert shown["status_detail"].endswith("(unhealthy)")


@pytest.mark.parametrize(
    "check", [{"interval": 30}, {"interval": "30s", "cmd": "true"}, {"cmd": "x" * 256}, {"cmd": ""}]
)
async def test_a_health_check_that_cannot_be_run_is_a_400_that_names_it(town, check):
    refused = await town.one("POST", "/containers", {"image": "busybox", "healthcheck": check})
    assert (refused.status, "'healthcheck'" in refused["errors"][0]["detail"]) == (400, True)


OURS = {
    *("health", "exit_code", "started_at", "finished_at", "desired_state", "progress", "deadline"),
    *("published_ports", "mounts"),
}


async def test_a_container_of_an_older_version_lacks_what_came_after_it(town):
    ref = await town.one.run("web", "sleep", "inf")
    for version in ("container 1.1", "container 1.40"):
        old = await town.one("GET", f"/containers/{ref}", version=version)
        [listed] = (await town.one("GET", "/containers", version=version))["containers"]
        assert not OURS & {*old.body, *listed}
        assert set(old.body) - set(listed) == {"links"}
    new = await town.one("GET", f"/containers/{ref}")
    assert set(new.body) == {*old.body, *OURS}
    assert (new["desired_state"], new["deadline"], new["exit_code"]) == ("running", None, None)


async def test_what_is_pending_says_until_when(town):
    made = await town.one("POST", "/containers?run=true", {"image": "busybox", "command": ["sleep", "inf"]})
    assert made["deadline"] > made["created_at"]
    shown = await town.one.until(made["uuid"], "Running")
    assert shown["deadline"] is None


async def test_an_action_of_1_41_tells_its_steps_and_one_of_1_40_itself(town):
    made = await town.one("POST", "/containers?run=true", {"image": "busybox", "command": ["sleep", "inf"]})
    ref, request = made["uuid"], made.headers["x-openstack-request-id"]
    await town.one.until(ref, "Running")
    path = f"/containers/{ref}/container_actions/{request}"
    steps = [event["event"] for event in (await town.one("GET", path))["events"]]
    assert {"create", "start"} <= set(steps)
    assert steps.index("start") < steps.index("create"), "newest first"
    old = await town.one("GET", path, version="container 1.40")
    assert [event["event"] for event in old["events"]] == ["compute__do_container_create"]
    assert "deadline" not in old.body
    assert (await town.one("GET", path))["deadline"] is None
