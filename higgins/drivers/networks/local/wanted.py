"""A port as this host can make it, and how its parts are named."""

import hashlib
import ipaddress
import re
from dataclasses import dataclass

from higgins import errors
from higgins.model.ids import NetworkId, PortId
from higgins.model.network import Port

NAMESERVER = "169.254.53.53"
"""Where the names of a network are to be asked for, the same on every one of them."""
PREFIX = "hgp"
"""How the links of ports are named; the rules of a router count on it."""

ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_INTERFACE = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,9}")
_MAC = re.compile(r"[0-9a-f][02468ace](:[0-9a-f]{2}){5}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,254}")
_PUBLISHED, _RULED = re.compile("tcp|udp"), re.compile("tcp|udp|icmp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A port of which every word may stand in a command: nothing in it has a meaning that it should not have."""

    port: Port
    link: str
    """Its end in the router; also the name of its tables of rules."""
    prefix: int
    """Of the network: how many bits of an address say which it is."""

    @classmethod
    def of(cls, port: Port) -> "Wanted":
        """Raises Invalid for what no host could make."""
        try:
            subnet = ipaddress.IPv4Network(port.subnet)
            if not port.addresses or not all(
                ipaddress.IPv4Address(each) in subnet for each in (port.gateway, *port.addresses)
            ):
                raise ValueError(f"{port.addresses} and {port.gateway} have to be addresses of {subnet}")
            _fits(port.interface, _INTERFACE)
            _fits(port.mac, _MAC)
            for name in port.names:
                _fits(name, _NAME)
            for published in port.published:
                _fits(published.protocol, _PUBLISHED)
                _is_port(published.host_port, published.port)
            for rule in port.rules or ():
                _fits(rule.protocol or "tcp", _RULED)
                ipaddress.ip_network(rule.source or "0.0.0.0/0", strict=False)
                first = rule.first or 0
                if not 0 <= first <= (first if rule.last is None else rule.last) < 65536:
                    raise ValueError(f"{rule.first} to {rule.last} is no range of port numbers")
        except ValueError as error:
            raise errors.Invalid(f"Port {port.id} cannot be made: {error}. Networks here have IPv4 only.") from error
        return cls(port=port, link=link_of(port.id), prefix=subnet.prefixlen)

    @property
    def wiring(self) -> str:
        """A digest of what cannot be changed without taking the port out."""
        port = self.port
        return digest(port.network_id, port.mac, port.addresses, port.subnet, port.gateway, port.interface)

    @property
    def form(self) -> str:
        """A digest of all of it."""
        return digest(self.port)


def link_of(port_id: PortId) -> str:
    """The name of a port's end in the router. Raises Invalid for an id that is no UUID."""
    if not ID.fullmatch(port_id):
        raise errors.Invalid(f"Port {port_id}: an id has to be a UUID.")
    return PREFIX + port_id.replace("-", "")[:12]


def router_of(owner: str, network_id: NetworkId) -> str:
    """The name of a network's namespace on this host."""
    return "hgn-" + digest(owner, network_id)[:8]


def mark(*words: str) -> str:
    """What is written on a link, so that it is known again."""
    return ",".join(("higgins", *words))


def _fits(word: str, form: re.Pattern[str]) -> None:
    if not form.fullmatch(word):
        raise ValueError(f"{word!r} is not possible")


def _is_port(*numbers: int) -> None:
    if not all(0 < number < 65536 for number in numbers):
        raise ValueError(f"not all of {numbers} are port numbers")


def digest(*parts: object) -> str:
    """The same for the same."""
    return hashlib.sha1(repr(parts).encode(), usedforsecurity=False).hexdigest()[:16]
