"""What is foretold holds: it fits exactly where a host would be chosen, and the smallest change helps, while nothing smaller does."""

from collections import Counter
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from higgins.logic import forecast, placement
from higgins.logic.forecast import Change
from higgins.logic.placement import Ratios, Refused, Rule
from higgins.model.capsule import CapsuleSpec, Container, Resources
from higgins.model.host import Host
from higgins.model.ids import VolumeId
from higgins.model.volume import Mount, MountKind
from higgins.testing.builders import container, host, inventory, spec, wish

LEAST = Resources(cpu=0.1, memory=4, disk=1)
ONE = Ratios(cpu=1.0, memory=1.0, disk=1.0)
AMOUNTS = (Rule.CPU, Rule.MEMORY, Rule.DISK)
SMALLEST_STEP = {Rule.CPU: 0.001, Rule.MEMORY: 1, Rule.DISK: 1}

resources = st.builds(
    Resources,
    cpu=st.one_of(st.just(0.0), st.integers(1, 5000).map(lambda thousandths: thousandths / 1000)),
    memory=st.one_of(st.just(0), st.integers(1, 10_000)),
    disk=st.one_of(st.just(0), st.integers(1, 110)),
)
ratios = st.builds(Ratios, cpu=st.floats(0.5, 4.0), memory=st.floats(0.5, 2.0), disk=st.sampled_from((0.9, 1.0)))
hosts = st.lists(
    st.builds(
        host,
        name=st.sampled_from(("one", "two", "three")),
        enabled=st.sampled_from((True, True, True, False)),
        down=st.sampled_from((False, False, False, True)),
        availability_zone=st.sampled_from(("nova", "mars")),
        allocated=resources,
        inventory=st.one_of(
            st.just(inventory()),
            st.just(inventory(handlers=("runc", "kata"), capabilities=("networks",))),
            st.just(inventory(trouble="hung")),
            st.just(None),
        ),
    ),
    max_size=4,
)
wishes = st.fixed_dictionaries(
    {
        "host": st.sampled_from((None, None, "one", "nobody")),
        "availability_zone": st.sampled_from((None, "nova", "mars")),
        "runtime": st.sampled_from((None, "runc", "kata")),
        "networks": st.sampled_from(((), (), (wish("blue"),))),
    }
)
containers = st.lists(resources.map(lambda limits: container(limits=limits)), min_size=1, max_size=2)
specs = st.builds(lambda several, wished: spec(*several, **wished), containers, wishes)


def asking(*, cpu: float = 0.0, memory: int = 0, disk: int = 0, **rest: str) -> CapsuleSpec:
    return spec(container(limits=Resources(cpu=cpu, memory=memory, disk=disk)), **rest)


def taken(hosts: list[Host], wanted: CapsuleSpec, ratios: Ratios) -> bool:
    return not isinstance(placement.choose(hosts, wanted, ratios, draw=0.0), Refused)


def applied(wanted: CapsuleSpec, field: Rule, value: Any) -> CapsuleSpec:
    """The spec with one thing asked for otherwise; amounts are those of all containers together."""
    if field not in AMOUNTS:
        return replace(wanted, **{field.value: value})
    first, *others = (replace(one, limits=replace(one.limits, **{field.value: 0})) for one in wanted.containers)
    changed: Container = replace(first, limits=replace(first.limits, **{field.value: value}))
    return replace(wanted, containers=(changed, *others))


@given(hosts, specs, ratios)
def test_it_fits_where_a_host_would_be_chosen_and_nowhere_else(
    there: list[Host], wanted: CapsuleSpec, ratios: Ratios
) -> None:
    foretold = forecast.of(there, wanted, ratios, least=LEAST)
    match placement.choose(there, wanted, ratios, draw=0.0):
        case Refused() as refused:
            assert foretold.fitting == 0
            assert foretold.refusal == refused
        case _:
            assert foretold.refusal is None and foretold.change is None
    assert foretold.fitting == sum(taken([each], wanted, ratios) for each in there)
    assert foretold.fitting + sum(foretold.refused.values()) == len(there)
    assert foretold.claim == wanted.claim()


@given(hosts, specs, ratios)
def test_with_the_change_it_fits(there: list[Host], wanted: CapsuleSpec, ratios: Ratios) -> None:
    change = forecast.smallest_change(there, wanted, ratios, least=LEAST)
    if change is not None:
        assert taken(there, applied(wanted, change.field, change.after), ratios)


@given(hosts, specs, ratios)
@example([host(allocated=Resources(cpu=0.1))], asking(cpu=4.0), ONE)
@example([host(allocated=Resources(cpu=3.7))], asking(cpu=4.0), ONE)
def test_with_less_of_a_change_of_an_amount_it_does_not_fit(
    there: list[Host], wanted: CapsuleSpec, ratios: Ratios
) -> None:
    if taken(there, wanted, ratios):
        return
    change = forecast.smallest_change(there, wanted, ratios, least=LEAST)
    if change is not None and change.field in AMOUNTS:
        assert isinstance(change.after, int | float) and isinstance(change.before, int | float)
        assert getattr(LEAST, change.field) <= change.after < change.before
        more = change.after + SMALLEST_STEP[change.field]
        assert not taken(there, applied(wanted, change.field, min(more, change.before)), ratios)


@given(hosts, specs, ratios)
def test_there_is_no_change_only_where_no_single_one_helps(
    there: list[Host], wanted: CapsuleSpec, ratios: Ratios
) -> None:
    if taken(there, wanted, ratios) or forecast.smallest_change(there, wanted, ratios, least=LEAST) is not None:
        return
    for given_up in (Rule.HOST, Rule.AVAILABILITY_ZONE, Rule.RUNTIME):
        assert not taken(there, applied(wanted, given_up, None), ratios)
    for amount in AMOUNTS:
        if getattr(wanted.claim(), amount):
            assert not taken(there, applied(wanted, amount, getattr(LEAST, amount)), ratios)


@given(hosts, specs, st.randoms())
def test_in_whatever_order_the_hosts_come_the_change_is_the_same(
    there: list[Host], wanted: CapsuleSpec, chance: Random
) -> None:
    mixed = [*there]
    chance.shuffle(mixed)
    assert forecast.smallest_change(mixed, wanted, ONE, least=LEAST) == forecast.smallest_change(
        there, wanted, ONE, least=LEAST
    )


@pytest.mark.parametrize(
    ("there", "wanted", "change"),
    [
        ([host()], asking(memory=9000), Change(field=Rule.MEMORY, before=9000, after=8192)),
        ([host(allocated=Resources(cpu=3.7))], asking(cpu=1.0), Change(field=Rule.CPU, before=1.0, after=0.3)),
        (
            [host(), host(availability_zone="mars", enabled=False)],
            asking(availability_zone="mars"),
            Change(field=Rule.AVAILABILITY_ZONE, before="mars", after=None),
        ),
        ([host()], asking(runtime="kata"), Change(field=Rule.RUNTIME, before="kata", after=None)),
        ([host()], asking(host="gone"), Change(field=Rule.HOST, before="gone", after=None)),
        ([host(enabled=False)], asking(), None),
        ([], asking(memory=9000), None),
        ([host()], asking(cpu=5.0, memory=9000), None),
        ([host(allocated=Resources(memory=8190))], asking(memory=100), None),
    ],
    ids=lambda each: each.field.value if isinstance(each, Change) else None,
)
def test_what_is_in_the_way_is_what_has_to_change(
    there: list[Host], wanted: CapsuleSpec, change: Change | None
) -> None:
    assert forecast.of(there, wanted, ONE, least=LEAST).change == change


def test_less_of_an_amount_is_proposed_before_a_wish_is_given_up_but_not_next_to_nothing_of_it() -> None:
    elsewhere = host(availability_zone="nova")
    for booked, field in ((4192, Rule.MEMORY), (8000, Rule.AVAILABILITY_ZONE)):
        there = host(availability_zone="mars", allocated=Resources(memory=booked))
        wanted = asking(memory=6000, availability_zone="mars")
        change = forecast.smallest_change([there, elsewhere], wanted, ONE, least=LEAST)
        assert change is not None and change.field is field


def test_each_host_is_counted_by_the_first_rule_that_it_breaks() -> None:
    there = [host(enabled=False, down=True), host(), host(availability_zone="mars"), host(enabled=False)]
    foretold = forecast.of(there, asking(memory=9000, availability_zone="nova"), ONE, least=LEAST)
    assert foretold.refused == Counter({Rule.ENABLED: 2, Rule.MEMORY: 1, Rule.AVAILABILITY_ZONE: 1})


def test_a_forecast_knows_where_the_volumes_lie() -> None:
    there, home = (host(inventory=inventory(capabilities=("volumes",))) for _ in range(2))
    wanted = spec(container(mounts=(Mount(kind=MountKind.VOLUME, destination="/d", volume=VolumeId("v")),)))
    foretold = forecast.of([there, home], wanted, ONE, least=LEAST, homes=frozenset({home.id}))
    assert (foretold.fitting, foretold.refused) == (1, {Rule.VOLUMES: 1})
    assert forecast.of([there], wanted, ONE, least=LEAST, homes=frozenset({home.id})).change is None
