"""Which subnets there can be, and which addresses of them can be given away."""

from ipaddress import IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from higgins import errors
from higgins.logic import subnets

POOL = IPv4Network("10.88.0.0/22")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("10.88.0.1/24", "no subnet"),
        ("10.88.0.0/33", "no subnet"),
        ("web", "no subnet"),
        ("", "no subnet"),
        ("fd00::/64", "IPv6"),
        ("10.0.0.0/31", "too small"),
        ("10.0.0.7", "too small"),
        ("127.0.0.0/8", "not for networks"),
        ("169.254.53.0/24", "not for networks"),
        ("224.0.0.0/8", "not for networks"),
        ("240.0.0.0/8", "not for networks"),
        ("0.0.0.0/8", "not for networks"),
        ("0.0.0.0/0", "not for networks"),
        ("126.0.0.0/7", "not for networks"),
    ],
)
def test_what_a_network_cannot_have_is_refused(text: str, why: str) -> None:
    with pytest.raises(errors.Invalid, match=why):
        subnets.parsed(text)


@pytest.mark.parametrize("text", ["10.0.0.0/30", "192.168.0.0/16", "203.0.113.0/24", "100.64.0.0/10"])
def test_any_other_subnet_will_do_be_it_private_or_not(text: str) -> None:
    assert str(subnets.parsed(text)) == text


def test_a_pool_has_room_for_one_network_at_least() -> None:
    assert subnets.pool("10.88.0.0/24") == IPv4Network("10.88.0.0/24")
    with pytest.raises(errors.Invalid, match="too small"):
        subnets.pool("10.88.0.0/25")


def test_the_first_subnet_that_overlaps_no_other_is_taken() -> None:
    assert subnets.free(POOL, []) == IPv4Network("10.88.0.0/24")
    assert subnets.free(POOL, ["10.88.0.0/24", "10.88.2.0/24", "10.99.0.0/16"]) == IPv4Network("10.88.1.0/24")
    assert subnets.free(POOL, ["10.88.0.128/30", "10.88.1.0/24"]) == IPv4Network("10.88.2.0/24")
    assert subnets.free(POOL, ["10.88.0.0/23", "10.88.3.0/30"]) == IPv4Network("10.88.2.0/24")
    assert subnets.free(POOL, ["10.0.0.0/8"]) is None


@given(st.sets(st.integers(0, 3)), st.lists(st.tuples(st.integers(0, 2**12 - 1), st.integers(20, 30)), max_size=4))
def test_what_is_found_is_in_the_pool_and_overlaps_nothing_and_nothing_is_found_only_if_there_is_nothing(
    whole: set[int], others: list[tuple[int, int]]
) -> None:
    blocks = [*POOL.subnets(new_prefix=24)]
    taken = [blocks[number] for number in whole]
    taken += [IPv4Network((int(POOL.network_address) + (at & -(1 << (32 - length))), length)) for at, length in others]
    left = [block for block in blocks if not any(block.overlaps(each) for each in taken)]
    assert subnets.free(POOL, map(str, taken)) == (left[0] if left else None)


def test_gateway_network_and_broadcast_are_nobody_elses() -> None:
    subnet = IPv4Network("10.1.2.0/29")
    assert str(subnets.gateway(subnet)) == "10.1.2.1"
    first = int(subnet.network_address)
    assert [number - first for number in subnets.usable(subnet)] == [2, 3, 4, 5, 6]
    assert subnets.wanted(subnet, "10.1.2.6") == first + 6
    for address in ("10.1.2.0", "10.1.2.1", "10.1.2.7", "10.1.2.8", "10.1.1.6", "::1", "10.1.2"):
        with pytest.raises(errors.Invalid):
            subnets.wanted(subnet, address)


@pytest.mark.parametrize(
    ("subnet", "pool"),
    [
        ("10.88.0.0/15", "10.88.0.0/13"),
        ("192.168.0.0/15", "10.88.0.0/13"),
        ("10.0.0.0/8", "10.88.0.0/13"),
        ("10.88.0.0/17", "10.88.0.0/16"),
        ("10.88.0.0/16", "10.88.0.0/23"),
    ],
)
def test_what_would_leave_no_room_for_others_is_no_projects_own(subnet: str, pool: str) -> None:
    with pytest.raises(errors.Invalid, match="is too large"):
        subnets.check_own(IPv4Network(subnet), IPv4Network(pool))


@pytest.mark.parametrize(
    ("subnet", "pool"),
    [
        ("10.88.0.0/16", "10.88.0.0/13"),
        ("10.88.64.0/18", "10.88.0.0/16"),
        ("192.168.0.0/16", "10.88.0.0/24"),
        ("10.88.0.0/24", "10.88.0.0/24"),
    ],
)
def test_a_quarter_of_the_pool_and_what_lies_outside_of_it_can_be_a_projects_own(subnet: str, pool: str) -> None:
    subnets.check_own(IPv4Network(subnet), IPv4Network(pool))
