"""Published ports and security groups as somebody at a shell uses them, with real packets, on a real all-in-one whose host makes networks."""

import subprocess
import time
from collections.abc import Callable, Iterator

import pytest

from tests.system.engine import BUSYBOX as IMAGE
from tests.system.servers import AllInOne
from tests.system.tenant import Tenant

SERVES = ("busybox", "httpd", "-f", "-p", "80", "-h", "/etc")
PATIENCE = 30.0


@pytest.fixture(scope="module")
def tenant(networked: AllInOne, tmp_path_factory: pytest.TempPathFactory) -> Tenant:
    return Tenant(tmp_path_factory.mktemp("home"), networked.add("vera", "harbour", "member").environment)


@pytest.fixture(autouse=True)
def nothing_left(tenant: Tenant) -> Iterator[None]:
    yield
    for name in tenant.types("ps", "-aq").split():
        tenant.types("rm", "-f", name)


def asked(number: int) -> str | None:
    """What a server at this port of the machine says; None if there is none."""
    return _answer(f"127.0.0.1:{number}")


def heard(tenant: Tenant, near: str, name: str) -> str | None:
    """The same of another container, as one hears it."""
    (uuid,) = tenant.types("inspect", "-f", "{{.uuid}}", near).split()
    process = ["docker", "inspect", "-f", "{{.State.Pid}}", f"higgins-{uuid}"]
    pid = subprocess.run(process, check=True, capture_output=True, text=True).stdout.strip()
    (address,) = tenant.types("inspect", "-f", "{{.NetworkSettings.IPAddress}}", name).split()
    return _answer(address, "nsenter", "-t", pid, "-n")


def _answer(server: str, *through: str) -> str | None:
    curl = [*through, "curl", "-s", "-m", "2", f"http://{server}/hostname"]
    ran = subprocess.run(curl, check=False, capture_output=True, text=True)
    return ran.stdout.strip() if ran.returncode == 0 else None


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, "it does not come about"
        time.sleep(0.1)


def published(tenant: Tenant, name: str) -> int:
    address, _, number = tenant.types("port", name, "80").strip().partition(":")
    assert address == "0.0.0.0"
    return int(number)


def test_a_published_port_leads_to_its_container_for_as_long_as_that_is_there(tenant: Tenant) -> None:
    tenant.types("run", "-d", "--name", "site", "--hostname", "harbour", "-p", "80", IMAGE, *SERVES)
    number = published(tenant, "site")
    until(lambda: asked(number) == "harbour")
    assert f"0.0.0.0:{number}->80/tcp" in tenant.types("ps", "--format", "{{.Ports}}")
    told = tenant.fails("run", "-d", "--name", "other", "-p", f"{number}:80", IMAGE, *SERVES, status=125)
    assert "on which a port that was asked for is taken" in told
    tenant.types("restart", "-t", "0", "site")
    until(lambda: asked(number) == "harbour")
    tenant.types("rm", "-f", "site")
    until(lambda: asked(number) is None)
    tenant.types("start", "other")
    until(lambda: asked(number) is not None)


def test_a_group_keeps_the_neighbours_out_and_lets_in_what_is_published(tenant: Tenant) -> None:
    tenant.types("security-group", "create", "--allow", "tcp/81", "shut")
    tenant.types("security-group", "create", "--allow", "tcp/80", "open")
    named = ("--hostname", "harbour", "--security-group")
    tenant.types("run", "-d", "--name", "shut", *named, "shut", IMAGE, *SERVES)
    tenant.types("run", "-d", "--name", "open", *named, "open", IMAGE, *SERVES)
    tenant.types("run", "-d", "--name", "led", *named, "shut", "-p", "80", IMAGE, *SERVES)
    tenant.types("run", "-d", "--name", "bare", "--hostname", "harbour", "--expose", "80", IMAGE, *SERVES)
    tenant.types("run", "-d", "--name", "near", IMAGE, "sleep", "inf")

    for name in ("open", "bare", "led"):
        until(lambda name=name: heard(tenant, "near", name) == "harbour")  # type: ignore[misc]
    assert heard(tenant, "near", "shut") is None
    until(lambda: asked(published(tenant, "led")) == "harbour")
    assert "Containers have this security group" in tenant.fails("security-group", "rm", "shut")
