"""Rules are asked for in the API's words, and what cannot be one is refused by its place."""

from typing import Any

import pytest

from higgins import errors
from higgins.api.zun import security_groups, values
from higgins.api.zun.microversion import MAX, OURS, Version
from higgins.api.zun.routes import Found, find
from higgins.model.network import Rule

READ = values.reader(values.Bounds())


def rules(*given: Any) -> list[Rule]:
    asked = security_groups.CREATE.read({}, {"name": "web", "rules": list(given)}, MAX, READ)
    return [security_groups.rule(one, f"rules[{number}]") for number, one in enumerate(asked.rules or ())]


def test_a_rule_is_as_wide_as_what_it_does_not_say() -> None:
    assert rules(
        {},
        {"protocol": "icmp"},
        {"protocol": "tcp", "port_min": "80"},
        {"protocol": "udp", "port_min": 1000, "port_max": 2000, "source": "10.0.0.0/8"},
        {"source": "10.0.0.7"},
    ) == [
        Rule(),
        Rule(protocol="icmp"),
        Rule(protocol="tcp", first=80, last=80),
        Rule(protocol="udp", first=1000, last=2000, source="10.0.0.0/8"),
        Rule(source="10.0.0.7/32"),
    ]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"protocol": "sctp"}, "protocol"),
        ({"port_min": 80}, "port_min"),
        ({"protocol": "icmp", "port_min": 8}, "port_min"),
        ({"protocol": "tcp", "port_max": 80}, "port_max"),
        ({"protocol": "tcp", "port_min": 80, "port_max": 79}, "port_max"),
        ({"protocol": "tcp", "port_min": 0}, "port_min"),
        ({"protocol": "tcp", "port_min": 65536}, "port_min"),
        ({"source": "everywhere"}, "source"),
        ({"source": "10.0.0.1/8"}, "source"),
        ({"source": "fd00::/8"}, "source"),
        ({"direction": "egress"}, "direction"),
    ],
)
def test_what_is_no_rule_is_refused_by_its_place(given: dict[str, Any], field: str) -> None:
    with pytest.raises(errors.Invalid, match=rf"rules\[1\]\.{field}"):
        rules({}, given)


@pytest.mark.parametrize(
    ("version", "there"),
    [(Version(1, 1), True), (Version(1, 14), True), (Version(1, 15), False), (Version(1, 40), False), (OURS, True)],
)
def test_groups_are_added_in_the_versions_that_have_it_and_again_in_ours(version: Version, there: bool) -> None:
    for verb in ("add_security_group", "remove_security_group"):
        found = find("POST", f"/v1/containers/web/{verb}")
        assert isinstance(found, Found) and found.route.there(version) is there
