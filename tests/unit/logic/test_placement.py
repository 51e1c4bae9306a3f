"""Which host is chosen, and how a refusal is explained."""

from dataclasses import replace
from typing import Any

import pytest

from higgins.logic import placement
from higgins.logic.placement import Ratios, Refused, Rule
from higgins.model.capsule import CapsuleSpec, Resources
from higgins.model.host import Host
from higgins.model.ids import ContainerId, VolumeId
from higgins.model.volume import Mount, MountKind
from higgins.testing.builders import container, host, inventory, spec, wish

ONE = Ratios(cpu=1.0, memory=1.0, disk=1.0)

MOUNTS = (Mount(kind=MountKind.VOLUME, destination="/data", volume=VolumeId("v")),)
MOUNTING = spec(container(mounts=MOUNTS))


def asking(**limits: Any) -> CapsuleSpec:
    return spec(container(limits=Resources(**limits)))


def refusal(hosts: list[Host], wanted: CapsuleSpec) -> Refused:
    refused = placement.choose(hosts, wanted, ONE, draw=0.0)
    assert isinstance(refused, Refused)
    return refused


@pytest.mark.parametrize(
    ("here", "wanted", "reason", "temporary"),
    [
        (host(enabled=False), spec(), "disabled", False),
        (host(down=True), spec(), "not connected", True),
        (host(inventory=None), spec(), "not connected", True),
        (host(inventory=inventory(trouble="hung")), spec(), "without a working runtime", True),
        (host(), spec(availability_zone="mars"), "in other availability zones", False),
        (host(), spec(runtime="kata"), "without that runtime", False),
        (host(), spec(host="other"), "not the host that was asked for", False),
        (host(), spec(sandbox=ContainerId("s")), "whose runtime has no sandboxes for several containers", False),
        (host(), MOUNTING, "on which its volumes do not lie, or that cannot mount any", False),
        (host(), spec(networks=(wish("blue"),)), "that cannot attach containers to networks", False),
        (host(), asking(cpu=5.0), "without enough cpu", False),
        (host(), asking(memory=9000), "without enough memory", False),
        (host(), asking(disk=101), "without enough disk", False),
        (host(allocated=Resources(memory=8000)), asking(memory=200), "without enough memory", False),
    ],
)
def test_a_refusal_says_why_and_whether_it_will_pass(
    here: Host, wanted: CapsuleSpec, reason: str, temporary: bool
) -> None:
    refused = refusal([here], wanted)
    assert f" 1 {reason}" in refused.sentence()
    assert refused.temporary is temporary


def test_reasons_are_counted_and_no_host_is_named() -> None:
    hosts = [host(enabled=False), host(enabled=False), host(down=True)]
    sentence = refusal(hosts, spec()).sentence()
    assert sentence == "There are not enough hosts available: 2 disabled, 1 not connected."


def test_the_one_with_the_most_room_is_among_those_drawn_from() -> None:
    hosts = [host(allocated=Resources(memory=100 * number)) for number in range(10)]
    drawn = {placement.choose(hosts, asking(memory=64), ONE, draw=draw / 10) for draw in range(10)}
    assert drawn == {hosts[0].id, hosts[1].id, hosts[2].id}


def test_what_wants_a_network_goes_where_there_are_some() -> None:
    able = host(inventory=inventory(capabilities=("networks",)))
    assert placement.choose([host(), able, host()], spec(networks=(wish("blue"),)), ONE, draw=0.9) == able.id


def test_what_asks_for_nothing_fits_a_host_that_is_full() -> None:
    full = host(allocated=Resources(cpu=4.0, memory=8192, disk=100))
    assert placement.choose([full], spec(), ONE, draw=0.5) == full.id


def test_a_capsule_goes_where_its_volumes_lie_and_nowhere_else() -> None:
    roomy, home = (host(inventory=inventory(capabilities=("volumes",))) for _ in range(2))
    full = replace(home, allocated=Resources(memory=8192))
    for draw in (0.0, 0.9):
        chosen = placement.choose([roomy, home], MOUNTING, ONE, draw=draw, homes=frozenset({home.id}))
        assert chosen == home.id
    wanted = spec(container(mounts=MOUNTS, limits=Resources(memory=64)))
    refused = placement.choose([roomy, full], wanted, ONE, draw=0.0, homes=frozenset({home.id}))
    assert refused == Refused(rules={Rule.VOLUMES: 1, Rule.MEMORY: 1})
    assert isinstance(
        placement.choose([roomy, home], MOUNTING, ONE, draw=0.0, homes=frozenset({home.id, roomy.id})), Refused
    )
