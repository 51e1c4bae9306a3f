"""What commands promise about names, several at once, and what they print; against a server that answers from a table."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from higgins import errors
from higgins.cli.main import higgins
from higgins.cli.tenant import create
from tests.unit.cli.tenant.service import WEB, Service, at, container, refusal, run
from tests.unit.client.stub import Given, Server

JOB = "76f2a000-0000-4000-8000-000000000000"
DATABASE = "e41888e7-e596-5bc4-a286-4b15dff62dbf"


class Table(Service):
    """Three containers, and what was asked of them."""

    def __init__(self) -> None:
        self.found = [
            container(WEB, "web", labels={"tier": "front"}),
            container(JOB, "job", "Stopped", exit_code=3, finished_at="2026-11-21 12:30:00"),
            container(DATABASE, "db", "Paused"),
        ]
        self.images = [
            {"uuid": WEB, "repo": "shop/web", "tag": "2", "host": "here", "state": "present"},
            {"uuid": JOB, "repo": "busybox", "tag": "latest", "host": "here", "state": "present"},
        ]
        super().__init__(containers=self.found, images=self.images)
        self.verbs: list[tuple[str, str]] = []
        self.foretold: dict[str, Any] = {}

    def answer(self, method: str, words: Sequence[str], said: dict[str, Any]) -> Given | None:
        match method, words:
            case "POST", ["containers"] if said.get("dry_run") == "true":
                return Given(200, self.foretold)
            case _, ["containers", given, *rest]:
                return self._one(method, given, rest)
        return None

    def _one(self, method: str, given: str, rest: list[str]) -> Given:
        for one in self.found:
            if given in (one["uuid"], one["name"]):
                if (method, rest) != ("GET", []):
                    self.verbs.append((one["name"], rest[0] if rest else method))
                if rest == ["stop"] and one["status"] != "Running":
                    return refusal(409, f"Cannot stop container {given} in {one['status']} state")
                if method == "DELETE":
                    self.found.remove(one)
                    return Given(204, b"")
                if rest == ["stop"]:
                    one["status"] = "Stopped"
                return Given(200, one)
        return refusal(404, f"Container {given} could not be found.")


@pytest.fixture
def table():
    return Table()


@pytest.fixture
def server(table, tmp_path, monkeypatch):
    with at(table, tmp_path, monkeypatch) as server:
        yield server


def names(server: Server, *options: str) -> list[str]:
    assert server.url
    return str(run("ps", "-o", "name", *options).output).split()


def test_a_list_shows_what_runs_and_with_all_everything(server):
    assert names(server) == ["web", "db"]
    assert names(server, "-a") == ["web", "job", "db"]
    assert names(server, "-n", "2") == ["web", "job"]
    assert names(server, "-l") == ["web"]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (["status=exited"], ["job"]),
        (["status=running", "status=paused"], ["web", "db"]),
        (["name=e"], ["web"]),
        (["label=tier"], ["web"]),
        (["label=tier=back"], []),
        (["ancestor=busybox"], ["web", "db"]),
        (["ancestor=busybox:2"], []),
        (["id=e4"], ["db"]),
        (["exited=3"], ["job"]),
        (["health=none", "name=d"], ["db"]),
    ],
)
def test_filters_are_dockers(server, filters, found):
    assert names(server, *(word for each in filters for word in ("--filter", each))) == found


@pytest.mark.parametrize("wrong", ["colour=red", "status", "status="])
def test_a_filter_that_there_is_not_is_refused(server, wrong):
    assert run("ps", "--filter", wrong).exit_code == 2


def test_ids_are_short_unless_they_are_wanted_whole(server):
    assert run("ps", "-q").output.split() == ["76f22038", "e41888e7"]
    assert run("ps", "-q", "--no-trunc").output.split() == [WEB, DATABASE]
    assert "sleep '1 0'" in run("ps").output


def test_a_command_is_shown_as_somebody_would_type_it(server, table):
    table.found[0]["command"] = ["sh", "-c", "echo 'a b'"]
    assert "sh -c \"echo 'a b'\"" in run("ps").output


def test_a_long_reason_leaves_room_for_the_others(server, table):
    table.found[1] |= {"status": "Error", "status_reason": "x" * 100}
    assert "Error: xxxx" in run("ps", "-a").output
    assert "x" * 50 not in run("ps", "-a").output
    assert "x" * 100 in run("ps", "-a", "--no-trunc").output


def test_what_is_shown_is_the_same_in_every_form(server, table):
    assert json.loads(run("ps", "-a", "-o", "json").output) == table.found
    assert yaml.safe_load(run("ps", "-a", "-o", "yaml").output) == table.found
    assert json.loads(run("inspect", "web", "db").output) == [table.found[0], table.found[2]]
    assert "busybox:1" in run("inspect", "web", "-o", "table").output


def test_a_template_takes_the_words_of_docker_and_ours(server, table):
    table.found[0] |= {"environment": {"A": "b c"}, "health": {"status": "healthy"}}
    assert run("ps", "-a", "--format", "{{.ID}} {{.Names}} {{.State}}").output.splitlines() == [
        "76f22038 web running",
        "76f2a000 job exited",
        "e41888e7 db paused",
    ]
    title, row = run("ps", "-f", "name=web", "--format", r"table {{.Names}}\t{{.Image}}").output.splitlines()
    assert (title.split(), row.split()) == (["NAMES", "IMAGE"], ["web", "busybox:1"])
    asked = "{{.State.Running}}|{{.State.Health.Status}}|{{.Config.Env}}|{{ json .labels }}|{{.labels.tier}}|{{.Id}}"
    assert run("inspect", "-f", asked, "web").output == f'true|healthy|["A=b c"]|{{"tier": "front"}}|front|{WEB}\n'
    assert run("inspect", "-f", "{{.State.ExitCode}} {{.exit_code}}{{.State.Health.Status}}", "job").output == "3 3\n"
    assert json.loads(run("ps", "-l", "--format", "json").output) == table.found[0]


def test_a_template_that_means_nothing_says_what_there_is(server):
    for template, complaint in (("{{.nope}}", "no .nope; there are"), ("{{range .labels}}x", "is not understood")):
        refusal = run("inspect", "--format", template, "web")
        assert (refusal.exit_code, refusal.stdout) == (2, "")
        assert complaint in refusal.stderr


def test_images_are_chosen_by_name_and_by_pattern(server):
    assert run("images", "shop/web", "-o", "name").output == "shop/web:2\n"
    assert (
        run("images", "-a", "-f", "reference=*box", "--format", "{{.Repository}}:{{.Tag}}").output == "busybox:latest\n"
    )
    assert run("images", "-q", "shop/web:3").output == ""
    assert run("images", "-f", "dangling=true").exit_code == 2


def test_a_name_an_id_and_the_beginning_of_an_id_mean_the_same(server):
    for given in ("web", WEB, "76f22", "76F22038", WEB[:20]):
        assert json.loads(run("inspect", given).output)[0]["name"] == "web", given


def test_the_usual_name_costs_one_request(server):
    run("inspect", "web")
    before = len(server.asked)
    run("inspect", "web")
    assert len(server.asked) - before == 1


def test_a_beginning_that_several_ids_have_lists_them(server):
    refusal = run("stop", "76f2")
    assert refusal.exit_code == 1
    assert WEB in refusal.stderr and JOB in refusal.stderr
    assert "76f2 could be each of 2" in refusal.stderr


def test_a_name_that_nobody_has_brings_those_that_are_near(server):
    assert "Did you mean web?" in run("stop", "wbe").stderr
    assert "ps -a" in run("stop", "zzzzzz").stderr


def test_several_are_asked_and_one_that_fails_does_not_keep_the_others(server, table):
    done = run("stop", "web", "nobody", "job")
    assert done.exit_code == 1
    assert done.stdout.split() == ["web", "job"]
    assert done.stderr.count("nobody") == 1
    assert table.verbs == [("web", "stop"), ("job", "stop")]


def test_a_refusal_for_a_state_says_it_of_the_name_that_was_given_and_how_to_change_it(server):
    refusal = run("stop", "e41888")
    assert refusal.exit_code == 1
    assert "cannot stop e41888: it is Paused" in refusal.stderr
    assert "higgins unpause e41888" in refusal.stderr


def test_removing_by_force_takes_what_runs_too(server, table):
    assert run("rm", "-f", "web", "job").stdout.split() == ["web", "job"]
    assert [one["name"] for one in table.found] == ["db"]


def test_waiting_prints_the_exit_code_and_ends_with_it(server):
    done = run("wait", "job")
    assert (done.stdout, done.exit_code) == ("3\n", 3)


def test_the_options_of_run_become_one_request():
    asked = dict.fromkeys(
        (
            "name",
            "workdir",
            "hostname",
            "entrypoint",
            "memory",
            "cpus",
            "disk",
            "restart",
            "health_cmd",
            "pull",
            "runtime",
        ),
    ) | dict.fromkeys(("health_interval", "health_timeout", "health_retries", "registry", "availability_zone", "host"))
    asked |= {"variables": ["A=1"], "env_files": [], "labels": ["tier=front", "x"], "hints": [], "image": "busybox"}
    asked |= {"networks": ["back"], "address": "10.0.0.7"}
    asked |= {"publish": ["8080:80"], "expose": ["443"], "security_groups": ["web"]}
    asked |= {
        "command": ("ls", "-l"),
        "interactive": True,
        "tty": False,
        "remove": True,
        "auto_heal": False,
        "privileged": False,
    }
    asked |= {"volumes": ["data:/data:ro"], "memory_mounts": ["/run:size=64m"]}
    asked |= {"described": ["type=volume,source=more,target=/more"]}
    asked |= {
        "memory": "1g",
        "cpus": 0.5,
        "disk": "1500m",
        "health_cmd": "true",
        "health_interval": "1m",
        "pull": "missing",
    }
    assert create.body(asked) == {
        "image": "busybox",
        "command": ["ls", "-l"],
        "environment": {"A": "1"},
        "labels": {"tier": "front", "x": ""},
        "interactive": True,
        "auto_remove": True,
        "cpu": 0.5,
        "memory": 1024,
        "disk": 2,
        "healthcheck": {"cmd": "true", "interval": 60},
        "image_pull_policy": "ifnotpresent",
        "mounts": [
            {"source": "data", "destination": "/data", "read_only": True},
            {"type": "tmpfs", "destination": "/run", "size": 64},
            {"source": "more", "destination": "/more"},
        ],
        "nets": [{"network": "back", "v4-fixed-ip": "10.0.0.7"}],
        "published_ports": [{"port": 80, "protocol": "tcp", "host_port": 8080}],
        "exposed_ports": {"443/tcp": {}},
        "security_groups": ["web"],
    }
    with pytest.raises(errors.Invalid, match="exclude each other"):
        create.body({**asked, "restart": "always"})
    with pytest.raises(errors.Invalid, match="health-cmd"):
        create.body({**asked, "health_cmd": None})


@pytest.mark.parametrize(
    "words",
    [
        ["--mount", "type=bind"],
        ["-p", "8080-8090:80"],
        ["-P"],
        ["--expose", "http"],
        ["-v", "/a:/b"],
        ["--ip", "10.0.0.7"],
        ["--network", "a", "--network", "b", "--ip", "10.0.0.7"],
        ["--init"],
        ["-m", "5"],
        ["--detach-keys", "no"],
        ["--cidfile", "/"],
    ],
)
def test_what_cannot_be_had_is_said_before_anything_is_made(server, words):
    done = run("run", *words, "busybox")
    # Not 2, which might be the container's.
    assert done.exit_code == 125
    assert not [asked for asked in server.asked if asked.method == "POST" and "containers" in asked.target]


def test_words_after_the_image_are_the_commands_own(server, table):
    run("create", "busybox", "ls", "-l", "--name")
    (made,) = [asked for asked in server.asked if asked.method == "POST" and asked.target.startswith("/v1/containers")]
    assert json.loads(made.body) == {"image": "busybox", "command": ["ls", "-l", "--name"]}


def test_the_file_for_an_id_is_there_before_the_container_and_goes_if_there_is_none(server, tmp_path):
    file = tmp_path / "id"
    assert run("create", "--cidfile", str(file), "busybox").exit_code == 125
    assert not file.exists()
    file.write_text("another's")
    before = len(server.asked)
    assert "File exists" in run("create", "--cidfile", str(file), "busybox").stderr
    assert not [asked for asked in server.asked[before:] if asked.method == "POST" and "containers" in asked.target]
    assert file.read_text() == "another's"


@pytest.mark.parametrize("command", ["run", "create"])
@pytest.mark.parametrize(
    ("foretold", "said"),
    [
        (
            {"fits": True, "claim": {"cpu": 0.5, "memory": 64, "disk": 2}, "runtime": "runsc"},
            "It fits.\nIt asks for 0.5 cores, 64 MiB of memory, 2 GiB of disk, the runtime runsc.\n",
        ),
        (
            {"fits": True, "hosts": 3, "fitting": 2},
            "It fits: 2 of 3 hosts would take it.\nIt asks for nothing that a host could be short of.\n",
        ),
        (
            {"reason": "None\x1b[2J.", "change": {"field": "memory", "from": 9000, "to": 7680}},
            "It does not fit.\n...\nNone\\x1b[2J.\nIt would fit with --memory 7680m, not --memory 9000m.\n",
        ),
        (
            {"reason": "None.", "change": {"field": "availability_zone", "from": "mars", "to": None}},
            "It does not fit.\n...\nNone.\nIt would fit without --zone mars.\n",
        ),
        (
            {"reason": "None."},
            "It does not fit.\n...\nNone.\nAsking for less of one thing would not help.\n",
        ),
        ({"reason": "None.", "temporary": True}, "It does not fit now, but perhaps in a moment.\n...\nNone.\n"),
    ],
)
def test_a_dry_run_is_told_in_words_and_by_its_exit_status(server, table, command, foretold, said):
    empty: dict[str, Any] = {
        "hosts": None,
        "fitting": None,
        "refused": [],
        "temporary": False,
        "reason": None,
        "change": None,
    }
    claim = {"cpu": 0, "memory": 0, "disk": 0}
    table.foretold = {"fits": False, "claim": claim, "runtime": None, "availability_zone": None, **empty, **foretold}
    done = run(command, "--dry-run", "busybox")
    assert done.stdout == said.replace("...", "It asks for nothing that a host could be short of.")
    assert done.exit_code == (0 if table.foretold["fits"] else 1)
    shown = run(command, "--dry-run", "-o", "json", "busybox")
    assert (json.loads(shown.stdout), shown.exit_code) == (table.foretold, done.exit_code)
    assert yaml.safe_load(run(command, "--dry-run", "-o", "yaml", "busybox").stdout) == table.foretold


def test_a_port_that_somebody_has_is_answered_with_how_to_get_another(server, table):
    table.foretold = {"fits": False, "claim": {"cpu": 0, "memory": 0, "disk": 0}, "runtime": None, "change": None} | {
        "availability_zone": None,
        "temporary": False,
        "reason": "There are not enough hosts available: 2 on which a port that was asked for is taken.",
    }
    done = run("run", "--dry-run", "-p", "8080:80", "-p", "53:53/udp", "-p", "443", "busybox")
    assert done.stdout.splitlines()[-1] == "With -p 80 -p 53/udp it gets ports that are free."


def test_how_an_answer_is_shown_is_for_dry_runs_only(server):
    assert run("run", "-o", "json", "busybox").exit_code == 125
    assert not [asked for asked in server.asked if asked.method == "POST" and "containers" in asked.target]


def test_a_shell_completes_commands_and_names_of_containers(server, monkeypatch):
    for words, found in (("higgins res", "restart"), ("higgins logs w", "web"), ("higgins cp d", "db")):
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", str(words.count(" ")))
        done = CliRunner().invoke(
            higgins,
            [],
            prog_name="higgins",
            env={"_HIGGINS_COMPLETE": "bash_complete"},
            complete_var="_HIGGINS_COMPLETE",
        )
        assert f"plain,{found}" in done.output.split()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed_for_every_shell(shell):
    assert "_HIGGINS_COMPLETE" in run("completion", shell).output
