"""A container's life, through the verbs, with everything real but the runtime and the wire."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from higgins import errors
from higgins.link.messages import Finding
from higgins.logic.allowed import STATUSES
from higgins.logic.statusword import Status
from higgins.model.action import Outcome
from higgins.model.capsule import Capsule, PullPolicy, Resources, RestartName, RestartPolicy, Stage
from higgins.model.identity import Caller
from higgins.model.ids import RequestId
from higgins.model.query import Query
from higgins.service.containers import Wish
from higgins.service.live import LiveVerbs
from higgins.testing import builders
from higgins.testing.images import FakeImages
from higgins.testing.runtime import Behaviour
from tests.flow.harness import HOST, Cloud, admin, alone, caller, cloud, container, eventually, request

ME = caller()
BOSS = admin("p1")
"""Policy keeps deleting by force for admins."""


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Cloud]:
    async with cloud(tmp_path, images=FakeImages(present=("busybox",), registry=("far",))) as made:
        yield made


async def brought_to(here: Cloud, status: Status) -> Capsule:
    """A container in this status, at rest."""
    match status:
        case Status.CREATED:
            made = await here.containers.create(ME, request(), alone(container()))
        case Status.RUNNING:
            return await here.run()
        case Status.STOPPED:
            made = await here.run()
            await here.containers.stop(ME, request(), made.id)
        case Status.PAUSED:
            made = await here.run()
            await here.containers.pause(ME, request(), made.id)
        case Status.ERROR:
            made = await here.containers.create(ME, request(), alone(container("no-such-command"), run=True))
        case Status.RESTARTING:
            here.runtime.behave(("crash",), Behaviour(exit_code=1))
            crashing = container("crash", restart=RestartPolicy(name=RestartName.ALWAYS))
            made = await here.containers.create(ME, request(), alone(crashing, run=True))
        case Status.CREATING:
            here.runtime.fail("create", errors.Unavailable("not now"), times=10_000)
            made = await here.containers.create(ME, request(), alone(container()))
            return await here.until(made, status, task="container_creating")
        case _:
            raise AssertionError(f"nobody stays {status}")
    return await here.until(made, status)


async def _got(verbs: LiveVerbs, who: Caller, ref: str) -> None:
    async with verbs.get_archive(who, ref, "/etc"):
        pass


async def _put(verbs: LiveVerbs, who: Caller, ref: str) -> None:
    async def nothing() -> AsyncIterator[bytes]:
        yield bytes(1024)

    await verbs.put_archive(who, ref, "/tmp", nothing())


LIVE: dict[str, Callable[[LiveVerbs, Caller, str], Awaitable[object]]] = {
    "attach": lambda verbs, who, ref: verbs.attach(who, ref),
    "enter": lambda verbs, who, ref: verbs.enter(who, ref, ["sh"]),
    "execute_resize": lambda verbs, who, ref: verbs.execute_resize(who, ref, "0" * 64, width=80, height=24),
    "resize": lambda verbs, who, ref: verbs.resize(who, ref, width=80, height=24),
    "top": lambda verbs, who, ref: verbs.top(who, ref),
    "stats": lambda verbs, who, ref: verbs.stats(who, ref),
    "get_archive": _got,
    "put_archive": _put,
    "commit": lambda verbs, who, ref: verbs.commit(who, request(), ref, repository="mine"),
}
"""What hosts answer, besides execute, logs and kill."""


async def ask(here: Cloud, verb: str, asked: RequestId, made: Capsule) -> None:
    match verb:
        case "delete_after_stop":
            await here.containers.delete(ME, asked, made.id, stop=True)
        case "delete_force":
            await here.containers.delete(BOSS, asked, made.id, force=True)
        case "update" | "resize_container":
            await getattr(here.containers, verb)(ME, asked, made.id, Wish(name="another-name"))
        case "kill":
            await here.containers.kill(ME, asked, made.id)
        case "execute":
            await here.live.execute(ME, made.id, ["echo", "hello"])
        case "logs":
            async with here.live.logs(ME, made.id) as pieces:
                async for _ in pieces:
                    pass
        case "enter":
            await here.live.enter(ME, made.id, ["sh"])
        case "attach_early":
            await here.live.attach(ME, made.id, early=True)
        case "add_security_group" | "remove_security_group":
            await getattr(here.containers, verb)(ME, asked, made.id, "front")
        case _ if verb in LIVE:
            await LIVE[verb](here.live, ME, made.id)
        case _:
            await getattr(here.containers, verb)(ME, asked, made.id)


SHORT_LIVED = (Status.UNKNOWN, Status.CREATING, Status.REBUILDING, Status.DELETING)
REACHED = [status for status in Status if status not in SHORT_LIVED]
LEADS_TO = {
    "start": Status.RUNNING,
    "stop": Status.STOPPED,
    "reboot": Status.RUNNING,
    "pause": Status.PAUSED,
    "unpause": Status.RUNNING,
    "delete": None,
    "delete_after_stop": None,
    "delete_force": None,
}


@pytest.mark.parametrize("verb", STATUSES)
async def test_a_verb_that_the_present_status_does_not_allow_changes_nothing(here: Cloud, verb: str) -> None:
    for status in REACHED:
        if status in STATUSES[verb]:
            continue
        made = await brought_to(here, status)
        with pytest.raises(errors.Conflict) as refused:
            await ask(here, verb, request(), made)
        assert refused.value.name == "invalid-state-exception"
        after = await here.show(made)
        assert after is not None
        assert after.spec == made.spec
        await here.containers.delete(BOSS, request(), made.id, force=True)


@pytest.mark.parametrize("verb", LEADS_TO)
async def test_a_verb_leads_where_it_says_from_every_status_that_allows_it(here: Cloud, verb: str) -> None:
    for status in REACHED:
        if status not in STATUSES[verb] or status is Status.ERROR:
            continue
        made = await brought_to(here, status)
        asked = request()
        await ask(here, verb, asked, made)
        expected = LEADS_TO[verb]
        await here.until(made, expected)
        if expected is not None:
            assert (await here.action(made, asked)).outcome is Outcome.SUCCESS
            await here.containers.delete(BOSS, request(), made.id, force=True)
            await here.until(made, None)
    assert await here.runtime.list() == {}


async def test_what_is_half_made_can_be_deleted(here: Cloud) -> None:
    made = await brought_to(here, Status.CREATING)
    await here.containers.delete(ME, request(), made.id)
    await here.until(made, None)


async def test_what_fails_to_be_deleted_can_be_asked_for_again_and_is_tried_at_once(here: Cloud) -> None:
    made = await here.run()
    here.runtime.fail("remove", errors.Invalid("not like this"))
    asked = request()
    await here.containers.delete(ME, asked, made.id, stop=True)
    await here.until(made, Status.ERROR, reason="not like this")
    assert (await here.action(made, asked)).outcome is Outcome.ERROR
    await here.containers.delete(ME, request(), made.id)
    await here.until(made, None)


async def test_a_reboot_and_a_start_are_fresh_starts(here: Cloud) -> None:
    made = await here.run()
    await here.containers.reboot(ME, request(), made.id)
    await here.until(made, Status.RUNNING)
    assert here.runtime.starts[made.spec.containers[0].id] == 2
    await here.containers.stop(ME, request(), made.id)
    await here.until(made, Status.STOPPED)
    await here.containers.start(ME, request(), made.id)
    await here.until(made, Status.RUNNING)
    assert here.runtime.starts[made.spec.containers[0].id] == 3


async def test_a_pause_and_an_unpause_start_nothing(here: Cloud) -> None:
    made = await here.run()
    await here.containers.pause(ME, request(), made.id)
    await here.until(made, Status.PAUSED)
    await here.containers.unpause(ME, request(), made.id)
    await here.until(made, Status.RUNNING)
    assert here.runtime.starts[made.spec.containers[0].id] == 1


async def test_verbs_given_faster_than_the_host_follows_end_where_the_last_one_says(here: Cloud) -> None:
    made = await here.run()
    here.runtime.slow("pause", 0.1)
    asked = [request() for _ in range(4)]
    await here.containers.pause(ME, asked[0], made.id)
    await here.containers.pause(ME, asked[1], made.id)
    await here.containers.stop(ME, asked[2], made.id)
    await here.containers.stop(ME, asked[3], made.id)
    await here.until(made, Status.STOPPED)
    assert {(await here.action(made, one)).outcome for one in asked} == {Outcome.SUCCESS}


async def test_what_is_being_stopped_can_be_neither_paused_nor_unpaused_any_more(here: Cloud) -> None:
    made = await here.run()
    await here.agent.kill()
    await here.containers.pause(ME, request(), made.id)
    await here.containers.stop(ME, request(), made.id)
    with pytest.raises(errors.Conflict, match="being stopped"):
        await here.containers.pause(ME, request(), made.id)
    # The host had paused it before it heard of the stop, and its report comes late.
    paused = builders.status(replace(made.spec, generation=2), Stage.PAUSED)
    finding = Finding(capsule_id=made.id, epoch=1, sequence=999, status=paused)
    await here.hosts.report(HOST, (await here.host()).session, [finding])
    await here.until(made, Status.PAUSED, task="container_stopping")
    with pytest.raises(errors.Conflict, match="being stopped"):
        await here.containers.unpause(ME, request(), made.id)
    here.agent.start()
    await here.until(made, Status.STOPPED)


async def test_a_delete_does_not_wait_for_a_stop_that_takes_its_time(here: Cloud) -> None:
    made = await here.run()
    here.runtime.slow("stop", 60)
    await here.containers.stop(ME, request(), made.id, timeout=3600)
    await eventually(lambda: here.runtime.count("stop") == 1)
    await here.containers.delete(BOSS, request(), made.id, force=True)
    await here.until(made, None)


async def test_a_delete_does_not_wait_for_an_image(tmp_path: Path) -> None:
    async with cloud(tmp_path) as here:
        here.images.slow("fetch", 60)
        made = await here.containers.create(ME, request(), alone(container(image="huge"), run=True))
        await eventually(lambda: here.images.count("fetch") == 1)
        found = await here.until(made, Status.CREATING, task="container_creating")
        await here.containers.delete(ME, request(), found.id)
        await here.until(made, None)


async def test_kill_execute_and_logs_reach_the_container(here: Cloud) -> None:
    made = await here.run("sleep", "inf")
    assert (await here.live.execute(ME, made.id, ["echo", "hello"])).output == b"hello\n"
    here.runtime.print(made.spec.containers[0].id, b"one\ntwo\n")
    async with here.live.logs(ME, made.name, tail=1) as pieces:
        assert b"".join([piece async for piece in pieces]) == b"two\n"
    asked = request()
    await here.live.kill(ME, asked, made.id, signal="SIGHUP")
    assert here.runtime.signals == [(made.spec.containers[0].id, "SIGHUP")]
    assert (await here.action(made, asked)).outcome is Outcome.SUCCESS
    asked = request()
    await here.containers.kill(ME, asked, made.id)
    await here.until(made, Status.STOPPED)
    assert (await here.action(made, asked)).outcome is Outcome.SUCCESS


async def test_nobody_else_sees_or_names_or_changes_it(here: Cloud) -> None:
    made = await here.run(name="mine")
    stranger, reader = caller("p2"), caller("p1", "reader")
    verbs = [*LEADS_TO, "update", "resize_container", "rebuild", "kill", "execute", "logs", *LIVE]
    for ref in (made.id, made.name):
        for verb in verbs:
            with pytest.raises(errors.NotFound):
                await as_somebody(here, stranger, verb, ref)
        with pytest.raises(errors.NotFound):
            await here.containers.show(stranger, ref)
        with pytest.raises(errors.NotFound):
            await here.containers.actions(stranger, ref)
    assert (await here.containers.list(stranger, Query())).items == ()
    with pytest.raises(errors.NotFound):
        await here.containers.list(stranger, Query(marker=made.id))
    with pytest.raises(errors.Forbidden):
        await here.containers.list(stranger, Query(all_projects=True))
    with pytest.raises(errors.Forbidden):
        await here.containers.show(stranger, made.id, all_projects=True)
    for verb in [*LEADS_TO, "update", "resize_container", "rebuild", "kill", "execute", *LIVE]:
        if verb in ("top", "stats"):
            continue
        with pytest.raises(errors.Forbidden):
            await as_somebody(here, reader, verb, made.id)
    after = await here.show(made)
    assert after is not None
    assert after.spec == made.spec
    assert (await here.containers.show(reader, made.id)).id == made.id


async def as_somebody(here: Cloud, who: Caller, verb: str, ref: str) -> None:
    verbs = here.containers
    match verb:
        case "delete_after_stop":
            await verbs.delete(who, request(), ref, stop=True)
        case "delete_force":
            await verbs.delete(who, request(), ref, force=True)
        case "update" | "resize_container":
            await getattr(verbs, verb)(who, request(), ref, Wish(memory=64))
        case "execute":
            await here.live.execute(who, ref, ["true"])
        case "logs":
            async with here.live.logs(who, ref):
                pass
        case "add_security_group" | "remove_security_group":
            await getattr(verbs, verb)(who, request(), ref, "front")
        case _ if verb in LIVE:
            await LIVE[verb](here.live, who, ref)
        case _:
            await getattr(verbs, verb)(who, request(), ref)


async def test_two_with_one_name_have_to_be_told_apart(here: Cloud) -> None:
    first = await here.run(name="web")
    await here.run(name="web")
    with pytest.raises(errors.Conflict, match="Multiple"):
        await here.containers.stop(ME, request(), "web")
    await here.containers.stop(ME, request(), first.id)
    await here.until(first, Status.STOPPED)


async def test_an_unknown_image_is_an_error_that_names_it_until_it_is_there(here: Cloud) -> None:
    here.images.fail("fetch", errors.NotFound("Image far could not be found.", code="image-not-found"))
    asked = request()
    made = await here.containers.create(ME, asked, alone(container(image="far"), run=True))
    found = await here.until(made, Status.ERROR, reason="Image far could not be found")
    action = await here.action(made, asked)
    assert (action.outcome, action.message) == (Outcome.ERROR, found.status.reason)
    await asyncio.sleep(0.6)
    assert here.images.count("fetch") == 1, "what cannot work is tried again and again"
    await here.containers.start(ME, request(), made.id)
    await here.until(made, Status.RUNNING)


async def test_an_image_that_must_not_be_fetched_is_not(here: Cloud) -> None:
    made = await here.containers.create(
        admin("p1"), request(), alone(container(image="missing", pull=PullPolicy.NEVER), run=True)
    )
    await here.until(made, Status.ERROR, reason="never")
    assert here.images.count("fetch") == 0


async def test_a_missing_command_is_an_error_that_names_it(here: Cloud) -> None:
    made = await here.containers.create(ME, request(), alone(container("no-such-command"), run=True))
    await here.until(made, Status.ERROR, reason="no-such-command")
    await here.containers.delete(ME, request(), made.id)
    await here.until(made, None)


async def test_a_failure_of_an_old_wish_does_not_stop_a_newer_one(here: Cloud) -> None:
    """A delete that arrives while a start is failing for good."""
    here.runtime.slow("start", 0.2)
    made = await here.containers.create(ME, request(), alone(container("no-such-command"), run=True))
    await eventually(lambda: here.runtime.count("start") == 1)
    await here.containers.delete(BOSS, request(), made.id, force=True)
    await here.until(made, None)


@pytest.mark.parametrize("method", ["create", "start", "list", "stop", "remove", "fetch"])
@pytest.mark.parametrize("after", [False, True])
async def test_what_fails_for_a_while_is_tried_until_it_succeeds(here: Cloud, method: str, after: bool) -> None:
    fake = here.images if method == "fetch" else here.runtime
    fake.fail(method, errors.Unavailable("not just now"), times=2, after=after)
    made = await here.containers.create(ME, request(), alone(container(image="far"), run=True))
    await here.until(made, Status.RUNNING)
    await here.containers.stop(ME, request(), made.id)
    await here.until(made, Status.STOPPED)
    await here.containers.delete(ME, request(), made.id)
    await here.until(made, None)
    assert await here.runtime.list() == {}


async def test_while_it_is_tried_again_the_reason_is_told_and_gone_afterwards(here: Cloud) -> None:
    here.runtime.fail("create", errors.Unavailable("the disk is full"), times=2)
    made = await here.containers.create(ME, request(), alone(container(), run=True))
    await here.until(made, Status.CREATING, task="container_creating", reason="the disk is full")
    assert (await here.until(made, Status.RUNNING)).status.reason is None


async def test_one_that_asked_to_be_removed_after_its_run_is(here: Cloud) -> None:
    made = await here.containers.create(ME, request(), alone(container("true"), run=True, auto_remove=True))
    await here.until(made, None)
    assert await here.runtime.list() == {}
    cut = await here.containers.create(ME, request(), alone(container(), run=True, auto_remove=True))
    await here.until(cut, Status.RUNNING)
    here.runtime.go_away()
    here.runtime.end(cut.spec.containers[0].id, 255)
    here.runtime.fail("start", errors.Unavailable("not just now"))
    here.runtime.come_back()
    await eventually(lambda: here.runtime.starts[cut.spec.containers[0].id] == 2)
    for verb in (here.containers.stop, here.containers.kill):
        ended = await here.containers.create(ME, request(), alone(container(), run=True, auto_remove=True))
        await here.until(ended, Status.RUNNING)
        await verb(ME, request(), ended.id)
        await here.until(ended, None)


async def test_one_that_always_restarts_does_with_growing_pauses(here: Cloud) -> None:
    here.runtime.behave(("crash",), Behaviour(exit_code=1))
    policy = RestartPolicy(name=RestartName.ALWAYS)
    made = await here.containers.create(ME, request(), alone(container("crash", restart=policy), run=True))
    await here.until(made, Status.RESTARTING)
    await asyncio.sleep(1.0)
    assert 3 <= here.runtime.starts[made.spec.containers[0].id] <= 5  # After 0, 0.1, 0.3, 0.7, 1.5 seconds.
    await here.containers.stop(ME, request(), made.id)
    await here.until(made, Status.STOPPED)
    count = here.runtime.starts[made.spec.containers[0].id]
    await asyncio.sleep(0.3)
    assert here.runtime.starts[made.spec.containers[0].id] == count


async def test_one_that_may_fail_so_often_does_not_more_often(here: Cloud) -> None:
    here.runtime.behave(("crash",), Behaviour(exit_code=1))
    policy = RestartPolicy(name=RestartName.ON_FAILURE, maximum=2)
    made = await here.containers.create(ME, request(), alone(container("crash", restart=policy), run=True))
    await here.until(made, Status.STOPPED)
    assert here.runtime.starts[made.spec.containers[0].id] == 3


@pytest.mark.parametrize("name", [RestartName.NO, RestartName.ON_FAILURE])
async def test_a_job_that_ended_well_is_over(here: Cloud, name: RestartName) -> None:
    made = await here.containers.create(
        ME, request(), alone(container("true", restart=RestartPolicy(name=name)), run=True)
    )
    await here.until(made, Status.STOPPED)
    await asyncio.sleep(0.2)
    assert here.runtime.starts[made.spec.containers[0].id] == 1


async def test_out_of_memory_is_said(here: Cloud) -> None:
    made = await here.run()
    here.runtime.end(made.spec.containers[0].id, 137, oom_killed=True)
    assert (await here.until(made, Status.STOPPED, reason="memory")).status.containers


async def test_room_is_booked_and_given_back(here: Cloud) -> None:
    limits = Resources(cpu=1.0, memory=1024, disk=10)
    made = [await here.run(limits=limits) for _ in range(3)]
    assert (await here.host()).allocated == Resources(cpu=3.0, memory=3072, disk=30)
    for one in made:
        await here.containers.delete(BOSS, request(), one.id, force=True)
    for one in made:
        await here.until(one, None)
    assert (await here.host()).allocated == Resources()


async def test_where_there_is_no_room_the_reasons_are_counted_and_a_later_start_finds_it(here: Cloud) -> None:
    big = await here.run(limits=Resources(memory=8192))
    asked = request()
    second = await here.containers.create(ME, asked, alone(container(limits=Resources(memory=8192)), run=True))
    await here.until(second, Status.ERROR, reason="1 without enough memory")
    assert (await here.action(second, asked)).outcome is Outcome.ERROR
    await here.containers.delete(BOSS, request(), big.id, force=True)
    await here.until(big, None)
    await here.containers.start(ME, request(), second.id)
    await here.until(second, Status.RUNNING)


async def test_a_container_shows_what_its_runtime_says_of_it(here: Cloud) -> None:
    made = await here.run()
    seen = made.status.containers[made.spec.containers[0].id].observed
    assert seen is not None
    assert (seen.stage, made.host) == (Stage.RUNNING, "here")


async def test_a_name_that_nobody_chose_is_never_refused(tmp_path: Path) -> None:
    """Of so many drawn from a few hundred, two are alike but for a miracle."""
    async with cloud(tmp_path, hosted=False, unique_names="global") as service:
        made = [await service.containers.create(caller(), request(), alone(container())) for _ in range(120)]
    assert len({capsule.name for capsule in made}) == 120


async def test_a_kill_that_was_broken_off_is_no_success(tmp_path: Path) -> None:
    async with cloud(tmp_path) as service:
        capsule, asked = await service.run(), request()
        service.runtime.slow("kill", 3600)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await service.live.kill(caller(), asked, capsule.id, signal="SIGHUP")
        assert (await service.action(capsule, asked)).outcome is Outcome.ERROR
