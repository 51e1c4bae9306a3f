"""Model values for tests that state only what matters to them."""

import itertools
import uuid
from typing import Any

from higgins.model.capsule import (
    Capsule,
    CapsuleSpec,
    CapsuleStatus,
    Container,
    ContainerStatus,
    Desired,
    Kind,
    Observation,
    Resources,
    Stage,
)
from higgins.model.host import Host, Inventory
from higgins.model.ids import CapsuleId, ContainerId, HostId, NetworkId, PortId, ProjectId, UserId
from higgins.model.network import NetworkWish, Port

_numbers = itertools.count(1)


def container(**said: Any) -> Container:
    """One that sleeps."""
    ordinary: dict[str, Any] = {
        "id": ContainerId(str(uuid.uuid4())),
        "name": f"container-{next(_numbers)}",
        "image": "busybox",
        "command": ("sleep", "inf"),
    }
    return Container(**(ordinary | said))


def wish(network: str, address: str | None = None) -> NetworkWish:
    """For a port of its own on this network."""
    return NetworkWish(port=PortId(str(uuid.uuid4())), network=NetworkId(network), address=address)


def port(**said: Any) -> Port:
    """One on a network of its own."""
    number = next(_numbers)
    ordinary: dict[str, Any] = {
        "id": PortId(str(uuid.uuid4())),
        "network_id": NetworkId(str(uuid.uuid4())),
        "mac": f"02:00:00:00:{number // 256 % 256:02x}:{number % 256:02x}",
        "addresses": (f"10.0.{number // 200 % 256}.{number % 200 + 2}",),
        "subnet": "10.0.0.0/16",
        "gateway": "10.0.0.1",
    }
    return Port(**(ordinary | said))


def spec(*containers: Container, **said: Any) -> CapsuleSpec:
    """Of one container, wanted running."""
    return CapsuleSpec(**({"containers": containers or (container(),), "desired": Desired.RUNNING} | said))


def capsule(wanted: CapsuleSpec | None = None, **said: Any) -> Capsule:
    """A container alone, whose capsule has its id, just asked for in project p1."""
    wanted = wanted or spec()
    ordinary: dict[str, Any] = {
        "id": CapsuleId(wanted.containers[0].id),
        "project_id": ProjectId("p1"),
        "user_id": UserId("u1"),
        "name": wanted.containers[0].name,
        "kind": Kind.CONTAINER,
        "created_at": 1_000_000_000.0 + next(_numbers),
        "spec": wanted,
    }
    return Capsule(**(ordinary | said))


def observation(of: Container, stage: Stage = Stage.RUNNING, **said: Any) -> Observation:
    """Of the capsule that has the container's id, under its first assignment, with the times that belong to the stage."""
    ordinary: dict[str, Any] = {"container_id": of.id, "capsule_id": CapsuleId(of.id), "epoch": 1, "stage": stage}
    if stage not in (Stage.CREATED, Stage.ABSENT):
        ordinary["started_at"] = 1_000_000_000.0
    if stage is Stage.EXITED:
        ordinary |= {"finished_at": 1_000_000_001.0, "exit_code": 0}
    return Observation(**(ordinary | said))


def status(of: CapsuleSpec, stage: Stage = Stage.RUNNING, **said: Any) -> CapsuleStatus:
    """Settled on this spec, with all its containers at this stage."""
    known = {each.id: ContainerStatus(observed=observation(each, stage), restarts=of.restarts) for each in of.all()}
    ordinary: dict[str, Any] = {"generation": of.generation, "settled": True, "containers": known}
    return CapsuleStatus(**(ordinary | said))


def host(**said: Any) -> Host:
    """Connected, empty, with 4 cores, 8 GiB of memory and 100 GiB of disk."""
    number = next(_numbers)
    ordinary: dict[str, Any] = {
        "id": HostId(str(uuid.uuid4())),
        "name": f"host-{number}",
        "created_at": 1_000_000_000.0,
        "inventory": inventory(),
        "seen_at": 1_000_000_000.0,
    }
    return Host(**(ordinary | said))


def inventory(**said: Any) -> Inventory:
    """Of a machine whose runtime works."""
    ordinary: dict[str, Any] = {
        "runtime": "fake",
        "handlers": ("runc",),
        "default_handler": "runc",
        "capacity": Resources(cpu=4.0, memory=8192, disk=100),
    }
    return Inventory(**(ordinary | said))
