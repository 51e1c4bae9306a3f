"""Zun's own clients as operators use them, unchanged, against a real all-in-one on the real engine."""

import asyncio
import json
import socket

import pytest
from zunclient import client
from zunclient import exceptions as refused

from higgins.drivers.engine import Engine
from tests.system import clients
from tests.system.clients import Person, settled, until
from tests.system.engine import BUSYBOX as IMAGE
from tests.system.servers import QUOTA, AllInOne, Login

HERE = socket.gethostname()
BINARY = "zun-compute"


@pytest.fixture(scope="module")
def operator(admin: Login) -> Person:
    return Person(admin)


@pytest.fixture(scope="module")
def library(admin: Login) -> client.Client:
    return clients.library(admin)


@pytest.fixture(scope="module")
def tenant(member: Login) -> client.Client:
    return clients.library(member)


def test_zun_lists_services_and_lets_one_rest_and_come_back(operator: Person, library: client.Client) -> None:
    [row] = [line for line in operator.zun("service-list").splitlines() if BINARY in line]
    assert HERE in row and "up" in row and "nova" in row
    assert "new disks" in operator.zun("service-disable", "--reason", "new disks", HERE, BINARY)
    assert "new disks" in operator.zun("service-list")
    operator.zun("service-enable", HERE, BINARY)
    assert "new disks" not in operator.zun("service-list")
    assert "True" in operator.zun("service-force-down", HERE, BINARY)
    assert [one.state for one in library.services.list()] == ["down"]
    assert "False" in operator.zun("service-force-down", "--unset", HERE, BINARY)
    assert [one.state for one in library.services.list()] == ["up"]


def test_openstack_appcontainer_lists_services_and_lets_one_rest_and_come_back(operator: Person) -> None:
    def listed() -> dict[str, object]:
        [service] = json.loads(operator.openstack("service", "list", "-f", "json"))
        return dict(service)

    before = listed()
    assert (before["Host"], before["Binary"], before["State"], before["Disabled"]) == (HERE, BINARY, "up", False)
    operator.openstack("service", "disable", "--reason", "dust", HERE, BINARY)
    assert (listed()["Disabled"], listed()["Disabled Reason"]) == (True, "dust")
    operator.openstack("service", "enable", HERE, BINARY)
    operator.openstack("service", "forcedown", HERE, BINARY)
    assert listed()["State"] == "down"
    operator.openstack("service", "forcedown", "--unset", HERE, BINARY)
    after = listed()
    assert {**after, "Updated At": None} == {**before, "Updated At": None}


@pytest.mark.parametrize("how", ["zun", "openstack"])
def test_a_service_that_is_deleted_is_there_again_when_its_host_calls(
    how: str, operator: Person, library: client.Client, all_in_one: AllInOne
) -> None:
    until(lambda: library.containers.list(all_projects=True) == [], "an empty host")
    said = (
        operator.zun("service-delete", HERE, BINARY)
        if how == "zun"
        else operator.openstack("service", "delete", HERE, BINARY)
    )
    assert "accepted" in said
    until(lambda: [one.state for one in library.services.list()] == ["up"], "its return")


def test_the_library_is_told_what_services_there_are_not(library: client.Client) -> None:
    with pytest.raises(refused.NotFound, match="zun-nothing on host"):
        library.services.enable(HERE, "zun-nothing")
    with pytest.raises(refused.NotFound, match="on host nowhere"):
        library.services.delete("nowhere", BINARY)


def test_zun_shows_hosts_and_zones(operator: Person) -> None:
    assert HERE in operator.zun("host-list", "--limit", "1", "--sort-key", "hostname", "--sort-dir", "desc")
    shown = json.loads(operator.zun("host-show", "-f", "json", HERE))
    assert shown["hostname"] == HERE
    assert shown["mem_total"] > 0 and shown["cpus"] > 0 and shown["disk_total"] > 0
    assert "runc" in shown["runtimes"]
    assert "nova" in operator.zun("availability-zone-list")


def test_openstack_appcontainer_shows_hosts_and_zones(operator: Person) -> None:
    [host] = json.loads(operator.openstack("host", "list", "-f", "json"))
    assert json.loads(operator.openstack("host", "show", "-f", "json", host["uuid"]))["hostname"] == HERE
    zones = json.loads(operator.openstack("availability", "zone", "list", "-f", "json"))
    assert zones == [{"availability_zone": "nova"}]


def rows(printed: str) -> dict[str, str]:
    """The two columns of a table that Zun's client prints."""
    lines = [line.strip("|").split("|", 1) for line in printed.splitlines() if line.startswith("|")]
    return {name.strip(): value.strip() for name, value in lines[1:]}


LIMITS = {name: str(limit) for name, limit in QUOTA.items()}


def test_zun_sets_and_shows_what_a_project_may_have(operator: Person, stranger: Login, library: client.Client) -> None:
    project = stranger.project()
    theirs, zun = Person(stranger), clients.library(stranger)
    assert rows(theirs.zun("quota-get", project)) == LIMITS
    changed = operator.zun("quota-update", "--containers", "1", "--cpu", "2", project)
    assert rows(changed) == rows(theirs.zun("quota-get", project)) == {**LIMITS, "containers": "1", "cpu": "2"}
    assert rows(theirs.zun("quota-defaults", project)) == LIMITS
    made = zun.containers.create(image=IMAGE, command=["true"], memory="64")
    used = rows(theirs.zun("quota-get", "--usages", project))
    assert [used[name].replace(" ", "") for name in ("containers", "memory", "cpu")] == ["1|1", "51200|64", "2|0.0"]
    with pytest.raises(refused.Forbidden, match=r"Quota exceeded for resources: \['containers'\]"):
        zun.containers.create(image=IMAGE)
    operator.zun("quota-delete", project)
    assert rows(theirs.zun("quota-get", project)) == LIMITS
    until(lambda: settled(zun.containers.get(made.uuid), "Created"), "Created")
    zun.containers.delete(made.uuid)
    until(lambda: zun.containers.list() == [], "the delete")
    assert library.quotas.get(project, usages=True).containers == {"limit": 40, "in_use": 0}
    with pytest.raises(AssertionError, match="quota:update"):
        theirs.zun("quota-update", "--containers", "-1", project)


def test_openstack_appcontainer_sets_and_shows_what_a_project_may_have(operator: Person, stranger: Login) -> None:
    project, theirs = stranger.project(), Person(stranger)

    def shown() -> dict[str, object]:
        return dict(json.loads(theirs.openstack("quota", "get", "-f", "json", project)))

    assert shown() == QUOTA
    assert json.loads(theirs.openstack("quota", "default", "-f", "json", project)) == QUOTA
    changed = json.loads(operator.openstack("quota", "update", "--memory", "-1", "--disk", "7", "-f", "json", project))
    assert changed == shown() == {**QUOTA, "memory": -1, "disk": 7}
    used = json.loads(theirs.openstack("quota", "get", "--usages", "-f", "json", project))
    assert used["disk"] == {"limit": 7, "in_use": 0}
    for _ in range(2):
        assert "accepted" in operator.openstack("quota", "delete", project)
    assert shown() == QUOTA


def test_zun_and_openstack_set_and_show_what_everybody_may_have(operator: Person, stranger: Login) -> None:
    assert rows(operator.zun("quota-class-get", "default")) == LIMITS
    try:
        changed = operator.zun("quota-class-update", "--containers", "3", "default")
        assert rows(changed) == rows(Person(stranger).zun("quota-get", stranger.project()))
        told = json.loads(operator.openstack("quota", "class", "get", "-f", "json", "default"))
        assert told == {**QUOTA, "containers": 3}
    finally:
        told = json.loads(operator.openstack("quota", "class", "update", "--containers", "40", "-f", "json", "default"))
    assert told == QUOTA


def test_an_operator_sees_chooses_and_removes_what_a_tenant_cannot(
    operator: Person, library: client.Client, tenant: client.Client
) -> None:
    made = tenant.containers.run(name="theirs", image=IMAGE, command=["sleep", "600"])
    until(lambda: settled(tenant.containers.get(made.uuid), "Running"), "Running")
    assert "theirs" in operator.zun("list", "--all-projects")
    assert "theirs" not in operator.zun("list")
    assert json.loads(operator.zun("show", "-f", "json", "--all-projects", made.uuid))["host"] == HERE
    with pytest.raises(refused.Forbidden):
        tenant.containers.delete(made.uuid, force=True)
    operator.zun("delete", "--force", "--all-projects", made.uuid)
    until(lambda: tenant.containers.list() == [], "the delete")
    operator.zun(
        *("run", "--name", "mine", "--runtime", "runc", "--host", HERE, "--image-pull-policy", "never"),
        *("--auto-remove", IMAGE, "true"),
    )
    until(lambda: library.containers.list() == [], "the end of its run")


@pytest.mark.parametrize("policy", ["never", "IfNotPresent", "Never"])
def test_a_pull_policy_may_be_written_in_any_case(policy: str, library: client.Client) -> None:
    made = library.containers.run(image=IMAGE, command=["true"], image_pull_policy=policy)
    until(lambda: settled(library.containers.get(made.uuid), "Stopped"), "its end")
    assert library.containers.get(made.uuid).image_pull_policy == policy.lower()
    library.containers.delete(made.uuid)


def test_who_must_not_pull_what_is_absent_is_told(operator: Person, library: client.Client) -> None:
    operator.zun("create", "--name", "absent", "--image-pull-policy", "never", "higgins-test/none:1", "true")
    until(lambda: library.containers.get("absent").status == "Error", "a refusal")
    assert "its pull policy is never" in library.containers.get("absent").status_reason
    operator.zun("delete", "absent")


def test_a_disk_is_limited_or_it_is_told_that_it_cannot_be(operator: Person, library: client.Client) -> None:
    operator.zun("create", "--name", "small", "--disk", "1", IMAGE, "true")
    until(lambda: library.containers.get("small").status in ("Created", "Error"), "a decision")
    found = library.containers.get("small")
    assert found.status == "Created" or "disk" in found.status_reason
    operator.openstack("delete", "small")


async def privileged(server: AllInOne, uuid: str) -> bool:
    """Whether the engine was told so of this container."""
    async with Engine(server.docker_url) as engine:
        found: bool = json.loads(await engine.call("GET", f"containers/higgins-{uuid}/json"))["HostConfig"][
            "Privileged"
        ]
        return found


def test_privileges_are_for_those_to_whom_the_operator_gives_them(
    docker_url: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("privileged")
    (directory / "policy.yaml").write_text('"container:create:privileged": "role:admin"\n')
    server = AllInOne(directory, docker_url, {"oslo_policy": {"policy_file": directory / "policy.yaml"}})
    server.start()
    try:
        admin, member = server.add("ada", "office", "admin"), server.add("martha", "garden")
        refusal = Person(member).tries("zun", "run", "--privileged", IMAGE, "true")
        assert "container:create:privileged" in refusal.stdout + refusal.stderr
        zun = clients.library(admin)
        Person(admin).zun("create", "--privileged", IMAGE, "true")
        until(lambda: [one.status for one in zun.containers.list()] == ["Created"], "Created")
        # Not started: where the engine runs in a container itself, it cannot give what it has not got.
        [made] = zun.containers.list()
        assert asyncio.run(privileged(server, made.uuid))
    finally:
        server.remove()
