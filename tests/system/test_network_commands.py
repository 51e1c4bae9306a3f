"""`higgins network` and `run --network` as somebody at a shell uses them, on a real all-in-one whose host makes networks."""

from collections.abc import Iterator

import pytest

from tests.system.engine import BUSYBOX as IMAGE
from tests.system.servers import AllInOne
from tests.system.tenant import Tenant


@pytest.fixture(scope="module")
def tenant(networked: AllInOne, tmp_path_factory: pytest.TempPathFactory) -> Tenant:
    return Tenant(tmp_path_factory.mktemp("home"), networked.add("nora", "nursery", "member").environment)


@pytest.fixture(autouse=True)
def nothing_left(tenant: Tenant) -> Iterator[None]:
    yield
    for name in tenant.types("ps", "-aq").split():
        tenant.types("rm", "-f", name)
    for one in tenant.sees("network", "ls"):
        tenant.types("network", "rm", one["name"])


def test_containers_without_a_word_find_each_other_by_name(tenant: Tenant) -> None:
    tenant.types("run", "-d", "--name", "db", IMAGE, "sleep", "600")
    (address,) = tenant.types("inspect", "-f", "{{.NetworkSettings.IPAddress}}", "db").split()
    assert address in tenant.types("ps")
    assert f"({address})" in tenant.types("run", "--rm", IMAGE, "ping", "-c", "1", "-w", "5", "db")
    (network,) = tenant.sees("network", "ls")
    assert network["name"] == "default"
    assert [one["name"] for one in tenant.sees("network", "show", "default")["attached"]] == ["db"]


def test_what_is_renamed_is_found_by_its_new_name_only(tenant: Tenant) -> None:
    tenant.types("run", "-d", "--name", "db", IMAGE, "sleep", "600")
    tenant.types("rename", "db", "old-db")
    asks = "until ping -c 1 -w 5 old-db; do sleep 0.1; done; if ping -c 1 -w 5 db; then exit 1; fi"
    tenant.types("run", "--rm", IMAGE, "sh", "-c", asks)


def test_a_network_is_made_used_and_removed(tenant: Tenant) -> None:
    uuid = tenant.types("network", "create", "--subnet", "10.79.0.0/24", "back").strip()
    tenant.types("run", "-d", "--name", "web", "--network", uuid[:8], "--ip", "10.79.0.40", IMAGE, "sleep", "600")
    assert "10.79.0.40/24" in tenant.types("exec", "web", "ip", "-4", "addr")
    complaint = tenant.fails("network", "rm", "back")
    assert "higgins network show back" in complaint
    assert "Did you mean back?" in tenant.fails("run", "--network", "bakk", IMAGE, status=125)


def test_a_container_joins_and_leaves_while_it_runs(tenant: Tenant) -> None:
    tenant.types("network", "create", "--subnet", "10.79.1.0/24", "front")
    tenant.types("network", "create", "--subnet", "10.79.2.0/24", "back")
    tenant.types("run", "-d", "--name", "web", "--network", "front", IMAGE, "sleep", "600")
    started = tenant.types("inspect", "-f", "{{.started_at}}", "web")
    assert tenant.types("network", "attach", "--ip", "10.79.2.50", "web", "back") == "10.79.2.50\n"
    assert "10.79.2.50/24" in tenant.types("exec", "web", "ip", "-4", "addr")
    assert "already attached" in tenant.fails("network", "attach", "web", "back")
    tenant.types("network", "detach", "web", "front")
    assert "10.79.1." not in tenant.types("exec", "web", "ip", "-4", "addr")
    assert tenant.types("inspect", "-f", "{{.started_at}}", "web") == started
    assert "network_attach" in tenant.types("history", "web")
