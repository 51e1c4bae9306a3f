"""What `-p`, `--expose`, `higgins port` and `higgins security-group` promise, against a server that answers from a table."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from higgins import errors
from higgins.cli.tenant import ports, security_groups
from tests.unit.cli.tenant.service import CREATED, WEB, Service, at, container, run
from tests.unit.client.stub import Given

GROUP = "6e0b8888-e596-5bc4-a286-4b15dff62dbf"
SHOP = {
    "uuid": "5b0b8888-e596-5bc4-a286-4b15dff62dbf",
    "name": "shop",
    "status": "Running",
    "published_ports": [{"port": 80, "protocol": "tcp", "host_port": 8090}],
    "restart_policy": {"Name": "always", "MaximumRetryCount": "0"},
    "created_at": "2026-11-21 12:00:00",
    "addresses": {},
    "containers": [],
    "init_containers": [],
}
RULES = [
    {"protocol": "tcp", "port_min": 80, "port_max": 80, "source": None},
    {"protocol": None, "port_min": None, "port_max": None, "source": "10.0.0.0/8"},
]


class Table(Service):
    """A container with two published ports, and a security group."""

    def __init__(self) -> None:
        published = [
            {"port": 80, "protocol": "tcp", "host_port": 8080},
            {"port": 53, "protocol": "udp", "host_port": 30000},
            {"port": 81, "protocol": "tcp", "host_port": None},
        ]
        self.web = container(addresses={}, security_groups=[], ports=[80, 53], published_ports=published)
        self.group = {"uuid": GROUP, "name": "open", "project_id": "p", "rules": RULES, "created_at": CREATED}
        super().__init__(security_groups=[self.group], containers=[self.web], capsules=[SHOP])
        self.refuses = False

    def answer(self, method: str, words: Sequence[str], said: dict[str, Any]) -> Given | None:
        match method, words:
            case "POST", ["security_groups"]:
                return Given(201, self.group)
            case "POST", ["containers"]:
                return Given(202, self.web)
            case "POST", ["containers", "web", verb]:
                if not self.refuses:
                    self.web["security_groups"] = [GROUP] if verb == "add_security_group" else []
                return Given(202, b"null")
        return None


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Table]:
    table = Table()
    with at(table, tmp_path, monkeypatch):
        yield table


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ("80", {"port": 80, "protocol": "tcp"}),
        ("8080:80", {"port": 80, "protocol": "tcp", "host_port": 8080}),
        ("5353:53/udp", {"port": 53, "protocol": "udp", "host_port": 5353}),
        ("53/udp", {"port": 53, "protocol": "udp"}),
        (":80", {"port": 80, "protocol": "tcp"}),
    ],
)
def test_a_port_is_published_as_docker_writes_it(given: str, asked: dict[str, Any]) -> None:
    assert ports.wishes([given]) == [asked]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("127.0.0.1:8080:80", "an address of the host cannot be chosen"),
        ("8000-8010:80-90", "ranges are not offered; name each port by itself"),
        ("80-90", "ranges are not offered"),
        ("http", "'http' is no port"),
        ("0", "'0' is no port"),
        ("80:65536", "'65536' is no port"),
        ("", "it is no port"),
        ("80/sctp", "'sctp' is not offered; it is tcp or udp"),
    ],
)
def test_what_cannot_be_published_is_said_in_words(given: str, said: str) -> None:
    with pytest.raises(errors.Invalid, match=said):
        ports.wishes([given])


def test_run_asks_for_ports_and_groups(table: Table) -> None:
    words = ("-p", "8080:80", "-p", "53/udp", "--expose", "443", "--security-group", "open")
    assert run("run", "-d", *words, "busybox").exit_code == 0
    ((_, _, body),) = table.asked
    assert body["published_ports"] == [
        {"port": 80, "protocol": "tcp", "host_port": 8080},
        {"port": 53, "protocol": "udp"},
    ]
    assert body["exposed_ports"] == {"443/tcp": {}}
    assert body["security_groups"] == ["open"]


def test_what_is_not_asked_for_is_not_in_the_request(table: Table) -> None:
    assert run("run", "-d", "busybox").exit_code == 0
    ((_, _, body),) = table.asked
    assert not {"published_ports", "exposed_ports", "security_groups"} & body.keys()


def test_a_list_shows_what_is_published_as_docker_does(table: Table) -> None:
    told = "0.0.0.0:8080->80/tcp, 0.0.0.0:30000->53/udp"
    assert told in run("ps", "--no-trunc").stdout
    assert run("ps", "--format", "{{.Ports}}").stdout == f"{told}\n"
    there = json.loads(run("inspect", "-f", "{{json .NetworkSettings.Ports}}", "web").stdout)
    assert there == {
        "80/tcp": [{"host_ip": "0.0.0.0", "host_port": "8080"}],
        "53/udp": [{"host_ip": "0.0.0.0", "host_port": "30000"}],
    }


def test_higgins_port_tells_where_a_container_is_reached(table: Table) -> None:
    assert run("port", "web").stdout == "80/tcp -> 0.0.0.0:8080\n53/udp -> 0.0.0.0:30000\n"
    assert run("port", "web", "80").stdout == "0.0.0.0:8080\n"
    assert run("port", "web", "53/udp").stdout == "0.0.0.0:30000\n"
    for unknown in ("53", "81"):
        done = run("port", "web", unknown)
        assert isinstance(done.exception, errors.NotFound) and done.exit_code == 1


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("tcp/80", {"protocol": "tcp", "port_min": 80}),
        ("udp/1000-2000", {"protocol": "udp", "port_min": 1000, "port_max": 2000}),
        ("tcp/80:10.0.0.0/8", {"protocol": "tcp", "port_min": 80, "source": "10.0.0.0/8"}),
        ("icmp", {"protocol": "icmp"}),
        ("any:10.0.0.7", {"source": "10.0.0.7"}),
        ("tcp", {"protocol": "tcp"}),
    ],
)
def test_a_rule_is_written_in_a_word(text: str, asked: dict[str, Any]) -> None:
    assert security_groups.rule(text) == asked
    whole = {"protocol": None, "port_min": None, "port_max": None, "source": None} | asked
    whole["port_max"] = whole["port_max"] or whole["port_min"]
    assert security_groups.written(whole) == text


@pytest.mark.parametrize("text", ["", "80", "sctp/80", "icmp/8", "tcp/http", "tcp/80-", "tcp:"])
def test_what_is_no_rule_is_a_usage_error(table: Table, text: str) -> None:
    assert run("security-group", "create", "--allow", text, "open").exit_code == 2
    assert not table.asked


def test_a_group_is_made_listed_shown_and_removed(table: Table) -> None:
    assert (
        run("security-group", "create", "--allow", "tcp/80", "--allow", "any:10.0.0.0/8", "more").stdout == f"{GROUP}\n"
    )
    title, row = run("security-group", "ls").stdout.splitlines()
    assert title.split() == ["NAME", "LETS", "IN", "ID"]
    assert row.split() == ["open", "tcp/80,", "any:10.0.0.0/8", GROUP[:8]]
    assert "tcp/80, any:10.0.0.0/8" in run("security-group", "show", "open").stdout
    assert json.loads(run("security-group", "show", "-o", "json", "open").stdout)["rules"] == RULES
    assert run("security-group", "rm", "open").stdout == "open\n"
    assert table.asked[0][2]["rules"] == [{"protocol": "tcp", "port_min": 80}, {"source": "10.0.0.0/8"}]
    assert table.asked[1][:2] == ("DELETE", "/v1/security_groups/open")
    assert run("security-group", "rm", "nobody").exit_code == 1


def test_the_ports_of_a_capsule_are_told_as_those_of_a_container(table: Table) -> None:
    assert "0.0.0.0:8090->80/tcp" in run("capsule", "ls").stdout
    shown = dict(line.split(maxsplit=1) for line in run("capsule", "show", "shop").stdout.splitlines() if " " in line)
    assert (shown["published_ports"], shown["restart_policy"]) == ("0.0.0.0:8090->80/tcp", "always")
    assert run("port", "shop").stdout == "80/tcp -> 0.0.0.0:8090\n"
    done = run("port", "shp")
    assert isinstance(done.exception, errors.NotFound)


def test_what_could_not_be_made_is_reached_nowhere(table: Table) -> None:
    table.web["status"] = "Error"
    assert run("port", "web").stdout == ""
    assert "8080" not in run("ps", "-a", "--no-trunc").stdout


def test_a_container_gets_a_group_and_loses_it(table: Table) -> None:
    assert run("security-group", "attach", "web", "open").exit_code == 0
    assert table.asked[-1] == ("POST", "/v1/containers/web/add_security_group", {"name": GROUP})
    assert json.loads(run("security-group", "inspect", "open").stdout)["attached"] == [{"uuid": WEB, "name": "web"}]
    assert run("security-group", "detach", "web", "open").exit_code == 0
    assert table.web["security_groups"] == []


def test_a_group_that_was_not_given_is_told_with_the_reason(table: Table) -> None:
    table.refuses = True
    done = run("security-group", "attach", "web", "open")
    assert isinstance(done.exception, errors.Conflict)
    assert done.exception.message == "web was not given open: the host has no room for it"


def test_a_name_that_a_group_has_is_not_given_again(table: Table) -> None:
    done = run("security-group", "create", "open")
    assert isinstance(done.exception, errors.Conflict)
    assert done.exception.message == "there is a security group open already"
    assert not table.asked
