"""The Containers API over HTTP as several people see it, through the real service, loops and agent, with a runtime in memory."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from higgins import errors
from higgins.api.server import serving
from higgins.api.zun.door import application
from higgins.model.identity import Caller
from higgins.service.policy import Policy
from tests.flow.harness import Cloud, admin, caller, cloud, services
from tests.patience import PATIENCE

VERSION = "container 1.41"


class Tokens:
    """Everybody's token is the name of their project."""

    async def caller(self, token: str) -> Caller:
        match token:
            case "p1" | "p2":
                return caller(token)
            case "admin":
                return admin()
            case _:
                raise errors.Unauthenticated("no such token")


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    body: Any
    headers: dict[str, str]

    def __getitem__(self, key: str) -> Any:
        assert isinstance(self.body, dict), self
        return self.body[key]

    @property
    def error(self) -> tuple[int, str]:
        """Status and code of a refusal."""
        assert isinstance(self.body, dict), self
        return self.status, self.body["errors"][0]["code"]


class Api:
    """The API as one project sees it."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str) -> None:
        self.session, self.url, self.token = session, url, token

    async def __call__(self, method: str, path: str, body: object = None, *, version: str = VERSION) -> Reply:
        headers = {"X-Auth-Token": self.token, "OpenStack-API-Version": version}
        url = path if path.startswith("http") else f"{self.url}/v1{path}"
        async with self.session.request(method, url, headers=headers, json=body) as answer:
            content = await answer.json() if answer.content_type == "application/json" else None
            return Reply(answer.status, content, {k.lower(): v for k, v in answer.headers.items()})

    async def run(self, name: str, *command: str, **asked: object) -> str:
        """Make a container, wait until it runs or has ended, and return its id."""
        made = await self(
            "POST", "/containers?run=true", {"image": "busybox", "name": name, "command": command, **asked}
        )
        assert made.status == 202, made
        uuid = str(made["uuid"])
        await self.until(uuid, "Stopped" if command[:1] in (("echo",), ("true",)) else "Running")
        return uuid

    async def until(self, ref: str, status: str | None) -> Reply:
        """Wait for a status with nothing being done; None: until it is gone."""
        async with asyncio.timeout(PATIENCE):
            while True:
                reply = await self("GET", f"/containers/{ref}")
                if reply.status == 404:
                    assert status is None, reply
                    return reply
                if reply["status"] == status and reply["task_state"] is None:
                    return reply
                await asyncio.sleep(0.01)


@dataclass(frozen=True, slots=True)
class Town:
    """A service and who uses it."""

    cloud: Cloud
    one: Api
    two: Api
    admin: Api


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    async with cloud(tmp_path) as running:
        app = application(services(running), Tokens(), Policy())
        async with serving(app, host="127.0.0.1", port=0, grace=0.1) as at, aiohttp.ClientSession() as session:
            yield Town(running, *(Api(session, at.url, token) for token in ("p1", "p2", "admin")))
