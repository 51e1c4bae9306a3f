"""What goes wrong on the way, and how it ends: never half made, never for ever, never twice."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest

from higgins import errors
from higgins.agent.agent import Custom
from higgins.link.messages import Hello, Welcome
from higgins.logic.statusword import Status
from higgins.model.action import Outcome
from higgins.model.capsule import Container, Resources, Stage
from higgins.model.ids import CapsuleId
from higgins.protocols.runtime import Origin
from higgins.service.limits import Deadlines
from higgins.testing.images import FakeImages
from higgins.testing.runtime import FakeRuntime
from higgins.testing.wire import Adversary
from tests.flow.harness import HOST, Cloud, Link, admin, alone, caller, cloud, container, eventually, request

ME = caller()
BOSS = admin("p1")
SHORT = Deadlines(create=0.4, start=0.4, stop=0.4, reboot=0.4, pause=0.4, delete=0.4, force_delete=0.4)
NOT_NOW = errors.Unavailable("the disk is full")


def runtime_of(images: FakeImages | None = None) -> FakeRuntime:
    return FakeRuntime(images=images or FakeImages(present=("busybox",)), clock=time.time)


class Clock:
    """The control plane's, which somebody sets."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


# Deadlines.


async def test_a_create_that_takes_too_long_is_an_error_with_the_reason_and_holds_nothing(tmp_path: Path) -> None:
    async with cloud(tmp_path, deadlines=SHORT) as here:
        here.runtime.fail("create", NOT_NOW, times=10_000)
        asked = request()
        made = await here.containers.create(ME, asked, alone(container(limits=Resources(memory=512)), run=True))
        found = await here.until(made, Status.ERROR, reason="the disk is full")
        assert found.assignment.host_id is None
        assert (await here.host()).allocated == Resources()
        action = await here.action(made, asked)
        assert action.outcome is Outcome.ERROR and "the disk is full" in (action.message or "")
        await asyncio.sleep(0.1)
        tried = here.runtime.count("create")
        await asyncio.sleep(0.7)
        assert here.runtime.count("create") == tried, "its host still tries"


async def test_after_an_overdue_create_a_start_tries_again(tmp_path: Path) -> None:
    async with cloud(tmp_path, deadlines=replace(SHORT, start=5.0)) as here:
        here.runtime.fail("create", NOT_NOW, times=2)
        made = await here.containers.create(ME, request(), alone(container(), run=True))
        await here.until(made, Status.ERROR)
        await here.containers.start(ME, request(), made.id)
        await here.until(made, Status.RUNNING)
        await here.until_there({made.id})


async def test_a_create_that_hangs_in_the_runtime_ends_too(tmp_path: Path) -> None:
    async with cloud(tmp_path, deadlines=SHORT) as here:
        here.runtime.slow("create", 60)
        made = await here.containers.create(ME, request(), alone(container(), run=True))
        await here.until(made, Status.ERROR, reason="in time")
        await here.containers.delete(ME, request(), made.id)
        await here.until(made, None)


@pytest.mark.parametrize(
    ("verb", "before", "method", "after"),
    [
        ("start", Status.STOPPED, "start", Status.RUNNING),
        ("stop", Status.RUNNING, "stop", Status.STOPPED),
        ("reboot", Status.RUNNING, "stop", Status.RUNNING),
        ("pause", Status.RUNNING, "pause", Status.PAUSED),
        ("unpause", Status.PAUSED, "unpause", Status.RUNNING),
    ],
)
async def test_what_takes_too_long_is_an_error_until_it_succeeds_late(
    tmp_path: Path, verb: str, before: Status, method: str, after: Status
) -> None:
    # What comes before may take as long as it does.
    short = Deadlines(**{"pause" if verb == "unpause" else verb: 0.4})
    async with cloud(tmp_path, deadlines=short) as here:
        made = await here.run()
        if before is Status.STOPPED:
            await here.containers.stop(ME, request(), made.id, timeout=0)
        if before is Status.PAUSED:
            await here.containers.pause(ME, request(), made.id)
        await here.until(made, before)
        here.runtime.slow(method, 1.0)
        asked = request()
        await (
            getattr(here.containers, verb)(ME, asked, made.id, timeout=0)
            if verb in ("stop", "reboot")
            else getattr(here.containers, verb)(ME, asked, made.id)
        )
        await here.until(made, Status.ERROR, reason="did not finish in time")
        assert (await here.action(made, asked)).outcome is Outcome.ERROR
        await here.until(made, after)


async def test_a_delete_that_takes_too_long_is_an_error_that_says_what_to_do_and_can_be_asked_again(
    tmp_path: Path,
) -> None:
    async with cloud(tmp_path, deadlines=Deadlines(delete=0.4, force_delete=0.4)) as here:
        made = await here.run()
        here.runtime.fail("remove", NOT_NOW, times=10_000)
        await here.containers.delete(ME, request(), made.id, stop=True)
        await here.until(made, Status.ERROR, reason="by force")
        await here.containers.delete(BOSS, request(), made.id, force=True)
        await here.until(made, None)
        assert (await here.host()).allocated == Resources()


async def test_no_host_at_all_is_said_after_some_patience(tmp_path: Path) -> None:
    async with cloud(tmp_path, hosted=False, patience=0.3) as here:
        made = await here.containers.create(ME, request(), alone(container(), run=True))
        await here.until(made, Status.ERROR, reason="no host has joined")
        await here.containers.delete(ME, request(), made.id)
        await here.until(made, None)


async def test_a_host_that_comes_within_the_patience_gets_what_waited(tmp_path: Path) -> None:
    async with cloud(tmp_path, hosted=False, patience=10) as here:
        made = [await here.containers.create(ME, request(), alone(container(), run=True)) for _ in range(120)]
        await asyncio.sleep(0.2)
        here.agent.start()
        for one in made:
            await here.until(one, Status.RUNNING, within=15)


async def test_who_waits_for_a_host_keeps_nobody_else_waiting(tmp_path: Path) -> None:
    """More than one page of them, in a zone whose host is away."""
    async with cloud(tmp_path, hosted=False, patience=60) as here:
        for _ in range(130):
            await here.containers.create(ME, request(), alone(container(), availability_zone="elsewhere"))
        here.agent.start()
        await asyncio.sleep(0.1)
        await here.run()


# Hosts that fall silent.


async def silenced(here: Cloud) -> None:
    await here.agent.kill()
    here.link.cut()


async def test_a_silent_host_makes_its_containers_unknown_until_it_is_back(tmp_path: Path) -> None:
    async with cloud(tmp_path, lease=0.6) as here:
        made = await here.run()
        await silenced(here)
        await here.until(made, Status.UNKNOWN, reason="not been heard of")
        here.agent.start()
        await here.until(made, Status.RUNNING)
        assert here.runtime.starts[made.spec.containers[0].id] == 1, "what ran on was disturbed"


async def test_what_happened_while_nobody_listened_is_told_afterwards(tmp_path: Path) -> None:
    async with cloud(tmp_path, lease=0.6) as here:
        made = await here.run()
        await silenced(here)
        here.runtime.end(made.spec.containers[0].id, 3)
        await here.until(made, Status.UNKNOWN)
        here.agent.start()
        await here.until(made, Status.STOPPED)


@pytest.mark.parametrize("by", [3600.0, -3600.0])
async def test_a_clock_that_is_set_takes_no_host_for_down_and_hides_none_that_is(tmp_path: Path, by: float) -> None:
    clock = Clock()
    async with cloud(tmp_path, lease=0.9, heartbeat=0.4, patrol=0.1, clock=clock) as here:
        made = await here.run()
        await asyncio.sleep(1.0)
        clock.ahead += by
        for _ in range(60):
            assert not (await here.host()).down
            await asyncio.sleep(0.01)
        await here.until(made, Status.RUNNING)
        await silenced(here)
        await here.until_host(lambda host: host.down)


@pytest.mark.parametrize("force", [False, True])
async def test_deleted_while_its_host_is_down_it_is_forgotten_and_removed_when_the_host_is_back(
    tmp_path: Path, force: bool
) -> None:
    async with cloud(tmp_path, lease=0.6) as here:
        made = await here.run(limits=Resources(memory=512))
        await silenced(here)
        await here.until(made, Status.UNKNOWN)
        await here.containers.delete(BOSS if force else ME, request(), made.id, force=force)
        await here.until(made, None)
        assert (await here.host()).allocated == Resources()
        await here.until_there({made.id})
        here.agent.start()
        await here.until_empty()


async def test_a_create_for_a_host_that_then_falls_silent_ends_and_holds_nothing_there(tmp_path: Path) -> None:
    async with cloud(tmp_path, lease=0.6, deadlines=replace(SHORT, create=1.2, start=5.0)) as here:
        here.runtime.slow("create", 60)
        made = await here.containers.create(ME, request(), alone(container(limits=Resources(memory=512)), run=True))
        await eventually(lambda: here.runtime.count("create") == 1)
        await silenced(here)
        await here.until(made, Status.UNKNOWN)
        found = await here.until(made, Status.ERROR, reason="not connected")
        assert found.assignment.host_id is None
        assert (await here.host()).allocated == Resources()


async def test_a_control_plane_that_was_away_for_long_gives_its_hosts_time_to_call(tmp_path: Path) -> None:
    async with cloud(tmp_path, lease=1.0) as here:
        made = await here.run()
        await here.control.kill()
        await asyncio.sleep(1.2)
        here.control.start()
        for _ in range(20):
            found = await here.show(made)
            assert found is not None and not found.assignment.host_lost
            await asyncio.sleep(0.02)


# Force, while the runtime is away.


async def test_a_forced_delete_forgets_at_the_deadline_and_the_remains_go_when_the_runtime_is_back(
    tmp_path: Path,
) -> None:
    async with cloud(tmp_path, deadlines=Deadlines(force_delete=0.4)) as here:
        made = await here.run(limits=Resources(memory=512))
        here.runtime.go_away()
        await here.containers.delete(BOSS, request(), made.id, force=True)
        await here.until(made, None)
        assert (await here.host()).allocated == Resources()
        here.runtime.come_back()
        await here.until_empty()


# What others do to the runtime.


async def test_what_nobody_asked_for_is_removed(tmp_path: Path) -> None:
    runtime = runtime_of()
    stray = Container(id=container().id, name="stray", image="busybox")
    origin = Origin(capsule_id=CapsuleId(stray.id), project_id="p1", epoch=1, restarts=0, handler=None)
    await runtime.create(origin, stray)
    async with cloud(tmp_path, runtime=runtime) as here:
        await here.until_empty()
        await runtime.create(origin, stray)
        await runtime.start(stray.id)
        await here.until_empty()


async def test_a_container_of_ours_that_belongs_to_no_wish_of_its_capsule_is_removed(tmp_path: Path) -> None:
    async with cloud(tmp_path) as here:
        made = await here.run()
        extra = Container(id=container().id, name="extra", image="busybox")
        origin = Origin(capsule_id=made.id, project_id="p1", epoch=1, restarts=0, handler=None)
        await here.runtime.create(origin, extra)
        await here.until_there({made.id})


async def test_an_agent_that_has_not_heard_what_is_assigned_removes_nothing(tmp_path: Path) -> None:
    runtime = runtime_of()
    async with cloud(tmp_path, runtime=runtime) as here:
        made = await here.run()
        await here.control.kill()
        await here.agent.restart()
        await asyncio.sleep(0.7)
        assert (await runtime.list())[made.spec.containers[0].id].stage is Stage.RUNNING


async def test_what_is_removed_behind_its_back_is_made_again(tmp_path: Path) -> None:
    async with cloud(tmp_path) as here:
        made = await here.run()
        one = made.spec.containers[0].id
        here.runtime.forget(one)
        await eventually(lambda: here.runtime.starts[one] == 2)
        await here.until(made, Status.RUNNING)


async def test_what_is_removed_while_nobody_watches_is_made_again(tmp_path: Path) -> None:
    async with cloud(tmp_path) as here:
        made = await here.run()
        await here.agent.kill()
        here.runtime.forget(made.spec.containers[0].id)
        here.agent.start()
        await eventually(lambda: here.runtime.starts[made.spec.containers[0].id] == 2)
        await here.until(made, Status.RUNNING)


async def test_what_cannot_be_made_again_is_not_shown_as_running(tmp_path: Path) -> None:
    async with cloud(tmp_path) as here:
        made = await here.run()
        here.images.forget("busybox")
        here.images.fail("fetch", errors.Unavailable("the registry is away"), times=10_000)
        here.runtime.forget(made.spec.containers[0].id)
        found = await here.until(made, Status.RESTARTING, reason="the registry is away")
        assert found.status.settled
        await here.containers.stop(ME, request(), made.id)
        await here.until(made, Status.STOPPED)


async def test_what_had_ended_and_is_then_removed_stays_ended(tmp_path: Path) -> None:
    async with cloud(tmp_path) as here:
        made = await here.containers.create(ME, request(), alone(container("true"), run=True))
        await here.until(made, Status.STOPPED)
        here.runtime.forget(made.spec.containers[0].id)
        await here.until(made, Status.STOPPED, reason="removed from its runtime")
        assert here.runtime.starts[made.spec.containers[0].id] == 1
        await here.containers.start(ME, request(), made.id)
        await eventually(lambda: here.runtime.starts[made.spec.containers[0].id] == 2)


# The runtime goes away.


async def test_what_an_outage_of_the_runtime_interrupted_runs_again(tmp_path: Path) -> None:
    async with cloud(tmp_path) as here:
        runs, over = await here.run(), await here.containers.create(ME, request(), alone(container(), run=True))
        await here.until(over, Status.RUNNING)
        await here.containers.stop(ME, request(), over.id, timeout=0)
        await here.until(over, Status.STOPPED)
        here.runtime.go_away()
        await asyncio.sleep(0.1)
        here.runtime.end(runs.spec.containers[0].id, 137)
        found = await here.until(runs, Status.RUNNING, reason="does not answer")
        assert found.status.settled
        here.runtime.come_back()
        await eventually(lambda: here.runtime.starts[runs.spec.containers[0].id] == 2)
        await here.until(runs, Status.RUNNING, clear=True)
        assert here.runtime.starts[over.spec.containers[0].id] == 1


async def test_while_the_runtime_is_away_nothing_is_placed_there(tmp_path: Path) -> None:
    async with cloud(tmp_path, patience=0.2) as here:
        await here.run()
        here.runtime.go_away()
        await here.until_host(lambda host: host.inventory is not None and host.inventory.trouble is not None)
        made = await here.containers.create(ME, request(), alone(container(), run=True))
        await here.until(
            made, Status.ERROR, reason="1 without a working runtime (`higgins host list` tells the operator why)"
        )


async def test_a_runtime_that_hangs_does_not_silence_its_host(tmp_path: Path) -> None:
    custom = Custom(sweep=0.5, retry=0.2, silence=1.0, stock=0.2)
    async with cloud(tmp_path, agent=custom, lease=1.0) as here:
        made = await here.run()
        here.runtime.slow("inventory", 600)
        sessions = here.link.opened
        await asyncio.sleep(1.5)
        assert here.link.opened == sessions
        await here.until(made, Status.RUNNING)


# The link.


async def test_a_host_with_nothing_to_do_sweeps_though_its_whole_assignment_was_lost_at_first(tmp_path: Path) -> None:
    """The first messages of a session may be lost: having heard nothing is not the same as having nothing."""
    runtime = runtime_of()
    stray = Container(id=container().id, name="stray", image="busybox")
    origin = Origin(capsule_id=CapsuleId(stray.id), project_id="p1", epoch=1, restarts=0, handler=None)
    await runtime.create(origin, stray)
    for seed in range(4):
        async with cloud(
            tmp_path,
            runtime=runtime,
            link=Link(Adversary(seed=seed, drop=0.6, spares=(Hello, Welcome))),
            heartbeat=0.05,
        ) as here:
            await here.until_empty()
        await runtime.create(origin, stray)


async def test_a_session_that_cannot_read_what_is_assigned_ends_and_the_next_one_can(tmp_path: Path) -> None:
    async with cloud(tmp_path, heartbeat=5.0) as here:
        made = await here.run()
        sessions = here.link.opened
        here.database.write_now(lambda db: db.exec_driver_sql("ALTER TABLE hosts RENAME TO away"))
        here.hints.hosts.hint(HOST, made.id)
        await asyncio.sleep(0.1)
        here.database.write_now(lambda db: db.exec_driver_sql("ALTER TABLE away RENAME TO hosts"))
        await here.run()
        assert here.link.opened > sessions


async def test_after_a_cut_everything_goes_on(tmp_path: Path) -> None:
    async with cloud(tmp_path) as here:
        made = await here.run()
        for _ in range(3):
            here.link.cut()
            await here.containers.reboot(ME, request(), made.id)
            await here.until(made, Status.RUNNING)


async def test_the_whole_service_carries_on_from_its_rows(tmp_path: Path) -> None:
    runtime = runtime_of()
    async with cloud(tmp_path, runtime=runtime) as here:
        made = await here.run()
    async with cloud(tmp_path, runtime=runtime) as here:
        await here.until(made, Status.RUNNING)
        await here.containers.delete(ME, request(), made.id, stop=True)
        await here.until(made, None)
    assert await runtime.list() == {}


async def test_a_silent_host_is_not_up_because_nobody_forces_it_down_any_more(tmp_path: Path) -> None:
    async with cloud(tmp_path, lease=0.6, heartbeat=0.2, patrol=0.2) as there:
        await there.run("sleep", "inf")
        await there.agent.kill()
        await there.until_host(lambda host: host.down)
        await there.hosts.set_forced_down("here", forced=True)
        await there.hosts.set_forced_down("here", forced=False)
        await there.until_host(lambda host: host.down)
