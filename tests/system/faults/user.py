"""A user of a service in trouble, who waits for what is promised."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from higgins.drivers.engine import Engine
from tests.system.engine import BUSYBOX
from tests.system.faults.claims import assert_no_claim_leaks
from tests.system.faults.stream import COMMAND, CONTAINER, Api
from tests.system.servers import AllInOne


class User:
    """Somebody who asks for containers, and looks what becomes of them."""

    def __init__(self, api: Api, server: AllInOne) -> None:
        self.api = api
        self._server = server

    async def run(self, **said: Any) -> str:
        """Ask for one that runs; its id."""
        body = {"image": BUSYBOX, "command": COMMAND} | said
        answer = await self.api.call("POST", "", body, run="true")
        assert answer.status == 202, answer
        return str(answer.body["uuid"])

    async def until(
        self, container: str, status: str | frozenset[str], *words: str, within: float = 30
    ) -> dict[str, Any]:
        """Wait for this status, or one of these, with these words in the reason; what is shown then."""
        wanted = {status} if isinstance(status, str) else status
        deadline = time.monotonic() + within
        while True:
            answer = await self.api.call("GET", f"/{container}")
            reason = answer.body["status_reason"] or ""
            if answer.body["status"] in wanted and all(word in reason for word in words):
                assert "\n" not in reason
                shown: dict[str, Any] = answer.body
                return shown
            if time.monotonic() > deadline:
                raise AssertionError(f"wanted {wanted} {words}: {answer.body['status']}, {reason}")
            await asyncio.sleep(0.1)

    async def forget(self, container: str) -> None:
        """Delete it; nothing is left, neither there nor on the engine, nor booked."""
        assert (await self.api.call("DELETE", f"/{container}", force="true")).status == 204
        deadline = time.monotonic() + 30
        while (await self.api.call("GET", f"/{container}")).status != 404:
            assert time.monotonic() < deadline, f"{container} is not gone"
            await asyncio.sleep(0.1)
        filters = json.dumps({"label": [f"{CONTAINER}={container}"]})
        async with Engine(self._server.docker_url) as engine:
            assert json.loads(await engine.call("GET", "containers/json", {"all": True, "filters": filters})) == []
        assert_no_claim_leaks(self._server.database)


@asynccontextmanager
async def user_of(server: AllInOne, token: str | None = None) -> AsyncIterator[User]:
    token = token or (await asyncio.to_thread(server.add, "ada", "office", "admin")).token()
    api = Api(server.url, token)
    try:
        yield User(api, server)
    finally:
        await api.close()
