"""What `higgins capsule` promises, against a server that answers from a table."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from higgins import errors
from tests.unit.cli.tenant import service
from tests.unit.cli.tenant.service import CREATED, WEB, Service, at
from tests.unit.client.stub import Given

OTHER = "e41888e7-e596-5bc4-a286-4b15dff62dbf"
TEMPLATE = "kind: capsule\nmetadata: {name: shop}\nspec:\n  containers:\n  - image: busybox\n"


def container(name: str, status: str = "Running") -> dict[str, Any]:
    return {"uuid": WEB, "name": name, "image": "busybox", "status": status, "status_reason": None}


def shown(name: str | None, status: str = "Running", reason: str | None = None) -> dict[str, Any]:
    return {
        "uuid": WEB,
        "name": name,
        "status": status,
        "status_reason": reason,
        "created_at": CREATED,
        "cpu": 0.5,
        "memory": "64",
        "labels": {},
        "containers": [container("capsule-web-a"), container("capsule-web-b", "Stopped")],
        "init_containers": [container("capsule-web-c", "Stopped")],
    }


class Table(Service):
    """One capsule, and what becomes of the next one."""

    def __init__(self) -> None:
        super().__init__(capsules=[shown("web")])
        self.next = shown("shop")

    def answer(self, method: str, words: Sequence[str], said: dict[str, Any]) -> Given | None:
        if (method, words) != ("POST", ["capsules"]):
            return None
        self.things["capsules"] = [self.next]
        return Given(202, shown("shop", "Creating"))


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Table]:
    table = Table()
    with at(table, tmp_path, monkeypatch):
        yield table


def run(*words: str, said: str | None = None) -> Result:
    return service.run("capsule", *words, said=said)


@pytest.mark.parametrize("text", [TEMPLATE, '{"kind": "capsule", "metadata": {"name": "shop"}, "spec": {}}'])
def test_a_template_is_applied_and_waited_for_whether_it_is_yaml_or_json(
    table: Table, tmp_path: Path, text: str
) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(text)
    ran = run("apply", "-f", str(file))
    assert (ran.exit_code, ran.output) == (0, f"{WEB}\n"), ran
    ((_, _, body),) = table.asked
    assert body["template"]["metadata"] == {"name": "shop"}


def test_a_template_may_come_from_a_pipe_and_need_not_be_waited_for(table: Table) -> None:
    table.next = shown("shop", "Error", "no")
    assert run("apply", "-d", "-f", "-", said=TEMPLATE).output == f"{WEB}\n"


def test_a_capsule_that_does_not_come_about_is_a_failure_with_its_reason(table: Table) -> None:
    table.next = shown("shop", "Error", "the image is not there")
    ran = run("apply", "-f", "-", said=TEMPLATE)
    assert ran.exit_code == 1
    assert "higgins: shop: the image is not there\n" in ran.stderr and "higgins capsule rm shop" in ran.stderr


def test_how_those_ended_that_run_first_is_told_unless_the_reason_does(table: Table) -> None:
    table.next = shown("shop", "Error", "it took too long")
    table.next["init_containers"] = [{**container("capsule-shop-setup", "Stopped"), "exit_code": 3}]
    said = run("apply", "-f", "-", said=TEMPLATE).stderr
    assert "  init container setup ended with exit code 3\n" in said
    table.things["capsules"], table.next["status_reason"] = [], "capsule-shop-setup ended with exit code 3."
    assert run("apply", "-f", "-", said=TEMPLATE).stderr.count("exit code 3") == 1


def test_a_name_that_is_taken_makes_no_second_capsule(table: Table) -> None:
    ran = run("apply", "-f", "-", said=TEMPLATE.replace("shop", "web"))
    assert isinstance(ran.exception, errors.Conflict) and "there is a capsule web already" in ran.exception.message
    assert table.asked == []


@pytest.mark.parametrize("text", ["", "[1]", "{", "kind: 2026-01-01", "a: &a [*a]"])
def test_what_is_no_template_is_refused_before_anybody_is_asked(table: Table, text: str) -> None:
    ran = run("apply", "-f", "-", said=text)
    assert isinstance(ran.exception, errors.Invalid), ran.exception
    assert table.asked == []


def test_a_file_that_is_not_there_is_named(table: Table) -> None:
    ran = run("apply", "-f", "/no/such/file")
    assert isinstance(ran.exception, errors.Invalid) and "/no/such/file" in ran.exception.message


def test_a_list_shows_how_many_containers_run(table: Table) -> None:
    assert run("ls", "-o", "name").output == "web\n"
    assert "1 of 2" in run("ls").output


def test_a_capsule_is_shown_with_its_containers(table: Table) -> None:
    said = run("show", "web").output
    assert re.findall(r"^([abc]) +(init)?", said, re.MULTILINE) == [("c", "init"), ("a", ""), ("b", "")]
    assert json.loads(run("show", "-o", "json", "76f2").output)["uuid"] == WEB


@pytest.mark.parametrize(
    ("status", "reason", "more", "words"),
    [
        ("Running", None, {"started_at": "2026-11-21 12:00:00"}, "Up "),
        ("Stopped", "It ended.", {"finished_at": "2026-11-21 12:00:00", "exit_code": 3}, "Exited (3) "),
        ("Creating", "It is being waited for.", {}, "Creating: It is being waited for."),
        ("Creating", None, {"progress": {"layers": 4, "layers_done": 1, "size": None}}, "Creating: 1 of 4 layers"),
        ("Error", "The image is not there.", {}, "Error: The image is not there."),
        ("Unknown", None, {}, "Unknown"),
    ],
)
def test_a_list_tells_the_state_in_the_words_of_containers(
    table: Table, status: str, reason: str | None, more: dict[str, Any], words: str
) -> None:
    table.things["capsules"] = [
        {**shown("web", status, reason), "containers": [{**container("capsule-web-a"), **more}]}
    ]
    assert words in run("ls").output


def test_a_name_that_several_have_is_answered_with_their_ids(table: Table) -> None:
    table.things["capsules"] = [shown("web"), {**shown("web"), "uuid": OTHER}]
    ran = run("show", "web")
    assert isinstance(ran.exception, errors.Conflict)
    assert all(uuid in " ".join(ran.exception.__notes__) for uuid in (WEB, OTHER))


def test_capsules_are_removed_and_one_that_there_is_not_is_told(table: Table) -> None:
    ran = run("rm", "wep", "web")
    assert ran.exit_code == 1
    assert "web\n" in ran.output
    assert table.things["capsules"] == []
