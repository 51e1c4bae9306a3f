"""Networks are asked for and shown in the words of the version, and those that a container is on in its form."""

import msgspec
import pytest

from higgins import errors
from higgins.api.zun import networks, values
from higgins.api.zun.microversion import MAX, MIN, Version
from higgins.model import network as model
from higgins.model.ids import NetworkId, PortId, ProjectId

READ = values.reader(values.Bounds())
BLUE = model.Network(
    id=NetworkId("b10e"),
    project_id=ProjectId("p1"),
    name="blue",
    subnet="10.88.7.0/24",
    gateway="10.88.7.1",
    created_at=1763740125.0,
)
PORT = model.Port(
    id=PortId("p1"),
    network_id=BLUE.id,
    mac="02:00:00:00:00:02",
    addresses=("10.88.7.2", "fd00::2"),
    subnet=BLUE.subnet,
    gateway=BLUE.gateway,
)


def asked(version: Version = MAX, **given: object) -> networks.CreateNetwork:
    return networks.CREATE.read({}, given, version, READ)


def test_a_network_is_asked_for_by_its_name_with_or_without_a_subnet():
    assert (asked(name="blue").name, asked(name="blue").subnet) == ("blue", None)
    assert asked(name="blue", subnet="10.0.0.0/24").subnet == "10.0.0.0/24"


@pytest.mark.parametrize(
    ("version", "given", "field"),
    [
        (MAX, {}, "name"),
        (MAX, {"name": None}, "name"),
        (MAX, {"name": "x"}, "name"),
        (MAX, {"name": "two words"}, "name"),
        (MAX, {"name": "blue", "subnet": 5}, "subnet"),
        (MAX, {"name": "blue", "shared": "perhaps"}, "shared"),
        (MAX, {"name": "blue", "neutron_net_id": "b10e"}, "neutron_net_id"),
        (Version(1, 40), {"name": "blue"}, "neutron_net_id"),
        (Version(1, 40), {"name": "blue", "neutron_net_id": "b10e", "subnet": "10.0.0.0/24"}, "subnet"),
        (Version(1, 40), {"neutron_net_id": "b10e"}, "name"),
        (MIN, {"name": "blue", "neutron_net_id": "b"}, "neutron_net_id"),
    ],
)
def test_what_a_version_does_not_know_or_needs_besides_is_refused_by_name(version, given, field):
    with pytest.raises(errors.Invalid, match=f"'{field}'"):
        asked(version, **given)


@pytest.mark.parametrize("name", [None, "blue"])
def test_in_zuns_versions_a_network_is_named_by_its_id_whatever_its_name(name):
    assert asked(Version(1, 40), name=name, neutron_net_id="b10e").neutron_net_id == "b10e"


def test_a_network_is_shown_with_its_addresses():
    assert msgspec.to_builtins(networks.view(BLUE, "http://HOST")) == {
        "uuid": "b10e",
        "links": [
            {"href": "http://HOST/v1/networks/b10e", "rel": "self"},
            {"href": "http://HOST/networks/b10e", "rel": "bookmark"},
        ],
        "name": "blue",
        "project_id": "p1",
        "subnet": "10.88.7.0/24",
        "gateway": "10.88.7.1",
        "created_at": "2025-11-21 15:48:45",
    }


def test_up_to_1_17_each_address_of_a_container_is_a_row():
    first = {"net_id": "b10e", "subnet_id": "b10e", "port_id": "p1", "version": 4, "ip_address": "10.88.7.2"}
    shown = msgspec.to_builtins(networks.attached([PORT], Version(1, 17)))
    assert shown == {"networks": [first, {**first, "version": 6, "ip_address": "fd00::2"}]}


def test_from_1_18_on_each_port_of_a_container_is_a_row():
    shown = msgspec.to_builtins(networks.attached([PORT], Version(1, 18)))
    assert shown == {
        "networks": [
            {
                "net_id": "b10e",
                "port_id": "p1",
                "fixed_ips": [
                    {"subnet_id": "b10e", "version": 4, "ip_address": "10.88.7.2"},
                    {"subnet_id": "b10e", "version": 6, "ip_address": "fd00::2"},
                ],
            }
        ]
    }
