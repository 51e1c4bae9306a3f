"""What ./quickstart promises, run as people run it, with a directory and a port of its own."""

import shlex
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.engine import URL
from tests.system.servers import ROOT, environment, free_ports

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600), pytest.mark.usefixtures("docker_url")]


class Quickstart:
    """./quickstart with a directory of its own, called from another one."""

    def __init__(self, directory: Path, port: int) -> None:
        self.directory = directory / "quickstart"
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.elsewhere = directory

    def __call__(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        own = {"HIGGINS_QUICKSTART_DIR": str(self.directory), "HIGGINS_PORT": str(self.port)}
        return subprocess.run(
            [str(ROOT / "quickstart"), *arguments],
            cwd=self.elsewhere,
            env={**environment(), **own, **variables},
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def shell(self, command: str) -> str:
        """What a shell that has evaluated the exports prints."""
        script = f'eval "$({shlex.quote(str(ROOT / "quickstart"))} env)"; {command}'
        own = {"HIGGINS_QUICKSTART_DIR": str(self.directory), "XDG_CACHE_HOME": str(self.elsewhere / "cache")}
        ran = subprocess.run(
            ["bash", "-ec", script], env={**environment(), **own}, capture_output=True, text=True, check=True
        )
        return ran.stdout

    def answers(self) -> bool:
        """Whether something does at its address."""
        try:
            urllib.request.urlopen(f"{self.url}/", timeout=5).close()
        except OSError:
            return False
        return True


@pytest.fixture(scope="module")
def quickstart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Quickstart]:
    """One that has run."""
    own = Quickstart(tmp_path_factory.mktemp("quickstart"), free_ports(1)[0])
    ran = own()
    try:
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert "| Hello from container " in ran.stdout
        yield own
    finally:
        own("reset")


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Quickstart]:
    """One that has not run, on a port on which nothing listens."""
    own = Quickstart(tmp_path, free_ports(1)[0])
    yield own
    own("reset")


def test_a_second_run_reuses_everything_and_runs_a_container_again(quickstart):
    ran = quickstart()
    assert ran.returncode == 0, ran.stderr
    assert "already runs" in ran.stdout
    assert "demo in demo, reused" in ran.stdout
    assert "| Hello from container " in ran.stdout


def test_the_exports_log_clients_and_the_command_in(quickstart):
    assert "hello" in quickstart.shell("zun list")
    assert "hello" in quickstart.shell("openstack appcontainer list")
    assert "host      " in quickstart.shell("higgins status")
    assert "hello" in quickstart.shell("higgins ps -o name").split()
    assert quickstart.shell("higgins exec hello echo at home") == "at home\n"


def test_only_exports_stand_on_standard_output_and_the_password_is_for_its_owner_only(quickstart):
    lines = quickstart("env").stdout.splitlines()
    assert all(line.startswith(("export ", "case ")) for line in lines)
    assert (quickstart.directory / "credentials").stat().st_mode & 0o777 == 0o600


def test_stopped_it_answers_no_more_and_started_again_it_knows_its_containers(quickstart):
    assert quickstart("stop").returncode == 0
    assert not quickstart.answers()
    assert quickstart().returncode == 0
    assert "hello" in quickstart.shell("zun list")


def test_reset_leaves_nothing_behind(fresh):
    assert fresh().returncode == 0
    owner = next(line for line in (fresh.directory / "higgins.conf").read_text().splitlines() if "owner" in line)
    mark = owner.partition(" = ")[2]
    assert _marked(mark) > 0
    assert fresh("reset").returncode == 0
    assert not fresh.answers()
    assert not fresh.directory.exists()
    assert _marked(mark) == 0


def test_a_port_that_is_in_use_is_told_with_what_to_do(fresh):
    with socket.create_server(("127.0.0.1", fresh.port)):
        ran = fresh()
    assert ran.returncode == 1
    assert ran.stderr.startswith(f"quickstart: port {fresh.port} is in use by another program: HIGGINS_PORT=")
    assert ran.stderr.count("\n") == 1


def test_a_port_that_is_none_is_refused(fresh):
    ran = fresh(HIGGINS_PORT="http")
    assert ran.returncode == 1
    assert "HIGGINS_PORT=http is not a port" in ran.stderr


def test_an_engine_elsewhere_that_does_not_answer_is_named(fresh):
    ran = fresh(DOCKER_HOST=f"tcp://127.0.0.1:{free_ports(1)[0]}")
    assert ran.returncode == 1
    assert "no Docker Engine answers at DOCKER_HOST=tcp://127.0.0.1:" in ran.stderr
    assert ran.stderr.count("\n") == 1


def test_before_it_ran_there_is_nothing_to_export(fresh):
    ran = fresh("env")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "run ./quickstart first" in ran.stderr


def test_an_unknown_word_shows_how_it_is_used(fresh):
    ran = fresh("fly")
    assert ran.returncode == 2
    assert "./quickstart reset" in ran.stdout


def _marked(owner: str) -> int:
    """How many containers on the engine carry that mark."""
    listed = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "engine.py"), URL, "containers", f"org.higgins.owner={owner}"],
        capture_output=True,
        text=True,
        check=True,
    )
    return len(listed.stdout.split())
