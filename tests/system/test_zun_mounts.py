"""Volumes and files by Zun's own clients, unchanged, against a real all-in-one: `--mount` of both programs, and the volumes of capsules."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from zunclient import client

from higgins.api.zun.microversion import MAX
from tests.system import clients
from tests.system.clients import LASTS, PATIENCE, Newest, Person, settled, until
from tests.system.engine import BUSYBOX as IMAGE
from tests.system.servers import Login


@pytest.fixture(scope="module")
def person(member: Login) -> Person:
    return Person(member)


@pytest.fixture(scope="module")
def library(member: Login) -> client.Client:
    return clients.library(member)


@pytest.fixture
def shelf(member: Login, library: client.Client) -> Iterator[str]:
    """The name of a volume. With it goes whatever was made."""
    url = f"{member.environment['OS_AUTH_URL'].removesuffix('/identity/v3')}/v1/volumes"
    headers = {"X-Auth-Token": member.token(), "OpenStack-API-Version": f"container {MAX}"}
    assert requests.post(url, json={"name": "shelf"}, headers=headers, timeout=PATIENCE).ok
    yield "shelf"
    for made in (library.containers, library.capsules):
        for one in made.list():
            made.delete(one.uuid, **({"stop": True} if made is library.containers else {}))
    until(lambda: Newest(member).get("/volumes/shelf")["users"] == 0, "a volume that nobody mounts")
    assert requests.delete(f"{url}/shelf", headers=headers, timeout=PATIENCE).ok


def test_both_programs_mount_volumes_and_files(
    person: Person, library: client.Client, shelf: str, tmp_path: Path
) -> None:
    file = tmp_path / "greeting"
    file.write_text("hello, shelf\n")
    writes = ("sh", "-c", "cp /tmp/greeting /data/greeting")
    mounts = ("--mount", f"source={shelf},destination=/data", "--mount", "size=1,destination=/more")
    person.zun(
        "run",
        "--name",
        "writer",
        *mounts,
        "--mount",
        f"type=bind,source={file},destination=/tmp/greeting",
        IMAGE,
        *writes,
    )
    until(lambda: settled(library.containers.get("writer"), "Stopped"), "its end")
    person.openstack("run", "--name", "reader", *mounts, IMAGE, "cat", "/data/greeting")
    until(lambda: settled(library.containers.get("reader"), "Stopped"), "its end")
    assert person.openstack("logs", "reader") == "hello, shelf\n\n"


def test_a_capsule_mounts_a_volume_of_the_project(
    person: Person, library: client.Client, shelf: str, member: Login, tmp_path: Path
) -> None:
    volumes = [{"name": "disk", "cinder": {"volumeID": Newest(member).get(f"/volumes/{shelf}")["uuid"]}}]
    container = {"image": IMAGE, "command": list(LASTS), "volumeMounts": [{"name": "disk", "mountPath": "/data"}]}
    template = {
        "kind": "capsule",
        "metadata": {"name": "shop"},
        "spec": {"containers": [container], "volumes": volumes},
    }
    file = tmp_path / "capsule.json"
    file.write_text(json.dumps(template))
    person.types("openstack", "capsule", "create", "--file", str(file))
    until(lambda: library.capsules.get("shop").status == "Running", "Running")
    assert Newest(member).get(f"/volumes/{shelf}")["users"] == 1
