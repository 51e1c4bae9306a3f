"""A host on another address: the agent joins a control plane across a network, loses it, and comes back."""

import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.system.engine import BUSYBOX, missing
from tests.system.servers import ROOT, Login, environment

CONTROL, HOST = "10.223.77.1", "10.223.77.2"
PATIENCE = 60
pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(300)]


class Place:
    """One end of the network: a namespace with an address, in which commands are run."""

    def __init__(self, name: str, address: str) -> None:
        self.name = name
        self.address = address

    def run(self, *words: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["ip", "netns", "exec", self.name, *words],
            cwd=ROOT,
            env={**environment(), **(env or {})},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def connect(self, *, up: bool) -> None:
        ran = self.run("ip", "link", "set", "wire", "up" if up else "down")
        assert ran.returncode == 0, ran.stderr


class Higgins:
    """The `higgins` command with a configuration of its own, in one place."""

    def __init__(self, place: Place, directory: Path, options: Mapping[str, Mapping[str, object]]) -> None:
        directory.mkdir()
        self.log = directory / "log"
        self._place = place
        self._config = directory / "higgins.conf"
        groups = {"DEFAULT": {"state_dir": directory / "state"}, **options}
        self._config.write_text(
            "".join(
                f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in values.items())
                for group, values in groups.items()
            )
        )
        self._process: subprocess.Popen[bytes] | None = None

    def _command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "higgins.cli.main", "--config-file", str(self._config), *words]

    def run(self, *words: str, said: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["ip", "netns", "exec", self._place.name, *self._command(*words)],
            cwd=ROOT,
            env=environment(),
            input=said,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def says(self, *words: str, said: str | None = None) -> str:
        """What it prints, when it succeeds."""
        ran = self.run(*words, said=said)
        assert ran.returncode == 0, f"higgins {' '.join(words)}: {ran.stderr}"
        return ran.stdout

    def start(self, *words: str) -> None:
        # ip replaces itself with the command, so that a signal reaches it.
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                ["ip", "netns", "exec", self._place.name, *self._command(*words)],
                cwd=ROOT,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)
            self._process.wait(PATIENCE)


@pytest.fixture
def places() -> Iterator[tuple[Place, Place]]:
    """Two namespaces with a wire between them."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        missing("Network namespaces need root and the command ip (Debian's package iproute2).")
    mark = secrets.token_hex(3)
    control, host = Place(f"higgins-{mark}-control", CONTROL), Place(f"higgins-{mark}-host", HOST)
    made = subprocess.run(["ip", "netns", "add", control.name], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        missing(f"No network namespace can be made here: {made.stderr.strip()}")
    try:
        for line in (
            f"ip netns add {host.name}",
            f"ip link add wire netns {control.name} type veth peer name wire netns {host.name}",
            *(
                f"ip -n {place.name} {words}"
                for place in (control, host)
                for words in (f"addr add {place.address}/24 dev wire", "link set lo up", "link set wire up")
            ),
        ):
            subprocess.run(line.split(), check=True, capture_output=True)
        yield control, host
    finally:
        for place in (control, host):
            subprocess.run(["ip", "netns", "delete", place.name], capture_output=True, check=False)


@pytest.fixture
def owner(docker_url: str) -> Iterator[str]:
    """The mark of this test's containers, which are gone afterwards."""
    owner = f"test-{secrets.token_hex(6)}"
    yield owner
    engine = [sys.executable, str(ROOT / "scripts" / "engine.py"), docker_url]
    subprocess.run([*engine, "remove-containers", f"org.higgins.owner={owner}"], check=True, capture_output=True)


@pytest.fixture
def control(places: tuple[Place, Place], tmp_path: Path) -> Iterator[Higgins]:
    """`higgins serve`, which answers, with a user."""
    options: dict[str, dict[str, object]] = {
        "link": {"host_ip": CONTROL},
        "hosts": {"lease": 3, "heartbeat": 1},
    }
    control = Higgins(places[0], tmp_path / "control", options)
    control.start("serve")
    try:
        until(lambda: "answers at" in control.log.read_text(), control.log)
        control.says("project", "create", "garden")
        control.says("user", "create", "martha", "--password-stdin", said="secret\n")
        control.says("role", "grant", "member", "--user", "martha", "--project", "garden")
        yield control
    finally:
        control.end()


@pytest.fixture
def agent(places: tuple[Place, Place], tmp_path: Path, docker_url: str, owner: str) -> Iterator[Higgins]:
    """`higgins agent` on the other address, not started."""
    options: dict[str, dict[str, object]] = {
        "agent": {"name": "far"},
        "docker": {"api_url": docker_url, "owner": owner},
    }
    agent = Higgins(places[1], tmp_path / "agent", options)
    yield agent
    agent.end()


def until(truth: Callable[[], object], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not truth():
        assert time.monotonic() < deadline, log.read_text()[-4000:]
        time.sleep(0.1)


def zun(place: Place, *words: str) -> str:
    """What the user's command prints, run beside the control plane."""
    login = Login("http://127.0.0.1:9517", "martha", "secret", "garden")
    ran = place.run(str(Path(sys.executable).with_name("zun")), *words, env=login.environment)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def status(place: Place) -> str:
    found = re.search(r"\| status +\| (\w+)", zun(place, "show", "web"))
    return found.group(1) if found else ""


def test_an_agent_elsewhere_joins_works_loses_the_network_and_carries_on(
    places: tuple[Place, Place], control: Higgins, agent: Higgins, tmp_path: Path, docker_url: str
):
    here, there = places
    token = control.says("host", "token").strip()
    agent.start("agent", "--join", token)
    until(lambda: "up" in control.says("host", "list"), agent.log)

    zun(here, "run", "--name", "web", BUSYBOX, "sh", "-c", "trap exit TERM; echo grown; sleep 1000 & wait")
    until(lambda: status(here) == "Running", agent.log)
    assert "grown" in zun(here, "logs", "web")
    assert "hello from afar" in zun(here, "exec", "web", "echo", "hello from afar")

    # A token makes one host: another machine with it is told what to do.
    thief = Higgins(there, tmp_path / "thief", {"docker": {"api_url": docker_url}})
    ran = thief.run("agent", "--join", token)
    assert ran.returncode != 0
    assert "higgins host token" in ran.stderr
    assert len(ran.stderr.strip().splitlines()) == 1

    # The network goes away, and with it what is known of the container; nothing happens to it.
    there.connect(up=False)
    until(lambda: status(here) == "Unknown", agent.log)
    there.connect(up=True)
    until(lambda: status(here) == "Running", agent.log)
    assert "still there" in zun(here, "exec", "web", "echo", "still there")

    # The agent dies and comes back as the host that it was, without a token.
    sessions = agent.log.read_text().count("connected as far")
    agent.end(signal.SIGKILL)
    agent.start("agent")
    until(lambda: agent.log.read_text().count("connected as far") > sessions, agent.log)
    until(lambda: status(here) == "Running", agent.log)
    assert "accepted" in zun(here, "delete", "--stop", "web")
    until(lambda: "web" not in zun(here, "list"), agent.log)
