"""Zun's own clients, unchanged, against a real all-in-one: the library, `zun` and `openstack appcontainer`, logged in through the local identity."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from keystoneauth1 import session
from keystoneauth1.identity import v3
from zunclient import client
from zunclient import exceptions as refused

from tests.system.engine import BUSYBOX as IMAGE
from tests.system.servers import AllInOne, Login

BIN = Path(sys.executable).parent
PATIENCE = 30.0


class Person:
    """Somebody at a shell."""

    def __init__(self, login: Login) -> None:
        self._environment = {**os.environ, **login.environment, "COLUMNS": "200", "PYTHONWARNINGS": "ignore"}

    def types(self, *words: str) -> str:
        """What the command prints. An AssertionError if it fails."""
        ran = self.tries(*words)
        assert ran.returncode == 0, f"{' '.join(words)}: {ran.stdout}{ran.stderr}"
        return ran.stdout

    def tries(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """The same, however it ends."""
        command = [str(BIN / words[0]), *words[1:]]
        return subprocess.run(
            command,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            stdin=subprocess.DEVNULL,
        )


def until(true: Callable[[], bool], what: str) -> None:
    """Wait for it. A person would look again, too."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def person(member: Login) -> Person:
    return Person(member)


@pytest.fixture(scope="module")
def library(member: Login) -> client.Client:
    """The library as a program would use it, with the version negotiated."""
    asked = member.environment
    login = v3.Password(
        auth_url=asked["OS_AUTH_URL"],
        username=asked["OS_USERNAME"],
        password=asked["OS_PASSWORD"],
        project_name=asked["OS_PROJECT_NAME"],
        user_domain_name="Default",
        project_domain_name="Default",
    )
    return client.Client("1.latest", session=session.Session(auth=login))


def test_the_library_does_everything_to_a_container(library: client.Client, all_in_one: AllInOne) -> None:
    containers = library.containers
    made = containers.create(name="by-library", image=IMAGE, command=["sh", "-c", "echo hello; exec sleep 600"])
    assert made.status in ("Creating", "Created")

    def is_now(status: str) -> None:
        until(lambda: _settled(containers.get(made.uuid), status), status)

    is_now("Created")
    containers.start(made.uuid)
    is_now("Running")
    assert [one.name for one in containers.list()] == ["by-library"]
    assert containers.get("by-library").command == ["sh", "-c", "echo hello; exec sleep 600"]
    until(
        lambda: containers.logs(made.uuid, stdout=True, stderr=True, timestamps=False, tail="all") == "hello\n", "logs"
    )
    ran = containers.execute(made.uuid, command='"sh" "-c" "echo out; exit 3"', interactive=False)
    assert (ran["output"], ran["exit_code"]) == ("out\n", 3)
    containers.pause(made.uuid)
    is_now("Paused")
    containers.unpause(made.uuid)
    is_now("Running")
    containers.kill(made.uuid, "SIGKILL")
    is_now("Stopped")
    assert containers.get(made.uuid).status_detail.startswith("Exited(137)")
    containers.start(made.uuid)
    is_now("Running")
    containers.restart(made.uuid, 0)
    is_now("Running")
    containers.stop(made.uuid, 0)
    is_now("Stopped")
    assert containers.update(made.uuid, name="renamed").name == "renamed"
    actions = library.actions.list("renamed")
    assert [one.action for one in actions] == ["stop", "reboot", "start", "kill", "unpause", "pause", "start", "create"]
    until(lambda: all(one.finish_time for one in library.actions.list("renamed")), "actions that end")
    shown = library.actions.get("renamed", actions[0].request_id)
    assert [(event["event"], event["result"]) for event in shown.events] == [("compute__do_container_stop", "Success")]
    containers.delete("renamed")
    until(lambda: containers.list() == [], "the delete")
    with pytest.raises(refused.NotFound):
        containers.get(made.uuid)


def test_the_library_is_refused_in_words_that_it_understands(library: client.Client) -> None:
    with pytest.raises(refused.NotFound, match="could not be found"):
        library.containers.start("no-such-container")
    with pytest.raises(refused.BadRequest, match="cpu"):
        library.containers.create(image=IMAGE, cpu="many")
    with pytest.raises(refused.Forbidden, match="get_all_all_projects"):
        library.containers.list(all_projects=True)


@pytest.mark.parametrize("version", ["1.1", "1.12", "1.13", "1.20", "1.36", "1.40"])
def test_a_program_that_asks_for_an_older_version_gets_it(version: str, member: Login) -> None:
    asked = member.environment
    login = v3.Password(
        auth_url=asked["OS_AUTH_URL"],
        username=asked["OS_USERNAME"],
        password=asked["OS_PASSWORD"],
        project_name=asked["OS_PROJECT_NAME"],
        user_domain_name="Default",
        project_domain_name="Default",
    )
    containers = client.Client(version, session=session.Session(auth=login)).containers
    made = containers.run(image=IMAGE, command=["true"])
    until(lambda: _settled(containers.get(made.uuid), "Stopped"), "the end of its command")
    assert containers.get(made.uuid).command == ["true"]
    containers.delete(made.uuid)


def test_zun_does_everything_to_a_container(person: Person, library: client.Client) -> None:
    def is_now(status: str) -> None:
        # Asked by the library, which need not start anew for every look.
        until(lambda: _settled(library.containers.get("web"), status), status)

    assert "web" in person.types("zun", "create", "--name", "web", IMAGE, "sleep", "600")
    is_now("Created")
    assert json.loads(person.types("zun", "show", "-f", "json", "web"))["status"] == "Created"
    person.types("zun", "start", "web")
    is_now("Running")
    table = person.types("zun", "list")
    assert "| web " in table
    assert "Running" in table
    assert person.types("zun", "exec", "web", "sh", "-c", "echo one two").strip() == "one two"
    person.types("zun", "pause", "web")
    is_now("Paused")
    person.types("zun", "unpause", "web")
    is_now("Running")
    person.types("zun", "restart", "-t", "0", "web")
    is_now("Running")
    person.types("zun", "kill", "-s", "KILL", "web")
    is_now("Stopped")
    person.types("zun", "start", "web")
    is_now("Running")
    person.types("zun", "stop", "-t", "0", "web")
    is_now("Stopped")
    person.types("zun", "--zun-api-version", "1.13", "rename", "web", "site")
    actions = person.types("zun", "action-list", "site")
    assert "reboot" in actions
    created = next(line for line in actions.splitlines() if " create " in line)
    identifier = next(word for word in created.split() if word.startswith("req-"))
    assert "compute__do_container_create" in person.types("zun", "action-show", "site", identifier)
    person.types("zun", "delete", "site")
    until(lambda: "site" not in person.types("zun", "list"), "the delete")


def test_zun_runs_a_command_and_reads_what_it_printed(person: Person) -> None:
    person.types("zun", "run", "--name", "job", IMAGE, "echo", "grüß dich")
    until(lambda: person.types("zun", "logs", "job").strip() == "grüß dich", "its logs")
    person.types("zun", "delete", "--stop", "job")
    until(lambda: "job" not in person.types("zun", "list"), "the delete")


def test_openstack_appcontainer_does_everything_to_a_container(person: Person, library: client.Client) -> None:
    def stack(*words: str) -> str:
        return person.types("openstack", "appcontainer", *words)

    def is_now(status: str) -> None:
        until(lambda: _settled(library.containers.get("shop"), status), status)

    assert (
        json.loads(stack("create", "--wait", "-f", "json", "--name", "shop", IMAGE, "sleep", "600"))["name"] == "shop"
    )
    stack("start", "shop")
    is_now("Running")
    assert [(one["name"], one["status"]) for one in json.loads(stack("list", "-f", "json"))] == [("shop", "Running")]
    assert json.loads(stack("show", "-f", "json", "shop"))["status"] == "Running"
    assert stack("exec", "shop", "echo", "inside").strip() == "inside"
    stack("pause", "shop")
    is_now("Paused")
    stack("unpause", "shop")
    is_now("Running")
    stack("restart", "--time", "0", "shop")
    is_now("Running")
    stack("kill", "--signal", "KILL", "shop")
    is_now("Stopped")
    stack("start", "shop")
    is_now("Running")
    stack("stop", "--time", "0", "shop")
    is_now("Stopped")
    stack("set", "--name", "store", "shop")
    listed = json.loads(stack("action", "list", "-f", "json", "store"))
    assert [one["action"] for one in listed][:2] == ["stop", "start"]
    assert json.loads(stack("action", "show", "-f", "json", "store", listed[0]["request_id"]))["action"] == "stop"
    stack("delete", "--wait", "store")
    assert json.loads(stack("list", "-f", "json")) == []


def test_openstack_appcontainer_run_waits_for_what_it_started(person: Person) -> None:
    ran = json.loads(
        person.types(
            "openstack", "appcontainer", "run", "--wait", "-f", "json", "--name", "wait", IMAGE, "sleep", "600"
        )
    )
    assert ran["name"] == "wait"
    shown = json.loads(person.types("openstack", "appcontainer", "show", "-f", "json", "wait"))
    assert shown["status"] == "Running"
    assert person.types("openstack", "appcontainer", "logs", "wait").strip() == ""
    person.types("openstack", "appcontainer", "delete", "--stop", "--wait", "wait")


def _settled(container: Any, status: str) -> bool:
    assert container.status != "Error" or status == "Error", container.status_reason
    return bool(container.status == status and container.task_state is None)
