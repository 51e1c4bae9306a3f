"""What Heat's OS::Zun::Container and Horizon's dashboard for Zun send, word for word in their microversions, and what they read of the answers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from tests.system.clients import PATIENCE, until
from tests.system.engine import BUSYBOX as IMAGE
from tests.system.servers import AllInOne, Login

LASTS = "trap exit TERM; sleep 600 & wait"
"""For a shell: goes on until it is told to end, and then ends at once."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who asks in one microversion, as their client does."""

    url: str
    token: str
    version: str

    def __call__(self, method: str, path: str, body: Any = None) -> requests.Response:
        headers = {
            "X-Auth-Token": self.token,
            "Accept": "application/json",
            "Content-Type": "application/octet-stream" if method == "DELETE" else "application/json",
            "OpenStack-API-Version": f"container {self.version}",
        }
        answer = requests.request(method, f"{self.url}/v1{path}", headers=headers, json=body, timeout=PATIENCE)
        if answer.ok:
            assert answer.headers["OpenStack-API-Version"] == f"container {self.version}"
        return answer

    def good(self, method: str, path: str, body: Any = None) -> Any:
        """What the answer says. An AssertionError for a refusal."""
        answer = self(method, path, body)
        assert answer.ok, answer.text
        return answer.json() if answer.content else None

    def gone(self, path: str) -> bool:
        """Heat goes on looking until it is told that there is nothing."""
        return self("GET", path).status_code == 404


@pytest.fixture(scope="module")
def grower(networked: AllInOne) -> Login:
    return networked.add("gerda", "greenhouse", "member")


@pytest.fixture(scope="module")
def speaking(networked: AllInOne, grower: Login) -> Callable[[str], Caller]:
    """The same person in any microversion."""
    token = grower.token()
    return lambda version: Caller(networked.url, token, version)


@pytest.fixture(scope="module")
def networks(speaking: Callable[[str], Caller]) -> Mapping[str, str]:
    """Two networks, as somebody has made them who knows of more than Zun."""
    ours = speaking("1.41")
    subnets = {"front": "10.78.1.0/24", "back": "10.78.2.0/24"}
    return {
        name: ours.good("POST", "/networks", {"name": name, "subnet": subnet})["uuid"]
        for name, subnet in subnets.items()
    }


# Heat: create in 1.12, everything about networks in 1.18, delete in 1.12 again.


def complete(heat: Caller, container: str) -> bool:
    """As Heat decides whether what it makes is made. What it does not know is a failure of the stack."""
    shown = heat.good("GET", f"/containers/{container}?all_projects=False")
    assert shown["status"] in ("Creating", "Created", "Running", "Stopped"), shown["status_reason"]
    return bool(shown["status"] == "Running")


def attached_to(heat: Caller, container: str) -> Mapping[str, Mapping[str, Any]]:
    """By the ids of networks, what Heat reads of each interface."""
    listed = heat.good("GET", f"/containers/{container}/network_list")["networks"]
    return {
        one["net_id"]: {
            "port": one["port_id"],
            "address": one["fixed_ips"][0]["ip_address"],
            "subnet": one["fixed_ips"][0]["subnet_id"],
        }
        for one in listed
    }


def test_heat_makes_updates_and_deletes_a_container(
    speaking: Callable[[str], Caller], networks: Mapping[str, str]
) -> None:
    heat, newer = speaking("1.12"), speaking("1.18")
    made = heat.good(
        "POST",
        "/containers?run=true",
        {
            "name": "stack-web-abc",
            "image": IMAGE,
            "command": f'"sh" "-c" "{LASTS}"',
            "cpu": 0.1,
            "memory": "32",
            "environment": {"TIER": "front"},
            "workdir": "/tmp",
            "labels": {"stack": "shop"},
            "restart_policy": {"Name": "on-failure", "MaximumRetryCount": "2"},
            "interactive": False,
            "hostname": "web",
            "security_groups": [],
            "mounts": [],
            "hints": {},
            "auto_remove": False,
            "nets": [{"network": networks["front"], "v4-fixed-ip": "10.78.1.40"}],
        },
    )
    uuid = made["uuid"]
    until(lambda: complete(heat, uuid), "CREATE_COMPLETE")
    shown = heat.good("GET", f"/containers/{uuid}?all_projects=False")
    assert shown["name"] == "stack-web-abc"
    assert [one["addr"] for one in shown["addresses"][networks["front"]]] == ["10.78.1.40"]
    # An update of the template: other limits, and another network instead of the one that there was.
    newer.good("PATCH", f"/containers/{uuid}", {"cpu": 0.2, "memory": "48", "name": "stack-web-def"})
    before = attached_to(newer, uuid)
    assert before[networks["front"]] == {
        "port": before[networks["front"]]["port"],
        "address": "10.78.1.40",
        "subnet": networks["front"],
    }
    newer.good("POST", f"/containers/{uuid}/network_detach?port={before[networks['front']]['port']}")
    until(lambda: networks["front"] not in attached_to(newer, uuid), "the network to be left")
    newer.good("POST", f"/containers/{uuid}/network_attach?network={networks['back']}&fixed_ip=10.78.2.40")
    until(lambda: networks["back"] in attached_to(newer, uuid), "the network to be joined")
    assert attached_to(newer, uuid)[networks["back"]]["address"] == "10.78.2.40"
    until(lambda: newer.good("GET", f"/containers/{uuid}?all_projects=False")["task_state"] is None, "rest")
    shown = newer.good("GET", f"/containers/{uuid}?all_projects=False")
    assert (shown["name"], shown["cpu"], shown["memory"]) == ("stack-web-def", 0.2, "48")
    assert list(shown["addresses"]) == [networks["back"]]
    assert heat("DELETE", f"/containers/{uuid}?stop=True").status_code == 204
    until(lambda: heat.gone(f"/containers/{uuid}"), "DELETE_COMPLETE")
    assert heat("DELETE", f"/containers/{uuid}?stop=True").status_code == 404


def test_heat_asks_for_a_terminal_in_1_36(speaking: Callable[[str], Caller]) -> None:
    heat = speaking("1.36")
    asked = {"image": IMAGE, "command": ["sh"], "interactive": True, "tty": True, "security_groups": [], "mounts": []}
    uuid = heat.good("POST", "/containers?run=true", asked)["uuid"]
    until(lambda: complete(heat, uuid), "CREATE_COMPLETE")
    assert heat.good("GET", f"/containers/{uuid}?all_projects=False")["tty"] is True
    assert heat("DELETE", f"/containers/{uuid}?stop=True").status_code == 204
    until(lambda: heat.gone(f"/containers/{uuid}"), "DELETE_COMPLETE")


def test_heat_is_told_what_it_tells_apart(speaking: Callable[[str], Caller], networks: Mapping[str, str]) -> None:
    heat = speaking("1.18")
    answer = heat("POST", "/containers?run=true", {"image": IMAGE, "nets": [{"port": "a-port-of-nobody"}]})
    assert (answer.status_code, answer.json()["errors"][0]["status"]) == (404, 404)
    uuid = heat.good("POST", "/containers", {"image": IMAGE, "command": "", "nets": [{"network": networks["back"]}]})
    answer = heat("POST", f"/containers/{uuid['uuid']}/network_detach?port=a-port-of-nobody")
    assert answer.status_code == 404
    heat("DELETE", f"/containers/{uuid['uuid']}?stop=True")
    until(lambda: heat.gone(f"/containers/{uuid['uuid']}"), "DELETE_COMPLETE")


# The dashboard: always in the newest version that Zun and it know.

CREATED = {
    *("uuid", "links", "name", "project_id", "user_id", "image", "image_driver", "command", "entrypoint", "cpu"),
    *("cpu_policy", "memory", "disk", "status", "status_reason", "status_detail", "task_state", "environment"),
    *("labels", "workdir", "hostname", "auto_remove", "auto_heal", "interactive", "tty", "ports", "addresses"),
    *("security_groups", "restart_policy", "healthcheck", "registry_id", "created_at", "updated_at"),
}
"""What its pages read of a container."""


@pytest.fixture(scope="module")
def page(speaking: Callable[[str], Caller]) -> Caller:
    return speaking("1.40")


@pytest.fixture(scope="module")
def operator(networked: AllInOne) -> Caller:
    return Caller(networked.url, networked.add("olga", "operations", "admin").token(), "1.40")


def test_the_dashboard_creates_shows_and_deletes_a_container(
    page: Caller, speaking: Callable[[str], Caller], networks: Mapping[str, str]
) -> None:
    speaking("1.41").good("POST", "/security_groups", {"name": "web", "rules": []})
    made = page.good(
        "POST",
        "/containers?run=true",
        {
            "name": "shop",
            "image": IMAGE,
            "image_driver": "docker",
            "command": ["sh", "-c", f"echo hello; {LASTS}"],
            "cpu": 0.1,
            "memory": 32,
            "hostname": "shop",
            "auto_remove": False,
            "auto_heal": False,
            "interactive": True,
            "tty": True,
            "environment": {"A": "1", "B": "2"},
            "labels": {"app": "shop"},
            "hints": {"tier": "front"},
            "restart_policy": {"Name": "always", "MaximumRetryCount": "0"},
            "mounts": [],
            "nets": [{"network": networks["front"]}, {"network": networks["back"]}],
            "security_groups": ["web"],
        },
    )
    uuid, at = made["uuid"], f"/containers/{made['uuid']}"

    def status() -> str:
        (one,) = [each for each in page.good("GET", "/containers")["containers"] if each["uuid"] == uuid]
        assert one["status"] != "Error", one["status_reason"]
        return str(one["status"]) if one["task_state"] is None else ""

    until(lambda: status() == "Running", "Running")
    shown = page.good("GET", at)
    assert set(shown) >= CREATED
    assert {one["rel"] for one in shown["links"]} == {"self", "bookmark"}
    assert {network: len(there) for network, there in shown["addresses"].items()} == dict.fromkeys(networks.values(), 1)
    assert (len(shown["security_groups"]), shown["restart_policy"]["Name"]) == (1, "always")
    assert "hello" in page.good("GET", f"{at}/logs")
    ran = page.good("POST", f"{at}/execute", {"command": "echo it runs"})
    assert (ran["output"], ran["exit_code"]) == ("it runs\n", 0)
    assert page.good("GET", f"{at}/attach").startswith("ws://")
    assert page.good("POST", f"{at}/resize", {"w": 500, "h": 400}) is None
    page.good("PATCH", at, {"name": "shop-2", "memory": 48, "cpu": 0.2})
    page.good("POST", f"{at}/pause")
    until(lambda: status() == "Paused", "Paused")
    page.good("POST", f"{at}/unpause")
    until(lambda: status() == "Running", "Running")
    page.good("POST", f"{at}/reboot?timeout=1")
    until(lambda: status() == "Running", "Running")
    page.good("POST", f"{at}/stop?timeout=1")
    until(lambda: status() == "Stopped", "Stopped")
    page.good("POST", f"{at}/start")
    until(lambda: status() == "Running", "Running")
    # It offers force to everybody; who may not is told so.
    assert page("DELETE", f"{at}?force=True").status_code == 403
    assert page("DELETE", f"{at}?stop=True").status_code == 204
    until(lambda: page.gone(at), "the delete")


def test_the_dashboards_other_lists_are_there(page: Caller, operator: Caller) -> None:
    assert page.good("GET", "/availability_zones")["availability_zones"]
    template = {
        "kind": "capsule",
        "metadata": {"name": "pair"},
        "spec": {"containers": [{"image": IMAGE, "command": ["sleep", "600"]}]},
    }
    capsule = page.good("POST", "/capsules", {"template": template})["uuid"]
    until(lambda: page.good("GET", f"/capsules/{capsule}")["status"] == "Running", "Running")
    shown = page.good("GET", f"/capsules/{capsule}")
    assert [addr["version"] for there in shown["addresses"].values() for addr in there] == [4]
    assert [one["uuid"] for one in page.good("GET", "/capsules")["capsules"]] == [capsule]
    assert page("DELETE", f"/capsules/{capsule}").status_code == 204
    until(lambda: page.gone(f"/capsules/{capsule}"), "the delete")
    assert operator.good("GET", "/images")["images"] == []
    (host,) = operator.good("GET", "/hosts")["hosts"]
    assert {"mem_used", "mem_total", "cpu_used", "cpus", "disk_used", "disk_total"} <= set(
        operator.good("GET", f"/hosts/{host['uuid']}")
    )
