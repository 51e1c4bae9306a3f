"""Changing what is there: limits, images, health. Nothing is lost by it, whoever dies in the middle."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from higgins import errors
from higgins.logic.statusword import Status
from higgins.model.action import Outcome
from higgins.model.capsule import (
    Capsule,
    Condition,
    Desired,
    Healthcheck,
    Observation,
    Resources,
    RestartName,
    RestartPolicy,
    Stage,
)
from higgins.service.containers import Wish
from higgins.service.limits import Deadlines
from higgins.testing.images import FakeImages
from higgins.testing.runtime import FakeRuntime
from tests.flow.harness import Cloud, alone, caller, cloud, container, eventually, request
from tests.patience import PATIENCE

ME = caller()
CHECK = Healthcheck(test="curl localhost")
SMALL = Resources(cpu=1.0, memory=512)
NOT_NOW = errors.Unavailable("not now")


def images_with_two() -> FakeImages:
    return FakeImages(present=("busybox",), registry=("better",))


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Cloud]:
    async with cloud(tmp_path, images=images_with_two()) as made:
        yield made


async def seen(here: Cloud, made: Capsule) -> Observation | None:
    return (await here.runtime.list()).get(made.spec.containers[0].id)


async def until_seen(here: Cloud, made: Capsule, stage: Stage, *, rebuilds: int = 0) -> Observation:
    found: Observation | None = None
    async with asyncio.timeout(PATIENCE):
        while (found := await seen(here, made)) is None or (found.stage, found.rebuilds) != (stage, rebuilds):
            await asyncio.sleep(0.01)
    return found


# Limits.


async def test_new_limits_hold_in_the_runtime_and_are_booked_on_the_host(here: Cloud) -> None:
    made = await here.run(limits=SMALL)
    began = (await until_seen(here, made, Stage.RUNNING)).started_at
    asked = request()
    found = await here.containers.update(ME, asked, made.id, Wish(cpu=2.0, memory=1024))
    assert found.spec.containers[0].limits == Resources(cpu=2.0, memory=1024)
    await here.until_done(made, asked)
    there = await seen(here, made)
    assert there is not None
    assert there.limits == Resources(cpu=2.0, memory=1024)
    assert there.started_at == began, "it was started again for this"
    assert (await here.host()).allocated == Resources(cpu=2.0, memory=1024)
    await here.containers.update(ME, request(), made.id, Wish(memory=256))
    assert (await here.host()).allocated == Resources(cpu=2.0, memory=256)


async def test_an_update_to_what_is_so_already_is_on_record_as_done(here: Cloud) -> None:
    made = await here.run(limits=SMALL)
    await until_seen(here, made, Stage.RUNNING)
    asked = request()
    for _ in range(2):  # The second time as one that is tried again.
        found = await here.containers.update(ME, asked, made.id, Wish(cpu=SMALL.cpu, memory=SMALL.memory))
        assert found.spec.generation == made.spec.generation
    first, second = await here.containers.actions(ME, made.id)
    assert (first.request_id, first.verb, first.outcome) == (asked, "update", Outcome.SUCCESS)
    assert first.finished_at == first.started_at
    assert second.verb == "create"


async def test_another_name_takes_no_action(here: Cloud) -> None:
    made = await here.run(limits=SMALL)
    await until_seen(here, made, Stage.RUNNING)
    assert (await here.containers.update(ME, request(), made.id, Wish(name="shop"))).name == "shop"
    assert [one.verb for one in await here.containers.actions(ME, made.id)] == ["create"]


async def test_an_update_to_what_is_being_made_so_ends_together_with_it(here: Cloud) -> None:
    made = await here.run(limits=SMALL)
    await until_seen(here, made, Stage.RUNNING)
    here.runtime.slow("update", 0.5)
    asked = [request(), request()]
    for each in asked:
        await here.containers.update(ME, each, made.id, Wish(memory=128))
    assert [(await here.containers.action(ME, made.id, each)).outcome for each in asked] == [None, None]
    for each in asked:
        await here.until_done(made, each)


@pytest.mark.parametrize("status", [Status.CREATED, Status.STOPPED, Status.PAUSED])
async def test_limits_are_changed_of_what_does_not_run_too(here: Cloud, status: Status) -> None:
    made = await here.containers.create(ME, request(), alone(container(limits=SMALL), run=status is not Status.CREATED))
    if status is Status.STOPPED:
        await here.until(made, Status.RUNNING)
        await here.containers.stop(ME, request(), made.id)
    if status is Status.PAUSED:
        await here.until(made, Status.RUNNING)
        await here.containers.pause(ME, request(), made.id)
    await here.until(made, status)
    asked = request()
    await here.containers.resize_container(ME, asked, made.id, Wish(memory=64))
    assert (await here.until_done(made, asked)) is Outcome.SUCCESS
    there = await seen(here, made)
    assert there is not None
    assert there.limits == Resources(cpu=1.0, memory=64)
    await here.until(made, status)


async def test_more_than_its_host_has_is_refused_with_what_is_free(here: Cloud) -> None:
    made = await here.run(limits=SMALL)
    await here.run(limits=Resources(memory=8192))
    with pytest.raises(errors.Conflict, match="5632 MiB of memory more were asked for, 3584 are free"):
        await here.containers.update(ME, request(), made.id, Wish(memory=6144))
    found = await here.show(made)
    assert found is not None
    assert found.spec == made.spec
    assert (await here.host()).allocated == Resources(cpu=1.0, memory=8704)


async def test_limits_that_the_runtime_refuses_are_taken_back_and_it_runs_on(here: Cloud) -> None:
    made = await here.run(limits=SMALL)
    here.runtime.fail("update", errors.Invalid("It uses more than that."))
    asked = request()
    await here.containers.update(ME, asked, made.id, Wish(memory=4))
    found = await here.until(made, Status.RUNNING, reason="uses more than that")
    assert await here.until_done(made, asked) is Outcome.ERROR
    found = await here.until_at_rest(made)
    assert found.spec.containers[0].limits == SMALL
    assert (await here.host()).allocated == SMALL
    assert here.runtime.starts[made.spec.containers[0].id] == 1
    # The next request is not burdened with it.
    await here.containers.stop(ME, request(), made.id)
    await here.until(made, Status.STOPPED, clear=True)


async def test_limits_that_cannot_be_set_in_time_are_taken_back_and_it_runs_on(tmp_path: Path) -> None:
    async with cloud(tmp_path, deadlines=Deadlines(start=0.4)) as here:
        made = await here.run(limits=SMALL)
        here.runtime.fail("update", NOT_NOW, times=10_000)
        asked = request()
        await here.containers.update(ME, asked, made.id, Wish(memory=64))
        await here.until(made, Status.RUNNING, reason="Updating did not finish in time: not now")
        assert await here.until_done(made, asked) is Outcome.ERROR
        assert (await here.until_at_rest(made)).spec.containers[0].limits == SMALL
        assert (await here.host()).allocated == SMALL


async def test_limits_that_somebody_changed_behind_its_back_are_set_again(here: Cloud) -> None:
    made = await here.run(limits=SMALL)
    await here.runtime.update(made.spec.containers[0].id, Resources(memory=9999))
    await eventually(lambda: here.runtime.count("update") == 2)
    there = await seen(here, made)
    assert there is not None
    assert there.limits == SMALL


# Rebuilds.


async def test_a_rebuild_makes_it_anew_from_another_image_and_it_runs_if_it_ran(here: Cloud) -> None:
    runs, rests = await here.run(), await here.containers.create(ME, request(), alone(container()))
    await here.until(rests, Status.CREATED)
    for made, status, stage in ((runs, Status.RUNNING, Stage.RUNNING), (rests, Status.CREATED, Stage.CREATED)):
        asked = request()
        await here.containers.rebuild(ME, asked, made.id, image="better")
        found = await here.until(made, status)
        there = await until_seen(here, made, stage, rebuilds=1)
        assert (found.spec.containers[0].image, there.image) == ("better", here.images.here("better"))
        assert (await here.action(made, asked)).outcome is Outcome.SUCCESS


async def test_a_stopped_one_is_created_again_by_a_rebuild(here: Cloud) -> None:
    made = await here.containers.create(ME, request(), alone(container("true"), run=True))
    await here.until(made, Status.STOPPED)
    await here.containers.rebuild(ME, request(), made.id)
    await here.until(made, Status.CREATED)
    await here.containers.start(ME, request(), made.id)
    await here.until(made, Status.STOPPED)
    assert here.runtime.starts[made.spec.containers[0].id] == 2


async def test_while_it_is_rebuilt_it_is_shown_as_that(here: Cloud) -> None:
    made = await here.run()
    here.images.slow("fetch", 0.3)
    await here.containers.rebuild(ME, request(), made.id, image="better")
    await here.until(made, Status.REBUILDING, task="container_rebuilding")
    there = await seen(here, made)
    assert there is not None
    assert there.stage is Stage.RUNNING, "it was stopped before its image was there"
    with pytest.raises(errors.Conflict, match="Rebuilding"):
        await here.containers.stop(ME, request(), made.id)
    await here.until(made, Status.RUNNING)


@pytest.mark.parametrize("runs", [True, False])
async def test_an_image_that_cannot_be_had_leaves_the_container_as_it_is(here: Cloud, runs: bool) -> None:
    made = await here.containers.create(ME, request(), alone(container(), run=runs))
    status = Status.RUNNING if runs else Status.CREATED
    await here.until(made, status)
    before = await seen(here, made)
    asked = request()
    await here.containers.rebuild(ME, asked, made.id, image="no-such-image")
    await here.until(made, status, reason="no-such-image")
    assert await here.until_done(made, asked) is Outcome.ERROR
    found = await here.until_at_rest(made)
    assert found.spec.containers[0].image == "busybox", "it shows an image that it is not made of"
    assert await seen(here, made) == before
    # It is kept alive as before, and can be rebuilt later.
    if runs:
        here.runtime.forget(made.spec.containers[0].id)
        await until_seen(here, made, Stage.RUNNING, rebuilds=1)
        found = await here.until(made, Status.RUNNING)
        assert found.spec.containers[0].image == "busybox"
    await here.containers.rebuild(ME, request(), made.id, image="better")
    await until_seen(here, made, Stage.RUNNING if runs else Stage.CREATED, rebuilds=2)
    await here.until(made, status, clear=True)


async def test_an_image_that_does_not_come_in_time_leaves_the_container_as_it_is(tmp_path: Path) -> None:
    async with cloud(tmp_path, images=images_with_two(), deadlines=Deadlines(create=0.6)) as here:
        made = await here.run()
        here.images.slow("fetch", 60)
        asked = request()
        await here.containers.rebuild(ME, asked, made.id, image="better")
        await here.until(made, Status.RUNNING, reason="Rebuilding did not finish in time")
        assert await here.until_done(made, asked) is Outcome.ERROR
        found = await here.until_at_rest(made)
        assert found.spec.containers[0].image == "busybox"
        assert here.runtime.starts[made.spec.containers[0].id] == 1


async def test_a_new_image_without_its_command_is_an_error_that_another_rebuild_ends(here: Cloud) -> None:
    made = await here.run("serve")
    here.runtime.behave(("serve",), replace(here.runtime._does(("no-such-command",))))
    await here.containers.rebuild(ME, request(), made.id, image="better")
    await here.until(made, Status.ERROR, reason="not found in the image")
    here.runtime.behave(("serve",), here.runtime._does(("sleep", "inf")))
    await here.containers.rebuild(ME, request(), made.id, image="busybox")
    await here.until(made, Status.CREATED)


MOMENTS = [(method, after) for method in ("stop", "remove", "create", "start") for after in (False, True)]


@pytest.mark.parametrize(("method", "after"), MOMENTS)
@pytest.mark.parametrize("who", ["agent", "control"])
async def test_whoever_dies_in_the_middle_of_a_rebuild_it_comes_to_its_end(
    here: Cloud, method: str, after: bool, who: str
) -> None:
    made = await here.run()
    await interrupted(here, made, method, after=after, who=who, change="rebuild")
    found = await here.until(made, Status.RUNNING, clear=True)
    there = await until_seen(here, made, Stage.RUNNING, rebuilds=1)
    assert there.image == here.images.here("better")
    assert found.spec.containers[0].image == "better"


@pytest.mark.parametrize(("method", "after"), MOMENTS)
@pytest.mark.parametrize("who", ["agent", "control"])
async def test_whoever_dies_while_it_is_healed_it_is_healed(here: Cloud, method: str, after: bool, who: str) -> None:
    made = await healing(here)
    await interrupted(here, made, method, after=after, who=who, change="heal")
    await here.until(made, Status.RUNNING, clear=True)
    there = await until_seen(here, made, Stage.RUNNING)
    assert there.health is not None
    assert there.health.condition is Condition.STARTING
    assert here.runtime.starts[made.spec.containers[0].id] >= 2


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("who", ["agent", "control"])
async def test_whoever_dies_while_limits_are_changed_they_are(here: Cloud, after: bool, who: str) -> None:
    made = await here.run(limits=SMALL)
    await interrupted(here, made, "update", after=after, who=who, change="update")
    await here.until_at_rest(made)
    there = await seen(here, made)
    assert there is not None
    assert there.limits == Resources(cpu=1.0, memory=64)
    assert here.runtime.starts[made.spec.containers[0].id] == 1


async def interrupted(here: Cloud, made: Capsule, method: str, *, after: bool, who: str, change: str) -> None:
    """Change it, and kill somebody when a step has begun, or has had its effect."""
    count = here.runtime.count(method)
    if after:
        here.runtime.fail(method, NOT_NOW, after=True)
    else:
        here.runtime.slow(method, 60)
    match change:
        case "rebuild":
            await here.containers.rebuild(ME, request(), made.id, image="better")
        case "update":
            await here.containers.update(ME, request(), made.id, Wish(memory=64))
        case _:
            here.runtime.check(made.spec.containers[0].id, Condition.UNHEALTHY, failures=3)
    await eventually(lambda: here.runtime.count(method) > count)
    part = here.agent if who == "agent" else here.control
    await part.kill()
    here.runtime.slow(method, 0)
    if who == "control" and not after:
        # The agent hangs in the call that was made slow.
        await here.agent.kill()
        here.agent.start()
    part.start()


# Health.


async def healing(here: Cloud) -> Capsule:
    wanted = alone(container(healthcheck=CHECK), run=True, auto_heal=True)
    made = await here.containers.create(ME, request(), wanted)
    return await here.until(made, Status.RUNNING)


async def test_one_that_stays_unhealthy_is_made_again_if_its_owner_wants_that(here: Cloud) -> None:
    made = await healing(here)
    before = await seen(here, made)
    here.runtime.check(made.spec.containers[0].id, Condition.UNHEALTHY, failures=3, output="refused")
    await eventually(lambda: here.runtime.starts[made.spec.containers[0].id] == 2)
    await here.until(made, Status.RUNNING, clear=True)
    there = await seen(here, made)
    assert before is not None and there is not None
    assert there.started_at != before.started_at
    assert here.runtime.count("remove", made.spec.containers[0].id) == 1, "it was only started again"


async def test_while_it_is_healed_it_is_shown_as_restarting_with_the_reason(here: Cloud) -> None:
    made = await healing(here)
    here.runtime.fail("create", NOT_NOW, times=2)
    here.runtime.check(made.spec.containers[0].id, Condition.UNHEALTHY, failures=3)
    found = await here.until(made, Status.RESTARTING)
    assert found.status.settled
    await here.until(made, Status.RUNNING, clear=True, within=8.0)


async def test_without_that_wish_it_is_only_shown(here: Cloud) -> None:
    made = await here.run(healthcheck=CHECK)
    here.runtime.check(made.spec.containers[0].id, Condition.UNHEALTHY, failures=3, output="refused")

    async def ill() -> bool:
        found = await here.show(made)
        known = found.status.containers[made.spec.containers[0].id].observed if found else None
        return known is not None and known.health is not None and known.health.output == "refused"

    async with asyncio.timeout(PATIENCE):
        while not await ill():
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    assert here.runtime.starts[made.spec.containers[0].id] == 1
    assert here.runtime.count("stop") == 0


async def test_as_long_as_all_is_well_no_check_causes_a_write(here: Cloud) -> None:
    made = await here.run(healthcheck=CHECK)
    one = made.spec.containers[0].id
    here.runtime.check(one, Condition.HEALTHY, output="1")
    async with asyncio.timeout(PATIENCE):
        while not is_well(await here.show(made)):
            await asyncio.sleep(0.01)
    before = await here.show(made)
    looks = here.runtime.count("list")
    for number in range(5):
        here.runtime.check(one, Condition.HEALTHY, output=f"{number} requests")
        await asyncio.sleep(0.02)
    await eventually(lambda: here.runtime.count("list") > looks)
    await asyncio.sleep(0.1)
    assert await here.show(made) == before


def is_well(found: Capsule | None) -> bool:
    known = [each.observed for each in found.status.containers.values()] if found else []
    return any(each and each.health and each.health.condition is Condition.HEALTHY for each in known)


async def test_one_that_is_stopped_while_it_is_healed_stays_stopped(here: Cloud) -> None:
    made = await healing(here)
    here.runtime.slow("stop", 0.2)
    here.runtime.check(made.spec.containers[0].id, Condition.UNHEALTHY, failures=3)
    await eventually(lambda: here.runtime.count("stop") == 1)
    await here.until(made, Status.RESTARTING)
    await here.containers.stop(ME, request(), made.id)
    await here.until(made, Status.STOPPED)
    await asyncio.sleep(0.2)
    assert here.runtime.starts[made.spec.containers[0].id] == 1


# Steps and progress.


async def test_an_action_tells_its_steps(here: Cloud) -> None:
    asked = request()
    made = await here.containers.create(ME, asked, alone(container(image="better"), run=True))
    await here.until(made, Status.RUNNING)
    steps = (await here.action(made, asked)).steps
    assert [step.name for step in reversed(steps)] == ["schedule", "pull", "create", "start"]
    for step in steps:
        assert step.outcome is Outcome.SUCCESS
        assert step.finished_at is not None
        assert step.finished_at >= step.started_at
    again = request()
    await here.containers.rebuild(ME, again, made.id)
    await here.until(made, Status.RUNNING)
    names = [step.name for step in reversed((await here.action(made, again)).steps)]
    assert names == ["prepare", "stop", "remove", "create", "start"]
    assert (await here.action(made, asked)).steps == steps


async def test_a_step_that_fails_again_and_again_is_told_once(here: Cloud) -> None:
    here.runtime.fail("start", NOT_NOW, times=2)
    asked = request()
    made = await here.containers.create(ME, asked, alone(container(), run=True))
    await here.until(made, Status.CREATED, task="container_starting", reason="not now")
    (step, *_) = (await here.action(made, asked)).steps
    assert (step.name, step.outcome, step.message) == ("start", Outcome.ERROR, "not now")
    await here.until(made, Status.RUNNING)
    steps = (await here.action(made, asked)).steps
    assert [(step.name, step.outcome) for step in reversed(steps)] == [
        ("schedule", Outcome.SUCCESS),
        ("create", Outcome.SUCCESS),
        ("start", Outcome.SUCCESS),
    ]


async def test_what_is_repaired_later_is_no_step_of_anybodys_request(here: Cloud) -> None:
    asked = request()
    made = await here.containers.create(ME, asked, alone(container(), run=True))
    await here.until(made, Status.RUNNING)
    steps = (await here.action(made, asked)).steps
    here.runtime.forget(made.spec.containers[0].id)
    await eventually(lambda: here.runtime.starts[made.spec.containers[0].id] == 2)
    await here.until(made, Status.RUNNING)
    assert (await here.action(made, asked)).steps == steps


async def test_what_no_host_takes_tells_why(here: Cloud) -> None:
    asked = request()
    made = await here.containers.create(ME, asked, alone(container(limits=Resources(memory=10**6))))
    await here.until(made, Status.ERROR)
    (step,) = (await here.action(made, asked)).steps
    assert (step.name, step.outcome) == ("schedule", Outcome.ERROR)
    assert "without enough memory" in (step.message or "")


async def test_while_an_image_is_fetched_it_is_told_how_far_it_is(here: Cloud) -> None:
    here.images.slow("fetch", 1.0)
    asked = request()
    made = await here.containers.create(ME, asked, alone(container(image="better")))
    async with asyncio.timeout(3):
        while not (found := await here.show(made)) or found.status.progress is None:
            await asyncio.sleep(0.01)
    assert found.status.progress.layers == 2
    assert found.status.activity == "Pulling image better"
    (pull, *_) = (await here.action(made, asked)).steps
    assert (pull.name, pull.outcome) == ("pull", None)
    found = await here.until(made, Status.CREATED)
    assert found.status.progress is None
    assert found.status.activity is None


async def test_a_delete_ends_the_fetching_of_an_image(here: Cloud) -> None:
    here.images.slow("fetch", 60)
    made = await here.containers.create(ME, request(), alone(container(image="better")))
    await eventually(lambda: here.images.count("fetch") == 1)
    await here.containers.delete(ME, request(), made.id)
    await here.until(made, None)
    assert here.images.here("better") is None


# SIGKILL, and waiting.


async def test_what_is_killed_stays_ended_whatever_its_restart_policy_says(here: Cloud) -> None:
    made = await here.run(restart=RestartPolicy(name=RestartName.ALWAYS))
    asked = request()
    await here.containers.kill(ME, asked, made.id)
    found = await here.until(made, Status.STOPPED)
    assert found.spec.desired is Desired.STOPPED
    await asyncio.sleep(0.4)
    assert here.runtime.starts[made.spec.containers[0].id] == 1
    assert (await here.action(made, asked)).outcome is Outcome.SUCCESS


async def test_whoever_waits_is_answered_as_soon_as_it_has_come_about(here: Cloud) -> None:
    made = await here.containers.create(ME, request(), alone(container(), run=True))
    found = await here.containers.wait(ME, made.id, [Status.RUNNING], 5.0)
    assert found.spec == made.spec
    await here.containers.stop(ME, request(), made.id)
    await here.containers.wait(ME, made.id, [Status.STOPPED, Status.ERROR], 5.0)
    await here.containers.start(ME, request(), made.id)
    # It is still shown as Stopped, but that is about to end.
    late = await here.containers.wait(ME, made.id, [Status.STOPPED], 0.5)
    assert late.spec.desired is Desired.RUNNING
    await here.containers.delete(ME, request(), made.id, stop=True)
    with pytest.raises(errors.NotFound):
        await here.containers.wait(ME, made.id, [Status.RUNNING], 5.0)


async def test_waiting_ends_in_an_error_and_when_the_time_is_over(here: Cloud) -> None:
    broken = await here.containers.create(ME, request(), alone(container("no-such-command"), run=True))
    await here.containers.wait(ME, broken.id, [Status.RUNNING], 5.0)
    made = await here.run()
    found = await here.containers.wait(ME, made.id, [Status.STOPPED], 0.1)
    assert found.id == made.id


# The control plane forgets at once.


async def test_what_its_host_has_removed_is_forgotten_where_the_host_says_so(tmp_path: Path) -> None:
    async with cloud(tmp_path, patrol=60.0) as here:
        made = await here.run(limits=SMALL)
        await here.containers.delete(ME, request(), made.id, stop=True)
        await here.until(made, None)
        assert (await here.host()).allocated == Resources()


async def test_an_agent_with_a_runtime_that_cannot_update_refuses_and_lets_it_run(tmp_path: Path) -> None:
    class Fixed(FakeRuntime):
        update = None  # type: ignore[assignment]

    images = images_with_two()
    async with cloud(tmp_path, images=images, runtime=Fixed(images=images, clock=time.time)) as here:
        made = await here.run(limits=SMALL)
        await here.containers.update(ME, request(), made.id, Wish(memory=64))
        await here.until(made, Status.RUNNING, reason="cannot change the limits")
