"""What may come in to a capsule, and which ports of its host lead to it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from higgins import errors
from higgins.logic import openings
from higgins.model.capsule import ContainerPort
from higgins.model.ids import ProjectId, SecurityGroupId
from higgins.model.network import HostPort, PortRange, Published, Rule, SecurityGroup
from higgins.testing.builders import spec

PING = Rule(protocol="icmp")
WEB = Rule(protocol="tcp", first=80, last=80)
FEW = PortRange(30000, 30003)


def group(name: str, *rules: Rule) -> SecurityGroup:
    return SecurityGroup(
        id=SecurityGroupId(name), project_id=ProjectId("p1"), name=name, rules=rules, created_at=1_000_000_000.0
    )


GROUPS = {one.id: one for one in (group("web", WEB), group("all", PING, WEB), group("none"))}


def named(*names: str) -> tuple[SecurityGroupId, ...]:
    return tuple(SecurityGroupId(name) for name in names)


def test_where_nothing_is_said_all_may_come_in_that_reaches_it() -> None:
    assert openings.rules(spec(), {}) is None
    assert openings.rules(spec(published=(Published(host_port=0, port=80),)), {}) is None


def test_of_several_groups_what_any_of_them_allows_may_come_in() -> None:
    assert openings.rules(spec(security_groups=named("web", "all")), GROUPS) == (WEB, PING)
    assert openings.rules(spec(security_groups=named("none")), GROUPS) == ()


def test_a_group_that_was_deleted_meanwhile_lets_nothing_in() -> None:
    assert openings.rules(spec(security_groups=named("gone", "web")), GROUPS) == (WEB,)
    assert openings.rules(spec(security_groups=named("gone")), GROUPS) == ()


def test_exposed_ports_are_the_only_ones_that_are_reached() -> None:
    exposed = (ContainerPort(number=80), ContainerPort(number=53, protocol="udp"))
    assert openings.rules(spec(exposed=exposed), {}) == (WEB, Rule(protocol="udp", first=53, last=53))


def test_what_is_published_is_let_in_whatever_the_groups_say() -> None:
    wanted = spec(security_groups=named("none"), published=(Published(host_port=0, port=80),))
    assert openings.rules(wanted, GROUPS) == (WEB,)


ports = st.sampled_from(range(29998, 30006))
protocols = st.sampled_from(("tcp", "udp"))
wishes = st.lists(
    st.builds(Published, host_port=st.one_of(st.just(0), ports), port=st.just(80), protocol=protocols), max_size=4
)
used = st.frozensets(st.builds(HostPort, protocols, ports), max_size=8)


@given(wishes, used)
def test_what_is_given_is_what_was_asked_for_and_nobodys_yet(
    wanted: list[Published], taken: frozenset[HostPort]
) -> None:
    given = openings.assigned(wanted, taken, FEW)
    if given is None:
        return
    claimed = [HostPort(one.protocol, one.host_port) for one in given]
    assert len({*claimed}) == len(claimed) and taken.isdisjoint(claimed)
    for asked, got in zip(wanted, given, strict=True):
        assert (asked.port, asked.protocol) == (got.port, got.protocol)
        assert got.host_port == asked.host_port or (asked.host_port == 0 and got.host_port in FEW)


@given(wishes, used)
def test_nothing_is_refused_that_could_be_given(wanted: list[Published], taken: frozenset[HostPort]) -> None:
    if openings.assigned(wanted, taken, FEW) is not None:
        return
    chosen = [HostPort(one.protocol, one.host_port) for one in wanted if one.host_port]
    asked = {
        protocol: sum(one.protocol == protocol and not one.host_port for one in wanted) for protocol in ("tcp", "udp")
    }
    free = {
        protocol: sum(HostPort(protocol, number) not in {*taken, *chosen} for number in range(FEW.first, FEW.last + 1))
        for protocol in ("tcp", "udp")
    }
    twice = len({*chosen}) < len(chosen)
    assert twice or not taken.isdisjoint(chosen) or any(asked[one] > free[one] for one in asked)


def test_who_names_none_gets_the_lowest_that_is_free() -> None:
    any_one = Published(host_port=0, port=80)
    first = openings.assigned([any_one, any_one], {HostPort("tcp", 30000)}, FEW)
    assert first is not None and [one.host_port for one in first] == [30001, 30002]


class Asked(frozenset[HostPort]):
    """Ports that count how often it is asked whether one of them is taken."""

    questions = 0

    def __contains__(self, port: object) -> bool:
        self.questions += 1
        return super().__contains__(port)


def test_however_many_are_wanted_the_ports_of_a_host_are_looked_through_once() -> None:
    taken = Asked(HostPort("tcp", number) for number in range(30000, 31000))
    given = openings.assigned([Published(host_port=0, port=80)] * 64, taken)
    assert given is not None and [one.host_port for one in given] == list(range(31000, 31064))
    assert taken.questions == 1064


@pytest.mark.parametrize(("text", "first", "last"), [("30000-32767", 30000, 32767), ("8080", 8080, 8080)])
def test_a_range_of_ports_is_read_as_it_is_written(text: str, first: int, last: int) -> None:
    found = openings.parsed(text)
    assert first in found and last in found and first - 1 not in found and last + 1 not in found


@pytest.mark.parametrize("text", ["", "high", "0-10", "20-10", "1-65536", "1-2-3"])
def test_what_is_no_range_of_ports_is_refused(text: str) -> None:
    with pytest.raises(errors.Invalid, match="no range of ports"):
        openings.parsed(text)
