"""What counts towards a quota, and what is too much."""

from dataclasses import replace

import pytest

from higgins.logic import quota
from higgins.model.capsule import Desired, Former, Resources
from higgins.model.quota import Allowance, Belongings, Limits, Quota, Usage
from higgins.testing.builders import capsule, container, spec, status

SMALL, LARGE = Resources(cpu=0.5, memory=256, disk=1), Resources(cpu=2.0, memory=1024, disk=1)


def test_every_container_counts_with_the_room_that_a_host_must_have_for_it() -> None:
    wanted = spec(container(limits=SMALL), container(limits=LARGE), init=(container(limits=LARGE),))
    assert quota.counted(capsule(wanted)) == Usage(containers=3, memory=1280, disk=3, microcores=2_500_000)


@pytest.mark.parametrize("desired", list(Desired))
def test_it_counts_whatever_it_does(desired: Desired) -> None:
    asked = capsule(spec(container(limits=SMALL), desired=desired))
    assert quota.counted(asked) == Usage(containers=1, memory=256, disk=1, microcores=500_000)


def test_what_is_to_be_less_counts_as_it_was_until_the_host_has_done_it() -> None:
    former = Former(desired=Desired.RUNNING, restarts=0, rebuilds=0, image="busybox", limits=LARGE)
    asked = capsule(spec(container(limits=SMALL), former=former))
    assert quota.counted(asked).memory == 1024
    for settled in (True, False):  # That it has ended since, and waits for a restart, takes nothing back.
        assert quota.counted(replace(asked, status=status(asked.spec, settled=settled))).memory == 256


def test_what_is_to_be_more_counts_at_once() -> None:
    former = Former(desired=Desired.RUNNING, restarts=0, rebuilds=0, image="busybox", limits=SMALL)
    assert quota.counted(capsule(spec(container(limits=LARGE), former=former))).memory == 1024


LIMITS = Limits(containers=2, memory=1000, disk=10, cpu=1)


@pytest.mark.parametrize(
    ("used", "more", "over"),
    [
        (Usage(), Usage(containers=2, memory=1000, disk=10, microcores=1_000_000), ()),
        (Usage(), Usage(containers=3), ("containers",)),
        (Usage(memory=1), Usage(memory=1000), ("memory",)),
        (Usage(microcores=900_000), Usage(microcores=100_001, disk=11), ("cpu", "disk")),
        (Usage(containers=9, memory=9999), Usage(memory=-1), ()),
        (Usage(containers=9, memory=9999), Usage(disk=1), ()),
    ],
)
def test_only_what_grows_beyond_its_limit_is_too_much(used: Usage, more: Usage, over: tuple[str, ...]) -> None:
    assert quota.exceeded(Quota(limits=LIMITS, used=used), more) == over


def test_nothing_is_too_much_without_a_limit_and_everything_with_a_limit_of_nothing() -> None:
    assert quota.exceeded(Quota(limits=Limits()), Usage(containers=10**9)) == ()
    assert quota.exceeded(Quota(limits=Limits(containers=0)), Usage(containers=1)) == ("containers",)


def test_a_refusal_names_what_is_too_much_and_how_much_there_is() -> None:
    words = quota.refusal(Quota(limits=LIMITS, used=Usage(memory=900, microcores=500_000)), Usage(memory=200))
    assert words.startswith("Quota exceeded for resources: ['memory']. memory: 200 more were asked for, 900 of 1000")


ALLOWANCE = Allowance(networks=2, volumes=0)


@pytest.mark.parametrize(
    ("there", "more", "over"),
    [
        (Belongings(networks=1), Belongings(networks=1), None),
        (Belongings(networks=2), Belongings(networks=1), "networks: 1 more were asked for, 2 of 2 are in use"),
        (Belongings(networks=9), Belongings(), None),
        (Belongings(), Belongings(volumes=1), "volumes: 1 more were asked for, 0 of 0 are in use"),
        (Belongings(published_ports=10**6), Belongings(published_ports=10**6, security_groups=1), None),
    ],
)
def test_of_what_is_no_container_there_may_be_as_much_as_is_configured(
    there: Belongings, more: Belongings, over: str | None
) -> None:
    refusal = quota.surplus(ALLOWANCE, there, more)
    assert (over is None) == (refusal is None)
    assert over is None or over in str(refusal)


def test_a_refusal_names_all_that_is_too_much_at_once() -> None:
    words = quota.surplus(
        Allowance(volumes=1, published_ports=1), Belongings(), Belongings(volumes=2, published_ports=3)
    )
    assert str(words).startswith(
        "Quota exceeded for resources: ['published_ports', 'volumes']. published_ports: 3 more"
    )
