"""A real all-in-one for tests: its own process, ports and state, on the real Docker Engine."""

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENCE = 30
QUOTA = {"containers": 40, "memory": 51200, "cpu": 20, "disk": 100}
"""What a project may have where nothing is configured."""
_NOBODYS = range(12000, 32000)
"""Below those that Linux gives to outgoing connections."""


class AllInOne:
    """`higgins all-in-one`, to be started, killed and started again over the same state.

    Its containers carry a mark of their own on the engine, by which `remove` finds them, whatever became of the process.
    """

    command_line: Sequence[str] = ("all-in-one",)
    enter: Sequence[str] = ()
    """What to put before a command so that it runs on the machine on which this one does."""
    machine = Path("/proc/self")
    """A process of that machine."""

    def __init__(
        self, directory: Path, docker_url: str, settings: Mapping[str, Mapping[str, object]] | None = None
    ) -> None:
        """`settings` are groups of options on top of what keeps it apart from others."""
        self.owner = f"test-{secrets.token_hex(6)}"
        self.docker_url = docker_url
        self.directory = directory
        self.port, link, enrol = free_ports(3)
        self.url = f"http://127.0.0.1:{self.port}"
        self.config = directory / "higgins.conf"
        self.log = directory / "higgins.log"
        self.database = directory / "state" / "higgins.sqlite"
        self.process: subprocess.Popen[bytes] | None = None
        self.variables: dict[str, str] = {}
        """On top of those of its environment."""
        self._write(
            {
                "DEFAULT": {"state_dir": directory / "state"},
                "api": {"port": self.port},
                "link": {"port": link, "enrol_port": enrol},
                "docker": {"api_url": docker_url, "owner": self.owner},
                # Whoever is about something else makes as many containers as it takes.
                "quota": dict.fromkeys((*QUOTA, "networks", "security_groups", "volumes", "published_ports"), -1),
            },
            settings or {},
        )

    def _write(self, *layers: Mapping[str, Mapping[str, object]]) -> None:
        groups: dict[str, dict[str, object]] = {}
        for layer in layers:
            for group, options in layer.items():
                groups.setdefault(group, {}).update(options)
        self.config.write_text(
            "\n".join(
                f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in options.items())
                for group, options in groups.items()
            )
        )

    # Its process.

    def start(self) -> None:
        """Returns once it answers."""
        self.spawn()
        self.wait_until_it_answers()

    def wait_until_it_answers(self) -> None:
        """Raises AssertionError, with what it logged, if it ends before or takes too long."""
        deadline = time.monotonic() + PATIENCE
        while not self.answers():
            if self.over or time.monotonic() > deadline:
                raise AssertionError(f"{self.command_line} does not answer:\n{self.log.read_text()[-4000:]}")
            time.sleep(0.02)

    def spawn(self) -> None:
        """Returns at once."""
        program = [sys.executable, "-m", "higgins.cli.main", "--config-file", str(self.config)]
        command = [*self.enter, *program, *self.command_line]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment() | self.variables
            )

    @property
    def over(self) -> bool:
        """Whether its process has ended, or was never started."""
        return self.process is None or self.process.poll() is not None

    def answers(self) -> bool:
        """Whether its front door is open."""
        try:
            urllib.request.urlopen(f"{self.url}/", timeout=5).close()
        except OSError:
            return False
        return True

    def assert_no_traceback(self) -> None:
        """Nothing happened that nobody foresaw."""
        _assert_no_traceback(self.log)

    def kill(self) -> None:
        """As a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """As an operator would; the exit status."""
        return self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def end(self) -> None:
        """Stop it, if it runs."""
        if not self.over:
            self.stop()

    def remove(self) -> None:
        """End it, and leave nothing of it on the engine and the machine."""
        self.end()
        engine = [sys.executable, str(ROOT / "scripts" / "engine.py"), self.docker_url]
        subprocess.run(
            [*engine, "remove-containers", f"org.higgins.owner={self.owner}"], check=True, capture_output=True
        )
        networks = [sys.executable, str(ROOT / "scripts" / "networks.py"), self.owner]
        subprocess.run(networks, check=True, capture_output=True, env=environment() | {"PYTHONPATH": str(ROOT)})
        places = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
        for place in places:
            if place.startswith(f"{self.directory}/"):
                subprocess.run(["umount", place], check=True, capture_output=True)

    # Its people.

    def command(self, *arguments: str, said: str | None = None) -> str:
        """What `higgins` prints; an AssertionError with its complaint if it fails."""
        ran = subprocess.run(
            [sys.executable, "-m", "higgins.cli.main", "--config-file", str(self.config), *arguments],
            cwd=ROOT,
            env=environment(),
            input=said,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ran.returncode == 0, f"higgins {' '.join(arguments)}: {ran.stderr}"
        return ran.stdout

    def add(self, user: str, project: str, *roles: str) -> "Login":
        """A user with these roles in a project, either made if need be."""
        password = secrets.token_urlsafe(12)
        if f'"{project}"' not in self.command("project", "list", "-o", "json"):
            self.command("project", "create", project)
        first, *more = roles or ("member",)
        there = ("--project", project, "--role", first)
        self.command("user", "create", user, "--password-stdin", *there, said=f"{password}\n")
        for role in more:
            self.command("role", "grant", role, "--user", user, "--project", project)
        return Login(self.url, user, password, project)


class Control(AllInOne):
    """`higgins serve`: the control plane alone."""

    command_line = ("serve",)


class Agent:
    """`higgins agent`, a host of a control plane on this machine; its state lies in the same directory."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self.directory = control.directory / "agent"
        self.directory.mkdir()
        self.config = self.directory / "higgins.conf"
        self.log = self.directory / "higgins.log"
        self.config.write_text(
            f"[DEFAULT]\nstate_dir = {self.directory / 'state'}\n"
            f"[docker]\napi_url = {control.docker_url}\nowner = {control.owner}\n"
        )
        self.process: subprocess.Popen[bytes] | None = None
        self.variables: dict[str, str] = {}
        """On top of those of its environment."""

    def join(self) -> None:
        """Returns once it is connected."""
        self.spawn("--join", self._control.command("host", "token").strip())
        deadline = time.monotonic() + PATIENCE
        while "connected as" not in self.log.read_text():
            if time.monotonic() > deadline:
                raise AssertionError(f"the agent does not connect:\n{self.log.read_text()[-4000:]}")
            time.sleep(0.02)

    def spawn(self, *options: str) -> None:
        """Returns at once."""
        command = [sys.executable, "-m", "higgins.cli.main", "--config-file", str(self.config), "agent", *options]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment() | self.variables
            )

    def kill(self) -> None:
        """As a power cut would."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE)

    def assert_no_traceback(self) -> None:
        """Nothing happened that nobody foresaw."""
        _assert_no_traceback(self.log)


class Login:
    """Somebody who can log in."""

    def __init__(self, url: str, user: str, password: str, project: str) -> None:
        self.environment = {
            "OS_AUTH_URL": f"{url}/identity/v3",
            "OS_AUTH_TYPE": "password",
            "OS_IDENTITY_API_VERSION": "3",
            "OS_USERNAME": user,
            "OS_PASSWORD": password,
            "OS_PROJECT_NAME": project,
            "OS_USER_DOMAIN_NAME": "Default",
            "OS_PROJECT_DOMAIN_NAME": "Default",
            "OS_REGION_NAME": "RegionOne",
        }
        """What OpenStack clients read."""

    def token(self) -> str:
        """A new one."""
        return self._login()[0]

    def project(self) -> str:
        """The id of the project."""
        return self._login()[1]

    def _login(self) -> tuple[str, str]:
        asked, default = self.environment, {"name": "Default"}
        user = {"name": asked["OS_USERNAME"], "domain": default, "password": asked["OS_PASSWORD"]}
        body = {
            "auth": {
                "identity": {"methods": ["password"], "password": {"user": user}},
                "scope": {"project": {"name": asked["OS_PROJECT_NAME"], "domain": default}},
            }
        }
        request = urllib.request.Request(
            f"{asked['OS_AUTH_URL']}/auth/tokens",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            project = json.load(answer)["token"]["project"]["id"]
            return str(answer.headers["X-Subject-Token"]), str(project)


def _assert_no_traceback(log: Path) -> None:
    _, found, rest = log.read_text().partition("Traceback")
    assert not found, f"{found}{rest[:6000]}"


def environment() -> dict[str, str]:
    """That of this process, without what would configure or log in a Higgins or its clients."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("OS_", "HIGGINS_"))}


def free_ports(count: int) -> list[int]:
    """Ports on the loopback address on which nothing listens, and which nobody is given by chance while a server that was killed is away."""
    found: list[int] = []
    while len(found) < count:
        port = secrets.choice([port for port in _NOBODYS if port not in found])
        with socket.socket() as listener, contextlib.suppress(OSError):
            listener.bind(("127.0.0.1", port))
            found.append(port)
    return found
