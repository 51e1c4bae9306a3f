"""What `higgins network` promises, and `run --network`, against a server that answers from a table."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from higgins import errors
from higgins.cli.main import higgins
from tests.unit.cli.tenant.service import CREATED, WEB, Service, at, container, notes, refusal, run, twins
from tests.unit.client.stub import Given

FRONT = "f2038000-8048-40ee-a18e-f949c1a8e4a8"
BACK = "bac18888-e596-5bc4-a286-4b15dff62dbf"


def network(uuid: str, name: str, subnet: str, project: str | None = "p") -> dict[str, Any]:
    gateway = subnet.replace(".0/24", ".1")
    whose = {"uuid": uuid, "name": name, "project_id": project}
    return {**whose, "subnet": subnet, "gateway": gateway, "created_at": CREATED}


def address(addr: str) -> list[dict[str, Any]]:
    return [{"addr": addr, "version": 4, "port": "p", "subnet_id": "s", "preserve_on_delete": False}]


class Table(Service):
    """Two networks and a container on one of them."""

    def __init__(self) -> None:
        self.networks = [network(FRONT, "front", "10.88.0.0/24"), network(BACK, "back", "10.20.0.0/24", None)]
        self.web = container(addresses={FRONT: address("10.88.0.2")})
        super().__init__(networks=self.networks, containers=[self.web], capsules=[])
        self.refuses = False

    def answer(self, method: str, words: Sequence[str], said: dict[str, Any]) -> Given | None:
        there: dict[str, Any] = self.web["addresses"]
        match method, words:
            case "POST", ["networks"]:
                return Given(200, network(BACK, said["name"], said.get("subnet", "10.88.1.0/24")))
            case "DELETE", ["networks", "front"] if FRONT in there:
                return refusal(409, "The network front is in use.", "container.conflict")
            case "POST", ["containers"]:
                self.web["status"] = "Running" if said.get("run") == "true" else "Created"
                return self._created([one["network"] for one in said.get("nets", ())])
            case "POST", ["containers", "web", "network_attach"]:
                if not self.refuses:
                    there[said["network"]] = address(said.get("fixed_ip", "10.20.0.2"))
                return Given(200, b"null")
            case "POST", ["containers", "web", "network_detach"]:
                if not self.refuses:
                    there.pop(said["network"])
                return Given(202, b"null")
        return None

    def _created(self, named: Sequence[str]) -> Given:
        for given in named:
            match [one for one in self.networks if given in (one["uuid"], one["name"])]:
                case []:
                    return refusal(404, f"Network {given} could not be found.", "container.network-not-found")
                case [_, _, *_]:
                    return twins("networks")
        return Given(202, self.web)


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Table]:
    table = Table()
    with at(table, tmp_path, monkeypatch):
        yield table


def test_a_network_is_made_with_what_was_said_of_it_and_its_id_is_printed(table: Table) -> None:
    assert run("network", "create", "--subnet", "10.20.0.0/24", "blue").stdout == f"{BACK}\n"
    assert run("network", "create", "--shared", "red").exit_code == 0
    assert [said for _, _, said in table.asked] == [
        {"name": "blue", "subnet": "10.20.0.0/24"},
        {"name": "red", "shared": True},
    ]


def test_a_list_shows_the_networks_that_can_be_used(table: Table) -> None:
    title, *rows = [line.split() for line in run("network", "ls").stdout.splitlines()]
    assert title == ["NAME", "SUBNET", "GATEWAY", "SHARED", "ID"]
    assert rows == [
        ["front", "10.88.0.0/24", "10.88.0.1", "no", FRONT[:8]],
        ["back", "10.20.0.0/24", "10.20.0.1", "yes", BACK[:8]],
    ]
    assert run("network", "ls", "-q", "--no-trunc").stdout.split() == [FRONT, BACK]
    assert run("network", "ls", "--format", "{{.ID}} {{.Name}}").stdout.splitlines()[0] == f"{FRONT} front"


@pytest.mark.parametrize("given", ["front", FRONT, FRONT[:8]])
def test_a_network_is_shown_with_who_is_on_it(table: Table, given: str) -> None:
    shown = yaml.safe_load(run("network", "show", "-o", "yaml", given).stdout)
    assert shown["uuid"] == FRONT
    assert shown["attached"] == [{"uuid": WEB, "name": "web", "kind": "container", "addresses": ["10.88.0.2"]}]
    assert "10.88.0.2" in run("network", "show", given).stdout


def test_an_unknown_network_is_answered_with_those_that_are_near(table: Table) -> None:
    for words in (["show", "frnt"], ["attach", "web", "frnt"], ["detach", "web", "frnt"]):
        done = run("network", *words)
        assert isinstance(done.exception, errors.NotFound) and notes(done) == ["Did you mean front?"]
    done = run("network", "show", "nothing-like-it")
    assert notes(done) == ["`higgins network ls` lists all that there are."]


def test_networks_are_removed_and_one_that_is_in_use_keeps_no_other(table: Table) -> None:
    done = run("network", "rm", "front", "back")
    assert (done.exit_code, done.stdout) == (1, "back\n")
    assert "higgins network show front" in done.stderr


def test_a_container_is_attached_and_its_address_is_printed(table: Table) -> None:
    assert run("network", "attach", "web", "back").stdout == "10.20.0.2\n"
    assert run("network", "attach", "--ip", "10.20.0.9", "web", BACK[:8]).stdout == "10.20.0.9\n"
    assert [said for _, path, said in table.asked if path.endswith("attach")] == [
        {"network": BACK},
        {"network": BACK, "fixed_ip": "10.20.0.9"},
    ]


def test_a_container_is_taken_off_a_network(table: Table) -> None:
    done = run("network", "detach", "web", "front")
    assert (done.exit_code, done.stdout) == (0, "")
    assert table.web["addresses"] == {}


@pytest.mark.parametrize("words", [("attach", "web", "back"), ("detach", "web", "front")])
def test_what_did_not_come_about_is_told_with_the_reason(table: Table, words: tuple[str, ...]) -> None:
    table.refuses = True
    done = run("network", *words)
    assert isinstance(done.exception, errors.Conflict)
    assert done.exception.message.endswith(": the host has no room for it")
    assert notes(done) == ["Its story: higgins history web"]


def test_run_names_its_networks_as_they_were_given(table: Table) -> None:
    run("run", "-d", "--network", "front", "--net", "back", "busybox")
    assert table.asked[-1][2]["nets"] == [{"network": "front"}, {"network": "back"}]
    run("create", "--network", "back", "--ip", "10.20.0.9", "busybox")
    assert table.asked[-1][2]["nets"] == [{"network": "back", "v4-fixed-ip": "10.20.0.9"}]


def test_run_finds_a_network_by_the_beginning_of_its_id(table: Table) -> None:
    assert run("run", "-d", "--network", BACK[:6], "busybox").exit_code == 0
    assert [said["nets"] for _, _, said in table.asked] == [[{"network": BACK[:6]}], [{"network": BACK}]]


def test_run_on_an_unknown_network_makes_nothing_and_tells_what_is_near(table: Table) -> None:
    done = run("run", "-d", "--network", "bac", "busybox")
    # "bac" begins an id.
    assert done.exit_code == 0
    done = run("run", "-d", "--network", "bakk", "busybox")
    assert done.exit_code == 125 and "Did you mean back?" in done.stderr


def test_lists_of_containers_have_their_addresses(table: Table) -> None:
    assert run("ps", "--no-trunc").stdout.splitlines()[-1].split()[-1] == "10.88.0.2"
    assert run("inspect", "-f", "{{.NetworkSettings.IPAddress}}", "web").stdout == "10.88.0.2\n"


@pytest.mark.parametrize("words", ["higgins run --network f", "higgins network rm f", "higgins network attach web f"])
def test_a_shell_completes_names_of_networks(table: Table, monkeypatch: pytest.MonkeyPatch, words: str) -> None:
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(words.count(" ")))
    monkeypatch.setenv("_HIGGINS_COMPLETE", "bash_complete")
    done = CliRunner().invoke(higgins, [], prog_name="higgins", complete_var="_HIGGINS_COMPLETE")
    assert done.output.split() == ["plain,front"]


def test_dockers_words_for_networks_are_understood(table: Table) -> None:
    assert run("network", "connect", "--ip", "10.20.0.9", "back", "web").stdout == "10.20.0.9\n"
    assert run("network", "disconnect", "-f", "front", "web").exit_code == 0
    assert [*table.web["addresses"]] == [BACK]
    assert run("network", "list").stdout == run("network", "ls").stdout
    assert json.loads(run("network", "inspect", "back").stdout)["attached"][0]["name"] == "web"
    assert run("network", "inspect", "-f", "{{.Subnet}}", "back").stdout == "10.20.0.0/24\n"
    assert run("network", "remove", "front").stdout == "front\n"


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        (["prune"], "higgins network rm $(higgins network ls -q)"),
        (["crate", "back"], "Did you mean create?"),
        (["create", "--driver", "bridge", "back"], "leave it out"),
        (["create", "--gateway", "10.20.0.254", "back"], "the first is the gateway's"),
    ],
)
def test_what_networks_have_not_is_answered_with_what_they_have(table: Table, words: list[str], remedy: str) -> None:
    done = run("network", *words)
    assert done.exit_code == 2 and remedy in done.stderr
    assert not table.asked


@pytest.mark.parametrize(
    ("given", "remedy"),
    [
        ("host", "-p publishes"),
        ("none", "network detach"),
        ("bridge", "Leave --network out"),
        ("container:web", "capsule"),
    ],
)
def test_dockers_networks_of_special_names_are_refused_with_what_to_do(table: Table, given: str, remedy: str) -> None:
    done = run("run", "-d", "--network", given, "busybox")
    assert done.exit_code == 125 and remedy in done.stderr


def test_of_two_networks_with_one_name_run_wants_an_id(table: Table) -> None:
    table.networks.append(network(WEB, "back", "10.21.0.0/24"))
    done = run("run", "-d", "--network", "back", "busybox")
    assert done.exit_code == 125
    assert BACK in done.stderr and WEB in done.stderr and "give an id" in done.stderr


def test_a_name_that_a_network_of_the_project_has_is_not_given_again(table: Table) -> None:
    done = run("network", "create", "front")
    assert isinstance(done.exception, errors.Conflict) and notes(done) == ["Look at it: higgins network show front"]
    assert not table.asked
    assert run("network", "create", "back").exit_code == 0  # The other one is everybody's.
