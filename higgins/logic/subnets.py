"""The arithmetic of networks: which subnets there can be, and which of their addresses can be given to somebody."""

import ipaddress
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network

from higgins import errors

_EACH = 24
"""The length of the prefix of a network for which nobody said anything else."""
_SMALLEST = 30
"""A gateway and one more."""
_LARGEST = 16
"""Of a project's own."""
_SHARE = 4
"""One part in so many of the pool can be one project's network: others need some for those that every project may use."""
_SPECIAL = tuple(map(IPv4Network, ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3")))
"""This host, loopback, link-local (where the name servers of networks are), multicast and what is reserved."""


def parsed(text: str) -> IPv4Network:
    """A subnet as somebody wrote it. Raises Invalid for what a network cannot have."""
    try:
        subnet = ipaddress.ip_network(text)
    except ValueError as error:
        raise errors.Invalid(f"{text!r} is no subnet: write it as in 10.1.2.0/24.") from error
    if not isinstance(subnet, IPv4Network):
        raise errors.Invalid(f"{text} is a subnet of IPv6, which networks here do not have.")
    if subnet.prefixlen > _SMALLEST:
        raise errors.Invalid(
            f"The subnet {text} is too small: it has room for a gateway and one more from /{_SMALLEST} on."
        )
    if any(subnet.overlaps(each) for each in _SPECIAL):
        raise errors.Invalid(f"The addresses of {text} are not for networks.")
    return subnet


def pool(text: str) -> IPv4Network:
    """Where networks for which nobody named a subnet get theirs from. Raises Invalid if there is not even one in it."""
    found = parsed(text)
    if found.prefixlen > _EACH:
        raise errors.Invalid(f"The pool of subnets {text} is too small: each network takes a /{_EACH} of it.")
    return found


def check_own(subnet: IPv4Network, pool: IPv4Network) -> None:
    """Raises Invalid for one that is too large to be a project's own: what every project may use would find no place beside it."""
    if subnet.prefixlen < _LARGEST:
        raise errors.Invalid(f"The subnet {subnet} is too large: the largest that a project can have is a /{_LARGEST}.")
    # What a network would get for which nobody named one is never too much.
    most = max(pool.num_addresses // _SHARE, 1 << (32 - _EACH))
    if subnet.overlaps(pool) and min(subnet.num_addresses, pool.num_addresses) > most:
        raise errors.Invalid(
            f"The subnet {subnet} is too large: of {pool}, where networks get their subnets from, one may hold a quarter. Choose a smaller one, or another."
        )


def free(pool: IPv4Network, taken: Iterable[str]) -> IPv4Network | None:
    """The first subnet of the pool that overlaps none of those; None if there is none left."""
    blocks = 1 << (_EACH - pool.prefixlen)
    size = 1 << (32 - _EACH)
    begin = int(pool.network_address)
    used: set[int] = set()
    for each in map(IPv4Network, taken):
        if each.overlaps(pool):
            first, last = (int(end) - begin for end in (each.network_address, each.broadcast_address))
            used.update(range(max(0, first // size), min(blocks, last // size + 1)))
    number = next((number for number in range(blocks) if number not in used), None)
    return IPv4Network((begin + number * size, _EACH)) if number is not None else None


def gateway(subnet: IPv4Network) -> IPv4Address:
    return subnet[1]


def usable(subnet: IPv4Network) -> range:
    """The addresses that can be given away, as numbers: neither the gateway nor the subnet's own first and last."""
    return range(int(subnet.network_address) + 2, int(subnet.broadcast_address))


def wanted(subnet: IPv4Network, address: str) -> int:
    """An address that somebody asks for, as a number. Raises Invalid for one that cannot be given away."""
    try:
        number = int(IPv4Address(address))
    except ValueError as error:
        raise errors.Invalid(f"{address!r} is no address of IPv4.") from error
    if number not in usable(subnet):
        least, most = usable(subnet)[0], usable(subnet)[-1]
        raise errors.Invalid(
            f"The address {address} cannot be had on the subnet {subnet}: it has {IPv4Address(least)} to {IPv4Address(most)} to give."
        )
    return number
