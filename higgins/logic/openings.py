"""What may come in to a capsule, and through which ports of its host."""

from collections.abc import Iterator, Mapping, Sequence, Set

from higgins import errors
from higgins.model.capsule import CapsuleSpec
from higgins.model.ids import SecurityGroupId
from higgins.model.network import HostPort, PortRange, Published, Rule, SecurityGroup

AUTOMATIC = PortRange(30000, 32767)
"""The ports of a host that are given out to who names none, where the operator has not said otherwise."""
CHOOSABLE = PortRange(1024, 65535)
"""Those that can be asked for, likewise: the lower ones are the host's own."""
_LAST = 65535


def parsed(text: str) -> PortRange:
    """A range as somebody wrote it, 30000-32767, or a single port. Raises Invalid."""
    first, _, last = text.partition("-")
    try:
        found = PortRange(int(first), int(last or first))
    except ValueError as error:
        raise errors.Invalid(f"{text!r} is no range of ports: write it as in 30000-32767.") from error
    if not 1 <= found.first <= found.last <= _LAST:
        raise errors.Invalid(f"{text} is no range of ports: they go from 1 to {_LAST}, the lower one first.")
    return found


def rules(spec: CapsuleSpec, groups: Mapping[SecurityGroupId, SecurityGroup]) -> tuple[Rule, ...] | None:
    """The rules of its ports, each once; None: all may come in that reaches it over its networks.

    `groups` has those that the spec names, but for what was deleted meanwhile: nothing is let in for that. What is published is let in in any case.
    """
    if not spec.security_groups and not spec.exposed:
        return None
    of_groups = (rule for group_id in spec.security_groups if group_id in groups for rule in groups[group_id].rules)
    exposed = (Rule(protocol=port.protocol, first=port.number, last=port.number) for port in spec.exposed)
    published = (Rule(protocol=one.protocol, first=one.port, last=one.port) for one in spec.published)
    return tuple(dict.fromkeys((*of_groups, *exposed, *published)))


def assigned(
    wanted: Sequence[Published], taken: Set[HostPort], automatic: PortRange = AUTOMATIC
) -> tuple[Published, ...] | None:
    """What is wanted, each with a port of a host on which these are taken: the one that was asked for, or else the lowest free one of those given out.

    None if that is not to be had there.
    """
    named = {HostPort(one.protocol, one.host_port) for one in wanted if one.host_port}
    if len(named) < sum(bool(one.host_port) for one in wanted) or not taken.isdisjoint(named):
        return None
    # Looked through once for all of a protocol: there may be thousands that are taken.
    free = {protocol: _free(protocol, taken, named, automatic) for protocol in {one.protocol for one in wanted}}
    found: list[Published] = []
    for one in wanted:
        number = one.host_port or next(free[one.protocol], None)
        if number is None:
            return None
        found.append(Published(host_port=number, port=one.port, protocol=one.protocol))
    return tuple(found)


def _free(protocol: str, taken: Set[HostPort], named: Set[HostPort], automatic: PortRange) -> Iterator[int]:
    """From the lowest on."""
    for number in range(automatic.first, automatic.last + 1):
        port = HostPort(protocol, number)
        if port not in taken and port not in named:
            yield number
