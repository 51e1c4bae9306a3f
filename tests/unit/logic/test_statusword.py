"""The word a user reads, from the three sides."""

from dataclasses import replace
from typing import Any

import pytest

from higgins.logic.statusword import Status, describe, describe_one, detail
from higgins.model.capsule import (
    Assignment,
    Capsule,
    CapsuleSpec,
    CapsuleStatus,
    Condition,
    ContainerStatus,
    Desired,
    Former,
    GivenUp,
    Health,
    Kind,
    Progress,
    Stage,
)
from higgins.model.ids import NetworkId, PortId, SecurityGroupId
from higgins.model.network import NetworkWish
from higgins.testing import builders
from higgins.testing.builders import capsule, observation, spec, status


def word(wanted: CapsuleSpec, found: CapsuleStatus, **assigned: Any) -> tuple[Status, str | None]:
    said = describe(capsule(wanted, status=found, assignment=Assignment(host_id=None, epoch=1, **assigned)))
    return said.status, said.task


@pytest.mark.parametrize(
    ("desired", "stage", "expected"),
    [
        (Desired.CREATED, Stage.CREATED, Status.CREATED),
        (Desired.RUNNING, Stage.RUNNING, Status.RUNNING),
        (Desired.RUNNING, Stage.EXITED, Status.STOPPED),
        (Desired.RUNNING, Stage.ABSENT, Status.RESTARTING),
        (Desired.STOPPED, Stage.EXITED, Status.STOPPED),
        (Desired.STOPPED, Stage.ABSENT, Status.STOPPED),
        (Desired.PAUSED, Stage.PAUSED, Status.PAUSED),
        (Desired.DELETED, Stage.ABSENT, Status.DELETING),
    ],
)
def test_at_rest_the_word_is_what_the_host_sees(desired: Desired, stage: Stage, expected: Status) -> None:
    wanted = spec(desired=desired)
    assert word(wanted, status(wanted, stage))[0] is expected


@pytest.mark.parametrize(
    ("desired", "stage", "expected"),
    [
        (Desired.RUNNING, Stage.CREATED, (Status.CREATED, "container_starting")),
        (Desired.RUNNING, Stage.EXITED, (Status.STOPPED, "container_starting")),
        (Desired.RUNNING, Stage.PAUSED, (Status.PAUSED, "container_unpausing")),
        (Desired.RUNNING, Stage.RUNNING, (Status.RESTARTING, "container_rebooting")),
        (Desired.STOPPED, Stage.RUNNING, (Status.RUNNING, "container_stopping")),
        (Desired.PAUSED, Stage.RUNNING, (Status.RUNNING, "container_pausing")),
        (Desired.DELETED, Stage.RUNNING, (Status.DELETING, "container_deleting")),
    ],
)
def test_under_way_the_word_is_what_was_and_the_task_what_will_be(
    desired: Desired, stage: Stage, expected: tuple[Status, str]
) -> None:
    before = spec()
    after = replace(before, desired=desired, generation=2, restarts=1 if desired is Desired.RUNNING else 0)
    assert word(after, status(before, stage)) == expected


NET = NetworkWish(port=PortId("p"), network=NetworkId("n"))
GROUP = SecurityGroupId("g")


@pytest.mark.parametrize(
    ("before", "after", "task"),
    [
        ({}, {"networks": (NET,)}, "network_attaching"),
        ({"networks": (NET,)}, {}, "network_detaching"),
        ({}, {"security_groups": (GROUP,)}, "sg_adding"),
        ({"security_groups": (GROUP,)}, {}, "sg_removing"),
        ({}, {"networks": (NET,), "security_groups": (GROUP,)}, "network_attaching"),
        ({"networks": (NET,)}, {"networks": (NET,)}, None),
    ],
    ids=lambda value: value if isinstance(value, str) else ",".join(value) if value else "nothing",
)
@pytest.mark.parametrize(("desired", "stage"), [(Desired.RUNNING, Stage.RUNNING), (Desired.STOPPED, Stage.EXITED)])
def test_while_its_networks_or_its_rules_change_it_stays_what_it_was(
    before: dict[str, Any], after: dict[str, Any], task: str | None, desired: Desired, stage: Stage
) -> None:
    there = spec(desired=desired)
    (one,) = there.containers
    former = Former(desired=desired, restarts=0, rebuilds=0, image=one.image, limits=one.limits, **before)
    wanted = replace(there, generation=2, attachments=1, former=former, **after)
    assert word(wanted, status(there, stage)) == (describe(capsule(there, status=status(there, stage))).status, task)


def test_before_anything_was_seen_it_is_being_created() -> None:
    assert word(spec(), CapsuleStatus()) == (Status.CREATING, "container_creating")


@pytest.mark.parametrize("desired", Desired)
def test_what_was_given_up_or_failed_is_an_error_whatever_was_asked(desired: Desired) -> None:
    wanted = spec(desired=desired)
    assert word(wanted, CapsuleStatus(), given_up=GivenUp(generation=1, reason="late"))[0] is Status.ERROR
    assert word(wanted, status(wanted, failed=True))[0] is Status.ERROR


def test_a_late_success_ends_the_error() -> None:
    wanted = spec()
    assert word(wanted, status(wanted), given_up=GivenUp(generation=1, reason="late"))[0] is Status.RUNNING


def test_what_was_given_up_before_says_nothing_about_what_is_asked_now() -> None:
    wanted = spec(generation=2)
    assert word(wanted, CapsuleStatus(), given_up=GivenUp(generation=1, reason="late"))[0] is Status.CREATING


def test_on_a_host_that_is_lost_it_is_unknown_unless_it_is_to_be_deleted() -> None:
    wanted = spec()
    assert word(wanted, status(wanted), host_lost=True)[0] is Status.UNKNOWN
    leaving = replace(wanted, desired=Desired.DELETED)
    assert word(leaving, status(leaving), host_lost=True)[0] is Status.DELETING


def test_a_lost_host_is_not_named_to_its_tenants() -> None:
    wanted = spec()
    lost = capsule(wanted, status=status(wanted), assignment=Assignment(host_lost=True), host="rack-7")
    assert "rack-7" not in str(describe(lost).reason)


def test_one_of_several_that_runs_makes_the_capsule_run() -> None:
    wanted = spec(*(each for one in (spec(), spec()) for each in one.containers))
    found = status(wanted, Stage.EXITED)
    running = status(wanted, Stage.RUNNING).containers
    mixed = dict(found.containers) | {wanted.containers[0].id: running[wanted.containers[0].id]}
    both: Capsule = capsule(wanted, status=replace(found, containers=mixed))
    assert describe(both).status is Status.RUNNING


def sentence(found: CapsuleStatus, wanted: CapsuleSpec) -> str | None:
    return detail(capsule(wanted, status=found), now=1_000_000_000.0 + 180)


@pytest.mark.parametrize(
    ("health", "words"),
    [
        (None, "Up 3 mins"),
        (Health(condition=Condition.STARTING), "Up 3 mins (health: starting)"),
        (Health(condition=Condition.HEALTHY), "Up 3 mins (healthy)"),
        (Health(condition=Condition.UNHEALTHY, failures=3), "Up 3 mins (unhealthy)"),
    ],
)
def test_what_runs_says_how_well_it_is(health: Health | None, words: str) -> None:
    wanted = spec()
    seen = ContainerStatus(observed=observation(wanted.containers[0], health=health))
    assert sentence(status(wanted, containers={wanted.containers[0].id: seen}), wanted) == words


@pytest.mark.parametrize(
    ("progress", "words"),
    [
        (Progress(), "Pulling its image"),
        (Progress(layers=3), "Pulling 0 of 3 layers"),
        (Progress(layers=3, layers_done=1, size=5_250_000, done=40_000), "Pulling 1 of 3 layers, 0.0 of 5.2 MB"),
    ],
)
def test_while_an_image_is_fetched_it_says_how_far(progress: Progress, words: str) -> None:
    wanted = spec()
    assert sentence(CapsuleStatus(progress=progress), wanted) == words
    assert sentence(status(wanted, progress=progress), wanted) == words


def several(*stages: Stage | None, **known: Any) -> Capsule:
    """A capsule whose containers are at these stages; None: not seen yet."""
    containers = [builders.container(name=f"c{number}") for number, _ in enumerate(stages)]
    wanted = spec(*containers)
    found = {
        one.id: ContainerStatus(observed=observation(one, stage) if stage else None, **known)
        for one, stage in zip(containers, stages, strict=True)
    }
    return capsule(
        wanted,
        kind=Kind.CAPSULE,
        assignment=Assignment(epoch=1),
        status=CapsuleStatus(generation=1, settled=True, containers=found),
    )


R, E, C, P, A = Stage.RUNNING, Stage.EXITED, Stage.CREATED, Stage.PAUSED, Stage.ABSENT


@pytest.mark.parametrize(
    ("stages", "expected"),
    [
        ((R, R), Status.RUNNING),
        ((R, None), Status.CREATING),
        ((None, None), Status.CREATING),
        ((R, C), Status.CREATING),
        ((C, C), Status.CREATED),
        ((R, E), Status.RUNNING),
        ((E, E), Status.STOPPED),
        ((R, A), Status.RESTARTING),
        ((E, A), Status.RESTARTING),
        ((P, P), Status.PAUSED),
        ((R, P), Status.RUNNING),
        ((E, C), Status.CREATING),
    ],
)
def test_a_capsule_is_what_its_containers_are_together(stages: tuple[Stage | None, ...], expected: Status) -> None:
    assert describe(several(*stages)).status is expected


def test_a_capsule_one_of_whose_containers_waits_for_its_next_start_restarts() -> None:
    found = several(R, E, waiting=True)
    word = describe(found)
    assert (word.status, word.reason) == (Status.RESTARTING, "c1 has ended with exit code 0 and is started again.")


def test_a_capsule_says_which_of_its_containers_have_ended_and_how() -> None:
    word = describe(several(R, E, E))
    assert word.reason == "c1 has ended with exit code 0. c2 has ended with exit code 0."
    assert describe(several(R, R)).reason is None


def test_each_container_of_a_capsule_has_a_word_of_its_own() -> None:
    found = several(R, E, None)
    words = [describe_one(found, one) for one in found.spec.containers]
    assert [(word.status, word.task) for word in words] == [
        (Status.RUNNING, None),
        (Status.STOPPED, None),
        (Status.CREATING, "container_creating"),
    ]


def test_what_keeps_a_capsule_from_coming_about_keeps_the_containers_that_are_not_there_yet() -> None:
    before = several(R, None)
    failed = replace(before, status=replace(before.status, failed=True, reason="there is no such image"))
    words = [describe_one(failed, one) for one in failed.spec.containers]
    assert [(word.status, word.reason) for word in words] == [
        (Status.RUNNING, None),
        (Status.ERROR, "there is no such image"),
    ]


@pytest.mark.parametrize("desired", [Desired.DELETED, Desired.RUNNING])
def test_a_container_of_a_capsule_that_goes_or_is_out_of_sight_is_so_too(desired: Desired) -> None:
    before = several(R, E)
    lost = desired is Desired.RUNNING
    found = replace(
        before, spec=replace(before.spec, desired=desired), assignment=replace(before.assignment, host_lost=lost)
    )
    expected = Status.UNKNOWN if lost else Status.DELETING
    assert {describe_one(found, one).status for one in found.spec.containers} == {expected}
