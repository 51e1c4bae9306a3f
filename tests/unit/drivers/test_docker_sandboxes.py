"""The file of host names that a sandbox shares with what runs in it."""

import asyncio
from pathlib import Path

import pytest

from higgins.drivers.engine import Engine
from higgins.drivers.runtimes.docker.sandboxes import DockerSandboxes

ID = "0f" * 32


@pytest.fixture
def hosts(tmp_path: Path) -> Path:
    (tmp_path / ID).mkdir()
    return tmp_path / ID / "hosts"


def introduced(hosts: Path) -> None:
    sandboxes = DockerSandboxes(Engine("unix:///nowhere"), owner="me", warm=0, nameserver=None)
    asyncio.run(sandboxes.introduce(ID, hosts, "web", "10.88.0.2"))


def test_a_host_name_is_added_whatever_bytes_others_have_written(hosts: Path) -> None:
    hosts.write_bytes(b"\xff\xfe\n127.0.0.1\tlocalhost\n")
    introduced(hosts)
    assert hosts.read_bytes() == b"\xff\xfe\n127.0.0.1\tlocalhost\n10.88.0.2\tweb\n"


def test_what_containers_have_made_as_large_as_they_could_is_left_alone(hosts: Path) -> None:
    with hosts.open("wb") as file:
        file.truncate(2**40)
    introduced(hosts)
    assert hosts.stat().st_size == 2**40
