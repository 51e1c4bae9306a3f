"""What there is to be asked about: a few containers, one in each status, prepared once; and how what a row leaves behind goes again."""

import json
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.compat.table import ADMIN, MEMBER, NEWEST, NOBODY, STRANGER, ZUNS
from tests.compat.wire import Answer, Party

PATIENCE = 60.0
LASTS = ["sh", "-c", "echo hello; trap exit TERM; while :; do sleep 1 & wait; done"]
"""Ends by SIGTERM at once."""
NOWHERE = "no-such-zone"
"""A zone in which there is no host: what is asked to be there is written down, and costs no host anything."""
NONE = "{none}"
"""The id of nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """An endpoint, who may ask it, and what there is at it."""

    address: str
    """Without /v1."""
    parties: Mapping[str, Party]
    image: str
    newest: int
    upstream: bool
    silent: str | None
    """The address of a registry that takes questions and never answers: what is to be fetched from there goes on being Creating. None away from home."""
    mark: str = field(default_factory=lambda: f"compat-{secrets.token_hex(4)}")
    """What every name begins with."""
    _made: dict[str, str] = field(default_factory=lambda: {"none": "0bb92283-1111-4222-8333-444455556666"})

    def ask(self, who: str, method: str, path: str, *, minor: int | None = None, **parts: Any) -> Answer:
        """The answer to a request below /v1; the newest version, if none is said."""
        version = f"container 1.{minor or self.newest}"
        return self.parties[who].ask(method, f"/v1{path}", version=version, **parts)

    def get(self, path: str, who: str = MEMBER) -> Any:
        """What is there; None if nothing is."""
        answer = self.ask(who, "GET", path)
        return None if answer.status in (400, 404) else _good(answer).body

    def new(self, *, run: bool = False, **asked: Any) -> str:
        """A container of the member's: its id."""
        body = {"image": self.image, "cpu": 0.1, "memory": 16, **asked}
        body.setdefault("name", f"{self.mark}-{secrets.token_hex(3)}")
        query = {"run": "true"} if run else {}
        return str(_good(self.ask(MEMBER, "POST", "/containers", query=query, body=body)).body["uuid"])

    @property
    def ours(self) -> bool:
        """Whether nobody else relies on it."""
        return self.silent is not None

    def settle(self, container: str, status: str) -> None:
        """Wait until a container has come to rest in a status."""
        self.until(lambda: _settled(self.get(f"/containers/{container}"), status), f"{container} to be {status}")

    def until(self, happened: Callable[[], object], what: str) -> None:
        """Wait for something."""
        deadline = time.monotonic() + PATIENCE
        while not happened():
            assert time.monotonic() < deadline, f"waited in vain for {what}"
            time.sleep(0.03)

    def part(self, name: str) -> str:
        """What a name in braces stands for."""
        if name not in self._made:
            self._prepare()
        return self._made[name]

    def filled(self, value: Any) -> Any:
        """A path, query or body with what its names in braces stand for."""
        match value:
            case str():
                return re.sub(r"\{([a-z_]+)\}", lambda found: self.part(found[1]), value)
            case dict():
                return {name: self.filled(one) for name, one in value.items()}
            case list():
                return [self.filled(one) for one in value]
        return value

    def forget(self, who: str, answer: Answer) -> None:
        """Remove what an answer says that somebody made."""
        location = answer.headers.get("location")
        if location is not None:
            path = location.partition("/v1")[2]
            self.ask(who, "DELETE", path, query={"stop": "true"} if path.startswith("/containers") else {})

    def clear(self) -> None:
        """Remove everything that was made here."""
        for one in _good(self.ask(MEMBER, "GET", "/containers")).body["containers"]:
            if one["name"].startswith(self.mark):
                if one["status"] == "Paused":
                    self.ask(MEMBER, "POST", f"/containers/{one['uuid']}/unpause")
                    self.settle(one["uuid"], "Running")
                self.ask(MEMBER, "DELETE", f"/containers/{one['uuid']}", query={"stop": "true"})
        if "capsule" in self._made:
            self.ask(MEMBER, "DELETE", f"/capsules/{self._made['capsule']}")
        if "registry" in self._made:
            self.ask(MEMBER, "DELETE", f"/registries/{self._made['registry']}")

    def _prepare(self) -> None:
        """Everything at once, so that it becomes ready together."""
        made = self._made
        made["mark"] = self.mark
        made["image_name"] = self.image
        named = {
            name: f"{self.mark}-{name}" for name in ("running", "terminal", "created", "stopped", "paused", "walker")
        }
        made["running"] = self.new(run=True, name=named["running"], command=LASTS)
        made["terminal"] = self.new(run=True, name=named["terminal"], command=LASTS, interactive=True, tty=True)
        made["created"] = self.new(name=named["created"], command=LASTS)
        made["stopped"] = self.new(run=True, name=named["stopped"], command=["echo", "hello"])
        made["paused"] = self.new(run=True, name=named["paused"], command=LASTS)
        made["walker"] = self.new(name=named["walker"], command=LASTS)
        # Upstream has no Error that lasts but that of what finds no host.
        failing = {"availability_zone": NOWHERE} if self.upstream else {"command": ["/no/such/command"]}
        made["error"] = self.new(run=True, name=f"{self.mark}-error", **failing)
        if self.silent is not None:
            made["creating"] = self.new(name=f"{self.mark}-creating", image=f"{self.silent}/nothing:1")
        made["file"] = self.new(name=f"{self.mark}-web.txt", availability_zone=NOWHERE)
        for _ in range(2):
            self.new(name=f"{self.mark}-twin", availability_zone=NOWHERE)
        template = {"kind": "capsule", "metadata": {"name": f"{self.mark}-capsule"}, "availabilityZone": NOWHERE}
        spec = {"containers": [{"image": self.image, "name": "web"}], "initContainers": [{"image": self.image}]}
        capsule = {"template": {**template, "spec": spec}}
        made["capsule"] = str(_good(self.ask(MEMBER, "POST", "/capsules", body=capsule)).body["uuid"])
        registry = {"registry": {"domain": "registry.invalid", "name": f"{self.mark}-registry", "password": "secret"}}
        made["registry"] = _good(self.ask(MEMBER, "POST", "/registries", body=registry)).body["registry"]["uuid"]
        made["project"] = self.get(f"/containers/{made['running']}")["project_id"]
        actions = self.get(f"/containers/{made['running']}/container_actions")["containerActions"]
        made["request"] = actions[-1]["request_id"]
        if ADMIN in self.parties:
            host = self.get("/hosts", ADMIN)["hosts"][0]
            made["host"], made["host_id"] = host["hostname"], host["uuid"]
        for name in ("running", "terminal", "paused"):
            self.settle(made[name], "Running")
        _good(self.ask(MEMBER, "POST", f"/containers/{made['paused']}/pause"))
        for name, status in (("created", "Created"), ("walker", "Created"), ("stopped", "Stopped")):
            self.settle(made[name], status)
        self.settle(made["paused"], "Paused")
        made["network"], (address, *_) = next(iter(self.get(f"/containers/{made['running']}")["addresses"].items()))
        made["port"] = address["port"]
        if self.ours:
            made["subnet"] = self.get(f"/networks/{made['network']}")["subnet"]
        self.settle(made["error"], "Error")


def survey(
    address: str, tokens: Mapping[str, str], image: str, *, upstream: bool = False, silent: str | None = None
) -> Ground:
    """The ground at an address."""
    parties = {who: Party(address, token) for who, token in tokens.items()} | {NOBODY: Party(address)}
    offered = _good(parties[NOBODY].ask("GET", "/")).body["versions"][0]["max_version"]
    newest = min(int(offered.partition(".")[2]), ZUNS if upstream else NEWEST)
    return Ground(address=address, parties=parties, image=image, newest=newest, upstream=upstream, silent=silent)


def _good(answer: Answer) -> Answer:
    assert answer.status < 400, json.loads(answer.content or b"null")
    return answer


def _settled(container: Any, status: str) -> bool:
    return container is not None and container["status"] == status and container["task_state"] is None


__all__ = ["ADMIN", "MEMBER", "NOBODY", "STRANGER", "Ground", "survey"]
