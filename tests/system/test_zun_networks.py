"""Networks by Zun's own clients, against a real all-in-one whose host makes them."""

import json
from collections.abc import Iterator

import pytest
import requests
from zunclient import client
from zunclient import exceptions as refused

from higgins.api.zun.microversion import MAX
from tests.system import clients
from tests.system.clients import LASTS, PATIENCE, Newest, Person, settled, until
from tests.system.engine import BUSYBOX as IMAGE
from tests.system.servers import AllInOne, Login

FRONT, BACK = "10.77.1.0/24", "10.77.2.0/24"


@pytest.fixture(scope="module")
def member(networked: AllInOne) -> Login:
    """A project with two networks and a security group."""
    login = networked.add("martha", "garden", "member")
    headers = {"X-Auth-Token": login.token(), "OpenStack-API-Version": f"container {MAX}"}
    for noun, asked in (
        ("networks", {"name": "front", "subnet": FRONT}),
        ("networks", {"name": "back", "subnet": BACK}),
        ("security_groups", {"name": "web", "rules": []}),
    ):
        answer = requests.post(f"{networked.url}/v1/{noun}", json=asked, headers=headers, timeout=PATIENCE)
        assert answer.ok, answer.text
    return login


@pytest.fixture(scope="module")
def person(member: Login) -> Person:
    return Person(member)


@pytest.fixture(scope="module")
def library(member: Login) -> client.Client:
    return clients.library(member)


@pytest.fixture(scope="module")
def ids(member: Login) -> dict[str, str]:
    """The networks by their names."""
    return {one["name"]: one["uuid"] for one in Newest(member).get("/networks")["networks"]}


@pytest.fixture(autouse=True)
def nothing_left(library: client.Client) -> Iterator[None]:
    yield
    for one in library.containers.list():
        library.containers.delete(one.uuid, stop=True)
    until(lambda: library.containers.list() == [], "an empty project")


def on(library: client.Client, name: str) -> dict[str, list[str]]:
    """The addresses of a container, by the ids of its networks, once nothing is being done about it."""
    until(lambda: library.containers.get(name).task_state is None, "rest")
    shown = library.containers.get(name).addresses
    return {network: [one["addr"] for one in there] for network, there in shown.items()}


def running(library: client.Client, name: str) -> None:
    until(lambda: settled(library.containers.get(name), "Running"), "Running")


def test_the_library_names_networks_and_addresses(library: client.Client, ids: dict[str, str]) -> None:
    nets = [{"network": "front"}, {"network": ids["back"], "v4-fixed-ip": "10.77.2.50"}]
    library.containers.run(name="web", image=IMAGE, command=list(LASTS), nets=nets)
    running(library, "web")
    shown = on(library, "web")
    assert shown[ids["back"]] == ["10.77.2.50"] and shown[ids["front"]][0].startswith("10.77.1.")
    assert library.containers.network_list("web")[1].fixed_ips[0]["ip_address"] == "10.77.2.50"
    said = library.containers.execute("web", command="ip -o -4 addr", interactive=False)["output"]
    assert "10.77.2.50/24" in said
    with pytest.raises(refused.NotFound, match="nobodys"):
        library.containers.run(image=IMAGE, nets=[{"network": "nobodys"}])
    with pytest.raises(refused.BadRequest, match="already attached"):
        library.containers.network_attach("web", network="front")


def test_zun_attaches_lists_and_detaches(person: Person, library: client.Client, ids: dict[str, str]) -> None:
    person.zun("run", "--name", "web", "--net", "network=front,v4-fixed-ip=10.77.1.60", IMAGE, *LASTS)
    running(library, "web")
    assert on(library, "web") == {ids["front"]: ["10.77.1.60"]}
    assert "10.77.1.60" in person.zun("list")
    assert "accepted" in person.zun("network-attach", "--network", "back", "--fixed-ip", "10.77.2.60", "web")
    assert on(library, "web")[ids["back"]] == ["10.77.2.60"]
    listed = person.zun("network-list", "web")
    assert ids["front"] in listed and "10.77.2.60" in listed
    assert "accepted" in person.zun("network-detach", "--network", "front", "web")
    assert list(on(library, "web")) == [ids["back"]]
    assert "failed" in person.zun("network-detach", "--network", "front", "web")


def test_openstack_attaches_and_detaches(person: Person, library: client.Client, ids: dict[str, str]) -> None:
    made = json.loads(person.openstack("run", "-f", "json", "--name", "web", "--net", "network=front", IMAGE, *LASTS))
    running(library, "web")
    assert "accepted" in person.openstack("network", "attach", "--network", "back", "web")
    assert set(on(library, "web")) == {ids["front"], ids["back"]}
    # It asks, is answered, and cannot print what it got, whatever the service says.
    with pytest.raises(AssertionError, match="Invalid formatter provided"):
        person.openstack("network", "list", "web")
    (port,) = [one.port_id for one in library.containers.network_list(made["uuid"]) if one.net_id == ids["back"]]
    assert "accepted" in person.openstack("network", "detach", "--port", port, "web")
    assert list(on(library, "web")) == [ids["front"]]


def test_zun_adds_and_removes_security_groups(person: Person, library: client.Client) -> None:
    person.zun("run", "--name", "web", IMAGE, *LASTS)
    running(library, "web")
    person.zun("--zun-api-version", "1.14", "add-security-group", "web", "web")
    until(lambda: len(library.containers.get("web").security_groups) == 1, "the group")
    person.zun("--zun-api-version", "1.14", "remove-security-group", "web", "web")
    until(lambda: library.containers.get("web").security_groups == [], "no group")
    on(library, "web")
    # From 1.15 on Zun leaves that to Neutron.
    assert "failed" in person.openstack("add", "security", "group", "web", "web")
    assert "failed" in person.openstack("remove", "security", "group", "web", "web")
