"""What `higgins volume` promises, against a server that answers from a table."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from higgins import errors
from higgins.cli.main import higgins
from tests.unit.client.stub import Asked, Given, serving

DATA = "b4eb9e97-e5e3-59ce-a414-94a1374b4354"
NAMELESS = "4095cd1d-fc12-5ef8-92b0-b99e2ea69762"
WEB = "76f22038-8048-40ee-a18e-f949c1a8e4a8"
SHOP = "9903af6c-465a-5b66-b255-6ea417f73dbf"


def volume(uuid: str, name: str | None, size: int | None, users: int) -> dict[str, Any]:
    made = "2026-11-21 12:00:00"
    return {"uuid": uuid, "name": name, "size": size, "project_id": "p", "users": users, "created_at": made}


def mount(destination: str, *, read_only: bool = False) -> dict[str, Any]:
    return {"type": "volume", "source": DATA, "destination": destination, "read_only": read_only, "size": None}


VOLUMES = (volume(DATA, "data", None, 2), volume(NAMELESS, None, 10, 0))
CONTAINERS = [{"uuid": WEB, "name": "web", "mounts": [mount("/srv"), {**mount("/fast"), "source": None}]}]
WITHIN = 2 * [{"mounts": [mount("/d", read_only=True)]}]
CAPSULES = [{"uuid": SHOP, "name": "shop", "init_containers": [], "containers": WITHIN}]


class Table:
    """Two volumes, one of which a container and two containers of a capsule mount."""

    def __call__(self, asked: Asked) -> Given:
        match asked.method, asked.target.partition("?")[0].split("/")[1:]:
            case "POST", ["v3", "auth", "tokens"]:
                endpoint = {"interface": "public", "url": f"http://{asked.headers['Host']}/v1"}
                token = {
                    "user": {"id": "u", "name": "martha"},
                    "project": {"id": "p", "name": "garden"},
                    "roles": [],
                    "expires_at": "2099-01-01T00:00:00Z",
                    "catalog": [{"type": "container", "endpoints": [endpoint]}],
                }
                return Given(201, {"token": token}, {"X-Subject-Token": "t"})
            case "GET", ["v1", "volumes" | "containers" | "capsules" as noun]:
                found = {"volumes": VOLUMES, "containers": CONTAINERS, "capsules": CAPSULES}[noun]
                return Given(200, {noun: found, "next": None})
            case "DELETE", ["v1", "volumes", "data"]:
                return Given(409, {"errors": [{"detail": "Containers use this volume: delete them first."}]})
            case method, ["v1", "volumes", given]:
                for one in VOLUMES:
                    if given in (one["uuid"], one["name"]):
                        return Given(204, b"") if method == "DELETE" else Given(200, one)
        return Given(404, {"errors": [{"detail": "Volume could not be found."}]})


@pytest.fixture(autouse=True)
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in list(os.environ):
        if name.startswith("OS_"):
            monkeypatch.delenv(name)
    for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    with serving(Table()) as server:
        login = {"AUTH_URL": f"{server.url}/v3", "USERNAME": "martha", "PASSWORD": "s", "PROJECT_NAME": "garden"}
        for name, value in login.items():
            monkeypatch.setenv(f"OS_{name}", value)
        yield


def run(*words: str) -> Result:
    return CliRunner().invoke(higgins, ["volume", *words])


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
