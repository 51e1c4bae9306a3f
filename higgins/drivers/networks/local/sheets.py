"""What nft and ip are told, as text: each sheet holds as a whole or not at all for nft, and can be told again."""

import ipaddress
from collections.abc import Iterator

from higgins.drivers.networks.local.wanted import NAMESERVER, PREFIX, Wanted
from higgins.model.network import Rule

UPLINKS = "hgu"
"""How the host's ends of uplinks are named."""

HOST = f"""
add table inet higgins
flush table inet higgins
table inet higgins {{
  chain input {{
    type filter hook input priority filter; policy accept;
    iifname != "{UPLINKS}*" accept
    ct state established,related accept
    drop
  }}
  chain forward {{
    type filter hook forward priority filter; policy accept;
    iifname != "{UPLINKS}*" oifname != "{UPLINKS}*" accept
    ct state established,related accept
    ct status dnat accept
    oifname "{UPLINKS}*" drop
    oifname "docker*" drop
    oifname "br-*" drop
  }}
  chain postrouting {{
    type nat hook postrouting priority srcnat; policy accept;
    iifname "{UPLINKS}*" masquerade
    ip saddr 127.0.0.0/8 oifname "{UPLINKS}*" masquerade
  }}
}}
"""
"""Uplinks reach the world, but neither each other, nor the host, nor the containers that others run on it. What is published is
let through: it is meant for everybody."""

ROUTER = f"""
add table inet higgins
flush table inet higgins
table inet higgins {{
  chain input {{
    type filter hook input priority filter; policy drop;
    ct state established,related accept
    iifname "lo" accept
    iifname "br0" ip daddr {NAMESERVER} udp dport 53 accept
    iifname "br0" ip daddr {NAMESERVER} tcp dport 53 accept
    iifname "br0" icmp type echo-request accept
  }}
  chain forward {{
    type filter hook forward priority filter; policy drop;
    ct state established,related accept
    iifname "br0" oifname "br0" accept
    iifname "br0" oifname "up0" ip daddr != 169.254.0.0/16 accept
    iifname "up0" ct status dnat accept
  }}
  chain postrouting {{
    type nat hook postrouting priority srcnat; policy accept;
    oifname "up0" masquerade
  }}
}}
table bridge higgins {{
  map ports {{ type ifname : verdict; }}
  chain prerouting {{
    type filter hook prerouting priority filter; policy accept;
    iifname vmap @ports
    iifname "{PREFIX}*" drop
  }}
}}
"""
"""A port's frames go through the chain that bears its name; before it has one nothing comes in."""

ROUTER_SWITCHES = """
echo 1 > /proc/sys/net/ipv4/ip_forward
[ ! -e /proc/sys/net/bridge/bridge-nf-call-iptables ] || echo 0 > /proc/sys/net/bridge/bridge-nf-call-iptables
exec "$1" -f -
"""
"""A program for sh, which goes on as nft. Frames between ports of one network are no business of the router's."""


def guard(wanted: Wanted, uplink: str, *, anew: bool) -> str:
    """In the router: what may leave the port, and what is published of it. `anew` there may be an older form of it."""
    port = wanted.port
    addresses = "{ " + ", ".join(port.addresses) + " }"
    lines = [
        f"add chain bridge higgins {wanted.link}",
        f"flush chain bridge higgins {wanted.link}",
        f"add rule bridge higgins {wanted.link} ether saddr {port.mac} ip saddr {addresses} accept",
        f"add rule bridge higgins {wanted.link} ether saddr {port.mac} arp saddr ether {port.mac} arp saddr ip {addresses} accept",
        f"add rule bridge higgins {wanted.link} drop",
        f'add element bridge higgins ports {{ "{wanted.link}" : jump {wanted.link} }}',
    ]
    # The kernel takes its time for tables that go.
    lines += [no_table(wanted.link)] if anew else []
    if port.published:
        lines += [f"table inet {wanted.link} {{", "chain prerouting {"]
        lines += ["type nat hook prerouting priority dstnat; policy accept;"]
        lines += [
            f'iifname "up0" ip daddr {uplink} {each.protocol} dport {each.host_port} dnat ip to {port.addresses[0]}:{each.port}'
            for each in port.published
        ]
        lines += ["}", "}"]
    return "\n".join(lines)


def no_guard(link: str) -> str:
    """In the router: as if there never had been the port."""
    return "\n".join(
        (
            f"add chain bridge higgins {link}",
            f'add element bridge higgins ports {{ "{link}" : jump {link} }}',
            f'delete element bridge higgins ports {{ "{link}" }}',
            f"flush chain bridge higgins {link}",
            f"delete chain bridge higgins {link}",
            no_table(link),
        )
    )


def published(wanted: Wanted, uplink: str) -> str:
    """On the host: what comes for a published port, from outside or from the host itself, goes to the network's uplink."""
    lines = [no_table(wanted.link)]
    if wanted.port.published:
        lines.append(f"table inet {wanted.link} {{")
        for hook in ("prerouting", "output"):
            lines += [f"chain {hook} {{", f"type nat hook {hook} priority -100; policy accept;"]
            lines += [
                f"meta nfproto ipv4 fib daddr type local {each.protocol} dport {each.host_port} dnat ip to {uplink}:{each.host_port}"
                for each in wanted.port.published
            ]
            lines.append("}")
        lines.append("}")
    return "\n".join(lines)


def rules(wanted: Wanted) -> str:
    """In the capsule's namespace: what may come in through the port."""
    lines = [no_table(wanted.link)]
    if wanted.port.rules is not None:
        lines += [f"table inet {wanted.link} {{", "chain input {"]
        lines += ["type filter hook input priority filter; policy accept;"]
        lines += [f'iifname != "{wanted.port.interface}" accept', "ct state established,related accept"]
        lines += [each for rule in wanted.port.rules for each in _accepting(rule)]
        lines += ["drop", "}", "}"]
    return "\n".join(lines)


def no_table(name: str) -> str:
    """Wherever it is told: no such table. It can be told where there is none."""
    return f"add table inet {name}\ndelete table inet {name}"


def plug(wanted: Wanted, namespace: str, alias: str) -> str:
    """For ip in the router: a link from its bridge into the namespace."""
    port = wanted.port
    lines = [
        f"link add {wanted.link} type veth peer name {port.interface} address {port.mac} netns {namespace}",
        f"link set {wanted.link} alias {alias} addrgenmode none master br0",
        f"link set {wanted.link} up",
    ]
    return "\n".join(lines)


def interface(wanted: Wanted) -> str:
    """For ip in the capsule's namespace: its end of that link. The lowest number is the way to the world."""
    port = wanted.port
    metric = 100 + int("".join(filter(str.isdigit, port.interface)) or 0)
    lines = ["link set lo up", f"link set {port.interface} addrgenmode none"]
    lines += [
        f"address add {each}/{wanted.prefix} brd + dev {port.interface} metric {metric}" for each in port.addresses
    ]
    lines += [
        f"link set {port.interface} up",
        f"route add default via {port.gateway} dev {port.interface} metric {metric}",
    ]
    return "\n".join(lines)


def _accepting(rule: Rule) -> Iterator[str]:
    source = ipaddress.ip_network(rule.source or "0.0.0.0/0", strict=False)
    if source.version != 4:
        return  # Nothing comes from there: these networks have no IPv6.
    match = [f"ip saddr {source}"] if source.prefixlen else []
    ports = "" if rule.first is None else f"{rule.first}-{rule.last if rule.last is not None else rule.first}"
    match rule.protocol:
        case "tcp" | "udp":
            match.append(f"{rule.protocol} dport {ports or '0-65535'}")
        case "icmp":
            match.append("meta l4proto icmp")
        case _ if ports:
            match.append(f"meta l4proto {{ tcp, udp }} th dport {ports}")
    yield " ".join((*match, "accept"))
