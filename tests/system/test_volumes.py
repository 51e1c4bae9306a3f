"""Volumes, files and memory in real containers: what lies in them, what outlives what, and that nothing is left on the host."""

import base64
import json
import os
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.system.engine import BUSYBOX as IMAGE
from tests.system.servers import PATIENCE, AllInOne, Login
from tests.system.tenant import Tenant

LOOPS = os.geteuid() == 0 and os.path.exists("/dev/loop-control")


@pytest.fixture(scope="module")
def server(docker_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AllInOne]:
    """One of its own: its agent is killed here."""
    started = AllInOne(tmp_path_factory.mktemp("volumes"), docker_url, {"hosts": {"heartbeat": 2}})
    started.start()
    try:
        yield started
        started.assert_no_traceback()
    finally:
        started.remove()
        for place in mounted(started):
            subprocess.run(["umount", place], check=False)


@pytest.fixture(scope="module")
def martha(server: AllInOne) -> Login:
    return server.add("martha", "garden", "member")


@pytest.fixture
def tenant(martha: Login, server: AllInOne, tmp_path: Path) -> Iterator[Tenant]:
    """Who leaves nothing behind, which is looked at."""
    found = Tenant(tmp_path / "home", martha.environment)
    yield found
    for one in found.sees("ps", "-a"):
        found.types("rm", "-f", one["uuid"])
    for one in found.sees("volume", "ls"):
        found.types("volume", "rm", one["uuid"])
    until(lambda: not left(server), lambda: f"there is left {left(server)}")
    assert not mounted(server)


def mounted(server: AllInOne) -> list[str]:
    """What is mounted below the state of the service."""
    places = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    return [place for place in places if place.startswith(str(server.directory))]


def left(server: AllInOne) -> list[str]:
    """What lies on the host of volumes and of files."""
    agent = server.directory / "state" / "agent"
    return [str(one) for name in ("volumes", "files") if (agent / name).exists() for one in (agent / name).iterdir()]


def until(true: Callable[[], object], otherwise: Callable[[], str]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, otherwise()
        time.sleep(0.05)


def ask(martha: Login, server: AllInOne, body: dict[str, Any], version: str = "1.41") -> Any:
    """What is made of a request for a container."""
    request = urllib.request.Request(
        f"{server.url}/v1/containers?run=true",
        data=json.dumps(body).encode(),
        headers={
            "Content-Type": "application/json",
            "X-Auth-Token": martha.token(),
            "OpenStack-API-Version": f"container {version}",
        },
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def test_what_lies_in_a_volume_outlives_its_container(tenant: Tenant) -> None:
    tenant.types("run", "--rm", "-v", "data:/var/data", IMAGE, "sh", "-c", "echo word > /var/data/kept")
    assert tenant.types("run", "--rm", "-v", "data:/d", IMAGE, "cat", "/d/kept") == "word\n"
    (volume,) = tenant.sees("volume", "ls")
    assert (volume["name"], volume["users"]) == ("data", 0)


def test_two_containers_share_a_volume_and_the_one_that_only_reads_cannot_write(tenant: Tenant) -> None:
    tenant.types("run", "-d", "--name", "writer", "-v", "data:/d", IMAGE, "sh", "-c", "echo one > /d/x; sleep 600")
    assert tenant.types("run", "--rm", "-v", "data:/d:ro", IMAGE, "sh", "-c", "cat /d/x") == "one\n"
    assert tenant.tries("run", "--rm", "-v", "data:/d:ro", IMAGE, "touch", "/d/y").status != 0
    complaint = tenant.fails("volume", "rm", "data")
    assert "delete them first" in complaint and "higgins volume show data" in complaint
    (there,) = tenant.sees("volume", "show", "data")["mounted"]
    assert (there["name"], there["kind"], there["destination"]) == ("writer", "container", "/d")


def test_whoever_the_image_runs_as_may_write(tenant: Tenant) -> None:
    assert tenant.types("run", "--rm", "-v", "data:/d", IMAGE, "sh", "-c", "stat -c %a /d") == "777\n"


def test_an_agent_that_is_killed_finds_all_as_it_was(tenant: Tenant, server: AllInOne) -> None:
    tenant.types("volume", "create", "-s", "1g", "sized")
    told = ("-v", "sized:/sized", "-v", "plain:/plain")
    tenant.types(
        "run", "-d", "--name", "web", *told, IMAGE, "sh", "-c", "date >> /sized/runs; date >> /plain/runs; sleep 600"
    )
    server.kill()
    server.start()
    assert len(tenant.types("exec", "web", "cat", "/sized/runs", "/plain/runs").splitlines()) == 2
    tenant.types("restart", "-t", "0", "web")
    assert len(tenant.types("exec", "web", "cat", "/sized/runs", "/plain/runs").splitlines()) == 4


@pytest.mark.skipif(not LOOPS, reason="file systems in files need root and loop devices")
def test_a_volume_that_a_reboot_has_unmounted_is_mounted_by_the_next_start(tenant: Tenant, server: AllInOne) -> None:
    tenant.types("volume", "create", "-s", "1g", "sized")
    tenant.types("run", "-d", "--name", "web", "-v", "sized:/d", IMAGE, "sh", "-c", "echo run >> /d/runs; sleep 600")
    tenant.types("stop", "-t", "0", "web")
    (place,) = mounted(server)
    subprocess.run(["umount", place], check=True)
    tenant.types("start", "web")
    assert tenant.types("exec", "web", "cat", "/d/runs") == "run\nrun\n"


@pytest.mark.skipif(not LOOPS, reason="file systems in files need root and loop devices")
def test_a_volume_holds_no_more_than_its_size(tenant: Tenant, server: AllInOne) -> None:
    tenant.types("volume", "create", "-s", "1g", "sized")
    ran = tenant.tries("run", "--rm", "-v", "sized:/d", IMAGE, "sh", "-c", "df -m /d | tail -1; fallocate -l 2g /d/x")
    assert ran.status != 0 and "No space left" in ran.err
    assert 900 < int(ran.said.split()[1]) <= 1024


def test_a_volume_of_the_api_goes_with_its_container(tenant: Tenant, martha: Login, server: AllInOne) -> None:
    mounts = [{"source": "", "size": "1", "destination": "/data"}]
    made = ask(martha, server, {"image": IMAGE, "command": ["sleep", "600"], "mounts": mounts}, "1.20")
    until(lambda: tenant.sees("inspect", made["uuid"])[0]["status"] == "Running", lambda: str(tenant.sees("ps", "-a")))
    tenant.types("exec", made["uuid"], "touch", "/data/x")
    assert left(server)
    tenant.types("rm", "-f", made["uuid"])
    assert tenant.sees("volume", "ls") == []
    until(lambda: not left(server), lambda: f"there is left {left(server)}")


def test_a_file_of_the_api_lies_in_its_place(tenant: Tenant, martha: Login, server: AllInOne) -> None:
    content = base64.b64encode(b"hello\n").decode()
    mounts = [{"type": "bind", "source": content, "destination": "/etc/motd"}]
    made = ask(martha, server, {"image": IMAGE, "command": ["sleep", "600"], "mounts": mounts}, "1.23")
    until(lambda: tenant.sees("inspect", made["uuid"])[0]["status"] == "Running", lambda: str(tenant.sees("ps", "-a")))
    assert tenant.types("exec", made["uuid"], "cat", "/etc/motd") == "hello\n"
    assert tenant.types("exec", made["uuid"], "sh", "-c", "stat -c '%a %u' /etc/motd") == "644 0\n"
    tenant.types("exec", made["uuid"], "sh", "-c", "echo more >> /etc/motd")
    tenant.types("restart", "-t", "0", made["uuid"])
    assert tenant.types("exec", made["uuid"], "cat", "/etc/motd") == "hello\nmore\n"


def test_a_directory_in_memory_is_as_large_as_was_asked_and_empty_after_a_restart(tenant: Tenant) -> None:
    tenant.types("run", "-d", "--name", "web", "--tmpfs", "/fast:size=16m", IMAGE, "sleep", "600")
    assert "tmpfs" in tenant.types("exec", "web", "df", "-T", "/fast")
    assert tenant.types("exec", "web", "df", "-m", "/fast").split()[-5] == "16"
    tenant.types("exec", "web", "touch", "/fast/x")
    tenant.types("restart", "-t", "0", "web")
    assert tenant.types("exec", "web", "ls", "/fast") == ""


def test_nobody_reaches_the_volume_of_another_project(tenant: Tenant, server: AllInOne, tmp_path: Path) -> None:
    otto = Tenant(tmp_path / "otto", server.add("otto", "orchard", "member").environment)
    tenant.types("run", "--rm", "-v", "data:/d", IMAGE, "sh", "-c", "echo secret > /d/x")
    (volume,) = tenant.sees("volume", "ls")
    assert otto.types("run", "--rm", "-v", "data:/d", IMAGE, "ls", "/d") == ""
    assert "could not be found" in otto.fails("volume", "show", volume["uuid"])
    otto.fails("volume", "rm", volume["uuid"])
    (own,) = otto.sees("volume", "ls")
    assert own["uuid"] != volume["uuid"]
    otto.types("volume", "rm", "data")


def test_a_pod_shares_what_is_empty_at_first(tenant: Tenant, server: AllInOne) -> None:
    mount = {"name": "shared", "mountPath": "/shared"}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "pair"},
        "spec": {
            "initContainers": [
                {
                    "name": "first",
                    "image": IMAGE,
                    "command": ["sh", "-c", "echo hi > /shared/x"],
                    "volumeMounts": [mount],
                }
            ],
            "containers": [
                {
                    "name": "second",
                    "image": IMAGE,
                    "command": ["sh", "-c", "test -s /shared/x && sleep 600"],
                    "volumeMounts": [mount],
                }
            ],
            "volumes": [{"name": "shared", "emptyDir": {}}],
        },
    }
    tenant.types("capsule", "apply", "-f", "-", said=json.dumps(pod).encode())
    assert tenant.sees("capsule", "show", "pair")["status"] == "Running"
    (volume,) = tenant.sees("volume", "ls")
    assert [(one["name"], one["kind"]) for one in tenant.sees("volume", "show", volume["uuid"][:8])["mounted"]] == [
        ("pair", "capsule")
    ]
    tenant.types("capsule", "rm", "pair")
    assert tenant.sees("volume", "ls") == []


def test_a_directory_of_the_host_is_refused_with_what_to_do(tenant: Tenant) -> None:
    assert "higgins cp" in tenant.fails("run", "-v", "/etc:/host", IMAGE, status=125)
