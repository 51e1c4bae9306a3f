"""A capsule is shown with where it is found, whatever other words a version has."""

from dataclasses import replace

import msgspec
import pytest

from higgins.api.zun import capsules
from higgins.api.zun.microversion import MAX, MIN, Version
from higgins.model.capsule import Assignment, Kind
from higgins.model.ids import NetworkId, PortId
from higgins.model.network import Port
from higgins.testing import builders

PORT = Port(
    id=PortId("p1"),
    network_id=NetworkId("blue"),
    mac="02:00:00:00:00:02",
    addresses=("10.88.0.2",),
    subnet="10.88.0.0/24",
    gateway="10.88.0.1",
)


@pytest.mark.parametrize("version", [MIN, Version(1, 31), Version(1, 32), MAX])
def test_addresses_are_those_of_the_whole_capsule_in_every_version(version):
    capsule = builders.capsule(builders.spec(builders.container(), builders.container()), kind=Kind.CAPSULE)
    allotted = replace(capsule, assignment=Assignment(ports=(PORT,)))
    shown = msgspec.to_builtins(capsules.view(allotted, version, now=0.0, address="http://HOST"))
    assert shown["addresses"] == {
        "blue": [
            {"addr": "10.88.0.2", "version": 4, "port": "p1", "subnet_id": "blue", "preserve_on_delete": False},
        ]
    }
    assert [one["addresses"] for one in shown["containers"]] == [{}, {}]
