"""What an engine has of one server: its containers, its sandboxes, and those in store."""

import json
from dataclasses import dataclass
from typing import Any

import aiodocker

from higgins.drivers.engine import Engine
from higgins.drivers.runtimes.docker import pause, terms
from higgins.drivers.runtimes.docker.terms import OWNER, Marks


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One of ours, as an engine has it."""

    marks: Marks | None
    """None: a sandbox in store, which is nobody's yet."""
    whole: Any

    @property
    def is_sandbox(self) -> bool:
        """Whether it stands by itself, as also those do that are made without networks."""
        return bool(self.whole["Config"]["Image"] == pause.IMAGE)


async def on_engine(docker_url: str, owner: str) -> list[Found]:
    """All that the engine has of this owner."""
    filters = json.dumps({"label": [f"{OWNER}={owner}"]})
    found = []
    async with Engine(docker_url) as engine:
        for listed in json.loads(await engine.call("GET", "containers/json", {"all": True, "filters": filters})):
            try:
                whole = json.loads(await engine.call("GET", f"containers/{listed['Id']}/json"))
            except aiodocker.DockerError:
                continue  # Removed just now.
            found.append(Found(marks=terms.marks(listed["Labels"], whole["Name"].lstrip("/")), whole=whole))
    return found
