"""A stream of requests from clients that remember what they asked for, and the reckoning at the end.

A client counts a request as asked for once it was acknowledged. One that was cut off is looked up among the container's actions when the service is back:
if it is there it was asked for, if not it is asked again.
"""

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import aiohttp

from tests.system.engine import BUSYBOX, import_busybox
from tests.system.faults.claims import assert_no_claim_leaks
from tests.system.faults.found import on_engine
from tests.system.faults.leaks import assert_nothing_leaks
from tests.system.servers import AllInOne

PATIENCE = 90.0
"""Seconds in which everything has to come to rest once the faults are over."""
# Ends at once when it is asked to, so that stops take no time.
COMMAND = ["sh", "-c", "trap exit TERM; sleep 100000 & wait"]
OTHER = "higgins-test/other:latest"
"""Another image, for those that are rebuilt."""
MIB = 1 << 20
OWNER = "org.higgins.owner"
CONTAINER = "org.higgins.container"

WORDS = {"created": "Created", "running": "Running", "stopped": "Stopped", "paused": "Paused"}
STATES: Mapping[str, set[str | None]] = {
    "Created": {"created"},
    "Running": {"running"},
    "Paused": {"paused"},
    "Stopped": {"exited", "created", None},
}
"""What the engine may say of a container that the service calls so; None: it has none."""
VERBS: Mapping[str, Sequence[str]] = {
    "created": ["start", "start", "rebuild", "update", "delete"],
    "running": ["stop", "stop", "reboot", "pause", "rebuild", "rebuild", "update", "delete"],
    "stopped": ["start", "start", "reboot", "rebuild", "update", "delete"],
    "paused": ["unpause", "unpause", "update", "delete"],
}
LEADS_TO = {"start": "running", "reboot": "running", "unpause": "running", "stop": "stopped", "pause": "paused"}
REBUILT = {"created": "created", "running": "running", "stopped": "created"}


class CutOff(Exception):
    """Nobody knows whether the request was taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the service said."""

    status: int
    request_id: str
    body: Any


@dataclass(slots=True, kw_only=True)
class Wanted:
    """A container, and what was last asked of it."""

    id: str
    name: str
    state: str
    image: str = BUSYBOX
    memory: int
    """MiB."""
    fresh_since: float = 0.0
    """Its present run has to have begun after this time."""
    acknowledged: set[str] = field(default_factory=set)
    """The requests that the service has taken."""


class Api:
    """The Containers API, for one who is prepared for everything."""

    def __init__(self, url: str, token: str, *, version: str = "1.40", nouns: str = "containers") -> None:
        self.url = f"{url}/v1/{nouns}"
        # A connection for each request: the library would repeat some requests by itself when one that it kept open breaks.
        self.http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True),
            timeout=aiohttp.ClientTimeout(total=20),
            headers={"X-Auth-Token": token, "OpenStack-API-Version": f"container {version}"},
        )

    async def close(self) -> None:
        """As a client that dies: whatever is open breaks off, without a word."""
        await self.http.close()

    async def call(self, method: str, path: str = "", body: object = None, **query: str) -> Answer:
        """Raises CutOff when there is no answer, or one that tells nothing."""
        try:
            async with self.http.request(method, self.url + path, params=query, json=body) as response:
                text = await response.text()
                if response.status >= 500:
                    raise CutOff(f"{response.status}: {text}")
                return Answer(
                    status=response.status,
                    request_id=response.headers.get("x-openstack-request-id", ""),
                    body=json.loads(text) if text else None,
                )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise CutOff(repr(error)) from error

    async def surely(self, method: str, path: str = "", **query: str) -> Answer:
        """The answer, as soon as somebody gives one. For what may be asked any number of times."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return await self.call(method, path, **query)
            except CutOff as error:
                if time.monotonic() > deadline:
                    raise AssertionError(f"{method} {self.url}{path} is not answered: {error}") from error
                await asyncio.sleep(0.1)


class Client:
    """One who has one container at a time, and asks something of it again and again."""

    def __init__(self, api: Api, number: int, seed: int) -> None:
        self._api = api
        self._number = number
        self._random = random.Random(f"{seed}/{number}")
        self._made = 0
        self.wanted: Wanted | None = None
        self.deleted: list[str] = []
        self.asked = 0

    async def ask_until(self, over: asyncio.Event, pause: float) -> None:
        while not over.is_set():
            await self._ask_once()
            await asyncio.sleep(self._random.uniform(0, 2 * pause))

    async def _ask_once(self) -> None:
        wanted = self.wanted
        if wanted is None:
            await self._create()
            return
        verb = self._random.choice(self._verbs(wanted))
        how = self._how(verb)
        since = time.time()
        if verb == "rebuild" and not await self._is_at_rest(wanted):
            return  # Whether it runs afterwards depends on how far it has come.
        if not await self._taken(wanted, verb, how):
            return  # Refused: the state did not allow it yet.
        self.asked += 1
        self._note(wanted, verb, how, since)

    def _note(self, wanted: Wanted, verb: str, how: Mapping[str, str], since: float) -> None:
        """What is wanted from now on, as the request was taken."""
        if verb == "delete":
            self.deleted.append(wanted.id)
            self.wanted = None
            return
        if verb == "update":
            wanted.memory = int(how["memory"])
            return
        runs_anew = verb in ("start", "reboot") or (verb == "rebuild" and wanted.state == "running")
        wanted.state = REBUILT[wanted.state] if verb == "rebuild" else LEADS_TO[verb]
        wanted.image = how.get("image", wanted.image)
        if runs_anew:
            wanted.fresh_since = since

    def _verbs(self, wanted: Wanted) -> Sequence[str]:
        return VERBS[wanted.state]

    def _how(self, verb: str) -> dict[str, str]:
        if verb == "delete":
            return self._random.choice([{"stop": "true"}, {"force": "true"}])
        if verb == "rebuild":
            return {"image": self._random.choice([BUSYBOX, OTHER])}
        if verb == "update":
            return {"memory": str(self._random.randrange(8, 64))}
        return {"timeout": str(self._random.choice([0, 1, 5]))} if verb in ("stop", "reboot") else {}

    async def _is_at_rest(self, wanted: Wanted) -> bool:
        shown = (await self._api.surely("GET", f"/{wanted.id}")).body
        return bool(shown["status"] == WORDS[wanted.state] and shown["task_state"] is None)

    async def _create(self) -> None:
        self._made += 1
        name = f"c{self._number}-{self._made}"
        run = self._random.random() < 0.7
        memory = self._random.randrange(8, 64)
        body = {"name": name, "image": BUSYBOX, "command": COMMAND, "memory": memory, "cpu": 0.2} | self._more(name)
        since = time.time()
        while True:
            try:
                answer = await self._api.call("POST", "", body, **({"run": "true"} if run else {}))
            except CutOff:
                answer = await self._api.surely("GET", f"/{name}")
                if answer.status == 404:
                    continue
                assert answer.status == 200, answer
            else:
                assert answer.status == 202, answer
            break
        self.asked += 1
        self.wanted = Wanted(
            id=answer.body["uuid"],
            name=name,
            state="running" if run else "created",
            memory=memory,
            fresh_since=since if run else 0.0,
        )
        await self._look_up(self.wanted)

    def _more(self, name: str) -> dict[str, object]:
        """What is asked of a new one besides."""
        return {}

    async def _taken(self, wanted: Wanted, verb: str, how: dict[str, str]) -> bool:
        """Whether the service has taken the request. One that it refuses is given up."""
        while True:
            try:
                if verb == "delete":
                    answer = await self._api.call("DELETE", f"/{wanted.id}", **how)
                elif verb == "update":
                    answer = await self._api.call("PATCH", f"/{wanted.id}", how)
                else:
                    answer = await self._api.call("POST", f"/{wanted.id}/{verb}", **how)
            except CutOff:
                if await self._look_up(wanted):
                    return True
                continue
            if answer.status == 409:
                return False
            assert answer.status in (200, 202, 204), (verb, answer)
            wanted.acknowledged.add(answer.request_id)
            return True

    async def _look_up(self, wanted: Wanted) -> bool:
        """Whether there is a request on record that was not known to be."""
        answer = await self._api.surely("GET", f"/{wanted.id}/container_actions")
        if answer.status == 404:
            return True  # The delete that was cut off has come to its end.
        found = {action["request_id"] for action in answer.body["containerActions"]}
        news = found - wanted.acknowledged
        wanted.acknowledged |= found
        return bool(news)


class Stream:
    """Many clients side by side, on one service and one engine."""

    def __init__(
        self, api: Api, docker_url: str, owner: str, *, clients: int, seed: int, kind: type[Client] = Client
    ) -> None:
        self._api = api
        self._docker_url = docker_url
        self._owner = owner
        self.clients = [kind(api, number, seed) for number in range(clients)]

    async def during(self, faults: Callable[[], Awaitable[None]], *, pause: float = 0.4) -> None:
        """Ask until all faults have happened. `pause`: seconds that a client waits between two requests, on average."""
        over = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for client in self.clients:
                group.create_task(client.ask_until(over, pause))
            await faults()
            over.set()

    @property
    def asked(self) -> int:
        """How many requests were taken."""
        return sum(client.asked for client in self.clients)

    async def reckon(self) -> None:
        """Everything comes to rest as it was asked for, and nothing else is there; or an AssertionError that lists what is wrong."""
        deadline = time.monotonic() + PATIENCE
        while wrong := await self._wrong():
            if time.monotonic() > deadline:
                raise AssertionError("\n".join(wrong))
            await asyncio.sleep(0.5)
        # At rest, not only passing through.
        await asyncio.sleep(1.5)
        wrong = await self._wrong()
        assert not wrong, "\n".join(wrong)

    async def _wrong(self) -> list[str]:
        wrong: list[str] = []
        there = await self._there()
        for client in self.clients:
            for gone in client.deleted:
                if (await self._api.call("GET", f"/{gone}")).status != 404:
                    wrong.append(f"{gone} was deleted, and is shown")
            if client.wanted is not None:
                wrong += await self._wrong_about(client.wanted, there.pop(client.wanted.id, []))
        wrong += [f"{container_id} is there, and nobody wants it: {found}" for container_id, found in there.items()]
        return wrong

    async def _wrong_about(self, wanted: Wanted, there: list[Any]) -> list[str]:
        me = f"{wanted.name} ({wanted.id})"
        answer = await self._api.call("GET", f"/{wanted.id}")
        if answer.status != 200:
            return [f"{me}: asked to be {wanted.state}, and lost: {answer}"]
        word, task, reason = (answer.body[field] for field in ("status", "task_state", "status_reason"))
        state = there[0]["State"]["Status"] if there else None
        wrong = []
        if word != WORDS[wanted.state] or task is not None:
            wrong.append(f"asked to be {wanted.state}, is {word}, {task}, {reason}")
        if len(there) > 1 or state not in STATES.get(word, {state}):
            wrong.append(f"is {word}, on the engine {[each['State'] for each in there]}")
        if state == "running" and _moment(there[0]["State"]["StartedAt"]) < wanted.fresh_since:
            wrong.append(f"runs since {there[0]['State']['StartedAt']}, a start was asked for at {wanted.fresh_since}")
        if there and there[0]["Config"]["Image"] != wanted.image:
            wrong.append(f"asked to be made of {wanted.image}, is of {there[0]['Config']['Image']}")
        if there and there[0]["HostConfig"]["Memory"] != wanted.memory * MIB:
            wrong.append(f"asked to have {wanted.memory} MiB, has {there[0]['HostConfig']['Memory'] / MIB}")
        record = await self._api.call("GET", f"/{wanted.id}/container_actions")
        actions = {action["request_id"]: action for action in record.body["containerActions"]}
        wrong += [f"{action['action']} is still open" for action in actions.values() if not action["finish_time"]]
        wrong += [f"the record of request {request} is lost" for request in wanted.acknowledged - actions.keys()]
        return [f"{me}: {each}" for each in wrong]

    async def _there(self) -> dict[str, list[Any]]:
        """What the engine has of ours, by our id; the sandboxes are left to whoever reckons networks."""
        found: dict[str, list[Any]] = {}
        for each in await on_engine(self._docker_url, self._owner):
            if each.marks is not None and not each.is_sandbox:
                found.setdefault(each.marks.container_id, []).append(each.whole)
        return found


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@asynccontextmanager
async def streaming(server: AllInOne, seed: int, *, clients: int = 12) -> AsyncIterator[Stream]:
    """A stream of requests to a service that answers; the reckoning follows the block."""
    token = (await asyncio.to_thread(server.add, "ada", "office", "admin")).token()
    api = Api(server.url, token)
    await import_busybox(OTHER, url=server.docker_url)
    try:
        stream = Stream(api, server.docker_url, server.owner, clients=clients, seed=seed)
        yield stream
        await stream.reckon()
        assert_no_claim_leaks(server.database)
        await assert_nothing_leaks(server)
        print(f"{stream.asked} requests were taken")
    finally:
        await api.close()
