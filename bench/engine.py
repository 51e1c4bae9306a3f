"""The floor: the Docker Engine API, spoken to directly."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

ROOT = Path(__file__).parent.parent
IMAGE = "higgins-bench/busybox:latest"
COMMAND = ("sleep", "2147483647")
LABEL = "org.higgins.bench"

_SAME = ("PidsLimit", "LogConfig", "SecurityOpt", "RestartPolicy", "Privileged", "NetworkMode", "Memory", "NanoCpus")
"""What Higgins asks for beyond image and command; the floor has to ask for the same."""


class Refused(Exception):
    """The engine said no; the message is its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """What the engine says of itself."""

    release: str
    kernel: str
    cores: int
    memory: int
    """Bytes."""
    storage: str


class Engine:
    """A Docker Engine on a Unix socket; connections are kept."""

    def __init__(self, socket: str = "/var/run/docker.sock") -> None:
        self.socket = socket
        self._body: dict[str, Any] = {"Image": IMAGE, "Cmd": list(COMMAND), "Labels": {LABEL: "floor"}}

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(connector=aiohttp.UnixConnector(self.socket, limit=0))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.close()

    async def call(self, method: str, path: str, body: object = None, **query: str) -> Any:
        """The decoded answer, None for an empty one. Raises Refused."""
        async with self._http.request(method, f"http://engine/v1.41/{path}", params=query, json=body) as answer:
            content = await answer.read()
        if answer.status >= 400:
            raise Refused(f"{method} {path}: {answer.status} {content.decode(errors='replace').strip()}")
        return json.loads(content) if content else None

    async def version(self) -> Version:
        """Raises Refused, or OSError when nobody answers."""
        told = await self.call("GET", "info")
        return Version(
            release=told["ServerVersion"],
            kernel=told["KernelVersion"],
            cores=told["NCPU"],
            memory=told["MemTotal"],
            storage=told["Driver"],
        )

    async def imitate(self, name: str) -> Mapping[str, Any]:
        """From now on make containers as that one was made, but on the engine's bridge if its network is not the engine's; what is imitated."""
        found = await self.call("GET", f"containers/{name}/json")
        host = {key: value for key, value in found["HostConfig"].items() if key in _SAME}
        if host["NetworkMode"].startswith("container:"):
            host["NetworkMode"] = "bridge"
        self._body |= {"Cmd": found["Config"]["Cmd"], "Env": [], "HostConfig": host}
        return host

    async def create(self) -> str:
        """Make a container; its id."""
        made: str = (await self.call("POST", "containers/create", self._body))["Id"]
        return made

    async def start(self, container: str) -> None:
        await self.call("POST", f"containers/{container}/start")

    async def remove(self, container: str) -> None:
        """By force."""
        await self.call("DELETE", f"containers/{container}", force="1", v="1")

    async def containers(self, label: str) -> list[str]:
        """The ids of all that carry this label."""
        listed = await self.call("GET", "containers/json", all="1", filters=json.dumps({"label": [label]}))
        return [one["Id"] for one in listed]

    async def clear(self, label: str) -> None:
        """Remove all that carry this label."""
        for container in await self.containers(label):
            await self.remove(container)


def make_image(socket: str) -> None:
    """Have an image of this machine's static busybox, made here: no registry is needed, and both sides use the same."""
    script = [sys.executable, str(ROOT / "scripts" / "engine.py"), f"unix://{socket}"]
    if subprocess.run([*script, "has-image", IMAGE], capture_output=True, check=False).returncode == 0:
        return
    made = subprocess.run([*script, "make-image", IMAGE, "/bin/busybox"], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        raise Refused(f"{made.stderr.strip()}; on Debian, apt-get install busybox-static brings what it is made from")
