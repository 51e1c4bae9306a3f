"""What `higgins volume` promises, against a server that answers from a table."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from higgins import errors
from tests.unit.cli.tenant import service
from tests.unit.cli.tenant.service import CREATED, WEB, Service, at, refusal
from tests.unit.client.stub import Given

DATA = "b4eb9e97-e5e3-59ce-a414-94a1374b4354"
NAMELESS = "4095cd1d-fc12-5ef8-92b0-b99e2ea69762"
SHOP = "9903af6c-465a-5b66-b255-6ea417f73dbf"


def volume(uuid: str, name: str | None, size: int | None, users: int) -> dict[str, Any]:
    return {"uuid": uuid, "name": name, "size": size, "project_id": "p", "users": users, "created_at": CREATED}


def mount(destination: str, *, read_only: bool = False) -> dict[str, Any]:
    return {"type": "volume", "source": DATA, "destination": destination, "read_only": read_only, "size": None}


VOLUMES = (volume(DATA, "data", None, 2), volume(NAMELESS, None, 10, 0))
CONTAINERS = [{"uuid": WEB, "name": "web", "mounts": [mount("/srv"), {**mount("/fast"), "source": None}]}]
WITHIN = 2 * [{"mounts": [mount("/d", read_only=True)]}]
CAPSULES = [{"uuid": SHOP, "name": "shop", "init_containers": [], "containers": WITHIN}]


class Table(Service):
    """Two volumes, one of which a container and two containers of a capsule mount."""

    def __init__(self) -> None:
        super().__init__(volumes=[*VOLUMES], containers=CONTAINERS, capsules=CAPSULES)

    def answer(self, method: str, words: Sequence[str], said: dict[str, Any]) -> Given | None:
        used = (method, words) == ("DELETE", ["volumes", "data"])
        return refusal(409, "Containers use this volume: delete them first.") if used else None


@pytest.fixture(autouse=True)
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with at(Table(), tmp_path, monkeypatch):
        yield


def run(*words: str) -> Result:
    return service.run("volume", *words)


def test_a_list_shows_volumes_and_says_which_are_used() -> None:
    title, data, nameless = run("ls").stdout.splitlines()
    assert title.split() == ["NAME", "SIZE", "USED", "BY", "CREATED", "ID"]
    assert data.split()[:2] == ["data", "2"] and data.split()[-1] == DATA[:8]
    assert nameless.split()[:2] == ["10GiB", "0"]
    assert run("ls", "-q").stdout.split() == ["data", NAMELESS]
    assert run("ls", "--format", "{{.Name}} {{.Size}}").stdout.splitlines() == ["data ", " 10"]


@pytest.mark.parametrize("given", ["data", DATA, DATA[:8]])
def test_a_volume_is_shown_with_what_mounts_it(given: str) -> None:
    there = json.loads(run("inspect", given).stdout)["mounted"]
    assert [(one["name"], one["kind"], one["destination"], one["read_only"]) for one in there] == [
        ("web", "container", "/srv", False),
        ("shop", "capsule", "/d", True),
    ]
    assert [line.split()[0] for line in run("show", given).stdout.splitlines()[-2:]] == ["web", "shop"]


def test_a_volume_that_is_used_stays_and_it_is_said_how_to_see_by_what() -> None:
    done = run("rm", "data", NAMELESS[:8])
    assert (done.exit_code, done.stdout) == (1, f"{NAMELESS[:8]}\n")
    assert done.stderr.endswith("What mounts it: higgins volume show data\n")


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        (["prune"], "higgins volume rm $(higgins volume ls -q)"),
        (["create", "-d", "local", "data"], "directory on the host"),
        (["rm", "-f", "data"], "when nothing mounts it"),
    ],
)
def test_what_volumes_have_not_is_answered_with_what_they_have(words: list[str], remedy: str) -> None:
    done = run(*words)
    assert done.exit_code == 2 and remedy in done.stderr


def test_an_unknown_volume_is_answered_with_those_that_are_near() -> None:
    done = run("show", "dta")
    assert isinstance(done.exception, errors.NotFound)
    assert done.exception.__notes__ == ["Did you mean data?"]
