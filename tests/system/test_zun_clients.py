"""Zun's own clients, unchanged, against a real all-in-one: the library, `zun` and `openstack appcontainer`, logged in through the local identity."""

import json
from collections.abc import Iterator, Sequence

import pytest
from zunclient import client
from zunclient import exceptions as refused

from tests.system import clients
from tests.system.clients import LASTS, Person, settled, until
from tests.system.engine import BUSYBOX as IMAGE
from tests.system.servers import AllInOne, Login


@pytest.fixture(scope="module")
def person(member: Login) -> Person:
    return Person(member)


@pytest.fixture(scope="module")
def library(member: Login) -> client.Client:
    """The library as a program would use it, with the version negotiated."""
    return clients.library(member)


@pytest.fixture(autouse=True)
def nothing_left(library: client.Client) -> Iterator[None]:
    """One test's containers must not be another's trouble."""
    yield
    for one in library.containers.list():
        library.containers.delete(one.uuid, stop=True)
    until(lambda: library.containers.list() == [], "an empty project")


def test_the_library_does_everything_to_a_container(library: client.Client, all_in_one: AllInOne) -> None:
    containers = library.containers
    made = containers.create(name="by-library", image=IMAGE, command=["sh", "-c", "echo hello; exec sleep 600"])
    assert made.status in ("Creating", "Created")

    def is_now(status: str) -> None:
        until(lambda: settled(containers.get(made.uuid), status), status)

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
    containers = clients.library(member, version).containers
    made = containers.run(image=IMAGE, command=["true"])
    until(lambda: settled(containers.get(made.uuid), "Stopped"), "the end of its command")
    assert containers.get(made.uuid).command == ["true"]
    containers.delete(made.uuid)


def test_zun_does_everything_to_a_container(person: Person, library: client.Client) -> None:
    def is_now(status: str) -> None:
        # Asked by the library, which need not start anew for every look.
        until(lambda: settled(library.containers.get("web"), status), status)

    assert "web" in person.zun("create", "--name", "web", IMAGE, *LASTS)
    is_now("Created")
    assert json.loads(person.zun("show", "-f", "json", "web"))["status"] == "Created"
    person.zun("start", "web")
    is_now("Running")
    table = person.types("zun", "list")
    assert "| web " in table
    assert "Running" in table
    assert person.zun("exec", "web", "sh", "-c", "echo one two").strip() == "one two"
    person.zun("pause", "web")
    is_now("Paused")
    person.zun("unpause", "web")
    is_now("Running")
    person.zun("restart", "-t", "0", "web")
    is_now("Running")
    person.zun("kill", "-s", "KILL", "web")
    is_now("Stopped")
    person.zun("start", "web")
    is_now("Running")
    person.zun("stop", "-t", "0", "web")
    is_now("Stopped")
    person.zun("--zun-api-version", "1.13", "rename", "web", "site")
    actions = person.zun("action-list", "site")
    assert "reboot" in actions
    created = next(line for line in actions.splitlines() if " create " in line)
    identifier = next(word for word in created.split() if word.startswith("req-"))
    assert "compute__do_container_create" in person.zun("action-show", "site", identifier)
    person.zun("delete", "site")
    until(lambda: "site" not in person.zun("list"), "the delete")


def test_zun_runs_a_command_and_reads_what_it_printed(person: Person, library: client.Client) -> None:
    person.zun("run", "--name", "job", IMAGE, "echo", "grüß dich")
    until(lambda: settled(library.containers.get("job"), "Stopped"), "its end")
    assert person.zun("logs", "job").strip() == "grüß dich"
    person.zun("delete", "--stop", "job")
    until(lambda: "job" not in person.zun("list"), "the delete")


def test_openstack_appcontainer_does_everything_to_a_container(person: Person, library: client.Client) -> None:
    def is_now(status: str) -> None:
        until(lambda: settled(library.containers.get("shop"), status), status)

    assert (
        json.loads(person.openstack("create", "--wait", "-f", "json", "--name", "shop", IMAGE, *LASTS))["name"]
        == "shop"
    )
    person.openstack("start", "shop")
    is_now("Running")
    listed = json.loads(person.types("openstack", "appcontainer", "list", "-f", "json"))
    assert [(one["name"], one["status"]) for one in listed] == [("shop", "Running")]
    assert json.loads(person.openstack("show", "-f", "json", "shop"))["status"] == "Running"
    assert person.openstack("exec", "shop", "echo", "inside").strip() == "inside"
    person.openstack("pause", "shop")
    is_now("Paused")
    person.openstack("unpause", "shop")
    is_now("Running")
    person.openstack("restart", "--time", "0", "shop")
    is_now("Running")
    person.openstack("kill", "--signal", "KILL", "shop")
    is_now("Stopped")
    person.openstack("start", "shop")
    is_now("Running")
    person.openstack("stop", "--time", "0", "shop")
    is_now("Stopped")
    person.openstack("set", "--name", "store", "shop")
    listed = json.loads(person.openstack("action", "list", "-f", "json", "store"))
    assert [one["action"] for one in listed][:2] == ["stop", "start"]
    assert (
        json.loads(person.openstack("action", "show", "-f", "json", "store", listed[0]["request_id"]))["action"]
        == "stop"
    )
    person.openstack("delete", "--wait", "store")
    assert json.loads(person.openstack("list", "-f", "json")) == []


def test_openstack_appcontainer_run_waits_for_what_it_started(person: Person) -> None:
    ran = json.loads(person.openstack("run", "--wait", "-f", "json", "--name", "wait", IMAGE, *LASTS))
    assert ran["name"] == "wait"
    shown = json.loads(person.openstack("show", "-f", "json", "wait"))
    assert shown["status"] == "Running"
    assert person.openstack("logs", "wait").strip() == ""
    person.openstack("delete", "--stop", "wait")


def test_zun_creates_a_container_with_everything_that_can_be_said_of_one(
    person: Person, library: client.Client
) -> None:
    person.zun(
        *("create", "--name", "full", "--cpu", "0.5", "--memory", "64", "--environment", "A=1", "--environment", "B=2"),
        *(
            "--workdir",
            "/tmp",
            "--label",
            "app=shop",
            "--restart",
            "on-failure:2",
            "--hostname",
            "full",
            "--interactive",
        ),
        *("--availability-zone", "nova", "--hint", "group=one", "--auto-heal", "--entrypoint", "sh"),
        *("--healthcheck", "cmd=true,interval=1s,retries=3,timeout=5s", IMAGE, *LASTS[1:]),
    )
    until(lambda: settled(library.containers.get("full"), "Created"), "Created")
    shown = json.loads(person.zun("show", "-f", "json", "full"))
    assert {name: shown[name] for name in ("cpu", "memory", "environment", "workdir", "labels", "hostname")} == {
        "cpu": 0.5,
        "memory": "64",
        "environment": {"A": "1", "B": "2"},
        "workdir": "/tmp",
        "labels": {"app": "shop"},
        "hostname": "full",
    }
    assert shown["restart_policy"] == {"Name": "on-failure", "MaximumRetryCount": "2"}
    assert shown["healthcheck"] == {"test": "true", "interval": 1, "retries": 3, "timeout": 5}
    assert (shown["interactive"], shown["tty"], shown["auto_heal"]) == (True, True, True)
    assert (shown["entrypoint"], shown["command"]) == (["sh"], list(LASTS[1:]))
    person.zun("start", "full")
    until(lambda: library.containers.get("full").status_detail.endswith("(healthy)"), "its health")
    assert person.zun("exec", "full", "sh", "-c", "echo $A$B; pwd; hostname").split() == ["12", "/tmp", "full"]
    person.zun("delete", "--stop", "full")
    until(lambda: "full" not in person.zun("list"), "the delete")


def test_openstack_appcontainer_creates_a_container_with_everything_that_can_be_said_of_one(
    person: Person, library: client.Client
) -> None:
    person.openstack(
        *("create", "--name", "full", "--cpu", "0.5", "--memory", "64", "--environment", "A=1", "--workdir", "/tmp"),
        *("--label", "app=shop", "--restart", "on-failure:2", "--hostname", "full", "--interactive"),
        *("--availability-zone", "nova", "--hint", "group=one", "--auto-heal", "--entrypoint", "sh"),
        *("--healthcheck", "cmd=true,interval=1s,retries=3,timeout=5s", "--image-driver", "docker", IMAGE, *LASTS[1:]),
    )
    until(lambda: settled(library.containers.get("full"), "Created"), "Created")
    shown = library.containers.get("full")
    assert (shown.cpu, shown.memory, shown.environment, shown.workdir) == (0.5, "64", {"A": "1"}, "/tmp")
    assert (shown.labels, shown.hostname, shown.auto_heal) == ({"app": "shop"}, "full", True)
    assert shown.restart_policy == {"Name": "on-failure", "MaximumRetryCount": "2"}
    assert shown.healthcheck == {"test": "true", "interval": 1, "retries": 3, "timeout": 5}
    assert (shown.entrypoint, shown.command) == (["sh"], list(LASTS[1:]))
    person.openstack("delete", "full")


@pytest.mark.parametrize(
    ("rule", "option"),
    [
        ("privileged", ("--privileged",)),
        ("runtime", ("--runtime", "runc")),
        ("requested_destination", ("--host", "anywhere")),
        ("image_pull_policy", ("--image-pull-policy", "never")),
    ],
)
def test_what_a_tenant_may_not_say_of_a_container_is_refused_by_its_name(
    rule: str, option: Sequence[str], person: Person
) -> None:
    for act in (person.zun, person.openstack):
        with pytest.raises(AssertionError, match=f"Policy doesn't allow container:create:{rule} "):
            act("create", *option, IMAGE, "true")


@pytest.mark.parametrize("how", ["zun", "openstack"])
def test_what_removes_itself_is_gone_when_it_ends(how: str, person: Person, library: client.Client) -> None:
    if how == "zun":
        person.zun("run", "--auto-remove", IMAGE, "true")
    else:
        person.openstack("run", "--auto-remove", IMAGE, "true")
    until(lambda: library.containers.list() == [], "its end")


def test_zun_updates_and_rebuilds_a_container(person: Person, library: client.Client) -> None:
    person.zun("run", "--name", "old", IMAGE, *LASTS)
    until(lambda: settled(library.containers.get("old"), "Running"), "Running")
    person.zun("update", "--cpu", "0.5", "--memory", "32", "--name", "new", "--auto-heal", "old")
    until(lambda: library.containers.get("new").memory == "32", "the update")
    person.zun("exec", "new", "touch", "/mark")
    person.zun("rebuild", "--image", IMAGE, "--image-driver", "docker", "new")

    def is_new() -> bool:
        found = library.containers.get("new")
        return settled(found, "Running") and "mark" not in person.zun("exec", "new", "ls", "/")

    until(is_new, "the rebuild")
    shown = library.containers.get("new")
    assert (shown.cpu, shown.memory, shown.auto_heal) == (0.5, "32", True)
    assert [one.action for one in library.actions.list("new")] == ["rebuild", "update", "create"]
    person.zun("update", "--no-auto-heal", "new")
    assert library.containers.get("new").auto_heal is False
    person.zun("delete", "--stop", "new")
    until(lambda: "new" not in person.zun("list"), "the delete")


def test_openstack_appcontainer_sets_and_rebuilds_a_container(person: Person, library: client.Client) -> None:
    person.openstack("run", "--name", "old", IMAGE, *LASTS)
    until(lambda: settled(library.containers.get("old"), "Running"), "Running")
    person.openstack("set", "--cpu", "0.5", "--memory", "32", "--name", "new", "old")
    until(lambda: library.containers.get("new").memory == "32", "the update")
    assert "success" in person.openstack("rebuild", "--wait", "new")
    until(lambda: settled(library.containers.get("new"), "Running"), "Running")
    person.openstack("delete", "--stop", "new")


def test_zun_walks_lists_of_any_length_and_filters_them(person: Person, library: client.Client) -> None:
    for number in range(3):
        person.zun("create", "--name", f"row-{number}", IMAGE, "true")
    until(lambda: all(settled(one, "Created") for one in library.containers.list()), "Created")
    walked = person.zun("list", "--limit", "2", "--sort-key", "name", "--sort-dir", "desc")
    assert [name in walked for name in ("row-2", "row-1", "row-0")] == [True, True, False]
    assert "row-1" in person.zun("list", "--name", "row-1", "--status", "Created")
    assert "row-1" not in person.zun("list", "--name", "row-1", "--status", "Running")
    listed = json.loads(person.openstack("list", "-f", "json", "--sort-key", "name", "--sort-dir", "asc"))
    assert [one["name"] for one in listed] == ["row-0", "row-1", "row-2"]
    person.zun("delete", "row-0", "row-1", "row-2")
    until(lambda: library.containers.list() == [], "the delete")


def test_zun_knows_the_versions(person: Person) -> None:
    assert "1.41" in person.zun("version-list")
