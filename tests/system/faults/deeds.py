"""What takes a while and may be broken off in the middle, by whoever dies; and what has to be true of each of them afterwards."""

import asyncio
import contextlib
import io
import json
import tarfile
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import aiodocker
import aiohttp

from higgins.drivers.engine import Engine
from tests.system.engine import BUSYBOX, forget
from tests.system.faults.stream import COMMAND, CONTAINER, MIB, OWNER, Answer, Api, CutOff
from tests.system.servers import AllInOne

PATIENCE = 60.0
"""Seconds in which everything has come to rest after somebody died."""
BOUND = 20.0
"""Seconds in which whoever waits for an answer hears that there will be none."""
CHANNELS = "v1.channels.higgins"
TALKS = ["sh", "-c", "trap exit TERM; while :; do echo alive; sleep 0.2; done"]
# They take their time to end, so that there is a middle.
LINGERS = ["sh", "-c", "trap 'sleep 1; exit' TERM; sleep 100000 & wait"]
HEALTHY = ["sh", "-c", "trap 'sleep 1; exit' TERM; touch /well; sleep 100000 & wait"]
FAILS = ["sh", "-c", "echo again; sleep 0.3; exit 3"]
LARGE = 24 * MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """Where it all happens."""

    server: AllInOne
    """The control plane."""
    token: str
    registry: str
    """HOST:PORT of a slow one."""

    def api(self, nouns: str = "containers") -> Api:
        """A client's own connections."""
        return Api(self.server.url, self.token, version="1.41", nouns=nouns)


class Deed:
    """Something that somebody does. The base of all: one container, and how to look at it."""

    lasts = 1.0
    """Seconds that it takes, more or less."""
    by_client: ClassVar[bool] = True
    """Whether a client does it, who may die."""
    body: ClassVar[dict[str, Any]] = {"command": COMMAND}

    def __init__(self, ground: Ground, number: int) -> None:
        self.ground = ground
        self.name = f"{type(self).__name__.lower()}-{number}"
        self.number = number
        self.doer = ground.api()
        """The client that may be killed."""
        self.watcher = ground.api()
        """One that is not."""
        self.id = ""
        self.before: Any = None

    async def prepare(self) -> None:
        """Before anybody dies."""
        await self.run_one()

    async def begin(self) -> None:
        """Do it; ends with CutOff when the client has heard that it is broken off, or how."""

    async def reckon(self) -> None:
        """All is well; or an AssertionError. Removes what it made."""
        await self.forget()

    async def run_one(self, **said: Any) -> None:
        body = {"name": self.name, "image": BUSYBOX} | self.body | said
        answer = await self.watcher.call("POST", "", body, run="true")
        assert answer.status == 202, answer
        self.id = answer.body["uuid"]
        await self.until("Running")
        (self.before,) = await self.there()

    async def shown(self) -> Any:
        return (await self.watcher.surely("GET", f"/{self.id}")).body

    async def until(self, *statuses: str) -> Any:
        """It has come to rest as one of these."""
        deadline = time.monotonic() + PATIENCE
        while True:
            shown = await self.shown()
            if shown["status"] in statuses and shown["task_state"] is None:
                return shown
            said = {key: shown[key] for key in ("status", "task_state", "status_reason")}
            assert time.monotonic() < deadline, f"{self.name} ({self.id}): wanted {statuses}, is {said}"
            await asyncio.sleep(0.1)

    async def there(self) -> list[Any]:
        """What the engine has by its id."""
        return await containers(self.ground, f"{CONTAINER}={self.id}")

    async def assert_untouched(self) -> None:
        """It runs as it did before, neither frozen nor started again, nor twice."""
        shown = await self.until("Running")
        (now,) = await self.there()
        for key in ("Id", "Image", "RestartCount"):
            assert now[key] == self.before[key], (self.name, key)
        assert now["State"]["Status"] == "running", (self.name, now["State"])
        assert now["State"]["StartedAt"] == self.before["State"]["StartedAt"], self.name
        assert shown["health"] is None or shown["health"]["status"] == "healthy", shown

    async def assert_told(self) -> None:
        """Nothing that was asked of it stays open."""

        async def is_told() -> bool:
            record = await self.watcher.surely("GET", f"/{self.id}/container_actions")
            return all(action["finish_time"] for action in record.body["containerActions"])

        await self.until_true(is_told, "its requests come to an end")

    async def forget(self) -> None:
        """Nothing is left of it."""
        if self.id:
            await self.assert_told()
            await self.watcher.surely("DELETE", f"/{self.id}", force="true")
            deadline = time.monotonic() + PATIENCE
            while (await self.watcher.surely("GET", f"/{self.id}")).status != 404 or await self.there():
                assert time.monotonic() < deadline, f"{self.name} ({self.id}) is not gone"
                await asyncio.sleep(0.1)

    async def close(self) -> None:
        await self.doer.close()
        await self.watcher.close()

    async def until_true(self, true: Callable[[], Any], what: str, within: float = PATIENCE) -> None:
        deadline = time.monotonic() + within
        while not await true():
            assert time.monotonic() < deadline, f"{self.name} ({self.id}): {what}"
            await asyncio.sleep(0.1)


# Images.


class Pulling(Deed):
    """A container of an image that has to be fetched first."""

    lasts = 2.0

    async def prepare(self) -> None:
        self.image = f"{self.ground.registry}/deeds/pulled:{self.number}"

    async def begin(self) -> None:
        answer = await self.doer.call("POST", "", self._body(), run="true")
        assert answer.status == 202, answer
        shown = await self.doer.call("GET", f"/{answer.body['uuid']}", wait="Running", timeout="15")
        assert shown.status == 200, shown

    async def reckon(self) -> None:
        answer = await self.watcher.surely("GET", f"/{self.name}")
        if answer.status == 404:  # It died before it was heard.
            answer = await self.watcher.call("POST", "", self._body(), run="true")
        self.id = answer.body["uuid"]
        shown = await self.until("Running")
        assert shown["progress"] is None, shown["progress"]
        (one,) = await self.there()
        assert [one["Image"]] == await images(self.ground, self.image)
        await self.forget()

    def _body(self) -> dict[str, Any]:
        return {"name": self.name, "image": self.image, "command": ["sh", "-c", "cat /part0 >/dev/null; sleep 10000"]}


class Fetching(Deed):
    """An image that is asked for by itself."""

    lasts = 2.0

    async def prepare(self) -> None:
        self.image = f"{self.ground.registry}/deeds/fetched:{self.number}"
        self.fetcher = self.ground.api("images")

    async def begin(self) -> None:
        async with contextlib.aclosing(_Closing(self.ground.api("images"))) as place:
            answer = await place.api.call("POST", "", {"repo": self.image})
            assert answer.status == 202, answer
        await asyncio.sleep(1.5)

    async def reckon(self) -> None:
        repository, _, tag = self.image.rpartition(":")

        async def is_present() -> bool:
            answer = await self.fetcher.surely("GET", "")
            (found,) = [one for one in answer.body["images"] if (one["repo"], one["tag"]) == (repository, tag)] or [
                None
            ]
            if found is None:  # It died before it was heard.
                await self.fetcher.call("POST", "", {"repo": self.image})
                return False
            assert found["state"] != "failed", found
            assert found["state"] != "present" or found["progress"] is None, found
            self.row = found["uuid"]
            return bool(found["state"] == "present")

        await self.until_true(is_present, "is fetched")
        assert len(await images(self.ground, self.image)) == 1
        assert (await self.fetcher.surely("DELETE", f"/{self.row}")).status == 200
        assert await images(self.ground, self.image) == []

    async def close(self) -> None:
        await self.fetcher.close()
        await super().close()


class Committing(Deed):
    """An image made of a container that runs."""

    lasts = 1.0

    async def prepare(self) -> None:
        await self.run_one(
            command=["sh", "-c", f"dd if=/dev/urandom of=/large bs=1M count={LARGE // MIB}; sleep 10000"]
        )
        self.repository = f"deeds/{self.ground.server.owner}/{self.name}"
        self.taken: Answer | None = None

    async def begin(self) -> None:
        self.taken = await self.doer.call("POST", f"/{self.id}/commit", repository=self.repository, tag="1")

    async def reckon(self) -> None:
        await self.assert_untouched()
        if self.taken is not None:
            assert self.taken.status == 202, self.taken
            assert len(await images(self.ground, f"{self.repository}:1")) == 1

        async def again() -> bool:
            """Whatever became of the first: who asks again gets it."""
            try:
                answer = await self.watcher.call("POST", f"/{self.id}/commit", repository=self.repository, tag="1")
            except CutOff:
                return False
            # The first may still be at it.
            assert answer.status == 202 or "just being made" in str(answer.body), answer
            return answer.status == 202

        await self.until_true(again, "can be made an image of")
        assert len(await images(self.ground, f"{self.repository}:1")) == 1
        await self.assert_untouched()
        await self.forget()

    async def close(self) -> None:
        await forget(f"{self.repository}:1", url=self.ground.server.docker_url)
        await super().close()


# Changes.


class Rebuilding(Deed):
    """A container that is made anew from an image that has to be fetched first."""

    lasts = 4.0
    body: ClassVar[dict[str, Any]] = {"command": LINGERS}

    async def prepare(self) -> None:
        await self.run_one()
        self.image = f"{self.ground.registry}/deeds/rebuilt:{self.number}"

    async def begin(self) -> None:
        answer = await self.doer.call("POST", f"/{self.id}/rebuild", image=self.image)
        assert answer.status == 202, answer
        await self.doer.call("GET", f"/{self.id}", wait="Running", timeout="15")

    async def reckon(self) -> None:
        shown = await self.until("Running")
        (one,) = await self.there()
        if shown["image"] == BUSYBOX:  # It died before it was heard.
            await self.assert_untouched()
        else:
            assert shown["image"] == self.image
            assert [one["Image"]] == await images(self.ground, self.image)
            assert one["State"]["Status"] == "running"
        await self.forget()


class RebuildingInVain(Deed):
    """A container that is to be made anew from an image that there is not."""

    lasts = 0.5

    async def begin(self) -> None:
        answer = await self.doer.call("POST", f"/{self.id}/rebuild", image=f"{self.ground.registry}/deeds/none:1")
        assert answer.status == 202, answer

    async def reckon(self) -> None:
        await self.assert_untouched()
        shown = await self.shown()
        record = (await self.watcher.surely("GET", f"/{self.id}/container_actions")).body["containerActions"]
        asked = [action for action in record if action["action"] == "rebuild"]
        if asked:
            assert "deeds/none:1 could not be found" in shown["status_reason"], shown["status_reason"]
            assert shown["image"] == BUSYBOX
        await self.forget()


class Limiting(Deed):
    """A container that gets other limits."""

    lasts = 0.2

    async def begin(self) -> None:
        answer = await self.doer.call("PATCH", f"/{self.id}", {"memory": "48"})
        assert answer.status == 200, answer

    async def reckon(self) -> None:
        await self.assert_told()
        await self.assert_untouched()
        shown = await self.shown()
        (one,) = await self.there()
        # If it was not heard, what it had.
        was = self.before["HostConfig"]["Memory"]
        assert one["HostConfig"]["Memory"] == (48 * MIB if str(shown["memory"]).startswith("48") else was), shown
        await self.forget()


# What repairs itself.


class Healing(Deed):
    """An unhealthy container that is made again."""

    lasts = 5.0
    by_client = False
    body: ClassVar[dict[str, Any]] = {
        "command": HEALTHY,
        "auto_heal": True,
        "healthcheck": {"cmd": "test -e /well", "interval": 1, "retries": 1, "timeout": 5},
    }

    async def begin(self) -> None:
        async with Engine(self.ground.server.docker_url) as engine:
            made = await engine.call("POST", f"containers/{self.before['Id']}/exec", body={"Cmd": ["rm", "/well"]})
            await engine.call("POST", f"exec/{json.loads(made)['Id']}/start", body={"Detach": True})
        await asyncio.sleep(self.lasts)

    async def reckon(self) -> None:
        async def is_healed() -> bool:
            shown = await self.shown()
            there = await self.there()
            assert len(there) <= 1, there
            health = shown["health"] or {}
            return bool(
                there
                and there[0]["Id"] != self.before["Id"]
                # The engine says nothing of health before it has begun a run.
                and there[0]["State"].get("Health", {}).get("Status") == "healthy"
                and shown["status"] == "Running"
                and health.get("status") == "healthy"
            )

        await self.until_true(is_healed, "is healed")
        # Once, not once for each who died.
        (healed,) = await self.there()
        await asyncio.sleep(2)
        (still,) = await self.there()
        assert (still["Id"], still["State"]["StartedAt"]) == (healed["Id"], healed["State"]["StartedAt"])
        await self.forget()


class Vanishing(Deed):
    """A container that somebody removes from the engine while nobody may be watching."""

    lasts = 0.0
    by_client = False

    async def begin(self) -> None:
        async with Engine(self.ground.server.docker_url) as engine:
            await engine.call("DELETE", f"containers/{self.before['Id']}", {"force": True})

    async def reckon(self) -> None:
        async def is_there_again() -> bool:
            there = await self.there()
            return [one["State"]["Status"] for one in there if one["Id"] != self.before["Id"]] == ["running"]

        await self.until_true(is_there_again, "is made again")
        await self.until("Running")
        await self.forget()


class Retrying(Deed):
    """A container that fails, and may be started again so often."""

    lasts = 2.5
    body: ClassVar[dict[str, Any]] = {
        "command": FAILS,
        "restart_policy": {"Name": "on-failure", "MaximumRetryCount": 3},
    }

    async def prepare(self) -> None:
        """It fails from the beginning."""

    async def begin(self) -> None:
        body = {"name": self.name, "image": BUSYBOX} | self.body
        answer = await self.doer.call("POST", "", body, run="true")
        assert answer.status == 202, answer
        await self.doer.call("GET", f"/{answer.body['uuid']}", wait="Stopped", timeout="15")

    async def reckon(self) -> None:
        answer = await self.watcher.surely("GET", f"/{self.name}")
        if answer.status == 404:  # It died before it was heard.
            answer = await self.watcher.call("POST", "", {"name": self.name, "image": BUSYBOX} | self.body, run="true")
        self.id = answer.body["uuid"]

        async def has_come_to_rest() -> bool:
            return await self._runs() >= 4

        await self.until_true(has_come_to_rest, "has been tried often enough")
        shown = await self.until("Stopped")
        assert shown["exit_code"] == 3, shown["exit_code"]
        await asyncio.sleep(1.5)
        runs = await self._runs()
        assert runs == 4, runs
        await self.forget()

    async def _runs(self) -> int:
        """How often it has run: it says so each time."""
        answer = await self.watcher.surely("GET", f"/{self.id}/logs")
        return str(answer.body).count("again")


# Streams. All of them on one container, which lives through everything.


class Streaming(Deed):
    """Somebody at a terminal, or who reads what is printed."""

    lasts = 1.0
    body: ClassVar[dict[str, Any]] = {"command": TALKS, "interactive": True}

    async def prepare(self) -> None:
        await self.run_one()
        self.address = ""
        self.used = False
        self.heard = b""

    async def begin(self) -> None:
        self.address = await self.ticket(self.doer)
        async with _connected(self.doer, self.address) as socket:
            self.used = True
            while True:
                await self.say(socket)
                message = await socket.receive(BOUND)
                if message.type is not aiohttp.WSMsgType.BINARY:
                    # Without a word of farewell whoever it talked to is dead.
                    raise CutOff(f"{message.type!r} {message.data!r}")
                if message.data[:1] == b"\x03":
                    raise CutOff(message.data[1:].decode())
                self.heard = message.data[1:]
                await asyncio.sleep(0.05)

    async def ticket(self, api: Api) -> str:
        answer = await api.call("GET", f"/{self.id}/attach", stdin="true")
        assert answer.status == 200, answer
        return str(answer.body)

    async def say(self, socket: "aiohttp.ClientWebSocketResponse") -> None:
        """Something that it does not mind."""
        await socket.send_bytes(b"\x00x\n")

    async def reckon(self) -> None:
        await self.assert_untouched()
        await self.until_true(self.can_be_talked_to, "can be talked to again", BOUND)
        if self.used:
            with contextlib.suppress(aiohttp.WSServerHandshakeError):
                async with _connected(self.watcher, self.address):
                    raise AssertionError("a ticket was good twice")
        await self.until_true(self.nothing_runs_beside, "no command is left")
        await self.assert_untouched()
        await self.forget()

    async def can_be_talked_to(self) -> bool:
        try:
            address = await self.ticket(self.watcher)
            async with _connected(self.watcher, address) as socket:
                await self.say(socket)
                message = await socket.receive(5)
                return message.type is aiohttp.WSMsgType.BINARY and message.data[:1] in (b"\x01", b"\x02")
        except CutOff:
            return False

    async def nothing_runs_beside(self) -> bool:
        """The engine also remembers commands that were made and never begun."""
        (now,) = await self.there()
        async with Engine(self.ground.server.docker_url) as engine:
            for command in now["ExecIDs"] or ():
                with contextlib.suppress(aiodocker.DockerError):  # It has just ended.
                    if json.loads(await engine.call("GET", f"exec/{command}/json"))["Running"]:
                        return False
        return True


class Entering(Streaming):
    """A shell with a terminal."""

    async def ticket(self, api: Api) -> str:
        answer = await api.call("POST", f"/{self.id}/execute", command="sh", run="false", interactive="true")
        assert answer.status == 200, answer
        return str(answer.body["proxy_url"])

    async def say(self, socket: "aiohttp.ClientWebSocketResponse") -> None:
        await socket.send_bytes(b"\x00echo here\n")


class Piping(Entering):
    """A command without a terminal, which reads what it is given."""

    async def ticket(self, api: Api) -> str:
        how = {"command": "cat", "run": "false", "interactive": "true", "tty": "false"}
        answer = await api.call("POST", f"/{self.id}/execute", **how)
        assert answer.status == 200, answer
        return str(answer.body["proxy_url"])


class Following(Streaming):
    """Whoever reads the logs as they come."""

    async def begin(self) -> None:
        asked = self.doer.http.get(f"{self.doer.url}/{self.id}/logs", params={"follow": "true"}, headers=PLAIN)
        async with asked as response:
            if response.status >= 500:
                raise CutOff(await response.text())
            assert response.status == 200, await response.text()
            try:
                async for piece in response.content.iter_any():
                    self.heard = piece
            except aiohttp.ClientError as broken:
                raise CutOff(repr(broken)) from broken
            raise AssertionError("the logs seemed to be at their end")


class Pouring(Streaming):
    """Somebody who puts a large file into it."""

    async def begin(self) -> None:
        how = {"path": "/tmp"}
        asked = self.doer.http.post(
            f"{self.doer.url}/{self.id}/put_archive",
            params=how,
            data=_slowly(LARGE // 2, 1.2),
            headers={"Content-Type": "application/x-tar"},
        )
        async with asked as response:
            if response.status >= 500:
                raise CutOff(await response.text())
            assert response.status == 200, await response.text()


@contextlib.asynccontextmanager
async def _connected(api: Api, address: str) -> AsyncIterator["aiohttp.ClientWebSocketResponse"]:
    """Raises CutOff where the host is away, WSServerHandshakeError where the ticket is no good."""
    try:
        async with api.http.ws_connect(address, protocols=[CHANNELS]) as socket:
            yield socket
    except aiohttp.WSServerHandshakeError as refusal:
        if refusal.status >= 500:
            raise CutOff(f"{refusal.status}") from refusal
        raise


PLAIN = {"Accept": "text/plain"}
DEEDS: tuple[type[Deed], ...] = (
    *(Pulling, Fetching, Committing),
    *(Rebuilding, RebuildingInVain, Limiting),
    *(Healing, Vanishing, Retrying),
    *(Streaming, Entering, Piping, Following, Pouring),
)
PUBLISHED = ("pulled", "fetched", "rebuilt")
"""The images that a round of deeds needs in the registry."""


class _Closing:
    def __init__(self, api: Api) -> None:
        self.api = api

    async def aclose(self) -> None:
        await self.api.close()


async def _slowly(size: int, seconds: float) -> AsyncIterator[bytes]:
    """A tar archive with one file, piece by piece."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        entry = tarfile.TarInfo("poured")
        entry.size = size
        tar.addfile(entry, io.BytesIO(bytes(size)))
    content, pieces = packed.getvalue(), 20
    step = len(content) // pieces + 1
    for start in range(0, len(content), step):
        yield content[start : start + step]
        await asyncio.sleep(seconds / pieces)


# What the engine says.


async def containers(ground: Ground, label: str) -> list[Any]:
    """All with this label, whole."""
    filters = json.dumps({"label": [label, f"{OWNER}={ground.server.owner}"]})
    found = []
    async with Engine(ground.server.docker_url) as engine:
        for listed in json.loads(await engine.call("GET", "containers/json", {"all": True, "filters": filters})):
            try:
                found.append(json.loads(await engine.call("GET", f"containers/{listed['Id']}/json")))
            except aiodocker.DockerError:
                continue  # Removed just now.
    return found


async def images(ground: Ground, reference: str) -> list[str]:
    """The ids of those by that name."""
    filters = json.dumps({"reference": [reference]})
    async with Engine(ground.server.docker_url) as engine:
        return [one["Id"] for one in json.loads(await engine.call("GET", "images/json", {"filters": filters}))]
