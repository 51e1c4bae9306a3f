"""A service for commands, at which somebody is logged in: it lists, shows and removes what it has, and each test says what else it answers."""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from click.testing import CliRunner, Result

from higgins.cli.main import higgins
from tests.unit.client.stub import Asked, Given, Server, serving

WEB = "76f22038-8048-40ee-a18e-f949c1a8e4a8"
CREATED = "2026-11-21 12:00:00"
Thing = dict[str, Any]


class Service:
    """What it has, by nouns, and all that it was asked to change."""

    def __init__(self, **things: list[Thing]) -> None:
        self.things = things
        self.asked: list[tuple[str, str, Thing]] = []

    def __call__(self, asked: Asked) -> Given:
        path, _, query = asked.target.partition("?")
        if path == "/v3/auth/tokens":
            return _token(f"http://{asked.headers['Host']}/v1")
        said = {name: values[0] for name, values in parse_qs(query).items()} | json.loads(asked.body or b"{}")
        if asked.method != "GET":
            self.asked.append((asked.method, path, said))
        words = path.split("/")[2:]
        return self.answer(asked.method, words, said) or self._usual(asked.method, words)

    def answer(self, method: str, words: Sequence[str], said: Thing) -> Given | None:
        """What a test wants otherwise, or beyond what every service does. `said` is the query together with the body."""
        return None

    def _usual(self, method: str, words: Sequence[str]) -> Given:
        match method, words:
            case "GET", [noun] if noun in self.things:
                return Given(200, {noun: self.things[noun], "next": None})
            case "GET", ["containers", _, "container_actions"]:
                return Given(200, {"containerActions": [{"request_id": "req-1"}]})
            case "GET", ["containers", _, "container_actions", "req-1"]:
                return Given(200, {"events": [{"message": "the host has no room for it."}]})
            case "GET" | "DELETE", [noun, given] if noun in self.things:
                found = [one for one in self.things[noun] if given in (one["uuid"], one["name"])]
                if not found:
                    return refusal(404, f"{noun[:-1].capitalize()} {given} could not be found.")
                if len(found) > 1:
                    return twins(noun)
                if method == "GET":
                    return Given(200, found[0])
                self.things[noun].remove(found[0])
                return Given(204, b"")
        return refusal(404, "There is nothing.")


def container(uuid: str = WEB, name: str = "web", status: str = "Running", **more: Any) -> Thing:
    return {
        "uuid": uuid,
        "name": name,
        "image": "busybox:1",
        "command": ["sleep", "1 0"],
        "status": status,
        "status_reason": None,
        "task_state": None,
        "created_at": CREATED,
        "labels": {},
        "auto_remove": False,
        **more,
    }


def refusal(status: int, detail: str, code: str = "") -> Given:
    return Given(status, {"errors": [{"detail": detail, "code": code}]})


def twins(noun: str) -> Given:
    return refusal(409, f"Multiple {noun} exist with same name. Please use the {noun[:-1]} uuid instead.")


def _token(endpoint: str) -> Given:
    token = {
        "user": {"id": "u", "name": "martha"},
        "project": {"id": "p", "name": "garden"},
        "roles": [],
        "expires_at": "2099-01-01T00:00:00Z",
        "catalog": [{"type": "container", "endpoints": [{"interface": "public", "url": endpoint}]}],
    }
    return Given(201, {"token": token}, {"X-Subject-Token": "t"})


@contextmanager
def at(service: Service, home: Path, environment: pytest.MonkeyPatch) -> Iterator[Server]:
    """While the block runs, commands are for this service, and know nothing of whoever runs the test."""
    for name in list(os.environ):
        if name.startswith("OS_"):
            environment.delenv(name)
    for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        environment.setenv(name, str(home))
    with serving(service) as server:
        login = {"AUTH_URL": f"{server.url}/v3", "USERNAME": "martha", "PASSWORD": "sesame", "PROJECT_NAME": "garden"}
        for name, value in login.items():
            environment.setenv(f"OS_{name}", value)
        yield server


def run(*words: str, said: str | None = None) -> Result:
    return CliRunner().invoke(higgins, words, input=said)


def notes(done: Result) -> list[str]:
    return list(getattr(done.exception, "__notes__", ()))
