"""The fakes do the mischief they are told to, and nothing else."""

import asyncio

import pytest

from higgins import errors
from higgins.model.capsule import Stage
from higgins.testing.images import FakeImages
from higgins.testing.runtime import Behaviour, FakeRuntime
from higgins.testing.runtime_contract import a_container, look, origin_of

OUTAGE = errors.Unavailable("told so")


async def test_a_failure_before_the_effect_leaves_none() -> None:
    runtime, web = FakeRuntime(), a_container("app:1", "serve")
    runtime.fail("create", OUTAGE, times=2)
    for _ in range(2):
        with pytest.raises(errors.Unavailable, match="told so"):
            await runtime.create(origin_of(web), web)
    assert await runtime.list() == {}
    await runtime.create(origin_of(web), web)
    assert (await runtime.list()).keys() == {web.id}
    assert runtime.count("create", web.id) == 3


async def test_a_failure_after_the_effect_leaves_it() -> None:
    runtime, web = FakeRuntime(), a_container("app:1", "serve")
    await runtime.create(origin_of(web), web)
    runtime.fail("start", OUTAGE, after=True)
    with pytest.raises(errors.Unavailable, match="told so"):
        await runtime.start(web.id)
    assert (await look(runtime, web)).stage is Stage.RUNNING


async def test_failures_told_one_after_another_come_in_that_order() -> None:
    images = FakeImages(registry=["app:1"])
    images.fail("fetch", OUTAGE)
    images.fail("fetch", errors.NotFound("gone"))
    with pytest.raises(errors.Unavailable):
        await images.fetch("app:1")
    with pytest.raises(errors.NotFound):
        await images.fetch("app:1")
    assert await images.fetch("app:1") == await images.resolve("app:1")


async def test_slowness_passes_on_the_clock_that_was_given() -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    runtime = FakeRuntime(sleep=sleep)
    runtime.slow("list", 30.0)
    await runtime.list()
    runtime.slow("list", 0)
    await runtime.list()
    assert slept == [30.0]


async def test_what_is_away_answers_nothing_and_loses_nothing() -> None:
    runtime, web = FakeRuntime(), a_container("app:1", "serve")
    await runtime.create(origin_of(web), web)
    changes = runtime.watch()
    runtime.go_away("gone fishing")
    for call in (runtime.list(), runtime.start(web.id), runtime.inventory()):
        with pytest.raises(errors.Unavailable, match="gone fishing"):
            await call
    with pytest.raises(errors.Unavailable):
        await anext(changes)
    runtime.come_back()
    assert (await look(runtime, web)).stage is Stage.CREATED


async def test_a_call_under_way_fails_when_the_runtime_goes() -> None:
    leaving = asyncio.Event()

    async def sleep(_: float) -> None:
        runtime.go_away()
        leaving.set()

    runtime, web = FakeRuntime(sleep=sleep), a_container("app:1", "serve")
    runtime.slow("create", 1)
    with pytest.raises(errors.Unavailable):
        await runtime.create(origin_of(web), web)
    runtime.come_back()
    assert leaving.is_set()
    assert await runtime.list() == {}


async def test_it_forgets_and_ends_containers_and_tells_its_watchers() -> None:
    runtime, web, job = FakeRuntime(clock=lambda: 77.0), a_container("app:1", "serve"), a_container("app:1", "work")
    for each in (web, job):
        await runtime.create(origin_of(each), each)
        await runtime.start(each.id)
    changes = runtime.watch()
    runtime.end(job.id, 3)
    runtime.forget(web.id)
    assert [await anext(changes), await anext(changes)] == [job.id, web.id]
    assert (await runtime.list()).keys() == {job.id}
    ended = await look(runtime, job)
    assert (ended.stage, ended.exit_code, ended.finished_at) == (Stage.EXITED, 3, 77.0)


async def test_a_command_does_what_was_told_of_it() -> None:
    runtime, job = FakeRuntime(), a_container("app:1", "work", "hard")
    runtime.behave(("work", "hard"), Behaviour(exit_code=4, oom_killed=True))
    await runtime.create(origin_of(job), job)
    await runtime.start(job.id)
    seen = await look(runtime, job)
    assert (seen.stage, seen.exit_code, seen.oom_killed) == (Stage.EXITED, 4, True)
    assert runtime.starts[job.id] == 1
