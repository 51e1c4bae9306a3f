"""Capsules by Zun's own clients, unchanged, against a real all-in-one: the library, `zun` and `openstack capsule`; and by `higgins capsule`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from zunclient import client
from zunclient import exceptions as refused

from tests.system import clients
from tests.system.clients import LASTS, Newest, Person, until
from tests.system.engine import BUSYBOX as IMAGE
from tests.system.servers import Login
from tests.system.tenant import Tenant


@pytest.fixture(scope="module")
def person(member: Login) -> Person:
    return Person(member)


@pytest.fixture(scope="module")
def library(member: Login) -> client.Client:
    return clients.library(member)


@pytest.fixture(autouse=True)
def nothing_left(library: client.Client) -> Iterator[None]:
    yield
    for one in library.capsules.list():
        library.capsules.delete(one.uuid)
    until(lambda: library.capsules.list() == [], "a project without capsules")


def template(name: str, **spec: Any) -> dict[str, Any]:
    containers = [
        {"image": IMAGE, "command": list(LASTS), "resources": {"requests": {"cpu": 0.5, "memory": 32}}},
        {"image": IMAGE, "name": "beside", "command": list(LASTS), "labels": {"tier": "back"}},
    ]
    first = [{"image": IMAGE, "command": ["sh", "-c", "exit 0"]}]
    inner = {"containers": containers, "initContainers": first, **spec}
    return {
        "capsuleVersion": "beta",
        "kind": "capsule",
        "metadata": {"name": name, "labels": {"app": "x"}},
        "spec": inner,
    }


def runs(library: client.Client, name: str) -> bool:
    found = library.capsules.get(name)
    assert found.status != "Error", found.status_reason
    return bool(found.status == "Running")


def test_the_library_makes_shows_lists_and_deletes_a_capsule(library: client.Client) -> None:
    made = library.capsules.create(template=template("by-library"))
    assert (made.name, made.status) == ("by-library", "Creating")
    until(lambda: runs(library, made.uuid), "Running")
    shown = library.capsules.get("by-library")
    assert [one["status"] for one in (*shown.init_containers, *shown.containers)] == ["Stopped", "Running", "Running"]
    assert (shown.cpu, shown.memory, len(shown.addresses)) == (0.5, "32", 1)
    assert [one.uuid for one in library.capsules.list()] == [made.uuid]
    assert library.containers.list() == []
    library.capsules.delete(made.uuid)
    until(lambda: library.capsules.list() == [], "the delete")
    with pytest.raises(refused.NotFound, match="could not be found"):
        library.capsules.get(made.uuid)


def test_the_library_reads_a_capsule_in_its_older_shape(library: client.Client, member: Login) -> None:
    library.capsules.create(template=template("older"))
    shown = clients.library(member, "1.31").capsules.get("older")
    assert (shown.meta_name, shown.meta_labels, shown.restart_policy) == ("older", {"app": "x"}, "always")


def test_the_library_is_told_at_which_place_a_template_is_wrong(library: client.Client) -> None:
    wrong = template("wrong", restartPolicy="Sometimes")
    with pytest.raises(refused.BadRequest, match=r"template\.spec\.restartPolicy"):
        library.capsules.create(template=wrong)
    assert library.capsules.list() == []


def test_zun_does_everything_to_a_capsule(person: Person, library: client.Client, tmp_path: Path) -> None:
    file = tmp_path / "capsule.yaml"
    file.write_text(yaml.safe_dump(template("by-zun")))
    assert "has been accepted" in person.zun("capsule-create", "-f", str(file))
    until(lambda: runs(library, "by-zun"), "Running")
    assert "by-zun" in person.zun("capsule-list")
    assert json.loads(person.zun("capsule-describe", "-f", "json", "by-zun"))["status"] == "Running"
    assert "has been accepted" in person.zun("capsule-delete", "by-zun")
    until(lambda: library.capsules.list() == [], "the delete")


def test_openstack_does_everything_to_a_capsule(person: Person, library: client.Client, tmp_path: Path) -> None:
    file = tmp_path / "capsule.json"
    file.write_text(json.dumps(template("by-openstack")))
    assert "by-openstack" in person.types("openstack", "capsule", "create", "--file", str(file))
    until(lambda: runs(library, "by-openstack"), "Running")
    listed = json.loads(person.types("openstack", "capsule", "list", "-f", "json"))
    assert [(one["name"], one["status"]) for one in listed] == [("by-openstack", "Running")]
    shown = json.loads(person.types("openstack", "capsule", "show", "-f", "json", "by-openstack"))
    assert [one["name"] for one in shown["containers"]][1] == "capsule-by-openstack-beside"
    person.types("openstack", "capsule", "delete", "by-openstack")
    until(lambda: library.capsules.list() == [], "the delete")


def test_a_failure_of_what_has_to_run_first_is_shown_with_its_reason(library: client.Client, member: Login) -> None:
    failing = [{"image": IMAGE, "command": ["sh", "-c", "exit 7"]}]
    made = library.capsules.create(template=template("broken", restartPolicy="Never", initContainers=failing))
    waited = Newest(member).get(f"/capsules/{made.uuid}?wait=Running&timeout=30")
    assert waited["status"] == "Error"
    assert "exit code 7" in waited["status_reason"]
    assert (waited["init_containers"][0]["status"], waited["init_containers"][0]["exit_code"]) == ("Error", 7)


def test_higgins_does_everything_to_a_capsule(member: Login, tmp_path: Path) -> None:
    tenant = Tenant(tmp_path / "home", member.environment)
    file = tmp_path / "capsule.yaml"
    file.write_text(yaml.safe_dump(template("by-higgins")))
    made = tenant.types("capsule", "apply", "-f", str(file)).strip()
    assert tenant.sees("capsule", "show", made)["name"] == "by-higgins"
    assert "2 of 2" in tenant.types("capsule", "ls")
    assert "already" in tenant.fails("capsule", "apply", "-f", str(file))
    assert "\nbeside " in tenant.types("capsule", "show", "by-higgins")
    tenant.types("capsule", "rm", "by-higgins")
    assert tenant.types("capsule", "ls", "-o", "name") == ""
    wrong = tenant.fails("capsule", "apply", "-f", "-", said=b"{kind: capsule, metadata: {}, spec: {containers: [{}]}}")
    assert "template.spec.containers[0].image" in wrong


def test_containers_of_a_capsule_reach_each_other_on_localhost_and_share_a_host_name(library: client.Client) -> None:
    serves = "hostname > /tmp/index.html; exec httpd -f -p 127.0.0.1:8080 -h /tmp"
    asks = 'until [ "$(wget -qO- http://127.0.0.1:8080/index.html)" = "$(hostname)" ]; do sleep 0.1; done'
    containers = [{"image": IMAGE, "command": ["sh", "-c", script]} for script in (serves, asks)]
    made = library.capsules.create(
        template=template("together", containers=containers, initContainers=[], restartPolicy="OnFailure")
    )

    def both() -> list[str]:
        return [one["status"] for one in library.capsules.get(made.uuid).containers]

    until(lambda: both() == ["Running", "Stopped"], "the second container to have found the first")
    assert "exit code 0" in library.capsules.get(made.uuid).status_reason
